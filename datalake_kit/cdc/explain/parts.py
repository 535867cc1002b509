"""Files of which only the deletes, or only the other changes, were processed. Pure: plain Python.

Pipelines write what a run inserts and updates with one commit, and what it deletes with another; either can be lost.
"""

from __future__ import annotations

from collections import defaultdict

from datalake_kit.cdc.explain.bench import Bench, Shape
from datalake_kit.cdc.explain.case import Explanation
from datalake_kit.cdc.explain.words import part_reason

_NONE: frozenset[int] = frozenset()
_PARTS = {True: "deletes", False: "inserts and updates"}


def explain_by_parts(bench: Bench, without: frozenset[int] = _NONE) -> None:
    """Explain keys by the deletes of a file, or by its other changes, that were never processed."""
    if bench.case.historical:
        return
    fitting: dict[tuple[int, bool], list[Shape]] = defaultdict(list)
    for shape in bench.open:
        for file, deletes in _final(shape).items():
            if file not in without and bench.fit(shape, (without & shape.files) | {file}) is not None:
                fitting[file, deletes].append(shape)
    for (file, deletes), shapes in sorted(fitting.items(), key=lambda f: -sum(bench.open.get(s, 0) for s in f[1])):
        left = [shape for shape in shapes if shape in bench.open]
        if left and _speaks_for(bench, file, deletes, without):
            reason = part_reason(bench.case, file, _PARTS[deletes])
            name = bench.case.file_names[file]
            for shape in left:
                told = Explanation(reason.text, name, reason.commit, cause=reason.cause)
                bench.explain(shape, told, without)


def _speaks_for(bench: Bench, file: int, deletes: bool, without: frozenset[int]) -> bool:
    """Whether every sound key that such a part of a file touches is as if the part had never been processed.

    Of inserts and updates none may be in the lake; a file of one part only is a file as a whole.
    """
    if not deletes and file not in bench.untraced:
        return False
    touched = bench.sound([file])
    parts = {_final(shape).get(file) for shape in (*touched, *bench.shapes.values()) if file in shape.files}
    same = [shape for shape in touched if _final(shape).get(file) is deletes]
    return parts >= {True, False} and all(
        bench.fit(shape, (without & shape.files) | {file}) is not None for shape in same
    )


def _final(shape: Shape) -> dict[int, bool]:
    """Whether the last change of each change file is a delete."""
    return {v.file: v.operation == "D" for v in shape.versions if v.operation != "L"}
