"""Random replicated tables: full loads and change files with everything that goes wrong in them, and plain oracles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from datalake_kit.cdc.dms import FILE, OP, POSITION, DmsFile

Row = tuple[str, int, int | None, int, str]  # operation, key, partition, value, sequence

SCHEMA = pa.schema(
    [
        ("ID", pa.int64()),
        ("PART", pa.int64()),
        ("VALUE", pa.int64()),
        ("CDC_TIMESTAMP_SEQ", pa.string()),
    ]
)


@dataclass(frozen=True)
class World:
    """Files of one table in order: the rows of the full load first, then those of each change file.

    The full load is `loads` files; most worlds have one.
    """

    files: tuple[tuple[Row, ...], ...]
    loads: int = 1

    @property
    def full(self) -> list[Row]:
        """The rows of the full load."""
        return [row for rows in self.files[: self.loads] for row in rows]

    @property
    def changes(self) -> list[tuple[str, int, int, Row]]:
        """Change rows with what orders them: sequence, file, position."""
        numbered = list(enumerate(self.files))[self.loads :]
        return [(r[4], f, p, r) for f, rows in numbered for p, r in enumerate(rows)]

    def without(self, *numbers: int) -> World:
        """The same world with some files never written."""
        return World(tuple(() if n in numbers else rows for n, rows in enumerate(self.files)), self.loads)

    def only(self, key: int) -> World:
        """The same world with the rows of one key alone."""
        return World(tuple(tuple(r for r in rows if r[1] == key) for rows in self.files), self.loads)

    def dms_files(self) -> tuple[DmsFile, ...]:
        """The DMS files of the world."""
        return tuple(file(n, self.loads) for n in range(len(self.files)))

    def staged(self) -> Any:
        """The files as `read_staged` gives them."""
        from datalake_kit.cdc.staged import StagedTable

        found = [(n, p, r) for n, rows in enumerate(self.files) for p, r in enumerate(rows)]
        table = rows_table([r for _, _, r in found])
        table = table.append_column(FILE, pa.array([n for n, _, _ in found], pa.int32()))
        table = table.append_column(POSITION, pa.array([p for _, p, _ in found], pa.int64()))
        table = table.append_column(OP, pa.array([r[0] for _, _, r in found], pa.string()))
        return StagedTable(self.dms_files(), table, "CDC_TIMESTAMP_SEQ")


def file(number: int, loads: int = 1) -> DmsFile:
    """The DMS file of a number; 0 is the full load, and with several files of it those after."""
    if number < loads:
        name = f"s/t/LOAD{number + 1:08X}.parquet"
        return DmsFile(Path(name), name, "s", "t", "full load", None)
    minute = number - loads + 1
    name = f"s/t/2026/03/01/20260301-10{minute:02d}00000.parquet"
    return DmsFile(Path(name), name, "s", "t", "change", datetime(2026, 3, 1, 10, minute, tzinfo=UTC))


def rows_table(rows: Iterable[Row]) -> pa.Table:
    """Rows as the source's columns and the sequence."""
    listed = list(rows)
    columns = ([r[i] for r in listed] for i in (1, 2, 3, 4))
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def as_rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows of a table, sorted."""
    return sorted(zip(*(table.column(n).to_pylist() for n in SCHEMA.names), strict=True), key=repr)


# --- oracles


def expected_rows(world: World, mode: str) -> list[tuple[Any, ...]]:
    """What the table should hold, by the definition and nothing else."""
    full: dict[int, Row] = {r[1]: r for r in world.full}
    ordered = [r for *_, r in sorted(world.changes, key=lambda c: c[:3])]
    if mode == "S":
        last = {r[1]: r for r in ordered}
        kept = [r for k, r in full.items() if k not in last] + [r for r in last.values() if r[0] != "D"]
    else:
        versions = {(r[1], r[4]): r for r in [*(full[k] for k in full), *ordered]}
        kept = list(versions.values())
    return sorted((r[1:] for r in kept), key=repr)


def runs(world: World) -> list[tuple[int, int, int]]:
    """Inserts, updates and deletes of each file in mode S."""
    alive: set[int] = set()
    told = []
    for rows in world.files:
        last: dict[int, Row] = {}
        for p, row in sorted(enumerate(rows), key=lambda x: (x[1][4], x[0])):
            del p
            last[row[1]] = row
        new = {k for k, r in last.items() if r[0] != "D"}
        gone = {k for k, r in last.items() if r[0] == "D"}
        told.append((len(new - alive), len(new & alive), len(gone & alive)))
        alive = (alive | new) - gone
    return told


def hudi_rows(files: Sequence[Sequence[Row]], *, by_partition: bool) -> list[tuple[Any, ...]]:
    """What a Hudi pipeline leaves that takes one file a run, with its usual index or a global one."""
    state: dict[Any, Row] = {}
    for rows in files:
        last: dict[int, Row] = {}
        for _, row in sorted(enumerate(rows), key=lambda x: (x[1][4], x[0])):
            last[row[1]] = row
        for key, row in last.items():
            slot = (key, row[2]) if by_partition else key
            if row[0] == "D":
                state.pop(slot, None)
            else:
                state[slot] = row
    return sorted((r[1:] for r in state.values()), key=repr)


# --- worlds


@st.composite
def worlds(
    draw: st.DrawFn, *, tidy: bool = False, moves: bool = True, most_files: int = 4, most_loads: int = 1
) -> World:
    """A full load and some change files. A tidy world has no late, repeated or unnumbered changes."""
    keys = st.integers(1, 8)
    parts = st.sampled_from([1, 2, None]) if moves else st.just(1)
    loaded = draw(st.lists(st.tuples(keys, parts), max_size=10, unique_by=(lambda r: r[0]) if tidy else None))
    value = iter(range(1000))
    full = [("L", k, p, next(value), "") for k, p in loaded]
    loads = draw(st.integers(1, most_loads))
    cuts = [0, *sorted(draw(st.integers(0, len(full))) for _ in range(loads - 1)), len(full)]
    shapes = draw(st.lists(st.lists(st.tuples(st.sampled_from("IUD"), keys, parts), max_size=6), max_size=most_files))
    shapes = [_churned(draw, rows) for rows in shapes]
    number = iter(range(101, 1000))
    files = [tuple((o, k, p, next(value), _sequence(next(number))) for o, k, p in rows) for rows in shapes]
    if not tidy:
        files = [tuple(_untidy(draw, r, files) for r in rows) for rows in files]
    return World((*(tuple(full[a:b]) for a, b in pairwise(cuts)), *files), loads)


def _churned(draw: st.DrawFn, rows: list[tuple[str, int, int | None]]) -> list[tuple[str, int, int | None]]:
    """Now and then insert, delete and insert one key again within a file."""
    if not rows or draw(st.integers(0, 7)):
        return rows
    key, part = rows[0][1:]
    return [*rows, ("I", key, part), ("D", key, part), ("I", key, part)]


def _sequence(number: int) -> str:
    return f"20260301100000{number:021d}"


def _untidy(draw: st.DrawFn, row: Row, files: Sequence[Sequence[Row]]) -> Row:
    kind = draw(st.sampled_from(["as it is"] * 6 + ["late", "unnumbered", "repeated"]))
    if kind == "late":
        return (*row[:4], _sequence(draw(st.integers(1, 100))))
    if kind == "unnumbered":
        return (*row[:4], "")
    others = [r for rows in files for r in rows if r[1] == row[1]]
    return draw(st.sampled_from(others)) if kind == "repeated" and others else row
