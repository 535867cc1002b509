"""How old the work is that has started and is not done. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.flow.cycle_times import (
    FINISHED,
    IN_PROGRESS,
    Spans,
    find_cycles,
    measure_spans,
    span_instants,
    start_and_done,
)
from datalake_kit.jira.flow.stretches import (
    Edges,
    Histories,
    Names,
    Seconds,
    from_micros,
    read_histories,
    read_instants,
)
from datalake_kit.jira.history.calendar import WorkingCalendar


def aging_work(
    df: pd.DataFrame, *, at: Any = None, start: Names = "In Progress", done: Names = "Done",
    changes: pd.DataFrame | None = None, calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """List the issues that had started and were not done at an instant, the oldest first, beside past cycle times.

    Rule. Age is the time from the first entry into `start` to `at`. `percentile` is the share of the cycle times known
    at `at` that were this long or shorter: at 85, only 15 % of the finished issues took longer than this one already
    has. Everything is as it was at `at`: later finishes, and later reopenings, are not known then.

    - Reopened: open again, its age runs from its first start.
    - Sent back before it was done: it is still started, and is listed with the status it is in.
    - Skipped: an open issue that was never in `start` has no age and is not listed.
    - Open: what this is about; done issues give the cycle times, as `cycle_times` has them.
    - Missing: a status without a phase is refused, when phases are asked for.

    Parameters
    ----------
    df, start, done, changes, calendar, phases, until
        As `cycle_times`.
    at
        An instant with zone (a text is UTC). None: the end of what is known.

    Returns
    -------
    DataFrame
        One row an issue: `id`, `key`, `status` and `phase` (at `at`), `started_at`, `entered_status_at`, `at`,
        `age_seconds`, `age_days`, each with `_low` and `_high`, `status_age_days` (in its present status),
        `percentile` (0 to 100; NaN when none was finished), `past_issues` (how many cycle times it rests on).

    Raises
    ------
    DataError
        `at` is no instant with zone, or lies after the end of what is known; and as `cycle_times`.

    Source
    ------
    "The Kanban Pocket Guide", chapter 6 (prokanban.org): the age of an item is the time that has passed since it
    started.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> aging_work(example_issues())[["key", "status", "age_days", "percentile"]].values.tolist()
    [['A-2', 'In Progress', 6.0, 100.0]]
    """
    histories = read_histories(df, changes=changes, calendar=calendar, phases=phases, until=until)
    moment = _read_moment(at, histories)
    started, ended = start_and_done(histories, start, done)
    known = histories.starts.at <= moment
    then = histories.at(moment)
    return _describe(then, find_cycles(then, started[known], ended[known]), moment)


def _read_moment(at: Any, histories: Histories) -> int:
    if at is None:
        return histories.until
    moment = int(read_instants(at)[0])
    if histories.count and moment > histories.until:
        known = pd.Timestamp(histories.until, unit="us", tz="UTC")
        raise DataError(f"at={at} lies after {known}, the end of what is known. Give an earlier one, or until= too.")
    return moment


def _describe(histories: Histories, spans: Spans, moment: int) -> pd.DataFrame:
    past = np.sort(measure_spans(histories, spans).seconds[spans.outcome == FINISHED])
    aging = np.flatnonzero(spans.outcome == IN_PROGRESS)
    started = span_instants(histories, spans)[0].take(aging)
    now = np.full(len(aging), moment)
    age = histories.measure(started, Edges(now, now, now))
    entered = _enter_status(histories).take(aging)
    about = histories.about(("id", "key", "status", "phase"))
    rows = pd.DataFrame(
        {
            **{name: values.iloc[aging].array for name, values in about.items()},
            "started_at": from_micros(started.at),
            "entered_status_at": from_micros(entered.at),
            "at": from_micros(now),
            **age.columns("age_", histories.a_day),
            "status_age_days": histories.measure(entered, Edges(now, now, now)).seconds / histories.a_day,
            "percentile": _rank(past, age.seconds),
            "past_issues": len(past),
        }
    )
    return rows.sort_values(["started_at", "id"], kind="stable", ignore_index=True)


def _enter_status(histories: Histories) -> Edges:
    """When each issue entered the status it is in."""
    codes = pd.factorize(histories.frame["status"])[0].astype(np.int64)
    runs = histories.runs(codes)
    return runs.starts.take(np.isin(runs.last, histories.last))


def _rank(past: Seconds, ages: Seconds) -> npt.NDArray[np.float64]:
    """Share of past cycle times, in percent, that were at most so long."""
    if not len(past):
        return np.full(len(ages), np.nan)
    return np.searchsorted(past, ages, side="right") / len(past) * 100
