"""The yield that is exceeded in a given share of the years."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError

__all__ = ["exceedance"]


def exceedance(yearly: pd.DataFrame, probabilities: Sequence[float] = (50, 90), *, fewest: int = 10) -> pd.DataFrame:
    """Return the energy of a year that is exceeded with each probability: P50, P90 and so on, in kWh/m2 per year.

    Takes the complete years alone. Two ways stand beside each other: `empirical`, the quantile of the years themselves
    (plotting positions i / (n + 1), Weibull), NaN for a probability that so many years cannot show: n years reach from
    100 / (n + 1) to 100 n / (n + 1) per cent, so P90 needs nine; and `normal`, mean and deviation of the years taken
    as those of a normal distribution. It is the variation from year to year alone: the uncertainty of the satellite's
    values is not in it.

    Parameters
    ----------
    yearly : DataFrame
        What `energy(frame, "year")` gives, for one point or several.
    probabilities : sequence of float
        Per cent, between 0 and 100.
    fewest : int
        With fewer complete years than this no probability is given: NaN, and `attrs["note"]` says why. Ten years tell
        the deviation to about a quarter of itself.

    Returns
    -------
    DataFrame
        Indexed by `probability`, for several points by (`point_id`, `probability`): empirical, normal, mean and
        deviation (of the sample) in kWh/m2 per year, deviation_percent of the mean, years (complete ones).

    Raises
    ------
    DataError
        The frame is not one of years, or a probability is out of its range.

    Examples
    --------
    >>> years = pd.date_range("2010-01-01", periods=11, freq="YS", tz="UTC", name="year")
    >>> yearly = pd.DataFrame({"energy": range(1500, 1610, 10), "complete": True}, index=years)
    >>> exceedance(yearly)[["empirical", "normal"]].round(1).to_dict("index")
    {50.0: {'empirical': 1550.0, 'normal': 1550.0}, 90.0: {'empirical': 1502.0, 'normal': 1507.5}}
    """
    _check(yearly, probabilities, fewest)
    if yearly.index.nlevels == 1:
        result = _of_one(yearly, probabilities, fewest)
    else:
        parts: dict[Hashable, pd.DataFrame] = {}
        for point, part in yearly.groupby(level="point_id", sort=False):
            parts[point] = _of_one(part, probabilities, fewest)
        result = pd.concat(parts, names=["point_id"])
    result.attrs = dict(yearly.attrs)
    unit = "kWh/m2 per year"
    result.attrs["units"] = {"empirical": unit, "normal": unit, "mean": unit, "deviation": unit}
    few = result.loc[result["years"] < fewest, "years"]
    if len(few):
        result.attrs["note"] = (
            f"complete years: {int(few.min())}; fewer than {fewest} (`fewest`) are too few to tell a probability"
        )
    return result


def _check(yearly: pd.DataFrame, probabilities: Sequence[float], fewest: int) -> None:
    if not {"energy", "complete"} <= set(yearly.columns) or yearly.index.names[-1] != "year":
        raise DataError('Not a frame of years: give what energy(frame, "year") returns.')
    wrong = [p for p in probabilities if not 0 < p < 100]
    if wrong or not len(probabilities):
        raise DataError(
            f"Probabilities are per cent between 0 and 100, such as (50, 90); not {wrong or probabilities!r}."
        )
    if fewest < 2:
        raise DataError(f"A deviation from year to year needs two years: `fewest` cannot be {fewest!r}.")


def _of_one(yearly: pd.DataFrame, probabilities: Sequence[float], fewest: int) -> pd.DataFrame:
    years = yearly.loc[yearly["complete"], "energy"].dropna().to_numpy(float)
    count = len(years)
    mean = years.mean() if count else np.nan
    deviation = years.std(ddof=1) if count > 1 else np.nan
    rows = []
    for probability in probabilities:
        below = 1 - probability / 100
        told = count >= fewest
        shown = told and 1 / (count + 1) - 1e-9 <= below <= count / (count + 1) + 1e-9
        rows.append({
            "probability": float(probability),
            "empirical": float(np.quantile(years, below, method="weibull")) if shown else np.nan,
            "normal": mean + statistics.NormalDist().inv_cdf(below) * deviation if told else np.nan,
        })  # fmt: skip
    result = pd.DataFrame(rows).set_index("probability")
    return result.assign(mean=mean, deviation=deviation, deviation_percent=100 * deviation / mean, years=count)
