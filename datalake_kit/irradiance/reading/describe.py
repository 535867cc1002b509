"""Describes a file of a kind that is not known yet."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.file_facts import FileFacts, VariableFacts
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.describing.proposal import propose
from datalake_kit.irradiance.describing.stamps import instant_of
from datalake_kit.irradiance.reading.packing import NETCDF_LOCK
from datalake_kit.irradiance.reading.readers import open_netcdf
from datalake_kit.irradiance.reading.rejects import RejectedFileError, damage_as_reject
from datalake_kit.irradiance.reading.sources import Source, open_source
from datalake_kit.irradiance.reading.times import parse_time
from datalake_kit.storage import Place, place

__all__ = ["describe"]

_START = (
    "time_coverage_start",
    "start_time",
    "nominal_time",
    "nominal_product_time",
    "image_reference_time",
    "date_time",
)
_RESOLUTION = ("time_coverage_resolution", "time_coverage_duration")
_SIBLINGS = 2000


def describe(file: str | Place, *, step: timedelta | None = None) -> Product:
    """Propose a description of the files that are like this one: names, units, slot, step, instants or means.

    Latitude and longitude are found by CF's attributes or their names, variables by their dimensions. The slot is the
    time in the file's name that agrees with the time inside (an attribute such as time_coverage_start, else the CF time
    variable); where none does, it is the time inside. The step is time_coverage_resolution or _duration, the length of
    the time's bounds, or the most frequent time between the names beside the file, if it is there twice. Values are
    means where cell_methods says so, else instants, as CF has it; of means whose stated time is not the start of
    their bounds, `slot_shift` says so. Irradiance in W/m2 gets pvlib's names as columns (ghi, dhi, bhi, dni,
    ghi_clear) by its standard_name or a name in use (SIS, SID, DNI, ...); other variables keep theirs, and every unit
    stays as it is.

    It is a proposal: print it, which gives code, and look whether it is true. It knows nothing of when a line was
    scanned. A file of a product that is known gives that product.

    Parameters
    ----------
    file : path
        One NetCDF file, local or on S3: there the whole object is read.
    step : timedelta, optional
        Time between two slots, where the file does not say it.

    Returns
    -------
    Product
        For `extract(..., product=)` and `plan`.

    Raises
    ------
    UnreadableFileError
        The file is empty, no NetCDF (a web page, say), or cannot be reached.
    DataError
        It is on no grid of latitudes by longitudes, holds several times, states none, or nothing tells the step.

    Examples
    --------
    >>> describe("sarah/SISin20160101121500.nc")    # doctest: +SKIP
    Product(
        name='SISin',
        title='CM SAF Surface Solar Radiation Data Set - Heliosat (SARAH)',
        pattern='SISin(?P<slot>[0-9]{14})\\\\.nc',
        variables=(
            Variable('SIS', 'ghi', 'W/m2'),
        ),
        step=timedelta(minutes=30),
        time_attribute='',
        day_folders=False,
        time_variable='time',
    )
    """
    path = place(file)
    try:
        with damage_as_reject(), open_source(path) as source:
            _refuse_other(source, path)
            with NETCDF_LOCK, open_netcdf(source) as opened:
                facts = _facts(opened, path)
    except RejectedFileError as error:
        raise UnreadableFileError(f"{path} is no NetCDF file that can be read: {error.detail}.") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error}.") from None
    return propose(facts, step=step)


def _refuse_other(source: Source, path: Place) -> None:
    if not source.size:
        raise UnreadableFileError(f"{path} has 0 bytes: download it again.")
    begin = source.read(0, min(source.size, 512)).lstrip().lower()
    if begin.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise UnreadableFileError(
            f"{path} is a web page, not NetCDF: the download gave an error page in place of the file."
        )


def _facts(opened: Any, path: Place) -> FileFacts:
    variables = {name: _variable(name, found) for name, found in opened.variables.items()}
    attributes = {name: opened.getncattr(name) for name in opened.ncattrs()}
    time = _time_variable(variables)
    times = {
        ("attribute", n): t for n in _START if n in attributes and (t := parse_time(str(attributes[n]))) is not None
    }
    if time is not None and (inside := _times(opened, time, time)) and len(inside) == 1:
        times["time", time] = inside[0]
    bounds = _bounds(opened, variables, time)
    return FileFacts(
        name=path.name,
        variables=variables,
        attributes=attributes,
        times=times,
        bounds=bounds,
        rising={n: _rises(opened.variables[n]) for n, v in variables.items() if len(v.shape) == 1 and v.numeric},
        siblings=_siblings(path),
        resolution=next((d for n in _RESOLUTION if (d := _duration(attributes.get(n))) is not None), None),
    )


def _variable(name: str, found: Any) -> VariableFacts:
    numeric = isinstance(found.dtype, np.dtype) and found.dtype.kind in "iuf"
    return VariableFacts(name, found.dimensions, found.shape, numeric, {a: found.getncattr(a) for a in found.ncattrs()})


def _time_variable(variables: dict[str, VariableFacts]) -> str | None:
    """Return the variable of the time: by CF's standard_name, by its units, or by its name."""
    numbers = [v for v in variables.values() if v.numeric and len(v.shape) < 2]
    for found in numbers:
        if found.text("standard_name") == "time" or found.text("axis") == "T":
            return found.name
    return next((v.name for v in numbers if v.name.casefold() == "time" and " since " in v.text("units")), None)


def _times(opened: Any, name: str, units_of: str) -> list[datetime]:
    units = opened.variables[units_of]
    values = np.ma.masked_invalid(opened.variables[name][...]).compressed()
    calendar = str(getattr(units, "calendar", "standard"))
    return [instant_of(float(v), str(getattr(units, "units", "")), calendar) for v in values[:3]]


def _bounds(opened: Any, variables: dict[str, VariableFacts], time: str | None) -> tuple[datetime, datetime] | None:
    named = variables[time].text("bounds") if time else ""
    if time is None or named not in variables or int(np.prod(variables[named].shape)) != 2:
        return None
    found = _times(opened, named, time)
    return (found[0], found[1]) if len(found) == 2 and found[0] < found[1] else None


def _rises(variable: Any) -> bool:
    step: Any = np.diff(np.ma.filled(np.ma.asarray(variable[...], float), np.nan))
    return bool(step.size) and bool(np.all(step > 0) or np.all(step < 0))


def _duration(stated: Any) -> timedelta | None:
    """Return an ISO 8601 duration, None when it is none."""
    if stated is None or not re.match(r"P", str(stated).strip(), re.IGNORECASE):
        return None
    try:
        found = pd.Timedelta(str(stated).strip().upper()).to_pytimedelta()
    except ValueError:
        return None
    return found if found > timedelta(0) else None


def _siblings(path: Place) -> tuple[str, ...]:
    """Return names of files beside a local one; on S3 a listing is not worth it."""
    if not isinstance(path, Path):
        return ()
    names = sorted(p.name for p in path.parent.iterdir() if p.suffix == path.suffix)
    at = names.index(path.name) if path.name in names else 0
    return tuple(names[max(0, at - _SIBLINGS // 2) : at + _SIBLINGS // 2])
