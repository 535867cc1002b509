"""Rules: how the value of each kind of Jira field becomes columns.

A rule has two forms that give the same: `convert` on one value in Python, which is the definition and takes any odd
value, and `sql` on a whole column, which is the fast way for values of the usual shape. Values that the fast way does
not understand are given to `convert`; what that does not understand stays as JSON text. Nothing is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal

from datalake_kit.jira.fields.sprint_text import DATES, current_sprint, parse_sprint

OutputType = Literal["text", "number", "boolean", "date", "datetime", "json"]
Values = tuple[Any, ...]

JOINT = "; "  # between the values of a list in one text column


@dataclass(frozen=True)
class Output:
    """One column of a rule: the part of the field it holds ('' is the main value) and its type.

    An optional one becomes a column only where any row holds something in it.
    """

    part: str
    type: OutputType = "text"
    optional: bool = False


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
    used: tuple[tuple[str, ...], ...] = ()  # keys of an object, dots between levels: the first there has a column
    aside: frozenset[str] = frozenset()  # keys that say nothing of the issue, with all that is below them
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


def read_json(text: str) -> Any:
    """A JSON text as DuckDB reads it: of a key that comes twice the first, a number beyond DOUBLE as its text."""
    return json.loads(text, object_pairs_hook=_first_of_each, parse_float=_number)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs)) if len({key for key, _ in pairs}) < len(pairs) else dict(pairs)


def _number(text: str) -> float | str:
    number = float(text)
    return number if isfinite(number) else text


def pick(value: Any, *keys: str) -> Any:
    """The first of these keys that holds something, found in whatever letters (Athena folds them).

    >>> pick({"child": {"VALUE": "a"}}, "name", "child.value")
    'a'
    """
    for key in keys:
        found = value
        for step in key.split("."):
            found = _inside(found, step)
        if found is not None:
            return found
    return None


def _inside(value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        return None
    found = value.get(key)
    if found is None:
        found = next((v for k, v in value.items() if k.casefold() == key.casefold() and v is not None), None)
    return found


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


Part = tuple[str, OutputType, tuple[str, ...]]


def object_rule(name: str, *parts: Part, optional: str = "", aside: str = "") -> Rule:
    """A rule for an object of which some keys matter: (part, type, keys, the first that is there).

    Keys are dotted where they lie deeper. `optional` names parts, `aside` keys that say nothing of the issue.
    """
    keys = [key for _, _, group in parts for key in group]
    sql = tuple(f"coalesce({', '.join('{v}.' + key for key in group)})" for _, _, group in parts)
    outputs = tuple(Output(part, kind, part in optional.split()) for part, kind, _ in parts)
    convert = _picker(*(group for _, _, group in parts))
    used = tuple(group for _, _, group in parts)
    return Rule(name, outputs, convert, _nested(keys), sql, used, frozenset(aside.split()))


def _nested(keys: Iterable[str]) -> dict[str, Any]:
    """The shape in which dotted keys lie, each a text."""
    shape: dict[str, Any] = {}
    for key in keys:
        *above, last = key.split(".")
        level = shape
        for step in above:
            level = level.setdefault(step, {})
        level[last] = "VARCHAR"
    return shape


def _scalar_rule(kind: OutputType) -> Rule:
    return Rule(kind, (Output("", kind),), lambda value: (as_text(value),), "VARCHAR", ("{v}",), whole=None)


def joined(values: Iterable[str | None]) -> str | None:
    """Texts as one; as a JSON list when one of them holds what is put between them."""
    there = [value for value in values if value is not None]
    return as_text(there) if any(JOINT in value for value in there) else JOINT.join(there) or None


_JOINED = f"""
    CASE WHEN contains(array_to_string({{list}}, chr(31)), '{JOINT}')
         THEN CAST(to_json(list_filter({{list}}, lambda t: t IS NOT NULL)) AS VARCHAR)
         ELSE nullif(array_to_string({{list}}, '{JOINT}'), '') END
