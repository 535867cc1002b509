"""Why a key is not as it should be: what the pipeline would leave behind, replayed with one thing gone wrong.

An explanation is given only when replaying it leaves exactly the rows that the lake has for the key, and, for a file
that was never processed, when every key which that file touches agrees with it. Everything else stays "unexplained".

Pure: plain Python over the versions of the keys in question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datalake_kit.cdc.pipeline import PIPELINES, Pipeline, Rows, Version, replay_key

UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Fault:
    """A file of the lake's table that is missing or cut: its partition as a path, the rows it can account for."""

    file: str
    commit: str
    partition: str
    rows: int
    problem: str


@dataclass(frozen=True)
class Explanation:
    """Why a key differs: the words, the file at fault if there is one, and the commit that left it so."""

    text: str = UNEXPLAINED
    file: str | None = None
    commit: str | None = None
    brief: str = ""

    @property
    def short(self) -> str:
        """The words without what differs from key to key."""
        return self.brief or self.text


@dataclass
class Case:
    """Everything known of one table: versions of the keys in question, rows that the lake has, which keys differ."""

    versions: Mapping[Any, Sequence[Version]]
    lake: Mapping[Any, Rows]
    damaged: Collection[Any]
    file_names: Sequence[str]
    historical: bool = False
    partition_names: Sequence[str] = ()
    faults: Sequence[Fault] = ()
    known_files: Collection[int] | None = None  # files of which every row is among the versions; None: all
    found: dict[Any, Explanation] = field(default_factory=dict)
    tried: dict[Any, Pipeline | None] = field(default_factory=dict)

    def own_files(self, key: Any) -> frozenset[int]:
        """The files that have a row of a key."""
        return frozenset(v.file for v in self.versions.get(key, ()))


def explain(case: Case) -> dict[Any, Explanation]:
    """Explain each damaged key, or say that it is unexplained."""
    _explain_by_pipeline(case)
    _explain_by_faults(case)
    _explain_by_withheld_files(case)
    _explain_by_late_files(case)
    _explain_strangers(case)
    return {key: case.found.get(key, Explanation()) for key in case.damaged}


def _open(case: Case) -> list[Any]:
    return [key for key in case.damaged if key not in case.found]


def _fits(
    case: Case, key: Any, *, without: Collection[int] = (), last: int | None = None, late: bool = True
) -> Pipeline | None:
    """The simplest pipeline that leaves what the lake has for a key, if there is one; each is tried once."""
    trial = (key, case.own_files(key).intersection(without), last, late)
    if trial not in case.tried:
        versions = [v for v in case.versions.get(key, ()) if v.file not in without]
        case.tried[trial] = _first_fitting(case, versions, key, last, late)
    return case.tried[trial]


def _first_fitting(
    case: Case, versions: Sequence[Version], key: Any, last: int | None = None, late: bool = True
) -> Pipeline | None:
    there = case.lake.get(key, Counter())
    moves = len({v.partition for v in versions}) > 1
    copies = sum(v.operation == "L" for v in versions) > 1
    for pipeline in PIPELINES:
        idle = (pipeline.by_partition and not moves) or (pipeline.keeps_copies and not copies)
        if idle or (pipeline.late_wins and not late):
            continue
        if replay_key(versions, pipeline, historical=case.historical, last=last) == there:
            return pipeline
    return None


# --- the pipeline's own ways


def _explain_by_pipeline(case: Case) -> None:
    for key in _open(case):
        pipeline = _fits(case, key)
        if pipeline is not None:
            told = _told_by(case, key, pipeline)
            case.found[key] = Explanation(told, brief=_brief(told))


def _told_by(case: Case, key: Any, pipeline: Pipeline, without: Collection[int] = ()) -> str:
    told = []
    if pipeline.by_partition:
        told.append(_partition_story(case, key, without))
    if pipeline.late_wins:
        told.append("an older change in a later file overwrote the newer one")
    if pipeline.keeps_copies:
        told.append("the full load has the key several times and all copies were kept")
    return "; ".join(told)


def _brief(told: str) -> str:
    """Leave out in which partition a row stays."""
    return "; ".join(part.rsplit(" in ", 1)[0] if " row" in part else part for part in told.split("; "))


