"""The time that a file states inside: by an attribute, or by a CF variable of one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.describing.stamps import instant_of
from datalake_kit.irradiance.reading.datasets import read_attribute

if TYPE_CHECKING:
    import h5py

__all__ = ["Stated", "parse_time", "read_netcdf_time", "read_time"]

Stated = datetime | str | None  # a time in UTC; what stands there and is none; nothing


def read_time(file: h5py.File, product: Product) -> Stated:
    """Return the time that a file states, as h5py opened it, where the product says that it does."""

    def variable(name: str) -> tuple[Any, Mapping[str, Any]] | None:
        return (file[name][...], dict(file[name].attrs)) if name in file else None

    return _stated(product, lambda name: read_attribute(file, name), variable)


def read_netcdf_time(file: Any, product: Product) -> Stated:
    """Return the time that a file states, as netCDF4 opened it, where the product says that it does."""

    def variable(name: str) -> tuple[Any, Mapping[str, Any]] | None:
        if name not in file.variables:
            return None
        found = file.variables[name]
        found.set_auto_maskandscale(False)
        return found[...], {a: found.getncattr(a) for a in found.ncattrs()}

    return _stated(product, lambda name: getattr(file, name, None), variable)


def _stated(
    product: Product,
    attribute: Callable[[str], Any],
    variable: Callable[[str], tuple[Any, Mapping[str, Any]] | None],
) -> Stated:
    if product.time_attribute and product.slot_in != "time":
        text = _text(attribute(product.time_attribute))
        return None if text is None else parse_time(text) or text
    found = variable(product.time_variable) if product.time_variable else None
    return None if found is None else _variable_time(np.asarray(found[0]), found[1])


def _variable_time(values: np.ndarray[Any, Any], attributes: Mapping[str, Any]) -> Stated:
    units, calendar = _text(attributes.get("units")) or "", _text(attributes.get("calendar")) or "standard"
    if values.size != 1:
        return f"{values.size} times"
    scale, offset = (attributes.get(name, default) for name, default in (("scale_factor", 1), ("add_offset", 0)))
    try:
        packed, factor, begin = (float(np.asarray(v).reshape(-1)[0]) for v in (values, scale, offset))
        return instant_of(packed * factor + begin, units, calendar)
    except (DataError, ValueError, TypeError) as error:
        return str(error)


def _text(stated: Any) -> str | None:
    if stated is None:
        return None
    if isinstance(stated, np.ndarray) and stated.size == 1:
        stated = stated.reshape(-1)[0]
    return stated.decode("utf-8", "replace") if isinstance(stated, bytes) else str(stated)


def parse_time(text: str) -> datetime | None:
    """Return a time in UTC; None when it is none. Python reads ISO 8601 much faster than pandas, which reads more."""
    try:
        inside = datetime.fromisoformat(text)
    except ValueError:
        try:
            stated: Any = pd.Timestamp(text)
        except ValueError:
            return None
        if stated is pd.NaT:
            return None
        inside = stated.to_pydatetime(warn=False)
    return inside.replace(tzinfo=UTC) if inside.tzinfo is None else inside.astimezone(UTC)
