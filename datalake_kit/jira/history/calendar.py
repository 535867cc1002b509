"""Working time: hours of the day, weekdays, holidays, a time zone. Pure: instants in, seconds out.

An instant is working time when the clock on the wall of the zone shows a time within the hours, on one of the
weekdays, and the day is no holiday. So an hour that a change of the clock skips is no working time, and one that it
repeats counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError, ParameterError, did_you_mean

Micros = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")
_DAY = 86_400_000_000  # in microseconds
NO_INSTANT = np.iinfo(np.int64).min  # as NaT is stored
_MARGIN = 2 * _DAY  # around the instants asked for: no zone is further from UTC
_BLOCK = 1461  # days of four years: calls for similar instants share a table


@dataclass(frozen=True)
class WorkingCalendar:
    """The hours that count.

    Parameters
    ----------
    hours
        Ranges of the day as ("09:00", "17:00"), several where there is a break; the end is not part of it, "24:00" is
        the end of the day.
    weekdays
        0 is Monday, 6 is Sunday.
    holidays
        Dates (or texts like "2026-12-25") on which nobody works.
    zone
        Name of the time zone in the IANA list, as "Europe/Vienna".

    Raises
    ------
    ParameterError
        No hours, hours that overlap or end before they begin, no weekday, a day or a zone that there is not.

    Examples
    --------
    >>> office = WorkingCalendar(hours=(("09:00", "12:00"), ("13:00", "17:00")), zone="Europe/Vienna")
    >>> office.seconds_a_day / 3600
    7.0
    >>> friday, monday = pd.to_datetime(["2026-03-27 15:00Z", "2026-03-30 08:00Z"])  # the clocks change in between
    >>> office.seconds_between([friday], [monday]) / 3600
    array([2.])
    """

    hours: tuple[tuple[str, str], ...] = (("09:00", "17:00"),)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    holidays: tuple[date, ...] = ()
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Bring the values into one form, or refuse them."""
        object.__setattr__(self, "hours", _read_hours(self.hours))
        object.__setattr__(self, "weekdays", _read_weekdays(self.weekdays))
        object.__setattr__(self, "holidays", tuple(sorted({_read_day(day) for day in _listed(self.holidays)})))
        _check_zone(self.zone)

    @property
    def seconds_a_day(self) -> float:
        """Working seconds of a working day, by the clock."""
        return sum(end - start for start, end in _ranges(self)) / 1e6

    def seconds_between(self, starts: Any, ends: Any) -> Seconds:
        """Working seconds from each start to the end at the same place.

        Parameters
        ----------
        starts, ends
            Instants of one length: Series or index of pandas with a time zone, lists of such instants, or arrays of
            numpy `datetime64`, which are UTC.

        Returns
        -------
        ndarray of float64
            Seconds, exact to the microsecond; negative where the end is before the start; NaN where one is missing.
            From a to b and from b to c is together from a to c.

        Raises
        ------
        DataError
            The lengths differ, or an instant has no time zone.

        Examples
        --------
        >>> night = pd.to_datetime(["2026-03-02T20:00Z"]), pd.to_datetime(["2026-03-03T10:30Z"])
        >>> WorkingCalendar().seconds_between(*night)
        array([5400.])
        """
        begin, finish = to_micros(starts), to_micros(ends)
        if len(begin) != len(finish):
            raise DataError(f"There are {len(begin)} starts and {len(finish)} ends; each start needs its end.")
        both = self.micros_worked(np.concatenate([begin, finish]))
        seconds = (both[len(begin) :] - both[: len(begin)]) / 1e6
        return np.where((begin == NO_INSTANT) | (finish == NO_INSTANT), np.nan, seconds)

    def micros_worked(self, instants: Micros) -> Micros:
        """Working time from a fixed moment to each instant, in microseconds, as instants are (since 1970, UTC).

        The moment is the same within one call: the difference of two of its figures is the working time between. Where
        there is no instant, the figure says nothing.
        """
        known = instants[instants != NO_INSTANT]
        if not len(known):
            return np.zeros(len(instants), dtype=np.int64)
        first, last = (int(instant) // _DAY // _BLOCK for instant in (known.min() - _MARGIN, known.max() + _MARGIN))
        table = _make_table(self, first * _BLOCK, (last + 1) * _BLOCK)
        place = np.searchsorted(table.starts, instants, side="right") - 1
        worked: Micros = table.before[place] + np.minimum(instants, table.ends[place]) - table.starts[place]
        return worked


def check_calendar(calendar: Any) -> None:
    """Refuse what is neither a calendar nor None.

    >>> check_calendar(WorkingCalendar())
    """
    if calendar is not None and not isinstance(calendar, WorkingCalendar):
        raise ParameterError(f"calendar={calendar!r:.60} is none. Give dk.jira.WorkingCalendar(...), or None.")


def to_micros(instants: Any) -> Micros:
    """Instants as microseconds since 1970 in UTC; the smallest integer where there is none.

    >>> to_micros(pd.to_datetime(["1970-01-01T01:00:01+01:00", None])).tolist()
    [1000000, -9223372036854775808]
    """
    if isinstance(instants, np.ndarray) and instants.dtype.kind == "M":
        return instants.astype("datetime64[us]").astype(np.int64)
    values = pd.Series(instants)
    zoned = isinstance(values.dtype, pd.DatetimeTZDtype)
    if not zoned and all(getattr(value, "tzinfo", None) is not None for value in values.dropna()):
        values = pd.to_datetime(values, utc=True)  # of several zones, or none at all
    elif not zoned:
        raise DataError(
            f"Instants without a time zone ({values.dtype}): it is not known when they were. "
            "Give them one: pd.to_datetime(values, utc=True) where they are UTC."
        )
    return np.asarray(pd.DatetimeIndex(values).as_unit("us").asi8)


# --- the table of working time --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Table:
    """Stretches of working time in UTC, in their order, and the working time before each."""

    starts: Micros
    ends: Micros
    before: Micros


@lru_cache(maxsize=16)
def _make_table(calendar: WorkingCalendar, first: int, last: int) -> _Table:
    """The working time of the days from `first` to before `last` (days since 1970)."""
    local_starts, local_ends = _local_stretches(calendar, first, last)
    starts, ends = [np.array([NO_INSTANT + 1])], [np.array([NO_INSTANT + 1])]  # so that each instant has one before it
    for begin, end, offset in _spells(calendar.zone, first, last):
        inside = slice(*np.searchsorted(local_ends, [begin + offset, end + offset]))
        inside = slice(inside.start, inside.stop + 1)  # the one that goes on beyond the end
        starts.append(np.clip(local_starts[inside] - offset, begin, end))
        ends.append(np.clip(local_ends[inside] - offset, begin, end))
    all_starts, all_ends = np.concatenate(starts), np.concatenate(ends)
    before = np.concatenate([[0], np.cumsum(all_ends - all_starts)[:-1]])
    return _Table(all_starts, all_ends, before)


def _local_stretches(calendar: WorkingCalendar, first: int, last: int) -> tuple[Micros, Micros]:
    """Starts and ends by the clock on the wall, as if it ran through."""
    days = np.arange(first - 1, last + 1, dtype=np.int64)
    holidays = np.array([(day - date(1970, 1, 1)).days for day in calendar.holidays], dtype=np.int64)
    works = np.isin((days + 3) % 7, calendar.weekdays) & ~np.isin(days, holidays)  # 1970 began on a Thursday
    ranges = np.array(_ranges(calendar), dtype=np.int64)
    stretches = (days[works, None, None] * _DAY + ranges[None, :, :]).reshape(-1, 2)
    return stretches[:, 0], stretches[:, 1]


def _spells(zone: str, first: int, last: int) -> Iterable[tuple[int, int, int]]:
    """Spells of one offset from UTC: start, end, offset, in microseconds."""
    clock = ZoneInfo(zone)
    days = np.arange(first, last + 1, dtype=np.int64) * _DAY
    instants = pd.DatetimeIndex(days.view("datetime64[us]"), tz="UTC")
    offsets = instants.tz_convert(clock).tz_localize(None).asi8 - days
    begin = int(days[0])
    for place in np.flatnonzero(np.diff(offsets)):
        change = _find_change(clock, int(days[place]), int(days[place + 1]))
        yield begin, change, int(offsets[place])
        begin = change
    yield begin, int(days[-1]), int(offsets[-1])


def _find_change(clock: ZoneInfo, before: int, after: int) -> int:
    """The second at which the offset changes, between two instants."""
    low, high = before // 1_000_000, after // 1_000_000
    old = datetime.fromtimestamp(low, clock).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if datetime.fromtimestamp(middle, clock).utcoffset() == old else (low, middle)
    return high * 1_000_000


# --- reading what was given -----------------------------------------------------------------------------------------


def _ranges(calendar: WorkingCalendar) -> list[tuple[int, int]]:
    """Ranges of the day in microseconds since midnight."""
    return [(_clock_micros(start), _clock_micros(end)) for start, end in calendar.hours]


def _clock_micros(text: str) -> int:
    hours, minutes, seconds = (int(part) for part in (*text.split(":"), "0")[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


def _read_hours(hours: Any) -> tuple[tuple[str, str], ...]:
    ranges: list[tuple[str, str]] = []
    for each in _listed(hours):
        pair = tuple(each) if isinstance(each, tuple | list) else ()
        if len(pair) != 2 or not all(isinstance(text, str) and _is_clock(text) for text in pair):
            raise ParameterError(f'hours={hours!r} is no list of ranges like (("09:00", "12:00"), ("13:00", "17:00")).')
        ranges.append((pair[0], pair[1]))
    ranges.sort(key=lambda pair: _clock_micros(pair[0]))
    ends = [0, *(_clock_micros(end) for _, end in ranges)]
    for (start, end), earlier in zip(ranges, ends, strict=False):
        if _clock_micros(start) >= _clock_micros(end):
            raise ParameterError(
                f'hours={hours!r}: {start} to {end} ends before it begins. Write a night as ("{start}", "24:00") and '
                f'("00:00", "{end}").'
            )
        if _clock_micros(start) < earlier:
            raise ParameterError(f"hours={hours!r}: the range from {start} to {end} overlaps the one before it.")
    if not ranges:
        raise ParameterError("hours is empty: without working hours no time can be measured.")
    return tuple(ranges)


def _is_clock(text: str) -> bool:
    found = _CLOCK.fullmatch(text)
    if not found:
        return False
    return int(found[2]) < 60 and int(found[3] or 0) < 60 and _clock_micros(text) <= _DAY


def _read_weekdays(weekdays: Any) -> tuple[int, ...]:
    days = _listed(weekdays)
    if not days or not all(isinstance(d, int) and not isinstance(d, bool) and 0 <= d <= 6 for d in days):
        raise ParameterError(f"weekdays={weekdays!r}: take numbers from 0 (Monday) to 6 (Sunday), at least one.")
    return tuple(sorted(set(days)))


def _read_day(day: Any) -> date:
    try:
        if isinstance(day, date):
            return date(day.year, day.month, day.day)
        return date.fromisoformat(day)
    except (TypeError, ValueError):
        raise ParameterError(f"holidays has {day!r}, which is no date. Write it like 2026-12-25.") from None


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        hint = did_you_mean(str(zone), available_timezones())
        raise ParameterError(f"zone={zone!r} is no time zone of the IANA list. {hint}") from None
