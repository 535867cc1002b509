"""The timeline of a Hudi table: which commits are complete, and which files and rows each of them wrote.

Table versions up to 6 keep JSON files `.hoodie/<instant>.<action>`; version 8 and later keep Avro container files
`.hoodie/timeline/<requested>_<completed>.<action>`. Older instants move to an archive, which is read too.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from datalake_kit.errors import HudiError
from datalake_kit.hudi.archive import archived_instants
from datalake_kit.hudi.content import decode_instant, reduced
from datalake_kit.hudi.properties import TableProperties, read_properties
from datalake_kit.storage import Place, files_in, fingerprint, for_each

_In = TypeVar("_In")
_Out = TypeVar("_Out")

WRITING_ACTIONS = ("commit", "deltacommit", "replacecommit")
REARRANGING_OPERATIONS = ("COMPACT", "CLUSTER", "LOG_COMPACT")  # they move rows and change none

_OLD_NAME = re.compile(r"^(?P<requested>\d{14}|\d{17})\.(?P<rest>[a-z.]+)$")
_NEW_NAME = re.compile(r"^(?P<requested>\d{14}|\d{17})(?:_(?P<completed>\d{14}|\d{17}))?\.(?P<rest>[a-z.]+)$")


@dataclass(frozen=True)
class WriteStat:
    """One file that a commit wrote; `path` is relative to the table's folder."""

    partition: str
    file_id: str
    path: str
    bytes: int
    inserts: int
    updates: int
    deletes: int
    rows: int
    errors: int

    @property
    def is_log(self) -> bool:
        """Whether the file is a log file, to be merged over a base file."""
        return self.path.rsplit("/", 1)[-1].startswith(".")


@dataclass(frozen=True)
class Instant:
    """One action on the timeline and how far it came: requested, inflight or completed."""

    requested: str
    action: str
    state: str
    completed: str | None
    file: Place
    archived: bool = False


@dataclass(frozen=True)
class Commit:
    """A completed action that wrote files, with what it wrote."""

    instant: Instant
    operation: str
    stats: tuple[WriteStat, ...]
    replaced: frozenset[tuple[str, str]]
    schema: str
    evolves_by_number: bool = False  # the schema follows columns by numbers, so that they may be renamed

    @property
    def requested(self) -> str:
        """The instant by which the commit is known."""
        return self.instant.requested

    @property
    def rearranges(self) -> bool:
        """Whether it only moved rows between files (compaction, clustering)."""
        return self.operation in REARRANGING_OPERATIONS

    def total(self, field: str) -> int:
        """Sum a number of the write statistics, for example `total("inserts")`."""
        return sum(int(getattr(stat, field)) for stat in self.stats)


@dataclass(frozen=True)
class Timeline:
    """All instants of a table in order, the completed commits among them, and what the cleaner kept."""

    table: TableProperties
    instants: tuple[Instant, ...]
    commits: tuple[Commit, ...]
    retained_from: str

    @property
    def newest(self) -> str:
        """The newest completed commit; empty for a table without one."""
        return self.commits[-1].requested if self.commits else ""

    @functools.cached_property
    def first_known(self) -> str:
        """The oldest instant that is known; empty when there is none."""
        return min((i.requested for i in self.instants), default="")

    @functools.cached_property
    def _completions(self) -> Mapping[str, str]:
        return {c.requested: c.instant.completed or c.requested for c in self.commits}

    def completion_of(self, instant: str) -> str:
        """When a commit completed; its own instant where the timeline does not say."""
        return self._completions.get(instant, instant)

    def is_complete(self, instant: str, until: str) -> bool:
        """Whether a commit begun until then is complete, or so old that the timeline no longer knows it."""
        return instant <= until and (instant in self._completions or instant < self.first_known)

    @property
    def pending(self) -> tuple[Instant, ...]:
        """Actions that were begun and are not completed."""
        return tuple(i for i in self.instants if i.state != "completed")

    @property
    def has_archive(self) -> bool:
        """Whether older instants were moved out of the active timeline."""
        return any(i.archived for i in self.instants)


@dataclass(frozen=True)
class Damage:
    """A completed instant, or the archive (`instant` is None), that cannot be read, and why."""

    instant: Instant | None
    problem: str


def load_timeline(location: str | Place, *, damage: list[Damage] | None = None) -> Timeline:
    """Read the timeline of the Hudi table in a folder, its archive included.

    With a list for `damage`, what cannot be read is added to it and left out: what is left is not the timeline.

    Raises
    ------
    TableNotFoundError
        The folder is no Hudi table.
    HudiError
        A table of a kind that is not read, or an instant that cannot be decoded; the file is named.
    """
    table = read_properties(location)
    active = _active_instants(table)
    known = {(i.requested, i.action) for i in active if i.state == "completed"}
    entries = _given(archived_instants, table, None, damage) or []
    archived = [(_archived_instant(i), m) for i, m in entries if (i["instant"], i["action"]) not in known]
    told = [i for i in active if i.state == "completed" and i.action in (*WRITING_ACTIONS, "clean")]
    reads = zip(told, for_each(_content_or_problem, [i.file for i in told]), strict=True)
    contents = [(i, m) for i, r in reads if (m := _given(_raised, r, i, damage)) is not None]
    written = [(i, m) for i, m in [*archived, *contents] if i.action in WRITING_ACTIONS]
    commits = [c for i, m in written if (c := _given(functools.partial(_commit, i), m, i, damage)) is not None]
    cleans = [_earliest_retained(m) for i, m in [*archived, *contents] if i.action == "clean"]
    return Timeline(
        table=table,
        instants=tuple(sorted([*(i for i, _ in archived), *active], key=lambda i: i.requested)),
        commits=tuple(sorted(commits, key=lambda c: c.requested)),
        retained_from=max(cleans, default=""),
    )


