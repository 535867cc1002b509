"""Judges series: each function takes series and returns a boolean series, True where something is wrong.

The physical limits are those of the Baseline Surface Radiation Network (BSRN): Long and Shi (2008), "An automated
quality assessment and control algorithm for surface radiation measurements". NaN is missing and nothing else: it breaks
no limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.judging.components import closure, diffuse_of
from datalake_kit.irradiance.judging.several import each_point, join_points, rows_of
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from datalake_kit.irradiance.judging.steps import step_of

__all__ = [
    "above_clear_sky",
    "above_limit",
    "below_limit",
    "flags",
    "missing",
    "named_bits",
    "night_nonzero",
    "step_change",
    "stuck",
    "summarise_flags",
    "upper_limit",
]

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
        raise DataError(f"No limit {limit!r} of {component!r}. There are: {known}.")
    factor, exponent, offset = _LIMITS[component, limit]
    cosine = pd.Series(np.cos(np.radians(zenith.to_numpy(float))), zenith.index).clip(lower=0)
    return cosine**exponent * factor * dni_extra + offset


def below_limit(values: pd.Series, *, limit: str = "possible") -> pd.Series:
    """Return where a value is below the BSRN limit: -4 W/m2 possible, -2 rare.

    >>> below_limit(pd.Series([-5.0, 0.0])).tolist()
    [True, False]
    """
    if limit not in _LOWEST:
        raise DataError(f"No limit {limit!r}. There are: {', '.join(_LOWEST)}.")
    return values < _LOWEST[limit]


def named_bits(
    quality_flag: pd.Series,
    masks: Sequence[int] | None = None,
    meanings: Sequence[str] = (),
    *,
    values: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return a boolean column for each flag that the file names; NA where no flag is.

    As CF defines it: with `masks` (flag_masks) alone a bit that is set, with `values` (flag_values) alone the number
    itself, with both the number of the masked bits. What has no name stays in the integer; none is invented here.

    >>> named_bits(pd.Series([0, 3]), [1, 2], ["sea", "cloudy"]).to_dict("list")
    {'sea': [False, True], 'cloudy': [False, True]}
    >>> named_bits(pd.Series([0, 2]), values=[1, 2], meanings=["sea", "cloudy"]).to_dict("list")
    {'sea': [False, False], 'cloudy': [False, True]}
    """
    for numbers, kind in ((masks, "masks"), (values, "values")):
        if numbers is not None and len(numbers) != len(meanings):
            raise DataError(f"{len(numbers)} {kind} and {len(meanings)} meanings: each flag needs one of both.")
    if masks is None and values is None:
        raise DataError("Neither masks nor values were given: without them no flag has a name.")
    found = quality_flag.astype("Int64")
    named = {}
    for number, name in enumerate(meanings):
        bits = found if masks is None else found & int(masks[number])
        named[name] = bits != 0 if values is None else bits == int(values[number])
    return pd.DataFrame(named, index=quality_flag.index)


def above_clear_sky(ghi: pd.Series, ghi_clear: pd.Series, *, factor: float = 1.3, offset: float = 30.0) -> pd.Series:
    """Return where ghi is above `factor` x the clear sky + `offset` W/m2.

    Broken clouds reflect more light than a clear sky gives: for seconds up to 1.6 times as much, in means of a quarter
    of an hour, and over a cell of some kilometres, hardly 1.2 times. The offset is for the climatology of turbidity,
    which a very clean day exceeds.

    >>> above_clear_sky(pd.Series([900.0, 1300.0]), pd.Series([850.0, 850.0])).tolist()
    [False, True]
    """
    return ghi > ghi_clear * factor + offset


def stuck(values: pd.Series, zenith: pd.Series, *, count: int = 4, low_sun: float = 85.0) -> pd.Series:
    """Return where a value above 0 stays the same for at least `count` steps in a row, with the sun up.

    Steps with the sun lower than 90 - `low_sun` degrees above the horizon and missing values end a row.

    >>> stuck(pd.Series([5.0, 7.0, 7.0, 7.0, 7.0, 9.0]), pd.Series([40.0] * 6)).tolist()
    [False, True, True, True, True, False]
    """
    usable = (values > 0) & (zenith < low_sun)
    new = (values != values.shift()) | ~usable | ~usable.shift(fill_value=False)
    run = new.cumsum()
    return usable & (run.map(run.value_counts()) >= count)


def step_change(ghi: pd.Series, zenith: pd.Series, dni_extra: pd.Series, *, limit: float = 0.75) -> pd.Series:
    """Return where the clearness index changes by more than `limit` from the step before.

    The clearness index is ghi over what the sun sends to a horizontal plane at the top of the atmosphere; judged with
    the sun at least 2 degrees above the horizon at both steps, and where neither is missing.

    Source
    ------
    Journée and Bertrand (2011), "Quality control of solar radiation data within the RMIB solar measurements network",
    Solar Energy 85.

    >>> same = dict(zenith=pd.Series([60.0] * 3), dni_extra=pd.Series([1361.0] * 3))
    >>> step_change(pd.Series([100.0, 650.0, 640.0]), **same).tolist()
    [False, True, False]
    """
    top = dni_extra * np.cos(np.radians(zenith.astype(float)))
    index = ghi / top.where(zenith <= 88)
    return (index - index.shift()).abs() > limit


