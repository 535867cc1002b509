"""Issues of the demo: six real documents, and issues derived from real documents, each with a history.

Everything follows from one seed, so two builds are the same. `_demo_data/jira/SOURCES.md` names the source documents.
"""

from __future__ import annotations

import copy
import json
import lzma
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from typing import Any

Document = dict[str, Any]

SEED = 20260301
SITE = "https://merico.atlassian.net"
FIRST_RUN = datetime(2026, 3, 2, 2, 0, 7, tzinfo=UTC)
RUNS = 33  # the full run and 32 daily ones
OFFSET_CHANGE = datetime(2026, 3, 16, tzinfo=UTC)  # the connection's user moved: +0800 before, +0000 from here on
REAL_KEYS = ("EE-1", "EE-2", "EE-3", "EE-15", "K5-4", "K5-3")
MISSING_EPIC = ("20555", "EE-40")  # an epic that is not in the data: its children are

_PLAIN = "com.atlassian.jira.plugin.system.customfieldtypes:"

# id -> (business name, type of the field's schema, custom type); what an Issue Fields table of the site would hold
CUSTOM_FIELDS: dict[str, tuple[str, str, str]] = {
    "customfield_10000": ("Development", "any", "com.atlassian.jira.plugins.development:devsummarycf"),
    "customfield_10011": ("Epic Name", "string", "com.pyxis.greenhopper.jira:gh-epic-label"),
    "customfield_10012": ("Epic Status", "option", "com.pyxis.greenhopper.jira:gh-epic-status"),
    "customfield_10013": ("Epic Color", "string", "com.pyxis.greenhopper.jira:gh-epic-color"),
    "customfield_10014": ("Epic Link", "any", "com.pyxis.greenhopper.jira:gh-epic-link"),
    "customfield_10015": ("Start date", "date", _PLAIN + "datepicker"),
    "customfield_10017": ("Issue color", "string", "com.pyxis.greenhopper.jira:jsw-issue-color"),
    "customfield_10018": ("Parent Link", "any", "com.atlassian.jpo:jpo-custom-field-parent"),
    "customfield_10019": ("Rank", "any", "com.pyxis.greenhopper.jira:gh-lexo-rank"),
    "customfield_10020": ("Sprint", "array", "com.pyxis.greenhopper.jira:gh-sprint"),
    "customfield_10023": ("[CHART] Time in Status", "any", "com.atlassian.jira.ext.charting:timeinstatus"),
    "customfield_10024": ("Story Points", "number", _PLAIN + "float"),
    "customfield_10060": ("Finish date", "date", _PLAIN + "datepicker"),
    "customfield_10061": ("Severity", "option", _PLAIN + "select"),
    "customfield_10062": ("Platforms", "array", _PLAIN + "multiselect"),
    "customfield_10063": ("Area", "option-with-child", _PLAIN + "cascadingselect"),
    "customfield_10064": ("Reviewer", "user", _PLAIN + "userpicker"),
    "customfield_10065": ("Deployed at", "datetime", _PLAIN + "datetime"),
    "customfield_10066": ("Order", "number", _PLAIN + "float"),
    "customfield_10068": ("Design page", "string", _PLAIN + "url"),
    "customfield_10070": ("Story points", "number", _PLAIN + "float"),
    "customfield_10071": ("🚀 Release train", "option", _PLAIN + "select"),
    "customfield_10073": ("Request participants", "array", "com.atlassian.servicedesk:sd-request-participants"),
}  # fmt: skip
_VERBS = ("Add", "Rework", "Measure", "Document", "Speed up", "Repair", "Check", "Simplify", "Retire", "Automate")
_THINGS = (
    "the import of meter readings", "the forecast page", "the nightly export", "the login screen", "the point picker",
    "the alarm mails", "the chart of test coverage", "the rights of guests", "the search by address", "the cost report",
    "the archive of old sites", "the retry of failed jobs", "the map of stations", "the billing interface",
)  # fmt: skip
_EPICS = ("Readings in one hour", "Forecast for every site", "Sign-on with the company account", "Reports people read")


