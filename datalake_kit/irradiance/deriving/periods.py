"""Hours, days, months and years: where each begins and ends, in UTC, in a named zone or by the sun."""

from __future__ import annotations

import zoneinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError, did_you_mean

__all__ = ["PERIODS", "bounds_of", "solar_shift", "zone_of"]

PERIODS = {"hour": "h", "day": "D", "month": "MS", "year": "YS"}
_NANOSECONDS_A_DEGREE = 240_000_000_000  # the sun moves 15 degrees an hour


def bounds_of(
    first: pd.Timestamp, end: pd.Timestamp, period: str, days: str, longitude: npt.NDArray[np.float64]
) -> tuple[pd.DatetimeIndex, npt.NDArray[np.int64]]:
    """Return the label of each period that lies between two UTC instants, and the bounds for each point.

    Parameters
    ----------
    first, end : Timestamp
        UTC; the last period holds the last instant before `end`.
    period : {"hour", "day", "month", "year"}
    days : str
        "utc", "solar" (UTC + longitude / 15 h: the same day for all points begins at another instant for each), or the
        name of a zone.
    longitude : array of shape (points,)
        Degrees east.

    Returns
    -------
    labels : DatetimeIndex of length n
        The begin of each period, named as `period`: in UTC, in the zone, or, for solar days, without a zone.
    bounds : integer array of shape (points, n + 1)
        Nanoseconds of UTC.

    Examples
    --------
    >>> day = pd.Timestamp("2025-03-30", tz="UTC")
    >>> labels, bounds = bounds_of(day, day + pd.Timedelta(hours=20), "day", "Europe/Rome", np.array([8.0]))
    >>> labels[0].isoformat(), float(np.diff(bounds[0])[0] / 3.6e12)   # the clocks went forward
    ('2025-03-30T00:00:00+01:00', 23.0)
    """
    if period not in PERIODS:
        raise DataError(f"No period {period!r}. {did_you_mean(str(period), PERIODS)}")
    last = end - pd.Timedelta(1, unit="ns")
    if days == "solar":
        shift = solar_shift(longitude)
        early, late = (pd.Timedelta(int(s), unit="ns") for s in (shift.min(), shift.max()))
        naive = _naive_bounds(first.tz_localize(None) + early, last.tz_localize(None) + late, period)
        return naive[:-1], naive.asi8 - shift[:, None]
    zone = zone_of(days)
    bounds = _hours(first, last, zone) if period == "hour" else _dates(first, last, period, zone)
    return bounds[:-1], np.broadcast_to(bounds.asi8, (len(longitude), len(bounds)))


def solar_shift(longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return local mean solar time less UTC, in nanoseconds: 4 minutes a degree east.

    >>> (solar_shift(np.array([15.0, -30.0])) / 3.6e12).tolist()
    [1.0, -2.0]
    """
    return np.round(longitude * _NANOSECONDS_A_DEGREE).astype(np.int64)


def zone_of(days: str) -> str:
    """Return the name of a zone, "UTC" for "utc"; an error names the nearest zones.

    >>> zone_of("utc"), zone_of("Europe/Rome")
    ('UTC', 'Europe/Rome')
    """
    if days == "utc":
        return "UTC"
    try:
        zoneinfo.ZoneInfo(days)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        near = did_you_mean(str(days), zoneinfo.available_timezones())
        raise DataError(f"No zone {days!r}. {near}") from None
    return days


def _naive_bounds(first: pd.Timestamp, last: pd.Timestamp, period: str) -> pd.DatetimeIndex:
    start = first.floor("h") if period == "hour" else first.normalize()
    if period in ("month", "year"):
        start = start.replace(day=1)
    if period == "year":
        start = start.replace(month=1)
    rule = pd.tseries.frequencies.to_offset(PERIODS[period])
    stop = last + 2 * rule
    bounds = pd.date_range(start, stop, freq=rule, name=period).as_unit("ns")
    return pd.DatetimeIndex(bounds[: int(bounds.searchsorted(last, side="right")) + 1])


def _dates(first: pd.Timestamp, last: pd.Timestamp, period: str, zone: str) -> pd.DatetimeIndex:
    begin, end = (moment.tz_convert(zone).tz_localize(None) for moment in (first, last))
    naive = _naive_bounds(begin, end, period)
    # a date whose midnight is skipped begins when the clocks have moved; one that has two begins with the first
    return naive.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(len(naive), bool))


def _hours(first: pd.Timestamp, last: pd.Timestamp, zone: str) -> pd.DatetimeIndex:
    """Full hours of the zone's clocks, which lie at quarters of UTC hours in some zones."""
    hour = pd.Timedelta(hours=1)
    quarters = pd.date_range(first.floor("h") - 2 * hour, last.ceil("h") + 3 * hour, freq="15min", name="hour")
    local = quarters.as_unit("ns").tz_convert(zone)
    full = local[local.minute == 0]
    begin, end = (int(full.searchsorted(moment.tz_convert(zone), side="right")) for moment in (first, last))
    return pd.DatetimeIndex(full[begin - 1 : end + 1])
