"""What h5py says of a variable, by its short ways: a file is opened 35,040 times a year."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from datalake_kit.irradiance.reading.packing import DECODING, Packing, decode
from datalake_kit.irradiance.reading.rejects import RejectedFileError, UnsupportedLayoutError

__all__ = ["FoundAxis", "Opened", "find_axis", "open_dataset", "packing_of", "read_attribute", "read_whole"]

Array = np.ndarray[Any, Any]

_NAMES = tuple((name, name.encode()) for name in (*DECODING, "_FillValue"))
_PACKED = (b"scale_factor", b"add_offset", b"_Unsigned")
_TYPES = ("<i2", "<f4", "<u1", "<i1", "<f8", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2")
_TYPES_BIG = tuple(t.replace("<", ">") for t in _TYPES)


@dataclass(frozen=True)
class FoundAxis:
    """The coordinates of one side of the grid: their values, or the `range` (offset, size) in which they stand."""

    dtype: np.dtype[Any]
    range: tuple[int, int] | None
    values: Array | None = None

    def of(self, contents: list[bytes]) -> Array:
        """Return the values; `contents` are the bytes of `range`, if there is one."""
        return np.frombuffer(contents[0], self.dtype) if self.values is None else self.values


@dataclass(frozen=True)
class Opened:
    """An open variable, with what is asked for more than once: each question costs HDF5 some microseconds."""

    id: h5py.h5d.DatasetID
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    settings: h5py.h5p.PropDCID


def open_dataset(file: h5py.File, name: str) -> Opened:
    """Open a variable of the file itself.

    Raises
    ------
    RejectedFileError
        There is none.
    UnsupportedLayoutError
        It is a link, to another file maybe, or no variable, or its numbers are not stored as numpy has them: all bits,
        no names for values.
    """
    path = name.encode()
    if path not in file.id:
        raise RejectedFileError("missing variable", f"no {name}; it has {', '.join(sorted(file))}")
    if file.id.links.get_info(path).type != h5py.h5l.TYPE_HARD:
        raise UnsupportedLayoutError(f"{name} is a link")
    dataset = h5py.h5d.open(file.id, path)
    known = _known(dataset.get_type())
    if known is None:
        raise UnsupportedLayoutError(f"{name} is of a type that numpy does not have, or {dataset.dtype}")
    return Opened(dataset, dataset.shape, known[1], dataset.get_create_plist())


def _known(stored: h5py.h5t.TypeID) -> tuple[h5py.h5t.TypeID, np.dtype[Any]] | None:
    return next((known for known in _known_types() if stored.equal(known[0])), None)


@functools.cache
def _known_types() -> tuple[tuple[h5py.h5t.TypeID, np.dtype[Any]], ...]:
    known = [(h5py.h5t.py_create(np.dtype(t)), np.dtype(t)) for t in (*_TYPES, *_TYPES_BIG)]
    for kind, dtype in ((h5py.h5t.STD_I8BE, "i1"), (h5py.h5t.STD_U8BE, "u1")):  # a byte has no order for numpy
        known.append((kind, np.dtype(dtype)))
    return tuple(known)


def read_whole(variable: Opened) -> Array:
    """Return all numbers of a small variable, as h5py reads them, in the machine's byte order."""
    values = np.empty(variable.shape, variable.dtype.newbyteorder("="))
    variable.id.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def find_axis(variable: Opened) -> FoundAxis:
    """Find the coordinates of one side of the grid; they are decoded where they are packed, which is rare."""
    dtype, settings = variable.dtype, variable.settings
    if any(h5py.h5a.exists(variable.id, key) for key in _PACKED):
        return FoundAxis(dtype, None, np.asarray(decode(read_whole(variable), packing_of(variable))))
    offset = variable.id.get_offset()
    if offset is None or settings.get_layout() != h5py.h5d.CONTIGUOUS or settings.get_external_count():
        return FoundAxis(dtype, None, read_whole(variable))
    return FoundAxis(dtype, (offset, int(np.prod(variable.shape)) * dtype.itemsize))


def packing_of(variable: Opened) -> Packing:
    """Return how a variable is packed, as netCDF4 would see it.

    Raises
    ------
    UnsupportedLayoutError
        An attribute of a type that is not known here.
    """
    present = [(name, key) for name, key in _NAMES if h5py.h5a.exists(variable.id, key)]
    attributes = {name: _value(variable, name, key) for name, key in present}
    fill = attributes.pop("_FillValue", None)
    if fill is None and variable.settings.get_fill_time() == h5py.h5d.FILL_TIME_NEVER:
        fill = False
    return Packing.of(variable.dtype, fill, attributes)


def _value(variable: Opened, name: str, key: bytes) -> Any:
    attribute = h5py.h5a.open(variable.id, key)
    shape, known = attribute.shape, _known(attribute.get_type())
    if shape is not None and known is not None:
        values = np.empty(shape, known[1])
        attribute.read(values, known[0])
        return values
    value = h5py.Dataset(variable.id).attrs[name]
    if isinstance(value, h5py.Empty) or (isinstance(value, np.ndarray) and value.dtype.kind not in "iuf"):
        raise UnsupportedLayoutError(f"attribute {name} of type {value.dtype}")
    return value


def read_attribute(file: h5py.File, name: str) -> Any:
    """Return an attribute of the file, None when it has none of this name."""
    key = name.encode()
    if not name or not h5py.h5a.exists(file.id, key):
        return None
    attribute = h5py.h5a.open(file.id, key)
    kind = attribute.get_type()
    if attribute.shape == () and isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str():
        text = np.empty((), f"S{kind.get_size()}")
        attribute.read(text)
        return bytes(text[()])
    return file.attrs[name]
