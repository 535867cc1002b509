"""Pictures of a point, judged by their artists: what an energy analyst would mistrust is an error here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import num2date
from matplotlib.text import Text

from datalake_kit import plots
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.irradiance.deriving.energy import daily_energy, energy
from datalake_kit.irradiance.judging.solar import clear_sky
from datalake_kit.plots import style
from tests.pictures import KINDS, boxes, drawn, is_drawn, line, make, subtitle, title

VALUES_UP = [k for k in KINDS if k != "heatmap"]


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("how", ["values", "rows"])
def test_no_line_crosses_a_gap(how: str) -> None:
    frame = make()
    given = frame if how == "values" else frame.dropna()
    _, values = line(plots.irradiance.series(given), "GHI")
    assert len(values) == len(frame)
    np.testing.assert_array_equal(np.isnan(values), frame["ghi"].isna())
    np.testing.assert_array_equal(values[~np.isnan(values)], frame["ghi"].dropna())


def test_a_gap_is_shaded_from_the_last_value_to_the_next() -> None:
    shape = drawn(plots.irradiance.series(make()), "gaps")
    assert mpl.colors.to_hex(shape.get_facecolor()[0]) == style.MISSING.lower()
    ((left, right, low, high),) = boxes(shape)
    assert [num2date(t).strftime("%H:%M") for t in (left, right)] == ["11:45", "13:15"]
    assert (low, high) == (0, 1)  # of the height


def test_every_gap_is_shaded_however_many_there_are() -> None:
    frame = make(10)
    frame.iloc[10:900:5, :] = np.nan
    ax = plots.irradiance.series(frame)
    absent = frame["ghi"].isna()
    assert len(boxes(drawn(ax, "gaps"))) == int((absent & ~absent.shift(fill_value=False)).sum())
    assert not is_drawn(plots.irradiance.series(make().fillna(0.0)), "gaps")


def test_a_value_between_two_gaps_is_a_dot() -> None:
    frame = make()
    frame.iloc[[100, 102], :] = np.nan
    dots = [i for i in plots.irradiance.series(frame).lines if i.get_marker() == "."]
    assert len(dots) == 1
    assert len(np.asarray(dots[0].get_xdata())) == 1


def test_of_many_values_extremes_and_gaps_are_drawn() -> None:
    rng = np.random.default_rng(5)
    frame = make(120)
    frame["ghi"] = rng.random(len(frame)) * 500
    frame.iloc[5000, 0], frame.iloc[7001, 0] = 999.0, 0.25
    frame.iloc[[3003, 9000, 9001], 0] = np.nan
    times, values = line(plots.irradiance.series(frame, clear=False), "GHI")
    assert len(values) < 0.7 * len(frame)
    assert np.nanmax(values) == 999.0
    assert 0.25 in values
    index = pd.DatetimeIndex(num2date(times)).tz_convert("UTC").round("s")
    np.testing.assert_array_equal(values, frame["ghi"].reindex(index))
    gaps = index[np.isnan(values)]
    assert {frame.index[3003], frame.index[9000], frame.index[9001]} <= set(gaps)  # the line stops at each
    assert {frame.index[3002], frame.index[3004], frame.index[8999], frame.index[9002]} <= set(index)


@cache
def picture(kind: str) -> Axes:
    """The picture of three days, drawn once for the tests that only look at it."""
    return KINDS[kind](make(), ax=style.figure(9, 4)[1])


@pytest.mark.parametrize("kind", VALUES_UP)
def test_the_axis_of_values_begins_at_zero(kind: str) -> None:
    bottom, top = picture(kind).get_ylim()
    assert bottom == 0
    assert top > 1


@pytest.mark.parametrize(("kind", "share"), [*((k, 0.25) for k in KINDS), ("series", 0.0), ("series", 0.003)])
def test_the_title_says_the_share_that_is_missing(kind: str, share: float) -> None:
    frame = make(10)
    frame["ghi"] = frame["ghi"].fillna(0.0)
    lost = np.random.default_rng(1).choice(np.arange(1, len(frame) - 1), round(share * len(frame)), replace=False)
    frame.iloc[lost, 0] = np.nan
    if share > 0.1 and kind == "monthly":
        frame.iloc[:96, 0] = 1.0  # one complete day
    expected = f"{100 * frame['ghi'].isna().mean():.1f} % missing"
    assert expected in subtitle(KINDS[kind](frame))


def test_a_share_that_is_not_nothing_is_not_said_to_be() -> None:
    frame = make(30)
    frame["ghi"] = 1.0
    frame.iloc[5, 0] = np.nan
    assert "under 0.1 % missing" in subtitle(plots.irradiance.series(frame))


@pytest.mark.parametrize("kind", KINDS)
def test_the_title_says_point_place_variable_period_and_step(kind: str) -> None:
    ax = picture(kind)
    assert "Alba (45.00° N 8.00° E)" in title(ax)
    assert "global horizontal irradiance (GHI)" in title(ax)
    for part in ("2025-06-18 to 2025-06-20 UTC", "every 15 min", "instantaneous"):
        assert part in subtitle(ax)


def test_the_title_says_what_a_value_holds_for() -> None:
    frame = make(step="1h")
    frame.attrs["instantaneous"] = False
    assert "every 1 h  ·  mean over the step" in subtitle(plots.irradiance.series(frame))
    del frame.attrs["instantaneous"]
    assert "not said" in subtitle(plots.irradiance.series(frame))


UNITS = {"series": "W/m²", "daily_energy": "kWh/m² per day", "monthly": "kWh/m² per day", "duration": "W/m²",
         "daily_profile": "W/m²", "limits": "W/m²", "clear_sky_index": "steps"}  # fmt: skip


@pytest.mark.parametrize("kind", UNITS)
def test_the_axis_names_its_unit(kind: str) -> None:
    assert picture(kind).get_ylabel() == UNITS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_ax_is_taken_and_returned_and_text_is_large_enough(kind: str) -> None:
    _, ax = style.figure(7, 3.5)
    assert KINDS[kind](make(), ax=ax) is ax
    ax.figure.canvas.draw()
    texts = [t for t in ax.figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    assert len(texts) > 8
    assert min(t.get_fontsize() for t in texts) >= 9


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_cut_off_or_stands_on_another(kind: str) -> None:
    frame = make(40)
    frame.attrs["point"]["name"] = "Solar park of the community of Sankt Georgen am Langsee, north, row 3 $x_1$"
    ax = KINDS[kind](frame)
    ax.figure.canvas.draw()
    page = ax.figure.bbox
    told = [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
    legend = ax.get_legend()
    places = [t.get_window_extent() for t in told if t.get_text().strip()]
    places += [legend.get_window_extent()] if legend else []
    for box in places:
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y0 >= page.y0 - 1
        assert box.y1 <= page.y1 + 1
    for n, one in enumerate(places):
        assert not any(one.overlaps(other.shrunk(0.98, 0.9)) for other in places[n + 1 :])


def test_clear_sky_is_dashed_grey_and_at_the_instant_of_the_scan() -> None:
    frame = make()
    ax = plots.irradiance.series(frame)
    _, sky = line(ax, "clear sky")
    np.testing.assert_allclose(sky, clear_sky(frame)["ghi_clear"])
    found = next(i for i in ax.lines if str(i.get_label()).startswith("clear sky"))
    assert found.get_color() == style.CLEAR_SKY
    assert found.is_dashed()
    assert "at scan time" in str(found.get_label())
    assert not any("clear" in str(i.get_label()) for i in plots.irradiance.series(frame, clear=False).lines)
    assert not any("clear" in str(i.get_label()) for i in plots.irradiance.series(frame, "dhi").lines)


def test_the_clear_sky_of_means_is_that_of_the_middle_of_the_step() -> None:
    frame = make(1, step="1h")
    frame.attrs["instantaneous"] = False
    del frame.attrs["point"]["scan_offset_seconds"]
    times, sky = line(plots.irradiance.series(frame), "clear sky")
    expected = clear_sky(frame.index, 45.0, 8.0, offset_seconds=1800)["ghi_clear"]
    np.testing.assert_allclose(sky[::4], expected, rtol=1e-6)
    assert len(times) == 4 * 23 + 1  # between the hours too


def test_of_a_long_series_the_highest_clear_sky_of_each_day_is_drawn() -> None:
    frame = make(90, step="1h")
    times, sky = line(plots.irradiance.series(frame), "clear sky, highest of each day")
    by_day = clear_sky(frame)["ghi_clear"].groupby(frame.index.floor("D")).max()
    np.testing.assert_allclose(sky, by_day)
    assert num2date(times[0]).strftime("%d %H") == "18 12"


def test_another_zone_is_named_and_moves_the_hours() -> None:
    ax = plots.irradiance.series(make(), tz="Europe/Rome")
    assert ax.get_xlabel() == "Europe/Rome"
    assert "Europe/Rome" in subtitle(ax)
    _, local = line(plots.irradiance.heatmap(make(), tz="Europe/Rome"), "sunrise")
    _, utc = line(plots.irradiance.heatmap(make()), "sunrise")
    np.testing.assert_allclose(local[:5], utc[:5] + 2, atol=0.02)


def values_of(ax: Axes) -> np.ndarray:
    """The heatmap as hours x days."""
    values = ax.images[0].get_array()
    assert values is not None
    return np.ma.filled(values, np.nan)


def test_the_heatmap_holds_each_value_at_its_day_and_hour() -> None:
    frame = make(30)
    ax = plots.irradiance.heatmap(frame)
    image = ax.images[0]
    np.testing.assert_array_equal(values_of(ax), frame["ghi"].to_numpy().reshape(30, 96).T)
    assert mpl.colors.to_hex(image.get_cmap().get_bad()) == style.MISSING.lower()
    assert image.get_cmap().name == "inferno"
    assert image.get_clim()[0] == 0
    assert image.origin == "lower"  # midnight is below
    assert image.get_extent()[2:] == [0, 24]
    assert not is_drawn(ax, "outside")


def test_the_heatmap_knows_summer_time() -> None:
    frame = make(3, start="2025-03-29")
    frame["ghi"] = np.arange(len(frame), dtype=float)
    ax = plots.irradiance.heatmap(frame, tz="Europe/Rome")
    spring = values_of(ax)[:, 1]
    assert np.isfinite(spring).all()  # 2 to 3 o'clock did not exist, nothing is missing there
    assert spring[12] == spring[7] + 1
    frame = make(3, start="2025-10-25")
    frame["ghi"] = np.arange(len(frame), dtype=float)
    autumn = values_of(plots.irradiance.heatmap(frame, tz="Europe/Rome"))[:, 1]
    assert autumn[8] == autumn[7] + 3  # 2 o'clock came twice, an hour of four steps apart
    assert autumn[12] == autumn[7] + 1 + 8


def test_what_lies_outside_the_period_is_not_missing() -> None:
    ax = plots.irradiance.heatmap(make(), tz="Europe/Rome")  # begins at 2 o'clock there
    outside = sorted((p.get_y(), p.get_height()) for p in ax.patches if p.get_gid() == "outside")
    assert outside == [(0.0, 2.0), (2.0, 22.0)]
    assert np.isnan(values_of(ax)[:8, 0]).all()


def test_sunrise_and_sunset_frame_the_light() -> None:
    frame = make(30)
    ax = plots.irradiance.heatmap(frame)
    rise, fall = (line(ax, n)[1][1:-1] for n in ("sunrise", "sunset"))
    lit = frame["ghi"].fillna(0).gt(0.05)
    hours = pd.Series(frame.index.hour + frame.index.minute / 60, frame.index)[lit]
    by_day = hours.groupby(hours.index.normalize())
    assert np.abs(by_day.min().to_numpy() - rise).max() < 0.6
    assert np.abs(by_day.max().to_numpy() - fall).max() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_polar_night_and_day_are_drawn(kind: str, tmp_path: Path) -> None:
    frame = make(365, latitude=75.0, start="2025-01-01", step="1h")
    ax = KINDS[kind](frame)
    ax.figure.savefig(tmp_path / "a.png", dpi=50)
    if kind == "heatmap":
        rise = line(ax, "sunrise")[1]
        assert np.isnan(rise[:20]).all()
        assert np.isnan(rise[150:200]).all()
        assert np.isfinite(rise[80])


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("clear_sky_index", "monthly")])
def test_a_single_value_and_nothing_but_zeros_are_drawn(kind: str, tmp_path: Path) -> None:
    for values in ([5.0, *[np.nan] * 95], [0.0] * 96):
        frame = make(1)
        frame["ghi"] = values
        ax = KINDS[kind](frame)
        ax.figure.savefig(tmp_path / "a.png", dpi=50)
        assert ax.get_ylim()[0] == 0


def bars(ax: Axes) -> pd.DataFrame:
    """The bars in their order: where they begin, how high they are, whether they are hatched."""
    parts = [(bool(s.get_hatch()), boxes(s)) for s in ax.collections if s.get_gid() in ("complete", "incomplete")]
    rows = [(*box, hatched) for hatched, part in parts for box in part]
    return pd.DataFrame(rows, columns=["left", "right", "low", "high", "hatched"]).sort_values(["left", "low"])


def test_days_seen_too_little_are_hatched_and_stay() -> None:
    frame = make(4)
    frame.iloc[96 + 30 : 96 + 60, :] = np.nan
    ax = plots.irradiance.daily_energy(frame)
    found, days = bars(ax), daily_energy(frame)
    assert found["hatched"].tolist() == [False, True, False, False]
    assert (~(days["coverage"] >= 0.9)).tolist() == found["hatched"].tolist()
    np.testing.assert_allclose(found["high"], days["energy"])
    assert [num2date(x).strftime("%d") for x in found["left"]] == ["18", "19", "20", "21"]
    assert "hatched" not in str(ax.get_legend())
    assert [t.get_text()[:8] for t in ax.get_legend().get_texts()] == ["complete", "under 90"]


def test_parts_stand_on_each_other_and_stop_at_gaps() -> None:
    frame = make()
    ax = plots.irradiance.components(frame)
    low, high = (s.get_paths() for s in ax.collections if s.get_gid() in ("dhi", "bhi"))
    assert len(low) == len(high) == 2  # before and after the gap
    top = max(path.vertices[:, 1].max() for path in high)
    assert top == pytest.approx(frame["ghi"].max())
    assert max(path.vertices[:, 1].max() for path in low) == pytest.approx(frame["dhi"].max())
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylabel() == "W/m²"
    assert "diffuse and direct" in title(ax)


@pytest.mark.parametrize(("period", "label"), [("day", "kWh/m² per day"), ("month", "kWh/m² per month")])
def test_parts_by_period_are_their_energies(period: str, label: str) -> None:
    frame = make(4)
    frame.iloc[96 + 30 : 96 + 60, :] = np.nan
    ax = plots.irradiance.components(frame, period)
    found = bars(ax)
    diffuse, whole = energy(frame, period, "dhi"), energy(frame, period, "ghi")
    np.testing.assert_allclose(found["high"].iloc[0::2], diffuse["energy"])
    np.testing.assert_allclose(found["low"].iloc[1::2], diffuse["energy"])
    np.testing.assert_allclose(found["high"].iloc[1::2], whole["energy"])
    assert found["hatched"].iloc[::2].tolist() == (~whole["complete"]).tolist()
    assert ax.get_ylabel() == label


def test_the_period_of_parts_follows_the_length() -> None:
    labels = [plots.irradiance.components(make(d, step="1h")).get_ylabel() for d in (20, 60, 500)]
    assert labels == ["W/m²", "kWh/m² per day", "kWh/m² per month"]
    with pytest.raises(ParameterError, match="week"):
        plots.irradiance.components(make(), "week")
    with pytest.raises(ColumnNotFoundError, match="neither bhi nor ghi"):
        plots.irradiance.components(make()[["dhi"]])
    with pytest.raises(ColumnNotFoundError, match="dhi"):
        plots.irradiance.components(make()[["ghi"]])


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_drawn_is_an_error(kind: str) -> None:
    frame = make()
    with pytest.raises(ColumnNotFoundError if kind != "limits" else ParameterError, match="ghi"):
        KINDS[kind](frame, "gih")
    with pytest.raises(DataError, match="nothing to draw"):
        KINDS[kind](frame.assign(ghi=np.nan))
    with pytest.raises(DataError, match="several points"):
        KINDS[kind](pd.concat({"a": frame}))
    with pytest.raises(DataError, match="no zone"):
        KINDS[kind](frame.tz_localize(None))
    with pytest.raises(DataError, match="infinite"):
        KINDS[kind](frame.assign(ghi=np.inf))
    with pytest.raises(DataError, match="no numbers"):
        KINDS[kind](frame.assign(ghi="much"))
    with pytest.raises(DataError, match="twice"):
        KINDS[kind](pd.concat([frame, frame.iloc[:1]]))
    with pytest.raises(DataError, match="not by time"):
        KINDS[kind](frame.reset_index(drop=True))
    with pytest.raises(ParameterError, match="no frame"):
        KINDS[kind](frame["ghi"])


def test_values_off_the_steps_are_not_dropped_in_silence() -> None:
    frame = make()
    moved = frame.set_axis(frame.index.where(np.arange(len(frame)) != 40, frame.index + pd.Timedelta(minutes=7)))
    with pytest.raises(DataError, match="not on steps"):
        plots.irradiance.series(moved)


def test_an_unknown_zone_is_an_error() -> None:
    with pytest.raises(ParameterError, match="Mars/Base"):
        plots.irradiance.series(make(), tz="Mars/Base")


def test_a_synthetic_sky_is_said_to_be_one() -> None:
    frame = make()
    assert "synthetic" not in subtitle(plots.irradiance.series(frame))
    frame.attrs["synthetic"] = True
    assert "synthetic" in subtitle(plots.irradiance.series(frame))


@pytest.mark.parametrize("kind", KINDS)
def test_frame_and_settings_of_the_user_stay_as_they_are(kind: str) -> None:
    frame = make()
    copy, attrs = frame.copy(), dict(frame.attrs)
    with mpl.rc_context({"font.size": 7.0, "axes.grid": False, "axes.titlelocation": "center"}):
        before = dict(mpl.rcParams)
        KINDS[kind](frame)
        assert dict(mpl.rcParams) == before
    pd.testing.assert_frame_equal(frame, copy)
    assert frame.attrs == attrs


def test_no_picture_library_is_loaded_before_a_picture_is_asked_for() -> None:
    code = "import sys, datalake_kit.plots; assert 'matplotlib' not in sys.modules; print(datalake_kit.plots.style.GHI)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == style.GHI


def test_a_mark_has_a_sign_and_a_word() -> None:
    assert style.mark("fail") == ("✗ fail", style.FAIL)
    with pytest.raises(ValueError, match="No such status"):
        style.mark("maybe")


def test_figures_of_a_notebook_are_shown_after_the_first_too() -> None:
    """The inline backend turns `interactive` on when the first figure is made; it must stay on."""
    code = (
        "import matplotlib as mpl\n"
        "from datalake_kit.plots import style\n"
        "with style.style():\n    mpl.interactive(True)\n"
        "assert mpl.is_interactive()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
