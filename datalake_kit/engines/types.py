"""Types in three languages: Arrow's (files), Hive's (the Glue catalog) and DuckDB's (the local engine)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

_SIMPLE: list[tuple[Callable[[pa.DataType], bool], str, str]] = [
    (pa.types.is_boolean, "boolean", "BOOLEAN"),
    (pa.types.is_int8, "tinyint", "TINYINT"),
    (pa.types.is_int16, "smallint", "SMALLINT"),
    (pa.types.is_int32, "int", "INTEGER"),
    (pa.types.is_int64, "bigint", "BIGINT"),
    (pa.types.is_uint8, "smallint", "UTINYINT"),
    (pa.types.is_uint16, "int", "USMALLINT"),
    (pa.types.is_uint32, "bigint", "UINTEGER"),
    (pa.types.is_uint64, "decimal(20,0)", "UBIGINT"),
    (pa.types.is_float16, "float", "FLOAT"),
    (pa.types.is_float32, "float", "FLOAT"),
    (pa.types.is_float64, "double", "DOUBLE"),
    (pa.types.is_date, "date", "DATE"),
    (pa.types.is_time, "time", "TIME"),
    (pa.types.is_null, "string", "VARCHAR"),
]


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values as a lake shows it.

    Dictionaries, views and large variants are ways of storing, not types. A timestamp is in microseconds without a
    zone and in UTC, as the Glue catalog has it, whether the file marks it as UTC or not.
    """
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(f.name, plain(f.type)) for f in _fields(kind)])
    return kind


def hive_type(kind: pa.DataType) -> str:
    """Write an Arrow type as the Glue catalog does, such as `array<struct<a:bigint>>`."""
    return _write(plain(kind), 0)


def duckdb_type(kind: pa.DataType) -> str:
    """Write an Arrow type as DuckDB does, such as `STRUCT("a" BIGINT)[]`."""
    return _write(plain(kind), 1)


def _write(kind: pa.DataType, language: int) -> str:
    for test, *names in _SIMPLE:
        if test(kind):
            return names[language]
    if pa.types.is_string(kind):
        return ("string", "VARCHAR")[language]
    if pa.types.is_binary(kind):
        return ("binary", "BLOB")[language]
    if pa.types.is_decimal(kind):
        return (f"decimal({kind.precision},{kind.scale})", f"DECIMAL({kind.precision},{kind.scale})")[language]
    if pa.types.is_timestamp(kind):
        return ("timestamp", "TIMESTAMP")[language]
    return _write_nested(kind, language)


def _write_nested(kind: pa.DataType, language: int) -> str:
    if pa.types.is_list(kind):
        inner = _write(kind.value_type, language)
        return (f"array<{inner}>", f"{inner}[]")[language]
    if pa.types.is_map(kind):
        key, item = _write(kind.key_type, language), _write(kind.item_type, language)
        return (f"map<{key},{item}>", f"MAP({key}, {item})")[language]
    if pa.types.is_struct(kind):
        parts = [(f.name, _write(f.type, language)) for f in _fields(kind)]
        hive = ",".join(f"{name}:{inner}" for name, inner in parts)
        quoted = ", ".join('"' + name.replace('"', '""') + f'" {inner}' for name, inner in parts)
        return (f"struct<{hive}>", f"STRUCT({quoted})")[language]
    return (str(kind), "VARCHAR")[language]


def widest(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both without a change of value, or None.

    Files of one table may differ so far: integers of other widths, float and double, decimals of one scale, a column
    that is NULL in all rows of one file. A number that became text is not the same column.
    """
    one, other = plain(one), plain(other)
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    for test in (pa.types.is_signed_integer, pa.types.is_unsigned_integer, pa.types.is_floating):
        if test(one) and test(other):
            return one if one.bit_width >= other.bit_width else other
    if pa.types.is_decimal(one) and pa.types.is_decimal(other) and one.scale == other.scale:
        return one if one.precision >= other.precision else other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _widest_struct(one, other)
    if pa.types.is_list(one) and pa.types.is_list(other):
        inner = widest(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    return None


def _widest_struct(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    members: dict[str, pa.DataType | None] = {f.name: f.type for f in _fields(one)}
    for member in _fields(other):
        known = members.get(member.name)
        members[member.name] = member.type if known is None else widest(known, member.type)
    if any(kind is None for kind in members.values()):
        return None
    return pa.struct(list(members.items()))


def _fields(kind: Any) -> list[pa.Field]:
    return [kind.field(i) for i in range(kind.num_fields)]
