"""Changes from expanded changelogs: the JSON of Jira Server and Jira Cloud, read by DuckDB. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb

from datalake_kit.jira.fields.plan import literal

_ITEM = dict.fromkeys(("field", "fieldId", "from", "fromString", "to", "toString"), "VARCHAR")
_AUTHOR = dict.fromkeys(("displayName", "name", "emailAddress", "key", "accountId"), "VARCHAR")
_NOBODY = ("CAST(NULL AS VARCHAR)", "CAST(NULL AS VARCHAR)")
_SOMEBODY = (
    "coalesce(h.author.displayName, h.author.name, h.author.emailAddress, h.author.key, h.author.accountId)",
    "coalesce(h.author.accountId, h.author.key, h.author.name)",
)

# A page of Jira (`histories` of an issue asked with its changelog, `values` of the changelog asked for alone), or its
# list of entries alone.
_TEXT = "CASE WHEN starts_with(ltrim(changelog), '[') THEN '{\"histories\":' || changelog || '}' ELSE changelog END"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"  # without it, it is not known when it was
_MOMENT = f"""
    CASE WHEN regexp_matches(h.created, '{_OFFSET}') THEN TRY_CAST(h.created AS TIMESTAMPTZ)
         WHEN regexp_full_match(h.created, '\\d{{11,14}}') THEN make_timestamptz(CAST(h.created AS BIGINT) * 1000) END
"""

# One row an item; an entry without items, and a changelog without entries, has one row without item.
_ITEMS = """
    CREATE OR REPLACE TEMP TABLE _items AS
    SELECT row, id, readable, total, length, h IS NOT NULL AS has_entry, place, h.id AS entry,
           {moment} AS moment,
           {author} AS author, {account} AS author_account_id, item, i.field AS field, i.fieldId AS field_id,
           i."from" AS from_value, i.fromString AS from_text, i."to" AS to_value, i.toString AS to_text
    FROM (
        SELECT * EXCLUDE (items), unnest(items) AS i, generate_subscripts(items, 1) AS item
        FROM (
            SELECT *, CASE WHEN len({wanted}) > 0 THEN {wanted} ELSE [NULL] END AS items
            FROM (
                SELECT row, id, list IS NOT NULL AS readable, TRY_CAST(total AS BIGINT) AS total,
                       coalesce(len(list), 0) AS length,
                       unnest(CASE WHEN len(list) > 0 THEN list ELSE [NULL] END) AS h,
                       generate_subscripts(CASE WHEN len(list) > 0 THEN list ELSE [NULL] END, 1) AS place
                FROM (
                    SELECT row, id, d.total AS total, coalesce(d.histories, d."values") AS list
                    FROM (
                        SELECT row, id, json_transform({text}, {shape}) AS d FROM _frame WHERE changelog IS NOT NULL
                    )
                )
            )
        )
    )
"""


def read_entries(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[str] | None = None, *, authors: bool = True
) -> None:
    """Make the table `_items`: the items of all changelogs of `_frame`, each once an issue.

    `fields`: only items of these fields, by name or id. The tables `_changelogs` (row, id, version, readable, total,
    length) and `_accounts` (by id: how many entries there are, and what of them is missing) say what was read.
    """
    entry: dict[str, Any] = {"id": "VARCHAR", "created": "VARCHAR", "items": [_ITEM]}
    entry |= {"author": _AUTHOR} if authors else {}
    shape = literal(json.dumps({"total": "VARCHAR", "histories": [entry], "values": [entry]}))
    author, account = _SOMEBODY if authors else _NOBODY
    fill = {"moment": _MOMENT, "author": author, "account": account, "wanted": _wanted(fields), "shape": shape}
    try:
        connection.execute(_ITEMS.format(text=_TEXT, **fill))
    except duckdb.InvalidInputException:  # malformed JSON
        checked = f"CASE WHEN json_valid(changelog) THEN {_TEXT} END"
        connection.execute(_ITEMS.format(text=checked, **fill))
    connection.execute(_CHANGELOGS)
    (repeated,) = connection.sql(_REPEATED).fetchall()[0]
    if repeated:
        connection.execute(_EACH_ONCE)
    connection.execute(_ACCOUNTS.format(entries=_COUNTED if repeated else _LENGTHS))


def read_no_entries(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the same tables without looking at a changelog."""
    connection.execute("CREATE OR REPLACE TEMP TABLE _changelogs (id VARCHAR, version BIGINT, readable BOOLEAN)")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _accounts (id VARCHAR, readable BIGINT, unreadable BIGINT, entries BIGINT, "
        "missing_entries BIGINT, undated_entries BIGINT)"
    )


def _wanted(fields: Sequence[str] | None) -> str:
    if fields is None:
        return "h.items"
    if not fields:
        return "[]"
    names = ", ".join(literal(name.casefold()) for name in fields)
    return f"list_filter(h.items, lambda e: lower(e.field) IN ({names}) OR lower(e.fieldId) IN ({names}))"


_CHANGELOGS = """
    CREATE OR REPLACE TEMP TABLE _changelogs AS
    SELECT row, v.id, version, readable, total, length
    FROM _items i JOIN _versions v USING (row) WHERE place = 1 AND item = 1
"""
_REPEATED = """
    SELECT (SELECT count(*) > count(DISTINCT id) FROM _changelogs)
        OR (SELECT count(*) <> count(DISTINCT (row, entry)) FROM _items WHERE item = 1 AND has_entry)
"""
# The copy in the newest version counts. Entries without id are told apart by all that they say.
_EACH_ONCE = """
    CREATE OR REPLACE TEMP TABLE _items AS
    SELECT * EXCLUDE (version) FROM (SELECT i.*, v.version FROM _items i JOIN _versions v USING (row))
    QUALIFY CASE WHEN entry IS NOT NULL
        THEN dense_rank() OVER (PARTITION BY id, entry ORDER BY version DESC, place) = 1
        ELSE row_number() OVER (
            PARTITION BY id, moment, author_account_id, field, from_value, from_text, to_value, to_text
            ORDER BY version DESC, place, item
        ) = 1 END
"""
_LENGTHS = "SELECT id, length AS entries FROM _changelogs"
_COUNTED = "SELECT id, count(DISTINCT (row, place)) AS entries FROM _items WHERE has_entry GROUP BY id"
_ACCOUNTS = """
    CREATE OR REPLACE TEMP TABLE _accounts AS
    SELECT id, readable, unreadable, coalesce(entries, 0) AS entries, coalesce(undated_entries, 0) AS undated_entries,
           greatest(coalesce(total, 0) - coalesce(entries, 0), 0) AS missing_entries
    FROM (
        SELECT id, count(*) FILTER (readable) AS readable, count(*) FILTER (NOT readable) AS unreadable,
               max(total) AS total
        FROM _changelogs GROUP BY id
    ) LEFT JOIN ({entries}) USING (id) LEFT JOIN (
        SELECT id, count(DISTINCT (row, place)) AS undated_entries FROM _items WHERE has_entry AND moment IS NULL
        GROUP BY id
    ) USING (id)
"""
