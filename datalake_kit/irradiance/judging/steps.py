"""The step of a series: the time between two labels."""

from __future__ import annotations

import pandas as pd

from datalake_kit.errors import DataError

__all__ = ["step_of"]


def step_of(index: pd.DatetimeIndex) -> pd.Timedelta:
    """Return the time between two labels: the index's own frequency, or the smallest difference.

    Raises
    ------
    DataError
        Fewer than two times.
    """
    if isinstance(index.freq, pd.offsets.Tick):
        return pd.Timedelta(index.freq)
    between = index.sort_values().unique().diff()
    positive = between[between > pd.Timedelta(0)]
    if not len(positive):
        raise DataError("A series of fewer than two times has no step.")
    return positive.min()
