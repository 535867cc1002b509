"""Writing: under a temporary name, then moved; on S3 one put of a file that is already whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datalake_kit.storage.listing import TEMPORARY_PREFIX, Place, local_path, place
from datalake_kit.storage.s3 import S3Path


@contextlib.contextmanager
def write_atomically(target: str | Place) -> Iterator[Path]:
    """Give a temporary local path; put the file at `target` when the block ends well, remove it otherwise.

    A reader sees the old file or the new one, never a part. Parent folders are made. For s3:// the temporary file lies
    in the system's folder for such files, and goes up in one put.
    """
    there = place(target)
    with _on_s3(there) if isinstance(there, S3Path) else _beside(there) as temporary:
        yield temporary


@contextlib.contextmanager
def write_folder_atomically(target: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `target`; rename it to `target` when the block ends well, remove it otherwise.

    `target` is local and must not exist: a folder cannot be replaced in one step, and on S3 it cannot be moved in one.
    """
    path = local_path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes 0600; a lake's files follow the user's umask
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _on_s3(target: S3Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="datalake-kit-") as folder:
        temporary = Path(folder) / target.name
        temporary.touch()
        yield temporary
        target.upload(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
