"""At which points the status of issues changed, as arrays: where the intervals begin, and within which bounds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from datalake_kit.jira.history.calendar import NO_INSTANT
from datalake_kit.jira.history.issue_history import Flags, IssueHistory
from datalake_kit.jira.history.statuses import Codes

AT_CREATION = 1_000_000  # microseconds: Jira writes `updated` of a new issue some milliseconds after `created`
NEVER = np.iinfo(np.int64).max
UNKNOWN = -1  # code of a status that is not known


@dataclass(frozen=True)
class Points:
    """One a change of status, in order by issue: the issue, the status from here on, instants in microseconds."""

    issue: Codes
    status: Codes
    start: Codes
    entered_low: Codes  # bounds of the moment at which this status was entered
    entered_high: Codes
    left_low: Codes  # bounds of the moment at which the one before was left
    left_high: Codes

    def take(self, which: Flags | Codes) -> Points:
        """Some of the points."""
        return _each(lambda column: column[which], self)


def _each(make: Callable[..., Codes], *points: Points) -> Points:
    """Points made column by column; what is one array before is one afterwards, as bounds are that are exact."""
    made: dict[tuple[int, ...], Codes] = {}
    columns = []
    for field in fields(Points):
        arrays = [getattr(each, field.name) for each in points]
        known = tuple(id(array) for array in arrays)
        if known not in made:
            made[known] = make(*arrays)
        columns.append(made[known])
    return Points(*columns)


@dataclass(frozen=True)
class Contradictions:
    """What does not fit together, by issue."""

    last: Codes  # the status that the last change led to, where it is not the present one; else UNKNOWN
    broken: Codes  # number of changes from a status that the one before did not lead to
    too_early: Codes  # number of changes before the creation
    unseen: Flags  # the status before the first version is not known


@dataclass(frozen=True)
class _Issues:
    """What the points of an issue are made of, by issue."""

    created: Codes
    moves: Codes  # how many changes it has
    first_move: Codes  # place of the first
    unseen: Flags
    seen: Codes  # when it was seen first


def lay_out(history: IssueHistory) -> tuple[Points, Contradictions]:
    """The points of all issues, and what contradicts itself in them.

    Of each issue: its creation; the first version, where what was before is not known; its changes; and the present
    status, where the last change led elsewhere.
    """
    issues = _look_at(history)
    blocks = [_creations(history, issues), _first_versions(history, issues)]
    moves, broken = _moves(history, issues)
    last = _last_status(history, issues)
    elsewhere = history.statuses.differ(last, history.present)
    points = _in_order([*blocks, moves, _presents(history, issues, elsewhere)])
    early = np.bincount(moves.issue, moves.start < issues.created[moves.issue], minlength=len(last)).astype(np.int64)
    found = Contradictions(np.where(elsewhere, last, UNKNOWN), broken, early, issues.unseen)
    return _after_creation(points, issues.created), found


def _look_at(history: IssueHistory) -> _Issues:
    moves = np.bincount(history.changes.issue, minlength=len(history.created))
    first_move = np.cumsum(moves) - moves
    first_at = _at(history.changes.at, first_move, moves > 0, NEVER)
    seen = np.where(history.first_seen == NO_INSTANT, NEVER, history.first_seen)
    known = np.minimum(seen, first_at)  # a change that is given with its instant is seen, too
    created = np.where(history.created == NO_INSTANT, known, history.created)
    created = np.where(created == NEVER, NO_INSTANT, created)
    unseen = ~history.told & (known != NEVER) & (known - created > AT_CREATION) & (created != NO_INSTANT)
    return _Issues(created, moves, first_move, unseen, known)


def _at(values: Codes, places: Codes, there: Flags, otherwise: int) -> Codes:
    found = np.full(len(places), otherwise, dtype=np.int64)
    found[there] = values[places[there]]
    return found


def _creations(history: IssueHistory, issues: _Issues) -> Points:
    """Each issue at its creation, in the status that the first change left; without a change in the present one."""
    before = _at(history.changes.before, issues.first_move, issues.moves > 0, UNKNOWN)
    status = np.where(issues.moves > 0, before, np.where(history.told, history.present, history.first))
    status = np.where(issues.unseen, UNKNOWN, status)
    at = high = issues.created
    cut = history.issues["missing_entries"].to_numpy() > 0  # Jira leaves out the oldest: it may have had another first
    if cut.any():
        moved = _at(history.changes.at, issues.first_move, issues.moves > 0, NO_INSTANT)
        high = np.where(cut, np.maximum(np.where(issues.moves > 0, moved, history.updated), at), at)
    return Points(np.arange(len(at)), status, at, at, high, at, at)


def _first_versions(history: IssueHistory, issues: _Issues) -> Points:
    """The first version of issues of which nothing is known before: the status can be as old as its category."""
    issue = np.flatnonzero(issues.unseen)
    seen, created = issues.seen[issue], issues.created[issue]
    status = np.where(
        issues.moves > 0, _at(history.changes.before, issues.first_move, issues.moves > 0, 0), history.first
    )
    low = np.minimum(np.maximum(created, history.category_changed[issue]), seen)
    return Points(issue, status[issue], seen, low, seen, created, seen)


def _moves(history: IssueHistory, issues: _Issues) -> tuple[Points, Codes]:
    """The changes; and how many of each issue left a status that the one before did not lead to.

    Then something is missing in between: the status before may have been left at any time since it was entered. Of a
    change whose instant is narrowed within its bounds, the old status was left before it and the new one entered after.
    """
    moves = history.changes
    follows = np.append(False, moves.issue[1:] == moves.issue[:-1]) if len(moves.at) else np.zeros(0, dtype=bool)
    previous = np.append(UNKNOWN, moves.after[:-1])[: len(moves.at)]
    is_broken = follows & history.statuses.differ(previous, moves.before)
    earlier = np.append(NO_INSTANT, moves.not_before[:-1])[: len(moves.at)]
    left_low = np.where(is_broken, np.minimum(earlier, moves.not_before), moves.not_before)
    if (moves.not_before == moves.at).all() and (moves.not_after == moves.at).all() and not is_broken.any():
        at = moves.at
        return Points(moves.issue, moves.after, at, at, at, at, at), np.zeros(len(issues.created), dtype=np.int64)
    narrowed = moves.at < moves.not_after
    entered_low = np.where(narrowed, moves.at, moves.not_before)
    left_high = np.where(narrowed, moves.at, moves.not_after)
    points = Points(moves.issue, moves.after, moves.at, entered_low, moves.not_after, left_low, left_high)
    return points, np.bincount(moves.issue[is_broken], minlength=len(issues.created))


def _last_status(history: IssueHistory, issues: _Issues) -> Codes:
    return _at(history.changes.after, issues.first_move + issues.moves - 1, issues.moves > 0, UNKNOWN)


def _presents(history: IssueHistory, issues: _Issues, elsewhere: Flags) -> Points:
    """The present status, from `updated` on, or as early as the last change."""
    issue = np.flatnonzero(elsewhere)
    last = history.changes.at[(issues.first_move + issues.moves - 1)[issue]]
    at = np.maximum(history.updated[issue], last)
    return Points(issue, history.present[issue], at, last, at, last, at)


def _in_order(blocks: Sequence[Points]) -> Points:
    """By issue; of one issue in the order of the blocks."""
    joined = _each(lambda *arrays: np.concatenate(arrays), *([b for b in blocks if len(b.issue)] or blocks[:1]))
    return joined.take(np.argsort(joined.issue, kind="stable"))


def _after_creation(points: Points, created: Codes) -> Points:
    """Nothing of an issue is before its creation; and being called the status that it is in begins nothing."""
    floor = created[points.issue]
    if (points.start < floor).any() or (points.entered_low < floor).any() or (points.left_low < floor).any():
        issue, status = points.issue, points.status
        points = replace(_each(lambda at: np.maximum(at, floor), points), issue=issue, status=status)
    same = (points.issue[1:] == points.issue[:-1]) & (points.status[1:] == points.status[:-1])
    return points.take(np.append(True, ~same)[: len(points.issue)]) if same.any() else points
