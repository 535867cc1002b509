"""Lag is not loss: keys that differ only because a change is newer than the cut, or its file not processed yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from datalake_kit.cdc.compare import Aligned, Comparison
from datalake_kit.cdc.dms import DmsFile
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.trackers import in_words
from datalake_kit.errors import ParameterError, did_you_mean

_SOON = timedelta(minutes=15)


@dataclass(frozen=True)
class Waiting:
    """Keys that wait: how many of each kind, and the table of their ids."""

    table: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many keys wait."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class WaitingFiles:
    """Staged files not processed yet: their numbers, and when each staged file landed, where that is known."""

    numbers: tuple[int, ...]
    landed: tuple[datetime | None, ...]


def landing_times(files: Sequence[DmsFile], lag: Mapping[str, datetime | None] | Collection[str]) -> WaitingFiles:
    """Find the files that wait among the staged ones, by their names.

    Raises
    ------
    ParameterError
        A name that is none of the staged files.
    """
    given = dict(lag) if isinstance(lag, Mapping) else dict.fromkeys(lag)
    numbers, landed = [], []
    left = set(given)
    for number, file in enumerate(files):
        same = [name for name in given if name == file.name or file.name.endswith("/" + name)]
        left -= set(same)
        numbers += [number] if same else []
        landed.append((given[same[0]] or file.time) if same else file.time)
    if left and not numbers:
        name = sorted(left)[0]
        raise ParameterError(f"lag names {name!r}, which is not staged. {did_you_mean(name, [f.name for f in files])}")
    return WaitingFiles(tuple(numbers), tuple(landed))


def known_landings(
    files: Sequence[DmsFile], lag: Mapping[str, datetime | None] | Collection[str]
) -> list[datetime | None]:
    """When each staged file landed, as far as its own time is that; a copied folder has times of its own."""
    told = landing_times(files, lag)
    return [
        told.landed[n] if n in told.numbers else f.landed if f.landed is not None and _is_own(f) else None
        for n, f in enumerate(files)
    ]


def _is_own(file: DmsFile) -> bool:
    """Whether a file was written when it landed: the time in the name of a change file is that."""
    return file.time is None or file.landed is None or abs(_aware(file.landed) - _aware(file.time)) < _SOON


def ahead_of_cut(ordering: Ordering, comparison: Comparison) -> Waiting:
    """Keys of which the lake has a row newer than the cut, or whose row a change after the cut deleted or replaced."""
    name, work = comparison.name, ordering.work
    record = ["seq" if ordering.mode == "H" and i == len(ordering.keys) else f"k{i}" for i in range(comparison.keys)]
    same = " AND ".join(f"s.{column} = k.r{i}" for i, column in enumerate(record))
    work.run(
        f"CREATE TABLE {name}_waiting AS "
        f"SELECT id FROM {comparison.differing} AS d SEMI JOIN (SELECT id FROM {name}_found, cut "
        "WHERE seq > until) USING (id) WHERE kind <> 'duplicate' "
        f"UNION SELECT k.id FROM {comparison.differing} AS k JOIN (SELECT * FROM all_staged, cut "
        f"WHERE op <> 'L' AND seq > until) AS s ON {same} "
        f"LEFT JOIN {name}_found AS f ON f.id = k.id "
        "WHERE (k.kind = 'missing' AND s.op = 'D') OR (k.kind IN ('extra', 'changed') AND s.op <> 'D' AND f.h = s.h)"
    )
    return _counted(comparison, [], "newer than the cut")


def waiting_for(
    ordering: Ordering, comparison: Comparison, aligned: Aligned, files: WaitingFiles, before: Waiting
) -> Waiting:
    """Keys that are as they should be without the changes of files that wait; those found before are kept."""
    if not files.numbers:
        return before
    name, work = comparison.name, ordering.work
    if not before.table:
        work.run(f"CREATE TABLE {name}_waiting (id BIGINT)")
    record = ["seq" if ordering.mode == "H" and i == len(ordering.keys) else f"k{i}" for i in range(comparison.keys)]
    same = " AND ".join(f"s.{column} = d.r{i}" for i, column in enumerate(record))
    numbers = ", ".join(map(str, files.numbers))
    near = "".join(f", t{i}" for i, _ in enumerate(aligned.near))
    apart = [pair.differs(f"e.t{i}", f"f.t{i}") for i, pair in enumerate(aligned.near)]
    deleted = "true" if ordering.mode == "H" else "op <> 'D'"
    work.run(
        f"INSERT INTO {name}_waiting WITH left_over AS ("
        f"SELECT d.id, s.op, s.h{near} FROM staged AS s JOIN {comparison.differing} AS d ON {same} "
        f"WHERE s.file NOT IN ({numbers}) QUALIFY row_number() OVER (PARTITION BY d.id ORDER BY s.op <> 'L' DESC, "
        "CASE WHEN s.op = 'L' THEN '' ELSE s.seq END DESC, s.file DESC, s.pos DESC) = 1"
        f"), e AS (SELECT * FROM left_over WHERE {deleted}) "
        f"SELECT d.id FROM {comparison.differing} AS d LEFT JOIN e ON e.id = d.id "
        f"LEFT JOIN {name}_found AS f ON f.id = d.id "
        f"WHERE d.kind <> 'duplicate' AND d.id NOT IN (SELECT id FROM {name}_waiting) AND "
        f"((e.id IS NULL AND f.id IS NULL) OR (e.h = f.h AND NOT ({' OR '.join(apart) or 'false'})))"
    )
    oldest = min((t for n in files.numbers if (t := files.landed[n]) is not None), default=None)
    age = f", the oldest for {in_words(datetime.now(UTC) - _aware(oldest))}" if oldest is not None else ""
    known = before.total
    found = _counted(comparison, before.notes, "")
    more = found.total - known
    if more:
        keys = "key waits" if more == 1 else "keys wait"
        found.notes.append(f"{more} {keys} for files that landed and are not processed yet{age}")
    return found


def _counted(comparison: Comparison, notes: list[str], why: str) -> Waiting:
    table = f"{comparison.name}_waiting"
    counted = comparison.work.rows(
        f"SELECT kind, count(*) FROM {comparison.differing} SEMI JOIN {table} USING (id) GROUP BY kind"
    )
    found = Waiting(table, Counter({str(kind): int(n) for kind, n in counted}), list(notes))
    if why and found.total:
        keys = "key is" if found.total == 1 else "keys are"
        found.notes.append(f"{found.total} {keys} {why}")
    return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
