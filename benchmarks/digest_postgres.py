"""A lake's table against its source in PostgreSQL, by digests of key ranges; beside reading every row.

    python benchmarks/digest_postgres.py                  # 1,369,769 rows x 20; starts a PostgreSQL of its own
    python benchmarks/digest_postgres.py --rows 100000
    python benchmarks/digest_postgres.py --server mariadb

Jobs: an equal table, one row that differs, 10,000 that lie together. Moved: text of statements and answers between this
process and the server. Everything runs on one machine: the server shares its cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.generate_taxi import ROWS, generate
from datalake_kit.cdc.source import Source, open_source
from tests.services import Service, running

LIMITS = {"equal": (5.0, 20), "1 differs": (6.0, 50), "10,000 together": (7.0, 1024)}
TYPES = {
    "postgresql": {"DOUBLE": "double precision", "TIMESTAMP": "timestamp(3)", "VARCHAR": "text"},
    "mariadb": {"TIMESTAMP": "datetime(3)", "VARCHAR": "varchar(64)", "INTEGER": "int"},
}
BATCH = 50_000


def main() -> None:
    """Load, compare, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--server", choices=list(TYPES), default="postgresql")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, running(options.server) as service, duckdb.connect() as lake:
        folder = Path(scratch)
        folder.chmod(0o755)
        generate(folder, options.rows, 1000)
        lake.execute(f"CREATE TABLE trips AS SELECT * FROM '{folder}/expected.parquet'")
        load(lake, service, options.server, folder / "trips.csv")
        with open_source(service.url, "trips") as source:
            compare(lake, source)


def compare(lake: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Run the jobs and the peer."""
    rows = source.count()
    seconds, bytes_read = read_all(source)
    print(f"{rows:,} rows x {len(source.columns)} in {source.label.split(':')[0]}")
    print(f"{'reading every row':<18}{seconds:8.2f} s {bytes_read / 1024:12,.0f} KiB moved")
    middle = rows // 2
    damage = {
        "equal": "false",
        "1 differs": f"n = {middle}",
        "10,000 together": f"n BETWEEN {middle} AND {middle + 9999}",
    }
    for job, where in damage.items():
        lake.execute(
            "CREATE OR REPLACE TABLE other AS SELECT * EXCLUDE (n) REPLACE "
            f"(CASE WHEN {where} THEN TOTAL_AMOUNT + 0.01 ELSE TOTAL_AMOUNT END AS TOTAL_AMOUNT) "
            "FROM (SELECT *, row_number() OVER (ORDER BY PK_ID) - 1 AS n FROM trips)"
        )
        started = time.perf_counter()
        found = source.differences(lake, "other", None, ["PK_ID"])
        took = time.perf_counter() - started
        wanted = {"equal": 0, "1 differs": 1, "10,000 together": 10_000}[job]
        assert len(found.keys.changed) == min(wanted, rows - middle), found.keys
        assert found.keys.exact
        limit, kib = LIMITS[job]
        print(
            f"{job:<18}{took:8.2f} s {found.bytes_moved / 1024:12,.1f} KiB moved "
            f"({found.traffic.bytes_moved / 1024:,.1f} with DuckDB's), {found.traffic.statements} statements, "
            f"{bytes_read / found.bytes_moved:,.0f} times fewer bytes; limits {limit:g} s, {kib} KiB"
        )


def read_all(source: Source) -> tuple[float, int]:
    """Read every row as text through the driver, as a comparison in the client would."""
    quote = source.dialect.quote
    names, size, last = ", ".join(quote(c) for c in source.columns), 0, 0
    started = time.perf_counter()
    while True:
        statement = f"SELECT {names} FROM {source.relation} WHERE pk_id > {last} ORDER BY pk_id LIMIT {BATCH}"
        rows = source.run(statement)
        if not rows:
            return time.perf_counter() - started, size
        size += sum(len(str(value)) + 1 for row in rows for value in row)
        last = rows[-1][0]


def load(lake: duckdb.DuckDBPyConnection, service: Service, server: str, file: Path) -> None:
    """Copy the rows into the server."""
    from sqlalchemy import create_engine

    columns = lake.execute("DESCRIBE trips").fetchall()
    quote = '"' if server == "postgresql" else "`"
    types = ", ".join(f"{quote}{n.lower()}{quote} {TYPES[server].get(t, t)}" for n, t, *_ in columns)
    lake.execute(f"COPY trips TO '{file}' (FORMAT csv, HEADER false, NULLSTR '\\N')")
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[service.scheme]
    engine = create_engine(service.url.replace(service.scheme, driver, 1), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        run: Any = connection.execution_options(no_parameters=True).exec_driver_sql
        run(f"CREATE TABLE trips ({types}, PRIMARY KEY (pk_id))")
        if server == "mariadb":
            run(f"LOAD DATA INFILE '{file}' INTO TABLE trips FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'")
        else:
            with (
                connection.connection.cursor() as cursor,
                cursor.copy("COPY trips FROM STDIN (FORMAT csv, NULL '\\N')") as copy,
            ):
                copy.write(file.read_bytes())
            run("VACUUM ANALYZE trips")
    engine.dispose()


if __name__ == "__main__":
    main()
