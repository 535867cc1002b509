"""What commits wrote that is no part of a Hudi table: never completed, rolled back, or not on the timeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from datalake_kit.cdc.explain import Fault
from datalake_kit.errors import DatalakeKitError, UnreadableFileError
from datalake_kit.hudi.commits import WRITING_ACTIONS
from datalake_kit.hudi.content import decode_instant
from datalake_kit.hudi.logformat import read_blocks
from datalake_kit.hudi.slices import parse_base_name
from datalake_kit.hudi.snapshot import Snapshot
from datalake_kit.storage import read_footer

_NEW_LOG = re.compile(r"^\.[^_]+_(?P<instant>\d{14}|\d{17})\.log\.")
_UNKNOWN = 1_000_000_000  # rows that a log file may hold


def not_in_table(snapshot: Snapshot | None) -> list[Fault]:
    """Each file of a commit that does not count, and each commit that does not count and left no file."""
    if snapshot is None:
        return []
    told = _told(snapshot)
    found = list(_files(snapshot, told))
    known = {fault.commit for fault in found}
    return [*found, *(Fault("", commit, "", 0, text) for commit, text in told.items() if commit not in known)]


def _told(snapshot: Snapshot) -> dict[str, str]:
    """What became of the commits that do not count, by their instants."""
    timeline = snapshot.timeline
    told = {}
    for instant in timeline.instants:
        if instant.action == "rollback" and instant.state == "completed" and not instant.archived:
            for commit in _rolled_back(instant.file):
                told[commit] = f"The commit {commit} was rolled back"
    for instant in timeline.pending:
        if instant.action in WRITING_ACTIONS:
            told[instant.requested] = f"The commit {instant.requested} was begun and never completed"
    return told


def _rolled_back(file: Any) -> list[str]:
    """The commits that a rollback took back; none where its instant cannot be read, for it only serves to explain."""
    try:
        return [str(commit) for commit in decode_instant(file.read_bytes()).get("commitsRollback") or ()]
    except Exception:  # noqa: BLE001 - whatever a damaged Avro or JSON file makes the decoder raise
        return []


def _files(snapshot: Snapshot, told: Mapping[str, str]) -> Iterator[Fault]:
    complete = {c.requested for c in snapshot.timeline.commits}
    for file in snapshot.uncommitted_files:
        path = file.as_posix().removeprefix(snapshot.folder.as_posix()).lstrip("/")
        commit = _writer(snapshot, file)
        if not commit:
            continue
        left_out = "is complete and does not name it" if commit in complete else "is not on the timeline"
        text = told.get(commit, f"The commit {commit} {left_out}")
        yield Fault(path, commit, path.rpartition("/")[0], _rows(file), text)


def _writer(snapshot: Snapshot, file: Any) -> str:
    """The commit that wrote a file; of a log file of older versions its blocks say, not its name."""
    match = parse_base_name(file.name)
    if match is None and snapshot.timeline.table.has_new_layout:
        match = _NEW_LOG.match(file.name)
    if match is not None:
        return str(match["instant"])
    if ".log." not in file.name:
        return ""
    try:
        return max((block.instant for block in read_blocks(file)), default="")
    except DatalakeKitError:  # begun and not written to its end
        return ""


def _rows(file: Any) -> int:
    if not file.name.endswith(".parquet"):
        return _UNKNOWN
    try:
        return int(read_footer(file).num_rows)
    except UnreadableFileError:  # begun and not written to its end
        return _UNKNOWN
