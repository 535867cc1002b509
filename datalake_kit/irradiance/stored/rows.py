"""Rows of many sorted files, merged for one block of points after another, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError, UnreadableFileError

__all__ = ["THREADS", "Block", "Part", "SortedRows", "day_number"]

Array = np.ndarray[Any, Any]

THREADS = 2
DAY = 86_400_000_000  # microseconds
LEAST_ROWS, MOST_ROWS, BLOCKS = 1_200_000, 5_000_000, 8
_TIME = pa.timestamp("us")


def day_number(day: date) -> int:
    """Return the days since 1970.

    >>> day_number(date(1970, 1, 2))
    1
    """
    return day.toordinal() - date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Part:
    """A file sorted by point and time.

    With `day`, every row must be of that day; with `keep`, only the rows of those days count.
    """

    file: Path
    day: date | None = None
    footer: pq.FileMetaData | None = None  # where it was read before
    keep: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Block:
    """The rows of some points: those of `ids[n]` are `rows[starts[n]:starts[n + 1]]`, sorted by time.

    `counts[n, d]` are the rows that the files hold of that point on the d-th day of the period, counted before merging.
    """

    ids: list[str]
    starts: Array
    rows: pa.Table
    counts: Array

    def __iter__(self) -> Iterator[tuple[str, pa.Table, Array]]:
        for n, name in enumerate(self.ids):
            yield name, self.rows.slice(self.starts[n], self.starts[n + 1] - self.starts[n]), self.counts[n]


@dataclass(frozen=True)
class _Open:
    """A file with its footer: the rows and the least and greatest id of each row group."""

    part: Part
    footer: pq.FileMetaData
    schema: pa.Schema
    groups: tuple[tuple[int, str | None, str | None], ...]

    def groups_between(self, after: str | None, upto: str | None) -> tuple[list[int], bool]:
        """Return the row groups that hold points greater than one and up to another, and whether they hold others."""
        found = [
            (number, (after is None or _less(after, least)) and (upto is None or _less(greatest, upto, equal=True)))
            for number, (_, least, greatest) in enumerate(self.groups)
            if (after is None or greatest is None or greatest > after)
            and (upto is None or least is None or least <= upto)
        ]
        return [number for number, _ in found], not all(inside for _, inside in found)


@dataclass
class SortedRows:
    """Rows of parts within a period of days, by blocks of points.

    Raises
    ------
    UnreadableFileError
        A file cannot be read.
    DataError
        A row of a wrong day, without point or time; a point twice at a time; columns that do not go together.
    """

    parts: Sequence[Part]
    first: date
    days: int
    opened: list[_Open] = field(init=False)
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        self.opened = _mapped(_open, self.parts)
        self.schema = _schema(self.opened)

    def blocks(self) -> Iterator[Block]:
        """Give the points in order of their ids, block by block."""
        bounds: list[str | None] = [None, *_cuts(self.opened), None]
        for after, upto in pairwise(bounds):
            yield self._block(after, upto)

    def _block(self, after: str | None, upto: str | None) -> Block:
        read = partial(_read, after=after, upto=upto, schema=self.schema)
        pieces = [p for p in _mapped(read, self.opened) if p.num_rows]
        ids = sorted(set().union(*(p.ids for p in pieces)))
        runs = _runs(pieces, ids)
        counts = self._counts(pieces, runs)
        starts = np.concatenate([[0], np.cumsum(runs.sum(axis=1))])
        order, times = _sorted(pieces, runs, ids)
        columns = {"time": pa.array(times).view(_TIME)}
        for number, named in enumerate(self.schema):
            column = pa.chunked_array([p.columns[number] for p in pieces], named.type).combine_chunks()
            for piece in pieces:
                piece.columns[number] = None  # a column lies in memory twice at most
            columns[named.name] = column.take(order)
            del column
            pa.default_memory_pool().release_unused()  # it keeps what is freed, as much again as is in use
        return Block(ids, starts, pa.table(columns), counts)

    def _counts(self, pieces: list[_Piece], runs: Array) -> Array:
        """Return the rows by point and day, as the pieces have them."""
        counted = np.zeros((len(runs), self.days), "i8")
        for number, piece in enumerate(pieces):
            if int(piece.time.min()) // DAY == int(piece.time.max()) // DAY:
                day = np.array([piece.time[0] // DAY - day_number(self.first)])
            else:
                day = piece.time // DAY - day_number(self.first)
            if (day < 0).any() or (day >= self.days).any():
                raise DataError(f"{piece.file} holds rows of other days than its name says. Extract it again.")
            if len(day) == 1:
                counted[:, day[0]] += runs[:, number]
            else:
                points = np.repeat(np.arange(len(runs)), runs[:, number])
                np.add.at(counted, (points, day), 1)
        return counted


@dataclass
class _Piece:
    """The rows of one file for a block, sorted by point: ids in order, how many rows each has; times, columns."""

    file: Path
    ids: list[str]
    runs: Array
    time: Array  # microseconds
    columns: list[Any]

    @property
    def num_rows(self) -> int:
        return len(self.time)

    def only(self, wanted: Array) -> _Piece:
        """Return the rows that are wanted, with the ids that they have."""
        runs = np.bincount(np.repeat(np.arange(len(self.ids)), self.runs)[wanted], minlength=len(self.ids))
        ids = [name for name, rows in zip(self.ids, runs, strict=True) if rows]
        columns = [c.filter(pa.array(wanted)) for c in self.columns]
        return _Piece(self.file, ids, runs[runs > 0], self.time[wanted], columns)


def _less(one: str | None, other: str | None, *, equal: bool = False) -> bool:
    """Whether an id is known to be less than another, or equal."""
    return one is not None and other is not None and (one < other or (equal and one == other))


def _open(part: Part) -> _Open:
    try:
        footer = part.footer or pq.read_metadata(part.file)
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(part.file, problem) from problem
    if not {"time", "point_id"} <= set(schema.names):
        raise DataError(f"{part.file} is no file of points: it has no time or no point_id. Extract it again.")
    place = schema.get_field_index("point_id")
    return _Open(part, footer, schema, tuple(_range(footer.row_group(n), place) for n in range(footer.num_row_groups)))


def _range(group: Any, place: int) -> tuple[int, str | None, str | None]:
    stated = group.column(place).statistics
    known = stated is not None and stated.has_min_max
    return group.num_rows, stated.min if known else None, stated.max if known else None


def _schema(opened: list[_Open]) -> pa.Schema:
    """Return the columns of all files that have rows, time and point left out."""
    with_rows = [o for o in opened if o.footer.num_rows] or opened
    try:
        merged = pa.unify_schemas([o.schema.remove_metadata() for o in with_rows], promote_options="permissive")
    except pa.ArrowException as problem:
        named = ", ".join(str(o.part.file) for o in with_rows[:2])
        raise DataError(f"The columns of the days do not go together ({problem}): {named} ... Extract again.") from None
    return pa.schema([f for f in merged if f.name not in ("time", "point_id")])


def _cuts(opened: list[_Open]) -> list[str]:
    """Return the ids at which blocks end, so that each holds about as many rows."""
    ends: dict[str, int] = {}
    for rows, _, greatest in (group for one in opened for group in one.groups if group[0]):
        if greatest is None:
            return []
        ends[greatest] = ends.get(greatest, 0) + rows
    ids = sorted(ends)
    total, rows_in_all = np.cumsum([ends[i] for i in ids]), sum(ends.values())
    count = -(-rows_in_all // min(max(LEAST_ROWS, -(-rows_in_all // BLOCKS)), MOST_ROWS))
    nearest = {int(np.abs(total - rows_in_all * n / count).argmin()) for n in range(1, count)}
    return [ids[n] for n in sorted(nearest - {len(ids) - 1})]


def _read(opened: _Open, *, after: str | None, upto: str | None, schema: pa.Schema) -> _Piece:
    groups, more = opened.groups_between(after, upto)
    table = _row_groups(opened, groups, schema)
    piece = _piece(opened.part.file, table, schema)
    _check_day(opened.part, piece.time)
    if more:
        between = [(after is None or i > after) and (upto is None or i <= upto) for i in piece.ids]
        piece = piece.only(np.repeat(np.array(between, bool), piece.runs))
    if opened.part.keep:
        piece = piece.only(np.isin(piece.time // DAY, [day_number(d) for d in opened.part.keep]))
    return piece


def _piece(file: Path, table: pa.Table, schema: pa.Schema) -> _Piece:
    ids, places = _ids(file, table)
    time, columns = _time(file, table), [_column(table, n) for n in schema]
    if (np.diff(places) < 0).any():
        order = np.argsort(places, kind="stable")
        time, columns = time[order], [c.take(pa.array(order)) for c in columns]
    return _Piece(file, ids, np.bincount(places, minlength=len(ids)), time, columns)


def _row_groups(opened: _Open, groups: list[int], schema: pa.Schema) -> pa.Table:
    names = [n for n in opened.schema.names if n in ("time", "point_id") or n in schema.names]
    try:
        source = pa.OSFile(str(opened.part.file))
        with pq.ParquetFile(source, metadata=opened.footer, read_dictionary=["point_id"]) as file:
            return file.read_row_groups(groups, columns=names, use_threads=False)
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(opened.part.file, problem) from problem


def _ids(file: Path, table: pa.Table) -> tuple[list[str], Array]:
    """Return the ids in order, and for each row the number of its own."""
    column = table["point_id"]
    if column.null_count:
        raise DataError(f"{file} holds rows without a point. Extract it again.")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    joined = column.combine_chunks()
    named, places = joined.dictionary.to_pylist(), joined.indices.to_numpy(zero_copy_only=False)
    ids = sorted(named)
    if ids == named:
        return ids, places
    rank = np.empty(len(ids), "i4")
    rank[sorted(range(len(ids)), key=named.__getitem__)] = np.arange(len(ids))
    return ids, rank[places]


def _time(file: Path, table: pa.Table) -> Array:
    column = table["time"]
    if column.null_count:
        raise DataError(f"{file} holds rows without a time. Extract it again.")
    values: Array = column.cast(_TIME).cast(pa.int64()).to_numpy()
    return values


def _check_day(part: Part, time: Array) -> None:
    if part.day is not None and len(time) and {time.min() // DAY, time.max() // DAY} != {day_number(part.day)}:
        raise DataError(f"{part.file} holds rows of another day than {part.day}. Extract the day again.")


def _column(table: pa.Table, named: pa.Field) -> Any:
    if named.name not in table.column_names:
        return pa.nulls(table.num_rows, named.type)
    column = table[named.name].combine_chunks()  # what a reader decodes into is larger than its rows
    return column if column.type == named.type else column.cast(named.type)


def _runs(pieces: list[_Piece], ids: list[str]) -> Array:
    """Return how many rows each point (row) has in each piece (column)."""
    number = {name: n for n, name in enumerate(ids)}
    runs = np.zeros((len(ids), len(pieces)), "i8")
    for column, piece in enumerate(pieces):
        runs[[number[i] for i in piece.ids], column] = piece.runs
    return runs


def _sorted(pieces: list[_Piece], runs: Array, ids: list[str]) -> tuple[pa.Array, Array]:
    """Return the order of the rows by point and time, and the times in that order.

    The runs of a point, one piece after another, are that order already when the pieces are days in order.
    """
    order, ends = _by_point(runs), np.cumsum(runs.sum(axis=1))
    times = (np.concatenate([p.time for p in pieces]) if pieces else np.array([], "i8"))[order]
    for piece in pieces:
        del piece.time
    later = _later(times, ends)
    if (later < 0).any():
        moved = np.lexsort((times, np.repeat(np.arange(len(ids)), runs.sum(axis=1))))
        order, times = order[moved], times[moved]
        later = _later(times, ends)
    twice = later == 0
    if twice.any():
        row = int(twice.argmax())
        when = np.datetime64(int(times[row]), "us")
        point = ids[int(np.searchsorted(ends, row, side="right"))]
        raise DataError(f"The point {point} is held twice at {when}: extract that day again.")
    return pa.array(order), times


def _by_point(runs: Array) -> Array:
    """Return the numbers of all rows, which lie piece after piece, in order of points and then pieces."""
    inside = np.cumsum(runs, axis=0) - runs
    before = np.concatenate([[0], np.cumsum(runs.sum(axis=0))[:-1]])
    lengths = runs.ravel()
    moved = (inside + before).ravel() - (np.cumsum(lengths) - lengths)
    return np.repeat(moved.astype("i4"), lengths) + np.arange(lengths.sum(), dtype="i4")


def _later(times: Array, ends: Array) -> Array:
    """Return the time from each row to the next of the same point; 1 to the next point."""
    later = np.diff(times)
    later[ends[:-1] - 1] = 1
    return later


def _mapped(act: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    if len(items) < 8:
        return [act(i) for i in items]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(act, items))


def _unreadable(file: Path, problem: Exception) -> UnreadableFileError:
    return UnreadableFileError(f"The file of points cannot be read ({problem}): {file}. Extract the day again.")
