"""How much of the daylight was seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from datalake_kit.irradiance.deriving.blocks import block_of, index_by_point
from datalake_kit.irradiance.deriving.summing import sums_of

__all__ = ["availability"]


def availability(
    frame: pd.DataFrame,
    period: str = "day",
    column: str = "ghi",
    *,
    days: str = "utc",
    latitude: float | None = None,
    longitude: float | None = None,
) -> pd.DataFrame:
    """Return how many steps of each period have daylight, and how many of these have a value.

    A step has daylight when the centre of the sun is above the horizon at the instant that counts (the scan for an
    instant of the satellite, the middle of the step for a mean). Steps before the frame begins and after it ends are
    expected as well: the first and last period are judged by the whole.

    Parameters
    ----------
    frame : DataFrame
        A series of one point, or of several, as `read` gives it.
    period : {"hour", "day", "month", "year"}
    column : str
        A step is seen when it has a value in this column.
    days : str
        Whose days: "utc", "solar" (UTC + longitude / 15 h), or the name of a zone.
    latitude, longitude : float, optional
        Of the one point, where the frame does not say.

    Returns
    -------
    DataFrame
        Indexed by the begin of the period, for several points by (`point_id`, period): `expected` and `seen` in steps,
        `availability` (0 to 1), NaN where the period has no daylight (polar night).

    Raises
    ------
    ColumnNotFoundError
        No such column.
    DataError
        The place is not known, the steps are not regular, or an argument is none of those above.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18", periods=96, freq="15min", tz="UTC", name="time")
    >>> frame = pd.DataFrame({"ghi": 100.0}, index=times)
    >>> frame.iloc[48:52] = float("nan")                         # an hour about noon
    >>> availability(frame, latitude=45.0, longitude=8.0).round(3).iloc[0].to_dict()
    {'expected': 61.0, 'seen': 57.0, 'availability': 0.934}
    """
    block = block_of(frame, column)
    labels, sums = sums_of(block, period, days, latitude=latitude, longitude=longitude)
    counts = [part.daylight() for part in sums]
    seen, expected = (np.concatenate([c[k] for c in counts]).ravel() for k in (0, 1))
    share = np.divide(seen, expected, out=np.full(seen.shape, np.nan), where=expected > 0)
    columns = {"expected": expected, "seen": seen, "availability": share}
    result = pd.DataFrame(columns, index=index_by_point(block, labels))
    result.attrs = block.attrs | {"of": column, "period": period}
    return result
