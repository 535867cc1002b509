"""Pipelines played in plain Python over the files of a random world, what they leave, and cases to explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from datalake_kit.cdc.explain import Case
from datalake_kit.cdc.pipeline import Version
from tests.worlds import Row, World, expected_rows

Kept = tuple[Any, ...]  # key, partition, value, sequence
_Placed = tuple[tuple[str, int, int], Row]


def leave(
    world: World,
    runs: Sequence[Sequence[int]] | None = None,
    *,
    by_partition: bool = False,
    late_wins: bool = False,
    copies: bool = False,
) -> list[Kept]:
    """What a pipeline leaves that processes files run by run, each in its own without `runs`.

    A change is looked for by its key, `by_partition` in its own partition only. Rows of the full load replace each
    other, or all stay as `copies`. The newer sequence wins, or with `late_wins` what comes later. A delete
    leaves nothing.
    """
    table: list[_Placed] = []
    for run in runs if runs is not None else [[n] for n in range(len(world.files))]:
        batch = [((r[4], n, p), r) for n in run for p, r in enumerate(world.files[n])]
        for placed in _load([b for b in batch if b[1][0] == "L"], by_partition, copies):
            if not copies:
                table = [held for held in table if not _same(held, placed, by_partition)]
            table.append(placed)
        for placed in {b[1][1]: b for b in sorted(batch, key=lambda b: b[0]) if b[1][0] != "L"}.values():
            table = _change(table, placed, by_partition, late_wins)
    return sorted((row[1:] for _, row in table), key=repr)


def _load(batch: Sequence[_Placed], by_partition: bool, copies: bool) -> Iterable[_Placed]:
    if copies:
        return batch
    return {(b[1][1], b[1][2] if by_partition else None): b for b in batch}.values()


def _same(held: _Placed, placed: _Placed, by_partition: bool) -> bool:
    return held[1][1] == placed[1][1] and (not by_partition or held[1][2] == placed[1][2])


def _change(table: list[_Placed], placed: _Placed, by_partition: bool, late_wins: bool) -> list[_Placed]:
    same = [held for held in table if _same(held, placed, by_partition)]
    if not late_wins and any(held[0] > placed[0] and held[1][0] != "L" for held in same):
        return table
    rest = [held for held in table if not _same(held, placed, by_partition)]
    return rest if placed[1][0] == "D" else [*rest, *([placed] * max(1, len(same)))]


def rows_by_key(rows: Iterable[Kept]) -> dict[Any, list[Kept]]:
    """Rows of each key, sorted."""
    groups: dict[Any, list[Kept]] = {}
    for row in sorted(rows, key=repr):
        groups.setdefault(row[0], []).append(row)
    return groups


def kinds(expected: Iterable[Kept], lake: Iterable[Kept]) -> dict[Any, str]:
    """What is wrong with each key, by the definitions."""
    ours, theirs = rows_by_key(expected), rows_by_key(lake)
    told = {}
    for key in ours.keys() | theirs.keys():
        e, there = ours.get(key, []), theirs.get(key, [])
        if len(there) > 1:
            told[key] = "duplicate"
        elif e != there:
            told[key] = "missing" if not there else "changed" if e else "extra"
    return told


def case_of(world: World, lake: Iterable[Kept], **fields: Any) -> Case:
    """What `explain` is given of a world (mode S) whose table holds some rows."""
    numbers: dict[Kept, int] = {}
    versions: dict[Any, list[Version]] = {}
    for n, rows in enumerate(world.files):
        for p, row in enumerate(rows):
            number = numbers.setdefault(row[1:], len(numbers))
            partition = None if row[2] is None else (row[2],)
            versions.setdefault(row[1], []).append(Version(n, (row[4], n, p), row[0], number, partition, row[4]))
    there: dict[Any, Counter[int]] = {}
    for row in lake:
        there.setdefault(row[0], Counter())[numbers.setdefault(row, len(numbers))] += 1
    names = [f.name for f in world.dms_files()]
    damaged = kinds(expected_rows(world, "S"), lake)
    return Case(versions, there, sorted(damaged), names, partition_names=("PART",), **fields)
