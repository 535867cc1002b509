"""Compares a series with a reference: a ground station, another product, a typical year."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.blocks import block_of
from datalake_kit.irradiance.deriving.comparison import Comparison
from datalake_kit.irradiance.deriving.distributions import distribution_distance
from datalake_kit.irradiance.deriving.sides import Side, side_of
from datalake_kit.irradiance.judging.daylight import cosine_of_zenith

__all__ = ["compare"]

Floats = npt.NDArray[np.float64]
_REASONS = ("night", "missing_in_both", "missing_in_series", "missing_in_reference", "flagged")


def compare(
    series: pd.DataFrame,
    reference: pd.DataFrame,
    column: str = "ghi",
    *,
    step: str | pd.Timedelta | None = None,
    zenith_limit: float | None = 90.0,
    flagged: pd.Series | None = None,
    enough: float = 0.9,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Comparison:
    """Compare a series with a reference: bias, root mean square and absolute error, correlation, KSI, scatter pairs.

    The two are brought to the coarser of their steps. A value of the finer one is the mean of those whose instants (of
    means: midpoints) lie within half a step of the coarser one's instant: values by the minute become means around the
    moment that the satellite saw. Of two series of instants the nearest instant is taken, without a mean. With a
    `step` longer than both, both become means over that step. Nothing is interpolated.

    Parameters
    ----------
    series, reference : DataFrame
        One point each, as `read` or a reader of stations gives it; indexed by times with a zone.
    column : str
        In both; W/m2.
    step : str or Timedelta, optional
        Of the comparison, such as "1h": a multiple of both steps.
    zenith_limit : float or None
        Degrees: steps with the sun at or below it, at the instant that counts, are night and left out; None keeps all.
    flagged : boolean Series, optional
        On the index of `series`: values that are not to be trusted. Steps with such a value are left out and counted.
    enough : float
        Share of the values of a mean that must be there.
    latitude, longitude : float, optional
        Of the place, where neither frame says.

    Returns
    -------
    Comparison
        Errors are series less reference. Every step that both cover is a pair or counted in `left_out`.

    Raises
    ------
    ColumnNotFoundError
        One of them has no such column.
    DataError
        The times have no zone, do not overlap, or steps do not divide; nothing is left to compare; the place is not
        known and night is to be left out.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18", periods=24, freq="1h", tz="UTC", name="time")
    >>> ground = pd.DataFrame({"ghi": np.arange(24.0)}, index=times)
    >>> found = compare(ground + 5, ground, zenith_limit=None)
    >>> found.n, found.mbe, found.rmse
    (24, 5.0, 5.0)
    """
    limit = pd.Timedelta(0) if step is None else pd.Timedelta(step)
    marks = _marks(series, flagged)
    ours = side_of(series, column, "the series", latitude=latitude, longitude=longitude)
    theirs = side_of(reference, column, "the reference", latitude=latitude, longitude=longitude)
    flags = replace(ours, values=marks)
    _check_steps(ours, theirs, step, limit)
    if limit > max(ours.step, theirs.step):
        ours, theirs, flags = (side.over(limit, enough) for side in (ours, theirs, flags))
    pairs, flagged_share, rule = _aligned(ours, theirs, flags, enough)
    reasons = _reasons(pairs, flagged_share, _night(pairs, ours, theirs, zenith_limit))
    kept = pairs[reasons == ""][["value", "reference"]]
    if kept.empty:
        told = ", ".join(f"{int((reasons == r).sum())} {r.replace('_', ' ')}" for r in _REASONS if (reasons == r).any())
        raise DataError(f"Nothing is left to compare of {len(pairs)} steps that both cover: {told}.")
    left_out = {r: int((reasons == r).sum()) for r in _REASONS}
    said = {
        "step": max(ours.step, theirs.step),
        "distance_km": ours.kilometres_from(theirs),
        "rule": rule,
        "names": (ours.name, theirs.name),
        "column": column,
    }
    return _judged(kept, left_out, said)


def _marks(series: pd.DataFrame, flagged: pd.Series | None) -> Floats:
    """Return 1 where a value is flagged, on the regular steps of the series."""
    if flagged is not None and not flagged.index.equals(series.index):
        raise DataError("`flagged` is not on the index of the series: its times differ.")
    marks = np.zeros(len(series)) if flagged is None else flagged.fillna(False).astype(bool).to_numpy(float)
    frame = pd.DataFrame({"flagged": marks}, index=series.index)
    frame.attrs = dict(series.attrs)
    found: Floats = np.nan_to_num(block_of(frame, "flagged").values[0])
    return found


def _check_steps(ours: Side, theirs: Side, step: str | pd.Timedelta | None, limit: pd.Timedelta) -> None:
    longest = max(ours.step, theirs.step)
    wanted = max(longest, limit)
    if step is not None and limit < longest:
        raise DataError(f"A step of {limit} is shorter than the coarser of the two steps, {longest}.")
    for side in (ours, theirs):
        if wanted % side.step != pd.Timedelta(0):
            raise DataError(
                f"The step of {side.name}, {side.step}, does not divide {wanted}: give step=, a multiple of both."
            )
    if not ours.instants and not theirs.instants:
        finer = min(ours.step, theirs.step)
        if (ours.first - theirs.first) % finer != pd.Timedelta(0):
            raise DataError(
                f"The steps of the two means begin at different times, {ours.first:%H:%M:%S} and "
                f"{theirs.first:%H:%M:%S}: give step=, a multiple of both."
            )


def _aligned(ours: Side, theirs: Side, flags: Side, enough: float) -> tuple[pd.DataFrame, Floats, str]:
    """Return value and reference on the steps of the coarser side that both cover, the flagged share, and the rule."""
    coarse, fine = (ours, theirs) if ours.step >= theirs.step else (theirs, ours)
    labels = coarse.labels[(coarse.centres >= fine.first.value) & (coarse.centres < fine.end.value)]
    if not len(labels):
        raise DataError(f"The two do not overlap: {ours.span}; {theirs.span}.")
    single = coarse.instants and fine.instants
    width = fine.step if single else coarse.step
    centres = labels.as_unit("ns").asi8 + coarse.offset
    columns = [side.around(centres, width if side.step == fine.step else side.step, enough) for side in (ours, theirs)]
    marks = flags.around(centres, width if flags.step == fine.step else flags.step, 0.0)
    pairs = pd.DataFrame({"value": columns[0], "reference": columns[1], "centre": centres}, index=labels)
    return pairs, np.nan_to_num(marks), _rule(coarse, fine, single)


def _rule(coarse: Side, fine: Side, single: bool) -> str:
    if coarse.step > fine.step and not single:
        around = "around the instants of" if coarse.instants else "over the steps of"
        return f"{fine.name}: means of {fine.step / pd.Timedelta('1min'):g} min values {around} {coarse.name}"
    apart = abs((fine.first.value + fine.offset - coarse.first.value - coarse.offset) % fine.step.value) / 1e9
    apart = min(apart, fine.step.total_seconds() - apart)
    return f"value by value, {apart:g} s apart" if apart else "value by value, of the same instant"


def _night(pairs: pd.DataFrame, ours: Side, theirs: Side, limit: float | None) -> npt.NDArray[np.bool_]:
    if limit is None:
        return np.zeros(len(pairs), bool)
    place = ours.place or theirs.place
    if place is None:
        raise DataError("The place is not known: give latitude and longitude, or zenith_limit=None to keep the night.")
    dark: npt.NDArray[np.bool_] = cosine_of_zenith(pairs["centre"].to_numpy(), *place) <= np.cos(np.radians(limit))
    return dark


def _reasons(pairs: pd.DataFrame, flagged: Floats, night: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    """Return why each step is not compared; nothing where it is."""
    no_value, no_reference = pairs["value"].isna(), pairs["reference"].isna()
    found: npt.NDArray[np.str_] = np.select(
        [night, no_value & no_reference, no_value, no_reference, flagged > 0], list(_REASONS), ""
    )
    return found


def _judged(pairs: pd.DataFrame, left_out: dict[str, int], said: dict[str, Any]) -> Comparison:
    value, reference = pairs["value"].to_numpy(), pairs["reference"].to_numpy()
    error = value - reference
    varies = len(pairs) > 1 and np.ptp(value) > 0 and np.ptp(reference) > 0
    distance = distribution_distance(value, reference)
    times = pd.DatetimeIndex(pairs.index)
    month = times.tz_localize(None).to_period("M").to_timestamp().tz_localize("UTC").rename("month")
    return Comparison(
        pairs=pairs,
        left_out=left_out,
        mean_value=float(value.mean()),
        mean_reference=float(reference.mean()),
        mbe=float(error.mean()),
        rmse=float((error**2).mean() ** 0.5),
        mae=float(np.abs(error).mean()),
        correlation=float(np.corrcoef(value, reference)[0, 1]) if varies else float("nan"),
        ksi=distance.ksi,
        ksi_percent=distance.ksi_percent,
        over=distance.over,
        over_percent=distance.over_percent,
        by_month=_grouped(error, reference, month),
        by_hour=_grouped(error, reference, pd.Index(times.hour, name="hour")),
        **said,
    )


def _grouped(error: Floats, reference: Floats, by: pd.Index) -> pd.DataFrame:
    parts = {"n": np.ones(len(error)), "reference": reference, "mbe": error, "rmse": error**2, "mae": np.abs(error)}
    grouped = pd.DataFrame(parts).groupby(by)
    result = grouped.mean()
    result["rmse"] **= 0.5
    result["n"] = grouped.size()
    return result
