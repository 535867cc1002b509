"""Rows of file slices with log files, merged by hudi-rs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datalake_kit.errors import HudiError
from datalake_kit.hudi.base_files import footers
from datalake_kit.hudi.evolution import as_schema, find_column
from datalake_kit.hudi.slices import FileSlice
from datalake_kit.storage import hudi_options

if TYPE_CHECKING:
    from datalake_kit.hudi.properties import TableProperties


def merged_slices(table: TableProperties, slices: Sequence[FileSlice], schema: pa.Schema) -> Iterator[pa.Table]:
    """Give the rows of slices with log files as columns of `schema`, one table a slice.

    Raises
    ------
    HudiError
        hudi-rs cannot read a file slice, or would read it otherwise than it is; its base file is named.
    """
    if not slices:
        return
    if table.drops_partition_columns:
        raise HudiError(
            f"{table.folder} leaves its partition columns out of the files and has log files, which are not merged so. "
            'Compact the table, or read what is compacted with view="read_optimized".'
        )
    reader = _reader(table)
    for one in slices:
        _refuse_other_spelling(table, one, schema)
        yield as_schema(_merged(reader, table, one, schema), schema)


def _reader(table: TableProperties) -> Any:
    from hudi import HudiTable  # loads a large native library: only for tables with log files

    try:
        opened = HudiTable(str(table.folder), hudi_options(table.folder))
        return opened.create_file_group_reader_with_options()
    except Exception as problem:  # hudi-rs has one error class for everything
        raise HudiError(f"hudi-rs cannot open {table.folder}: {problem}") from problem


def _merged(reader: Any, table: TableProperties, one: FileSlice, schema: pa.Schema) -> pa.Table:
    try:
        batch = reader.read_file_slice_from_paths(one.base.path, [log.path for log in one.logs])
        return pa.Table.from_batches([pa.record_batch(batch)])
    except Exception as problem:  # as above
        raise HudiError(f"hudi-rs cannot merge {table.folder / one.base.path}: {problem}") from problem


def _refuse_other_spelling(table: TableProperties, one: FileSlice, schema: pa.Schema) -> None:
    """hudi-rs compares names letter by letter: a column in another case would come out empty."""
    base = table.folder / one.base.path
    (known,) = footers([base])
    for name in schema.names:
        stored = find_column(known.schema.names, name, schema.names)
        if stored not in (name, None):
            raise HudiError(
                f"The column {name!r} is stored as {stored!r} in {base}, which has log files over it; hudi-rs does not "
                "merge them as one column. Compact the table, or read it in Spark."
            )
