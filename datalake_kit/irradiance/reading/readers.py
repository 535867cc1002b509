"""Reads the wanted cells of one file: by the fast way where its layout allows, by netCDF4 otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.points import Grid
from datalake_kit.irradiance.describing.product import Product, Variable
from datalake_kit.irradiance.reading.packing import DECODING, NETCDF_LOCK, Packing

__all__ = ["CHUNKS", "NETCDF", "CellValues", "Header", "RejectedFileError", "open_netcdf", "read_file", "read_header"]

Array = np.ndarray[Any, Any]

CHUNKS, NETCDF = "chunks", "netCDF4"

# What a damaged or alien file can make h5py, netCDF4 and numpy raise.
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
    EOFError,
)


class RejectedFileError(UnreadableFileError):
    """A file that is not used. `reason` is a word for the rejects table, the message says the rest."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return (RejectedFileError, (self.reason, self.detail))


@dataclass(frozen=True)
class CellValues:
    """Packed numbers of one file, one array a variable, how they are packed, which reader read them and why."""

    packed: dict[str, Array]
    packing: dict[str, Packing]
    reader: str
    why: str = ""
    source_bytes: int = 0


@dataclass(frozen=True)
class Header:
    """What a file says of itself: its grid, its title, and the bits of its flags by column, where it names them."""

    grid: Grid
    title: str
    flags: dict[str, dict[str, list[Any]]]


def read_header(path: Path, product: Product) -> Header:
    """Return what a file says of itself.

    Raises
    ------
    RejectedFileError
        The file cannot be opened or has no such coordinates.
    """
    with _damage_as_reject(), NETCDF_LOCK, open_netcdf(path) as file:
        axes = []
        for name in (product.latitude, product.longitude):
            if name not in file.variables:
                raise RejectedFileError(
                    "missing variable", f"no coordinate {name!r}; it has {', '.join(file.variables)}"
                )
            axes.append(np.asarray(file.variables[name][:]))
        named = {v.column: _flag_bits(file.variables.get(v.name)) for v in product.variables}
        return Header(Grid(*axes), str(getattr(file, "title", "")), {c: bits for c, bits in named.items() if bits})


def _flag_bits(variable: Any) -> dict[str, list[Any]]:
    """Return flag_masks and flag_meanings when a variable has both and they fit; nothing is invented otherwise."""
    masks, meanings = getattr(variable, "flag_masks", None), getattr(variable, "flag_meanings", None)
    if masks is None or meanings is None:
        return {}
    numbers, words = [int(m) for m in np.atleast_1d(masks)], str(meanings).split()
    return {"masks": numbers, "meanings": words} if len(numbers) == len(words) else {}


def read_file(
    path: Path,
    product: Product,
    variables: tuple[Variable, ...],
    *,
    grid: Grid,
    rows: Array,
    columns: Array,
    slot: datetime,
) -> CellValues:
    """Return the packed numbers of the cells (rows[i], columns[i]) of a file, after checking that it is what it says.

    Raises
    ------
    RejectedFileError
        Empty, cut short, damaged, without a variable, on another grid, or of another time than its name says.
    """
    if path.stat().st_size == 0:
        raise RejectedFileError("empty", "the file has 0 bytes")
    asked = _Asked(product, variables, grid, rows, columns, slot)
    try:
        return _read_chunks(path, asked)
    except RejectedFileError:
        raise
    except DAMAGE as error:
        why = f"{type(error).__name__}: {error}"
    except Exception as error:
        if type(error).__name__ != "UnsupportedLayoutError":  # chunks.py is imported with h5py only when used
            raise
        why = str(error)
    try:
        with _damage_as_reject():
            return _read_netcdf(path, asked, why)
    except RejectedFileError as error:
        if error.reason != "unreadable":
            raise
        reason = "cut short" if "truncated" in why or "ends before" in why else "unreadable"
        raise RejectedFileError(reason, f"{why}; netCDF4 cannot read it either") from error


