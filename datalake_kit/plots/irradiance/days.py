"""Day by day: the hours of each day as colour, and the energy of each day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from datalake_kit.irradiance.deriving.energy import daily_energy as energy_by_day
from datalake_kit.irradiance.judging.solar import sun_times
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import PointSeries, prepare

__all__ = ["daily_energy", "draw_daily_energy", "draw_heatmap", "heatmap"]

_SUN = "#7FDBDA"
_DAY = pd.Timedelta(days=1)


def heatmap(frame: pd.DataFrame, column: str = "ghi", *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
    """Draw days across and hours up, the value as colour, with the lines of sunrise and sunset.

    Parameters are those of `series`. Missing steps have a colour of their own; what lies before the first and after the
    last step is white. In a zone with summer time the hour that occurs twice shows the mean of both, and the hour that
    is left out what came before it.

    Examples
    --------
    >>> heatmap(frame, tz="Europe/Rome")                        # doctest: +SKIP
    """
    point = prepare(frame, column, tz)
    with style.style():
        ax = style.axes(ax, height=4.4)
        draw_heatmap(ax, point)
        labels.set_title(ax, point, labels.component(column).name)
        lines, _ = ax.get_legend_handles_labels()
        labels.place_legend(ax, [*lines, marks.missing_key()] if point.values.isna().any() else lines)
    return ax


def draw_heatmap(ax: Axes, point: PointSeries) -> None:
    """Draw the image, its colour bar and the lines of the sun."""
    ax.grid(False)
    table = by_day_and_hour(point)
    days = pd.date_range(point.local[0].normalize(), point.local[-1].normalize(), freq="D")
    first = float(labels.date_numbers(days)[0])
    extent = (first, first + len(days), 0.0, len(table) * (point.step / pd.Timedelta(hours=1)))
    image = ax.imshow(
        np.ma.masked_invalid(table),
        origin="lower",
        aspect="auto",
        interpolation="none",
        extent=extent,
        cmap=colormaps["inferno"].with_extremes(bad=style.MISSING),
        vmin=0,
        vmax=max(float(np.nanmax(point.array)), 1.0),
    )
    marks.draw_scale(ax, image, "W/m²")
    _hide_outside(ax, point, extent)
    _draw_sun(ax, point, days)
    ax.set_xlim(extent[:2])
    ax.set_ylim(0, 24)
    ax.set_yticks(range(0, 25, 6 if ax.get_window_extent().height / ax.figure.dpi < 1.5 else 3))
    ax.set_ylabel(f"hour of the day, {point.tz}")
    labels.use_days(ax, days[0], len(days), label=False)


def by_day_and_hour(point: PointSeries) -> Any:
    """Return an array with a row for each step of a day and a column for each day, in the zone of the picture."""
    local, slots = point.local, int(np.ceil(_DAY / point.step))
    day = ((local.normalize() - local[0].normalize()) // _DAY).to_numpy()
    place = day * slots + ((local - local.normalize()) // point.step).to_numpy()
    size = (int(day[-1]) + 1) * slots
    there = np.isfinite(point.array)
    count = np.bincount(place[there], minlength=size)
    total = np.bincount(place[there], weights=point.array[there], minlength=size)
    mean = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
    _fill_skipped(mean, np.bincount(place, minlength=size) == 0, place)
    return mean.reshape(-1, slots).T


def _fill_skipped(mean: Any, absent: Any, place: Any) -> None:
    """Let the hour that summer time leaves out show what came before it: it is not missing, there was no such hour."""
    absent[: place[0]] = absent[place[-1] :] = False
    for at in np.flatnonzero(absent):
        mean[at] = mean[at - 1]


def _hide_outside(ax: Axes, point: PointSeries, extent: tuple[float, float, float, float]) -> None:
    """Leave white what lies before the first step and after the last: nothing is missing there."""
    before, after = point.local[0], point.local[-1] + point.step
    hours = (before - before.normalize()) / pd.Timedelta(hours=1)
    until = (after - point.local[-1].normalize()) / pd.Timedelta(hours=1)
    for left, low, high in ((extent[0], 0.0, hours), (extent[1] - 1, until, 24.0)):
        if high > low:
            ax.add_patch(Rectangle((left, low), 1, high - low, facecolor="white", linewidth=0, gid="outside"))


def _draw_sun(ax: Axes, point: PointSeries, days: pd.DatetimeIndex) -> None:
    if not point.located:
        return
    around = days.union([days[0] - _DAY, days[-1] + _DAY])  # so that the lines reach the edges, and one day has lines
    midnights = around.tz_localize(point.tz, nonexistent="shift_forward", ambiguous=np.ones(len(around), bool))
    times = sun_times(midnights, point.place["latitude"], point.place["longitude"])
    middle = labels.date_numbers(around) + 0.5
    for name, dashes in (("sunrise", (0, (1, 1.2))), ("sunset", (0, (5, 2)))):
        local = times[name].dt.tz_localize(None)
        hours = ((local - local.dt.normalize()) / pd.Timedelta(hours=1)).to_numpy(float)
        jump = np.abs(np.diff(hours, prepend=hours[0])) > 12  # passes midnight: no line down the picture
        ax.plot(
            middle, np.where(jump, np.nan, hours), color=_SUN, linestyle=dashes, linewidth=1.6, label=name, gid=name
        )


def daily_energy(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw the energy of each UTC day in kWh/m2; days with less than 90 % of their daylight steps are hatched.

    Parameters are those of `series`; the numbers those of `dk.irradiance.daily_energy`.

    Examples
    --------
    >>> daily_energy(frame)                                     # doctest: +SKIP
    """
    point = prepare(frame, column)
    how = labels.component(column)
    with style.style():
        ax = style.axes(ax, height=3.6)
        hatched = draw_daily_energy(ax, point)
        labels.set_title(ax, point, f"energy a day of {how.name}")
        keys = [marks.bar_key("complete", how.colour), marks.bar_key(labels.ENOUGH, how.colour, hatched=True)]
        labels.place_legend(ax, keys if hatched else keys[:1])
    return ax


def draw_daily_energy(ax: Axes, point: PointSeries) -> bool:
    """Draw the bars, and return whether one is hatched."""
    days = energy_by_day(point.frame, point.column)
    index = pd.DatetimeIndex(days.index)
    edges = marks.edges_of(index, "day")
    high, complete = days["energy"].to_numpy(float), days["complete"].to_numpy(bool)
    hatched = marks.draw_judged_bars(ax, edges, 0.0, high, complete, labels.component(point.column).colour)
    marks.limit_days(ax, edges)
    labels.use_values(ax, float(np.nanmax(high)), "kWh/m² per day")
    labels.use_days(ax, index[0].tz_localize(None), len(index))
    return hatched
