"""Judges series: each function takes series and returns a boolean series, True where something is wrong.

The physical limits are those of the Baseline Surface Radiation Network (BSRN): Long and Shi (2008), "An automated
quality assessment and control algorithm for surface radiation measurements". NaN is missing and nothing else: it breaks
no limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["above_limit", "below_limit", "flags", "missing", "named_bits", "night_nonzero", "upper_limit"]

# (factor, exponent, offset) of dni_extra x factor x cos(zenith)^exponent + offset, in W/m2
_LIMITS = {
    ("ghi", "possible"): (1.5, 1.2, 100.0),
    ("ghi", "rare"): (1.2, 1.2, 50.0),
    ("dhi", "possible"): (0.95, 1.2, 50.0),
    ("dhi", "rare"): (0.75, 1.2, 30.0),
    ("dni", "possible"): (1.0, 0.0, 0.0),
    ("dni", "rare"): (0.95, 0.2, 10.0),
}
_LOWEST = {"possible": -4.0, "rare": -2.0}


def missing(values: pd.Series) -> pd.Series:
    """Return where there is no value.

    >>> missing(pd.Series([1.0, None])).tolist()
    [False, True]
    """
    return values.isna()


def night_nonzero(ghi: pd.Series, zenith: pd.Series, *, limit: float = 5.0, night: float = 96.0) -> pd.Series:
    """Return where there is light at night: more than `limit` W/m2 with the sun beyond `night` degrees zenith.

    >>> night_nonzero(pd.Series([0.0, 50.0]), pd.Series([120.0, 120.0])).tolist()
    [False, True]
    """
    return (ghi.abs() > limit) & (zenith > night)


def above_limit(
    values: pd.Series, zenith: pd.Series, dni_extra: pd.Series, *, component: str = "ghi", limit: str = "possible"
) -> pd.Series:
    """Return where a component is above the BSRN limit, "possible" (physically) or "rare" (extremely rare).

    Parameters
    ----------
    values, dni_extra : Series
        W/m2.
    zenith : Series
        Degrees.
    component : {"ghi", "dhi", "dni"}
    limit : {"possible", "rare"}

    Examples
    --------
    >>> at = dict(zenith=pd.Series([30.0, 30.0]), dni_extra=pd.Series([1361.0, 1361.0]))
    >>> above_limit(pd.Series([900.0, 2000.0]), **at).tolist()
    [False, True]
    """
    return values > upper_limit(zenith, dni_extra, component=component, limit=limit)


def upper_limit(
    zenith: pd.Series, dni_extra: pd.Series | float, *, component: str = "ghi", limit: str = "possible"
) -> pd.Series:
    """Return the upper BSRN limit of a component in W/m2; parameters are those of `above_limit`.

    >>> upper_limit(pd.Series([0.0, 90.0]), 1361.0).round(1).tolist()
    [2141.5, 100.0]
    """
    if (component, limit) not in _LIMITS:
        known = ", ".join(f"{c} {n}" for c, n in _LIMITS)
        raise ValueError(f"No limit {limit!r} of {component!r}. There are: {known}.")
    factor, exponent, offset = _LIMITS[component, limit]
    cosine = pd.Series(np.cos(np.radians(zenith.to_numpy(float))), zenith.index).clip(lower=0)
    return cosine**exponent * factor * dni_extra + offset


def below_limit(values: pd.Series, *, limit: str = "possible") -> pd.Series:
    """Return where a value is below the BSRN limit: -4 W/m2 possible, -2 rare.

    >>> below_limit(pd.Series([-5.0, 0.0])).tolist()
    [True, False]
    """
    if limit not in _LOWEST:
        raise ValueError(f"No limit {limit!r}. There are: {', '.join(_LOWEST)}.")
    return values < _LOWEST[limit]


def named_bits(quality_flag: pd.Series, masks: Sequence[int], meanings: Sequence[str]) -> pd.DataFrame:
    """Return a boolean column for each bit that the file names (flag_masks and flag_meanings); NA where no flag is.

    Bits without a name stay where they are, in the integer; none is invented here.

    >>> named_bits(pd.Series([0, 3]), [1, 2], ["sea", "cloudy"]).to_dict("list")
    {'sea': [False, True], 'cloudy': [False, True]}
    """
    if len(masks) != len(meanings):
        raise ValueError(f"{len(masks)} masks and {len(meanings)} meanings: each bit needs one of both.")
    values = quality_flag.astype("Int64")
    return pd.DataFrame({name: (values & int(mask)) != 0 for mask, name in zip(masks, meanings, strict=True)})


def flags(frame: pd.DataFrame, position: pd.DataFrame) -> pd.DataFrame:
    """Return the checks of a frame with ghi and, if there, dhi, each a boolean column.

    Parameters
    ----------
    frame : DataFrame
        ghi, dhi in W/m2, as `read` gives it for one point.
    position : DataFrame
        zenith in degrees and dni_extra in W/m2 on the same index, as `solar_position` gives it.

    Returns
    -------
    DataFrame
        missing, night_nonzero, and for each component below_possible, above_possible, above_rare.

    Examples
    --------
    >>> frame = pd.DataFrame({"ghi": [500.0, None, 1900.0]})
    >>> position = pd.DataFrame({"zenith": [40.0, 40.0, 40.0], "dni_extra": [1361.0] * 3})
    >>> flags(frame, position).sum()[["missing", "ghi_above_possible"]].to_dict()
    {'missing': 1, 'ghi_above_possible': 1}
    """
    ghi, zenith = frame["ghi"], position["zenith"]
    result = {"missing": missing(ghi), "night_nonzero": night_nonzero(ghi, zenith)}
    for component in ("ghi", "dhi"):
        if component in frame:
            values = frame[component]
            result[f"{component}_below_possible"] = below_limit(values)
            for limit in ("possible", "rare"):
                result[f"{component}_above_{limit}"] = above_limit(
                    values, zenith, position["dni_extra"], component=component, limit=limit
                )
    return pd.DataFrame(result)
