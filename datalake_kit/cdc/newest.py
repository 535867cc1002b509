"""The rows of a lake that a source is held against: of a historical table the newest of each key, up to a cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datalake_kit.cdc.ordering import sequence_text
from datalake_kit.cdc.relation import Part, Relation
from datalake_kit.cdc.workspace import text_literal


def newest_rows(
    lake: Relation,
    columns: Callable[[Part], str],
    keys: Sequence[str],
    sequence: str | None,
    operation: str | None,
    *,
    current: bool,
    limit: str | None,
) -> str:
    """The SQL of columns of the lake's rows, and `dk_seq`, `dk_dead`: a row's sequence, and whether it is a delete.

    Parameters
    ----------
    lake : Relation
    columns : callable
        Gives the SQL of the columns for a part.
    keys : sequence of str
        The names that some of the columns have, quoted where needed.
    sequence, operation : str, optional
        The lake's columns of these.
    current : bool
        Whether the table is historical: then only the newest row of each key, and none that is a delete.
    limit : str, optional
        The ordered text that no sequence up to the cut exceeds; a historical table is looked at as it was then.
    """

    def row(part: Part) -> str:
        seq = sequence_text(part, sequence) if sequence else "''"
        dead = f"upper(CAST({part.column(operation)[0]} AS VARCHAR)) LIKE 'D%'" if operation else "false"
        return f"{columns(part)}, {seq} AS dk_seq, coalesce({dead}, false) AS dk_dead"

    rows = f"SELECT * FROM ({lake.select(row)})"
    if not current:
        return rows
    if limit is not None:
        rows += f" WHERE dk_seq <= {text_literal(limit)}"
    place = f"row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY dk_seq DESC)"
    return f"SELECT * FROM ({rows} QUALIFY {place} = 1) WHERE NOT dk_dead"


__all__ = ["newest_rows"]
