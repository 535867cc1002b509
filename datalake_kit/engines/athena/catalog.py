"""The Glue catalog of a lake on Athena: its databases and tables, their partitions, and their files on S3."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from datalake_kit.engines.athena.glue_tables import table_info, why_files_are_not_rows
from datalake_kit.engines.athena.hudi_tables import said_of_hudi
from datalake_kit.engines.athena.projection import Projection, is_projected
from datalake_kit.engines.athena.refusals import refused
from datalake_kit.engines.athena.session import AwsSession, aws_errors
from datalake_kit.engines.base import HUDI, ICEBERG, Partition, TableInfo, TableName
from datalake_kit.errors import (
    AccessDeniedError,
    AthenaHudiWarning,
    ConfigError,
    DatabaseNotFoundError,
    DatalakeKitError,
    EngineError,
    TableNotFoundError,
    did_you_mean,
)
from datalake_kit.storage import Place, S3Path, list_files, use_client, use_profile
from datalake_kit.storage.listing import for_each, place

__all__ = ["GlueCatalog"]

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_OWN = "awsdatacatalog"


class GlueCatalog:
    """Databases and tables as the Glue catalog knows them.

    Nothing is kept between two calls but what was warned of; within `one_statement` each table is asked for once.
    """

    def __init__(self, session: AwsSession) -> None:
        self.session = session
        self.settings = session.settings
        self._kept: dict[TableName, Any] | None = None
        self._warned: set[TableName] = set()
        self._looked_at: set[TableName] = set()
        self._catalog_id: dict[str, str] | None = None

    # --- databases and tables

    def databases(self) -> list[str]:
        """Return the databases of the Glue catalog, in order."""
        return sorted(d["Name"] for d in self._all("get_databases", "DatabaseList"))

    def find_database(self, name: str) -> str:
        """Return the name of a database as the catalog has it, with one request; DatabaseNotFoundError otherwise."""
        try:
            with self._asked():
                return str(self._glue().get_database(Name=name.lower(), **self._catalog())["Database"]["Name"])
        except LookupError:
            raise self._no_database(name) from None

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables and views of a database, in the order of their names."""
        try:
            found = self._all("get_tables", "TableList", DatabaseName=database.lower())
        except LookupError:
            raise self._no_database(database) from None
        return sorted((self._known(database.lower(), t) for t in found), key=lambda t: t.name)

    def find(self, name: TableName) -> TableInfo:
        """Return a table of the Glue catalog with its columns."""
        return self._known(name.database.lower(), self._glue_table(name))

    def describe(self, name: TableName) -> TableInfo:
        """Return a table as `find`, and warn of a Hudi table that SQL on Athena may not show whole, once each."""
        table = self._glue_table(name)
        info = self._known(name.database.lower(), table)
        if info.format == HUDI and info.name not in self._warned:
            self._warned.add(info.name)
            said = said_of_hudi(info, str(table["StorageDescriptor"].get("InputFormat") or ""))
            if said:
                warnings.warn(said, AthenaHudiWarning, stacklevel=4)
        return info

    def describe_named(self, text: str) -> None:
        """Look at each table that a statement names, once for each table, so that what is to be said of it is said.

        What cannot be looked at is passed over: the statement itself will tell why.
        """
        from datalake_kit.engines.dialect.parsing import tables_named

        with contextlib.suppress(DatalakeKitError):
            for database, table in tables_named(text):
                name = TableName(database or self.settings.database or "default", table)
                if name not in self._looked_at:
                    self._looked_at.add(name)
                    with contextlib.suppress(DatalakeKitError):
                        self.describe(name)

    @contextlib.contextmanager
    def one_statement(self) -> Iterator[None]:
        """Ask for each table once until the block ends."""
        before = self._kept
        self._kept = {} if before is None else before
        try:
            yield
        finally:
            self._kept = before

    # --- partitions and files

    def partitions(self, name: TableName) -> list[Partition]:
        """Return the partitions of a table with their values and places, in the order of the places.

        Those of a projection are the ones where something lies: S3 is listed once, Glue is not asked for any. A table
        without partition columns has none.
        """
        table = self._glue_table(name)
        if not table.get("PartitionKeys"):
            return []
        if is_projected(table):
            return [partition for partition, _ in self._projected(name, table)]
        return self._registered(name, table)

    def files(self, name: TableName) -> list[Place]:
        """Return the files of a table on S3, in a stable order.

        Of a Hudi table those of its newest snapshot; of a table with partitions those below the places of its
        partitions, wherever they lie, as Athena reads it; else all below its place. EngineError where the files are not
        the rows: Iceberg, views, Delta, symlinks.
        """
        table = self._glue_table(name)
        info = self._known(name.database.lower(), table)
        why = why_files_are_not_rows(table, info.format)
        if why:
            raise EngineError(f"{name} {why}")
        if info.format == HUDI:
            from datalake_kit.hudi.snapshot import open_snapshot

            return list(open_snapshot(info.location).all_files)
        if not table.get("PartitionKeys"):
            return list(list_files(info.location))
        return [f for _, files in self._files_by_partition(name, table) for f in files]

    def table_bytes(self, name: TableName) -> int | None:
        """Return the bytes of a table's files: the most that a statement scans of it; None where nothing tells.

        S3 is listed; of an Iceberg table the newest snapshot says it. A view has none of its own: None.
        """
        table = self._glue_table(name)
        info = self._known(name.database.lower(), table)
        if info.format == ICEBERG:
            from datalake_kit.engines.athena.iceberg_tables import iceberg_bytes

            return iceberg_bytes(info)
        if why_files_are_not_rows(table, info.format):
            return None
        return sum(_size(f) for f in self.files(name))

    def partition_bytes(self, name: TableName) -> list[tuple[Partition, int]]:
        """Return the partitions of a table as `partitions`, each with the bytes of its files."""
        table = self._glue_table(name)
        if not table.get("PartitionKeys"):
            return []
        return [(p, sum(map(_size, files))) for p, files in self._files_by_partition(name, table)]

    def _registered(self, name: TableName, table: Mapping[str, Any]) -> list[Partition]:
        keys = [k["Name"].lower() for k in table["PartitionKeys"]]
        where = {"DatabaseName": name.database.lower(), "TableName": name.table.lower()}
        found = self._all("get_partitions", "Partitions", **where, ExcludeColumnSchema=True)
        partitions = []
        for entry in found:
            values = (None if v == NULL_PARTITION else v for v in entry["Values"])
            location = str(entry["StorageDescriptor"]["Location"])
            self._reach(location)
            partitions.append(Partition(dict(zip(keys, values, strict=True)), location))
        return sorted(partitions, key=lambda p: p.location)

    def _files_by_partition(self, name: TableName, table: Mapping[str, Any]) -> list[tuple[Partition, list[Place]]]:
        if is_projected(table):
            return self._projected(name, table)
        partitions = self._registered(name, table)
        files = for_each(lambda location: list(list_files(location)), [place(p.location) for p in partitions])
        return list(zip(partitions, files, strict=True))

    def _projected(self, name: TableName, table: Mapping[str, Any]) -> list[tuple[Partition, list[Place]]]:
        """Return the partitions of a projection that exist, each with its files, by one listing."""
        projection = Projection.read(name, table)
        self._reach(projection.begin)
        bucket, _, begin = projection.begin.split("://", 1)[1].partition("/")
        found: dict[str, tuple[Partition, list[Place]]] = {}
        for file in S3Path(bucket).walk(begin):
            partition = projection.partition_of(str(file))
            if partition is None:
                continue
            rest = str(file)[len(partition.location) :].split("/")
            if not any(part[:1] in ("", ".", "_") for part in rest):
                found.setdefault(partition.location, (partition, []))[1].append(file)
        return list(found.values())

    # --- asking

    def _known(self, database: str, table: Mapping[str, Any]) -> TableInfo:
        """What the catalog says of a table; its bucket is reached from now on as this lake is."""
        info = table_info(database, table)
        self._reach(info.location)
        return info

    def _reach(self, location: str) -> None:
        """Reach the bucket of a place with the profile, role, region and endpoint of this lake."""
        if not location.startswith("s3"):
            return
        bucket = location.split("/")[2]
        if self.settings.endpoint or self.settings.role_arn:
            use_client(bucket, self.session.client("s3"))
        elif self.settings.profile or self.settings.region:
            use_profile(bucket, profile=self.settings.profile, region=self.settings.region)

    def _glue_table(self, name: TableName) -> Any:
        key = TableName(name.database.lower(), name.table.lower())
        if self._kept is None:
            return self._get_table(name)
        if key not in self._kept:
            self._kept[key] = self._get_table(name)
        return self._kept[key]

    def _get_table(self, name: TableName) -> Any:
        try:
            with self._asked():
                table = self._glue().get_table(
                    DatabaseName=name.database.lower(), Name=name.table.lower(), **self._catalog()
                )["Table"]
                link = table.get("TargetTable")
                if link:  # of Lake Formation: the table lies in another account or database
                    more = {"CatalogId": link["CatalogId"]} if link.get("CatalogId") else self._catalog()
                    found = self._glue().get_table(DatabaseName=link["DatabaseName"], Name=link["Name"], **more)
                    table = {**found["Table"], "Name": table["Name"]}
                return table
        except LookupError:
            raise self._no_table(name) from None

    def _no_table(self, name: TableName) -> Exception:
        try:
            known = [t.name.table for t in self.tables(name.database)]
        except DatabaseNotFoundError as error:
            return error
        hint = did_you_mean(name.table, known)
        return TableNotFoundError(f"No table {name.table!r} in database {name.database!r}. {hint}")

    def _no_database(self, name: str) -> DatabaseNotFoundError:
        hint = did_you_mean(name, self.databases())
        return DatabaseNotFoundError(f"No database {name!r} in the Glue catalog. {hint}")

    def _all(self, operation: str, entries: str, **options: Any) -> list[Any]:
        """Return all entries of a listing, page by page."""
        with self._asked():
            pages = self._glue().get_paginator(operation).paginate(**options, **self._catalog())
            return [entry for page in pages for entry in page[entries]]

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        """Turn a refusal of Glue into our error; LookupError where there is no such thing."""
        try:
            yield
        except aws_errors() as error:
            code = str((getattr(error, "response", None) or {}).get("Error", {}).get("Code", ""))
            if code == "EntityNotFoundException":
                raise LookupError from None
            raise _refused(error, self.session) from error

    def _catalog(self) -> dict[str, str]:
        if self._catalog_id is None:
            self._catalog_id = self._find_catalog_id()
        return self._catalog_id

    def _find_catalog_id(self) -> dict[str, str]:
        """Return the id by which Glue knows the catalog: an account, or account:s3tablescatalog/bucket."""
        catalog = self.settings.catalog
        if catalog.lower() == _OWN:
            return {}
        if catalog[:12].isdigit():
            return {"CatalogId": catalog}
        with self._asked():
            if "/" in catalog:
                account = self.session.client("sts").get_caller_identity()["Account"]
                return {"CatalogId": f"{account}:{catalog}"}
            found = self.session.client("athena").get_data_catalog(Name=catalog)["DataCatalog"]
        if found.get("Type") != "GLUE":
            raise ConfigError(
                f"The catalog {catalog!r} of this lake is of the kind {found.get('Type')}: its tables are not in Glue, "
                "so that they can be read by lake.sql and not listed."
            )
        return {"CatalogId": found["Parameters"]["catalog-id"]}

    def _glue(self) -> Any:
        return self.session.client("glue")


def _refused(error: Exception, session: AwsSession) -> Exception:
    kind, why = refused(error, session, "catalog") or (EngineError, str(error))
    more = " Lake Formation may not have granted it, either." if kind is AccessDeniedError else ""
    return kind(f"The Glue catalog refused: {why}{more}")


def _size(file: Place) -> int:
    return file.stat().st_size
