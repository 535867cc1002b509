"""The rows of one table's DMS files, full load first, as they lie in the files: nothing is held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.cdc.dms import ADDED, FILE, OP, POSITION, DmsFile
from datalake_kit.cdc.dms_content import find_operation, find_sequence
from datalake_kit.cdc.dms_names import CHANGE, FULL_LOAD, OTHER
from datalake_kit.cdc.relation import Part, Relation, of_arrow, of_files
from datalake_kit.cdc.settings import DEFAULT, OPERATION, OPERATION_WORDS, DmsSettings
from datalake_kit.cdc.spool import Spool
from datalake_kit.cdc.workspace import Workspace, text_literal
from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.storage import open_parquet

_SPACE = text_literal(" \t\n\r\v\f")
_INSERT = "I"


@dataclass(frozen=True)
class StagedTable:
    """One table's DMS files in their order, full load first.

    Attributes
    ----------
    files : tuple of DmsFile
        In the order in which they count; a row's file is known by its number here.
    held : pyarrow.Table or None
        The rows with `_dms_file`, `_dms_position` and `_dms_op`, where they are in memory; None: they are in the files.
    sequence : str or None
        The column that orders changes.
    names : tuple of str
        The columns of the files.
    operations : tuple of str or None
        The column of each file that says what a change is.
    paths : tuple of Path
        The files as local Parquet, while their spool is open; empty where that was never needed.
    settings : DmsSettings
        How DMS was told to write.
    """

    files: tuple[DmsFile, ...]
    held: pa.Table | None
    sequence: str | None
    names: tuple[str, ...] = ()
    operations: tuple[str | None, ...] = ()
    paths: tuple[Path, ...] = ()
    settings: DmsSettings = field(default=DEFAULT, repr=False)

    @property
    def label(self) -> str:
        """`schema.table` as the folders name it."""
        return f"{self.files[0].schema}.{self.files[0].table}"

    @property
    def columns(self) -> list[str]:
        """The columns of the source table, with the sequence column, as the files name them."""
        names = self.held.schema.names if self.held is not None else self.names
        return [c for c in names if c not in ADDED and c != OPERATION]

    @contextmanager
    def opened(self) -> Iterator[StagedTable]:
        """The same with its files as local Parquet; copies go away at the end."""
        if self.held is not None or all(p.is_file() for p in self.paths):
            yield self
            return
        with Spool() as spool:
            yield replace(self, paths=tuple(spool.parquet(self.files, self.settings)))

    @cached_property
    def rows(self) -> pa.Table:
        """All rows in memory, with the number of the file, the position in it and the operation (L for a full load)."""
        if self.held is not None:
            return self.held
        with self.opened() as local:
            tables = [_with_origin(_read(p), n, self) for n, p in enumerate(local.paths)]
        return _concatenated(tables, self.files[0])

    def relation(self, work: Workspace) -> Relation:
        """The rows as SQL; the files are local."""
        if self.held is not None:
            return of_arrow(work, self.held)
        apart = [f"{f.kind} {column}" for f, column in zip(self.files, self.operations, strict=True)]
        found = of_files(work, self.paths, apart)
        for name in found.names:
            if found.form(name) is None:
                kinds = " and ".join(dict.fromkeys(str(k) for k in found.kinds(name) if k.id != "null"))
                raise _not_together(self.files[0], f"{name} is {kinds}.")
        return found

    def is_load(self, part: Part) -> bool:
        """Whether a part has rows of the full load alone, in files."""
        return self.held is None and self.files[part.numbers[0]].kind == FULL_LOAD

    def origin(self, part: Part) -> tuple[str, str, str]:
        """The SQL of a part's file number, position in the file, and operation."""
        if self.held is not None:
            file, position, operation = (part.columns[c][0] for c in (FILE, POSITION, OP))
            return file, position, operation
        column = self.operations[part.numbers[0]]
        if self.files[part.numbers[0]].kind == FULL_LOAD:
            return part.number, "file_row_number", "'L'"
        if column is None:
            return part.number, "file_row_number", f"'{_INSERT}'"
        letter = f"upper(substr(ltrim(CAST({part.columns[column][0]} AS VARCHAR), {_SPACE}), 1, 1))"
        return part.number, "file_row_number", f"replace({letter}, 'L', '{_INSERT}')"

    def take(self, file: np.ndarray[Any, Any], position: np.ndarray[Any, Any]) -> pa.Table:
        """The rows at some places, which are in the order of the files, with the columns of the source."""
        if self.held is not None:
            return self._taken_from_memory(file, position)
        tables = []
        with self.opened() as local:
            for number, path in enumerate(local.paths):
                at = position[file == number]
                tables.append(_read(path).take(pa.array(at)).replace_schema_metadata(None))
        return _concatenated(tables, self.files[0]).select(self.columns)

    def _taken_from_memory(self, file: np.ndarray[Any, Any], position: np.ndarray[Any, Any]) -> pa.Table:
        held = self.rows
        places = zip(held.column(FILE).to_pylist(), held.column(POSITION).to_pylist(), strict=True)
        at = {place: number for number, place in enumerate(places)}
        rows = [at[place] for place in zip(file.tolist(), position.tolist(), strict=True)]
        return held.select(self.columns).take(pa.array(rows, pa.int64()))


