"""Counts of one table: rows, rows of each version, and rows by the staged file that wrote them last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from datalake_kit.cdc.ordering import Ordering, sequence_text
from datalake_kit.cdc.relation import Relation
from datalake_kit.cdc.result import BY_FILE_TYPES

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide

VERSIONS = "lake_versions"


def count_versions(ordering: Ordering, side: LakeSide, lake: Relation | None, *, compared: bool) -> bool:
    """Count the lake's rows by sequence into a table; False where it has no such column.

    `compared` says that the rows are in the workspace already.
    """
    work, sequence = ordering.work, ordering.staged.sequence
    name = side.column(sequence)
    if sequence is None or name is None:
        return False
    grouped = f"CREATE TABLE {VERSIONS} AS SELECT seq, count(*) AS n FROM {{}} GROUP BY seq"
    if compared:
        work.run(grouped.format("lake_rows"))
    elif lake is not None:
        found = lake.find(name) or name
        work.run(grouped.format(f"({lake.select(lambda part: f'{sequence_text(part, found)} AS seq')})"))
    else:
        _take(ordering, side.versions(sequence) or [])
    return True


def _take(ordering: Ordering, versions: Sequence[tuple[str, int]]) -> None:
    table = pa.table(
        {"seq": pa.array([v for v, _ in versions], pa.string()), "n": pa.array([n for _, n in versions], pa.int64())}
    )
    shown = ordering.work.show(table)
    ordering.work.run(f"CREATE TABLE {VERSIONS} AS SELECT * FROM {shown}")


def misplaced_versions(ordering: Ordering) -> tuple[int, int]:
    """How many rows of the versions expected the lake lacks, and how many it has of others."""
    wrong, strange = ordering.work.rows(
        "SELECT coalesce(sum(greatest(coalesce(e.n, 0) - coalesce(v.n, 0), 0)), 0), "
        "coalesce(sum(greatest(coalesce(v.n, 0) - coalesce(e.n, 0), 0)), 0) "
        f"FROM (SELECT seq, count(*) AS n FROM {ordering.expected} GROUP BY seq) AS e "
        f"FULL JOIN {VERSIONS} AS v ON e.seq = v.seq"
    )[0]
    return int(wrong), int(strange)


def rows_by_file(table: str, ordering: Ordering, runs: pd.DataFrame, *, versions: bool) -> pd.DataFrame:
    """Count rows by the staged file that wrote them last, as they should be and as the lake has them."""
    frame = runs.copy()
    frame.insert(0, "table", table)
    wanted = ordering.counts_by_file(ordering.expected)
    frame["expected"] = wanted
    frame["lake"] = _lake_by_file(ordering, wanted) if versions else pd.NA
    frame["difference"] = frame["lake"] - frame["expected"]
    return frame[list(BY_FILE_TYPES)].astype(BY_FILE_TYPES)


def _lake_by_file(ordering: Ordering, wanted: Sequence[int]) -> list[int]:
    """Give the lake's rows to files by their sequence; those of the full load have none and fill its files.

    A change delivered twice belongs to the file whose row stands.
    """
    stands = "version" if ordering.mode == "H" else "latest"
    found = dict(
        ordering.work.rows(
            f"SELECT o.file, sum(v.n) FROM {VERSIONS} AS v JOIN ("
            f"SELECT seq, coalesce(max(file) FILTER (op <> 'L' AND {stands}), max(file) FILTER (op <> 'L')) AS file "
            "FROM ordered WHERE op <> 'L' GROUP BY seq) AS o ON v.seq = o.seq WHERE v.seq <> '' GROUP BY o.file"
        )
    )
    files = ordering.staged.files
    counts = [int(found.get(n, 0)) for n, _ in enumerate(files)]
    left = int(ordering.work.value(f"SELECT coalesce(sum(n), 0) FROM {VERSIONS} WHERE seq = ''"))
    loads = [n for n, f in enumerate(files) if f.kind == "full load"]
    for n in loads:  # rows of several full-load files cannot be told apart: fill them in order
        counts[n] = left if n == loads[-1] else min(left, wanted[n])
        left -= counts[n]
    return counts
