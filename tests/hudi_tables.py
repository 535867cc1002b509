"""Small Hudi tables written by hand: copy-on-write, table version 6, one JSON commit a call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

META = (
    "_hoodie_commit_time",
    "_hoodie_commit_seqno",
    "_hoodie_record_key",
    "_hoodie_partition_path",
    "_hoodie_file_name",
)


class CowTable:
    """A copy-on-write table of version 6 in a folder; each `commit` writes base files and their instant."""

    def __init__(
        self,
        folder: Path,
        *,
        keys: Sequence[str] = ("id",),
        partition: Sequence[str] = (),
        meta: bool = True,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.keys, self.partition, self.meta = folder, tuple(keys), tuple(partition), meta
        self.rows: dict[tuple[str, str], int] = {}
        (folder / ".hoodie").mkdir(parents=True)
        entries = {
            "hoodie.table.name": folder.name,
            "hoodie.table.type": "COPY_ON_WRITE",
            "hoodie.table.version": "6",
            "hoodie.table.recordkey.fields": ",".join(keys),
            "hoodie.table.partition.fields": ",".join(partition),
            "hoodie.table.base.file.format": "PARQUET",
            "hoodie.timeline.layout.version": "1",
            "hoodie.populate.meta.fields": str(meta).lower(),
            "hoodie.table.timeline.timezone": "UTC",
            **(properties or {}),
        }
        text = "".join(f"{k}={v}\n" for k, v in entries.items() if v)
        (folder / ".hoodie" / "hoodie.properties").write_text(text, encoding="utf-8")

    def commit(
        self,
        instant: str,
        files: Mapping[tuple[str, str], pa.Table],
        *,
        schema: pa.Schema | None = None,
        operation: str = "UPSERT",
        replaced: Mapping[str, list[str]] | None = None,
        extra: Mapping[str, str] | None = None,
        **parquet: Any,
    ) -> None:
        """Write base files, one for each (partition path, file id), and the instant that names them.

        `schema` is the table's schema of the commit; that of the first file without it.
        """
        stats: dict[str, list[dict[str, Any]]] = {}
        for (where, file_id), rows in files.items():
            name = f"{file_id}_0-0-0_{instant}.parquet"
            path = self.folder / where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            stored = self._with_meta(rows, instant, where, name) if self.meta else rows
            pq.write_table(stored, path, **({"store_schema": False} | parquet))
            before = self.rows.get((where, file_id), 0)
            stats.setdefault(where, []).append(
                {
                    "fileId": file_id,
                    "path": f"{where}/{name}" if where else name,
                    "numWrites": rows.num_rows,
                    "numInserts": max(0, rows.num_rows - before),
                    "numDeletes": max(0, before - rows.num_rows),
                    "numUpdateWrites": 0,
                    "totalWriteErrors": 0,
                    "fileSizeInBytes": path.stat().st_size,
                    "totalWriteBytes": path.stat().st_size,
                    "partitionPath": where,
                }
            )
            self.rows[where, file_id] = rows.num_rows
        schema = schema if schema is not None else next(iter(files.values())).schema
        content: dict[str, Any] = {
            "partitionToWriteStats": stats,
            "compacted": False,
            "extraMetadata": {"schema": json.dumps(avro_schema(schema)), **(extra or {})},
            "operationType": operation,
        }
        if replaced is not None:
            content["partitionToReplaceFileIds"] = replaced
        action = "commit" if replaced is None else "replacecommit"
        text = json.dumps(content)
        (self.folder / ".hoodie" / f"{instant}.{action}").write_text(text, encoding="utf-8")
        for state in ("requested", "inflight"):  # a commit in flight has no action in its name
            left = f".{state}" if (action, state) == ("commit", "inflight") else f".{action}.{state}"
            (self.folder / ".hoodie" / f"{instant}{left}").write_text("", encoding="utf-8")

    def clean(self, instant: str, earliest: str) -> None:
        """Write the instant of a clean that kept what commits from `earliest` on need; removes no file."""
        content = {"earliestCommitToRetain": earliest, "partitionMetadata": {}}
        (self.folder / ".hoodie" / f"{instant}.clean").write_text(json.dumps(content), encoding="utf-8")

    def _with_meta(self, rows: pa.Table, instant: str, where: str, name: str) -> pa.Table:
        """Put Hudi's five columns before the rows; a column `_hoodie_commit_time` of the rows is kept."""
        count = rows.num_rows
        names = {n.casefold(): n for n in rows.schema.names}
        keys = [rows.column(names[k.casefold()]).to_pylist() for k in self.keys if k.casefold() in names]
        given: list[Any] = [
            [instant] * count,
            [f"{instant}_0_{i}" for i in range(count)],
            [":".join(map(str, values)) for values in zip(*keys, strict=True)] if keys else [""] * count,
            [where] * count,
            [name] * count,
        ]
        columns = {n: pa.array(v, pa.string()) for n, v in zip(META, given, strict=True)}
        for known in META:
            if known in rows.schema.names:
                columns[known] = rows.column(known)
        own = [n for n in rows.schema.names if n not in META]
        return pa.table([*columns.values(), *(rows.column(n) for n in own)], names=[*columns, *own])


def avro_schema(schema: pa.Schema) -> dict[str, Any]:
    """Write an Arrow schema as the Avro record that a commit carries."""
    fields = [{"name": f.name, "type": ["null", _avro(f.type, f.name)], "default": None} for f in schema]
    own = [f for f in fields if f["name"] not in META]
    return {"type": "record", "name": "row", "namespace": "hoodie", "fields": own}


def _avro(kind: pa.DataType, name: str) -> Any:
    simple = {
        pa.bool_(): "boolean", pa.int8(): "int", pa.int16(): "int", pa.int32(): "int", pa.int64(): "long",
        pa.float32(): "float", pa.float64(): "double", pa.string(): "string", pa.binary(): "bytes",
        pa.date32(): {"type": "int", "logicalType": "date"},
    }  # fmt: skip
    if kind in simple:
        return simple[kind]
    if pa.types.is_decimal(kind):
        return {
            "type": "fixed", "name": f"fixed_{name}", "size": 16, "logicalType": "decimal",
            "precision": kind.precision, "scale": kind.scale,
        }  # fmt: skip
    if pa.types.is_timestamp(kind):
        unit = {"ms": "millis", "us": "micros", "ns": "micros"}[kind.unit]
        return {"type": "long", "logicalType": f"{'' if kind.tz else 'local-'}timestamp-{unit}"}
    if pa.types.is_struct(kind):
        inner = [kind.field(i) for i in range(kind.num_fields)]
        fields = [{"name": f.name, "type": ["null", _avro(f.type, f"{name}_{f.name}")]} for f in inner]
        return {"type": "record", "name": name, "fields": fields}
    if pa.types.is_list(kind):
        return {"type": "array", "items": ["null", _avro(kind.value_type, f"{name}_item")]}
    if pa.types.is_map(kind):
        return {"type": "map", "values": ["null", _avro(kind.item_type, f"{name}_value")]}
    raise TypeError(f"no Avro type for {kind}")
