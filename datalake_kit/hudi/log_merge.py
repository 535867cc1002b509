"""Rows of a file slice with log files: its base file, with the changes of the log files over it.

Which of two versions of a key wins is the table's rule: the one written later, or the one with the higher ordering
value (the later one where they are equal). Within log files and against the base file the rules may differ: so it is
with Hudi's older default, where a log file always wins over the base file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import HudiError
from datalake_kit.hudi.evolution import find_column
from datalake_kit.hudi.log_records import Changes
from datalake_kit.hudi.properties import TableProperties

KEY = "_hoodie_record_key"
_IS_DELETED = "_hoodie_is_deleted"
_MARKER = "hoodie.record.merge.property.hoodie.payload.delete."
_DMS_PAYLOAD = "AWSDmsAvroPayload"
# Payload classes of versions up to 6: whether the ordering value decides against the base file too.
_PAYLOADS = {
    "": False,
    "OverwriteWithLatestAvroPayload": False,
    _DMS_PAYLOAD: False,
    "DefaultHoodieRecordPayload": True,
    "EventTimeAvroPayload": True,
}


@dataclass(frozen=True)
class MergeRule:
    """How versions of a key are put in order: by ordering columns within log files, and against the base file."""

    ordering: tuple[str, ...]
    in_logs: bool
    over_base: bool
    delete_column: str = ""
    delete_marker: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that merging looks at, where there are such."""
        return tuple(n for n in (KEY, *self.ordering, self.delete_column, _IS_DELETED) if n)


@dataclass
class _Version:
    """The newest version of a key: its ordering value (None: not to be compared), and its row (None: deleted)."""

    order: Any
    row: tuple[int, int] | None


def merge_rule(table: TableProperties) -> MergeRule:
    """Return how the table's log files are merged.

    Raises
    ------
    HudiError
        A payload class or merge mode whose result is not known here, or a table without Hudi's key column.
    """
    payload = table.raw.get("hoodie.compaction.payload.class", "").rsplit(".", 1)[-1]
    mode = table.raw.get("hoodie.record.merge.mode", "").upper()
    partial = table.raw.get("hoodie.table.partial.update.mode", "")
    if not table.has_meta_fields:
        raise _refused(table, "has log files and no column _hoodie_record_key")
    if partial and partial.upper() != "NONE":
        raise _refused(table, f"is updated in parts of rows (hoodie.table.partial.update.mode={partial})")
    if table.has_new_layout and mode in ("", "EVENT_TIME_ORDERING", "COMMIT_TIME_ORDERING"):
        by_event = bool(table.ordering_fields) and mode != "COMMIT_TIME_ORDERING"
        in_logs, over_base = by_event, by_event
    elif not table.has_new_layout and payload in _PAYLOADS:
        in_logs, over_base = bool(table.ordering_fields), bool(table.ordering_fields) and _PAYLOADS[payload]
    else:
        raise _refused(table, f"merges its log files by a rule of its own ({payload or mode})")
    dms = payload == _DMS_PAYLOAD
    column = table.raw.get(_MARKER + "field") or ("Op" if dms else "")
    marker = table.raw.get(_MARKER + "marker") or ("D" if dms else "")
    return MergeRule(table.ordering_fields, in_logs, over_base, column, marker)


def merge(rule: MergeRule, base: pa.Table, changes: Sequence[Changes]) -> pa.Table:
    """Put changes over the rows of a base file; the rows of all have the columns of `base`."""
    newest = _newest(rule, changes)
    if not newest:
        return base
    hit = pc.is_in(base.column(KEY), value_set=pa.array(list(newest), base.schema.field(KEY).type))
    parts = [base.filter(pc.invert(hit)), _kept(rule, base.filter(hit), newest)]
    rows: dict[int, list[int]] = {}
    for one in newest.values():
        if one.row is not None:
            rows.setdefault(one.row[0], []).append(one.row[1])
    for number, positions in sorted(rows.items()):
        block = changes[number].rows
        if block is not None:
            parts.append(block.take(pa.array(positions)))
    return pa.concat_tables(parts)


def _newest(rule: MergeRule, changes: Sequence[Changes]) -> dict[str, _Version]:
    found: dict[str, _Version] = {}
    for number, block in enumerate(changes):
        for key, version in _versions(rule, number, block):
            known = found.get(key)
            if known is None or not rule.in_logs or _wins(version, known):
                found[key] = version
    return found


def _versions(rule: MergeRule, number: int, block: Changes) -> Iterator[tuple[str, _Version]]:
    for key, order in block.deletes:
        yield key or "", _Version(None if order == 0 or len(rule.ordering) > 1 else order, None)
    if block.rows is None:
        return
    keys, orders = block.rows.column(KEY).to_pylist(), _orders(rule, block.rows)
    gone = _marked(rule, block.rows)
    for position, (key, order) in enumerate(zip(keys, orders, strict=True)):
        yield key, _Version(order, None if position in gone else (number, position))


def _wins(newer: _Version, older: _Version) -> bool:
    """Whether the version that was written later is the newer one; without ordering values to compare it is."""
    if newer.order is None or older.order is None:
        return True
    try:
        return bool(newer.order >= older.order)
    except TypeError:  # of different types, which Hudi does not compare either
        return True


def _kept(rule: MergeRule, rows: pa.Table, newest: dict[str, _Version]) -> pa.Table:
    """Take of the base file's rows with changed keys those that stay, and drop the changes that they win over.

    The first row of a key meets the change; further ones, which a bulk insert may leave, stay as they are.
    """
    seen: set[str] = set()
    mask = []
    for key, order in zip(rows.column(KEY).to_pylist(), _orders(rule, rows), strict=True):
        first = key not in seen
        seen.add(key)
        stays = not first or (rule.over_base and not _wins(newest[key], _Version(order, None)))
        if first and stays:
            del newest[key]
        mask.append(stays)
    return rows.filter(pa.array(mask, pa.bool_()))


def _orders(rule: MergeRule, rows: pa.Table) -> list[Any]:
    names = [find_column(rows.schema.names, name) for name in rule.ordering] if rule.in_logs else []
    columns = [rows.column(name).to_pylist() for name in names if name is not None]
    if not columns or len(columns) < len(rule.ordering):
        return [None] * rows.num_rows
    if len(columns) == 1:
        return list(columns[0])
    return [None if None in values else values for values in zip(*columns, strict=True)]


def _marked(rule: MergeRule, rows: pa.Table) -> frozenset[int]:
    """Positions of rows that are there to say that their key is deleted."""
    marks = []
    if rule.delete_column and (name := find_column(rows.schema.names, rule.delete_column)) is not None:
        marks.append(pc.equal(rows.column(name).cast(pa.string()), rule.delete_marker))
    if _IS_DELETED in rows.schema.names:
        marks.append(rows.column(_IS_DELETED))
    return frozenset(i for mark in marks for i, marked in enumerate(mark.to_pylist()) if marked)


def _refused(table: TableProperties, what: str) -> HudiError:
    return HudiError(
        f"{table.folder} {what}, which is not merged here. Compact the table, or read it in Spark; "
        'view="read_optimized" reads what is compacted.'
    )
