"""What new rows make of each field, held against what the kept rows are: the same, or all must be read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from datalake_kit.jira.fields import rules
from datalake_kit.jira.fields.cast import TYPES, cast_column
from datalake_kit.jira.fields.plan import Field, Source
from datalake_kit.jira.fields.unpack import Unpacked, run_plan
from datalake_kit.jira.kept.rebuild import (
    count_real_numbers,
    field_state,
    fragile,
    holding_rows,
    outcome_of,
    rule_with_outputs,
)
from datalake_kit.jira.kept.stored import FieldState, State, read_rows, row_keys
from datalake_kit.storage.layers import ROW_KEY, Layers

Columns = list[pa.ChunkedArray]


class RebuildNeededError(Exception):
    """What is kept cannot be gone on from; the text says why. Never leaves the package: all files are read instead."""


@dataclass(frozen=True)
class Won:
    """The new rows that are the newest of their issues, and the kept rows that they supersede."""

    source: Source
    landed: pa.Table  # _file, _row, _instant, _id, by position
    superseded: pa.Table  # _file, _row
    rows_in: int
    rows_rejected: int


@dataclass(frozen=True)
class Base:
    """What is kept: the table, its state, and how many of its rows stay."""

    layers: Layers
    state: State
    stay: int

    def at_least(self, rows: int) -> int:
        """Of so many rows with something, how many stay at least: all that do, where all rows have it."""
        gone = self.layers.rows - self.stay
        return self.stay if rows == self.layers.rows else max(0, rows - gone)

    def staying(self, won: Won, stored: list[str]) -> pa.Table:
        """Columns of the rows that stay."""
        import numpy as np

        table = read_rows(self.layers, [*ROW_KEY, *stored])
        return table.filter(pa.array(~np.isin(row_keys(table), row_keys(won.superseded)))).select(stored)


@dataclass(frozen=True)
class Settled:
    """The new rows as they are to be stored, and the state of each field with them (of a new one without number)."""

    unpacked: Unpacked
    states: dict[str, FieldState]
    real_numbers: dict[str, int]


def settle(base: Base, won: Won, plan: Mapping[str, Field], unpacked: Unpacked) -> Settled:
    """Bring the new rows into the form of the kept ones.

    Raises
    ------
    RebuildNeededError
        A field has another rule than it had, or its values have another type.
    """
    columns: dict[str, Columns] = {}
    fields: dict[str, Field] = {}
    for key, planned in plan.items():
        columns[key], fields[key] = _field(base, won, planned, (unpacked.columns[key], unpacked.fields[key]))
    real = _real_numbers(base, won, plan, columns)
    held = _held(base, won, [key for key in plan if key in base.state.fields])
    states = {}
    for key, planned in plan.items():
        number = base.state.fields[key].number if key in base.state.fields else -1
        new = holding_rows(columns[key])
        rows = [old + more for old, more in zip(held.get(key, [0] * len(new)), new, strict=True)]
        states[key] = field_state(number, planned, fields[key], rows)
    return Settled(Unpacked(columns, fields, unpacked.others), states, real)


def _field(base: Base, won: Won, planned: Field, found: tuple[Columns, Field]) -> tuple[Columns, Field]:
    key, (columns, final) = planned.info.id, found
    old = base.state.fields.get(key)
    if old is None:
        if key in base.state.not_only_null:
            raise RebuildNeededError(
                f"{key} has its first value, and older documents have empty lists or objects in it"
            )
        return found
    if old.rule != rule_with_outputs(planned):
        raise RebuildNeededError(f"what {key} holds asks for {rule_with_outputs(planned)} instead of {old.rule}")
    if old.outcome == "text":
        return _as_text(base, won, planned, old, found)
    if old.outcome == "number":
        number = columns[0] if final.rule is rules.NUMBER else cast_column(columns[0], "number")
        if number is None:
            raise RebuildNeededError(f"{key} was a number in all issues, and is not in a new one")
        return [number], replace(final, rule=rules.NUMBER)
    if old.outcome != "planned" or outcome_of(planned, final) != "planned":
        raise RebuildNeededError(f"not all values of {key} are what its rule {old.rule} reads")
    return found


def _as_text(
    base: Base, won: Won, planned: Field, old: FieldState, found: tuple[Columns, Field]
) -> tuple[Columns, Field]:
    """A field that is text because some value is not of its type: is one still, among those that stay and the new?"""
    columns, final = found
    if final.rule is not rules.TEXT:  # the new ones all have the type; as text they are taken as they are
        columns = run_plan(won.source, {planned.info.id: replace(planned, rule=rules.JSON)}).columns[planned.info.id]
    stored = f"c{old.number}_0"
    kept = base.staying(won, [stored])[stored].cast(TYPES["text"])
    texts = pa.chunked_array([*kept.chunks, *columns[0].cast(TYPES["text"]).chunks], TYPES["text"])
    if cast_column(texts, planned.rule.outputs[0].type) is not None:
        raise RebuildNeededError(f"all values of {planned.info.id} are of the type {planned.rule.name} again")
    return [columns[0]], replace(planned, rule=rules.TEXT)


def _held(base: Base, won: Won, keys: Iterable[str]) -> dict[str, list[int]]:
    """How many rows that stay hold a value in each output, at least; counted where it may be none."""
    known = {key: base.state.fields[key] for key in keys}
    least = {key: [base.at_least(rows) for rows in state.held] for key, state in known.items()}
    doubtful = [
        (key, n) for key, rows in least.items() for n, left in enumerate(rows) if not left and known[key].held[n]
    ]
    if doubtful:
        stored = {(key, n): f"c{known[key].number}_{n}" for key, n in doubtful}
        table = base.staying(won, list(stored.values()))
        for (key, n), name in stored.items():
            (least[key][n],) = holding_rows([table[name]])
    return least


def _real_numbers(base: Base, won: Won, plan: Mapping[str, Field], columns: Mapping[str, Columns]) -> dict[str, int]:
    """Of text fields that look like numbers: how many are real ones. One would make a number of all, if all can be."""
    keys = fragile(plan, base.stay + won.source.rows)
    known, fields = base.state.real_numbers, base.state.fields
    for key in [k for k in known if k not in keys and k in fields and fields[k].outcome == "number"]:
        raise RebuildNeededError(f"{key} does not look like a number any more")
    counts = count_real_numbers(won.source, keys)
    for key in keys:
        if key in fields and key not in known:
            raise RebuildNeededError(f"{key} looks like a number now")
        counts[key] += base.at_least(known.get(key, 0))
        is_number = key in fields and fields[key].outcome == "number"
        could_be = not is_number and counts[key] + known.get(key, 0) > 0
        if (is_number and not counts[key]) or (could_be and _are_numbers(base, won, fields.get(key), columns[key][0])):
            raise RebuildNeededError(f"whether {key} is a number can be another answer now")
    return counts


def _are_numbers(base: Base, won: Won, old: FieldState | None, column: pa.ChunkedArray) -> bool:
    """Whether all texts that stay and all new ones are numbers."""
    if cast_column(column.cast(TYPES["text"]), "number") is None:
        return False
    if old is None:
        return True
    stored = f"c{old.number}_0"
    return cast_column(base.staying(won, [stored])[stored].cast(TYPES["text"]), "number") is not None
