"""A year of points under the demo sky, written as an extraction writes its days: made, not extracted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.demo.sky_model import EPOCH, YEAR, Sky
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import local_path

__all__ = ["build"]

Array = np.ndarray[Any, Any]

SLOTS = 96
STEP_SECONDS = 900
ORIGIN = "made by datalake_kit for its demo lake from a sky by formula; not extracted from files, not measured"
# Outages, so that pictures have gaps: whole days, and hours of single days (day of the year, first slot, last slot).
LOST_DAYS = (61, 62, 213)
LOST_SLOTS = ((17, 40, 47), (118, 36, 61), (171, 30, 33), (244, 50, 52), (300, 28, 44))


@dataclass(frozen=True)
class _Series:
    """A year of one point: (days, slots) of each column."""

    point_id: str
    columns: dict[str, Array]


def build(
    table: Path,
    points: pd.DataFrame,
    *,
    sky: Sky,
    progress: Callable[[int], None],
    flags: dict[str, list[Any]],
) -> None:
    """Write the days that are not there yet."""
    table = local_path(table)
    days = [date(YEAR, 1, 1) + timedelta(days=n) for n in range(365)]
    digest = daily.points_digest(points)
    absent = {d for d in days if not _is_finished(table, d, digest)}
    series = [_year_of(sky, p) for p in points.sort_values("point_id").itertuples()] if absent else []
    for number, day in enumerate(days):
        if day in absent:
            _write(table, day, number, series, digest)
        progress(1)
    named = {"quality_flag": flags}
    daily.write_table_info(table, MSG_MDSSFTD, points, step_seconds=STEP_SECONDS, origin=ORIGIN, flags=named)


def _is_finished(table: Path, day: date, digest: str) -> bool:
    manifest = daily.finished_manifest(table, day)
    return manifest is not None and manifest.points == digest


def _year_of(sky: Sky, point: Any) -> _Series:
    """Look at the sky over the cell of a point at every slot, and round as the files of the product are packed."""
    patch = sky.patch(np.array([point.cell_latitude]), np.array([point.cell_longitude]))
    offset = np.array([MSG_MDSSFTD.scan_offset(point.cell_latitude)])
    view = patch.see(np.arange(365 * SLOTS) * float(STEP_SECONDS), offset)
    flag = (view.cloud > 0.5) * 2 + (view.ghi < 0.05) * 4
    columns = {
        "ghi": np.rint(view.ghi * 10).astype("i2") * 0.1,
        "fraction_diffuse": np.rint(view.fraction_diffuse * 1000).astype("i2") * 0.001,
        "quality_flag": flag.astype("i4"),
    }
    return _Series(point.point_id, {name: values.reshape(365, SLOTS) for name, values in columns.items()})


def _write(table: Path, day: date, number: int, series: list[_Series], digest: str) -> None:
    kept = _slots_kept(number)
    start = EPOCH + np.timedelta64(number, "D")
    times = (start + np.flatnonzero(kept) * np.timedelta64(STEP_SECONDS, "s")).astype("datetime64[us]")
    columns: dict[str, Any] = {
        "time": pa.array(np.tile(times, len(series)), pa.timestamp("us")),
        "point_id": pa.array(np.repeat([s.point_id for s in series], len(times)), pa.string()),
    }
    for name in series[0].columns:
        columns[name] = pa.array(np.concatenate([s.columns[name][number][kept] for s in series]))
    rows = pa.table(columns)
    names = tuple(v.name for v in MSG_MDSSFTD.variables)
    made = ((ORIGIN, 0, 0),)
    manifest = daily.DayManifest(MSG_MDSSFTD.name, day.isoformat(), names, digest, made, rows=rows.num_rows)
    daily.write_day(table, day, rows, manifest)


def _slots_kept(number: int) -> Array:
    kept = np.full(SLOTS, number not in LOST_DAYS)
    for day, first, last in LOST_SLOTS:
        if day == number:
            kept[first : last + 1] = False
    return kept
