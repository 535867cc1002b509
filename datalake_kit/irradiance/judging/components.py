"""The direct normal part out of global and diffuse, and whether the three agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError
from datalake_kit.irradiance.judging.solar import solar_position

__all__ = ["LOW_SUN", "closure", "diffuse_of", "dni"]

LOW_SUN = 87.0  # degrees of zenith; beyond, dividing by the cosine makes any error of ghi or dhi a large one
_CLOSURE = ((75.0, 0.08), (93.0, 0.15))  # up to this zenith, this share
_LEAST = 50.0  # W/m2


def dni(frame: pd.DataFrame, position: pd.DataFrame | None = None, *, low_sun: float = LOW_SUN) -> pd.Series:
    """Return the direct normal irradiance in W/m2: (ghi - dhi) / cos(zenith).

    0 with the sun below the horizon; NaN between the horizon and 90 - `low_sun` degrees above it, where the direct part
    cannot be told, unless ghi and dhi are equal; never below 0 (dhi above ghi is an error of the data: `closure` and
    the limits of `flags` show it).

    Parameters
    ----------
    frame : DataFrame
        ghi and dhi (or fraction_diffuse), W/m2, of one point or several.
    position : DataFrame, optional
        zenith in degrees on the same index; computed for the instant that counts when not given.
    low_sun : float
        Degrees of zenith.

    Raises
    ------
    ColumnNotFoundError
        ghi, or dhi and fraction_diffuse, are not there.
    DataError
        The place is not known.

    Examples
    --------
    >>> frame = pd.DataFrame({"ghi": [600.0, 100.0, 0.0], "dhi": [100.0, 100.0, 0.0]})
    >>> dni(frame, pd.DataFrame({"zenith": [60.0, 60.0, 120.0]})).round(1).tolist()
    [1000.0, 0.0, 0.0]
    """
    ghi, dhi = frame["ghi"].astype(float) if "ghi" in frame else _absent("ghi"), diffuse_of(frame)
    zenith = (solar_position(frame) if position is None else position)["zenith"].astype(float)
    direct = (ghi - dhi).clip(lower=0)
    cosine = pd.Series(np.cos(np.radians(zenith.clip(upper=low_sun).to_numpy())), zenith.index)
    result = (direct / cosine).mask((zenith > low_sun) & (zenith <= 90) & (direct > 0))
    return result.mask((zenith > 90) & direct.notna(), 0.0).rename("dni")


def diffuse_of(frame: pd.DataFrame) -> pd.Series:
    """Return the diffuse horizontal irradiance in W/m2: dhi, or ghi x fraction_diffuse.

    >>> diffuse_of(pd.DataFrame({"ghi": [500.0], "fraction_diffuse": [0.2]})).tolist()
    [100.0]
    """
    if "dhi" in frame:
        return frame["dhi"].astype(float)
    if "fraction_diffuse" not in frame or "ghi" not in frame:
        return _absent("dhi, and no ghi and fraction_diffuse to make it from")
    return (frame["ghi"].astype(float) * frame["fraction_diffuse"].astype(float)).rename("dhi")


def closure(frame: pd.DataFrame, position: pd.DataFrame | None = None) -> pd.Series:
    """Return where measured ghi, dhi and dni do not agree: BSRN's test of ghi / (dhi + dni x cos(zenith)).

    The ratio is to be within 8 % of 1 up to a zenith of 75 degrees and within 15 % up to 93, where the sum is above
    50 W/m2. Elsewhere, and where one of them is missing, nothing is said: False. Of components that were computed from
    one another it says nothing.

    Parameters
    ----------
    frame : DataFrame
        ghi, dhi, dni in W/m2.
    position : DataFrame, optional
        zenith in degrees on the same index.

    Source
    ------
    Long and Shi (2008), "An automated quality assessment and control algorithm for surface radiation measurements".

    Examples
    --------
    >>> frame = pd.DataFrame({"ghi": [600.0, 700.0], "dhi": [100.0, 100.0], "dni": [1000.0, 1000.0]})
    >>> closure(frame, pd.DataFrame({"zenith": [60.0, 60.0]})).tolist()
    [False, True]
    """
    for column in ("ghi", "dhi", "dni"):
        if column not in frame:
            _absent(column)
    zenith = (solar_position(frame) if position is None else position)["zenith"].astype(float)
    total = frame["dhi"] + frame["dni"] * np.cos(np.radians(zenith))
    apart = (frame["ghi"] / total.where(total > _LEAST) - 1).abs()
    allowed = pd.Series(np.select([zenith <= z for z, _ in _CLOSURE], [s for _, s in _CLOSURE], np.inf), zenith.index)
    return (apart > allowed).rename("closure")


def _absent(column: str) -> pd.Series:
    raise ColumnNotFoundError(f"The frame has no column {column}.")
