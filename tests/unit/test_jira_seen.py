"""Deletions: only suspected from incremental runs, exact by a full run, held against a world that knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.landing.seen import deleted, last_seen
from datalake_kit.lake import connect

START = datetime(2026, 3, 1, 2, tzinfo=UTC)


def versions(rows: list[tuple[str, int]]) -> pd.DataFrame:
    """A frame of (id, day), each version with a key of its day."""
    found = pd.DataFrame(rows, columns=["id", "day"]).sort_values(["id", "day"], kind="stable", ignore_index=True)
    landed = pd.Series([START + timedelta(days=int(d)) for d in found["day"]], dtype="datetime64[us, UTC]")
    keys = found["id"].astype("str") + "-" + found["day"].astype("str")
    return pd.DataFrame({"id": found["id"].astype("str"), "key": keys, "landed": landed})


# Of each issue: the day it is made, the days on which it changes, the day it is deleted (or never)
WORLD = st.lists(st.tuples(st.integers(0, 9), st.sets(st.integers(0, 12), max_size=4), st.integers(1, 12) | st.none()))


@settings(max_examples=200, deadline=None)
@given(WORLD, st.integers(0, 12))
def test_a_full_run_tells_exactly_which_issues_are_deleted(
    world: list[tuple[int, set[int], int | None]], day: int
) -> None:
    rows: list[tuple[str, int]] = []
    expected: dict[str, str] = {}
    for number, (made, changes, end) in enumerate(world):
        alive = [d for d in range(made, 13) if end is None or d < end]
        seen = [d for d in alive if d in (made, day) or d in changes]
        rows += [(str(number), d) for d in seen]
        if seen:
            expected[str(number)] = (
                "there" if day in seen else "came after the full run" if seen[-1] > day else "deleted"
            )
    if "there" not in expected.values():
        return
    frame = versions(rows)
    before = frame.copy(deep=True)
    found = deleted(frame, START + timedelta(days=day))
    assert dict(zip(found["id"], found["state"], strict=True)) == expected
    assert (found["in_full_run"] == (found["state"] == "there")).all()
    told = {n for n, state in expected.items() if state == "deleted"}
    gone = {str(n) for n, (made, _, end) in enumerate(world) if made < day and end is not None and end <= day}
    assert told == gone & set(expected) - {n for n, s in expected.items() if s == "there"}
    pd.testing.assert_frame_equal(frame, before)
    ids = found.loc[found["in_full_run"], "id"]
    by_ids = deleted(last_seen(frame), ids, at=START + timedelta(days=day))
    pd.testing.assert_frame_equal(by_ids, found)


def test_when_and_how_often_an_issue_was_seen() -> None:
    frame = versions([("1", 0), ("1", 5), ("1", 5), ("2", 3)])
    frame["updated"] = frame["landed"] - pd.Timedelta(hours=1)
    found = last_seen(frame)
    assert found["id"].to_list() == ["1", "2"]
    assert found["key"].to_list() == ["1-5", "2-3"]
    assert found["versions"].to_list() == [3, 1]
    assert found["first_seen"].to_list() == [START, START + timedelta(days=3)]
    assert found["last_seen"].to_list() == [START + timedelta(days=5), START + timedelta(days=3)]
    assert found["updated"].to_list() == [START + timedelta(days=4, hours=23), START + timedelta(days=2, hours=23)]


def test_an_issue_that_landed_while_the_full_run_ran_is_not_called_deleted() -> None:
    found = deleted(versions([("1", 1), ("2", 1), ("2", 4), ("3", 4)]), ["1"], at=START + timedelta(days=4))
    assert found["state"].to_list() == ["there", "came after the full run", "came after the full run"]


def test_the_versions_of_a_lake(tmp_path: Path) -> None:
    for day, numbers in ((0, "123"), (1, "2"), (7, "13")):
        when = START + timedelta(days=day)
        body = [json.dumps({"summary": "s", "updated": f"{when:%Y-%m-%dT%H:%M:%S}.000+0000"}) for _ in numbers]
        path = tmp_path / "jiralake" / "jira_raw" / f"run-{when:%Y-%m-%dT%H-%M-%S}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": list(numbers), "key": [f"A-{n}" for n in numbers], "fields": body}), path)
    issues = jira.load(connect(tmp_path), "jiralake.jira_raw").versions(fields=["updated"])
    found = deleted(issues, START + timedelta(days=7))
    assert found.loc[found["state"] == "deleted", "key"].to_list() == ["A-2"]
    assert found["full_run"].unique().tolist() == [START + timedelta(days=7)]


@pytest.mark.parametrize(
    ("full_run", "at", "error", "words"),
    [
        (["1"], None, ParameterError, "at="),
        (START, START, ParameterError, "already"),
        ([], START, DataError, "no issue"),
        (["9"], START, DataError, "never came"),
        ("2027-01-01", None, DataError, "Nothing landed.*2026-03-01"),
        ("soon", None, DataError, "no instant"),
        (pd.DataFrame({"key": ["1"]}), START, ColumnNotFoundError, "id"),
    ],
)
def test_what_decides_nothing_is_refused(full_run: Any, at: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        deleted(versions([("1", 0), ("2", 1)]), full_run, at=at)


def test_versions_without_id_time_or_column_are_refused() -> None:
    frame = versions([("1", 0)])
    with pytest.raises(ColumnNotFoundError, match="landed"):
        last_seen(frame.drop(columns="landed"))
    with pytest.raises(DataError, match="1 versions have no id"):
        last_seen(frame.assign(id=pd.Series([None], dtype="str")))
    with pytest.raises(ParameterError, match="needs versions"):
        deleted(last_seen(frame), START)
