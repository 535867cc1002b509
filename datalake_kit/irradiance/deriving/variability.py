"""How restless the light is: by day, and from one step to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.deriving.blocks import Block, block_of, index_by_point
from datalake_kit.irradiance.deriving.periods import bounds_of
from datalake_kit.irradiance.judging.solar import clear_sky

__all__ = ["ramps", "variability"]

Floats = npt.NDArray[np.float64]
_LEAST_CLEAR = 20.0  # W/m2 of clear sky below which a ratio to it says nothing
_FEWEST_CHANGES = 3
_QUANTILES = (50, 90, 95, 99)
_CLASSES = ("overcast", "clear", "mild", "moderate", "high")


def variability(
    frame: pd.DataFrame,
    column: str = "ghi",
    *,
    days: str = "utc",
    latitude: float | None = None,
    longitude: float | None = None,
) -> pd.DataFrame:
    """Return for each day how restless the light was, and how much of the clear sky's light came.

    `variability_index` is the length of the day's curve over that of the clear sky's: the sum of
    sqrt((change of ghi in W/m2)^2 + (step in minutes)^2) over the sum of the same for the clear sky. It depends on the
    step: 1 is a clear day at any step; a restless day reads 10 to 30 by the minute and far less by the hour. Only
    changes between neighbouring steps that both have a value, under a clear sky of some light, are counted, for both.

    Classes: from an index of 2 on "mild", from 5 on "moderate", from 10 on "high"; below 2 a day is "clear" when its
    clear-sky index is above 0.5 and "overcast" otherwise. The limits were found with values by the minute.

    Parameters
    ----------
    frame : DataFrame
        A series of one point, or of several, as `read` gives it; `ghi_clear` is taken from it where it is there, and
        computed by `clear_sky` otherwise.
    column : str
    days : str
        "utc", "solar" or the name of a zone, as for `energy`.
    latitude, longitude : float, optional
        Of the one point, where the frame does not say.

    Returns
    -------
    DataFrame
        Indexed by `day`, for several points by (`point_id`, `day`): `variability_index`; `clear_sky_index`, the day's
        ghi over its clear sky's in the steps that have a value; `coverage`, the share of the clear sky's light in these
        steps; `day_class`. NaN, and no class, with fewer than three changes (polar night, gaps).

    Source
    ------
    Stein, Hansen and Reno (2012), "The variability index: a new and novel metric for quantifying irradiance and PV
    output variability", World Renewable Energy Forum, SAND2012-2088C.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18", periods=96, freq="15min", tz="UTC", name="time")
    >>> sky = clear_sky(times, 45.0, 8.0)
    >>> half = pd.DataFrame({"ghi": sky["ghi_clear"] * 0.6, "ghi_clear": sky["ghi_clear"]})
    >>> variability(half, latitude=45.0, longitude=8.0)["day_class"].tolist()
    ['clear']
    """
    pair = _Pair.of(frame, column, latitude, longitude)
    block = pair.block
    places = block.places(latitude=latitude, longitude=longitude)
    offsets = [p.offset_seconds for p in places]
    east = np.array([p.longitude for p in places])
    labels, bounds = bounds_of(block.first, block.first + block.values.shape[1] * block.step, "day", days, east)
    columns: dict[str, list[Floats]] = {"variability_index": [], "clear_sky_index": [], "coverage": []}
    for number, (values, clear) in enumerate(pair.rows()):
        centre = block.first.value + round(offsets[number] * 1e9)
        begins = -((centre - bounds[number]) // block.step.value)
        for name, found in _of_days(values, clear, begins, block.step / pd.Timedelta(minutes=1)).items():
            columns[name].append(found)
    result = pd.DataFrame({n: np.concatenate(c) for n, c in columns.items()}, index=index_by_point(block, labels))
    result["day_class"] = _classes(result["variability_index"], result["clear_sky_index"])
    result.attrs = block.attrs | {"units": dict.fromkeys(columns, "1"), "of": column, "days": days}
    return result


def ramps(
    frame: pd.DataFrame,
    minutes: Sequence[float] = (15, 60),
    column: str = "ghi",
    *,
    threshold: float = 100.0,
    index_threshold: float = 0.2,
    latitude: float | None = None,
    longitude: float | None = None,
) -> pd.DataFrame:
    """Return how large the changes over a number of minutes are, in W/m2 and relative to the clear sky.

    A change is a value less the one so many minutes earlier, both with a value and under a clear sky of 20 W/m2 or
    more; its size counts, up and down alike. The change of the clear-sky index leaves the sun's own way out. What
    happens between two steps is not seen.

    Parameters
    ----------
    frame : DataFrame
        As for `variability`.
    minutes : sequence of float
        Multiples of the step.
    column : str
    threshold, index_threshold : float
        W/m2, and without unit: changes above it are counted.
    latitude, longitude : float, optional
        Of the one point, where the frame does not say.

    Returns
    -------
    DataFrame
        Indexed by `minutes`, for several points by (`point_id`, `minutes`): `changes` (how many), `p50`, `p90`, `p95`,
        `p99`, `largest` in W/m2 and `above` (how many are above the threshold); the same of the clear-sky index as
        `index_p50` ... `index_above`.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18 10:00", periods=5, freq="15min", tz="UTC", name="time")
    >>> frame = pd.DataFrame({"ghi": [800.0, 300.0, 300.0, None, 800.0], "ghi_clear": 800.0}, index=times)
    >>> ramps(frame, (15, 30), latitude=45.0, longitude=8.0)[["changes", "largest", "above"]].to_dict("index")
    {15: {'changes': 2, 'largest': 500.0, 'above': 1}, 30: {'changes': 2, 'largest': 500.0, 'above': 2}}
    """
    pair = _Pair.of(frame, column, latitude, longitude)
    lags = [_lag(m, pair.block.step) for m in minutes]
    rows = []
    for values, clear in pair.rows():
        lit = np.where(clear >= _LEAST_CLEAR, values, np.nan)
        index = lit / np.where(clear >= _LEAST_CLEAR, clear, np.nan)
        for lag in lags:
            sizes, relative = (np.abs(v[lag:] - v[:-lag]) if lag < len(v) else v[:0] for v in (lit, index))
            rows.append(
                {"changes": int((~np.isnan(sizes)).sum())}
                | _sizes(sizes, threshold, "")
                | _sizes(relative, index_threshold, "index_")
            )
    labels = pd.Index(minutes, name="minutes")
    result = pd.DataFrame(rows, index=index_by_point(pair.block, labels))
    units = {c: "1" if c.startswith("index_") or c in ("changes", "above") else "W/m2" for c in result.columns}
    result.attrs = pair.block.attrs | {
        "units": units, "of": column, "threshold": threshold, "index_threshold": index_threshold
    }  # fmt: skip
    return result


@dataclass(frozen=True)
class _Pair:
    """Values and the clear sky at the same instants."""

    block: Block
    clear: Floats

    @classmethod
    def of(cls, frame: pd.DataFrame, column: str, latitude: float | None, longitude: float | None) -> _Pair:
        block = block_of(frame, column)
        if "ghi_clear" in frame:
            return cls(block, block_of(frame, "ghi_clear").values)
        sky = [
            clear_sky(
                block.labels, p.latitude, p.longitude, altitude=p.altitude, offset_seconds=p.offset_seconds
            )["ghi_clear"].to_numpy(float)
            for p in block.places(latitude=latitude, longitude=longitude)
        ]  # fmt: skip
        return cls(block, np.array(sky))

    def rows(self) -> Iterator[tuple[Floats, Floats]]:
        return zip(self.block.values, self.clear, strict=True)


def _of_days(values: Floats, clear: Floats, begins: npt.NDArray[np.int64], step: float) -> dict[str, Floats]:
    """Return the figures of the days that begin at positions of the axis; a change belongs to the day of its end."""
    lit = clear >= _LEAST_CLEAR
    known = lit & ~np.isnan(values)
    pairs = np.r_[False, known[1:] & known[:-1]]
    own, ideal = (np.r_[0.0, np.hypot(np.diff(v), step)] for v in (values, clear))
    sums = {
        "changes": pairs.astype(float),
        "length": np.where(pairs, own, 0.0),
        "clear_length": np.where(pairs, ideal, 0.0),
        "light": np.where(known, values, 0.0),
        "clear_light": np.where(known, clear, 0.0),
        "whole": np.where(lit, clear, 0.0),
    }
    at = begins.clip(0, len(values))
    total = {name: np.diff(np.r_[0.0, np.cumsum(v)][at]) for name, v in sums.items()}
    enough = total["changes"] >= _FEWEST_CHANGES
    return {
        "variability_index": _ratio(total["length"], total["clear_length"], enough),
        "clear_sky_index": _ratio(total["light"], total["clear_light"], enough),
        "coverage": _ratio(total["clear_light"], total["whole"], total["whole"] > 0),
    }


def _ratio(above: Floats, below: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    result: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=where)
    return result


def _classes(index: pd.Series, clearness: pd.Series) -> pd.Series:
    number = np.select([index >= 10, index >= 5, index >= 2, clearness > 0.5], [4, 3, 2, 1], 0)
    names = pd.CategoricalDtype(list(_CLASSES), ordered=True)
    named = np.array([*_CLASSES, None], object)[np.where(index.isna(), len(_CLASSES), number)]
    return pd.Series(named, index=index.index).astype(names)


def _lag(minutes: float, step: pd.Timedelta) -> int:
    lag = pd.Timedelta(minutes=float(minutes)) / step
    if lag < 1 or lag != int(lag):
        raise DataError(
            f"Changes over {minutes!r} minutes: give multiples of the step, {step / pd.Timedelta('1min'):g}."
        )
    return int(lag)


def _sizes(changes: Floats, threshold: float, prefix: str) -> dict[str, float]:
    known = changes[~np.isnan(changes)]
    if not len(known):
        empty = dict.fromkeys([f"{prefix}p{q}" for q in _QUANTILES] + [f"{prefix}largest"], np.nan)
        return empty | {f"{prefix}above": 0}
    found = dict(zip((f"{prefix}p{q}" for q in _QUANTILES), np.percentile(known, _QUANTILES).tolist(), strict=True))
    return found | {f"{prefix}largest": float(known.max()), f"{prefix}above": int((known > threshold).sum())}
