"""Several runs on one table, and what a dead run left behind.

The folder of a day is locked while the day is written (`flock` on the folder itself: no file is added, and the system
lets go when the process ends, however it ends). Temporary files are made under this lock only. So whoever holds the
lock next may remove every temporary file that is there: nobody writes it any more. On S3, and where a file system has
no such locks, nothing is locked: a day is still replaced in one step, but of two runs with different points at the same
moment the later one may win. Temporary files are removed there when they are older than a day.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Protocol

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import Variable
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import TEMPORARY_PREFIX, Place

__all__ = ["claim_folder", "refuse_loss", "remove_leftovers"]

A_DAY = 86_400.0  # seconds


class _Job(Protocol):
    """What is asked of a day's job here (`days.DayJob`)."""

    @property
    def table(self) -> Place: ...
    @property
    def day(self) -> date: ...
    @property
    def variables(self) -> tuple[Variable, ...]: ...
    @property
    def points(self) -> pd.DataFrame: ...
    @property
    def points_digest(self) -> str: ...


@contextlib.contextmanager
def claim_folder(folder: Place) -> Iterator[None]:
    """Hold the lock of a local folder, which is made where it is not there; wait for it. What a dead run left goes."""
    if not isinstance(folder, Path):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _remove_from(folder, locked=_lock(descriptor))
        yield
    finally:
        _unlock(descriptor)


def refuse_loss(job: _Job) -> None:
    """Refuse to write a day again when that would drop points or variables that it holds.

    Raises
    ------
    DataError
        It names the table, the day and what would be lost.
    """
    manifest = daily.finished_manifest(job.table, job.day)
    if manifest is None:
        return
    lost = set(manifest.variables) - {v.name for v in job.variables}
    if manifest.points != job.points_digest:
        lost |= daily.point_ids(job.table, job.day) - set(job.points["point_id"])
    if lost:
        raise DataError(
            f"The table {job.table} holds for {job.day} what this run would drop: {', '.join(sorted(lost)[:10])}. "
            "Give these points and variables as well, or another folder."
        )


def remove_leftovers(table: Place) -> None:
    """Remove the temporary files of dead runs from a table and its days; those that a live run writes stay."""
    if not isinstance(table, Path) or not table.is_dir():
        return
    for folder in (table, *table.glob("date=*")):
        if not any(folder.glob(f"{TEMPORARY_PREFIX}*")):
            continue
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if (locked := _lock(descriptor, wait=False)) is not None:
                _remove_from(folder, locked=locked)
        finally:
            _unlock(descriptor)


def _lock(descriptor: int, *, wait: bool = True) -> bool | None:
    """Lock an open folder; False where the file system has no locks, None when another has it and `wait` is not set."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return None
    except OSError:
        return False
    return True


def _unlock(descriptor: int) -> None:
    """Let go by name, and not by closing alone: a process that was forked meanwhile has the folder open as well."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _remove_from(folder: Path, *, locked: bool | None) -> None:
    for left in folder.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            if locked or time.time() - left.stat().st_mtime > A_DAY:
                left.unlink()
