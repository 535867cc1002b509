"""Series as a NetCDF file of CF's kind timeSeries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.judging.places import Place
from datalake_kit.irradiance.judging.steps import step_of

if TYPE_CHECKING:
    import xarray

__all__ = ["write_netcdf"]

_STANDARD_NAMES = {
    "ghi": "surface_downwelling_shortwave_flux_in_air",
    "dhi": "surface_diffuse_downwelling_shortwave_flux_in_air",
    "bhi": "surface_direct_downwelling_shortwave_flux_in_air",
    "dni": "surface_direct_along_beam_shortwave_flux_in_air",
    "ghi_clear": "surface_downwelling_shortwave_flux_in_air_assuming_clear_sky",
    "temp_air": "air_temperature",
    "relative_humidity": "relative_humidity",
    "wind_speed": "wind_speed",
    "wind_direction": "wind_from_direction",
    "pressure": "surface_air_pressure",
    "solar_zenith": "solar_zenith_angle",
    "solar_elevation": "solar_elevation_angle",
}
_UNITS = {"W/m2": "W m-2", "mW/m2": "mW m-2", "m/s": "m s-1", "": "1"}
_STATION = "station"


def write_netcdf(parts: Sequence[tuple[Place, pd.DataFrame]], target: Path, said: dict[str, Any]) -> None:
    """Write series of points at their common times; `export` says what the file holds.

    Raises
    ------
    DataError
        A column that NetCDF cannot hold.
    """
    times = pd.DatetimeIndex(parts[0][1].index)
    for _, frame in parts[1:]:
        times = times.union(pd.DatetimeIndex(frame.index))
    data = _dataset(parts, times, said)
    encoding = {"time": {"units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int64"}}
    if "time_bnds" in data:
        encoding["time_bnds"] = dict(encoding["time"])
    data.to_netcdf(target, engine="netcdf4", format="NETCDF4", encoding=encoding)


def _dataset(
    parts: Sequence[tuple[Place, pd.DataFrame]], times: pd.DatetimeIndex, said: dict[str, Any]
) -> xarray.Dataset:
    import xarray

    naive = times.tz_localize(None).as_unit("us")
    means = said.get("instantaneous") is False
    data = xarray.Dataset(coords={"time": ("time", naive, _time_attributes(means=means))})
    _add_stations(data, [place for place, _ in parts], means=means)
    if means:
        step = step_of(pd.DatetimeIndex(parts[0][1].index))
        data["time_bnds"] = (("time", "bnds"), np.stack([naive, naive + step], axis=1))
    for column in dict.fromkeys(c for _, frame in parts for c in frame):
        values = [frame[column].reindex(times) if column in frame else pd.Series(np.nan, times) for _, frame in parts]
        array, attributes = _values(str(column), values, said)
        attributes |= {"cell_methods": f"time: {'mean' if means else 'point'}"}
        data[str(column)] = ((_STATION, "time"), array, attributes)
        data[str(column)].encoding = {"coordinates": "latitude longitude altitude station_name"}
    data.attrs = {
        "Conventions": "CF-1.8",
        "featureType": "timeSeries",
        "title": str(said.get("title") or "Irradiance of points"),
        "source": str(said.get("source") or said.get("product") or "unknown"),
        "comment": "synthetic: nothing was measured" if said.get("synthetic") else str(said.get("origin", "")),
    }
    return data


def _time_attributes(*, means: bool) -> dict[str, str]:
    words = "time_bnds bound the mean" if means else "values hold for time + scan_offset of the station"
    found = {"standard_name": "time", "axis": "T", "long_name": f"start of the step, UTC; {words}"}
    return found | ({"bounds": "time_bnds"} if means else {})


def _add_stations(data: xarray.Dataset, places: Sequence[Place], *, means: bool) -> None:
    data["station_id"] = (
        _STATION,
        np.array([p.point_id for p in places], dtype=object),
        {"cf_role": "timeseries_id", "long_name": "point_id"},
    )
    data.coords["station_name"] = (
        _STATION,
        np.array([p.name for p in places], dtype=object),
        {"standard_name": "platform_name"},
    )
    for name, values, units in (
        ("latitude", [p.latitude for p in places], "degrees_north"),
        ("longitude", [p.longitude for p in places], "degrees_east"),
        ("altitude", [p.altitude if p.altitude_known else np.nan for p in places], "m"),
    ):
        attributes = {"standard_name": name, "units": units} | (
            {"positive": "up", "axis": "Z"} if name == "altitude" else {}
        )
        data.coords[name] = (_STATION, np.array(values, dtype=float), attributes)
    if not means:
        offsets = np.array([p.offset_seconds for p in places], dtype=float)
        data["scan_offset"] = (_STATION, offsets, {"units": "s", "long_name": "from time to the instant of the values"})


def _values(column: str, values: list[pd.Series], said: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return an array (station, time) and its attributes; whole numbers with gaps get a fill value."""
    attributes: dict[str, Any] = {"long_name": column}
    if column in _STANDARD_NAMES:
        attributes["standard_name"] = _STANDARD_NAMES[column]
    units = said.get("units", {}).get(column)
    if units is not None:
        attributes["units"] = _UNITS.get(units, units)
    flags = said.get("flags", {}).get(column)
    if flags:
        for kind in ("masks", "values"):
            if kind in flags:
                attributes[f"flag_{kind}"] = np.array(flags[kind], dtype="int32")
        attributes["flag_meanings"] = " ".join("_".join(str(m).split()) for m in flags["meanings"])
    joined = pd.concat(values, ignore_index=True)
    if isinstance(joined.dtype, pd.DatetimeTZDtype):
        return np.stack([v.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy() for v in values]), attributes
    if not (pd.api.types.is_numeric_dtype(joined.dtype) or pd.api.types.is_bool_dtype(joined.dtype)):
        raise DataError(f"Column {column} holds {joined.dtype}: NetCDF takes numbers. Leave it out, or export parquet.")
    if all(isinstance(v.dtype, pd.Int32Dtype) for v in values) or flags:
        least = np.iinfo("int32").min
        attributes["_FillValue"] = np.int32(least)
        return np.stack([v.astype("Int32").fillna(least).to_numpy("int32") for v in values]), attributes
    return np.stack([v.to_numpy(dtype="float64", na_value=np.nan) for v in values]), attributes
