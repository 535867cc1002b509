"""Folders of query files: the user's beside the package's, found by name; hostile ones; what a statement becomes."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit import errors
from datalake_kit.lake import Lake

TRIPS = """-- Trips of a vendor since an instant.
-- :vendor integer = 1                       the vendor
-- :since timestamp = 2026-01-01T00:00:00    first instant that counts
SELECT count(*) AS trips
FROM taxi.trips
WHERE vendor = :vendor AND at >= :since
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lake" / "taxi" / "trips"
    folder.mkdir(parents=True)
    at = [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2), dt.datetime(2025, 1, 1)]
    pq.write_table(pa.table({"vendor": [1, 2, 1], "at": pa.array(at, pa.timestamp("us"))}), folder / "a.parquet")
    return tmp_path


@pytest.fixture
def mine(root: Path) -> Path:
    folder = root / "my-queries"
    (folder / "deep").mkdir(parents=True)
    (folder / "trips.sql").write_text(TRIPS)
    (folder / "deep" / "ones.sql").write_text("-- A one.\nSELECT 1 AS one;\n")
    return folder


@pytest.fixture
def lake(root: Path, mine: Path) -> Iterator[Lake]:
    with dk.connect(root / "lake", sql=mine) as opened:
        yield opened


def test_own_queries_stand_beside_those_of_the_package(lake: Lake) -> None:
    assert lake.query("trips").trips[0] == 1
    assert lake.query("trips", vendor=2).trips[0] == 1
    assert lake.query("trips", since=dt.datetime(2024, 1, 1)).trips[0] == 2
    assert lake.query("deep/ones").one[0] == 1
    assert lake.query("cdc/row_count", table="taxi.trips").row_count[0] == 3


def test_a_query_file_is_read_when_it_is_asked_for(lake: Lake, mine: Path) -> None:
    (mine / "deep" / "ones.sql").write_text("SELECT 2 AS one")
    assert lake.query("deep/ones").one[0] == 2


def test_queries_lists_names_descriptions_parameters_and_files(lake: Lake, mine: Path) -> None:
    listed = lake.queries().set_index("name")
    assert listed.loc["trips", "description"] == "Trips of a vendor since an instant."
    assert listed.loc["trips", "parameters"] == ":vendor integer = 1, :since timestamp = 2026-01-01 00:00:00"
    assert listed.loc["trips", "file"] == str(mine / "trips.sql")
    assert listed.loc["cdc/row_count", "parameters"] == ":table identifier"
    assert (listed.problem == "").all()
    assert "problem" in listed.columns


def test_several_folders(root: Path, mine: Path) -> None:
    other = root / "others"
    other.mkdir()
    (other / "two.sql").write_text("SELECT 2 AS two")
    with dk.connect(root / "lake", sql=[mine, str(other), mine]) as lake:
        assert lake.query("two").two[0] == 2
        assert lake.query("trips").trips[0] == 1


@pytest.mark.parametrize("name", ["cdc/row_count", "CDC/Row_Count"])
def test_a_name_that_the_package_has_too_is_an_error_when_it_is_used(root: Path, mine: Path, name: str) -> None:
    file = mine / f"{name}.sql"
    file.parent.mkdir()
    file.write_text("SELECT 1 AS mine")
    with dk.connect(root / "lake", sql=mine) as lake:
        with pytest.raises(errors.SqlError, match="is in 2 files") as error:
            lake.query("cdc/row_count", table="taxi.trips")
        assert str(file) in str(error.value)
        problems = lake.queries().set_index("name").problem
        assert "2 files" in problems.loc[name] if name != "cdc/row_count" else problems.loc[name].str.len().min() > 0
        assert lake.query("trips").trips[0] == 1  # the others are not touched


def test_the_nearest_name_is_told(lake: Lake) -> None:
    with pytest.raises(errors.QueryNotFoundError, match="trips"):
        lake.query("trip")
    with pytest.raises(errors.QueryNotFoundError, match="trips"):
        lake.query("Trips")


# ---------------------------------------------------------------- settings


