"""What is missing, and what cannot be: availability by day, values against the limits of BSRN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.irradiance.deriving.availability import availability as steps_seen
from datalake_kit.irradiance.judging.quality import above_limit, upper_limit
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import PointSeries, prepare, require_frame
from datalake_kit.plots.lettering import short_name

__all__ = ["availability", "draw_availability", "draw_limits", "limits"]

_NIGHT = 100.0  # degrees of zenith; what is beyond is night
LIMITED = ("ghi", "dhi", "dni")
_STYLES = (("possible", "physically possible", style.FAIL, "-"), ("rare", "extremely rare", style.WARN, (0, (5, 2))))


def limits(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw values against the sun's zenith, with the limits of BSRN: physically possible, and extremely rare.

    The lines are drawn for the mean extraterrestrial irradiance of the period; each value is judged by that of its own
    instant, and what is above a limit has a sign of its own.

    Parameters
    ----------
    frame, ax
        As for `series`.
    column : {"ghi", "dhi", "dni"}

    Raises
    ------
    ParameterError
        There are no limits for this column.

    Notes
    -----
    Source of the limits: Long and Shi (2008), as for `dk.irradiance.flags`.

    Examples
    --------
    >>> limits(frame, "dhi")                                    # doctest: +SKIP
    """
    if column not in LIMITED:
        raise ParameterError(f"There are no limits for {column!r}. Give {', '.join(LIMITED)}.")
    point = prepare(frame, column)
    with style.style():
        ax = style.axes(ax)
        keys = draw_limits(ax, point)
        labels.set_title(ax, point, f"{labels.component(column).name} and the limits of BSRN")
        labels.place_legend(ax, keys)
    return ax


def draw_limits(ax: Axes, point: PointSeries) -> list[Any]:
    """Draw the values, those above a limit, and the limits; return the signs for a legend."""
    zenith, extra = point.position["zenith"], point.position["dni_extra"]
    how, few = labels.component(point.column), len(zenith) < 3000
    size = 1.5 if not few else 3 if len(zenith) > 300 else 6
    ax.plot(
        zenith, point.array, ".", color=how.colour, markersize=size, markeredgewidth=0, alpha=1 if few else 0.5,
        rasterized=not few, gid="values",
    )  # fmt: skip
    keys: list[Any] = [Line2D([], [], color=how.colour, marker="o", markersize=4, linestyle="", label=how.short)]
    lowest = 10 * math.floor(float(zenith.where(point.values.notna()).min()) / 10)
    at = pd.Series(np.linspace(lowest, 180.0, 361))
    highest = float(np.nanmax(point.array))
    for limit, text, tone, dashes in _STYLES:
        line = upper_limit(at, float(extra.mean()), component=point.column, limit=limit)
        keys += ax.plot(at, line, color=tone, linestyle=dashes, linewidth=1.6, label=text, gid=f"limit {limit}")
        highest = max(highest, float(np.max(line)))
    above = _draw_above(ax, point)
    keys += above
    farthest = max((float(np.max(line.get_xdata())) for line in above), default=0.0)
    ax.set_xlim(lowest, 180.0 if farthest > _NIGHT else _NIGHT)  # light in the dark of night is shown
    ax.grid(visible=True, axis="x")
    labels.use_values(ax, highest, "W/m²")
    ax.set_xlabel("zenith of the sun, degrees")
    return keys


def _draw_above(ax: Axes, point: PointSeries) -> list[Any]:
    """Draw a sign on each value above a limit; what is above both has that of the impossible."""
    keys: list[Any] = []
    done = np.zeros(len(point.values), bool)
    zenith, extra = point.position["zenith"], point.position["dni_extra"]
    for limit, text, tone, _ in _STYLES:
        where = above_limit(point.values, zenith, extra, component=point.column, limit=limit).to_numpy(bool) & ~done
        done |= where
        if where.any():
            keys += ax.plot(
                zenith[where], point.array[where], "x" if limit == "possible" else "^", color=tone, markersize=5,
                label=f"above {text}: {int(where.sum()):,}", gid=f"above {limit}", zorder=4,
            )  # fmt: skip
    return keys


