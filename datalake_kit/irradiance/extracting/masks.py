"""Points without any value on a day: sea, beyond the disk, or a sun that does not rise."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import PointNotFoundError

__all__ = ["has_no_sun", "refuse_masked"]

Array = np.ndarray[Any, Any]

_TILT, _SOLSTICE, _YEAR = 23.44, 10, 365.25  # degrees; days from the solstice to the year's end; days
_REFRACTION = 1.0  # degrees; a day that is this near to polar night counts as one


def has_no_sun(latitude: Array, day: date) -> Array:
    """Tell for which latitudes (degrees) the sun stays below the horizon, or within a degree of it, all day.

    >>> has_no_sun(np.array([45.0, 72.0, -72.0]), date(2025, 12, 21)).tolist()
    [False, True, False]
    """
    turn = 2 * np.pi * (day.timetuple().tm_yday + _SOLSTICE) / _YEAR
    noon: Array = 90 - np.abs(np.asarray(latitude, float) + _TILT * np.cos(turn))
    return noon < _REFRACTION


def refuse_masked(points: pd.DataFrame, masked: Array, day: date) -> None:
    """Refuse points that have no value in any file of a day, although the sun rises there.

    Raises
    ------
    PointNotFoundError
        It lists them with their places.
    """
    refused = points[masked & ~has_no_sun(points["latitude"].to_numpy(), day)]
    if refused.empty:
        return
    named = [f"{p.point_id} ({p.latitude:g}, {p.longitude:g})" for p in refused.head(10).itertuples()]
    more = f" and {len(refused) - 10} more" if len(refused) > 10 else ""
    raise PointNotFoundError(
        f"{len(refused)} points are masked in every file of {day}, as sea and off-disk cells are: "
        f'{", ".join(named)}{more}. Move them to land, leave them out, or give on_masked="keep" to keep them as gaps.'
    )
