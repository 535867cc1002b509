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
    assert call("sql", text, "-p", "low=3", "--lake", lake, "--csv").output == '"order_id","name"\n3,"ü"\n'
    assert "2 more rows" in call("sql", text, "-p", "low=1", "--lake", lake, "--rows", 1).output


def test_no_digit_is_lost_in_json_and_csv(lake: Path) -> None:
    text = (
        "SELECT 3.141592653589793E0 AS pi, 1e-12 AS small, DECIMAL '10.50' AS d, DATE '2026-03-01' AS day, "
        "TIMESTAMP '2026-03-01 01:02:03.456789' AS at, X'00ff' AS b, '' AS empty, CAST(NULL AS VARCHAR) AS nothing"
    )
    assert json.loads(call("sql", text, "--lake", lake, "--json").output) == [
        {
            "pi": 3.141592653589793,
            "small": 1e-12,
            "d": "10.50",
            "day": "2026-03-01",
            "at": "2026-03-01T01:02:03.456789",
            "b": "00ff",
            "empty": "",
            "nothing": None,
        }
    ]
    lines = call("sql", "SELECT '' AS e, CAST(NULL AS VARCHAR) AS n, 1e-12 AS x", "--lake", lake, "--csv").output
    assert lines.splitlines()[1] == '"",,1e-12'


def test_a_query_by_name(lake: Path) -> None:
    done = call("sql", "cdc/row_count", "-p", "table=shop.orders", "--lake", lake, "--json")
    assert "3" in done.output
    wrong = call("sql", "cdc/row_cout", "-p", "table=shop.orders", "--lake", lake)
    assert wrong.exit_code == 2
    assert "cdc/row_count" in wrong.output


def test_whatever_goes_wrong_is_no_failed_check(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("datalake_kit.lake.Lake.arrow", broken)
    done = call("sql", "SELECT 1 AS a", "--lake", lake)
    assert done.exit_code == 2
    assert "ZeroDivisionError: by zero" in done.output


def test_sql_from_stdin(lake: Path) -> None:
    assert "3" in call("sql", "-", "--lake", lake, stdin="SELECT count(*) AS n FROM shop.orders").output


@pytest.mark.parametrize(
    ("value", "shown"),
    [("5", "5"), ('"5"', '"5"'), ("abc", '"abc"'), ("2026-03-01", '"2026-03-01'), ("null", "null"), ("true", "true")],
)
def test_values_of_the_command_line(lake: Path, value: str, shown: str) -> None:
    assert f'"v": {shown}' in call("sql", "SELECT :v AS v", "-p", f"v={value}", "--lake", lake, "--json").output


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
    for command in ("demo", "doctor", "tables", "sql", "validate", "health", "extract", "run"):
        assert command in shown
        assert call(command, "--help").exit_code == 0


# --- the commands on real tables


@pytest.fixture
def taxi(tmp_path: Path) -> Path:
    """A lake with one healthy and one damaged Hudi table, and the DMS files behind both."""
    from datalake_kit.demo import build

    for table, source in {"table_1": "table_1", "table_6": "table_1"}.items():
        build._unpack(build.DATA / "taxi" / "tables" / f"{table}.zip", 1, tmp_path / "lake" / "taxi" / table)
        staging = tmp_path / "lake" / "_raw" / "staging" / "taxi_trips" / table
        build._unpack(build.DATA / "taxi" / "staging" / f"{source}.zip", 2, staging)
    return tmp_path / "lake"


def test_validate_ends_with_0_when_equal_and_1_when_different(taxi: Path, tmp_path: Path) -> None:
    assert call("validate", "taxi.table_1", "--lake", taxi).exit_code == 0
    done = call("validate", "--lake", taxi, "--html", tmp_path / "v.html")
    assert done.exit_code == 1, done.output
    assert "20260301-101207737.parquet was never processed" in done.output
    assert "20260301-101207737" in (tmp_path / "v.html").read_text()


def test_validate_takes_staging_and_level(taxi: Path, tmp_path: Path) -> None:
    moved = (taxi / "_raw" / "staging").rename(tmp_path / "elsewhere")
    assert call("validate", "taxi.table_1", "--lake", taxi).exit_code == 2
    done = call("validate", "taxi.table_1", "--lake", taxi, "--staging", moved, "--level", "values", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["level"] == "values"
    assert call("validate", "--lake", taxi, "--level", "all").exit_code == 2


def test_extract_takes_its_options(tmp_path: Path) -> None:
    from tests.unit.satellite_files import write_day

    files = write_day(tmp_path / "files")
    (tmp_path / "points.csv").write_text("point_id,latitude,longitude\na,45.02,8.02\n")
    arguments = ("extract", files, "--points", tmp_path / "points.csv", "--out", tmp_path / "out")
    far = call(*arguments, "--max-distance-km", "0.5")
    assert far.exit_code == 2
    assert "a" in far.output
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["files_used"] == 4


def test_run_ends_with_0_1_or_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datalake_kit.runs import RunResult

    asked: dict[str, object] = {}

    def pretend(name: Path, output: Path, *, check: bool, **parameters: object) -> RunResult:
        asked.update(parameters)
        return RunResult(name.stem, "t", str(parameters["lake"]), "s", 1.0, output, name, output / "p.html")

    monkeypatch.setattr("datalake_kit.runs.run_notebook", pretend)
    for status, code in (("passed", 0), ("failed", 1)):
        done = call("run", "validate_row_counts", "--lake", status, "--output", tmp_path)
        assert done.exit_code == code, done.output
        assert asked["lake"] == status
