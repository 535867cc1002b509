"""The lake's side of a validation: count, versions and rows of one table, over what is left of it if it is damaged."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from datalake_kit.cdc.cuts import ordered
from datalake_kit.cdc.explain import Fault
from datalake_kit.cdc.relation import Relation, joined, of_files, of_source, unreadable
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.engines.folder import SUFFIXES, partition_types
from datalake_kit.engines.types import duckdb_type
from datalake_kit.errors import DatalakeKitError, ParameterError, UnreadableFileError
from datalake_kit.hudi.base_files import part_batches
from datalake_kit.hudi.part_sql import reads_alike, select_part
from datalake_kit.hudi.rows import BATCH_ROWS, locate, written_name
from datalake_kit.hudi.slices import DataFile, FileSlice
from datalake_kit.hudi.slices import Fault as SliceFault
from datalake_kit.hudi.snapshot import Snapshot, open_what_is_left
from datalake_kit.sql import quote_identifier, split_name
from datalake_kit.storage import list_files

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

COMMIT = "_hoodie_commit_time"
DOCUMENTED_VERSION = 6  # Hudi 0.14 and 0.15


@dataclass(frozen=True)
class LakeSide:
    """One table of the lake. Made by `open_side`.

    Attributes
    ----------
    snapshot : Snapshot or None
        Of a Hudi table in a folder or on S3: what is left of it.
    files : tuple of Path or None
        Of a table of Parquet files in a folder: those that can be read.
    broken : tuple of Fault
        Of such a table: those that cannot.
    is_remote : bool
        Rows are asked of Athena in SQL; the snapshot of such a table gives its keys and commits, not its rows.
    around_sql : str
        Why rows are read from S3 by dk.hudi although the lake is on Athena; empty where they are not.
    """

    lake: Lake
    name: str
    format: str
    columns: tuple[str, ...]
    partition_columns: tuple[str, ...]
    snapshot: Snapshot | None
    folder: Path = Path()
    files: tuple[Path, ...] | None = None
    broken: tuple[Fault, ...] = field(default=())
    is_remote: bool = False
    around_sql: str = ""

    @property
    def record_keys(self) -> tuple[str, ...]:
        """The key columns that the table itself names; empty where it names none."""
        return self.snapshot.record_keys if self.snapshot else ()

    @property
    def ordering(self) -> str | None:
        """The column that says which version of a record is newer, where the table names one."""
        return self.snapshot.ordering_field if self.snapshot else None

    @property
    def commit(self) -> str:
        """The newest commit of a Hudi table."""
        return self.snapshot.instant if self.snapshot else ""

    @property
    def is_whole(self) -> bool:
        """Whether every file of the table is there, as far as the table can say."""
        return not self.broken and not (self.snapshot and self.snapshot.faults)

    @property
    def is_local(self) -> bool:
        """Whether the rows can be read as often as needed; else they are fetched once."""
        return not self.is_remote and (self.snapshot is not None or self.files is not None)

    def column(self, name: str | None) -> str | None:
        """The table's column of a name, in any case of letters."""
        same = [c for c in self.columns if name is not None and c.casefold() == name.casefold()]
        return (name if name in same else same[0]) if same else None

    def relation(self, work: Workspace) -> Relation:
        """The rows as SQL, of a damaged table those that are left."""
        if self.snapshot is not None and not self.is_remote:
            return _of_snapshot(work, self.snapshot)
        if self.files is not None:
            return self._of_files(work, self.files)
        reader = self.lake.table(self.name).batches()
        return of_files(work, [work.spool(reader.schema, reader, "lake")])

    def _of_files(self, work: Workspace, files: Sequence[Path]) -> Relation:
        kinds = {k: duckdb_type(t) for k, t in partition_types(self.folder, files).items()} if files else {}
        return of_files(work, files, hive=kinds)

    def versions(self, sequence: str) -> list[tuple[str, int]] | None:
        """Count the rows by sequence in the lake's SQL; None where the table has no such column."""
        name = self.column(sequence)
        if name is None:
            return None
        found = self.lake.query("cdc/rows_by_version", table=self.name, version=written_name(name.lower()))
        return [
            ("" if pd.isna(version) else ordered(str(version)), int(count))
            for version, count in zip(found["version"], found["row_count"], strict=True)
        ]

    def faults(self) -> list[Fault]:
        """The files of the table that are gone or cut, with the rows that each can account for."""
        if self.snapshot is None:
            return list(self.broken)
        return [_fault(self.snapshot, f.file, f.problem) for f in self.snapshot.faults]


