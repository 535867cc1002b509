"""What a table should hold: full load and changes replayed, row by row.

F are the rows of the full load, C the change rows after it, ordered by (sequence, file, position in the file); an empty
sequence sorts first. L is the last row of each key in C.

- Mode S (current snapshot): the rows of F whose key is not in L, and the rows of L that are no deletes. Of several rows
  of one key in F the last counts.
- Mode H (historical): the last row of each (key, sequence), deletes included.

Pure: Arrow in, Arrow out; DuckDB in memory inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.cdc.dms import ADDED, FILE, OP, POSITION, DmsFile, StagedTable, read_staged
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean

Mode = Literal["S", "H"]


@dataclass(frozen=True)
class Expected:
    """The state that a table should hold. Made by `expected`.

    Attributes
    ----------
    staged : StagedTable
        The rows of the files.
    keys : tuple of str
        The columns that identify a record of the source.
    mode : str
        "S" current snapshot, "H" historical.
    runs : pandas.DataFrame
        One row a DMS file: inserts, updates and deletes that it made, in the order of the files.
    untrusted : pandas.DataFrame
        What the files themselves leave doubtful: `kind`, `key`, `file`, `sequence`.
    positions : numpy.ndarray
        The positions of the rows of `table` among the staged rows.
    """

    staged: StagedTable = field(repr=False)
    keys: tuple[str, ...]
    mode: Mode
    runs: pd.DataFrame = field(repr=False)
    untrusted: pd.DataFrame = field(repr=False)
    positions: np.ndarray[Any, Any] = field(repr=False)

    @cached_property
    def table(self) -> pa.Table:
        """The rows, with the columns of the source and the sequence column."""
        return self.staged.rows.select(self.staged.columns).take(pa.array(self.positions))

    @property
    def sequence(self) -> str | None:
        """The column that orders changes."""
        return self.staged.sequence

    @property
    def rows(self) -> int:
        """How many rows the table should hold."""
        return len(self.positions)

    @property
    def record_keys(self) -> tuple[str, ...]:
        """The columns that are unique in `table`: the keys, in mode H with the sequence."""
        return (*self.keys, self.sequence) if self.mode == "H" and self.sequence else self.keys

    def frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame."""
        frame: pd.DataFrame = self.table.to_pandas()
        return frame


def expected(
    files: pd.DataFrame | StagedTable | Iterable[DmsFile],
    *,
    keys: str | Sequence[str],
    mode: Mode = "S",
    until: str | datetime | date | None = None,
    sequence: str | None = None,
) -> Expected:
    """Replay the full load and the changes of one table.

    Parameters
    ----------
    files : DataFrame
        Rows of `dk.cdc.files` of one table.
    keys : str or list of str
        The columns that identify a record in the source.
    mode : "S" or "H"
        "S": the current state, deletes leave no row. "H": every change is a row.
    until : str, datetime or date, optional
        Leave out changes after this sequence or time (UTC).
    sequence : str, optional
        The column that orders changes; without it CDC_TIMESTAMP_SEQ, and where the files have none, their order.

    Returns
    -------
    Expected
        `.table`, `.frame()`, `.rows`, `.runs`, `.untrusted`.

    Raises
    ------
    DataError
        Files of more than one table, a file that is not DMS's, mode H without a sequence, or a key that is NULL.
    ColumnNotFoundError
        A key that the files do not have.

    Examples
    --------
    >>> found = dk.cdc.files("demo-lake/_raw/staging")                                     # doctest: +SKIP
    >>> dk.cdc.expected(found[found["table"] == "table_1"], keys="PK_ID").rows             # doctest: +SKIP
    2200
    """
    if mode not in ("S", "H"):
        raise ParameterError(f"mode is 'S' (current snapshot) or 'H' (historical), not {mode!r}.")
    staged = files if isinstance(files, StagedTable) else read_staged(_dms_files(files), sequence=sequence)
    return replay(staged, (keys,) if isinstance(keys, str) else tuple(keys), mode=mode, until=until)


