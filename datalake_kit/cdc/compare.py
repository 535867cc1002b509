"""What a table should hold against what it holds, key by key, in SQL: memory does not follow the rows.

Both sides are brought to common columns and forms first (`align`); what cannot be is told, not left out in silence.
Then each side is one slim table of keys and a number for the row's values, and the two are joined.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from datalake_kit.cdc.canonical import Form, common_form
from datalake_kit.cdc.ordering import repeated_keys, sequence_text
from datalake_kit.cdc.relation import Part, Relation
from datalake_kit.cdc.settings import OPERATION_NAMES, SEQUENCE_NAMES
from datalake_kit.cdc.workspace import Workspace, text_literal
from datalake_kit.errors import DataError, ParameterError, did_you_mean

MISSING, EXTRA, CHANGED, DUPLICATE, UNVERIFIED = "missing", "extra", "changed", "duplicate", "unverified"
KINDS = (MISSING, EXTRA, CHANGED, DUPLICATE)
PIPELINE_COLUMNS = tuple(n.casefold() for n in (*SEQUENCE_NAMES, *OPERATION_NAMES))  # a lake may leave them out

_BROKEN = ("float", "exact float", "decimal")  # numbers that one tolerance for all columns is meant for

BUCKETS = 1 << 16  # of keys, sifted before the join

Tolerance = float | int | Decimal | timedelta
Tolerances = Tolerance | Mapping[str, Tolerance] | None


@dataclass(frozen=True)
class Pair:
    """A column that both sides have: its name on each, the form in which it is compared, and how far values may lie."""

    name: str
    other: str
    form: Form
    is_sequence: bool = False
    tolerance: str = ""
    shown_tolerance: str = ""

    def ours(self, part: Part) -> str:
        """The SQL of the column on the side of what should be."""
        return sequence_text(part, self.name) if self.is_sequence else part.write(self.form, self.name)

    def theirs(self, part: Part) -> str:
        """The SQL of the column on the side of what is."""
        return sequence_text(part, self.other) if self.is_sequence else part.write(self.form, self.other)

    def differs(self, ours: str, theirs: str) -> str:
        """The SQL that says whether two values differ."""
        apart = f"{ours} IS DISTINCT FROM {theirs}"
        if not self.tolerance:
            return apart
        far = f"greatest({ours}, {theirs}) - least({ours}, {theirs}) > {self.tolerance}"
        return f"({apart} AND coalesce({far} OR {ours} IS NULL OR {theirs} IS NULL, true))"


@dataclass(frozen=True)
class Aligned:
    """The columns of two sides that can be compared.

    Attributes
    ----------
    pairs : tuple of Pair
        In the order of the side that says what should be.
    keys : tuple of Pair
        Those that identify a record.
    never_arrived : tuple of str
        Columns that the other side does not have.
    not_comparable : tuple of str
        Columns whose types do not go together, or that a side has in two cases of letters.
    """

    pairs: tuple[Pair, ...]
    keys: tuple[Pair, ...]
    never_arrived: tuple[str, ...]
    not_comparable: tuple[str, ...]

    @property
    def exact(self) -> tuple[Pair, ...]:
        """The columns without a tolerance."""
        return tuple(p for p in self.pairs if not p.tolerance)

    @property
    def near(self) -> tuple[Pair, ...]:
        """The columns with a tolerance."""
        return tuple(p for p in self.pairs if p.tolerance)

    def only(self, names: Iterable[str]) -> Aligned:
        """The same with some of the columns."""
        chosen = set(names)
        return Aligned(tuple(p for p in self.pairs if p.name in chosen), self.keys, (), ())

    def number(self, part: Part, *, ours: bool) -> str:
        """The SQL of a number for the values of the columns without tolerance; the same for the same values."""
        columns = [_hashed(p, p.ours(part) if ours else p.theirs(part)) for p in self.exact]
        return f"hash({', '.join(columns)})" if columns else "CAST(0 AS UBIGINT)"


def _hashed(pair: Pair, value: str) -> str:
    """Numbers of 128 bits as text: DuckDB gives 0 and -1, and others whose two halves are alike, one number."""
    return f"CAST({value} AS VARCHAR)" if pair.form.is_wide and not pair.is_sequence else value


def align(
    ours: Relation,
    theirs: Relation,
    keys: Sequence[str],
    *,
    columns: Iterable[str] | None = None,
    sequence: str | None = None,
    tolerance: Tolerances = None,
    forms: Mapping[str, Form] | None = None,
    where: str = "the lake",
) -> Aligned:
    """Pair the columns of two sides; names are compared without regard to case.

    In the `sequence` column NULL is the same as the empty text: a row of the full load has no sequence. `forms` are
    those of columns that are compared with a third side too; `where` says what the other side is.

    Raises
    ------
    DataError
        The other side lacks a key column, or has it in a type that does not go with ours.
    ParameterError
        A tolerance that names no column, or of a kind that does not go with its column.
    """
    pairs: list[Pair] = []
    absent: list[str] = []
    odd: list[str] = []
    names = list(columns) if columns is not None else list(ours.names)
    for name in names:
        other = theirs.find(name)
        if other is None:
            twins = any(n.casefold() == name.casefold() for n in theirs.names)
            (odd if twins else absent).append(name)
            continue
        form = Form("text") if name == sequence else (forms or {}).get(name)
        form = form or common_form([*ours.kinds(name), *theirs.kinds(other)])
        if form is None or (name in ours.twins and other != name):
            odd.append(name)
        else:
            pairs.append(Pair(name, other, form, name == sequence))
    for key in keys:
        if not any(p.name == key for p in pairs):
            what = f"of another type in {where}" if key in odd else f"missing in {where}"
            if ours.find(key) is None and theirs.find(key) is not None:
                what = f"in {where} alone"
            raise DataError(f"The key column {key} is {what}, so rows cannot be told apart. Name the right keys.")
    near = _with_tolerance(pairs, keys, tolerance)
    return Aligned(
        pairs=tuple(near),
        keys=tuple(next(p for p in near if p.name == key) for key in keys),
        never_arrived=tuple(n for n in absent if n.casefold() not in PIPELINE_COLUMNS),
        not_comparable=tuple(odd),
    )


def _with_tolerance(pairs: Sequence[Pair], keys: Sequence[str], tolerance: Tolerances) -> list[Pair]:
    if tolerance is None:
        return list(pairs)
    if not isinstance(tolerance, Mapping):
        text = _checked(tolerance, "tolerance")
        fits = [p for p in pairs if p.name not in keys and p.form.kind in _BROKEN]
        if isinstance(tolerance, timedelta):
            fits = [p for p in pairs if p.name not in keys and p.form.is_time]
        return [_within(p, text) if p in fits else p for p in pairs]
    known = [p.name for p in pairs]
    for name in tolerance:
        if not isinstance(name, str):
            raise ParameterError(f"tolerance is a mapping whose keys are names of columns, not {name!r}.")
        if name.casefold() in {k.casefold() for k in keys}:
            raise ParameterError(f"tolerance names {name!r}, a key: keys are equal or not. Leave it out.")
        if name.casefold() not in {n.casefold() for n in known}:
            raise ParameterError(f"tolerance names {name!r}, which is not compared. {did_you_mean(name, known)}")
    given = {name.casefold(): value for name, value in tolerance.items()}
    return [_near(p, given[p.name.casefold()]) if p.name.casefold() in given else p for p in pairs]


def _near(pair: Pair, tolerance: Tolerance) -> Pair:
    value = _checked(tolerance, f"tolerance of {pair.name}")
    fits = pair.form.is_time if isinstance(tolerance, timedelta) else pair.form.is_number
    if not fits:
        needed = "a timedelta" if pair.form.is_time else "none: it is neither a number nor a time"
        raise ParameterError(f"The tolerance of {pair.name} is {tolerance!r}; the column takes {needed}.")
    return _within(pair, value)


def _within(pair: Pair, tolerance: Tolerance) -> Pair:
    form = Form("float") if pair.form.kind == "exact float" else pair.form  # a distance needs numbers
    return replace(pair, form=form, tolerance=_literal(pair, tolerance), shown_tolerance=str(tolerance))


def _checked(tolerance: Any, name: str) -> Tolerance:
    if isinstance(tolerance, timedelta) and tolerance >= timedelta(0):
        return tolerance
    if isinstance(tolerance, (int, float, Decimal)) and not isinstance(tolerance, bool) and 0 <= tolerance < math.inf:
        return tolerance
    raise ParameterError(f"{name} is a number or a timedelta of 0 or more, not {tolerance!r}.")


def _literal(pair: Pair, tolerance: Tolerance) -> str:
    if not isinstance(tolerance, timedelta):
        return f"CAST({text_literal(repr(float(tolerance)))} AS DOUBLE)"
    if pair.form.kind == "date":
        return str(tolerance // timedelta(days=1))
    micros = tolerance // timedelta(microseconds=1)
    return str(micros * 1000) if pair.form.kind == "nanoseconds" else f"to_microseconds({micros})"


# --- the join


@dataclass
class Comparison:
    """Two sides of a workspace compared by key: the keys that differ are the table `{name}_differing`.

    Parameters
    ----------
    work : Workspace
    name : str
        A word that keeps the tables of two comparisons apart.
    wanted, found : str
        Tables or views of what should be and what is: both with `r0`, `r1`, ... (the key), `h` (the number of the
        row's values) and `t0`, `t1`, ... (the columns with a tolerance). Keys of `wanted` are never NULL.
    keys : int
        How many columns the key has.
    near : sequence of Pair
        The columns with a tolerance.
    """

    work: Workspace
    name: str
    wanted: str
    found: str
    keys: int
    near: Sequence[Pair] = ()
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.r = ", ".join(f"r{i}" for i in range(self.keys))
        self._sift()
        self._join()
        self._count_kinds()

    @property
    def differing(self) -> str:
        """The table of the keys that differ: `id` in the order of the keys, the key, `kind`."""
        return f"{self.name}_differing"

    def same_key(self, one: str, other: str) -> str:
        """The SQL that says whether two rows have one key; NULL is a key like any other."""
        return " AND ".join(f"{one}.r{i} IS NOT DISTINCT FROM {other}.r{i}" for i in range(self.keys))

    def _sift(self) -> None:
        """Find the buckets of keys in which the sides differ, by counts and sums of numbers; the others are equal."""
        bucket = f"hash({self.r}) & {BUCKETS - 1}"
        sides = (
            f"(SELECT {bucket} AS b, count(*) AS n, sum(hash({self.r}, h)) AS s FROM {side} GROUP BY b)"
            for side in (self.wanted, self.found)
        )
        differs = "true" if self.near else "w.n IS DISTINCT FROM f.n OR w.s IS DISTINCT FROM f.s"
        self.work.run(
            f"CREATE TABLE {self.name}_buckets AS SELECT b, coalesce(w.n, 0) AS wanted, coalesce(f.n, 0) AS found "
            f"FROM {next(sides)} AS w FULL JOIN {next(sides)} AS f USING (b) WHERE {differs}"
        )
        kept = f"SEMI JOIN {self.name}_buckets ON {bucket} = {self.name}_buckets.b"
        self.wanted, self.found = (f"(SELECT * FROM {side} {kept})" for side in (self.wanted, self.found))
        counted = self.work.rows(f"SELECT coalesce(sum(wanted), 0), coalesce(sum(found), 0) FROM {self.name}_buckets")
        self.sifted = (int(counted[0][0]), int(counted[0][1]))

    def _join(self) -> None:
        near = "".join(f", t{i}" for i, _ in enumerate(self.near))
        differs = " OR ".join(["w.h <> f.h", *(p.differs(f"w.t{i}", f"f.t{i}") for i, p in enumerate(self.near))])
        key = ", ".join(f"coalesce(w.r{i}, f.r{i}) AS r{i}" for i in range(self.keys))
        joined = " AND ".join(f"w.r{i} = f.r{i}" for i in range(self.keys))
        self.work.run(
            f"CREATE TABLE {self.name}_mismatched AS "
            f"SELECT {key}, w.h IS NOT NULL AS wanted, f.h IS NOT NULL AS found "
            f"FROM (SELECT {self.r}, h{near} FROM {self.wanted}) AS w "
            f"FULL JOIN (SELECT {self.r}, h{near} FROM {self.found}) AS f ON {joined} "
            f"WHERE w.h IS NULL OR f.h IS NULL OR {differs}"
        )
        alone = f"SELECT count(*) FILTER (NOT found), count(*) FILTER (NOT wanted) FROM {self.name}_mismatched"
        wanted_alone, found_alone = self.work.rows(alone)[0]
        if self.sifted[0] - wanted_alone != self.sifted[1] - found_alone:
            repeated_keys(self.work, self.found, self.r, f"{self.name}_repeated", self.sifted[1])
            self.work.run(f"INSERT INTO {self.name}_mismatched SELECT {self.r}, true, true FROM {self.name}_repeated")

    def _count_kinds(self) -> None:
        self.work.run(
            f"CREATE TABLE {self.name}_keys AS SELECT row_number() OVER (ORDER BY {self.r}) AS id, {self.r} "
            f"FROM (SELECT DISTINCT {self.r} FROM {self.name}_mismatched)"
        )
        for side, source in (("wanted", self.wanted), ("found", self.found)):
            self.work.run(
                f"CREATE TABLE {self.name}_{side} AS SELECT d.id, s.* FROM {source} AS s "
                f"JOIN {self.name}_keys AS d ON {self.same_key('s', 'd')}"
            )
        self.work.run(_KINDS.format(name=self.name))
        counted = self.work.rows(f"SELECT kind, count(*) FROM {self.differing} GROUP BY kind")
        self.counts = Counter({str(kind): int(count) for kind, count in counted})


_KINDS = """
CREATE TABLE {name}_differing AS
SELECT k.*, CASE WHEN coalesce(f.n, 0) = 0 THEN 'missing' WHEN f.n > 1 THEN 'duplicate'
  WHEN w.n IS NULL THEN 'extra' ELSE 'changed' END AS kind
FROM {name}_keys AS k
LEFT JOIN (SELECT id, count(*) AS n FROM {name}_wanted GROUP BY id) AS w USING (id)
LEFT JOIN (SELECT id, count(*) AS n FROM {name}_found GROUP BY id) AS f USING (id)
"""
