"""Issues and the links between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from datalake_kit.errors import DataError, did_you_mean
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import new_axes, require, require_rows, scope_of, set_title
from datalake_kit.plots.jira.layout import Ends, Places, components, nearest, neighbours, place
from datalake_kit.plots.lettering import drawable, families, one_line

_LOOKS = (
    (style.DHI, "-"), (style.FAIL, "--"), (style.TEXT, ":"), (style.WARN, "-."), (style.NEUTRAL, (0, (1, 3))),
    (style.DNI, (0, (5, 1))),
)  # fmt: skip
_MOST_WORDS = 40  # links with their words beside them; more are told apart by the legend alone


def links(edges: pd.DataFrame, ax: Axes | None = None, *, around: str | None = None, most: int = 40) -> Axes:
    """Draw issues and the links between them: an arrow from the issue that does (blocks, clones) to the other one.

    Parameters
    ----------
    edges
        What `dk.jira.links` gives, one row a link: `from_key`, `to_key`, `words` (`link_type`, `from_here`, `to_here`).
    ax
        Where to draw; None: a new figure as large as the graph needs.
    around
        Key of an issue: only the issues nearest to it are drawn. None: the largest groups that hang together first.
    most
        Issues to draw at most; the title says how many there are.

    Returns
    -------
    matplotlib.axes.Axes
        Issues that are only linked to, and not among those loaded, have a dashed frame. Up to 40 links have their
        words beside them; all are told apart by line and colour in the legend.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no link with both of its ends, or none of `around`.

    Examples
    --------
    >>> edges = pd.DataFrame({"from_key": ["A-1"], "to_key": ["A-2"], "words": ["blocks"]})
    >>> sorted(text.get_text() for text in links(edges).texts if text.get_text())
    ['A-1', 'A-2', 'blocks']
    """
    require(edges, "from_key", "to_key", "words")
    whole = edges[edges["from_key"].notna() & edges["to_key"].notna()].astype({"from_key": "str", "to_key": "str"})
    require_rows(whole, "no link between two issues")
    names = pd.Index(pd.unique(pd.concat([whole["from_key"], whole["to_key"]])))
    chosen = _choose(names, _ends(whole, names), around, most)
    shown = whole[whole["from_key"].isin(chosen) & whole["to_key"].isin(chosen)]
    ends = _ends(shown, chosen)
    places = place(len(chosen), ends)
    wide, high = np.ptp(places, axis=0)
    ax = new_axes(ax, float(np.clip(high + 2.2, 2.5, 30)), width=float(np.clip(wide + 2, 7, 30)))
    with style.style():
        looks = _looks(shown)
        _draw_links(ax, shown, ends, places, looks)
        _draw_issues(ax, chosen, places, _absent(whole))
        ax.set_xlim(places[:, 0].min() - 0.8, places[:, 0].max() + 0.8)
        ax.set_ylim(places[:, 1].max() + 0.5, places[:, 1].min() - 0.5)
        ax.set_axis_off()
        handles = [Line2D([], [], color=c, linestyle=line, label=drawable(words)) for words, (c, line) in looks.items()]
        legend = ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.01), ncols=4)
        for label in legend.get_texts():
            label.set_parse_math(False)
            label.set_fontfamily(list(families()))
        set_title(ax, *_titles(whole, shown, names, chosen, around))
    return ax


def _ends(edges: pd.DataFrame, names: pd.Index[Any]) -> Ends:
    return np.column_stack([names.get_indexer(pd.Index(edges[side])) for side in ("from_key", "to_key")]).astype(
        np.int64
    )


def _choose(names: pd.Index[Any], ends: Ends, around: str | None, most: int) -> pd.Index[Any]:
    if around is not None:
        if around not in names:
            raise DataError(f"No link has {around} at an end. {did_you_mean(around, map(str, names))}")
        return names[nearest(neighbours(len(names), ends), int(names.get_indexer(pd.Index([around]))[0]), most)]
    degree = np.bincount(ends.ravel(), minlength=len(names))
    near = neighbours(len(names), ends)
    chosen: list[int] = []
    for group in components(len(names), ends):
        room = most - len(chosen)
        if room < 2:
            break
        middle = max(group, key=lambda node: (degree[node], -node))
        chosen += nearest(near, middle, room)
    return names[chosen]


def _looks(shown: pd.DataFrame) -> dict[str, tuple[Any, Any]]:
    words = shown["words"].fillna("linked").astype("str").value_counts(sort=True).index
    return {str(word): _LOOKS[min(n, len(_LOOKS) - 1)] for n, word in enumerate(words)}


def _draw_links(ax: Axes, shown: pd.DataFrame, ends: Ends, places: Places, looks: dict[str, tuple[Any, Any]]) -> None:
    told = shown["words"].fillna("linked").astype("str").tolist()
    beside: dict[tuple[int, int], int] = {}
    for row, ((start, end), words) in enumerate(zip(ends.tolist(), told, strict=True)):
        pair = (min(start, end), max(start, end))
        number = beside[pair] = beside.get(pair, 0) + 1
        colour, line = looks[words]
        bend = 0.18 * (number // 2) * (1 if number % 2 else -1) * (1 if start < end else -1)
        from_there, to_there = _edges_of_names(places[start], places[end], shown.iloc[row])
        ax.annotate(
            "", to_there, from_there,
            arrowprops={"arrowstyle": "-|>", "color": colour, "linestyle": line, "linewidth": 1.2, "shrinkA": 1,
                        "shrinkB": 1, "connectionstyle": f"arc3,rad={bend}"},
        )  # fmt: skip
        if len(told) <= _MOST_WORDS:
            middle = places[start] + 0.5 * (places[end] - places[start])
            sideways = np.array([-(places[end] - places[start])[1], (places[end] - places[start])[0]])
            x, y = middle - sideways * bend * 0.5
            ax.text(x, y, one_line(words, 24), color=colour if colour != style.NEUTRAL else style.TEXT, ha="center",
                    va="center", fontsize=style.SMALLEST_TEXT, parse_math=False, family=list(families()), zorder=3,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85})  # fmt: skip


def _edges_of_names(start: Any, end: Any, link: pd.Series[Any]) -> tuple[Any, Any]:
    """Where the line between two issues leaves the frame of the one and meets that of the other."""
    way = end - start
    if not np.hypot(*way):
        return start, end + np.array([0.0, 0.3])
    shares = []
    for name in (link["from_key"], link["to_key"]):
        room = np.array([0.045 * min(len(name), 16) + 0.12, 0.16])
        shares.append(min(0.45, float((room / np.maximum(np.abs(way), 1e-9)).min())))
    return start + way * shares[0], end - way * shares[1]


def _draw_issues(ax: Axes, chosen: pd.Index[Any], places: Places, absent: set[str]) -> None:
    for name, (x, y) in zip(chosen, places, strict=True):
        away = name in absent
        ax.text(x, y, one_line(name, 16), ha="center", va="center", parse_math=False, family=list(families()), zorder=4,
                bbox={"boxstyle": "round,pad=0.3", "facecolor": "white" if away else "#EEF3F8", "edgecolor": style.TEXT,
                      "linestyle": "--" if away else "-", "linewidth": 0.9})  # fmt: skip


def _absent(edges: pd.DataFrame) -> set[str]:
    """Keys of issues that are only linked to."""
    found: set[str] = set()
    for side in ("from", "to"):
        if f"{side}_here" in edges.columns:
            found |= set(edges.loc[~edges[f"{side}_here"].fillna(True).astype(bool), f"{side}_key"])
    return found


def _titles(
    whole: pd.DataFrame, shown: pd.DataFrame, names: pd.Index[Any], chosen: pd.Index[Any], around: str | None
) -> tuple[str, str]:
    title = f"Links around {around}" if around else "Links between issues"
    said = scope_of(pd.DataFrame({"key": names}), noun="linked issue")
    if len(chosen) < len(names):
        said = f"{len(chosen):,} of {said}, {len(shown):,} of {len(whole):,} links"
    else:
        said += f", {len(whole):,} link{'s' if len(whole) != 1 else ''}"
    away = _absent(whole) & set(chosen)
    return title, said + (f"; dashed: {len(away)} not among the issues loaded" if away else "")