@dataclass(frozen=True)
class _Asked:
    product: Product
    variables: tuple[Variable, ...]
    grid: Grid
    rows: Array
    columns: Array
    slot: datetime


def _read_chunks(path: Path, asked: _Asked) -> CellValues:
    import h5py

    from datalake_kit.irradiance.reading import chunks

    with h5py.File(path, "r") as file, _descriptor(path) as descriptor:
        if file.userblock_size:
            raise chunks.UnsupportedLayoutError("a block of the user's before the file")
        product = asked.product
        _check_names(list(file), asked)
        _check_grid(file[product.latitude][()], file[product.longitude][()], asked)
        _check_time(file.attrs.get(product.time_attribute), asked)
        packed, packing = {}, {}
        for variable in asked.variables:
            dataset = file[variable.name]
            _check_shape(variable.name, dataset.shape, asked.grid)
            packing[variable.column] = chunks.packing_of(dataset)
            packed[variable.column] = chunks.read_cells(dataset, descriptor, asked.rows, asked.columns)
    return CellValues(packed, packing, CHUNKS, source_bytes=path.stat().st_size)


def _read_netcdf(path: Path, asked: _Asked, why: str) -> CellValues:
    with NETCDF_LOCK, open_netcdf(path) as file:
        product = asked.product
        _check_names(list(file.variables), asked)
        latitude, longitude = (np.asarray(file.variables[n][:]) for n in (product.latitude, product.longitude))
        _check_grid(latitude, longitude, asked)
        _check_time(getattr(file, product.time_attribute, None) if product.time_attribute else None, asked)
        packed, packing = {}, {}
        for variable in asked.variables:
            source = file.variables[variable.name]
            _check_shape(variable.name, source.shape, asked.grid)
            packing[variable.column] = _netcdf_packing(source)
            packed[variable.column] = _netcdf_cells(source, asked.rows, asked.columns)
    return CellValues(packed, packing, NETCDF, why, path.stat().st_size)


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


def _check_names(names: list[str], asked: _Asked) -> None:
    wanted = [asked.product.latitude, asked.product.longitude, *(v.name for v in asked.variables)]
    absent = [name for name in wanted if name not in names]
    if absent:
        raise RejectedFileError("missing variable", f"no {', '.join(absent)}; it has {', '.join(sorted(names))}")


def _check_grid(latitude: Array, longitude: Array, asked: _Asked) -> None:
    if not asked.grid.same(latitude, longitude):
        raise RejectedFileError("other grid", f"{len(latitude)} x {len(longitude)} cells, not those of the first file")


def _check_shape(name: str, shape: tuple[int, ...], grid: Grid) -> None:
    if shape[-2:] != (len(grid.latitude), len(grid.longitude)) or any(n != 1 for n in shape[:-2]):
        raise RejectedFileError(
            "other grid", f"{name} has the shape {shape}: one time, then the rows and columns, is read"
        )


def _check_time(stated: Any, asked: _Asked) -> None:
    """Compare the time inside with that of the name; half a step apart is still the same slot."""
    if stated is None:
        return
    text = stated.decode() if isinstance(stated, bytes) else str(stated)
    try:
        inside = pd.Timestamp(text)
    except ValueError:
        raise RejectedFileError("other time", f"{asked.product.time_attribute} is no time: {text!r}") from None
    inside = inside.tz_localize("UTC") if inside.tzinfo is None else inside.tz_convert("UTC")
    if abs(inside - pd.Timestamp(asked.slot)) >= asked.product.step / 2:
        raise RejectedFileError("other time", f"the name says {asked.slot:%Y-%m-%d %H:%M}, the file {text}")


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_netcdf(path: Path) -> Iterator[Any]:
    import netCDF4

    file = netCDF4.Dataset(path, "r")
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _damage_as_reject() -> Iterator[None]:
    try:
        yield
    except RejectedFileError:
        raise
    except DAMAGE as error:
        raise RejectedFileError("unreadable", f"{type(error).__name__}: {error}") from error
