"""How long finished work took."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.errors import DataError
from datalake_kit.jira.flow.cycle_times import cycle_percentiles
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import (
    join_percentiles,
    name_beside,
    name_line,
    new_axes,
    period_of,
    plain_days,
    require,
    scope_of,
    set_title,
    spread,
    use_counts,
    use_dates,
)

_STYLES = ("--", "-.", ":", (0, (1, 1)), (0, (5, 1)))
_MOST_BINS = 40


def cycle_time_scatter(
    cycles: pd.DataFrame, ax: Axes | None = None, *, percentiles: Sequence[float] = (50, 85, 95),
    scope: str | None = None,
) -> Axes:  # fmt: skip
    """Draw each finished issue: when it was done, and how long it took, with lines at percentiles.

    A line through a point shows between which times it may have taken, where its history is known from versions only.

    Parameters
    ----------
    cycles
        What `dk.jira.cycle_times` or `lead_times` gives: `key`, `finished_at`, `outcome`, `days` (`days_low`,
        `days_high`). Only finished issues are drawn; the title counts the others.
    ax
        Where to draw; None: a new figure.
    percentiles
        Which lines, each with its number of days: so many % of the issues took at most so long.
    scope
        Whose issues these are, for the title.

    Returns
    -------
    matplotlib.axes.Axes
        Where a few issues took many times as long as the others, these are triangles at the upper edge, and counted.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        No issue is finished.

    Examples
    --------
    >>> done = pd.to_datetime(["2026-01-05", "2026-01-09"], utc=True)
    >>> work = {"key": ["A-1", "A-2"], "finished_at": done, "outcome": "finished", "days": [2.0, 4.0]}
    >>> [text.get_text() for text in cycle_time_scatter(pd.DataFrame(work), percentiles=[50]).texts]
    ['50 %: 2.0 days']
    """
    done = _finished(cycles)
    most = _shown(done)
    ax = new_axes(ax, 4.2)
    with style.style():
        _points(ax, done, most)
        use_counts(ax, "days", most)
        use_dates(ax, done["finished_at"])
        _percentile_lines(ax, done, percentiles, most)
        set_title(ax, *_titles("Cycle time", cycles, done, scope), _cut(done, most))
    return ax


def cycle_time_histogram(
    cycles: pd.DataFrame, ax: Axes | None = None, *, percentiles: Sequence[float] = (50, 85, 95),
    scope: str | None = None,
) -> Axes:  # fmt: skip
    """Draw how many finished issues took how many days, with lines at percentiles.

    Parameters
    ----------
    cycles, ax, percentiles, scope
        As of `cycle_time_scatter`.

    Returns
    -------
    matplotlib.axes.Axes
        Bars of whole days, from the lower bound on; wider ones where there would be more than 40.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        No issue is finished.

    Examples
    --------
    >>> done = pd.to_datetime(["2026-01-05", "2026-01-09"], utc=True)
    >>> work = {"key": ["A-1", "A-2"], "finished_at": done, "outcome": "finished", "days": [2.0, 2.5]}
    >>> [int(bar.get_height()) for bar in cycle_time_histogram(pd.DataFrame(work)).patches]
    [0, 0, 2]
    """
    done = _finished(cycles)
    most = _shown(done)
    days = done["days"].to_numpy(np.float64)
    width = max(1, math.ceil((math.floor(most) + 1) / _MOST_BINS))
    edges = np.arange(0, math.floor(most) + 1 + width, width)
    counts, _ = np.histogram(days, edges)
    ax = new_axes(ax, 4.2)
    with style.style():
        ax.bar(edges[:-1], counts, width, align="edge", color=style.MISSING, edgecolor=style.TEXT, linewidth=0.6)
        use_counts(ax, "issues", float(counts.max()))
        ax.set_xlim(0, float(edges[-1]))
        ax.set_xlabel(f"days, a bar is {width} day{'s' if width > 1 else ''} wide")
        lines = _percentiles(done, percentiles)
        heights = spread(np.linspace(0.97, 0.75, len(lines))[::-1], 0.07, 0.1, 0.97)[::-1]
        for n, (names, value) in enumerate(lines):
            ax.axvline(value, color=style.DNI, linestyle=_STYLES[n % len(_STYLES)])
            name_line(ax, f"{names}: {plain_days(value)}", value, heights[n], right=value > 0.75 * edges[-1])
        set_title(ax, *_titles("Cycle times", cycles, done, scope), _cut(done, float(edges[-1])))
    return ax


def _finished(cycles: pd.DataFrame) -> pd.DataFrame:
    require(cycles, "finished_at", "outcome", "days")
    done = cycles[(cycles["outcome"] == "finished") & cycles["days"].notna()]
    if done.empty:
        raise DataError(f"None of the {len(cycles)} issues is finished, so there is no time to draw. Is `done` right?")
    return done


def _titles(what: str, cycles: pd.DataFrame, done: pd.DataFrame, scope: str | None) -> tuple[str, str]:
    others = cycles["outcome"][cycles["outcome"] != "finished"].value_counts()
    left_out = "".join(f", {number:,} {outcome}" for outcome, number in others.items())
    uncertain = ""
    if {"days_low", "days_high"} <= set(done.columns):
        number = int((done["days_low"] < done["days_high"]).sum())
        uncertain = f", {number:,} of them between bounds" if number else ""
    said = f"{scope_of(done, noun='finished issue')}{uncertain}, {period_of(done['finished_at'])}{left_out}"
    return f"{what}{f', {scope}' if scope else ''}", said


def _shown(done: pd.DataFrame) -> float:
    """Up to how many days the picture goes: a few issues that took far longer would leave no room for the others."""
    days = done["days"].to_numpy(np.float64)
    high = done["days_high"].to_numpy(np.float64) if "days_high" in done.columns else days
    most = 2.5 * float(np.quantile(days, 0.95))
    return most if float(days.max()) > 1.6 * most and most > 0 else float(np.nanmax(high))


def _cut(done: pd.DataFrame, most: float) -> str:
    above = done["days"] > most
    if not above.any():
        return ""
    longest = plain_days(float(done["days"].max()))
    return f"{int(above.sum())} of more than {plain_days(most)}, up to {longest}, lie outside"


def _points(ax: Axes, done: pd.DataFrame, most: float) -> None:
    many = len(done) > 500
    if {"days_low", "days_high"} <= set(done.columns):
        wide = done[(done["days_low"] < done["days_high"]) & (done["days_low"] <= most)]
        ends = wide["finished_at"], wide["days_low"], wide["days_high"].clip(upper=most * 1.05)
        ax.vlines(*ends, color=style.NEUTRAL, linewidth=1.4, zorder=1)
    within = done[done["days"] <= most]
    ax.scatter(within["finished_at"], within["days"], 10 if many else 26, style.PASS, alpha=0.45 if many else 0.8,
               zorder=2, linewidths=0)  # fmt: skip
    above = done[done["days"] > most]
    ax.scatter(above["finished_at"], [most * 1.05] * len(above), 30, style.FAIL, marker="^", zorder=2)


def _percentiles(done: pd.DataFrame, percentiles: Sequence[float]) -> list[tuple[str, float]]:
    found = cycle_percentiles(done, percentiles)
    return join_percentiles(found["percentile"].tolist(), found["days"].tolist())


def _percentile_lines(ax: Axes, done: pd.DataFrame, percentiles: Sequence[float], most: float) -> None:
    lines = _percentiles(done, percentiles)
    top = max(most, 1.0) * 1.08
    places = spread([value / top for _, value in lines], 0.05, 0.02, 1.0)
    for n, (names, value) in enumerate(lines):
        ax.axhline(value, color=style.DNI, linestyle=_STYLES[n % len(_STYLES)], linewidth=1.2, zorder=3)
        name_beside(ax, f"{names}: {plain_days(value)}", value / top, places[n])
