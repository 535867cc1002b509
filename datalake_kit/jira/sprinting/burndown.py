"""Burndown and burnup of a sprint, change by change or at regular instants. Pure: frames in, frames out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ParameterError
from datalake_kit.jira.history.calendar import WorkingCalendar, check_calendar, to_micros
from datalake_kit.jira.history.steps import Flags, Micros
from datalake_kit.jira.sprinting.fates import NEVER, Measured, instants, require_measurable
from datalake_kit.jira.sprinting.memberships import Request, gather

_UNITS = ("issues", "points")
_REASONS = ("added", "removed", "completed", "reopened", "re-estimated")


def burndown(
    df: pd.DataFrame, sprint: int | str, changes: pd.DataFrame | None = None, *, freq: str | None = None,
    calendar: WorkingCalendar | None = None, points: str | None = None, done: Any = "Done", phases: Any = None,
    sprints: pd.DataFrame | None = None, sprint_field: str | None = None, subtasks: bool = False, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Follow what remains of a sprint from its start to its end: a value holds from its instant to the next one.

    Remaining is what is in the sprint and not done, completed is what is in it and was finished in it (see
    `sprint_report`), scope is both. Each change of an issue is one of: "added" (put into the sprint), "removed",
    "completed", "reopened", "re-estimated"; a change of the scope is any but "completed" and the reopening of what was
    completed in the sprint. What was done before it came, and stays so, is in none of them. An issue without an
    estimate counts as an issue, with 0 points; sub-tasks are left out unless `subtasks`.

    Parameters
    ----------
    df, sprint, changes, points, done, phases, sprints, sprint_field, subtasks, until
        As in `sprint_scope`.
    freq
        None: a row for each change. Else a row for each step, "D" or any fixed frequency of pandas as "h": values at
        the start, at each multiple (midnight is that of the zone of `calendar`, else UTC), and at the end.
    calendar
        The ideal falls in its working time alone. None: in all time.

    Returns
    -------
    DataFrame
        By time: `sprint_id`, `sprint`, `at`; of each change `reason`, `id`, `key` ("start" first; last "end", or "now"
        where the sprint is not over; then "planned end" where that is later, with nothing but the ideal); `remaining_`,
        `completed_`, `scope_` and `ideal_`, each `issues` and `points` (float64; points missing where no estimate is
        known); `change_remaining_`, `change_scope_` of both, and `uncertain` (the interval in which the change took
        place reaches out of the sprint). The ideal falls from the commitment at the start to 0 at the planned end; it
        is missing where that is not known, or holds no working time. With `freq`, `changes` and `reasons` ("2
        completed, 1 added") since the row before stand in place of the columns of one change.

    Raises
    ------
    ColumnNotFoundError, DataError
        As `sprint_scope` does.
    ParameterError
        `freq`, `calendar` or `sprint` is none.

    Source
    ------
    "Items that are added to the Sprint after its beginning are shown as scope change", those removed and those with a
    new estimate too: https://jira.atlassian.com/browse/JSWSERVER-4768; what is counted, sub-tasks and the guideline:
    https://confluence.atlassian.com/jirasoftwarecloud/burndown-chart-777002653.html

    Examples
    --------
    >>> burndown(issues.frame(), "Sprint 7", freq="D")[["at", "remaining_points"]]    # doctest: +SKIP
    """
    check_calendar(calendar)
    request = Request(points, done, phases, sprints, sprint_field, subtasks, until)
    measured = Measured.of(gather(df, changes, request, sprint), subtasks)
    require_measurable(measured.sprints)
    course = _Course(measured, calendar)
    return course.by_change() if freq is None else course.by_step(freq)


