"""The parts of the page of a point: where each stands, and what stands above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.availability import availability
from datalake_kit.irradiance.deriving.energy import daily_energy
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels
from datalake_kit.plots.irradiance.checks import LIMITED, draw_availability, draw_limits, share_of_days
from datalake_kit.plots.irradiance.days import draw_daily_energy, draw_heatmap
from datalake_kit.plots.irradiance.distributions import draw_clear_sky_index, draw_duration
from datalake_kit.plots.irradiance.lines import draw_components, draw_series, prepare_components
from datalake_kit.plots.irradiance.months import draw_daily_profile, draw_monthly
from datalake_kit.plots.irradiance.point import PointSeries
from datalake_kit.plots.irradiance.tables import draw_flags, draw_header, draw_years
from datalake_kit.plots.lettering import wrap_text

__all__ = ["draw_page"]

_LEFT, _RIGHT, _TOP = 0.68, 0.66, 0.35  # inches; on the right there is room for scales of colours
_HEADER = 1.47  # where a header of a name and five lines ends; a longer one moves all below it down
_PANEL_TITLE = 9.5
_DAY = pd.Timedelta(days=1)
Draw = Callable[[Axes, PointSeries], Any]


class Panel(NamedTuple):
    """A part of the page: inches from the top and from the left, as shares of the width, and what is drawn."""

    title: str
    draw: Draw
    top: float
    height: float
    left: float = 0.0
    right: float = 1.0


def draw_page(figure: Figure, point: PointSeries) -> None:
    """Draw header, pictures and tables."""
    down = max(draw_header(figure, point, left=_LEFT, top=_TOP) - _HEADER, 0.0)
    for panel in _panels(point):
        _draw_panel(_axes(figure, panel._replace(top=panel.top + down)), point, panel)


def _panels(point: PointSeries) -> list[Panel]:
    short = labels.component(point.column).short
    hatched = "hatched: under 90 % of daylight seen"
    daily = Panel(f"Energy of each day, kWh/m² per day ({hatched})", draw_daily_energy, 4.94, 0.7)
    if _has_parts(point):
        title = f"kWh/m² per day: diffuse (blue) and direct (red); {hatched}"
        daily = daily._replace(title=title, draw=_draw_parts)
    return [
        Panel(f"{short}, W/m² (dashed: clear sky; blue-grey: missing)", draw_series, 1.72, 0.8),
        Panel(f"{short} by day and hour, W/m² (dotted: sunrise, dashed: sunset)", draw_heatmap, 2.98, 1.1),
        Panel("Daylight steps seen (yellow: all, dark blue: none)", _draw_availability, 4.56, 0.11),
        daily,
        Panel(f"Seven days of most energy: {short}, W/m² (dashed: clear sky)", _draw_best_week, 6.12, 0.72),
        Panel("Days of each month, kWh/m² per day", draw_monthly, 7.32, 0.92, 0.0, 0.40),
        Panel("Duration curve, W/m²", draw_duration, 7.32, 0.92, 0.47, 0.71),
        Panel("Clear-sky index, steps", draw_clear_sky_index, 7.32, 0.92, 0.80, 1.07),
        Panel("Mean day of each month, W/m² (band: p10 to p90)", draw_daily_profile, 8.92, 0.9, 0.0, 0.64),
        Panel("Limits of BSRN, W/m²", _draw_limits, 8.92, 0.9, 0.73, 1.07),
        Panel("What the flags found", draw_flags, 10.45, 0.9, 0.0, 0.56),
        Panel("Energy of each year", draw_years, 10.45, 0.9, 0.6, 1.07),
    ]


def _has_parts(point: PointSeries) -> bool:
    return point.column == "ghi" and "dhi" in point.frame and bool(point.frame["dhi"].notna().any())


def _axes(figure: Figure, panel: Panel) -> Axes:
    width, height = figure.get_size_inches()
    inner = width - _LEFT - _RIGHT
    left, wide = _LEFT + panel.left * inner, (panel.right - panel.left) * inner
    box = (left / width, 1 - (panel.top + panel.height) / height, wide / width, panel.height / height)
    return figure.add_axes(box, label=panel.title)


def _draw_panel(ax: Axes, point: PointSeries, panel: Panel) -> None:
    """Draw a part; what cannot be drawn says why, and leaves the others as they are."""
    try:
        panel.draw(ax, point)
        ax.set_ylabel("")
        for scale in ax.child_axes:
            scale.set_ylabel("")
        if ax.get_xlabel() in (point.tz, "UTC"):  # the header says the zone
            ax.set_xlabel("")
    except DataError as error:
        _write_reason(ax, str(error))
    ax.xaxis.label.set_fontsize(style.SMALLEST_TEXT)
    ax.set_title(panel.title, fontsize=_PANEL_TITLE, pad=5)


def _write_reason(ax: Axes, reason: str) -> None:
    ax.clear()
    ax.set_axis_off()
    width = ax.get_window_extent().width / ax.figure.dpi
    lines = wrap_text(reason, width, style.SMALLEST_TEXT)
    ax.text(0, 1, "\n".join(lines), va="top", fontsize=style.SMALLEST_TEXT, transform=ax.transAxes, parse_math=False)


def _draw_availability(ax: Axes, point: PointSeries) -> None:
    draw_availability(ax, share_of_days(availability(point.frame, "day", point.column)), [""], scale=False)
    ax.set_xlabel("")
    ax.set_xticklabels([])


def _draw_parts(ax: Axes, point: PointSeries) -> None:
    draw_components(ax, prepare_components(point.frame), "day")


def _draw_best_week(ax: Axes, point: PointSeries) -> None:
    """Draw the seven days in a row of most energy: there it shows best whether the clear sky is met, and when."""
    days = daily_energy(point.frame, point.column)["energy"].fillna(0.0)
    last = pd.DatetimeIndex(days.index)[int(days.rolling(7, min_periods=1).sum().to_numpy().argmax())]
    draw_series(ax, point.between(last - 6 * _DAY, last + _DAY))


def _draw_limits(ax: Axes, point: PointSeries) -> None:
    if point.column not in LIMITED:
        raise DataError(f"There are no limits for {point.column!r}.")
    draw_limits(ax, point)
