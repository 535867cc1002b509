"""The newest version of each issue, whatever order, offset, tie or damage the rows came with."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.jira.fields.unpack import _Result
from datalake_kit.jira.landing.newest import file_time

START = datetime(2026, 3, 1, 2, 0, 7, tzinfo=UTC)


def load(folder: Path, **options: Any) -> jira.JiraIssues:
    """Load a folder as a lake would."""
    files = sorted(folder.rglob("*.parquet"))
    return jira.load(SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: files)), "jiralake.t", **options)  # type: ignore[arg-type]


def land(folder: Path, name: str, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if schema is None:
        schema = pa.schema([(c, pa.string()) for c in dict.fromkeys(k for row in rows for k in row)])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def run(folder: Path, number: int, *rows: dict[str, Any]) -> Path:
    """Land rows in the file of one run."""
    when = START + timedelta(days=number)
    return land(folder, f"{when:%Y/%m/%d}/run-{when:%Y-%m-%dT%H-%M-%S}.parquet", list(rows))


def row(
    number: str | None, summary: str, updated: str | None = None, key: str = "A-1", **fields: Any
) -> dict[str, Any]:
    found = {"summary": summary, **({"updated": updated} if updated else {}), **fields}
    return {"id": number, "key": key, "fields": json.dumps(found)}


def newest(folder: Path, **options: Any) -> dict[str, str]:
    frame = load(folder, **options).frame()
    assert frame["id"].is_unique
    return dict(zip(frame["id"], frame["summary"], strict=True))


# --- the order ------------------------------------------------------------------------------------------------------


def test_the_instant_counts_and_not_its_text(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "late", "2026-03-01T09:00:00.000+0000"))
    run(tmp_path, 2, row("1", "early", "2026-03-01T16:00:00.000+0800"))  # 08:00 UTC, greater as a text
    assert newest(tmp_path) == {"1": "late"}


def test_a_late_file_does_not_win_by_coming_last(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "new", "2026-03-09T09:00:00.000+0000"))
    run(tmp_path, 5, row("1", "old", "2026-03-02T09:00:00.000+0000"))
    assert newest(tmp_path) == {"1": "new"}


def test_a_tie_goes_to_the_last_file_then_to_the_last_row(tmp_path: Path) -> None:
    same = "2026-03-01T09:00:00.000+0000"
    run(tmp_path, 2, row("1", "second file", same), row("2", "first row", same), row("2", "last row", same))
    run(tmp_path, 1, row("1", "first file", same))
    assert newest(tmp_path) == {"1": "second file", "2": "last row"}


def test_the_time_of_a_file_is_in_its_name_and_not_in_its_folder_or_its_age(tmp_path: Path) -> None:
    same = "2026-03-01T09:00:00.000+0000"
    first = land(tmp_path, "2026/03/09/run-2026-03-02T02-00-00.parquet", [row("1", "first", same)])
    second = land(tmp_path, "2026/03/01/run-2026-03-03T02-00-00.parquet", [row("1", "second", same)])
    os.utime(first, (2_000_000_000, 2_000_000_000))
    os.utime(second, (1_000_000_000, 1_000_000_000))
    assert newest(tmp_path) == {"1": "second"}


def test_without_a_time_in_its_name_the_age_of_a_file_counts_and_is_reported(tmp_path: Path) -> None:
    for name, age in (("a", 2_000_000_000), ("b", 1_000_000_000)):
        path = land(tmp_path, f"{name}.parquet", [row("1", name, "2026-03-01T09:00:00.000+0000")])
        os.utime(path, (age, age))
    assert newest(tmp_path) == {"1": "a"}
    assert load(tmp_path).report.files_timed_by_system == 2


def test_no_updated_comes_after_any(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "dated", "2020-01-01T00:00:00.000+0000"), row("2", "none, first"))
    run(tmp_path, 2, row("1", "undated"), row("2", "none, last", "no instant"))
    assert newest(tmp_path) == {"1": "dated", "2": "none, last"}
    assert load(tmp_path).report.rows_undated == 3


def test_an_issue_that_moved_is_one_issue_and_its_old_key_may_come_again(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "here", "2026-03-01T09:00:00.000+0000", key="A-1"))
    run(tmp_path, 2, row("1", "there", "2026-03-02T09:00:00.000+0000", key="B-7"), row("2", "new", key="A-1"))
    assert newest(tmp_path) == {"1": "there", "2": "new"}
    assert load(tmp_path).frame()["key"].to_list() == ["B-7", "A-1"]


def test_nothing_is_filled_in_from_an_older_version(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "a", "2026-03-01T09:00:00.000+0000", duedate="2026-05-01", environment="x"))
    run(tmp_path, 2, row("1", "b", "2026-03-02T09:00:00.000+0000", duedate=None))
    frame = load(tmp_path).frame()
    assert frame["due_date"].isna().all()
    assert "environment" not in frame


def test_as_of_knows_what_had_landed(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        run(tmp_path, day, row("1", f"day {day}", f"2026-03-0{day}T09:00:00.000+0000"), row(str(day + 1), "x"))
    at = START + timedelta(days=2)
    assert newest(tmp_path, as_of=at) == {"1": "day 2", "2": "x", "3": "x"}
    assert newest(tmp_path, as_of=at - timedelta(seconds=1)) == {"1": "day 1", "2": "x"}
    assert newest(tmp_path, as_of="2026-03-03T02:00:07Z") == newest(tmp_path, as_of=at)
    assert load(tmp_path, as_of=at).report.files_after_as_of == 1
    early = load(tmp_path, as_of="2020-01-01")
    assert list(early.frame()) == ["id", "key"]
    assert len(early.frame()) == len(early.raw()) == len(early.rejects) == len(early.field_types()) == 0
    assert early.report.adds_up


def test_as_of_that_is_no_instant(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="yesterday"):
        load(tmp_path, as_of="yesterday")


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("jira-issues-ab12-2026-03-01T02-00-07.parquet", "2026-03-01T02:00:07"),
        ("0d5e8f1c-2026-03-01T02:00:07.parquet", "2026-03-01T02:00:07"),
        ("run_20260301T020007Z_part-0.parquet", "2026-03-01T02:00:07"),
        ("2026-02-31T02-00-07-2026-03-01 02_00_07", "2026-03-01T02:00:07"),
    ],
)
def test_times_of_file_names(name: str, time: str) -> None:
    assert file_time(Path(name)) == (datetime.fromisoformat(time).replace(tzinfo=UTC), True)


# --- rows that cannot be used ---------------------------------------------------------------------------------------


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    good = "2026-03-01T09:00:00.000+0000"
    bad: list[tuple[str | None, str | None, str]] = [
        ("1", '{"summary": "cut', "fields is not valid JSON"),
        ("9", '{"summary": "\\ud800"}', "fields is not valid JSON"),  # a lone surrogate
        ("3", "", "fields is not valid JSON"),
        ("4", None, "no fields"),
        ("5", "[1]", "fields is no JSON object"),
        ("6", "null", "fields is no JSON object"),
        (None, '{"summary": "x"}', "no id"),
        (" ", '{"summary": "x"}', "no id"),
    ]
    run(tmp_path, 1, row("1", "one", good), row("2", "two", good))
    run(tmp_path, 2, *({"id": i, "key": "K", "fields": f} for i, f, _ in bad), row("2", "two again", good))
    issues = load(tmp_path)
    assert newest(tmp_path) == {"1": "one", "2": "two again"}
    assert issues.rejects["reason"].to_list() == [reason for _, _, reason in bad]
    assert issues.rejects["row"].to_list() == list(range(8))
    assert issues.rejects["key"].to_list() == ["K"] * 8
    assert issues.rejects["file"].nunique() == 1
    report = issues.report
    assert (report.rows_in, report.rows_used, report.rows_superseded, report.rows_rejected) == (11, 2, 1, 8)
    assert report.adds_up


def test_a_damaged_newest_row_leaves_the_version_before_it(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "before", "2026-03-01T09:00:00.000+0000"))
    run(tmp_path, 2, {"id": "1", "key": "A-1", "fields": '{"summary": "after", "updated": "2026-03-02'})
    assert newest(tmp_path) == {"1": "before"}
    assert load(tmp_path).rejects[["id", "key"]].to_numpy().tolist() == [["1", "A-1"]]


def test_only_damaged_rows(tmp_path: Path) -> None:
    run(tmp_path, 1, {"id": "1", "key": "A-1", "fields": "{"}, {"id": None, "key": "A-2", "fields": "{}"})
    issues = load(tmp_path)
    assert len(issues.frame()) == 0
    assert issues.report.adds_up
    assert issues.report.rows_rejected == 2


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_cut_short_or_gone_is_named(tmp_path: Path) -> None:
    path = run(tmp_path, 1, row("1", "a"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFileError, match=path.name):
        load(tmp_path).frame()
    issues = load(tmp_path)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="gone"):
        _ = issues.report


@pytest.mark.parametrize("column", ["id", "fields"])
def test_a_file_without_id_or_fields_is_named(tmp_path: Path, column: str) -> None:
    rows = [{k: v for k, v in row("1", "a").items() if k != column}]
    path = land(tmp_path, "run-2026-03-01T02-00-07.parquet", rows)
    with pytest.raises(DataError, match=rf"{path.name}.*{column}"):
        load(tmp_path).frame()


def test_nothing_is_lost_where_files_have_other_columns_or_types(tmp_path: Path) -> None:
    """A plain read of these would make 2 of 2.5, and lose `new`."""
    one = pa.struct([("summary", pa.string()), ("customfield_1", pa.int64())])
    two = pa.struct([("summary", pa.string()), ("customfield_1", pa.float64()), ("new", pa.string())])
    for number, (kind, fields) in enumerate(
        [(one, {"summary": "a", "customfield_1": 2}), (two, {"summary": "b", "customfield_1": 2.5, "new": "x"})]
    ):
        schema = pa.schema([("id", pa.string()), ("key", pa.string()), ("fields", kind)])
        rows = [{"id": str(number), "key": "K", "fields": fields}]
        land(tmp_path, f"run-2026-03-0{number + 1}T02-00-07.parquet", rows, schema)
    frame = load(tmp_path).frame()
    assert frame["customfield_1"].to_list() == [2, 2.5]
    assert frame["new"].to_list()[1] == "x"


def test_files_of_every_layout_in_one_table(tmp_path: Path) -> None:
    fields = {
        "summary": "s",
        "updated": "2026-03-01T09:00:00.000+0000",
        "status": {"name": "Open"},
        "duedate": "2026-05-01",
    }
    texts = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in fields.items()]
    tables = {
        "text": pa.table({"id": ["1"], "key": ["K"], "fields": [json.dumps(fields)], "extra": ["e"]}),
        "struct": pa.Table.from_pylist([{"id": 2, "key": "K", "fields": fields}]),
        "map": pa.table({"id": ["3"], "key": ["K"], "fields": pa.array([texts], pa.map_(pa.string(), pa.string()))}),
        "columns": pa.Table.from_pylist([{"id": "4", "key": "K", **fields}]),
        "dictionary": pa.table(
            {"id": ["5"], "key": ["K"], "fields": pa.array([json.dumps(fields)]).dictionary_encode()}
        ),
        "again": pa.Table.from_pylist([{"id": 1, "key": "K", "fields": fields | {"summary": "newer"}}]),
    }
    for number, table in enumerate(tables.values()):
        pq.write_table(table, tmp_path / f"run-2026-03-0{number + 1}T02-00-07.parquet")
    issues = load(tmp_path)
    frame = issues.frame().set_index("id")
    assert frame["summary"].to_dict() == {"2": "s", "3": "s", "4": "s", "5": "s", "1": "newer"}
    assert set(frame["status"]) == {"Open"}
    assert set(frame["due_date"]) == {pd.Timestamp("2026-05-01")}
    assert issues.report.layouts == {"text": 2, "struct": 2, "map": 1, "columns": 1}
    assert len(issues.raw()) == 5


def test_raw_is_as_it_came(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "old", "2026-03-01T09:00:00.000+0000"), row("2", "b"))
    run(tmp_path, 2, row("1", "new", "2026-03-02T09:00:00.000+0000") | {"self": "https://x"})
    raw = load(tmp_path).raw()
    assert raw["id"].to_list() == ["2", "1"]
    assert json.loads(raw["fields"][1])["summary"] == "new"
    assert list(raw) == ["id", "key", "fields", "self"]


def test_names_of_files_and_folders_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "it's a [folder] with * and ? = 5" / "k=v"
    land(folder, "run's; DROP TABLE-2026-03-01T02-00-07.parquet", [row("1", "a")])
    assert newest(tmp_path) == {"1": "a"}
    assert "k" not in load(tmp_path).frame()


def test_names_come_from_the_latest_documents_and_the_user_goes_first(tmp_path: Path) -> None:
    old, new = ({"names": json.dumps({"customfield_1": n, "customfield_2": "Team"})} for n in ("Old", "New"))
    run(tmp_path, 2, row("1", "a", customfield_1="x", customfield_2="y") | new)
    run(tmp_path, 1, row("2", "b") | old)
    run(tmp_path, 3, row("3", "c"))
    issues = load(tmp_path)
    assert {"new", "team"} < set(issues.frame())
    assert {"mine", "team"} < set(issues.frame(names={"customfield_1": "Mine"}))
    assert "names" not in issues.frame()


def test_the_report_of_types_keeps_null_and_absent_apart(tmp_path: Path) -> None:
    run(tmp_path, 1, row("1", "a", labels=[], duedate=None), row("2", "b", labels=["x"]), row("3", "c"))
    counts = load(tmp_path).field_types().set_index("field")
    assert counts.loc["labels", ["array", "empty", "null", "absent"]].to_list() == [1, 1, 0, 1]
    assert counts.loc["duedate", ["string", "empty", "null", "absent"]].to_list() == [0, 0, 1, 2]
    assert counts.loc["summary", "string"] == 3


# --- against an oracle ----------------------------------------------------------------------------------------------

UPDATED = st.sampled_from(
    [
        None,
        "no instant",
        *(f"2026-03-0{d}T{h}:00:00.000{z}" for d in (1, 2) for h in ("01", "09") for z in ("+0000", "+0800", "Z")),
    ]
)
FIELDS = st.builds(
    lambda n, u: json.dumps({"summary": str(n), **({"updated": u} if u else {})}), st.integers(0, 999), UPDATED
)
DAMAGE = st.sampled_from([None, "{", "[1]", '{"updated": "\\udc00"}'])
ROWS = st.tuples(st.sampled_from([*"1234567", None]), FIELDS | DAMAGE)
FILES = st.lists(st.tuples(st.integers(0, 3), st.lists(ROWS, min_size=4, max_size=16)), min_size=1, max_size=4)


def usable(fields: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(fields or "")
    except ValueError:
        return None
    return None if not isinstance(found, dict) or "\udc00" in str(found.get("updated")) else found


def instant(fields: dict[str, Any]) -> tuple[bool, datetime]:
    try:
        return (True, datetime.fromisoformat(fields["updated"]))
    except (KeyError, ValueError):
        return (False, START)


def oracle(files: list[tuple[int, list[tuple[str | None, str | None]]]]) -> tuple[dict[str, str], int]:
    """In plain Python: rows in the order of landing, the greatest (has an instant, instant) wins, later on a tie."""
    best: dict[str, tuple[tuple[bool, datetime], str]] = {}
    rejected = 0
    for _, (_, rows) in sorted(enumerate(files), key=lambda item: (item[1][0], item[0])):
        for number, text in rows:
            fields = usable(text)
            if number is None or fields is None:
                rejected += 1
            elif number not in best or instant(fields) >= best[number][0]:
                best[number] = (instant(fields), fields["summary"])
    return {number: summary for number, (_, summary) in best.items()}, rejected


@settings(max_examples=25, deadline=None)
@given(FILES)
def test_any_files_give_what_the_oracle_says(files: list[tuple[int, list[tuple[str | None, str | None]]]]) -> None:
    expected, rejected = oracle(files)
    with tempfile.TemporaryDirectory() as name:
        for number, (day, rows) in enumerate(files):
            when = START + timedelta(days=day)
            land(Path(name), f"{number}-{when:%Y-%m-%dT%H-%M-%S}.parquet", [{"id": i, "fields": f} for i, f in rows])
        issues = load(Path(name))
        frame = issues.frame()
        found = dict(zip(frame["id"], frame["summary"], strict=True)) if len(frame) else {}
        assert found == expected
        assert issues.report.rows_rejected == rejected
        assert issues.report.adds_up


# --- more rows than are looked at -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 issues; what is rare is in one row that is not looked at when the plan is made."""
    folder = tmp_path_factory.mktemp("many")
    rows = [
        row(str(n), f"s{n}", customfield_1="5", customfield_2={"value": "A"}, customfield_3="7", customfield_4=1)
        for n in range(5000)
    ]
    rows[4321] = (
        row("4321", "rare", customfield_1=6, customfield_2="plain", customfield_3="n/a", customfield_4="x") | {}
    )
    rows[4322] = row("4322", "rare", customfield_5=["only here"], customfield_6=[], somewhere={"deep": {"er": 1}})
    rows[4323] = row("4323", "rare", customfield_2={"value": "B", "id": "1"}, Customfield_1="other letters")
    run(folder, 1, *rows)
    return folder


