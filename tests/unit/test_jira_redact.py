"""Redaction: nothing of a person or of free text is left, and what belongs together stays together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError, ConfigError, DataError
from datalake_kit.jira.flow.example import example_issues
from datalake_kit.jira.redaction.inside_json import JsonRedaction
from datalake_kit.jira.redaction.pseudonyms import Pseudonyms
from datalake_kit.jira.redaction.redact import redact, redaction_plan
from datalake_kit.jira.relations.links import links
from datalake_kit.jira.relations.parts import attachments, comments, components, worklogs

KEY = "a key of tests, long enough"
DOCUMENTS = [json.loads(p.read_text()) for p in sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))]


def real(**options: Any) -> pd.DataFrame:
    text = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in d.items()} for d in DOCUMENTS]
    return jira.unpack_fields(pd.DataFrame(text), **options).drop(columns=["names", "schema"], errors="ignore")


@cache
def redacted() -> pd.DataFrame:
    return redact(real(keep_objects=True), key=KEY)


def strings(value: Any) -> Iterator[str]:
    """All texts of a frame or value, within JSON too, and the keys of objects."""
    if isinstance(value, pd.DataFrame):
        for name in value.columns:
            for cell in value[name].dropna():
                yield from strings(cell)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from strings(inner)
    elif isinstance(value, list | np.ndarray):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict | list):
            yield from strings(parsed)
        else:
            yield value


def people(value: Any) -> Iterator[str]:
    """Names, accounts and addresses in a document."""
    if isinstance(value, list):
        for inner in value:
            yield from people(inner)
    elif isinstance(value, dict):
        if "displayName" in value or "accountId" in value or "emailAddress" in value:
            keys = ("displayName", "accountId", "emailAddress", "name", "key")
            yield from (value[k] for k in keys if isinstance(value.get(k), str))
        for inner in value.values():
            yield from people(inner)


def free_texts(value: Any, at: str = "") -> Iterator[str]:
    keys = ("summary", "description", "environment", "body", "comment", "goal", "filename", "labels")
    if isinstance(value, list):
        for inner in value:
            yield from free_texts(inner, at)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from free_texts(inner, key)
    elif isinstance(value, str) and at in keys:
        yield value


# --- nothing is left ------------------------------------------------------------------------------------------------


def test_no_person_of_the_real_documents_is_left_anywhere() -> None:
    before, after = list(strings(real(keep_objects=True))), "\n".join(strings(redacted()))
    known = {name for document in DOCUMENTS for name in people(document)}
    assert len(known) > 30
    assert sum(name in text for name in known for text in before) > 100  # they were there
    assert [name for name in known if name in after] == []
    assert not re.search(r"[\w.]+@[\w.]+\.\w+", after)


def test_no_free_text_of_the_real_documents_is_left_anywhere() -> None:
    after = "\n".join(strings(redacted())).casefold()
    texts = {text.strip() for document in DOCUMENTS for text in free_texts(document["fields"])}
    words = {w.casefold() for text in texts for w in re.findall(r"\w{5,}", text) if not w.isdecimal()}
    words -= {w.casefold() for t in workflow(DOCUMENTS) for w in re.findall(r"\w{5,}", t)}
    assert len(words) > 100
    left = [w for w in words if re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", after)]
    assert left == []


def workflow(value: Any, at: str = "") -> Iterator[str]:
    """Words that stay by rule: of the workflow and of links, names of fields, and keys of objects."""
    if isinstance(value, list):
        for inner in value:
            yield from workflow(inner, at)
    elif isinstance(value, dict):
        yield from value
        if at in ("status", "statusCategory", "issuetype", "priority", "resolution", "project", "type"):
            yield from (str(value.get(k)) for k in ("name", "inward", "outward", "key"))
        if value.get("field") in ("status", "issuetype", "priority", "resolution", "Key"):
            yield from (str(value.get(k)) for k in ("fromString", "toString"))
        yield from (str(value.get(k)) for k in ("field", "fieldtype", "state", "mimeType"))
        for key, inner in value.items():
            yield from workflow(inner, key)


def test_what_stays_is_the_same() -> None:
    before, after = real(keep_objects=True), redacted()
    assert list(after.columns) == list(before.columns)
    for name in redaction_plan(before).query("treatment == 'kept'")["column"]:
        pd.testing.assert_series_equal(after[name], before[name])
    for name in ("id", "key", "status", "status_category", "created", "issue_type", "priority", "parent_key"):
        assert after[name].equals(before[name]), name
    for name in before.columns:
        assert after[name].isna().equals(before[name].isna()), name


def test_the_tables_of_a_redacted_frame_have_the_same_rows() -> None:
    before, after = real(keep_objects=True), redacted()
    for table, same in [
        (links, ["link_id", "link_type", "from_key", "words", "to_key", "seen_from", "to_status"]),
        (comments, ["key", "comment_id", "created", "visibility_type"]),
        (worklogs, ["key", "started", "time_spent_seconds"]),
        (attachments, ["key", "attachment_id", "bytes", "mime_type", "created"]),
        (components, ["key", "component_id"]),
    ]:  # fmt: skip
        pd.testing.assert_frame_equal(table(after)[same], table(before)[same])


def test_tables_made_before_are_redacted_like_the_frame_they_came_from() -> None:
    frame = real(keep_objects=True)
    tables = {"issues": frame, "comments": comments(frame), "links": links(frame)}
    done = redact(tables, key=KEY)
    again = comments(done["issues"])
    for name in ("author", "author_account_id", "body", "visibility_value"):
        assert done["comments"][name].equals(again[name]), name
    assert done["links"]["to_summary"].equals(links(done["issues"])["to_summary"])


# --- the same person, the same text ---------------------------------------------------------------------------------


def history(**item: Any) -> str:
    return json.dumps({"histories": [{"author": {"displayName": "Ann Lee", "accountId": "a1"}, "items": [item]}]})


def test_one_person_is_one_pseudonym_in_names_accounts_addresses_and_json() -> None:
    item = {
        "field": "assignee",
        "fieldId": "assignee",
        "from": None,
        "fromString": None,
        "to": "a1",
        "toString": "A. Lee",
    }
    frame = pd.DataFrame(
        {
            "assignee": ["Ann Lee", "Bob"], "assignee_account_id": ["a1", "b2"], "reporter": ["ann  LEE", "Cem"],
            "changelog": [history(**item), None],
            "comments": ['{"comments": [{"author": {"emailAddress": "ann@x.org", "accountId": "a1"}}]}', None],
        }
    )  # fmt: skip
    found = redact(frame, key=KEY)
    ann = found["assignee"][0]
    assert re.fullmatch(r"person-[0-9a-f]{12}", ann)
    assert found["assignee_account_id"][0] == found["reporter"][0] == ann
    changed = json.loads(found["changelog"][0])["histories"][0]
    assert changed["author"] == {"displayName": ann, "accountId": ann}
    assert (changed["items"][0]["to"], changed["items"][0]["toString"]) == (ann, ann)
    assert json.loads(found["comments"][0])["comments"][0]["author"]["emailAddress"] == ann
    assert len({*found["assignee"], found["reporter"][1]}) == 3


def test_frames_learn_from_one_another_whose_a_name_is() -> None:
    one = pd.DataFrame({"assignee": ["Ann Lee"], "assignee_account_id": ["a1"]})
    other = pd.DataFrame({"author": ["Ann Lee"], "team": ["Ann Lee"]})
    found = redact({"one": one, "other": other}, key=KEY)
    assert found["other"].iloc[0].to_list() == [found["one"]["assignee"][0]] * 2
    assert redact(other, key=KEY)["author"][0] != found["other"]["author"][0]  # nothing says whose the name is


def test_a_name_that_two_people_have_is_not_given_to_one() -> None:
    frame = pd.DataFrame({"assignee": ["Ann", "Ann"], "assignee_account_id": ["a1", "a2"], "author": ["Ann", None]})
    found = redact(frame, key=KEY)
    assert found["assignee_account_id"].nunique() == 2
    assert found["author"][0] not in set(found["assignee_account_id"])


def test_a_change_to_one_of_two_people_of_one_name_is_told_by_the_account() -> None:
    rows = [["assignee", None, None, "a1", "Ann"], ["assignee", "a1", "Ann", "a2", "Ann"]]
    found = redact(pd.DataFrame(rows, columns=["field", "from_value", "from_text", "to_value", "to_text"]), key=KEY)
    assert found["to_text"].equals(found["to_value"])
    assert found["to_text"].nunique() == 2


def test_another_key_gives_others_and_the_same_key_the_same() -> None:
    frame = pd.DataFrame({"summary": ["Fix it"], "assignee": ["Ann"]})
    assert redact(frame, key=KEY).equals(redact(frame, key=KEY.encode()))
    assert not set(redact(frame, key=KEY).iloc[0]) & set(redact(frame, key=KEY + "!").iloc[0])


def test_each_value_of_a_list_is_redacted_for_itself() -> None:
    frame = pd.DataFrame({"labels": ["red; blue", "blue", '["a; b","blue"]'], "summary": ["blue", "x", "y"]})
    found = redact(frame, key=KEY)["labels"].str.split("; ")
    assert found[0][1] == found[1][0] == found[2][1] == redact(frame, key=KEY)["summary"][0]
    assert [len(v) for v in found] == [2, 1, 2]


def test_changes_are_redacted_by_their_field() -> None:
    rows = [
        ("status", "1", "To Do", "3", "Done"), ("assignee", None, None, "a1", "Ann"),
        ("Story Points", None, "3", None, "5"), ("Sprint", "7", "One", "7, 8", "One, Two"),
        ("summary", None, "Ann is ill", None, "Ann"), ("Link", None, None, "A-1", "This issue blocks A-1"),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["field", "from_value", "from_text", "to_value", "to_text"])
    found = redact(frame, key=KEY)
    assert found["field"].to_list() == frame["field"].to_list()
    assert found.iloc[0].to_list() == list(rows[0])
    assert found["to_text"][1] == found["to_value"][1] == found["to_text"][4]
    assert found.iloc[2].dropna().to_list() == ["Story Points", "3", "5"]
    assert found["to_value"][3] == "7, 8"
    assert found["to_text"][3].split(", ")[0] == found["from_text"][3]
    assert found["from_text"][4].startswith("text-")
    assert found["to_value"][5] == "A-1"
    assert found["to_text"][5].startswith("text-")


# --- what is not known ----------------------------------------------------------------------------------------------


def test_what_is_not_known_to_be_harmless_is_redacted() -> None:
    frame = pd.DataFrame(
        {
            "note": ["call Ann", None], "count": [1.5, 2], "when": pd.to_datetime(["2026-01-01", None], utc=True),
            "done": pd.array([True, None], "boolean"), "mixed": [{"who": "Ann", "n": 1}, ["Ann"]], "kind": ["a", "b"],
            "objects": pd.Series([3, "Ann"], dtype=object), "status": ["Done", '{"name": "Ann"}'],
        }
    ).astype({"kind": "category"})  # fmt: skip
    before = frame.copy(deep=True)
    found = redact(frame, key=KEY)
    pd.testing.assert_frame_equal(frame, before)
    assert not any("Ann" in text for text in strings(found))
    assert not set(found["kind"]) & {"a", "b"}
    assert found["count"].to_list() == [1.5, 2]
    assert found["when"].equals(frame["when"])
    assert found["done"].equals(frame["done"])
    assert found["objects"][0] == 3
    assert found["status"][0] == "Done"
    assert set(found["mixed"][0]) == {"redacted"}


WRITTEN = (
    "source", "state", "sprint_state", "phase", "from_phase", "direction", "seen_from", "visibility_type", "list",
    "parent_from", "chain", "missing", "outcome", "origin", "fate", "reason", "reasons", "uncertain_at", "freq",
    "words", "words_back", "field", "column", "part", "rule", "treatment",
)  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_a_field_that_is_called_like_a_column_of_the_package_is_redacted(name: str) -> None:
    """A merge loses what says which column is which field: then the values must tell."""
    said = pd.DataFrame({"id": ["1", "2"], name: ["Ann Lee of ann@lee.example told us", "closed"]})
    assert redact(said, key=KEY)[name].str.startswith("text-").all()


def test_the_words_of_measures_stay() -> None:
    changes = jira.changelog(example_issues())
    cycles, flow = jira.cycle_times(example_issues()), jira.throughput(example_issues(), freq="D")
    for frame, names in ((cycles, ["outcome", "phase"]), (flow, ["freq"]), (changes, ["field", "source"])):
        pd.testing.assert_frame_equal(redact(frame, key=KEY)[names], frame[names])
    words = {"origin": "committed", "fate": "carried over", "reason": "re-estimated", "reasons": "2 removed, 1 added"}
    scope = pd.DataFrame([words | {"chain": "A-1 > A-2", "missing": "A-1", "uncertain_at": "start, end"}])
    pd.testing.assert_frame_equal(redact(scope, key=KEY), scope)


def test_texts_that_arrow_holds_are_redacted_too() -> None:
    frame = pd.DataFrame({"assignee": ["Ann Lee"], "comments": ['[{"body": "from Ann Lee"}]']})
    arrow = frame.convert_dtypes(dtype_backend="pyarrow")
    assert redact(arrow, key=KEY).values.tolist() == redact(frame, key=KEY).values.tolist()


def test_keys_of_json_that_are_not_known_become_one_text() -> None:
    frame = pd.DataFrame(
        {"comments": ['{"total": 1, "comments": [{"id": "7", "ann@x.org": {"Ann": 1}, "body": "x"}]}']}
    )
    made = json.loads(redact(frame, key=KEY)["comments"][0])
    assert made["total"] == 1
    assert set(made["comments"][0]) == {"id", "body", "redacted"}
    assert made["comments"][0]["id"] == "7"


NAMES = ["id", "key", "name", "type", "items", "field", "from", "toString", "author", "fields", "histories", "state",
         "created", "displayName", "description", "self", "other", "Ann Secret"]  # fmt: skip
JSON = st.recursive(
    st.none() | st.integers(-5, 5) | st.just("Ann Secret") | st.sampled_from(["2026-01-01", "7"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(NAMES),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@example({"field": ["Ann Secret"]}, "items")
@given(JSON, st.sampled_from(["", "comments", "author", "items", "x"]))
@settings(max_examples=300, deadline=None)
def test_no_shape_of_json_lets_a_name_through(value: Any, at: str) -> None:
    made = JsonRedaction(Pseudonyms(KEY.encode())).redact(value, at)
    left = [text for text in strings(made) if "Ann Secret" in text]
    named = json.dumps(value)
    names_a_field = '"field": "Ann Secret"' in named and (at == "items" or '"items"' in named)
    assert left == [] or names_a_field


def test_columns_to_keep() -> None:
    frame = pd.DataFrame({"summary": ["Fix it"], "team": ["Blue"]})
    assert redact(frame, keep="team", key=KEY)["team"][0] == "Blue"
    assert redact(frame, keep=["team", "summary"], key=KEY).equals(frame)
    with pytest.raises(ColumnNotFoundError, match="Did you mean team"):
        redact(frame, keep=["tem"], key=KEY)


def test_the_index_is_treated_like_a_column() -> None:
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["Ann", "Bob"], name="assignee"))
    assert not set(redact(frame, key=KEY).index) & {"Ann", "Bob"}
    two = pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("A-1", "Ann")], names=["key", "assignee"]))
    assert redact(two, key=KEY).index[0][0] == "A-1"
    assert redact(two, key=KEY).index[0][1].startswith("person-")
    assert redact(frame.set_index("n"), key=KEY).index.to_list() == [1, 2]


def test_frames_whose_columns_are_people_are_refused() -> None:
    pairs = pd.DataFrame({"assignee": ["Ann"], "assignee_account_id": ["a1"]})
    with pytest.raises(DataError, match="named like a person"):
        redact({"a": pairs, "b": pd.DataFrame({"Ann": [1]})}, key=KEY)
    wide = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))
    with pytest.raises(DataError, match="several levels"):
        redact(wide, key=KEY)
    with pytest.raises(DataError, match="not unpacked"):
        redact(pd.DataFrame({"id": ["1"], "fields": ["{}"]}), key=KEY)
    with pytest.raises(DataError, match="twice"):
        redact(pd.DataFrame([[1, 2]], columns=["a", "a"]), key=KEY)


def test_a_key_is_needed_and_a_short_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"summary": ["x"]})
    monkeypatch.delenv("DATALAKE_KIT_REDACT_KEY", raising=False)
    with pytest.raises(ConfigError, match="needs a key"):
        redact(frame)
    with pytest.raises(ConfigError, match="5 bytes"):
        redact(frame, key="short")
    monkeypatch.setenv("DATALAKE_KIT_REDACT_KEY", KEY)
    assert redact(frame).equals(redact(frame, key=KEY))


def test_an_empty_frame() -> None:
    assert redact(pd.DataFrame({"summary": pd.Series([], dtype="str")}), key=KEY).empty
    assert redact(pd.DataFrame(), key=KEY).empty


def test_the_plan_names_every_column() -> None:
    frame = real()
    plan = redaction_plan(frame, keep="summary").set_index("column")
    assert list(plan.index) == list(frame.columns)
    assert plan.loc["summary", ["treatment", "why"]].to_list() == ["kept", "asked for"]
    assert plan.loc[["assignee", "description", "labels", "comments"], "treatment"].to_list() == [
        "people", "text", "list", "json"
    ]  # fmt: skip
    assert plan.loc["key", "values"] == len(frame)
