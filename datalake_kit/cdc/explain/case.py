"""What is known of a table that differs, and what an explanation says. Pure: plain Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datalake_kit.cdc.pipeline import Rows, Version

UNEXPLAINED = "unexplained"

# What `Explanation.cause` can be.
WITHHELD = "file never processed"
PART_WITHHELD = "part of a file never processed"
DROPPED_SECOND = "file dropped in the second of the full load"
STOPPED = "the run stopped"
LAG = "not yet processed"
LOAD_FAILED = "upsert of the full load failed"
NOT_COMMITTED = "commit never completed"
OVERWRITTEN = "change file taken for a full load"
MOVED = "partition moved"
NULL_PARTITION = "delete with a NULL partition column"
LATE = "older change processed later"
COPIES = "copies of the full load kept"
FILE_AT_FAULT = "file of the table gone or cut"
LOST_COLUMN = "column never arrived"
STRANGER = "no staged file has the key"


@dataclass(frozen=True)
class Fault:
    """A file of the lake's table that is missing or cut: its partition as a path, the rows it can account for.

    Also what a commit wrote that was begun and never completed, or was rolled back: then `file` may be empty, and
    `problem` says what became of the commit.
    """

    file: str
    commit: str
    partition: str
    rows: int
    problem: str


@dataclass(frozen=True)
class Explanation:
    """Why a key differs: the words, the file at fault if there is one, and the commit that left it so.

    `cause` is one of the names above, the same for all keys of one cause; `brief` the words without what differs from
    key to key.
    """

    text: str = UNEXPLAINED
    file: str | None = None
    commit: str | None = None
    brief: str = ""
    cause: str = UNEXPLAINED

    @property
    def short(self) -> str:
        """The words without what differs from key to key."""
        return self.brief or self.text


@dataclass
class Case:
    """Everything known of one table that differs.

    Attributes
    ----------
    versions : mapping of key to versions
        Every staged row of the keys in question: of every key that a change touches, and of every key that differs.
    lake : mapping of key to rows
        What the lake has of the same keys, rows numbered as in `versions`.
    damaged : collection of keys
        The keys that differ; all others are sound.
    file_names : sequence of str
        The staged files in their order, `Version.file` is the place in it; named relative to the staging folder.
    historical : bool
        Whether every change is a row (mode H).
    partition_names : sequence of str
        The columns by which the table is partitioned.
    masked : collection of str
        Columns whose values are not shown.
    faults : sequence of Fault
        Files of the table that are gone or cut.
    known_files : collection of int, optional
        The files of which every row is among the versions; None: all. Only these can be said to be missing.
    arrived : collection of int
        Files of which the lake has rows beyond those in `versions`.
    landed : sequence of datetime or None
        When each staged file landed, where that is known; empty when it is not.
    processed : sequence of bool or None
        Whether each file is marked as processed, by the pipeline's own records; empty without such records.
    commits : sequence of str
        The commit by which each file's rows came into the lake, as the rows left of it tell; "" where none does.
    last_commit : str
        The newest complete commit of the table.
    pending : sequence of Fault
        What commits wrote that were begun and never completed, or rolled back.
    null_ordering : collection of int
        The files that have NULL in the column that orders changes.
    lost_columns : sequence of str
        Columns that are NULL in the whole lake while staging has values; rows are numbered without them.
    effort : int
        How many replays may be tried; keys left then stay unexplained.
    """

    versions: Mapping[Any, Sequence[Version]]
    lake: Mapping[Any, Rows]
    damaged: Collection[Any]
    file_names: Sequence[str]
    historical: bool = False
    partition_names: Sequence[str] = ()
    masked: Collection[str] = ()
    faults: Sequence[Fault] = ()
    known_files: Collection[int] | None = None
    arrived: Collection[int] = ()
    landed: Sequence[datetime | None] = ()
    processed: Sequence[bool | None] = ()
    commits: Sequence[str] = ()
    last_commit: str = ""
    pending: Sequence[Fault] = ()
    null_ordering: Collection[int] = ()
    lost_columns: Sequence[str] = ()
    effort: int = 2_000_000

    def names(self, files: Collection[int]) -> str:
        """Name files, in their order."""
        return ", ".join(self.file_names[f] for f in sorted(files))
