"""Which rule a field follows: from Jira's own fields, from a field's schema, else from the shape of its values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from datalake_kit.jira import rules
from datalake_kit.jira.names import FieldInfo
from datalake_kit.jira.rules import Rule
from datalake_kit.jira.sprints import is_sprint_text, text_pairs

# Jira's own fields, in the order of their columns: id (any letters) -> (base name, rule; None: by shape)
SYSTEM: dict[str, tuple[str, Rule | None]] = {
    "project": ("project", rules.PROJECT),
    "issuetype": ("issue_type", rules.ISSUE_TYPE),
    "summary": ("summary", rules.TEXT),
    "status": ("status", rules.STATUS),
    "statuscategory": ("current_status_category", rules.NAMED),
    "priority": ("priority", rules.NAMED),
    "resolution": ("resolution", rules.NAMED),
    "assignee": ("assignee", rules.USER),
    "reporter": ("reporter", rules.USER),
    "creator": ("creator", rules.USER),
    "created": ("created", rules.DATETIME),
    "updated": ("updated", rules.DATETIME),
    "statuscategorychangedate": ("status_category_changed", rules.DATETIME),
    "resolutiondate": ("resolution_date", rules.DATETIME),
    "duedate": ("due_date", rules.DATE),
    "lastviewed": ("last_viewed", rules.DATETIME),
    "parent": ("parent", rules.PARENT),
    "epic": ("agile_epic", rules.EPIC),
    "sprint": ("agile_sprint", rules.SPRINT),
    "closedsprints": ("closed_sprints", rules.COUNTED),
    "flagged": ("flagged", rules.BOOLEAN),
    "labels": ("labels", rules.TEXTS),
    "components": ("components", rules.NAMES),
    "fixversions": ("fix_versions", rules.NAMES),
    "versions": ("affects_versions", rules.NAMES),
    "security": ("security_level", rules.NAMED),
    "environment": ("environment", rules.TEXT),
    "description": ("description", rules.TEXT),
    "timeoriginalestimate": ("original_estimate_seconds", rules.NUMBER),
    "timeestimate": ("remaining_estimate_seconds", rules.NUMBER),
    "timespent": ("time_spent_seconds", rules.NUMBER),
    "aggregatetimeoriginalestimate": ("aggregate_original_estimate_seconds", rules.NUMBER),
    "aggregatetimeestimate": ("aggregate_remaining_estimate_seconds", rules.NUMBER),
    "aggregatetimespent": ("aggregate_time_spent_seconds", rules.NUMBER),
    "timetracking": ("time_tracking", rules.TIME_TRACKING),
    "progress": ("progress", rules.PROGRESS),
    "aggregateprogress": ("aggregate_progress", rules.PROGRESS),
    "workratio": ("work_ratio", rules.NUMBER),
    "votes": ("votes", rules.VOTES),
    "watches": ("watches", rules.WATCHES),
    "subtasks": ("subtasks", rules.COUNTED),
    "issuelinks": ("issue_links", rules.COUNTED),
    "attachment": ("attachments", rules.COUNTED),
    "comment": ("comments", rules.PAGE),
    "worklog": ("worklogs", rules.PAGE),
    "issuerestriction": ("issue_restriction", rules.JSON),
}

# Columns that a frame has whether they hold anything or not, where the documents have the field.
CORE = frozenset(list(SYSTEM)[:16]) | {"parent", "labels", "components", "fixversions", "versions", "description"}

_BY_CUSTOM_TYPE = {
    "gh-sprint": rules.SPRINT, "gh-epic-link": rules.TEXT, "gh-epic-label": rules.TEXT, "gh-lexo-rank": rules.TEXT,
    "float": rules.NUMBER, "datepicker": rules.DATE, "datetime": rules.DATETIME, "url": rules.TEXT,
    "textfield": rules.TEXT, "textarea": rules.TEXT, "readonlyfield": rules.TEXT,
    "select": rules.OPTION, "radiobuttons": rules.OPTION, "cascadingselect": rules.CASCADING,
    "multiselect": rules.NAMES, "multicheckboxes": rules.NAMES, "labels": rules.TEXTS,
    "userpicker": rules.USER, "multiuserpicker": rules.USERS, "grouppicker": rules.NAMED,
    "multigrouppicker": rules.NAMES, "version": rules.NAMED, "multiversion": rules.NAMES, "project": rules.PROJECT,
}  # fmt: skip
_BY_TYPE = {
    "user": rules.USER, "option": rules.OPTION, "option-with-child": rules.CASCADING, "number": rules.NUMBER,
    "date": rules.DATE, "datetime": rules.DATETIME, "project": rules.PROJECT, "priority": rules.NAMED,
    "version": rules.NAMED, "group": rules.NAMED, "resolution": rules.NAMED, "string": rules.TEXT,
}  # fmt: skip
_BY_ITEMS = {
    "option": rules.NAMES, "version": rules.NAMES, "component": rules.NAMES, "group": rules.NAMES,
    "user": rules.USERS,
}  # fmt: skip

# Keys that such objects have in Jira; an object with others says more than a name, and is kept as JSON.
_OPTION_KEYS = frozenset({"self", "id", "value", "name", "disabled", "child", "optionId"})
_NAMED_KEYS = _OPTION_KEYS | {
    "key", "description", "iconUrl", "avatarUrls", "avatarId", "archived", "released", "releaseDate", "userReleaseDate",
    "startDate", "userStartDate", "projectId", "overdue", "groupId", "colorName", "statusCategory", "subtask",
    "hierarchyLevel", "expand",
}  # fmt: skip

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")


@dataclass
class Profile:
    """What was seen of one field: kinds of JSON value, some values, whether an object was empty, keys of objects."""

    kinds: set[str] = field(default_factory=set)
    examples: list[Any] = field(default_factory=list)
    has_empty_object: bool = False
    keys: set[str] = field(default_factory=set)

    def see(self, value: Any) -> None:
        """Take note of one value; null and empty lists and objects hold nothing."""
        if value == {}:
            self.has_empty_object = True
        if value is None or value == [] or value == {}:
            return
        self.kinds.add(_kind(value))
        self.examples.append(value)
        self.keys.update(_keys(value))

    @property
    def holds(self) -> bool:
        """Whether any value was seen."""
        return bool(self.kinds)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _keys(value: Any, depth: int = 4) -> Iterator[str]:
    """Dotted keys of the leaves of an object, or of the objects of a list, some levels deep."""
    for item in value if isinstance(value, list) else [value]:
        if is_sprint_text(item):
            item = text_pairs(item)
        if isinstance(item, dict):
            for key, inner in item.items():
                if isinstance(inner, dict) and depth > 1:
                    yield from (f"{key}.{k}" for k in _keys(inner, depth - 1))
                elif inner is not None:
                    yield key


def profile(documents: Iterable[str]) -> dict[str, Profile]:
    """Look at documents (JSON text of `fields`): what each field holds."""
    seen: dict[str, Profile] = {}
    for text in documents:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):  # too deep for Python; DuckDB reads it, its fields are looked at singly
            continue
        for key, value in fields.items():
            seen.setdefault(key, Profile()).see(value)
    return seen


def profile_values(texts: Iterable[str]) -> Profile:
    """Look at values of one field, each as JSON text."""
    seen = Profile()
    for text in texts:
        try:
            seen.see(json.loads(text))
        except RecursionError:
            seen.kinds.add("array" if text.startswith("[") else "object")
    return seen


def has_fixed_rule(key: str) -> bool:
    """Whether a field is one of Jira's own whose rule does not depend on what it holds."""
    known = SYSTEM.get(key.casefold())
    return known is not None and known[1] is not None


