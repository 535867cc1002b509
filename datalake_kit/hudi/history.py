"""The commits of a Hudi table as a frame: what each wrote, and how many rows the table had after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from datalake_kit.hudi.commits import Commit, Timeline, load_timeline
from datalake_kit.hudi.instants import to_datetime
from datalake_kit.hudi.rows import hudi_location
from datalake_kit.hudi.slices import parse_base_name

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table


def timeline(lake: Lake, table: str | Table) -> pd.DataFrame:
    """List the commits of a Hudi table, one row a commit, oldest first, archived ones included.

    Returns
    -------
    pandas.DataFrame
        `instant`; `started_at` and `completed_at` (UTC; NaT for table versions up to 6, which do not record when a
        commit completed); `action`; `operation`; `inserts`, `updates`, `deletes` as the writer counted them;
        `rows_after`, the rows of the table after the commit (NA where the timeline cannot say it exactly: log files not
        yet compacted, or commits no longer known); `files`, `bytes` written; `archived`; `anomalies` (text, empty
        when there is none).

    Raises
    ------
    HudiError
        The table is no Hudi table, or a commit cannot be decoded; its file is named.

    Examples
    --------
    >>> dk.hudi.timeline(lake, "taxi.table_1")[["instant", "operation", "inserts"]]          # doctest: +SKIP
    """
    return timeline_frame(load_timeline(hudi_location(lake, table)))


def timeline_frame(known: Timeline) -> pd.DataFrame:
    """Return the commits of a timeline as `timeline` does."""
    after = _rows_after(known)
    frame = pd.DataFrame([_commit_row(c, after[c.requested]) for c in known.commits], columns=list(_TYPES))
    return frame.astype(_TYPES)


_TIME = "datetime64[us, UTC]"
_TYPES: dict[str, Any] = {
    "instant": "str",
    "started_at": _TIME,
    "completed_at": _TIME,
    "action": "str",
    "operation": "str",
    "inserts": "int64",
    "updates": "int64",
    "deletes": "int64",
    "rows_after": "Int64",
    "files": "int64",
    "bytes": "int64",
    "archived": "bool",
    "anomalies": "str",
}


def _commit_row(commit: Commit, after: int | None) -> tuple[object, ...]:
    return (
        commit.requested,
        to_datetime(commit.requested),
        to_datetime(commit.instant.completed),
        commit.instant.action,
        commit.operation,
        commit.total("inserts"),
        commit.total("updates"),
        commit.total("deletes"),
        pd.NA if after is None else after,
        len(commit.stats),
        commit.total("bytes"),
        commit.instant.archived,
        "; ".join(_anomalies(commit)),
    )


def _anomalies(commit: Commit) -> list[str]:
    found = []
    if not commit.stats and not commit.replaced:
        harmless = commit.operation.startswith("DELETE")
        found.append("wrote nothing (a delete of keys that were not there)" if harmless else "wrote nothing")
    errors = commit.total("errors")
    if errors:
        found.append(f"{errors} rows with write errors")
    return found


def _rows_after(known: Timeline) -> dict[str, int | None]:
    """Count the rows after each commit: the rows of the newest base file of every file group that is left.

    Unknown while log files lie over a base file, and where the first commit known builds on an older one.
    """
    groups: dict[tuple[str, str], int | None] = {}
    whole = True
    after: dict[str, int | None] = {}
    for commit in known.commits:
        for replaced in commit.replaced:
            groups.pop(replaced, None)
        for stat in commit.stats:
            key = (stat.partition, stat.file_id)
            whole = whole and (key in groups or stat.is_log or _begins_group(stat.path, stat.inserts, stat.rows))
            groups[key] = None if stat.is_log else stat.rows
        counts = [n for n in groups.values() if n is not None]
        after[commit.requested] = sum(counts) if whole and len(counts) == len(groups) else None
    return after


def _begins_group(path: str, inserts: int, rows: int) -> bool:
    """Whether a base file can be the first of its group: all its rows are new."""
    return parse_base_name(path) is not None and inserts == rows
