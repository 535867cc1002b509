"""Both readers against netCDF4's own decoding, bit for bit, over chunkings, packings, fills and filters."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ConfigError, UnreadableFileError
from datalake_kit.irradiance import Grid, Product, Variable, read_plane
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.reading.cells import Cells
from datalake_kit.irradiance.reading.packing import decode
from datalake_kit.irradiance.reading.readers import RejectedFileError, Wanted, _read_netcdf, read_file
from datalake_kit.irradiance.reading.sources import open_source
from tests import satellite

ROWS = np.array([0, 39, 7, 20, 20, 35, 12])
COLUMNS = np.array([0, 49, 13, 20, 20, 45, 33])  # one point twice, one in the sea
ANY = Product("ANY", "any", r".*(?P<slot>\d{12})\.nc", (Variable("v", "v", ""),), MSG_MDSSFTD.step)
SLOT = satellite.DAY
CELLS = np.arange(2000).reshape(40, 50)


def write(path: Path, dtype: str, values: np.ndarray, attributes: dict[str, Any], **options: Any) -> Path:
    """Write one variable; `time` may be unlimited, `part` writes only some rows."""
    unlimited, part = options.pop("unlimited", False), options.pop("part", slice(None))
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", None if unlimited else 1), ("lat", 40), ("lon", 50)):
            file.createDimension(name, size)
        for name, axis in (("lat", satellite.LATITUDE), ("lon", satellite.LONGITUDE)):
            file.createVariable(name, "f4", (name,))[:] = axis
        kind = np.dtype(f">{dtype}" if options.get("endian") == "big" else dtype)
        variable = file.createVariable("v", kind, ("time", "lat", "lon"), **options)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attributes)
        variable[0, part] = values[part].astype(dtype)
    return path


def truth(path: Path) -> np.ma.MaskedArray:
    with netCDF4.Dataset(path) as file, np.errstate(invalid="ignore"):
        return np.ma.asarray(file["v"][0])[ROWS, COLUMNS]


def read(path: Path, product: Product = ANY) -> Any:
    grid = Grid(satellite.LATITUDE, satellite.LONGITUDE)
    return read_file(path, Wanted(product, product.variables, grid, Cells(ROWS, COLUMNS)), SLOT)


def read_general(path: Path) -> Any:
    grid = Grid(satellite.LATITUDE, satellite.LONGITUDE)
    with open_source(path) as source:
        return _read_netcdf(source, Wanted(ANY, ANY.variables, grid, Cells(ROWS, COLUMNS)), SLOT, "asked for")


def assert_same(got: np.ma.MaskedArray, expected: np.ma.MaskedArray) -> None:
    assert got.dtype == expected.dtype.newbyteorder("=")
    mask = np.ma.getmaskarray(expected)
    np.testing.assert_array_equal(np.ma.getmaskarray(got), mask)
    assert got.data[~mask].tobytes() == expected.data[~mask].astype(got.dtype).tobytes()


def assert_both(path: Path, reader: str) -> None:
    expected, fast, general = truth(path), read(path), read_general(path)
    assert fast.reader == reader, fast.why
    assert_same(decode(fast.packed["v"], fast.packing["v"]), expected)
    assert_same(decode(general.packed["v"], general.packing["v"]), expected)


ZLIB = {"zlib": True, "shuffle": True, "complevel": 1}
LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "default": (ZLIB, "chunks"),
    "one chunk": (ZLIB | {"chunksizes": (1, 40, 50)}, "chunks"),
    "strips": (ZLIB | {"chunksizes": (1, 3, 50)}, "chunks"),
    "tiles that do not divide": (ZLIB | {"chunksizes": (1, 7, 16)}, "chunks"),
    "unlimited time": (ZLIB | {"unlimited": True}, "chunks"),
    "unlimited time, long chunks": (ZLIB | {"unlimited": True, "chunksizes": (4, 16, 16)}, "chunks"),
    "not shuffled": ({"zlib": True, "shuffle": False}, "chunks"),
    "uncompressed chunks": ({"chunksizes": (1, 16, 16)}, "chunks"),
    "contiguous": ({"contiguous": True}, "chunks"),
    "big-endian": (ZLIB | {"endian": "big"}, "chunks"),
    "big-endian, contiguous": ({"contiguous": True, "endian": "big"}, "chunks"),
    "chunks never written": (ZLIB | {"chunksizes": (1, 8, 8), "part": slice(16, 24)}, "chunks"),
    "checksum before shuffling": (ZLIB | {"fletcher32": True, "chunksizes": (1, 7, 16)}, "netCDF4"),
    "checksum before deflating": ({"zlib": True, "shuffle": False, "fletcher32": True}, "chunks"),
    "checksum filter alone": ({"fletcher32": True, "chunksizes": (1, 7, 16)}, "chunks"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "u1"])
def test_every_layout_gives_what_netcdf4_gives(tmp_path: Path, layout: str, dtype: str) -> None:
    options, reader = LAYOUTS[layout]
    fill = {"fill_value": {"u1": 255}.get(dtype, -1)}
    attributes = {"scale_factor": 0.1} if dtype != "f4" else {}
    path = write(tmp_path / "a_202506180000.nc", dtype, CELLS % 250, attributes, **fill, **options)
    assert_both(path, reader)


PACKINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "scale in double": ("i2", {"scale_factor": 0.1}, {"fill_value": -1}),
    "scale in single": ("i2", {"scale_factor": np.float32(0.1)}, {"fill_value": -1}),
    "scale and offset": ("i2", {"scale_factor": 0.01, "add_offset": 273.15}, {"fill_value": -32768}),
    "offset alone": ("i2", {"add_offset": np.float32(12.5)}, {}),
    "integer scale": ("i2", {"scale_factor": np.int32(2)}, {"fill_value": 7}),
    "default fill": ("i2", {}, {}),
    "nothing is filled": ("i2", {}, {"fill_value": False}),
    "missing value": ("i2", {"missing_value": np.int16(20)}, {"fill_value": 1013}),
    "several missing values": ("i2", {"missing_value": np.array([20, 363], "i2")}, {}),
    "missing value of another type": ("i2", {"missing_value": 1e36}, {"fill_value": 20}),
    "valid range": ("i2", {"valid_range": np.array([10, 1500], "i2"), "scale_factor": 0.1}, {"fill_value": -1}),
    "valid minimum and maximum": ("i2", {"valid_min": np.int16(10), "valid_max": np.int16(1500)}, {}),
    "unsigned by attribute": ("i1", {"_Unsigned": "true", "scale_factor": 0.5}, {"fill_value": -1}),
    "floating": ("f8", {}, {"fill_value": 1020.0}),
    "not a number as fill": ("f4", {}, {"fill_value": np.nan}),
    "bytes": ("u1", {"flag_masks": np.array([1, 2], "u1"), "flag_meanings": "a b"}, {}),
}


@pytest.mark.filterwarnings("ignore:.*not used since it")
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_is_decoded_as_netcdf4_does(tmp_path: Path, packing: str) -> None:
    dtype, attributes, options = PACKINGS[packing]
    values = CELLS % 250 if dtype in ("i1", "u1") else CELLS.copy()
    values[20, 20] = {"i2": -32767, "i1": -127, "u1": 255}.get(
        dtype, 0
    )  # what netCDF takes as fill when none is stated
    path = write(tmp_path / "a_202506180000.nc", dtype, values, attributes, **ZLIB, **options)
    expected, found = truth(path), read(path)
    assert_same(decode(found.packed["v"], found.packing["v"]), expected)
    general = read_general(path)
    assert_same(decode(general.packed["v"], general.packing["v"]), expected)


def test_missing_value_masks_something_in_these_tests(tmp_path: Path) -> None:
    dtype, attributes, options = PACKINGS["several missing values"]
    path = write(tmp_path / "a_202506180000.nc", dtype, CELLS, attributes, **ZLIB, **options)
    assert np.ma.getmaskarray(truth(path)).tolist() == [False, False, True, False, False, False, False]


@pytest.mark.parametrize("mask", [0b11, 0b01, 0b10])
def test_a_chunk_that_skipped_filters_is_read_without_them(tmp_path: Path, mask: int) -> None:
    options = ZLIB | {"chunksizes": (1, 20, 50)}
    path = write(tmp_path / "a_202506180000.nc", "i2", CELLS, {"scale_factor": 0.1}, fill_value=-1, **options)
    content = CELLS[20:].astype("i2")
    stored = content.tobytes() if mask & 1 else content.reshape(-1).view("u1").reshape(-1, 2).T.tobytes()
    with h5py.File(path, "r+") as file:
        file["v"].id.write_direct_chunk((0, 20, 0), stored if mask & 2 else zlib.compress(stored), filter_mask=mask)
    assert_both(path, "chunks")


def test_a_chunk_that_inflates_to_less_is_an_error_and_not_a_number(tmp_path: Path) -> None:
    options = ZLIB | {"chunksizes": (1, 40, 50)}
    path = write(tmp_path / "a_202506180000.nc", "i2", CELLS, {}, fill_value=-1, **options)
    with h5py.File(path, "r+") as file:
        file["v"].id.write_direct_chunk((0, 0, 0), zlib.compress(b"\0" * 3990))
    with pytest.raises(RejectedFileError, match="3990 bytes in place of 4000"):
        read(path)


@pytest.mark.parametrize(("chunks", "reader"), [((1, 8, 10), "chunks"), ((1, 8, 8), "netCDF4")])
def test_a_shuffle_without_deflate_is_read_where_chunks_end_with_the_grid(
    tmp_path: Path, chunks: tuple[int, ...], reader: str
) -> None:
    path = write(tmp_path / "a_202506180000.nc", "i2", CELLS, {}, fill_value=-1)
    with h5py.File(path, "r+") as file:
        del file["v"]
        file.create_dataset("v", data=CELLS[None].astype("i4"), chunks=chunks, shuffle=True)
    found = read(path)
    assert found.reader == reader
    np.testing.assert_array_equal(found.packed["v"], CELLS[ROWS, COLUMNS])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return satellite.write_file(tmp_path_factory.mktemp("whole"), SLOT)


@pytest.fixture(scope="module")
def cut(whole: Path) -> Callable[[int], Path]:
    def make(at: int) -> Path:
        path = whole.with_name("cut") / whole.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole.read_bytes()[:at])
        return path

    return make


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=120, deadline=None)
def test_a_file_cut_at_any_byte_is_rejected_or_right(whole: Path, cut: Callable[[int], Path], share: float) -> None:
    expected = read(whole, MSG_MDSSFTD)
    try:
        found = read(cut(int(share * whole.stat().st_size)), MSG_MDSSFTD)
    except RejectedFileError:
        return
    for column, packed in expected.packed.items():
        np.testing.assert_array_equal(found.packed[column], packed)


def test_a_damaged_chunk_is_rejected_and_never_a_number(whole: Path, tmp_path: Path) -> None:
    with h5py.File(whole) as file:
        chunk = file["DSSF_TOT"].id.get_chunk_info(0)
    data = bytearray(whole.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path = tmp_path / whole.name
    path.write_bytes(data)
    with pytest.raises(RejectedFileError) as error:
        read(path, MSG_MDSSFTD)
    assert error.value.reason == "unreadable"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"<html>Not found</html>", "unreadable"), (b"\x89HDF\r\n\x1a\n" + b"\0" * 600, "unreadable")],
)
def test_what_is_no_netcdf_file_is_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / satellite.name_of(SLOT)
    path.write_bytes(content)
    with pytest.raises(RejectedFileError) as error:
        read(path, MSG_MDSSFTD)
    assert error.value.reason == reason


def test_a_file_of_several_times_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a_202506180000.nc", "i2", CELLS, {}, unlimited=True)
    with netCDF4.Dataset(path, "a") as file:
        file["v"][1] = CELLS
    with pytest.raises(RejectedFileError, match="one time"):
        read(path)


def test_a_plane_is_the_whole_variable_thinned_out(whole: Path) -> None:
    plane = read_plane(whole, "DSSF_TOT", every=3)
    with netCDF4.Dataset(whole) as file:
        expected = np.ma.filled(file["DSSF_TOT"][0, ::3, ::3], np.nan)
    np.testing.assert_array_equal(plane, expected)
    assert plane.index.tolist() == satellite.LATITUDE[::3].tolist()
    assert plane.attrs["units"] == "W/m2"
    with pytest.raises(ConfigError, match="1 or more"):
        read_plane(whole, every=0)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_plane(whole.with_name("gone.nc"))
