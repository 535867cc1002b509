"""Does the lake hold what the source holds? Counts, versions, keys, values, and why not."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from datalake_kit.cdc.asked import (
    check_evidence,
    check_mask,
    check_names,
    check_options,
    check_tolerance,
    masked_columns,
    span,
    tolerance_for,
)
from datalake_kit.cdc.check import check_table
from datalake_kit.cdc.compare import UNVERIFIED
from datalake_kit.cdc.dms import by_table, list_dms_files
from datalake_kit.cdc.dms_names import CONTROL, OTHER
from datalake_kit.cdc.dms_says import note_cut_lobs, note_evidence
from datalake_kit.cdc.findings import hidden_key
from datalake_kit.cdc.jobs import Job, Keys, attach_source, jobs_of, prepare, staging_folder
from datalake_kit.cdc.lake_side import counts_where_possible, from_files
from datalake_kit.cdc.moving import named_columns
from datalake_kit.cdc.odp_config import read_config
from datalake_kit.cdc.records import append_record
from datalake_kit.cdc.replay import Mode
from datalake_kit.cdc.result import (
    BY_FILE_TYPES,
    DIFFERENT,
    EQUAL,
    FINDING_COLUMNS,
    LAG_TYPES,
    SUMMARY_TYPES,
    Validation,
)
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.table_check import TableCheck
from datalake_kit.cdc.trackers import Lag, Trackers, in_words, lag_of, read_trackers
from datalake_kit.errors import DatalakeKitError, EngineError, ParameterError
from datalake_kit.hudi.instants import to_datetime
from datalake_kit.storage import Place

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

Level = Literal["counts", "keys", "values"]
LEVELS = ("counts", "keys", "values")
Tolerance = float | timedelta | Mapping[str, float | timedelta]


def validate(
    lake: Lake,
    tables: Iterable[str] | Mapping[str, str] | None = None,
    *,
    staging: str | Path | Place | None = None,
    source: Any = None,
    level: Level = "counts",
    config: Any = None,
    cadence: str | None = None,
    mode: Mode | Mapping[str, Mode] | None = None,
    keys: Keys | None = None,
    until: str | datetime | date | None = None,
    tolerance: Tolerance | None = None,
    mask: Collection[str] = (),
    settings: DmsSettings | None = None,
    trackers: Any = None,
    max_lag: str | timedelta | None = None,
    evidence: Any = None,
    history: str | Path | None = None,
    changed_at: str | Mapping[str, str] | None = None,
) -> Validation:
    """Prove that tables of the lake hold what their sources hold, and say what is wrong where they do not.

    Two hops are judged apart. Source to expected: the DMS files, replayed, lead to what the source holds. Expected to
    lake: the lake holds what the files lead to. Without `source` only the second is judged, without staging files the
    lake is held against the source directly.

    The full load and every change file are replayed. At level "counts" two counts are compared: the rows of each table
    (all tables in one statement), and the rows of each version, which finds a lost update file though the totals agree.
    Where a table differs, its keys and values are compared, and each key that is wrong is explained if replaying the
    explanation leaves exactly what the lake holds. "keys" and "values" compare every table so.

    Parameters
    ----------
    lake : Lake
    tables : list of str, or mapping, optional
        `database.table` names; or a mapping of those to the names of their staging tables (`"table_1"` or
        `"taxi_trips.table_1"`). Without it every table of `config`, else all that have a staging table of their name.
    staging : path, optional
        The folder into which DMS writes, or s3://bucket/folder; without it `_raw/staging` of the lake's folder.
    source : DataFrame, path, database URL, or a mapping of table to these, optional
        The source itself. A URL such as `postgresql://reader@host/shop` is read in one read-only transaction, and
        compared by digests of key ranges that the database computes; a tuple (URL, "schema.table") names its table, and
        what `dk.cdc.open_source` gives has further options.
    level : "counts", "keys" or "values"
        How deep tables are compared that look equal.
    config : path, DataFrame, list or dynamodb:// address, optional
        The framework's `odpf_raw_table_config`: tables, keys and modes are taken from it.
    cadence : str, optional
        Only tables of `config` of this refresh cadence.
    mode : "S" or "H", or a mapping of table to mode, optional
        Current snapshot or historical; without it a Hudi table whose ordering column is one of its keys is historical.
    keys : str, list of str, or a mapping of table to these, optional
        The columns that identify a record; without it the record key fields of a Hudi table.
    until : str, datetime or date, optional
        A cut, a sequence or a time (UTC; ISO 8601 as text, a date is the whole day): changes after it are left out on
        both sides. Without it all that is staged.
    tolerance : number or timedelta, or a mapping of column to these, optional
        How far numbers or times may lie apart and still count as equal.
    mask : list of str
        Columns that are compared, and whose values are never shown; those of a partition column stand in the paths of
        files all the same.
    settings : DmsSettings, optional
        How DMS was told to write, where its files do not tell.
    trackers : path, list of paths, DataFrame or dynamodb:// address, optional
        The framework's tracker tables: files landed and not yet processed are lag, files processed whose changes are
        absent are lost. Without them landing times tell.
    max_lag : timedelta or text such as "6h", optional
        A table for which a change waits longer is different; a row that the source changed after the cut waits too.
    evidence : DataFrame, path or mapping, optional
        DMS's own tables `awsdms_apply_exceptions` and `awsdms_validation_failures_v1`; those that are staged are used
        without being named.
    history : path, optional
        A folder: one row a table of this validation is added to `validations/` in it; `dk.cdc.history` reads them.
    changed_at : str, or a mapping of table to str, optional
        The source's column that says when a row was last changed: a time (UTC where it has no zone), a date, or the
        sequence. Keys that differ because the source changed their row after the cut are lag. The cut is `until`;
        without it the last processed sequence, or the newest of the lake where nothing is staged. A row that the source
        deleted after the cut is "extra": that cannot be told from a delete that was lost.

    Returns
    -------
    Validation
        `.ok`, `.status`, `.sentence`, `.summary`, `.findings`, `.by_file`, `.lag`, `.to_html()`, `.to_markdown()`,
        `.to_dict()`. What could not be compared is "not compared", never "equal".

    Raises
    ------
    ParameterError
        An unknown level; an option of a wrong type; no staging folder said; no keys for a table that names none; a mask
        that names a column of no table.
    DataError, UnreadableFileError
        The staging folder is not there or empty, or no lake table has a staging table of its name.
    NotFoundError
        A table of `tables`, `keys`, `mode`, `source` or `changed_at` that the lake does not have.
    ColumnNotFoundError
        A source has no column of the name in `changed_at`.

    Examples
    --------
    >>> check = dk.cdc.validate(lake, ["taxi.table_1", "taxi.table_6"])                  # doctest: +SKIP
    >>> check.ok, check.sentence                                                         # doctest: +SKIP
    >>> dk.cdc.validate(lake, ["shop.orders"], source="postgresql://reader@host/shop", level="values")  # doctest: +SKIP
    """
    if level not in LEVELS:
        raise ParameterError(f"level is one of {', '.join(LEVELS)}, not {level!r}.")
    check_options(settings=settings, cadence=cadence, config=config, history=history, keys=keys)
    check_evidence(evidence, settings)
    mask, limit = masked_columns(mask), span(max_lag)
    configs = None if config is None else read_config(config, cadence=cadence)
    known = None if trackers is None else read_trackers(trackers)
    folder = staging_folder(lake, staging, needed=source is None)
    listed = [] if folder is None else list_dms_files(folder, settings)
    staged = None if folder is None else by_table(listed)
    control = [f for f in listed if f.kind == CONTROL]
    jobs = jobs_of(lake, tables, staged, configs)
    check_names(lake, jobs, mode=mode, keys=keys, source=source, changed_at=changed_at)
    jobs = [prepare(lake, job, mode, keys, chosen=tables is not None) for job in jobs]
    with contextlib.ExitStack() as opened:
        for job in jobs:
            attach_source(job, source, only_one=len(jobs) == 1)
            if job.source is not None:
                opened.enter_context(job.source)
        check_mask(jobs, mask)
        check_tolerance(jobs, tolerance)
        named_columns(jobs, changed_at)
        sides = [j.side for j in jobs if j.side is not None]
        whole = [s.name for s in sides if s.is_whole and not s.around_sql]
        counts, problems, statement = counts_where_possible(lake, whole)
        for job in jobs:
            problem = problems.get(job.name, "")
            if problem and job.side is not None and job.side.is_remote and job.side.snapshot is not None:
                job.side = from_files(job.side, _failed(problem))
            else:
                job.problem = job.problem or problem
        lags = {job.name: _lag(job, known) for job in jobs}
        options = {"level": level, "until": until, "tolerance": tolerance, "mask": mask, "settings": settings}
        results = [_check(job, counts.get(job.name), lags[job.name], options, known) for job in jobs]
    for job, result in zip(jobs, results, strict=True):
        _limit_lag(result, lags[result.table], limit)
        note_evidence(result, job, evidence, control, settings, mask)
        note_cut_lobs(result, job, settings, mask)
        if known is not None and result.verdict != EQUAL:
            result.explanation = "; ".join(t for t in (result.explanation, *known.notes(job.name)) if t)
        if result.untrusted is not None and len(result.untrusted):
            keys_shown = result.untrusted["key"].map(lambda key, job=job: hidden_key(key, job.keys, mask))
            result.untrusted = result.untrusted.assign(key=keys_shown)
    provenance = _provenance(lake, folder, staged, level, jobs, results, statement)
    provenance["processing"] = {name: "; ".join(lag.notes) for name, lag in lags.items() if lag.notes}
    if configs is not None and configs.note:
        provenance["configuration"] = configs.note
    found = _validation(level, results, provenance, [_waiting(r, lags[r.table]) for r in results])
    if history is not None:
        append_record(found, history)
    return found


_RULE = {
    "counts": "rows of each table and rows of each version agree; where they do not, keys and values are compared",
    "keys": "each key is there once, with the version expected",
    "values": "each key is there once, with every value as expected",
}


def _provenance(
    lake: Lake,
    folder: Place | None,
    staged: Mapping[tuple[str, str], Any] | None,
    level: str,
    jobs: Sequence[Job],
    results: Sequence[TableCheck],
    statement: str,
) -> dict[str, Any]:
    matched = {job.staging for job in jobs}
    known = (".".join(key) for key, found in (staged or {}).items() if any(f.kind != OTHER for f in found))
    return {
        "lake": repr(lake),
        "engine": lake.engine_name,
        "staging": "" if folder is None else str(folder),
        "source": {j.name: j.source.label for j in jobs if j.source is not None},
        "checked at": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": level,
        "rule": _RULE[level],
        "count statement": statement,
        "newest commit": {j.name: j.side.commit for j in jobs if j.side is not None and j.side.commit},
        "changes until": {r.table: r.last_sequence for r in results if r.last_sequence},
        "superseded by a later full load": {j.name: len(j.superseded) for j in jobs if j.superseded},
        "staging tables not compared": sorted(name for name in known if name not in matched),
    }


def _check(
    job: Job, count: int | None, lag: Lag, options: Mapping[str, Any], trackers: Trackers | None = None
) -> TableCheck:
    if job.problem or job.side is None:
        return TableCheck.not_compared(job.name, job.staging, job.problem or "it could not be opened")
    late = {f.name: f.landed for f in lag.waiting}
    files = job.files if trackers is None else trackers.dated(job.files)
    known: dict[str, Any] = {"lag": late, "processed": lag.processed, "source": job.source}
    known["changed_at"] = job.changed_at
    options = {**options, "tolerance": tolerance_for(job, options.get("tolerance"))}
    side = job.side
    try:
        try:
            return check_table(side, job.staging, files, job.keys, job.mode, count=count, **known, **options)
        except EngineError as problem:
            if not side.is_remote or side.snapshot is None:
                raise
            job.side = side = from_files(side, _failed(problem))  # the rows are on S3 all the same
            return check_table(side, job.staging, files, job.keys, job.mode, count=None, **known, **options)
    except DatalakeKitError as problem:
        return TableCheck.not_compared(job.name, job.staging, str(problem), mode=job.mode)


def _failed(problem: DatalakeKitError | str) -> str:
    return f"SQL on Athena failed: {str(problem).splitlines()[0]}"


# --- lag


def _lag(job: Job, trackers: Trackers | None) -> Lag:
    """The files of a table that are not due in the lake yet."""
    if job.problem or job.side is None or not job.files:
        return Lag()
    return lag_of(job.files, trackers, last_commit=to_datetime(job.side.commit), table=job.name)


def _limit_lag(result: TableCheck, lag: Lag, limit: timedelta | None) -> None:
    """A table whose changes wait for too long is different, whatever it holds."""
    if limit is None:
        return
    waits: list[tuple[str | None, str, timedelta]] = []
    if lag.waiting:
        waits.append((lag.waiting[0].name, lag.waiting[0].name, lag.age))
    if result.late_since is not None:
        age = datetime.now(UTC) - result.late_since.replace(tzinfo=UTC)
        waits.append((None, "a row that the source changed after the cut", age))
    for file, what, age in waits:
        if age <= limit:
            continue
        text = f"{what} waits for {in_words(age)}, longer than max_lag ({in_words(limit)})"
        result.note(UNVERIFIED, file=file, explanation=text)
        result.check("the oldest change that waits", f"at most {in_words(limit)}", in_words(age), passed=False)
        result.verdict = DIFFERENT
        result.explanation = "; ".join(t for t in (result.explanation, text) if t)


def _waiting(result: TableCheck, lag: Lag) -> pd.DataFrame:
    now = datetime.now(UTC)
    staged = {} if result.by_file is None else dict(zip(result.by_file["file"], result.by_file["rows"], strict=True))
    rows = [
        {
            "table": result.table,
            "file": f.name,
            "rows": staged.get(f.name),
            "landed": f.landed,
            "age": None if f.landed is None else now - f.landed,
        }
        for f in lag.waiting
    ]
    return pd.DataFrame(rows, columns=list(LAG_TYPES)).astype(LAG_TYPES)


def _validation(
    level: str, results: Sequence[TableCheck], provenance: Mapping[str, Any], lags: Sequence[pd.DataFrame]
) -> Validation:
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
    late = [lag for lag in lags if len(lag)]
    waiting = pd.concat(late, ignore_index=True) if late else pd.DataFrame(columns=list(LAG_TYPES)).astype(LAG_TYPES)
    return Validation(level, summary, findings, files.astype(BY_FILE_TYPES), untrusted, checks, provenance, waiting)


__all__ = ["Level", "validate"]
