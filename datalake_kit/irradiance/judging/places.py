"""Where a series was taken, and which instant of each step its values stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["Place", "place_of"]


@dataclass(frozen=True)
class Place:
    """A point on the ground, in degrees and metres, and the seconds from a label to the instant that counts."""

    point_id: str
    name: str
    latitude: float
    longitude: float
    altitude: float
    altitude_known: bool
    offset_seconds: float


def place_of(
    frame: pd.DataFrame,
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    altitude: float | None = None,
    offset_seconds: float | None = None,
) -> Place:
    """Return the place of a series of one point, and the instant that counts in its steps.

    What is given goes before what the frame says. An altitude that nobody knows is 0 m, and `altitude_known` says so.
    Values of an instant (`instantaneous`, as those of the satellite, or nothing said) stand for the label plus the
    point's `scan_offset_seconds`; means over the step that the label begins stand for its middle.

    Raises
    ------
    DataError
        Latitude or longitude is neither given nor known; or the frame holds several points.

    Examples
    --------
    >>> times = pd.date_range("2025-06-18", periods=2, freq="1h", tz="UTC")
    >>> hourly = pd.DataFrame({"ghi": [0.0, 0.0]}, index=times)
    >>> hourly.attrs["instantaneous"] = False
    >>> place = place_of(hourly, latitude=45.0, longitude=8.0)
    >>> place.offset_seconds, place.altitude, place.altitude_known
    (1800.0, 0.0, False)
    """
    if not isinstance(frame.index, pd.DatetimeIndex):
        raise DataError("The frame holds several points: take one with select_point.")
    known: Mapping[str, Any] = frame.attrs.get("point", {})
    latitude = known.get("latitude") if latitude is None else latitude
    longitude = known.get("longitude") if longitude is None else longitude
    if latitude is None or longitude is None:
        raise DataError(
            "The place is not known: give latitude and longitude, or a frame that `read` gave for one point."
        )
    altitude = known.get("altitude") if altitude is None else altitude
    has_altitude = altitude is not None and not pd.isna(altitude)
    return Place(
        point_id=str(known.get("point_id", "")),
        name=str(known.get("name") or known.get("point_id", "")),
        latitude=float(latitude),
        longitude=float(longitude),
        altitude=float(altitude) if altitude is not None and has_altitude else 0.0,
        altitude_known=has_altitude,
        offset_seconds=_offset(frame, known) if offset_seconds is None else float(offset_seconds),
    )


def _offset(frame: pd.DataFrame, known: Mapping[str, Any]) -> float:
    if frame.attrs.get("instantaneous", True):
        return float(known.get("scan_offset_seconds") or 0.0)
    seconds = frame.attrs.get("step_seconds")
    return (step_of(pd.DatetimeIndex(frame.index)).total_seconds() if seconds is None else float(seconds)) / 2
