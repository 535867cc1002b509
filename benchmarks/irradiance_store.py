"""A year of points stored by month and by point, corrected by a day, and read back, beside pandas and awswrangler.

    python benchmarks/irradiance_store.py [--points 100] [--runs 3]

The year is generated: 365 daily files as an extraction writes them, 96 slots a day, ghi in tenths. Each way runs in a
process of its own, which tells its best time and the most memory it ever held; all files are in the page cache. Our
files are read again after writing, and their order and their counts by point and day compared. Compared:
- year to one file a point: `repartition`; pandas (all days read, a group a file, sorted); awswrangler (all days read,
  `wr.s3.to_parquet(..., partition_cols=["point_id"])` to a local S3 server).
- year to months: `compact`.
- a day corrected: `compact` and `repartition` again; the peer is pandas writing all files anew.
- one point of the year to a frame: `read` from each layout; `pandas.read_parquet(..., filters=)`, and
  `wr.s3.read_parquet(..., dataset=True, partition_filter=)` from the local S3 server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

YEAR, SLOTS = 2025, 96
CORRECTED = date(YEAR, 6, 18)
POINT = "point_0042"
S3 = "s3://bench/points/"


def write_year(table: Path, count: int) -> None:
    """Write the days of a year."""
    from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
    from datalake_kit.irradiance.stored import daily

    random = np.random.default_rng(1)
    places = {"latitude": random.uniform(36, 60, count).round(3), "longitude": random.uniform(-9, 25, count).round(3)}
    points = pd.DataFrame({"point_id": [f"point_{n:04d}" for n in range(count)], **places})
    for number in range(365):
        write_day(table, date(YEAR, 1, 1) + timedelta(days=number), points, random)
    daily.write_table_info(table, MSG_MDSSFTD, points, step_seconds=900)


def write_day(table: Path, day: date, points: pd.DataFrame, random: np.random.Generator) -> None:
    """Write one day, noisy under a parabola."""
    from datalake_kit.irradiance.stored import daily

    count = len(points)
    times = np.datetime64(day, "us") + np.arange(SLOTS) * np.timedelta64(900, "s")
    sun = np.clip(np.sin((np.arange(SLOTS) - 24) / 48 * np.pi), 0, None)
    columns = {
        "time": pa.array(np.tile(times, count), pa.timestamp("us")),
        "point_id": pa.array(np.repeat(points["point_id"].to_numpy(object), SLOTS), pa.string()),
        "ghi": (np.rint(sun * 9000 * random.uniform(0.3, 1, (count, SLOTS))) * 0.1).reshape(-1),
        "fraction_diffuse": np.rint(random.uniform(0.1, 1, count * SLOTS) * 1000) * 0.001,
        "quality_flag": random.integers(0, 8, count * SLOTS).astype("i4"),
    }
    made = tuple((f"{day}-{n:02d}.nc", 2_700_000, int(random.integers(1 << 60))) for n in range(SLOTS))
    digest = daily.points_digest(points)
    names = ("DSSF_TOT", "FRACTION_DIFFUSE", "quality_flag")
    manifest = daily.DayManifest("MSG_MDSSFTD", str(day), names, digest, made, rows=count * SLOTS)
    daily.write_day(table, day, pa.table(columns), manifest)


# --- the ways; each gives what is timed, and what goes before each time


Timed = tuple[Callable[[], object], Callable[[], object]]


def nothing() -> None:
    """Nothing goes before."""


def all_days(lake: Path) -> pd.DataFrame:
    """Read every day with pandas."""
    return pd.concat([pd.read_parquet(f) for f in sorted((lake / "b/days").glob("date=*/points.parquet"))])


def imports(lake: Path) -> Timed:
    """Nothing but the packages: the memory that all others hold too."""
    import datalake_kit.irradiance  # noqa: F401 - its memory is what is measured

    return nothing, nothing


def ours_points(lake: Path) -> Timed:
    """`repartition` of the year."""
    from datalake_kit.irradiance.stored.per_point import repartition

    out = lake / "b/points"
    return lambda: repartition(lake / "b/days", out), lambda: shutil.rmtree(out, ignore_errors=True)


def pandas_points(lake: Path) -> Timed:
    """The usual loop."""
    out = lake / "pandas"

    def act() -> None:
        for point, rows in all_days(lake).groupby("point_id", sort=False):
            folder = out / f"point_id={point}"
            folder.mkdir(parents=True)
            rows.sort_values("time").drop(columns="point_id").to_parquet(folder / f"{YEAR}.parquet", index=False)

    return act, lambda: shutil.rmtree(out, ignore_errors=True)


def awswrangler_points(lake: Path) -> Timed:
    """awswrangler's partitioned write to a local S3."""
    import awswrangler as wr

    def act() -> None:
        wr.s3.to_parquet(all_days(lake), S3, dataset=True, partition_cols=["point_id"], mode="overwrite")

    return act, nothing


def ours_months(lake: Path) -> Timed:
    """`compact` of the year."""
    from datalake_kit.irradiance.stored.months import compact

    out = lake / "b/months"
    return lambda: compact(lake / "b/days", out), lambda: shutil.rmtree(out, ignore_errors=True)


