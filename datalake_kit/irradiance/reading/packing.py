"""From packed numbers to values, by netCDF4 itself.

Whichever way the bytes were read, the packed numbers of a day are put into a NetCDF variable in memory that carries the
same type, fill value and attributes as in the file, and read back with netCDF4's own decoding. So the values are those
that netCDF4 gives, bit for bit, and no second set of rules for fill values, valid ranges and rounding exists here.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["NETCDF_LOCK", "Packing", "decode"]

Array = np.ndarray[Any, Any]


class _LibraryLock:
    """h5py's own lock: netCDF4 and the HDF5 below it are not thread-safe, and may share one HDF5 with h5py."""

    def __enter__(self) -> None:
        from h5py._objects import phil

        phil.__enter__()

    def __exit__(self, *raised: object) -> None:
        from h5py._objects import phil

        phil.__exit__(*raised)


NETCDF_LOCK = _LibraryLock()  # whoever calls netCDF4 here holds this

# The attributes that netCDF4 looks at when it decodes; others do not change a value.
DECODING = ("scale_factor", "add_offset", "missing_value", "valid_min", "valid_max", "valid_range", "_Unsigned")


@dataclass(frozen=True)
class Packing:
    """How a variable is packed: its type, and what netCDF4 uses to decode it.

    `fill` is the _FillValue attribute, None when the file states none, False when it states that nothing is filled.
    """

    dtype: str
    fill: Any
    attributes: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, dtype: Any, fill: Any, attributes: dict[str, Any]) -> Packing:
        """Build one from values as a library gives them; arrays of one number become that number."""
        kept = tuple((name, _plain(attributes[name])) for name in DECODING if name in attributes)
        native = np.dtype(dtype).newbyteorder("=").str
        return cls(native, fill if fill is None or fill is False else _plain(fill), kept)

    def key(self) -> tuple[Any, ...]:
        """Return something equal for packings that decode alike."""
        return (self.dtype, repr(self.fill), tuple((n, _typed(v)) for n, v in self.attributes))


def decode(packed: Array, packing: Packing) -> np.ma.MaskedArray[Any, Any]:
    """Return the values of packed numbers of any shape, masked where netCDF4 masks them."""
    import netCDF4

    flat = np.ascontiguousarray(packed.reshape(-1), dtype=packing.dtype)
    if not flat.size:
        return np.ma.MaskedArray(packed)
    # netCDF4 warns of attributes that it does not use; what it then does is what is wanted here
    with NETCDF_LOCK, _quiet(), netCDF4.Dataset("packed", "w", diskless=True, persist=False) as file:
        file.createDimension("n", flat.size)
        variable = file.createVariable("values", packing.dtype, ("n",), fill_value=packing.fill)
        for name, value in packing.attributes:
            variable.setncattr(name, value)
        variable.set_auto_maskandscale(False)
        variable[:] = flat
        variable.set_auto_maskandscale(True)
        return np.ma.asarray(variable[:]).reshape(packed.shape)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        yield


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        value = value.astype(value.dtype.newbyteorder("="))
        return value.reshape(-1)[0] if value.size == 1 else value
    return value


def _typed(value: Any) -> tuple[str, str]:
    array = np.asarray(value)
    return array.dtype.str, repr(array.tolist())
