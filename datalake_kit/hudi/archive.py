"""The archived timeline: instants that Hudi moved out of the active one.

Table versions up to 6 keep them in log files `.hoodie/archived/.commits_.archive.*`; version 8 and later in Parquet
files `.hoodie/timeline/history/*.parquet`, of which a manifest names those that count.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import HudiError
from datalake_kit.hudi.content import decode_instant, reduced
from datalake_kit.hudi.logformat import archived_records
from datalake_kit.hudi.properties import TableProperties
from datalake_kit.storage import Place, files_in, fingerprint

_CONTENT_FIELDS = ("hoodieCommitMetadata", "hoodieReplaceCommitMetadata", "hoodieCleanMetadata")

Entry = tuple[Mapping[str, Any], Mapping[str, Any]]


def archived_instants(table: TableProperties) -> list[Entry]:
    """Give the completed instants of the archive, each as (instant, action, completed, file) and its content.

    Raises
    ------
    HudiError
        A file of the archive is gone or cannot be decoded; it is named.
    """
    entries = _new_archive(table) if table.has_new_layout else _old_archive(table)
    unique = {(head["instant"], head["action"]): (head, content) for head, content in entries}
    return [unique[key] for key in sorted(unique)]


def _old_archive(table: TableProperties) -> Iterator[Entry]:
    folder = table.folder / ".hoodie" / (table.raw.get("hoodie.archivelog.folder") or "archived")
    for file in files_in(folder, ".commits_.archive.*"):
        if file.suffix != ".crc":
            yield from _entries(file, _old_entries)


def _new_archive(table: TableProperties) -> Iterator[Entry]:
    timeline = table.folder / ".hoodie" / table.raw.get("hoodie.timeline.path", "timeline")
    for file in _manifest_files(timeline / table.raw.get("hoodie.timeline.history.path", "history")):
        yield from _entries(file, _new_entries)


def _entries(file: Place, read: Callable[[Place], Iterator[Entry]]) -> tuple[Entry, ...]:
    try:
        return _cached_entries(file, read, fingerprint(file))
    except Exception as problem:  # whatever a damaged file makes its decoder raise
        raise HudiError(f"The archived timeline {file} cannot be read ({problem}). Restore the file.") from problem


@functools.lru_cache(maxsize=512)
def _cached_entries(file: Place, read: Callable[[Place], Iterator[Entry]], _fingerprint: Hashable) -> tuple[Entry, ...]:
    return tuple(read(file))


def _old_entries(file: Place) -> Iterator[Entry]:
    for record in archived_records(file):
        if record.get("actionState") == "COMPLETED":
            head = {
                "instant": record["commitTime"],
                "action": record["actionType"],
                "completed": record.get("stateTransitionTime"),
                "file": file,
            }
            yield head, reduced(next((record[f] for f in _CONTENT_FIELDS if record.get(f)), {}))


def _new_entries(file: Place) -> Iterator[Entry]:
    columns = ["instantTime", "completionTime", "action", "metadata"]
    for row in pq.read_table(pa.BufferReader(file.read_bytes()), columns=columns).to_pylist():
        head = {
            "instant": row["instantTime"],
            "action": row["action"],
            "completed": row["completionTime"],
            "file": file,
        }
        yield head, reduced(decode_instant(row["metadata"])) if row["metadata"] else {}


def _manifest_files(folder: Place) -> list[Place]:
    """Name the files of the newest manifest; older files of the folder are left-overs of its compaction."""
    version = folder / "_version_"
    if not version.is_file():
        return []
    manifest = folder / f"manifest_{version.read_text(encoding='utf-8').strip()}"
    try:
        return [folder / entry["fileName"] for entry in json.loads(manifest.read_bytes()).get("files", [])]
    except (OSError, ValueError, KeyError, AttributeError) as problem:
        raise HudiError(f"The archived timeline {manifest} cannot be read ({problem}). Restore the file.") from problem
