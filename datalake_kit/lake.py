"""The one seam to the data: connect to a lake, run SQL, open tables.

>>> import datalake_kit as dk
>>> with dk.connect("demo-lake") as lake:  # doctest: +SKIP
...     lake.sql("SELECT vendorid, count(*) AS trips FROM taxi.table_1 GROUP BY vendorid ORDER BY vendorid")
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from datalake_kit.config import FolderSettings, LakeSettings, lake_settings
from datalake_kit.engines.base import Column, Engine, Execution, QueryStats, TableInfo, TableName, fold
from datalake_kit.errors import (
    ColumnNotFoundError,
    DatabaseNotFoundError,
    ParameterError,
    SqlError,
    TableNotFoundError,
    did_you_mean,
)
from datalake_kit.sql import bind, bind_query, load_query, quote_identifier, split_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Lake", "Table", "connect"]


def connect(target: str | Path | None = None, *, database: str | None = None) -> Lake:
    """Open a lake.

    Parameters
    ----------
    target
        A folder; a name from datalake.toml; `athena://WORKGROUP?database=&region=&catalog=`; or nothing: then the
        environment variable DATALAKE_KIT_LAKE counts, then the default of datalake.toml.
    database
        The database of tables that a statement names without one.

    Returns
    -------
    Lake
        A context manager; closing it is optional.

    Raises
    ------
    LakeNotFoundError
        No such folder or name; the nearest ones are named.
    ConfigError
        Nothing says which lake is meant (the three ways are shown), or datalake.toml has a key that is not known.

    Examples
    --------
    >>> lake = connect("demo-lake")                                     # doctest: +SKIP
    >>> lake = connect("athena://analysts?database=taxi&region=eu-west-1")   # doctest: +SKIP
    """
    settings = lake_settings(target, database=database)
    lake = Lake(_engine(settings), settings)
    if settings.database is not None and isinstance(settings, FolderSettings):
        _require_database(lake.engine, settings.database)
    return lake


def _engine(settings: LakeSettings) -> Engine:
    if isinstance(settings, FolderSettings):
        from datalake_kit.engines.duckdb import DuckDBEngine

        return DuckDBEngine(settings.path, database=settings.database)
    from datalake_kit.engines.athena import AthenaEngine

    return AthenaEngine(settings)


class Lake:
    """A lake: run SQL, list and open tables. Made by `connect`.

    Attributes
    ----------
    tables
        `lake.tables()` lists them; `lake.tables.taxi.table_1` gives one, with Tab completion.
    last_query
        Statistics of the last statement (engine, text as executed, seconds, rows, bytes scanned, query id), or None.
    """

    def __init__(self, engine: Engine, settings: LakeSettings) -> None:
        self.engine = engine
        self.settings = settings
        self.tables = Tables(self)
        self.last_query: QueryStats | None = None

    @property
    def engine_name(self) -> str:
        """The engine's name: "duckdb" or "athena"."""
        return self.engine.name

    @property
    def root(self) -> Path | None:
        """The folder of a local lake; None on Athena."""
        return self.settings.path if isinstance(self.settings, FolderSettings) else None

    def sql(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        allow_write: bool = False,
        dialect: str = "athena",
        **named: Any,
    ) -> pd.DataFrame:
        """Run one statement in Athena's dialect and return its rows.

        Parameters
        ----------
        text
            One SELECT, WITH, VALUES, SHOW, DESCRIBE or EXPLAIN. `:name` stands for a value, never inside a string or a
            comment.
        params, **named
            The values: None, bool, int, float, Decimal, text, bytes, date, datetime, or a list of these for
            `IN (:names)`. A name that is also an option of this call goes into `params`.
        allow_write
            Let a statement through that writes; on a folder that is CREATE TABLE ... AS.
        dialect
            "athena", the same on every engine; "duckdb" for the local engine's own SQL.

        Returns
        -------
        pandas.DataFrame
            Whole numbers are int64, or Int64 where there are NULLs; timestamps are in UTC without a zone; decimals
            and dates are Python objects. An empty result keeps its columns and types.

        Raises
        ------
        ParameterError
            A value is missing, not used by the statement, or of a type that cannot be bound.
        UnsupportedSqlError
            The local engine would answer otherwise than Athena; says how to write it instead.
        WriteRefusedError
            The statement writes, or there is more than one.
        NotFoundError
            A database, table or column that is not there; names the nearest ones.

        Examples
        --------
        >>> lake.sql("SELECT count(*) AS n FROM taxi.table_1 WHERE vendorid = :vendor", vendor=2)  # doctest: +SKIP
        """
        return to_pandas(
            self.arrow(text, params=params, allow_write=allow_write, dialect=dialect, **named),
        )

    def arrow(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        allow_write: bool = False,
        dialect: str = "athena",
        **named: Any,
    ) -> pa.Table:
        """Run one statement as `sql` does and return an Arrow table."""
        return self._execute(text, params, named, allow_write, dialect).reader().read_all()

    def batches(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        dialect: str = "athena",
        **named: Any,
    ) -> pa.RecordBatchReader:
        """Run one statement as `sql` does and return its rows batch by batch, for results larger than memory."""
        return self._execute(text, params, named, False, dialect).reader()

    def query(self, name: str, *, params: Mapping[str, Any] | None = None, **named: Any) -> pd.DataFrame:
        """Run a named query, a file of sql/, such as `lake.query("cdc/row_count", table="taxi.table_1")`.

        A parameter that the file declares as an identifier is quoted; the others are bound and checked by type.
        `query_names()` of datalake_kit.sql lists the names.
        """
        text, values = bind_query(load_query(name), _values(params, named))
        return self.sql(text, params=values)

    def table(self, name: str) -> Table:
        """Open a table by `database.table`; raises TableNotFoundError with the nearest names."""
        parts = split_name(name)
        if len(parts) == 1 and self.settings.database:
            parts = (self.settings.database, *parts)
        if len(parts) != 2:
            raise TableNotFoundError(f"Name a table as database.table, not {name!r}. lake.tables() lists them.")
        return Table(self, self.engine.describe(TableName(*parts)))

    def close(self) -> None:
        """Let go of the engine. The lake cannot be used afterwards."""
        self.engine.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _execute(
        self, text: str, params: Mapping[str, Any] | None, named: Mapping[str, Any], allow_write: bool, dialect: str
    ) -> Execution:
        if not isinstance(text, str) or not text.strip():
            raise SqlError(f"A statement is text, such as 'SELECT 1 AS one', not {text!r}.")
        bound, values = bind(text, _values(params, named))
        execution = self.engine.execute(bound, values, allow_write=allow_write, dialect=dialect)
        self.last_query = execution.stats
        return execution

    def _describe(self) -> dict[str, str]:
        told: dict[str, str] = {"engine": self.engine_name}
        if isinstance(self.settings, FolderSettings):
            told["folder"] = str(self.settings.path)
        else:
            shown = ("workgroup", "database", "region", "catalog")
            told |= {k: str(getattr(self.settings, k)) for k in shown if getattr(self.settings, k)}
        return ({"name": self.settings.name} if self.settings.name else {}) | told

    def __repr__(self) -> str:
        return f"<Lake {', '.join(f'{k}={v}' for k, v in self._describe().items())}>"

    def _repr_html_(self) -> str:
        return _html_table("Lake", self._describe())


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
        """ "hudi", "parquet", "iceberg" or "other"."""
        return self._info.format

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name, type (in Hive's words, as the Glue catalog shows it) and whether the column is a partition key."""
        return self._info.columns

    @property
    def partition_columns(self) -> tuple[str, ...]:
        """Names of the partition columns."""
        return tuple(c.name for c in self.columns if c.is_partition)

    @property
    def quoted_name(self) -> str:
        """The name as SQL: `"taxi"."table_1"`."""
        return self._info.name.quoted

    def files(self) -> list[Path]:
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
        return _html_table(self.name, told | {c.name: c.type + (" (partition)" * c.is_partition) for c in self.columns})


class Tables:
    """The tables of a lake: call it to list them, or go down by attribute: `lake.tables.taxi.table_1`."""

    def __init__(self, lake: Lake, database: str | None = None) -> None:
        self._lake = lake
        self._database = database

    def __call__(self, database: str | None = None) -> pd.DataFrame:
        """List the tables: database, table, format, location; of one database if it is named."""
        wanted = database or self._database
        if wanted is not None:
            wanted = _require_database(self._lake.engine, wanted)
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
        return Tables(self._lake, _require_database(self._lake.engine, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __dir__(self) -> list[str]:
        return [n for n in self._names() if n.isidentifier()]

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


def _values(params: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    if params is not None and not isinstance(params, Mapping):
        raise ParameterError(f"params is a dict of names and values, not {type(params).__name__}.")
    twice = sorted(set(params or {}) & set(named))
    if twice:
        raise ParameterError(f"Given twice, in params and by name: {', '.join(twice)}.")
    return {**(params or {}), **named}


def _require_database(engine: Engine, name: str) -> str:
    known = engine.databases()
    for database in known:
        if database.lower() == name.lower():
            return database
    hint = did_you_mean(name, known) if known else "The lake is empty."
    raise DatabaseNotFoundError(f"No database {name!r} in this lake. {hint}")


def _html_table(title: str, rows: Mapping[str, str]) -> str:
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(str(k))}</th>"
        f"<td style='text-align:left'>{html.escape(str(v))}</td></tr>"
        for k, v in rows.items()
    )
    return f"<table><caption><b>{html.escape(title)}</b></caption>{cells}</table>"
