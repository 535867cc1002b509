"""Time series of points out of satellite files: a day is the unit, and a finished day is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from datalake_kit.errors import ConfigError, DataError, UnreadableFileError
from datalake_kit.irradiance.describing.points import PointsLike, locate_points, read_points
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.extracting.days import DayJob, extract_day, manifest_of
from datalake_kit.irradiance.extracting.extraction import Extraction, summarise
from datalake_kit.irradiance.extracting.listing import FilesLike, Plan, plan
from datalake_kit.irradiance.reading.readers import Header, RejectedFileError, read_header
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import local_path

__all__ = ["extract"]

LARGE_FILE = 500_000  # bytes


class _Executor(Protocol):
    def submit(self, fn: Any, /, *args: Any) -> Any: ...


def extract(
    files: FilesLike,
    points: PointsLike,
    out: str | Path,
    *,
    variables: list[str] | tuple[str, ...] | None = None,
    product: Product | None = None,
    max_distance_km: float = 5.0,
    on_bad: Literal["reject", "raise"] = "reject",
    on_masked: Literal["raise", "keep"] = "raise",
    executor: _Executor | None = None,
    progress: bool = False,
) -> Extraction:
    """Extract the series of points from satellite files into a table, one Parquet file a day.

    Parameters
    ----------
    files : folder, glob pattern, or sequence of files
    points : DataFrame, CSV file, or sequence of (id, latitude, longitude)
        Degrees north and east. The nearest cell stands for a point; its distance is in the result.
    out : folder
        The table: `<lake>/<database>/<table>`. Columns: time (start of the slot, UTC), point_id, and of MDSSFTD: ghi
        in W/m2, fraction_diffuse (0 to 1), quality_flag as in the file. The days are Hive folders `date=YYYY-MM-DD/`,
        so that SQL over the table has a column `date` and can leave days unread; more in
        `datalake_kit.irradiance.stored.daily`.
    variables : sequence of str, optional
        Fewer than all, by their name in the file or their column.
    product : Product, optional
        What the files look like; found from their names when not given.
    max_distance_km : float
        A point farther from the centre of its cell is an error.
    on_bad : {"reject", "raise"}
        Files that cannot be used (cut short, alien, misplaced, duplicate, on another grid, of another time) are listed
        in the result's `rejects` with the reason, or stop the run.
    on_masked : {"raise", "keep"}
        Points on sea or off-disk cells (masked in every file of the first day that is read) are an error that lists
        them, or are kept as gaps.
    executor : optional
        Anything with `submit(function, argument)` that returns a future: an executor of concurrent.futures, a dask
        client. Days run there. Without one they run here, two threads reading the files of a day when these are large.
    progress : bool
        Show a bar with days, rate and time left.

    Returns
    -------
    Extraction

    Raises
    ------
    DataError
        No files; points of the table would be lost or have moved; an id occurs twice.
    PointNotFoundError
        Points off the grid, too far or masked.
    UnreadableFileError
        A bad file, with on_bad="raise".

    Notes
    -----
    A day is replaced as a whole and in one step, so a run can be stopped at any moment and repeated. A day is read
    again only when the names, sizes or times of its files, the points or the variables have changed. A day that holds
    points which are not asked for now is never overwritten: that is an error. It does not fill gaps: a missing slot is
    no row.

    Examples
    --------
    >>> from datalake_kit.irradiance import extract
    >>> extract("satellite/", [("turin", 45.07, 7.69)], "lake/irradiance/plants")    # doctest: +SKIP
    Extraction: MSG_MDSSFTD, 1 point, 30 days (30 read, 0 kept) ...
    """
    _check_choice("on_bad", on_bad, ("reject", "raise"))
    _check_choice("on_masked", on_masked, ("raise", "keep"))
    table, wanted, planned = local_path(out), read_points(points), plan(files, product=product)
    if on_bad == "raise" and planned.rejects:
        first = planned.rejects[0]
        raise UnreadableFileError(
            f"{len(planned.rejects)} files cannot be used, the first: {first.path}: {first.detail}."
        )
    jobs = _jobs(planned, wanted, table, variables=variables, on_bad=on_bad)
    kept = _kept(jobs)
    _check_points_kept(jobs, kept)
    daily.check_same_places(table, wanted)
    located, todo, header = _locate(jobs, kept, wanted, max_distance_km)
    done = _run(todo, executor=executor, refuse_masked=on_masked == "raise", progress=progress)
    step = int(planned.step.total_seconds())
    daily.write_table_info(table, planned.product, located, step_seconds=step, source=header.title, flags=header.flags)
    return summarise(planned, table, located, kept=kept, done=done)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is one of {', '.join(known)}, not {value!r}.")


def _jobs(planned: Plan, wanted: pd.DataFrame, table: Path, *, variables: Any, on_bad: str) -> list[DayJob]:
    selected = planned.product.select(variables)
    digest = daily.points_digest(wanted)
    return [
        DayJob(
            table=table,
            day=day,
            product=planned.product,
            variables=selected,
            files=planned.files[day],
            rejects=tuple(r for r in planned.rejects if r.day == day),
            points=wanted,
            points_digest=digest,
            on_bad=on_bad,
        )
        for day in planned.files
    ]


def _kept(jobs: list[DayJob]) -> dict[date, daily.DayManifest]:
    """Return the manifests of days that are finished and whose inputs have not changed."""
    kept = {}
    for job in jobs:
        manifest = daily.finished_manifest(job.table, job.day)
        if manifest is not None and manifest.inputs == manifest_of(job).inputs:
            kept[job.day] = manifest
    return kept


def _check_points_kept(jobs: list[DayJob], kept: dict[date, daily.DayManifest]) -> None:
    """Raise when writing a day again would drop points or variables that it holds."""
    for job in jobs:
        manifest = None if job.day in kept else daily.finished_manifest(job.table, job.day)
        if manifest is None:
            continue
        lost = daily.point_ids(job.table, job.day) - set(job.points["point_id"])
        lost |= set(manifest.variables) - {v.name for v in job.variables}
        if lost:
            raise DataError(
                f"The table {job.table} holds for {job.day} what this run would drop: {', '.join(sorted(lost)[:10])}. "
                "Give these points and variables as well, or another folder."
            )


def _locate(
    jobs: list[DayJob], kept: dict[date, daily.DayManifest], wanted: pd.DataFrame, limit: float
) -> tuple[pd.DataFrame, list[DayJob], Header]:
    """Find the cells of the points on the grid of the first file that can be opened; return its header too."""
    todo = [job for job in jobs if job.day not in kept]
    header = _first_header(todo) or _first_header(jobs)
    if header is None:
        raise DataError(
            f"None of the {sum(len(j.files) for j in jobs)} files can be opened as NetCDF: "
            f"the first is {jobs[0].files[0].path}."
            if jobs
            else "There is no usable file."
        )
    located = locate_points(wanted, header.grid, max_distance_km=limit)
    return located, [replace(job, points=located, grid=header.grid) for job in todo], header


def _first_header(jobs: list[DayJob]) -> Header | None:
    for job in jobs:
        for file in job.files:
            try:
                return read_header(file.path, job.product)
            except (RejectedFileError, DataError):
                continue
    return None


def _run(
    jobs: list[DayJob], *, executor: _Executor | None, refuse_masked: bool, progress: bool
) -> dict[date, tuple[daily.DayManifest, int]]:
    """Run the days; the first one alone, because it tells which points are masked."""
    done: dict[date, tuple[daily.DayManifest, int]] = {}
    outcomes = _outcomes(jobs, executor=executor, refuse_masked=refuse_masked)
    for day, outcome in _shown(outcomes, len(jobs)) if progress else outcomes:
        done[day] = outcome
    return done


def _outcomes(
    jobs: list[DayJob], *, executor: _Executor | None, refuse_masked: bool
) -> Iterator[tuple[date, tuple[daily.DayManifest, int]]]:
    checked = not refuse_masked
    rest = list(jobs)
    while rest and not checked:
        job = rest.pop(0)
        outcome = extract_day(replace(job, threads=_threads(job), refuse_masked=True))
        checked = outcome[0].rows > 0
        yield job.day, outcome
    if executor is None:
        for job in rest:
            yield job.day, extract_day(replace(job, threads=_threads(job)))
        return
    futures = [(job.day, executor.submit(extract_day, job)) for job in rest]
    try:
        for day, future in futures:
            yield day, future.result()
    finally:
        for _, future in futures:
            future.cancel()


def _threads(job: DayJob) -> int:
    """Two threads pay where inflating is most of the work, which goes on without Python's lock; for small files not."""
    large = sum(f.size for f in job.files) > LARGE_FILE * len(job.files)
    return 2 if large and (os.cpu_count() or 1) > 1 else 1


def _shown(outcomes: Iterator[Any], total: int) -> Iterator[Any]:
    from tqdm.auto import tqdm

    yield from tqdm(outcomes, total=total, unit="day", desc="extract")
