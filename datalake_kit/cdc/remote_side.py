"""A table on Athena held against the staged files without fetching it: digests tell which keys differ.

Athena and DuckDB compute the digests of key ranges, and only the rows of keys whose digests differ are fetched. The
rows of all other keys are known by then: they are those expected. Where digests cannot say everything (a tolerance, a
column whose types have no common canonical text, a key that is NULL), all rows are fetched instead, and the check says
so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datalake_kit.cdc.compare import Aligned, Pair
from datalake_kit.cdc.digest import AthenaSide, DuckDBSide
from datalake_kit.cdc.digest.families import Family
from datalake_kit.cdc.digest.pair import compare_sides, match_columns
from datalake_kit.cdc.digest.ranges import Key, Range
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.relation import Part, Relation, of_files
from datalake_kit.errors import DataError
from datalake_kit.sql import quote_identifier

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide

WANTED, APART = "digest_wanted", "digest_apart"
KEYS_A_STATEMENT = 500  # a statement of Athena has at most 262,144 bytes
_TEXT = "VARCHAR"


@dataclass
class RemoteRows:
    """What was fetched of a table.

    Attributes
    ----------
    lake : Relation
        The rows fetched.
    is_whole : bool
        All rows were fetched. Otherwise `digest_apart` holds `file`, `pos` of the rows expected whose keys differ.
    told : list of str
        What was done, for the report.
    """

    lake: Relation
    is_whole: bool = False
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    """Keys that differ, as the ranges of the digest name them."""

    keys: tuple[Key, ...]
    wanted_keys: tuple[Key, ...]
    bounds: tuple[tuple[int | str, ...], ...]
    ranges: tuple[Range, ...]


def fetch_differing(side: LakeSide, ordering: Ordering, aligned: Aligned) -> RemoteRows:
    """Fetch the rows of a table on Athena that may differ from what is expected.

    Parameters
    ----------
    side : LakeSide
        A table that is asked in SQL.
    ordering : Ordering
        The staged files, put in order.
    aligned : Aligned
        The columns that are compared.
    """
    reason = "" if not aligned.near else "a tolerance asks for the values themselves"
    found: _Found | None = None
    if not reason:
        _show_wanted(side, ordering, aligned)
        found, reason = _differing(side, ordering, aligned)
    if found is None:
        rows = RemoteRows(side.relation(ordering.work), is_whole=True)
        rows.told.append(f"all rows were fetched from Athena: {reason}")
        return rows
    _note_apart(ordering, found)
    work = ordering.work
    schema, batches = _rows(side, found)
    rows = RemoteRows(of_files(work, [work.spool(schema, batches, "differing")]))
    fetched = int(work.value(f"SELECT count(*) FROM ({rows.lake.select(lambda part: '1')})"))
    rows.told.append(f"compared by digests that Athena computed; rows fetched because their digests differ: {fetched}")
    return rows


def empty_relation(side: LakeSide, work: Any) -> Relation:
    """The table's columns and types without its rows."""
    reader = side.lake.batches(f"SELECT * FROM {_quoted(side)} WHERE FALSE")
    return of_files(work, [work.spool(reader.schema, reader, "columns")])


def _quoted(side: LakeSide) -> str:
    from datalake_kit.cdc.lake_side import quoted

    return quoted(side.name)


# --- what is expected, with the columns that are compared


def _show_wanted(side: LakeSide, ordering: Ordering, aligned: Aligned) -> None:
    """Make `digest_wanted`: file, pos, and every column compared, by the name that the files give it."""
    empty_texts = _has_empty_sequence(side, aligned)
    parts = []
    for part in ordering.relation.parts:
        file, position, _ = ordering.staged.origin(part)
        columns = ", ".join(
            f"{_value(part, pair, ordering.relation, empty_texts)} AS {quote_identifier(pair.name)}"
            for pair in aligned.pairs
        )
        parts.append(
            f"SELECT CAST({file} AS INTEGER) AS _file, CAST({position} AS BIGINT) AS _pos, {columns} FROM {part.source}"
        )
    expected = f"(SELECT file AS _file, pos AS _pos FROM {ordering.expected})"
    ordering.work.run(
        f"CREATE TABLE {WANTED} AS SELECT * FROM ({' UNION ALL '.join(parts)}) SEMI JOIN {expected} USING (_file, _pos)"
    )


def _value(part: Part, pair: Pair, relation: Relation, empty_texts: bool) -> str:
    sql, kind = part.column(pair.name)
    same = len({str(k) for k in relation.kinds(pair.name)}) == 1
    if pair.is_sequence and str(kind) in (_TEXT, "null"):
        return f"coalesce({sql}, '')" if empty_texts else f"nullif({sql}, '')"
    return sql if same else pair.ours(part)


