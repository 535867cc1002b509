"""Forecast from past throughput: when so many items are done, or how many are done by a date. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.flow.periods import PERIOD_WORDS, check_percentiles, is_bound, nearest_rank, next_bounds
from datalake_kit.jira.flow.resampling import (
    FARTHEST,
    Counts,
    at_least,
    back_test_periods,
    back_test_totals,
    describe_origins,
    draw_periods,
    draw_totals,
    summarise_origins,
)

_COLUMNS = ("period_start", "period_end", "finished", "complete", "freq", "zone")


@dataclass(frozen=True, eq=False)
class Forecast:
    """What `forecast` found.

    Attributes
    ----------
    question
        "when" or "how many".
    items, until
        What was asked; the other one is None.
    start
        Instant that the simulated periods begin at.
    freq, zone
        Of the periods: "D", "W" or "M".
    periods_used
        How many complete past periods were resampled; `used_from` and `used_to` are their start and end.
    trials, seed
        Of the simulation.
    table
        One row a percentile. When: `percentile`, `periods`, `date` (end of that period, UTC). How many: `percentile`,
        `items`: at least so many.
    distribution
        When: `periods`, `date`, `trials` (that took exactly so long), `chance` (done by then). How many: `items`,
        `trials` (with exactly so many), `chance` (of at least so many).
    back_test
        `percentile`, `origins` (past forecasts whose outcome is known), `within` (how many held), `share` (0 to 1;
        NaN without origins). A sound forecast of 85 % holds in about 85 % of them; neighbouring origins share most of
        their periods, so they say less than as many independent trials would.
    origins
        One row an origin and percentile: `origin` (instant), `percentile`, `forecast`, `actual` (periods or items; NA:
        not done in all that followed), `within`.
    """

    question: str
    items: int | None
    until: pd.Timestamp | None
    start: pd.Timestamp
    freq: str
    zone: str
    periods_used: int
    used_from: pd.Timestamp
    used_to: pd.Timestamp
    trials: int
    seed: int
    table: pd.DataFrame = field(repr=False)
    distribution: pd.DataFrame = field(repr=False)
    back_test: pd.DataFrame = field(repr=False)
    origins: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        word = PERIOD_WORDS[self.freq]
        asked = f"When are {self.items} items done?" if self.until is None else f"How many by {self._day(self.until)}?"
        lines = [
            f"{asked} From {self._day(self.start)}, {self.periods_used} past {word}s resampled {self.trials:,} times "
            f"(seed {self.seed})."
        ]
        for row, past in zip(self.table.to_dict("records"), self.back_test.to_dict("records"), strict=True):
            said = f"by {self._day(row['date'])}" if self.until is None else f"{row['items']} or more"
            held = f"held {past['within']} of {past['origins']} times" if past["origins"] else "not back-tested"
            lines.append(f"{row['percentile']:g} %: {said} ({held})")
        return "\n".join(lines)

    def _day(self, moment: pd.Timestamp) -> str:
        return f"{moment.tz_convert(self.zone):%Y-%m-%d}"


@dataclass(frozen=True)
class _Past:
    """The complete periods of a throughput table."""

    finished: Counts
    starts: pd.Series[Any]
    begins: pd.Timestamp  # of the simulation, if nothing else is said
    used_to: pd.Timestamp
    freq: str
    zone: str

    @property
    def word(self) -> str:
        return PERIOD_WORDS[self.freq]


def forecast(
    throughput: pd.DataFrame, *, items: int | None = None, until: pd.Timestamp | date | str | None = None,
    seed: int = 0, trials: int = 10_000, percentiles: Sequence[float] = (50, 70, 85, 95), last: int | None = None,
    start: pd.Timestamp | date | str | None = None, minimum_periods: int = 8,
) -> Forecast:  # fmt: skip
    """Forecast by Monte Carlo: each period to come finishes as many items as a random one of the past.

    Rules. Only complete periods are resampled: the current one, and the one that the history begins in, are not.
    Periods in which nothing was finished count like all others. The simulation begins at the end of the last period of
    `throughput`; what the rest of a current period will finish is not counted on. Only whole periods up to `until`
    count. The percentiles are by nearest rank: "85 %: 6 weeks" says that 85 % of the trials took 6 weeks or fewer, and
    "85 %: 12 items" that 85 % of them finished 12 or more. It holds as far as the periods to come are like those of
    the past, and as far as items are like items: sizes, growing scope and trends are not modelled (`last=` forgets
    the far past).

    Back-test: the same forecast is made from past origins (of more than 250 periods, from 250 that are evenly spread)
    that had `minimum_periods` before them, with what was known then, and compared with what followed, where enough
    followed to tell.

    Parameters
    ----------
    throughput
        What `throughput(...)` gave, unfiltered.
    items
        How many are to be done: asks when. Or
    until
        By when: asks how many. An instant with zone, or a day in the zone of `throughput` (its midnight).
    seed
        Of the random numbers: the same gives the same again.
    trials
        Number of simulated futures, 100 or more.
    percentiles
        Above 0, at most 100.
    last
        Resample only the last so many complete periods. None: all.
    start
        Where the simulation begins, the start of a period. None: the end of the last period of `throughput`.
    minimum_periods
        Refuse with fewer complete periods. Of n past periods like one another, the next one lies within the smallest
        and the largest with a chance of (n - 1) / (n + 1) at least: with 8, 78 %.

    Returns
    -------
    Forecast
        Frozen, with tables; as text it is a summary.

    Raises
    ------
    ParameterError
        Not exactly one of `items` and `until`, or a number that is none or out of range.
    ColumnNotFoundError
        `throughput` is not of `throughput(...)`.
    DataError
        Too few complete periods, periods missing between others, nothing finished in any, no whole period before
        `until`, or so many items that they lie beyond what the past can tell.

    Source
    ------
    Resampling: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979). Its use on
    throughput: D. Vacanti, "Actionable Agile Metrics for Predictability" (2015), on Monte Carlo simulation.

    Examples
    --------
    >>> monday = pd.date_range("2024-01-01", periods=9, freq="7D", tz="UTC")
    >>> weeks = pd.DataFrame({"period_start": monday[:-1], "period_end": monday[1:], "finished": 5, "complete": True,
    ...                       "freq": "W", "zone": "UTC"})
    >>> print(forecast(weeks, items=12, percentiles=[85]))
    When are 12 items done? From 2024-02-26, 8 past weeks resampled 10,000 times (seed 0).
    85 %: by 2024-03-18 (not back-tested)
    >>> forecast(weeks, until="2024-03-12", percentiles=[85]).table["items"].to_list()
    [10]
    """
    if (items is None) == (until is None):
        raise ParameterError("Give one of items= (when are so many done?) and until= (how many are done by then?).")
    shares = check_percentiles(percentiles)
    least = _whole("minimum_periods", minimum_periods, 1)
    run = (_whole("trials", trials, 100), _whole("seed", seed, 0))
    past = _read_past(throughput, least, start)
    window = None if last is None else _whole("last", last, least)
    question = _When(past, _whole("items", items, 1)) if until is None else _HowMany(past, _moment(until, past.zone))
    return _answer(past, question, run, shares, _Known(least, window))


@dataclass(frozen=True)
class _Known:
    """Which past periods a forecast from an origin rests on: the `window` last ones, and none with too few of them."""

    least: int
    window: int | None

    def __call__(self, origin: int) -> slice:
        if origin < self.least:
            return slice(0, 0)
        return slice(0 if self.window is None else max(0, origin - self.window), origin)


def _answer(
    past: _Past, question: _When | _HowMany, run: tuple[int, int], shares: npt.NDArray[np.float64], known: _Known
) -> Forecast:
    trials, seed = run
    used = known(len(past.finished))
    if not past.finished[used].any():
        raise DataError(
            f"Nothing was finished in the {len(past.finished[used])} complete {past.word}s that would be resampled: "
            "there is no pace to go by. Give a longer history, or drop last=."
        )
    table, distribution = question.simulate(past.finished[used], trials, np.random.default_rng(seed), shares)
    origins = question.look_back(shares, known, [seed, 1])
    return Forecast(
        question=question.word, items=question.items, until=question.until, start=past.begins, freq=past.freq,
        zone=past.zone, periods_used=len(past.finished[used]), used_from=past.starts.iloc[used].iloc[0],
        used_to=past.used_to, trials=trials, seed=seed, table=table, distribution=distribution,
        back_test=summarise_origins(origins, shares), origins=origins,
    )  # fmt: skip


class _When:
    """When are so many items done?"""

    word, until = "when", None

    def __init__(self, past: _Past, items: int) -> None:
        self.past, self.items = past, items

    def simulate(
        self, samples: Counts, trials: int, rng: np.random.Generator, shares: npt.NDArray[np.float64]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        needed = draw_periods(samples, self.items, trials, rng)
        dates = self._dates(int(needed.max()))
        found = nearest_rank(needed, shares)
        table = pd.DataFrame({"percentile": shares, "periods": found, "date": dates[found - 1]})
        taken, times = np.unique(needed, return_counts=True)
        columns = {"periods": taken, "date": dates[taken - 1], "trials": times, "chance": times.cumsum() / trials}
        return table, pd.DataFrame(columns)

    def look_back(self, shares: npt.NDArray[np.float64], known: Callable[[int], slice], seed: Any) -> pd.DataFrame:
        origins, forecasts, actual = back_test_periods(self.past.finished, self.items, shares, known, seed)
        starts, within = self.past.starts.iloc[origins], actual[:, None] <= forecasts
        return describe_origins(starts, shares, forecasts, actual, within=within)

    def _dates(self, count: int) -> pd.DatetimeIndex:
        ends = next_bounds(self.past.begins, count, self.past.freq, self.past.zone)
        return pd.DatetimeIndex(ends).tz_localize("UTC")


class _HowMany:
    """How many items are done by an instant?"""

    word, items = "how many", None

    def __init__(self, past: _Past, until: pd.Timestamp) -> None:
        self.past, self.until, self.horizon = past, until, _whole_periods(past, until)

    def simulate(
        self, samples: Counts, trials: int, rng: np.random.Generator, shares: npt.NDArray[np.float64]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        totals = draw_totals(samples, self.horizon, trials, rng)
        table = pd.DataFrame({"percentile": shares, "items": at_least(totals, shares)})
        reached, times = np.unique(totals, return_counts=True)
        chance = times[::-1].cumsum()[::-1] / trials
        return table, pd.DataFrame({"items": reached, "trials": times, "chance": chance})

    def look_back(self, shares: npt.NDArray[np.float64], known: Callable[[int], slice], seed: Any) -> pd.DataFrame:
        origins, forecasts, actual = back_test_totals(self.past.finished, self.horizon, shares, known, seed)
        starts, within = self.past.starts.iloc[origins], actual[:, None] >= forecasts
        return describe_origins(starts, shares, forecasts, actual, within=within)


def _whole_periods(past: _Past, until: pd.Timestamp) -> int:
    """How many whole periods lie between the start of the simulation and `until`."""
    ends = next_bounds(past.begins, FARTHEST + 1, past.freq, past.zone)
    count = int(np.searchsorted(ends, np.datetime64(until.tz_convert("UTC").tz_localize(None), "us"), side="right"))
    if count == 0:
        raise DataError(
            f"until={until} is less than a whole {past.word} after {past.begins}, where the forecast begins. Give a "
            f"later date (from {pd.Timestamp(ends[0], tz='UTC')} on it can be answered), or count shorter periods."
        )
    if count > FARTHEST:
        raise DataError(f"until={until} lies more than {FARTHEST:,} {past.word}s ahead. Give an earlier date.")
    return count


def _read_past(throughput: pd.DataFrame, least: int, start: pd.Timestamp | date | str | None) -> _Past:
    _check_table(throughput)
    freq, zone = str(throughput["freq"].iloc[0]), str(throughput["zone"].iloc[0])
    complete = throughput[throughput["complete"].astype(bool)]
    if len(complete) < least:
        word = PERIOD_WORDS.get(freq, "period")
        raise DataError(
            f"{len(complete)} complete {word}s are known, a forecast needs {least}. Take a longer history, count "
            f'shorter periods (freq="D"), or accept a rougher forecast: minimum_periods={max(len(complete), 1)}.'
        )
    used_to = complete["period_end"].iloc[-1]
    begins = throughput["period_end"].iloc[-1] if start is None else _moment(start, zone)
    if begins < used_to or not is_bound(begins, freq, zone):
        raise ParameterError(
            f"start={start!r} must be the start of a {PERIOD_WORDS[freq]} in {zone}, not before {used_to}, the end of "
            "the last complete one."
        )
    finished = complete["finished"].to_numpy(np.int64)
    return _Past(finished, complete["period_start"].reset_index(drop=True), begins, used_to, freq, zone)


def _check_table(throughput: pd.DataFrame) -> None:
    missing = [c for c in _COLUMNS if c not in throughput.columns]
    if missing:
        raise ColumnNotFoundError(f"The table has no column {missing[0]!r}. Give what dk.jira.throughput(...) returns.")
    if not len(throughput):
        raise DataError("The throughput table is empty: there is no past to go by.")
    if throughput["freq"].nunique() != 1 or throughput["zone"].nunique() != 1:
        raise DataError("The throughput table mixes periods of different length or zone. Give one of them.")
    if (throughput["period_end"].iloc[:-1].to_numpy() != throughput["period_start"].iloc[1:].to_numpy()).any():
        raise DataError("Periods are missing between others, or out of order. Give all of them: zeros count as well.")
    finished = throughput["finished"].astype("float64")
    wrong = finished[~(finished >= 0) | (finished % 1 != 0)]
    if len(wrong):
        raise DataError(f"finished={wrong.iloc[0]} is no count. Give what dk.jira.throughput(...) returns.")


def _moment(value: pd.Timestamp | date | str, zone: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ParameterError(f"{value!r} is no date. Give one such as '2024-03-31'.") from error
    if pd.isna(moment):
        raise ParameterError(f"{value!r} is no date. Give one such as '2024-03-31'.")
    return (moment.tz_localize(zone) if moment.tzinfo is None else moment).tz_convert("UTC")


def _whole(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ParameterError(f"{name}={value!r} must be a whole number, {least} or more.")
    return number
