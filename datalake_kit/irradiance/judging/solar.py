"""Where the sun stands and what a clear sky would give, by pvlib. Pure functions on times and series.

Values of the satellite product hold for the instant at which a line was scanned, some minutes after the slot: give
`offset_seconds`, or a frame of `read`, which carries it. For means over an interval give half of the interval.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError

__all__ = ["CLEAR_SKY_MODEL", "clear_sky", "clear_sky_index", "solar_position", "sun_times"]

CLEAR_SKY_MODEL = "Ineichen/Perez with the monthly Linke turbidity climatology of pvlib"
_RISE = 90.833  # zenith of the sun's centre in degrees when its upper edge touches the horizon
Times = pd.DatetimeIndex | pd.DataFrame


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what pandas says to pvlib about an attribute that pandas will drop; it is not the user's to mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dayofyear.*")
        yield


@dataclass(frozen=True)
class _Place:
    times: pd.DatetimeIndex
    latitude: float
    longitude: float
    altitude: float
    offset: pd.Timedelta

    @property
    def seen(self) -> pd.DatetimeIndex:
        return self.times + self.offset


def solar_position(
    times: Times,
    latitude: float | None = None,
    longitude: float | None = None,
    *,
    altitude: float | None = None,
    offset_seconds: float | None = None,
) -> pd.DataFrame:
    """Return zenith, apparent_zenith and azimuth in degrees, and dni_extra in W/m2, at `times` + offset.

    Parameters
    ----------
    times : DatetimeIndex, or a frame of `read` for one point
        Start of each step, with a zone. A frame brings place and offset along.
    latitude, longitude : float
        Degrees north and east.
    altitude : float
        Metres; 0 when neither given nor known.
    offset_seconds : float
        From the label to the instant that counts.

    Returns
    -------
    DataFrame
        Indexed by `times` as they came.

    Raises
    ------
    DataError
        The place is not known, or the times have no zone.

    Examples
    --------
    >>> noon = pd.DatetimeIndex(["2025-06-21 11:30"], tz="UTC")
    >>> round(float(solar_position(noon, 45.0, 8.0)["zenith"].iloc[0]), 1)
    21.6
    """
    import pvlib

    place = _place(times, latitude, longitude, altitude, offset_seconds)
    with _quiet():
        position = pvlib.solarposition.get_solarposition(
            place.seen, place.latitude, place.longitude, altitude=place.altitude
        )
        extra = np.asarray(pvlib.irradiance.get_extra_radiation(place.seen))
    columns = {name: position[name].to_numpy() for name in ("zenith", "apparent_zenith", "azimuth")}
    return pd.DataFrame(columns | {"dni_extra": extra}, index=place.times)


def clear_sky(
    times: Times,
    latitude: float | None = None,
    longitude: float | None = None,
    *,
    altitude: float | None = None,
    offset_seconds: float | None = None,
    turbidity: float | None = None,
) -> pd.DataFrame:
    """Return what a sky without clouds would give at `times` + offset: ghi_clear, dni_clear, dhi_clear in W/m2.

    Parameters are those of `solar_position`; `turbidity` is the Linke turbidity, pvlib's monthly climatology when not
    given. A climatology: on a very clean or hazy day the clear sky differs by several per cent.

    Returns
    -------
    DataFrame
        Indexed by `times`; `attrs` names the model, the altitude and the offset.

    Examples
    --------
    >>> noon = pd.DatetimeIndex(["2025-06-21 11:30"], tz="UTC")
    >>> float(clear_sky(noon, 45.0, 8.0, turbidity=3.0)["ghi_clear"].iloc[0].round())
    942.0
    """
    import pvlib

    place = _place(times, latitude, longitude, altitude, offset_seconds)
    location = pvlib.location.Location(place.latitude, place.longitude, altitude=place.altitude)
    options = {} if turbidity is None else {"linke_turbidity": turbidity}
    with _quiet():
        sky = location.get_clearsky(place.seen, model="ineichen", **options)
    result = pd.DataFrame({f"{n}_clear": sky[n].to_numpy() for n in ("ghi", "dni", "dhi")}, index=place.times)
    named = CLEAR_SKY_MODEL if turbidity is None else f"Ineichen/Perez with the Linke turbidity {turbidity:g}"
    result.attrs = {"model": named, "altitude": place.altitude, "offset_seconds": place.offset.total_seconds()}
    return result


def clear_sky_index(ghi: pd.Series, ghi_clear: pd.Series, *, smallest: float = 20.0) -> pd.Series:
    """Return ghi over clear sky, without unit; NaN where the clear sky gives less than `smallest` W/m2.

    >>> clear_sky_index(pd.Series([400.0, 3.0]), pd.Series([800.0, 5.0])).tolist()
    [0.5, nan]
    """
    return (ghi / ghi_clear.where(ghi_clear >= smallest)).rename("clear_sky_index")


def sun_times(days: pd.DatetimeIndex, latitude: float, longitude: float) -> pd.DataFrame:
    """Return sunrise and sunset of each day as instants; NaT where the sun does not rise or set (polar day and night).

    `days` are midnights with a zone; the sunrise is the one of that local date. Within three minutes: made for drawing.

    Examples
    --------
    >>> day = pd.DatetimeIndex(["2025-06-21"], tz="UTC")
    >>> sun_times(day, 45.0, 8.0).iloc[0].dt.strftime("%H:%M").tolist()
    ['03:40', '19:17']
    """
    import pvlib

    number = np.asarray(days.day_of_year)
    declination = np.asarray(pvlib.solarposition.declination_spencer71(number), float)
    minutes = np.asarray(pvlib.solarposition.equation_of_time_spencer71(number), float)
    phi = np.radians(latitude)
    cosine = (np.cos(np.radians(_RISE)) - np.sin(phi) * np.sin(declination)) / (np.cos(phi) * np.cos(declination))
    hours = np.degrees(np.arccos(np.where(np.abs(cosine) <= 1, cosine, np.nan))) / 15
    utc_noon = days.tz_localize(None).normalize().tz_localize("UTC") + pd.to_timedelta(
        12 - longitude / 15 - minutes / 60, unit="h"
    )
    half = pd.to_timedelta(hours, unit="h")
    moments = {"sunrise": utc_noon - half, "sunset": utc_noon + half}
    return pd.DataFrame({name: m.round("s").tz_convert(days.tz) for name, m in moments.items()}, index=days)


def _place(
    times: Times, latitude: float | None, longitude: float | None, altitude: float | None, offset: float | None
) -> _Place:
    known: dict[str, Any] = {}
    if isinstance(times, pd.DataFrame):
        known, times = times.attrs.get("point", {}), _index(times)
    latitude = known.get("latitude") if latitude is None else latitude
    longitude = known.get("longitude") if longitude is None else longitude
    if latitude is None or longitude is None:
        raise DataError(
            "The place is not known: give latitude and longitude, or a frame that `read` gave for one point."
        )
    if times.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    altitude = float(known.get("altitude", 0.0)) if altitude is None else altitude
    offset = float(known.get("scan_offset_seconds", 0.0)) if offset is None else offset
    return _Place(times, float(latitude), float(longitude), altitude, pd.Timedelta(seconds=offset))


def _index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError("The frame holds several points: take one with select_point.")
    return frame.index