def test_what_is_rare_is_not_lost(many: Path) -> None:
    frame = load(many).frame().set_index("id")
    assert len(frame) == 5000
    assert frame["customfield_1"].dtype == "float64"  # a single real number among texts that look like one
    assert frame.loc["4321", "customfield_1"] == 6
    assert frame.loc["4321", "customfield_2"] == "plain"
    assert frame.loc["4321", "customfield_3"] == "n/a"
    assert frame.loc["4320", "customfield_3"] == "7"
    assert frame.loc["4321", "customfield_4"] == "x"
    assert frame.loc["4320", "customfield_4"] == "1"
    assert frame.loc["4322", "customfield_5"] == "only here"
    assert json.loads(frame.loc["4322", "somewhere"]) == {"deep": {"er": 1}}
    assert "customfield_6" not in frame
    assert "other letters" in set(frame.loc["4323"])


def test_rows_stay_with_their_issue(many: Path) -> None:
    frame = load(many).frame()
    plain = frame[frame["summary"] != "rare"]
    assert (plain["summary"] == "s" + plain["id"]).all()
    assert frame["id"].astype(int).is_monotonic_increasing


def test_rows_that_come_out_of_order_are_put_in_order() -> None:
    """DuckDB gives rows as its threads are ready; all columns follow the position."""
    result = _Result(pa.table({"_position": [3, 0, 2, 1], "a": ["d", "a", "c", "b"]}))
    assert result.ordered(result.pop("a")).to_pylist() == ["a", "b", "c", "d"]
