"""Pictures of irradiance. Each takes what `dk.irradiance.read` gave for one point, and `ax` (None: a new figure).

    series, components                              over time: against the clear sky, diffuse and direct
    heatmap, daily_energy, availability             day by day
    monthly, daily_profile                          month by month
    clear_sky_index, duration, limits, comparison   how often, and whether it can be
    points_map                                      where points lie
    overview                                        all of it on one page for each point, as PDF and PNG

Lines stop where a value is missing, and the gap is shaded: nothing is drawn across it. Values begin at 0. The title
names point, place, variable, period, step and the share of steps that are missing. Times are UTC unless another zone
is asked for, and the zone is named. Colours are told apart by colour-blind readers, lines by their style too; no text
is smaller than 9 points.
"""

from __future__ import annotations

from datalake_kit.plots.irradiance.checks import availability, limits
from datalake_kit.plots.irradiance.days import daily_energy, heatmap
from datalake_kit.plots.irradiance.distributions import clear_sky_index, comparison, duration
from datalake_kit.plots.irradiance.lines import components, series
from datalake_kit.plots.irradiance.maps import points_map
from datalake_kit.plots.irradiance.months import daily_profile, monthly
from datalake_kit.plots.irradiance.page import overview

__all__ = [
    "availability",
    "clear_sky_index",
    "comparison",
    "components",
    "daily_energy",
    "daily_profile",
    "duration",
    "heatmap",
    "limits",
    "monthly",
    "overview",
    "points_map",
    "series",
]
