"""How issues hang together: parent, epic, chain of ancestors. Pure: frames in, frames out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.fields.names import ATTRIBUTE

Rows = npt.NDArray[np.int64]
EPIC_LEVEL = 1  # of Jira's hierarchy: sub-task -1, standard issue 0, epic 1, above it what a site adds


def parents(df: pd.DataFrame, epic_link: str | None = None) -> pd.DataFrame:
    """Find the parent, the epic and all ancestors of each issue.

    The parent is the issue of `parent_id`; without a parent, the epic of the epic link. An ancestor that is not in
    the frame (another project, no right to see it, deleted) is named as missing, never dropped.

    Parameters
    ----------
    df
        One row an issue, as `dk.jira.load(...).frame()` gives: `id` and `key`, and of `parent_id`, `parent_key`,
        `parent_issue_type`, `issue_type`, `issue_type_level`, `agile_epic_id`, `agile_epic_key` those that are there.
    epic_link
        The column of the epic link. None: the column whose field is named "Epic Link", else `epic_link`.

    Returns
    -------
    DataFrame
        Index of `df`. `id`, `key`; `parent_id`, `parent_key` (its key now, where it is in the frame: keys change when
        issues move); `parent_from` ("parent" or "epic link"); `depth` (number of ancestors); `chain` (keys from the
        topmost ancestor down to the issue, joined by " > "); `epic_key` (nearest epic; of an epic its own key; missing
        ones too); `missing` (the ancestor that is not in the frame); `cycle` (its ancestors lead back to it or to one
        another: then the chain ends where it would begin again).

    Raises
    ------
    ColumnNotFoundError
        No `id` or `key`, or no column `epic_link` where one was named.
    DataError
        An id comes twice.

    Examples
    --------
    >>> issues = pd.DataFrame({"id": ["1", "2"], "key": ["A-1", "A-2"], "parent_id": [None, "1"]})
    >>> parents(issues)["chain"].to_list()
    ['A-1', 'A-1 > A-2']
    """
    _check(df, epic_link)
    ids, keys = _texts(df, "id"), _texts(df, "key")
    up = _Links.of(df, ids, keys, epic_link or _epic_link_column(df))
    lines = _trace(up, keys.to_list(), _are_epics(df).tolist())
    here = pd.Series(up.row >= 0)
    table = {
        "id": ids, "key": keys, "parent_id": _at(ids, up.row).where(here, up.id),
        "parent_key": _at(keys, up.row).where(here, up.key), "parent_from": up.source, **lines,
    }  # fmt: skip
    return pd.DataFrame(table).astype(_TYPES).set_axis(df.index)


_TEXTS = ("id", "key", "parent_id", "parent_key", "parent_from", "chain", "epic_key", "missing")
_TYPES: dict[str, Any] = {**dict.fromkeys(_TEXTS, "str"), "depth": "int64", "cycle": "bool"}


def _check(df: pd.DataFrame, epic_link: str | None) -> None:
    for name in ("id", "key", epic_link):
        if name is not None and name not in df.columns:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. Give a frame of dk.jira.load(...).frame().")
    if "fields" in df.columns and "parent_id" not in df.columns:
        raise ColumnNotFoundError("The fields are not unpacked yet. Give a frame of dk.jira.load(...).frame().")
    twice = df["id"].dropna()
    twice = twice[twice.duplicated()]
    if len(twice):
        raise DataError(f"The id {twice.iloc[0]} comes twice. Give the newest version of each issue only.")


def _epic_link_column(df: pd.DataFrame) -> str | None:
    named = [r["column"] for r in df.attrs.get(ATTRIBUTE, []) if r["name"].casefold() == "epic link" and not r["part"]]
    return next((c for c in [*named, "epic_link"] if c in df.columns), None)


@dataclass(frozen=True)
class _Links:
    """Where each issue points: row of its parent (-1: not in the frame, or none), and the names of it."""

    source: pd.Series[Any]  # missing where an issue points nowhere
    row: Rows
    id: pd.Series[Any]
    key: pd.Series[Any]
    to_epic: pd.Series[Any]  # what the issue itself says of the one it points to

    @classmethod
    def of(cls, df: pd.DataFrame, ids: pd.Series[Any], keys: pd.Series[Any], epic_link: str | None) -> _Links:
        """The parent of each issue; where there is none the epic of the agile API, then that of the epic link."""
        nothing = _texts(df, None)
        ways = (
            ("parent", _texts(df, "parent_id"), _texts(df, "parent_key"), pd.Series(_are_epics(df, "parent_"))),
            ("epic link", _texts(df, "agile_epic_id"), _texts(df, "agile_epic_key"), pd.Series(True, index=ids.index)),
            ("epic link", nothing, _texts(df, epic_link), pd.Series(True, index=ids.index)),
        )
        source, number, key, to_epic = nothing, nothing, nothing, pd.Series(False, index=ids.index)
        for name, way_id, way_key, way_epic in ways:
            free = source.isna() & (way_id.notna() | way_key.notna())
            source, number = source.mask(free, name), number.mask(free, way_id)
            key, to_epic = key.mask(free, way_key), to_epic.mask(free, way_epic)
        row = np.where(number.notna(), _rows_of(ids, number), _rows_of(keys, key))
        return cls(source, row, number, key, to_epic)


def _rows_of(names: pd.Series[Any], wanted: pd.Series[Any]) -> Rows:
    """Row of each name that is wanted, -1 where it is not there; of a name that comes twice the last."""
    known = names.dropna().drop_duplicates(keep="last")
    place = pd.Index(known).get_indexer(pd.Index(wanted))
    found: Rows = np.append(known.index.to_numpy(dtype=np.int64), -1)[place]
    return np.where(wanted.notna(), found, -1)


def _at(names: pd.Series[Any], row: Rows) -> pd.Series[Any]:
    """The name at each row; that at any row where there is none."""
    return names.take(np.maximum(row, 0)).reset_index(drop=True) if len(names) else names


def _depths(row: Rows) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Number of ancestors in the frame, and who has no end of them: by steps of 1, 2, 4, 8 ... generations."""
    above, depth = row.copy(), (row >= 0).astype(np.int64)
    for _ in range(len(row).bit_length() + 1):
        more = np.flatnonzero(above >= 0)
        if not len(more):
            break
        depth[more] += depth[above[more]]
        above[more] = above[above[more]]
    return depth, above >= 0


