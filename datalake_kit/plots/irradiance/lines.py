"""A series over time, against the clear sky; its diffuse and its direct part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.judging.solar import clear_sky
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import PointSeries, prepare, require_frame

__all__ = ["components", "draw_components", "draw_series", "prepare_components", "series"]

CLEAR_SKY_MODEL = "Ineichen/Perez, monthly turbidity"  # in short; the long name is with the model
_DENSE = pd.Timedelta(minutes=15)  # the clear sky is drawn at least this often
_CURVES = pd.Timedelta(days=62)  # in longer series a curve a day is a blot: its highest value is drawn
_UNITS = {"day": "kWh/m² per day", "month": "kWh/m² per month"}
Period = Literal["step", "day", "month"]


def series(
    frame: pd.DataFrame,
    column: str = "ghi",
    *,
    clear: bool = True,
    tz: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Draw a series against the clear sky: W/m2 over time, from 0. The line stops at each gap, which is shaded.

    Parameters
    ----------
    frame : DataFrame
        One point, as `dk.irradiance.read` gives it.
    column : str
        In W/m2: ghi, dhi, dni ...
    clear : bool
        Draw what a clear sky would give at the instant that each value holds for (for means: the middle of the step);
        for ghi of a known place only. Of more than 62 days the highest value of each UTC day is drawn.
    tz : str
        The zone of the axis; named on it.
    ax : Axes, optional
        A new figure when not given.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        Several points, times without a zone, or no value.
    ColumnNotFoundError
        No such column.

    Notes
    -----
    Of more values than the picture has pixels, the lowest and highest of each pixel are drawn, and every gap.

    Examples
    --------
    >>> ax = series(frame.loc["2025-06-15":"2025-06-19"])       # doctest: +SKIP
    >>> ax.figure.savefig("turin.png")                          # doctest: +SKIP
    """
    point = prepare(frame, column, tz)
    with style.style():
        ax = style.axes(ax)
        draw_series(ax, point, clear=clear)
        labels.set_title(ax, point, labels.component(column).name)
        labels.place_legend(ax)
    return ax


def draw_series(ax: Axes, point: PointSeries, *, clear: bool = True) -> None:
    """Draw gaps, values and clear sky on axes from 0."""
    how, times = labels.component(point.column), labels.date_numbers(point.index)
    marks.shade_gaps(ax, times, point.array)
    width = 1.4 if len(times) < 1500 else 0.9 if len(times) < 5000 else 0.4
    marks.draw_line(
        ax, times, point.array, color=how.colour, linestyle=how.dashes, linewidth=width, label=how.short, zorder=3
    )
    highest = float(np.nanmax(point.array))
    if clear and point.column == "ghi" and point.located:
        highest = max(highest, _draw_clear_sky(ax, point))
    ax.set_xlim(times[0], times[-1] + point.step / pd.Timedelta(days=1))
    labels.use_values(ax, highest, "W/m²")
    labels.use_time(ax, point.tz)


def _draw_clear_sky(ax: Axes, point: PointSeries) -> float:
    """Draw the clear sky, and return its highest value."""
    long = point.index[-1] - point.index[0] > _CURVES
    sky = _highest_of_days(point) if long else _dense_sky(point)
    when = ", at scan time" if point.instantaneous and point.place.get("scan_offset_seconds") else ""
    what = "clear sky, highest of each day" if long else "clear sky"
    ax.plot(
        labels.date_numbers(pd.DatetimeIndex(sky.index)), sky.to_numpy(), color=style.CLEAR_SKY, linestyle=(0, (4, 2)),
        linewidth=1.1, label=f"{what} ({CLEAR_SKY_MODEL}{when})", zorder=3.5 if long else 2,
    )  # fmt: skip
    return float(sky.max())


def _highest_of_days(point: PointSeries) -> pd.Series:
    """Return the highest clear sky of each whole UTC day, at its noon."""
    days = point.sky.groupby(point.index.floor("D"))
    whole = days.size() >= int(pd.Timedelta(days=1) / point.step)
    found = days.max()[whole]
    return found.set_axis(pd.DatetimeIndex(found.index) + pd.Timedelta(hours=12))


def _dense_sky(point: PointSeries) -> pd.Series:
    if point.step <= _DENSE:
        return point.sky
    times = pd.date_range(point.index[0], point.index[-1], freq=_DENSE)
    place = point.place
    return clear_sky(
        times,
        place["latitude"],
        place["longitude"],
        altitude=place.get("altitude"),
        offset_seconds=point.offset_seconds,
    )["ghi_clear"]


