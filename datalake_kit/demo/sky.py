"""Builds the satellite files of the demo lake, and a year of points under the same sky.

    <folder>/disk/2025/06/18/NETCDF4_..._202506181100.nc      24 files, hourly, the whole grid of 3201 x 3201 cells
    <folder>/alps/2025/06/DD/NETCDF4_..._202506DDHHMM.nc      a month every 15 minutes, 41 x 57 cells about 45 N 8 E
    <folder>/disk_points.csv, alps_points.csv, README.txt, and the PVGIS typical year at 45 N 8 E, to compare with

The files have the structure of the LSA SAF product MDSSFTD and say in their attributes that they are synthetic: the
sky is made by formula (`sky_model`). The month has a few missing slots, one file that is cut short and one whose
retrieval is flagged bad. Each file is moved into place when it is complete, so a build that was stopped is completed by
the next one, and what is there is not written again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.demo.sky_land import land_mask, view_zenith
from datalake_kit.demo.sky_model import TYPICAL_YEAR, YEAR, Sky, typical_year_file
from datalake_kit.irradiance.describing.points import Grid, locate_points
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.storage import write_atomically

__all__ = ["DISK_DAY", "MONTH", "build_satellite", "build_year", "count_satellite", "count_year"]

Array = np.ndarray[Any, Any]

DISK_DAY = date(YEAR, 6, 18)
MONTH = (date(YEAR, 6, 1), date(YEAR, 6, 30))
LARGEST_VIEW_ZENITH = 80.0  # degrees; beyond, the product is masked
FILL = -1

# What is wrong in the month, on purpose.
_MISSING = "05T10:15 11T02:30 18T12:00 18T12:15 18T12:30 18T12:45 18T13:00 23T15:45 28T08:00 28T08:15"
MISSING_SLOTS = frozenset(datetime.fromisoformat(f"{YEAR}-06-{slot}+00:00") for slot in _MISSING.split())
CUT_SHORT = datetime(YEAR, 6, 14, 11, 30, tzinfo=UTC)
FLAGGED_BAD = datetime(YEAR, 6, 20, 9, 45, tzinfo=UTC)

DISK_POINTS = (
    ("almeria", "Almeria", 37.10, -2.36), ("thebes", "Thebes", 38.32, 23.32), ("cairo", "Cairo", 30.04, 31.24),
    ("milan", "Milan", 45.46, 9.19), ("nairobi", "Nairobi", -1.29, 36.82), ("niamey", "Niamey", 13.51, 2.11),
    ("ouarzazate", "Ouarzazate", 30.92, -6.91), ("petrolina", "Petrolina", -9.39, -40.50),
    ("seville", "Seville", 37.39, -5.98), ("turin", "Turin", 45.07, 7.69), ("upington", "Upington", -28.45, 21.26),
    ("uppsala", "Uppsala", 59.86, 17.64),
)  # fmt: skip
ALPS_POINTS = (
    ("alba", "Alba", 44.70, 8.04), ("aosta", "Aosta", 45.74, 7.32), ("cuneo", "Cuneo", 44.39, 7.55),
    ("milan", "Milan", 45.46, 9.19), ("novara", "Novara", 45.45, 8.62), ("piacenza", "Piacenza", 45.05, 9.70),
    ("pvgis", "45 N 8 E", 45.00, 8.00), ("turin", "Turin", 45.07, 7.69),
)  # fmt: skip
YEAR_POINTS = (*ALPS_POINTS, *(p for p in DISK_POINTS if p[0] in ("ouarzazate", "seville", "upington", "uppsala")))

FLAG_BITS: dict[str, list[Any]] = {
    "masks": [1, 2, 4, 8],
    "meanings": ["sea_or_off_disk", "cloudy", "night", "retrieval_bad"],
}

README = f"""Synthetic satellite files of the datalake_kit demo lake.

They have the structure of the LSA SAF product MDSSFTD. The numbers are made by formula: no satellite measured them.
disk/  {DISK_DAY}, hourly, the whole grid
alps/  {MONTH[0]:%B %Y}, every 15 minutes, the cells about 45 N 8 E; {len(MISSING_SLOTS)} slots are missing, the file of
       {CUT_SHORT:%Y-%m-%d %H:%M} is cut short, that of {FLAGGED_BAD:%Y-%m-%d %H:%M} is flagged bad: all on purpose

