"""How many issues were finished in each day, week or month. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.jira.flow.cycle_times import find_leads, span_instants
from datalake_kit.jira.flow.periods import Frequency, Instants, check_periods, period_bounds
from datalake_kit.jira.flow.stretches import Edges, Histories, Micros, Names, Rows, from_micros, read_histories


def throughput(
    df: pd.DataFrame, *, freq: Frequency = "W", zone: str = "UTC", done: Names = "Done",
    changes: pd.DataFrame | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Count the issues that were finished in each period.

    Rule. An issue counts in the period in which it entered `done` for the last time, if it has stayed there, as
    `cycle_times` has it. Periods without a finish are there, with zero.

    - Reopened: it counts once, when it was last finished; while it is open again it counts nowhere, so a past figure
      falls when an issue is reopened.
    - Skipped: how it came to be done does not matter.
    - Open: does not count.
    - Missing: a status without a phase is refused, when `done` is a phase.

    All issues of the frame count, epics and sub-tasks among them: choose those that are meant first. Then `until` says
    how long nothing more of them was finished; without it the history ends at the last thing that is known of them.

    Parameters
    ----------
    df, done, changes, phases, until
        As `cycle_times`.
    freq
        "D", "W" (from Monday) or "M".
    zone
        Time zone in whose midnights periods begin.

    Returns
    -------
    DataFrame
        One row a period, from the first creation to `until`: `period_start`, `period_end` (not part of it), `finished`,
        `finished_low`, `finished_high` (finished in it for certain, and possibly), `complete` (it lies within what is
        known: not when it began before the first creation, nor the current one), `freq`, `zone`.

    Raises
    ------
    DataError
        As `cycle_times`; or no such `freq` or `zone`.

    Source
    ------
    "The Kanban Pocket Guide", chapter 6 (prokanban.org): throughput is how many items finish in a unit of time, by
    count and not by size.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> throughput(example_issues(), freq="D")["finished"].to_list()      # from the 2nd to the 10th
    [0, 0, 0, 0, 1, 0, 0, 0, 0]
    """
    check_periods(freq, zone)
    histories = read_histories(df, changes=changes, phases=phases, until=until, durations=False)
    spans = find_leads(histories, histories.inside(done))
    bounds = known_bounds(histories, freq, zone)
    finishes = span_instants(histories, spans)[1].take(spans.finish >= 0)
    counted, low, high = _count(bounds, finishes)
    begin, end = bounds[:-1], bounds[1:]
    first, last = (np.int64(moment).view("M8[us]") for moment in known_times(histories))
    return pd.DataFrame(
        {
            "period_start": from_micros(begin.view(np.int64)),
            "period_end": from_micros(end.view(np.int64)),
            "finished": counted,
            "finished_low": low,
            "finished_high": high,
            "complete": (begin >= first) & (end <= last),
            "freq": pd.Series([freq] * len(begin), dtype="str"),
            "zone": pd.Series([zone] * len(begin), dtype="str"),
        }
    )


def known_times(histories: Histories) -> tuple[int, int]:
    """The first creation, and the end of what is known."""
    return int(histories.starts.at.min(initial=histories.until)), histories.until


def known_bounds(histories: Histories, freq: str, zone: str) -> Instants:
    """Borders of the periods from the first creation to the end of what is known; none without issues."""
    if not histories.count:
        return np.zeros(0, "M8[us]")
    first, last = (pd.Timestamp(moment, unit="us", tz="UTC") for moment in known_times(histories))
    return period_bounds(first, last, freq, zone)


def _count(bounds: Instants, moments: Edges) -> tuple[Rows, Rows, Rows]:
    """How many moments lie in each period: as they are, for certain, and possibly."""
    periods = max(len(bounds) - 1, 0)
    borders = bounds.view(np.int64)
    at, low, high = (_place(borders, side) for side in (moments.at, moments.low, moments.high))
    counted = np.bincount(at, minlength=periods)
    certain = np.bincount(low[low == high], minlength=periods)
    began, over = np.bincount(low, minlength=periods), np.bincount(high, minlength=periods)
    possible = np.cumsum(began) - np.cumsum(over) + over
    return counted, certain, possible


def _place(borders: Micros, moments: Micros) -> Rows:
    """In which period; what happens at the very end of what is known belongs to the last one."""
    place = np.searchsorted(borders, moments, side="right") - 1
    return np.clip(place, 0, max(len(borders) - 2, 0))
