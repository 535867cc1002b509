"""What changed in issues, when, and how well it is known: from changelogs, else from versions. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.fields.plan import connect
from datalake_kit.jira.history.changelog_entries import read_entries
from datalake_kit.jira.history.issue_versions import register_versions, to_writable
from datalake_kit.jira.history.version_changes import compared_fields, differences, register_values

COLUMNS = (
    "id", "key", "field", "field_id", "from_value", "from_text", "to_value", "to_text", "changed_at", "not_before",
    "not_after", "exact", "author", "author_account_id", "source",
)  # fmt: skip


def changelog(df: pd.DataFrame, *, fields: Iterable[str] | str | None = None) -> pd.DataFrame:
    """Find what changed in each issue, when, and within which bounds that is known.

    An issue with an expanded changelog (a column `changelog` beside the fields) has its changes from there, each at
    its instant. For the others, and after the newest version that carries one, the differences between the versions
    tell: then a change lies between `updated` of the older version and `updated` of the newer one, and what was changed
    and changed back in between leaves no trace.

    Parameters
    ----------
    df
        Issues of `dk.jira.load(...).frame()` with a column `changelog` (Jira's JSON as text or as dicts; a page with
        `histories` or `values`, or a list of entries), or all their versions, of `dk.jira.load(...).versions()`.
    fields
        Only changes of these fields, by the names that Jira's changelog has for them (`"status"`, `"Sprint"`), by id
        or by column. None: all. A field that never changed has no rows.

    Returns
    -------
    DataFrame
        One row a changed item, sorted by `id`, `changed_at` and their order in Jira: `id`, `key` (as it is now),
        `field`, `field_id`, `from_value` and `to_value` (ids), `from_text` and `to_text`, `changed_at`, `not_before`
        and `not_after` (UTC), `exact` (the three are one), `author`, `author_account_id`, `source` ("changelog" or
        "versions").

        Of a difference between versions `changed_at` is `not_after`; but where the category of the status changed and
        `status_category_changed` lies within the bounds, it is that. Values are compared by id where both have one: a
        status that was renamed did not change. Lists (versions, components, sprints) are compared as a whole. An entry
        that several versions carry counts once.

    Raises
    ------
    ColumnNotFoundError
        No `id`.
    DataError
        There is neither a changelog nor a second version of any issue; a row without id.

    Notes
    -----
    What could not be read (changelogs cut short, entries without an instant, versions without `updated`) is counted by
    `history_report`.

    Examples
    --------
    >>> text = '''{"histories": [{"id": "7", "created": "2026-03-02T09:00:00.000+0000", "items": [
    ...     {"field": "status", "from": "1", "fromString": "Open", "to": "3", "toString": "In Progress"}]}]}'''
    >>> issues = pd.DataFrame({"id": ["10"], "key": ["A-1"], "changelog": [text]})
    >>> changelog(issues)[["key", "from_text", "to_text", "exact"]].to_dict("records")
    [{'key': 'A-1', 'from_text': 'Open', 'to_text': 'In Progress', 'exact': True}]
    """
    wanted = None if fields is None else [fields] if isinstance(fields, str) else list(fields)
    with connect() as connection:
        read_history(connection, df, wanted)
        table = connection.sql(_SORTED).to_arrow_table()
    return to_writable(table)


def history_report(df: pd.DataFrame) -> pd.DataFrame:
    """Account for the history of each issue: where it comes from, and what of it is missing.

    Parameters
    ----------
    df
        As for `changelog`.

    Returns
    -------
    DataFrame
        One row an issue, in the order of the frame: `id`, `key`, `source` ("changelog", "versions", or missing where
        the issue has but one version and no changelog), `versions`, `undated_versions` (without `updated`: left out),
        `entries` (of the changelog, each once), `missing_entries` (that Jira counted and did not send),
        `undated_entries` (without an instant: left out), `unreadable` (versions whose changelog is no JSON of Jira).

    Raises
    ------
    ColumnNotFoundError, DataError
        As for `changelog`.

    Examples
    --------
    >>> cut = '{"total": 120, "histories": []}'
    >>> history_report(pd.DataFrame({"id": ["10"], "changelog": [cut]}))["missing_entries"].to_list()
    [120]
    """
    with connect() as connection:
        read_history(connection, df, [])
        table = connection.sql(_REPORT).to_arrow_table()
    return to_writable(table)


def read_history(
    connection: duckdb.DuckDBPyConnection, df: pd.DataFrame, fields: list[str] | None, *, authors: bool = True
) -> bool:
    """Make the tables `_versions`, `_items`, `_changelogs` and the view `_changes` in the connection.

    Returns whether each issue has but one version.
    """
    single = register_versions(connection, df)
    _check_history(df, single=single)
    compared = compared_fields(df, fields)
    names = [name for each in compared for name in (each.field, each.field_id) if name]
    read_entries(connection, None if fields is None else [*fields, *names], authors=authors)
    register_values(connection, df, compared)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW _changes AS {_CHANGES.format(differences=differences(compared))}")
    return single


def _check_history(df: pd.DataFrame, *, single: bool) -> None:
    if not len(df) or "landed" in df.columns or not single:
        return
    if "changelog" not in df.columns or df["changelog"].isna().all():
        raise DataError(
            "These issues have no history: no column changelog, and one version of each issue. Have Jira expand the "
            "changelog (expand=changelog), or give all versions: dk.jira.load(...).versions()."
        )


_CHANGES = """
    SELECT id, field, field_id, from_value, from_text, to_value, to_text, moment AS changed_at, moment AS not_before,
           moment AS not_after, true AS exact, author, author_account_id, 'changelog' AS source,
           TRY_CAST(entry AS HUGEINT) AS entry, place, item
    FROM _items WHERE moment IS NOT NULL AND item IS NOT NULL AND field IS NOT NULL
    UNION ALL
    SELECT id, field, field_id, from_value, from_text, to_value, to_text, changed_at, not_before, not_after,
           false AS exact, NULL AS author, NULL AS author_account_id, 'versions' AS source,
           NULL AS entry, version AS place, item
    FROM ({differences})
"""
# Entries of one instant: by their numbers, which Jira counts up.
_SORTED = f"""
    SELECT {", ".join(COLUMNS)}
    FROM _changes JOIN (SELECT id, arg_max_null(key, version) AS key FROM _versions GROUP BY id) USING (id)
    ORDER BY id, changed_at, entry NULLS FIRST, place, item
"""
_REPORT = """
    SELECT id, key, CASE WHEN readable > 0 THEN 'changelog' WHEN versions > 1 THEN 'versions' END AS source,
           versions, undated_versions, coalesce(entries, 0) AS entries, coalesce(missing_entries, 0) AS missing_entries,
           coalesce(undated_entries, 0) AS undated_entries, coalesce(unreadable, 0) AS unreadable
    FROM (
        SELECT id, arg_max_null(key, version) AS key, count(*) AS versions, min(row) AS row,
               count(*) FILTER (dated AND updated IS NULL) AS undated_versions
        FROM _versions GROUP BY id
    ) LEFT JOIN _accounts USING (id)
    ORDER BY row
"""
