"""One pass of DuckDB from JSON text to typed Arrow columns, then a check of every column.

The pass flags each value that is not of the shape its rule expects; such fields are read again value by value in
Python, and a column whose values cannot all have the planned type becomes text. So a plan may be wrong; what comes out
is not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira.fields import rules
from datalake_kit.jira.fields.cast import TYPES, cast_column
from datalake_kit.jira.fields.detect import looks_numeric
from datalake_kit.jira.fields.plan import SAMPLE, Field, Source, batches, pointer, transformed, value_of
from datalake_kit.jira.fields.shaping import make_columns, shape_value
from datalake_kit.jira.fields.structs import part_query

SHORTEST_RUNS = 500  # rows, on average, for which slices are quicker than taking each row
ROWS_A_BATCH = 50_000  # one batch of all rows would be held twice while it grows
HASH_OF_KEYS = "hash(json_keys(_fields))"
FIELDS_A_PASS = 2000  # more at once would make a struct that takes long to plan


@dataclass(frozen=True)
class Unpacked:
    """Typed columns of each field (one an output), the fields as they were read in the end, and the other columns."""

    columns: dict[str, list[pa.ChunkedArray]]
    fields: dict[str, Field]
    others: pa.Table
    keys: pa.ChunkedArray | None = None  # the hash of the list of keys of each document, when asked for


def run_plan(source: Source, plan: dict[str, Field], *, with_keys: bool = False) -> Unpacked:
    """Unpack all rows, then put right what the plan got wrong."""
    keys_of: pa.ChunkedArray | None = None
    columns: dict[str, list[pa.ChunkedArray]] = {}
    final: dict[str, Field] = {}
    others = pa.table({})
    for number, keys in enumerate(batches(plan, FIELDS_A_PASS) if plan else [[]]):
        batch = {key: plan[key] for key in keys}
        result = _pass(source, batch, with_others=number == 0, with_keys=with_keys and number == 0)
        if with_keys and number == 0:
            keys_of = result.pop("_keys")
        if number == 0:
            others = pa.table({name: result.ordered(result.pop(f"_x{n}")) for n, name in enumerate(source.others)})
        typed = {key: _typed(result, n, field) for n, (key, field) in enumerate(batch.items())}
        misfits = {key: batch[key] for key, found in typed.items() if found is None}
        typed |= _from_documents(source, misfits) if source.parts else _put_right(source, misfits)
        for key, found in typed.items():
            if found is not None:
                columns[key], final[key] = _decide_number(source, found)
    return Unpacked({key: columns[key] for key in plan}, {key: final[key] for key in plan}, others, keys_of)


class _Result:
    """The columns of a pass, each given out once: what is done with is not held.

    DuckDB gives rows as its threads are ready with them; `ordered` puts them in the order of their positions. They
    come in long runs of one position after the other, of which slices are taken instead of each row.
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns = dict(zip(table.column_names, table.columns, strict=True))
        position = self.pop("_position").to_numpy()
        self._runs, self._order = _runs_of(position), None
        if len(self._runs) > max(8, len(position) // SHORTEST_RUNS):
            self._order = pc.sort_indices(pa.array(position))

    def pop(self, name: str) -> pa.ChunkedArray:
        return self._columns.pop(name)

    def ordered(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if self._order is not None:
            return column.take(self._order)
        if len(self._runs) == 1:
            return column
        return pa.chunked_array(
            [c for first, rows in self._runs for c in column.slice(first, rows).chunks], column.type
        )


def _runs_of(position: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """First row and length of each run of consecutive positions, in the order of the positions."""
    starts = np.flatnonzero(np.diff(position, prepend=position[:1] - 2) != 1)
    lengths = np.diff(starts, append=len(position))
    order = np.argsort(position[starts], kind="stable")
    return list(zip(starts[order].tolist(), lengths[order].tolist(), strict=True)) or [(0, 0)]


def _pass(source: Source, batch: dict[str, Field], *, with_others: bool, with_keys: bool = False) -> _Result:
    """Run the query in three steps: parse each document, shape each value, make the columns of each rule."""
    others = ["_position", *(f"_x{n}" for n in range(len(source.others) if with_others else 0))]
    if with_keys:
        others.append("_keys")
        source = replace(source, query=f"SELECT *, {HASH_OF_KEYS} AS _keys FROM ({source.query})")
    if source.parts:
        query = " UNION ALL ".join(part_query(part, batch.items(), others) for part in source.parts)
    else:
        query = _document_query(source, batch, others)
    return _Result(source.connection.sql(query).to_arrow_table(ROWS_A_BATCH))


def _document_query(source: Source, batch: dict[str, Field], others: list[str]) -> str:
    shapes = {key: "JSON" if field.sliced else field.rule.shape for key, field in batch.items()}
    shaped = [e for n, (key, field) in enumerate(batch.items()) for e in shape_value(value_of(key), n, field)]
    made = [e for n, field in enumerate(batch.values()) for e in make_columns(n, field)]
    parsed = transformed(source, shapes, "".join(f", {name}" for name in others))
    middle = f"SELECT {', '.join([*others, *shaped])} FROM ({parsed})"
    return f"SELECT {', '.join([*others, *made])} FROM ({middle})"


Found = tuple[list[pa.ChunkedArray], Field]


def _typed(result: _Result, number: int, field: Field) -> Found | None:
    """The columns of one field with their types; None when the plan does not fit."""
    names = [f"_c{number}_{n}" for n in range(1 if field.in_python else len(field.outputs))]
    texts = [result.pop(name) for name in names]
    if field.in_python:
        return _by_value(result.ordered(texts[0]), field)
    if not field.rule.scalar and pc.any(result.pop(f"_o{number}")).as_py():
        return None
    made = [cast_column(text, output.type) for text, output in zip(texts, field.outputs, strict=True)]
    if all(column is not None for column in made):
        return [result.ordered(column) for column in made], field
    if field.rule.scalar and texts[0].type == TYPES["text"]:  # not all values have the type: the text is what there is
        return [result.ordered(texts[0].cast(TYPES["text"]))], replace(field, rule=rules.TEXT)
    return None


def _by_value(column: pa.ChunkedArray, field: Field) -> Found:
    """Read each distinct value in Python; what the rule cannot read stays JSON text in its first text column."""
    coded = column.cast(TYPES["json"]).combine_chunks().dictionary_encode()
    rows = [_convert(text, field) for text in coded.dictionary.to_pylist()]
    if None in rows and field.rule.whole and not field.keep_object:  # no column for a text: beside the columns then
        return _by_value(column, replace(field, keep_object=True))
    made: list[pa.ChunkedArray] = []
    for n, output in enumerate(field.outputs):
        if any(row is None for row in rows):
            break
        values = pa.array([row[n] for row in rows if row is not None], pa.large_string())
        typed = cast_column(pa.chunked_array([values]), output.type)
        if typed is None:
            break
        made.append(pa.chunked_array([pc.take(typed.combine_chunks(), coded.indices)]))
    if len(made) == len(field.outputs):
        return made, field
    texts = pa.array([_plain(text) for text in coded.dictionary.to_pylist()], TYPES["json"])
    return [pa.chunked_array([pc.take(texts, coded.indices)])], replace(field, rule=rules.JSON, by_value=False)


def _plain(text: str) -> str:
    """A JSON text; of a string the string itself, as in any column of JSON text."""
    return str(rules.read_json(text)) if text.startswith('"') else text


def _convert(text: str, field: Field) -> rules.Values | None:
    """One JSON text by the rule; None when it does not fit and there is no text column to keep it in."""
    outputs = field.rule.outputs
    kept = (text if text not in ("[]", "{}") else None,) if len(field.outputs) > len(outputs) else ()
    try:
        made = field.rule.convert(rules.read_json(text))
    except RecursionError:
        made = None
    if made is not None:
        return (*(rules.as_text(value) for value in made), *kept)
    place = next((n for n, o in enumerate(outputs) if o.type in ("text", "json") and not o.part), None)
    if place is None:
        return (*[None] * len(outputs), text) if kept else None
    return (*[None] * place, _plain(text), *[None] * (len(outputs) - place - 1), *kept)


def _from_documents(source: Source, misfits: dict[str, Field]) -> dict[str, Found]:
    """Read fields of structs that did not fit as they are read out of JSON text."""
    if not misfits:
        return {}
    unpacked = run_plan(replace(source, structs=None, others=()), misfits)
    return {key: (unpacked.columns[key], unpacked.fields[key]) for key in misfits}


def _put_right(source: Source, misfits: dict[str, Field]) -> dict[str, Found | None]:
    """Read the fields that did not fit again, each value in Python."""
    if not misfits:
        return {}
    again = {key: replace(field, by_value=True) for key, field in misfits.items()}
    result = _pass(source, again, with_others=False)
    return {
        key: _by_value(result.ordered(result.pop(f"_c{n}_0")), field) for n, (key, field) in enumerate(again.items())
    }


def _decide_number(source: Source, found: Found) -> Found:
    """A text field whose values all look like numbers is a number if any row, looked at or not, holds a real one."""
    columns, field = found
    undecided = field.rule is rules.TEXT and not field.info.custom and not field.info.type
    if source.rows <= SAMPLE or not undecided or not looks_numeric(field.profile):
        return found
    number = cast_column(columns[0], "number")
    if number is None or not _has_number(source, field.info.id):
        return found
    return [number], replace(field, rule=rules.NUMBER)


def _has_number(source: Source, key: str) -> bool:
    kinds = "('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT')"
    query = f"SELECT 1 FROM ({source.query}) WHERE json_type(_fields, {pointer(key)}) IN {kinds} LIMIT 1"
    return bool(source.connection.sql(query).fetchall())
