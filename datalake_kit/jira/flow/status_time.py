"""Where the time of issues goes: time in each status, and the share of active time. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from datalake_kit.errors import ParameterError
from datalake_kit.jira.flow.cycle_times import (
    FINISHED,
    Spans,
    find_cycles,
    find_leads,
    measure_spans,
    span_instants,
    start_and_done,
)
from datalake_kit.jira.flow.stretches import (
    Flags,
    Histories,
    Measured,
    Names,
    Rows,
    Runs,
    Seconds,
    from_micros,
    read_histories,
)
from datalake_kit.jira.history.calendar import NO_INSTANT, WorkingCalendar
from datalake_kit.jira.history.phases import check_phases


def time_in_status(
    df: pd.DataFrame, *, by: Literal["status", "phase"] = "status", changes: pd.DataFrame | None = None,
    calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Measure how long each issue has been in each status, or phase, over all its visits.

    Rule. All time counts, from the creation of an issue to the end of what is known, so that the seconds of an issue
    add up to its age.

    - Reopened or sent back: a status that is entered again gets the time of all its visits; `visits` says how many.
    - Skipped: a status that an issue was never in has no row.
    - Open: the status that an issue is in now counts up to `until`; done issues stay in their done status, and its time
      grows on.
    - Missing: a status without a phase is refused by `by="phase"`, and is a status like others by `by="status"`. Time
      before the first version of an issue, in which its status is not known, has a row without a status.

    A visit ends when another status begins; a change from a status to itself ends none.

    Parameters
    ----------
    df, changes, calendar, phases, until
        As `cycle_times`.
    by
        "status" or "phase".

    Returns
    -------
    DataFrame
        One row an issue and status, those of an issue in order of their first visit: `id`, `key`, `status` (or
        `phase`), `visits`, `first_entered`, `last_left` (NaT: it is there now), `is_current`, `seconds`, `seconds_low`,
        `seconds_high`, `days`, `days_low`, `days_high`. Where the instants are not exact, low and high are the sums of
        the bounds of the visits.

    Raises
    ------
    DataError
        As `cycle_times`.
    ParameterError
        `by` is neither.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> found = time_in_status(example_issues())
    >>> found.loc[found["key"] == "A-2", ["status", "visits", "days"]].values.tolist()
    [['To Do', 1, 1.0], ['In Progress', 2, 2.0], ['Done', 1, 4.0]]
    """
    histories = read_histories(df, changes=changes, calendar=calendar, phases=phases, until=until)
    codes, names = number_labels(histories, by)
    runs = histories.runs(codes)
    group, which = pd.factorize(runs.issue * max(len(names), 1) + runs.label)  # in order of the first visit
    issue, label = np.divmod(which, max(len(names), 1))
    last_run = _last_of(group, len(which))
    current = runs.last[last_run] == histories.last[issue]
    measured = histories.measure(runs.starts, runs.ends).add_up(group, len(which))
    return pd.DataFrame(
        {
            **{name: values.iloc[issue].reset_index(drop=True) for name, values in histories.about().items()},
            by: pd.Series(names.take(label), dtype="str"),
            "visits": np.bincount(group, minlength=len(which)),
            "first_entered": from_micros(runs.starts.at[_first_of(group, len(which))]),
            "last_left": from_micros(np.where(current, NO_INSTANT, runs.ends.at[last_run])),
            "is_current": current,
            **measured.columns("", histories.a_day),
        }
    )


def _first_of(group: Rows, count: int) -> Rows:
    found = np.empty(count, np.int64)
    found[group[::-1]] = np.arange(len(group))[::-1]
    return found


def _last_of(group: Rows, count: int) -> Rows:
    found = np.empty(count, np.int64)
    found[group] = np.arange(len(group))
    return found


def number_labels(histories: Histories, by: str) -> tuple[Rows, pd.Index[Any]]:
    """Statuses or phases of the intervals as numbers in order of appearance, and their names; NaN for a missing one."""
    if by not in ("status", "phase"):
        raise ParameterError(f'by={by!r} is neither "status" nor "phase".')
    if by == "phase":
        check_phases(histories.frame)
    codes, names = pd.factorize(histories.frame[by], use_na_sentinel=False)
    return codes.astype(np.int64), pd.Index(names, dtype=object)


