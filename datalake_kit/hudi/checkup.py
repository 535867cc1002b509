"""`dk.hudi.health`: what is wrong with a Hudi table, or soon will be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.hudi import check_commits, check_files, check_keys
from datalake_kit.hudi.examined import Examined, Limits, duration, examine
from datalake_kit.hudi.findings import SEVERITIES, WARNING, Finding, Health, result
from datalake_kit.hudi.instants import writer_zone
from datalake_kit.hudi.reading import check_lake
from datalake_kit.hudi.rows import hudi_location

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table
    from datalake_kit.storage import Place

Check = Callable[[Examined], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    check_commits.unreadable,
    check_files.files_at_fault,
    check_commits.pending,
    check_commits.commits,
    check_commits.ordering,
    check_commits.schema,
    check_commits.history,
    check_files.uncommitted_files,
    check_files.base_files,
    check_files.older_files,
    check_files.partitions,
    check_files.sizes,
    check_files.metadata_table,
)


def health(
    lake: Lake,
    table: str | Table,
    *,
    level: str = WARNING,
    inflight_limit: timedelta | str = "6h",
    small_file_bytes: int = 100 * 2**20,
    log_files: int = 10,
    keys: bool = True,
    timezone: str | None = None,
    now: datetime | None = None,
) -> Health:
    """Check a Hudi table, however damaged it is: every finding has a name, a severity and what to do.

    It goes on over what is left of a damaged table, which `dk.hudi.read` refuses.

    Parameters
    ----------
    lake : Lake
    table : str or Table
        `"database.table"`, or what `lake.table` gives.
    level : {"error", "warning", "info"}
        The least severity that is shown. `status` counts all.
    inflight_limit : timedelta or str
        How long an action may take to complete: "6h", "90min".
    small_file_bytes : int
        A base file below this is small; 10 of them in a partition where fewer would do are a finding.
    log_files : int
        The most log files that may lie over one base file.
    keys : bool
        Whether to read the key columns for keys with several rows; the rest reads no rows.
    timezone : str, optional
        The zone in which the writer wrote its instants; see `timeline`.
    now : datetime, optional
        The moment by which ages are judged.

    Returns
    -------
    Health
        `ok`, `status` ("healthy", "warning", "error"), `findings` (a frame), `facts`; shown as a table in a notebook.
        The names, with severity e (error), w (warning) or i (info):

        Files: missing-base-file (e), cut-base-file (e), unreadable-base-file (e), wrong-rows-in-base-file (e),
        missing-log-file (e), cut-log-file (e), unreadable-table (e), damaged-history (w: an older file that reading as
        of an earlier moment needs), uncommitted-base-file (e where Hudi's own readers may serve it, else w),
        uncommitted-log-file (i), file-being-written (i), partition-column-types (e), partition-spelled-twice (w),
        small-files (w), many-log-files (w), missing-metadata-table (w).

        Commits: unreadable-commit (e), unreadable-archive (e), stale-inflight (w), pending-compaction (w),
        compaction-cannot-run (e: its plan or a file that the plan names is gone, or a key is
        deleted and written again in log files of version 8, at which Hudi 1.0.2 fails), pending-clustering (w),
        empty-commit (w; i for a delete of keys that were not there), write-errors (e), lost-commit (e: a base file has
        not the rows that follow from the commits), overtaken-commit (w), late-file-wins (w; i where the table does not
        say), schema-changed (i), history-kept (i), timezone-not-named (i).

        Keys: duplicate-keys (e), duplicate-keys-across-partitions (e: a key moved partition and its old row stayed;
        the commit inserted more than arrived), keys-not-checked (w or i).

        not-checked (w): something could not be looked at, and why.

    Raises
    ------
    HudiError
        The table is no Hudi table, or of a version or kind that is not read.
    ParameterError
        A level, span of time or zone that is none.

    Examples
    --------
    >>> dk.hudi.health(lake, "taxi.table_2").findings[["name", "what", "todo"]]           # doctest: +SKIP
    """
    limits = Limits(duration(inflight_limit, "inflight_limit"), small_file_bytes, log_files)
    for option, given in (("small_file_bytes", small_file_bytes), ("log_files", log_files)):
        if isinstance(given, bool) or not isinstance(given, int) or given < 0:
            raise ParameterError(f"{option} is a whole number from 0 on, not {given!r}.")
    if not isinstance(keys, bool):
        raise ParameterError(f"keys is True or False, whether keys are checked, not {keys!r}.")
    if now is not None and not isinstance(now, datetime):
        raise ParameterError(f"now is a datetime, not {now!r}.")
    check_lake(lake)
    return health_of(
        hudi_location(lake, table), level=level, limits=limits, keys=keys, timezone=timezone, now=now, name=_name(table)
    )


def health_of(
    location: str | Place,
    *,
    level: str = WARNING,
    limits: Limits | None = None,
    keys: bool = True,
    timezone: str | None = None,
    now: datetime | None = None,
    name: str = "",
) -> Health:
    """Check the Hudi table in a folder; see `health`."""
    if level not in SEVERITIES:
        raise ParameterError(f"level={level!r} is none of {', '.join(map(repr, SEVERITIES))}.")
    if timezone is not None:
        writer_zone(timezone)  # refused before anything is read
    table = examine(location, limits=limits, now=now, timezone=timezone)
    checks = (*CHECKS, check_keys.duplicate_keys) if keys else CHECKS
    found = [finding for check in checks for finding in _run(check, table)]
    return result(name or table.timeline.table.name, found, _facts(table, keys), level)


def _run(check: Check, table: Examined) -> list[Finding]:
    """Run one check; what it cannot look at is a finding, never an end to the others."""
    found = []
    try:
        for finding in check(table):
            found.append(finding)  # not a list at once: what came before a problem counts
    except DataError as problem:
        found.append(Finding("not-checked", WARNING, f"{check.__name__.replace('_', ' ')}: {problem}"))
    return found


def _facts(table: Examined, keys: bool) -> dict[str, Any]:
    slices = table.snapshot.slices if table.snapshot else ()
    return {
        "location": str(table.timeline.table.folder),
        "version": table.timeline.table.version,
        "type": table.timeline.table.type,
        "commits": len(table.timeline.commits),
        "newest commit": table.timeline.newest,
        "base files": len(slices),
        "log files": sum(len(s.logs) for s in slices),
        "keys": "checked" if keys else "not checked",
        "times": table.zone.told,
        "checked at": table.now.isoformat(timespec="seconds"),
    }


def _name(table: str | Table) -> str:
    return table if isinstance(table, str) else table.name