def test_folders_of_the_configuration_lie_beside_it(
    root: Path, mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = '[lakes.one]\npath = "lake"\nsql = "my-queries"\n[lakes.two]\npath = "lake"\nsql = ["my-queries/deep"]\n'
    (root / "datalake.toml").write_text(text + '[lakes.aws]\nworkgroup = "w"\nsql = "my-queries"\n')
    (root / "below").mkdir()
    monkeypatch.chdir(root / "below")
    with dk.connect("one") as lake:
        assert lake.query("trips").trips[0] == 1
    with dk.connect("two") as lake:
        assert lake.query("ones").one[0] == 1
        assert lake.settings.sql == (root / "my-queries" / "deep",)
    with dk.connect("two", sql="../my-queries") as lake:  # what is given counts instead
        assert lake.query("deep/ones").one[0] == 1
        assert "ones" not in set(lake.queries().name)
    with dk.connect("aws") as lake:
        assert "trips" in set(lake.queries().name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no-such", "no such folder"),
        ("lake/taxi/trips/a.parquet", "no such folder"),
        (5, "folder of query files"),
        ([""], "folder of query files"),
        ([5], "folder of query files"),
    ],
)
def test_what_is_no_folder_of_queries(root: Path, monkeypatch: pytest.MonkeyPatch, given: object, message: str) -> None:
    monkeypatch.chdir(root)
    with pytest.raises(errors.ConfigError, match=message):
        dk.connect("./lake", sql=given)  # type: ignore[arg-type]
    value = f'"{given}"' if isinstance(given, str) else given
    (root / "datalake.toml").write_text(f'[lakes.one]\npath = "lake"\nsql = {value}\n'.replace("'", '"'))
    with pytest.raises(errors.ConfigError, match=message):
        dk.connect("one")


def test_an_address_names_no_folder() -> None:
    with pytest.raises(errors.ConfigError, match="unknown key 'sql'"):
        dk.connect("athena://w?sql=queries")


# ---------------------------------------------------------------- hostile files


def problem(lake: Lake, name: str) -> str:
    """The problem that is listed and raised."""
    listed = lake.queries().set_index("name").problem.loc[name]
    with pytest.raises(errors.SqlError) as error:
        lake.query(name)
    assert str(error.value) == listed
    return str(listed)


def test_a_link_that_leads_out(lake: Lake, mine: Path, root: Path) -> None:
    (root / "secret.sql").write_text("SELECT 1 AS secret")
    (mine / "out.sql").symlink_to(root / "secret.sql")
    (mine / "inside.sql").symlink_to(mine / "deep" / "ones.sql")
    (mine / "linked").symlink_to(root, target_is_directory=True)
    (mine / "dangling.sql").symlink_to(mine / "nothing")
    assert "leads out of its folder" in problem(lake, "out")
    assert "not a file" in problem(lake, "dangling")
    assert lake.query("inside").one[0] == 1
    assert not any("secret" in name for name in lake.queries().name)


@pytest.mark.parametrize("name", ["../secret", "../../etc/passwd", "/etc/passwd", "deep/../trips", "./trips", "", "."])
def test_a_name_that_is_a_path_is_none(lake: Lake, root: Path, name: str) -> None:
    (root / "secret.sql").write_text("SELECT 1 AS secret")
    with pytest.raises(errors.QueryNotFoundError):
        lake.query(name)


def test_files_that_are_no_queries(lake: Lake, mine: Path) -> None:
    (mine / "latin.sql").write_bytes("-- Größe\nSELECT 1 AS a\n-- ä".encode("latin-1"))
    (mine / "empty.sql").write_text("")
    (mine / "header.sql").write_text("-- Nothing below.\n")
    (mine / "large.sql").write_bytes(b"-- x\nSELECT '" + b"a" * 10_000_000 + b"' AS a")
    (mine / "nul.sql").write_bytes(b"-- x\nSELECT '\0' AS a")
    (mine / "open.sql").write_text("-- x\nSELECT 'a AS a")
    (mine / "folder.sql").mkdir()
    (mine / "folder.sql" / "in.sql").write_text("SELECT 3 AS a")
    (mine / ".hidden.sql").write_text("SELECT 4 AS a")
    (mine / ".git").mkdir()
    (mine / ".git" / "x.sql").write_text("SELECT 5 AS a")
    assert f"{mine / 'latin.sql'}:1: not UTF-8 (byte 5)" in problem(lake, "latin")
    assert "no statement" in problem(lake, "empty")
    assert "no statement" in problem(lake, "header")
    assert "10,000,019 bytes" in problem(lake, "large")
    assert f"{mine / 'nul.sql'}:2: holds a NUL" in problem(lake, "nul")
    assert "is not closed" in problem(lake, "open")
    assert lake.query("folder.sql/in").a[0] == 3
    names = set(lake.queries().name)
    assert "folder" not in names
    assert not any(part.startswith(".") for name in names for part in name.split("/"))


def test_a_pipe_is_not_waited_for(lake: Lake, mine: Path) -> None:
    os.mkfifo(mine / "pipe.sql")
    assert "not a file" in problem(lake, "pipe")


def test_two_files_that_differ_in_case(lake: Lake, mine: Path) -> None:
    (mine / "TRIPS.sql").write_text("SELECT 1 AS a")
    if len(list(mine.glob("*.sql"))) < 2:
        pytest.skip("this file system folds names")
    with pytest.raises(errors.SqlError, match=r"TRIPS\.sql.*trips\.sql"):
        lake.query("trips")
    with pytest.raises(errors.SqlError, match="another name"):
        lake.query("TRIPS")


