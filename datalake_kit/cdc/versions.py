"""The versions of the keys in question, taken out of SQL for an explanation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from datalake_kit.cdc.canonical import Form
from datalake_kit.cdc.compare import Aligned, Comparison
from datalake_kit.cdc.details import Difference, plain_key
from datalake_kit.cdc.explain import Case, Fault
from datalake_kit.cdc.ordering import Ordering, sequence_text
from datalake_kit.cdc.pipeline import Version
from datalake_kit.cdc.relation import Relation

MOST_VERSIONS = 3_000_000  # beyond it only the keys that differ are looked at, and no file can be said to be missing
_OTHER = 1 << 64  # added to the number of a row that is not as expected though its exact columns are


@dataclass(frozen=True)
class Known:
    """What is known of the lake's table beside its rows."""

    partition_columns: Sequence[str] = ()
    faults: Sequence[Fault] = ()
    last_commit: str = ""
    pending: Sequence[Fault] = ()
    landed: Sequence[Any] = ()
    processed: Sequence[bool | None] = ()
    lake: Relation | None = None
    commit_column: str | None = None
    sequence_column: str | None = None
    mask: Collection[str] = ()


def case_of(
    ordering: Ordering, comparison: Comparison, found: Sequence[Difference], known: Known, waiting: str = ""
) -> Case:
    """Gather the versions of every key that a change touches or that differs, and what the lake has of them.

    `waiting` is a table of ids of keys that differ only until a file is processed.
    """
    gathered = _Gathering(ordering, comparison, known)
    versions, sound = gathered.versions()
    lake: dict[Any, Counter[int]] = dict(sound)
    lake |= gathered.waiting(waiting)
    for one in found:
        same = one.kind == "changed" and one.expected == one.lake  # they differ in a column with a tolerance
        lake[one.key] = Counter(n + _OTHER if same else n for n in one.lake)
    return Case(
        versions=versions,
        lake=lake,
        damaged=[one.key for one in found],
        file_names=[f.name for f in ordering.staged.files],
        historical=ordering.mode == "H",
        partition_names=gathered.partitions,
        masked=tuple(known.mask),
        faults=known.faults,
        known_files=gathered.known_files(),
        arrived=gathered.arrived(),
        landed=known.landed,
        processed=known.processed,
        commits=gathered.commits(),
        last_commit=known.last_commit,
        pending=known.pending,
        null_ordering=gathered.null_ordering(),
    )


