"""The lake's side of a validation: count, versions and rows of one table, over what is left of it if it is damaged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from datalake_kit.cdc.compare import version_counts
from datalake_kit.cdc.explain import Fault
from datalake_kit.errors import DatalakeKitError, ParameterError
from datalake_kit.hudi.rows import locate, read_snapshot, written_name
from datalake_kit.hudi.slices import DataFile
from datalake_kit.hudi.snapshot import Snapshot, open_what_is_left
from datalake_kit.sql import quote_identifier, split_name

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

COMMIT = "_hoodie_commit_time"


@dataclass(frozen=True)
class LakeSide:
    """One table of the lake. Made by `open_side`."""

    lake: Lake
    name: str
    format: str
    columns: tuple[str, ...]
    partition_columns: tuple[str, ...]
    snapshot: Snapshot | None

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
        return not (self.snapshot and self.snapshot.faults)

    @cached_property
    def rows(self) -> pa.Table:
        """All rows, of a damaged Hudi table those that are left; Hudi's commit time is the only column of its own."""
        if self.snapshot is None:
            table = self.lake.table(self.name).arrow()
            return table.select([n for n in table.schema.names if not n.startswith("_hoodie_") or n == COMMIT])
        meta = [COMMIT] if self.snapshot.timeline.table.has_meta_fields else []
        return read_snapshot(self.snapshot, [*self.snapshot.schema().names, *meta])

    def versions(self, sequence: str) -> Counter[str] | None:
        """Count the rows by sequence; None where the table has no such column."""
        same = [c for c in self.columns if c.casefold() == sequence.casefold()]
        if not same:
            return None
        if not self.is_whole:
            return version_counts(self.rows.column(same[0]))
        found = self.lake.query("cdc/rows_by_version", table=self.name, version=written_name(same[0].lower()))
        counts: Counter[str] = Counter()
        for version, count in zip(found["version"], found["row_count"], strict=True):
            counts["" if pd.isna(version) else str(version)] += int(count)
        return counts

    def faults(self) -> list[Fault]:
        """The files of the table that are gone or cut, with the rows that each can account for."""
        if self.snapshot is None:
            return []
        return [_fault(self.snapshot, f.file, f.problem) for f in self.snapshot.faults]


def open_side(lake: Lake, name: str) -> LakeSide:
    """Open one table; a Hudi table in a folder is opened even when files of it are missing.

    Raises
    ------
    NotFoundError, DataError
        There is no such table, or nothing of it can be read.
    """
    full, table_format, location = locate(lake, name)
    if table_format == "hudi" and lake.root is not None:
        snapshot = open_what_is_left(location)
        names = tuple(snapshot.schema().names)
        return LakeSide(lake, full, table_format, names, snapshot.partition_fields, snapshot)
    table = lake.table(full)
    names = tuple(c.name for c in table.columns)
    return LakeSide(lake, full, table_format, names, tuple(table.partition_columns), None)


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
