"""Irradiance of points out of satellite files: extract, read, judge.

>>> import datalake_kit as dk
>>> result = dk.irradiance.extract("satellite/", "points.csv", "lake/irradiance/plants")    # doctest: +SKIP
>>> frame = dk.irradiance.read(lake, "irradiance.plants", points="turin")                   # doctest: +SKIP
>>> dk.plots.irradiance.series(frame)                                                       # doctest: +SKIP

Values of this kind of product hold for an instant: `Product.scan_offset` tells how long after the slot a line was seen.
Times are UTC, W/m2 throughout.
"""

from __future__ import annotations

from datalake_kit.irradiance.deriving.energy import daily_energy
from datalake_kit.irradiance.describing.points import Grid, locate_points, read_points
from datalake_kit.irradiance.describing.product import Product, Variable, find_product
from datalake_kit.irradiance.extracting.extraction import Extraction
from datalake_kit.irradiance.extracting.listing import Plan, plan
from datalake_kit.irradiance.extracting.run import extract
from datalake_kit.irradiance.judging.quality import above_limit, below_limit, flags, missing, named_bits, night_nonzero
from datalake_kit.irradiance.judging.solar import clear_sky, clear_sky_index, solar_position, sun_times
from datalake_kit.irradiance.reading.planes import read_plane
from datalake_kit.irradiance.stored.series import read, select_point

__all__ = [
    "Extraction",
    "Grid",
    "Plan",
    "Product",
    "Variable",
    "above_limit",
    "below_limit",
    "clear_sky",
    "clear_sky_index",
    "daily_energy",
    "extract",
    "find_product",
    "flags",
    "locate_points",
    "missing",
    "named_bits",
    "night_nonzero",
    "plan",
    "read",
    "read_plane",
    "read_points",
    "select_point",
    "solar_position",
    "sun_times",
]