class _Gathering:
    def __init__(self, ordering: Ordering, comparison: Comparison, known: Known) -> None:
        self._ordering, self._comparison, self._known = ordering, comparison, known
        self._work = ordering.work
        self.partitions = [n for p in known.partition_columns if (n := ordering.relation.find(p)) is not None]
        self._record = record_columns(ordering)
        self._keys = [column.split(" AS ")[1] for column in self._record]
        self._ask()

    def _ask(self) -> None:
        """Make `asked`: the staged rows of the keys in question, and whether each stands."""
        record, keys = ", ".join(self._record), ", ".join(self._keys)
        name = self._comparison.name
        touched = f"SELECT DISTINCT {record} FROM ordered WHERE {self._candidates()}"
        self._work.run(f"CREATE OR REPLACE TABLE asked_keys AS SELECT {keys} FROM {name}_keys UNION ({touched})")
        stands = "version" if self._ordering.mode == "H" else "latest"
        rows = f"SELECT {record}, file, pos, op, seq, h, {{stands}} AS stands FROM {{source}} "
        both = (
            rows.format(stands="true", source=f"staged ANTI JOIN touched USING ({self._ordering.k})")
            + "UNION ALL "
            + rows.format(stands=stands, source="ordered")
        )
        self._work.run(f"CREATE OR REPLACE TABLE asked AS SELECT * FROM ({both}) SEMI JOIN asked_keys USING ({keys})")

    def _candidates(self) -> str:
        """Which rows say that their key is in question: all of keys that were ordered, unless there are very many."""
        return "true" if self._work.value("SELECT count(*) FROM ordered") <= MOST_VERSIONS else "false"

    def versions(self) -> tuple[dict[Any, list[Version]], dict[Any, Counter[int]]]:
        """The versions by key, and the rows that a sound lake has of each."""
        columns = f"{', '.join(f'a.{k}' for k in self._keys)}, a.file, a.pos, a.op, a.seq, a.h, a.stands"
        places = self._places()
        partitions = "".join(f", p.p{i}" for i, _ in enumerate(self.partitions))
        joined = f"LEFT JOIN ({places}) AS p ON p.file = a.file AND p.pos = a.pos" if self.partitions else ""
        found = self._work.run(f"SELECT {columns}{partitions} FROM asked AS a {joined} ORDER BY a.file, a.pos")
        width = len(self._keys)
        versions: dict[Any, list[Version]] = {}
        sound: dict[Any, Counter[int]] = {}
        while rows := found.fetchmany(50_000):
            for row in rows:
                key = row[0] if width == 1 else row[:width]
                file, position, operation, sequence, number, stands = row[width : width + 6]
                first = "" if operation == "L" else sequence
                where = row[width + 6 :]
                partition = None if all(v is None or v == "" for v in where) else where
                version = Version(file, (first, file, position), operation, number, partition, first)
                versions.setdefault(key, []).append(version)
                if stands:
                    sound[key] = Counter({number: 1})
        return versions, sound

    def _places(self) -> str:
        """The SQL of the partition values of the rows asked for."""
        ordering, parts = self._ordering, []
        forms = {name: ordering.relation.form(name) or Form("text") for name in self.partitions}
        for part in ordering.relation.parts:
            file, position, _ = ordering.staged.origin(part)
            values = ", ".join(f"{part.write(forms[n], n)} AS p{i}" for i, n in enumerate(self.partitions))
            parts.append(
                f"SELECT CAST({file} AS INTEGER) AS file, CAST({position} AS BIGINT) AS pos, {values} "
                f"FROM {part.source}"
            )
        return f"SELECT * FROM ({' UNION ALL '.join(parts)}) SEMI JOIN asked USING (file, pos)"

    def waiting(self, ids: str) -> dict[Any, Counter[int]]:
        """What the lake has of the keys that wait for a file."""
        if not ids:
            return {}
        name, keys = self._comparison.name, ", ".join(f"k.{k}" for k in self._keys)
        found = self._work.rows(
            f"SELECT {keys}, list(f.h) FILTER (f.h IS NOT NULL) FROM {name}_keys AS k SEMI JOIN {ids} USING (id) "
            f"LEFT JOIN {name}_found AS f USING (id) GROUP BY {keys}"
        )
        return {plain_key(row[:-1]): Counter(row[-1] or ()) for row in found}

    def known_files(self) -> frozenset[int]:
        """The files of which every row is among the versions."""
        there = self._ordering.counts_by_file("staged")
        asked = self._ordering.counts_by_file("asked")
        return frozenset(n for n, (a, b) in enumerate(zip(there, asked, strict=True)) if a == b)

    def arrived(self) -> frozenset[int]:
        """The files of which the lake has rows of keys that nobody asks for."""
        record, keys = ", ".join(self._record), ", ".join(self._keys)
        rows = f"SELECT {record}, file FROM staged ANTI JOIN touched USING ({self._ordering.k})"
        found = self._work.rows(f"SELECT DISTINCT file FROM ({rows}) ANTI JOIN asked_keys USING ({keys})")
        return frozenset(file for (file,) in found)

    def commits(self) -> list[str]:
        """The commit by which each file's rows came into the lake, as the rows left of it tell."""
        known, files = self._known, self._ordering.staged.files
        if known.lake is None or known.commit_column is None or known.sequence_column is None:
            return []
        commit, sequence = known.commit_column, known.sequence_column
        rows = known.lake.select(
            lambda part: (
                f"{sequence_text(part, sequence)} AS seq, CAST({part.column(commit)[0]} AS VARCHAR) AS committed"
            )
        )
        found = dict(
            self._work.rows(
                f"SELECT o.file, max(r.committed) FROM ({rows}) AS r "
                "JOIN (SELECT seq, max(file) AS file FROM ordered WHERE op <> 'L' AND seq <> '' GROUP BY seq) AS o "
                "USING (seq) GROUP BY o.file"
            )
        )
        loads = [n for n, f in enumerate(files) if f.kind == "full load"]
        if len(loads) == 1:
            found |= {loads[0]: self._work.value(f"SELECT max(committed) FROM ({rows}) WHERE seq = ''")}
        return [str(found.get(n) or "") for n, _ in enumerate(files)]

    def null_ordering(self) -> frozenset[int]:
        """The files with NULL in the column that orders changes."""
        name = self._ordering.staged.sequence
        if name is None:
            return frozenset()
        found: set[int] = set()
        for part in self._ordering.relation.parts:
            file = self._ordering.staged.origin(part)[0]
            nulls = f"SELECT DISTINCT {file} FROM {part.source} WHERE {part.column(name)[0]} IS NULL"
            found |= {int(number) for (number,) in self._work.rows(nulls)}
        return frozenset(found)


def record_columns(ordering: Ordering) -> list[str]:
    """The SQL of the columns that identify a row of the expected state, named r0, r1, ..."""
    names = [f"k{i}" for i, _ in enumerate(ordering.keys)]
    if ordering.mode == "H":
        names.append("seq")
    return [f"{name} AS r{i}" for i, name in enumerate(names)]


def newest_commits(comparison: Comparison, aligned: Aligned, lake: Relation, column: str | None) -> dict[int, str]:
    """The newest commit of the lake's rows of each key that differs."""
    if column is None:
        return {}
    keys = lake.select(
        lambda part: (
            ", ".join(f"{p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            + f", CAST({part.column(column)[0]} AS VARCHAR) AS committed"
        )
    )
    found = comparison.work.rows(
        f"SELECT d.id, max(s.committed) FROM ({keys}) AS s JOIN {comparison.name}_keys AS d "
        f"ON {comparison.same_key('s', 'd')} GROUP BY d.id"
    )
    return {number: commit for number, commit in found if commit}


__all__ = ["Known", "case_of", "newest_commits", "record_columns"]
