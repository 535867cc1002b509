"""What a caller of `validate` asks for is looked at before anything is compared: a slip of the pen is no verdict.

A mapping that names a table which is not there, or a mask that names a column which is not there, would else count for
nothing: a mistyped mask would show what it was to hide.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datalake_kit.cdc.dms_names import CONTROL, file_format
from datalake_kit.cdc.evidence import evidence_of
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.errors import ParameterError, UnreadableFileError, did_you_mean
from datalake_kit.hudi.examined import duration
from datalake_kit.hudi.rows import locate
from datalake_kit.storage import read_schema

if TYPE_CHECKING:
    from datalake_kit.cdc.jobs import Job
    from datalake_kit.lake import Lake


def check_options(*, settings: Any, cadence: Any, config: Any, history: Any, keys: Any) -> None:
    """Refuse options of a wrong type, and one that says nothing without another.

    Raises
    ------
    ParameterError
        It names the option and the value.
    """
    if settings is not None and not isinstance(settings, DmsSettings):
        raise ParameterError(f"settings is a DmsSettings(...), not {settings!r}.")
    if cadence is not None and config is None:
        raise ParameterError(f"cadence={cadence!r} chooses tables of a configuration. Give config= too.")
    if history is not None and not (isinstance(history, (str, os.PathLike)) and str(history).strip()):
        raise ParameterError(f"history is a folder, not {history!r}.")
    for one in keys.values() if isinstance(keys, Mapping) else [keys]:
        names = [one] if isinstance(one, str) else [] if one is None else one
        if isinstance(names, bytes) or not isinstance(names, Iterable) or not all(isinstance(n, str) for n in names):
            raise ParameterError(f"keys are names of columns, such as ['PK_ID'], not {one!r}.")


def masked_columns(mask: Any) -> tuple[str, ...]:
    """The names of a mask: a list, or one name.

    Raises
    ------
    ParameterError
        Anything else.
    """
    names = [mask] if isinstance(mask, str) else [] if mask is None else mask
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise ParameterError(f"mask is a list of names of columns, not {mask!r}.")
    listed = tuple(names)
    for name in listed:
        if not isinstance(name, str) or not name:
            raise ParameterError(f"mask is a list of names of columns, not {mask!r}.")
    return listed


def span(given: str | timedelta | None) -> timedelta | None:
    """A length of time such as "6h", or None.

    Raises
    ------
    ParameterError
        It is none, is negative, or a number without a unit.
    """
    return None if given is None else duration(given, "max_lag")


def check_names(lake: Lake, jobs: Sequence[Job], **mappings: Any) -> None:
    """Refuse a mapping of table to something that names a table which is not there.

    A table of the lake that is not compared this time may be named: one mapping serves many calls.

    Raises
    ------
    ParameterError
        It names the option and the table.
    NotFoundError
        No such table; the nearest are named.
    """
    known = {job.name.casefold() for job in jobs}
    for option, given in mappings.items():
        if isinstance(given, Mapping) and not given:
            raise ParameterError(f"{option} is a mapping that names no table. Leave it out.")
        for name in given if isinstance(given, Mapping) else ():
            if not isinstance(name, str):
                raise ParameterError(f"{option} is a mapping whose keys are names of tables, not {name!r}.")
            if name.casefold() in known:
                continue
            full = locate(lake, name)[0]
            if full.casefold() in known:
                raise ParameterError(f"{option} names the table {name!r}; write {full!r}, as the lake does.")


def check_mask(jobs: Sequence[Job], mask: Collection[str]) -> None:
    """Refuse a mask that names a column which no table has: on the lake's side, in the staged files, in the source.

    Raises
    ------
    ParameterError
        It names the column and the nearest ones.
    """
    left = {name.casefold(): name for name in mask}
    known: set[str] = set()
    for found in _columns(jobs):
        known |= set(found)
        left = {k: v for k, v in left.items() if k not in {c.casefold() for c in found}}
        if not left:
            return
    if not any(file_format(f.path.name) == "csv" for job in jobs for f in job.files) and any(j.side for j in jobs):
        name = next(iter(left.values()))
        raise ParameterError(f"mask names {name!r}, a column of no table that is compared. {did_you_mean(name, known)}")


def check_tolerance(jobs: Sequence[Job], tolerance: Any) -> None:
    """Refuse a tolerance for a column that no table of the lake has, where all of them could be opened.

    Raises
    ------
    ParameterError
        It names the column and the nearest ones.
    """
    sides = [job.side for job in jobs]
    if not isinstance(tolerance, Mapping) or not all(sides):
        return
    known = {c for side in sides if side is not None for c in side.columns}
    folded = {c.casefold() for c in known}
    for name in tolerance:
        if isinstance(name, str) and name.casefold() not in folded:
            raise ParameterError(
                f"tolerance names {name!r}, a column of no table that is compared. {did_you_mean(name, known)}"
            )


def tolerance_for(job: Job, tolerance: Any) -> Any:
    """What of a tolerance is for a table: one mapping of columns serves several tables, not all of which have them."""
    if not isinstance(tolerance, Mapping) or job.side is None:
        return tolerance
    has = {c.casefold() for c in job.side.columns}
    return {n: v for n, v in tolerance.items() if not isinstance(n, str) or n.casefold() in has} or None


def _columns(jobs: Sequence[Job]) -> Iterable[Collection[str]]:
    """Columns, those that are known for nothing first."""
    yield from (job.side.columns for job in jobs if job.side is not None)
    yield from (list(getattr(job.source, "columns", ())) for job in jobs if job.source is not None)
    for file in (f for job in jobs for f in job.files if f.kind != CONTROL):
        if file_format(file.path.name) == "parquet":
            try:
                yield read_schema(file.path).names
            except (UnreadableFileError, OSError, pa.ArrowException):
                continue  # what is wrong with a file is said where it is read


def check_evidence(evidence: Any, settings: DmsSettings | None) -> None:
    """Refuse what cannot be tables of DMS's own: a verdict must not hang on a mistyped path.

    Raises
    ------
    ParameterError, DataError, UnreadableFileError
        It names the path, or the columns.
    """
    if evidence is not None:
        evidence_of(evidence, "", "", settings=settings)
