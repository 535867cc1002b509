"""The files that AWS DMS writes to a staging folder: what each of them is, and their rows.

`{schema}/{table}/LOAD00000001.parquet` is a part of the full load; `YYYYMMDD-HHMMSSmmm.parquet`, there or in folders by
date below, holds changes. A file is known by its own name, whatever folders DMS was told to make (see `dms_names`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from datalake_kit.cdc import dms_names
from datalake_kit.cdc.dms_content import contents, tables_in
from datalake_kit.cdc.dms_names import CHANGE, CONTROL, FULL_LOAD, OTHER
from datalake_kit.cdc.settings import DEFAULT, DmsSettings
from datalake_kit.errors import ParameterError, UnreadableFileError
from datalake_kit.storage import Place, S3Path, list_files, place, refuse_dangling

FILE, POSITION, OP = "_dms_file", "_dms_position", "_dms_op"  # columns that reading adds
ADDED = (FILE, POSITION, OP)

_SURELY_AFTER = timedelta(minutes=1)
_SOON = timedelta(minutes=10)  # DMS begins a file of changes and uploads it a minute later, unless told otherwise


@dataclass(frozen=True)
class DmsFile:
    """One file of a staging folder, known by its name; it is not opened.

    A file with changes of several tables, in transaction order, is one DmsFile for each of its tables.
    """

    path: Place
    name: str
    schema: str
    table: str
    kind: str
    time: datetime | None
    bytes: int = 0
    landed: datetime | None = None

    @property
    def order(self) -> tuple[int, str, str]:
        """Full load first by its numbers, then changes in the order of the times in their names."""
        own = self.path.name
        number, time = dms_names.load_number(own), dms_names.change_time(own)
        if self.kind == FULL_LOAD and number:
            return (0, f"{number[0]:08d}-{number[1]:016x}", self.name)
        return (1, f"{time:%Y%m%d%H%M%S%f}" if time else dms_names.stem(own), self.name)


def list_dms_files(staging: str | Place, settings: DmsSettings | None = None) -> list[DmsFile]:
    """List the data files below a staging folder by what their names and folders say.

    Only files with the changes of all tables are opened, to see whose changes they hold.

    Raises
    ------
    UnreadableFileError
        There is no such folder, or it holds no data file.
    """
    root = place(staging)
    if isinstance(root, Path) and not root.is_dir():
        raise UnreadableFileError(f"No such staging folder: {root}. Give the folder into which DMS writes.")
    paths = list_files(root)
    if not paths:
        raise UnreadableFileError(f"The staging folder is empty: {root}. Give the folder into which DMS writes.")
    return sorted(_listed(root, paths, settings or DEFAULT), key=lambda f: (f.schema, f.table, f.order))


def files(staging: str | Place, settings: DmsSettings | None = None) -> pd.DataFrame:
    """List the DMS files of a staging folder, one row a file, with what is in them.

    Parameters
    ----------
    staging : path
        A folder above the files of one or more tables, or s3://bucket/folder.
    settings : DmsSettings, optional
        How DMS was told to write, where it cannot be found out.

    Returns
    -------
    pandas.DataFrame
        `schema`, `table`; `kind`: "full load", "change", "control" (one of DMS's own tables, awsdms_...) or "other" (a
        file whose name is not one of DMS's); `time` (UTC, from the name of a change file); `rows`; `first_sequence`,
        `last_sequence` (of the column that orders changes, NA without one or where it is empty); `bytes`; `file`,
        relative to `staging`; `path`; `landed` (UTC, when the file was written there).
        `rows` is NA of CSV whose columns nothing tells. A file with changes of several tables has a row for each.

    Raises
    ------
    UnreadableFileError
        There is no such folder, it is empty, or a file in it is cut short or of another encoding; the file is named.
    DataError
        A CSV file with a row of another width; the file and the line are named.

    Examples
    --------
    >>> dk.cdc.files("demo-lake/_raw/staging").groupby(["table", "kind"])["rows"].sum()      # doctest: +SKIP
    """
    settings = settings or DEFAULT
    listed = list_dms_files(staging, settings)
    rows = [
        (f.schema, f.table, f.kind, f.time, *content, f.bytes, f.name, str(f.path), f.landed)
        for f, content in zip(listed, contents(listed, settings), strict=True)
    ]
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def from_frame(frame: pd.DataFrame) -> list[DmsFile]:
    """Return the files of a frame that `files` gave, or of some of its rows.

    Raises
    ------
    ParameterError
        A column of it is not there.
    """
    missing = [c for c in ("path", "file", "schema", "table", "kind") if c not in frame.columns]
    if missing:
        raise ParameterError(f"files is what dk.cdc.files gives; the column {missing[0]} is not there.")
    return [_from_row(row) for row in frame.to_dict("records")]


def by_table(found: Iterable[DmsFile]) -> dict[tuple[str, str], list[DmsFile]]:
    """Group the files of tables by schema and table; DMS's own control tables are left out."""
    groups: dict[tuple[str, str], list[DmsFile]] = {}
    for file in found:
        if file.kind != CONTROL:
            groups.setdefault((file.schema, file.table), []).append(file)
    return groups


def current_load(found: Iterable[DmsFile]) -> tuple[list[DmsFile], list[DmsFile]]:
    """Part the files of one table into those that count and those that a later full load has superseded.

    A table that is loaded again gets its LOAD files anew, from number 1 on, and what was there before stays. By the
    times at which files landed:

    - a LOAD file older than number 1 beside it is of an earlier load, when a change file's time lies between;
    - a change file is superseded when it landed a minute or more before the load began. It counts only if it landed
      within ten minutes of the time in its name: else the folder is a copy, and its times tell nothing.

    Files of one load generation stay together. Nothing is superseded where times are not known.
    """
    every = list(found)
    old = set(_left_over(every))
    loads = [f.landed for f in every if f.kind == FULL_LOAD and f.landed and f not in old]
    if loads:
        old |= {f for f in every if f.kind == CHANGE and _before(f, min(loads))}
    return [f for f in every if f not in old], [f for f in every if f in old]


_TYPES: dict[str, Any] = {
    "schema": "str",
    "table": "str",
    "kind": "str",
    "time": "datetime64[us, UTC]",
    "rows": "Int64",
    "first_sequence": "str",
    "last_sequence": "str",
    "bytes": "int64",
    "file": "str",
    "path": "str",
    "landed": "datetime64[us, UTC]",
}


def _listed(root: Place, paths: Sequence[Place], settings: DmsSettings) -> list[DmsFile]:
    names = {p: _relative(p, root) for p in paths}
    mixed = {p for p, name in names.items() if dms_names.in_transaction_order(name, settings.cdc_path)}
    above = {p: tuple(name.split("/")[:-1]) for p, name in names.items() if p not in mixed}
    kinds = {p: dms_names.kind_of(p.name) for p in above}
    tables = dms_names.table_folders(
        {above[p] for p, kind in kinds.items() if kind == FULL_LOAD},
        {above[p] for p, kind in kinds.items() if kind == CHANGE},
    )
    folders = {p: dms_names.table_folder(parts, tables) for p, parts in above.items()}
    labels = _labels(set(folders.values()), root)
    found = [_described(p, names[p], *labels[folder], kinds[p]) for p, folder in folders.items()]
    for path in sorted(mixed, key=str):
        found += [_described(path, names[path], schema, table, CHANGE) for schema, table in tables_in(path, settings)]
    return found


def _relative(path: Place, root: Place) -> str:
    if isinstance(path, S3Path):
        return path.relative_to(root).as_posix() if isinstance(root, S3Path) else str(path)
    return path.relative_to(str(root)).as_posix()


def _labels(folders: set[dms_names.Folders], root: Place) -> dict[dms_names.Folders, tuple[str, str]]:
    """Schema and table of each folder; the schema has the folders above it where else two tables had one name."""
    whole = {f: (root.parent.name, root.name, *f) for f in folders}
    short = {f: (parts[-2], parts[-1]) for f, parts in whole.items()}
    named = list(short.values())
    return {
        f: (name if named.count(name) == 1 else ("/".join(f[:-1]) or name[0], name[1])) for f, name in short.items()
    }


def _described(path: Place, name: str, schema: str, table: str, kind: str) -> DmsFile:
    try:
        stat = path.stat()
    except FileNotFoundError:
        if isinstance(path, Path):
            refuse_dangling(path)
        raise UnreadableFileError(f"The DMS file went away while listing: {path}. List the folder again.") from None
    landed = datetime.fromtimestamp(stat.st_mtime_ns // 1000 / 1e6, UTC)
    time = dms_names.change_time(path.name) if kind == CHANGE else None
    kind = CONTROL if kind != OTHER and dms_names.is_control(table) else kind
    return DmsFile(path, name, schema, table, kind, time, stat.st_size, landed)


def _from_row(row: Mapping[Any, Any]) -> DmsFile:
    def moment(name: str) -> datetime | None:
        value = row.get(name)
        return None if value is None or value is pd.NaT else pd.Timestamp(value).to_pydatetime()

    file, schema, table, kind = (str(row[c]) for c in ("file", "schema", "table", "kind"))
    size = int(row.get("bytes") or 0)
    return DmsFile(place(str(row["path"])), file, schema, table, kind, moment("time"), size, moment("landed"))


def _left_over(found: Sequence[DmsFile]) -> list[DmsFile]:
    """LOAD files that the first of their folder and segment is newer than, with changes begun in between."""
    begun = [t for f in found if f.kind == CHANGE and (t := dms_names.change_time(f.path.name))]
    loads = {(f.path.parent, dms_names.load_number(f.path.name)): f for f in found if f.kind == FULL_LOAD and f.landed}
    old = []
    for (folder, number), file in loads.items():
        first = loads.get((folder, (number[0], 1))) if number else None
        if first is not None and file.landed and first.landed and file.landed < first.landed:
            old += [file] if any(file.landed < t < first.landed for t in begun) else []
    return old


def _before(file: DmsFile, load: datetime) -> bool:
    begun = dms_names.change_time(file.path.name)
    if begun is None or file.landed is None or not begun - timedelta(seconds=1) <= file.landed <= begun + _SOON:
        return False
    return file.landed + _SURELY_AFTER <= load
