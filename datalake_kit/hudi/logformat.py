"""Hudi's log file format: a row of blocks, each with a header that says what it is and who wrote it.

Used for the archived timeline of table versions up to 6 (Avro blocks of instants), to learn which commit wrote a log
file of those versions (their names say only the base file below), and for the rows of log files (`log_records`).
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro

from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage import Place

MAGIC = b"#HUDI#"
COMMAND, DELETE, CORRUPT, AVRO_DATA, PARQUET_DATA = 0, 1, 2, 3, 5
INSTANT_TIME, TARGET_INSTANT_TIME, SCHEMA = 0, 1, 2


@dataclass(frozen=True)
class Block:
    """One block: its type, its header entries by number, and its content."""

    type: int
    header: Mapping[int, str]
    content: bytes

    @property
    def instant(self) -> str:
        """The commit that wrote the block; empty when the header does not say."""
        return self.header.get(INSTANT_TIME, "")


def read_blocks(file: Place) -> Iterator[Block]:
    """Give the blocks of a log file in order.

    Raises
    ------
    UnreadableFileError
        The file is gone, is no log file, or ends inside a block.
    """
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise UnreadableFileError(f"Cannot read the log file {file}: {problem}. Restore it.") from problem
    position = 0
    while position < len(data):
        if data[position : position + 6] != MAGIC:
            raise UnreadableFileError(f"The log file is not what it should be at byte {position}: {file}. Restore it.")
        size = _number(data, position + 6, ">q", file)
        end = position + 14 + size
        if size <= 0 or end > len(data):
            raise UnreadableFileError(f"The log file is cut short at byte {len(data)}: {file}. Restore it.")
        yield _block(data[position + 14 : end], file)
        position = end


def archived_records(file: Place) -> Iterator[dict[str, Any]]:
    """Give the records of the Avro blocks of an archive file, decoded."""
    for block in read_blocks(file):
        if block.type != AVRO_DATA:
            continue
        schema = fastavro.parse_schema(json.loads(block.header[SCHEMA]))
        count = _number(block.content, 4, ">i", file)
        position = 8
        for _ in range(count):
            size = _number(block.content, position, ">i", file)
            payload = block.content[position + 4 : position + 4 + size]
            record = fastavro.schemaless_reader(io.BytesIO(payload), schema, None)
            if isinstance(record, dict):
                yield record
            position += 4 + size


def _block(body: bytes, file: Place) -> Block:
    kind = _number(body, 4, ">i", file)
    entries = _number(body, 8, ">i", file)
    position = 12
    header: dict[int, str] = {}
    for _ in range(entries):
        key, length = _number(body, position, ">i", file), _number(body, position + 4, ">i", file)
        header[key] = body[position + 8 : position + 8 + length].decode("utf-8", "replace")
        position += 8 + length
    length = _number(body, position, ">q", file)
    return Block(kind, header, body[position + 8 : position + 8 + length])


def _number(data: bytes, position: int, form: str, file: Place) -> int:
    try:
        value: int = struct.unpack_from(form, data, position)[0]
    except struct.error:
        raise UnreadableFileError(f"The log file is cut short at byte {len(data)}: {file}. Restore it.") from None
    return value
