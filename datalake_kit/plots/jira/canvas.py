"""Where pictures are drawn, and what all of them say in the same way."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import matplotlib.dates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.plots import style
from datalake_kit.plots.lettering import drawable, families

_LETTERS_AN_INCH = 10.0  # of a title
mdates: Any = matplotlib.dates  # its annotations are not complete

# category -> colour, hatch, sign: told apart in black and white too
CATEGORIES = {
    "To Do": (style.MISSING, "", "○"),
    "In Progress": (style.GHI, "////", "◐"),
    "Done": (style.PASS, "", "●"),
    "no category": ("#FFFFFF", "....", "?"),
}


def new_axes(ax: Axes | None, height: float, *, width: float = 9.0) -> Axes:
    """Return the axes given, or new ones, in a notebook shown like any others."""
    import matplotlib.pyplot as plt

    # Chooses the backend now: what that sets within the style would be undone with the style.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call, unused-ignore]
    return style.axes(ax, width=width, height=height)


def require(df: pd.DataFrame, *columns: str) -> None:
    """Refuse a frame that lacks a column, and what is no frame."""
    if not isinstance(df, pd.DataFrame):
        raise ParameterError(f"A {type(df).__name__} is no frame: give a frame with {', '.join(columns)}.")
    for name in columns:
        if name not in df.columns:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. {did_you_mean(name, map(str, df.columns))}")


def require_rows(rows: pd.DataFrame, what: str) -> None:
    """Refuse a frame without rows."""
    if rows.empty:
        raise DataError(f"There is {what} to draw. Is the filter too narrow, or the table empty?")


def scope_of(df: pd.DataFrame, *, noun: str = "issue") -> str:
    """Say how many issues of which projects there are: `109 issues of EE, K5, TST`."""
    said = f"{len(df):,} {noun}s" if len(df) != 1 else f"1 {noun}"
    names = _projects(df)
    if names:
        said += f" of {', '.join(names)}" if len(names) <= 6 else f" of {len(names)} projects"
    return said


def _projects(df: pd.DataFrame) -> list[str]:
    if "project" in df.columns:
        return sorted(map(str, df["project"].dropna().unique()))
    if "key" not in df.columns:
        return []
    return sorted(df["key"].dropna().astype("str").str.rpartition("-")[0].loc[lambda head: head != ""].unique())


def period_of(instants: pd.Series[Any]) -> str:
    """Say from which day to which, in UTC: `2026-01-05 to 2026-06-30 (UTC)`."""
    first, last = instants.min(), instants.max()
    return f"{first:%Y-%m-%d} (UTC)" if f"{first:%x}" == f"{last:%x}" else f"{first:%Y-%m-%d} to {last:%Y-%m-%d} (UTC)"


def set_title(ax: Axes, *lines: str) -> None:
    """Write the title, one line below the other; names in it are drawn as they are."""
    room = ax.figure.bbox.width if len(ax.figure.axes) == 1 else ax.get_window_extent().width
    most = max(int(room / ax.figure.dpi * _LETTERS_AN_INCH), 30)
    wrapped = [part for line in lines for part in textwrap.wrap(drawable(line), most, break_long_words=False)]
    ax.set_title("\n".join(wrapped), parse_math=False, family=list(families()))


def use_dates(ax: Axes, instants: pd.Series[Any]) -> None:
    """Show the days along the axis, in UTC; a day on both sides of a single instant."""
    if instants.min() == instants.max():
        day = pd.Timedelta(days=1)
        ax.set_xlim(instants.min() - day, instants.max() + day)
    locator = mdates.AutoDateLocator(tz="UTC", minticks=3, maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC"))
    ax.set_xlabel("date (UTC)")


def use_counts(ax: Axes, label: str, highest: float) -> None:
    """Let the axis of counts begin at 0, with whole numbers."""
    ax.set_ylim(0, max(highest, 1) * 1.08)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(label)


def legend_below(ax: Axes, columns: int, *, inches: float = 0.55) -> None:
    """Put the legend so many inches under the axis, whatever the height of the figure."""
    columns = columns if ax.get_window_extent().width / ax.figure.dpi > 5 else 1
    below = ax.transAxes + ScaledTranslation(0, -inches, ax.figure.dpi_scale_trans)
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=columns)


def spread(places: Iterable[float], least: float, low: float, high: float) -> list[float]:
    """Return places at least `least` apart, as near to those wished as that allows, in the same order.

    >>> spread([1.0, 1.0, 5.0], 1.0, 0.0, 9.0)
    [1.0, 2.0, 5.0]
    """
    wished = list(places)
    order = sorted(range(len(wished)), key=lambda n: wished[n])
    found, floor = list(wished), low
    for n in order:
        found[n] = floor = max(wished[n], floor)
        floor += least
    ceiling = high
    for n in reversed(order):
        found[n] = min(found[n], ceiling)
        ceiling = found[n] - least
    return found


def join_percentiles(percentiles: Iterable[float], values: Iterable[float]) -> list[tuple[str, float]]:
    """Return each value with the percentiles that have it, in the order of the percentiles.

    >>> join_percentiles([50, 85, 95], [3.0, 3.0, 9.5])
    [('50 %, 85 %', 3.0), ('95 %', 9.5)]
    """
    found: dict[float, list[str]] = {}
    for percentile, value in sorted(zip(percentiles, values, strict=True)):
        if value == value:
            found.setdefault(value, []).append(f"{percentile:g} %")
    return [(", ".join(names), value) for value, names in found.items()]


def name_beside(ax: Axes, text: str, at: float, written_at: float) -> None:
    """Write a text right of the axes, with a line to the height that it names; both as shares of the height."""
    ax.annotate(
        text, (1.0, at), (1.03, written_at), xycoords="axes fraction", textcoords="axes fraction", va="center",
        parse_math=False, family=list(families()), annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": style.NEUTRAL, "shrinkA": 0, "shrinkB": 0, "linewidth": 0.8,
                    "relpos": (0, 0.5)},
    )  # fmt: skip


def name_line(ax: Axes, text: str, at: float, height: float, *, right: bool) -> None:
    """Write a text beside an upright line, on the side where there is room."""
    ax.annotate(
        text, (at, height), (-5 if right else 5, 0), va="top", xycoords=("data", "axes fraction"),
        textcoords="offset points", ha="right" if right else "left", parse_math=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
    )  # fmt: skip


def plain_days(days: float) -> str:
    """Say a number of days: `0.4 days`, `12 days`."""
    return f"{days:.1f} days" if days < 10 else f"{days:,.0f} days"
