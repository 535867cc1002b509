"""Text as PVGIS and renewables.ninja write hourly series."""

from __future__ import annotations

import json

import pandas as pd

from datalake_kit.irradiance.exchange.series_columns import components, instants, refuse_gaps, weather
from datalake_kit.irradiance.judging.places import Place
from datalake_kit.irradiance.judging.solar import solar_position

__all__ = ["ninja_text", "pvgis_text"]

_PVGIS = {
    "Gb(i)": "Beam (direct) irradiance on the inclined plane (plane of the array) (W/m2)",
    "Gd(i)": "Diffuse irradiance on the inclined plane (plane of the array) (W/m2)",
    "Gr(i)": "Reflected irradiance on the inclined plane (plane of the array) (W/m2)",
    "H_sun": "Sun height (degree)",
    "T2m": "2-m air temperature (degree Celsius)",
    "WS10m": "10-m total wind speed (m/s)",
    "Int": "1 means solar radiation values are reconstructed",
}


def pvgis_text(frame: pd.DataFrame, place: Place) -> str:
    """Return a series as PVGIS writes one on a plane of slope 0; `export` says what it holds."""
    parts, air = components(frame, with_dni=False), weather(frame)
    refuse_gaps(parts.join(air[[c for c in ("temp_air", "wind_speed") if c in air]]), "pvgis")
    table = pd.DataFrame({"Gb(i)": parts["bhi"], "Gd(i)": parts["ghi"] - parts["bhi"], "Gr(i)": 0.0}).round(2)
    sun = solar_position(frame, latitude=place.latitude, longitude=place.longitude)
    table["H_sun"] = (90 - sun["zenith"]).clip(lower=0).round(2)
    for column, name in (("temp_air", "T2m"), ("wind_speed", "WS10m")):
        if column in air:
            table[name] = air[column].round(2)
    table["Int"] = frame["filled"].astype(float) if "filled" in frame else 0.0
    table.insert(0, "time", instants(frame, place).strftime("%Y%m%d:%H%M"))
    head = [
        f"Latitude (decimal degrees):\t{place.latitude:.6f}",
        f"Longitude (decimal degrees):\t{place.longitude:.6f}",
        f"Elevation (m):\t{place.altitude:.0f}",
        f"Radiation database:\t{_one_line(frame.attrs.get('title') or 'unknown').replace(':', ' ')}",
        "",
        "",
        "Slope: 0 deg. ",
        "Azimuth: 0 deg. ",
    ]
    tail = ["", *(f"{c}: {_PVGIS[c]}" for c in table if c in _PVGIS), "", f"{_origin(frame)}", ""]
    return "\r\n".join([*head, table.to_csv(index=False, lineterminator="\r\n").rstrip(), *tail])


def ninja_text(frame: pd.DataFrame, place: Place) -> str:
    """Return a series as renewables.ninja writes one; `export` says what it holds."""
    parts, air = components(frame, with_dni=False), weather(frame)
    table = pd.DataFrame(
        {"irradiance_direct": parts["bhi"] / 1000, "irradiance_diffuse": (parts["ghi"] - parts["bhi"]) / 1000}
    )
    if "temp_air" in air:
        table["temperature"] = air["temp_air"]
    refuse_gaps(table, "ninja")
    table.insert(0, "time", instants(frame, place).strftime("%Y-%m-%d %H:%M"))
    units = "time in UTC, irradiance_direct in kW/m2, irradiance_diffuse in kW/m2" + (
        ", temperature in degrees C" if "temp_air" in air else ""
    )
    said = {
        "lat": place.latitude,
        "lon": place.longitude,
        "altitude": place.altitude,
        "tilt": 0,
        "dataset": frame.attrs.get("title", ""),
    }
    head = [f"# {_one_line(place.name)} - {place.latitude}, {place.longitude} - {_origin(frame)}", f"# Units: {units}"]
    return "\n".join([*head, f"# {json.dumps(said)}", table.round(6).to_csv(index=False, lineterminator="\n")])


def _origin(frame: pd.DataFrame) -> str:
    source = frame.attrs.get("source") or frame.attrs.get("title") or "unknown"
    made = ", synthetic" if frame.attrs.get("synthetic") else ""
    return f"Written by datalake_kit from: {_one_line(source)}{made}"


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
