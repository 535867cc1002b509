"""A Hudi table at one moment: which files are its rows, and its columns.

>>> snapshot = open_snapshot("lake/taxi/table_1")            # doctest: +SKIP
>>> snapshot.parquet_files, snapshot.needs_merge             # doctest: +SKIP
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.commits import Timeline, load_timeline
from datalake_kit.hudi.instants import to_instant
from datalake_kit.hudi.slices import Fault, FileSlice, Resolution, resolve_slices

META_COLUMNS = (
    "_hoodie_commit_time",
    "_hoodie_commit_seqno",
    "_hoodie_record_key",
    "_hoodie_partition_path",
    "_hoodie_file_name",
)
_FOREVER = "9" * 17


class Snapshot:
    """The files and columns of a Hudi table, now or as of an instant. Made by `open_snapshot`.

    Attributes
    ----------
    timeline : Timeline
        The commits of the table, those after the snapshot too.
    slices : tuple of FileSlice
        One for each file group: a base file and the log files over it.
    instant : str
        The newest completed commit that the snapshot includes; empty for a table without commits.
    faults : tuple of Fault
        Files that are missing or have another size; always empty from `open_snapshot`, which raises instead.
    uncommitted_files : tuple of Path
        Files in the folder that no complete commit vouches for. They are not read.
    """

    def __init__(self, timeline: Timeline, resolution: Resolution, until: str) -> None:
        self.timeline = timeline
        self.slices: tuple[FileSlice, ...] = resolution.slices
        self.faults: tuple[Fault, ...] = resolution.faults
        self._until = until
        self.instant = max((c.requested for c in timeline.commits if c.requested <= until), default="")
        self.uncommitted_files = tuple(timeline.table.folder / s for s in resolution.strays)

    def __repr__(self) -> str:
        return f"<Snapshot of {self.table_name} as of {self.instant or 'no commit'}: {len(self.slices)} file groups>"

    @property
    def folder(self) -> Path:
        """The folder of the table."""
        return self.timeline.table.folder

    @property
    def table_name(self) -> str:
        """The table's name as hoodie.properties gives it."""
        return self.timeline.table.name

    @property
    def table_version(self) -> int:
        """Hudi's version of the table format: 6, 8, 9 ..."""
        return self.timeline.table.version

    @property
    def table_type(self) -> str:
        """COPY_ON_WRITE or MERGE_ON_READ."""
        return self.timeline.table.type

    @property
    def record_keys(self) -> tuple[str, ...]:
        """The columns that identify a record."""
        return self.timeline.table.record_keys

    @property
    def ordering_field(self) -> str | None:
        """The column by which the newer of two versions of a record is told, if the table has one."""
        return next(iter(self.timeline.table.ordering_fields), None)

    @property
    def partition_fields(self) -> tuple[str, ...]:
        """The columns by which the table is partitioned."""
        return self.timeline.table.partition_fields

    @property
    def parquet_files(self) -> tuple[Path, ...]:
        """Base files without log files over them: they can be read as they are."""
        return tuple(self.folder / s.base.path for s in self.slices if not s.logs)

    @property
    def needs_merge(self) -> bool:
        """Whether some base file has log files over it."""
        return any(s.logs for s in self.slices)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file that holds rows of the snapshot, base files and log files."""
        return tuple(self.folder / f.path for s in self.slices for f in s.files)

    def schema(self, *, meta: bool = False) -> pa.Schema:
        """Return the columns as they are stored, in the order of the newest schema; with `meta` Hudi's own first."""
        if not meta:
            return self._schema
        extra = META_COLUMNS if self.timeline.table.has_meta_fields else ()
        return pa.schema([*(pa.field(name, pa.string()) for name in extra), *self._schema])

    def merged(self, *, meta: bool = False) -> pa.Table:
        """Return the rows of the file groups that have log files, merged by hudi-rs.

        Raises
        ------
        HudiError
            hudi-rs cannot read a file slice; its base file is named.
        """
        schema = self.schema(meta=meta)
        tables = [as_schema(pa.Table.from_batches([batch]), schema) for batch in self._merged_batches()]
        return pa.concat_tables(tables) if tables else schema.empty_table()

    @cached_property
    def _schema(self) -> pa.Schema:
        for commit in reversed(self.timeline.commits):
            if commit.schema and commit.requested <= self._until:
                return _without_meta(arrow_schema(commit.schema))
        declared = self.timeline.table.raw.get("hoodie.table.create.schema")
        if declared:
            return _without_meta(arrow_schema(declared))
        files = [pq.read_schema(pa.OSFile(str(f))) for f in self.parquet_files]
        return _without_meta(pa.unify_schemas(files, promote_options="permissive")) if files else pa.schema([])

    def _merged_batches(self) -> list[pa.RecordBatch]:
        with_logs = [s for s in self.slices if s.logs]
        if not with_logs:
            return []
        from hudi import HudiTable  # loads a large native library: only for tables with log files

        try:
            reader = HudiTable(str(self.folder)).create_file_group_reader_with_options()
        except Exception as problem:  # hudi-rs has one error class for everything
            raise HudiError(f"hudi-rs cannot open {self.folder}: {problem}") from problem
        batches = []
        for one in with_logs:
            try:
                batches.append(reader.read_file_slice_from_paths(one.base.path, [log.path for log in one.logs]))
            except Exception as problem:
                raise HudiError(f"hudi-rs cannot merge {self.folder / one.base.path}: {problem}") from problem
        return batches


