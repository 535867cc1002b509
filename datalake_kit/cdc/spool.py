"""A temporary folder in which every DMS file is a local Parquet file, whatever DMS wrote and wherever it lies."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa

from datalake_kit.cdc.csv_convert import convert, is_packed, pieces, plain_text, sample
from datalake_kit.cdc.csv_rows import Field, Layout, is_header, layout
from datalake_kit.cdc.dms_names import CHANGE, file_format, in_transaction_order
from datalake_kit.cdc.settings import DEFAULT, OPERATION_WORDS, DmsSettings
from datalake_kit.cdc.transactions import SchemaTable, split_tables
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError
from datalake_kit.storage import Place, check_parquet, local_copy, read_schema

if TYPE_CHECKING:
    from datalake_kit.cdc.dms import DmsFile


@dataclass(frozen=True)
class Text:
    """A CSV file as plain UTF-8 text on this machine; `layout` is None where nothing tells its columns."""

    path: Path
    sample: list[list[Field]] = field(repr=False)
    where: str
    layout: Layout | None

    @property
    def changes_only(self) -> bool:
        """Whether every row of the sample begins with an operation: then the first is none of names."""
        return bool(self.sample) and all(r[0].text.upper() in OPERATION_WORDS for r in self.sample)


@dataclass
class Spool:
    """Gives local Parquet files for DMS files; use it in `with`, the folder goes away at its end.

    Parameters
    ----------
    within : path, optional
        The folder in which to make the temporary one; without it the system's.

    Examples
    --------
    >>> with Spool() as spool:                                                             # doctest: +SKIP
    ...     paths = spool.parquet(files, DmsSettings(columns={"sales.orders": ["ID", "AMOUNT"]}))
    """

    within: str | Path | None = None
    folder: Path = field(init=False, default=Path())
    _made: dict[tuple[str, str, str], Path] = field(init=False, default_factory=dict, repr=False)
    _split: dict[str, dict[SchemaTable, Path]] = field(init=False, default_factory=dict, repr=False)
    _count: int = field(init=False, default=0, repr=False)

    def __enter__(self) -> Spool:
        self.folder = Path(tempfile.mkdtemp(prefix="datalake-kit-spool-", dir=self.within))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = Path()
        self._made.clear()
        self._split.clear()

    def parquet(self, files: Sequence[DmsFile], settings: DmsSettings | None = None) -> list[Path]:
        """Return for each DMS file of one table a local Parquet file with its rows, in their order.

        Local Parquet is given as it is. Files on S3 are copied in pieces, CSV is converted in batches: columns of a CSV
        file are all text, NULL where the file says so; or of the types that Parquet files among `files` give them. An
        operation that the file has is the column `Op`.

        Raises
        ------
        DataError
            A file that is neither Parquet nor CSV; CSV whose columns nothing tells; a row of another width (the file
            and the line are named).
        UnreadableFileError
            A file is gone, cut short, or of another encoding.
        """
        settings = settings or DEFAULT
        new = [f for f in files if _key(f) not in self._made]
        for file in new:
            if not _is_csv(file):
                self._made[_key(file)] = self._as_parquet(file.path)
        texts = self.texts([f for f in new if _is_csv(f)], settings)
        types = _types([self._made[_key(f)] for f in files if not _is_csv(f)]) if texts else {}
        for file, told in texts.items():
            columns = told.layout or layout(told.sample, told.where, settings, changes=False)
            target = self._new("parquet")
            self._made[_key(file)] = convert(told.path, columns, target, settings, told.where, types)
        return [self._made[_key(f)] for f in files]

    def texts(self, files: Sequence[DmsFile], settings: DmsSettings) -> dict[DmsFile, Text]:
        """Return for each CSV file of one table a plain local text, and its columns where they are told."""
        paths = {f: self._text(f, settings) for f in files}
        samples = {f: sample(t, settings, _where(f, settings)) for f, t in paths.items()}
        sibling = _sibling_header(samples, settings)
        return {
            f: Text(paths[f], rows, _where(f, settings), _layout(f, rows, settings, sibling))
            for f, rows in samples.items()
        }

    def _as_parquet(self, path: Place) -> Path:
        if file_format(path.name) != "parquet":
            raise DataError(f"{path} is neither Parquet nor CSV. Move it away, or read it yourself.")
        local = self._local(path)
        if is_packed(local):
            whole = self._new("parquet")
            with whole.open("wb") as handle:
                handle.writelines(pieces(local, True, str(path)))
            local = whole
        check_parquet(local)
        return local

    def _text(self, file: DmsFile, settings: DmsSettings) -> Path:
        if not in_transaction_order(file.name, settings.cdc_path):
            return plain_text(self._local(file.path), self._new("csv"), settings, str(file.path))
        key = str(file.path)
        if key not in self._split:
            whole = plain_text(self._local(file.path), self._new("csv"), settings, key)
            self._split[key] = split_tables(whole, settings, key, lambda _: self._new("csv"))
        found = self._split[key].get((file.schema, file.table))
        if found is None:
            raise DataError(
                f"{file.path} holds no change of {file.schema}.{file.table}. List the staging folder again."
            )
        return found

    def _local(self, path: Place) -> Path:
        folder = self._new("")
        try:
            local = local_copy(path, folder)
        except FileNotFoundError:
            raise UnreadableFileError(f"The DMS file is gone: {path}. List the folder again, or restore it.") from None
        if not local.is_file():
            raise UnreadableFileError(f"The DMS file is gone: {path}. List the folder again, or restore it.")
        return local

    def _new(self, suffix: str) -> Path:
        if self.folder == Path():
            raise ParameterError("The folder is not there before or after its block. Write `with Spool() as spool:`.")
        self._count += 1
        return self.folder / (f"{self._count:06d}.{suffix}" if suffix else f"{self._count:06d}")


def _types(paths: Sequence[Path]) -> dict[str, pa.DataType]:
    """The types of the columns of Parquet files; of several types of one name none."""
    found: dict[str, pa.DataType] = {}
    for path in paths:
        for column in read_schema(path):
            if found.setdefault(column.name, column.type) != column.type:
                found[column.name] = pa.string()
    return found


def _is_csv(file: DmsFile) -> bool:
    return file_format(file.path.name) == "csv"


def _where(file: DmsFile, settings: DmsSettings) -> str:
    if not in_transaction_order(file.name, settings.cdc_path):
        return str(file.path)
    return f"the changes of {file.schema}.{file.table} in {file.path}"


def _sibling_header(samples: dict[DmsFile, list[list[Field]]], settings: DmsSettings) -> tuple[str, ...]:
    """Return the header of a file of the table whose first line shows that it is one."""
    for file, rows in samples.items():
        if rows and not in_transaction_order(file.name, settings.cdc_path):
            first = [f.text for f in rows[0]]
            if is_header(first, settings):
                return tuple(first)
    return ()


def _key(file: DmsFile) -> tuple[str, str, str]:
    return str(file.path), file.schema, file.table


def _layout(file: DmsFile, rows: list[list[Field]], settings: DmsSettings, sibling: tuple[str, ...]) -> Layout | None:
    if in_transaction_order(file.name, settings.cdc_path):
        settings, sibling = replace(settings, header=False), ()
    known = settings.columns_of(file.schema, file.table)
    if not known and rows and not is_header([f.text for f in rows[0]], settings, (), sibling):
        return None
    return layout(rows, _where(file, settings), settings, known=known, changes=file.kind == CHANGE, sibling=sibling)
