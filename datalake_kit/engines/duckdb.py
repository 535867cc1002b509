"""The embedded engine: DuckDB over a folder.

A statement in Athena's dialect is translated (dialect), the tables that it names are looked up in the folder and shown
to DuckDB as views at that moment, so that a commit landed a second ago is seen. Nothing outside the lake is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from datalake_kit.engines import dialect as athena_dialect
from datalake_kit.engines.base import Execution, Options, QueryStats, TableInfo, TableName, fold, refuse_to_write
from datalake_kit.engines.dialect.parsing import MARK
from datalake_kit.engines.folder import FolderCatalog, FolderTable, select_layers
from datalake_kit.engines.statements import create_table_as, dollar_parameters, tables_of_duckdb
from datalake_kit.engines.types import duckdb_type
from datalake_kit.errors import (
    ColumnNotFoundError,
    EngineError,
    ParameterError,
    SqlError,
    TableNotFoundError,
    UnreadableFileError,
    UnsupportedSqlError,
    WriteRefusedError,
    did_you_mean,
)
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place, write_folder_atomically

if TYPE_CHECKING:
    from datalake_kit.hudi.snapshot import Snapshot

BATCH_ROWS = 100_000
DIALECTS = ("athena", "duckdb")


class DuckDBEngine:
    """Runs statements over a lake folder. One in-memory database an engine; safe to use from several threads."""

    name = "duckdb"

    def __init__(self, root: Path, *, database: str | None = None) -> None:
        self.catalog = FolderCatalog(root)
        self.database = database
        self._lock = threading.Lock()
        self._connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        for statement in (*athena_dialect.connection_setup(), *_closed_to(root)):
            self._connection.execute(statement)
        with contextlib.suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has no bar to turn off
            self._connection.execute("SET enable_progress_bar = false")

    # --- catalog

    def databases(self) -> list[str]:
        """Return the names of the databases of the folder."""
        return self.catalog.databases()

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database, without columns."""
        return self.catalog.tables(database)

    def describe(self, name: TableName) -> TableInfo:
        """Return a table with its columns."""
        return self.catalog.open(name).info()

    def files(self, name: TableName) -> list[Place]:
        """Return the Parquet files of a table; of a Hudi table, every file of its newest snapshot."""
        table = self.catalog.open(name)
        return table.whole_files()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    # --- statements

    def execute(self, text: str, values: Mapping[str, Any], options: Options, /) -> Execution:
        """Run one statement; see `Lake.sql`."""
        if options.dialect not in DIALECTS:
            raise ParameterError(f"No dialect {options.dialect!r}: it is one of {', '.join(DIALECTS)}.")
        started = time.perf_counter()
        if options.dialect == "duckdb":
            return self._native(text, values, started)
        shown = self._catalog_statement(text)
        if shown is not None:
            return _rows(shown, QueryStats(self.name, text, _query_id()), started)
        if athena_dialect.is_read_only(text):
            return self._select(text, values, started)
        refuse_to_write(text, allow_write=options.allow_write)
        return self._create_table_as(text, values, started)

    def translated(self, text: str, values: Mapping[str, Any]) -> tuple[str, list[FolderTable]]:
        """Return a statement of Athena's dialect in DuckDB's, and the tables that it names."""
        tables = self._open(athena_dialect.tables_named(text))
        schema = {fold(str(t.name)): _schema_of(t) for t in tables}
        if self.database:  # a table named without its database
            schema |= {
                fold(t.name.table): _schema_of(t) for t in tables if fold(t.name.database) == fold(self.database)
            }
        return athena_dialect.translate(text, schema=schema, parameters=values), tables

    def _select(self, text: str, values: Mapping[str, Any], started: float) -> Execution:
        translated, tables = self.translated(text, values)
        return self._run(translated, values, tables, started)

    def _native(self, text: str, values: Mapping[str, Any], started: float) -> Execution:
        return self._run(dollar_parameters(text), values, self._open(tables_of_duckdb(text)), started)

    def _open(self, names: Sequence[tuple[str | None, str]]) -> list[FolderTable]:
        opened = {}
        for database, table in names:
            name = self._name(database, table)
            opened[str(name).lower()] = self.catalog.open(name)
        return list(opened.values())

    def _name(self, database: str | None, table: str) -> TableName:
        if table.startswith(MARK):
            raise ParameterError(
                f":{table[1:]} stands for a value, and a table is none. Put the table's name into the statement, or "
                "write a query file whose header declares it as an identifier (lake.query)."
            )
        if database or self.database:
            return TableName(database or self.database or "", table)
        homes = [d for d in self.databases() if table.lower() in {t.name.table.lower() for t in self.tables(d)}]
        hint = (
            f"Write {homes[0]}.{table}"
            if homes
            else f"Write database.{table}; databases: {', '.join(self.databases())}"
        )
        raise TableNotFoundError(f"Table {table!r} is named without a database. {hint}, or connect with database=.")

    def _run(
        self, statement: str, values: Mapping[str, Any], tables: Sequence[FolderTable], started: float
    ) -> Execution:
        stats = QueryStats(self.name, statement, _query_id())
        with self._lock:
            cursor = self._cursor()
            try:
                _only_reads(statement)
                for table in tables:
                    _show(cursor, table)
                if self.database:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(fold(self.database))}")
                    cursor.execute(f"SET schema = {_text(fold(self.database))}")
                cursor.execute("SET enable_profiling = 'no_output'")
                reader = cursor.sql(statement, params=dict(values) or None).to_arrow_reader(BATCH_ROWS)
            except duckdb.Error as error:
                cursor.close()
                raise _explained(error, statement, tables) from error
        return Execution(
            reader.schema, _batches(cursor, reader, statement, tables), stats, _bytes_read(cursor), _started=started
        )

    def cursor(self) -> Any:
        """Return a cursor of its own of the database, closed to everything but the lake's files.

        Raises
        ------
        EngineError
            The lake is closed.
        """
        return self._cursor()

    def _cursor(self) -> Any:
        try:
            return self._connection.cursor()
        except duckdb.ConnectionException:
            raise EngineError("The lake is closed. Connect again.") from None

    def _catalog_statement(self, text: str) -> pa.Table | None:
        asked = athena_dialect.catalog_statement(text)
        if asked is None:
            return None
        if asked.kind == "databases":
            return _listed({"database_name": self.databases()}, asked.pattern)
        if asked.kind == "tables":
            database = asked.database or self.database
            if database is None:
                raise SqlError("SHOW TABLES needs a database: SHOW TABLES IN taxi, or connect with database=.")
            return _listed({"tab_name": [t.name.table for t in self.tables(database)]}, asked.pattern)
        columns = self.describe(self._name(asked.database, asked.table or "")).columns
        shown = {"col_name": [c.name for c in columns], "data_type": [c.type for c in columns]}
        return _listed(shown, asked.pattern)

    # --- writing

    def _create_table_as(self, text: str, values: Mapping[str, Any], started: float) -> Execution:
        created = create_table_as(text)
        name = self._name(created.database, created.table)
        name = TableName(fold(name.database), fold(name.table))
        target = self.catalog.root / name.database / name.table
        if _outside(self.catalog.root, target) or name.database[0] in "._" or name.table[0] in "._":
            raise SqlError(f"Not a name for a table of a lake folder: {name}.")
        if target.exists():
            raise SqlError(f"The table {name} exists already: {target}. Take another name, or remove the folder first.")
        execution = self._select(created.select, values, started)
        _check_names(execution.schema.names)
        with write_folder_atomically(target) as folder:
            rows = _write_parquet(execution.reader(), folder / "part-00000.parquet")
        execution.stats.text = f"CREATE TABLE {name.quoted} AS {execution.stats.text}"
        execution.stats.rows = 0
        return _rows(pa.table({"rows": pa.array([rows], pa.int64())}), execution.stats, started)


