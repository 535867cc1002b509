"""The figures of a site, each beside a loop that counts: months, typical days, duration, variability, ramps, planes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.deriving.exceedance import exceedance
from datalake_kit.irradiance.deriving.plane import plane_of_array
from datalake_kit.irradiance.deriving.profiles import duration, monthly, typical_day
from datalake_kit.irradiance.deriving.variability import ramps, variability
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from tests.irradiance_frames import bell, series_frame, together, with_gaps

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """A winter day in Colorado by the minute (SURFRAD): means over the minute."""
    path = Path(__file__).parents[1] / "data" / "irradiance" / "surfrad-slv16001.dat"
    raw = pd.read_csv(path, skiprows=2, sep=r"\s+", header=None, na_values=[-9999.9])
    station = {"latitude": 37.70, "longitude": -105.92, "altitude": 2317.0}
    frame = series_frame(raw[8], "2016-01-01", minutes=1, offset=None, **station)
    frame["dhi"], frame["dni"] = raw[14].to_numpy(), raw[12].to_numpy()
    return frame


class TestMonthly:
    def test_it_is_the_days_put_together(self) -> None:
        values = with_gaps(bell(75, 30), 4, 0.08) * np.repeat(np.random.default_rng(1).uniform(0.1, 1, 75), 48)
        frame = series_frame(values, "2024-01-20", minutes=30)
        found, days = monthly(frame), energy(frame)
        assert found.index.strftime("%Y-%m").tolist() == ["2024-01", "2024-02", "2024-03", "2024-04"]
        assert found["days"].tolist() == [31, 29, 31, 30]
        for month, row in found.iterrows():
            held = days[(days.index.year == month.year) & (days.index.month == month.month)]
            complete = held.loc[held["complete"], "energy"]
            assert row["energy"] == pytest.approx(held["energy"].sum())
            assert row["days_complete"] == len(complete)
            assert row["mean_daily"] == pytest.approx(complete.mean())
            for share in (10, 25, 50, 75, 90):
                assert row[f"p{share}"] == pytest.approx(np.percentile(complete, share))
        assert not found["complete"].iloc[0]
        assert 0 < found["days_complete"].iloc[1] < 29  # gaps make some days incomplete

    def test_several_points_and_solar_days(self) -> None:
        one = series_frame(bell(40, 60), "2025-01-25", minutes=60)
        two = series_frame(bell(40, 60) / 2, "2025-01-25", minutes=60, point_id="b", longitude=-80.0)
        both = monthly(together(one, two), days="solar")
        for frame in (one, two):
            alone = monthly(frame, days="solar")
            part = both.loc[frame.attrs["point"]["point_id"]]
            pd.testing.assert_frame_equal(part.loc[alone.index], alone, check_freq=False)
        assert both.attrs["units"]["energy"] == "kWh/m2 per month"

    def test_a_month_without_a_complete_day_has_no_spread(self) -> None:
        found = monthly(series_frame(np.full(96, np.nan)))
        assert found["days_complete"].tolist() == [0]
        assert found[["energy", "mean_daily", "p50"]].isna().all(axis=None)


class TestTypicalDay:
    @pytest.mark.parametrize("tz", ["UTC", "Europe/Rome", "Asia/Kolkata"])
    @pytest.mark.parametrize("minutes", [15, 60])
    def test_it_is_what_a_loop_finds(self, tz: str, minutes: int) -> None:
        frame = series_frame(with_gaps(bell(60, minutes), 2, 0.4), "2025-03-10", minutes=minutes)
        found = typical_day(frame, tz=tz, percentiles=(5, 50))
        local = frame.index.tz_convert(tz)
        held: dict[tuple[int, float], list[float]] = {}
        for moment, value in zip(local, frame["ghi"], strict=True):
            held.setdefault((moment.month, moment.hour + moment.minute / 60), []).append(value)
        assert sorted(held) == [(m, h) for m, h in found.index]
        for key, row in zip(found.index, found.itertuples(), strict=True):
            values = [v for v in held[key] if not math.isnan(v)]
            assert row.count == len(values)
            assert row.mean == pytest.approx(np.mean(values))
            assert row.p5 == pytest.approx(np.percentile(values, 5))
            assert row.p50 == pytest.approx(np.percentile(values, 50))

    def test_several_points_and_hours_that_were_never_seen(self) -> None:
        unseen = np.tile(np.r_[bell(1, 60)[:12], [np.nan] * 12], 3)
        one, two = series_frame(bell(3, 60), minutes=60), series_frame(unseen, minutes=60, point_id="b")
        both = typical_day(together(one, two))
        assert both.index.names == ["point_id", "month", "hour"]
        pd.testing.assert_frame_equal(both.loc["b"], typical_day(two))
        assert both.loc[("b", 6, 13.0), "count"] == 0
        assert both.loc[("b", 6, 13.0), ["mean", "p10", "p90"]].isna().all()

    def test_arguments_that_mean_nothing_are_errors(self) -> None:
        with pytest.raises(DataError, match="Europe/Rome"):
            typical_day(series_frame(bell(1, 60), minutes=60), tz="Europe/Rom")
        with pytest.raises(DataError, match="0 to 100"):
            typical_day(series_frame(bell(1, 60), minutes=60), percentiles=(190,))


class TestDuration:
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 99), count=st.integers(2, 300), minutes=st.sampled_from([1, 10, 60]))
    def test_it_is_what_a_loop_finds(self, seed: int, count: int, minutes: int) -> None:
        values = with_gaps(np.random.default_rng(seed).integers(0, 900, count).astype(float), seed, 0.3)
        found = duration(series_frame(values, minutes=minutes))
        expected = sorted((v for v in values.tolist() if not math.isnan(v)), reverse=True)
        assert found["value"].tolist() == expected
        for rank, row in zip(found.index, found.itertuples(), strict=True):
            assert row.share == pytest.approx(rank / len(expected))
            assert row.hours == pytest.approx(rank * minutes / 60)
        assert found.attrs["missing_share"] == pytest.approx(1 - len(expected) / count)

    def test_several_points(self) -> None:
        one, two = series_frame([5.0, np.nan, 7.0]), series_frame([np.nan] * 3, point_id="b")
        both = duration(together(one, two))
        assert both.loc["here", "value"].tolist() == [7.0, 5.0]
        assert both.index.names == ["point_id", "rank"]
        assert both.attrs["missing_share"] == pytest.approx({"here": 1 / 3, "b": 1.0})
        assert duration(two).empty


class TestExceedance:
    def test_of_a_normal_distribution_both_ways_agree(self) -> None:
        rng = np.random.default_rng(5)
        years = pd.date_range("1700-01-01", periods=300, freq="YS", tz="UTC", name="year")
        yearly = pd.DataFrame({"energy": rng.normal(1500, 60, 300), "complete": True}, index=years)
        found = exceedance(yearly, (50, 75, 90, 99))
        np.testing.assert_allclose(found["empirical"], found["normal"], atol=15)
        np.testing.assert_allclose(found["normal"], [1500, 1459.5, 1423.1, 1360.4], atol=12)
        assert (yearly["energy"] > found.loc[90.0, "empirical"]).mean() == pytest.approx(0.9, abs=0.005)

    def test_incomplete_years_do_not_count(self) -> None:
        years = pd.date_range("2010-01-01", periods=12, freq="YS", tz="UTC", name="year")
        yearly = pd.DataFrame({"energy": np.arange(1500.0, 1512), "complete": True}, index=years)
        yearly.loc[years[-1]] = [3.0, False]
        found = exceedance(yearly)
        assert found["years"].tolist() == [11, 11]
        assert found["mean"].iloc[0] == 1505.0
        assert found["deviation"].iloc[0] == pytest.approx(np.std(np.arange(11.0), ddof=1))
        assert found["deviation_percent"].iloc[0] == pytest.approx(found["deviation"].iloc[0] / 15.05)
        assert "note" not in found.attrs

    def test_too_few_years_tell_no_probability_and_say_why(self) -> None:
        years = pd.date_range("2010-01-01", periods=4, freq="YS", tz="UTC", name="year")
        yearly = pd.DataFrame({"energy": [1500.0, 1510, 1520, 1530], "complete": True}, index=years)
        found = exceedance(yearly)
        assert found[["empirical", "normal"]].isna().all(axis=None)
        assert found["mean"].tolist() == [1515.0, 1515.0]
        assert "complete years: 4; fewer than 10" in found.attrs["note"]
        asked = exceedance(yearly, (50, 80, 90), fewest=4)
        assert asked["empirical"].tolist()[:2] == [1515.0, 1500.0]
        assert np.isnan(asked["empirical"].iloc[2])  # four years do not show it
        assert asked["normal"].notna().all()
        none = exceedance(yearly.assign(complete=False))
        assert none["years"].tolist() == [0, 0]
        assert none["mean"].isna().all()

    def test_several_points_and_years_of_the_kit(self) -> None:
        one, two = (series_frame(bell(30, 60), "2024-12-20", minutes=60, point_id=p) for p in "ab")
        found = exceedance(energy(together(one, two), "year"))
        assert found.index.names == ["point_id", "probability"]
        assert found["years"].tolist() == [0, 0, 0, 0]

    def test_what_is_no_frame_of_years_is_an_error(self) -> None:
        days = energy(series_frame(bell(2, 60), minutes=60))
        with pytest.raises(DataError, match="frame of years"):
            exceedance(days)
        years = energy(series_frame(bell(2, 60), minutes=60), "year")
        for wrong in ((0.9,), (), (100,)):
            if wrong != (0.9,):
                with pytest.raises(DataError, match="per cent"):
                    exceedance(years, wrong)
        with pytest.raises(DataError, match="two years"):
            exceedance(years, fewest=1)


class TestVariability:
    def test_a_clear_day_is_one_and_a_grey_one_is_overcast(self) -> None:
        times = pd.date_range("2025-06-18", periods=288, freq="15min", tz="UTC")
        sky = clear_sky(times, 45.0, 8.0, altitude=250.0, offset_seconds=620.0)["ghi_clear"].to_numpy()
        values = np.r_[sky[:96], sky[96:192] * 0.25, sky[192:] * np.tile([1.0, 0.2], 48)]
        found = variability(series_frame(values))
        assert found["day_class"].tolist() == ["clear", "overcast", "high"]
        assert found["variability_index"].iloc[0] == pytest.approx(1)
        np.testing.assert_allclose(found["clear_sky_index"], [1, 0.25, 0.6], atol=0.01)
        assert found["coverage"].tolist() == pytest.approx([1, 1, 1])

    @pytest.mark.parametrize("minutes", [1, 15, 60])
    def test_it_is_what_a_loop_finds(self, minutes: int) -> None:
        rng = np.random.default_rng(3)
        count = 3 * 1440 // minutes
        clear = bell(3, minutes, 1000.0)
        frame = series_frame(with_gaps(clear * rng.uniform(0.2, 1, count), 3, 0.1), minutes=minutes, offset=None)
        frame["ghi_clear"] = clear
        found = variability(frame)
        for number, row in enumerate(found.itertuples()):
            own = ideal = light = sky = whole = 0.0
            for k in range(number * count // 3, (number + 1) * count // 3):
                value = frame["ghi"].iloc[k]
                whole += clear[k] if clear[k] >= 20 else 0
                if clear[k] < 20 or math.isnan(value):
                    continue
                light, sky = light + value, sky + clear[k]
                before = frame["ghi"].iloc[k - 1] if k else math.nan
                if clear[k - 1] >= 20 and not math.isnan(before):
                    own += math.hypot(value - before, minutes)
                    ideal += math.hypot(clear[k] - clear[k - 1], minutes)
            assert row.variability_index == pytest.approx(own / ideal)
            assert row.clear_sky_index == pytest.approx(light / sky)
            assert row.coverage == pytest.approx(sky / whole)

    def test_polar_night_and_gaps_have_no_class(self) -> None:
        night = variability(series_frame(np.zeros(96), "2025-12-20", latitude=75.0))
        assert night["day_class"].isna().all()
        assert night[["variability_index", "clear_sky_index", "coverage"]].isna().all(axis=None)
        gap = variability(series_frame(np.full(96, np.nan)))
        assert gap["day_class"].isna().all()
        assert gap["coverage"].tolist() == [0.0]

    def test_several_points_and_a_measured_day(self, measured: pd.DataFrame) -> None:
        one = series_frame(bell(2, 60), minutes=60)
        two = series_frame(bell(2, 60) / 3, minutes=60, point_id="b", latitude=-30.0)
        both = variability(together(one, two), days="solar")
        alone = variability(two, days="solar")
        pd.testing.assert_frame_equal(both.loc["b"], alone, check_freq=False)
        day = variability(measured, days="solar").dropna()
        assert 0.5 < day["clear_sky_index"].iloc[-1] < 1.1


class TestRamps:
    @pytest.mark.parametrize("minutes", [1, 15])
    def test_they_are_what_a_loop_finds(self, minutes: int) -> None:
        rng = np.random.default_rng(8)
        clear = bell(1, minutes, 1000.0)
        frame = series_frame(with_gaps(clear * rng.uniform(0.1, 1, len(clear)), 8, 0.1), minutes=minutes)
        frame["ghi_clear"] = clear
        found = ramps(frame, (minutes, 4 * minutes), threshold=150, index_threshold=0.3)
        for lag, row in zip((1, 4), found.to_dict("records"), strict=True):
            sizes, relative = [], []
            for k in range(lag, len(clear)):
                now, before = frame["ghi"].iloc[k], frame["ghi"].iloc[k - lag]
                if min(clear[k], clear[k - lag]) >= 20 and not math.isnan(now - before):
                    sizes.append(abs(now - before))
                    relative.append(abs(now / clear[k] - before / clear[k - lag]))
            assert row["changes"] == len(sizes) > 20
            assert row["above"] == sum(s > 150 for s in sizes) > 0
            assert row["index_above"] == sum(s > 0.3 for s in relative) > 0
            for name, values in (("", sizes), ("index_", relative)):
                assert row[f"{name}largest"] == pytest.approx(max(values))
                for share in (50, 90, 95, 99):
                    assert row[f"{name}p{share}"] == pytest.approx(np.percentile(values, share))

    def test_under_a_clear_sky_the_index_does_not_move(self) -> None:
        times = pd.date_range("2025-06-18", periods=96, freq="15min", tz="UTC")
        sky = clear_sky(times, 45.0, 8.0, altitude=250.0, offset_seconds=620.0)["ghi_clear"]
        found = ramps(series_frame(sky))
        assert found.loc[60, "largest"] > 150
        assert found["index_largest"].max() < 1e-9

    def test_several_points_and_what_cannot_be(self) -> None:
        one, two = series_frame(bell(1, 15)), series_frame(bell(1, 15), point_id="b", longitude=50.0)
        both = ramps(together(one, two))
        assert both.index.tolist() == [("here", 15), ("here", 60), ("b", 15), ("b", 60)]
        pd.testing.assert_frame_equal(both.loc["b"], ramps(two))
        with pytest.raises(DataError, match="multiples of the step"):
            ramps(one, (20,))
        empty = ramps(one, (2880,))
        assert empty["changes"].tolist() == [0]
        assert empty["largest"].isna().all()


class TestPlane:
    @pytest.mark.parametrize("model", ["isotropic", "haydavies", "reindl", "perez"])
    def test_it_is_pvlibs_with_the_sun_at_the_instant_that_counts(self, model: str) -> None:
        import pvlib

        frame = series_frame(bell(1, 15))
        frame["dhi"] = frame["ghi"] * 0.3
        found = plane_of_array(frame, 30, 170, model=model, albedo=0.25)
        sun = solar_position(
            pd.DatetimeIndex(frame.index), 45.0, 8.0, altitude=250.0, offset_seconds=620.0
        )  # fmt: skip
        zenith = sun["apparent_zenith"]
        dni = (frame["ghi"] - frame["dhi"]) / np.cos(np.radians(zenith))
        expected = pvlib.irradiance.get_total_irradiance(
            30, 170, zenith, sun["azimuth"], dni, frame["ghi"], frame["dhi"], dni_extra=sun["dni_extra"],
            airmass=pvlib.atmosphere.get_relative_airmass(zenith), albedo=0.25, model=model,
        )  # fmt: skip
        high = zenith < 88
        assert high.sum() > 50
        for column in ("poa_global", "poa_direct", "poa_diffuse"):
            np.testing.assert_allclose(found[column][high], expected[column][high], rtol=1e-9)

    def test_a_plane_that_lies_flat_sees_ghi(self, measured: pd.DataFrame) -> None:
        frame = measured[["ghi", "dhi"]].copy()
        frame.attrs = measured.attrs
        found = plane_of_array(frame, 0, 180, albedo=0.7)
        light = frame["ghi"] > 1
        np.testing.assert_allclose(found["poa_global"][light], frame["ghi"][light], rtol=1e-6)
        np.testing.assert_allclose(found["poa_global"], found["poa_direct"] + found["poa_diffuse"])
        np.testing.assert_allclose(
            found["poa_diffuse"], found["poa_sky_diffuse"] + found["poa_ground_diffuse"], atol=1e-9
        )

    def test_on_either_half_of_the_globe_the_plane_looks_at_the_equator(self) -> None:
        for latitude, day, azimuth in ((45.0, "2025-12-21", 180), (-45.0, "2025-06-21", 0)):
            frame = series_frame(bell(1, 15) / 3, day, latitude=latitude, longitude=0.0)
            frame["dhi"] = frame["ghi"] * 0.2
            towards, away = (
                energy(plane_of_array(frame, 45, a), column="poa_global")["energy"].iloc[0]
                for a in (azimuth, 180 - azimuth)
            )
            assert towards > 1.5 * away

    def test_measured_dni_is_taken_and_gaps_stay_gaps(self, measured: pd.DataFrame) -> None:
        gappy = measured.copy()
        gappy.attrs = measured.attrs
        gappy.iloc[1100:1130, 1] = np.nan
        found = plane_of_array(gappy, 40, 180)
        assert found["poa_global"].iloc[1100:1130].isna().all()
        assert found["poa_direct"].iloc[1100:1130].notna().all()
        double = gappy.assign(dni=gappy["dni"] * 2)
        double.attrs = gappy.attrs
        np.testing.assert_allclose(plane_of_array(double, 40, 180)["poa_direct"], found["poa_direct"] * 2)

    def test_several_points_and_the_diffuse_share(self) -> None:
        frames = []
        for name, longitude in (("a", 8.0), ("b", 60.0)):
            frame = series_frame(bell(1, 30), minutes=30, point_id=name, longitude=longitude)
            frame["fraction_diffuse"] = 0.4
            frames.append(frame)
        both = plane_of_array(together(*frames), 35, 180)
        for frame in frames:
            alone = plane_of_array(frame, 35, 180)
            pd.testing.assert_frame_equal(both.loc[frame.attrs["point"]["point_id"]], alone, check_freq=False)
        assert energy(both, column="poa_global")["complete"].all()
        assert both.attrs["plane"] == {"tilt": 35.0, "azimuth": 180.0, "model": "haydavies", "albedo": 0.2}

    def test_the_hidden_sun_and_the_night_give_numbers(self) -> None:
        frame = series_frame(np.full(96, 50.0), "2025-12-20", latitude=75.0)  # lit by the moon, say
        frame["dhi"] = 20.0
        found = plane_of_array(frame, 30, 180)
        assert found.notna().all(axis=None)
        assert (found["poa_direct"] == 0).all()
        strange = frame.assign(dhi=80.0)
        strange.attrs = frame.attrs
        assert plane_of_array(strange, 30, 180).notna().all(axis=None)

    def test_what_cannot_be_is_an_error(self) -> None:
        frame = series_frame(bell(1, 60), minutes=60)
        with pytest.raises(ColumnNotFoundError, match="fraction_diffuse"):
            plane_of_array(frame, 30, 180)
        frame["dhi"] = 0.0
        for arguments, options, words in (
            ((-5, 180), {}, "tilted"),
            ((30, -90), {}, "180 is south"),
            ((30, 180), {"albedo": 20}, "share"),
            ((30, 180), {"model": "hay"}, "No model 'hay'"),
        ):
            with pytest.raises(DataError, match=words):
                plane_of_array(frame, *arguments, **options)
        two = together(frame, frame)
        with pytest.raises(DataError, match="several points"):
            plane_of_array(two, 30, 180, latitude=45.0, longitude=8.0)
        frame.attrs = {}
        with pytest.raises(DataError, match="place is not known"):
            plane_of_array(frame, 30, 180)


@pytest.mark.parametrize("derive", [monthly, typical_day, duration, variability, ramps])
def test_what_is_no_series_is_an_error_of_each(derive: object) -> None:
    frame = series_frame(bell(1, 15))
    with pytest.raises(DataError, match="no rows"):
        derive(frame.iloc[:0])  # type: ignore[operator]
    with pytest.raises(ColumnNotFoundError, match="Did you mean ghi"):
        derive(frame, column="ghj")  # type: ignore[operator]
    with pytest.raises(DataError, match="no zone"):
        derive(frame.tz_localize(None))  # type: ignore[operator]


@pytest.mark.parametrize("derive", [monthly, typical_day, duration, variability, ramps])
def test_none_changes_its_input(derive: object) -> None:
    frame = together(series_frame(with_gaps(bell(2, 15), 1)), series_frame(bell(2, 15), point_id="b"))
    before = frame.copy()
    derive(frame)  # type: ignore[operator]
    pd.testing.assert_frame_equal(frame, before)
