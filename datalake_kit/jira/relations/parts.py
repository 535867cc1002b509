"""Tidy tables of what lies in lists inside issues: components, versions, comments, worklogs, attachments, sub-tasks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError
from datalake_kit.jira.relations.entries import USER, Column, list_table, open_lists, person, to_table
from datalake_kit.jira.relations.items import Issues, ListField, find_lists
from datalake_kit.jira.text import plain

COMMENTS = ListField("comment", "comments", "comments")
WORKLOGS = ListField("worklog", "worklogs", "worklogs")
CHANGELOG = ListField("changelog", "changelog", "histories", beside=True)
_VERSION: dict[str, Any] = dict.fromkeys(
    ("id", "name", "description", "released", "archived", "startDate", "releaseDate"), "VARCHAR"
)
_VERSION_COLUMNS = (
    Column("version_id", "e.id"), Column("version", "e.name"), Column("description", "e.description"),
    Column("released", "e.released", "boolean"), Column("archived", "e.archived", "boolean"),
    Column("start_date", "e.startDate", "date"), Column("release_date", "e.releaseDate", "date"),
)  # fmt: skip
_VISIBILITY = {"type": "VARCHAR", "value": "VARCHAR"}
_WRITTEN = (
    *person("author", "author"), *person("updateAuthor", "update_author"), Column("created", "e.created", "instant"),
    Column("updated", "e.updated", "instant"), Column("visibility_type", "e.visibility.type"),
    Column("visibility_value", "e.visibility.value"),
)  # fmt: skip
_WRITTEN_SHAPE: dict[str, Any] = {
    "id": "VARCHAR", "author": USER, "updateAuthor": USER, "created": "VARCHAR", "updated": "VARCHAR",
    "visibility": _VISIBILITY,
}  # fmt: skip


def components(issues: Issues) -> pd.DataFrame:
    """List the components of each issue.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave (only the field that is needed is unpacked), a frame of it with `keep_objects=True`,
        or raw issues with `fields`.

    Returns
    -------
    DataFrame
        One row an issue and component: `id`, `key`, `component_id`, `component`, `description`, `problem` (what is
        wrong with an entry that is no object; such an entry is a row too).

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field, or only the names joined to a text are left of it.

    Examples
    --------
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ['{"components": [{"id": "7", "name": "Web"}]}']})
    >>> components(raw)["component"].to_list()
    ['Web']
    """
    columns = (Column("component_id", "e.id"), Column("component", "e.name"), Column("description", "e.description"))
    shape = dict.fromkeys(("id", "name", "description"), "VARCHAR")
    return list_table(issues, ListField("components", "components", joined=True), shape, columns)


def fix_versions(issues: Issues) -> pd.DataFrame:
    """List the versions that each issue is fixed in.

    Parameters
    ----------
    issues
        As for `components`.

    Returns
    -------
    DataFrame
        One row an issue and version: `id`, `key`, `version_id`, `version`, `description`, `released` and `archived`
        (boolean), `start_date`, `release_date` (dates), `problem`.

    Raises
    ------
    ColumnNotFoundError
        As for `components`.

    Examples
    --------
    >>> fields = '{"fixVersions": [{"name": "1.1", "released": true, "releaseDate": "2026-03-01"}]}'
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})
    >>> fix_versions(raw)[["version", "release_date"]].astype("str").values.tolist()
    [['1.1', '2026-03-01']]
    """
    return list_table(issues, ListField("fixversions", "fix_versions", joined=True), _VERSION, _VERSION_COLUMNS)


def affects_versions(issues: Issues) -> pd.DataFrame:
    """List the versions that each issue was found in; parameters, columns and errors as for `fix_versions`.

    Examples
    --------
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ['{"versions": [{"name": "1.0"}]}']})
    >>> affects_versions(raw)["version"].to_list()
    ['1.0']
    """
    return list_table(issues, ListField("versions", "affects_versions", joined=True), _VERSION, _VERSION_COLUMNS)


def comments(issues: Issues, *, text: bool = True) -> pd.DataFrame:
    """List the comments of each issue, as many of them as its document holds.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave, a frame of it, or raw issues with `fields`.
    text
        Whether to give the plain text too, which takes longest.

    Returns
    -------
    DataFrame
        One row a comment: `id`, `key` (of the issue), `comment_id`, `author`, `author_account_id`, `update_author`,
        `update_author_account_id`, `created`, `updated` (UTC), `visibility_type`, `visibility_value` (who may read it;
        missing: all), `body` (wiki text, or JSON text of an Atlassian Document), `text` (the same as plain text),
        `there` and `total` (comments of the issue that are here, and in Jira: a document holds a part of a long list),
        `problem`. Issues of whose comments none are here have no row; `cut_short` names them.

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> fields = '{"comment": {"total": 9, "comments": [{"id": "1", "body": "Done.", "author": {"name": "ann"}}]}}'
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})
    >>> comments(raw)[["author", "body", "there", "total"]].values.tolist()
    [['ann', 'Done.', 1, 9]]
    """
    columns = (Column("comment_id", "e.id"), *_WRITTEN, Column("body", "e.body"))
    table = list_table(issues, COMMENTS, {**_WRITTEN_SHAPE, "body": "VARCHAR"}, columns)
    return _with_text(table, "body") if text else table


def worklogs(issues: Issues, *, text: bool = True) -> pd.DataFrame:
    """List the work logged on each issue, as much of it as its document holds.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave, a frame of it, or raw issues with `fields`.
    text
        Whether to give the plain text too, which takes longest.

    Returns
    -------
    DataFrame
        One row a worklog: `id`, `key` (of the issue), `worklog_id`, `author`, `author_account_id`, `update_author`,
        `update_author_account_id`, `created`, `updated`, `visibility_type`, `visibility_value`, `started` (UTC),
        `time_spent_seconds` (float64), `comment` (wiki text, or JSON text of an Atlassian Document), `text`
        (the same as plain text), `there` and `total` as for `comments`, `problem`.

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> fields = '{"worklog": {"total": 1, "worklogs": [{"timeSpentSeconds": 3600}]}}'
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})
    >>> worklogs(raw)["time_spent_seconds"].sum()
    np.float64(3600.0)
    """
    columns = (
        Column("worklog_id", "e.id"), *_WRITTEN, Column("started", "e.started", "instant"),
        Column("time_spent_seconds", "e.timeSpentSeconds", "number"), Column("comment", "e.comment"),
    )  # fmt: skip
    shape = {**_WRITTEN_SHAPE, **dict.fromkeys(("started", "timeSpentSeconds", "comment"), "VARCHAR")}
    table = list_table(issues, WORKLOGS, shape, columns)
    return _with_text(table, "comment") if text else table


def _with_text(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Plain text beside a column of rich text."""
    table.insert(list(table.columns).index(column) + 1, "text", plain(table[column]))
    return table


