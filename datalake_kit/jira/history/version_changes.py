"""Changes from the differences between the versions of an issue. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from datalake_kit.jira.fields.names import ATTRIBUTE
from datalake_kit.jira.fields.plan import literal
from datalake_kit.jira.history.issue_versions import as_texts

# column -> what Jira's changelog calls the field, the column of its id
_CANONICAL: dict[str, tuple[str, str | None]] = {
    "status": ("status", "status_id"),
    "assignee": ("assignee", "assignee_account_id"),
    "reporter": ("reporter", "reporter_account_id"),
    "priority": ("priority", "priority_id"),
    "resolution": ("resolution", "resolution_id"),
    "issue_type": ("issuetype", "issue_type_id"),
    "summary": ("summary", None),
    "description": ("description", None),
    "environment": ("environment", None),
    "due_date": ("duedate", None),
    "labels": ("labels", None),
    "components": ("Component", None),
    "fix_versions": ("Fix Version", None),
    "affects_versions": ("Version", None),
    "security_level": ("security", "security_level_id"),
    "original_estimate_seconds": ("timeoriginalestimate", None),
    "remaining_estimate_seconds": ("timeestimate", None),
    "time_spent_seconds": ("timespent", None),
    "project": ("project", None),
    "key": ("Key", None),
    "parent_key": ("IssueParentAssociation", "parent_id"),
    "sprint_all": ("Sprint", None),
    "epic_link": ("Epic Link", None),
    "story_points": ("Story Points", None),
    "flagged": ("Flagged", None),
}


@dataclass(frozen=True)
class Compared:
    """A field whose values are compared from version to version: its name in a changelog, and its columns."""

    field: str
    field_id: str | None
    text: str
    value: str | None


def compared_fields(df: pd.DataFrame, wanted: Sequence[str] | None = None) -> list[Compared]:
    """Which fields of a frame of versions can be compared.

    Those whose columns have the usual names, and where the frame tells which column is which field, all others too,
    under their business names. Columns that change by themselves (votes, watches, progress ...) are none.
    """
    found = [_canonical(df, column, *about) for column, about in _CANONICAL.items() if column in df.columns]
    known = {each.text for each in found}
    for record in df.attrs.get(ATTRIBUTE, []):
        if record["field"].startswith("customfield_") and record["column"] in df.columns:
            found += _custom(df, record, known)
    folded = None if wanted is None else {name.casefold() for name in wanted}
    return [c for c in found if folded is None or folded & {n.casefold() for n in (c.field, c.text, c.field_id or "")}]


def _canonical(df: pd.DataFrame, column: str, field: str, value: str | None) -> Compared:
    ids = {record["column"]: record["field"] for record in df.attrs.get(ATTRIBUTE, [])}
    return Compared(field, ids.get(column), column, value if value in df.columns else None)


def _custom(df: pd.DataFrame, record: dict[str, str], known: set[str]) -> list[Compared]:
    """A custom field by its main column; a sprint field by the names of all its sprints."""
    column, is_sprint = record["column"], record["rule"] == "sprint"
    if column in known or record["part"] != ("all" if is_sprint else ""):
        return []
    value = f"{column}_account_id" if f"{column}_account_id" in df.columns else None
    return [Compared("Sprint" if is_sprint else record["name"], record["field"], column, value)]


def register_values(connection: duckdb.DuckDBPyConnection, df: pd.DataFrame, compared: Sequence[Compared]) -> None:
    """Make the table `_values`: by row, the text `t` and the id `v` of each field."""
    columns = {"row": pa.array(range(len(df)), pa.int64())}
    for n, each in enumerate(compared):
        columns[f"t{n}"] = as_texts(df[each.text])
        columns[f"v{n}"] = as_texts(df[each.value]) if each.value else pa.nulls(len(df), pa.large_string())
    connection.register("_values", pa.table(columns))


def differences(compared: Sequence[Compared]) -> str:
    """SQL for the changes between neighbouring versions that no changelog tells of.

    Values are compared by their ids where both have one, so another name for the same thing is no change.
    """
    lags = ", ".join(f"lag(t{n}) OVER w AS pt{n}, lag(v{n}) OVER w AS pv{n}, t{n}, v{n}" for n in range(len(compared)))
    pairs = f"""
        WITH _told AS (SELECT id, max(version) AS told FROM _changelogs WHERE readable GROUP BY id),
        _pairs AS (
            SELECT id, version, instant AS not_after, lag(instant) OVER w AS not_before, status_category_changed,
                   status_category, lag(status_category) OVER w AS category_before, told{"," if lags else ""} {lags}
            FROM _versions JOIN _values USING (row) LEFT JOIN _told USING (id)
            WHERE instant IS NOT NULL WINDOW w AS (PARTITION BY id ORDER BY version)
        )
    """
    selects = [_difference(n, each) for n, each in enumerate(compared)] or [_NO_DIFFERENCE]
    return pairs + " UNION ALL ".join(selects)


def _difference(number: int, each: Compared) -> str:
    old, new, old_id, new_id = f"pt{number}", f"t{number}", f"pv{number}", f"v{number}"
    by_id = f"{old_id} IS NOT NULL AND {new_id} IS NOT NULL"
    differs = f"CASE WHEN {by_id} THEN {old_id} <> {new_id} ELSE {old} IS DISTINCT FROM {new} END"
    changed = _STATUS_CHANGED if each.field == "status" else "not_after"
    field_id = literal(each.field_id) if each.field_id else "CAST(NULL AS VARCHAR)"
    return f"""
        SELECT id, version, {number} AS item, {literal(each.field)} AS field, {field_id} AS field_id,
               {old_id} AS from_value, {old} AS from_text, {new_id} AS to_value, {new} AS to_text,
               {changed} AS changed_at, not_before, not_after
        FROM _pairs WHERE not_before IS NOT NULL AND version > coalesce(told, 0) AND {differs}
    """


_STATUS_CHANGED = """
    CASE WHEN status_category IS DISTINCT FROM category_before AND status_category_changed > not_before
              AND status_category_changed <= not_after THEN status_category_changed ELSE not_after END
"""
_NO_DIFFERENCE = """
    SELECT id, version, 0 AS item, CAST(NULL AS VARCHAR) AS field, CAST(NULL AS VARCHAR) AS field_id,
           CAST(NULL AS VARCHAR) AS from_value, CAST(NULL AS VARCHAR) AS from_text, CAST(NULL AS VARCHAR) AS to_value,
           CAST(NULL AS VARCHAR) AS to_text, not_after AS changed_at, not_before, not_after
    FROM _pairs WHERE false
"""
