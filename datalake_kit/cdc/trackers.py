"""Lag is not loss: which DMS files have landed and are not yet processed, and which runs failed or hang.

Two ways to know, the first where there are tracker tables:

- The framework's tables: `odpf_file_tracker` (landed, not processed), `odpf_file_tracker_history` (processed),
  `odpf_file_processing_tracker` and its history (runs).
- Landing times alone: a file that landed after the newest commit of the table began cannot be in it. Where even
  the full load would have landed after that commit, the folder is a copy with times of its own; then the times in the
  names of change files count.

A file marked processed is never lag, whatever its time: if its changes are absent they are lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from datalake_kit.cdc.dms_names import CHANGE, FULL_LOAD, change_time, in_transaction_order
from datalake_kit.cdc.dynamodb import Item, Source, read_items
from datalake_kit.errors import DataError
from datalake_kit.storage import S3Path

if TYPE_CHECKING:
    from datalake_kit.cdc.dms import DmsFile

Status = Literal["landed", "processed", "unknown"]
UPDATING, COMPLETED, FAILED = "updating_table", "completed", "refresh_error"
_STATUSES: dict[str, Status] = {"raw_file_landed": "landed", "raw_file_processed": "processed"}
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class Run:
    """One run of the framework over one table of the lake; times are UTC."""

    table: str
    id: str
    status: str
    started: datetime | None
    ended: datetime | None = None
    error: str = ""
    inserts: int | None = None
    updates: int | None = None
    deletes: int | None = None


@dataclass(frozen=True)
class FileState:
    """What the trackers know of one DMS file."""

    status: Status
    landed: datetime | None = None
    run: str = ""


@dataclass(frozen=True)
class Trackers:
    """What the framework's tracker tables hold. Made by `read_trackers`."""

    files: Mapping[str, Sequence[Item]]
    runs: tuple[Run, ...]

    def state(self, file: DmsFile) -> FileState:
        """Return what is known of a DMS file: by its path, else by schema, table and name."""
        items = _of_file(file, self.files.get(file.path.name, ()))
        if not items:
            return FileState("unknown")
        newest = max(items, key=lambda i: (i["landed"] or _NEVER, i["status"] == "processed"))
        return FileState(newest["status"], newest["landed"], newest["run"])

    def dated(self, files: Iterable[DmsFile]) -> tuple[DmsFile, ...]:
        """Return files with the times at which the trackers say that they landed; a copy has times of its own."""
        return tuple(replace(f, landed=self.state(f).landed or f.landed) for f in files)

    def runs_of(self, table: str) -> tuple[Run, ...]:
        """Return the runs over a table of the lake (with or without its database), the oldest first."""
        name = table.rpartition(".")[2].casefold()
        return tuple(r for r in self.runs if r.table.rpartition(".")[2].casefold() == name)

    def notes(self, table: str, now: datetime | None = None) -> tuple[str, ...]:
        """Return what is wrong with the newest run over a table: it failed, or it hangs and locks the table."""
        runs = self.runs_of(table)
        last = runs[-1] if runs else None
        if last is None or last.status == COMPLETED:
            return ()
        since = f" since {last.started:%Y-%m-%d %H:%M:%S} UTC" if last.started else ""
        if last.status == FAILED:
            return (f"the last run ({last.id}{since}) failed: {last.error or 'no message'}",)
        age = f" for {in_words((now or datetime.now(UTC)) - last.started)}" if last.started else ""
        return (
            f"run {last.id} is {last.status}{since}{age}; if it was killed it locks the table: no run takes it up "
            "until its item in odpf_file_processing_tracker is set to refresh_error",
        )

    @property
    def until(self) -> datetime | None:
        """When the newest file landed of which the trackers know."""
        return max((i["landed"] for items in self.files.values() for i in items if i["landed"]), default=None)


