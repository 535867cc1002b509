"""The sun, the clear sky and the flags: against pvlib's documented values and a measured day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datalake_kit.errors import DataError
from datalake_kit.irradiance import (
    above_limit,
    clear_sky,
    clear_sky_index,
    flags,
    named_bits,
    night_nonzero,
    solar_position,
    sun_times,
)

pytestmark = pytest.mark.filterwarnings("error")


def test_the_suns_place_is_the_published_one() -> None:
    # Reda and Andreas (2008), the example of their algorithm: topocentric zenith 50.11162, azimuth 194.34024 degrees
    time = pd.DatetimeIndex(["2003-10-17 19:30:30"], tz="UTC")
    position = solar_position(time, 39.742476, -105.1786, altitude=1830.14)
    assert position["apparent_zenith"].iloc[0] == pytest.approx(50.11162, abs=0.001)
    assert position["azimuth"].iloc[0] == pytest.approx(194.34024, abs=0.001)


def test_the_clear_sky_is_ineichen_and_perez_as_written() -> None:
    # Ineichen and Perez (2002): cg1 I0 cos(z) exp(-cg2 AM (fh1 + fh2 (TL - 1))), written out for the sea and TL = 3
    times = pd.date_range("2025-06-18", periods=24, freq="1h", tz="UTC")
    position = solar_position(times, 45.0, 8.0)
    cosine = np.cos(np.radians(position["apparent_zenith"]))
    air_mass = 1 / (cosine + 0.50572 * (96.07995 - position["apparent_zenith"]) ** -1.6364)
    by_hand = (0.868 * position["dni_extra"] * cosine * np.exp(-0.0387 * air_mass * 3)).where(cosine > 0, 0.0)
    sky = clear_sky(times, 45.0, 8.0, turbidity=3.0)
    np.testing.assert_allclose(sky["ghi_clear"], by_hand, atol=0.05)
    said = {"altitude": 0.0, "altitude_known": False, "offset_seconds": 0.0}
    assert sky.attrs == {"model": "Ineichen/Perez with the Linke turbidity 3"} | said
    assert "climatology" in clear_sky(times, 45.0, 8.0).attrs["model"]


def test_the_offset_moves_the_instant_and_not_the_label() -> None:
    times = pd.date_range("2025-06-18", periods=96, freq="15min", tz="UTC")
    late = clear_sky(times, 45.0, 8.0, offset_seconds=900)
    assert late.index.equals(times)
    np.testing.assert_allclose(
        late["ghi_clear"].iloc[:-1], clear_sky(times, 45.0, 8.0)["ghi_clear"].iloc[1:], rtol=1e-9
    )


def test_a_frame_brings_its_place_along() -> None:
    frame = pd.DataFrame({"ghi": 1.0}, index=pd.date_range("2025-06-18", periods=4, freq="3h", tz="UTC"))
    frame.attrs["point"] = {"latitude": 45.0, "longitude": 8.0, "scan_offset_seconds": 620.0}
    expected = clear_sky(pd.DatetimeIndex(frame.index), 45.0, 8.0, offset_seconds=620.0)
    pd.testing.assert_frame_equal(clear_sky(frame), expected)
    with pytest.raises(DataError, match="place is not known"):
        clear_sky(pd.DatetimeIndex(frame.index))
    with pytest.raises(DataError, match="no zone"):
        clear_sky(frame.index.tz_localize(None), 45.0, 8.0)
    with pytest.raises(DataError, match="several points"):
        clear_sky(pd.concat({"a": frame}, names=["point_id"]), 45.0, 8.0)


def test_clear_sky_index_needs_light() -> None:
    index = clear_sky_index(pd.Series([10.0, 500.0, np.nan]), pd.Series([15.0, 1000.0, 1000.0]))
    np.testing.assert_array_equal(index, [np.nan, 0.5, np.nan])


@pytest.mark.parametrize("day", ["2025-03-20", "2025-06-21", "2025-12-21"])
@pytest.mark.parametrize(("latitude", "longitude"), [(45.0, 8.0), (-28.4, 21.3), (59.9, 17.6)])
def test_sunrise_is_near_that_of_the_exact_algorithm(day: str, latitude: float, longitude: float) -> None:
    from pvlib.solarposition import sun_rise_set_transit_spa

    days = pd.DatetimeIndex([day], tz="UTC")
    exact = sun_rise_set_transit_spa(days, latitude, longitude)
    ours = sun_times(days, latitude, longitude)
    for name in ("sunrise", "sunset"):
        assert abs(ours[name].iloc[0] - exact[name].iloc[0]) < pd.Timedelta(minutes=3.5)


def test_polar_night_and_day_have_no_sunrise() -> None:
    days = pd.DatetimeIndex(["2025-06-21", "2025-12-21"], tz="UTC")
    assert sun_times(days, 75.0, 20.0).isna().all(axis=None)


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """One measured winter day in Colorado, by the minute (SURFRAD): global, diffuse and the station's own zenith."""
    path = Path(__file__).parents[1] / "data" / "irradiance" / "surfrad-slv16001.dat"
    raw = pd.read_csv(path, skiprows=2, sep=r"\s+", header=None, na_values=[-9999.9])
    parts = raw[[0, 2, 3, 4, 5]].set_axis(["year", "month", "day", "hour", "minute"], axis=1)
    index = pd.DatetimeIndex(pd.to_datetime(parts), name="time").tz_localize("UTC")
    columns = {"ghi": raw[8].to_numpy(), "dhi": raw[14].to_numpy(), "zenith": raw[7].to_numpy()}
    return pd.DataFrame(columns, index=index)


