"""How long issues were blocked: in a status that says so, or flagged. Pure: frames in, frames out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError, ParameterError, did_you_mean
from datalake_kit.jira.fields.names import ATTRIBUTE, snake_case
from datalake_kit.jira.flow.stretches import (
    Edges,
    Flags,
    Histories,
    Measured,
    Names,
    Rows,
    Runs,
    first_places,
    from_micros,
    join_runs,
    read_edges,
    read_histories,
)
from datalake_kit.jira.history.calendar import NO_INSTANT, WorkingCalendar, to_micros
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.history.intervals import are_intervals


def blocked_time(
    df: pd.DataFrame, *, blocked: Names | None = None, flagged: str | None = "Flagged", done: Names = "Done",
    changes: pd.DataFrame | None = None, calendar: WorkingCalendar | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Measure how long each issue was blocked: in a blocked status, or flagged as an impediment.

    Rule. An issue is blocked while it is in a `blocked` status or while the field `flagged` holds anything, and while
    it is not done; both at once count once. Blocks that touch are one.

    - Reopened: what was blocked before and after counts; the time in between, when it was done, does not.
    - Skipped: issues that were never blocked have zero.
    - Open: a block that goes on counts up to `until`; `is_blocked` and `blocked_since` name it.
    - Missing: an issue without a change of the flag has had its present flag since it was created. A flag whose first
      change takes it away was set at creation. A status without a phase is refused, when `done` is a phase.

    A block that began and ended at one instant is none. Low and high are the bounds of each block as it was found, with
    the changes in the order in which they stand; of what changed between two versions the order is not known.

    Parameters
    ----------
    df, changes, calendar, phases, until
        As `cycle_times`. The changes of the flag come from the same changelog: with status intervals give `changes`,
        for they say nothing of flags, and without `changes` only `blocked` would count.
    blocked
        Statuses (or a phase) in which an issue is blocked. None: the flag alone.
    flagged
        Name of the field of the flag. None: `blocked` alone.
    done
        As `cycle_times`.

    Returns
    -------
    DataFrame
        One row an issue: `id`, `key`, `times_blocked`, `is_blocked` (now), `blocked_since` (NaT when it is not),
        `blocked_seconds`, `blocked_days`, `open_seconds` (all time in which it was not done), each with `_low` and
        `_high`, and `share` (blocked of open; NaN when it was never open).

    Raises
    ------
    ParameterError
        `blocked` and `flagged` are both None.
    DataError
        Neither a change nor a column of the flag is known and `blocked` is None, and as `cycle_times`.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> blocked_time(example_issues())[["key", "times_blocked", "blocked_days"]].values.tolist()
    [['A-1', 0, 0.0], ['A-2', 1, 1.0], ['A-3', 0, 0.0]]
    """
    if blocked is None and flagged is None:
        raise ParameterError("Nothing says what is blocked: give blocked= (statuses), flagged= (a field), or both.")
    given = are_intervals(df)
    histories = read_histories(df, changes=None if given else changes, calendar=calendar, phases=phases, until=until)
    if flagged is not None and changes is None and not given:
        changes = changelog(df, fields=[flagged])
    flags = None if flagged is None else _read_flags(df, changes, histories, flagged)
    if flags is None and blocked is None:
        raise DataError(_no_flag(changes, str(flagged)))
    ended = histories.inside(done)
    stopped = np.zeros(len(ended), bool) if blocked is None else histories.inside(blocked)
    return _describe(histories, _pieces(histories, flags), stopped, ended)


@dataclass(frozen=True)
class _Flags:
    """Changes of the flag: issue, instant, whether it is set then; and whether it is set when each issue is created."""

    issue: Rows
    at: Edges
    up: Flags
    at_creation: Flags


@dataclass(frozen=True)
class _Pieces:
    """Status intervals cut where the flag changes: issue, place of the interval, whether the flag is up, start, end."""

    issue: Rows
    interval: Rows
    up: Flags
    starts: Edges
    ends: Edges


def _read_flags(df: pd.DataFrame, changes: pd.DataFrame | None, histories: Histories, flagged: str) -> _Flags | None:
    """Changes of the flag in time, of issues that have a history; None when nothing is known of the flag."""
    now = _flag_now(df, flagged)
    mine = None if changes is None else _changes_of(changes, flagged)
    if now is None and (mine is None or mine.empty):
        return None
    ids = pd.Index(histories.about()["id"])
    at_creation = np.zeros(len(ids), bool)
    if now is not None:
        at_creation = now.reindex(ids, fill_value=False).to_numpy(bool, copy=True)
    if mine is None or mine.empty:
        nothing = np.zeros(0, np.int64)
        return _Flags(nothing, Edges(nothing, nothing, nothing), nothing.astype(bool), at_creation)
    issue = ids.get_indexer(pd.Index(mine["id"]))
    order = np.lexsort((to_micros(mine["changed_at"]), issue))  # stable: changes of one instant stay in their order
    order = order[issue[order] >= 0]
    mine, issue = mine.iloc[order], issue[order].astype(np.int64)
    first = np.unique(issue, return_index=True)[1]
    at_creation[issue[first]] = _is_set(mine["from_text"], mine["from_value"])[first]
    up = _is_set(mine["to_text"], mine["to_value"])
    edges = read_edges(mine, "changed_at", "not_before", "not_after")
    known = edges.at <= histories.until
    return _Flags(issue[known], edges.take(known), up[known], at_creation)


