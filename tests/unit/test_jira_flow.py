"""Cycle and lead time, time in status, flow efficiency, blocked time: by hand, and against a walk over the events."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.flow.aging import aging_work
from datalake_kit.jira.flow.blocked import blocked_time
from datalake_kit.jira.flow.cumulative import cumulative_flow
from datalake_kit.jira.flow.cycle_times import cycle_percentiles, cycle_times, lead_times
from datalake_kit.jira.flow.status_time import flow_efficiency, time_in_status
from datalake_kit.jira.flow.throughput import throughput
from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.history.intervals import status_intervals
from tests.jira_histories import SPAN, START, History, histories, landing_times, random_histories, to_frame, to_versions
from tests.jira_simulator import (
    Clock,
    flag,
    history,
    moment,
    seen_one_by_one,
    walk_blocks,
    walk_clock,
    walk_statuses,
    working_minutes,
)

DAY = 86_400.0
NOW = moment("2024-01-31 12:00")
OFFICE = WorkingCalendar()  # 09:00 to 17:00 on weekdays, UTC
LATER = START + SPAN + timedelta(days=1)

PHASES = {"Backlog": "To Do", "Selected": "To Do", "In Progress": "In Progress", "In Review": "In Progress",
          "Blocked": "In Progress", "Done": "Done", "Rejected": "Done"}  # fmt: skip
ACTIVE = "In Review"
IN_PROGRESS = "3"  # the status of this id: the name is that of a phase too

# Monday 1 January 2024 is a working day in this office
STRAIGHT = history(
    "A-1", ("2024-01-01 09:00", "Backlog"), ("2024-01-03 09:00", "In Progress"), ("2024-01-05 15:00", "Done"),
)  # fmt: skip
REOPENED = history(
    "A-2", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-04", "Done"),
    ("2024-01-08", "In Progress"), ("2024-01-09", "Done"), ("2024-01-10", "Rejected"),
)  # fmt: skip
OPEN_AGAIN = history(
    "A-3", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-04", "Done"), ("2024-01-08", "Backlog"),
)  # fmt: skip
SKIPPED = history("A-4", ("2024-01-01", "Backlog"), ("2024-01-02", "Done"))
WAITING = history("A-5", ("2024-01-01", "Backlog"), ("2024-01-02", "Selected"))
SENT_BACK = history("A-6", ("2024-01-01", "Backlog"), ("2024-01-02", "In Review"), ("2024-01-04", "Selected"))
AT_ONCE = history("A-7", ("2024-01-01", "In Progress"), ("2024-01-02", "Done"))
BORN_DONE = history("A-8", ("2024-01-01", "Done"))
ALL = [STRAIGHT, REOPENED, OPEN_AGAIN, SKIPPED, WAITING, SENT_BACK, AT_ONCE, BORN_DONE]


def measured(found: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by key, instants as datetimes, what is missing as None."""
    plain = found.astype(object).where(found.notna(), None)
    return {row["key"]: row for row in plain.to_dict("records")}


def issues(*some: History, until: datetime = NOW) -> pd.DataFrame:
    return to_frame(some, until)


@lru_cache
def _known(some: str, until: datetime) -> pd.DataFrame:
    return status_intervals(to_frame(_SEEN[some], until), phases=PHASES, until=until)


_SEEN: dict[str, tuple[History, ...]] = {}


def known(*some: History, until: datetime = NOW) -> pd.DataFrame:
    """Status intervals of issues, as they were at an instant; made once for all tests."""
    _SEEN[repr(some)] = some
    return _known(repr(some), until)


# --- cycle time by hand -----------------------------------------------------------------------------------------------


def test_cycle_time_of_each_case_by_hand() -> None:
    found = measured(cycle_times(known(*ALL)))
    assert {key: (row["outcome"], row["days"], row["reopened"]) for key, row in found.items()} == {
        "A-1": ("finished", 2.25, 0),  # Wednesday 09:00 to Friday 15:00
        "A-2": ("finished", 7.0, 1),  # 2 to 9 January, the days in Done among them; Rejected is done as well
        "A-3": ("in progress", None, 1),  # done once, open again
        "A-4": ("skipped start", None, 0),
        "A-5": ("not started", None, 0),
        "A-6": ("in progress", None, 0),  # in To Do again, but it was started
        "A-7": ("finished", 1.0, 0),  # created in progress
        "A-8": ("skipped start", None, 0),
    }
    assert found["A-2"]["started_at"] == moment("2024-01-02")
    assert found["A-2"]["finished_at"] == moment("2024-01-09")
    assert found["A-3"]["finished_at"] is None
    assert found["A-4"]["finished_at"] == moment("2024-01-02")
    assert (found["A-6"]["status"], found["A-6"]["phase"]) == ("Selected", "To Do")
    assert all(row["exact"] for row in found.values())


