"""Work over time, and the work that is open."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import (
    CATEGORIES,
    legend_below,
    mdates,
    name_beside,
    new_axes,
    period_of,
    plain_days,
    require,
    require_rows,
    scope_of,
    set_title,
    spread,
    use_counts,
    use_dates,
)
from datalake_kit.plots.lettering import families, one_line, short_name

_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++", "||||")
_MOST_BANDS = 14  # more have no room for their names
_OLD = 85.0  # percentile of past cycle times from which open work is marked
_MOST_KEYS = 20
_NOT_KNOWN = "not known"  # before the first version of an issue


def cumulative_flow(flow: pd.DataFrame, ax: Axes | None = None, *, scope: str | None = None) -> Axes:
    """Draw the cumulative flow: how many issues were in each phase or status over time, done at the bottom.

    Each band is named at its right end with the number of its issues there. Where the history is known from versions
    only, dotted lines show how many may have been done at least and at most.

    Parameters
    ----------
    flow
        What `dk.jira.cumulative_flow` gives: `at`, `phase` or `status`, `issues` (`issues_low`, `issues_high`).
    ax
        Where to draw; None: a new figure.
    scope
        Whose issues these are, for the title, such as "team Blue".

    Returns
    -------
    matplotlib.axes.Axes
        Of more than 14 statuses the smallest are drawn together and counted.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no row.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-05", "2026-01-05", "2026-01-06", "2026-01-06"], utc=True)
    >>> rows = pd.DataFrame({"at": days, "phase": ["To Do", "Done"] * 2, "issues": [3, 0, 2, 1]})
    >>> [text.get_text() for text in cumulative_flow(rows).texts]
    ['Done 1', 'To Do 2']
    """
    by = "status" if "status" in flow.columns else "phase"
    require(flow, "at", by, "issues")
    require_rows(flow, "no instant of a cumulative flow")
    flow = flow.assign(**{by: flow[by].astype("str").fillna(_NOT_KNOWN)})
    names = _few(flow, by)
    counts = _table(flow, by, "issues", names)
    ax = new_axes(ax, 4.4)
    with style.style():
        tops = counts[::-1].cumsum(axis=0)[::-1]
        moments = pd.DatetimeIndex(flow["at"].drop_duplicates().sort_values())
        if len(moments) == 1:  # one instant has no width
            moments = pd.DatetimeIndex([moments[0], moments[0] + pd.Timedelta(days=1)])
            tops = np.repeat(tops, 2, axis=1)
        _bands(ax, moments, tops, names)
        _bounds(ax, moments, flow, by, names)
        _name_bands(ax, tops, names, counts)
        use_counts(ax, "issues", float(tops.max()))
        use_dates(ax, pd.Series(moments))
        ax.set_xlim(*mdates.date2num(moments[[0, -1]].to_pydatetime()))
        total = f"{int(tops[0, -1]):,} issues"
        set_title(ax, "Cumulative flow" + (f", {scope}" if scope else ""), f"{total}, {period_of(flow['at'])}")
    return ax


def _few(flow: pd.DataFrame, by: str) -> list[list[str]]:
    """The bands from top to bottom, each with the names in it."""
    names = sorted(flow[by].drop_duplicates(), key=lambda name: name != _NOT_KNOWN)  # on top, the others as they come
    if len(names) <= _MOST_BANDS:
        return [[name] for name in names]
    sums = flow.groupby(by)["issues"].sum()
    shown = set(sums.sort_values(ascending=False, kind="stable").index[: _MOST_BANDS - 1])
    return [[name for name in names if name not in shown], *([name] for name in names if name in shown)]


def _table(flow: pd.DataFrame, by: str, column: str, names: list[list[str]]) -> npt.NDArray[np.float64]:
    """One row a band, one column an instant."""
    wide = flow.pivot_table(index=by, columns="at", values=column, aggfunc="sum")
    return np.array([wide.loc[band].sum(axis=0).to_numpy(np.float64) for band in names])


def _look(names: list[list[str]], place: int) -> tuple[str, str]:
    """Colour and hatch of a band; neighbours differ in both."""
    name = names[place][0]
    if name == _NOT_KNOWN:
        return "#FFFFFF", "...."
    if name in CATEGORIES and len(names[place]) == 1:
        return CATEGORIES[name][:2]
    shade = mpl.colormaps["cividis"](0.95 - 0.85 * place / max(len(names) - 1, 1))
    return to_hex(shade), _HATCHES[place % len(_HATCHES)]


def _bands(ax: Axes, moments: pd.DatetimeIndex, tops: npt.NDArray[np.float64], names: list[list[str]]) -> None:
    floors = np.vstack([tops[1:], np.zeros(tops.shape[1])])
    for place, band in enumerate(names):
        colour, hatch = _look(names, place)
        ax.fill_between(
            moments, floors[place], tops[place], facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.0,
            label=_band_name(band),
        )  # fmt: skip
        ax.plot(moments, tops[place], color=style.TEXT, linewidth=0.7)


def _band_name(band: list[str]) -> str:
    return one_line(band[0], 28) if len(band) == 1 else f"{len(band)} other statuses"


def _bounds(ax: Axes, moments: pd.DatetimeIndex, flow: pd.DataFrame, by: str, names: list[list[str]]) -> None:
    if not {"issues_low", "issues_high"} <= set(flow.columns) or (flow["issues_low"] == flow["issues_high"]).all():
        return
    for column in ("issues_low", "issues_high"):
        values = np.broadcast_to(_table(flow, by, column, names)[-1], len(moments))
        ax.plot(moments, values, color=style.TEXT, linestyle=":", linewidth=1.2)
    note = f"dotted: {_band_name(names[-1])}, at least and at most"
    ax.text(0.01, 0.97, note, transform=ax.transAxes, va="top", parse_math=False, family=list(families()), gid="note")


def _name_bands(ax: Axes, tops: npt.NDArray[np.float64], names: list[list[str]], counts: Any) -> None:
    """Write each band's name and number beside its right end, apart from each other, with a line to it."""
    ends = np.append(tops[:, -1], 0.0)
    highest = max(float(tops.max()), 1.0) * 1.08
    middles = (ends[:-1] + ends[1:]) / 2 / highest
    height = ax.get_window_extent().height / ax.figure.dpi  # inches
    places = spread(middles[::-1], 0.175 / max(height, 0.5), 0.02, 1.0)[::-1]
    for place in reversed(range(len(names))):
        name_beside(ax, f"{_band_name(names[place])} {int(counts[place, -1]):,}", middles[place], places[place])


