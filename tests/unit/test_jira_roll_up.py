"""Sums along the hierarchy: against a walk down from each issue, and worked examples."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.fields.columns import unpack_fields
from datalake_kit.jira.relations.roll_up import roll_up

TIMES = ("time_spent_seconds", "original_estimate_seconds", "remaining_estimate_seconds")


def issues(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rows of id, id of the parent, status, points, seconds spent."""
    frame = pd.DataFrame(rows, columns=["id", "parent_id", "status_category", "story_points", "time_spent_seconds"])
    frame = frame.assign(key="A-" + frame["id"], issue_type="Story", status=frame["status_category"])
    return frame.astype({"story_points": "float64", "time_spent_seconds": "float64"})


TREE = issues(
    ("1", None, "To Do", 40, None),
    ("2", "1", "Done", 3, 3600),
    ("3", "1", "In Progress", 5, 1800),
    ("4", "3", "Done", None, 600),
    ("5", "3", "To Do", None, None),
    ("6", None, "Done", 8, 60),
)  # fmt: skip


def test_a_tree_by_hand() -> None:
    """Epic 1 has the stories 2 (done, 3 points) and 3 (5 points), which has the sub-tasks 4 (done) and 5."""
    found = roll_up(TREE).set_index("key")
    assert found.index.to_list() == ["A-1", "A-3"]
    epic, parent = found.loc["A-1"], found.loc["A-3"]
    assert (epic["children"], epic["descendants"], epic["done_descendants"], epic["share_done_issues"]) == (
        2,
        4,
        2,
        0.5,
    )
    assert (epic["own_points"], epic["descendant_points"], epic["done_descendant_points"]) == (40, 8, 3)
    assert epic["share_done_points"] == 0.375
    assert (epic["unestimated_descendants"], epic["time_spent_seconds"]) == (2, 6000)
    assert (parent["descendants"], parent["time_spent_seconds"], parent["depth"]) == (2, 2400, 1)
    assert math.isnan(parent["descendant_points"])  # nobody estimated
    assert math.isnan(parent["share_done_points"])
    assert found["original_estimate_seconds"].isna().all()
    assert parent["parent_key"] == "A-1"


def test_aggregates_of_jira_are_not_summed_again() -> None:
    with_aggregates = TREE.assign(aggregate_time_spent_seconds=99_999.0)
    pd.testing.assert_frame_equal(roll_up(with_aggregates), roll_up(TREE))


def test_what_counts_as_done_can_be_said() -> None:
    frame = TREE.assign(status=["Open", "Shipped", "Open", "Shipped", "Closed", "Open"])
    assert roll_up(frame, done=["Shipped", "Closed"])["done_descendants"].to_list() == [3, 2]
    assert roll_up(frame, done="In Progress")["done_descendants"].to_list() == [1, 0]
    with pytest.raises(DataError, match="Did you mean Shipped"):
        roll_up(frame, done="Shiped")


def test_a_missing_ancestor_is_a_row() -> None:
    frame = TREE.iloc[1:].assign(parent_key=["Z-9", "Z-9", "A-3", "A-3", None])
    found = roll_up(frame)
    assert found[["key", "missing", "descendants"]].values.tolist() == [["Z-9", True, 4], ["A-3", False, 2]]
    assert found.loc[0, "id"] == "1"
    assert found.loc[0, ["status", "own_points", "issue_type"]].isna().all()
    assert found.loc[0, "time_spent_seconds"] == 6000


def test_issues_that_name_a_missing_epic_by_key_and_by_id_share_its_row() -> None:
    frame = issues(("2", "1", "Done", 3, 1), ("3", None, "Done", 5, 1)).assign(
        parent_key=["Z-9", None], epic_link=[None, "Z-9"]
    )
    found = roll_up(frame)
    assert found[["id", "key", "descendants", "descendant_points"]].values.tolist() == [["1", "Z-9", 2, 8.0]]


def test_the_links_of_a_cycle_are_named_and_not_followed() -> None:
    frame = issues(
        ("1", "2", "Done", 1, 1), ("2", "3", "Done", 2, 10), ("3", "1", "To Do", 4, 100), ("4", "3", "Done", 8, 1000)
    )
    found = roll_up(frame).set_index("key")
    assert found["cycle"].to_list() == ["A-1 > A-3 > A-2 > A-1"] * 3
    assert found["descendants"].to_dict() == {"A-1": 0, "A-2": 0, "A-3": 1}
    assert found["time_spent_seconds"].to_dict() == {"A-1": 1, "A-2": 10, "A-3": 1100}
    assert found.loc["A-1", "children"] == 1
    assert math.isnan(found.loc["A-1", "share_done_issues"])
    alone = roll_up(issues(("1", "1", "Done", 1, 1)))
    assert alone["cycle"].to_list() == ["A-1 > A-1"]
    assert roll_up(TREE)["cycle"].isna().all()


# --- against a walk down from each issue ----------------------------------------------------------------------------


def random_forest(rng: random.Random, size: int) -> pd.DataFrame:
    """Parents anywhere: above, below, missing, in circles."""
    rows = []
    for number in range(size):
        up = rng.choice([None, str(rng.randrange(size + 2)), str(rng.randrange(number + 1))])
        points = rng.choice([None, 0.5, 1, 2, 3, 5])
        rows.append((str(number), up, rng.choice(["To Do", "Done"]), points, rng.choice([None, 60, 600])))
    return issues(*rows)


