"""Irradiance on a tilted plane."""

from __future__ import annotations

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, did_you_mean
from datalake_kit.irradiance.deriving.blocks import one_frame_per_point
from datalake_kit.irradiance.judging.places import place_of
from datalake_kit.irradiance.judging.solar import solar_position

__all__ = ["plane_of_array"]

_MODELS = ("isotropic", "klucher", "haydavies", "reindl", "king", "perez", "perez-driesse")
_LOW_SUN = 88.0  # degrees of zenith from which the direct part cannot be told from the horizontal
_COLUMNS = ("poa_global", "poa_direct", "poa_diffuse", "poa_sky_diffuse", "poa_ground_diffuse")


def plane_of_array(
    frame: pd.DataFrame,
    tilt: float,
    azimuth: float,
    *,
    model: str = "haydavies",
    albedo: float = 0.2,
    latitude: float | None = None,
    longitude: float | None = None,
    altitude: float | None = None,
) -> pd.DataFrame:
    """Return the irradiance on a tilted plane in W/m2, by pvlib, with the sun at the instant that counts.

    Needs ghi and dhi (or fraction_diffuse). The direct normal part is `dni` where the frame has that column, else
    (ghi - dhi) / cos(zenith); with the sun lower than 2 degrees, or ghi below dhi, all light counts as diffuse. No
    horizon, no shading, no reflection at the glass.

    Parameters
    ----------
    frame : DataFrame
        A series of one point, or of several, as `read` gives it, in W/m2.
    tilt : float
        Degrees from the horizontal: 0 lies flat, 90 stands upright.
    azimuth : float
        Degrees clockwise from north to where the plane looks: 90 east, 180 south, 270 west. pvlib's convention; where
        the equator lies to the north, 0 looks at it.
    model : {"isotropic", "klucher", "haydavies", "reindl", "king", "perez", "perez-driesse"}
        Of the diffuse light of the sky.
    albedo : float
        Share of ghi that the ground reflects, 0 to 1.
    latitude, longitude, altitude : float, optional
        Of the one point, where the frame does not say.

    Returns
    -------
    DataFrame
        On the frame's steps: poa_global = poa_direct + poa_diffuse, poa_diffuse = poa_sky_diffuse +
        poa_ground_diffuse. NaN where a component is missing. `attrs` say the model and the place, so that `energy`
        takes the result.

    Raises
    ------
    ColumnNotFoundError
        ghi, or dhi and fraction_diffuse, are not there.
    DataError
        The place is not known, or an argument is out of its range.

    Examples
    --------
    >>> times = pd.date_range("2025-06-21 11:00", periods=2, freq="1h", tz="UTC", name="time")
    >>> frame = pd.DataFrame({"ghi": [900.0, 880.0], "dhi": [100.0, 110.0]}, index=times)
    >>> plane_of_array(frame, 0, 180, latitude=45.0, longitude=8.0)["poa_global"].round(6).tolist()   # flat: ghi
    [900.0, 880.0]
    """
    _check(tilt, azimuth, model, albedo)
    columns = ["ghi", *_diffuse_columns(frame), *(["dni"] if "dni" in frame else [])]
    several = frame.index.nlevels == 2
    if several and (latitude is not None or longitude is not None):
        raise DataError("One latitude and longitude for several points: take one with select_point.")
    parts = {}
    for point, one in one_frame_per_point(frame, columns):
        place = place_of(one, latitude=latitude, longitude=longitude, altitude=altitude)
        sun = solar_position(
            pd.DatetimeIndex(one.index),
            place.latitude,
            place.longitude,
            altitude=place.altitude,
            offset_seconds=place.offset_seconds,
        )
        parts[point] = _on_plane(one, sun, (tilt, azimuth), model, albedo)
    result = pd.concat(parts, names=["point_id"]) if several else next(iter(parts.values()))
    result.attrs = dict(frame.attrs) | {
        "units": dict.fromkeys(_COLUMNS, "W/m2"),
        "plane": {"tilt": float(tilt), "azimuth": float(azimuth), "model": model, "albedo": float(albedo)},
    }
    return result


def _check(tilt: float, azimuth: float, model: str, albedo: float) -> None:
    if not 0 <= tilt <= 180:
        raise DataError(f"A plane is tilted by 0 (flat) to 90 degrees (upright), 180 faces the ground; not {tilt!r}.")
    if not 0 <= azimuth <= 360:
        raise DataError(f"The azimuth is 0 to 360 degrees clockwise from north, 180 is south; not {azimuth!r}.")
    if not 0 <= albedo <= 1:
        raise DataError(f"The albedo is a share from 0 to 1, not {albedo!r}.")
    if model not in _MODELS:
        raise DataError(f"No model {model!r}. {did_you_mean(str(model), _MODELS)}")


def _diffuse_columns(frame: pd.DataFrame) -> list[str]:
    for column in ("dhi", "fraction_diffuse"):
        if column in frame:
            return [column]
    raise ColumnNotFoundError("A tilted plane needs dhi or fraction_diffuse beside ghi; the frame has neither.")


def _on_plane(
    one: pd.DataFrame, sun: pd.DataFrame, plane: tuple[float, float], model: str, albedo: float
) -> pd.DataFrame:
    import numpy as np
    import pvlib

    ghi = one["ghi"]
    dhi = one["dhi"] if "dhi" in one else ghi * one["fraction_diffuse"]
    zenith = sun["apparent_zenith"]
    if "dni" in one:
        dni = one["dni"]
    else:
        together = (zenith >= _LOW_SUN) | (ghi < dhi)
        dhi = dhi.mask(together, ghi)
        dni = ((ghi - dhi) / np.cos(np.radians(zenith.clip(upper=_LOW_SUN)))).rename("dni")
    found = pvlib.irradiance.get_total_irradiance(
        *plane,
        zenith,
        sun["azimuth"],
        dni,
        ghi,
        dhi,
        dni_extra=sun["dni_extra"],
        airmass=pvlib.atmosphere.get_relative_airmass(zenith),
        albedo=albedo,
        model=model,
    )
    result = pd.DataFrame(found)[list(_COLUMNS)]
    result.index.name = "time"
    return result
