"""Rules for fields of Jira Service Management and of well-known apps: each gives the columns that are asked for.

What such a field holds beside them stays in its `_json` column.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from datalake_kit.jira.fields.rules import (
    PART_JSON,
    Output,
    Rule,
    Values,
    as_text,
    instant,
    joined,
    list_rule,
    object_rule,
    pick,
)

_EMBEDDED = re.compile(r"\bjson=(\{.*\})\s*\}\s*$", re.DOTALL)
_DEVELOPMENT = {
    "pull_requests": "pullrequest", "commits": "repository", "branches": "branch", "builds": "build",
    "deployments": "deployment-environment", "reviews": "review",
}  # fmt: skip


def _time(value: Any) -> str | None:
    """When, from an object that says it in several ways, or from a text."""
    if isinstance(value, str):
        return instant(value)
    text = pick(value, "iso8601", "jira")
    millis = pick(value, "epochMillis")
    if isinstance(text, str) and instant(text):
        return text
    if isinstance(millis, int) and not isinstance(millis, bool) and abs(millis) < 10**14:
        return datetime.fromtimestamp(millis / 1000, UTC).isoformat()
    return None


def _seconds(value: Any) -> str | None:
    millis = pick(value, "millis")
    return as_text(millis / 1000) if isinstance(millis, int | float) and not isinstance(millis, bool) else None


def _truth(value: Any) -> str | None:
    return as_text(value) if isinstance(value, bool) else None


def is_sla(value: Any) -> bool:
    """Whether a value is what a service level agreement measured, or why it could not."""
    folded = {key.casefold() for key in value} if isinstance(value, dict) else set()
    return bool({"completedcycles", "ongoingcycle"} & folded) or folded == {"errormessage"}


def _convert_sla(value: Any) -> Values | None:
    if isinstance(value, str):
        return (value, *[None] * (len(SLA.outputs) - 2), as_text(value))
    if not is_sla(value):
        return None
    ongoing, completed = pick(value, "ongoingCycle"), pick(value, "completedCycles")
    cycles = [cycle for cycle in completed if isinstance(cycle, dict)] if isinstance(completed, list) else []
    ongoing = ongoing if isinstance(ongoing, dict) else None
    shown = ongoing or max(cycles, key=_began, default={})
    breaches = [_truth(pick(cycle, "breached")) for cycle in [*cycles, *([ongoing] if ongoing else [])]]
    error = pick(value, "errorMessage")
    times = [_time(pick(shown, key)) for key in ("startTime", "stopTime", "breachTime")]
    spans = [_seconds(pick(shown, key)) for key in ("goalDuration", "elapsedTime", "remainingTime")]
    counts = (str(len(cycles)), str(breaches.count("true"))) if error is None else (None, None)
    state = _sla_state(ongoing, completed=bool(cycles), failed=error is not None)
    return (state, *counts, _truth(pick(shown, "breached")), *times, *spans, as_text(error), as_text(value))


def _began(cycle: dict[str, Any]) -> str:
    """When a cycle began, in letters that sort."""
    text = _time(pick(cycle, "startTime"))
    return datetime.fromisoformat(text).astimezone(UTC).isoformat() if text else ""


def _sla_state(ongoing: Any, *, completed: bool, failed: bool) -> str | None:
    if failed:
        return "error"
    if ongoing:
        return "paused" if pick(ongoing, "paused") is True else "ongoing"
    return "completed" if completed else None


# Of the ongoing cycle, else of the completed one that began last (of several that began then the first).
SLA = Rule(
    "sla",
    (
        Output(""), Output("completed_cycles", "number"), Output("breached_cycles", "number"),
        Output("breached", "boolean"), Output("start", "datetime"), Output("stop", "datetime"),
        Output("breach_time", "datetime"), Output("goal_seconds", "number"), Output("elapsed_seconds", "number"),
        Output("remaining_seconds", "number"), Output("error", optional=True), PART_JSON,
    ),
    _convert_sla,
    whole=None,
)  # fmt: skip


def is_request_type(value: Any) -> bool:
    """Whether a value is the customer's request of a service desk."""
    return isinstance(pick(value, "requestType"), dict)


def _convert_request_type(value: Any) -> Values | None:
    if isinstance(value, str):
        return (value, *[None] * 5)
    if not is_request_type(value):
        return None
    kind, status = pick(value, "requestType"), pick(value, "currentStatus")
    texts = (pick(kind, "name"), pick(kind, "id"), pick(value, "_links.web"), pick(status, "status"))
    return (*(as_text(text) for text in texts), _time(pick(status, "statusDate")), as_text(value))


