"""Irradiance of points out of satellite files: extract, read, judge.

>>> import datalake_kit as dk
>>> result = dk.irradiance.extract("satellite/", "points.csv", "lake/irradiance/plants")    # doctest: +SKIP
>>> frame = dk.irradiance.read(lake, "irradiance.plants", points="turin")                   # doctest: +SKIP
>>> dk.plots.irradiance.series(frame)                                                       # doctest: +SKIP

Values of this kind of product hold for an instant: `Product.scan_offset` tells how long after the slot a line was seen.
Times are UTC, W/m2 throughout.
"""

from __future__ import annotations

from datalake_kit.irradiance.deriving.availability import availability
from datalake_kit.irradiance.deriving.comparing import compare
from datalake_kit.irradiance.deriving.comparison import Comparison
from datalake_kit.irradiance.deriving.energy import daily_energy, energy
from datalake_kit.irradiance.deriving.exceedance import exceedance
from datalake_kit.irradiance.deriving.plane import plane_of_array
from datalake_kit.irradiance.deriving.profiles import duration, monthly, typical_day
from datalake_kit.irradiance.deriving.variability import ramps, variability
from datalake_kit.irradiance.describing.point_forms import index_points
from datalake_kit.irradiance.describing.points import Grid, locate_points, read_points
from datalake_kit.irradiance.describing.product import Product, Variable, find_product
from datalake_kit.irradiance.describing.scanning import geometric_offset, scan_time
from datalake_kit.irradiance.exchange.export import export
from datalake_kit.irradiance.exchange.pvgis import read_pvgis
from datalake_kit.irradiance.exchange.stations import read_bsrn, read_surfrad
from datalake_kit.irradiance.extracting.accounts import missing_slots, rejects
from datalake_kit.irradiance.extracting.extraction import Extraction
from datalake_kit.irradiance.extracting.listing import Plan, plan
from datalake_kit.irradiance.extracting.run import extract
from datalake_kit.irradiance.judging.components import closure, dni
from datalake_kit.irradiance.judging.gaps import fill_gaps
from datalake_kit.irradiance.judging.places import Place, place_of
from datalake_kit.irradiance.judging.quality import (
    above_clear_sky,
    above_limit,
    below_limit,
    flags,
    missing,
    named_bits,
    night_nonzero,
    step_change,
    stuck,
    summarise_flags,
    upper_limit,
)
from datalake_kit.irradiance.judging.resampling import to_step
from datalake_kit.irradiance.judging.solar import clear_sky, clear_sky_index, solar_position, sun_times
from datalake_kit.irradiance.reading.describe import describe
from datalake_kit.irradiance.reading.planes import read_plane
from datalake_kit.irradiance.stored.catalog import Registration, register_table
from datalake_kit.irradiance.stored.months import compact
from datalake_kit.irradiance.stored.per_point import repartition
from datalake_kit.irradiance.stored.series import read, select_point
from datalake_kit.irradiance.stored.writing import Rewrite

__all__ = [
    "Comparison",
    "Extraction",
    "Grid",
    "Place",
    "Plan",
    "Product",
    "Registration",
    "Rewrite",
    "Variable",
    "above_clear_sky",
    "above_limit",
    "availability",
    "below_limit",
    "clear_sky",
    "clear_sky_index",
    "closure",
    "compact",
    "compare",
    "daily_energy",
    "describe",
    "dni",
    "duration",
    "energy",
    "exceedance",
    "export",
    "extract",
    "fill_gaps",
    "find_product",
    "flags",
    "geometric_offset",
    "index_points",
    "locate_points",
    "missing",
    "missing_slots",
    "monthly",
    "named_bits",
    "night_nonzero",
    "place_of",
    "plan",
    "plane_of_array",
    "ramps",
    "read",
    "read_bsrn",
    "read_plane",
    "read_points",
    "read_pvgis",
    "read_surfrad",
    "register_table",
    "rejects",
    "repartition",
    "scan_time",
    "select_point",
    "solar_position",
    "step_change",
    "stuck",
    "summarise_flags",
    "sun_times",
    "to_step",
    "typical_day",
    "upper_limit",
    "variability",
]
