"""Flags: each beside a plain loop or by hand, and what they find in measured data."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.judging.components import closure, diffuse_of, dni
from datalake_kit.irradiance.judging.quality import flags, step_change, stuck, summarise_flags
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from tests.irradiance_frames import bell, measured_day, series_frame, together


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return measured_day()


def test_a_measured_day_is_plausible(measured: pd.DataFrame) -> None:
    counts = flags(measured).sum()
    assert counts["closure"] == 0
    assert counts["above_clear_sky"] == 0
    assert counts["step"] == 0
    assert not any(counts[n] for n in counts.index if n.endswith("above_possible"))
    assert counts["missing"] == measured["ghi"].isna().sum()


def test_the_direct_part_of_a_measured_day_is_the_one_measured_beside_it(measured: pd.DataFrame) -> None:
    position = solar_position(measured)
    computed = dni(measured, position)
    high = position["zenith"] < 70
    assert (computed[high] / measured["dni"][high] - 1).abs().median() < 0.02
    assert (computed[position["zenith"] > 91].dropna() == 0).all()
    assert computed[(position["zenith"] > 87) & (position["zenith"] < 90)].isna().mean() > 0.6


@pytest.mark.parametrize(
    ("column", "value", "flag"),
    [
        ("ghi", 1900.0, "ghi_above_possible"),
        ("ghi", -10.0, "ghi_below_possible"),
        ("ghi", -3.0, "ghi_below_rare"),
        ("dhi", 900.0, "dhi_above_possible"),
        ("dni", 1500.0, "dni_above_possible"),
        ("ghi", 1100.0, "above_clear_sky"),
        ("ghi", np.nan, "missing"),
        ("ghi", 300.0, "closure"),
    ],
)
def test_one_wrong_value_is_the_one_that_is_flagged(
    measured: pd.DataFrame, column: str, value: float, flag: str
) -> None:
    noon = measured["ghi"].idxmax()
    wrong = measured.copy()
    wrong.loc[noon, column] = value
    before, after = flags(measured)[flag], flags(wrong)[flag]
    changed = before.index[before != after]
    assert changed.tolist() == [noon]
    assert after[noon]


def test_light_at_night_is_flagged_and_darkness_is_not(measured: pd.DataFrame) -> None:
    night = solar_position(measured)["zenith"].idxmax()
    wrong = measured.copy()
    wrong.loc[night, "ghi"] = 40.0
    assert flags(wrong)["night_nonzero"].sum() - flags(measured)["night_nonzero"].sum() == 1


@settings(max_examples=40)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, None]), min_size=1, max_size=40), st.integers(2, 5))
def test_stuck_values_are_runs_in_daylight(values: list[float | None], count: int) -> None:
    zenith = [100.0 if n % 17 == 16 else 40.0 for n in range(len(values))]
    expected: list[bool] = []
    for (value, low), run in itertools.groupby(zip(values, zenith, strict=True), lambda pair: (pair[0], pair[1] > 85)):
        length = len(list(run))
        expected += [bool(value) and not low and length >= count] * length
    found = stuck(pd.Series(values, dtype=float), pd.Series(zenith), count=count)
    assert found.tolist() == expected


def test_a_jump_is_flagged_once_and_never_across_a_gap() -> None:
    zenith, extra = pd.Series([60.0] * 6), pd.Series([1361.0] * 6)
    assert step_change(pd.Series([50, 640, 650, 50, np.nan, 640.0]), zenith, extra).tolist() == [
        False, True, False, True, False, False,
    ]  # fmt: skip
    assert not step_change(pd.Series([50, 640.0]), pd.Series([60.0, 89.0]), extra[:2]).any()


def test_a_constant_hour_is_stuck_and_an_overcast_one_is_not() -> None:
    frame = series_frame(bell(1, 15) + np.arange(96) / 10)
    frame.iloc[40:44] = 123.4
    assert flags(frame)["stuck"].to_numpy().nonzero()[0].tolist() == [40, 41, 42, 43]


def test_bits_that_the_files_name_are_flags_and_others_are_not() -> None:
    frame = series_frame(bell(1, 60), minutes=60)
    frame["quality_flag"] = pd.array([5, pd.NA] + [8] * 22, "Int32")
    frame.attrs["flags"] = {"quality_flag": {"masks": [1, 4], "meanings": ["sea", "bad"]}}
    found = flags(frame)
    assert found["flag_sea"].sum() == found["flag_bad"].sum() == 1
    assert found.dtypes.eq(bool).all()
    assert [c for c in found if c.startswith("flag_")] == ["flag_sea", "flag_bad"]


def test_the_diffuse_part_may_be_given_as_a_fraction() -> None:
    frame = series_frame(bell(1, 60), minutes=60).assign(fraction_diffuse=0.2)
    frame.loc[frame.index[12], "fraction_diffuse"] = 2.0
    found = flags(frame)
    assert found["dhi_above_possible"].to_numpy().nonzero()[0].tolist() == [12]


def test_several_points_are_judged_each_at_its_place() -> None:
    one = series_frame(bell(2, 30), minutes=30, point_id="one")
    two = series_frame(bell(2, 30), minutes=30, point_id="two", latitude=-30.0, longitude=25.0)
    both = together(two, one)
    found = flags(both)
    assert found.index.equals(both.index)
    for frame in (one, two):
        pd.testing.assert_frame_equal(found.loc[frame.attrs["point"]["point_id"]], flags(frame), check_freq=False)
    sky = clear_sky(both)
    pd.testing.assert_frame_equal(sky.loc["one"], clear_sky(one), check_freq=False)
    position = solar_position(both)
    pd.testing.assert_frame_equal(flags(both, position, clear=clear_sky(both, position=position)), found)


def test_the_fast_method_of_the_suns_place_is_near_the_exact_one() -> None:
    frame = series_frame(np.zeros(365 * 24), "2025-01-01", minutes=60)
    exact, fast = solar_position(frame), solar_position(frame, method="ephemeris")
    assert (exact["zenith"] - fast["zenith"]).abs().max() < 0.02
    light = exact["zenith"] < 90
    assert (exact["apparent_zenith"] - fast["apparent_zenith"])[light].abs().max() < 0.02
    with pytest.raises(DataError, match="nrel_numpy"):
        solar_position(frame, method="nrel")


def test_means_are_judged_at_their_middle_and_instants_where_they_were_seen() -> None:
    fine = series_frame(np.zeros(1440), minutes=1, offset=None)
    truth = clear_sky(fine)["ghi_clear"].to_numpy()
    errors = []
    for minutes in (15, 30, 60):
        mean = truth.reshape(-1, minutes).mean(axis=1)
        frame = series_frame(mean, minutes=minutes, offset=None)
        middle, label = clear_sky(frame)["ghi_clear"], clear_sky(frame, offset_seconds=0)["ghi_clear"]
        errors.append((np.abs(middle - mean).max(), np.abs(label - mean).max()))
    assert all(a < 12 and b > 5 * a for a, b in errors)
    assert [b for _, b in errors] == sorted(b for _, b in errors)
    seen = series_frame(np.zeros(96), offset=620.0)
    assert clear_sky(seen).attrs["offset_seconds"] == 620.0


def test_the_summary_tells_daylight_from_night() -> None:
    frame = series_frame(np.full(96, 20.0))
    position = solar_position(frame)
    summary = summarise_flags(flags(frame, position), position)
    night = int((position["zenith"] > 96).sum())
    assert summary.loc["night_nonzero", ["steps", "daylight_steps"]].tolist() == [night, 0]
    assert summary.loc["missing"].tolist() == [0, 0, 0]
    assert summary.loc["stuck", "share_of_daylight"] == pytest.approx(
        summary.loc["stuck", "daylight_steps"] / (position["zenith"] < 90).sum()
    )


def test_what_cannot_be_judged_is_refused() -> None:
    frame = series_frame(bell(1, 60), minutes=60)
    with pytest.raises(ColumnNotFoundError, match="no ghi"):
        flags(frame.rename(columns={"ghi": "dhi"}))
    with pytest.raises(DataError, match="no rows"):
        flags(frame.iloc[:0])
    with pytest.raises(DataError, match="place is not known"):
        flags(pd.DataFrame({"ghi": [1.0, 2.0]}, index=frame.index[:2]))
    with pytest.raises(ColumnNotFoundError, match="dhi"):
        diffuse_of(frame)
    with pytest.raises(ColumnNotFoundError, match="dni"):
        closure(frame.assign(dhi=1.0), pd.DataFrame({"zenith": 40.0}, index=frame.index))
