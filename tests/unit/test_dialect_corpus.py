"""The translation gives what a real Trino gave: statements with recorded answers, run on DuckDB."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from datalake_kit.engines.dialect import REFUSED_WHILE_RUNNING, connection_setup, translate
from datalake_kit.engines.dialect.types import from_duckdb
from datalake_kit.errors import SqlError, UnsupportedSqlError
from tests.trino.answers import duckdb_type, duckdb_value, plain_type, same_rows, trino_value

CORPUS = Path(__file__).parent.parent / "data" / "dialect_corpus.jsonl"
HEAD, *CASES = (json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines())
# One tag for each known difference between the engines, and what of it is refused by intention.
DIFFERENCES = frozenset(
    [
        *("integer_division", "date_diff", "regexp_extract", "json_extract_scalar", "cast_json_varchar", "count_if"),
        *("at_time_zone", "decimal", "date_arithmetic", "cast_to_varchar", "double_to_integer", "slices_and_parts"),
        *("unnest", "try_cast", "subscripts", "alias_scope", "nan"),
    ]
)
REFUSED_BY_INTENTION = frozenset({"at_time_zone", "cast_to_varchar", "decimal", "foreign"})


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    for statement in connection_setup():
        made.execute(statement)
    return made


def outcome(case: dict[str, Any]) -> str:
    """Return 'same', 'refused' or 'fails'; a different answer is an AssertionError."""
    try:
        statement = translate(case["sql"], schema={}, parameters={})
    except SqlError:
        return "refused"
    except LookupError:  # a column or a table that is not there
        return "fails"
    try:
        result = connection().execute(statement)
        rows, types = result.fetchall(), [str(d[1]) for d in result.description]
    except duckdb.Error as error:
        return "refused" if REFUSED_WHILE_RUNNING in str(error) else "fails"
    assert "error" not in case, f"Trino says {case['error']}, DuckDB answers {rows}"
    assert [d[0] for d in result.description] == [name for name, _ in case["columns"]]
    check_rows(case, rows, types)
    assert [duckdb_type(t) for t in types] == [plain_type(t) for _, t in case["columns"]]
    return "same"


def check_rows(case: dict[str, Any], rows: list[Any], types: list[str]) -> None:
    theirs = [[trino_value(v, t) for v, (_, t) in zip(row, case["columns"], strict=True)] for row in case["rows"]]
    ours = [[duckdb_value(v, from_duckdb(t)) for v, t in zip(row, types, strict=True)] for row in rows]
    ordered = re.search(r"(?i)order by [^()]*$", case["sql"]) is not None
    assert same_rows(ours, theirs, ordered=ordered), f"Trino {theirs}, DuckDB {ours}"


@pytest.mark.parametrize("case", CASES, ids=[f"{c['tag']}-{i}".replace(" ", "_") for i, c in enumerate(CASES)])
def test_same_answer_as_trino_or_a_refusal(case: dict[str, Any]) -> None:
    found = outcome(case)
    if "error" not in case:
        assert found != "fails", "Trino answers, DuckDB fails without a refusal"


def test_corpus_is_large_and_covers_every_difference() -> None:
    assert HEAD["trino"] == "483"
    assert len(CASES) == HEAD["cases"] >= 480
    tags = Counter(c["tag"] for c in CASES)
    assert all(tags[tag] >= 5 for tag in DIFFERENCES), tags


def test_few_statements_are_refused() -> None:
    asked = [c for c in CASES if "error" not in c and c["tag"] not in REFUSED_BY_INTENTION]
    refused = [c["sql"] for c in asked if outcome(c) == "refused"]
    assert len(refused) / len(asked) <= 0.10, refused


def test_every_refusal_says_what_why_and_what_instead() -> None:
    for case in CASES:
        try:
            translate(case["sql"], schema={}, parameters={})
        except UnsupportedSqlError as error:
            construct, _, rest = str(error).rpartition(": ")
            reason, _, instead = rest.rpartition("; ")
            assert construct, case["sql"]
            assert reason, case["sql"]
            assert instead, case["sql"]
        except (SqlError, LookupError):
            pass
