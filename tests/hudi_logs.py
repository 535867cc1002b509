"""Small merge-on-read tables written by hand: base files, log files block by block, and the commits that name them."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.log_records import _DELETES

KEY = "_hoodie_record_key"
META = ("_hoodie_commit_time", "_hoodie_commit_seqno", KEY, "_hoodie_partition_path", "_hoodie_file_name")
FIELDS = {"id": "string", "seq": ["null", "long"], "v": ["null", "string"]}


def schema_of(fields: Mapping[str, Any]) -> str:
    """An Avro schema as Hudi writes it, the five columns of its own first."""
    columns = [{"name": n, "type": ["null", "string"]} for n in META]
    columns += [{"name": n, "type": t} for n, t in fields.items()]
    return json.dumps({"type": "record", "name": "row", "fields": columns})


def block(kind: int, header: Mapping[int, str], content: bytes = b"") -> bytes:
    """One block of a log file."""
    entries = b"".join(struct.pack(">ii", k, len(v.encode())) + v.encode() for k, v in header.items())
    body = struct.pack(">iii", 1, kind, len(header)) + entries + struct.pack(">q", len(content)) + content
    body += struct.pack(">i", 0)  # no footer
    return b"#HUDI#" + struct.pack(">q", len(body) + 8) + body + struct.pack(">q", len(body) + 14)


def data_block(
    instant: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Any] = FIELDS, **more: str
) -> bytes:
    """Rows as an Avro data block; their key is their column `id`."""
    text = schema_of(fields)
    schema = fastavro.parse_schema(json.loads(text))
    content = struct.pack(">ii", 3, len(rows))
    for row in rows:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, schema, _with_meta(row, instant))
        content += struct.pack(">i", len(stream.getvalue())) + stream.getvalue()
    return block(3, {0: instant, 2: text} | {int(k[1:]): v for k, v in more.items()}, content)


def parquet_block(instant: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Any] = FIELDS) -> bytes:
    """Rows as a Parquet data block."""
    text, stream = schema_of(fields), io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_with_meta(r, instant) for r in rows], schema=arrow_schema(text)), stream)
    return block(5, {0: instant, 2: text}, stream.getvalue())


def delete_block(instant: str, keys: Mapping[str, Any]) -> bytes:
    """Keys to be deleted, each with its ordering value."""
    stream = io.BytesIO()
    records = [{"recordKey": k, "partitionPath": "", "orderingVal": v} for k, v in keys.items()]
    fastavro.schemaless_writer(stream, _DELETES, {"deleteRecordList": records})
    content = struct.pack(">ii", 3, len(stream.getvalue())) + stream.getvalue()
    return block(1, {0: instant, 2: schema_of(FIELDS)}, content)


def rollback_block(instant: str, undone: str) -> bytes:
    """A command that undoes the blocks of a commit."""
    return block(0, {0: instant, 1: undone, 3: "0"})


def _with_meta(row: Mapping[str, Any], instant: str) -> dict[str, Any]:
    return dict.fromkeys(META, "") | {"_hoodie_commit_time": instant, KEY: row["id"]} | dict(row)


class MorTable:
    """A merge-on-read table of one file group; version 6 unless told otherwise."""

    def __init__(self, folder: Path, *, version: int = 6, **properties: str) -> None:
        self.folder, self.version, self.base = folder, version, ""
        entries = {
            "hoodie.table.name": "t",
            "hoodie.table.type": "MERGE_ON_READ",
            "hoodie.table.version": str(version),
            "hoodie.timeline.layout.version": "2" if version > 6 else "1",
            "hoodie.table.recordkey.fields": "id",
            "hoodie.table.precombine.field": "seq",
        }
        entries |= {k.replace("_", "."): v for k, v in properties.items()}
        self.timeline = folder / ".hoodie" / ("timeline" if version > 6 else "")
        self.timeline.mkdir(parents=True)
        text = "".join(f"{k}={v}\n" for k, v in entries.items() if v)
        (folder / ".hoodie" / "hoodie.properties").write_text(text, encoding="utf-8")

    def put_base(self, instant: str, rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Any] = FIELDS) -> Path:
        """Write a base file and its commit."""
        table = pa.Table.from_pylist([_with_meta(r, instant) for r in rows], schema=arrow_schema(schema_of(fields)))
        path = self.folder / f"group-0_0-0-0_{instant}.parquet"
        pq.write_table(table, path)
        self.base = instant
        self.commit(instant, path, fields, inserts=len(rows), rows=len(rows))
        return path

    def put_log(
        self, instant: str, *blocks: bytes, fields: Mapping[str, Any] = FIELDS, inserts: int = 0, number: int = 1
    ) -> Path:
        """Write a log file of some blocks and its commit."""
        named = instant if self.version > 6 or not self.base else self.base
        path = self.folder / f".group-0_{named}.log.{number}_0-0-0"
        path.write_bytes(b"".join(blocks))
        self.commit(instant, path, fields, inserts=inserts, rows=max(inserts, 1))
        return path

    def commit(self, instant: str, path: Path, fields: Mapping[str, Any] = FIELDS, **counts: int) -> Path:
        """Write a completed delta commit that names one file."""
        stat = {"fileId": "group-0", "path": path.name, "fileSizeInBytes": path.stat().st_size}
        stat |= {"numInserts": counts.get("inserts", 0), "numWrites": counts.get("rows", 0)}
        content = {
            "operationType": "UPSERT",
            "partitionToWriteStats": {"": [stat]},
            "extraMetadata": {"schema": schema_of(fields)},
        }
        completed = f"_{int(instant) + 5}" if self.version > 6 else ""
        file = self.timeline / f"{instant}{completed}.deltacommit"
        file.write_text(json.dumps(content))
        return file
