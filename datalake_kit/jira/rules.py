"""Rules: how the value of each kind of Jira field becomes columns.

A rule has two forms that give the same: `convert` on one value in Python, which is the definition and takes any odd
value, and `sql` on a whole column, which is the fast way for values of the usual shape. Values that the fast way does
not understand are given to `convert`; what that does not understand stays as JSON text. Nothing is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from datalake_kit.jira.sprints import DATES, current_sprint, parse_sprint

OutputType = Literal["text", "number", "boolean", "date", "datetime", "json"]
Values = tuple[Any, ...]

JOINT = "; "  # between the values of a list in one text column


@dataclass(frozen=True)
class Output:
    """One column of a rule: the part of the field it holds ('' is the main value) and its type."""

    part: str
    type: OutputType = "text"


PART_JSON = Output("json", "json")


@dataclass(frozen=True)
class Rule:
    """How one kind of field becomes columns.

    `shape` is what DuckDB's json_transform makes of a value, `sql` one expression an output over it: `{v}` is the
    transformed value, `{j}` its JSON text. A rule without `sql` is run in Python on each distinct value.
    """

    name: str
    outputs: tuple[Output, ...]
    convert: Callable[[Any], Values | None]
    shape: Any = None
    sql: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()  # keys of an object whose value has a column, dots between levels
    whole: Output | None = PART_JSON  # the column in which a value is kept whole; None: one of `outputs` has it whole

    @property
    def scalar(self) -> bool:
        """Whether the value is taken as one text, to be cast as a whole column."""
        return isinstance(self.shape, str)

    @property
    def is_list(self) -> bool:
        """Whether the usual value is a list."""
        return isinstance(self.shape, list)

    @property
    def needs_text(self) -> bool:
        """Whether an output is the JSON text itself, or Python reads it."""
        return not self.sql or any("{j}" in expression for expression in self.sql)


def as_text(value: Any) -> str | None:
    """A JSON value as text: strings as they are, everything else as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pick(value: Any, *keys: str) -> Any:
    """The first of these keys that holds something; keys are found in whatever letters (Athena folds them)."""
    if not isinstance(value, dict):
        return None
    for key in keys:
        found = value.get(key)
        if found is None:
            found = next((v for k, v in value.items() if k.casefold() == key.casefold() and v is not None), None)
        if found is not None:
            return found
    return None


def _picker(*groups: tuple[str, ...]) -> Callable[[Any], Values | None]:
    """A converter that takes one key (the first that is there) for each output; a plain text is the main value."""

    def convert(value: Any) -> Values | None:
        if isinstance(value, str):
            return (value, *[None] * (len(groups) - 1))
        if not isinstance(value, dict):
            return None
        found = tuple(as_text(pick(value, *group)) for group in groups)
        return found if any(f is not None for f in found) or not value else None

    return convert


def _object_rule(name: str, *parts: tuple[str, OutputType, tuple[str, ...]]) -> Rule:
    """A rule for an object of which some keys matter: (part, type, keys, the first that is there)."""
    keys = [key for _, _, group in parts for key in group]
    sql = tuple(f"coalesce({', '.join('{v}.' + key for key in group)})" for _, _, group in parts)
    outputs = tuple(Output(part, kind) for part, kind, _ in parts)
    convert = _picker(*(group for _, _, group in parts))
    used = frozenset(group[0] for _, _, group in parts)  # the others stand in where it is missing
    return Rule(name, outputs, convert, dict.fromkeys(keys, "VARCHAR"), sql, used)


def _scalar_rule(kind: OutputType) -> Rule:
    return Rule(kind, (Output("", kind),), lambda value: (as_text(value),), "VARCHAR", ("{v}",), whole=None)


def _joined(values: list[str | None]) -> str | None:
    return JOINT.join(v for v in values if v is not None) or None


def _list_rule(name: str, *parts: tuple[str, tuple[str, ...]]) -> Rule:
    """A rule for a list of objects (or of texts), joined to one text a part."""

    def convert(value: Any) -> Values | None:
        items = value if isinstance(value, list) else [value]
        rows = [_one(item, parts) for item in items if item is not None]
        return tuple(_joined([row[n] for row in rows]) for n in range(len(parts)))

    element: Any = {key: "VARCHAR" for _, group in parts for key in group} or "VARCHAR"
    terms = [f"coalesce({', '.join('e.' + key for key in group)})" if group else "e" for _, group in parts]
    sql = tuple(f"nullif(array_to_string([{term} for e in {{v}}], '{JOINT}'), '')" for term in terms)
    outputs = tuple(Output(part) for part, _ in parts)
    return Rule(name, outputs, convert, [element], sql, frozenset(group[0] for _, group in parts if group))