def correct_a_day(lake: Path) -> None:
    """Write one day anew, with other numbers."""
    from datalake_kit.irradiance.stored import daily

    known = daily.read_table_info(lake / "b/days")["points"]
    points = pd.DataFrame([{"point_id": p} | known[p] for p in sorted(known)])
    write_day(lake / "b/days", CORRECTED, points, np.random.default_rng(time.time_ns()))


def ours_day_months(lake: Path) -> Timed:
    """`compact` after one day has changed."""
    return ours_months(lake)[0], lambda: correct_a_day(lake)


def ours_day_points(lake: Path) -> Timed:
    """`repartition` after one day has changed."""
    return ours_points(lake)[0], lambda: correct_a_day(lake)


def ours_read(layout: str) -> Callable[[Path], Timed]:
    """`read` of one point."""

    def way(lake: Path) -> Timed:
        from datalake_kit.irradiance.stored.series import read
        from datalake_kit.lake import connect

        opened = connect(lake)
        return lambda: read(opened, f"b.{layout}", POINT), nothing

    return way


def pandas_read(layout: str) -> Callable[[Path], Timed]:
    """pandas with a filter."""
    return lambda lake: (
        lambda: (
            pd.read_parquet(lake / "b" / layout, filters=[("point_id", "==", POINT)]).set_index("time").sort_index()
        ),
        nothing,
    )


def awswrangler_read(lake: Path) -> Timed:
    """awswrangler with a filter on the partition."""
    import awswrangler as wr

    return lambda: wr.s3.read_parquet(S3, dataset=True, partition_filter=lambda p: p["point_id"] == POINT), nothing


# name: (what it is, the row of the targets, the way, runs are worth repeating)
WAYS: dict[str, tuple[str, Callable[[Path], Timed]]] = {
    "imports": ("packages alone", imports),
    "ours_points": ("year to files a point, ours", ours_points),
    "pandas_points": ("year to files a point, pandas", pandas_points),
    "awswrangler_points": ("year to files a point, awswrangler", awswrangler_points),
    "ours_months": ("year to months, ours", ours_months),
    "ours_day_months": ("a day corrected, months, ours", ours_day_months),
    "ours_day_points": ("a day corrected, files a point, ours", ours_day_points),
    "read_points": ("read a point, files a point, ours", ours_read("points")),
    "read_months": ("read a point, months, ours", ours_read("months")),
    "read_days": ("read a point, days, ours", ours_read("days")),
    "pandas_read_points": ("read a point, files a point, pandas", pandas_read("points")),
    "pandas_read_days": ("read a point, days, pandas", pandas_read("days")),
    "awswrangler_read": ("read a point, files a point, awswrangler", awswrangler_read),
}
PEERS = {
    "ours_points": ("pandas_points", "awswrangler_points"),
    "ours_months": ("pandas_points",),
    "ours_day_months": ("pandas_points",),
    "ours_day_points": ("pandas_points",),
    "read_points": ("pandas_read_points", "awswrangler_read"),
    "read_months": ("pandas_read_days", "awswrangler_read"),
    "read_days": ("pandas_read_days", "awswrangler_read"),
}


def run_way(name: str, lake: Path, runs: int) -> None:
    """Print the first and the best seconds of one way, and the most memory of this process in MB."""
    act, before = WAYS[name][1](lake)
    times = []
    for _ in range(runs):
        before()
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    print(json.dumps([times[0], min(times), most_memory()]))


def most_memory() -> float:
    """Return the most memory that this process held, in MB; what the kernel counts for its parent is not in it."""
    stated = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(stated.split()[1]) / 1000


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run a local S3 in a process of its own; give the environment that leads there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        import boto3

        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
            aws_access_key_id="bench", aws_secret_access_key="bench",
        )  # fmt: skip
        client.create_bucket(Bucket="bench")
        yield os.environ | keys | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    """Wait until something listens."""
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError("The local S3 server does not start.")


def measure(name: str, lake: Path, runs: int, environment: dict[str, str]) -> tuple[float, float, float]:
    """Run one way in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--way", name, "--lake", str(lake), "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    first, best, memory = json.loads(done.stdout)
    return first, best, memory


def show(name: str, found: dict[str, tuple[float, float, float]]) -> None:
    """Print a line: seconds of the first and the best run, memory, and how many times longer the peers take."""
    first, best, memory = found[name]
    ratios = "   ".join(f"{found[p][1] / best:.1f} x {p.split('_')[0]}" for p in PEERS.get(name, ()) if p in found)
    print(f"{WAYS[name][0]:<42}{first:>9.3f}{best:>9.3f}{memory:>8.0f}   {ratios}", flush=True)


def main() -> None:
    """Print seconds, memory and ratios of all ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--way", choices=list(WAYS))
    parser.add_argument("--lake", type=Path)
    options = parser.parse_args()
    if options.way:
        run_way(options.way, options.lake, options.runs)
        return
    with tempfile.TemporaryDirectory() as folder, s3_server() as environment:
        lake = Path(folder)
        write_year(lake / "b/days", options.points)
        found = {}
        for name in WAYS:
            many = 7 if "read" in name else options.runs
            found[name] = measure(name, lake, many, environment)
        print(f"{options.points} points, 365 days, {options.points * 365 * SLOTS:,} rows")
        print(f"{'':<42}{'first s':>9}{'best s':>9}{'MB':>8}   how many times longer the peers take")
        for name in WAYS:
            show(name, found)


if __name__ == "__main__":
    main()
