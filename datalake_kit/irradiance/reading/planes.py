"""A whole plane of a file, thinned out, for a picture of what the points lie in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import ConfigError, UnreadableFileError
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD, Product, product_of_name
from datalake_kit.irradiance.reading.packing import NETCDF_LOCK
from datalake_kit.irradiance.reading.readers import open_netcdf, read_header
from datalake_kit.irradiance.reading.sources import open_source
from datalake_kit.storage import Place, place

__all__ = ["read_plane"]


def read_plane(
    file: str | Place, variable: str = "ghi", *, every: int = 1, product: Product | None = None
) -> pd.DataFrame:
    """Return a variable of one file: latitudes as rows, longitudes as columns, NaN where it is masked.

    Parameters
    ----------
    file : path
        Local, or on S3: then the whole object is read.
    variable : str
        Name in the file or column.
    every : int
        Take every n-th row and column; 4 is enough for a picture of the full disk.
    product : Product, optional
        What the file looks like; found from its name when not given.

    Raises
    ------
    UnreadableFileError
        The file cannot be read.
    ConfigError
        The product has no such variable, or `every` is less than 1.

    Examples
    --------
    >>> read_plane("NETCDF4_LSASAF_MSG_MDSSFTD_MSG-Disk_202506181200.nc", every=4).shape    # doctest: +SKIP
    (801, 801)
    """
    if every < 1:
        raise ConfigError(f"every is 1 or more, not {every}.")
    path = place(file)
    product = product or product_of_name(path.name) or MSG_MDSSFTD
    (wanted,) = product.select([variable])
    try:
        header = read_header(path, product)
        with open_source(path) as source_of, NETCDF_LOCK, open_netcdf(source_of) as opened:
            source = opened.variables[wanted.name]
            values = source[(0,) * (source.ndim - 2) + (slice(None, None, every), slice(None, None, every))]
    except (UnreadableFileError, OSError, RuntimeError, LookupError) as error:
        raise UnreadableFileError(f"{path}: {wanted.name} cannot be read: {error}") from error
    plane: Any = np.ma.filled(np.ma.asarray(values, "f8"), np.nan)
    frame = pd.DataFrame(plane, index=header.grid.latitude[::every], columns=header.grid.longitude[::every])
    slot = product.slot(path.name)
    frame.attrs = {"title": header.title, "units": wanted.units, "variable": wanted.column, "time": slot}
    return frame
