"""Which files are the table: file slices worked out from the timeline and the files that are there.

A file group holds versions (slices) of the same keys: a base file, and on merge-on-read tables log files over it.
The table now is the newest slice of every file group that was not replaced. A file counts only when its commit is
complete; a file that a complete commit names must be there with its size.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi.commits import Timeline, WriteStat
from datalake_kit.hudi.logformat import COMMAND, read_blocks
from datalake_kit.storage import Place, check_parquet, listing

_BASE_NAME = re.compile(r"^(?P<id>.+?)_(?P<token>[0-9-]+)_(?P<instant>\d{14}|\d{17})\.(?P<suffix>[a-z]+)$")
_LOG_NAME = re.compile(
    r"^\.(?P<id>.+)_(?P<instant>\d{14}|\d{17})\.log\.(?P<version>\d+)(?:_(?P<token>[0-9-]+))?(?P<cdc>\.cdc|-cdc)?$"
)
_IGNORED_SUFFIXES = (".crc", ".tmp")


@dataclass(frozen=True)
class DataFile:
    """A base or log file of a group; `bytes` is None where no commit that can be read says its size."""

    path: str
    partition: str
    file_id: str
    instant: str
    bytes: int | None
    named_instant: str
    order: tuple[int, str] = (0, "")
    begins: bool = False  # a log file that may be the first file of its group: all its rows are new

    @property
    def is_log(self) -> bool:
        """Whether it is a log file."""
        return self.path.rsplit("/", 1)[-1].startswith(".")


def _any(_instant: str) -> bool:
    return True


@dataclass(frozen=True)
class FileSlice:
    """The newest version of a file group: a base file, with the log files to be merged over it in order.

    Some writers begin a group with a log file: it has no base file until it is compacted.
    """

    partition: str
    file_id: str
    base_file: DataFile | None
    logs: tuple[DataFile, ...]
    is_complete: Callable[[str], bool] = field(default=_any, repr=False, compare=False)  # a commit of a log's blocks

    @property
    def base(self) -> DataFile:
        """The base file; HudiError for a group without one, which has log files."""
        if self.base_file is None:
            raise HudiError(f"The file group {self.file_id} has log files and no base file. Read its merged rows.")
        return self.base_file

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Base file, if there is one, then log files."""
        return self.logs if self.base_file is None else (self.base_file, *self.logs)


@dataclass(frozen=True)
class Fault:
    """A file of the table that is not there as its commit left it, and what is wrong with it."""

    file: DataFile
    problem: str


@dataclass(frozen=True)
class Resolution:
    """The slices that can be read, the files at fault, and the files that no complete commit vouches for.

    With faults the slices are what is left, which is not the table: older base files, or a base file without its logs.
    """

    slices: tuple[FileSlice, ...]
    faults: tuple[Fault, ...]
    strays: tuple[str, ...]


@dataclass
class _Group:
    bases: dict[str, DataFile] = field(default_factory=dict)
    logs: dict[str, DataFile] = field(default_factory=dict)


_Groups = dict[tuple[str, str], _Group]


def resolve_slices(timeline: Timeline, until: str, *, base_only: bool = False) -> Resolution:
    """Work out the file slices as of an instant, and check that every file of them is there with its size.

    With `base_only` log files are as if they were not there: what they changed is left out.
    """
    every = listing(timeline.table.folder)
    present = {path: size for path, size in every.items() if not path.endswith(_IGNORED_SUFFIXES)}
    groups: _Groups = {}
    if base_only:
        present = {path: size for path, size in present.items() if not path.rsplit("/", 1)[-1].startswith(".")}
    for named in _named_files(timeline, until):
        if not (base_only and named.is_log):
            _put(groups, named)
    strays: list[str] = []
    for path in sorted(present):
        found = _vouched_by_name(timeline, path, until, groups)
        if found is not None:
            _put(groups, found)
        elif not _is_known(groups, path):
            strays.append(path)
    for replaced in _replaced(timeline, until):
        groups.pop(replaced, None)
    slices, faults = _sound_slices(timeline, until, groups, present)
    return Resolution(slices, faults, tuple(strays))


def _sound_slices(
    timeline: Timeline, until: str, groups: _Groups, present: dict[str, int]
) -> tuple[tuple[FileSlice, ...], tuple[Fault, ...]]:
    """Take the newest slice of each group; where a file of it is at fault, note that and take what is left."""
    slices: list[FileSlice] = []
    faults: list[Fault] = []
    for key, group in sorted(groups.items()):
        damaged = False
        while (one := _newest(timeline, until, key, group, damaged)) is not None:
            new = [Fault(f, p) for f in one.files if (p := _problem(timeline, f, present.get(f.path)))]
            if not new:
                slices.append(one)
                break
            damaged = True
            faults += new
            for fault in new:
                group.logs.pop(fault.file.path, None)
                if not fault.file.is_log:
                    group.bases.pop(fault.file.instant)
    return tuple(slices), tuple(faults)


def parse_base_name(path: str) -> re.Match[str] | None:
    """Take the name of a base file apart: id, token, instant, suffix; None for another file."""
    return _BASE_NAME.match(path.rsplit("/", 1)[-1])


def parse_log_name(path: str) -> re.Match[str] | None:
    """Take the name of a log file apart: id, instant, version, token; None for another file."""
    return _LOG_NAME.match(path.rsplit("/", 1)[-1])


def _put(groups: _Groups, file: DataFile) -> None:
    group = groups.setdefault((file.partition, file.file_id), _Group())
    if file.is_log:
        group.logs[file.path] = file
    else:
        group.bases[file.instant] = file


