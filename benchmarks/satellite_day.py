"""A day of full-size satellite files, generated: what the benchmarks of extraction read.

3201 x 3201 cells of 0.05 degrees, irradiance, diffuse fraction and quality flag over the land that Meteosat sees from 0
degrees (coasts from pvlib's table of altitudes), all else masked: clear sky by the sun's height, clouds as a smooth
field, noise in the last bits, so that a file by day has about 2.7 MB, as the product's files have. All files
are files by day: a real day is smaller, about half of it being night.

Points lie where analysts have them: four of five on land in Europe (35 to 60 N, 10 W to 30 E), the others on land in
Africa (35 S to 35 N). The worst case are points over all land of the disk.
"""

from __future__ import annotations

import functools
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pvlib

SIZE = 3201
CHUNKS = {"default": None, "one": (1, SIZE, SIZE), "strips": (1, 100, SIZE), "tiles": (1, 256, 256)}
NAMES = ("DSSF_TOT", "FRACTION_DIFFUSE")
SCALE = {"DSSF_TOT": 0.1, "FRACTION_DIFFUSE": 0.001}
DAY = datetime(2025, 6, 18, tzinfo=UTC)
TEMPLATES = 4
TYPES = {"latitude": "f4", "longitude": "f4"}  # of a CSV of points
CLOUDS = -0.12  # more of them, and the files are larger


@functools.cache
def axes() -> tuple[np.ndarray, np.ndarray]:
    """Latitudes, from north to south, and longitudes of the full grid."""
    step = 0.05 * np.arange(SIZE)
    return (80 - step).round(2).astype("f4"), (step - 80).round(2).astype("f4")


@functools.cache
def land() -> np.ndarray:
    """Tell which cells are land that the satellite sees, up to 78 degrees from its zenith."""
    with h5py.File(Path(pvlib.__file__).parent / "data" / "Altitude.h5") as file:
        altitude = file["Altitude"][:]
    north, east = (a.astype(float) for a in axes())
    sea = altitude[np.ix_(((90 - north) * 12).astype(int), ((east + 180) * 12).astype(int))] == 255
    across = np.arccos(np.cos(np.radians(north))[:, None] * np.cos(np.radians(east)))
    zenith = np.arctan2(42164 * np.sin(across), 42164 * np.cos(across) - 6371)
    return ~sea & (zenith < np.radians(78))


def planes(number: int) -> dict[str, np.ndarray]:
    """Packed numbers of one file; every number gives another field."""
    random = np.random.default_rng(number)
    seen = land()
    ghi, share = (np.full((SIZE, SIZE), -1, "i2") for _ in NAMES)
    cloud = np.clip(2 * _smooth(random, 80)[seen] - 1 + CLOUDS, 0, 1)
    noise = (cloud > 0) * random.integers(-20, 20, (2, cloud.size))
    height = np.cos(np.radians(axes()[0].astype(float)))[:, None] * np.cos(np.radians(axes()[1].astype(float) - 5))
    clear = 1050 * np.clip(height, 0.05, 1)[seen] ** 1.15
    ghi[seen] = 10 * np.rint(clear * (1 - 0.7 * cloud) + noise[0])  # whole W/m2 in tenths
    share[seen] = 150 + 800 * cloud + noise[1]
    flag = seen.astype("u1")
    flag[seen] |= (share[seen] > 600).astype("u1") << 1
    return {"DSSF_TOT": ghi, "FRACTION_DIFFUSE": share, "quality_flag": flag}


def _smooth(random: np.random.Generator, knots: int) -> np.ndarray:
    """Return numbers from 0 to 1 that vary smoothly over the grid."""
    coarse = random.uniform(0, 1, (knots, knots))
    place = np.linspace(0, knots - 1, SIZE)
    rows = np.array([np.interp(place, np.arange(knots), line) for line in coarse])
    left = place.astype(int).clip(0, knots - 2)
    share = (place - left)[:, None]
    smooth: np.ndarray = rows[left] * (1 - share) + rows[left + 1] * share
    return smooth


def write_file(path: Path, number: int, chunks: tuple[int, ...] | None) -> None:
    """Write one file of the product's structure."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("lat", SIZE), ("lon", SIZE)):
            file.createDimension(name, size)
        file.time_coverage_start = f"{DAY:%Y-%m-%dT%H:%M:%SZ}"
        for name, axis in zip(("lat", "lon"), axes(), strict=True):
            file.createVariable(name, "f4", (name,))[:] = axis
        for name, plane in planes(number).items():
            fill = -1 if name in SCALE else None
            variable = file.createVariable(
                name, plane.dtype, ("time", "lat", "lon"), zlib=True, shuffle=True, fill_value=fill, chunksizes=chunks
            )
            variable.set_auto_maskandscale(False)
            if name in SCALE:
                variable.scale_factor = SCALE[name]
            variable[0] = plane


def write_days(folder: Path, count: int, chunks: str, *, days: int = 1) -> list[Path]:
    """Write days of `count` files each: some fields of their own, the others copies of them under their own slot."""
    templates = [folder / f"template{number}.nc" for number in range(min(TEMPLATES, count))]
    for number, path in enumerate(templates):
        write_file(path, number, CHUNKS[chunks])
    slots = [DAY + timedelta(days=d, minutes=15 * n) for d in range(days) for n in range(count)]
    files = [_copy(templates[n % len(templates)], folder / "files", slot) for n, slot in enumerate(slots)]
    for path in templates:
        path.unlink()
    return files


def _copy(template: Path, folder: Path, slot: datetime) -> Path:
    path = folder / f"{slot:%Y/%m/%d}" / f"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_{slot:%Y%m%d%H%M}.nc"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, path)
    with netCDF4.Dataset(path, "a") as file:
        file.time_coverage_start = f"{slot:%Y-%m-%dT%H:%M:%SZ}"
    return path


def points(count: int, *, everywhere: bool = False) -> pd.DataFrame:
    """Points (id, latitude, longitude) as the text above says; everywhere: over all land of the disk."""
    random = np.random.default_rng(7)
    if everywhere:
        rows, columns = _some_land(random, count, (-80, 80), (-80, 80))
    else:
        african = count // 5
        parts = [
            _some_land(random, count - african, (35, 60), (-10, 30)),
            _some_land(random, african, (-35, 35), (-18, 52)),
        ]
        rows, columns = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    latitude, longitude = axes()
    return pd.DataFrame({"id": range(count), "latitude": latitude[rows], "longitude": longitude[columns]})


def _some_land(
    random: np.random.Generator, count: int, north: tuple[float, float], east: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    latitude, longitude = axes()
    inside = (latitude >= north[0]) & (latitude <= north[1])
    within = land() & inside[:, None] & (longitude >= east[0]) & (longitude <= east[1])
    rows, columns = np.nonzero(within)
    taken = random.choice(len(rows), count, replace=count > len(rows))
    return rows[taken], columns[taken]


def cells(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of points."""
    latitude, longitude = axes()
    rows = np.round((80 - frame["latitude"].to_numpy(float)) / 0.05).astype(int)
    columns = np.round((frame["longitude"].to_numpy(float) + 80) / 0.05).astype(int)
    assert np.array_equal(latitude[rows], frame["latitude"])
    assert np.array_equal(longitude[columns], frame["longitude"])
    return rows, columns


def drop_cached(files: list[Path]) -> None:
    """Make the operating system forget what it holds of files, so that the next read is from the disk."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
