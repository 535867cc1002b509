"""A few small satellite files for the command line."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np


def write_day(folder: Path) -> Path:
    """Write four hourly files of 5 x 5 cells around 45 N 8 E, in the product's structure and names."""
    for hour in range(8, 12):
        file = folder / "2025" / "06" / "18" / f"NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_20250618{hour:02}00.nc"
        file.parent.mkdir(parents=True, exist_ok=True)
        with netCDF4.Dataset(file, "w") as data:
            data.time_coverage_start = f"2025-06-18T{hour:02}:00:00Z"
            for name, size in (("time", 1), ("lat", 5), ("lon", 5)):
                data.createDimension(name, size)
            data.createVariable("lat", "f4", ("lat",))[:] = 45.1 - 0.05 * np.arange(5)
            data.createVariable("lon", "f4", ("lon",))[:] = 7.9 + 0.05 * np.arange(5)
            shape = ("time", "lat", "lon")
            for name, scale, value in (("DSSF_TOT", 0.1, 500.0 + hour), ("FRACTION_DIFFUSE", 0.001, 0.25)):
                variable = data.createVariable(name, "i2", shape, fill_value=-1, zlib=True)
                variable.scale_factor = scale
                variable[:] = np.full((1, 5, 5), value)
            data.createVariable("quality_flag", "i2", shape, fill_value=-1, zlib=True)[:] = 0
    return folder
