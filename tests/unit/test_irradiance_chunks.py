"""The fast way over what HDF5 can do to a file: filters, chunk indexes, links, damage. Always beside netCDF4."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit.irradiance import Grid, Product, Variable
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.reading import readers
from datalake_kit.irradiance.reading.cells import Cells, Layout, Plan
from datalake_kit.irradiance.reading.packing import decode
from datalake_kit.irradiance.reading.readers import CellValues, RejectedFileError, Wanted, read_file
from datalake_kit.irradiance.reading.sources import open_source
from tests import satellite

ROWS = np.array([0, 39, 7, 20, 20, 35, 12])
COLUMNS = np.array([0, 49, 13, 20, 20, 45, 33])  # one point twice
EVERY = tuple(index.ravel() for index in np.mgrid[0:40, 0:50])
GRID = Grid(satellite.LATITUDE, satellite.LONGITUDE)
ANY = Product("ANY", "any", r".*(?P<slot>\d{12})\.nc", (Variable("v", "v", ""),), MSG_MDSSFTD.step)
CELLS = np.arange(2000, dtype="i2").reshape(1, 40, 50)
NAME = "a_202506180000.nc"


def make(path: Path, *, latest: bool = False, values: np.ndarray = CELLS, axes: Any = None, **options: Any) -> Path:
    """Write one variable with h5py, which can do more than netCDF4."""
    latitude, longitude = axes or (satellite.LATITUDE, satellite.LONGITUDE)
    with h5py.File(path, "w", libver="latest" if latest else None) as file:
        file["lat"], file["lon"] = latitude, longitude
        data = file.create_dataset("v", data=values, **options)
        data.attrs["scale_factor"] = 0.1
        data.attrs["_FillValue"] = values.dtype.type(7)
    return path


def read(path: Path, rows: np.ndarray = ROWS, columns: np.ndarray = COLUMNS, grid: Grid = GRID) -> CellValues:
    return read_file(path, Wanted(ANY, ANY.variables, grid, Cells(rows, columns)), satellite.DAY)


def assert_right(path: Path, reader: str, rows: np.ndarray = ROWS, columns: np.ndarray = COLUMNS) -> CellValues:
    found = read(path, rows, columns)
    assert found.reader == reader, found.why
    with netCDF4.Dataset(path) as file:
        expected = np.ma.asarray(file["v"][:]).reshape(40, 50)[rows, columns]
    got = decode(found.packed["v"], found.packing["v"])
    np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
    assert got.dtype == expected.dtype.newbyteorder("=")
    assert got.compressed().tobytes() == expected.compressed().astype(got.dtype).tobytes()
    return found


DEFLATED = {"compression": "gzip", "shuffle": True}
INDEXES: dict[str, dict[str, Any]] = {
    "single chunk": {"chunks": (1, 40, 50)},
    "fixed array": {"chunks": (1, 7, 16)},
    "extensible array": {"chunks": (1, 7, 16), "maxshape": (None, 40, 50)},
    "second B-tree": {"chunks": (1, 7, 16), "maxshape": (None, None, 50)},
}


@pytest.mark.parametrize("latest", [False, True])
@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("filters", [DEFLATED, DEFLATED | {"fletcher32": True}, {"fletcher32": True}, {}])
def test_every_index_of_chunks_is_read(tmp_path: Path, index: str, latest: bool, filters: dict[str, Any]) -> None:
    path = make(tmp_path / NAME, latest=latest, **INDEXES[index], **filters)
    assert_right(path, "chunks")
    assert_right(path, "chunks", *EVERY)  # the whole table at once


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", ">f4", "f8", ">i8"])
@pytest.mark.parametrize("options", [{}, DEFLATED | {"chunks": (1, 7, 16)}])
def test_every_type_is_read(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    assert_right(make(tmp_path / NAME, values=(CELLS % 120).astype(dtype), **options), "chunks", *EVERY)


@pytest.mark.parametrize("shape", [(40, 50), (1, 40, 50), (1, 1, 40, 50)])
@pytest.mark.parametrize("options", [{}, DEFLATED])
def test_times_and_levels_of_one_may_be_there_or_not(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    assert_right(make(tmp_path / NAME, values=CELLS.reshape(shape), **options), "chunks", *EVERY)


def test_latitudes_may_rise(tmp_path: Path) -> None:
    axes = (satellite.LATITUDE[::-1], satellite.LONGITUDE)
    found = read(make(tmp_path / NAME, axes=axes, **DEFLATED), grid=Grid(*axes))
    np.testing.assert_array_equal(found.packed["v"], CELLS[0, ROWS, COLUMNS])
    with pytest.raises(RejectedFileError, match="not those of the table's grid"):
        read(tmp_path / NAME)


def test_packed_and_deflated_coordinates_are_decoded(tmp_path: Path) -> None:
    path = make(tmp_path / NAME, axes=(np.arange(40, dtype="i2"), satellite.LONGITUDE), **DEFLATED)
    with h5py.File(path, "r+") as file:
        file["lat"].attrs.update({"scale_factor": -0.05, "add_offset": 46.0})
        del file["lon"]
        file.create_dataset("lon", data=satellite.LONGITUDE, compression="gzip")
    with netCDF4.Dataset(path) as file:
        grid = Grid(np.asarray(file["lat"][:]), np.asarray(file["lon"][:]))
    found = read(path, grid=grid)
    assert found.reader == "chunks", found.why


@pytest.mark.parametrize("compression", ["zstd", "blosc_lz", "bzip2", "szip"])
def test_other_filters_are_left_to_netcdf4_and_it_is_said(tmp_path: Path, compression: str) -> None:
    path = tmp_path / NAME
    with netCDF4.Dataset(path, "w") as file:
        for name, axis in (("lat", satellite.LATITUDE), ("lon", satellite.LONGITUDE)):
            file.createDimension(name, len(axis))
            file.createVariable(name, "f4", (name,))[:] = axis
        try:
            variable = file.createVariable("v", "i2", ("lat", "lon"), compression=compression)
        except RuntimeError as error:
            pytest.skip(f"this netCDF4 cannot write {compression}: {error}")
        variable[:] = CELLS[0]
    assert "filters (" in assert_right(path, "netCDF4").why


def test_a_compact_variable_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / NAME)
    with h5py.File(path, "r+") as file:
        del file["v"]
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(CELLS.shape)
        h5py.h5d.create(file.id, b"v", h5py.h5t.STD_I16BE, space, layout).write(h5py.h5s.ALL, h5py.h5s.ALL, CELLS)
    assert_right(path, "chunks")


@pytest.mark.parametrize("kind", ["soft link", "other file", "stored outside", "virtual", "names for numbers"])
def test_what_lies_elsewhere_or_is_no_number_is_left_to_netcdf4(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path / NAME, **DEFLATED)
    other = make(tmp_path / "other.nc", values=CELLS[:, ::-1].copy(), **DEFLATED)
    with h5py.File(path, "r+") as file:
        file.move("v", "w")
        if kind == "soft link":
            file["v"] = h5py.SoftLink("/w")
        elif kind == "other file":
            file["v"] = h5py.ExternalLink(str(other), "/v")
        elif kind == "stored outside":
            outside = [(str(tmp_path / "raw"), 0, CELLS.nbytes)]
            file.create_dataset("v", CELLS.shape, "i2", external=outside)[:] = CELLS
        elif kind == "virtual":
            layout = h5py.VirtualLayout(CELLS.shape, "i2")
            layout[:] = h5py.VirtualSource(str(other), "v", CELLS.shape)
            file.create_virtual_dataset("v", layout)
        else:
            named = h5py.enum_dtype({"a": 0, "b": 1}, "i2")
            file.create_dataset("v", data=CELLS % 2, dtype=named)
    try:
        found = read(path)
    except RejectedFileError as error:
        if error.reason != "unreadable":
            raise
        return  # netCDF4 may not read it either: no numbers are no wrong numbers
    assert found.reader == "netCDF4"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(found.packed["v"], file["v"][0][ROWS, COLUMNS])


@pytest.mark.parametrize("chunks", [(1, 8, 8), None])
def test_cells_that_were_never_written_are_no_numbers_without_a_fill_value(tmp_path: Path, chunks: Any) -> None:
    path = make(tmp_path / NAME)
    with h5py.File(path, "r+") as file:
        del file["v"]
        file.create_dataset("v", CELLS.shape, "i2", chunks=chunks, fill_time="never")
    with pytest.raises(RejectedFileError, match="never written") as error:
        read(path)
    assert error.value.reason == "never written"


def test_a_block_before_the_file_is_left_to_netcdf4(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with h5py.File(path, "w", userblock_size=512) as file:
        file["lat"], file["lon"] = satellite.LATITUDE, satellite.LONGITUDE
        file.create_dataset("v", data=CELLS, **DEFLATED)
    assert_right(path, "netCDF4")


def test_a_file_that_is_replaced_while_it_is_read_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / NAME, **DEFLATED)
    other = make(tmp_path / "other.nc", values=CELLS + np.int16(1), **DEFLATED)
    found: Callable[..., Any] = readers._find_all

    def replace_after(*given: Any) -> Any:
        shutil.copy(other, tmp_path / "third.nc")
        (tmp_path / "third.nc").replace(path)
        return found(*given)

    monkeypatch.setattr(readers, "_find_all", replace_after)
    with pytest.raises(RejectedFileError, match="was replaced") as error:
        read(path)
    assert error.value.reason == "replaced"


def test_points_beyond_count_are_grouped_without_a_loop_over_points() -> None:
    random = np.random.default_rng(1)
    rows, columns = random.integers(0, 3201, 100_000), random.integers(0, 3201, 100_000)
    plan = Plan.of(rows, columns, Layout(3201, 256, 256, 256 * 256, 2, whole=True))
    assert len(plan.parts) == 13 * 13
    assert sum(p.end - p.begin for p in plan.parts) == 100_000
    bare = Plan.of(rows, columns, Layout(3201, 3201, 3201, 3201 * 3201, 2, whole=False))
    assert sum(p.size for p in bare.parts) <= 3201 * 3201 * 2
    assert plan.places(shuffled=True).max() < 256 * 256 * 2


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the newer format of HDF5, of which all tables and attributes carry checksums."""
    folder = tmp_path_factory.mktemp("checked")
    return make(folder / NAME, latest=True, chunks=(1, 7, 16), fletcher32=True, **DEFLATED)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as netCDF4 writes it."""
    return satellite.write_file(tmp_path_factory.mktemp("plain"), satellite.DAY)


def changed(path: Path, at: int, flip: int) -> Path:
    content = bytearray(path.read_bytes())
    content[at] ^= flip
    other = path.with_name("changed") / path.name
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(content)
    return other


def test_a_damaged_chunk_behind_fletcher32_is_rejected(tmp_path: Path) -> None:
    path = make(tmp_path / NAME, chunks=(1, 40, 50), fletcher32=True)
    with h5py.File(path) as file:
        chunk = file["v"].id.get_chunk_info(0)
    with pytest.raises(RejectedFileError, match="fletcher32 checksum"):
        read(changed(path, chunk.byte_offset + 100, 4))


EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@EXAMPLES
def test_any_byte_of_a_file_with_checksums_may_change_and_no_number_is_wrong(
    checked: Path, share: float, flip: int
) -> None:
    try:
        found = read(changed(checked, int(share * checked.stat().st_size), flip))
    except RejectedFileError:
        return
    np.testing.assert_array_equal(found.packed["v"], CELLS[0, ROWS, COLUMNS])


@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@EXAMPLES
def test_any_byte_of_a_deflated_chunk_may_change_and_no_number_is_wrong(plain: Path, share: float, flip: int) -> None:
    wanted = Wanted(MSG_MDSSFTD, MSG_MDSSFTD.variables, GRID, Cells(ROWS, COLUMNS))
    with h5py.File(plain) as file:
        chunks = [file[n].id.get_chunk_info(0) for n in ("DSSF_TOT", "FRACTION_DIFFUSE", "quality_flag")]
    inside = [c.byte_offset + i for c in chunks for i in range(c.size)]
    try:
        found = read_file(changed(plain, inside[int(share * len(inside))], flip), wanted, satellite.DAY)
    except RejectedFileError:
        return
    for name, plane in satellite.planes(satellite.DAY).items():
        column = {"DSSF_TOT": "ghi", "FRACTION_DIFFUSE": "fraction_diffuse"}.get(name, name)
        np.testing.assert_array_equal(found.packed[column], plane[ROWS, COLUMNS])


@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@EXAMPLES
def test_any_byte_may_change_and_nothing_but_a_reject_is_raised(plain: Path, share: float, flip: int) -> None:
    wanted = Wanted(MSG_MDSSFTD, MSG_MDSSFTD.variables, GRID, Cells(ROWS, COLUMNS))
    try:
        found = read_file(changed(plain, int(share * plain.stat().st_size), flip), wanted, satellite.DAY)
    except RejectedFileError:
        return
    assert {len(packed) for packed in found.packed.values()} == {len(ROWS)}


def test_a_header_says_the_same_by_either_way(tmp_path: Path) -> None:
    slot = satellite.DAY
    place = satellite.write_file(tmp_path, slot)
    with netCDF4.Dataset(place, "a") as file:
        file.title = "Größe"
        file.variables["quality_flag"].setncatts({"flag_masks": np.array([1, 2], "u1"), "flag_meanings": "sea cloudy"})
    with open_source(place) as source:
        parsed, other = readers._parse_header(source, MSG_MDSSFTD), readers._read_netcdf_header(source, MSG_MDSSFTD)
    assert (parsed.title, parsed.flags) == (other.title, other.flags)
    assert parsed.title == "Größe"
    assert parsed.flags == {"quality_flag": {"masks": [1, 2], "meanings": ["sea", "cloudy"]}}
    assert parsed.grid.same(other.grid.latitude, other.grid.longitude)
    assert parsed.grid.latitude.dtype == other.grid.latitude.dtype
