"""Days in an executor of the caller's: any of concurrent.futures, a dask client, whatever has `submit`."""

from __future__ import annotations

from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError
from queue import SimpleQueue
from typing import Any, Protocol

from datalake_kit.errors import DataError
from datalake_kit.irradiance.extracting.days import DayJob, extract_day
from datalake_kit.irradiance.extracting.workers import Outcome, Outcomes

__all__ = ["Executor", "days_ahead", "run_in_executor"]

_BYTES_AHEAD = 64_000_000  # of jobs that wait in the executor: each carries its points
_BYTES_A_POINT, _BYTES_A_JOB = 80, 60_000
_MOST_AHEAD, _LEAST_AHEAD = 1000, 16


class Executor(Protocol):
    """What is asked of an executor."""

    def submit(self, fn: Any, /, *args: Any) -> Any:
        """Return a future of fn(*args)."""


def days_ahead(jobs: list[DayJob]) -> int:
    """Return how many days may wait in an executor at once: with many points fewer, for each carries its points."""
    size = max((len(j.points) for j in jobs), default=0) * _BYTES_A_POINT + _BYTES_A_JOB
    return min(max(_BYTES_AHEAD // size, _LEAST_AHEAD), _MOST_AHEAD)


def run_in_executor(executor: Executor, jobs: list[DayJob]) -> Outcomes:
    """Give each day's outcome as it comes, in any order; days that wait are cancelled when this ends early.

    Raises
    ------
    DataError
        A worker of the executor died, or it took no more work.
    """
    todo, done = deque(jobs), SimpleQueue[tuple[DayJob, Any]]()
    pending: dict[Any, Any] = {}

    def submit() -> None:
        job = todo.popleft()
        future = _submitted(executor, job, sorted(pending))
        pending[job.day] = future
        _tell(future, lambda: done.put((job, future)))

    try:
        while todo or pending:
            while todo and len(pending) < days_ahead(jobs):
                submit()
            job, future = done.get()
            outcome = _outcome(future, job, sorted(pending))
            del pending[job.day]
            yield job, outcome
    finally:
        for future in pending.values():
            future.cancel()


def _submitted(executor: Executor, job: DayJob, pending: list[Any]) -> Any:
    try:
        return executor.submit(extract_day, job)
    except (BrokenExecutor, RuntimeError) as error:  # RuntimeError: it was shut down
        raise _broken(job, pending, error) from error


def _tell(future: Any, then: Any) -> None:
    """Call `then` when a future is done; at once for one that cannot tell: whoever takes its result waits."""
    if hasattr(future, "add_done_callback"):
        future.add_done_callback(lambda _: then())
    else:
        then()


def _outcome(future: Any, job: DayJob, pending: list[Any]) -> Outcome:
    try:
        outcome: Outcome = future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise _broken(job, pending, error) from error
    except Exception as error:
        if type(error).__name__ in ("KilledWorker", "CommClosedError"):  # of dask, which need not be installed
            raise _broken(job, pending, error) from error
        raise
    return outcome


def _broken(job: DayJob, pending: list[Any], error: BaseException) -> DataError:
    """Say which days were under way: a pool that breaks does not tell at which of them."""
    days = pending or [job.day]
    first, more = min(days), len(days) - 1
    text = f"The executor failed at the day {first}" + (f" or one of the {more} after it that it had" if more else "")
    return DataError(f"{text}: {type(error).__name__}: {error}".rstrip(": ") + ".")
