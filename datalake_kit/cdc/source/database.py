"""A table of MySQL, MariaDB or PostgreSQL as a source, through SQLAlchemy.

Everything runs in one read-only transaction that sees one moment of the database. Statements hold no value of a user
beyond quoted names and keys. No message, label or chained error shows the password.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from datalake_kit.cdc.digest.dialect import DigestDialect
from datalake_kit.cdc.digest.families import SqlType
from datalake_kit.cdc.source.base import Source, SourceDifferences
from datalake_kit.cdc.source.catalog import Catalog, TableFacts, catalog_of
from datalake_kit.errors import ConfigError, EngineError, MissingPackageError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from datalake_kit.cdc.digest.pair import TypedSide

DRIVERS = {"mysql": "pymysql", "mariadb": "pymysql", "postgresql": "psycopg", "postgres": "psycopg"}
CONNECT_SECONDS = 10


def open_database(
    url: str, table: str, *, timeout_seconds: float | None = None, zero_date_is_null: bool = False
) -> DatabaseSource:
    """Connect, begin a read-only transaction and look a table up; see `open_source`."""
    session = _Session(_url(url), timeout_seconds, zero_date_is_null)
    try:
        return DatabaseSource(session, session.catalog.table(session, table))
    except BaseException:
        session.close()
        raise


class DatabaseSource(Source):
    """One table of a database. Made by `open_source`."""

    def __init__(self, session: _Session, facts: TableFacts) -> None:
        self._session = session
        self._facts = facts
        self.label = f"{session.label} {facts.full_name}"
        self.columns = {n: t.written for n, t in facts.types.items()}
        self.keys = facts.primary_key

    @property
    def dialect(self) -> DigestDialect:
        """The digest in the database's SQL."""
        return self._session.catalog.dialect

    @property
    def relation(self) -> str:
        """The table's quoted name."""
        return ".".join(self.dialect.quote(part) for part in (self._facts.schema, self._facts.name))

    @property
    def types(self) -> Mapping[str, SqlType]:
        """The columns and their types."""
        return self._facts.types

    def run(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run one statement and return its rows."""
        return self._session.run(statement)

    def count(self) -> int:
        """Count the rows."""
        return int(self.run(f"SELECT count(*) FROM {self.relation}")[0][0])

    def type_and_largest(self, column: str) -> tuple[SqlType, Callable[[], Any]]:
        """Give the type of a column, and what asks for its largest value."""
        statement = f"SELECT max({self.dialect.quote(column)}) FROM {self.relation}"
        return self.types[column], lambda: self.run(statement)[0][0]

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
        """Compare with a relation of a DuckDB connection; see `Source.differences`."""
        from datalake_kit.cdc.digest.side import DuckDBSide

        return self.differences_from(DuckDBSide(connection, relation), columns, keys, until=until, **limits)

    def differences_from(
        self,
        other: TypedSide,
        columns: Iterable[str] | Mapping[str, str] | None,
        keys: Sequence[str],
        *,
        until: tuple[str, Any] | None = None,
        **limits: Any,
    ) -> SourceDifferences:
        """Compare with any side of a digest, such as `AthenaSide(lake, "shop.orders")`; see `Source.differences`."""
        from datalake_kit.cdc.digest.pair import compare_sides

        unique = self._facts.are_unique(keys)
        return compare_sides(self, other, keys, columns=columns, until=until, unique=unique, **limits)

    def close(self) -> None:
        """End the transaction and the connection."""
        self._session.close()


class _Session:
    """One connection with one read-only transaction."""

    def __init__(self, url: URL, timeout_seconds: float | None, zero_date_is_null: bool) -> None:
        self.catalog: Catalog = catalog_of(url.get_backend_name(), zero_date_is_null=zero_date_is_null)
        self.label = _label(url)
        self._secrets = _secrets(url)
        self._connection: Any = None
        self._engine = _engine(url, self.catalog)
        try:
            self._connection = self._guarded(self._connect, "cannot be opened")
            for statement in self.catalog.session(timeout_seconds):
                self._guarded(lambda s=statement: self._execute(s), "refuses the session")
            self.catalog.check(self)
        except BaseException:
            self.close()
            raise

    def run(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run one statement and return its rows."""
        if self._connection is None:
            raise EngineError(f"{self.label} is closed. Open the source again.")
        rows: Sequence[Sequence[Any]] = self._guarded(lambda: self._execute(statement).fetchall(), "failed")
        return rows

    def close(self) -> None:
        """End the transaction and the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # a connection that broke cannot be closed in good order
                connection.close()
        self._engine.dispose()

    def _connect(self) -> Any:
        return self._engine.connect().execution_options(no_parameters=True)

    def _execute(self, statement: str) -> Any:
        return self._connection.exec_driver_sql(statement)

    def _guarded(self, action: Any, what: str) -> Any:
        """Do it; an error of the driver becomes ours, with no chain that could show an address or a statement."""
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        try:
            return action()
        except DBAPIError as error:
            problem = self._explained(error.orig or error, what, lost=error.connection_invalidated)
        except (SQLAlchemyError, OSError, UnicodeError) as error:
            problem = self._explained(error, what)
        raise problem  # outside of the handler: nothing is chained

    def _explained(self, error: BaseException, what: str, *, lost: bool = False) -> EngineError:
        text = " ".join(str(a) for a in error.args if not isinstance(a, int)) or type(error).__name__
        told = _without(" ".join(text.split()), self._secrets)
        return EngineError(f"{self.label} {what}: {told.rstrip('.')}. {self.catalog.way_out(error, text, lost=lost)}")


# --- addresses


def _url(text: str) -> URL:
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise MissingPackageError(
            "A database as a source needs SQLAlchemy and a driver: pip install 'datalake_kit[source]'."
        ) from None
    problem = None
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        problem = ConfigError(  # the text may hold a password: it is not shown
            "Not the URL of a database: it is written scheme://user:password@host:port/database, with special "
            "characters of user and password as %XX (urllib.parse.quote(password, safe=''))."
        )
    if problem is not None:
        raise problem
    backend, _, driver = url.drivername.partition("+")
    kind = {"mariadb": "mysql", "postgres": "postgresql"}.get(backend.lower(), backend.lower())
    return url.set(drivername=f"{kind}+{driver or DRIVERS[kind]}")


def _engine(url: URL, catalog: Catalog) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    driver = url.get_driver_name()
    known = driver in ("pymysql", "psycopg")
    arguments = catalog.connect_arguments(url.query, CONNECT_SECONDS) if known else {}
    problem: Exception
    try:
        return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    except ImportError:
        problem = MissingPackageError(
            f"{url.get_backend_name()} needs the driver {driver}: pip install 'datalake_kit[source]'."
        )
    except (ArgumentError, NoSuchModuleError):
        problem = ConfigError(
            f"No way to {url.drivername} is known. Write {url.get_backend_name()}:// and the driver is chosen."
        )
    raise problem


def _label(url: URL) -> str:
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


def _secrets(url: URL) -> list[str]:
    """What must not be shown: the password as it is and as it is written in a URL, and what the query holds."""
    found = [str(url.password)] if url.password is not None else []
    for name, value in url.query.items():
        if "pass" in name.lower() or "key" in name.lower():
            found += [value] if isinstance(value, str) else list(value)
    spelled = {s for f in found if f for s in (f, quote(f, safe=""), quote_plus(f), quote(f))}
    return sorted(spelled, key=len, reverse=True)


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
