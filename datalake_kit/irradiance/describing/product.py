"""What the files of a satellite product look like: described, not hard-coded.

A `Product` names the variables, the grid, where the slot stands and when a line was scanned. Two are known:
`MSG_MDSSFTD` (Meteosat, full disk) and `IODC_MDSSFTD` (Indian Ocean). Any NetCDF4 file with variables of dimensions
([time,] latitude, longitude) can be described in the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePath
from typing import Literal

from datalake_kit.errors import ConfigError, NotFoundError, did_you_mean

__all__ = ["IODC_MDSSFTD", "MSG_MDSSFTD", "PRODUCTS", "Product", "Variable", "find_product"]


@dataclass(frozen=True)
class Variable:
    """A variable of a product: its name in the file, its column in a table, its unit.

    Examples
    --------
    >>> Variable("DSSF_TOT", "ghi", "W/m2")
    Variable(name='DSSF_TOT', column='ghi', units='W/m2')
    """

    name: str
    column: str
    units: str


@dataclass(frozen=True)
class Product:
    """How the files of a product are named and laid out.

    Attributes
    ----------
    name, title : str
        Short name, and a line for people.
    pattern : str
        Regular expression of the file name, with a group `slot` of twelve digits, YYYYMMDDHHMM in UTC. The group is not
        needed where the slot stands in the file.
    variables : tuple of Variable
        What is extracted unless fewer are asked for.
    step : timedelta
        Time between two slots when every slot is there.
    latitude, longitude : str
        Names of the coordinate variables, one-dimensional, in degrees.
    time_attribute : str
        Global attribute with the slot in ISO 8601; compared with the name of the file. Empty: not compared.
    slot_in : {"name", "attribute"}
        Where the slot stands: in the name of the file, or in `time_attribute`, rounded to the nearest step. Then the
        header of every file is read to list them.
    day_folders : bool
        Files lie under YYYY/MM/DD/; one that lies under another day is rejected.
    scan_seconds : tuple of float, optional
        (at the equator, per degree of latitude): seconds from the slot to the instant a line was seen.
    scan_uncertainty : float
        How far, in seconds, the scan may be from that line.
    instantaneous : bool
        Values hold for an instant (no mean over the step).
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
    slot_in: Literal["name", "attribute"] = "name"

    def slot(self, path: str | PurePath) -> datetime | None:
        """Return the slot that a file's name states, in UTC; None when it states none or is not one of this product.

        >>> MSG_MDSSFTD.slot("NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_202506120915.nc")
        datetime.datetime(2025, 6, 12, 9, 15, tzinfo=datetime.timezone.utc)
        """
        if self.slot_in != "name":
            return None
        found = re.fullmatch(self.pattern, path.rpartition("/")[2] if isinstance(path, str) else path.name)
        text = found["slot"] if found else ""
        if len(text) != 12:
            return None
        try:  # strptime is six times slower, and a year has 35,040 files
            year, month, day, hour, minute = int(text[:4]), *(int(text[i : i + 2]) for i in (4, 6, 8, 10))
            return datetime(year, month, day, hour, minute, tzinfo=UTC)
        except ValueError:
            return None

    def scan_offset(self, latitude: float) -> float:
        """Return the seconds from the slot to the instant at which a latitude was seen; 0 when not described.

        A formula in use for Meteosat: linear from 120 s at 80 S to 760 s at 80 N. The scan angle is not linear in
        latitude: by geometry it is about 656 s against 620 at 45 N and 136 against 300 at 35 S. `scan_uncertainty`
        covers that.

        >>> MSG_MDSSFTD.scan_offset(45.0)
        620.0
        """
        return 0.0 if self.scan_seconds is None else self.scan_seconds[0] + self.scan_seconds[1] * latitude

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
    scan_uncertainty=170.0,
)

IODC_MDSSFTD = Product(
    name="IODC_MDSSFTD",
    title="LSA SAF total and diffuse downward surface shortwave flux, Meteosat Indian Ocean",
    pattern=r"NETCDF4_LSASAF_MSG-IODC_MDSSFTD_IODC-Disk_(?P<slot>\d{12})\.nc",
    variables=_MDSSFTD,
    step=timedelta(minutes=15),
    scan_seconds=(440.0, 4.0),
    scan_uncertainty=170.0,
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