def test_cycle_time_in_working_hours_by_hand() -> None:
    found = measured(cycle_times(known(*ALL), calendar=OFFICE))
    assert found["A-1"]["seconds"] == (8 + 8 + 6) * 3600  # Wednesday, Thursday, Friday until 15:00
    assert found["A-1"]["days"] == 22 / 8
    assert found["A-2"]["days"] == 5  # 2 to 5, and 8 January


def test_statuses_instead_of_phases() -> None:
    found = measured(cycle_times(known(*ALL), start=["Selected", "In Review"], done="Done"))
    assert found["A-5"]["outcome"] == "in progress"
    assert found["A-2"]["outcome"] == "skipped start"
    only = measured(cycle_times(known(*ALL), start=IN_PROGRESS, done=["Rejected"]))
    assert (only["A-2"]["days"], only["A-2"]["reopened"]) == (8.0, 0)
    assert only["A-1"]["outcome"] == "in progress"  # Done is no finish here
    assert only["A-6"]["outcome"] == "not started"  # In Review is no start here


def test_until_cuts_the_history() -> None:
    early = moment("2024-01-05")
    found = measured(cycle_times(known(*ALL, until=early)))
    assert (found["A-2"]["outcome"], found["A-2"]["days"]) == ("finished", 2.0)
    assert (found["A-3"]["outcome"], found["A-3"]["days"]) == ("finished", 2.0)
    assert found["A-1"]["outcome"] == "in progress"


def test_lead_time_by_hand() -> None:
    found = measured(lead_times(known(*ALL)))
    assert {key: (row["outcome"], row["days"]) for key, row in found.items()} == {
        "A-1": ("finished", 4.25), "A-2": ("finished", 8.0), "A-3": ("open", None), "A-4": ("finished", 1.0),
        "A-5": ("open", None), "A-6": ("open", None), "A-7": ("finished", 1.0), "A-8": ("finished", 0.0),
    }  # fmt: skip
    assert all(row["started_at"] == row["created"] for row in found.values())


def test_percentiles_of_cycle_times_by_hand() -> None:
    """Ten issues of 1 to 10 days, and one that is open: 85 % is the ninth, for eight are 80 % only."""
    days = pd.DataFrame({"days": [float(n) for n in range(1, 11)] + [np.nan]})
    found = cycle_percentiles(days, [50, 85, 90, 100])
    assert found["days"].to_list() == [5, 9, 9, 10]
    assert found["issues"].to_list() == [10] * 4
    none = cycle_percentiles(days.iloc[10:])
    assert none["days"].isna().all()
    assert none["issues"].to_list() == [0] * 4
    with pytest.raises(ColumnNotFoundError, match="'days'"):
        cycle_percentiles(pd.DataFrame({"seconds": [1.0]}))


# --- time in status, efficiency, blocks by hand ---------------------------------------------------------------------


def test_time_in_status_by_hand() -> None:
    found = time_in_status(known(REOPENED, until=moment("2024-01-12")))
    assert found["status"].to_list() == ["Backlog", "In Progress", "Done", "Rejected"]
    assert found["visits"].to_list() == [1, 2, 2, 1]
    assert found["days"].to_list() == [1, 3, 5, 2]
    assert found["first_entered"].dt.day.to_list() == [1, 2, 4, 10]
    assert found["last_left"].dt.day.to_list()[:3] == [2, 9, 10]
    assert found["is_current"].to_list() == [False, False, False, True]
    assert found["last_left"].isna().to_list() == [False, False, False, True]


def test_a_status_that_was_left_at_the_very_end_is_not_current() -> None:
    found = time_in_status(known(history("A-1", ("2024-01-01", "Backlog"), ("2024-01-31 12:00", "Done"))))
    assert found["is_current"].to_list() == [False, True]
    assert found["last_left"].to_list()[0] == NOW


