"""The picture of a Hudi timeline: what each commit did, and how many rows the table had after it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib.dates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from datalake_kit.errors import ParameterError
from datalake_kit.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["activity"]

mdates: Any = matplotlib.dates  # its annotations are not complete

MOST_SINGLE = 40  # commits that get a bar of their own
_MOST_BINS = 60
_BINS = ("1s", "10s", "1min", "5min", "10min", "30min", "1h", "3h", "6h", "12h", "1D", "7D", "30D", "91D", "365D")
_BIN_WORDS = {
    "s": "second", "min": "minute", "h": "hour", "D": "day",
}  # fmt: skip
_REARRANGED = {"COMPACT": ("compaction", "v"), "LOG_COMPACT": ("compaction", "v"), "CLUSTER": ("clustering", "s")}
_UP = {"inserts": ("inserted", "#0072B2"), "updates": ("updated", "#C77700")}
_DOWN = {"deletes": ("deleted", "#7F1D1D"), "replaced_rows": ("replaced", style.NEUTRAL)}
_NEEDED = ("started_at", "operation", *_UP, *_DOWN, "rows_after", "anomalies")
_OUTLIER = 6  # a bar so many times the next one is cut off, with its value beside it


def activity(timeline: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what the commits of a Hudi table did over time, and the rows of the table after them.

    Rows inserted and updated stand above the line, deleted and replaced ones below. Compactions and clusterings move
    rows and count none: they are marks. Up to 40 commits get a bar each, evenly spaced; more are summed in spans of
    time. A bar that would dwarf the others (the first load) is cut off, with its value beside it. The line of rows is
    broken where the timeline does not know them; `dk.hudi.timeline(..., count=True)` counts.

    Parameters
    ----------
    timeline : pandas.DataFrame
        What `dk.hudi.timeline` gives.
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it. The rows of the table get an axis of their own on the right.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ParameterError
        The frame lacks columns of a timeline; they are named.

    Examples
    --------
    >>> dk.plots.cdc.activity(dk.hudi.timeline(lake, "taxi.table_1"))                        # doctest: +SKIP
    """
    if not isinstance(timeline, pd.DataFrame):
        raise ParameterError(f"timeline is the frame that dk.hudi.timeline gives, not {type(timeline).__name__}.")
    missing = [c for c in _NEEDED if c not in timeline.columns]
    if missing:
        raise ParameterError(f"The frame has no column {', '.join(missing)}. Give what dk.hudi.timeline returns.")
    with style.style():
        ax = style.axes(ax, width=10.0, height=4.2)
        known = timeline[timeline["started_at"].notna()].reset_index(drop=True)
        ax.set_title(_title(timeline, known))
        if known.empty:
            ax.text(0.5, 0.5, "no commits", transform=ax.transAxes, ha="center", va="center", color=style.NEUTRAL)
            ax.set_axis_off()
            return ax
        single = len(known) <= MOST_SINGLE
        bars = _single(known) if single else _binned(known)
        _draw_bars(ax, bars)
        _draw_marks(ax, bars, known, single)
        right = _draw_rows(ax, bars)
        _finish(ax, bars, known, single, right)
    return ax


# --- what is drawn: one row a bar, with `place` and `width` on the axis


def _single(known: pd.DataFrame) -> pd.DataFrame:
    bars = _changes(known)
    return bars.assign(place=np.arange(len(bars), dtype="float64"), width=0.72)


def _binned(known: pd.DataFrame) -> pd.DataFrame:
    span = _bin(known["started_at"])
    bins = known["started_at"].dt.floor(span)
    changes = _changes(known)
    summed = changes[[*_UP, *_DOWN]].groupby(bins).sum()
    last = changes["rows_after"].groupby(bins).agg(lambda rows: rows.iloc[-1])
    width = pd.Timedelta(span) / pd.Timedelta(days=1)
    begins = _days(pd.Series(summed.index))
    return summed.assign(rows_after=last).reset_index(drop=True).assign(place=begins + width / 2, width=width)


