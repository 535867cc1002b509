"""The one seam to the data: connect to a lake, run SQL, open tables.

>>> import datalake_kit as dk
>>> with dk.connect("demo-lake") as lake:  # doctest: +SKIP
...     lake.sql("SELECT vendorid, count(*) AS trips FROM taxi.table_1 GROUP BY vendorid ORDER BY vendorid")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from datalake_kit.config import FolderSettings, LakeSettings, lake_settings, minutes, size_in_bytes
from datalake_kit.engines.base import Engine, Execution, Options, Progress, QueryStats, TableName
from datalake_kit.engines.explained import Explained, explain
from datalake_kit.errors import (
    ParameterError,
    SqlError,
    TableNotFoundError,
)
from datalake_kit.sql import QueryFolders, bind, bind_query, split_name
from datalake_kit.tables import Table, Tables, html_table, require_database, to_pandas

if TYPE_CHECKING:
    from datalake_kit.engines.athena.costs import Costs

__all__ = ["Lake", "Table", "connect"]


def connect(
    target: str | Path | None = None,
    *,
    database: str | None = None,
    sql: str | Path | Sequence[str | Path] = (),
) -> Lake:
    """Open a lake.

    Parameters
    ----------
    target
        A folder; a name from datalake.toml; `athena://WORKGROUP?database=&region=&catalog=`; or nothing: then the
        environment variable DATALAKE_KIT_LAKE counts, then the default of datalake.toml.
    database
        The database of tables that a statement names without one.
    sql
        A folder of query files of your own, or several; `lake.query(name)` finds them beside the package's. A file is
        one statement below a header (see `datalake_kit.sql`); its name is its path without `.sql`. A name that two
        files have is an error when it is used. datalake.toml has the key `sql`, too.

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
    settings = lake_settings(target, database=database, sql=sql)
    lake = Lake(_engine(settings), settings)
    if settings.database is not None and isinstance(settings, FolderSettings):
        require_database(lake.engine, settings.database)
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
        Statistics of the last statement, whether it succeeded or not: engine, text as executed, query id, state,
        seconds, rows, bytes scanned, cost, whether an earlier result was given again. None before the first.
    """

    def __init__(self, engine: Engine, settings: LakeSettings) -> None:
        self.engine = engine
        self.settings = settings
        self.tables = Tables(self)
        self._queries = QueryFolders(settings.sql)
        self.last_query: QueryStats | None = None

    @property
    def engine_name(self) -> str:
        """The engine's name: "duckdb" or "athena"."""
        return self.engine.name

    @property
    def root(self) -> Path | None:
        """The folder of a local lake; None on Athena."""
        return self.settings.path if isinstance(self.settings, FolderSettings) else None

    @property
    def costs(self) -> Costs:
        """What this lake's queries on Athena read and cost so far; nothing on the local engine."""
        from datalake_kit.engines.athena.costs import Costs

        return getattr(self.engine, "costs", Costs())

    def sql(
        self,
        text: str,
        /,
        *,
        params: Mapping[str, Any] | None = None,
        allow_write: bool = False,
        dialect: str = "athena",
        max_scan: int | str | None = None,
        max_age: float | str | timedelta | None = None,
        unload: bool | None = None,
        progress: Progress = None,
        timeout: float | None = None,
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
        max_scan
            Bytes that Athena may read, as a number or as "10 GB"; None: the lake's own setting. The statement is not
            sent where it is known beforehand that it must read more, and it is cancelled when Athena's statistics pass
            the limit; they lag, so the hard limit is the workgroup's BytesScannedCutoffPerQuery. The local engine
            costs nothing and takes no notice.
        max_age
            Take Athena's earlier result of the same statement if it is no older: minutes, a timedelta, or "10 min". The
            local engine always computes, which is newer than was asked for.
        unload
            Let Athena write the rows to Parquet on S3 and read them from there (UNLOAD; True), fetch them as the
            ordinary result (False), or decide by the rule (None): the ordinary result for SHOW, DESCRIBE, EXPLAIN,
            VALUES, SELECT without FROM, a LIMIT of 10,000 or less and aggregates without GROUP BY; else the columns
            are asked for first, which reads no data, and UNLOAD is used, unless there is ORDER BY or `max_age`. Arrays,
            maps and rows come by UNLOAD in any case but False, with ORDER BY by columns of the result. Rows are the
            same either way, and what was written for them is removed. The local engine takes no notice.
        progress
            Show state, seconds, bytes read and cost while Athena works: True or False; a function is called with the
            statistics instead. None: in a terminal and in a notebook. The local engine shows nothing.
        timeout
            Seconds after which Athena's work on the statement is cancelled. Refused on the local engine, which keeps no
            time.

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
        EngineError
            Athena refused or failed; AccessDeniedError, CredentialsError, QueryCancelledError, QueryTimedOutError and
            ScanLimitError are kinds of it. Names the query id, the line and the cause.

        Notes
        -----
        Ctrl-C cancels the statement on the server, and so do the end of Python and SIGTERM (a kernel that is shut
        down). A process that is killed outright (SIGKILL, a lost machine) can cancel nothing: the statement then runs
        to its end or to the limits of its workgroup.

        Examples
        --------
        >>> lake.sql("SELECT count(*) AS n FROM taxi.table_1 WHERE vendorid = :vendor", vendor=2)  # doctest: +SKIP
        """
        return to_pandas(
            self.arrow(
                text,
                params=params,
                allow_write=allow_write,
                dialect=dialect,
                max_scan=max_scan,
                max_age=max_age,
                unload=unload,
                progress=progress,
                timeout=timeout,
                **named,
            )
        )

    def arrow(
        self,
        text: str,
        /,
        *,
        params: Mapping[str, Any] | None = None,
        allow_write: bool = False,
        dialect: str = "athena",
        max_scan: int | str | None = None,
        max_age: float | str | timedelta | None = None,
        unload: bool | None = None,
        progress: Progress = None,
        timeout: float | None = None,
        **named: Any,
    ) -> pa.Table:
        """Run one statement as `sql` does and return an Arrow table."""
        options = _options(allow_write, dialect, max_scan, max_age, unload, progress, timeout)
        return self._execute(text, params, named, options).reader().read_all()

    def batches(
        self,
        text: str,
        /,
        *,
        params: Mapping[str, Any] | None = None,
        dialect: str = "athena",
        max_scan: int | str | None = None,
        max_age: float | str | timedelta | None = None,
        unload: bool | None = None,
        progress: Progress = None,
        timeout: float | None = None,
        **named: Any,
    ) -> pa.RecordBatchReader:
        """Run one statement as `sql` does and return its rows batch by batch, for results larger than memory."""
        options = _options(False, dialect, max_scan, max_age, unload, progress, timeout)
        return self._execute(text, params, named, options).reader()

    def query(
        self,
        name: str,
        /,
        *,
        params: Mapping[str, Any] | None = None,
        max_scan: int | str | None = None,
        max_age: float | str | timedelta | None = None,
        unload: bool | None = None,
        progress: Progress = None,
        timeout: float | None = None,
        **named: Any,
    ) -> pd.DataFrame:
        """Run a named query such as `lake.query("cdc/row_count", table="taxi.table_1")`; see `queries`.

        A parameter that the file declares as an identifier is quoted; the others are bound and checked by type.
        The other options are those of `sql`.
        """
        query = self._queries.load(name)
        text, values = bind_query(query, _values(params, named))
        options = _options(False, "athena", max_scan, max_age, unload, progress, timeout)
        options = replace(options, file=str(query.file), line=query.line)
        return to_pandas(self._execute(text, values, {}, options).reader().read_all())

    def queries(self) -> pd.DataFrame:
        """Return the named queries: name, description, parameters, file, and the problem of one that cannot be used."""
        found = self._queries.listing()
        rows = [(q.name, q.description, ", ".join(map(str, q.parameters)), str(q.file), q.problem) for q in found]
        return pd.DataFrame(rows, columns=["name", "description", "parameters", "file", "problem"])

    def explain(self, text: str, /, *, params: Mapping[str, Any] | None = None, **named: Any) -> Explained:
        """Show a statement as the engine would be given it, without running it; see `Explained`.

        On a folder that is the translated text, on Athena the statement with its values written in (placeholders,
        where the lake has `redact_parameters=True`). `text` may be the name of a query. Errors are those of `sql`.
        """
        values = _values(params, named)
        if text in self._queries.names():
            text, values = bind_query(self._queries.load(text), values)
        return explain(self.engine, *bind(text, values))

    def table(self, name: str) -> Table:
        """Open a table by `database.table`; raises TableNotFoundError with the nearest names."""
        return Table(self, self.engine.describe(self.full_name(name)))

    def full_name(self, name: str) -> TableName:
        """Return database and table that a name means, without looking for them."""
        parts = split_name(name)
        if len(parts) == 1 and self.settings.database:
            parts = (self.settings.database, *parts)
        if len(parts) != 2:
            raise TableNotFoundError(f"Name a table as database.table, not {name!r}. lake.tables() lists them.")
        return TableName(*parts)

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
        self, text: str, params: Mapping[str, Any] | None, named: Mapping[str, Any], options: Options
    ) -> Execution:
        if not isinstance(text, str) or not text.strip():
            raise SqlError(f"A statement is text, such as 'SELECT 1 AS one', not {text!r}.")
        if options.timeout is not None and isinstance(self.settings, FolderSettings):
            raise ParameterError(
                "timeout= is for Athena: the local engine keeps no time. Leave it out; Ctrl-C stops it."
            )
        bound, values = bind(text, _values(params, named))
        execution = self.engine.execute(bound, values, replace(options, started=self._started))
        execution.stats.file = options.file
        self.last_query = execution.stats
        return execution

    def _started(self, stats: QueryStats) -> None:
        self.last_query = stats

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
        return html_table("Lake", self._describe())


def _options(
    allow_write: bool,
    dialect: str,
    max_scan: int | str | None,
    max_age: float | str | timedelta | None,
    unload: bool | None,
    progress: Progress,
    timeout: float | None,
) -> Options:
    """Check the options of one statement."""
    try:
        scan = None if max_scan is None else size_in_bytes(max_scan)
        age = None if max_age is None else minutes(max_age)
    except ValueError as error:
        raise ParameterError(f"{'max_scan' if 'size' in str(error) else 'max_age'}: {error}") from None
    if unload not in (None, True, False):
        raise ParameterError(f"unload= is True, False or None, not {unload!r}.")
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise ParameterError(f"progress= is True, False, None or a function, not {progress!r}.")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
        raise ParameterError(f"timeout= is a number of seconds above 0, not {timeout!r}.")
    return Options(allow_write, dialect, scan, age, unload, progress, timeout)


def _values(params: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    if params is not None and not isinstance(params, Mapping):
        raise ParameterError(f"params is a dict of names and values, not {type(params).__name__}.")
    twice = sorted(set(params or {}) & set(named))
    if twice:
        raise ParameterError(f"Given twice, in params and by name: {', '.join(twice)}.")
    return {**(params or {}), **named}
