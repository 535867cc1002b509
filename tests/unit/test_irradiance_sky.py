"""The demo's sky: believable, the same each time, completed when a build was stopped."""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest

from datalake_kit.demo import sky
from datalake_kit.demo.sky_model import DRIVEN_AT, YEAR, Sky, SkyPatch, typical_year
from datalake_kit.irradiance import clear_sky, extract, read, solar_position
from datalake_kit.lake import connect

MID_JUNE = (pd.Timestamp("2025-06-18") - pd.Timestamp(f"{YEAR}-01-01")) / pd.Timedelta(seconds=1)


@pytest.fixture(scope="module")
def patch() -> SkyPatch:
    return Sky().patch(*(np.array([v]) for v in DRIVEN_AT))


@pytest.fixture(scope="module")
def alps_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a day of the month, and of four hours of another about the one cut short, as the demo has them."""
    folder = tmp_path_factory.mktemp("sky")
    for target in sky._targets(folder):
        day, hour = target.slot.day, target.slot.hour
        if target.part == "alps" and (day == 18 or (day == 14 and 10 <= hour < 14)):
            sky._write(target)
    return folder / "alps"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of the year, to be read and copied only."""
    table = tmp_path_factory.mktemp("year") / "points_year"
    sky.build_year(table)
    return table


def test_the_sun_is_pvlibs(patch: SkyPatch) -> None:
    seconds = np.arange(0, 365 * 86400, 7777.0)
    times = pd.Timestamp(f"{YEAR}-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s")
    exact = solar_position(pd.DatetimeIndex(times), *DRIVEN_AT)["zenith"].to_numpy()
    assert np.abs(np.degrees(np.arccos(patch.cos_zenith(seconds))) - exact).max() < 0.02


@pytest.mark.parametrize(("latitude", "longitude"), [(45.0, 8.0), (30.92, -6.91), (-28.45, 21.26), (59.86, 17.64)])
def test_the_clear_sky_is_pvlibs(latitude: float, longitude: float) -> None:
    place = Sky().patch(np.array([latitude]), np.array([longitude]))
    seconds = np.arange(0, 365 * 86400, 9999.0)
    times = pd.Timestamp(f"{YEAR}-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s")
    exact = clear_sky(pd.DatetimeIndex(times), latitude, longitude)["ghi_clear"].to_numpy()
    assert np.abs(place.clear_sky(seconds) - exact).max() < 6


def test_the_year_follows_the_typical_year_month_by_month(patch: SkyPatch) -> None:
    seen = patch.see(np.arange(365 * 96) * 900.0, np.array([620.0])).ghi
    months = pd.Series(seen, pd.date_range(f"{YEAR}-01-01", periods=365 * 96, freq="15min")).resample("MS").sum() / 4000
    typical = typical_year()[:, 0]
    expected = pd.Series(typical, pd.date_range(f"{YEAR}-01-01", periods=8760, freq="1h")).resample("MS").sum() / 1000
    assert (months / expected - 1).abs().max() < 0.15


def test_light_is_never_far_above_clear_and_never_negative(patch: SkyPatch) -> None:
    seconds = np.arange(365 * 96) * 900.0
    view = patch.see(seconds, np.array([620.0]))
    clear = patch.clear_sky(seconds + 620.0)
    assert view.ghi.min() == 0
    assert (view.ghi - clear).max() < 60
    assert view.fraction_diffuse.min() >= 0.16
    assert view.fraction_diffuse.max() <= 1
    assert (view.ghi[patch.cos_zenith(seconds + 620.0) < -0.01] == 0).all()


def test_clouds_move_with_the_wind() -> None:
    """Half an hour later the field is more like itself when it is taken some cells to the west."""
    latitude, longitude = np.meshgrid(50 - 0.05 * np.arange(60), 5 + 0.05 * np.arange(200), indexing="ij")
    place = Sky().patch(latitude.ravel(), longitude.ravel())
    offset = np.full(latitude.size, 620.0)
    now, later = (place.see(MID_JUNE + 11 * 3600 + s, offset).cloud.reshape(latitude.shape) for s in (0, 1800))
    likeness = {
        k: np.corrcoef(now[:, 40:-40].ravel(), np.roll(later, -k, 1)[:, 40:-40].ravel())[0, 1] for k in range(-8, 9)
    }
    best = max(likeness, key=lambda k: likeness[k])
    assert 3 <= best <= 8  # 11 m/s are 5.5 cells in half an hour
    assert likeness[best] > likeness[0] + 0.01


