"""Series read back: regular steps, gaps as gaps, only what was asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import (
    ColumnNotFoundError,
    DataError,
    ParameterError,
    PointNotFoundError,
    TableNotFoundError,
    UnreadableFileError,
)
from datalake_kit.irradiance import daily_energy, extract, named_bits, read, select_point
from datalake_kit.irradiance.stored.months import compact
from datalake_kit.irradiance.stored.per_point import repartition
from datalake_kit.irradiance.stored.series import _Sql
from datalake_kit.lake import Lake, connect
from tests import satellite
from tests.points_tables import truth, write_days
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


# --- the three layouts, read straight from their files and by SQL

IDS = ["7", "12", "roof 3/south", "turin"]
LAYOUTS = ["days", "months", "points"]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A month and a half around new year in three layouts: a day missing, a point that comes late, one of one day."""
    root = tmp_path_factory.mktemp("laid")
    days = root / "solar" / "days"
    write_days(days, "2024-12-20", 45, IDS)
    write_days(days, "2025-01-20", 3, [*IDS, "late"])
    write_days(days, "2024-12-22", 1, [*IDS, "once"])
    write_days(days, "2025-01-03", 1, IDS, slots=[1, 2, 6])
    shutil.rmtree(days / "date=2025-01-04")
    compact(days, root / "solar" / "months", closed=False)
    repartition(days, root / "solar" / "points")
    numbers = root / "numbers" / "points"
    write_days(root / "numbers" / "days", "2025-01-01", 2, ["7", "12"])
    repartition(root / "numbers" / "days", numbers)
    with connect(root) as opened:
        yield opened


def _by_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "datalake_kit.irradiance.stored.series._open_source", lambda lake, table: _Sql(lake, lake.table(table))
    )


ASKED = [
    {"points": "turin"},
    {"points": ["turin", "7", "late"]},
    {"points": None, "columns": ["ghi", "scan_time"]},
    {"points": "once"},
    {"points": ["roof 3/south"], "columns": ["bhi"]},
    {"points": "turin", "start": "2025-01-02 05:00", "stop": "2025-01-06"},
    {"points": ["12", "7"], "start": "2024-12-31", "columns": ["quality_flag", "dhi"], "tz": "Asia/Kathmandu"},
    {"points": "turin", "stop": "2025-01-01"},
    {"points": "turin", "start": "2025-01-31T23:00", "stop": "2025-02-07"},
    {"points": ["late", "7"], "start": "2025-01-30"},
]


