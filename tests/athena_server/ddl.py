"""Athena's DDL, which the engine lacks, done in Glue."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import unquote

from tests.athena_server.errors import StatementError, ddl_failed
from tests.athena_server.hive_tables import column, pairs, parse_create, trino_type
from tests.athena_server.lexing import Reader
from tests.athena_server.s3_paths import split
from tests.athena_server.statements import quote
from tests.trino.client import Answer

Rows = list[list[Any]]


class Ddl:
    """Runs one statement after another; each gives the rows of its result.

    Parameters
    ----------
    glue, s3
        Clients that the faults of a test do not meet.
    ask
        Runs a statement on the engine, for Iceberg tables.
    """

    def __init__(self, glue: Any, s3: Any, ask: Callable[[str], Answer]) -> None:
        self.glue = glue
        self.s3 = s3
        self.ask = ask

    def run(self, text: str, database: str) -> Rows:
        """Run a statement; `database` is where names without one are."""
        reader = Reader(text)
        if reader.accept("MSCK"):
            return self._repair(reader, database)
        word = reader.accept_one_of("CREATE", "DROP", "ALTER")
        if reader.accept_one_of("DATABASE", "SCHEMA"):
            self._database(word or "", reader)
        elif word == "CREATE":
            self._create(text, database)
        elif word == "DROP" and reader.accept("TABLE"):
            self._drop_table(reader, database)
        elif word == "ALTER" and reader.accept("TABLE"):
            self._alter(reader, database)
        else:
            raise reader.unexpected("DATABASE, SCHEMA, TABLE, VIEW")
        return []

    # --- databases

    def _database(self, word: str, reader: Reader) -> None:
        if word == "ALTER":
            name = reader.identifier()
            reader.expect("SET", "DBPROPERTIES")
            kept = self.get_database(name)
            given = {"Name": name, "Parameters": {**kept.get("Parameters", {}), **pairs(reader)}}
            given |= {k: kept[k] for k in ("Description", "LocationUri") if k in kept}
            self.glue.update_database(Name=name, DatabaseInput=given)
            return
        unless = reader.accept("IF", "NOT", "EXISTS") or reader.accept("IF", "EXISTS")
        name = reader.identifier()
        if word == "DROP":
            self._drop_database(name, unless, cascade=reader.accept("CASCADE"))
            return
        given = {"Name": name}
        while reader.next is not None and reader.next.text != ";":
            if reader.accept("COMMENT"):
                given["Description"] = reader.string()
            elif reader.accept("LOCATION"):
                given["LocationUri"] = reader.string()
            else:
                reader.expect("WITH", "DBPROPERTIES")
                given["Parameters"] = pairs(reader)
        try:
            self.glue.create_database(DatabaseInput=given)
        except self.glue.exceptions.AlreadyExistsException:
            if not unless:
                raise ddl_failed(f"DDLTask. Database {name} already exists") from None

    def _drop_database(self, name: str, unless: bool, *, cascade: bool) -> None:
        try:
            tables = self.tables(name)
        except StatementError:
            if unless:
                return
            raise
        if tables and not cascade:
            raise ddl_failed(
                f"DDLTask. InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
            )
        for table in tables:
            self.glue.delete_table(DatabaseName=name, Name=table["Name"])
        self.glue.delete_database(Name=name)

    # --- tables

    def _create(self, text: str, database: str) -> None:
        made = parse_create(text)
        owner = made.database or database
        self.get_database(owner)
        if made.is_iceberg:
            self.ask(made.iceberg(database))
            return
        try:
            self.glue.create_table(DatabaseName=owner, TableInput=made.glue())
        except self.glue.exceptions.AlreadyExistsException:
            if not made.if_not_exists:
                raise ddl_failed(
                    f"DDLTask. AlreadyExistsException(message:Table {made.name} already exists in database {owner})"
                ) from None

    def _drop_table(self, reader: Reader, database: str) -> None:
        unless = reader.accept("IF", "EXISTS")
        owner, name = reader.name()
        owner = owner or database
        try:
            table = self.get_table(owner, name)
        except StatementError:
            if unless:
                return
            raise
        if table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG":
            self.ask(f"DROP TABLE iceberg.{quote(owner)}.{quote(name)}")
            return
        if table.get("TableType") == "VIRTUAL_VIEW":
            raise ddl_failed("DDLTask. Cannot drop a view with DROP TABLE")
        self.glue.delete_table(DatabaseName=owner, Name=name)

    def _alter(self, reader: Reader, database: str) -> None:
        owner, name = reader.name()
        owner = owner or database
        table = self.get_table(owner, name)
        if table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG" and not reader.peek("SET"):
            self._alter_iceberg(reader, f"iceberg.{quote(owner)}.{quote(name)}")
            return
        if reader.accept("ADD"):
            if reader.accept("COLUMNS"):
                table["StorageDescriptor"]["Columns"] += self._listed(reader)
                self._update(owner, table)
                return
            self._add_partitions(reader, owner, table, reader.accept("IF", "NOT", "EXISTS"))
        elif reader.accept("DROP"):
            self._drop_partitions(reader, owner, table, reader.accept("IF", "EXISTS"))
        elif reader.accept("REPLACE", "COLUMNS"):
            table["StorageDescriptor"]["Columns"] = self._listed(reader)
            self._update(owner, table)
        elif reader.accept("CHANGE"):
            reader.accept("COLUMN")
            self._change(table, reader.identifier(), column(reader))
            self._update(owner, table)
        elif reader.accept("SET", "TBLPROPERTIES"):
            table.setdefault("Parameters", {}).update(pairs(reader))
            self._update(owner, table)
        elif reader.accept("SET", "LOCATION"):
            table["StorageDescriptor"]["Location"] = reader.string()
            self._update(owner, table)
        elif reader.accept("PARTITION"):
            self._alter_partition(reader, owner, table)
        else:
            raise reader.unexpected("ADD, DROP, REPLACE, CHANGE, SET, PARTITION")

    def _change(self, table: dict[str, Any], name: str, made: dict[str, str]) -> None:
        for given in table["StorageDescriptor"]["Columns"]:
            if given["Name"] == name:
                given.update(made)
                return
        raise ddl_failed(f"DDLTask. Invalid column reference {name}")

    def _alter_iceberg(self, reader: Reader, name: str) -> None:
        if reader.accept("ADD", "COLUMNS"):
            for made in self._listed(reader):
                self.ask(f"ALTER TABLE {name} ADD COLUMN {quote(made['Name'])} {trino_type(made['Type'])}")
        elif reader.accept("DROP", "COLUMN"):
            self.ask(f"ALTER TABLE {name} DROP COLUMN {quote(reader.identifier())}")
        elif reader.accept("CHANGE"):
            reader.accept("COLUMN")
            old, made = reader.identifier(), column(reader)
            if old != made["Name"]:
                self.ask(f"ALTER TABLE {name} RENAME COLUMN {quote(old)} TO {quote(made['Name'])}")
            self.ask(f"ALTER TABLE {name} ALTER COLUMN {quote(made['Name'])} SET DATA TYPE {trino_type(made['Type'])}")
        else:
            raise reader.unexpected("ADD COLUMNS, DROP COLUMN, CHANGE COLUMN")

    def _listed(self, reader: Reader) -> list[dict[str, str]]:
        reader.expect("(")
        found = [column(reader)]
        while reader.accept(","):
            found.append(column(reader))
        reader.expect(")")
        return found

    def _update(self, database: str, table: dict[str, Any]) -> None:
        keys = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText",
                "ViewExpandedText", "TableType", "Parameters")  # fmt: skip
        self.glue.update_table(DatabaseName=database, TableInput={k: table[k] for k in keys if k in table})

    # --- partitions

    def _spec(self, reader: Reader, table: dict[str, Any]) -> list[str]:
        """Read `(key = 'value', ...)` into the values in the order of the keys."""
        reader.expect("(")
        given: dict[str, str] = {}
        while not reader.accept(")"):
            key = reader.identifier()
            reader.expect("=")
            given[key] = reader.take("string", "number", "word").value
            reader.accept(",")
        keys = [k["Name"] for k in table.get("PartitionKeys", [])]
        if set(given) != set(keys):
            raise StatementError("DDL", f"FAILED: SemanticException partition spec {given} doesn't contain all {keys}")
        return [given[k] for k in keys]

    def _add_partitions(self, reader: Reader, database: str, table: dict[str, Any], unless: bool) -> None:
        while reader.accept("PARTITION"):
            values = self._spec(reader, table)
            place = reader.string() if reader.accept("LOCATION") else _location(table, values)
            try:
                self.glue.create_partition(
                    DatabaseName=database, TableName=table["Name"], PartitionInput=_partition(table, values, place)
                )
            except self.glue.exceptions.AlreadyExistsException:
                if not unless:
                    raise ddl_failed("DDLTask. AlreadyExistsException(message:Partition already exists.)") from None
            reader.accept(",")
        reader.end()

    def _drop_partitions(self, reader: Reader, database: str, table: dict[str, Any], unless: bool) -> None:
        while reader.accept("PARTITION"):
            values = self._spec(reader, table)
            try:
                self.glue.delete_partition(DatabaseName=database, TableName=table["Name"], PartitionValues=values)
            except self.glue.exceptions.EntityNotFoundException:
                if not unless:
                    message = f"FAILED: SemanticException [Error 10006]: Partition not found {values}"
                    raise StatementError("DDL", message) from None
            reader.accept(",")
        reader.end()

    def _alter_partition(self, reader: Reader, database: str, table: dict[str, Any]) -> None:
        values = self._spec(reader, table)
        given: dict[str, Any] = {"DatabaseName": database, "TableName": table["Name"], "PartitionValueList": values}
        if reader.accept("SET", "LOCATION"):
            self.glue.update_partition(**given, PartitionInput=_partition(table, values, reader.string()))
            return
        reader.expect("RENAME", "TO", "PARTITION")
        fresh = self._spec(reader, table)
        self.glue.update_partition(**given, PartitionInput=_partition(table, fresh, _location(table, values)))

    def _repair(self, reader: Reader, database: str) -> Rows:
        reader.expect("REPAIR", "TABLE")
        owner, name = reader.name()
        owner = owner or database
        table = self.get_table(owner, name)
        keys = [k["Name"] for k in table.get("PartitionKeys", [])]
        known = {tuple(p["Values"]) for p in self.partitions(owner, name)}
        found = [values for values in self._on_s3(table, keys) if tuple(values) not in known]
        for start in range(0, len(found), 100):
            inputs = [_partition(table, values, _location(table, values)) for values in found[start : start + 100]]
            self.glue.batch_create_partition(DatabaseName=owner, TableName=name, PartitionInputList=inputs)
        shown = [f"{name}:{'/'.join(f'{k}={v}' for k, v in zip(keys, values, strict=True))}" for values in found]
        if not shown:
            return []
        missing = [["Partitions not in metastore:\t" + "\t".join(shown)]]
        return missing + [[f"Repair: Added partition to metastore {text}"] for text in shown]

    def _on_s3(self, table: dict[str, Any], keys: list[str]) -> Iterator[list[str]]:
        bucket, prefix = split(table["StorageDescriptor"]["Location"].rstrip("/") + "/")
        seen = set()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for listed in page.get("Contents", []):
                parts = listed["Key"][len(prefix) :].split("/")[:-1][: len(keys)]
                given = [part.partition("=") for part in parts]
                values = tuple(unquote(value) for _, _, value in given)
                if [k.lower() for k, _, _ in given] == keys and keys and values not in seen:
                    seen.add(values)
                    yield list(values)

    # --- reading Glue

    def get_database(self, name: str) -> dict[str, Any]:
        """Return a database; a StatementError where there is none."""
        with contextlib.suppress(self.glue.exceptions.EntityNotFoundException):
            found: dict[str, Any] = self.glue.get_database(Name=name)["Database"]
            return found
        raise StatementError("DDL", f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}")

    def get_table(self, database: str, name: str) -> dict[str, Any]:
        """Return a table; a StatementError where there is none."""
        self.get_database(database)
        with contextlib.suppress(self.glue.exceptions.EntityNotFoundException):
            found: dict[str, Any] = self.glue.get_table(DatabaseName=database, Name=name)["Table"]
            return found
        raise StatementError("DDL", f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}")

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the tables and views of a database."""
        self.get_database(database)
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=database)
        return [table for page in pages for table in page["TableList"]]

    def partitions(self, database: str, name: str) -> list[dict[str, Any]]:
        """Return the partitions of a table."""
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        return [partition for page in pages for partition in page["Partitions"]]


def _location(table: dict[str, Any], values: list[str]) -> str:
    keys = [k["Name"] for k in table.get("PartitionKeys", [])]
    parts = [f"{k}={percent(v, safe=' -_.')}" for k, v in zip(keys, values, strict=True)]
    return "/".join([table["StorageDescriptor"]["Location"].rstrip("/"), *parts]) + "/"


def _partition(table: dict[str, Any], values: list[str], place: str) -> dict[str, Any]:
    storage = {k: v for k, v in table["StorageDescriptor"].items() if v is not None}
    return {"Values": values, "StorageDescriptor": {**storage, "Location": place}}
