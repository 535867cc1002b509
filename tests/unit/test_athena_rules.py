"""What Athena refuses although Trino takes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit import errors
from datalake_kit.engines.dialect.athena_rules import LONGEST, Refusal, athena_refusals
from datalake_kit.sql import load_query, query_names

TABLES = {"db.t": {"z": "timestamp(3) with time zone", "p": "timestamp", "d": "date", "n": "bigint", "clock": "time"}}


def refused(text: str, **more: object) -> list[Refusal]:
    return athena_refusals(text, columns=TABLES, **more)  # type: ignore[arg-type]


def places(text: str) -> list[tuple[int, int]]:
    return [(r.line, r.column) for r in refused(text)]


# ---------------------------------------------------------------- CAST of a zoned time to a plain one

ZONED = [
    "now()",
    "current_timestamp",
    "current_timestamp(6)",
    "TIMESTAMP '2026-01-01 00:00:00 UTC'",
    "TIMESTAMP '2026-01-01 00:00:00 Europe/Madrid'",
    "TIMESTAMP '2026-01-01 00:00:00' AT TIME ZONE 'UTC'",
    "from_iso8601_timestamp('2026-01-01T00:00:00Z')",
    "from_unixtime(0)",
    "at_timezone(z, 'UTC')",
    "with_timezone(p, 'UTC')",
    "date_trunc('day', z)",
    "date_add('day', 1, z)",
    "z + INTERVAL '1' DAY",
    "INTERVAL '1' DAY + z",
    "coalesce(z, TIMESTAMP '2026-01-01 00:00:00')",
    "CASE WHEN n > 1 THEN z ELSE p END",
    "if(n > 1, z)",
    "try(z)",
    "max(z)",
    "max(z) FILTER (WHERE n > 1)",
    "max(z) OVER (PARTITION BY n)",
    "lag(z) IGNORE NULLS OVER (ORDER BY n)",
    "((z))",
    "t.z",
    "element_at(array_agg(z), 1)",
    "(SELECT max(z) FROM db.t)",
    "CAST('2026-01-01 00:00:00 UTC' AS timestamp with time zone)",
    "CAST(p AS timestamp(6) with time zone)",
]


@pytest.mark.parametrize("value", ZONED)
@pytest.mark.parametrize("call", ["CAST", "TRY_CAST"])
@pytest.mark.parametrize("wanted", ["timestamp", "TIMESTAMP(6)"])
def test_a_zoned_time_is_not_cast_to_a_plain_one(value: str, call: str, wanted: str) -> None:
    found = refused(f"SELECT\n  {call}({value} AS {wanted}) AS moment FROM db.t")
    assert [(r.line, r.column, r.page) for r in found] == [(2, 3, "engine-versions-reference-0003")]
    assert "date_format" in found[0].instead


@pytest.mark.parametrize(
    "text",
    [
        "SELECT CAST(p AS timestamp) AS a FROM db.t",
        "SELECT CAST(d AS timestamp) AS a FROM db.t",
        "SELECT CAST(z AS date) AS a FROM db.t",
        "SELECT CAST(z AS timestamp with time zone) AS a FROM db.t",
        "SELECT CAST('2026-01-01 00:00:00' AS timestamp) AS a",
        "SELECT CAST('2026-01-01 00:00:00 UTC' AS timestamp) AS a",
        "SELECT CAST(localtimestamp AS timestamp) AS a",
        "SELECT CAST(date_parse('x', '%Y') AS timestamp) AS a",
        "SELECT CAST(date_format(now(), '%Y-%m-%d') AS timestamp) AS a",
        "SELECT 'CAST(now() AS timestamp)' AS a -- CAST(now() AS timestamp)",
        "SELECT CAST(z AS timestamp) AS a FROM other.t",  # the type of its z is not known
        "SELECT CAST(z AS timestamp) AS a FROM (SELECT p AS z FROM db.t)",
        "WITH t AS (SELECT p AS z FROM db.t) SELECT CAST(z AS timestamp) AS a FROM t",
        "SELECT transform(ARRAY[TIMESTAMP '2026-01-01 00:00:00'], z -> CAST(z AS timestamp)) AS a FROM db.t",
        "SELECT CAST(u.z AS timestamp) AS a FROM db.t CROSS JOIN UNNEST(ARRAY[p]) AS u(z)",
    ],
)
def test_other_casts_pass(text: str) -> None:
    assert refused(text, warnings=True) == []


@pytest.mark.parametrize(
    "text",
    [
        "WITH a AS (SELECT now() AS m) SELECT CAST(m AS timestamp) AS x FROM a",
        "WITH a(m) AS (SELECT now()) SELECT CAST(m AS timestamp) AS x FROM a",
        "SELECT CAST(m AS timestamp) AS x FROM (SELECT z AS m FROM db.t) AS s",
        "SELECT CAST(s.m AS timestamp) AS x FROM db.t AS q JOIN (SELECT z AS m FROM db.t) AS s ON true",
        "SELECT CAST(m AS timestamp) AS x FROM (VALUES (now(), 1)) AS v(m, n)",
        "SELECT CAST(m AS timestamp) AS x FROM db.t CROSS JOIN UNNEST(array_agg(z)) AS u(m)",
        "SELECT CAST(z AS timestamp) AS x FROM (SELECT * FROM db.t) AS s",
        "SELECT n AS x FROM db.t WHERE CAST(z AS timestamp) > p",
        "SELECT n AS x FROM db.t AS o WHERE EXISTS (SELECT 1 FROM db.t AS i WHERE i.p = CAST(o.z AS timestamp))",
        "SELECT m AS x FROM (SELECT p AS m FROM db.t UNION ALL SELECT CAST(z AS timestamp) FROM db.t) AS s",
        "SELECT CAST(m AS timestamp) AS x FROM (SELECT p AS m FROM db.t UNION ALL SELECT z FROM db.t) AS s",
        "EXPLAIN SELECT CAST(z AS timestamp) AS x FROM db.t",
        "EXPLAIN ANALYZE VERBOSE SELECT CAST(z AS timestamp) AS x FROM db.t",
        "CREATE VIEW v AS SELECT CAST(z AS timestamp) AS x FROM db.t",
        "INSERT INTO db.u (a) SELECT CAST(z AS timestamp) FROM db.t",
        "INSERT INTO db.u SELECT CAST(z AS timestamp) FROM db.t",
        "PREPARE q FROM SELECT CAST(z AS timestamp) AS x FROM db.t WHERE n = ?",
        "UNLOAD (SELECT CAST(z AS timestamp) AS x FROM db.t) TO 's3://b/c/' WITH (format = 'PARQUET')",
        "CREATE TABLE db.u AS SELECT CAST(z AS timestamp) AS x FROM db.t WITH NO DATA",
    ],
)
def test_the_cast_is_found_wherever_it_stands(text: str) -> None:
    assert places(text) == [(1, text.index("CAST(") + 1)]


def test_places_hold_beside_strings_comments_placeholders_and_other_scripts() -> None:
    text = (
        "/* CAST(now() AS timestamp) */ SELECT 'naïve 🚀 CAST(', -- CAST(\n"
        "  DECIMAL '1.20' AS price, 1e0+2 AS \"größe 🚀\",\r\n"
        "\tCAST(:since AS timestamp) AS a, 'it''s' AS b,\n"
        "  CAST(now() AS timestamp) AS c, CAST(current_timestamp AS timestamp) AS e,\n"
        "  CAST(now() AS timestamp) AS g"
    )
    assert places(text) == [(4, 3), (4, 34), (5, 3)]


# ---------------------------------------------------------------- UNLOAD, CREATE TABLE AS

WRITING = [
    "UNLOAD ({}) TO 's3://b/c/' WITH (format = 'PARQUET')",
    "CREATE TABLE db.u AS {}",
    "CREATE TABLE IF NOT EXISTS db.u WITH (format = 'ORC', partitioned_by = ARRAY['a', 'b']) AS {} WITH NO DATA",
]


@pytest.mark.parametrize("statement", WRITING)
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT now() AS a", "with time zone cannot be written"),
        ("SELECT z FROM db.t", "with time zone cannot be written"),
        ("SELECT array_agg(z) AS a FROM db.t", "with time zone cannot be written"),
        ("SELECT CAST(ROW(z) AS ROW(a timestamp(3) with time zone)) AS a FROM db.t", "with time zone cannot be"),
        ("SELECT clock FROM db.t", "a time cannot be written"),
        ("SELECT localtime AS a", "a time cannot be written"),
        ("SELECT json_parse('1') AS a", "a json cannot be written"),
        ("SELECT count(*) FROM db.t", "needs a name"),
        ("SELECT n + 1 FROM db.t", "needs a name"),
        ("SELECT CAST(n AS double) FROM db.t", "needs a name"),
        ("VALUES (1)", "needs a name"),
        ("WITH a AS (SELECT 1 AS x) SELECT x + 1 FROM a", "needs a name"),
        ("SELECT *, n + 1 FROM other.table", "needs a name"),
    ],
)
def test_what_cannot_be_written(statement: str, query: str, reason: str) -> None:
    found = refused(statement.format(query))
    assert len(found) == 1, found
    assert reason in found[0].reason


@pytest.mark.parametrize("statement", WRITING)
def test_two_columns_of_one_name_cannot_be_written(statement: str) -> None:
    found = refused(statement.format('SELECT n AS a, d AS b, p AS "A" FROM db.t'))
    assert [r.construct.split(" of ")[0] for r in found] == ["column 1", "column 3"]
    assert len(refused(statement.format("SELECT t.n, s.n FROM db.t CROSS JOIN db.t AS s"))) == 2


@pytest.mark.parametrize("statement", WRITING)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT n, d, p FROM db.t",
        "SELECT * FROM other.t",
        "SELECT n AS time, date_format(z, '%Y') AS zone FROM db.t",
        "SELECT a.n, b.n AS m FROM db.t AS a CROSS JOIN db.t AS b",
        "SELECT x FROM (SELECT now() AS z, 1 AS x) AS s",
        "SELECT n FROM db.t UNION ALL SELECT count(*) FROM db.t",
        "WITH a(x, y) AS (VALUES (1, 2)) SELECT * FROM a",
    ],
)
def test_what_can_be_written(statement: str, query: str) -> None:
    assert refused(statement.format(query)) == []


def test_an_iceberg_table_holds_zoned_times() -> None:
    text = "CREATE TABLE db.u WITH (table_type = 'ICEBERG', is_external = false, location = 's3://b/u/') AS {}"
    assert refused(text.format("SELECT z FROM db.t")) == []
    assert len(refused(text.format("SELECT n + 1 FROM db.t"))) == 1


def test_what_an_engine_told_of_the_columns_counts() -> None:
    text = "UNLOAD (SELECT * FROM other.t) TO 's3://b/c/' WITH (format = 'PARQUET')"
    assert refused(text) == []
    told = [("a", "timestamp(3) with time zone"), ("b", "integer"), ("_col2", "integer"), ("B", "varchar(3)")]
    assert [r.construct for r in refused(text, result=told)] == [
        "column 1 of UNLOAD, 'a'",
        "column 2 of UNLOAD, 'b'",
        "column 3 of UNLOAD, '_col2'",
        "column 4 of UNLOAD, 'b'",
    ]


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("UNLOAD (SELECT 1 AS a) TO 's3://b/c' WITH (format = 'CSV')", "format = 'CSV'"),
        ("CREATE TABLE u WITH (format = 'RCBINARY') AS SELECT 1 AS a", "format = 'RCBINARY'"),
        ("CREATE TABLE u WITH (bucketed_by = ARRAY['a'], bucket_count = 101) AS SELECT 1 AS a", "bucket_count = 101"),
        ("UNLOAD (SELECT 1 AS a) TO '/tmp/x' WITH (format = 'ORC')", "UNLOAD"),
        ("UNLOAD (SELECT 1 AS a)", "UNLOAD"),
    ],
)
def test_properties(text: str, construct: str) -> None:
    assert [r.construct for r in refused(text)] == [construct]
    assert refused("UNLOAD (SELECT 1 AS a) TO 's3://b/c' WITH (format = 'json', compression = 'gzip')") == []
    assert refused("CREATE TABLE u WITH (bucketed_by = ARRAY['a'], bucket_count = 100) AS SELECT 1 AS a") == []


# ---------------------------------------------------------------- statements

UNSUPPORTED = """
ALTER INDEX i ON t
ALTER TABLE db.t ARCHIVE PARTITION (dt = '2026-01-01')
ALTER TABLE t CLUSTERED BY (a) INTO 4 BUCKETS
ALTER TABLE t EXCHANGE PARTITION (dt = '1') WITH TABLE u
ALTER TABLE t NOT SORTED
ALTER TABLE t NOT STORED AS DIRECTORIES
ALTER TABLE t PARTITION (dt = '1') CHANGE COLUMN a b int
ALTER TABLE t PARTITION (dt = '1') COMPACT 'major'
ALTER TABLE t CONCATENATE
ALTER TABLE t PARTITION (dt = '1') SET FILEFORMAT PARQUET
ALTER TABLE t SET SERDEPROPERTIES ('a' = 'b')
ALTER TABLE t TOUCH
ALTER TABLE `db`.`t` UNARCHIVE PARTITION (dt = '1')
COMMIT
ROLLBACK
START TRANSACTION
CREATE INDEX i ON TABLE t (a) AS 'COMPACT'
CREATE ROLE r
CREATE TABLE u LIKE t
CREATE TABLE IF NOT EXISTS db.u LIKE db.t
CREATE TABLE u (LIKE t INCLUDING PROPERTIES)
CREATE TEMPORARY MACRO m (x int) x + 1
DESCRIBE DATABASE d
DESCRIBE INPUT q
DESCRIBE OUTPUT q
DFS -ls /
DROP INDEX i ON t
EXPORT TABLE t TO 's3://b/'
GRANT ROLE r TO USER u
GRANT SELECT ON t TO u
REVOKE SELECT ON t FROM u
DENY SELECT ON t TO u
IMPORT TABLE t FROM 's3://b/'
LOCK TABLE t SHARED
UNLOCK TABLE t
SHOW STATS FOR t
SHOW TRANSACTIONS
SHOW CURRENT ROLES
SHOW ROLE GRANTS
CALL system.sync_partition_metadata('d', 't', 'ADD')
USE taxi
SET SESSION query_max_run_time = '1h'
RESET SESSION query_max_run_time
SET TIME ZONE 'UTC'
COMMENT ON TABLE t IS 'x'
ANALYZE t
TRUNCATE TABLE t
CREATE CATALOG c USING hive
CREATE TABLE t (a integer, b varchar)
"""


@pytest.mark.parametrize("text", UNSUPPORTED.strip().splitlines())
def test_statements_that_athena_has_not(text: str) -> None:
    found = refused(f"-- a comment\n  {text};")
    assert [(r.line, r.column, r.certain) for r in found] == [(2, 3, True)]
    assert found[0].reason
    assert found[0].instead


PERHAPS = """
DELETE FROM t WHERE a = 1
UPDATE t SET a = 1
MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE
ALTER TABLE t DROP COLUMN a
ALTER TABLE t RENAME TO u
CREATE MATERIALIZED VIEW v AS SELECT 1 AS a
CREATE FUNCTION f(x int) RETURNS int RETURN x
CREATE OR REPLACE TABLE t AS SELECT 1 AS a
SHOW CATALOGS
EXECUTE IMMEDIATE 'SELECT 1'
"""


@pytest.mark.parametrize("text", PERHAPS.strip().splitlines())
def test_what_depends_on_the_table_is_a_warning(text: str) -> None:
    assert refused(text) == []
    assert [r.certain for r in refused(text, warnings=True)] == [False]


FINE = """
SHOW DATABASES
SHOW TABLES IN db
SHOW COLUMNS IN db.t
SHOW PARTITIONS t
SHOW CREATE TABLE t
SHOW CREATE VIEW v
SHOW TBLPROPERTIES t
SHOW VIEWS
DESCRIBE t
DESCRIBE FORMATTED db.t PARTITION (dt = '1')
DESC db.database
MSCK REPAIR TABLE t
CREATE DATABASE d
CREATE SCHEMA IF NOT EXISTS d COMMENT 'x' LOCATION 's3://b/d/'
DROP DATABASE d CASCADE
DROP TABLE IF EXISTS `t`
DROP VIEW v
CREATE EXTERNAL TABLE t (a int, b string) PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://b/t/'
CREATE TABLE t (a int) LOCATION 's3://b/t/' TBLPROPERTIES ('table_type' = 'ICEBERG')
CREATE TABLE t (a int) LOCATION 's3://b/t/' TBLPROPERTIES ('table_type' = 'iceberg')
CREATE OR REPLACE VIEW v AS SELECT 1 AS a
ALTER TABLE t ADD IF NOT EXISTS PARTITION (dt = '1') LOCATION 's3://b/t/1/'
ALTER TABLE t ADD COLUMNS (touch int)
ALTER TABLE t REPLACE COLUMNS (a int)
ALTER TABLE t CHANGE COLUMN a b int
ALTER TABLE t DROP IF EXISTS PARTITION (dt = '1')
ALTER TABLE t PARTITION (dt = '1') RENAME TO PARTITION (dt = '2')
ALTER TABLE t PARTITION (dt = '1') SET LOCATION 's3://b/x/'
ALTER TABLE t SET TBLPROPERTIES ('a' = 'b')
ALTER DATABASE d SET DBPROPERTIES ('a' = 'b')
INSERT INTO t VALUES (1, 2)
OPTIMIZE t REWRITE DATA USING BIN_PACK
VACUUM t
PREPARE q FROM SELECT * FROM t WHERE a = ?
EXECUTE q USING 1
DEALLOCATE PREPARE q
EXPLAIN (TYPE VALIDATE) SELECT 1 AS a
EXPLAIN ANALYZE SELECT 1 AS a
SELECT "$path" FROM t
SELECT commit, rollback FROM "update"
WITH grant_ AS (SELECT 1 AS a) SELECT a FROM grant_
USING EXTERNAL FUNCTION f(x varchar) RETURNS varchar LAMBDA 'l' SELECT f('a') AS a
"""


@pytest.mark.parametrize("text", FINE.strip().splitlines())
def test_statements_that_athena_documents_pass(text: str) -> None:
    assert refused(text, warnings=True) == []


def test_a_statement_that_is_too_long() -> None:
    text = f"SELECT '{'ä' * (LONGEST // 2)}' AS a"
    assert [r.page for r in refused(text)] == ["service-limits"]
    fits = "SELECT '" + "a" * (LONGEST - len("SELECT '' AS a")) + "' AS a"
    assert len(fits.encode()) == LONGEST
    assert refused(fits) == []


def test_what_athena_refuses_is_not_sent() -> None:
    with dk.connect("athena://w?region=us-east-1") as lake:
        with pytest.raises(errors.UnsupportedSqlError, match="line 2, column 3: Athena does not cast"):
            lake.sql("SELECT :a AS a,\n  CAST(now() AS timestamp) AS b", a="x\ny")
        with pytest.raises(errors.UnsupportedSqlError, match=r"262,144 bytes; split it"):
            lake.sql("SELECT :a AS a", a="x" * LONGEST)
        with pytest.raises(errors.UnsupportedSqlError, match="needs a name"):
            lake.sql("CREATE TABLE db.t AS SELECT 1", allow_write=True)
        assert lake.last_query is None


# ---------------------------------------------------------------- on all that is known to be fine


@pytest.mark.parametrize("name", query_names())
def test_no_query_of_the_package_is_refused(name: str) -> None:
    assert athena_refusals(load_query(name).text, warnings=True) == []


def test_no_statement_of_the_corpus_is_refused_but_for_the_cast(data: Path) -> None:
    lines = (data / "dialect_corpus.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    texts = [case["sql"] for case in cases if "sql" in case]
    found = {text: athena_refusals(text) for text in texts}
    assert len(texts) > 300
    for text, refusals in found.items():
        assert all("with time zone to a timestamp" in r.reason for r in refusals), text
        assert not refusals or "CAST" in text.upper()


@given(st.text(max_size=80))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    athena_refusals(text, warnings=True)


WORDS = [
    "SELECT", "UNLOAD", "CREATE TABLE t", "AS", "(", ")", "WITH", "format", "=", "'ORC'", ",", "CAST(", "now()", "*",
    "timestamp", "FROM", "t", "TO", "'s3://b/'", "EXPLAIN", "INSERT INTO", "VALUES", "1", ";", "PREPARE q", "x", ":y",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_any_words_are_judged_without_an_error(words: list[str]) -> None:
    text = " ".join(words)
    lines = text.count("\n") + 1
    assert all(1 <= r.line <= lines and 1 <= r.column <= len(text) + 1 for r in athena_refusals(text, warnings=True))
