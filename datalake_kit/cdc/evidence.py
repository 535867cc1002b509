"""What DMS itself says went wrong: exceptions while applying changes, failures of its validation, suspended tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from datalake_kit.cdc.dms import DmsFile
from datalake_kit.cdc.dms_names import CHANGE, CONTROL, file_format, kind_of
from datalake_kit.cdc.settings import DEFAULT, DmsSettings
from datalake_kit.cdc.spool import Spool
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError
from datalake_kit.storage import Place, S3Path, list_files, place

Evidence = pd.DataFrame | str | Place | DmsFile | Mapping[str, Any] | Iterable[Any]

# The documented columns of the control tables that speak of tables.
TABLES: dict[str, tuple[str, ...]] = {
    "awsdms_apply_exceptions": ("TASK_NAME", "TABLE_OWNER", "TABLE_NAME", "ERROR_TIME", "STATEMENT", "ERROR"),
    "awsdms_validation_failures_v1": (
        "TASK_NAME", "TABLE_OWNER", "TABLE_NAME", "FAILURE_TIME", "KEY_TYPE", "KEY", "FAILURE_TYPE", "DETAILS",
    ),
    "awsdms_suspended_tables": (
        "SERVER_NAME", "TASK_NAME", "TABLE_OWNER", "TABLE_NAME", "SUSPEND_REASON", "SUSPEND_TIMESTAMP",
    ),
}  # fmt: skip
_SILENT = ("awsdms_status", "awsdms_history")  # of tasks, not of tables

APPLY, SUSPENDED = "apply exception", "suspended"
FAILURES = {
    "RECORD_DIFF": "record differs",
    "MISSING_SOURCE": "missing in source",
    "MISSING_TARGET": "missing in target",
}
_FRAME = {"kind": "str", "key": "object", "time": "datetime64[us, UTC]", "text": "str"}
_LONGEST = 500


def evidence_of(
    evidence: Evidence,
    schema: str,
    table: str,
    *,
    keys: Sequence[str] = (),
    settings: DmsSettings | None = None,
) -> pd.DataFrame:
    """Return what DMS says of one table.

    Parameters
    ----------
    evidence : DataFrame, path, DmsFile, or several of these in a list or mapping
        Rows of awsdms_apply_exceptions, awsdms_validation_failures_v1 or awsdms_suspended_tables: a frame, a Parquet or
        CSV file or a folder of such, or the staged files of kind "control". A table is known by its columns.
    schema, table : str
        As the staging folders name them; case does not count. Where DMS names no such owner, rows of the table's name
        count if they are of one owner alone.
    keys : sequence of str
        The key columns, to find the key in the statement of an exception.
    settings : DmsSettings, optional
        How staged control tables were written.

    Returns
    -------
    pandas.DataFrame
        `kind`: "apply exception", "record differs", "missing in source", "missing in target" or "suspended"; `key`, a
        tuple of texts, None where DMS does not say it; `time` (UTC); `text`. The oldest first.

    Raises
    ------
    DataError
        Rows that have the columns of none of these tables, or a failure of an unknown type.
    UnreadableFileError
        A file is gone or cut short.

    Examples
    --------
    >>> evidence_of("awsdms_apply_exceptions.csv", "taxi_trips", "table_1")["text"]            # doctest: +SKIP
    """
    rows: list[tuple[str, tuple[str, ...] | None, Any, str]] = []
    for frame in _frames(evidence, settings or DEFAULT):
        rows += [_read(row, keys) for row in _of_table(frame, schema, table).to_dict("records")]
    found = pd.DataFrame(rows, columns=list(_FRAME))
    found["time"] = pd.to_datetime(found["time"], utc=True, errors="coerce", format="mixed")
    return found.astype(_FRAME).sort_values("time", kind="stable", ignore_index=True)


def _frames(evidence: Any, settings: DmsSettings) -> list[pd.DataFrame]:
    if isinstance(evidence, pd.DataFrame):
        return [_known(evidence, "The frame")]
    if isinstance(evidence, DmsFile):
        return _staged([evidence], settings)
    if isinstance(evidence, (str, Path, S3Path)):
        return _located(place(evidence), settings)
    if isinstance(evidence, bytes) or not isinstance(evidence, Iterable):
        raise ParameterError(f"evidence is a frame, a path, or several of these, not {evidence!r}.")
    parts = list(evidence.values() if isinstance(evidence, Mapping) else evidence)
    staged = [p for p in parts if isinstance(p, DmsFile)]
    others = [f for p in parts if not isinstance(p, DmsFile) for f in _frames(p, settings)]
    return [*_staged(staged, settings), *others]


def _located(location: Place, settings: DmsSettings) -> list[pd.DataFrame]:
    files: Sequence[Place] = [location] if location.is_file() else list_files(location) if location.is_dir() else []
    if not files:
        raise UnreadableFileError(f"No such file or folder of evidence: {location}. Correct the path.")
    found = [DmsFile(f, f.name, "", _folder_table(f), CONTROL, None) for f in files if file_format(f.name)]
    if not found:
        raise UnreadableFileError(f"No Parquet or CSV file of evidence in {location}. Give DMS's own control tables.")
    return _staged(found, settings)


def _folder_table(file: Place) -> str:
    """The control table that the names of a file and its folders tell; else the file's own name."""
    for part in reversed(file.parts):
        for table in (*TABLES, *_SILENT):
            if table in part.casefold():
                return table
    return file.name


