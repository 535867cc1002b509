"""What a table should hold: full load and changes replayed, row by row.

F are the rows of the full load, C the change rows after it, ordered by (sequence, file, position in the file); an empty
sequence sorts first. L is the last row of each key in C.

- Mode S (current snapshot): the rows of F whose key is not in L, and the rows of L that are no deletes. Of several rows
  of one key in F the last counts.
- Mode H (historical): the last row of each (key, sequence), deletes included.

Only keys with a change, or with several rows in the full load, are ordered; the others stand as they were loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Literal

import pandas as pd
import pyarrow as pa

from datalake_kit.cdc.dms import DmsFile, from_frame
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.staged import StagedTable, read_staged
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean

Mode = Literal["S", "H"]


@dataclass(frozen=True)
class Expected:
    """The state that a table should hold. Made by `expected`.

    Attributes
    ----------
    staged : StagedTable
        The files.
    keys : tuple of str
        The columns that identify a record of the source.
    mode : str
        "S" current snapshot, "H" historical.
    until : str, datetime, date or None
        The sequence or time up to which changes count; None: all.
    rows : int
        How many rows the table should hold.
    runs : pandas.DataFrame
        One row a DMS file: inserts, updates and deletes that it made, in the order of the files.
    untrusted : pandas.DataFrame
        What the files themselves leave doubtful: `kind`, `key`, `file`, `sequence`.
    """

    staged: StagedTable = field(repr=False)
    keys: tuple[str, ...]
    mode: Mode
    until: str | datetime | date | None
    rows: int
    runs: pd.DataFrame = field(repr=False)
    untrusted: pd.DataFrame = field(repr=False)

    @cached_property
    def table(self) -> pa.Table:
        """The rows, with the columns of the source and the sequence column, in the order of the files; in memory."""
        with self.staged.opened() as staged, Workspace() as work:
            ordering = Ordering(work, staged, self.keys, mode=self.mode, until=self.until)
            places = work.run(f"SELECT file, pos FROM {ordering.expected} ORDER BY file, pos").fetchnumpy()
            return staged.take(places["file"], places["pos"])

    @property
    def sequence(self) -> str | None:
        """The column that orders changes."""
        return self.staged.sequence

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
    settings: DmsSettings | None = None,
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
        Leave out changes after this sequence or time (UTC; ISO 8601 as text).
    sequence : str, optional
        The column that orders changes; without it CDC_TIMESTAMP_SEQ or another that DMS's settings or the files tell,
        and where they have none, the order of the files.
    settings : DmsSettings, optional
        How DMS was told to write, where it cannot be found out.

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
    if isinstance(files, StagedTable):
        staged = files
    else:
        staged = read_staged(_dms_files(files), sequence=sequence, settings=settings)
    return replay(staged, (keys,) if isinstance(keys, str) else tuple(keys), mode=mode, until=until)


def replay(
    staged: StagedTable, keys: Sequence[str], *, mode: Mode = "S", until: str | datetime | date | None = None
) -> Expected:
    """Replay staged rows; see `expected`."""
    names = key_names(staged, keys, mode)
    with staged.opened() as local, Workspace() as work:
        return state_of(Ordering(work, local, names, mode=mode, until=until), mode, until)


def state_of(ordering: Ordering, mode: Mode, until: str | datetime | date | None) -> Expected:
    """Return what staged rows that were put in order lead to."""
    return Expected(ordering.staged, ordering.keys, mode, until, ordering.rows, ordering.runs(), ordering.untrusted())


def key_names(staged: StagedTable, keys: Sequence[str], mode: Mode) -> tuple[str, ...]:
    """The columns that identify a record of the source, as the files name them.

    Raises
    ------
    ColumnNotFoundError, ParameterError, DataError
        The files do not have a key; there is none; or mode H lacks a sequence.
    """
    names = tuple(_find(staged, key) for key in keys if mode == "S" or not _is_sequence(staged, key))
    if not names:
        raise ParameterError("keys names no column. Name the columns that identify a record of the source.")
    if mode == "H" and staged.sequence is None:
        raise DataError(f"Mode H needs the column that orders changes, and the files of {staged.label} have none.")
    return names


def _find(staged: StagedTable, key: str) -> str:
    same = [c for c in staged.columns if c == key] or [c for c in staged.columns if c.casefold() == key.casefold()]
    if len(same) != 1:
        raise ColumnNotFoundError(
            f"The DMS files of {staged.label} have no key column {key!r}. {did_you_mean(key, staged.columns)}"
        )
    return same[0]


def _is_sequence(staged: StagedTable, key: str) -> bool:
    return staged.sequence is not None and key.casefold() == staged.sequence.casefold()


def _dms_files(files: pd.DataFrame | Iterable[DmsFile]) -> list[DmsFile]:
    listed = from_frame(files) if isinstance(files, pd.DataFrame) else list(files)
    tables = sorted({f"{f.schema}.{f.table}" for f in listed})
    if len(tables) != 1:
        raise DataError(f"expected() replays one table, and these are files of {', '.join(tables) or 'none'}.")
    return listed


__all__ = ["Expected", "Mode", "expected", "key_names", "replay", "state_of"]
