"""Files to read, however they are named: folder, pattern, address on S3, list; each with what tells a change."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.storage.listing import Place, place
from datalake_kit.storage.s3 import S3Path

FilesLike = str | Place | Iterable[str | Place]


class FoundFile(NamedTuple):
    """A file as a listing showed it.

    `version` changes with the content: the time of the last change in ns, on S3 the ETag; None for a link that leads
    nowhere and for a file that went away while its folder was listed.
    """

    place: Place
    size: int
    version: int | str | None


def find_files(files: FilesLike) -> list[FoundFile]:
    """Find files with their sizes and versions, each once, in the order of their names, those of a list in its order.

    Parameters
    ----------
    files : str, path, or sequence of these
        A folder or `s3://bucket/folder` with all that is below it; a pattern with *, ?, [ ] and ** (local or on S3; a
        folder that matches stands for the files in it); one file; or a sequence of such. In folders, names that begin
        with a dot or an underscore are passed over.

    Raises
    ------
    DataError
        Something that is named is not there.
    UnreadableFileError
        A folder cannot be listed; S3 refuses: no bucket, no access, no credentials.

    Notes
    -----
    S3 is asked for one listing, page by page, a folder or pattern, and for one for all addresses of a sequence that lie
    in the same folder. No object is asked for by itself.
    """
    if isinstance(files, str | Path | S3Path):
        found = _below(files)
        if found is None:
            raise DataError(f"No such folder or file: {place(files)}. Give a folder, a pattern or a list of files.")
        return found
    return _find_each(list(files))


def walk_files(folder: Path) -> Iterator[FoundFile]:
    """Give the files below a local folder in the order of their names; links to folders are followed, never twice."""
    stack, followed = [str(folder)], {os.path.realpath(folder)}
    while stack:
        below = []
        for entry in _entries(stack.pop()):
            if not _is_folder(entry):
                yield _entry(entry)
            elif not entry.is_symlink() or _follow(entry.path, followed):
                below.append(entry.path)
        stack += reversed(below)


def _find_each(files: list[str | Place]) -> list[FoundFile]:
    """Find what a sequence names; single objects on S3 by one listing a folder."""
    named = [(f, place(f)) for f in files]
    single = {f: there for f, there in named if isinstance(there, S3Path) and not _is_group(f)}
    known = _find_objects(single.values())
    found: dict[Place, FoundFile] = {}
    absent: list[str | Place] = []
    for file in files:
        one = single.get(file)
        here = _below(file) if one is None else [known[one]] if one in known else None
        absent += [file] if here is None else []
        found |= {f.place: f for f in here or () if f.place not in found}
    if absent:
        raise DataError(f"{len(absent)} of the files are not there, the first: {absent[0]}.")
    return list(found.values())


def _below(given: str | Place) -> list[FoundFile] | None:
    """Return the files of one name: a folder's, a pattern's, or itself; None when nothing is there."""
    there = place(given)
    if isinstance(there, S3Path):
        return _on_s3(given, there)
    if there.is_dir():
        return list(walk_files(there))
    if there.is_file():
        return [_stated(there)]
    return _matching(there) if _has_wildcard(str(given)) else None


def _on_s3(given: str | Place, there: S3Path) -> list[FoundFile]:
    if _has_wildcard(str(given)) and ((found := _objects_matching(there)) or "[" not in there.key):
        return found
    cut = len(there.key) + 1 if there.key else 0
    found = [_object(p) for p in there.walk() if _shown(p.key[cut:].split("/"))]
    return found or list(_find_objects([there] if there.key else []).values())


def _matching(pattern: Path) -> list[FoundFile]:
    found: dict[Place, FoundFile] = {}
    # glob and not Path.glob: the pattern may be absolute
    for match in sorted(glob.glob(str(pattern), recursive=True)):  # noqa: PTH207 - Path.glob takes no absolute pattern
        path = Path(match)
        here = walk_files(path) if path.is_dir() else [_stated(path)]
        found |= {f.place: f for f in here}
    return list(found.values())


def _objects_matching(pattern: S3Path) -> list[FoundFile]:
    """List what begins as the pattern does, up to its first wildcard, and keep what matches all of it."""
    begin = re.split(r"[*?\[]", pattern.key, maxsplit=1)[0]
    cut = begin.rfind("/") + 1
    wanted = pattern.key[cut:].split("/")
    return [_object(p) for p in S3Path(pattern.bucket).walk(begin) if _fits(p.key[cut:].split("/"), wanted)]


def _fits(parts: list[str], pattern: list[str]) -> bool:
    """Whether a key matches as glob does it, or lies in a folder that does: * stays within a part, ** takes any."""
    if not pattern:
        return _shown(parts)
    if pattern[0] == "**":
        below = (parts[:i] for i in range(len(parts) + (len(pattern) == 1)) if not _has_dot(parts[:i]))
        return any(_fits(parts[len(b) :], pattern[1:]) for b in below)
    hidden = _has_dot(parts[:1]) and not _has_dot(pattern[:1])
    return bool(parts) and not hidden and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _find_objects(objects: Iterable[S3Path]) -> dict[S3Path, FoundFile]:
    """Find single objects: those that a listing gave as they are, the others with one listing a folder."""
    folders: dict[S3Path, list[str]] = defaultdict(list)
    found: dict[S3Path, FoundFile] = {}
    for one in objects:
        if one.known is None:
            folders[one.parent].append(one.name)
        else:
            found[one] = _object(one)
    for folder, names in folders.items():
        found |= {p: _object(p) for p in folder.find(names)}
    return found


def _is_group(given: str | Place) -> bool:
    """Whether an address stands for several objects by the way it is written; one that was listed does not."""
    if isinstance(given, S3Path) and given.known is not None:
        return False
    return str(given).endswith("/") or _has_wildcard(str(given))


def _has_wildcard(text: str) -> bool:
    return any(c in text for c in "*?[")


def _shown(parts: list[str]) -> bool:
    return not any(p[:1] in (".", "_") for p in parts)


def _has_dot(parts: list[str]) -> bool:
    return any(p.startswith(".") for p in parts)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if e.name[0] not in "._"), key=lambda e: e.name)
    except OSError as problem:
        raise UnreadableFileError(f"The folder {folder} cannot be listed: {problem.strerror}.") from problem


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


def _follow(link: str, followed: set[str]) -> bool:
    """Whether a link leads to a folder that is not above it, and that no link led to before."""
    inside, here = os.path.realpath(link), os.path.realpath(Path(link).parent)
    if inside in followed or f"{here}/".startswith(f"{inside}/"):
        return False
    followed.add(inside)
    return True


def _entry(entry: os.DirEntry[str]) -> FoundFile:
    try:
        return _found(Path(entry.path), entry.stat())
    except OSError:
        return FoundFile(Path(entry.path), 0, None)


def _stated(path: Path) -> FoundFile:
    try:
        return _found(path, path.stat())
    except OSError:
        return FoundFile(path, 0, None)


def _found(path: Path, state: os.stat_result) -> FoundFile:
    return FoundFile(path, state.st_size, state.st_mtime_ns if stat.S_ISREG(state.st_mode) else None)


def _object(path: S3Path) -> FoundFile:
    known = path.stat()
    return FoundFile(path, known.st_size, known.etag)
