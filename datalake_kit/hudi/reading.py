"""The rows of a Hudi table of a lake: all or some, now or as of a moment, at once, batch by batch, or counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, overload

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ParameterError
from datalake_kit.hudi.log_merge import KEY
from datalake_kit.hudi.rows import BATCH_ROWS, chosen, hudi_location, read_snapshot, snapshot_batches
from datalake_kit.hudi.snapshot import Snapshot, open_snapshot
from datalake_kit.tables import to_pandas

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table

_Moment = datetime | date | str | None
_View = Literal["snapshot", "read_optimized"]


@overload
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = ...,
    where: str | None = ...,
    params: Mapping[str, Any] | None = ...,
    as_of: _Moment = ...,
    timezone: str | None = ...,
    view: _View = ...,
    arrow: Literal[False] = ...,
) -> pd.DataFrame: ...
@overload
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = ...,
    where: str | None = ...,
    params: Mapping[str, Any] | None = ...,
    as_of: _Moment = ...,
    timezone: str | None = ...,
    view: _View = ...,
    arrow: Literal[True],
) -> pa.Table: ...
def read(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = None,
    where: str | None = None,
    params: Mapping[str, Any] | None = None,
    as_of: _Moment = None,
    timezone: str | None = None,
    view: _View = "snapshot",
    arrow: bool = False,
) -> pd.DataFrame | pa.Table:
    """Read the rows of a Hudi table, now or as of a moment.

    Every file that the table's commits name is checked first: a file that is missing or cut short is an error, never an
    older version of its rows. Copy-on-write and merge-on-read tables are read. The order of rows means nothing; without
    `where` it is the same each time.
    A column has the type and the spelling of the newest schema, as of the moment: what older files hold under another
    case of letters or in a smaller type is shown so, and NULL where a file is older than the column.

    Parameters
    ----------
    lake : Lake
        What `dk.connect` gives.
    table : str or Table
        `"database.table"`, or what `lake.table` gives.
    columns : list of str, optional
        The columns to read, in this order, in any case of letters; all without it. Names are as the table stores them
        (upper case for tables that DMS feeds). `_hoodie_` columns are given when asked for.
    where : str, optional
        One condition on the columns in Athena's dialect, such as `"vendorid = :v AND total_amount > 10"`; it means what
        it means in `lake.sql`. `:name` stands for a value of `params`.
    params : dict, optional
        The values of the condition, as in `lake.sql`.
    as_of : datetime, date or str, optional
        The table as the commits begun until this moment left it. A time without a zone is in UTC; a date means its
        first millisecond. An instant of 14 or 17 digits is taken as it is, whatever the zone.
    timezone : str, optional
        The zone in which the writer wrote the instants: "Europe/Athens", "UTC", "+02:00". Without it the table's
        property counts; where that says LOCAL or nothing, UTC is assumed, and the result says so. In the hour that a
        zone has twice when summer ends, the digits of the instants decide, as in Hudi itself.
    view : {"snapshot", "read_optimized"}
        All rows, or those of the base files alone: what log files changed since, and rows that only log files hold, are
        left out. The same on copy-on-write.
    arrow : bool
        Return a pyarrow Table instead of a DataFrame.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        `frame.attrs["hudi"]`, in Arrow the schema's metadata "hudi" as JSON, holds `instant` (the newest commit
        included), `as_of` (the instant asked for, None for now), `timezone` and `view`.

    Raises
    ------
    ColumnNotFoundError
        A column that the table does not have; the nearest ones are named.
    SqlError
        `where` is not one condition: it holds a query, a comment, a semicolon, or leaves its place; or Athena would
        refuse it.
    ParameterError
        An option of a wrong type, a value of the condition that is missing or not used, an unknown time zone or view.
    HudiError
        The table is no Hudi table, of a kind that is not read, or `as_of` is before what the cleaner kept.
    UnreadableFileError
        A file of the table is missing, cut short, or no Parquet file; it is named.
    EngineError
        The lake is closed.

    Examples
    --------
    >>> trips = dk.hudi.read(lake, "taxi.table_1", columns=["pk_id", "total_amount"])        # doctest: +SKIP
    >>> some = dk.hudi.read(lake, "taxi.table_1", where="vendorid = :v", params={"v": 2})    # doctest: +SKIP
    >>> before = dk.hudi.read(lake, "taxi.table_1", as_of="2026-11-23T21:59:00")             # doctest: +SKIP
    """
    _check_types(arrow=arrow)
    snapshot = _opened(lake, table, as_of, timezone, view)
    if where is None:
        _no_values_without_condition(params)
        rows = read_snapshot(snapshot, columns)
    else:
        schema = chosen(snapshot, columns)
        rows = pa.Table.from_batches(_filtered(lake, snapshot, schema, where, params, BATCH_ROWS), schema=schema)
    told = _told(snapshot)
    if arrow:
        return rows.replace_schema_metadata({"hudi": json.dumps(told)})
    frame = to_pandas(rows)
    frame.attrs["hudi"] = told
    return frame


def batches(
    lake: Lake,
    table: str | Table,
    *,
    columns: Iterable[str] | None = None,
    where: str | None = None,
    params: Mapping[str, Any] | None = None,
    as_of: _Moment = None,
    timezone: str | None = None,
    view: _View = "snapshot",
    rows: int = BATCH_ROWS,
) -> pa.RecordBatchReader:
    """Read the rows of a Hudi table as `read` does, batch by batch, for tables larger than memory.

    The files are checked before the first batch. Memory holds a few batches, and of a table with log files one merged
    file group; closing the lake ends a filtered reader.

    Parameters
    ----------
    rows : int
        The most rows of a batch.

    Returns
    -------
    pyarrow.RecordBatchReader
        The schema's metadata is as that of `read(arrow=True)`.

    Raises
    ------
    As `read`; what only the rows show, while they are read.

    Examples
    --------
    >>> sum(batch.num_rows for batch in dk.hudi.batches(lake, "taxi.table_1"))               # doctest: +SKIP
    """
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise ParameterError(f"rows is a number of rows from 1 on, not {rows!r}.")
    rows = min(rows, 2**31)  # more than fit into a batch
    snapshot = _opened(lake, table, as_of, timezone, view)
    schema = chosen(snapshot, columns)
    if where is None:
        _no_values_without_condition(params)
        found = snapshot_batches(snapshot, schema.names, rows=rows)
    else:
        found = _filtered(lake, snapshot, schema, where, params, rows)
    shown = schema.with_metadata({"hudi": json.dumps(_told(snapshot))})
    return pa.RecordBatchReader.from_batches(shown, (b.replace_schema_metadata(shown.metadata) for b in found))


def count(
    lake: Lake,
    table: str | Table,
    *,
    as_of: _Moment = None,
    timezone: str | None = None,
    view: _View = "snapshot",
) -> int:
    """Count the rows of a Hudi table exactly: from the footers of its files, and by merging where there are log files.

    The options are those of `read`.

    Examples
    --------
    >>> dk.hudi.count(lake, "taxi.table_1")                                                  # doctest: +SKIP
    2200
    """
    return count_snapshot(_opened(lake, table, as_of, timezone, view))


def count_snapshot(snapshot: Snapshot) -> int:
    """Count the rows of a snapshot; see `count`."""
    keys = pa.schema([f for f in snapshot.schema(meta=True) if f.name == KEY])
    merged = (int(one.num_rows) for one in snapshot.merged_slices(keys))
    return sum(part.rows for part in snapshot.parts) + sum(merged)


def _filtered(
    lake: Lake, snapshot: Snapshot, schema: pa.Schema, where: str, params: Mapping[str, Any] | None, rows: int
) -> Iterator[pa.RecordBatch]:
    from datalake_kit.hudi.condition import condition
    from datalake_kit.hudi.filtering import closed_cursor, filtered_batches

    checked = condition(where, params)
    checked.statement(snapshot.schema(meta=True), schema.names)  # refused here, not at the first batch
    engine = _folder_engine(lake)
    cursor = closed_cursor(snapshot.parts) if engine is None else engine.cursor()
    return filtered_batches(snapshot, schema, checked, cursor, rows)


def _opened(lake: Lake, table: str | Table, as_of: _Moment, timezone: str | None, view: _View) -> Snapshot:
    check_lake(lake)
    return open_snapshot(hudi_location(lake, table), as_of=as_of, timezone=timezone, view=view)


def _folder_engine(lake: Lake) -> Any:
    """Return the engine of a lake in a folder, whose database reaches the files of the folder; None for another."""
    return lake.engine if lake.engine_name == "duckdb" else None


def check_lake(lake: Lake) -> None:
    """Refuse what is no lake (ParameterError) and a lake that is closed (EngineError)."""
    from datalake_kit.lake import Lake as Made

    if not isinstance(lake, Made):
        raise ParameterError(f"The first argument is a lake, what dk.connect(...) gives, not {lake!r}.")
    engine = _folder_engine(lake)
    if engine is not None:
        engine.cursor().close()  # says when the lake is closed


def _check_types(*, arrow: object) -> None:
    if not isinstance(arrow, bool):
        raise ParameterError(f"arrow is True or False, not {arrow!r}.")


def _no_values_without_condition(params: Mapping[str, Any] | None) -> None:
    if params:
        raise ParameterError("params are values of a condition, and there is no where.")


def _told(snapshot: Snapshot) -> dict[str, str | None]:
    return {
        "instant": snapshot.instant,
        "as_of": snapshot.as_of,
        "timezone": snapshot.zone.told,
        "view": snapshot.view,
    }
