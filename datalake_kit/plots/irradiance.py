"""Pictures of irradiance. Each function but `points_map` takes the frame that `dk.irradiance.read` gave for one point.

Lines are broken where a value is missing, and the gap is shaded: nothing is drawn across it. The title names point,
place, variable, period, step and the share of steps that are missing. Times are UTC unless another zone is asked for.
"""

from __future__ import annotations

from typing import Any

import matplotlib.dates
import numpy as np
import pandas as pd
from matplotlib import colormaps, patheffects
from matplotlib import transforms as mtransforms
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.irradiance.deriving.energy import daily_energy as energy_by_day
from datalake_kit.irradiance.judging.solar import clear_sky, sun_times
from datalake_kit.irradiance.judging.steps import step_of
from datalake_kit.plots import style

__all__ = ["daily_energy", "heatmap", "points_map", "series"]

mdates: Any = matplotlib.dates  # its annotations are not complete
_NAMES: dict[str, tuple[str, str, Any]] = {
    "ghi": ("global horizontal irradiance (GHI)", style.GHI, "-"),
    "dhi": ("diffuse horizontal irradiance (DHI)", style.DHI, (0, (4, 1.2))),
    "dni": ("direct normal irradiance (DNI)", style.DNI, (0, (6, 1, 1.5, 1))),
}
CLEAR_SKY_MODEL = "Ineichen/Perez, monthly turbidity"  # in short; the long name is with the model
_SUBTITLE = "subtitle"
_LINE_GAPS = 60  # more gaps than this are not shaded one by one: the share in the title tells


def series(
    frame: pd.DataFrame,
    column: str = "ghi",
    *,
    clear: bool = True,
    tz: str = "UTC",
    ax: Axes | None = None,
) -> Axes:
    """Draw a series against the clear sky: W/m2 over time, from 0.

    Parameters
    ----------
    frame : DataFrame
        One point, as `dk.irradiance.read` gives it.
    column : {"ghi", "dhi", "dni"}
    clear : bool
        Draw what a clear sky would give at the instant that each value holds for; for ghi only.
    tz : str
        The zone of the axis; named on it.
    ax : Axes, optional
        A new figure when not given.

    Returns
    -------
    Axes

    Examples
    --------
    >>> ax = series(frame.loc["2025-06-15":"2025-06-19"])       # doctest: +SKIP
    >>> ax.figure.savefig("turin.png")                          # doctest: +SKIP
    """
    values = _regular(frame, column)
    name, colour, dashes = _NAMES.get(column, (column, style.GHI, "-"))
    with style.style():
        ax = style.axes(ax)
        _shade_gaps(ax, values, tz)
        if clear and column == "ghi" and frame.attrs.get("point", {}).get("latitude") is not None:
            _draw_clear_sky(ax, frame, values, tz)
        local = values.tz_convert(tz)
        width = 1.4 if len(local) < 1500 else 0.9 if len(local) < 5000 else 0.4
        drawn = local.to_numpy(float)
        ax.plot(local.index, drawn, color=colour, linestyle=dashes, linewidth=width, label=column.upper(), zorder=3)
        _draw_lone_values(ax, local, colour)
        ax.set_ylim(0, _top(_highest(ax)))
        ax.set_xlim(local.index[0], local.index[-1] + step_of(pd.DatetimeIndex(local.index)))
        ax.set_ylabel("W/m²")
        _time_axis(ax, tz)
        _title(ax, frame, name, values, tz)
        _legend(ax)
    return ax


