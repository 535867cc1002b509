"""The keys of a case, those that look alike taken together, and what replaying them leaves. Pure: plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from datalake_kit.cdc.explain.case import Case, Explanation
from datalake_kit.cdc.pipeline import PLAIN, Pipeline, Rows, Version, pipelines, replay_key

_NONE: frozenset[int] = frozenset()
_NO_ROWS: Rows = Counter()


class EffortSpentError(Exception):
    """More replays were tried than a case allows."""


class Shape:
    """Keys that look alike: the same operations of the same files in the same order, and the same of them in the lake.

    Rows are numbered anew, so that keys with other values share a shape; versions stand in the order of their places.
    """

    __slots__ = ("copies", "files", "fitted", "lake", "moves", "versions")

    def __init__(self, versions: tuple[Version, ...], lake: Rows) -> None:
        self.versions = versions
        self.lake = lake
        self.files = frozenset(v.file for v in versions)
        self.moves = len({v.partition for v in versions}) > 1
        self.copies = sum(v.operation == "L" for v in versions) > 1
        self.fitted: dict[Any, Pipeline | None] = {}

    def left(self, without: Collection[int]) -> Sequence[Version]:
        """The versions, some files left out."""
        return self.versions if not without else [v for v in self.versions if v.file not in without]


class Bench:
    """The shapes of a case, what is explained of them, and the replays.

    Attributes
    ----------
    open : dict of Shape to int
        The shapes that are not explained yet, with their number of keys.
    found : dict of Shape to Explanation
        Those that are.
    runs : list of int, optional
        The number of the run in which each file was processed; None: each in its own.
    joined : sequence of pairs of int
        The first and last files of stretches that were found to have gone in together.
    late : bool
        Whether the pipeline is one of those in which an older change that comes later can win.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.found: dict[Shape, Explanation] = {}
        self.runs: list[int] | None = None
        self.joined: Sequence[tuple[int, int]] = ()
        self.late = False
        self._spent = 0
        self._shapes: dict[Any, Shape] = {}
        self._by_key: dict[Any, Shape] = {}
        self._damaged = set(case.damaged)
        self.shapes = {key: self.shape(key) for key in case.damaged}
        self.open: Counter[Shape] = Counter(self.shapes.values())

    def explain(self, shape: Shape, explanation: Explanation, without: frozenset[int] = _NONE) -> None:
        """Note why keys of a shape differ; `without` are files never processed that are a part of the reason."""
        own = without & shape.files
        if own:
            also = f"{self.case.names(own)} {'were' if len(own) > 1 else 'was'} never processed"
            explanation = replace(explanation, text=f"{explanation.text.rstrip('.')}; {also}", brief=explanation.short)
        self.found[shape] = explanation
        self.open.pop(shape, None)

    def shape(self, key: Any) -> Shape:
        """The shape of a key."""
        known = self._by_key.get(key)
        if known is not None:
            return known
        versions = self.case.versions.get(key, ())
        there = self.case.lake.get(key, _NO_ROWS)
        signature = _signature(versions, there, self.case.historical)
        shape = self._shapes.get(signature)
        if shape is None:
            shape = self._shapes[signature] = _shape(*signature)
        self._by_key[key] = shape
        return shape

    def sound(self, files: Collection[int]) -> Counter[Shape]:
        """The shapes of keys that do not differ and that some files touch, with their number of keys."""
        keys = dict.fromkeys(key for file in files for key in self._sound_keys.get(file, ()))
        return Counter(self.shape(key) for key in keys)

    @cached_property
    def _sound_keys(self) -> dict[int, list[Any]]:
        """The keys that do not differ, by each file that touches them."""
        keys: dict[int, list[Any]] = {}
        for key, versions in self.case.versions.items():
            if key not in self._damaged:
                for file in {v.file for v in versions}:
                    keys.setdefault(file, []).append(key)
        return keys

    @cached_property
    def untraced(self) -> frozenset[int]:
        """The files that may never have been processed: every row of them is known, and none is in the lake."""
        known = range(len(self.case.file_names)) if self.case.known_files is None else self.case.known_files
        return frozenset(known) - set(self.case.arrived) - self._traced()

    def _traced(self) -> set[int]:
        """The files of which the lake has a row that no other file has."""
        traced: set[int] = set()
        rows_of_deletes = self.case.historical
        for key, there in self.case.lake.items():
            versions = self.case.versions.get(key, ())
            if all(v.file in traced for v in versions):
                continue
            owners: dict[int, set[int]] = {}
            for v in versions:
                owners.setdefault(v.row, set()).add(v.file)
            for v in versions:
                if v.row in there and len(owners[v.row]) == 1 and (rows_of_deletes or v.operation != "D"):
                    traced.add(v.file)
        return traced

    def set_runs(self, runs: list[int] | None) -> None:
        """Say which files went in together; what was replayed before counts no more."""
        self.runs = runs
        for shape in self._shapes.values():
            shape.fitted.clear()

    # --- replays

    def fit(self, shape: Shape, without: frozenset[int] = _NONE) -> Pipeline | None:
        """The simplest pipeline that leaves what the lake has, some files never processed; None when none does."""
        trial = (without & shape.files, self.late)
        if trial not in shape.fitted:
            shape.fitted[trial] = self.first_fitting(shape.left(trial[0]), shape)
        return shape.fitted[trial]

    def fit_late(self, shape: Shape, order: str, without: frozenset[int] = _NONE) -> Pipeline | None:
        """The simplest pipeline with "late_wins" or "forgets" that leaves what the lake has."""
        versions = shape.left(without & shape.files)
        if self.case.historical or not _is_late(versions, self.runs):
            return None
        ways = (w for w in pipelines(moves=shape.moves, copies=shape.copies, late=True) if getattr(w, order))
        return next((way for way in ways if self.leaves(versions, way, self.runs) == shape.lake), None)

    def first_fitting(
        self, versions: Sequence[Version], shape: Shape, runs: Sequence[int] | None = None, *, late: bool | None = None
    ) -> Pipeline | None:
        """The same for some versions of a shape, and for other runs."""
        runs = self.runs if runs is None else runs
        late = (self.late if late is None else late) and not self.case.historical and _is_late(versions, runs)
        moves = shape.moves and len({v.partition for v in versions}) > 1
        copies = shape.copies and sum(v.operation == "L" for v in versions) > 1
        if not (moves or copies or late or self.case.historical):
            self._spend(1)
            return PLAIN if _newest(versions) == shape.lake else None
        for way in pipelines(moves=moves, copies=copies, late=late):
            if self.leaves(versions, way, runs) == shape.lake:
                return way
        return None

    def leaves(self, versions: Iterable[Version], way: Pipeline, runs: Sequence[int] | None) -> Rows:
        """Replay versions one way."""
        self._spend(3)
        return replay_key(versions, way, historical=self.case.historical, runs=runs)

    def _spend(self, effort: int) -> None:
        self._spent += effort
        if self._spent > self.case.effort:
            raise EffortSpentError


