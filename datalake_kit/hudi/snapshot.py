"""A Hudi table at one moment: which files are its rows, and its columns.

>>> snapshot = open_snapshot("lake/taxi/table_1")            # doctest: +SKIP
>>> snapshot.parquet_files, snapshot.needs_merge             # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cached_property

import pyarrow as pa

from datalake_kit.errors import HudiError, ParameterError, UnreadableFileError
from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.base_files import Part, footers, parts_of
from datalake_kit.hudi.commits import Timeline, load_timeline
from datalake_kit.hudi.evolution import Fit, fit
from datalake_kit.hudi.instants import TIMEZONE_PROPERTY, WriterZone, writer_zone
from datalake_kit.hudi.merging import merged_slices
from datalake_kit.hudi.path_values import path_values
from datalake_kit.hudi.properties import refuse_other_files
from datalake_kit.hudi.schema_history import refuse_renames
from datalake_kit.hudi.slices import Fault, FileSlice, Resolution, resolve_slices
from datalake_kit.storage import Place

VIEWS = ("snapshot", "read_optimized")

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
    as_of : str or None
        The instant asked for; None for now.
    view : str
        "snapshot" or "read_optimized".
    zone : WriterZone
        The time zone in which the instants count, and how it is known.
    uncommitted_files : tuple of Path
        Files in the folder that no complete commit vouches for. They are not read.
    """

    def __init__(
        self,
        timeline: Timeline,
        resolution: Resolution,
        until: str,
        *,
        zone: WriterZone | None = None,
        view: str = "snapshot",
    ) -> None:
        self.timeline = timeline
        self.as_of = None if until == _FOREVER else until
        self.view = view
        self.zone = zone or WriterZone(UTC, "UTC")
        self.slices: tuple[FileSlice, ...] = resolution.slices
        self.faults: tuple[Fault, ...] = resolution.faults
        self._until = until
        self.instant = max((c.requested for c in timeline.commits if c.requested <= until), default="")
        self.uncommitted_files = tuple(timeline.table.folder / s for s in resolution.strays)

    def __repr__(self) -> str:
        return f"<Snapshot of {self.table_name} as of {self.instant or 'no commit'}: {len(self.slices)} file groups>"

    @property
    def folder(self) -> Place:
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
    def parquet_files(self) -> tuple[Place, ...]:
        """Base files without log files over them: they can be read as they are."""
        return tuple(self.folder / s.base.path for s in self.slices if not s.logs)

    @property
    def needs_merge(self) -> bool:
        """Whether some base file has log files over it."""
        return any(s.logs for s in self.slices)

    @property
    def all_files(self) -> tuple[Place, ...]:
        """Every file that holds rows of the snapshot, base files and log files."""
        return tuple(self.folder / f.path for s in self.slices for f in s.files)

    def schema(self, *, meta: bool = False) -> pa.Schema:
        """Return the columns as they are stored, in the order of the newest schema; with `meta` Hudi's own first."""
        if not meta:
            return self._schema
        extra = META_COLUMNS if self.timeline.table.has_meta_fields else ()
        return pa.schema([*(pa.field(name, pa.string()) for name in extra), *self._schema])

    @cached_property
    def parts(self) -> list[Part]:
        """The base files without log files, those that are stored alike together.

        Raises
        ------
        UnreadableFileError
            A file is gone or no whole Parquet file.
        HudiError
            The files leave the partition columns out and their paths do not give the values back.
        """
        table = self.timeline.table
        plain = [s for s in self.slices if not s.logs]
        values = {p: path_values(table, p, self._schema) for p in {s.partition for s in plain}}
        return parts_of((self.folder / s.base.path, values[s.partition]) for s in plain)

    def merged(self, *, meta: bool = False) -> pa.Table:
        """Return the rows of the file groups that have log files, merged by the rule of the table.

        Raises
        ------
        HudiError
            Log files that are merged by a rule, or hold blocks, that are not read; the table or file is named.
        """
        schema = self.schema(meta=meta)
        tables = list(self.merged_slices(schema))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def merged_slices(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Give the rows of each file group that has log files, merged; raises as `merged`."""
        return merged_slices(self.timeline.table, [s for s in self.slices if s.logs], schema)

    @cached_property
    def _schema(self) -> pa.Schema:
        if any(c.evolves_by_number and c.requested <= self._until for c in self.timeline.commits):
            refuse_renames(self.timeline.table, self._until)
        for commit in reversed(self.timeline.commits):
            if commit.schema and commit.requested <= self._until:
                return _without_meta(arrow_schema(commit.schema))
        declared = self.timeline.table.raw.get("hoodie.table.create.schema")
        if declared:
            return _without_meta(arrow_schema(declared))
        newest = sorted((s for s in self.slices if not s.logs), key=lambda s: s.base.instant, reverse=True)
        return _without_meta(_of_files([f.schema for f in footers([self.folder / s.base.path for s in newest])]))


def open_snapshot(
    location: str | Place,
    *,
    as_of: datetime | date | str | None = None,
    timezone: str | None = None,
    view: str = "snapshot",
) -> Snapshot:
    """Open a Hudi table, now or as of a moment; check that every file of it is there with its size.

    Parameters
    ----------
    location : path
        The folder that holds .hoodie, local or on S3.
    as_of : datetime, date or str, optional
        A moment: the table as the commits begun until then left it. A time without a zone is in UTC. Text may be ISO
        8601, or an instant of 14 or 17 digits, which is taken as it is.
    timezone : str, optional
        The zone in which the writer wrote the instants, such as "Europe/Athens" or "+02:00"; without it the table's
        property counts, and UTC where that says LOCAL or nothing.
    view : {"snapshot", "read_optimized"}
        All rows, or those of the base files alone, without what log files changed.

    Raises
    ------
    TableNotFoundError
        The folder is no Hudi table.
    HudiError
        A version or kind of table that is not read; a moment before the first commit or before what the cleaner kept.
    UnreadableFileError
        A file that the timeline names is missing or has another size.
    ParameterError
        No such view or time zone.

    Examples
    --------
    >>> open_snapshot("lake/taxi/table_1", as_of="2026-11-23T21:59:00").instant            # doctest: +SKIP
    '20261123215858787'
    """
    snapshot = open_what_is_left(location, as_of=as_of, timezone=timezone, view=view)
    if snapshot.faults:
        raise UnreadableFileError(snapshot.faults[0].problem)
    return snapshot


def open_what_is_left(
    location: str | Place,
    *,
    as_of: datetime | date | str | None = None,
    timezone: str | None = None,
    view: str = "snapshot",
) -> Snapshot:
    """Open a table that may be damaged: `faults` names the files at fault, and the rows are those that are left.

    Only for finding out what damage did: with faults the rows are not the table. See `open_snapshot` for the rest.
    """
    if view not in VIEWS:
        raise ParameterError(f"view={view!r} is none of {', '.join(map(repr, VIEWS))}.")
    if timezone is not None:
        writer_zone(timezone)  # refused before anything is read
    timeline = load_timeline(location)
    return snapshot_of(timeline, as_of=as_of, timezone=timezone, view=view)


def snapshot_of(
    timeline: Timeline,
    *,
    as_of: datetime | date | str | None = None,
    timezone: str | None = None,
    view: str = "snapshot",
) -> Snapshot:
    """Return a snapshot of a timeline that is loaded; see `open_what_is_left`."""
    refuse_other_files(timeline.table)
    zone = writer_zone(timezone, timeline.table.raw.get(TIMEZONE_PROPERTY, ""))
    until = _FOREVER if as_of is None else zone.instant(as_of)
    if as_of is not None:
        _refuse_lost_past(timeline, until)
    found = resolve_slices(timeline, until, base_only=view == "read_optimized")
    return Snapshot(timeline, found, until, zone=zone, view=view)


def _of_files(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns of files, newest first, each once whatever its case of letters, in the widest type."""
    found: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            key = next((k for k in found if k.casefold() == field.name.casefold()), field.name)
            known = found.setdefault(key, field)
            if fit(field.type, known.type) > Fit.ALWAYS and fit(known.type, field.type) is Fit.ALWAYS:
                found[key] = known.with_type(field.type)
    return pa.schema(list(found.values()))


def _without_meta(schema: pa.Schema) -> pa.Schema:
    return pa.schema([f for f in schema if not f.name.startswith("_hoodie_")])


def _refuse_lost_past(timeline: Timeline, until: str) -> None:
    where = f"{timeline.table.folder} as of {until}"
    if timeline.retained_from and until < timeline.retained_from:
        raise HudiError(
            f"{where}: the cleaner kept files only from {timeline.retained_from} on, so part of the table as it was "
            "is gone. Give a later moment."
        )
    if not timeline.commits:
        raise HudiError(f"{where}: the table has no commit yet, so it has no past. Leave as_of out.")
    first = timeline.commits[0].requested
    if until < first:
        raise HudiError(f"{where}: the first commit known is {first}. Give a later moment.")