@pytest.mark.parametrize("asked", ASKED, ids=[str(n) for n in range(len(ASKED))])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_and_way_gives_the_same(
    laid: Lake, layout: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = read(laid, f"solar.{layout}", **asked)
    expected = direct if layout == "days" else read(laid, "solar.days", **asked)
    pd.testing.assert_frame_equal(direct, expected)
    assert direct.attrs | {"table": ""} == expected.attrs | {"table": ""}
    _by_sql(monkeypatch)
    by_sql = read(laid, f"solar.{layout}", **asked)
    pd.testing.assert_frame_equal(direct, by_sql)
    assert direct.attrs == by_sql.attrs
    assert direct.attrs["table"] == f"solar.{layout}"


def test_values_of_every_layout_are_those_of_the_days(laid: Lake) -> None:
    assert laid.root is not None
    stored = truth(laid.root / "solar" / "days")
    for layout in LAYOUTS:
        frame = (
            read(laid, f"solar.{layout}", columns=["ghi", "quality_flag"]).dropna(subset=["quality_flag"]).reset_index()
        )
        assert frame["point_id"].tolist() == stored["point_id"].tolist()
        assert frame["time"].dt.tz_localize(None).tolist() == stored["time"].tolist()
        np.testing.assert_array_equal(frame["ghi"], stored["ghi"])


def test_points_that_are_numbers_are_text_in_every_layout(laid: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = read(laid, "numbers.points", ["7", "12"])
    assert frame.index.get_level_values(0).unique().tolist() == ["7", "12"]
    assert laid.table("numbers.points").columns[-1].type == "bigint"  # as DuckDB and awswrangler take it
    _by_sql(monkeypatch)
    pd.testing.assert_frame_equal(read(laid, "numbers.points", ["7", "12"]), frame)
    with pytest.raises(PointNotFoundError, match="no point '8'"):
        read(laid, "numbers.points", "8")


WINDOW = {"start": "2025-01-05", "stop": "2025-01-07"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_other_days_and_points_stay_closed(laid: Lake, layout: str, tmp_path: Path) -> None:
    assert laid.root is not None
    expected = read(laid, f"solar.{layout}", "turin", **WINDOW)
    shutil.copytree(laid.root / "solar" / layout, tmp_path / "db" / layout)
    wanted = {"days": ["date=2025-01-05", "date=2025-01-06"], "months": ["month=2025-01"], "points": ["point_id=turin"]}
    for file in (tmp_path / "db" / layout).rglob("*.parquet"):
        if file.parent.name not in wanted[layout] or file.name == "2024.parquet":
            file.write_bytes(b"poison")
    if layout == "months":  # the newest says what is known of the table
        shutil.copy(laid.root / "solar/months/month=2025-02/points.parquet", tmp_path / "db/months/month=2025-02")
        shutil.rmtree(tmp_path / "db/months/month=2024-12")
    with connect(tmp_path) as copy:
        pd.testing.assert_frame_equal(read(copy, f"db.{layout}", "turin", **WINDOW), expected)


def test_row_groups_of_other_points_stay_closed(tmp_path: Path) -> None:
    ids = [f"p{n:03d}" for n in range(60)]
    write_days(tmp_path / "db" / "days", "2025-01-30", 2, ids)
    compact(tmp_path / "db" / "days", tmp_path / "db" / "months")
    with connect(tmp_path) as lake:
        for layout, file in (("months", "month=2025-01/points.parquet"), ("days", "date=2025-01-30/points.parquet")):
            expected = read(lake, f"db.{layout}", "p055", stop="2025-01-31")
            path = tmp_path / "db" / layout / file
            footer = pq.read_metadata(path)
            data = bytearray(path.read_bytes())
            begin = 4
            last = footer.row_group(footer.num_row_groups - 1).column(0)
            end = last.dictionary_page_offset or last.data_page_offset
            data[begin:end] = b"\x99" * (end - begin)
            path.write_bytes(data)
            pd.testing.assert_frame_equal(read(lake, f"db.{layout}", "p055", stop="2025-01-31"), expected)
            with pytest.raises(UnreadableFileError, match=r"points.parquet"):
                read(lake, f"db.{layout}", "p001", stop="2025-01-31")


def test_a_zone_is_shown_by_asking_and_steps_stay_instants(laid: Lake) -> None:
    utc = read(laid, "solar.points", "turin")
    local = read(laid, "solar.points", "turin", tz="Europe/Rome")
    assert str(local.index.tz) == local.attrs["tz"] == "Europe/Rome"
    assert local.index[0].hour == 1
    assert local.index.freq == utc.index.freq
    np.testing.assert_array_equal(local.index.tz_convert("UTC"), utc.index)
    several = read(laid, "solar.days", ["turin", "7"], tz="Europe/Rome")
    assert str(several.index.levels[1].tz) == "Europe/Rome"
    pd.testing.assert_frame_equal(select_point(several, "turin"), local)
    with pytest.raises(ParameterError, match="Did you mean Europe/Rome"):
        read(laid, "solar.points", "turin", tz="Europe/Roma")


def test_days_of_a_zone_have_as_many_steps_as_they_have_hours(tmp_path: Path) -> None:
    write_days(tmp_path / "db" / "spring", "2025-03-28", 5, slots=range(8))
    write_days(tmp_path / "db" / "autumn", "2025-10-24", 5, slots=range(8))
    with connect(tmp_path) as lake:
        for table, day, hours in (("db.spring", "2025-03-30", 23), ("db.autumn", "2025-10-26", 25)):
            start = pd.Timestamp(day, tz="Europe/Rome")
            frame = read(lake, table, "turin", start=start, stop=start + pd.offsets.Day(1), tz="Europe/Rome")
            inside = pd.date_range("2025-01-01", periods=3000, freq="3h", tz="UTC").tz_convert("Europe/Rome")
            assert len(frame) == (inside.strftime("%Y-%m-%d") == day).sum()
            assert frame.index.is_unique
            assert (frame.index[-1] - frame.index[0]) < timedelta(hours=hours)
            assert (frame.index.strftime("%Y-%m-%d") == day).all()
            assert frame["ghi"].notna().any()


def test_the_instant_of_the_scan_by_asking(laid: Lake) -> None:
    frame = read(laid, "solar.months", "turin", columns=["ghi", "scan_time"])
    offset = timedelta(seconds=frame.attrs["point"]["scan_offset_seconds"])
    assert (frame["scan_time"] - frame.index == offset).all()
    assert str(frame["scan_time"].dt.tz) == "UTC"
    assert frame.attrs["scan_uncertainty_seconds"] > 0
    assert "scan_time" not in read(laid, "solar.months", "turin")
    assert frame.attrs["point"]["altitude"] == 103.0
    several = read(laid, "solar.days", ["turin", "7"], columns=["scan_time"])
    assert (several.loc["turin", "scan_time"] == frame["scan_time"]).all()
    assert several.loc["7", "scan_time"].iloc[0] != frame["scan_time"].iloc[0]


def test_no_scan_time_where_none_is_known(lake: Lake) -> None:
    times = pd.date_range("2025-06-18", periods=3, freq="h")
    name = _table(lake, "still", time=times, point_id=["a"] * 3, ghi=[1.0, 2.0, 3.0])
    with pytest.raises(ColumnNotFoundError, match="does not say when its lines are scanned"):
        read(lake, name, "a", columns=["ghi", "scan_time"])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"points": ["turin", "torin", "xyz"]},
            PointNotFoundError,
            r"no point 'torin'. Did you mean turin.* Nor 'xyz'",
        ),
        ({"points": ""}, PointNotFoundError, "no point ''"),
        ({"points": []}, PointNotFoundError, "No points were asked for"),
        ({"points": "turin", "columns": ["gih"]}, ColumnNotFoundError, "Did you mean ghi"),
        ({"points": "turin", "columns": ["date", "month"]}, ColumnNotFoundError, "no column 'date'"),
        ({"points": "turin", "columns": "ghi"}, ColumnNotFoundError, "list of names"),
        ({"points": "turin", "stop": "2024-01-01"}, DataError, "no rows between its beginning and 2024-01-01"),
        ({"points": "turin", "start": "2031-01-01"}, DataError, "no rows between 2031"),
        ({"points": "once", "start": "2025-01-01"}, DataError, "no rows between"),
        ({"points": "turin", "start": "2025-01-04", "stop": "2025-01-05"}, DataError, "no rows between"),
    ],
)
def test_what_no_layout_holds_is_an_error_in_both_ways(
    laid: Lake,
    layout: str,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(error, match=message):
        read(laid, f"solar.{layout}", **options)
    _by_sql(monkeypatch)
    with pytest.raises(error, match=message):
        read(laid, f"solar.{layout}", **options)


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    write_days(tmp_path / "db" / "days", "2025-01-30", 2, slots=[])
    repartition(tmp_path / "db" / "days", tmp_path / "db" / "points")
    assert list((tmp_path / "db" / "points").rglob("*.parquet")) == []
    compact(tmp_path / "db" / "days", tmp_path / "db" / "months")
    with connect(tmp_path) as lake:
        for layout, points in (("days", "turin"), ("days", None), ("months", None)):
            with pytest.raises(DataError, match="no rows between its beginning and its end"):
                read(lake, f"db.{layout}", points)
        with pytest.raises(PointNotFoundError, match="There are none"):
            read(lake, "db.months", "turin")


def test_a_column_that_other_days_alone_have_is_a_gap(tmp_path: Path) -> None:
    table = tmp_path / "db" / "days"
    write_days(table, "2025-01-01", 3)
    file = table / "date=2025-01-02" / "points.parquet"
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["quality_flag"]), file)
    with connect(tmp_path) as lake:
        frame = read(lake, "db.days", "turin", start="2025-01-02", stop="2025-01-03", columns=["quality_flag", "ghi"])
        assert frame["quality_flag"].isna().all()
        assert frame["ghi"].notna().sum() == 7
        assert read(lake, "db.days", "turin")["quality_flag"].isna().sum() == 8


def test_names_are_found_as_sql_finds_them(laid: Lake) -> None:
    assert laid.root is not None
    pd.testing.assert_frame_equal(read(laid, "SOLAR.Days", "turin"), read(laid, "solar.days", "turin"))
    pd.testing.assert_frame_equal(read(laid, laid.table("solar.days"), "turin"), read(laid, "solar.days", "turin"))
    with connect(laid.root, database="solar") as short:
        pd.testing.assert_frame_equal(read(short, "days", "turin"), read(laid, "solar.days", "turin"))
    with pytest.raises(TableNotFoundError, match="Did you mean days"):
        read(laid, "solar.dayz", "turin")
