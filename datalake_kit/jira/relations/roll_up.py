"""Sums along the hierarchy: how far an epic, a story or any other parent has come. Pure: a frame in, a frame out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.jira.history.estimate import estimate_column, present_estimates
from datalake_kit.jira.relations.hierarchy import parents

_TIMES = ("time_spent_seconds", "original_estimate_seconds", "remaining_estimate_seconds")
_SUMS = ("descendants", "done_descendants", "descendant_points", "done_descendant_points", "estimated", *_TIMES)

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def roll_up(
    df: pd.DataFrame, *, points: str | None = None, done: str | Sequence[str] = "Done", epic_link: str | None = None
) -> pd.DataFrame:
    """Sum issues, points and times below each issue that has children.

    Every issue counts once in each of its ancestors, with its own values: Jira's `aggregate_*` columns, which hold sums
    over sub-tasks already, are not used. Whether an issue is done is its present status: one that was reopened is not,
    one that skipped statuses is. An issue without points counts as an issue and in `unestimated_descendants`, and adds
    nothing to the points. Where a story and its sub-tasks both have points, both are summed: give the column of the
    level that is estimated, or leave the sub-tasks out of the frame.

    Parameters
    ----------
    df
        One row an issue, as `dk.jira.load(...).frame()` gives: what `parents` needs, `status` or `status_category`, and
        of the columns of points and times those that are there.
    points
        Column of the estimate. None: the field named "Story Points" or "Story point estimate"; without one the points
        are missing in the result.
    done
        What counts as done: a status category, a status, or a list of them. An issue of which neither is known is not.
    epic_link
        Column of the epic link, as `parents` takes it.

    Returns
    -------
    DataFrame
        One row for each issue with children, those without a parent first, each before its children; of equals in the
        order of `df`. An ancestor that is not in the frame is a row too (`missing`), summed from what is there.
        `id`, `key`, `issue_type`, `status`, `parent_key`, `depth` (ancestors that are followed), `missing`, `cycle`
        (keys of issues that are each other's ancestors, "A-1 > A-2 > A-1": the links between them are not followed, so
        nothing is summed twice; what hangs below them is), `children`, `descendants`, `done_descendants`,
        `share_done_issues` (0 to 1), `own_points`, `descendant_points`, `done_descendant_points`, `share_done_points`
        (0 to 1), `unestimated_descendants`, and, over the issue itself and all descendants, in seconds:
        `time_spent_seconds`, `original_estimate_seconds`, `remaining_estimate_seconds`. A sum of nothing but missing
        values is missing.

    Raises
    ------
    ColumnNotFoundError
        No `id`, `key` or status, or no column `points` where one was named.
    DataError
        An id comes twice, or `done` names a status that no issue has.

    Examples
    --------
    >>> issues = pd.DataFrame({"id": ["1", "2", "3"], "key": ["A-1", "A-2", "A-3"], "parent_id": [None, "1", "1"],
    ...                        "status_category": ["To Do", "Done", "To Do"], "story_points": [None, 3, 5]})
    >>> roll_up(issues)[["key", "descendants", "share_done_issues", "descendant_points", "share_done_points"]]
       key  descendants  share_done_issues  descendant_points  share_done_points
    0  A-1            2                0.5                8.0              0.375
    """
    family = parents(df, epic_link)
    nodes, up = _nodes(df, family)
    own = _own_values(df, estimate_column(df, points), _are_done(df, done), len(nodes))
    tree = _sum_up(up, own)
    below = pd.DataFrame(tree.below, columns=list(_SUMS))
    nodes["depth"], nodes["children"], nodes["cycle"] = tree.depth, tree.children, _cycles(up, tree.cut, nodes["key"])
    nodes["own_points"] = own[:, 2]
    for name in _TIMES:
        nodes[name] = _add(own[:, _SUMS.index(name)], below[name].to_numpy())
    return _shape(nodes, below)


def _nodes(df: pd.DataFrame, family: pd.DataFrame) -> tuple[pd.DataFrame, Rows]:
    """The issues, then the parents that are not among them; and for each the row of its parent, -1 without one."""
    columns = ["id", "key", "issue_type", "status"]
    nodes = df.reset_index(drop=True).reindex(columns=columns).astype("str")
    nodes["parent_key"] = family["parent_key"].to_numpy()
    up = _first_row(family["id"], family["parent_id"])
    by_key = family["parent_id"].isna().to_numpy() & family["parent_key"].notna().to_numpy()
    if by_key.any():
        up = np.where(by_key, _first_row(family["key"], family["parent_key"]), up)
    label = _label(family)
    absent = (up < 0) & label.notna().to_numpy()
    codes, labels = pd.factorize(label[absent])
    up[absent] = len(nodes) + codes
    ids = family["parent_id"].groupby(label).first()
    missing = pd.DataFrame({"id": ids.reindex(labels).to_numpy(), "key": labels}, dtype="str")
    nodes["missing"] = False
    return pd.concat([nodes, missing.assign(missing=True)], ignore_index=True), np.append(up, np.full(len(labels), -1))


def _label(family: pd.DataFrame) -> pd.Series[Any]:
    """What a parent is called: its key, from whichever of its children that tells it; else its id."""
    both = family.dropna(subset=["parent_id", "parent_key"]).drop_duplicates("parent_id")
    keys = both.set_index("parent_id")["parent_key"]
    return family["parent_key"].fillna(family["parent_id"].map(keys).astype("str")).fillna(family["parent_id"])


def _first_row(names: pd.Series[Any], wanted: pd.Series[Any]) -> Rows:
    """Row in which each wanted name stands first, -1 where it stands nowhere."""
    index = pd.Index(names)
    unique = index.drop_duplicates()
    rows = np.flatnonzero(~index.duplicated())
    at = unique.get_indexer(pd.Index(wanted))
    found: Rows = np.where((at >= 0) & wanted.notna().to_numpy(), np.append(rows, -1)[at], -1)
    return found


def _are_done(df: pd.DataFrame, done: str | Sequence[str]) -> NDArray[np.bool_]:
    """Whether the present status of each issue, or its category, is one of the names."""
    names = [done] if isinstance(done, str) else list(done)
    columns = [df[name].astype("str") for name in ("status_category", "status") if name in df.columns]
    if not columns:
        raise ColumnNotFoundError("The frame has neither status_category nor status: nothing tells what is done.")
    known = {"To Do", "In Progress", "Done"}.union(*(column.dropna().unique() for column in columns))
    for name in names:
        if name not in known:
            raise DataError(f"done={name!r} is no status of these issues. {did_you_mean(name, known)}")
    found: NDArray[np.bool_] = np.logical_or.reduce([column.isin(names).to_numpy() for column in columns])
    return found


def _own_values(df: pd.DataFrame, points: str | None, done: NDArray[np.bool_], size: int) -> Floats:
    """What each issue adds to the sums of `_SUMS`; of one that is not in the frame nothing is known."""
    own = np.full((size, len(_SUMS)), np.nan)
    values = present_estimates(df, points) if points else np.full(len(df), np.nan)
    known = slice(0, len(df))
    own[known, 0], own[known, 1] = 1.0, done
    own[known, 2], own[known, 3] = values, np.where(done, values, np.where(np.isnan(values), np.nan, 0.0))
    own[known, 4] = ~np.isnan(values)
    for column, name in enumerate(_TIMES, _SUMS.index(_TIMES[0])):
        if name in df.columns:
            own[known, column] = df[name].to_numpy(dtype=float, na_value=np.nan)
    return own


@dataclass(frozen=True)
class _Tree:
    below: Floats
    depth: Rows
    children: Rows
    cut: NDArray[np.bool_]  # members of a cycle: the links between them are not followed


def _sum_up(up: Rows, own: Floats) -> _Tree:
    """Take leaves off again and again, each adding itself to its parent; what never is a leaf goes in a circle."""
    children = np.bincount(up[up >= 0], minlength=len(up))
    waiting, below = children.copy(), np.full(own.shape, np.nan)
    layers: list[Rows] = []
    leaves = np.flatnonzero(waiting == 0)
    while len(leaves):
        layers.append(leaves)
        leaves = leaves[up[leaves] >= 0]
        over = up[leaves]
        _add_at(below, over, _add(own[leaves], below[leaves]))
        np.subtract.at(waiting, over, 1)
        over = np.unique(over)
        leaves = over[waiting[over] == 0]
    cut = waiting > 0
    depth = np.zeros(len(up), dtype=np.int64)
    for layer in reversed(layers):
        inner = layer[up[layer] >= 0]
        depth[inner] = depth[up[inner]] + 1
    return _Tree(below, depth, children, cut)


def _add(one: Floats, other: Floats) -> Floats:
    """Sum of what is there; missing only where both are."""
    total: Floats = np.where(np.isnan(one), other, np.where(np.isnan(other), one, one + other))
    return total


def _add_at(sums: Floats, rows: Rows, values: Floats) -> None:
    for column in range(sums.shape[1]):
        known = ~np.isnan(values[:, column])
        at = rows[known]
        sums[at, column] = np.nan_to_num(sums[at, column])
        np.add.at(sums[:, column], at, values[known, column])


def _cycles(up: Rows, cut: NDArray[np.bool_], keys: pd.Series[Any]) -> list[str | None]:
    """For each member of a cycle the way round, beginning at the member that comes first."""
    names: list[str | None] = [None] * len(up)
    for row in np.flatnonzero(cut):
        if names[row] is None:
            members = [int(row)]
            while up[members[-1]] != row:
                members.append(int(up[members[-1]]))
            way = " > ".join(str(keys[m]) for m in reversed([*members, members[0]]))
            for member in members:
                names[member] = way
    return names


def _shape(nodes: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    with_children = nodes["children"] > 0
    sums = below[with_children].fillna({"descendants": 0.0, "done_descendants": 0.0, "estimated": 0.0})
    found = nodes[with_children].assign(
        descendants=sums["descendants"].astype("int64"),
        done_descendants=sums["done_descendants"].astype("int64"),
        share_done_issues=sums["done_descendants"] / sums["descendants"].where(sums["descendants"] > 0),
        descendant_points=sums["descendant_points"],
        done_descendant_points=sums["done_descendant_points"],
        share_done_points=sums["done_descendant_points"]
        / sums["descendant_points"].where(sums["descendant_points"] > 0),
        unestimated_descendants=(sums["descendants"] - sums["estimated"]).astype("int64"),
    )
    found["cycle"] = found["cycle"].astype("str")
    return found.sort_values("depth", kind="stable")[list(_COLUMNS)].reset_index(drop=True)


_COLUMNS = (
    "id", "key", "issue_type", "status", "parent_key", "depth", "missing", "cycle", "children", "descendants",
    "done_descendants", "share_done_issues", "own_points", "descendant_points", "done_descendant_points",
    "share_done_points", "unestimated_descendants", *_TIMES,
)  # fmt: skip
