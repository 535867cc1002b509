"""Rows of a snapshot for which a condition holds: DuckDB reads its files, or takes its rows from Arrow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datalake_kit.engines.base import fold
from datalake_kit.engines.dialect import REFUSED_WHILE_RUNNING
from datalake_kit.errors import DataError, EngineError, SqlError, UnreadableFileError, UnsupportedSqlError
from datalake_kit.hudi.base_files import Part, part_batches
from datalake_kit.hudi.condition import RELATION, Condition, refused
from datalake_kit.hudi.evolution import adapt
from datalake_kit.hudi.part_sql import reads_alike, select_arrow, select_nothing, select_part
from datalake_kit.hudi.relay import Relay
from datalake_kit.hudi.snapshot import Snapshot
from datalake_kit.sql import quote_identifier

_ARROW = "dk_arrow"


def filtered_batches(
    snapshot: Snapshot, schema: pa.Schema, condition: Condition, cursor: Any, rows: int
) -> Iterator[pa.RecordBatch]:
    """Give the rows for which a condition holds as columns of `schema`.

    `cursor` is one of a DuckDB database that is closed to everything but the table's files; it is closed at the end.
    What can be refused without a row is refused at once.
    """
    whole = snapshot.schema(meta=True)
    names = [fold(n) for n in whole.names]
    twins = sorted(n for n in names if names.count(n) > 1)
    if twins:
        raise DataError(
            f"The columns of {snapshot.table_name} written {twins[0]!r} differ only in case, which a condition cannot "
            "tell apart. Read them without where, and filter the rows."
        )
    statement = condition.statement(whole, schema.names)
    try:
        _show(cursor, select_nothing(whole, names))
        cursor.sql(statement, params=_values(condition))
    except duckdb.Error as error:
        cursor.close()
        raise _explained(error, condition, snapshot) from error
    return _running(snapshot, schema, condition, cursor, rows, statement)


def _show(cursor: Any, source: str) -> None:
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW {quote_identifier(RELATION)} AS {source}")


def _values(condition: Condition) -> dict[str, Any] | None:
    return dict(condition.values) or None


def _running(
    snapshot: Snapshot, schema: pa.Schema, condition: Condition, cursor: Any, rows: int, statement: str
) -> Iterator[pa.RecordBatch]:
    whole = snapshot.schema(meta=True)
    relay = Relay()
    try:
        for source in _sources(snapshot, whole, [fold(n) for n in whole.names], cursor, relay, rows):
            _show(cursor, source)
            for batch in cursor.sql(statement, params=_values(condition)).to_arrow_reader(rows):
                columns = [adapt(c, f.type) for c, f in zip(batch.columns, schema, strict=True)]
                yield pa.record_batch(columns, schema=schema)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        if relay.error is not None:
            raise relay.error from None
        raise _explained(error, condition, snapshot) from error
    finally:
        cursor.close()


def _sources(
    snapshot: Snapshot, whole: pa.Schema, names: Sequence[str], cursor: Any, relay: Relay, rows: int
) -> Iterator[str]:
    """Give one statement after the other that reads a part of the rows; each holds until the next is asked for."""
    for part in snapshot.parts:
        if reads_alike(part, whole):
            yield select_part(part, whole, names)
        else:
            yield from _from_arrow(cursor, whole, names, relay.batches(part_batches(part, whole, whole.names, rows)))
    for merged in snapshot.merged_slices(whole):
        yield from _from_arrow(cursor, whole, names, iter(merged.to_batches(max_chunksize=rows)))


def _from_arrow(
    cursor: Any, whole: pa.Schema, names: Sequence[str], batches: Iterator[pa.RecordBatch]
) -> Iterator[str]:
    cursor.register(_ARROW, pa.RecordBatchReader.from_batches(whole, batches))
    yield select_arrow(_ARROW, whole, names)
    cursor.unregister(_ARROW)


def closed_cursor(parts: Sequence[Part]) -> Any:
    """Return a cursor of a DuckDB database of its own that reaches the local files of the parts and nothing else."""
    from datalake_kit.engines.dialect import connection_setup

    files = [str(f) for part in parts for f in part.files if isinstance(f, Path)]
    listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    for statement in (
        *connection_setup(),
        "SET python_enable_replacements = false",
        f"SET allowed_paths = [{listed}]",
        "SET enable_external_access = false",
    ):
        connection.execute(statement)
    with contextlib.suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has no bar to turn off
        connection.execute("SET enable_progress_bar = false")
    return connection


def _explained(error: BaseException, condition: Condition, snapshot: Snapshot) -> Exception:
    """Turn DuckDB's error into one of ours that names the file or the condition."""
    message = str(error).split("\n\nLINE ")[0].strip()
    if REFUSED_WHILE_RUNNING in message:
        reason = message.split(REFUSED_WHILE_RUNNING, 1)[1].split("' to BOOL")[0]
        return UnsupportedSqlError(f"The local engine would answer otherwise than Athena: {reason}.")
    for file in snapshot.parquet_files:
        if str(file) in message:
            return UnreadableFileError(f"{file} cannot be read: {message}. Restore the file.")
    if "cannot contain aggregates" in message or "GROUPING function" in message:
        return refused(condition.text, "it holds an aggregate, which needs more rows than one")
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.ConversionException)):
        return SqlError(
            f"where={condition.text!r} cannot be answered: {re.sub(r'^[A-Z][A-Za-z ]* Error: ', '', message)}"
        )
    return EngineError(f"{message}\nCondition: {condition.text}")
