"""Which columns of this package's frames are harmless, which hold people, and which JSON. Pure.

A column is harmless only when it is known to be; a column that comes from a field is judged by the field.
"""

from __future__ import annotations

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
        "resolution_id", "parent_key", "parent_id", "parent_issue_type", "parent_from", "agile_epic_key",
        "agile_epic_id", "epic_key", "chain", "missing", "link_id", "link_type", "words", "words_back", "direction",
        "from_id", "from_key", "to_id", "to_key", "seen_from", "other_id", "other_key", "other_status",
        "other_issue_type", "other_priority", "from_status", "to_status", "comment_id", "worklog_id", "attachment_id",
        "component_id", "version_id", "subtask_id", "subtask_key", "visibility_type", "mime_type", "list", "state",
        "phase", "from_phase", "to_phase", "field", "field_id", "source", "column", "part", "rule", "treatment",
        "sprint_state", "agile_sprint_state",
    )
)  # fmt: skip
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
    return _by_name(str(name)) if record is None else _by_field(record)


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
