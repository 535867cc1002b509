"""Frames of series out of rows: regular steps, gaps as gaps, and what the frame says of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.irradiance.stored.folder import Rows, Window

__all__ = ["MADE", "build_frame", "choose_columns", "describe_frame", "sources_of", "step_of_rows"]

Array = np.ndarray[Any, Any]

KEYS = ("time", "point_id", "date", "month")
SCAN_TIME = "scan_time"
# What is worked out when it is not stored; the diffuse part on the horizontal, and the direct part.
DERIVED = {"dhi": ("ghi", "fraction_diffuse"), "bhi": ("ghi", "dhi")}
MADE = (*DERIVED, SCAN_TIME)
_UNITS = {"dhi": "W/m2", "bhi": "W/m2"}
_DAY = 86_400_000_000


def choose_columns(table: str, known: Iterable[str], columns: Sequence[str] | None) -> list[str]:
    """Return the columns of a frame: those asked for, or all stored and derived ones.

    Raises
    ------
    ColumnNotFoundError
        No such column; the nearest are named.
    """
    stored = [c for c in known if c not in KEYS]
    derived = [d for d in DERIVED if d not in stored and sources_of([d], stored)]
    if columns is None:
        return [*stored, *derived]
    if isinstance(columns, str):
        raise ColumnNotFoundError(f"columns is a list of names, such as [{columns!r}].")
    choice = [*stored, *derived, SCAN_TIME]
    for column in columns:
        if column not in choice:
            raise ColumnNotFoundError(f"{table} has no column {column!r}. {did_you_mean(column, choice)}")
    return list(dict.fromkeys(columns))


def sources_of(columns: Iterable[str], stored: Collection[str]) -> list[str]:
    """Return the stored columns that columns are made from; none at all when one cannot be made."""
    found: dict[str, None] = {}
    for column in columns:
        if column in stored:
            found[column] = None
        elif column in DERIVED:
            made_from = [sources_of([s], stored) for s in DERIVED[column]]
            if not all(made_from):
                return []
            found |= dict.fromkeys(s for sources in made_from for s in sources)
    return list(found)


def step_of_rows(rows: Rows, info: dict[str, Any]) -> pd.Timedelta:
    """Return the table's step as it states it, or the smallest time between two rows of a point."""
    if "step_seconds" in info:
        return pd.Timedelta(seconds=int(info["step_seconds"]))
    order = np.lexsort((rows.time, rows.places))
    between = np.diff(rows.time[order])[np.diff(rows.places[order]) == 0]
    positive = between[between > 0]
    return pd.Timedelta(microseconds=int(positive.min())) if len(positive) else pd.Timedelta(minutes=15)


def build_frame(rows: Rows, points: Sequence[str], step: pd.Timedelta, window: Window, *, one: bool) -> pd.DataFrame:
    """Put rows on a regular axis of time: the window, or whole days where it is open.

    Raises
    ------
    DataError
        Rows that are not on steps; a point twice at a time.
    """
    begin, length = _axis(rows, step, window)
    size = int(step.total_seconds() * 1e6)
    slot, beside = np.divmod(rows.time - begin, size)
    off = (beside != 0) | (slot < 0) | (slot >= length)
    if off.any():
        when = pd.Timestamp(int(rows.time[off.argmax()]), unit="us", tz="UTC")
        raise DataError(f"{int(off.sum())} rows are not on steps of {step}, the first at {when}.")
    taken = _positions(rows, slot, points, length, (begin, size))
    axis = pd.date_range(pd.Timestamp(begin, unit="us", tz="UTC"), periods=length, freq=step, name="time").as_unit("us")
    index = axis if one else pd.MultiIndex.from_product([points, axis], names=["point_id", "time"])
    columns = {name: _values(name, rows.columns[name], taken) for name in rows.columns.column_names}
    return pd.DataFrame(columns, index=index)


