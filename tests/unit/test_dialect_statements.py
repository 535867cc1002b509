"""What a text is, judged before anything runs: one statement, reading or writing, its tables, its placeholders."""

from __future__ import annotations

import pytest

from datalake_kit.engines.dialect import (
    CatalogStatement,
    Placeholder,
    catalog_statement,
    check_read_only,
    is_read_only,
    placeholders,
    statement_kind,
    tables_named,
    translate,
)
from datalake_kit.errors import SqlError, UnsupportedSqlError, WriteRefusedError

READING = [
    "SELECT 1",
    "  select 1 ;",
    "SELECT 1; -- done; DROP TABLE t",
    "-- DELETE FROM t\nSELECT 1",
    "/* INSERT INTO t */ SELECT 'DROP TABLE t; DELETE FROM t'",
    'SELECT "insert into" FROM t',
    "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
    "VALUES 1, 2",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "SHOW TABLES IN taxi",
    "DESCRIBE taxi.t",
    "DESC taxi.t",
    "EXPLAIN SELECT 1",
    "EXPLAIN (TYPE LOGICAL) SELECT 1",
    "SELECT updated, deleted FROM t WHERE created > 1",
    "SELECT replace(a, 'x') FROM t",
    "SELECT a FROM t WHERE b IN (1) AND copy = 2",
]
WRITING = [
    "INSERT INTO t SELECT 1",
    "insert into t values (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "DROP TABLE t",
    "ALTER TABLE t ADD COLUMNS (a int)",
    "TRUNCATE TABLE t",
    "MSCK REPAIR TABLE t",
    "UNLOAD (SELECT 1) TO 's3://bucket/x/'",
    "COPY t TO 'x.parquet'",
    "COPY (SELECT 1) TO 'x.parquet'",
    "ATTACH 'other.db'",
    "PRAGMA database_list",
    "CALL system.sync_partition_metadata('a', 'b', 'FULL')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1GB'",
    "USE taxi",
    "EXECUTE prepared",
    "PREPARE p FROM DELETE FROM t",
    "GRANT SELECT ON t TO u",
    "EXPLAIN ANALYZE INSERT INTO t SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN ANALYZE VERBOSE DELETE FROM t",
    "EXPLAIN INSERT INTO t SELECT 1",
    "EXPLAIN (FORMAT JSON) DELETE FROM t",
    "WITH a AS (SELECT 1 AS x) INSERT INTO t SELECT x FROM a",
    "WITH a AS (SELECT 1 AS x) DELETE FROM t",
    "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
    "SELECT * FROM (DELETE FROM t RETURNING *)",
    "FROM t",
    "/* /* */ DELETE FROM t WHERE x IN ( -- */ \n SELECT 1 -- \n )",
    "-- SELECT 1\nDROP TABLE t",
    "'' DROP TABLE t",
    "BEGIN",
]


@pytest.mark.parametrize("text", READING)
def test_reading_is_let_through(text: str) -> None:
    assert is_read_only(text)
    check_read_only(text)


@pytest.mark.parametrize("text", WRITING)
def test_writing_is_refused(text: str) -> None:
    with pytest.raises(SqlError):
        check_read_only(text)
    with pytest.raises(SqlError):
        translate(text, schema={"t": {"a": "INTEGER"}}, parameters={})


def test_refusal_names_the_statement_and_the_way() -> None:
    with pytest.raises(WriteRefusedError, match=r"DROP is not run.*allow_write=True"):
        check_read_only("drop table t")
    with pytest.raises(WriteRefusedError, match=r"WITH \.\.\. INSERT"):
        check_read_only("WITH a AS (SELECT 1 AS x) INSERT INTO t SELECT x FROM a")


