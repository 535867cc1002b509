"""Series in the formats of other tools come back the same through the readers of these tools."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pvlib.iotools
import pytest
import xarray

from datalake_kit.demo.sky_model import typical_year_file
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.irradiance.exchange.export import export
from datalake_kit.irradiance.exchange.stations import read_pvgis, read_surfrad
from datalake_kit.irradiance.judging.components import dni
from datalake_kit.irradiance.judging.places import place_of

SURFRAD = Path(__file__).parents[1] / "data/irradiance/surfrad-slv16001.dat"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("pvgis") / "tmy.csv"
    path.write_bytes(typical_year_file())
    return read_pvgis(path, year=2025)


def satellite(days: int = 2, points: tuple[str, ...] = ("turin",)) -> pd.DataFrame:
    """Quarters of an hour as `read` gives them, from a sine of a day."""
    times = pd.date_range("2025-06-18", periods=96 * days, freq="15min", tz="UTC", name="time")
    hour = (times.hour + times.minute / 60).to_numpy()
    ghi = np.clip(900 * np.sin((hour - 4) / 16 * np.pi), 0, None)
    one = pd.DataFrame({"ghi": ghi, "fraction_diffuse": np.where(ghi > 0, 0.25, np.nan)}, index=times)
    one["fraction_diffuse"] = one["fraction_diffuse"].fillna(1.0)
    one["quality_flag"] = pd.array([0, 2] * (len(times) // 2), dtype="Int32")
    places = {
        p: {
            "point_id": p,
            "name": p.title(),
            "latitude": 45.0 + i,
            "longitude": 7.7,
            "altitude": 240.0,
            "scan_offset_seconds": 600.0 + 30 * i,
        }
        for i, p in enumerate(points)
    }
    frame = (
        one if len(points) == 1 else pd.concat([one * (1 if i == 0 else 0.5) for i in range(len(points))], keys=points)
    )
    frame.index.names = ["time"] if len(points) == 1 else ["point_id", "time"]
    frame.attrs = {
        "title": "A satellite",
        "synthetic": False,
        "units": {"ghi": "W/m2", "fraction_diffuse": "1"},
        "flags": {"quality_flag": {"masks": [1, 2], "meanings": ["no input", "low_sun"]}},
        "instantaneous": True,
        "step_seconds": 900,
        "points": places,
    }
    if len(points) == 1:
        frame.attrs["point"] = places[points[0]]
    return frame


def test_pvgis_files_come_back_through_pvlib_and_our_reader(tmp_path: Path, year: pd.DataFrame) -> None:
    (path,) = export(year, tmp_path / "deep" / "turin.csv")
    data, said = pvlib.iotools.read_pvgis_hourly(path)
    assert list(data) == [
        "poa_direct",
        "poa_sky_diffuse",
        "poa_ground_diffuse",
        "solar_elevation",
        "temp_air",
        "wind_speed",
        "Int",
    ]
    assert data.index[9] == pd.Timestamp("2025-01-01 09:11", tz="UTC")  # 09:00 and 0.1761 h
    assert data["poa_direct"].iloc[9] == 32.0
    sun = pvlib.solarposition.get_solarposition(data.index, 45.0, 8.0, 250.0)["elevation"].clip(lower=0)
    np.testing.assert_allclose(data["solar_elevation"], sun, atol=0.15)  # the label is to the minute
    assert said["inputs"]["elevation"] == 250
    back = read_pvgis(path)
    assert place_of(back).offset_seconds == 660
    for column in ("ghi", "dhi", "temp_air"):
        np.testing.assert_allclose(back[column], year[column], atol=0.006)


def test_ninja_files_have_three_comment_lines_and_kilowatts(tmp_path: Path) -> None:
    frame = satellite()
    (path,) = export(frame, tmp_path / "ninja.csv", format="ninja")
    assert isinstance(path, Path)
    lines = path.read_text().splitlines()
    assert all(line.startswith("#") for line in lines[:3])
    assert json.loads(lines[2][2:])["lat"] == 45.0
    table = pd.read_csv(path, comment="#", parse_dates=["time"])
    assert list(table) == ["time", "irradiance_direct", "irradiance_diffuse"]
    assert table["time"][1] == pd.Timestamp("2025-06-18 00:25")
    total = (table["irradiance_direct"] + table["irradiance_diffuse"]) * 1000
    np.testing.assert_allclose(total, frame["ghi"], atol=0.002)
    assert table["irradiance_diffuse"].max() == pytest.approx(0.225, abs=1e-5)


def test_a_diffuse_part_above_the_global_one_counts_as_the_global_one(tmp_path: Path) -> None:
    frame = satellite()
    frame["fraction_diffuse"] = 1.2
    (path,) = export(frame, tmp_path / "pvgis.csv")
    data = pvlib.iotools.read_pvgis_hourly(path)[0]
    assert (data["poa_direct"] == 0).all()
    np.testing.assert_allclose(data["poa_sky_diffuse"], frame["ghi"], atol=0.006)


def test_sam_files_come_back_through_pvlib(tmp_path: Path, year: pd.DataFrame) -> None:
    (path,) = export(year, tmp_path / "sam.csv", format="sam")
    data, said = pvlib.iotools.read_nsrdb_psm4(path)
    assert (said["latitude"], said["longitude"], said["altitude"]) == (
        45,
        8,
        250,
    )
    assert data.index[0] == pd.Timestamp("2025-01-01 00:10", tz="UTC")
    assert len(data) == 8760
    for column in ("ghi", "dni", "dhi", "temp_air", "wind_speed"):
        np.testing.assert_allclose(data[column], year[column], atol=1e-4)
    np.testing.assert_allclose(data["pressure"], year["pressure"] / 100, atol=1e-4)  # SAM's mbar


def test_sam_takes_a_whole_year_without_its_29th_of_february(tmp_path: Path, year: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="one calendar year in UTC, 8760 steps"):
        export(year.iloc[:-1], tmp_path / "sam.csv", format="sam")
    assert not list(tmp_path.iterdir())
    source = tmp_path / "tmy.csv"
    source.write_bytes(typical_year_file())
    (path,) = export(read_pvgis(source, year=2024), tmp_path / "sam.csv", format="sam")
    data, said = pvlib.iotools.read_nsrdb_psm4(path)
    assert len(data) == 8760
    assert "29 February left out" in said["Source"]


def test_a_computed_dni_is_nought_where_it_cannot_be_told(tmp_path: Path, year: pd.DataFrame) -> None:
    frame = year[["ghi", "dhi"]]
    (path,) = export(frame, tmp_path / "sam.csv", format="sam")
    written = pvlib.iotools.read_nsrdb_psm4(path)[0]["dni"].to_numpy()
    computed = dni(frame).to_numpy()
    assert np.isnan(computed).any()
    np.testing.assert_allclose(written, np.nan_to_num(computed), atol=1e-4)


def test_pvsyst_files_hold_whole_hours(tmp_path: Path) -> None:
    frame = satellite()
    (path,) = export(frame, tmp_path / "pvsyst.csv", format="pvsyst")
    assert isinstance(path, Path)
    lines = path.read_bytes().decode().split("\r\n")
    assert lines[0] == "#Meteo hourly data"
    header = dict(line.split(";")[:2] for line in lines if line.startswith("#") and ";" in line)
    assert (header["#Latitude"], header["#Altitude"], header["#Time Zone"]) == ("45.0", "240", "0")
    assert any("32.5 minutes past the hour" in line for line in lines)
    start = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    assert lines[start + 1] == ";;;;;W/m2;W/m2"
    table = pd.read_csv(io.StringIO("\n".join([lines[start], *lines[start + 2 :]])), sep=";")
    assert list(table) == ["Year", "Month", "Day", "Hour", "Minute", "GHI", "DHI"]
    assert table["Hour"].tolist() == [*range(24), *range(24)]
    np.testing.assert_allclose(table["GHI"], frame["ghi"].resample("1h").mean(), atol=0.006)
    with pytest.raises(DataError, match="whole days"):
        export(frame.iloc[:-4], tmp_path / "pvsyst.csv", format="pvsyst")
    with pytest.raises(DataError, match="has not 4 steps"):
        export(frame.iloc[:-1], tmp_path / "pvsyst.csv", format="pvsyst")


def test_a_typical_year_says_so_to_pvsyst(tmp_path: Path, year: pd.DataFrame) -> None:
    (path,) = export(year, tmp_path / "pvsyst.csv", format="pvsyst")
    assert isinstance(path, Path)
    assert path.read_text().startswith("#TMY hourly data")
    assert ";;;;;W/m2;W/m2;deg.C;m/sec" in path.read_text()


def test_netcdf_holds_points_as_stations(tmp_path: Path) -> None:
    frame = satellite(points=("turin", "milan"))
    frame.iloc[40, 0] = np.nan
    frame.iloc[41, 2] = pd.NA
    (path,) = export(frame, tmp_path / "points.nc", format="netcdf")
    with xarray.open_dataset(path) as data:
        assert data.attrs["featureType"] == "timeSeries"
        assert data["station_id"].values.tolist() == ["turin", "milan"]
        assert data["station_id"].attrs["cf_role"] == "timeseries_id"
        assert data["scan_offset"].values.tolist() == [600, 630]
        assert data["latitude"].values.tolist() == [45, 46]
        ghi = data["ghi"]
        assert ghi.dims == ("station", "time")
        assert ghi.attrs["standard_name"] == "surface_downwelling_shortwave_flux_in_air"
        assert (ghi.attrs["units"], ghi.attrs["cell_methods"]) == ("W m-2", "time: point")
        assert set(ghi.coords) == {"time", "latitude", "longitude", "altitude", "station_name"}
        for number, point in enumerate(("turin", "milan")):
            np.testing.assert_array_equal(ghi.values[number], frame.loc[point, "ghi"])
        flag = data["quality_flag"]
        assert flag.attrs["flag_meanings"] == "no_input low_sun"
        assert flag.attrs["flag_masks"].tolist() == [1, 2]
        assert np.isnan(flag.values[0, 41])
        assert pd.Timestamp(data["time"].values[1]) == pd.Timestamp("2025-06-18 00:15")


def test_netcdf_of_means_bounds_their_time(tmp_path: Path) -> None:
    frame = read_surfrad(SURFRAD)
    (path,) = export(frame, tmp_path / "slv.nc", format="netcdf")
    with xarray.open_dataset(path) as data:
        assert data["ghi"].attrs["cell_methods"] == "time: mean"
        bounds = data["time_bnds"].values
        assert (bounds[:, 1] - bounds[:, 0] == np.timedelta64(60, "s")).all()
        assert (bounds[:, 0] == data["time"].values).all()
        np.testing.assert_array_equal(data["dni"].values[0], frame["dni"])
        assert set(frame.columns) <= set(data.data_vars)
        assert "scan_offset" not in data


def test_netcdf_refuses_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Column remark holds"):
        export(satellite().assign(remark="x"), tmp_path / "x.nc", format="netcdf")
    assert not list(tmp_path.iterdir())


def test_parquet_holds_every_column_and_the_place(tmp_path: Path) -> None:
    frame = satellite()
    frame.iloc[3, 0] = np.nan
    frame.attrs["point"]["latitude"] = np.float64(45.0)
    (path,) = export(frame, tmp_path / "turin.parquet", format="parquet")
    back = pd.read_parquet(path)
    pd.testing.assert_frame_equal(back, frame, check_freq=False)
    assert place_of(back) == place_of(frame)
    assert back.attrs["flags"] == frame.attrs["flags"]


@pytest.mark.parametrize(
    ("form", "suffix"), [("pvgis", "csv"), ("ninja", "csv"), ("pvsyst", "csv"), ("parquet", "parquet")]
)
def test_several_points_become_a_file_each(tmp_path: Path, form: str, suffix: str) -> None:
    frame = satellite(points=("turin", "roof/1"))
    files = export(frame, tmp_path / "out", format=form)
    assert [f.name for f in files] == [f"turin.{suffix}", f"roof%2F1.{suffix}"]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == sorted(f.name for f in files)


@pytest.mark.parametrize("form", ["pvgis", "ninja", "sam", "pvsyst"])
def test_gaps_are_refused_with_their_number(tmp_path: Path, year: pd.DataFrame, form: str) -> None:
    frame = year.copy()
    frame.iloc[[9, 10, 500], frame.columns.get_loc("ghi")] = np.nan
    with pytest.raises(DataError, match=r"3 of 8760 steps have gaps .*2025-01-01 09:00"):
        export(frame, tmp_path / "gaps.csv", format=form)
    assert not list(tmp_path.iterdir())


def test_no_file_is_touched_when_one_point_of_several_cannot_be_written(tmp_path: Path) -> None:
    frame = satellite(points=("turin", "milan"))
    export(frame, tmp_path, format="ninja")
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    frame["ghi"] *= 1.1
    frame.iloc[-1, 0] = np.nan
    with pytest.raises(DataError, match="1 of 192 steps"):
        export(frame, tmp_path, format="ninja")
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before


def test_what_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    frame = satellite()
    target = tmp_path / "x.csv"
    with pytest.raises(ParameterError, match="pvsyst"):
        export(frame, target, format="pvsys")
    with pytest.raises(DataError, match="no rows"):
        export(frame.iloc[:0], target)
    with pytest.raises(ColumnNotFoundError, match="ghi"):
        export(frame.drop(columns="ghi"), target)
    with pytest.raises(ColumnNotFoundError, match="dhi"):
        export(frame[["ghi"]], target)
    with pytest.raises(DataError, match="zone"):
        export(frame.tz_localize(None), target)
    with pytest.raises(DataError, match="rise"):
        export(frame.iloc[::-1], target)
    with pytest.raises(DataError, match="place is not known"):
        export(pd.DataFrame(frame.to_dict("series")), target)
    wind: dict[str, Any] = {"units": {"wind_speed": "knots"}}
    odd = frame.assign(wind_speed=1.0)
    odd.attrs |= wind
    with pytest.raises(DataError, match="knots"):
        export(odd, target)
    assert not list(tmp_path.iterdir())


def test_times_of_another_zone_are_written_in_utc_and_the_frame_stays(tmp_path: Path) -> None:
    frame = satellite()
    local = frame.tz_convert("Europe/Rome")
    local.attrs = frame.attrs
    kept = local.copy()
    one, other = (export(f, tmp_path / f"{i}.csv")[0] for i, f in enumerate((frame, local)))
    assert one.read_bytes() == other.read_bytes()
    pd.testing.assert_frame_equal(local, kept)