def walk_down(frame: pd.DataFrame, key: str, on_cycle: set[str]) -> list[Any]:
    """Every row below a key, found by asking for children again and again; links between a cycle's members are cut."""
    found = []
    waiting = [key]
    while waiting:
        above = waiting.pop()
        for row in frame.itertuples():
            if isinstance(row.parent_id, str) and f"A-{row.parent_id}" == above and row.key not in on_cycle:
                found.append(row)
                waiting.append(row.key)
    return found


def members_of_cycles(frame: pd.DataFrame) -> set[str]:
    up = {r.key: f"A-{r.parent_id}" for r in frame.itertuples() if isinstance(r.parent_id, str)}
    found = set()
    for key in up:
        at, steps = up[key], 0
        while at != key and at in up and steps <= len(up):
            at, steps = up[at], steps + 1
        if at == key:
            found.add(key)
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 14))
def test_every_sum_is_what_a_walk_down_finds(seed: int, size: int) -> None:
    frame = random_forest(random.Random(seed), size)
    frame["parent_key"] = "A-" + frame["parent_id"].astype("str")
    on_cycle = members_of_cycles(frame)
    found = roll_up(frame).set_index("key")
    parents = {f"A-{p}" for p in frame["parent_id"] if isinstance(p, str)}
    assert set(found.index) == parents
    assert set(found.index[found["cycle"].notna()]) == on_cycle
    assert set(found.index[found["missing"]]) == parents - set(frame["key"])
    known = frame.set_index("key")
    for key, row in found.iterrows():
        below = walk_down(frame, key, on_cycle)
        done = [r for r in below if r.status_category == "Done"]
        assert (row["descendants"], row["done_descendants"]) == (len(below), len(done))
        assert nothing_is_nan(row["descendant_points"]) == total(r.story_points for r in below)
        assert row["unestimated_descendants"] == sum(math.isnan(r.story_points) for r in below)
        if row["descendant_points"] > 0:
            share = (total(r.story_points for r in done) or 0.0) / row["descendant_points"]
            assert row["share_done_points"] == pytest.approx(share)
        own = [known.loc[key, "time_spent_seconds"]] if key in known.index else []
        assert nothing_is_nan(row["time_spent_seconds"]) == total([*own, *(r.time_spent_seconds for r in below)])


def nothing_is_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def total(values: Any) -> float | None:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) if known else None


# --- input ----------------------------------------------------------------------------------------------------------


def test_the_points_are_those_of_the_field_that_is_named_so(data: Path) -> None:
    fields = [
        {"status": {"name": "Open", "statusCategory": {"name": "Done"}}, "customfield_7": 2.5,
         "parent": {"id": "9", "key": "E-9"}, "timespent": 120},
        {"status": {"name": "Open", "statusCategory": {"name": "To Do"}}, "customfield_7": 5, "parent": {"id": "9"}},
    ]  # fmt: skip
    raw = pd.DataFrame({"id": ["1", "2"], "key": ["A-1", "A-2"], "fields": [json.dumps(f) for f in fields]})
    frame = unpack_fields(raw, names={"customfield_7": "Story point estimate"})
    found = roll_up(frame).iloc[0]
    assert (found["descendant_points"], found["done_descendant_points"]) == (7.5, 2.5)
    assert (found["descendants"], found["share_done_issues"], found["time_spent_seconds"]) == (2, 0.5, 120)


def test_real_documents(data: Path) -> None:
    rows = []
    for path in sorted((data / "jira").glob("*.json")):
        document = json.loads(path.read_text())
        if "id" in document:
            row = {"id": document["id"], "key": document["key"], "fields": json.dumps(document["fields"])}
            rows.append(row)
    frame = unpack_fields(pd.DataFrame(rows).drop_duplicates("id"))
    found = roll_up(frame).set_index("key")
    assert found.loc["K5-4", ["descendants", "missing"]].to_list() == [1, False]  # the epic of K5-3
    assert found["missing"].any()


def test_bad_input() -> None:
    with pytest.raises(ColumnNotFoundError, match="status"):
        roll_up(TREE.drop(columns=["status", "status_category"]))
    with pytest.raises(ColumnNotFoundError, match="Did you mean story_points"):
        roll_up(TREE, points="story_point")
    with pytest.raises(DataError, match="twice"):
        roll_up(pd.concat([TREE, TREE]))
    empty = roll_up(TREE.iloc[:0])
    assert len(empty) == 0
    assert list(empty.columns) == list(roll_up(TREE).columns)
    assert len(roll_up(TREE.drop(columns="parent_id"))) == 0


def test_the_input_is_not_changed() -> None:
    before = TREE.copy(deep=True)
    roll_up(TREE)
    pd.testing.assert_frame_equal(TREE, before)


def test_a_deep_chain_does_not_end_the_program() -> None:
    size = 2_000
    rows = [(str(n), str(n - 1) if n else None, "Done", 1, 1) for n in range(size)]
    found = roll_up(issues(*rows))
    assert found["descendants"].to_list() == list(range(size - 1, 0, -1))
    assert np.array_equal(found["depth"], range(size - 1))
