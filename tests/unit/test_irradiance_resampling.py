"""Means over longer steps: beside a plain loop, and what is refused."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import DataError
from datalake_kit.irradiance.judging.places import place_of
from datalake_kit.irradiance.judging.resampling import to_step
from tests.irradiance_frames import bell, series_frame, together, with_gaps


def _plain(series: pd.Series, minutes: int, needed: int) -> dict[pd.Timestamp, float]:
    """The mean of each step from the first to the last, value by value."""
    held: dict[pd.Timestamp, list[float]] = {}
    step = series.index[0].replace(minute=series.index[0].minute // minutes * minutes % 60)
    if minutes >= 60:
        step = step.replace(hour=step.hour // (minutes // 60) * (minutes // 60), minute=0)
    while step <= series.index[-1]:
        held[step] = []
        step += pd.Timedelta(minutes=minutes)
    starts = list(held)
    for time, value in series.items():
        start = max(s for s in starts if s <= time)
        if not math.isnan(value):
            held[start].append(value)
    return {s: sum(v) / len(v) if len(v) >= needed else math.nan for s, v in held.items()}


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.just(math.nan), st.floats(-4, 1500)), min_size=2, max_size=100),
    st.integers(0, 95),
    st.sampled_from([(30, 2), (60, 4), (120, 7), (360, 20)]),
    st.integers(0, 2**32),
)
def test_any_series_is_averaged_as_by_a_plain_loop(
    values: list[float], start: int, asked: tuple[int, int], absent: int
) -> None:
    minutes, needed = asked
    frame = series_frame(values, str(pd.Timestamp("2025-06-18") + start * pd.Timedelta("15min")))
    kept = np.random.default_rng(absent).random(len(frame)) < 0.9
    kept[:2] = True
    frame = frame[kept]
    before = frame.copy()
    result = to_step(frame, f"{minutes}min", enough=0.8)["ghi"]
    pd.testing.assert_frame_equal(frame, before)
    expected = _plain(frame["ghi"], minutes, needed)
    assert result.index.tolist() == list(expected)
    np.testing.assert_allclose(result, list(expected.values()), rtol=1e-12, atol=1e-12)


def test_measured_minutes_to_quarters_of_an_hour() -> None:
    file = Path(__file__).parents[1] / "data" / "irradiance" / "surfrad-slv16001.dat"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The inplace keyword")
        data, _ = pvlib.iotools.read_surfrad(str(file))
    minutes = data[["ghi", "dhi", "dni"]].rename_axis("time")
    quarters = to_step(minutes, "15min", enough=1)
    assert len(quarters) == 96
    assert quarters.index.freq == pd.Timedelta("15min")
    noon = minutes.loc["2016-01-01 19:00":"2016-01-01 19:14"]
    np.testing.assert_allclose(quarters.loc["2016-01-01 19:00"], noon.to_numpy().mean(axis=0))
    np.testing.assert_allclose(to_step(quarters, "1h"), to_step(minutes, "1h"))


@pytest.mark.parametrize(
    ("seen", "enough", "is_mean"), [(12, 0.8, True), (11, 0.8, False), (15, 1, True), (14, 1, False)]
)
def test_a_step_with_too_few_values_is_missing_and_keeps_its_row(seen: int, enough: float, is_mean: bool) -> None:
    values = np.full(45, 100.0)
    values[15 + seen : 30] = np.nan
    result = to_step(series_frame(values, minutes=1, offset=None), "15min", enough=enough)["ghi"]
    assert result.notna().tolist() == [True, is_mean, True]


def test_each_column_counts_its_own_values() -> None:
    frame = series_frame([100.0, 200.0]).assign(dhi=[50.0, np.nan])
    result = to_step(frame, "30min")
    assert result["ghi"].tolist() == [150.0]
    assert result["dhi"].isna().all()


def test_the_label_is_the_start_of_the_step_in_utc_wherever_the_times_come_from() -> None:
    frame = series_frame(np.arange(96.0))
    away = frame.tz_convert("Asia/Kolkata")
    pd.testing.assert_frame_equal(to_step(away, "1h"), to_step(frame, "1h"))
    result = to_step(frame.iloc[3:], "1h", enough=0.25)
    assert str(result.index.tz) == "UTC"
    assert result.index[0] == pd.Timestamp("2025-06-18", tz="UTC")
    assert result["ghi"].iloc[0] == 3.0
    assert to_step(frame, "1D")["ghi"].tolist() == [47.5]


def test_what_the_frame_says_of_itself_is_true_of_the_means() -> None:
    frame = series_frame(np.arange(8.0))
    frame.attrs |= {"units": {"ghi": "W m-2"}, "scan_uncertainty_seconds": 30.0}
    attrs = frame.copy().attrs
    result = to_step(frame, "1h")
    assert frame.attrs == attrs
    assert (result.attrs["step_seconds"], result.attrs["instantaneous"]) == (3600, False)
    assert result.attrs["averaged"] == {"from_step_seconds": [900.0], "from_instants": True, "enough": 0.8}
    assert place_of(result).offset_seconds == 1800
    assert place_of(result).altitude == 250
    assert "scan" not in str(result.attrs)
    assert (result.attrs["title"], result.attrs["units"]) == (attrs["title"], attrs["units"])
    assert not to_step(series_frame(np.arange(8.0), offset=None), "1h").attrs["averaged"]["from_instants"]


def test_what_has_no_mean_is_left_out_and_named() -> None:
    frame = series_frame(np.arange(4.0)).assign(
        quality_flag=pd.array([1, 2, None, 4], "Int32"), sky="clear", filled=True, azimuth=[350.0, 355.0, 5.0, 10.0]
    )
    frame["scanned"], frame["cloud_bits"], frame["count"] = frame.index, 3, pd.array([1, 2, 3, None], "Int32")
    frame.attrs["flags"] = {"cloud_bits": {"masks": [1], "meanings": ["cloudy"]}}
    result = to_step(frame, "1h", enough=0.75)
    assert list(result) == ["ghi", "count"]
    assert result.iloc[0].tolist() == [1.5, 2.0]
    assert result.attrs["left_out"] == ["quality_flag", "sky", "filled", "azimuth", "scanned", "cloud_bits"]
    with pytest.raises(DataError, match="No column has a mean; there are sky"):
        to_step(frame[["sky"]], "1h")


def test_the_fraction_is_that_of_the_mean_diffuse_part() -> None:
    frame = series_frame([100.0, 300.0, 0.0, 200.0, 0.0, 0.0, 0.0, 0.0])
    frame["fraction_diffuse"] = [1.0, 0.2, np.nan, 0.5, np.nan, 1.0, 1.0, 1.0]
    result = to_step(frame, "1h")
    assert list(result) == ["ghi", "fraction_diffuse"]
    assert result["fraction_diffuse"].iloc[0] == pytest.approx((100 + 60 + 0 + 100) / 600)
    assert np.isnan(result["fraction_diffuse"].iloc[1])
    assert result["ghi"].tolist() == [150.0, 0.0]
    some = to_step(frame.assign(fraction_diffuse=[1.0, np.nan, np.nan, 0.5] * 2), "1h", enough=0.75)
    assert some["fraction_diffuse"].iloc[0] == pytest.approx((100 + 0 + 100) / 300)
    alone = to_step(frame[["fraction_diffuse"]], "1h", enough=0.75)["fraction_diffuse"]
    assert alone.tolist() == [pytest.approx(1.7 / 3), 1.0]


def test_several_points_are_averaged_each_by_itself() -> None:
    one = series_frame(with_gaps(bell(2, 15), 1))
    two = series_frame(with_gaps(bell(1, 15), 2), "2025-06-17", point_id="there", latitude=60.0)
    frame = together(two, one)
    result = to_step(frame, "1h")
    assert result.index.names == ["point_id", "time"]
    assert result.index.get_level_values("point_id").unique().tolist() == ["there", "here"]
    for point, alone in (("here", one), ("there", two)):
        pd.testing.assert_frame_equal(result.loc[point], to_step(alone, "1h"), check_freq=False)
        assert result.attrs["points"][point]["latitude"] == alone.attrs["point"]["latitude"]
    assert "scan" not in str(result.attrs)


def test_a_point_of_one_row_has_the_step_that_the_frame_says() -> None:
    frame = series_frame([500.0])
    assert to_step(frame, "30min", enough=0.5)["ghi"].tolist() == [500.0]
    assert to_step(frame, "30min")["ghi"].isna().tolist() == [True]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("10min", "not longer than the present one of 0 days 00:15:00"),
        ("15min", "not longer"),
        ("20min", "no multiple"),
        ("7h", "does not divide a day"),
        ("2D", "does not divide a day"),
        ("-1h", "does not divide a day"),
        ("0h", "does not divide a day"),
        ("month", "no length of time"),
        (None, "does not divide a day"),
    ],
)
def test_steps_that_cannot_be_are_refused(step: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        to_step(series_frame(np.arange(8.0)), step)


def test_series_that_cannot_be_averaged_are_refused() -> None:
    frame = series_frame(np.arange(8.0))
    for enough in (0, -1, 1.1, math.nan):
        with pytest.raises(DataError, match="enough="):
            to_step(frame, "1h", enough=enough)
    with pytest.raises(DataError, match="no zone"):
        to_step(frame.tz_localize(None), "1h")
    with pytest.raises(DataError, match="2025-06-18 00:15:00\\+00:00 comes twice"):
        to_step(pd.concat([frame, frame.iloc[1:2]]), "1h")
    with pytest.raises(DataError, match="00:07:00\\+00:00 is no multiple of the step"):
        to_step(series_frame(np.arange(8.0), "2025-06-18 00:07"), "1h")
    for nothing in (frame.iloc[:0], together(frame).iloc[:0]):
        with pytest.raises(DataError, match="no values"):
            to_step(nothing, "1h")
