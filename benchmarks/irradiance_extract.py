"""Points out of full-size satellite files: ours beside the usual worker, xarray, and the limit.

    python benchmarks/irradiance_extract.py [--parts day,scaling] [--chunks all] [--files 96] [--points 100]

The files are generated, see `satellite_day`: 3201 x 3201 cells, about 2.7 MB each, in four chunkings. Points lie in
Europe and Africa; `--everywhere` takes the worst case, points over all land of the disk. Both variables of irradiance
are read. All ways run in processes of their own, for their memory (the peak, with all that is imported); imports are
not in the time. Warm: the files are in the page cache.

- day: one day. `worker` is what a common script does: for each file open it with netCDF4, decode the whole plane of the
  two variables, take the points, append to a frame, and write one Parquet file for the day; it is timed on some of the
  files and scaled up. `ours` is `dk.irradiance.extract`, from listing the files to the verified table, with one thread
  (1) and as it is by default (2). `limit` is reading and inflating the chunks that hold a wanted cell, nothing else.
- peers: the same day by xarray (open_mfdataset and a vectorised isel) and by netCDF4 without decoding, with memory.
- scaling: the same day for 1 to 10,000 points.
- year: ten days, warm and cold, as seconds for the 35,040 files of a year, with the rate of the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import imagecodecs
import netCDF4
import numpy as np
import pandas as pd
import satellite_day as day

import datalake_kit as dk

PART = 12  # files that the slow ways are timed on
YEAR_FILES, YEAR_DAYS = 35_040, 10


def read_worker(files: list[Path], points: pd.DataFrame, out: Path) -> None:
    """The usual way: whole planes, decoded."""
    rows, columns = day.cells(points)
    frames = []
    for path in files:
        with netCDF4.Dataset(path) as file:
            ghi, share = (file.variables[name][0] for name in day.NAMES)
        values = {"time": path.name[-15:-3], "point_id": range(len(rows)), "DSSF_TOT": ghi[rows, columns]}
        frames.append(pd.DataFrame(values | {"FRACTION_DIFFUSE": share[rows, columns]}))
    pd.concat(frames).to_parquet(out / "worker.parquet")


def read_undecoded(files: list[Path], points: pd.DataFrame, out: Path) -> None:
    """The same without decoding the planes."""
    rows, columns = day.cells(points)
    frames = []
    for path in files:
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            frames.append(pd.DataFrame({name: file.variables[name][0][rows, columns] for name in day.NAMES}))
    pd.concat(frames).to_parquet(out / "undecoded.parquet")


def read_xarray(files: list[Path], points: pd.DataFrame, out: Path) -> None:
    """All files as one data set, points by a vectorised index."""
    import xarray

    rows, columns = (xarray.DataArray(index, dims="point") for index in day.cells(points))
    with xarray.open_mfdataset(files, combine="nested", concat_dim="time", data_vars="all") as opened:
        opened[list(day.NAMES)].isel(lat=rows, lon=columns).compute().to_dataframe().to_parquet(out / "x.parquet")


def read_limit(files: list[Path], points: pd.DataFrame, out: Path) -> Callable[[], None]:
    """Find the chunks beforehand; return what reads and inflates them."""
    rows, columns = day.cells(points)
    wanted = [(path, _places(path, rows, columns)) for path in files]

    def act() -> None:
        for path, places in wanted:
            descriptor = os.open(path, os.O_RDONLY)
            for offset, size, inflated in places:
                imagecodecs.deflate_decode(os.pread(descriptor, size, offset), out=inflated)
            os.close(descriptor)

    return act


def _places(path: Path, rows: np.ndarray, columns: np.ndarray) -> list[tuple[int, int, int]]:
    places = []
    with h5py.File(path) as file:
        for name in day.NAMES:
            _, high, wide = file[name].chunks
            for row, column in sorted(set(zip(rows // high * high, columns // wide * wide, strict=True))):
                chunk = file[name].id.get_chunk_info_by_coord((0, int(row), int(column)))
                places.append((chunk.byte_offset, chunk.size, high * wide * 2))
    return places


def read_ours(files: list[Path], points: pd.DataFrame, out: Path, *, workers: int | None) -> None:
    """Extract into a new table."""
    table = out / "table"
    shutil.rmtree(table, ignore_errors=True)
    result = dk.irradiance.extract(files[0].parents[3], points, table, variables=day.NAMES, workers=workers)
    assert result.adds_up
    assert not len(result.rejects)
    assert result.readers == {"chunks": len(files)}


def best(act: Callable[[], None], runs: int) -> float:
    """The least seconds of some runs."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return min(times)


