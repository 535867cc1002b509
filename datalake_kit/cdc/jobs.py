"""Which tables are compared with which staging tables and sources, by which keys, in which mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.dms import DmsFile, current_load
from datalake_kit.cdc.lake_side import LakeSide, all_names, open_side
from datalake_kit.cdc.odp_config import TableConfigs
from datalake_kit.cdc.replay import Mode
from datalake_kit.cdc.source import Source, is_database, open_source
from datalake_kit.errors import ConfigError, DataError, DatalakeKitError, ParameterError
from datalake_kit.hudi.rows import locate
from datalake_kit.sql import split_name
from datalake_kit.storage import Place, place

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

Staged = Mapping[tuple[str, str], list[DmsFile]]
Keys = str | Sequence[str] | Mapping[str, str | Sequence[str]]


@dataclass
class Job:
    """One table to be compared: its lake side, its staged files, and why it cannot be if it cannot."""

    name: str
    staging: str = ""
    files: Sequence[DmsFile] = ()
    side: LakeSide | None = None
    problem: str = ""
    keys: tuple[str, ...] = ()
    mode: Mode = "S"
    source: Source | None = None
    changed_at: str | None = None
    superseded: Sequence[DmsFile] = field(default_factory=tuple)


def staging_folder(lake: Lake, staging: str | Path | Place | None, *, needed: bool) -> Place | None:
    """Return the folder into which DMS writes: as it was given, else `_raw/staging` of the lake's folder.

    Raises
    ------
    ParameterError
        It was not given, and the lake has no folder of its own, or none of that name, while it is needed.
    """
    if staging:
        return place(staging)
    if lake.root is None:
        if needed:
            raise ParameterError("Say where DMS writes: staging=<folder>. A lake on Athena has no folder of its own.")
        return None
    own = Path(lake.root) / "_raw" / "staging"
    return own if needed or own.is_dir() else None


def jobs_of(
    lake: Lake, tables: Iterable[str] | Mapping[str, str] | None, staged: Staged | None, configs: TableConfigs | None
) -> list[Job]:
    """Name the tables to be compared, each with its staged files. `staged` is None where there is no staging folder.

    Raises
    ------
    ParameterError
        `tables` is no list or mapping, or names nothing.
    DataError
        No lake table has a staging table of its name, and nothing else says which.
    """
    if isinstance(tables, str):
        raise ParameterError(f"tables is a list of names, such as [{tables!r}].")
    if tables is not None and not isinstance(tables, Iterable):
        raise ParameterError(f"tables is a list of names such as 'taxi.table_1', or a mapping, not {tables!r}.")
    if configs is not None and tables is None:
        return [_configured(lake, config, staged) for config in configs]
    if tables is None:
        if staged is None:
            raise ParameterError("Say which tables to compare: tables=['database.table'], or staging=, or config=.")
        jobs = [j for j in (_match(name, None, staged) for name in all_names(lake)) if j.staging]
        if not jobs:
            known = ", ".join(sorted(t for _, t in staged))
            raise DataError(f"No lake table has a staging table of its name. Staged are: {known}. Map them in tables=.")
        return jobs
    wanted = tables if isinstance(tables, Mapping) else dict.fromkeys(tables)
    if not wanted:
        raise ParameterError("tables names no table. Leave it out to compare all that have a staging table.")
    named = {c.name.casefold(): c for c in configs or ()}
    jobs = []
    for name, target in wanted.items():
        full = locate(lake, name)[0]
        config = named.get(full.casefold())
        if staged is None:
            jobs.append(Job(full))
        elif target is None and config is not None:
            jobs.append(_configured(lake, config, staged))
        else:
            jobs.append(_match(full, target, staged))
    return jobs


def _configured(lake: Lake, config: Any, staged: Staged | None) -> Job:
    """A table of the framework's configuration: where it is, and the staged files that it names."""
    try:
        name = locate(lake, config.name)[0]
    except DatalakeKitError as problem:
        return Job(config.name, problem=str(problem))
    job = Job(name, keys=config.keys, mode=config.mode)
    if staged is None:
        return job
    try:
        found = config.staged(list(staged))
    except DataError as problem:
        job.problem = str(problem)
        return job
    if found is None:
        job.problem = f"no staging table {config.source}"
        return job
    job.staging, job.files = ".".join(found), tuple(staged[found])
    return job


