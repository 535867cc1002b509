"""An epic with everything below it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.errors import DataError, did_you_mean
from datalake_kit.jira.relations.hierarchy import parents
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import CATEGORIES, new_axes, require
from datalake_kit.plots.jira.status import updated_scope
from datalake_kit.plots.lettering import drawable, families, one_line


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

    Examples
    --------
    >>> issues = pd.DataFrame({"id": ["1", "2"], "key": ["A-1", "A-2"], "summary": ["Epic", "Story"],
    ...                        "status_category": ["In Progress", "Done"], "parent_id": [None, "1"]})
    >>> hierarchy(issues, "A-1").get_title(loc="left").split("\\n")[0]
    'A-1 Epic: 1 of 1 done'
    """
    require(df, "id", "key", "summary", "status_category")
    tree = parents(df)
    path = tree["chain"].str.split(" > ")
    below = path.map(lambda keys: epic in keys)
    if not below.any():
        raise DataError(f"No issue is {epic} or below it. {did_you_mean(epic, tree['epic_key'].dropna().unique())}")
    family = df[below].assign(_depth=path[below].map(lambda keys: len(keys) - 1 - keys.index(epic)))
    family = family.loc[path[below].map(lambda keys: [_natural(k) for k in keys]).sort_values(kind="stable").index]
    shown = family.head(most)
    ax = new_axes(ax, 1.0 + 0.27 * (len(shown) + (len(family) > most)))
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
        category = issue["status_category"] if issue["status_category"] in CATEGORIES else "no category"
        colour, _, sign = CATEGORIES[category]
        start = 0.02 + 0.35 * issue["_depth"]
        ink = style.NEUTRAL if colour in (style.MISSING, "#FFFFFF") else colour
        ax.text(start, place, sign, color=ink, va="center", fontsize=12)
        words = f"{issue['key']}  {one_line(issue['summary'])}"
        ax.text(start + 0.25, place, words, va="center", parse_math=False, family=list(families()))
        told = issue.get("status")
        status = drawable(told if isinstance(told, str) else category)
        ax.text(9.98, place, status, va="center", ha="right", parse_math=False, family=list(families()))


def _family_title(family: pd.DataFrame, epic: str) -> str:
    own = family[family["key"] == epic]
    children = family[family["key"] != epic]
    done = int((children["status_category"] == "Done").sum())
    name = f" {one_line(own['summary'].iloc[0], 50)}" if len(own) else " (not in the data)"
    signs = "   ".join(
        f"{sign} {category}" for category, (_, _, sign) in CATEGORIES.items() if category != "no category"
    )
    return f"{epic}{name}: {done} of {len(children)} done\n{updated_scope(family)}    {signs}"
