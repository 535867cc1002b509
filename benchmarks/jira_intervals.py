"""History of Jira issues: seconds and memory of status intervals, working time, and changes from changelogs.

    python benchmarks/jira_intervals.py                  # 200,000 issues with 12 changes of status each
    python benchmarks/jira_intervals.py --issues 50000

`intervals` and `working` go from a frame of changes at hand to a frame of intervals, elapsed and by a calendar;
`changelog` reads the changes from changelogs as Jira sends them (JSON text of about 5 KB, newest entry first), and
`from text` goes from there to intervals. Each job runs in its own process, so that memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jira_unpack import peak_memory

from datalake_kit.jira.history.calendar import WorkingCalendar
from datalake_kit.jira.history.changelog import changelog
from datalake_kit.jira.history.intervals import status_intervals

CHANGES = 12
NAMES = np.array(["Backlog", "In Progress", "In Review", "Done"], dtype=object)
IDS = np.array(["10000", "3", "10002", "10004"], dtype=object)
CATEGORIES = np.array(["To Do", "In Progress", "In Progress", "Done"], dtype=object)
OFFICE = WorkingCalendar(hours=(("08:00", "12:00"), ("13:00", "17:00")), zone="Europe/Vienna")


def as_instants(micros: Any) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(micros.astype("datetime64[us]")).tz_localize("UTC")


def generate(folder: Path, count: int) -> None:
    """Write issues in no order, their changes as a tidy frame, and their changelogs as text."""
    rng = np.random.default_rng(7)
    created = rng.integers(1_760_000_000, 1_780_000_000, count) * 1_000_000
    at = created[:, None] + np.cumsum(rng.integers(60, 500_000, (count, CHANGES)), axis=1) * 1_000_000
    steps = rng.integers(1, len(NAMES), (count, CHANGES))
    states = np.cumsum(np.concatenate([np.zeros((count, 1), dtype=int), steps], axis=1), axis=1) % len(NAMES)
    last, number = states[:, -1], np.arange(count)
    issues = pd.DataFrame({
        "id": (100_000 + number).astype(str), "key": np.char.add("P-", number.astype(str)), "status": NAMES[last],
        "status_id": IDS[last], "status_category": CATEGORIES[last], "created": as_instants(created),
        "updated": as_instants(at[:, -1]),
    })  # fmt: skip
    before, after, owner = states[:, :-1].ravel(), states[:, 1:].ravel(), np.repeat(number, CHANGES)
    instants = as_instants(at.ravel())
    changes = pd.DataFrame({
        "id": issues["id"].to_numpy()[owner], "key": issues["key"].to_numpy()[owner], "field": "status",
        "field_id": "status", "from_value": IDS[before], "from_text": NAMES[before], "to_value": IDS[after],
        "to_text": NAMES[after], "changed_at": instants, "not_before": instants, "not_after": instants, "exact": True,
        "author": "Person 7", "author_account_id": "5d000007", "source": "changelog",
    })  # fmt: skip
    issues = issues.assign(changelog=changelogs(states, at)).iloc[rng.permutation(count)]
    folder.mkdir(parents=True)
    changes.to_parquet(folder / "changes.parquet")
    issues.to_parquet(folder / "issues.parquet", index=False)


def changelogs(states: Any, at: Any) -> list[str]:
    """The JSON of Jira, of each issue; what does not differ is made once."""
    author = json.dumps({
        "self": "https://site.example.com/rest/api/2/user?accountId=5d000007", "accountId": "5d000007",
        "avatarUrls": {"48x48": "https://secure.gravatar.com/avatar/5d000007?d=initials"},
        "displayName": "Person 7", "active": True, "timeZone": "Europe/Vienna", "accountType": "atlassian",
    })  # fmt: skip
    moves = {
        (a, b): json.dumps({"field": "status", "fieldtype": "jira", "fieldId": "status", "from": IDS[a],
                            "fromString": NAMES[a], "to": IDS[b], "toString": NAMES[b]})
        for a in range(len(NAMES)) for b in range(len(NAMES))
    }  # fmt: skip
    times = np.datetime_as_string(at.astype("datetime64[us]"), unit="ms")
    head = f'{{"startAt": 0, "maxResults": {CHANGES}, "total": {CHANGES}, "histories": ['
    entry = '{{"id": "{}", "author": {}, "created": "{}+0000", "items": [{}]}}'
    return [
        head + ", ".join(entry.format(n * 100 + k, author, times[n, k], moves[row[k], row[k + 1]])
                         for k in reversed(range(CHANGES))) + "]}"
        for n, row in enumerate(states.tolist())
    ]  # fmt: skip


def run_job(job: str, folder: Path) -> None:
    """Read what the job needs, then measure the job alone."""
    reads_text = job in ("changelog", "from text")
    columns = ["id", "key", "status", "status_id", "status_category", "created", "updated"]
    issues = pd.read_parquet(folder / "issues.parquet", columns=[*columns, *(["changelog"] if reads_text else [])])
    changes = None if reads_text else pd.read_parquet(folder / "changes.parquet")
    jobs = {
        "intervals": lambda: status_intervals(issues, changes),
        "working": lambda: status_intervals(issues, changes, calendar=OFFICE),
        "changelog": lambda: changelog(issues),
        "from text": lambda: status_intervals(issues),
    }
    began, used = time.perf_counter(), time.process_time()
    rows = len(jobs[job]())
    print(f"{time.perf_counter() - began:.2f} {time.process_time() - used:.2f} {peak_memory():.2f} {rows}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--issues", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "datalake_kit_benchmarks")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    folder = chosen.folder / f"jira-history-{chosen.issues}"
    if chosen.job:
        run_job(chosen.job, folder)
        return
    if not folder.exists():
        generate(folder, chosen.issues)
    for job in ("intervals", "working", "changelog", "from text"):
        command = [sys.executable, __file__, "--issues", str(chosen.issues), "--folder", str(chosen.folder)]
        runs = [
            subprocess.run([*command, "--job", job], check=True, capture_output=True, text=True).stdout.split()
            for _ in range(chosen.repeat)
        ]
        seconds, of_cores, memory, rows = min(runs, key=lambda run: float(run[0]))
        print(f"{job:10} {seconds:>7} s   {of_cores:>7} s of all cores {memory:>6} GB   {int(rows):,} rows")


if __name__ == "__main__":
    main()
