"""Sprints: objects and the old text form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.jira.fields.sprint_text import current_sprint, parse_sprint

KINDS = ("id", "rapidViewId", "state", "name", "startDate", "endDate", "completeDate", "sequence", "goal")


def old_text(sprint: dict[str, Any]) -> str:
    """As Jira Server writes a sprint."""
    pairs = ",".join(f"{key}={'<null>' if sprint[key] is None else sprint[key]}" for key in KINDS)
    return f"com.atlassian.greenhopper.service.sprint.Sprint@1f3a[{pairs}]"


def test_the_real_ones(data: Path) -> None:
    hygieia = json.loads((data / "jira" / "25_hygieia_WO-2014_sprintstring.json").read_text())["fields"]
    text, beside = hygieia["customfield_10007"][0], hygieia["sprint"]
    read = parse_sprint(text)
    assert read == parse_sprint(beside)  # the document has the same sprint in both forms
    assert read == {
        "id": 54398, "name": "TEST - Sprint 35", "state": "active", "startDate": "2019-01-02T09:00:38.902-05:00",
        "endDate": "2019-01-16T09:00:00.000-05:00", "completeDate": None, "boardId": 6823, "goal": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", [None, 5, True, "Sprint 5", "", [], {}, "com.atlassian.greenhopper.service.sprint.Sprint@1["]
)
def test_what_is_no_sprint(value: object) -> None:
    assert parse_sprint(value) is None


dates = st.none() | st.datetimes().map(lambda d: f"{d:%Y-%m-%dT%H:%M:%S.000Z}".rjust(24, "0"))
sprints = st.fixed_dictionaries(
    {
        "id": st.integers(0, 10**9), "rapidViewId": st.integers(0, 10**6),
        "state": st.sampled_from(["ACTIVE", "CLOSED", "FUTURE"]),
        "name": st.text(max_size=60) | st.sampled_from(["A, B = C", "x],state=", "a,goal=b", "id=4,name=9", "S [2]"]),
        "startDate": dates, "endDate": dates, "completeDate": dates, "sequence": st.integers(0, 10**6),
        "goal": st.text(max_size=60) | st.sampled_from(["ship it, name=it", "id=5,state=x", "[]", "goal=goal"]),
    }
)  # fmt: skip


@given(sprints)
def test_any_name_and_goal_come_back_from_the_old_text(sprint: dict[str, Any]) -> None:
    # One text in two ways: a name that ends like the pairs behind it. No reader can tell; Jira does not escape.
    if any(f",{key}=" in f",{sprint['name']}," for key in KINDS[4:8]) or sprint["goal"] == "<null>":
        return
    if sprint["name"] == "<null>" or sprint["goal"].startswith("<null>"):
        return
    read = parse_sprint(old_text(sprint))
    assert read is not None
    assert (read["id"], read["boardId"]) == (sprint["id"], sprint["rapidViewId"])
    assert (read["name"], read["goal"]) == (sprint["name"], sprint["goal"])
    assert read["state"] == sprint["state"].lower()
    assert [read[k] for k in ("startDate", "endDate", "completeDate")] == [sprint[k] for k in KINDS[4:7]]


@given(sprints)
def test_an_object_and_the_text_are_read_alike(sprint: dict[str, Any]) -> None:
    plain = sprint | {"name": "Sprint 1", "goal": ""}
    as_object = {k: v for k, v in plain.items() if k not in ("sequence", "rapidViewId")} | {
        "boardId": plain["rapidViewId"]
    }
    assert parse_sprint(old_text(plain)) == parse_sprint(as_object)


def one(number: int, state: str, start: str | None) -> dict[str, Any]:
    return {"id": number, "name": f"S{number}", "state": state, "startDate": start}


@pytest.mark.parametrize(
    ("known", "number"),
    [
        ([one(1, "closed", "2026-01"), one(2, "active", "2026-02"), one(3, "future", None)], 2),
        ([one(1, "closed", "2026-01"), one(2, "closed", "2026-03"), one(3, "closed", "2026-02")], 2),
        ([one(1, "closed", "2026-01"), one(4, "future", None), one(3, "future", "2026-09")], 3),
        ([one(1, "active", "2026-01"), one(2, "active", "2026-01")], 2),
    ],
)
def test_the_current_sprint(known: list[dict[str, Any]], number: int) -> None:
    found = current_sprint(known)
    assert found is not None
    assert found["id"] == number
    assert current_sprint([]) is None
