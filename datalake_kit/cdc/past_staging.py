"""A table without staged files: the lake held against the source itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datalake_kit.cdc.compare import UNVERIFIED
from datalake_kit.cdc.cuts import cut_at, ordered, shown
from datalake_kit.cdc.moving import When, moment_of
from datalake_kit.cdc.options import Options, depths
from datalake_kit.cdc.ordering import sequence_text
from datalake_kit.cdc.relation import Relation
from datalake_kit.cdc.replay import Mode
from datalake_kit.cdc.result import EQUAL
from datalake_kit.cdc.settings import OPERATION_NAMES, SEQUENCE_NAMES
from datalake_kit.cdc.source_hop import SourceHop
from datalake_kit.cdc.table_check import PAST_STAGING, TableCheck
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.errors import ParameterError
from datalake_kit.hudi.instants import to_datetime

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide


BY_SEQUENCE = "the lake's newest sequence"


def compare_past_staging(
    side: LakeSide, staging: str, keys: Sequence[str], mode: Mode, options: Options, count: int | None
) -> TableCheck:
    """Hold the lake against the source itself; deeper where the counts do not agree."""
    for depth in (*depths(side, options), "values"):
        check = TableCheck(side.name, staging, EQUAL, mode=mode, compared=depth)
        with Workspace() as work:
            agrees = _compare_with_source(work, check, side, keys, mode, options, count)
        if agrees or depth == "values":
            break
    return check


def _compare_with_source(
    work: Workspace,
    check: TableCheck,
    side: LakeSide,
    keys: Sequence[str],
    mode: Mode,
    options: Options,
    count: int | None,
) -> bool:
    names = list(keys)
    sequence = side.column(side.ordering) or next((c for n in SEQUENCE_NAMES if (c := side.column(n))), None)
    current = mode == "H"
    if current:
        names = [n for n in names if n.casefold() != (sequence or "").casefold()]
    keys_only = check.compared == "keys"
    hop = SourceHop.asked(work, check, options, names, PAST_STAGING, keys_only)
    rows, lake = hop.count(), side.relation(work) if check.compared != "counts" or count is None else None
    check.lake_rows = count
    if count is None and lake is not None:
        check.lake_rows = int(work.value(f"SELECT count(*) FROM ({lake.select(lambda part: '1')})"))
    agrees = rows == check.lake_rows
    if not current:
        hop.check_rows("rows", check.lake_rows)
    for fault in side.faults():
        check.note(
            UNVERIFIED, hop=PAST_STAGING, file=fault.file, commit=fault.commit or None, explanation=fault.problem
        )
    if check.compared != "counts" and lake is not None:
        operation = next((c for n in OPERATION_NAMES if (c := side.column(n))), None)
        found = [None if n is None else lake.find(n) for n in (sequence, operation)]
        newest, told = _newest_of(work, side, lake, found[0])
        hop.cut_at(newest, told)
        if options.until is not None:
            hop.limit = _limit(options.until, str(newest) if told == BY_SEQUENCE else "")
        agrees = hop.compare_with_lake(lake, *found, current=current)
    check.judge(agrees)
    return agrees and not (current and check.compared == "counts")


def _newest_of(work: Workspace, side: LakeSide, lake: Relation, sequence: str | None) -> tuple[When | None, str]:
    """Up to when the lake goes: to its newest sequence, where that is no time to its newest commit."""
    newest = ""
    if sequence is not None:
        rows = lake.select(lambda part: f"{sequence_text(part, sequence)} AS seq")
        newest = shown(str(work.value(f"SELECT max(seq) FROM ({rows})") or ""))
    commit = to_datetime(side.commit)
    if newest and (commit is None or moment_of(newest) is not None):
        return newest, BY_SEQUENCE
    return commit, "the lake's newest commit"


def _limit(until: When, newest: str) -> str | None:
    """The text that no sequence of the lake up to a cut exceeds; None where it has none.

    Raises
    ------
    ParameterError
        The cut is neither a time nor a sequence.
    """
    if newest:
        return cut_at(until, ordered(newest))
    if moment_of(until) is None and not str(until).strip().isdecimal():
        raise ParameterError(f"until={until!r} is neither a time such as 2026-03-01T10:00:00 nor a sequence.")
    return None