def _partition_story(case: Case, key: Any, without: Collection[int]) -> str:
    versions = [v for v in case.versions.get(key, ()) if v.file not in without]
    left = case.lake.get(key, Counter())
    kept = next((v for v in versions if v.row in left), versions[-1])
    where = partition_text(case.partition_names, kept.partition)
    final = max(versions, key=lambda v: (v.operation != "L", v.place, v.file))
    moved = len({v.partition for v in versions if v.operation != "D"}) > 1
    if final.operation == "D" and not moved and final.partition is None:
        return f"delete with a NULL partition column: it did not find its row in {where}"
    if final.operation == "D":
        return f"partition moved, then deleted: the delete did not find the old row in {where}"
    old = [v for v in versions if v.row in left and v.row != final.row]
    stays = ", ".join(sorted({partition_text(case.partition_names, v.partition) for v in old})) or where
    return f"partition moved: the old row stays in {stays}"


def partition_text(names: Sequence[str], values: tuple[Any, ...] | None) -> str:
    """A partition as Hive writes it: VENDORID=1."""
    if values is None:
        values = (None,) * len(names)
    shown = ("__HIVE_DEFAULT_PARTITION__" if v is None else v for v in values)
    return "/".join(f"{n}={v}" for n, v in zip(names, shown, strict=True))


# --- files of the lake's table that are gone or cut


def _explain_by_faults(case: Case) -> None:
    """Undo the last changes of a key in the partition of a file at fault; the file must account for as many rows."""
    for fault in case.faults:
        fitting = {}
        for key in _open(case):
            pipeline = _undone(case, key, fault)
            if pipeline is not None:
                fitting[key] = pipeline
        if 0 < len(fitting) <= fault.rows:
            for key, pipeline in fitting.items():
                story = _told_by(case, key, pipeline)
                text = fault.problem if not story else f"{fault.problem} Also: {story}"
                case.found[key] = Explanation(text, fault.file, fault.commit, brief=fault.problem)


def _undone(case: Case, key: Any, fault: Fault) -> Pipeline | None:
    versions = case.versions.get(key, ())
    inside = [v for v in versions if _is_in(case, v, fault.partition)]
    for count in range(1, len(inside) + 1):
        dropped = {id(v) for v in sorted(inside, key=lambda v: (v.operation != "L", v.file, v.place))[-count:]}
        left = [v for v in versions if id(v) not in dropped]
        pipeline = _first_fitting(case, left, key)
        if pipeline is not None:
            return pipeline
    return None


def _is_in(case: Case, version: Version, path: str) -> bool:
    hive = partition_text(case.partition_names, version.partition)
    return path in (hive, "/".join(p.split("=", 1)[1] for p in hive.split("/")) if hive else "")


# --- files that were never processed


def _explain_by_withheld_files(case: Case) -> None:
    damaged = set(_open(case))
    withheld = _withheld(case)
    if not withheld:
        return
    fitting = {k: p for k in damaged if (p := _fits(case, k, without=withheld, late=False)) is not None}
    needed = {key: _needed(case, key, withheld) for key in fitting}
    together = frozenset(f for files in needed.values() for f in files)
    alone = not _contradictions(case, _keys_by_file(case), damaged, together)
    for key, pipeline in fitting.items():
        files = needed[key] if alone else sorted(withheld)
        names = ", ".join(case.file_names[f] for f in files)
        story = _told_by(case, key, pipeline, withheld)
        verb = "were" if len(files) > 1 else "was"
        newest = " (or not yet: nothing newer is staged)" if max(files) == len(case.file_names) - 1 else ""
        text = f"{names} {verb} never processed{newest}"
        case.found[key] = Explanation(text if not story else f"{text}; {story}", names, brief=text)


def _needed(case: Case, key: Any, withheld: frozenset[int]) -> list[int]:
    """The files among those never processed without which the key would be as it should be."""
    own = sorted(withheld & case.own_files(key))
    return [f for f in own if _fits(case, key, without=withheld - {f}, late=False) is None] or own


