"""The per-point dataset: one file a point and year, sorted by time, for anyone to read."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import DataError
from datalake_kit.irradiance.stored.daily import read_table_info
from datalake_kit.irradiance.stored.finished import (
    StoredDay,
    check_places,
    check_vanished,
    finished_days,
    ids_of,
    local_files,
)
from datalake_kit.irradiance.stored.names import POINTS, find_files, point_file, quote_value, unquote_value
from datalake_kit.irradiance.stored.rows import DAY, THREADS, Part, SortedRows, day_number
from datalake_kit.irradiance.stored.writing import (
    INFO,
    MADE_FROM,
    Rewrite,
    count_days,
    encode_info,
    remove_file,
    write_rows,
)
from datalake_kit.storage import Place, S3Path, for_each, open_parquet, place, read_footer, write_atomically
from datalake_kit.storage.claiming import claim_folder

__all__ = ["repartition"]

Array = np.ndarray[Any, Any]

PATCHED = 0.25  # of a year's days: when more have changed, all are read again, which is faster then
_S3_THREADS = 16
_DIGITS = 16  # of a day's fingerprint, in the files' metadata
_NONE = "-" * _DIGITS


def repartition(
    days: str | Place, out: str | Place, *, on_vanished: Literal["raise", "keep", "drop"] = "raise"
) -> Rewrite:
    """Write a table of days as one file a point and year, sorted by time.

    Parameters
    ----------
    days : folder or s3:// address
        A table that `extract` wrote.
    out : folder or s3:// address
        `<out>/point_id=turin/2025.parquet`: Hive folders, so that DuckDB, Athena, pyarrow, pandas and awswrangler
        (`wr.s3.read_parquet(out, dataset=True)`) show a column `point_id`. Ids are quoted in names of folders as Hive
        does, which matters for ``/ % = : ? * # ' "`` and a few more; awswrangler shows them quoted.
    on_vanished : {"raise", "keep", "drop"}
        What to do with days that `out` holds and `days` no longer does: stop and list them, leave them, remove them.

    Returns
    -------
    Rewrite

    Raises
    ------
    DataError
        A day whose manifest does not fit its file; rows of a wrong day, or twice; days that are gone; a file that does
        not hold, when read again, the rows of its days in order. That file is not replaced then.
    UnreadableFileError
        A file of a day cannot be read.

    Notes
    -----
    Each file says in its own metadata which days it was made from, and is replaced in one step; a file is written
    again only when one of its days has changed, and takes the others from what is there. So a run can be stopped at
    any moment and repeated. A file without rows is removed, as for a point that vanished from all days. Memory is
    bounded by a part of the points: an eighth of the rows, at most five million.

    Examples
    --------
    >>> done = repartition("lake/irradiance/plants", "lake/irradiance/plants_points")    # doctest: +SKIP
    >>> print(done)                                                                      # doctest: +SKIP
    lake/irradiance/plants_points: 100 files written, 0 kept, 0 removed; 3,504,000 rows, 8.1 MB written
    """
    source, target = place(days), place(out)
    check_places(source, target, POINTS)
    with claim_folder(target, below=True):
        return _repartition(source, target, on_vanished)


def _repartition(source: Place, target: Place, on_vanished: str) -> Rewrite:
    found, held, info = finished_days(source), _held(target), read_table_info(source)
    vanished = {d for files in held.values() for f in files.values() for d in f.days} - set(found)
    check_vanished(vanished, on_vanished, target)
    job = _Job(source, target, info)
    for year in sorted({d.year for d in found} | set(held)):
        ours = {d: s for d, s in found.items() if d.year == year}
        kept = {d for d in vanished if d.year == year and on_vanished == "keep"}
        _write_year(job, year, ours, kept, held.get(year, {}))
    return job.summary()


@dataclass(frozen=True)
class _Held:
    """A file that is there: what is known of the table, and the days it was made from by the beginning of their digest.

    `days` is empty where the file cannot be read or is of other make.
    """

    file: Place
    info: bytes = b""
    days: Mapping[date, str] = field(default_factory=dict)


@dataclass
class _Job:
    """Where a run reads and writes, and what it has done."""

    source: Place
    target: Place
    info: dict[str, Any]
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    def summary(self) -> Rewrite:
        return Rewrite(
            self.target,
            written=tuple(sorted(n for n, (rows, _) in self.done.items() if rows)),
            kept=tuple(self.kept),
            removed=tuple(sorted(n for n, (rows, _) in self.done.items() if not rows)),
            waiting=(),
            rows=sum(rows for rows, _ in self.done.values()),
            written_bytes=sum(size for _, size in self.done.values()),
        )


@dataclass(frozen=True)
class _Year:
    """What the files of a year are to be made from: days by the beginning of their digest."""

    year: int
    days: Mapping[date, str]
    found: Mapping[date, StoredDay]

    @property
    def length(self) -> int:
        return (date(self.year + 1, 1, 1) - date(self.year, 1, 1)).days

    def changed(self, held: _Held | None) -> set[date]:
        """Return the days that a file has otherwise, or lacks, or has too many."""
        have = {} if held is None else held.days
        if have == self.days:
            return set()
        return {d for d in {*have, *self.days} if have.get(d) != self.days.get(d)}

    @cached_property
    def encoded(self) -> bytes:
        """What the files' metadata say of these days."""
        first = date(self.year, 1, 1)
        return "".join(self.days.get(first + timedelta(days=n), _NONE) for n in range(self.length)).encode()


def _held(target: Place) -> dict[int, dict[str, _Held]]:
    """Return the files that are there by year and point."""
    files = [(unquote_value(v), file) for v, found in find_files(target, POINTS).items() for file in found]
    held: dict[int, dict[str, _Held]] = {}
    for (point, _), one in zip(files, for_each(_read_held, [file for _, file in files]), strict=True):
        held.setdefault(int(one.file.stem), {})[point] = one
    return held


