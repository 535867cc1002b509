"""Sums of power over periods, and the daylight steps in them, for many points at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.irradiance.deriving.blocks import Block
from datalake_kit.irradiance.deriving.periods import bounds_of
from datalake_kit.irradiance.judging.daylight import cosine_of_zenith, daylight_spans

__all__ = ["LEAST_TO_SCALE", "Sum", "sums_of"]

LEAST_TO_SCALE = 0.5  # the coverage below which nothing is scaled
Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int32, np.int64, np.float64)
Integers = npt.NDArray[np.int64]
_DAY = 86_400_000_000_000
_CELLS = 400_000  # values taken at once: they stay in the processor's cache


@dataclass(frozen=True)
class Sum:
    """Some points of a block, and the bounds of their periods. Positions on the axis of time are counted in steps."""

    values: Floats  # points x steps
    block: Block
    where: Floats  # points x (latitude, longitude, seconds from the label to the instant that counts)
    bounds: Integers  # points x (periods + 1), nanoseconds of UTC

    @property
    def centres(self) -> Integers:
        """The instant that counts in the first step, of each point."""
        first: Integers = self.block.first.value + np.round(self.where[:, 2] * 1e9).astype(np.int64)
        return first[:, None]

    def columns(self, gaps: str, enough: float) -> dict[str, npt.NDArray[np.generic]]:
        """Return energy in kWh/m2, coverage, complete and, when gaps are scaled, scaled: each points x periods."""
        there = ~np.isnan(self.values)
        begins = self._position(self.bounds)
        counted = _before(there, np.int32)
        filled = np.diff(np.take_along_axis(counted, begins.clip(0, there.shape[1]), 1), axis=1) > 0
        total = np.where(
            filled, self._integral(self.values if there.all() else np.where(there, self.values, 0.0)), np.nan
        )
        seen, expected = self._daylight(counted, begins)
        coverage = np.divide(seen, expected, out=np.full(seen.shape, np.nan), where=expected > 0)
        result: dict[str, npt.NDArray[np.generic]] = {"energy": total, "coverage": coverage}
        result["complete"] = filled & ~(coverage < enough)
        if gaps == "scale":
            result["scaled"] = filled & (seen < expected) & (coverage >= LEAST_TO_SCALE)
            factor = self._light(there, begins, np.flatnonzero(result["scaled"].any(axis=1)))
            result["energy"] = np.where(result["scaled"], total * factor, total)
        return result

    def daylight(self) -> tuple[Integers, Integers]:
        """Return the daylight steps of each period that have a value, and all of them: each points x periods."""
        return self._daylight(_before(~np.isnan(self.values), np.int32), self._position(self.bounds))

    def _position(self, moments: Integers) -> Integers:
        """Return the first step whose instant is not before a moment."""
        return -((self.centres - moments) // self.block.step.value)

    def _integral(self, values: Floats) -> Floats:
        """Return kWh/m2 between the bounds. The first value reaches back to its label, the last to its slot's end."""
        width, count = self.block.step.value, values.shape[1]
        axis = self.block.first.value, self.block.first.value + count * width
        at = (self.bounds.clip(*axis) - self.centres) / width + 0.5
        whole = np.floor(at).astype(np.int64).clip(0, count - 1)
        sums = np.take_along_axis(_before(values, np.float64), whole, 1)
        sums = sums + (at - whole) * np.take_along_axis(values, whole, 1)
        result: Floats = np.diff(sums, axis=1) * (self.block.hours / 1000)
        return result

    def _daylight(self, counted: npt.NDArray[np.int32], begins: Integers) -> tuple[Integers, Integers]:
        """Return the daylight steps of each period that have a value, and all of them."""
        opens, closes = (self._position(s) for s in self._spans())
        lane = np.arange(len(opens))[:, None] * int(closes.max() - opens.min() + 2)  # one search for all points
        day = np.searchsorted((opens + lane).ravel(), (begins + lane).ravel(), side="right").reshape(begins.shape) - 1
        day = (day - np.arange(len(opens))[:, None] * opens.shape[1]).clip(0)
        inside = begins.clip(np.take_along_axis(opens, day, 1), np.take_along_axis(closes, day, 1))

        def between(count: Callable[[Integers], Integers]) -> Integers:
            """Return what is counted between the bounds, by light; `count` says how many lie before a position."""
            begun = count(opens)
            earlier = _before(count(closes) - begun, np.int64)
            sums = np.take_along_axis(earlier, day, 1) + count(inside) - np.take_along_axis(begun, day, 1)
            return np.diff(sums, axis=1)

        last = counted.shape[1] - 1
        return between(lambda at: np.take_along_axis(counted, at.clip(0, last), 1).astype(np.int64)), between(np.copy)

    def _spans(self) -> tuple[Integers, Integers]:
        first = pd.Timestamp(int(self.bounds.min()), tz="UTC").normalize() - pd.Timedelta(days=2)
        days = int((self.bounds.max() - first.value) // _DAY) + 3
        return daylight_spans(first, days, self.where[:, 0], self.where[:, 1])

    def _light(self, there: npt.NDArray[np.bool_], begins: Integers, points: Integers) -> Floats:
        """Return what reached the top of the atmosphere in each period over what did while values were seen."""
        result = np.ones((len(begins), begins.shape[1] - 1))
        for point in points:
            latitude, longitude, _ = self.where[point]
            steps = np.arange(begins[point, 0], begins[point, -1])
            moments = self.centres[point, 0] + steps * self.block.step.value
            sent = cosine_of_zenith(moments, latitude, longitude).clip(0) * _nearness(moments)
            known = (steps >= 0) & (steps < there.shape[1]) & there[point, steps.clip(0, there.shape[1] - 1)]
            at = begins[point] - begins[point, 0]
            whole, seen = (np.diff(_before(s[None], np.float64)[0, at]) for s in (sent, sent * known))
            result[point] = np.divide(whole, seen, out=result[point], where=seen > 0)
        return result


def sums_of(
    block: Block, period: str, days: str, *, latitude: float | None = None, longitude: float | None = None
) -> tuple[pd.DatetimeIndex, Iterator[Sum]]:
    """Return the labels of the periods of a block, and its points some at a time."""
    places = block.places(latitude=latitude, longitude=longitude)
    where = np.array([[p.latitude, p.longitude, p.offset_seconds] for p in places], float)
    labels, bounds = bounds_of(*_reach(block, where[:, 2]), period, days, where[:, 1])
    size = max(1, _CELLS // block.values.shape[1])
    parts = (slice(k, k + size) for k in range(0, len(places), size))
    return labels, (Sum(block.values[part], block, where[part], bounds[part]) for part in parts)


def _reach(block: Block, offsets: npt.NDArray[np.float64]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first instant that counts, of all points, and one after the last."""
    early, late = (pd.Timedelta(seconds=float(o)) for o in (offsets.min(), offsets.max()))
    last = block.first + (block.values.shape[1] - 1) * block.step
    return block.first + early, last + late + pd.Timedelta(1, unit="ns")


def _before(values: npt.NDArray[Any], kind: type[Number]) -> npt.NDArray[Number]:
    """Return the sum of all values before each position, along the steps."""
    result = np.zeros((values.shape[0], values.shape[1] + 1), kind)
    np.cumsum(values, axis=1, dtype=kind, out=result[:, 1:])
    return result


def _nearness(moments: Integers) -> Floats:
    """Return the sun's light over its yearly mean; Duffie and Beckman, "Solar Engineering of Thermal Processes"."""
    year: Floats = moments / (365.25 * _DAY) * 2 * np.pi  # 1970 began with a year
    return 1 + 0.033 * np.cos(year)
