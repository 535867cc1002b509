"""Make a replicated table of taxi trips, the same at each run: full load, change files, and the lake's table.

    python benchmarks/generate_taxi.py [folder] [--rows 1369769] [--changes 100000] [--files 10] [--withhold 4]

The table has 20 columns, like the public taxi trips; every value is a function of key and version. Of the changes 30%
are inserts, 50% updates, 20% deletes; keys come again. `--withhold N` leaves change file N out of the lake's table,
which is plain Parquet in four files. Without a folder the table is made and thrown away.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import duckdb

ROWS, CHANGES, FILES, WITHHELD = 1_369_769, 100_000, 10, 4
DATABASE, SCHEMA, TABLE = "taxi", "taxi_trips", "table_1"
LAKE_FILES = 4


def main() -> None:
    """Make the table that the command line asks for, and say what it holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--withhold", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.folder or scratch)
        lake = generate(folder, options.rows, options.changes, files=options.files, withheld=options.withhold)
        size = sum(f.stat().st_size for f in folder.rglob("*.parquet"))
        print(f"{folder}: {options.rows:,} rows loaded, {options.changes:,} changes, {lake:,} rows in the lake, "
              f"{size / 1e6:.0f} MB")  # fmt: skip


def generate(
    folder: Path,
    rows: int = ROWS,
    changes: int = CHANGES,
    *,
    files: int = FILES,
    withheld: int | None = None,
    table: str = TABLE,
) -> int:
    """Write a lake folder with one table and its staging, and `expected.parquet`; return the rows of the lake."""
    staging = folder / "_raw" / "staging" / SCHEMA / table
    target = folder / DATABASE / table
    for one in (staging / "2021" / "03" / "01", target):
        one.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as db:
        db.execute("SET preserve_insertion_order = false; SET memory_limit = '2GB'")
        db.execute(f"SET temp_directory = '{folder}/_spill'")
        db.execute(
            f"CREATE VIEW loaded AS SELECT {_columns('i + 1', '0')}, '' AS CDC_TIMESTAMP_SEQ FROM range({rows}) r(i)"
        )
        _write(db, "SELECT * FROM loaded", staging / "LOAD00000001.parquet")
        db.execute(_CHANGES.format(rows=rows, changes=changes, files=files, columns=_columns("k", "c + 1")))
        for number in range(files):
            name = f"20210301-10{number:02d}00000.parquet"
            rest = f"SELECT * EXCLUDE (file) FROM changed WHERE file = {number} ORDER BY CDC_TIMESTAMP_SEQ"
            _write(db, rest, staging / "2021" / "03" / "01" / name)
        _write(db, _state("true"), folder / "expected.parquet")
        state = _state("true" if withheld is None else f"file <> {withheld}")
        for part in range(LAKE_FILES):
            _write(db, f"SELECT * FROM ({state}) WHERE PK_ID % {LAKE_FILES} = {part}", target / f"part-{part}.parquet")
        found = db.execute(f"SELECT count(*) FROM read_parquet('{target}/*.parquet')").fetchall()
    return int(found[0][0])


_CHANGES = """
CREATE TABLE changed AS
WITH drawn AS (
  SELECT c, hash(c, 1) % 10 AS dice, c * {files} // {changes} AS file FROM range({changes}) r(c)
), keyed AS (
  SELECT *, CASE WHEN dice < 3 THEN {rows} + c + 1 ELSE 1 + CAST(hash(c, 2) % {rows} AS BIGINT) END AS k FROM drawn
)
SELECT file, CASE WHEN dice < 3 THEN 'I' WHEN dice < 8 THEN 'U' ELSE 'D' END AS "Op", {columns},
  '20210301100000' || lpad(CAST(c + 1 AS VARCHAR), 21, '0') AS CDC_TIMESTAMP_SEQ
FROM keyed
"""


def _columns(key: str, version: str) -> str:
    """The 19 columns of a trip."""

    def dice(number: int, sides: int) -> str:
        return f"(hash({key}, {version}, {number}) % {sides})"

    def moment(number: int) -> str:
        return f"TIMESTAMP '2021-01-01' + to_seconds(CAST({dice(number, 2_678_400)} AS INTEGER))"

    def money(number: int, cents: int) -> str:
        return f"CAST({dice(number, cents)} AS DOUBLE) / 100"

    return f"""
      {key} AS PK_ID, CAST(1 + {dice(1, 2)} AS BIGINT) AS VENDORID, {moment(2)} AS TPEP_PICKUP_DATETIME,
      {moment(3)} AS TPEP_DROPOFF_DATETIME, CAST({dice(4, 7)} AS DOUBLE) AS PASSENGER_COUNT,
      {money(5, 3000)} AS TRIP_DISTANCE, CAST(1 + {dice(6, 6)} AS DOUBLE) AS RATECODEID,
      CASE WHEN {dice(7, 50)} = 0 THEN 'Y' ELSE 'N' END AS STORE_AND_FWD_FLAG,
      CAST({dice(8, 265)} AS BIGINT) AS PULOCATIONID, CAST({dice(9, 265)} AS BIGINT) AS DOLOCATIONID,
      CAST({dice(10, 4)} AS BIGINT) AS PAYMENT_TYPE, {money(11, 6000)} AS FARE_AMOUNT, 0.5::DOUBLE AS EXTRA,
      0.5::DOUBLE AS MTA_TAX, {money(12, 1000)} AS TIP_AMOUNT, {money(13, 700)} AS TOLLS_AMOUNT,
      0.3::DOUBLE AS IMPROVEMENT_SURCHARGE, {money(14, 9000)} AS TOTAL_AMOUNT,
      CASE WHEN {dice(15, 10)} > 0 THEN 2.5::DOUBLE END AS CONGESTION_SURCHARGE"""


def _state(condition: str) -> str:
    """The rows that full load and some of the changes lead to."""
    last = (
        f"SELECT * FROM changed WHERE {condition} "
        "QUALIFY row_number() OVER (PARTITION BY PK_ID ORDER BY CDC_TIMESTAMP_SEQ DESC) = 1"
    )
    return (
        f"SELECT * FROM loaded ANTI JOIN (SELECT DISTINCT PK_ID FROM changed WHERE {condition}) USING (PK_ID) "
        f'UNION ALL SELECT * EXCLUDE (file, "Op") FROM ({last}) WHERE "Op" <> \'D\''
    )


def _write(db: duckdb.DuckDBPyConnection, select: str, file: Path) -> None:
    db.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet, COMPRESSION snappy)")


if __name__ == "__main__":
    main()
