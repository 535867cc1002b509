"""Series of points as `read` gives them, for tests that derive from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.irradiance import read_surfrad

HERE = {"point_id": "here", "name": "Here", "latitude": 45.0, "longitude": 8.0, "altitude": 250.0}


def series_frame(
    values: Any,
    start: str = "2025-06-18",
    *,
    minutes: float = 15,
    column: str = "ghi",
    offset: float | None = 620.0,
    **place: Any,
) -> pd.DataFrame:
    """One point: instants `offset` seconds after their labels; with an offset of None means over the step."""
    start_utc = pd.Timestamp(start, tz="UTC")
    values = np.asarray(values, float)
    times = pd.date_range(start_utc, periods=len(values), freq=pd.Timedelta(minutes=minutes), name="time")
    frame = pd.DataFrame({column: values}, index=times.as_unit("us"))
    point = HERE | place | ({} if offset is None else {"scan_offset_seconds": offset})
    frame.attrs = {
        "step_seconds": minutes * 60,
        "instantaneous": offset is not None,
        "point": point,
        "points": {point["point_id"]: point},
        "synthetic": True,
        "title": "made by a test",
    }
    return frame


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    """Several points in one frame."""
    ids = [f.attrs["point"]["point_id"] for f in frames]
    result = pd.concat([f.copy() for f in frames], keys=ids, names=["point_id"])
    result.attrs = {k: v for k, v in frames[0].attrs.items() if k != "point"}
    result.attrs["points"] = {i: f.attrs["point"] for i, f in zip(ids, frames, strict=True)}
    return result


def bell(days: int, minutes: float, peak: float = 900.0) -> np.ndarray:
    """A bright day at noon UTC, over and over."""
    hours = (np.arange(round(days * 1440 / minutes)) + 0.5) * minutes / 60 % 24
    return peak * np.clip(np.cos((hours - 12) / 24 * 2 * np.pi), 0, None)


def with_gaps(values: np.ndarray, seed: int, share: float = 0.1) -> np.ndarray:
    """The same with some values missing."""
    return np.where(np.random.default_rng(seed).random(len(values)) < share, np.nan, values)


def measured_day() -> pd.DataFrame:
    """One clear winter day at Alamosa by the minute, as the station measured it: ghi, dhi, dni."""
    return read_surfrad(Path(__file__).parent / "data" / "irradiance" / "surfrad-slv16001.dat")[["ghi", "dhi", "dni"]]
