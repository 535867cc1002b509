"""Sprint reports: what a team committed to, what came and went, what was completed. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.jira.sprinting.fates import Measured, fates, require_measurable
from datalake_kit.jira.sprinting.memberships import Request, gather

_ABOUT = ("sprint_id", "sprint", "board_id", "state", "start", "end", "completed", "measured_at")
_SCOPE = (
    "id", "key", "sprint_id", "sprint", "origin", "fate", "joined", "added_at", "removed_at", "completed_at",
    "reopened", "points_at_start", "points_at_end", "reestimated", "uncertain", "uncertain_at", "problem",
)  # fmt: skip


def sprint_report(
    df: pd.DataFrame, changes: pd.DataFrame | None = None, *, points: str | None = None, done: Any = "Done",
    phases: Any = None, sprints: pd.DataFrame | None = None, sprint_field: str | None = None, subtasks: bool = False,
    until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Count for each sprint what was committed, added, removed, completed and carried over.

    Committed is what is in the sprint and not done at its start, at the estimate it has then. An issue that is open
    in the sprint only later is added, at its estimate of then: put in, or done before and reopened in the sprint.
    At the end (the completion of the sprint) an issue is removed when it is no longer in the sprint, completed when it
    is done and was finished while in the sprint and after its start, completed outside when it is done but was finished
    before it came or while it was out, and else carried over; all at their estimates at the end, removed ones at their
    estimate when they were last taken out. So of a reopened issue the last word counts, an issue that was taken out and
    put back is not removed, and it does not matter which statuses an issue skipped. An issue that is done from before
    it came until it goes is no work of the sprint: `done_before`, and completed outside whatever happens to it.
    `committed + added + done_before = completed + completed_outside + carried_over + removed` holds for issues, and for
    points with `reestimated` on the left.

    A change at the instant of the start belongs before it. Where completing a sprint takes it off an issue, Jira writes
    that some moments before `completed`: a change that takes an issue out for good and puts it into another sprint, at
    most one minute before the completion, is no removal. Issues without an estimate count as issues, in
    `unestimated_issues`, and with 0 points. Sub-tasks follow their parents and are not counted unless `subtasks`. An
    active sprint is measured at `until`; what is open then stands under carried over.

    Parameters
    ----------
    df
        Issues of `dk.jira.load(...).frame()` with their changelog, or their versions: then each change has an interval
        in which it took place, and an issue is uncertain whose state at the start or at the end depends on where in it.
    changes
        What `changelog(df)` gave, with the changes of all fields. None: it is made of `df`, and an issue whose
        changelog Jira cut short is a problem; of changes that are given `history_report` tells that.
    points
        Column of the estimate. None: the field named "Story Points" or "Story point estimate"; where there is none the
        points are missing.
    done, phases
        What counts as done: a phase, a status, or a list; and which phase each status is, see `status_intervals`.
    sprints
        Dates that the issues do not tell, as those of a sprint that no issue is in any more: `sprint_id`, and of
        `sprint`, `state`, `start`, `end`, `completed`, `board_id` what is known; goes before what the issues say. Which
        holds the sprint as it was when the issue came: of several the latest updated issue tells.
    sprint_field
        The field of sprints where there are several, see `sprints`.
    subtasks
        Count sub-tasks as issues of their own.
    until
        The instant up to which history is known. None: the latest in `df`. A sprint that ends later is still active.

    Returns
    -------
    DataFrame
        One row a sprint, by start: `sprint_id`, `sprint`, `board_id`, `state`, `start`, `end` (planned), `completed`,
        `measured_at`; `committed_issues`, `added_issues`, `done_before_issues`, `removed_issues`, `completed_issues`,
        of these `completed_committed_issues` and `completed_added_issues`, `completed_outside_issues`,
        `carried_over_issues` (Int64); the same of points (float64), and `reestimated_points`, by how much estimates
        grew in the sprint; `velocity` (completed points, or issues where no estimate is known);
        `unestimated_issues`, `reopened_issues`, `subtasks_left_out`, `uncertain_issues`, `problem_issues` (with a
        history that contradicts itself), `points_field`, `problem` (why a sprint cannot be measured:
        its measures are missing).

    Raises
    ------
    ColumnNotFoundError
        A column is missing; `points` names none.
    DataError
        No changelog, no sprint that can be measured, statuses without a phase, a changelog without ids of sprints;
        `changes` without those of sprints or statuses, where the issues show that there were some.

    Source
    ------
    Commitment: "the total estimate of all work items in the sprint when it begins", without those complete before,
    "Resolve Velocity Report and Sprint Report story point discrepancies", https://support.atlassian.com/jira/kb
    Completed outside: https://support.atlassian.com/jira-software-cloud/docs/reopen-a-sprint/
    Sub-tasks: https://confluence.atlassian.com/jirasoftwarecloud/burndown-chart-777002653.html

    Examples
    --------
    >>> sprint_report(issues.frame())[["sprint", "committed_points", "velocity"]]     # doctest: +SKIP
    """
    request = Request(points, done, phases, sprints, sprint_field, subtasks, until)
    measured = Measured.of(gather(df, changes, request), subtasks)
    require_measurable(measured.sprints)
    return _report(measured, fates(measured))


