"""One day of an extraction: files in, one Parquet file out. Runs in this process or in any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.points import Grid
from datalake_kit.irradiance.describing.product import Product, Variable
from datalake_kit.irradiance.extracting.claims import claim_folder, refuse_loss
from datalake_kit.irradiance.extracting.interrupts import stop_if_interrupted
from datalake_kit.irradiance.extracting.listing import Reject, SourceFile
from datalake_kit.irradiance.extracting.masks import refuse_masked
from datalake_kit.irradiance.extracting.reaching import refuse_vanished, reject_of
from datalake_kit.irradiance.extracting.targets import write_failed
from datalake_kit.irradiance.reading.cells import Cells
from datalake_kit.irradiance.reading.packing import Packing, decode
from datalake_kit.irradiance.reading.readers import NETCDF, CellValues, RejectedFileError, Wanted, read_file
from datalake_kit.irradiance.stored.daily import DayManifest, day_folder, write_day
from datalake_kit.storage import Place

__all__ = ["DayJob", "extract_day", "manifest_of"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class DayJob:
    """Everything that one day needs; it can be sent to another process."""

    table: Place
    day: date
    product: Product
    variables: tuple[Variable, ...]
    files: tuple[SourceFile, ...]
    rejects: tuple[Reject, ...]
    points: pd.DataFrame
    points_digest: str
    grid: Grid | None = None
    on_bad: str = "reject"
    refuse_masked: bool = False
    threads: int = 1


def manifest_of(job: DayJob, **outcome: Any) -> DayManifest:
    """Return the manifest of a job; without an outcome it serves to compare what the day is made from."""
    sources = tuple((f.path.name, f.size, f.version) for f in job.files)
    rejected = tuple((r.path.name, 0, 0) for r in job.rejects)
    variables = tuple(v.name for v in job.variables)
    return DayManifest(
        job.product.name, job.day.isoformat(), variables, job.points_digest, (*sources, *sorted(rejected)), **outcome
    )


def extract_day(job: DayJob) -> tuple[DayManifest, int]:
    """Read the files of a day, write the day; return its manifest and the bytes written.

    Raises
    ------
    UnreadableFileError
        A file cannot be used and `on_bad` is "raise"; every file went away after it was listed.
    DataError
        The day cannot be written, or holds by now points that would be lost.
    PointNotFoundError
        Points are masked in every file and `refuse_masked` is set; nothing was written then.
    """
    used, rejects = _read_all(job)
    stop_if_interrupted()
    refuse_vanished(job.day, job.files, rejects)
    values = {v.column: _decode([u for _, u in used], v.column) for v in job.variables}
    masked = _all_masked(values, job) if used else np.zeros(len(job.points), bool)
    if job.refuse_masked:
        refuse_masked(job.points, masked, job.day)
    rows = _rows([f for f, _ in used], job, values)
    manifest = manifest_of(
        job,
        rejects=tuple((r.path.name, r.reason, r.detail) for r in (*job.rejects, *rejects)),
        readers=tuple(sorted(Counter(u.reader for _, u in used).items())),
        fallbacks=tuple(sorted({u.why for _, u in used if u.reader == NETCDF and u.why})),
        rows=rows.num_rows,
        masked=int(masked.sum()),
        source_bytes=sum(u.source_bytes for _, u in used),
    )
    return manifest, _write(job, rows, manifest)


def _write(job: DayJob, rows: pa.Table, manifest: DayManifest) -> int:
    """Write a day while nobody else writes it, unless it holds by now what this run would drop."""
    try:
        with claim_folder(day_folder(job.table, job.day)):
            refuse_loss(job)
            return write_day(job.table, job.day, rows, manifest)
    except OSError as error:
        raise write_failed(error, job.table, job.day) from error


def _read_all(job: DayJob) -> tuple[list[tuple[SourceFile, CellValues]], list[Reject]]:
    used, rejects = [], []
    for file, outcome in zip(job.files, _outcomes(job), strict=True):
        if isinstance(outcome, RejectedFileError):
            if job.on_bad == "raise":
                raise UnreadableFileError(f"{file.path}: {outcome.reason}: {outcome.detail}") from outcome
            rejects.append(Reject(file.path, job.day, outcome.reason, outcome.detail))
        else:
            used.append((file, outcome))
    return used, rejects


def _outcomes(job: DayJob) -> Iterable[CellValues | RejectedFileError]:
    if job.grid is None:
        return [RejectedFileError("unreadable", "no grid could be read from any file")] * len(job.files)
    cells = Cells(job.points["row"].to_numpy(), job.points["column"].to_numpy())
    wanted = Wanted(job.product, job.variables, job.grid, cells)

    def read(file: SourceFile) -> CellValues | RejectedFileError:
        try:
            return read_file(file.path, wanted, file.slot)
        except (RejectedFileError, OSError) as error:
            return reject_of(file, error)

    if job.threads == 1:
        return [read(f) for f in job.files]
    with ThreadPoolExecutor(job.threads) as pool:
        return list(pool.map(read, job.files))


def _decode(used: list[CellValues], column: str) -> np.ma.MaskedArray[Any, Any]:
    """Decode a variable of all files: (files, points). Files that are packed alike go together."""
    groups: dict[tuple[Any, ...], tuple[Packing, list[int]]] = {}
    for number, file in enumerate(used):
        packing = file.packing[column]
        groups.setdefault(packing.key(), (packing, []))[1].append(number)
    parts = [
        (numbers, decode(np.stack([used[n].packed[column] for n in numbers]), packing))
        for packing, numbers in groups.values()
    ]
    if len(parts) == 1:
        return parts[0][1]
    dtype = np.result_type(*(p.dtype for _, p in parts)) if parts else np.dtype("f8")
    points = parts[0][1].shape[1] if parts else 0
    result: Any = np.ma.MaskedArray(np.zeros((len(used), points), dtype), mask=True)
    for numbers, part in parts:
        result[numbers] = part
    joined: np.ma.MaskedArray[Any, Any] = result
    return joined


def _all_masked(values: dict[str, np.ma.MaskedArray[Any, Any]], job: DayJob) -> Array:
    """Tell which points have no value of the first variable in any file."""
    first = values[job.variables[0].column]
    return np.asarray(np.ma.getmaskarray(first).all(axis=0))


def _rows(files: list[SourceFile], job: DayJob, values: dict[str, np.ma.MaskedArray[Any, Any]]) -> pa.Table:
    """Return the rows of a day, sorted by point and time."""
    order = np.argsort(job.points["point_id"].to_numpy().astype(str), kind="stable") if files else np.array([], int)
    slots = np.array([f.slot.replace(tzinfo=None) for f in files], "datetime64[us]")
    ids = job.points["point_id"].to_numpy().astype(object)[order]
    columns = {
        "time": pa.array(np.tile(slots, len(order)), pa.timestamp("us")),
        "point_id": pa.array(np.repeat(ids, len(files)), pa.string()),
    }
    for variable in job.variables:
        columns[variable.column] = _column(values[variable.column], order, len(files))
    return pa.table(columns)


def _column(values: np.ma.MaskedArray[Any, Any], order: Array, files: int) -> pa.Array:
    if not files:
        return pa.array([], pa.float64())
    sorted_values = values[:, order].T.reshape(-1)
    data = np.ma.getdata(sorted_values)
    if data.dtype.kind in "iu":  # Athena's Parquet tables have no unsigned and no small integers
        data = data.astype("i4" if data.dtype.itemsize < 4 or data.dtype == np.dtype("i4") else "i8")
    return pa.array(data, mask=np.ma.getmaskarray(sorted_values))
