"""Pictures of a point, judged by their artists: what an energy analyst would mistrust is an error here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
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
from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance import clear_sky
from datalake_kit.plots import style

KINDS: dict[str, Callable[..., Axes]] = {
    "series": plots.irradiance.series,
    "heatmap": plots.irradiance.heatmap,
    "daily_energy": plots.irradiance.daily_energy,
}


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def make(days: int = 3, *, latitude: float = 45.0, start: str = "2025-06-18", step: str = "15min") -> pd.DataFrame:
    """A frame as `read` gives it: clear sky times a shade, with a gap of five slots on the first day."""
    count = int(pd.Timedelta(days=days) / pd.Timedelta(step))
    index = pd.date_range(start, periods=count, freq=step, tz="UTC", name="time")
    place = {"point_id": "p", "name": "Alba", "latitude": latitude, "longitude": 8.0, "scan_offset_seconds": 620.0}
    frame = pd.DataFrame({"ghi": 0.0}, index=index)
    frame.attrs = {"point": place, "instantaneous": True}
    frame["ghi"] = clear_sky(frame)["ghi_clear"] * 0.9
    frame["dhi"] = frame["ghi"] * 0.2
    frame.loc[index[48:53] if count > 60 else index[12:13], :] = np.nan
    return frame


def subtitle(ax: Axes) -> str:
    return next(t.get_text() for t in ax.texts if t.get_gid() == "subtitle")


def line(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    found = next(i for i in ax.lines if str(i.get_label()).startswith(label))
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata(), float)


@pytest.mark.parametrize("how", ["values", "rows"])
def test_no_line_crosses_a_gap(how: str) -> None:
    frame = make()
    given = frame if how == "values" else frame.dropna()
    _, drawn = line(plots.irradiance.series(given), "GHI")
    assert len(drawn) == len(frame)
    np.testing.assert_array_equal(np.isnan(drawn), frame["ghi"].isna())
    np.testing.assert_array_equal(drawn[~np.isnan(drawn)], frame["ghi"].dropna())


def test_a_gap_is_shaded_from_the_last_value_to_the_next() -> None:
    ax = plots.irradiance.series(make())
    (patch,) = ax.patches
    assert mpl.colors.to_hex(patch.get_facecolor()) == style.MISSING.lower()
    left, right = num2date(patch.get_x()), num2date(patch.get_x() + patch.get_width())
    assert (left.strftime("%H:%M"), right.strftime("%H:%M")) == ("11:45", "13:15")


def test_a_value_between_two_gaps_is_a_dot() -> None:
    frame = make()
    frame.iloc[[100, 102], :] = np.nan
    dots = [i for i in plots.irradiance.series(frame).lines if i.get_marker() == "."]
    assert len(dots) == 1
    assert len(dots[0].get_xdata()) == 1


@pytest.mark.parametrize("kind", ["series", "daily_energy"])
def test_the_axis_of_values_begins_at_zero(kind: str) -> None:
    bottom, top = KINDS[kind](make()).get_ylim()
    assert bottom == 0
    assert top > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.25, 0.003])
def test_the_title_says_the_share_that_is_missing(kind: str, share: float) -> None:
    frame = make(10)
    frame["ghi"] = frame["ghi"].fillna(0.0)
    lost = np.random.default_rng(1).choice(np.arange(1, len(frame) - 1), round(share * len(frame)), replace=False)
    frame.iloc[lost, 0] = np.nan
    expected = f"{100 * frame['ghi'].isna().mean():.1f} % missing"
    assert expected in subtitle(KINDS[kind](frame))


@pytest.mark.parametrize("kind", KINDS)
def test_the_title_says_point_place_variable_period_and_step(kind: str) -> None:
    ax = KINDS[kind](make())
    title = ax.get_title(loc="left")
    assert "Alba (45.00° N 8.00° E)" in title
    assert "global horizontal irradiance (GHI)" in title
    for part in ("2025-06-18 to 2025-06-20 UTC", "every 15 min", "instantaneous"):
        assert part in subtitle(ax)


@pytest.mark.parametrize("kind", KINDS)
def test_ax_is_taken_and_returned_and_text_is_large_enough(kind: str) -> None:
    _, ax = style.figure(7, 3.5)
    assert KINDS[kind](make(), ax=ax) is ax
    ax.figure.canvas.draw()
    texts = [t for t in ax.figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    assert len(texts) > 8
    assert min(t.get_fontsize() for t in texts) >= 9


def test_clear_sky_is_dashed_grey_and_at_the_instant_of_the_scan() -> None:
    frame = make()
    ax = plots.irradiance.series(frame)
    _, drawn = line(ax, "clear sky")
    np.testing.assert_allclose(drawn, clear_sky(frame)["ghi_clear"])
    found = next(i for i in ax.lines if str(i.get_label()).startswith("clear sky"))
    assert found.get_color() == style.CLEAR_SKY
    assert found.is_dashed()
    assert "at scan time" in str(found.get_label())
    assert not any("clear" in str(i.get_label()) for i in plots.irradiance.series(frame, clear=False).lines)
    assert not any("clear" in str(i.get_label()) for i in plots.irradiance.series(frame, "dhi").lines)


def test_another_zone_is_named_and_moves_the_hours() -> None:
    ax = plots.irradiance.series(make(), tz="Europe/Rome")
    assert ax.get_xlabel() == "Europe/Rome"
    assert "Europe/Rome" in subtitle(ax)
    _, drawn = line(plots.irradiance.heatmap(make(), tz="Europe/Rome"), "sunrise")
    _, utc = line(plots.irradiance.heatmap(make()), "sunrise")
    np.testing.assert_allclose(drawn[:3], utc + 2, atol=0.02)


def test_the_heatmap_holds_each_value_at_its_day_and_hour() -> None:
    frame = make(30)
    ax = plots.irradiance.heatmap(frame)
    image = ax.images[0]
    values = image.get_array()
    assert values is not None
    assert values.shape == (96, 30)
    np.testing.assert_array_equal(values.filled(np.nan), frame["ghi"].to_numpy().reshape(30, 96).T)
    assert mpl.colors.to_hex(image.get_cmap().get_bad()) == style.MISSING.lower()
    assert image.get_cmap().name == "inferno"
    assert image.get_clim()[0] == 0
    assert image.origin == "lower"  # midnight is below
    assert image.get_extent()[2:] == [0, 24]


def test_sunrise_and_sunset_frame_the_light() -> None:
    frame = make(30)
    ax = plots.irradiance.heatmap(frame)
    rise, fall = line(ax, "sunrise")[1], line(ax, "sunset")[1]
    lit = frame["ghi"].fillna(0).gt(0.05)
    hours = pd.Series(frame.index.hour + frame.index.minute / 60, frame.index)[lit]
    by_day = hours.groupby(hours.index.normalize())
    assert np.abs(by_day.min().to_numpy() - rise).max() < 0.6
    assert np.abs(by_day.max().to_numpy() - fall).max() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_polar_night_and_day_are_drawn(kind: str, tmp_path: Path) -> None:
    frame = make(365, latitude=75.0, start="2025-01-01", step="1h")
    ax = KINDS[kind](frame)
    ax.figure.savefig(tmp_path / "a.png")
    if kind == "heatmap":
        rise = line(ax, "sunrise")[1]
        assert np.isnan(rise[:20]).all()
        assert np.isnan(rise[150:200]).all()
        assert np.isfinite(rise[80])


def test_days_seen_too_little_are_hatched_and_stay() -> None:
    frame = make(4)
    frame.iloc[96 + 30 : 96 + 60, :] = np.nan
    ax = plots.irradiance.daily_energy(frame)
    hatched = [bool(p.get_hatch()) for p in sorted(ax.patches, key=lambda p: p.get_x())]
    assert hatched == [False, True, False, False]
    assert ax.get_ylabel() == "kWh/m² per day"


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_drawn_is_an_error(kind: str) -> None:
    frame = make()
    with pytest.raises(ColumnNotFoundError, match="Did you mean ghi"):
        KINDS[kind](frame, "gih")
    with pytest.raises(DataError, match="nothing to draw"):
        KINDS[kind](frame.assign(ghi=np.nan))
    with pytest.raises(DataError, match="several points"):
        KINDS[kind](pd.concat({"a": frame}))
    with pytest.raises(DataError, match="no zone"):
        KINDS[kind](frame.tz_localize(None))


def test_a_synthetic_sky_is_said_to_be_one() -> None:
    frame = make()
    assert "synthetic" not in subtitle(plots.irradiance.series(frame))
    frame.attrs["synthetic"] = True
    assert "synthetic" in subtitle(plots.irradiance.series(frame))


def test_the_users_own_figures_stay_as_they_are() -> None:
    with mpl.rc_context({"font.size": 7.0, "axes.grid": False, "axes.titlelocation": "center"}):
        before = dict(mpl.rcParams)
        plots.irradiance.series(make())
        assert dict(mpl.rcParams) == before


def test_no_picture_library_is_loaded_before_a_picture_is_asked_for() -> None:
    code = "import sys, datalake_kit.plots; assert 'matplotlib' not in sys.modules; print(datalake_kit.plots.style.GHI)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == style.GHI


def test_a_mark_has_a_sign_and_a_word() -> None:
    assert style.mark("fail") == ("✗ fail", style.FAIL)
    with pytest.raises(ValueError, match="No such status"):
        style.mark("maybe")  # type: ignore[arg-type]


def test_the_map_puts_points_and_cells_where_they_are() -> None:
    points = pd.DataFrame({"point_id": ["a", "b"], "latitude": [45.0, 44.0], "longitude": [8.0, 9.0]})
    plane = pd.DataFrame([[1.0, np.nan], [3.0, 4.0]], index=[46.0, 43.0], columns=[7.0, 10.0])
    plane.attrs = {"variable": "ghi", "units": "W/m2", "title": "SYNTHETIC", "time": pd.Timestamp("2025-06-18 12:00")}
    ax = plots.irradiance.points_map(points, plane)
    assert np.asarray(ax.lines[0].get_xydata()).tolist() == [[8.0, 45.0], [9.0, 44.0]]
    assert ax.images[0].get_extent() == [5.5, 11.5, 41.5, 47.5]
    assert ax.images[0].origin == "upper"
    assert ax.get_title(loc="left").endswith("(GHI), 2025-06-18 12:00 UTC, synthetic")
    assert {t.get_text() for t in ax.texts} == {"a", "b"}
    assert plots.irradiance.points_map(points).get_title(loc="left") == "2 points"


def test_figures_of_a_notebook_are_shown_after_the_first_too() -> None:
    """The inline backend turns `interactive` on when the first figure is made; it must stay on."""
    code = (
        "import matplotlib as mpl\n"
        "from datalake_kit.plots import style\n"
        "with style.style():\n    mpl.interactive(True)\n"
        "assert mpl.is_interactive()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
