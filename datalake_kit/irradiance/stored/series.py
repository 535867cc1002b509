"""Reads series of points back from a table of a lake, in any of its layouts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import DataError, ParameterError, PointNotFoundError, UnreadableFileError, did_you_mean
from datalake_kit.irradiance.judging.steps import step_of
from datalake_kit.irradiance.stored.folder import FORMAT, PointsFolder, Rows, Window, find_folder
from datalake_kit.irradiance.stored.frames import (
    MADE,
    build_frame,
    choose_columns,
    describe_frame,
    sources_of,
    step_of_rows,
)
from datalake_kit.irradiance.stored.names import DAYS, POINTS

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table

__all__ = ["read", "select_point"]

Moment = str | date | datetime | pd.Timestamp


def read(
    lake: Lake,
    table: str | Table,
    points: str | Sequence[str] | None = None,
    *,
    start: Moment | None = None,
    stop: Moment | None = None,
    columns: Sequence[str] | None = None,
    tz: str | None = None,
) -> pd.DataFrame:
    """Return the series of one point, or of several, with a row for every step.

    Parameters
    ----------
    lake : Lake
    table : str or Table
        A table that `extract` wrote, or `compact` or `repartition` made of one, as `database.table`; or any table with
        columns `time` and `point_id`.
    points : str, or sequence of str, optional
        An id gives a frame indexed by `time`; a list of ids, or None for all points, gives one indexed by
        (`point_id`, `time`); `select_point` takes one out of it.
    start, stop : optional
        From `start` on and before `stop`, in UTC unless they carry a zone, whatever `tz` is. Without them: the whole
        days of the table.
    columns : sequence of str, optional
        Of the table's columns, `dhi`, `bhi` and `scan_time`; without it all but `scan_time`.
    tz : str, optional
        Name of a zone such as Europe/Rome, to show the times in; `attrs["tz"]` says it.

    Returns
    -------
    DataFrame
        `time` is the start of the slot, UTC unless `tz` is given; steps are regular, what was not seen is NaN. In W/m2:
        ghi, dhi = ghi x fraction_diffuse, the diffuse part on the horizontal, and bhi = ghi - dhi, the direct part.
        `scan_time` is the instant (UTC) at which the point's line was seen, or would have been at a gap, known to
        `attrs["scan_uncertainty_seconds"]`. `attrs` says table, origin, product, title, units by column, step_seconds,
        instantaneous, synthetic, `points` with their places, and for one point `point` with its
        `scan_offset_seconds`; `flags` says by column the `masks` and `meanings` of its bits where the files name them
        (for `named_bits`).

    Raises
    ------
    PointNotFoundError
        No such point in the table; the nearest names are given.
    ColumnNotFoundError
        No such column, or no scan time known.
    ParameterError
        No such zone.
    DataError
        The table is none of points, has no rows in the window, or holds a point twice at the same time.

    Notes
    -----
    Only the wanted files are opened, and of them only what may hold the points. Tables of this package in a local lake
    are read straight from their files, others by SQL; both give the same. Nothing is filled.

    Examples
    --------
    >>> frame = read(lake, "irradiance.points_year", "turin", start="2025-06-01", stop="2025-07-01")  # doctest: +SKIP
    >>> frame["ghi"].isna().mean()                                                                   # doctest: +SKIP
    0.0
    """
    window = _utc(start), _utc(stop)
    if window[0] is not None and window[1] is not None and window[0] >= window[1]:
        raise DataError(f"The window is empty: start {window[0]} is not before stop {window[1]}.")
    zone = _zone(tz)
    asked = None if points is None else [points] if isinstance(points, str) else [str(p) for p in points]
    source = _open_source(lake, table)
    ids, info = source.points(asked)
    known = source.columns(ids, window, [c for c in columns or () if c not in MADE])
    wanted = choose_columns(source.name, known, columns)
    rows = source.rows(ids, sources_of(wanted, known), window)
    if not len(rows.time):
        raise DataError(
            f"{source.name} has no rows between {window[0] or 'its beginning'} and {window[1] or 'its end'} (UTC)."
        )
    one, step = isinstance(points, str), step_of_rows(rows, info)
    frame = build_frame(rows, ids, step, window, one=one)
    result = describe_frame(frame, wanted, source.name, info, ids, one=one)
    result.attrs["step_seconds"] = int(step.total_seconds())
    return result if zone is None else _in_zone(result, zone)


def select_point(frame: pd.DataFrame, point: str) -> pd.DataFrame:
    """Return the series of one point out of a frame of several, with the place that pictures and clear sky need.

    Raises
    ------
    PointNotFoundError
        The frame does not hold the point.

    Examples
    --------
    >>> frame = read(lake, "irradiance.points_year")        # doctest: +SKIP
    >>> select_point(frame, "turin").attrs["point"]["name"]   # doctest: +SKIP
    'Turin'
    """
    if "point_id" not in frame.index.names:
        raise DataError("The frame holds one point already: its index has no point_id.")
    known = frame.index.get_level_values("point_id")
    if point not in known:
        raise PointNotFoundError(f"The frame has no point {point!r}. {did_you_mean(point, known.unique())}")
    series = frame[known == point].droplevel("point_id")
    if len(series) > 1:
        series = series.asfreq(pd.tseries.frequencies.to_offset(step_of(pd.DatetimeIndex(series.index))))
    places = frame.attrs.get("points", {})
    series.attrs = frame.attrs | {"points": {point: places.get(point, {})}, "point": places.get(point, {})}
    return series


class _Files:
    """A table of this package in a local folder, read without SQL."""

    def __init__(self, name: str, folder: PointsFolder, lake: Lake) -> None:
        self.name, self.folder, self.lake = name, folder, lake

    def points(self, asked: list[str] | None) -> tuple[list[str], dict[str, Any]]:
        info = self.folder.info(None if asked is None else [p for p in asked if p])
        known = self.folder.points(info)
        if asked is not None and not set(asked) <= set(known):
            known = _stored_points(self.lake, self.lake.table(self.name))  # of days that no description tells of
        return _checked(self.name, asked, known), info

    def columns(self, points: list[str], window: Window, asked: list[str]) -> list[str]:
        return self.folder.columns(points, window, asked)

    def rows(self, points: list[str], columns: list[str], window: Window) -> Rows:
        return self.folder.read(points, columns, window)


class _Sql:
    """Any table with time and point_id, read by SQL."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self.name, self.table, self.lake = table.name, table, lake
        self.kinds = {c.name: c.type for c in table.columns}
        absent = [k for k in ("time", "point_id") if k not in self.kinds]
        if absent:
            raise DataError(
                f"{table.name} is no table of points: it has no {' and no '.join(absent)}. "
                "`dk.irradiance.extract` writes such tables."
            )
        self.folder = _described(table)

    def points(self, asked: list[str] | None) -> tuple[list[str], dict[str, Any]]:
        info = {} if self.folder is None else self.folder.info(None if asked is None else [p for p in asked if p])
        known = [] if self.folder is None else self.folder.points(info)
        if not known or (asked is not None and not set(asked) <= set(known)):
            known = _stored_points(self.lake, self.table)
        return _checked(self.name, asked, known), info

    def columns(self, points: list[str], window: Window, asked: list[str]) -> list[str]:
        return list(self.kinds)

    def rows(self, points: list[str], columns: list[str], window: Window) -> Rows:
        names = ", ".join([f'{_id(self.kinds)} AS "point_id"', *(f'"{n}"' for n in ("time", *columns))])
        conditions, params = _conditions(self.kinds, window, self.folder)
        text = f"SELECT {names} FROM {self.table.quoted_name} WHERE {_id(self.kinds)} IN (:points){conditions}"
        found = self.lake.arrow(text, params=params | {"points": points})
        places = pc.index_in(found["point_id"].cast(pa.string()), value_set=pa.array(points, pa.string()))
        return Rows(places.to_numpy(), _microseconds(found["time"]), found.drop_columns(["time", "point_id"]))


