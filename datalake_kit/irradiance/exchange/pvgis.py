"""Read the files of PVGIS: the typical year and hourly series, as CSV or JSON."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit import storage
from datalake_kit.errors import DataError
from datalake_kit.irradiance.exchange.station_files import (
    Station,
    make_frame,
    name_file,
    open_text,
    reading,
    refuse,
    within,
)

__all__ = ["read_pvgis"]

_KIND = "PVGIS"
_HOURS = 8760
_ON_PLANE = {"poa_direct": "bhi", "poa_sky_diffuse": "dhi", "poa_global": "ghi"}
# Means over the hour that the label stands in the middle of; the others are one satellite image an hour.
_REANALYSES = ("ERA5", "COSMO")


def read_pvgis(path: str | storage.Place, *, year: int = 1990) -> pd.DataFrame:
    """Read a typical year or an hourly series of PVGIS, CSV or JSON: which it is, the content tells.

    Satellite values are those of one image an hour: instants (`instantaneous`), at the label plus
    `scan_offset_seconds`. A typical year writes this offset in its header; hourly series write it into their labels
    (20200101:0010), so the frame's label is the full hour and the offset 600 s. Those of a reanalysis (ERA5, COSMO) are
    means over the hour.

    The months of a typical year come from different years: they are put one after the other on the calendar of `year`,
    and `attrs["typical_year"]` tells from which year each month is.

    Of an hourly series on the horizontal plane (slope 0), Gb(i), Gd(i) and G(i) are bhi, dhi and ghi, and ghi is
    bhi + dhi when it is not there. On a tilted plane they keep pvlib's names: poa_direct, poa_sky_diffuse,
    poa_ground_diffuse, poa_global; there is no ghi then.

    Parameters
    ----------
    path : str or Path
        A file as PVGIS gives it, local or on S3.
    year : int
        Calendar year of a typical year; 1990, as pvlib puts it. Of a leap year, 29 February is a gap.

    Returns
    -------
    DataFrame
        One point: index `time` (UTC, hourly); ghi, dni, dhi in W/m2 and what else the file holds, by pvlib's names.

    Raises
    ------
    UnreadableFileError
        Missing, empty, cut short, a web page, or another kind of file.
    DataError
        A year that is none; times off the hour's step.

    Source
    ------
    PVGIS user manual, https://joint-research-centre.ec.europa.eu/photovoltaic-geographical-information-system-pvgis.

    Examples
    --------
    >>> frame = read_pvgis("pvgis/tmy_45.000_8.000_2005_2023.csv", year=2025)  # doctest: +SKIP
    >>> frame.attrs["point"]["scan_offset_seconds"]                            # doctest: +SKIP
    633.96
    """
    if not 1678 <= year <= 2261:
        raise DataError(f"year={year!r}: give a calendar year from 1678 to 2261.")
    text = open_text(path, _KIND)
    with reading(path, _KIND):
        if text.lstrip().startswith("{"):
            outputs = json.loads(text)["outputs"]
            typical = "tmy_hourly" in outputs
        else:
            typical = re.search(r"^time\(UTC\),", text, re.MULTILINE) is not None
        return _typical_year(path, text, year) if typical else _hourly(path, text)


def _typical_year(path: str | storage.Place, text: str, year: int) -> pd.DataFrame:
    import pvlib.iotools

    if text.lstrip().startswith("{"):
        data, said = pvlib.iotools.read_pvgis_tmy(io.StringIO(text), pvgis_format="json")
    else:
        _check_rows(path, text, "time(UTC),", _HOURS)
        data, said = pvlib.iotools.read_pvgis_tmy(io.BytesIO(text.encode("utf-8")), pvgis_format="csv")
    if len(data) != _HOURS:
        raise refuse(path, _KIND, f"a typical year has {_HOURS} hours, not {len(data)}")
    years = {int(m["month"]): int(m["year"]) for m in said["months_selected"]}
    times = pd.DatetimeIndex(data.index)
    data.index = pd.DatetimeIndex([t.replace(year=year) for t in times])
    if data.index.has_duplicates or {(m, years.get(m)) for m in times.month} != set(
        zip(times.month, times.year, strict=True)
    ):
        raise refuse(path, _KIND, "its months are not those that its header selects")
    inputs = said["inputs"]
    place = inputs.get("location", inputs)
    offset = place.get("irradiance time offset", place.get("irradiance_time_offset", 0.0))  # CSV's name, JSON's name
    station = _station(path, inputs, "PVGIS typical year", float(offset) * 3600)
    frame = make_frame(data.astype(float) + 0.0, station, path)
    frame.attrs["typical_year"] = {"calendar_year": year, "months": years}
    return frame


def _hourly(path: str | storage.Place, text: str) -> pd.DataFrame:
    import pvlib.iotools

    as_json = text.lstrip().startswith("{")
    if not as_json:
        _check_rows(path, text, "time,", 2)
    data, said = pvlib.iotools.read_pvgis_hourly(io.StringIO(text), pvgis_format="json" if as_json else "csv")
    inputs = said["inputs"]
    labels = pd.DatetimeIndex(data.index)
    offsets = np.unique((labels - labels.floor("h")).total_seconds())
    if len(offsets) != 1:
        raise DataError(f"{path} labels its hours at different minutes ({offsets[:3] / 60}). Split it by them.")
    values = data.astype(float).set_axis(labels.floor("h")) + 0.0
    if _slope(inputs) == 0:
        values = _on_horizontal(values)
    station = _station(path, inputs, "PVGIS hourly series", float(offsets[0]))
    return make_frame(values.rename(columns={"Int": "reconstructed"}), station, path)


def _check_rows(path: str | storage.Place, text: str, start: str, least: int) -> None:
    """Refuse a table that does not end as PVGIS ends it, with an empty line, or whose lines are not all alike."""
    begin = re.search(f"^{re.escape(start)}", text, re.MULTILINE)
    if begin is None:
        raise refuse(path, _KIND, "it has no line of columns that begins with time")
    rows = text[begin.start() :].split("\n")
    table = rows[: rows.index("")]
    if table == rows[:-1]:
        raise refuse(path, _KIND, "it ends within the table: it was cut short")
    fields = len(table[0].split(","))
    for row in table:
        if len(row.split(",")) != fields:
            raise refuse(path, _KIND, f"the line {row[:40]!r} has not {fields} values")
    if len(table) - 1 < least:
        raise refuse(path, _KIND, f"its table has {len(table) - 1} hours")


def _slope(inputs: dict[str, Any]) -> float | None:
    """Return the slope of a fixed plane in degrees; None for a tracker or when the file says none."""
    text = inputs.get("Slope")
    if text is not None:
        return float(str(text).split()[0].rstrip("°"))
    try:
        return float(inputs["mounting_system"]["fixed"]["slope"]["value"])
    except (KeyError, TypeError):
        return None


def _on_horizontal(values: pd.DataFrame) -> pd.DataFrame:
    values = values.rename(columns={c: new for c, new in _ON_PLANE.items() if new not in values})
    if "ghi" not in values and {"bhi", "dhi"} <= set(values):
        values.insert(0, "ghi", values["bhi"] + values["dhi"] + values.get("poa_ground_diffuse", 0.0))
    return values


def _station(path: str | storage.Place, inputs: dict[str, Any], title: str, offset: float) -> Station:
    place = inputs.get("location", inputs)
    latitude, longitude = within(float(place["latitude"]), 90), within(float(place["longitude"]), 180)
    point_id = f"pvgis_{latitude:.3f}_{longitude:.3f}"
    weather = inputs.get("meteo_data", {})
    database = str(inputs.get("radiation_database") or weather.get("radiation_db") or "")
    means = any(name in database for name in _REANALYSES) and not title.endswith("year")
    point = {
        "point_id": point_id,
        "name": f"PVGIS {latitude:.3f}, {longitude:.3f}",
        "latitude": latitude,
        "longitude": longitude,
        "altitude": float(place["elevation"]),
        "scan_offset_seconds": 0.0 if means else round(offset, 3),
    }
    source = f"PVGIS (European Commission, JRC) {database}, {name_file(path)}".replace(" ,", ",")
    units = {"pressure": "Pa", "reconstructed": "1"}
    return Station(point, title, source, "satellite", instantaneous=not means, units=units)
