"""The plan of an unpacking: which fields become columns, and by which rule, from a look at some documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from duckdb.sqltypes import DuckDBPyType

from datalake_kit.jira.fields.detect import (
    Profile,
    choose_rule,
    has_fixed_rule,
    noteworthy_keys,
    profile,
    profile_values,
)
from datalake_kit.jira.fields.names import FieldInfo
from datalake_kit.jira.fields.rules import Output, Rule

SAMPLE = 1000  # documents looked at; of fewer rows all are


@dataclass(frozen=True)
class Part:
    """Rows whose fields lie as a struct: `query` gives `_position`, `_struct` and the columns beside the fields."""

    query: str
    members: dict[str, DuckDBPyType]


@dataclass(frozen=True)
class Structs:
    """What can be read instead of a query that makes JSON text of structs."""

    instead_of: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Source:
    """Rows to unpack.

    `query` gives `_position` (0, 1, 2 ...), `_fields` (JSON text of an object, or null), and `_x0`, `_x1` ...: the
    columns beside the fields, whose names are `others`. `sampled_by` is the SQL by whose hash rows are chosen to be
    looked at: of an id that stays, so that the choice changes little when rows are added.
    """

    connection: duckdb.DuckDBPyConnection
    query: str
    rows: int
    others: tuple[str, ...] = ()
    sampled_by: str = "_position"
    structs: Structs | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """The same rows with their fields as structs, when all of them lie so."""
        return self.structs.parts if self.structs and self.structs.instead_of == self.query else ()


@dataclass(frozen=True)
class Field:
    """One field in the plan: its rule, and whether its JSON text is needed."""

    info: FieldInfo
    rule: Rule
    profile: Profile
    keep_object: bool = False
    by_value: bool = False  # read in Python, value by value

    @property
    def in_python(self) -> bool:
        """Whether each distinct value is read in Python."""
        return self.by_value or not self.rule.sql

    @property
    def sliced(self) -> bool:
        """Whether the pass takes the value as JSON text first, instead of straight into its shape."""
        if self.rule.scalar:
            return False
        odd = self.profile.has_empty_object  # a struct would not tell an empty object from a value of another kind
        return self.in_python or self.keep_object or self.rule.is_list or self.rule.needs_text or odd

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns that the field gives."""
        whole = self.rule.whole if self.keep_object else None
        return (*self.rule.outputs, *((whole,) if whole else ()))


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB in which only what it is given can be named."""
    connection = duckdb.connect()
    for setting in ("TimeZone='UTC'", "arrow_large_buffer_size=true", "python_enable_replacements=false"):
        connection.execute(f"SET {setting}")
    return connection


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def transformed(source: Source, shapes: dict[str, Any], others: str = "") -> str:
    """A query that parses each document once and gives a struct; `value_of` takes a field out of it."""
    named = {key: shape for key, shape in shapes.items() if key}
    struct = f"json_transform(_fields, {literal(json.dumps(named))})" if named else "NULL"
    if "" in shapes:  # a struct cannot have a field without name
        others += f", json_transform(json_extract(_fields, '/'), {literal(json.dumps(shapes['']))}) AS _unnamed"
    return f"SELECT {struct} AS _s{others} FROM ({source.query})"


def value_of(key: str) -> str:
    """SQL for a field in what `transformed` gives."""
    return f"_s.{quote(key)}" if key else "_unnamed"


def batches(keys: Iterable[str], size: int) -> Iterator[list[str]]:
    """Cut a list of keys; within a batch no two differ in letters only, for a struct cannot hold both."""
    batch: list[str] = []
    folded: set[str] = set()
    later: list[str] = []
    for key in keys:
        if len(batch) == size or key.casefold() in folded:
            later.append(key)
        else:
            batch.append(key)
            folded.add(key.casefold())
    if batch:
        yield batch
        yield from batches(later, size)


def pointer(key: str) -> str:
    """A key as an SQL literal that json_extract takes as a path, whatever is in the key."""
    return literal("/" + key.replace("~", "~0").replace("/", "~1"))


def count_keys(source: Source) -> dict[str, int]:
    """How many rows have each key of `fields`, null or not. Malformed JSON makes DuckDB raise."""
    if source.parts:
        return _count_members(source)
    each = f"SELECT unnest(json_keys(_fields)) AS key FROM ({source.query})"
    found = source.connection.sql(f"SELECT key, count(*) AS n FROM ({each}) GROUP BY key ORDER BY key").fetchall()
    return {str(key): int(n) for key, n in found}


def _count_members(source: Source) -> dict[str, int]:
    """As JSON text of a struct has all its members, each row has each key of its part."""
    counts: dict[str, int] = {}
    for part in source.parts:
        (rows,) = source.connection.sql(f"SELECT count(*) FROM ({part.query})").fetchall()[0]
        counts |= {key: counts.get(key, 0) + rows for key in part.members if rows}
    return dict(sorted(counts.items()))


def make_plan(
    source: Source, present: Iterable[str], known: dict[str, FieldInfo], wanted: Iterable[str] | None, *, keep: bool,
    documents: Iterable[str] | None = None,
) -> dict[str, Field]:  # fmt: skip
    """Choose a rule for each field that is to become columns.

    `wanted` None: Jira's own fields, and the custom fields that hold a value in any row. `documents` are those that
    `sample` gives, when they are at hand.
    """
    asked = list(present if wanted is None else wanted)
    seen = profile(documents if documents is not None else (text for _, text in sample(source)))
    if source.rows > SAMPLE:
        values = look_further(source, [key for key in asked if not seen.get(key, Profile()).holds])
        seen |= {key: profile_values(texts) for key, texts in values.items()}
    plan = plan_from(seen, asked, known, all_asked=wanted is not None, keep=keep)
    return plan if source.parts else {key: replace(f, by_value=_repeats(f)) for key, f in plan.items()}


def _repeats(field: Field) -> bool:
    """Whether a list has so few values, each many times, that reading each once is quicker than parsing each text."""
    values = field.profile.examples
    return field.rule.is_list and 0 < 2 * len({json.dumps(value) for value in values}) <= len(values)


def plan_from(
    seen: dict[str, Profile], asked: Iterable[str], known: dict[str, FieldInfo], *, all_asked: bool, keep: bool
) -> dict[str, Field]:
    """Choose the rules from what was seen; without `all_asked`, custom fields that hold nothing get no column."""
    plan: dict[str, Field] = {}
    for key in asked:
        info, at = known.get(key, FieldInfo(key)), seen.get(key, Profile())
        if not all_asked and info.number is not None and not at.holds:
            continue
        rule = choose_rule(info, at)
        plan[key] = Field(info, rule, at, keep_object=keep or bool(noteworthy_keys(rule, at)))
    return plan


def sample(source: Source) -> list[tuple[str, str]]:
    """What some rows are sampled by, and their documents: those with the least hashes, so that it is no matter when."""
    order = f"ORDER BY hash(_by), _by LIMIT {SAMPLE}"
    if source.rows > SAMPLE:  # the rows first, for documents are long
        every = f"SELECT {source.sampled_by} AS _by, _position FROM ({source.query})"
        least = [row[1] for row in source.connection.sql(f"{every} {order}").fetchall()]
        found = source.connection.sql(f"SELECT * FROM ({_documents(source, least)}) {order}").fetchall()
    if source.rows <= SAMPLE or len(found) < SAMPLE:  # all, or some of the first have no document
        every = f"SELECT {source.sampled_by} AS _by, _fields FROM ({source.query}) WHERE _fields IS NOT NULL"
        found = source.connection.sql(f"{every} {order}").fetchall()
    return [(str(row[0]), str(row[1])) for row in found]


def _documents(source: Source, positions: list[int]) -> str:
    """The documents at some positions; of structs no others are made."""
    queries = [(part.query, "CAST(to_json(_struct) AS VARCHAR)", "_struct") for part in source.parts]
    return " UNION ALL ".join(
        f"""
        SELECT {source.sampled_by} AS _by, {text} FROM ({query}) JOIN (SELECT unnest({positions}) AS _position)
        USING (_position) WHERE {value} IS NOT NULL
        """
        for query, text, value in queries or [(source.query, "_fields", "_fields")]
    )


def look_further(source: Source, keys: Iterable[str]) -> dict[str, list[str]]:
    """Values of fields that the sample says nothing about, looked for in all rows: most hold nothing anywhere."""
    undecided = [key for key in keys if not has_fixed_rule(key)]
    counts = count_kinds(source, undecided) if undecided else {}
    return {key: _some_values(source, key) for key in undecided if counts[key][0]}


def _some_values(source: Source, key: str) -> list[str]:
    values = _texts_of(source, [key], f", {source.sampled_by} AS b")
    holding = f"SELECT v0 FROM ({values}) WHERE v0 NOT IN ('null', '[]', '{{}}') ORDER BY hash(b), b LIMIT {SAMPLE}"
    return [str(row[0]) for row in source.connection.sql(holding).fetchall()]


def count_kinds(source: Source, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    """How many rows hold a value, and how many an empty list or object, for each key."""
    counts: dict[str, tuple[int, int]] = {}
    for batch in batches(keys, 400):
        ask = ", ".join(f"count(v{n}), count(*) FILTER (v{n} IN ('[]', '{{}}'))" for n in range(len(batch)))
        row = source.connection.sql(f"SELECT {ask} FROM ({_texts_of(source, batch)})").fetchall()[0]
        counts |= {key: (row[2 * n] - row[2 * n + 1], row[2 * n + 1]) for n, key in enumerate(batch)}
    return counts


def _texts_of(source: Source, keys: list[str], beside: str = "") -> str:
    """A query that gives the values of fields as JSON text: `v0`, `v1` ..."""
    if source.parts:
        each = (_select([json_member(part, k) for k in keys], beside, part.query) for part in source.parts)
        return " UNION ALL ".join(each)
    parsed = transformed(source, dict.fromkeys(keys, "JSON"), beside)
    return _select([value_of(key) for key in keys], ", b" if beside else "", parsed)


def _select(values: list[str], beside: str, query: str) -> str:
    texts = ", ".join(f"CAST({value} AS VARCHAR) AS v{n}" for n, value in enumerate(values))
    return f"SELECT {texts}{beside} FROM ({query})"


def json_member(part: Part, key: str) -> str:
    """SQL for a member of a struct as JSON, written as it is when taken out of a document."""
    if key not in part.members:
        return "CAST(NULL AS JSON)"
    return f"json_transform(to_json(_struct.{quote(key)}), '\"JSON\"')"
