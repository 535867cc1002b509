"""Points on the ground, and the grid cells of a product that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError, PointNotFoundError
from datalake_kit.irradiance.describing.point_forms import PointsLike, frame_of, whole_numbers

__all__ = ["Grid", "PointsLike", "locate_points", "read_points"]

Array = np.ndarray[Any, Any]

EARTH_RADIUS_KM = 6371.0
_NAMES = {
    "point_id": ("point_id", "id", "point", "station"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
}
_CELLS = {
    "row": ("row", "lat_index", "latitude_index"),
    "column": ("column", "col", "lon_index", "longitude_index"),
}


@dataclass(frozen=True)
class Grid:
    """The centres of the cells of a product, in degrees: latitudes of the rows, longitudes of the columns."""

    latitude: Array
    longitude: Array

    def __post_init__(self) -> None:
        for name, axis in (("latitude", self.latitude), ("longitude", self.longitude)):
            step = np.diff(axis)
            if axis.ndim != 1 or axis.size < 2 or not (np.all(step > 0) or np.all(step < 0)):
                raise DataError(f"The {name}s of the file are no grid: they must rise or fall all along one dimension.")

    def wrap(self, longitude: Array) -> Array:
        """Return longitudes as the grid counts them: 355 in place of -5 where it reaches from 0 to 360 degrees."""
        first, last = np.sort(self.longitude[[0, -1]].astype(float))
        middle = (first + last) / 2
        wrapped: Array = (longitude - middle + 180) % 360 - 180 + middle
        return wrapped

    def same(self, latitude: Array, longitude: Array) -> bool:
        """Tell whether a file with these coordinates is on this grid."""
        return np.array_equal(self.latitude, latitude) and np.array_equal(self.longitude, longitude)


def read_points(points: PointsLike) -> pd.DataFrame:
    """Return points as a frame: point_id (text), latitude, longitude (degrees), and name, altitude (m) where given.

    Parameters
    ----------
    points : DataFrame, path of a CSV or GeoJSON file, GeoJSON as a mapping, or sequence of (id, latitude, longitude)
        Columns may be called id or point_id, lat or latitude, lon or longitude, in any case. Cells of a grid are given
        by the columns row and column in place of the degrees (see `index_points`); their places are known when
        `locate_points` has seen the grid, and NaN until then.

    Raises
    ------
    DataError
        A column is missing, an id occurs twice, a coordinate is no number or outside the world.

    Examples
    --------
    >>> read_points([("turin", 45.07, 7.69)]).iloc[0].to_dict()
    {'point_id': 'turin', 'latitude': 45.07, 'longitude': 7.69}
    """
    frame = frame_of(points)
    found = _known_columns(frame)
    result = pd.DataFrame({"point_id": _identifiers(frame[_column(found, "point_id", _NAMES)])})
    by_cell = all(any(n in found for n in names) for names in _CELLS.values())
    if by_cell and not any(n in found for name in ("latitude", "longitude") for n in _NAMES[name]):
        result["latitude"] = result["longitude"] = np.nan
        for name in _CELLS:
            result[name] = whole_numbers(frame[_column(found, name, _CELLS)], name)
    else:
        for name in ("latitude", "longitude"):
            result[name] = pd.to_numeric(frame[_column(found, name, _NAMES)], errors="coerce").astype(float)
    if "name" in found:
        result["name"] = frame[found["name"]]
    if "altitude" in found:
        result["altitude"] = _altitudes(frame[found["altitude"]])
    _check(result)
    return result.reset_index(drop=True)


def locate_points(points: pd.DataFrame, grid: Grid, *, max_distance_km: float = 5.0) -> pd.DataFrame:
    """Find the nearest cell of each point.

    Returns
    -------
    DataFrame
        The points with row, column, cell_latitude, cell_longitude (degrees) and distance_km.

    Raises
    ------
    PointNotFoundError
        Points off the grid, or farther from the nearest centre than `max_distance_km`: all are listed, and a point
        that would be on the grid with latitude and longitude exchanged is said to be so.

    Examples
    --------
    >>> grid = Grid(np.linspace(46, 44, 41), np.linspace(7, 9, 41))
    >>> found = locate_points(read_points([("turin", 45.07, 7.69)]), grid)
    >>> found[["row", "column", "distance_km"]].round(1).iloc[0].tolist()
    [19.0, 14.0, 2.4]
    """
    result = points.copy()
    if "row" in points and points["latitude"].isna().all():
        return _with_places(result, grid)
    longitude = grid.wrap(points["longitude"].to_numpy(float))
    row = _nearest(grid.latitude, points["latitude"].to_numpy(float))
    column = _nearest(grid.longitude, longitude)
    result["row"], result["column"] = row, column
    result["cell_latitude"] = grid.latitude[row].astype(float).round(5)
    result["cell_longitude"] = grid.longitude[column].astype(float).round(5)
    result["distance_km"] = _distance(result)
    far = result[~_on_grid(result, grid) | (result["distance_km"] > max_distance_km)]
    if len(far):
        raise PointNotFoundError(_far_message(far, grid, max_distance_km))
    return result


def _with_places(points: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Give points that are cells the places of these cells."""
    for name, axis in (("row", grid.latitude), ("column", grid.longitude)):
        off = points[points[name] >= len(axis)]
        if len(off):
            named = [f"{p.point_id} ({name} {getattr(p, name)})" for p in off.head(10).itertuples()]
            raise PointNotFoundError(
                f"{len(off)} points are off the grid, which has {len(grid.latitude)} rows and {len(grid.longitude)} "
                f"columns, counted from 0: {_some(named, len(off))}."
            )
    latitude = grid.latitude[points["row"].to_numpy()].astype(float).round(5)
    longitude = grid.longitude[points["column"].to_numpy()].astype(float).round(5)
    points["latitude"], points["longitude"] = latitude, ((longitude + 180) % 360 - 180).round(5)
    points["cell_latitude"], points["cell_longitude"] = latitude, longitude
    return points.assign(distance_km=0.0)


