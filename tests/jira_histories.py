"""Random histories of Jira issues as plain events, and the frames that a lake would give of them.

A history is what really happened, event by event: a test walks the events of `History.events` one by one and compares
what a measure says of `to_frame(histories)` (newest versions with an expanded changelog) or of
`to_versions(histories, times)` (what landed at each of the times, without a changelog).

>>> import random
>>> some = random_histories(random.Random(7), 3)
>>> frame, versions = to_frame(some), to_versions(some, landing_times(some))
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import strategies as st

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)  # a Monday
SPAN = timedelta(days=70)

# name -> id, category as the frames name it
STATUSES: dict[str, tuple[str, str]] = {
    "Backlog": ("10000", "To Do"),
    "Selected": ("10001", "To Do"),
    "In Progress": ("3", "In Progress"),
    "In Review": ("10002", "In Progress"),
    "Blocked": ("10003", "In Progress"),
    "Done": ("10004", "Done"),
    "Rejected": ("10005", "Done"),
}
NAME_OF = {number: name for name, (number, _) in STATUSES.items()}
PEOPLE = {"5d01": "Ada Lang", "5d02": "Ben Okoro", "5d03": "Chen Wei"}
BOARD = 9

# five sprints of two weeks, without gaps; the fourth is active at the end of the span, the fifth has not begun
SPRINTS: tuple[dict[str, Any], ...] = tuple(
    {
        "id": 101 + n,
        "name": f"Sprint {n + 1}",
        "state": "closed" if n < 3 else "active" if n == 3 else "future",
        "startDate": START + timedelta(days=14 * n) if n < 4 else None,
        "endDate": START + timedelta(days=14 * (n + 1)) if n < 4 else None,
        "completeDate": START + timedelta(days=14 * (n + 1), hours=1) if n < 3 else None,
        "boardId": BOARD,
        "goal": None,
    }
    for n in range(5)
)
SPRINT_OF = {sprint["id"]: sprint for sprint in SPRINTS}

Value = tuple[str | None, str | None]  # what Jira's changelog calls from/to and fromString/toString
NOTHING: Value = (None, None)
FIELD_IDS = {
    "status": "status",
    "assignee": "assignee",
    "resolution": "resolution",
    "Flagged": "customfield_10021",
    "Sprint": "customfield_10020",
    "Story Points": "customfield_10016",
}


@dataclass(frozen=True)
class Event:
    """One field of an issue changed. Events with one `entry` were one act, as closing sets the resolution too."""

    at: datetime
    field: str
    before: Value
    after: Value
    entry: int
    author: str = "5d01"


@dataclass(frozen=True)
class History:
    """All that happened to one issue: what it was when it was created, then its events in their order."""

    id: str
    key: str
    issue_type: str
    created: datetime
    first: dict[str, Value]  # field -> value at creation; a field that is not named had none
    events: tuple[Event, ...]

    @property
    def project(self) -> str:
        return self.key.split("-")[0]

    def state(self, at: datetime) -> dict[str, Value]:
        """The value of each field at an instant, after the events of that instant."""
        found = dict.fromkeys(FIELD_IDS, NOTHING) | self.first
        for event in self.events:
            if event.at <= at:
                found[event.field] = event.after
        return found

    def status(self, at: datetime) -> str:
        """The name of the status at an instant."""
        return str(self.state(at)["status"][1])

    def updated(self, at: datetime) -> datetime:
        """What `updated` was at an instant."""
        return max([self.created, *(event.at for event in self.events if event.at <= at)])

    def last(self) -> datetime:
        return self.updated(datetime.max.replace(tzinfo=UTC))

    def moves(self) -> list[tuple[datetime, str]]:
        """Instant and name of each status, the one at creation first."""
        found = [(self.created, str(self.first["status"][1]))]
        return found + [(e.at, str(e.after[1])) for e in self.events if e.field == "status"]


def status_value(name: str) -> Value:
    return STATUSES[name][0], name


def sprint_value(ids: Iterable[int]) -> Value:
    ids = list(ids)
    if not ids:
        return ("", "")  # as Jira writes no sprint
    return ", ".join(str(i) for i in ids), ", ".join(SPRINT_OF[i]["name"] for i in ids)


def sprint_ids(value: Value) -> list[int]:
    return [int(i) for i in (value[0] or "").split(",") if i.strip()]


def points_value(points: float | None) -> Value:
    return (None, f"{points:g}") if points is not None else (None, None)


# --- random histories -----------------------------------------------------------------------------------------------


def random_history(rng: random.Random, number: int = 1, *, most: int = 12, fields: Sequence[str] = ()) -> History:
    """One issue with up to `most` acts; of `fields` ("status" always; empty: all) something changes in each.

    Instants are whole minutes in working and other hours, and now and then two acts share one. Issues skip statuses, go
    back, are reopened, and stay open.
    """
    chosen = [f for f in FIELD_IDS if f != "resolution" and (not fields or f in fields)] or ["status"]
    created = START + timedelta(minutes=rng.randrange(int(SPAN.total_seconds() // 60)))
    first = {"status": status_value(rng.choice(["Backlog", "Backlog", "Backlog", "Selected", "In Progress"]))}
    if "Story Points" in chosen and rng.random() < 0.5:
        first["Story Points"] = points_value(rng.choice([1, 2, 3, 5, 8]))
    if "Sprint" in chosen and rng.random() < 0.3:
        first["Sprint"] = sprint_value([rng.choice(SPRINTS)["id"]])
    now = dict.fromkeys(FIELD_IDS, NOTHING) | first
    left = int((START + SPAN - created).total_seconds() // 60)
    minutes = sorted(rng.randrange(left + 1) for _ in range(rng.randrange(most + 1)))
    events: list[Event] = []
    for entry, minute in enumerate(minutes):
        field = "status" if "status" in chosen and rng.random() < 0.5 else rng.choice(chosen)
        for name, after in _act(rng, field, now):
            at, author = created + timedelta(minutes=minute), rng.choice(list(PEOPLE))
            events.append(Event(at, name, now[name], after, entry, author))
            now[name] = after
    kind = rng.choice(["Story", "Story", "Bug", "Task"])
    return History(str(20_000 + number), f"{'AB'[number % 2]}-{number}", kind, created, first, tuple(events))


def _act(rng: random.Random, field: str, now: dict[str, Value]) -> list[tuple[str, Value]]:
    """What one act changes; never a change to what is there already."""
    if field == "status":
        name = rng.choice([s for s in STATUSES if s != now["status"][1]])
        resolved: Value = ("10000", "Done") if STATUSES[name][1] == "Done" else NOTHING
        return [("status", status_value(name)), *([("resolution", resolved)] if resolved != now["resolution"] else [])]
    choices: dict[str, list[Value]] = {
        "assignee": [NOTHING, *PEOPLE.items()],
        "Flagged": [NOTHING, ("10019", "Impediment")],
        "Story Points": [points_value(p) for p in (None, 0.5, 1, 2, 3, 5, 8)],
        "Sprint": [sprint_value(s) for s in _sprint_choices(sprint_ids(now["Sprint"]))],
    }
    empty = (NOTHING, ("", ""))
    different = [c for c in choices[field] if c != now[field] and not (c in empty and now[field] in empty)]
    return [(field, rng.choice(different))]


def _sprint_choices(now: list[int]) -> list[list[int]]:
    """Into a sprint, out of the last one, or carried over into another."""
    others = [s["id"] for s in SPRINTS if s["id"] not in now]
    return [*([*now, other] for other in others), *([now[:-1], []] if now else [])]


def random_histories(rng: random.Random, count: int, *, most: int = 12, fields: Sequence[str] = ()) -> list[History]:
    """As many issues; see `random_history`."""
    return [random_history(rng, n + 1, most=most, fields=fields) for n in range(count)]


@st.composite
def histories(
    draw: st.DrawFn, *, smallest: int = 1, most_issues: int = 6, most: int = 10, fields: Sequence[str] = ()
) -> list[History]:
    """Random histories for hypothesis, which makes a failing example smaller by its number of issues and acts."""
    count = draw(st.integers(smallest, most_issues))
    acts = draw(st.integers(0, most))
    return random_histories(random.Random(draw(st.integers(0, 2**32))), count, most=acts, fields=fields)


def landing_times(some: Sequence[History], every: timedelta = timedelta(days=1)) -> list[datetime]:
    """Instants at which runs landed: one every so often, from the first creation until all has happened."""
    first = min((h.created for h in some), default=START).replace(hour=2, minute=0)
    last = max((h.last() for h in some), default=START)
    return [first + every * n for n in range(max(0, int((last - first) / every)) + 2)]


# --- as frames ------------------------------------------------------------------------------------------------------


def to_frame(some: Sequence[History], until: datetime | None = None, *, changelog: bool = True) -> pd.DataFrame:
    """The newest version of each issue, as `load(...).frame()` gives it, with the changelog beside the fields.

    `until`: as it was at that instant (issues created later are not there). None: after all that happened.
    """
    at = until or datetime.max.replace(tzinfo=UTC)
    rows = [_row(h, at) | ({"changelog": changelog_text(h, at)} if changelog else {}) for h in some if h.created <= at]
    return _typed(rows, ["changelog"] if changelog else [])


def to_versions(some: Sequence[History], times: Iterable[datetime], *, resend: bool = False) -> pd.DataFrame:
    """What landed at each of the times, as `load(...).versions()` gives it: the issues updated since the time before.

    `resend`: every issue at each time, changed or not. Versions of an issue stand together, the oldest first.
    """
    rows: list[dict[str, Any]] = []
    for history in some:
        sent: datetime | None = None
        for at in sorted(times):
            if history.created <= at and (resend or sent is None or history.updated(at) > sent):
                rows.append(_row(history, at) | {"landed": at})
                sent = at
    return _typed(rows, ["landed"])


def changelog_text(history: History, at: datetime, *, newest_first: bool = False) -> str:
    """The expanded changelog as Jira sends it, of what had happened by an instant."""
    entries: dict[int, dict[str, Any]] = {}
    for event in history.events:
        if event.at > at:
            continue
        entry = entries.setdefault(event.entry, _entry(history, event))
        entry["items"].append(_item(event))
    listed = list(entries.values())[:: -1 if newest_first else 1]
    page = {"startAt": 0, "maxResults": len(listed), "total": len(listed), "histories": listed}
    return json.dumps(page, ensure_ascii=False)


def _entry(history: History, event: Event) -> dict[str, Any]:
    author = {"accountId": event.author, "displayName": PEOPLE[event.author], "active": True}
    number = int(history.id) * 1000 + event.entry
    return {"id": str(number), "author": author, "created": f"{event.at:%Y-%m-%dT%H:%M:%S}.000+0000", "items": []}


def _item(event: Event) -> dict[str, Any]:
    (before, before_text), (after, after_text) = event.before, event.after
    kind = "custom" if FIELD_IDS[event.field].startswith("custom") else "jira"
    return {
        "field": event.field, "fieldtype": kind, "fieldId": FIELD_IDS[event.field], "from": before,
        "fromString": before_text, "to": after, "toString": after_text,
    }  # fmt: skip


def _row(history: History, at: datetime) -> dict[str, Any]:
    now = history.state(at)
    status = str(now["status"][1])
    done = [e.at for e in history.events if e.field == "resolution" and e.at <= at]
    points = now["Story Points"][1]
    return {
        "id": history.id, "key": history.key, "project": history.project, "issue_type": history.issue_type,
        "summary": f"Issue {history.key}", "status": status, "status_id": STATUSES[status][0],
        "status_category": STATUSES[status][1], "resolution": now["resolution"][1], "assignee": now["assignee"][1],
        "assignee_account_id": now["assignee"][0], "created": history.created, "updated": history.updated(at),
        "status_category_changed": _category_changed(history, at),
        "resolution_date": done[-1] if done and now["resolution"][1] else None,
        "flagged": now["Flagged"][1], "story_points": float(points) if points is not None else None,
        **_sprint_columns(sprint_ids(now["Sprint"])),
    }  # fmt: skip


def _category_changed(history: History, at: datetime) -> datetime:
    """When the category last changed; at creation when it never did."""
    changed = history.created
    for (_, before), (when, after) in zip(history.moves(), history.moves()[1:], strict=False):
        if when <= at and STATUSES[before][1] != STATUSES[after][1]:
            changed = when
    return changed


def _sprint_columns(ids: list[int]) -> dict[str, Any]:
    """The current sprint (active, else future, else the last) and all of them."""
    known = sorted((SPRINT_OF[i] for i in ids), key=lambda s: s["id"])
    order = {"active": 0, "future": 1, "closed": 2}
    current = min(known, key=lambda s: (order[s["state"]], -s["id"]), default={})
    texts = [{k: v.isoformat() if isinstance(v, datetime) else v for k, v in s.items()} for s in known]
    return {
        "sprint": current.get("name"), "sprint_id": current.get("id"), "sprint_state": current.get("state"),
        "sprint_start": current.get("startDate"), "sprint_end": current.get("endDate"),
        "sprint_completed": current.get("completeDate"), "sprint_all": "; ".join(s["name"] for s in known) or None,
        "sprint_json": json.dumps(texts) if texts else None,
    }  # fmt: skip


_INSTANTS = {
    "created", "updated", "status_category_changed", "resolution_date", "sprint_start", "sprint_end",
    "sprint_completed", "landed",
}  # fmt: skip
_NUMBERS = {"story_points", "sprint_id"}


def _typed(rows: list[dict[str, Any]], more: list[str]) -> pd.DataFrame:
    columns = list(rows[0]) if rows else [*_row(random_history(random.Random(0)), START + SPAN), *more]
    frame = pd.DataFrame(rows, columns=columns)
    for name in frame.columns:
        if name in _INSTANTS:
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        else:
            frame[name] = frame[name].astype("float64" if name in _NUMBERS else "str")
    return frame
