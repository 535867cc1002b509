"""Lists inside issues as rows, one an entry. Pure.

Each list is parsed once, straight into the shape that is wanted. A list of which something does not have that shape (an
entry that is no object, a person who is a plain text, keys in small letters) is read again in Python: what cannot be
read is a row that says so in `problem`, and is not dropped.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira.fields.plan import connect, literal, quote
from datalake_kit.jira.relations.items import Issues, ListField, find_lists

Kind = Literal["text", "number", "integer", "boolean", "date", "instant"]
SHOWN = 200  # characters of what is malformed
ROWS_A_BATCH = 20_000  # one batch is one thread's
_PERSON = ("displayName", "name", "emailAddress", "key", "accountId")
USER: dict[str, Any] = dict.fromkeys(_PERSON, "VARCHAR")
_PAGE = {"total": "BIGINT", "startAt": "BIGINT", "isLast": "BOOLEAN"}


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, SQL over the entry `e` that gives it as text, and its type."""

    name: str
    sql: str
    kind: Kind = "text"


def person(key: str, name: str) -> tuple[Column, Column]:
    """Name and account of a person under a key of the entry."""
    names, accounts = (", ".join(f"e.{key}.{k}" for k in keys) for keys in (_PERSON, ("accountId", "key", "name")))
    return Column(name, f"coalesce({names})"), Column(f"{name}_account_id", f"coalesce({accounts})")


# --- each list parsed once ------------------------------------------------------------------------------------------