def _staged(files: Sequence[DmsFile], settings: DmsSettings) -> list[pd.DataFrame]:
    def columns(_: str, table: str) -> Sequence[str] | None:
        return TABLES.get(table.casefold())

    frames = []
    with Spool() as spool:
        for file in files:
            if file.table.casefold() in _SILENT:
                continue
            # Changes and loads of control tables begin with the operation alike.
            kind = CHANGE if kind_of(file.path.name) == CHANGE else file.kind
            (path,) = spool.parquet([replace(file, kind=kind)], replace(settings, columns=columns, inserts_only=True))
            frames.append(_known(pq.read_table(path).to_pandas(), str(file.path)))
    return frames


def _known(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows with upper-case column names; refused when they are of none of the known tables."""
    named = frame.rename(columns=lambda c: str(c).strip().upper())
    if not any(set(_needed(table)) <= set(named.columns) for table in TABLES):
        raise DataError(
            f"{where} has the columns {', '.join(map(str, frame.columns))}, those of none of {', '.join(TABLES)}."
        )
    return named


def _needed(table: str) -> list[str]:
    return [c for c in TABLES[table] if c not in ("TASK_NAME", "SERVER_NAME", "KEY_TYPE", "DETAILS")]


def _of_table(frame: pd.DataFrame, schema: str, table: str) -> pd.DataFrame:
    owner = frame["TABLE_OWNER"].astype(str).str.strip().str.casefold()
    named = frame["TABLE_NAME"].astype(str).str.strip().str.casefold() == table.casefold()
    own = named & (owner == schema.rpartition("/")[2].casefold())
    if not own.any() and owner[named].nunique() == 1:
        own = named  # DMS may have renamed the schema on its way
    return frame[own]


def _read(row: Mapping[Any, Any], keys: Sequence[str]) -> tuple[str, tuple[str, ...] | None, Any, str]:
    if "FAILURE_TYPE" in row:
        kind = FAILURES.get(str(row["FAILURE_TYPE"]).strip().upper())
        if kind is None:
            raise DataError(f"FAILURE_TYPE is {row['FAILURE_TYPE']!r}, not one of {', '.join(FAILURES)}.")
        return kind, _key(row["KEY"]), row["FAILURE_TIME"], _short(row.get("DETAILS"))
    if "SUSPEND_REASON" in row:
        return SUSPENDED, None, row["SUSPEND_TIMESTAMP"], _short(row["SUSPEND_REASON"])
    text = " | ".join(t for t in (_short(row["ERROR"]), _short(row["STATEMENT"])) if t)
    return APPLY, _key_in(str(row["STATEMENT"]), keys) if keys else None, row["ERROR_TIME"], text


def _key(value: Any) -> tuple[str, ...] | None:
    """The key of `{"key": ["3451491"]}`; text that is no JSON is the key itself."""
    if value is None or value != value:
        return None
    try:
        found = json.loads(str(value))
    except json.JSONDecodeError:
        return (str(value),)
    if isinstance(found, dict):
        found = found.get("key", list(found.values()))
    return tuple("" if v is None else str(v) for v in (found if isinstance(found, list) else [found]))


def _key_in(statement: str, keys: Sequence[str]) -> tuple[str, ...] | None:
    """The key in the VALUES or the WHERE of a statement, None where it has none or cannot be parsed."""
    import sqlglot
    from sqlglot import exp

    try:
        parsed = sqlglot.parse_one(statement)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    found: dict[str, str] = {}
    if isinstance(parsed, exp.Insert) and isinstance(parsed.this, exp.Schema):
        row = parsed.find(exp.Tuple)
        values = row.expressions if row is not None else []
        named = [e.name.casefold() for e in parsed.this.expressions]
        found = {n: v.name for n, v in zip(named, values, strict=False) if isinstance(v, exp.Literal)}
    where = parsed.find(exp.Where)
    for equal in where.find_all(exp.EQ) if where is not None else ():
        if isinstance(equal.this, exp.Column) and isinstance(equal.expression, exp.Literal):
            found[equal.this.name.casefold()] = equal.expression.name
    told = [found.get(k.casefold()) for k in keys]
    return tuple(t for t in told if t is not None) if None not in told else None


def _short(value: Any) -> str:
    if value is None or value != value:
        return ""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
