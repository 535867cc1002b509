"""Jira issues that AppFlow landed: newest version of each, fields unpacked, named and typed, and their relations.

issues = dk.jira.load(lake, "jiralake.jira_raw")     # lazy: nothing is read yet
issues.frame()                                       # one row an issue, one typed column (or a few) a field
issues.raw(), issues.rejects, issues.report          # as they came; what cannot be used; every row accounted for
dk.jira.unpack_fields(frame, names=)                 # the same for a frame at hand
dk.jira.names(frame), dk.jira.rename(frame)          # which field a column is, and the way back
dk.jira.parents(frame)                               # epic, chain of parents, ancestors that are missing
"""

from __future__ import annotations

from datalake_kit.jira.fields import unpack_fields
from datalake_kit.jira.load import JiraIssues, Report, load
from datalake_kit.jira.names import names, rename
from datalake_kit.jira.relations import parents

__all__ = ["JiraIssues", "Report", "load", "names", "parents", "rename", "unpack_fields"]
