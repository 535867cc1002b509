"""One pass of DuckDB from JSON text to typed Arrow columns, then a check of every column.

The pass flags each value that is not of the shape its rule expects; such fields are read again value by value in
Python, and a column whose values cannot all have the planned type becomes text. So a plan may be wrong; what comes out
is not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira import rules
from datalake_kit.jira.cast import TYPES, cast_column
from datalake_kit.jira.detect import looks_numeric
from datalake_kit.jira.plan import SAMPLE, Field, Source, batches, literal, pointer, transformed, value_of

ROWS_A_BATCH = 50_000  # one batch of all rows would be held twice while it grows
FIELDS_A_PASS = 2000  # more at once would make a struct that takes long to plan


@dataclass(frozen=True)
class Unpacked:
    """Typed columns of each field (one an output), the fields as they were read in the end, and the other columns."""

    columns: dict[str, list[pa.ChunkedArray]]
    fields: dict[str, Field]
    others: pa.Table


def run_plan(source: Source, plan: dict[str, Field]) -> Unpacked:
    """Unpack all rows, then put right what the plan got wrong."""
    columns: dict[str, list[pa.ChunkedArray]] = {}
    final: dict[str, Field] = {}
    others = pa.table({})
    for number, keys in enumerate(batches(plan, FIELDS_A_PASS) if plan else [[]]):
        batch = {key: plan[key] for key in keys}
        result = _pass(source, batch, with_others=number == 0)
        if number == 0:
            others = pa.table({name: result.ordered(result.pop(f"_x{n}")) for n, name in enumerate(source.others)})
        typed = {key: _typed(result, n, field) for n, (key, field) in enumerate(batch.items())}
        typed |= _put_right(source, {key: batch[key] for key, found in typed.items() if found is None})
        for key, found in typed.items():
            if found is not None:
                columns[key], final[key] = _decide_number(source, found)
    return Unpacked({key: columns[key] for key in plan}, {key: final[key] for key in plan}, others)


class _Result:
    """The columns of a pass, each given out once: what is done with is not held.

    DuckDB gives rows as its threads are ready with them; `ordered` puts them in the order of their positions.
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns = dict(zip(table.column_names, table.columns, strict=True))
        position = self.pop("_position").to_numpy()
        in_order = bool((position[1:] >= position[:-1]).all())
        self._order = None if in_order else pc.sort_indices(pa.array(position))

    def pop(self, name: str) -> pa.ChunkedArray:
        return self._columns.pop(name)

    def ordered(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        return column if self._order is None else column.take(self._order)


def _pass(source: Source, batch: dict[str, Field], *, with_others: bool) -> _Result:
    """Run the query in three steps: parse each document, shape each value, make the columns of each rule."""
    others = ["_position", *(f"_x{n}" for n in range(len(source.others) if with_others else 0))]
    shapes = {key: "JSON" if field.sliced else field.rule.shape for key, field in batch.items()}
    shaped = [e for n, (key, field) in enumerate(batch.items()) for e in _shaped(value_of(key), n, field)]
    made = [e for n, field in enumerate(batch.values()) for e in _made(n, field)]
    parsed = transformed(source, shapes, "".join(f", {name}" for name in others))
    middle = f"SELECT {', '.join([*others, *shaped])} FROM ({parsed})"
    result = source.connection.sql(f"SELECT {', '.join([*others, *made])} FROM ({middle})")
    return _Result(result.to_arrow_table(ROWS_A_BATCH))


def _shaped(value: str, number: int, field: Field) -> list[str]:
    """The value in its shape as `_v`, and where needed its JSON text as `_j`."""
    text = f"CAST({value} AS VARCHAR) AS _j{number}"
    if field.rule.scalar and not field.by_value:
        return [f"{value} AS _v{number}"]
    if field.in_python:
        return [text]
    if not field.sliced:
        return [f"{value} AS _v{number}"]
    usual = f"starts_with(CAST({value} AS VARCHAR), '{'[' if field.rule.is_list else '{'}')"
    shape = literal(json.dumps(field.rule.shape))
    return [f"CASE WHEN {usual} THEN json_transform({value}, {shape}) END AS _v{number}", text]


def _made(number: int, field: Field) -> list[str]:
    """The columns of a field, and a flag where its values can be of another shape."""
    if field.in_python:
        return [f"_j{number} AS _c{number}_0"]
    if field.rule.scalar:
        return [f"_v{number} AS _c{number}_0"]
    fill = {"{v}": f"_v{number}", "{j}": f"_j{number}"}
    made = []
    for expression in field.rule.sql:
        for mark, column in fill.items():
            expression = expression.replace(mark, column)
        made.append(f"CAST({expression} AS VARCHAR)")
    flag = _odd(number, field, made)
    if len(field.outputs) > len(made):
        made.append(f"nullif(nullif(_j{number}, '[]'), '{{}}')")
    return [*(f"{e} AS _c{number}_{n}" for n, e in enumerate(made)), f"coalesce({flag}, false) AS _o{number}"]


def _odd(number: int, field: Field, made: list[str]) -> str:
    """True where a value is there and the rule's SQL made nothing of it, or not of all of it."""
    if field.rule.is_list:
        element = field.rule.shape[0]
        keys = [key for key in element if f"e.{key}" in field.rule.sql[0]] if isinstance(element, dict) else []
        term = f"coalesce({', '.join(f'e.{key}' for key in keys)})" if keys else "e"
        missed = f"len(list_filter(_v{number}, lambda e: {term} IS NULL)) > 0"
        return f"_j{number} <> '[]' AND (_v{number} IS NULL OR {missed})"
    there = f"_j{number} <> '{{}}'" if field.sliced else f"_v{number} IS NOT NULL"
    nothing = f"_v{number} IS NULL" if field.rule.needs_text else f"coalesce({', '.join(made)}) IS NULL"
    return f"{there} AND {nothing}"


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
    if field.rule.scalar:  # not all values have the type: the text is what there is
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
