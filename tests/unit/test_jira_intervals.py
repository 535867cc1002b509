"""Time in statuses, compared with what happened event by event."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.history.intervals import COLUMNS, are_intervals, as_intervals, status_intervals
from datalake_kit.jira.history.phases import check_phases, is_in
from tests.jira_histories import (
    SPAN,
    START,
    STATUSES,
    History,
    changelog_text,
    histories,
    landing_times,
    random_histories,
    to_frame,
    to_versions,
)

VIENNA = WorkingCalendar(hours=(("08:00", "12:00"), ("13:00", "17:30")), zone="Europe/Vienna")
Stay = tuple[str, datetime, datetime]


def stays(history: History, until: datetime) -> list[Stay]:
    """Walk the events one by one: status, since when, until when."""
    found: list[Stay] = []
    status, since = str(history.first["status"][1]), history.created
    for event in history.events:
        if event.field == "status" and event.at <= until:
            found.append((status, since, event.at))
            status, since = str(event.after[1]), event.at
    return [*found, (status, since, until)]


def rows(found: pd.DataFrame, number: str) -> list[Stay]:
    one = found[found["id"] == number]
    return list(zip(one["status"], one["start"], one["end"], strict=True))


def check_shape(found: pd.DataFrame, created: dict[str, datetime], until: datetime) -> None:
    """Contiguous, never negative, together the age; bounds around what is said."""
    assert list(found.columns) == list(COLUMNS)
    assert (found["seconds"] >= 0).all()
    for number, one in found.groupby("id"):
        assert one["position"].to_list() == list(range(len(one)))
        assert one["start"].iloc[0] == created[str(number)]
        assert one["end"].to_list()[:-1] == one["start"].to_list()[1:]
        assert one["end"].iloc[-1] == until
        assert one["open"].to_list() == [False] * (len(one) - 1) + [True]
        assert one["seconds"].sum() == pytest.approx((until - created[str(number)]).total_seconds(), abs=1e-3)
    for end in ("start", "end"):
        assert (found[f"{end}_not_before"] <= found[end]).all()
        assert (found[end] <= found[f"{end}_not_after"]).all()
    assert (found["seconds_low"] <= found["seconds"]).all()
    assert (found["seconds"] <= found["seconds_high"]).all()


# --- from changelogs ------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(histories(most_issues=25), st.integers(-10, int(SPAN.total_seconds() // 60)), st.booleans())
def test_a_changelog_gives_what_happened(some: list[History], minutes: int, newest_first: bool) -> None:
    until = START + timedelta(minutes=minutes)
    frame = to_frame(some)
    frame["changelog"] = [changelog_text(h, START + 2 * SPAN, newest_first=newest_first) for h in some]
    found = status_intervals(frame, until=until)
    assert found["problem"].isna().all()
    assert set(found["id"]) == {h.id for h in some if h.created <= until}
    for history in some:
        if history.created <= until:
            assert rows(found, history.id) == stays(history, until)
    check_shape(found, {h.id: h.created for h in some}, until)
    assert (found["seconds_low"] == found["seconds_high"]).all()


@settings(max_examples=3, deadline=None)
@given(histories(most_issues=25), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_changes_at_hand_give_the_same(
    some: list[History], rng: random.Random
) -> None:
    frame, versions = to_frame(some), to_versions(some, landing_times(some))
    for df in (frame, versions):
        found = status_intervals(df)
        before = df.copy()
        order = rng.sample(range(len(df)), len(df))
        pd.testing.assert_frame_equal(status_intervals(df.iloc[order]), found)
        changes = changelog(df)
        pd.testing.assert_frame_equal(status_intervals(df, changes), found)
        order = rng.sample(range(len(changes)), len(changes))
        if not changes.duplicated(["id", "changed_at"]).any():
            pd.testing.assert_frame_equal(status_intervals(df, changes.iloc[order]), found)
        pd.testing.assert_frame_equal(df, before)


@settings(max_examples=3, deadline=None)
@given(histories(most_issues=25))
def test_working_time_of_the_same_intervals(some: list[History]) -> None:
    found = status_intervals(to_frame(some), calendar=VIENNA)
    plain = status_intervals(to_frame(some))
    pd.testing.assert_frame_equal(found.drop(columns=[c for c in found if "seconds" in c]),
                                  plain.drop(columns=[c for c in plain if "seconds" in c]))  # fmt: skip
    np.testing.assert_allclose(found["seconds"], VIENNA.seconds_between(found["start"], found["end"]))
    age = VIENNA.seconds_between(plain.groupby("id")["start"].min(), plain.groupby("id")["end"].max())
    np.testing.assert_allclose(found.groupby("id")["seconds"].sum(), age)
    versions = status_intervals(to_versions(some, landing_times(some)), calendar=VIENNA)
    assert (versions["seconds_low"] <= versions["seconds"]).all()
    assert (versions["seconds"] <= versions["seconds_high"]).all()
    high = VIENNA.seconds_between(versions["start_not_before"], versions["end_not_after"])
    np.testing.assert_allclose(versions["seconds_high"], high)
    low = VIENNA.seconds_between(versions["start_not_after"], versions["end_not_before"])
    np.testing.assert_allclose(versions["seconds_low"], np.maximum(low, 0))


# --- from versions --------------------------------------------------------------------------------------------------


def seen_stays(history: History, times: Sequence[datetime]) -> list[tuple[str, datetime, datetime]]:
    """What versions show: status, and the instants of the first and the last version that shows it."""
    shown: list[tuple[str, datetime, datetime]] = []
    for at in sorted(times):
        if history.created > at:
            continue
        status, updated = history.status(at), history.updated(at)
        if shown and shown[-1][0] == status:
            shown[-1] = (status, shown[-1][1], updated)
        else:
            shown.append((status, updated, updated))
    return shown


def check_bounds(found: pd.DataFrame, history: History, times: Sequence[datetime], until: datetime) -> None:
    """The true last entry before a status is seen, and the true first leaving after, are within the bounds."""
    one = found[(found["id"] == history.id) & found["status"].notna()]
    shown = seen_stays(history, times)
    assert one["status"].to_list() == [status for status, _, _ in shown]
    moves = history.moves()
    for row, (_, first, last) in zip(one.itertuples(), shown, strict=True):
        entered = max(at for at, _ in moves if at <= first)
        left = min((at for at, _ in moves if at > last), default=until)
        assert row.start_not_before <= entered <= row.start_not_after
        assert row.end_not_before <= left <= row.end_not_after
        assert row.seconds_low <= (left - entered).total_seconds() <= row.seconds_high


@settings(max_examples=8, deadline=None)
@given(histories(most_issues=25), st.sampled_from([5, 24, 100, 600]), st.booleans(), st.booleans())
def test_the_truth_is_within_the_bounds_of_versions(
    some: list[History], hours: int, resend: bool, narrow: bool
) -> None:
    times = landing_times(some, timedelta(hours=hours))
    frame = to_versions(some, times, resend=resend)
    if not narrow:
        frame = frame.drop(columns="status_category_changed")
    found = status_intervals(frame)
    until = frame["landed"].max()
    check_shape(found, {h.id: h.created for h in some}, until)
    for history in some:
        check_bounds(found, history, times, until)


@settings(max_examples=5, deadline=None)
@given(histories(fields=["status"], most_issues=15), st.data())
def test_versions_of_every_act_give_what_the_changelog_gives(some: list[History], data: st.DataObject) -> None:
    """When a run lands after each act, the statuses and the points at which they are seen are those that were."""
    times = sorted({e.at for h in some for e in h.events} | {h.created for h in some})
    until = times[-1] + timedelta(hours=1)
    found = status_intervals(to_versions(some, times), until=until)
    for history in some:
        expected = [s for s in stays(history, until) if s[1] < s[2]]
        assert [s for s in rows(found, history.id) if s[1] < s[2]] == join(expected)


def join(found: list[Stay]) -> list[Stay]:
    """Stays in one status, which one instant in another one parted, are one to who sees but the end of the instant."""
    joined: list[Stay] = []
    for stay in found:
        if joined and joined[-1][0] == stay[0]:
            joined[-1] = (stay[0], joined[-1][1], stay[2])
        else:
            joined.append(stay)
    return joined


@settings(max_examples=6, deadline=None)
@given(histories(fields=["status"], most_issues=20), st.randoms(use_true_random=False))
def test_a_changelog_that_only_some_versions_carry_counts_up_to_the_last_of_them(
    some: list[History], rng: random.Random
) -> None:
    times = landing_times(some, timedelta(hours=30))
    frame = to_versions(some, times)
    by_id = {h.id: h for h in some}
    carries = [rng.random() < 0.4 for _ in range(len(frame))]
    texts = [changelog_text(by_id[i], at) for i, at in zip(frame["id"], frame["landed"], strict=True)]
    frame["changelog"] = [text if here else None for text, here in zip(texts, carries, strict=True)]
    if not any(carries):
        frame = frame.drop(columns="changelog")
    found, until = status_intervals(frame), frame["landed"].max()
    assert found["problem"].isna().all()
    check_shape(found, {h.id: h.created for h in some}, until)
    for history in some:
        told = [at for i, at, here in zip(frame["id"], frame["updated"], carries, strict=True)
                if here and i == history.id]  # fmt: skip
        if told:
            known = [s for s in stays(history, max(told)) if s[1] < s[2] or s[2] < max(told)][:-1]
            assert rows(found, history.id)[: len(known)] == known
        if not told:
            check_bounds(found, history, times, until)


def versions_of(*states: tuple[str, str, str, str | None], **more: Any) -> pd.DataFrame:
    """Versions of one issue: updated, status, its id, its category; created at 08:00 of 2 March."""
    frame = pd.DataFrame(states, columns=["updated", "status", "status_id", "status_category"])
    frame = frame.assign(id="10", key="A-1", created="2026-03-02T08:00Z", **more)
    return instants(frame)


def instants(frame: pd.DataFrame) -> pd.DataFrame:
    names = {"created", "updated", "landed", "status_category_changed"} & set(frame.columns)
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True, format="ISO8601") for name in names})


def test_what_was_before_the_first_version_is_an_interval_without_status() -> None:
    frame = versions_of(("2026-03-02T11:00Z", "Open", "1", "To Do"), ("2026-03-02T12:00Z", "Closed", "6", "Done"))
    found = status_intervals(frame)
    assert found["status"].fillna("").to_list() == ["", "Open", "Closed"]
    assert found["seconds"].to_list() == [3 * 3600, 3600, 0]
    assert found["seconds_low"].to_list() == [0, 0, 0]
    assert found["seconds_high"].to_list() == [3 * 3600, 4 * 3600, 3600]
    later = frame.assign(status_category_changed=pd.to_datetime(["2026-03-02T10:30Z", "2026-03-02T11:20Z"]))
    narrowed = status_intervals(later)
    assert narrowed["seconds"].to_list() == [3 * 3600, 1200, 2400]
    assert narrowed["seconds_high"].to_list() == [3 * 3600, 3000, 2400]  # not before its category was entered
    assert narrowed["seconds_low"].to_list() == [0, 0, 0]


def test_a_version_of_the_second_of_creation_shows_the_first_status() -> None:
    first = ("2026-03-02T08:00:00.412Z", "Open", "1", "To Do")
    found = status_intervals(versions_of(first, ("2026-03-02T09:00Z", "Closed", "6", "Done")))
    assert found["status"].to_list() == ["Open", "Closed"]
    assert found["seconds"].to_list() == [3600, 0]


def test_a_status_renamed_midway_is_one_under_its_latest_name() -> None:
    frame = versions_of(
        ("2026-03-02T08:00Z", "Open", "1", "To Do"), ("2026-03-03T08:00Z", "To do", "1", "To Do"),
        ("2026-03-04T08:00Z", "待办", "1", "To Do"), ("2026-03-05T08:00Z", "Closed", "6", "Done"),
    )  # fmt: skip
    found = status_intervals(frame)
    assert found["status"].to_list() == ["待办", "Closed"]
    assert len(changelog(frame, fields="status")) == 1
    assert status_intervals(frame, phases={"open": "To Do", "CLOSED": "Done"})["phase"].to_list() == ["To Do", "Done"]
    nameless = frame.drop(columns="status_id")  # then only the name is left to tell them apart
    assert status_intervals(nameless)["status"].to_list() == ["Open", "To do", "待办", "Closed"]


def test_versions_sent_again_and_ties() -> None:
    first, tie = ("2026-03-02T08:00Z", "Open", "1", "To Do"), ("2026-03-02T10:00Z", "Doing", "3", "In Progress")
    last = ("2026-03-02T10:00Z", "Closed", "6", "Done")
    frame = versions_of(first, first, tie, last, landed=[f"2026-03-0{n}T02:00Z" for n in (3, 4, 5, 6)])
    found = status_intervals(frame)
    assert found["status"].to_list() == ["Open", "Doing", "Closed"]
    assert found["seconds"].to_list()[:2] == [7200, 0]
    reversed_files = frame.assign(landed=frame["landed"].to_list()[::-1])
    assert status_intervals(reversed_files)["status"].to_list()[-1] == "Doing"


def test_versions_without_updated_are_left_out_and_counted() -> None:
    frame = versions_of(
        ("2026-03-02T08:00Z", "Open", "1", "To Do"), ("2026-03-04T08:00Z", "Closed", "6", "Done"),
        (None, "Doing", "3", "In Progress"),  # type: ignore[arg-type]
    )  # fmt: skip
    found = status_intervals(frame)
    assert found["status"].to_list() == ["Open", "Closed"]
    assert set(found["problem"]) == {"1 versions without updated are left out"}
    files = ["2026-03-03T00Z", "2026-03-05T00Z", "2026-03-04T00Z"]
    landed = instants(frame.assign(updated=[None] * 3, landed=files))
    by_file = status_intervals(landed)  # none has one: the times of the files stand in
    assert by_file["status"].fillna("").to_list() == ["", "Open", "Doing", "Closed"]
    assert by_file["seconds_high"].to_list()[1:3] == [2 * 86400 - 8 * 3600, 2 * 86400]
    assert by_file["problem"].isna().all()


# --- what does not fit together -------------------------------------------------------------------------------------


def issue(
    *moves: tuple[str, str, str], status: str = "", updated: str = "2026-03-09T08:00Z", **more: Any
) -> pd.DataFrame:
    """One issue, created on 2 March at 08:00, with a changelog of moves (an id is the folded name)."""
    listed = [
        {"id": str(n), "created": at.replace("Z", ":00.000+0000"), "items": [
            {"field": "status", "from": a.lower(), "fromString": a, "to": b.lower(), "toString": b}]}
        for n, (at, a, b) in enumerate(moves)
    ]  # fmt: skip
    present = status or (moves[-1][2] if moves else "Open")
    text = json.dumps({"total": more.pop("total", len(listed)), "histories": listed})
    frame = pd.DataFrame({"id": ["10"], "key": ["A-1"], "status": [present], "status_id": [present.lower()],
                          "status_category": ["To Do"], "changelog": [text]})  # fmt: skip
    return instants(frame.assign(**{"created": "2026-03-02T08:00Z", "updated": updated} | more))


def test_a_changelog_that_contradicts_the_present_state() -> None:
    found = status_intervals(issue(("2026-03-03T08:00Z", "Open", "Doing"), status="Closed"))
    assert found["status"].to_list() == ["Open", "Doing", "Closed"]
    assert found["seconds"].to_list() == [86400, 6 * 86400, 0]
    assert found["seconds_low"].to_list() == [86400, 0, 0]
    assert found["seconds_high"].to_list() == [86400, 6 * 86400, 6 * 86400]
    assert set(found["problem"]) == {"changes end in Doing, the issue is in Closed"}


def test_a_broken_chain() -> None:
    found = status_intervals(issue(("2026-03-03T08:00Z", "Open", "Doing"), ("2026-03-05T08:00Z", "Review", "Closed")))
    assert found["status"].to_list() == ["Open", "Doing", "Closed"]
    assert found["seconds"].to_list() == [86400, 2 * 86400, 4 * 86400]
    assert found["seconds_low"].to_list() == [86400, 0, 4 * 86400]
    assert found["seconds_high"].to_list() == [86400, 2 * 86400, 4 * 86400]
    assert set(found["problem"]) == {"1 changes left a status that the one before had not led to"}


def test_a_changelog_cut_short() -> None:
    moves = (("2026-03-03T08:00Z", "Open", "Doing"), ("2026-03-05T08:00Z", "Doing", "Closed"))
    found = status_intervals(issue(*moves, total=120))
    assert found["seconds_low"].to_list() == [0, 2 * 86400, 4 * 86400]  # it may have been opened by a move not sent
    assert found["seconds"].to_list() == [86400, 2 * 86400, 4 * 86400]
    assert set(found["problem"]) == {"118 entries of the changelog are missing"}
    none_sent = status_intervals(issue(total=3))
    assert none_sent["seconds_low"].to_list() == [0]
    assert none_sent["seconds"].to_list() == [7 * 86400]


def test_a_clock_that_is_wrong() -> None:
    early = issue(("2026-03-01T08:00Z", "Open", "Doing"), ("2026-03-03T08:00Z", "Doing", "Closed"))
    found = status_intervals(early)
    assert found["seconds"].to_list() == [0, 86400, 6 * 86400]
    assert found["start"].min() == pd.Timestamp("2026-03-02T08:00Z")
    assert set(found["problem"]) == {"1 changes are dated before created"}
    swapped = issue(("2026-03-05T08:00Z", "Doing", "Closed"), ("2026-03-03T08:00Z", "Open", "Doing"), status="Closed")
    assert status_intervals(swapped)["status"].to_list() == ["Open", "Doing", "Closed"]
    assert status_intervals(swapped)["problem"].isna().all()
    late = status_intervals(issue(("2026-03-10T08:00Z", "Open", "Doing")))  # after `updated`
    assert late["end"].max() == pd.Timestamp("2026-03-10T08:00Z")
    assert late["status"].to_list() == ["Open", "Doing"]
    cut = status_intervals(issue(("2026-03-10T08:00Z", "Open", "Doing")), until="2026-03-09T08:00")
    assert cut["status"].to_list() == ["Open"]
    assert cut["open"].to_list() == [True]


def test_a_move_to_where_it_is_ends_nothing() -> None:
    found = status_intervals(issue(("2026-03-03T08:00Z", "Open", "Open"), ("2026-03-04T08:00Z", "Open", "Doing")))
    assert found["status"].to_list() == ["Open", "Doing"]
    assert found["seconds"].to_list() == [2 * 86400, 5 * 86400]


def test_without_created_and_without_any_instant() -> None:
    moves = (("2026-03-03T08:00Z", "Open", "Doing"),)
    found = status_intervals(issue(*moves, created=None))
    assert found["status"].to_list() == ["Open", "Doing"]
    assert found["seconds"].to_list() == [0, 6 * 86400]
    assert set(found["problem"]) == {"no created: history begins with what is known first"}
    both = pd.concat([issue(*moves), issue(created=None, updated=None).assign(id="11")])
    timeless = status_intervals(both)
    assert timeless["seconds"].isna().to_list() == [False, False, True]
    assert timeless["start"].isna().to_list() == [False, False, True]
    assert timeless["problem"].isna().to_list() == [True, True, False]


def test_issues_without_a_changelog_beside_others_that_have_one() -> None:
    one = issue(("2026-03-03T08:00Z", "Open", "Doing"))
    both = pd.concat([one, one.assign(id="11", key="A-2", changelog=None)])
    found = status_intervals(both)
    assert found["status"].fillna("").to_list() == ["Open", "Doing", "", "Doing"]
    assert found["seconds_low"].to_list() == [86400, 6 * 86400, 0, 0]
    pd.testing.assert_frame_equal(status_intervals(both, changelog(both)), found)


def test_present_statuses_without_ids_are_known_by_name() -> None:
    moves = (("2026-03-03T08:00Z", "Open", "Doing"), ("2026-03-05T08:00Z", "Doing", "Closed"))
    frame = issue(*moves).drop(columns="status_id")
    found = status_intervals(frame)
    assert found["status_id"].to_list() == ["open", "doing", "closed"]
    assert found["problem"].isna().all()
    twice = changelog(frame)
    twice.loc[0, "from_value"] = "another"  # two statuses are called Closed
    twice["to_text"] = "Closed"
    assert status_intervals(frame, twice)["problem"].isna().all()


def test_a_field_of_the_site_that_is_called_status_is_another_one() -> None:
    frame = issue(("2026-03-03T08:00Z", "Open", "Doing"))
    other = {"field": "status", "fieldId": "customfield_7", "from": None, "to": "9", "toString": "Red"}
    text = frame["changelog"][0].replace('"items": [', f'"items": [{json.dumps(other)}, ')
    assert len(changelog(frame.assign(changelog=text))) == 2
    found = status_intervals(frame.assign(changelog=text))
    assert found["status"].to_list() == ["Open", "Doing"]
    pd.testing.assert_frame_equal(status_intervals(frame, changelog(frame.assign(changelog=text))), found)


# --- phases ---------------------------------------------------------------------------------------------------------


def test_phases_by_category() -> None:
    some = random_histories(random.Random(5), 80)
    found = status_intervals(to_frame(some))
    known = dict(zip(found["status"], found["phase"], strict=True))
    assert known == {name: STATUSES[name][1] for name in known}
    check_phases(found)
    one = status_intervals(issue(("2026-03-03T08:00Z", "Open", "Doing")))
    assert one["phase"].fillna("").to_list() == ["", "To Do"]
    with pytest.raises(DataError, match=r'Open.*phases=\{"Open": "In Progress"\}'):
        check_phases(one)
    with pytest.raises(DataError, match="Open"):
        is_in(one, "Done")


def test_the_category_that_a_status_had_last_and_one_of_the_same_name() -> None:
    first = ("2026-03-02T08:00Z", "Open", "1", "To Do")
    frame = versions_of(first, ("2026-03-03T08:00Z", "Open", "1", "In Progress"), landed="2026-03-04T00:00Z")
    assert set(status_intervals(frame)["phase"]) == {"In Progress"}
    moved = issue(("2026-03-03T08:00Z", "Doing", "Closed"), status_category="Done")
    moved = pd.concat([moved, moved.assign(id="11", status="Doing", status_id="77", status_category="In Progress",
                                           changelog='{"histories": []}')])  # fmt: skip
    assert status_intervals(moved)["phase"].to_list() == ["In Progress", "Done", "In Progress"]
    none = issue(status_category="No Category")
    assert status_intervals(none)["phase"].isna().all()


def test_phases_by_mapping_and_by_project() -> None:
    some = random_histories(random.Random(6), 60)
    frame = to_frame(some)
    found = status_intervals(frame, phases={"in review": "Done", "10000": "To Do"})
    by_name = found.groupby("status")["phase"].first().dropna().to_dict()
    assert by_name == {"In Review": "Done", "Backlog": "To Do"}
    table = pd.DataFrame({"project": ["A", None], "status": ["Blocked", "Blocked"], "phase": ["To Do", "In Progress"]})
    found = status_intervals(frame, phases=table)
    blocked = found[found["status"] == "Blocked"]
    in_a = blocked["key"].str.startswith("A-")
    assert set(blocked.loc[in_a, "phase"]) == {"To Do"}
    assert set(blocked.loc[~in_a, "phase"]) == {"In Progress"}
    boards = table.rename(columns={"project": "board"})
    with pytest.raises(ColumnNotFoundError, match="board"):
        status_intervals(frame, phases=boards)
    by_board = status_intervals(frame.assign(board=frame["project"]), phases=boards)
    pd.testing.assert_frame_equal(by_board, found)


@pytest.mark.parametrize(
    ("phases", "error", "says"),
    [
        ({"Open": "Doen"}, ParameterError, "Did you mean Done"),
        ({"Open": None}, ParameterError, "None"),
        (["Done"], ParameterError, "mapping"),
        (pd.DataFrame({"status": ["Open"]}), ColumnNotFoundError, "phase"),
    ],
)
def test_phases_that_are_none(phases: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        status_intervals(issue(), phases=phases)


def test_intervals_in_a_phase_or_in_a_status() -> None:
    found = status_intervals(to_frame(random_histories(random.Random(8), 80)))
    assert set(found.loc[is_in(found, "Done"), "status"]) == {"Done", "Rejected"}
    assert set(found.loc[is_in(found, ["to do", "Done", "Selected"][1:]), "status"]) == {"Done", "Selected"}
    assert set(found.loc[is_in(found, ["Done"]), "status"]) == {"Done"}  # a list names statuses, where there are such
    assert set(found.loc[is_in(found, ["To Do"]), "phase"]) == {"To Do"}
    assert set(found.loc[is_in(found, "10003"), "status"]) == {"Blocked"}
    assert set(found.loc[is_in(found, "blocked"), "status"]) == {"Blocked"}
    with pytest.raises(ParameterError, match="Did you mean Blocked"):
        is_in(found, "Blokced")
    with pytest.raises(ParameterError, match="names no phase and no status"):
        is_in(found, [])
    with pytest.raises(ParameterError, match="nan is no name of a status"):
        is_in(found, ["Done", float("nan")])


# --- input ----------------------------------------------------------------------------------------------------------


def test_no_history_is_refused_and_the_way_out_is_named() -> None:
    frame = to_frame(random_histories(random.Random(1), 5))
    with pytest.raises(DataError, match=r"no column changelog.*expand=changelog.*versions\(\)"):
        status_intervals(frame.drop(columns="changelog"))
    with pytest.raises(DataError, match="no history"):
        status_intervals(frame.assign(changelog=None))
    raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ["{}"], "changelog": ["{}"]})
    with pytest.raises(ColumnNotFoundError, match="not unpacked"):
        status_intervals(raw)
    with pytest.raises(ColumnNotFoundError, match="no column id"):
        status_intervals(frame.drop(columns="id"))
    with pytest.raises(DataError, match="2 rows have no id"):
        status_intervals(pd.concat([frame, frame.head(2).assign(id=None)]))
    with pytest.raises(DataError, match=r"Column created.*without a time zone"):
        status_intervals(frame.assign(created=frame["created"].dt.tz_localize(None)))


def test_changes_that_are_none() -> None:
    frame = to_frame(random_histories(random.Random(1), 5))
    changes = changelog(frame)
    with pytest.raises(ColumnNotFoundError, match="to_value"):
        status_intervals(frame, changes.drop(columns="to_value"))
    with pytest.raises(DataError, match="without id or changed_at"):
        status_intervals(frame, changes.assign(changed_at=pd.NaT))
    some = status_intervals(frame.head(2), changes, until="2026-06-01")  # those of other issues are left out
    pd.testing.assert_frame_equal(some, status_intervals(frame.head(2), until="2026-06-01"))


@pytest.mark.parametrize("until", ["soon", 5, [], ""])
def test_until_that_is_no_instant(until: Any) -> None:
    with pytest.raises(ParameterError, match="until"):
        status_intervals(issue(), until=until)


def test_until_in_whatever_form() -> None:
    frame = issue(("2026-03-03T08:00Z", "Open", "Doing"))
    same = [status_intervals(frame, until=u) for u in (
        "2026-03-03T09:00", "2026-03-03T10:00+01:00", datetime(2026, 3, 3, 9), datetime(2026, 3, 3, 9, tzinfo=UTC),
        pd.Timestamp("2026-03-03T17:00", tz="Asia/Shanghai"))]  # fmt: skip
    for other in same[1:]:
        pd.testing.assert_frame_equal(same[0], other)
    assert same[0]["seconds"].to_list() == [86400, 3600]
    assert len(status_intervals(frame, until="2026-03-01")) == 0
    at_once = status_intervals(frame, until="2026-03-03T08:00")
    assert at_once["status"].to_list() == ["Open", "Doing"]
    assert at_once["seconds"].to_list() == [86400, 0]


def test_an_empty_table_gives_an_empty_one() -> None:
    full = to_frame(random_histories(random.Random(1), 5))
    for empty in (full.head(0), to_versions([], [])):
        found = status_intervals(empty)
        assert len(found) == 0
        assert found.dtypes.to_dict() == status_intervals(full).dtypes.to_dict()


def test_intervals_are_taken_as_they_are() -> None:
    frame = to_frame(random_histories(random.Random(1), 5))
    found = status_intervals(frame, calendar=VIENNA)
    assert as_intervals(found) is found
    assert are_intervals(found.assign(extra=1))
    assert not are_intervals(frame)
    pd.testing.assert_frame_equal(as_intervals(frame, calendar=VIENNA), found)
    with pytest.raises(ParameterError, match="calendar= comes too late"):
        as_intervals(found, calendar=VIENNA)


def test_many_problems_of_one_issue_stand_together() -> None:
    frame = issue(
        ("2026-03-01T08:00Z", "Open", "Doing"), ("2026-03-05T08:00Z", "Review", "Closed"), status="X", total=9
    )
    (problem,) = status_intervals(frame)["problem"].unique()
    assert problem.split("; ") == [
        "7 entries of the changelog are missing",
        "1 changes left a status that the one before had not led to",
        "1 changes are dated before created",
        "changes end in Closed, the issue is in X",
    ]


def test_neighbouring_intervals_never_have_one_status() -> None:
    found = status_intervals(to_versions(some := random_histories(random.Random(9), 100), landing_times(some)))
    for _, one in found.groupby("id"):
        assert all(a != b for a, b in pairwise(one["status"].fillna("")))