def flags(
    frame: pd.DataFrame, position: pd.DataFrame | None = None, *, clear: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the checks of a frame, each a boolean column: True where something is to be looked at.

    A flag is a question, not a verdict; only what is not `possible` cannot be.

    Parameters
    ----------
    frame : DataFrame
        ghi and, where they are there, dhi (or fraction_diffuse) and dni in W/m2 and quality_flag, as `read` gives it
        for one point or several.
    position : DataFrame, optional
        zenith in degrees and dni_extra in W/m2 on the same index, as `solar_position` gives it; else computed.
    clear : DataFrame, optional
        ghi_clear in W/m2 on the same index, as `clear_sky` gives it; computed when not given.

    Returns
    -------
    DataFrame
        missing, night_nonzero; for ghi, dhi and dni below_possible, below_rare, above_possible, above_rare (BSRN);
        above_clear_sky (1.3 times; of means over less than 10 minutes 1.6 times; left out where the place is not
        known), stuck (the same value for an hour and at least 4 steps), step (a change of the clearness index by
        0.75), closure (where dni was measured beside ghi and dhi), and `flag_` with the
        name of each bit that the files name.

    Raises
    ------
    ColumnNotFoundError
        There is no ghi.
    DataError
        The frame has no rows; the place is neither known nor `position` given.

    Examples
    --------
    >>> frame = pd.DataFrame({"ghi": [500.0, None, 1900.0]})
    >>> position = pd.DataFrame({"zenith": [40.0, 40.0, 40.0], "dni_extra": [1361.0] * 3})
    >>> flags(frame, position).sum()[["missing", "ghi_above_possible"]].to_dict()
    {'missing': 1, 'ghi_above_possible': 1}
    """
    if "ghi" not in frame:
        raise ColumnNotFoundError(f"The frame has no ghi; it has {', '.join(map(str, frame.columns))}.")
    if frame.empty:
        raise DataError("The frame has no rows: there is nothing to judge.")
    position = solar_position(frame, method="ephemeris") if position is None else position
    if not isinstance(frame.index, pd.MultiIndex):
        return _flags_of(frame, position, clear)
    parts = []
    for one in each_point(frame):
        point = one.attrs["point"]["point_id"]
        sky = None if clear is None else rows_of(clear, point)
        parts.append(_flags_of(one, rows_of(position, point), sky))
    return join_points(parts, frame)


def _flags_of(frame: pd.DataFrame, position: pd.DataFrame, clear: pd.DataFrame | None) -> pd.DataFrame:
    ghi, zenith, extra = frame["ghi"].astype(float), position["zenith"], position["dni_extra"]
    result = {"missing": missing(ghi), "night_nonzero": night_nonzero(ghi, zenith)}
    for component in ("ghi", "dhi", "dni"):
        if component == "dhi" and {"dhi", "fraction_diffuse"} & set(frame.columns):
            values = diffuse_of(frame)
        elif component in frame:
            values = frame[component].astype(float)
        else:
            continue
        for limit in ("possible", "rare"):
            result[f"{component}_below_{limit}"] = below_limit(values, limit=limit)
            result[f"{component}_above_{limit}"] = above_limit(values, zenith, extra, component=component, limit=limit)
    minutes = _minutes(frame)
    if clear is None and frame.attrs.get("point", {}).get("latitude") is not None:
        known = position if "apparent_zenith" in position else None
        clear = clear_sky(frame, position=known)
    if clear is not None:
        mean = not frame.attrs.get("instantaneous", True)
        factor = 1.6 if mean and minutes < 10 else 1.3
        result["above_clear_sky"] = above_clear_sky(ghi, clear["ghi_clear"], factor=factor)
    result["stuck"] = stuck(ghi, zenith, count=max(4, math.ceil(60 / minutes)))
    result["step"] = step_change(ghi, zenith, extra)
    if {"dhi", "dni"} <= set(frame.columns):
        result["closure"] = closure(frame, position)
    return pd.DataFrame(result | _named_flags(frame), index=frame.index)


def _minutes(frame: pd.DataFrame) -> float:
    seconds = frame.attrs.get("step_seconds")
    if seconds is None and isinstance(frame.index, pd.DatetimeIndex) and len(frame) > 1:
        seconds = step_of(frame.index).total_seconds()
    return 15.0 if seconds is None else float(seconds) / 60


def _named_flags(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the bits that the files name; where there is no flag none is set."""
    found: dict[str, pd.Series] = {}
    for column, bits in frame.attrs.get("flags", {}).items():
        if column in frame:
            named = named_bits(frame[column], **bits)
            found |= {f"flag_{name}": named[name].fillna(False).astype(bool) for name in named}
    return found


def summarise_flags(flagged: pd.DataFrame, position: pd.DataFrame) -> pd.DataFrame:
    """Return for each flag how many steps it marks, and which share of the daylight steps.

    Parameters
    ----------
    flagged : DataFrame
        What `flags` gives.
    position : DataFrame
        zenith in degrees on the same index.

    Returns
    -------
    DataFrame
        Indexed by the name of the flag: steps, daylight_steps, share_of_daylight (0 to 1; NaN without daylight).

    Examples
    --------
    >>> flagged = pd.DataFrame({"missing": [True, True, False]})
    >>> summarise_flags(flagged, pd.DataFrame({"zenith": [120.0, 40.0, 40.0]})).iloc[0].tolist()
    [2.0, 1.0, 0.5]
    """
    light = position["zenith"] < 90
    marked = flagged.fillna(False).astype(bool)
    steps, in_light = marked.sum(), marked[light].sum()
    share = in_light / int(light.sum()) if light.any() else in_light * np.nan
    result = pd.DataFrame({"steps": steps, "daylight_steps": in_light, "share_of_daylight": share})
    result.index.name = "flag"
    return result
