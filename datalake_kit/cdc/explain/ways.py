"""Keys that differ because of how the pipeline works: partitions, late changes, copies, runs. Pure: plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from datalake_kit.cdc.explain.bench import Bench, Shape
from datalake_kit.cdc.explain.case import COPIES, LATE, LOST_COLUMN, MOVED, NULL_PARTITION, Explanation
from datalake_kit.cdc.pipeline import Pipeline, Version

_MOST_RUNS = 6  # files of one key of which it is tried which went in together


def explain_by_partitions_and_copies(bench: Bench) -> None:
    """Explain keys by how the pipeline finds a row and what it does with copies."""
    bench.set_runs(runs_of_commits(bench.case.commits))
    _explain_fitting(bench)


def explain_by_runs(bench: Bench, without: frozenset[int] = frozenset()) -> None:
    """Find out from keys that moved which files went in together, where commits do not say, and explain those keys."""
    if bench.runs is None and _infer_runs(bench, without):
        _explain_fitting(bench, without)


def _explain_fitting(bench: Bench, without: frozenset[int] = frozenset()) -> None:
    for shape in list(bench.open):
        if without & shape.files:
            continue
        way = bench.fit(shape)
        if way is not None:
            bench.explain(shape, told(bench, shape, way))


def told(bench: Bench, shape: Shape, way: Pipeline, without: Collection[int] = ()) -> Explanation:
    """Put in words what a way of working has done to keys."""
    parts: list[tuple[str, str, int | None]] = []  # cause, words, the file whose change it was
    if way.by_partition:
        parts.append(partition_story(bench, shape, without))
    if way.late_wins or way.forgets:
        parts.append(_late_story(bench, shape, way, without))
    if way.keeps_copies:
        parts.append((COPIES, "the full load has the key several times and all copies were kept", None))
    if not parts:
        columns = ", ".join(bench.case.lost_columns)
        words = f"the column {columns} never arrived: it is NULL in the lake"
        return Explanation(words, cause=LOST_COLUMN) if columns else Explanation()
    names = bench.case.file_names
    told_by = [words if file is None else f"{words} (by {names[file]})" for _, words, file in parts]
    together = _together(bench, shape) if way.by_partition else ""
    text = "; ".join([*told_by, together] if together else told_by)
    brief = "; ".join(_without_place(words) for _, words, _ in parts)
    late = next((f for cause, _, f in parts if cause == LATE and f is not None), None)  # a file is at fault here only
    return Explanation(text, None if late is None else names[late], brief=brief, cause=parts[0][0])


def _together(bench: Bench, shape: Shape) -> str:
    """Say which files of a shape must have gone in together, where that was found out and not known."""
    if not bench.joined or bench.runs is None:
        return ""
    runs: dict[int, set[int]] = {}
    for file in shape.files:
        runs.setdefault(bench.runs[file], set()).add(file)
    joined = [bench.case.names(files) for files in runs.values() if len(files) > 1]
    return f"{' and '.join(joined)} went in as one run" if joined else ""


def _without_place(words: str) -> str:
    """Leave out in which partition a row stays."""
    return words.rsplit(" in ", 1)[0] if " row" in words else words


def partition_story(bench: Bench, shape: Shape, without: Collection[int] = ()) -> tuple[str, str, int | None]:
    """Say which row stays in another partition: the cause, the words, and the file whose change did not find it."""
    versions = shape.left(without)
    kept = next((v for v in versions if v.row in shape.lake), versions[-1])
    where = _shown_partition(bench, kept)
    final = versions[-1]
    moved = len({v.partition for v in versions if v.operation != "D"}) > 1
    if final.operation == "D" and not moved and final.partition is None:
        words = f"delete with a NULL partition column: it did not find its row in {where}"
        return NULL_PARTITION, words, final.file
    if final.operation == "D":
        words = f"partition moved, then deleted: the delete did not find the old row in {where}"
        return MOVED, words, final.file
    old = [v for v in versions if v.row in shape.lake and v.row != final.row]
    if len({v.partition for v in versions if v.operation == "L"}) > 1 and all(v.operation == "L" for v in old):
        stays = ", ".join(sorted({_shown_partition(bench, v) for v in old})) or where
        return COPIES, f"the full load has the key in several partitions: a row stays in {stays}", None
    stays = ", ".join(sorted({_shown_partition(bench, v) for v in old})) or where
    return MOVED, f"partition moved: the old row stays in {stays}", _mover(versions, old)


def _mover(versions: Sequence[Version], old: Sequence[Version]) -> int | None:
    """The file of the first change that put the key elsewhere than where its old row stays."""
    after = versions[versions.index(old[0]) :] if old else versions
    return next((b.file for a, b in pairwise(after) if a.partition != b.partition), None)


def _shown_partition(bench: Bench, version: Version) -> str:
    """The partition of a version, without the values of masked columns."""
    hidden = {name.casefold() for name in bench.case.masked}
    names, values = bench.case.partition_names, version.partition or (None,) * len(bench.case.partition_names)
    shown = ("***" if n.casefold() in hidden else v for n, v in zip(names, values, strict=True))
    return partition_text(names, tuple(shown))


def partition_text(names: Sequence[str], values: tuple[object, ...] | None) -> str:
    """A partition as Hive writes it: VENDORID=1."""
    if values is None:
        values = (None,) * len(names)
    shown = ("__HIVE_DEFAULT_PARTITION__" if v is None else v for v in values)
    return "/".join(f"{n}={v}" for n, v in zip(names, shown, strict=True))


# --- older changes that come later


@dataclass(frozen=True)
class Late:
    """Shapes in which an older change won that came later: the way, and the files never processed on which it rests."""

    ways: dict[Shape, tuple[Pipeline, frozenset[int]]]

    def weight(self, bench: Bench) -> int:
        """How many open keys it explains."""
        return sum(bench.open[shape] for shape in self.ways)


def find_late(bench: Bench, without: frozenset[int] = frozenset()) -> Late:
    """The open shapes in which an older change won that came later, unless more keys speak against it."""
    overwrote, brought_back = (_fitting_late(bench, order, without) for order in ("late_wins", "forgets"))
    against = _against(bench, "late_wins") if overwrote else 0
    if against:  # in which case what a forgotten delete explains as well is not held for it
        overwrote = {s: way for s, way in overwrote.items() if s not in brought_back}
        if against > Late(overwrote).weight(bench):
            overwrote = {}
    brought_back = {s: way for s, way in brought_back.items() if s not in overwrote}
    if brought_back and _against(bench, "forgets") > Late(brought_back).weight(bench):
        brought_back = {}
    return Late(overwrote | brought_back)


def _fitting_late(bench: Bench, order: str, without: frozenset[int]) -> dict[Shape, tuple[Pipeline, frozenset[int]]]:
    fitting = {}
    for shape in bench.open:
        for absent in dict.fromkeys((frozenset(), without & shape.files)):
            way = bench.fit_late(shape, order, absent)
            if way is not None:
                fitting[shape] = way, absent
                break
    return fitting


def explain_late(bench: Bench, late: Late) -> None:
    """Explain keys in which an older change won."""
    for shape, (way, absent) in late.ways.items():
        bench.explain(shape, told(bench, shape, way, absent), absent)
    bench.late = bench.late or bool(late.ways)


def _against(bench: Bench, order: str) -> int:
    """How many sound keys would differ if older changes that come later won."""
    total = 0
    for shape, keys in bench.sound(range(len(bench.case.file_names))).items():
        numbers = [v.file if bench.runs is None else bench.runs[v.file] for v in shape.versions]
        if all(a <= b for a, b in pairwise(numbers)):
            continue
        ways = (Pipeline(by_partition=p, **{order: True}) for p in (False, True))
        if all(bench.leaves(shape.versions, way, bench.runs) != shape.lake for way in ways):
            total += keys
    return total


def _late_story(bench: Bench, shape: Shape, way: Pipeline, without: Collection[int]) -> tuple[str, str, int | None]:
    versions = [v for v in shape.left(without) if v.operation != "L"]
    runs = bench.runs

    def run(version: Version) -> int:
        return version.file if runs is None else runs[version.file]

    winner = max((v for v in versions if v.row in shape.lake), key=run, default=max(versions, key=run))
    if way.forgets:
        return LATE, "an older change in a later file brought the deleted key back", winner.file
    if any(v.file > winner.file for v in versions if v.place > winner.place):
        return LATE, "a file was processed after newer ones and its older values won", winner.file
    return LATE, "an older change in a later file overwrote the newer one", winner.file


# --- files that went in together


def runs_of_commits(commits: Sequence[str]) -> list[int] | None:
    """Number the runs in which files were processed by the commits that their rows bear; None when none does.

    Files without a row of their own in the lake went in between their neighbours, or with them when both went in
    together.
    """
    if not any(commits):
        return None
    space = len(commits) + 1
    number = {commit: (n + 1) * space for n, commit in enumerate(sorted({c for c in commits if c}))}
    runs: list[int] = []
    for place, commit in enumerate(commits):
        before = next((c for c in reversed(commits[:place]) if c), "")
        after = next((c for c in commits[place:] if c), "")
        if commit:
            runs.append(number[commit])
        elif before and before == after:
            runs.append(number[before])
        else:
            runs.append((runs[-1] if runs else 0) + 1)
    return runs


def _infer_runs(bench: Bench, without: frozenset[int]) -> bool:
    """Find files that must have gone in together, as keys show that moved among partitions; say whether any did."""
    wanted: Counter[tuple[tuple[int, int], ...]] = Counter()
    for shape, keys in bench.open.items():
        if shape.moves and not without & shape.files:
            merges = _merges(bench, shape)
            if merges:
                wanted[merges] += keys
    joined: list[tuple[int, int]] = []
    explained = [s for s in bench.found if s.moves]
    for merges, _ in wanted.most_common():
        trial = [*joined, *merges]
        runs = _runs(len(bench.case.file_names), trial)
        if all(bench.first_fitting(s.versions, s, runs) is not None for s in explained):
            joined = trial
    if not joined:
        return False
    bench.set_runs(_runs(len(bench.case.file_names), joined))
    bench.joined = joined
    return True


def _merges(bench: Bench, shape: Shape) -> tuple[tuple[int, int], ...]:
    """The fewest stretches of files that must have gone in together for the lake to hold what it has of a shape."""
    files = sorted({v.file for v in shape.versions if v.operation != "L"})
    if not 2 <= len(files) <= _MOST_RUNS:
        return ()
    for stretches in _groupings(files):
        runs = _runs(len(bench.case.file_names), stretches)
        if bench.first_fitting(shape.versions, shape, runs) is not None:
            return tuple(stretches)
    return ()


def _groupings(files: Sequence[int]) -> Iterator[list[tuple[int, int]]]:
    """Every way to join neighbours, the fewest joins first."""
    for joins in sorted(product((False, True), repeat=len(files) - 1), key=sum)[1:]:
        yield [pair for pair, join in zip(pairwise(files), joins, strict=True) if join]


def _runs(count: int, stretches: Collection[tuple[int, int]]) -> list[int]:
    """Number runs: every file its own, those of a stretch together."""
    runs = list(range(count))
    for first, last in sorted(stretches):
        runs[first : last + 1] = [runs[first]] * (last + 1 - first)
    return runs
