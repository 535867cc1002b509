"""The field in which a team estimates its issues: which column it is, and how it went. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.jira.fields.names import ATTRIBUTE, snake_case
from datalake_kit.jira.history.calendar import to_micros
from datalake_kit.jira.history.issue_rows import first_instants, with_rows
from datalake_kit.jira.history.steps import Steps

Numbers = npt.NDArray[np.float64]

_NAMES = ("story points", "story point estimate")  # company-managed projects, team-managed projects


def estimate_column(df: pd.DataFrame, points: str | None = None) -> str | None:
    """Find the column of the estimate; None where the frame has none.

    Parameters
    ----------
    df
        Issues; the names of fields that it carries are used, else the names of its columns.
    points
        The column. None: the field named "Story Points", else the one named "Story point estimate", in whatever
        letters; of several fields of one name the one with most values, then the first.

    Raises
    ------
    ColumnNotFoundError
        `points` names a column that is not there.

    Examples
    --------
    >>> estimate_column(pd.DataFrame({"id": ["1"], "story_points": [3.0]}))
    'story_points'
    """
    if points is not None:
        if points not in df.columns:
            raise ColumnNotFoundError(
                f"points={points!r} is no column. {did_you_mean(str(points), map(str, df.columns))}"
            )
        return points
    records = [r for r in df.attrs.get(ATTRIBUTE, []) if not r["part"] and r["column"] in df.columns]
    for name in _NAMES:
        named = [r["column"] for r in records if r["name"].casefold() == name]
        named = [c for c in named if pd.api.types.is_numeric_dtype(df[c])] or named
        if named:
            return str(max(named, key=lambda column: df[column].notna().sum()))
        if (column := snake_case(name)) in df.columns:
            return column
    return None


def is_field(changes: pd.DataFrame, df: pd.DataFrame, column: str) -> pd.Series[bool]:
    """Which changes are of the field that a column of the frame holds."""
    record = next((r for r in df.attrs.get(ATTRIBUTE, []) if r["column"] == column and not r["part"]), None)
    if record is None:
        return changes["field"].isin([n for n in changes["field"].dropna().unique() if snake_case(n) == column])
    by_id = changes["field_id"].eq(record["field"]).fillna(False)
    unnamed = changes["field_id"].isna() & changes["field"].eq(record["name"]).fillna(False)
    found: pd.Series[bool] = (by_id | unnamed).astype(bool)
    return found


def to_numbers(texts: pd.Series[Any]) -> pd.Series[float]:
    """Estimates as the changelog writes them: "5", "0.5", and "0,5" as some sites do; NaN where there is none."""
    plain = texts.astype("str").str.strip().str.replace(",", ".", regex=False)
    return pd.to_numeric(plain.where(plain.ne("").fillna(False)), errors="coerce").astype("float64")


def present_estimates(df: pd.DataFrame, column: str) -> Numbers:
    """What each issue is estimated at now; NaN where there is no estimate.

    Raises
    ------
    DataError
        The column holds something that is no number.
    """
    values = df[column]
    try:
        if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_timedelta64_dtype(values):
            raise TypeError(f"it is of type {values.dtype}")
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The column {column!r} holds what is no number ({error}). Give the column of the estimate: points=."
        ) from error


def estimates(newest: pd.DataFrame, changes: pd.DataFrame, column: str | None) -> tuple[Steps, pd.Series[str]]:
    """What each issue was estimated at, from instant to instant, and what is wrong with that history.

    Before its first change an issue had what that says was there before; without a change it has what it has now.
    """
    if column is None:
        nothing = np.empty(0, dtype=np.int64)
        return Steps.of(nothing, nothing, np.empty(0), len(newest)), pd.Series(index=newest.index, dtype="str")
    moves = with_rows(changes[is_field(changes, newest, column)], newest)
    row = moves["row"].to_numpy()
    before, after = (np.asarray(to_numbers(moves[name]), dtype=np.float64) for name in ("from_text", "to_text"))
    present = present_estimates(newest, column)
    first, begun = present.copy(), first_instants(newest, moves)
    first[row[::-1]] = before[::-1]
    instants = {name: np.append(begun, to_micros(moves[name])) for name in ("changed_at", "not_before", "not_after")}
    steps = Steps.of(
        np.append(np.arange(len(newest)), row), instants["changed_at"], np.append(first, after), len(newest),
        low=instants["not_before"], high=instants["not_after"],
    )  # fmt: skip
    return steps, _problems(moves, after, present)


def _problems(moves: pd.DataFrame, after: Numbers, present: Numbers) -> pd.Series[str]:
    """Estimates that are no numbers, and histories that do not end at the present one."""
    problems = np.full(len(present), None, dtype=object)
    row = moves["row"].to_numpy()
    last = ~moves["row"].duplicated(keep="last").to_numpy()
    last &= (after != present[row]) & ~(np.isnan(after) & np.isnan(present[row]))
    for at, end in zip(row[last], after[last], strict=True):
        problems[at] = f"changelog ends at an estimate of {end:g}, the issue has {present[at]:g}"
    texts = moves["to_text"].astype("str")
    bad = (texts.notna() & texts.str.strip().ne("").fillna(False)).to_numpy(dtype=bool) & np.isnan(after)
    for at, text in zip(row[bad], texts[bad], strict=True):
        problems[at] = f"the estimate {text!r} is no number"
    return pd.Series(problems, dtype="str")