def _open_source(lake: Lake, table: str | Table) -> _Files | _Sql:
    """Choose how to read: the files of a local table of this package, else SQL."""
    name = table if isinstance(table, str) else table.name
    if lake.root is not None:
        from datalake_kit.engines.duckdb import DuckDBEngine

        if isinstance(lake.engine, DuckDBEngine):
            found, place = lake.engine.catalog.locate(lake.full_name(name))
            folder = find_folder(place)
            if folder is not None:
                return _Files(str(found), folder, lake)
    return _Sql(lake, lake.table(name))


def _described(table: Table) -> PointsFolder | None:
    """Return the folder of a table of this package; a table whose files may not be looked at is one of others."""
    try:
        return find_folder(table.location)
    except UnreadableFileError as problem:
        warnings.warn(f"Places and units of {table.name} are unknown: {problem}", stacklevel=4)
        return None


def _stored_points(lake: Lake, table: Table) -> list[str]:
    kinds = {c.name: c.type for c in table.columns}
    found = lake.sql(f'SELECT DISTINCT {_id(kinds)} AS "point_id" FROM {table.quoted_name} ORDER BY 1')
    return [str(p) for p in found["point_id"]]


def _checked(name: str, asked: list[str] | None, known: list[str]) -> list[str]:
    if asked is None:
        return sorted(known)
    absent = [p for p in dict.fromkeys(asked) if p not in set(known)]
    if absent:
        more = f" Nor {', '.join(repr(p) for p in absent[1:10])}." if absent[1:] else ""
        raise PointNotFoundError(f"{name} has no point {absent[0]!r}. {did_you_mean(absent[0], known)}{more}")
    if not asked:
        raise PointNotFoundError("No points were asked for: give ids, or None for all.")
    return list(dict.fromkeys(asked))


