"""A column of a frame as numbers: one row a point, one column a step, no step left out."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.irradiance.judging.places import Place, place_of
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["Attributes", "Block", "block_of", "index_by_point", "one_frame_per_point"]

Attributes = dict[Hashable | None, Any]
Floats = npt.NDArray[np.float64]
_MOST_CELLS = 1_000_000_000
_ONE = ""  # the id of a point that the frame does not name


@dataclass(frozen=True)
class Block:
    """Values of points on one axis of time, NaN where there is none; not to be written to."""

    column: str
    values: Floats
    first: pd.Timestamp
    step: pd.Timedelta
    points: list[str]
    several: bool
    attrs: Attributes

    @property
    def labels(self) -> pd.DatetimeIndex:
        """The begin of each step, UTC."""
        return pd.date_range(self.first, periods=self.values.shape[1], freq=self.step, name="time")

    @property
    def hours(self) -> float:
        """Hours of a step."""
        return self.step / pd.Timedelta(hours=1)

    def places(self, *, latitude: float | None = None, longitude: float | None = None) -> list[Place]:
        """Return where the points lie and which instant of a step counts there."""
        if (latitude is not None or longitude is not None) and len(self.points) > 1:
            raise DataError(f"One latitude and longitude for {len(self.points)} points: take one with select_point.")
        frame = pd.DataFrame(index=pd.DatetimeIndex([self.first, self.first + self.step], name="time"))
        places = []
        for point in self.points:
            frame.attrs = self.attrs_of(point)
            places.append(place_of(frame, latitude=latitude, longitude=longitude))
        return places

    def attrs_of(self, point: str) -> Attributes:
        """Return what the frame says of one of its points."""
        said = self.attrs | {"step_seconds": self.step.total_seconds()}
        if not self.several:
            return said
        known = self.attrs.get("points", {}).get(point)
        place = {} if known is None else {"point_id": point} | known
        return {k: v for k, v in said.items() if k != "points"} | {"point": place}


def block_of(frame: pd.DataFrame, column: str) -> Block:
    """Return a column of a series, of one point or several, on regular steps.

    Rows may be in any order and steps may be left out; the frame is not changed, and a regular one not copied.

    Raises
    ------
    ColumnNotFoundError
        No such column.
    DataError
        No rows; no index of times with a zone; a time held twice or off the steps; a value that is infinite.
    """
    if column not in frame:
        names = [str(c) for c in frame.columns]
        raise ColumnNotFoundError(f"The frame has no column {column!r}. {did_you_mean(column, names)}")
    if not len(frame):
        raise DataError("The frame has no rows: there is nothing to derive from.")
    point, time, ids, times = _keys(frame)
    step = _step(frame, times)
    numbers = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        raise DataError(f"{column} holds infinite values: make them missing first, with replace([inf, -inf], nan).")
    first, values = _on_steps(numbers, point, time, times, step, len(ids))
    several = frame.index.nlevels == 2
    return Block(column, values, first, step, ids, several, dict(frame.attrs))


def _keys(frame: pd.DataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any], list[str], pd.DatetimeIndex]:
    """Return for each row the number of its point and of its time, and the ids and times that are meant."""
    index = frame.index
    codes: list[npt.NDArray[np.integer]]
    if isinstance(index, pd.MultiIndex) and list(index.names) == ["point_id", "time"]:
        (ids, times), codes = index.levels, [np.asarray(c) for c in index.codes]
    else:
        ids, times = pd.Index([_ONE]), index
        codes = [np.zeros(len(index), np.int8), np.arange(len(index))]
    if not isinstance(times, pd.DatetimeIndex):
        raise DataError(
            "A series is indexed by `time`, several points by (`point_id`, `time`), as `read` gives them: "
            'frame.set_index(["point_id", "time"]) makes the index out of columns.'
        )
    if times.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    if min(int(c.min()) for c in codes) < 0 or times.hasnans:
        raise DataError("The index holds rows without a time or without a point: drop them first.")
    present, point = _renumbered(codes[0], len(ids))
    return point, codes[1], [str(i) for i in ids[present]], times.tz_convert("UTC").as_unit("ns")


def _renumbered(codes: npt.NDArray[Any], count: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Number the points that have rows, in the order in which they come."""
    starts = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    order = list(dict.fromkeys(codes[np.r_[0, starts]].tolist()))
    if order == list(range(len(order))):
        return np.array(order), codes
    number = np.zeros(count, np.int64)
    number[order] = np.arange(len(order))
    return np.array(order), number[codes]


def _step(frame: pd.DataFrame, times: pd.DatetimeIndex) -> pd.Timedelta:
    known = frame.attrs.get("step_seconds")
    step = step_of(times) if known is None else pd.Timedelta(seconds=float(known))
    if step > pd.Timedelta(days=1):
        raise DataError(f"The steps are {step} long: power is integrated over steps of a day at most.")
    return step


def _on_steps(
    numbers: Floats,
    point: npt.NDArray[Any],
    time: npt.NDArray[Any],
    times: pd.DatetimeIndex,
    step: pd.Timedelta,
    points: int,
) -> tuple[pd.Timestamp, Floats]:
    """Return the first step and the values, points x steps; a view where the rows are regular already."""
    stamps, width = times.asi8, step.value
    count = len(numbers) // points
    grid = time.reshape(points, count) if count * points == len(numbers) else None
    if grid is not None and (grid == grid[0]).all() and (point.reshape(grid.shape) == np.arange(points)[:, None]).all():
        own = stamps[grid[0]]
        if (np.diff(own) == width).all():
            return pd.Timestamp(own[0], tz="UTC"), numbers.reshape(points, count)
    moments = stamps[time]
    first = int(moments.min())
    place, off = np.divmod(moments - first, width)
    if off.any():
        odd = pd.Timestamp(moments[np.argmax(off > 0)], tz="UTC")
        raise DataError(f"{int((off > 0).sum())} rows are not on steps of {step}, the first at {odd}.")
    count = int(place.max()) + 1
    if points * count > _MOST_CELLS:
        raise DataError(
            f"The rows are {len(numbers):,} and the steps of {step} between the first and the last are {count:,}, for "
            f"{points} points: is a time far off, or the step too short?"
        )
    flat = point.astype(np.int64) * count + place
    if len(np.unique(flat)) < len(flat):
        raise DataError("A time is held twice for a point: keep one row for each.")
    values = np.full(points * count, np.nan)
    values[flat] = numbers
    return pd.Timestamp(first, tz="UTC"), values.reshape(points, count)


def index_by_point(block: Block, labels: pd.Index) -> pd.Index:
    """Return an index of labels for each point: the labels alone where the frame holds one point."""
    if not block.several:
        return labels
    own = labels if isinstance(labels, pd.MultiIndex) else pd.MultiIndex.from_arrays([labels])
    levels: list[Any] = [pd.Index(block.points), *own.levels]
    numbers = np.arange(len(block.points)).repeat(len(labels))
    codes: list[Any] = [numbers, *(np.tile(c, len(block.points)) for c in own.codes)]
    return pd.MultiIndex(levels=levels, codes=codes, names=["point_id", *own.names])


def one_frame_per_point(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the id and the regular series of each point, with what the frame says of it; columns that are there."""
    blocks = [block_of(frame, c) for c in columns]
    for number, point in enumerate(blocks[0].points):
        one = pd.DataFrame({b.column: b.values[number] for b in blocks}, index=blocks[0].labels)
        one.attrs = blocks[0].attrs_of(point)
        yield point, one
