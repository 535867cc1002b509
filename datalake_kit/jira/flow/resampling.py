"""Resampling of past periods: what could happen next, and how often such forecasts would have held. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.flow.periods import nearest_rank

Counts: TypeAlias = npt.NDArray[np.int64]
FARTHEST = 5_000  # periods: what lies beyond says nothing that resampling could tell
BACK_TEST_TRIALS = 1_000  # of each origin: the error of a share is then 1.6 % at most
MOST_ORIGINS = 250  # neighbours share nearly all of their periods, so more of them say little more
_BLOCK = 256  # periods drawn at once

_ORIGINS = {
    "origin": "datetime64[us, UTC]", "percentile": "float64", "forecast": "int64", "actual": "Int64", "within": "bool",
}  # fmt: skip


def draw_totals(samples: Counts, horizon: int, trials: int, rng: np.random.Generator) -> Counts:
    """Draw, `trials` times, how many items `horizon` periods finish, each period like a random one of `samples`.

    >>> draw_totals(np.array([3, 3]), 4, 2, np.random.default_rng(0)).tolist()
    [12, 12]
    """
    values, counts = np.unique(samples, return_counts=True)
    drawn: Counts = rng.multinomial(horizon, counts / counts.sum(), size=trials) @ values
    return drawn


def draw_periods(samples: Counts, items: int, trials: int, rng: np.random.Generator) -> Counts:
    """Draw, `trials` times, how many periods it takes to finish `items`, each period like a random one of `samples`.

    >>> draw_periods(np.array([3, 3]), 7, 2, np.random.default_rng(0)).tolist()
    [3, 3]
    """
    expected = items / samples.mean()
    if expected > FARTHEST:
        raise DataError(
            f"At {samples.mean():.3g} a period, {items} items would take about {expected:,.0f} periods: the past "
            f"tells nothing of what lies more than {FARTHEST:,} periods ahead. Ask for fewer items."
        )
    block = int(np.clip(np.ceil(expected * 1.3) + 3, 1, _BLOCK))
    needed, done, going = np.zeros(trials, np.int64), np.zeros(trials, np.int64), np.arange(trials)
    while len(going):
        totals = rng.choice(samples, size=(len(going), block)).cumsum(axis=1) + done[going, None]
        before = (totals < items).sum(axis=1)  # totals never fall: so many periods end short of the items
        needed[going] += np.minimum(before + 1, block)
        done[going] = totals[:, -1]
        going = going[before == block]
    return needed


def back_test_periods(
    finished: Counts, items: int, percentiles: npt.NDArray[np.float64], known: Callable[[int], slice], seed: Any
) -> tuple[list[int], Counts, npt.NDArray[np.float64]]:
    """Forecast "when" from each past origin: origins, forecasts (origins, percentiles), and the periods it took.

    An origin counts when as many periods follow it as the highest of its forecasts says: then it is known of every
    percentile whether it held. What took longer than all that followed is NaN, and missed every forecast.
    """
    rng, origins, forecasts, actual = np.random.default_rng(seed), [], [], []
    for origin in _spread(len(finished)):
        samples = finished[known(origin)]
        if not samples.any() or items / samples.mean() > FARTHEST:
            continue
        forecast = nearest_rank(draw_periods(samples, items, BACK_TEST_TRIALS, rng), percentiles)
        after = finished[origin:].cumsum()
        if len(after) >= forecast.max():
            origins.append(origin)
            forecasts.append(forecast)
            reached = int((after < items).sum())
            actual.append(reached + 1.0 if reached < len(after) else np.nan)
    return origins, np.array(forecasts, np.int64).reshape(-1, len(percentiles)), np.array(actual, np.float64)


def back_test_totals(
    finished: Counts, horizon: int, percentiles: npt.NDArray[np.float64], known: Callable[[int], slice], seed: Any
) -> tuple[list[int], Counts, npt.NDArray[np.float64]]:
    """Forecast "how many" from each past origin that `horizon` periods follow: origins, forecasts, what was done."""
    rng, origins, forecasts = np.random.default_rng(seed), [], []
    for origin in _spread(len(finished) - horizon + 1):
        samples = finished[known(origin)]
        if samples.any():
            origins.append(origin)
            forecasts.append(at_least(draw_totals(samples, horizon, BACK_TEST_TRIALS, rng), percentiles))
    actual = np.array([finished[o : o + horizon].sum() for o in origins], np.float64)
    return origins, np.array(forecasts, np.int64).reshape(-1, len(percentiles)), actual


def _spread(count: int) -> list[int]:
    """0 to `count` - 1, or evenly spread ones of them when they are many."""
    places = np.linspace(0, count - 1, min(max(count, 0), MOST_ORIGINS)).round()
    return [int(place) for place in np.unique(places)]


def at_least(values: Counts, percentiles: npt.NDArray[np.float64]) -> Counts:
    """Find the largest numbers that p percent of the values reach or exceed.

    >>> at_least(np.array([1, 2, 3, 4]), np.array([50.0, 75.0, 100.0])).tolist()
    [3, 2, 1]
    """
    reached: Counts = -nearest_rank(-values, percentiles)
    return reached


def describe_origins(
    starts: pd.Series[Any], percentiles: npt.NDArray[np.float64], forecasts: Counts, actual: npt.NDArray[np.float64],
    *, within: npt.NDArray[np.bool_],
) -> pd.DataFrame:  # fmt: skip
    """Lay out a back-test as one row an origin and percentile."""
    each = len(percentiles)
    rows = pd.DataFrame(
        {
            "origin": starts.repeat(each).reset_index(drop=True),
            "percentile": np.tile(percentiles, len(starts)),
            "forecast": forecasts.ravel(),
            "actual": pd.array(np.repeat(actual, each), dtype="Float64"),
            "within": within.ravel(),
        }
    )
    return rows.astype(_ORIGINS)


def summarise_origins(origins: pd.DataFrame, percentiles: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Count how often the forecasts of a back-test held, for each percentile; the share of none is NaN."""
    held = [origins.loc[origins["percentile"] == p, "within"] for p in percentiles]
    rows = {
        "percentile": percentiles,
        "origins": [len(each) for each in held],
        "within": [int(each.sum()) for each in held],
        "share": [float(each.mean()) if len(each) else np.nan for each in held],
    }
    return pd.DataFrame(rows)
