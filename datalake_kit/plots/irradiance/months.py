"""Month by month: how much a day brings, and how a day runs."""

from __future__ import annotations

import calendar
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.profiles import monthly as by_month
from datalake_kit.irradiance.deriving.profiles import typical_day
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import PointSeries, prepare

__all__ = ["daily_profile", "draw_daily_profile", "draw_monthly", "monthly"]


def monthly(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw for each month how much its days bring, in kWh/m2 per day: a box from the 25th to the 75th percentile.

    The line in the box is the median, the point the mean, the whiskers reach to the 10th and 90th percentile. A month
    of which less than 90 % of the daylight steps were seen is hatched. Parameters are those of `series`; the numbers
    those of `dk.irradiance.monthly`.

    Examples
    --------
    >>> monthly(frame)                                          # doctest: +SKIP
    """
    point = prepare(frame, column)
    with style.style():
        ax = style.axes(ax)
        keys = draw_monthly(ax, point)
        labels.set_title(ax, point, f"energy a day, by month, of {labels.component(column).name}")
        labels.place_legend(ax, keys, tick_lines=2)
    return ax


def draw_monthly(ax: Axes, point: PointSeries) -> list[Any]:
    """Draw the boxes, and return the signs for a legend."""
    table = by_month(point.frame, point.column)
    colour = labels.component(point.column).colour
    months = table[table["p50"].notna()]
    if months.empty:
        raise DataError("There is nothing to draw: no month has a complete day.")
    share = 0.6 * min(len(table) / 8, 1)  # a single month is no box as wide as the picture
    left, right = marks.edges_of(pd.DatetimeIndex(months.index), "month", share=share)
    numbers = {name: months[name].to_numpy(float) for name in ("p10", "p25", "p50", "p75", "p90", "mean_daily")}
    middle = (left + right) / 2
    inches = ax.get_window_extent().width / ax.figure.dpi
    size = min(4.5, 35 * inches / len(table))  # points: never wider than its box
    ax.vlines(middle, numbers["p10"], numbers["p90"], color=colour, linewidth=1.2, gid="whiskers")
    hatched = marks.draw_judged_bars(
        ax, (left, right), numbers["p25"], numbers["p75"], months["complete"].to_numpy(bool), colour
    )
    ax.hlines(numbers["p50"], left, right, color=style.TEXT, linewidth=1.6, gid="medians", zorder=3)
    ax.plot(
        middle, numbers["mean_daily"], "o", color="white", markeredgecolor=style.TEXT, markersize=size,
        markeredgewidth=min(1.0, size / 4), gid="means",
        zorder=4,
    )  # fmt: skip
    every = marks.edges_of(pd.DatetimeIndex(table.index), "month", share=1)
    ax.set_xlim(every[0][0], every[1][-1])
    labels.use_values(ax, float(np.nanmax([numbers["p90"], numbers["mean_daily"]])), "kWh/m² per day")
    _name_months(ax, pd.DatetimeIndex(table.index), (every[0] + every[1]) / 2)
    return _box_keys(colour, hatched)


def _box_keys(colour: str, hatched: bool) -> list[Any]:
    keys: list[Any] = [
        marks.bar_key("25th to 75th percentile", colour),
        Line2D([], [], color=colour, linewidth=1.2, label="10th to 90th"),
        Line2D([], [], color=style.TEXT, linewidth=1.6, label="median"),
        Line2D([], [], color="white", marker="o", markeredgecolor=style.TEXT, markersize=4.5, label="mean"),
    ]
    return [*keys, marks.bar_key("under 90 % of daylight seen", colour, hatched=True)] if hatched else keys


def _name_months(ax: Axes, months: pd.DatetimeIndex, middle: Any) -> None:
    """Name every month where there is room, else the first of each quarter or year, with the year below January."""
    room = ax.get_window_extent().width / ax.figure.dpi / 0.42
    every = next((n for n in (1, 3, 6) if len(months) / n <= room), 12)
    shown = [n for n, month in enumerate(months) if (month.month - 1) % every == 0] or [0]
    texts = [
        f"{calendar.month_abbr[months[n].month]}" + (f"\n{months[n].year}" if k == 0 or months[n].month == 1 else "")
        for k, n in enumerate(shown)
    ]
    ax.set_xticks(middle[shown], texts)
    ax.set_xlabel("UTC")


def daily_profile(frame: pd.DataFrame, column: str = "ghi", *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
    """Draw how a day of each month runs: the mean of each hour, and a band from the 10th to the 90th percentile.

    The months stand side by side in one picture, each from 0 to 24 h: twelve curves in one frame could not be told
    apart, twelve frames not be compared. Months of several years are taken together. Parameters are those of `series`,
    the numbers those of `dk.irradiance.typical_day`.

    Examples
    --------
    >>> daily_profile(frame, tz="Europe/Rome")                  # doctest: +SKIP
    """
    point = prepare(frame, column, tz)
    with style.style():
        ax = style.axes(ax, height=3.4)
        keys = draw_daily_profile(ax, point)
        labels.set_title(ax, point, f"mean day of each month of {labels.component(column).name}")
        labels.place_legend(ax, keys)
    return ax


def draw_daily_profile(ax: Axes, point: PointSeries) -> list[Any]:
    """Draw the months side by side, and return the signs for a legend."""
    table = typical_day(point.frame, point.column, tz=point.tz, percentiles=(10, 90))
    colour = labels.component(point.column).colour
    months = [int(m) for m in table.index.get_level_values("month").unique().sort_values()]
    days = [table.xs(month, level="month").sort_index() for month in months]
    hours = _apart([24.0 * number + day.index.to_numpy(float) for number, day in enumerate(days)])
    mean, low, high = (_apart([day[name].to_numpy(float) for day in days]) for name in ("mean", "p10", "p90"))
    there = np.isfinite(mean)
    ax.fill_between(hours, low, high, where=there, color=colour, alpha=0.3, linewidth=0, gid="band")
    marks.draw_line(ax, hours, mean, color=colour, linewidth=1.6, zorder=3, gid="mean")
    for border in range(1, len(months)):
        ax.axvline(24.0 * border, color=style.NEUTRAL, linewidth=0.6)
    ax.set_xlim(0, 24.0 * len(months))
    _name_profiles(ax, months, point.tz)
    labels.use_values(ax, float(np.nanmax(table[["mean", "p90"]].to_numpy(float))), "W/m²")
    return [
        Line2D([], [], color=colour, linewidth=1.6, label="mean"),
        Patch(color=colour, alpha=0.3, linewidth=0, label="10th to 90th percentile"),
    ]


def _apart(parts: list[Any]) -> Any:
    """Return the months in one array, with a gap after each: no line leads from one month to the next."""
    return np.concatenate([np.append(part, np.nan) for part in parts])


def _name_profiles(ax: Axes, months: list[int], tz: str) -> None:
    """Name the months in the middle of each; of few of them the hours, and the months at the top."""
    noon = [24.0 * n + 12 for n in range(len(months))]
    names = [calendar.month_abbr[m] for m in months]
    if len(months) > 3:
        ax.set_xticks(noon, names)
        ax.tick_params(axis="x", length=0)
        ax.set_xlabel(f"each month from 0 to 24 h, {tz}")
        return
    hours = [(n, h) for n in range(len(months)) for h in (0, 6, 12, 18)]
    ax.set_xticks([24.0 * n + h for n, h in hours], [str(h) for _, h in hours])
    ax.set_xlabel(f"hour of the day, {tz}")
    for number, name in enumerate(names):
        ax.text(
            24.0 * number + 0.5, 0.98, name, va="top", fontsize=style.SMALLEST_TEXT, transform=ax.get_xaxis_transform()
        )
