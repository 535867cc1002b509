"""Which columns of this package's frames are harmless, which hold people, and which JSON. Pure.

A column is harmless only when it is known to be; a column that comes from a field is judged by the field.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd

from datalake_kit.jira.fields.names import ATTRIBUTE

Treatment = Literal["kept", "people", "text", "list", "words", "json", "history"]

HISTORY = frozenset({"field", "from_value", "from_text", "to_value", "to_text"})
_WORKFLOW_FIELDS = frozenset({"issuetype", "status", "statuscategory", "priority", "resolution"})
_ID_RULES = frozenset({"named", "names", "option", "version", "versions", "status", "issue type", "parent", "epic"})
_HARMLESS_PARTS = frozenset({"id", "ids", "key", "state"})
_LISTS = frozenset({"texts", "names", "sprint"})
_JSON_FIELDS = frozenset({"issuelinks", "subtasks", "attachment", "comment", "worklog", "closedsprints"})
_JSON_RULES = frozenset({"list", "page"})

# Columns of tables and measures, and of frames that lost what they carried.
_WORDS = frozenset(
    (
        "id", "key", "project", "issue_type", "issue_type_id", "status", "status_id", "status_category",
        "current_status_category", "current_status_category_id", "priority", "priority_id", "resolution",
        "resolution_id", "parent_key", "parent_id", "parent_issue_type", "agile_epic_key", "agile_epic_id", "epic_key",
        "link_id", "link_type", "from_id", "from_key", "to_id", "to_key", "other_id", "other_key", "other_status",
        "other_issue_type", "other_priority", "from_status", "to_status", "comment_id", "worklog_id", "attachment_id",
        "component_id", "version_id", "subtask_id", "subtask_key", "mime_type", "field_id",
    )
)  # fmt: skip
# A field of Jira may be called like one of these, too, and a merge loses what says which column is which field: so
# what they hold must be a word that this package writes ...
_KEY = r"[a-z][a-z0-9_]{0,40}-\d{1,9}"
_PHASE = "to do|in progress|done"
_SPRINT_STATE = "active|closed|future"
_FLOW = "finished|in progress|not started|skipped start|open"
_CHANGE = "added|removed|completed|reopened|re-estimated"
_WRITTEN = {
    "source": "changelog|versions",
    **dict.fromkeys(("state", "sprint_state", "agile_sprint_state"), _SPRINT_STATE),
    **dict.fromkeys(("phase", "from_phase", "to_phase"), _PHASE),
    "direction": "outward|inward",
    "seen_from": "both|from|to",
    "visibility_type": "role|group",
    "parent_from": "parent|epic link",
    "chain": rf"({_KEY}|\d{{1,12}})( > ({_KEY}|\d{{1,12}}))*",
    "missing": rf"{_KEY}|\d{{1,12}}",
    "list": "comments|worklogs|changelog",
    "outcome": _FLOW,
    "origin": "committed|added|done before",
    "fate": "completed|completed outside|carried over|removed|open",
    "reason": f"start|end|now|planned end|{_CHANGE}",
    "reasons": rf"\d+ ({_CHANGE})(, \d+ ({_CHANGE}))*",
    "uncertain_at": "start|end|start, end",
    "freq": "d|w|m",
}
# ... or the frame must be the one that such a column is of.
_NAMES, _TYPES = frozenset({"field", "column", "part", "rule"}), frozenset({"field", "rule", "decided_by"})
_BESIDE: dict[str, tuple[frozenset[str], ...]] = {
    **dict.fromkeys(("words", "words_back"), (frozenset({"link_type"}),)),
    **dict.fromkeys(("column", "part"), (_NAMES,)),
    "rule": (_NAMES, _TYPES),
    "field": (HISTORY, _NAMES, _TYPES),
    "treatment": (frozenset({"column", "why", "values"}),),
}
_PEOPLE = frozenset({"assignee", "reporter", "creator", "author", "update_author", "person", "user"})
_JSON = frozenset({"issue_links", "subtasks", "attachments", "comments", "worklogs", "changelog", "closed_sprints"})
_NAME_LISTS = frozenset({"labels", "components", "fix_versions", "affects_versions", "sprint", "sprint_all"})


def treat(df: pd.DataFrame, name: Any, kept: frozenset[str]) -> tuple[Treatment, str]:
    """What becomes of a column, and why."""
    if name in kept:
        return "kept", "asked for"
    column = df[name]
    if not _holds_text(column):
        return "kept", "numbers, dates, yes or no"
    if HISTORY.issubset(df.columns) and name in HISTORY - {"field"}:
        return "history", "by the field that changed"
    record = next((r for r in df.attrs.get(ATTRIBUTE, []) if r["column"] == name), None)
    if record is None:
        return ("words", "words of this package") if _is_written(df, str(name)) else _by_name(str(name))
    return _by_field(record)


def _is_written(df: pd.DataFrame, name: str) -> bool:
    """Whether a column is one of this package's, by its values or by the columns beside it."""
    if any(beside.issubset(df.columns) for beside in _BESIDE.get(name, ())):
        return True
    if name not in _WRITTEN:
        return False
    values = df[name].dropna().unique()
    return all(isinstance(v, str) and re.fullmatch(_WRITTEN[name], v, re.IGNORECASE) for v in values)


def _holds_text(column: pd.Series[Any]) -> bool:
    """Whether a column holds anything but numbers, times and truth values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(column.cat.categories)
    if column.dtype != object:
        return not (
            pd.api.types.is_numeric_dtype(column)
            or pd.api.types.is_datetime64_any_dtype(column)
            or pd.api.types.is_timedelta64_dtype(column)
            or isinstance(column.dtype, pd.PeriodDtype | pd.IntervalDtype)
        )
    return not column.dropna().map(lambda v: isinstance(v, bool | int | float) or hasattr(v, "isoformat")).all()


def _by_name(name: str) -> tuple[Treatment, str]:
    if name in _WORDS:
        return "words", "ids and words of the workflow"
    if name in _PEOPLE or name.endswith(("_account_id", "_account_ids", "_email", "_emails")):
        return "people", "people"
    if name in _JSON or name.endswith("_json"):
        return "json", "JSON: people and texts inside"
    if name in _NAME_LISTS:
        return "list", "not known to be harmless"
    return "text", "not known to be harmless"


def _by_field(record: dict[str, str]) -> tuple[Treatment, str]:
    field, rule, part = record["field"].casefold(), record["rule"], record["part"]
    if rule in ("user", "users"):
        return ("json", "JSON of people") if part in ("json", "raw") else ("people", f"the field holds people ({rule})")
    if part in ("json", "raw") or rule in _JSON_RULES or field in _JSON_FIELDS:
        return "json", "JSON: people and texts inside"
    if field in _WORKFLOW_FIELDS or (field == "project" and part == "") or (field == "parent" and part == "issue_type"):
        return "words", "ids and words of the workflow"
    if rule in _ID_RULES | _LISTS and part in _HARMLESS_PARTS:
        return "words", "ids and keys"
    if record["name"].casefold() == "epic link" or rule == "time tracking":
        return "words", "keys and spans of time"
    return ("list" if rule in _LISTS else "text"), "not known to be harmless"