def open_lists(lists: pa.Table, wanted: ListField, shape: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Make `_entries` of lists: `n` (issue), `position`, `id`, `key`, `there`, `total`, `e` (struct), `problem`.

    `_lists` has the counts of each list: `n`, `id`, `key`, `there`, `total`, `start_at`, `is_last`.
    """
    connection = connect()
    lists = lists.append_column("_row", pa.array(range(len(lists)), pa.int64()))
    connection.register("_given", pa.Table.from_batches(lists.to_batches(ROWS_A_BATCH), lists.schema))
    parsed = _parse(connection, {**_PAGE, wanted.inside: [shape]} if wanted.inside else [shape])
    batches = [_flatten(batch, wanted) for batch in parsed.to_batches()]
    odd = _odd_rows(lists, batches, list(_doubts(shape)))
    usual = [tuple(table.filter(_is_not_in(table["_row"], odd)) for table in pair) for pair in batches]
    mended = _mend(connection, lists.take(odd), wanted, shape)
    counts, entries = (pa.concat_tables(tables) for tables in zip(*usual, mended, strict=True))
    about = lists.select(["n", "id", "key"])
    connection.register("_lists", _beside(about.take(counts["_row"]), counts))
    place = pc.index_in(entries["_row"], counts["_row"])
    sizes = counts.select(["there", "total"]).take(place)
    connection.register("_entries", _beside(_beside(about.take(entries["_row"]), sizes), entries))
    return connection


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    return pa.table({**dict(_columns(left)), **dict(_columns(right))})


def _columns(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    return zip(table.column_names, table.columns, strict=True)


def _is_not_in(column: pa.ChunkedArray, rows: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(column, value_set=rows))


def _parse(connection: duckdb.DuckDBPyConnection, whole: Any) -> pa.Table:
    """Parse each list once; where a text is not JSON, which makes DuckDB raise, each is checked first."""
    query = "SELECT _row, json_transform({value}, {shape}) AS w FROM _given WHERE value IS NOT NULL"
    shape = literal(json.dumps(whole))
    try:
        return connection.sql(query.format(value="value", shape=shape)).to_arrow_table()
    except duckdb.InvalidInputException:
        value = "CASE WHEN json_valid(value) THEN value END"
        return connection.sql(query.format(value=value, shape=shape)).to_arrow_table()


def _flatten(batch: pa.RecordBatch, wanted: ListField) -> tuple[pa.Table, pa.Table]:
    """Of parsed lists: the counts of each, and a row an entry. Arrow does it without a copy of the texts."""
    row, lists = batch["_row"], batch["w"]
    total = start_at = pa.nulls(len(batch), pa.int64())
    is_last = pa.nulls(len(batch), pa.bool_())
    if wanted.inside:
        total, start_at, is_last, lists = (pc.struct_field(lists, key) for key in (*_PAGE, wanted.inside))
    lengths = pc.list_value_length(lists).cast(pa.int64())
    counts = pa.table([row, lengths, total, start_at, is_last], schema=_COUNTS)
    parents = pc.list_parent_indices(lists)
    begins = np.concatenate([[0], np.cumsum(pc.fill_null(lengths, 0).to_numpy())])
    positions = np.arange(len(parents)) - begins[:-1][parents.to_numpy()] + 1
    problem = pa.nulls(len(parents), pa.large_string())
    entries = {"_row": row.take(parents), "position": positions, "e": pc.list_flatten(lists), "problem": problem}
    return counts, pa.table(entries)


_COUNTS = pa.schema(
    [
        ("_row", pa.int64()), ("there", pa.int64()), ("total", pa.int64()), ("start_at", pa.int64()),
        ("is_last", pa.bool_()),
    ]
)  # fmt: skip


Doubt = tuple[list[list[str]], str]  # keys that are all empty in an entry, and what its text then must not hold


def _doubts(shape: dict[str, Any]) -> Iterator[Doubt]:
    """Where to look again: nothing is in the entry, a text is where an object goes, keys are in small letters."""
    yield [[key, *below] for key, inner in shape.items() for below in _below(inner)], ""
    for key, inner in shape.items():
        if isinstance(inner, dict) and "name" in inner:
            yield [[key, below] for below in inner], rf'"{key}"\s*:\s*"'
    mixed = [[key] for key in shape if key != key.lower()]
    if mixed:
        yield mixed, '"(' + "|".join(key.lower() for [key] in mixed) + r')"\s*:'


def _below(shape: Any) -> list[list[str]]:
    return [[key] for key in shape] if isinstance(shape, dict) else [[]]


def _odd_rows(lists: pa.Table, batches: list[tuple[pa.Table, pa.Table]], doubts: list[Doubt]) -> pa.Array:
    """Rows of lists of which something does not have its shape."""
    odd: set[int] = set()
    for counts, entries in batches:
        unread = counts.filter(pc.is_null(counts["there"]))["_row"]
        texts = pc.utf8_trim_whitespace(lists["value"].take(unread))
        odd.update(unread.filter(pc.invert(pc.is_in(texts, value_set=_NOTHING))).to_pylist())
        entry = entries["e"].combine_chunks()
        for ways, pattern in doubts:
            # DuckDB makes nothing, or an object of nothings, of a text in the place of an object
            empty = functools.reduce(pc.and_, (pc.is_null(pc.struct_field(entry, way)) for way in ways))
            doubtful = pc.unique(entries["_row"].filter(empty))
            found = pc.match_substring_regex(lists["value"].take(doubtful), pattern)
            odd.update(doubtful.filter(found.combine_chunks()).to_pylist())
    return pa.array(sorted(odd), pa.int64())


_NOTHING = pa.array(["", "null", "{}"], pa.large_string())


# --- what does not have the shape -----------------------------------------------------------------------------------


def _mend(
    connection: duckdb.DuckDBPyConnection, lists: pa.Table, wanted: ListField, shape: dict[str, Any]
) -> tuple[pa.Table, pa.Table]:
    """Read lists in Python: their counts, and a row an entry."""
    entries: list[tuple[Any, ...]] = []
    counts: list[tuple[Any, ...]] = []
    for row, value in zip(lists["_row"].to_pylist(), lists["value"].to_pylist(), strict=True):
        page, items, problem = _read(value, wanted, shape)
        if problem:
            entries.append((row, 0, None, problem))
        entries += [(row, position, *item) for position, item in enumerate(items, 1)]
        counts.append((row, None if problem else len(items), *(page.get(key) for key in _PAGE)))
    connection.register("_texts", _arrow(entries, _MENDED))
    query = f"SELECT _row, position, json_transform(entry, {literal(json.dumps(shape))}) AS e, problem FROM _texts"
    return _arrow(counts, _COUNTS), connection.sql(query).to_arrow_table()


_MENDED = pa.schema(
    [("_row", pa.int64()), ("position", pa.int64()), ("entry", pa.large_string()), ("problem", pa.large_string())]
)


def _arrow(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


Entry = tuple[str | None, str | None]  # JSON text of an object in its shape, or what is wrong with it


def _read(value: str, wanted: ListField, shape: dict[str, Any]) -> tuple[dict[str, Any], list[Entry], str | None]:
    """The counts of a page, its entries, and what is wrong with the whole."""
    try:
        found = json.loads(value)
    except RecursionError:
        return {}, [], f"{wanted.column} is too deep to be read again, and an entry has not its shape: {value[:SHOWN]}"
    except ValueError:
        return {}, [], f"{wanted.column} is not valid JSON: {value[:SHOWN]}"
    page = _shaped(found, {**_PAGE, wanted.inside: ""}) if wanted.inside and isinstance(found, dict) else {}
    items = page.get(wanted.inside) if page else found
    counts = {key: page.get(key) if type(page.get(key)) is kind else None for key, kind in _PAGE_TYPES.items()}
    if items is None:
        return counts, [], None
    if isinstance(items, dict) and not wanted.inside:
        items = [items]
    if not isinstance(items, list):
        return counts, [], f"{wanted.column} is no list: {value[:SHOWN]}"
    return counts, [_entry(item, shape) for item in items], None


_PAGE_TYPES = {"total": int, "startAt": int, "isLast": bool}


def _entry(item: Any, shape: dict[str, Any]) -> Entry:
    if isinstance(item, dict):
        return json.dumps(_shaped(item, shape), ensure_ascii=True), None
    return None, f"the entry is no object: {json.dumps(item, ensure_ascii=False)[:SHOWN]}"


def _shaped(value: Any, shape: Any) -> Any:
    """A value with the keys of a shape in its letters; where an object is wanted, a text is its name."""
    if not isinstance(shape, dict):
        return value
    if isinstance(value, dict):
        wanted = {key.casefold(): key for key in shape}
        named = {wanted[key.casefold()]: v for key, v in value.items() if key.casefold() in wanted and v is not None}
        return {key: _shaped(v, shape[key]) for key, v in named.items()}
    return {"name": value} if isinstance(value, str) and "name" in shape else None


# --- typed columns --------------------------------------------------------------------------------------------------

_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
_CASTS = {
    "text": "{t}",
    "number": "TRY_CAST({t} AS DOUBLE)",
    "integer": "TRY_CAST({t} AS BIGINT)",
    "boolean": "CASE {t} WHEN 'true' THEN true WHEN 'false' THEN false END",
    "date": r"CASE WHEN regexp_full_match({t}, '\d{{4}}-\d\d-\d\d') THEN TRY_CAST({t} AS DATE) END",
    "instant": f"CASE WHEN regexp_matches({{t}}, '{_OFFSET}') THEN TRY_CAST({{t}} AS TIMESTAMPTZ) END",
}  # without an offset it is not known when it was


def select(columns: Iterable[Column], source: str = "_entries") -> str:
    """A query over entries: the columns with their types, and in `problem` what could not have its type."""
    columns = list(columns)
    texts = ", ".join(f"nullif(CAST({c.sql} AS VARCHAR), '') AS {quote('_' + c.name)}" for c in columns)
    typed = ", ".join(f"{_cast(c)} AS {quote(c.name)}" for c in columns)
    notes = ", ".join(["problem", *(_note(c) for c in columns if c.kind != "text")])
    problem = f"nullif(concat_ws('; ', {notes}), '') AS problem"
    return f"SELECT n, position, id, key, there, total, {typed}, {problem} FROM (SELECT *, {texts} FROM {source})"


def _cast(column: Column) -> str:
    return _CASTS[column.kind].format(t=quote("_" + column.name))


def _note(column: Column) -> str:
    text, words = quote("_" + column.name), literal(f"{column.name} is no {column.kind}: ")
    return f"CASE WHEN {text} IS NOT NULL AND {_cast(column)} IS NULL THEN {words} || left({text}, {SHOWN}) END"


_DTYPES = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}


def to_table(connection: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    """Run a query and give its rows: texts as `str`, instants in UTC, what can be missing as pandas' own types."""
    found = connection.sql(query).to_arrow_table()
    frame: pd.DataFrame = found.to_pandas(types_mapper=_DTYPES.get, date_as_object=False, ignore_metadata=True)
    return frame


def list_table(issues: Issues, wanted: ListField, shape: dict[str, Any], columns: Iterable[Column]) -> pd.DataFrame:
    """One row an entry: `id`, `key`, the columns, for pages `there` and `total`, and `problem`."""
    columns = list(columns)
    with open_lists(find_lists(issues, wanted), wanted, shape) as connection:
        counts = ["there", "total"] if wanted.inside else []
        names = ["id", "key", *(c.name for c in columns), *counts, "problem"]
        order = ", ".join(quote(name) for name in names)
        return to_table(connection, f"SELECT {order} FROM ({select(columns)}) ORDER BY n, position")
