"""What `lake.sql` costs over the same statement in DuckDB itself, on a table of 20 files.

    python benchmarks/sql_overhead.py

Both run in turn in one process; the medians of the differences pair by pair are printed. The limit is 20 ms.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import datalake_kit as dk

FILES, ROWS, RUNS = 20, 50_000, 60
STATEMENTS = {
    "count": "SELECT count(*) AS n FROM {table}",
    "group": "SELECT vendorid, count(*) AS n, sum(fare) AS fares FROM {table} WHERE fare >= 10 GROUP BY vendorid",
}


def write_table(folder: Path) -> None:
    """Write 20 Parquet files of 27 columns."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    for number in range(FILES):
        columns = {"id": np.arange(ROWS) + number * ROWS, "vendorid": random.integers(1, 7, ROWS)}
        columns |= {"fare": random.gamma(3.0, 5.0, ROWS)} | {f"c{i:02}": random.random(ROWS) for i in range(24)}
        pq.write_table(pa.table(columns), folder / f"part-{number:02}.parquet")


def seconds(act: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def main() -> None:
    """Print both medians and the overhead."""
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "taxi" / "trips")
        bare = duckdb.connect()
        source = f"read_parquet('{folder}/taxi/trips/*.parquet')"
        with dk.connect(folder) as lake:
            print(f"{'statement':<10}{'duckdb':>10}{'lake.sql':>10}{'overhead':>10}  ms, median of {RUNS} pairs")
            for name, text in STATEMENTS.items():
                pairs = []
                for _ in range(RUNS + 3):
                    own = seconds(lambda text=text: bare.sql(text.format(table=source)).to_arrow_table().to_pandas())
                    ours = seconds(lambda text=text: lake.sql(text.format(table="taxi.trips")))
                    pairs.append((own, ours))
                own, ours = (statistics.median(p[i] for p in pairs[3:]) * 1e3 for i in (0, 1))
                over = statistics.median(b - a for a, b in pairs[3:]) * 1e3
                print(f"{name:<10}{own:>10.1f}{ours:>10.1f}{over:>10.1f}")


if __name__ == "__main__":
    main()
