"""What is drawn in several pictures: gaps, lines with more points than pixels, and many bars as one shape."""

from __future__ import annotations

from typing import Any

import matplotlib.dates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from datalake_kit.plots import style

mdates: Any = matplotlib.dates  # its annotations are not complete
Array = np.ndarray[Any, Any]
HATCH = "////"
ACROSS = 1800  # columns of pixels of a picture 9 inches wide at 200 dots an inch


def gaps(values: Array) -> tuple[Array, Array]:
    """Return the first and last place of each run of missing values.

    >>> [places.tolist() for places in gaps(np.array([1, np.nan, np.nan, 2, np.nan]))]
    [[1, 4], [2, 4]]
    """
    edges = np.diff(np.isnan(values).astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def shade_gaps(ax: Axes, times: Array, values: Array) -> None:
    """Shade from the last value before a gap to the first one after it: all gaps are one shape."""
    first, last = gaps(values)
    if not len(first):
        return
    left, right = times[np.maximum(first - 1, 0)], times[np.minimum(last + 1, len(times) - 1)]
    shape = draw_bars(ax, left, right, high=1.0, color=style.MISSING, transform=ax.get_xaxis_transform())
    shape.set(linewidth=0.3, zorder=0.5, label="missing", gid="gaps")


def thin_out(values: Array, across: int = ACROSS) -> Array:
    """Return the places to draw, in order: of each column of pixels the first, last, lowest and highest value.

    Extremes stay, and so does each gap: the values beside it and one missing value in it. Few values are all drawn.
    """
    count = len(values)
    if count <= 4 * across:
        return np.arange(count)
    size = -(-count // across)
    absent = np.isnan(values)
    padded = np.full(size * -(-count // size), np.nan)
    padded[:count] = values
    table = padded.reshape(-1, size)
    starts = np.arange(len(table)) * size
    keep = np.zeros(len(padded), bool)
    keep[starts] = keep[np.minimum(starts + size, count) - 1] = True
    for extreme, fill in ((np.argmin, np.inf), (np.argmax, -np.inf)):
        keep[starts + extreme(np.where(np.isnan(table), fill, table), axis=1)] = True
    edges = np.flatnonzero(absent[1:] != absent[:-1])
    keep[edges] = keep[edges + 1] = True
    return np.flatnonzero(keep[:count])


def draw_line(ax: Axes, times: Array, values: Array, **options: Any) -> None:
    """Draw a line that stops at each gap; a value between two gaps, which is no line, as a dot."""
    shown = thin_out(values)
    ax.plot(times[shown], values[shown], **options)
    absent = np.isnan(np.concatenate([[np.nan], values, [np.nan]]))
    lone = ~absent[1:-1] & absent[:-2] & absent[2:]
    if lone.any():
        ax.plot(times[lone], values[lone], ".", color=options["color"], markersize=4, zorder=options.get("zorder", 2))


def draw_bars(
    ax: Axes, left: Array, right: Array, *, low: Array | float = 0.0, high: Array | float, **options: Any
) -> PolyCollection:
    """Draw bars from left to right and low to high as one shape: a thousand cost what one costs."""
    x0, x1, y0, y1 = np.broadcast_arrays(left, right, low, high)
    corners = np.stack([np.stack([x0, x0, x1, x1], axis=1), np.stack([y0, y1, y1, y0], axis=1)], axis=2)
    bars = PolyCollection(list(corners.astype(float)), **options)
    ax.add_collection(bars, autolim=False)
    return bars


def draw_judged_bars(
    ax: Axes,
    edges: tuple[Array, Array],
    low: Array | float,
    high: Array,
    complete: Array,
    colour: str,
) -> bool:
    """Draw bars, those that are not complete hatched instead of filled; return whether there is one of these."""
    low = np.broadcast_to(low, high.shape)
    line = 0.5 if len(high) > 100 else 1.0
    for wanted, face, hatch in ((True, colour, None), (False, style.MISSING, HATCH)):
        some = (complete == wanted) & np.isfinite(high)
        if some.any():
            draw_bars(
                ax, edges[0][some], edges[1][some], low=low[some], high=high[some], facecolor=face, edgecolor=colour,
                linewidth=line, hatch=hatch, gid="complete" if wanted else "incomplete",
            )  # fmt: skip
    return bool((~complete & np.isfinite(high)).any())


def edges_of(periods: pd.DatetimeIndex, period: str, *, share: float = 0.8) -> tuple[Array, Array]:
    """Return where the bars of days, months or years begin and end on the axis of time: `share` of each, centred."""
    naive = periods if periods.tz is None else periods.tz_localize(None)
    after = {"day": pd.DateOffset(days=1), "month": pd.DateOffset(months=1), "year": pd.DateOffset(years=1)}[period]
    left, right = (mdates.date2num(i.to_numpy()) for i in (naive, naive + after))
    trim = (right - left) * (1 - share) / 2
    return left + trim, right - trim


def limit_days(ax: Axes, edges: tuple[Array, Array]) -> None:
    """Let the axis hold all bars with half the room between two of them; a few bars are not as wide as the picture."""
    width = (edges[1] - edges[0])[0] / 0.8
    room = 0.1 * width + max(4 - len(edges[0]), 0) / 2 * width
    ax.set_xlim(edges[0][0] - room, edges[1][-1] + room)


def draw_scale(ax: Axes, image: AxesImage, label: str) -> Colorbar:
    """Draw the scale of an image's colours beside its axes, which stay as wide as they are."""
    inches = ax.get_window_extent().width / ax.figure.dpi
    beside = ax.inset_axes((1 + 0.08 / inches, 0.0, 0.12 / inches, 1.0))
    bar = ax.figure.colorbar(image, cax=beside)
    bar.set_label(label)
    bar.outline.set_visible(False)
    return bar


def bar_key(label: str, colour: str, *, hatched: bool = False) -> Patch:
    """Return the sign of bars for a legend."""
    face = style.MISSING if hatched else colour
    return Patch(facecolor=face, edgecolor=colour, hatch=HATCH if hatched else "", label=label)


def missing_key(label: str = "missing") -> Patch:
    """Return the sign of what is missing, for a legend."""
    return Patch(color=style.MISSING, label=label)
