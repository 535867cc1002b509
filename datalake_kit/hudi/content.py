"""What stands in an instant: decoded from JSON or Avro, and reduced to what is used, so that it can be kept."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import fastavro

_USED = ("operationType", "compacted", "partitionToReplaceFileIds", "earliestCommitToRetain")
_USED_OF_FILES = (
    "fileId",
    "path",
    "fileSizeInBytes",
    "totalWriteBytes",
    "numInserts",
    "numUpdateWrites",
    "numDeletes",
    "numWrites",
    "totalWriteErrors",
)


def decode_instant(data: bytes) -> Mapping[str, Any]:
    """Decode the content of an instant: an Avro container, or JSON; ValueError and others for damaged content."""
    if data[:4] == b"Obj\x01":
        records = list(fastavro.reader(io.BytesIO(data)))
        if len(records) != 1 or not isinstance(records[0], dict):
            raise ValueError(f"{len(records)} records instead of one")
        return records[0]
    decoded = json.loads(data)
    if not isinstance(decoded, dict):
        raise ValueError("no JSON object")
    return decoded


def reduced(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entries of an instant that are used: one write may carry thirty numbers for each of its files.

    What is not of the shape of a commit is left as it is, for the error that says so.
    """
    kept: dict[str, Any] = {name: content[name] for name in _USED if name in content}
    stats, extra = content.get("partitionToWriteStats"), content.get("extraMetadata")
    if isinstance(stats, dict):
        kept["partitionToWriteStats"] = {where: _reduced_files(files) for where, files in stats.items()}
    elif stats is not None:
        kept["partitionToWriteStats"] = stats
    if isinstance(extra, dict) and isinstance(extra.get("schema"), str):
        kept["extraMetadata"] = {"schema": sys.intern(extra["schema"])}  # the same long text in every commit
        if extra.get("latest_schema"):  # the schema by column numbers: that there is one is what counts
            kept["extraMetadata"]["latest_schema"] = True
    elif extra is not None and not isinstance(extra, dict):
        kept["extraMetadata"] = extra
    return kept


def _reduced_files(files: Any) -> Any:
    if not isinstance(files, list):
        return files
    return [{k: f[k] for k in _USED_OF_FILES if k in f} if isinstance(f, dict) else f for f in files]