def _trace(up: _Links, keys: list[Any], is_epic: list[bool]) -> dict[str, Any]:
    """Chain, depth, epic and missing ancestor of each issue, parents before children."""
    depth, endless = _depths(up.row)
    rows, absent = up.row.tolist(), up.key.where(up.key.notna(), up.id).where(up.row < 0).to_list()
    epic_above = up.to_epic.tolist()
    count = len(rows)
    chain: list[Any] = [None] * count
    epic: list[Any] = [None] * count
    missing: list[Any] = [None] * count
    order = np.argsort(depth, kind="stable")
    for n in order[~endless[order]].tolist():
        above, key, name = rows[n], _shown(keys[n]), absent[n]
        if above >= 0:
            chain[n], epic[n], missing[n] = f"{chain[above]} > {key}", epic[above], missing[above]
        elif isinstance(name, str):
            chain[n], missing[n], epic[n] = f"{name} > {key}", name, name if epic_above[n] else None
        else:
            chain[n] = key
        if is_epic[n]:
            epic[n] = key
    for n in np.flatnonzero(endless).tolist():
        line = _until_again(n, rows)
        chain[n] = " > ".join(_shown(keys[m]) for m in reversed(line))
        epic[n] = next((_shown(keys[m]) for m in line if is_epic[m]), None)
        depth[n] = len(line) - 1
    depth += pd.Series(missing, dtype=object).notna().to_numpy()
    return {"depth": depth, "chain": chain, "epic_key": epic, "missing": missing, "cycle": endless}


def _shown(key: Any) -> str:
    return key if isinstance(key, str) else "?"


def _until_again(row: int, rows: list[int]) -> list[int]:
    """A row and those above it, until one comes again."""
    line, seen = [row], {row}
    while rows[line[-1]] not in seen:
        line.append(rows[line[-1]])
        seen.add(line[-1])
    return line


def _texts(df: pd.DataFrame, name: str | None) -> pd.Series[Any]:
    """A column as texts, missing where nothing is; all missing where there is no such column."""
    if name is None or name not in df.columns:
        return pd.Series([None] * len(df), dtype="str")
    column = df[name].reset_index(drop=True)
    if pd.api.types.is_float_dtype(column) or column.dtype == object:
        column = column.map(_plain, na_action="ignore")
    texts = column.astype("str")
    return texts.where(texts != "")


def _plain(value: Any) -> str:
    """An id as text: a float that a missing value made of an integer is that integer."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _are_epics(df: pd.DataFrame, of: str = "") -> npt.NDArray[np.bool_]:
    """By the level of the issue type; by its name where no level is known."""
    name = f"{of}level" if of else "issue_type_level"
    levels = df[name] if name in df.columns else pd.Series(float("nan"), index=df.index)
    level = pd.to_numeric(levels).to_numpy(dtype=np.float64, na_value=np.nan)
    by_name = _texts(df, f"{of}issue_type").str.casefold().eq("epic").to_numpy(dtype=bool)
    return np.where(np.isnan(level), by_name, level == EPIC_LEVEL)
