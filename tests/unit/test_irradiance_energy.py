"""Energy of hours, days, months and years: beside loops that count, and beside the integral of a clear sky."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.deriving.energy import daily_energy, energy
from datalake_kit.irradiance.judging.daylight import cosine_of_zenith, daylight_spans
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from tests.irradiance_frames import bell, series_frame, together, with_gaps

pytestmark = pytest.mark.filterwarnings("error")


def _key(moment: datetime, period: str, days: str, longitude: float) -> str:
    """The period that holds an instant, by its clock."""
    if days == "solar":
        local = moment + timedelta(hours=longitude / 15)
    else:
        local = moment.astimezone(zoneinfo.ZoneInfo("UTC" if days == "utc" else days))
    text = {"hour": "%Y-%m-%d %H", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[period]
    # an hour that the clocks repeat is two hours
    return local.strftime(text) + (f" {local.utcoffset()}" if period == "hour" else "")


def counted(frame: pd.DataFrame, period: str, days: str) -> dict[str, float]:
    """kWh/m2 of each period, by looking at every half minute: which value stands for it, and whose is it?

    Periods are those that hold an instant; where none of these has a value the energy is missing.
    """
    point, step = frame.attrs["point"], timedelta(seconds=frame.attrs["step_seconds"])
    offset = timedelta(seconds=point["scan_offset_seconds"]) if frame.attrs["instantaneous"] else step / 2
    first, values, slot = frame.index[0].to_pydatetime(), frame["ghi"].tolist(), timedelta(seconds=30)
    found: dict[str, float] = {}
    moment = first
    while moment < first + len(values) * step:
        number = (moment + slot / 2 - first - offset + step / 2) // step
        value = values[min(max(number, 0), len(values) - 1)]
        key = _key(moment, period, days, point["longitude"])
        found[key] = found.get(key, 0.0) + (0.0 if np.isnan(value) else value) / 120 / 1000
        moment += slot
    held: dict[str, float] = {}
    for number, value in enumerate(values):
        key = _key(first + number * step + offset, period, days, point["longitude"])
        held[key] = held.get(key, 0) + (not np.isnan(value))
    return {key: found.get(key, 0.0) if count else float("nan") for key, count in held.items()}


ZONES = ("utc", "solar", "Europe/Rome", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut")
STARTS = ("2024-02-28 00:00", "2025-03-29 06:30", "2025-10-25 12:00", "2025-04-05 00:00", "2024-12-31 18:00")


@settings(max_examples=25, deadline=None)
@given(
    minutes=st.sampled_from([1, 10, 15, 30, 60]),
    offset=st.sampled_from([None, 0, 300, 600, 660]),
    period=st.sampled_from(["hour", "day", "month", "year"]),
    days=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    length=st.integers(1, 36),
    longitude=st.integers(-720, 720).map(lambda quarter: quarter / 4),
    seed=st.integers(0, 9),
)
def test_energy_is_what_counting_every_half_minute_finds(
    minutes: int, offset: int | None, period: str, days: str, start: str, length: int, longitude: float, seed: int
) -> None:
    count = max(1, length * 60 // minutes)
    values = with_gaps(np.random.default_rng(seed).uniform(0, 1000, count), seed, 0.15)
    frame = series_frame(values, start, minutes=minutes, offset=offset, longitude=longitude)
    found = energy(frame, period, days=days)
    expected = list(counted(frame, period, days).values())
    assert len(found) == len(expected)
    np.testing.assert_allclose(found["energy"], expected, atol=1e-9)


@pytest.mark.parametrize("days", ["utc", "solar", "Europe/Rome", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("latitude", "longitude"), [(45.0, 8.0), (-35.0, 150.0), (0.0, -179.0), (78.0, 15.0)])
@pytest.mark.parametrize("minutes", [30])
def test_coverage_is_that_of_the_sun_step_by_step(days: str, latitude: float, longitude: float, minutes: int) -> None:
    values = with_gaps(bell(40, minutes), 3, 0.2)
    frame = series_frame(values, "2025-03-15", minutes=minutes, latitude=latitude, longitude=longitude)
    found = energy(frame, "day", days=days).iloc[1:-1]
    zenith = solar_position(
        pd.DatetimeIndex(frame.index), latitude, longitude, altitude=0.0, offset_seconds=620.0
    )["zenith"]  # fmt: skip
    assert len(found) > 37
    keys = [_key((t + pd.Timedelta(seconds=620)).to_pydatetime(), "day", days, longitude) for t in frame.index]
    daylight = (zenith < 90).astype(float)
    expected = daylight.groupby(keys).sum().iloc[1:-1]
    seen = daylight.where(frame["ghi"].notna(), 0.0).groupby(keys).sum().iloc[1:-1]
    # at the horizon a step may fall on either side
    off = (found["coverage"].to_numpy() - (seen / expected).to_numpy()) * expected.to_numpy()
    assert np.abs(off).max() < 1.01
    assert (np.abs(off) < 0.01).mean() > 0.8


@pytest.mark.parametrize("latitude", [-65.0, -28.4, 0.0, 45.0, 68.0, 78.0, 90.0])
def test_spans_of_daylight_are_those_of_the_exact_sun(latitude: float) -> None:
    first = pd.Timestamp("2024-01-01", tz="UTC")
    begin, end = daylight_spans(first, 366, np.array([latitude]), np.array([21.0]))
    times = pd.date_range(first, periods=366 * 144, freq="10min")[100:-100]
    zenith = solar_position(times, latitude, 21.0, altitude=0.0, offset_seconds=0.0)["zenith"].to_numpy()
    moments = times.as_unit("ns").asi8
    number = np.searchsorted(begin[0], moments, side="right") - 1
    light = (number >= 0) & (moments < end[0][number.clip(0)])
    assert (light != (zenith < 90)).mean() < 0.002
    assert np.abs(zenith[light != (zenith < 90)] - 90).max(initial=0) < 0.2
    assert (begin <= end).all()
    assert (end[:, :-1] <= begin[:, 1:]).all()


@pytest.mark.parametrize(("latitude", "offset"), [(45.0, 620.0), (0.0, 440.0), (-35.0, 300.0), (60.0, 656.0)])
@pytest.mark.parametrize("day", ["2025-03-20", "2025-06-21", "2025-12-21"])
def test_a_clear_sky_is_integrated_as_finely_as_stated(latitude: float, offset: float, day: str) -> None:
    start = pd.Timestamp(day, tz="UTC")
    fine = pd.date_range(start, periods=4320, freq="20s") + pd.Timedelta(seconds=10)
    exact = clear_sky(fine, latitude, 8.0, altitude=0.0, offset_seconds=0.0, turbidity=3.0)["ghi_clear"].to_numpy()
    times = pd.date_range(start, periods=96, freq="15min")
    sky = clear_sky(times, latitude, 8.0, altitude=0.0, offset_seconds=offset, turbidity=3.0)
    frame = series_frame(sky["ghi_clear"], day, offset=offset, latitude=latitude)
    by_hour = exact.reshape(24, 180).mean(axis=1) / 1000
    bright = by_hour > 0.1
    assert np.abs(energy(frame, "hour")["energy"].to_numpy() / by_hour.clip(1e-9) - 1)[bright].max(initial=0) < 0.003
    assert energy(frame)["energy"].iloc[0] == pytest.approx(exact.mean() * 24 / 1000, rel=1e-4)
    trapezoid = np.trapezoid(sky["ghi_clear"], dx=0.25) / 1000
    assert energy(frame)["energy"].iloc[0] == pytest.approx(trapezoid, rel=1e-9)


def test_days_add_up_to_months_and_months_to_the_year() -> None:
    frame = series_frame(bell(366, 30), "2024-01-01", minutes=30)
    year = energy(frame, "year")
    assert year["complete"].tolist() == [True]
    for period in ("hour", "day", "month"):
        parts = energy(frame, period)
        assert parts["energy"].sum() == pytest.approx(year["energy"].iloc[0], rel=1e-12)
        assert parts["complete"].all()
    by_day = energy(frame)["energy"]
    by_month = by_day.groupby([by_day.index.year, by_day.index.month]).sum()
    np.testing.assert_allclose(energy(frame, "month")["energy"], by_month, rtol=1e-12)
    assert len(by_day) == 366


def test_days_of_a_zone_have_23_and_25_hours() -> None:
    frame = series_frame(np.full(24 * 4 * 2, 100.0), "2025-03-29 12:00", offset=None)
    found = energy(frame, days="Europe/Rome")
    assert found["energy"].round(6).tolist() == [1.1, 2.3, 1.4]
    assert found.index[1].isoformat() == "2025-03-30T00:00:00+01:00"
    assert found.index.name == "day"
    autumn = energy(series_frame(np.full(24 * 4 * 2, 100.0), "2025-10-25 12:00", offset=None), days="Europe/Rome")
    assert autumn["energy"].round(6).tolist() == [1.0, 2.5, 1.3]


def test_solar_days_begin_at_the_suns_midnight_of_each_point() -> None:
    west, east = (
        series_frame(np.full(96, 100.0), offset=None, point_id=name, longitude=longitude)
        for name, longitude in (("west", -90.0), ("east", 45.0))
    )
    found = energy(together(west, east), days="solar")
    assert found.index.names == ["point_id", "day"]
    assert found.index.get_level_values("day").tz is None
    assert found.loc["west", "energy"].dropna().round(6).tolist() == [0.6, 1.8]
    assert found.loc["east", "energy"].dropna().round(6).tolist() == [2.1, 0.3]


def test_gaps_count_as_nothing_and_the_numbers_say_so() -> None:
    values = np.full(192, 100.0)
    values[96 + 40 : 96 + 52] = np.nan  # three hours of the second day, at noon
    days = daily_energy(series_frame(values, offset=450.0))
    assert days["energy"].tolist() == pytest.approx([2.4, 2.1])
    assert days["complete"].tolist() == [True, False]
    assert days["coverage"].iloc[0] == 1.0
    assert 0.75 < days["coverage"].iloc[1] < 0.85
    assert daily_energy(series_frame(values), enough=0.5)["complete"].all()
    assert days.attrs["units"]["energy"] == "kWh/m2 per day"
    assert days.attrs["synthetic"] is True
    assert "gaps count as nothing" in days.attrs["rule"]


def test_a_period_of_which_the_frame_holds_a_part_is_not_complete() -> None:
    frame = series_frame(bell(20, 60)[10:-12], "2025-05-22 10:00", minutes=60)
    days = energy(frame)
    assert days["complete"].tolist() == [False] + [True] * 18 + [False]
    assert days["coverage"].iloc[1] == 1
    months = energy(frame, "month")
    assert len(months) == 2
    assert not months["complete"].any()
    assert months["coverage"].iloc[0] == pytest.approx(9.6 / 31, abs=0.02)
    assert energy(frame, "year")["coverage"].iloc[0] < 0.1


def test_a_day_without_a_value_is_missing_and_not_zero() -> None:
    values = bell(3, 15)
    values[96:192] = np.nan
    days = energy(series_frame(values))
    assert np.isnan(days["energy"].iloc[1])
    assert days["coverage"].tolist() == [1.0, 0.0, 1.0]
    assert days["complete"].tolist() == [True, False, True]
    nothing = energy(series_frame(np.full(96, np.nan)), "year")
    assert nothing["energy"].isna().all()
    assert not nothing["complete"].any()


def test_polar_night_has_no_coverage_and_polar_day_has_all_of_it() -> None:
    night = energy(series_frame(np.zeros(192), "2025-12-20", latitude=75.0))
    assert night["energy"].tolist() == [0.0, 0.0]
    assert night["coverage"].isna().all()
    assert night["complete"].all()
    unseen = energy(series_frame(np.full(96, np.nan), "2025-12-20", latitude=75.0))
    assert unseen["energy"].isna().all()
    assert not unseen["complete"].any()
    light = energy(series_frame(with_gaps(np.full(960, 50.0), 1, 0.25), "2025-06-15", latitude=75.0))
    by_hand = pd.Series(with_gaps(np.full(960, 50.0), 1, 0.25)).notna().groupby(np.arange(960) // 96).mean()
    np.testing.assert_allclose(light["coverage"], by_hand)


def test_several_points_are_as_each_alone() -> None:
    frames = [
        series_frame(
            with_gaps(bell(4, 30), n), minutes=30, point_id=f"p{n}", offset=300.0 + 60 * n, latitude=70.0 - 40 * n,
            longitude=-170.0 + 60 * n,
        )
        for n in range(5)
    ]  # fmt: skip
    several = together(*reversed(frames))
    for days in ("utc", "solar", "Asia/Kolkata"):
        for period in ("hour", "day", "year"):
            found = energy(several, period, days=days)
            assert list(dict.fromkeys(found.index.get_level_values(0))) == ["p4", "p3", "p2", "p1", "p0"]
            for frame in frames:
                alone = energy(frame, period, days=days)
                part = found.loc[frame.attrs["point"]["point_id"]]
                pd.testing.assert_frame_equal(part.loc[alone.index], alone, check_freq=False)
                assert part.drop(alone.index)["energy"].isna().all()  # days that begin in other points alone


def test_order_and_rows_left_out_make_no_difference() -> None:
    one = series_frame(with_gaps(bell(3, 15), 5), point_id="b")
    two = series_frame(with_gaps(bell(3, 15), 6), point_id="a")
    whole = together(one, two)
    expected = energy(whole)
    shuffled = whole.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(energy(shuffled).sort_index(), expected.sort_index())
    pd.testing.assert_frame_equal(energy(whole.dropna()), expected)
    picked = whole[whole.index.get_level_values(0) == "a"]
    pd.testing.assert_frame_equal(energy(picked), expected.loc[["a"]])
    long = whole.reset_index().set_index(["point_id", "time"])
    long.attrs = whole.attrs
    pd.testing.assert_frame_equal(energy(long), expected)


def test_the_frame_is_left_as_it_was() -> None:
    frame = together(series_frame(with_gaps(bell(2, 15), 5)), series_frame(bell(2, 15), point_id="b"))
    before = frame.copy()
    energy(frame, gaps="scale")
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == before.attrs


def test_gaps_are_scaled_by_the_suns_light_only_by_asking() -> None:
    whole = bell(1, 15) * 0.7
    gappy = whole.copy()
    gappy[30:48] = np.nan  # the morning, symmetric to an afternoon that was seen
    plain = energy(series_frame(gappy, longitude=0.0))
    assert "scaled" not in plain
    scaled = energy(series_frame(gappy, longitude=0.0), gaps="scale")
    assert scaled["scaled"].tolist() == [True]
    exact = energy(series_frame(whole, longitude=0.0))["energy"].iloc[0]
    assert plain["energy"].iloc[0] < 0.7 * exact
    assert scaled["energy"].iloc[0] == pytest.approx(exact, rel=0.12)
    assert scaled["complete"].tolist() == [False]
    gappy[30:70] = np.nan  # too little was seen
    few = energy(series_frame(gappy, longitude=0.0), gaps="scale")
    assert few["scaled"].tolist() == [False]
    assert few["energy"].iloc[0] == energy(series_frame(gappy, longitude=0.0))["energy"].iloc[0]
    assert not energy(series_frame(whole), gaps="scale")["scaled"].any()


def test_scaling_is_exact_where_the_light_is_the_suns() -> None:
    times = pd.date_range("2024-01-01", periods=366 * 48, freq="30min", tz="UTC")
    sun = solar_position(times, 45.0, 8.0, altitude=0.0, offset_seconds=620.0)
    light = 0.5 * sun["dni_extra"] * np.cos(np.radians(sun["zenith"])).clip(lower=0)
    whole = series_frame(light, "2024-01-01", minutes=30)
    gappy = whole.copy()
    gappy.attrs = whole.attrs
    gappy.iloc[5000:8000] = np.nan  # two months of spring
    for period in ("month", "year"):
        found = energy(gappy, period, gaps="scale")
        exact = energy(whole, period)["energy"]
        good = found["scaled"] | found["complete"]
        np.testing.assert_allclose(found["energy"][good], exact[good], rtol=2e-3)
    assert energy(gappy, "year", gaps="scale")["scaled"].tolist() == [True]
    # a frame that ends in August is scaled to the year, as one with gaps is
    part = whole.iloc[: 48 * 240]
    part.attrs = whole.attrs
    assert energy(part, "year", gaps="scale")["energy"].iloc[0] == pytest.approx(
        energy(whole, "year")["energy"].iloc[0], rel=2e-3
    )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda f: f.iloc[:0], DataError, "no rows"),
        (lambda f: f.tz_localize(None), DataError, "no zone"),
        (lambda f: f.reset_index(drop=True), DataError, "set_index"),
        (lambda f: f.rename(columns={"ghi": "ghj"}), ColumnNotFoundError, "ghj"),
        (lambda f: pd.concat([f, f.iloc[:3]]), DataError, "held twice"),
        (lambda f: f.set_axis(f.index[:-1].append(f.index[-1:] + pd.Timedelta("1min"))), DataError, "not on steps"),
        (lambda f: f.replace(100.0, np.inf), DataError, "infinite"),
        (lambda f: f.set_axis(f.index[:-1].append(pd.DatetimeIndex([pd.NaT], tz="UTC"))), DataError, "without a time"),
    ],
)
def test_frames_that_are_no_series_are_errors(change: Any, error: type[Exception], words: str) -> None:
    frame = series_frame(np.full(96, 100.0))
    changed = change(frame)
    changed.attrs = frame.attrs
    with pytest.raises(error, match=words):
        energy(changed)


def test_arguments_that_mean_nothing_are_errors() -> None:
    frame = series_frame(bell(1, 15))
    for options, words in (
        ({"period": "week"}, "No period 'week'"),
        ({"days": "Europe/Rom"}, "Europe/Rome"),
        ({"enough": 90}, "share of the daylight"),
        ({"gaps": "fill"}, "not 'fill'"),
    ):
        with pytest.raises(DataError, match=words):
            energy(frame, **options)
    frame.attrs = {}
    with pytest.raises(DataError, match="place"):
        energy(frame)
    assert energy(frame, latitude=45.0, longitude=8.0)["complete"].all()
    several = together(series_frame(bell(1, 15)), series_frame(bell(1, 15), point_id="b"))
    with pytest.raises(DataError, match="One latitude"):
        energy(several, latitude=45.0, longitude=8.0)
    del several.attrs["points"]["b"]
    with pytest.raises(DataError, match="place"):
        energy(several)


def test_one_row_has_a_step_when_the_frame_says_so() -> None:
    frame = series_frame([400.0], "2025-06-18 12:00", offset=None, minutes=60)
    assert energy(frame, "hour")["energy"].tolist() == [0.4]
    frame.attrs.pop("step_seconds")
    frame.index = pd.DatetimeIndex([frame.index[0]], name="time")  # without a frequency of its own
    with pytest.raises(DataError, match="no step"):
        energy(frame)


def test_whole_numbers_and_missing_integers_are_numbers() -> None:
    frame = series_frame(np.full(96, 100.0), offset=None)
    whole = frame.astype({"ghi": "Int32"})
    whole.attrs = frame.attrs
    whole.iloc[40:44, 0] = pd.NA
    assert energy(whole)["energy"].tolist() == pytest.approx([2.3])


def test_times_in_another_zone_are_the_same_times() -> None:
    frame = series_frame(bell(2, 15))
    local = frame.tz_convert("Asia/Kolkata")
    local.attrs = frame.attrs
    pd.testing.assert_frame_equal(energy(local), energy(frame))


def test_a_time_far_off_is_an_error_and_not_a_full_memory() -> None:
    frame = series_frame(np.full(1440, 100.0), minutes=1 / 60)
    far = frame.set_axis(frame.index[:-1].append(pd.DatetimeIndex(["2085-01-01"], tz="UTC")).rename("time"))
    far.attrs = frame.attrs
    with pytest.raises(DataError, match="is a time far off"):
        energy(far)


def test_the_zenith_of_steps_is_the_exact_one() -> None:
    times = pd.date_range("2024-02-20", periods=20_000, freq="37min", tz="UTC")
    for latitude, longitude in ((45.0, 8.0), (-35.0, 150.0), (78.0, -170.0)):
        found = np.degrees(np.arccos(cosine_of_zenith(times.as_unit("ns").asi8, latitude, longitude)))
        exact = solar_position(times, latitude, longitude, altitude=0.0, offset_seconds=0.0)["zenith"]
        assert np.abs(found - exact).max() < 0.02
