"""Points out of one day of satellite files on S3: requests, bytes and seconds, beside downloading each file.

    python benchmarks/irradiance_s3.py [--files 96] [--latency 0.02] [--rate 100e6] [--chunks default|one|strips|tiles]

A server of its own process on this machine serves files of 3201 x 3201 cells, about 2.7 MB each. Before each answer it
waits 20 ms, as S3 does, and all answers together go through a line of 100 MB/s, as a small machine on AWS has it.
For few points (in one region), for 100 where analysts have them and for 100 all over, the same two variables:
- download: what a common script does, made fast: every object to a local file, sixteen at once, then read there.
- ours: `dk.irradiance.extract` from s3://.

Both write the same table, which is compared. Requests and bytes are the server's own count, of objects, a day.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

import datalake_kit as dk

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from satellite_day import CHUNKS, NAMES, points, write_days

from datalake_kit.storage import S3Path, list_files
from tests.s3 import BUCKET, KEYS

FEW = pd.DataFrame(
    [("turin", 45.07, 7.69), ("alba", 44.70, 8.04), ("milan", 45.46, 9.19), ("novara", 45.45, 8.62)],
    columns=["id", "latitude", "longitude"],
)
AT_ONCE, RUNS = 16, 2


@contextlib.contextmanager
def served(folder: Path, latency: float, rate: float) -> Iterator[str]:
    """Serve a folder in another process; give the server's address."""
    command = [sys.executable, "-m", "tests.s3_counting", str(folder), "--latency", str(latency), "--rate", str(rate)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def asked(endpoint: str) -> tuple[int, float]:
    """Return the requests for objects and the megabytes sent since the last time."""
    with urllib.request.urlopen(f"{endpoint}/__forget") as answer:
        found = [a for a in json.load(answer) if a["key"]]
    return len(found), sum(a["sent"] for a in found) / 1e6


def download(source: str, wanted: pd.DataFrame, folder: Path) -> None:
    """Copy every object, then read the copies."""
    root = S3Path.parse(source)

    def copy(path: Any) -> None:
        target = folder / "copies" / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(copy, list_files(root)))
    ours(str(folder / "copies"), wanted, folder)


def ours(source: str, wanted: pd.DataFrame, folder: Path) -> None:
    """Extract from where the files lie."""
    result = dk.irradiance.extract(source, wanted, folder / "out", variables=NAMES)
    assert result.adds_up
    assert not len(result.rejects)


def measured(
    act: Callable[[str, pd.DataFrame, Path], None], source: str, wanted: pd.DataFrame, folder: Path, endpoint: str
) -> tuple[int, float, float, pd.DataFrame]:
    """Return requests, megabytes, the least seconds of some runs, and the table."""
    times, counts = [], (0, 0.0)
    for _ in range(RUNS):
        shutil.rmtree(folder, ignore_errors=True)
        asked(endpoint)
        started = time.perf_counter()
        act(source, wanted, folder)
        times.append(time.perf_counter() - started)
        counts = asked(endpoint)
    (day,) = (folder / "out").glob("date=*/points.parquet")
    return *counts, min(times), pq.read_table(day, partitioning=None).to_pandas()


def measure(root: Path, chunks: str, endpoint: str) -> None:
    """Print two lines for one chunking."""
    source = f"s3://{BUCKET}/{chunks}"
    for label, wanted in (
        ("4 in one region", FEW),
        ("100", points(100)),
        ("100 all over", points(100, everywhere=True)),
    ):
        each = [measured(act, source, wanted, root / "work", endpoint) for act in (download, ours)]
        pd.testing.assert_frame_equal(each[0][3], each[1][3])
        (requests, size, seconds, _), (our_requests, our_size, our_seconds, _) = each
        print(
            f"{chunks:<9}{label:<17}{requests:>6}{size:>8.1f}{seconds:>7.2f}"
            f"{our_requests:>8}{our_size:>8.1f}{our_seconds:>7.2f}{size / our_size:>9.1f}{seconds / our_seconds:>9.1f}",
            flush=True,
        )


def main() -> None:
    """Print requests, megabytes, seconds and ratios for each chunking."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rate", type=float, default=100e6, help="bytes a second")
    parser.add_argument("--chunks", choices=[*CHUNKS, "all"], default="all")
    options = parser.parse_args()
    print(f"{options.files} files a day; {options.latency * 1e3:g} ms before each answer, {options.rate / 1e6:g} MB/s")
    print(f"{'':26}{'download':>21}{'ours':>23}{'times fewer/faster':>18}")
    print(f"{'chunks':<9}{'points':<17}{'GETs':>6}{'MB':>8}{'s':>7}{'GETs':>8}{'MB':>8}{'s':>7}{'MB':>9}{'s':>9}")
    for chunks in CHUNKS if options.chunks == "all" else [options.chunks]:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as work:
            bucket = Path(folder) / "bucket"
            (bucket / chunks).mkdir(parents=True)
            write_days(bucket / chunks, options.files, chunks)
            with served(bucket, options.latency, options.rate) as endpoint:
                os.environ |= {**KEYS, "AWS_ENDPOINT_URL_S3": endpoint}
                measure(Path(work), chunks, endpoint)


if __name__ == "__main__":
    main()