{TYPICAL_YEAR} is no synthetic file: PVGIS (c) European Union, reuse with the source acknowledged.
"""


@dataclass(frozen=True)
class _Scene:
    """A grid under the sky: which cells are seen, and their part of the sky."""

    grid: Grid
    seen: Array
    sky: Any
    scan: Array


@dataclass(frozen=True)
class _Target:
    """A file to make."""

    part: str
    slot: datetime
    path: Path


def count_satellite() -> int:
    """Return how many steps `build_satellite` reports: one a file."""
    return sum(1 for _ in _targets(Path()))


def build_satellite(folder: Path, *, progress: Callable[[int], None] = lambda done: None) -> None:
    """Write the files that are not there yet; `progress` is called with the number of files done since the last call.

    A second process starts from the end of the list; both leave out what is there, so they meet in the middle.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_texts(folder)
    targets = list(_targets(folder))
    helper = _start_helper(folder) if sum(not t.path.exists() for t in targets) > 50 else None
    try:
        _write_all(targets, progress)
        if helper is not None:
            helper.wait()  # it ends by itself at the first file that is there
    finally:
        if helper is not None and helper.poll() is None:
            helper.terminate()
            helper.wait()


def _write_all(targets: list[_Target], progress: Callable[[int], None]) -> None:
    """Write from the front of the list; what stands at its end already is counted as it appears."""
    first, last = 0, len(targets)
    while first < last:
        if not targets[first].path.exists():
            _write(targets[first])
        first, before = first + 1, last
        while last > first and targets[last - 1].path.exists():
            last -= 1
        progress(1 + before - last)


def count_year() -> int:
    """Return how many steps `build_year` reports: one a day."""
    return (date(YEAR + 1, 1, 1) - date(YEAR, 1, 1)).days


def build_year(table_folder: Path, *, progress: Callable[[int], None] = lambda done: None) -> None:
    """Write a year of days for a handful of points, as an extraction would have: made, not extracted, and said so."""
    from datalake_kit.demo import sky_year

    points = pd.DataFrame(YEAR_POINTS, columns=_POINT_COLUMNS)
    sky_year.build(
        table_folder, locate_points(points, _grid("disk")), sky=demo_sky(), progress=progress, flags=FLAG_BITS
    )


_POINT_COLUMNS = ["point_id", "name", "latitude", "longitude"]


def _targets(folder: Path) -> Iterator[_Target]:
    for hour in range(24):
        yield _target(folder, "disk", datetime.combine(DISK_DAY, time(), UTC) + timedelta(hours=hour))
    start = datetime.combine(MONTH[0], time(), UTC)
    for number in range(((MONTH[1] - MONTH[0]).days + 1) * 96):
        slot = start + number * timedelta(minutes=15)
        if slot not in MISSING_SLOTS:
            yield _target(folder, "alps", slot)


def _target(folder: Path, part: str, slot: datetime) -> _Target:
    name = f"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_{slot:%Y%m%d%H%M}.nc"
    return _Target(part, slot, folder / part / f"{slot:%Y/%m/%d}" / name)


def _write_texts(folder: Path) -> None:
    texts = {"README.txt": README, TYPICAL_YEAR: typical_year_file().decode("ascii")}
    for name, points in (("disk_points.csv", DISK_POINTS), ("alps_points.csv", ALPS_POINTS)):
        texts[name] = pd.DataFrame(points, columns=_POINT_COLUMNS).to_csv(index=False)
    for name, text in texts.items():
        if not (folder / name).exists():
            with write_atomically(folder / name) as path:
                path.write_text(text, encoding="utf-8")


