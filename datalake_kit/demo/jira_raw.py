"""The table jiralake.jira_raw of the demo lake: Jira issues as Amazon AppFlow lands them.

A full run, then one file a day with the issues updated since: many versions of the same issues, sent again unchanged,
changed, moved to another project, tied, late, and two rows that cannot be used. Day folders, the time in the file name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.demo import jira_story as story
from datalake_kit.demo.jira_story import Document, Issue
from datalake_kit.storage import write_atomically

Row = dict[str, str | None]

_OVERLAP = timedelta(hours=5)  # the filter of a run begins before the end of the last one, so rows come again
_LATE_RUN = datetime(2026, 3, 25, 9, 30, 41, tzinfo=UTC)  # a window that failed on 10 March, run again
_LATE_WINDOW = datetime(2026, 3, 10, 2, 0, 7, tzinfo=UTC)
_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "key", "self", "expand", "fields")])
_EXPANDED = _SCHEMA.append(pa.field("names", pa.string())).append(pa.field("schema", pa.string()))


def count() -> int:
    """Number of files, each one step of progress."""
    return story.RUNS + 1


def build(table_folder: Path, *, progress: Callable[[int], None] = lambda steps: None) -> None:
    """Write the files that are missing; a file that is there is left alone.

    Parameters
    ----------
    table_folder
        Folder of the table, `<lake>/jiralake/jira_raw`; made when missing.
    progress
        Called with 1 after each file.
    """
    for path, run in _files(table_folder):
        if not path.exists():
            _write(path, _rows(run), expanded=run == story.FIRST_RUN)
        progress(1)


def _files(table_folder: Path) -> Iterator[tuple[Path, datetime]]:
    runs = [story.FIRST_RUN + timedelta(days=day) for day in range(story.RUNS)]
    for run in sorted([*runs, _LATE_RUN]):
        execution = hashlib.sha256(f"{story.SEED}:{run}".encode()).hexdigest()[:8]
        yield table_folder / f"{run:%Y/%m/%d}" / f"jira-issues-{execution}-{run:%Y-%m-%dT%H-%M-%S}.parquet", run


def _write(path: Path, rows: list[Row], *, expanded: bool) -> None:
    schema = _EXPANDED if expanded else _SCHEMA
    table = pa.Table.from_pylist(rows, schema=schema)
    with write_atomically(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=12)


def _rows(run: datetime) -> list[Row]:
    """The rows that one run lands."""
    if run == story.FIRST_RUN:
        return [_row(i, run) | _expansion() for i in story.all_issues() if i.created <= run]
    if run == _LATE_RUN:
        seen, since = _LATE_WINDOW, _LATE_WINDOW - timedelta(days=1)
    else:
        seen, since = run, run - timedelta(days=1)
    rows = [_row(i, seen) for i in story.all_issues() if i.created <= seen and i.updated(seen) >= since - _OVERLAP]
    return rows + [extra for day, extras in _specials().items() if day == f"{run:%m-%d %H}" for extra in extras]


def _row(issue: Issue, seen: datetime) -> Row:
    """One issue as it was at an instant."""
    if issue.real:
        return _as_row(issue.real, issue.real["fields"])
    fields = dict(issue.fields)
    for at, change in issue.changes:
        if at <= seen:
            fields |= change
    fields |= {"updated": issue.updated(seen), "statuscategorychangedate": None}
    if fields.get("customfield_10020"):
        fields["customfield_10020"] = story.sprint_states(fields["customfield_10020"], seen)
    key = next((key for at, key in reversed(issue.moves) if at <= seen), issue.key)
    if key != issue.key:
        project = next(i for i in story.all_issues() if i.key.startswith("EE-") and not i.real).fields["project"]
        fields["project"] = project
    document = {
        "id": issue.id,
        "key": key,
        "self": f"{story.SITE}/rest/api/2/issue/{issue.id}",
        "expand": "operations,changelog",
    }
    return _as_row(document, {k: story.at_site(v, seen) if isinstance(v, datetime) else v for k, v in fields.items()})


def _as_row(document: Document, fields: Document) -> Row:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return {name: document.get(name) for name in ("id", "key", "self", "expand")} | {"fields": text}


@cache
def _expansion() -> Row:
    """`names` and `schema` as Jira adds them when asked; only the full run asks."""
    system = story.documents()["TST-2"]
    names = {k: v for k, v in system["names"].items() if not k.startswith("customfield_")}
    schema = {k: v for k, v in system["schema"].items() if not k.startswith("customfield_")}
    for field, (name, kind, custom) in story.CUSTOM_FIELDS.items():
        names[field] = name
        schema[field] = {"type": kind, "custom": custom, "customId": int(field.split("_")[1])}
    return {"names": json.dumps(names, ensure_ascii=False), "schema": json.dumps(schema)}


@cache
def _specials() -> dict[str, list[Row]]:
    """Rows that the plain story does not give, by month, day and hour of the run that lands them."""
    issues = {i.key: i for i in story.all_issues()}
    return {
        "03-12 02": [_cut_short(issues["EE-45"], datetime(2026, 3, 12, 2, tzinfo=UTC))],
        "03-19 02": [_row(issues["EE-46"], datetime(2026, 3, 19, 2, tzinfo=UTC)) | {"id": None}],
        "03-17 02": [_in_english(issues[key], story.OFFSET_CHANGE) for key in ("EE-1", "EE-2", "EE-3", "EE-15")],
        "03-20 02": _tie(issues["K5-12"], datetime(2026, 3, 20, 2, tzinfo=UTC), "In Progress", "In Review"),
        "03-27 02": _tie(issues["K5-14"], datetime(2026, 3, 27, 2, tzinfo=UTC), "In Review"),
        "03-28 02": _tie(issues["K5-14"], datetime(2026, 3, 27, 2, tzinfo=UTC), "Done"),
    }


def _in_english(issue: Issue, at: datetime) -> Row:
    """A real issue touched again, read in another language: names of types and statuses follow the reader."""
    document: Document = issue.real or {}
    names = {t["id"]: t["name"] for t in (*story.issue_types().values(), *story.statuses().values())}
    fields = document["fields"] | {"updated": story.at_site(at + timedelta(hours=3))}
    for field in ("issuetype", "status"):
        fields[field] = fields[field] | {"name": names[fields[field]["id"]]}
    return _as_row(document, fields)


def _cut_short(issue: Issue, seen: datetime) -> Row:
    row = _row(issue, seen)
    return row | {"fields": (row["fields"] or "")[:1500]}


def _tie(issue: Issue, seen: datetime, *names: str) -> list[Row]:
    """Versions with the same `updated` and another status: the last row, then the last file, is the newest."""
    rows: list[Row] = []
    for name in names:
        row = _row(issue, seen)
        fields: dict[str, Any] = json.loads(row["fields"] or "{}")
        instant = story.at_site(seen - timedelta(hours=1, milliseconds=-250), seen)
        fields |= {"status": story.statuses()[name], "updated": instant}
        rows.append(_as_row(row, fields))
    return rows
