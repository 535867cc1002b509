"""Rows of values that engines write differently, their types on each engine, and their digests by plain Python."""

from __future__ import annotations

import datetime as dt
import decimal
import struct
import uuid
from dataclasses import dataclass
from typing import Any

import duckdb

from datalake_kit.cdc.digest import row_digest
from datalake_kit.cdc.digest.dialect import DigestDialect, Field
from datalake_kit.cdc.digest.families import BIN, CHAR, DATE, FLOAT, INT, TEXT, UUID, Family
from datalake_kit.cdc.digest.ranges import Key

ROWS = 62


@dataclass(frozen=True)
class Column:
    """A column: its values in turn, and its type on each engine."""

    name: str
    family: Family
    values: tuple[Any, ...]
    types: dict[str, str]


def _types(duckdb: str, trino: str, mysql: str, postgresql: str) -> dict[str, str]:
    return {"duckdb": duckdb, "trino": trino, "mysql": mysql, "postgresql": postgresql}


def single(value: float) -> float:
    """The nearest number of 32 bits."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


D = decimal.Decimal
MOMENT = dt.datetime.fromisoformat
TEXTS = (
    "", None, "~", "|", "a|b", "a", "b", "1:a", "0:", "A", "a ", " a", "\u00e9", "e\u0301", "\U0001f600", "it's",
    "\\slash",
    '"q"', "%s %(x)s :x", "NULL", "\n", "\t", "a\u2003", "0", "-0", "\x01", "x" * 1000, "`", "$$ ?", "\ufeff", "\u00df",
    "\ufb01", "\\x41", "2:\u00e9|~", "\u007f", "\uffff", "\U0010ffff",
)  # fmt: skip

COLUMNS = (
    Column("i64", INT, (0, 1, -1, 2**63 - 1, -(2**63), 42, None), _types("BIGINT", "bigint", "bigint", "bigint")),
    Column("i16", INT, (0, 32767, -32768, None, 7), _types("SMALLINT", "smallint", "smallint", "smallint")),
    Column("yes", INT, (True, False, None), _types("BOOLEAN", "boolean", "tinyint(1)", "boolean")),
    Column("money", Family("dec", 2), (D("0.00"), D("-0.01"), D("9999999999999999.99"), D("1.50"), None),
           _types("DECIMAL(18,2)", "decimal(18,2)", "decimal(18,2)", "numeric(18,2)")),
    Column("large", Family("dec", 0), (D("9" * 38), D("-" + "9" * 38), D(0), None),
           _types("DECIMAL(38,0)", "decimal(38,0)", "decimal(38,0)", "numeric(38,0)")),
    Column("fine", Family("dec", 10), (D("0.0000000001"), D("-" + "9" * 28 + "." + "9" * 10), None, D("1E-9")),
           _types("DECIMAL(38,10)", "decimal(38,10)", "decimal(38,10)", "numeric(38,10)")),
    Column("f64", FLOAT, (0.0, 1.5, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 2.0**81, 2.0**807, 2e23, -1e-300, None),
           _types("DOUBLE", "double", "double", "double precision")),
    Column("f32", FLOAT, (0.0, single(0.1), single(3.4028234e38), single(16777217.0), None, single(-2.5e-38)),
           _types("FLOAT", "real", "float", "real")),
    Column("ten", CHAR, ("", "a", "a b", " a", "\u00e4\u20ac\U0001f600", None, "x" * 10, "a\t", "|~"),
           _types("VARCHAR", "char(10)", "char(10)", "char(10)")),
    Column("words", TEXT, TEXTS, _types("VARCHAR", "varchar", "longtext", "text")),
    Column("day", DATE, (*map(dt.date.fromisoformat, ("1970-01-01", "0001-01-01", "9999-12-31", "2024-02-29",
           "1582-10-10", "0999-01-01")), None), _types("DATE", "date", "date", "date")),
    Column("clock", Family("time", 3), (dt.time(), dt.time(23, 59, 59, 999_000), dt.time(12, 34, 56, 700_000), None),
           _types("TIME", "time(3)", "time(3)", "time(3)")),
    Column("ts0", Family("ts", 0), (MOMENT("1970-01-01"), MOMENT("9999-12-31 23:59:59"), None,
           MOMENT("1969-12-31 23:59:59")), _types("TIMESTAMP", "timestamp(0)", "datetime", "timestamp(0)")),
    Column("ts3", Family("ts", 3), (MOMENT("2021-03-28 02:30:00.5"), MOMENT("1969-12-31 23:59:59.999"), None,
           MOMENT("9999-12-31 23:59:59.999")), _types("TIMESTAMP", "timestamp(3)", "datetime(3)", "timestamp(3)")),
    Column("ts6", Family("ts", 6), (MOMENT("1969-12-31 23:59:59.999999"), MOMENT("1999-12-31 23:59:59.999500"), None,
           MOMENT("9999-12-31 23:59:59.999999"), MOMENT("1000-01-01 00:00:00.000001")),
           _types("TIMESTAMP", "timestamp(6)", "datetime(6)", "timestamp(6)")),
    Column("utc", Family("ts", 6), (MOMENT("1970-01-01 00:00:01"), MOMENT("2021-10-31 01:30:00.123456"), None,
           MOMENT("2038-01-19 03:14:07.999999")),
           _types("TIMESTAMP WITH TIME ZONE", "timestamp(6) with time zone", "timestamp(6) null", "timestamptz")),
    Column("raw", BIN, (b"", b"\0", b"\xff\xfe", b"|~", None, bytes(range(256))),
           _types("BLOB", "varbinary", "longblob", "bytea")),
    Column("guid", UUID, (uuid.UUID(int=0), uuid.UUID("ffffffff-FFFF-4fff-8fff-ffffffffffff"), None),
           _types("UUID", "uuid", "char(36)", "uuid")),
    Column("json", TEXT, ('{"b": 1.0, "aa":2, "a":1e2}', "[]", None, '"~"'),
           _types("VARCHAR", "varchar", "json", "json")),
)  # fmt: skip


def rows() -> list[tuple[Any, ...]]:
    """A number, then a value of each column; no two rows are the same even without the number."""
    return [(i, *(c.values[i % len(c.values)] for c in COLUMNS)) for i in range(ROWS)]


def canonical(family: Family, value: Any) -> Any:
    """The canonical text by plain Python."""
    match family.name:
        case _ if value is None:
            return None
        case "int":
            return int(value)
        case "dec":
            return f"{value:.{family.digits}f}"
        case "float":
            return struct.pack(">d", value + 0.0).hex()
        case "char":
            return value.rstrip(" ")
        case "date":
            return f"{value.year:04d}-{value:%m-%d}"
        case "time":
            return f"{value:%H:%M:%S.%f}"[: 9 + family.digits]
        case "ts":
            text = f"{value.year:04d}-{value:%m-%d %H:%M:%S.%f}"
            return text[: 20 + family.digits] if family.digits else text[:19]
        case "bin":
            return value.hex()
        case "uuid":
            return value.hex
    return value


def digests() -> dict[int, str]:
    """The digest of each row."""
    return {
        row[0]: row_digest(
            [(INT, row[0]), *((c.family, canonical(c.family, v)) for c, v in zip(COLUMNS, row[1:], strict=True))]
        )
        for row in rows()
    }


def fields(dialect: DigestDialect) -> list[Field]:
    """The columns as an engine has them."""
    integer = {"duckdb": "BIGINT", "trino": "bigint", "mysql": "bigint", "postgresql": "bigint"}[dialect.name]
    own = [Field(c.name, dialect.sql_type(_plain_type(c.types[dialect.name])), c.family) for c in COLUMNS]
    return [Field("id", dialect.sql_type(integer), INT), *own]


def key(dialect: DigestDialect) -> Key:
    """The key column."""
    first = fields(dialect)[0]
    return Key(first.name, first.type, first.family, True)


def _plain_type(written: str) -> str:
    named = {
        "char(10)": "character(10)",
        "timestamptz": "timestamp with time zone",
        "timestamp(6) null": "timestamp(6)",
    }
    moments = {f"timestamp({n})": f"timestamp({n}) without time zone" for n in (0, 3, 6)}
    return {**named, **moments, "time(3)": "time(3) without time zone"}.get(written, written)


def create(engine: str, table: str = "hostile") -> str:
    """CREATE TABLE for an engine."""
    columns = ", ".join(f"{c.name} {c.types[engine]}" for c in COLUMNS)
    return f"CREATE TABLE {table} (id bigint PRIMARY KEY, {columns})"


def bound(engine: str, value: Any, type_: str) -> Any:
    """A value as the engine's driver takes it."""
    if engine == "mysql" and isinstance(value, uuid.UUID):
        return str(value).upper()
    if value is not None and "TIME ZONE" in type_:
        return value.replace(tzinfo=dt.UTC)
    return value


