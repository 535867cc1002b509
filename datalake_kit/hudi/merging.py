"""Rows of file slices with log files, as columns of the table's schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi.evolution import as_schema, find_column
from datalake_kit.hudi.log_merge import KEY, MergeRule, merge, merge_rule
from datalake_kit.hudi.log_records import Changes, changes_of
from datalake_kit.hudi.path_values import path_values
from datalake_kit.hudi.slices import FileSlice
from datalake_kit.storage import Place, open_parquet

if TYPE_CHECKING:
    from datalake_kit.hudi.properties import TableProperties


def merged_slices(table: TableProperties, slices: Sequence[FileSlice], schema: pa.Schema) -> Iterator[pa.Table]:
    """Give the rows of slices with log files as columns of `schema`, one table a slice.

    Raises
    ------
    HudiError
        The table merges its log files by a rule that is not known here, or a log file holds what is not merged.
    UnreadableFileError
        A file is gone or cut short.
    """
    if not slices:
        return
    rule = merge_rule(table)
    for one in slices:
        yield _merged(table, rule, one, schema)


def _merged(table: TableProperties, rule: MergeRule, one: FileSlice, schema: pa.Schema) -> pa.Table:
    names = [*schema.names, *rule.needs]
    found = list(changes_of([table.folder / log.path for log in one.logs], one.is_complete, names))
    where = table.folder / one.files[0].path
    base = _base_rows(where, names) if one.base_file else pa.table({})
    wide = _wide(rule, schema, [base, *(c.rows for c in found if c.rows is not None)])
    try:
        changes = [Changes(None if c.rows is None else as_schema(c.rows, wide), c.deletes) for c in found]
        rows = merge(rule, as_schema(base, wide), changes).select(schema.names)
    except pa.ArrowInvalid as problem:
        raise HudiError(f"Values in {where} or its log files do not fit the table's schema: {problem}") from problem
    for name, value in path_values(table, one.partition, schema).items():
        position = schema.get_field_index(find_column(schema.names, name) or name)
        if position >= 0:
            kind = schema.field(position).type
            rows = rows.set_column(position, schema.field(position), pa.repeat(pa.scalar(value, kind), rows.num_rows))
    return rows


def _base_rows(file: Place, names: Sequence[str]) -> pa.Table:
    wanted = {n.casefold() for n in names}
    try:
        with open_parquet(file) as opened:
            columns = [n for n in opened.schema_arrow.names if n.casefold() in wanted]
            return opened.read(columns=columns).replace_schema_metadata(None)
    except (OSError, pa.ArrowException) as problem:
        raise UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore it.") from problem


def _wide(rule: MergeRule, schema: pa.Schema, stored: Sequence[pa.Table]) -> pa.Schema:
    """Add to a schema the columns that merging looks at, as they are stored."""
    fields: list[Any] = list(schema)
    for name in rule.needs:
        if find_column([f.name for f in fields], name) is None:
            same = [(t, n) for t in stored if (n := find_column(t.schema.names, name)) is not None]
            fields += [t.schema.field(n).with_name(name) for t, n in same[:1]]
    if find_column([f.name for f in fields], KEY) is None:
        raise HudiError(f"No column {KEY} in the files, so that log files cannot be merged. Read the table in Spark.")
    return pa.schema(fields)