def choose_rule(info: FieldInfo, seen: Profile) -> Rule:
    """Choose the rule of a field.

    A schema decides when the values have a shape that its rule can read; without values, or with a schema that says
    nothing, the shape decides.
    """
    by_system = SYSTEM.get(info.id.casefold())
    if by_system and by_system[1]:
        return by_system[1]
    by_schema = _schema_rule(info)
    if by_schema and (not seen.holds or _fits(by_schema, seen)):
        return by_schema
    return shape_rule(seen)


def _schema_rule(info: FieldInfo) -> Rule | None:
    custom = (info.custom or "").rsplit(":", 1)[-1]
    if custom in _BY_CUSTOM_TYPE:
        return _BY_CUSTOM_TYPE[custom]
    if info.type == "array":
        return _BY_ITEMS.get(info.items or "")
    return _BY_TYPE.get(info.type or "")


def _fits(rule: Rule, seen: Profile) -> bool:
    """Whether the values seen are of a kind that the rule is made for; a text is taken by most."""
    if rule is rules.SPRINT:
        return all(_is_sprints(v) for v in seen.examples)
    if rule is rules.TEXT:
        return seen.kinds <= {"string"}
    if rule.scalar:
        return seen.kinds <= {"string", "number", "boolean"} and _scalar_shape(seen, wanted=rule) is rule
    usual = "array" if rule.is_list else "object"
    return usual in seen.kinds and seen.kinds <= {usual, "string"}


