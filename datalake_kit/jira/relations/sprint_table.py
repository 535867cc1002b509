"""Sprints of issues as a table: one row an issue and sprint. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ColumnNotFoundError, did_you_mean
from datalake_kit.jira.fields.columns import unpack_fields
from datalake_kit.jira.fields.names import ATTRIBUTE
from datalake_kit.jira.fields.rules import SPRINT
from datalake_kit.jira.relations.entries import Column, open_lists, select, to_table
from datalake_kit.jira.relations.items import Issues, ListField, find_column, take_lists

_LIST = ListField("sprint", "sprint")
_CLOSED = ListField("closedsprints", "closed_sprints")
_USUAL = ("sprint", "agile_sprint")  # the field of a site; the one sprint that the agile API gives beside it
_KEYS = ("id", "name", "state", "startDate", "endDate", "completeDate", "boardId", "originBoardId", "goal")
_COLUMNS = (
    Column("sprint_id", "e.id", "integer"), Column("sprint", "e.name"), Column("state", "lower(e.state)"),
    Column("start", "e.startDate", "instant"), Column("end", "e.endDate", "instant"),
    Column("completed", "e.completeDate", "instant"),
    Column("board_id", "coalesce(e.boardId, e.originBoardId)", "integer"), Column("goal", "e.goal"),
)  # fmt: skip


def sprints(issues: Issues, sprint: str | None = None) -> pd.DataFrame:
    """List the sprints that each issue is in or was in.

    The current sprint of an issue is the active one, else the next future one, else the one closed last; of several in
    one state the latest by start (of future ones the earliest), then the one with the highest id.

    Parameters
    ----------
    issues
        A frame of `dk.jira.load(...)`; what `dk.jira.load` gave, or raw issues with `fields`, are unpacked first (only
        the one field where `sprint` names it).
    sprint
        The sprint field, by the column it has in a frame or by its business name. None: every field that holds sprints,
        among them those that the agile API adds; a sprint that is in several of them is there once.

    Returns
    -------
    DataFrame
        One row an issue and sprint, by start within an issue: `id`, `key`, `sprint_id` (Int64), `sprint` (its name),
        `state` ("closed", "active", "future"), `start`, `end`, `completed` (UTC), `board_id` (Int64), `goal`,
        `is_current`, `problem` (an entry that is no sprint; a date that is no instant).

    Raises
    ------
    ColumnNotFoundError
        No field holds sprints, or `sprint` names none that does.

    Examples
    --------
    >>> fields = '{"customfield_9": [{"id": 5, "name": "A", "state": "closed", "boardId": 7}]}'
    >>> raw = pd.DataFrame({"id": ["1"], "key": ["A-1"], "fields": [fields]})
    >>> sprints(raw)[["key", "sprint", "state", "is_current"]].values.tolist()
    [['A-1', 'A', 'closed', True]]
    """
    frame = _unpacked(issues, sprint)
    lists = pa.concat_tables(_lists(frame, sprint)) if len(frame) else take_lists(frame, None)
    with open_lists(lists, _LIST, dict.fromkeys(_KEYS, "VARCHAR")) as connection:
        return to_table(connection, _TABLE.format(rows=select(_COLUMNS)))


_TABLE = """
    WITH rows AS ({rows}), once AS (
        SELECT * FROM rows
        QUALIFY sprint_id IS NULL OR row_number() OVER (PARTITION BY n, sprint_id ORDER BY state IS NULL, position) = 1
    ), ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY n
            ORDER BY sprint_id IS NULL AND sprint IS NULL,
                     CASE state WHEN 'active' THEN 0 WHEN 'future' THEN 1 WHEN 'closed' THEN 2 ELSE 3 END,
                     CASE WHEN state = 'future' THEN "start" END ASC NULLS LAST,
                     CASE WHEN state = 'future' THEN sprint_id END ASC NULLS LAST,
                     "start" DESC NULLS LAST, sprint_id DESC NULLS LAST
        ) AS place FROM once
    )
    SELECT id, key, sprint_id, sprint, state, "start", "end", completed, board_id, goal,
           place = 1 AND NOT (sprint_id IS NULL AND sprint IS NULL) AS is_current, problem
    FROM ranked ORDER BY n, "start" NULLS LAST, sprint_id, position
"""


def _unpacked(issues: Issues, sprint: str | None) -> pd.DataFrame:
    fields = None if sprint is None else [sprint]
    if not isinstance(issues, pd.DataFrame):
        return issues.frame(fields=fields)
    if ATTRIBUTE not in issues.attrs and "fields" in issues.columns:
        return unpack_fields(issues, fields=fields)
    return issues


def _lists(frame: pd.DataFrame, sprint: str | None) -> list[pa.Table]:
    """The sprints of each issue as JSON, from each place that has some."""
    lists = [take_lists(_with_unread(frame, base), f"{base}_json") for base in _bases(frame, sprint)]
    closed = None if sprint else find_column(frame, _CLOSED)
    if closed:
        lists.append(take_lists(frame, closed))
    if not lists:
        raise ColumnNotFoundError(
            "No field of these issues holds sprints. Give the frame of dk.jira.load(...).frame(), or sprint= with the "
            "name of the field."
        )
    return lists


def _with_unread(frame: pd.DataFrame, base: str) -> pd.DataFrame:
    """Values that are no sprints stand in the main column alone: they are rows too, that say so."""
    if base not in frame.columns or frame[base].dtype.kind in "fMm":
        return frame
    whole: pd.Series[Any] = frame[f"{base}_json"]
    return frame.assign(**{f"{base}_json": whole.where(whole.notna(), frame[base])})


def _bases(frame: pd.DataFrame, sprint: str | None) -> list[str]:
    """The columns whose parts hold sprints: those of the field that was asked for, else of all such fields."""
    records = [r for r in frame.attrs.get(ATTRIBUTE, []) if r["rule"] == SPRINT.name and r["part"] == "json"]
    known = {str(r["column"]).removesuffix("_json"): str(r["name"]) for r in records if r["column"] in frame.columns}
    known = known or {name: name for name in _USUAL if f"{name}_json" in frame.columns}
    if sprint is None:
        return list(known)
    if f"{sprint}_json" in frame.columns:
        return [sprint]
    asked = [base for base, name in known.items() if name.casefold() == sprint.casefold()]
    if not asked:
        raise ColumnNotFoundError(f"{sprint!r} is no field of sprints. {did_you_mean(sprint, known)}")
    return asked
