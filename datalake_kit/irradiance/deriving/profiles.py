"""The figures of a site: its months, its typical days, how long each power is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.blocks import block_of, index_by_point
from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.deriving.periods import zone_of

__all__ = ["duration", "monthly", "typical_day"]

_SHARES = (10, 25, 50, 75, 90)


def monthly(
    frame: pd.DataFrame,
    column: str = "ghi",
    *,
    days: str = "utc",
    enough: float = 0.9,
    latitude: float | None = None,
    longitude: float | None = None,
) -> pd.DataFrame:
    """Return the energy of each month, and how that of its days is spread.

    The parameters are those of `energy`, which states the rules. Mean and percentiles are those of complete days:
    others would be lower bounds.

    Returns
    -------
    DataFrame
        Indexed by the begin of the month, for several points by (`point_id`, `month`): `energy` in kWh/m2 per month;
        `mean_daily`, `p10`, `p25`, `p50`, `p75`, `p90` in kWh/m2 per day; `days` (of the calendar), `days_complete`;
        `coverage` and `complete` of the month.

    Examples
    --------
    >>> times = pd.date_range("2025-06-01", "2025-07-01", freq="1h", tz="UTC", name="time", inclusive="left")
    >>> month = monthly(pd.DataFrame({"ghi": 100.0}, index=times), latitude=45.0, longitude=8.0)
    >>> month[["energy", "mean_daily", "days_complete"]].round(3).values.tolist()
    [[72.0, 2.4, 30.0]]
    """
    options = {"days": days, "enough": enough, "latitude": latitude, "longitude": longitude}
    months = energy(frame, "month", column, **options)  # type: ignore[arg-type]
    daily = energy(frame, "day", column, **options)  # type: ignore[arg-type]
    begin = pd.DatetimeIndex(months.index.get_level_values("month"))
    of_day = pd.DatetimeIndex(daily.index.get_level_values("day"))
    keys: list[Any] = [_month_number(of_day)]
    wanted: list[Any] = [_month_number(begin)]
    if daily.index.nlevels == 2:
        keys.insert(0, daily.index.get_level_values("point_id"))
        wanted.insert(0, months.index.get_level_values("point_id"))
    grouped = daily["energy"].where(daily["complete"]).groupby(keys, sort=False)
    spread = {"mean_daily": grouped.mean()} | {f"p{s}": grouped.quantile(s / 100) for s in _SHARES}
    spread["days_complete"] = grouped.count()
    place = pd.MultiIndex.from_arrays(wanted) if len(wanted) == 2 else pd.Index(wanted[0])
    result = pd.DataFrame({k: v.reindex(place).to_numpy() for k, v in spread.items()}, index=months.index)
    result["days_complete"] = result["days_complete"].fillna(0).astype("int64")
    result.insert(0, "energy", months["energy"])
    result.insert(len(_SHARES) + 2, "days", begin.days_in_month)
    result[["coverage", "complete"]] = months[["coverage", "complete"]]
    result.attrs = dict(months.attrs)
    result.attrs["units"] = {"energy": "kWh/m2 per month"} | dict.fromkeys(spread, "kWh/m2 per day")
    return result


def _month_number(days: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    return np.asarray(days.year, np.int64) * 12 + np.asarray(days.month, np.int64)


def typical_day(
    frame: pd.DataFrame, column: str = "ghi", *, tz: str = "UTC", percentiles: Sequence[float] = (10, 90)
) -> pd.DataFrame:
    """Return the mean day of each month of the year: the mean over all its days, step by step.

    Parameters
    ----------
    frame : DataFrame
        A series of one point, or of several, as `read` gives it.
    column : str
    tz : str
        The zone whose months and hours are meant. Where its clocks change, the hours of the sun are those before and
        after the change.
    percentiles : sequence of float
        Per cent, over the days.

    Returns
    -------
    DataFrame
        Indexed by (`month` 1 to 12, `hour` of the step's begin, as 6.25 for 06:15), for several points by (`point_id`,
        `month`, `hour`): `mean` and `p10`, `p90` (named as asked) in the column's unit, NaN where no day has a value,
        and `count`, the days that have one.

    Examples
    --------
    >>> times = pd.date_range("2025-06-01", periods=48, freq="1h", tz="UTC", name="time")
    >>> typical = typical_day(pd.DataFrame({"ghi": [100.0] * 24 + [300.0] * 24}, index=times))
    >>> typical.loc[(6, 12.0)].to_dict()
    {'mean': 200.0, 'p10': 120.0, 'p90': 280.0, 'count': 2.0}
    """
    wrong = [p for p in percentiles if not 0 <= p <= 100]
    if wrong:
        raise DataError(f"Percentiles are per cent from 0 to 100, not {wrong}.")
    block = block_of(frame, column)
    local = block.labels.tz_convert(zone_of(tz))
    midnight = local.tz_localize(None).normalize()
    hour = np.asarray((local.tz_localize(None) - midnight) / pd.Timedelta(hours=1))
    grouped = pd.DataFrame(block.values.T).groupby([np.asarray(local.month), hour])
    found = {"mean": grouped.mean()} | {f"p{p:g}": grouped.quantile(p / 100) for p in percentiles}
    found["count"] = grouped.count()
    labels = found["mean"].index.set_names(["month", "hour"])
    result = pd.DataFrame({name: values.to_numpy().T.ravel() for name, values in found.items()})
    result.index = index_by_point(block, labels)
    unit = block.attrs.get("units", {}).get(column, "W/m2")
    result.attrs = block.attrs | {"units": dict.fromkeys(found, unit) | {"count": "1"}, "of": column, "tz": zone_of(tz)}
    return result


def duration(frame: pd.DataFrame, column: str = "ghi") -> pd.DataFrame:
    """Return for how long each value is reached or passed: the values of all steps, the highest first.

    Steps without a value are left out; night is in it.

    Returns
    -------
    DataFrame
        Indexed by `rank` from 1 on, for several points by (`point_id`, `rank`): `share` of the steps with a value that
        reach it (0 to 1), `hours` that these are, and the `value`, which falls. `attrs["missing_share"]` says by point
        how much of the steps had no value.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18", periods=4, freq="30min", tz="UTC", name="time")
    >>> duration(pd.DataFrame({"ghi": [0.0, None, 300.0, 100.0]}, index=times)).round(2).values.tolist()
    [[0.33, 0.5, 300.0], [0.67, 1.0, 100.0], [1.0, 1.5, 0.0]]
    """
    block = block_of(frame, column)
    falling = -np.sort(-block.values, axis=1)  # what is missing comes last
    counts = (~np.isnan(falling)).sum(axis=1)
    kept = np.arange(falling.shape[1]) < counts[:, None]
    point, rank = np.nonzero(kept)
    columns = {"share": (rank + 1) / counts[point], "hours": (rank + 1) * block.hours, "value": falling[kept]}
    labels = pd.Index(rank + 1, name="rank")
    if block.several:
        result = pd.DataFrame(columns, index=pd.MultiIndex.from_arrays(
            [pd.Index(block.points)[point], labels], names=["point_id", "rank"]))  # fmt: skip
    else:
        result = pd.DataFrame(columns, index=labels)
    missing = dict(zip(block.points, (1 - counts / falling.shape[1]).tolist(), strict=True))
    unit = block.attrs.get("units", {}).get(column, "W/m2")
    result.attrs = block.attrs | {
        "units": {"share": "1", "hours": "h", "value": unit},
        "of": column,
        "missing_share": missing if block.several else missing[block.points[0]],
    }
    return result
