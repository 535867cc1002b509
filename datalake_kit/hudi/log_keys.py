"""Keys in the blocks of log files: which are deleted and then written again within one file slice.

Hudi 1.0.2 gives a delete the ordering value 0, a 32-bit number, and compares it with that of the row that comes later:
where the table's ordering column has another type it ends with a ClassCastException, in reading and in compaction.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import HudiError
from datalake_kit.hudi.logformat import AVRO_DATA, DELETE, SCHEMA, Block, read_blocks
from datalake_kit.storage import Place

PARQUET_DATA = 5
_KEY = "_hoodie_record_key"


def _wrapped(name: str, kind: str) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": "value", "type": kind}]}


_ORDERING = [
    "null",
    *(
        _wrapped(f"{kind}_{number}", kind)
        for number, kind in enumerate(
            ("boolean", "int", "long", "float", "double", "bytes", "string", "int", "bytes", "long", "long")
        )
    ),
]
_DELETES = fastavro.parse_schema(
    {
        "type": "array",
        "items": {
            "type": "record",
            "name": "deleted",
            "fields": [
                {"name": "key", "type": ["null", "string"]},
                {"name": "partition", "type": ["null", "string"]},
                {"name": "ordering", "type": _ORDERING},
            ],
        },
    }
)


def rewritten_keys(logs: Iterable[Place]) -> list[str]:
    """Name the keys that log files delete and later write again, given the log files of a slice in their order.

    Raises
    ------
    UnreadableFileError
        A log file is gone or cut short.
    HudiError
        A block cannot be decoded.
    """
    deleted: set[str] = set()
    again: dict[str, None] = {}
    for log in logs:
        for block in read_blocks(log):
            try:
                if block.type == DELETE:
                    deleted.update(_deleted(block))
                elif deleted:
                    again.update(dict.fromkeys(k for k in _written(block) if k in deleted))
            except Exception as problem:  # whatever a damaged block makes its decoder raise
                raise HudiError(f"A block of the log file {log} cannot be decoded ({problem}).") from problem
    return list(again)


def _deleted(block: Block) -> list[str]:
    records: Any = fastavro.schemaless_reader(io.BytesIO(block.content[8:]), _DELETES, None)
    return [str(r["key"]) for r in records if r["key"] is not None]


def _written(block: Block) -> Iterator[str]:
    if block.type == PARQUET_DATA:
        rows = pq.read_table(pa.BufferReader(block.content), columns=[_KEY])
        yield from (str(k) for k in rows.column(_KEY).to_pylist())
    elif block.type == AVRO_DATA:
        schema = fastavro.parse_schema(json.loads(block.header[SCHEMA]))
        content, position = block.content, 8
        for _ in range(int.from_bytes(content[4:8], "big")):
            size = int.from_bytes(content[position : position + 4], "big")
            record: Any = fastavro.schemaless_reader(io.BytesIO(content[position + 4 :][:size]), schema, None)
            yield str(record.get(_KEY))
            position += 4 + size
