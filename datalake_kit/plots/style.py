"""Colours, text sizes and the few rules that every picture of this package keeps.

Nothing is changed for the user's own figures: the settings hold inside `style()` and for the figures of `figure()`.
The colours were measured for colour-blind readers. A verdict is never told by colour alone: `mark` gives a sign and a
word to write beside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, overload

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "CLEAR_SKY",
    "DHI",
    "DNI",
    "FAIL",
    "GHI",
    "GRID",
    "MISSING",
    "NEUTRAL",
    "PASS",
    "TEXT",
    "WARN",
    "axes",
    "figure",
    "mark",
    "style",
]

GHI = "#C77700"
DNI = "#7F1D1D"
DHI = "#0072B2"
CLEAR_SKY = "#666666"  # drawn dashed
PASS = "#0072B2"  # noqa: S105 - a colour
WARN = "#B87A00"
FAIL = "#A3123A"
MISSING = "#C9D6E2"
NEUTRAL = "#8A94A0"  # bars and lines that carry no verdict
TEXT = "#222222"
GRID = "#E3E6EA"

SMALLEST_TEXT = 9.0  # points
_MARKS = {"pass": ("\N{CHECK MARK}", PASS), "warn": ("\N{WARNING SIGN}", WARN), "fail": ("\N{BALLOT X}", FAIL)}
_SETTINGS: Any = {  # the type of its keys differs between versions of matplotlib
    "font.size": 10.0,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.labelsize": 10.0,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": NEUTRAL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.labelsize": SMALLEST_TEXT,
    "ytick.labelsize": SMALLEST_TEXT,
    "xtick.color": NEUTRAL,
    "ytick.color": NEUTRAL,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "text.color": TEXT,
    "legend.fontsize": SMALLEST_TEXT,
    "legend.frameon": False,
    "figure.titlesize": 12.0,
    "figure.titleweight": "bold",
    "figure.facecolor": "white",
    "figure.dpi": 100.0,
    "savefig.facecolor": "white",
    "lines.linewidth": 1.4,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw with the settings of this package inside the block; afterwards the user's own hold again.

    >>> with style():
    ...     mpl.rcParams["axes.grid.axis"]
    'y'
    """
    # Not rc_context: that also puts `interactive` back, which the backend of a notebook turns on at the first figure.
    saved = {name: mpl.rcParams[name] for name in _SETTINGS}
    mpl.rcParams.update(_SETTINGS)
    try:
        yield
    finally:
        mpl.rcParams.update(saved)


@overload
def figure(
    width: float = ..., height: float = ..., *, rows: Literal[1] = ..., columns: Literal[1] = ..., **options: Any
) -> tuple[Figure, Axes]: ...
@overload
def figure(
    width: float = ..., height: float = ..., *, rows: int = ..., columns: int = ..., **options: Any
) -> tuple[Figure, np.ndarray[Any, Any]]: ...
def figure(
    width: float = 9.0, height: float = 4.0, *, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """Make a figure of `width` x `height` inches in the style, and its axes (an array when there are several).

    Other options go to `matplotlib.pyplot.subplots`. Laid out so that no text is cut off.

    >>> fig, ax = figure(6, 3)
    >>> fig.get_size_inches().tolist()
    [6.0, 3.0]
    """
    import matplotlib.pyplot as plt

    with style():
        options.setdefault("layout", "constrained")
        return plt.subplots(rows, columns, figsize=(width, height), **options)


def axes(ax: Axes | None = None, *, width: float = 9.0, height: float = 4.0) -> Axes:
    """Return `ax` as it was given, or the axes of a new figure of `width` x `height` inches."""
    return figure(width, height)[1] if ax is None else ax


def mark(status: Literal["pass", "warn", "fail"]) -> tuple[str, str]:
    """Return the sign and word of a status, and its colour.

    >>> mark("pass")
    ('✓ pass', '#0072B2')
    """
    if status not in _MARKS:
        raise ValueError(f"No such status: {status!r}. Give one of {', '.join(_MARKS)}.")
    sign, colour = _MARKS[status]
    return f"{sign} {status}", colour
