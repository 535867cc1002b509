"""Three issues with their changelogs, small enough to follow by hand: what the examples of the measures show. Pure."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

_IDS = {"To Do": "1", "In Progress": "3", "Done": "6"}
_MOVES = {
    "A-1": ("02", [("03", "To Do", "In Progress"), ("06", "In Progress", "Done")]),
    "A-2": ("03", [("04", "To Do", "In Progress"), ("05", "In Progress", "Done"), ("09", "Done", "In Progress")]),
    "A-3": ("10", []),
}


def example_issues() -> pd.DataFrame:
    """Make three issues of March 2026, in which all happens at 09:00 UTC.

    A-1 is created on the 2nd, started on the 3rd, done on the 6th, all that time without a flag. A-2 is created on the
    3rd, started and flagged on the 4th, done and without the flag on the 5th, and reopened on the 9th. A-3 is created
    on the 10th, and nothing is known after that.

    Returns
    -------
    DataFrame
        Columns `id`, `key`, `status`, `status_id`, `status_category`, `created`, `updated`, `flagged`, `changelog`, as
        `dk.jira.load(...).frame()` has them.

    Examples
    --------
    >>> example_issues()[["key", "status"]].values.tolist()
    [['A-1', 'Done'], ['A-2', 'In Progress'], ['A-3', 'To Do']]
    """
    return pd.DataFrame([_issue(n, key) for n, key in enumerate(_MOVES, start=1)]).astype({"flagged": "str"})


def _issue(number: int, key: str) -> dict[str, Any]:
    created, moves = _MOVES[key]
    entries = [(day, _item("status", _IDS[old], old, _IDS[new], new)) for day, old, new in moves]
    if key == "A-2":
        entries.append(("04", _item("Flagged", None, None, "10019", "Impediment")))
        entries.append(("05", _item("Flagged", "10019", "Impediment", None, None)))
    histories = [{"id": f"{number}{n}", "created": _text(day), "items": [i]} for n, (day, i) in enumerate(entries)]
    status = moves[-1][2] if moves else "To Do"
    return {
        "id": str(10 + number), "key": key, "status": status, "status_id": _IDS[status], "status_category": status,
        "created": pd.Timestamp(_text(created)).as_unit("us"),
        "updated": pd.Timestamp(_text(max([created, *(day for day, _ in entries)]))).as_unit("us"),
        "flagged": None, "changelog": json.dumps({"histories": histories}),
    }  # fmt: skip


def _item(field: str, before: str | None, before_text: str | None, after: str | None, after_text: str | None) -> Any:
    return {"field": field, "from": before, "fromString": before_text, "to": after, "toString": after_text}


def _text(day: str) -> str:
    return f"2026-03-{day}T09:00:00.000+0000"
