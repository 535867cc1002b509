"""Partitions in the names of folders, as Hive writes them: `day=2026-03-01/kind=a%2Fb`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from datalake_kit.errors import DataError

__all__ = ["NULL_PARTITION", "Values", "folder_of", "partition_text", "typed_value", "values_in", "wanted"]

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
Values = tuple[str | None, ...]  # of one partition, as text, in the order of the partition columns

_ESCAPED = frozenset([*map(chr, range(32)), *"\"#%'*/:=?\\{[]^\x7f"])  # as Hive's FileUtils.escapePathName


def folder_of(keys: Sequence[str], values: Values) -> str:
    """Return the folder of a partition, relative to its table; empty without partition columns.

    >>> folder_of(["day", "kind"], ("2026-03-01", "a/b c"))
    'day=2026-03-01/kind=a%2Fb c'
    """
    return "/".join(
        f"{_quote(k)}={NULL_PARTITION if v is None else _quote(v)}" for k, v in zip(keys, values, strict=True)
    )


def values_in(parts: Iterable[str]) -> dict[str, str | None]:
    """Return the partition columns and values that the folders of a path tell.

    >>> values_in(["some", "kind=a%2Fb", "day=__HIVE_DEFAULT_PARTITION__"])
    {'kind': 'a/b', 'day': None}
    """
    found: dict[str, str | None] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if equals:
            found[unquote(key)] = None if value == NULL_PARTITION else unquote(value)
    return found


def partition_text(column: Any, name: str) -> Any:
    """Return the values of a partition column as text, as folders and the Glue catalog have them.

    Raises
    ------
    DataError
        A type that makes no partitions, or text that Hive takes for NULL: '' and its own word for it.
    """
    kind = column.type
    if pa.types.is_string(kind):
        for value in column.unique().to_pylist():
            if value in ("", NULL_PARTITION):
                raise DataError(
                    f"Partition column {name!r} holds {value!r}, which Hive cannot tell from NULL. "
                    "Give it another value, or leave the column among the others."
                )
        return column
    if pa.types.is_integer(kind) or pa.types.is_date(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    raise DataError(
        f"Partition column {name!r} is {kind}: partitions are made of text, whole numbers, dates or booleans. "
        "Cast it, a moment to its date for example."
    )


def typed_value(text: str | None, kind: pa.DataType) -> pa.Scalar:
    """Return the value of a partition in the type of its column; DataError where it is none of this type."""
    try:
        return pa.scalar(text, pa.string()).cast(kind)
    except (pa.ArrowException, ValueError) as problem:
        raise DataError(f"The value {text!r} of a partition is no {kind}: {problem}.") from None


def wanted(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
    """Whether a partition is one of those chosen: a value, or one of several, for each column named."""
    for key, choice in chosen.items():
        several = isinstance(choice, list | tuple | set | frozenset)
        if values[key] not in (choice if several else (choice,)):
            return False
    return True


def _quote(text: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in _ESCAPED else c for c in text)
