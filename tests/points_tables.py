"""Small tables of points, written as an extraction writes its days, and what they hold, told by pandas alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import Place

IDS = ("alba", "milan", "turin")
FLAGS = {"quality_flag": {"masks": [1, 2, 4], "meanings": ["sea", "cloudy", "night"]}}


def points_of(ids: Sequence[str]) -> pd.DataFrame:
    """Places that differ by id."""
    number = np.arange(len(ids))
    places = {"latitude": 44.0 + number * 0.25, "longitude": 7.0 + number * 0.5, "altitude": 100.0 + number}
    return pd.DataFrame({"point_id": list(ids), "name": [i.title() for i in ids], **places})


def rows_of(day: date, ids: Sequence[str], *, slots: Iterable[int] = range(8), version: int = 0) -> pa.Table:
    """Rows of a day, every three hours; values tell point, slot and version; the first of each point is missing."""
    chosen = list(slots)
    begin = np.datetime64(day, "us")
    times = begin + np.array(chosen, "i8") * np.timedelta64(3, "h")
    ids = sorted(ids)
    number = (begin - np.datetime64("2025-01-01", "us")) // np.timedelta64(1, "D")
    ghi = [hash_of(i) + slot + 10.0 * number + 0.5 * version for i in ids for slot in chosen]
    missing = np.array([slot == 0 for _ in ids for slot in chosen], bool)
    columns = {
        "time": pa.array(np.tile(times, len(ids)), pa.timestamp("us")),
        "point_id": pa.array(np.repeat(np.array(ids, object), len(chosen)), pa.string()),
        "ghi": pa.array(np.array(ghi, "f8"), mask=missing),
        "fraction_diffuse": pa.array(np.full(len(ghi), 0.25), mask=missing),
        "quality_flag": pa.array(np.array([slot % 8 for _ in ids for slot in chosen], "i4")),
    }
    return pa.table(columns)


def hash_of(point: str) -> int:
    """A number that tells a point."""
    return sum(map(ord, point)) * 1000


def write_days(
    table: Place,
    first: str,
    count: int,
    ids: Sequence[str] = IDS,
    *,
    slots: Iterable[int] = range(8),
    version: int = 0,
    info: bool = True,
) -> None:
    """Write some days in a row, and the description of the table."""
    chosen = list(slots)
    for number in range(count):
        day = date.fromisoformat(first) + timedelta(days=number)
        rows = rows_of(day, ids, slots=chosen, version=version)
        made = ((f"{day}.nc", rows.num_rows, version),)
        names = ("DSSF_TOT", "FRACTION_DIFFUSE", "quality_flag")
        digest = daily.points_digest(points_of(ids))
        manifest = daily.DayManifest("MSG_MDSSFTD", str(day), names, digest, made, rows=rows.num_rows)
        daily.write_day(table, day, rows, manifest)
    if info:
        daily.write_table_info(table, MSG_MDSSFTD, points_of(ids), step_seconds=10800, flags=FLAGS)


def truth(table: Path, *, part: str = "") -> pd.DataFrame:
    """All rows of a table of days, whose folders begin so, sorted by point and time."""
    found = [
        pq.read_table(f, partitioning=None).to_pandas() for f in sorted(table.glob(f"date={part}*/points.parquet"))
    ]
    return pd.concat(found).sort_values(["point_id", "time"], ignore_index=True)


def content(table: Path) -> dict[str, bytes]:
    """The rows of every Parquet file of a table, as bytes that are equal when the rows are."""
    return {
        str(f.relative_to(table)): _bytes(pq.read_table(f, partitioning=None))
        for f in sorted(table.rglob("*.parquet"))
        if f.name[0] != "."
    }


def _bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata().combine_chunks())
    return sink.getvalue().to_pybytes()
