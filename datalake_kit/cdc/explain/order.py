"""Files processed out of their turn, and change files that overwrote the table. Pure: plain Python."""

from __future__ import annotations

from collections.abc import Iterable

from datalake_kit.cdc.explain.bench import Bench, Shape
from datalake_kit.cdc.explain.case import LATE, OVERWRITTEN, Explanation
from datalake_kit.cdc.explain.words import is_undated
from datalake_kit.cdc.pipeline import Pipeline, Version

_NONE: frozenset[int] = frozenset()


def explain_by_late_files(bench: Bench, without: frozenset[int] = _NONE) -> None:
    """Explain keys by a file that was processed after newer ones, so that its older values won."""
    for file in sorted({v.file for s in bench.open for v in s.versions if v.operation != "L"} - without):
        after = _processed_after(bench, file, without)
        if after is None:
            continue
        runs = _moved(bench, file, after)
        for late_wins in (True, False):  # one rule for all keys of the table
            fitting = [s for s in bench.open if file in s.files and _fits_late(bench, s, runs, without, late_wins)]
            if fitting and all(_fits_late(bench, s, runs, without, late_wins) for s in bench.sound([file])):
                _note_late(bench, fitting, bench.case.file_names[file], without)
                break


def _note_late(bench: Bench, shapes: Iterable[Shape], name: str, without: frozenset[int]) -> None:
    text = f"{name} was processed after newer files and its older values won"
    for shape in shapes:
        bench.explain(shape, Explanation(text, name, cause=LATE), without)


def _processed_after(bench: Bench, file: int, without: frozenset[int]) -> int | None:
    """After which newer file a file was processed at least: open keys have its version left, not the newer one."""
    newest = None
    for shape in bench.open:
        own = [v for v in shape.versions if v.file == file]
        newer = [v.file for v in shape.versions if v.file > file and v.file not in without]
        if own and newer and _is_left(own[-1], shape):
            newest = max(newest or 0, *newer)
    return newest


def _is_left(version: Version, shape: Shape) -> bool:
    return not shape.lake if version.operation == "D" else version.row in shape.lake


def _moved(bench: Bench, file: int, after: int) -> list[int]:
    """Number the runs so that a file comes right after another."""
    runs = bench.runs or list(range(len(bench.case.file_names)))
    return [2 * runs[after] + 1 if n == file else 2 * run for n, run in enumerate(runs)]


def _fits_late(bench: Bench, shape: Shape, runs: list[int], without: frozenset[int], late_wins: bool) -> bool:
    versions = shape.left(without & shape.files)
    ways = (Pipeline(by_partition=p, late_wins=late_wins, forgets=not late_wins) for p in (True, False))
    return any(bench.leaves(versions, way, runs) == shape.lake for way in ways)


# --- change files that count as a full load


def explain_by_overwriting(bench: Bench) -> None:
    """Explain keys by the newest change file without a date folder, when it took the place of the whole table."""
    case = bench.case
    undated = [n for n, name in enumerate(case.file_names) if is_undated(name)]
    if not undated or undated[-1] == 0 or case.historical:
        return
    file = undated[-1]
    if not bench.untraced.issuperset(range(file)):
        return
    everything = range(len(case.file_names))
    for as_copies in (True, False):
        fitting = [s for s in bench.open if _is_overwritten(bench, s, file, as_copies)]
        if fitting and all(_is_overwritten(bench, s, file, as_copies) for s in bench.sound(everything)):
            _note_overwritten(bench, fitting, case.file_names[file])
            return


def _note_overwritten(bench: Bench, shapes: Iterable[Shape], name: str) -> None:
    text = f"{name} replaced the whole table: a change file without date folders counts as a full load"
    for shape in shapes:
        bench.explain(shape, Explanation(text, name, cause=OVERWRITTEN))


def _is_overwritten(bench: Bench, shape: Shape, file: int, as_copies: bool) -> bool:
    """Whether the lake has of a key the rows of a file, deletes too, and what later files made of them."""
    versions = [v for v in shape.versions if v.file >= file]
    if as_copies:
        versions = [v._replace(operation="L") if v.file == file else v for v in versions]
    ways = (Pipeline(by_partition=p, keeps_copies=as_copies) for p in (False, True))
    return any(bench.leaves(versions, way, bench.runs) == shape.lake for way in ways)
