"""Histories of issues as arrays: the stretches of time that the flow measures are made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.history.calendar import NO_INSTANT, WorkingCalendar, check_calendar, to_micros
from datalake_kit.jira.history.intervals import are_intervals, as_intervals
from datalake_kit.jira.history.phases import is_in

Flags: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]  # places in an array
Micros: TypeAlias = npt.NDArray[np.int64]  # since 1970, UTC
Seconds: TypeAlias = npt.NDArray[np.float64]
Names: TypeAlias = str | Sequence[str]  # a phase, a status by name or id, or a list of them

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Edges:
    """Instants with what is known of each: not before, and not after."""

    at: Micros
    low: Micros
    high: Micros

    @property
    def exact(self) -> bool:
        """Whether all instants are known exactly; then the three are one array."""
        return self.at is self.low and self.at is self.high

    def each(self, change: Callable[[Micros], Micros]) -> Edges:
        """The same done to the three."""
        at = change(self.at)
        return Edges(at, at, at) if self.exact else Edges(at, change(self.low), change(self.high))

    def take(self, rows: Any) -> Edges:
        """The instants at these places."""
        return self.each(lambda side: side[rows])

    def join(self, other: Edges) -> Edges:
        """These instants, and the others behind them."""
        at = np.concatenate([self.at, other.at])
        if self.exact and other.exact:
            return Edges(at, at, at)
        return Edges(at, np.concatenate([self.low, other.low]), np.concatenate([self.high, other.high]))

    def no_later_than(self, moment: int) -> Edges:
        """The instants, those after `moment` moved to it."""
        return self.each(lambda side: np.minimum(side, moment))


@dataclass(frozen=True)
class Measured:
    """Seconds, and what the uncertainty of their ends allows."""

    seconds: Seconds
    low: Seconds
    high: Seconds

    def add_up(self, groups: Rows, count: int) -> Measured:
        """Sums over groups 0 to `count` - 1."""
        sides = (self.seconds, self.low, self.high)
        return Measured(*(np.bincount(groups, side, minlength=count).astype(np.float64) for side in sides))

    def columns(self, name: str, a_day: float | None = None) -> dict[str, Seconds]:
        """As columns; with `a_day` the same in days behind them."""
        found = {f"{name}seconds": self.seconds, f"{name}seconds_low": self.low, f"{name}seconds_high": self.high}
        if a_day is not None:
            found |= {column.replace("seconds", "days"): values / a_day for column, values in found.items()}
        return found


@dataclass(frozen=True)
class Histories:
    """Status intervals of issues, those of an issue one after the other, as arrays of one place an interval.

    `issue` numbers the issues from 0 in order; `first` and `last` are the places of the first and the last interval of
    each issue; `until` is the instant up to which the histories are known.
    """

    frame: pd.DataFrame
    issue: Rows
    first: Rows
    last: Rows
    starts: Edges
    ends: Edges
    until: int
    calendar: WorkingCalendar | None

    @property
    def count(self) -> int:
        """Number of issues."""
        return len(self.first)

    @property
    def a_day(self) -> float:
        """Seconds of one day."""
        return SECONDS_A_DAY if self.calendar is None else self.calendar.seconds_a_day

    def measure(self, starts: Edges, ends: Edges) -> Measured:
        """Seconds from starts to ends, none below zero."""
        seconds = self._between(starts.at, ends.at)
        if starts.exact and ends.exact:
            return Measured(seconds, seconds, seconds)
        return Measured(seconds, self._between(starts.high, ends.low), self._between(starts.low, ends.high))

    def _between(self, starts: Micros, ends: Micros) -> Seconds:
        if self.calendar is None:
            found = np.where((starts == NO_INSTANT) | (ends == NO_INSTANT), np.nan, (ends - starts) / 1e6)
        else:
            found = self.calendar.seconds_between(starts.view("M8[us]"), ends.view("M8[us]"))
        return np.maximum(found, 0.0)

    def at(self, moment: int) -> Histories:
        """The histories as they were at an instant, after what happened in it."""
        kept = self.starts.at <= moment
        starts, ends = (edges.take(kept).no_later_than(moment) for edges in (self.starts, self.ends))
        issue = np.unique(self.issue[kept], return_inverse=True)[1].astype(np.int64)
        first, last = _borders(issue)
        return Histories(self.frame[kept], issue, first, last, starts, ends, moment, self.calendar)

    def runs(self, labels: Rows) -> Runs:
        """Join intervals of an issue that follow one another with the same label."""
        return join_runs(self.issue, labels, self.starts, self.ends)

    def inside(self, names: Names) -> Flags:
        """Which intervals are in a phase or in statuses."""
        return is_in(self.frame, names).to_numpy(dtype=bool)

    def about(self, columns: Sequence[str] = ("id", "key")) -> dict[str, pd.Series[Any]]:
        """Columns of the last interval of each issue: what it is called, where it is now."""
        return {name: self.frame[name].iloc[self.last].reset_index(drop=True) for name in columns}


@dataclass(frozen=True)
class Runs:
    """Stretches of one label: issue, label, places of the first and last interval, start and end."""

    issue: Rows
    label: Rows
    first: Rows
    last: Rows
    starts: Edges
    ends: Edges


def join_runs(issue: Rows, labels: Rows, starts: Edges, ends: Edges) -> Runs:
    """Join intervals that follow one another with the same issue and the same label."""
    changed = np.ones(len(labels), dtype=bool)
    changed[1:] = (labels[1:] != labels[:-1]) | (issue[1:] != issue[:-1])
    first = np.flatnonzero(changed)
    last = np.append(first[1:], len(labels))[: len(first)] - 1
    return Runs(issue[first], labels[first], first, last, starts.take(first), ends.take(last))


def first_places(issue: Rows) -> Rows:
    """Places where the next issue begins, of issues that are numbered from 0 in order.

    >>> first_places(np.array([0, 0, 1, 2, 2])).tolist()
    [0, 2, 3]
    """
    return np.flatnonzero(np.diff(issue, prepend=-1))


def read_histories(
    df: pd.DataFrame, *, changes: pd.DataFrame | None = None, calendar: WorkingCalendar | None = None,
    phases: Any = None, until: Any = None, durations: bool = True,
) -> Histories:  # fmt: skip
    """Read a frame of issues, of versions or of status intervals as histories.

    Without `durations` only instants are asked of it, which are the same in working time.

    Raises
    ------
    DataError
        Intervals are missing (a filtered frame), or were counted with a calendar that is not given.
    """
    check_calendar(calendar)
    frame = as_intervals(df, changes=changes, phases=phases, until=until)
    issue = _number_issues(frame)
    if not _is_whole(frame, issue):
        frame = frame.sort_values(["id", "position"], kind="stable")
        issue = _number_issues(frame)
        if not _is_whole(frame, issue):
            raise DataError(
                "The status intervals are not whole: of some issues a position, or the one that goes on, is missing or "
                "comes twice. Give what dk.jira.status_intervals(...) returns, and filter what the measure gives."
            )
    first, last = _borders(issue)
    starts, ends = (read_edges(frame, side, f"{side}_not_before", f"{side}_not_after") for side in ("start", "end"))
    known = int(ends.at.max()) if len(frame) else 0
    if durations and calendar is None and are_intervals(df):
        _check_elapsed(frame, starts, ends)
    return Histories(frame, issue, first, last, starts, ends, known, calendar)


def _number_issues(frame: pd.DataFrame) -> Rows:
    ids = frame["id"]
    return np.cumsum((ids != ids.shift()).fillna(True).to_numpy(bool)).astype(np.int64) - 1  # the first has none before


def _is_whole(frame: pd.DataFrame, issue: Rows) -> bool:
    position, first = frame["position"].to_numpy(np.int64), _borders(issue)[0]
    expected = np.arange(len(frame)) - first[issue] if len(frame) else position
    if not (position == expected).all() or not frame["id"].iloc[first].is_unique:
        return False
    last, open_ = np.append(first[1:], len(frame))[: len(first)] - 1, frame["open"].to_numpy(bool)
    return bool(open_[last].all()) and int(open_.sum()) == len(last)


def _borders(issue: Rows) -> tuple[Rows, Rows]:
    first = first_places(issue)
    return first, np.append(first[1:], len(issue))[: len(first)] - 1


def read_edges(frame: pd.DataFrame, at: str, not_before: str, not_after: str) -> Edges:
    """Read instants from three columns of a frame."""
    edges = Edges(*(to_micros(frame[name]) for name in (at, not_before, not_after)))
    exact = np.array_equal(edges.at, edges.low) and np.array_equal(edges.at, edges.high)
    return Edges(edges.at, edges.at, edges.at) if exact else edges


def _check_elapsed(frame: pd.DataFrame, starts: Edges, ends: Edges) -> None:
    elapsed = (ends.at - starts.at) / 1e6
    if (np.abs(frame["seconds"].to_numpy(np.float64) - elapsed) > 1e-3).any():
        raise DataError(
            "These status intervals were counted in working time. Give the same calendar= here, or the issues "
            "themselves: days could not be told otherwise."
        )


def read_instants(values: Any) -> Micros:
    """Take an instant or several as microseconds since 1970; a text without an offset is in UTC.

    >>> read_instants("1970-01-01T00:00:01").tolist(), read_instants(["1970-01-01T01:00:01+01:00"]).tolist()
    ([1000000], [1000000])
    """
    single = isinstance(values, str | date) or not isinstance(values, Iterable)
    listed = [values] if single else list(values)
    if any(value is None or value == "" or pd.isna(value) for value in listed):
        raise ParameterError(f"{listed!r:.80} holds no instant. Give one such as '2024-03-31T12:00Z'.")
    if not all(isinstance(value, str | date | np.datetime64) for value in listed):
        raise ParameterError(f"{listed!r:.80} is no instant. Give one such as '2024-03-31T12:00Z'.")
    if all(isinstance(value, str) for value in listed):
        try:
            return to_micros(pd.to_datetime(pd.Series(listed, dtype="str"), format="ISO8601", utc=True))
        except ValueError as error:
            raise ParameterError(f"{listed!r:.80} is no instant. Give one such as '2024-03-31T12:00Z'.") from error
    return to_micros(listed)


def from_micros(values: Micros) -> pd.Series[Any]:
    """Microseconds since 1970 as instants; the smallest integer as NaT."""
    return pd.Series(values.view("M8[us]")).dt.tz_localize("UTC")
