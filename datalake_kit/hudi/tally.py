"""How many rows a Hudi table had after each commit, as far as its timeline tells exactly.

The rows of a table are those of the newest base file of every file group that is left. A commit says how many rows each
base file has that it wrote, and which groups it replaced. That leaves a count unknown

- while log files lie over a base file: a key that was deleted in a log file and comes back counts as an update;
- while a file group is older than the first commit that is known and was not written since;
- from the first sign on that a commit in between is gone: a base file has not the rows of the one before it, plus
  what the commit inserted, less what it deleted.

>>> tallies(load_timeline("lake/taxi/table_1"))[-1].rows          # doctest: +SKIP
2200
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from datalake_kit.hudi.commits import Commit, Timeline, WriteStat
from datalake_kit.hudi.slices import parse_base_name, parse_log_name

Group = tuple[str, str]  # partition, file id


@dataclass(frozen=True)
class Tally:
    """The rows of the table after a commit and those of the groups that it replaced; None where that is unknown."""

    rows: int | None
    replaced: int | None
    broken: str = ""


@dataclass
class _Slice:
    """The newest version of a file group: `rows` of its base file, None for a group that was never seen whole."""

    rows: int | None = None
    base: str = ""
    number: int = -1
    logs: list[tuple[str, str]] = field(default_factory=list)  # what is to be compared with the base file's instant

    @property
    def known(self) -> int | None:
        return None if self.logs else self.rows


def tallies(timeline: Timeline, older: Iterable[Group] = ()) -> list[Tally]:
    """Count the rows after each commit of a timeline, in its order.

    Parameters
    ----------
    timeline : Timeline
    older : iterable of (partition, file id)
        File groups that are known, from the files in the folder, to have been there before the first commit.
    """
    state = _State(timeline, {g: _Slice() for g in {*older, *_met_midway(timeline)}})
    found = [state.after(number, commit) for number, commit in enumerate(timeline.commits)]
    return [replace(t, rows=None) if n >= state.unknown_from else t for n, t in enumerate(found)]


class _State:
    """The file groups while the commits pass."""

    def __init__(self, timeline: Timeline, groups: dict[Group, _Slice]) -> None:
        self._timeline = timeline
        self._groups = groups
        self._unknown = len(groups)
        self._sum = 0
        self.unknown_from = len(timeline.commits)

    def after(self, number: int, commit: Commit) -> Tally:
        """Take a commit in, and tell the rows after it; a sign of a lost commit is found later than it counts."""
        replaced = [self._remove(g) for g in sorted(commit.replaced)]
        broken = [text for stat in commit.stats if (text := self._write(number, commit, stat))]
        gone = None if None in replaced else sum(n for n in replaced if n is not None)
        return Tally(None if self._unknown else self._sum, gone, broken[0] if broken else "")

    def _remove(self, group: Group) -> int | None:
        old = self._groups.pop(group, None)
        if old is None:
            return None
        self._count(old, -1)
        return old.known

    def _write(self, number: int, commit: Commit, stat: WriteStat) -> str:
        group = (stat.partition, stat.file_id)
        if group not in self._groups:
            self._groups[group] = _Slice(rows=0)
            self._count(self._groups[group], 1)
        one = self._groups[group]
        self._count(one, -1)
        broken = ""
        if stat.is_log:
            one.logs.append(self._log(commit, stat))
        elif commit.requested >= one.base:
            broken = "" if commit.rearranges else _break(one, stat)
            if broken:
                self.unknown_from = min(self.unknown_from, one.number + 1)
            one.rows, one.base, one.number = stat.rows, commit.requested, number
        one.logs = [log for log in one.logs if self._is_over(log, one.base)]
        self._count(one, 1)
        return broken

    def _log(self, commit: Commit, stat: WriteStat) -> tuple[str, str]:
        match = parse_log_name(stat.path)
        return match["instant"] if match else commit.requested, commit.instant.completed or commit.requested

    def _is_over(self, log: tuple[str, str], base: str) -> bool:
        """As `slices` judges: by the instant in the log's name, from version 8 on by when its commit completed."""
        named, completed = log
        return completed > base if self._timeline.table.has_new_layout else named >= base

    def _count(self, one: _Slice, sign: int) -> None:
        if one.known is None:
            self._unknown += sign
        else:
            self._sum += sign * one.known


def _break(one: _Slice, stat: WriteStat) -> str:
    if not one.base or one.known is None or stat.rows == one.known + stat.inserts - stat.deletes:
        return ""
    should = f"{one.known} + {stat.inserts} inserted - {stat.deletes} deleted"
    return f"a commit is missing before it: {stat.path} has {stat.rows} rows, not {should}"


def _met_midway(timeline: Timeline) -> set[Group]:
    """File groups that were there before the first commit that is known to have written them."""
    seen: set[Group] = set()
    older: set[Group] = set()
    for commit in timeline.commits:
        older |= commit.replaced - seen
        for stat in commit.stats:
            group = (stat.partition, stat.file_id)
            if group not in seen and not _begins(commit, stat):
                older.add(group)
            seen.add(group)
    return older


def _begins(commit: Commit, stat: WriteStat) -> bool:
    """Whether a file can be the first of its group: a base file of which all rows are new, or moved there."""
    if stat.is_log or parse_base_name(stat.path) is None:
        return False
    return commit.operation == "CLUSTER" or stat.inserts == stat.rows
