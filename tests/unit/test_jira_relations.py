"""Parent, epic and ancestors of issues."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.demo import jira_raw
from datalake_kit.errors import ColumnNotFoundError, DataError


def issues(*rows: tuple[Any, ...], **more: list[Any]) -> pd.DataFrame:
    """Rows of id, key, issue type, id of the parent."""
    return pd.DataFrame(rows, columns=["id", "key", "issue_type", "parent_id"]).assign(**more)


FAMILY = issues(
    ("1", "A-1", "Epic", None), ("2", "A-2", "Story", "1"), ("3", "A-3", "Sub-task", "2"), ("4", "B-1", "Bug", None),
)  # fmt: skip


def test_chain_depth_and_epic() -> None:
    found = jira.parents(FAMILY)
    assert found["chain"].to_list() == ["A-1", "A-1 > A-2", "A-1 > A-2 > A-3", "B-1"]
    assert found["depth"].to_list() == [0, 1, 2, 0]
    assert found["epic_key"].fillna("").to_list() == ["A-1", "A-1", "A-1", ""]
    assert found["parent_key"].fillna("").to_list() == ["", "A-1", "A-2", ""]
    assert found["missing"].isna().all()
    assert not found["cycle"].any()


def test_the_level_tells_an_epic_in_any_language_and_its_name_does_not() -> None:
    frame = FAMILY.assign(issue_type=["长篇故事", "Epic", "x", "y"], issue_type_level=[1.0, 0.0, -1.0, None])
    assert jira.parents(frame)["epic_key"].fillna("").to_list() == ["A-1", "A-1", "A-1", ""]


def test_a_parent_is_found_by_its_id_under_the_key_it_has_now() -> None:
    frame = FAMILY.assign(key=["C-9", "A-2", "A-3", "A-1"], parent_key=[None, "A-1", "A-2", None])
    found = jira.parents(frame)  # the epic moved from A-1 to C-9, and A-1 is another issue now
    assert found["chain"].to_list() == ["C-9", "C-9 > A-2", "C-9 > A-2 > A-3", "A-1"]
    assert found["parent_key"].fillna("").to_list() == ["", "C-9", "A-2", ""]


def test_an_ancestor_that_is_not_there_is_named() -> None:
    frame = FAMILY.iloc[1:3].assign(parent_key=["A-1", "A-2"], parent_issue_type=["Epic", "Story"])
    found = jira.parents(frame)
    assert found["missing"].to_list() == ["A-1", "A-1"]
    assert found["chain"].to_list() == ["A-1 > A-2", "A-1 > A-2 > A-3"]
    assert found["epic_key"].to_list() == ["A-1", "A-1"]
    nameless = jira.parents(frame.drop(columns=["parent_key", "parent_issue_type"]))
    assert nameless["missing"].to_list() == ["1", "1"]
    assert nameless["epic_key"].isna().all()  # nothing says that it is an epic
    assert jira.parents(frame.assign(parent_issue_type="?", parent_level=[1.0, 0.0]))["epic_key"].to_list() == [
        "A-1",
        "A-1",
    ]


def test_the_epic_link_stands_in_for_a_parent() -> None:
    frame = issues(("1", "A-1", "Epic", None), ("2", "A-2", "Story", None), ("3", "A-3", "Task", "2"))
    found = jira.parents(frame.assign(epic_link=[None, "A-1", "Z-9"]))
    assert found["parent_from"].fillna("").to_list() == ["", "epic link", "parent"]
    assert found["epic_key"].to_list() == ["A-1"] * 3
    assert jira.parents(frame.assign(epic_link=[None, "Z-9", None]))["epic_key"].to_list() == ["A-1", "Z-9", "Z-9"]
    agile = jira.parents(frame.assign(agile_epic_id=[None, 1.0, None], agile_epic_key=[None, "old key", None]))
    assert agile["chain"].to_list() == ["A-1", "A-1 > A-2", "A-1 > A-2 > A-3"]


def test_the_epic_link_is_known_by_its_business_name() -> None:
    table = pd.DataFrame(
        {
            "id": ["1", "2"], "key": ["A-1", "A-2"],
            "fields": [json.dumps({"summary": "e"}), json.dumps({"customfield_77": "A-1", "customfield_78": "x"})],
        }
    )  # fmt: skip
    names = {"customfield_76": "Epic Link", "customfield_77": "Epic Link", "customfield_78": "Epic link text"}
    frame = jira.unpack_fields(table, names=names)
    assert "epic_link_77" in frame
    assert jira.parents(frame)["parent_key"].to_list()[1] == "A-1"
    assert jira.parents(frame, epic_link="epic_link_text")["parent_key"].to_list()[1] == "x"


@pytest.mark.parametrize(("ups", "cycles"), [(["1"], [True]), (["2", "1"], [True] * 2), (["2", "3", "2"], [True] * 3)])
def test_a_cycle_ends(ups: list[str], cycles: list[bool]) -> None:
    frame = issues(*((str(n + 1), f"A-{n + 1}", "Task", up) for n, up in enumerate(ups)))
    found = jira.parents(frame)
    assert found["cycle"].to_list() == cycles
    assert (found["depth"] < len(ups)).all()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9))
@settings(deadline=None)
def test_any_parents_give_finite_chains_that_name_what_is_missing(ups: list[int]) -> None:
    frame = issues(*((str(n), f"A-{n}", "Task", str(up)) for n, up in enumerate(ups)))
    found = jira.parents(frame)
    for row in found.itertuples():
        chain = row.chain.split(" > ")
        assert chain[-1] == row.key
        assert len(set(chain)) == len(chain)
        assert row.cycle or (isinstance(row.missing, str) and int(row.missing) >= len(ups))


NUMBERS = st.none() | st.integers(0, 9)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from([1.0, 0.0, None]), st.booleans()), min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_chains_are_those_of_a_walk_from_issue_to_issue(rows: list[tuple[Any, ...]]) -> None:
    """Each issue: id of its parent, number in its epic link, its level, whether its parent is an epic."""
    count = len(rows)
    frame = pd.DataFrame(
        {
            "id": [str(n) for n in range(count)], "key": [f"K-{n}" for n in range(count)],
            "parent_id": [None if p is None else str(p) for p, *_ in rows],
            "parent_key": [None if p is None else f"OLD-{p}" for p, *_ in rows],
            "parent_level": [1.0 if above else 0.0 for *_, above in rows],
            "epic_link": [None if e is None else f"K-{e}" for _, e, *_ in rows],
            "issue_type_level": [level for *_, level, _ in rows],
        }
    )  # fmt: skip
    for n, row in enumerate(jira.parents(frame).itertuples()):
        line, missing, epics, cycle = [n], None, [], False
        while True:
            parent, epic, level, above = rows[line[-1]]
            epics += [f"K-{line[-1]}"] if level == 1 else []
            if parent is None and epic is None:
                break
            name = f"OLD-{parent}" if parent is not None else f"K-{epic}"
            up = parent if parent is not None else epic
            if up >= count:
                missing = name
                epics += [name] if above or parent is None else []
                break
            if up in line:
                cycle = True
                break
            line.append(up)
        names = [*([missing] if missing else []), *(f"K-{m}" for m in reversed(line))]
        assert row.chain == " > ".join(names)
        assert row.depth == len(names) - 1
        assert (None if pd.isna(row.missing) else row.missing) == missing
        assert (None if pd.isna(row.epic_key) else row.epic_key) == (epics[0] if epics else None)
        assert row.cycle == cycle


def test_a_chain_longer_than_the_stack_and_a_key_that_two_issues_have() -> None:
    count = 3_000
    long = issues(*((str(n), f"A-{n}", "Task", str(n + 1) if n < count - 1 else None) for n in range(count)))
    found = jira.parents(long)
    assert found["depth"].to_list() == [*range(count - 1, -1, -1)]
    reused = issues(("1", "A-1", "Epic", None), ("2", "A-1", "Epic", None), ("3", "A-3", "Task", None))
    link = jira.parents(reused.assign(epic_link=[None, None, "A-1"]))
    assert link["parent_id"].to_list()[2] == "2"


def test_issues_without_id_are_found_by_key() -> None:
    frame = issues((None, "A-1", "Epic", None), (None, "A-2", "Story", None)).assign(epic_link=[None, "A-1"])
    found = jira.parents(frame)
    assert found["chain"].to_list() == ["A-1", "A-1 > A-2"]
    assert found["id"].isna().all()


def test_the_index_is_kept_and_the_input_not_changed() -> None:
    frame = FAMILY.set_axis(["w", "x", "y", "z"])
    before = frame.copy()
    assert list(jira.parents(frame).index) == ["w", "x", "y", "z"]
    pd.testing.assert_frame_equal(frame, before)
    assert len(jira.parents(FAMILY.head(0))) == 0


def test_bad_input() -> None:
    with pytest.raises(ColumnNotFoundError, match="key"):
        jira.parents(FAMILY.drop(columns="key"))
    with pytest.raises(ColumnNotFoundError, match="no_such"):
        jira.parents(FAMILY, epic_link="no_such")
    with pytest.raises(DataError, match="twice"):
        jira.parents(pd.concat([FAMILY, FAMILY]))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> jira.JiraIssues:
    folder: Path = tmp_path_factory.mktemp("demo")
    jira_raw.build(folder)
    files = sorted(folder.rglob("*.parquet"))
    return jira.load(SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: files)), "jiralake.jira_raw")  # type: ignore[arg-type]


def test_the_demo_has_what_its_story_says(demo: jira.JiraIssues) -> None:
    report = demo.report
    assert report.adds_up
    assert report.rows_rejected == 2
    assert report.rows_superseded > 100
    frame = demo.frame().set_index("key", drop=False)
    assert len(frame) == report.rows_used == 109
    assert frame.loc["EE-86", "id"] != frame.loc["K5-9", "id"]  # moved, and its old key given again
    assert frame.loc["K5-12", "status"] == "In Review"  # a tie in one file: its last row
    assert frame.loc["K5-14", "status"] == "Done"  # a tie of two files: the last file
    assert (frame.loc[["EE-1", "EE-2"], "issue_type"] == "Story").all()  # sent again in English
    assert {"story_points", "story_points_10070", "order_field", "release_train", "area_child"} < set(frame)
    assert set(frame["status_category"]) == {"To Do", "In Progress", "Done"}


def test_the_epics_of_the_demo(demo: jira.JiraIssues) -> None:
    tree = jira.parents(demo.frame()).set_index("key")
    assert set(tree["epic_key"].dropna()) == {"EE-40", "EE-41", "EE-60", "K5-4", "K5-23"}
    assert set(tree["missing"].dropna()) == {"EE-40"}
    assert tree.loc["K5-3", "parent_key"] == "K5-4"
    assert tree["depth"].max() == 2
    assert tree.loc["EE-86", "epic_key"] == "K5-4"  # below its epic still, after the move


def test_the_demo_as_of_an_earlier_day(demo: jira.JiraIssues) -> None:
    early = jira.JiraIssues(demo.table, demo._places, pd.Timestamp("2026-03-10", tz="UTC").to_pydatetime())
    assert early.report.rows_used < demo.report.rows_used
    assert "EE-86" not in set(early.frame()["key"])


def test_raw_issues_are_refused_with_the_way_out() -> None:
    raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ["{}"]})
    with pytest.raises(ColumnNotFoundError, match="not unpacked"):
        jira.parents(raw)
