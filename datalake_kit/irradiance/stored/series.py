"""Reads series of points back from a table of a lake: regular steps, gaps as gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, PointNotFoundError, did_you_mean
from datalake_kit.irradiance.judging.steps import step_of
from datalake_kit.irradiance.stored.daily import read_table_info

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table

__all__ = ["read", "select_point"]

Moment = str | date | datetime | pd.Timestamp
_KEYS = ("time", "point_id", "date")
_DERIVED = {"dhi": ("ghi", "fraction_diffuse")}


def read(
    lake: Lake,
    table: str | Table,
    points: str | Sequence[str] | None = None,
    *,
    start: Moment | None = None,
    stop: Moment | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the series of one point, or of several, with a row for every step.

    Parameters
    ----------
    lake : Lake
    table : str or Table
        A table that `extract` wrote, as `database.table`.
    points : str, or sequence of str, optional
        An id gives a frame indexed by `time`; a list of ids, or None for all points, gives one indexed by
        (`point_id`, `time`); `select_point` takes one out of it.
    start, stop : optional
        From `start` on and before `stop`, in UTC unless they carry a zone. Without them: the whole days of the table.
    columns : sequence of str, optional
        Of the table's columns and `dhi`; all by default.

    Returns
    -------
    DataFrame
        `time` is the start of the slot, UTC; steps are regular, what was not seen is NaN. ghi and dhi in W/m2; dhi, the
        diffuse part on the horizontal, is ghi x fraction_diffuse. `attrs` says units, step, product, the points with
        their places, for one point `point` with its `scan_offset_seconds`; `flags` says by column the `masks` and
        `meanings` of its bits where the files name them (for `named_bits`).

    Raises
    ------
    PointNotFoundError
        No such point in the table; the nearest names are given.
    ColumnNotFoundError
        No such column.
    DataError
        The table is none of points, has no rows in the window, or holds a point twice at the same time.

    Notes
    -----
    Only the wanted days and points are read: `date` folders outside the window stay closed. Nothing is filled.

    Examples
    --------
    >>> frame = read(lake, "irradiance.points_year", "turin", start="2025-06-01", stop="2025-07-01")  # doctest: +SKIP
    >>> frame["ghi"].isna().mean()                                                                   # doctest: +SKIP
    0.0
    """
    opened = lake.table(table) if isinstance(table, str) else table
    kinds = {c.name: c.type for c in opened.columns}
    _check_table(opened.name, kinds)
    wanted = _wanted_columns(opened.name, kinds, columns)
    first, last = _utc(start), _utc(stop)
    if first is not None and last is not None and first >= last:
        raise DataError(f"The window is empty: start {first} is not before stop {last}.")
    info = _info(opened)
    ids = _point_ids(lake, opened, points, info)
    rows = _rows(lake, opened, kinds, wanted, points=ids, first=first, last=last)
    if rows.empty:
        raise DataError(f"{opened.name} has no rows between {first or 'its beginning'} and {last or 'its end'} (UTC).")
    frame = _regular(rows, _step(rows, info), ids, first=first, last=last, one=isinstance(points, str))
    return _finished(frame, wanted, opened.name, info, ids, one=isinstance(points, str))


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


def _check_table(name: str, kinds: dict[str, str]) -> None:
    absent = [k for k in ("time", "point_id") if k not in kinds]
    if absent:
        raise DataError(
            f"{name} is no table of points: it has no {' and no '.join(absent)}. "
            "`dk.irradiance.extract` writes such tables."
        )


def _wanted_columns(name: str, kinds: dict[str, str], columns: Sequence[str] | None) -> list[str]:
    stored = [c for c in kinds if c not in _KEYS]
    derived = [d for d, sources in _DERIVED.items() if all(s in kinds for s in sources) and d not in kinds]
    if columns is None:
        return [*stored, *derived]
    for column in columns:
        if column not in (*stored, *derived):
            raise ColumnNotFoundError(f"{name} has no column {column!r}. {did_you_mean(column, [*stored, *derived])}")
    return list(dict.fromkeys(columns))


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


def _info(table: Table) -> dict[str, Any]:
    """Return what the table says of itself; a table on S3 is not asked yet."""
    return {} if "://" in table.location else read_table_info(table.location)


