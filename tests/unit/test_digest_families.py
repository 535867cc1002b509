"""Which columns are compared, by which text, and which are not."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest

from datalake_kit.cdc.digest import DuckDBDigest, MySQLDigest, PostgreSQLDigest, TrinoDigest, agree, row_digest
from datalake_kit.cdc.digest.families import CHAR, FLOAT, INT, TEXT, Family, value_of

MYSQL, POSTGRESQL, DUCKDB, TRINO = MySQLDigest(), PostgreSQLDigest(), DuckDBDigest(), TrinoDigest()


@pytest.mark.parametrize(
    ("source", "lake", "family"),
    [
        ("tinyint(1)", "BOOLEAN", "int"),
        ("tinyint(4)", "TINYINT", "int"),
        ("bigint(20) unsigned zerofill", "UBIGINT", "int"),
        ("bigint unsigned", "DECIMAL(20,0)", "int"),
        ("year(4)", "SMALLINT", "int"),
        ("bit(1)", "BOOLEAN", "int"),
        ("bit(64)", "BLOB", "bin"),
        ("decimal(10,2)", "DECIMAL(10,2)", "dec(2)"),
        ("decimal(10,2)", "DECIMAL(38,4)", "dec(4)"),
        ("decimal(38,0)", "DECIMAL(38,2)", ""),
        ("decimal(10,2)", "DOUBLE", ""),
        ("float", "DOUBLE", "float"),
        ("double", "DECIMAL(10,2)", ""),
        ("char(10)", "VARCHAR", "char"),
        ("varchar(10)", "VARCHAR", "text"),
        ("enum('a','b')", "VARCHAR", "text"),
        ("json", "VARCHAR", "text"),
        ("json", "JSON", ""),
        ("datetime", "TIMESTAMP", "ts(0)"),
        ("datetime(6)", "TIMESTAMP_MS", "ts(3)"),
        ("timestamp(6)", "TIMESTAMP WITH TIME ZONE", "ts(6)"),
        ("datetime(6)", "VARCHAR", ""),
        ("date", "DATE", "date"),
        ("date", "VARCHAR", "text"),
        ("date", "TIMESTAMP", ""),
        ("time(3)", "VARCHAR", "text"),
        ("time(3)", "TIME", "time(3)"),
        ("binary(16)", "BLOB", "bin"),
        ("char(36)", "UUID", "uuid"),
        ("geometry", "BLOB", ""),
        ("int(11)", "VARCHAR", "text"),
        ("int(11)", "DOUBLE", ""),
        ("int(11)", "DATE", ""),
        ("int(11)", "INTEGER[]", ""),
    ],
)
def test_mysql_against_duckdb(source: str, lake: str, family: str) -> None:
    found = agree(MYSQL.sql_type(source), DUCKDB.sql_type(lake))
    assert (str(found.family) if found.family else "") == family
    assert bool(found.rule) == bool(family)
    assert bool(found.reason) != bool(family)


@pytest.mark.parametrize(
    ("source", "lake", "family"),
    [
        ("boolean", "string", "text"),
        ("boolean", "boolean", "int"),
        ("numeric(18,2)", "decimal(18,2)", "dec(2)"),
        ("numeric(5)", "int", "int"),
        ("numeric", "decimal(28,6)", ""),
        ("numeric(39,2)", "string", ""),
        ("character(4)", "string", "char"),
        ("character varying(4)", "varchar(4)", "text"),
        ("text", "char(9)", "char"),
        ("timestamp(0) without time zone", "timestamp", "ts(0)"),
        ("timestamp without time zone", "timestamp", "ts(3)"),
        ("timestamp with time zone", "timestamp(6)", "ts(6)"),
        ("time without time zone", "time(3)", "time(3)"),
        ("time with time zone", "time(3)", ""),
        ("uuid", "string", "uuid"),
        ("bytea", "binary", "bin"),
        ("jsonb", "string", "text"),
        ("real", "float", "float"),
        ("double precision", "double", "float"),
        ("bit(1)", "boolean", "int"),
        ("bit(5)", "string", "text"),
        ("interval", "string", ""),
        ("integer[]", "string", ""),
        ("money", "double", ""),
        ("integer", "struct<a:int>", ""),
    ],
)
def test_postgresql_against_athena(source: str, lake: str, family: str) -> None:
    found = agree(POSTGRESQL.sql_type(source), TRINO.sql_type(lake))
    assert (str(found.family) if found.family else "") == family
    assert bool(found.reason) != bool(family)


def test_milliseconds_on_the_other_side_may_have_been_rounded() -> None:
    finer = agree(MYSQL.sql_type("datetime(6)"), TRINO.sql_type("timestamp(3)"))
    assert (str(finer.family), str(finer.alternative)) == ("ts(3)", "tsr(3)")
    assert agree(MYSQL.sql_type("datetime(3)"), TRINO.sql_type("timestamp(3)")).alternative is None
    assert agree(MYSQL.sql_type("datetime(6)"), DUCKDB.sql_type("TIMESTAMP")).alternative is None


def test_a_row_is_read_one_way_only() -> None:
    pairs = [
        ("a|b", "c"), ("a", "b|c"), ("", None), (None, ""), (None, None), ("", ""), ("~", None), ("~", "~"),
        ("1:a", ""), ("", "1:a"), ("\u00e9", ""), ("e\u0301", ""), ("a", "A"), ("a ", ""), ("a", " "), ("0:", "0:|0:"),
        ("0:|0:", "0:"), ("|", "|"),
    ]  # fmt: skip
    assert len({row_digest([(TEXT, a), (TEXT, b)]) for a, b in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        (INT, "-9223372036854775808", -(2**63)),
        (Family("dec", 2), "1.50", Decimal("1.50")),
        (FLOAT, "0000000000000001", 5e-324),
        (TEXT, "3:a:b", "a:b"),
        (TEXT, "0:", ""),
        (CHAR, "1:~", "~"),
        (TEXT, "~", None),
        (TEXT, None, None),
        (Family("date"), "0000-00-00", "0000-00-00"),
        (Family("ts", 3), "2024-02-29 01:02:03.004", dt.datetime(2024, 2, 29, 1, 2, 3, 4000)),
        (Family("ts", 3), "infinity", "infinity"),
        (Family("time", 0), "24:00:00", "24:00:00"),
        (Family("bin"), "00ff", b"\x00\xff"),
    ],
)
def test_fields_read_back(family: Family, field: str | None, value: object) -> None:
    assert value_of(family, field) == value


def test_not_a_number_reads_back() -> None:
    assert math.isnan(value_of(FLOAT, "7ff8000000000000"))


@pytest.mark.parametrize("dialect", [DUCKDB, TRINO, MYSQL, POSTGRESQL], ids=lambda d: d.name)
@pytest.mark.parametrize("text", ["it's", "back\\slash", "\0", "é", "a\n", "'; DROP TABLE t; --"])
def test_odd_texts_are_written_as_their_bytes(dialect: DuckDBDigest, text: str) -> None:
    written = dialect.text(text)
    assert text not in written
    assert text.encode().hex() in written.replace("\\x", "").lower()
