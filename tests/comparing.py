"""A random world compared with the rows of a lake, without a lake: the parts of a table's check put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from datalake_kit.cdc.compare import Aligned, Comparison, align
from datalake_kit.cdc.details import Difference, differences
from datalake_kit.cdc.explain import Case, Explanation, explain
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.relation import of_arrow
from datalake_kit.cdc.staged import StagedTable
from datalake_kit.cdc.versions import Known, case_of, record_columns
from datalake_kit.cdc.workspace import Workspace
from tests.worlds import SCHEMA, World


def compared(
    work: Workspace, staged: StagedTable, lake: pa.Table, keys: Sequence[str] = ("ID",), mode: str = "S"
) -> tuple[Ordering, Aligned, Comparison]:
    """Staged rows replayed and compared with those of a lake, in a workspace."""
    relation, theirs = staged.relation(work), of_arrow(work, lake)
    record = [*keys, *([staged.sequence] if mode == "H" and staged.sequence else [])]
    aligned = align(relation, theirs, record, columns=staged.columns, sequence=staged.sequence)
    forms = {p.name: p.form for p in aligned.keys if not p.is_sequence}
    ordering = Ordering(
        work,
        staged,
        keys,
        mode=mode,
        relation=relation,
        forms=forms,
        extras={"h": lambda part: aligned.number(part, ours=True)},
    )
    sequence = next(p for p in aligned.pairs if p.is_sequence)
    work.run(
        "CREATE TABLE lake_rows AS "
        + theirs.select(
            lambda part: (
                ", ".join(f"{p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys))
                + f", {sequence.theirs(part)} AS seq, {aligned.number(part, ours=False)} AS h"
            )
        )
    )
    wanted = f"SELECT {', '.join(record_columns(ordering))}, h, seq, file, pos FROM expected"
    work.run(f"CREATE VIEW wanted_rows AS {wanted}")
    return ordering, aligned, Comparison(work, "hop", "wanted_rows", "lake_rows", len(record))


def case(
    world: World, lake: list[tuple[Any, ...]], faults: Sequence[Any] = (), mode: str = "S"
) -> tuple[list[Difference], Case]:
    """The differences of a lake from what a world says, and what is known of their keys."""
    table = pa.table([pa.array([r[i] for r in lake], f.type) for i, f in enumerate(SCHEMA)], schema=SCHEMA)
    with Workspace() as work:
        ordering, _, comparison = compared(work, world.staged(), table, mode=mode)
        found = differences(comparison)
        return found, case_of(ordering, comparison, found, Known(partition_columns=("PART",), faults=faults))


def differ(
    world: World, lake: list[tuple[Any, ...]], faults: tuple[Any, ...] = ()
) -> tuple[list[Difference], dict[Any, Explanation]]:
    """The differences of a lake from what a world says, and their explanations."""
    found, known = case(world, lake, faults)
    return found, explain(known)