def _has_empty_sequence(side: LakeSide, aligned: Aligned) -> bool:
    """A row of the full load has no sequence: the lake holds that as NULL, or as the empty text."""
    sequence = next((p for p in aligned.pairs if p.is_sequence), None)
    if sequence is None or not _is_text(side, sequence.other):
        return False
    counted = f"SELECT count(*) AS n FROM {_quoted(side)} WHERE {quote_identifier(sequence.other)} = ''"
    return bool(side.lake.arrow(counted).column(0)[0].as_py())


def _is_text(side: LakeSide, name: str) -> bool:
    kinds = {c.name: c.type for c in side.lake.table(side.name).columns}
    return kinds.get(name, "").startswith(("string", "varchar", "char"))


# --- which keys differ


def _differing(side: LakeSide, ordering: Ordering, aligned: Aligned) -> tuple[_Found | None, str]:
    """The keys whose digests differ; or None with the reason why digests cannot say."""
    here = DuckDBSide(ordering.work.connection, WANTED, "the rows expected")
    there = AthenaSide(side.lake, side.name)
    columns = {pair.other: pair.name for pair in aligned.pairs}
    keys = [pair.name for pair in aligned.keys]
    try:
        mine, matched, refused = match_columns(here.types, there.types, keys, columns)
        if refused:
            name, why = next(iter(refused.items()))
            return None, f"the column {name} has no common digest ({why})"
        found = compare_sides(here, there, keys, columns=columns, unique=True, most_keys_with_columns=0)
    except DataError as problem:
        return None, str(problem)
    if found.keys.null_keys_differ or found.keys.null_keys != (0, 0):
        return None, "rows have NULL as key"
    by_name = {m.source: m for m in matched}
    ours, theirs = [], []
    for name in mine:
        one = by_name[name]
        family = one.agreement.family
        if family is None:
            raise AssertionError("a key that cannot be compared was refused before")
        number = _is_number(one.source_type.kind, one.other_type.kind, family)
        ours.append(Key(one.source, one.source_type, family, number))
        theirs.append(Key(one.other, one.other_type, family, number))
    bounds = tuple(found.keys.raw_keys.values())
    return _Found(tuple(theirs), tuple(ours), bounds, tuple(r.range for r in found.keys.unresolved)), ""


def _is_number(one: str, other: str, family: Family) -> bool:
    return {one, other} <= {"int", "dec"} and family.name == "int"


# --- their rows, on both sides


def _note_apart(ordering: Ordering, found: _Found) -> None:
    """Make `digest_apart`: which of the rows expected have such a key."""
    dialect = DuckDBSide(ordering.work.connection, WANTED).dialect
    ordering.work.run(f"CREATE TABLE {APART} (file INTEGER, pos BIGINT)")
    for condition in _conditions(dialect, found.wanted_keys, found):
        ordering.work.run(f"INSERT INTO {APART} SELECT _file, _pos FROM {WANTED} WHERE {condition}")


def _conditions(dialect: Any, keys: Sequence[Key], found: _Found) -> Iterator[str]:
    names = [dialect.key(key) for key in keys]
    for chunk in _chunks(found.bounds):
        each = []
        for bound in chunk:
            pairs = zip(names, keys, bound, strict=True)
            each.append(" AND ".join(f"{name}={dialect.bound(key, value)}" for name, key, value in pairs))
        yield "(" + ") OR (".join(each) + ")"
    for range_ in found.ranges:
        yield dialect.within(keys, [range_]) or "TRUE"


def _chunks(bounds: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(bounds), KEYS_A_STATEMENT):
        yield bounds[first : first + KEYS_A_STATEMENT]


def _rows(side: LakeSide, found: _Found) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    there = AthenaSide(side.lake, side.name)
    head = f"SELECT * FROM {_quoted(side)} WHERE "
    schema = side.lake.batches(f"{head}FALSE").schema

    def batches() -> Iterator[pa.RecordBatch]:
        for condition in _conditions(there.dialect, found.keys, found):
            yield from side.lake.batches(f"{head}{condition}")

    return schema, batches()


def filled_columns(side: LakeSide, names: Sequence[str]) -> list[int]:
    """Count the values of columns in the whole table, in the lake's SQL."""
    counted = ", ".join(f"count({quote_identifier(n)}) AS c{i}" for i, n in enumerate(names))
    row = side.lake.arrow(f"SELECT {counted} FROM {_quoted(side)}")
    return [int(row.column(i)[0].as_py()) for i, _ in enumerate(names)]


__all__ = ["APART", "RemoteRows", "empty_relation", "fetch_differing", "filled_columns"]
