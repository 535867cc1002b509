"""Products: described by hand or proposed for a file, and extracted by their descriptions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.demo.sky_model import typical_year_file
from datalake_kit.errors import ConfigError, DataError, UnreadableFileError
from datalake_kit.irradiance import Product, Variable, extract, find_product, named_bits, plan, read
from datalake_kit.irradiance.describing.flag_attributes import parse_flags
from datalake_kit.irradiance.describing.product import IODC_MDSSFTD, MSG_MDSSFTD
from datalake_kit.irradiance.describing.scanning import geometric_offset, scan_time
from datalake_kit.irradiance.describing.stamps import find_stamps, instant_of, parse_stamp
from datalake_kit.irradiance.reading.describe import describe
from tests import satellite

NOON = datetime(2025, 6, 18, 12, tzinfo=UTC)
MINUTES = [timedelta(minutes=m) for m in (0, 30, 60)]


@dataclass(frozen=True)
class Shape:
    """An invented product: how its files are called and what stands in them."""

    name: Callable[[datetime], str]
    latitude: np.ndarray = field(default_factory=lambda: np.linspace(46, 44, 21))
    longitude: np.ndarray = field(default_factory=lambda: np.linspace(-6, 9, 31))
    axes: tuple[str, str] = ("lat", "lon")
    dtype: str = "f4"
    variable: str = "SIS"
    packing: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=lambda: {"units": "W m-2"})
    time: str = "seconds since 1970-01-01"
    file: Callable[[datetime], dict[str, Any]] = lambda slot: {}
    bounds: tuple[timedelta, timedelta] | None = None


def value(shape: Shape, slot: datetime, row: int, column: int) -> float:
    """What a cell holds: another number in every cell and slot, even, and exact in every packing used here."""
    return float((row * 7 + column * 3 + slot.hour * 2 + slot.minute // 30) % 100 * 2)


def write(folder: Path, shape: Shape, slot: datetime, **changes: Any) -> Path:
    path = folder / shape.name(slot)
    rows, columns = len(shape.latitude), len(shape.longitude)
    plane = [[value(shape, slot, r, c) for c in range(columns)] for r in range(rows)]
    with netCDF4.Dataset(path, "w") as file:
        for name, axis in zip(shape.axes, (shape.latitude, shape.longitude), strict=True):
            file.createDimension(name, len(axis))
            side = file.createVariable(name, axis.dtype, (name,))
            side[:] = axis
            side.units = "degrees_north" if name == shape.axes[0] else "degrees_east"
        dimensions = shape.axes
        if shape.time:
            dimensions = ("time", *shape.axes)
            write_time(file, shape, slot, changes.get("times", 1))
        values = file.createVariable(
            shape.variable, shape.dtype, dimensions, zlib=True, fill_value=shape.packing.get("fill")
        )
        values.setncatts({k: v for k, v in (shape.attributes | shape.packing).items() if k != "fill"})
        values[:] = np.broadcast_to(plane, values.shape if not shape.time else (changes.get("times", 1), rows, columns))
        file.setncatts(shape.file(slot))
    return path


def write_time(file: netCDF4.Dataset, shape: Shape, slot: datetime, times: int) -> None:
    file.createDimension("time", times)
    time = file.createVariable("time", "f8", ("time",))
    time.units = shape.time
    stated = netCDF4.date2num(slot.replace(tzinfo=None), shape.time)
    time[:] = [stated + n for n in range(times)]
    if shape.bounds is not None:
        file.createDimension("two", 2)
        time.bounds = "time_bnds"
        ends = [netCDF4.date2num((slot + b).replace(tzinfo=None), shape.time) for b in shape.bounds]
        file.createVariable("time_bnds", "f8", ("time", "two"))[:] = [ends]


SHAPES = {
    "sarah": Shape(lambda s: f"SISin{s:%Y%m%d%H%M%S}002310001I1UD.nc"),
    "cams": Shape(
        lambda s: f"CAMS_solar_{s:%Y-%m-%dT%H%M}Z_v4.nc",
        axes=("latitude", "longitude"),
        variable="GHI",
        latitude=np.linspace(44, 46, 21).astype("f4"),
        attributes={"units": "W/m2", "standard_name": "surface_downwelling_shortwave_flux_in_air"},
        file=lambda s: {"time_coverage_resolution": "PT30M", "time_coverage_start": f"{s:%Y%m%dT%H%M%SZ}"},
        time="hours since 1900-01-01 00:00:0.0",
    ),
    "west": Shape(
        lambda s: f"flux.{s:%Y%m%d.%H%M}.made20260101093000.nc",
        longitude=np.arange(0, 360, 0.5, "f4"),
        variable="rsds",
        dtype="u1",
        packing={"fill": np.uint8(255), "scale_factor": 2.0, "add_offset": -2.0},
    ),
    "plain": Shape(lambda s: f"p{s:%Y%m%d%H%M}.nc4", variable="BHI", time=""),
    "inside": Shape(lambda s: f"image-{int(s.timestamp()) // 1800}.nc", variable="swdn", time="days since 2000-01-01"),
    "stated": Shape(
        lambda s: f"scene_{s.hour}_{s.minute}.nc",
        time="",
        dtype="i2",
        packing={"scale_factor": 0.5, "fill": np.int16(-1)},
        file=lambda s: {"start_time": f"{s:%Y-%m-%d %H:%M:07}", "time_coverage_duration": "PT30M"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_a_file_of_any_shape_is_described_and_extracted(kind: str, tmp_path: Path) -> None:
    shape = SHAPES[kind]
    folder = tmp_path / "files"
    folder.mkdir()
    paths = [write(folder, shape, NOON + m) for m in MINUTES]
    product = describe(paths[1], step=timedelta(minutes=30) if kind == "inside" else None)
    assert eval(repr(product), {"Product": Product, "Variable": Variable, "timedelta": timedelta}) == product
    assert product.step == timedelta(minutes=30)
    assert (product.latitude, product.longitude) == shape.axes
    assert product.instantaneous
    assert product.variables == (Variable(shape.variable, "bhi" if shape.variable == "BHI" else "ghi", "W/m2"),)

    points = [("west", 45.0, -5.0), ("east", 44.5, 8.5)]
    (tmp_path / "lake").mkdir()
    result = extract(folder, points, tmp_path / "lake/irradiance/made", product=product)
    assert (result.files_used, len(result.rejects)) == (3, 0)
    for point, latitude, longitude in points:
        row, column = (
            int(np.abs(axis - place).argmin())
            for axis, place in (
                (shape.latitude, latitude),
                (shape.longitude, longitude % 360 if kind == "west" else longitude),
            )
        )
        frame = read(
            dk.connect(tmp_path / "lake"), "irradiance.made", point, start=NOON, stop=NOON + timedelta(hours=1.5)
        )
        assert frame[product.variables[0].column].tolist() == [value(shape, NOON + m, row, column) for m in MINUTES]
        assert frame.attrs["units"] == {product.variables[0].column: "W/m2"}
        assert frame.attrs["point"]["scan_offset_seconds"] == 0.0
        assert frame.attrs["point"]["distance_km"] < 0.1


@pytest.mark.parametrize(
    ("kind", "slot_in", "pattern"),
    [
        ("sarah", "name", r"SISin(?P<slot>[0-9]{14})002310001I1UD\.nc"),
        ("cams", "name", r"CAMS_solar_(?P<slot>[0-9]{4}\-[0-9]{2}\-[0-9]{2}T[0-9]{4})Z_v4\.nc"),
        ("west", "name", r"flux\.(?P<slot>[0-9]{8}\.[0-9]{4})\.made[0-9]{14}\.nc"),
        ("plain", "name", r"p(?P<slot>[0-9]{12})\.nc4"),
        ("inside", "time", r"image\-[0-9]+\.nc"),
        ("stated", "attribute", r"scene_[0-9]+_[0-9]+\.nc"),
    ],
)
def test_the_slot_is_found_where_it_stands(kind: str, slot_in: str, pattern: str, tmp_path: Path) -> None:
    path = write(tmp_path, SHAPES[kind], NOON)
    product = describe(path, step=timedelta(minutes=30))
    assert (product.slot_in, product.pattern) == (slot_in, pattern)
    assert product.slot(path) == (NOON if slot_in == "name" else None)


def test_a_time_inside_that_is_not_the_names_is_a_reject(tmp_path: Path) -> None:
    for kind in ("sarah", "cams"):
        shape = SHAPES[kind]
        folder = tmp_path / kind
        folder.mkdir()
        good = write(folder, shape, NOON)
        product = describe(good, step=timedelta(minutes=30))
        write(folder, shape, NOON + timedelta(hours=1)).rename(folder / shape.name(NOON + timedelta(hours=2)))
        result = extract(folder, [("a", 45.0, 8.5)], tmp_path / f"{kind}_out", product=product)
        assert result.rejects["reason"].tolist() == ["other time"]
        assert result.files_used == 1


def test_means_are_known_by_cell_methods_and_labelled_by_the_start_of_their_bounds(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    means = {"units": "W m-2", "cell_methods": "time: mean"}
    for bounds, name, shift in (
        ((-hour, timedelta(0)), "ends", -hour),
        ((timedelta(0), hour), "starts", timedelta(0)),
        ((-hour / 2, hour / 2), "middles", -hour / 2),
    ):
        shape = Shape(lambda s, name=name: f"{name}_{s:%Y%m%d%H%M}.nc", bounds=bounds, attributes=means)
        path = write(tmp_path, shape, NOON)
        product = describe(path)
        assert (product.instantaneous, product.step, product.slot_shift) == (False, hour, shift)
        assert product.slot(path.name) == NOON + shift
        result = extract(path, [("a", 45.0, 8.5)], tmp_path / name, product=product)
        assert (result.files_used, len(result.rejects)) == (1, 0)


def test_a_name_with_the_start_of_means_and_their_middle_inside(tmp_path: Path) -> None:
    half = timedelta(minutes=30)
    shape = Shape(
        lambda s: f"m{s - half:%Y%m%d%H%M}.nc",
        bounds=(-half, half),
        attributes={"units": "W m-2", "cell_methods": "time: mean"},
    )
    path = write(tmp_path, shape, NOON)
    product = describe(path)
    assert product.slot(path.name) == NOON - half
    assert (product.slot_shift, product.time_variable) == (timedelta(0), "")
    assert extract(path, [("a", 45.0, 8.5)], tmp_path / "out", product=product).files_used == 1


def test_files_that_state_the_end_may_lie_in_the_folder_of_the_day_after(tmp_path: Path) -> None:
    hour, midnight = timedelta(hours=1), NOON.replace(hour=0)
    means = {"units": "W m-2", "cell_methods": "time: mean"}
    shape = Shape(lambda s: f"end_{s:%Y%m%d%H%M}.nc", bounds=(-hour, timedelta(0)), attributes=means)
    folder = tmp_path / "files/2025/06/18"
    folder.mkdir(parents=True)
    product = describe(write(folder, shape, midnight))
    planned = plan(tmp_path / "files", product=product)
    assert [(day.day, [f.slot.hour for f in files]) for day, files in planned.files.items()] == [(17, [23])]
    assert not planned.rejects


def test_bounds_without_length_tell_no_step(tmp_path: Path) -> None:
    shape = Shape(lambda s: f"b{s:%Y%m%d%H%M}.nc", bounds=(timedelta(0), timedelta(0)))
    with pytest.raises(DataError, match="how long the step is"):
        describe(write(tmp_path, shape, NOON))


def test_seconds_in_a_name_are_rounded_to_the_step() -> None:
    product = replace(MSG_MDSSFTD, pattern=r"s(?P<slot>[0-9]{14})\.nc")
    quarter = timedelta(minutes=15)
    assert product.slot("s20250618115951.nc") == NOON
    assert product.slot("s20250618120812.nc") == NOON + quarter
    assert product.slot("s20250618120800.nc") == NOON + timedelta(minutes=8)  # no seconds: as it is stated


def packed_time(path: Path) -> Path:
    """Write the time as whole minutes, packed with an offset, as some writers do."""
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("time", "t")
        time = file.createVariable("time", "i4", ("time",))
        time.set_auto_maskandscale(False)
        time.setncatts({"units": "minutes since 2025-06-18", "add_offset": 600.0, "scale_factor": 2.0})
        time[:] = 60
    return path


@pytest.mark.parametrize("stored", ["chunks", "netCDF4"])
def test_the_time_variable_is_read_as_netcdf4_reads_it(stored: str, tmp_path: Path) -> None:
    """720 minutes after midnight; a name that says another time, or a file with two times, is a reject either way."""
    folder = tmp_path / "files"
    folder.mkdir()
    shape = Shape(lambda s: f"v{s:%Y%m%d%H%M}.nc", file=lambda s: {"time_coverage_start": "2001-01-01T00:00:00Z"})
    path = packed_time(write(folder, shape, NOON))
    with netCDF4.Dataset(path) as file:
        file.set_always_mask(False)
        assert float(file.variables["time"][0]) == 720.0
    if stored == "netCDF4":  # names for values keep the fast way from the variable
        with netCDF4.Dataset(path, "a") as file:
            kind = file.createEnumType("i1", "kind", {"no": 0, "yes": 1})
            file.createVariable("kinds", kind, ("time", "lat", "lon"))[:] = 1
    product = Product(
        "V",
        "",
        r"v\d{12}\.nc",
        (Variable("SIS", "ghi", "W/m2"),),
        timedelta(hours=1),
        slot_in="time",
        time_variable="time",
    )
    if stored == "netCDF4":
        product = replace(product, variables=(*product.variables, Variable("kinds", "kinds", "")))
    result = extract(folder, [("a", 45.0, 8.5)], tmp_path / "lake/made/one", product=product)
    assert (result.files_used, result.readers) == (1, {stored: 1})
    assert [f.slot for f in plan(folder, product=product).files[NOON.date()]] == [NOON]
    named = replace(product, pattern=r"v(?P<slot>\d{12})\.nc", slot_in="name", time_attribute="", day_folders=False)
    path.rename(folder / "v202506181300.nc")
    result = extract(folder, [("a", 45.0, 8.5)], tmp_path / "lake/made/two", product=named)
    assert result.rejects["reason"].tolist() == ["other time"]


def test_a_file_without_one_time_inside_is_a_reject_of_the_listing(tmp_path: Path) -> None:
    shape = Shape(lambda s: f"v{s:%Y%m%d%H%M}.nc")
    write(tmp_path, shape, NOON, times=2)
    write(tmp_path, replace(shape, time=""), NOON.replace(hour=2))
    product = Product(
        "V",
        "",
        r"v\d{12}\.nc",
        (Variable("SIS", "ghi", "W/m2"),),
        timedelta(hours=1),
        slot_in="time",
        time_variable="time",
    )
    rejects = {r.path.name[-7:-3]: r for r in plan(tmp_path, product=product).rejects}
    assert {k: r.reason for k, r in rejects.items()} == {"1200": "missing time", "0200": "missing time"}
    assert "2 times" in rejects["1200"].detail
    assert "no variable time" in rejects["0200"].detail


def test_names_to_the_day_are_slots_of_daily_files_alone(tmp_path: Path) -> None:
    day = timedelta(days=1)
    shape = Shape(lambda s: f"SISdm{s:%Y%m%d}.nc", file=lambda s: {"time_coverage_duration": "P1D"})
    product = describe(write(tmp_path, shape, NOON))
    assert (product.step, product.slot("SISdm20250619.nc")) == (day, NOON.replace(hour=0) + day)
    shape = Shape(lambda s: f"day{s:%Y%m%d}_{s.hour}.nc", file=lambda s: {"time_coverage_duration": "PT1H"})
    product = describe(write(tmp_path, shape, NOON))
    assert (product.slot_in, product.step) == ("time", timedelta(hours=1))


def test_the_step_is_that_of_the_names_beside_the_file(tmp_path: Path) -> None:
    for minutes in (0, 20, 40, 80, 200):
        path = write(tmp_path, SHAPES["sarah"], NOON + timedelta(minutes=minutes))
    assert describe(path).step == timedelta(minutes=20)


def test_units_are_said_and_never_converted(tmp_path: Path) -> None:
    shape = Shape(lambda s: f"e{s:%Y%m%d%H%M}.nc", variable="GHI", attributes={"units": "J m-2"})
    product = describe(write(tmp_path, shape, NOON), step=timedelta(hours=1))
    assert product.variables == (Variable("GHI", "ghi_as_stated", "J m-2"),)


@pytest.mark.parametrize("units", ["W m-2", "W/m2", "W m^-2", "W.m-2", "W m**-2", "Watt m-2", "w/m^2", "W/m²", "W*m-2"])
def test_watts_are_written_in_many_ways(units: str, tmp_path: Path) -> None:
    shape = Shape(lambda s: f"e{s:%Y%m%d%H%M}.nc", variable="whatever", attributes={
        "units": units, "standard_name": "surface_diffuse_downwelling_shortwave_flux_in_air",
    })  # fmt: skip
    product = describe(write(tmp_path, shape, NOON), step=timedelta(hours=1))
    assert product.variables == (Variable("whatever", "dhi", "W/m2"),)


def test_files_of_known_products_are_those(tmp_path: Path) -> None:
    path = satellite.write_file(tmp_path, NOON)
    assert describe(path) is MSG_MDSSFTD
    iodc = path.with_name(f"NETCDF4_LSASAF_MSG-IODC_MDSSFTD_IODC-Disk_{NOON:%Y%m%d%H%M}.nc")
    path.rename(iodc)
    assert describe(iodc) is IODC_MDSSFTD
    assert find_product("iodc_mdssftd") is IODC_MDSSFTD


def test_files_of_the_indian_ocean_are_extracted_without_being_named(tmp_path: Path) -> None:
    for path in satellite.write_day(tmp_path / "files"):
        path.rename(path.with_name(path.name.replace("MSG_", "MSG-IODC_", 1).replace("MSG-Disk", "IODC-Disk")))
    result = extract(tmp_path / "files", satellite.POINTS, tmp_path / "lake/irradiance/ocean")
    assert (result.files_used, len(result.rejects)) == (24, 0)
    assert plan(tmp_path / "files").product is IODC_MDSSFTD
    frame = read(dk.connect(tmp_path / "lake"), "irradiance.ocean", "turin")
    assert frame.attrs["product"] == "IODC_MDSSFTD"
    assert frame["ghi"].notna().sum() == 24


def two_dimensional(file: netCDF4.Dataset) -> None:
    for name in ("y", "x"):
        file.createDimension(name, 3)
    for name in ("lat", "lon", "ghi"):
        file.createVariable(name, "f4", ("y", "x"))


def projected(file: netCDF4.Dataset) -> None:
    for name in ("y", "x"):
        file.createDimension(name, 3)
        file.createVariable(name, "f4", (name,)).standard_name = f"projection_{name}_coordinate"
    file.createVariable("ghi", "f4", ("y", "x"))


def restless(file: netCDF4.Dataset) -> None:
    for name in ("lat", "lon"):
        file.createDimension(name, 3)
        file.createVariable(name, "f4", (name,))[:] = [1, 3, 2]
    file.createVariable("ghi", "f4", ("lat", "lon"))


def turned(file: netCDF4.Dataset) -> None:
    for name in ("lat", "lon"):
        file.createDimension(name, 3)
        file.createVariable(name, "f4", (name,))[:] = [1, 2, 3]
    file.createVariable("ghi", "f4", ("lon", "lat"))


def bare(file: netCDF4.Dataset) -> None:
    for name in ("lat", "lon"):
        file.createDimension(name, 3)
        file.createVariable(name, "f4", (name,))[:] = [1, 2, 3]
    file.createVariable("mask", str, ("lat", "lon"))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (two_dimensional, r"lat has 2 dimensions \(y, x\): a curved or projected grid"),
        (projected, "no variable of latitude: it is on a projected grid"),
        (restless, "do not rise or fall all along"),
        (turned, r"ghi lies over \(lon=3, lat=3\)"),
        (bare, "no variable of numbers over lat and lon"),
        (lambda file: None, "no variable of latitude; it has no variables"),
    ],
)
def test_files_on_no_grid_say_so(fill: Callable[[netCDF4.Dataset], None], message: str, tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "f202506181200.nc", "w") as file:
        fill(file)
    with pytest.raises(DataError, match=message):
        describe(tmp_path / "f202506181200.nc", step=timedelta(hours=1))


def test_several_times_in_a_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SHAPES["sarah"], NOON, times=48)
    with pytest.raises(DataError, match=r"SIS lies over \(time=48, lat=21, lon=31\)\. One time a file"):
        describe(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes"),
        (b"\n<!DOCTYPE html><html>no such file</html>", "is a web page"),
        (b"GRIB and so on", "is no NetCDF file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(400), "is no NetCDF file"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_no_netcdf_say_so(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "f202506181200.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=message):
        describe(path)


def test_a_step_or_a_time_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing tells how long the step is\. Give step="):
        describe(write(tmp_path, SHAPES["sarah"], NOON))
    shape = Shape(lambda s: "file.nc", time="")
    with pytest.raises(DataError, match="no time inside, and none stands in its name"):
        describe(write(tmp_path, shape, NOON), step=timedelta(hours=1))
    shape = Shape(lambda s: f"{s:%Y%m%d%H%M}_20260101120000.nc", time="")
    with pytest.raises(DataError, match="no time inside, and 2 times stand in its name"):
        describe(write(tmp_path, shape, NOON), step=timedelta(hours=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "name"}, r"needs \(\?P<slot>"),
        ({"slot_in": "attribute", "time_attribute": ""}, "needs time_attribute"),
        ({"slot_in": "time"}, "needs time_variable"),
        ({"slot_in": "names"}, "slot_in is one of"),
        ({"step": timedelta(minutes=7)}, "no whole number of steps"),
        ({"step": timedelta(0)}, "no whole number of steps"),
        ({"variables": ()}, "there must be some"),
        ({"variables": (Variable("a", "x", ""), Variable("b", "x", ""))}, "each once"),
        ({"variables": (Variable("a", "time", ""),)}, "cannot be called 'time'"),
    ],
)
def test_descriptions_that_cannot_be_used_say_why(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(MSG_MDSSFTD, **change)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("20250618", datetime(2025, 6, 18, tzinfo=UTC)),
        ("2025061812", NOON),
        ("2025-06-18T12:00", NOON),
        ("20250618T120001", NOON + timedelta(seconds=1)),
        ("202506181260", None),
        ("2025061", None),
        ("", None),
    ],
)
def test_stamps_say_a_time_or_none(text: str, time: datetime | None) -> None:
    assert parse_stamp(text) == time


def test_numbers_that_are_no_years_are_no_stamps() -> None:
    assert [s.text for s in find_stamps("v00010101_x99991231.nc")] == []


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(1980, 1, 1), datetime(2099, 12, 31)),
    st.sampled_from(["%Y%m%d%H%M", "%Y-%m-%dT%H-%M-%S", "%Y%m%d_%H%M%S"]),
)
def test_any_stamp_in_a_name_is_found(when: datetime, form: str) -> None:
    stated = datetime.strptime(when.strftime(form), form).replace(tzinfo=UTC)
    found = [s for s in find_stamps(f"MSG4-SEVIRI_{when.strftime(form)}_v2.nc") if s.time == stated]
    assert found
    product = Product(
        "p", "p", rf"MSG4-SEVIRI_(?P<slot>{found[0].pattern})_v2\.nc", MSG_MDSSFTD.variables, timedelta(seconds=1)
    )
    assert product.slot(f"MSG4-SEVIRI_{when.strftime(form)}_v2.nc") == stated


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    st.sampled_from(["seconds", "minutes", "hours", "days"]),
    st.sampled_from(["1970-01-01", "1900-1-1 00:00:0.0", "2000-01-01T12:00:00Z", "1980-01-06 06:30 UTC"]),
)
def test_times_are_those_of_netcdf4(when: datetime, unit: str, since: str) -> None:
    units = f"{unit} since {since}"
    number = float(netCDF4.date2num(when, units))
    expected = netCDF4.num2date(number, units, only_use_cftime_datetimes=False, only_use_python_datetimes=True)
    assert abs(instant_of(number, units) - expected.replace(tzinfo=UTC)) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("value", "units", "calendar"),
    [
        (1, "months since 2000-01-01", "standard"),
        (1, "days since 2000-01-01", "360_day"),
        (1, "days since yesterday", "standard"),
        (1, "degrees_north", "standard"),
        (1e12, "days since 2000-01-01", "standard"),
        (float("nan"), "days since 2000-01-01", "standard"),
        (1, "days since 2000-13-01", "standard"),
    ],
)
def test_times_that_are_none_are_refused(value: float, units: str, calendar: str) -> None:
    with pytest.raises(DataError, match="A time is stated as"):
        instant_of(value, units, calendar)


def test_the_instant_of_a_line_by_formula_and_by_geometry() -> None:
    # the figures of the fact sheet, which were calculated with another radius: within 2 seconds
    for latitude, geometry, formula in ((45.0, 656, 620), (0.0, 371, 440), (-35.0, 136, 300)):
        assert geometric_offset(latitude) == pytest.approx(geometry, abs=2)
        assert MSG_MDSSFTD.scan_offset(latitude) == formula
    apart = [abs(geometric_offset(lat) - MSG_MDSSFTD.scan_offset(lat)) for lat in np.arange(-80.0, 80.5, 0.5)]
    assert 170 < max(apart) < MSG_MDSSFTD.scan_uncertainty
    assert np.isnan(geometric_offset(82.0))
    assert np.isnan(geometric_offset(0.0, 81.5))
    assert geometric_offset(45.0, 41.5, satellite_longitude=41.5) == geometric_offset(45.0)
    assert not np.isnan(geometric_offset(0.0, -178.0, satellite_longitude=140.0))


def test_the_formula_and_the_geometry_enclose_what_pvgis_states() -> None:
    header = re.search(rb"Irradiance Time Offset \(h\): ([0-9.]+)", typical_year_file())
    assert header is not None
    stated = float(header[1]) * 3600  # of 45 N 8 E
    assert round(stated) == 634
    assert MSG_MDSSFTD.scan_offset(45.0) < stated < geometric_offset(45.0, 8.0)
    assert abs(MSG_MDSSFTD.scan_offset(45.0) - stated) < 15


def test_scan_times_of_many_slots_and_latitudes() -> None:
    slots = pd.date_range("2025-06-18", periods=3, freq="15min")
    assert scan_time(slots, 45.0, MSG_MDSSFTD).tolist() == [
        t.tz_localize("UTC") + pd.Timedelta(620, "s") for t in slots
    ]
    each = scan_time(slots.tz_localize("Europe/Rome"), np.array([0.0, 45.0, -35.0]), MSG_MDSSFTD)
    assert each[2] == pd.Timestamp("2025-06-17 22:35:00", tz="UTC")
    still = replace(MSG_MDSSFTD, scan_seconds=None)
    assert scan_time([NOON, NOON], 45.0, still).tolist() == [pd.Timestamp(NOON)] * 2
    with pytest.raises(DataError, match="3 times and 2 latitudes"):
        scan_time(slots, np.array([1.0, 2.0]), MSG_MDSSFTD)
    with pytest.raises(DataError, match="between -90 and 90"):
        scan_time(slots, float("nan"), MSG_MDSSFTD)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"flag_masks": np.array([1, 2], "u1"), "flag_meanings": "a b"}, {"masks": [1, 2], "meanings": ["a", "b"]}),
        ({"flag_values": np.array([0, 3], "i1"), "flag_meanings": "a b"}, {"values": [0, 3], "meanings": ["a", "b"]}),
        (
            {"flag_masks": [3, 3, 4], "flag_values": [1, 2, 4], "flag_meanings": "a b c"},
            {"masks": [3, 3, 4], "values": [1, 2, 4], "meanings": ["a", "b", "c"]},
        ),
        ({"flag_masks": "1b, 2b", "flag_meanings": "a b"}, {"masks": [1, 2], "meanings": ["a", "b"]}),
        ({"flag_masks": np.uint8(1), "flag_meanings": "a"}, {"masks": [1], "meanings": ["a"]}),
        ({"flag_meanings": "a b"}, {}),
        ({"flag_masks": [1, 2]}, {}),
        ({"flag_masks": [1, 2], "flag_meanings": "a b c"}, {}),
        ({"flag_masks": [1, 2], "flag_values": [1], "flag_meanings": "a b"}, {}),
        ({"flag_masks": [0.5, 2], "flag_meanings": "a b"}, {}),
        ({"flag_masks": "one two", "flag_meanings": "a b"}, {}),
        ({}, {}),
    ],
)
def test_flags_are_those_that_the_file_names(attributes: dict[str, Any], expected: dict[str, list[Any]]) -> None:
    assert parse_flags(attributes) == expected


def test_flags_by_value_are_read_from_the_file_to_the_series(tmp_path: Path) -> None:
    for path in satellite.write_day(tmp_path / "files"):
        with netCDF4.Dataset(path, "a") as file:
            flag = file.variables["quality_flag"]
            flag.setncatts({"flag_masks": np.array([4, 4, 3], "u1"), "flag_values": np.array([0, 4, 1], "u1")})
    extract(tmp_path / "files", satellite.POINTS, tmp_path / "lake/irradiance/plants")
    frame = read(dk.connect(tmp_path / "lake"), "irradiance.plants", "turin").dropna(subset=["quality_flag"])
    bits = frame.attrs["flags"]["quality_flag"]
    assert bits == {"masks": [4, 4, 3], "values": [0, 4, 1], "meanings": ["sea", "cloudy", "night"]}
    named = named_bits(frame["quality_flag"], **bits)
    numbers = frame["quality_flag"].astype(int)
    assert named["sea"].tolist() == (numbers < 4).tolist()
    assert named["cloudy"].tolist() == (numbers >= 4).tolist()
    assert named["night"].tolist() == (numbers % 4 == 1).tolist()
    assert 0 < named["sea"].sum() < len(named)
    with pytest.raises(DataError, match="Neither masks nor values"):
        named_bits(frame["quality_flag"], meanings=["sea"])
    with pytest.raises(DataError, match="1 values and 2 meanings"):
        named_bits(frame["quality_flag"], values=[1], meanings=["sea", "land"])


def test_one_gap_between_two_files_is_no_step(tmp_path: Path) -> None:
    for hours in (0, 24):
        path = write(tmp_path, SHAPES["sarah"], NOON + timedelta(hours=hours))
    with pytest.raises(DataError, match="nothing tells how long the step is"):
        describe(path)
    write(tmp_path, SHAPES["sarah"], NOON + timedelta(hours=48))
    assert describe(path).step == timedelta(days=1)
