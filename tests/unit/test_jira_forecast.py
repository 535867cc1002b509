"""Forecasts from past throughput: exact where the past is, honest where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.flow.forecast import Forecast, forecast
from datalake_kit.jira.flow.periods import is_bound, nearest_rank, next_bounds, period_bounds, ranks

STEPS = {"D": pd.DateOffset(days=1), "W": pd.DateOffset(days=7), "M": pd.DateOffset(months=1)}


def periods(counts: list[int], freq: str = "W", *, begin: str = "2024-01-01", partial: bool = False) -> pd.DataFrame:
    """A throughput table; `partial`: the last one is the current period."""
    bounds = pd.date_range(begin, periods=len(counts) + 1, freq=STEPS[freq], tz="UTC", unit="us")
    frame = pd.DataFrame({"period_start": bounds[:-1], "period_end": bounds[1:], "finished": counts})
    return frame.assign(complete=[True] * (len(counts) - partial) + [False] * partial, freq=freq, zone="UTC")


def day(found: pd.Timestamp) -> str:
    assert found.tzinfo is not None
    return f"{found:%Y-%m-%d %H:%M}"


# --- exact answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "weeks", "when"),
    [(1, 1, "2024-03-04"), (5, 1, "2024-03-04"), (6, 2, "2024-03-11"), (50, 10, "2024-05-06")],
)
def test_a_steady_pace_says_exactly_when(items: int, weeks: int, when: str) -> None:
    found = forecast(periods([5] * 8), items=items)
    assert found.table["periods"].to_list() == [weeks] * 4
    assert {day(d) for d in found.table["date"]} == {f"{when} 00:00"}
    assert found.distribution.to_dict("records") == [
        {"periods": weeks, "date": pd.Timestamp(when, tz="UTC"), "trials": 10_000, "chance": 1.0}
    ]


def test_a_steady_pace_says_exactly_how_many() -> None:
    found = forecast(periods([5] * 8), until="2024-03-19")  # three whole weeks after 26 February
    assert found.table["items"].to_list() == [15] * 4
    assert found.distribution.to_dict("records") == [{"items": 15, "trials": 10_000, "chance": 1.0}]
    assert forecast(periods([5] * 8), until="2024-03-18").table["items"].to_list() == [15] * 4  # the border counts
    assert forecast(periods([5] * 8), until="2024-03-17").table["items"].to_list() == [10] * 4


def test_the_steady_past_held_every_time() -> None:
    found = forecast(periods([5] * 12), items=10, minimum_periods=4)
    # origins 4 to 10 have two weeks behind them
    assert found.back_test["origins"].to_list() == [7] * 4
    assert found.back_test["share"].to_list() == [1.0] * 4
    assert found.origins["actual"].to_list() == [2.0] * 28
    totals = forecast(periods([5] * 12), until="2024-04-08", minimum_periods=4)
    assert totals.origins["forecast"].to_list() == totals.origins["actual"].to_list() == [10] * 28
    origins = totals.origins["origin"].drop_duplicates()
    assert [day(d) for d in origins.iloc[[0, -1]]] == ["2024-01-29 00:00", "2024-03-11 00:00"]


def test_the_current_period_is_neither_resampled_nor_simulated() -> None:
    whole, current = periods([5] * 8), periods([5] * 8 + [1000], partial=True)
    found = forecast(current, items=10)
    assert found.periods_used == 8
    assert day(found.used_to) == "2024-02-26 00:00"
    assert day(found.start) == "2024-03-04 00:00"  # the rest of the current week is not counted on
    assert found.table["periods"].to_list() == forecast(whole, items=10).table["periods"].to_list() == [2] * 4
    assert day(found.table["date"].iloc[0]) == "2024-03-18 00:00"


def test_the_first_period_that_is_cut_off_is_not_resampled() -> None:
    frame = periods([0, *[5] * 8])
    frame.loc[0, "complete"] = False
    assert forecast(frame, items=5).table["periods"].to_list() == [1] * 4


def test_months_and_days_end_where_they_do() -> None:
    months = forecast(periods([2] * 8, "M"), items=4)
    assert [day(d) for d in months.table["date"]] == ["2024-11-01 00:00"] * 4
    days = forecast(periods([2] * 8, "D"), items=4)
    assert [day(d) for d in days.table["date"]] == ["2024-01-11 00:00"] * 4


def test_periods_of_a_zone_end_at_its_midnight_in_summer_and_winter() -> None:
    bounds = pd.date_range("2024-01-29", periods=9, freq=pd.DateOffset(days=7), tz="Europe/Berlin", unit="us")
    frame = pd.DataFrame({"period_start": bounds[:-1].tz_convert("UTC"), "period_end": bounds[1:].tz_convert("UTC")})
    frame = frame.assign(finished=1, complete=True, freq="W", zone="Europe/Berlin")
    found = forecast(frame, items=2)
    assert day(found.start) == "2024-03-24 23:00"
    assert [day(d) for d in found.distribution["date"]] == ["2024-04-07 22:00"]
    assert forecast(frame, until="2024-04-08").table["items"].to_list() == [2] * 4  # midnight in Berlin
    assert forecast(frame, until=pd.Timestamp("2024-04-07 21:59", tz="UTC")).table["items"].to_list() == [1] * 4


def test_start_moves_the_simulation() -> None:
    found = forecast(periods([5] * 8), items=10, start="2024-06-03")
    assert day(found.table["date"].iloc[0]) == "2024-06-17 00:00"
    for start in ("2024-06-04", "2024-02-19"):  # a Tuesday; before the end of what is known
        with pytest.raises(ParameterError, match="must be the start of a week"):
            forecast(periods([5] * 8), items=10, start=start)


def test_last_forgets_what_was_before() -> None:
    past = periods([100] * 8 + [5] * 8)
    assert forecast(past, items=10, last=8).table["periods"].to_list() == [2] * 4
    assert forecast(past, items=10, last=8).periods_used == 8
    assert day(forecast(past, items=10, last=8).used_from) == "2024-02-26 00:00"
    assert forecast(past, items=10, percentiles=[30, 95]).table["periods"].to_list() == [1, 2]


# --- chances that can be worked out by hand ---------------------------------------------------------------------------


def test_chances_of_a_coin() -> None:
    """Four of eight weeks finish one, four finish none: a binomial distribution.

    Of two weeks: none 1/4, one 1/2, two 1/4. One item needs n weeks with a chance of 1/2 ** n, so half of the futures
    need one, 75 % two, 87.5 % three, 93.75 % four and 96.9 % five weeks.
    """
    past = periods([0, 1] * 4)
    many = forecast(past, until="2024-03-11", trials=100_000)
    assert many.distribution["items"].to_list() == [0, 1, 2]
    assert many.distribution["chance"].to_list() == pytest.approx([1, 0.75, 0.25], abs=0.01)
    assert (many.distribution["trials"] / 100_000).to_list() == pytest.approx([0.25, 0.5, 0.25], abs=0.01)
    assert many.table["items"].to_list() == [1, 1, 0, 0]
    when = forecast(past, items=1, trials=100_000, percentiles=[40, 70, 85, 95])
    assert when.table["periods"].to_list() == [1, 2, 3, 5]
    assert when.distribution["chance"].iloc[:4].to_list() == pytest.approx([0.5, 0.75, 0.875, 0.9375], abs=0.01)
    assert when.distribution["trials"].sum() == 100_000


def test_more_confidence_takes_longer_or_less() -> None:
    past = periods([0, 3, 1, 7, 2, 0, 4, 5, 2, 6])
    when, many = forecast(past, items=20), forecast(past, until="2024-06-01")
    assert when.table["periods"].is_monotonic_increasing
    assert when.table["periods"].nunique() > 1
    assert many.table["items"].is_monotonic_decreasing
    assert many.table["items"].nunique() > 1


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=8, max_size=12).filter(any), st.integers(1, 40), st.integers(0, 99))
def test_the_two_questions_agree_with_the_trials(counts: list[int], items: int, seed: int) -> None:
    found = forecast(periods(counts), items=items, seed=seed, trials=200)
    least, most = -(-items // max(counts)), found.distribution["periods"].max()
    assert found.distribution["periods"].min() >= least
    assert found.distribution["trials"].sum() == 200
    assert found.distribution["chance"].iloc[-1] == 1
    for row in found.table.itertuples():  # the smallest number of periods that reaches the percentile
        chance = found.distribution.set_index("periods")["chance"]
        assert chance[row.periods] >= row.percentile / 100
        assert (chance[chance.index < row.periods] < row.percentile / 100).all()
    horizon = min(int(most), 50)
    until = pd.Timestamp(next_bounds(found.start, horizon, "W")[-1], tz="UTC")
    many = forecast(periods(counts), until=until, seed=seed, trials=200)
    assert many.distribution["items"].max() <= horizon * max(counts)
    assert many.distribution["items"].min() >= horizon * min(counts)
    chance = many.distribution.set_index("items")["chance"]
    for row in many.table.itertuples():  # the largest number of items that is reached often enough
        assert chance[row.items] >= row.percentile / 100
        assert (chance[chance.index > row.items] < row.percentile / 100).all()


def test_the_seed_makes_it_again() -> None:
    past = periods([0, 3, 1, 7, 2, 0, 4, 5, 2, 6] * 3)
    for asked in ({"items": 20}, {"until": "2024-12-01"}):
        one, two, other = (forecast(past, seed=s, **asked) for s in (7, 7, 8))  # type: ignore[arg-type]
        for name in ("table", "distribution", "back_test", "origins"):
            pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))
        assert not one.distribution.equals(other.distribution)


# --- does it hold? ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"items": 40}, {"until": "2036-01-05"}])
def test_on_a_process_without_memory_the_percentiles_hold_as_often_as_they_say(asked: dict[str, Any]) -> None:
    """Independent weeks of one distribution: what resampling supposes. 85 % is then to hold in about 85 %."""
    rng = np.random.default_rng(11)
    past = periods(rng.poisson(4, 600).tolist(), begin="2024-01-01")
    if "until" in asked:
        start = past["period_end"].iloc[-1]
        asked = {"until": start + pd.Timedelta(days=70)}  # ten weeks
    found = forecast(past, minimum_periods=100, trials=1000, **asked)
    assert (found.back_test["origins"].between(190, 250)).all()  # of 500 periods, evenly spread
    shares = found.back_test.set_index("percentile")["share"]
    for percentile in (50, 70, 85, 95):
        # whole items and whole weeks: at least as often as said, by what one step more of them holds; 50 windows of
        # ten weeks that do not overlap give an error of 7 points at 50 %
        assert percentile / 100 - 0.10 < shares[percentile] < min(1, percentile / 100 + 0.22), shares


def test_a_past_that_slows_down_breaks_the_forecasts_and_the_back_test_shows_it() -> None:
    found = forecast(periods([20] * 20 + [1] * 20), until="2024-11-04", minimum_periods=8)
    assert found.back_test["share"].max() < 0.8
    broken = found.origins[found.origins["origin"] == pd.Timestamp("2024-05-20", tz="UTC")]
    assert broken["actual"].unique().tolist() == [4.0]
    assert broken["forecast"].to_list() == [80] * 4
    assert not broken["within"].any()


def test_the_back_test_knows_only_what_was_known_then() -> None:
    """The ten weeks before each origin say 1; a later burst of 50 must not reach the forecasts of before."""
    found = forecast(periods([1] * 20 + [50] * 3), until="2024-07-01", minimum_periods=8)
    early = found.origins[found.origins["origin"] <= pd.Timestamp("2024-05-20", tz="UTC")]
    assert len(early)
    horizon = 3  # weeks until 1 July
    assert set(early["forecast"]) == {horizon}
    assert found.back_test["origins"].iloc[0] == 23 - horizon - 8 + 1


def test_an_origin_counts_only_when_enough_followed_to_tell() -> None:
    # ten quiet weeks: one item in each of the even ones; items=3 needs about six weeks
    found = forecast(periods([1, 0] * 10), items=3, minimum_periods=8, percentiles=[50, 95])
    last = found.origins["origin"].max()
    longest = found.origins.loc[found.origins["origin"] == last, "forecast"].max()
    assert last + pd.Timedelta(days=7 * int(longest)) <= found.used_to
    assert found.origins["actual"].notna().all()
    never = forecast(periods([9] * 8 + [0] * 12), items=9, minimum_periods=8, percentiles=[50])
    missed = never.origins[never.origins["origin"] == pd.Timestamp("2024-02-26", tz="UTC")]
    assert missed["actual"].isna().all()  # not done in all that followed
    assert not missed["within"].any()


def test_without_origins_the_share_is_unknown() -> None:
    found = forecast(periods([5] * 8), items=12)
    assert found.back_test["origins"].to_list() == [0] * 4
    assert found.back_test["share"].isna().all()
    assert list(found.origins.columns) == ["origin", "percentile", "forecast", "actual", "within"]
    assert "not back-tested" in str(found)


# --- the result -------------------------------------------------------------------------------------------------------


def test_the_summary_says_what_was_asked_and_on_what_it_rests() -> None:
    text = str(forecast(periods([5] * 12), items=10, percentiles=[85], seed=3))
    assert text.splitlines() == [
        "When are 10 items done? From 2024-03-25, 12 past weeks resampled 10,000 times (seed 3).",
        "85 %: by 2024-04-08 (held 3 of 3 times)",
    ]
    text = str(forecast(periods([5] * 12), until="2024-04-08", percentiles=[85]))
    assert text.splitlines()[1] == "85 %: 10 or more (held 3 of 3 times)"


def test_the_result_is_frozen_and_the_input_unchanged() -> None:
    past = periods([1, 2, 3, 4] * 3)
    before = past.copy(deep=True)
    found = forecast(past, items=10)
    assert isinstance(found, Forecast)
    with pytest.raises(AttributeError):
        found.items = 3  # type: ignore[misc]
    pd.testing.assert_frame_equal(past, before)


def test_types_of_the_tables() -> None:
    when, many = forecast(periods([1, 2] * 6), items=9), forecast(periods([1, 2] * 6), until="2024-06-01")
    assert str(when.table["date"].dtype) == str(when.distribution["date"].dtype) == "datetime64[us, UTC]"
    assert str(when.origins["origin"].dtype) == "datetime64[us, UTC]"
    for frame, column in ((when.table, "periods"), (many.table, "items"), (when.origins, "forecast")):
        assert str(frame[column].dtype) == "int64"
    assert str(many.origins["actual"].dtype) == str(when.origins["actual"].dtype) == "Int64"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "asked", "words"),
    [
        (periods([5] * 7), {"items": 1}, r"7 complete weeks are known, a forecast needs 8.*minimum_periods=7"),
        (periods([5] * 8, partial=True), {"items": 1}, r"7 complete weeks"),
        (periods([0] * 8), {"items": 1}, r"Nothing was finished in the 8 complete weeks"),
        (periods([5] * 8 + [0] * 8), {"items": 1, "last": 8}, r"Nothing was finished.*last="),
        (periods([0] * 8), {"until": "2025-01-01"}, r"Nothing was finished"),
        (periods([5] * 8), {"until": "2024-03-01"}, r"less than a whole week.*from 2024-03-04"),
        (periods([5] * 8), {"until": "2190-03-01"}, r"more than 5,000 weeks ahead"),
        (periods([0] * 7 + [1]), {"items": 10_000}, r"10000 items would take about 80,000 periods"),
        (periods([5] * 9).drop(4), {"items": 1}, r"Periods are missing"),
        (periods([5] * 9).iloc[::-1], {"items": 1}, r"Periods are missing between others, or out of order"),
        (periods([]), {"items": 1}, r"empty"),
        (periods([5] * 9).assign(finished=1.5), {"items": 1}, r"finished=1.5 is no count"),
        (periods([5] * 9).assign(finished=np.nan), {"items": 1}, r"finished=nan is no count"),
        (periods([5] * 9).assign(finished=-1), {"items": 1}, r"finished=-1.0 is no count"),
        (periods([5] * 9).assign(freq=["W"] * 8 + ["D"]), {"items": 1}, r"mixes periods"),
        (periods([5] * 9), {"items": 1, "percentiles": [0]}, r"percentiles=\[0\] must be above 0"),
        (periods([5] * 9), {"items": 1, "percentiles": []}, r"percentiles"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_words(frame: pd.DataFrame, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        forecast(frame, **asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Give one of items="), ({"items": 3, "until": "2025-01-01"}, "Give one of items="),
        ({"items": 0}, "items=0"), ({"items": 2.5}, "items=2.5"), ({"items": True}, "items=True"),
        ({"items": 1, "trials": 99}, "trials=99"),
        ({"items": 1, "seed": -1}, "seed=-1"), ({"items": 1, "last": 3}, "last=3"),
        ({"until": "soon"}, "'soon' is no date"), ({"until": float("nan")}, "nan is no date"),
        ({"items": 1, "minimum_periods": 0}, "minimum_periods=0"),
    ],
)  # fmt: skip
def test_ill_formed_questions_are_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        forecast(periods([5] * 9), **asked)


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(ColumnNotFoundError, match="no column 'complete'"):
        forecast(periods([5] * 9).drop(columns="complete"), items=1)


# --- periods and percentiles ------------------------------------------------------------------------------------------


def utc(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


@pytest.mark.parametrize(
    ("first", "last", "freq", "zone", "borders"),
    [
        ("2024-01-31 10:00", "2024-02-01 00:00", "D", "UTC", ["2024-01-31 00:00", "2024-02-01 00:00"]),
        ("2024-01-31 10:00", "2024-02-01 00:01", "M", "UTC",
         ["2024-01-01 00:00", "2024-02-01 00:00", "2024-03-01 00:00"]),
        ("2024-01-07 23:30", "2024-01-08 12:00", "W", "Europe/Berlin", ["2024-01-07 23:00", "2024-01-14 23:00"]),
        ("2024-03-30 12:00", "2024-03-31 12:00", "D", "Europe/Berlin",
         ["2024-03-29 23:00", "2024-03-30 23:00", "2024-03-31 22:00"]),
        ("2024-01-01 00:00", "2024-01-01 00:00", "D", "UTC", ["2024-01-01 00:00", "2024-01-02 00:00"]),
        # Samoa had no 30 December 2011
        ("2011-12-30 09:00", "2011-12-30 11:00", "D", "Pacific/Apia",
         ["2011-12-29 10:00", "2011-12-30 10:00", "2011-12-31 10:00"]),
        # the clock of Beirut skips midnight of 31 March 2024, that of Havana comes to midnight of 3 November 2024 twice
        ("2024-03-30 23:00", "2024-03-31 05:00", "D", "Asia/Beirut", ["2024-03-30 22:00", "2024-03-31 21:00"]),
        ("2024-11-03 04:30", "2024-11-03 12:00", "D", "America/Havana", ["2024-11-03 04:00", "2024-11-04 05:00"]),
    ],
)  # fmt: skip
def test_borders_of_periods(first: str, last: str, freq: str, zone: str, borders: list[str]) -> None:
    found = period_bounds(utc(first), utc(last), freq, zone)
    assert [f"{pd.Timestamp(b):%Y-%m-%d %H:%M}" for b in found] == borders


ZONES = ["UTC", "Europe/London", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]


@settings(deadline=None)
@given(
    st.datetimes(pd.Timestamp("2000-01-01"), pd.Timestamp("2040-01-01")), st.integers(0, 10_000_000),
    st.sampled_from("DWM"), st.sampled_from(ZONES),
)  # fmt: skip
def test_periods_hold_all_time_once(first: Any, more: int, freq: str, zone: str) -> None:
    begin = pd.Timestamp(first, tz="UTC").floor("us")
    end = begin + pd.Timedelta(seconds=more)
    bounds = period_bounds(begin, end, freq, zone)
    moments = [np.datetime64(m.tz_localize(None), "us") for m in (begin, end)]
    assert bounds[0] <= moments[0] < bounds[1]
    assert bounds[-2] < moments[1] <= bounds[-1] or begin == end
    assert (np.diff(bounds) > np.timedelta64(0, "us")).all()
    start = pd.Timestamp(bounds[0], tz="UTC")
    assert is_bound(start, freq, zone)
    assert (next_bounds(start, len(bounds) - 1, freq, zone) == bounds[1:]).all()


def test_unknown_periods_and_zones_are_refused() -> None:
    with pytest.raises(DataError, match="freq='Q'"):
        period_bounds(utc("2024-01-01"), utc("2024-01-02"), "Q")
    with pytest.raises(DataError, match="Did you mean Europe/Berlin"):
        period_bounds(utc("2024-01-01"), utc("2024-01-02"), "D", "Europe/Berlim")
    with pytest.raises(DataError, match="has no time zone"):
        period_bounds(pd.Timestamp("2024-01-01"), utc("2024-01-02"), "D")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.floats(0.5, 100))
def test_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(values: list[int], percentile: float) -> None:
    (found,) = nearest_rank(values, [percentile])
    enough = [v for v in values if sum(w <= v for w in values) / len(values) >= percentile / 100 - 1e-11]
    assert found == min(enough)


def test_ranks_do_not_suffer_from_floats() -> None:
    assert ranks(100, np.array([7.0, 14.0, 29.0, 55.0])).tolist() == [7, 14, 29, 55]
    with pytest.raises(DataError, match="no values"):
        nearest_rank([], [50])
