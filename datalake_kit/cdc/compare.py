"""What a table should hold against what it holds, key by key.

Both sides are brought to the same columns and types first; what cannot be is told, not left out in silence. Pure: Arrow
in, dataclasses out; DuckDB in memory inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.cdc.dms import sequences
from datalake_kit.errors import DataError

MISSING, EXTRA, CHANGED, DUPLICATE, UNVERIFIED = "missing", "extra", "changed", "duplicate", "unverified"
KINDS = (MISSING, EXTRA, CHANGED, DUPLICATE)
PIPELINE_COLUMNS = ("cdc_timestamp_seq", "cdc_operation", "op")  # DMS adds them: a lake may leave them out


@dataclass(frozen=True)
class Aligned:
    """Staged rows and lake rows with the same columns, named as in staging, and the same types.

    Attributes
    ----------
    staged, lake : pyarrow.Table
        The columns that both have.
    never_arrived : tuple of str
        Columns of staging that the lake does not have.
    not_comparable : tuple of str
        Columns whose types on the two sides do not go together.
    """

    staged: pa.Table
    lake: pa.Table
    never_arrived: tuple[str, ...]
    not_comparable: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """One key that is not as it should be; rows are positions in the expected and in the lake's rows."""

    key: Any
    kind: str
    expected: tuple[int, ...]
    lake: tuple[int, ...]


def align(staged: pa.Table, lake: pa.Table, keys: Sequence[str], sequence: str | None = None) -> Aligned:
    """Bring two tables to common columns and types; names are compared without regard to case.

    In the `sequence` column NULL is the same as the empty text: a row of the full load has no sequence.

    Raises
    ------
    DataError
        The lake lacks a key column, or has it in a type that does not go with staging's.
    """
    theirs = {name.casefold(): name for name in lake.schema.names}
    ours: dict[str, tuple[pa.ChunkedArray, pa.ChunkedArray]] = {}
    absent, odd = [], []
    for name in staged.schema.names:
        other = theirs.get(name.casefold())
        if other is None:
            absent.append(name)
            continue
        ours_too, theirs_too = staged.column(name), lake.column(other)
        if name == sequence:
            ours_too, theirs_too = sequences(ours_too), sequences(theirs_too)
        pair = _same_type(ours_too, theirs_too)
        if pair is None:
            odd.append(name)
        else:
            ours[name] = pair
    for key in keys:
        if key not in ours:
            what = "of another type in" if key in odd else "missing in"
            raise DataError(
                f"The key column {key} is {what} the lake, so rows cannot be told apart. Name the right keys."
            )
    return Aligned(
        staged=pa.table({n: p[0] for n, p in ours.items()}),
        lake=pa.table({n: p[1] for n, p in ours.items()}),
        never_arrived=tuple(n for n in absent if n.casefold() not in PIPELINE_COLUMNS),
        not_comparable=tuple(odd),
    )