def _changes(known: pd.DataFrame) -> pd.DataFrame:
    """The numbers of each commit; moved rows are no changes."""
    numbers = known[[*_UP, *_DOWN]].astype("Float64").fillna(0.0).astype("float64")
    numbers.loc[known["operation"].isin(list(_REARRANGED)).to_numpy(), :] = 0.0
    return numbers.assign(rows_after=known["rows_after"].astype("Float64").to_numpy("float64", na_value=np.nan))


def _days(times: pd.Series[Any]) -> Any:
    """Times as matplotlib counts them: days since its epoch."""
    epoch = pd.Timestamp(mdates.get_epoch(), tz="UTC")
    return ((times - epoch) / pd.Timedelta(days=1)).to_numpy("float64")


def _bin(times: pd.Series[Any]) -> str:
    whole = times.max() - times.min()
    return next((b for b in _BINS if whole / pd.Timedelta(b) <= _MOST_BINS), _BINS[-1])


def _bin_words(span: str) -> str:
    number, unit = int("".join(c for c in span if c.isdigit())), span.lstrip("0123456789")
    return f"{number} {_BIN_WORDS[unit]}s" if number > 1 else f"one {_BIN_WORDS[unit]}"


# --- drawing


def _draw_bars(ax: Axes, bars: pd.DataFrame) -> None:
    places, widths = bars["place"].to_numpy(), bars["width"].to_numpy()
    for sign, series in ((1.0, _UP), (-1.0, _DOWN)):
        base = np.zeros(len(bars))
        for name, (label, colour) in series.items():
            heights = bars[name].to_numpy()
            if heights.any() or name in ("inserts", "updates", "deletes"):
                hatch = "////" if name == "replaced_rows" else None
                edge = "white" if hatch else None
                ax.bar(
                    places, sign * heights, widths, base, color=colour, label=label, hatch=hatch, edgecolor=edge, lw=0
                )
            base = base + sign * heights
    ax.axhline(0, color=style.TEXT, linewidth=0.8)
    up, down = bars[list(_UP)].sum(axis=1).to_numpy(), bars[list(_DOWN)].sum(axis=1).to_numpy()
    top, bottom = _limit(up), _limit(down)
    ax.set_ylim(-_room(bottom, top), _room(top, bottom))
    _say_cut(ax, places, up, top, 1)
    _say_cut(ax, places, down, bottom, -1)


def _limit(heights: Any) -> float:
    """The height up to which bars are drawn whole."""
    ordered = np.sort(heights[heights > 0])[::-1]
    if not len(ordered):
        return 0.0
    for large, small in pairwise(ordered[:4]):
        if large > _OUTLIER * small:
            return float(small)
    return float(ordered[0])


def _room(own: float, other: float) -> float:
    return max(own * 1.28, other * 0.14, 1e-9) if own or other else 1.0


def _say_cut(ax: Axes, places: Any, heights: Any, limit: float, sign: int) -> None:
    """Write the value of each bar that is cut off beside its end."""
    arrow = "\N{BLACK UP-POINTING TRIANGLE}" if sign > 0 else "\N{BLACK DOWN-POINTING TRIANGLE}"
    for place in np.flatnonzero(heights > limit * 1.28):
        end = ax.get_ylim()[1 if sign > 0 else 0]
        late = places[place] > (places[0] + places[-1]) / 2
        ax.annotate(
            f"{arrow} {heights[place]:,.0f} rows",
            (places[place], end),
            xytext=(-12 if late else 12, -4 * sign),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top" if sign > 0 else "bottom",
            fontsize=style.SMALLEST_TEXT,
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
        )