def shape_rule(seen: Profile) -> Rule:
    """The rule that the values' own shape asks for."""
    kinds = seen.kinds - {"string"}
    if not kinds or kinds <= {"number", "boolean"}:
        return _scalar_shape(seen) if not _are_sprints(seen) else rules.SPRINT
    if kinds == {"object"}:
        return _object_shape([v for v in seen.examples if isinstance(v, dict)])
    if kinds == {"array"}:
        return _array_shape(seen)
    return rules.JSON


def _scalar_shape(seen: Profile, wanted: Rule | None = None) -> Rule:
    """Number if any value came as one and all can be read so; then dates; else text."""
    texts = [v for v in seen.examples if isinstance(v, str)]
    if seen.kinds == {"boolean"}:
        return rules.BOOLEAN
    if "boolean" in seen.kinds:
        return rules.TEXT
    if "number" in seen.kinds or wanted is rules.NUMBER:
        return rules.NUMBER if all(_NUMBER.fullmatch(t) for t in texts) else rules.TEXT
    if texts and all(_DATE.fullmatch(t) for t in texts):
        return rules.DATE
    if texts and all(_DATETIME.fullmatch(t) for t in texts):
        return rules.DATETIME
    return rules.TEXT


def looks_numeric(seen: Profile) -> bool:
    """Whether every example is a text that could be a number: then one real number anywhere would decide."""
    return bool(seen.examples) and all(isinstance(v, str) and _NUMBER.fullmatch(v) for v in seen.examples)


def _is_sprints(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(is_sprint_text(item) or _is_sprint_object(item) for item in items)


def _is_sprint_object(item: Any) -> bool:
    folded = {key.casefold() for key in item} if isinstance(item, dict) else set()
    return {"name", "state"} <= folded and bool({"boardid", "originboardid"} & folded)


def _are_sprints(seen: Profile) -> bool:
    return bool(seen.examples) and all(_is_sprints(v) for v in seen.examples)


def _is_user(value: dict[str, Any]) -> bool:
    folded = {key.casefold() for key in value}
    return "accountid" in folded or "displayname" in folded or {"emailaddress", "name"} <= folded


def _all(values: list[dict[str, Any]], key: str, known: frozenset[str]) -> bool:
    """Whether every object has a key, and none has keys that such objects do not have."""
    return bool(values) and all(key in v and set(v) <= known for v in values)


def _object_shape(values: list[dict[str, Any]]) -> Rule:
    if values and all(_is_user(v) for v in values):
        return rules.USER
    if _all(values, "value", _OPTION_KEYS):
        return rules.CASCADING if any("child" in v for v in values) else rules.OPTION
    if values and all(_is_sprint_object(v) for v in values):
        return rules.SPRINT
    if _all(values, "key", _NAMED_KEYS | {"projectTypeKey", "simplified", "projectCategory"}):
        return rules.PROJECT
    return rules.NAMED if _all(values, "name", _NAMED_KEYS) else rules.JSON


def _array_shape(seen: Profile) -> Rule:
    if _are_sprints(seen):
        return rules.SPRINT
    items = [i for v in seen.examples for i in (v if isinstance(v, list) else [v])]
    if all(isinstance(i, str) for i in items):
        return rules.TEXTS
    objects = [i for i in items if isinstance(i, dict)]
    if len(objects) < len(items):
        return rules.JSON
    if all(_is_user(i) for i in objects):
        return rules.USERS
    known = _all(objects, "value", _OPTION_KEYS - {"child"}) or _all(objects, "name", _NAMED_KEYS)
    return rules.NAMES if known else rules.JSON
