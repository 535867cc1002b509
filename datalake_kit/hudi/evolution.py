"""Columns whose schema changed over the commits: what an old file holds, as a column of the newest schema.

A column is found by its name in any case of letters. A value is never changed: types that hold the old values by
themselves are converted, those that may not are converted value by value and refuse a loss, others are refused by name.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from datalake_kit.engines.types import plain
from datalake_kit.errors import HudiError


class Fit(enum.IntEnum):
    """How the values of a stored type become those of another: always, after a look at each, or never."""

    ALWAYS = 0
    CHECKED = 1
    NEVER = 2


def find_column(names: Iterable[str], wanted: str, taken: Iterable[str] = ()) -> str | None:
    """Return the name under which a column is stored: exactly so, else in another case of letters; None without one.

    Names in `taken` are columns of their own and are no other spelling of `wanted`.

    Raises
    ------
    HudiError
        Two stored columns differ from it only in case.
    """
    stored = list(names)
    if wanted in stored:
        return wanted
    own = set(taken)
    near = [n for n in stored if n.casefold() == wanted.casefold() and n not in own]
    if len(near) > 1:
        raise HudiError(
            f"The column {wanted!r} is stored as {' and as '.join(map(repr, near))} in one file, and nothing says "
            "which of them it is. Rewrite the file with one of them."
        )
    return near[0] if near else None


def fit(stored: pa.DataType, wanted: pa.DataType) -> Fit:
    """Say how values of a stored type become values of the type of the table's schema."""
    if stored.equals(wanted) or kinds.is_null(stored):
        return Fit.ALWAYS
    if kinds.is_timestamp(stored) and kinds.is_timestamp(wanted):
        return Fit.ALWAYS if _unit(stored) <= min(_unit(wanted), 2) else Fit.CHECKED
    stored = plain(stored)
    nested = _nested_fit(stored, wanted)
    if nested is not None:
        return nested
    if stored.equals(plain(wanted)):
        return Fit.ALWAYS
    return next((found for test, found in _RULES if test(stored, wanted)), Fit.NEVER)


def adapt(column: Any, wanted: pa.DataType) -> Any:
    """Convert an Arrow array, chunked or not, to a type of the schema; pa.ArrowInvalid where a value would change."""
    if column.type.equals(wanted):
        return column
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([adapt(chunk, wanted) for chunk in column.chunks], type=wanted)
    if kinds.is_dictionary(column.type):
        return adapt(column.dictionary_decode(), wanted)
    return _respelled(column, wanted).cast(wanted)


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table the columns of a schema: in its types, nulls where a column was added later."""
    columns = []
    for field in schema:
        stored = find_column(table.schema.names, field.name, schema.names)
        if stored is None:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        if fit(table.schema.field(stored).type, field.type) is Fit.NEVER:
            raise cannot_hold(field.name, table.schema.field(stored).type, field.type)
        columns.append(adapt(table.column(stored), field.type))
    return pa.table(columns, schema=schema)


def cannot_hold(name: str, stored: pa.DataType, wanted: pa.DataType, where: object = "a file") -> HudiError:
    """Return the error for a stored type whose values the schema's type cannot show unchanged."""
    return HudiError(
        f"The column {name!r} is {stored} in {where} and {wanted} in the table's schema: its values cannot be shown "
        "unchanged as the one type. Read it with as_of= a commit before the change, or rewrite the file in Spark."
    )


def _unit(kind: pa.DataType) -> int:
    return ("s", "ms", "us", "ns").index(kind.unit)


def _nested_fit(stored: pa.DataType, wanted: pa.DataType) -> Fit | None:
    if kinds.is_struct(stored) and kinds.is_struct(wanted):
        old, new = _members(stored), _members(wanted)
        pairs = [(find_column(old, name, new), name) for name in new]
        return max((fit(old[o], new[n]) for o, n in pairs if o is not None), default=Fit.ALWAYS)
    if kinds.is_list(stored) and kinds.is_list(wanted):
        return fit(stored.value_type, wanted.value_type)
    if kinds.is_map(stored) and kinds.is_map(wanted):
        return max(fit(stored.key_type, wanted.key_type), fit(stored.item_type, wanted.item_type))
    return Fit.NEVER if kinds.is_nested(stored) or kinds.is_nested(wanted) else None


