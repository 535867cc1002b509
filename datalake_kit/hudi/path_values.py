"""Values of partition columns that a table keeps in its folders' names alone (drop.partition.columns=true)."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.types as kinds

from datalake_kit.errors import HudiError
from datalake_kit.hudi.properties import TableProperties

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_OLD_NULL = "default"  # so tables before version 5 name it
_FIRST_VERSION_WITH_HIVE_NULL = 5


def path_values(table: TableProperties, path: str, schema: pa.Schema) -> dict[str, Any]:
    """Return the values of the partition columns that a partition path tells, in the types of the schema.

    A table that keeps the columns in its files tells none here. NULL and empty text are the same in a path: both are
    NULL.

    Raises
    ------
    HudiError
        A key generator whose path does not give the value back, or a path that does not fit the columns.
    """
    if not table.drops_partition_columns:
        return {}
    _refuse_lossy_generators(table)
    fields = table.partition_fields
    parts = path.split("/") if len(fields) != 1 else [path]
    if len(parts) != len(fields):
        raise HudiError(
            f"{table.folder}: the partition path {path!r} has {len(parts)} parts and the table {len(fields)} partition "
            f"columns ({', '.join(fields)}), so their values are not known. Read the table in Spark."
        )
    return {n: _value(table, n, part, schema) for n, part in zip(fields, parts, strict=True)}


def _refuse_lossy_generators(table: TableProperties) -> None:
    generator = f"{table.key_generator} {table.raw.get('hoodie.table.keygenerator.type', '')}".strip()
    written = table.raw.get("hoodie.table.partition.fields", "")
    custom = any(part.strip().upper().endswith(":TIMESTAMP") for part in written.split(","))
    if "TIMESTAMP" in generator.upper() or custom:
        raise HudiError(
            f"{table.folder} leaves {', '.join(table.partition_fields)} out of its files (drop.partition.columns=true) "
            f"and makes the partition path from a time ({generator or written}), which does not give the value "
            "back. Read the other columns through Spark, or rewrite the table with the column kept."
        )


def _value(table: TableProperties, name: str, part: str, schema: pa.Schema) -> Any:
    text = part
    plain = table.raw.get("hoodie.datasource.write.hive_style_partitioning", "").strip().lower() == "false"
    if not plain and part.lower().startswith(f"{name.lower()}="):  # the property is not always there
        text = part[len(name) + 1 :]
    if table.url_encoded:
        text = unquote(text)
    old = table.version < _FIRST_VERSION_WITH_HIVE_NULL and text == _OLD_NULL
    if text in (NULL_PARTITION, "") or old:
        return None
    kind = next((f.type for f in schema if f.name.casefold() == name.casefold()), pa.string())
    read = next((read for test, read in _READERS if test(kind)), None)
    try:
        if read is None:
            raise ValueError(f"{kind} is not read from a path")
        return read(text)
    except (ValueError, ArithmeticError) as problem:
        raise HudiError(
            f"{table.folder}: the partition path {part!r} gives no {kind} for {name!r} ({problem}), and the table's "
            "files leave the column out (drop.partition.columns=true). Read the table in Spark."
        ) from None


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise ValueError("no whole number")
    return int(text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text.lower() == "true"


def _day(text: str) -> dt.date:
    if re.fullmatch(r"-?\d{1,6}", text):  # days since 1970, as older writers put it
        return dt.date(1970, 1, 1) + dt.timedelta(days=int(text))
    return dt.date.fromisoformat(text)


_READERS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str], Any]], ...] = (
    (kinds.is_string, str),
    (kinds.is_integer, _whole),
    (kinds.is_floating, float),
    (kinds.is_decimal, decimal.Decimal),
    (kinds.is_boolean, _truth),
    (kinds.is_date, _day),
)