def _match(name: str, target: str | None, staged: Staged) -> Job:
    """Find the staged files of a lake table: by the name given for it, or by its own."""
    database, table = split_name(name)
    parts = split_name(target) if target else (table,)
    found = [
        key
        for key in staged
        if key[1].casefold() == parts[-1].casefold() and (len(parts) == 1 or key[0].casefold() == parts[-2].casefold())
    ]
    if len(found) > 1:
        found = [k for k in found if k[0].casefold() == database.casefold()] or found
    if len(found) == 1:
        return Job(name, ".".join(found[0]), tuple(staged[found[0]]))
    if found:
        both = ", ".join(".".join(k) for k in sorted(found))
        return Job(name, both, problem=f"several staging tables have its name: {both}; give tables= a mapping")
    return Job(name, problem=f"no staging table {target or table}")


def prepare(lake: Lake, job: Job, mode: Any, keys: Keys | None, *, chosen: bool) -> Job:
    """Open a job's table and settle its keys and mode; what cannot be is its `problem`.

    Raises
    ------
    ParameterError
        The table was chosen by name and does not say which columns identify a record.
    """
    if job.problem:
        return job
    job.files, job.superseded = current_load(job.files)
    try:
        job.side = open_side(lake, job.name)
    except DatalakeKitError as problem:
        job.problem = str(problem)
        return job
    job.keys = _keys_of(job, keys)
    job.mode = _mode_of(job, mode)
    if not job.keys:
        job.problem = (
            f"{job.name} does not say which columns identify a record ({job.side.format} table). "
            f"Give keys=, for example keys={{{job.name!r}: ['PK_ID']}}"
        )
        if chosen:
            raise ParameterError(job.problem)
    return job


def attach_source(job: Job, source: Any, *, only_one: bool) -> Job:
    """Open the source of a job's table; what cannot be opened is its `problem`.

    A mapping names the source of each table; what `open_source` gave is taken as it is. A database URL for several
    tables has the tables of the staging folder, or of the lake where there is none.

    Raises
    ------
    ParameterError
        One frame or file is given as the source of several tables.
    ConfigError
        No URL that can be read.
    """
    if source is None or job.problem:
        return job
    given, table = source, job.staging or None
    if isinstance(source, Mapping):
        named = [v for k, v in source.items() if k.casefold() == job.name.casefold()]
        if not named:
            return job
        given = named[0]
        if given is None:
            raise ParameterError(f"source= names {job.name} and gives None. Leave the table out, or give its source.")
        if isinstance(given, tuple) and len(given) == 2 and is_database(given[0]):
            given, table = given
    elif not only_one and not is_database(source):
        raise ParameterError("One source stands for one table. Give source= a mapping of table to source.")
    if isinstance(given, Source):
        job.source = given
        return job
    try:
        job.source = open_source(given, (table or split_name(job.name)[-1]) if is_database(given) else None)
    except (ConfigError, ParameterError):
        raise
    except DatalakeKitError as problem:
        job.problem = str(problem)
    return job


def _keys_of(job: Job, keys: Keys | None) -> tuple[str, ...]:
    given = _of_table(job.name, keys) if isinstance(keys, Mapping) else keys
    found = (given,) if isinstance(given, str) else tuple(given or ())
    found = found or job.keys
    if not found and job.side is not None:
        found = job.side.record_keys
    return found


def _mode_of(job: Job, mode: Any) -> Mode:
    given = _of_table(job.name, mode) if isinstance(mode, Mapping) else mode
    if given in ("S", "H"):
        return "H" if given == "H" else "S"
    if given is not None:
        raise ParameterError(f"mode is 'S' (current snapshot) or 'H' (historical), not {given!r}.")
    if job.mode == "H":
        return "H"
    ordering = (job.side.ordering or "").casefold() if job.side is not None else ""
    names = {k.casefold() for k in job.keys}
    return "H" if ordering and ordering in names and len(names) > 1 else "S"


def _of_table(name: str, given: Mapping[str, Any]) -> Any:
    return next((v for k, v in given.items() if k.casefold() == name.casefold()), None)


__all__ = ["Job", "Keys", "attach_source", "jobs_of", "prepare", "staging_folder"]
