"""Does the lake hold what the DMS files say it should? Counts, versions, keys, values, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from datalake_kit.cdc.check import TableCheck, check_table
from datalake_kit.cdc.dms import OTHER, DmsFile, by_table, list_dms_files
from datalake_kit.cdc.lake_side import LakeSide, all_names, counts_where_possible, open_side
from datalake_kit.cdc.replay import Mode
from datalake_kit.cdc.result import BY_FILE_TYPES, FINDING_COLUMNS, SUMMARY_TYPES, Validation
from datalake_kit.errors import DataError, DatalakeKitError, ParameterError
from datalake_kit.hudi.rows import locate
from datalake_kit.sql import split_name

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

Level = Literal["counts", "keys", "values"]
LEVELS = ("counts", "keys", "values")
_Keys = str | Sequence[str] | Mapping[str, str | Sequence[str]]


@dataclass
class _Job:
    """One table to be compared: its lake side, its staged files, and why it cannot be if it cannot."""

    name: str
    staging: str = ""
    files: Sequence[DmsFile] = ()
    side: LakeSide | None = None
    problem: str = ""
    keys: tuple[str, ...] = ()
    mode: Mode = "S"


def validate(
    lake: Lake,
    tables: Iterable[str] | Mapping[str, str] | None = None,
    *,
    staging: str | Path | None = None,
    level: Level = "counts",
    mode: Mode | Mapping[str, Mode] | None = None,
    keys: _Keys | None = None,
) -> Validation:
    """Prove that tables of the lake hold what their DMS files say they should, and say what is wrong where they do not.

    The full load and every change file are replayed. At level "counts" two counts are compared: the rows of each table
    (all tables in one statement), and the rows of each version, which finds a lost update file though the totals agree.
    Where a table differs, its keys and values are compared, and each key that is wrong is explained if replaying the
    explanation leaves exactly what the lake holds. "keys" and "values" compare every table so.

    Parameters
    ----------
    lake : Lake
    tables : list of str, or mapping, optional
        `database.table` names; or a mapping of those to the names of their staging tables (`"table_1"` or
        `"taxi_trips.table_1"`). Without it every table that has a staging table of its name.
    staging : path, optional
        The folder into which DMS writes; without it `_raw/staging` of the lake's folder.
    level : "counts", "keys" or "values"
        How deep tables are compared that look equal.
    mode : "S" or "H", or a mapping of table to mode, optional
        Current snapshot or historical; without it a Hudi table whose ordering column is one of its keys is historical.
    keys : str, list of str, or a mapping of table to these, optional
        The columns that identify a record; without it the record key fields of a Hudi table.

    Returns
    -------
    Validation
        `.ok`, `.status`, `.sentence`, `.summary`, `.findings`, `.by_file`, `.to_html()`, `.to_markdown()`,
        `.to_dict()`.
        What could not be compared is "not compared", never "equal".

    Raises
    ------
    ParameterError
        An unknown level; no staging folder said; no keys for a table that names none.
    DataError, UnreadableFileError
        The staging folder is not there or empty, or no lake table has a staging table of its name.
    NotFoundError
        A table of `tables` that the lake does not have.

    Examples
    --------
    >>> check = dk.cdc.validate(lake, ["taxi.table_1", "taxi.table_6"])                  # doctest: +SKIP
    >>> check.ok, check.sentence                                                         # doctest: +SKIP
    """
    if level not in LEVELS:
        raise ParameterError(f"level is one of {', '.join(LEVELS)}, not {level!r}.")
    folder = _staging_folder(lake, staging)
    staged = by_table(list_dms_files(folder))
    jobs = [_prepare(lake, job, mode, keys, chosen=tables is not None) for job in _jobs(lake, tables, staged)]
    whole = [j.name for j in jobs if j.side is not None and j.side.is_whole]
    counts, problems, statement = counts_where_possible(lake, whole)
    for job in jobs:
        job.problem = job.problem or problems.get(job.name, "")
    results = [_check(job, counts.get(job.name), level) for job in jobs]
    matched = {job.staging for job in jobs}
    known = (".".join(key) for key, found in staged.items() if any(f.kind != OTHER for f in found))
    unmatched = sorted(name for name in known if name not in matched)
    provenance = {
        "lake": repr(lake),
        "engine": lake.engine_name,
        "staging": str(folder),
        "checked at": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": level,
        "rule": _RULE[level],
        "count statement": statement,
        "newest commit": {j.name: j.side.commit for j in jobs if j.side is not None and j.side.commit},
        "changes until": {r.table: r.last_sequence for r in results if r.last_sequence},
        "staging tables not compared": unmatched,
    }
    return _validation(level, results, provenance)


_RULE = {
    "counts": "rows of each table and rows of each version agree; where they do not, keys and values are compared",
    "keys": "each key is there once, with the version expected",
    "values": "each key is there once, with every value as expected",
}


def _staging_folder(lake: Lake, staging: str | Path | None) -> Path:
    if staging:
        return Path(staging).expanduser().absolute()
    if lake.root is None:
        raise ParameterError("Say where DMS writes: staging=<folder>. A lake on Athena has no folder of its own.")
    return Path(lake.root) / "_raw" / "staging"


def _jobs(
    lake: Lake, tables: Iterable[str] | Mapping[str, str] | None, staged: Mapping[tuple[str, str], list[DmsFile]]
) -> list[_Job]:
    if isinstance(tables, str):
        raise ParameterError(f"tables is a list of names, such as [{tables!r}].")
    if tables is None:
        jobs = [j for j in (_match(name, None, staged) for name in all_names(lake)) if j.staging]
        if not jobs:
            known = ", ".join(sorted(t for _, t in staged))
            raise DataError(f"No lake table has a staging table of its name. Staged are: {known}. Map them in tables=.")
        return jobs
    wanted = tables if isinstance(tables, Mapping) else dict.fromkeys(tables)
    if not wanted:
        raise ParameterError("tables names no table. Leave it out to compare all that have a staging table.")
    return [_match(locate(lake, name)[0], target, staged) for name, target in wanted.items()]


def _match(name: str, target: str | None, staged: Mapping[tuple[str, str], list[DmsFile]]) -> _Job:
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
        return _Job(name, ".".join(found[0]), tuple(staged[found[0]]))
    if found:
        both = ", ".join(".".join(k) for k in sorted(found))
        return _Job(name, both, problem=f"several staging tables have its name: {both}; give tables= a mapping")
    return _Job(name, problem=f"no staging table {target or table}")


def _prepare(lake: Lake, job: _Job, mode: Any, keys: _Keys | None, *, chosen: bool) -> _Job:
    if job.problem:
        return job
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


def _keys_of(job: _Job, keys: _Keys | None) -> tuple[str, ...]:
    given = keys.get(job.name) if isinstance(keys, Mapping) else keys
    found = (given,) if isinstance(given, str) else tuple(given or ())
    if not found and job.side is not None:
        found = job.side.record_keys
    return found


def _mode_of(job: _Job, mode: Any) -> Mode:
    given = mode.get(job.name) if isinstance(mode, Mapping) else mode
    if given in ("S", "H"):
        return "H" if given == "H" else "S"
    if given is not None:
        raise ParameterError(f"mode is 'S' (current snapshot) or 'H' (historical), not {given!r}.")
    ordering = (job.side.ordering or "").casefold() if job.side is not None else ""
    names = {k.casefold() for k in job.keys}
    return "H" if ordering and ordering in names and len(names) > 1 else "S"


def _check(job: _Job, count: int | None, level: Level) -> TableCheck:
    if job.problem or job.side is None:
        return TableCheck.not_compared(job.name, job.staging, job.problem or "it could not be opened")
    try:
        return check_table(job.side, job.staging, job.files, job.keys, job.mode, count=count, level=level)
    except DatalakeKitError as problem:
        return TableCheck.not_compared(job.name, job.staging, str(problem), mode=job.mode)


def _validation(level: str, results: Sequence[TableCheck], provenance: Mapping[str, Any]) -> Validation:
    summary = pd.DataFrame([r.summary_row() for r in results], columns=list(SUMMARY_TYPES)).astype(SUMMARY_TYPES)
    findings = pd.DataFrame([f for r in results for f in r.findings], columns=list(FINDING_COLUMNS), dtype="object")
    by_file = [r.by_file for r in results if r.by_file is not None]
    files = pd.concat(by_file, ignore_index=True) if by_file else pd.DataFrame(columns=list(BY_FILE_TYPES))
    doubts = [r.untrusted.assign(table=r.table) for r in results if r.untrusted is not None and len(r.untrusted)]
    columns = ["table", "kind", "key", "file", "sequence"]
    untrusted = pd.concat(doubts, ignore_index=True)[columns] if doubts else pd.DataFrame(columns=columns)
    checks = pd.DataFrame(
        [c for r in results for c in r.checks],
        columns=["table", "check", "expected", "observed", "tolerance", "passed"],
    )
    return Validation(level, summary, findings, files.astype(BY_FILE_TYPES), untrusted, checks, provenance)
