"""Rows of the Hudi tables of a lake."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, overload

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, HudiError, ParameterError, did_you_mean
from datalake_kit.hudi.snapshot import META_COLUMNS, Snapshot, as_schema, open_snapshot, read_base_file
from datalake_kit.sql import split_name
from datalake_kit.tables import to_pandas

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table


@overload
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = ...,
    as_of: datetime | date | str | None = ...,
    arrow: Literal[False] = ...,
) -> pd.DataFrame: ...
@overload
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = ...,
    as_of: datetime | date | str | None = ...,
    arrow: Literal[True],
) -> pa.Table: ...
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = None,
    as_of: datetime | date | str | None = None,
    arrow: bool = False,
) -> pd.DataFrame | pa.Table:
    """Read the rows of a Hudi table, now or as of a moment.

    Every file that the table's commits name is checked first: a file that is missing or cut short is an error, never an
    older version of its rows. Copy-on-write and merge-on-read tables are read. Row order is stable, and means nothing.

    Parameters
    ----------
    lake : Lake
        A lake over a folder.
    table : str or Table
        `"database.table"`, or what `lake.table` gives.
    columns : list of str, optional
        The columns to read, in this order, in any case of letters; all without it. Names are as the table stores them
        (upper case for tables that DMS feeds). `_hoodie_` columns are given when asked for.
    as_of : datetime, date or str, optional
        A moment in UTC; the table as the commits begun until then left it.
    arrow : bool
        Return a pyarrow Table instead of a DataFrame.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table

    Raises
    ------
    ColumnNotFoundError
        A column that the table does not have; the nearest ones are named.
    HudiError
        The table is no Hudi table, of a kind that is not read, or `as_of` is before what the cleaner kept.
    UnreadableFileError
        A file of the table is missing, cut short, or no Parquet file; it is named.

    Examples
    --------
    >>> trips = dk.hudi.read(lake, "taxi.table_1", columns=["pk_id", "total_amount"])        # doctest: +SKIP
    >>> before = dk.hudi.read(lake, "taxi.table_1", as_of="2026-11-23T21:59:00")             # doctest: +SKIP
    """
    rows = read_snapshot(open_snapshot(hudi_location(lake, table), as_of=as_of), columns)
    return rows if arrow else to_pandas(rows)


def read_snapshot(snapshot: Snapshot, columns: Iterable[str] | None = None) -> pa.Table:
    """Return the rows of a snapshot as an Arrow table with the columns chosen, in any case of letters."""
    schema = _chosen(snapshot, columns)
    tables = [read_base_file(file, schema) for file in snapshot.parquet_files]
    if snapshot.needs_merge:
        tables.append(as_schema(snapshot.merged(meta=True), schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def written_name(*parts: str) -> str:
    """Write the parts of a name so that they are read back: one with a dot or a quote goes in double quotes."""
    return ".".join('"' + p.replace('"', '""') + '"' if set(p) & set('."') else p for p in parts)


def locate(lake: Lake, table: str | Table) -> tuple[str, str, str]:
    """Return a table's full name, format and location without opening it: its newest files may be damaged."""
    if not isinstance(table, str):
        return written_name(table.database, table.table), table.format, table.location
    parts = split_name(table)
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


def _chosen(snapshot: Snapshot, columns: Iterable[str] | None) -> pa.Schema:
    if columns is None:
        return snapshot.schema()
    if isinstance(columns, str):
        raise ParameterError(f"columns is a list of names, such as [{columns!r}].")
    schema = snapshot.schema(meta=True)
    return pa.schema([schema.field(_find(snapshot, schema.names, c)) for c in columns])


def _find(snapshot: Snapshot, names: list[str], wanted: str) -> str:
    if wanted in names:
        return wanted
    near = [n for n in names if n.casefold() == wanted.casefold()]
    if len(near) == 1:
        return near[0]
    shown = [n for n in names if n not in META_COLUMNS]
    hint = f"It has {' and '.join(near)}." if near else did_you_mean(wanted, shown)
    raise ColumnNotFoundError(f"The table {snapshot.table_name} has no column {wanted!r}. {hint}")
