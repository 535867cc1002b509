"""What the staged files say where the source differs from the state that they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datalake_kit.cdc.details import Difference
from datalake_kit.cdc.explain import UNEXPLAINED, Explanation
from datalake_kit.cdc.moving import DELETED_LATER, When
from datalake_kit.cdc.workspace import text_literal
from datalake_kit.sql import quote_identifier

if TYPE_CHECKING:
    from datalake_kit.cdc.ordering import Ordering


def whole_rows(ordering: Ordering) -> str:
    """The current rows with every column, in a file of the workspace: a database's digests look at them often."""
    names = [n for n in ordering.staged.columns if n not in ordering.relation.twins]
    parts = []
    for part in ordering.relation.parts:
        file, position, _ = ordering.staged.origin(part)
        columns = ", ".join(
            f"{'s.' if n in part.columns else ''}{part.column(n)[0]} AS {quote_identifier(n)}" for n in names
        )
        parts.append(
            f"SELECT {columns} FROM (SELECT *, CAST({file} AS INTEGER) AS dk_file, "
            f"CAST({position} AS BIGINT) AS dk_pos FROM {part.source}) AS s "
            "SEMI JOIN current AS c ON s.dk_file = c.file AND s.dk_pos = c.pos"
        )
    target = text_literal(str(ordering.work.folder / "expected.parquet"))
    ordering.work.run(f"COPY ({' UNION ALL '.join(parts)}) TO {target} (FORMAT parquet)")
    return f"(SELECT * FROM read_parquet({target}))"


def newest_of(ordering: Ordering) -> tuple[When | None, str]:
    """Up to when the staged files go: to their last change, without any to when the full load landed."""
    if ordering.last_sequence:
        return ordering.last_sequence, "the last processed sequence"
    return max((f.landed for f in ordering.staged.files if f.landed), default=None), "when the full load landed"


def reasons(ordering: Ordering, found: Sequence[Difference], *, later: bool) -> dict[int, Explanation]:
    """What the staged rows of a key say about its difference from the source."""
    k = " AND ".join(f"s.k{i} = d.r{i}" for i, _ in enumerate(ordering.keys))
    rows = ordering.work.rows(
        f"SELECT d.id, s.file, s.op, s.g, w.h FROM origin_keys AS d JOIN all_staged AS s ON {k} "
        f"LEFT JOIN origin_wanted AS w ON w.id = d.id WHERE d.id <= {max((f.id for f in found), default=0)} "
        "ORDER BY d.id, s.op <> 'L', CASE WHEN s.op = 'L' THEN '' ELSE s.seq END, s.file, s.pos"
    )
    versions: dict[int, list[tuple[int, str, bool]]] = {}
    for number, file, operation, ours, theirs in rows:
        versions.setdefault(number, []).append((file, operation, ours == theirs))
    names = [f.name for f in ordering.staged.files]
    return {one.id: _reason(one, versions.get(one.id, ()), names, later) for one in found}


def _reason(
    one: Difference, versions: Sequence[tuple[int, str, bool]], names: Sequence[str], later: bool
) -> Explanation:
    if not versions:
        return Explanation(f"{UNEXPLAINED}: no staged file has this key")
    file, operation, _ = versions[-1]
    same = [f for f, o, equal in versions[:-1] if equal and o != "D"]
    if one.kind == "missing" and operation == "D":
        brief = f"{UNEXPLAINED}: the staged files end with a delete of the key"
        return Explanation(f"{brief} ({names[file]})", names[file], brief=brief)
    if one.kind == "extra":
        told = f"{UNEXPLAINED}: no staged file deletes the key"
        return Explanation(f"{told}, {DELETED_LATER}" if later else told)
    if same:
        brief = f"{UNEXPLAINED}: the source has values that a later change replaced"
        return Explanation(f"{brief} (those of {names[same[-1]]}, replaced by {names[file]})", names[file], brief=brief)
    return Explanation(f"{UNEXPLAINED}: no staged row has the source's values")


__all__ = ["newest_of", "reasons", "whole_rows"]