def _members(kind: Any) -> dict[str, pa.DataType]:
    return {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}


def _wider_integer(stored: pa.DataType, wanted: pa.DataType) -> bool:
    if not (kinds.is_integer(stored) and kinds.is_signed_integer(wanted)):
        return False
    return bool(stored.bit_width + kinds.is_unsigned_integer(stored) <= wanted.bit_width)


def _wider_decimal(stored: pa.DataType, wanted: pa.DataType) -> bool:
    if not (kinds.is_decimal(stored) and kinds.is_decimal(wanted)):
        return False
    whole = stored.precision - stored.scale <= wanted.precision - wanted.scale
    return bool(whole and stored.scale <= wanted.scale)


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_binary(kind) or kinds.is_fixed_size_binary(kind))


_Rule = tuple[Callable[[pa.DataType, pa.DataType], bool], Fit]
_RULES: tuple[_Rule, ...] = (
    (_wider_integer, Fit.ALWAYS),
    (_wider_decimal, Fit.ALWAYS),
    (lambda a, b: kinds.is_float32(a) and kinds.is_float64(b), Fit.ALWAYS),
    (lambda a, b: kinds.is_integer(a) and a.bit_width <= 32 and kinds.is_float64(b), Fit.ALWAYS),
    (lambda a, b: kinds.is_integer(a) and (kinds.is_integer(b) or kinds.is_floating(b)), Fit.CHECKED),
    (lambda a, b: kinds.is_integer(a) and (kinds.is_decimal(b) or kinds.is_string(b)), Fit.CHECKED),
    (lambda a, b: kinds.is_int64(a) and kinds.is_timestamp(b), Fit.CHECKED),
    (lambda a, b: kinds.is_decimal(a) and kinds.is_decimal(b), Fit.CHECKED),
    (lambda a, b: kinds.is_date(a) and kinds.is_string(b), Fit.CHECKED),
    (lambda a, b: kinds.is_time(a) and kinds.is_time(b), Fit.CHECKED),
    (lambda a, b: _is_text(a) and _is_text(b), Fit.CHECKED),
)


# --- names inside structs, which Arrow compares letter by letter


def _respelled(array: Any, wanted: pa.DataType) -> Any:
    """Give the members of structs the spelling of the wanted type; the values stay as they are."""
    if _spelling(array.type, wanted).equals(array.type):
        return array
    if array.offset:
        array = array.take(pa.array(range(len(array)), pa.int64()))
    if kinds.is_struct(array.type):
        members = _members(wanted)
        children, fields = [], []
        for name in _members(array.type):
            new = next((n for n in members if find_column([name], n, members) is not None), name)
            child = array.field(name)
            child = _respelled(child, members[new]) if new in members else child
            children.append(child)
            fields.append(pa.field(new, child.type))
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    if kinds.is_map(array.type):
        items = _respelled(array.items, wanted.item_type)
        return pa.MapArray.from_arrays(array.offsets, array.keys, items, mask=array.is_null())
    values = _respelled(array.values, wanted.value_type)
    return pa.ListArray.from_arrays(array.offsets, values, mask=array.is_null())


def _spelling(stored: Any, wanted: Any) -> pa.DataType:
    """Return the stored type with the members spelled as in the wanted type."""
    if kinds.is_struct(stored) and kinds.is_struct(wanted):
        members = _members(wanted)
        fields = []
        for name, kind in _members(stored).items():
            new = next((n for n in members if find_column([name], n, members) is not None), name)
            fields.append(pa.field(new, _spelling(kind, members[new]) if new in members else kind))
        return pa.struct(fields)
    if kinds.is_list(stored) and kinds.is_list(wanted):
        inner = _spelling(stored.value_type, wanted.value_type)
        return stored if inner.equals(stored.value_type) else pa.list_(inner)
    if kinds.is_map(stored) and kinds.is_map(wanted):
        inner = _spelling(stored.item_type, wanted.item_type)
        return stored if inner.equals(stored.item_type) else pa.map_(stored.key_type, inner)
    return stored
