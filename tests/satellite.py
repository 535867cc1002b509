"""Small NetCDF files of the product's structure, for tests: an hour-glass of numbers that are easy to recognise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

LATITUDE = (46.0 - 0.05 * np.arange(40)).round(2).astype("f4")
LONGITUDE = (7.0 + 0.05 * np.arange(50)).round(2).astype("f4")
DAY = datetime(2025, 6, 18, tzinfo=UTC)
POINTS = [("turin", 45.07, 7.69), ("alba", 44.70, 8.04), ("milan", 45.46, 9.19)]
SEA = (slice(30, 40), slice(40, 50))  # masked: 44.5 N to 44.05 N, 9.0 E to 9.45 E


def name_of(slot: datetime) -> str:
    return f"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_{slot:%Y%m%d%H%M}.nc"


def planes(slot: datetime) -> dict[str, np.ndarray]:
    """Packed numbers that differ in every cell and slot."""
    number = int((slot - DAY) / timedelta(minutes=15))
    cells = np.arange(40 * 50).reshape(40, 50)
    ghi = (cells * 3 + number * 17) % 9000
    share = (cells + number) % 1001
    flag = (cells + number) % 8
    ghi[SEA] = share[SEA] = -1
    return {"DSSF_TOT": ghi.astype("i2"), "FRACTION_DIFFUSE": share.astype("i2"), "quality_flag": flag.astype("u1")}


def write_file(folder: Path, slot: datetime, *, latitude: np.ndarray = LATITUDE, **changes: Any) -> Path:
    """Write a file into YYYY/MM/DD; `changes` are start= (the time inside), without= (a variable left out)."""
    path = folder / f"{slot:%Y/%m/%d}" / name_of(slot)
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("lat", 40), ("lon", 50)):
            file.createDimension(name, size)
        file.time_coverage_start = f"{changes.get('start', slot):%Y-%m-%dT%H:%M:%SZ}"
        for name, axis in (("lat", latitude), ("lon", LONGITUDE)):
            file.createVariable(name, "f4", (name,))[:] = axis
        for name, plane in planes(slot).items():
            if name != changes.get("without"):
                write_variable(file, name, plane)
    return path


def write_variable(file: netCDF4.Dataset, name: str, plane: np.ndarray) -> None:
    fill, scale = {"DSSF_TOT": (-1, 0.1), "FRACTION_DIFFUSE": (-1, 0.001)}.get(name, (None, None))
    variable = file.createVariable(
        name, plane.dtype, ("time", "lat", "lon"), zlib=True, complevel=1, shuffle=True, fill_value=fill
    )
    variable.set_auto_maskandscale(False)
    if name == "quality_flag":
        variable.setncatts({"flag_masks": np.array([1, 2, 4], "u1"), "flag_meanings": "sea cloudy night"})
    if scale is not None:
        variable.scale_factor = scale
    variable[0] = plane


def write_day(folder: Path, day: datetime = DAY, *, step: int = 60) -> list[Path]:
    """Write a day of files, one every `step` minutes."""
    return [write_file(folder, day + timedelta(minutes=m)) for m in range(0, 1440, step)]
