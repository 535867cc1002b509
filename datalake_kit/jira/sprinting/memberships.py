"""Which issue was in which sprint, when it was done and what it was estimated at, from instant to instant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.jira.fields.names import ATTRIBUTE
from datalake_kit.jira.history.calendar import to_micros
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.history.estimate import estimate_column, estimates
from datalake_kit.jira.history.intervals import as_intervals
from datalake_kit.jira.history.issue_rows import check_changes, is_told_of, require_status, rows_of, with_rows
from datalake_kit.jira.history.issue_versions import read_instants
from datalake_kit.jira.history.phases import PHASES, is_in
from datalake_kit.jira.history.steps import Codes, Flags, Steps
from datalake_kit.jira.relations.sprint_table import sprints as sprints_of
from datalake_kit.jira.sprinting.stays import Stays, ids_in
from datalake_kit.jira.sprinting.version_ids import add_ids

_DATES = ("start", "end", "completed")
_ORDER = {"future": 0, "active": 1, "closed": 2}
_NAMES = {"sprint_id", "sprint", "state", "board_id", *_DATES}


@dataclass(frozen=True)
class Request:
    """What the measures of sprints are asked with; see `sprint_report`."""

    points: str | None = None
    done: Any = "Done"
    phases: Any = None
    sprints: pd.DataFrame | None = None
    sprint_field: str | None = None
    subtasks: bool = False
    until: Any = None


@dataclass(frozen=True)
class SprintHistory:
    """Everything of issues that were ever in a sprint. Codes of issues and sprints are rows of the two frames."""

    issues: pd.DataFrame  # id, key, is_subtask, problem
    sprints: pd.DataFrame  # sprint_id, sprint, state, start, end, completed, board_id
    until: pd.Timestamp
    points_field: str | None
    pair_issue: Codes
    pair_sprint: Codes
    contradicted: Flags  # by pair: the changelog and the present sprints of the issue disagree
    member: Steps  # by pair
    done: Steps  # by issue
    points: Steps  # by issue
    unseen: Steps  # by issue: a step where a history that has no beginning begins


def gather(df: pd.DataFrame, changes: pd.DataFrame | None, request: Request, *only: Any) -> SprintHistory:
    """Read the history of the issues that were ever in a sprint, or in one sprint `only` (its id or its name).

    Raises
    ------
    ColumnNotFoundError
        No `id` or `key`, no field of sprints, or no column `points` where one was named.
    DataError
        No changelog, no sprint, a changelog that names sprints without their ids, statuses without a phase.
    """
    points = estimate_column(df, request.points)
    newest = _newest(df)
    present = sprints_of(newest, request.sprint_field)
    given = changes is not None
    if given:
        check_changes(changes)
    if changes is None:
        changes = changelog(df, fields=_fields(df, points))
    moves = add_ids(_sprint_changes(changes, df, newest, request.sprint_field), df)
    if given and moves.empty:
        _refuse_silence(df, present, request.sprint_field)
    known = _sprint_table(present, moves, newest, request.sprints)
    if only:
        known = known[known["sprint_id"] == find_sprint(known, *only)].reset_index(drop=True)
    stays = Stays.of(newest, present, moves, known)
    if given:
        require_status(changes, df)
    chosen = np.isin(stays.pair_sprint, known["sprint_id"].to_numpy())
    until, phases = _until(request.until, df, changes), _categories(df) if request.phases is None else request.phases
    if only:
        ids = newest["id"].iloc[np.unique(stays.pair_issue[chosen])]
        changes, df = changes[changes["id"].isin(ids)], df[df["id"].isin(ids)]
    if given and "landed" not in df.columns:
        df = df.drop(columns="changelog", errors="ignore")  # it would be read for what it lacks alone
    return _History(newest, changes, df, request.done, phases, until, points).build(known, stays, chosen)


def _refuse_silence(df: pd.DataFrame, present: pd.DataFrame, asked: str | None) -> None:
    """Changes that were given tell of no sprint: refuse when the issues show that there were some."""
    names = {"Sprint", *(r["name"] for r in df.attrs.get(ATTRIBUTE, []) if r["rule"] == "sprint")}
    told = next((name for name in sorted(names if asked is None else {asked, *names}) if is_told_of(df, name)), None)
    several = present["key"][present["sprint_id"].notna() & present["id"].duplicated()]
    if told is None and several.empty:
        return
    why = f"{several.iloc[0]} is in several sprints" if told is None else f"the changelogs of the issues tell of {told}"
    raise DataError(
        f"changes has no change of the field of sprints, but {why}. Give the changes of all fields, of these issues: "
        "dk.jira.changelog(issues) without fields=, or leave changes= out."
    )


def find_sprint(known: pd.DataFrame, sprint: Any) -> int:
    """The id of a sprint that is given by its id or its name.

    Raises
    ------
    DataError
        There is none, or several of that name.
    ParameterError
        Neither an id nor a name.
    """
    if not isinstance(sprint, str | int | np.integer) or isinstance(sprint, bool):
        raise ParameterError(f"sprint={sprint!r} is neither the id nor the name of a sprint.")
    if isinstance(sprint, str):
        ids = known.loc[known["sprint"] == sprint, "sprint_id"]
        if len(ids) > 1:
            raise DataError(f"{len(ids)} sprints are named {sprint!r}: give one of the ids {', '.join(map(str, ids))}.")
    else:
        ids = known.loc[known["sprint_id"] == sprint, "sprint_id"]
    if not len(ids):
        latest = known.tail(5)
        names = ", ".join(f"{row.sprint_id} ({row.sprint})" for row in latest.itertuples())
        raise DataError(f"No issue was ever in a sprint {sprint!r}. The latest of {len(known)} sprints: {names}.")
    return int(ids.iloc[0])


def _fields(df: pd.DataFrame, points: str | None) -> list[str]:
    """Names and ids of the fields whose changes are read."""
    records = [r for r in df.attrs.get(ATTRIBUTE, []) if r["rule"] == "sprint" or r["column"] == points]
    estimate = [] if points is None else [points, *(r["name"] for r in records if r["column"] == points)]
    named = [name for name in ("Story Points", "Story point estimate") if points is not None and not records]
    return ["status", "Sprint", *(r["field"] for r in records), *(r["name"] for r in records), *estimate, *named]


def _newest(df: pd.DataFrame) -> pd.DataFrame:
    """One row an issue: of versions the newest, by `updated`, then by when it landed, then by their order."""
    for name in ("id", "key"):
        if name not in df.columns:
            raise ColumnNotFoundError(f"The frame has no column {name!r}. Give a frame of dk.jira.load(...).frame().")
    newest = df.drop(columns="changelog", errors="ignore")
    if "landed" in df.columns:
        order = np.lexsort([read_instants(df, name) for name in ("landed", "updated")])
        places = pd.Series(order, index=newest["id"].iloc[order]).groupby(level=0, dropna=False).last()
        newest = newest.iloc[np.sort(places.to_numpy())]
    if newest["id"].isna().any() or newest["id"].duplicated().any():
        raise DataError("An issue has no id, or an id comes twice. Give one row an issue, or versions with `landed`.")
    return newest.reset_index(drop=True)


def _sprint_changes(changes: pd.DataFrame, df: pd.DataFrame, newest: pd.DataFrame, asked: str | None) -> pd.DataFrame:
    """Changes of the field of sprints, with the row of their issue, in order of time."""
    records = [
        r for r in df.attrs.get(ATTRIBUTE, []) if r["rule"] == "sprint" and r["field"].startswith("customfield_")
    ]
    wanted = (asked or "sprint").casefold()
    named = [r for r in records if wanted in (r["name"].casefold(), r["column"].casefold())]
    fields = {r["field"] for r in named or records}
    names = {"Sprint", *(r["name"] for r in named or records)}
    by_id = changes["field_id"].isin(fields)
    unnamed = changes["field"].isin(names) & (changes["field_id"].isna() | (not fields))
    return with_rows(changes[by_id | unnamed], newest)


def _sprint_table(
    present: pd.DataFrame, moves: pd.DataFrame, newest: pd.DataFrame, given: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a sprint, by start and id. An issue holds a sprint as it was when the issue came: the latest tells."""
    updated = newest["updated"] if "updated" in newest else pd.Series(pd.NaT, index=newest.index)
    row = rows_of(present["id"], newest)
    rank = present["state"].map(_ORDER).fillna(-1)
    told = present.assign(updated=updated.array[row], rank=rank).sort_values(["updated", "rank"], na_position="first")
    known = told[told["sprint_id"].notna()].drop_duplicates("sprint_id", keep="last")
    named = pd.concat([ids_in(moves["from_value"]), ids_in(moves["to_value"])]).drop_duplicates()
    only_named = pd.DataFrame({"sprint_id": named[~named.isin(known["sprint_id"])]})
    columns = ["sprint_id", "sprint", "state", *_DATES, "board_id"]
    table = known[columns].astype({"sprint_id": "int64"})
    if len(only_named):
        table = pd.concat([table, only_named])
    if given is not None:
        table = _override(table, given)
    if not len(table):
        raise DataError("No issue was ever in a sprint: there is nothing to measure.")
    return table.astype({"sprint_id": "int64"}).sort_values(["start", "sprint_id"]).reset_index(drop=True)