def _one(item: Any, parts: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str | None]:
    if isinstance(item, dict):
        found = [as_text(pick(item, *group)) for _, group in parts]
        return found if found[0] is not None else [as_text(item), *found[1:]]
    return [as_text(item), *[None] * (len(parts) - 1)]


def _counted_list(name: str) -> Rule:
    """A list kept whole as JSON text, with its length."""

    def convert(value: Any) -> Values | None:
        if not isinstance(value, list):
            return None
        return (as_text(value) if value else None, float(len(value)))

    outputs = (Output("", "json"), Output("count", "number"))
    sql = ("nullif({j}, '[]')", "CAST(len({v}) AS VARCHAR)")
    return Rule(name, outputs, convert, ["JSON"], sql, whole=None)


def _page(name: str) -> Rule:
    """A page of comments or worklogs kept whole as JSON text, with how many there are in Jira (not in the page)."""

    def convert(value: Any) -> Values | None:
        return (as_text(value), as_text(pick(value, "total"))) if isinstance(value, dict) else None

    outputs = (Output("", "json"), Output("count", "number"))
    return Rule(name, outputs, convert, {"total": "VARCHAR"}, ("{j}", "{v}.total"), whole=None)


_CATEGORY = {"new": "To Do", "indeterminate": "In Progress", "done": "Done", "undefined": "No Category"}


def _status_category(value: Any) -> str | None:
    key = pick(value, "key")
    return _CATEGORY.get(key) or as_text(pick(value, "name", "key")) if value else None


def _with_inner(outer: Rule, value: Any, inner: str | None) -> Values | None:
    """What a rule makes of a value, and a part from an object within; either of them is enough."""
    plain = outer.convert(value)
    if plain is None:
        return None if inner is None else (*[None] * len(outer.outputs), inner)
    return (*plain, inner)


def _convert_status(value: Any) -> Values | None:
    return _with_inner(NAMED, value, _status_category(pick(value, "statusCategory")))


def _convert_cascading(value: Any) -> Values | None:
    return _with_inner(OPTION, value, as_text(pick(pick(value, "child"), "value", "name")))


def _convert_sprint(value: Any) -> Values | None:
    """Current sprint (name, id, state, dates), the names of all in order of their start, and all in one JSON shape."""
    items = value if isinstance(value, list) else [value]
    sprints = [parse_sprint(item) for item in items if item is not None]
    known = [s for s in sprints if s is not None]
    if len(known) < len(sprints):
        return None
    known.sort(key=lambda s: (s["startDate"] or "~", s["id"] or 0))
    current = current_sprint(known) or {}
    dates = [_instant(current.get(key)) for key in DATES]
    names = _joined([s["name"] for s in known])
    return (
        current.get("name"),
        as_text(current.get("id")),
        current.get("state"),
        *dates,
        names,
        as_text(known or None),
    )


def _instant(text: str | None) -> str | None:
    """A text that is an instant; of a sprint whose date is none, `_json` alone holds it."""
    try:
        return text if text and datetime.fromisoformat(text).tzinfo else None
    except ValueError:
        return None


TEXT, NUMBER, BOOLEAN = _scalar_rule("text"), _scalar_rule("number"), _scalar_rule("boolean")
DATE, DATETIME, JSON = _scalar_rule("date"), _scalar_rule("datetime"), _scalar_rule("json")
SCALARS = {rule.name: rule for rule in (TEXT, NUMBER, BOOLEAN, DATE, DATETIME, JSON)}

