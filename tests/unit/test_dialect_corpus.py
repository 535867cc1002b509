"""The translation gives what a real Trino gave: statements with recorded answers, run on DuckDB."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from datalake_kit.engines.dialect import translate
from datalake_kit.errors import SqlError, UnsupportedSqlError
from tests.trino.both_engines import difference, run_locally

CORPUS = Path(__file__).parent.parent / "data" / "dialect_corpus.jsonl"
HEAD, *CASES = (json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines())
# The rows of the table of silent differences; each is the tag of its statements.
DIFFERENCES = (
    *("integer_division", "date_diff", "regexp_extract", "json_extract_scalar", "cast_json_varchar", "count_if"),
    *("at_time_zone", "decimal", "date_arithmetic", "cast_to_varchar", "double_to_integer", "slices_and_parts"),
    *("unnest", "try_cast", "subscripts", "alias_scope"),
)
# What every row is tried on. 2026-03-29 and 2026-10-25 are the days on which the clocks change in Europe.
VALUES = {
    "NULL": r"\bNULL\b|\bnull\b",
    "negative": r"1969-|(?<![\w'-])-\s?\d|'-\d|[\[( ]-\w+\(|: -\d|-x\b",
    "empty": r"''|ARRAY\[\]|map\(\)|'\[\]'|'{}'|WHERE false",
    "clock change": "2026-03-29|2026-10-25",
}


def outcome(case: dict[str, Any]) -> str:
    """Return 'answers', 'refused' or 'fails'; a different answer is an AssertionError."""
    local = run_locally(case["sql"])
    differs = difference(case, local)
    assert differs is None, differs
    return local.found


@pytest.mark.parametrize("case", CASES, ids=[f"{c['tag']}-{i}".replace(" ", "_") for i, c in enumerate(CASES)])
def test_same_answer_as_trino_or_a_refusal(case: dict[str, Any]) -> None:
    outcome(case)


def test_corpus_is_large_and_was_asked_of_one_trino() -> None:
    assert HEAD["trino"] == "483"
    assert len(CASES) == HEAD["cases"] >= 700
    assert len({c["sql"] for c in CASES}) == len(CASES)


@pytest.mark.parametrize("row", DIFFERENCES)
def test_each_known_difference_is_tried_on_the_values_that_make_it(row: str) -> None:
    statements = [c["sql"] for c in CASES if c["tag"] == row]
    assert len(statements) >= 5
    assert [name for name, sign in VALUES.items() if not any(re.search(sign, s) for s in statements)] == []


def test_few_statements_that_trino_answers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [c for c in CASES if "error" not in c]
    refused = Counter(c["tag"] for c in asked if outcome(c) == "refused")
    of = Counter(c["tag"] for c in asked)
    with capsys.disabled():
        print(f"\n{refused.total()} of {of.total()} statements that Trino answers are refused; by row:")
        print(", ".join(f"{row} {refused[row]}/{of[row]}" for row in DIFFERENCES))
    assert refused.total() / of.total() <= 0.15
    assert all(of[row] - refused[row] >= 5 for row in DIFFERENCES if row != "alias_scope"), refused


def refusal_of(sql: str) -> str | None:
    """Return the message of a statement that the translation refuses."""
    try:
        translate(sql, schema={}, parameters={})
    except UnsupportedSqlError as error:
        return str(error)
    except (SqlError, LookupError):
        pass
    return None


def test_every_refusal_says_what_why_and_what_instead() -> None:
    messages = {c["sql"]: refusal_of(c["sql"]) for c in CASES}
    refused = {sql: message for sql, message in messages.items() if message is not None}
    assert len(refused) >= 100
    for sql, message in refused.items():
        found = re.fullmatch(r"(?P<construct>.+?): (?P<reason>[^;]{10,}); (?P<instead>[^;]{7,})", message, re.DOTALL)
        assert found is not None, (sql, message)


# A refused statement, what of the way out that its message shows is taken, and that way written out: a case as well.
WAYS_OUT = {
    "regexp_extract": (
        "SELECT regexp_extract('a1', '(a)|(b)', 2) AS a",
        "an expression of its own",
        "SELECT regexp_extract('a1', '(b)', 1) AS a",
    ),
    "cast_json_varchar": (
        'SELECT json_format(json_parse(\'{"a": {"b": 1}}\')) AS a, typeof(1) AS b',
        "look at lake.table",
        "SELECT json_extract_scalar('{\"a\": {\"b\": 1}}', '$.a.b') AS a",
    ),
    "count_if": (
        "SELECT count_if(x > 1) FILTER (WHERE x < 9) OVER () AS a FROM (VALUES -1, 3, NULL) AS t(x)",
        "CASE WHEN",
        "SELECT sum(CASE WHEN x < 9 AND x > 1 THEN 1 ELSE 0 END) OVER () AS a FROM (VALUES -1, 3, NULL) AS t(x)",
    ),
    "at_time_zone": (
        "SELECT TIMESTAMP '2026-10-25 02:30:00' AT TIME ZONE 'Europe/Berlin' AS a",
        "at_timezone(with_timezone(value, 'UTC')",
        "SELECT at_timezone(with_timezone(TIMESTAMP '2026-10-25 02:30:00', 'UTC'), 'Europe/Berlin') AS a",
    ),
    "decimal": (
        "SELECT sum(x) / count(*) AS a FROM (VALUES 1.25, -2.50, NULL) AS t(x)",
        "CAST one side AS DOUBLE",
        "SELECT CAST(sum(x) AS double) / count(*) AS a FROM (VALUES 1.25, -2.50, NULL) AS t(x)",
    ),
    "date_arithmetic": (
        "SELECT DATE '2026-03-29' + INTERVAL '1' HOUR AS a",
        "CAST the date AS TIMESTAMP",
        "SELECT CAST(DATE '2026-03-29' AS timestamp) + INTERVAL '1' HOUR AS a",
    ),
    "cast_to_varchar": (
        "SELECT CAST(TIMESTAMP '2026-03-29 02:30:00' AS varchar) AS a",
        "date_format(value",
        "SELECT date_format(TIMESTAMP '2026-03-29 02:30:00', '%Y-%m-%d %H:%i:%s') AS a",
    ),
    "double_to_integer": (
        "SELECT CAST(-2.5e0 AS varchar) AS a",
        "DECIMAL",
        "SELECT CAST(CAST(-2.5e0 AS decimal(10, 1)) AS varchar) AS a",
    ),
    "unnest": (
        "SELECT unnest(ARRAY[1, NULL, -1]) AS x",
        "CROSS JOIN UNNEST(array)",
        "SELECT x FROM (VALUES 1) AS o(i) CROSS JOIN UNNEST(ARRAY[1, NULL, -1]) AS t(x)",
    ),
    "subscripts": (
        "SELECT array_first(ARRAY[-1]) AS a",
        "element_at(array, 1)",
        "SELECT element_at(ARRAY[-1], 1) AS a",
    ),
    "alias_scope": (
        "SELECT x AS y FROM (VALUES -1, NULL, 2) AS t(x) WHERE y > 0",
        "repeat the expression",
        "SELECT x AS y FROM (VALUES -1, NULL, 2) AS t(x) WHERE x > 0",
    ),
    "integer_division": (
        "SELECT 5 // 2 AS a",
        "",
        "SELECT CAST(5 AS double) / 2 AS a, 5 / 2 AS b",
    ),
    "date_diff": (
        "SELECT datediff('day', DATE '2026-03-29', DATE '2026-10-25') AS a",
        "date_diff('day', earlier, later)",
        "SELECT date_diff('day', DATE '2026-03-29', DATE '2026-10-25') AS a",
    ),
    "slices_and_parts": (
        "SELECT 'abc'[1] AS a",
        "",
        "SELECT substr('abc', 1, 1) AS a, split_part('a-b', '-', 2) AS b",
    ),
}


@pytest.mark.parametrize("row", WAYS_OUT)
def test_the_way_out_of_a_refusal_is_answered_by_both_engines(row: str) -> None:
    refused, taken, way_out = WAYS_OUT[row]
    message = refusal_of(refused)
    if taken:
        assert message is not None
        assert taken in message.rpartition("; ")[2]
    case = next(c for c in CASES if c["sql"] == way_out)
    assert "error" not in case
    assert outcome(case) == "answers"


def test_the_translation_of_a_statement_is_the_same_text_in_every_process() -> None:
    sql = next(c["sql"] for c in CASES if c["sql"].startswith("WITH") and outcome(c) == "answers")
    program = (
        f"from datalake_kit.engines.dialect import translate; print(translate({sql!r}, schema={{}}, parameters={{}}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {f"{translate(sql, schema={}, parameters={})}\n".encode()}
