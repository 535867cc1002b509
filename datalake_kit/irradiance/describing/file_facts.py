"""What a NetCDF file says of itself, and which of its variables lie on a grid of degrees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import KEYS, Variable

__all__ = ["FileFacts", "VariableFacts", "find_axes", "grid_variables"]

_LATITUDE = ("latitude", "lat", "nav_lat", "y_lat")
_LONGITUDE = ("longitude", "lon", "long", "lng", "nav_lon")
_DEGREES = {
    "latitude": re.compile(r"degrees?_?(north|n)$", re.I),
    "longitude": re.compile(r"degrees?_?(east|e)$", re.I),
}
_WATT = re.compile(r"w(att)?s?\s*[/ ·.*]?\s*m\s*(\*\*|\^)?\s*-?\s*[2²]", re.I)
# CF standard names, and names in use, of what has a column of its own here: W/m2.
_COLUMNS = {
    "surface_downwelling_shortwave_flux_in_air": "ghi",
    "surface_diffuse_downwelling_shortwave_flux_in_air": "dhi",
    "surface_direct_downwelling_shortwave_flux_in_air": "bhi",
    "surface_direct_along_beam_shortwave_flux_in_air": "dni",
    "surface_downwelling_shortwave_flux_in_air_assuming_clear_sky": "ghi_clear",
    "ghi": "ghi", "sis": "ghi", "ssi": "ghi", "dssf": "ghi", "dssf_tot": "ghi", "rsds": "ghi", "swdn": "ghi",
    "dhi": "dhi", "bhi": "bhi", "sid": "bhi", "dni": "dni", "bni": "dni",
}  # fmt: skip


@dataclass(frozen=True)
class VariableFacts:
    """A variable: its dimensions, their sizes, whether it holds numbers, and its attributes."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    numeric: bool
    attributes: Mapping[str, Any]

    def text(self, name: str) -> str:
        """Return an attribute as text, empty when there is none."""
        return str(self.attributes.get(name, "")).strip()


@dataclass(frozen=True)
class FileFacts:
    """A file: its name, its variables and attributes, the time it states and the bounds of that, UTC.

    `stated` is where the time stands: ("attribute", its name) or ("time", the variable); `rising` says of the
    one-dimensional variables whether their values rise or fall all along.
    """

    name: str
    variables: Mapping[str, VariableFacts]
    attributes: Mapping[str, Any]
    times: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    bounds: tuple[datetime, datetime] | None = None
    rising: Mapping[str, bool] = field(default_factory=dict)
    siblings: tuple[str, ...] = ()
    resolution: timedelta | None = None


def find_axes(facts: FileFacts) -> tuple[VariableFacts, VariableFacts]:
    """Return the variables of latitude and longitude, by CF's attributes or by their names.

    Raises
    ------
    DataError
        There are none, or they are no grid of degrees: projected, two-dimensional, not rising or falling.
    """
    latitude, longitude = (_axis(facts.variables.values(), kind) for kind in ("latitude", "longitude"))
    if latitude is None or longitude is None:
        absent = "latitude" if latitude is None else "longitude"
        projected = [
            v.text("standard_name") for v in facts.variables.values() if "projection" in v.text("standard_name")
        ]
        why = f": it is on a projected grid ({projected[0]})" if projected else ""
        raise DataError(
            f"{facts.name} has no variable of {absent}{why}; it has {_names(facts)}. Regular degrees are read."
        )
    for axis in (latitude, longitude):
        if len(axis.shape) != 1:
            raise DataError(
                f"{facts.name}: {axis.name} has {len(axis.shape)} dimensions ({', '.join(axis.dimensions)}): a curved "
                "or projected grid. Files on a grid of latitudes by longitudes are read; bring it onto one first."
            )
        if not facts.rising.get(axis.name, False):
            raise DataError(f"{facts.name}: the values of {axis.name} do not rise or fall all along: they are no grid.")
    return latitude, longitude


def grid_variables(facts: FileFacts, latitude: VariableFacts, longitude: VariableFacts) -> tuple[Variable, ...]:
    """Return the variables of numbers on the grid with their columns and units.

    Raises
    ------
    DataError
        There are none; or they have several times, levels or the like; or longitude stands before latitude.
    """
    sides = (latitude.dimensions[0], longitude.dimensions[0])
    on_grid = [v for v in facts.variables.values() if v.numeric and set(sides) <= set(v.dimensions)]
    if not on_grid:
        raise DataError(
            f"{facts.name} has no variable of numbers over {sides[0]} and {sides[1]}; it has {_names(facts)}."
        )
    usable = [v for v in on_grid if v.dimensions[-2:] == sides and all(size == 1 for size in v.shape[:-2])]
    if not usable:
        first = on_grid[0]
        sizes = ", ".join(f"{d}={n}" for d, n in zip(first.dimensions, first.shape, strict=True))
        raise DataError(
            f"{facts.name}: {first.name} lies over ({sizes}). One time a file is read, then {sides[0]}, then "
            f"{sides[1]}: split or turn the files first."
        )
    taken: dict[str, Variable] = {}
    for found in usable:
        column = _column(found)
        while column in taken or column in KEYS:
            column = f"{column}_{found.name.lower()}" if column in taken else f"{column}_value"
        taken[column] = Variable(found.name, column, _units(found.text("units")))
    return tuple(taken.values())


def _axis(variables: Iterable[VariableFacts], kind: str) -> VariableFacts | None:
    """Return the variable of latitude or longitude: by standard_name, by units, by name."""
    known = _LATITUDE if kind == "latitude" else _LONGITUDE
    candidates = [v for v in variables if v.numeric]
    for test in (
        lambda v: v.text("standard_name") == kind,
        lambda v: _DEGREES[kind].fullmatch(v.text("units")) is not None and v.dimensions == (v.name,),
        lambda v: v.name.casefold() in known,
    ):
        found = [v for v in candidates if test(v)]
        if found:
            return min(found, key=lambda v: (len(v.shape) != 1, v.dimensions != (v.name,)))
    return None


def _column(variable: VariableFacts) -> str:
    """Return the column of a variable: a name that this package knows where units and name say so, else its own."""
    own = re.sub(r"\W+", "_", variable.name).strip("_").lower() or "value"
    if _WATT.fullmatch(variable.text("units")) is None:
        return own if own not in set(_COLUMNS.values()) else f"{own}_as_stated"
    return _COLUMNS.get(variable.text("standard_name")) or _COLUMNS.get(own, own)


def _units(text: str) -> str:
    return "W/m2" if _WATT.fullmatch(text) else text


def _names(facts: FileFacts) -> str:
    return ", ".join(facts.variables) or "no variables"
