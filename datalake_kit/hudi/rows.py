"""Rows of the Hudi tables of a lake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, HudiError, ParameterError, did_you_mean
from datalake_kit.hudi.base_files import part_batches, part_table
from datalake_kit.hudi.evolution import as_schema
from datalake_kit.hudi.snapshot import META_COLUMNS, Snapshot
from datalake_kit.sql import split_name
from datalake_kit.tables import Table

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

BATCH_ROWS = 100_000


def read_snapshot(snapshot: Snapshot, columns: Iterable[str] | None = None) -> pa.Table:
    """Return the rows of a snapshot as an Arrow table with the columns chosen, in any case of letters."""
    schema = chosen(snapshot, columns)
    names = snapshot.schema(meta=True).names
    tables = [part_table(part, schema, names) for part in snapshot.parts]
    tables += _merged(snapshot, schema)
    return pa.concat_tables(tables) if tables else schema.empty_table()


def snapshot_batches(
    snapshot: Snapshot, columns: Iterable[str] | None = None, *, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Give the rows of a snapshot as `read_snapshot` does, batch by batch, one merged file group in memory at most."""
    schema = chosen(snapshot, columns)
    whole = snapshot.schema(meta=True)
    for part in snapshot.parts:
        yield from part_batches(part, schema, whole.names, rows)
    for one in _merged(snapshot, schema):
        yield from one.to_batches(max_chunksize=rows)


def _merged(snapshot: Snapshot, schema: pa.Schema) -> Iterator[pa.Table]:
    """Merge the columns that are asked for; all, where names differ in case alone and each must find its own."""
    whole = snapshot.schema(meta=True)
    has_twins = len({n.casefold() for n in whole.names}) < len(whole.names)
    once = pa.schema(list({f.name: f for f in schema}.values()))
    for one in snapshot.merged_slices(whole if has_twins else once):
        yield as_schema(one, schema)


def written_name(*parts: str) -> str:
    """Write the parts of a name so that they are read back: one with a dot or a quote goes in double quotes."""
    return ".".join('"' + p.replace('"', '""') + '"' if set(p) & set('."') else p for p in parts)


def locate(lake: Lake, table: str | Table) -> tuple[str, str, str]:
    """Return a table's full name, format and location without opening it: its newest files may be damaged."""
    if isinstance(table, Table):
        return written_name(table.database, table.table), table.format, table.location
    parts = split_name(table)  # anything but text is refused here
    if lake.engine_name == "athena":
        known = lake.engine.catalog.find(lake.full_name(table))
        return written_name(known.name.database, known.name.table), known.format, known.location
    database = parts[0] if len(parts) > 1 else getattr(lake.settings, "database", None)
    listed = lake.tables(database) if database else lake.tables()
    same = listed[(listed["table"].str.lower() == parts[-1].lower()) & (len(parts) <= 2)]
    if len(same) != 1 or not database:
        found = lake.table(table)  # raises, naming the nearest ones
        return written_name(found.database, found.table), found.format, found.location
    row = same.iloc[0]
    return written_name(row["database"], row["table"]), str(row["format"]), str(row["location"])


def hudi_location(lake: Lake, table: str | Table) -> str:
    """Return the folder of a Hudi table of the lake; a table of another format is refused by name."""
    name, table_format, location = locate(lake, table)
    if table_format != "hudi":
        raise HudiError(f"{name} is no Hudi table ({table_format}). Read it with lake.table({name!r}).frame().")
    return location


def chosen(snapshot: Snapshot, columns: Iterable[str] | None, option: str = "columns") -> pa.Schema:
    """Return the columns chosen, in any case of letters, with their types; all without Hudi's own when None."""
    if columns is None:
        return snapshot.schema()
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise ParameterError(f"columns is a list of names, such as [{str(columns)!r}].")
    schema = snapshot.schema(meta=True)
    found = [_find(snapshot, schema.names, c) for c in columns]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice or not found:
        raise ParameterError(f"{option} names {f'{twice[0]!r} twice' if twice else 'no column'}. Leave it out for all.")
    return pa.schema([schema.field(name) for name in found])


def _find(snapshot: Snapshot, names: list[str], wanted: str) -> str:
    if not isinstance(wanted, str):
        raise ParameterError(f"A column is named by text, not by {wanted!r}.")
    if wanted in names:
        return wanted
    near = [n for n in names if n.casefold() == wanted.casefold()]
    if len(near) == 1:
        return near[0]
    shown = [n for n in names if n not in META_COLUMNS]
    hint = f"It has {' and '.join(near)}." if near else did_you_mean(wanted, shown)
    raise ColumnNotFoundError(f"The table {snapshot.table_name} has no column {wanted!r}. {hint}")