def replay(
    staged: StagedTable, keys: Sequence[str], *, mode: Mode = "S", until: str | datetime | date | None = None
) -> Expected:
    """Replay staged rows; see `expected`."""
    names = tuple(_find(staged, key) for key in keys if mode == "S" or not _is_sequence(staged, key))
    if not names:
        raise ParameterError("keys names no column. Name the columns that identify a record of the source.")
    if mode == "H" and staged.sequence is None:
        raise DataError(f"Mode H needs the column that orders changes, and the files of {staged.label} have none.")
    with duckdb.connect(":memory:") as connection:
        connection.register("staged_rows", _slim(staged, names))
        connection.execute(_ORDERED, {"until": _until(until)})
        _refuse_null_keys(connection, staged, names)
        positions = np.asarray(connection.execute(_STATE[mode]).fetchnumpy()["i"])
        runs = _runs(connection, staged, mode)
        untrusted = _untrusted(connection, staged)
    return Expected(staged, names, mode, runs, untrusted, positions)


# One row a staged row: i its position, k its key; n its place in the order of the changes of its key.
_ORDERED = """
CREATE TABLE ordered AS
SELECT *, row_number() OVER (PARTITION BY k ORDER BY op <> 'L', CASE WHEN op = 'L' THEN '' ELSE seq END, file, pos) AS n
FROM staged_rows WHERE op = 'L' OR $until IS NULL OR seq <= $until
"""
_STATE = {
    "S": """
SELECT i FROM ordered QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC) = 1 AND op <> 'D' ORDER BY i
""",
    "H": """
SELECT i FROM ordered
QUALIFY row_number() OVER (PARTITION BY k, CASE WHEN op = 'L' THEN '' ELSE seq END ORDER BY n DESC) = 1 ORDER BY i
""",
}
# The last operation of each key in each file, and whether the key was there before that file.
_RUNS = {
    "S": """
WITH last AS (
  SELECT file, k, arg_max(op, (seq, pos)) <> 'D' AS alive FROM ordered GROUP BY file, k
), runs AS (
  SELECT *, coalesce(lag(alive) OVER (PARTITION BY k ORDER BY file), false) AS before FROM last
)
SELECT file, count(*) FILTER (alive AND NOT before) AS inserts, count(*) FILTER (alive AND before) AS updates,
  count(*) FILTER (NOT alive AND before) AS deletes FROM runs GROUP BY file
""",
    "H": """
WITH seen AS (
  SELECT file, row_number() OVER (PARTITION BY k, CASE WHEN op = 'L' THEN '' ELSE seq END ORDER BY file, pos) = 1 AS new
  FROM ordered
)
SELECT file, count(*) FILTER (new) AS inserts, count(*) FILTER (NOT new) AS updates, 0 AS deletes
FROM seen GROUP BY file
""",
}
_UNTRUSTED = """
WITH told AS (
  SELECT *, lag(op) OVER by_key AS op_before, lag(seq) OVER by_key AS seq_before, lag(file) OVER by_key AS file_before
  FROM ordered WINDOW by_key AS (PARTITION BY k ORDER BY n)
), width AS (SELECT mode(length(seq)) AS usual FROM ordered WHERE op <> 'L' AND seq <> '')
SELECT k, file, seq, unnest([x FOR x IN [
  CASE WHEN op = 'L' AND op_before = 'L' THEN 'duplicate key in the full load' END,
  CASE WHEN op <> 'L' AND seq <> '' AND seq = seq_before AND op_before <> 'L' THEN 'change delivered twice' END,
  CASE WHEN op = 'U' AND op_before IS NULL THEN 'update of a key never seen' END,
  CASE WHEN op = 'D' AND op_before IS NULL THEN 'delete of a key never seen' END,
  CASE WHEN op = 'U' AND op_before = 'D' THEN 'update of a deleted key' END,
  CASE WHEN op = 'D' AND op_before = 'D' AND seq <> seq_before THEN 'delete of a deleted key' END,
  CASE WHEN op = 'I' AND op_before IN ('L', 'I', 'U') AND seq <> seq_before THEN 'insert of a key that is there' END,
  CASE WHEN op <> 'L' AND file_before > file THEN 'older change in a later file' END,
  CASE WHEN op <> 'L' AND has_seq AND seq = '' THEN 'change without a sequence' END,
  CASE WHEN op <> 'L' AND seq <> '' AND length(seq) <> usual THEN 'sequence of another length' END
] IF x IS NOT NULL]) AS kind
FROM told CROSS JOIN width ORDER BY i
"""


