"""Issues and their versions as a table that history is read from, whatever of it a frame has. Pure."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.history.calendar import to_micros

ROWS_A_BATCH = 4096  # DuckDB reads batches side by side
INSTANT = pa.timestamp("us", "UTC")
_INSTANTS = ("created", "updated", "landed", "status_category_changed")
_TEXTS = ("key", "status", "status_id", "status_category")

# One row a version; `version` counts from 1 in the order that decides which is the newest. `instant` is when it was as
# it is; a version that has none is not usable, unless it is the only one.
_VERSIONS = """
    CREATE OR REPLACE TEMP TABLE _versions AS
    SELECT *, CASE WHEN dated THEN updated ELSE landed END AS instant
    FROM (SELECT * EXCLUDE (changelog), changelog IS NOT NULL AS expanded, {columns} FROM _frame)
"""
_ONE_EACH = "1 AS version, updated IS NOT NULL AS dated"
_SEVERAL = """
    row_number() OVER (PARTITION BY id ORDER BY updated NULLS FIRST, landed NULLS FIRST, row) AS version,
    bool_or(updated IS NOT NULL) OVER (PARTITION BY id) AS dated
"""


def register_versions(connection: duckdb.DuckDBPyConnection, df: pd.DataFrame) -> bool:
    """Make the table `_versions` (row, id, key, instants, status, version ...), and `_frame` with the changelogs.

    Returns whether each issue has but one version.

    Raises
    ------
    ColumnNotFoundError
        No `id`.
    DataError
        A row without id, or a column of instants without a time zone.
    """
    if "id" not in df.columns:
        raise ColumnNotFoundError(
            "The frame has no column id. Give a frame of dk.jira.load(...).frame() or .versions()."
        )
    missing = int(df["id"].isna().sum())
    if missing:
        raise DataError(f"{missing} rows have no id: whose history they are is not known. Leave them out.")
    columns: dict[str, Any] = {"row": pa.array(np.arange(len(df))), "id": as_texts(df["id"])}
    columns |= {name: as_texts(df[name]) if name in df else _none(len(df)) for name in _TEXTS}
    columns |= {name: pa.array(read_instants(df, name).view("datetime64[us]"), INSTANT) for name in _INSTANTS}
    columns["changelog"] = _changelog_texts(df["changelog"]) if "changelog" in df else _none(len(df))
    table = pa.table(columns)
    connection.register("_frame", pa.Table.from_batches(table.to_batches(ROWS_A_BATCH), table.schema))
    single: bool = pc.count_distinct(columns["id"]).as_py() == len(df)
    connection.execute(_VERSIONS.format(columns=_ONE_EACH if single else _SEVERAL))
    return single


def read_instants(df: pd.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A column as microseconds since 1970; the smallest integer where there is none, or no such column."""
    if name not in df.columns:
        return np.full(len(df), np.iinfo(np.int64).min)
    try:
        return to_micros(df[name])
    except DataError as error:
        raise DataError(f"Column {name}: {error}") from None


def to_writable(table: pa.Table) -> pd.DataFrame:
    """A table as a frame whose cells can be set: numbers and instants that share their memory with Arrow are copied."""
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True, ignore_metadata=True)
    columns = {}
    for name in frame.columns:
        values = frame[name].array
        columns[name] = values if isinstance(values.dtype, pd.StringDtype) else values.copy()
    return pd.DataFrame(columns, index=frame.index, columns=frame.columns, copy=False)


def as_texts(column: pd.Series[Any]) -> pa.Array:
    """A column as text; a number without its needless decimals."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        column = column.map(lambda v: None if pd.isna(v) else f"{v:.15g}")
    return pa.array(column.astype("str").array, pa.large_string(), from_pandas=True)


def _none(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.large_string())


def _changelog_texts(column: pd.Series[Any]) -> pa.Array:
    """Each changelog as JSON text; null where there is none."""
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).map(_as_json)
    return pa.array(column.array, pa.large_string(), from_pandas=True)


def _as_json(value: Any) -> Any:
    if isinstance(value, dict | list | np.ndarray):
        value = json.dumps(value, ensure_ascii=False, default=_plain)
    return (
        value.encode("utf-8", "replace").decode() if isinstance(value, str) else None if pd.isna(value) else str(value)
    )


def _plain(value: Any) -> Any:
    """What a nested value of Arrow is in JSON."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)
