"""Write series in the formats that other tools read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from datalake_kit import storage
from datalake_kit.errors import DataError, ParameterError, did_you_mean
from datalake_kit.irradiance.exchange.hourly_text import ninja_text, pvgis_text
from datalake_kit.irradiance.exchange.netcdf import write_netcdf
from datalake_kit.irradiance.exchange.series_columns import file_name
from datalake_kit.irradiance.exchange.weather_text import pvsyst_text, sam_text
from datalake_kit.irradiance.judging.places import Place, place_of
from datalake_kit.irradiance.judging.several import each_point
from datalake_kit.storage import Place as Location

__all__ = ["export"]

_TEXTS: dict[str, Callable[[pd.DataFrame, Place], str]] = {
    "pvgis": pvgis_text,
    "ninja": ninja_text,
    "sam": sam_text,
    "pvsyst": pvsyst_text,
}
_FORMATS = (*_TEXTS, "netcdf", "parquet")


def export(frame: pd.DataFrame, path: str | Location, *, format: str = "pvgis") -> list[Location]:  # noqa: A002 - the word for it in every writer of pandas
    """Write a series in a format that another tool reads; return the files.

    A series of one point becomes the file `path`. Several points become one file each in the folder `path`, named by
    the point's id; netcdf puts them as stations into the file `path`. Files are replaced as a whole, or not at all.

    What each format holds; other columns of the frame are not written:

    ========  ======================================================================================================
    pvgis     Hourly series of PVGIS on a plane of slope 0: Gb(i) (bhi), Gd(i) (dhi; their sum is ghi), Gr(i) = 0,
              H_sun, T2m and WS10m (temp_air, wind_speed, where the frame has them), Int (1 where `filled`). The label
              is the instant that the value stands for, to the minute. The frame's own step. W/m2, 2 decimals.
    ninja     renewables.ninja: three comment lines; time (the instant, UTC), irradiance_direct, irradiance_diffuse on
              the horizontal plane (kW/m2), temperature (temp_air). No electricity: there is no plant.
    sam       SAM CSV: one calendar year in UTC (Time Zone 0), 29 February left out and said in Source; GHI, DNI, DHI
              (W/m2), and Temperature, Wind Speed, Wind Direction, Relative Humidity, Pressure (mbar) where the frame
              has them (SAM's models of plants need the first two). Minute is the instant of the sun's position.
    pvsyst    PVsyst's standard format: whole UTC days of hours (Time Zone 0); GHI, DHI (W/m2), TAmb, WindVel. Shorter
              steps are averaged to the hour; a comment line says for how many minutes past the hour values stand.
    netcdf    CF-1.8 timeSeries: every column of numbers, dimension station, units, standard_name, flag_masks,
              cell_methods (point, with scan_offset in seconds of each station; or mean, with time_bnds).
    parquet   Every column, time first; places, units and the rest of `attrs` in the file's metadata.
    ========  ======================================================================================================

    Gaps: pvgis, ninja, sam and pvsyst have no way to say missing and refuse them with their number; netcdf writes
    _FillValue (NaN; of whole numbers their least), parquet null. dhi is ghi x fraction_diffuse when it is not there; a
    dni that is not there is `dni(frame)`, and 0 with the sun lower than 3 degrees, where the direct part cannot be
    told. dhi above ghi counts as ghi in pvgis and ninja.

    Parameters
    ----------
    frame : DataFrame
        Series of one point (index time) or several ((point_id, time)), W/m2, with the places in its attrs.
    path : str or Path
        File, or folder for several points; local or on S3.
    format : str
        pvgis, ninja, sam, pvsyst, netcdf or parquet.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ParameterError
        No such format.
    ColumnNotFoundError
        No ghi, or neither dhi nor fraction_diffuse.
    DataError
        The place is not known; gaps; a series that the format cannot hold; no rows.

    Source
    ------
    PVGIS user manual; SAM help, "SAM CSV Format for Solar" and "Time Convention"; PVsyst help, "PVsyst standard format"
    and "Time Definition"; CF conventions 1.8, chapter 9 and appendix H.

    Examples
    --------
    >>> export(frame, "out/turin.csv", format="sam")                            # doctest: +SKIP
    [PosixPath('.../out/turin.csv')]
    """
    if format not in _FORMATS:
        raise ParameterError(f"No format {format!r}. {did_you_mean(format, _FORMATS)} Formats: {', '.join(_FORMATS)}.")
    if not len(frame):
        raise DataError("The frame has no rows: nothing was written.")
    target = storage.place(path)
    several = isinstance(frame.index, pd.MultiIndex)
    parts = [_in_utc(one) for one in each_point(frame)] if several else [_in_utc(frame)]
    if format == "netcdf":
        places = [place_of(one) for one in parts]
        with storage.write_atomically(target) as temporary:
            write_netcdf(list(zip(places, parts, strict=True)), temporary, {str(k): v for k, v in frame.attrs.items()})
        return [target]
    suffix = ".parquet" if format == "parquet" else ".csv"
    files = [target / file_name(_id(one), suffix) for one in parts] if several else [target]
    contents = [_parquet(one) if format == "parquet" else _TEXTS[format](one, place_of(one)).encode() for one in parts]
    for file, content in zip(files, contents, strict=True):  # all are made before any is written
        with storage.write_atomically(file) as temporary:
            temporary.write_bytes(content)
    return files


def _id(frame: pd.DataFrame) -> str:
    return str(frame.attrs["point"]["point_id"])


def _in_utc(frame: pd.DataFrame) -> pd.DataFrame:
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise DataError("A series is indexed by times with a zone, as `read` gives them.")
    if not index.is_monotonic_increasing or index.has_duplicates:
        raise DataError("The times of a series rise: sort them, and keep one value for each.")
    found = frame.set_axis(index.tz_convert("UTC").rename("time"))
    found.attrs = dict(frame.attrs)
    return found


def _parquet(frame: pd.DataFrame) -> bytes:
    named = frame.reset_index()
    named.attrs = _plain(frame.attrs)
    content: bytes = named.set_index("time").to_parquet(None)
    return content


def _plain(said: dict[Any, Any]) -> dict[Any, Any]:
    """Return attrs as Parquet's metadata can hold them; numpy's numbers become Python's."""
    found: dict[Any, Any] = json.loads(json.dumps(said, default=lambda v: v.item() if hasattr(v, "item") else str(v)))
    return found