@dataclass
class Issue:
    """One issue: how it began, and its changes in order of time."""

    id: str
    key: str
    fields: Document
    created: datetime
    changes: list[tuple[datetime, Document]] = field(default_factory=list)
    moves: list[tuple[datetime, str]] = field(default_factory=list)
    real: Document | None = None

    def updated(self, at: datetime) -> datetime:
        """The instant of the last change that had happened by `at`."""
        return max([self.created, *(t for t, _ in self.changes if t <= at), *(t for t, _ in self.moves if t <= at)])


@cache
def documents() -> dict[str, Document]:
    """The real documents by key."""
    packed = resources.files("datalake_kit").joinpath("_demo_data/jira/documents.jsonl.xz").read_bytes()
    lines = lzma.decompress(packed).decode().splitlines()
    return {d["key"]: d for d in (json.loads(line)["document"] for line in lines)}


def at_site(instant: datetime, seen: datetime | None = None) -> str:
    """An instant as Jira writes it: with the offset of the connection's user, without a colon."""
    zone = UTC if (seen or instant) >= OFFSET_CHANGE else timezone(timedelta(hours=8))
    local = instant.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


@cache
def issue_types() -> dict[str, Document]:
    """The issue types of the site, as the documents hold them, with the English names that the same ids have."""
    real = documents()
    subtask = real["EE-1"]["fields"]["subtasks"][0]["fields"]["issuetype"]
    bug = {**real["TST-2"]["fields"]["issuetype"], "id": "10004", "self": f"{SITE}/rest/api/2/issuetype/10004"}
    return {
        "Epic": real["K5-4"]["fields"]["issuetype"],
        "Story": real["K5-3"]["fields"]["issuetype"],
        "Task": {**real["EE-15"]["fields"]["issuetype"], "name": "Task"},
        "Sub-task": {**subtask, "name": "Sub-task"},
        "Bug": {**bug, "hierarchyLevel": 0},
    }


@cache
def statuses() -> dict[str, Document]:
    """The statuses of the site."""
    real = documents()
    doing = real["PROJ-123"]["fields"]["status"]
    return {
        "To Do": real["K5-4"]["fields"]["status"],
        "In Progress": doing,
        "In Review": {**doing, "id": "10034", "name": "In Review", "self": f"{SITE}/rest/api/2/status/10034"},
        "Done": {**real["EE-3"]["fields"]["status"], "name": "Done"},
    }


def people() -> list[Document]:
    """The people of the real documents."""
    real = documents()
    everyone = [real[k]["fields"][f] for k in ("EE-1", "EE-15", "K5-3") for f in ("assignee", "reporter")]
    return [p for p in everyone if p]


def option(number: int, value: str) -> Document:
    """An option of a select field."""
    return {"self": f"{SITE}/rest/api/2/customFieldOption/{number}", "value": value, "id": str(number)}