def _withheld(case: Case) -> frozenset[int]:
    """The smallest set of files found whose absence leaves what the lake has, and contradicts none of their keys.

    First files are added one by one while each explains more; if that is not enough, all files that left no trace in
    the lake are taken away together, and those that are not needed are put back.
    """
    touched = _keys_by_file(case)
    damaged = set(_open(case))
    grown = _grow(case, touched, damaged, [f for f in touched if touched[f] & damaged])
    if all(_fits(case, k, without=grown, late=False) for k in damaged):
        return grown
    traceless = frozenset(f for f in touched if not _left_traces(case, touched[f], f))
    shrunk = _shrink(case, touched, damaged, traceless)
    gains = _gain(case, damaged, shrunk) > _gain(case, damaged, grown)
    return shrunk if gains and not _contradictions(case, touched, damaged, shrunk) else grown


def _keys_by_file(case: Case) -> dict[int, set[Any]]:
    """The keys of each file that may be blamed: one of which every row is known, so that nothing speaks against it."""
    touched: dict[int, set[Any]] = {}
    for key, versions in case.versions.items():
        for version in versions:
            if case.known_files is None or version.file in case.known_files:
                touched.setdefault(version.file, set()).add(key)
    return touched


def _grow(case: Case, touched: Mapping[int, set[Any]], damaged: set[Any], candidates: Sequence[int]) -> frozenset[int]:
    withheld: frozenset[int] = frozenset()
    gain = 0
    while True:
        options = [withheld | {f} for f in candidates if f not in withheld]
        scored = [(_gain(case, damaged, o), o) for o in options]
        better = [(g, o) for g, o in scored if g > gain and not _contradictions(case, touched, damaged, o)]
        if not better:
            return withheld
        gain, withheld = max(better, key=lambda pair: pair[0])


def _shrink(case: Case, touched: Mapping[int, set[Any]], damaged: set[Any], withheld: frozenset[int]) -> frozenset[int]:
    def score(files: frozenset[int]) -> tuple[int, int]:
        return _contradictions(case, touched, damaged, files), -_gain(case, damaged, files)

    best = score(withheld)
    for file in sorted(withheld):
        less = withheld - {file}
        now = score(less)
        if now <= best:
            best, withheld = now, less
    return withheld


def _gain(case: Case, damaged: Iterable[Any], without: frozenset[int]) -> int:
    return sum(_fits(case, key, without=without, late=False) is not None for key in damaged) if without else 0


def _contradictions(case: Case, touched: Mapping[int, set[Any]], damaged: set[Any], without: frozenset[int]) -> int:
    """How many keys the lake holds otherwise than it would had these files never been processed."""
    sound = {key for file in without for key in touched[file]} - damaged - set(case.found)
    return sum(_fits(case, key, without=without, late=False) is None for key in sound)


def _left_traces(case: Case, keys: Iterable[Any], file: int) -> bool:
    """Whether the lake holds a row that only this file has."""
    for key in keys:
        rows = {v.row for v in case.versions[key] if v.file == file and v.operation != "D"}
        others = {v.row for v in case.versions[key] if v.file != file}
        if any(row in rows - others for row in case.lake.get(key, ())):
            return True
    return False


# --- files processed out of their turn


def _explain_by_late_files(case: Case) -> None:
    touched = _keys_by_file(case)
    for file in sorted(touched):
        fitting = [k for k in touched[file] & set(_open(case)) if _fits_late(case, k, file)]
        sound = touched[file] - set(case.damaged)
        if fitting and all(_fits_late(case, k, file) for k in sound):
            name = case.file_names[file]
            for key in fitting:
                case.found[key] = Explanation(f"{name} was processed after newer files and its older values won", name)


def _fits_late(case: Case, key: Any, file: int) -> bool:
    for by_partition in (False, True):
        pipeline = Pipeline(by_partition=by_partition, late_wins=True)
        left = replay_key(case.versions.get(key, ()), pipeline, historical=case.historical, last=file)
        if left == case.lake.get(key, Counter()):
            return True
    return False


# --- rows that no file has


def _explain_strangers(case: Case) -> None:
    for key in _open(case):
        if not case.versions.get(key):
            case.found[key] = Explanation(f"{UNEXPLAINED}: no staged file has this key")