def components(frame: pd.DataFrame, period: Period | None = None, *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
    """Draw the diffuse and the direct part on the horizontal, one on the other: together they are GHI.

    Parameters
    ----------
    frame : DataFrame
        One point with dhi, and bhi or ghi, in W/m2.
    period : {"step", "day", "month"}, optional
        W/m2 at each step, or kWh/m2 per UTC day or month, hatched where under 90 % of the daylight steps were seen. By
        default steps up to 31 days, days up to a year and a month, months beyond.
    tz : str
        The zone of the axis; for steps only.
    ax : Axes, optional

    Examples
    --------
    >>> components(frame.loc["2025-06-15":"2025-06-19"])       # doctest: +SKIP
    """
    point = prepare_components(frame, tz)
    period = _period_for(point) if period is None else period
    if period not in ("step", *_UNITS):
        raise ParameterError(f"No such period: {period!r}. Give step, day or month.")
    if period in _UNITS:
        point = replace(point, tz="UTC")
    with style.style():
        ax = style.axes(ax)
        keys = draw_components(ax, point, period)
        labels.set_title(ax, point, "diffuse and direct irradiance on the horizontal")
        labels.place_legend(ax, keys)
    return ax


def prepare_components(frame: pd.DataFrame, tz: str = "UTC") -> PointSeries:
    """Return a point with dhi, bhi and their sum as `both`; a step counts when both parts are there."""
    require_frame(frame, ("dhi",))
    if "bhi" not in frame and "ghi" not in frame:
        raise ColumnNotFoundError("The frame has neither bhi nor ghi: the direct part is ghi - dhi.")
    point = prepare(frame, "dhi", tz, needs=("bhi",) if "bhi" in frame else ("ghi",))
    dhi = point.frame["dhi"]
    bhi = point.frame["bhi"] if "bhi" in frame else point.frame["ghi"] - dhi
    both = dhi + bhi
    if not both.notna().any():
        raise DataError("There is nothing to draw: at no step are dhi and bhi both there.")
    parts = point.frame.assign(dhi=dhi.where(both.notna()), bhi=bhi.where(both.notna()), both=both)
    parts.attrs = frame.attrs
    return PointSeries(parts, "both", tz)


def _period_for(point: PointSeries) -> Period:
    long = point.index[-1] - point.index[0]
    return "step" if long <= pd.Timedelta(days=31) else "day" if long <= pd.Timedelta(days=397) else "month"


def draw_components(ax: Axes, point: PointSeries, period: Period) -> list[Patch]:
    """Draw both parts, and return the signs for a legend."""
    parts = [("dhi", "diffuse (DHI)", style.DHI), ("bhi", "direct on the horizontal (BHI)", style.DNI)]
    keys = [Patch(facecolor=c, edgecolor=c, alpha=0.75, label=text) for _, text, c in parts[::-1]]
    if period == "step":
        _stack_steps(ax, point, parts)
        return [*keys, marks.missing_key()] if point.values.isna().any() else keys
    hatched = _stack_periods(ax, point, parts, period)
    return [*keys, marks.bar_key(labels.ENOUGH, style.NEUTRAL, hatched=True)] if hatched else keys


def _stack_steps(ax: Axes, point: PointSeries, parts: list[tuple[str, str, str]]) -> None:
    times = labels.date_numbers(point.index)
    marks.shade_gaps(ax, times, point.array)
    low = np.zeros(len(times))
    for name, text, colour in parts:
        high = low + point.frame[name].to_numpy(float)
        there = np.isfinite(high)
        ax.fill_between(
            times,
            low,
            high,
            where=there,
            facecolor=colour,
            edgecolor=colour,
            alpha=0.75,
            linewidth=0.5,
            label=text,
            gid=name,
        )
        low = high
    ax.set_xlim(times[0], times[-1] + point.step / pd.Timedelta(days=1))
    labels.use_values(ax, float(np.nanmax(low)), "W/m²")
    labels.use_time(ax, point.tz)


def _stack_periods(ax: Axes, point: PointSeries, parts: list[tuple[str, str, str]], period: Period) -> bool:
    """Draw bars of energy, and return whether one is hatched."""
    low: Any = 0.0
    hatched = False
    for name, _, colour in parts:
        table = energy(point.frame, period, name)
        edges = marks.edges_of(pd.DatetimeIndex(table.index), period)
        high = low + table["energy"].to_numpy(float)
        hatched = marks.draw_judged_bars(ax, edges, low, high, table["complete"].to_numpy(bool), colour)
        low = high
    marks.limit_days(ax, edges)
    labels.use_values(ax, float(np.nanmax(low)), _UNITS[period])
    labels.use_time(ax, "UTC")
    if period == "day":
        labels.use_days(ax, pd.Timestamp(table.index[0]).tz_localize(None), len(table))
    return hatched