def sprint_scope(
    df: pd.DataFrame, sprint: int | str, changes: pd.DataFrame | None = None, *, points: str | None = None,
    done: Any = "Done", phases: Any = None, sprints: pd.DataFrame | None = None, sprint_field: str | None = None,
    subtasks: bool = False, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Tell what became of each issue of one sprint, by the rules of `sprint_report`.

    Parameters
    ----------
    df, changes, points, done, phases, sprints, sprint_field, subtasks, until
        As in `sprint_report`.
    sprint
        Its id, or its name where only one has it.

    Returns
    -------
    DataFrame
        One row for each issue that was in the sprint between its start and its end, in the order of `df`: `id`, `key`,
        `sprint_id`, `sprint`; `origin` ("committed", "added", "done before"); `fate` ("completed", "completed outside",
        "carried over", "removed"; "open" where the sprint is not over); `joined` (since when it was in the sprint when
        it became part of it), `added_at`, `removed_at`, `completed_at`; `reopened` (how often in the sprint);
        `points_at_start` (at the start of the sprint, or when it was added), `points_at_end` (or when it was removed),
        `reestimated` (the difference); `uncertain`, and `uncertain_at` ("start", "end", "start, end"); `problem`.

    Raises
    ------
    ColumnNotFoundError, DataError
        As `sprint_report` does, and when the sprint is not known or cannot be measured.

    Examples
    --------
    >>> sprint_scope(issues.frame(), "Sprint 7")[["key", "origin", "fate"]]           # doctest: +SKIP
    """
    request = Request(points, done, phases, sprints, sprint_field, subtasks, until)
    measured = Measured.of(gather(df, changes, request, sprint), subtasks)
    require_measurable(measured.sprints)
    about = measured.sprints.iloc[0]
    found = fates(measured).assign(sprint_id=about["sprint_id"], sprint=about["sprint"])
    return found[list(_SCOPE)].astype({"sprint": "str", "reopened": "int64"})


def _report(measured: Measured, rows: pd.DataFrame) -> pd.DataFrame:
    found = measured.sprints[list(_ABOUT)].copy()
    has_points = measured.history.points_field is not None
    groups = _groups(rows)
    is_measured = found["measured_at"].notna().to_numpy()

    def tally(which: pd.Series[bool], weight: pd.Series[float] | None = None) -> Any:
        weights = which if weight is None else weight.where(which).fillna(0.0)
        sums = np.bincount(rows["sprint"], weights=weights.astype(float), minlength=len(found))
        if weight is not None:
            return np.where(is_measured & has_points, sums.round(9), np.nan)
        return _masked(sums, is_measured)

    for name, (which, _) in groups.items():
        found[f"{name}_issues"] = tally(which)
    for name, (which, column) in groups.items():
        found[f"{name}_points"] = tally(which, rows[column])
    worked = rows["origin"] != "done before"
    found["reestimated_points"] = tally(worked, rows["reestimated"])
    found["velocity"] = found["completed_points"] if has_points else found["completed_issues"].astype("float64")
    found["unestimated_issues"] = tally(worked & rows["points_at_end"].isna())
    found["reopened_issues"] = tally(rows["reopened"] > 0)
    found["subtasks_left_out"] = _masked(measured.left_out, is_measured)
    found["uncertain_issues"] = tally(rows["uncertain"])
    found["problem_issues"] = tally(rows["problem"].notna())
    found["points_field"] = pd.Series(measured.history.points_field, index=found.index, dtype="str")
    found["problem"] = measured.sprints["problem"]
    return found


def _masked(numbers: Any, known: Any) -> pd.Series[Any]:
    return pd.Series(np.where(known, numbers, np.nan)).astype("Int64")


def _groups(rows: pd.DataFrame) -> dict[str, tuple[pd.Series[bool], str]]:
    """What is counted, and the column of the points that go with it."""
    completed, origin, fate = rows["fate"] == "completed", rows["origin"], rows["fate"]
    return {
        "committed": (origin == "committed", "points_at_start"),
        "added": (origin == "added", "points_at_start"),
        "done_before": (origin == "done before", "points_at_end"),
        "removed": (fate == "removed", "points_at_end"),
        "completed": (completed, "points_at_end"),
        "completed_committed": (completed & (origin == "committed"), "points_at_end"),
        "completed_added": (completed & (origin == "added"), "points_at_end"),
        "completed_outside": (fate == "completed outside", "points_at_end"),
        "carried_over": (fate.isin(["carried over", "open"]), "points_at_end"),
    }
