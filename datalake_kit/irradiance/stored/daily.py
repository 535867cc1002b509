"""The table of points: one Parquet file a day, with a manifest beside it that says what it was made from.

    <table>/_table.json                          product, step, units, the points and their cells
    <table>/date=2025-06-18/points.parquet       time, point_id and the variables; sorted by point_id, time
    <table>/date=2025-06-18/_manifest.json       source files with size and time, rejects, readers, fingerprint

The folders are Hive partitions: `date` becomes a column for DuckDB, Athena, awswrangler and pyarrow, and a condition on
it keeps the other days unread. Files whose names begin with an underscore are no data for these readers, but for
awswrangler, which needs `path_suffix=".parquet"`. `time` is the start of the slot in UTC, stored without a zone because
Athena's Parquet tables have none: both engines then show the same. What was not seen (masked, no file) is NULL or
absent, never zero.

A day is finished when its Parquet file carries the fingerprint that its manifest states. The Parquet file is moved into
place first, the manifest after it, so a day that was interrupted anywhere is read again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.stored.names import DATA, day_folder
from datalake_kit.irradiance.stored.writing import FINGERPRINT, IDS, group_points, write_rows
from datalake_kit.storage import Place, S3Path, open_parquet, place, read_footer, write_atomically

__all__ = [
    "DayManifest",
    "check_same_places",
    "day_folder",
    "finished_manifest",
    "inspect_day",
    "point_ids",
    "points_digest",
    "read_table_info",
    "write_day",
    "write_table_info",
]

MANIFEST, TABLE = "_manifest.json", "_table.json"
FORMAT = 1
POINTS_A_GROUP = 20  # so that one is found by the file's statistics: fewer make the footers slow to read
_POINT_COLUMNS = ("name", "latitude", "longitude", "altitude", "cell_latitude", "cell_longitude", "distance_km")


@dataclass(frozen=True)
class DayManifest:
    """What a day was made from. `sources` are (name, size, time in ns or ETag), `rejects` (name, reason, detail)."""

    product: str
    day: str
    variables: tuple[str, ...]
    points: str
    sources: tuple[tuple[str, int, int | str], ...]
    rejects: tuple[tuple[str, str, str], ...] = ()
    readers: tuple[tuple[str, int], ...] = ()
    fallbacks: tuple[str, ...] = ()
    rows: int = 0
    masked: int = 0
    source_bytes: int = 0
    format: int = FORMAT

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What must be equal for the day not to be read again."""
        return (self.format, self.product, self.day, self.variables, self.points, self.sources)

    @property
    def fingerprint(self) -> str:
        """A digest of the whole manifest."""
        return hashlib.sha256(json.dumps(self.stated(), sort_keys=True).encode()).hexdigest()

    def stated(self) -> dict[str, Any]:
        """What the manifest's file says, without the fingerprint."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def write_day(table: Place, day: date, rows: pa.Table, manifest: DayManifest) -> int:
    """Write a day and then its manifest, each in one step; return the bytes of the Parquet file."""
    folder = day_folder(table, day)
    ids = "\n".join(sorted(rows["point_id"].unique().to_pylist()))
    mark = {FINGERPRINT: manifest.fingerprint.encode(), IDS: hashlib.sha256(ids.encode()).hexdigest().encode()}
    with write_atomically(folder / DATA) as path:
        groups = group_points(rows, _starts(rows), POINTS_A_GROUP)
        write_rows(path, groups, rows.schema.remove_metadata(), lambda: mark)
        if pq.read_metadata(path).num_rows != rows.num_rows:
            raise DataError(f"The day {day} was not written whole: {path}. Is the disk full?")
        size = path.stat().st_size
    with write_atomically(folder / MANIFEST) as path:
        path.write_text(
            json.dumps(manifest.stated() | {"fingerprint": manifest.fingerprint}, indent=1), encoding="utf-8"
        )
    return size


def _starts(rows: pa.Table) -> np.ndarray[Any, Any]:
    """Return where the rows of each point begin, and the end; rows are sorted by point."""
    codes = rows["point_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)]]) if len(codes) else np.array([0])


def finished_manifest(table: Place, day: date) -> DayManifest | None:
    """Return the manifest of a day that is finished; None when it is absent, damaged or of another Parquet file."""
    return inspect_day(table, day)[0]


def inspect_day(table: Place, day: date) -> tuple[DayManifest | None, pq.FileMetaData | None]:
    """Return the manifest of a finished day and the footer of its file; (None, None) when it is not finished."""
    folder = day_folder(table, day)
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except OSError:
        return None, None  # what S3 refuses is no OSError, and goes up
    try:
        stated = json.loads(text)
        manifest = _manifest(stated)
        footer = _footer(folder / DATA)
        inside = (footer.metadata or {}).get(FINGERPRINT, b"").decode()
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException):
        return None, None
    fits = inside == manifest.fingerprint == stated.get("fingerprint")
    return (manifest, footer) if fits else (None, None)


def _footer(file: Place) -> pq.FileMetaData:
    return read_footer(file) if isinstance(file, S3Path) else pq.read_metadata(file)


def point_ids(table: Place, day: date) -> set[str]:
    """Return the ids of the points that a finished day holds."""
    with open_parquet(day_folder(table, day) / DATA) as opened:
        return set(opened.read(columns=["point_id"]).column(0).unique().to_pylist())


def points_digest(points: pd.DataFrame) -> str:
    """Return a digest of ids and places, in any order; of cells of a grid their rows and columns are the places."""
    names = ["row", "column"] if "row" in points and points["latitude"].isna().all() else ["latitude", "longitude"]
    places = zip(points["point_id"], *(points[n].tolist() for n in names), strict=True)
    text = "\n".join(f"{point}|{one!r}|{other!r}" for point, one, other in sorted(places))
    return hashlib.sha256(text.encode()).hexdigest()


def read_table_info(table: str | Place) -> dict[str, Any]:
    """Return what `_table.json` says; empty when there is none."""
    path = place(table) / TABLE
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except UnreadableFileError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(
            f"The description of the table cannot be read: {path} ({error}). Extract again to renew it."
        ) from None
    return dict(info)


def write_table_info(
    table: Place,
    product: Product,
    points: pd.DataFrame,
    *,
    step_seconds: int,
    origin: str = "extracted",
    source: str = "",
    flags: dict[str, dict[str, list[Any]]] | None = None,
    grid: dict[str, Any] | None = None,
) -> None:
    """Write or extend `_table.json`: points that are already there stay. `source` and `flags` are as in the files.

    `grid` identifies the grid on which the points have their cells; one that is there stays when none is given.
    """
    before = read_table_info(table)
    info = {
        "format": FORMAT,
        "product": product.name,
        "title": product.title,
        "origin": origin,
        "source": source,
        "step_seconds": step_seconds,
        "instantaneous": product.instantaneous,
        "scan_seconds": product.scan_seconds,
        "scan_uncertainty_seconds": product.scan_uncertainty,
        "flags": flags or {},
        "grid": grid or before.get("grid", {}),
        "units": {v.column: v.units for v in product.variables},
        "points": dict(sorted((before.get("points", {}) | _points(points)).items())),
    }
    text = _as_lines(info)
    if _as_lines(before) != text:
        with write_atomically(table / TABLE) as temporary:
            temporary.write_text(text, encoding="utf-8")


def check_same_places(table: Place, points: pd.DataFrame) -> None:
    """Raise when an id of the table stands for another place in this list."""
    known = read_table_info(table).get("points", {})
    placed = points[points["latitude"].notna()]  # the place of a cell is known when the grid is
    moved = [
        f"{p.point_id} ({known[p.point_id]['latitude']:g}, {known[p.point_id]['longitude']:g})"
        for p in placed.itertuples()
        if p.point_id in known
        and (known[p.point_id]["latitude"], known[p.point_id]["longitude"]) != (p.latitude, p.longitude)
    ]
    if moved:
        raise DataError(
            f"The table {table} already holds these points at another place: {', '.join(moved[:10])}. "
            "Give the place as it is there, another id, or another folder."
        )


def _points(points: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what is known of each point, by its id."""
    names = [n for n in _POINT_COLUMNS if n in points]
    known = points[names].notna().to_numpy().tolist()
    values = zip(*(points[n].tolist() for n in names), strict=True)
    return {
        point: {n: v for n, v, there in zip(names, row, present, strict=True) if there}
        for point, row, present in zip(points["point_id"].tolist(), values, known, strict=True)
    }


def _as_lines(info: dict[str, Any]) -> str:
    """Write every entry on a line; an indent would cost seconds with 100,000 points."""
    return json.dumps(info, ensure_ascii=False, separators=(",\n", ": "))


def _manifest(stated: dict[str, Any]) -> DayManifest:
    fields = {k: v for k, v in stated.items() if k != "fingerprint"}
    for name in ("variables", "fallbacks"):
        fields[name] = tuple(fields[name])
    for name in ("sources", "rejects", "readers"):
        fields[name] = tuple(tuple(v) for v in fields[name])
    return DayManifest(**fields)