def heatmap(frame: pd.DataFrame, column: str = "ghi", *, tz: str = "UTC", ax: Axes | None = None) -> Axes:
    """Draw days across and hours up, the value as colour, with the lines of sunrise and sunset.

    Parameters are those of `series`. Missing steps have a colour of their own. In a zone with summer time the hour that
    occurs twice shows the mean of both.
    """
    values = _regular(frame, column).tz_convert(tz)
    name = _NAMES.get(column, (column, style.GHI, "-"))[0]
    with style.style():
        ax = style.axes(ax, height=4.4)
        ax.grid(False)
        table = _by_day_and_hour(values)
        first, last = mdates.date2num(table.columns[0]), mdates.date2num(table.columns[-1]) + 1
        colours = colormaps["inferno"].with_extremes(bad=style.MISSING)
        image = ax.imshow(
            np.ma.masked_invalid(table.to_numpy(float)),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=(first, last, 0, 24),
            cmap=colours,
            vmin=0,
        )
        bar = ax.figure.colorbar(image, ax=ax, pad=0.015, fraction=0.05)
        bar.set_label("W/m²")
        bar.outline.set_visible(False)
        _draw_sun(ax, frame, pd.DatetimeIndex(table.columns), tz)
        ax.set_xlim(first, last)
        ax.set_ylim(0, 24)
        ax.set_yticks(range(0, 25, 3))
        ax.set_ylabel(f"hour of the day, {tz}")
        ax.xaxis_date(tz=None)
        locator = mdates.AutoDateLocator(minticks=4, maxticks=13)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(_dates(locator, None))
        _title(ax, frame, name, values, tz)
        handles, _ = ax.get_legend_handles_labels()
        handles.append(Patch(color=style.MISSING, label="missing"))
        _legend(ax, handles)
    return ax


