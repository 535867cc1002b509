"""Catalogs, databases and tables as Athena's own calls show them."""

from __future__ import annotations

import re
from typing import Any

from tests.athena_server.errors import ApiError, invalid
from tests.athena_server.pages import page

OWN = "AwsDataCatalog"


class MetadataCalls:
    """Reads Glue; other catalogs are only remembered."""

    def __init__(self, glue: Any) -> None:
        self.glue = glue
        self.catalogs: dict[str, dict[str, Any]] = {OWN: {"Name": OWN, "Type": "GLUE", "Status": "CREATE_COMPLETE"}}

    # --- catalogs

    def _catalog(self, name: str) -> dict[str, Any]:
        for known, kept in self.catalogs.items():
            if known.lower() == name.lower():
                return kept
        raise invalid(f"Data catalog {name} was not found")

    def _own(self, request: dict[str, Any]) -> None:
        """Accept Glue's catalog; the tables of another one cannot be asked."""
        name = request["CatalogName"]
        found = self.catalogs.get(OWN) if name.lower() == OWN.lower() else self.catalogs.get(name)
        if found is None:
            raise MetadataError(f"Catalog '{name}' does not exist")
        if found["Name"] != OWN and found["Type"] != "GLUE":
            raise MetadataError(f"The catalog '{name}' could not be reached")

    def do_CreateDataCatalog(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"] in self.catalogs:
            raise invalid(f"DataCatalog {request['Name']} already exists")
        kept: dict[str, Any] = {k: request[k] for k in ("Name", "Type", "Description", "Parameters") if k in request}
        self.catalogs[request["Name"]] = {**kept, "Status": "CREATE_COMPLETE"}
        return {"DataCatalog": self.catalogs[request["Name"]]}

    def do_UpdateDataCatalog(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._catalog(request["Name"])
        kept.update({k: request[k] for k in ("Type", "Description", "Parameters") if k in request})
        return {}

    def do_DeleteDataCatalog(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._catalog(request["Name"])
        if kept["Name"] == OWN:
            raise invalid(f"{OWN} cannot be deleted")
        del self.catalogs[kept["Name"]]
        return {"DataCatalog": {**kept, "Status": "DELETE_COMPLETE"}}

    def do_GetDataCatalog(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"DataCatalog": self._catalog(request["Name"])}

    def do_ListDataCatalogs(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [{"CatalogName": c["Name"], "Type": c["Type"], "Status": c["Status"]} for c in self.catalogs.values()]
        return page(found, request, "DataCatalogsSummary", 50)

    # --- databases and tables

    def do_GetDatabase(self, request: dict[str, Any]) -> dict[str, Any]:
        self._own(request)
        return {"Database": _database(self._database(request["DatabaseName"]))}

    def _database(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.glue.get_database(Name=name.lower())["Database"]
        except self.glue.exceptions.EntityNotFoundException:
            raise MetadataError(f"EntityNotFoundException: Database {name} not found.") from None
        return found

    def do_ListDatabases(self, request: dict[str, Any]) -> dict[str, Any]:
        self._own(request)
        pages = self.glue.get_paginator("get_databases").paginate()
        found = [_database(d) for p in pages for d in p["DatabaseList"]]
        return page(sorted(found, key=lambda d: d["Name"]), request, "DatabaseList", 50)

    def do_GetTableMetadata(self, request: dict[str, Any]) -> dict[str, Any]:
        self._own(request)
        self._database(request["DatabaseName"])
        try:
            found = self.glue.get_table(DatabaseName=request["DatabaseName"].lower(), Name=request["TableName"].lower())
        except self.glue.exceptions.EntityNotFoundException:
            raise MetadataError(f"EntityNotFoundException: Table {request['TableName']} not found.") from None
        return {"TableMetadata": _table(found["Table"])}

    def do_ListTableMetadata(self, request: dict[str, Any]) -> dict[str, Any]:
        self._own(request)
        self._database(request["DatabaseName"])
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=request["DatabaseName"].lower())
        found = [_table(t) for p in pages for t in p["TableList"]]
        pattern = request.get("Expression")
        if pattern:
            found = [t for t in found if re.fullmatch(pattern.replace("*", ".*").replace("..*", ".*"), t["Name"])]
        return page(sorted(found, key=lambda t: str(t["Name"])), request, "TableMetadataList", 50)


class MetadataError(ApiError):
    """Athena's MetadataException: the catalog has no such thing."""

    def __init__(self, message: str) -> None:
        super().__init__("MetadataException", message)


def _database(found: dict[str, Any]) -> dict[str, Any]:
    made = {"Name": found["Name"]}
    if found.get("Description"):
        made["Description"] = found["Description"]
    parameters = dict(found.get("Parameters") or {})
    if found.get("LocationUri"):
        parameters["locationUri"] = found["LocationUri"]
    return {**made, "Parameters": parameters}


def _table(found: dict[str, Any]) -> dict[str, Any]:
    storage = found.get("StorageDescriptor", {})
    parameters = dict(found.get("Parameters") or {})
    serde = storage.get("SerdeInfo", {})
    if storage.get("Location"):
        parameters["location"] = storage["Location"]
        parameters["inputformat"] = storage.get("InputFormat", "")
        parameters["outputformat"] = storage.get("OutputFormat", "")
        parameters["serde.serialization.lib"] = serde.get("SerializationLibrary", "")
        parameters |= {f"serde.param.{k}": v for k, v in serde.get("Parameters", {}).items()}
    created = found.get("CreateTime")
    return {
        "Name": found["Name"],
        "CreateTime": created.timestamp() if created is not None else 0,
        "LastAccessTime": 0,
        "TableType": found.get("TableType", ""),
        "Columns": [_column(c) for c in storage.get("Columns", [])],
        "PartitionKeys": [_column(c) for c in found.get("PartitionKeys", [])],
        "Parameters": parameters,
    }


def _column(found: dict[str, Any]) -> dict[str, Any]:
    made = {"Name": found["Name"], "Type": found["Type"]}
    return {**made, "Comment": found["Comment"]} if found.get("Comment") else made
