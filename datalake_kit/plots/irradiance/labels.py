"""What pictures of a point say in the same way: title, axes, legend, names and colours of the components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib.dates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from datalake_kit.plots import style
from datalake_kit.plots.irradiance.point import PointSeries
from datalake_kit.plots.lettering import drawable, families, text_width, wrap_text

mdates: Any = matplotlib.dates  # its annotations are not complete

ENOUGH = "under 90 % of daylight seen: a lower bound"
SUBTITLE = "subtitle"
_TITLE = 11.0  # points
_LINE = 12.0  # points from line to line below the title


class Component(NamedTuple):
    """How a component is called and drawn; told apart by line style in black and white."""

    name: str
    short: str
    colour: str
    dashes: Any = "-"


_COMPONENTS = {
    "ghi": Component("global horizontal irradiance (GHI)", "GHI", style.GHI),
    "dhi": Component("diffuse horizontal irradiance (DHI)", "DHI", style.DHI, (0, (4, 1.2))),
    "dni": Component("direct normal irradiance (DNI)", "DNI", style.DNI, (0, (6, 1, 1.5, 1))),
    "bhi": Component("direct irradiance on the horizontal (BHI)", "BHI", style.DNI, (0, (2, 1))),
    "ghi_clear": Component("global horizontal irradiance of a clear sky", "clear sky", style.CLEAR_SKY, (0, (4, 2))),
    "poa_global": Component("irradiance in the plane of the array (POA)", "POA", style.GHI),
}


def component(column: str) -> Component:
    """Return how to draw a column; an unknown one goes by its name."""
    return _COMPONENTS.get(column, Component(column, column, style.GHI))


def room_of(ax: Axes) -> float:
    """Return the inches that a title has: to the edge of the figure when the axes are alone in it."""
    figure = ax.figure
    alone = sum(a.get_label() != "<colorbar>" for a in figure.axes) == 1
    if alone:
        return float(figure.bbox.width / figure.dpi) - 0.9
    return float(ax.get_window_extent().width / figure.dpi)


def set_title(ax: Axes, point: PointSeries, name: str) -> None:
    """Write point, place and variable in bold, and below it period, step and how much is missing."""
    who = name_of(point)
    write_title(ax, f"{who}: {name}" if who else name[:1].upper() + name[1:], details_of(point))


def write_title(ax: Axes, title: str, details: Sequence[str]) -> None:
    """Write a title in bold, and details below it, on as many lines as the width needs."""
    room = max(room_of(ax), 1.5)
    lines = wrap_text(drawable(title), room, _TITLE, bold=True)
    below = join_lines([drawable(text) for text in details], room)
    ax.set_title("\n".join(lines), pad=9 + _LINE * len(below), parse_math=False, family=list(families()))
    ax.annotate(
        "\n".join(below), (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", va="bottom",
        fontsize=style.SMALLEST_TEXT, gid=SUBTITLE, annotation_clip=False, parse_math=False, linespacing=1.15,
        family=list(families()),
    )  # fmt: skip


def join_lines(parts: Sequence[str], room: float) -> list[str]:
    """Join details with dots, on a new line where one is full.

    >>> join_lines(["one", "two", "three"], 0.8)
    ['one  ·  two', 'three']
    """
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}  ·  {part}" if lines else part
        if lines and text_width(longer, style.SMALLEST_TEXT) <= room:
            lines[-1] = longer
        else:
            lines += wrap_text(part, room, style.SMALLEST_TEXT)
    return lines


def name_of(point: PointSeries) -> str:
    """Say which point it is and where: `Alba (45.00° N 8.00° E)`."""
    place = point.place
    who = " ".join(str(place.get("name") or place.get("point_id") or "").split())
    if not point.located:
        return who
    return f"{who} ({degrees(place['latitude'], 'NS')} {degrees(place['longitude'], 'EW')})".strip()


def details_of(point: PointSeries) -> list[str]:
    """Say period, step, what a value holds for, the share that is missing, and whether it was measured at all."""
    made = ["synthetic"] if point.frame.attrs.get("synthetic") else []
    return [period_of(point), step_text(point.step), kind_of(point), missing_text(point), *made]


def period_of(point: PointSeries) -> str:
    """Say from which day to which, in the zone of the picture."""
    first, last = point.local[0], point.local[-1]
    days = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return f"{days} {point.tz}"


def step_text(step: pd.Timedelta) -> str:
    """Say a step.

    >>> step_text(pd.Timedelta(minutes=15)), step_text(pd.Timedelta(hours=1))
    ('every 15 min', 'every 1 h')
    """
    minutes = step / pd.Timedelta(minutes=1)
    return f"every {minutes / 60:g} h" if minutes % 60 == 0 else f"every {minutes:g} min"


def kind_of(point: PointSeries) -> str:
    """Say what a value holds for."""
    if point.instantaneous is None:
        return "instantaneous or mean: not said"
    return "instantaneous" if point.instantaneous else "mean over the step, at its start"


def missing_text(point: PointSeries) -> str:
    """Say the share of steps without a value; a share that rounds to all or nothing is said as what it is."""
    return f"{share_text(float(point.values.isna().mean()))} missing"


def share_text(share: float) -> str:
    """Say a share in per cent.

    >>> [share_text(s) for s in (0.0, 0.00002, 0.125, 0.99999, 1.0)]
    ['0.0 %', 'under 0.1 %', '12.5 %', 'over 99.9 %', '100.0 %']
    """
    if 0 < share < 0.0005:
        return "under 0.1 %"
    return "over 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def degrees(value: Any, signs: str) -> str:
    """Say an angle.

    >>> degrees(-33.87, "NS")
    '33.87° S'
    """
    return f"{abs(float(value)):.2f}° {signs[float(value) < 0]}"


def date_numbers(index: pd.DatetimeIndex) -> Any:
    """Return what the axis of time counts in: days, UTC when the times have a zone."""
    naive = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return mdates.date2num(naive.to_numpy())


def use_time(ax: Axes, tz: str, *, label: bool = True) -> None:
    """Label days with their month and hours with their day, so that no part of a date stands elsewhere."""
    width = ax.get_window_extent().width / ax.figure.dpi
    locator = mdates.AutoDateLocator(tz=tz, minticks=3, maxticks=int(min(max(1.2 * width, 4), 11)))
    ax.xaxis.set_major_locator(locator)
    plain = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"]
    first = ["%Y", "%b %Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]
    dates = mdates.ConciseDateFormatter(locator, tz=tz, formats=plain, zero_formats=first, show_offset=False)
    ax.xaxis.set_major_formatter(dates)
    if label:
        ax.set_xlabel(tz)


def use_values(ax: Axes, highest: float, label: str) -> None:
    """Begin the axis of values at 0, with some room above the highest."""
    ax.set_ylim(0, max(highest * 1.06, 1e-3) if highest > 0 else 1.0)
    ax.set_ylabel(label)


def use_days(ax: Axes, first: pd.Timestamp, count: int, tz: str = "UTC", *, label: bool = True) -> None:
    """Label days in their middle when there are few: an axis of days has no hours."""
    use_time(ax, "UTC", label=False)
    width = ax.get_window_extent().width / ax.figure.dpi
    if count <= 10:
        every = -(-count // max(int(width / 0.6), 1))
        days = [first + pd.Timedelta(days=n) for n in range(0, count, every)]
        start = float(mdates.date2num(first.to_numpy()))
        ax.set_xticks([start + n + 0.5 for n in range(0, count, every)], [f"{day:%d %b}" for day in days])
    if label:
        ax.set_xlabel(tz)


def place_legend(ax: Axes, handles: list[Any] | None = None, *, tick_lines: int = 1) -> None:
    """Put the legend below the axes and their labels, in as many columns as the width has room for."""
    shown = ax.get_legend_handles_labels()[0] if handles is None else handles
    if not shown:
        return
    texts = [str(handle.get_label()) for handle in shown]
    width = ax.get_window_extent().width / ax.figure.dpi
    columns = next((n for n in range(len(texts), 1, -1) if _legend_width(texts, n) <= width), 1)
    points = (36 if ax.get_xlabel() else 24) + 11 * (tick_lines - 1)
    below = ax.transAxes + ScaledTranslation(0, -points / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=shown, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=columns,
        borderaxespad=0, columnspacing=1.5,
    )  # fmt: skip


def _legend_width(texts: Sequence[str], columns: int) -> float:
    """Return about how many inches a legend takes; it is filled column by column."""
    rows = -(-len(texts) // columns)
    widths = [text_width(text, style.SMALLEST_TEXT) for text in texts]
    return sum(max(widths[n : n + rows]) + 0.55 for n in range(0, len(widths), rows))
