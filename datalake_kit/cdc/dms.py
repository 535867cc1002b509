"""The files that AWS DMS writes to a staging folder: what each of them is, and their rows.

`{schema}/{table}/LOAD00000001.parquet` is a part of the full load; `YYYYMMDD-HHMMSSmmm.parquet`, there or in folders by
date below, holds changes. A file is known by its own name, whatever folders DMS was told to make.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.errors import ColumnNotFoundError, DataError, UnreadableFileError, did_you_mean
from datalake_kit.storage import check_parquet, list_files, local_path

SEQUENCE = "CDC_TIMESTAMP_SEQ"
OPERATION = "Op"
FULL_LOAD, CHANGE, OTHER = "full load", "change", "other"

FILE, POSITION, OP = "_dms_file", "_dms_position", "_dms_op"  # columns that reading adds
ADDED = (FILE, POSITION, OP)

_FULL_LOAD_NAME = re.compile(r"^LOAD[0-9A-F]{8}$", re.IGNORECASE)
_CHANGE_NAME = re.compile(r"^(?P<time>\d{8}-\d{9})$")
_DATE_FOLDER = re.compile(r"^(\d{1,2}|\d{4}|\d{4}[-_]?\d{2}|\d{4}[-_]?\d{2}[-_]?\d{2}([-_]?\d{2})?)$")
_WORDS = {"INSERT": "I", "UPDATE": "U", "DELETE": "D", "I": "I", "U": "U", "D": "D"}


@dataclass(frozen=True)
class DmsFile:
    """One file of a staging folder, known by its name; it is not opened."""

    path: Path
    name: str
    schema: str
    table: str
    kind: str
    time: datetime | None

    @property
    def order(self) -> tuple[int, str, str]:
        """Full load first, then changes in the order of the times in their names."""
        return (0 if self.kind == FULL_LOAD else 1, self.path.stem, self.name)


@dataclass(frozen=True)
class StagedTable:
    """The rows of one table's DMS files, full load first, in the order of the files and of the rows in them.

    `rows` has the columns of the files and three more: the number of the file in `files`, the position in the file, and
    the operation (L for a row of the full load, otherwise I, U or D).
    """

    files: tuple[DmsFile, ...]
    rows: pa.Table
    sequence: str | None

    @property
    def label(self) -> str:
        """`schema.table` as the folders name it."""
        return f"{self.files[0].schema}.{self.files[0].table}"

    @cached_property
    def sequences(self) -> pa.ChunkedArray:
        """The sequence of each row as text; empty where there is none."""
        if self.sequence is None:
            return pa.chunked_array([pa.repeat(pa.scalar(""), self.rows.num_rows)])
        return sequences(self.rows.column(self.sequence))

    @cached_property
    def file_numbers(self) -> np.ndarray[Any, Any]:
        """The number of each row's file."""
        return np.asarray(self.rows.column(FILE).to_numpy())

    @cached_property
    def is_change(self) -> np.ndarray[Any, Any]:
        """Whether each row is a change, not one of the full load."""
        return np.asarray(pc.not_equal(self.rows.column(OP), "L").to_numpy())

    @property
    def columns(self) -> list[str]:
        """The columns of the source table, with the sequence column, as the files name them."""
        return [c for c in self.rows.schema.names if c not in ADDED and c != OPERATION]


def list_dms_files(staging: str | Path) -> list[DmsFile]:
    """List the data files below a staging folder by what their names and folders say, without opening one.

    Raises
    ------
    UnreadableFileError
        There is no such folder, or it holds no data file.
    """
    root = local_path(staging)
    if not root.is_dir():
        raise UnreadableFileError(f"No such staging folder: {root}. Give the folder into which DMS writes.")
    paths = list_files(root)
    if not paths:
        raise UnreadableFileError(f"The staging folder is empty: {root}. Give the folder into which DMS writes.")
    tables = {p.parent for p in paths if _FULL_LOAD_NAME.match(p.stem)}
    return sorted((_describe(p, root, tables) for p in paths), key=lambda f: (f.schema, f.table, f.order))


def files(staging: str | Path) -> pd.DataFrame:
    """List the DMS files of a staging folder, one row a file, with what is in them.

    Parameters
    ----------
    staging : path
        A folder above the files of one or more tables.

    Returns
    -------
    pandas.DataFrame
        `schema`, `table`; `kind`: "full load", "change" or "other" (a file whose name is not one of DMS's); `time`
        (UTC, from the name of a change file); `rows`; `first_sequence`, `last_sequence` (of the column
        CDC_TIMESTAMP_SEQ, NA without one or where it is empty); `bytes`; `file`, relative to `staging`; `path`.

    Raises
    ------
    UnreadableFileError
        There is no such folder, it is empty, or a Parquet file in it is cut short; the file is named.

    Examples
    --------
    >>> dk.cdc.files("demo-lake/_raw/staging").groupby(["table", "kind"])["rows"].sum()      # doctest: +SKIP
    """
    rows = [_row(file) for file in list_dms_files(staging)]
    frame = pd.DataFrame(rows, columns=list(_TYPES))
    return frame.astype(_TYPES)


