"""Throughput, aging work and cumulative flow: by hand, and against a walk over the events."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.flow.aging import aging_work
from datalake_kit.jira.flow.cumulative import cumulative_flow
from datalake_kit.jira.flow.cycle_times import cycle_times, lead_times
from datalake_kit.jira.flow.forecast import forecast
from datalake_kit.jira.flow.throughput import throughput
from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.intervals import status_intervals
from tests.jira_histories import (
    SPAN,
    START,
    STATUSES,
    History,
    histories,
    landing_times,
    random_histories,
    to_frame,
    to_versions,
)
from tests.jira_simulator import history, moment, period_start, seen_one_by_one, walk_clock

DAY = 86_400.0
LATER = START + SPAN + timedelta(days=1)
PHASES = {name: phase for name, (_, phase) in STATUSES.items()}
LATEST = moment("2024-01-31 12:00")

# in days of January 2024, the 1st being a Monday
FIRST = history("A-1", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-05", "Done"))
SECOND = history("A-2", ("2024-01-02", "Backlog"), ("2024-01-03", "In Progress"), ("2024-01-04", "Done"))
THIRD = history("A-3", ("2024-01-03", "Backlog"), ("2024-01-04", "In Progress"), ("2024-01-09", "Done"))
REOPENED = history(
    "A-4", ("2024-01-02", "In Progress"), ("2024-01-03", "Done"),
    ("2024-01-16", "Selected"), ("2024-01-24", "Rejected"),
)  # fmt: skip
OPEN_AGAIN = history("A-5", ("2024-01-03", "In Progress"), ("2024-01-04", "Done"), ("2024-01-20", "In Review"))
NEVER_BEGUN = history("A-6", ("2024-01-20", "Backlog"))
ALL = [FIRST, SECOND, THIRD, REOPENED, OPEN_AGAIN, NEVER_BEGUN]


def issues(*some: History, until: datetime = LATEST) -> pd.DataFrame:
    return to_frame(some, until)


@lru_cache
def _known(some: str, until: datetime) -> pd.DataFrame:
    return status_intervals(to_frame(_SEEN[some], until), phases=PHASES, until=until)


_SEEN: dict[str, tuple[History, ...]] = {}


def known(*some: History, until: datetime = LATEST) -> pd.DataFrame:
    """Status intervals of issues, as they were at an instant; made once for all tests."""
    _SEEN[repr(some)] = some
    return _known(repr(some), until)


# --- throughput -------------------------------------------------------------------------------------------------------


def test_throughput_by_hand() -> None:
    found = throughput(known(*ALL))
    assert found["period_start"].dt.strftime("%d").to_list() == ["01", "08", "15", "22", "29"]
    assert found["finished"].to_list() == [2, 1, 0, 1, 0]  # the reopened one in its last week, the open one in none
    assert found["finished_low"].to_list() == found["finished_high"].to_list() == found["finished"].to_list()
    assert found["complete"].to_list() == [True, True, True, True, False]
    assert (found["period_end"] - found["period_start"] == pd.Timedelta(days=7)).all()
    assert set(found["freq"]) == {"W"}
    assert set(found["zone"]) == {"UTC"}


def test_the_first_period_is_complete_only_if_it_began_with_the_first_issue() -> None:
    late = history("A-1", ("2024-01-02", "In Progress"), ("2024-01-03", "Done"))
    assert throughput(known(late, until=moment("2024-01-15")))["complete"].to_list() == [False, True]
    assert throughput(known(late, until=moment("2024-01-04")), freq="D")["complete"].to_list() == [
        True,
        True,
    ]


def test_months_and_days() -> None:
    assert throughput(known(*ALL), freq="M")["finished"].to_list() == [4]
    days = throughput(known(*ALL), freq="D")
    assert len(days) == 31
    assert days.loc[days["finished"] > 0, "period_start"].dt.day.to_list() == [4, 5, 9, 24]


def test_the_zone_says_in_which_day_it_was() -> None:
    late = history("A-1", ("2024-01-01 12:00", "In Progress"), ("2024-01-02 23:30", "Done"))
    for zone, day in (("UTC", 2), ("Europe/Berlin", 3)):
        found = throughput(known(late, until=moment("2024-01-05")), freq="D", zone=zone)
        one = found.loc[found["finished"] == 1, "period_start"].iloc[0]
        assert one.tz_convert(zone).day == day
        assert one.tz_convert(zone).hour == 0


def test_a_finish_at_the_border_belongs_to_the_period_that_begins() -> None:
    border = history("A-1", ("2024-01-01", "In Progress"), ("2024-01-08", "Done"))
    assert throughput(known(border, until=moment("2024-01-20")))["finished"].to_list() == [0, 1, 0]
    assert throughput(known(border, until=moment("2024-01-08")))["finished"].to_list() == [1]  # at the very end


@settings(deadline=None, max_examples=8)
@given(
    histories(fields=["status"], smallest=2, most_issues=30),
    st.sampled_from("DWM"),
    st.sampled_from(["UTC", "America/New_York"]),
)
def test_throughput_is_that_of_the_walk(some: list[History], freq: Any, zone: str) -> None:
    found = throughput(known(*some, until=LATER), freq=freq, zone=zone)
    expected: dict[datetime, int] = {}
    for issue in some:
        finished = walk_clock(issue, LATER).finished
        if finished:
            begin = period_start(finished, freq, zone)
            expected[begin] = expected.get(begin, 0) + 1
    counted = dict(zip(found["period_start"].dt.to_pydatetime(), found["finished"], strict=True))
    assert {begin: count for begin, count in counted.items() if count} == expected
    assert (found["period_end"].iloc[:-1].to_numpy() == found["period_start"].iloc[1:].to_numpy()).all()
    assert found["period_start"].iloc[0] == period_start(min(i.created for i in some), freq, zone)
    for row in found.itertuples():
        assert period_start(row.period_start, freq, zone) == row.period_start
        whole = row.period_start >= min(i.created for i in some) and row.period_end <= LATER
        assert row.complete == whole


def test_throughput_from_versions_says_what_is_certain_and_what_is_possible() -> None:
    some = random_histories(random.Random(8), 300, most=5, fields=["status", "assignee"])
    times = landing_times(some, timedelta(days=1))
    some = [issue for issue in some if seen_one_by_one(issue, times)]
    asked: dict[str, Any] = {"freq": "D", "until": times[-1], "phases": PHASES}
    true = throughput(to_frame(some, times[-1]), **asked)
    found = throughput(to_versions(some, times), **asked)
    assert (found["finished_low"] <= found["finished"]).all()
    assert (found["finished"] <= found["finished_high"]).all()
    assert (found["finished_low"] < found["finished_high"]).any()
    assert found["finished"].sum() == true["finished"].sum()
    assert (found["finished_low"] <= true["finished"]).all()
    assert (true["finished"] <= found["finished_high"]).all()


def test_throughput_goes_into_a_forecast() -> None:
    steady = [
        history(f"A-{n + 1}", (f"2024-01-{n + 1:02d} 08:00", "In Progress"), (f"2024-01-{n + 1:02d} 16:00", "Done"))
        for n in range(20)
    ]
    table = throughput(known(*steady, until=moment("2024-01-21 12:00")), freq="D")
    assert table["finished"].to_list() == [1] * 20 + [0]
    assert table["complete"].to_list() == [False] + [True] * 19 + [False]
    found = forecast(table, items=5)
    assert (found.periods_used, set(found.table["periods"])) == (19, {5})
    assert found.table["date"].iloc[0] == moment("2024-01-27")  # five days from the end of the current one


# --- aging work -------------------------------------------------------------------------------------------------------


def test_aging_work_by_hand() -> None:
    """On the 8th cycle times of 3 (A-1), 1 (A-2), 1 (A-4) and 1 day (A-5) are known: A-3 has gone on for 4 days."""
    found = aging_work(known(*ALL), at=moment("2024-01-08"))
    assert found["key"].to_list() == ["A-3"]
    assert found["age_days"].to_list() == [4.0]
    assert found["percentile"].to_list() == [100.0]
    assert found["past_issues"].to_list() == [4]
    early = aging_work(known(*ALL), at=moment("2024-01-04 12:00"))
    # A-1 since the 2nd, A-3 since the 4th; finished are with one day each
    assert early["key"].to_list() == ["A-1", "A-3"]
    assert early["age_days"].to_list() == [2.5, 0.5]
    assert early["percentile"].to_list() == [100.0, 0.0]
    now = aging_work(known(*ALL))
    assert now["key"].to_list() == ["A-5"]
    assert now["age_days"].to_list() == [28.5]  # from its first start
    assert now["status_age_days"].to_list() == [11.5]
    assert now[["status", "phase"]].values.tolist() == [["In Review", "In Progress"]]
    assert now["entered_status_at"].dt.day.to_list() == [20]
    # finished now: 3, 1, 5 and 22 days, all shorter than 28.5
    assert now[["percentile", "past_issues"]].values.tolist() == [[100.0, 4]]


def test_percentile_of_an_age_counts_cycle_times_of_the_same_length() -> None:
    done = [history(f"A-{n}", ("2024-01-01", "In Progress"), (f"2024-01-{n + 1:02d}", "Done")) for n in (1, 2, 3, 4)]
    going = history("A-9", ("2024-01-10", "In Progress"))
    for at, percentile in (("2024-01-11", 25), ("2024-01-13", 75), ("2024-01-12 23:59", 50), ("2024-01-20", 100)):
        found = aging_work(known(*done, going), at=moment(at))
        assert found["percentile"].to_list() == [percentile]
    alone = aging_work(known(going), at=moment("2024-01-11"))
    assert alone["percentile"].isna().all()
    assert alone["past_issues"].to_list() == [0]


def test_aging_in_working_days() -> None:
    going = history("A-1", ("2024-01-05 12:00", "In Progress"))  # a Friday
    found = aging_work(
        issues(going), at=moment("2024-01-09 11:00"), calendar=WorkingCalendar(), phases=PHASES, until=LATEST
    )
    assert found["age_seconds"].to_list() == [(5 + 8 + 2) * 3600]
    assert found["age_days"].to_list() == [15 / 8]


def test_the_future_is_not_known() -> None:
    with pytest.raises(DataError, match="lies after 2024-01-31 12:00"):
        aging_work(known(*ALL), at=moment("2024-02-01"))
    with pytest.raises(DataError, match="after 2024-01-31 12:00"):
        cumulative_flow(known(*ALL), at=[moment("2024-02-01")])
    with pytest.raises(DataError, match="time zone"):
        aging_work(known(*ALL), at=pd.Timestamp("2024-01-08"))


@settings(deadline=None, max_examples=8)
@given(histories(fields=["status"], smallest=5, most_issues=30), st.integers(0, 70 * 24))
def test_aging_work_is_that_of_the_walk(some: list[History], hours: int) -> None:
    at = min(h.created for h in some) + timedelta(hours=hours)
    at = min(at, LATER)
    found = aging_work(known(*some, until=LATER), at=at)
    clocks = {h.key: walk_clock(h, at) for h in some if h.created <= at}
    past = [c.finished - c.started for c in clocks.values() if c.started and c.finished]
    going = {key: at - c.started for key, c in clocks.items() if c.started and not c.finished}
    assert dict(zip(found["key"], found["age_seconds"], strict=True)) == {
        k: a.total_seconds() for k, a in going.items()
    }
    assert found["started_at"].is_monotonic_increasing
    for row in found.itertuples():
        issue = next(h for h in some if h.key == row.key)
        assert row.status == issue.status(at)
        assert row.entered_status_at == max(when for when, _ in issue.moves() if when <= at)
        shorter = sum(lasted <= going[row.key] for lasted in past)
        assert row.past_issues == len(past)
        assert row.percentile == pytest.approx(100 * shorter / len(past)) if past else np.isnan(row.percentile)


# --- cumulative flow --------------------------------------------------------------------------------------------------


def counts(found: pd.DataFrame, by: str = "phase") -> pd.DataFrame:
    return found.pivot(index="at", columns=by, values="issues")


def test_cumulative_flow_by_hand() -> None:
    found = cumulative_flow(known(FIRST, SECOND, THIRD, until=moment("2024-01-09 12:00")))
    assert found["phase"].head(3).to_list() == ["To Do", "In Progress", "Done"]
    table = counts(found)
    assert table.index[-1] == moment("2024-01-09 12:00")
    assert table.index[:-1].strftime("%d").to_list() == [f"{d:02d}" for d in range(1, 10)]
    assert table["To Do"].to_list() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert table["In Progress"].to_list() == [0, 1, 2, 2, 1, 1, 1, 1, 0, 0]
    assert table["Done"].to_list() == [0, 0, 0, 1, 2, 2, 2, 2, 3, 3]


def test_cumulative_flow_by_status_in_order_of_the_phases() -> None:
    found = cumulative_flow(known(*ALL), by="status")
    order = found["status"].drop_duplicates().to_list()
    assert order == ["Backlog", "Selected", "In Progress", "In Review", "Done", "Rejected"]
    last = found[found["at"] == LATEST].set_index("status")["issues"]
    assert last[last > 0].to_dict() == {"Backlog": 1, "In Review": 1, "Done": 3, "Rejected": 1}
    with pytest.raises(ParameterError, match="by='type'"):
        cumulative_flow(known(*ALL), by="type")  # type: ignore[arg-type]


def test_midnights_of_a_zone_and_months() -> None:
    found = cumulative_flow(known(*ALL), zone="Asia/Kolkata")
    local = found["at"].drop_duplicates().dt.tz_convert("Asia/Kolkata")
    assert set(local.iloc[:-1].dt.strftime("%H:%M")) == {"00:00"}
    months = cumulative_flow(known(*ALL), freq="M")["at"].drop_duplicates()
    assert months.to_list() == [moment("2024-01-01"), LATEST]


@settings(deadline=None, max_examples=8)
@given(
    histories(fields=["status"], smallest=2, most_issues=30),
    st.sampled_from(["phase", "status"]),
    st.sampled_from("DWM"),
)
def test_cumulative_flow_is_that_of_the_walk(some: list[History], by: Any, freq: Any) -> None:
    found = cumulative_flow(known(*some, until=LATER), by=by, freq=freq)
    table = counts(found, by)
    for at, row in table.iterrows():
        expected: dict[str, int] = {}
        for issue in some:
            if issue.created <= at:
                status = issue.status(at)
                name = status if by == "status" else PHASES[status]
                expected[name] = expected.get(name, 0) + 1
        assert row[row > 0].to_dict() == expected
    assert (found["issues_low"] == found["issues"]).all()
    assert (found["issues_high"] == found["issues"]).all()
    assert table.index[0] <= min(issue.created for issue in some)
    assert table.iloc[-1].sum() == len(some)


def test_cumulative_flow_from_versions_says_what_is_certain_and_what_is_possible() -> None:
    some = random_histories(random.Random(9), 250, most=5, fields=["status", "assignee"])
    times = landing_times(some, timedelta(days=1))
    some = [issue for issue in some if seen_one_by_one(issue, times)]
    assert len(some) > 50
    asked: dict[str, Any] = {"until": times[-1], "phases": PHASES}
    frame = to_versions(some, times)
    found = cumulative_flow(frame, **asked).set_index(["at", "phase"])
    true = cumulative_flow(to_frame(some, times[-1]), **asked).set_index(["at", "phase"])
    both = found.join(true["issues"].rename("true"))
    assert (both["issues_low"] <= both["true"]).all()
    assert (both["true"] <= both["issues_high"]).all()
    assert (both["issues_low"] < both["issues_high"]).any()


def test_bounds_that_overlap_make_nothing_certain() -> None:
    intervals = known(FIRST).copy()  # in progress from the 2nd to the 5th
    intervals.loc[1, "start_not_after"] = intervals.loc[2, "start_not_after"] = pd.Timestamp("2024-01-05", tz="UTC")
    intervals.loc[1, "end_not_before"] = intervals.loc[2, "start_not_before"] = pd.Timestamp("2024-01-03", tz="UTC")
    found = cumulative_flow(intervals, at=["2024-01-02T12:00", "2024-01-04"])
    one = found[found["phase"] == "In Progress"]
    assert one["issues"].to_list() == [1, 1]
    assert one["issues_low"].to_list() == [0, 0]
    assert one["issues_high"].to_list() == [1, 1]


def test_a_status_of_the_same_name_goes_on() -> None:
    """Two projects have each their own status of one name; an issue that moves goes from one to the other."""
    moved = history("A-1", ("2024-01-01", "Backlog"), ("2024-01-02", "In Progress"), ("2024-01-04", "In Review"))
    intervals = known(moved)
    intervals = intervals.assign(status=intervals["status"].replace("In Review", "In Progress"))
    found = aging_work(intervals, at="2024-01-05")
    assert found["entered_status_at"].to_list() == [moment("2024-01-02")]
    assert found["status_age_days"].to_list() == [3.0]


def test_issues_of_which_no_status_is_known_yet_have_a_row_without_a_phase() -> None:
    late = history("A-1", ("2024-01-01", "Backlog"), ("2024-01-03", "In Progress"))
    frame = to_versions([late], [moment("2024-01-05"), moment("2024-01-06")])
    for by in ("phase", "status"):
        found = cumulative_flow(frame, by=by, at=["2024-01-02", "2024-01-04"], until=LATEST, phases=PHASES)  # type: ignore[arg-type]
        counted = found[found["issues"] > 0]
        assert counted[by].isna().to_list() == [True, False]
        assert found[by].isna().to_list()[-1]  # behind the phases that are known


def test_instants_may_be_texts() -> None:
    flow = cumulative_flow(known(*ALL), at="2024-01-04T12:00")
    assert flow["at"].unique().tolist() == [moment("2024-01-04 12:00")]
    one, other = (aging_work(known(*ALL), at=at) for at in ("2024-01-08T01:00+01:00", moment("2024-01-08")))
    pd.testing.assert_frame_equal(one, other)
    with pytest.raises(ParameterError, match="is no instant"):
        aging_work(known(*ALL), at="yesterday")


# --- Little's law -----------------------------------------------------------------------------------------------------


def test_littles_law_by_hand() -> None:
    """Three issues are open from 0 to 4, 1 to 3 and 2 to 8 days: 4 + 2 + 6 = 12 days of issues, in 8 days.

    L = 12 / 8 = 1.5 issues open on average, lambda = 3 / 8 arrivals a day, W = 12 / 3 = 4 days: L = lambda W
    (J. D. C. Little, "A Proof for the Queuing Formula: L = lambda W", Operations Research 9, 1961).
    """
    some = [FIRST, SECOND, history("A-3", ("2024-01-03", "Backlog"), ("2024-01-09", "Done"))]
    until = moment("2024-01-09")
    table = counts(cumulative_flow(known(*some, until=until)))
    still_open = (table["To Do"] + table["In Progress"]).to_numpy()
    assert still_open[:-1].tolist() == [1, 2, 3, 2, 1, 1, 1, 1]  # each for the day that follows
    average_open = still_open[:-1].sum() / 8
    waited = lead_times(known(*some, until=until))["days"]
    assert waited.to_list() == [4, 2, 6]
    assert average_open == 1.5 == 3 / 8 * waited.mean()


@settings(deadline=None, max_examples=8)
@given(histories(fields=["status"], smallest=2, most_issues=12))
def test_littles_law_holds_on_the_cumulative_flow(some: list[History]) -> None:
    """Every issue is closed at the end, so the window is closed; it is sampled at every instant at which one moves."""
    end = LATER
    closed = [replace(issue, events=(*issue.events, *_closing(issue, end - timedelta(hours=1)))) for issue in some]
    instants = sorted({at for h in closed for at, _ in h.moves()} | {end})
    intervals = known(*closed, until=end)
    table = counts(cumulative_flow(intervals, at=instants))
    still_open = (table["To Do"] + table["In Progress"]).to_numpy()
    steps = np.diff([at.timestamp() for at in instants])
    area = float((still_open[:-1] * steps).sum())
    in_system = sum(
        (left - at).total_seconds()
        for issue in closed
        for (at, status), (left, _) in pairwise([*issue.moves(), (end, "")])
        if PHASES[status] != "Done"
    )
    assert area == pytest.approx(in_system)
    assert still_open[-1] == 0
    leads, cycles = lead_times(intervals), cycle_times(intervals)
    assert (leads["outcome"] == "finished").all()
    if not leads["reopened"].any():  # then the time in the system is the lead time
        assert area == pytest.approx(leads["seconds"].sum())
        span = instants[-1].timestamp() - instants[0].timestamp()
        assert area / span == pytest.approx(len(closed) / span * leads["seconds"].mean())
        begun = cycles[cycles["outcome"] == "finished"]
        assert (begun["seconds"] <= leads.loc[begun.index, "seconds"]).all()


def _closing(issue: History, at: datetime) -> list[Any]:
    now = issue.status(at)
    if PHASES[now] == "Done":
        return []
    moves = ("2026-01-01", now), (at.replace(tzinfo=None).isoformat(), "Done")
    return [replace(event, entry=900) for event in history("A-1", *moves).events]


# --- forms of input ---------------------------------------------------------------------------------------------------


def measures(frame: pd.DataFrame, **more: Any) -> list[pd.DataFrame]:
    return [
        throughput(frame, **more),
        aging_work(frame, **more),
        cumulative_flow(frame, **more),
        cumulative_flow(frame, by="status", **more),
    ]


def test_issues_and_their_intervals_give_the_same_and_stay_as_they_were() -> None:
    frame, intervals = issues(*ALL), known(*ALL)
    before = frame.copy(deep=True), intervals.copy(deep=True)
    for one, other in zip(measures(frame, phases=PHASES, until=LATEST), measures(intervals), strict=True):
        pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_frame_equal(intervals, before[1])


def test_no_issues_give_no_rows_of_the_same_columns() -> None:
    full = known(*ALL)
    for some, none in zip(measures(full), measures(full.iloc[:0]), strict=True):
        assert not len(none)
        assert none.dtypes.astype(str).to_dict() == some.dtypes.astype(str).to_dict()


def test_types_of_the_columns() -> None:
    table, aging, flow, _ = measures(known(*ALL))
    assert {str(table[c].dtype) for c in ("period_start", "period_end")} == {"datetime64[us, UTC]"}
    assert {str(table[c].dtype) for c in ("finished", "finished_low", "finished_high")} == {"int64"}
    assert {str(flow[c].dtype) for c in ("issues", "issues_low", "issues_high")} == {"int64"}
    assert {str(aging[c].dtype) for c in ("started_at", "entered_status_at", "at")} == {"datetime64[us, UTC]"}
    assert str(flow["at"].dtype) == "datetime64[us, UTC]"


def test_unknown_frequencies_and_zones_are_refused() -> None:
    for measure in (throughput, cumulative_flow):
        with pytest.raises(DataError, match="freq='Q'"):
            measure(known(*ALL), freq="Q")  # type: ignore[operator]
        with pytest.raises(DataError, match="Did you mean Europe/Vienna"):
            measure(known(*ALL), zone="Europe/Viena")  # type: ignore[operator]


def test_statuses_without_a_phase_are_named() -> None:
    frame = issues(*ALL)
    for measure in (throughput, aging_work, cumulative_flow):
        with pytest.raises(DataError, match="Selected"):
            measure(frame, phases={k: v for k, v in PHASES.items() if k != "Selected"}, until=LATEST)  # type: ignore[operator]


def test_intervals_in_working_time_give_the_same_counts() -> None:
    frame = issues(*ALL)
    working = status_intervals(frame, calendar=WorkingCalendar(), phases=PHASES, until=LATEST)
    elapsed = status_intervals(frame, phases=PHASES, until=LATEST)
    pd.testing.assert_frame_equal(throughput(working), throughput(elapsed))
    pd.testing.assert_frame_equal(cumulative_flow(working), cumulative_flow(elapsed))
    with pytest.raises(DataError, match="Give the same calendar= here"):
        cycle_times(working)
