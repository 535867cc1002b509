"""Velocity: what a team completes in a sprint, and how much that varies. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.sprinting.report import sprint_report

_KEPT = (
    "board_id", "sprint_id", "sprint", "start", "completed", "committed_issues", "completed_issues", "committed_points",
    "completed_points",
)  # fmt: skip
_MEASURES = {"mean": "mean", "median": "median", "low": "min", "high": "max"}


def velocity(
    df: pd.DataFrame, changes: pd.DataFrame | None = None, *, last: int | None = None, **keywords: Any
) -> pd.DataFrame:
    """List what was completed in each closed sprint, with the mean, the median and the range over the sprints so far.

    Velocity is what `sprint_report` calls completed: issues that are done at the end of the sprint and were finished in
    it, committed or added, at their estimate at the end. Reopened, skipped and missing are as stated there. Sprints
    that are active, have not begun or cannot be measured are left out; boards are averaged apart, sprints
    without a board together.

    Parameters
    ----------
    df
        What `sprint_report` gave; or issues, of which it is made first.
    changes, **keywords
        As `sprint_report` takes them, where `df` is issues.
    last
        Over how many sprints of the board, the row's own among them, is averaged; Jira's chart shows 7. None: all so
        far.

    Returns
    -------
    DataFrame
        One row a closed sprint, by board and completion: `board_id`, `sprint_id`, `sprint`, `start`, `completed`,
        `committed_issues`, `completed_issues`, `committed_points`, `completed_points`; `sprints` (how many are
        averaged); `mean_`, `median_`, `low_`, `high_`, each of `points` and `issues`; `uncertain_issues`,
        `points_field`.

    Raises
    ------
    DataError
        No sprint is closed; or as `sprint_report`.
    ParameterError
        `last` is below 1, or keywords come with a report.

    Source
    ------
    Velocity is the average of the completed estimates over the last sprints:
    https://confluence.atlassian.com/jirasoftwarecloud/velocity-chart-777002731.html

    Examples
    --------
    >>> velocity(sprint_report(issues.frame()), last=7)[["sprint", "completed_points", "mean_points"]]  # doctest: +SKIP
    """
    if last is not None and (isinstance(last, bool) or not isinstance(last, int | np.integer) or last < 1):
        raise ParameterError(f"last={last!r} must be a number of sprints, 1 or more.")
    closed = _closed(_report(df, changes, keywords))
    groups = closed.groupby("board_id", dropna=False, sort=False)
    found = closed[list(_KEPT)].assign(sprints=groups.cumcount() + 1)
    if last is not None:
        found["sprints"] = found["sprints"].clip(upper=last)
    for unit in ("points", "issues"):
        values = closed[f"completed_{unit}"].astype("float64").groupby(closed["board_id"], dropna=False, sort=False)
        rolled = values.rolling(last or len(closed), min_periods=1)
        for name, measure in _MEASURES.items():
            result = getattr(rolled, measure)().droplevel(0).reindex(closed.index)
            found[f"{name}_{unit}"] = result.round(9)
    return found.assign(uncertain_issues=closed["uncertain_issues"], points_field=closed["points_field"])


def _report(df: pd.DataFrame, changes: pd.DataFrame | None, keywords: dict[str, Any]) -> pd.DataFrame:
    if "completed_issues" not in df.columns:
        return sprint_report(df, changes, **keywords)
    if keywords or changes is not None:
        raise ParameterError("This is a sprint report already: give changes and keywords to sprint_report.")
    return df


def _closed(report: pd.DataFrame) -> pd.DataFrame:
    over = report["measured_at"].notna() & (report["measured_at"] == report["completed"].fillna(report["end"]))
    closed = report[over & report["state"].eq("closed").fillna(False)]
    if closed.empty:
        raise DataError(f"None of {len(report)} sprints is closed and measured: velocity needs one. See `problem`.")
    return closed.sort_values(["board_id", "measured_at", "sprint_id"]).reset_index(drop=True)
