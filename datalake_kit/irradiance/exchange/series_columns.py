"""What writers of series share: whole components, the instants of the values, and names of files."""

from __future__ import annotations

from urllib.parse import quote

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.judging.components import diffuse_of, dni
from datalake_kit.irradiance.judging.places import Place

__all__ = ["WEATHER", "components", "file_name", "instants", "refuse_gaps", "weather"]

# Weather beside the irradiance, in the units that the text formats write: column, unit, and factors from other units.
WEATHER: dict[str, tuple[str, dict[str, float]]] = {
    "temp_air": ("degC", {}),
    "wind_speed": ("m/s", {}),
    "wind_direction": ("degree", {}),
    "relative_humidity": ("%", {}),
    "pressure": ("hPa", {"Pa": 0.01, "hPa": 1.0, "mbar": 1.0}),
}


def components(frame: pd.DataFrame, *, with_dni: bool = True) -> pd.DataFrame:
    """Return ghi, dhi, bhi (= ghi - dhi, never below 0) and dni, in W/m2; what is not there is computed.

    A computed dni is 0 with the sun lower than 3 degrees, where the direct part cannot be told.

    Raises
    ------
    ColumnNotFoundError
        No ghi, or neither dhi nor fraction_diffuse.
    """
    if "ghi" not in frame:
        raise ColumnNotFoundError(f"The frame has no column ghi, only {', '.join(map(str, frame.columns))}.")
    ghi, dhi = frame["ghi"].astype(float), diffuse_of(frame)
    result = pd.DataFrame({"ghi": ghi, "dhi": dhi, "bhi": (ghi - dhi).clip(lower=0)})
    if with_dni:
        # Where ghi or dhi is a gap, dni being 0 does not hide it: they are checked themselves.
        result["dni"] = frame["dni"].astype(float) if "dni" in frame else dni(frame).fillna(0.0)
    return result


def weather(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the weather of a frame in the units of `WEATHER`.

    Raises
    ------
    DataError
        A unit that is not known.
    """
    found, units = {}, frame.attrs.get("units", {})
    for column, (unit, factors) in WEATHER.items():
        if column in frame:
            given = units.get(column, unit)
            if given != unit and given not in factors:
                raise DataError(f"{column} is in {given!r}: give it in {unit}, and say so in attrs['units'].")
            found[column] = frame[column].astype(float) * factors.get(given, 1.0)
    return pd.DataFrame(found, index=frame.index)


def instants(frame: pd.DataFrame, place: Place) -> pd.DatetimeIndex:
    """Return the instants that the values stand for, to the minute: that of the scan, or the middle of a mean."""
    times = pd.DatetimeIndex(frame.index) + pd.Timedelta(seconds=place.offset_seconds)
    return times.round("min")


def refuse_gaps(values: pd.DataFrame, form: str) -> None:
    """Refuse values that a format cannot leave out.

    Raises
    ------
    DataError
        Gaps; their number is said.
    """
    gaps = values.isna().any(axis=1)
    if gaps.any():
        columns = ", ".join(str(c) for c in values if values[c].isna().any())
        raise DataError(
            f"{int(gaps.sum())} of {len(values)} steps have gaps ({columns}), the first at {values.index[gaps][0]}: "
            f"format={form!r} has no way to say missing. Fill them, or export netcdf or parquet."
        )


def file_name(point: str, suffix: str) -> str:
    """Return the name of the file of a point; what no file name can hold is written as %XX.

    >>> file_name("roof/1", ".csv")
    'roof%2F1.csv'
    """
    name = quote(point, safe=" ()+,;=@_-")
    return f"{'%2E' + name[1:] if name.startswith('.') else name}{suffix}"
