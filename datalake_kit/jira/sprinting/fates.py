"""What became of each issue of each sprint. Pure; the rules are stated in sprint_report and sprint_scope."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.history.calendar import to_micros
from datalake_kit.jira.history.steps import Codes, Flags, Micros
from datalake_kit.jira.sprinting.memberships import SprintHistory
from datalake_kit.jira.sprinting.walk import Walk, walk

NEVER = np.iinfo(np.int64).min  # the instant that is none (NaT)


@dataclass(frozen=True)
class Measured:
    """The pairs of issue and sprint that can be measured, and their walks."""

    history: SprintHistory
    sprints: pd.DataFrame  # as in the history, with measured_at, is_over and problem
    pairs: Codes  # rows of the history's pairs, sub-tasks left out unless they count
    left_out: npt.NDArray[np.int64]  # sub-tasks that are not counted, by sprint
    walk: Walk

    @classmethod
    def of(cls, history: SprintHistory, subtasks: bool) -> Measured:
        """Walk every pair whose sprint has begun."""
        sprints = _measurable(history.sprints, history.until)
        starts, ends = to_micros(sprints["start"]), to_micros(sprints["measured_at"])
        pairs = np.flatnonzero(ends[history.pair_sprint] != NEVER)
        walked = _walk(history, pairs, starts, ends)
        there = walked.joined >= 0
        subtask = history.issues["is_subtask"].to_numpy(dtype=bool)[history.pair_issue[pairs]] & (not subtasks)
        left_out = np.bincount(history.pair_sprint[pairs[there & subtask]], minlength=len(sprints))
        pairs = pairs[there & ~subtask]
        return cls(history, sprints, pairs, left_out, _walk(history, pairs, starts, ends))

    @property
    def issue(self) -> Codes:
        """The issue of each pair."""
        return self.history.pair_issue[self.pairs]

    @property
    def sprint(self) -> Codes:
        """The sprint of each pair."""
        return self.history.pair_sprint[self.pairs]

    @cached_property
    def unsure_at(self) -> tuple[Flags, Flags]:
        """Whether the state of each pair is uncertain at the start of its sprint, and at the end."""
        ends = to_micros(self.sprints["measured_at"])[self.sprint]
        return self._unsure(to_micros(self.sprints["start"])[self.sprint]), self._unsure(ends)

    def _unsure(self, at: Micros) -> Flags:
        history = self.history
        unsure = history.member.unsure(self.pairs, at)
        for steps in (history.done, history.points, history.unseen):
            unsure |= steps.unsure(self.issue, at)
        return unsure


def _walk(history: SprintHistory, pairs: Codes, starts: Micros, ends: Micros) -> Walk:
    sprint = history.pair_sprint[pairs]
    member = history.member.of_things(pairs)
    return walk(history.pair_issue[pairs], starts[sprint], ends[sprint], member, history.done, history.points)


def _measurable(sprints: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Up to which instant each sprint is measured; NaT and a reason where it cannot be."""
    over = sprints["completed"].where(sprints["completed"].notna() | (sprints["state"] != "closed"), sprints["end"])
    is_over = over.notna() & (over <= until)
    measured_at = over.where(is_over, until)
    state = sprints["state"]
    reasons = {
        "its dates are not known: no issue that is in it now tells them; give them by sprints=": state.isna()
        & sprints["start"].isna(),
        "it has not begun": (state == "future") | (sprints["start"] > until),
        "it has no start": sprints["start"].isna(),
        "it is closed, and its end is not known; give it by sprints=": (state == "closed") & over.isna(),
        "it ends before it starts": measured_at < sprints["start"],
    }
    notes = {
        "closed without an instant of completion: measured at its planned end": is_over & sprints["completed"].isna()
    }
    problem = pd.Series(index=sprints.index, dtype="str")
    for reason, applies in {**notes, **dict(reversed(reasons.items()))}.items():
        problem = problem.mask(applies.fillna(False), reason)
    bad = pd.concat(list(reasons.values()), axis=1).fillna(False).any(axis=1)
    return sprints.assign(measured_at=measured_at.mask(bad), is_over=is_over, problem=problem)