def _newest(versions: Sequence[Version]) -> Rows:
    """What the plain pipeline leaves: the newest version, unless it is a delete. Versions stand in order."""
    if not versions or versions[-1].operation == "D":
        return _NO_ROWS
    return Counter((versions[-1].row,))


def _is_late(versions: Sequence[Version], runs: Sequence[int] | None) -> bool:
    """Whether an older change comes in a later run."""
    numbers = [v.file if runs is None else runs[v.file] for v in versions]
    return any(a > b for a, b in pairwise(numbers))


def _signature(versions: Sequence[Version], there: Rows, historical: bool) -> tuple[Any, ...]:
    ordered = versions if len(versions) < 2 else sorted(versions, key=_place)
    rows: dict[int, int] = {}
    told = tuple([(v.file, v.operation, rows.setdefault(v.row, len(rows)), v.partition) for v in ordered])
    strange = -1
    left = []
    for row in sorted(there):
        left.append((rows.get(row, strange), there[row]))
        strange -= row not in rows
    names = {v.sequence: n for n, v in enumerate(ordered)} if historical else {}
    return told, tuple(sorted(left)), tuple(names[v.sequence] for v in ordered) if historical else ()


def _place(version: Version) -> tuple[str, int, int]:
    return version.place


def _shape(told: Sequence[Any], left: Sequence[tuple[int, int]], names: Sequence[int]) -> Shape:
    versions = tuple(
        Version(file, ("", n, 0), operation, row, partition, str(names[n]) if names else "")
        for n, (file, operation, row, partition) in enumerate(told)
    )
    return Shape(versions, Counter(dict(left)))
