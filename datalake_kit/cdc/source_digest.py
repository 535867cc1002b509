"""A source in a database, compared by digests of key ranges, and what is told of the keys that differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.compare import PIPELINE_COLUMNS, UNVERIFIED
from datalake_kit.cdc.explain import UNEXPLAINED
from datalake_kit.cdc.findings import masked_key
from datalake_kit.cdc.moving import later_in
from datalake_kit.sql import quote_identifier

if TYPE_CHECKING:
    from datalake_kit.cdc.source_hop import SourceHop


def compare_in_database(hop: SourceHop, relation: str) -> bool:
    """Let the database compare itself, by digests of key ranges."""
    names = list(hop.keys) if hop.keys_only else None
    until = None
    if hop.changed_at is not None and hop.cut is not None:
        until = (
            hop.changed_at,
            later_in(hop.changed_at, *hop.source.type_and_largest(hop.changed_at), hop.cut),
        )
    found = hop.source.differences(hop.work.connection, relation, names, list(hop.keys), until=until)
    _note_refused(hop, found)
    if names is None:
        _note_lacking(hop, relation)
    keys = found.keys
    told: dict[Any, list[Any]] = {}
    for one in found.columns:
        told.setdefault(one.key, []).append(one)
    hidden = {m.casefold() for m in hop.mask}
    masked = [k.casefold() in hidden for k in hop.keys]
    waiting, many = set(found.lag), len(keys.duplicates)
    if until is not None:
        hop.note_late(len(waiting), found.oldest_lag)
    for kind, listed in (("missing", keys.missing), ("extra", keys.extra), ("changed", keys.changed)):
        for key in listed:
            if key in waiting:
                continue
            hop.check.counts[kind] += 1
            many += 1
            _note_key(hop, kind, key, masked, told.get(key, ()), hidden)
    for key, (ours, theirs) in keys.duplicates.items():
        hop.check.counts["duplicate"] += 1
        text = f"{UNEXPLAINED} ({theirs} rows; the source has {ours})"
        hop.check.note("duplicate", hop=hop.hop, key=masked_key(key, masked), explanation=text)
    for rule in found.rules:
        hop.check.check(f"rule of the comparison with the source: {rule}", None, None, passed=True, tolerance=None)
    if hop.tolerance is not None:
        rule = "rule of the comparison with the source: no tolerance; a database compares digests of exact values"
        hop.check.check(rule, None, None, passed=True, tolerance=None)
    equal = bool(keys.exact and not many)
    hop.settled(many, equal=equal)
    if keys.unresolved:
        ours, theirs = (sum(getattr(r, n) for r in keys.unresolved) for n in ("source_rows", "other_rows"))
        text = (
            f"{len(keys.unresolved)} more ranges of keys differ and were not looked into, being too many: {ours} "
            f"rows in the source, {theirs} in {hop.where}. Copy the source's table to Parquet and give that as "
            "source="
        )
        hop.check.note(UNVERIFIED, hop=hop.hop, explanation=text)
    if keys.null_keys_differ:
        text = f"rows with NULL as key differ: {keys.null_keys[0]} in the source, {keys.null_keys[1]} in {hop.where}"
        hop.check.note(UNVERIFIED, hop=hop.hop, explanation=text)
    return equal


def lacked_by_source(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """The columns of the other side that the source lacks, but for those that DMS and Hudi add."""
    known = {n.casefold() for n in (*ours, *PIPELINE_COLUMNS)}
    return [n for n in theirs if n.casefold() not in known and not n.startswith("_")]


def _note_lacking(hop: SourceHop, relation: str) -> None:
    there = [str(row[0]) for row in hop.work.rows(f"DESCRIBE SELECT * FROM {relation}")]
    names = lacked_by_source(hop.source.columns, there)
    if not names:
        return
    counted = ", ".join(f"count({quote_identifier(n)})" for n in names)
    for name, filled in zip(names, hop.work.rows(f"SELECT {counted} FROM {relation}")[0], strict=True):
        if filled:
            has = "row has" if filled == 1 else "rows have"
            text = (
                f"the column {name} is not in the source and cannot be compared: {filled} {has} a value in {hop.where}"
            )
            hop.check.note(UNVERIFIED, hop=hop.hop, column=name, explanation=text)


def _note_refused(hop: SourceHop, found: Any) -> None:
    for name, reason in () if hop.keys_only else found.not_compared.items():
        text = f"the column {name} cannot be compared with {hop.where}: {reason}"
        hop.check.note(UNVERIFIED, hop=hop.hop, column=name, explanation=text)
    if found.repeated:
        text = (
            f"{', '.join(hop.keys)} does not identify a row of the source: {len(found.repeated)} or more keys are "
            "there several times; these cannot be compared. Name the right keys"
        )
        hop.check.note(UNVERIFIED, hop=hop.hop, explanation=text)


def _note_key(
    hop: SourceHop, kind: str, key: Any, masked: Sequence[bool], columns: Sequence[Any], hidden: Collection[str]
) -> None:
    def values(name: str) -> str | None:
        told = [(c.column, "***" if c.column.casefold() in hidden else getattr(c, name)) for c in columns]
        if len(told) == 1:
            return str(told[0][1])
        return ", ".join(f"{c}={v}" for c, v in told) or None

    hop.check.note(
        kind,
        hop=hop.hop,
        key=masked_key(key, masked),
        column=", ".join(c.column for c in columns) or None,
        before=values("before"),
        after=values("after"),
        explanation=hop.unexplained(kind),
    )


__all__ = ["compare_in_database"]
