"""A refresh reads new files only, and gives what reading all of them gives: over random histories, split at random."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import EngineError, ParameterError, TableNotFoundError, UnreadableFileError
from datalake_kit.jira.fields import plan, unpack
from datalake_kit.jira.kept import addition
from datalake_kit.jira.kept.refresh import DECIDING, Refreshed, refresh
from datalake_kit.jira.kept.stored import read
from datalake_kit.lake import connect

START = datetime(2026, 3, 1, 2, 0, 7, tzinfo=UTC)
Row = dict[str, Any]


class Landing:
    """A folder in which files land, and the folder that is kept up to date with it."""

    def __init__(self, root: Path) -> None:
        self.raw = root / "jiralake" / "jira_raw"
        self.out = root / "jiralake" / "jira_data"
        self.raw.mkdir(parents=True)
        self.count = 0

    @property
    def lake(self) -> Any:
        files = sorted(self.raw.rglob("*.parquet"))
        return SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: files))

    def land(self, day: int, rows: list[Row], layout: str = "text") -> Path:
        when = START + timedelta(days=day)
        path = self.raw / f"run-{when:%Y-%m-%dT%H-%M-%S}-{self.count}.parquet"
        self.count += 1
        pq.write_table(as_table(rows, layout), path)
        return path

    def refresh(self, **options: Any) -> Refreshed:
        return refresh(self.lake, self.out, **options)

    def check(self, names: Any = None) -> pd.DataFrame:
        """What is kept is what all files give."""
        kept, whole = read(self.out), jira.load(self.lake, "t").frame(names=names)
        pd.testing.assert_frame_equal(kept, whole)
        assert kept.attrs == whole.attrs or not len(whole)
        if len(whole):
            pd.testing.assert_frame_equal(jira.names(kept), jira.names(whole))
        return kept


def as_table(rows: list[Row], layout: str) -> pa.Table:
    """Rows as a file of one of the layouts; a field is text, or JSON text within a map or a column."""
    beside = [{k: v for k, v in row.items() if k != "fields"} for row in rows]
    fields = [row["fields"] if isinstance(row["fields"], dict) else {} for row in rows]
    schema = pa.schema([(c, pa.string()) for c in dict.fromkeys(k for row in beside for k in row)])
    table = pa.Table.from_pylist(beside, schema=schema)
    if layout == "map":
        pairs = [[(k, v if isinstance(v, str) else json.dumps(v)) for k, v in f.items()] for f in fields]
        return table.append_column("fields", pa.array(pairs, pa.map_(pa.string(), pa.string())))
    if layout == "columns":
        for key in dict.fromkeys(["summary", *(k for f in fields for k in f)]):
            values = [None if f.get(key) is None else _text(f[key]) for f in fields]
            table = table.append_column(f"fields.{key}", pa.array(values, pa.string()))
        return table
    if layout == "struct":
        kind = pa.struct([(k, pa.string()) for k in dict.fromkeys(["summary", *(k for f in fields for k in f)])])
        texts = [{k: None if v is None else _text(v) for k, v in f.items()} for f in fields]
        return table.append_column("fields", pa.array(texts, kind))
    bodies = [json.dumps(row["fields"]) if isinstance(row["fields"], dict) else row["fields"] for row in rows]
    return table.append_column("fields", pa.array(bodies, pa.string()))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def row(number: str | None, summary: str = "s", updated: str | None = "2026-03-01T09:00:00.000+0000", **f: Any) -> Row:
    return {"id": number, "key": f"A-{number}", "fields": {"summary": summary, "updated": updated, **f}}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


@pytest.fixture(autouse=True)
def many_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables would be put together at every change, and layers not be read."""
    monkeypatch.setattr(addition, "MOST_SUPERSEDED", 9)


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So few documents are looked at that small tables have more."""
    monkeypatch.setattr(plan, "SAMPLE", 4)
    monkeypatch.setattr(unpack, "SAMPLE", 4)
    return


# --- random histories -----------------------------------------------------------------------------------------------

PERSON = {"accountId": "5d1", "displayName": "P"}
OPTION = st.sampled_from(["A", "B"]).map(lambda v: {"value": v, "id": "1"})
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "customfield_1": st.sampled_from([None, 1, 2.5, 7]),
    "customfield_2": st.sampled_from(["5", "6", "7", None]),
    "customfield_3": OPTION | st.none(),
    "customfield_4": st.sampled_from([None, "2026-03-01", "2026-03-02"]),
    "customfield_5": st.sampled_from([None, ["a", "b"], [], ["c"]]),
    "customfield_6": st.just({"name": "only here", "extra": 1}),
    "duedate": st.sampled_from([None, "2026-05-01", "2026-05-02"]),
    "votes": st.sampled_from([{"votes": 1}, {"votes": 2}, None]),
    "status": st.sampled_from([{"name": "Open", "id": "1", "statusCategory": {"key": "new"}}, {"name": "Done"}]),
    "assignee": st.sampled_from([None, PERSON, PERSON, PERSON | {"emailAddress": "p@x.org"}]),
    "project": st.sampled_from([{"key": "A", "id": "1"}, {"key": "A", "id": "1", "projectTypeKey": "software"}]),
    "timespent": st.sampled_from([None, 3600]),
    "subtasks": st.sampled_from([[], [{"id": "1"}], None]),
    "environment": st.sampled_from(["x", None]),
    "description": st.sampled_from(["x", None]),
}
ODD: dict[str, st.SearchStrategy[Any]] = {
    "customfield_1": st.sampled_from(["8", "x"]),
    "customfield_2": st.sampled_from([6, "n/a"]),
    "customfield_3": st.sampled_from(["plain", {"value": "C", "child": {"value": "D"}}, {"odd": 1}]),
    "customfield_4": st.sampled_from([[], {}, "soon"]),
    "customfield_5": st.sampled_from([[{"value": "x"}], 5]),
    "customfield_7": st.sampled_from([[], {}, [1], "x"]),
    "Customfield_1": st.just("other letters"),
    "duedate": st.just("never"),
    "votes": st.sampled_from([{"votes": "many"}, "odd", {"self": "https://x"}]),
    "assignee": st.just({"odd": 1}),
    "timespent": st.sampled_from(["3600", "long"]),
    "updated": st.just("no instant"),
}
COMMON = ["customfield_1", "customfield_2", "status", "duedate"]
TIMES = [f"2026-03-0{d}T0{h}:00:00.000{z}" for d in (1, 2) for h in (1, 9) for z in ("+0000", "+0800")]
BESIDE: list[Row] = [{"id": None}, {"fields": "{"}, {"self": "https://x"}, {"Extra": "e"}, {"SELF": "https://y"}]


@st.composite
def rows_landed(draw: st.DrawFn) -> Row:
    keys = draw(st.lists(st.sampled_from([*USUAL, *COMMON]), max_size=7, unique=True))
    number = draw(st.integers(1, 12).map(str))
    fields: Any = {"summary": draw(st.sampled_from(["s", "t"])), "updated": draw(st.sampled_from([*TIMES, None]))}
    fields |= {key: draw(USUAL[key]) for key in keys}
    odd = draw(st.integers(0, 60))
    if odd == 1:
        key = draw(st.sampled_from(sorted(ODD)))
        fields |= {key: draw(ODD[key])}
    found: Row = {"id": number, "key": draw(st.sampled_from(["A-", "B-"])) + number, "fields": fields}
    if odd == 2:
        named = {draw(st.sampled_from(sorted(USUAL))): draw(st.sampled_from(["Points", "Due"]))}
        found |= {"names": json.dumps(named)}
    return found | (draw(st.sampled_from(BESIDE)) if odd == 3 else {})


FILE = st.tuples(
    st.integers(0, 6), st.lists(rows_landed(), min_size=1, max_size=6),
    st.sampled_from(["text", "text", "text", "map", "columns", "struct"]),
)  # fmt: skip
NAMES = st.sampled_from(
    [None, None, {"customfield_1": "Points"}, [{"id": "customfield_2", "name": "Due", "schema": {"type": "string"}}]]
)
STEPS = st.lists(st.tuples(st.lists(FILE, min_size=1, max_size=2), NAMES), min_size=3, max_size=5)
# To make an example smaller would take minutes.
FEW_LONG = settings(
    max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.reuse, Phase.generate)
)


def run_steps(steps: list[tuple[list[tuple[int, list[Row], str]], Any]]) -> list[Refreshed]:
    """Land files step by step; after each step what is kept must be what all files give."""
    reports = []
    with tempfile.TemporaryDirectory() as name:
        landing = Landing(Path(name))
        for files, names in steps:
            for day, rows, layout in files:
                landing.land(day, rows, layout)
            reports.append(landing.refresh(names=names))
            kept = landing.check(names)
            assert reports[-1].issues == len(kept)
    return reports


@FEW_LONG
@given(STEPS)
def test_any_split_gives_what_all_files_give(steps: list[Any]) -> None:
    run_steps(steps)


@FEW_LONG
@given(STEPS)
def test_any_split_gives_what_all_files_give_when_only_some_rows_are_looked_at(
    small_sample: None, steps: list[Any]
) -> None:
    run_steps(steps)


# --- what is read, and when all of it is ----------------------------------------------------------------------------


def test_only_new_files_are_read(landing: Landing) -> None:
    first = landing.land(1, [row("1", customfield_1=1), row("2")])
    assert landing.refresh().full
    first.chmod(0o000)  # a file that is read again could not be
    landing.land(2, [row("1", "newer", "2026-03-05T09:00:00.000+0000", customfield_1=2.5), row("3")])
    done = landing.refresh()
    first.chmod(0o644)
    told = (done.full, done.files_read, done.files_known, done.rows_read, done.issues, done.issues_new)
    assert told == (False, 1, 1, 2, 3, 1)
    assert done.issues_changed == 1
    assert landing.check()["customfield_1"].dropna().to_list() == [2.5]


def test_a_second_run_changes_nothing(landing: Landing) -> None:
    landing.land(1, [row("1"), row("2")])
    landing.refresh()
    before = landing.check()
    done = landing.refresh()
    assert (done.full, done.files_read, done.issues_new, done.issues_changed) == (False, 0, 0, 0)
    pd.testing.assert_frame_equal(landing.check(), before)


def test_a_late_file_goes_where_it_landed_and_wins_nothing_from_newer_rows(landing: Landing) -> None:
    landing.land(5, [row("1", "new", "2026-03-09T09:00:00.000+0000"), row("2", "tie")])
    landing.refresh()
    landing.land(1, [row("1", "old"), row("2", "tie, but landed before"), row("3", "late")])
    done = landing.refresh()
    assert (done.full, done.issues_new, done.issues_changed) == (False, 1, 0)
    assert landing.check()["summary"].to_list() == ["late", "new", "tie"]


def test_of_a_tie_the_later_file_wins_though_it_is_read_later_or_not(landing: Landing) -> None:
    landing.land(3, [row("1", "first read"), row("2", "first read")])
    landing.refresh()
    landing.land(5, [row("1", "landed last")])
    landing.land(1, [row("2", "landed first")])
    assert not landing.refresh().full
    assert landing.check().set_index("id")["summary"].to_dict() == {"1": "landed last", "2": "first read"}


def test_a_column_stays_while_any_row_holds_a_value(landing: Landing) -> None:
    landing.land(1, [row("1", customfield_9="x"), row("2"), row("3"), row("4")])
    landing.refresh()
    landing.land(2, [row(n, updated="2026-03-08T09:00:00.000+0000") for n in ("2", "3")])
    assert not landing.refresh().full
    assert landing.check()["customfield_9"].dropna().to_list() == ["x"]


@pytest.mark.parametrize("change", ["rewritten", "gone"])
def test_a_landed_file_that_changed_or_is_gone_makes_all_be_read(landing: Landing, change: str) -> None:
    first = landing.land(1, [row("1", "a"), row("2", "b")])
    landing.land(2, [row("3", "c")])
    landing.refresh()
    if change == "gone":
        first.unlink()
    else:
        pq.write_table(as_table([row("1", "another")], "text"), first)
    done = landing.refresh()
    assert done.full
    assert first.name in done.reason
    assert (done.issues_new, done.issues_changed) == (0, 0)
    landing.check()


def test_a_field_that_stops_being_a_number_and_becomes_one_again(landing: Landing) -> None:
    later = [f"2026-03-0{n}T09:00:00.000+0000" for n in range(2, 6)]
    landing.land(1, [row("1", timespent=60), row("2", timespent=120)])
    landing.refresh()
    landing.land(2, [row("1", updated=later[0], timespent="long")])
    assert "timespent" in landing.refresh().reason
    assert landing.check()["time_spent_seconds"].to_list() == ["120", "long"]
    landing.land(3, [row("3", timespent=5.50)])
    assert not landing.refresh().full  # still a text because of one value; the new one is taken as text
    landing.check()
    landing.land(4, [row("1", updated=later[2], timespent=1)])
    assert "again" in landing.refresh().reason
    assert landing.check()["time_spent_seconds"].dtype == "float64"


def test_a_new_field_needs_no_second_reading(landing: Landing) -> None:
    landing.land(1, [row("1", customfield_2=None), row("2")])
    landing.refresh()
    landing.land(2, [row("3", customfield_9={"value": "A"}, customfield_2="first value")])
    assert not landing.refresh().full
    assert landing.check()["customfield_9"].dropna().to_list() == ["A"]


def test_a_column_goes_with_the_last_row_that_held_a_value(landing: Landing) -> None:
    landing.land(1, [row("1", customfield_9="x"), row("2")])
    landing.refresh()
    assert "customfield_9" in landing.check()
    landing.land(2, [row("1", updated="2026-03-08T09:00:00.000+0000")])
    assert not landing.refresh().full
    assert "customfield_9" not in landing.check()


def test_a_part_that_few_have_is_a_column_while_any_row_has_it(landing: Landing) -> None:
    person, later = {"accountId": "5d1", "displayName": "P"}, "2026-03-08T09:00:00.000+0000"
    landing.land(1, [row("1", assignee=person)])
    landing.refresh()
    assert "assignee_email" not in landing.check()
    landing.land(2, [row("2", assignee=person | {"emailAddress": "p@x.org"}), row("3", assignee=person)])
    assert not landing.refresh().full
    assert landing.check()["assignee_email"].dropna().to_list() == ["p@x.org"]
    landing.land(3, [row("2", updated=later, assignee=person)])
    assert not landing.refresh().full
    assert "assignee_email" not in landing.check()


def test_a_value_that_makes_a_field_be_kept_whole_makes_all_be_read(landing: Landing) -> None:
    landing.land(1, [row("1", votes={"votes": 1})])
    landing.refresh()
    landing.land(2, [row("2", votes={"self": "https://x"})])
    assert "votes" in landing.refresh().reason
    assert landing.check()["votes_json"].notna().all()
    landing.land(3, [row("3", votes={"votes": 2})])
    landing.refresh()
    landing.check()


def test_columns_of_every_type_are_kept(landing: Landing) -> None:
    values = {"date": "2026-03-01", "datetime": "2026-03-01T09:00:00.000+0000", "number": 1.5, "boolean": True,
              "text": "x", "json": [1, {"a": 2}]}  # fmt: skip
    landing.land(1, [row("1", **{f"customfield_{n}": value for n, value in enumerate(values.values())})])
    landing.refresh()
    landing.check()
    landing.land(2, [row("2", **{f"customfield_{n}": value for n, value in enumerate(values.values())})])
    assert not landing.refresh().full
    assert len(landing.check().dtypes.astype(str).unique()) >= 5


def test_a_usual_column_goes_with_the_last_document_that_has_the_field(landing: Landing) -> None:
    landing.land(1, [row("1", description="x")])
    landing.refresh()
    assert "description" in landing.check()
    landing.land(2, [row("1", updated="2026-03-08T09:00:00.000+0000")])
    assert "description" in landing.refresh().reason
    assert "description" not in landing.check()


def test_names_that_come_later_only_rename(landing: Landing) -> None:
    landing.land(1, [row("1", customfield_9=1.5)])
    landing.refresh()
    assert not landing.refresh(names={"customfield_9": "Story Points"}).full
    assert landing.check({"customfield_9": "Story Points"})["story_points"].to_list() == [1.5]
    landing.land(2, [row("2") | {"names": json.dumps({"customfield_9": "Estimate"})}])
    assert not landing.refresh().full
    assert landing.check()["estimate"].dropna().to_list() == [1.5]


def test_layers_are_put_together_when_they_are_many(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addition, "MOST_FILES", 3)
    for day in range(6):
        landing.land(day, [row(str(day)), row("same", updated=f"2026-03-0{day + 1}T09:00:00.000+0000")])
        assert landing.refresh().full == (day == 0)
        landing.check()
    assert len(list(landing.out.glob("_rows-*"))) <= 8


# --- where it is kept -----------------------------------------------------------------------------------------------


def test_the_lake_reads_what_is_kept(landing: Landing) -> None:
    landing.land(1, [row("1", "old", customfield_1=1), row("2")])
    landing.refresh()
    landing.land(2, [row("1", "new", "2026-03-08T09:00:00.000+0000", customfield_1=2)])
    landing.refresh()
    with connect(landing.raw.parents[1]) as lake:
        found = lake.sql("SELECT id, summary, customfield_1 FROM jiralake.jira_data ORDER BY id")
        assert found.values.tolist()[0] == ["1", "new", 2.0]
        assert len(found) == 2
        assert [c.name for c in lake.table("jiralake.jira_data").columns] == list(landing.check())
        assert set(lake.tables("jiralake")["table"]) == {"jira_data", "jira_raw"}
        with pytest.raises(EngineError, match="layers"):
            lake.table("jiralake.jira_data").files()
        again = refresh(lake, landing.out)
        assert again.files_known == 2


def test_a_folder_that_is_not_for_this_is_refused(landing: Landing, tmp_path: Path) -> None:
    landing.land(1, [row("1")])
    with pytest.raises(ParameterError, match="landed files"):
        refresh(landing.lake, landing.raw)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(ParameterError, match=r"notes\.txt"):
        refresh(landing.lake, other)
    with pytest.raises(TableNotFoundError, match="refresh"):
        read(other)
    with pytest.raises(ParameterError, match="cannot be written"):
        refresh(landing.lake, other / "notes.txt" / "out")


def test_what_cannot_be_read_is_made_again(landing: Landing) -> None:
    landing.land(1, [row("1")])
    landing.refresh()
    (landing.out / "_layers.json").write_text('{"format": 1')
    done = landing.refresh()
    assert "cannot be read" in done.reason
    landing.check()
    next(landing.out.glob("_rows-*")).unlink()
    assert "gone" in landing.refresh().reason
    landing.check()


def test_what_another_version_keeps_is_named_and_made_again(landing: Landing) -> None:
    landing.land(1, [row("1")])
    landing.refresh()
    manifest = landing.out / "_layers.json"
    found = json.loads(manifest.read_text())
    found["state"]["fields"]["summary"] = {"number": 1}
    manifest.write_text(json.dumps(found))
    with pytest.raises(UnreadableFileError, match="Another version"):
        read(landing.out)
    assert landing.refresh().full
    landing.check()


def test_all_code_that_decides_is_known() -> None:
    """What the modules that read files import of this data set lies in the packages that are looked at."""
    folder = Path(jira.__file__).parent
    reached = set()
    for name in DECIDING:
        for module in (folder / name).glob("*.py"):
            reached |= set(re.findall(r"from datalake_kit\.jira\.(\w+)", module.read_text(encoding="utf-8")))
    assert reached == set(DECIDING)


# --- killed, and two at once ----------------------------------------------------------------------------------------

RUN = """
import sys
from pathlib import Path
from types import SimpleNamespace
from datalake_kit.jira.kept.refresh import refresh
raw, out = map(Path, sys.argv[1:])
files = sorted(raw.glob("*.parquet"))
print("ready", flush=True)
refresh(SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: files)), out)
print("done", flush=True)
"""


def start(landing: Landing) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(landing.raw), str(landing.out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_a_whole_table(landing: Landing) -> None:
    landing.land(0, [row(str(n)) for n in range(50)])
    landing.refresh()
    killed = 0
    for day in range(1, 9):
        before = landing.check()
        rows = [row(str(n), f"day {day}", f"2026-04-0{day}T09:00:00.000+0000") for n in range(0, 80, day)]
        landing.land(day, rows)
        process = start(landing)
        time.sleep(random.Random(day).uniform(0.02, 0.5))
        process.kill()
        out, _ = process.communicate()
        killed += "done" not in out
        kept = read(landing.out)
        if not kept.equals(before):
            landing.check()
        landing.refresh()
        landing.check()
        assert not list(landing.out.glob("._writing-*"))
    assert killed > 0


@pytest.mark.parametrize("step", ["_rows", "_superseded", "_documents", "_values", "_layers"])
def test_a_run_that_stops_at_any_file_leaves_the_table_as_it_was(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    landing.land(1, [row("1"), row("2")])
    landing.refresh()
    before = landing.check()
    landing.land(2, [row("1", "newer", "2026-03-08T09:00:00.000+0000"), row("3")])
    replace = Path.replace

    def stop(self: Path, target: Any) -> Path:
        if Path(target).name.startswith(step):
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            landing.refresh()
    pd.testing.assert_frame_equal(read(landing.out), before)
    assert not landing.refresh().full
    landing.check()


def test_two_at_once_wait_for_each_other(landing: Landing) -> None:
    landing.land(1, [row(str(n)) for n in range(30)])
    landing.refresh()
    landing.land(2, [row(str(n), "newer", "2026-03-08T09:00:00.000+0000") for n in range(20, 40)])
    both = [start(landing), start(landing)]
    assert [process.communicate()[0] for process in both] == ["done\n", "done\n"]
    assert [process.returncode for process in both] == [0, 0]
    landing.check()
    assert landing.refresh().files_read == 0