def _start_helper(folder: Path) -> subprocess.Popen[bytes] | None:
    """Start a second process; when that is not possible, this one does all the work."""
    try:
        command = [sys.executable, "-m", "datalake_kit.demo.sky", str(folder)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own module, no shell
    except OSError:
        return None


@lru_cache(maxsize=2)
def _grid(part: str) -> Grid:
    rows, columns = _window(part)
    latitude = (80 - 0.05 * np.arange(3201)).round(2).astype("f4")
    longitude = (-80 + 0.05 * np.arange(3201)).round(2).astype("f4")
    return Grid(latitude[rows], longitude[columns])


def _window(part: str) -> tuple[slice, slice]:
    """Return rows and columns of the full grid: all, or 46 to 44 N and 7 to 9.8 E."""
    return (slice(None), slice(None)) if part == "disk" else (slice(680, 721), slice(1740, 1797))


@lru_cache(maxsize=1)
def demo_sky() -> Sky:
    """Return the sky that all files of the demo lake are made from."""
    return Sky()


@lru_cache(maxsize=1)
def _scene(part: str) -> _Scene:
    grid = _grid(part)
    latitude, longitude = grid.latitude.astype("f8"), grid.longitude.astype("f8")
    seen = land_mask(latitude, longitude)
    seen &= view_zenith(latitude, longitude) < LARGEST_VIEW_ZENITH
    row, column = np.nonzero(seen)
    sky = demo_sky().patch(latitude[row], longitude[column])
    return _Scene(grid, seen, sky, np.array([MSG_MDSSFTD.scan_offset(v) for v in latitude])[row])


def seconds_of(slot: datetime) -> float:
    """Return seconds from the epoch of the sky to a slot."""
    return (slot - datetime(YEAR, 1, 1, tzinfo=UTC)).total_seconds()


def _write(target: _Target) -> None:
    scene = _scene(target.part)
    view = scene.sky.see(seconds_of(target.slot), scene.scan)
    planes = {
        "DSSF_TOT": _plane(scene, np.rint(view.ghi * 10), "i2", FILL),
        "FRACTION_DIFFUSE": _plane(scene, np.rint(view.fraction_diffuse * 1000), "i2", FILL),
        "quality_flag": _plane(scene, _flags(view, bad=target.part == "alps" and target.slot == FLAGGED_BAD), "u1", 1),
    }
    with write_atomically(target.path) as path:
        _write_netcdf(path, target, scene.grid, planes)
        if target.part == "alps" and target.slot == CUT_SHORT:
            data = path.read_bytes()
            path.write_bytes(data[: len(data) * 6 // 10])


def _flags(view: Any, *, bad: bool) -> Array:
    cloudy, night = view.cloud > 0.5, view.ghi < 0.05
    return np.asarray(cloudy * 2 + night * 4 + bad * 8, "u1")


def _plane(scene: _Scene, values: Array, dtype: str, outside: int) -> Array:
    plane = np.full(scene.seen.shape, outside, dtype)
    plane[scene.seen] = values
    return plane


def _write_netcdf(path: Path, target: _Target, grid: Grid, planes: dict[str, Array]) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("lat", len(grid.latitude)), ("lon", len(grid.longitude))):
            file.createDimension(name, size)
        file.setncatts(_global_attributes(target))
        clock = file.createVariable("time", "f8", ("time",))
        clock.setncatts({"units": "seconds since 1970-01-01 00:00:00", "standard_name": "time", "calendar": "standard"})
        clock[:] = target.slot.timestamp()
        for name, axis, unit in (("lat", grid.latitude, "degrees_north"), ("lon", grid.longitude, "degrees_east")):
            variable = file.createVariable(name, "f4", (name,))
            variable.units = unit
            variable[:] = axis
        for name, plane in planes.items():
            _write_variable(file, name, plane)


def _write_variable(file: Any, name: str, plane: Array) -> None:
    fill = FILL if plane.dtype == np.int16 else None
    variable = file.createVariable(
        name, plane.dtype, ("time", "lat", "lon"), zlib=True, complevel=4, shuffle=True, fill_value=fill
    )
    variable.set_auto_maskandscale(False)
    variable.setncatts(_ATTRIBUTES[name])
    variable[0] = plane


_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "DSSF_TOT": {"long_name": "total downward surface shortwave flux", "units": "W m-2", "scale_factor": 0.1},
    "FRACTION_DIFFUSE": {"long_name": "diffuse fraction of the total flux", "units": "1", "scale_factor": 0.001},
    "quality_flag": {
        "long_name": "quality flag of this synthetic file, not the bits of the product",
        "flag_masks": np.array(FLAG_BITS["masks"], "u1"),
        "flag_meanings": " ".join(FLAG_BITS["meanings"]),
    },
}


def _global_attributes(target: _Target) -> dict[str, str]:
    return {
        "title": "SYNTHETIC: made by datalake_kit for its demo lake, with the structure of LSA SAF MDSSFTD",
        "comment": "No satellite measured these numbers. Clear-sky model, noise as clouds, a land mask drawn by hand.",
        "product": "MDSSFTD",
        "platform": "none",
        "time_coverage_start": f"{target.slot:%Y-%m-%dT%H:%M:%SZ}",
        "time_coverage_end": f"{target.slot + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}",
    }


def _help(folder: Path) -> None:
    """Write the files from the end of the list until one is there already, or whoever started this has ended."""
    parent = os.getppid()
    for target in reversed(list(_targets(folder))):
        if target.path.exists() or os.getppid() != parent:
            return
        _write(target)


if __name__ == "__main__":
    _help(Path(sys.argv[1]))