def _read_held(file: Place) -> _Held:
    try:
        metadata = read_footer(file).metadata or {}
        text = metadata[MADE_FROM].decode()
        first = date(int(file.stem), 1, 1)
        pieces = [text[n : n + _DIGITS] for n in range(0, len(text), _DIGITS)]
        days = {first + timedelta(days=n): piece for n, piece in enumerate(pieces) if piece != _NONE}
        return _Held(file, metadata[INFO], days)
    except (DataError, KeyError, ValueError):
        return _Held(file)


def _write_year(
    job: _Job, number: int, found: Mapping[date, StoredDay], kept: set[date], held: dict[str, _Held]
) -> None:
    """Bring the files of a year up to date: those of few changed days from what is there, the others from all days."""
    before = {d: digest for f in held.values() for d, digest in f.days.items() if d in kept}
    year = _Year(number, {d: s.fingerprint[:_DIGITS] for d, s in found.items()} | before, found)
    points = sorted(set(held) | ids_of(found.values()))
    changed = {p: year.changed(held.get(p)) for p in points}
    todo = [p for p in points if changed[p] or held[p].info != encode_info(job.info, [p])]
    job.kept += [_name(p, number) for p in points if p not in set(todo)]
    few = [p for p in todo if p in held and held[p].days and len(changed[p]) <= PATCHED * len(year.days)]
    _write_points(job, year, few, set().union(*(changed[p] for p in few)), held)
    many = [p for p in todo if p not in set(few)]
    lost = [p for p in many if p in held and not held[p].days and kept]
    if lost:
        raise DataError(
            f"{held[lost[0]].file} cannot be read, and days it may hold are gone from {job.source}: "
            f"{min(kept)} to {max(kept)}. Restore the file or the days, or remove the file."
        )
    _write_points(job, year, many, set(year.days) - kept, held)


def _write_points(job: _Job, year: _Year, points: list[str], days: set[date], held: dict[str, _Held]) -> None:
    """Write files of points: rows of these days out of the daily files, of the other days as they are."""
    if not points:
        return
    rest = dict.fromkeys(points)
    writer, first = _Writer(job, year, days, held), date(year.year, 1, 1)
    with (
        local_files({d: year.found[d].file for d in sorted(days) if d in year.found}) as local,
        ThreadPoolExecutor(_S3_THREADS if isinstance(job.target, S3Path) else THREADS) as pool,
    ):
        parts = [Part(file, day, year.found[day].footer) for day, file in local.items()]
        for block in SortedRows(parts, first, year.length).blocks() if parts else ():
            todo = [(p, new, counts) for p, new, counts in block if p in rest]
            list(pool.map(writer.write, todo))
            for point, _, _ in todo:
                del rest[point]
            del block, todo  # the next one need not lie beside it
        list(pool.map(writer.write, [(p, None, None) for p in rest]))


@dataclass(frozen=True)
class _Writer:
    """Writes the file of one point after another."""

    job: _Job
    year: _Year
    days: set[date]
    held: dict[str, _Held]

    def write(self, asked: tuple[str, pa.Table | None, Array | None]) -> None:
        """Put new rows in place of what the file holds of the days; remove it when nothing is left."""
        point, new, counts = asked
        file = point_file(self.job.target, point, self.year.year)
        rows, old_counts = self._others(point)
        expected = old_counts + (0 if counts is None else counts)
        tables = [t for t in (rows, new) if t is not None and t.num_rows]
        if not tables:
            remove_file(file)
            self.job.done[_name(point, self.year.year)] = (0, 0)
            return
        whole = tables[0] if len(tables) == 1 else _merged(tables)
        metadata = {MADE_FROM: self.year.encoded, INFO: encode_info(self.job.info, [point])}
        with write_atomically(file) as path:
            written = write_rows(path, [whole], whole.schema, lambda: metadata)
            _check(path, point, self.year, expected)
            self.job.done[_name(point, self.year.year)] = (written, path.stat().st_size)

    def _others(self, point: str) -> tuple[pa.Table | None, Array]:
        """Return what the file holds of days that stay as they are, and how many rows of each."""
        held, nothing = self.held.get(point), np.zeros(self.year.length, "i8")
        stay = {} if held is None else {d: 1 for d, f in held.days.items() if self.year.days.get(d) == f}
        stay = {d: 1 for d in stay if d not in self.days}
        if held is None or not stay:
            return None, nothing
        with open_parquet(held.file) as opened:
            table = opened.read(use_threads=False).replace_schema_metadata()
        day = table["time"].cast(pa.int64()).to_numpy() // DAY - day_number(date(self.year.year, 1, 1))
        wanted = np.isin(day, [day_number(d) - day_number(date(self.year.year, 1, 1)) for d in stay])
        rows = table if wanted.all() else table.filter(pa.array(wanted))
        return rows, np.bincount(day[wanted], minlength=self.year.length)


def _merged(tables: list[pa.Table]) -> pa.Table:
    joined = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    return joined.take(pc.sort_indices(joined["time"]))


def _check(path: Path, point: str, year: _Year, expected: Array) -> None:
    """Raise unless the file holds as many rows of each day as the days do, in order."""
    found = count_days(path, date(year.year, 1, 1), year.length)
    if (found != expected).any():
        raise DataError(
            f"The point {point} was not written for {year.year} as its days are. Run it again; is the disk sound?"
        )


def _name(point: str, year: int) -> str:
    return f"{POINTS}={quote_value(point)}/{year:04d}.parquet"
