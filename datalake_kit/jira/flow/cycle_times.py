"""Cycle time and lead time of issues. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, ParameterError
from datalake_kit.jira.flow.periods import check_percentiles, nearest_rank
from datalake_kit.jira.flow.stretches import (
    Edges,
    Flags,
    Histories,
    Measured,
    Names,
    Rows,
    from_micros,
    read_histories,
)
from datalake_kit.jira.history.calendar import NO_INSTANT, WorkingCalendar

FINISHED, IN_PROGRESS, NOT_STARTED, SKIPPED, OPEN = "finished", "in progress", "not started", "skipped start", "open"


def cycle_times(
    df: pd.DataFrame, *, start: Names = "In Progress", done: Names = "Done", changes: pd.DataFrame | None = None,
    calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Measure how long each issue took from its first start to its last finish.

    Rule. An issue starts when it first enters `start`, and it finishes when it enters `done` for the last time, if it
    has stayed there up to the end of what is known; moves from one done status to another do not move its finish.

    - Reopened: the time in between counts, finished or not; an issue that is open again is in progress, and its earlier
      finishes are gone. `reopened` says how often it left `done`.
    - Sent back before it was done: the clock runs on from the first start.
    - Skipped: an issue that is done without ever having been in `start` has a finish and no cycle time ("skipped
      start").
    - Open: no cycle time yet; its age is in `aging_work`.
    - Missing: a status without a phase is refused, when phases are asked for. Time before the first version of an
      issue, in which its status is not known, is in no phase; a start or finish after it may be as early as the
      creation.

    Where the history comes from the differences between versions, the instants are not exact; `*_low` and `*_high` are
    what they allow. What was done and undone between two versions has left no trace and is in no bound.

    Parameters
    ----------
    df
        Issues with their changelog, versions of issues, or what `status_intervals` gave; see `status_intervals`.
    start, done
        A phase ("To Do", "In Progress", "Done"), a status by name or id, or a list; what is called like a phase is the
        phase. No status may be in both.
    changes, calendar, phases, until
        As `status_intervals` takes them. With a calendar the seconds are working seconds, and a day has
        `calendar.seconds_a_day` of them; without, a day has 86,400 s.

    Returns
    -------
    DataFrame
        One row an issue, in order of `id`: `id`, `key`; `status` and `phase` (the present ones); `created`,
        `started_at`, `finished_at` (NaT when not); `outcome` ("finished", "in progress", "not started", "skipped
        start"); `seconds`, `seconds_low`, `seconds_high`, `days`, `days_low`, `days_high` (of finished issues, else
        NaN); `reopened`; `exact` (its instants are known exactly); `problem` (of its history, as `status_intervals` has
        it).

    Raises
    ------
    DataError
        No history, a status without a phase (the message has a mapping to paste), an unknown status, or intervals
        that are not whole.
    ParameterError
        A status is in `start` and in `done`.

    Source
    ------
    "The Kanban Pocket Guide", chapter 6 (prokanban.org): cycle time is the time that passes from when an item started
    to when it finished; where that is, the process has to define.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> cycle_times(example_issues())[["key", "outcome", "days"]].values.tolist()
    [['A-1', 'finished', 3.0], ['A-2', 'in progress', nan], ['A-3', 'not started', nan]]
    """
    histories = read_histories(df, changes=changes, calendar=calendar, phases=phases, until=until)
    return describe_spans(histories, find_cycles(histories, *start_and_done(histories, start, done)))