def fates(measured: Measured) -> pd.DataFrame:
    """One row an issue of a sprint, with the columns of `sprint_scope` and `sprint` as the row of the sprint."""
    walked, history = measured.walk, measured.history
    entry, last, left = walked.entry, walked.last, walked.left
    at_first = np.where(entry >= 0, entry, walked.joined)
    done_before = entry < 0
    removed = ~done_before & (left >= 0)
    completed = ~done_before & walked.completed[last]
    outside = done_before | (~removed & ~completed & walked.done[last])
    over = measured.sprints["is_over"].to_numpy()[measured.sprint]
    fate = np.select(
        [removed, completed, outside, over], ["removed", "completed", "completed outside", "carried over"], "open"
    )
    origin = np.select([done_before, walked.is_first[at_first]], ["done before", "committed"], "added")
    at_last = np.where(removed, left, last)
    start_points, end_points = walked.points[at_first], walked.points[at_last]
    unsure_start, unsure_end = measured.unsure_at
    issue = history.issues.iloc[measured.issue].reset_index(drop=True)
    return pd.DataFrame(
        {
            "sprint": measured.sprint, "id": issue["id"], "key": issue["key"],
            "origin": pd.Series(origin, dtype="str"), "fate": pd.Series(fate, dtype="str"),
            "joined": instants(_joined(measured, at_first)),
            "added_at": instants(np.where(origin == "added", walked.at[at_first], NEVER)),
            "removed_at": instants(np.where(removed, walked.at[at_last], NEVER)),
            "completed_at": instants(_completed_at(measured, completed | outside)),
            "reopened": walked.count(walked.before(walked.done) & ~walked.done & walked.member),
            "points_at_start": start_points, "points_at_end": end_points,
            "reestimated": np.where(done_before, np.nan, _difference(start_points, end_points)),
            "uncertain": unsure_start | unsure_end,
            "uncertain_at": pd.Series(_where_unsure(unsure_start, unsure_end), dtype="str"),
            "problem": _problems(measured, issue["problem"]),
        }
    )  # fmt: skip


def _joined(measured: Measured, rows: Codes) -> Micros:
    steps = measured.history.member
    return steps.at[steps.rows(measured.pairs, measured.walk.at[rows])]


def _completed_at(measured: Measured, wanted: Flags) -> Micros:
    """When the issue was finished that is done at the end; of one that was taken out done, at its end there."""
    steps = measured.history.done
    rows = steps.rows(measured.issue, measured.walk.at[measured.walk.last])
    finished = wanted & steps.pick(rows, False).astype(bool)
    return np.where(finished, np.append(steps.at, NEVER)[rows], NEVER)


def _difference(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much an estimate grew; one that is missing is nothing, but a change from nothing to nothing is missing."""
    grown = np.nan_to_num(after) - np.nan_to_num(before)
    return np.where(np.isnan(before) & np.isnan(after), np.nan, grown)


def _where_unsure(start: Flags, end: Flags) -> npt.NDArray[Any]:
    words = np.select([start & end, start, end], ["start, end", "start", "end"], "").astype(object)
    words[~start & ~end] = None
    return words


def _problems(measured: Measured, of_issue: pd.Series[str]) -> pd.Series[str]:
    text = "the changelog and the issue disagree on whether it was in the sprint at last"
    disagree = measured.history.contradicted[measured.pairs]
    return of_issue.mask(disagree, of_issue.add("; " + text).fillna(text)).astype("str")


def instants(micros: Micros) -> pd.Series[Any]:
    """Microseconds as instants; NEVER is none."""
    return pd.Series(micros.astype("datetime64[us]")).dt.tz_localize("UTC")


def require_measurable(sprints: pd.DataFrame) -> None:
    """Refuse when no sprint can be measured, and say why.

    Raises
    ------
    DataError
        With the reason of each of the first sprints.
    """
    if sprints["measured_at"].notna().any():
        return
    told = [f"{row.sprint_id} ({row.sprint}): {row.problem}" for row in sprints.head(5).itertuples()]
    raise DataError(f"None of {len(sprints)} sprints can be measured. {'. '.join(told)}.")
