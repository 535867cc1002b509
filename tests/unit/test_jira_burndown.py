"""Burndown and burnup: against a simulator that walks event by event, against worked examples, and with a calendar."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.sprinting.burndown import burndown, burnup
from datalake_kit.jira.sprinting.report import sprint_report
from tests.jira_histories import SPRINTS, START, Event, History, points_value, sprint_value, status_value, to_frame
from tests.jira_sprints_world import (
    PHASES,
    SPRINT_DATES,
    UNTIL,
    frame_of,
    is_subtask,
    random_histories,
    simulate,
    sprint_window,
)

VALUES = [f"{measure}_{unit}" for unit in ("issues", "points") for measure in ("remaining", "scope", "completed")]


@pytest.fixture(scope="module")
def world() -> tuple[list[History], pd.DataFrame, pd.DataFrame]:
    """Random histories as events, as a frame of issues, and their changes."""
    some = random_histories(11)
    frame = frame_of(some)
    return some, frame, changelog(frame)


World = tuple[list[History], pd.DataFrame, pd.DataFrame]


@pytest.mark.parametrize("sprint_id", [101, 102, 103, 104])
def test_every_change_is_what_the_simulator_sees(sprint_id: int, world: World) -> None:
    some, frame, changes = world
    fates = [simulate(h, sprint_id, UNTIL) for h in some if not is_subtask(h.key)]
    found = burndown(frame, sprint_id, changes, until=UNTIL, sprints=SPRINT_DATES)
    window = sprint_window(sprint_id, UNTIL)
    assert window
    log = sorted((at, f.id, *rest) for f in fates if f for at, *rest in f.log)
    assert {entry[2] for entry in log} == {"added", "removed", "completed", "reopened", "re-estimated"}
    told = found[~found["reason"].isin(["start", "end", "now", "planned end"])]
    assert list(zip(told["at"].dt.to_pydatetime(), told["id"], told["reason"], strict=True)) == [
        entry[:3] for entry in log
    ]
    columns = [f"change_{measure}_{unit}" for unit in ("issues", "points") for measure in ("remaining", "scope")]
    assert told[columns].values.tolist() == [list(entry[3:]) for entry in log]
    committed = [f for f in fates if f and f.origin == "committed"]
    assert found["remaining_issues"].iloc[0] == len(committed)
    assert found["remaining_points"].iloc[0] == sum(f.points_at_start or 0 for f in committed)
    assert (found["at"].iloc[0], found["at"].iloc[len(log) + 1]) == window[:2]
    at_end = [f for f in fates if f and f.fate in ("carried over", "open")]
    last = found.iloc[len(log) + 1]
    assert last["remaining_points"] == sum(f.points_at_end or 0 for f in at_end)
    assert last["completed_issues"] == sum(f.fate == "completed" for f in fates if f)


@pytest.mark.parametrize("freq", ["D", "7h", "3D"])
def test_each_step_has_the_values_of_the_last_change_before_it(freq: str, world: World) -> None:
    _, frame, changes = world
    exact = burndown(frame, 101, changes, until=UNTIL, sprints=SPRINT_DATES)
    found = burndown(frame, 101, changes, freq=freq, until=UNTIL, sprints=SPRINT_DATES)
    for row in found.itertuples():
        before = exact[exact["at"] <= row.at].iloc[-1]
        assert [getattr(row, name) for name in VALUES] == before[VALUES].to_list()
    assert found["changes"].sum() == len(exact) - 2
    assert found["at"].is_monotonic_increasing
    assert (found["at"].iloc[0], found["at"].iloc[-1]) == (exact["at"].iloc[0], exact["at"].iloc[-1])
    told = found["reasons"].str.extractall(r"(\d+) (?P<reason>[a-z-]+)")
    assert told[0].astype(int).sum() == found["changes"].sum()
    assert told[0].astype(int).groupby(told["reason"]).sum().to_dict() == (
        exact["reason"].iloc[1:-1].value_counts().to_dict()
    )


def test_the_burndown_ends_where_the_report_does(world: World) -> None:
    _, frame, changes = world
    report = sprint_report(frame, changes, until=UNTIL, sprints=SPRINT_DATES).set_index("sprint_id")
    for sprint_id, row in report.iterrows():
        found = burndown(frame, int(sprint_id), changes, until=UNTIL, sprints=SPRINT_DATES)
        last = found[found["reason"].isin(["end", "now"])].iloc[0]
        assert found["scope_points"].iloc[0] == row["committed_points"]
        assert last["completed_points"] == row["completed_points"]
        assert last["remaining_issues"] == row["carried_over_issues"]


def story(key: str, *acts: tuple[float, str, Any], points: float | None = None, sprint: bool = True) -> History:
    """An issue of the first sprint; acts by days after its start."""
    values = {"status": status_value, "Story Points": points_value}
    ids = [101] if sprint else []
    now = {"status": status_value("Selected"), "Sprint": sprint_value(ids), "Story Points": points_value(points)}
    first, events = dict(now), []
    for entry, (days, name, value) in enumerate(acts):
        after = sprint_value([101] if value else []) if name == "Sprint" else values[name](value)
        events.append(Event(START + timedelta(days=days), name, now[name], after, entry))
        now[name] = after
    return History(key.split("-")[1], key, "Story", START - timedelta(days=9), first, tuple(events))


SCOPE_CREEP = [
    story("A-1", (1, "status", "Done"), points=1),
    story("A-2", (4, "status", "Done"), points=5),
    story("A-3", (1, "status", "Done"), points=2),
    story("A-4", (2, "Sprint", True), (5, "status", "Done"), points=10, sprint=False),
]


def test_a_story_that_is_added_in_the_middle() -> None:
    """Stories of 1, 2 and 5 points; 1 and 2 are done (line at 5); one of 10 comes in (spike to 15); then both.

    Source: https://agileangelblog.wordpress.com/2016/01/19/sprint-scope-creep-and-jira-reporting/ (steps 1 to 6)
    """
    found = burndown(to_frame(SCOPE_CREEP), "Sprint 1", phases=PHASES, until=UNTIL)
    assert found[["reason", "remaining_points"]].values.tolist() == [
        ["start", 8], ["completed", 7], ["completed", 5], ["added", 15], ["completed", 10], ["completed", 0],
        ["end", 0],
    ]  # fmt: skip
    assert found["scope_points"].to_list() == [8, 8, 8, 18, 18, 18, 18]
    assert found["remaining_issues"].to_list() == [3, 2, 1, 2, 1, 0, 0]


def test_any_scope_change_is_one() -> None:
    """Added, removed and re-estimated after the start are scope changes; what is completed burns down.

    Source: https://jira.atlassian.com/browse/JSWSERVER-4768
    """
    some = [
        story("A-1", (1, "Story Points", 3), (2, "status", "Done"), (3, "status", "Backlog"), points=5),
        story("A-2", (4, "Sprint", False), points=2),
        story("A-3", (-1, "status", "Done"), (5, "status", "Backlog"), points=8),
        story("A-4", (6, "Sprint", True)),
    ]
    found = burndown(to_frame(some), 101, phases=PHASES, until=UNTIL)
    columns = ["reason", "change_remaining_points", "change_scope_points", "change_scope_issues", "scope_points"]
    assert found[columns].values.tolist() == [
        ["start", 0, 0, 0, 7], ["re-estimated", -2, -2, 0, 5], ["completed", -3, 0, 0, 5], ["reopened", 3, 0, 0, 5],
        ["removed", -2, -2, -1, 3], ["reopened", 8, 8, 1, 11], ["end", 0, 0, 0, 11],
    ]  # fmt: skip


def test_the_burnup_is_the_same_from_below() -> None:
    frame = to_frame(SCOPE_CREEP)
    down, up = burndown(frame, 101, phases=PHASES, until=UNTIL), burnup(frame, 101, phases=PHASES, until=UNTIL)
    assert (up["scope_points"] - up["completed_points"]).to_list() == down["remaining_points"].to_list()
    assert (up["ideal_points"] + down["ideal_points"]).eq(8).all()
    assert up["change_completed_points"].to_list() == [0, 1, 2, 0, 5, 10, 0]
    assert "remaining_points" not in up
    assert list(burnup(frame, 101, freq="D", phases=PHASES, until=UNTIL)["completed_points"])[-1] == 18


def test_the_ideal_falls_to_nothing_at_the_planned_end() -> None:
    found = burndown(to_frame(SCOPE_CREEP), 101, freq="D", phases=PHASES, until=UNTIL).set_index("at")
    start, end = SPRINTS[0]["startDate"], SPRINTS[0]["endDate"]
    passed = np.clip((found.index - pd.Timestamp(start)) / (end - start), 0, 1)
    assert np.allclose(found["ideal_points"], 8 * (1 - passed))
    assert found["ideal_points"].iloc[-1] == 0  # completed an hour after its planned end


def test_the_ideal_falls_in_working_time_alone() -> None:
    calendar = WorkingCalendar(hours=(("08:00", "16:00"),), zone="Europe/Vienna", holidays=("2026-01-06",))
    found = burndown(to_frame(SCOPE_CREEP), 101, freq="D", calendar=calendar, phases=PHASES, until=UNTIL).set_index(
        "at"
    )
    ideal = found["ideal_issues"]
    assert ideal.iloc[0] == 3
    local = ideal.copy()
    local.index = local.index.tz_convert("Europe/Vienna")
    assert (local.index[1:-2].strftime("%H:%M") == "00:00").all()
    by_day = {f"{at:%m-%d}": value for at, value in local.iloc[1:-2].items()}
    assert by_day["01-06"] == by_day["01-07"]  # the holiday
    assert by_day["01-10"] == by_day["01-11"] == by_day["01-12"]  # the weekend
    assert by_day["01-09"] > by_day["01-10"]
    hours = 9 * 8 - 1 + 1  # from nine on the first Monday, local time, to nine on the third, without the holiday
    assert by_day["01-08"] == pytest.approx(3 * (1 - (7 + 8) / hours))


def test_a_sprint_that_goes_on() -> None:
    now = START + timedelta(days=3)
    found = burndown(to_frame(SCOPE_CREEP, now), 101, phases=PHASES, until=now, sprints=SPRINT_DATES)
    assert found["reason"].to_list()[-2:] == ["now", "planned end"]
    assert found["remaining_points"].iloc[-2] == 15
    assert found[["remaining_points", "scope_issues", "completed_points"]].iloc[-1].isna().all()
    assert found["ideal_points"].iloc[-1] == 0
    steps = burndown(to_frame(SCOPE_CREEP, now), 101, freq="D", phases=PHASES, until=now, sprints=SPRINT_DATES)
    later = steps["at"] > pd.Timestamp(now)
    assert steps.loc[later, "remaining_points"].isna().all()
    assert later.sum() == 12  # eleven midnights and the planned end
    assert steps["ideal_points"].is_monotonic_decreasing


def test_without_a_planned_end_there_is_no_ideal() -> None:
    frame = to_frame(SCOPE_CREEP)
    dates = SPRINT_DATES.assign(end=pd.NaT)
    texts = [json.loads(t) if isinstance(t, str) else [] for t in frame["sprint_json"]]
    frame["sprint_json"] = [json.dumps([{**s, "endDate": None} for s in t]) for t in texts]
    found = burndown(frame, 101, phases=PHASES, until=UNTIL, sprints=dates)
    assert found["ideal_points"].isna().all()
    assert found["remaining_points"].iloc[-1] == 0
    never = WorkingCalendar(weekdays=(0,), holidays=("2026-01-05", "2026-01-12", "2026-01-19"))
    assert burndown(to_frame(SCOPE_CREEP), 101, calendar=never, phases=PHASES, until=UNTIL)["ideal_points"].isna().all()


def test_a_change_whose_interval_leaves_the_sprint_is_uncertain() -> None:
    frame = to_frame([story("A-1", (1, "status", "Done"), points=3), story("A-2", (2, "status", "Done"), points=3)])
    changes = changelog(frame)
    early = [pd.Timestamp(START - timedelta(days=1)), changes["changed_at"][1]]
    changes["not_before"] = pd.Series(early).astype("datetime64[us, UTC]")
    found = burndown(frame, 101, changes, phases=PHASES, until=UNTIL)
    assert found.set_index("id")["uncertain"].dropna().to_dict().get("1") is True
    assert found["uncertain"].sum() == 1


def test_what_cannot_be_asked() -> None:
    frame = to_frame(SCOPE_CREEP)
    for freq in ("week", "-1D", 5, ""):
        with pytest.raises(ParameterError, match=f"freq={freq!r}"):
            burndown(frame, 101, freq=freq, phases=PHASES, until=UNTIL)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="calendar="):
        burndown(frame, 101, calendar="UTC", phases=PHASES, until=UNTIL)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="No issue was ever in a sprint 9"):
        burndown(frame, 9, phases=PHASES, until=UNTIL)
    found = burndown(frame.drop(columns="story_points"), 101, phases=PHASES, until=UNTIL)
    assert found[[c for c in found if c.endswith("_points")]].isna().all(axis=None)
    assert found["remaining_issues"].iloc[0] == 3
