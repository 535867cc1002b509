"""Points out of one day of full-size satellite files: ours beside the usual worker and beside the limit.

    python benchmarks/irradiance_extract.py [--files 96] [--points 100] [--chunks default|one|strips|tiles]

The files are generated: 3201 x 3201 cells, about 2.7 MB each, a noisy field on the cells that are seen. All are in the
page cache, so the disk is left out. Compared, in one process, for the same two variables:
- worker: what a common script does: for each file, read and decode the whole plane of both variables, take the points,
  and write one Parquet file for the day. It is timed on a part of the files and scaled up when there are many.
- ours: `dk.irradiance.extract`, from listing the files to the written table, with one thread and with two.
- limit: reading and inflating the chunks that hold a wanted cell, and nothing else, with one thread.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import imagecodecs
import netCDF4
import numpy as np
import pandas as pd

import datalake_kit as dk

SIZE = 3201
CHUNKS = {"default": None, "one": (1, SIZE, SIZE), "strips": (1, 100, SIZE), "tiles": (1, 256, 256)}
NAMES = ("DSSF_TOT", "FRACTION_DIFFUSE")
DAY = datetime(2025, 6, 18, tzinfo=UTC)
TEMPLATES, WORKER_FILES = 4, 12


def axes() -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes of the full grid."""
    step = 0.05 * np.arange(SIZE)
    return (80 - step).round(2).astype("f4"), (step - 80).round(2).astype("f4")


def field(seed: int) -> dict[str, np.ndarray]:
    """Noisy numbers on a quarter of the disk, the rest masked: deflates to about 2.7 MB."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype("f4")
    seen = ((y - 1100) ** 2 + (x - 1700) ** 2) < 700**2
    smooth = np.sin(x / 170 + seed) * np.cos(y / 130) * 350 + 450
    ghi = smooth[seen] + random.integers(0, 24, int(seen.sum()))
    planes = {name: np.full((SIZE, SIZE), -1, "i2") for name in NAMES}
    planes["DSSF_TOT"][seen] = ghi
    planes["FRACTION_DIFFUSE"][seen] = 1000 - ghi // 2 + random.integers(0, 8, int(seen.sum()))
    return planes


def write_file(path: Path, planes: dict[str, np.ndarray], chunks: tuple[int, ...] | None) -> None:
    """Write one file of the product's structure."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("lat", SIZE), ("lon", SIZE)):
            file.createDimension(name, size)
        file.time_coverage_start = f"{DAY:%Y-%m-%dT%H:%M:%SZ}"
        for name, axis in zip(("lat", "lon"), axes(), strict=True):
            file.createVariable(name, "f4", (name,))[:] = axis
        for name, plane in planes.items():
            variable = file.createVariable(
                name, "i2", ("time", "lat", "lon"), zlib=True, shuffle=True, fill_value=-1, chunksizes=chunks
            )
            variable.set_auto_maskandscale(False)
            variable.scale_factor = {"DSSF_TOT": 1.0, "FRACTION_DIFFUSE": 0.001}[name]
            variable[0] = plane


def write_day(folder: Path, count: int, chunks: tuple[int, ...] | None) -> list[Path]:
    """Write a day: some files with numbers of their own, the others copies of them under their own slot."""
    templates = []
    for number in range(min(TEMPLATES, count)):
        templates.append(folder / f"template{number}.nc")
        write_file(templates[-1], field(number), chunks)
    day = folder / "day" / f"{DAY:%Y/%m/%d}"
    day.mkdir(parents=True)
    files = []
    for number in range(count):
        slot = DAY + number * timedelta(minutes=15)
        files.append(day / f"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_{slot:%Y%m%d%H%M}.nc")
        shutil.copy(templates[number % len(templates)], files[-1])
        with netCDF4.Dataset(files[-1], "a") as file:
            file.time_coverage_start = f"{slot:%Y-%m-%dT%H:%M:%SZ}"
    return files


def points_seen(count: int) -> pd.DataFrame:
    """Points spread over the cells that are seen."""
    random = np.random.default_rng(7)
    angle, reach = random.uniform(0, 2 * np.pi, count), 690 * np.sqrt(random.uniform(0, 1, count))
    rows, columns = (1100 + reach * np.sin(angle)).astype(int), (1700 + reach * np.cos(angle)).astype(int)
    latitude, longitude = axes()
    return pd.DataFrame({"id": range(count), "latitude": latitude[rows], "longitude": longitude[columns]})


