"""From power to energy: W/m2 to kWh/m2, with the share of daylight that was seen beside each number."""

from __future__ import annotations

import pandas as pd

from datalake_kit.irradiance.judging.solar import solar_position
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["daily_energy"]


def daily_energy(frame: pd.DataFrame, column: str = "ghi", *, enough: float = 0.9) -> pd.DataFrame:
    """Return the energy of each day: `energy` in kWh/m2 per day, `coverage` (0 to 1) and `complete`.

    Each value stands for its step (instantaneous values are taken as if they held until the next one). Gaps count as
    nothing, they are not filled: a day is complete when at least `enough` of its daylight steps have a value; the
    energy of another day is a lower bound.

    Parameters
    ----------
    frame : DataFrame
        A series of one point as `read` gives it, in W/m2. Days are those of the index's zone.
    column : str
    enough : float
        Share of daylight steps.

    Returns
    -------
    DataFrame
        Indexed by day. `coverage` is NaN, and `complete` true, on a day without daylight.

    Examples
    --------
    >>> frame = read(lake, "irradiance.points_year", "turin")   # doctest: +SKIP
    >>> daily_energy(frame)["energy"].sum()                     # doctest: +SKIP
    1357.0
    """
    index = pd.DatetimeIndex(frame.index)
    step = step_of(index)
    values = frame[column].astype(float).reindex(pd.date_range(index.min(), index.max(), freq=step))
    hours = step / pd.Timedelta(hours=1)
    place = frame.attrs.get("point", {})
    position = solar_position(
        pd.DatetimeIndex(values.index),
        place.get("latitude"),
        place.get("longitude"),
        offset_seconds=place.get("scan_offset_seconds", 0.0),
    )
    daylight = (position["zenith"] < 90).astype("int64")
    days = pd.DatetimeIndex(values.index).normalize()
    seen = daylight.where(values.notna(), 0).groupby(days).sum()
    expected = daylight.groupby(days).sum()
    coverage = seen / expected.where(expected > 0)
    result = pd.DataFrame({"energy": values.groupby(days).sum() * hours / 1000, "coverage": coverage})
    result["complete"] = ~(coverage < enough)
    result.index.name = "day"
    return result
