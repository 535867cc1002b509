"""What is wrong with the history of issues, in words. Pure."""

from __future__ import annotations

import numpy as np

from datalake_kit.jira.history.calendar import NO_INSTANT
from datalake_kit.jira.history.interval_points import Contradictions
from datalake_kit.jira.history.issue_history import IssueHistory
from datalake_kit.jira.history.statuses import Codes


def describe_problems(history: IssueHistory, found: Contradictions) -> dict[int, str]:
    """The problems of each issue that has any, by its place."""
    names = history.statuses.names
    counted: list[tuple[str, Codes]] = [
        ("{n} entries of the changelog are missing", _column(history, "missing_entries")),
        ("{n} entries of the changelog have no instant and are left out", _column(history, "undated_entries")),
        ("{n} changelogs cannot be read", _column(history, "unreadable")),
        ("{n} versions without updated are left out", _column(history, "undated_versions")),
        ("{n} changes left a status that the one before had not led to", found.broken),
        ("{n} changes are dated before created", found.too_early),
        ("no created: history begins with what is known first", (history.created == NO_INSTANT).astype(np.int64)),
    ]
    problems: dict[int, list[str]] = {}
    for words, counts in counted:
        for place in np.flatnonzero(counts):
            problems.setdefault(int(place), []).append(words.format(n=counts[place]))
    for place in np.flatnonzero(found.last >= 0):
        last, present = names[found.last[place]], names[history.present[place]]
        problems.setdefault(int(place), []).append(f"changes end in {last}, the issue is in {present}")
    return {place: "; ".join(words) for place, words in problems.items()}


def _column(history: IssueHistory, name: str) -> Codes:
    counts: Codes = history.issues[name].to_numpy()
    return counts
