"""Parquet files of points: how they are encoded, and that they hold what they should."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError
from datalake_kit.irradiance.stored.rows import DAY, day_number
from datalake_kit.storage import Place, S3Path

__all__ = [
    "FINGERPRINT",
    "IDS",
    "INFO",
    "MADE_FROM",
    "Rewrite",
    "count_days",
    "count_rows",
    "encode_info",
    "remove_file",
    "write_rows",
]

Array = np.ndarray[Any, Any]

# Keys of the files' own metadata: the digest of a day's manifest and of its points' ids; what is known of the table;
# the days that a file was made from.
FINGERPRINT, IDS = b"datalake_kit.fingerprint", b"datalake_kit.ids"
INFO, MADE_FROM = b"datalake_kit.table", b"datalake_kit.days"


@dataclass(frozen=True)
class Rewrite:
    """What a run of `compact` or `repartition` did.

    Attributes
    ----------
    table : Place
        Folder of the result.
    written, kept, removed : tuple of str
        Files by their name below it; those kept were made from the same days before.
    waiting : tuple of str
        Months that are not closed yet, and so are not written.
    rows : int
        Rows in the files written.
    written_bytes : int
    """

    table: Place
    written: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    waiting: tuple[str, ...]
    rows: int
    written_bytes: int

    def __str__(self) -> str:
        waiting = f", {len(self.waiting)} waiting" if self.waiting else ""
        return (
            f"{self.table}: {len(self.written)} files written, {len(self.kept)} kept, {len(self.removed)} removed"
            f"{waiting}; {self.rows:,} rows, {self.written_bytes / 1e6:.1f} MB written"
        )


def write_rows(
    path: Path, groups: Iterable[pa.Table], schema: pa.Schema, metadata: Callable[[], Mapping[bytes, bytes]]
) -> int:
    """Write tables as row groups of one file, time delta-encoded; return the rows.

    `metadata` is called when all tables are written, so it may tell of them. Statistics are kept of the columns by
    which readers leave row groups unread.
    """
    rows = 0
    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[n for n in schema.names if n != "time"],
        column_encoding={"time": "DELTA_BINARY_PACKED"},
        write_statistics=[n for n in schema.names if n in ("time", "point_id")],
    ) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=max(1, group.num_rows))
            rows += group.num_rows
        writer.add_key_value_metadata(dict(metadata()))
    return rows


def group_points(rows: pa.Table, starts: Array, points: int) -> Iterator[pa.Table]:
    """Give the rows of so many points after so many; `starts` says where each point begins, and the end."""
    for begin in range(0, len(starts) - 1, points):
        end = min(begin + points, len(starts) - 1)
        yield rows.slice(starts[begin], starts[end] - starts[begin])


def count_days(path: Path, first: date, days: int) -> Array:
    """Read a written file of one point again and return its rows by day; raises as `count_rows`."""
    with pq.ParquetFile(pa.OSFile(str(path))) as file:
        time = file.read(columns=["time"], use_threads=False)["time"].cast(pa.int64()).to_numpy()
    begins = (day_number(first) + np.arange(days + 1)) * DAY
    counted: Array = np.diff(np.searchsorted(time, begins))
    if (np.diff(time) <= 0).any() or counted.sum() != len(time):
        raise _unsorted(path)
    return counted


def count_rows(path: Path, first: date, days: int) -> dict[str, Array]:
    """Read a written file again and return the rows of each point by day.

    Raises
    ------
    DataError
        The rows are not sorted by point and time, one lies outside the period, or a point is held twice at a time.
    """
    counts: dict[str, Array] = {}
    last: tuple[str, int] | None = None
    with pq.ParquetFile(path, read_dictionary=["point_id"]) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, columns=["point_id", "time"], use_threads=False)
            last = _count(table, counts, last, (day_number(first), days, path))
    return counts


def _count(
    table: pa.Table, counts: dict[str, Array], last: tuple[str, int] | None, where: Any
) -> tuple[str, int] | None:
    first, days, path = where
    time = table["time"].cast(pa.int64()).to_numpy()
    if not len(time):
        return last
    ids, codes = _points(table)
    day = time // DAY - first
    falls = (np.diff(codes) < 0) | ((np.diff(codes) == 0) & (np.diff(time) <= 0))
    begins_before = last is not None and (ids[codes[0]], int(time[0])) <= last
    if falls.any() or begins_before or (day < 0).any() or (day >= days).any():
        raise _unsorted(path)
    counted = np.bincount(codes.astype("i8") * days + day, minlength=len(ids) * days).reshape(len(ids), days)
    for name, row in zip(ids, counted, strict=True):
        counts[name] = counts.get(name, 0) + row
    return ids[codes[-1]], int(time[-1])


def _unsorted(path: Path) -> DataError:
    return DataError(f"The file was not written sorted by point and time: {path}. Run it again; is the disk sound?")


def _points(table: pa.Table) -> tuple[list[str], Array]:
    """Return the ids in order, and for each row the number of its own."""
    joined = table["point_id"].combine_chunks()
    names = joined.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), "i4")
    rank[order] = np.arange(len(names))
    return [names[n] for n in order], rank[joined.indices.to_numpy()]


def encode_info(info: dict[str, Any], points: Iterable[str]) -> bytes:
    """Return what is known of a table, with these points alone, for the metadata of a file."""
    known = info.get("points", {})
    kept = {p: known[p] for p in sorted(points) if p in known}
    return json.dumps(info | {"points": kept}, ensure_ascii=False, separators=(",", ":")).encode() if info else b"{}"


def remove_file(file: Place) -> None:
    """Remove a file that need not be there."""
    if isinstance(file, S3Path):
        from datalake_kit.storage.s3_client import asked, client_of

        with asked(file):
            client_of(file.bucket).delete_object(Bucket=file.bucket, Key=file.key)
        return
    file.unlink(missing_ok=True)
    if not any(file.parent.iterdir()):
        file.parent.rmdir()