_WHO = ("displayName", "name", "emailAddress", "key", "accountId")
USER = _object_rule("user", ("", "text", _WHO), ("account_id", "text", ("accountId", "key", "name")))
OPTION = _object_rule("option", ("", "text", ("value", "name")))
NAMED = _object_rule("named", ("", "text", ("name", "value")), ("id", "text", ("id",)))
PROJECT = _object_rule("project", ("", "text", ("key", "name")), ("name", "text", ("name",)))
ISSUE_TYPE = _object_rule(
    "issue type", ("", "text", ("name",)), ("id", "text", ("id",)),
    ("is_subtask", "boolean", ("subtask",)), ("level", "number", ("hierarchyLevel",)),
)  # fmt: skip
EPIC = _object_rule("epic", ("key", "text", ("key",)), ("id", "text", ("id",)), ("name", "text", ("name", "summary")))
VOTES = _object_rule("votes", ("", "number", ("votes",)))
WATCHES = _object_rule("watches", ("", "number", ("watchCount",)))
PROGRESS = _object_rule(
    "progress",
    ("seconds", "number", ("progress",)),
    ("total_seconds", "number", ("total",)),
    ("percent", "number", ("percent",)),
)
TIME_TRACKING = _object_rule(
    "time tracking",
    ("original_estimate", "text", ("originalEstimate",)),
    ("original_estimate_seconds", "number", ("originalEstimateSeconds",)),
    ("remaining_estimate", "text", ("remainingEstimate",)),
    ("remaining_estimate_seconds", "number", ("remainingEstimateSeconds",)),
    ("time_spent", "text", ("timeSpent",)),
    ("time_spent_seconds", "number", ("timeSpentSeconds",)),
)
CASCADING = Rule(
    "cascading", (Output(""), Output("child")), _convert_cascading,
    {"value": "VARCHAR", "name": "VARCHAR", "child": {"value": "VARCHAR", "name": "VARCHAR"}},
    ("coalesce({v}.value, {v}.name)", "coalesce({v}.child.value, {v}.child.name)"),
    frozenset({"value", "child.value"}),
)  # fmt: skip
STATUS = Rule(
    "status", (Output(""), Output("id"), Output("category")), _convert_status,
    {"name": "VARCHAR", "value": "VARCHAR", "id": "VARCHAR", "statusCategory": {"key": "VARCHAR", "name": "VARCHAR"}},
    (
        "coalesce({v}.name, {v}.value)", "{v}.id",
        "CASE {v}.statusCategory.key "
        + " ".join(f"WHEN '{key}' THEN '{name}'" for key, name in _CATEGORY.items())
        + " ELSE coalesce({v}.statusCategory.name, {v}.statusCategory.key) END",
    ),
    frozenset({"name", "id", "statusCategory.key"}),
)  # fmt: skip


def _convert_parent(value: Any) -> Values | None:
    if not isinstance(value, dict):
        return (value, *[None] * 4) if isinstance(value, str) else None
    inside = pick(value, "fields")
    kind = pick(inside, "issuetype")
    parts = (pick(value, "key"), pick(value, "id"), pick(inside, "summary"), pick(kind, "name"))
    found = tuple(as_text(part) for part in (*parts, pick(kind, "hierarchyLevel")))
    return found if found[0] or found[1] or not value else None


PARENT = Rule(
    "parent",
    (Output("key"), Output("id"), Output("summary"), Output("issue_type"), Output("level", "number")),
    _convert_parent,
    {
        "key": "VARCHAR", "id": "VARCHAR",
        "fields": {"summary": "VARCHAR", "issuetype": {"name": "VARCHAR", "hierarchyLevel": "VARCHAR"}},
    },
    (
        "{v}.key", "{v}.id", "{v}.fields.summary", "{v}.fields.issuetype.name", "{v}.fields.issuetype.hierarchyLevel"
    ),
    frozenset({"key", "id", "fields.summary", "fields.issuetype.name", "fields.issuetype.hierarchyLevel"}),
)  # fmt: skip
SPRINT = Rule(
    "sprint",
    (
        Output(""), Output("id", "number"), Output("state"), Output("start", "datetime"), Output("end", "datetime"),
        Output("completed", "datetime"), Output("all"), PART_JSON,
    ),
    _convert_sprint,
    used=frozenset({"name", "id", "state", *DATES, "boardId", "originBoardId", "rapidViewId", "goal"}),
    whole=Output("raw", "json"),
)  # fmt: skip
TEXTS = _list_rule("texts", ("", ()))
NAMES = _list_rule("names", ("", ("value", "name")))
USERS = _list_rule("users", ("", _WHO), ("account_ids", ("accountId", "key", "name")))
COUNTED, PAGE = _counted_list("list"), _page("page")
