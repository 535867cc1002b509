"""Each issue through each of its sprints, change by change: what sprint report and burndown are counted from.

Pure: arrays in, arrays out. The rules that follow are stated in sprint_report and burndown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from datalake_kit.jira.history.steps import Codes, Flags, Micros, Steps

NEVER = np.iinfo(np.int64).min  # of an instant that is not there (NaT)


@dataclass(frozen=True)
class Walk:
    """Rows by pair of issue and sprint, then time: the state at the start of the sprint, then after each change in it.

    `first[p]` up to `first[p + 1]` are the rows of pair p, one at least.
    """

    first: Codes
    pair: Codes
    at: Micros
    member: Flags
    done: Flags
    points: npt.NDArray[np.float64]

    @property
    def last(self) -> Codes:
        """The last row of each pair: the state at the end."""
        return self.first[1:] - 1

    @cached_property
    def is_first(self) -> Flags:
        """Whether a row is the state at the start."""
        found = np.zeros(len(self.at), dtype=bool)
        found[self.first[:-1]] = True
        return found

    def before(self, flags: Flags) -> Flags:
        """The same flags a row earlier; at the start what they are there."""
        moved = np.roll(flags, 1)
        return np.where(self.is_first, flags, moved)

    @cached_property
    def finished_at_row(self) -> Codes:
        """The row in which the issue was last finished within the sprint, -1 where it was not yet."""
        rows = np.arange(len(self.at))
        rises = self.done & ~self.before(self.done)
        latest = np.maximum.accumulate(np.where(rises, rows, -1)) if len(rows) else rows
        return np.where(latest >= self.first[self.pair], latest, -1)

    @cached_property
    def open(self) -> Flags:
        """In the sprint and not done."""
        return self.member & ~self.done

    @cached_property
    def completed(self) -> Flags:
        """In the sprint and done, and it was in the sprint when it was finished, after the start."""
        finished = self.finished_at_row
        return self.member & self.done & (finished >= 0) & self.member[finished]

    @cached_property
    def entry(self) -> Codes:
        """The first row of each pair in which the issue is work of the sprint, -1 where it never is."""
        return self._first_row_with(self.open | self.completed)

    @cached_property
    def joined(self) -> Codes:
        """The first row of each pair in which the issue is in the sprint, -1 where it never is."""
        return self._first_row_with(self.member)

    @cached_property
    def left(self) -> Codes:
        """The row in which the issue was last taken out of the sprint, -1 where it is in it at the end or never was."""
        falls = ~self.member & self.before(self.member)
        rows = (
            np.maximum.reduceat(np.where(falls, np.arange(len(falls)), -1), self.first[:-1])
            if len(falls)
            else self.last
        )
        return np.where(self.member[self.last], -1, rows) if len(falls) else rows

    def count(self, flags: Flags) -> Codes:
        """How many rows of each pair are flagged."""
        total: Codes = np.append(0, np.cumsum(flags))
        return total[self.first[1:]] - total[self.first[:-1]]

    def _first_row_with(self, flags: Flags) -> Codes:
        rows = np.append(np.flatnonzero(flags), len(flags))
        found = rows[np.searchsorted(rows, self.first[:-1])]
        first: Codes = np.where(found < self.first[1:], found, -1)
        return first


def walk(issue: Codes, starts: Micros, ends: Micros, member: Steps, done: Steps, points: Steps) -> Walk:
    """Walk each pair from the start of its sprint to the end.

    Parameters
    ----------
    issue, starts, ends
        Of each pair: its issue, and between which instants.
    member
        By pair: whether the issue is in the sprint. `done`, `points`: by issue.

    Returns
    -------
    Walk
        Changes at the start belong to the state at the start; changes at the end are within.
    """
    pairs = np.arange(len(issue))
    sources = ((member, pairs), (done, issue), (points, issue))
    found = [steps.between(codes, starts, ends) for steps, codes in sources]
    pair = np.concatenate([pairs, *(place for place, _ in found)])
    at = np.concatenate([starts, *(steps.at[rows] for (steps, _), (_, rows) in zip(sources, found, strict=True))])
    pair, at = _distinct(pair, at)
    return Walk(
        np.searchsorted(pair, np.arange(len(issue) + 1)), pair, at, member.value_at(pair, at, False).astype(bool),
        done.value_at(issue[pair], at, False).astype(bool), points.value_at(issue[pair], at, np.nan).astype(float),
    )  # fmt: skip


def _distinct(pair: Codes, at: Micros) -> tuple[Codes, Micros]:
    order = np.lexsort((at, pair))
    pair, at = pair[order], at[order]
    new = np.ones(len(pair), dtype=bool)
    new[1:] = (pair[1:] != pair[:-1]) | (at[1:] != at[:-1])
    return pair[new], at[new]