def _changes_of(changes: pd.DataFrame, flagged: str) -> pd.DataFrame:
    names = [name for name in changes["field"].dropna().unique() if name.casefold() == flagged.casefold()]
    return changes[changes["field"].isin(names)]


def _is_set(*sides: pd.Series[Any]) -> Flags:
    """Whether any of them holds something."""
    filled = [side.notna() & ~side.isin(["", "[]"]) for side in sides]
    found: Flags = np.logical_or.reduce([each.to_numpy(bool) for each in filled])
    return found


def _flag_now(df: pd.DataFrame, flagged: str) -> pd.Series[Any] | None:
    """Whether the newest version of each issue is flagged, by id; None without such a column."""
    named = [r["column"] for r in df.attrs.get(ATTRIBUTE, []) if r["name"] == flagged and not r["part"]]
    column = next((c for c in [*named, snake_case(flagged)] if c in df.columns), None)
    if column is None:
        return None
    newest = ~df["id"].duplicated(keep="last")
    return pd.Series(_is_set(df.loc[newest, column]), index=pd.Index(df.loc[newest, "id"]))


def _no_flag(changes: pd.DataFrame | None, flagged: str) -> str:
    if changes is None:
        return (
            "Status intervals say nothing of flags. Give changes=dk.jira.changelog(issues) too, or blocked= statuses."
        )
    hint = did_you_mean(flagged, changes["field"].dropna().unique())
    return f"No change and no column of a field {flagged!r} is known. {hint} Or give blocked= statuses."


def _pieces(histories: Histories, flags: _Flags | None) -> _Pieces:
    """Cut the status intervals where the flag changes."""
    count = len(histories.issue)
    if flags is None:
        up = np.zeros(count, bool)
        return _Pieces(histories.issue, np.arange(count), up, histories.starts, histories.ends)
    created = histories.starts.at[histories.first][flags.issue]
    starts = histories.starts.join(flags.at.each(lambda side: np.maximum(side, created)))
    issue = np.concatenate([histories.issue, flags.issue])
    is_flag = np.arange(len(issue)) >= count
    order = np.lexsort((is_flag, starts.at, issue))  # stable: changes of one instant stay in their order
    issue, starts, is_flag = issue[order], starts.take(order), is_flag[order]
    status = _newest(~is_flag)
    flag = _newest(is_flag)
    first = first_places(issue)[issue]
    up = np.concatenate([np.zeros(count, bool), flags.up])[order]
    up = np.where(flag >= first, up[flag], flags.at_creation[issue])
    return _Pieces(issue, order[status], up, starts, _ends(histories, issue, starts))


def _newest(marked: Flags) -> Rows:
    """Of each place, the last marked place up to it; -1 before the first."""
    return np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))


def _ends(histories: Histories, issue: Rows, starts: Edges) -> Edges:
    """Each piece ends where the next one of its issue begins, the last one where its issue does."""
    if not len(issue):
        return starts
    last = np.append(issue[1:] != issue[:-1], True)
    place = np.where(last, len(issue) + issue, np.arange(len(issue)) + 1)
    return starts.join(histories.ends.take(histories.last)).take(place)


def _describe(histories: Histories, pieces: _Pieces, stopped: Flags, ended: Flags) -> pd.DataFrame:
    pieces = _without_empty(pieces)
    is_open = ~ended[pieces.interval]
    label = is_open * (1 + (stopped[pieces.interval] | pieces.up))  # 0 done, 1 open, 2 blocked
    blocks = join_runs(pieces.issue, label.astype(np.int64), pieces.starts, pieces.ends)
    opens = join_runs(pieces.issue, is_open.astype(np.int64), pieces.starts, pieces.ends)
    blocked, being_open = (_add_up(histories, runs, value) for runs, value in ((blocks, 2), (opens, 1)))
    last = np.flatnonzero(np.append(blocks.issue[1:] != blocks.issue[:-1], True))[: histories.count]
    now = blocks.label[last] == 2
    share = np.full(histories.count, np.nan)
    np.divide(blocked.seconds, being_open.seconds, out=share, where=being_open.seconds > 0)
    return pd.DataFrame(
        {
            **histories.about(),
            "times_blocked": np.bincount(blocks.issue[blocks.label == 2], minlength=histories.count),
            "is_blocked": now,
            "blocked_since": from_micros(np.where(now, blocks.starts.at[last], NO_INSTANT)),
            **blocked.columns("blocked_", histories.a_day),
            **being_open.columns("open_"),
            "share": share,
        }
    )


def _add_up(histories: Histories, runs: Runs, label: int) -> Measured:
    chosen = runs.label == label
    lasted = histories.measure(runs.starts.take(chosen), runs.ends.take(chosen))
    return lasted.add_up(runs.issue[chosen], histories.count)


def _without_empty(pieces: _Pieces) -> _Pieces:
    """Leave out what lasted no time, but for the last piece of each issue, which is its present."""
    last = np.ones(len(pieces.issue), bool)
    last[:-1] = pieces.issue[1:] != pieces.issue[:-1]
    kept = last | (pieces.starts.at != pieces.ends.at)
    issue, interval, up = (side[kept] for side in (pieces.issue, pieces.interval, pieces.up))
    return _Pieces(issue, interval, up, pieces.starts.take(kept), pieces.ends.take(kept))
