"""Points: how they may be given, and the cells that stand for them."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.errors import ConfigError, DataError, NotFoundError, PointNotFoundError
from datalake_kit.irradiance import Grid, extract, find_product, locate_points, read, read_points, repartition
from datalake_kit.irradiance.describing.point_forms import index_points
from datalake_kit.irradiance.describing.product import IODC_MDSSFTD, MSG_MDSSFTD
from tests import satellite

GRID = Grid(satellite.LATITUDE, satellite.LONGITUDE)


def test_points_may_come_as_list_frame_or_csv(tmp_path: Path) -> None:
    rows = [("7", 45.0, 8.0), ("8", 44.5, 7.5)]
    expected = read_points(rows)
    frame = pd.DataFrame({"ID": [7, 8], "Lat": [45.0, 44.5], "Lon": ["8.0", 7.5]})
    frame.to_csv(tmp_path / "points.csv", index=False)
    for as_given in (frame, frame.set_index("ID"), tmp_path / "points.csv", str(tmp_path / "points.csv")):
        pd.testing.assert_frame_equal(read_points(as_given), expected)
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
        ([("a", 45.0, 8.0), "abc"], "is \\(id, latitude, longitude\\)"),
        ([3], "is \\(id, latitude, longitude\\)"),
        (
            pd.DataFrame({"id": ["a"], "lat": [45.0], "Latitude": [44.0], "lon": [8.0]}),
            "several columns .* lat, latitude",
        ),
        (pd.DataFrame({"id": ["a"], "ID ": ["b"], "lat": [45.0], "lon": [8.0]}), "several columns .* id, id"),
        ([("a", None, 8.0)], "a \\(nan, 8.0\\)"),
        ([("a", "north", 8.0)], "no place on Earth"),
        ([("a\nb", 45.0, 8.0)], "without control characters, not 'a\\\\nb'"),
        ([(" ", 45.0, 8.0)], "at least one character"),
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


def test_a_csv_keeps_ids_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "\ufeffID, Lat, Lon, Altitude\n007, 45.0, 8.0, 250\nNA, 44.5, 7.5,\n", encoding="utf-8"
    )
    found = read_points(tmp_path / "p.csv")
    assert found["point_id"].tolist() == ["007", "NA"]
    assert found["latitude"].tolist() == [45.0, 44.5]
    assert found["altitude"].tolist()[0] == 250
    assert np.isnan(found["altitude"].tolist()[1])


def test_a_csv_with_semicolons_and_decimal_commas_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("id;lat;lon;name\na,1;45,07;7,69; Turin, centre \n", encoding="utf-8")
    found = read_points(tmp_path / "p.csv").iloc[0]
    assert found.to_dict() == {"point_id": "a,1", "latitude": 45.07, "longitude": 7.69, "name": "Turin, centre"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("id,lat,lon\na,45,07,7,69\n", "line 2 has 5 cells"),
        ("id,lat,lon\n", "no points"),
        ("<html><body>no</body></html>\n", "no column for the id"),
        ("id,lat,lon,altitude\na,45,8,high\n", "metres above the sea, not 'high'"),
        ("id,lat,lon\n,45,8\n", "at least one character"),
        ("{not json", "no GeoJSON"),
        ('{"type": "Topology"}', "FeatureCollection or a Feature, not Topology"),
        ('{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}}', "feature 0 is no Point"),
        ('{"type": "Feature", "geometry": {"type": "Point", "coordinates": [8]}}', "longitude and latitude"),
    ],
)
def test_files_that_hold_no_points_say_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_points(tmp_path / "p.csv")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("id,lat,lon,name\na,45,8,Münster\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_points(tmp_path / "p.csv")


def test_geojson_gives_points_with_their_ids_names_and_altitudes(tmp_path: Path) -> None:
    def feature(number: int, **more: object) -> dict[str, object]:
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [8.0 + number, 45.0]}} | more

    document = {
        "type": "FeatureCollection",
        "features": [
            feature(0, id=7, properties={"Name": "Alba", "altitude": 172}),
            feature(1, properties={"station": "s1", "colour": "red"}),
            feature(2, properties=None),
        ],
    }
    (tmp_path / "p.geojson").write_text(json.dumps(document), encoding="utf-8")
    for as_given in (document, tmp_path / "p.geojson"):
        found = read_points(as_given)
        assert found["point_id"].tolist() == ["7", "s1", "2"]
        assert found["longitude"].tolist() == [8.0, 9.0, 10.0]
        assert found["latitude"].tolist() == [45.0] * 3
        assert found["altitude"].tolist()[0] == 172


def test_index_pairs_are_the_cells_themselves() -> None:
    pairs = index_points([(0, 0), (19, 14)])
    for as_given in (pairs, pairs.rename(columns={"row": "lat_index", "column": "Lon_Index"})):
        found = locate_points(read_points(as_given), GRID)
        assert found["point_id"].tolist() == ["0", "1"]
        assert found[["row", "column"]].to_numpy().tolist() == [[0, 0], [19, 14]]
        assert found["latitude"].tolist() == found["cell_latitude"].tolist() == [46.0, 45.05]
        assert found["longitude"].tolist() == [7.0, 7.7]
        assert found["distance_km"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("pairs", [[(0.5, 1)], [(-1, 1)], [(0, "x")], [(0, 1, 2, 3)], [(0,)]])
def test_index_pairs_that_are_none_are_refused(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(DataError):
        index_points(pairs)


def test_index_pairs_off_the_grid_are_listed() -> None:
    with pytest.raises(PointNotFoundError, match=r"1 points are off the grid, which has 40 rows .*: a \(column 50\)"):
        locate_points(read_points(index_points([("a", 0, 50), ("b", 0, 49)])), GRID)


def test_a_grid_that_counts_from_0_to_360_holds_points_in_the_west() -> None:
    grid = Grid(np.linspace(90, -90, 361), np.arange(0, 360, 0.5))
    found = locate_points(read_points([("w", 40, -5.1), ("s", 40, -0.1), ("e", 40, 359.9)]), grid, max_distance_km=30)
    assert found["cell_longitude"].tolist() == [355.0, 0.0, 0.0]
    assert found["distance_km"].max() < 10


def test_of_many_points_that_are_far_ten_are_named() -> None:
    frame = pd.DataFrame({"id": np.arange(20_000), "lat": 10.0, "lon": 8.0})
    with pytest.raises(PointNotFoundError, match=r"20000 points have no grid cell .* and 19990 more"):
        locate_points(read_points(frame), GRID)


def test_numbers_as_ids_are_text_and_odd_ids_stay_what_they_are() -> None:
    frame = pd.DataFrame({"id": [1.0, 2.0], "lat": 45.0, "lon": 8.0})
    assert read_points(frame)["point_id"].tolist() == ["1", "2"]
    assert read_points(frame.assign(id=[1.5, 2.0]))["point_id"].tolist() == ["1.5", "2.0"]
    odd = ["../etc", "a=b", "100%", "süd/dach", "NaN", "..", "日本", "a b", "CON"]
    assert read_points([(o, 45.0, 8.0) for o in odd])["point_id"].tolist() == odd
    with pytest.raises(DataError, match="more than once among the points: 1"):
        read_points([(1, 45.0, 8.0), ("1", 44.0, 8.0)])


def test_points_with_odd_ids_are_extracted_stored_per_point_and_read(tmp_path: Path) -> None:
    satellite.write_day(tmp_path / "files", step=360)
    odd = ["../etc", "a=b", "100%", "süd/dach", "..", "a b", "NaN"]
    extract(tmp_path / "files", [(o, 45.0, 8.0) for o in odd], tmp_path / "lake/made/days")
    repartition(tmp_path / "lake/made/days", tmp_path / "lake/made/each")
    lake = dk.connect(tmp_path / "lake")
    for table in ("made.days", "made.each"):
        frame = read(lake, table)
        assert frame.index.get_level_values("point_id").unique().tolist() == sorted(odd)
        assert [len(read(lake, table, o)["ghi"].dropna()) for o in odd] == [4] * len(odd)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["files", "lake"]


def test_places_may_be_shared_and_ties_go_to_the_lower_degrees() -> None:
    grid = Grid(np.array([2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0]))
    found = locate_points(read_points([("a", 0.5, 1.5), ("b", 0.5, 1.5)]), grid, max_distance_km=100)
    assert found["cell_latitude"].tolist() == [0.0, 0.0]
    assert found["cell_longitude"].tolist() == [1.0, 1.0]


def test_distances_are_great_circles_also_at_the_poles_and_the_date_line() -> None:
    grid = Grid(np.arange(90.0, -91.0, -1.0), np.arange(-180.0, 180.0))
    points = [("pole", 90.0, 37.4), ("near", 89.6, 0.5), ("line", 0.0, 179.7), ("antipole", -90.0, -179.9)]
    found = locate_points(read_points(points), grid, max_distance_km=100).set_index("point_id")
    assert found.loc["pole", "distance_km"] == pytest.approx(0.0, abs=1e-6)
    assert found.loc["antipole", "distance_km"] == pytest.approx(0.0, abs=1e-6)
    assert found.loc["near", "distance_km"] == pytest.approx(6371 * np.radians(0.4), rel=1e-6)
    assert found.loc["line", ["cell_longitude", "distance_km"]].tolist() == pytest.approx(
        [-180.0, 6371 * np.radians(0.3)], rel=1e-6
    )
    a, b = np.radians([45.0, 44.6]), np.radians([8.0, 8.45])
    expected = np.arccos(np.sin(a[0]) * np.sin(a[1]) + np.cos(a[0]) * np.cos(a[1]) * np.cos(b[1] - b[0])) * 6371
    coarse = Grid(np.array([45.0, 44.0]), np.array([8.0, 9.0]))
    assert locate_points(read_points([("a", 44.6, 8.45)]), coarse, max_distance_km=100)["distance_km"].tolist() == (
        pytest.approx([expected], rel=1e-9)
    )


def test_a_csv_of_quoted_cells_may_hold_separators(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        'id,name,lat,lon\n"a,1","Turin, ""centre""",45,8\nb, Alba ,44.7,8.0\n', encoding="utf-8"
    )
    found = read_points(tmp_path / "p.csv")
    assert found["point_id"].tolist() == ["a,1", "b"]
    assert found["name"].tolist() == ['Turin, "centre"', "Alba"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=6),
            st.floats(-90, 90),
            st.floats(-180, 180),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda p: p[0],
    )
)
def test_what_a_csv_says_is_what_a_list_says(tmp_path_factory: pytest.TempPathFactory, points: list[Any]) -> None:
    path = tmp_path_factory.mktemp("points") / "p.csv"
    for separator in (",", ";", "\t"):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=separator).writerows([("id", "lat", "lon"), *points])
        pd.testing.assert_frame_equal(read_points(path), read_points(points))


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_points_or_an_error_that_says_why(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("points") / "p.csv"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert len(read_points(path))
