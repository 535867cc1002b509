"""Links between issues: as each issue shows them, as edges that occur once. Pure: frames in and out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from datalake_kit.jira.relations.entries import Column, open_lists, select, to_table
from datalake_kit.jira.relations.items import Issues, ListField, find_lists

_LINKS = ListField("issuelinks", "issue_links")
_NAMED = {"name": "VARCHAR"}
_OTHER: dict[str, Any] = {
    "id": "VARCHAR", "key": "VARCHAR",
    "fields": {"summary": "VARCHAR", "status": _NAMED, "issuetype": _NAMED, "priority": _NAMED},
}  # fmt: skip
_TYPE = {"id": "VARCHAR", "name": "VARCHAR", "inward": "VARCHAR", "outward": "VARCHAR"}
_SHAPE: dict[str, Any] = {"id": "VARCHAR", "type": _TYPE, "inwardIssue": _OTHER, "outwardIssue": _OTHER}

# A link may name both of its ends: then each is a row, but for the issue itself.
_SIDES = """
    SELECT *, 'outward' AS direction, e.outwardIssue AS other FROM _ends WHERE goes_out
    UNION ALL SELECT *, 'inward', e.inwardIssue FROM _ends WHERE comes_in
    UNION ALL SELECT *, NULL, NULL FROM _ends WHERE NOT goes_out AND NOT comes_in
"""
_ENDS = """
    SELECT *, outward IS NOT NULL AND NOT (inward IS NOT NULL AND outward IN (id, key)) AS goes_out,
           inward IS NOT NULL AND NOT (outward IS NOT NULL AND inward IN (id, key)) AS comes_in
    FROM (
        SELECT *, coalesce(e.outwardIssue.id, e.outwardIssue.key) AS outward,
               coalesce(e.inwardIssue.id, e.inwardIssue.key) AS inward FROM _entries
    )
"""
_COLUMNS = (
    Column("link_id", "e.id"), Column("link_type", "e.type.name"),
    Column("words", "CASE direction WHEN 'outward' THEN e.type.outward WHEN 'inward' THEN e.type.inward END"),
    Column("words_back", "CASE direction WHEN 'outward' THEN e.type.inward WHEN 'inward' THEN e.type.outward END"),
    Column("direction", "direction"), Column("other_id", "other.id"), Column("other_key", "other.key"),
    Column("other_summary", "other.fields.summary"), Column("other_status", "other.fields.status.name"),
    Column("other_issue_type", "other.fields.issuetype.name"), Column("other_priority", "other.fields.priority.name"),
)  # fmt: skip


def linked_issues(issues: Issues) -> pd.DataFrame:
    """List the links of each issue as that issue shows them: a link between two issues here is a row of both.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave (the one field that is needed is unpacked), a frame of it, or raw issues with `fields`.

    Returns
    -------
    DataFrame
        One row an issue and link: `id`, `key`, `link_id`, `link_type` ("Blocks"), `words` (read from this issue to the
        other: "is blocked by"), `words_back`, `direction` ("outward" or "inward"), `other_id`, `other_key` (its key
        now, where it is here: keys change when issues move), `other_here` (whether the other issue is among these),
        `other_summary`, `other_status`, `other_issue_type`, `other_priority` (as the link has them, which may be
        older than what the other issue says of itself), `problem` (an entry that is no object, or names no issue).

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> kind = '{"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}'
    >>> fields = '{"issuelinks": [{"type": ' + kind + ', "inwardIssue": {"id": "2", "key": "A-2"}}]}'
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})
    >>> linked_issues(raw)[["key", "words", "other_key", "other_here"]].values.tolist()
    [['A-1', 'is blocked by', 'A-2', False]]
    """
    return _run(issues, "SELECT * EXCLUDE (n, position) FROM _linked ORDER BY n, position, direction DESC")


def links(issues: Issues) -> pd.DataFrame:
    """List the links between issues as edges: each link once, though Jira shows it on both issues.

    Parameters
    ----------
    issues
        As for `linked_issues`.

    Returns
    -------
    DataFrame
        One row a link, from the issue that does (blocks, clones) to the one it is done to: `link_id`, `link_type`,
        `from_id`, `from_key`, `words` ("blocks"), `to_id`, `to_key`, `words_back` ("is blocked by"), `from_here`,
        `to_here` (whether the issue is among these), `seen_from` ("both", "from" or "to": which of the two issues show
        the link), `from_summary`, `from_status`, `to_summary`, `to_status` (as the other end of the link has them;
        missing where no other end is here), `problem`: an entry that could not be read, standing under `from_id` of
        its issue; or that both issues are here and one does not show the link (it was removed or made since the
        other was sent).

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> kind = '{"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}'
    >>> here = '{"issuelinks": [{"id": "7", "type": ' + kind + ', "outwardIssue": {"id": "2", "key": "A-2"}}]}'
    >>> there = '{"issuelinks": [{"id": "7", "type": ' + kind + ', "inwardIssue": {"id": "1", "key": "A-1"}}]}'
    >>> raw = pd.DataFrame({"id": ["1", "2"], "key": ["A-1", "A-2"], "fields": [here, there]})
    >>> links(raw)[["from_key", "words", "to_key", "seen_from"]].values.tolist()
    [['A-1', 'blocks', 'A-2', 'both']]
    """
    return _run(issues, _EDGES)


def _run(issues: Issues, query: str) -> pd.DataFrame:
    with open_lists(find_lists(issues, _LINKS), _LINKS, _SHAPE) as connection:
        connection.execute(f"CREATE TEMP VIEW _ends AS {_ENDS}")
        shown = f"SELECT * EXCLUDE (there, total) FROM ({select(_COLUMNS, f'({_SIDES})')})"
        connection.execute(f"CREATE TEMP TABLE _shown AS {shown}")
        connection.execute(f"CREATE TEMP TABLE _linked AS {_LINKED}")
        return to_table(connection, query)


_LINKED = """
    WITH here AS (SELECT id, key FROM _given),
    by_id AS (SELECT id, any_value(key) AS key FROM here WHERE id IS NOT NULL GROUP BY id),
    by_key AS (SELECT key, any_value(id) AS id FROM here WHERE key IS NOT NULL GROUP BY key)
    SELECT n, position, s.id, s.key, link_id, link_type, words, words_back, direction,
           coalesce(other_id, k.id) AS other_id, coalesce(i.key, other_key) AS other_key,
           i.id IS NOT NULL OR (other_id IS NULL AND k.key IS NOT NULL) AS other_here,
           other_summary, other_status, other_issue_type, other_priority,
           CASE WHEN problem IS NOT NULL THEN problem WHEN direction IS NULL THEN 'the link names no other issue' END
               AS problem
    FROM _shown s LEFT JOIN by_id i ON s.other_id = i.id
    LEFT JOIN by_key k ON s.other_key = k.key AND s.other_id IS NULL
