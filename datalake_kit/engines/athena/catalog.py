"""The Glue catalog of a lake on Athena: its databases and tables, and the files of a table on S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datalake_kit.engines.athena.session import AwsSession, aws_errors
from datalake_kit.engines.base import HUDI, ICEBERG, OTHER, PARQUET, Column, TableInfo, TableName
from datalake_kit.errors import DatabaseNotFoundError, EngineError, TableNotFoundError, did_you_mean
from datalake_kit.storage import Place, list_files, use_profile


class GlueCatalog:
    """Databases and tables as the Glue catalog knows them."""

    def __init__(self, session: AwsSession) -> None:
        self.session = session
        self.settings = session.settings

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
        except aws_errors() as error:
            raise EngineError(f"The Glue catalog refused: {error}") from error

    def _catalog(self) -> dict[str, str]:
        own = self.settings.catalog.lower() == "awsdatacatalog"
        return {} if own else {"CatalogId": self.settings.catalog}

    def _asked(self, pages: Any) -> Iterator[Any]:
        try:
            yield from pages
        except aws_errors() as error:
            raise EngineError(f"The Glue catalog refused: {error}") from error

    def _glue(self) -> Any:
        return self.session.client("glue")


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
