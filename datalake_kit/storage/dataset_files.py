"""Rows into local Parquet files, one or more for each partition, a few open at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.engines.types import hive_type
from datalake_kit.storage.dataset_rows import as_stored
from datalake_kit.storage.partition_names import Values, partition_text

__all__ = ["PARTITION_TYPES", "NewFile", "split_rows"]

PARTITION_TYPES = b"datalake_kit.partitions"  # in the metadata of each file: types of the columns that folders tell
_MOST_OPEN = 256


@dataclass(frozen=True)
class NewFile:
    """A whole Parquet file that lies in a local folder: its partition and its rows."""

    path: Path
    values: Values
    rows: int


class _Writers:
    """The open files; the one that was written to longest ago is closed when there are too many."""

    def __init__(self, folder: Path, schema: pa.Schema, run: str, most_rows: int) -> None:
        self.folder, self.schema, self.run, self.most_rows = folder, schema, run, most_rows
        self.done: list[NewFile] = []
        self.open: dict[Values, tuple[Path, Any, int]] = {}
        self.count = 0

    def write(self, values: Values, rows: pa.Table) -> None:
        while rows.num_rows:
            if values not in self.open:
                self._begin(values)
            path, writer, written = self.open.pop(values)
            part = rows.slice(0, self.most_rows - written)
            writer.write_table(part)
            rows = rows.slice(part.num_rows)
            self.open[values] = path, writer, written + part.num_rows
            if written + part.num_rows >= self.most_rows:
                self._end(values)

    def begin_empty(self, values: Values) -> None:
        self._begin(values)

    def close(self) -> None:
        for values in list(self.open):
            self._end(values)

    def drop(self) -> None:
        """Close what is open without a claim that it is whole."""
        for _, writer, _ in self.open.values():
            writer.close()
        self.open.clear()

    def _begin(self, values: Values) -> None:
        if len(self.open) >= _MOST_OPEN:
            self._end(next(iter(self.open)))
        path = self.folder / f"part-{self.run}-{self.count:05}.parquet"
        self.count += 1
        self.open[values] = path, pq.ParquetWriter(path, self.schema, compression="zstd"), 0

    def _end(self, values: Values) -> None:
        path, writer, rows = self.open.pop(values)
        writer.close()
        self.done.append(NewFile(path, values, rows))


def split_rows(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    keys: Sequence[str],
    folder: Path,
    *,
    run: str,
    most_rows: int,
    even_empty: bool,
) -> list[NewFile]:
    """Write batches into files of a local folder, split by the values of the partition columns.

    Parameters
    ----------
    schema
        The columns as stored, partition columns too; these are left out of the files.
    most_rows
        Of one file.
    even_empty
        Write a file without rows where there are none at all, so that the columns are known.
    """
    types = {k: hive_type(schema.field(k).type) for k in keys}
    within = pa.schema([f for f in schema if f.name not in types])
    if types:
        within = within.with_metadata({PARTITION_TYPES: json.dumps(types).encode()})
    writers = _Writers(folder, within, run, most_rows)
    try:
        for batch in batches:
            rows = as_stored(batch, schema)
            for values, part in _by_partition(rows, keys):
                writers.write(values, part.select(within.names).replace_schema_metadata(within.metadata))
        if even_empty and not writers.count:
            writers.begin_empty((None,) * len(keys))
        writers.close()
    except BaseException:
        writers.drop()
        raise
    return writers.done


def _by_partition(rows: pa.Table, keys: Sequence[str]) -> Iterator[tuple[Values, pa.Table]]:
    """Give the rows of each partition, in their order."""
    if not keys or not rows.num_rows:
        yield from [((), rows)] if rows.num_rows else []
        return
    texts = [partition_text(rows.column(k), k).combine_chunks() for k in keys]
    coded = [pc.dictionary_encode(t, null_encoding="encode") for t in texts]
    code = np.zeros(rows.num_rows, dtype=np.int64)
    for column in coded:
        _, code = np.unique(code * len(column.dictionary) + column.indices.to_numpy(), return_inverse=True)
    order = np.argsort(code, kind="stable")
    ends = np.flatnonzero(np.diff(code[order])) + 1
    for group in np.split(order, ends):
        first = int(group[0])
        values = tuple(t[first].as_py() for t in texts)
        yield values, rows.take(pa.array(group))
