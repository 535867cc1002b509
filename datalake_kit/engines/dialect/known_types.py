"""The type of an expression as far as the text of a statement and the tables given tell it.

Athena's rules are judged before a statement is sent, often without its tables: what follows from the text is said, what
does not is None. Types are in Trino's words and lower case, without the digits of `timestamp(3)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlglot import exp

from datalake_kit.engines.dialect.parsing import MARK

ZONED, PLAIN, TIME, DATE = "timestamp with time zone", "timestamp", "time", "date"
ZONED_TIME, DOUBLE, INTEGER = "time with time zone", "double", "bigint"
INTEGERS = ("tinyint", "smallint", "int", "integer", "bigint")
_SAME = {"int": "integer", "float": "real", "string": "varchar", "timestamptz": ZONED, "timetz": ZONED_TIME}


T = TypeVar("T")


def _each(names: str, value: T) -> dict[str, T]:
    return dict.fromkeys(names.split(), value)


_RESULTS = {
    **_each(
        "now current_timestamp from_iso8601_timestamp from_iso8601_timestamp_nanos from_unixtime from_unixtime_nanos "
        "at_timezone with_timezone parse_datetime",
        ZONED,
    ),
    **_each("localtimestamp date_parse", PLAIN),
    **_each("localtime", TIME),
    **_each("current_time", ZONED_TIME),
    **_each("current_date date from_iso8601_date last_day_of_month", DATE),
    **_each(
        "to_unixtime sqrt cbrt exp ln log2 log10 log power pow rand random sin cos tan asin acos atan atan2 degrees "
        "radians pi e nan infinity avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop "
        "covar_samp regr_slope regr_intercept cosine_similarity geometric_mean",
        DOUBLE,
    ),
    **_each(
        "count count_if approx_distinct row_number rank dense_rank ntile length cardinality date_diff year month day "
        "hour minute second quarter week day_of_week day_of_year strpos position codepoint levenshtein_distance "
        "extract year_of_week bit_count millisecond",
        INTEGER,
    ),
    **_each("date_format format_datetime to_iso8601 json_format json_extract_scalar lower upper trim", "varchar"),
    **_each("json_parse json_extract", "json"),
}
# Functions whose result has the type of one of their arguments; -1 is the last, None all of them together.
_ARGUMENT: dict[str, int | None] = {
    **_each(
        "try max min any_value arbitrary max_by min_by lag lead first_value last_value nth_value nullif abs round "
        "floor ceil ceiling truncate sum mod array_distinct array_sort slice filter reverse approx_percentile",
        0,
    ),
    **dict.fromkeys(["date_trunc", "date_add"], -1),
    **dict.fromkeys(["coalesce", "greatest", "least"], None),
}
_AROUND = (exp.Paren, exp.Window, exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.Alias, exp.Distinct, exp.Neg)
_TIMELESS = {
    exp.CurrentTimestamp: ZONED, exp.CurrentTime: ZONED_TIME, exp.CurrentDate: DATE, exp.Localtime: TIME,
    exp.Localtimestamp: PLAIN, exp.AtTimeZone: ZONED, exp.Extract: INTEGER,
}  # fmt: skip
Columns = Mapping[str, Mapping[str, str]]


def plain_type(text: str) -> str:
    """Return a type's name in Trino's words, without the digits of times, texts and decimals.

    >>> plain_type("TIMESTAMP(3) WITH TIME ZONE"), plain_type("string"), plain_type("array(decimal(10, 2))")
    ('timestamp with time zone', 'varchar', 'array(decimal)')
    """
    found = re.sub(r"\b(timestamp|time|varchar|char|decimal)\s*\([\d\s,]*\)", r"\1", text.strip().lower())
    found = re.sub(r"\s+", " ", found)
    return _SAME.get(found, found)


@dataclass(frozen=True, slots=True)
class Known:
    """A column of a result: its name (None: it has none), its type (None: not known)."""

    name: str | None
    type: str | None
    node: Any = field(compare=False, default=None)


HIDDEN = Known("*", None)  # the columns of a table that is not known


@dataclass(slots=True)
class Source:
    """One item of a FROM; `complete` when all its columns are known."""

    alias: str
    columns: dict[str, str | None]
    complete: bool


@dataclass(slots=True)
class Names:
    """What names mean at one place: the tables given, the names of WITH, the sources of the SELECTs around."""

    tables: Columns
    parameters: Mapping[str, str] = field(default_factory=dict)
    ctes: dict[str, list[Known]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    parent: Names | None = None

    def inside(self) -> Names:
        """Return the names of a query within this one."""
        return Names(self.tables, self.parameters, dict(self.ctes), [], self)

    def column(self, name: str, table: str = "") -> str | None:
        """Return the type of a column."""
        for source in self.sources:
            if (not table or source.alias == table) and name in source.columns:
                return source.columns[name]
        return self.parent.column(name, table) if self.parent else None

    @property
    def complete(self) -> bool:
        """Whether every column is known that can be named here."""
        return all(s.complete for s in self.sources) and (self.parent is None or self.parent.complete)

    def has(self, name: str) -> bool:
        """Tell whether a column of this name is known here."""
        return any(name in s.columns for s in self.sources) or (self.parent is not None and self.parent.has(name))


# ---------------------------------------------------------------- expressions


def type_of(node: Any, names: Names) -> str | None:
    """Return the type of an expression, or None where it is not known."""
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return plain_type(node.to.sql("trino"))
    if isinstance(node, _AROUND):
        inner = node.expressions[0] if isinstance(node, exp.Distinct) and node.expressions else node.this
        return type_of(inner, names)
    for kind, type_ in _TIMELESS.items():
        if isinstance(node, kind):
            return type_
    if isinstance(node, exp.Column):
        return _column(node, names)
    if isinstance(node, exp.Literal):
        return "varchar" if node.is_string else _number(str(node.this))
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)):
        return _arithmetic(node, names)
    if isinstance(node, (exp.Case, exp.If)):
        return _common(type_of(part, names) for part in _branches(node))
    if isinstance(node, exp.Subquery):
        columns = columns_of(node, names)
        return columns[0].type if columns else None
    return _call(node, names) if isinstance(node, exp.Anonymous) else None


def _column(node: exp.Column, names: Names) -> str | None:
    name = str(node.name)
    if name.startswith(MARK):
        return names.parameters.get(name[1:])
    return names.column(name.lower(), str(node.table).lower())


def _number(text: str) -> str:
    if "e" in text.lower():
        return DOUBLE
    return "decimal" if "." in text else INTEGER


def _arithmetic(node: Any, names: Names) -> str | None:
    sides = [node.this, node.expression]
    for side, other in (sides, sides[::-1]):
        if isinstance(side, exp.Interval):
            return type_of(other, names)
    types = [type_of(side, names) for side in sides]
    if DOUBLE in types:
        return DOUBLE
    if all(t in INTEGERS for t in types):
        return INTEGER
    return "decimal" if "decimal" in types and all(t == "decimal" or t in INTEGERS for t in types) else None


def _branches(node: Any) -> list[Any]:
    if isinstance(node, exp.Case):
        parts = [branch.args.get("true") for branch in node.args.get("ifs") or []]
        return [p for p in [*parts, node.args.get("default")] if p is not None]
    return [p for p in (node.args.get("true"), node.args.get("false")) if p is not None]


def _common(types: Iterable[str | None]) -> str | None:
    found = list(types)
    if ZONED in found:
        return ZONED  # a plain timestamp beside it becomes one
    known = {t for t in found if t is not None}
    return known.pop() if len(known) == 1 else None


def _call(node: exp.Anonymous, names: Names) -> str | None:
    name, given = str(node.name).lower(), node.expressions
    if name in _RESULTS:
        return _RESULTS[name]
    if name in _ARGUMENT and given:
        index = _ARGUMENT[name]
        return _common(type_of(g, names) for g in given) if index is None else type_of(given[index], names)
    if name in ("array_agg", "element_at") and given:
        inner = type_of(given[0], names)
        if inner is None:
            return None
        if name == "array_agg":
            return f"array({inner})"
        return inner[6:-1] if inner.startswith("array(") else None
    return None


# ---------------------------------------------------------------- queries


def columns_of(node: Any, names: Names) -> list[Known]:
    """Return the columns that a query gives; HIDDEN stands for a `*` of a table that is not known."""
    clause = node.args.get("with_")
    if clause is not None:
        names = with_names(clause, names)
    if isinstance(node, exp.Subquery):
        return columns_of(node.this, names)
    if isinstance(node, exp.SetOperation):
        return _united(columns_of(node.left, names), columns_of(node.right, names))
    if isinstance(node, exp.Values):
        return _row(node, names)
    if isinstance(node, exp.Select):
        return _projections(node, scope_of(node, names))
    return [HIDDEN]


def with_names(clause: exp.With, names: Names) -> Names:
    """Return the names with those of a WITH."""
    names = names.inside()
    for cte in clause.expressions:
        listed = [str(c.name).lower() for c in cte.args["alias"].args.get("columns") or []]
        called = str(cte.alias).lower()
        if clause.args.get("recursive"):
            names.ctes[called] = named([HIDDEN], listed)
        names.ctes[called] = named(columns_of(cte.this, names), listed)
    return names


def named(columns: list[Known], listed: list[str]) -> list[Known]:
    """Return columns under the names of `AS t(a, b)`."""
    if not listed:
        return columns
    known = len(columns) == len(listed) and HIDDEN not in columns
    return [Known(name, columns[i].type if known else None) for i, name in enumerate(listed)]


def _united(left: list[Known], right: list[Known]) -> list[Known]:
    if HIDDEN in left or HIDDEN in right or len(left) != len(right):
        return left
    return [Known(a.name, _common([a.type, b.type]), a.node) for a, b in zip(left, right, strict=True)]


def _row(node: exp.Values, names: Names) -> list[Known]:
    first = node.expressions[0]
    cells = first.expressions if isinstance(first, exp.Tuple) else [first]
    return [Known(None, type_of(cell, names), cell) for cell in cells]


def is_star(node: Any) -> bool:
    """Tell whether a part of a SELECT is `*` or `t.*`."""
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def _projections(node: exp.Select, names: Names) -> list[Known]:
    found: list[Known] = []
    for part in node.expressions:
        if not is_star(part):
            found.append(Known(shown_name(part), type_of(part, names), part))
            continue
        table = str(part.table).lower() if isinstance(part, exp.Column) else ""
        sources = [s for s in names.sources if not table or s.alias == table]
        if sources and all(s.complete for s in sources):
            found += [Known(n or None, t, part) for s in sources for n, t in s.columns.items()]
        else:
            found.append(HIDDEN)
    return found


def shown_name(node: Any) -> str | None:
    """Return the name that a column of a SELECT has in its result; None when it has none."""
    if isinstance(node, exp.Alias):
        return str(node.alias).lower()
    if isinstance(node, (exp.Column, exp.Dot)) and not str(node.name).startswith(MARK):
        return str(node.name).lower() or None
    return None


def scope_of(node: exp.Select, names: Names) -> Names:
    """Return the names that a SELECT can use: those around it, and its FROM."""
    scope = names.inside()
    clause = node.args.get("from_")
    items = [clause.this] if clause is not None else []
    joins = [*(items[0].args.get("joins") or [])] if items else []
    for item in [*items, *(j.this for j in [*joins, *(node.args.get("joins") or [])])]:
        scope.sources += _sources(item, scope)
    return scope


def _sources(item: Any, names: Names) -> list[Source]:
    alias = item.args.get("alias")
    listed = [str(c.name).lower() for c in (alias.args.get("columns") if alias is not None else None) or []]
    called = str(alias.name).lower() if alias is not None else ""
    if isinstance(item, exp.Unnest):
        return [_unnested(item, called, listed, names)]
    inner = item.this if isinstance(item, (exp.Lateral, exp.Paren)) else item
    if isinstance(inner, exp.Subquery) and isinstance(inner.this, exp.Table):  # FROM (a JOIN b ON ...)
        group = [inner.this, *(j.this for j in inner.this.args.get("joins") or [])]
        return [source for part in group for source in _sources(part, names)]
    columns = _table(inner, names) if isinstance(inner, exp.Table) else columns_of(inner, names)
    if not called and isinstance(inner, exp.Table):
        called = str(inner.name).lower()
    found = named(columns, listed)
    return [Source(called, {c.name or "": c.type for c in found if c != HIDDEN}, HIDDEN not in found)]


def _table(item: exp.Table, names: Names) -> list[Known]:
    name, database = str(item.name).lower(), str(item.db).lower()
    if not database and name in names.ctes:
        return names.ctes[name]
    for key, columns in names.tables.items():
        parts = key.lower().split(".")
        if parts[-1] == name and (not database or parts[:-1] == [database]):
            return [Known(c.lower(), plain_type(t)) for c, t in columns.items()]
    return [HIDDEN]


def _unnested(item: exp.Unnest, called: str, listed: list[str], names: Names) -> Source:
    types: list[str | None] = []
    for value in item.expressions:
        found = type_of(value, names) or ""
        types.append(found[6:-1] if found.startswith("array(") else None)
    offset = item.args.get("offset")
    columns: dict[str, str | None] = {
        name: types[i] if len(types) == len(listed) else None for i, name in enumerate(listed)
    }
    if isinstance(offset, exp.Identifier):
        columns[str(offset.name).lower()] = INTEGER
    return Source(called, columns, bool(listed))


def walk(node: Any, names: Names) -> Iterator[tuple[Any, Names]]:
    """Yield every part of a statement with what names mean there; a SELECT with the names of its own FROM."""
    clause = node.args.get("with_")
    if clause is not None:
        names = with_names(clause, names)
        for cte in clause.expressions:
            yield from walk(cte.this, names)
    if isinstance(node, exp.Select):
        names = scope_of(node, names)
    if isinstance(node, exp.Lambda):
        names = names.inside()
        names.sources.append(Source("", dict.fromkeys((str(p.name).lower() for p in node.expressions), None), True))
    yield node, names
    for key, value in node.args.items():
        if key != "with_":
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, exp.Expr):
                    yield from walk(child, names)
