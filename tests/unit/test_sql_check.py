"""Query files held against the rules: each rule passes and fails, and the place is right."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit import errors
from datalake_kit.sql import query_folder
from datalake_kit.sql.lint import RULES, Finding, check_query_file, check_sql

HEADER = (
    "-- What it answers.\n-- :since timestamp = NULL   first instant\n-- :n integer = 1   a number\n"
    "-- :x number = 1.5   a number\n-- :names list   names\n-- :t identifier   a table\n"
)
ALL = " WHERE :since IS NULL AND :n = :x AND a IN (:names)"


def rules(text: str) -> list[str]:
    return [f.rule for f in check_sql(text)]


# ---------------------------------------------------------------- each rule: what breaks it, what does not


def cases(text: str) -> list[tuple[str, str]]:
    """Read `rule: statement` lines; ¶ stands for a line end."""
    pairs = (line.split(": ", 1) for line in text.strip().splitlines())
    return [(rule, "" if sql == "(nothing)" else sql.replace("¶", "\n")) for rule, sql in pairs]


BROKEN = cases(r"""
one-statement: SELECT 1 AS a; SELECT 2 AS b
one-statement: (nothing)
one-statement: -- nothing
one-statement: ;
one-statement: SELECT 1 AS a;; -- x¶ SELECT 2 AS b
reads-only: DELETE FROM t WHERE a = 1
reads-only: INSERT INTO t SELECT 1 AS a
reads-only: WITH a AS (SELECT 1 AS x) INSERT INTO t SELECT x FROM a
reads-only: CREATE TABLE t AS SELECT 1 AS a
reads-only: DROP TABLE t
syntax: SELECT FROM WHERE
syntax: SELECT 'a AS b
syntax: SELECT a::int AS b FROM t
syntax: SELECT 1 AS a,
syntax: SELECT [1] AS a
syntax: SELECT /* a AS b
syntax: SELECT "a AS b
syntax: SELECT a FROM t WHERE a == 1
syntax: hello
syntax: ( SELECT 1 AS a
pasted: SELECT {column} AS a FROM t
pasted: SELECT a FROM t WHERE b = ?
pasted: SELECT a FROM t WHERE b = %s
pasted: SELECT a FROM t WHERE b = %(name)s
pasted: SELECT a FROM {{ table }}
pasted: SELECT a FROM t WHERE b = '{name}'
pasted: SELECT a FROM "{table}"
unnamed-column: SELECT count(*) FROM t
unnamed-column: SELECT 1
unnamed-column: SELECT a + 1 FROM t
unnamed-column: VALUES (1)
unnamed-column: WITH x AS (SELECT 1) SELECT * FROM x
unnamed-column: SELECT a FROM (SELECT max(a) FROM t) AS s
unnamed-column: SELECT a FROM (VALUES (1)) AS s
unnamed-column: SELECT 1 UNION ALL SELECT 2 AS a
unnamed-column: SELECT CAST(a AS double) FROM t
unnamed-column: SELECT a FROM t CROSS JOIN LATERAL (SELECT 1) AS s
alias-too-early: SELECT a AS b FROM (VALUES (1)) AS t(a) WHERE b > 1
alias-too-early: SELECT a + 1 AS b FROM t GROUP BY b
alias-too-early: SELECT a + 1 AS b FROM t WHERE b > 1
alias-too-early: SELECT max(a) AS b FROM t HAVING b > 1
alias-too-early: SELECT t.a AS b FROM t JOIN u ON b = u.a
alias-too-early: WITH t AS (SELECT 1 AS a) SELECT lower(a) AS b FROM t GROUP BY b
division: SELECT a / b AS c FROM t
division: SELECT sum(a) / count(*) AS c FROM t
division: SELECT 1.0 / 3 AS c
division: SELECT a / :n AS c FROM t
subscript: SELECT a[1] AS b FROM t
subscript: SELECT m['k'] AS b FROM t
subscript: SELECT "a"[1] AS b FROM t
subscript: SELECT split(a, ',')[1] AS b FROM t
subscript: SELECT a[1][2] AS b FROM t
datetime-format: SELECT format_datetime(a, 'yyyy') AS b FROM t
datetime-format: SELECT parse_datetime(a, 'yyyy') AS b FROM t
values-rows: SELECT a FROM (VALUES 1, 2) AS t(a)
values-rows: SELECT a FROM (VALUES (1), 2) AS t(a)
closed-window: SELECT a FROM t WHERE at BETWEEN DATE '2026-01-01' AND DATE '2026-02-01'
closed-window: SELECT a FROM t WHERE at BETWEEN TIMESTAMP '2026-01-01 00:00:00' AND now()
closed-window: SELECT a FROM t WHERE at >= DATE '2026-01-01' AND at <= DATE '2026-01-31'
closed-window: SELECT a FROM t WHERE a = 1 AND at > now() AND b = 2 AND at <= now()
not-portable: SELECT "$path" AS a FROM t
not-portable: SELECT typeof(a) AS b FROM t
not-portable: SELECT json_value(a, 'x') AS b FROM t
not-portable: SELECT arg_max(a, b) AS c FROM t
not-portable: SELECT arg_min(a, b) AS c FROM t
not-portable: SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1
athena: SELECT CAST(now() AS timestamp) AS a
athena: SELECT CAST(from_iso8601_timestamp(a) AS timestamp) AS b FROM t
local-engine: SELECT no_such_function(a) AS b FROM t
local-engine: SELECT nvl(a, b) AS c FROM t
""")

KEPT = cases(r"""
one-statement: SELECT 1 AS a;
one-statement: SELECT ';' AS a;;
one-statement: SELECT 1 AS a -- ; x
reads-only: SELECT 'DROP TABLE t' AS a
reads-only: WITH a AS (SELECT 1 AS x) SELECT x FROM a
reads-only: SHOW TABLES IN taxi
reads-only: EXPLAIN SELECT 1 AS a
reads-only: DESCRIBE taxi.t
syntax: SELECT ARRAY[1] AS a
syntax: SELECT 'it''s :: {x' AS a /* :: */ -- ==
syntax: (SELECT 1 AS a)
pasted: SELECT 5 % s AS a FROM t
pasted: SELECT regexp_like(a, '[0-9]{2}') AS b FROM t
pasted: SELECT a % (b) AS s FROM t
pasted: SELECT regexp_like(a, '\p{Lu}') AS b FROM t
pasted: SELECT date_format(a, '%Y-%s') AS b FROM t
pasted: SELECT '12:30' AS a
pasted: SELECT a FROM t -- {x} ? %s
unnamed-column: SELECT a, t.b FROM t
unnamed-column: SELECT * FROM t
unnamed-column: SELECT t.* FROM t
unnamed-column: SELECT a FROM (VALUES (1)) AS t(a)
unnamed-column: WITH x(a) AS (SELECT 1) SELECT a FROM x
unnamed-column: SELECT 1 AS a UNION ALL SELECT 2
unnamed-column: SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u) AND a IN (SELECT max(a) FROM u)
unnamed-column: SELECT (SELECT max(a) FROM t) AS b
unnamed-column: SELECT s.a FROM (SELECT max(a) FROM t) AS s(a)
unnamed-column: SELECT s.x FROM t CROSS JOIN LATERAL (SELECT 1) AS s(x)
unnamed-column: SELECT x FROM t CROSS JOIN UNNEST(a) AS u(x)
unnamed-column: SELECT a FROM (t JOIN u ON t.i = u.i)
alias-too-early: SELECT a AS b FROM t ORDER BY b
alias-too-early: SELECT lower(name) AS name FROM t GROUP BY name
alias-too-early: SELECT a AS b FROM (VALUES (1, 2)) AS t(a, b) WHERE b > 1
alias-too-early: SELECT a AS b FROM t GROUP BY a
alias-too-early: SELECT t.a AS b FROM t JOIN u ON t.b = u.b
alias-too-early: SELECT a + 1 AS b FROM t GROUP BY 1
alias-too-early: SELECT a AS b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE b = 1)
division: SELECT CAST(a AS double) / b AS c FROM t
division: SELECT a / 2e0 AS c FROM t
division: SELECT 7 / 2 AS c
division: SELECT count(*) / 2 AS c FROM t
division: SELECT CAST(a AS bigint) / CAST(b AS integer) AS c FROM t
division: SELECT avg(a) / 2 AS c FROM t
division: SELECT a / (CAST(b AS double) + 1) AS c FROM t
division: SELECT x / 2 AS c FROM (SELECT count(*) AS x FROM t) AS s
division: SELECT sum(CAST(a AS double)) / n AS c FROM t
division: SELECT a / CAST(nullif(b, 0) AS double) AS c FROM t
division: SELECT 'a/b' AS c -- a / b
subscript: SELECT element_at(a, 1) AS b FROM t
subscript: SELECT ARRAY[1, 2] AS a
subscript: SELECT 'a[1]' AS b -- a[1]
subscript: SELECT a IN (1) AS b, ARRAY[ARRAY[1]] AS c FROM t
datetime-format: SELECT date_format(a, '%Y') AS b FROM t
datetime-format: SELECT format_datetime AS a FROM t
values-rows: SELECT a FROM (VALUES (1), (2)) AS t(a)
values-rows: SELECT a FROM (VALUES (1, (2)), (ARRAY[1, 2], 3)) AS t(a, b)
values-rows: SELECT t.values AS a FROM t
closed-window: SELECT a FROM t WHERE at >= DATE '2026-01-01' AND at < DATE '2026-02-01'
closed-window: SELECT a FROM t WHERE n BETWEEN 1 AND 5
closed-window: SELECT a FROM t WHERE n >= 1 AND n <= 5
closed-window: SELECT a FROM t WHERE at <= now()
closed-window: SELECT a FROM t WHERE b >= now() AND c <= now()
not-portable: SELECT "path" AS a FROM t
not-portable: SELECT typeof AS a, qualify FROM t
not-portable: SELECT max_by(a, b) AS c FROM t
not-portable: SELECT '$path' AS a, 'typeof(x)' AS b
athena: SELECT CAST(a AS timestamp) AS b FROM t
athena: SELECT CAST(now() AS date) AS a
local-engine: SELECT max(a) AS b, transform(ARRAY[1], x -> x + 1) AS c FROM t
local-engine: SELECT coalesce(a, 1) AS b FROM t
""")


@pytest.mark.parametrize(("rule", "text"), BROKEN)
def test_a_rule_that_is_broken(rule: str, text: str) -> None:
    found = check_sql(text + "\n")
    assert rule in [f.rule for f in found], found
    for one in found:
        assert one.message
        assert one.instead
        assert 1 <= one.line <= text.count("\n") + 2


@pytest.mark.parametrize(("rule", "text"), KEPT)
def test_a_rule_that_is_kept(rule: str, text: str) -> None:
    assert check_sql(text + "\n") == [], rule


def test_every_rule_is_tested() -> None:
    assert {r for r, _ in BROKEN} == {r for r, _ in KEPT} == set(RULES) - {"file", "header", "parameters"}


# ---------------------------------------------------------------- headers


def checked(tmp_path: Path, text: str | bytes) -> list[Finding]:
    file = tmp_path / "query.sql"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = check_query_file(file)
    assert all(f.file == str(file) for f in found)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 AS a", [("header", 1)]),
        ("-- :n integer = 1  a number\nSELECT :n AS a", [("header", 1)]),
        ("--\n-- \nSELECT 1 AS a", [("header", 1)]),
        ("-- x\n-- :n nonsense\nSELECT :n AS a", [("header", 2), ("parameters", 3)]),
        ("-- x\n-- :n integer = soon\nSELECT :n AS a", [("header", 2), ("parameters", 3)]),
        ("-- x\n-- :n integer\nSELECT 1 AS a", [("parameters", 2)]),
        ("-- x\n\n\nSELECT 1 AS a,\n :n AS b, :n AS c", [("parameters", 5), ("parameters", 5)]),
        ("-- x\n-- :n integer\n-- :n text\nSELECT :n AS a", [("parameters", 3)]),
        ("-- x\n-- :n integer\nSELECT ':n' AS a", [("parameters", 2), ("pasted", 3)]),
        ("-- x\n", [("one-statement", 2)]),
        ("", [("header", 1), ("one-statement", 1)]),
        (b"-- x\nSELECT '\xff' AS a", [("file", 2)]),
        (b"-- x\nSELECT '\0' AS a", [("file", 2)]),
        (b"-- x\nSELECT '" + b"a" * 2_000_000 + b"' AS a", [("file", 1)]),
        ("-- x\nSELECT '" + "a" * 300_000 + "' AS a", [("athena", 2)]),
    ],
)
def test_headers_and_files(tmp_path: Path, text: str | bytes, expected: list[tuple[str, int]]) -> None:
    assert [(f.rule, f.line) for f in checked(tmp_path, text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "SELECT a AS b FROM :t" + ALL,
        HEADER + "\n\n  SELECT a AS b FROM :t" + ALL + ";\n\n",
        "-- x\nSELECT 1 AS a",
        "\ufeff-- x\r\n-- :n integer = 1   a number\r\nSELECT :n AS a\r\n",
        "-- x\n-- :n number   a number\nSELECT a / :n AS b FROM t",
        "-- x\n-- :n integer   a number\nSELECT count(*) / :n AS b FROM t",
    ],
)
def test_files_that_are_well(tmp_path: Path, text: str) -> None:
    assert checked(tmp_path, text) == []


def test_a_window_between_parameters_of_time_is_closed(tmp_path: Path) -> None:
    text = "-- x\n-- :a date  first\n-- :b date  last\nSELECT n FROM t WHERE at BETWEEN :a AND :b"
    assert [(f.rule, f.line, f.column) for f in checked(tmp_path, text)] == [("closed-window", 4, 23)]


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    text = (
        "-- Größe 🚀\n-- :n integer  x\n\n   SELECT 'ä🚀', /* a[1]\n */ b[2] AS c, DECIMAL '1.50' / d AS e,\n"
        "\tCAST(now() AS timestamp) AS f, :n AS n, no_such(DECIMAL '1.5', a) AS g FROM t"
    )
    found = [(f.rule, f.line, f.column) for f in checked(tmp_path, text)]
    assert found == [
        ("unnamed-column", 4, 11),
        ("subscript", 5, 6),
        ("division", 5, 16),
        ("athena", 6, 2),
        ("local-engine", 6, 42),
    ]


def test_a_line_can_be_let_through(tmp_path: Path) -> None:
    text = (
        "-- x\nSELECT a[1] AS b, -- check: ignore subscript\n a / b AS c -- check: ignore division, subscript\nFROM t"
    )
    assert checked(tmp_path, text) == []
    other = text.replace("ignore subscript", "ignore division")
    assert [f.rule for f in checked(tmp_path, other)] == ["subscript"]


def test_a_finding_names_file_line_and_way_out(tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    found = checked(tmp_path, "-- x\nSELECT a[1] AS b FROM t")
    message = "subscript: x[i] fails where nothing is there; write element_at(x, i)"
    assert [str(f) for f in found] == [f"{file}:2:9: {message}"]
    assert [str(f) for f in check_sql("SELECT a[1] AS b FROM t")] == [f"line 1, column 9: {message}"]


# ---------------------------------------------------------------- files and folders


def test_every_query_of_the_package_is_well() -> None:
    assert [str(f) for f in check_sql(query_folder())] == []


def test_folders_files_and_texts(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "one.sql").write_text("-- x\nSELECT a[1] AS b FROM t")
    (tmp_path / "deep" / "two.sql").write_text("-- x\nSELECT 1")
    (tmp_path / "deep" / "out.sql").symlink_to("/etc/hostname")
    (tmp_path / ".hidden.sql").write_text("nonsense")
    found = [(Path(f.file).name, f.rule) for f in check_sql(tmp_path)]
    assert found == [("one.sql", "subscript"), ("out.sql", "file"), ("two.sql", "unnamed-column")]
    both = check_sql([tmp_path / "one.sql", str(tmp_path / "deep" / "two.sql")])
    assert [f.rule for f in both] == ["subscript", "unnamed-column"]
    assert [f.rule for f in check_sql(str(tmp_path / "one.sql"))] == ["subscript"]


@pytest.mark.parametrize("name", ["no-such.sql", "no-such-folder", "a folder/no such.sql"])
def test_what_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(errors.QueryNotFoundError, match="No such file"):
        check_sql(name)


def test_on_a_lake_types_and_tables_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "lake" / "taxi" / "trips"
    folder.mkdir(parents=True)
    zoned = pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"n": [1], "fare": [1.5], "at": zoned}), folder / "a.parquet")
    text = "SELECT n / 2 AS h, fare / n AS f FROM taxi.trips WHERE n > :n"
    assert rules(text) == ["division", "division"]
    with dk.connect(tmp_path / "lake") as lake:
        assert [f.rule for f in check_sql(text.replace("n > :n", "n > 1"), lake=lake)] == []
        assert "no column 'fair'" in str(check_sql("SELECT fair FROM taxi.trips", lake=lake)[0])
        assert [f.rule for f in check_sql("SELECT a FROM taxi.no_such", lake=lake)] == ["local-engine"]
        early = check_sql("SELECT n AS m FROM taxi.trips WHERE m = 1", lake=lake)
        assert {(f.rule, f.severity) for f in early} == {("alias-too-early", "error"), ("local-engine", "error")}
        file = tmp_path / "q.sql"
        file.write_text("-- x\n-- :n integer  a number\nSELECT split(n, ',') AS a FROM taxi.trips WHERE n = :n")
        assert [f.rule for f in check_sql(file, lake=lake)] == ["local-engine"]
        assert check_sql(file) == []


# ---------------------------------------------------------------- whatever the text


@given(st.text(max_size=80))
def test_any_text_is_checked_without_an_error(text: str) -> None:
    for one in check_sql(text + "\n"):
        assert 1 <= one.line <= (text + "\n").count("\n") + 1
        assert one.column >= 1
        assert one.rule in RULES


WORDS = [
    "SELECT", "AS", "a", "b", ",", "(", ")", "FROM", "t", "WHERE", "VALUES", "1", "/", "[", "]", ":x", "'s'", "now()",
    "CAST(", "timestamp", "GROUP BY", "BETWEEN", "AND", "-- x\n", "*", "WITH", "JOIN", "ON", ";", "->", "{", "?", "{x}",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=16))
def test_any_words_are_checked_without_an_error(words: list[str]) -> None:
    text = " ".join(words) + "\n"
    lines = text.split("\n")
    for one in check_sql(text):
        assert one.column <= len(lines[one.line - 1]) + 1