class Comparison:
    """Keyed rows of both sides. `staged` has every row of the files, `positions` say which of them are expected."""

    def __init__(
        self,
        aligned: Aligned,
        positions: np.ndarray[Any, Any],
        keys: Sequence[str],
        columns: Sequence[str] | None = None,
    ) -> None:
        self.aligned = aligned
        self.positions = positions
        self.keys = tuple(keys)
        self._columns = list(columns) if columns is not None else aligned.staged.schema.names

    @cached_property
    def staged_hashes(self) -> np.ndarray[Any, Any]:
        """A number for each staged row that is the same for the same values of the compared columns."""
        return _hashes(self.aligned.staged, self._columns)

    @cached_property
    def lake_hashes(self) -> np.ndarray[Any, Any]:
        """The same for the lake's rows."""
        return _hashes(self.aligned.lake, self._columns)

    def differences(self) -> list[Difference]:
        """Every key that is missing, extra, changed or there several times, in the order of the keys."""
        expected = pa.table(
            {
                "k": key_column(self.aligned.staged, self.keys).take(pa.array(self.positions)),
                "h": pa.array(self.staged_hashes[self.positions]),
                "i": pa.array(self.positions),
            }
        )
        lake = pa.table(
            {
                "k": key_column(self.aligned.lake, self.keys),
                "h": pa.array(self.lake_hashes),
                "i": pa.array(np.arange(self.aligned.lake.num_rows)),
            }
        )
        with duckdb.connect(":memory:") as connection:
            connection.register("expected_rows", expected)
            connection.register("lake_rows", lake)
            rows = connection.execute(_DIFFERENCES).fetchall()
        return [Difference(plain_key(k), _kind(e, la), tuple(e or ()), tuple(la or ())) for k, e, la in rows]

    def rows_of_same_keys(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The positions of all staged rows whose keys some given rows have."""
        keys = key_column(self.aligned.staged, self.keys)
        with duckdb.connect(":memory:") as connection:
            connection.register("all_rows", pa.table({"k": keys, "i": pa.array(np.arange(len(keys)))}))
            connection.register("some_rows", pa.table({"k": keys.take(pa.array(rows))}))
            statement = "SELECT i FROM all_rows WHERE k IN (SELECT k FROM some_rows) ORDER BY i"
            return np.asarray(connection.execute(statement).fetchnumpy()["i"])

    def differing_columns(self, difference: Difference) -> tuple[str, ...]:
        """Name the columns in which the one row of each side differs."""
        if len(difference.expected) != 1 or len(difference.lake) != 1:
            return ()
        ours = self.aligned.staged.slice(difference.expected[0], 1).to_pylist()[0]
        theirs = self.aligned.lake.slice(difference.lake[0], 1).to_pylist()[0]
        return tuple(n for n in self._columns if not _same(ours[n], theirs[n]))


_DIFFERENCES = """
WITH both_sides AS (
  SELECT k, h, i, true AS ours FROM expected_rows UNION ALL SELECT k, h, i, false FROM lake_rows
)
SELECT k, list(i) FILTER (ours), list(i ORDER BY i) FILTER (NOT ours)
FROM both_sides GROUP BY k
HAVING NOT (count(*) FILTER (ours) = 1 AND count(*) FILTER (NOT ours) = 1 AND min(h) = max(h))
ORDER BY k
"""


def _kind(expected: Sequence[int] | None, lake: Sequence[int] | None) -> str:
    if not lake:
        return MISSING
    if len(lake) > 1:
        return DUPLICATE
    return CHANGED if expected else EXTRA


def version_counts(column: pa.ChunkedArray) -> Counter[str]:
    """Count rows by sequence; rows of the full load have the empty one."""
    counted = pc.value_counts(sequences(column).combine_chunks())
    return Counter(dict(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)))


def key_column(table: pa.Table, keys: Sequence[str]) -> pa.Array:
    """The key as one column: as it is, or a struct of several."""
    parts = [table.column(name).combine_chunks() for name in keys]
    return parts[0] if len(parts) == 1 else pa.StructArray.from_arrays(parts, [f"k{i}" for i in range(len(parts))])


def plain_key(key: Any) -> Any:
    """A key as a value, or as a tuple where it has several columns."""
    return tuple(key.values()) if isinstance(key, Mapping) else key


def _hashes(table: pa.Table, columns: Iterable[str]) -> np.ndarray[Any, Any]:
    chosen = table.select(list(columns)).rename_columns([f"c{i}" for i, _ in enumerate(columns)])
    if not chosen.num_columns or not chosen.num_rows:
        return np.zeros(table.num_rows, dtype="uint64")
    arguments = ", ".join(chosen.schema.names)
    with duckdb.connect(":memory:") as connection:
        connection.register("rows", chosen)
        connection.execute("SET preserve_insertion_order = true")
        return np.asarray(connection.execute(f"SELECT hash({arguments}) AS h FROM rows").fetchnumpy()["h"])


def _same_type(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | None:
    ours, theirs = _canonical(ours), _canonical(theirs)
    if ours.type == theirs.type:
        return ours, theirs
    target = _common_type(ours.type, theirs.type)
    try:
        return ours.cast(target), theirs.cast(target)
    except pa.ArrowException:
        return None


def _canonical(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """One type for one kind of value: text, 64-bit integers and floats, timestamps in microseconds of UTC."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _canonical(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        unit = "ns" if kind.unit == "ns" else "us"
        return column.cast(pa.timestamp(unit, tz=kind.tz)).cast(pa.timestamp(unit))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return column.cast(pa.int64())
    if pa.types.is_floating(kind):
        return column.cast(pa.float64())
    return column


def _common_type(ours: pa.DataType, theirs: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(ours) and pa.types.is_decimal(theirs):
        return pa.decimal128(38, max(ours.scale, theirs.scale))
    numbers = (pa.types.is_decimal, pa.types.is_floating, pa.types.is_integer)
    if all(any(test(kind) for test in numbers) for kind in (ours, theirs)):
        return pa.float64()
    if pa.types.is_timestamp(ours) and pa.types.is_timestamp(theirs):
        return pa.timestamp("ns")
    return theirs


def _same(ours: Any, theirs: Any) -> bool:
    both_nan = isinstance(ours, float) and isinstance(theirs, float) and ours != ours and theirs != theirs
    return both_nan or bool(ours == theirs)
