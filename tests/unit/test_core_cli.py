"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from datalake_kit import __version__
from datalake_kit.cli import app


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A small lake."""
    folder = tmp_path / "lake" / "shop" / "orders"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"order_id": [1, 2, 3], "name": ["x", None, "ü"]}), folder / "a.parquet")
    return tmp_path / "lake"


def call(*arguments: object, stdin: str | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


def test_version() -> None:
    assert call("version").output.strip() == __version__


def test_tables(lake: Path) -> None:
    assert "orders" in call("tables", "--lake", lake).output
    listed = json.loads(call("tables", "--lake", lake, "--json").output)
    assert [(t["database"], t["table"], t["format"]) for t in listed] == [("shop", "orders", "parquet")]


def test_sql_as_text_json_and_csv(lake: Path) -> None:
    text = "SELECT order_id, name FROM shop.orders WHERE order_id >= :low ORDER BY order_id"
    assert "ü" in call("sql", text, "-p", "low=2", "--lake", lake).output
    rows = json.loads(call("sql", text, "-p", "low=2", "--lake", lake, "--json").output)
    assert rows == [{"order_id": 2, "name": None}, {"order_id": 3, "name": "ü"}]
    assert call("sql", text, "-p", "low=3", "--lake", lake, "--csv").output == "order_id,name\n3,ü\n"
    assert "2 more rows" in call("sql", text, "-p", "low=1", "--lake", lake, "--rows", 1).output


def test_sql_from_stdin(lake: Path) -> None:
    assert "3" in call("sql", "-", "--lake", lake, stdin="SELECT count(*) AS n FROM shop.orders").output


@pytest.mark.parametrize(
    ("value", "shown"),
    [("5", "5"), ('"5"', '"5"'), ("abc", '"abc"'), ("2026-03-01", '"2026-03-01'), ("null", "null"), ("true", "true")],
)
def test_values_of_the_command_line(lake: Path, value: str, shown: str) -> None:
    assert f'"v":{shown}' in call("sql", "SELECT :v AS v", "-p", f"v={value}", "--lake", lake, "--json").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sql", "SELECT * FROM shop.ordrs"), "Did you mean orders"),
        (("sql", "SELECT :a AS a"), "No value for :a"),
        (("sql", "SELECT 1 AS a", "-p", "a"), "name=value"),
        (("sql", "SELECT :a AS a", "-p", "a=1", "-p", "a=2"), "Given twice: a"),
        (("sql", "DROP TABLE shop.orders"), "allow_write"),
        (("tables", "shp"), "Did you mean shop"),
        (("run", "no_such_notebook"), "No notebook"),
        (("validate", "shop.ordrs"), ""),
    ],
)
def test_what_cannot_be_done_ends_with_2(lake: Path, arguments: tuple[str, ...], message: str) -> None:
    done = call(*arguments, *([] if arguments[0] == "run" else ["--lake", lake]))
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output


def test_no_lake_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("tables")
    assert done.exit_code == 2
    assert "DATALAKE_KIT_LAKE" in done.output


def test_doctor_says_what_works(lake: Path) -> None:
    done = call("doctor", "--lake", lake)
    assert done.exit_code == 0, done.output
    assert "shop.orders: parquet, 2 columns" in done.output
    report = json.loads(call("doctor", "--lake", lake, "--json").output)
    assert report["ok"] is True
    assert report["packages"]["duckdb"]


def test_doctor_says_what_does_not(lake: Path) -> None:
    (lake / "shop" / "orders" / "b.parquet").write_text("not parquet")
    done = call("doctor", "--lake", lake)
    assert done.exit_code == 2
    assert "FAIL shop.orders" in done.output
    assert "b.parquet" in done.output
    assert call("doctor", "--lake", lake / "nowhere").exit_code == 2


def test_a_wrong_option_ends_with_2(lake: Path) -> None:
    assert call("tables", "--lkae", lake).exit_code == 2


def test_every_command_explains_itself() -> None:
    shown = call("--help").output
    for command in ("demo", "doctor", "tables", "sql", "validate", "extract", "run"):
        assert command in shown
        assert call(command, "--help").exit_code == 0
