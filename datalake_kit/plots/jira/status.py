"""How many issues of each type are to do, in progress and done."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from datalake_kit.errors import DataError
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import CATEGORIES, new_axes, require, scope_of
from datalake_kit.plots.lettering import drawable, families


def status_by_type(df: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many issues of each type are to do, in progress and done.

    Parameters
    ----------
    df
        One row an issue, with `issue_type` and `status_category`; `project` and `updated` go into the title.
    ax
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Horizontal bars, the type with most issues on top, the number of issues in each part.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no issue.

    Examples
    --------
    >>> issues = pd.DataFrame({"issue_type": ["Bug", "Bug", "Story"], "status_category": ["Done", "To Do", "Done"]})
    >>> status_by_type(issues).get_ylabel()
    'issue type'
    """
    require(df, "issue_type", "status_category")
    counts = _counts(df)
    ax = new_axes(ax, 1.6 + 0.5 * len(counts))
    with style.style():
        left = pd.Series(0, index=counts.index)
        for category in counts.columns:
            _bar(ax, counts[category], left, category, counts.to_numpy().sum(axis=1).max())
            left = left + counts[category]
        for place, total in enumerate(left):
            ax.annotate(f"{total}", (total, place), (5, 0), textcoords="offset points", va="center", weight="bold")
        _dress(ax, counts, df)
    return ax


def _counts(df: pd.DataFrame) -> pd.DataFrame:
    if df.empty:
        raise DataError("There is no issue to draw. Is the filter too narrow, or the table empty?")
    category = df["status_category"].astype("str").where(df["status_category"].isin(list(CATEGORIES)), "no category")
    kind = df["issue_type"].astype("str").where(df["issue_type"].notna(), "no type")
    counts = pd.crosstab(kind, category)
    counts = counts.reindex(columns=[c for c in CATEGORIES if c in counts.columns])
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def _bar(ax: Axes, widths: pd.Series[Any], left: pd.Series[Any], category: str, longest: int) -> None:
    colour, hatch, _ = CATEGORIES[category]
    places = list(range(len(widths)))
    bars = ax.barh(
        places, widths, left=left, height=0.62, color=colour, edgecolor=style.TEXT, linewidth=0.6, label=category
    )
    for bar in bars:
        bar.set_hatch(hatch)
    for place, (width, start) in enumerate(zip(widths, left, strict=True)):
        if width >= 0.02 * longest:  # narrower parts have no room for their number; the total stands beside the bar
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
            ax.text(
                start + width / 2, place, f"{width}", ha="center", va="center", fontsize=style.SMALLEST_TEXT, bbox=box
            )


def _dress(ax: Axes, counts: pd.DataFrame, df: pd.DataFrame) -> None:
    ax.set_yticks(range(len(counts)), [_type_label(kind, df) for kind in counts.index])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
        label.set_fontfamily(list(families()))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.margins(x=0.06)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("issues")
    ax.set_ylabel("issue type")
    ax.set_title(f"Status by issue type\n{updated_scope(df)}", parse_math=False)
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)  # half an inch under the axis
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=4)


def _type_label(kind: str, df: pd.DataFrame) -> str:
    """The name of a type; with its id where the name cannot be drawn."""
    label = drawable(kind)
    if label == kind or "issue_type_id" not in df.columns:
        return label
    numbers = df.loc[df["issue_type"] == kind, "issue_type_id"].dropna().unique()
    return f"{label} (id {', '.join(map(str, numbers))})" if len(numbers) else label


def updated_scope(df: pd.DataFrame) -> str:
    """Say which issues, and when they were last changed: `109 issues of EE, K5, updated 2020-03-28 to 2026-04-02`."""
    said = scope_of(df)
    if "updated" in df.columns and df["updated"].notna().any():
        said += f", updated {df['updated'].min():%Y-%m-%d} to {df['updated'].max():%Y-%m-%d} (UTC)"
    return drawable(said)
