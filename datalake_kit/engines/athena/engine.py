"""Amazon Athena: statements through PyAthena, the catalog through AWS Glue.

Values are written into the statement as literals of Athena's dialect, each quoted by its type, at the places where the
placeholders stand. Credentials come from the ordinary AWS chain; none is kept or shown. An interrupted query is
cancelled on the server (PyAthena does so).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from datalake_kit.config import AthenaSettings
from datalake_kit.engines import dialect as athena_dialect
from datalake_kit.engines.athena.catalog import GlueCatalog
from datalake_kit.engines.athena.session import AwsSession
from datalake_kit.engines.base import (
    Execution,
    QueryStats,
    TableInfo,
    TableName,
    refuse_to_write,
)
from datalake_kit.errors import (
    EngineError,
    ParameterError,
    UnsupportedSqlError,
)
from datalake_kit.sql import literal, replace_placeholders
from datalake_kit.storage import Place

BATCH_ROWS = 10_000

_ARROW: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "varchar": pa.string(),
    "string": pa.string(),
    "json": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "varbinary": pa.binary(),
    "unknown": pa.null(),
}


class AthenaEngine:
    """Runs statements on Athena."""

    name = "athena"

    def __init__(self, settings: AthenaSettings) -> None:
        self.settings = settings
        self.session = AwsSession(settings)
        self.catalog = GlueCatalog(self.session)
        self._connection: Any = None

    # --- catalog

    def databases(self) -> list[str]:
        """Return the databases of the Glue catalog."""
        return self.catalog.databases()

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database of the Glue catalog."""
        return self.catalog.tables(database)

    def describe(self, name: TableName) -> TableInfo:
        """Return a table of the Glue catalog with its columns."""
        return self.catalog.describe(name)

    def files(self, name: TableName) -> list[Place]:
        """Return the files of a table on S3; see `GlueCatalog.files`."""
        return self.catalog.files(name)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- statements

    def execute(
        self, text: str, values: Mapping[str, Any], *, allow_write: bool = False, dialect: str = "athena"
    ) -> Execution:
        """Run one statement; see `Lake.sql`."""
        if dialect != "athena":
            raise ParameterError(f"dialect={dialect!r} is not spoken by Athena. Leave it out.")
        if not athena_dialect.is_read_only(text):
            refuse_to_write(text, allow_write=allow_write)
        started = time.perf_counter()
        spelled = replace_placeholders(text, lambda name: literal(values[name]))
        cursor = self._connect().cursor()
        try:
            cursor.execute(spelled)
        except Exception as error:
            raise _explained(error, cursor, spelled) from error
        schema = _schema(cursor.description or [])
        stats = QueryStats(self.name, spelled, str(cursor.query_id))
        return Execution(schema, _batches(cursor, schema), stats, _finish(cursor), _started=started)

    def _connect(self) -> Any:
        if self._connection is None:
            import logging

            import pyathena

            logging.getLogger("pyathena").addHandler(logging.NullHandler())  # errors are raised here, not printed

            more: dict[str, Any] = {"endpoint_url": self.settings.endpoint} if self.settings.endpoint else {}
            self._connection = pyathena.connect(
                session=self.session.boto,
                region_name=self.session.boto.region_name,
                work_group=self.settings.workgroup,
                schema_name=self.settings.database or "default",
                catalog_name=self.settings.catalog,
                s3_staging_dir=self.settings.output_location,
                poll_interval=0.1,
                **more,
            )
        return self._connection


def _schema(description: list[Any]) -> pa.Schema:
    return pa.schema([pa.field(column[0], _arrow_type(column)) for column in description])


def _arrow_type(column: Any) -> pa.DataType:
    name, kind, _, _, precision, scale = column[:6]
    if kind == "decimal":
        return pa.decimal128(precision, scale)
    if kind not in _ARROW:
        raise UnsupportedSqlError(
            f"Column {name!r} has type {kind}, which is not read from Athena by this version. "
            f"Write json_format(CAST({name} AS JSON)) AS {name}, or CAST({name} AS VARCHAR)."
        )
    return _ARROW[kind]


def _batches(cursor: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while rows := cursor.fetchmany(BATCH_ROWS):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _finish(cursor: Any) -> Callable[[QueryStats], None]:
    def finish(stats: QueryStats) -> None:
        stats.bytes_scanned = cursor.data_scanned_in_bytes
        cursor.close()

    return finish


def _explained(error: BaseException, cursor: Any, text: str) -> EngineError:
    where = f" (query id {cursor.query_id})" if getattr(cursor, "query_id", None) else ""
    return EngineError(f"Athena{where}: {error}\nStatement: {text}")