def worker(files: list[Path], rows: np.ndarray, columns: np.ndarray, out: Path) -> None:
    """The usual way: whole planes, decoded, one frame a file."""
    frames = []
    for path in files:
        with netCDF4.Dataset(path) as file:
            ghi, share = (file.variables[name][0] for name in NAMES)
            values = {"point_id": range(len(rows)), "DSSF_TOT": ghi[rows, columns]}
            frames.append(pd.DataFrame(values | {"FRACTION_DIFFUSE": share[rows, columns], "time": path.name[-15:-3]}))
    pd.concat(frames).to_parquet(out)


def limit(files: list[Path], rows: np.ndarray, columns: np.ndarray) -> Callable[[], None]:
    """Find the chunks beforehand; return what reads and inflates them."""
    wanted: list[tuple[Path, list[tuple[int, int, int]]]] = []
    for path in files:
        with h5py.File(path) as file:
            places = []
            for name in NAMES:
                data = file[name]
                _, high, wide = data.chunks
                for row, column in sorted(set(zip(rows // high * high, columns // wide * wide, strict=True))):
                    chunk = data.id.get_chunk_info_by_coord((0, int(row), int(column)))
                    places.append((chunk.byte_offset, chunk.size, high * wide * 2))
            wanted.append((path, places))

    def act() -> None:
        for path, places in wanted:
            descriptor = os.open(path, os.O_RDONLY)
            for offset, size, inflated in places:
                imagecodecs.deflate_decode(os.pread(descriptor, size, offset), out=inflated)
            os.close(descriptor)

    return act


def ours(folder: Path, points: pd.DataFrame, out: Path, *, threads: int) -> Callable[[], None]:
    """Extract into a new table, with one thread or two."""

    def act() -> None:
        module = sys.modules[dk.irradiance.extract.__module__]
        module.LARGE_FILE = 0 if threads == 2 else 1 << 60
        shutil.rmtree(out, ignore_errors=True)
        result = dk.irradiance.extract(folder, points, out, variables=NAMES)
        assert result.adds_up
        assert not len(result.rejects)
        assert result.readers == {"chunks": result.files_used}

    return act


def best(act: Callable[[], None], runs: int) -> float:
    """The least seconds of some runs."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return min(times)


def measure(folder: Path, count: int, points: int, chunks: str) -> None:
    """Print one line for one chunking."""
    files = write_day(folder, count, CHUNKS[chunks])
    frame = points_seen(points)
    latitude, longitude = axes()
    rows = np.abs(latitude[None] - frame["latitude"].to_numpy()[:, None]).argmin(1)
    columns = np.abs(longitude[None] - frame["longitude"].to_numpy()[:, None]).argmin(1)
    part = files[:: max(1, count // WORKER_FILES)]
    slow = best(lambda: worker(part, rows, columns, folder / "worker.parquet"), 1) * count / len(part)
    floor = best(limit(files, rows, columns), 3)
    one = best(ours(folder / "day", frame, folder / "out", threads=1), 3)
    two = best(ours(folder / "day", frame, folder / "out", threads=2), 3)
    size = sum(f.stat().st_size for f in files) / count / 1e6
    print(
        f"{chunks:<9}{size:>6.1f}{slow:>9.1f}{one:>9.2f}{two:>9.2f}{floor:>9.2f}"
        f"{slow / one:>12.0f}{slow / two:>12.0f}{one / floor:>11.2f}",
        flush=True,
    )


def main() -> None:
    """Print seconds and ratios for each chunking."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=96)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--chunks", choices=[*CHUNKS, "all"], default="default")
    options = parser.parse_args()
    print(f"{options.files} files, {options.points} points; seconds, and how many times")
    print(f"{'chunks':<9}{'MB':>6}{'worker':>9}{'ours 1':>9}{'ours 2':>9}{'limit':>9}", end="")
    print(f"{'worker/1':>12}{'worker/2':>12}{'ours/limit':>11}")
    for chunks in CHUNKS if options.chunks == "all" else [options.chunks]:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), options.files, options.points, chunks)


if __name__ == "__main__":
    main()
