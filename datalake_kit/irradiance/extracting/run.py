"""Time series of points out of satellite files: a day is the unit, and a finished day is not read again."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from datetime import date
from typing import Any, Literal

import pandas as pd

from datalake_kit.errors import ConfigError, DataError, UnreadableFileError
from datalake_kit.irradiance.describing.points import PointsLike, locate_points, read_points
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.extracting.accounts import write_aliens
from datalake_kit.irradiance.extracting.claims import claim_folder, refuse_loss, remove_leftovers
from datalake_kit.irradiance.extracting.days import DayJob, manifest_of
from datalake_kit.irradiance.extracting.executors import Executor
from datalake_kit.irradiance.extracting.extraction import Extraction, summarise
from datalake_kit.irradiance.extracting.grids import find_header, state_grid
from datalake_kit.irradiance.extracting.interrupts import is_interrupted, note_interrupts, stop_if_interrupted
from datalake_kit.irradiance.extracting.listing import FilesLike, Plan, plan
from datalake_kit.irradiance.extracting.progress import show_plan, show_progress
from datalake_kit.irradiance.extracting.reaching import PASSING
from datalake_kit.irradiance.extracting.targets import check_target, without_table
from datalake_kit.irradiance.extracting.ways import Way, run_days
from datalake_kit.irradiance.extracting.workers import Outcome, Outcomes
from datalake_kit.irradiance.reading.readers import Header
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import Place, for_each, place

__all__ = ["extract"]


def extract(
    files: FilesLike,
    points: PointsLike,
    out: str | Place,
    *,
    variables: list[str] | tuple[str, ...] | None = None,
    product: Product | None = None,
    max_distance_km: float = 5.0,
    on_bad: Literal["reject", "raise"] = "reject",
    on_masked: Literal["raise", "keep"] = "raise",
    executor: Executor | None = None,
    workers: int | None = None,
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
        client. Days run there, and nowhere else but the first. Not so many wait there at once that their points fill
        the memory.
    workers : int, optional
        How many processes read days, this one included; 1 reads one file after another, here. When not given: one a
        core, at most 8, as far as there is work for more than a few seconds; fewer days or bytes are read here, large
        files by two threads. Other processes are started anew: a script needs no guard, a notebook none either.
    progress : bool
        Print the plan, then show a bar with days, the time left, files and megabytes a second (all on stderr).

    Returns
    -------
    Extraction

    Raises
    ------
    DataError
        No files; points of the table would be lost or have moved; an id occurs twice; the files are on another grid
        than the table; the table cannot be written; a worker died. Days that are done stay.
    PointNotFoundError
        Points off the grid, too far or masked.
    UnreadableFileError
        A bad file, with on_bad="raise"; a day of which every file went away after it was listed.
    KeyboardInterrupt
        Stopped by Ctrl-C: it says how many days are done. They stay, and the same call goes on from there.

    Notes
    -----
    A day is replaced as a whole and in one step, so a run can be stopped at any moment, killed even, and repeated. It
    is read again only when the names, sizes or times of its files, the points or the variables have changed, or when a
    file of it could not be reached (no access, gone, an input/output error), which may pass. A day without any usable
    file is finished too: it has no rows, and its rejects. A missing slot is no row: nothing is filled.

    A day that holds points which are not asked for now is never overwritten: that is an error, also when another run
    writes at the same time. Several runs may write to one table at once; the folder of a day is locked while it is
    written, and the next to lock it removes what a dead run left (see `datalake_kit.irradiance.extracting.claims`).

    The grid is the table's. A new table takes that of most files; a file on another one is rejected, and so is a whole
    run of such files.

    Points count as masked by the first day that is read and has a usable file. In polar night values are 0 or missing
    by the file: a first day on which a point has none at all says so as an error; give on_masked="keep" then.

    Examples
    --------
    >>> from datalake_kit.irradiance import extract
    >>> extract("satellite/", [("turin", 45.07, 7.69)], "lake/irradiance/plants")    # doctest: +SKIP
    Extraction: MSG_MDSSFTD, 1 point, 30 days (30 read, 0 kept) ...
    """
    _check_choice("on_bad", on_bad, ("reject", "raise"))
    _check_choice("on_masked", on_masked, ("raise", "keep"))
    started = time.perf_counter()
    way = Way(executor=executor, workers=workers)
    table, wanted = check_target(place(out)), read_points(points)
    planned = without_table(plan(files, product=product), table)
    _check_rejects(planned, on_bad)
    _check_table(table, planned.product, wanted)
    remove_leftovers(table)
    jobs = _jobs(planned, wanted, table, variables=variables, on_bad=on_bad)
    kept = _kept(jobs)
    for job in jobs:
        if job.day not in kept:
            refuse_loss(job)
    located, todo, header = _locate(jobs, kept, wanted, max_distance_km)
    daily.check_same_places(table, located)  # cells of the grid have their places only now
    if progress:
        show_plan(planned, todo)
    outcomes = run_days(todo, way, refuse_masked=on_masked == "raise")
    done = _collect(outcomes, todo, table, lambda: _describe(table, planned, located, header), progress=progress)
    if not done:
        _describe(table, planned, located, header)
    write_aliens(table, planned)
    return summarise(
        planned, table, located, kept=kept, done=done, workers=way.said, seconds=time.perf_counter() - started
    )


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is one of {', '.join(known)}, not {value!r}.")


