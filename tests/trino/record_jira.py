"""Ask a real Trino the queries of sql/jira over real documents and write its answers down.

    python -m tests.trino.record_jira

Another Trino answers where DATALAKE_KIT_TEST_TRINO names a command that takes JSON lines. Without a
Trino the tests hold the recorded answers against DuckDB's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from datalake_kit.sql import bind_query, literal, load_query, replace_placeholders
from tests.trino.launch import stdin_command

DATA = Path(__file__).parent.parent / "data"
RECORDED = DATA / "jira_sql_trino.json"
TABLE = "memory.default.jira_raw"
QUERIES = {
    "newest_issues": {}, "issues": {"points": "customfield_10024"}, "parents": {}, "links": {}, "comments": {},
    "worklogs": {},
}  # fmt: skip


def rows() -> list[tuple[str | None, str | None, str | None]]:
    """The id, key and fields of each row: real documents, and what is odd."""
    found: list[tuple[str | None, str | None, str | None]] = []
    for path in sorted((DATA / "jira").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        fields = json.dumps(document["fields"], ensure_ascii=False)
        found.append((str(document.get("id", path.stem)), document["key"], fields))
    return found + _made()


def _made() -> list[tuple[str | None, str | None, str | None]]:
    person = {"accountId": "5d1", "displayName": "Ann"}
    kinds = {"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
    first: dict[str, Any] = {
        "summary": "first", "updated": "2026-03-01T09:00:00.000+0000", "created": "2026-02-01T23:30:00.000-0800",
        "status": {"name": "Offen", "id": "1", "statusCategory": {"key": "new", "name": "Zu erledigen"}},
        "issuetype": {"name": "Story"}, "labels": ["b", "a"], "components": [{"name": "Core"}, {"name": "Web"}],
        "duedate": "2026-05-01", "customfield_10024": 2.5, "parent": {"id": "9002", "key": "OLD-2"},
        "issuelinks": [
            {"id": "1", "type": kinds, "inwardIssue": {"id": "9002", "key": "M-2"}},
            {"id": "2", "type": kinds, "outwardIssue": {"id": "7", "key": "X-7"}},
        ],
        "comment": {"total": 9, "comments": [{"id": "1", "author": person, "created": "2026-03-01T10:00:00.000+0530",
                                              "body": {"type": "doc", "version": 1, "content": []}}]},
    }  # fmt: skip
    second = first | {
        "summary": "second", "updated": "2026-03-01T16:00:00.000+0800", "labels": [], "components": None,
        "customfield_10024": "8", "duedate": "soon", "timespent": 3600, "resolutiondate": None,
    }  # fmt: skip
    epic: dict[str, Any] = {
        "summary": 'über "x" 🚀',
        "updated": "no instant",
        "issuetype": {"name": "Epic"},
        "parent": None,
    }
    return [
        ("9001", "M-1", json.dumps(first)), ("9001", "M-9", json.dumps(second)),
        ("9002", "M-2", json.dumps(epic, ensure_ascii=False)),
        ("9003", "M-3", '{"summary": "cut'), ("9004", "M-4", "[1]"), (None, "M-5", '{"summary": "x"}'),
        ("9006", "M-6", None), ("9007", "M-7", '{"summary": null, "status": "text", "assignee": {}}'),
    ]  # fmt: skip


def statements() -> dict[str, str]:
    """Each query with its values written in."""
    found = {}
    for name, values in QUERIES.items():
        text, bound = bind_query(load_query(f"jira/{name}"), {"table": TABLE, **values})
        found[name] = replace_placeholders(text, lambda n, bound=bound: literal(bound[n]))
    return found


def fingerprint() -> str:
    """What the answers belong to: the statements and the rows."""
    return hashlib.sha256(json.dumps([statements(), rows()]).encode()).hexdigest()


def ask() -> dict[str, Any]:
    """Trino's columns and rows for each query."""
    wanted = {"create": f"CREATE TABLE {TABLE} (id varchar, key varchar, fields varchar)"}
    for n, row in enumerate(rows()):
        wanted[f"row {n}"] = f"INSERT INTO {TABLE} VALUES ({', '.join(map(literal, row))})"
    wanted |= statements()
    lines = "".join(json.dumps({"id": name, "sql": sql}) + "\n" for name, sql in wanted.items())
    command = stdin_command()
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    answers = {a["id"]: a for a in map(json.loads, (x for x in done.stdout.splitlines() if x.startswith("{")))}
    odd = {name: a["error"]["message"] for name, a in answers.items() if not a["ok"]}
    assert not odd, odd
    return {
        name: {"columns": [[c["name"], c["type"]] for c in answers[name]["columns"]], "rows": answers[name]["rows"]}
        for name in QUERIES
    }


def main() -> None:
    """Write the answers anew."""
    recorded = {"statements": fingerprint(), "answers": ask()}
    RECORDED.write_text(json.dumps(recorded, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    print({name: len(answer["rows"]) for name, answer in recorded["answers"].items()})


if __name__ == "__main__":
    main()
