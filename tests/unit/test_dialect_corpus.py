"""The translation gives what a real Trino gave: statements with recorded answers, run on DuckDB."""

from __future__ import annotations

import json
import re
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
