"""The fast way: the few bytes that are wanted, straight out of the chunks of a NetCDF4 file.

A NetCDF4 file is an HDF5 file. h5py tells where the chunks stand; each chunk that holds a wanted cell is read with one
`pread`, inflated with libdeflate, and the bytes of each value are picked out of the shuffled planes (byte k of element
i stands at k*n+i), without unshuffling the rest. Everything is checked on the way: lengths, and the checksum that
closes each deflated chunk. What is not understood here raises `UnsupportedLayoutError`; the caller then reads with
netCDF4.
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import imagecodecs
import numpy as np

from datalake_kit.irradiance.reading.packing import DECODING, Packing

__all__ = ["UnsupportedLayoutError", "packing_of", "read_cells"]

Array = np.ndarray[Any, Any]


class UnsupportedLayoutError(Exception):
    """The layout of this variable is left to netCDF4; the message says why."""


def read_cells(dataset: h5py.Dataset, descriptor: int, rows: Array, columns: Array) -> Array:
    """Return the packed numbers of cells (rows[i], columns[i]) of a variable ([1, ...,] rows, columns).

    `descriptor` is an open file descriptor of the same file. Native byte order.

    Raises
    ------
    UnsupportedLayoutError
        A filter, filter mask, type or layout that is not known here.
    OSError
        The file ends before the bytes that its tables name, or a chunk does not inflate to its size.
    """
    if dataset.dtype.kind not in "iuf":
        raise UnsupportedLayoutError(f"type {dataset.dtype}")
    layout = dataset.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CONTIGUOUS:
        return _contiguous(dataset, descriptor, rows, columns)
    if layout == h5py.h5d.CHUNKED:
        return _chunked(dataset, descriptor, rows, columns)
    raise UnsupportedLayoutError("a layout that is neither chunked nor contiguous")


def packing_of(dataset: h5py.Dataset) -> Packing:
    """Return how a variable is packed, as netCDF4 would see it."""
    attributes: dict[str, Any] = {}
    present = set(dataset.attrs)
    for name in (*DECODING, "_FillValue"):
        if name in present:
            value = dataset.attrs[name]
            if isinstance(value, h5py.Empty) or (isinstance(value, np.ndarray) and value.dtype.kind not in "iuf"):
                raise UnsupportedLayoutError(f"attribute {name} of type {value.dtype}")
            attributes[name] = value
    fill = attributes.pop("_FillValue", None)
    if fill is None and dataset.id.get_create_plist().get_fill_time() == h5py.h5d.FILL_TIME_NEVER:
        fill = False
    return Packing.of(dataset.dtype, fill, attributes)


def _contiguous(dataset: h5py.Dataset, descriptor: int, rows: Array, columns: Array) -> Array:
    start, size = dataset.id.get_offset(), dataset.dtype.itemsize
    if start is None:
        return _filled(dataset, len(rows))
    places = start + (rows.astype(np.int64) * dataset.shape[-1] + columns) * size
    found = b"".join(_pread(descriptor, size, int(place)) for place in places)
    return _native(np.frombuffer(found, dataset.dtype))


def _chunked(dataset: h5py.Dataset, descriptor: int, rows: Array, columns: Array) -> Array:
    shuffled, deflated = _filters(dataset)
    high, wide = dataset.chunks[-2:]
    count, lead = int(np.prod(dataset.chunks)), (0,) * (dataset.ndim - 2)
    number = (rows // high) * (-(-dataset.shape[-1] // wide)) + columns // wide
    inside = (rows % high) * wide + columns % wide
    result = _filled(dataset, len(rows))
    for each in np.unique(number):
        here = np.flatnonzero(number == each)
        corner = (int(rows[here[0]] // high * high), int(columns[here[0]] // wide * wide))
        info = dataset.id.get_chunk_info_by_coord((*lead, *corner))
        if info.byte_offset is None:
            continue  # a chunk that was never written: all fill value
        if info.filter_mask:
            raise UnsupportedLayoutError("a chunk that skipped some of its filters")
        data = _pread(descriptor, info.size, info.byte_offset)
        data = _inflate(data, count * dataset.dtype.itemsize, deflated=deflated)
        result[here] = _pick(data, dataset.dtype, count, inside[here], shuffled=shuffled)
    return result


def _filters(dataset: h5py.Dataset) -> tuple[bool, bool]:
    """Return whether values are shuffled and deflated; any other chain of filters is not ours."""
    settings = dataset.id.get_create_plist()
    chain = tuple(settings.get_filter(i)[0] for i in range(settings.get_nfilters()))
    shuffle, deflate = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE
    if chain not in ((), (shuffle,), (deflate,), (shuffle, deflate)):
        raise UnsupportedLayoutError(f"filters {chain} (known: shuffle {shuffle}, then deflate {deflate})")
    return shuffle in chain, deflate in chain


def _inflate(data: bytes, size: int, *, deflated: bool) -> bytes:
    if deflated:
        try:
            data = bytes(imagecodecs.deflate_decode(data, out=size))
        except (imagecodecs.DeflateError, ValueError) as error:
            raise OSError(f"a chunk does not inflate: {error}") from None
    if len(data) != size:
        raise OSError(f"a chunk holds {len(data)} bytes in place of {size}")
    return data


def _pick(data: bytes, dtype: np.dtype[Any], count: int, inside: Array, *, shuffled: bool) -> Array:
    if not shuffled:
        return _native(np.frombuffer(data, dtype)[inside])
    plane = np.frombuffer(data, np.uint8)
    picked = np.empty((len(inside), dtype.itemsize), np.uint8)
    for byte in range(dtype.itemsize):
        picked[:, byte] = plane[byte * count + inside]
    return _native(picked.view(dtype)[:, 0])


def _filled(dataset: h5py.Dataset, count: int) -> Array:
    return np.full(count, dataset.fillvalue, dataset.dtype.newbyteorder("="))


def _native(values: Array) -> Array:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    data = os.pread(descriptor, size, offset)
    if len(data) != size:
        raise OSError(f"the file ends before byte {offset + size}")
    return data
