"""A refresh reads new files only, and gives what reading all of them gives: over random histories, split at random."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.jira import plan, unpack
from datalake_kit.jira.refresh import Refreshed, refresh
from datalake_kit.jira.stored import read

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


@pytest.fixture
def small_sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So few documents are looked at that small tables have more."""
    monkeypatch.setattr(plan, "SAMPLE", 4)
    monkeypatch.setattr(unpack, "SAMPLE", 4)
    return


# --- random histories -----------------------------------------------------------------------------------------------

OPTION = st.sampled_from(["A", "B"]).map(lambda v: {"value": v, "id": "1"})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "customfield_1": st.sampled_from([None, 1, 2.5, 7, "8"]),
    "customfield_2": st.sampled_from(["5", "6", "7", 6, "n/a", None]),
    "customfield_3": OPTION | st.sampled_from([None, "plain", {"value": "C", "child": {"value": "D"}}, {"odd": 1}]),
    "customfield_4": st.sampled_from([None, [], {}, "2026-03-01", "2026-03-02", "soon"]),
    "customfield_5": st.sampled_from([None, ["a", "b"], [], ["c"], [{"value": "x"}], 5]),
    "customfield_6": st.just({"name": "only here", "extra": 1}),
    "Customfield_1": st.just("other letters"),
    "duedate": st.sampled_from([None, "2026-05-01", "2026-05-02", "never"]),
    "votes": st.sampled_from([{"votes": 1}, {"votes": 2}, {"votes": "many"}, "odd", None]),
    "status": st.sampled_from([{"name": "Open", "id": "1", "statusCategory": {"key": "new"}}, {"name": "Done"}]),
    "assignee": st.sampled_from([None, {"accountId": "5d1", "displayName": "P"}, {"odd": 1}]),
    "timespent": st.sampled_from([None, 3600, "3600", "long"]),
    "subtasks": st.sampled_from([[], [{"id": "1"}], None]),
    "environment": st.sampled_from(["x", None]),
    "description": st.sampled_from(["x", None]),
}
COMMON = ["customfield_1", "customfield_2", "status", "duedate"]
UPDATED = st.sampled_from(
    [
        None,
        "no instant",
        *(f"2026-03-0{d}T0{h}:00:00.000{z}" for d in (1, 2) for h in (1, 9) for z in ("+0000", "+0800")),
    ]
)


@st.composite
def rows_landed(draw: st.DrawFn) -> Row:
    keys = draw(st.lists(st.sampled_from([*VALUES, *COMMON]), max_size=7, unique=True))
    number = draw(st.sampled_from([str(n) for n in range(1, 10)]))
    fields: Any = {"summary": draw(st.sampled_from(["s", "t", "5"])), "updated": draw(UPDATED)}
    fields |= {key: draw(VALUES[key]) for key in keys}
    found: Row = {"id": number, "key": draw(st.sampled_from(["A-", "B-"])) + number, "fields": fields}
    if draw(st.integers(0, 9)) == 0:
        found |= {
            "names": json.dumps({draw(st.sampled_from(sorted(VALUES))): draw(st.sampled_from(["Points", "Due"]))})
        }
    if draw(st.integers(0, 9)) == 0:
        found |= draw(st.sampled_from([{"id": None}, {"fields": "{"}, {"self": "https://x"}, {"Extra": "e"}]))
    return found


FILE = st.tuples(
    st.integers(0, 6), st.lists(rows_landed(), min_size=1, max_size=6),
    st.sampled_from(["text", "text", "text", "map", "columns", "struct"]),
)  # fmt: skip
NAMES = st.sampled_from(
    [None, None, {"customfield_1": "Points"}, [{"id": "customfield_2", "name": "Due", "schema": {"type": "string"}}]]
)
STEPS = st.lists(st.tuples(st.lists(FILE, min_size=1, max_size=2), NAMES), min_size=2, max_size=4)


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


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_any_split_gives_what_all_files_give(steps: list[Any]) -> None:
    run_steps(steps)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_any_split_gives_what_all_files_give_when_only_some_rows_are_looked_at(
    small_sample: None, steps: list[Any]
) -> None:
    run_steps(steps)