def _is_known(groups: _Groups, path: str) -> bool:
    partition, _, name = path.rpartition("/")
    match = _LOG_NAME.match(name) or _BASE_NAME.match(name)
    if match is None:
        return True
    group = groups.get((partition, match["id"]), _Group())
    return path in group.logs or any(path == b.path or _is_older(match, b) for b in group.bases.values())


def _is_older(match: re.Match[str], base: DataFile) -> bool:
    return not match.string.startswith(".") and match["instant"] < base.instant


def _named_files(timeline: Timeline, until: str) -> Iterable[DataFile]:
    """Files that complete commits name, with their sizes; a later commit overrides an earlier one."""
    for commit in timeline.commits:
        if commit.requested <= until:
            for stat in commit.stats:
                if stat.path:
                    yield _from_stat(timeline, stat, commit.requested)


def _from_stat(timeline: Timeline, stat: WriteStat, instant: str) -> DataFile:
    name = stat.path.rsplit("/", 1)[-1]
    partition = stat.path.rpartition("/")[0]
    match = (_LOG_NAME if stat.is_log else _BASE_NAME).match(name)
    if match is None or (not stat.is_log and match["suffix"] != "parquet"):
        raise HudiError(
            f"{timeline.table.folder}: the commit {instant} wrote {stat.path}, which is neither a Parquet base file "
            "nor a log file that is read. Read the table through Athena or Spark."
        )
    file_id, named = stat.file_id or match["id"], match["instant"]
    if not stat.is_log:
        return DataFile(stat.path, partition, file_id, instant, stat.bytes, named)
    over_base = not timeline.table.has_new_layout and named != instant  # older versions name the base file's instant
    begins = stat.rows == stat.inserts > 0 and not over_base
    order = (int(match["version"]), match["token"] or "")
    return DataFile(stat.path, partition, file_id, instant, stat.bytes, named, order, begins)


def _vouched_by_name(timeline: Timeline, path: str, until: str, groups: _Groups) -> DataFile | None:
    """A file that no readable commit names, yet belongs to the table: its commit is older than the timeline reaches.

    Also log files of older table versions that hold blocks of complete commits under another commit's name.
    """
    partition, _, name = path.rpartition("/")
    log, base = _LOG_NAME.match(name), _BASE_NAME.match(name)
    if base is not None and log is None:
        instant = base["instant"]
        known = instant in groups.get((partition, base["id"]), _Group()).bases
        if known or base["suffix"] != "parquet" or not _is_before_timeline(timeline, instant, until):
            return None
        return DataFile(path, partition, base["id"], instant, None, instant)
    if log is None or log["cdc"] or path in groups.get((partition, log["id"]), _Group()).logs:
        return None
    instant = log["instant"] if timeline.table.has_new_layout else _writer_of(timeline, path)
    if not instant or not _is_before_timeline(timeline, instant, until):
        return None
    return DataFile(
        path, partition, log["id"], instant, None, log["instant"], (int(log["version"]), log["token"] or "")
    )


def _is_before_timeline(timeline: Timeline, instant: str, until: str) -> bool:
    """Whether an instant is older than every instant still known, so that Hudi itself takes it as complete."""
    return instant < timeline.first_known and instant <= until


def _writer_of(timeline: Timeline, path: str) -> str:
    """The commit of a log file whose name does not say: the newest one in its blocks that is no rollback."""
    blocks = [b for b in read_blocks(timeline.table.folder / path) if b.type != COMMAND]
    return max((b.instant for b in blocks), default="")


def _replaced(timeline: Timeline, until: str) -> set[tuple[str, str]]:
    return {group for commit in timeline.commits if commit.requested <= until for group in commit.replaced}


def _newest(timeline: Timeline, until: str, key: tuple[str, str], group: _Group, damaged: bool) -> FileSlice | None:
    logs = sorted(group.logs.values(), key=lambda log: (log.named_instant, *log.order))
    complete = functools.partial(timeline.is_complete, until=until)
    if group.bases:
        base = group.bases[max(group.bases)]
        over = tuple(log for log in logs if _is_over(timeline, log, base))
        return FileSlice(key[0], key[1], base, over, complete)
    if damaged:
        return None
    if logs[0].begins:
        return FileSlice(key[0], key[1], None, tuple(logs), complete)
    raise HudiError(
        f"{timeline.table.folder}: the file group {key[1]} has log files and no base file "
        f"({', '.join(sorted(group.logs))}), and no commit says that it began so. Restore its base file."
    )


def _is_over(timeline: Timeline, log: DataFile, base: DataFile) -> bool:
    """Whether a log file belongs over a base file, not under it.

    Older versions name the base file's instant in the log's name. From version 8 on the log's commit must have
    completed after the base file was begun.
    """
    if not timeline.table.has_new_layout:
        return log.named_instant >= base.instant
    return timeline.completion_of(log.instant) > base.instant


def _problem(timeline: Timeline, file: DataFile, size: int | None) -> str:
    """Say what is wrong with a file of the table, given its size on disk (None: not there); empty when nothing is."""
    where = timeline.table.folder / file.path
    kind = "log file" if file.is_log else "base file"
    if size is None:
        return f"The {kind} of commit {file.instant} is gone: {where}. Restore it; what is left is not the table."
    if file.bytes is None:
        return "" if file.is_log else _parquet_problem(where)
    grew = size > file.bytes and file.is_log and not timeline.table.has_new_layout  # later blocks may be appended
    if size == file.bytes or grew:
        return ""
    return f"The {kind} of commit {file.instant} has {size} bytes instead of {file.bytes}: {where}. Restore it."


def _parquet_problem(path: Place) -> str:
    try:
        check_parquet(path)
    except UnreadableFileError as problem:
        return str(problem)
    return ""
