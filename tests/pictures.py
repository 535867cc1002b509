"""Series to draw, and the way to what was drawn of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from datalake_kit.irradiance.judging.solar import clear_sky
from datalake_kit.plots import irradiance as pictures

# Those that draw one column of one point
KINDS: dict[str, Callable[..., Axes]] = {
    "series": pictures.series,
    "heatmap": pictures.heatmap,
    "daily_energy": pictures.daily_energy,
    "monthly": pictures.monthly,
    "clear_sky_index": pictures.clear_sky_index,
    "duration": pictures.duration,
    "daily_profile": pictures.daily_profile,
    "limits": pictures.limits,
}


def make(days: int = 3, *, latitude: float = 45.0, start: str = "2025-06-18", step: str = "15min") -> pd.DataFrame:
    """A frame as `read` gives it: clear sky times a shade, with a gap of five slots on the first day."""
    whole = _made(days, latitude, start, step)
    frame = whole.copy()
    frame.attrs = {k: dict(v) if isinstance(v, dict) else v for k, v in whole.attrs.items()}
    return frame


@cache
def _made(days: int, latitude: float, start: str, step: str) -> pd.DataFrame:
    count = int(pd.Timedelta(days=days) / pd.Timedelta(step))
    index = pd.date_range(start, periods=count, freq=step, tz="UTC", name="time")
    place = {"point_id": "p", "name": "Alba", "latitude": latitude, "longitude": 8.0, "scan_offset_seconds": 620.0}
    frame = pd.DataFrame({"ghi": 0.0}, index=index)
    frame.attrs = {
        "point": place, "points": {"p": place}, "instantaneous": True, "units": {"ghi": "W/m2", "dhi": "W/m2"},
        "step_seconds": pd.Timedelta(step).total_seconds(), "flags": {},
    }  # fmt: skip
    frame["ghi"] = clear_sky(frame)["ghi_clear"] * 0.9
    frame["dhi"] = frame["ghi"] * 0.2
    frame.loc[index[48:53] if count > 60 else index[12:13], :] = np.nan
    return frame


def several(*frames: pd.DataFrame) -> pd.DataFrame:
    """Points a, b, c ... in one frame."""
    names = [chr(ord("a") + n) for n in range(len(frames))]
    found = pd.concat(dict(zip(names, frames, strict=True)), names=["point_id", "time"])
    places = {n: f.attrs["point"] | {"point_id": n} for n, f in zip(names, frames, strict=True)}
    found.attrs = {k: v for k, v in frames[0].attrs.items() if k != "point"} | {"points": places}
    return found


def subtitle(ax: Axes) -> str:
    """What stands below the title; as one line."""
    text = next(t.get_text() for t in ax.texts if t.get_gid() == "subtitle")
    return text.replace("\n", "  ·  ")


def title(ax: Axes) -> str:
    """The title as one line."""
    return ax.get_title(loc="left").replace("\n", " ")


def line(ax: Axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the line whose label begins so."""
    found = next(i for i in ax.lines if str(i.get_label()).startswith(label))
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def drawn(ax: Axes, gid: str) -> Any:
    """Return the only artist that goes by this name."""
    (found,) = (i for i in (*ax.lines, *ax.collections, *ax.patches) if i.get_gid() == gid)
    return found


def is_drawn(ax: Axes, gid: str) -> bool:
    """Tell whether an artist goes by this name."""
    return any(i.get_gid() == gid for i in (*ax.lines, *ax.collections, *ax.patches))


def boxes(shape: PolyCollection) -> np.ndarray:
    """Return left, right, low and high of each bar of a shape."""
    corners = np.array([path.vertices for path in shape.get_paths()])
    return np.column_stack(
        [corners[..., 0].min(1), corners[..., 0].max(1), corners[..., 1].min(1), corners[..., 1].max(1)]
    )