def _check_rejects(planned: Plan, on_bad: str) -> None:
    if on_bad == "raise" and planned.rejects:
        first = planned.rejects[0]
        raise UnreadableFileError(
            f"{len(planned.rejects)} files cannot be used, the first: {first.path}: {first.detail}."
        )


def _check_table(table: Place, product: Product, points: pd.DataFrame) -> None:
    """Raise when the table is of another product, or an id of it stands for another place."""
    before = daily.read_table_info(table).get("product", product.name)
    if before != product.name:
        raise DataError(f"The table {table} is of {before}, the files are of {product.name}. Give another folder.")
    daily.check_same_places(table, points)


def _jobs(planned: Plan, wanted: pd.DataFrame, table: Place, *, variables: Any, on_bad: str) -> list[DayJob]:
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
    """Return the manifests of finished days whose inputs have not changed and whose files could all be reached."""
    days = {daily.day_folder(job.table, job.day): job.day for job in jobs}
    finished = for_each(lambda folder: daily.finished_manifest(folder.parent, days[folder]), list(days))
    return {
        job.day: manifest
        for job, manifest in zip(jobs, finished, strict=True)
        if manifest is not None and manifest.inputs == manifest_of(job).inputs and not _may_pass(manifest)
    }


def _may_pass(manifest: daily.DayManifest) -> bool:
    return any(reason in PASSING for _, reason, _ in manifest.rejects)


def _locate(
    jobs: list[DayJob], kept: dict[date, daily.DayManifest], wanted: pd.DataFrame, limit: float
) -> tuple[pd.DataFrame, list[DayJob], Header]:
    """Find the cells of the points on the grid of the table; return the days to read, and a header on that grid."""
    todo = [job for job in jobs if job.day not in kept]
    if not jobs:
        raise DataError("There is no usable file.")
    files = [f for job in todo or jobs for f in job.files]
    header = find_header(files, jobs[0].product, daily.read_table_info(jobs[0].table).get("grid", {}))
    located = locate_points(wanted, header.grid, max_distance_km=limit)
    sent = located[["point_id", "latitude", "longitude", "row", "column"]]
    return located, [replace(job, points=sent, grid=header.grid) for job in todo], header


def _describe(table: Place, planned: Plan, located: pd.DataFrame, header: Header) -> None:
    """Write what the table is, under its lock: another run may add its points at the same moment."""
    with claim_folder(table):
        _check_table(table, planned.product, located)
        daily.write_table_info(
            table,
            planned.product,
            located,
            step_seconds=int(planned.step.total_seconds()),
            source=header.title,
            flags=header.flags,
            grid=state_grid(header.grid),
        )


def _collect(
    outcomes: Outcomes, todo: list[DayJob], table: Place, first: Any, *, progress: bool
) -> dict[date, Outcome]:
    """Take the days as they come; when it stops, say how far it came."""
    done: dict[date, Outcome] = {}
    with note_interrupts(), contextlib.closing(show_progress(outcomes, len(todo)) if progress else outcomes) as shown:
        try:
            for job, outcome in shown:
                if not done:
                    first()  # the table is described as soon as it has a day: what runs later knows its grid
                done[job.day] = outcome
                stop_if_interrupted()
        except (KeyboardInterrupt, Exception) as error:
            outcomes.close()
            remove_leftovers(table)
            far = f"{len(done)} of {len(todo)} days are done and stay; the same call goes on from there."
            if isinstance(error, KeyboardInterrupt) or is_interrupted():
                raise KeyboardInterrupt(f"Stopped. {far}") from None
            error.add_note(far)
            raise
    return done
