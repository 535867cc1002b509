"""The queries of sql/jira give what the package gives."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit import jira
from datalake_kit.demo import jira_raw
from datalake_kit.engines.dialect.types import from_duckdb
from datalake_kit.lake import Lake, connect
from tests.trino import record_jira
from tests.trino.answers import duckdb_value, same_rows, trino_value


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("lake")
    jira_raw.build(root / "jiralake" / "jira_raw")
    return connect(root)


def test_newest_issues_are_those_of_the_loader(lake: Lake) -> None:
    by_sql = lake.query("jira/newest_issues", table="jiralake.jira_raw").set_index("id")
    frame = jira.load(lake, "jiralake.jira_raw").frame().set_index("id")
    assert set(by_sql.index) == set(frame.index)
    keys = by_sql["key"].to_dict()
    assert keys == frame["key"].to_dict()
    for number, text in by_sql["fields"].items():
        assert frame.loc[number, "updated"] == pd.Timestamp(json.loads(text)["updated"]), number


def test_what_is_set_aside_is_in_no_version(lake: Lake) -> None:
    rejected = jira.load(lake, "jiralake.jira_raw").rejects
    by_sql = lake.query("jira/newest_issues", table="jiralake.jira_raw")
    assert len(rejected) == 2
    assert by_sql["id"].notna().all()
    assert by_sql["fields"].map(lambda text: isinstance(json.loads(text), dict)).all()


# --- what a real Trino answered over real documents ------------------------------------------------------------------


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The rows that Trino was asked about, as a table."""
    root = tmp_path_factory.mktemp("documents")
    path = root / "jiralake" / "jira_raw" / "run-2026-03-01T02-00-07.parquet"
    path.parent.mkdir(parents=True)
    columns = zip(*record_jira.rows(), strict=True)
    pq.write_table(pa.table([pa.array(c, pa.string()) for c in columns], names=["id", "key", "fields"]), path)
    return connect(root)


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    recorded = json.loads(record_jira.RECORDED.read_text(encoding="utf-8"))
    assert recorded["statements"] == record_jira.fingerprint(), "statements or rows changed: record them anew"
    return dict(recorded["answers"])


@pytest.mark.parametrize("query", list(record_jira.QUERIES))
def test_the_local_engine_gives_what_trino_gave(documents: Lake, answers: dict[str, Any], query: str) -> None:
    ours = documents.query(f"jira/{query}", table="jiralake.jira_raw", params=record_jira.QUERIES[query])
    types = [kind for _, kind in answers[query]["columns"]]
    assert list(ours.columns) == [name for name, _ in answers[query]["columns"]]
    theirs = [[trino_value(v, t) for v, t in zip(row, types, strict=True)] for row in answers[query]["rows"]]
    assert len(theirs) >= 1
    rows = [[plain(v, t) for v, t in zip(row, types, strict=True)] for row in ours.itertuples(index=False)]
    assert same_rows(rows, theirs, ordered=True)


def plain(value: Any, kind: str) -> Any:
    """A value of a frame as `trino_value` gives it."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        stamp = value.tz_localize("UTC") if value.tzinfo is None else value
        return stamp.to_pydatetime()
    return duckdb_value(value, from_duckdb(kind.upper()))


@pytest.mark.external
def test_a_running_trino_gives_what_is_recorded(answers: dict[str, Any], real_trino: None) -> None:
    assert record_jira.ask() == answers


# --- what the loader gives -------------------------------------------------------------------------------------------

SAME = [
    "key", "project", "issue_type", "summary", "status", "status_id", "status_category", "priority", "resolution",
    "assignee", "assignee_account_id", "reporter", "created", "updated", "resolution_date",
    "due_date", "parent_key", "parent_id", "labels", "components", "fix_versions",
    "original_estimate_seconds", "time_spent_seconds",
]  # fmt: skip


@pytest.mark.parametrize("name", ["lake", "documents"])
def test_issues_are_what_the_loader_gives(request: pytest.FixtureRequest, name: str) -> None:
    there: Lake = request.getfixturevalue(name)
    by_sql = there.query("jira/issues", table="jiralake.jira_raw").set_index("id")
    frame = jira.load(there, "jiralake.jira_raw").frame().set_index("id")
    assert set(by_sql.index) == set(frame.index)
    usual = frame.index.difference(["9007", "9001", "9002"])  # made rows whose values have no shape of Jira's
    for column in SAME:
        mine, loaded = by_sql[column].reindex(usual), frame[column].reindex(usual)
        assert as_texts(mine) == as_texts(loaded), column


def as_texts(column: pd.Series[Any]) -> dict[str, str]:
    """Values as text, by issue; what is missing is left out."""
    held = column.dropna()
    if column.name in ("created", "updated", "resolution_date", "due_date"):
        held = pd.to_datetime(held, utc=True, format="ISO8601")
    if column.name in ("original_estimate_seconds", "time_spent_seconds"):
        held = held.astype(float)
    return {str(k): str(v) for k, v in held.items()}


def test_links_parents_comments_and_worklogs_are_what_the_documents_hold(documents: Lake) -> None:
    newest = {i: json.loads(f) for i, _, f in documents.query("jira/newest_issues", table="jiralake.jira_raw").values}
    found = {
        query: documents.query(f"jira/{query}", table="jiralake.jira_raw")
        for query in ("links", "parents", "comments", "worklogs")
    }
    entries = {
        "links": lambda f: f.get("issuelinks") or [],
        "comments": lambda f: (f.get("comment") or {}).get("comments") or [],
        "worklogs": lambda f: (f.get("worklog") or {}).get("worklogs") or [],
        "parents": lambda f: [f["parent"]] if f.get("parent") else [],
    }
    for query, select in entries.items():
        counts = {i: len(select(f)) for i, f in newest.items() if isinstance(f, dict) and select(f)}
        assert found[query].groupby("id").size().to_dict() == counts, query
        assert counts, query
    made = found["links"].set_index("link_id").loc[["1", "2"]]
    assert made["words"].to_list() == ["is blocked by", "blocks"]
    assert made["other_key"].to_list() == ["M-2", "X-7"]
    parent = found["parents"].set_index("id").loc["9001"]
    assert (parent["parent_key"], parent["parent_type"], bool(parent["parent_here"])) == ("M-2", "Epic", True)