def test_marks_and_line_ends_of_windows(lake: Lake, mine: Path) -> None:
    (mine / "windows.sql").write_bytes(b"\xef\xbb\xbf" + TRIPS.replace("\n", "\r\n").encode())
    assert lake.query("windows", vendor=2).trips[0] == 1
    assert lake.queries().set_index("name").loc["windows", "description"] == "Trips of a vendor since an instant."


def test_letters_that_python_takes_for_line_ends_stay_in_strings(lake: Lake, mine: Path) -> None:
    (mine / "odd.sql").write_text("-- a\u2028b\nSELECT 'x\u2028y\x0bz' AS a", encoding="utf-8")
    assert lake.query("odd").a[0] == "x\u2028y\x0bz"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- x\n-- :a wrong\nSELECT :a", ":2: write `-- :name"),
        ("-- x\n-- :a text\n-- :a text\nSELECT :a", ":3: :a is declared twice"),
        ("-- x\n-- :a text\n\nSELECT\n  1 AS a", ":2: parameters declared .* a is not used"),
        ("-- x\n\n\nSELECT 1 AS a,\n  :b AS b", ":5: parameters declared .* b is not declared"),
        ("-- x\n-- :a list = a\nSELECT :a", ":2: Not a default of type list"),
        ("-- x\n-- :a date = 2026-02-30\nSELECT :a", ":2: Not a default of type date"),
    ],
)
def test_errors_name_file_and_line(lake: Lake, mine: Path, text: str, message: str) -> None:
    (mine / "wrong.sql").write_text(text)
    with pytest.raises(errors.SqlError, match=r"wrong\.sql" + message):
        lake.query("wrong")


def test_defaults_keep_quotes_and_lists(lake: Lake, mine: Path) -> None:
    (mine / "defaults.sql").write_text(
        "-- x\n-- :a text = 'it''s'''\n-- :b list = '[\"x\", \"it\"]'\n-- :c text = ''\n"
        "SELECT :a AS a, 'it' IN (:b) AS b, :c AS c"
    )
    row = lake.query("defaults").iloc[0]
    assert (row.a, bool(row.b), row.c) == ("it's'", True, "")


# ---------------------------------------------------------------- explain


def test_explain_shows_the_translated_text_and_the_types(lake: Lake) -> None:
    shown = lake.explain("SELECT vendor / 2 AS half FROM taxi.trips WHERE at >= :t", t=dt.datetime(2026, 1, 1))
    assert shown.engine == "duckdb"
    assert "dk_div" in shown.text
    assert shown.tables == {"taxi.trips": {"vendor": "bigint", "at": "timestamp"}}
    assert shown.parameters == {"t": "timestamp"}
    assert str(shown) == shown.text
    assert not lake.last_query  # nothing ran
    lake.sql("SELECT vendor / 2 AS half FROM taxi.trips WHERE at >= :t", t=dt.datetime(2026, 1, 1))
    stats = lake.last_query
    assert stats is not None
    assert stats.text == shown.text


def test_explain_takes_the_name_of_a_query(lake: Lake) -> None:
    assert lake.explain("trips", vendor=2).parameters == {"vendor": "integer", "since": "timestamp"}
    assert '"taxi"."trips"' in lake.explain("cdc/row_count", table="taxi.trips").text
    with pytest.raises(errors.ParameterError, match="no parameter 'vender'"):
        lake.explain("trips", vender=2)


def test_explain_of_other_statements(lake: Lake) -> None:
    assert lake.explain("SHOW DATABASES").text == "SHOW DATABASES"
    assert lake.explain("CREATE TABLE taxi.half AS SELECT vendor / 2 AS half FROM taxi.trips").text.startswith("CREATE")
    with pytest.raises(errors.UnsupportedSqlError, match="Athena does not cast"):
        lake.explain("SELECT CAST(now() AS timestamp) AS a")
    with pytest.raises(errors.TableNotFoundError):
        lake.explain("SELECT 1 AS a FROM taxi.no_such")


def test_explain_is_shown_escaped(lake: Lake) -> None:
    page = lake.explain("SELECT '<script>' AS a")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_explain_on_athena_writes_the_values_in() -> None:
    with dk.connect("athena://w?region=us-east-1") as lake:
        shown = lake.explain("SELECT :a AS a, CAST(now() AS timestamp) AS t WHERE 1 IN (:b)", a="it's", b=[1, 2])
        assert shown.text == "SELECT 'it''s' AS a, CAST(now() AS timestamp) AS t WHERE 1 IN (1, 2)"
        assert len(shown.refused) == 1
        assert "line 1, column 17" in shown.refused[0]
        assert str(shown).startswith("-- Athena: CAST(NOW() AS TIMESTAMP)")
    with dk.connect("athena://w?region=us-east-1&redact_parameters=true") as lake:
        assert lake.explain("SELECT :a AS a", a="secret").text == "SELECT :a AS a"
        assert "secret" not in repr(lake.explain("SELECT :a AS a", a="secret"))
