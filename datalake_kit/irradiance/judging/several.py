"""Frames of several points: one point at a time, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from datalake_kit.errors import DataError

__all__ = ["each_point", "join_points", "rows_of"]


def each_point(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the series of each point with what the frame says of it, in the order of the frame.

    Raises
    ------
    DataError
        The index is not (point_id, time).
    """
    if list(frame.index.names) != ["point_id", "time"]:
        raise DataError("Several points are indexed by (point_id, time), as `read` gives them.")
    for point in frame.index.get_level_values("point_id").unique():
        one = rows_of(frame, point)
        one.attrs = {k: v for k, v in frame.attrs.items() if k != "points"}
        one.attrs["point"] = {"point_id": point} | frame.attrs.get("points", {}).get(point, {})
        yield one


def rows_of(frame: pd.DataFrame, point: object) -> pd.DataFrame:
    """Return the rows of a point, indexed by time."""
    return frame[frame.index.get_level_values("point_id") == point].droplevel("point_id")


def join_points(parts: Iterable[pd.DataFrame], frame: pd.DataFrame) -> pd.DataFrame:
    """Put results of each point of a frame together, in the order of its rows."""
    names = frame.index.get_level_values("point_id").unique()
    joined = pd.concat(list(parts), keys=names, names=["point_id", "time"])
    result: pd.DataFrame = joined.reindex(frame.index)
    return result
