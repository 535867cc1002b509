"""Pictures of a day that a station measured by the minute, and of a typical year that a satellite saw by the hour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import date2num, num2date
from matplotlib.text import Text

from datalake_kit.demo.sky_model import typical_year_file
from datalake_kit.irradiance import read_pvgis, read_surfrad
from datalake_kit.plots import irradiance as pictures
from tests.pictures import KINDS, boxes, drawn, is_drawn, line, subtitle, title

STATION = Path(__file__).parents[1] / "data" / "irradiance" / "surfrad-slv16001.dat"
HOUR = pd.Timedelta(hours=1)
# At noon of the station, of the typical year, and the UTC day of each that has it
REMOVED = {"day": pd.Timestamp("2016-01-01 19:00", tz="UTC"), "year": pd.Timestamp("1990-06-18 11:00", tz="UTC")}


@pytest.fixture(scope="module")
def day() -> pd.DataFrame:
    """The day as the station measured it: no minute is missing, and nights are below zero."""
    return read_surfrad(STATION)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("pvgis") / "tmy.csv"
    path.write_bytes(typical_year_file())
    return read_pvgis(path)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def without(frame: pd.DataFrame, start: pd.Timestamp, how: str) -> pd.DataFrame:
    """The frame without the hour: its values or its rows."""
    gone = (frame.index >= start) & (frame.index < start + HOUR)
    assert gone.any()
    found = (
        frame[~gone].copy()
        if how == "rows"
        else frame.assign(**{name: frame[name].where(~gone) for name in ("ghi", "dhi", "dni")})
    )
    found.attrs = frame.attrs
    return found


def crosses(ax: Axes, start: pd.Timestamp) -> bool:
    """Whether the line of GHI has a segment, or a point, in the hour."""
    times, values = line(ax, "GHI")
    first, last = date2num(start.to_datetime64()), date2num((start + HOUR).to_datetime64())
    small = 1e-6  # days
    ends = np.isfinite(values)
    segments = ends[:-1] & ends[1:] & (times[:-1] < last - small) & (times[1:] > first + small)
    inside = ends & (times > first - small) & (times < last - small)
    return bool(segments.any() or inside.any())


@pytest.mark.parametrize("how", ["values", "rows"])
@pytest.mark.parametrize("name", REMOVED)
def test_no_line_crosses_a_removed_hour(name: str, how: str, request: pytest.FixtureRequest) -> None:
    frame, start = request.getfixturevalue(name), REMOVED[name]
    assert crosses(pictures.series(frame), start)
    assert not is_drawn(pictures.series(frame), "gaps")
    ax = pictures.series(without(frame, start, how))
    assert not crosses(ax, start)
    ((left, right, _, _),) = boxes(drawn(ax, "gaps"))
    step = pd.Timedelta(seconds=frame.attrs["step_seconds"])
    assert pd.Timestamp(num2date(left)).round("s") == start - step  # from the last value to the next
    assert pd.Timestamp(num2date(right)).round("s") == start + HOUR


def test_parts_of_the_day_stop_at_the_removed_hour(day: pd.DataFrame) -> None:
    start = REMOVED["day"]
    ax = pictures.components(without(day, start, "rows"), "step")
    first, last = date2num(start.to_datetime64()), date2num((start + HOUR).to_datetime64())
    for part in ("dhi", "bhi"):
        across = [path.vertices[:, 0] for path in drawn(ax, part).get_paths()]
        assert len(across) == 2
        assert max(across[0]) < first < last <= min(across[1]) + 1e-9
    assert ax.get_ylim()[0] == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REMOVED)
def test_axes_begin_at_zero_and_the_title_says_what_the_data_lacks(
    name: str, kind: str, request: pytest.FixtureRequest
) -> None:
    frame, start = request.getfixturevalue(name), REMOVED[name]
    lacking = without(frame, start, "rows")
    lacking = without(lacking, start - 2 * HOUR, "values") if kind != "monthly" else lacking
    if (name, kind) == ("day", "monthly"):
        lacking = frame.drop(frame.index[100:160])  # at night: the day stays complete
        lacking.attrs = frame.attrs
    share = 1 - lacking["ghi"].notna().sum() / len(frame)
    ax = KINDS[kind](lacking)
    bottom, top = ax.get_ylim()
    assert bottom == 0
    assert top > (20 if kind == "heatmap" else 0.5)
    said = f"{100 * share:.1f} % missing" if share >= 0.0005 else "under 0.1 % missing"
    assert said in subtitle(ax)


def test_the_station_lies_in_the_west_and_its_noon_is_in_the_evening_of_utc(day: pd.DataFrame) -> None:
    ax = pictures.series(day)
    assert "37.70° N 105.92° W" in title(ax)
    for part in ("2015-12-31 to 2016-01-01 UTC", "every 1 min", "mean over the step", "0.0 % missing"):
        assert part in subtitle(ax)
    times, sky = line(ax, "clear sky")
    noon = pd.Timestamp(num2date(times[sky.argmax()]))
    assert abs(noon - pd.Timestamp("2016-01-01 19:07", tz="UTC")) < pd.Timedelta(minutes=3)
    _, values = line(ax, "GHI")
    np.testing.assert_array_equal(values, day["ghi"])  # a minute is a point of the line: no value is left out
    lit = sky > 300
    assert np.median(values[lit] / sky[lit]) == pytest.approx(1.0, abs=0.08)  # a clear day


def test_measured_nights_below_zero_are_no_reason_to_begin_below(day: pd.DataFrame) -> None:
    assert day["ghi"].min() < -4
    assert pictures.series(day).get_ylim()[0] == 0
    share, values = (np.asarray(v, float) for v in drawn(pictures.duration(day), "duration").get_data())
    assert values.min() == day["ghi"].min()  # what is measured stays in the curve
    assert share.max() == 100


def test_the_typical_year_says_what_it_is(year: pd.DataFrame) -> None:
    ax = pictures.series(year)
    assert "(45.00° N 8.00° E)" in title(ax)
    for part in ("1990-01-01 to 1990-12-31 UTC", "every 1 h", "instantaneous", "0.0 % missing"):
        assert part in subtitle(ax)
    _, values = line(ax, "GHI")
    assert np.nanmax(values) == year["ghi"].max()
    image = pictures.heatmap(year).images[0].get_array()
    assert image is not None
    np.testing.assert_array_equal(np.asarray(image), year["ghi"].to_numpy().reshape(365, 24).T)


def test_the_page_of_the_typical_year_holds_its_energy(year: pd.DataFrame) -> None:
    figure = pictures.overview(without(year, REMOVED["year"], "values"))
    said = " ".join(t.get_text() for t in figure.findobj(Text))
    assert "PVGIS typical year" in said
    assert "synthetic" not in said
    assert "under 0.1 % missing of 8,760 steps" in said
    energy = float(said.split(" kWh/m² per year")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert energy == pytest.approx(year["ghi"].sum() / 1000, rel=0.002)
    assert len(figure.axes) == 12