def flow_efficiency(
    df: pd.DataFrame, *, active: Names, start: Names = "In Progress", done: Names = "Done",
    over: Literal["cycle", "lead"] = "cycle", changes: pd.DataFrame | None = None,
    calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Measure which share of its cycle (or lead) time each issue was worked on.

    Rule. Efficiency is active time divided by all time from start to finish, as `cycle_times` (or `lead_times`) has
    them. Time in an `active` status is active, all other time in between is waiting.

    - Reopened: time in a done status before the last finish is waiting.
    - Skipped, open: no efficiency; `outcome` says which.
    - Started and finished at the same instant: no efficiency, for there was no time to share.
    - Missing: as `cycle_times`.

    Of many issues together it is the sum of `active_seconds` by the sum of `seconds`, not the mean of the shares. Jira
    knows only the status: an issue that is in progress while nobody works on it looks active.

    Parameters
    ----------
    df, start, done, changes, calendar, phases, until
        As `cycle_times`.
    active
        Statuses in which issues are worked on (or a phase); the queues between them are to be left out.
    over
        "cycle": from the first entry into `start`. "lead": from the creation; `start` is not used.

    Returns
    -------
    DataFrame
        One row an issue: `id`, `key`, `started_at`, `finished_at`, `outcome`, `active_seconds`, `waiting_seconds`,
        `seconds`, each with `_low` and `_high`, `efficiency` (0 to 1), `efficiency_low`, `efficiency_high`. NaN unless
        finished.

    Raises
    ------
    DataError, ParameterError
        As `cycle_times`; or `over` is neither.

    Source
    ------
    N. Talai, "Flow Efficiency" (valueglide.com, 2017): the sum of the time in work states as a share of the sum of the
    time in work and in wait states.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> flow_efficiency(example_issues(), active="In Progress", over="lead")[["key", "efficiency"]].values.tolist()
    [['A-1', 0.75], ['A-2', nan], ['A-3', nan]]
    """
    if over not in ("cycle", "lead"):
        raise ParameterError(f'over={over!r} is neither "cycle" nor "lead".')
    histories = read_histories(df, changes=changes, calendar=calendar, phases=phases, until=until)
    spans = _find_spans(histories, start, done, over)
    within, working = _within(histories, spans), histories.inside(active)
    runs = histories.runs(within.astype(np.int64) * 2 + working)
    lasted = histories.measure(runs.starts, runs.ends)
    active_time, waiting_time = (_sum_where(lasted, runs, runs.label == label, histories.count) for label in (3, 2))
    finished = spans.outcome == FINISHED
    started_at, finished_at = (from_micros(edges.at) for edges in span_instants(histories, spans))
    measures = {
        **active_time.columns("active_"),
        **waiting_time.columns("waiting_"),
        **measure_spans(histories, spans).columns(""),
        **_shares(active_time, waiting_time),
    }
    return pd.DataFrame(
        {
            **histories.about(),
            "started_at": started_at,
            "finished_at": finished_at,
            "outcome": pd.Series(spans.outcome, dtype="str"),
            **{name: np.where(finished, values, np.nan) for name, values in measures.items()},
        }
    )


def _find_spans(histories: Histories, start: Names, done: Names, over: str) -> Spans:
    if over == "lead":
        return find_leads(histories, histories.inside(done))
    return find_cycles(histories, *start_and_done(histories, start, done))


def _within(histories: Histories, spans: Spans) -> Flags:
    """Which intervals lie between start and finish of a finished issue."""
    both = (spans.start >= 0) & (spans.finish >= 0)
    first, end = np.where(both, spans.start, 0), np.where(both, spans.finish, 0)
    place = np.arange(len(histories.issue))
    found: Flags = (place >= first[histories.issue]) & (place < end[histories.issue])
    return found


def _sum_where(lasted: Measured, runs: Runs, chosen: Flags, count: int) -> Measured:
    kept = Measured(lasted.seconds[chosen], lasted.low[chosen], lasted.high[chosen])
    return kept.add_up(runs.issue[chosen], count)


def _shares(part: Measured, rest: Measured) -> dict[str, Seconds]:
    """Part of the whole, and between which bounds; a bound of which there is no whole is the share itself: 0 or 1."""
    share = _share(part.seconds, rest.seconds, np.full(len(part.seconds), np.nan))
    low, high = _share(part.low, rest.high, share), _share(part.high, rest.low, share)
    return {"efficiency": share, "efficiency_low": low, "efficiency_high": high}


def _share(part: Seconds, rest: Seconds, otherwise: Seconds) -> Seconds:
    whole = part + rest
    return np.divide(part, whole, out=otherwise.copy(), where=whole > 0)