def _given(
    read: Callable[[_In], _Out], source: _In, instant: Instant | None, damage: list[Damage] | None
) -> _Out | None:
    """Return what `read` makes of a source; where it fails and damage is collected, note that and return None."""
    try:
        return read(source)
    except HudiError as problem:
        if damage is None:
            raise
        damage.append(Damage(instant, str(problem)))
        return None


def _content_or_problem(file: Place) -> Mapping[str, Any] | HudiError:
    try:
        return _content(file)
    except HudiError as problem:
        return problem


def _raised(content: Mapping[str, Any] | HudiError) -> Mapping[str, Any]:
    if isinstance(content, HudiError):
        raise content
    return content


def _active_instants(table: TableProperties) -> list[Instant]:
    folder = table.folder / ".hoodie"
    if table.has_new_layout:
        folder = folder / table.raw.get("hoodie.timeline.path", "timeline")
    latest: dict[tuple[str, str], Instant] = {}
    order = {"requested": 0, "inflight": 1, "completed": 2}
    for file in files_in(folder):
        instant = _parse_name(file, table.has_new_layout)
        if instant is None:
            continue
        slot = (instant.requested, _family(instant.action))
        if slot not in latest or order[instant.state] >= order[latest[slot].state]:
            latest[slot] = instant
    return list(latest.values())


def _parse_name(file: Place, new_layout: bool) -> Instant | None:
    match = (_NEW_NAME if new_layout else _OLD_NAME).match(file.name)
    if match is None:
        return None
    action, _, state = match["rest"].partition(".")
    if action == "inflight":  # a commit in flight has no action in its name
        action, state = "commit", "inflight"
    completed = match["completed"] if new_layout else None
    return Instant(match["requested"], action, state or "completed", completed, file)


def _family(action: str) -> str:
    """Requested and completed instants of one action differ in name: a compaction completes as a commit."""
    return {"compaction": "commit", "logcompaction": "deltacommit", "clustering": "replacecommit"}.get(action, action)


def _archived_instant(entry: Mapping[str, Any]) -> Instant:
    return Instant(entry["instant"], entry["action"], "completed", entry["completed"], entry["file"], archived=True)


def _content(file: Place) -> Mapping[str, Any]:
    return _decoded(file, fingerprint(file))


@functools.lru_cache(maxsize=4096)
def _decoded(file: Place, _fingerprint: Hashable) -> Mapping[str, Any]:
    """Decode an instant file; instants never change, so each is decoded once while its size and time stay."""
    data = file.read_bytes()
    if not data:
        raise HudiError(f"The completed instant {file} is empty, so what it wrote is unknown. Restore the file.")
    try:
        return reduced(decode_instant(data))
    except Exception as problem:  # whatever a damaged Avro or JSON file makes the decoder raise
        raise HudiError(f"The instant {file} cannot be decoded ({problem}). Restore the file.") from problem


def _commit(instant: Instant, content: Mapping[str, Any]) -> Commit:
    try:
        stats = tuple(_write_stats(content.get("partitionToWriteStats") or {}))
        replaced = content.get("partitionToReplaceFileIds") or {}
        extra = content.get("extraMetadata") or {}
        return Commit(
            instant=instant,
            operation=content.get("operationType") or ("COMPACT" if content.get("compacted") else "UNKNOWN"),
            stats=stats,
            replaced=frozenset((partition, file_id) for partition, ids in replaced.items() for file_id in ids),
            schema=extra.get("schema") or "",
            evolves_by_number=bool(extra.get("latest_schema")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise HudiError(
            f"The instant {instant.file} lacks what a commit has ({problem!r}). Restore the file."
        ) from problem


def _write_stats(by_partition: Mapping[str, Any]) -> Iterator[WriteStat]:
    for partition, stats in by_partition.items():
        for stat in stats:
            yield WriteStat(
                partition=partition,
                file_id=stat.get("fileId") or "",
                path=stat.get("path") or "",
                bytes=stat.get("fileSizeInBytes") or stat.get("totalWriteBytes") or 0,
                inserts=stat.get("numInserts") or 0,
                updates=stat.get("numUpdateWrites") or 0,
                deletes=stat.get("numDeletes") or 0,
                rows=stat.get("numWrites") or 0,
                errors=stat.get("totalWriteErrors") or 0,
            )


def _earliest_retained(content: Mapping[str, Any]) -> str:
    return str(content.get("earliestCommitToRetain") or "")
