"""What differs between databases besides the digest: sessions, catalogs, and what to do about an error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from datalake_kit.cdc.digest.dialect import DigestDialect
from datalake_kit.cdc.digest.families import SqlType
from datalake_kit.cdc.digest.mysql import MySQLDigest
from datalake_kit.cdc.digest.postgresql import PostgreSQLDigest
from datalake_kit.errors import ConfigError, DataError, ParameterError, TableNotFoundError, did_you_mean
from datalake_kit.sql import split_name

_LOST = "The connection was lost: the server stopped or ended it. Run it again; nothing was changed."
_RIGHTS = "Grant the user SELECT on the table; nothing else is needed."


class Session(Protocol):
    """What a catalog needs of a connection."""

    def run(self, statement: str) -> Sequence[Sequence[Any]]: ...


@dataclass(frozen=True)
class TableFacts:
    """What a database says of one of its tables."""

    schema: str
    name: str
    types: Mapping[str, SqlType]
    primary_key: tuple[str, ...]
    unique_keys: tuple[tuple[str, ...], ...]

    @property
    def full_name(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"

    def are_unique(self, keys: Sequence[str]) -> bool:
        """Whether a unique index of columns that cannot be NULL guarantees that the keys identify a row."""
        names = {k.casefold() for k in keys}
        return any({c.casefold() for c in unique} <= names for unique in self.unique_keys)


class Catalog(ABC):
    """One kind of database."""

    dialect: DigestDialect
    here = "SELECT current_schema()"

    @abstractmethod
    def session(self, timeout_seconds: float | None) -> list[str]:
        """The statements that begin a session and its read-only transaction."""

    @abstractmethod
    def connect_arguments(self, query: Mapping[str, Any], seconds: int) -> dict[str, Any]:
        """Arguments of the usual driver, where the URL does not give them."""

    @abstractmethod
    def tables(self, session: Session) -> list[tuple[str, str]]:
        """Schema and name of every table and view that can be seen."""

    @abstractmethod
    def facts(self, session: Session, schema: str, name: str) -> TableFacts:
        """Columns and unique keys of a table."""

    @abstractmethod
    def way_out(self, error: BaseException, text: str, *, lost: bool) -> str:
        """What to do about an error of the driver."""

    def check(self, session: Session) -> None:  # noqa: B027 (nothing to check by default)
        """Raise if the digest cannot be right on this database."""

    def table(self, session: Session, written: str) -> TableFacts:
        """Find a table by its exact name, else without regard to case where only one fits."""
        parts = split_name(written.replace("/", ".") if "." not in written else written)
        if len(parts) > 2:
            raise ParameterError(f"Name the source's table as schema.table, not {written!r}.")
        known = self.tables(session)
        found = _fitting(known, parts)
        if len(found) > 1:  # the schema that the connection is in goes first
            here = session.run(self.here)[0][0]
            found = [e for e in found if here is not None and e[0] == _text(here)] or found
        if len(found) == 1:
            return self.facts(session, *found[0])
        names = [f"{s}.{t}" for s, t in known]
        if found:
            several = ", ".join(f"{s}.{t}" for s, t in found)
            raise TableNotFoundError(f"Several tables fit {written!r}: {several}. Write schema.table as it is.")
        hint = did_you_mean(written, names if len(parts) > 1 else [t for _, t in known])
        raise TableNotFoundError(f"The source has no table {written!r}, or its user may not see it. {hint}")


def _fitting(known: Sequence[tuple[str, str]], parts: Sequence[str]) -> list[tuple[str, str]]:
    def fits(entry: tuple[str, str], fold: bool) -> bool:
        pairs = zip(reversed(entry), reversed(parts), strict=False)
        return all((a.casefold() == b.casefold()) if fold else a == b for a, b in pairs)

    return [e for e in known if fits(e, False)] or [e for e in known if fits(e, True)]


class MySQLCatalog(Catalog):
    """MySQL and MariaDB."""

    here = "SELECT database()"

    def __init__(self, *, zero_date_is_null: bool = False) -> None:
        self.dialect: DigestDialect = MySQLDigest(zero_date_is_null=zero_date_is_null)

    def session(self, timeout_seconds: float | None) -> list[str]:
        """The statements that begin a session; what only one of MySQL and MariaDB knows is in a comment for it."""
        seconds = timeout_seconds or 0
        limit = f"/*M!100101 , max_statement_time={seconds:g} */ /*!50708 , max_execution_time={int(seconds * 1000)} */"
        return [
            "SET NAMES utf8mb4",
            "SET time_zone='+00:00'",
            "SET sql_mode=''",
            f"SET @datalake_kit=1 {limit}",
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ]

    def connect_arguments(self, query: Mapping[str, Any], seconds: int) -> dict[str, Any]:
        """Arguments of PyMySQL."""
        return {n: v for n, v in {"connect_timeout": seconds, "charset": "utf8mb4"}.items() if n not in query}

    def tables(self, session: Session) -> list[tuple[str, str]]:
        """Schema and name of every table and view that can be seen."""
        rows = session.run(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN "
            "('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1, 2"
        )
        return [(_text(s), _text(t)) for s, t in rows]

    def facts(self, session: Session, schema: str, name: str) -> TableFacts:
        """Columns and unique keys of a table."""
        where = f"table_schema={self.dialect.text(schema)} AND table_name={self.dialect.text(name)}"
        columns = session.run(
            f"SELECT column_name, column_type, is_nullable FROM information_schema.columns WHERE {where} "
            "ORDER BY ordinal_position"
        )
        unique = session.run(
            "SELECT index_name, column_name FROM information_schema.statistics "
            f"WHERE {where} AND non_unique=0 AND sub_part IS NULL ORDER BY index_name, seq_in_index"
        )
        types = {_text(c): self.dialect.sql_type(_text(t)) for c, t, _ in columns}
        nullable = {_text(c) for c, _, n in columns if _text(n) == "YES"}
        return _facts(schema, name, types, nullable, [(_text(i), _text(c), _text(i) == "PRIMARY") for i, c in unique])

    def way_out(self, error: BaseException, text: str, *, lost: bool) -> str:
        """What to do about an error of the driver."""
        code = next((a for a in error.args if isinstance(a, int)), 0)
        if code in (1044, 1045, 1698):
            return "Check user and password."
        if code in (1142, 1143, 1227, 1370):
            return _RIGHTS
        if code in (2002, 2003, 2005):
            return "Check host, port and network."
        if code in (1969, 3024):
            return "The statement took longer than timeout_seconds allows. Allow more."
        if lost or code in (0, 1053, 1317, 1927, 2006, 2013):
            return _LOST
        return "The message is the server's own." if text else _LOST


class PostgreSQLCatalog(Catalog):
    """PostgreSQL."""

    def __init__(self) -> None:
        self.dialect: DigestDialect = PostgreSQLDigest()

    def session(self, timeout_seconds: float | None) -> list[str]:
        """The statements that begin a session."""
        return [
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            "SET TIME ZONE 'UTC'",
            "SET DateStyle TO 'ISO, YMD'",
            "SET standard_conforming_strings TO on",
            "SET client_encoding TO 'UTF8'",
            "SET jit TO off",  # compiling the long expressions of a digest costs more than it saves
            f"SET statement_timeout TO {int((timeout_seconds or 0) * 1000)}",
        ]

    def connect_arguments(self, query: Mapping[str, Any], seconds: int) -> dict[str, Any]:
        """Arguments of psycopg."""
        return {n: v for n, v in {"connect_timeout": seconds}.items() if n not in query}

    def check(self, session: Session) -> None:
        """Raise if the database does not keep text in UTF-8: its bytes are what is digested."""
        encoding = str(session.run("SHOW server_encoding")[0][0])
        if encoding != "UTF8":
            raise DataError(
                f"The database keeps text as {encoding}, and only UTF8 gives the same digests as a lake. "
                "Compare a dump: give a Parquet path as the source."
            )

    def tables(self, session: Session) -> list[tuple[str, str]]:
        """Schema and name of every table and view."""
        rows = session.run(
            "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' "
            "AND n.nspname <> 'information_schema' ORDER BY 1, 2"
        )
        return [(str(s), str(t)) for s, t in rows]

    def facts(self, session: Session, schema: str, name: str) -> TableFacts:
        """Columns and unique keys of a table, of a domain the type below it."""
        table = (
            "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = {self.dialect.text(schema)} AND c.relname = {self.dialect.text(name)})"
        )
        columns = session.run(
            "SELECT a.attname, CASE WHEN t.typtype = 'e' THEN 'enum' WHEN t.typtype = 'd' THEN "
            "format_type(t.typbasetype, t.typtypmod) ELSE format_type(a.atttypid, a.atttypmod) END, a.attnotnull "
            "FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
            f"WHERE a.attrelid = {table} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        )
        unique = session.run(
            "SELECT i.indexrelid::text, a.attname, i.indisprimary FROM pg_catalog.pg_index i "
            "JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts-1]) WITH ORDINALITY AS k(number, place) ON true "
            "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number "
            f"WHERE i.indrelid = {table} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
            "AND i.indexprs IS NULL ORDER BY i.indexrelid, k.place"
        )
        types = {str(c): self.dialect.sql_type(str(t)) for c, t, _ in columns}
        nullable = {str(c) for c, _, not_null in columns if not not_null}
        return _facts(schema, name, types, nullable, [(str(i), str(c), bool(p)) for i, c, p in unique])

    def way_out(self, error: BaseException, text: str, *, lost: bool) -> str:
        """What to do about an error of the driver."""
        state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
        if state in ("28P01", "28000") or "authentication failed" in text or "no password supplied" in text:
            return "Check user and password."
        if state == "42501":
            return _RIGHTS
        if state == "57014":
            return "The statement took longer than timeout_seconds allows. Allow more."
        if lost or state.startswith(("57P", "08")) or "closed the connection" in text:
            return _LOST
        if not state:
            return "Check host, port and network."
        return "The message is the server's own."


def catalog_of(backend: str, *, zero_date_is_null: bool = False) -> Catalog:
    """The catalog of a kind of database."""
    if backend == "mysql":
        return MySQLCatalog(zero_date_is_null=zero_date_is_null)
    if backend == "postgresql":
        return PostgreSQLCatalog()
    raise ConfigError(f"{backend} is no database that can be a source; mysql, mariadb and postgresql are.")


def _facts(
    schema: str, name: str, types: Mapping[str, SqlType], nullable: set[str], indexes: Sequence[tuple[str, str, bool]]
) -> TableFacts:
    grouped: dict[str, list[str]] = {}
    primary: list[str] = []
    for index, column, is_primary in indexes:
        grouped.setdefault(index, []).append(column)
        if is_primary:
            primary.append(column)
    unique = tuple(tuple(cs) for cs in grouped.values() if not nullable & set(cs))
    return TableFacts(schema, name, types, tuple(primary), unique)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)
