"""The newest version of each record.

>>> import pandas as pd
>>> versions = pd.DataFrame({"id": [1, 1, 2], "updated": [1, 3, 2], "status": ["open", "done", "open"]})
>>> latest_records(versions, keys="id", order_by="updated")
   id  updated status
1   1        3   done
2   2        2   open
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean

if TYPE_CHECKING:
    from datalake_kit.lake import Table

__all__ = ["latest_records"]

_Rows = TypeVar("_Rows", pd.DataFrame, pa.Table)


@overload
def latest_records(
    rows: pd.DataFrame | Table,
    *,
    keys: str | Sequence[str],
    order_by: str | Sequence[str],
    deleted: Mapping[str, Any] | None = ...,
) -> pd.DataFrame: ...
@overload
def latest_records(
    rows: pa.Table,
    *,
    keys: str | Sequence[str],
    order_by: str | Sequence[str],
    deleted: Mapping[str, Any] | None = ...,
) -> pa.Table: ...
def latest_records(
    rows: pd.DataFrame | pa.Table | Table,
    *,
    keys: str | Sequence[str],
    order_by: str | Sequence[str],
    deleted: Mapping[str, Any] | None = None,
) -> pd.DataFrame | pa.Table:
    """Keep the newest version of each record.

    The newest is the one with the greatest values of `order_by`, the first column counting first. NULL (and NaN) is
    older than any value. Of rows that tie, the last one wins. The rows of a Table have no order: of those that tie, the
    one with the greatest values in the other columns wins, from the table's first column on (columns of maps, lists,
    rows and bytes decide nothing); name more columns in `order_by` where that matters. The input is not changed.

    Parameters
    ----------
    rows : pandas.DataFrame, pyarrow.Table or Table
        Versions of records, one a row; a Table is what `lake.table(...)` gives: its engine chooses, on Athena too, and
        only what is kept is fetched.
    keys : str or list of str
        The columns that identify a record. A name in another case of letters is found when it is the only one.
    order_by : str or list of str
        The columns that say which version is newer. Text is compared by its characters' code points.
    deleted : mapping, optional
        Column to value or values, such as `{"Op": "D"}`: a record whose newest version has such a value is left out.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Rows of the input in their order (of a Table in the order of the keys), with all columns, types and (of a
        DataFrame) index labels: a pyarrow Table for a pyarrow Table, otherwise a DataFrame.

    Raises
    ------
    ColumnNotFoundError
        A column that is not there; the nearest ones are named.
    DataError
        Rows with a NULL key, which belong to no record (their number is told), or values that cannot be compared.

    Examples
    --------
    >>> latest_records(lake.table("taxi.table_9"), keys="pk_id", order_by="cdc_timestamp_seq")   # doctest: +SKIP
    """
    if isinstance(rows, (pd.DataFrame, pa.Table)):
        return _latest(rows, _names(keys, "keys"), _names(order_by, "order_by"), deleted or {})
    if hasattr(rows, "lake"):
        return _latest_of_table(rows, _names(keys, "keys"), _names(order_by, "order_by"), deleted or {})
    if hasattr(rows, "frame"):
        return _latest(rows.frame(), _names(keys, "keys"), _names(order_by, "order_by"), deleted or {})
    raise ParameterError(f"Give a DataFrame, a pyarrow Table or a Table of a lake, not {type(rows).__name__}.")


def _latest(rows: _Rows, keys: list[str], order_by: list[str], deleted: Mapping[str, Any]) -> _Rows:
    labels = rows.columns if isinstance(rows, pd.DataFrame) else rows.schema.names
    present = [c for c in labels if isinstance(c, str)]
    key_columns = [_column(rows, _find(k, present)) for k in keys]
    order_columns = [_orderable(_column(rows, _find(o, present))) for o in order_by]
    _refuse_null_keys(keys, key_columns)
    positions = _newest_positions(key_columns, order_columns, len(rows))
    for name, values in deleted.items():
        column = _column(rows, _find(name, present))
        positions = positions[~_is_among(column, values)[positions]]
    return rows.iloc[positions] if isinstance(rows, pd.DataFrame) else rows.take(pa.array(positions))


_NO_ORDER = ("map", "array", "struct", "binary")  # beginnings of types by which rows are not put in order


def _latest_of_table(table: Table, keys: list[str], order_by: list[str], deleted: Mapping[str, Any]) -> pd.DataFrame:
    """Let the engine number the versions of each record."""
    types = {column.name: column.type for column in table.columns}
    key_names, order_names = ([_find(name, list(types)) for name in names] for names in (keys, order_by))
    ties = [n for n, kind in types.items() if n not in {*key_names, *order_names} and not kind.startswith(_NO_ORDER)]
    by = ", ".join(f"{_without_nan(name, types[name])} DESC NULLS LAST" for name in [*order_names, *ties])
    partition, columns = (", ".join(map(_quote, names)) for names in (key_names, types))
    dropped, values = _dropped(deleted, list(types))
    _refuse_null_keys_of(table, keys, key_names)
    version = f"row_number() OVER (PARTITION BY {partition} ORDER BY {by}) AS dk_version"
    found: pd.DataFrame = table.lake.sql(
        f"SELECT {columns} FROM (SELECT {columns}, {version} FROM {table.quoted_name}) AS versions "
        f"WHERE dk_version = 1{dropped} ORDER BY {partition}",
        params=values,
    )
    return found


def _without_nan(name: str, kind: str) -> str:
    quoted = _quote(name)
    return f"CASE WHEN NOT is_nan({quoted}) THEN {quoted} END" if kind in ("double", "float") else quoted


def _dropped(deleted: Mapping[str, Any], present: list[str]) -> tuple[str, dict[str, Any]]:
    """Conditions that leave out records whose newest version is a deletion, and the values bound in them."""
    conditions, values = "", {}
    for number, (name, given) in enumerate(deleted.items()):
        column, listed = _quote(_find(name, present)), _listed(given)
        known = [value for value in listed if value is not None]
        if known:
            conditions += f" AND coalesce({column} NOT IN (:dk_gone_{number}), true)"
            values[f"dk_gone_{number}"] = known
        if len(known) < len(listed):
            conditions += f" AND {column} IS NOT NULL"
    return conditions, values


def _refuse_null_keys_of(table: Table, names: list[str], columns: list[str]) -> None:
    counts = ", ".join(f"count_if({_quote(column)} IS NULL) AS n{n}" for n, column in enumerate(columns))
    row = table.lake.sql(f"SELECT {counts} FROM {table.quoted_name}").iloc[0]
    for name, nulls in zip(names, row, strict=True):
        _refuse_nulls(name, int(nulls))


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _newest_positions(keys: list[pa.ChunkedArray], order: list[pa.ChunkedArray], count: int) -> np.ndarray[Any, Any]:
    """Return the positions of the newest row of each record, in the order of the input."""
    columns = {f"k{i}": c for i, c in enumerate(keys)} | {f"o{i}": c for i, c in enumerate(order)}
    versions = pa.table({**columns, "position": pa.array(np.arange(count, dtype="int64"))})
    partition = ", ".join(f"k{i}" for i in range(len(keys)))
    by = ", ".join(f"o{i} DESC NULLS LAST" for i in range(len(order)))
    with duckdb.connect(":memory:") as connection:
        connection.register("versions", versions)
        found = connection.execute(
            f"SELECT position FROM versions "
            f"QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY {by}, position DESC) = 1 ORDER BY position"
        ).fetchnumpy()["position"]
    return np.asarray(found)


def _names(names: str | Sequence[str], argument: str) -> list[str]:
    found = [names] if isinstance(names, str) else list(names)
    if not found or not all(isinstance(n, str) for n in found):
        raise ParameterError(f"{argument} is the name of a column or a list of names, not {names!r}.")
    return found


def _find(name: str, present: list[str]) -> str:
    same = [p for p in present if p == name] or [p for p in present if p.casefold() == name.casefold()]
    if len(same) == 1:
        return same[0]
    hint = f"There are {len(same)} of that name." if same else did_you_mean(name, present)
    raise ColumnNotFoundError(f"No column {name!r} in the rows. {hint}")


def _column(rows: pd.DataFrame | pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column as Arrow values, in the order that its own type has (an ordered category by its codes)."""
    if isinstance(rows, pa.Table):
        column = rows.column(name)
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    series: Any = rows[name]
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = (
            series.cat.codes.where(series.notna()) if series.cat.ordered else series.astype(series.cat.categories.dtype)
        )
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)  # the same order, and pyarrow takes it as it is
    try:
        array = pa.Array.from_pandas(series)
    except (pa.ArrowException, TypeError, ValueError) as problem:
        raise DataError(
            f"The values of column {name!r} are of several types and cannot be compared: {problem}"
        ) from None
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _orderable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN would sort above every number: make it NULL."""
    if not pa.types.is_floating(column.type):
        return column
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _refuse_null_keys(names: list[str], columns: list[pa.ChunkedArray]) -> None:
    for name, column in zip(names, columns, strict=True):
        _refuse_nulls(name, column.null_count)


def _refuse_nulls(name: str, count: int) -> None:
    if count:
        raise DataError(
            f"{count} rows have NULL in the key column {name!r}, so they belong to no record. "
            "Filter them out, or complete the keys."
        )


def _is_among(column: pa.ChunkedArray, values: Any) -> np.ndarray[Any, Any]:
    found = column.to_pandas().isin(_listed(values))
    return np.asarray(found, dtype=bool)


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, (str, bytes)) else [values]
