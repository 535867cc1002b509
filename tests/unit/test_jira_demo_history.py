"""The demo table jira_history: the same bytes from the same seed, and changelogs that lead to the present state."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datalake_kit.demo import jira_history, jira_team


@pytest.fixture(scope="module")
def table_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "jiralake" / "jira_history"
    jira_history.build(folder)
    return folder


@pytest.fixture(scope="module")
def issues(table_folder: Path) -> list[dict[str, Any]]:
    rows = [row for path in sorted(table_folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    parsed = ("fields", "changelog")
    newest = {row["id"]: row | {name: json.loads(row[name]) for name in parsed} for row in rows}
    assert len(newest) < len(rows)
    return list(newest.values())


def test_same_seed_same_bytes(table_folder: Path, tmp_path: Path) -> None:
    jira_history.build(tmp_path)

    def prints(folder: Path) -> dict[str, str]:
        found = sorted(folder.rglob("*.parquet"))
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}

    assert prints(tmp_path) == prints(table_folder)
    assert len(prints(tmp_path)) == jira_history.count()


def items(issue: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """The changes of one field, the oldest first."""
    histories = reversed(issue["changelog"]["histories"])
    return [item for history in histories for item in history["items"] if item["field"] == field]


def test_each_changelog_leads_to_the_present_state(issues: list[dict[str, Any]]) -> None:
    for issue in issues:
        fields = issue["fields"]
        moves = items(issue, "status")
        assert [m["fromString"] for m in moves] == ["To Do", *(m["toString"] for m in moves)][: len(moves)]
        assert fields["status"]["name"] == (moves[-1]["toString"] if moves else "To Do")
        assert (fields["resolutiondate"] is None) == (fields["status"]["name"] != "Done")
        sprints = items(issue, "Sprint")
        if sprints:
            present = fields["customfield_10020"] or []
            assert sprints[-1]["to"] == ", ".join(str(s["id"]) for s in present)
            assert all(a["to"] == b["from"] for a, b in pairwise(sprints))


def test_it_tells_the_stories_that_a_delivery_report_needs(issues: list[dict[str, Any]]) -> None:
    paths = [[m["toString"] for m in items(issue, "status")] for issue in issues]
    assert any(path.count("Done") > 1 for path in paths)  # found wanting after it was done
    assert any(path.count("In Review") > 1 for path in paths)  # went back
    assert ["In Progress", "Done"] in paths  # skipped the review
    assert sum(len(i["fields"]["customfield_10020"] or []) > 1 for i in issues) >= 10  # carried over
    assert sum(bool(items(i, "Flagged")) for i in issues) >= 10
    assert any(i["fields"]["comment"]["total"] > len(i["fields"]["comment"]["comments"]) for i in issues)
    states = {s["state"] for i in issues for s in i["fields"]["customfield_10020"] or []}
    assert states == {"closed", "active"}


def test_work_takes_place_in_working_hours() -> None:
    for item in jira_team.items():
        for change in item.known():
            if change.name == "status" and item.kind != "Sub-task":
                assert change.at.weekday() < 5, item.key
                assert 8 <= change.at.hour <= 17, item.key
