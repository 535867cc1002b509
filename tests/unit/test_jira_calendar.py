"""Working time, compared with a clock that is looked at every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.history.calendar import WorkingCalendar, to_micros

# Around changes of the clock: Vienna in March and October, New York in November, half an hour at Lord Howe, a day that
# Apia skipped (Friday, 30 December 2011), Casablanca for Ramadan, and none at all.
ZONES = {
    "Europe/Vienna": [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)],
    "America/New_York": [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)],
    "Australia/Lord_Howe": [datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC)],
    "Pacific/Apia": [datetime(2011, 12, 30, tzinfo=UTC)],
    "Africa/Casablanca": [datetime(2026, 2, 15, tzinfo=UTC), datetime(2026, 3, 22, tzinfo=UTC)],
    "Asia/Kathmandu": [datetime(2026, 1, 1, tzinfo=UTC)],
    "UTC": [datetime(1969, 12, 31, tzinfo=UTC)],
}


def minutes_by_the_clock(calendar: WorkingCalendar, start: datetime, end: datetime) -> int:
    """Look at the clock on the wall every minute from start to before end."""
    zone, worked, now = ZoneInfo(calendar.zone), 0, start
    while now < end:
        wall = now.astimezone(zone)
        if wall.weekday() in calendar.weekdays and wall.date() not in calendar.holidays:
            shown = clock(wall.hour * 60 + wall.minute)
            worked += any(begin <= shown < finish for begin, finish in calendar.hours)
        now += timedelta(minutes=1)
    return worked


def between(calendar: WorkingCalendar, start: datetime, end: datetime) -> float:
    return float(calendar.seconds_between(pd.DatetimeIndex([start]), pd.DatetimeIndex([end]))[0])


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@st.composite
def calendars(draw: st.DrawFn) -> tuple[WorkingCalendar, datetime]:
    """A calendar, and midnight (UTC) of a day near a change of its clock."""
    zone = draw(st.sampled_from(sorted(ZONES)))
    day = draw(st.sampled_from(ZONES[zone]))
    marks = sorted(draw(st.sets(st.integers(0, 48), min_size=2, max_size=6)))
    hours = [(clock(30 * a), clock(30 * b)) for a, b in zip(marks[::2], marks[1::2], strict=False)]
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1).map(sorted))
    free = draw(st.lists(st.integers(-3, 3).map(lambda n: (day + timedelta(days=n)).date()), max_size=2))
    return WorkingCalendar(tuple(hours), tuple(weekdays), tuple(free), zone), day


NEAR = st.integers(-2 * 1440, 3 * 1440)  # minutes


@settings(max_examples=100, deadline=None)
@given(calendars(), NEAR, st.integers(0, 2 * 1440))
def test_as_the_clock_on_the_wall_says_minute_by_minute(
    made: tuple[WorkingCalendar, datetime], offset: int, length: int
) -> None:
    calendar, day = made
    start = day + timedelta(minutes=offset)
    end = start + timedelta(minutes=length)
    assert between(calendar, start, end) == 60 * minutes_by_the_clock(calendar, start, end)


@settings(max_examples=100, deadline=None)
@given(calendars(), st.lists(st.integers(-(10**12), 10**12), min_size=3, max_size=3))
def test_what_is_between_adds_up(made: tuple[WorkingCalendar, datetime], micros: list[int]) -> None:
    calendar, day = made
    a, b, c = (day + timedelta(microseconds=m) for m in micros)
    assert between(calendar, a, b) + between(calendar, b, c) == pytest.approx(between(calendar, a, c), abs=1e-6)
    assert between(calendar, a, b) == -between(calendar, b, a)
    assert 0 <= between(calendar, min(a, b), max(a, b)) <= abs((b - a).total_seconds())


def test_worked_examples() -> None:
    office = WorkingCalendar(hours=(("09:00", "12:00"), ("13:00", "17:00")), zone="Europe/Vienna")
    vienna = ZoneInfo("Europe/Vienna")
    friday = datetime(2026, 3, 27, 16, 0, tzinfo=vienna)
    assert between(office, friday, datetime(2026, 3, 30, 10, 0, tzinfo=vienna)) == 2 * 3600  # an hour on each side
    assert between(office, friday, datetime(2026, 3, 28, 10, 0, tzinfo=vienna)) == 3600
    lunch = datetime(2026, 3, 26, 11, 30, tzinfo=vienna)
    assert between(office, lunch, lunch + timedelta(hours=2)) == 3600
    assert office.seconds_a_day == 7 * 3600
    with_holiday = WorkingCalendar(office.hours, holidays=(date(2026, 3, 30),), zone="Europe/Vienna")
    assert between(with_holiday, friday, datetime(2026, 3, 31, 10, 0, tzinfo=vienna)) == 2 * 3600


def test_a_day_of_23_and_one_of_25_hours() -> None:
    always = WorkingCalendar((("00:00", "24:00"),), tuple(range(7)), zone="Europe/Vienna")
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)):
        start = pd.Timestamp(day, tz="Europe/Vienna")
        found = always.seconds_between([start], [(start + pd.DateOffset(days=1))])
        assert found.tolist() == [hours * 3600]
    night = WorkingCalendar((("02:00", "03:00"),), tuple(range(7)), zone="Europe/Vienna")
    assert between(night, datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)) == 0
    assert between(night, datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 22, tzinfo=UTC)) == 7200


def test_many_at_once_are_as_each_alone_and_a_missing_instant_gives_none() -> None:
    rng = np.random.default_rng(1)
    office = WorkingCalendar(zone="America/New_York", holidays=("2026-07-03",))
    micros = rng.integers(1_700_000_000, 1_800_000_000, (2, 500)) * 1_000_000
    starts, ends = micros.view("datetime64[us]")
    ends[7], starts[9] = "NaT", "NaT"
    found = office.seconds_between(starts, ends)
    alone = np.concatenate([office.seconds_between(starts[n : n + 1], ends[n : n + 1]) for n in range(500)])
    np.testing.assert_array_equal(found, alone)
    assert np.flatnonzero(np.isnan(found)).tolist() == [7, 9]
    assert np.isnan(office.seconds_between(starts[9:10], starts[9:10])).all()
    assert office.seconds_between([], []).tolist() == []


def test_centuries_apart() -> None:
    weeks = 52_000
    start = datetime(1800, 1, 6, tzinfo=UTC)
    assert between(WorkingCalendar(), start, start + timedelta(weeks=weeks)) == weeks * 5 * 8 * 3600


def test_whatever_holds_instants() -> None:
    day, night = WorkingCalendar(), "2026-03-02T18:00:00Z"
    morning = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    for start in (
        [morning], pd.Series([morning]), pd.Series([morning], dtype="datetime64[ns, UTC]"),
        pd.DatetimeIndex([morning]).tz_convert("Asia/Tokyo"), np.array(["2026-03-02T08:00"], "datetime64[s]"),
        pd.Series([morning.astimezone(ZoneInfo("Asia/Tokyo"))], dtype=object, index=[5]),
    ):  # fmt: skip
        assert day.seconds_between(start, pd.to_datetime([night])).tolist() == [8 * 3600]
    assert to_micros([None, pd.NaT]).tolist() == [np.iinfo(np.int64).min] * 2


@pytest.mark.parametrize("naive", [pd.Series(pd.to_datetime(["2026-03-02"])), ["2026-03-02"], [datetime(2026, 3, 2)]])
def test_an_instant_without_a_zone_is_refused(naive: Any) -> None:
    with pytest.raises(DataError, match="without a time zone"):
        WorkingCalendar().seconds_between(naive, pd.to_datetime(["2026-03-02T00Z"]))


def test_starts_and_ends_must_be_pairs() -> None:
    with pytest.raises(DataError, match="1 starts and 2 ends"):
        WorkingCalendar().seconds_between(pd.to_datetime(["2026-03-02T00Z"]), pd.to_datetime(["2026-03-02T00Z"] * 2))


@pytest.mark.parametrize(
    ("given_values", "says"),
    [
        ({"hours": ()}, "empty"),
        ({"hours": ("09:00", "17:00")}, "list of ranges"),
        ({"hours": (("9am", "17:00"),)}, "list of ranges"),
        ({"hours": (("09:00", "24:01"),)}, "list of ranges"),
        ({"hours": (("22:00", "06:00"),)}, 'Write a night as \\("22:00", "24:00"\\) and \\("00:00", "06:00"\\)'),
        ({"hours": (("09:00", "09:00"),)}, "ends before it begins"),
        ({"hours": (("13:00", "17:00"), ("09:00", "13:30"))}, "overlaps"),
        ({"weekdays": ()}, "weekdays"),
        ({"weekdays": (7,)}, "weekdays"),
        ({"weekdays": ("Monday",)}, "weekdays"),
        ({"holidays": ("25.12.2026",)}, "25.12.2026"),
        ({"holidays": (20261225,)}, "20261225"),
        ({"zone": "Europe/Viena"}, "Europe/Vienna"),
        ({"zone": ""}, "zone"),
        ({"zone": None}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
    ],
)
def test_what_is_no_calendar_is_refused(given_values: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        WorkingCalendar(**given_values)


def test_calendars_that_say_the_same_are_one() -> None:
    a = WorkingCalendar([["13:00", "17:00"], ["09:00", "12:00"]], [4, 0, 0], ["2026-12-25", datetime(2026, 1, 6, 9)])  # type: ignore[arg-type]
    b = WorkingCalendar((("09:00", "12:00"), ("13:00", "17:00")), (0, 4), (date(2026, 1, 6), date(2026, 12, 25)))
    assert a == b
    assert hash(a) == hash(b)


def test_a_holiday_that_is_no_day_is_refused() -> None:
    with pytest.raises(ParameterError, match="no date"):
        WorkingCalendar(holidays=(pd.NaT,))
