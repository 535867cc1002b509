"""Keys that differ because a file of the lake's table is gone, cut, or not of a complete commit. Pure: plain Python."""

from __future__ import annotations

from collections.abc import Sequence

from datalake_kit.cdc.explain.bench import Bench, Shape
from datalake_kit.cdc.explain.case import FILE_AT_FAULT, NOT_COMMITTED, Explanation, Fault
from datalake_kit.cdc.explain.ways import partition_text, told
from datalake_kit.cdc.pipeline import Pipeline, Version

_NONE: frozenset[int] = frozenset()


def explain_by_faults(bench: Bench, without: frozenset[int] = _NONE) -> None:
    """Explain keys by files of the table that are gone or cut."""
    for fault in bench.case.faults:
        _explain(bench, fault, FILE_AT_FAULT, without)


def explain_by_pending(bench: Bench, without: frozenset[int] = _NONE) -> None:
    """Explain keys by what commits wrote that never completed."""
    for fault in bench.case.pending:
        if fault.file:
            _explain(bench, fault, NOT_COMMITTED, without)


def _explain(bench: Bench, fault: Fault, cause: str, without: frozenset[int]) -> None:
    """Undo the last changes of keys in the partition of a file; the file must account for as many rows."""
    fitting = {}
    for shape in list(bench.open):
        way = _undone(bench, shape, fault.partition, without & shape.files)
        if way is not None:
            fitting[shape] = way
    if not 0 < sum(bench.open[s] for s in fitting) <= fault.rows:
        return
    for shape, way in fitting.items():
        story = told(bench, shape, way, without & shape.files).text if way != Pipeline() else ""
        text = f"{fault.problem} Also: {story}" if story else fault.problem
        bench.explain(shape, Explanation(text, fault.file, fault.commit, brief=fault.problem, cause=cause), without)


def _undone(bench: Bench, shape: Shape, partition: str, without: frozenset[int]) -> Pipeline | None:
    versions = shape.left(without)
    inside = [v for v in versions if is_in(bench.case.partition_names, v, partition)]
    inside.sort(key=lambda v: (v.operation != "L", v.file, v.place))
    for count in range(1, len(inside) + 1):
        dropped = set(inside[-count:])
        way = bench.first_fitting([v for v in versions if v not in dropped], shape)
        if way is not None:
            return way
    return None


def is_in(names: Sequence[str], version: Version, path: str) -> bool:
    """Whether a version lies in a partition, given as a path with or without the names of the columns."""
    hive = partition_text(names, version.partition)
    return path in (hive, "/".join(p.split("=", 1)[1] for p in hive.split("/")) if hive else "")
