"""Several runs that write one folder, and what a dead run left behind.

A folder is locked while it is written (`flock` on the folder itself: no file is added, and the system lets go when the
process ends, however it ends). Temporary files are made under this lock only. So whoever holds the lock next may remove
every temporary file that is there: nobody writes it any more. On S3, and where a file system has no such locks, nothing
is locked: a file is still replaced in one step. Temporary files are removed there when they are older than a day.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from datalake_kit.storage.listing import TEMPORARY_PREFIX, Place

__all__ = ["claim_folder", "remove_leftovers"]

A_DAY = 86_400.0  # seconds


@contextlib.contextmanager
def claim_folder(folder: Place, *, below: bool = False) -> Iterator[None]:
    """Hold the lock of a local folder, which is made where it is not there; wait for it. What a dead run left goes.

    With `below`, what it left in the folders right below too.
    """
    if not isinstance(folder, Path):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _remove_from(folder, locked=_lock(descriptor), below=below)
        yield
    finally:
        _unlock(descriptor)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove the temporary files of dead runs right in folders; those that a live run writes stay."""
    for folder in folders:
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


def _remove_from(folder: Path, *, locked: bool | None, below: bool = False) -> None:
    patterns = (f"{TEMPORARY_PREFIX}*", f"*/{TEMPORARY_PREFIX}*")[: 1 + below]
    for left in (file for pattern in patterns for file in folder.glob(pattern)):
        with contextlib.suppress(OSError):
            if locked or time.time() - left.stat().st_mtime > A_DAY:
                left.unlink()