def _id(kinds: dict[str, str]) -> str:
    """The id as text: where folders have numbers for names, the column is one of numbers."""
    return '"point_id"' if kinds["point_id"] in ("string", "varchar") else 'CAST("point_id" AS varchar)'


def _conditions(kinds: dict[str, str], window: Window, folder: PointsFolder | None) -> tuple[str, dict[str, Any]]:
    """Write the window as conditions on time, and on partitions of ours, so that the other days stay unread."""
    text, params = "", dict[str, Any]()
    by_date = kinds.get(DAYS) == "date"
    for moment, name, sign in zip(window, ("start", "stop"), (">=", "<"), strict=True):
        if moment is None:
            continue
        text += f' AND "time" {sign} :{name}'
        params[name] = moment.tz_localize(None).to_pydatetime()
        if folder is not None and folder.layout in kinds and folder.layout != POINTS:
            text += f' AND "{folder.layout}" {sign.rstrip("=")}= :{name}_part'
            params[f"{name}_part"] = moment.date() if by_date else moment.strftime(FORMAT[folder.layout])
    return text, params


def _microseconds(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return times as microseconds since 1970, UTC."""
    if not pa.types.is_timestamp(column.type):
        column = pa.chunked_array([pa.array(pd.to_datetime(column.to_pandas(), utc=True))])
    values: np.ndarray[Any, Any] = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_numpy()
    return values


def _utc(moment: Moment | None) -> pd.Timestamp | None:
    if moment is None:
        return None
    try:
        # ISO 8601 alone: pandas would guess a year from "june" and a day from 5
        stamp = pd.Timestamp(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)
        if not isinstance(moment, (str, date)) or pd.isna(stamp):
            raise TypeError
    except (ValueError, TypeError):
        raise DataError(f"Not a moment: {moment!r}. Give a date or a time such as '2025-06-18 12:00'.") from None
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _zone(name: str | None) -> str | None:
    if name is None:
        return None
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError, TypeError):
        raise ParameterError(f"No time zone {name!r}. {did_you_mean(str(name), available_timezones())}") from None
    return name


def _in_zone(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Show the times of a frame in a zone; instants and steps stay as they are."""
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        at = index.names.index("time")
        local: Any = pd.DatetimeIndex(index.levels[at]).tz_convert(zone)
        frame.index = index.set_levels(local, level="time")
    else:
        frame.index = pd.DatetimeIndex(index).tz_convert(zone)
    frame.attrs["tz"] = zone
    return frame
