"""The plan of an unpacking: which fields become columns, and by which rule, from a look at some documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from datalake_kit.jira.detect import Profile, choose_rule, has_fixed_rule, noteworthy_keys, profile, profile_values
from datalake_kit.jira.names import FieldInfo
from datalake_kit.jira.rules import Output, Rule

SAMPLE = 2000  # documents looked at; of fewer rows all are


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
    each = f"SELECT unnest(json_keys(_fields)) AS key FROM ({source.query})"
    found = source.connection.sql(f"SELECT key, count(*) AS n FROM ({each}) GROUP BY key ORDER BY key").fetchall()
    return {str(key): int(n) for key, n in found}


def make_plan(
    source: Source, present: Iterable[str], known: dict[str, FieldInfo], wanted: Iterable[str] | None, *, keep: bool
) -> dict[str, Field]:
    """Choose a rule for each field that is to become columns.

    `wanted` None: Jira's own fields, and the custom fields that hold a value in any row.
    """
    asked = list(present if wanted is None else wanted)
    seen = profile(text for _, text in sample(source))
    if source.rows > SAMPLE:
        values = look_further(source, [key for key in asked if not seen.get(key, Profile()).holds])
        seen |= {key: profile_values(texts) for key, texts in values.items()}
    return plan_from(seen, asked, known, all_asked=wanted is not None, keep=keep)


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
    by = source.sampled_by
    query = f"SELECT {by}, _fields FROM ({source.query}) WHERE _fields IS NOT NULL"
    found = source.connection.sql(f"{query} ORDER BY hash({by}), {by} LIMIT {SAMPLE}").fetchall()
    return [(str(row[0]), str(row[1])) for row in found]


def look_further(source: Source, keys: Iterable[str]) -> dict[str, list[str]]:
    """Values of fields that the sample says nothing about, looked for in all rows: most hold nothing anywhere."""
    undecided = [key for key in keys if not has_fixed_rule(key)]
    counts = count_kinds(source, undecided) if undecided else {}
    return {key: _some_values(source, key) for key in undecided if counts[key][0]}


def _some_values(source: Source, key: str) -> list[str]:
    by = source.sampled_by
    values = f"SELECT CAST(json_extract(_fields, {pointer(key)}) AS VARCHAR) AS v, {by} AS b FROM ({source.query})"
    holding = f"SELECT v FROM ({values}) WHERE v NOT IN ('null', '[]', '{{}}') ORDER BY hash(b), b LIMIT {SAMPLE}"
    return [str(row[0]) for row in source.connection.sql(holding).fetchall()]


def count_kinds(source: Source, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    """How many rows hold a value, and how many an empty list or object, for each key."""
    counts: dict[str, tuple[int, int]] = {}
    for batch in batches(keys, 400):
        values = ", ".join(f"CAST({value_of(key)} AS VARCHAR) AS v{n}" for n, key in enumerate(batch))
        inner = f"SELECT {values} FROM ({transformed(source, dict.fromkeys(batch, 'JSON'))})"
        ask = ", ".join(f"count(v{n}), count(*) FILTER (v{n} IN ('[]', '{{}}'))" for n in range(len(batch)))
        row = source.connection.sql(f"SELECT {ask} FROM ({inner})").fetchall()[0]
        counts |= {key: (row[2 * n] - row[2 * n + 1], row[2 * n + 1]) for n, key in enumerate(batch)}
    return counts
