"""The fast way: the few bytes that are wanted, straight out of the chunks of a NetCDF4 file.

A NetCDF4 file is an HDF5 file. h5py tells where the chunks stand; each chunk that holds a wanted cell is read in one
piece, inflated with libdeflate, and the bytes of each value are picked out of the shuffled planes, without unshuffling
the rest. What h5py says first (`find_cells`) and the reading and inflating (`pick_cells`) are apart, so that all bytes
of a file can be asked for at once, and so that HDF5's lock is held for the first alone.

Nothing is taken on trust: a chunk must inflate to its size, and the checksums that close each deflated chunk (Adler-32)
and each chunk behind the fletcher32 filter are compared. Therefore a chunk is inflated to its end, also when the last
wanted byte is out before: stopping there would save a tenth or two, and a damaged chunk would give numbers. What no
checksum covers, no reader can tell: chunks that are stored as they are, attributes, and the coordinates and tables of
files that were written with the old format of HDF5, which is netCDF4's default.

What is not understood here raises `UnsupportedLayoutError`; the caller then reads with netCDF4.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import imagecodecs
import numpy as np

from datalake_kit.irradiance.reading.cells import Cells, Layout, Part, Plan
from datalake_kit.irradiance.reading.datasets import Opened, read_whole
from datalake_kit.irradiance.reading.rejects import RejectedFileError, UnsupportedLayoutError

__all__ = ["FoundCells", "find_cells", "pick_cells"]

Array = np.ndarray[Any, Any]

_SHUFFLE, _DEFLATE, _FLETCHER = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32
_KNOWN = {_SHUFFLE: "shuffle", _DEFLATE: "deflate", _FLETCHER: "fletcher32"}
_CHECKSUM = 4  # bytes


@dataclass(frozen=True)
class FoundCells:
    """Where the wanted cells of a variable stand in one file.

    `ranges` (offset, size) are to be read; `parts` are the parts of the plan that they hold, `masks` the filters that
    each chunk skipped. Cells of other parts were never written and have the fill value. A variable that lies in the
    header itself is here already: `values`.
    """

    dtype: np.dtype[Any]
    plan: Plan | None
    filters: tuple[int, ...] = ()
    fill: Any = None
    parts: tuple[Part, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    masks: tuple[int, ...] = ()
    values: Array | None = None


def find_cells(variable: Opened, cells: Cells) -> FoundCells:
    """Look up where the wanted cells of a variable ([1, ...,] rows, columns) stand.

    Raises
    ------
    UnsupportedLayoutError
        A filter, type or layout that is not known here.
    RejectedFileError
        Wanted cells were never written, and the file states no fill value: netCDF4 would give any number.
    """
    layout = variable.settings.get_layout()
    if layout == h5py.h5d.COMPACT:
        plane = read_whole(variable)[(0,) * (len(variable.shape) - 2)]
        return FoundCells(variable.dtype, None, values=plane[cells.rows, cells.columns])
    if layout == h5py.h5d.CONTIGUOUS and not variable.settings.get_external_count():
        return _find_contiguous(variable, cells)
    if layout == h5py.h5d.CHUNKED:
        return _find_chunks(variable, cells)
    raise UnsupportedLayoutError("a layout that is neither chunked nor contiguous in this file")


def _find_contiguous(variable: Opened, cells: Cells) -> FoundCells:
    rows, columns = variable.shape[-2:]
    dtype, start = variable.dtype, variable.id.get_offset()
    plan = cells.plan(Layout(columns, rows, columns, rows * columns, dtype.itemsize, whole=False))
    if start is None:
        return FoundCells(dtype, plan, fill=_fill_of(variable))
    ranges = tuple((start + p.skip, p.size) for p in plan.parts)
    return FoundCells(dtype, plan, parts=plan.parts, ranges=ranges, masks=(0,) * len(ranges))


def _find_chunks(variable: Opened, cells: Cells) -> FoundCells:
    dtype, chunk = variable.dtype, variable.settings.get_chunk()
    filters = _filters(variable, chunk)
    count = math.prod(chunk)
    layout = Layout(variable.shape[-1], chunk[-2], chunk[-1], count, dtype.itemsize, whole=bool(filters))
    plan = cells.plan(layout)
    parts, ranges, masks = [], [], []
    for part, found in zip(plan.parts, _table(variable, chunk, plan.parts), strict=True):
        if found is not None and found.byte_offset is not None:
            if not filters and found.size != count * dtype.itemsize:
                raise OSError(f"a chunk holds {found.size} bytes in place of {count * dtype.itemsize}")
            parts.append(part)
            ranges.append((found.byte_offset + part.skip, part.size or found.size))
            masks.append(found.filter_mask)
    fill = _fill_of(variable) if len(parts) < len(plan.parts) else None
    return FoundCells(dtype, plan, filters, fill, tuple(parts), tuple(ranges), tuple(masks))


def _filters(variable: Opened, chunk: tuple[int, ...]) -> tuple[int, ...]:
    """Return the filters in the order in which they were applied; only chains that are understood."""
    settings = variable.settings
    chain = tuple(settings.get_filter(i)[0] for i in range(settings.get_nfilters()))
    if set(chain) - set(_KNOWN) or len(set(chain)) < len(chain) or _SHUFFLE in chain[1:]:
        known = ", ".join(f"{number} {name}" for number, name in _KNOWN.items())
        raise UnsupportedLayoutError(f"filters {chain} (known: {known}, shuffle first)")
    if chain == (_SHUFFLE,) and any(n % c for n, c in zip(variable.shape, chunk, strict=True)):
        # HDF5 can leave filters out for chunks that reach beyond the grid, and h5py does not tell; what is deflated or
        # has a checksum gives itself away
        raise UnsupportedLayoutError("shuffled chunks that reach beyond the grid, without a checksum")
    return chain


def _table(variable: Opened, chunk: tuple[int, ...], parts: Sequence[Part]) -> Iterator[Any]:
    """Give what the chunk table says of the chunk of each part: StoreInfo, or None."""
    lead = (0,) * (len(chunk) - 2)
    corners = dict.fromkeys(p.corner for p in parts)
    if _is_cheaper_alone(len(corners), math.prod(-(-n // c) for n, c in zip(variable.shape, chunk, strict=True))):
        found = {c: variable.id.get_chunk_info_by_coord((*lead, *c)) for c in corners}
    else:
        table: dict[tuple[int, ...], Any] = {}
        variable.id.chunk_iter(lambda info: table.update({info.chunk_offset: info}))
        found = {c: table.get((*lead, *c)) for c in corners}
    return (found[p.corner] for p in parts)


def _is_cheaper_alone(wanted: int, chunks: int) -> bool:
    """Tell whether to look chunks up one by one: HDF5 goes through half its table for each; else through all once.

    Microseconds, as measured: 5 a call and 0.05 a chunk, or 2.5 a chunk that is given to Python.
    """
    return wanted * (5 + 0.05 * chunks) < 2.5 * chunks


def _fill_of(variable: Opened) -> Any:
    settings = variable.settings
    never = settings.get_fill_time() == h5py.h5d.FILL_TIME_NEVER
    if never or settings.fill_value_defined() == h5py.h5d.FILL_VALUE_UNDEFINED:
        raise RejectedFileError("never written", "wanted cells were never written, and no value for such is stated")
    value = np.zeros((), variable.dtype.newbyteorder("="))
    settings.get_fill_value(value)
    return value


def pick_cells(found: FoundCells, contents: Sequence[bytes], cells: Cells) -> Array:
    """Return the packed numbers of the wanted cells, in native byte order, out of the bytes of `found.ranges`.

    Raises
    ------
    OSError
        A chunk does not inflate to its size, or its checksum is another one.
    """
    if found.values is not None or found.plan is None:
        return np.asarray(found.values)
    plan, size = found.plan, found.dtype.itemsize
    picked = np.empty((len(plan.order), size), np.uint8)
    if len(found.parts) < len(plan.parts):
        picked[:] = np.frombuffer(found.fill.astype(found.dtype).tobytes(), np.uint8)
    for part, mask, content in zip(found.parts, found.masks, contents, strict=True):
        applied = [f for i, f in enumerate(found.filters) if not mask >> i & 1]
        plane = _undo(content, applied, part.size or plan.layout.numbers * size, cells)
        places = plan.places(shuffled=_SHUFFLE in applied)
        np.take(plane, places[part.begin : part.end], out=picked[part.begin : part.end], mode="clip")
    values = np.empty(len(plan.order), found.dtype.newbyteorder("="))
    values[plan.order] = picked.view(found.dtype)[:, 0]
    return values


def _undo(content: bytes, applied: Sequence[int], size: int, cells: Cells) -> Array:
    """Undo the filters of a chunk but shuffling."""
    data: Any = content
    for number, each in reversed(list(enumerate(applied))):
        if each == _FLETCHER:
            data = _verified(data)
        elif each == _DEFLATE:
            data = _inflated(data, size + _CHECKSUM * (_FLETCHER in applied[:number]), cells)
    if len(data) != size:
        raise OSError(f"a chunk holds {len(data)} bytes in place of {size}")
    return np.frombuffer(data, np.uint8)


def _verified(data: Any) -> memoryview:
    content, stated = memoryview(data)[:-_CHECKSUM], bytes(memoryview(data)[-_CHECKSUM:])
    check: Any = imagecodecs.h5checksum_fletcher32
    if len(content) == 0 or check(content) != int.from_bytes(stated, "little"):
        raise OSError("a chunk is damaged: its fletcher32 checksum is another one")
    return content


def _inflated(data: Any, size: int, cells: Cells) -> Any:
    inflate: Any = imagecodecs.deflate_decode
    try:
        return inflate(data, out=cells.scratch(size))
    except (imagecodecs.DeflateError, ValueError) as error:
        raise OSError(f"a chunk does not inflate to {size} bytes: {error}") from None