def open_side(lake: Lake, name: str) -> LakeSide:
    """Open one table; a table in a folder is opened even when files of it are missing or cut short.

    Raises
    ------
    NotFoundError, DataError
        There is no such table, or nothing of it can be read.
    """
    full, table_format, location = locate(lake, name)
    if table_format == "hudi" and lake.root is not None:
        snapshot = _without_unreadable(open_what_is_left(location))
        names = tuple(snapshot.schema().names)
        return LakeSide(lake, full, table_format, names, snapshot.partition_fields, snapshot)
    if table_format == "parquet" and lake.root is not None:
        return _open_parquet(lake, full, Path(location))
    table = lake.table(full)
    names = tuple(c.name for c in table.columns)
    if table_format == "hudi":
        return _on_athena(lake, full, location, names)
    return LakeSide(lake, full, table_format, names, tuple(table.partition_columns), None, is_remote=True)


def _on_athena(lake: Lake, name: str, location: str, columns: tuple[str, ...]) -> LakeSide:
    """A Hudi table on S3: asked in SQL where Athena shows its newest snapshot, else read by dk.hudi."""
    snapshot = open_what_is_left(location)
    why = sql_leaves_out(snapshot) or ("files of its newest snapshot are gone or cut" if snapshot.faults else "")
    own = tuple(c for c in columns if not c.startswith("_hoodie_"))
    side = LakeSide(lake, name, "hudi", own, snapshot.partition_fields, snapshot, is_remote=True)
    return from_files(side, why) if why else side


def from_files(side: LakeSide, why: str) -> LakeSide:
    """The same Hudi table, its rows read from S3 instead of asked in SQL."""
    if side.snapshot is None:
        raise ParameterError(f"{side.name} is no Hudi table: its rows are read by SQL alone.")
    snapshot = _without_unreadable(side.snapshot)
    names = tuple(snapshot.schema().names)
    return replace(side, columns=names, snapshot=snapshot, is_remote=False, around_sql=why)


def sql_leaves_out(snapshot: Snapshot) -> str:
    """Why SQL on Athena does not show the newest snapshot of a Hudi table; empty where it does."""
    version = snapshot.table_version
    if snapshot.needs_merge:
        return "SQL on Athena shows a merge-on-read table read-optimised, without what lies in its log files"
    if version > DOCUMENTED_VERSION:
        return f"the table's version is {version}, and AWS documents none newer than {DOCUMENTED_VERSION} for Athena"
    return ""


def _open_parquet(lake: Lake, name: str, folder: Path) -> LakeSide:
    files = list_files(folder, suffixes=SUFFIXES)
    bad = unreadable(files)
    if not bad:
        table = lake.table(name)
        names, partitions = tuple(c.name for c in table.columns), tuple(table.partition_columns)
        return LakeSide(lake, name, "parquet", names, partitions, None, folder, tuple(files))
    sound = tuple(f for f in files if f not in bad)
    if not sound:
        raise UnreadableFileError(next(iter(bad.values())))
    faults = tuple(_broken(Path(str(f)), folder, problem) for f, problem in bad.items())
    side = LakeSide(lake, name, "parquet", (), (), None, folder, sound, faults)
    with Workspace() as work:
        names = side.relation(work).names
    return LakeSide(lake, name, "parquet", names, tuple(partition_types(folder, sound)), None, folder, sound, faults)


def _broken(file: Path, folder: Path, problem: str) -> Fault:
    path = file.relative_to(folder).as_posix()
    return Fault(path, "", path.rpartition("/")[0], 2**62, problem)  # how many rows it had is not known


def _without_unreadable(snapshot: Snapshot) -> Snapshot:
    """Leave out file groups whose newest base file has its size and is no Parquet file inside; they are at fault."""
    bases = {snapshot.folder / s.base.path: s for s in snapshot.slices if s.base_file}
    bad = unreadable(bases)
    if not bad:
        return snapshot
    left = copy.copy(snapshot)
    spoiled: dict[str, FileSlice] = {bases[f].base.path: bases[f] for f in bad}
    left.slices = tuple(s for s in snapshot.slices if s.files[0].path not in spoiled)
    left.faults = (*snapshot.faults, *(SliceFault(bases[f].base, problem) for f, problem in bad.items()))
    return left


