"""Random histories around the edges of sprints, and what became of each issue told by walking its events one by one.

The simulator knows nothing of the package: it keeps the state of one issue, event by event, and writes down what it
sees. Histories have changes at the very instants of a sprint's start and end, several at one instant, and acts that
change status, sprint and estimate together, as one version after another shows them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from tests.jira_histories import (
    NOTHING,
    SPAN,
    SPRINT_OF,
    SPRINTS,
    START,
    STATUSES,
    Event,
    History,
    Value,
    points_value,
    sprint_ids,
    sprint_value,
    status_value,
    to_frame,
)

EDGES = [
    instant + timedelta(minutes=shift)
    for sprint in SPRINTS[:4]
    for instant in (sprint["startDate"], sprint["endDate"], sprint["completeDate"])
    if instant is not None
    for shift in (-1, 0, 1)
]


def random_history(rng: random.Random, number: int, most: int = 14) -> History:
    """One issue that goes in and out of the first sprints, is done and reopened, and estimated anew."""
    created = START + timedelta(minutes=rng.choice([-3000, -3000, -1, 0, 1, 500, 20_000]))
    first: dict[str, Value] = {"status": status_value(rng.choice(["Backlog", "In Progress", "Done"]))}
    if rng.random() < 0.6:
        first["Story Points"] = points_value(rng.choice([1, 2, 3, 0.5]))
    if rng.random() < 0.5:
        first["Sprint"] = sprint_value(rng.sample([101, 102, 103], rng.choice([1, 1, 2])))
    now = {"Sprint": NOTHING, "Story Points": NOTHING} | first
    instants = sorted(_instant(rng, created) for _ in range(rng.randrange(most + 1)))
    events: list[Event] = []
    for entry, at in enumerate(instants):
        for name in rng.sample(["status", "Sprint", "Story Points"], rng.choice([1, 1, 1, 2, 3])):
            after = _another(rng, name, now[name])
            events.append(Event(at, name, now[name], after, entry))
            now[name] = after
    return History(str(30_000 + number), f"SP-{number}", rng.choice(["Story", "Bug"]), created, first, tuple(events))


def _instant(rng: random.Random, created: datetime) -> datetime:
    """At the edge of a sprint as often as anywhere else, and seldom before the creation."""
    later = [edge for edge in EDGES if edge >= created]
    if later and rng.random() < 0.5:
        return rng.choice(later)
    last = START + (SPAN if rng.random() < 0.2 else timedelta(days=35))
    return created + timedelta(minutes=rng.randrange(int((last - created).total_seconds() // 60)))


def _another(rng: random.Random, name: str, now: Value) -> Value:
    if name == "status":
        return status_value(
            rng.choice([s for s in ("Done", "Done", "Rejected", "Backlog", "In Review") if s != now[1]])
        )
    if name == "Story Points":
        return rng.choice([v for v in map(points_value, (None, 1, 2, 3, 0.5, 8)) if v != now])
    ids = sprint_ids(now)
    lists = [[], [101], [102], [101, 102], [101, 102], [102, 103], [101, 104], [104]]
    return sprint_value(rng.choice([ids_ for ids_ in lists if ids_ != ids]))


UNTIL = START + SPAN + timedelta(days=2)
SPRINT_DATES = pd.DataFrame(
    [
        {
            "sprint_id": s["id"], "sprint": s["name"], "state": s["state"], "start": s["startDate"],
            "end": s["endDate"], "completed": s["completeDate"], "board_id": s["boardId"],
        }
        for s in SPRINTS
    ]
)  # fmt: skip


PHASES = {name: phase for name, (_, phase) in STATUSES.items()}


def random_histories(seed: int, count: int = 300, most: int = 14) -> list[History]:
    """As many issues, from none to `most` acts each."""
    rng = random.Random(seed)
    return [random_history(rng, n + 1, rng.randrange(most + 1)) for n in range(count)]


def frame_of(some: Sequence[History], until: datetime | None = None) -> pd.DataFrame:
    """Issues with their changelog; every third issue is a sub-task."""
    frame = to_frame(some, until)
    return frame.assign(issue_type_is_subtask=[is_subtask(key) for key in frame["key"]])


def is_subtask(key: str) -> bool:
    return int(key.split("-")[1]) % 3 == 0


# --- what became of an issue, event by event ------------------------------------------------------------------------


@dataclass
class Fate:
    """What the simulator saw of one issue in one sprint."""

    id: str
    origin: str | None = None
    fate: str | None = None
    added_at: datetime | None = None
    removed_at: datetime | None = None
    completed_at: datetime | None = None
    reopened: int = 0
    points_at_start: float | None = None
    points_at_end: float | None = None
    ever_in: bool = False
    log: list[tuple[datetime, str, float, float, float, float]] = field(default_factory=list)


@dataclass
class _Now:
    member: bool = False
    done: bool = False
    points: float | None = None
    finished_in_sprint: bool | None = None  # of the finish that holds
    finished_at: datetime | None = None

    @property
    def part(self) -> str:
        if self.member and not self.done:
            return "open"
        return "completed" if self.member and self.finished_in_sprint else "nothing"


def sprint_window(sprint_id: int, until: datetime) -> tuple[datetime, datetime, bool] | None:
    """Start, end and whether the sprint is over, as known at an instant."""
    sprint: dict[str, Any] = SPRINT_OF[sprint_id]
    if sprint["startDate"] is None or sprint["startDate"] > until:
        return None
    over = sprint["completeDate"] is not None and sprint["completeDate"] <= until
    return sprint["startDate"], sprint["completeDate"] if over else until, over


def simulate(history: History, sprint_id: int, until: datetime) -> Fate | None:
    """Walk one issue through one sprint; None where it was never in it between its start and its end."""
    window = sprint_window(sprint_id, until)
    assert window is not None
    start, end, over = window
    seen, now = Fate(history.id), _Now()
    for at in sorted({history.created, *(event.at for event in history.events), start}):
        if at > end:
            break
        before = _Now(now.member, now.done, now.points, now.finished_in_sprint, now.finished_at)
        _apply(history, at, now, sprint_id)
        if now.done and not before.done:
            now.finished_in_sprint, now.finished_at = now.member and at > start, at
        if not now.done:
            now.finished_in_sprint = now.finished_at = None
        if at == start:
            before = _Now(now.member, now.done, now.points, now.finished_in_sprint, now.finished_at)
        if at >= start:
            _watch(seen, at, before, now, at == start)
    if not seen.ever_in:
        return None
    return _judge(seen, now, over)


def _moved_on(history: History, sprint_id: int) -> datetime | None:
    """When Jira moved the issue on to another sprint, at most a minute before this one was completed, for good."""
    completed = SPRINT_OF[sprint_id]["completeDate"]
    lists = [e for e in sorted(history.events, key=lambda e: (e.at, e.entry)) if e.field == "Sprint"]
    touching = [e for e in lists if (sprint_id in sprint_ids(e.before)) != (sprint_id in sprint_ids(e.after))]
    if completed is None or not touching:
        return None
    last = touching[-1]
    leaves = sprint_id in sprint_ids(last.before) and set(sprint_ids(last.after)) - set(sprint_ids(last.before))
    return last.at if leaves and timedelta() <= completed - last.at <= timedelta(minutes=1) else None


def _apply(history: History, at: datetime, now: _Now, sprint_id: int) -> None:
    if history.created <= at:
        state = history.state(at)
        moved_on = _moved_on(history, sprint_id)
        now.member = sprint_id in sprint_ids(state["Sprint"]) or (moved_on is not None and at >= moved_on)
        now.done = STATUSES[str(state["status"][1])][1] == "Done"
        text = state["Story Points"][1]
        now.points = float(text) if text is not None else None


def _watch(seen: Fate, at: datetime, before: _Now, now: _Now, is_start: bool) -> None:
    if now.member and not seen.ever_in:
        seen.ever_in, seen.points_at_start = True, now.points
    if now.part != "nothing" and seen.origin is None:
        seen.origin, seen.points_at_start = "committed" if is_start else "added", now.points
        seen.added_at = None if is_start else at
    if before.member and not now.member:
        seen.removed_at, seen.points_at_end = at, now.points
    if before.done and not now.done and now.member:
        seen.reopened += 1
    old, new = before.points or 0.0, now.points or 0.0
    if not is_start and (before.part != now.part or (now.part != "nothing" and old != new)):
        seen.log.append((at, _name(before, now), *_change(before, now)))


def _name(before: _Now, now: _Now) -> str:
    if now.part == "nothing":
        return "removed"
    if before.part == "nothing":
        return "reopened" if before.member else "added"
    if before.part == now.part:
        return "re-estimated"
    return "completed" if now.part == "completed" else "reopened"


def _change(before: _Now, now: _Now) -> tuple[float, float, float, float]:
    """By how much remaining and scope in issues, then remaining and scope in points, change."""
    found = []
    for unit in ("issues", "points"):
        old, new = (1.0 if unit == "issues" else (state.points or 0.0) for state in (before, now))
        remaining = new * (now.part == "open") - old * (before.part == "open")
        scope = new * (now.part != "nothing") - old * (before.part != "nothing")
        found += [remaining, scope]
    return found[0], found[1], found[2], found[3]


def _judge(seen: Fate, now: _Now, over: bool) -> Fate:
    if seen.origin is None:
        seen.origin, seen.fate = "done before", "completed outside"
    elif not now.member:
        seen.fate = "removed"
    elif now.part == "completed":
        seen.fate = "completed"
    elif now.done:
        seen.fate = "completed outside"
    else:
        seen.fate = "carried over" if over else "open"
    if seen.fate != "removed":
        seen.removed_at, seen.points_at_end = None, now.points
    if seen.fate in ("completed", "completed outside") and now.done:
        seen.completed_at = now.finished_at
    return seen