def run_job(job: str, folder: Path, options: argparse.Namespace) -> None:
    """Run one way in this process; print its seconds for all files and its peak of memory."""
    files, points = sorted(folder.rglob("*.nc")), pd.read_csv(folder / f"points{options.points}.csv", dtype=day.TYPES)
    part = files[:: max(1, len(files) // PART)]
    ways: dict[str, Callable[[], tuple[float, int]]] = {
        "worker": lambda: (best(lambda: read_worker(part, points, folder), 2), len(part)),
        "undecoded": lambda: (best(lambda: read_undecoded(part, points, folder), 2), len(part)),
        "xarray": lambda: (best(lambda: read_xarray(files, points, folder), 1), len(files)),
        "limit": lambda: (best(read_limit(files, points, folder), options.runs), len(files)),
        "ours 1": lambda: (best(lambda: read_ours(files, points, folder, workers=1), options.runs), len(files)),
        "ours 2": lambda: (best(lambda: read_ours(files, points, folder, workers=None), options.runs), len(files)),
    }
    seconds, count = ways[job]()
    # not ru_maxrss, which begins with that of the process that started this one
    kilobytes = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps([seconds * len(files) / count, int(kilobytes[1]) / 1000 if kilobytes else float("nan")]))


def ask(job: str, folder: Path, options: argparse.Namespace, **changes: int) -> tuple[float, float]:
    """Return seconds and megabytes of a way, run in a process of its own."""
    asked = vars(options) | changes
    points = day.points(asked["points"], everywhere=options.everywhere)  # not in the other process: it takes memory
    points.to_csv(folder / f"points{asked['points']}.csv", index=False)
    command = [sys.executable, __file__, "--job", job, "--folder", str(folder)]
    command += ["--points", str(asked["points"]), "--runs", str(asked["runs"])]
    seconds, memory = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, memory


def measure_day(folder: Path, options: argparse.Namespace, chunks: str) -> None:
    """Print a line for one chunking."""
    size = np.mean([f.stat().st_size for f in folder.rglob("*.nc")]) / 1e6
    slow, floor, one, two = (ask(job, folder, options) for job in ("worker", "limit", "ours 1", "ours 2"))
    print(
        f"{chunks:<9}{size:>5.1f}{slow[0]:>8.1f}{one[0]:>8.2f}{two[0]:>8.2f}{floor[0]:>8.2f}{slow[0] / one[0]:>10.0f}"
        f"{slow[0] / two[0]:>10.0f}{one[0] / floor[0]:>12.2f}{slow[0] / floor[0]:>14.0f}{one[1]:>8.0f}{two[1]:>8.0f}",
        flush=True,
    )


def measure_peers(folder: Path, options: argparse.Namespace, chunks: str) -> None:
    """Print seconds and memory of the other ways for one chunking."""
    for job in ("undecoded", "xarray"):
        seconds, memory = ask(job, folder, options)
        print(f"{chunks:<9}{job:<10}{seconds:>8.1f} s{memory:>8.0f} MB", flush=True)


def measure_scaling(folder: Path, options: argparse.Namespace, chunks: str) -> None:
    """Print how the day grows with the points."""
    found = {count: ask("ours 1", folder, options, points=count) for count in (1, 10, 100, 1000, 10_000)}
    print(f"{chunks:<9}" + "   ".join(f"{n:,}: {s:.2f} s, {m:.0f} MB" for n, (s, m) in found.items()), flush=True)


def measure_year(options: argparse.Namespace, chunks: str) -> None:
    """Print ten days, warm and cold, as a year, and how fast the disk is."""
    with tempfile.TemporaryDirectory() as folder:
        files = day.write_days(Path(folder), 96, chunks, days=YEAR_DAYS)
        points = day.points(options.points, everywhere=options.everywhere)
        size, scale = sum(f.stat().st_size for f in files), YEAR_FILES / len(files)

        def extract() -> None:
            read_ours(files, points, Path(folder), workers=None)

        day.drop_cached(files)
        rate = size / best(lambda: [f.read_bytes() for f in files] and None, 1) / 1e6
        warm = best(extract, 2)
        day.drop_cached(files)
        cold = best(extract, 1)
    print(
        f"{chunks:<9}a year of {YEAR_FILES:,} files, {size * scale / 1e9:.0f} GB: warm {warm * scale:.0f} s, "
        f"cold {cold * scale:.0f} s with a disk of {rate:.0f} MB/s ({len(files)} files: {warm:.1f} s, {cold:.1f} s)",
        flush=True,
    )


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--parts", default="day,scaling", help="of day, peers, scaling, year")
    parser.add_argument("--chunks", choices=[*day.CHUNKS, "all"], default="all")
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--everywhere", action="store_true", help="points over all land of the disk")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        run_job(options.job, options.folder, options)
        return
    parts = options.parts.split(",")
    where = "all land of the disk" if options.everywhere else "land, 4 of 5 in Europe, the others in Africa"
    print(f"{options.files} files, {options.points} points on {where}; seconds, how many times, and MB of memory")
    if "day" in parts:
        print(f"{'chunks':<9}{'MB':>5}{'worker':>8}{'ours 1':>8}{'ours 2':>8}{'limit':>8}", end="")
        print(f"{'worker/1':>10}{'worker/2':>10}{'ours/limit':>12}{'worker/limit':>14}{'MB 1':>8}{'MB 2':>8}")
    measures = {"day": measure_day, "peers": measure_peers, "scaling": measure_scaling}
    for chunks in day.CHUNKS if options.chunks == "all" else [options.chunks]:
        with tempfile.TemporaryDirectory() as folder:
            wanted = [measures[p] for p in parts if p in measures and (p != "scaling" or chunks == "default")]
            if wanted:
                day.write_days(Path(folder), options.files, chunks)
            for measure in wanted:
                measure(Path(folder), options, chunks)
        if "year" in parts:
            measure_year(options, chunks)


if __name__ == "__main__":
    main()