"""
_EDGES = """
    WITH ends AS (
        SELECT *, direction = 'inward' AS back,
               coalesce(id, key) AS here_name, coalesce(other_id, other_key) AS other_name FROM _linked
    ), edges AS (
        SELECT n, position, link_id, link_type, back, problem,
               CASE WHEN back THEN words_back ELSE words END AS words,
               CASE WHEN back THEN words ELSE words_back END AS words_back,
               CASE WHEN back THEN other_name ELSE here_name END AS from_name,
               CASE WHEN back THEN here_name ELSE other_name END AS to_name,
               CASE WHEN back THEN other_id ELSE id END AS from_id,
               CASE WHEN back THEN other_key ELSE key END AS from_key,
               CASE WHEN back THEN id ELSE other_id END AS to_id,
               CASE WHEN back THEN key ELSE other_key END AS to_key,
               NOT coalesce(back, false) OR other_here AS from_here, coalesce(back, false) OR other_here AS to_here,
               CASE WHEN back THEN other_summary END AS from_summary,
               CASE WHEN back THEN other_status END AS from_status,
               CASE WHEN NOT back THEN other_summary END AS to_summary,
               CASE WHEN NOT back THEN other_status END AS to_status
        FROM ends
    ), once AS (
        SELECT min((n, position)) AS place, any_value(link_id) AS link_id, any_value(link_type) AS link_type,
               first(from_id) AS from_id, first(from_key) AS from_key,
               any_value(words) AS words, first(to_id) AS to_id, first(to_key) AS to_key,
               any_value(words_back) AS words_back, bool_or(from_here) AS from_here, bool_or(to_here) AS to_here,
               CASE WHEN from_name IS NULL OR to_name IS NULL THEN NULL
                    WHEN bool_or(back) AND bool_or(NOT back) THEN 'both' WHEN bool_or(back) THEN 'to' ELSE 'from' END
                   AS seen_from,
               any_value(from_summary) AS from_summary, any_value(from_status) AS from_status,
               any_value(to_summary) AS to_summary, any_value(to_status) AS to_status, any_value(problem) AS problem
        FROM edges
        GROUP BY coalesce(link_id, link_type), from_name, to_name, CASE WHEN problem IS NOT NULL THEN (n, position) END
    )
    SELECT * EXCLUDE (place, problem),
           CASE WHEN problem IS NOT NULL THEN problem
                WHEN from_here AND to_here AND seen_from <> 'both'
                THEN 'both issues are here, and only one shows the link' END AS problem
    FROM once ORDER BY place
"""