def read_staged(files: Sequence[DmsFile], *, sequence: str | None = None) -> StagedTable:
    """Read the rows of one table's DMS files.

    Parameters
    ----------
    files : sequence of DmsFile
        All of one table.
    sequence : str, optional
        The column that orders changes; without it CDC_TIMESTAMP_SEQ where the files have it.

    Raises
    ------
    DataError
        A file that is neither full load nor change, an operation that is none of I, U, D, or a column of types that do
        not go together.
    UnreadableFileError
        A file is gone, cut short or no Parquet file.
    """
    ordered = sorted(files, key=lambda f: f.order)
    if not ordered:
        raise DataError("There is no DMS file to read.")
    for file in ordered:
        if file.kind == OTHER or file.path.suffix.lower() != ".parquet":
            raise DataError(
                f"{file.path} is no Parquet file with a name of DMS's (such as LOAD00000001.parquet or "
                "20260301-101207737.parquet), so its place among the changes is unknown. Move it away or rename it."
            )
    tables = [_with_origin(_read(file), number, file) for number, file in enumerate(ordered)]
    try:
        rows = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as problem:
        raise DataError(
            f"The DMS files of {ordered[0].table} have columns of types that do not go together: {problem}"
        ) from None
    return StagedTable(tuple(ordered), rows, _sequence_column(rows, ordered[0], sequence))


def _describe(path: Path, root: Path, tables: set[Path]) -> DmsFile:
    folder = path.parent
    while folder not in tables and folder != root and _DATE_FOLDER.match(folder.name):
        folder = folder.parent
    name = _CHANGE_NAME.match(path.stem)
    kind = FULL_LOAD if _FULL_LOAD_NAME.match(path.stem) else CHANGE if name else OTHER
    time = _time(name["time"]) if name else None
    if name and time is None:
        kind = OTHER
    return DmsFile(path, path.relative_to(root).as_posix(), folder.parent.name, folder.name, kind, time)


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text + "000", "%Y%m%d-%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read(file: DmsFile) -> pa.Table:
    check_parquet(file.path)
    try:
        with pq.ParquetFile(pa.OSFile(str(file.path))) as parquet:
            return parquet.read()
    except (OSError, pa.ArrowException) as problem:
        raise UnreadableFileError(f"The DMS file cannot be read ({problem}): {file.path}. Restore it.") from problem


def _with_origin(table: pa.Table, number: int, file: DmsFile) -> pa.Table:
    count = table.num_rows
    return (
        table.replace_schema_metadata(None)
        .append_column(FILE, pa.repeat(pa.scalar(number, pa.int32()), count))
        .append_column(POSITION, pa.array(np.arange(count, dtype="int64")))
        .append_column(OP, _operations(table, file))
    )


def _operations(table: pa.Table, file: DmsFile) -> pa.ChunkedArray:
    if file.kind == FULL_LOAD:
        return pa.chunked_array([pa.repeat(pa.scalar("L"), table.num_rows)])
    names = {n.casefold(): n for n in table.schema.names}
    column = names.get("op") or names.get("cdc_operation")
    if column is None:
        raise DataError(
            f"The change file {file.path} has no column Op or CDC_OPERATION, so its inserts and deletes are not told "
            f"apart. It has {', '.join(table.schema.names)}."
        )
    found = table.column(column)
    words = pc.utf8_upper(pc.utf8_trim_whitespace(found.cast(pa.string())))
    unknown = sorted({str(w) for w in pc.unique(words).to_pylist()} - set(_WORDS))
    if unknown:
        raise DataError(f"The change file {file.path} has operations other than I, U, D: {', '.join(unknown)}.")
    return pc.utf8_slice_codeunits(words, 0, 1)


def _sequence_column(rows: pa.Table, file: DmsFile, wanted: str | None) -> str | None:
    names: list[str] = [n for n in rows.schema.names if n not in ADDED]
    same = [n for n in names if n.casefold() == (wanted or SEQUENCE).casefold()]
    if same:
        return same[0]
    if wanted is not None:
        raise ColumnNotFoundError(
            f"The DMS files of {file.table} have no column {wanted!r}. {did_you_mean(wanted, names)}"
        )
    return None


def sequences(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a sequence column as text with NULL as the empty text, so that its order is that of the changes."""
    return pc.fill_null(column.cast(pa.string()), "")


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
}


def _row(file: DmsFile) -> tuple[object, ...]:
    rows, first, last = (None, None, None)
    if file.path.suffix.lower() == ".parquet":
        rows, first, last = _content(file)
    size = file.path.stat().st_size
    return (file.schema, file.table, file.kind, file.time, rows, first, last, size, file.name, str(file.path))


def _content(file: DmsFile) -> tuple[int, str | None, str | None]:
    check_parquet(file.path)
    try:
        with pq.ParquetFile(pa.OSFile(str(file.path))) as parquet:
            count: int = parquet.metadata.num_rows
            same = [n for n in parquet.schema_arrow.names if n.casefold() == SEQUENCE.casefold()]
            column = sequences(parquet.read(columns=same[:1]).column(0)) if same else None
    except (OSError, pa.ArrowException) as problem:
        raise UnreadableFileError(f"The DMS file cannot be read ({problem}): {file.path}. Restore it.") from problem
    found = pc.min_max(column.filter(pc.not_equal(column, ""))).as_py() if column is not None else {}
    return count, found.get("min"), found.get("max")


def by_table(found: Iterable[DmsFile]) -> dict[tuple[str, str], list[DmsFile]]:
    """Group files by schema and table."""
    groups: dict[tuple[str, str], list[DmsFile]] = {}
    for file in found:
        groups.setdefault((file.schema, file.table), []).append(file)
    return groups
