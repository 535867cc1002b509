"""Months of days in one file each, sorted by point and time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from datalake_kit.errors import DataError
from datalake_kit.irradiance.stored.daily import read_table_info
from datalake_kit.irradiance.stored.finished import (
    Known,
    StoredDay,
    check_places,
    check_vanished,
    finished_days,
    local_files,
)
from datalake_kit.irradiance.stored.names import DATA, MONTHS, find_files, month_file
from datalake_kit.irradiance.stored.rows import Block, Part, SortedRows
from datalake_kit.irradiance.stored.writing import (
    INFO,
    MADE_FROM,
    Rewrite,
    count_rows,
    encode_info,
    group_points,
    remove_file,
    write_rows,
)
from datalake_kit.storage import Place, for_each, place, read_footer, write_atomically
from datalake_kit.storage.claiming import claim_folder

__all__ = ["compact"]

POINTS_A_GROUP = 10
Array = np.ndarray[Any, Any]


def compact(
    days: str | Place,
    out: str | Place | None = None,
    *,
    closed: bool = True,
    on_vanished: Literal["raise", "keep", "drop"] = "raise",
) -> Rewrite:
    """Write the closed months of a table of days as one file each, sorted by point and time.

    A month is closed when the table holds the month's last day, or any later day. A month that `out` already has is
    brought up to date whether closed or not.

    Parameters
    ----------
    days : folder or s3:// address
        A table that `extract` wrote.
    out : folder or s3:// address, optional
        `<out>/month=2025-06/points.parquet`; by default beside `days`, with `_months` added to its name.
    closed : bool
        False takes the month that is not closed too, as it stands.
    on_vanished : {"raise", "keep", "drop"}
        What to do with days that `out` holds and `days` no longer does: stop and list them, leave them, remove them.

    Returns
    -------
    Rewrite
        What was written; `waiting` names the months that are not closed.

    Raises
    ------
    DataError
        A day whose manifest does not fit its file; rows of a wrong day, or twice; days that are gone; a file that does
        not hold, when read again, the rows of its days in order. Nothing is replaced then.
    UnreadableFileError
        A file of a day cannot be read.

    Notes
    -----
    A month is written again only when one of its days has changed, and replaced in one step: a run can be stopped at
    any moment and repeated. Row groups hold ten points, so that one point is found by the file's statistics and the
    others stay unread. The file's own metadata say which days it was made from.

    Examples
    --------
    >>> done = compact("lake/irradiance/plants")    # doctest: +SKIP
    >>> print(done)                                 # doctest: +SKIP
    lake/irradiance/plants_months: 12 files written, 0 kept, 0 removed; 3,504,000 rows, 7.2 MB written
    """
    source = place(days)
    target = place(out) if out is not None else source.with_name(f"{source.name}_months")
    check_places(source, target, MONTHS)
    with claim_folder(target, below=True):
        return _compact(source, target, closed=closed, on_vanished=on_vanished)


def _compact(source: Place, target: Place, *, closed: bool, on_vanished: str) -> Rewrite:
    before = _known(target)
    known_days = {day: stated for known in before.values() for day, stated in known.days.items()}
    found = finished_days(source, known_days)
    check_vanished(set(known_days) - set(found), on_vanished, target)
    wanted = _by_month(found)
    waiting = tuple(m for m in wanted if closed and m not in before and max(found) < _last(m))
    info = read_table_info(source)
    done: dict[str, tuple[int, int]] = {}
    for month in sorted((set(wanted) | set(before)) - set(waiting)):
        known = before.get(month, _Month({}))
        kept = {d: k for d, k in known.days.items() if d not in found} if on_vanished == "keep" else {}
        made_from = {d: (s.fingerprint, s.identity) for d, s in wanted.get(month, {}).items()} | kept
        if not known.is_made_from(made_from, info):
            done[month] = _rewrite(month_file(target, month), month, wanted.get(month, {}), kept, info)
    return _summary(target, done, set(before) | set(wanted), waiting)


@dataclass(frozen=True)
class _Month:
    """What a month file says of itself: the days that it was made from, and what is known of the table."""

    days: dict[date, tuple[str, str]]
    info: bytes = b"{}"

    def is_made_from(self, days: Known, info: dict[str, Any]) -> bool:
        """Whether the file need not be written again for these days."""
        same = {d: k[0] for d, k in self.days.items()} == {d: k[0] for d, k in days.items()}
        return same and bool(self.days) and encode_info(info, json.loads(self.info).get("points", {})) == self.info


def _known(target: Place) -> dict[str, _Month]:
    """Return what the month files say of themselves; of one that cannot be read nothing, so it is written again."""
    files = {month: found[-1] for month, found in find_files(target, MONTHS).items()}
    return dict(zip(files, for_each(_stated, list(files.values())), strict=True))


def _stated(file: Place) -> _Month:
    try:
        metadata = read_footer(file).metadata or {}
        days = json.loads(metadata[MADE_FROM])
        return _Month({date.fromisoformat(d): (str(f), str(i)) for d, (f, i) in days.items()}, metadata[INFO])
    except (DataError, KeyError, ValueError, TypeError):
        return _Month({})


def _by_month(found: Mapping[date, StoredDay]) -> dict[str, dict[date, StoredDay]]:
    return {m: {d: found[d] for d in days} for m, days in groupby(sorted(found), key=lambda d: f"{d:%Y-%m}")}


def _first(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def _last(month: str) -> date:
    return (_first(month) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _rewrite(
    file: Place, month: str, days: Mapping[date, StoredDay], kept: Known, info: dict[str, Any]
) -> tuple[int, int]:
    """Write a month and return its rows and bytes; without days, remove it."""
    if not days and not kept:
        remove_file(file)
        return 0, 0
    made_from = {d: (s.fingerprint, s.identity) for d, s in days.items()} | dict(kept)
    places = {d: s.file for d, s in days.items()} | ({date.max: file} if kept else {})
    with local_files(places) as local, write_atomically(file) as path:
        parts = [Part(local[d], d, days[d].footer) for d in days]
        parts += [Part(local[date.max], keep=frozenset(kept))] if kept else []
        rows = SortedRows(parts, _first(month), _last(month).day)
        counts: dict[str, Array] = {}
        written = write_rows(
            path,
            (group for block in rows.blocks() for group in _groups(block, counts)),
            pa.schema([pa.field("time", pa.timestamp("us")), pa.field("point_id", pa.string()), *rows.schema]),
            lambda: {MADE_FROM: _as_json(made_from), INFO: encode_info(info, counts)},
        )
        _check(path, month, counts)
        return written, path.stat().st_size


def _groups(block: Block, counts: dict[str, Array]) -> Iterator[pa.Table]:
    """Give the rows of ten points after ten, and note how many there are by point and day."""
    counts |= dict(zip(block.ids, block.counts, strict=True))
    numbers = np.repeat(np.arange(len(block.ids), dtype="i4"), np.diff(block.starts))
    ids = pa.DictionaryArray.from_arrays(numbers, pa.array(block.ids, pa.string()))
    for group in group_points(block.rows.add_column(1, "point_id", ids), block.starts, POINTS_A_GROUP):
        yield group.set_column(1, "point_id", group["point_id"].cast(pa.string()))


def _check(path: Path, month: str, expected: dict[str, Array]) -> None:
    """Raise unless the file holds for each point and day as many rows as the days do, in order."""
    found = count_rows(path, _first(month), _last(month).day)
    for point in sorted(set(expected) | set(found)):
        ours, theirs = found.get(point, 0), expected.get(point, 0)
        if np.any(ours != theirs):
            day = _first(month) + timedelta(days=int(np.flatnonzero(np.atleast_1d(ours != theirs))[0]))
            raise DataError(
                f"The month {month} was not written as its days are: the point {point} differs in its rows of {day}. "
                "Run it again; is the disk sound?"
            )


def _as_json(days: Known) -> bytes:
    return json.dumps({str(d): days[d] for d in sorted(days)}, separators=(",", ":")).encode()


def _summary(table: Place, done: dict[str, tuple[int, int]], months: set[str], waiting: tuple[str, ...]) -> Rewrite:
    name = {m: f"{MONTHS}={m}/{DATA}" for m in months}
    return Rewrite(
        table,
        written=tuple(name[m] for m, (_, size) in done.items() if size),
        kept=tuple(name[m] for m in sorted(months - set(done) - set(waiting))),
        removed=tuple(name[m] for m, (_, size) in done.items() if not size),
        waiting=waiting,
        rows=sum(rows for rows, _ in done.values()),
        written_bytes=sum(size for _, size in done.values()),
    )