def lead_times(
    df: pd.DataFrame, *, done: Names = "Done", changes: pd.DataFrame | None = None,
    calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Measure how long each issue took from its creation to its last finish.

    Rule. As `cycle_times`, with its creation as the start: so every issue has started, and none skips it. Outcomes are
    "finished" and "open" (reopened issues that are open again among them).

    Parameters
    ----------
    df, done, changes, calendar, phases, until
        As `cycle_times`.

    Returns
    -------
    DataFrame
        The columns of `cycle_times`; `started_at` equals `created`.

    Raises
    ------
    DataError
        As `cycle_times`.

    Source
    ------
    None that all agree on: what is called lead time differs by where it begins. Here it begins with the creation of the
    issue, which Jira always knows.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> lead_times(example_issues())[["key", "outcome", "days"]].values.tolist()
    [['A-1', 'finished', 4.0], ['A-2', 'open', nan], ['A-3', 'open', nan]]
    """
    histories = read_histories(df, changes=changes, calendar=calendar, phases=phases, until=until)
    return describe_spans(histories, find_leads(histories, histories.inside(done)))


def cycle_percentiles(cycles: pd.DataFrame, percentiles: Sequence[float] = (50, 70, 85, 95)) -> pd.DataFrame:
    """Say within how many days what share of the finished issues was done.

    Rule. Nearest rank: the smallest cycle time that at least p percent of the issues did not exceed. Issues that are
    not finished, or skipped the start, have none and do not count.

    Parameters
    ----------
    cycles
        What `cycle_times` or `lead_times` gave.
    percentiles
        Above 0, at most 100.

    Returns
    -------
    DataFrame
        `percentile`, `days`, `issues` (how many this rests on). Without any finished issue `days` is NaN.

    Raises
    ------
    ColumnNotFoundError
        `cycles` has no `days`.
    DataError
        A percentile that is none.

    Source
    ------
    D. Vacanti, "Actionable Agile Metrics for Predictability" (2015), on percentiles of the cycle time scatterplot.

    Examples
    --------
    >>> cycle_percentiles(pd.DataFrame({"days": [1.0, 2.0, 3.0, 10.0, None]}), [50, 85]).to_dict("records")
    [{'percentile': 50.0, 'days': 2.0, 'issues': 4}, {'percentile': 85.0, 'days': 10.0, 'issues': 4}]
    """
    if "days" not in cycles.columns:
        raise ColumnNotFoundError("The frame has no column 'days'. Give what dk.jira.cycle_times(...) returns.")
    asked, days = check_percentiles(percentiles), cycles["days"].dropna().to_numpy(np.float64)
    found = nearest_rank(days, asked) if len(days) else np.full(len(asked), np.nan)
    return pd.DataFrame({"percentile": asked, "days": found, "issues": len(days)})


@dataclass(frozen=True)
class Spans:
    """Where the clock of each issue starts and finishes: places of intervals, -1 where it does not.

    `start` is the interval that begins at the start, `finish` the one that begins at the finish.
    """

    start: Rows
    finish: Rows
    outcome: npt.NDArray[np.object_]
    reopened: Rows


def start_and_done(histories: Histories, start: Names, done: Names) -> tuple[Flags, Flags]:
    """Which intervals are in `start` and in `done`; none may be in both."""
    started, ended = histories.inside(start), histories.inside(done)
    both = started & ended
    if both.any():
        name = histories.frame["status"].iloc[int(np.flatnonzero(both)[0])]
        raise ParameterError(f"The status {name!r} is in start={start!r} and in done={done!r}: it can be in one only.")
    return started, ended


def find_cycles(histories: Histories, started: Flags, ended: Flags) -> Spans:
    """From the first entry into what is started to the last entry into what is ended."""
    first, finish = _first_inside(histories, started), _last_entry(histories, ended)
    words = np.where(finish >= 0, [SKIPPED], [NOT_STARTED])
    words = np.where(first >= 0, np.where(finish >= 0, [FINISHED], [IN_PROGRESS]), words)
    return Spans(first, finish, words.astype(object), _count_leaving(histories, ended))


def find_leads(histories: Histories, ended: Flags) -> Spans:
    """From the creation to the last entry into what is ended."""
    finish = _last_entry(histories, ended)
    outcome = np.where(finish >= 0, [FINISHED], [OPEN]).astype(object)
    return Spans(histories.first, finish, outcome, _count_leaving(histories, ended))


def _first_inside(histories: Histories, inside: Flags) -> Rows:
    """Place of the first interval of each issue that is inside, or -1."""
    places = np.where(inside, np.arange(len(inside)), len(inside))
    found = _reduce(np.minimum, places, histories)
    return np.where(found < len(inside), found, -1)


def _last_entry(histories: Histories, inside: Flags) -> Rows:
    """Place of the interval that begins the stretch inside in which each issue is now, or -1."""
    outside = np.where(inside, -1, np.arange(len(inside)))
    found = np.maximum(_reduce(np.maximum, outside, histories) + 1, histories.first)
    return np.where(found <= histories.last, found, -1)


def _reduce(how: np.ufunc, values: Rows, histories: Histories) -> Rows:
    return how.reduceat(values, histories.first) if histories.count else np.zeros(0, np.int64)


def _count_leaving(histories: Histories, inside: Flags) -> Rows:
    """How often each issue went from inside to outside."""
    left = inside[:-1] & ~inside[1:] & (histories.issue[:-1] == histories.issue[1:])
    return np.bincount(histories.issue[:-1][left], minlength=histories.count)


def _edge(edges: Edges, places: Rows) -> Edges:
    """The instants at these places, none where the place is -1."""
    return edges.each(lambda side: np.where(places >= 0, side[places], NO_INSTANT) if len(side) else side)


def measure_spans(histories: Histories, spans: Spans) -> Measured:
    """How long each issue took; NaN without start or finish."""
    return histories.measure(_edge(histories.starts, spans.start), _edge(histories.starts, spans.finish))


def span_instants(histories: Histories, spans: Spans) -> tuple[Edges, Edges]:
    """When the clock of each issue starts and finishes."""
    return _edge(histories.starts, spans.start), _edge(histories.starts, spans.finish)


def describe_spans(histories: Histories, spans: Spans) -> pd.DataFrame:
    """One row an issue."""
    started, finished = span_instants(histories, spans)
    exact = (started.low == started.high) & (finished.low == finished.high)
    return pd.DataFrame(
        {
            **histories.about(("id", "key", "status", "phase")),
            "created": from_micros(histories.starts.at[histories.first]),
            "started_at": from_micros(started.at),
            "finished_at": from_micros(finished.at),
            "outcome": pd.Series(spans.outcome, dtype="str"),
            **histories.measure(started, finished).columns("", histories.a_day),
            "reopened": spans.reopened,
            "exact": exact,
            **histories.about(["problem"]),
        }
    )
