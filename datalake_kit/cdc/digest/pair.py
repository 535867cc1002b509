"""A source and another side, compared: columns matched, rules stated, keys found, differing columns named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from datalake_kit.cdc.digest.dialect import Field
from datalake_kit.cdc.digest.families import Agreement, Family, SqlType, agree, rule_of, value_of
from datalake_kit.cdc.digest.localise import Layout, Localised, localise, shown_key
from datalake_kit.cdc.digest.ranges import Bound, Key
from datalake_kit.cdc.digest.side import Counted, DigestSide, Traffic, both, is_local
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean

KEYS_WITH_COLUMNS = 100
KEYS_A_STATEMENT = 100
REPEATED_SHOWN = 20


class TypedSide(DigestSide, Protocol):
    """A side that knows the types of its columns."""

    @property
    def types(self) -> Mapping[str, SqlType]: ...


@dataclass(frozen=True)
class Matched:
    """One column on both sides, and how it is compared."""

    source: str
    other: str
    source_type: SqlType
    other_type: SqlType
    agreement: Agreement


@dataclass(frozen=True)
class ColumnDifference:
    """One column of one key that differs: what the source has, and what the other side has instead."""

    key: Any
    column: str
    before: Any
    after: Any


@dataclass
class PairDifferences:
    """What two sides have apart.

    Attributes
    ----------
    keys : Localised
        Counts, and the keys that are missing, extra, changed or there several times.
    columns : list of ColumnDifference
        For at most `keys_with_columns` changed keys: each column that differs, named as the source names it.
    keys_with_columns : int
        Changed keys whose columns were compared.
    compared : dict
        Columns of the source and the canonical text they were compared by.
    not_compared : dict
        Columns of the source that were not compared, and why. They are never "equal".
    rules : list of str
        When values count as the same, in sentences for the report.
    repeated : list
        Keys that the source itself holds several times (the first twenty): then its key does not identify a row.
    lag : list
        Missing and changed keys that the source has changed after `until`: not damage, only not yet there.
    oldest_lag : object
        The least value of that column among them; None without any.
    traffic : Traffic
        Statements and bytes of both sides together.
    bytes_moved : int
        Bytes sent to and received from another machine or process: without a side in this process's DuckDB.
    """

    keys: Localised
    columns: list[ColumnDifference]
    keys_with_columns: int
    compared: dict[str, str]
    not_compared: dict[str, str]
    rules: list[str]
    repeated: list[tuple[Any, int]] = field(default_factory=list)
    lag: list[Any] = field(default_factory=list)
    oldest_lag: Any = None
    traffic: Traffic = field(default_factory=Traffic)
    bytes_moved: int = 0

    @property
    def equal(self) -> bool:
        """Whether every compared column of every row is the same; columns not compared are not counted."""
        return self.keys.equal


def compare_sides(
    source: TypedSide,
    other: TypedSide,
    keys: Sequence[str],
    *,
    columns: Iterable[str] | Mapping[str, str] | None = None,
    until: tuple[str, Any] | None = None,
    unique: bool = False,
    most_keys_with_columns: int = KEYS_WITH_COLUMNS,
    **limits: Any,
) -> PairDifferences:
    """Compare two sides by digests.

    Parameters
    ----------
    source, other : TypedSide
    keys : list of str
        The columns that identify a row, named as on either side.
    columns : list of str, or mapping of the other side's names to the source's, optional
        The columns to compare; without it all that both have, matched without regard to case.
    until : tuple of column and value, optional
        A column of the source that says when a row changed, compared or not: keys that the source changed after the
        value are lag. Instead of the value a function can say whether one is later.
    unique : bool
        Whether the source guarantees that the keys identify a row; without it that is checked.
    **limits
        As in `localise`.

    Raises
    ------
    ColumnNotFoundError
        A key or a column that a side does not have.
    DataError
        The keys' types do not go together; or as in `localise`.
    """
    pair = _Pair(Counted(source), Counted(other), *match_columns(source.types, other.types, keys, columns))
    repeated = [] if unique else pair.repeated()
    found = pair.localise(limits)
    told, compared_keys = pair.column_differences(found, most_keys_with_columns)
    lag = pair.lag(found, until, source.types) if until else {}
    ours, theirs = found.source_traffic + pair.source.traffic, found.other_traffic + pair.other.traffic
    return PairDifferences(
        keys=found,
        columns=told,
        keys_with_columns=compared_keys,
        compared={m.source: str(pair.family(m)) for m in pair.matched},
        not_compared=pair.refused,
        rules=pair.rules(),
        repeated=repeated,
        lag=list(lag),
        oldest_lag=min(lag.values(), default=None),
        traffic=ours + theirs,
        bytes_moved=sum(t.bytes_moved for t, s in ((ours, source), (theirs, other)) if not is_local(s)),
    )


# --- which columns


def match_columns(
    source: Mapping[str, SqlType],
    other: Mapping[str, SqlType],
    keys: Sequence[str],
    columns: Iterable[str] | Mapping[str, str] | None = None,
) -> tuple[list[str], list[Matched], dict[str, str]]:
    """Match the columns of both sides.

    Returns
    -------
    tuple
        The key columns as the source names them; the columns that are compared; the others, with the reason.
    """
    if not keys:
        raise ParameterError("No key columns. Give keys=, the columns that identify a row of the source.")
    if isinstance(columns, str):
        raise ParameterError(f"columns is a list of names, such as [{columns!r}].")
    names = dict(columns) if isinstance(columns, Mapping) else {c: c for c in columns} if columns is not None else None
    wanted = _wanted(source, other, keys, names)
    matched: list[Matched] = []
    refused = {n: "the other side has no such column" for n in source if n not in wanted} if names is None else {}
    for ours, theirs in wanted.items():
        agreement = agree(source[ours], other[theirs])
        if agreement.family is None:
            refused[ours] = agreement.reason
        else:
            matched.append(Matched(ours, theirs, source[ours], other[theirs], agreement))
    mine = [find_name(k, source, "the source") for k in keys]
    for key in mine:
        if key in refused:
            raise DataError(f"The key column {key} cannot be compared: {refused[key]}. Name other keys.")
    return mine, matched, refused


def _wanted(
    source: Mapping[str, SqlType], other: Mapping[str, SqlType], keys: Sequence[str], names: dict[str, str] | None
) -> dict[str, str]:
    """The source's names of the columns to compare, and the other side's."""
    if names is None:
        pairs = {n: find_name(n, other) for n in source}
        return {ours: theirs for ours, theirs in pairs.items() if theirs and find_name(theirs, source) == ours}
    pairs = {find_name(o, source, "the source"): find_name(t, other, "the other side") for t, o in names.items()}
    for key in keys:
        ours = find_name(key, source, "the source")
        pairs.setdefault(ours, find_name(ours, other, "the other side"))
    return pairs


def find_name(name: str, names: Iterable[str], where: str = "") -> str:
    """Find a column: by its exact name, else without regard to case where only one fits.

    Without `where` a name that is not there gives '', else an error that names the nearest.
    """
    known = list(names)
    if name in known:
        return name
    near = [n for n in known if n.casefold() == name.casefold()]
    if len(near) == 1:
        return near[0]
    if not where:
        return ""
    if near:
        raise ColumnNotFoundError(f"{where} has {' and '.join(near)}, and none is written {name}. Write it as it is.")
    raise ColumnNotFoundError(f"{where} has no column {name!r}. {did_you_mean(name, known)}")


# --- the comparison


@dataclass
class _Pair:
    source: Counted
    other: Counted
    keys: list[str]
    matched: list[Matched]
    refused: dict[str, str]
    rounded: bool = False

    def family(self, column: Matched) -> Family:
        """The canonical text that counts in the end."""
        alternative = column.agreement.alternative if self.rounded else None
        found = alternative or column.agreement.family
        assert found is not None
        return found

    def layouts(self) -> tuple[Layout, Layout]:
        by_name = {m.source: m for m in self.matched}
        ours, theirs = [], []
        for name in self.keys:
            m = by_name[name]
            number = {m.source_type.kind, m.other_type.kind} <= {"int", "dec"} and self.family(m).name == "int"
            ours.append(Key(m.source, m.source_type, self.family(m), number))
            theirs.append(Key(m.other, m.other_type, self.family(m), number))
        return (
            Layout(tuple(ours), tuple(Field(m.source, m.source_type, self.family(m)) for m in self.matched)),
            Layout(tuple(theirs), tuple(Field(m.other, m.other_type, self.family(m)) for m in self.matched)),
        )

    def repeated(self) -> list[tuple[Any, int]]:
        """Keys that the source has several times."""
        keys = self.layouts()[0].keys
        rows = self.source.run(self.source.dialect.repeated(self.source.relation, keys, REPEATED_SHOWN))
        return [(shown_key(keys, _bound(keys, raw)), int(count)) for *raw, count in rows]

    def localise(self, limits: Mapping[str, int]) -> Localised:
        """Find the keys; where times may have been rounded instead of cut, try that too and keep what fits better."""
        if not any(m.agreement.alternative for m in self.matched):
            return self._once(limits)
        cut = self._once({**limits, "most_ranges": 0, "most_rows": 0})
        if cut.equal:
            return cut
        rounded = self._rounded(limits)
        self.rounded = rounded is not None and (rounded.equal or len(rounded.unresolved) < len(cut.unresolved))
        if rounded is not None and rounded.equal:
            return _with(rounded, cut.source_traffic, cut.other_traffic)
        found = self._once(limits)
        for tried in (cut, *([rounded] if rounded else [])):
            _with(found, tried.source_traffic, tried.other_traffic)
        return found

    def _rounded(self, limits: Mapping[str, int]) -> Localised | None:
        """The first level with times rounded; None where a time rounds past what its engine can hold."""
        self.rounded = True
        try:
            return self._once({**limits, "most_ranges": 0, "most_rows": 0})
        except DataError:
            return None

    def _once(self, limits: Mapping[str, int]) -> Localised:
        return localise(self.source.side, self.other.side, self.layouts(), **limits)

    def rules(self) -> list[str]:
        """The rules used, in sentences, each with its columns."""
        columns: dict[str, list[str]] = {}
        for m in self.matched:
            family = self.family(m)
            rule = rule_of(family) if family != m.agreement.family else m.agreement.rule
            digits = f" ({family.digits} digits of the second)" if family.name in ("ts", "time") else ""
            columns.setdefault(rule + digits, []).append(m.source)
        return [f"{rule}: {', '.join(names)}" for rule, names in columns.items()]

    def column_differences(self, found: Localised, most: int) -> tuple[list[ColumnDifference], int]:
        """Fetch the rows of changed keys from both sides and name the columns that differ."""
        wanted = [found.raw_keys[k] for k in found.changed[:most]]
        told: list[ColumnDifference] = []
        for first in range(0, len(wanted), KEYS_A_STATEMENT):
            part = wanted[first : first + KEYS_A_STATEMENT]
            ours, theirs = both(partial(self._fields, 0, part), partial(self._fields, 1, part))
            for key in part:
                told += self._row_differences(key, ours.get(key, ()), theirs.get(key, ()))
        return told, len(wanted)

    def _fields(self, which: int, wanted: Sequence[Bound]) -> dict[Bound, list[str | None]]:
        side, layout = (self.source, self.other)[which], self.layouts()[which]
        rows = side.run(side.dialect.chosen(side.relation, layout.keys, layout.fields, wanted))
        width = len(layout.keys)
        return {_bound(layout.keys, row[:width]): [_text(v) for v in row[width:]] for row in rows}

    def _row_differences(
        self, key: Bound, ours: Sequence[str | None], theirs: Sequence[str | None]
    ) -> list[ColumnDifference]:
        shown = shown_key(self.layouts()[0].keys, key)
        return [
            ColumnDifference(shown, m.source, value_of(self.family(m), a), value_of(self.family(m), b))
            for m, a, b in zip(self.matched, ours, theirs, strict=True)
            if a != b
        ]

    def lag(self, found: Localised, until: tuple[str, Any], types: Mapping[str, SqlType]) -> dict[Any, Any]:
        """The missing and changed keys that the source changed after a value of a column, with their own values."""
        name, limit = until
        layout = self.layouts()[0]
        column = find_name(name, types, "the source")
        family = agree(types[column], types[column]).family
        if family is None:
            raise ParameterError(f"until= names {column}, of type {types[column].written}, whose values have no order.")
        stamp = Field(column, types[column], family)
        late = {}
        wanted = [found.raw_keys[k] for k in (*found.missing, *found.changed)]
        for first in range(0, len(wanted), KEYS_A_STATEMENT):
            part = wanted[first : first + KEYS_A_STATEMENT]
            rows = self.source.run(self.source.dialect.chosen(self.source.relation, layout.keys, [stamp], part))
            for *raw, text in rows:
                value = value_of(family, _text(text))
                if value is not None and _after(value, limit):
                    late[shown_key(layout.keys, _bound(layout.keys, raw))] = value
        return late


def _after(value: Any, limit: Any) -> bool:
    if callable(limit):
        return bool(limit(value))
    if isinstance(value, dt.datetime) and isinstance(limit, dt.datetime) and limit.tzinfo is not None:
        limit = limit.astimezone(dt.UTC).replace(tzinfo=None)
    try:
        return bool(value > limit)
    except TypeError:
        raise ParameterError(
            f"until= compares a column of {type(value).__name__} with {limit!r}. Give a value of that type."
        ) from None


def _with(found: Localised, ours: Traffic, theirs: Traffic) -> Localised:
    found.source_traffic, found.other_traffic = found.source_traffic + ours, found.other_traffic + theirs
    return found


def _bound(keys: Sequence[Key], raw: Sequence[Any]) -> Bound:
    return tuple(k.value(v) for k, v in zip(keys, raw, strict=True))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)


__all__ = ["ColumnDifference", "Matched", "PairDifferences", "TypedSide", "compare_sides", "find_name", "match_columns"]
