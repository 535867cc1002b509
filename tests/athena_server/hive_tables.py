"""CREATE EXTERNAL TABLE, read into what Glue keeps; Iceberg tables, into what the engine is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.athena_server.errors import StatementError
from tests.athena_server.lexing import Reader
from tests.athena_server.statements import quote

_HIVE = "org.apache.hadoop.hive"
_LAZY = f"{_HIVE}.serde2.lazy.LazySimpleSerDe"
_TEXT_IN, _TEXT_OUT = "org.apache.hadoop.mapred.TextInputFormat", f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat"
FORMATS = {  # STORED AS: input format, output format, SerDe
    "PARQUET": (
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "ORC": (
        f"{_HIVE}.ql.io.orc.OrcInputFormat",
        f"{_HIVE}.ql.io.orc.OrcOutputFormat",
        f"{_HIVE}.ql.io.orc.OrcSerde",
    ),
    "AVRO": (
        f"{_HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{_HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{_HIVE}.serde2.avro.AvroSerDe",
    ),
    "TEXTFILE": (_TEXT_IN, _TEXT_OUT, _LAZY),
    "JSONFILE": (_TEXT_IN, _TEXT_OUT, "org.openx.data.jsonserde.JsonSerDe"),
    "RCFILE": (
        f"{_HIVE}.ql.io.RCFileInputFormat",
        f"{_HIVE}.ql.io.RCFileOutputFormat",
        f"{_HIVE}.serde2.columnar.LazyBinaryColumnarSerDe",
    ),
    "SEQUENCEFILE": (
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        f"{_HIVE}.ql.io.HiveSequenceFileOutputFormat",
        _LAZY,
    ),
}
_DELIMITERS = {
    ("FIELDS", "TERMINATED", "BY"): "field.delim",
    ("ESCAPED", "BY"): "escape.delim",
    ("COLLECTION", "ITEMS", "TERMINATED", "BY"): "collection.delim",
    ("MAP", "KEYS", "TERMINATED", "BY"): "mapkey.delim",
    ("LINES", "TERMINATED", "BY"): "line.delim",
    ("NULL", "DEFINED", "AS"): "serialization.null.format",
}
_TRINO_TYPES = {
    "string": "varchar", "int": "integer", "float": "real", "binary": "varbinary", "timestamp": "timestamp(6)",
    "tinyint": "integer", "smallint": "integer", "timestamptz": "timestamp(6) with time zone",
}  # fmt: skip


@dataclass
class HiveTable:
    """The parts of a CREATE TABLE."""

    database: str | None
    name: str
    external: bool
    if_not_exists: bool
    columns: list[dict[str, str]] = field(default_factory=list)
    keys: list[dict[str, str]] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)  # PARTITIONED BY of an Iceberg table
    comment: str | None = None
    buckets: list[str] = field(default_factory=list)
    bucket_count: int = -1
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    formats: tuple[str, str] | None = None
    location: str = ""
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def is_iceberg(self) -> bool:
        """Whether the properties say that it is an Iceberg table."""
        return self.properties.get("table_type", "").upper() == "ICEBERG"

    def glue(self) -> dict[str, Any]:
        """Return Glue's TableInput."""
        formats = self.formats or FORMATS["TEXTFILE"][:2]
        properties = {"EXTERNAL": "TRUE", **self.properties}
        if self.comment is not None:
            properties["comment"] = self.comment
        serde = {"SerializationLibrary": self.serde or _LAZY, "Parameters": self.serde_properties}
        if not self.serde_properties:
            serde["Parameters"] = {"serialization.format": "1"}
        return {
            "Name": self.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": properties,
            "PartitionKeys": self.keys,
            "StorageDescriptor": {
                "Columns": self.columns,
                "Location": self.location,
                "InputFormat": formats[0],
                "OutputFormat": formats[1],
                "NumberOfBuckets": self.bucket_count,
                "BucketColumns": self.buckets,
                "SerdeInfo": serde,
            },
        }

    def iceberg(self, database: str) -> str:
        """Return the statement by which the engine creates it."""
        columns = ", ".join(
            f"{quote(c['Name'])} {trino_type(c['Type'])}"
            + (" COMMENT '" + c["Comment"].replace("'", "''") + "'" if "Comment" in c else "")
            for c in self.columns
        )
        place = self.location.replace("'", "''")
        form = self.properties.get("format", "parquet").upper()
        given = [f"location = '{place}'", f"format = '{form}'"]
        if self.transforms:
            shown = ", ".join("'" + t.replace("'", "''") + "'" for t in self.transforms)
            given.append(f"partitioning = ARRAY[{shown}]")
        more = "IF NOT EXISTS " if self.if_not_exists else ""
        name = f"iceberg.{quote(self.database or database)}.{quote(self.name)}"
        return f"CREATE TABLE {more}{name} ({columns}) WITH ({', '.join(given)})"


def parse_create(text: str) -> HiveTable:
    """Read CREATE [EXTERNAL] TABLE.

    Raises
    ------
    StatementError
        Not the words of Athena's CREATE TABLE, or an external table without a location.
    """
    reader = Reader(text)
    reader.expect("CREATE")
    external = reader.accept("EXTERNAL")
    reader.expect("TABLE")
    missing = reader.accept("IF", "NOT", "EXISTS")
    if reader.next is not None and reader.next.kind == "quoted":
        raise reader.unexpected("identifier in backticks")
    database, name = reader.name()
    table = HiveTable(database, name, external, missing)
    reader.expect("(")
    table.columns = _columns(reader)
    _clauses(reader, table)
    reader.end()
    if not table.location:
        raise StatementError(
            "DDL", "FAILED: SemanticException table is not partitioned but has no location: LOCATION is required"
        )
    if not external and not table.is_iceberg:
        raise StatementError(
            "NOT_SUPPORTED",
            "line 1:8: Only external tables and tables of type ICEBERG are created: CREATE EXTERNAL TABLE",
        )
    return table