def burnup(
    df: pd.DataFrame, sprint: int | str, changes: pd.DataFrame | None = None, *, freq: str | None = None,
    calendar: WorkingCalendar | None = None, points: str | None = None, done: Any = "Done", phases: Any = None,
    sprints: pd.DataFrame | None = None, sprint_field: str | None = None, subtasks: bool = False, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Follow what is completed of a sprint beside its scope: the same as `burndown`, drawn from below.

    Parameters
    ----------
    df, sprint, changes, freq, calendar, points, done, phases, sprints, sprint_field, subtasks, until
        As in `burndown`.

    Returns
    -------
    DataFrame
        As `burndown` gives, but without what remains; `change_completed_` in place of `change_remaining_`; the ideal
        rises from 0 at the start to the commitment at the planned end.

    Raises
    ------
    ColumnNotFoundError, DataError, ParameterError
        As `burndown` does.

    Source
    ------
    https://support.atlassian.com/jira-software-cloud/docs/view-and-understand-the-team-managed-burnup-report/

    Examples
    --------
    >>> burnup(issues.frame(), "Sprint 7")[["at", "completed_points", "scope_points"]]    # doctest: +SKIP
    """
    found = burndown(
        df, sprint, changes, freq=freq, calendar=calendar, points=points, done=done, phases=phases, sprints=sprints,
        sprint_field=sprint_field, subtasks=subtasks, until=until,
    )  # fmt: skip
    for unit in _UNITS:
        found[f"ideal_{unit}"] = found[f"scope_{unit}"].iloc[0] - found[f"ideal_{unit}"]
        if freq is None:
            change = found[f"change_scope_{unit}"] - found[f"change_remaining_{unit}"]
            found = found.rename(columns={f"change_remaining_{unit}": f"change_completed_{unit}"})
            found[f"change_completed_{unit}"] = change
    return found.drop(columns=[f"remaining_{unit}" for unit in _UNITS])


@dataclass(frozen=True)
class _Course:
    """One sprint from its start to its end."""

    measured: Measured
    calendar: WorkingCalendar | None

    @cached_property
    def about(self) -> pd.Series[Any]:
        return self.measured.sprints.iloc[0]

    @cached_property
    def changes(self) -> pd.DataFrame:
        """Each change of an issue in the sprint that changes what remains, what is completed or the scope."""
        walked, history = self.measured.walk, self.measured.history
        issue = history.issues.iloc[self.measured.issue[walked.pair]].reset_index(drop=True)
        reason = _reasons(self.measured)
        found = pd.DataFrame({"at": walked.at, "reason": pd.Series(reason, dtype="str"), **issue[["id", "key"]]})
        for unit in _UNITS:
            weight = np.nan_to_num(walked.points) if unit == "points" else np.ones(len(walked.at))
            remaining, completed = walked.open * weight, walked.completed * weight
            found[f"change_remaining_{unit}"] = _steps(remaining, walked.is_first)
            found[f"change_scope_{unit}"] = _steps(remaining + completed, walked.is_first)
        found["uncertain"] = self._unsure()
        kept = found[pd.Series(reason != "") & ~walked.is_first]
        return kept.sort_values("at", kind="stable").reset_index(drop=True)

    def _unsure(self) -> Flags:
        """Whether the step behind a row may have taken place before the start or after the end."""
        walked, history = self.measured.walk, self.measured.history
        issue = self.measured.issue[walked.pair]
        pair = self.measured.pairs[walked.pair]
        begin, end = (to_micros(self.measured.sprints[name])[0] for name in ("start", "measured_at"))
        unsure = np.zeros(len(walked.at), dtype=bool)
        for steps, codes in ((history.member, pair), (history.done, issue), (history.points, issue)):
            rows = steps.rows(codes, walked.at)
            if len(steps.at):
                own = (rows >= 0) & (steps.at[rows] == walked.at)
                unsure |= own & ((steps.low[rows] < begin) | (steps.high[rows] > end))
        return unsure

    @cached_property
    def start(self) -> dict[str, float]:
        """What remains at the start: the commitment."""
        walked = self.measured.walk
        first = walked.first[:-1]
        there = walked.open[first]
        return {"issues": float(there.sum()), "points": float(np.nan_to_num(walked.points[first])[there].sum())}

    def by_change(self) -> pd.DataFrame:
        begin, end, planned = (to_micros(self.measured.sprints[n])[0] for n in ("start", "measured_at", "end"))
        closing = "end" if self.about["is_over"] else "now"
        rows = [self._row("start", begin), self.changes, self._row(closing, end)]
        found = pd.concat(rows, ignore_index=True)
        for unit in _UNITS:
            for measure in ("remaining", "scope"):
                values = self.start[unit] + found[f"change_{measure}_{unit}"].cumsum()
                found[f"{measure}_{unit}"] = values.round(9)
        if planned > end:
            found = pd.concat([found, self._row("planned end", planned)], ignore_index=True)
        return self._shape(
            found, ["reason", "id", "key"], [f"change_{m}_{u}" for u in _UNITS for m in ("remaining", "scope")]
        )

    def _row(self, reason: str, at: int) -> pd.DataFrame:
        changes = {name: [0.0] for name in self.changes.columns if name.startswith("change_")}
        return pd.DataFrame(
            {"at": [at], "reason": [reason], "id": [None], "key": [None], **changes, "uncertain": [False]}
        ).astype({"reason": "str", "id": "str", "key": "str"})

    def by_step(self, freq: str) -> pd.DataFrame:
        table = self.by_change()
        at = to_micros(table["at"])
        ticks = self._ticks(freq, at)
        measured = to_micros(self.measured.sprints["measured_at"])[0]
        rows = np.searchsorted(at, np.minimum(ticks, measured), side="right") - 1
        last = int(np.flatnonzero(table["reason"].isin(["end", "now"]))[0])
        found = table.iloc[np.minimum(rows, last)].reset_index(drop=True).assign(at=ticks)
        values = [f"{measure}_{unit}" for unit in _UNITS for measure in ("remaining", "scope")]
        found.loc[ticks > measured, values] = np.nan
        place = np.searchsorted(ticks, at, side="left")
        told = [_tell(table["reason"][place == n]) for n in range(len(ticks))]
        found["changes"], found["reasons"] = [n for n, _ in told], pd.Series([text for _, text in told], dtype="str")
        return self._shape(found, [], ["changes", "reasons"])

    def _ticks(self, freq: str, at: Micros) -> Micros:
        """The instants of the rows: the start, the multiples in between, the end, the planned end."""
        zone = self.calendar.zone if self.calendar else "UTC"
        first, last = instants(at[[0, -1]]).dt.tz_convert(zone)
        try:
            if not isinstance(freq, str) or pd.tseries.frequencies.to_offset(freq).n < 1:
                raise ValueError("it does not go forward")
            grid = pd.date_range(first.floor(freq, ambiguous=True, nonexistent="shift_forward"), last, freq=freq)
        except ValueError as error:
            raise ParameterError(
                f'freq={freq!r} is no fixed frequency of pandas, such as "D" or "h" ({error}).'
            ) from error
        inside = to_micros(grid)
        inside = inside[(inside > at[0]) & (inside < at[-1])]
        closing = to_micros(self.measured.sprints["measured_at"])
        return np.unique(np.concatenate([at[[0, -1]], closing, inside]))

    def _shape(self, found: pd.DataFrame, before: list[str], behind: list[str]) -> pd.DataFrame:
        share = self._share(found["at"].to_numpy(dtype=np.int64))
        for unit in _UNITS:
            found[f"completed_{unit}"] = (found[f"scope_{unit}"] - found[f"remaining_{unit}"]).round(9)
            found[f"ideal_{unit}"] = self.start[unit] * (1 - share)
        if self.measured.history.points_field is None:
            found[[c for c in found.columns if c.endswith("_points")]] = np.nan
        found["at"] = instants(found["at"].to_numpy(dtype=np.int64))
        found["sprint_id"], found["sprint"] = int(self.about["sprint_id"]), self.about["sprint"]
        values = [f"{m}_{u}" for m in ("remaining", "completed", "scope") for u in _UNITS]
        tail = [*behind, "ideal_issues", "ideal_points", *(["uncertain"] if before else [])]
        return found[["sprint_id", "sprint", "at", *before, *values, *tail]].astype({"sprint": "str"})

    def _share(self, at: Micros) -> npt.NDArray[np.float64]:
        """Which part of the planned time has passed at each instant, 0 to 1."""
        begin, planned = (to_micros(self.measured.sprints[name])[0] for name in ("start", "end"))
        if planned == NEVER or planned <= begin:
            return np.full(len(at), np.nan)
        now = np.clip(at, begin, planned)
        if self.calendar is None:
            share: npt.NDArray[np.float64] = (now - begin) / (planned - begin)
            return share
        every = np.append(now, planned)
        worked = self.calendar.seconds_between(np.full(len(every), begin).view("M8[us]"), every.view("M8[us]"))
        return worked[:-1] / worked[-1] if worked[-1] > 0 else np.full(len(at), np.nan)


def _steps(values: npt.NDArray[np.float64], is_first: Flags) -> npt.NDArray[np.float64]:
    """By how much each row differs from the one before it; nothing at the start."""
    return np.where(is_first, 0.0, values - np.roll(values, 1))


def _reasons(measured: Measured) -> npt.NDArray[np.str_]:
    """What each row of the walk is, "" where nothing of the sprint changes."""
    walked = measured.walk
    state = np.where(walked.open, 1, np.where(walked.completed, 2, 0))
    earlier = np.where(walked.is_first, state, np.roll(state, 1))
    points = np.nan_to_num(walked.points)
    estimate = (state > 0) & ~walked.is_first & (points != np.roll(points, 1))
    was_member = walked.before(walked.member)
    cases: list[tuple[Flags, str]] = [
        ((earlier == 0) & (state > 0) & was_member, "reopened"),
        ((earlier == 0) & (state > 0), "added"),
        ((earlier > 0) & (state == 0), "removed"),
        ((earlier == 1) & (state == 2), "completed"),
        ((earlier == 2) & (state == 1), "reopened"),
        (estimate, "re-estimated"),
    ]
    return np.select([case for case, _ in cases], [reason for _, reason in cases], "")


def _tell(reasons: pd.Series[str]) -> tuple[int, str | None]:
    counts = reasons[reasons.isin(_REASONS)].value_counts()
    text = ", ".join(f"{counts[reason]} {reason}" for reason in _REASONS if reason in counts)
    return int(counts.sum()), text or None
