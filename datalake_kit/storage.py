"""One way to list and write files: everything is written under a temporary name, then moved.

Local folders for now; the functions take and return paths as text or `Path`, so that s3:// can join behind them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from datalake_kit.errors import UnreadableFileError

PARQUET_MAGIC = b"PAR1"
TEMPORARY_PREFIX = "._writing-"  # begins with a dot: no reader of a lake takes it for data


def local_path(location: str | Path) -> Path:
    """Return a location as an absolute local path; file:// is taken, another scheme is refused."""
    text = str(location)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif "://" in text:
        scheme = text.split("://", 1)[0]
        raise UnreadableFileError(
            f"{scheme}:// is not read by this version: {text}. Copy the files to a folder and give that."
        )
    return Path(text).expanduser().absolute()


def list_files(folder: str | Path, *, suffixes: tuple[str, ...] = ()) -> list[Path]:
    """List the data files below a folder in a stable order.

    Files and folders whose names begin with a dot or an underscore are left out, as Athena, Spark and Hudi do.
    """
    found: list[Path] = []
    for top, folders, names in os.walk(local_path(folder)):
        folders[:] = sorted(f for f in folders if f[0] not in "._")
        here = Path(top)
        found += [
            here / n for n in sorted(names) if n[0] not in "._" and (not suffixes or n.lower().endswith(suffixes))
        ]
    return found


@contextlib.contextmanager
def write_atomically(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; move it there when the block ends well, remove it otherwise.

    A reader sees the old file or the new one, never a part. Parent folders are made.
    """
    path = local_path(target)
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
def write_folder_atomically(target: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `target`; rename it to `target` when the block ends well, remove it otherwise.

    `target` must not exist: a folder cannot be replaced in one step.
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


def check_parquet(path: str | Path) -> None:
    """Raise UnreadableFileError unless the file begins and ends as Parquet does; reads eight bytes."""
    file = local_path(path)
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            head = handle.read(4)
            handle.seek(max(0, size - 4))
            tail = handle.read(4)
    except FileNotFoundError:
        raise UnreadableFileError(f"The file is gone: {file}. List the table again, or restore the file.") from None
    if head != PARQUET_MAGIC:
        raise UnreadableFileError(f"Not a Parquet file (it begins with {head!r}): {file}. Remove it or restore it.")
    if size < 12 or tail != PARQUET_MAGIC:
        raise UnreadableFileError(f"The Parquet file is cut short ({size} bytes): {file}. Restore it from its source.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
