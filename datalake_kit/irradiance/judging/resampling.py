"""Means over longer steps: minutes to quarters of an hour, quarters to hours."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.judging.several import each_point
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["to_step"]

_NO_MEAN = ("quality_flag", "azimuth", "wind_direction")  # bits, and directions: 350 and 10 degrees are not 180
_DAY = pd.Timedelta("1D")


def to_step(frame: pd.DataFrame, step: str | pd.Timedelta, *, enough: float = 0.8) -> pd.DataFrame:
    """Return the means over longer steps, labelled by the start of each in UTC; units stay.

    - A step's mean is that of its values; with fewer values than `enough` of the steps that it holds, it is NaN. Its
      row stays: from the first step to the last each has one. Each column counts its own values.
    - Steps begin at midnight UTC, so they divide a day; a day of another zone is not one of them.
    - Instants may be averaged as well: each stands for the step that its label begins. The result is a mean
      (`instantaneous` False), whose instant that counts is the middle of the step. The instants' own middle is later
      by their `scan_offset_seconds` less half of their step, for the satellite some minutes at most.
    - fraction_diffuse, where ghi is beside it, is weighted by ghi, so that their product is the mean diffuse part; NaN
      without light.
    - What has no mean is left out and named in `attrs["left_out"]`: text, times, booleans (`filled`), bits
      (quality_flag) and directions (azimuth, wind_direction).

    Parameters
    ----------
    frame : DataFrame
        As `read` gives it, of one point or several.
    step : str or Timedelta
        A multiple of the present step, such as "15min" or "1h", up to a day.
    enough : float
        Share of the values that a mean needs, above 0 and up to 1.

    Returns
    -------
    DataFrame
        Indexed as the frame. `attrs` are those of the frame but for step_seconds, instantaneous and what tells of the
        scan; `attrs["averaged"]` says from which step, whether from instants, and `enough`.

    Raises
    ------
    DataError
        The step is no time, not longer than the present one, no multiple of it, or does not divide a day; `enough` is
        not above 0 and up to 1; the times have no zone, come twice or are not multiples of the present step; no
        column has a mean; the frame has no rows.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18 10:00", periods=8, freq="15min", tz="UTC", name="time")
    >>> frame = pd.DataFrame({"ghi": [500.0, 520.0, 540.0, 560.0, 600.0, None, None, 640.0]}, index=times)
    >>> to_step(frame, "1h")["ghi"].tolist()
    [530.0, nan]
    >>> to_step(frame, "1h", enough=0.5)["ghi"].tolist()
    [530.0, 620.0]
    """
    longer = _longer(step)
    if not 0 < enough <= 1:
        raise DataError(f"enough={enough!r} is no share above 0 and up to 1.")
    if frame.empty:
        raise DataError("The frame has no values: there is nothing to average.")
    columns = [c for c in frame if _has_mean(frame, c)]
    if not columns:
        raise DataError(f"No column has a mean; there are {', '.join(map(str, frame.columns))}.")
    if isinstance(frame.index, pd.MultiIndex):
        points = {one.attrs["point"]["point_id"]: one for one in each_point(frame)}
        steps = {_step(one) for one in points.values()}
        means = [_means(one[columns], longer, enough) for one in points.values()]
        result = pd.concat(means, keys=list(points), names=["point_id", "time"])
    else:
        steps = {_step(frame)}
        result = _means(frame[columns], longer, enough)
    result.attrs = _attrs(frame, longer, enough, steps) | {"left_out": [c for c in frame if c not in columns]}
    return result


def _means(frame: pd.DataFrame, longer: pd.Timedelta, enough: float) -> pd.DataFrame:
    step = _step(frame)
    _refuse_step(step, longer)
    times = _times(frame, step)
    values = frame.set_axis(times).astype(float)
    weighted = {"ghi", "fraction_diffuse"} <= set(values.columns)
    if weighted:  # no light has no diffuse light, whatever the fraction is said to be
        diffuse = (values["ghi"] * values["fraction_diffuse"]).mask(values["ghi"] == 0, 0.0)
        values = values.assign(fraction_diffuse=diffuse, weight=values["ghi"].where(diffuse.notna()))
    groups = values.groupby(times.floor(longer))
    means = groups.mean().where(groups.count() >= math.ceil(enough * (longer / step) - 1e-9))
    if weighted:
        means["fraction_diffuse"] /= means.pop("weight").replace(0.0, math.nan)
    every = pd.date_range(means.index[0], means.index[-1], freq=longer, name="time", unit=times.unit)
    return means.reindex(every)


def _times(frame: pd.DataFrame, step: pd.Timedelta) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(frame.index)
    if times.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    times = times.tz_convert("UTC")
    if times.has_duplicates:
        raise DataError(f"The time {times[times.duplicated()][0]} comes twice: each step has one row.")
    off = times != times.floor(step)
    if off.any():
        raise DataError(f"The time {times[off][0]} is no multiple of the step of {step}: label each step by its start.")
    return times


def _step(frame: pd.DataFrame) -> pd.Timedelta:
    seconds = frame.attrs.get("step_seconds")
    if len(frame) < 2 and seconds is not None:
        return pd.Timedelta(seconds=seconds)
    return step_of(pd.DatetimeIndex(frame.index))


def _longer(step: str | pd.Timedelta) -> pd.Timedelta:
    try:
        longer = pd.Timedelta(step)
    except (ValueError, TypeError) as error:
        raise DataError(f"The step {step!r} is no length of time: give one such as '15min' or '1h'.") from error
    if not longer > pd.Timedelta(0) or _DAY % longer:
        raise DataError(f"The step {step!r} does not divide a day: give one such as '15min', '1h' or '1D'.")
    return longer


def _refuse_step(step: pd.Timedelta, longer: pd.Timedelta) -> None:
    if longer <= step:
        raise DataError(f"The step of {longer} is not longer than the present one of {step}: a mean needs values.")
    if longer % step:
        raise DataError(f"The step of {longer} is no multiple of the present one of {step}.")


def _has_mean(frame: pd.DataFrame, column: Hashable) -> bool:
    kind = frame[column].dtype
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        return False
    return column not in _NO_MEAN and column not in frame.attrs.get("flags", {})


def _attrs(frame: pd.DataFrame, longer: pd.Timedelta, enough: float, steps: set[pd.Timedelta]) -> dict[Any, Any]:
    said = frame.copy().attrs
    said.pop("scan_uncertainty_seconds", None)
    if "point" in said:
        said["point"] = _unscanned(said["point"])
    if "points" in said:
        said["points"] = {point: _unscanned(place) for point, place in said["points"].items()}
    averaged = {
        "from_step_seconds": sorted(s.total_seconds() for s in steps),
        "from_instants": bool(frame.attrs.get("instantaneous", True)),
        "enough": enough,
    }
    seconds = longer.total_seconds()
    return said | {"step_seconds": int(seconds), "instantaneous": False, "averaged": averaged}


def _unscanned(place: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in place.items() if key != "scan_offset_seconds"}
