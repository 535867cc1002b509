"""Files of stations and of PVGIS become frames of a series; what is no such file is refused by name."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit.demo.sky_model import typical_year_file
from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.exchange.stations import read_bsrn, read_pvgis, read_surfrad
from datalake_kit.irradiance.judging.places import place_of
from datalake_kit.irradiance.judging.solar import solar_position

SURFRAD = Path(__file__).parents[1] / "data/irradiance/surfrad-slv16001.dat"


@pytest.fixture(scope="module")
def typical_year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pvgis") / "tmy_45.000_8.000_2005_2023.csv"
    path.write_bytes(typical_year_file())
    return path


def bsrn_text(minutes: int = 4, *, first_day: int = 1) -> str:
    """A station-to-archive file of Payerne, June 2016, by the columns of GCOS-174."""
    lines = [
        "*U0001",
        " 21  6 2016  1",
        "    1    2    3    4    5   21   22   23   -1   -1",
        "*U0002",
        " 1  0  0",
        "*C0004",
        " -1 -1 -1",
        "  1  2",
        "Payerne, Switzerland",
        f"{'+41 26 662 62 11':<20} {'-':<20}",
        f"{'-':<15} {'nobody@example.org':<50}",
        f"{'136.815':>7} {'186.944':>7} {'491':>4} {'06610':>5}",
        " -1 -1 -1",
        "   0  5  90  6 180  4 270  7  -1 -1",
        "*U0100",
    ]
    for minute in range(minutes):
        ghi = -999 if minute == 2 else 500 + minute
        lines.append(f" {first_day:2d} {minute:4d} {_four(ghi)} {_four(800)}")
        lines.append(f"{'':<8} {_four(100)} {_four(320)}    {15.5:5.1f} {60.5:5.1f} {960:4d}")
    return "\n".join(lines) + "\n"


def _four(value: int) -> str:
    return f"  {value:4d} {1.0:5.1f} {value - 1:4d} {value + 1:4d}"


def test_surfrad_labels_minutes_by_their_start_and_lies_in_the_west() -> None:
    frame = read_surfrad(SURFRAD)
    assert frame.index[0] == pd.Timestamp("2015-12-31 23:59", tz="UTC")
    assert len(frame) == 1440
    assert frame.index.freq is not None
    assert frame.index.name == "time"
    assert frame.attrs["point"] == {
        "point_id": "slv",
        "name": "Alamosa",
        "latitude": 37.70,
        "longitude": -105.92,
        "altitude": 2317.0,
        "scan_offset_seconds": 0.0,
    }
    assert (frame.attrs["step_seconds"], frame.attrs["instantaneous"], frame.attrs["synthetic"]) == (60, False, False)
    assert frame.loc["2016-01-01 18:59", "ghi"].item() == 579.1
    assert frame["ghi"].max() == 580.3
    assert frame.attrs["units"]["ghi"] == "W/m2"
    assert frame.attrs["origin"] == "measured"


def test_the_instant_of_a_surfrad_minute_is_the_one_whose_zenith_the_file_states() -> None:
    frame = read_surfrad(SURFRAD)
    day = frame["solar_zenith"] < 80
    assert place_of(frame).offset_seconds == 30
    apart = (solar_position(frame)["apparent_zenith"] - frame["solar_zenith"])[day].abs().mean()
    assert apart < 0.02  # a label off by half a minute would give 0.05


def test_minutes_that_surfrad_left_out_are_gaps(tmp_path: Path) -> None:
    lines = SURFRAD.read_text().splitlines(keepends=True)
    path = tmp_path / "slv16001.dat"
    path.write_text("".join(lines[:300] + lines[310:]))
    frame = read_surfrad(path)
    assert len(frame) == 1440
    assert frame["ghi"].isna().sum() == 10


def test_a_typical_year_stands_on_one_calendar_year(typical_year: Path) -> None:
    frame = read_pvgis(typical_year, year=2025)
    assert len(frame) == 8760
    assert set(frame.index.year) == {2025}
    assert frame.loc["2025-01-01 09:00", ["ghi", "dni", "dhi"]].tolist() == [149.0, 125.3, 117.0]
    assert frame.loc["2025-12-31 12:00", "ghi"] == 369.0
    assert frame.attrs["typical_year"]["calendar_year"] == 2025
    assert frame.attrs["typical_year"]["months"][2] == 2007
    place = place_of(frame)
    assert (place.latitude, place.longitude, place.altitude) == (45.0, 8.0, 250.0)
    assert place.offset_seconds == pytest.approx(0.1761 * 3600)
    assert frame.attrs["instantaneous"]
    assert frame.attrs["units"]["pressure"] == "Pa"
    assert not np.signbit(frame["dni"]).any()
    assert frame["ghi"].sum() == pytest.approx(1435861)


def test_of_a_leap_year_the_29th_of_february_is_a_gap(typical_year: Path) -> None:
    frame = read_pvgis(typical_year, year=2024)
    assert len(frame) == 8784
    assert frame.loc["2024-02-29"].isna().all(axis=None)
    assert frame.attrs["point"]
    assert frame.isna().sum().max() == 24
    assert set(read_pvgis(typical_year).index.year) == {1990}
    with pytest.raises(DataError, match="year=0"):
        read_pvgis(typical_year, year=0)


def hourly_csv(slope: int = 0, database: str = "PVGIS-SARAH3", minute: int = 10) -> str:
    rows = [
        f"20200601:{h:02d}{minute:02d},{b},{50.0 if b else 0.0},0.0,{b / 10},20.5,1.2,0.0"
        for h, b in enumerate([0, 0, 300, 400])
    ]
    head = [
        "Latitude (decimal degrees):\t45.000",
        "Longitude (decimal degrees):\t8.000",
        "Elevation (m):\t250",
        f"Radiation database:\t{database}",
        "",
        "",
        f"Slope: {slope} deg. ",
        "Azimuth: 0 deg. ",
        "time,Gb(i),Gd(i),Gr(i),H_sun,T2m,WS10m,Int",
    ]
    return "\r\n".join([*head, *rows, "", "Gb(i): Beam irradiance", "PVGIS (c) European Union", ""])


def test_an_hourly_series_on_the_horizontal_plane_has_ghi(tmp_path: Path) -> None:
    path = tmp_path / "Timeseries.csv"
    path.write_text(hourly_csv())
    frame = read_pvgis(path)
    assert frame["ghi"].tolist() == [0, 0, 350, 450]
    assert frame["bhi"].tolist() == [0, 0, 300, 400]
    assert frame.index[0] == pd.Timestamp("2020-06-01", tz="UTC")
    assert place_of(frame).offset_seconds == 600
    assert "SARAH3" in frame.attrs["source"]


def test_a_tilted_plane_gives_no_ghi_and_a_reanalysis_gives_means(tmp_path: Path) -> None:
    path = tmp_path / "Timeseries.csv"
    path.write_text(hourly_csv(slope=35, database="PVGIS-ERA5", minute=30))
    frame = read_pvgis(path)
    assert "ghi" not in frame
    assert frame["poa_direct"].max() == 400
    assert not frame.attrs["instantaneous"]
    assert place_of(frame).offset_seconds == 1800


def test_hourly_and_typical_json_are_told_by_content(tmp_path: Path, typical_year: Path) -> None:
    place = {"latitude": 45.0, "longitude": 8.0, "elevation": 250.0}
    fixed = {"fixed": {"slope": {"value": 0}, "azimuth": {"value": 0}}}
    rows = [{"time": f"20200601:{h:02d}10", "Gb(i)": 10.0, "Gd(i)": 5.0, "Gr(i)": 0.0, "Int": 0.0} for h in range(3)]
    said: dict[str, Any] = {
        "inputs": {"location": place, "meteo_data": {"radiation_db": "PVGIS-SARAH3"}, "mounting_system": fixed},
        "outputs": {"hourly": rows},
        "meta": {"inputs": {}},
    }
    hourly = tmp_path / "anything.txt"
    hourly.write_text(json.dumps(said))
    frame = read_pvgis(hourly)
    assert frame["ghi"].tolist() == [15.0] * 3
    assert frame.attrs["point"]["altitude"] == 250.0

    year = read_pvgis(typical_year, year=2025)
    months = year.attrs["typical_year"]["months"]
    hours = [
        {"time(UTC)": f"{months[t.month]}{t:%m%d:%H%M}", "G(h)": g, "Gb(n)": 0.0, "Gd(h)": g}
        for t, g in year["ghi"].items()
    ]
    said["outputs"] = {"months_selected": [{"month": m, "year": y} for m, y in months.items()], "tmy_hourly": hours}
    said["inputs"]["location"] = place | {"irradiance_time_offset": 0.1761}
    (tmp_path / "tmy.json").write_text(json.dumps(said))
    same = read_pvgis(tmp_path / "tmy.json", year=2025)
    pd.testing.assert_series_equal(same["ghi"], year["ghi"], check_freq=False)
    assert place_of(same).offset_seconds == pytest.approx(633.96)


@pytest.mark.parametrize("zipped", [False, True])
def test_bsrn_minutes_keep_their_labels(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / ("pay0616.dat.gz" if zipped else "pay0616.dat")
    path.write_bytes(gzip.compress(bsrn_text().encode()) if zipped else bsrn_text().encode())
    frame = read_bsrn(path)
    assert frame.index[0] == pd.Timestamp("2016-06-01", tz="UTC")
    assert frame.attrs["step_seconds"] == 60
    assert frame["ghi"].tolist()[:2] == [500, 501]
    assert np.isnan(frame["ghi"].iloc[2])
    assert frame[["dni", "dhi", "lwd", "temp_air", "pressure"]].iloc[0].tolist() == [800, 100, 320, 15.5, 960]
    point = frame.attrs["point"]
    assert (point["point_id"], point["altitude"]) == ("pay", 491.0)
    assert (point["latitude"], point["longitude"]) == (pytest.approx(46.815), pytest.approx(6.944))
    assert place_of(frame).offset_seconds == 30


def test_a_bsrn_file_of_another_name_is_known_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "june.dat"
    path.write_text(bsrn_text())
    assert read_bsrn(path).attrs["point"]["point_id"] == "bsrn-21"


READERS = {"pvgis": read_pvgis, "surfrad": read_surfrad, "bsrn": read_bsrn}
BAD = {
    "empty": b"",
    "blank": b"\n\n",
    "page": b"<!DOCTYPE html><html><body>503</body></html>\n",
    "zeros": b"\0" * 100,
    "one line": b"Alamosa\n",
    "json": b'{"outputs": {}}',
    "broken json": b'{"outputs": ',
    "half a gzip": gzip.compress(bsrn_text().encode())[:200],
    "other text": b"time,ghi\n2020-01-01,1\n2020-01-02,2\n\n",
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("content", BAD)
def test_bad_files_are_refused_by_name(tmp_path: Path, kind: str, content: str) -> None:
    path = tmp_path / "wrong.dat"
    path.write_bytes(BAD[content])
    with pytest.raises(UnreadableFileError, match=r"wrong\.dat is no whole"):
        READERS[kind](path)


@pytest.mark.parametrize("kind", READERS)
def test_missing_files_and_folders_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnreadableFileError, match="There is no file"):
        READERS[kind](tmp_path / "gone")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        READERS[kind](tmp_path)


def test_files_of_one_kind_are_refused_as_another(tmp_path: Path, typical_year: Path) -> None:
    bsrn = tmp_path / "pay0616.dat"
    bsrn.write_text(bsrn_text())
    for kind, files in {
        "pvgis": (SURFRAD, bsrn),
        "surfrad": (bsrn, typical_year),
        "bsrn": (SURFRAD, typical_year),
    }.items():
        for path in files:
            with pytest.raises(UnreadableFileError, match=path.name):
                READERS[kind](path)


WHOLE = {
    "surfrad": b"".join(SURFRAD.read_bytes().splitlines(keepends=True)[:40]),
    "bsrn": bsrn_text().encode(),
    "pvgis": hourly_csv().encode(),
    "pvgis year": typical_year_file(),
}


def test_a_table_cut_short_between_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_bytes(b"".join(hourly_csv().encode().splitlines(keepends=True)[:-4]))
    with pytest.raises(UnreadableFileError, match=r"short\.csv .*ends within the table"):
        read_pvgis(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["surfrad", "bsrn", "pvgis"]),
    damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=5),
)
def test_damaged_files_never_fail_in_another_way(tmp_path: Path, kind: str, damage: list[tuple[float, int]]) -> None:
    content = bytearray(WHOLE[kind])
    for where, byte in damage:
        content[int(where * len(content))] = byte
    path = tmp_path / "damaged.dat"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        frame = READERS[kind](path)
        assert str(frame.index.tz) == "UTC"
        assert frame.attrs["point"]


@pytest.mark.parametrize("kind", ["surfrad", "bsrn", "pvgis", "pvgis year"])
@pytest.mark.parametrize("share", [0.3, 0.8, 0.9])
def test_a_file_cut_short_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "short.dat"
    length = int(len(WHOLE[kind]) * share)
    path.write_bytes(WHOLE[kind][:length])
    with pytest.raises(UnreadableFileError, match=r"short\.dat"):
        READERS[kind.split()[0]](path)
