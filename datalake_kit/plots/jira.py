"""Pictures of Jira issues: status by type, and an epic with its children."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.jira.relations import parents
from datalake_kit.plots import style

__all__ = ["hierarchy", "status_by_type"]

# category -> colour, hatch, sign: told apart in black and white too
_CATEGORIES = {
    "To Do": (style.MISSING, "", "○"),
    "In Progress": (style.GHI, "////", "◐"),
    "Done": (style.PASS, "", "●"),
    "no category": ("#FFFFFF", "....", "?"),
}


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
    _require(df, "issue_type", "status_category")
    counts = _counts(df)
    ax = _axes(ax, 1.6 + 0.5 * len(counts))
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
    category = df["status_category"].astype("str").where(df["status_category"].isin(list(_CATEGORIES)), "no category")
    kind = df["issue_type"].astype("str").where(df["issue_type"].notna(), "no type")
    counts = pd.crosstab(kind, category)
    counts = counts.reindex(columns=[c for c in _CATEGORIES if c in counts.columns])
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def _bar(ax: Axes, widths: pd.Series[Any], left: pd.Series[Any], category: str, longest: int) -> None:
    colour, hatch, _ = _CATEGORIES[category]
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
        label.set_fontfamily(list(_families()))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.grid(visible=True, axis="x")
    ax.margins(x=0.06)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("issues")
    ax.set_ylabel("issue type")
    ax.set_title(f"Status by issue type\n{_scope(df)}", parse_math=False)
    below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)  # half an inch under the axis
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncols=4)


def _type_label(kind: str, df: pd.DataFrame) -> str:
    """The name of a type; with its id where the name cannot be drawn."""
    label = drawable(kind)
    if label == kind or "issue_type_id" not in df.columns:
        return label
    numbers = df.loc[df["issue_type"] == kind, "issue_type_id"].dropna().unique()
    return f"{label} (id {', '.join(map(str, numbers))})" if len(numbers) else label


def _scope(df: pd.DataFrame) -> str:
    """Which issues, and when they were last changed: `109 issues of EE, K5, TST, updated 2020-03-28 to 2026-04-02`."""
    said = f"{len(df)} issues" if len(df) != 1 else "1 issue"
    if "project" in df.columns:
        projects = sorted(df["project"].dropna().unique())
        said += f" of {', '.join(projects)}" if len(projects) <= 6 else f" of {len(projects)} projects"
    if "updated" in df.columns and df["updated"].notna().any():
        said += f", updated {df['updated'].min():%Y-%m-%d} to {df['updated'].max():%Y-%m-%d} (UTC)"
    return drawable(said)


def hierarchy(df: pd.DataFrame, epic: str, ax: Axes | None = None, *, most: int = 40) -> Axes:
    """Draw an epic with everything below it, as an indented tree with the status of each issue.

    Parameters
    ----------
    df
        One row an issue, as `dk.jira.load(...).frame()` gives; `dk.jira.parents` finds who is below whom.
    epic
        Key of the epic, or of any issue with children; it need not be in the frame itself.
    ax
        Where to draw; None: a new figure.
    most
        Rows to draw at most; the last line says how many more there are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DataError
        No issue is `epic` or below it.
    """
    _require(df, "id", "key", "summary", "status_category")
    tree = parents(df)
    path = tree["chain"].str.split(" > ")
    below = path.map(lambda keys: epic in keys)
    if not below.any():
        raise DataError(f"No issue is {epic} or below it. {did_you_mean(epic, tree['epic_key'].dropna().unique())}")
    family = df[below].assign(_depth=path[below].map(lambda keys: len(keys) - 1 - keys.index(epic)))
    family = family.loc[path[below].map(lambda keys: [_natural(k) for k in keys]).sort_values(kind="stable").index]
    shown = family.head(most)
    ax = _axes(ax, 1.0 + 0.27 * (len(shown) + (len(family) > most)))
    with style.style():
        _tree(ax, shown)
        if len(family) > most:
            ax.text(0.02, len(shown), f"and {len(family) - most} more", va="center", style="italic")
        ax.set_title(_family_title(family, epic), parse_math=False)
        ax.set(xlim=(0, 10), ylim=(len(shown) + 0.6, -0.8))
        ax.set_axis_off()
    return ax


def _natural(key: str) -> tuple[str, int]:
    head, _, number = key.rpartition("-")
    return (head, int(number)) if number.isdigit() else (key, 0)


def _tree(ax: Axes, shown: pd.DataFrame) -> None:
    for place, issue in enumerate(shown.to_dict("records")):
        category = issue["status_category"] if issue["status_category"] in _CATEGORIES else "no category"
        colour, _, sign = _CATEGORIES[category]
        start = 0.02 + 0.35 * issue["_depth"]
        ink = style.NEUTRAL if colour in (style.MISSING, "#FFFFFF") else colour
        ax.text(start, place, sign, color=ink, va="center", fontsize=12)
        words = f"{issue['key']}  {_one_line(issue['summary'])}"
        ax.text(start + 0.25, place, words, va="center", parse_math=False, family=list(_families()))
        told = issue.get("status")
        status = drawable(told if isinstance(told, str) else category)
        ax.text(9.98, place, status, va="center", ha="right", parse_math=False, family=list(_families()))


def _one_line(text: object, most: int = 70) -> str:
    line = drawable(" ".join(str(text).split())) if isinstance(text, str) else "(no summary)"
    return line if len(line) <= most else line[: most - 1] + "…"


def _family_title(family: pd.DataFrame, epic: str) -> str:
    own = family[family["key"] == epic]
    children = family[family["key"] != epic]
    done = int((children["status_category"] == "Done").sum())
    name = f" {_one_line(own['summary'].iloc[0], 50)}" if len(own) else " (not in the data)"
    signs = "   ".join(
        f"{sign} {category}" for category, (_, _, sign) in _CATEGORIES.items() if category != "no category"
    )
    return f"{epic}{name}: {done} of {len(children)} done\n{_scope(family)}    {signs}"


# Fonts with Chinese, Japanese and Korean characters, as they are called on Linux, macOS and Windows
_WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Arial Unicode MS",
)  # fmt: skip


@cache
def _families() -> tuple[str, ...]:
    """The font of all pictures, then those of this machine that have the characters it lacks."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed))


@cache
def _can_draw(character: str) -> bool:
    fonts = (font_manager.get_font(font_manager.findfont(family)) for family in _families())
    return any(font.get_char_index(ord(character)) for font in fonts)


def drawable(text: str) -> str:
    """The text with □ for each character that no font here has."""
    return "".join(c if c.isspace() or _can_draw(c) else "□" for c in text)


def _axes(ax: Axes | None, height: float) -> Axes:
    """The axes given, or new ones, in a notebook shown like any others."""
    import matplotlib.pyplot as plt

    # Chooses the backend now: what that sets within the style would be undone with the style.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call, unused-ignore]
    return style.axes(ax, height=height)


def _require(df: pd.DataFrame, *columns: str) -> None:
    for name in columns:
        if name not in df.columns:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. {did_you_mean(name, map(str, df.columns))}")