def _point_ids(lake: Lake, table: Table, points: str | Sequence[str] | None, info: dict[str, Any]) -> list[str]:
    asked = None if points is None else [points] if isinstance(points, str) else [str(p) for p in points]
    known = list(info.get("points", {}))
    if not known or (asked is not None and not set(asked) <= set(known)):
        found = lake.sql(f"SELECT DISTINCT point_id FROM {table.quoted_name} ORDER BY point_id")
        known = found["point_id"].astype(str).tolist()
    if asked is None:
        return sorted(known)
    for point in asked:
        if point not in known:
            raise PointNotFoundError(f"{table.name} has no point {point!r}. {did_you_mean(point, known)}")
    if not asked:
        raise PointNotFoundError("No points were asked for: give ids, or None for all.")
    return list(dict.fromkeys(asked))


def _rows(
    lake: Lake,
    table: Table,
    kinds: dict[str, str],
    wanted: list[str],
    *,
    points: list[str],
    first: pd.Timestamp | None,
    last: pd.Timestamp | None,
) -> pd.DataFrame:
    stored = dict.fromkeys(s for w in wanted for s in _DERIVED.get(w, (w,)) if w not in kinds or s == w)
    names = ", ".join(f'"{n}"' for n in ("time", "point_id", *stored))
    conditions, params = ['"point_id" IN (:points)'], {"points": points}
    bounds: dict[str, Any] = {}
    for moment, name, sign in ((first, "start", ">="), (last, "stop", "<")):
        if moment is not None:
            conditions.append(f'"time" {sign} :{name}')
            bounds[name] = moment.tz_localize(None).to_pydatetime()
            if "date" in kinds:
                conditions.append(f'"date" {sign.rstrip("=")}= :{name}_day')
                bounds[f"{name}_day"] = moment.date() if kinds["date"] == "date" else moment.date().isoformat()
    text = f"SELECT {names} FROM {table.quoted_name} WHERE {' AND '.join(conditions)}"
    rows = lake.sql(text, params=params | bounds)
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    return rows


def _step(rows: pd.DataFrame, info: dict[str, Any]) -> pd.Timedelta:
    """Return the table's step as it states it, or the smallest time between two rows of a point."""
    if "step_seconds" in info:
        return pd.Timedelta(seconds=int(info["step_seconds"]))
    between = rows.sort_values(["point_id", "time"]).groupby("point_id")["time"].diff()
    return between[between > pd.Timedelta(0)].min() if (between > pd.Timedelta(0)).any() else pd.Timedelta(minutes=15)


def _regular(
    rows: pd.DataFrame,
    step: pd.Timedelta,
    points: list[str],
    *,
    first: pd.Timestamp | None,
    last: pd.Timestamp | None,
    one: bool,
) -> pd.DataFrame:
    """Put the rows on a regular axis of time: the window, or whole days where it is open."""
    begin = (rows["time"].min() if first is None else first).floor("D") if first is None else first.ceil(step)
    end = rows["time"].max().floor("D") + pd.Timedelta(days=1) if last is None else last
    axis = pd.date_range(begin, end, freq=step, inclusive="left", name="time").as_unit("us")
    rows["time"] = rows["time"].dt.as_unit("us")
    off = ~rows["time"].isin(axis)
    if off.any():
        raise DataError(
            f"{int(off.sum())} rows are not on steps of {step}, the first at {rows.loc[off, 'time'].iloc[0]}."
        )
    indexed = rows.set_index(["point_id", "time"])
    if not indexed.index.is_unique:
        twice = indexed.index[indexed.index.duplicated()][0]
        raise DataError(f"The point {twice[0]} is held twice at {twice[1]}: remove the files that overlap.")
    if one:
        return indexed.droplevel("point_id").reindex(axis)
    return indexed.reindex(pd.MultiIndex.from_product([points, axis], names=["point_id", "time"]))


def _finished(
    frame: pd.DataFrame, wanted: list[str], name: str, info: dict[str, Any], points: list[str], *, one: bool
) -> pd.DataFrame:
    for column in frame.columns:
        if frame[column].dtype.kind in "iu" or column == "quality_flag":
            frame[column] = frame[column].astype("Int32")
    for column, (whole, share) in _DERIVED.items():
        if column in wanted and column not in frame:
            frame[column] = frame[whole] * frame[share]
    units = info.get("units", {}) | {"dhi": "W/m2"}
    places = {p: _place(p, info) for p in points}
    result = frame[wanted]
    result.attrs = {
        "table": name,
        "origin": info.get("origin", ""),
        "product": info.get("product", ""),
        "flags": info.get("flags", {}),
        "synthetic": _is_synthetic(info),
        "units": {c: units[c] for c in wanted if c in units},
        "instantaneous": info.get("instantaneous", True),
        "scan_uncertainty_seconds": info.get("scan_uncertainty_seconds", 0.0),
        "points": places,
    }
    if one:
        result.attrs["point"] = places[points[0]]
    return result


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
