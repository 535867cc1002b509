"""A lake in a folder: `<database>/<table>/`, each table a Hudi table, Parquet files, or Parquet files in layers.

Folders whose names begin with `_` or `.` are no databases and no tables. Names are compared as Athena does, without
regard to case. Parquet files may lie at any depth; `key=value` folders become partition columns: whole numbers
without leading zeros as bigint, ISO dates as date, anything else as text.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.engines.base import HUDI, PARQUET, Column, TableInfo, TableName, fold
from datalake_kit.engines.types import duckdb_type, hive_type, plain, widest
from datalake_kit.errors import (
    DatabaseNotFoundError,
    DataError,
    EngineError,
    TableNotFoundError,
    UnreadableFileError,
    did_you_mean,
)
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place, check_parquet, list_files, local_path
from datalake_kit.storage.layers import Layers, has_layers, read_layers, rows_that_count

if TYPE_CHECKING:
    from datalake_kit.hudi.snapshot import Snapshot

SUFFIXES = (".parquet", ".parq", ".pq")
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class FolderTable:
    """A table of a folder as it lies there now."""

    name: TableName
    folder: Path
    format: str
    schema: pa.Schema  # columns as stored, partition columns last
    partition_columns: tuple[str, ...]
    files: tuple[Path, ...]  # Parquet files that can be read as they are
    same_schema: bool  # every file has exactly this schema
    snapshot: Snapshot | None = None
    layers: Layers | None = None

    def info(self) -> TableInfo:
        """Return what a catalog would show."""
        columns = tuple(Column(fold(f.name), hive_type(f.type), f.name in self.partition_columns) for f in self.schema)
        return TableInfo(self.name, str(self.folder), self.format, columns)

    def whole_files(self) -> list[Place]:
        """Return the files that make the table; of a Hudi table, every file of its newest snapshot.

        Raises
        ------
        EngineError
            The table lies in layers.
        """
        if self.layers is not None:
            raise EngineError(
                f"{self.name} lies in layers: rows of its files that were superseded count no more, so the files are "
                "not the table. Read it by lake.sql or lake.table(...).frame()."
            )
        return list(self.snapshot.all_files if self.snapshot is not None else self.files)


class FolderCatalog:
    """The databases and tables below one folder, looked up afresh at each call."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def databases(self) -> list[str]:
        """Return the names of the databases."""
        return _visible_folders(self.root)

    def find_database(self, name: str) -> str:
        """Return the name of a database as it is written here; DatabaseNotFoundError otherwise."""
        return self._database(name).name

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database without opening a file; folders without data are left out."""
        folder = self._database(database)
        found = []
        for table in _visible_folders(folder):
            kind = _format(folder / table)
            if kind is not None:
                found.append(TableInfo(TableName(folder.name, table), str(folder / table), kind, ()))
        return found

    def open(self, name: TableName) -> FolderTable:
        """Open a table; raise NotFoundError, UnreadableFileError or DataError with the cause."""
        found, table = self.locate(name)
        kind = _format(table)
        if kind is None:
            raise TableNotFoundError(
                f"{found} is no table: {table} has neither a Hudi timeline (.hoodie) nor Parquet files ({SUFFIXES[0]})."
            )
        if kind == HUDI:
            return _open_hudi(found, table)
        return _open_layers(found, table) if has_layers(table) else _open_parquet(found, table)

    def locate(self, name: TableName) -> tuple[TableName, Path]:
        """Return the folder that a name means, and the name as written there; nothing in it is looked at."""
        database = self._database(name.database)
        table = self._member(database, name.table)
        if table is None:
            raise TableNotFoundError(
                f"No table {name.table!r} in database {database.name!r} of {self.root}. "
                f"{did_you_mean(name.table, _visible_folders(database))}"
            )
        return TableName(database.name, table.name), table

    def _database(self, name: str) -> Path:
        found = self._member(self.root, name)
        if found is None:
            names = self.databases()
            hint = did_you_mean(name, names) if names else "The lake is empty: it has no folder <database>/<table>/."
            raise DatabaseNotFoundError(f"No database {name!r} in {self.root}. {hint}")
        return found

    @staticmethod
    def _member(folder: Path, name: str) -> Path | None:
        same = [n for n in _visible_folders(folder) if n.lower() == name.lower()]
        if len(same) > 1:
            raise DataError(f"{folder} holds {' and '.join(same)}: Athena does not tell them apart. Rename one.")
        return folder / same[0] if same else None


def _visible_folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and e.name[0] not in "._")
    except FileNotFoundError:
        raise UnreadableFileError(f"The folder is gone: {folder}.") from None


def _format(folder: Path) -> str | None:
    if (folder / ".hoodie").is_dir():
        return HUDI
    if has_layers(folder):
        return PARQUET
    for _, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f[0] not in "._"]
        if any(n[0] not in "._" and n.lower().endswith(SUFFIXES) for n in names):
            return PARQUET
    return None


def _open_hudi(name: TableName, folder: Path) -> FolderTable:
    from datalake_kit.hudi.snapshot import open_snapshot

    snapshot = open_snapshot(folder)
    schema = snapshot.schema()
    _refuse_case_twins(schema.names, folder)
    return FolderTable(
        name,
        folder,
        HUDI,
        schema,
        tuple(n for n in schema.names if n in snapshot.partition_fields),
        tuple(local_path(f) for f in snapshot.parquet_files),
        same_schema=False,
        snapshot=snapshot,
    )


def _open_parquet(name: TableName, folder: Path) -> FolderTable:
    files = list_files(folder, suffixes=SUFFIXES)
    schemas = [file_schema(f) for f in files]
    merged, same = _merge(files, schemas)
    partitions = partition_types(folder, files, schemas[0].metadata)
    fields = [f for f in merged if f.name.lower() not in {p.lower() for p in partitions}]
    schema = pa.schema(fields + [pa.field(k, t) for k, t in partitions.items()])
    return FolderTable(name, folder, PARQUET, schema, tuple(partitions), tuple(files), same_schema=same)


def _open_layers(name: TableName, folder: Path) -> FolderTable:
    layers = read_layers(folder)
    schema = pa.schema([pa.field(f.name, plain(f.type)) for f in layers.schema()])
    _refuse_case_twins(schema.names, folder)
    return FolderTable(name, folder, PARQUET, schema, (), layers.paths, same_schema=False, layers=layers)


def select_layers(table: FolderTable) -> str:
    """Write what reads a table in layers: its columns by the names that they have in the files, under their own."""
    if table.layers is None:
        raise EngineError(f"{table.name} does not lie in layers.")
    pairs = zip(table.layers.columns, table.schema, strict=True)
    columns = (
        f"CAST({quote_identifier(c.stored)} AS {duckdb_type(f.type)}) AS {quote_identifier(fold(f.name))}"
        for c, f in pairs
    )
    return rows_that_count(table.layers, ", ".join(columns))


def file_schema(file: Path) -> pa.Schema:
    """Return the schema of a Parquet file, kept while the file is unchanged; UnreadableFileError names the file."""
    try:
        stat = file.stat()
    except FileNotFoundError:
        raise UnreadableFileError(f"The file is gone: {file}. List the table again, or restore the file.") from None
    return _cached_schema(str(file), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _cached_schema(file: str, size: int, changed: int) -> pa.Schema:
    check_parquet(file)
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFileError(f"The Parquet footer cannot be read: {file} ({error}). Restore the file.") from None
    _refuse_case_twins(schema.names, file)
    return pa.schema([pa.field(f.name, plain(f.type)) for f in schema], metadata=schema.metadata)


def _refuse_case_twins(names: Iterable[str], where: Path | str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise DataError(
                f"{where}: columns {seen[name.lower()]!r} and {name!r} differ only in case; Athena cannot tell them "
                "apart. Rename one where the file is written."
            )
        seen[name.lower()] = name


def _merge(files: list[Path], schemas: list[pa.Schema]) -> tuple[pa.Schema, bool]:
    first = schemas[0]
    if all(s.equals(first) for s in schemas):
        return first, True
    merged: dict[str, pa.Field] = {}
    origin: dict[str, Path] = {}
    for file, schema in zip(files, schemas, strict=True):
        for field in schema:
            key = field.name.lower()
            if key not in merged:
                merged[key], origin[key] = field, file
                continue
            kind = widest(merged[key].type, field.type)
            if kind is None:
                raise DataError(
                    f"Column {field.name!r} is {hive_type(merged[key].type)} in {origin[key]} and "
                    f"{hive_type(field.type)} in {file}. Rewrite one of the files; no engine reads both as one column."
                )
            merged[key] = pa.field(merged[key].name, kind)
    return pa.schema(list(merged.values())), False


def partition_types(
    folder: Place, files: Iterable[Place], metadata: Mapping[bytes, bytes] | None = None
) -> dict[str, pa.DataType]:
    """Return the partition columns that the `key=value` folders of a table give, with their types.

    Types that the metadata of a file tells count where they are there (`write_dataset` leaves them).
    """
    from datalake_kit.storage.dataset_reading import declared_types

    values: dict[str, set[str]] = {}
    layouts: dict[tuple[str, ...], Place] = {}
    for parent in {f.parent for f in files}:
        inner = parent.relative_to(folder)  # type: ignore[arg-type] # both are of one kind
        pairs = [part.split("=", 1) for part in inner.parts if "=" in part]
        layouts.setdefault(tuple(k for k, _ in pairs), parent)
        for key, value in pairs:
            values.setdefault(key, set()).add(unquote(value))
    if len(layouts) > 1:
        shown = "; ".join(f"{'/'.join(k) or 'none'} in {p}" for k, p in list(layouts.items())[:3])
        raise DataError(f"The partition folders of {folder} differ: {shown}. Move the files so that all have the same.")
    told = declared_types(metadata)
    return {key: told.get(key) or _partition_type(found - {NULL_PARTITION}) for key, found in values.items()}


def _partition_type(values: set[str]) -> pa.DataType:
    if values and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", v) for v in values):
        return pa.int64()
    if values and all(_is_date(v) for v in values):
        return pa.date32()
    return pa.string()


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False
