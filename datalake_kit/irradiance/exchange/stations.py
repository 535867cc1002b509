"""Read what stations measured, and what PVGIS gives for a place, as frames of a series."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from datalake_kit import storage
from datalake_kit.irradiance.exchange.pvgis import read_pvgis
from datalake_kit.irradiance.exchange.station_files import (
    Station,
    make_frame,
    name_file,
    open_text,
    reading,
    refuse,
    within,
)
from datalake_kit.irradiance.judging.steps import step_of

__all__ = ["read_bsrn", "read_pvgis", "read_surfrad"]

_SURFRAD = "SURFRAD"
_SURFRAD_FIELDS = 48
_BSRN = "BSRN station-to-archive"
_TIMES = ["year", "jday", "month", "day", "hour", "minute", "dt"]


def read_surfrad(path: str | storage.Place) -> pd.DataFrame:
    """Read a day of a SURFRAD station (NOAA): means over one minute, three before 2009.

    The network labels a mean by its end ("the data given for 0000 UTC are averaged over the period from 2359"); the
    frame labels it by its start, so its first label is a step before the file's. Longitudes are written in degrees
    west in the files of some stations: a positive one is made negative, as all stations lie in North America. Values
    that the network's checks found doubtful stay, with its flags in `<column>_flag` (0: good).

    Parameters
    ----------
    path : str or Path
        A file `<station><yy><jjj>.dat`, local or on S3.

    Returns
    -------
    DataFrame
        One point: index `time` (UTC, start of the step); ghi, dni, dhi and the other columns by pvlib's names, W/m2
        (uvb: mW/m2), missing as NaN.

    Raises
    ------
    UnreadableFileError
        Missing, empty, cut short, a web page, or another kind of file.

    Source
    ------
    README_SURFRAD.txt of the archive, https://gml.noaa.gov/aftp/data/radiation/surfrad/.

    Examples
    --------
    >>> frame = read_surfrad("surfrad/slv16001.dat")                            # doctest: +SKIP
    >>> frame.attrs["point"]["longitude"], frame.index[0]                       # doctest: +SKIP
    (-105.92, Timestamp('2015-12-31 23:59:00+0000', tz='UTC'))
    """
    text = open_text(path, _SURFRAD)
    _check_surfrad(text, path)
    with reading(path, _SURFRAD):
        data, place = _parse_surfrad(text)
        values = data.drop(columns=_TIMES).apply(pd.to_numeric)
        labels = pd.DatetimeIndex(data.index)
        values.index = labels - step_of(labels)
        stem = name_file(path).split(".")[0]
        point = {
            "point_id": stem[-8:-5] if re.fullmatch(r".*[A-Za-z]{3}\d{5}", stem) else place["name"],
            "name": place["name"],
            "latitude": within(place["latitude"], 90),
            "longitude": -abs(within(place["longitude"], 180)),
            "altitude": place["elevation"],
            "scan_offset_seconds": 0.0,
        }
    units = {"pressure": "hPa", "uvb": "mW/m2"} | {c: "K" for c in map(str, values) if c.endswith("temp")}
    station = Station(
        point,
        f"SURFRAD {place['name']}",
        f"NOAA SURFRAD, {name_file(path)}",
        "measured",
        instantaneous=False,
        units=units,
    )
    return make_frame(values, station, path)


def _check_surfrad(text: str, path: str | storage.Place) -> None:
    """Refuse lines that pvlib would fill with NaN."""
    lines = text.splitlines()
    for number, line in enumerate(lines[2:], start=3):
        found = len(line.split())
        if found != _SURFRAD_FIELDS:
            raise refuse(path, _SURFRAD, f"line {number} has {found} fields, not {_SURFRAD_FIELDS}")
    if len(lines) < 4:
        raise refuse(path, _SURFRAD, "it has fewer than two lines of values")


def _parse_surfrad(text: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pvlib.iotools

    with tempfile.TemporaryDirectory() as folder:  # pvlib takes a path alone
        copy = Path(folder, "surfrad.dat")
        copy.write_text(text, encoding="utf-8")
        found: tuple[pd.DataFrame, dict[str, Any]] = pvlib.iotools.read_surfrad(copy)
    return found


def read_bsrn(path: str | storage.Place) -> pd.DataFrame:
    """Read a month of a station of BSRN: means over one minute, which the format labels by their start.

    The frame holds logical record 0100: ghi, dni, dhi, lwd with their deviation and extremes, temp_air,
    relative_humidity, pressure. -999 and -99.9 become NaN. The files name no station: its letters are taken from the
    name of the file (`<sss><mm><yy>.dat[.gz]`), else the station's number stands for it.

    Parameters
    ----------
    path : str or Path
        A station-to-archive file, plain or gzipped, local or on S3.

    Returns
    -------
    DataFrame
        One point: index `time` (UTC, start of the step), W/m2.

    Raises
    ------
    UnreadableFileError
        Missing, empty, cut short, without record 0100, or another kind of file.

    Source
    ------
    GCOS-174 (2013), "Update of the Technical Plan for BSRN Data Management": "All time labels in the
    station-to-archive files denote the start of a time interval."

    Examples
    --------
    >>> frame = read_bsrn("bsrn/pay0616.dat.gz")                                # doctest: +SKIP
    >>> frame.attrs["point"]["point_id"], frame.attrs["step_seconds"]           # doctest: +SKIP
    ('pay', 60)
    """
    import pvlib.iotools

    text = open_text(path, _BSRN)
    _check_bsrn(text, path)
    with reading(path, _BSRN):
        values, place = pvlib.iotools.read_bsrn(io.StringIO(text))
        values = values.astype(float)
        number = place["station identification number"]
        stem = name_file(path).split(".")[0].lower()
        station_id = stem[:3] if re.fullmatch(r"[a-z]{3}\d{4}", stem) else f"bsrn-{number}"
        point = {
            "point_id": station_id,
            "name": station_id,
            "latitude": within(place["latitude"], 90),
            "longitude": within(place["longitude"], 180),
            "altitude": float(place["altitude"]),
            "scan_offset_seconds": 0.0,
        }
    source = f"BSRN, station number {number}, {name_file(path)}"
    return make_frame(
        values,
        Station(point, f"BSRN {station_id}", source, "measured", instantaneous=False, units={"pressure": "hPa"}),
        path,
    )


def _check_bsrn(text: str, path: str | storage.Place) -> None:
    lines = text.splitlines()
    if not re.match(r"\*[UC]0001", lines[0]):
        raise refuse(path, _BSRN, "its first line is not *U0001 or *C0001")
    starts = [i for i, line in enumerate(lines) if re.match(r"\*[UC]\d{4}", line)]
    basic = [i for i in starts if lines[i][2:6] == "0100"]
    if not basic:
        raise refuse(path, _BSRN, "it has no logical record 0100, which holds the irradiance")
    rows = next((i for i in starts if i > basic[0]), len(lines)) - basic[0] - 1
    if rows < 4 or rows % 2:
        raise refuse(path, _BSRN, f"record 0100 has {rows} lines: it needs two a minute, and at least two minutes")