@dataclass(frozen=True)
class Lag:
    """Files of one table that have landed and are not yet processed.

    Attributes
    ----------
    waiting : tuple of DmsFile
        In the order of the files; `landed` is what the trackers say, or the time that was believed.
    age : timedelta
        For how long the oldest of them waits; 0 when none does.
    processed : frozenset of str
        The names of files that are marked processed.
    notes : tuple of str
        How this is known, what is not known, and runs that failed or hang.
    """

    waiting: tuple[DmsFile, ...] = ()
    age: timedelta = timedelta(0)
    processed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def read_trackers(trackers: Source | Mapping[str, Source]) -> Trackers:
    """Read the framework's tracker tables.

    Parameters
    ----------
    trackers : path, str, DataFrame, list, or mapping of names to these
        JSON exports (plain, typed or lines), a folder with them, `dynamodb://odpf_file_tracker?region=...`, items; or
        several of these. Files and runs are known by their attributes, whatever the names of the tables.

    Raises
    ------
    DataError
        An item that is neither a file nor a run, or whose status or time cannot be; item and attribute are named.
    UnreadableFileError, ConfigError
        As `read_items`.

    Examples
    --------
    >>> known = read_trackers(["odpf_file_tracker.json", "odpf_file_tracker_history.json"])   # doctest: +SKIP
    >>> known.state(file).status                                                              # doctest: +SKIP
    """
    files: dict[str, list[Item]] = {}
    runs: dict[tuple[str, str], Run] = {}
    for name, source in _sources(trackers):
        for number, item in enumerate(read_items(source, name), start=1):
            where = f"{name}, item {number}"
            if "file_ingestion_path" in item:
                one = _file(item, where)
                files.setdefault(one["path"].rpartition("/")[2], []).append(one)
            elif "refresh_status" in item:
                run = _run(item, where)
                known = runs.get((run.table, run.id))
                runs[run.table, run.id] = run if known is None else _newer(known, run)
            else:
                raise DataError(
                    f"{where} is no item of a tracker: it has neither file_ingestion_path nor refresh_status. Give the "
                    "tables odpf_file_tracker, odpf_file_processing_tracker and their histories."
                )
    return Trackers(files, tuple(sorted(runs.values(), key=lambda r: (r.started or _NEVER, r.ended or _LAST))))


def lag_of(
    files: Iterable[DmsFile],
    trackers: Trackers | None = None,
    *,
    last_commit: datetime | None = None,
    table: str = "",
    now: datetime | None = None,
) -> Lag:
    """Tell which files of one table are lag.

    Parameters
    ----------
    files : iterable of DmsFile
        All of one table.
    trackers : Trackers, optional
        What the framework knows; files of which it knows nothing are judged by landing times.
    last_commit : datetime, optional
        When the newest commit of the lake's table began (UTC). Without it landing times tell nothing.
    table : str
        The table of the lake, for its runs.
    now : datetime, optional
        For the age.

    Returns
    -------
    Lag
        What the framework drops in the second of a full load is not among `waiting`: it is marked processed, or landed
        before the commit.
    """
    found = [f for f in files if f.kind in (FULL_LOAD, CHANGE)]
    when = (now or datetime.now(UTC)).astimezone(UTC)
    states = {f: trackers.state(f) if trackers else FileState("unknown") for f in found}
    unknown = [f for f, s in states.items() if s.status == "unknown"]
    late = set(waiting(unknown, last_commit, of_table=found))
    copied = _is_copy(found, last_commit)
    behind = [
        replace(f, landed=states[f].landed or _arrived(f, copied=copied))
        for f in found
        if states[f].status == "landed" or f in late
    ]
    since = [f.landed for f in behind if f.landed is not None]
    notes = trackers.notes(table, when) if trackers and table else ()
    if trackers and (silent := [f for f in unknown if f not in late]):
        notes = (
            *notes,
            f"{len(silent)} files are in no tracker, for example {silent[0].name}: judged by landing times",
        )
    elif trackers is None and last_commit is None:
        notes = (*notes, "no tracker and no commit: nothing tells which files are still to be processed")
    elif trackers is None and copied:
        notes = (*notes, "landing times are those of a copy: the times in the names of change files count")
    return Lag(
        waiting=tuple(behind),
        age=max(when - min(since), timedelta(0)) if since else timedelta(0),
        processed=frozenset(f.name for f, s in states.items() if s.status == "processed"),
        notes=notes,
    )


def waiting(
    files: Iterable[DmsFile],
    last_commit: datetime | None,
    grace: timedelta = timedelta(0),
    *,
    of_table: Sequence[DmsFile] | None = None,
) -> list[DmsFile]:
    """Return the files that by landing times alone cannot be in the table yet.

    Parameters
    ----------
    files : iterable of DmsFile
        The files to be judged.
    last_commit : datetime or None
        When the newest commit began; None: nothing can be told.
    grace : timedelta
        A run lists files before its commit begins: what landed in this time before the commit may have missed it.
    of_table : sequence of DmsFile, optional
        All files of the table, by which a copied folder is told; without it `files`.
    """
    found = list(files)
    if last_commit is None:
        return []
    start = last_commit.astimezone(UTC)
    copied = _is_copy(found if of_table is None else of_table, start)
    return [f for f in found if (t := _arrived(f, copied=copied)) is not None and t > start - grace]


def in_words(age: timedelta) -> str:
    """An age in whole minutes, hours or days.

    >>> in_words(timedelta(hours=7)), in_words(timedelta(days=3))
    ('7 hours', '3 days')
    """
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