"""


def list_rule(name: str, *parts: tuple[str, tuple[str, ...]], optional: str = "", aside: str = "") -> Rule:
    """A rule for a list of objects (or of texts), joined to one text a part."""

    def convert(value: Any) -> Values | None:
        items = value if isinstance(value, list) else [value]
        rows = [_one(item, parts) for item in items if item is not None]
        return tuple(joined([row[n] for row in rows]) for n in range(len(parts)))

    element: Any = {key: "VARCHAR" for _, group in parts for key in group} or "VARCHAR"
    terms = [f"coalesce({', '.join('e.' + key for key in group)})" if group else "e" for _, group in parts]
    sql = tuple(_JOINED.format(list=f"[{term} for e in {{v}}]") for term in terms)
    outputs = tuple(Output(part, "text", part in optional.split()) for part, _ in parts)
    used = tuple(group for _, group in parts if group)
    return Rule(name, outputs, convert, [element], sql, used, frozenset(aside.split()))


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
    known = _CATEGORY.get(key) if isinstance(key, str) else None
    return known or as_text(pick(value, "name", "key"))


def _in_english(category: str) -> str:
    """SQL for the name of a status category by its key; a site may call it otherwise."""
    names = " ".join(f"WHEN '{key}' THEN '{name}'" for key, name in _CATEGORY.items())
    return f"CASE {category}.key {names} ELSE coalesce({category}.name, {category}.key) END"


def _convert_status(value: Any) -> Values | None:
    """What a name and id are, and the category; either of them is enough."""
    plain, category = NAMED.convert(value), _status_category(pick(value, "statusCategory"))
    if plain is None:
        return None if category is None else (None, None, category)
    return (*plain, category)


def _convert_status_category(value: Any) -> Values | None:
    if isinstance(value, str) or not value:
        return NAMED.convert(value)
    found = (_status_category(value), as_text(pick(value, "id")))
    return found if any(found) else None


def _convert_sprint(value: Any) -> Values | None:
    """Current sprint (name, id, state, dates), the names of all in order of their start, and all in one JSON shape."""
    items = value if isinstance(value, list) else [value]
    sprints = [parse_sprint(item) for item in items if item is not None]
    known = [s for s in sprints if s is not None]
    if len(known) < len(sprints):
        return None
    known.sort(key=lambda s: (s["startDate"] or "~", s["id"] or 0))
    current = current_sprint(known) or {}
    dates = [instant(current.get(key)) for key in DATES]
    names = joined([s["name"] for s in known])
    return (
        current.get("name"),
        as_text(current.get("id")),
        current.get("state"),
        *dates,
        names,
        as_text(known or None),
    )


def instant(text: str | None) -> str | None:
    """A text that is an instant, else None: what holds it whole has it then alone."""
    try:
        return text if text and datetime.fromisoformat(text).tzinfo else None
    except ValueError:
        return None


TEXT, NUMBER, BOOLEAN = _scalar_rule("text"), _scalar_rule("number"), _scalar_rule("boolean")
DATE, DATETIME, JSON = _scalar_rule("date"), _scalar_rule("datetime"), _scalar_rule("json")
SCALARS = {rule.name: rule for rule in (TEXT, NUMBER, BOOLEAN, DATE, DATETIME, JSON)}

# Keys that are about Jira's own pages and pictures, in whatever object they stand, with all that is below them.
DECORATIVE = frozenset(
    {"self", "expand", "_links", "avatarUrl", "avatarUrls", "avatarId", "icon", "iconUrl", "entityId"}
)

_WHO = ("displayName", "name", "emailAddress", "key", "accountId")
_ACCOUNT = ("accountId", "key", "name")
_OF_A_PERSON = "name key active timeZone locale accountType"  # attributes of the person, not of the issue
_OF_A_CHOICE = "description disabled scope colorName projectId"  # attributes of what can be chosen
USER = object_rule(
    "user", ("", "text", _WHO), ("account_id", "text", _ACCOUNT), ("email", "text", ("emailAddress",)),
    optional="email", aside=_OF_A_PERSON,
)  # fmt: skip
OPTION = object_rule("option", ("", "text", ("value", "name")), aside=f"id optionId {_OF_A_CHOICE}")
CASCADING = object_rule(
    "cascading", ("", "text", ("value", "name")), ("child", "text", ("child.value", "child.name")),
    aside=f"id child.id child.disabled {_OF_A_CHOICE}",
)  # fmt: skip
NAMED = object_rule("named", ("", "text", ("name", "value")), ("id", "text", ("id", "groupId")), aside=_OF_A_CHOICE)
PROJECT = object_rule(
    "project", ("", "text", ("key", "name")), ("name", "text", ("name",)), ("id", "text", ("id",)),
    ("type", "text", ("projectTypeKey",)), ("category", "text", ("projectCategory.name",)),
    optional="type category", aside="simplified projectCategory.id projectCategory.description",
)  # fmt: skip
ISSUE_TYPE = object_rule(
    "issue type", ("", "text", ("name",)), ("id", "text", ("id",)),
    ("is_subtask", "boolean", ("subtask",)), ("level", "number", ("hierarchyLevel",)), aside=_OF_A_CHOICE,
)  # fmt: skip
EPIC = object_rule(
    "epic", ("key", "text", ("key",)), ("id", "text", ("id",)), ("name", "text", ("name", "summary")),
    ("summary", "text", ("summary",)), ("done", "boolean", ("done",)), optional="summary done", aside="color",
)  # fmt: skip
PARENT = object_rule(
    "parent", ("key", "text", ("key",)), ("id", "text", ("id",)), ("summary", "text", ("fields.summary",)),
    ("issue_type", "text", ("fields.issuetype.name",)), ("level", "number", ("fields.issuetype.hierarchyLevel",)),
    ("status", "text", ("fields.status.name",)), ("priority", "text", ("fields.priority.name",)),
    optional="status priority",
    aside="fields.issuetype.id fields.issuetype.description fields.issuetype.subtask fields.issuetype.scope "
    "fields.status.id fields.status.description fields.status.statusCategory fields.status.scope fields.priority.id",
)  # fmt: skip
VOTES = object_rule("votes", ("", "number", ("votes",)), aside="hasVoted")  # whether the one who asked has voted
WATCHES = object_rule("watches", ("", "number", ("watchCount",)), aside="isWatching")
PROGRESS = object_rule(
    "progress", ("seconds", "number", ("progress",)), ("total_seconds", "number", ("total",)),
    ("percent", "number", ("percent",)),
)  # fmt: skip
TIME_TRACKING = object_rule(
    "time tracking",
    ("original_estimate", "text", ("originalEstimate",)),
    ("original_estimate_seconds", "number", ("originalEstimateSeconds",)),
    ("remaining_estimate", "text", ("remainingEstimate",)),
    ("remaining_estimate_seconds", "number", ("remainingEstimateSeconds",)),
    ("time_spent", "text", ("timeSpent",)),
    ("time_spent_seconds", "number", ("timeSpentSeconds",)),
)
_OF_A_CATEGORY = "id name colorName"
STATUS = Rule(
    "status", (Output(""), Output("id"), Output("category")), _convert_status,
    _nested(["name", "value", "id", "statusCategory.key", "statusCategory.name"]),
    ("coalesce({v}.name, {v}.value)", "{v}.id", _in_english("{v}.statusCategory")),
    (("name", "value"), ("id",), ("statusCategory.key", "statusCategory.name")),
    frozenset([*_OF_A_CHOICE.split(), *(f"statusCategory.{key}" for key in _OF_A_CATEGORY.split())]),
)  # fmt: skip
STATUS_CATEGORY = Rule(
    "status category", (Output(""), Output("id")), _convert_status_category, _nested(["key", "name", "id"]),
    (_in_english("{v}"), "{v}.id"), (("key", "name"), ("id",)), frozenset(_OF_A_CATEGORY.split()),
)  # fmt: skip
SPRINT = Rule(
    "sprint",
    (
        Output(""), Output("id", "number"), Output("state"), Output("start", "datetime"), Output("end", "datetime"),
        Output("completed", "datetime"), Output("all"), PART_JSON,
    ),
    _convert_sprint,
    used=tuple((key,) for key in ("name", "id", "state", *DATES, "boardId", "originBoardId", "rapidViewId", "goal")),
    aside=frozenset({"sequence", "synced", "autoStartStop", "incompleteIssuesDestinationId"}),
    whole=Output("raw", "json"),
)  # fmt: skip
TEXTS = list_rule("texts", ("", ()))
NAMES = list_rule(
    "names", ("", ("value", "name")), aside=f"id optionId groupId userStartDate userReleaseDate {_OF_A_CHOICE}"
)  # fmt: skip
USERS = list_rule(
    "users", ("", _WHO), ("account_ids", _ACCOUNT), ("emails", ("emailAddress",)), optional="emails", aside=_OF_A_PERSON
)  # fmt: skip
COUNTED, PAGE = _counted_list("list"), _page("page")
