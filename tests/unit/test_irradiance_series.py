"""Series read back: regular steps, gaps as gaps, only what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import ColumnNotFoundError, DataError, PointNotFoundError
from datalake_kit.irradiance import daily_energy, extract, named_bits, read, select_point
from datalake_kit.lake import Lake, connect
from tests import satellite
from tests.satellite import DAY, POINTS


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    root = tmp_path_factory.mktemp("lake")
    files = satellite.write_day(root / "_raw", DAY) + satellite.write_day(root / "_raw", DAY + timedelta(days=2))
    files[3].unlink()
    extract(root / "_raw", POINTS, root / "irradiance" / "plants")
    with connect(root) as opened:
        yield opened


def test_one_point_has_a_row_for_every_step_and_gaps_are_nan(lake: Lake) -> None:
    frame = read(lake, "irradiance.plants", "turin")
    assert list(frame.columns) == ["ghi", "fraction_diffuse", "quality_flag", "dhi", "bhi"]
    assert frame.index.name == "time"
    assert str(frame.index.tz) == "UTC"
    assert len(frame) == 72  # three whole days
    assert frame.index.freq == pd.Timedelta(hours=1)
    gap = frame["ghi"].isna()
    assert gap.sum() == 25
    assert gap[DAY + timedelta(hours=3)]
    assert gap["2025-06-19"].all()
    assert frame["quality_flag"].isna().sum() == 25
    pd.testing.assert_series_equal(frame["dhi"], frame["ghi"] * frame["fraction_diffuse"], check_names=False)
    pd.testing.assert_series_equal(frame["bhi"], frame["ghi"] - frame["dhi"], check_names=False)


def test_values_are_those_that_were_stored(lake: Lake) -> None:
    frame = read(lake, "irradiance.plants", "milan")
    stored = lake.sql("SELECT time, ghi FROM irradiance.plants WHERE point_id = 'milan' ORDER BY time")
    assert frame["ghi"].dropna().tolist() == stored["ghi"].tolist()
    assert frame["ghi"].dropna().index.tz_localize(None).tolist() == stored["time"].tolist()


def test_attributes_say_units_place_and_scan(lake: Lake) -> None:
    frame = read(lake, "irradiance.plants", "turin")
    units = {"ghi": "W/m2", "fraction_diffuse": "1", "quality_flag": "", "dhi": "W/m2", "bhi": "W/m2"}
    assert frame.attrs["units"] == units
    assert frame.attrs["step_seconds"] == 3600
    assert frame.attrs["title"].startswith("LSA SAF")
    assert frame.attrs["tz"] == "UTC"
    assert frame.attrs["point"]["latitude"] == 45.07
    assert frame.attrs["point"]["scan_offset_seconds"] == pytest.approx(440 + 4 * 45.05)
    assert frame.attrs["instantaneous"] is True
    bits = named_bits(frame["quality_flag"], **frame.attrs["flags"]["quality_flag"])
    assert list(bits.columns) == ["sea", "cloudy", "night"]
    assert bits["night"].iloc[0] == bool(frame["quality_flag"].iloc[0] & 4)


def test_several_points_are_indexed_by_point_and_time(lake: Lake) -> None:
    frame = read(lake, "irradiance.plants", ["turin", "alba"], columns=["ghi"])
    assert frame.index.names == ["point_id", "time"]
    assert frame.index.get_level_values(0).unique().tolist() == ["turin", "alba"]
    one = read(lake, "irradiance.plants", "alba", columns=["ghi"])
    pd.testing.assert_frame_equal(frame.loc["alba"], one, check_freq=False)
    pd.testing.assert_frame_equal(select_point(frame, "alba"), one)
    assert select_point(frame, "alba").attrs["point"] == one.attrs["point"]
    assert select_point(frame, "alba").index.freq == one.index.freq
    with pytest.raises(PointNotFoundError, match="Did you mean alba"):
        select_point(frame, "abla")
    with pytest.raises(DataError, match="one point already"):
        select_point(one, "alba")
    assert set(read(lake, "irradiance.plants").index.get_level_values(0)) == {"turin", "alba", "milan"}


def test_a_window_is_half_open_in_any_zone(lake: Lake) -> None:
    frame = read(lake, "irradiance.plants", "turin", start="2025-06-18 10:00", stop="2025-06-18 12:00")
    assert frame.index.strftime("%H").tolist() == ["10", "11"]
    local = pd.Timestamp("2025-06-18 12:00", tz="Europe/Rome")
    assert read(lake, "irradiance.plants", "turin", start=local, stop=local + timedelta(hours=1)).index[0].hour == 10
    late = read(lake, "irradiance.plants", "turin", start="2025-06-20 23:00", stop="2025-06-21 02:00")
    assert late["ghi"].isna().tolist() == [False, True, True]


def test_other_days_stay_closed(lake: Lake) -> None:
    assert lake.root is not None
    broken = lake.root / "irradiance" / "plants" / "date=2025-06-20" / "points.parquet"
    kept = broken.read_bytes()
    broken.write_bytes(b"PAR1 cut short")
    try:
        with pytest.raises(DataError):
            read(lake, "irradiance.plants", "turin")
        assert len(read(lake, "irradiance.plants", "turin", stop="2025-06-19")) == 24
    finally:
        broken.write_bytes(kept)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"points": "torin"}, PointNotFoundError, "Did you mean turin"),
        ({"points": []}, PointNotFoundError, "No points were asked for"),
        ({"points": "turin", "columns": ["gih"]}, ColumnNotFoundError, "Did you mean ghi"),
        ({"points": "turin", "start": "2026-01-01"}, DataError, "no rows between"),
        ({"points": "turin", "start": "2025-06-19", "stop": "2025-06-18"}, DataError, "window is empty"),
        ({"points": "turin", "start": "soon"}, DataError, "Not a moment"),
        ({"points": "turin", "start": "june"}, DataError, "Not a moment: 'june'"),
        ({"points": "turin", "stop": "6/1/2025"}, DataError, "Not a moment"),
        ({"points": "turin", "start": 5}, DataError, "Not a moment: 5"),
        ({"points": "x'; DROP TABLE y"}, PointNotFoundError, "no point"),
    ],
)
def test_what_is_not_there_is_an_error(lake: Lake, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        read(lake, "irradiance.plants", **options)


def _table(lake: Lake, name: str, **columns: object) -> str:
    assert lake.root is not None
    folder: Path = lake.root / "other" / name
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return f"other.{name}"


def test_a_table_of_other_make_is_read_when_it_has_the_columns(lake: Lake) -> None:
    times = pd.date_range("2025-06-18", periods=4, freq="30min")[[0, 1, 3]]
    name = _table(lake, "plain", time=times, point_id=["a"] * 3, ghi=[1.0, 2.0, 3.0])
    frame = read(lake, name, "a", stop="2025-06-18 02:00")
    assert list(frame.columns) == ["ghi"]
    np.testing.assert_array_equal(frame["ghi"], [1.0, 2.0, np.nan, 3.0])


def test_a_table_that_is_none_of_points_and_rows_held_twice_are_errors(lake: Lake) -> None:
    with pytest.raises(DataError, match="no time"):
        read(lake, _table(lake, "alien", x=[1]), "a")
    times = pd.to_datetime(["2025-06-18 00:00", "2025-06-18 00:00", "2025-06-18 01:00"])
    with pytest.raises(DataError, match="held twice"):
        read(lake, _table(lake, "twice", time=times, point_id=["a"] * 3, ghi=[1.0, 2.0, 3.0]), "a")
    times = pd.to_datetime(["2025-06-18 00:00", "2025-06-18 00:15", "2025-06-18 00:40"])
    with pytest.raises(DataError, match="not on steps"):
        read(lake, _table(lake, "crooked", time=times, point_id=["a"] * 3, ghi=[1.0, 2.0, 3.0]), "a")


def test_energy_of_a_day_counts_gaps_as_nothing_and_says_so() -> None:
    index = pd.date_range("2025-06-18", periods=192, freq="15min", tz="UTC", name="time")
    frame = pd.DataFrame({"ghi": 100.0}, index=index)
    frame.attrs["point"] = {"latitude": 45.0, "longitude": 8.0}
    frame.iloc[96 + 40 : 96 + 52] = np.nan  # three hours of the second day, at noon
    days = daily_energy(frame)
    assert days["energy"].tolist() == pytest.approx([2.4, 2.1])
    assert days["complete"].tolist() == [True, False]
    assert days["coverage"].iloc[0] == 1.0
    assert 0.75 < days["coverage"].iloc[1] < 0.85
