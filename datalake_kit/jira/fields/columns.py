"""Jira's fields as typed, named columns of a frame. Pure: frames in, frames out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.jira.fields.detect import Profile, explain_rule, unused_keys
from datalake_kit.jira.fields.known_fields import CORE, SYSTEM
from datalake_kit.jira.fields.layout import CONSUMED, find_layout
from datalake_kit.jira.fields.names import (
    ATTRIBUTE,
    Claims,
    FieldInfo,
    Records,
    column_base,
    of_document,
    read_fields,
    spelt_as,
)
from datalake_kit.jira.fields.plan import Field, Source, connect, count_keys, make_plan
from datalake_kit.jira.fields.rules import Rule
from datalake_kit.jira.fields.unpack import Unpacked, run_plan

Wanted = Iterable[str] | str | None


def unpack_fields(
    df: pd.DataFrame | pa.Table, names: Any = None, fields: Wanted = None, *, keep_objects: bool = False
) -> pd.DataFrame:
    """Unpack the fields of issues into one typed column (or a few) for each field.

    Parameters
    ----------
    df
        One row an issue, with a column `fields` (JSON text, dicts, a struct or a map) or with a column for each field
        (`fields.summary`, `fields_summary`, or `summary`). Other columns are kept; `names` and `schema`, which Jira
        adds when asked, are read for the names of the fields.
    names
        Business names of the fields: a mapping `{"customfield_10024": "Story Points"}`, a table of fields with `id`,
        `name` and perhaps `schema`, or a file of these. They go before those that the documents bring.
    fields
        Only these fields, by id, business name or column. None: those that hold a value in any row, and
        the usual ones of Jira's own that are there; "all": every field that is there.
    keep_objects
        Also keep each object and list whole, as JSON text in a column `..._json` (`..._raw` beside a sprint's): then
        every value that is not null is in some column. Without it that is done for the fields in whose objects the
        documents that are looked at (2,000 at most) hold something that has no column. Left out are then only
        links to Jira's own pages and pictures, and what is said of a person, an option or a status and not of the
        issue (is the account active, what a priority means). `dk.jira.names(frame)` lists all that is left out.

    Returns
    -------
    DataFrame
        The rows and index of `df`. Numbers are float64, also where all are whole: the next file may bring 2.5, and
        a column keeps its type. Dates are datetime64, instants datetime64 in UTC, yes or no is boolean. A text is a
        number or a date only where all values of its field can be read so, and a number only where one came as one
        (or the schema says so). A person gives name, `_account_id` and, where there is one, `_email`; a status name,
        `_id` and `_category` (in English, by its key); a sprint field the current sprint, `_all` and `_json`; an SLA
        its state, goal, elapsed and remaining seconds and whether it is breached. Lists are joined by "; " (a JSON
        list where a value holds that itself). What has no rule is JSON text.

    Raises
    ------
    DataError
        No fields, or rows whose `fields` are not a JSON object (`dk.jira.load` sets such rows aside).
    ColumnNotFoundError
        A field of `fields` is not there.

    Examples
    --------
    >>> rows = pd.DataFrame({"id": ["1"], "fields": ['{"summary": "Hello", "customfield_10024": 3}']})
    >>> unpack_fields(rows, names={"customfield_10024": "Story Points"}).to_dict("records")
    [{'id': '1', 'summary': 'Hello', 'story_points': 3.0}]
    """
    with opened(df, names) as (source, known, beside):
        others = [n for n in beside if n.casefold() not in CONSUMED or keep_objects]
        unpacked = unpack(source, count_keys(source), known, fields, keep_objects=keep_objects)
        frame = to_frame(unpacked, known, others)
    given: pd.DataFrame = (df.to_pandas() if isinstance(df, pa.Table) else df)[others]
    frame.index = given.index
    first = _first(others)
    last = [name for name in others if name not in first]
    result: pd.DataFrame = pd.concat([given[first], frame, given[last]], axis=1)
    result.attrs = dict(frame.attrs)
    return result


@contextmanager
def opened(df: pd.DataFrame | pa.Table, names: Any) -> Iterator[tuple[Source, dict[str, FieldInfo], tuple[str, ...]]]:
    """The rows of a frame as a source, what is known of their fields, and the names of the columns beside them."""
    table = _as_table(df)
    layout = find_layout(table.schema, "the frame")
    with connect() as connection:
        connection.register("_frame", table)
        numbered = f"SELECT (row_number() OVER ()) - 1 AS _position, {layout.fields_sql} AS _fields FROM _frame"
        connection.execute(f"CREATE TEMP TABLE _rows AS {numbered}")
        _check(connection.sql(_UNUSABLE).fetchall())
        source = Source(connection, "SELECT * FROM _rows", table.num_rows)
        yield source, merge_names(read_fields(names), _document_records(table)), tuple(layout.others)


_UNUSABLE = """
    SELECT _position FROM _rows WHERE _fields IS NOT NULL
    AND (NOT json_valid(_fields) OR NOT starts_with(ltrim(_fields), '{')) ORDER BY 1
"""


def _check(unusable: list[tuple[int]]) -> None:
    if unusable:
        some = ", ".join(str(row[0]) for row in unusable[:5])
        raise DataError(
            f"In {len(unusable)} rows fields is no JSON object (rows {some}{' ...' * (len(unusable) > 5)}, from 0). "
            "Leave them out, or read the table by dk.jira.load, which sets them aside and counts them."
        )


def _as_table(df: pd.DataFrame | pa.Table) -> pa.Table:
    if isinstance(df, pa.Table):
        return df
    if df.columns.duplicated().any():
        raise DataError(f"The frame has a column twice: {', '.join(df.columns[df.columns.duplicated()])}.")
    plain = {name: _json_texts(df[name]) for name in df.columns}
    return pa.Table.from_pandas(pd.DataFrame(plain, index=df.index), preserve_index=False)


def _json_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Dicts and lists as JSON text; other values as they are."""
    if column.dtype != object or not column.map(lambda v: isinstance(v, dict | list)).any():
        return column
    return column.map(lambda v: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v)


def _document_records(table: pa.Table) -> list[dict[str, str | None]]:
    there = {name.casefold(): name for name in table.schema.names}
    columns = {c: table[there[c]].to_pylist() for c in CONSUMED if c in there}
    texts = {
        c: [v if v is None or isinstance(v, str) else json.dumps(dict(v)) for v in vs] for c, vs in columns.items()
    }
    pairs = dict.fromkeys(zip(*(texts.get(c, [None] * table.num_rows) for c in CONSUMED), strict=True))
    return [{"names": names, "schema": schema} for names, schema in pairs if names or schema]


def merge_names(given: dict[str, FieldInfo], records: Iterable[dict[str, str | None]]) -> dict[str, FieldInfo]:
    """What is known of the fields: from documents, the later before the earlier, and from the user before all."""
    known: dict[str, FieldInfo] = {}
    for record in records:
        for key, info in of_document(*(_parsed(record[c]) for c in CONSUMED)).items():
            known[key] = _completed(info, known.get(key))
    return known | {key: _completed(info, known.get(key)) for key, info in given.items()}


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _completed(first: FieldInfo, second: FieldInfo | None) -> FieldInfo:
    if second is None:
        return first
    parts = ("name", "type", "items", "custom")
    typed = first if first.type or first.custom else second
    return FieldInfo(first.id, first.name or second.name, *(getattr(typed, part) for part in parts[1:]))


def unpack(
    source: Source, present: dict[str, int], known: dict[str, FieldInfo], fields: Wanted, *, keep_objects: bool
) -> Unpacked:
    """Plan and run: the columns of the fields that are asked for."""
    known = spelt_as(known, present)
    wanted = None if fields is None else _resolve(fields, present, known)
    plan = make_plan(source, present, known, wanted, keep=keep_objects)
    unpacked = run_plan(source, dict(in_usual_order(plan)))
    return unpacked if wanted is not None else without_empty(unpacked)


def without_empty(unpacked: Unpacked) -> Unpacked:
    """Leave out fields that hold nothing in any row, but for those that every frame of issues has.

    One that holds only what is left aside stays: its columns are empty, and `names` lists what it held.
    """
    kept = {
        key: columns
        for key, columns in unpacked.columns.items()
        if key.casefold() in CORE or _holds(unpacked.fields[key], columns)
    }
    return Unpacked(kept, {key: unpacked.fields[key] for key in kept}, unpacked.others)


def _holds(field: Field, columns: list[pa.ChunkedArray]) -> bool:
    return bool(field.profile.keys) or any(column.null_count < len(column) for column in columns)


def _resolve(fields: Wanted, present: dict[str, int], known: dict[str, FieldInfo]) -> list[str]:
    """Ids of the fields asked for by id, business name or column."""
    if fields == "all":
        return list(present)
    spellings: dict[str, str] = {}
    for key in [*known, *present]:
        info = known.get(key, FieldInfo(key))
        base = SYSTEM[key.casefold()][0] if key.casefold() in SYSTEM else column_base(info)
        tail = [f"{base}_{info.number}"] if info.number is not None else []
        for spelling in (base, *tail, info.name or key, key):
            held = spellings.get(spelling.casefold())
            if held is None or spelling == key or (held not in present and key in present):
                spellings[spelling.casefold()] = key
    asked = [fields] if isinstance(fields, str) else list(fields or [])
    missing = [name for name in asked if name.casefold() not in spellings]
    if missing:
        raise ColumnNotFoundError(f"No field {missing[0]!r} in these issues. {did_you_mean(missing[0], spellings)}")
    return list(dict.fromkeys(spellings[name.casefold()] for name in asked))


def in_usual_order(plan: dict[str, Field]) -> Iterator[tuple[str, Field]]:
    """Jira's own fields in their usual order, then others of its own by name, then custom fields by number."""
    places = {key: n for n, key in enumerate(SYSTEM)}

    def place(item: tuple[str, Field]) -> tuple[int, int, str]:
        number = item[1].info.number
        if number is not None:
            return (2, number, item[0])
        return (0, places[item[0].casefold()], item[0]) if item[0].casefold() in places else (1, 0, item[0])

    yield from sorted(plan.items(), key=place)


def to_frame(unpacked: Unpacked, known: dict[str, FieldInfo], others: Iterable[str]) -> pd.DataFrame:
    """Name the columns and make a frame that carries the mapping; id and key come first, other columns last."""
    others = list(others)
    known = spelt_as(known, unpacked.fields)
    named: dict[str, pa.ChunkedArray] = {}
    records: list[dict[str, str]] = []
    bases = _bases(unpacked.fields, known, others)
    for key, field in unpacked.fields.items():
        for output, column in zip(field.outputs, unpacked.columns[key], strict=True):
            if output.optional and column.null_count == len(column):
                continue
            name = bases[key] + (f"_{output.part}" if output.part else "")
            named[name] = column
            records.append(_record(name, key, field, output.part, known))
    beside = unpacked.others
    first = _first(beside.column_names)
    order = {**{n: beside[n] for n in first}, **named, **{n: beside[n] for n in beside.column_names if n not in first}}
    frame = to_pandas(pa.table(order))
    frame.attrs[ATTRIBUTE] = Records(records)
    return frame


def _first(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.casefold() in ("id", "key")]


def _record(column: str, key: str, field: Field, part: str, known: dict[str, FieldInfo]) -> dict[str, str]:
    info = known.get(key, FieldInfo(key))
    left = [] if field.keep_object or part != field.outputs[0].part else unused_keys(field.rule, field.profile)
    return {
        "column": column, "field": key, "name": info.name or key, "part": part, "rule": field.rule.name,
        "not_unpacked": ", ".join(left),
    }  # fmt: skip


def _bases(fields: dict[str, Field], known: dict[str, FieldInfo], others: Iterable[str]) -> dict[str, str]:
    """A base name for each field. Names of Jira's own fields are kept free whether the fields are there or not."""
    claims = Claims(("id", "key"))
    for base, rule in SYSTEM.values():
        claims.claim(base, _parts(rule), "")
    bases = {key: SYSTEM[key.casefold()][0] for key in fields if key.casefold() in SYSTEM}
    twice = [key for n, key in enumerate(bases) if list(bases.values()).index(bases[key]) < n]
    everything = {key: FieldInfo(key) for key in fields} | known
    ours = (key for key in everything if key.casefold() not in SYSTEM or key in twice)
    for key in sorted(
        ours, key=lambda k: (everything[k].number is not None, everything[k].number or 0, k != k.lower(), k)
    ):
        info = everything[key]
        rule = fields[key].rule if key in fields else _rule_of_schema(info)
        tail = str(info.number) if info.number is not None else "field"
        base = column_base(info if info.number is not None else FieldInfo(key))
        bases[key] = claims.claim(base, _parts(rule), tail)
    return _away_from(bases, fields, others)


def _rule_of_schema(info: FieldInfo) -> Rule | None:
    return explain_rule(info, Profile())[0] if info.type or info.custom else None


def _parts(rule: Rule | None) -> list[str]:
    """What can stand behind the base name of a field, whether all of it is there or not."""
    outputs = (*rule.outputs, rule.whole) if rule else ()
    return ["", *dict.fromkeys(f"_{output.part}" for output in outputs if output and output.part)]


def _away_from(bases: dict[str, str], fields: dict[str, Field], others: Iterable[str]) -> dict[str, str]:
    """Give way to columns beside the fields that have a field's name."""
    taken = {name.casefold() for name in others}
    for key in fields:
        parts = [f"_{o.part}" if o.part else "" for o in fields[key].outputs]
        if any((bases[key] + part).casefold() in taken for part in parts):
            bases[key] = f"{bases[key]}_field"
    return bases


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Without copies where possible; yes or no as pandas' boolean, which can be missing."""
    booleans = {pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(
        types_mapper=booleans.get, date_as_object=False, split_blocks=True, self_destruct=True, ignore_metadata=True
    )
    return frame