def test_time_in_phase_joins_the_statuses_of_a_phase() -> None:
    found = time_in_status(known(REOPENED, until=moment("2024-01-12")), by="phase")
    assert found["phase"].to_list() == ["To Do", "In Progress", "Done"]
    assert found["visits"].to_list() == [1, 2, 2]  # Done, then Rejected: one stay
    assert found["days"].to_list() == [1, 3, 7]
    with pytest.raises(ParameterError, match="by='month'"):
        time_in_status(known(REOPENED), by="month")  # type: ignore[arg-type]


def test_a_status_that_is_entered_again_is_current_once() -> None:
    again = history("A-1", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-04", "Backlog"))
    found = time_in_status(known(again, until=moment("2024-01-05")))
    assert found[["status", "visits", "days", "is_current"]].values.tolist() == [
        ["Backlog", 2, 2.0, True], ["In Progress", 1, 2.0, False],
    ]  # fmt: skip


EFFICIENT = history(
    "A-1", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-03", "In Review"),
    ("2024-01-07", "In Progress"), ("2024-01-08", "In Review"), ("2024-01-12", "Done"),
)  # fmt: skip


def test_flow_efficiency_by_hand() -> None:
    """Two days of work in ten from start to finish: 20 %; of the eleven from the creation: 18.2 %."""
    found = measured(flow_efficiency(known(EFFICIENT), active=IN_PROGRESS))["A-1"]
    assert (found["active_seconds"], found["waiting_seconds"], found["seconds"]) == (2 * DAY, 8 * DAY, 10 * DAY)
    assert found["efficiency"] == found["efficiency_low"] == found["efficiency_high"] == 0.2
    lead = measured(flow_efficiency(known(EFFICIENT), active=IN_PROGRESS, over="lead"))["A-1"]
    assert lead["efficiency"] == pytest.approx(2 / 11)
    with pytest.raises(ParameterError, match="over='all'"):
        flow_efficiency(known(EFFICIENT), active=IN_PROGRESS, over="all")  # type: ignore[arg-type]


def test_efficiency_of_each_case() -> None:
    found = measured(flow_efficiency(known(*ALL), active="In Progress"))  # the phase
    assert found["A-1"]["efficiency"] == 1
    assert found["A-2"]["efficiency"] == pytest.approx(3 / 7)  # four days in Done, then reopened
    assert {key for key, row in found.items() if row["efficiency"] is None} == {"A-3", "A-4", "A-5", "A-6", "A-8"}
    assert found["A-3"]["active_seconds"] is None
    instant = history("A-1", ("2024-01-01", "In Progress"), ("2024-01-01", "Done"))
    row = measured(flow_efficiency(known(instant), active="In Progress"))["A-1"]
    assert (row["outcome"], row["seconds"], row["efficiency"]) == ("finished", 0.0, None)


STOPPED = history(
    "A-1", ("2024-01-01", "In Progress"), ("2024-01-03", "Blocked"), ("2024-01-05", "In Progress"),
    ("2024-01-11", "Done"),
    more=[flag("2024-01-04", True), flag("2024-01-07", False), flag("2024-01-10", True), flag("2024-01-15", False)],
)  # fmt: skip


def test_blocked_time_by_hand() -> None:
    """Blocked from 3 to 7 January (status, then flag, both on the 4th), and from 10 to 11, when it is done."""
    both = measured(blocked_time(issues(STOPPED), blocked=["Blocked"], phases=PHASES, until=NOW))["A-1"]
    assert (both["blocked_days"], both["times_blocked"], both["is_blocked"]) == (5.0, 2, False)
    assert both["open_seconds"] == 10 * DAY
    assert both["share"] == 0.5
    assert both["blocked_since"] is None
    status = measured(blocked_time(issues(STOPPED), blocked=["Blocked"], flagged=None, phases=PHASES, until=NOW))["A-1"]
    assert (status["blocked_days"], status["times_blocked"]) == (2.0, 1)
    flags = measured(blocked_time(issues(STOPPED), phases=PHASES, until=NOW))["A-1"]
    assert (flags["blocked_days"], flags["times_blocked"]) == (4.0, 2)


def test_a_block_that_goes_on() -> None:
    until = moment("2024-01-06")
    row = measured(blocked_time(issues(STOPPED, until=until), blocked=["Blocked"], phases=PHASES, until=until))["A-1"]
    assert (row["is_blocked"], row["blocked_since"]) == (True, moment("2024-01-03"))
    assert (row["blocked_days"], row["share"]) == (3.0, 0.6)


def test_blocks_that_last_no_time_are_none_and_blocks_that_touch_are_one() -> None:
    passing = history("A-1", ("2024-01-01", "In Progress"), ("2024-01-02", "Blocked"), ("2024-01-02", "In Progress"))
    touching = history(
        "A-2", ("2024-01-01", "In Progress"), ("2024-01-03", "Blocked"), ("2024-01-04", "In Progress"),
        more=[flag("2024-01-02", True), flag("2024-01-03", False), flag("2024-01-04", True), flag("2024-01-05", False)],
    )  # fmt: skip
    now = history("A-3", ("2024-01-01", "In Progress"), ("2024-01-31 12:00", "Blocked"))  # at the end of what is known
    frame = issues(passing, touching, now)
    found = measured(blocked_time(frame, blocked=["Blocked"], phases=PHASES, until=NOW))
    assert [(row["times_blocked"], row["blocked_days"], row["is_blocked"]) for row in found.values()] == [
        (0, 0.0, False), (1, 3.0, False), (1, 0.0, True),
    ]  # fmt: skip


def test_what_happened_after_until_is_not_known() -> None:
    until = moment("2024-01-06")
    for measure, some in ((blocked_time, STOPPED), (cycle_times, REOPENED), (lead_times, REOPENED)):
        cut, whole = (measure(frame, phases=PHASES, until=until) for frame in (issues(some, until=until), issues(some)))
        columns = [name for name in cut.columns if name not in ("problem", "key")]
        pd.testing.assert_frame_equal(cut[columns], whole[columns])


def test_a_flag_without_a_change_has_been_there_since_the_creation() -> None:
    first = {"status": ("3", "In Progress"), "Flagged": ("1", "Impediment")}
    born = History("1", "B-1", "Bug", moment("2024-01-01"), first, ())
    found = measured(blocked_time(issues(born, STOPPED), phases=PHASES, until=moment("2024-01-05")))
    assert (found["B-1"]["blocked_days"], found["B-1"]["blocked_since"]) == (4.0, moment("2024-01-01"))


def test_a_flag_that_is_taken_away_first_was_there_since_the_creation() -> None:
    freed = history("A-1", ("2024-01-01", "In Progress"), more=[flag("2024-01-03", False)])
    assert measured(blocked_time(issues(freed), phases=PHASES, until=NOW))["A-1"]["blocked_days"] == 2.0


def test_what_blocks_must_be_said_and_known() -> None:
    frame = issues(STRAIGHT, SKIPPED)
    with pytest.raises(ParameterError, match="Nothing says what is blocked"):
        blocked_time(frame, flagged=None, phases=PHASES, until=NOW)
    with pytest.raises(DataError, match="No change and no column of a field 'Flagged'"):
        blocked_time(frame.drop(columns="flagged"), phases=PHASES, until=NOW)
    assert blocked_time(frame, phases=PHASES, until=NOW)["blocked_days"].to_list() == [
        0.0,
        0.0,
    ]  # the column is there, and empty
    intervals = status_intervals(frame, phases=PHASES, until=NOW)
    with pytest.raises(DataError, match="Status intervals say nothing of flags"):
        blocked_time(intervals)
    assert blocked_time(intervals, blocked="In Progress", flagged=None)["times_blocked"].to_list() == [1, 0]
    stopped = issues(STOPPED)
    given_too = blocked_time(status_intervals(stopped, phases=PHASES, until=NOW), changes=changelog(stopped))
    assert given_too["blocked_days"].to_list() == [4.0]


# --- against the walk over events -------------------------------------------------------------------------------------


def seconds(lasted: timedelta) -> float:
    return lasted.total_seconds()


def same(found: Any, expected: Any) -> bool:
    if expected is None or found is None:
        return found is expected
    return bool(found == expected)


def check_clock(row: dict[str, Any], clock: Clock) -> None:
    assert row["outcome"] == clock.outcome
    assert same(row["started_at"], clock.started)
    assert same(row["finished_at"], clock.finished)
    assert row["reopened"] == clock.reopened
    whole = clock.started is not None and clock.finished is not None
    assert same(row["seconds"], seconds(clock.finished - clock.started) if whole else None)  # type: ignore[operator]
    assert row["seconds_low"] == row["seconds_high"] == row["seconds"]


@settings(deadline=None, max_examples=8)
@given(histories(fields=["status"], smallest=5, most_issues=30), st.integers(0, 70 * 24))
def test_cycle_and_lead_times_are_those_of_the_walk(some: list[History], hours: int) -> None:
    until = START + timedelta(hours=hours)
    there = [h for h in some if h.created <= until]
    cycles, leads = (measured(f(known(*some, until=until))) for f in (cycle_times, lead_times))
    assert set(cycles) == {h.key for h in there}
    for issue in there:
        clock = walk_clock(issue, until)
        check_clock(cycles[issue.key], clock)
        lead = leads[issue.key]
        assert same(lead["seconds"], seconds(clock.finished - issue.created) if clock.finished else None)
        assert lead["outcome"] == ("finished" if clock.finished else "open")


@settings(deadline=None, max_examples=8)
@given(histories(fields=["status"], smallest=5, most_issues=30))
def test_time_in_status_is_that_of_the_walk_and_adds_up_to_the_age(some: list[History]) -> None:
    found = time_in_status(known(*some, until=LATER))
    for issue in some:
        rows = found[found["key"] == issue.key]
        walked = walk_statuses(issue, LATER)
        assert rows["status"].to_list() == list(walked)
        assert rows["visits"].to_list() == [v.count for v in walked.values()]
        assert rows["seconds"].to_list() == [seconds(v.lasted) for v in walked.values()]
        assert rows["first_entered"].to_list() == [v.first for v in walked.values()]
        assert rows["is_current"].to_list() == [v.left is None for v in walked.values()]
        assert [
            same(None if pd.isna(a) else a, v.left) for a, v in zip(rows["last_left"], walked.values(), strict=True)
        ]
        assert rows["seconds"].sum() == seconds(LATER - issue.created)
    phases = time_in_status(known(*some, until=LATER), by="phase")
    assert phases.groupby("key")["seconds"].sum().to_dict() == found.groupby("key")["seconds"].sum().to_dict()


@settings(deadline=None, max_examples=8)
@given(
    histories(fields=["status", "Flagged"], smallest=5, most_issues=30),
    st.sampled_from([[], ["Blocked"], ["Blocked", "In Review"]]),
    st.booleans(),
)
def test_blocked_time_is_that_of_the_walk(some: list[History], statuses: list[str], flags: bool) -> None:
    if not statuses and not flags:
        return
    frame = to_frame(some)
    known = {name for issue in some for _, name in issue.moves()}
    asked = [name for name in statuses if name in known] or None
    if asked is None and not flags:
        return
    found = measured(
        blocked_time(frame, blocked=asked, flagged="Flagged" if flags else None, until=LATER, phases=PHASES)
    )
    for issue in some:
        row, walked = found[issue.key], walk_blocks(issue, LATER, asked or [], flags=flags)
        assert row["blocked_seconds"] == seconds(walked.blocked)
        assert row["times_blocked"] == len(walked.spans)
        assert row["is_blocked"] == walked.now
        assert same(row["blocked_since"], walked.spans[-1][0] if walked.now else None)
        assert row["open_seconds"] == seconds(walked.open)
        assert row["blocked_seconds_low"] == row["blocked_seconds_high"] == row["blocked_seconds"]


@settings(deadline=None, max_examples=8)
@given(histories(fields=["status"], smallest=5, most_issues=30))
def test_flow_efficiency_is_that_of_the_walk(some: list[History]) -> None:
    if not any(status == ACTIVE for issue in some for _, status in issue.moves()):
        return  # a status that no issue was in is refused
    found = measured(flow_efficiency(known(*some, until=LATER), active=ACTIVE))
    for issue in some:
        clock, row = walk_clock(issue, LATER), found[issue.key]
        if clock.outcome != "finished":
            assert row["efficiency"] is None
            continue
        assert clock.started is not None
        assert clock.finished is not None
        active = timedelta()
        for (at, status), (left, _) in pairwise([*issue.moves(), (LATER, "")]):
            if clock.started <= at < clock.finished and status == ACTIVE:
                active += left - at
        whole = clock.finished - clock.started
        assert row["active_seconds"] == seconds(active)
        assert row["waiting_seconds"] == seconds(whole - active)
        assert same(row["efficiency"], active / whole if whole else None)


def test_working_time_is_that_of_counting_minutes() -> None:
    zone = "America/New_York"  # the clocks there change on 8 March 2026, a Sunday within the histories
    calendar = WorkingCalendar(hours=(("08:00", "16:00"),), zone=zone)
    some = random_histories(random.Random(5), 12, fields=["status"])
    found = measured(cycle_times(to_frame(some), calendar=calendar, until=LATER, phases=PHASES))
    checked = 0
    for issue in some:
        clock = walk_clock(issue, LATER)
        if clock.started and clock.finished:
            minutes = working_minutes(clock.started, clock.finished, (8, 16), zone)
            assert found[issue.key]["seconds"] == minutes * 60
            assert found[issue.key]["days"] == minutes / (8 * 60)
            checked += minutes > 0
    assert checked >= 3


# --- histories from versions ------------------------------------------------------------------------------------------


def test_bounds_by_hand() -> None:
    """Started between the 1st and the 3rd, done between the 4th and the 6th: one day at least, five at most."""
    intervals = known(
        history("A-1", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-05", "Done"))
    ).copy()
    for side, begun, ended in (("not_before", "2024-01-01", "2024-01-04"), ("not_after", "2024-01-03", "2024-01-06")):
        intervals.loc[[0, 1], f"end_{side}"] = [pd.Timestamp(at, tz="UTC") for at in (begun, ended)]
        intervals.loc[[1, 2], f"start_{side}"] = [pd.Timestamp(at, tz="UTC") for at in (begun, ended)]
    row = measured(cycle_times(intervals))["A-1"]
    assert (row["days_low"], row["days"], row["days_high"], row["exact"]) == (1, 3, 5, False)
    spent = time_in_status(intervals).set_index("status")[["days_low", "days", "days_high"]]
    assert spent.loc["In Progress"].to_list() == [1, 3, 5]
    assert spent.loc["Backlog"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("measure", [cycle_times, lead_times])
def test_what_versions_tell_holds_the_truth_within_its_bounds(measure: Any) -> None:
    some = random_histories(random.Random(3), 400, most=7, fields=["status", "assignee"])
    times = landing_times(some, timedelta(hours=12))
    frame = to_versions(some, times)
    until = times[-1]
    found, truth = (measured(measure(f, until=until, phases=PHASES)) for f in (frame, to_frame(some, until)))
    wide = 0
    for issue in some:
        row, true = found[issue.key], truth[issue.key]
        if not seen_one_by_one(issue, times):
            continue
        assert row["outcome"] == true["outcome"]
        assert row["reopened"] == true["reopened"]
        if true["seconds"] is not None:
            assert row["seconds_low"] <= true["seconds"] <= row["seconds_high"]
            assert row["seconds_low"] <= row["seconds"] <= row["seconds_high"]
            wide += row["seconds_low"] < row["seconds_high"]
            assert row["exact"] == (row["seconds_low"] == row["seconds_high"])
    assert wide > 20


def test_time_in_status_and_efficiency_from_versions_hold_the_truth() -> None:
    some = random_histories(random.Random(4), 300, most=7, fields=["status", "assignee"])
    times = landing_times(some, timedelta(hours=12))
    frame, until = to_versions(some, times), times[-1]
    known = {h.key for h in some if seen_one_by_one(h, times)}
    truth = time_in_status(to_frame(some, until), until=until).set_index(["key", "status"])
    found = time_in_status(frame, until=until).set_index(["key", "status"])
    rows = truth[truth.index.get_level_values("key").isin(known)]
    assert len(rows) > 300
    guess = found.loc[rows.index]
    assert (guess["seconds_low"] <= rows["seconds"]).all()
    assert (rows["seconds"] <= guess["seconds_high"]).all()
    assert (guess["seconds_low"] < guess["seconds_high"]).any()
    asked = {"active": ACTIVE, "until": until, "phases": PHASES}
    true, said = (flow_efficiency(f, **asked).set_index("key").loc[list(known)] for f in (to_frame(some, until), frame))
    both = true["efficiency"].notna() & said["efficiency"].notna()
    assert both.sum() > 20
    assert (said["efficiency_low"] <= true["efficiency"])[both].all()
    assert (true["efficiency"] <= said["efficiency_high"])[both].all()


def test_blocked_time_from_versions_that_miss_nothing_is_that_of_the_walk() -> None:
    some = random_histories(random.Random(6), 40, most=6, fields=["status", "Flagged"])
    times = sorted({at for issue in some for at in (issue.created, *(event.at for event in issue.events))})
    frame = to_versions(some, times)
    found = measured(blocked_time(frame, blocked=["Blocked"], until=LATER, phases=PHASES))
    compared = 0
    for issue in some:
        instants = [issue.created, *(event.at for event in issue.events if event.field in ("status", "Flagged"))]
        if len(set(instants)) < len(instants):
            continue  # two acts of one instant land as one version
        row, walked = found[issue.key], walk_blocks(issue, LATER, ["Blocked"])
        assert row["blocked_seconds"] == seconds(walked.blocked)
        assert row["is_blocked"] == walked.now
        assert row["blocked_seconds_low"] <= row["blocked_seconds"] <= row["blocked_seconds_high"]
        compared += bool(walked.blocked)
    assert compared > 5


def test_bounds_stand_on_both_sides_of_what_is_said() -> None:
    """Many changes in one version: a block may begin and end within the same bounds."""
    some = random_histories(random.Random(7), 120, fields=["status", "Flagged"])
    frame = to_versions(some, landing_times(some, timedelta(days=10)))
    asked: dict[str, Any] = {"until": LATER, "phases": PHASES}
    blocks = blocked_time(frame, blocked=["Blocked"], **asked)
    for found, name in (
        (blocks, "blocked_seconds"),
        (blocks, "open_seconds"),
        (cycle_times(frame, **asked), "seconds"),
    ):
        some_known = found[found[name].notna()]
        assert (some_known[f"{name}_low"] >= 0).all()
        assert (some_known[f"{name}_low"] <= some_known[name]).all()
        assert (some_known[name] <= some_known[f"{name}_high"]).all()
        assert (some_known[f"{name}_low"] < some_known[f"{name}_high"]).any()


def test_time_before_the_first_version_is_in_no_status() -> None:
    late = history("A-1", ("2024-01-01", "Backlog"), ("2024-01-03", "In Progress"), ("2024-01-10", "Done"))
    frame = to_versions([late], [moment("2024-01-05"), moment("2024-01-12")])
    rows = time_in_status(frame, until=NOW, phases=PHASES)
    assert rows["status"].isna().to_list() == [True, False, False]
    assert rows["days"].sum() == pytest.approx(seconds(NOW - late.created) / DAY)
    told, untold = (
        measured(cycle_times(f, until=NOW, phases=PHASES))["A-1"]
        for f in (frame, frame.drop(columns="status_category_changed"))
    )
    assert told["days_high"] == 7  # the instant at which the category changed says since when it was in progress
    assert untold["days_high"] == 9  # it may have started as early as it was created
    assert untold["days_low"] == 0
    assert not untold["exact"]
    assert measured(lead_times(frame, until=NOW, phases=PHASES))["A-1"]["days_high"] == 9


def test_the_problem_of_a_history_stays_with_its_measures() -> None:
    frame = issues(STRAIGHT, SKIPPED)
    frame["status"] = frame["status"].where(frame["key"] != "A-4", "Rejected")
    frame["status_id"] = frame["status_id"].where(frame["key"] != "A-4", "10005")
    found = cycle_times(frame, phases=PHASES, until=NOW).set_index("key")["problem"]
    assert "Rejected" in found["A-4"]
    assert pd.isna(found["A-1"])


# --- forms of input and refusals --------------------------------------------------------------------------------------


def measures(frame: pd.DataFrame, **more: Any) -> list[pd.DataFrame]:
    return [
        cycle_times(frame, **more), lead_times(frame, **more), time_in_status(frame, **more),
        flow_efficiency(frame, active=IN_PROGRESS, **more),
        blocked_time(frame, blocked=IN_PROGRESS, flagged=None, **more),
    ]  # fmt: skip


def test_issues_and_their_intervals_give_the_same() -> None:
    frame, intervals = issues(*ALL), known(*ALL)
    for one, other in zip(measures(frame, phases=PHASES, until=NOW), measures(intervals), strict=True):
        pd.testing.assert_frame_equal(one, other)
    shuffled = intervals.sample(frac=1, random_state=1)
    for one, other in zip(measures(intervals), measures(shuffled), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_input_stays_as_it_was() -> None:
    frame, intervals = issues(*ALL), known(*ALL)
    before = frame.copy(deep=True), intervals.copy(deep=True)
    measures(frame, phases=PHASES, until=NOW)
    measures(intervals)
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_frame_equal(intervals, before[1])


def test_intervals_with_a_gap_are_refused() -> None:
    intervals = known(*ALL)
    without_last = intervals[~intervals["open"]]  # each still begins at position 0
    for broken in (intervals.drop(index=1), intervals.iloc[1:], pd.concat([intervals, intervals]), without_last):
        with pytest.raises(DataError, match="not whole"):
            cycle_times(broken)


def test_intervals_in_working_time_ask_for_their_calendar() -> None:
    frame = issues(*ALL)
    counted = status_intervals(frame, calendar=OFFICE, phases=PHASES, until=NOW)
    with pytest.raises(DataError, match="Give the same calendar="):
        cycle_times(counted)
    pd.testing.assert_frame_equal(
        cycle_times(counted, calendar=OFFICE), cycle_times(frame, calendar=OFFICE, phases=PHASES, until=NOW)
    )


def test_a_status_in_start_and_done_is_refused() -> None:
    with pytest.raises(ParameterError, match="'In Review' is in start"):
        cycle_times(known(*ALL), start=["In Review"], done=["Done", "In Review"])


def test_statuses_without_a_phase_are_named_with_a_mapping() -> None:
    frame = issues(*ALL)
    known = {name: phase for name, phase in PHASES.items() if name not in ("Selected", "Rejected")}
    asked = {"phases": known, "until": NOW}
    for measure in (cycle_times, lead_times):
        with pytest.raises(DataError) as caught:
            measure(frame, **asked)
        assert "Selected" in str(caught.value)
        assert "Rejected" in str(caught.value)
        assert "phases=" in str(caught.value)
    with pytest.raises(DataError, match="Selected"):
        time_in_status(frame, by="phase", **asked)
    assert len(time_in_status(frame, **asked))  # needs no phase
    assert len(cycle_times(frame, start=[IN_PROGRESS], done=["10004"], **asked))


def test_a_misspelt_status_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"'In Reviw' is no phase and no status.*In Review"):
        cycle_times(known(*ALL), start=["In Reviw"])


def test_no_issues_give_no_rows_of_the_same_columns() -> None:
    full = known(*ALL)
    for some, none in zip(measures(full), measures(full.iloc[:0]), strict=True):
        assert not len(none)
        assert list(none.columns) == list(some.columns)
        assert none.dtypes.astype(str).to_dict() == some.dtypes.astype(str).to_dict()


def test_types_of_the_columns() -> None:
    found = cycle_times(known(*ALL))
    kinds = found.dtypes.astype(str).to_dict()
    assert {kinds[c] for c in ("id", "key", "status", "phase", "outcome")} == {"str"}
    assert {kinds[c] for c in ("created", "started_at", "finished_at")} == {"datetime64[us, UTC]"}
    assert {kinds[c] for c in ("seconds", "seconds_low", "days", "days_high")} == {"float64"}
    assert (kinds["reopened"], kinds["exact"]) == ("int64", "bool")
    assert math.isnan(found.set_index("key").loc["A-3", "days"])


@pytest.mark.parametrize(
    "ask",
    [
        lambda df: cycle_times(df, done=None),
        lambda df: cycle_times(df, start=["Done", 5]),
        lambda df: cycle_times(df, calendar="UTC"),
        lambda df: status_intervals(df, calendar="UTC"),
        lambda df: cycle_times(df, changes="changelog"),
        lambda df: throughput(df, zone=None),
        lambda df: throughput(df, freq=["D"]),
        lambda df: cycle_percentiles(pd.DataFrame({"days": [1.0]}), "many"),
        lambda df: aging_work(df, at=pd.NaT),
        lambda df: aging_work(df, at=5),
        lambda df: cumulative_flow(df, at=["2024-01-20", None]),
        lambda df: cumulative_flow(df, at=""),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(ask: Any) -> None:
    with pytest.raises((DataError, ParameterError)):
        ask(issues(*ALL))