def test_files_have_the_structure_of_the_product(alps_day: Path) -> None:
    path = next(alps_day.rglob("*202506181115.nc"))
    with netCDF4.Dataset(path) as file:
        assert {n: len(d) for n, d in file.dimensions.items()} == {"time": 1, "lat": 41, "lon": 57}
        assert file["DSSF_TOT"].dimensions == ("time", "lat", "lon")
        assert file["DSSF_TOT"].dtype == file["FRACTION_DIFFUSE"].dtype == np.int16
        assert file["lat"][0] > file["lat"][-1]
        assert file.time_coverage_start == "2025-06-18T11:15:00Z"
        assert "SYNTHETIC" in file.title
        assert file["quality_flag"].flag_meanings.split()[0] == "sea_or_off_disk"
        ghi = file["DSSF_TOT"][0]
        assert np.ma.count_masked(ghi) > 0
        assert ((file["quality_flag"][0] & 1) == 1).tolist() == np.ma.getmaskarray(ghi).tolist()
        assert ghi.max() > 600
    with netCDF4.Dataset(next(alps_day.rglob("*202506180000.nc"))) as file:
        assert file["DSSF_TOT"][0].max() == 0  # night is zero, not masked


def test_what_is_wrong_in_the_month_is_found_and_nothing_else(alps_day: Path, tmp_path: Path) -> None:
    result = extract(alps_day, [p[:1] + p[2:] for p in sky.ALPS_POINTS], tmp_path / "t")
    assert result.rejects["file"].str[-15:].tolist() == ["202506141130.nc"]
    assert result.rejects["reason"].tolist() == ["cut short"]
    assert sky.CUT_SHORT in set(result.missing["time"])
    assert set(result.missing["time"]) > {pd.Timestamp(s) for s in sky.MISSING_SLOTS if s.day == 18}


def test_the_year_is_made_under_the_same_sky_as_the_files(alps_day: Path, year: Path, tmp_path: Path) -> None:
    shutil.copytree(year, tmp_path / "irradiance" / "points_year")
    extract(alps_day, [p[:1] + p[2:] for p in sky.ALPS_POINTS], tmp_path / "irradiance" / "month")
    with connect(tmp_path) as lake:
        window = {"start": "2025-06-18", "stop": "2025-06-19"}
        made = read(lake, "irradiance.points_year", "turin", **window)
        extracted = read(lake, "irradiance.month", "turin", **window)
        assert made.attrs["synthetic"] is True
        assert "not extracted" in made.attrs["origin"]
        assert extracted.attrs["synthetic"] is True
        assert extracted.attrs["flags"] == made.attrs["flags"] == {"quality_flag": sky.FLAG_BITS}
        assert read(lake, "irradiance.points_year", "turin")["ghi"].isna().mean() < 0.02
    both = extracted["ghi"].notna()
    assert both.sum() == 91
    np.testing.assert_allclose(made["ghi"][both], extracted["ghi"][both], atol=0.2)


def _digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_bytes_each_time(alps_day: Path, tmp_path: Path) -> None:
    wanted = [t for t in sky._targets(tmp_path) if t.part == "alps" and t.slot.day == 18 and t.slot.hour == 11]
    sky.demo_sky.cache_clear()
    sky._scene.cache_clear()
    for target in wanted:
        sky._write(target)
    first = _digest(alps_day / "2025/06/18")
    for name, digest in _digest(tmp_path).items():
        assert first[name] == digest


def test_a_year_that_was_stopped_is_completed_and_then_left_alone(year: Path, tmp_path: Path) -> None:
    shutil.copytree(year, tmp_path / "a")
    whole = _digest_of_table(tmp_path / "a")
    for day in ("2025-03-01", "2025-07-07"):
        (tmp_path / "a" / f"date={day}" / "_manifest.json").unlink()
    (tmp_path / "a" / "date=2025-05-05" / "points.parquet").write_bytes(b"PAR1")
    steps: list[int] = []
    sky.build_year(tmp_path / "a", progress=steps.append)
    assert sum(steps) == sky.count_year() == 365
    assert _digest_of_table(tmp_path / "a") == whole
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")}
    sky.build_year(tmp_path / "a")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*")} == before


def _digest_of_table(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_all_points_are_on_land() -> None:
    for part, points in (("disk", sky.DISK_POINTS), ("alps", sky.ALPS_POINTS)):
        grid = sky._grid(part)
        located = sky.locate_points(pd.DataFrame(points, columns=sky._POINT_COLUMNS), grid)
        seen = sky._scene(part).seen
        assert seen[located["row"], located["column"]].all()


def test_the_list_of_files_counts_what_it_makes(tmp_path: Path) -> None:
    targets = list(sky._targets(tmp_path))
    assert len(targets) == sky.count_satellite() == 24 + 30 * 96 - len(sky.MISSING_SLOTS)
    assert len({t.path for t in targets}) == len(targets)
    assert all(t.slot.utcoffset() == timedelta(0) for t in targets)
