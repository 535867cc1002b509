"""Checks of the files of a Hudi table: whole, committed, of one shape, and not too many."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

import pyarrow as pa

from datalake_kit.errors import UnreadableFileError
from datalake_kit.hudi.base_files import Footer, footers
from datalake_kit.hudi.commits import Timeline, WriteStat
from datalake_kit.hudi.evolution import find_column
from datalake_kit.hudi.examined import Examined
from datalake_kit.hudi.findings import ERROR, INFO, WARNING, Finding
from datalake_kit.hudi.slices import DataFile, parse_base_name

WHOLE_FILE = 120 * 2**20  # the size that Hudi's writer aims at
MANY_SMALL = 10


def files_at_fault(table: Examined) -> Iterator[Finding]:
    """Files that a commit names are gone or have another size."""
    if table.refusal:
        yield Finding("unreadable-table", ERROR, table.refusal)
    for fault in table.snapshot.faults if table.snapshot else ():
        file = fault.file
        kind = "log" if file.is_log else "base"
        if file.path not in table.present:
            how = "missing"
        elif file.bytes is not None and table.present[file.path] < file.bytes:
            how = "cut"
        else:
            how = "cut" if file.is_log else "unreadable"
        name = f"{how}-{kind}-file"
        _, stat = table.written.get(file.path, ("", None))
        count = max(stat.inserts + stat.updates + stat.deletes, 1) if stat else 1
        yield Finding(name, ERROR, fault.problem, file.path, file.instant, file.partition, count)


def older_files(table: Examined) -> Iterator[Finding]:
    """Older base files that reading as of an earlier moment needs are there too, as the cleaner left them."""
    current = {f.path for s in table.snapshot.slices for f in s.files} if table.snapshot else set()
    current |= {fault.file.path for fault in table.snapshot.faults} if table.snapshot else set()
    for commit, stats in needed_for_the_past(table.timeline).items():
        bad = [s for s in stats if s.path not in current and table.present.get(s.path) != s.bytes]
        if bad and table.snapshot is not None:
            what = (
                f"{len(bad)} older base files of commit {commit} are gone or cut: the table as it was cannot be read."
            )
            yield Finding("damaged-history", WARNING, what, bad[0].path, commit, bad[0].partition, len(bad))


def needed_for_the_past(timeline: Timeline) -> Mapping[str, list[WriteStat]]:
    """Name the base files that the table needs from the oldest moment on that the cleaner kept, by commit."""
    first = timeline.retained_from
    if not first and any(i.action == "clean" and i.state == "completed" for i in timeline.instants):
        return {}  # a cleaner that counts versions of files does not say from when on they are kept
    replaced = {g for c in timeline.commits if c.requested < first for g in c.replaced}
    needed: dict[str, list[WriteStat]] = defaultdict(list)
    before: dict[tuple[str, str], tuple[str, WriteStat]] = {}
    for commit in timeline.commits:
        for stat in commit.stats:
            group = (stat.partition, stat.file_id)
            if stat.is_log or group in replaced:
                continue
            if commit.requested < first:
                before[group] = (commit.requested, stat)
            else:
                needed[commit.requested].append(stat)
    for instant, stat in before.values():
        needed[instant].append(stat)
    return needed


def base_files(table: Examined) -> Iterator[Finding]:
    """Base files are Parquet, with the rows that their commits say."""
    for file, footer in _footers(table).items():
        if isinstance(footer, str):
            yield Finding("unreadable-base-file", ERROR, footer, file.path, file.instant, file.partition)
            continue
        _, stat = table.written.get(file.path, ("", None))
        if stat is not None and stat.rows != footer.rows:
            what = f"The file has {footer.rows:,} rows; its commit wrote {stat.rows:,}."
            yield Finding("wrong-rows-in-base-file", ERROR, what, file.path, file.instant, file.partition)


def _footers(table: Examined) -> Mapping[DataFile, Footer | str]:
    """The footer of each base file of the snapshot, or why it cannot be read."""
    found: dict[DataFile, Footer | str] = {}
    folder = table.timeline.table.folder
    bases = [s.base_file for s in table.snapshot.slices if s.base_file] if table.snapshot else []
    try:
        return dict(zip(bases, footers([folder / b.path for b in bases]), strict=True))
    except UnreadableFileError:
        pass  # one by one, to name each
    for base in bases:
        try:
            found[base] = footers([folder / base.path])[0]
        except UnreadableFileError as problem:
            found[base] = str(problem)
    return found


def uncommitted_files(table: Examined) -> Iterator[Finding]:
    """Files that no complete commit vouches for: who lists files by hand serves them."""
    complete = {c.requested for c in table.timeline.commits}
    pending = {i.requested: i for i in table.timeline.pending}
    logs: Counter[str] = Counter()
    folder = table.timeline.table.folder
    for file in table.snapshot.uncommitted_files if table.snapshot else ():
        path = file.as_posix().removeprefix(folder.as_posix()).lstrip("/")
        match = parse_base_name(path)
        if match is None:
            logs[path.rpartition("/")[0]] += 1
            continue
        instant = match["instant"]
        if instant in table.damaged_instants:
            severity, name = ERROR, "unreadable-commit"
            what = "The file was written by a completed commit that cannot be read, so it is left out."
        elif instant in complete:
            severity, name = ERROR, "uncommitted-base-file"
            what = "Its commit is complete and does not name the file: readers that go by its instant serve its rows."
        elif instant in pending and not table.is_old(pending[instant]):
            severity, name = INFO, "file-being-written"
            what = f"Its commit was begun {_ago(table.age(pending[instant]).total_seconds())} ago."
        else:
            severity, name = WARNING, "uncommitted-base-file"
            why = "is not complete" if instant in pending else "is not on the timeline"
            what = f"Its commit {instant} {why}: readers that list files by hand serve its rows."
        yield Finding(name, severity, what, path, instant, path.rpartition("/")[0])
    for partition, count in sorted(logs.items()):
        what = f"{count} log files of commits that are not complete."
        yield Finding("uncommitted-log-file", INFO, what, partition=partition, count=count)


def _ago(seconds: float) -> str:
    """An age in words.

    >>> _ago(7260), _ago(172800 * 2)
    ('2.0 hours', '4.0 days')
    """
    return f"{seconds / 86400:.1f} days" if seconds >= 2 * 86400 else f"{seconds / 3600:.1f} hours"


def partitions(table: Examined) -> Iterator[Finding]:
    """A partition column has one type in all files, and a value has one folder."""
    fields = table.timeline.table.partition_fields
    schemas = {f: footer.schema for f, footer in _footers(table).items() if isinstance(footer, Footer)}
    numeric = []
    for field in fields:
        types: dict[pa.DataType, list[str]] = defaultdict(list)
        for file, schema in schemas.items():
            stored = find_column(schema.names, field, schema.names)
            if stored is not None and not pa.types.is_null(schema.field(stored).type):
                types[schema.field(stored).type].append(file.path)
        numeric.append(bool(types) and all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in types))
        if len(types) > 1:
            told = ", ".join(f"{t} in {len(files)} files" for t, files in types.items())
            fewest = min(types.values(), key=len)
            what = f"The partition column {field} is {told}."
            yield Finding("partition-column-types", ERROR, what, fewest[0], count=len(fewest))
    yield from _spelled_twice(table, numeric)


def _spelled_twice(table: Examined, numeric: list[bool]) -> Iterator[Finding]:
    spellings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for one in table.snapshot.slices if table.snapshot else ():
        levels = one.partition.split("/")
        if len(levels) == len(numeric):
            spellings[tuple(_value(v, n) for v, n in zip(levels, numeric, strict=True))].add(one.partition)
    for names in spellings.values():
        if len(names) > 1:
            what = f"The folders {' and '.join(sorted(names))} are one value of the partition columns."
            yield Finding("partition-spelled-twice", WARNING, what, partition=sorted(names)[0], count=len(names))


def _value(level: str, numeric: bool) -> str:
    """The value that a partition folder stands for: VENDORID=1 and 1.0 are one number."""
    text = level.partition("=")[2] if "=" in level else level
    try:
        return str(Decimal(text).normalize()) if numeric else text
    except InvalidOperation:
        return text


def sizes(table: Examined) -> Iterator[Finding]:
    """Base files are not too small and too many, and log files are compacted in time."""
    limit = table.limits.small_file_bytes
    small: dict[str, list[int]] = defaultdict(list)
    for one in table.snapshot.slices if table.snapshot else ():
        first = one.files[0]  # the base file, where there is one
        size = table.present.get(first.path, 0)
        if size < limit and not first.is_log:
            small[one.partition].append(size)
        if len(one.logs) > table.limits.log_files:
            what = f"{len(one.logs)} log files lie over one base file (limit {table.limits.log_files})."
            yield Finding("many-log-files", WARNING, what, first.path, first.instant, one.partition, len(one.logs))
    for partition, files in sorted(small.items()):
        needed = -(-sum(files) // max(limit, WHOLE_FILE)) or 1
        if len(files) - needed >= MANY_SMALL:
            what = f"{len(files)} base files under {limit / 2**20:g} MB where {needed} would do."
            yield Finding("small-files", WARNING, what, partition=partition, count=len(files))


def metadata_table(table: Examined) -> Iterator[Finding]:
    """The metadata table that the properties name is there."""
    named = table.timeline.table.raw.get("hoodie.table.metadata.partitions", "").strip()
    file = table.timeline.table.folder / ".hoodie" / "metadata" / ".hoodie" / "hoodie.properties"
    if named and not file.is_file():
        yield Finding(
            "missing-metadata-table", WARNING, f"hoodie.properties names {named}, and .hoodie/metadata is gone."
        )