def aging(open_work: pd.DataFrame, ax: Axes | None = None, *, scope: str | None = None) -> Axes:
    """Draw how old the open work is, by the status it is in.

    A triangle marks an issue that is older than 85 % of past cycle times were long; a line through a point shows
    between which ages the issue may be, where its history is known from versions only.

    Parameters
    ----------
    open_work
        What `dk.jira.aging_work` gives: `key`, `status`, `age_days`, `percentile`, `at` (`age_days_low`,
        `age_days_high`, `phase`, `past_issues`).
    ax
        Where to draw; None: a new figure.
    scope
        Whose issues these are, for the title.

    Returns
    -------
    matplotlib.axes.Axes
        The oldest 20 issues have their keys, where these do not cover each other.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        No work is open.

    Examples
    --------
    >>> at = pd.Timestamp("2026-02-01", tz="UTC")
    >>> work = pd.DataFrame({"key": ["A-1"], "status": ["Review"], "age_days": [9.5], "percentile": [90.0], "at": [at]})
    >>> aging(work).get_ylabel()
    'age in days'
    """
    require(open_work, "key", "status", "age_days", "percentile", "at")
    require_rows(open_work, "no open work")
    work = open_work.assign(_old=open_work["percentile"].ge(_OLD).fillna(False))
    statuses = _statuses(work)
    ax = new_axes(ax, 4.4)
    with style.style():
        places = _beside(work, statuses)
        _points(ax, work, places)
        _keys(ax, work, places)
        names = [f"{short_name(status)} ({(work['status'].astype('str') == status).sum()})" for status in statuses]
        turned = sum(map(len, names)) > 100
        ax.set_xticks(range(len(statuses)), names, rotation=40 if turned else 0, ha="right" if turned else "center")
        for label in ax.get_xticklabels():
            label.set_parse_math(False)
            label.set_fontfamily(list(families()))
            label.set_rotation_mode("anchor" if turned else "default")
        ax.set_xlim(-0.6, len(statuses) - 0.4)
        use_counts(ax, "age in days", float(work.get("age_days_high", work["age_days"]).max()))
        ax.set_xlabel("status, and how many are in it")
        legend_below(ax, 2, inches=1.35 if turned else 0.8)
        when = f"on {work['at'].max():%Y-%m-%d %H:%M} (UTC)"
        oldest = f"the oldest {plain_days(float(work['age_days'].max()))}"
        set_title(ax, f"Age of open work{f', {scope}' if scope else ''}", f"{scope_of(work)}, {when}; {oldest}")
    return ax


