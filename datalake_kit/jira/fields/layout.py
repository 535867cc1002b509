"""How `fields` lies in a file (JSON text, struct, map, or flattened to columns), and SQL that makes JSON text of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.types as pt

from datalake_kit.errors import DataError
from datalake_kit.jira.fields.known_fields import SYSTEM
from datalake_kit.jira.fields.plan import literal, quote

CONSUMED = ("names", "schema")  # columns about the fields, read for their names and types
_PREFIX = re.compile(r"fields[._]", re.IGNORECASE)
_CUSTOM = re.compile(r"customfield_\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """One way in which issues lie in files: what it is called, and SQL for each part as text."""

    kind: str  # text, struct, map or columns
    signature: str  # files of one signature are read together
    fields_sql: str
    others: dict[str, str] = field(default_factory=dict)  # column beside the fields -> SQL that gives it as text
    struct_sql: str = ""  # the column that holds a struct


def find_layout(schema: pa.Schema, where: str) -> Layout:
    """Find how the fields lie under a schema; `where` names the file or frame in the error.

    Raises
    ------
    DataError
        There is no `fields` column and no column that is a Jira field, or it has a type that holds no fields.
    """
    names = {name.casefold(): name for name in schema.names}
    if "fields" not in names:
        return _flattened(schema, where)
    column = schema.field(names["fields"])
    others = _others(f for f in schema if f.name != column.name)
    sql, beside = quote(column.name), _kinds(f for f in schema if f.name != column.name)
    if _is_text(column.type):
        return Layout("text", f"text{beside}", f"CAST({sql} AS VARCHAR)", others)
    if pt.is_struct(column.type):
        return Layout("struct", f"{column.type}{beside}", f"CAST(to_json({sql}) AS VARCHAR)", others, sql)
    if pt.is_map(column.type):
        return Layout("map", f"{column.type}{beside}", _map_sql(sql, column.type), others)
    if pt.is_null(column.type):
        return Layout("text", f"null{beside}", "CAST(NULL AS VARCHAR)", others)
    raise DataError(f"The column fields of {where} has the type {column.type}. Text, a struct or a map is read.")


def _is_text(kind: pa.DataType) -> bool:
    if pt.is_dictionary(kind):
        kind = kind.value_type
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _kinds(columns: Iterable[pa.Field]) -> str:
    """The types of columns that cannot be read together with those of another type."""
    kinds = {c.name.casefold(): str(c.type) for c in columns if not (_is_text(c.type) or pt.is_null(c.type))}
    return "".join(f", {name} {kind}" for name, kind in sorted(kinds.items()))


def _others(columns: Iterable[pa.Field]) -> dict[str, str]:
    return {c.name: _as_text(c) for c in columns}


def _as_text(column: pa.Field) -> str:
    sql = quote(column.name)
    if pt.is_floating(column.type) and column.name.casefold() == "id":  # whole numbers, of which some are missing
        return f"regexp_replace(CAST({sql} AS VARCHAR), '\\.0$', '')"
    nested = pt.is_nested(column.type)
    return f"CAST(to_json({sql}) AS VARCHAR)" if nested else f"CAST({sql} AS VARCHAR)"


def _embedded(sql: str) -> str:
    """A text of a map or a flattened column as JSON: an object or a list as it is, any other text as a string."""
    is_json = f"(starts_with(ltrim({sql}), '{{') OR starts_with(ltrim({sql}), '[')) AND json_valid({sql})"
    return f"CASE WHEN {is_json} THEN CAST({sql} AS JSON) ELSE to_json({sql}) END"


def _map_sql(sql: str, kind: pa.DataType) -> str:
    if not _is_text(kind.item_type):
        return f"CAST(to_json({sql}) AS VARCHAR)"
    entries = f"[{{'k': e.key, 'v': {_embedded('e.value')}}} for e in map_entries({sql})]"
    return f"CASE WHEN {sql} IS NOT NULL THEN CAST(to_json(map_from_entries({entries})) AS VARCHAR) END"


def _flattened(schema: pa.Schema, where: str) -> Layout:
    """Columns like `fields.summary` or `fields_summary`; without such, columns that are Jira's or custom fields."""
    prefixed = {f.name: _PREFIX.sub("", f.name, count=1) for f in schema if _PREFIX.match(f.name)}
    bare = {f.name: f.name for f in schema if f.name.casefold() in SYSTEM or _CUSTOM.fullmatch(f.name)}
    keys = prefixed or bare
    if not keys:
        raise DataError(
            f"{where} has no column fields and no column that is a Jira field; its columns are: "
            f"{', '.join(schema.names) or 'none'}. Give the table that AppFlow fills from the object Issue."
        )
    pairs = ", ".join(f"{literal(key)}, {_value(schema.field(name))}" for name, key in keys.items())
    signature = str([(f.name, str(f.type)) for f in schema if f.name in keys])
    others = _others(f for f in schema if f.name not in keys)
    signature += _kinds(f for f in schema if f.name not in keys)
    return Layout("columns", signature, f"CAST(json_object({pairs}) AS VARCHAR)", others)


def _value(column: pa.Field) -> str:
    sql = quote(column.name)
    if _is_text(column.type):
        return _embedded(sql)
    if pt.is_timestamp(column.type):  # Parquet keeps instants in UTC; JSON text needs the offset written
        return f"to_json(strftime(CAST({sql} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f+0000'))"
    return f"to_json({sql})"
