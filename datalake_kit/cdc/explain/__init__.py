"""Why a key is not as it should be: what the pipeline would leave behind, replayed with one thing gone wrong.

An explanation is given only when replaying it leaves exactly the rows that the lake has for the key, and, for a file
that was never processed, when every key which that file touches agrees with it. Everything else stays "unexplained".

Pure: plain Python over the versions of the keys in question. Keys that look alike are replayed once.
"""

from __future__ import annotations

from typing import Any

from datalake_kit.cdc.explain.bench import Bench, EffortSpentError
from datalake_kit.cdc.explain.case import STRANGER, UNEXPLAINED, Case, Explanation, Fault
from datalake_kit.cdc.explain.lake_files import explain_by_faults, explain_by_pending
from datalake_kit.cdc.explain.order import explain_by_late_files, explain_by_overwriting
from datalake_kit.cdc.explain.parts import explain_by_parts
from datalake_kit.cdc.explain.ways import (
    explain_by_partitions_and_copies,
    explain_by_runs,
    explain_late,
    find_late,
    told,
)
from datalake_kit.cdc.explain.withheld import Withheld, find_withheld
from datalake_kit.cdc.explain.words import Reason, reason_of
from datalake_kit.cdc.pipeline import PLAIN

__all__ = ["UNEXPLAINED", "Case", "Explanation", "Fault", "explain"]


def explain(case: Case) -> dict[Any, Explanation]:
    """Explain each damaged key, or say that it is unexplained.

    Parameters
    ----------
    case : Case
        The versions of the keys in question, what the lake has of them, and what is known of files and commits.

    Returns
    -------
    dict of key to Explanation
        One for each key of `case.damaged`.
    """
    bench = Bench(case)
    rest = Explanation()
    try:
        _explain(bench)
    except EffortSpentError:
        rest = Explanation(f"{UNEXPLAINED}: too many keys differ to try every cause for each")
    strange = Explanation(f"{UNEXPLAINED}: no staged file has this key", cause=STRANGER)
    for shape in bench.open:
        bench.found[shape] = rest if shape.versions else strange
    return {key: bench.found[shape] for key, shape in bench.shapes.items()}


def _explain(bench: Bench) -> None:
    explain_by_partitions_and_copies(bench)
    explain_by_faults(bench)
    explain_by_overwriting(bench)
    withheld = _explain_by_order_or_absence(bench)
    explain_by_parts(bench, withheld.files)
    explain_by_pending(bench, withheld.files)
    if withheld.files:
        explain_by_faults(bench, withheld.files)
    explain_by_late_files(bench, withheld.files)
    explain_by_runs(bench, withheld.files)


def _explain_by_order_or_absence(bench: Bench) -> Withheld:
    """Files never processed, or older changes that won: what explains more keys comes first."""
    withheld, late = find_withheld(bench), find_late(bench)
    if late.ways and late.weight(bench) >= withheld.weight(bench):
        explain_late(bench, late)
        withheld = find_withheld(bench)
    _explain_withheld(bench, withheld)
    explain_late(bench, find_late(bench, withheld.files))
    return withheld


def _explain_withheld(bench: Bench, withheld: Withheld) -> None:
    reasons: dict[frozenset[int], Reason] = {}
    for shape, files in withheld.needed.items():
        reason = reasons[files] if files in reasons else reasons.setdefault(files, reason_of(bench, withheld, files))
        way = bench.fit(shape, withheld.files)
        story = told(bench, shape, way, withheld.files & shape.files).text if way not in (None, PLAIN) else ""
        bench.explain(shape, _never_processed(bench, reason, files, f"; {story}" if story else ""))
    _explain_twice(bench, withheld, reasons)


def _explain_twice(bench: Bench, withheld: Withheld, reasons: dict[frozenset[int], Reason]) -> None:
    """Keys that would differ all the same had the files been processed, such as a delete that cannot find its row."""
    if not withheld.needed:
        return
    for shape, known in list(bench.found.items()):
        own = withheld.files & shape.files
        if own and shape not in withheld.needed and bench.fit(shape, own) == PLAIN:
            needed = frozenset(f for f in own if bench.fit(shape, own - {f}) != PLAIN) or own
            reason = reasons.get(needed) or reason_of(bench, withheld, needed)
            also = f"; processed, the key would differ all the same: {known.text}"
            bench.found[shape] = _never_processed(bench, reason, needed, also)


def _never_processed(bench: Bench, reason: Reason, files: frozenset[int], also: str) -> Explanation:
    brief = reason.brief or reason.text
    names = bench.case.names(files)
    return Explanation(f"{reason.text}{also}", names, reason.commit, brief=brief, cause=reason.cause)