def _statuses(work: pd.DataFrame) -> list[str]:
    """The statuses from the youngest work to the oldest: about the order in which work passes them."""
    ages = work.groupby(work["status"].astype("str"))["age_days"].median()
    return [str(name) for name in ages.sort_values(kind="stable").index]


def _beside(work: pd.DataFrame, statuses: list[str]) -> npt.NDArray[np.float64]:
    """Where each issue stands: around its status, those of about the same age beside each other."""
    place = work["status"].astype("str").map({name: n for n, name in enumerate(statuses)}).to_numpy(np.float64)
    rank = work["age_days"].groupby(work["status"].astype("str")).rank(method="first").to_numpy(np.float64)
    return np.asarray(place + np.array([0.0, 0.18, -0.18, 0.09, -0.09])[rank.astype(int) % 5])


def _points(ax: Axes, work: pd.DataFrame, places: npt.NDArray[np.float64]) -> None:
    ages = work["age_days"].to_numpy(np.float64)
    if {"age_days_low", "age_days_high"} <= set(work.columns):
        low, high = (work[name].to_numpy(np.float64) for name in ("age_days_low", "age_days_high"))
        ax.vlines(places[low < high], low[low < high], high[low < high], color=style.NEUTRAL, linewidth=1.6, zorder=1)
    old = work["_old"].to_numpy(bool)
    known = work["percentile"].notna().any()
    young = f"younger than {_OLD:.0f} % of past cycle times" if known else "no past cycle time to compare with"
    for chosen, marker, colour, label in (
        (~old, "o", style.PASS, young),
        (old, "^", style.FAIL, f"older than {_OLD:.0f} % of past cycle times: {int(old.sum())}"),
    ):
        if chosen.any():
            ax.scatter(
                places[chosen], ages[chosen], 34, colour, marker=marker, label=label, zorder=2, edgecolors="white"
            )


def _keys(ax: Axes, work: pd.DataFrame, places: npt.NDArray[np.float64]) -> None:
    """Write the keys of the oldest issues, the oldest first, each where no other one stands."""
    ages = work["age_days"].to_numpy(np.float64)
    box = ax.get_window_extent()
    wide, high = (side / ax.figure.dpi for side in (box.width, box.height))  # inches
    across, up = wide / (places.max() - places.min() + 1.2), high / max(float(ages.max()) * 1.08, 1.0)
    written: list[tuple[float, float, float]] = []
    for n in ages.argsort(kind="stable")[::-1][:_MOST_KEYS]:
        key = one_line(work["key"].iloc[int(n)], 16)
        x, y, length = float(places[n] * across), float(ages[n] * up), 0.085 * len(key) + 0.15
        if any(x < right and left < x + length and abs(y - other) < 0.16 for left, right, other in written):
            continue
        written.append((x, x + length, y))
        ax.annotate(
            key, (places[n], ages[n]), (6, 0), textcoords="offset points", va="center", parse_math=False,
            family=list(families()), fontsize=style.SMALLEST_TEXT,
        )  # fmt: skip
