"""What the log files of one file slice say: rows put in and keys taken out, block by block, in the order of writing.

A block counts when its commit is complete and no later rollback block names it. Read are Avro and Parquet data blocks
and delete blocks as Hudi writes them since 0.13; other kinds are refused by name.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import HudiError
from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.logformat import (
    AVRO_DATA,
    COMMAND,
    CORRUPT,
    DELETE,
    PARQUET_DATA,
    SCHEMA,
    TARGET_INSTANT_TIME,
    Block,
    read_blocks,
)
from datalake_kit.storage import Place, for_each

COMPACTED_BLOCK_TIMES, IS_PARTIAL = 4, 7  # entries of a block's header
_CONTENT_VERSION = 3

_OPTIONAL_TEXT = ["null", "string"]
_ORDERING = [
    *("null", "int", "long", "float", "double", "bytes", "string"),
    {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 15},
    *({"type": "int", "logicalType": kind} for kind in ("date", "time-millis")),
    *({"type": "long", "logicalType": kind} for kind in ("time-micros", "timestamp-millis", "timestamp-micros")),
]
_DELETED = {
    "type": "record",
    "name": "HoodieDeleteRecord",
    "fields": [
        {"name": "recordKey", "type": _OPTIONAL_TEXT},
        {"name": "partitionPath", "type": _OPTIONAL_TEXT},
        {"name": "orderingVal", "type": _ORDERING},
    ],
}
_DELETES = fastavro.parse_schema(
    {
        "type": "record",
        "name": "HoodieDeleteRecordList",
        "fields": [{"name": "deleteRecordList", "type": {"type": "array", "items": _DELETED}}],
    }
)


@dataclass(frozen=True)
class Changes:
    """One block: rows to put in, or keys to take out, each with its ordering value."""

    rows: pa.Table | None
    deletes: tuple[tuple[str, Any], ...] = ()


def changes_of(
    logs: Sequence[Place], is_complete: Callable[[str], bool], names: Iterable[str] | None = None
) -> Iterator[Changes]:
    """Give the changes of log files, which come in the order of merging; `names` chooses columns, in any case.

    Raises
    ------
    UnreadableFileError
        A file is gone, cut short or no log file.
    HudiError
        A block of a kind that is not merged, or one that cannot be decoded; the file is named.
    """
    blocks: list[tuple[Place, Block]] = []
    for file, found in zip(logs, for_each(lambda f: list(read_blocks(f)), logs), strict=True):
        for block in found:
            if block.type == COMMAND:
                undone = block.header.get(TARGET_INSTANT_TIME, "")
                blocks = [(f, b) for f, b in blocks if b.instant != undone]
            elif block.type != CORRUPT and is_complete(block.instant):
                blocks.append((file, block))
    wanted = None if names is None else {n.casefold() for n in names}
    for file, block in blocks:
        yield _changes(file, block, wanted)


def _changes(file: Place, block: Block, wanted: Collection[str] | None) -> Changes:
    if block.header.get(IS_PARTIAL, "").lower() == "true":
        raise _refused(file, "holds rows with some of their columns only (partial updates)")
    if COMPACTED_BLOCK_TIMES in block.header:
        raise _refused(file, "holds blocks that a log compaction put together")
    try:
        if block.type == DELETE:
            return Changes(None, tuple(_deleted(block.content)))
        if block.type == AVRO_DATA:
            return Changes(_avro_rows(block, wanted))
        if block.type == PARQUET_DATA:
            rows = pq.read_table(pa.BufferReader(block.content))
            return Changes(rows.select([n for n in rows.schema.names if wanted is None or n.casefold() in wanted]))
    except Exception as problem:  # whatever damaged content makes its decoder raise
        if isinstance(problem, HudiError):
            raise
        raise HudiError(f"The log file {file} cannot be decoded ({problem!r}). Restore the file.") from problem
    raise _refused(file, f"holds blocks of the kind {block.type}")


def _refused(file: Place, what: str) -> HudiError:
    return HudiError(f"The log file {file} {what}, which are not merged. Compact the table, or read it in Spark.")


def _deleted(content: bytes) -> Iterator[tuple[str, Any]]:
    _check_version(content)
    length = int.from_bytes(content[4:8], "big")
    records: Any = fastavro.schemaless_reader(io.BytesIO(content[8 : 8 + length]), _DELETES, None)
    for one in records["deleteRecordList"]:
        yield one["recordKey"], one["orderingVal"]


def _avro_rows(block: Block, wanted: Collection[str] | None) -> pa.Table:
    _check_version(block.content)
    text = block.header[SCHEMA]
    plain = _plain(json.loads(text))
    schema, stream = fastavro.parse_schema(plain), io.BytesIO(block.content)
    count = int.from_bytes(block.content[4:8], "big")
    position = 8
    rows: list[Any] = []
    for _ in range(count):
        size = int.from_bytes(block.content[position : position + 4], "big")
        stream.seek(position + 4)
        rows.append(fastavro.schemaless_reader(stream, schema, None))
        position += 4 + size
    if stream.tell() != position:
        raise ValueError(f"a row ends at byte {stream.tell()} instead of {position}")
    stored = arrow_schema(json.dumps(plain))
    chosen = [f for f in stored if wanted is None or f.name.casefold() in wanted]
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in chosen]
    final = arrow_schema(text)
    return pa.table(columns, schema=pa.schema(chosen)).cast(pa.schema([final.field(f.name) for f in chosen]))


def _plain(avro: Any) -> Any:
    """Leave out logical types but decimal, so that times come as the numbers that are stored, and are cast at once."""
    if isinstance(avro, Mapping):
        kept = {k: _plain(v) for k, v in avro.items() if k != "logicalType" or v == "decimal"}
        return kept["type"] if set(kept) == {"type"} and isinstance(kept["type"], str) else kept
    return [_plain(one) for one in avro] if isinstance(avro, list) else avro


def _check_version(content: bytes) -> None:
    version = int.from_bytes(content[:4], "big")
    if version != _CONTENT_VERSION:
        raise ValueError(f"blocks of version {version} instead of {_CONTENT_VERSION}")
