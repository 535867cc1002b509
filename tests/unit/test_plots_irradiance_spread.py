"""Pictures of how values are spread: months, hours, clear-sky index, duration, limits, availability, comparison."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.irradiance.deriving.availability import availability as steps_seen
from datalake_kit.irradiance.deriving.comparing import compare
from datalake_kit.irradiance.deriving.energy import daily_energy
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from datalake_kit.plots import irradiance as pictures
from datalake_kit.plots import style
from tests.pictures import boxes, drawn, is_drawn, line, make, several, subtitle, title


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def cloudy(days: int, *, seed: int = 1, step: str = "1h", start: str = "2025-01-01") -> pd.DataFrame:
    """Days that differ, without a gap."""
    frame = make(days, step=step, start=start)
    frame["ghi"] = clear_sky(frame)["ghi_clear"]
    shade = np.random.default_rng(seed).uniform(0.2, 1.0, days).repeat(len(frame) // days)
    frame["ghi"], frame["dhi"] = frame["ghi"] * shade, frame["ghi"] * 0.2
    return frame


def test_a_box_reaches_from_percentile_to_percentile() -> None:
    frame = cloudy(90)
    ax = pictures.monthly(frame)
    days = daily_energy(frame)["energy"]
    by_month = days.groupby(pd.DatetimeIndex(days.index).month)
    found = boxes(drawn(ax, "complete"))
    np.testing.assert_allclose(found[:, 2], by_month.quantile(0.25))
    np.testing.assert_allclose(found[:, 3], by_month.quantile(0.75))
    whiskers = np.array([s[:, 1] for s in drawn(ax, "whiskers").get_segments()])
    np.testing.assert_allclose(whiskers, np.column_stack([by_month.quantile(0.1), by_month.quantile(0.9)]))
    medians = np.array([s[0, 1] for s in drawn(ax, "medians").get_segments()])
    np.testing.assert_allclose(medians, by_month.median())
    np.testing.assert_allclose(drawn(ax, "means").get_ydata(), by_month.mean())
    assert [t.get_text() for t in ax.get_xticklabels()] == ["Jan\n2025", "Feb", "Mar"]


def test_a_month_seen_too_little_is_hatched() -> None:
    frame = cloudy(90)
    frame.loc["2025-02-05":"2025-02-12", "ghi"] = np.nan
    ax = pictures.monthly(frame)
    assert len(boxes(drawn(ax, "complete"))) == 2
    assert drawn(ax, "incomplete").get_hatch()
    assert any("under 90 %" in t.get_text() for t in ax.get_legend().get_texts())
    with pytest.raises(DataError, match="no month has a complete day"):
        pictures.monthly(frame.loc["2025-01-01 09:00":"2025-01-01 12:00"])


@pytest.mark.parametrize(("days", "width", "names"), [(365, 9, 12), (365, 3, 4), (1200, 9, 14)])
def test_months_are_named_where_there_is_room(days: int, width: float, names: int) -> None:
    _, ax = style.figure(width, 5)
    pictures.monthly(cloudy(days, step="3h"), ax=ax)
    ax.figure.canvas.draw()
    labels = [t.get_window_extent() for t in ax.get_xticklabels()]
    assert len(labels) == names
    assert all(one.x1 < other.x0 for one, other in pairwise(labels))


def test_each_month_has_its_own_mean_day() -> None:
    frame = cloudy(70)
    ax = pictures.daily_profile(frame)
    hours, values = (np.asarray(v, float) for v in drawn(ax, "mean").get_data())
    assert np.isnan(values[[24, 49, 74]]).all()  # no line from one month to the next
    february = frame.loc["2025-02", "ghi"]
    np.testing.assert_array_equal(hours[25:49], 24 + np.arange(24))
    np.testing.assert_allclose(values[25:49], february.groupby(february.index.hour).mean())
    band = drawn(ax, "band").get_paths()
    assert len(band) == 3  # January, February, March
    noon = february[february.index.hour == 11]
    at_noon = band[1].vertices[np.isclose(band[1].vertices[:, 0], 24 + 11), 1]
    np.testing.assert_allclose(sorted(set(at_noon.round(6))), noon.quantile([0.1, 0.9]).round(6))


def test_the_profile_has_the_hours_of_the_zone() -> None:
    frame = cloudy(20)
    utc, local = (pictures.daily_profile(frame, tz=tz) for tz in ("UTC", "Asia/Kolkata"))
    peak = [
        float(np.asarray(ax.lines[0].get_xdata())[np.nanargmax(np.asarray(ax.lines[0].get_ydata()))])
        for ax in (utc, local)
    ]
    assert peak[1] - peak[0] == 5.5
    assert "Asia/Kolkata" in local.get_xlabel()
    assert "Asia/Kolkata" in subtitle(local)


def test_bars_count_the_steps_of_each_clear_sky_index() -> None:
    frame = cloudy(40)
    frame.iloc[12, 0] = 5000.0  # no index is so high
    frame.iloc[36:40, 0] = np.nan
    ax = pictures.clear_sky_index(frame)
    high = solar_position(frame)["zenith"] < 85
    index = (frame["ghi"] / clear_sky(frame)["ghi_clear"])[high].dropna()
    found = boxes(drawn(ax, "histogram"))
    counts, _ = np.histogram(index.clip(upper=1.999), np.append(found[:, 0], 2.0))
    np.testing.assert_array_equal(found[:, 3], counts)
    assert found[:, 3].sum() == len(index)
    assert f"{len(index):,} steps with the sun under 85°" in str(drawn(ax, "histogram").get_label())
    assert "last bar: ≥ 2" in ax.get_xlabel()
    assert line(ax, "clear sky")[0].tolist() == [1, 1]


def test_without_place_or_sun_there_is_no_clear_sky_index() -> None:
    frame = cloudy(3)
    with pytest.raises(DataError, match="sun under 85"):
        pictures.clear_sky_index(frame.loc["2025-01-01 20:00":"2025-01-01 23:00"])
    frame.attrs = {}
    for kind in (pictures.clear_sky_index, pictures.limits):
        with pytest.raises(DataError, match="place is not known"):
            kind(frame)


def test_the_duration_curve_falls_over_the_steps_with_a_value() -> None:
    frame = make(2)
    values = frame["ghi"].dropna().sort_values(ascending=False).to_numpy()
    ax = pictures.duration(frame)
    share, found = (np.asarray(v, float) for v in drawn(ax, "duration").get_data())
    np.testing.assert_allclose(found[1:], values)
    np.testing.assert_allclose(share[1:], 100 * np.arange(1, len(values) + 1) / len(values))
    assert (share[0], found[0]) == (0, values[0])
    assert f"{len(values) / 4:,.0f} h" in ax.get_xlabel()


def test_limits_are_those_of_the_formula() -> None:
    frame = cloudy(3, step="15min")
    frame.iloc[48, 0], frame.iloc[4, 0] = 1900.0, 150.0  # at noon, and in the dark of night
    ax = pictures.limits(frame)
    position = solar_position(frame)
    extra = position["dni_extra"].mean()
    for limit, factor, offset in (("possible", 1.5, 100), ("rare", 1.2, 50)):
        zenith, found = (np.asarray(v, float) for v in drawn(ax, f"limit {limit}").get_data())
        cosine = np.clip(np.cos(np.radians(zenith)), 0, None)
        np.testing.assert_allclose(found, factor * extra * cosine**1.2 + offset)
    np.testing.assert_allclose(drawn(ax, "values").get_xdata(), position["zenith"])
    above = drawn(ax, "above possible")
    assert np.asarray(above.get_ydata()).tolist() == [150.0, 1900.0]
    assert above.get_label() == "above physically possible: 2"
    assert ax.get_xlim()[1] == 180  # so that the light at night is seen
    assert not is_drawn(ax, "above rare")
    with pytest.raises(ParameterError, match="no limits for 'bhi'"):
        pictures.limits(frame.assign(bhi=1.0), "bhi")


def test_availability_has_a_row_a_point_and_a_column_a_day() -> None:
    full, broken, north = make(4), make(4), make(4, latitude=80.0, start="2025-06-18")
    full["ghi"] = 1.0
    broken.iloc[96:192, 0] = np.nan
    frame = several(full, broken, north)
    ax = pictures.availability(frame)
    image = ax.images[0]
    values = image.get_array()
    assert values is not None
    assert values.shape == (3, 4)
    assert values[0].tolist() == [100] * 4
    assert values[1, 1] == 0
    assert 80 < values[1, 0] < 100
    assert image.get_cmap().name == "cividis"
    assert image.get_clim() == (0, 100)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Alba"] * 3
    names = pictures.availability(frame, names={"a": "Hill", "b": "Vale"}).get_yticklabels()
    assert [t.get_text() for t in names] == ["Hill", "Vale", "Alba"]
    assert "3 points" in title(ax)
    table = steps_seen(frame)
    assert f"{100 - 100 * table['seen'].sum() / table['expected'].sum():.1f} % of the daylight" in subtitle(ax)


def test_days_without_daylight_are_not_missing() -> None:
    frame = make(4, latitude=80.0, start="2025-12-20")
    with pytest.raises(DataError, match="no daylight"):
        pictures.availability(frame)
    frame = make(60, latitude=70.0, start="2025-12-20", step="1h")
    ax = pictures.availability(frame)
    values = ax.images[0].get_array()
    assert np.ma.getmaskarray(values)[0, :20].all()
    assert mpl.colors.to_hex(ax.images[0].get_cmap().get_bad()) == style.MISSING.lower()
    assert ax.get_legend().get_texts()[0].get_text() == "no daylight"
    assert title(ax).startswith("Alba: ")
    del frame.attrs["point"]["name"]
    assert title(pictures.availability(frame)).startswith("p: ")
    with pytest.raises(ColumnNotFoundError):
        pictures.availability(frame, "dni")


def test_many_points_are_not_all_named() -> None:
    day = make(1, step="1h")
    ax = pictures.availability(several(*[day] * 26))
    ax.figure.canvas.draw()
    names = sorted((t.get_window_extent() for t in ax.get_yticklabels()), key=lambda b: b.y0)
    assert len(names) > 10
    assert all(one.y1 < other.y0 + 1 for one, other in pairwise(names))


@pytest.mark.parametrize("days", [4, 60])
def test_a_comparison_shows_each_pair_and_says_the_errors(days: int) -> None:
    ours, theirs = cloudy(days, step="15min"), cloudy(days, step="15min", seed=2)
    found = compare(ours, theirs)
    ax = pictures.comparison(found)
    if days == 4:
        reference, value = (np.asarray(v, float) for v in drawn(ax, "pairs").get_data())
        np.testing.assert_array_equal(reference, found.pairs["reference"])
        np.testing.assert_array_equal(value, found.pairs["value"])
    else:
        assert found.n > 2000
        assert np.ma.sum(ax.images[0].get_array()) == found.n
        assert not is_drawn(ax, "pairs")
    x, y = line(ax, "1 : 1")
    np.testing.assert_array_equal(x, y)
    assert ax.get_xlim() == ax.get_ylim()
    for part in (f"n = {found.n:,}", f"MBE = {found.mbe:+.1f} W/m²", f"RMSE = {found.rmse:.1f} W/m²"):
        assert part in subtitle(ax)
    ax.figure.canvas.draw()
    assert min(t.get_fontsize() for t in ax.figure.findobj(Text) if t.get_text().strip()) >= 9


def test_the_map_puts_points_and_cells_where_they_are() -> None:
    points = pd.DataFrame({"point_id": ["a", "b"], "latitude": [45.0, 44.0], "longitude": [8.0, 9.0]})
    plane = pd.DataFrame([[1.0, np.nan], [3.0, 4.0]], index=[46.0, 43.0], columns=[7.0, 10.0])
    plane.attrs = {"variable": "ghi", "units": "W/m2", "title": "SYNTHETIC", "time": pd.Timestamp("2025-06-18 12:00")}
    ax = pictures.points_map(points, plane)
    assert np.asarray(ax.lines[0].get_xydata()).tolist() == [[8.0, 45.0], [9.0, 44.0]]
    assert ax.images[0].get_extent() == [5.5, 11.5, 41.5, 47.5]
    assert ax.images[0].origin == "upper"
    assert title(ax).endswith("(GHI)")
    assert subtitle(ax) == "2025-06-18 12:00 UTC  ·  synthetic"
    assert {t.get_text() for t in ax.texts} >= {"a", "b"}
    assert title(pictures.points_map(points)) == "2 points"


def test_names_stay_on_the_map() -> None:
    points = pd.DataFrame({
        "name": ["A long name far in the west", "A long name far in the east"], "latitude": [45.0, 44.0],
        "longitude": [8.0, 12.0],
    })  # fmt: skip
    ax = pictures.points_map(points)
    ax.figure.canvas.draw()
    for text in ax.texts:
        if text.get_text().startswith("A long"):
            box = text.get_window_extent()
            assert ax.bbox.x0 <= box.x0 < box.x1 <= ax.bbox.x1
    many = pd.DataFrame({"point_id": map(str, range(60)), "latitude": 45.0, "longitude": np.arange(60.0)})
    assert not [t for t in pictures.points_map(many).texts if t.get_text().isdigit()]


def test_a_map_of_nothing_is_an_error() -> None:
    points = pd.DataFrame({"point_id": ["a"], "latitude": [np.nan], "longitude": [8.0]})
    with pytest.raises(DataError, match="no latitude"):
        pictures.points_map(points)
    with pytest.raises(DataError, match="no point"):
        pictures.points_map(points.iloc[:0])
    with pytest.raises(ColumnNotFoundError, match="longitude"):
        pictures.points_map(points[["point_id", "latitude"]])