def _draw_marks(ax: Axes, bars: pd.DataFrame, known: pd.DataFrame, single: bool) -> None:
    """Mark compactions and clusterings on the zero line, and commits with anomalies at the top."""
    times = np.arange(len(known)) if single else _days(known["started_at"])
    labels = known["operation"].map({k: v[0] for k, v in _REARRANGED.items()})
    for label, marker in dict(_REARRANGED.values()).items():
        at = times[(labels == label).to_numpy()]
        if len(at):
            ax.plot(
                at, np.zeros(len(at)), marker, color=style.TEXT, mfc="white", ms=7, label=label, ls="none", zorder=4
            )
    wrong = times[(known["anomalies"] != "").to_numpy()]
    if len(wrong):
        high = np.full(len(wrong), 0.975)
        label = "worth a look (see anomalies)"
        ax.plot(
            wrong,
            high,
            "X",
            color=style.FAIL,
            ms=8,
            label=label,
            ls="none",
            transform=ax.get_xaxis_transform(),
            zorder=5,
        )


def _draw_rows(ax: Axes, bars: pd.DataFrame) -> Axes | None:
    rows = bars["rows_after"].to_numpy()
    if np.isnan(rows).all():
        return None
    right: Axes = ax.twinx()
    right.plot(
        bars["place"],
        rows,
        color=style.TEXT,
        marker="o" if len(bars) <= MOST_SINGLE else None,
        ms=3.5,
        label="rows in the table (right)",
        path_effects=[withStroke(linewidth=3.4, foreground="white")],  # seen on dark bars too
    )
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    right.spines["top"].set_visible(False)
    right.set_ylim(*_row_limits(rows[~np.isnan(rows)]))
    right.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == round(value) and value >= 0 else "")
    right.set_ylabel("rows in the table")
    return right


def _row_limits(rows: Any) -> tuple[float, float]:
    """Keep the line in the upper half, clear of the bars' labels below."""
    low, high = float(rows.min()), float(rows.max())
    span = max(high - low, max(high, 1.0) * 0.02, 2.0)
    return low - 1.1 * span, high + 0.35 * span


def _finish(ax: Axes, bars: pd.DataFrame, known: pd.DataFrame, single: bool, right: Axes | None) -> None:
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}" if value == round(value) else "")
    ax.set_ylabel("rows changed\n(below the line: gone)")
    how = "one bar a commit, evenly spaced" if single else f"bars of {_bin_words(_bin(known['started_at']))}"
    ax.set_xlabel(f"commit started, UTC ({how})")
    if single:
        _label_commits(ax, known["started_at"].tolist())
    else:
        locator = mdates.AutoDateLocator(minticks=4, maxticks=9, tz="UTC")
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz="UTC"))
    named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    bars_first = sorted(named, key=lambda label: label not in [v[0] for v in (*_UP.values(), *_DOWN.values())])
    handles = [named[label] for label in bars_first]
    if right is not None:
        handles += right.get_legend_handles_labels()[0]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, -0.2), ncols=min(len(handles), 4))


def _label_commits(ax: Axes, times: Sequence[pd.Timestamp]) -> None:
    """Label up to ten commits with their time, and the day where it is another than before."""
    step = -(-len(times) // 10)
    shown = list(range(0, len(times), step))
    day, seconds = None, (times[-1] - times[0]) < pd.Timedelta(minutes=len(times))
    labels = []
    for number in shown:
        moment = times[number]
        text = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
        labels.append(text if moment.date() == day else f"{text}\n{moment:%Y-%m-%d}")
        day = moment.date()
    ax.set_xticks(shown, labels)
    beside = max(0.0, (4 - len(times)) / 2)  # a few commits do not fill the picture
    ax.set_xlim(-0.8 - beside, len(times) - 0.2 + beside)


def _title(timeline: pd.DataFrame, known: pd.DataFrame) -> str:
    name = str(timeline.attrs.get("table", "") or "")
    count = f"{len(known):,} commits" if len(known) != 1 else "1 commit"
    unknown = int(known["rows_after"].isna().sum())
    note = f"; rows unknown after {unknown:,}" if unknown else ""
    return f"{name + ': ' if name else ''}{count}{note}"
