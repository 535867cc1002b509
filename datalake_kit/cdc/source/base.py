"""What every source of a replicated table has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from datalake_kit.cdc.digest.families import SqlType
from datalake_kit.cdc.digest.pair import PairDifferences

SourceDifferences = PairDifferences


class Source(ABC):
    """One table of a source. Made by `open_source`.

    Attributes
    ----------
    label : str
        How reports name it; never with a password.
    columns : dict
        Column names and their types as the source writes them.
    keys : tuple of str
        The primary key that the source itself declares; empty where it declares none.
    """

    label: str
    columns: Mapping[str, str]
    keys: tuple[str, ...] = ()

    @abstractmethod
    def count(self) -> int:
        """Count the rows."""

    def local_parquet(self, folder: str | Path) -> list[Path] | None:
        """Return Parquet files with all rows, written into `folder` where there are none; None for a database."""
        return None

    def type_and_largest(self, column: str) -> tuple[SqlType, Callable[[], Any]]:
        """Give the type of a column of a database, and what asks for its largest value."""
        raise NotImplementedError(f"{self.label} is read as Parquet files.")

    def differences(
        self,
        connection: Any,
        relation: str,
        columns: Iterable[str] | Mapping[str, str] | None,
        keys: Sequence[str],
        *,
        until: tuple[str, Any] | None = None,
        **limits: Any,
    ) -> SourceDifferences:
        """Compare with a relation of a DuckDB connection, without moving the rows.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection
            Used by this call alone while it runs.
        relation : str
            A quoted name, or a subquery in parentheses: the rows that are held against the source.
        columns : list of str, or mapping of the relation's names to the source's, optional
            None: all that both have, matched without regard to case.
        keys : list of str
            The columns that identify a row.
        until : tuple of column and value, optional
            Keys that the source changed after the value of this column are lag; see `compare_sides`.
        **limits
            `most_ranges`, `most_rows`, `leaf_rows`, `fan_out`, `most_keys_with_columns`: see `compare_sides`.
        """
        raise NotImplementedError(f"{self.label} is compared through its Parquet files.")

    def close(self) -> None:  # noqa: B027 (files need no closing)
        """Let go of the source."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"
