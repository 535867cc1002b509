"""The rows of a statement on Athena, a million of 3 and of 30 columns: this package beside PyAthena and awswrangler.

    python benchmarks/athena_results.py [ROWS]

All speak to the same endpoint: that of the tests (a real Trino behind it), or the one that AWS_ENDPOINT_URL names. The
peers are PyAthena's ArrowCursor (its own S3 filesystem replaced by one that goes to this endpoint) and awswrangler's
`read_sql_query`, both by UNLOAD and by CSV. Each is run in turns; the least of the seconds counts, from the call to
the last row. Then the ratio to PyAthena's seconds by that way: 1.05 at most is wanted.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

TURNS = 3
PLACE = "s3://results/bench/"


def main() -> None:
    """Run all sides on tables of both widths."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if "AWS_ENDPOINT_URL" in os.environ:
        compare(rows)
        return
    from tests.athena_server import serve

    with serve() as server:
        os.environ.update(server.environment)
        compare(rows)


def statement(rows: int, width: int) -> str:
    """Return a statement that gives rows of whole numbers, floats and text, in turn; no data is read for it."""
    makers = ("n + {i}", "CAST(n AS double) / {i}", "concat('text ', CAST(n % 1000 AS varchar))")
    columns = ", ".join(makers[i % 3].format(i=i + 1) + f" AS c{i}" for i in range(width))
    side = max(1, rows // 1000)
    numbers = f"UNNEST(sequence(0, {side - 1})) AS a (x) CROSS JOIN UNNEST(sequence(0, 999)) AS b (y)"
    return f"SELECT {columns} FROM (SELECT x * 1000 + y AS n FROM {numbers})"


def compare(rows: int) -> None:
    """Print the seconds of each side, and ours against PyAthena's."""
    print(f"{'columns':>7} {'way':8} {'side':12} {'seconds':>8} {'ratio':>6}")
    for width in (3, 30):
        text = statement(rows, width)
        for way, sides in (("UNLOAD", _unload_sides(text)), ("CSV", _csv_sides(text))):
            found: dict[str, float] = {}
            for _ in range(TURNS):
                for name, run in sides.items():
                    gc.collect()
                    began = time.perf_counter()
                    counted = run()
                    seconds = time.perf_counter() - began
                    if counted != rows // 1000 * 1000:
                        raise SystemExit(f"{name} gave {counted} rows, not {rows}.")
                    found[name] = min(seconds, found.get(name, seconds))
            for name, seconds in found.items():
                print(f"{width:7} {way:8} {name:12} {seconds:8.2f} {seconds / found['PyAthena']:6.2f}", flush=True)


def _unload_sides(text: str) -> dict[str, Callable[[], int]]:
    return {
        "this package": lambda: _ours(text, unload=True),
        "PyAthena": lambda: _pyathena(text, unload=True),
        "awswrangler": lambda: _wrangler(text, unload=True),
    }


def _csv_sides(text: str) -> dict[str, Callable[[], int]]:
    return {
        "this package": lambda: _ours(text, unload=False),
        "PyAthena": lambda: _pyathena(text, unload=False),
        "awswrangler": lambda: _wrangler(text, unload=False),
    }


def _ours(text: str, *, unload: bool) -> int:
    import datalake_kit as dk

    with dk.connect(f"athena://primary?region=us-east-1&output_location={PLACE}") as lake:
        return int(lake.arrow(text, unload=unload, progress=False).num_rows)


def _pyathena(text: str, *, unload: bool) -> int:
    import pyathena
    from pyarrow import fs
    from pyathena.arrow.cursor import ArrowCursor
    from pyathena.arrow.result_set import AthenaArrowResultSetMetadataReader

    def here(self: Any) -> Any:
        del self
        return fs.S3FileSystem(
            access_key=os.environ["AWS_ACCESS_KEY_ID"],
            secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            region="us-east-1",
            endpoint_override=os.environ["AWS_ENDPOINT_URL"],
        )

    AthenaArrowResultSetMetadataReader._create_s3_file_system = here  # type: ignore[method-assign] # no option leads it to this endpoint
    connection = pyathena.connect(s3_staging_dir=PLACE, region_name="us-east-1", poll_interval=0.1)
    with connection.cursor(ArrowCursor, unload=unload) as cursor:
        return int(cursor.execute(text).as_arrow().num_rows)


def _wrangler(text: str, *, unload: bool) -> int:
    import awswrangler as wr

    target = f"{PLACE}{time.time_ns()}/"
    options: dict[str, Any] = {"unload_approach": True, "s3_output": target} if unload else {"s3_output": PLACE}
    wr.config.athena_query_wait_polling_delay = 0.1
    return len(wr.athena.read_sql_query(text, database="default", ctas_approach=False, keep_files=False, **options))


if __name__ == "__main__":
    main()
