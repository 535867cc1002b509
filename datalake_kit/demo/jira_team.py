"""A team at work for half a year, event by event: the story behind the table jiralake.jira_history.

Two-week sprints with commitment, additions, removals and what is carried over; work that waits for review, goes back,
skips a step or is blocked; estimates that change. Everything follows from one seed. The issues are made up; their
documents take the shapes of the real ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

SEED = 20251006
FIRST_DAY = datetime(2025, 10, 6, tzinfo=UTC)
SEEN = datetime(2026, 4, 2, 16, 30, tzinfo=UTC)  # when the export was made: what comes later is not known yet
SPRINTS = 14
PEOPLE = 5
_OPENS, _CLOSES = 8, 17  # hours of a working day, UTC
_HOURS_A_POINT = 9.5
_POINTS = (1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 8.0)
_CAPACITY = 42  # points that are planned for a sprint

_VERBS = ("Add", "Rework", "Measure", "Speed up", "Repair", "Check", "Simplify", "Retire", "Automate", "Split")
_THINGS = (
    "the import of meter readings", "the forecast page", "the nightly export", "the login screen", "the alarm mails",
    "the rights of guests", "the search by address", "the cost report", "the archive of old sites",
    "the retry of failed jobs", "the map of stations", "the billing interface", "the point picker", "the audit trail",
)  # fmt: skip
EPICS = (
    "Readings within the hour", "Forecast for every site", "Company sign-on", "Reports people read", "Fewer alarms",
    "Billing without paper",
)  # fmt: skip


@dataclass(frozen=True)
class Sprint:
    """A sprint of two weeks: Monday morning to Friday afternoon, completed some minutes later."""

    number: int
    start: datetime
    end: datetime
    completed: datetime

    @property
    def id(self) -> int:
        """The id that Jira gave it."""
        return 700 + self.number


@dataclass(frozen=True)
class Change:
    """One value that changed: which, when, by whom (a number of a person), to what."""

    at: datetime
    author: int
    name: str  # status, points, sprints, flagged, assignee
    value: object


@dataclass
class Item:
    """One issue: how it was made, and every change, in no order yet."""

    number: int
    kind: str
    summary: str
    created: datetime
    reporter: int
    points: float | None = None
    epic: Item | None = None
    above: Item | None = None
    sprints: tuple[int, ...] = ()  # those it was made in
    changes: list[Change] = field(default_factory=list)
    done_at: datetime | None = None

    @property
    def key(self) -> str:
        """Its key."""
        return f"MTR-{self.number}"

    def change(self, at: datetime, author: int, name: str, value: object) -> None:
        """Take note of a change."""
        self.changes.append(Change(at, author, name, value))

    def known(self) -> list[Change]:
        """The changes that had happened when the export was made, in order."""
        return sorted((c for c in self.changes if c.at <= SEEN), key=lambda c: c.at)

    def value(self, name: str, begin: object = None) -> object:
        """What a value was when the export was made."""
        return next((c.value for c in reversed(self.known()) if c.name == name), begin)


def add_work(at: datetime, hours: float) -> datetime:
    """The instant after so many working hours.

    >>> add_work(datetime(2026, 3, 6, 16, tzinfo=UTC), 2).isoformat()   # a Friday
    '2026-03-09T09:00:00+00:00'
    """
    left = timedelta(hours=hours)
    while True:
        opens, closes = (at.replace(hour=h, minute=0, second=0, microsecond=0) for h in (_OPENS, _CLOSES))
        at = max(at, opens)
        if at.weekday() < 5 and at + left <= closes:
            return at + left
        left -= max(closes - at, timedelta()) if at.weekday() < 5 else timedelta()
        at = opens + timedelta(days=1)


class _Team:
    """Makes the issues, sprint by sprint."""

    def __init__(self) -> None:
        self.rng = random.Random(SEED)
        self.items: list[Item] = []
        self.backlog: list[Item] = []
        self.free = [FIRST_DAY + timedelta(hours=9, minutes=10 * n) for n in range(PEOPLE)]
        self.epics = [self._make("Epic", name, FIRST_DAY - timedelta(days=20 - n)) for n, name in enumerate(EPICS)]

    def _make(self, kind: str, summary: str, created: datetime) -> Item:
        created = created.replace(microsecond=1000 * self.rng.randrange(1000))
        item = Item(len(self.items) + 1, kind, summary, created, self.rng.randrange(PEOPLE))
        self.items.append(item)
        return item

    def new_story(self, at: datetime) -> Item:
        """A story, a task or a bug below an epic, mostly estimated."""
        kind = self.rng.choices(("Story", "Task", "Bug"), (6, 2, 2))[0]
        item = self._make(kind, f"{self.rng.choice(_VERBS)} {self.rng.choice(_THINGS)}", at)
        item.points = None if kind == "Bug" and self.rng.random() < 0.4 else self.rng.choice(_POINTS)
        item.epic = item.above = self.rng.choice(self.epics) if self.rng.random() < 0.85 else None
        return item

    def run(self) -> None:
        """All sprints, one after the other."""
        carried: list[Item] = []
        for sprint in sprints():
            self._refine(sprint)
            planned = self._plan(sprint, carried)
            self._reconsider(sprint, planned)
            added = self._interrupt(sprint)
            for item in [*carried, *self._by_urgency(planned, added)]:
                self._work(item, sprint)
            carried = self._complete(sprint, [*carried, *planned, *added])

    def _refine(self, sprint: Sprint) -> None:
        """New entries of the backlog in the two weeks before a sprint."""
        for _ in range(self.rng.randrange(9, 14)):
            day = sprint.start - timedelta(days=self.rng.randrange(1, 14))
            self.backlog.append(self.new_story(add_work(day, self.rng.random() * 8)))

    def _plan(self, sprint: Sprint, carried: list[Item]) -> list[Item]:
        """Commit to as much as fits, some minutes before the sprint begins."""
        room = _CAPACITY - sum(i.points or 1 for i in carried)
        planned = []
        while self.backlog and room > 0:
            item = self.backlog.pop(0)
            room -= item.points or 1
            at = sprint.start - timedelta(minutes=self.rng.randrange(4, 55), milliseconds=self.rng.randrange(1000))
            self._join(item, sprint, max(at, item.created + timedelta(seconds=30)))
            planned.append(item)
        return planned

    def _join(self, item: Item, sprint: Sprint, at: datetime) -> None:
        before: Any = next((c.value for c in reversed(item.changes) if c.name == "sprints"), item.sprints)
        item.change(at, 0, "sprints", (*before, sprint.number))

    def _reconsider(self, sprint: Sprint, planned: list[Item]) -> None:
        """Take one out again, and estimate another anew, now and then."""
        during = add_work(sprint.start, 9 * self.rng.uniform(1, 6))
        if planned and self.rng.random() < 0.5:
            out = planned.pop()
            out.change(during, 0, "sprints", out.sprints)
            self.backlog.insert(0, out)
        if planned and self.rng.random() < 0.7:
            again = self.rng.choice(planned)
            again.change(during, 0, "points", self.rng.choice((5.0, 8.0, 13.0)))

    def _interrupt(self, sprint: Sprint) -> list[Item]:
        """Bugs that come in the middle: made in the sprint, or put into it later."""
        added = []
        for _ in range(self.rng.randrange(1, 4)):
            bug = self.new_story(add_work(sprint.start, 9 * self.rng.uniform(0.5, 7)))
            bug.kind = "Bug"
            if self.rng.random() < 0.5:
                bug.sprints = (sprint.number,)
            else:
                self._join(bug, sprint, add_work(bug.created, self.rng.uniform(0.2, 5)))
            added.append(bug)
        return added

    def _by_urgency(self, planned: list[Item], added: list[Item]) -> list[Item]:
        order = list(planned)
        for bug in added:
            order.insert(self.rng.randrange(len(order) // 2, len(order) + 1), bug)
        return order

    def _work(self, item: Item, sprint: Sprint) -> None:
        """Somebody takes the issue up when free, unless the sprint is over by then."""
        if item.done_at or any(c.name == "status" for c in item.changes):
            return  # it is being worked on since the last sprint
        who = min(range(PEOPLE), key=lambda n: self.free[n])
        joined = max((c.at for c in item.changes if c.name == "sprints"), default=item.created)
        begin = add_work(max(self.free[who], joined, sprint.start), self.rng.uniform(0.1, 1.5))
        if begin > sprint.end:
            return
        item.change(begin - timedelta(seconds=self.rng.randrange(1, 40)), who, "assignee", who)
        item.change(begin, who, "status", "In Progress")
        effort = _HOURS_A_POINT * (item.points or 1.5) * self.rng.lognormvariate(0, 0.45)
        ready = add_work(begin, effort + self._stumble(item, who, begin, effort))
        self.free[who] = ready
        self._review(item, who, ready)
        if item.kind == "Story" and self.rng.random() < 0.3 and item.done_at:
            self._split(item, who, begin, item.done_at)

    def _stumble(self, item: Item, who: int, begin: datetime, effort: float) -> float:
        """Hours for which the work is blocked."""
        if self.rng.random() > 0.12:
            return 0.0
        hours = self.rng.uniform(3, 30)
        at = add_work(begin, effort * self.rng.uniform(0.1, 0.8))
        item.change(at, who, "flagged", "Impediment")
        item.change(add_work(at, hours), who, "flagged", None)
        return hours

    def _review(self, item: Item, who: int, ready: datetime) -> None:
        """Review by another, perhaps twice; some go straight to done."""
        other = (who + self.rng.randrange(1, PEOPLE)) % PEOPLE
        while self.rng.random() > 0.1:
            item.change(ready, who, "status", "In Review")
            ready = add_work(ready, self.rng.lognormvariate(1.6, 0.9))
            if self.rng.random() > 0.16:
                break
            item.change(ready, other, "status", "In Progress")
            ready = add_work(ready, self.rng.uniform(1, 8))
        item.change(ready, other, "status", "Done")
        item.done_at = ready
        if self.rng.random() < 0.04:  # found wanting later
            again = add_work(ready, 9 * self.rng.uniform(1, 6))
            item.change(again, item.reporter, "status", "In Progress")
            item.done_at = add_work(again, self.rng.uniform(3, 20))
            item.change(item.done_at, who, "status", "Done")

    def _split(self, item: Item, who: int, begin: datetime, done: datetime) -> None:
        for _ in range(self.rng.randrange(2, 4)):
            part = self._make("Sub-task", f"{self.rng.choice(('Test', 'Write', 'Review'))}: {item.summary}", begin)
            part.above, part.epic, part.sprints = item, item.epic, item.sprints
            part.created += timedelta(minutes=self.rng.randrange(1, 90))
            spans = sorted(self.rng.uniform(0.05, 0.95) for _ in range(2))
            at = [part.created + (done - part.created) * span for span in spans]
            part.change(at[0], who, "status", "In Progress")
            part.change(at[1], who, "status", "Done")
            part.done_at = at[1]

    def _complete(self, sprint: Sprint, items: list[Item]) -> list[Item]:
        """What is not done goes to the next sprint when this one is completed."""
        each = {item.number: item for item in items}.values()
        carried = [i for i in each if i.done_at is None or i.done_at > sprint.completed]
        following = Sprint(sprint.number + 1, sprint.start, sprint.end, sprint.completed)
        for item in carried:
            self._join(item, following, sprint.completed)
        return carried


@cache
def sprints() -> tuple[Sprint, ...]:
    """The sprints, the last of them still going when the export was made."""
    made = []
    for number in range(SPRINTS):
        start = FIRST_DAY + timedelta(days=14 * number, hours=9)
        end = start + timedelta(days=11, hours=7)
        made.append(Sprint(number, start, end, end + timedelta(minutes=7 + number)))
    return tuple(made)


@cache
def items() -> tuple[Item, ...]:
    """Every issue that was there when the export was made, in the order of their numbers."""
    team = _Team()
    team.run()
    return tuple(i for i in team.items if i.created <= SEEN)


def closed(sprint: Sprint) -> bool:
    """Whether a sprint was completed when the export was made."""
    return sprint.completed <= SEEN


def links() -> Iterator[tuple[Item, str, Item]]:
    """Pairs of issues that are linked: one, the name of the type, the other (outward: one blocks the other)."""
    rng = random.Random(SEED + 1)
    stories = [i for i in items() if i.kind in ("Story", "Task", "Bug")]
    by_epic = {epic: [i for i in stories if i.epic and i.epic.summary == epic] for epic in EPICS}
    for below in by_epic.values():
        for first, second in pairwise(below):
            if rng.random() < 0.25:
                yield first, rng.choices(("Blocks", "Relates", "Duplicate"), (6, 3, 1))[0], second
    ring = stories[40:43]  # a circle of blockers that nobody saw
    for first, second in pairwise([*ring, ring[0]]):
        yield first, "Blocks", second
