"""The report of what each field holds, which rule reads it, and what decided that."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError
from datalake_kit.jira.fields.field_types import KINDS, field_types

DOCUMENTS = sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))


def report(*fields: dict[str, Any] | str | None, **options: Any) -> pd.DataFrame:
    texts = [json.dumps(f) if isinstance(f, dict) else f for f in fields]
    return field_types(pd.DataFrame({"fields": texts}), **options).set_index("field")


def counts(row: Any) -> dict[str, int]:
    """The kinds that occur."""
    return {kind: int(row[kind]) for kind in KINDS if row[kind]}


def test_null_absent_and_empty_stay_apart() -> None:
    found = report(
        {"customfield_1": None}, {"customfield_1": ""}, {"customfield_1": []}, {"customfield_1": {}},
        {"customfield_1": 5}, {"customfield_1": -0.5}, {"customfield_1": True}, {"customfield_1": False},
        {"customfield_1": [None]}, {"customfield_1": {"a": None}}, {}, None,
    )  # fmt: skip
    assert counts(found.loc["customfield_1"]) == {
        "string": 1, "number": 2, "boolean": 2, "array": 1, "object": 1, "empty": 2, "null": 1, "absent": 2,
    }  # fmt: skip


def test_what_decided() -> None:
    schema = {"type": "any", "custom": "x:float"}
    names = [{"id": f"customfield_{n}", "name": f"Field {n}", "schema": schema} for n in (1, 2)]
    found = report({"summary": "a", "customfield_1": "5", "customfield_2": "n/a", "customfield_3": 5}, names=names)
    assert found["decided_by"].to_dict() == {
        "summary": "Jira's own", "customfield_1": "schema", "customfield_2": "values, not as the schema says",
        "customfield_3": "values",
    }  # fmt: skip
    assert found["rule"].to_dict() == {
        "summary": "text", "customfield_1": "number", "customfield_2": "text", "customfield_3": "number",
    }  # fmt: skip
    assert found.loc["customfield_1", ["name", "columns", "type", "example"]].to_list() == [
        "Field 1", "field_1", "float64", '"5"',
    ]  # fmt: skip


def test_columns_and_keys_without_one() -> None:
    found = report({"assignee": {"displayName": "A", "active": True}, "customfield_1": None, "labels": []})
    assert found.loc["assignee", "columns"] == "assignee, assignee_account_id"
    assert found.loc["assignee", "not_unpacked"] == "active"
    assert pd.isna(found.loc["customfield_1", ["type", "example"]]).all()
    assert found.loc["customfield_1", "columns"] == ""
    assert found.index[0] == "assignee"  # what holds something comes first


def test_a_value_of_another_kind_is_counted() -> None:
    rows = [{"status": {"name": "Open"}}] * 3 + [{"status": 5}]
    found = report(*rows)
    assert counts(found.loc["status"]) == {"number": 1, "object": 3}


def test_real_documents_add_up() -> None:
    documents = [json.loads(path.read_text())["fields"] for path in DOCUMENTS]
    found = report(*documents)
    assert (found[list(KINDS)].sum(axis=1) == len(documents)).all()
    for key, row in found.iterrows():
        kinds = Counter(_kind(document, str(key)) for document in documents)
        assert counts(row) == dict(kinds), key


def _kind(document: dict[str, Any], key: str) -> str:
    if key not in document:
        return "absent"
    value = document[key]
    if value is None:
        return "null"
    if value in ([], {}):
        return "empty"
    names = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return names[type(value)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "A", "", "customfield_1", "summary"]), VALUES), max_size=4))
def test_any_documents(documents: list[dict[str, Any]]) -> None:
    found = report(*documents) if documents else pd.DataFrame()
    for key, row in found.iterrows():
        assert counts(row) == dict(Counter(_kind(document, str(key)) for document in documents))


def test_a_key_that_comes_twice_in_a_document_counts_once() -> None:
    found = report('{"a": 1, "a": "x"}', "{}")
    assert counts(found.loc["a"]) == {"number": 1, "absent": 1}


def test_no_rows_and_no_fields() -> None:
    empty = pa.table({"id": pa.array([], pa.string()), "fields": pa.array([], pa.string())})
    assert list(field_types(empty)["field"]) == []
    with pytest.raises(DataError, match="no JSON object"):
        report("nonsense")


def test_the_columns_are_those_of_the_frame() -> None:
    texts = [path.read_text() for path in DOCUMENTS]
    table = pd.DataFrame({"fields": [json.dumps(json.loads(text)["fields"]) for text in texts]})
    frame = jira.unpack_fields(table)
    listed = [c for cells in field_types(table)["columns"] if cells for c in cells.split(", ")]
    assert sorted(listed) == sorted(frame)


def test_issues_of_a_lake_have_the_report_too(tmp_path: Path) -> None:
    """By the parts that a loaded table has: its source, the keys, what is known of the names."""
    from datalake_kit.jira.fields.field_types import report_types

    pq.write_table(pa.table({"id": ["1", "1"], "fields": ['{"a": 1}', '{"a": 2, "b": null}']}), tmp_path / "x.parquet")
    issues = jira.load(SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: [tmp_path / "x.parquet"])), "x")
    newest = issues._newest
    assert newest is not None
    found = report_types(newest.source, newest.present, {}).set_index("field")
    assert {str(key): counts(row) for key, row in found.iterrows()} == {"a": {"number": 1}, "b": {"null": 1}}
