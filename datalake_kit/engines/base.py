"""What an engine is: it lists and describes tables, and runs one statement in Athena's dialect.

Two engines keep this promise: DuckDB over a folder, and Amazon Athena. tests/contract holds both to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from datalake_kit.errors import SqlError, WriteRefusedError
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place

HUDI, PARQUET, ICEBERG, VIEW, OTHER = "hudi", "parquet", "iceberg", "view", "other"


def fold(name: str) -> str:
    """Return a name of a database, table or column as the Glue catalog shows it: in lower case."""
    return name.lower()


@dataclass(frozen=True, order=True)
class TableName:
    """A database and a table in it."""

    database: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.table}"

    @property
    def quoted(self) -> str:
        """The name as SQL: `"taxi"."table_1"`."""
        return f"{quote_identifier(self.database)}.{quote_identifier(self.table)}"


@dataclass(frozen=True)
class Column:
    """A column as the Glue catalog shows it: name in lower case, type in Hive's words."""

    name: str
    type: str
    is_partition: bool = False


@dataclass(frozen=True)
class TableInfo:
    """What a catalog knows of a table."""

    name: TableName
    location: str
    format: str
    columns: tuple[Column, ...]
    parameters: Mapping[str, str] = field(default_factory=dict, compare=False)  # of the table in the Glue catalog


@dataclass(frozen=True)
class Partition:
    """A partition of a table: the value of each partition column as text, None for NULL, and where its files lie."""

    values: Mapping[str, str | None]
    location: str


@dataclass
class QueryStats:
    """What the last statement did.

    Attributes
    ----------
    engine
        "duckdb" or "athena".
    text
        The statement as the engine ran it: on the local engine values stand as placeholders; on Athena they are written
        into it, unless the lake has `redact_parameters=True`.
    query_id
        Athena's query id, empty before it has one; on DuckDB an id of this statement alone.
    seconds
        From the call to the last row fetched.
    rows
        Rows fetched.
    bytes_scanned
        Bytes that the engine read from the files, as the engine says; None while it has not said so.
    state
        "QUEUED", "RUNNING", "SUCCEEDED", "FAILED" or "CANCELLED".
    queue_seconds
        Seconds that the statement waited before it ran; None on the local engine.
    cost
        US dollars, by the lake's price a TB; None on the local engine.
    reused
        Whether an earlier result was given again (`max_age=`).
    file
        The query file that the statement came from, if any.
    """

    engine: str
    text: str
    query_id: str
    seconds: float = 0.0
    rows: int = 0
    bytes_scanned: int | None = None
    state: str = "RUNNING"
    queue_seconds: float | None = None
    cost: float | None = None
    reused: bool = False
    file: str | None = None

    def _repr_html_(self) -> str:
        import html

        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(k)}</th><td><code>{html.escape(str(v))}</code></td></tr>"
            for k, v in vars(self).items()
        )
        return f"<table>{cells}</table>"


Progress = bool | Callable[[QueryStats], None] | None


@dataclass(frozen=True)
class Options:
    """How one statement is to be run; see `Lake.sql` for what each means.

    Attributes
    ----------
    max_scan
        Bytes; None: the lake's own limit.
    max_age
        Minutes; None: the lake's own.
    file, line
        The query file that the statement comes from, and the line of it where the statement begins.
    started
        Called with the statistics when the statement is about to run, so that they are there when it fails, too.
    """

    allow_write: bool = False
    dialect: str = "athena"
    max_scan: int | None = None
    max_age: int | None = None
    unload: bool | None = None
    progress: Progress = None
    timeout: float | None = None
    file: str | None = None
    line: int = 1
    started: Callable[[QueryStats], None] = lambda stats: None


@dataclass
class Execution:
    """A running statement: its rows as Arrow batches, and its statistics, final when the rows are at an end."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    stats: QueryStats
    on_end: Callable[[QueryStats], None] = lambda stats: None
    _started: float = field(default_factory=time.perf_counter)

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as a reader; statistics grow as it is read."""
        return pa.RecordBatchReader.from_batches(self.schema, self._counted())

    def _counted(self) -> Iterator[pa.RecordBatch]:
        for batch in self.batches:
            self.stats.rows += batch.num_rows
            self.stats.seconds = time.perf_counter() - self._started
            yield batch
        self.on_end(self.stats)
        self.stats.state = "SUCCEEDED"
        self.stats.seconds = time.perf_counter() - self._started


_WRITE_VERBS = """
    ALTER ANALYZE CALL COMMENT COMMIT CREATE DEALLOCATE DELETE DENY DROP EXECUTE EXPLAIN GRANT INSERT MERGE MSCK
    OPTIMIZE PREPARE REFRESH REVOKE ROLLBACK SET START TRUNCATE UNLOAD UPDATE USE VACUUM WITH
"""
WRITING = frozenset(_WRITE_VERBS.split())


def refuse_to_write(text: str, *, allow_write: bool) -> None:
    """Raise WriteRefusedError for a statement that does more than read, SqlError for what is no statement at all."""
    head = " ".join(text.split())[:60]
    if head.split(" ")[0].upper() not in WRITING:
        raise SqlError(f"Not a statement of Athena's dialect: {head!r}. It begins with SELECT, WITH, VALUES or SHOW.")
    if not allow_write:
        raise WriteRefusedError(
            f"This statement writes: {head!r}. Reading is all that is allowed unless allow_write=True is given."
        )


class Engine(Protocol):
    """Runs statements and knows tables."""

    name: str
    catalog: Any

    def execute(self, text: str, values: Mapping[str, Any], options: Options, /) -> Execution:
        """Run one statement with its values bound."""
        ...

    def databases(self) -> list[str]:
        """Return the names of all databases."""
        ...

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database, cheaply: columns may be left empty."""
        ...

    def describe(self, name: TableName) -> TableInfo:
        """Return a table with its columns; raise TableNotFoundError with the nearest names."""
        ...

    def files(self, name: TableName) -> list[Place]:
        """Return the data files of a table, in a folder or on S3; EngineError where they cannot be named."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
