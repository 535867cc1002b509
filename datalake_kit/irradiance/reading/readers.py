"""Reads the wanted cells of one file: by the fast way where its layout allows, by netCDF4 otherwise."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.flag_attributes import parse_flags
from datalake_kit.irradiance.describing.points import Grid
from datalake_kit.irradiance.describing.product import Product, Variable
from datalake_kit.irradiance.reading.cells import Cells
from datalake_kit.irradiance.reading.packing import DECODING, NETCDF_LOCK, Packing
from datalake_kit.irradiance.reading.rejects import DAMAGE, RejectedFileError, UnsupportedLayoutError, damage_as_reject
from datalake_kit.irradiance.reading.sources import LocalSource, Source, open_source
from datalake_kit.irradiance.reading.times import Stated, read_netcdf_time, read_time
from datalake_kit.storage import Place
from datalake_kit.storage.s3 import ReplacedError

if TYPE_CHECKING:
    import h5py

    from datalake_kit.irradiance.reading.chunks import FoundCells
    from datalake_kit.irradiance.reading.datasets import FoundAxis

__all__ = [
    "CHUNKS",
    "DAMAGE",
    "NETCDF",
    "CellValues",
    "Header",
    "RejectedFileError",
    "Wanted",
    "open_netcdf",
    "read_file",
    "read_header",
]

Array = np.ndarray[Any, Any]

CHUNKS, NETCDF = "chunks", "netCDF4"


@dataclass(frozen=True)
class CellValues:
    """Packed numbers of one file, one array a variable, how they are packed, which reader read them and why."""

    packed: dict[str, Array]
    packing: dict[str, Packing]
    reader: str
    why: str = ""
    source_bytes: int = 0


@dataclass(frozen=True)
class Wanted:
    """What is wanted of every file of a day, and what each must agree with."""

    product: Product
    variables: tuple[Variable, ...]
    grid: Grid
    cells: Cells


@dataclass(frozen=True)
class _Found:
    """Where h5py says that the coordinates and the wanted cells of one file stand, and how these are packed."""

    axes: tuple[FoundAxis, FoundAxis]
    cells: dict[str, FoundCells] = field(default_factory=dict)
    packing: dict[str, Packing] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """What a file says of itself: its grid, its title, and the bits of its flags by column, where it names them."""

    grid: Grid
    title: str
    flags: dict[str, dict[str, list[Any]]]


def read_header(place: Place, product: Product) -> Header:
    """Return what a file says of itself.

    Raises
    ------
    RejectedFileError
        The file cannot be opened as NetCDF or has no such coordinates.
    OSError
        It cannot be reached.
    """
    with damage_as_reject(), open_source(place) as source:
        try:
            return _parse_header(source, product)
        except (UnreadableFileError, FileNotFoundError, PermissionError):
            raise
        except (UnsupportedLayoutError, *DAMAGE):  # netCDF4 reads it all, or says what is wrong with it
            return _read_netcdf_header(source, product)


def _parse_header(source: Source, product: Product) -> Header:
    """Ask h5py, so that of an object on S3 little more than the header is fetched."""
    from datalake_kit.irradiance.reading.datasets import find_axis, open_dataset, read_attribute

    def ask(file: h5py.File) -> tuple[list[FoundAxis], Any, dict[str, dict[str, Any]]]:
        opened = [open_dataset(file, name) for name in (product.latitude, product.longitude)]
        if file.userblock_size or any(len(axis.shape) != 1 for axis in opened):
            raise UnsupportedLayoutError("coordinates of more than one dimension, or a block before the file")
        stated = {v.column: _flag_attributes(file[v.name]) for v in product.variables if v.name in file}
        return [find_axis(axis) for axis in opened], read_attribute(file, "title"), stated

    axes, title, stated = source.parse(ask)
    contents = iter(source.read_many([axis.range for axis in axes if axis.range]))
    values = [axis.of([next(contents)] if axis.range else []) for axis in axes]
    grid = Grid(*(v.astype(v.dtype.newbyteorder("=")) for v in values))
    named = {column: parse_flags(attributes) for column, attributes in stated.items()}
    return Header(grid, _plain("" if title is None else title), {c: bits for c, bits in named.items() if bits})


def _flag_attributes(variable: Any) -> dict[str, Any]:
    found = {n: variable.attrs[n] for n in ("flag_masks", "flag_values", "flag_meanings") if n in variable.attrs}
    return {n: _plain(v) if isinstance(v, str | bytes) or n == "flag_meanings" else v for n, v in found.items()}


def _plain(stated: Any) -> str:
    """Return a text that h5py gives as bytes or text; lists of texts are left to netCDF4."""
    if isinstance(stated, np.ndarray) and stated.size == 1:
        stated = stated.item()
    if not isinstance(stated, str | bytes):
        raise UnsupportedLayoutError(f"an attribute of type {type(stated).__name__} in place of text")
    return stated.decode() if isinstance(stated, bytes) else str(stated)


def _read_netcdf_header(source: Source, product: Product) -> Header:
    with NETCDF_LOCK, open_netcdf(source) as file:
        axes = []
        for name in (product.latitude, product.longitude):
            if name not in file.variables:
                raise RejectedFileError(
                    "missing variable", f"no coordinate {name!r}; it has {', '.join(file.variables)}"
                )
            axes.append(np.asarray(file.variables[name][:]))
        named = {
            v.column: parse_flags(vars(file.variables[v.name])) for v in product.variables if v.name in file.variables
        }
        return Header(Grid(*axes), str(getattr(file, "title", "")), {c: bits for c, bits in named.items() if bits})


def read_file(place: Place, wanted: Wanted, slot: datetime) -> CellValues:
    """Return the packed numbers of the wanted cells of a file, after checking that it is what its name says.

    Raises
    ------
    RejectedFileError
        Empty, cut short, damaged, without a variable, on another grid, of another time than its name says, or replaced
        while it was read.
    OSError
        It cannot be reached.
    UnreadableFileError
        S3 refuses or cannot be reached.
    """
    try:
        with open_source(place) as source:
            if source.size == 0:
                raise RejectedFileError("empty", "the file has 0 bytes")
            return _read(source, wanted, slot)
    except ReplacedError as error:
        raise RejectedFileError("replaced", str(error)) from error


def _read(source: Source, wanted: Wanted, slot: datetime) -> CellValues:
    try:
        return _read_chunks(source, wanted, slot)
    except (UnreadableFileError, FileNotFoundError):
        raise
    except UnsupportedLayoutError as error:
        why = str(error)
    except DAMAGE as error:
        why = f"{type(error).__name__}: {error}"
    try:
        with damage_as_reject():
            return _read_netcdf(source, wanted, slot, why)
    except RejectedFileError as error:
        if error.reason != "unreadable":
            raise
        reason = "cut short" if "truncated" in why or "ends before" in why else "unreadable"
        raise RejectedFileError(reason, f"{why}; netCDF4 cannot read it either: {error.detail}") from error


def _read_chunks(source: Source, wanted: Wanted, slot: datetime) -> CellValues:
    """Ask h5py where everything stands, then read all of it at once, then pick."""
    from datalake_kit.irradiance.reading.chunks import pick_cells

    found = source.parse(lambda file: _find_all(file, wanted, slot))
    ranges = [[axis.range] if axis.range else [] for axis in found.axes] + [c.ranges for c in found.cells.values()]
    contents = iter(source.read_many([r for some in ranges for r in some]))
    each = [list(itertools.islice(contents, len(some))) for some in ranges]
    latitude, longitude = (axis.of(content) for axis, content in zip(found.axes, each[:2], strict=True))
    _check_grid(latitude, longitude, wanted.grid)
    cells = zip(found.cells.items(), each[2:], strict=True)
    packed = {column: pick_cells(found_cells, content, wanted.cells) for (column, found_cells), content in cells}
    return CellValues(packed, found.packing, CHUNKS, source_bytes=source.size)


def _find_all(file: h5py.File, wanted: Wanted, slot: datetime) -> _Found:
    """Check a file as h5py opens it; find its coordinates and the cells of each variable."""
    from datalake_kit.irradiance.reading.chunks import find_cells
    from datalake_kit.irradiance.reading.datasets import find_axis, open_dataset, packing_of

    product = wanted.product
    if file.userblock_size:
        raise UnsupportedLayoutError("a block of the user's before the file")
    latitude, longitude = (find_axis(open_dataset(file, n)) for n in (product.latitude, product.longitude))
    found = _Found((latitude, longitude))
    for variable in wanted.variables:
        opened = open_dataset(file, variable.name)
        _check_shape(variable.name, opened.shape, wanted.grid)
        found.packing[variable.column] = packing_of(opened)
        found.cells[variable.column] = find_cells(opened, wanted.cells)
    _check_time(read_time(file, product), product, slot)
    return found


def _read_netcdf(source: Source, wanted: Wanted, slot: datetime, why: str) -> CellValues:
    with NETCDF_LOCK, open_netcdf(source) as file:
        product = wanted.product
        _check_names(file.variables, wanted)
        axes = [np.asarray(file.variables[n][:]) for n in (product.latitude, product.longitude)]
        _check_grid(axes[0], axes[1], wanted.grid)
        _check_time(read_netcdf_time(file, product), product, slot)
        packed, packing = {}, {}
        for variable in wanted.variables:
            values = file.variables[variable.name]
            _check_shape(variable.name, values.shape, wanted.grid)
            packing[variable.column] = _netcdf_packing(values)
            packed[variable.column] = _netcdf_cells(values, wanted.cells.rows, wanted.cells.columns)
    return CellValues(packed, packing, NETCDF, why, source.size)


def _netcdf_packing(source: Any) -> Packing:
    names = source.ncattrs()
    attributes = {name: source.getncattr(name) for name in DECODING if name in names}
    fill = source.getncattr("_FillValue") if "_FillValue" in names else None
    if fill is None and source.get_fill_value() is None:
        fill = False
    return Packing.of(source.dtype, fill, attributes)


def _netcdf_cells(source: Any, rows: Array, columns: Array) -> Array:
    """Read the smallest box around the cells, undecoded, and pick them."""
    source.set_auto_maskandscale(False)
    top, left = int(rows.min()), int(columns.min())
    box = np.asarray(source[(0,) * (source.ndim - 2) + (slice(top, rows.max() + 1), slice(left, columns.max() + 1))])
    picked: Array = box[rows - top, columns - left]
    return picked.astype(picked.dtype.newbyteorder("="), copy=False)


def _check_names(named: Any, wanted: Wanted) -> None:
    product = wanted.product
    absent = [n for n in (product.latitude, product.longitude, *(v.name for v in wanted.variables)) if n not in named]
    if absent:
        raise RejectedFileError("missing variable", f"no {', '.join(absent)}; it has {', '.join(sorted(named))}")


def _check_grid(latitude: Array, longitude: Array, grid: Grid) -> None:
    if not grid.same(latitude, longitude):
        raise RejectedFileError(
            "other grid", f"{latitude.size} x {longitude.size} cells, not those of the table's grid"
        )


def _check_shape(name: str, shape: tuple[int, ...], grid: Grid) -> None:
    if shape[-2:] != (len(grid.latitude), len(grid.longitude)) or any(n != 1 for n in shape[:-2]):
        raise RejectedFileError(
            "other grid", f"{name} has the shape {shape}: one time, then the rows and columns, is read"
        )


def _check_time(stated: Stated, product: Product, slot: datetime) -> None:
    """Compare the time inside with that of the name; half a step apart is still the same slot."""
    if stated is None:
        return
    if isinstance(stated, str):
        where = product.time_attribute or product.time_variable
        raise RejectedFileError("other time", f"{where} is no time: {stated!r}")
    if abs(stated + product.slot_shift - slot) >= product.step / 2:
        raise RejectedFileError("other time", f"the name says {slot:%Y-%m-%d %H:%M}, the file {stated.isoformat()}")


@contextmanager
def open_netcdf(source: Source) -> Iterator[Any]:
    """Open a file with netCDF4: by its path, or out of memory where it is not local. Hold NETCDF_LOCK."""
    import netCDF4

    local = isinstance(source, LocalSource)
    file = netCDF4.Dataset(source.name, "r", memory=None if local else source.read_all())
    try:
        yield file
    finally:
        file.close()
