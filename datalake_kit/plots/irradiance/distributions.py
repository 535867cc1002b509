"""How often which value: the clear-sky index, the duration curve, a series against a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.comparison import Comparison
from datalake_kit.irradiance.deriving.profiles import duration as duration_curve
from datalake_kit.irradiance.judging.solar import clear_sky_index as index_of
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import PointSeries, prepare
from datalake_kit.plots.lettering import short_name

__all__ = ["clear_sky_index", "comparison", "draw_clear_sky_index", "draw_duration", "duration"]

HIGHEST_ZENITH = 85.0  # degrees; closer to the horizon both numbers of the ratio are small and unsure
_BIN = 0.05
_LAST = 2.0  # what is above stands in the last bar
_MANY = 2000  # pairs; of more the density is drawn
_CELLS = 80


def clear_sky_index(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw how often which clear-sky index occurs: GHI over what a clear sky would give at the same instant.

    Only steps with the sun under 85 degrees of zenith count. Bars are 0.05 wide; an index of 2 or more, which is an
    error of the data, stands in the last one. Parameters are those of `series`.

    Raises
    ------
    DataError
        The place is not known, or there is no value with the sun high enough.

    Examples
    --------
    >>> clear_sky_index(frame)                                  # doctest: +SKIP
    """
    point = prepare(frame, column)
    with style.style():
        ax = style.axes(ax)
        draw_clear_sky_index(ax, point)
        labels.set_title(ax, point, f"clear-sky index of {labels.component(column).name}")
        labels.place_legend(ax)
    return ax


def draw_clear_sky_index(ax: Axes, point: PointSeries) -> None:
    """Draw the histogram and the line of the clear sky."""
    high = point.position["zenith"] < HIGHEST_ZENITH
    index = index_of(point.values, point.sky).where(high).dropna().to_numpy(float)
    if not len(index):
        raise DataError(f"There is nothing to draw: no value with the sun under {HIGHEST_ZENITH:g}° of zenith.")
    last = 1.5 if index.max() < 1.5 else _LAST
    edges = np.arange(round(last / _BIN) + 1) * _BIN
    counts, _ = np.histogram(np.clip(index, 0, np.nextafter(last, 0)), edges)
    text = f"{len(index):,} steps with the sun under {HIGHEST_ZENITH:g}° of zenith"
    marks.draw_bars(
        ax, edges[:-1], edges[1:], high=counts, facecolor=labels.component(point.column).colour, edgecolor="white",
        linewidth=0.4, label=text, gid="histogram",
    )  # fmt: skip
    ax.axvline(1, color=style.CLEAR_SKY, linestyle=(0, (4, 2)), linewidth=1.2, label="clear sky")
    ax.set_xlim(0, last)
    labels.use_values(ax, float(counts.max()), "steps")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlabel("clear-sky index" + (f", last bar: ≥ {_LAST:g}" if (index >= _LAST).any() else ""))


def duration(frame: pd.DataFrame, column: str = "ghi", *, ax: Axes | None = None) -> Axes:
    """Draw the duration curve: during which share of the steps with a value it was at least so much.

    Parameters are those of `series`; the numbers those of `dk.irradiance.duration`.

    Examples
    --------
    >>> duration(frame)                                         # doctest: +SKIP
    """
    point = prepare(frame, column)
    with style.style():
        ax = style.axes(ax)
        draw_duration(ax, point)
        labels.set_title(ax, point, f"duration curve of {labels.component(column).name}")
    return ax


def draw_duration(ax: Axes, point: PointSeries) -> None:
    """Draw the curve from the highest value down."""
    table = duration_curve(point.frame, point.column)
    share = np.concatenate([[0.0], 100 * table["share"].to_numpy(float)])
    value = table["value"].to_numpy(float)[np.r_[0, : len(table)]]  # the highest is reached from 0 % on
    shown = marks.thin_out(value)
    ax.fill_between(share[shown], 0, value[shown], color=labels.component(point.column).colour, alpha=0.2, linewidth=0)
    ax.plot(share[shown], value[shown], color=labels.component(point.column).colour, linewidth=1.6, gid="duration")
    ax.set_xlim(0, 100)
    ax.grid(visible=True, axis="x")
    labels.use_values(ax, float(value.max()), "W/m²")
    hours = float(table["hours"].max())
    ax.set_xlabel(f"% of the {hours:,.0f} h with a value")


def comparison(found: Comparison, *, ax: Axes | None = None) -> Axes:
    """Draw a series against its reference: a dot for each pair, of more than 2,000 pairs how many there are.

    Parameters
    ----------
    found : Comparison
        What `dk.irradiance.compare` gives.
    ax : Axes, optional

    Examples
    --------
    >>> comparison(dk.irradiance.compare(frame, station))       # doctest: +SKIP
    """
    pairs = found.pairs.dropna()
    if pairs.empty:
        raise DataError("There is nothing to draw: the comparison has no pair.")
    with style.style():
        ax = style.axes(ax, width=6.4, height=5.6)
        reference, value = pairs["reference"].to_numpy(float), pairs["value"].to_numpy(float)
        low, high = min(0.0, reference.min(), value.min()), max(1.0, reference.max(), value.max()) * 1.04
        ax.grid(visible=True, axis="both")
        _draw_pairs(ax, reference, value, (low, high))
        ax.plot([low, high], [low, high], color=style.TEXT, linewidth=1.0, linestyle=(0, (4, 2)), label="1 : 1")
        ax.set_xlim(low, high)
        ax.set_ylim(low, high)
        ax.set_aspect("equal", adjustable="box")
        ours, theirs = (short_name(name, 40) for name in found.names)
        ax.set_ylabel(f"{ours}, W/m²", parse_math=False)
        ax.set_xlabel(f"{theirs}, W/m²", parse_math=False)
        _write_measures(ax, found)
        labels.place_legend(ax)
    return ax


def _draw_pairs(ax: Axes, reference: Any, value: Any, ends: tuple[float, float]) -> None:
    if len(value) <= _MANY:
        ax.plot(
            reference, value, "o", color=style.GHI, markersize=3, markeredgewidth=0, alpha=0.6, label="pairs",
            gid="pairs", rasterized=len(value) > 500,
        )  # fmt: skip
        return
    counts, _, _ = np.histogram2d(value, reference, bins=_CELLS, range=(ends, ends))
    image = ax.imshow(
        np.ma.masked_equal(counts, 0), origin="lower", extent=(*ends, *ends), interpolation="none", aspect="equal",
        cmap=colormaps["cividis_r"], norm=LogNorm(1, max(counts.max(), 2)), zorder=1.5,
    )  # fmt: skip
    marks.draw_scale(ax, image, f"pairs in a cell of {(ends[1] - ends[0]) / _CELLS:.0f} W/m²")


def _write_measures(ax: Axes, found: Comparison) -> None:
    first, last = found.pairs.index.min(), found.pairs.index.max()
    details = [
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d} UTC",
        labels.step_text(found.step),
        f"n = {found.n:,}",
        f"MBE = {found.mbe:+.1f} W/m² ({found.mbe_percent:+.1f} %)",
        f"RMSE = {found.rmse:.1f} W/m² ({found.rmse_percent:.1f} %)",
    ]
    title = f"{found.names[0]} against {found.names[1]}: {labels.component(found.column).name}"
    labels.write_title(ax, title, details)
