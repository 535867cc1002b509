"""What is known of the statuses of issues, as arrays: creation, first and present status, changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.fields.plan import connect
from datalake_kit.jira.history.calendar import NO_INSTANT, to_micros
from datalake_kit.jira.history.changelog import read_history
from datalake_kit.jira.history.changelog_entries import read_entries, read_no_entries
from datalake_kit.jira.history.issue_rows import check_changes, require_status
from datalake_kit.jira.history.issue_versions import as_texts, register_versions
from datalake_kit.jira.history.statuses import Codes, Mentions, Statuses, code_statuses

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class StatusChanges:
    """Changes of status, sorted by issue and instant: place of the issue, bounds in microseconds, codes of statuses."""

    issue: Codes
    at: Codes
    not_before: Codes
    not_after: Codes
    before: Codes
    after: Codes


@dataclass(frozen=True)
class IssueHistory:
    """Issues by id, as arrays of one length, and their changes. Instants are microseconds, `NO_INSTANT` for none."""

    issues: pa.Table  # id, key, row (of the newest version) and counts of what is missing
    created: Codes
    first_seen: Codes  # the instant of the first version
    category_changed: Codes  # when the first version says that the category of its status was entered
    updated: Codes  # the instant of the newest version
    told: Flags  # the history goes back to the creation
    first: Codes  # status of the first version
    present: Codes  # status of the newest version
    statuses: Statuses
    categories: dict[int, str]  # of statuses that some version is in
    changes: StatusChanges
    latest: int  # the latest instant that anything tells of


def read_issue_history(df: pd.DataFrame, changes: pd.DataFrame | None) -> IssueHistory:
    """Read issues or their versions, and their changes of status, which are found when they are not given."""
    _check(df)
    with connect() as connection:
        if changes is None:
            single = read_history(connection, df, ["status"], authors=False)
            moves = connection.sql(_FOUND).to_arrow_table()
        else:
            moves = _given(changes, df)
            single = register_versions(connection, df)
            _read_what_is_missing(connection, df)
        query = _ISSUES.format(**(_ONE_VERSION if single else _SEVERAL_VERSIONS))
        issues = connection.sql(query).to_arrow_table()
        states = connection.sql(_STATES).to_arrow_table()
    dated = "landed" in df.columns or "changelog" in df.columns
    return _assemble(issues, states, moves, dated=dated)


def _check(df: pd.DataFrame) -> None:
    if "status" not in df.columns:
        unpacked = " The fields are not unpacked yet." if "fields" in df.columns else ""
        raise ColumnNotFoundError(
            f"The frame has no column status.{unpacked} Give a frame of dk.jira.load(...).frame()."
        )


def _given(changes: pd.DataFrame, df: pd.DataFrame) -> pa.Table:
    """The changes of status of a frame of changes; refused when it has none and the changelogs tell of some."""
    check_changes(changes)
    of_jira = changes["field_id"].isna() | (changes["field_id"] == "status")  # a custom field may have that name, too
    moves = changes[(changes["field"] == "status") & of_jira]
    if moves["changed_at"].isna().any() or moves["id"].isna().any():
        raise DataError("changes has rows without id or changed_at: when they were is not known. Leave them out.")
    require_status(changes, df)
    texts = {n: as_texts(moves[n]) for n in ("id", "from_value", "from_text", "to_value", "to_text", "source")}
    instants = {n: pa.array(to_micros(moves[n])) for n in ("changed_at", "not_before", "not_after")}
    return pa.table(texts | instants)


def _read_what_is_missing(connection: duckdb.DuckDBPyConnection, df: pd.DataFrame) -> None:
    """Whether changelogs are whole, where the issues carry them."""
    if "changelog" in df.columns and df["changelog"].notna().any():
        read_entries(connection, [], authors=False)
    else:
        read_no_entries(connection)


def _assemble(issues: pa.Table, states: pa.Table, moves: pa.Table, *, dated: bool) -> IssueHistory:
    instants = {name: _micros(issues[name]) for name in ("created", "updated", "first_seen", "category_changed")}
    issue, moves = _place(issues, moves)
    at = _micros(moves["changed_at"])
    statuses, codes = code_statuses([
        Mentions(moves["from_value"], moves["from_text"], at),
        Mentions(moves["to_value"], moves["to_text"], at),
        Mentions(issues["first_status_id"], issues["first_status"], instants["first_seen"]),
        Mentions(issues["status_id"], issues["status"], instants["updated"]),
        Mentions(states["status_id"], states["status"], _micros(states["instant"])),
    ])  # fmt: skip
    changes = StatusChanges(issue, at, _micros(moves["not_before"]), _micros(moves["not_after"]), *codes[:2])
    latest = max([int(at.max(initial=NO_INSTANT)), int(_micros(issues["latest"]).max(initial=NO_INSTANT))])
    told = _told(issues, issue, moves["source"], dated=dated)
    return IssueHistory(
        issues, told=told, first=codes[2], present=codes[3], statuses=statuses,
        categories=_categories(codes[4], states), changes=changes, latest=latest, **instants,
    )  # fmt: skip


def _told(issues: pa.Table, issue: Codes, source: pa.ChunkedArray, *, dated: bool) -> Flags:
    """Of which issues the history goes back to the creation.

    They have a changelog, or nothing says that they have none. `dated`: the frame says of each whether it has one, or
    when its versions landed.
    """
    from_changelog = pc.equal(source, "changelog").to_numpy()
    in_changelog = np.bincount(issue[from_changelog], minlength=len(issues)) > 0
    in_versions = np.bincount(issue[~from_changelog], minlength=len(issues)) > 0
    several = issues["versions"].to_numpy() > 1
    told: Flags = (issues["readable"].to_numpy() > 0) | in_changelog | ~(in_versions | several | dated)
    return told


def _micros(column: pa.ChunkedArray) -> Codes:
    micros: Codes = pc.fill_null(column, NO_INSTANT).to_numpy()
    return micros


def _place(issues: pa.Table, moves: pa.Table) -> tuple[Codes, pa.Table]:
    """The place of the issue of each change; changes of issues that are not there are left out, the others sorted."""
    place = _find(moves["id"].combine_chunks(), issues["id"].combine_chunks())
    if (place < 0).any():
        moves, place = moves.filter(pa.array(place >= 0)), place[place >= 0]
    at = _micros(moves["changed_at"])
    later = np.diff(place) > 0
    if not (later | ((np.diff(place) == 0) & (np.diff(at) >= 0))).all():
        order = np.lexsort([at, place])
        place, moves = place[order], moves.take(order)
    return place, moves


def _find(ids: pa.Array, known: pa.Array) -> Codes:
    """The place of each id among the known ones, -1 where it is none of them; quick where equal ids stand together."""
    if not len(ids):
        return np.zeros(0, dtype=np.int64)
    begins = np.append(True, pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False))
    places = np.flatnonzero(begins)
    found = pc.fill_null(pc.index_in(ids.take(pa.array(places)), value_set=known), -1).to_numpy()
    return np.repeat(found.astype(np.int64), np.diff(np.append(places, len(ids))))


def _categories(codes: Codes, states: pa.Table) -> dict[int, str]:
    """The category that each status had last."""
    instants, names = _micros(states["instant"]), states["status_category"].to_pylist()
    order = np.argsort(instants, kind="stable")
    return {int(codes[n]): names[n] for n in order if names[n] is not None and codes[n] >= 0}


_FOUND = """
    SELECT id, from_value, from_text, to_value, to_text, source, epoch_us(changed_at) AS changed_at,
           epoch_us(not_before) AS not_before, epoch_us(not_after) AS not_after
    FROM _changes WHERE field = 'status' AND coalesce(field_id, 'status') = 'status'
    ORDER BY id, _changes.changed_at, entry NULLS FIRST, place, item
