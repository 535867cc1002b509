"""What a pipeline leaves of one key: staged versions put in place file by file, in one of the ways that pipelines have.

Pure: plain Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Rows = Counter[int]  # rows of one key, each known by the number of its values


@dataclass(frozen=True)
class Version:
    """One row of one key in a staged file. `row` is the same number for the same values."""

    file: int
    place: tuple[str, int, int]  # sequence, file, position in the file
    operation: str
    row: int
    partition: tuple[Any, ...] | None
    sequence: str


@dataclass(frozen=True)
class Pipeline:
    """How a pipeline puts a version in its place.

    by_partition
        A key is looked for in its version's partition only, so a row of another partition stays (Hudi's usual index).
    late_wins
        A file processed later overwrites, whatever the sequences say.
    keeps_copies
        The full load keeps several rows of one key, and changes hit all of them (bulk insert).
    """

    by_partition: bool = False
    late_wins: bool = False
    keeps_copies: bool = False


PIPELINES = (
    Pipeline(),
    Pipeline(by_partition=True),
    Pipeline(late_wins=True),
    Pipeline(by_partition=True, late_wins=True),
    Pipeline(keeps_copies=True),
    Pipeline(by_partition=True, keeps_copies=True),
)


def replay_key(
    versions: Iterable[Version],
    pipeline: Pipeline,
    *,
    without: Collection[int] = (),
    historical: bool = False,
    last: int | None = None,
) -> Rows:
    """Return the rows that a pipeline leaves of one key, file by file.

    `without` are files never processed, `last` a file that was processed after all others.
    """
    state: dict[Any, list[Version]] = {}
    for batch in _batches(versions, without, last):
        for version in batch if historical else _last_of(batch, pipeline):
            slot = version.partition if pipeline.by_partition else None
            place = (slot, version.sequence) if historical else slot
            held = state.get(place, [])
            if version.operation == "L" and pipeline.keeps_copies:
                state[place] = [*held, version]
            elif held and not pipeline.late_wins and version.place < held[-1].place and version.operation != "L":
                continue
            else:  # a delete stays as a mark, so that an older change cannot bring the key back
                state[place] = [version] * (len(held) if held and pipeline.keeps_copies else 1)
    return Counter(v.row for rows in state.values() for v in rows if historical or v.operation != "D")


def _batches(versions: Iterable[Version], without: Collection[int], last: int | None) -> list[list[Version]]:
    batches: dict[int, list[Version]] = {}
    for version in versions:
        if version.file not in without:
            batches.setdefault(version.file, []).append(version)
    return [batches[f] for f in sorted(batches, key=lambda f: (f == last, f))]


def _last_of(batch: Sequence[Version], pipeline: Pipeline) -> list[Version]:
    """Within one file only the last change of a key is processed; of a full load each row, or the last."""
    ordered = sorted(batch, key=lambda v: v.place)
    return ordered if ordered[-1].operation == "L" and pipeline.keeps_copies else ordered[-1:]
