"""One side of a comparison: a relation that an engine can read, and what it cost to ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

from datalake_kit.cdc.digest.dialect import DigestDialect
from datalake_kit.cdc.digest.duckdb import DuckDBDigest, finer_than_milliseconds
from datalake_kit.cdc.digest.families import MILLI, SqlType
from datalake_kit.cdc.digest.trino import TrinoDigest
from datalake_kit.sql import quote_identifier, split_name

Row = Sequence[Any]
_T = TypeVar("_T")


class DigestSide(Protocol):
    """What `localise` needs of a side.

    Attributes
    ----------
    dialect : DigestDialect
    relation : str
        What stands after FROM: a quoted name, or a subquery with an alias.
    label : str
        How messages name the side.
    """

    @property
    def dialect(self) -> DigestDialect: ...
    @property
    def relation(self) -> str: ...
    @property
    def label(self) -> str: ...

    def run(self, statement: str) -> Sequence[Row]:
        """Run one statement and return its rows."""


@dataclass
class Traffic:
    """Statements, and bytes of their text and of their answers as text."""

    statements: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0

    def count(self, statement: str, rows: Sequence[Row]) -> None:
        """Add a statement and its answer."""
        self.statements += 1
        self.bytes_sent += len(statement.encode())
        self.bytes_received += sum(_size(value) for row in rows for value in row)

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.statements + other.statements,
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
        )

    @property
    def bytes_moved(self) -> int:
        """Bytes in both directions."""
        return self.bytes_sent + self.bytes_received


def _size(value: Any) -> int:
    """Bytes of a value as text, and its separator."""
    if isinstance(value, (bytes, bytearray)):
        return len(value) + 1
    text = value if isinstance(value, str) else str(value)
    return (len(text) if text.isascii() else len(text.encode())) + 1


@dataclass
class Counted:
    """A side that counts what goes over the line."""

    side: DigestSide
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def dialect(self) -> DigestDialect:
        """The engine's dialect."""
        return self.side.dialect

    @property
    def relation(self) -> str:
        """What stands after FROM."""
        return self.side.relation

    @property
    def label(self) -> str:
        """How messages name the side."""
        return self.side.label

    def run(self, statement: str) -> Sequence[Row]:
        """Run one statement and return its rows."""
        rows = self.side.run(statement)
        self.traffic.count(statement, rows)
        return rows


class DuckDBSide:
    """A relation of a DuckDB connection. Nothing else may use the connection while a comparison runs.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    relation : str
        A quoted name, or a subquery in parentheses.
    """

    def __init__(self, connection: Any, relation: str, label: str = "the lake") -> None:
        self.dialect: DigestDialect = DuckDBDigest()
        self.label = label
        self._connection = connection
        self.relation = f"{relation} AS r" if relation.lstrip().startswith("(") else relation

    @cached_property
    def types(self) -> dict[str, SqlType]:
        """The columns and their types; a column of times that hold no digit past the millisecond has three digits."""
        rows = self._connection.execute(f"DESCRIBE SELECT * FROM {self.relation}").fetchall()
        found = {name: self.dialect.sql_type(written) for name, written, *_ in rows}
        times = [n for n, t in found.items() if t.kind in ("ts", "tstz") and t.digits > MILLI]
        if times:
            finer = ", ".join(finer_than_milliseconds(self.dialect.quote(n)) for n in times)
            (answers,) = self._connection.execute(f"SELECT {finer} FROM {self.relation}").fetchall()
            for name, is_finer in zip(times, answers, strict=True):
                found[name] = found[name] if is_finer else replace(found[name], digits=MILLI)
        return found

    def run(self, statement: str) -> Sequence[Row]:
        """Run one statement and return its rows."""
        rows: list[Row] = self._connection.execute(statement).fetchall()
        return rows


def is_local(side: DigestSide) -> bool:
    """Whether a side answers inside this process."""
    return isinstance(side, DuckDBSide)


class AthenaSide:
    """A table of a lake on Athena, asked through `lake.arrow`.

    Parameters
    ----------
    lake : Lake
    table : str
        `database.table`.
    """

    def __init__(self, lake: Any, table: str) -> None:
        self.dialect: DigestDialect = TrinoDigest()
        self.relation = ".".join(quote_identifier(part) for part in split_name(table))
        self.label = f"the lake's {table}"
        self._lake = lake
        self._table = table

    @property
    def types(self) -> dict[str, SqlType]:
        """The columns and their types as the catalog has them."""
        return {c.name: self.dialect.sql_type(c.type) for c in self._lake.table(self._table).columns}

    def run(self, statement: str) -> Sequence[Row]:
        """Run one statement and return its rows."""
        table = self._lake.arrow(statement)
        columns = [column.to_pylist() for column in table.columns]
        return list(zip(*columns, strict=True))


def both(left: Callable[[], _T], right: Callable[[], _T]) -> tuple[_T, _T]:
    """Do two things at the same time: the left one in a thread of its own, the right one here."""
    done: Future[_T] = Future()

    def work() -> None:
        try:
            done.set_result(left())
        except BaseException as problem:  # noqa: BLE001 (raised again where the result is fetched)
            done.set_exception(problem)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        there = right()
    except Exception:
        thread.join()  # the side may be asked again; who interrupts by hand does not wait
        raise
    return done.result(), there
