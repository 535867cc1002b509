"""Files that were never processed: the fewest whose absence leaves what the lake has, against no sound key.

A file of which the lake has a row was processed. Of the others those are kept whose absence no sound key contradicts,
then those are dropped again that no key needs. Pure: plain Python.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

from datalake_kit.cdc.explain.bench import Bench, Shape

_MOST_FILES = 4  # of a sound key of which every combination is tried
_ROUNDS = 8
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Withheld:
    """Files never processed, and the shapes that this explains, each with the files that it needs."""

    files: frozenset[int] = _NONE
    needed: dict[Shape, frozenset[int]] = field(default_factory=dict)
    stopped: bool = False

    def weight(self, bench: Bench) -> int:
        """How many open keys it explains."""
        return sum(bench.open.get(shape, 0) for shape in self.needed)


def find_withheld(bench: Bench) -> Withheld:
    """Find the files that were never processed, if there are any."""
    candidates = bench.untraced
    touched = {shape for shape in bench.open if shape.files & candidates}
    if not touched:
        return Withheld()
    search = _Search(bench, candidates)
    files = search.best()
    stop = search.stop(files)
    files = stop or files
    needed = {s: n for s in touched if s.files & files and (n := search.needed(s, files)) is not None}
    together = frozenset(f for own in needed.values() for f in own)
    if not needed or search.against(files):
        return Withheld()
    if search.against(together) or search.gain(together) < search.gain(files):
        needed = dict.fromkeys(needed, files)
    return Withheld(files, needed, bool(stop))


class _Search:
    def __init__(self, bench: Bench, candidates: frozenset[int]) -> None:
        self._bench = bench
        self._candidates = candidates
        self._damaged = {s: n for s, n in bench.open.items() if s.files & candidates}
        self._sound = bench.sound(candidates)
        self._by_file: dict[int, tuple[list[Shape], list[Shape]]] = {f: ([], []) for f in candidates}
        for which, shapes in enumerate((self._damaged, self._sound)):
            for shape in shapes:
                for file in shape.files & candidates:
                    self._by_file[file][which].append(shape)

    def best(self) -> frozenset[int]:
        """The set of files that speaks against the fewest keys, explains the most, and is the smallest found."""
        files = self._improved(self._without_disproved(self._candidates))
        if not self.against(files) and self.gain(files) == sum(self._damaged.values()):
            return files
        return min(files, self._improved(self._called_for()), key=lambda f: (self.against(f), -self.gain(f), len(f)))

    def _improved(self, files: frozenset[int]) -> frozenset[int]:
        """Drop and add single files while that helps."""
        for _ in range(_ROUNDS):
            before = files
            for file in sorted(files):
                if self._change(files, files - {file}, file) <= (0, 0):
                    files -= {file}
            for file in sorted(self._candidates - files):
                if self._change(files, files | {file}, file) < (0, 0):
                    files |= {file}
            if files == before:
                break
        return files

    def _called_for(self) -> frozenset[int]:
        """The files that damaged keys call for: of each the fewest newest ones whose absence explains it."""
        called: set[int] = set()
        for shape in self._damaged:
            own = sorted(shape.files & self._candidates)
            tails = (frozenset(own[n:]) for n in reversed(range(len(own))))
            called |= next((tail for tail in tails if self._fits(shape, tail)), _NONE)
        return frozenset(called)

    def stop(self, files: frozenset[int]) -> frozenset[int]:
        """All files from the first of some on, when none of them need have been processed; empty otherwise."""
        if len(files) < 2:
            return _NONE
        rest = frozenset(range(min(files), len(self._bench.case.file_names)))
        if not rest <= self._candidates or self.against(rest):
            return _NONE
        return rest if self.gain(rest) >= self.gain(files) else _NONE

    def needed(self, shape: Shape, files: frozenset[int]) -> frozenset[int] | None:
        """The files without which the keys of a shape would be as they should be; None when they do not explain it."""
        own = files & shape.files
        if not self._fits(shape, own):
            return None
        needed = frozenset(f for f in own if not self._fits(shape, own - {f}))
        return needed if needed and self._fits(shape, needed) else own

    def gain(self, files: frozenset[int], shapes: Iterable[Shape] | None = None) -> int:
        """How many damaged keys are as if these files had never been processed."""
        chosen = self._damaged if shapes is None else shapes
        return sum(self._damaged[s] for s in chosen if s.files & files and self._fits(s, files))

    def against(self, files: frozenset[int], shapes: Iterable[Shape] | None = None) -> int:
        """How many sound keys would be otherwise."""
        chosen = self._sound if shapes is None else shapes
        return sum(self._sound[s] for s in chosen if s.files & files and not self._fits(s, files))

    def _fits(self, shape: Shape, files: frozenset[int]) -> bool:
        return self._bench.fit(shape, files) is not None

    def _change(self, old: frozenset[int], new: frozenset[int], file: int) -> tuple[int, int]:
        """By how much more a set speaks against sound keys, and explains less, than another that differs by a file."""
        damaged, sound = self._by_file[file]
        worse = self.against(new, sound) - self.against(old, sound)
        return worse, self.gain(old, damaged) - self.gain(new, damaged)

    def _without_disproved(self, files: frozenset[int]) -> frozenset[int]:
        """Leave out the files that some sound key shows to have been processed."""
        while True:
            disproved: set[int] = set()
            for shape in self._sound:
                own = shape.files & files
                if own and len(own) <= _MOST_FILES and not self._fits(shape, own):
                    possible = (set(o) for o in _subsets(own) if self._fits(shape, o))
                    disproved |= own - set().union(*possible)
            if not disproved:
                return files
            files -= disproved


def _subsets(files: Collection[int]) -> Iterator[frozenset[int]]:
    for size in range(1, len(files)):
        yield from (frozenset(chosen) for chosen in combinations(sorted(files), size))
