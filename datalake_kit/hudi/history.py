"""The commits of a Hudi table as a frame: what each wrote, and how many rows the table had after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.hudi.commits import Commit, Timeline, load_timeline
from datalake_kit.hudi.instants import TIMEZONE_PROPERTY, WriterZone, to_datetime, writer_zone
from datalake_kit.hudi.reading import check_lake, count_snapshot
from datalake_kit.hudi.rows import hudi_location
from datalake_kit.hudi.slices import parse_base_name, parse_log_name
from datalake_kit.hudi.snapshot import snapshot_of
from datalake_kit.hudi.tally import Group, Tally, tallies
from datalake_kit.storage import listing

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table

FROM_TIMELINE, COUNTED, UNKNOWN = "timeline", "counted", "unknown"


def timeline(lake: Lake, table: str | Table, *, timezone: str | None = None, count: bool = False) -> pd.DataFrame:
    """List the commits of a Hudi table, one row a commit, oldest first, archived ones included.

    Parameters
    ----------
    lake : Lake
    table : str or Table
        `"database.table"`, or what `lake.table` gives.
    timezone : str, optional
        The zone in which the writer wrote its instants, such as "America/Chicago" or "-06:00". Without it the table's
        property counts, and where that says LOCAL or nothing, UTC; `frame.attrs["timezone"]` says which it was.
    count : bool
        Where the commits do not tell the rows after a commit exactly, read the table as of that commit and count.

    Returns
    -------
    pandas.DataFrame
        `instant` as the writer wrote it; `started_at` and `completed_at` (UTC; NaT for table versions up to 6, which do
        not record when a commit completed); `action`; `operation`; `inserts`, `updates`, `deletes` as the writer
        counted them (COMPACT and CLUSTER move rows and count them again); `rows_after`, the rows of the table after the
        commit, and `rows_after_from`: "timeline" where the commits tell it exactly, "counted" where it was counted,
        "unknown" (NA) where log files, forgotten commits or cleaned files leave it open; `files` and `bytes` written;
        `replaced_rows`, the rows of the file groups that it replaced (NA when unknown); `archived`; `anomalies` (text,
        empty when there is none).

    Raises
    ------
    HudiError
        The table is no Hudi table, or a commit cannot be decoded; its file is named. `dk.hudi.health` goes on.
    ParameterError
        `timezone` is no zone.

    Examples
    --------
    >>> dk.hudi.timeline(lake, "taxi.table_1")[["instant", "operation", "inserts"]]          # doctest: +SKIP
    """
    if not isinstance(count, bool):
        raise ParameterError(f"count is True or False, not {count!r}.")
    check_lake(lake)
    known = load_timeline(hudi_location(lake, table))
    zone = writer_zone(timezone, known.table.raw.get(TIMEZONE_PROPERTY, ""))
    frame = timeline_frame(known, zone=zone, count=count)
    frame.attrs["table"] = table if isinstance(table, str) else table.name
    return frame


def timeline_frame(
    known: Timeline, *, zone: WriterZone | None = None, older: frozenset[Group] | None = None, count: bool = False
) -> pd.DataFrame:
    """Return the commits of a timeline as `timeline` does.

    `older` names the file groups that were there before the first commit; without it the folder is listed for them.
    """
    zone = zone or writer_zone(None, known.table.raw.get(TIMEZONE_PROPERTY, ""))
    counts = tallies(known, older_groups(known) if older is None else older)
    lines = [_Line(c, t, late) for c, t, late in zip(known.commits, counts, overtaken(known), strict=True)]
    if count:
        lines = [line if line.tally.rows is not None else _counted(known, line) for line in lines]
    frame = pd.DataFrame([_row(line, zone) for line in lines], columns=list(_TYPES)).astype(_TYPES)
    frame.attrs["timezone"] = zone.told
    return frame


_TIME = "datetime64[us, UTC]"
_TYPES: Mapping[str, Any] = {
    "instant": "str",
    "started_at": _TIME,
    "completed_at": _TIME,
    "action": "str",
    "operation": "str",
    "inserts": "int64",
    "updates": "int64",
    "deletes": "int64",
    "rows_after": "Int64",
    "rows_after_from": "str",
    "files": "int64",
    "bytes": "int64",
    "replaced_rows": "Int64",
    "archived": "bool",
    "anomalies": "str",
}


@dataclass(frozen=True)
class _Line:
    commit: Commit
    tally: Tally
    overtook: str
    source: str = FROM_TIMELINE


def _row(line: _Line, zone: WriterZone) -> tuple[object, ...]:
    commit, tally = line.commit, line.tally
    return (
        commit.requested,
        to_datetime(commit.requested, zone.zone),
        to_datetime(commit.instant.completed, zone.zone),
        commit.instant.action,
        commit.operation,
        commit.total("inserts"),
        commit.total("updates"),
        commit.total("deletes"),
        pd.NA if tally.rows is None else tally.rows,
        UNKNOWN if tally.rows is None else line.source,
        len(commit.stats),
        commit.total("bytes"),
        pd.NA if tally.replaced is None else tally.replaced,
        commit.instant.archived,
        "; ".join(_anomalies(line)),
    )


def _anomalies(line: _Line) -> list[str]:
    found = []
    if wrote_nothing(line.commit):
        found.append("wrote nothing" + (f" ({why})" if (why := why_nothing(line.commit)) else ""))
    errors = line.commit.total("errors")
    if errors:
        found.append(f"{errors} rows with write errors")
    if line.overtook:
        found.append(f"completed before {line.overtook}, which was begun earlier")
    if line.tally.broken:
        found.append(line.tally.broken)
    return found


def wrote_nothing(commit: Commit) -> bool:
    """Whether a completed commit names no file that it wrote or replaced."""
    return not commit.stats and not commit.replaced


def why_nothing(commit: Commit) -> str:
    """Say why a commit may have written nothing without loss; empty when there is no harmless reason."""
    return "a delete of keys that were not there" if commit.operation.startswith("DELETE") else ""


def overtaken(known: Timeline) -> list[str]:
    """For each commit, the one that was begun before it and completed after it; moving rows may take its time."""
    latest: tuple[str, str] = ("", "")
    found = []
    for commit in known.commits:
        completed = commit.instant.completed or ""
        found.append(latest[1] if completed and completed < latest[0] and not commit.rearranges else "")
        if completed > latest[0] and not commit.rearranges:
            latest = (completed, commit.requested)
    return found


def _counted(known: Timeline, line: _Line) -> _Line:
    """Count the rows as of a commit; a past of which files are gone stays unknown."""
    try:
        snapshot = snapshot_of(known, as_of=line.commit.requested)
        if snapshot.faults:
            return line
        rows = count_snapshot(snapshot)
    except DataError:
        return line
    return replace(line, tally=replace(line.tally, rows=rows), source=COUNTED)


def older_groups(known: Timeline) -> frozenset[Group]:
    """Name the file groups that have files older than every instant that is known: the timeline is not whole."""
    found = set()
    for path in listing(known.table.folder):
        match = parse_base_name(path) or parse_log_name(path)
        if match is not None and match["instant"] < known.first_known:
            found.add((path.rpartition("/")[0], match["id"]))
    return frozenset(found)
