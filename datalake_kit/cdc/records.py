"""Validations over time: each leaves one small Parquet file, since a Hudi timeline forgets and a report is thrown away.

The files lie in `validations/` below a folder of the user's choice. Where that folder is a database of a lake, the
records are a table of the lake: `lake.sql("SELECT * FROM operations.validations")`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.storage import list_files, write_atomically

if TYPE_CHECKING:
    from datalake_kit.cdc.result import Validation

FOLDER = "validations"

_NUMBERS = (
    "source",
    "expected",
    "lake",
    "difference",
    "missing",
    "extra",
    "changed",
    "duplicates",
    "unverified",
    "lag",
    "untrusted",
    "full_load",
    "changes",
)
SCHEMA = pa.schema(
    [
        ("validation", pa.string()),
        ("checked_at", pa.timestamp("us")),
        ("level", pa.string()),
        ("table_name", pa.string()),
        ("verdict", pa.string()),
        *((name, pa.int64()) for name in _NUMBERS),
        ("compared", pa.string()),
        ("newest_commit", pa.string()),
        ("changes_until", pa.string()),
        ("explanation", pa.string()),
    ]
)


def append_record(validation: Validation, folder: str | Path) -> str:
    """Write one row a table of a validation to `validations/` below a folder; return the file's address.

    A file is written whole or not at all, and no two validations share one, so runs at the same time do not collide.

    Raises
    ------
    UnreadableFileError
        The folder cannot be written.
    """
    checked = _checked_at(validation)
    name = f"{checked:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"
    target = f"{str(folder).rstrip('/')}/{FOLDER}/{name}"
    rows = pa.Table.from_pylist([_row(validation, row, name, checked) for row in _summary(validation)], schema=SCHEMA)
    try:
        with write_atomically(target) as temporary:
            pq.write_table(rows, temporary, compression="zstd")
    except OSError as problem:
        raise UnreadableFileError(f"The validation cannot be recorded in {target}: {problem}.") from problem
    return target


def history(folder: str | Path) -> pd.DataFrame:
    """Read the validations that were recorded below a folder, oldest first.

    Parameters
    ----------
    folder : path
        What `validate(..., history=folder)` was given.

    Returns
    -------
    pandas.DataFrame
        One row a table and validation: `validation` (an id), `checked_at` (UTC), `level`, `table`, `verdict`, the
        numbers of `Validation.summary`, `compared`, `newest_commit`, `changes_until`, `explanation`.

    Raises
    ------
    UnreadableFileError
        Nothing was recorded there, or a record is cut short; it is named.

    Examples
    --------
    >>> dk.plots.cdc.history(dk.cdc.history("operations"))                                   # doctest: +SKIP
    """
    below = f"{str(folder).rstrip('/')}/{FOLDER}"
    files = list_files(below, suffixes=(".parquet",))
    if not files:
        raise UnreadableFileError(
            f"No validation is recorded in {below}. Record one with dk.cdc.validate(..., history={str(folder)!r})."
        )
    tables = [_read(file) for file in files]
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame = frame.rename(columns={"table_name": "table"})
    frame["checked_at"] = frame["checked_at"].dt.tz_localize("UTC")
    frame = frame.astype(dict.fromkeys(_NUMBERS, "Int64"))
    return frame.sort_values(["checked_at", "validation"], kind="stable", ignore_index=True)


def _read(file: Any) -> pa.Table:
    from datalake_kit.storage import open_parquet

    with open_parquet(file) as parquet:
        table = parquet.read()
    missing = [name for name in ("validation", "checked_at", "table_name", "verdict") if name not in table.schema.names]
    if missing:
        raise DataError(f"{file} is no record of a validation: it lacks {', '.join(missing)}. Move it away.")
    columns = [
        table.column(f.name).cast(f.type) if f.name in table.schema.names else pa.nulls(table.num_rows, f.type)
        for f in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _checked_at(validation: Validation) -> datetime:
    told = validation.provenance.get("checked at")
    return datetime.fromisoformat(str(told)) if told else datetime.now(UTC)


def _summary(validation: Validation) -> list[dict[Any, Any]]:
    plain = validation.summary.astype(object).where(validation.summary.notna(), None)
    return plain.to_dict(orient="records")


def _row(validation: Validation, row: Mapping[Any, Any], name: str, checked: datetime) -> dict[str, Any]:
    known = validation.provenance
    return {
        "validation": name.removesuffix(".parquet"),
        "checked_at": checked.astimezone(UTC).replace(tzinfo=None),
        "level": validation.level,
        "table_name": row["table"],
        "verdict": row["verdict"],
        **{n: row[n] for n in _NUMBERS},
        "compared": row["compared"],
        "newest_commit": known.get("newest commit", {}).get(row["table"]),
        "changes_until": known.get("changes until", {}).get(row["table"]),
        "explanation": row["explanation"],
    }
