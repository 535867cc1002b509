"""Text that SAM and PVsyst import as weather."""

from __future__ import annotations

import calendar
import csv
import io
from collections.abc import Sequence

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.exchange.series_columns import components, refuse_gaps, weather
from datalake_kit.irradiance.judging.places import Place
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["pvsyst_text", "sam_text"]

_SAM = {
    "temp_air": "Temperature",
    "wind_speed": "Wind Speed",
    "wind_direction": "Wind Direction",
    "relative_humidity": "Relative Humidity",
    "pressure": "Pressure",
}
_PVSYST = {
    "ghi": ("GHI", "W/m2"),
    "dhi": ("DHI", "W/m2"),
    "temp_air": ("TAmb", "deg.C"),
    "wind_speed": ("WindVel", "m/sec"),
}
_HOUR = pd.Timedelta(hours=1)


def sam_text(frame: pd.DataFrame, place: Place) -> str:
    """Return a whole year as SAM's CSV weather file; `export` says what it holds."""
    step = step_of(pd.DatetimeIndex(frame.index))
    if not 0 <= place.offset_seconds < step.total_seconds() or _HOUR % step:
        raise DataError(
            f"SAM takes steps that part the hour, and instants within them: these are {step} with the instant "
            f"{place.offset_seconds:.0f} s after the label. Average to hours first."
        )
    frame, note = _whole_year(frame, step)
    parts = components(frame)
    table = parts[["ghi", "dni", "dhi"]].rename(columns=str.upper).join(weather(frame).rename(columns=_SAM))
    refuse_gaps(table, "sam")
    times = pd.DatetimeIndex(frame.index) + pd.Timedelta(seconds=place.offset_seconds)
    head = {
        "Source": f"datalake_kit: {frame.attrs.get('title') or 'unknown'}{note}",
        "Location ID": place.point_id,
        "City": place.name,
        "State": "",
        "Country": "",
        "Latitude": place.latitude,
        "Longitude": place.longitude,
        "Time Zone": 0,
        "Elevation": round(place.altitude),
        "Local Time Zone": 0,
    }
    # A minute is written whole; rounding up could leave the hour.
    return _rows([list(head), list(head.values())]) + _dated(table, times.floor("min")).to_csv(
        index=False, lineterminator="\n"
    )


def _whole_year(frame: pd.DataFrame, step: pd.Timedelta) -> tuple[pd.DataFrame, str]:
    times = pd.DatetimeIndex(frame.index)
    year = int(times[0].year)
    wanted = pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=step, inclusive="left", tz="UTC")
    if not times.equals(wanted.as_unit(times.unit)):
        raise DataError(
            f"SAM takes one calendar year in UTC, {len(wanted)} steps of {step}: the frame has {len(times)}, "
            f"from {times[0]} to {times[-1]}. Choose a whole year."
        )
    if not calendar.isleap(year):
        return frame, ""
    kept = frame[(times.month != 2) | (times.day != 29)]
    kept.attrs = frame.attrs | {"step_seconds": int(step.total_seconds())}
    return kept, " (29 February left out)"


def pvsyst_text(frame: pd.DataFrame, place: Place) -> str:
    """Return a series in PVsyst's standard format; `export` says what it holds."""
    parts = components(frame, with_dni=False).join(weather(frame))
    table = parts[[c for c in _PVSYST if c in parts]]
    refuse_gaps(table, "pvsyst")
    hourly, middle = _to_hours(table, place)
    days = hourly.groupby(pd.DatetimeIndex(hourly.index).date).size()
    if (days != 24).any() or len(days) != (days.index[-1] - days.index[0]).days + 1:
        raise DataError(f"PVsyst takes whole days: {days.index[days != 24].tolist()[:3]} (UTC) are not.")
    typical = "typical_year" in frame.attrs
    head = [
        ["#TMY hourly data" if typical else "#Meteo hourly data"],
        ["#Standard format for importing hourly data in PVsyst"],
        [f"#Hours begin at their label (UTC), the values stand for {middle:.1f} minutes past the hour"],
        ["#Site", place.name or place.point_id or "point"],
        ["#Country", ""],
        ["#Data Source", frame.attrs.get("source") or frame.attrs.get("title") or "unknown"],
        ["#Time step", "Hour"],
        ["#Latitude", place.latitude],
        ["#Longitude", place.longitude],
        ["#Altitude", round(place.altitude)],
        ["#Time Zone", 0],
        ["#"],
        ["Year", "Month", "Day", "Hour", "Minute", *(_PVSYST[str(c)][0] for c in hourly)],
        ["", "", "", "", "", *(_PVSYST[str(c)][1] for c in hourly)],
    ]
    lines = _dated(hourly.round(2), pd.DatetimeIndex(hourly.index))
    text = _rows(head, ";", "\r\n") + lines.to_csv(index=False, header=False, sep=";", lineterminator="\r\n")
    return text


def _to_hours(table: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, float]:
    """Return means of whole hours, and the minutes past the hour that they stand for."""
    times = pd.DatetimeIndex(table.index)
    step = step_of(times)
    if _HOUR % step:
        raise DataError(f"PVsyst takes hours: steps of {step} do not make whole hours. Average to hours first.")
    hours = times.floor("h")
    each = int(_HOUR / step)
    counts = pd.Series(hours).value_counts()
    if (counts != each).any():
        raise DataError(f"PVsyst takes whole hours: {counts.index[counts != each].min()} has not {each} steps.")
    past = (times[:each] - hours[:each]).total_seconds().to_numpy().mean() + place.offset_seconds
    return table.groupby(hours).mean(), past / 60


def _dated(table: pd.DataFrame, times: pd.DatetimeIndex) -> pd.DataFrame:
    dated = table.reset_index(drop=True).round(4)
    for at, part in enumerate(("year", "month", "day", "hour", "minute")):
        dated.insert(at, part.title(), getattr(times, part))
    return dated


def _rows(rows: Sequence[Sequence[object]], separator: str = ",", end: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return text.getvalue()
