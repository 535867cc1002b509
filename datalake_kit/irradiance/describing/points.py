"""Points on the ground, and the grid cells of a product that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError, PointNotFoundError
from datalake_kit.storage import local_path

__all__ = ["Grid", "PointsLike", "locate_points", "read_points"]

Array = np.ndarray[Any, Any]
PointsLike = pd.DataFrame | str | Path | Sequence[tuple[Any, float, float]]

EARTH_RADIUS_KM = 6371.0
_NAMES = {
    "point_id": ("point_id", "id", "point", "station"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
}
_KEPT = ("name", "altitude")


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

    def same(self, latitude: Array, longitude: Array) -> bool:
        """Tell whether a file with these coordinates is on this grid."""
        return np.array_equal(self.latitude, latitude) and np.array_equal(self.longitude, longitude)


def read_points(points: PointsLike) -> pd.DataFrame:
    """Return points as a frame: point_id (text), latitude, longitude (degrees), and name, altitude (m) where given.

    Parameters
    ----------
    points : DataFrame, path of a CSV file, or sequence of (id, latitude, longitude)
        Columns may be called id or point_id, lat or latitude, lon or longitude, in any case.

    Raises
    ------
    DataError
        A column is missing, an id occurs twice, a coordinate is no number or outside the world.

    Examples
    --------
    >>> read_points([("turin", 45.07, 7.69)]).iloc[0].to_dict()
    {'point_id': 'turin', 'latitude': 45.07, 'longitude': 7.69}
    """
    frame = _frame(points)
    found = {str(c).strip().casefold(): c for c in frame.columns}
    result = pd.DataFrame({name: frame[_column(found, name)] for name in _NAMES})
    for name in _KEPT:
        if name in found:
            result[name] = frame[found[name]]
    result["point_id"] = _identifiers(result["point_id"])
    for name in ("latitude", "longitude"):
        result[name] = pd.to_numeric(result[name], errors="coerce").astype(float)
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
    row = _nearest(grid.latitude, points["latitude"].to_numpy())
    column = _nearest(grid.longitude, points["longitude"].to_numpy())
    result["row"], result["column"] = row, column
    result["cell_latitude"] = grid.latitude[row].astype(float).round(5)
    result["cell_longitude"] = grid.longitude[column].astype(float).round(5)
    result["distance_km"] = _distance(result)
    far = result[~_on_grid(result, grid) | (result["distance_km"] > max_distance_km)]
    if len(far):
        raise PointNotFoundError(_far_message(far, grid, max_distance_km))
    return result


def _frame(points: PointsLike) -> pd.DataFrame:
    if isinstance(points, pd.DataFrame):
        if points.index.name and str(points.index.name).casefold() in _NAMES["point_id"]:
            return points.reset_index()
        return points
    if isinstance(points, str | Path):
        path = local_path(points)
        if not path.is_file():
            raise DataError(f"No file of points: {path}. Give a CSV file with the columns id, latitude, longitude.")
        return pd.read_csv(path, skipinitialspace=True)
    rows = [tuple(p) for p in points]
    if any(len(r) != 3 for r in rows):
        raise DataError("A point is (id, latitude, longitude); one of the list has another length.")
    return pd.DataFrame(rows, columns=["point_id", "latitude", "longitude"])


def _column(found: dict[str, Any], name: str) -> Any:
    for candidate in _NAMES[name]:
        if candidate in found:
            return found[candidate]
    raise DataError(
        f"The points have no column for the {name.replace('point_', '')}: there are {', '.join(found)}. "
        f"Call it one of {', '.join(_NAMES[name])}."
    )


def _identifiers(values: pd.Series) -> pd.Series:
    if values.isna().any():
        raise DataError(f"{int(values.isna().sum())} points have no id: give each one.")
    if pd.api.types.is_float_dtype(values) and (values == values.round()).all():
        values = values.astype("int64")
    return values.astype(str).str.strip()


def _check(points: pd.DataFrame) -> None:
    if points.empty:
        raise DataError("There are no points: give at least one.")
    twice = points["point_id"][points["point_id"].duplicated()].unique().tolist()
    if twice:
        raise DataError(f"These ids occur more than once among the points: {_some(twice)}. Make each id unique.")
    latitude, longitude = points["latitude"], points["longitude"]
    swapped = (latitude.abs() > 90) & (latitude.abs() <= 180) & (longitude.abs() <= 90)
    if swapped.any():
        names = points.loc[swapped, "point_id"].tolist()
        raise DataError(f"Latitude and longitude look exchanged for {_some(names)}: a latitude is between -90 and 90.")
    bad = latitude.isna() | longitude.isna() | (latitude.abs() > 90) | (longitude.abs() > 180)
    if bad.any():
        names = [f"{p.point_id} ({p.latitude}, {p.longitude})" for p in points[bad].itertuples()]
        raise DataError(f"These points have no place on Earth: {_some(names)}. Give degrees north and degrees east.")


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
    east = (located["longitude"] - located["cell_longitude"]).abs() <= half[1]
    return (north & east).to_numpy()


def _distance(located: pd.DataFrame) -> Array:
    """Return the great-circle distance in km between each point and the centre of its cell."""
    a, b = np.radians(located["latitude"].to_numpy()), np.radians(located["cell_latitude"].to_numpy())
    east = np.radians((located["longitude"] - located["cell_longitude"]).to_numpy())
    h = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(east / 2) ** 2
    result: Array = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))
    return result


def _far_message(far: pd.DataFrame, grid: Grid, limit: float) -> str:
    lines = [f"{p.point_id} ({p.latitude:g}, {p.longitude:g}): {p.distance_km:.1f} km" for p in far.itertuples()]
    exchanged = far.rename(columns={"latitude": "longitude", "longitude": "latitude"})
    row = _nearest(grid.latitude, exchanged["latitude"].to_numpy())
    column = _nearest(grid.longitude, exchanged["longitude"].to_numpy())
    exchanged["cell_latitude"], exchanged["cell_longitude"] = grid.latitude[row], grid.longitude[column]
    fits = far["point_id"][_on_grid(exchanged, grid)].tolist()
    hint = f" With latitude and longitude exchanged, {_some(fits)} would be on the grid." if fits else ""
    return (
        f"{len(far)} points have no grid cell within {limit:g} km: {_some(lines)}. The grid reaches from "
        f"{grid.latitude.min():g} to {grid.latitude.max():g} N and {grid.longitude.min():g} to "
        f"{grid.longitude.max():g} E.{hint} Leave them out, or give max_distance_km."
    )


def _some(names: list[Any], most: int = 10) -> str:
    shown = ", ".join(str(n) for n in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