def _slim(staged: StagedTable, names: Sequence[str]) -> pa.Table:
    """Only what the order needs; the key of several columns becomes one struct."""
    rows = staged.rows
    parts = [rows.column(n).combine_chunks() for n in names]
    key = parts[0] if len(parts) == 1 else pa.StructArray.from_arrays(parts, [f"k{i}" for i in range(len(parts))])
    return pa.table(
        {
            "i": pa.array(np.arange(rows.num_rows, dtype="int64")),
            "k": key,
            "seq": staged.sequences,
            "file": rows.column(FILE),
            "pos": rows.column(POSITION),
            "op": rows.column(OP),
            "has_seq": pa.repeat(pa.scalar(staged.sequence is not None), rows.num_rows),
        }
    )


def _refuse_null_keys(connection: duckdb.DuckDBPyConnection, staged: StagedTable, names: Sequence[str]) -> None:
    for name in names:
        nulls = staged.rows.column(name).null_count
        if nulls:
            raise DataError(
                f"{nulls} staged rows of {staged.label} have NULL in the key column {name}. Repair the source."
            )


def _runs(connection: duckdb.DuckDBPyConnection, staged: StagedTable, mode: Mode) -> pd.DataFrame:
    counted = connection.execute(_RUNS[mode]).df().set_index("file")
    counted = counted.reindex(range(len(staged.files)), fill_value=0).astype("int64").reset_index(drop=True)
    rows = np.bincount(staged.file_numbers, minlength=len(staged.files))
    counted.insert(0, "rows", rows.astype("int64"))
    counted.insert(0, "kind", [f.kind for f in staged.files])
    counted.insert(0, "file", [f.name for f in staged.files])
    return counted


def _untrusted(connection: duckdb.DuckDBPyConnection, staged: StagedTable) -> pd.DataFrame:
    found = connection.execute(_UNTRUSTED).fetchall()
    return pd.DataFrame(
        {
            "kind": pd.Series([kind for *_, kind in found], dtype="str"),
            "key": pd.Series([tuple(k.values()) if isinstance(k, dict) else k for k, *_ in found], dtype="object"),
            "file": pd.Series([staged.files[file].name for _, file, *_ in found], dtype="str"),
            "sequence": pd.Series([sequence for _, _, sequence, _ in found], dtype="str"),
        }
    )


def _find(staged: StagedTable, key: str) -> str:
    same = [c for c in staged.columns if c == key] or [c for c in staged.columns if c.casefold() == key.casefold()]
    if len(same) != 1:
        raise ColumnNotFoundError(
            f"The DMS files of {staged.label} have no key column {key!r}. {did_you_mean(key, staged.columns)}"
        )
    return same[0]


def _is_sequence(staged: StagedTable, key: str) -> bool:
    return staged.sequence is not None and key.casefold() == staged.sequence.casefold()


def _until(until: str | datetime | date | None) -> str | None:
    """A time as the text that no sequence up to it exceeds: sequences begin with their time in UTC."""
    if until is None or isinstance(until, str):
        return until
    if not isinstance(until, datetime):
        return f"{until:%Y%m%d}" + "9" * 27
    moment = until.astimezone(UTC) if until.tzinfo else until
    return moment.strftime("%Y%m%d%H%M%S%f") + "9" * 15


def _dms_files(files: pd.DataFrame | Iterable[DmsFile]) -> list[DmsFile]:
    if isinstance(files, pd.DataFrame):
        from pathlib import Path

        missing = [c for c in ("path", "file", "schema", "table", "kind") if c not in files.columns]
        if missing:
            raise ParameterError(f"files is what dk.cdc.files gives; the column {missing[0]} is not there.")
        columns = (files[c].astype(str) for c in ("path", "file", "schema", "table", "kind"))
        listed = [DmsFile(Path(p), n, s, t, k, None) for p, n, s, t, k in zip(*columns, strict=True)]
    else:
        listed = list(files)
    tables = sorted({f"{f.schema}.{f.table}" for f in listed})
    if len(tables) != 1:
        raise DataError(f"expected() replays one table, and these are files of {', '.join(tables) or 'none'}.")
    return listed


__all__ = ["ADDED", "Expected", "Mode", "expected", "replay"]
