"""How long each issue was in each status: one row an interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, ParameterError
from datalake_kit.jira.history.calendar import NO_INSTANT, Seconds, WorkingCalendar, check_calendar, to_micros
from datalake_kit.jira.history.interval_points import Points, lay_out
from datalake_kit.jira.history.interval_problems import describe_problems
from datalake_kit.jira.history.issue_history import Flags, IssueHistory, read_issue_history
from datalake_kit.jira.history.issue_versions import INSTANT, to_writable
from datalake_kit.jira.history.phases import PHASES, Phases, find_phases, group_column
from datalake_kit.jira.history.statuses import Codes

COLUMNS = (
    "id", "key", "position", "status", "status_id", "phase", "start", "end", "open", "seconds", "seconds_low",
    "seconds_high", "start_not_before", "start_not_after", "end_not_before", "end_not_after", "problem",
)  # fmt: skip


def status_intervals(
    df: pd.DataFrame,
    changes: pd.DataFrame | None = None,
    *,
    calendar: WorkingCalendar | None = None,
    phases: Phases = None,
    until: str | datetime | None = None,
) -> pd.DataFrame:
    """Find the intervals in which each issue was in a status, without a gap from its creation until now.

    Parameters
    ----------
    df
        Issues with a column `changelog`, or all their versions: see `dk.jira.changelog`. `created`, `updated`, `status`
        and `status_id` are read, and `status_category` for the phases.
    changes
        What `dk.jira.changelog` gave of these issues, when it is at hand. Changes of other issues are left out.
    calendar
        Count working time. None: all time.
    phases
        Which status is in which phase, "To Do", "In Progress" or "Done". None: by the category of the status, as the
        issues that are in it now have it. A mapping `{"In Review": "In Progress"}` by name or id of the status; or a
        frame with `status`, `phase` and `project` (or `board`, then the issues need a column `board` too), where rows
        without a project hold for the others.
    until
        The instant up to which is measured (UTC when it has no offset). None: the latest that the data know of.

    Returns
    -------
    DataFrame
        One row an interval, sorted by `id` and `position` (from 0): `id`, `key`, `position`, `status` (its latest
        name), `status_id`, `phase`, `start` and `end` (UTC; of the last one `until`), `open` (it goes on), `seconds`
        (working seconds with a calendar), `seconds_low` and `seconds_high` (what the bounds of both ends allow),
        `start_not_before`, `start_not_after`, `end_not_before`, `end_not_after`, and `problem` (of the issue, on all
        its rows).

    Raises
    ------
    ColumnNotFoundError
        No `id` or no `status`, or phases by a column that the issues have not.
    DataError
        No history (see `dk.jira.changelog`), or an instant without a time zone.
    ParameterError
        `phases`, `calendar` or `until` is none.

    Notes
    -----
    The rule. The first interval begins at `created`, in the status that the first change left, or in the present one
    when there was no change. Each change begins an interval in the status that it led to; a status is its id, so being
    renamed ends none. The intervals of an issue follow one another, and together last from `created` until `until`.

    Of versions: what was before the first version is not known. It is an interval without status, unless the first
    version is of the second in which the issue was created; the next one may have begun as early as the issue (or as
    its category, by `status_category_changed`). Then an interval ends between `updated` of the last version that shows
    its status and `updated` of the next version, and `end` is the latter. The bounds hold for the first moment after
    that version at which the status was left, and for the last moment before the next version at which the new one was
    entered; statuses in between, and what was left and entered again between two versions, are not seen.

    When things contradict one another the changes count, and `problem` says it: a change from a status that the one
    before did not lead to (the interval before it may have ended at once); a present status that the last change did
    not lead to (it is then taken to have begun at `updated`); changes before `created` (taken as at `created`).

    Examples
    --------
    >>> text = '''{"histories": [{"id": "7", "created": "2026-03-02T09:00:00.000+0000", "items": [
    ...     {"field": "status", "from": "1", "fromString": "Open", "to": "6", "toString": "Closed"}]}]}'''
    >>> issues = pd.DataFrame({"id": ["10"], "key": ["A-1"], "status": ["Closed"], "status_id": ["6"],
    ...     "created": pd.to_datetime(["2026-03-02T07:00Z"]), "changelog": [text]})
    >>> status_intervals(issues, until="2026-03-02T10:00Z")[["status", "seconds"]].to_dict("records")
    [{'status': 'Open', 'seconds': 7200.0}, {'status': 'Closed', 'seconds': 3600.0}]
    """
    check_calendar(calendar)
    history = read_issue_history(df, changes)
    points, found = lay_out(history)
    intervals = _between(points, _last_instant(until, history))
    problems = describe_problems(history, found)
    seconds = _durations(intervals, calendar)
    return _to_frame(history, intervals, seconds, _phases(df, history, intervals, phases), problems)


def as_intervals(
    df: pd.DataFrame,
    *,
    changes: pd.DataFrame | None = None,
    calendar: WorkingCalendar | None = None,
    phases: Phases = None,
    until: str | datetime | None = None,
) -> pd.DataFrame:
    """Take intervals as they are, and make them of issues or versions: what the measures do with what they are given.

    Parameters
    ----------
    df
        Intervals of `status_intervals`, or issues or versions as it takes them.
    changes, calendar, phases, until
        As for `status_intervals`.

    Returns
    -------
    DataFrame
        As `status_intervals`.

    Raises
    ------
    ParameterError
        `df` has the intervals already, and something is given that made them.
    DataError, ColumnNotFoundError
        As for `status_intervals`.

    Examples
    --------
    >>> as_intervals(status_intervals(issues), calendar=WorkingCalendar())     # doctest: +SKIP
    """
    if not are_intervals(df):
        return status_intervals(df, changes, calendar=calendar, phases=phases, until=until)
    given = {"changes": changes, "calendar": calendar, "phases": phases, "until": until}
    late = [name for name, value in given.items() if value is not None]
    if late:
        raise ParameterError(
            f"{late[0]}= comes too late: the frame has the intervals already. Give it to status_intervals, or give the "
            "issues instead of the intervals."
        )
    return df


def are_intervals(df: pd.DataFrame) -> bool:
    """Whether a frame is one of `status_intervals`, to which columns may have been added.

    >>> are_intervals(pd.DataFrame({"id": ["10"], "status": ["Open"]}))
    False
    """
    return set(COLUMNS) <= set(df.columns)


@dataclass(frozen=True)
class _Intervals:
    """Points with their ends, in microseconds."""

    points: Points
    position: Codes
    end: Codes
    end_low: Codes
    end_high: Codes
    open: Flags


def _last_instant(until: str | datetime | None, history: IssueHistory) -> int:
    if until is None:
        return history.latest
    instant = pd.to_datetime(until, utc=True, errors="coerce") if isinstance(until, str | date) else pd.NaT
    if pd.isna(instant):
        raise ParameterError(f"until={until!r} is no instant. Write it like 2026-03-01T02:00:00+00:00.")
    return int(to_micros([instant])[0])


def _between(points: Points, until: int) -> _Intervals:
    """Each interval from its point to the next one of the issue, up to `until`."""
    last = np.append(points.issue[1:] != points.issue[:-1], True)[: len(points.issue)]
    end, low, high = (np.where(last, until, np.roll(v, -1)) for v in (points.start, points.left_low, points.left_high))
    inside = points.start <= until
    open_ = last | np.roll(~inside, -1)
    kept = points.take(inside)
    open_ = open_[inside]
    end, low, high = (np.minimum(v[inside], until) for v in (end, low, high))
    high = np.where(open_, until, high)
    first = np.flatnonzero(np.append(True, kept.issue[1:] != kept.issue[:-1])[: len(kept.issue)])
    sizes = np.diff(np.append(first, len(kept.issue)))
    position = np.arange(len(kept.issue)) - np.repeat(first, sizes)
    kept = replace(kept, entered_high=np.minimum(kept.entered_high, until))
    return _Intervals(kept, position, end, low, high, open_)


Durations = tuple[Seconds, Seconds, Seconds]


def _durations(intervals: _Intervals, calendar: WorkingCalendar | None) -> Durations:
    """Seconds, and the least and the most that the bounds allow."""
    points = intervals.points
    exact = _lasted(points.start, intervals.end, calendar)
    low, high = exact.copy(), exact.copy()
    sure = (points.entered_low == points.entered_high) & (intervals.end_low == intervals.end_high)
    doubtful = np.flatnonzero(~sure)
    if len(doubtful):
        least = _lasted(points.entered_high[doubtful], intervals.end_low[doubtful], calendar)
        low[doubtful] = np.maximum(least, 0.0)
        high[doubtful] = _lasted(points.entered_low[doubtful], intervals.end_high[doubtful], calendar)
    return exact, low, high


def _lasted(starts: Codes, ends: Codes, calendar: WorkingCalendar | None) -> Seconds:
    if calendar is not None:
        return calendar.seconds_between(starts.view("datetime64[us]"), ends.view("datetime64[us]"))
    return np.where(starts == NO_INSTANT, np.nan, (ends - starts) / 1e6)


def _phases(df: pd.DataFrame, history: IssueHistory, intervals: _Intervals, phases: Phases) -> pa.Array:
    """The phase of each interval."""
    column = group_column(phases)
    if column is None:
        groups: list[str | None] = [None]
        group = np.zeros(len(history.created), dtype=np.int64)
    else:
        if column not in df.columns:
            raise ColumnNotFoundError(f"phases differ by {column}, and the issues have no column {column!r}.")
        group, found = pd.factorize(df[column].iloc[history.issues["row"].to_numpy()])
        groups = [*found, None]
    phase_of = find_phases(history.statuses, history.categories, phases, groups)
    size = len(history.statuses) + 1  # the last is the status that is not known
    places = np.full(len(groups) * size, -1)
    for (name, code), phase in phase_of.items():
        places[groups.index(name) * size + code] = PHASES.index(phase)
    points = intervals.points
    which = places[(group[points.issue] % len(groups)) * size + points.status % size]
    return pa.array(PHASES).take(pa.array(which, mask=which < 0))


def _to_frame(
    history: IssueHistory, intervals: _Intervals, seconds: Durations, phase: pa.Array, problems: dict[int, str]
) -> pd.DataFrame:
    points = intervals.points
    issue, status = pa.array(points.issue), pa.array(points.status, mask=points.status < 0)
    texts = [problems.get(n) for n in range(len(history.created))] if problems else [None] * len(history.created)
    columns = (
        history.issues["id"].take(issue), history.issues["key"].take(issue), intervals.position,
        pa.array(history.statuses.names, pa.large_string()).take(status),
        pa.array(history.statuses.ids, pa.large_string()).take(status), phase,
        _instants(points.start), _instants(intervals.end), intervals.open, *seconds,
        _instants(points.entered_low), _instants(points.entered_high), _instants(intervals.end_low),
        _instants(intervals.end_high), pa.array(texts, pa.large_string()).take(issue),
    )  # fmt: skip
    return to_writable(pa.table(dict(zip(COLUMNS, columns, strict=True))))


def _instants(micros: Codes) -> pa.Array:
    return pa.array(micros, pa.int64(), mask=micros == NO_INSTANT).cast(INSTANT)
