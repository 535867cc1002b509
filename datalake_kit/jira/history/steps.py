"""What each of many things was, from one instant to the next: looked up for many things and instants at once. Pure.

Instants are microseconds since 1970 in UTC, things are numbers from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Micros = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """Values that hold from an instant on, until the next one of the same thing.

    `first[c]` up to `first[c + 1]` are the rows of thing c, in order of time. `low` and `high` say between which
    instants each step took place: both are `at` where that is exact.
    """

    first: Codes
    at: Micros
    value: npt.NDArray[Any]
    low: Micros
    high: Micros

    @classmethod
    def of(
        cls, codes: Codes, at: Micros, value: npt.NDArray[Any], count: int, *, low: Micros | None = None,
        high: Micros | None = None,
    ) -> Steps:  # fmt: skip
        """Sort steps by thing and time; of several at one instant the last one given holds.

        >>> steps = Steps.of(np.array([0, 0, 1]), np.array([5, 9, 7]), np.array(["a", "b", "c"]), count=2)
        >>> steps.value_at(np.array([0, 0, 1, 1]), np.array([8, 9, 6, 99]), "nothing yet").tolist()
        ['a', 'b', 'nothing yet', 'c']
        """
        order = np.lexsort((at, codes))
        ordered, instants = codes[order], at[order]
        holds = np.ones(len(order), dtype=bool)
        holds[:-1] = (ordered[1:] != ordered[:-1]) | (instants[1:] != instants[:-1])
        order, ordered = order[holds], ordered[holds]
        first = np.searchsorted(ordered, np.arange(count + 1))
        low, high = at if low is None else low, at if high is None else high
        return cls(first, at[order], value[order], low[order], high[order])

    def rows(self, codes: Codes, instants: Micros) -> Codes:
        """The row that holds at each instant (a step at the instant itself does), -1 where none does yet."""
        return self._last(codes, instants, np.less_equal)

    def rows_before(self, codes: Codes, instants: Micros) -> Codes:
        """The row that holds just before each instant, -1 where none does."""
        return self._last(codes, instants, np.less)

    def _last(self, codes: Codes, instants: Micros, reaches: Any) -> Codes:
        """Halve the rows of all things at once: as many rounds as the longest of them needs."""
        begin, low, high = self.first[codes], self.first[codes], self.first[codes + 1]
        while (low < high).any():
            open_ = low < high
            middle = (low + high) // 2
            right = open_ & reaches(self.at[np.minimum(middle, len(self.at) - 1)], instants)
            low, high = np.where(right, middle + 1, low), np.where(open_ & ~right, middle, high)
        return np.where(low > begin, low - 1, -1)

    def value_at(self, codes: Codes, instants: Micros, missing: Any) -> npt.NDArray[Any]:
        """The value at each instant, `missing` where there is none yet."""
        return self.pick(self.rows(codes, instants), missing)

    def pick(self, rows: Codes, missing: Any) -> npt.NDArray[Any]:
        """The value in each row, `missing` for -1."""
        if not len(self.value):
            return np.full(len(rows), missing)
        return np.where(rows >= 0, self.value[rows], missing)

    def between(self, codes: Codes, after: Micros, until: Micros) -> tuple[Codes, Codes]:
        """All steps of each thing later than `after` and not later than `until`: place in `codes`, and row."""
        begin = np.maximum(self.rows(codes, after), self.first[codes] - 1) + 1
        stop = np.maximum(self.rows(codes, until), self.first[codes] - 1) + 1
        count = np.maximum(stop - begin, 0)
        place = np.repeat(np.arange(len(codes)), count)
        return place, np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count) + begin[place]

    def unsure(self, codes: Codes, instants: Micros) -> Flags:
        """Whether it is open if a step took place before or after each instant."""
        rows = self.rows(codes, instants)
        following = np.where(rows >= 0, rows + 1, self.first[codes])
        return self._spans(rows, rows >= 0, instants) | self._spans(
            following, following < self.first[codes + 1], instants
        )

    def _spans(self, rows: Codes, known: Flags, instants: Micros) -> Flags:
        if not len(self.at):
            return np.zeros(len(rows), dtype=bool)
        rows = np.where(known, rows, 0)
        return known & (self.low[rows] < instants) & (instants < self.high[rows])

    def of_things(self, codes: Codes) -> Steps:
        """The steps of some things alone, which are then numbered anew in this order."""
        count = self.first[codes + 1] - self.first[codes]
        first = np.append(0, np.cumsum(count))
        rows = np.arange(first[-1]) - np.repeat(first[:-1] - self.first[codes], count)
        return Steps(first, self.at[rows], self.value[rows], self.low[rows], self.high[rows])

    def flips(self) -> Steps:
        """The same without steps that change nothing."""
        new = np.ones(len(self.at), dtype=bool)
        new[1:] = self.value[1:] != self.value[:-1]
        new[self.first[:-1][self.first[:-1] < len(new)]] = True
        places = np.append(0, np.cumsum(new))
        return Steps(places[self.first], self.at[new], self.value[new], self.low[new], self.high[new])
