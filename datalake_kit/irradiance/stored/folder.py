"""Folders of points opened without SQL: which files hold the wanted points and days, and their rows."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.stored.daily import TABLE, read_table_info
from datalake_kit.irradiance.stored.names import DATA, DAYS, MONTHS, POINTS, layout_of, quote_value, unquote_value
from datalake_kit.irradiance.stored.rows import THREADS
from datalake_kit.irradiance.stored.writing import INFO, MADE_FROM
from datalake_kit.storage import Place, files_in, for_each, open_parquet, place, read_footer

__all__ = ["FORMAT", "PointsFolder", "Rows", "find_folder"]

Array = np.ndarray[Any, Any]
Window = tuple[pd.Timestamp | None, pd.Timestamp | None]

FORMAT = {DAYS: "%Y-%m-%d", MONTHS: "%Y-%m", POINTS: "%Y"}
_FEW_FILES = 8


@dataclass(frozen=True)
class Rows:
    """Rows of points: for each the position of its point among the wanted, its time in microseconds, its columns."""

    places: Array
    time: Array
    columns: pa.Table


def find_folder(location: str | Place) -> PointsFolder | None:
    """Return the table of points in a folder or on S3; None when none of this package's lies there."""
    there = place(location)
    layout = layout_of(there)
    if layout is None:
        return None
    found = PointsFolder(there, layout)
    if layout == DAYS:
        return found if (there / TABLE).is_file() else None
    newest = found.files(found.values()[-1:])[-1:]
    return found if newest and MADE_FROM in (read_footer(newest[0]).metadata or {}) else None


@dataclass(frozen=True)
class PointsFolder:
    """A table of points that this package wrote, in one of its layouts."""

    table: Place
    layout: str

    def values(self) -> list[str]:
        """Return the values of the partition folders, as written, in order."""
        names = [p.name for p in self.table.iterdir() if p.name.startswith(f"{self.layout}=")]
        return sorted(name.partition("=")[2] for name in names)

    def files(self, values: Sequence[str], window: Window = (None, None)) -> list[Place]:
        """Return the files of partitions, as far as they may hold rows of a window."""
        if self.layout != POINTS:
            inside = [v for v in values if self._within(v, window)]
            return [self.table / f"{self.layout}={v}" / DATA for v in inside]
        folders: list[Place] = [self.table / f"{POINTS}={v}" for v in values]
        years = [f for found in for_each(files_in, folders) for f in found]
        return [f for f in years if re.fullmatch(r"\d{4}\.parquet", f.name) and self._within(f.stem, window)]

    def _within(self, value: str, window: Window) -> bool:
        first, last = window
        form = FORMAT[self.layout]
        before_last = None if last is None else last - pd.Timedelta(microseconds=1)
        return (first is None or value >= first.strftime(form)) and (
            before_last is None or value <= before_last.strftime(form)
        )

    def info(self, points: Sequence[str] | None = None) -> dict[str, Any]:
        """Return what is known of the table and of these points, or of all."""
        if self.layout == DAYS:
            return read_table_info(self.table)
        files = self.files(self.values() if self.layout == MONTHS or points is None else list(map(quote_value, points)))
        newest = list({f.parent: f for f in files}.values())
        merged: dict[str, Any] = {}
        for said in for_each(_info, newest):
            merged = merged | said | {"points": merged.get("points", {}) | said.get("points", {})}
        return merged

    def points(self, info: dict[str, Any]) -> list[str]:
        """Return the ids of the points of the table."""
        if self.layout == POINTS:
            return sorted(map(unquote_value, self.values()))
        return sorted(info.get("points", {}))

    def columns(self, points: Sequence[str], window: Window, asked: Iterable[str]) -> list[str]:
        """Return the names of the columns, of the first and last file in the window.

        Files outside it are looked at when there is none inside, or when columns are asked for that these lack.
        """
        values = list(map(quote_value, points)) if self.layout == POINTS else self.values()
        names = _columns(self.files(values, window))
        if not names or not set(asked) <= set(names):
            names |= _columns(self.files(values))
        return [*names, *(["point_id"] if self.layout == POINTS else [])]

    def read(self, points: Sequence[str], columns: Sequence[str], window: Window) -> Rows:
        """Read the rows of points in a window; files and row groups that hold none of them stay closed."""
        values = list(map(quote_value, points)) if self.layout == POINTS else self.values()
        files = self.files(values, window)
        read = partial(_read, points=sorted(points), columns=["time", *columns])
        if len(files) < _FEW_FILES:
            tables = [read(f) for f in files]
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                tables = list(pool.map(read, files))
        kept = [(f, t) for f, t in zip(files, tables, strict=True) if t is not None and t.num_rows]
        if not kept:
            return Rows(np.array([], "i4"), np.array([], "i8"), pa.table({}))
        joined = pa.concat_tables([t for _, t in kept], promote_options="permissive")
        for absent in [c for c in columns if c not in joined.column_names]:  # other days have it
            joined = joined.append_column(absent, pa.nulls(joined.num_rows, pa.float64()))
        places = self._places(joined, kept, points)
        return _rows(joined, places, window)

    def _places(self, joined: pa.Table, kept: list[tuple[Place, pa.Table]], points: Sequence[str]) -> Array:
        """Return the position of each row's point among the wanted ones; -1 when it is none of them."""
        if self.layout == POINTS:
            number = {f"{POINTS}={quote_value(p)}": n for n, p in enumerate(points)}
            return np.repeat([number[f.parent.name] for f, _ in kept], [t.num_rows for _, t in kept])
        if len(points) == 1:
            same: Array = pc.equal(joined["point_id"], points[0]).to_numpy()
            return same.astype("i1") - 1
        found = pc.index_in(joined["point_id"], value_set=pa.array(points, pa.string()))
        filled: Array = found.fill_null(-1).to_numpy()
        return filled


