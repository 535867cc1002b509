"""Flow measures by walking the events of histories one by one: slow, and written apart from the package.

Each function takes a `History` and the instant up to which it is known, and gives what a measure says of that issue.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.jira_histories import STATUSES, Event, History, status_value

STARTED = {name for name, (_, phase) in STATUSES.items() if phase == "In Progress"}
ENDED = {name for name, (_, phase) in STATUSES.items() if phase == "Done"}


def moment(text: str) -> datetime:
    """An instant in UTC: day, and time of the day if any."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def history(key: str, *moves: tuple[str, str], more: Sequence[Event] = ()) -> History:
    """An issue from its statuses: (instant, status), the first at its creation; `more` are changes of other fields."""
    (created, first), *later = moves
    events, before = [], first
    for entry, (at, after) in enumerate(later):
        events.append(Event(moment(at), "status", status_value(before), status_value(after), entry))
        before = after
    events = sorted([*events, *more], key=lambda event: event.at)
    number = str(10_000 + int(key.split("-")[1]))
    return History(number, key, "Story", moment(created), {"status": status_value(first)}, tuple(events))


def flag(at: str, up: bool) -> Event:
    """The flag goes up or down, in an act of its own."""
    entry = int(moment(at).timestamp()) // 60
    down, raised = (None, None), ("10019", "Impediment")
    return Event(moment(at), "Flagged", down if up else raised, raised if up else down, entry)


@dataclass
class Clock:
    """When an issue started and finished, as of the last event that was walked."""

    started: datetime | None = None
    finished: datetime | None = None
    reopened: int = 0

    def enter(self, status: str, at: datetime, start: Collection[str], done: Collection[str]) -> None:
        if self.started is None and status in start:
            self.started = at
        if status in done:
            self.finished = self.finished or at
        elif self.finished is not None:
            self.finished = None
            self.reopened += 1

    @property
    def outcome(self) -> str:
        if self.finished is not None:
            return "finished" if self.started is not None else "skipped start"
        return "in progress" if self.started is not None else "not started"


def walk_clock(
    issue: History, until: datetime, start: Collection[str] = STARTED, done: Collection[str] = ENDED
) -> Clock:
    """Run the clock over the moves up to an instant."""
    clock = Clock()
    for at, status in issue.moves():
        if at <= until:
            clock.enter(status, at, start, done)
    return clock


@dataclass
class Visits:
    """How often and how long an issue was in a status."""

    count: int = 0
    lasted: timedelta = field(default_factory=timedelta)
    first: datetime | None = None
    left: datetime | None = None


def walk_statuses(issue: History, until: datetime) -> dict[str, Visits]:
    """Time in each status, in order of the first visit."""
    found: dict[str, Visits] = {}
    moves = [move for move in issue.moves() if move[0] <= until]
    for n, (at, status) in enumerate(moves):
        visits = found.setdefault(status, Visits(first=at))
        left = moves[n + 1][0] if n + 1 < len(moves) else None
        visits.count += 1
        visits.lasted += (left or until) - at
        visits.left = left
    return found


@dataclass
class Blocks:
    """When an issue was blocked, and how long it was open."""

    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    open: timedelta = field(default_factory=timedelta)
    now: bool = False

    def add(self, start: datetime, end: datetime) -> None:
        if self.spans and self.spans[-1][1] == start:
            self.spans[-1] = (self.spans[-1][0], end)
        else:
            self.spans.append((start, end))

    @property
    def blocked(self) -> timedelta:
        return sum((end - start for start, end in self.spans), timedelta())


def walk_blocks(issue: History, until: datetime, statuses: Collection[str], *, flags: bool = True) -> Blocks:
    """Go from event to event, and say of the time in between whether the issue was blocked."""
    found = Blocks()
    events = sorted((e for e in issue.events if e.at <= until), key=lambda e: e.at)
    status, up = str(issue.first["status"][1]), bool(issue.first.get("Flagged", ("", ""))[1])
    at = issue.created
    for event in [*events, None]:
        end = until if event is None else event.at
        is_blocked = status not in ENDED and (status in statuses or (flags and up))
        if status not in ENDED:
            found.open += end - at
        if is_blocked and (end > at or event is None):
            found.add(at, end)
        if event is None:
            found.now = is_blocked
        elif event.field == "status":
            status = str(event.after[1])
        elif event.field == "Flagged":
            up = bool(event.after[1])
        at = end
    return found


def seen_one_by_one(issue: History, times: list[datetime]) -> bool:
    """Whether a run landed after the creation and after each change of the status, before the next one."""
    instants = [at for at, _ in issue.moves()]
    return all(
        any(a <= t < b for t in times)
        for a, b in zip(instants, [*instants[1:], datetime.max.replace(tzinfo=UTC)], strict=True)
    )


def period_start(at: datetime, freq: str, zone: str = "UTC") -> datetime:
    """Midnight of the day, of its Monday, or of the first of its month, in a zone."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date()
    if freq == "W":
        day -= timedelta(days=day.weekday())
    if freq == "M":
        day = day.replace(day=1)
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def working_minutes(start: datetime, end: datetime, hours: tuple[int, int], zone: str) -> int:
    """Minutes of working days within hours, minute by minute; both instants are whole minutes."""
    count = 0
    while start < end:
        wall = start.astimezone(ZoneInfo(zone))
        count += wall.weekday() < 5 and hours[0] <= wall.hour < hours[1]
        start += timedelta(minutes=1)
    return count