def open_snapshot(location: str | Path, *, as_of: datetime | date | str | None = None) -> Snapshot:
    """Open the Hudi table in a folder, now or as of a moment; check that every file of it is there with its size.

    Parameters
    ----------
    location : path
        The folder that holds .hoodie.
    as_of : datetime, date or str, optional
        A moment in UTC: the table as the commits begun until then left it. Text may be ISO 8601 or an instant of 14 or
        17 digits.

    Raises
    ------
    TableNotFoundError
        The folder is no Hudi table.
    HudiError
        A version or kind of table that is not read; a moment before the first commit or before what the cleaner kept.
    UnreadableFileError
        A file that the timeline names is missing or has another size.

    Examples
    --------
    >>> open_snapshot("lake/taxi/table_1", as_of="2026-11-23T21:59:00").instant            # doctest: +SKIP
    '20261123215858787'
    """
    snapshot = open_what_is_left(location, as_of=as_of)
    if snapshot.faults:
        raise UnreadableFileError(snapshot.faults[0].problem)
    return snapshot


def open_what_is_left(location: str | Path, *, as_of: datetime | date | str | None = None) -> Snapshot:
    """Open a table that may be damaged: `faults` names the files at fault, and the rows are those that are left.

    Only for finding out what damage did: with faults the rows are not the table. See `open_snapshot` for the rest.
    """
    timeline = load_timeline(location)
    until = _FOREVER if as_of is None else to_instant(as_of)
    if as_of is not None:
        _refuse_lost_past(timeline, until)
    return Snapshot(timeline, resolve_slices(timeline, until), until)


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give a table the columns of a schema: cast to its types, nulls where a column was added later."""
    columns = []
    for field in schema:
        if field.name in table.schema.names:
            column = table.column(field.name)
            columns.append(column if column.type == field.type else column.cast(field.type))
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=schema)


def read_base_file(file: Path, schema: pa.Schema) -> pa.Table:
    """Read a base file as columns of a schema.

    Raises
    ------
    UnreadableFileError
        The file is no whole Parquet file.
    """
    try:
        with pq.ParquetFile(pa.OSFile(str(file))) as parquet:
            names = set(parquet.schema_arrow.names)
            return as_schema(parquet.read(columns=[n for n in schema.names if n in names]), schema)
    except (OSError, pa.ArrowInvalid) as problem:
        raise UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore it.") from problem


def _without_meta(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f for f in schema if not f.name.startswith("_hoodie_")])


def _refuse_lost_past(timeline: Timeline, until: str) -> None:
    where = f"{timeline.table.folder} as of {until}"
    if timeline.retained_from and until < timeline.retained_from:
        raise HudiError(
            f"{where}: the cleaner kept files only from {timeline.retained_from} on, so part of the table as it was "
            "is gone. Give a later moment."
        )
    first = timeline.commits[0].requested if timeline.commits else ""
    if until < first or not first:
        raise HudiError(f"{where}: the first commit known is {first or 'none'}. Give a later moment.")
