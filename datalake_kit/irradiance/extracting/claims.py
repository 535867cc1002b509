"""Several runs on one table of days: none drops what another has written.

The folder of a day is locked while the day is written (`datalake_kit.storage.claiming`). Where there are no locks, as
on S3, a day is still replaced in one step, but of two runs with different points at the same moment the later may win.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Protocol

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import Variable
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import Place
from datalake_kit.storage.claiming import claim_folder
from datalake_kit.storage.claiming import remove_leftovers as remove_leftovers_from

__all__ = ["claim_folder", "refuse_loss", "remove_leftovers"]


class _Job(Protocol):
    """What is asked of a day's job here (`days.DayJob`)."""

    @property
    def table(self) -> Place: ...
    @property
    def day(self) -> date: ...
    @property
    def variables(self) -> tuple[Variable, ...]: ...
    @property
    def points(self) -> pd.DataFrame: ...
    @property
    def points_digest(self) -> str: ...


def refuse_loss(job: _Job) -> None:
    """Refuse to write a day again when that would drop points or variables that it holds.

    Raises
    ------
    DataError
        It names the table, the day and what would be lost.
    """
    manifest = daily.finished_manifest(job.table, job.day)
    if manifest is None:
        return
    lost = set(manifest.variables) - {v.name for v in job.variables}
    if manifest.points != job.points_digest:
        lost |= daily.point_ids(job.table, job.day) - set(job.points["point_id"])
    if lost:
        raise DataError(
            f"The table {job.table} holds for {job.day} what this run would drop: {', '.join(sorted(lost)[:10])}. "
            "Give these points and variables as well, or another folder."
        )


def remove_leftovers(table: Place) -> None:
    """Remove the temporary files of dead runs from a table and its days; those that a live run writes stay."""
    if isinstance(table, Path) and table.is_dir():
        remove_leftovers_from((table, *table.glob("date=*")))