REQUEST_TYPE = Rule(
    "request type",
    (Output(""), Output("id"), Output("url"), Output("status"), Output("status_since", "datetime"), PART_JSON),
    _convert_request_type,
    whole=None,
)


def is_approvals(value: Any) -> bool:
    """Whether a value is a list of approvals."""
    keys = [{key.casefold() for key in item} if isinstance(item, dict) else set() for item in _items(value)]
    return bool(keys) and all({"approvers", "finaldecision"} & found for found in keys)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _convert_approvals(value: Any) -> Values | None:
    if value == []:
        return (None,) * 4
    if not is_approvals(value):
        return None
    decisions = [as_text(pick(item, "finalDecision")) or "pending" for item in value]
    people = [
        pick(one, "approver.displayName", "approver") for item in value for one in _items(pick(item, "approvers"))
    ]
    return (decisions[-1], str(len(value)), joined(as_text(person) for person in people), as_text(value))


APPROVALS = Rule(  # the decision is the last one's; without a final one it is pending
    "approvals",
    (Output(""), Output("count", "number"), Output("approvers"), PART_JSON),
    _convert_approvals,
    whole=None,
)


def is_checklist(value: Any) -> bool:
    """Whether a value is a list of things to check, done or not."""
    return bool(_items(value)) and all(isinstance(pick(item, "checked"), bool) for item in value)


def _convert_checklist(value: Any) -> Values | None:
    if value == []:
        return (None, None, None)
    if not is_checklist(value):
        return None
    return (as_text(value), str(len(value)), str(sum(pick(item, "checked") for item in value)))


CHECKLIST = Rule(
    "checklist",
    (Output("", "json"), Output("count", "number"), Output("checked", "number")),
    _convert_checklist,
    whole=None,
)


def is_development(value: Any) -> bool:
    """Whether a text is what the development panel tells of commits, pull requests and builds."""
    return isinstance(value, str) and bool(_EMBEDDED.search(value)) and "cachedValue" in value


def _convert_development(value: Any) -> Values | None:
    if not isinstance(value, str):
        return (as_text(value), *[None] * (len(DEVELOPMENT.outputs) - 1))
    summary = _embedded(value)
    counts = [pick(summary, f"{key}.overall.count") for key in _DEVELOPMENT.values()]
    numbers = [str(count) if isinstance(count, int) and not isinstance(count, bool) else None for count in counts]
    state = pick(summary, "pullrequest.overall.state")
    return (value, *numbers, state if isinstance(state, str) else None)


def _embedded(text: str) -> Any:
    found = _EMBEDDED.search(text)
    try:
        return pick(json.loads(found[1]), "cachedValue.summary") if found else None
    except (ValueError, RecursionError):
        return None


DEVELOPMENT = Rule(
    "development",
    (
        Output(""),
        *(Output(part, "number", optional=True) for part in _DEVELOPMENT),
        Output("pull_request_state", optional=True),
    ),
    _convert_development,
    whole=None,
)

RATING = object_rule("rating", ("", "number", ("rating",)), ("comment", "text", ("comment",)), optional="comment")
LANGUAGE = object_rule("language", ("", "text", ("displayName",)), ("code", "text", ("languageCode",)))
TEAM = object_rule(
    "team", ("", "text", ("name", "title")), ("id", "text", ("id",)),
    aside="title isVisible isVerified isShared organizationId",
)  # fmt: skip
ASSETS = list_rule(
    "assets", ("", ("label", "objectKey", "objectId", "id")), ("ids", ("objectId", "id")), aside="workspaceId id"
)


def is_parent_link(value: Any) -> bool:
    """Whether a value is the parent link of Advanced Roadmaps, set or not."""
    return isinstance(value, dict) and "hasepiclinkfielddependency" in {key.casefold() for key in value}


def _convert_parent_link(value: Any) -> Values | None:
    if isinstance(value, str):
        return (value, None, None)
    data = pick(value, "data")
    return tuple(as_text(pick(data, key)) for key in ("key", "id", "summary")) if is_parent_link(value) else None


PARENT_LINK = Rule(
    "parent link",
    (Output("key"), Output("id", optional=True), Output("summary", optional=True)),
    _convert_parent_link,
    used=(("data.key",), ("data.id",), ("data.summary",)),
    aside=frozenset({"showField", "nonEditableReason", "hasEpicLinkFieldDependency", "data.keyNum"}),
)
