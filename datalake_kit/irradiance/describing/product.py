"""What the files of a satellite product look like: described, not hard-coded.

A `Product` names the variables, the grid, where the slot stands and when a line was scanned. Two are known:
`MSG_MDSSFTD` (Meteosat, full disk) and `IODC_MDSSFTD` (Indian Ocean). Any NetCDF4 file with variables of dimensions
([time,] latitude, longitude) can be described in the same way; `describe` proposes a description for a file.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import PurePath
from typing import Any, Literal, TypeVar

import numpy as np

from datalake_kit.errors import ConfigError, NotFoundError, did_you_mean
from datalake_kit.irradiance.describing.stamps import nearest_slot, parse_stamp

__all__ = ["IODC_MDSSFTD", "KEYS", "MSG_MDSSFTD", "PRODUCTS", "Product", "Variable", "find_product", "product_of_name"]

Latitudes = TypeVar("Latitudes", float, np.ndarray[Any, Any])

KEYS = ("time", "point_id", "date", "month")  # what a table calls its own columns
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Variable:
    """A variable of a product: its name in the file, its column in a table, its unit as the file has it.

    Values are taken as they are: a unit is said, never converted.

    Examples
    --------
    >>> Variable("DSSF_TOT", "ghi", "W/m2")
    Variable('DSSF_TOT', 'ghi', 'W/m2')
    """

    name: str
    column: str
    units: str

    def __repr__(self) -> str:
        return f"Variable({self.name!r}, {self.column!r}, {self.units!r})"


@dataclass(frozen=True, repr=False)
class Product:
    """How the files of a product are named and laid out: one time a file, on a regular grid of degrees.

    Printed, it is the code that makes it (with `timedelta` from datetime), to be pasted and changed.

    Attributes
    ----------
    name, title : str
        Short name, and a line for people.
    pattern : str
        Regular expression of the whole file name, with a group `slot`: 8 to 14 digits, year first, whatever stands
        between them, in UTC. Seconds other than 0 are rounded to the nearest step. The group is not needed where the
        slot stands in the file.
    variables : tuple of Variable
        What is extracted unless fewer are asked for.
    step : timedelta
        Time between two slots when every slot is there; a day is a whole number of steps.
    latitude, longitude : str
        Names of the coordinate variables, one-dimensional, in degrees.
    time_attribute : str
        Global attribute with the slot in ISO 8601; compared with the name of the file. Empty: not compared.
    day_folders : bool
        Files lie under YYYY/MM/DD/; one that lies under another day is rejected.
    scan_seconds : tuple of float, optional
        (at the equator, per degree of latitude): seconds from the slot to the instant a line was seen.
    scan_uncertainty : float
        How far, in seconds, the scan may be from that line.
    instantaneous : bool
        Values hold for an instant (no mean over the step).
    slot_in : {"name", "attribute", "time"}
        Where the slot stands: in the name of the file, in `time_attribute`, or in `time_variable`; the last two are
        rounded to the nearest step, and the header of every file is read to list them.
    time_variable : str
        Variable of one time in CF units. It is compared with the name where there is no `time_attribute`. Empty: not
        read.
    slot_shift : timedelta
        What to add to a stated time to have the start of its step: -step where files state the end.

    Raises
    ------
    ConfigError
        A pattern that cannot be one, or without `slot` where it is needed; a step that does not divide a day; no
        variables; a column twice, or called as a table calls its own (time, point_id, date, month).
    """

    name: str
    title: str
    pattern: str
    variables: tuple[Variable, ...]
    step: timedelta
    latitude: str = "lat"
    longitude: str = "lon"
    time_attribute: str = "time_coverage_start"
    day_folders: bool = True
    scan_seconds: tuple[float, float] | None = None
    scan_uncertainty: float = 0.0
    instantaneous: bool = True
    slot_in: Literal["name", "attribute", "time"] = "name"
    time_variable: str = ""
    slot_shift: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ConfigError(f"The description of {self.name} cannot be used: {problem}.")

    def _problem(self) -> str:
        try:
            groups = re.compile(self.pattern).groupindex
        except re.error as error:
            return f"the pattern {self.pattern!r} is no regular expression ({error})"
        columns = [v.column for v in self.variables]
        needed = {"name": "(?P<slot>...) in the pattern", "attribute": "time_attribute", "time": "time_variable"}
        if self.slot_in not in needed:
            return f"slot_in is one of {', '.join(needed)}, not {self.slot_in!r}"
        if not {"name": "slot" in groups, "attribute": self.time_attribute, "time": self.time_variable}[self.slot_in]:
            return f"the slot stands in the {self.slot_in}, so it needs {needed[self.slot_in]}"
        if self.step <= timedelta(0) or _DAY % self.step:
            return f"a day is no whole number of steps of {self.step}"
        if not columns or len(set(columns)) != len(columns):
            return f"its columns are {columns}: there must be some, each once"
        taken = [c for c in columns if c in KEYS or not c]
        return f"a column cannot be called {taken[0]!r}" if taken else ""

    def __repr__(self) -> str:
        shown = [(f.name, getattr(self, f.name)) for f in fields(self)]
        default = {f.name: f.default for f in fields(self) if f.default is not MISSING}
        lines = [
            f"    {name}={_code(value)},\n" for name, value in shown if name not in default or value != default[name]
        ]
        return f"Product(\n{''.join(lines)})"

    def slot(self, path: str | PurePath) -> datetime | None:
        """Return the slot that a file's name states, in UTC; None when it states none or is not one of this product.

        >>> MSG_MDSSFTD.slot("NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_202506120915.nc")
        datetime.datetime(2025, 6, 12, 9, 15, tzinfo=datetime.timezone.utc)
        """
        if self.slot_in != "name":
            return None
        found = re.fullmatch(self.pattern, path.rpartition("/")[2] if isinstance(path, str) else path.name)
        stated = parse_stamp(found["slot"]) if found and found["slot"] else None
        return None if stated is None else self.slot_at(stated, exact=not stated.second)

    def slot_at(self, stated: datetime, *, exact: bool = False) -> datetime:
        """Return the slot of a time that a file states: shifted to the start of its step, rounded unless `exact`."""
        begin = stated + self.slot_shift
        return begin if exact else nearest_slot(begin, self.step)

    def scan_offset(self, latitude: Latitudes) -> Latitudes:
        """Return the seconds from the slot to the instant at which a latitude was seen; 0 when not described.

        A formula in use for Meteosat: linear from 120 s at 80 S to 760 s at 80 N. The scan angle is not linear in
        latitude: by geometry (`geometric_offset`) it is about 654 s against 620 at 45 N and 137 against 300 at 35 S.
        `scan_uncertainty` covers that. `scan_time` gives the instants.

        >>> MSG_MDSSFTD.scan_offset(45.0), MSG_MDSSFTD.scan_uncertainty
        (620.0, 175.0)
        """
        if self.scan_seconds is None:
            return latitude * 0.0
        return self.scan_seconds[0] + self.scan_seconds[1] * latitude

    def select(self, names: list[str] | tuple[str, ...] | None) -> tuple[Variable, ...]:
        """Return the variables of these names (of the file or of the column), all when None.

        Raises
        ------
        ConfigError
            A name that the product does not have, or an empty list.
        """
        if names is None:
            return self.variables
        known = {v.name: v for v in self.variables} | {v.column: v for v in self.variables}
        for name in names:
            if name not in known:
                raise ConfigError(f"{self.name} has no variable {name!r}. {did_you_mean(name, known)}")
        if not names:
            raise ConfigError("No variables were asked for: give at least one, or None for all.")
        return tuple(dict.fromkeys(known[name] for name in names))

    def day_folder(self, path: PurePath) -> date | None:
        """Return the day that the folders YYYY/MM/DD above a file state, None when there are none such."""
        parts = path.parent.parts[-3:]
        if not self.day_folders or len(parts) < 3 or not re.fullmatch(r"\d{4}/\d\d/\d\d", "/".join(parts)):
            return None
        try:
            return date(int(parts[0]), int(parts[1]), int(parts[2]))
        except ValueError:
            return None


_MDSSFTD = (
    Variable("DSSF_TOT", "ghi", "W/m2"),
    Variable("FRACTION_DIFFUSE", "fraction_diffuse", "1"),
    Variable("quality_flag", "quality_flag", ""),
)

MSG_MDSSFTD = Product(
    name="MSG_MDSSFTD",
    title="LSA SAF total and diffuse downward surface shortwave flux, Meteosat 0 degrees",
    pattern=r"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_(?P<slot>\d{12})\.nc",
    variables=_MDSSFTD,
    step=timedelta(minutes=15),
    scan_seconds=(440.0, 4.0),
    scan_uncertainty=175.0,
)

IODC_MDSSFTD = Product(
    name="IODC_MDSSFTD",
    title="LSA SAF total and diffuse downward surface shortwave flux, Meteosat Indian Ocean",
    pattern=r"NETCDF4_LSASAF_MSG-IODC_MDSSFTD_IODC-Disk_(?P<slot>\d{12})\.nc",
    variables=_MDSSFTD,
    step=timedelta(minutes=15),
    scan_seconds=(440.0, 4.0),
    scan_uncertainty=175.0,
)

PRODUCTS: tuple[Product, ...] = (MSG_MDSSFTD, IODC_MDSSFTD)


def find_product(name: str) -> Product:
    """Return the known product of this name.

    >>> find_product("MSG_MDSSFTD").step
    datetime.timedelta(seconds=900)

    Raises
    ------
    NotFoundError
        No such product; the known ones are named.
    """
    for known in PRODUCTS:
        if known.name.casefold() == name.casefold():
            return known
    raise NotFoundError(f"No product {name!r}. {did_you_mean(name, [p.name for p in PRODUCTS])}")


def product_of_name(path: str | PurePath) -> Product | None:
    """Return the known product that a file is called after, None when it is none of them.

    >>> product_of_name("NETCDF4_LSASAF_MSG-IODC_MDSSFTD_IODC-Disk_202506120915.nc").name
    'IODC_MDSSFTD'
    """
    return next((p for p in PRODUCTS if p.slot(path) is not None), None)


def _code(value: Any) -> str:
    """Return the code of a value, the variables on lines of their own."""
    if isinstance(value, timedelta):
        minutes, rest = divmod(value, timedelta(minutes=1))
        return f"timedelta(seconds={value.total_seconds():g})" if rest else f"timedelta(minutes={minutes})"
    if isinstance(value, tuple) and value and isinstance(value[0], Variable):
        return "(\n" + "".join(f"        {v!r},\n" for v in value) + "    )"
    return repr(value)