def in_duckdb() -> duckdb.DuckDBPyConnection:
    """A connection with the rows as the table hostile."""
    types = ("BIGINT", *(c.types["duckdb"] for c in COLUMNS))
    connection = duckdb.connect()
    connection.execute(create("duckdb"))
    connection.executemany(
        f"INSERT INTO hostile VALUES ({', '.join('?' * len(types))})",
        [tuple(bound("duckdb", v, t) for v, t in zip(row, types, strict=True)) for row in rows()],
    )
    return connection


# --- Trino has no driver here: its rows are one statement


def trino_values() -> str:
    """The rows as a SELECT of Trino."""
    lines = []
    for row in rows():
        values = [_trino(v, c.types["trino"]) for v, c in zip(row[1:], COLUMNS, strict=True)]
        lines.append(f"({row[0]}, {', '.join(values)})")
    names = ", ".join(["id", *(c.name for c in COLUMNS)])
    return f"SELECT * FROM (VALUES {', '.join(lines)}) AS v({names})"


def _trino(value: Any, type_: str) -> str:
    match value:
        case None:
            text = "NULL"
        case bool():
            text = "true" if value else "false"
        case bytes():
            text = f"X'{value.hex()}'"
        case float():
            text = f"DOUBLE '{value!r}'"
        case str():
            text = f"from_utf8(X'{value.encode().hex()}')"
        case int():
            text = f"BIGINT '{value}'"
        case decimal.Decimal():
            text = f"DECIMAL '{value:f}'"
        case dt.datetime():
            zone = " UTC" if "zone" in type_ else ""
            text = f"TIMESTAMP '{value.year:04d}-{value:%m-%d %H:%M:%S.%f}{zone}'"
        case dt.date():
            text = f"DATE '{value.year:04d}-{value:%m-%d}'"
        case dt.time():
            text = f"TIME '{value:%H:%M:%S.%f}'"
        case _:
            text = f"UUID '{value}'"
    return f"CAST({text} AS {type_})"
