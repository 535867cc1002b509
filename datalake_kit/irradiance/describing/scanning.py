"""When a line of an image was seen: the times of a product's values at a latitude."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import Product

__all__ = ["geometric_offset", "scan_time"]

# Meteosat's imager: three lines of 83.84 microradians a turn, 100 turns a minute; the middle one of 3712 passes the
# sub-satellite point.
_LINES = 3712
_LINE_ANGLE = 83.84e-6
_SECONDS_A_LINE = 0.2
_EQUATOR, _POLE = 6378.137, 6356.752  # km
_DISTANCE = 42164.0  # km from the centre of the Earth


def scan_time(
    times: pd.DatetimeIndex | Sequence[datetime] | datetime, latitude: float | np.ndarray[Any, Any], product: Product
) -> pd.DatetimeIndex:
    """Return the instants (UTC) at which a product's lines were seen: slot + `product.scan_offset(latitude)`.

    Known to `product.scan_uncertainty` seconds. Products without a scan, and means, have their slots themselves.

    Parameters
    ----------
    times : DatetimeIndex, sequence of times, or one time
        Starts of slots; UTC where they carry no zone.
    latitude : float or array
        Degrees north: one for all times, or one for each.
    product : Product

    Raises
    ------
    DataError
        Another number of latitudes than of times, or one beyond the poles.

    Examples
    --------
    >>> from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
    >>> scan_time(pd.Timestamp("2025-06-18 12:00"), 45.0, MSG_MDSSFTD)[0]
    Timestamp('2025-06-18 12:10:20+0000', tz='UTC')
    """
    if not isinstance(times, pd.DatetimeIndex):
        times = pd.DatetimeIndex([times] if isinstance(times, datetime) else list(times))
    slots = times.tz_localize("UTC") if times.tz is None else times.tz_convert("UTC")
    latitudes = np.asarray(latitude, float)
    if latitudes.ndim and latitudes.shape != (len(slots),):
        raise DataError(f"{len(slots)} times and {latitudes.size} latitudes: give one for all, or one for each.")
    if not (np.abs(latitudes) <= 90).all():
        raise DataError("A latitude is between -90 and 90 degrees.")
    seconds = np.broadcast_to(product.scan_offset(latitudes), (len(slots),))
    return slots.as_unit("us") + pd.to_timedelta(np.round(seconds * 1e6).astype("i8"), unit="us").as_unit("us")


def geometric_offset(latitude: float, longitude: float = 0.0, *, satellite_longitude: float = 0.0) -> float:
    """Return the seconds from the slot to the instant at which Meteosat's imager saw a place, from geometry.

    The imager turns 100 times a minute and steps three lines northward each turn, so time is linear in the angle at
    the satellite, not in latitude. Counted from the start of the image at its southern edge; 371 s at the sub-satellite
    point. Calculated from the nominal geometry, not measured: the start of the image within the slot is not known to
    better than some seconds. At 45 N it is 34 s more than the linear formula of `Product.scan_offset`, at 35 S 163 s
    less; the only published check that is known here (PVGIS at 45 N 8 E: 634 s) lies between the two.

    Parameters
    ----------
    latitude, longitude : float
        Degrees north and east.
    satellite_longitude : float
        0 for the prime service; 41.5 or 45.5 for the Indian Ocean, depending on the year.

    Returns
    -------
    float
        NaN where the satellite does not see the place.

    Examples
    --------
    >>> [round(geometric_offset(latitude)) for latitude in (45.0, 0.0, -35.0)]
    [654, 371, 137]
    """
    east = math.radians((longitude - satellite_longitude + 180) % 360 - 180)
    flat = (_POLE / _EQUATOR) ** 2
    centric = math.atan(flat * math.tan(math.radians(latitude)))
    radius = _POLE / math.sqrt(1 - (1 - flat) * math.cos(centric) ** 2)
    toward = _DISTANCE - radius * math.cos(centric) * math.cos(east)
    across, north = radius * math.cos(centric) * math.sin(east), radius * math.sin(centric)
    # beyond the tangent the Earth itself is in the way
    if _DISTANCE * (_DISTANCE - toward) < across**2 + north**2 / flat + (_DISTANCE - toward) ** 2:
        return math.nan
    angle = math.asin(north / math.hypot(toward, across, north))
    return _SECONDS_A_LINE * (_LINES / 2 + angle / _LINE_ANGLE)
