"""Folders of query files: the package's own and the user's, found by name.

A name is the path within its folder, without `.sql`: `cdc/row_count`. Two files of one name, whatever their letters'
case and whichever folders they lie in, are an error when the name is used: neither wins silently. Hidden files are left
out, links to folders are not followed, and a link that leads out of its folder is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datalake_kit.errors import QueryNotFoundError, SqlError, did_you_mean
from datalake_kit.sql.query_files import Parameter, Query, parse_query

LARGEST = 1_000_000  # bytes of a query file; Athena takes a statement of 262,144


def query_folder() -> Path:
    """Return the folder of the package's own queries: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    return package / "_sql" if (package / "_sql").is_dir() else package.parent / "sql"


@dataclass(frozen=True)
class Listed:
    """A query file as it is listed; `problem` says why it cannot be used."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    file: Path
    problem: str = ""


@dataclass(frozen=True)
class _Found:
    name: str
    file: Path
    root: Path


class QueryFolders:
    """The queries that a lake knows: the package's own, and those of more folders. Files are read when asked for.

    Parameters
    ----------
    folders
        Folders beside the package's own.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = tuple({f.resolve(): f for f in reversed((query_folder(), *folders))}.values())[::-1]

    def names(self) -> list[str]:
        """Return the names of all queries, such as `cdc/row_count`."""
        return sorted({found.name for found in self._files()})

    def load(self, name: str) -> Query:
        """Read one query.

        Raises
        ------
        QueryNotFoundError
            There is none of this name; the nearest ones are named.
        SqlError
            More than one file has the name, or the file cannot be read as a query; names file and line.
        """
        files = [found for found in self._files() if found.name.casefold() == str(name).casefold()]
        if not any(found.name == name for found in files):
            names = self.names()
            raise QueryNotFoundError(f"No query {name!r}. {did_you_mean(str(name), names)}")
        if len(files) > 1:
            raise SqlError(_twice(name, files))
        return parse_query(files[0].name, read_query_file(files[0].file, files[0].root), files[0].file)

    def listing(self) -> list[Listed]:
        """Return every query file by name, also those that cannot be used, with the problem."""
        files = sorted(self._files(), key=lambda found: (found.name, str(found.file)))
        return [_listed(found, files) for found in files]

    def _files(self) -> Iterator[_Found]:
        for root in self.folders:
            for file in sql_files(root):
                yield _Found(file.relative_to(root).with_suffix("").as_posix(), file, root)


def _listed(found: _Found, files: list[_Found]) -> Listed:
    same = [other for other in files if other.name.casefold() == found.name.casefold()]
    try:
        query = parse_query(found.name, read_query_file(found.file, found.root), found.file)
    except SqlError as error:
        return Listed(found.name, "", (), found.file, str(error))
    problem = _twice(found.name, same) if len(same) > 1 else ""
    return Listed(found.name, query.description, query.parameters, found.file, problem)


def _twice(name: str, files: list[_Found]) -> str:
    places = ", ".join(str(found.file) for found in files)
    return f"Query {name!r} is in {len(files)} files: {places}. Give one of them another name."


def sql_files(root: Path) -> list[Path]:
    """Return the .sql files below a folder, hidden ones left out."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        names = (f for f in files if f.lower().endswith(".sql") and not f.startswith("."))
        found += [Path(folder, f) for f in sorted(names)]
    return found


def read_query_file(file: Path, root: Path | None = None) -> str:
    """Return the text of a query file; a byte order mark is left out.

    Raises
    ------
    SqlError
        It is not a file, leads out of its folder, is too large, or is not UTF-8.
    """
    if root is not None and not file.resolve().is_relative_to(root.resolve()):
        raise SqlError(f"{file} is a link that leads out of its folder. Copy the file there instead.")
    if not file.is_file():
        raise SqlError(f"{file} is not a file that can be read.")
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise SqlError(f"{file} has {size:,} bytes; a query file has at most {LARGEST:,}. Keep data out of it.")
        content = file.read_bytes()
    except OSError as error:
        raise SqlError(f"{file} cannot be read: {error.strerror or error}.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SqlError(f"{file}:{line}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    if "\0" in text:
        raise SqlError(f"{file}:{text[: text.index(chr(0))].count(chr(10)) + 1}: holds a NUL character. Take it out.")
    return text


def query_names() -> list[str]:
    """Return the names of the package's own queries, such as `cdc/row_count`."""
    return QueryFolders().names()


def load_query(name: str) -> Query:
    """Read one query of the package; raise QueryNotFoundError with the nearest names when there is none."""
    return QueryFolders().load(name)
