"""A series against a reference: aligned by the instant, judged beside loops that count."""

from __future__ import annotations

import lzma
import math
from dataclasses import FrozenInstanceError
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.deriving.comparing import compare
from datalake_kit.irradiance.deriving.distributions import distribution_distance
from datalake_kit.irradiance.judging.solar import solar_position
from tests.irradiance_frames import bell, series_frame, together, with_gaps

pytestmark = pytest.mark.filterwarnings("error")

STATION = {"point_id": "slv", "name": "San Luis Valley", "latitude": 37.70, "longitude": -105.92, "altitude": 2317.0}


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """A winter day in Colorado by the minute (SURFRAD): means over the minute."""
    path = Path(__file__).parents[1] / "data" / "irradiance" / "surfrad-slv16001.dat"
    raw = pd.read_csv(path, skiprows=2, sep=r"\s+", header=None, na_values=[-9999.9])
    return series_frame(raw[8], "2016-01-01", minutes=1, offset=None, **STATION)


@pytest.fixture(scope="module")
def typical() -> pd.DataFrame:
    """The PVGIS typical year as one year: instants 634 s after the hour."""
    packed = resources.files("datalake_kit") / "_demo_data/irradiance/pvgis_tmy_45.000_8.000_2005_2023.csv.xz"
    lines = lzma.decompress(packed.read_bytes()).decode().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("time(UTC)"))
    ghi = [float(line.split(",")[3]) for line in lines[first + 1 : first + 8761]]
    return series_frame(ghi, "2018-01-01", minutes=60, offset=634.0)


def changed(frame: pd.DataFrame, values: object) -> pd.DataFrame:
    result = frame.assign(ghi=values)
    result.attrs = frame.attrs
    return result


def test_a_series_against_itself_has_no_error(typical: pd.DataFrame, measured: pd.DataFrame) -> None:
    for frame in (typical, measured):
        found = compare(frame, frame)
        assert found.mbe == found.rmse == found.mae == found.ksi == found.over == 0
        assert found.correlation == pytest.approx(1)
        assert found.n + sum(found.left_out.values()) == len(frame)
        assert 0.4 < found.left_out["night"] / len(frame) < 0.65
        assert (found.pairs["value"] == found.pairs["reference"]).all()


def test_a_constant_shift_is_the_bias(typical: pd.DataFrame) -> None:
    found = compare(changed(typical, typical["ghi"] + 12.5), typical)
    assert found.mbe == pytest.approx(12.5)
    assert found.mae == pytest.approx(12.5)
    assert found.rmse == pytest.approx(12.5)
    assert found.mbe_percent == pytest.approx(100 * 12.5 / found.mean_reference)
    assert found.ksi == pytest.approx(12.5)
    assert compare(typical, changed(typical, typical["ghi"] + 12.5)).mbe == pytest.approx(-12.5)
    np.testing.assert_allclose(found.by_month["mbe"], 12.5)
    assert found.by_month["n"].sum() == found.by_hour["n"].sum() == found.n
    assert found.by_month.index[0] == pd.Timestamp("2018-01-01", tz="UTC")


