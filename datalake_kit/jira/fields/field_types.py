"""What each field holds, which rule reads it, and what decided that: a report over all issues."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira.fields.columns import opened, to_frame, unpack
from datalake_kit.jira.fields.detect import Profile, explain_rule, unused_keys
from datalake_kit.jira.fields.names import FieldInfo, spelt_as
from datalake_kit.jira.fields.names import names as mapping_of
from datalake_kit.jira.fields.plan import Source, batches, count_keys, transformed, value_of
from datalake_kit.jira.fields.unpack import Unpacked

KINDS = ("string", "number", "boolean", "array", "object", "empty", "null", "absent")
_COLUMNS = ["field", "name", "rule", "decided_by", "columns", "type", *KINDS, "example", "not_unpacked"]
_EXAMPLE = 80  # letters
_FIELDS_A_PASS = 100

# Code of the first letter of a JSON text -> kind; 0 stands for an empty list or object.
_FIRST = {0: "empty", 34: "string", 91: "array", 123: "object", 102: "boolean", 116: "boolean"}


def field_types(df: pd.DataFrame | pa.Table, names: Any = None) -> pd.DataFrame:
    """Report what each field holds, which rule reads it, and what decided that.

    Parameters
    ----------
    df, names
        As for `dk.jira.unpack_fields`.

    Returns
    -------
    DataFrame
        One row a field of any document, those that most often hold something first: `field`, `name`, `rule`,
        `decided_by` ("Jira's own", "schema", "values", or that the values are not as the schema says), `columns` that
        it gives (none where it holds nothing), `type` of the first of them; in how many rows it is a `string`,
        `number`, `boolean`, `array`, `object`, an `empty` list or object, `null`, or `absent` (these add up to the
        rows); an `example` (JSON, cut at 80 letters), `not_unpacked` (keys of its objects without column).

    Raises
    ------
    DataError
        As `dk.jira.unpack_fields`.

    Examples
    --------
    >>> documents = ['{"summary": "Hello", "customfield_1": 2}', '{"summary": null}']
    >>> rows = pd.DataFrame({"id": ["1", "2"], "fields": documents})
    >>> field_types(rows)[["field", "rule", "string", "number", "null", "absent"]].to_dict("records")[1]
    {'field': 'summary', 'rule': 'text', 'string': 1, 'number': 0, 'null': 1, 'absent': 0}
    """
    with opened(df, names) as (source, known, _):
        return report_types(source, count_keys(source), known)


def report_types(source: Source, present: dict[str, int], known: dict[str, FieldInfo]) -> pd.DataFrame:
    """The report for a source of rows; `present` is how many rows have each key."""
    known = spelt_as(known, present)
    unpacked = unpack(source, present, known, None, keep_objects=False)
    frame = to_frame(unpacked, known, ())
    columns = {str(field): list(of) for field, of in mapping_of(frame).groupby("field")["column"]}
    kinds = count_each_kind(source, present)
    types = frame.dtypes.astype(str).to_dict()
    rows = [_about(key, kinds[key], known, unpacked, {c: types[c] for c in columns.get(key, [])}) for key in kinds]
    report = _typed(rows)
    holding = report[list(KINDS[:5])].sum(axis=1)
    return report.loc[holding.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def empty_report() -> pd.DataFrame:
    """The report of no rows."""
    return _typed([])


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    texts = [name for name in _COLUMNS if name not in KINDS]
    return pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(KINDS, "int64") | dict.fromkeys(texts, "str"))


def _about(
    key: str, kinds: dict[str, int], known: dict[str, FieldInfo], unpacked: Unpacked, types: dict[str, str]
) -> dict[str, Any]:
    """What is told of one field; `types` are those of its columns."""
    info, field = known.get(key, FieldInfo(key)), unpacked.fields.get(key)
    seen = field.profile if field else Profile()
    chosen, why = explain_rule(info, seen)
    rule = field.rule if field else chosen
    if rule.name != chosen.name:
        why = "values, not as those that were looked at"
    return {
        "field": key, "name": info.name or key, "rule": rule.name, "decided_by": why,
        "columns": ", ".join(types), "type": next(iter(types.values()), None),
        **kinds, "example": _example(seen.examples), "not_unpacked": ", ".join(unused_keys(rule, seen)),
    }  # fmt: skip


def count_each_kind(source: Source, present: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many rows hold each kind of JSON value, for each key; by the key's name."""
    (rows,) = source.connection.sql(f"SELECT count(*) FROM ({source.query})").fetchall()[0]
    counts: dict[str, dict[str, int]] = {}
    for batch in batches(sorted(present), _FIELDS_A_PASS):
        texts = ", ".join(f"CAST({value_of(key)} AS VARCHAR) AS v{n}" for n, key in enumerate(batch))
        inner = f"SELECT {texts} FROM ({transformed(source, dict.fromkeys(batch, 'JSON'))})"
        letters = (f"CASE WHEN v{n} IN ('[]', '{{}}') THEN 0 ELSE ascii(v{n}) END" for n in range(len(batch)))
        asked = ", ".join(f"CAST({letter} AS UTINYINT) AS l{n}" for n, letter in enumerate(letters))
        table = source.connection.sql(f"SELECT {asked} FROM ({inner})").to_arrow_table()
        counts |= {key: _by_kind(table.column(n)) for n, key in enumerate(batch)}
    there = _rows_with(source, counts)
    for key, kinds in counts.items():
        kinds["absent"] = rows - there[key]
        kinds["null"] = there[key] - sum(kinds[kind] for kind in KINDS[:6])
    return counts


def _by_kind(letters: pa.ChunkedArray) -> dict[str, int]:
    kinds = dict.fromkeys(KINDS, 0)
    for found in pc.value_counts(letters.drop_null()).to_pylist():
        kinds[_FIRST.get(found["values"], "number")] += found["counts"]
    return kinds


def _rows_with(source: Source, keys: Iterable[str]) -> dict[str, int]:
    """How many rows have each key, null or not; once in a row where it comes twice."""
    each = f"SELECT unnest(list_distinct(json_keys(_fields))) AS key FROM ({source.query})"
    found = dict(source.connection.sql(f"SELECT key, count(*) FROM ({each}) GROUP BY key").fetchall())
    return {key: int(found.get(key, 0)) for key in keys}


def _example(examples: list[Any]) -> str | None:
    if not examples:
        return None
    text = json.dumps(examples[0], ensure_ascii=False)
    return text if len(text) <= _EXAMPLE else text[: _EXAMPLE - 1] + "…"
