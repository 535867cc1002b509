"""The size of an Iceberg table, as its newest snapshot tells it."""

from __future__ import annotations

import gzip
import json

from datalake_kit.engines.base import TableInfo
from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage import place

__all__ = ["iceberg_bytes"]


def iceberg_bytes(info: TableInfo) -> int | None:
    """Return the bytes of the files of the newest snapshot; None where its metadata cannot be read or says nothing."""
    location = {k.lower(): v for k, v in info.parameters.items()}.get("metadata_location")
    if not location:
        return None
    try:
        content = place(location).read_bytes()
        metadata = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        now = metadata.get("current-snapshot-id")
        if now in (None, -1):
            return 0
        summary = next(s["summary"] for s in metadata["snapshots"] if s["snapshot-id"] == now)
        return int(summary["total-files-size"])
    except (UnreadableFileError, OSError, ValueError, KeyError, StopIteration):
        return None
