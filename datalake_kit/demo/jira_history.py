"""The table jiralake.jira_history of the demo lake: a full export of one project with its changelog expanded.

Two landings: the export itself, and one a day later with the issues that were touched since.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.demo import jira_story as story
from datalake_kit.demo import jira_team as team
from datalake_kit.demo.jira_story import SITE, Document
from datalake_kit.demo.jira_team import Change, Item, Sprint
from datalake_kit.storage import write_atomically

Row = dict[str, str | None]

_RUN = team.SEEN.replace(hour=19, minute=0, second=11)
_COLUMNS = ("id", "key", "self", "expand", "changelog", "names", "schema", "fields")
_SCHEMA = pa.schema([(name, pa.string()) for name in _COLUMNS])
_FLAGGED = ("customfield_10021", "Flagged")
_LINK_TYPES = {
    "Blocks": ("10000", "is blocked by", "blocks"),
    "Relates": ("10003", "relates to", "relates to"),
    "Duplicate": ("10002", "is duplicated by", "duplicates"),
}
_PAGE = 5  # comments that the export holds of an issue: Jira cuts longer lists and says their total
_SAID = (
    "Looks good to me.", "Can we see the numbers of last week first?", "Blocked until the certificate is there.",
    "Measured again: *twice as fast*.", "See [the page|https://design.example.com/pages/12].", "Done, please check.",
)  # fmt: skip


def count() -> int:
    """Number of files, each one step of progress."""
    return 2


def build(table_folder: Path, *, progress: Callable[[int], None] = lambda steps: None) -> None:
    """Write the files that are missing; a file that is there is left alone.

    Parameters
    ----------
    table_folder
        Folder of the table, `<lake>/jiralake/jira_history`; made when missing.
    progress
        Called with 1 after each file.
    """
    late = team.SEEN - timedelta(days=7)
    for run, touched in ((_RUN, team.FIRST_DAY - timedelta(days=99)), (_RUN + timedelta(days=1), late)):
        path = table_folder / f"{run:%Y/%m/%d}" / f"jira-history-{run:%Y-%m-%dT%H-%M-%S}.parquet"
        if not path.exists():
            _write(path, [_row(item) for item in team.items() if _updated(item) >= touched])
        progress(1)


def _write(path: Path, rows: list[Row]) -> None:
    with write_atomically(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary, compression="zstd", compression_level=12)


def _updated(item: Item) -> datetime:
    return max([item.created, *(c.at for c in item.known())])


def _id(item: Item) -> str:
    return str(31000 + 3 * item.number)


def _row(item: Item) -> Row:
    texts = {"fields": _fields(item), "changelog": _changelog(item), **_expansion()}
    row: Row = {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in texts.items()}
    expand = "operations,versionedRepresentations,editmeta,changelog,renderedFields"
    row |= {"id": _id(item), "key": item.key, "self": f"{SITE}/rest/api/2/issue/{_id(item)}", "expand": expand}
    return row


@cache
def _expansion() -> dict[str, Document]:
    """`names` and `schema` as Jira adds them when asked."""
    fields = {
        **story.CUSTOM_FIELDS,
        _FLAGGED[0]: (_FLAGGED[1], "array", "com.atlassian.jira.plugin.system:multicheckboxes"),
    }
    names = {field: about[0] for field, about in fields.items()}
    schema = {
        field: {"type": kind, "custom": custom, "customId": int(field.split("_")[1])}
        for field, (_, kind, custom) in fields.items()
    }
    return {"names": names, "schema": schema}


@cache
def _people() -> tuple[Document, ...]:
    people = {p["accountId"]: p for p in story.people()}
    made = [
        {
            **next(iter(people.values())), "accountId": f"7c{number:022x}", "displayName": name,
            "self": f"{SITE}/rest/api/2/user?accountId=7c{number:022x}",
        }
        for number, name in enumerate(("Anna Berg", "Björn Lind", "Chiara Neri", "Deniz Kaya", "Emil Novak"))
    ]  # fmt: skip
    return tuple(made)


def _sprint(sprint: Sprint) -> Document:
    state = "closed" if team.closed(sprint) else "active" if sprint.start <= team.SEEN else "future"
    about = {
        "id": sprint.id, "name": f"Metering {sprint.number + 1}", "state": state, "boardId": 21,
        "goal": "Invoices without questions, and fewer alarms" if sprint.number == 9 else "",
        "startDate": _zulu(sprint.start), "endDate": _zulu(sprint.end),
    }  # fmt: skip
    return about | ({"completeDate": _zulu(sprint.completed)} if state == "closed" else {})


def _zulu(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


def _named(numbers: Any) -> tuple[str, str]:
    """A list of sprints as the changelog writes it: ids and names."""
    known = [_sprint(team.sprints()[n]) for n in numbers]
    return ", ".join(str(s["id"]) for s in known), ", ".join(s["name"] for s in known)


def _fields(item: Item) -> Document:
    agile = ("epic", "sprint", "closedSprints", "flagged")  # only Jira's Agile API has these
    fields = {name: value for name, value in story.template("K5-3").items() if name not in agile}
    status = str(item.value("status", "To Do"))
    done = next((c.at for c in reversed(item.known()) if c.name == "status"), None) if status == "Done" else None
    assignee, flagged = item.value("assignee"), item.value("flagged")
    sprints: Any = item.value("sprints", item.sprints)
    moved = [c.at for c in item.known() if c.name == "status"]
    fields |= {
        "summary": item.summary, "issuetype": story.issue_types()[item.kind], "status": story.statuses()[status],
        "project": fields["project"] | {"id": "10021", "key": "MTR", "name": "Metering"},
        "creator": _people()[item.reporter], "reporter": _people()[item.reporter],
        "assignee": _people()[assignee] if isinstance(assignee, int) else None, "labels": [],
        "created": story.at_site(item.created, team.SEEN), "updated": story.at_site(_updated(item), team.SEEN),
        "statuscategorychangedate": story.at_site(moved[-1] if moved else item.created, team.SEEN),
        "resolution": story.documents()["EE-3"]["fields"]["resolution"] if done else None,
        "resolutiondate": story.at_site(done, team.SEEN) if done else None,
        "description": _description(item), "issuelinks": _links().get(item.key, []),
        "customfield_10020": [_sprint(team.sprints()[n]) for n in sprints] or None,
        "customfield_10024": item.value("points", item.points),
        _FLAGGED[0]: [story.option(10019, str(flagged))] if flagged else None,
        "comment": _comments(item), "worklog": _worklogs(item),
    }  # fmt: skip
    if item.above:
        fields["parent"] = _brief(item.above)
    return fields


def _description(item: Item) -> str | None:
    if item.kind == "Sub-task":
        return None
    return (
        f"h3. Why\nTo {item.summary[0].lower()}{item.summary[1:]} by hand takes *too long*.\n\n"
        "h3. Done when\n* it runs by itself\n* {{audit.log}} says what it did"
    )


def _brief(item: Item) -> Document:
    """An issue as other issues show it."""
    kind, status = story.issue_types()[item.kind], story.statuses()[str(item.value("status", "To Do"))]
    fields = {"summary": item.summary, "status": status, "issuetype": kind}
    return {"id": _id(item), "key": item.key, "self": f"{SITE}/rest/api/2/issue/{_id(item)}", "fields": fields}


@cache
def _links() -> dict[str, list[Document]]:
    """The links of each issue, each told on both of its issues."""
    found: dict[str, list[Document]] = {}
    for number, (first, name, second) in enumerate(team.links()):
        kind, inward, outward = _LINK_TYPES[name]
        about = {"id": str(40000 + number), "type": {"id": kind, "name": name, "inward": inward, "outward": outward}}
        found.setdefault(first.key, []).append(about | {"outwardIssue": _brief(second)})
        found.setdefault(second.key, []).append(about | {"inwardIssue": _brief(first)})
    return found


def _comments(item: Item) -> Document:
    rng = random.Random(team.SEED + item.number)
    total = 0 if rng.random() < 0.6 or item.kind == "Epic" else rng.choice((1, 1, 2, 3, 7))
    spans = sorted(rng.random() for _ in range(total))
    said = []
    for number, span in enumerate(spans[:_PAGE]):
        author, at = _people()[rng.randrange(team.PEOPLE)], item.created + (_updated(item) - item.created) * span
        when = story.at_site(at, team.SEEN)
        about = {"id": str(50000 + 10 * item.number + number), "author": author, "updateAuthor": author}
        said.append(about | {"body": rng.choice(_SAID), "created": when, "updated": when})
    return {"comments": said, "maxResults": _PAGE, "total": total, "startAt": 0}


def _worklogs(item: Item) -> Document:
    logs = []
    starts = [c for c in item.known() if c.name == "status" and c.value == "In Progress"]
    for number, change in enumerate(starts):
        hours = 1 + (item.number * 7 + number) % 6
        when, author = story.at_site(change.at, team.SEEN), _people()[change.author]
        about = {"id": str(60000 + 10 * item.number + number), "author": author, "updateAuthor": author}
        spent = {"timeSpent": f"{hours}h", "timeSpentSeconds": hours * 3600, "comment": ""}
        logs.append(about | spent | {"started": when, "created": when, "updated": when, "issueId": _id(item)})
    return {"worklogs": logs, "maxResults": 20, "total": len(logs), "startAt": 0}


def _changelog(item: Item) -> Document:
    """The history as Jira tells it: the newest entry first, values as id and text."""
    now: dict[str, Any] = {"status": "To Do", "points": item.points, "sprints": item.sprints}
    entries = []
    for number, change in enumerate(item.known()):
        entry = _entry(change, now.get(change.name))
        now[change.name] = change.value
        author, at = _people()[change.author], story.at_site(change.at, team.SEEN)
        entries.append(
            {"id": str(700000 + 100 * item.number + number), "author": author, "created": at, "items": entry}
        )
    return {"startAt": 0, "maxResults": len(entries), "total": len(entries), "histories": entries[::-1]}


Ends = tuple[str | None, str | None]  # id and text of a value
_NOTHING: Ends = (None, None)


def _entry(change: Change, before: Any) -> list[Document]:
    """The items of one change."""
    after: Any = change.value
    if change.name == "status":
        moved = _item("status", "status", _status(before), _status(after))
        return [_resolved(after == "Done"), moved] if "Done" in (before, after) else [moved]
    if change.name == "sprints":
        return [_item("Sprint", "customfield_10020", _named(before), _named(after), "custom")]
    if change.name == "points":
        return [_item("Story Points", "customfield_10024", _number(before), _number(after), "custom")]
    if change.name == "flagged":
        return [_item("Flagged", _FLAGGED[0], _flag(before), _flag(after), "custom")]
    return [_item("assignee", "assignee", _person(before), _person(after))]


def _status(name: Any) -> Ends:
    return story.statuses()[name]["id"], name


def _resolved(is_done: bool) -> Document:
    resolution = story.documents()["EE-3"]["fields"]["resolution"]
    there: Ends = (resolution["id"], resolution["name"])
    return _item("resolution", "resolution", *((_NOTHING, there) if is_done else (there, _NOTHING)))


def _number(points: Any) -> Ends:
    return None, None if points is None else f"{points:g}"


def _flag(value: Any) -> Ends:
    return ("[10019]", value) if value else (None, "")


def _person(number: Any) -> Ends:
    return _NOTHING if number is None else (_people()[number]["accountId"], _people()[number]["displayName"])


def _item(field: str, field_id: str, before: Ends, after: Ends, kind: str = "jira") -> Document:
    ends = {"from": before[0], "fromString": before[1], "to": after[0], "toString": after[1]}
    return {"field": field, "fieldtype": kind, "fieldId": field_id, **ends}
