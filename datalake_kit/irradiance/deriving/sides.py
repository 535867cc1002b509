"""One side of a comparison: values on regular steps, and the instant that each stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.blocks import block_of
from datalake_kit.irradiance.judging.places import place_of

__all__ = ["Side", "side_of"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, eq=False)
class Side:
    """A series of one point; `offset` are the nanoseconds from a label to the instant that counts."""

    values: Floats
    first: pd.Timestamp
    step: pd.Timedelta
    offset: int
    instants: bool
    name: str
    place: tuple[float, float] | None

    @property
    def end(self) -> pd.Timestamp:
        """The end of the last step."""
        return self.first + len(self.values) * self.step

    @property
    def labels(self) -> pd.DatetimeIndex:
        """The begin of each step."""
        return pd.date_range(self.first, periods=len(self.values), freq=self.step, name="time")

    @property
    def centres(self) -> Integers:
        """The instant that counts of each step, in nanoseconds of UTC."""
        result: Integers = self.first.value + self.offset + np.arange(len(self.values)) * self.step.value
        return result

    @property
    def span(self) -> str:
        """Name, begin and end in words."""
        return f"{self.name} is from {self.first:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC"

    def kilometres_from(self, other: Side) -> float:
        """Return how far apart the places are; NaN where one is not known."""
        if self.place is None or other.place is None:
            return float("nan")
        east, north = np.radians(self.place[1] - other.place[1]), np.radians([self.place[0], other.place[0]])
        level, height = np.cos(north), np.sin(north)
        chord = [level[0] * np.cos(east) - level[1], level[0] * np.sin(east), height[0] - height[1]]
        return float(2 * _EARTH_RADIUS_KM * np.arcsin(min(float(np.linalg.norm(chord)) / 2, 1.0)))

    def around(self, centres: Integers, width: pd.Timedelta, enough: float) -> Floats:
        """Return the mean of the values within half a width of each instant; NaN where too few are there."""
        step, half = self.step.value, width.value // 2
        origin = self.first.value + self.offset
        low, high = (-((origin - centres - sign * half) // step) for sign in (-1, 1))
        expected, last = high - low, len(self.values)
        if width == self.step:
            return np.where((low >= 0) & (low < last), self.values[low.clip(0, last - 1)], np.nan)
        known = ~np.isnan(self.values)
        count, total = (
            np.r_[0, np.cumsum(v)][high.clip(0, last)] - np.r_[0, np.cumsum(v)][low.clip(0, last)]
            for v in (known, np.where(known, self.values, 0.0))
        )
        there = (count > 0) & (count >= enough * expected)
        result: Floats = np.divide(total, count, out=np.full(len(centres), np.nan), where=there)
        return result

    def over(self, step: pd.Timedelta, enough: float) -> Side:
        """Return the means over longer steps, which begin at multiples of them since midnight."""
        begin = self.first.floor("D") + (self.first - self.first.floor("D")) // step * step
        labels = pd.date_range(begin, self.end, freq=step, inclusive="left").as_unit("ns")
        middle = step.value // 2
        values = self.around(labels.asi8 + middle, step, enough)
        return Side(values, begin, step, middle, False, self.name, self.place)


def side_of(
    frame: pd.DataFrame, column: str, role: str, *, latitude: float | None = None, longitude: float | None = None
) -> Side:
    """Return a column of a frame of one point; `role` is its name where the frame gives none.

    Raises
    ------
    DataError
        The frame holds several points.
    """
    block = block_of(frame, column)
    if len(block.points) > 1:
        raise DataError(f"{role.capitalize()} holds {len(block.points)} points: take one with select_point.")
    said = block.attrs_of(block.points[0]).get("point", {})
    latitude = said.get("latitude") if latitude is None else latitude
    longitude = said.get("longitude") if longitude is None else longitude
    known = latitude is not None and longitude is not None
    there = pd.DataFrame(index=block.labels[:2])
    there.attrs = block.attrs_of(block.points[0])
    # which instant counts does not hang on the place: any will do where it is not known
    place = place_of(there, latitude=latitude if known else 0.0, longitude=longitude if known else 0.0)
    return Side(
        block.values[0],
        block.first,
        block.step,
        round(place.offset_seconds * 1e9),
        bool(frame.attrs.get("instantaneous", True)),
        str(said.get("name") or said.get("point_id") or role),
        (place.latitude, place.longitude) if known else None,
    )
