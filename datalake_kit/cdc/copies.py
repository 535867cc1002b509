"""Two copies of a table in Parquet files: which keys differ, and in which columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datalake_kit.cdc.compare import Aligned, Comparison, Tolerances, align
from datalake_kit.cdc.details import Difference, Side, changed_columns, differences
from datalake_kit.cdc.relation import Part, of_files
from datalake_kit.cdc.workspace import Workspace


@dataclass(frozen=True)
class Copies:
    """What two copies have apart.

    Attributes
    ----------
    counts : Counter
        Keys that are missing, extra, changed or duplicate in the second.
    differences : list of Difference
        The first of them, in the order of the keys.
    by_column : Counter
        In how many changed keys each column differs.
    not_compared : tuple of str
        Columns that one copy lacks, or whose types do not go together.
    """

    counts: Counter[str]
    differences: list[Difference] = field(repr=False)
    by_column: Counter[str]
    not_compared: tuple[str, ...]


def compare_copies(
    ours: Sequence[Path],
    theirs: Sequence[Path],
    keys: Sequence[str],
    *,
    columns: bool = False,
    tolerance: Tolerances = None,
) -> Copies:
    """Compare two copies of a table that lie in local Parquet files.

    Parameters
    ----------
    ours, theirs : list of Path
        The files of what should be, and of what is.
    keys : list of str
        The columns that identify a row, unique in `ours`.
    columns : bool
        Whether to say in which columns changed rows differ.
    tolerance : number, timedelta, or mapping of column to these, optional
        How far two values may lie apart and still count as equal.

    Raises
    ------
    DataError
        A key column is missing or of a type that does not go with the other.
    UnreadableFileError
        A file is gone, cut short, or no Parquet file.
    """
    with Workspace() as work:
        one, other = of_files(work, ours), of_files(work, theirs)
        own = [one.find(key) or key for key in keys]
        aligned = align(one, other, own, tolerance=tolerance, where="the other copy")
        for name, side, mine in (("copy_ours", one, True), ("copy_theirs", other, False)):
            slim = " UNION ALL ".join(f"SELECT {_slim(p, aligned, mine)} FROM {p.source}" for p in side.parts)
            work.run(f"CREATE VIEW {name} AS SELECT *, '' AS seq FROM ({slim})")
        comparison = Comparison(work, "copies", "copy_ours", "copy_theirs", len(own), aligned.near)
        found: Counter[str] = Counter()
        if columns:
            for changed in changed_columns(comparison, aligned, Side(one), Side(other)).values():
                found.update(changed.columns)
        absent = (*aligned.never_arrived, *aligned.not_comparable)
        return Copies(comparison.counts, differences(comparison), found, absent)


def _slim(part: Part, aligned: Aligned, mine: bool) -> str:
    keys = [f"{p.ours(part) if mine else p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys)]
    near = [f"{p.ours(part) if mine else p.theirs(part)} AS t{i}" for i, p in enumerate(aligned.near)]
    return ", ".join([*keys, f"{aligned.number(part, ours=mine)} AS h", *near])
