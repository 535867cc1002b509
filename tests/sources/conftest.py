"""A PostgreSQL and a MariaDB for the length of a run. Without their programs tests are skipped; in CI they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services import STARTERS, Service, ServiceMissingError, running

ENGINES = tuple(STARTERS)


def service(name: str) -> Iterator[Service]:
    """Start a server, or skip; in CI a server that is missing is a failure."""
    try:
        with running(name) as started:
            yield started
    except ServiceMissingError as problem:
        if os.environ.get("CI"):
            pytest.fail(f"{problem}; in CI these tests must run")
        pytest.skip(str(problem))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Service]:
    """A running PostgreSQL."""
    yield from service("postgresql")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Service]:
    """A running MariaDB."""
    yield from service("mariadb")


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest) -> Service:
    """Each of the servers in turn."""
    return request.getfixturevalue(request.param)


class Database:
    """A connection for preparing tables."""

    def __init__(self, service: Service) -> None:
        from sqlalchemy import create_engine

        driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[service.scheme]
        address = service.url.replace(f"{service.scheme}://", f"{driver}://")
        self.service = service
        self.is_postgresql = service.scheme == "postgresql"
        self.engine = create_engine(address, isolation_level="AUTOCOMMIT")
        self.connection = self.engine.connect()
        if not self.is_postgresql:
            self.run("SET sql_mode=''")
            self.run("SET time_zone='+00:00'")

    def run(self, *statements: str) -> Any:
        """Run statements and give the rows of the last one, if it has any."""
        rows = None
        for statement in statements:
            done = self.connection.execution_options(no_parameters=True).exec_driver_sql(statement)
            rows = done.fetchall() if done.returns_rows else None
        return rows

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Insert rows with bound values."""
        marks = ", ".join(["%s"] * len(rows[0]))
        with self.connection.connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def fresh(self) -> Iterator[Database]:
        """Itself, without the table t before and after."""
        self.run("DROP TABLE IF EXISTS t")
        yield self
        self.run("DROP TABLE IF EXISTS t")
        self.close()

    def close(self) -> None:
        """Close it."""
        self.connection.close()
        self.engine.dispose()


@pytest.fixture
def database(server: Service) -> Iterator[Database]:
    """A connection to each of the servers in turn."""
    opened = Database(server)
    yield opened
    opened.close()


@pytest.fixture
def fresh(server: Service) -> Iterator[Database]:
    """Each of the servers in turn, without the table t."""
    yield from Database(server).fresh()


@pytest.fixture
def on_mariadb(mariadb: Service) -> Iterator[Database]:
    """The MariaDB, without the table t."""
    yield from Database(mariadb).fresh()


@pytest.fixture
def on_postgresql(postgresql: Service) -> Iterator[Database]:
    """The PostgreSQL, without the table t."""
    yield from Database(postgresql).fresh()


def fill(connection: Any, rows: list[tuple[Any, ...]], types: str) -> None:
    """Make the table t of a DuckDB connection; faster than row by row."""
    import pyarrow as pa

    names = [part.split(" ")[0] for part in types.split(", ")]
    held = pa.table({n: [r[i] for r in rows] for i, n in enumerate(names)})
    connection.register("held", held)
    casts = ", ".join(f"{n}::{t} AS {n}" for n, t in (part.split(" ", 1) for part in types.split(", ")))
    connection.execute(f"CREATE OR REPLACE TABLE t AS SELECT {casts} FROM held")
    connection.unregister("held")
