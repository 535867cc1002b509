"""What an entry of the Glue catalog says of a table: its format, its columns, its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datalake_kit.engines.base import HUDI, ICEBERG, OTHER, PARQUET, VIEW, Column, TableInfo, TableName, fold
from datalake_kit.engines.hive import normal_type

__all__ = ["parameters_of", "table_info", "why_files_are_not_rows"]


def table_info(database: str, table: Mapping[str, Any]) -> TableInfo:
    """Return what a catalog would show, with the types spelled as those of files are."""
    storage = table.get("StorageDescriptor") or {}
    columns = [_column(c, is_partition=False) for c in storage.get("Columns") or []]
    columns += [_column(c, is_partition=True) for c in table.get("PartitionKeys") or []]
    kind = _format(table)
    location = "" if kind == VIEW else str(storage.get("Location") or "")
    return TableInfo(
        TableName(database, fold(table["Name"])), location, kind, tuple(columns), dict(table.get("Parameters") or {})
    )


def parameters_of(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of an entry, names and values in lower case."""
    return {str(k).lower(): str(v).lower() for k, v in (table.get("Parameters") or {}).items()}


def why_files_are_not_rows(table: Mapping[str, Any], kind: str) -> str:
    """Say why the files below a table's places are not what the table holds; empty where they are."""
    if kind == ICEBERG:
        return "is an Iceberg table: its own metadata says which of its files count. Read it by SQL."
    if kind == VIEW:
        return "is a view and has no files of its own. Read it by SQL."
    storage = table.get("StorageDescriptor") or {}
    if _is_delta(parameters_of(table)):
        return "is a Delta table: its log says which of its files count. Read it by SQL."
    if "symlink" in str(storage.get("InputFormat") or "").lower():
        return "is a table of symlinks: its files name the ones that count. Read it by SQL."
    return "" if storage.get("Location") else "has no place on S3. Read it by SQL."


def _column(entry: Mapping[str, Any], *, is_partition: bool) -> Column:
    return Column(fold(entry["Name"]), normal_type(str(entry.get("Type") or "")), is_partition)


def _format(table: Mapping[str, Any]) -> str:
    parameters = parameters_of(table)
    reader = str((table.get("StorageDescriptor") or {}).get("InputFormat") or "").lower()
    if table.get("TableType") == "VIRTUAL_VIEW":
        return VIEW
    if parameters.get("table_type") == "iceberg":
        return ICEBERG
    if "hoodie" in reader or "hudi" in (parameters.get("spark.sql.sources.provider"), parameters.get("table_type")):
        return HUDI
    return PARQUET if "parquet" in reader and not _is_delta(parameters) else OTHER


def _is_delta(parameters: Mapping[str, str]) -> bool:
    return "delta" in (parameters.get("spark.sql.sources.provider"), parameters.get("table_type"))
