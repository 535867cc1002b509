"""Where pictures are drawn, and what all of them say in the same way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.dates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.plots import style
from datalake_kit.plots.jira.lettering import drawable, families

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
    """Refuse a frame that lacks a column."""
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
    ax.set_title("\n".join(drawable(line) for line in lines if line), parse_math=False, family=list(families()))


def use_dates(ax: Axes) -> None:
    """Show the days along the axis, in UTC."""
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


def plain_days(days: float) -> str:
    """Say a number of days: `0.4 days`, `12 days`."""
    return f"{days:.1f} days" if days < 10 else f"{days:,.0f} days"