def daily_energy(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw the energy of each UTC day in kWh/m2; days with less than 90 % of their daylight steps are hatched."""
    values = _regular(frame, column)
    name, colour, _ = _NAMES.get(column, (column, style.GHI, "-"))
    days = energy_by_day(frame, column)
    with style.style():
        ax = style.axes(ax, height=3.6)
        for complete, hatch, label in (
            (True, "", "complete"),
            (False, "////", "under 90 % of daylight seen: a lower bound"),
        ):
            part = days[days["complete"] == complete]
            if len(part):
                face = colour if complete else "white"
                ax.bar(
                    pd.DatetimeIndex(part.index).tz_localize(None) + pd.Timedelta(hours=12),
                    part["energy"],
                    width=0.8,
                    color=face,
                    edgecolor=colour,
                    linewidth=0.5 if len(days) > 100 else 1,
                    hatch=hatch,
                    label=label,
                )
        ax.set_ylim(0, _top([float(days["energy"].max())]))
        ax.set_ylabel("kWh/m² per day")
        _time_axis(ax, "UTC")
        _title(ax, frame, f"energy a day of {name}", values, "UTC")
        _legend(ax)
    return ax


def points_map(points: pd.DataFrame, plane: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw where points lie: degrees east and north, over a plane of a file when one is given.

    Parameters
    ----------
    points : DataFrame
        point_id or name, latitude, longitude, as in the `points` of an extraction.
    plane : DataFrame, optional
        What `dk.irradiance.read_plane` gives; masked cells (sea, off the disk) have a colour of their own.
    ax : Axes, optional
    """
    with style.style():
        ax = style.axes(ax, width=7.0, height=6.2)
        ax.grid(False)
        if plane is not None:
            _draw_plane(ax, plane)
        ax.set_aspect("equal")
        _draw_points(ax, points)
        ax.set_xlabel("degrees east")
        ax.set_ylabel("degrees north")
        title = f"{len(points)} points"
        if plane is not None:
            name = _NAMES.get(plane.attrs.get("variable", ""), (plane.attrs.get("variable", ""),))[0]
            when = plane.attrs.get("time")
            made = ", synthetic" if "synthetic" in plane.attrs.get("title", "").casefold() else ""
            title += f" over {name}" + (f", {when:%Y-%m-%d %H:%M} UTC" if when else "") + made
        ax.set_title(title, fontsize=10)
    return ax


def _draw_plane(ax: Axes, plane: pd.DataFrame) -> None:
    north, east = plane.index.to_numpy(float), plane.columns.to_numpy(float)
    half = [abs(axis[1] - axis[0]) / 2 for axis in (east, north)]
    image = ax.imshow(
        np.ma.masked_invalid(plane.to_numpy(float)),
        origin="upper" if north[0] > north[-1] else "lower",
        extent=(east.min() - half[0], east.max() + half[0], north.min() - half[1], north.max() + half[1]),
        cmap=colormaps["inferno"].with_extremes(bad=style.MISSING),
        interpolation="nearest",
        vmin=0,
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.045, shrink=0.85)
    bar.set_label(plane.attrs.get("units", "").replace("m2", "m²"))
    bar.outline.set_visible(False)


def _draw_points(ax: Axes, points: pd.DataFrame) -> None:
    """Draw each point with its name, on its left where another one stands close on its right."""
    east, north = points["longitude"].to_numpy(float), points["latitude"].to_numpy(float)
    names = (points["name"] if "name" in points else points["point_id"]).astype(str)
    ax.plot(east, north, "o", color="white", markeredgecolor="black", markersize=5.5, zorder=3)
    wide, high = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    for x, y, name in zip(east, north, names, strict=True):
        close = ((east > x) & (east - x < 0.15 * wide) & (np.abs(north - y) < 0.035 * high)).any()
        ax.annotate(
            name,
            (x, y),
            (-7 if close else 7, 0),
            textcoords="offset points",
            ha="right" if close else "left",
            va="center",
            fontsize=style.SMALLEST_TEXT,
            path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
            zorder=4,
        )


def _regular(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return the column with a row for every step, so that a missing row is a gap like a missing value."""
    if column not in frame:
        raise ColumnNotFoundError(
            f"The frame has no column {column!r}. {did_you_mean(column, map(str, frame.columns))}"
        )
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError("The frame holds several points: take one with dk.irradiance.select_point.")
    if frame.index.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    if not frame[column].notna().any():
        raise DataError(f"There is nothing to draw: all {len(frame)} values of {column!r} are missing.")
    step = step_of(frame.index)
    whole = pd.date_range(frame.index.min(), frame.index.max(), freq=step)
    return frame[column].astype(float).reindex(whole)


def _gaps(values: pd.Series) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the first and last time of each run of missing values."""
    absent = values.isna()
    run = (absent != absent.shift()).cumsum()[absent]
    return [(times.index[0], times.index[-1]) for _, times in run.groupby(run)]


def _shade_gaps(ax: Axes, values: pd.Series, tz: str) -> None:
    """Shade from the last value before a gap to the first one after it."""
    gaps, step = _gaps(values), step_of(pd.DatetimeIndex(values.index))
    for number, (begin, end) in enumerate(gaps[:_LINE_GAPS]):
        label = "missing" if number == 0 else None
        left, right = (begin - step).tz_convert(tz), (end + step).tz_convert(tz)
        ax.axvspan(left, right, color=style.MISSING, linewidth=0, label=label, zorder=0.5)  # type: ignore[arg-type]


def _draw_clear_sky(ax: Axes, frame: pd.DataFrame, values: pd.Series, tz: str) -> None:
    step = min(step_of(pd.DatetimeIndex(values.index)), pd.Timedelta(minutes=15))
    dense = pd.DataFrame(index=pd.date_range(values.index[0], values.index[-1], freq=step))
    dense.attrs = {"point": frame.attrs["point"]}
    sky = clear_sky(dense)["ghi_clear"].tz_convert(tz)
    when = ", at scan time" if frame.attrs["point"].get("scan_offset_seconds") else ""
    ax.plot(
        sky.index,
        sky.to_numpy(),
        color=style.CLEAR_SKY,
        linestyle=(0, (4, 2)),
        linewidth=1.1,
        label=f"clear sky ({CLEAR_SKY_MODEL}{when})",
        zorder=2,
    )


def _draw_lone_values(ax: Axes, values: pd.Series, colour: str) -> None:
    """A value between two gaps is no line: draw it as a dot."""
    lone = values.notna() & values.shift().isna() & values.shift(-1).isna()
    if lone.any():
        ax.plot(values.index[lone], values[lone], ".", color=colour, markersize=4, zorder=3)


def _by_day_and_hour(values: pd.Series) -> pd.DataFrame:
    """Return hours of the day as rows, every day of the period as a column."""
    index = pd.DatetimeIndex(values.index)
    local = index.tz_localize(None)
    step = step_of(index)
    frame = pd.DataFrame(
        {"day": local.normalize(), "slot": (local - local.normalize()) // step, "value": values.to_numpy()}
    )
    table = frame.pivot_table(index="slot", columns="day", values="value", aggfunc="mean", dropna=False)
    slots = range(int(pd.Timedelta(days=1) / step))
    return table.reindex(index=slots, columns=pd.date_range(local[0].normalize(), local[-1].normalize(), freq="D"))


def _draw_sun(ax: Axes, frame: pd.DataFrame, days: pd.DatetimeIndex, tz: str) -> None:
    place = frame.attrs.get("point", {})
    if place.get("latitude") is None or place.get("longitude") is None:
        return
    times = sun_times(days.tz_localize(tz), place["latitude"], place["longitude"])
    middle = mdates.date2num(days) + 0.5
    for name, dashes in (("sunrise", (0, (1, 1.2))), ("sunset", (0, (5, 2)))):
        local = times[name].dt.tz_localize(None)
        hours = ((local - local.dt.normalize()) / pd.Timedelta(hours=1)).to_numpy(float)
        jump = np.abs(np.diff(hours, prepend=hours[0])) > 12  # passes midnight: no line down the picture
        hours = np.where(jump, np.nan, hours)
        ax.plot(middle, hours, color="#7FDBDA", linestyle=dashes, linewidth=1.6, label=name)


def _time_axis(ax: Axes, tz: str) -> None:
    """Label days with their month and hours with their day, so that no part of a date stands elsewhere."""
    locator = mdates.AutoDateLocator(tz=tz, minticks=4, maxticks=10)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(_dates(locator, tz))
    ax.set_xlabel(tz)


def _dates(locator: Any, tz: str | None) -> Any:
    plain = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
    first = ["%Y", "%b %Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]
    return mdates.ConciseDateFormatter(locator, tz=tz, formats=plain, zero_formats=first, show_offset=False)


def _top(highest: list[float]) -> float:
    """Return the upper end of an axis that begins at 0."""
    return max([1.0, *highest]) * 1.06


def _highest(ax: Axes) -> list[float]:
    return [float(np.nanmax(np.asarray(line.get_ydata(), float))) for line in ax.lines]


def _legend(ax: Axes, handles: list[Any] | None = None) -> None:
    """Put the legend below the axis of time, by as many points in a picture of any size."""
    shown = ax.get_legend_handles_labels()[0][::-1] if handles is None else handles  # what was drawn on top comes first
    points = 36 if ax.get_xlabel() else 24
    below = mtransforms.ScaledTranslation(0, -points / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=shown,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + below,
        ncols=4,
        borderaxespad=0,
        columnspacing=1.5,
    )


def _title(ax: Axes, frame: pd.DataFrame, name: str, values: pd.Series, tz: str) -> None:
    """Write what it is in bold, and below it period, step and how much is missing."""
    place = frame.attrs.get("point", {})
    who = place.get("name") or place.get("point_id") or ""
    where = ""
    if place.get("latitude") is not None:
        where = f" ({_degrees(place['latitude'], 'N', 'S')} {_degrees(place['longitude'], 'E', 'W')})"
    ax.set_title(f"{who}{where}: {name}" if who else name[:1].upper() + name[1:], pad=24)
    ax.annotate(
        _detail(frame, values, tz),
        (0, 1),
        (0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=style.SMALLEST_TEXT,
        gid=_SUBTITLE,
        annotation_clip=False,
    )


def _detail(frame: pd.DataFrame, values: pd.Series, tz: str) -> str:
    first, last = values.index[0].tz_convert(tz), values.index[-1].tz_convert(tz)
    period = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    minutes = step_of(pd.DatetimeIndex(values.index)) / pd.Timedelta(minutes=1)
    kind = "instantaneous" if frame.attrs.get("instantaneous", False) else ""
    share = f"{100 * values.isna().mean():.1f} % missing"
    made = "synthetic" if frame.attrs.get("synthetic") else ""
    return "  ·  ".join(t for t in (f"{period} {tz}", f"every {minutes:g} min", kind, share, made) if t)


def _degrees(value: Any, positive: str, negative: str) -> str:
    return f"{abs(float(value)):.2f}° {positive if float(value) >= 0 else negative}"
