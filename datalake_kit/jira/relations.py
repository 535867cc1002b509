"""How issues hang together: parent, epic, chain of ancestors. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.names import ATTRIBUTE

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
    family = _Family.of(df, epic_link or _epic_link_column(df))
    rows = [dict(zip(_SCHEMA.names, family.describe(n), strict=True)) for n in range(len(df))]
    found: pd.DataFrame = pa.Table.from_pylist(rows, schema=_SCHEMA).to_pandas()
    return found.set_axis(df.index)


_OTHER_TYPES = {"depth": pa.int64(), "cycle": pa.bool_()}
_SCHEMA = pa.schema(
    (name, _OTHER_TYPES.get(name, pa.string()))
    for name in (
        "id", "key", "parent_id", "parent_key", "parent_from", "depth", "chain", "epic_key", "missing", "cycle",
    )
)  # fmt: skip


def _check(df: pd.DataFrame, epic_link: str | None) -> None:
    for name in ("id", "key", epic_link):
        if name is not None and name not in df.columns:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. Give a frame of dk.jira.load(...).frame().")
    if "fields" in df.columns and "parent_id" not in df.columns:
        raise ColumnNotFoundError("The fields are not unpacked yet. Give a frame of dk.jira.load(...).frame().")
    twice = df["id"][df["id"].duplicated()]
    if len(twice):
        raise DataError(f"The id {twice.iloc[0]} comes twice. Give the newest version of each issue only.")


def _epic_link_column(df: pd.DataFrame) -> str | None:
    named = [r["column"] for r in df.attrs.get(ATTRIBUTE, []) if r["name"].casefold() == "epic link" and not r["part"]]
    return next((c for c in [*named, "epic_link"] if c in df.columns), None)


@dataclass(frozen=True)
class _Link:
    """Where an issue points: row of its parent in the frame, or the name of one that is not there."""

    source: str
    row: int | None
    id: str | None
    key: str | None
    is_epic: bool  # what the issue itself says of the one it points to


@dataclass
class _Family:
    ids: list[str]
    keys: list[str]
    links: list[_Link | None]
    is_epic: list[bool]

    @classmethod
    def of(cls, df: pd.DataFrame, epic_link: str | None) -> _Family:
        ids, keys = list(_texts(df, "id")), list(_texts(df, "key"))
        by_id: dict[Hashable, int] = {v: n for n, v in enumerate(ids) if v is not None}
        by_key: dict[Hashable, int] = {v: n for n, v in enumerate(keys) if v is not None}

        def link(source: str, number: str | None, key: str | None, epic: bool = True) -> _Link | None:
            if number is None and key is None:
                return None
            row = by_id.get(number) if number is not None else by_key.get(key)
            return _Link(source, row, number, key, epic)

        up = zip(_texts(df, "parent_id"), _texts(df, "parent_key"), _are_epics(df, "parent_"), strict=True)
        epics = zip(_texts(df, "agile_epic_id"), _texts(df, "agile_epic_key"), _texts(df, epic_link), strict=True)
        links = [
            link("parent", *parent) or link("epic link", number, key) or link("epic link", None, text)
            for parent, (number, key, text) in zip(up, epics, strict=True)
        ]
        return cls([str(i) for i in ids], [str(k) for k in keys], links, _are_epics(df))

    def describe(self, row: int) -> tuple[Any, ...]:
        """The row of the result for one issue."""
        above, missing, cycle = self._ancestors(row)
        link = self.links[row]
        absent = (missing.key or missing.id) if missing else None
        names = [*([absent] if absent else []), *(self.keys[a] for a in reversed(above)), self.keys[row]]
        parent: tuple[str | None, str | None, str | None] = (None, None, None)
        if link:
            at = link.row
            parent = (self.ids[at], self.keys[at], link.source) if at is not None else (link.id, link.key, link.source)
        epic = next((self.keys[n] for n in [row, *above] if self.is_epic[n]), None)
        if epic is None and missing and missing.is_epic:
            epic = absent
        return (self.ids[row], self.keys[row], *parent, len(names) - 1, " > ".join(names), epic, absent, cycle)

    def _ancestors(self, row: int) -> tuple[list[int], _Link | None, bool]:
        """Rows above an issue, the nearest first; the missing one above them; whether they go round."""
        above: list[int] = []
        seen = {row}
        link = self.links[row]
        while link and link.row is not None:
            if link.row in seen:
                return above, None, True
            above.append(link.row)
            seen.add(link.row)
            link = self.links[link.row]
        return above, link, False


def _texts(df: pd.DataFrame, name: str | None) -> Iterator[str | None]:
    """A column as texts, None where nothing is; all None where there is no such column."""
    if name is None or name not in df.columns:
        yield from [None] * len(df)
        return
    for value in df[name].array:
        yield None if pd.isna(value) or value == "" else _plain(value)


def _plain(value: Any) -> str:
    """An id as text: a float that a missing value made of an integer is that integer."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _are_epics(df: pd.DataFrame, of: str = "") -> list[bool]:
    """By the level of the issue type; by its name where no level is known."""
    name = f"{of}level" if of else "issue_type_level"
    levels = df[name] if name in df.columns else pd.Series(float("nan"), index=df.index)
    pairs = zip(levels.array, _texts(df, f"{of}issue_type"), strict=True)
    return [(level == EPIC_LEVEL) if pd.notna(level) else (kind or "").casefold() == "epic" for level, kind in pairs]