def test_the_suns_zenith_agrees_with_a_ground_station(measured: pd.DataFrame) -> None:
    position = solar_position(pd.DatetimeIndex(measured.index), 37.70, -105.92, altitude=2317)
    # the station states its place and angles to two decimals; near the horizon refraction differs from model to model
    high = measured["zenith"] < 85
    assert (position["apparent_zenith"] - measured["zenith"])[high].abs().max() < 0.2


def test_a_measured_day_breaks_no_physical_limit(measured: pd.DataFrame) -> None:
    position = solar_position(pd.DatetimeIndex(measured.index), 37.70, -105.92, altitude=2317)
    found = flags(measured, position)
    assert not found["ghi_above_possible"].any()
    assert not found["dhi_above_possible"].any()
    assert not found["night_nonzero"].any()
    spoiled = measured.assign(ghi=measured["ghi"].where(position["zenith"] < 100, 80.0))
    spoiled.iloc[1200, 0] = 2500.0
    again = flags(spoiled, position)
    assert again["ghi_above_possible"].sum() >= 1
    assert again["night_nonzero"].any()


def test_flags_do_not_change_their_input_and_nan_is_missing_only(measured: pd.DataFrame) -> None:
    position = solar_position(pd.DatetimeIndex(measured.index), 37.70, -105.92)
    gap = measured.assign(ghi=np.nan)
    before = gap.copy()
    found = flags(gap, position)
    pd.testing.assert_frame_equal(gap, before)
    assert found["missing"].all()
    assert not found[["night_nonzero", "ghi_below_possible", "ghi_above_possible", "ghi_above_rare"]].any(axis=None)


def test_limits_and_bits_that_do_not_exist_are_errors() -> None:
    series = pd.Series([1.0])
    with pytest.raises(ValueError, match="No limit"):
        above_limit(series, series, series, component="bhi")
    with pytest.raises(ValueError, match="needs one of both"):
        named_bits(pd.Series([1]), [1, 2], ["sea"])
    bits = named_bits(pd.Series([3, None], dtype="Int32"), [1, 4], ["sea", "night"])
    assert bits["sea"].tolist() == [True, pd.NA]
    assert night_nonzero(pd.Series([10.0]), pd.Series([95.0])).tolist() == [False]  # twilight is no night