def _clauses(reader: Reader, table: HiveTable) -> None:
    while reader.next is not None and reader.next.text != ";":
        if reader.accept("COMMENT"):
            table.comment = reader.string()
        elif reader.accept("PARTITIONED", "BY"):
            _partitions(reader, table)
        elif reader.accept("CLUSTERED", "BY"):
            reader.expect("(")
            table.buckets = _names(reader)
            reader.expect("INTO")
            table.bucket_count = int(reader.take("number").text)
            reader.expect("BUCKETS")
        elif reader.accept("ROW", "FORMAT", "SERDE"):
            table.serde = reader.string()
        elif reader.accept("WITH", "SERDEPROPERTIES"):
            table.serde_properties |= pairs(reader)
        elif reader.accept("ROW", "FORMAT", "DELIMITED"):
            _delimiters(reader, table)
        elif reader.accept("STORED", "AS"):
            _stored(reader, table)
        elif reader.accept("LOCATION"):
            table.location = reader.string()
        elif reader.accept("TBLPROPERTIES"):
            table.properties |= pairs(reader)
        else:
            raise reader.unexpected("COMMENT, PARTITIONED BY, CLUSTERED BY, ROW FORMAT, STORED AS, LOCATION")


def _partitions(reader: Reader, table: HiveTable) -> None:
    """Columns with types; of an Iceberg table names and transforms of columns."""
    reader.expect("(")
    start = reader.place
    following = reader.tokens[start + 1] if start + 1 < len(reader.tokens) else None
    if following is not None and following.text not in (",", ")", "("):
        table.keys = _columns(reader)
        return
    depth, current = 0, ""
    while (token := reader.next) is not None:
        reader.place += 1
        depth += (token.text == "(") - (token.text == ")")
        if depth < 0 or (depth == 0 and token.text == ","):
            table.transforms.append(current)
            current = ""
            if depth < 0:
                return
            continue
        current += token.value
    raise reader.unexpected("')'")


def _stored(reader: Reader, table: HiveTable) -> None:
    if reader.accept("INPUTFORMAT"):
        first = reader.string()
        reader.expect("OUTPUTFORMAT")
        table.formats = (first, reader.string())
        return
    word = reader.take("word").upper
    word = {"JSON": "JSONFILE"}.get(word, word)
    if word not in FORMATS:
        reader.place -= 1
        raise reader.unexpected(", ".join(FORMATS))
    given = FORMATS[word]
    table.formats = given[:2]
    table.serde = table.serde or given[2]


def _delimiters(reader: Reader, table: HiveTable) -> None:
    table.serde = _LAZY
    while True:
        for words, key in _DELIMITERS.items():
            if reader.accept(*words):
                value = reader.string().encode().decode("unicode_escape")
                table.serde_properties[key] = value
                if key == "field.delim":
                    table.serde_properties["serialization.format"] = value
                break
        else:
            return


def _names(reader: Reader) -> list[str]:
    names = [reader.identifier()]
    while reader.accept(","):
        names.append(reader.identifier())
    reader.expect(")")
    return names


def _columns(reader: Reader) -> list[dict[str, str]]:
    """Read `name type [COMMENT 'text'], ...` to the bracket that closes."""
    found = []
    while True:
        found.append(column(reader))
        if reader.accept(")"):
            return found
        reader.expect(",")


def column(reader: Reader) -> dict[str, str]:
    """Read one `name type [COMMENT 'text']`."""
    made = {"Name": reader.identifier()}
    depth, kind, before = 0, "", ""
    while (token := reader.next) is not None:
        if depth == 0 and (token.text in (",", ")", ";") or token.upper in ("COMMENT", "AFTER", "FIRST")):
            break
        opens = {"<": 1, "(": 1, "<>": 0}.get(token.text, 0)
        closes = {">": 1, ")": 1}.get(token.text, 0)
        depth += opens - closes
        part = token.value.lower()
        kind += (" " if before.isalnum() and part[:1].isalnum() and not opens else "") + part
        before = part[-1:]
        reader.place += 1
    if not kind:
        raise reader.unexpected("a type")
    made["Type"] = {"integer": "int"}.get(kind, kind)
    if reader.accept("COMMENT"):
        made["Comment"] = reader.string()
    return made


def pairs(reader: Reader) -> dict[str, str]:
    """Read `('key'='value', ...)`."""
    reader.expect("(")
    found = {}
    while not reader.accept(")"):
        key = reader.take("string", "word", "quoted").value
        reader.expect("=")
        found[key] = reader.take("string", "quoted", "word", "number").value
        reader.accept(",")
    return found


def trino_type(kind: str) -> str:
    """Write a type of Hive's words in the engine's.

    >>> trino_type("array<struct<a:int,b:string>>")
    'array(row("a" integer, "b" varchar))'
    """
    kind = kind.strip()
    head = re.fullmatch(r"(array|map|struct)<(.*)>", kind, re.DOTALL)
    if head is None:
        return _TRINO_TYPES.get(kind, kind)
    inner = split(head[2])
    if head[1] == "struct":
        fields = (part.partition(":") for part in inner)
        return "row(" + ", ".join(f"{quote(n.strip())} {trino_type(t)}" for n, _, t in fields) + ")"
    return f"{head[1]}({', '.join(trino_type(part) for part in inner)})"


def split(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets."""
    parts, depth, current = [], 0, ""
    for c in text:
        depth += (c in "<(") - (c in ">)")
        if c == "," and depth == 0:
            parts.append(current)
            current = ""
            continue
        current += c
    return [*parts, current]
