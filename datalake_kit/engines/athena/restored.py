"""What UNLOAD takes of each type, and how the values come back from the Parquet files that it writes.

UNLOAD takes no timestamp with a zone, no time, no JSON and the like, and no row whose fields lack names: in the
statement these become text, and rows have fields f0, f1 and so on. Timestamps become milliseconds since 1970, or text
where they have more digits: the files might cut these, or UNLOAD refuse their precision.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.engines.athena.types import AthenaType, arrow_type
from datalake_kit.engines.athena.values import read_column

_AS_TEXT = frozenset(
    [
        "timestamp",
        "timestamp with time zone",
        "json",
        "time",
        "char",
        "uuid",
        "ipaddress",
        "unknown",
        "interval day to second",
        "interval year to month",
    ]
)
_MILLISECONDS = 3


def needs_exact_type(kind: AthenaType) -> bool:
    """Whether the bare word of GetQueryResults does not tell how a column is to be unloaded."""
    return (kind.nested and not kind.parts) or (kind.base.startswith("timestamp") and not kind.arguments)


def unloaded(value: str, kind: AthenaType, depth: int = 0) -> str:
    """Write the expression of SQL by which UNLOAD takes a value.

    Examples
    --------
    >>> from datalake_kit.engines.athena.types import parse_type
    >>> unloaded("c0", parse_type("bigint"))
    'c0'
    >>> unloaded("c0", parse_type("array(time(3))"))
    'transform(c0, x0 -> CAST(x0 AS varchar))'
    """
    if _as_milliseconds(kind):
        zone = " UTC" if kind.base == "timestamp with time zone" else ""
        return f"date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00.000{zone}', {value})"
    if kind.base == "timestamp with time zone":
        return f"CAST(at_timezone({value}, 'UTC') AS varchar)"
    if kind.base == "json":
        return f"json_format({value})"
    if _as_text(kind):
        return f"CAST({value} AS varchar)"
    if kind.base == "array":
        return _transformed("transform({0}, {1} -> {2})", value, f"x{depth}", kind.parts[0], depth)
    if kind.base == "map":
        key, item = f"k{depth}", f"v{depth}"
        keyed = _transformed(f"transform_keys({{0}}, ({key}, {item}) -> {{2}})", value, key, kind.parts[0], depth)
        return _transformed(f"transform_values({{0}}, ({key}, {item}) -> {{2}})", keyed, item, kind.parts[1], depth)
    if kind.base == "row":
        fields = [unloaded(f"{value}[{place}]", part, depth) for place, part in enumerate(kind.parts, start=1)]
        return f"IF({value} IS NULL, NULL, CAST(ROW({', '.join(fields)}) AS {stored(kind)}))"
    return value


def _transformed(form: str, value: str, name: str, kind: AthenaType, depth: int) -> str:
    inner = unloaded(name, kind, depth + 1)
    return value if inner == name else form.format(value, name, inner)


def _as_text(kind: AthenaType) -> bool:
    return kind.base in _AS_TEXT


def _as_milliseconds(kind: AthenaType) -> bool:
    moment = kind.base in ("timestamp", "timestamp with time zone")
    return moment and (kind.arguments or (9,))[0] <= _MILLISECONDS


def stored(kind: AthenaType) -> str:
    """Write the type of SQL that a value has in the files."""
    if _as_milliseconds(kind):
        return "bigint"
    if _as_text(kind):
        return "varchar"
    parts = [stored(part) for part in kind.parts]
    if kind.base == "row":
        return f"row({', '.join(f'f{place} {part}' for place, part in enumerate(parts))})"
    inner = ", ".join(parts or map(str, kind.arguments))
    return f"{kind.base}({inner})" if inner else {"float": "real"}.get(kind.base, kind.base)


def restored(values: pa.Array, kind: AthenaType, *, column: str, first_row: int = 0) -> pa.Array:
    """Return the values of a file in the type that the statement gave them.

    Parameters
    ----------
    values
        As the file has them.
    kind
        The type of the column in the statement.
    column, first_row
        The column's name and the number of rows before these, for errors.
    """
    wanted = arrow_type(kind, column)
    if kind.base == "array":
        items = restored(values.values, kind.parts[0], column=column, first_row=first_row)
        return pa.ListArray.from_arrays(_offsets(values), items, type=wanted)
    if kind.base == "map":
        keys = restored(values.keys, kind.parts[0], column=column, first_row=first_row)
        items = restored(values.items, kind.parts[1], column=column, first_row=first_row)
        return pa.MapArray.from_arrays(_offsets(values), keys, items, type=wanted)
    if kind.base == "row":
        fields = [
            restored(values.field(place), part, column=column, first_row=first_row)
            for place, part in enumerate(kind.parts)
        ]
        return pa.StructArray.from_arrays(fields, fields=list(wanted), mask=values.is_null())
    if values.type == wanted:
        return values
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return read_column(values, kind, column=column, first_row=first_row)
    if pa.types.is_timestamp(wanted) and pa.types.is_int64(values.type):
        return values.cast(pa.timestamp("ms", tz=wanted.tz)).cast(wanted)
    return values.cast(wanted)


def _offsets(values: pa.Array) -> pa.Array:
    """Where each list begins, null where there is none."""
    if not values.null_count:
        return values.offsets
    gone = pa.concat_arrays([values.is_null(), pa.array([False])])
    return pc.if_else(gone, pa.scalar(None, pa.int32()), values.offsets)