@pytest.mark.parametrize("text", ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t;", "SELECT ';'; SELECT 2"])
def test_two_statements_are_refused(text: str) -> None:
    for judge in (statement_kind, is_read_only, check_read_only, catalog_statement):
        with pytest.raises(WriteRefusedError, match="two statements"):
            judge(text)


@pytest.mark.parametrize("text", ["", "  ", "-- nothing", ";", "/* a */ ; -- b"])
def test_no_statement(text: str) -> None:
    with pytest.raises(SqlError, match="no statement"):
        statement_kind(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [("SELECT 'a", "string"), ('SELECT "a', "quoted name"), ("SELECT 1 /* a", "comment"), ("SELECT 'a''", "string")],
)
def test_unclosed_text_is_named_with_its_place(text: str, what: str) -> None:
    with pytest.raises(SqlError, match=rf"a {what} that begins at line 1, column \d+ is not closed"):
        statement_kind(text)


def test_kinds() -> None:
    assert statement_kind("(SELECT 1)") == "SELECT"
    assert statement_kind("desc t") == "DESCRIBE"
    assert statement_kind("EXPLAIN SELECT 1") == "EXPLAIN"
    assert statement_kind("EXPLAIN DELETE FROM t") == "EXPLAIN DELETE"
    assert statement_kind("EXPLAIN (ANALYZE) SELECT 1") == "EXPLAIN ANALYZE SELECT"


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT 1", ()),
        ("SELECT * FROM Taxi.Table_1 AS t", (("taxi", "table_1"),)),
        ('SELECT * FROM "Taxi"."Table 1"', (("taxi", "table 1"),)),
        ("SELECT * FROM awsdatacatalog.taxi.t", (("taxi", "t"),)),
        ("SELECT * FROM a, b CROSS JOIN UNNEST(a.x) AS u(y)", ((None, "a"), (None, "b"))),
        ("WITH t AS (SELECT * FROM t) SELECT * FROM t JOIN u ON true", ((None, "t"), (None, "u"))),
        ("WITH t AS (SELECT 1) SELECT * FROM db.t, t", (("db", "t"),)),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t", ()),
        (
            "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u) AND x IN (SELECT y FROM v)",
            ((None, "t"), (None, "u"), (None, "v")),
        ),
        ("SELECT (SELECT max(x) FROM u) FROM t UNION ALL SELECT 1 FROM t", ((None, "t"), (None, "u"))),
        ("SELECT 'FROM a' -- FROM b\nFROM c", ((None, "c"),)),
        ("SELECT * FROM read_csv('x.csv')", ()),
        ("SHOW TABLES IN taxi", ()),
        ("EXPLAIN SELECT * FROM t", ((None, "t"),)),
        ("SELECT * FROM t WHERE x = :from_", ((None, "t"),)),
    ],
)  # fmt: skip
def test_tables_named(text: str, tables: tuple[tuple[str | None, str], ...]) -> None:
    assert set(tables_named(text)) == set(tables)
    assert len(tables_named(text)) == len(tables)


def test_tables_of_another_catalog() -> None:
    with pytest.raises(UnsupportedSqlError, match="other"):
        tables_named("SELECT * FROM other.taxi.t")


def test_a_text_that_cannot_be_parsed_says_where() -> None:
    with pytest.raises(SqlError, match=r"line 2, column \d+"):
        tables_named("SELECT 1\nFROM WHERE")


# ---------------------------------------------------------------- catalog statements


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SHOW DATABASES", CatalogStatement("databases")),
        ("show schemas like 'ta%'", CatalogStatement("databases", pattern="ta%")),
        ("SHOW TABLES", CatalogStatement("tables")),
        ("SHOW TABLES IN Taxi", CatalogStatement("tables", "taxi")),
        ("SHOW TABLES FROM taxi LIKE 't''%';", CatalogStatement("tables", "taxi", pattern="t'%")),
        ("DESCRIBE taxi.T", CatalogStatement("columns", "taxi", "t")),
        ('DESC "ta xi"."t"', CatalogStatement("columns", "ta xi", "t")),
        ("SHOW COLUMNS IN awsdatacatalog.taxi.t", CatalogStatement("columns", "taxi", "t")),
        ("DESCRIBE `t`", CatalogStatement("columns", None, "t")),
        ("SELECT 1", None),
    ],
)
def test_catalog_statements(text: str, answer: CatalogStatement | None) -> None:
    assert catalog_statement(text) == answer


@pytest.mark.parametrize(
    "text", ["SHOW CREATE TABLE t", "SHOW PARTITIONS t", "DESCRIBE", "DESCRIBE a b", "SHOW", "SHOW TABLES t"]
)
def test_other_catalog_statements_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedSqlError, match="SHOW DATABASES"):
        catalog_statement(text)


# ---------------------------------------------------------------- placeholders


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT :a", ["a"]),
        ("SELECT :a+:b_2 , (:a)", ["a", "b_2", "a"]),
        ("SELECT ':a', \":b\", `:c` -- :d\n/* :e */", []),
        ("SELECT 'it''s :a'", []),
        ("SELECT x::int, a:b, t[1:n], (a):b", []),
        ("SELECT TIMESTAMP '2020-01-01 10:00:00' < :end", ["end"]),
        ("SELECT json_object('a' :x)", ["x"]),
        ("SELECT a FROM t LIMIT :n", ["n"]),
        ("SELECT :1", []),
        ("SELECT :á", ["á"]),
    ],
)
def test_placeholders(text: str, names: list[str]) -> None:
    found = placeholders(text)
    assert [p.name for p in found] == names
    assert all(text[p.start : p.end] == f":{p.name}" for p in found)


def test_placeholder_is_a_plain_record() -> None:
    assert placeholders("= :x") == (Placeholder("x", 2, 4),)
