"""What is in DMS files: rows and sequences, by footers where those tell."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.cdc.csv_convert import batches, is_packed, plain_text
from datalake_kit.cdc.csv_rows import records
from datalake_kit.cdc.dms_names import CHANGE, OTHER, file_format
from datalake_kit.cdc.settings import (
    OPERATION_WORDS,
    DmsSettings,
    operation_column,
    sequence_column,
)
from datalake_kit.cdc.spool import Spool
from datalake_kit.cdc.transactions import SchemaTable, count_tables
from datalake_kit.errors import ColumnNotFoundError, UnreadableFileError
from datalake_kit.storage import Place, S3Path, local_copy, open_parquet

if TYPE_CHECKING:
    from datalake_kit.cdc.dms import DmsFile

Content = tuple[int | None, str | None, str | None]
_SEQUENCE = re.compile(r"[0-9]{35}")
_AT_ONCE = 16


def tables_in(path: Place, settings: DmsSettings) -> list[SchemaTable]:
    """Return whose changes a file in transaction order holds."""
    with tempfile.TemporaryDirectory(prefix="datalake-kit-spool-") as folder:
        text = plain_text(local_copy(path, Path(folder) / "in"), Path(folder) / "text", settings, str(path))
        return sorted(count_tables(text, settings, str(path)))


def contents(files: Sequence[DmsFile], settings: DmsSettings) -> list[Content]:
    """Return rows, first and last sequence of each file; None where that is not known.

    Raises
    ------
    UnreadableFileError, DataError
        As `files` of `dms`.
    """
    parquet = [f for f in files if file_format(f.path.name) == "parquet"]
    csv: dict[SchemaTable, list[DmsFile]] = {}
    for file in files:
        if file.kind != OTHER and file_format(file.path.name) == "csv":
            csv.setdefault((file.schema, file.table), []).append(file)
    found = dict(zip(parquet, _footers(parquet, settings), strict=True))
    with Spool() as spool:
        for group in csv.values():
            found |= _texts(spool, group, settings)
    return [found.get(f, (None, None, None)) for f in files]


def find_sequence(opened: pq.ParquetFile, settings: DmsSettings, *, changes: bool) -> str | None:
    """Return the column that orders changes: by its name, or in a change file by its 35 digits in every row."""
    names: list[str] = opened.schema_arrow.names
    try:
        named = sequence_column(names, settings)
    except ColumnNotFoundError:
        return None  # a file of a full load may lack the column that settings name
    if named is not None or not changes:
        return named
    digits = [n for n in names if _may_be_sequence(opened, n) and _is_sequence(opened.read(columns=[n]).column(0))]
    return digits[0] if len(digits) == 1 else None


def find_operation(opened: pq.ParquetFile, settings: DmsSettings) -> str | None:
    """Return the column with the operation: by its name, or the first of a change file if it holds nothing else.

    Raises
    ------
    ColumnNotFoundError
        `settings.operation` is not there.
    """
    names: list[str] = opened.schema_arrow.names
    named = operation_column(names, settings)
    if named is not None or not names or opened.metadata.num_rows == 0 or not is_text(opened.schema_arrow.types[0]):
        return named
    found = pc.unique(opened.read(columns=names[:1]).column(0).cast(pa.string())).to_pylist()
    return names[0] if all(w is not None and w.strip().upper() in OPERATION_WORDS for w in found) else None


def _footers(files: Sequence[DmsFile], settings: DmsSettings) -> list[Content]:
    if sum(isinstance(f.path, S3Path) for f in files) < 2:
        return [_footer(f, settings) for f in files]
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(files))) as pool:
        return list(pool.map(lambda f: _footer(f, settings), files))


def _footer(file: DmsFile, settings: DmsSettings) -> Content:
    if not isinstance(file.path, S3Path) and file.path.is_file() and is_packed(file.path):
        with Spool() as spool:
            return _opened(spool.parquet([file], settings)[0], file, settings)
    return _opened(file.path, file, settings)


def _opened(path: Place, file: DmsFile, settings: DmsSettings) -> Content:
    with open_parquet(path) as opened:
        count: int = opened.metadata.num_rows
        try:
            column = find_sequence(opened, settings, changes=file.kind == CHANGE)
            first, last = (None, None) if column is None or not count else _ends(opened, column)
        except (OSError, pa.ArrowException) as problem:
            raise UnreadableFileError(
                f"The DMS file cannot be read ({problem}): {file.path}. Restore it from its source."
            ) from problem
    return count, first, last


def _ends(opened: pq.ParquetFile, column: str) -> tuple[str | None, str | None]:
    """First and last sequence, by the statistics of row groups where these are exact."""
    told = [s for s in _statistics(opened, column) if s is not None]
    if len(told) == opened.metadata.num_row_groups and all(is_exact(s) for s in told):
        return min(str(s.min) for s in told), max(str(s.max) for s in told)
    return smallest_and_largest([opened.read(columns=[column]).column(0)])


def smallest_and_largest(columns: Sequence[pa.ChunkedArray]) -> tuple[str | None, str | None]:
    """Return the smallest and the largest sequence as text; empty ones do not count."""
    first = last = None
    for column in columns:
        texts = pc.fill_null(column.cast(pa.string()), "")
        ends = pc.min_max(texts.filter(pc.not_equal(texts, ""))).as_py()
        if ends["min"] is not None:
            first = ends["min"] if first is None else min(first, ends["min"])
            last = ends["max"] if last is None else max(last, ends["max"])
    return first, last


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _statistics(opened: pq.ParquetFile, column: str) -> Iterator[Any]:
    names = [opened.metadata.schema.column(i).path for i in range(opened.metadata.num_columns)]
    at = names.index(column) if column in names else -1
    for number in range(opened.metadata.num_row_groups):
        chunk = opened.metadata.row_group(number).column(at) if at >= 0 else None
        statistics = chunk.statistics if chunk is not None else None
        yield statistics if statistics is not None and statistics.has_min_max else None


def is_exact(statistics: Any) -> bool:
    """Texts of one length are whole: a writer that cuts statistics short cuts them to a length of its own."""
    low, high = statistics.min, statistics.max
    return isinstance(low, str) and isinstance(high, str) and low != "" and len(low) == len(high) < 64


def _may_be_sequence(opened: pq.ParquetFile, column: str) -> bool:
    if not is_text(opened.schema_arrow.field(column).type):
        return False
    told = [s for s in _statistics(opened, column) if s is not None]
    return all(isinstance(s.max, str) and _SEQUENCE.fullmatch(s.max) for s in told)


def _is_sequence(column: pa.ChunkedArray) -> bool:
    texts = pc.fill_null(column.cast(pa.string()), "")
    texts = texts.filter(pc.not_equal(texts, ""))
    return len(texts) > 0 and bool(pc.all(pc.match_substring_regex(texts, f"^{_SEQUENCE.pattern}$")).as_py())


def _texts(spool: Spool, group: Sequence[DmsFile], settings: DmsSettings) -> dict[DmsFile, Content]:
    """Rows and sequences of the CSV files of one table."""
    found: dict[DmsFile, Content] = {}
    for file, told in spool.texts(group, settings).items():
        if told.layout is None:
            found[file] = (_counted(told.path, settings) if told.changes_only else None, None, None)
            continue
        names = told.layout.names
        try:
            column = sequence_column(names, settings)
        except ColumnNotFoundError:
            column = None
        count, first, last = 0, None, None
        for batch in batches(told.path, told.layout, settings, told.where):
            count += batch.num_rows
            if column is not None:
                ends = smallest_and_largest([pa.chunked_array([batch.column(column)])])
                first = min(filter(None, (first, ends[0])), default=None)
                last = max(filter(None, (last, ends[1])), default=None)
        found[file] = (count, first, last)
    return found


def _counted(text: Path, settings: DmsSettings) -> int:
    return sum(1 for _, record in records(text, settings) if record.strip())
