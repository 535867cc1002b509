"""Pictures of the three data sets. Each function takes `ax` (or makes one) and returns it.

    dk.plots.irradiance   series, days, months, how often, limits, a map, a page of a point
    dk.plots.cdc          what replication delivered and what it lost
    dk.plots.jira         status by type, epics, links, flow, cycle times, sprints, forecasts
    dk.plots.style        colours, text sizes, `figure` and `style`

The modules load when first used: matplotlib is not imported before a picture is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datalake_kit.plots import cdc, irradiance, jira, style

__all__ = ["cdc", "irradiance", "jira", "style"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"datalake_kit.plots.{name}")
    raise AttributeError(f"module 'datalake_kit.plots' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
