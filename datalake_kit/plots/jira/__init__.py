"""Pictures of Jira issues: what there is, how work flows, sprints, links and forecasts.

    status_by_type, hierarchy, links                                what there is, and what belongs to what
    cumulative_flow, aging                                          work over time, and work that is open
    cycle_time_scatter, cycle_time_histogram                        how long work took
    burndown, burnup, velocity                                      sprints
    forecast                                                        when so many are done, how many by a date

Each takes what the measure of the same name in `dk.jira` gives, and `ax` (None: a new figure), and returns the axes.
"""

from __future__ import annotations

from datalake_kit.plots.jira.cycles import cycle_time_histogram, cycle_time_scatter
from datalake_kit.plots.jira.flow import aging, cumulative_flow
from datalake_kit.plots.jira.forecasts import forecast
from datalake_kit.plots.jira.graph import links
from datalake_kit.plots.jira.sprints import burndown, burnup, velocity
from datalake_kit.plots.jira.status import status_by_type
from datalake_kit.plots.jira.tree import hierarchy
from datalake_kit.plots.lettering import drawable

__all__ = [
    "aging",
    "burndown",
    "burnup",
    "cumulative_flow",
    "cycle_time_histogram",
    "cycle_time_scatter",
    "drawable",
    "forecast",
    "hierarchy",
    "links",
    "status_by_type",
    "velocity",
]