def _axis(rows: Rows, step: pd.Timedelta, window: Window) -> tuple[int, int]:
    """Return the first label in microseconds and the number of steps."""
    first, last = window
    size = int(step.total_seconds() * 1e6)
    begin = int(rows.time.min()) // _DAY * _DAY if first is None else -(-(first.value // 1000) // size) * size
    end = (int(rows.time.max()) // _DAY + 1) * _DAY if last is None else last.value // 1000
    return begin, max(0, -(-(end - begin) // size))


def _positions(rows: Rows, slot: Array, points: Sequence[str], length: int, start: tuple[int, int]) -> Array:
    """Return for each place of the frame the number of its row, -1 for a gap."""
    places = rows.places.astype("i8") * length + slot
    taken = np.full(len(points) * length, -1, "i8")
    numbers = np.arange(len(places))
    taken[places] = numbers
    twice = taken[places] != numbers
    if twice.any():
        row = int(twice.argmax())
        when = pd.Timestamp(start[0] + int(slot[row]) * start[1], unit="us", tz="UTC")
        raise DataError(f"The point {points[rows.places[row]]} is held twice at {when}: remove the files that overlap.")
    return taken


def _values(name: str, column: pa.ChunkedArray, taken: Array) -> Any:
    """Return a column on the frame's axis: whole numbers as Int32 or Int64, what is missing as missing."""
    kind = column.type
    if pa.types.is_integer(kind):
        values = column.fill_null(0).to_numpy() if column.null_count else column.to_numpy()
        wide = np.dtype("i8") if kind.bit_width > 32 else np.dtype("i4")
        absent = column.is_null().to_numpy() if column.null_count else np.zeros(len(values), bool)
        whole: Any = pd.arrays.IntegerArray(values.astype(wide), absent)
    elif name == "quality_flag":
        whole = column.to_pandas().astype("Int32").array
    elif pa.types.is_floating(kind):
        whole = column.to_numpy()
    else:
        whole = column.to_pandas().array
    if len(taken) == len(whole) and (taken == np.arange(len(taken))).all():
        return whole
    return pd.api.extensions.take(whole, taken, allow_fill=True)


def describe_frame(
    frame: pd.DataFrame, wanted: list[str], table: str, info: dict[str, Any], points: Sequence[str], *, one: bool
) -> pd.DataFrame:
    """Add the derived columns and say units, places and origin."""
    places = {p: _place(p, info) for p in points}
    for column in wanted:
        if column == SCAN_TIME:
            frame[column] = _scan_time(frame, table, info, places)
        elif column not in frame:
            frame[column] = _derive(frame, column)
    units = _UNITS | info.get("units", {})
    result = frame[wanted]
    result.attrs = {
        "table": table,
        "origin": info.get("origin", ""),
        "product": info.get("product", ""),
        "title": info.get("title", ""),
        "flags": {c: f for c, f in info.get("flags", {}).items() if c in wanted},
        "synthetic": _is_synthetic(info),
        "units": {c: units[c] for c in wanted if c in units},
        "instantaneous": info.get("instantaneous", True),
        "scan_uncertainty_seconds": info.get("scan_uncertainty_seconds", 0.0),
        "tz": "UTC",
        "points": places,
    }
    if one:
        result.attrs["point"] = places[points[0]]
    return result


def _derive(frame: pd.DataFrame, column: str) -> Any:
    first, second = (frame[s] if s in frame else _derive(frame, s) for s in DERIVED[column])
    return first * second if column == "dhi" else first - second


def _scan_time(frame: pd.DataFrame, table: str, info: dict[str, Any], places: dict[str, dict[str, Any]]) -> Any:
    """Return the instant at which the line of each point was seen, or would have been at a gap."""
    if info.get("scan_seconds") is None:
        raise ColumnNotFoundError(f"{table} does not say when its lines are scanned: there is no {SCAN_TIME}.")
    offsets = {p: pd.Timedelta(seconds=place["scan_offset_seconds"]).as_unit("us") for p, place in places.items()}
    if isinstance(frame.index, pd.MultiIndex):
        labels = frame.index.get_level_values("time")
        steps = len(frame) // len(places)
        return labels + pd.TimedeltaIndex(np.repeat(pd.TimedeltaIndex(list(offsets.values())).to_numpy(), steps))
    return frame.index + next(iter(offsets.values()))


def _is_synthetic(info: dict[str, Any]) -> bool:
    """Tell whether table or files say that nothing was measured."""
    said = f"{info.get('origin', '')} {info.get('source', '')}".casefold()
    return "synthetic" in said or said.startswith("made")


def _place(point: str, info: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a point, with the seconds from the slot to the instant its line was seen."""
    place: dict[str, Any] = {"point_id": point} | info.get("points", {}).get(point, {})
    scan, latitude = info.get("scan_seconds"), place.get("cell_latitude", place.get("latitude"))
    place["scan_offset_seconds"] = 0.0 if scan is None or latitude is None else scan[0] + scan[1] * latitude
    return place
