"""What a pipeline leaves of one key: staged versions put in place run by run, in one of the ways that pipelines have.

Pure: plain Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

Rows = Counter[int]  # rows of one key, each known by the number of its values


class Version(NamedTuple):
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
    forgets
        A delete leaves no mark, so an older change processed later brings the key back.
    """

    by_partition: bool = False
    late_wins: bool = False
    keeps_copies: bool = False
    forgets: bool = False


PLAIN = Pipeline()


@lru_cache(maxsize=64)
def pipelines(*, moves: bool, copies: bool, late: bool) -> tuple[Pipeline, ...]:
    """The ways that can matter for a key, the simplest first.

    `moves`: its versions lie in several partitions; `copies`: the full load has it several times; `late`: a later file
    has an older change.
    """
    orders = ((False, False), (True, False), (False, True)) if late else ((False, False),)
    parts, kept = (False, True) if moves else (False,), (False, True) if copies else (False,)
    ways = [Pipeline(p, order[0], c, order[1]) for c, order, p in product(kept, orders, parts)]
    return tuple(sorted(ways, key=lambda w: w.by_partition + w.late_wins + w.keeps_copies + w.forgets))


def replay_key(
    versions: Iterable[Version],
    pipeline: Pipeline,
    *,
    without: Collection[int] = (),
    historical: bool = False,
    last: int | None = None,
    runs: Sequence[int] | None = None,
) -> Rows:
    """Return the rows that a pipeline leaves of one key, run by run.

    `without` are files never processed, `last` a file that was processed after all others. `runs` gives the number of
    the run in which each file was processed: files of one run go in together, so only the last operation of a key among
    them counts. Without it each file is a run of its own.
    """
    state: dict[Any, list[Version]] = {}
    for batch in _batches(versions, without, last, runs):
        for version in batch if historical else _last_of(batch, pipeline):
            slot = version.partition if pipeline.by_partition else None
            place = (slot, version.sequence) if historical else slot
            held = state.get(place, [])
            if version.operation == "L" and pipeline.keeps_copies:
                state[place] = [*held, version]
            elif _is_newer(held, version, pipeline):
                continue
            else:  # a delete stays as a mark, so that an older change cannot bring the key back
                state[place] = [version] * (len(held) if held and pipeline.keeps_copies else 1)
    return Counter(v.row for rows in state.values() for v in rows if historical or v.operation != "D")


def _is_newer(held: Sequence[Version], version: Version, pipeline: Pipeline) -> bool:
    """Whether the row in place stays, because it is newer than the version that comes."""
    if not held or pipeline.late_wins or version.operation == "L" or version.place >= held[-1].place:
        return False
    return not (pipeline.forgets and held[-1].operation == "D")


def _batches(
    versions: Iterable[Version], without: Collection[int], last: int | None, runs: Sequence[int] | None
) -> list[list[Version]]:
    batches: dict[tuple[bool, int], list[Version]] = {}
    for version in versions:
        if version.file not in without:
            run = version.file if runs is None else runs[version.file]
            batches.setdefault((version.file == last, run), []).append(version)
    return [batches[run] for run in sorted(batches)]


def _last_of(batch: Sequence[Version], pipeline: Pipeline) -> Sequence[Version]:
    """Within one run only the last change of a key is processed; of a full load each row, or the last of a place."""
    if len(batch) == 1:
        return batch
    ordered = sorted(batch, key=lambda v: v.place)
    if ordered[-1].operation != "L" or not (pipeline.keeps_copies or pipeline.by_partition):
        return ordered[-1:]
    return ordered if pipeline.keeps_copies else list({v.partition: v for v in ordered}.values())
