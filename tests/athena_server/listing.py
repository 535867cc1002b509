"""SHOW and DESCRIBE, answered from Glue in the form that Athena gives them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote as percent

from tests.athena_server.ddl import Ddl
from tests.athena_server.errors import StatementError, ddl_failed
from tests.athena_server.lexing import Reader
from tests.trino.client import Answer

_WIDTH = 20  # Hive pads names, types and comments


class Listing:
    """Answers statements that show."""

    def __init__(self, ddl: Ddl) -> None:
        self.ddl = ddl

    def run(self, text: str, database: str) -> Answer:
        """Answer SHOW ... or DESCRIBE ...; every column is a `string`."""
        reader = Reader(text)
        if reader.accept("SHOW"):
            names, rows = self._show(reader, database)
        else:
            reader.accept_one_of("DESCRIBE", "DESC")
            names, rows = self._describe(reader, database)
        return Answer([(name, "string") for name in names], rows)

    def _show(self, reader: Reader, database: str) -> tuple[list[str], list[list[Any]]]:
        what = reader.accept_one_of(
            "DATABASES", "SCHEMAS", "TABLES", "VIEWS", "PARTITIONS", "COLUMNS", "CREATE", "TBLPROPERTIES"
        )
        if what in ("DATABASES", "SCHEMAS"):
            pages = self.ddl.glue.get_paginator("get_databases").paginate()
            names = [found["Name"] for page in pages for found in page["DatabaseList"]]
            return ["database_name"], _matching(names, _pattern(reader))
        if what in ("TABLES", "VIEWS"):
            owner = reader.identifier() if reader.accept_one_of("IN", "FROM") else database
            found = self.ddl.tables(owner)
            names = [t["Name"] for t in found if what == "TABLES" or t.get("TableType") == "VIRTUAL_VIEW"]
            return ["tab_name" if what == "TABLES" else "views"], _matching(names, _pattern(reader))
        if what == "COLUMNS":
            reader.accept_one_of("IN", "FROM")
            inside, name = reader.name()
            if reader.accept_one_of("IN", "FROM"):
                inside = reader.identifier()
            return ["field"], [[_pad(c["Name"])] for c in _columns(self.ddl.get_table(inside or database, name))]
        if what == "CREATE":
            view = reader.accept_one_of("TABLE", "VIEW") == "VIEW"
            inside, name = reader.name()
            table = self.ddl.get_table(inside or database, name)
            if view != (table.get("TableType") == "VIRTUAL_VIEW"):
                raise ddl_failed(f"DDLTask. {name} is {'not ' if view else ''}a view")
            lines = _view_lines(table) if view else _table_lines(table, inside or database)
            return ["Create View" if view else "createtab_stmt"], [[line] for line in lines]
        if what in ("PARTITIONS", "TBLPROPERTIES"):
            inside, name = reader.name()
            table = self.ddl.get_table(inside or database, name)
            if what == "PARTITIONS":
                return ["partition"], self._partitions(inside or database, table)
            return ["prpt_name", "prpt_value"], _properties(table, reader)
        raise reader.unexpected("COLUMNS, CREATE, DATABASES, PARTITIONS, SCHEMAS, TABLES, TBLPROPERTIES, VIEWS")

    def _partitions(self, database: str, table: dict[str, Any]) -> list[list[Any]]:
        keys = [k["Name"] for k in table.get("PartitionKeys", [])]
        if not keys:
            raise StatementError(
                "DDL",
                f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Table "
                f"{table['Name']} is not a partitioned table",
            )
        found = [p["Values"] for p in self.ddl.partitions(database, table["Name"])]
        written = (
            "/".join(f"{k}={percent(v, safe=' -_.')}" for k, v in zip(keys, values, strict=True)) for values in found
        )
        return [[text] for text in sorted(written)]

    def _describe(self, reader: Reader, database: str) -> tuple[list[str], list[list[Any]]]:
        form = reader.accept_one_of("EXTENDED", "FORMATTED")
        owner, name = reader.name()
        table = self.ddl.get_table(owner or database, name)
        names = ["col_name", "data_type", "comment"]
        own, keys = table["StorageDescriptor"].get("Columns", []), table.get("PartitionKeys", [])
        if reader.next is not None and reader.next.kind in ("word", "back"):
            wanted = reader.identifier()
            return names, [_padded(c) for c in own + keys if c["Name"] == wanted]
        blank = _row("", "", "")
        heading = [_row("# col_name", "data_type", "comment"), blank]
        rows = (heading if form else []) + [_padded(c) for c in own + keys]
        if keys:
            rows += [blank, _row("# Partition Information", "", ""), *heading, *[_padded(c) for c in keys]]
        if form:
            rows += [blank, _row("# Detailed Table Information", "", "")]
            rows += _details(table, owner or database)
        return names, rows


def _details(table: dict[str, Any], database: str) -> list[list[Any]]:
    storage = table["StorageDescriptor"]
    said = {
        "Database:": database,
        "Location:": storage.get("Location", ""),
        "Table Type:": table.get("TableType", "EXTERNAL_TABLE"),
        "SerDe Library:": storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        "InputFormat:": storage.get("InputFormat", ""),
        "OutputFormat:": storage.get("OutputFormat", ""),
    }
    rows = [_row(key, value, "") for key, value in said.items()]
    return rows + [_row("Table Parameters:", "", "")] + [_row("", k, v) for k, v in table.get("Parameters", {}).items()]


def _columns(table: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table["StorageDescriptor"].get("Columns", []) + table.get("PartitionKeys", [])
    return found


def _pad(text: str) -> str:
    return text.ljust(_WIDTH)


def _row(*cells: str) -> list[Any]:
    return [_pad(cell) for cell in cells]


def _padded(column: dict[str, Any]) -> list[Any]:
    return _row(column["Name"], column["Type"], column.get("Comment") or "")


def _pattern(reader: Reader) -> str | None:
    """Return the pattern of SHOW TABLES 'a*|b*' or LIKE 'a*'."""
    reader.accept("LIKE")
    token = reader.next
    return reader.string() if token is not None and token.kind == "string" else None


def _matching(names: list[str], pattern: str | None) -> list[list[Any]]:
    if pattern is None:
        return [[name] for name in sorted(names)]
    choices = [re.compile(p.replace(".*", "*").replace("*", ".*"), re.IGNORECASE) for p in pattern.split("|")]
    return [[n] for n in sorted(names) if any(c.fullmatch(n) for c in choices)]


def _properties(table: dict[str, Any], reader: Reader) -> list[list[Any]]:
    kept = table.get("Parameters", {})
    if reader.accept("("):
        key = reader.string()
        if key not in kept:
            return [[f"Table {table['DatabaseName']}.{table['Name']} does not have property: {key}", None]]
        return [[key, kept[key]]]
    return [[key, value] for key, value in sorted(kept.items())]


def view_query(table: dict[str, Any]) -> str:
    """Return the query of a view as Glue keeps it."""
    text = table.get("ViewOriginalText", "")
    found = re.fullmatch(r"/\* Presto View: (.*) \*/", text, re.DOTALL)
    return str(json.loads(base64.b64decode(found[1]))["originalSql"]) if found else text


def _view_lines(table: dict[str, Any]) -> list[str]:
    return [f"CREATE VIEW {table['DatabaseName']}.{table['Name']} AS", *view_query(table).splitlines()]


def _table_lines(table: dict[str, Any], database: str) -> list[str]:
    storage = table["StorageDescriptor"]
    iceberg = table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG"
    name = f"{database}.{table['Name']}" if iceberg else table["Name"]
    lines = [f"CREATE TABLE {name} (" if iceberg else f"CREATE EXTERNAL TABLE `{name}`("]
    lines += _listed([_defined(c) for c in storage["Columns"]])
    if table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_listed([_defined(c) for c in table["PartitionKeys"]])]
    serde = storage.get("SerdeInfo", {})
    if not iceberg:
        lines += ["ROW FORMAT SERDE ", f"  '{serde.get('SerializationLibrary', '')}' "]
        given = {k: v for k, v in serde.get("Parameters", {}).items() if k != "serialization.format"}
        if given:
            lines += ["WITH SERDEPROPERTIES ( ", *_listed([f"'{k}'='{v}'" for k, v in sorted(given.items())])]
        lines += ["STORED AS INPUTFORMAT ", f"  '{storage.get('InputFormat', '')}' "]
        lines += ["OUTPUTFORMAT ", f"  '{storage.get('OutputFormat', '')}'"]
    lines += ["LOCATION", f"  '{storage.get('Location', '')}'"]
    kept = {k: v for k, v in table.get("Parameters", {}).items() if k != "EXTERNAL"}
    if kept:
        lines += ["TBLPROPERTIES (", *_listed([f"'{k}'='{v}'" for k, v in sorted(kept.items())])]
    return lines


def _defined(column: dict[str, Any]) -> str:
    comment = f" COMMENT '{column['Comment']}'" if column.get("Comment") else ""
    return f"`{column['Name']}` {column['Type']}{comment}"


def _listed(parts: list[str]) -> list[str]:
    return [f"  {part}, " for part in parts[:-1]] + [f"  {parts[-1]})"]
