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
from datalake_kit.engines.base import (
    HUDI,
    ICEBERG,
    OTHER,
    PARQUET,
    Column,
    Execution,
    QueryStats,
    TableInfo,
    TableName,
    refuse_to_write,
)
from datalake_kit.errors import (
    ConfigError,
    DatabaseNotFoundError,
    EngineError,
    ParameterError,
    TableNotFoundError,
    UnsupportedSqlError,
    did_you_mean,
)
from datalake_kit.sql import literal, replace_placeholders
from datalake_kit.storage import Place, list_files, use_profile

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
        self._session: Any = None
        self._connection: Any = None

    # --- catalog

    def databases(self) -> list[str]:
        """Return the databases of the Glue catalog."""
        pages = self._glue().get_paginator("get_databases").paginate(**self._catalog())
        return sorted(d["Name"] for page in self._asked(pages) for d in page["DatabaseList"])

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database of the Glue catalog."""
        pages = self._glue().get_paginator("get_tables").paginate(DatabaseName=database, **self._catalog())
        return [self._known(database, t) for page in self._asked(pages) for t in page["TableList"]]

    def describe(self, name: TableName) -> TableInfo:
        """Return a table of the Glue catalog with its columns."""
        return self._known(name.database.lower(), self._glue_table(name))

    def files(self, name: TableName) -> list[Place]:
        """Return the files of a table on S3: of a Hudi table those of its newest snapshot, else all below its places.

        A table that is partitioned in the catalog has the places of its partitions, as Athena reads it; one with
        partition projection, its own.
        """
        table = self._glue_table(name)
        info = self._known(name.database.lower(), table)
        if info.format == ICEBERG:
            raise EngineError(f"{name} is an Iceberg table: which of its files count is not told here. Use SQL.")
        if info.format == HUDI:
            from datalake_kit.hudi.snapshot import open_snapshot

            return list(open_snapshot(info.location).all_files)
        return [f for location in self._locations(name, table) for f in list_files(location)]

    def _locations(self, name: TableName, table: Mapping[str, Any]) -> list[str]:
        own = str(table.get("StorageDescriptor", {}).get("Location", ""))
        if not own:
            raise EngineError(f"{name} has no place on S3: it is a view, or made elsewhere. Use SQL.")
        projected = str(table.get("Parameters", {}).get("projection.enabled", "")).lower() == "true"
        if not table.get("PartitionKeys") or projected:
            return [own]
        pages = (
            self._glue()
            .get_paginator("get_partitions")
            .paginate(DatabaseName=name.database.lower(), TableName=name.table.lower(), **self._catalog())
        )
        return sorted({p["StorageDescriptor"]["Location"] for page in self._asked(pages) for p in page["Partitions"]})

    def _known(self, database: str, table: Mapping[str, Any]) -> TableInfo:
        """What the catalog says of a table; its bucket is reached from now on with this lake's profile and region."""
        info = _table_info(database, table)
        if "://" in info.location and (self.settings.profile or self.settings.region):
            use_profile(info.location.split("/")[2], profile=self.settings.profile, region=self.settings.region)
        return info

    def _glue_table(self, name: TableName) -> Any:
        glue = self._glue()
        try:
            return glue.get_table(DatabaseName=name.database.lower(), Name=name.table.lower(), **self._catalog())[
                "Table"
            ]
        except glue.exceptions.EntityNotFoundException:
            databases = self.databases()
            if name.database.lower() not in databases:
                hint = did_you_mean(name.database, databases)
                raise DatabaseNotFoundError(f"No database {name.database!r} in the Glue catalog. {hint}") from None
            known = [t.name.table for t in self.tables(name.database.lower())]
            raise TableNotFoundError(
                f"No table {name.table!r} in database {name.database!r}. {did_you_mean(name.table, known)}"
            ) from None
        except _aws_errors() as error:
            raise EngineError(f"The Glue catalog refused: {error}") from error

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

    def _boto(self) -> Any:
        if self._session is None:
            import boto3
            from botocore.exceptions import BotoCoreError

            try:
                self._session = boto3.Session(profile_name=self.settings.profile, region_name=self.settings.region)
            except BotoCoreError as error:
                raise ConfigError(
                    f"AWS session: {error}. Set profile and region of this lake, or AWS_PROFILE."
                ) from None
            if self._session.region_name is None:
                raise ConfigError(
                    "No AWS region. Give region= in the address or in datalake.toml, or set AWS_DEFAULT_REGION."
                )
        return self._session

    def _glue(self) -> Any:
        return self._boto().client("glue", endpoint_url=self.settings.endpoint)

    def _catalog(self) -> dict[str, str]:
        own = self.settings.catalog.lower() == "awsdatacatalog"
        return {} if own else {"CatalogId": self.settings.catalog}

    def _asked(self, pages: Any) -> Iterator[Any]:
        try:
            yield from pages
        except _aws_errors() as error:
            raise EngineError(f"The Glue catalog refused: {error}") from error

    def _connect(self) -> Any:
        if self._connection is None:
            import logging

            import pyathena

            logging.getLogger("pyathena").addHandler(logging.NullHandler())  # errors are raised here, not printed

            more: dict[str, Any] = {"endpoint_url": self.settings.endpoint} if self.settings.endpoint else {}
            self._connection = pyathena.connect(
                session=self._boto(),
                region_name=self._boto().region_name,
                work_group=self.settings.workgroup,
                schema_name=self.settings.database or "default",
                catalog_name=self.settings.catalog,
                s3_staging_dir=self.settings.output_location,
                poll_interval=0.1,
                **more,
            )
        return self._connection


def _aws_errors() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


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


def _table_info(database: str, table: Mapping[str, Any]) -> TableInfo:
    storage = table.get("StorageDescriptor", {})
    keys = table.get("PartitionKeys", [])
    columns = [Column(c["Name"], c.get("Type", "")) for c in storage.get("Columns", [])]
    columns += [Column(c["Name"], c.get("Type", ""), True) for c in keys]
    name = TableName(database, table["Name"])
    return TableInfo(name, storage.get("Location", ""), _format(table), tuple(columns))


def _format(table: Mapping[str, Any]) -> str:
    storage = table.get("StorageDescriptor", {})
    parameters = {k.lower(): str(v).lower() for k, v in table.get("Parameters", {}).items()}
    reader = storage.get("InputFormat", "").lower()
    if parameters.get("table_type") == "iceberg":
        return ICEBERG
    if "hoodie" in reader or parameters.get("spark.sql.sources.provider") == "hudi":
        return HUDI
    return PARQUET if "parquet" in reader else OTHER
