"""Days, weeks and months of a zone, and percentiles by nearest rank: what measures over time count by. Pure."""

from __future__ import annotations

import zoneinfo
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError, did_you_mean

Frequency: TypeAlias = Literal["D", "W", "M"]
Instants: TypeAlias = npt.NDArray[np.datetime64]  # UTC, microseconds, without zone

_STEPS = {"D": "D", "W": "7D", "M": "MS"}  # of pandas, from the start of a period
PERIOD_WORDS = {"D": "day", "W": "week", "M": "month"}


def period_bounds(first: pd.Timestamp, last: pd.Timestamp, freq: str, zone: str = "UTC") -> Instants:
    """Find the borders of the periods that hold the time from `first` to `last`.

    A period begins at midnight in `zone`: each day, each Monday, or each first of a month. Where the clock leaves out
    midnight it begins at the first instant of the day, where midnight comes twice at the earlier one.

    Parameters
    ----------
    first, last
        Instants with zone, `first` not after `last`. A period that begins at `last` is not among them, unless `first`
        is the same instant.
    freq
        "D", "W" or "M".
    zone
        Name of a time zone.

    Returns
    -------
    ndarray of datetime64[us]
        UTC: the start of each period, and the end of the last one. Always two or more.

    Raises
    ------
    DataError
        Unknown `freq` or `zone`.

    Examples
    --------
    >>> week = pd.Timestamp("2024-01-03", tz="UTC"), pd.Timestamp("2024-01-10", tz="UTC")
    >>> period_bounds(*week, "W").astype("M8[D]").tolist()
    [datetime.date(2024, 1, 1), datetime.date(2024, 1, 8), datetime.date(2024, 1, 15)]
    """
    check_periods(freq, zone)
    begin, end = (_floor(_local(moment, zone), freq) for moment in (first, last))
    days = pd.date_range(begin, end + pd.Timedelta(days=63), freq=_STEPS[freq])  # two months and more
    bounds = _to_utc(days, zone)
    stop = np.searchsorted(bounds, _utc(last), side="left")
    return bounds[: max(int(stop), 1) + 1]


def next_bounds(start: pd.Timestamp, count: int, freq: str, zone: str = "UTC") -> Instants:
    """Find the ends of the `count` periods from `start`, which is the start of a period.

    >>> next_bounds(pd.Timestamp("2024-01-01", tz="UTC"), 2, "M").astype("M8[D]").tolist()
    [datetime.date(2024, 2, 1), datetime.date(2024, 3, 1)]
    """
    check_periods(freq, zone)
    begin = _floor(_local(start, zone), freq)
    return _to_utc(pd.date_range(begin, periods=count + 3, freq=_STEPS[freq])[1:], zone)[:count]


def is_bound(moment: pd.Timestamp, freq: str, zone: str = "UTC") -> bool:
    """Whether a period begins at this instant.

    >>> is_bound(pd.Timestamp("2024-01-03", tz="UTC"), "W")
    False
    """
    return bool(period_bounds(moment, moment, freq, zone)[0] == _utc(moment))


def check_periods(freq: str, zone: str) -> None:
    """Refuse a frequency or a zone that is none.

    >>> check_periods("W", "Europe/Berlin")
    """
    if not isinstance(freq, str) or freq not in _STEPS:
        raise DataError(f'freq={freq!r} is none of "D" (days), "W" (weeks from Monday) and "M" (months).')
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        known = zoneinfo.available_timezones()
        raise DataError(f"zone={zone!r} is no time zone. {did_you_mean(str(zone), known)}") from error


def _floor(day: pd.Timestamp, freq: str) -> pd.Timestamp:
    day = day.normalize()
    if freq == "W":
        return day - pd.Timedelta(days=day.weekday())
    return day.replace(day=1) if freq == "M" else day


def _local(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    if moment.tzinfo is None:
        raise DataError(f"{moment} has no time zone. Give an instant, such as pd.Timestamp({str(moment)!r}, tz='UTC').")
    return moment.tz_convert(zone).tz_localize(None)


def _utc(moment: pd.Timestamp) -> np.datetime64:
    return np.datetime64(moment.tz_convert("UTC").tz_localize(None), "us")


def _to_utc(days: pd.DatetimeIndex, zone: str) -> Instants:
    first_of_two = np.ones(len(days), dtype=bool)  # midnight comes twice: the one in summer time is the earlier
    local = days.tz_localize(zone, ambiguous=first_of_two, nonexistent="shift_forward")
    local = local[local.tz_localize(None).normalize() == days]  # Samoa left out a whole day to cross the date line
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")


def nearest_rank(values: npt.ArrayLike, percentiles: npt.ArrayLike) -> npt.NDArray[Any]:
    """Find percentiles by nearest rank: the smallest value that at least p percent of the values do not exceed.

    Every percentile is one of the values: "85 % of the issues took 9 days or fewer" is then true as it stands, which
    an interpolated figure need not be.

    Parameters
    ----------
    values
        n numbers without NaN, in any order; one or more.
    percentiles
        Above 0, at most 100.

    Returns
    -------
    ndarray
        One value for each percentile.

    Raises
    ------
    DataError
        No values, or a percentile outside of (0, 100].

    Examples
    --------
    >>> nearest_rank([15, 20, 35, 40, 50], [30, 40, 50, 100]).tolist()
    [20, 20, 35, 50]
    """
    ordered, asked = np.sort(np.asarray(values)), check_percentiles(percentiles)
    if not len(ordered):
        raise DataError("There are no values to take percentiles of.")
    return ordered[ranks(len(ordered), asked) - 1]


def ranks(count: int, percentiles: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """How many of `count` are the least that make up p percent of them.

    >>> ranks(5, np.array([30.0, 40.0, 100.0])).tolist()
    [2, 2, 5]
    """
    return np.ceil(np.round(percentiles * count / 100, 9)).astype(np.int64)  # 0.07 * 100 is not quite 7 in floats


def check_percentiles(percentiles: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Take percentiles as numbers above 0 and at most 100.

    >>> check_percentiles([50, 85]).tolist()
    [50.0, 85.0]
    """
    try:
        asked = np.atleast_1d(np.asarray(percentiles, dtype=np.float64))
    except (ValueError, TypeError):
        asked = np.zeros(0)
    if not len(asked) or not ((asked > 0) & (asked <= 100)).all():
        raise DataError(f"percentiles={np.asarray(percentiles).tolist()} must be above 0 and at most 100, such as 85.")
    return asked
