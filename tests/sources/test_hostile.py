"""Values that engines write differently have the digests that plain Python gives, on real servers too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest

from datalake_kit.cdc.digest import DuckDBDigest, MySQLDigest, PostgreSQLDigest
from datalake_kit.cdc.digest.dialect import DigestDialect
from datalake_kit.cdc.digest.families import Family
from datalake_kit.cdc.digest.ranges import Range
from datalake_kit.cdc.source import open_source
from tests.sources import hostile
from tests.sources.conftest import Database

pytestmark = pytest.mark.external


@pytest.fixture
def filled(database: Database) -> Database:
    engine = database.service.scheme
    database.run("DROP TABLE IF EXISTS hostile", hostile.create(engine))
    if database.is_postgresql:
        database.run("SET TIME ZONE 'UTC'")
    database.insert("hostile", [tuple(hostile.bound(engine, v, "") for v in row) for row in hostile.rows()])
    return database


def asked(dialect: DigestDialect, run: Any) -> dict[int, str]:
    key = hostile.key(dialect)
    statement = dialect.leaf("hostile", [key], hostile.fields(dialect), [Range(None, None)])
    return {int(k): h.decode() if isinstance(h, bytes) else h for k, h in run(statement)}


def first_difference(dialect: DigestDialect, run: Any) -> list[tuple[Any, ...]]:
    """For a failing test: rows and columns whose text is not Python's."""
    fields = hostile.fields(dialect)
    wanted = [(r[0],) for r in hostile.rows()]
    found = {int(r[0]): r[1:] for r in run(dialect.chosen("hostile", [hostile.key(dialect)], fields, wanted))}
    odd = []
    for row in hostile.rows():
        for field, value, text in zip(fields, row, found[row[0]], strict=True):
            told = text.decode() if isinstance(text, bytes) else text
            plain = hostile.canonical(field.family, value)
            expected = (
                "~" if plain is None else f"{len(plain.encode())}:{plain}" if field.family.is_text else str(plain)
            )
            if told != expected:
                odd.append((row[0], field.name, told, expected))
    return odd


def test_duckdb_writes_what_python_writes() -> None:
    connection = hostile.in_duckdb()
    run = lambda statement: connection.execute(statement).fetchall()  # noqa: E731
    assert first_difference(DuckDBDigest(), run) == []
    assert asked(DuckDBDigest(), run) == hostile.digests()
    assert len(set(hostile.digests().values())) == hostile.ROWS


def test_a_server_writes_what_python_writes(filled: Database) -> None:
    dialect = PostgreSQLDigest() if filled.is_postgresql else MySQLDigest()
    with open_source(filled.service.url, "hostile") as source:
        assert first_difference(dialect, source.run) == []
        assert asked(dialect, source.run) == hostile.digests()


def test_a_server_and_a_lake_with_the_same_values_are_equal(filled: Database) -> None:
    with open_source(filled.service.url, "hostile") as source:
        found = source.differences(hostile.in_duckdb(), "hostile", None, ["id"])
    assert found.not_compared == {}
    assert found.keys.source_rows == hostile.ROWS
    assert found.equal, (found.keys, found.columns)


def test_each_column_set_to_null_is_found_where_it_was_not(filled: Database) -> None:
    connection = hostile.in_duckdb()
    with open_source(filled.service.url, "hostile") as source:
        for position, column in enumerate(hostile.COLUMNS, start=1):
            changed = f"(SELECT * REPLACE (NULL::{column.types['duckdb']} AS {column.name}) FROM hostile)"
            found = source.differences(connection, changed, None, ["id"])
            assert found.keys.changed == [r[0] for r in hostile.rows() if r[position] is not None], column.name
            assert {c.column for c in found.columns} == {column.name}
            assert {c.after for c in found.columns} == {None}


EDGES = (
    "1969-12-31 23:59:59.999999", "1999-12-31 23:59:59.999500", "0001-01-01 00:00:00.000999",
    "9999-12-31 23:59:59.999999", "1899-12-31 00:00:00.0005", "2024-02-29 12:00:00.123456",
)  # fmt: skip


@pytest.mark.parametrize("digits", range(7))
def test_times_are_cut_and_never_rounded(fresh: Database, digits: int) -> None:
    moments = [dt.datetime.fromisoformat(e) for e in EDGES]
    kind = "timestamp(6)" if fresh.is_postgresql else "datetime(6)"
    fresh.run(f"CREATE TABLE t (k int, m {kind})")
    fresh.insert("t", list(enumerate(moments)))
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (k INT, m TIMESTAMP)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(moments)))
    expected = [hostile.canonical(Family("ts", digits), m) for m in moments]
    with open_source(fresh.service.url, "t") as source:
        sides = ((source.dialect, source.run), (DuckDBDigest(), lambda s: connection.execute(s).fetchall()))  # type: ignore[attr-defined]
        for dialect, run in sides:
            type_ = dialect.sql_type({"duckdb": "TIMESTAMP"}.get(dialect.name, source.columns["m"]))
            text = dialect.plain("m", type_, Family("ts", digits))
            assert [r[0] for r in run(f"SELECT {text} FROM t ORDER BY k")] == expected