def _columns(files: list[Place]) -> dict[str, None]:
    ends = [f for f in dict.fromkeys([*files[:1], *files[-1:]]) if f.is_file()]
    return dict.fromkeys(name for file in ends for name in read_footer(file).schema.to_arrow_schema().names)


def _info(file: Place) -> dict[str, Any]:
    said = (read_footer(file).metadata or {}).get(INFO, b"{}")
    return dict(json.loads(said))


def _read(file: Place, *, points: list[str], columns: list[str]) -> pa.Table | None:
    """Read the columns that a file has, of the row groups that may hold a point; None when there is no such file."""
    if not file.is_file():
        return None
    with open_parquet(file) as opened:
        names = opened.schema_arrow.names
        try:
            if "point_id" not in names:
                return opened.read(columns=[c for c in columns if c in names], use_threads=False)
            groups = _groups(opened.metadata, names.index("point_id"), points)
            wanted = ["point_id", *(c for c in columns if c in names)]
            return opened.read_row_groups(groups, columns=wanted, use_threads=False)
        except (pa.ArrowException, OSError) as problem:
            raise UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore it.") from problem


def _groups(footer: pq.FileMetaData, column: int, points: list[str]) -> list[int]:
    groups = []
    for number in range(footer.num_row_groups):
        stated = footer.row_group(number).column(column).statistics
        if stated is None or not stated.has_min_max:
            groups.append(number)
            continue
        at = bisect.bisect_left(points, stated.min)
        if at < len(points) and points[at] <= stated.max:
            groups.append(number)
    return groups


def _rows(joined: pa.Table, places: Array, window: Window) -> Rows:
    """Return the wanted rows of a window; those of open ends too."""
    time: Array = joined["time"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    wanted = places >= 0
    for moment, later in zip(window, (True, False), strict=True):
        if moment is not None:
            wanted &= (time >= moment.value // 1000) == later
    columns = joined.drop_columns([c for c in ("time", "point_id") if c in joined.column_names])
    if wanted.all():
        return Rows(places, time, columns)
    return Rows(places[wanted], time[wanted], columns.filter(pa.array(wanted)))
