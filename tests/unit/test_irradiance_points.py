"""Points: how they may be given, and the cells that stand for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datalake_kit.errors import ConfigError, DataError, NotFoundError, PointNotFoundError
from datalake_kit.irradiance import Grid, find_product, locate_points, read_points
from datalake_kit.irradiance.describing.product import IODC_MDSSFTD, MSG_MDSSFTD
from tests import satellite

GRID = Grid(satellite.LATITUDE, satellite.LONGITUDE)


def test_points_may_come_as_list_frame_or_csv(tmp_path: Path) -> None:
    rows = [("7", 45.0, 8.0), ("8", 44.5, 7.5)]
    expected = read_points(rows)
    frame = pd.DataFrame({"ID": [7, 8], "Lat": [45.0, 44.5], "Lon": ["8.0", 7.5]})
    frame.to_csv(tmp_path / "points.csv", index=False)
    for given in (frame, frame.set_index("ID"), tmp_path / "points.csv", str(tmp_path / "points.csv")):
        pd.testing.assert_frame_equal(read_points(given), expected)
    assert expected["point_id"].tolist() == ["7", "8"]


def test_names_and_altitudes_are_kept() -> None:
    frame = pd.DataFrame({"id": ["a"], "name": ["Alba"], "latitude": [44.7], "longitude": [8.0], "altitude": [172]})
    assert read_points(frame).iloc[0].to_dict() == {
        "point_id": "a", "latitude": 44.7, "longitude": 8.0, "name": "Alba", "altitude": 172,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "no points"),
        ([("a", 45.0, 8.0), ("a", 44.0, 8.0)], "more than once"),
        ([("a", float("nan"), 8.0)], "no place on Earth"),
        ([("a", 95.0, 190.0)], "no place on Earth"),
        ([("a", 120.0, 45.0)], "exchanged"),
        ([("a", 45.0)], "is \\(id, latitude, longitude\\)"),
        ([(None, 45.0, 8.0)], "no id"),
        (pd.DataFrame({"id": ["a"], "lat": [45.0]}), "no column for the longitude"),
        ("nowhere.csv", "No file of points"),
    ],
)
def test_points_that_are_none_say_why(points: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_points(points)  # type: ignore[arg-type]


def test_the_nearest_cell_is_found_with_its_distance() -> None:
    found = locate_points(read_points([("a", 45.07, 7.69), ("corner", 46.0, 7.0)]), GRID)
    assert found["cell_latitude"].tolist() == [45.05, 46.0]
    assert found["cell_longitude"].tolist() == [7.7, 7.0]
    assert found["distance_km"].tolist() == pytest.approx([2.359, 0.0], abs=0.001)


def test_nearest_is_nearest_everywhere() -> None:
    random = np.random.default_rng(1)
    points = [(n, random.uniform(44.06, 45.99), random.uniform(7.01, 9.44)) for n in range(200)]
    found = locate_points(read_points(points), GRID)
    rows = np.abs(satellite.LATITUDE[None].astype(float) - found["latitude"].to_numpy()[:, None]).argmin(1)
    columns = np.abs(satellite.LONGITUDE[None].astype(float) - found["longitude"].to_numpy()[:, None]).argmin(1)
    assert found["row"].tolist() == rows.tolist()
    assert found["column"].tolist() == columns.tolist()


def test_points_off_the_grid_are_all_listed_and_an_exchange_is_hinted_at() -> None:
    points = read_points([("in", 45.0, 8.0), ("far", 60.0, 8.0), ("swapped", 8.0, 45.0)])
    with pytest.raises(PointNotFoundError) as error:
        locate_points(points, GRID)
    text = str(error.value)
    assert "far (60, 8)" in text
    assert "swapped (8, 45)" in text
    assert "in (" not in text
    assert "With latitude and longitude exchanged, swapped would be on the grid" in text


def test_a_point_farther_than_the_limit_is_an_error() -> None:
    points = read_points([("a", 45.07, 7.69)])
    assert len(locate_points(points, GRID, max_distance_km=2.4)) == 1
    with pytest.raises(PointNotFoundError, match=r"a \(45.07, 7.69\): 2.4 km"):
        locate_points(points, GRID, max_distance_km=2.3)


def test_a_grid_rises_or_falls() -> None:
    with pytest.raises(DataError, match="latitudes of the file are no grid"):
        Grid(np.array([1.0, 3.0, 2.0]), np.array([1.0, 2.0]))


def test_a_million_points_are_located_in_a_moment() -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"id": np.arange(1_000_000), "lat": random.uniform(44.06, 45.99, 1_000_000), "lon": 8.0})
    assert len(locate_points(read_points(frame), GRID)) == 1_000_000


def test_products_say_slot_scan_and_variables() -> None:
    name = "NETCDF4_LSASAF_MSG-IODC_MDSSFTD_IODC-Disk_202506120915.nc"
    assert IODC_MDSSFTD.slot(f"2025/06/12/{name}") is not None
    assert MSG_MDSSFTD.slot(name) is None
    assert MSG_MDSSFTD.slot(name.replace("MSG-IODC", "MSG").replace("IODC", "MSG").replace("0612", "1399")) is None
    # a formula in use: 760 - (3201 - line) / 5 seconds, line counted from the south
    for latitude, line in ((45.0, 2501), (0.0, 1601), (-35.0, 901), (80.0, 3201)):
        assert MSG_MDSSFTD.scan_offset(latitude) == pytest.approx(760 - (3201 - line) / 5)
    assert [v.column for v in MSG_MDSSFTD.select(["ghi", "DSSF_TOT"])] == ["ghi"]
    with pytest.raises(ConfigError, match="Did you mean DSSF_TOT"):
        MSG_MDSSFTD.select(["DSSF_TOTAL"])
    with pytest.raises(NotFoundError, match="MSG_MDSSFTD"):
        find_product("MSG_MDSSFT")
