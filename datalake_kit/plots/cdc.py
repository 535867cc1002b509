"""Pictures of replication: what tables should hold against what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.plots import style
from datalake_kit.plots.activity import activity
from datalake_kit.plots.damage import checked, damage, history, lag

if TYPE_CHECKING:
    from datalake_kit.cdc import Validation

__all__ = ["activity", "counts", "damage", "history", "lag"]

_HEIGHT = 0.34  # of a bar, where the distance of two tables is 1
_MARKS: dict[str, Literal["pass", "warn", "fail"]] = {"equal": "pass", "different": "fail", "not compared": "warn"}
_KINDS = ("missing", "extra", "changed", "duplicates")


def counts(validation: Validation, ax: Axes | None = None) -> Axes:
    """Draw the rows that each table should hold beside those that it holds, with the verdict in words.

    Tables that are not equal say by how much and what is wrong: a table can have the right count and wrong rows.

    Parameters
    ----------
    validation : Validation
        The result of `dk.cdc.validate`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> dk.plots.cdc.counts(dk.cdc.validate(lake))            # doctest: +SKIP
    """
    summary = checked(validation).summary
    ax = style.axes(ax, width=9.0, height=1.3 + 0.52 * max(1, len(summary)))
    with style.style():
        places = np.arange(len(summary))[::-1]  # the first table on top
        _bars(ax, summary, places)
        longest = float(np.nanmax([1.0, *_numbers(summary["expected"]), *_numbers(summary["lake"])]))
        for place, row in zip(places, summary.to_dict(orient="records"), strict=True):
            _say(ax, float(place), row, longest)
        ax.set_xlim(0, longest * 1.62)
        ax.set_ylim(-0.7, len(summary) - 0.3)
        ax.set_yticks(places, [str(t) for t in summary["table"]])
        _finish(ax, validation, longest)
    return ax


def _bars(ax: Axes, summary: pd.DataFrame, places: Any) -> None:
    should, holds = _numbers(summary["expected"]), _numbers(summary["lake"])
    colours = [style.mark(_MARKS[str(v)])[1] for v in summary["verdict"]]
    up, down = places + _HEIGHT / 2 + 0.02, places - _HEIGHT / 2 - 0.02
    outline: dict[str, Any] = {"color": style.GRID, "edgecolor": style.NEUTRAL, "linewidth": 0.8}
    ax.barh(up, np.nan_to_num(should), _HEIGHT, label="upper bar: expected, replayed from the DMS files", **outline)
    ax.barh(down, np.nan_to_num(holds), _HEIGHT, color=colours)
    ax.barh([0], [0], color=style.PASS, label="lower bar: in the lake, coloured by verdict")


def _say(ax: Axes, place: float, row: dict[Any, Any], longest: float) -> None:
    known = [float(n) for n in (row["expected"], row["lake"]) if not pd.isna(n)]
    sign = style.mark(_MARKS[str(row["verdict"])])[0].split(" ")[0]
    text = f"{sign} {row['verdict']}"
    colour = style.mark(_MARKS[str(row["verdict"])])[1]
    if row["verdict"] != "equal":
        text = f"{text}: {_what(row)}"
    at = max(known, default=0.0) + longest * 0.015
    weight = "normal" if row["verdict"] == "equal" else "bold"
    ax.text(at, place, text, va="center", ha="left", color=colour, fontsize=9.5, fontweight=weight)


def _what(row: dict[Any, Any]) -> str:
    wrong = [f"{int(row[k]):,} {k if row[k] > 1 else k.rstrip('s')}" for k in _KINDS if not pd.isna(row[k]) and row[k]]
    if pd.isna(row["difference"]):
        return "could not be read"
    rows = f"{int(row['difference']):+,} rows".replace("-", "\N{MINUS SIGN}")
    rows = rows if row["difference"] else "the count is right"
    return ", ".join([rows, *wrong])


def _numbers(column: pd.Series[Any]) -> Any:
    return column.astype("Float64").to_numpy(dtype="float64", na_value=np.nan)


def _finish(ax: Axes, validation: Validation, longest: float) -> None:
    equal = int((validation.summary["verdict"] == "equal").sum())
    ax.set_title(f"{equal} of {len(validation.summary)} tables hold what their DMS files say")
    ax.set_xlabel("rows", loc="left")
    ax.set_xticks([t for t in ax.get_xticks() if 0 <= t <= longest * 1.02])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, -0.12 if len(validation.summary) > 3 else -0.35), ncols=2)
