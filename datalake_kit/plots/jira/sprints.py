"""Sprints: what remained day after day, and how much a team completes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import (
    legend_below,
    new_axes,
    period_of,
    require,
    require_rows,
    set_title,
    spread,
    use_counts,
    use_dates,
)
from datalake_kit.plots.lettering import families, one_line, short_name

Unit = Literal["issues", "points"]

_MOST_SPRINTS = 16


def burndown(course: pd.DataFrame, ax: Axes | None = None, *, unit: Unit | None = None) -> Axes:
    """Draw what remained of a sprint, with the ideal line and what was added or removed.

    A triangle up marks work that was added, one down work that was removed, a cross a change whose instant is not
    known exactly.

    Parameters
    ----------
    course
        What `dk.jira.burndown` gives, one row a change or an instant: `sprint`, `at`, `remaining_*`, `ideal_*`
        (`reason`, `uncertain`).
    ax
        Where to draw; None: a new figure.
    unit
        "issues" or "points"; None: points where there are any.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no row, or nothing in this unit.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-05", "2026-01-07", "2026-01-09"], utc=True)
    >>> rows = pd.DataFrame({"sprint": "Blue 7", "at": days, "remaining_issues": [4.0, 3.0, 1.0],
    ...                      "ideal_issues": [4.0, 2.0, 0.0]})
    >>> burndown(rows).get_ylabel()
    'issues'
    """
    unit = _unit(course, "remaining", unit)
    lines = {"remaining": (f"remaining_{unit}", "-", style.DHI), "ideal": (f"ideal_{unit}", "--", style.NEUTRAL)}
    return _draw_course(course, ax, unit, lines, "Burndown")


def burnup(course: pd.DataFrame, ax: Axes | None = None, *, unit: Unit | None = None) -> Axes:
    """Draw what was completed of a sprint, and its scope.

    Parameters
    ----------
    course
        What `dk.jira.burnup` gives: `sprint`, `at`, `scope_*`, `completed_*`, `ideal_*` (`reason`, `uncertain`).
    ax, unit
        As of `burndown`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no row, nothing in this unit, or it is the course of a burndown.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-01-05", "2026-01-07"], utc=True)
    >>> rows = pd.DataFrame({"sprint": "Blue 7", "at": days, "scope_issues": [4.0, 5.0], "completed_issues": [0.0, 2.0],
    ...                      "ideal_issues": [0.0, 4.0]})
    >>> sorted(text.get_text() for text in burnup(rows).texts)
    ['completed 2', 'ideal 4', 'scope 5']
    """
    unit = _unit(course, "completed", unit)
    if f"remaining_{unit}" in course.columns:
        raise DataError("This is the course of a burndown, whose ideal falls. Give what dk.jira.burnup gives.")
    lines = {
        "scope": (f"scope_{unit}", ":", style.TEXT),
        "completed": (f"completed_{unit}", "-", style.DHI),
        "ideal": (f"ideal_{unit}", "--", style.NEUTRAL),
    }
    return _draw_course(course, ax, unit, lines, "Burnup")


def _unit(course: pd.DataFrame, measure: str, unit: Unit | None) -> Unit:
    require(course, "sprint", "at")
    require_rows(course, "no course of a sprint")
    if unit not in (None, "issues", "points"):
        raise ParameterError(f"No such unit: {unit!r}. Give 'issues' or 'points'.")
    points = f"{measure}_points"
    has_points = points in course.columns and bool((course[points] > 0).any())
    if unit == "points" and not has_points:
        raise DataError("No issue of this sprint has points. Give unit='issues', or points= to the measure.")
    return unit or ("points" if has_points else "issues")


def _draw_course(
    course: pd.DataFrame, ax: Axes | None, unit: Unit, lines: dict[str, tuple[str, str, str]], what: str
) -> Axes:
    require(course, *(column for column, _, _ in lines.values()))
    course = course.sort_values("at", kind="stable")
    ax = new_axes(ax, 4.2)
    with style.style():
        highest = max(float(course[column].max()) for column, _, _ in lines.values())
        main = lines.get("remaining", lines.get("scope", ("", "", "")))[0]
        for column, line, colour in lines.values():
            known = course[course[column].notna()]
            drawn = "default" if column.startswith("ideal") else "steps-post"
            wide = 1.4 if column.startswith(("ideal", "scope")) else 2.2
            ax.plot(known["at"], known[column], linestyle=line, color=colour, drawstyle=drawn, linewidth=wide)
        _mark_changes(ax, course, main)
        use_counts(ax, unit, highest)
        ax.margins(x=0.02)
        use_dates(ax, course["at"])
        _name_lines(ax, course, lines)
        name = one_line(course["sprint"].dropna().iloc[0], 50) if course["sprint"].notna().any() else "sprint"
        set_title(ax, f"{what} of {name} in {unit}", _told(course, unit, lines))
    return ax


def _mark_changes(ax: Axes, course: pd.DataFrame, column: str) -> None:
    if "reason" in course.columns:
        for reason, marker, colour in (("added", "^", style.WARN), ("removed", "v", style.FAIL)):
            rows = course[(course["reason"] == reason) & course[column].notna()]
            if len(rows):
                label = f"{reason}: {len(rows)}"
                ax.scatter(
                    rows["at"], rows[column], 42, colour, marker=marker, label=label, zorder=4, edgecolors="white"
                )
    if "uncertain" in course.columns:
        rows = course[course["uncertain"].fillna(False).astype(bool) & course[column].notna()]
        if len(rows):
            label = f"instant not known exactly: {len(rows)}"
            ax.scatter(rows["at"], rows[column], 70, style.TEXT, marker="x", label=label, zorder=5, linewidths=1.0)
    if ax.get_legend_handles_labels()[1]:
        legend_below(ax, 3)


def _name_lines(ax: Axes, course: pd.DataFrame, lines: dict[str, tuple[str, str, str]]) -> None:
    """Name each line at its right end."""
    top = ax.get_ylim()[1]
    ends = {name: course.loc[course[column].notna(), ["at", column]] for name, (column, _, _) in lines.items()}
    ends = {name: rows for name, rows in ends.items() if len(rows)}
    values = {name: float(rows[lines[name][0]].to_numpy(np.float64)[-1]) for name, rows in ends.items()}
    places = dict(zip(values, spread([value / top for value in values.values()], 0.055, 0.02, 1.0), strict=True))
    for name, value in values.items():
        ax.annotate(
            f"{name} {value:g}", (ends[name]["at"].iloc[-1], value), (1.03, places[name]),
            textcoords=ax.transAxes, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": style.NEUTRAL, "shrinkA": 0, "shrinkB": 2, "linewidth": 0.8,
                        "relpos": (0, 0.5)},
        )  # fmt: skip


def _told(course: pd.DataFrame, unit: str, lines: dict[str, tuple[str, str, str]]) -> str:
    first = course.iloc[0]
    column = next(iter(lines.values()))[0]
    start = f"{first[column]:g} {unit} at the start" if first.notna()[column] else "no issue known at the start"
    return f"{period_of(course['at'])}, {start}"


def velocity(sprints: pd.DataFrame, ax: Axes | None = None, *, unit: Unit | None = None) -> Axes:
    """Draw what each sprint committed to and what it completed, with the mean of the sprints so far.

    Parameters
    ----------
    sprints
        What `dk.jira.velocity` gives: `sprint`, `completed`, `committed_*`, `completed_*`, `mean_*` (`board_id`,
        `uncertain_issues`).
    ax, unit
        As of `burndown`.

    Returns
    -------
    matplotlib.axes.Axes
        The last 16 sprints; the title says how many there are. A sprint with issues that may belong to it or not has
        a `?` and their number.

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        There is no sprint, or none has points though asked for.

    Examples
    --------
    >>> day = pd.to_datetime(["2026-01-16"], utc=True)
    >>> rows = pd.DataFrame({"sprint": ["Blue 7"], "completed": day, "committed_issues": [9], "completed_issues": [7],
    ...                      "mean_issues": [7.0]})
    >>> [int(bar.get_height()) for bar in velocity(rows).patches]
    [9, 7]
    """
    require(sprints, "sprint", "completed")
    require_rows(sprints, "no closed sprint")
    unit = _unit(sprints.assign(at=sprints["completed"]), "completed", unit)
    require(sprints, f"committed_{unit}", f"completed_{unit}", f"mean_{unit}")
    shown = sprints.sort_values("completed", kind="stable").tail(_MOST_SPRINTS)
    committed, completed, mean = (
        shown[f"{name}_{unit}"].to_numpy(np.float64, na_value=np.nan) for name in ("committed", "completed", "mean")
    )
    ax = new_axes(ax, 4.4)
    with style.style():
        places = np.arange(len(shown))
        ax.bar(places - 0.2, committed, 0.38, label="committed at the start", color="white", edgecolor=style.TEXT,
               hatch="////", linewidth=0.8)  # fmt: skip
        ax.bar(places + 0.2, completed, 0.38, label="completed", color=style.DHI, edgecolor=style.TEXT, linewidth=0.8)
        ax.plot(places, mean, linestyle="--", marker="D", markersize=4, color=style.DNI, label="mean so far")
        for place, value in zip(places + 0.2, completed, strict=True):
            if np.isfinite(value):
                ax.annotate(f"{value:g}", (place, value), (0, 2), textcoords="offset points", ha="center", va="bottom",
                            fontsize=style.SMALLEST_TEXT, zorder=6,
                            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
        use_counts(ax, unit, float(np.nanmax([*committed, *completed, *mean])))
        _name_sprints(ax, shown)
        ax.set_title("")
        set_title(ax, f"Velocity in {unit}", _sprints_told(sprints, shown, unit))
    return ax


def _name_sprints(ax: Axes, shown: pd.DataFrame) -> None:
    unsure = (
        shown["uncertain_issues"].fillna(0).astype(int) if "uncertain_issues" in shown.columns else [0] * len(shown)
    )
    names = [
        short_name(name) + (f" ? {number}" if number else "")
        for name, number in zip(shown["sprint"], unsure, strict=True)
    ]
    turned = len(names) * max(map(len, names)) > 90
    ax.set_xticks(range(len(names)), names, rotation=40 if turned else 0, ha="right" if turned else "center")
    for label in ax.get_xticklabels():
        label.set_parse_math(False)
        label.set_fontfamily(list(families()))
        label.set_rotation_mode("anchor" if turned else "default")
    ax.set_xlim(-0.7, max(len(names), 4) - 0.3)
    ax.set_xlabel("sprint" + (" (?: issues that may belong to it or not)" if any(unsure) else ""))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _sprints_told(sprints: pd.DataFrame, shown: pd.DataFrame, unit: str) -> str:
    number = f"{len(sprints)} sprints" if len(sprints) > 1 else "1 sprint"
    if len(shown) < len(sprints):
        number = f"the last {len(shown)} of {number}"
    boards: list[Any] = list(sprints["board_id"].dropna().unique()) if "board_id" in sprints.columns else []
    where = f" of board {boards[0]}" if len(boards) == 1 else f" of {len(boards)} boards" if len(boards) else ""
    return f"{number}{where}, completed {period_of(shown['completed'])}"
