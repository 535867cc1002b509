"""Where points lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes

from datalake_kit.errors import DataError
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels, marks
from datalake_kit.plots.irradiance.point import require_frame
from datalake_kit.plots.lettering import drawable, families, short_name

__all__ = ["points_map"]

_NAMED = 40  # more points than this are not named
_MARGIN = 0.08  # of the wider side; at least half a degree


def points_map(points: pd.DataFrame, plane: pd.DataFrame | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw where points lie: degrees east and north, over a plane of a file when one is given.

    Parameters
    ----------
    points : DataFrame
        point_id or name, latitude, longitude, as in the `points` of an extraction. More than 40 are not named.
    plane : DataFrame, optional
        What `dk.irradiance.read_plane` gives; masked cells (sea, off the disk) have a colour of their own.
    ax : Axes, optional

    Raises
    ------
    ColumnNotFoundError
        No latitude, no longitude, or neither point_id nor name.
    DataError
        No points, or a point without a place.

    Examples
    --------
    >>> points_map(result.points, dk.irradiance.read_plane(path))       # doctest: +SKIP
    """
    require_frame(points, ("latitude", "longitude"))
    if points.empty or not np.isfinite(points[["latitude", "longitude"]].to_numpy(float)).all():
        raise DataError("There is no point to draw." if points.empty else "A point has no latitude or longitude.")
    if "name" not in points:
        require_frame(points, ("point_id",))
    with style.style():
        ax = style.axes(ax, width=7.0, height=6.2)
        ax.grid(visible=plane is None, axis="both")
        if plane is None:
            _frame_points(ax, points)
        else:
            _draw_plane(ax, plane)
        ax.set_aspect("equal")
        ax.set_xlabel("degrees east")
        ax.set_ylabel("degrees north")
        unnamed = _draw_points(ax, points)
        title, details = _title(len(points), plane)
        labels.write_title(ax, title, [*details, f"{unnamed} names left out: no room"] if unnamed else details)
    return ax


def _title(count: int, plane: pd.DataFrame | None) -> tuple[str, list[str]]:
    points = "1 point" if count == 1 else f"{count:,} points"
    if plane is None:
        return points, []
    variable, when = plane.attrs.get("variable", ""), plane.attrs.get("time")
    made = "synthetic" if "synthetic" in plane.attrs.get("title", "").casefold() else ""
    details = [f"{when:%Y-%m-%d %H:%M} UTC" if when else "", made]
    return f"{points} over {labels.component(variable).name}", [d for d in details if d]


def _frame_points(ax: Axes, points: pd.DataFrame) -> None:
    """Leave room about the points, and about a single one as well."""
    sides = [points[name].to_numpy(float) for name in ("longitude", "latitude")]
    wider = max(float(np.ptp(side)) for side in sides)
    margin = max(_MARGIN * wider, 0.5)
    ax.set_xlim(sides[0].min() - margin, sides[0].max() + margin)
    ax.set_ylim(sides[1].min() - margin, sides[1].max() + margin)


def _draw_plane(ax: Axes, plane: pd.DataFrame) -> None:
    north, east = plane.index.to_numpy(float), plane.columns.to_numpy(float)
    half = [abs(axis[1] - axis[0]) / 2 if len(axis) > 1 else 0.025 for axis in (east, north)]
    image = ax.imshow(
        np.ma.masked_invalid(plane.to_numpy(float)),
        origin="upper" if north[0] > north[-1] else "lower",
        extent=(east.min() - half[0], east.max() + half[0], north.min() - half[1], north.max() + half[1]),
        cmap=colormaps["inferno"].with_extremes(bad=style.MISSING),
        interpolation="none",
        vmin=0,
    )
    marks.draw_scale(ax, image, plane.attrs.get("units", "").replace("m2", "m²"))


def _draw_points(ax: Axes, points: pd.DataFrame) -> int:
    """Draw each point, with its name where there are not too many; return how many names found no room."""
    east, north = points["longitude"].to_numpy(float), points["latitude"].to_numpy(float)
    many = len(points) > _NAMED
    ax.plot(
        east, north, "o", color="white", markeredgecolor="black", markersize=3.5 if many else 5.5,
        markeredgewidth=0.6 if many else 1, zorder=3, gid="points",
    )  # fmt: skip
    if many:
        return 0
    names = points["name"] if "name" in points else points["point_id"]
    return _name_points(ax, east, north, [short_name(str(n), 28) for n in names])


def _name_points(ax: Axes, east: np.ndarray, north: np.ndarray, names: list[str]) -> int:
    """Write each name on the right, else on the left; return how many there is no room for."""
    root = ax.get_figure(root=True)
    if root is not None:
        root.draw_without_rendering()  # sides that are equal, and the room for labels, are known only then
    taken: list[Any] = []
    for x, y, name in zip(east, north, names, strict=True):
        for side, align in ((7, "left"), (-7, "right")):
            text = _write_name(ax, (x, y), name, side, align)
            box = text.get_window_extent()
            inside = ax.get_window_extent().expanded(1.02, 1.02)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
    return len(names) - len(taken)


def _write_name(ax: Axes, place: tuple[float, float], name: str, side: int, align: str) -> Any:
    return ax.annotate(
        drawable(name), place, (side, 0), textcoords="offset points", ha=align, va="center",
        fontsize=style.SMALLEST_TEXT, parse_math=False, zorder=4, family=list(families()),
        path_effects=[patheffects.withStroke(linewidth=2.5, foreground="white")],
    )  # fmt: skip