@pytest.mark.parametrize("limit", [90.0, 75.0, None])
def test_the_numbers_are_those_of_a_loop(limit: float | None) -> None:
    rng = np.random.default_rng(2)
    truth = bell(6, 15) * rng.uniform(0.2, 1, 576)
    ours = series_frame(with_gaps(truth + rng.normal(5, 30, 576), 1), offset=620.0)
    theirs = series_frame(with_gaps(truth, 2), offset=620.0)
    flagged = pd.Series(rng.random(576) < 0.05, index=ours.index)
    found = compare(ours, theirs, zenith_limit=limit, flagged=flagged)
    zenith = solar_position(
        pd.DatetimeIndex(ours.index), 45.0, 8.0, altitude=0.0, offset_seconds=620.0
    )["zenith"]  # fmt: skip
    left, errors, values, references = dict.fromkeys(found.left_out, 0), [], [], []
    for moment in ours.index:
        value, reference = ours.at[moment, "ghi"], theirs.at[moment, "ghi"]
        if limit is not None and zenith[moment] >= limit:
            left["night"] += 1
        elif math.isnan(value) and math.isnan(reference):
            left["missing_in_both"] += 1
        elif math.isnan(value):
            left["missing_in_series"] += 1
        elif math.isnan(reference):
            left["missing_in_reference"] += 1
        elif flagged[moment]:
            left["flagged"] += 1
        else:
            errors.append(value - reference)
            values.append(value)
            references.append(reference)
    assert found.left_out == left
    assert all(left[r] for r in left if r != "night") or limit == 75.0
    assert found.n == len(errors)
    assert found.mbe == pytest.approx(sum(errors) / len(errors))
    assert found.mae == pytest.approx(sum(map(abs, errors)) / len(errors))
    assert found.rmse == pytest.approx(math.sqrt(sum(e * e for e in errors) / len(errors)))
    assert found.correlation == pytest.approx(pd.Series(values).corr(pd.Series(references)))
    noon = [e for e, h in zip(errors, found.pairs.index.hour, strict=True) if h == 12]
    assert found.by_hour.loc[12, "mbe"] == pytest.approx(sum(noon) / len(noon))
    assert found.by_hour.loc[12, "rmse"] == pytest.approx(math.sqrt(sum(e * e for e in noon) / len(noon)))
    assert found.to_dict()["n"] == found.n


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 120), coarse=st.booleans())
def test_ksi_is_the_area_between_the_distributions(seed: int, count: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0, 900, count), rng.uniform(50, 1000, count)
    if coarse:  # many values alike
        first, second = first // 200 * 200, second // 200 * 200
    found = distribution_distance(first, second)
    # a Riemann sum on a fine grid, by counting at every place
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    grid = np.linspace(low, high, 20001)[:-1] + (high - low) / 40000
    gap = np.array([abs((first <= x).mean() - (second <= x).mean()) for x in grid[::10]])
    area = gap.mean() * (high - low)
    assert found.ksi == pytest.approx(area, rel=0.01, abs=0.5)
    if count < 35:
        assert math.isnan(found.ksi_percent)
        return
    critical = 1.63 / math.sqrt(count)
    assert found.ksi_percent == pytest.approx(100 * area / (critical * (high - low)), rel=0.02, abs=1)
    over = np.clip(gap - critical, 0, None).mean() * (high - low)
    assert found.over == pytest.approx(over, rel=0.02, abs=0.5)
    assert found.over <= found.ksi


def test_values_that_never_vary_are_compared_all_the_same() -> None:
    frame = series_frame(np.full(96, 100.0))
    found = compare(changed(frame, 100.0), frame, zenith_limit=None)
    assert math.isnan(found.correlation)
    assert found.ksi_percent == 0
    dark = compare(changed(frame, 3.0), changed(frame, 0.0), zenith_limit=None)
    assert math.isnan(dark.mbe_percent)


def test_minutes_become_means_around_the_instant_that_the_satellite_saw(measured: pd.DataFrame) -> None:
    ramp = changed(measured, np.arange(1440.0))  # the mean of a window is the middle of the window
    for offset in (0.0, 450.0, 630.0):
        seen = series_frame(np.full(96, 0.0), "2016-01-01", offset=offset, **STATION)
        found = compare(seen, ramp, zenith_limit=None)
        inner = found.pairs["reference"].iloc[2:-2]
        minutes = (inner.index - inner.index[0].normalize()) / pd.Timedelta(minutes=1)
        # a minute's number is half a minute before its middle; windows hold 15 whole minutes
        np.testing.assert_allclose(inner + 0.5, minutes + offset / 60, atol=0.5)
        assert found.step == pd.Timedelta("15min")
        assert "around the instants" in found.rule