def _closed_to(root: Path) -> tuple[str, ...]:
    """Let a statement reach the lake's files and nothing else: no other file, no network, no variable of Python."""
    return (
        "SET python_enable_replacements = false",
        f"SET allowed_directories = [{_text(str(root) + os.sep)}]",
        "SET enable_external_access = false",
    )


def _rows(table: pa.Table, stats: QueryStats, started: float) -> Execution:
    return Execution(table.schema, iter(table.to_batches()), stats, _started=started)


def _check_names(names: list[str]) -> None:
    """Refuse what Athena refuses in a new table: columns without a name, and two of one name."""
    folded = [fold(n) for n in names]
    twice = sorted({n for n in folded if folded.count(n) > 1})
    unnamed = [n for n in names if re.fullmatch(r"_col\d+", n)]
    if twice or unnamed:
        raise SqlError(
            f"A new table needs a name of its own for each column; write AS name: {', '.join(twice + unnamed)}."
        )


def _listed(columns: dict[str, list[str]], pattern: str | None) -> pa.Table:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    if pattern is None:
        return table
    if "%" in pattern:
        raise UnsupportedSqlError(f"Pattern {pattern!r}: Athena knows * for any letters and | for a choice, not %.")
    shape = re.compile(
        "|".join(".*".join(map(re.escape, choice.split("*"))) for choice in pattern.split("|")), re.IGNORECASE
    )
    return table.filter(pa.array([bool(shape.fullmatch(name)) for name in table.column(0).to_pylist()], pa.bool_()))


