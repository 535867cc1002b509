"""The series of one point as every picture takes it: a row for every step, with the sun and the clear sky shared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.irradiance.judging.places import place_of
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["PointSeries", "prepare", "require_frame"]


@dataclass(frozen=True, eq=False)
class PointSeries:
    """One column of one point. What it takes long to compute is computed once, when first asked for.

    `frame` has a row for every step from the first to the last; its index is UTC.
    """

    frame: pd.DataFrame
    column: str
    tz: str = "UTC"

    @property
    def index(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.frame.index)

    @cached_property
    def local(self) -> pd.DatetimeIndex:
        """Wall times in the zone of the picture, without the zone."""
        return self.index.tz_convert(self.tz).tz_localize(None)

    @cached_property
    def step(self) -> pd.Timedelta:
        return _step(self.frame)

    @cached_property
    def values(self) -> pd.Series:
        return self.frame[self.column]

    @cached_property
    def array(self) -> np.ndarray[Any, Any]:
        return self.values.to_numpy(float)

    @property
    def place(self) -> dict[str, Any]:
        found: dict[str, Any] = self.frame.attrs.get("point", {})
        return found

    @property
    def located(self) -> bool:
        return self.place.get("latitude") is not None and self.place.get("longitude") is not None

    @property
    def instantaneous(self) -> bool | None:
        """Whether values hold for an instant; None when the frame does not say."""
        found = self.frame.attrs.get("instantaneous")
        return None if found is None else bool(found)

    @property
    def offset_seconds(self) -> float:
        """From the label to the instant that a value holds for."""
        return place_of(self.frame).offset_seconds

    @cached_property
    def position(self) -> pd.DataFrame:
        """Where the sun stands at the instant that each value holds for."""
        return solar_position(self.frame, offset_seconds=self.offset_seconds)

    @cached_property
    def clear(self) -> pd.DataFrame:
        """What a clear sky gives at the instant that each value holds for: ghi_clear, dni_clear, dhi_clear."""
        return clear_sky(self.frame, offset_seconds=self.offset_seconds, position=self.position)

    @property
    def sky(self) -> pd.Series:
        """What a clear sky gives on the horizontal."""
        return self.clear["ghi_clear"]

    def of(self, column: str) -> PointSeries:
        """Return another column of the same point; sun and sky stay shared."""
        other = replace(self, column=column)
        for name in ("position", "clear", "local", "step"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def between(self, start: pd.Timestamp, stop: pd.Timestamp) -> PointSeries:
        """Return the steps from `start` on and before `stop`; sun and sky stay shared."""
        inside = (self.index >= start) & (self.index < stop)
        part = self.frame[inside]
        part.attrs = self.frame.attrs
        other = PointSeries(part, self.column, self.tz)
        for name in ("position", "clear"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name][inside]
        return other


def prepare(frame: pd.DataFrame, column: str, tz: str = "UTC", *, needs: tuple[str, ...] = ()) -> PointSeries:
    """Return the column with a row for every step, so that a missing row is a gap like a missing value.

    Raises
    ------
    DataError
        Several points, times without zone or off the steps, no value, no number, infinite values.
    ColumnNotFoundError, ParameterError
    """
    require_frame(frame, (column, *needs))
    _check_zone(tz)
    numbers = {name: _numbers(frame, name) for name in dict.fromkeys((column, *needs))}
    index = _times(frame)
    if not np.isfinite(numbers[column]).any():
        raise DataError(f"There is nothing to draw: all {len(frame)} values of {column!r} are missing.")
    columns = frame.drop(columns=list(numbers)).assign(**numbers).set_axis(index)
    columns.attrs = frame.attrs
    return PointSeries(_regular(columns), column, tz)


def require_frame(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Refuse what is no frame, and a frame that lacks a column."""
    if not isinstance(frame, pd.DataFrame):
        raise ParameterError(f"A {type(frame).__name__} is no frame: give what dk.irradiance.read returns.")
    for name in columns:
        if name not in frame:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. {did_you_mean(name, map(str, frame))}")


def _check_zone(tz: str) -> None:
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, TypeError, OSError):
        raise ParameterError(f"No such time zone: {tz!r}. Give a name such as 'UTC' or 'Europe/Rome'.") from None


def _numbers(frame: pd.DataFrame, column: str) -> np.ndarray[Any, Any]:
    try:
        found: np.ndarray[Any, Any] = frame[column].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(f"The column {column!r} holds no numbers: its type is {frame[column].dtype}.") from None
    if np.isinf(found).any():
        raise DataError(f"The column {column!r} holds {int(np.isinf(found).sum())} infinite values.")
    return found


def _times(frame: pd.DataFrame) -> pd.DatetimeIndex:
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        raise DataError("The frame holds several points: take one with dk.irradiance.select_point.")
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"The frame is indexed by {index.dtype}, not by time: give what dk.irradiance.read returns.")
    if index.tz is None:
        raise DataError("The times have no zone: localize them, for UTC with tz_localize('UTC').")
    if not index.is_unique:
        raise DataError(f"The time {index[index.duplicated()][0]} stands in the frame twice.")
    return index.tz_convert("UTC")


def _step(frame: pd.DataFrame) -> pd.Timedelta:
    """Return the time between two labels; one label between the steps that the frame states makes no finer step."""
    stated = frame.attrs.get("step_seconds")
    known = None if stated is None else pd.Timedelta(seconds=float(stated))
    if known is not None and len(frame) < 2:
        return known
    found = step_of(pd.DatetimeIndex(frame.index))
    return known if known is not None and found < known else found


def _regular(frame: pd.DataFrame) -> pd.DataFrame:
    step = _step(frame)
    whole = pd.date_range(frame.index.min(), frame.index.max(), freq=step, name="time")
    if not frame.index.isin(whole).all():
        off = frame.index[~frame.index.isin(whole)]
        raise DataError(f"{len(off)} times are not on steps of {step}, the first at {off[0]}: resample them.")
    result = frame.reindex(whole)
    result.attrs = frame.attrs | {"step_seconds": step.total_seconds()}
    return result
