"""How long it takes to say why keys differ: 100 change files of 1,000 rows over 200,000 keys, damaged in several ways.

    python benchmarks/cdc_explain.py

The limit is 3 s for one change file that was never processed. Also shown is how it grows: many files lost, partitions
that moved, rows that nothing explains, 300,000 changes. There is no peer: no other tool says
why. Keys are made and judged in memory; reading them is part of benchmarks/cdc_compare.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from random import Random

from datalake_kit.cdc.explain import Case, explain
from datalake_kit.cdc.pipeline import Version

LOADED, LIMIT = 200_000, 3.0


def versions_of(random: Random, files: int, rows: int, keys: int, partitions: int) -> dict[int, list[Version]]:
    """Every version of every key that a change touches: a third of the changes inserts, a fifth deletes."""
    found: dict[int, list[Version]] = {}
    for number in range(files * rows):
        file = 1 + number // rows
        draw = random.random()
        key = LOADED + number if draw < 0.33 else random.randrange(keys)
        operation = "I" if draw < 0.33 else "D" if draw < 0.53 else "U"
        if key not in found:
            found[key] = [Version(0, ("", 0, key), "L", key, (key % partitions,), "")] if key < LOADED else []
        sequence = f"20260301100000{number:021d}"
        place = (sequence, file, number % rows)
        partition = (random.randrange(partitions),)
        found[key].append(Version(file, place, operation, 10_000_000 + number, partition, sequence))
    return found


def left_of(versions: Sequence[Version], lost: Collection[int], by_partition: bool) -> Counter[int]:
    """What a pipeline leaves that looks for keys everywhere, or in their partition."""
    state: dict[object, Version] = {}
    for version in {v.file: v for v in versions if v.file not in lost}.values():
        slot = version.partition if by_partition else None
        state.pop(slot, None)
        if version.operation != "D":
            state[slot] = version
    return Counter(v.row for v in state.values())


def case(lost: Collection[int], *, files: int = 100, keys: int = LOADED, moves: bool = False, spoiled: int = 0) -> Case:
    """A table of which some files were never processed, and some rows spoiled."""
    random = Random(1)
    versions = versions_of(random, files, 1000, keys, 3 if moves else 1)
    lake = {key: left_of(v, lost, moves) for key, v in versions.items()}
    for key in random.sample(sorted(versions), spoiled):
        lake[key] = Counter({20_000_000 + key: 1})
    damaged = [key for key, v in versions.items() if lake[key] != left_of(v, (), False)]
    names = ["shop/orders/LOAD00000001.parquet"]
    names += [f"shop/orders/2026/03/01/20260301-10{n // 60:02d}{n % 60:02d}000.parquet" for n in range(files)]
    return Case(versions, lake, damaged, names, partition_names=["REGION"], arrived=[0])


def main() -> None:
    """Print the time of each kind of damage."""
    cases = {
        "one file of 100 never processed": case([37]),
        "the same, 20,000 hot keys": case([37], keys=20_000),
        "the run stopped in the middle": case(range(50, 101)),
        "every second file never processed": case(range(2, 101, 2)),
        "one file, and partitions that moved": case([37], keys=20_000, moves=True),
        "one file, and 10,000 rows that nothing explains": case([37], spoiled=10_000),
        "300,000 changes, the run stopped early": case(range(20, 301), files=300),
    }
    for name, one in cases.items():
        begun = time.perf_counter()
        found = explain(one)
        took = time.perf_counter() - begun
        told = sum(not e.text.startswith("unexplained") for e in found.values())
        limit = f" (limit {LIMIT:.0f} s)" if name.startswith("one file of") else ""
        print(f"{name}: {len(found):,} of {len(one.versions):,} keys differ, {told:,} explained, {took:.2f} s{limit}")


if __name__ == "__main__":
    main()