def availability(
    frame: pd.DataFrame, column: str = "ghi", *, names: dict[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw for each point and UTC day which share of the daylight steps was seen.

    Parameters
    ----------
    frame : DataFrame
        One point or several, as `dk.irradiance.read` gives them.
    column : str
        A step is seen when it has a value in this column.
    names : dict of str to str, optional
        How to call points; by default by their name where the frame knows it, else by their id.
    ax : Axes, optional

    Notes
    -----
    A day without daylight (polar night) is grey: nothing was to be seen. Rows are the points in the order of the frame.

    Examples
    --------
    >>> availability(dk.irradiance.read(lake, "irradiance.points_year"))       # doctest: +SKIP
    """
    require_frame(frame, (column,))
    table = steps_seen(frame, "day", column)
    rows = share_of_days(table)
    if not rows.notna().any(axis=None):
        raise DataError("There is nothing to draw: the whole period has no daylight.")
    with style.style():
        ax = style.axes(ax, height=1.6 + 0.25 * min(len(rows), 24))
        called = _names(frame, rows.index, names or {})
        draw_availability(ax, rows, called if len(called) > 1 else [""])  # the title names a single one
        _title_availability(ax, table, called, column)
        without = rows.isna().to_numpy().any()
        labels.place_legend(ax, [marks.missing_key("no daylight")] if without else [])
    return ax


def share_of_days(table: pd.DataFrame) -> pd.DataFrame:
    """Return which share of the daylight steps was seen: a row for each point, a column for each UTC day."""
    share = table["availability"]
    if "point_id" not in share.index.names:
        return share.to_frame().T
    return share.unstack("day").reindex(share.index.get_level_values("point_id").unique())


def _names(frame: pd.DataFrame, ids: pd.Index, names: dict[str, str]) -> list[str]:
    places: dict[str, Any] = frame.attrs.get("points") or {}
    if "point" in frame.attrs and len(ids) == 1:
        places = {str(ids[0]): frame.attrs["point"]}
    known = {i: places.get(i, {}) for i in map(str, ids)}
    return [str(names.get(i) or place.get("name") or place.get("point_id") or i) for i, place in known.items()]


def draw_availability(ax: Axes, rows: pd.DataFrame, names: list[str], *, scale: bool = True) -> None:
    """Draw a row for each point and a column for each day, 0 to 100 %."""
    days = pd.DatetimeIndex(rows.columns)
    first = float(labels.date_numbers(days.tz_localize(None))[0])
    whole = pd.date_range(days[0], days[-1], freq="D")
    image = ax.imshow(
        np.ma.masked_invalid(100 * rows.reindex(columns=whole).to_numpy(float)), origin="upper", aspect="auto",
        interpolation="none", extent=(first, first + len(whole), len(rows), 0), vmin=0, vmax=100,
        cmap=colormaps["cividis"].with_extremes(bad=style.MISSING),
    )  # fmt: skip
    ax.grid(False)
    if scale:
        marks.draw_scale(ax, image, "% seen").set_ticks([0, 50, 100])
    _name_rows(ax, names)
    labels.use_days(ax, whole[0].tz_localize(None), len(whole))


def _name_rows(ax: Axes, names: list[str]) -> None:
    """Name the rows, of many points as many as there is room for."""
    room = max(int(ax.get_window_extent().height / ax.figure.dpi / 0.17), 1)
    every = -(-len(names) // room)
    shown = range(0, len(names), every)
    ax.set_yticks([n + 0.5 for n in shown], [short_name(names[n], 24) for n in shown], parse_math=False)
    ax.tick_params(axis="y", length=0)


def _title_availability(ax: Axes, table: pd.DataFrame, called: list[str], column: str) -> None:
    days = table.index.get_level_values("day")
    first, last = f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}"
    missing = labels.share_text(1 - float(table["seen"].sum() / table["expected"].sum()))
    details = [f"{first if first == last else f'{first} to {last}'} UTC", f"{missing} of the daylight steps missing"]
    points = called[0] if len(called) == 1 else f"{len(called):,} points"
    labels.write_title(ax, f"{points}: daylight steps seen of {labels.component(column).name}", details)
