"""Random worlds as files: many packed into one table, DMS files with keys of several kinds, lakes that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hudi_tables import CowTable
from tests.pipelines import Kept, leave
from tests.worlds import Row, World

SEQUENCE = "CDC_TIMESTAMP_SEQ"
_STEP = 1000  # ids of one world in a pack


def random_world(random: Random, *, tidy: bool, moves: bool, files: int, loads: int) -> World:
    """A small world, made faster than hypothesis makes one; a tidy one has no late, repeated or unnumbered changes."""
    value = iter(range(1000))
    parts = (1, 2, None) if moves else (1,)
    full: list[Row] = []
    for key in range(1, 9):
        copies = random.choice((0, 1, 1, 1) if tidy else (0, 1, 1, 1, 2))
        full += [("L", key, random.choice(parts), next(value), "") for _ in range(copies)]
    random.shuffle(full)
    changes: list[list[Row]] = []
    number = 100
    for _ in range(files):
        rows: list[Row] = []
        for _ in range(random.choice((0, 1, 3, 5))):
            key, part = random.randint(1, 10), random.choice(parts)
            for operation in random.choice(("I", "U", "U", "D", "D", "IDI", "UD", "DI")):
                number += 1
                late = not tidy and random.random() < 0.1
                sequence = "" if not tidy and random.random() < 0.05 else _sequence(number - 90 if late else number)
                rows.append((operation, key, part, next(value), sequence))
        if not tidy and changes and changes[-1] and random.random() < 0.2:
            rows.append(random.choice(changes[-1]))
        changes.append(rows)
    cut = sorted(random.randint(0, len(full)) for _ in range(loads - 1))
    bounds = [0, *cut, len(full)]
    parted = [tuple(full[a:b]) for a, b in pairwise(bounds)]
    return World((*parted, *(tuple(rows) for rows in changes)), loads)


def _sequence(number: int) -> str:
    return f"20260301100000{number:021d}"


def packed(worlds: Sequence[World]) -> World:
    """Many worlds in one table, apart by their keys; no two changes of it share a sequence."""
    files: list[list[Row]] = [[] for _ in worlds[0].files]
    for place, world in enumerate(worlds):
        for file, rows in zip(files, world.files, strict=True):
            file += [_moved(row, place) for row in rows]
    return World(tuple(tuple(rows) for rows in files), worlds[0].loads)


def _moved(row: Row, place: int) -> Row:
    operation, key, part, value, sequence = row
    apart = _sequence(int(sequence[14:]) * _STEP + place) if sequence else ""
    return operation, key + place * _STEP, part, value + place * _STEP, apart


@dataclass(frozen=True)
class Style:
    """How keys look ("int", "text" or "composite"), and from which file on there is one column more."""

    keys: str = "int"
    widened: int | None = None

    @property
    def names(self) -> list[str]:
        """The key columns."""
        return ["ID", "CODE"] if self.keys == "composite" else ["ID"]

    def key(self, number: int) -> Any:
        """A key as findings show it."""
        if self.keys == "composite":
            return number // 3, f"c{number % 3}"
        return f"k'{number:06d} é" if self.keys == "text" else number

    def table(self, rows: Iterable[Kept], *, wide: bool, wide_values: frozenset[int] = frozenset()) -> pa.Table:
        """Rows (key, partition, value, sequence) as columns; `wide_values` have a value in the added column."""
        listed = list(rows)
        keys = [self.key(r[0]) for r in listed]
        parts = [[k[i] for k in keys] for i in (0, 1)] if self.keys == "composite" else [keys]
        kinds = (
            [pa.int64(), pa.string()]
            if self.keys == "composite"
            else [pa.string() if self.keys == "text" else pa.int64()]
        )
        columns = {n: pa.array(v, t) for n, v, t in zip(self.names, parts, kinds, strict=True)}
        columns["PART"] = pa.array([r[1] for r in listed], pa.int64())
        columns["VALUE"] = pa.array([r[2] for r in listed], pa.int64())
        if wide:
            added = [r[2] * 10 if r[2] in wide_values else None for r in listed]
            columns["ADDED"] = pa.array(added, pa.int64())
        columns[SEQUENCE] = pa.array([r[3] for r in listed], pa.string())
        return pa.table(columns)

    def wide_values(self, world: World) -> frozenset[int]:
        """The values of the rows that have one in the added column."""
        if self.widened is None:
            return frozenset()
        return frozenset(row[3] for rows in world.files[self.widened :] for row in rows)


def write_staging(world: World, top: Path, style: Style) -> None:
    """Write the DMS files of a world below a staging folder; files without rows too."""
    for number, (rows, file) in enumerate(zip(world.files, world.dms_files(), strict=True)):
        wide = style.widened is not None and number >= style.widened
        table = style.table([r[1:] for r in rows], wide=wide, wide_values=style.wide_values(world))
        if number >= world.loads:
            table = table.add_column(0, "Op", pa.array([r[0] for r in rows], pa.string()))
        target = top / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target)


def write_parquet(world: World, lake: Sequence[Kept], folder: Path, style: Style) -> None:
    """Write a table of plain Parquet files that holds some rows."""
    folder.mkdir(parents=True)
    wide = style.widened is not None
    table = style.table(lake, wide=wide, wide_values=style.wide_values(world))
    half = table.num_rows // 2
    pq.write_table(table.slice(0, half), folder / "part-0.parquet")
    pq.write_table(table.slice(half), folder / "part-1.parquet")


def write_hudi(world: World, folder: Path, style: Style, without: Sequence[int] = ()) -> list[Kept]:
    """Write a Hudi table as a writer does that looks for keys in their partitions; each file is a commit."""
    table = CowTable(
        folder, keys=style.names, partition=["PART"], properties={"hoodie.table.precombine.field": SEQUENCE}
    )
    committed: dict[Kept, str] = {}
    rows: list[Kept] = []
    partitions: set[Any] = set()
    wide, values = style.widened is not None, style.wide_values(world)
    for number in range(len(world.files)):
        if number in without:
            continue
        later = range(number + 1, len(world.files))
        rows = leave(world.without(*without, *later), by_partition=True)
        instant = f"2026030112{number:02d}00000"  # after every file was written: none is lag
        committed |= {row: instant for row in rows if row not in committed}
        partitions |= {row[1] for row in rows}
        files = {}
        for part in sorted(partitions, key=str):
            own = [row for row in rows if row[1] == part]
            stored = style.table(own, wide=wide, wide_values=values)
            times = pa.array([committed[row] for row in own], pa.string())
            name = "__HIVE_DEFAULT_PARTITION__" if part is None else part
            files[f"PART={name}", f"f{name}"] = stored.append_column("_hoodie_commit_time", times)
        if files:
            table.commit(instant, files)
    return rows