def _sprint(project: str, at: datetime) -> Document:
    """The two-week sprint of a project that holds an instant, as customfield_10020 has it."""
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    number = max(0, (at - start) // timedelta(days=14))
    start += timedelta(days=14 * number)
    return {
        "id": 300 + number + (100 if project == "K5" else 0), "name": f"{project} Sprint {number + 31}",
        "state": "future", "boardId": 92 if project == "K5" else 8, "goal": "",
        "startDate": f"{start:%Y-%m-%dT%H:%M:%S.000Z}",
        "endDate": f"{start + timedelta(days=14):%Y-%m-%dT%H:%M:%S.000Z}",
    }  # fmt: skip


def sprint_states(sprints: list[Document], at: datetime) -> list[Document]:
    """Sprints as the site tells them at an instant: their state changes without the issue being updated."""
    text = f"{at:%Y-%m-%dT%H:%M:%S.000Z}"
    known = []
    for sprint in sprints:
        if sprint["endDate"] <= text:
            known.append({**sprint, "state": "closed", "completeDate": sprint["endDate"]})
        else:
            known.append({**sprint, "state": "active" if sprint["startDate"] <= text else "future"})
    return known


def template(key: str) -> Document:
    """The fields of a real document without its texts, dates and custom values."""
    fields = copy.deepcopy(documents()[key]["fields"])
    for name in list(fields):
        if name.startswith("customfield_") or name in ("epic", "sprint", "closedSprints", "parent"):
            fields[name] = None
    empty: Document = {"subtasks": [], "issuelinks": [], "resolution": None, "resolutiondate": None, "lastViewed": None}
    return {**fields, **empty, "comment": {"comments": [], "maxResults": 0, "total": 0, "startAt": 0}}


class _Maker:
    """Makes derived issues one after the other, each from its own random stream."""

    def __init__(self) -> None:
        self.next_id = 21000
        self.numbers = {"EE": 41, "K5": 5, "TST": 20}
        self.made: list[Issue] = []

    def make(
        self, project: str, kind: str, source: str, *, above: Issue | None = None, epic: Issue | None = None
    ) -> Issue:
        """Derive one issue from a real document, below another issue when one is given."""
        key = f"{project}-{self.numbers[project]}"
        rng = random.Random(f"{SEED}:{key}")
        created = datetime(2026, 1, 6, tzinfo=UTC) + timedelta(
            seconds=rng.randrange(75 * 86400), milliseconds=rng.randrange(1000)
        )
        if above:
            created = max(created, above.created + timedelta(hours=rng.randrange(2, 90)))
        fields = template(source)
        fields.update(self._system(rng, project, kind, created))
        fields.update(_custom(rng, kind, created, project))
        issue = Issue(str(self.next_id), key, fields, created)
        if above:
            _put_below(issue, above, epic)
        _live(issue, rng, kind, project)
        self.next_id += rng.randrange(1, 4)
        self.numbers[project] += 1
        self.made.append(issue)
        return issue

    def _system(self, rng: random.Random, project: str, kind: str, created: datetime) -> Document:
        names = {"EE": "EE-3", "K5": "K5-3", "TST": "TST-2"}
        everyone = people()
        summary = f"{rng.choice(_VERBS)} {rng.choice(_THINGS)}"
        if kind == "Epic":
            summary = _EPICS[len([i for i in self.made if i.fields["issuetype"]["name"] == "Epic"]) % len(_EPICS)]
        return {
            "summary": summary, "issuetype": issue_types()[kind], "status": statuses()["To Do"],
            "project": documents()[names[project]]["fields"]["project"],
            "creator": everyone[rng.randrange(len(everyone))], "reporter": everyone[rng.randrange(len(everyone))],
            "assignee": everyone[rng.randrange(len(everyone))] if rng.random() < 0.7 else None,
            "labels": sorted(rng.sample(["frontEnd", "Saas", "data", "customer"], rng.randrange(3))),
            "duedate": f"{created + timedelta(days=rng.randrange(20, 60)):%Y-%m-%d}" if rng.random() < 0.3 else None,
            "created": created,
            "description": f"Why: {summary.lower()} takes too long." if rng.random() < 0.6 else None,
        }  # fmt: skip


def _custom(rng: random.Random, kind: str, created: datetime, project: str) -> Document:
    """Values of the custom fields, in the shapes that the real documents have."""
    values: Document = {
        "customfield_10000": "{}",
        "customfield_10019": f"0|i0{rng.randrange(36**4):04x}:",
        "customfield_10073": [],
    }
    if kind == "Epic":
        return {
            **values,
            "customfield_10011": "Epic",
            "customfield_10012": option(10016, "To Do"),
            "customfield_10013": "ghx-label-3",
        }
    if kind in ("Story", "Task"):
        points = rng.choice([1.0, 2.0, 3.0, 5.0, 8.0, 0.5, None])
        values["customfield_10024"] = "-1" if points is None else points  # the site has both, as EE-1 and EE-2 show
        values["customfield_10020"] = [_sprint(project, created)] if rng.random() < 0.7 else None
    if kind == "Bug":
        values["customfield_10061"] = option(*rng.choice([(10101, "Low"), (10102, "Medium"), (10103, "High")]))
        values["customfield_10063"] = {
            **option(10201, "Data"),
            "child": option(10202, rng.choice(["Import", "Export"])),
        }
    if rng.random() < 0.25:
        values["customfield_10062"] = [
            option(10301 + i, p) for i, p in enumerate(rng.sample(["Web", "iOS", "Android"], 2))
        ]
    if rng.random() < 0.2:
        values["customfield_10064"] = rng.choice(people())
        values["customfield_10068"] = f"https://design.example.com/pages/{rng.randrange(900)}"
    if project == "TST":
        values["customfield_10066"] = float(rng.randrange(1, 40)) + 0.457
        values["customfield_10070"] = rng.choice([3, 5, 8.5])
        values["customfield_10071"] = option(10401, "Train 12")
    return values


def _put_below(issue: Issue, above: Issue, epic: Issue | None) -> None:
    """Write parent, epic and epic link as K5-3 has them."""
    up = above.fields
    issue.fields["parent"] = {
        "id": above.id, "key": above.key, "self": f"{SITE}/rest/api/2/issue/{above.id}",
        "fields": {k: up[k] for k in ("summary", "status", "priority", "issuetype")},
    }  # fmt: skip
    if epic:
        issue.fields["customfield_10014"] = epic.key
        issue.fields["epic"] = {"id": int(epic.id), "key": epic.key, "name": epic.fields["summary"], "done": False}


def _live(issue: Issue, rng: random.Random, kind: str, project: str) -> None:
    """Give an issue its changes: status, people, points, labels; some go back, some stay open."""
    at = issue.created
    path = ["In Progress", "In Review", "Done"][: rng.choice([0, 1, 2, 3, 3, 3])]
    if len(path) == 3 and rng.random() < 0.2:
        path[2:2] = ["In Progress", "In Review"]
    for status in path:
        at += timedelta(seconds=rng.randrange(3600, 10 * 86400), milliseconds=rng.randrange(1000))
        change: Document = {"status": statuses()[status]}
        if status == "In Progress" and not issue.fields["assignee"]:
            change["assignee"] = rng.choice(people())
        if status == "Done":
            change |= {
                "resolution": documents()["EE-3"]["fields"]["resolution"],
                "resolutiondate": at,
                "customfield_10065": at,
            }
        issue.changes.append((at, change))
    for _ in range(rng.randrange(3)):
        when = issue.created + timedelta(seconds=rng.randrange(3600, 40 * 86400))
        extra: list[Document] = [
            {"labels": ["data", "reviewed"]},
            {"assignee": rng.choice(people())},
            {"priority": _high()},
        ]
        if kind in ("Story", "Task"):
            extra += [
                {"customfield_10024": rng.choice([2, 3.0, 13.0])},
                {"customfield_10020": [_sprint(project, issue.created), _sprint(project, when)]},
            ]
        issue.changes.append((when, rng.choice(extra)))
    issue.changes.sort(key=lambda change: change[0])


def _high() -> Document:
    return {**documents()["EE-3"]["fields"]["priority"], "name": "High", "id": "2"}


@cache
def all_issues() -> tuple[Issue, ...]:
    """Every issue of the demo: the real ones first, then the derived ones in order of their making."""
    real = [
        Issue(d["id"], d["key"], d["fields"], FIRST_RUN - timedelta(days=900), real=d)
        for d in map(documents().get, REAL_KEYS)
        if d
    ]
    maker = _Maker()
    real_epic = real[4]
    gone = Issue(
        *MISSING_EPIC,
        fields={**template("K5-4"), "summary": "Epic outside the export"},
        created=FIRST_RUN - timedelta(days=100),
    )
    for project, epic in (("EE", None), ("EE", None), ("EE", gone), ("K5", real_epic), ("K5", None)):
        top = epic or maker.make(project, "Epic", "K5-4")
        for number in range(4 if epic is gone else 10):
            story = maker.make(project, "Task" if number % 4 == 3 else "Story", "K5-3", above=top, epic=top)
            for _ in range((2, 0, 1, 0)[number % 4]):
                maker.make(project, "Sub-task", "EE-2", above=story)
    for number in range(20):
        maker.make("TST", "Bug" if number % 3 else "Task", ("TST-2", "TST-11", "HST-1", "PROJ-123")[number % 4])
    _move(maker)
    return (*real, *maker.made)


def _move(maker: _Maker) -> None:
    """Move a story to another project, and give its old key to a new issue."""
    moved = next(i for i in maker.made if i.key.startswith("K5-") and i.created < FIRST_RUN and len(i.changes) > 2)
    moved.moves.append((datetime(2026, 3, 18, 9, 31, tzinfo=UTC), f"EE-{maker.numbers['EE']}"))
    maker.numbers["K5"] = int(moved.key.removeprefix("K5-"))
    again = maker.make("K5", "Task", "K5-3")
    again.created, again.changes = datetime(2026, 3, 24, 8, 15, 0, tzinfo=UTC), []
    again.fields["created"] = again.created
