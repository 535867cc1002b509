"""Places: local paths and addresses on S3, listed and read with the same functions."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, overload

from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage.s3 import S3Path

Place = Path | S3Path
T = TypeVar("T")

TEMPORARY_PREFIX = "._writing-"  # begins with a dot: no reader of a lake takes it for data
HUDI_FOLDER = ".hoodie"

_S3_SCHEMES = ("s3://", "s3a://", "s3n://")
_READERS = 16  # requests at once; S3 answers each after some ten milliseconds, whatever the size


def place(location: str | Place) -> Place:
    """Return a location as an absolute local path or as an address on S3.

    Raises
    ------
    UnreadableFileError
        A scheme other than file, s3, s3a and s3n, or an address without a bucket.

    >>> place("s3://lake/taxi/table_1/")
    S3Path('s3://lake/taxi/table_1')
    """
    if isinstance(location, S3Path):
        return location
    text = str(location)
    scheme = next((s for s in _S3_SCHEMES if text.lower().startswith(s)), None)
    return local_path(location) if scheme is None else S3Path.parse("s3://" + text[len(scheme) :])


def local_path(location: str | Place) -> Path:
    """Return a location as an absolute local path; file:// is taken, another scheme is refused."""
    text = str(location)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif "://" in text:
        scheme = text.split("://", 1)[0]
        raise UnreadableFileError(f"{scheme}:// is not taken here: {text}. Copy the files to a folder and give that.")
    return Path(text).expanduser().absolute()


@overload
def list_files(folder: Path, *, suffixes: tuple[str, ...] = ...) -> list[Path]: ...
@overload
def list_files(folder: str | Place, *, suffixes: tuple[str, ...] = ...) -> list[Place]: ...
def list_files(folder: str | Place, *, suffixes: tuple[str, ...] = ()) -> list[Path] | list[Place]:
    """List the data files below a folder in a stable order.

    Files and folders whose names begin with a dot or an underscore are left out, as Athena, Spark and Hudi do. The
    files of an s3:// folder are `S3Path`s that know their size; a folder that is not there has none.
    """
    root = place(folder)
    if isinstance(root, S3Path):
        objects: list[Place] = [f for f in root.walk() if _is_data(f.relative_to(root).parts, suffixes)]
        return objects
    found: list[Path] = []
    for top, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f[0] not in "._")
        found += [Path(top) / n for n in sorted(names) if _is_data((n,), suffixes)]
    return found


def listing(folder: str | Place) -> dict[str, int]:
    """Return every file below a folder with its size in bytes, by its name relative to the folder.

    The folder .hoodie is left out, wherever it lies. On S3 this is one listing, page by page.
    """
    root = place(folder)
    if isinstance(root, S3Path):
        return root.sizes(without=HUDI_FOLDER)
    found: dict[str, int] = {}
    stack = [(str(root), "")]
    while stack:
        top, prefix = stack.pop()
        with os.scandir(top) as entries:
            for entry in entries:
                if not entry.is_dir():
                    found[prefix + entry.name] = _size(entry)
                elif entry.name != HUDI_FOLDER:
                    stack.append((entry.path, f"{prefix}{entry.name}/"))
    return found


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        refuse_dangling(Path(entry.path))
        raise UnreadableFileError(f"The file went away while listing: {entry.path}. List the folder again.") from None


def refuse_dangling(path: Path) -> None:
    """Refuse a link that leads nowhere.

    Raises
    ------
    UnreadableFileError
        It names the link and where it leads.
    """
    if path.is_symlink() and not path.exists():
        raise UnreadableFileError(
            f"{path} is a dangling link: {path.readlink()} is not there. Remove it, or restore what it leads to."
        ) from None


def files_in(folder: str | Place, pattern: str = "*") -> list[Place]:
    """List the files right in a folder whose names match a pattern, in order; none where there is no such folder."""
    root = place(folder)
    if isinstance(root, S3Path):
        objects: list[Place] = [f for f in root.glob(pattern) if f.is_file()]
        return objects
    try:
        with os.scandir(root) as entries:
            names = sorted(e.name for e in entries if e.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [root / n for n in names if fnmatch.fnmatchcase(n, pattern)]


def fingerprint(file: Place) -> tuple[int, int | str]:
    """Return what changes when the content of a file changes: size and time, on S3 size and ETag. For caches."""
    if isinstance(file, S3Path):
        known = file.stat()
        return known.st_size, known.etag
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def read_many(files: Sequence[Place]) -> list[bytes]:
    """Read whole files, in the order given; on S3 several at once."""
    return for_each(lambda file: file.read_bytes(), files)


def for_each(ask: Callable[[Place], T], files: Sequence[Place]) -> list[T]:
    """Return what a function says of each file, in the order given; for files on S3 it is called in several threads."""
    if sum(isinstance(f, S3Path) for f in files) < 2:
        return [ask(f) for f in files]
    with ThreadPoolExecutor(max_workers=min(_READERS, len(files))) as pool:
        return list(pool.map(ask, files))


def copy_to(file: str | Place, folder: str | Path) -> Path:
    """Copy a file into a local folder under its own name, in pieces, and return the copy's path."""
    source, target = place(file), local_path(folder)
    target.mkdir(parents=True, exist_ok=True)
    copy = target / source.name
    if isinstance(source, S3Path):
        source.download(copy)
    else:
        shutil.copyfile(source, copy)
    return copy


def local_copy(file: str | Place, folder: str | Path) -> Path:
    """Return a path where the file can be read locally: itself, or its copy in `folder` when it lies on S3."""
    source = place(file)
    return copy_to(source, folder) if isinstance(source, S3Path) else source


def _is_data(parts: Iterable[str], suffixes: tuple[str, ...]) -> bool:
    names = [p for p in parts if p]
    hidden = not names or any(n[0] in "._" for n in names) or names[-1].endswith("_$folder$")  # Hadoop's, on S3
    return not hidden and (not suffixes or names[-1].lower().endswith(suffixes))
