"""How the days of a run are read: here, by several processes, or in an executor."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from datalake_kit.errors import ConfigError
from datalake_kit.irradiance.extracting.days import DayJob, extract_day
from datalake_kit.irradiance.extracting.executors import Executor, run_in_executor
from datalake_kit.irradiance.extracting.memory import days_that_fit
from datalake_kit.irradiance.extracting.workers import Outcomes, Team

__all__ = ["Way", "run_days"]

LARGE_FILE = 500_000  # bytes; above it inflating is most of the work, which goes on without Python's lock
THREADS_ON_S3 = 16  # most of the time is spent waiting for an answer
_MOST = 8
_SECONDS_A_FILE, _BYTES_A_SECOND = 0.004, 250e6
_SECONDS_A_PROCESS = 1.5  # what another process must have to do to be worth its start


class Way:
    """How days are read, as asked for and as it then was (`said`)."""

    def __init__(self, *, executor: Executor | None, workers: int | None) -> None:
        if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
            raise ConfigError(f"workers is a number of processes, 1 or more, not {workers!r}.")
        if executor is not None and workers is not None:
            raise ConfigError("Give executor= or workers=, not both: an executor has its own number of workers.")
        self.executor, self.workers = executor, workers
        self.said = "nothing was read"

    def processes(self, jobs: list[DayJob]) -> int:
        """How many processes are worth their start for these days, and fit into memory unless their number is given."""
        fit = days_that_fit(jobs)
        if self.workers is not None:
            return max(min(self.workers, len(jobs)), 1)
        files = [f for job in jobs for f in job.files]
        seconds = len(files) * _SECONDS_A_FILE + sum(f.size for f in files) / _BYTES_A_SECOND
        return max(min(_cores(), _MOST, len(jobs), fit, int(seconds / _SECONDS_A_PROCESS)), 1)

    def threads(self, job: DayJob, processes: int) -> int:
        """How many threads read the files of a day."""
        if not all(isinstance(f.path, Path) for f in job.files):
            return THREADS_ON_S3
        large = sum(f.size for f in job.files) > LARGE_FILE * len(job.files)
        return 2 if large and processes == 1 and self.workers is None and _cores() > 1 else 1


def run_days(jobs: list[DayJob], way: Way, *, refuse_masked: bool) -> Outcomes:
    """Give the outcome of each day, in any order; the first with rows comes alone: it tells which points are masked."""
    processes = 1 if way.executor is not None else way.processes(jobs)
    rest = [replace(job, threads=way.threads(job, processes)) for job in jobs]
    with Team(processes) as team:
        while rest and refuse_masked:
            job = rest.pop(0)
            outcome = extract_day(replace(job, refuse_masked=True))
            refuse_masked = outcome[0].rows == 0
            way.said = _here(job)
            yield job, outcome
        if not rest:
            return
        if way.executor is not None:
            way.said = type(way.executor).__name__
            outcomes = run_in_executor(way.executor, rest)
        else:
            outcomes = team.run(rest)
        with contextlib.closing(outcomes):
            yield from outcomes
        if way.executor is None:
            way.said = team.said if processes > 1 else _here(rest[0])


def _here(job: DayJob) -> str:
    return "1 process" + (f", {job.threads} threads" if job.threads > 1 else "")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