def test_a_degraded_day_is_near_the_measured_one(measured: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    hour = measured["ghi"].resample("15min").mean()
    coarse = series_frame(hour + rng.normal(3, 10, 96), "2016-01-01", offset=None, **STATION)
    found = compare(coarse, measured)
    assert 30 < found.n < 45
    assert found.mbe == pytest.approx(3, abs=5)
    assert found.rmse == pytest.approx(10.4, abs=3)
    assert "over the steps of" in found.rule
    np.testing.assert_allclose(found.pairs["reference"], hour[found.pairs.index])
    back = compare(measured, coarse)
    assert back.mbe == pytest.approx(-found.mbe)
    assert back.n == found.n


def test_instants_of_two_products_are_paired_without_a_mean(typical: pd.DataFrame) -> None:
    fine = series_frame(np.repeat(np.arange(48.0), 4) + np.tile([0.0, 50, 50, 50], 48), "2018-01-01", offset=620.0)
    found = compare(fine, typical, zenith_limit=None)
    assert found.step == pd.Timedelta("1h")
    assert found.pairs["value"].tolist() == list(range(48))
    assert "14 s apart" in compare(typical, series_frame(np.ones(48), "2018-01-01", minutes=60, offset=620.0)).rule


def test_a_longer_step_makes_means_of_both(measured: pd.DataFrame) -> None:
    coarse = series_frame(measured["ghi"].resample("15min").mean(), "2016-01-01", offset=None, **STATION)
    found = compare(coarse, measured, step="1h")
    expected = measured["ghi"].resample("1h").mean()
    np.testing.assert_allclose(found.pairs["value"], expected[found.pairs.index])
    np.testing.assert_allclose(found.pairs["reference"], expected[found.pairs.index])
    assert found.step == pd.Timedelta("1h")


def test_a_mean_needs_enough_of_its_values(measured: pd.DataFrame) -> None:
    coarse = series_frame(measured["ghi"].resample("15min").mean(), "2016-01-01", offset=None, **STATION)
    gappy = measured["ghi"].copy()
    gappy.iloc[1080:1083] = np.nan  # three minutes of fifteen
    reference = changed(measured, gappy)
    assert compare(coarse, reference).left_out["missing_in_reference"] == 1
    assert compare(coarse, reference, enough=0.8).left_out["missing_in_reference"] == 0


def test_a_flagged_minute_leaves_its_step_out(measured: pd.DataFrame) -> None:
    coarse = series_frame(measured["ghi"].resample("15min").mean(), "2016-01-01", offset=None, **STATION)
    flagged = pd.Series(False, index=measured.index)
    flagged.iloc[1085] = True
    assert compare(measured, coarse, flagged=flagged).left_out["flagged"] == 1
    with pytest.raises(DataError, match="not on the index"):
        compare(measured, coarse, flagged=flagged.iloc[1:])


def test_what_cannot_be_compared_is_an_error_in_words(typical: pd.DataFrame, measured: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"do not overlap: .*2018.*2016"):
        compare(typical, measured)
    with pytest.raises(DataError, match="no zone"):
        compare(typical.tz_localize(None), typical)
    with pytest.raises(ColumnNotFoundError, match="dhi"):
        compare(typical, typical, "dhi")
    with pytest.raises(DataError, match="select_point"):
        compare(together(typical, series_frame(bell(365, 60), "2018-01-01", minutes=60, point_id="b")), typical)
    with pytest.raises(DataError, match="shorter than the coarser"):
        compare(typical, typical, step="15min")
    ten = series_frame(bell(1, 10), minutes=10)
    with pytest.raises(DataError, match="does not divide"):
        compare(series_frame(bell(1, 15)), ten)
    assert compare(series_frame(bell(1, 15)), ten, step="30min").step == pd.Timedelta("30min")
    late = series_frame(bell(1, 60), "2025-06-18 00:30", minutes=60, offset=None)
    with pytest.raises(DataError, match="begin at different times"):
        compare(series_frame(bell(1, 60), minutes=60, offset=None), late)
    night = series_frame(np.zeros(8), "2025-06-18 22:00")
    with pytest.raises(DataError, match="Nothing is left to compare of 8 steps that both cover: 8 night"):
        compare(night, night)
    placeless = series_frame(bell(1, 15))
    placeless.attrs = {"step_seconds": 900}
    with pytest.raises(DataError, match="place is not known"):
        compare(placeless, placeless)
    assert compare(placeless, placeless, latitude=45.0, longitude=8.0).n > 50
    assert compare(placeless, placeless, zenith_limit=None).n == 96


def test_the_text_says_the_numbers_and_the_page_is_escaped(typical: pd.DataFrame) -> None:
    named = changed(typical, typical["ghi"] * 1.1)
    named.attrs = typical.attrs | {"point": typical.attrs["point"] | {"name": "<b>Turin</b> & co"}}
    found = compare(named, typical)
    text = str(found)
    assert f"{found.mbe:.1f} W/m2 ({found.mbe_percent:.1f} % of the reference's mean)" in text
    assert f"{found.n:,}" in text
    assert f"{found.left_out['night']:,} night" in text
    assert found.mbe_percent == pytest.approx(10, abs=0.1)
    page = found.to_html()
    assert "<b>Turin" not in page
    assert "&lt;b&gt;Turin&lt;/b&gt; &amp; co" in page
    assert f"{found.by_hour.loc[12, 'mbe']:.1f}" in page
    assert found._repr_html_() == page
    assert "Comparison ghi" in repr(found)
    assert "0.0 km apart" in text
    north = changed(typical, typical["ghi"])
    north.attrs = typical.attrs | {"point": typical.attrs["point"] | {"latitude": 46.0}}
    assert compare(north, typical).distance_km == pytest.approx(111.2, abs=0.1)
    east = changed(typical, typical["ghi"])
    east.attrs = typical.attrs | {"point": typical.attrs["point"] | {"longitude": 9.0}}
    assert compare(typical, east).distance_km == pytest.approx(78.6, abs=0.1)
    with pytest.raises(FrozenInstanceError):
        found.mbe = 0.0  # type: ignore[misc]


def test_inputs_are_left_as_they_were(measured: pd.DataFrame) -> None:
    before = measured.copy()
    compare(measured, measured, step="1h")
    pd.testing.assert_frame_equal(measured, before)
