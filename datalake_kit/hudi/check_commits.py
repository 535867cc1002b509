"""Checks of the timeline of a Hudi table: actions that never ended, commits that lost something, risky settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from datalake_kit.errors import DataError, HudiError
from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.commits import Instant
from datalake_kit.hudi.content import decode_instant
from datalake_kit.hudi.examined import Examined
from datalake_kit.hudi.findings import ERROR, INFO, WARNING, Finding
from datalake_kit.hudi.history import overtaken, why_nothing, wrote_nothing
from datalake_kit.hudi.log_keys import rewritten_keys
from datalake_kit.hudi.properties import FIRST_VERSION_OF_NEW_LAYOUT
from datalake_kit.hudi.tally import tallies

_LATE = "COMMIT_TIME_ORDERING"
_PLANS = {"compaction": "compaction", "logcompaction": "compaction", "clustering": "clustering"}


def unreadable(table: Examined) -> Iterator[Finding]:
    """Completed instants and the archive can be read."""
    for one in table.damage:
        if one.instant is None:
            yield Finding("unreadable-archive", ERROR, one.problem)
        else:
            yield Finding("unreadable-commit", ERROR, one.problem, str(one.instant.file), one.instant.requested)


def pending(table: Examined) -> Iterator[Finding]:
    """No action is older than the limit and still not complete; no compaction waits that cannot run."""
    for instant in table.timeline.pending:
        kind = _PLANS.get(instant.action, "")
        problem = (_cannot_run(table, instant) or _fails_in_spark(table)) if kind == "compaction" else ""
        if problem:
            yield Finding("compaction-cannot-run", ERROR, problem, str(instant.file), instant.requested)
        elif table.is_old(instant):
            hours = table.age(instant).total_seconds() / 3600
            limit = table.limits.inflight.total_seconds() / 3600
            what = f"The {instant.action} {instant.requested} is {instant.state} for {hours:,.1f} hours, not complete"
            what += f" (limit {limit:g} hours)."
            name = f"pending-{kind}" if kind else "stale-inflight"
            yield Finding(name, WARNING, what, str(instant.file), instant.requested)


def _cannot_run(table: Examined, instant: Instant) -> str:
    """Say why a compaction cannot run: its plan is gone or names files that are not there; empty when it can."""
    try:
        named = _plan(instant)
    except HudiError as problem:
        return str(problem)
    gone = [path for path in named if path not in table.present]
    if not gone:
        return ""
    return f"The compaction {instant.requested} needs {len(gone)} files that are gone: {', '.join(gone)}."


def _plan(instant: Instant) -> list[str]:
    """Name the files that a pending compaction is to merge."""
    plan = instant.file.with_name(f"{instant.requested}.{instant.action}.requested")
    try:
        operations = decode_instant(plan.read_bytes()).get("operations") or []
        return [path for one in operations for path in _planned(one)]
    except Exception as problem:  # whatever a damaged Avro file makes the decoder raise
        raise HudiError(
            f"The plan of the compaction {instant.requested} cannot be read ({problem}): {plan}."
        ) from problem


def _planned(operation: Mapping[str, Any]) -> list[str]:
    partition = operation.get("partitionPath") or ""
    names = [*(operation.get("deltaFilePaths") or []), operation.get("dataFilePath") or ""]
    files = [name.rsplit("/", 1)[-1] for name in names if name]
    return [f"{partition}/{name}" if partition else name for name in files]


def _fails_in_spark(table: Examined) -> str:
    """Name the keys at which Hudi 1.0.2 cannot merge log files: see `log_keys`; empty when there are none."""
    properties, snapshot = table.timeline.table, table.snapshot
    if properties.version != FIRST_VERSION_OF_NEW_LAYOUT or snapshot is None or not snapshot.ordering_field:
        return ""
    kinds = [f.type for f in snapshot.schema() if f.name.casefold() == snapshot.ordering_field.casefold()]
    if not kinds or pa.types.is_int32(kinds[0]):
        return ""
    try:
        keys = [
            k for s in snapshot.slices if s.logs for k in rewritten_keys(properties.folder / g.path for g in s.logs)
        ]
    except DataError:
        return ""  # a log file that cannot be read is found by itself
    if not keys:
        return ""
    some = ", ".join(keys[:5])
    return (
        f"{len(keys)} key(s) are deleted in a log file and written again ({some}): Hudi 1.0.2 ends with a "
        "ClassCastException there, and the compaction never completes. Readers in Spark fail too."
    )


def commits(table: Examined) -> Iterator[Finding]:
    """Commits wrote something, without errors, and follow from each other."""
    late = overtaken(table.timeline)
    for commit, tally, before in zip(table.timeline.commits, tallies(table.timeline), late, strict=True):
        at = commit.requested
        if wrote_nothing(commit):
            why = why_nothing(commit)
            what = f"The {commit.operation} completed and wrote no file" + (f" ({why})." if why else ".")
            yield Finding("empty-commit", INFO if why else WARNING, what, commit=at)
        for stat in commit.stats:
            if stat.errors:
                what = f"{stat.errors:,} rows could not be written."
                yield Finding("write-errors", ERROR, what, stat.path, at, stat.partition, stat.errors)
        if tally.broken and not table.damage:  # a commit that cannot be read is found by itself
            yield Finding("lost-commit", ERROR, tally.broken, commit=at)
        if before:
            yield Finding(
                "overtaken-commit", WARNING, f"It completed before {before}, which was begun earlier.", commit=at
            )


def ordering(table: Examined) -> Iterator[Finding]:
    """An older change that is processed late does not win over a newer one."""
    properties = table.timeline.table
    field = ", ".join(properties.ordering_fields)
    if not field:
        return
    if properties.merge_mode == _LATE:
        what = f"The table takes what arrives last, whatever {field} says: a file processed late overwrites newer rows."
        yield Finding("late-file-wins", WARNING, what)
    elif properties.merge_mode == "unknown" and not properties.has_new_layout:
        what = (
            "The table does not say how versions of a key are put in order. The default of its writers takes what "
            f"arrives last, whatever {field} says."
        )
        yield Finding("late-file-wins", INFO, what)


def schema(table: Examined) -> Iterator[Finding]:
    """Say where columns came, went or changed their type."""
    last: pa.Schema | None = None
    text = ""
    for commit in table.timeline.commits:
        if not commit.schema or commit.schema == text:
            continue
        text = commit.schema
        try:
            now = arrow_schema(text)
        except (DataError, ValueError, KeyError) as problem:
            yield Finding(
                "not-checked", WARNING, f"The schema of {commit.requested}: {problem}", commit=commit.requested
            )
            continue
        changes = _changes(last, now) if last is not None else []
        last = now
        if changes:
            what = "; ".join(changes)
            yield Finding("schema-changed", INFO, what, commit=commit.requested, count=len(changes))


def _changes(before: pa.Schema, after: pa.Schema) -> list[str]:
    old = {f.name: f.type for f in before if not f.name.startswith("_hoodie_")}
    new = {f.name: f.type for f in after if not f.name.startswith("_hoodie_")}
    found = [f"{n} added ({t})" for n, t in new.items() if n not in old]
    found += [f"{n} dropped" for n in old if n not in new]
    return found + [f"{n} {old[n]} is now {t}" for n, t in new.items() if n in old and old[n] != t]


def history(table: Examined) -> Iterator[Finding]:
    """Say from when on the table can be read as it was, and in which zone its instants count."""
    kept = table.timeline.retained_from or (table.timeline.commits[0].requested if table.timeline.commits else "")
    if kept:
        yield Finding("history-kept", INFO, f"The table can be read as of {kept} and later.", commit=kept)
    if "assumed" in table.zone.told:
        yield Finding("timezone-not-named", INFO, f"Instants count as {table.zone.told}.")