def _of_snapshot(work: Workspace, snapshot: Snapshot) -> Relation:
    """Base files as they are where that gives their values; what is merged, or converted, batch by batch to a file."""
    whole = snapshot.schema(meta=True)
    wanted = pa.schema([*snapshot.schema(), *(f for f in whole if f.name == COMMIT)])
    parts = []
    for part in snapshot.parts:
        if reads_alike(part, wanted):
            plain = [f"c{i}" for i, _ in enumerate(wanted)]
            parts.append(of_source(work, f"({select_part(part, wanted, plain)}) AS base", wanted.names))
        else:
            batches = part_batches(part, wanted, whole.names, BATCH_ROWS)
            parts.append(of_files(work, [work.spool(wanted, batches, "converted")]))
    if snapshot.needs_merge:
        parts.append(of_files(work, [work.spool(wanted, _merged(snapshot, whole, wanted), "merged")]))
    if not parts:
        parts.append(of_files(work, [work.spool(wanted, iter(()), "empty")]))
    return joined(part for relation in parts for part in relation.parts)


def _merged(snapshot: Snapshot, whole: pa.Schema, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    for table in snapshot.merged_slices(whole):
        yield from table.select(wanted.names).to_batches()


def _fault(snapshot: Snapshot, file: DataFile, problem: str) -> Fault:
    commits = (c for c in snapshot.timeline.commits if c.requested == file.instant)
    stats = [s for c in commits for s in c.stats if s.path == file.path]
    touched = sum(s.inserts + s.updates + s.deletes for s in stats)
    return Fault(file.path, file.instant, file.partition, max(touched, sum(s.rows for s in stats)), problem)


# --- counts


def quoted(name: str) -> str:
    """A table's full name as SQL."""
    return ".".join(quote_identifier(part) for part in split_name(name))


def count_statement(names: Sequence[str]) -> str:
    """One statement that counts the rows of every table, in Athena's dialect."""
    parts = []
    for name in names:
        label = name.replace("'", "''")
        parts.append(f"SELECT '{label}' AS table_name, count(*) AS row_count FROM {quoted(name)}")
    return "\nUNION ALL\n".join(parts)


def row_counts(lake: Lake, tables: Iterable[str] | None = None) -> pd.DataFrame:
    """Count the rows of tables in one UNION ALL statement.

    Parameters
    ----------
    lake : Lake
    tables : list of str, optional
        `database.table` names; all tables of the lake without it.

    Returns
    -------
    pandas.DataFrame
        `table_name`, `row_count`, in the order given. `lake.last_query` has the statement and its statistics.

    Raises
    ------
    NotFoundError
        A table that is not there.
    UnreadableFileError
        A file of a table is missing or cut short; it is named.

    Examples
    --------
    >>> dk.cdc.row_counts(lake, ["taxi.table_1", "taxi.table_2"])        # doctest: +SKIP
    """
    if isinstance(tables, str):
        raise ParameterError(f"tables is a list of names, such as [{tables!r}].")
    names = all_names(lake) if tables is None else list(tables)
    if not names:
        return pd.DataFrame({"table_name": pd.Series(dtype="str"), "row_count": pd.Series(dtype="int64")})
    for name in names:
        lake.table(name)  # an error that names the nearest tables, before the statement
    found = lake.sql(count_statement(names)).set_index("table_name")
    return found.loc[names].reset_index()


def all_names(lake: Lake) -> list[str]:
    """Name every table of a lake as `database.table`, table_2 before table_10."""
    listed = lake.tables()
    names = (written_name(d, t) for d, t in zip(listed["database"], listed["table"], strict=True))
    return sorted(names, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    """table_2 before table_10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def counts_where_possible(lake: Lake, names: Sequence[str]) -> tuple[dict[str, int], dict[str, str], str]:
    """Count tables in one statement; if that fails, one by one. Gives counts, problems by table, and the statement."""
    statement = count_statement(names) if names else ""
    try:
        found = lake.sql(statement) if names else pd.DataFrame({"table_name": [], "row_count": []})
        return {str(n): int(c) for n, c in zip(found["table_name"], found["row_count"], strict=True)}, {}, statement
    except DatalakeKitError as problem:
        if len(names) == 1:
            return {}, {names[0]: str(problem)}, statement
    counts: dict[str, int] = {}
    problems: dict[str, str] = {}
    for name in names:
        one, bad, _ = counts_where_possible(lake, [name])
        counts |= one
        problems |= bad
    return counts, problems, statement