"""
_ISSUES = """
    SELECT n.id, n.key, n.row, epoch_us(n.created) AS created, epoch_us(n.instant) AS updated, n.status, n.status_id,
           epoch_us({f}.instant) AS first_seen, {f}.status AS first_status, {f}.status_id AS first_status_id,
           epoch_us({f}.status_category_changed) AS category_changed, undated_versions, epoch_us(latest) AS latest,
           coalesce(missing_entries, 0) AS missing_entries, coalesce(undated_entries, 0) AS undated_entries,
           coalesce(unreadable, 0) AS unreadable, coalesce(readable, 0) AS readable, versions
    FROM {sources} LEFT JOIN _accounts a ON a.id = n.id
    ORDER BY n.id
"""
_SEVERAL_VERSIONS = {
    "f": "f",
    "sources": """
    (
        SELECT id, max(version) AS newest, min(version) FILTER (instant IS NOT NULL) AS oldest, count(*) AS versions,
               count(*) FILTER (dated AND updated IS NULL) AS undated_versions,
               greatest(max(created), max(updated), max(landed)) AS latest
        FROM _versions GROUP BY id
    ) g
    JOIN _versions n ON n.id = g.id AND n.version = newest
    LEFT JOIN _versions f ON f.id = g.id AND f.version = oldest
""",
}
_ONE_VERSION = {
    "f": "n",
    "sources": """
    (SELECT *, 1 AS versions, 0 AS undated_versions, greatest(created, updated, landed) AS latest FROM _versions) n
""",
}
_STATES = """
    SELECT status_id, status, status_category, epoch_us(max(instant)) AS instant FROM _versions
    GROUP BY status_id, status, status_category
"""