def attachments(issues: Issues) -> pd.DataFrame:
    """List the files attached to each issue.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave, a frame of it, or raw issues with `fields`.

    Returns
    -------
    DataFrame
        One row a file: `id`, `key` (of the issue), `attachment_id`, `filename`, `bytes` (Int64), `mime_type`,
        `author`, `author_account_id`, `created` (UTC), `url` (where its content is), `problem`.

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ['{"attachment": [{"filename": "a.png"}]}']})
    >>> attachments(raw)["filename"].to_list()
    ['a.png']
    """
    columns = (
        Column("attachment_id", "e.id"), Column("filename", "e.filename"), Column("bytes", "e.size", "integer"),
        Column("mime_type", "e.mimeType"), *person("author", "author"), Column("created", "e.created", "instant"),
        Column("url", "e.content"),
    )  # fmt: skip
    shape = dict.fromkeys(("id", "filename", "size", "mimeType", "created", "content"), "VARCHAR")
    return list_table(issues, ListField("attachment", "attachments"), {**shape, "author": USER}, columns)


def subtasks(issues: Issues) -> pd.DataFrame:
    """List the sub-tasks that each issue names, with what it says of them.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave, a frame of it, or raw issues with `fields`.

    Returns
    -------
    DataFrame
        One row a sub-task: `id`, `key` (of the issue), `subtask_id`, `subtask_key`, `summary`, `status`,
        `issue_type`, `priority`, `problem`. Sub-tasks that are issues here say more of themselves: `parents`.

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field.

    Examples
    --------
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": ['{"subtasks": [{"key": "A-2"}]}']})
    >>> subtasks(raw)["subtask_key"].to_list()
    ['A-2']
    """
    named = {"name": "VARCHAR"}
    inner = {"summary": "VARCHAR", "status": named, "issuetype": named, "priority": named}
    columns = (
        Column("subtask_id", "e.id"), Column("subtask_key", "e.key"), Column("summary", "e.fields.summary"),
        Column("status", "e.fields.status.name"), Column("issue_type", "e.fields.issuetype.name"),
        Column("priority", "e.fields.priority.name"),
    )  # fmt: skip
    shape = {"id": "VARCHAR", "key": "VARCHAR", "fields": inner}
    return list_table(issues, ListField("subtasks", "subtasks"), shape, columns)


def cut_short(issues: Issues) -> pd.DataFrame:
    """Name the lists that Jira cut short: comments, worklogs, changelog of which the document holds a part.

    A list is cut short when its `total` is greater than what is there, when it does not begin at its first entry, or
    when it says that it is not the last page. Lists that the issues do not have are not looked at.

    Parameters
    ----------
    issues
        What `dk.jira.load` gave, a frame of it, or raw issues with `fields`.

    Returns
    -------
    DataFrame
        One row a list that is cut short: `id`, `key`, `list` ("comments", "worklogs" or "changelog"), `there`, `total`
        (Int64; `total` is missing when Jira did not say it). No row: every list that is here is whole.

    Raises
    ------
    ColumnNotFoundError
        The issues have none of these lists.

    Examples
    --------
    >>> fields = '{"comment": {"total": 9, "comments": [{"id": "1"}]}}'
    >>> cut_short(pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})).values.tolist()
    [['1', 'A-1', 'comments', 1, 9]]
    """
    found = [_cut(issues, wanted) for wanted in (COMMENTS, WORKLOGS, CHANGELOG)]
    looked_at = [table for table in found if table is not None]
    if not looked_at:
        raise ColumnNotFoundError(
            "These issues have no comments, no worklogs and no changelog that could be cut short."
        )
    return pd.concat(looked_at, ignore_index=True)


def _cut(issues: Issues, wanted: ListField) -> pd.DataFrame | None:
    try:
        lists = find_lists(issues, wanted)
    except ColumnNotFoundError:
        return None
    with open_lists(lists, wanted, {"id": "VARCHAR"}) as connection:
        return to_table(connection, _CUT.format(name=wanted.column))


_CUT = """
    SELECT id, key, '{name}' AS list, coalesce(there, 0) AS there, total FROM _lists
    WHERE total > coalesce(there, 0) OR start_at > 0 OR is_last = false
    ORDER BY n
"""
