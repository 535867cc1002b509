"""Where the sun stands and what a clear sky would give, by pvlib. Pure functions on times and series.

Values of the satellite product hold for the instant at which a line was scanned, some minutes after the slot: give
`offset_seconds`, or a frame of `read`, which carries it. For means over an interval give half of the interval.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError, did_you_mean
from datalake_kit.irradiance.judging.places import Place, place_of
from datalake_kit.irradiance.judging.several import each_point, join_points, rows_of

__all__ = ["CLEAR_SKY_MODEL", "clear_sky", "clear_sky_index", "solar_position", "sun_times"]

CLEAR_SKY_MODEL = "Ineichen/Perez with the monthly Linke turbidity climatology of pvlib"
_RISE = 90.833  # zenith of the sun's centre in degrees when its upper edge touches the horizon
Times = pd.DatetimeIndex | pd.DataFrame
_METHODS = ("nrel_numpy", "ephemeris")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what pandas says to pvlib about an attribute that pandas will drop; it is not the user's to mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dayofyear.*")
        yield


@dataclass(frozen=True)
class _Sight:
    times: pd.DatetimeIndex
    place: Place

    @property
    def seen(self) -> pd.DatetimeIndex:
        return self.times + pd.Timedelta(seconds=self.place.offset_seconds)

    @property
    def said(self) -> dict[Hashable | None, Any]:
        place = self.place
        return {
            "altitude": place.altitude,
            "altitude_known": place.altitude_known,
            "offset_seconds": place.offset_seconds,
        }


def solar_position(
    times: Times,
    latitude: float | None = None,
    longitude: float | None = None,
    *,
    altitude: float | None = None,
    offset_seconds: float | None = None,
    method: str = "nrel_numpy",
) -> pd.DataFrame:
    """Return zenith, apparent_zenith and azimuth in degrees, and dni_extra in W/m2, at `times` + offset.

    Parameters
    ----------
    times : DatetimeIndex, or a frame of `read` for one point or several
        Start of each step, with a zone. A frame brings its places and the instant that counts: the scan for values of
        an instant, the middle of the step for means. With the label in its place, a clear sky for means of 15, 30 and
        60 minutes is off by up to 25, 52 and 107 W/m2, for the middle by 2, 7 and 10.
    latitude, longitude : float
        Degrees north and east.
    altitude : float
        Metres; 0 when neither given nor known.
    offset_seconds : float
        From the label to the instant that counts.
    method : {"nrel_numpy", "ephemeris"}
        pvlib's: the exact one, or one that is eight times as fast and within 0.02 degrees.

    Returns
    -------
    DataFrame
        Indexed by `times` as they came, for several points as the frame.

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

    if method not in _METHODS:
        raise DataError(f"No method {method!r}. {did_you_mean(str(method), _METHODS)}")
    if _is_several(times):
        _refuse_place(latitude, longitude)
        return join_points(
            (
                solar_position(one, altitude=altitude, offset_seconds=offset_seconds, method=method)
                for one in each_point(times)
            ),
            times,
        )
    sight = _sight(times, latitude, longitude, altitude, offset_seconds)
    with _quiet():
        position = pvlib.solarposition.get_solarposition(
            sight.seen, sight.place.latitude, sight.place.longitude, altitude=sight.place.altitude, method=method
        )
        extra = np.asarray(pvlib.irradiance.get_extra_radiation(sight.seen))
    columns = {name: position[name].to_numpy() for name in ("zenith", "apparent_zenith", "azimuth")}
    return pd.DataFrame(columns | {"dni_extra": extra}, index=sight.times)


def clear_sky(
    times: Times,
    latitude: float | None = None,
    longitude: float | None = None,
    *,
    altitude: float | None = None,
    offset_seconds: float | None = None,
    turbidity: float | None = None,
    position: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what a sky without clouds would give at `times` + offset: ghi_clear, dni_clear, dhi_clear in W/m2.

    Parameters are those of `solar_position`, whose exact method is taken unless `position` brings zenith,
    apparent_zenith and dni_extra, as `solar_position` gives them; `turbidity` is the Linke turbidity, pvlib's
    monthly climatology when not given. A climatology: on a very clean or hazy day the clear sky differs by
    several per cent.

    Returns
    -------
    DataFrame
        Indexed as `times`; `attrs` names the model, the altitude (and whether it was taken as 0) and the offset.

    Examples
    --------
    >>> noon = pd.DatetimeIndex(["2025-06-21 11:30"], tz="UTC")
    >>> float(clear_sky(noon, 45.0, 8.0, turbidity=3.0)["ghi_clear"].iloc[0].round())
    942.0
    """
    import pvlib

    if _is_several(times):
        _refuse_place(latitude, longitude)
        skies = []
        for one in each_point(times):
            known = None if position is None else rows_of(position, one.attrs["point"]["point_id"])
            skies.append(
                clear_sky(one, altitude=altitude, offset_seconds=offset_seconds, turbidity=turbidity, position=known)
            )
        result = join_points(skies, times)
        result.attrs = {"model": skies[0].attrs["model"]}
        return result
    sight = _sight(times, latitude, longitude, altitude, offset_seconds)
    place = sight.place
    location = pvlib.location.Location(place.latitude, place.longitude, altitude=place.altitude)
    options: dict[str, Any] = {} if turbidity is None else {"linke_turbidity": turbidity}
    if position is not None:
        known = position.assign(apparent_elevation=90 - position["apparent_zenith"]).set_axis(sight.seen)
        options |= {"solar_position": known, "dni_extra": known["dni_extra"]}
    with _quiet():
        sky = location.get_clearsky(sight.seen, model="ineichen", **options)
    result = pd.DataFrame({f"{n}_clear": sky[n].to_numpy() for n in ("ghi", "dni", "dhi")}, index=sight.times)
    named = CLEAR_SKY_MODEL if turbidity is None else f"Ineichen/Perez with the Linke turbidity {turbidity:g}"
    result.attrs = {"model": named, **sight.said}
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


def _sight(
    times: Times, latitude: float | None, longitude: float | None, altitude: float | None, offset: float | None
) -> _Sight:
    frame = times if isinstance(times, pd.DataFrame) else pd.DataFrame(index=times)
    place = place_of(frame, latitude=latitude, longitude=longitude, altitude=altitude, offset_seconds=offset)
    index = pd.DatetimeIndex(frame.index)
    if index.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    return _Sight(index, place)


def _is_several(times: Times) -> TypeGuard[pd.DataFrame]:
    return isinstance(times, pd.DataFrame) and isinstance(times.index, pd.MultiIndex)


def _refuse_place(latitude: float | None, longitude: float | None) -> None:
    if latitude is not None or longitude is not None:
        raise DataError("One latitude and longitude for several points: take one with select_point.")