def _known_columns(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the columns by their names in small letters; one of several for a coordinate is not chosen silently."""
    names = [str(c).strip().casefold() for c in frame.columns]
    used = {n for known in (*_NAMES.values(), *_CELLS.values(), ("name",), ("altitude",)) for n in known}
    twice = [n for n in names if n in used and names.count(n) > 1]
    for coordinate in ("latitude", "longitude"):
        several = [n for n in names if n in _NAMES[coordinate]]
        twice += several if len(several) > 1 else []
    if twice:
        raise DataError(f"The points have several columns for one thing: {', '.join(twice)}. Keep one of them.")
    return dict(zip(names, frame.columns, strict=True))


def _column(found: dict[str, Any], name: str, names: dict[str, tuple[str, ...]]) -> Any:
    for candidate in names[name]:
        if candidate in found:
            return found[candidate]
    raise DataError(
        f"The points have no column for the {name.replace('point_', '')}: there are {', '.join(found)}. "
        f"Call it one of {', '.join(names[name])}."
    )


def _altitudes(values: pd.Series) -> pd.Series:
    """Return metres; an empty cell is an altitude that is not known."""
    text = values.astype(object).where(values.notna() & (values.astype(str).str.strip() != ""))
    numbers = pd.to_numeric(text, errors="coerce")
    bad = numbers.isna() & text.notna()
    if bad.any():
        raise DataError(f"An altitude is metres above the sea, not {values[bad].iloc[0]!r}.")
    return numbers


def _identifiers(values: pd.Series) -> pd.Series:
    if values.isna().any():
        raise DataError(f"{int(values.isna().sum())} points have no id: give each one.")
    if pd.api.types.is_float_dtype(values) and (values == values.round()).all():
        values = values.astype("int64")
    names = values.astype(str).str.strip()
    bad = names[(names == "") | names.str.contains(r"[\x00-\x1f\x7f-\x9f]")]
    if len(bad):
        raise DataError(f"An id is text of at least one character, without control characters, not {bad.iloc[0]!r}.")
    return names


def _check(points: pd.DataFrame) -> None:
    if points.empty:
        raise DataError("There are no points: give at least one.")
    twice = points["point_id"][points["point_id"].duplicated()].unique().tolist()
    if twice:
        raise DataError(f"These ids occur more than once among the points: {_some(twice)}. Make each id unique.")
    if "row" in points:
        return
    latitude, longitude = points["latitude"], points["longitude"]
    swapped = (latitude.abs() > 90) & (latitude.abs() <= 180) & (longitude.abs() <= 90)
    if swapped.any():
        names = points.loc[swapped, "point_id"].tolist()
        raise DataError(f"Latitude and longitude look exchanged for {_some(names)}: a latitude is between -90 and 90.")
    bad = ~((latitude.abs() <= 90) & (longitude >= -180) & (longitude <= 360))
    if bad.any():
        names = [f"{p.point_id} ({p.latitude}, {p.longitude})" for p in points[bad].head(10).itertuples()]
        raise DataError(
            f"These points have no place on Earth: {_some(names, int(bad.sum()))}. Give degrees north and degrees east."
        )


def _nearest(axis: Array, values: Array) -> Array:
    order = np.argsort(axis)
    rising = axis[order].astype(float)
    right = np.clip(np.searchsorted(rising, values), 1, len(axis) - 1)
    nearer_left = values - rising[right - 1] <= rising[right] - values
    result: Array = order[right - nearer_left]
    return result


def _on_grid(located: pd.DataFrame, grid: Grid) -> Array:
    # axes may be in single precision: at 80 degrees that is 4e-6, and cells have no gap between them
    half = [float(np.abs(np.diff(a.astype(float))).max()) * 0.5 + 1e-4 for a in (grid.latitude, grid.longitude)]
    north = (located["latitude"] - located["cell_latitude"]).abs() <= half[0]
    apart = (located["longitude"] - located["cell_longitude"] + 180) % 360 - 180
    return (north & (apart.abs() <= half[1])).to_numpy()


def _distance(located: pd.DataFrame) -> Array:
    """Return the great-circle distance in km between each point and the centre of its cell."""
    a, b = np.radians(located["latitude"].to_numpy()), np.radians(located["cell_latitude"].to_numpy())
    east = np.radians((located["longitude"] - located["cell_longitude"]).to_numpy())
    h = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(east / 2) ** 2
    result: Array = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))
    return result


def _far_message(far: pd.DataFrame, grid: Grid, limit: float) -> str:
    lines = [
        f"{p.point_id} ({p.latitude:g}, {p.longitude:g}): {p.distance_km:.1f} km" for p in far.head(10).itertuples()
    ]
    exchanged = far.rename(columns={"latitude": "longitude", "longitude": "latitude"})
    row = _nearest(grid.latitude, exchanged["latitude"].to_numpy())
    column = _nearest(grid.longitude, grid.wrap(exchanged["longitude"].to_numpy()))
    exchanged["cell_latitude"], exchanged["cell_longitude"] = grid.latitude[row], grid.longitude[column]
    fits = far["point_id"][_on_grid(exchanged, grid)].tolist()
    hint = f" With latitude and longitude exchanged, {_some(fits)} would be on the grid." if fits else ""
    return (
        f"{len(far)} points have no grid cell within {limit:g} km: {_some(lines, len(far))}. The grid reaches from "
        f"{grid.latitude.min():g} to {grid.latitude.max():g} N and {grid.longitude.min():g} to "
        f"{grid.longitude.max():g} E.{hint} Leave them out, or give max_distance_km."
    )


def _some(names: list[Any], count: int | None = None, most: int = 10) -> str:
    """Name at most ten, and say how many more there are; `names` may be the first of `count`."""
    count = len(names) if count is None else count
    shown = ", ".join(str(n) for n in names[:most])
    return shown + (f" and {count - most} more" if count > most else "")