def read_staged(
    files: Sequence[DmsFile], *, sequence: str | None = None, settings: DmsSettings | None = None
) -> StagedTable:
    """Open one table's DMS files: their columns and operations are looked at, their rows are left where they are.

    Parameters
    ----------
    files : sequence of DmsFile
        All of one table.
    sequence : str, optional
        The column that orders changes; without it the one that `settings` or DMS's own names tell.
    settings : DmsSettings, optional
        How DMS was told to write, where it cannot be found out.

    Raises
    ------
    DataError
        A file that is neither full load nor change, an operation that is none of I, U, D, or a column of types that do
        not go together.
    UnreadableFileError
        A file is gone, cut short or no Parquet file.
    """
    with Spool() as spool:
        found = open_staged(spool, files, sequence=sequence, settings=settings)
    return found


def open_staged(
    spool: Spool, files: Sequence[DmsFile], *, sequence: str | None = None, settings: DmsSettings | None = None
) -> StagedTable:
    """Open one table's DMS files as `read_staged` does; what is not local Parquet is in a spool."""
    settings = settings or DEFAULT
    ordered = tuple(sorted(files, key=lambda f: f.order))
    if not ordered:
        raise DataError("There is no DMS file to read.")
    for file in ordered:
        if file.kind == OTHER:
            raise DataError(
                f"{file.path} has no name of DMS's (such as LOAD00000001.parquet or 20260301-101207737.parquet), so "
                "its place among the changes is unknown. Move it away or rename it."
            )
    paths = tuple(spool.parquet(ordered, settings))
    looks = [_look(file, path, settings) for file, path in zip(ordered, paths, strict=True)]
    _check_types(ordered, [look.schema for look in looks])
    names = tuple(dict.fromkeys(name for look in looks for name in look.schema.names))
    found = _wanted(names, ordered[0], sequence) or next((x.sequence for x in reversed(looks) if x.sequence), None)
    return StagedTable(ordered, None, found, names, tuple(x.operation for x in looks), paths, settings)


@dataclass(frozen=True)
class _Look:
    """What one file tells: its columns, the operation and the sequence among them."""

    schema: pa.Schema
    operation: str | None
    sequence: str | None


def _look(file: DmsFile, path: Path, settings: DmsSettings) -> _Look:
    with open_parquet(path) as opened:
        schema = opened.schema_arrow.remove_metadata()
        sequence = find_sequence(opened, settings, changes=file.kind == CHANGE)
        if file.kind == FULL_LOAD:
            return _Look(schema, None, sequence)
        return _Look(schema, _operation(opened, file, settings), sequence)


def _operation(opened: pq.ParquetFile, file: DmsFile, settings: DmsSettings) -> str | None:
    """The column of a change file that holds operations, which are known words."""
    names = opened.schema_arrow.names
    column = find_operation(opened, settings)
    if column is None and settings.inserts_only:
        return None
    if column is None:
        raise DataError(
            f"The change file {file.path} has no column Op or CDC_OPERATION, so its inserts and deletes are not told "
            f"apart. It has {', '.join(names)}. Name the column in DmsSettings(operation=), or say inserts_only=True."
        )
    found = opened.read(columns=[column]).column(0)
    words = pc.utf8_upper(pc.utf8_trim_whitespace(found.cast(pa.string())))
    unknown = sorted({str(w) for w in pc.unique(words).to_pylist()} - set(OPERATION_WORDS))
    if unknown:
        raise DataError(f"The change file {file.path} has operations other than I, U, D: {', '.join(unknown)}.")
    return column


def _check_types(files: Sequence[DmsFile], schemas: Sequence[pa.Schema]) -> None:
    """Refuse columns of types that do not go together, as Arrow has it."""
    try:
        pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as problem:
        raise _not_together(files[0], problem) from None


def _wanted(names: Sequence[str], file: DmsFile, wanted: str | None) -> str | None:
    if wanted is None:
        return None
    same = [n for n in names if n.casefold() == wanted.casefold()]
    if not same:
        raise ColumnNotFoundError(
            f"The DMS files of {file.table} have no column {wanted!r}. {did_you_mean(wanted, names)}"
        )
    return same[0]


def sequences(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a sequence column as text with NULL as the empty text, so that its order is that of the changes."""
    return pc.fill_null(column.cast(pa.string()), "")


def _read(path: Path) -> pa.Table:
    with open_parquet(path) as parquet:
        return parquet.read()


def _with_origin(table: pa.Table, number: int, staged: StagedTable) -> pa.Table:
    count, column = table.num_rows, staged.operations[number]
    letter = "L" if staged.files[number].kind == FULL_LOAD else _INSERT
    operations = pa.chunked_array([pa.repeat(pa.scalar(letter), count)])
    if column is not None:
        words = pc.utf8_upper(pc.utf8_trim_whitespace(table.column(column).cast(pa.string())))
        operations = pc.replace_substring(pc.utf8_slice_codeunits(words, 0, 1), "L", _INSERT)
    return (
        table.replace_schema_metadata(None)
        .append_column(FILE, pa.repeat(pa.scalar(number, pa.int32()), count))
        .append_column(POSITION, pa.array(np.arange(count, dtype="int64")))
        .append_column(OP, operations)
    )


def _concatenated(tables: Sequence[pa.Table], file: DmsFile) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as problem:
        raise _not_together(file, problem) from None


def _not_together(file: DmsFile, problem: object) -> DataError:
    return DataError(f"The DMS files of {file.table} have columns of types that do not go together: {problem}")


__all__ = ["StagedTable", "open_staged", "read_staged", "sequences"]
