"""What a day needs in memory, before it is begun: a day is one piece, with all its points and slots."""

from __future__ import annotations

from pathlib import Path

from datalake_kit.errors import DataError
from datalake_kit.irradiance.extracting.days import DayJob

__all__ = ["days_that_fit", "free_bytes"]

_BYTES_A_ROW = 90  # measured: 9.6 million rows of three variables take 830 MB, with their Parquet file


def days_that_fit(jobs: list[DayJob], *, free: int | None = None) -> int:
    """Return how many days fit into the memory that is free, at once; `free` is what the system says when not given.

    Raises
    ------
    DataError
        Not even one does.
    """
    free = free_bytes() if free is None else free
    rows = max((len(job.files) * len(job.points) for job in jobs), default=0)
    if free is None or not rows:
        return len(jobs)
    if rows * _BYTES_A_ROW > free:
        need = rows * _BYTES_A_ROW / 1e9
        raise DataError(
            f"A day of {len(jobs[0].points):,} points has {rows:,} rows and needs {need:.1f} GB of memory; "
            f"{free / 1e9:.1f} GB are free. Extract fewer points at a time, each part into a table of its own."
        )
    return free // (rows * _BYTES_A_ROW)


def free_bytes() -> int | None:
    """Return the memory that can be had without swapping; None where the system does not tell (it is no Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