def _override(table: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """What the caller knows of sprints goes before what the issues say."""
    if not isinstance(given, pd.DataFrame) or "sprint_id" not in given.columns or not len(_NAMES & set(given.columns)):
        raise ColumnNotFoundError(f"sprints= needs the column sprint_id, and of {sorted(_NAMES)} what is known.")
    better = given[[c for c in given.columns if c in _NAMES]].drop_duplicates("sprint_id", keep="last")
    better = better.assign(sprint_id=_read_ids(better["sprint_id"]))
    for name in set(_DATES) & set(better.columns):
        better = better.assign(**{name: _read_dates(better[name])})
    if "state" in better.columns:
        better = better.assign(state=_read_states(better["state"]))
    merged = better.set_index("sprint_id").combine_first(table.set_index("sprint_id")).reset_index()
    return merged[merged["sprint_id"].isin(table["sprint_id"])][table.columns]


def _read_ids(ids: pd.Series[Any]) -> pd.Series[int]:
    try:
        return pd.to_numeric(ids).astype("int64")
    except (ValueError, TypeError) as error:
        raise DataError(f"sprints= has a sprint_id that is no whole number ({error}).") from error


def _read_dates(dates: pd.Series[Any]) -> pd.Series[Any]:
    try:
        return pd.to_datetime(dates, utc=True).astype("datetime64[us, UTC]")
    except (ValueError, TypeError) as error:
        raise DataError(f"sprints= has a {dates.name} that is no instant ({error}).") from error


def _read_states(states: pd.Series[Any]) -> pd.Series[str]:
    folded = states.astype("str").str.casefold()
    wrong = folded.notna() & ~folded.isin(_ORDER)
    if wrong.any():
        raise DataError(
            f"sprints= has the state {states[wrong].iloc[0]!r}. {did_you_mean(str(states[wrong].iloc[0]), _ORDER)}"
        )
    return folded


@dataclass(frozen=True)
class _History:
    newest: pd.DataFrame
    changes: pd.DataFrame
    df: pd.DataFrame
    done_is: Any
    phases: Any
    until: pd.Timestamp
    points: str | None

    def build(self, known: pd.DataFrame, stays: Stays, chosen: Flags) -> SprintHistory:
        """Histories of the chosen pairs, and of no other issue."""
        rows, pair_issue = np.unique(stays.pair_issue[chosen], return_inverse=True)
        wanted = ["id", "key", "created", "issue_type_is_subtask", self.points]
        newest = self.newest[[c for c in wanted if c in self.newest.columns]].iloc[rows].reset_index(drop=True)
        intervals = as_intervals(self.df, changes=self.changes, phases=self.phases, until=self.until)
        row = rows_of(intervals["id"], newest)
        intervals, row = intervals[row >= 0], row[row >= 0]
        points, estimated = estimates(newest, self.changes, self.points)
        problem = _first(intervals["problem"], row, len(newest)).fillna(estimated)
        issues = newest[["id", "key"]].assign(is_subtask=_are_subtasks(newest), problem=problem)
        pair_sprint = pd.Index(known["sprint_id"]).get_indexer(pd.Index(stays.pair_sprint[chosen]))
        member = stays.member.of_things(np.flatnonzero(chosen))
        contradicted = stays.contradicted[chosen]
        done = _done_steps(intervals, row, self.done_is, len(newest))
        unseen = _unseen(intervals, row, len(newest))
        return SprintHistory(
            issues, known, self.until, self.points, pair_issue, pair_sprint, contradicted, member, done, points, unseen
        )  # fmt: skip


def _until(value: Any, df: pd.DataFrame, changes: pd.DataFrame) -> pd.Timestamp:
    """The instant up to which history is known: as given, else the latest in the data."""
    if value is None:
        columns = [df[name] for name in ("updated", "landed") if name in df.columns]
        latest: pd.Timestamp = pd.Series([c.max() for c in [*columns, changes["changed_at"]]]).max()
        return latest
    try:
        until = pd.Timestamp(value if isinstance(value, str | date | np.datetime64) else "")
    except (ValueError, TypeError) as error:
        raise ParameterError(f"until={value!r} is no instant, such as '2026-03-31T17:00Z' ({error}).") from error
    if pd.isna(until):
        raise ParameterError(f"until={value!r} is no instant, such as '2026-03-31T17:00Z'.")
    return until.tz_localize("UTC") if until.tzinfo is None else until.tz_convert("UTC")


def _done_steps(intervals: pd.DataFrame, row: Codes, wanted: Any, count: int) -> Steps:
    done = is_in(intervals, wanted).to_numpy(dtype=bool)
    low, high = to_micros(intervals["start_not_before"]), to_micros(intervals["start_not_after"])
    return Steps.of(row, to_micros(intervals["start"]), done, count, low=low, high=high).flips()


def _unseen(intervals: pd.DataFrame, row: Codes, count: int) -> Steps:
    """When each issue was first seen: nothing is known of it before. No step of one that is told of from the start."""
    first = (intervals["status"].isna() & (intervals["position"] == 0)).to_numpy(dtype=bool)
    begun, seen = to_micros(intervals["start"][first]), to_micros(intervals["end"][first])
    return Steps.of(row[first], seen, np.ones(first.sum(), dtype=bool), count, low=begun)


def _first(texts: pd.Series[Any], row: Codes, count: int) -> pd.Series[str]:
    """The first text of each issue; missing where it has none."""
    told = texts.notna().to_numpy()
    rows, places = np.unique(row[told], return_index=True)
    found = np.full(count, None, dtype=object)
    found[rows] = texts[told].iloc[places]
    return pd.Series(found, dtype="str")


def _categories(df: pd.DataFrame) -> dict[str, str]:
    """The phase of each status by its category, of all issues: those of one sprint may not show every status now."""
    if "status_category" not in df.columns or "status" not in df.columns:
        return {}
    columns = [c for c in ("status", "status_id", "status_category") if c in df.columns]
    known = df[columns].drop_duplicates(keep="last")
    known = known[known["status_category"].isin(PHASES)]
    named = known[["status", "status_category"]].drop_duplicates()
    named = named[~named["status"].duplicated(keep=False)]
    pairs = [*zip(named["status"], named["status_category"], strict=True)]
    if "status_id" in columns:
        pairs += zip(known["status_id"], known["status_category"], strict=True)
    return {str(status): phase for status, phase in pairs if pd.notna(status)}


def _are_subtasks(newest: pd.DataFrame) -> pd.Series[bool]:
    if "issue_type_is_subtask" not in newest:
        return pd.Series(False, index=newest.index)
    return newest["issue_type_is_subtask"].fillna(False).astype(bool)
