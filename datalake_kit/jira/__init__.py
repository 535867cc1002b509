"""Jira issues that AppFlow landed: newest versions, fields as columns, relations, history and measures of delivery.

issues = dk.jira.load(lake, "jiralake.jira_raw")     # lazy: nothing is read yet
issues.frame()                                       # one row an issue, one typed column (or a few) a field
issues.versions()                                    # one row a version, for the history that differences tell
issues.raw(), issues.rejects, issues.report          # as they came; what cannot be used; every row accounted for
dk.jira.refresh(lake, "lake/jiralake/jira_data")     # the same kept as Parquet: only new files are read

Columns     unpack_fields, field_types, names, rename, text (rich text as plain text and Markdown)
Lists       links, linked_issues, sprints, components, fix_versions, affects_versions, comments, worklogs, attachments,
            subtasks; cut_short tells what Jira left out of them
Hierarchy   parents, roll_up, link_cycles
History     changelog, history_report, status_intervals, WorkingCalendar, last_seen, deleted
Flow        time_in_status, cycle_times, lead_times, cycle_percentiles, flow_efficiency, blocked_time, throughput,
            aging_work, cumulative_flow, forecast
Sprints     sprint_report, sprint_scope, burndown, burnup, velocity
Handing on  redact, export
"""

from __future__ import annotations

from datalake_kit.jira import text
from datalake_kit.jira.exporting.export import export
from datalake_kit.jira.fields.columns import unpack_fields
from datalake_kit.jira.fields.field_types import field_types
from datalake_kit.jira.fields.names import names, rename
from datalake_kit.jira.flow.aging import aging_work
from datalake_kit.jira.flow.blocked import blocked_time
from datalake_kit.jira.flow.cumulative import cumulative_flow
from datalake_kit.jira.flow.cycle_times import cycle_percentiles, cycle_times, lead_times
from datalake_kit.jira.flow.forecast import Forecast, forecast
from datalake_kit.jira.flow.status_time import flow_efficiency, time_in_status
from datalake_kit.jira.flow.throughput import throughput
from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.changelog import changelog, history_report
from datalake_kit.jira.history.intervals import status_intervals
from datalake_kit.jira.kept.refresh import Refreshed, refresh
from datalake_kit.jira.kept.stored import read
from datalake_kit.jira.landing.issues import JiraIssues, Report, load
from datalake_kit.jira.landing.seen import deleted, last_seen
from datalake_kit.jira.redaction.redact import redact, redaction_plan
from datalake_kit.jira.relations.cycles import link_cycles
from datalake_kit.jira.relations.hierarchy import parents
from datalake_kit.jira.relations.links import linked_issues, links
from datalake_kit.jira.relations.parts import (
    affects_versions,
    attachments,
    comments,
    components,
    cut_short,
    fix_versions,
    subtasks,
    worklogs,
)
from datalake_kit.jira.relations.roll_up import roll_up
from datalake_kit.jira.relations.sprint_table import sprints
from datalake_kit.jira.sprinting.burndown import burndown, burnup
from datalake_kit.jira.sprinting.report import sprint_report, sprint_scope
from datalake_kit.jira.sprinting.velocity import velocity

__all__ = [
    "Forecast",
    "JiraIssues",
    "Refreshed",
    "Report",
    "WorkingCalendar",
    "affects_versions",
    "aging_work",
    "attachments",
    "blocked_time",
    "burndown",
    "burnup",
    "changelog",
    "comments",
    "components",
    "cumulative_flow",
    "cut_short",
    "cycle_percentiles",
    "cycle_times",
    "deleted",
    "export",
    "field_types",
    "fix_versions",
    "flow_efficiency",
    "forecast",
    "history_report",
    "last_seen",
    "lead_times",
    "link_cycles",
    "linked_issues",
    "links",
    "load",
    "names",
    "parents",
    "read",
    "redact",
    "redaction_plan",
    "refresh",
    "rename",
    "roll_up",
    "sprint_report",
    "sprint_scope",
    "sprints",
    "status_intervals",
    "subtasks",
    "text",
    "throughput",
    "time_in_status",
    "unpack_fields",
    "velocity",
    "worklogs",
]