_NEVER = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


def _is_copy(files: Sequence[DmsFile], last_commit: datetime | None) -> bool:
    """Whether the times of files are those of a copy: no first file of a table lands after the table's last commit."""
    known = [f.landed for f in files if f.landed is not None]
    return bool(known) and last_commit is not None and min(known) > last_commit.astimezone(UTC)


def _arrived(file: DmsFile, *, copied: bool) -> datetime | None:
    return change_time(file.path.name) if copied else file.landed


def _sources(trackers: Any) -> list[tuple[str, Source]]:
    if isinstance(trackers, Mapping) and not {"Items", "items", "Item"} & set(trackers):
        if "file_ingestion_path" in trackers or "refresh_status" in trackers:
            return [("tracker", trackers)]
        return [(str(name), source) for name, source in trackers.items()]
    if isinstance(trackers, (list, tuple)) and any(isinstance(t, (str, Path, S3Path, pd.DataFrame)) for t in trackers):
        return [(_named(t), t) for t in trackers]
    return [(_named(trackers), trackers)]


def _named(source: Any) -> str:
    if isinstance(source, (str, Path, S3Path)):
        return str(source).partition("?")[0].rpartition("/")[2] or str(source)
    return "tracker"


def _file(item: Item, where: str) -> Item:
    status = _STATUSES.get(str(item.get("file_ingestion_status")))
    if status is None:
        raise DataError(
            f"{where}: file_ingestion_status is {item.get('file_ingestion_status')!r}, not {' or '.join(_STATUSES)}."
        )
    return {
        "path": str(item["file_ingestion_path"]),
        "status": status,
        "landed": _moment(item.get("file_ingestion_date_time"), where, "file_ingestion_date_time"),
        "run": str(item.get("glue_job_run_id") or ""),
        "bucket": str(item.get("file_ingestion_s3_bucket") or ""),
        "schema": str(item.get("schema_name") or "").casefold(),
        "table": str(item.get("table_name") or "").casefold(),
    }


def _of_file(file: DmsFile, items: Sequence[Item]) -> list[Item]:
    """The items of a file: the same object on S3, else a path that ends alike, else the same table and name."""
    if isinstance(file.path, S3Path):
        same = [i for i in items if i["path"] == file.path.key and i["bucket"] in ("", file.path.bucket)]
        if same:
            return same
    named = f"/{file.name}"
    alike = [i for i in items if f"/{i['path']}".endswith(named) or named.endswith(f"/{i['path']}")]
    schema, table = file.schema.rpartition("/")[2].casefold(), file.table.casefold()
    own = [i for i in alike or items if i["table"] == table and i["schema"] == schema]
    # The framework takes schema and table from fixed places of the path, which a folder setting shifts.
    told = f"/{schema}/{table}/" in named.casefold() or in_transaction_order(file.name)
    return own or (alike if told and len({i["path"] for i in alike}) == 1 else [])


def _run(item: Item, where: str) -> Run:
    table = str(item.get("raw_table_name") or "")
    if not table:
        raise DataError(f"{where}: raw_table_name is not there.")
    return Run(
        table=table,
        id=str(item.get("glue_job_run_id") or ""),
        status=str(item["refresh_status"]),
        started=_moment(item.get("refresh_start_time"), where, "refresh_start_time"),
        ended=_moment(item.get("refresh_end_time"), where, "refresh_end_time"),
        error=_shortened(str(item.get("error_msg") or "")),
        inserts=_count(item.get("number_of_rows_inserted"), where, "number_of_rows_inserted"),
        updates=_count(item.get("number_of_rows_updated"), where, "number_of_rows_updated"),
        deletes=_count(item.get("number_of_rows_deleted"), where, "number_of_rows_deleted"),
    )


def _newer(one: Run, other: Run) -> Run:
    """Of two items of one run the one that has ended, and of these the one that knows more."""
    return max(
        one, other, key=lambda r: (r.status != UPDATING, r.ended or _NEVER, r.inserts is not None, bool(r.error))
    )


def _moment(value: Any, where: str, name: str) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise DataError(f"{where}: {name} is {value!r}, not a time such as 2026-03-01 10:00:00.") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _count(value: Any, where: str, name: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: {name} is {value!r}, not a number of rows.") from None


def _shortened(error: str) -> str:
    """The first line of a message, without the stack trace below it."""
    first = next((line.strip() for line in error.splitlines() if line.strip()), "")
    return first if len(first) <= _LONGEST_MESSAGE else f"{first[:_LONGEST_MESSAGE]}..."
