"""Tables of a lake: what the catalog knows of one, and the list of them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from datalake_kit.engines.base import Column, Engine, TableInfo, TableName, fold
from datalake_kit.errors import (
    ColumnNotFoundError,
    DatabaseNotFoundError,
    DatalakeKitError,
    ParameterError,
    TableNotFoundError,
    did_you_mean,
)
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from datalake_kit.lake import Lake


class Table:
    """One table of a lake: where it lies and what columns it has. Made by `lake.table`."""

    def __init__(self, lake: Lake, info: TableInfo) -> None:
        self._lake = lake
        self._info = info

    @property
    def name(self) -> str:
        """`database.table`."""
        return str(self._info.name)

    @property
    def database(self) -> str:
        """The database."""
        return self._info.name.database

    @property
    def table(self) -> str:
        """The table within its database."""
        return self._info.name.table

    @property
    def location(self) -> str:
        """The folder, or the address on S3."""
        return self._info.location

    @property
    def format(self) -> str:
        """ "hudi", "parquet", "iceberg", "view" or "other"."""
        return self._info.format

    @property
    def parameters(self) -> Mapping[str, str]:
        """Parameters of the table in the Glue catalog; none in a folder."""
        return self._info.parameters

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name, type (in Hive's words, as the Glue catalog shows it) and whether the column is a partition key."""
        return self._info.columns

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """Names of the partition columns."""
        return tuple(c.name for c in self.columns if c.is_partition)

    @property
    def lake(self) -> Lake:
        """The lake that the table is in."""
        return self._lake

    @property
    def quoted_name(self) -> str:
        """The name as SQL: `"taxi"."table_1"`."""
        return self._info.name.quoted

    def files(self) -> list[Place]:
        """Return the table's data files in a stable order; of a Hudi table, those of its newest snapshot."""
        return self._lake.engine.files(self._info.name)

    def arrow(self, columns: Iterable[str] | None = None) -> pa.Table:
        """Return all rows as an Arrow table; `columns` chooses, in any case of letters."""
        return self._lake.arrow(self._select(columns))

    def batches(self, columns: Iterable[str] | None = None) -> pa.RecordBatchReader:
        """Return all rows batch by batch."""
        return self._lake.batches(self._select(columns))

    def frame(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return all rows as a DataFrame."""
        return to_pandas(self.arrow(columns))

    def _select(self, columns: Iterable[str] | None) -> str:
        known = [c.name for c in self.columns]
        if isinstance(columns, str):
            raise ParameterError(f"columns is a list of names, such as [{columns!r}].")
        wanted = known if columns is None else list(columns)
        for column in wanted:
            if fold(column) not in known:
                raise ColumnNotFoundError(f"{self.name} has no column {column!r}. {did_you_mean(fold(column), known)}")
        chosen = ", ".join(quote_identifier(fold(c)) for c in wanted)
        return f"SELECT {chosen} FROM {self.quoted_name}"

    def __repr__(self) -> str:
        columns = ", ".join(f"{c.name} {c.type}" for c in self.columns)
        return f"<Table {self.name} ({self.format}, {len(self.columns)} columns: {columns})>"

    def _repr_html_(self) -> str:
        told = {"format": self.format, "location": self.location}
        return html_table(self.name, told | {c.name: c.type + (" (partition)" * c.is_partition) for c in self.columns})


class Tables:
    """The tables of a lake: call it to list them, or go down by attribute: `lake.tables.taxi.table_1`."""

    def __init__(self, lake: Lake, database: str | None = None) -> None:
        self._lake = lake
        self._database = database

    def __call__(self, database: str | None = None) -> pd.DataFrame:
        """List the tables: database, table, format, location; of one database if it is named."""
        wanted = database or self._database
        if wanted is not None:
            wanted = require_database(self._lake.engine, wanted)
        names = [wanted] if wanted is not None else self._lake.engine.databases()
        rows = [
            (t.name.database, t.name.table, t.format, t.location) for d in names for t in self._lake.engine.tables(d)
        ]
        return pd.DataFrame(rows, columns=["database", "table", "format", "location"], dtype="str")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except (TableNotFoundError, DatabaseNotFoundError) as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, name: str) -> Any:
        if self._database is not None:
            return Table(self._lake, self._lake.engine.describe(TableName(self._database, name)))
        return Tables(self._lake, require_database(self._lake.engine, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __dir__(self) -> list[str]:
        try:
            return [n for n in self._names() if n.isidentifier()]
        except DatalakeKitError:  # Tab finds nothing where the catalog cannot be asked
            return []

    def _ipython_key_completions_(self) -> list[str]:
        return self._names()

    def _names(self) -> list[str]:
        if self._database is None:
            return self._lake.engine.databases()
        return [t.name.table for t in self._lake.engine.tables(self._database)]

    def __repr__(self) -> str:
        return f"<Tables of {self._database or 'the lake'}: {', '.join(self._names()) or 'none'}>"


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn Arrow into pandas without a change of value: whole numbers with NULLs become Int64, not floats."""
    nullable = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if field.type in nullable and column.null_count:
            frame.isetitem(position, column.to_pandas(types_mapper=nullable.get))
    return frame


def require_database(engine: Engine, name: str) -> str:
    found: str = engine.catalog.find_database(name)
    return found


def html_table(title: str, rows: Mapping[str, str]) -> str:
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(str(k))}</th>"
        f"<td style='text-align:left'>{html.escape(str(v))}</td></tr>"
        for k, v in rows.items()
    )
    return f"<table><caption><b>{html.escape(title)}</b></caption>{cells}</table>"
