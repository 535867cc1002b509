"""A Hudi table under examination: what is left of it, however damaged, and the limits that it is judged by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.hudi.commits import Damage, Instant, Timeline, WriteStat, load_timeline
from datalake_kit.hudi.instants import TIMEZONE_PROPERTY, WriterZone, to_datetime, writer_zone
from datalake_kit.hudi.snapshot import Snapshot, snapshot_of
from datalake_kit.storage import Place, listing


@dataclass(frozen=True)
class Limits:
    """What counts as too old, too small and too many."""

    inflight: timedelta = timedelta(hours=6)
    small_file_bytes: int = 100 * 2**20
    log_files: int = 10


@dataclass(frozen=True)
class Examined:
    """One table: its timeline as far as it can be read, and the snapshot that is left (None when there is none)."""

    timeline: Timeline
    damage: tuple[Damage, ...]
    snapshot: Snapshot | None
    refusal: str
    limits: Limits
    now: datetime
    timezone: str | None

    @cached_property
    def present(self) -> Mapping[str, int]:
        """Every file in the table's folder with its size."""
        return listing(self.timeline.table.folder)

    @cached_property
    def zone(self) -> WriterZone:
        """The zone of the writer's instants."""
        return writer_zone(self.timezone, self.timeline.table.raw.get(TIMEZONE_PROPERTY, ""))

    @cached_property
    def written(self) -> Mapping[str, tuple[str, WriteStat]]:
        """For each file that a commit wrote: the last such commit, and what it says of the file."""
        return {s.path: (c.requested, s) for c in self.timeline.commits for s in c.stats}

    @cached_property
    def damaged_instants(self) -> frozenset[str]:
        """Completed commits of which nobody knows what they wrote."""
        return frozenset(d.instant.requested for d in self.damage if d.instant is not None)

    def age(self, instant: Instant) -> timedelta:
        """How long ago an action was begun; zero for a time that is no time."""
        begun = to_datetime(instant.requested, self.zone.zone)
        return self.now - begun if begun else timedelta()

    def is_old(self, instant: Instant) -> bool:
        """Whether an action that is not complete was begun longer ago than the limit."""
        return self.age(instant) > self.limits.inflight


def examine(
    location: str | Place, *, limits: Limits | None = None, now: datetime | None = None, timezone: str | None = None
) -> Examined:
    """Open what is left of a table; only what is no Hudi table, or of a kind that is not read, is refused.

    Raises
    ------
    TableNotFoundError
        The folder is no Hudi table.
    HudiError
        A table version or table type that this package does not read.
    """
    damage: list[Damage] = []
    timeline = load_timeline(location, damage=damage)
    snapshot, refusal = None, ""
    try:
        snapshot = snapshot_of(timeline, timezone=timezone)
    except DataError as problem:
        refusal = str(problem)
    now = datetime.now(UTC) if now is None else now
    now = now.replace(tzinfo=UTC) if now.tzinfo is None else now
    return Examined(timeline, tuple(damage), snapshot, refusal, limits or Limits(), now, timezone)


def duration(value: timedelta | str, name: str) -> timedelta:
    """Turn "6h", "90 min" or a timedelta into a timedelta.

    >>> duration("90min", "inflight_limit")
    datetime.timedelta(seconds=5400)
    """
    try:
        bare = re.fullmatch(r"[\s\d.]*", value) if isinstance(value, str) else not isinstance(value, timedelta)
        found = pd.Timedelta("NaT" if bare else value)  # a number without a unit would be nanoseconds
        if found >= pd.Timedelta(0):  # never for NaT
            return found.to_pytimedelta()
    except (ValueError, TypeError):
        pass
    raise ParameterError(f'{name}={value!r} is no span of time. Give a timedelta, or text such as "6h" or "90min".')