def _write_parquet(reader: pa.RecordBatchReader, file: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _outside(root: Path, target: Path) -> bool:
    return root.resolve() != Path(os.path.normpath(target)).parent.parent.resolve()


def _query_id() -> str:
    return str(uuid.uuid4())


def _only_reads(statement: str) -> None:
    """Hold the translated statement against DuckDB's own parser: the last door before anything runs."""
    found = duckdb.extract_statements(statement)
    kinds = [s.type for s in found]
    if len(found) != 1 or kinds[0] not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise WriteRefusedError(f"Only one statement that reads is run at a time, not {[k.name for k in kinds]}.")


def _batches(
    cursor: Any, reader: pa.RecordBatchReader, statement: str, tables: Sequence[FolderTable]
) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _explained(error, statement, tables) from error
    finally:
        reader.close()


def _bytes_read(cursor: Any) -> Any:
    def finish(stats: QueryStats) -> None:
        try:
            profile = json.loads(cursor.get_profiling_information(format="json"))
            stats.bytes_scanned = profile["io"]["total_bytes_read"]
        except (duckdb.Error, KeyError, TypeError, ValueError):
            stats.bytes_scanned = None  # unknown is said as unknown
        cursor.close()

    return finish


# --- views


def _schema_of(table: FolderTable) -> dict[str, str]:
    return {fold(f.name): duckdb_type(f.type) for f in table.schema}


def _show(cursor: Any, table: FolderTable) -> None:
    """Make the view of one table: its columns in lower case, as the Glue catalog has them."""
    name = TableName(fold(table.name.database), fold(table.name.table))
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(name.database)}")
    if table.snapshot is not None:
        parts = _snapshot_parts(cursor, table.schema, table.snapshot)
    elif table.layers is not None:
        parts = [select_layers(table)]
    else:
        parts = [f"SELECT {', '.join(_column(f, table) for f in table.schema)} FROM {_read_parquet(table)}"]
    cursor.execute(f"CREATE OR REPLACE VIEW {name.quoted} AS {' UNION ALL '.join(parts)}")


def _snapshot_parts(cursor: Any, schema: pa.Schema, snapshot: Snapshot) -> list[str]:
    """Write what reads a Hudi table: its files where DuckDB reads them as they are, else their rows from Arrow."""
    from datalake_kit.hudi.base_files import part_table
    from datalake_kit.hudi.part_sql import reads_alike, select_arrow, select_nothing, select_part

    names = [fold(n) for n in schema.names]
    parts, read = [], []
    for part in snapshot.parts:
        if reads_alike(part, schema):
            parts.append(select_part(part, schema, names))
        else:
            read.append(part_table(part, schema, schema.names))
    if snapshot.needs_merge:
        read.append(snapshot.merged().select(schema.names))
    for rows in read:
        relation = f"_dk_rows_{uuid.uuid4().hex}"
        cursor.register(relation, rows)
        parts.append(select_arrow(relation, schema, names))
    return parts or [select_nothing(schema, names)]


def _column(field: pa.Field, table: FolderTable) -> str:
    name = quote_identifier(field.name)
    if not table.same_schema or pa.types.is_timestamp(field.type):
        name = f"CAST({name} AS {duckdb_type(field.type)})"
    return f"{name} AS {quote_identifier(fold(field.name))}"


def _read_parquet(table: FolderTable) -> str:
    files = ", ".join(_text(_no_glob(str(f))) for f in table.files)
    options = [f"union_by_name = {'false' if table.same_schema else 'true'}"]
    if table.format == "parquet" and table.partition_columns:
        kinds = {k: duckdb_type(table.schema.field(k).type) for k in table.partition_columns}
        written = ", ".join(f"{quote_identifier(k)}: {kind}" for k, kind in kinds.items())
        options += ["hive_partitioning = true", f"hive_types = {{{written}}}"]
    else:
        options.append("hive_partitioning = false")
    return f"read_parquet([{files}], {', '.join(options)})"


def _no_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# --- errors


def _explained(error: BaseException, statement: str, tables: Sequence[FolderTable]) -> Exception:
    """Turn DuckDB's error into one of ours that names the file, the column or the parameter."""
    message = str(error).split("\n\nLINE ")[0].strip()
    if athena_dialect.REFUSED_WHILE_RUNNING in message:
        reason = message.split(athena_dialect.REFUSED_WHILE_RUNNING, 1)[1].split("' to BOOL")[0]
        return UnsupportedSqlError(f"The local engine would answer otherwise than Athena: {reason}.")
    for table in tables:
        for file in table.files:
            if str(file) in message:
                return UnreadableFileError(f"{table.name}: {file} cannot be read: {message}. Restore the file.")
    if isinstance(error, duckdb.BinderException) and "GROUP BY" in message:
        return SqlError(f"{message.splitlines()[0]} Add it to GROUP BY, or take any_value(column).")
    if isinstance(error, duckdb.BinderException) and "column" in message.lower():
        columns = [fold(f.name) for t in tables for f in t.schema]
        return ColumnNotFoundError(f"{message.splitlines()[0]} {_column_hint(message, columns)}")
    if isinstance(error, duckdb.InvalidInputException) and "parameter" in message.lower():
        return ParameterError(message)
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return SqlError(f"{message}\nStatement as DuckDB had it: {statement}")
    return EngineError(f"{message}\nStatement as DuckDB had it: {statement}")


def _column_hint(message: str, columns: list[str]) -> str:
    quoted = message.split('"')
    return did_you_mean(fold(quoted[1]), columns) if len(quoted) > 2 and columns else ""
