"""The folder that an extraction writes to: whether it can, and that it is not read as a source."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from datalake_kit.errors import DataError
from datalake_kit.irradiance.extracting.listing import Plan, Reject
from datalake_kit.storage import Place

__all__ = ["check_target", "without_table", "write_failed"]


def check_target(table: Place) -> Place:
    """Return the folder of the table, after looking whether a run could write there; nothing is made yet.

    Raises
    ------
    DataError
        A file is in its way, or the folder may not be written.
    """
    if not isinstance(table, Path):
        return table
    try:
        there = next(p for p in (table, *table.parents) if p.exists())
        writable = os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    except OSError as problem:
        raise DataError(f"The table cannot be written to {table}: {problem.strerror}. Give another folder.") from None
    if not there.is_dir():
        raise DataError(f"The table cannot be written to {table}: {there} is a file. Give a folder.")
    if not writable:
        raise DataError(f"The table cannot be written to {table}: {there} is read-only here. Give another folder.")
    return table


def without_table(planned: Plan, table: Place) -> Plan:
    """Leave out the days of the table itself, where it lies among the files."""
    return replace(planned, rejects=tuple(r for r in planned.rejects if not _of_table(r, table)))


def write_failed(error: OSError, table: Place, day: object) -> DataError:
    """Return an error that says which day could not be written, where and why."""
    return DataError(
        f"The day {day} could not be written to {table}: {error.strerror or error}. What was there before stays."
    )


def _of_table(reject: Reject, table: Place) -> bool:
    if not isinstance(table, Path) or not isinstance(reject.path, Path) or not reject.path.is_relative_to(table):
        return False
    return reject.path.relative_to(table).parts[0].startswith("date=")
