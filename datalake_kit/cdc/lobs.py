"""Large objects that DMS cut short: in limited LOB mode a longer value is cut at LobMaxSize without a word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.cdc.dms_content import is_text
from datalake_kit.errors import ParameterError
from datalake_kit.storage import open_parquet

FEW = 2  # one value of just that size may be chance
_CHARACTER = 3  # a text is cut before a character of up to four bytes that would not fit
_SHOWN = 20
_BATCH = 4096


@dataclass
class _Column:
    values: int = 0
    longest: int = 0
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def lob_suspects(paths: Iterable[str | Path], lob_max_kb: int, *, keys: Sequence[str] = ()) -> pd.DataFrame:
    """Find text and binary columns whose values seem to be cut at LobMaxSize.

    A column is suspect when two or more values have just that size in bytes (a text up to three bytes less, where a
    character would not fit) and none is larger.

    Parameters
    ----------
    paths : iterable of path
        Local Parquet files of one table, as `Spool.parquet` gives them.
    lob_max_kb : int
        LobMaxSize of the task, in kilobytes.
    keys : sequence of str
        The key columns, to name the rows.

    Returns
    -------
    pandas.DataFrame
        A row a suspect column: `column`, `values` (how many are of that size), `bytes` (the largest), `keys` (tuples,
        20 at most), `files`.

    Raises
    ------
    ParameterError
        `lob_max_kb` is no size.
    UnreadableFileError
        A file is gone or cut short.
    """
    if lob_max_kb < 1:
        raise ParameterError(f"lob_max_kb is the size at which DMS cuts large objects, not {lob_max_kb}.")
    size = lob_max_kb * 1024
    found: dict[str, _Column] = {}
    for path in paths:
        with open_parquet(path) as opened:
            _look(opened, str(path), size, keys, found)
    rows = [
        (name, c.values, c.longest, c.keys, c.files)
        for name, c in found.items()
        if c.values >= FEW and c.longest <= size
    ]
    return pd.DataFrame(rows, columns=["column", "values", "bytes", "keys", "files"])


def _look(opened: pq.ParquetFile, path: str, size: int, keys: Sequence[str], found: dict[str, _Column]) -> None:
    schema = opened.schema_arrow
    large = [n for n in schema.names if _is_lob(schema.field(n).type) and _may_hold(opened, n, size)]
    folded = {n.casefold(): n for n in schema.names}
    named = [folded[k.casefold()] for k in keys if k.casefold() in folded]
    if not large:
        return
    for batch in opened.iter_batches(batch_size=_BATCH, columns=list(dict.fromkeys([*large, *named]))):
        for name in large:
            _measure(batch, name, path, size, named, found.setdefault(name, _Column()))


def _measure(batch: pa.RecordBatch, name: str, path: str, size: int, keys: Sequence[str], into: _Column) -> None:
    column = batch.column(name)
    lengths = pc.binary_length(column)
    into.longest = max(into.longest, pc.max(lengths).as_py() or 0)
    least = size - (_CHARACTER if is_text(column.type) else 0)
    cut = batch.filter(pc.and_(pc.greater_equal(lengths, least), pc.less_equal(lengths, size)))
    if not cut.num_rows:
        return
    into.values += cut.num_rows
    if path not in into.files:
        into.files.append(path)
    if keys and len(into.keys) < _SHOWN:
        few = cut.slice(0, _SHOWN - len(into.keys)).select(list(keys))
        into.keys += list(zip(*(c.to_pylist() for c in few.columns), strict=True))


def _is_lob(kind: pa.DataType) -> bool:
    return is_text(kind) or bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _may_hold(opened: pq.ParquetFile, name: str, size: int) -> bool:
    """By the footer: the column takes more bytes in some row group than one value of that size."""
    footer = opened.metadata
    paths = [footer.schema.column(i).path for i in range(footer.num_columns)]
    if name not in paths:
        return True
    at = paths.index(name)
    groups = (footer.row_group(g).column(at) for g in range(footer.num_row_groups))
    return any(g.total_uncompressed_size >= size - _CHARACTER for g in groups)
