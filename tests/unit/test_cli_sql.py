"""datalake-kit sql: named queries with typed values, their help, lists and checks."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from datalake_kit.cli import app

TRIPS = """-- Trips of vendors in a window.
-- :since timestamp = 2026-01-01T00:00:00    first instant that counts
-- :vendors list = NULL                      vendors that count; NULL: all
-- :max_fare number                          dearest fare that counts
-- :name text = 'it''s'                      a name
SELECT count(*) AS trips, max(:name) AS name
FROM taxi.trips
WHERE at >= :since AND fare <= :max_fare AND vendor IN (:vendors)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lake" / "taxi" / "trips"
    folder.mkdir(parents=True)
    at = pa.array([dt.datetime(2026, 1, 1), dt.datetime(2025, 1, 1)], pa.timestamp("us"))
    pq.write_table(pa.table({"vendor": ["a", "b"], "fare": [1.5, 2.5], "at": at}), folder / "a.parquet")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "trips.sql").write_text(TRIPS)
    (tmp_path / "mine" / "bad.sql").write_text("-- x\nSELECT :a AS b")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: Any, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, ["sql", *map(str, words)], input=stdin)


def rows(*words: Any) -> list[dict[str, Any]]:
    done = call(*words, "--lake", "lake", "--sql", "mine", "--json")
    assert done.exit_code == 0, done.output
    return list(json.loads(done.output))


def test_values_of_a_query_are_read_by_their_types(here: Path) -> None:
    assert rows("trips", "--max-fare", "2", "--vendors", "a,b") == [{"trips": 1, "name": "it's"}]
    assert rows("trips", "--max_fare=9", "-p", "since=2024-01-01T00:00:00", "--vendors", '["a", "b"]')[0]["trips"] == 2
    assert rows("--max-fare", "9", "trips", "--vendors", "b", "--since", "2024-01-01")[0]["trips"] == 1
    assert rows("trips", "--max-fare", "9", "--vendors", "a", "--name", "--x = 'y'")[0]["name"] == "--x = 'y'"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trips",), "needs max_fare= (number: dearest fare"),
        (("trips", "--max-fare", "much"), "max_fare must be number, not 'much'"),
        (
            ("trips", "--max-fare", "1", "--since", "soon"),
            "since must be timestamp, not 'soon'. Write it as 2026-01-31T",
        ),
        (("trips", "--maxfare", "1"), "Did you mean max_fare"),
        (("trips", "--alow-write", "1"), "allow-write"),
        (("trips", "--max-fare"), "--max-fare needs a value"),
        (("trips", "--max-fare", "1", "-p", "max_fare=2"), "Given twice: max_fare"),
        (("trips", "more"), "One statement or name at a time"),
        (("trip",), "Did you mean trips"),
        (("bad",), "bad.sql:2"),
        (("SELECT 1 AS a", "--b", "1"), "does not use b"),
    ],
)
def test_what_is_wrong_is_named(here: Path, words: tuple[str, ...], message: str) -> None:
    done = call(*words, "--lake", "lake", "--sql", "mine")
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_statement_may_begin_with_a_comment_and_take_values(here: Path) -> None:
    assert rows("-- all of them\nSELECT count(*) AS n FROM taxi.trips WHERE fare > :low", "--low", "2") == [{"n": 1}]
    assert "2" in call("-", "--lake", "lake", stdin="SELECT count(*) AS n FROM taxi.trips").output


def test_help_of_a_query_needs_no_lake(here: Path) -> None:
    done = call("trips", "--help", "--sql", "mine")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "trips: Trips of vendors in a window."
    assert lines[1] == str(here / "mine" / "trips.sql")
    shown = [line.split() for line in lines if line.startswith("  --")]
    assert [words[:4] for words in shown] == [
        ["--since", "timestamp", "=", "2026-01-01"],
        ["--vendors", "list", "=", "NULL"],
        ["--max_fare", "number", "required", "dearest"],
        ["--name", "text", "=", '"it\'s"'],
    ]
    assert "required" in call("cdc/row_count", "--help").output
    told = json.loads(call("trips", "--help", "--sql", "mine", "--json").output)
    assert told["parameters"][2] == {
        "name": "max_fare", "type": "number", "help": "dearest fare that counts", "required": True, "default": None,
    }  # fmt: skip


def test_help_of_the_command(here: Path) -> None:
    done = call("--help")
    assert done.exit_code == 0
    assert "--check" in done.output
    assert call().exit_code == 2


def test_help_of_what_is_not_there(here: Path) -> None:
    done = call("trip", "--help", "--sql", "mine")
    assert done.exit_code == 2
    assert "Did you mean trips" in done.stderr
    assert "no such folder" in call("trips", "--help", "--sql", "nowhere").stderr


def test_queries_are_listed_with_their_problems(here: Path) -> None:
    lines = call("--list", "--sql", "mine").output.splitlines()
    assert any(line.startswith("trips ") and "Trips of vendors" in line for line in lines)
    assert any(line.startswith("bad ") and "PROBLEM" in line for line in lines)
    told = {one["name"]: one for one in json.loads(call("--list", "--sql", "mine", "--json").output)}
    assert told["cdc/row_count"]["parameters"] == [":table identifier"]
    assert told["bad"]["problem"]


def test_folders_of_the_configuration_count(here: Path) -> None:
    (here / "datalake.toml").write_text('default = "one"\n[lakes.one]\npath = "lake"\nsql = "mine"\n')
    done = call("trips", "--max-fare", "9", "--vendors", "a", "--json")
    assert json.loads(done.output)[0]["trips"] == 1
    assert "Trips of vendors" in call("trips", "--help").output


# ---------------------------------------------------------------- --check


def test_check_ends_with_1_when_it_finds_something(here: Path) -> None:
    (here / "mine" / "bad.sql").unlink()
    done = call("--check", "mine")
    assert done.exit_code == 0, done.output
    assert done.output == "All is well.\n"
    (here / "mine" / "part.sql").write_text("-- x\nSELECT a[1] AS b, count(*)\nFROM t")
    done = call("--check", "mine")
    assert done.exit_code == 1
    assert done.output.splitlines() == [
        "mine/part.sql:2:9: subscript: x[i] fails where nothing is there; write element_at(x, i)",
        "mine/part.sql:2:19: unnamed-column: COUNT(*) has no name; write AS name",
        "2 findings in 1 files.",
    ]
    told = json.loads(call("--check", "mine/trips.sql", "mine/part.sql", "--json").output)
    assert [(one["file"], one["line"], one["column"], one["rule"]) for one in told] == [
        ("mine/part.sql", 2, 9, "subscript"),
        ("mine/part.sql", 2, 19, "unnamed-column"),
    ]
    assert call("--check", "mine/trips.sql", "--json").output == "[]\n"


def test_check_on_a_lake_knows_its_tables(here: Path) -> None:
    (here / "mine" / "typed.sql").write_text("-- x\nSELECT fare / 2 AS half FROM taxi.trips")
    assert call("--check", "mine/typed.sql").exit_code == 1
    assert call("--check", "mine/typed.sql", "--lake", "lake").exit_code == 0
    (here / "mine" / "typed.sql").write_text("-- x\nSELECT fair FROM taxi.trips")
    assert "no column 'fair'" in call("--check", "mine/typed.sql", "--lake", "lake").output


@pytest.mark.parametrize("words", [("--check",), ("--check", "nowhere.sql"), ("--check", "mine", "--a", "b")])
def test_check_of_nothing_could_not_be_done(here: Path, words: tuple[str, ...]) -> None:
    assert call(*words).exit_code == 2
