"""What is told of the keys that differ: their rows' numbers and sequences, the columns that differ, and both values.

Only these keys come out of SQL, and at most so many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datalake_kit.cdc.compare import Aligned, Comparison, Pair
from datalake_kit.cdc.cuts import shown_sql
from datalake_kit.cdc.relation import Part, Relation

MOST_KEYS = 200_000  # that are listed and explained one by one; all are counted
_LONGEST = 200  # characters of a value that are shown
_SHOWN_AS_STORED = ("list", "struct", "map", "nanoseconds")
_MASK = "***"


@dataclass(frozen=True)
class Difference:
    """One key that is not as it should be, with the numbers and sequences of its rows on both sides."""

    id: int
    key: Any
    kind: str
    expected: tuple[int, ...]
    lake: tuple[int, ...]
    expected_sequences: tuple[str, ...] = ()
    lake_sequences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed:
    """The columns in which the two rows of a key differ, and their values as text."""

    columns: tuple[str, ...]
    before: tuple[str | None, ...]
    after: tuple[str | None, ...]

    def told(self, values: Sequence[str | None]) -> str:
        """The values as one text: alone, or each with its column."""
        shown = ["NULL" if v is None else v for v in values]
        pairs = zip(self.columns, shown, strict=True)
        return shown[0] if len(shown) == 1 else ", ".join(f"{c}={v}" for c, v in pairs)


def differences(comparison: Comparison, *, most: int = MOST_KEYS, without: str = "") -> list[Difference]:
    """The first keys that differ, in the order of the keys; `without` is a table of ids that are left out."""
    left = f"ANTI JOIN {without} USING (id)" if without else ""
    keys = f"SELECT * FROM {comparison.differing} {left} ORDER BY id LIMIT {most}"
    sides = [_rows_by_id(comparison, side, keys) for side in ("wanted", "found")]
    told = []
    for number, *key, kind in comparison.work.rows(keys):
        ours, theirs = (side.get(number, ((), ())) for side in sides)
        told.append(Difference(number, plain_key(key), kind, ours[0], theirs[0], ours[1], theirs[1]))
    return told


def _rows_by_id(comparison: Comparison, side: str, keys: str) -> dict[int, tuple[tuple[int, ...], tuple[str, ...]]]:
    """The numbers and sequences of the rows of each key."""
    found = comparison.work.rows(
        f"SELECT id, list(h ORDER BY seq, h), list(seq ORDER BY seq, h) FROM {comparison.name}_{side} "
        f"SEMI JOIN ({keys}) USING (id) GROUP BY id"
    )
    return {number: (tuple(numbers), tuple(sequences)) for number, numbers, sequences in found}


def plain_key(parts: Sequence[Any]) -> Any:
    """A key as a value, or as a tuple where it has several columns."""
    return parts[0] if len(parts) == 1 else tuple(parts)


def changed_columns(
    comparison: Comparison,
    aligned: Aligned,
    ours: Side,
    theirs: Side,
    mask: Iterable[str] = (),
    *,
    placed: str = "wanted",
    most: int = MOST_KEYS,
) -> dict[int, Changed]:
    """Name the columns in which keys with one row on each side differ, with the values of both.

    `placed` is the side, "wanted" or "found", whose rows know their places in files.
    """
    if not aligned.pairs or not comparison.counts["changed"]:
        return {}
    work, name = comparison.work, comparison.name
    work.run(
        f"CREATE OR REPLACE TABLE {name}_single AS SELECT w.* FROM {name}_{placed} AS w "
        f"SEMI JOIN (SELECT id FROM {comparison.differing} WHERE kind = 'changed' ORDER BY id LIMIT {most}) USING (id)"
    )
    hidden = {m.casefold() for m in mask}
    apart = ", ".join(_apart(i, pair, pair.name.casefold() in hidden) for i, pair in enumerate(aligned.pairs))
    for side, table in ((ours, "ours"), (theirs, "theirs")):  # apart: else a whole side may be held for the join
        work.run(f"CREATE TABLE {name}_{table} AS {side.wide(comparison, aligned, ours=side is ours)}")
    found = work.rows(
        f"SELECT o.id, list_filter([{apart}], lambda x: x IS NOT NULL) "
        f"FROM {name}_ours AS o JOIN {name}_theirs AS t USING (id)"
    )
    return {number: _changed(aligned, members) for number, members in found}


def _apart(at: int, pair: Pair, hidden: bool) -> str:
    column = f"x{at}" if _is_shown_as_stored(pair) else f"c{at}"
    values = [shown_sql(f"{side}.{column}") if pair.is_sequence else f"{side}.{column}" for side in "ot"]
    shown = [f"'{_MASK}'"] * 2 if hidden else [_short(value) for value in values]
    content = f"{{'at': {at}, 'before': {shown[0]}, 'after': {shown[1]}}}"
    return f"CASE WHEN {pair.differs(f'o.c{at}', f't.c{at}')} THEN {content} END"


def _short(value: str) -> str:
    text = f"CAST({value} AS VARCHAR)"
    return f"CASE WHEN length({text}) > {_LONGEST} THEN left({text}, {_LONGEST}) || '...' ELSE {text} END"


def _changed(aligned: Aligned, members: Sequence[Mapping[str, Any]]) -> Changed:
    names = tuple(aligned.pairs[m["at"]].name for m in members)
    return Changed(names, tuple(m["before"] for m in members), tuple(m["after"] for m in members))


@dataclass(frozen=True)
class Side:
    """Where the whole rows of the keys that differ are read from, once more.

    `place` gives the SQL of the file and position of a row, where the row is known by these; else it is found by its
    key.
    """

    relation: Relation
    place: Callable[[Part], tuple[str, str]] | None = None

    def wide(self, comparison: Comparison, aligned: Aligned, *, ours: bool) -> str:
        """The SQL of the compared columns of keys with one row on each side: `id`, `c0`, ..."""
        parts = []
        for part in self.relation.parts:
            columns = ", ".join(_columns(part, aligned, ours))
            parts.append(
                f"SELECT dk_id AS id, {columns} FROM (SELECT s.*, q.id AS dk_id "
                f"FROM (SELECT *, {self._finder(part, aligned, ours)} FROM {part.source}) AS s "
                f"JOIN {comparison.name}_single AS q ON {self._found(comparison)}) AS found"
            )
        return " UNION ALL ".join(parts)

    def _finder(self, part: Part, aligned: Aligned, ours: bool) -> str:
        if self.place is not None:
            file, position = self.place(part)
            return f"CAST({file} AS INTEGER) AS dk_file, CAST({position} AS BIGINT) AS dk_pos"
        keys = (p.ours(part) if ours else p.theirs(part) for p in aligned.keys)
        return ", ".join(f"{key} AS dk_r{i}" for i, key in enumerate(keys))

    def _found(self, comparison: Comparison) -> str:
        if self.place is not None:
            return "s.dk_file = q.file AND s.dk_pos = q.pos"
        return " AND ".join(f"s.dk_r{i} = q.r{i}" for i in range(comparison.keys))  # none is NULL: both sides have it


def _columns(part: Part, aligned: Aligned, ours: bool) -> list[str]:
    found = []
    for i, pair in enumerate(aligned.pairs):
        found.append(f"{pair.ours(part) if ours else pair.theirs(part)} AS c{i}")
        if _is_shown_as_stored(pair):
            stored = part.column(pair.name if ours else pair.other)[0]
            found.append(f"CAST({stored} AS VARCHAR) AS x{i}")
    return found


def _is_shown_as_stored(pair: Pair) -> bool:
    return pair.form.kind in _SHOWN_AS_STORED and not pair.is_sequence
