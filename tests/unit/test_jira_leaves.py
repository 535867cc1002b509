"""Nothing that was there is lost: every leaf of every real document is in a column of its field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datalake_kit import jira
from datalake_kit.jira.fields.sprint_text import text_pairs

DOCUMENTS = sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))

# What a frame leaves out by default: pages and pictures of Jira in whatever object, and what is said of the thing that
# the field names and not of the issue.
DECORATION = {"self", "expand", "avatarUrls", "avatarId", "iconUrl"}
OF_THE_THING = {
    "user": {"name", "key", "active", "timeZone", "locale", "accountType"},
    "users": {"name", "key", "active", "timeZone", "locale", "accountType"},
    "option": {"id", "disabled"},
    "names": {"id", "description", "userReleaseDate", "userStartDate", "projectId"},
    "named": {"description"},
    "issue type": {"description"},
    "project": {"simplified", "projectCategory.id", "projectCategory.description"},
    "status": {"description", "statusCategory.id", "statusCategory.name", "statusCategory.colorName"},
    "parent": {
        "fields.issuetype.id", "fields.issuetype.description", "fields.issuetype.subtask", "fields.priority.id",
        "fields.status.id", "fields.status.description", "fields.status.statusCategory",
    },
    "epic": {"color"},
    "votes": {"hasVoted"},
    "watches": {"isWatching"},
    "sprint": {"sequence"},
    "parent link": {"showField", "nonEditableReason", "hasEpicLinkFieldDependency"},
}  # fmt: skip
TRANSLATED = {("status", "statusCategory.key")}  # its category is told in English


def documents() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in DOCUMENTS]


def rows(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Documents as a table has them: nested values as JSON text."""
    text = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in d.items()} for d in found]
    return pd.DataFrame(text)


Path_ = tuple[str | int, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Everything that is not null, an object or a list, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif value is not None:
        yield path, value


def held(cell: Any) -> set[Any]:
    """All that a cell says: itself, the texts joined in it, the leaves of its JSON; texts and numbers apart."""
    if isinstance(cell, pd.Timestamp):
        return {("instant", cell)}
    if not isinstance(cell, str):
        return set() if pd.isna(cell) else {spelt(cell)}
    said = {("text", cell), *(("text", part) for part in cell.split("; "))}
    if cell[:1] in ("{", "["):
        with suppress(ValueError):
            said |= {spelt(leaf) for _, leaf in leaves(json.loads(cell))}
    return said


def spelt(leaf: Any) -> Any:
    """A leaf so that equal ones of one type are equal."""
    if isinstance(leaf, str):
        return ("text", leaf)
    if isinstance(leaf, bool) or str(leaf) in ("True", "False"):
        return ("boolean", bool(leaf))
    return ("number", float(leaf))


def ways_to_say(leaf: Any) -> set[Any]:
    """A text may stand in a column as a number or an instant, a number or truth as a text."""
    ways = {spelt(leaf), ("text", leaf if isinstance(leaf, str) else json.dumps(leaf))}
    if isinstance(leaf, str):
        with suppress(ValueError):
            ways.add(("number", float(leaf)))
        if leaf[:4].isdigit() and leaf[4:5] == "-":
            ways.add(("instant", pd.Timestamp(leaf)))
    return ways


def dotted(path: Path_) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def in_one_shape(pairs: dict[str, Any]) -> dict[str, Any]:
    """A sprint of the old text form with its state in the letters that the column has."""
    return pairs | {"state": str(pairs["state"]).lower()}


def missing(frame: pd.DataFrame, found: list[dict[str, Any]], *, cut_sprints: bool) -> set[tuple[str, str]]:
    """Field and dotted path of leaves that are in no column of their own field."""
    columns = jira.names(frame).groupby("field")["column"].agg(list).to_dict()
    lost = set()
    for number, document in enumerate(found):
        row = frame.iloc[number]
        for field, value in document["fields"].items():
            said = set().union(*(held(row[name]) for name in columns.get(field, [])))
            for path, leaf in leaves(value):
                if ways_to_say(leaf) & said:
                    continue
                pairs = text_pairs(leaf) if cut_sprints else None
                unsaid = leaves(in_one_shape(pairs), path) if pairs else [(path, leaf)]
                lost |= {(field, dotted(way)) for way, part in unsaid if not ways_to_say(part) & said}
        beside = {name: held(row[name]) for name in document if name != "fields" and name in frame}
        for name, inner in document.items():
            if name in beside:
                lost |= {(name, str(path)) for path, leaf in leaves(inner) if not ways_to_say(leaf) & beside[name]}
    return lost


def documented(rule: str, path: str) -> bool:
    steps = path.split(".")
    above = {".".join(steps[:n]) for n in range(1, len(steps) + 1)}
    return bool(DECORATION & set(steps) or OF_THE_THING.get(rule, set()) & above or (rule, path) in TRANSLATED)


def test_kept_whole_every_leaf_is_in_a_column_of_its_field() -> None:
    found = documents()
    assert sum(1 for d in found for _ in leaves(d)) > 6000
    assert missing(jira.unpack_fields(rows(found), keep_objects=True), found, cut_sprints=False) == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_kept_whole_each_document_alone_too(path: Path) -> None:
    document = json.loads(path.read_text())
    frame = jira.unpack_fields(rows([document]), keep_objects=True)
    assert missing(frame, [document], cut_sprints=False) == set()


def test_by_default_only_decoration_is_left_out() -> None:
    found = documents()
    frame = jira.unpack_fields(rows(found))
    rule = jira.names(frame).drop_duplicates("field").set_index("field")["rule"].to_dict()
    lost = missing(frame, found, cut_sprints=True)
    assert lost  # or the walk sees nothing
    assert {(f, path) for f, path in lost if not documented(rule.get(f, "nothing"), path)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_by_default_each_document_alone_too(path: Path) -> None:
    document = json.loads(path.read_text())
    frame = jira.unpack_fields(rows([document]))
    rule = jira.names(frame).drop_duplicates("field").set_index("field")["rule"].to_dict()
    lost = missing(frame, [document], cut_sprints=True)
    assert {(f, path) for f, path in lost if not documented(rule.get(f, "nothing"), path)} == set()


def test_what_is_left_out_is_listed() -> None:
    found = documents()
    frame = jira.unpack_fields(rows(found))
    mapping = jira.names(frame)
    listed = {(str(r.field), key) for r in mapping.itertuples() if r.not_unpacked for key in r.not_unpacked.split(", ")}
    lost = missing(frame, found, cut_sprints=True) - {("status", "statusCategory.key")}
    assert {(f, path) for f, path in lost if (f, path) not in listed} == set()


def test_a_key_that_no_rule_knows_keeps_the_whole_object() -> None:
    value = {"displayName": "Ada", "accountId": "5", "active": True, "department": "Grid"}
    text = json.dumps({"customfield_1": value, "assignee": value | {"department": None}})
    frame = jira.unpack_fields(pd.DataFrame({"id": ["1"], "fields": [text]}))
    assert json.loads(frame["customfield_1_json"][0]) == value
    assert "assignee_json" not in frame


def test_keys_that_differ_in_letters_only_or_hold_a_dot_are_not_taken_for_one_another() -> None:
    values = {
        "customfield_1": {"value": "a", "VALUE": "b"},
        "status": {"name": "Open", "statusCategory.key": "x"},
    }
    frame = jira.unpack_fields(pd.DataFrame({"id": ["1"], "fields": [json.dumps(values)]}))
    assert json.loads(frame["customfield_1_json"][0]) == values["customfield_1"]
    assert json.loads(frame["status_json"][0]) == values["status"]
