"""Rows on their way into a dataset: any of the usual kinds as Arrow batches of types that Athena reads.

Both engines read back what is stored here: timestamps in UTC in microseconds, whole numbers with a sign, text as text.
What would lose something on the way is refused by the name of its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from datalake_kit.engines.types import hive_type
from datalake_kit.errors import DataError, ParameterError

__all__ = ["Rows", "as_stored", "batches_of", "check_names", "stored_schema"]

Rows = Any  # a DataFrame, a Table, a RecordBatch, a RecordBatchReader, or an iterable of Tables and RecordBatches

_SIGNED = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0)}
_NAME = re.compile(r"[a-z0-9_]+")
_MOST_BATCH = 256 * 1024  # rows


def batches_of(rows: Rows) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the rows as batches with their schema; pandas' missing values are NULL.

    Raises
    ------
    ParameterError
        Rows of another kind.
    DataError
        A column of a DataFrame holds values of several types; it is named.
    """
    if isinstance(rows, pa.Table):
        return rows.schema, iter(rows.to_batches(max_chunksize=_MOST_BATCH))
    if isinstance(rows, pa.RecordBatch):
        return rows.schema, iter([rows])
    if isinstance(rows, pa.RecordBatchReader):
        return rows.schema, iter(rows)
    if type(rows).__module__.startswith("pandas") and hasattr(rows, "columns"):
        return batches_of(_from_frame(rows))
    if isinstance(rows, Iterable) and not isinstance(rows, str | bytes | dict):
        return _from_parts(iter(rows))
    raise ParameterError(f"Rows are a DataFrame, an Arrow table or batches of one, not {type(rows).__name__}.")


def _from_frame(frame: Any) -> pa.Table:
    names = [str(c) for c in frame.columns]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise DataError(f"Two columns of one name: {', '.join(twice)}. Rename one.")
    columns = []
    for name in frame.columns:
        try:
            columns.append(pa.array(frame[name], from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError) as problem:
            raise DataError(f"Column {name!r} cannot be stored: {str(problem).splitlines()[0]}") from None
    columns = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
    return pa.table(columns, names=names)


def _from_parts(parts: Iterator[Any]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    first = next(parts, None)
    if first is None:
        raise ParameterError("There is not one batch of rows, so that the columns are unknown. Give an empty table.")
    schema, begin = batches_of(first)

    def go_on() -> Iterator[pa.RecordBatch]:
        yield from begin
        for part in parts:
            yield from batches_of(part)[1]

    return schema, go_on()


def check_names(names: Sequence[str], *, for_athena: bool) -> None:
    """Refuse names of columns that a table cannot have: empty ones, twins in case, for Athena any but a-z, 0-9, _."""
    folded = [n.lower() for n in names]
    twins = sorted({n for n, f in zip(names, folded, strict=True) if folded.count(f) > 1})
    if twins:
        raise DataError(f"Columns differ only in case: {', '.join(twins)}. Athena cannot tell them apart; rename one.")
    odd = [n for n in names if not n.strip() or any(ord(c) < 32 for c in n)]
    if for_athena:
        odd += [n for n in names if n not in odd and not _NAME.fullmatch(n.lower())]
    if odd:
        renamed = re.sub(r"\W+", "_", odd[0].lower(), flags=re.ASCII) or "name"
        raise DataError(f"Athena takes no column of the name {odd[0]!r}. Rename it, to {renamed!r} for example.")


def stored_schema(schema: pa.Schema, known: pa.Schema | None = None) -> pa.Schema:
    """Return the columns as they are stored, names in lower case; a column that is only NULL has its known type.

    Raises
    ------
    DataError
        A type that Athena does not read from Parquet (times of day, spans, unions); the column is named.
    """
    types = {f.name: f.type for f in known} if known is not None else {}
    fields = []
    for field in schema:
        name = field.name.lower()
        kind = _stored(field.type, field.name)
        if pa.types.is_null(field.type) and name in types:
            kind = types[name]
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def _stored(kind: pa.DataType, name: str) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type, name)
    if isinstance(kind, pa.BaseExtensionType):
        return _stored(kind.storage_type, name)
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind):
        if kind.precision > 38 or kind.scale < 0 or kind.scale > kind.precision:
            raise DataError(f"Column {name!r} is {kind}; Athena has decimals of 38 digits at most. Cast it.")
        return pa.decimal128(kind.precision, kind.scale)
    if kind in _SIGNED:
        return _SIGNED[kind]
    if pa.types.is_nested(kind):
        return _stored_nested(kind, name)
    if pa.types.is_time(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        raise DataError(f"Column {name!r} is {kind}, which no table of Athena has. Store it as text or as a number.")
    return kind


def _stored_nested(kind: Any, name: str) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.map_(_stored(kind.key_type, name), _stored(kind.item_type, name))
    if pa.types.is_struct(kind):
        members = [kind.field(i) for i in range(kind.num_fields)]
        odd = [m.name for m in members if not _NAME.fullmatch(m.name.lower())]
        if odd or not members or len({m.name.lower() for m in members}) < len(members):
            said = f"its members {odd or [m.name for m in members]} need names of a-z, 0-9 and _, each its own"
            raise DataError(f"Column {name!r} cannot be stored: {said}.")
        return pa.struct([pa.field(m.name, _stored(m.type, name)) for m in members])
    if pa.types.is_union(kind):
        raise DataError(f"Column {name!r} is a union, which no table of Athena has. Store its parts as columns.")
    return pa.list_(_stored(kind.value_type, name))


def as_stored(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Return a batch with the columns of a stored schema; DataError names a column of which something would be lost."""
    columns = []
    given = {n.lower(): i for i, n in enumerate(batch.schema.names)}
    if len(given) != len(schema) or set(given) != set(schema.names):
        raise DataError(f"A batch has the columns {batch.schema.names}, the first one had {schema.names}.")
    for field in schema:
        columns.append(_cast(batch.column(given[field.name]), field))
    return pa.table(columns, schema=schema)


def _cast(values: Any, field: pa.Field) -> Any:
    if values.type.equals(field.type):
        return values
    if not _is_same_kind(values.type, field.type):
        raise DataError(
            f"Column {field.name!r} is {hive_type(values.type)} here and {hive_type(field.type)} in the table. Cast it."
        )
    try:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        return values.cast(field.type, safe=True)
    except (pa.ArrowException, ValueError) as problem:
        hint = " Athena's timestamps end at microseconds; round it first." if pa.types.is_timestamp(field.type) else ""
        said = str(problem).splitlines()[0].rstrip(".")
        raise DataError(f"Column {field.name!r} does not fit {hive_type(field.type)}: {said}.{hint}") from None


def _is_same_kind(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of one type may become those of another, as far as they fit: numbers numbers, times times."""
    if pa.types.is_null(one):
        return True
    one, other = _stored(one, ""), _stored(other, "") if not pa.types.is_nested(other) else other
    if one.equals(other):
        return True
    if pa.types.is_nested(one) and pa.types.is_nested(other):
        parts = [[kind.field(i) for i in range(kind.num_fields)] for kind in (one, other)]
        same = type(one) is type(other) and [f.name for f in parts[0]] == [f.name for f in parts[1]]
        return same and all(_is_same_kind(a.type, b.type) for a, b in zip(*parts, strict=True))
    return any(test(one) and test(other) for test in (_is_number, pa.types.is_timestamp, pa.types.is_date))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
