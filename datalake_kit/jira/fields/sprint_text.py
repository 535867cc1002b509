"""Sprints: objects of Jira Cloud and the old text form of Jira Server, read alike.

    com.atlassian.greenhopper.service.sprint.Sprint@1f[id=5,rapidViewId=9,state=CLOSED,name=A, B=C,startDate=...,goal=]

Names and goals are free text: they may hold commas, equals signs and brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_TEXT_FORM = re.compile(r"^com\.atlassian\.greenhopper\.service\.sprint\.Sprint@[0-9a-f]*\[(.*)\]$", re.DOTALL)
# A comma begins a new pair only before a key that Jira writes with a value of its kind: names may hold commas.
_PAIR = re.compile(
    r"(?:^|,)(?:"
    r"(?P<number>id|rapidViewId|sequence|incompleteIssuesDestinationId)=(?=(?:\d+|<null>)?(?:,|$))"
    r"|(?P<word>state|autoStartStop|synced)=(?=(?:\w*|<null>)(?:,|$))"
    r"|(?P<date>startDate|endDate|completeDate|activatedDate)=(?=(?:<null>|\d{4}-\d\d-\d\d[^,]*)?(?:,|$))"
    r"|(?P<text>name|goal)=)"
)
DATES = ("startDate", "endDate", "completeDate")
_BEFORE_GOAL = (*DATES, "sequence")
_FREE_TEXT = ("name", "goal")
_ORDER = {"active": 0, "future": 1, "closed": 2}

Sprint = dict[str, Any]


def is_sprint_text(value: object) -> bool:
    """Whether a value is a sprint in the old text form."""
    return isinstance(value, str) and value.startswith("com.atlassian.greenhopper.service.sprint.Sprint@")


def parse_sprint(value: Any) -> Sprint | None:
    """Read one sprint, an object or the old text form, into one shape; None when it is neither.

    Returns
    -------
    dict or None
        `id` (int), `name`, `state` (lower case), `startDate`, `endDate`, `completeDate`, `boardId` (int), `goal`: text
        as Jira sent it, None where it holds nothing.

    Examples
    --------
    >>> text = "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=5,state=CLOSED,name=A, b,startDate=<null>]"
    >>> sprint = parse_sprint(text)
    >>> sprint["id"], sprint["name"], sprint["state"], sprint["startDate"]
    (5, 'A, b', 'closed', None)
    """
    if isinstance(value, dict):
        folded = {str(key).casefold(): inner for key, inner in value.items()}  # Athena folds keys
        return _shape(folded) if ("name" in folded or "id" in folded) else None
    pairs = text_pairs(value)
    return None if pairs is None else _shape({key.casefold(): inner for key, inner in pairs.items()})


def text_pairs(value: object) -> Sprint | None:
    """The keys and values of the old text form, as texts; None when the value is none."""
    whole = _TEXT_FORM.match(value) if isinstance(value, str) else None
    return _pairs(whole[1]) if whole else None


def _pairs(inside: str) -> Sprint:
    """Cut `key=value,key=value` at known keys, each once; what looks like a pair again is part of a name or a goal."""
    found = [(m[m.lastgroup or 0], m.start(), m.end()) for m in _PAIR.finditer(inside)]
    first = {key: (start, end) for key, start, end in reversed(found)}
    after = max((first[key][0] for key in _BEFORE_GOAL if key in first), default=-1)
    late_goals = [(start, end) for key, start, end in found if key == "goal" and start > after]
    if late_goals:  # a goal stands behind the dates: one before them is in the name
        first["goal"] = late_goals[0]
    cuts = sorted((start, end, key) for key, (start, end) in first.items())
    ends = [start for start, _, _ in cuts[1:]] + [len(inside)]
    pairs = {key: inside[begin:stop] for (_, begin, key), stop in zip(cuts, ends, strict=True)}
    return {k: (None if v == "<null>" or (v == "" and k not in _FREE_TEXT) else v) for k, v in pairs.items()}


def _shape(folded: Sprint) -> Sprint:
    """The one shape, from a sprint whose keys are in small letters."""
    state = folded.get("state")
    board = next((folded[k] for k in ("boardid", "originboardid", "rapidviewid") if folded.get(k) is not None), None)
    dates = {key: _text(folded.get(key.casefold())) for key in DATES}
    lower = state.lower() if isinstance(state, str) else None
    ends = {"boardId": _whole(board), "goal": _text(folded.get("goal"))}
    return {"id": _whole(folded.get("id")), "name": _text(folded.get("name")), "state": lower, **dates, **ends}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def current_sprint(sprints: Iterable[Sprint]) -> Sprint | None:
    """The sprint an issue is in: the active one, else the next future one, else the one closed last.

    Of several in one state the latest by start (for future ones the earliest) is taken, then the highest id.
    """
    known = list(sprints)
    if not known:
        return None
    best = min(_ORDER.get(s["state"] or "", 3) for s in known)
    same = [s for s in known if _ORDER.get(s["state"] or "", 3) == best]
    if best == _ORDER["future"]:
        return min(same, key=lambda s: (s["startDate"] or "~", s["id"] or 0))
    return max(same, key=lambda s: (s["startDate"] or "", s["id"] or 0))
