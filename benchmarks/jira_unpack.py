"""Newest version of each Jira issue, unpacked to typed columns: seconds and memory, beside scanning the JSON once.

    python benchmarks/jira_unpack.py                     # 200,000 rows of JSON text of about 3.6 KB, 60 custom fields
    python benchmarks/jira_unpack.py --rows 1000000
    python benchmarks/jira_unpack.py --shape struct
    python benchmarks/jira_unpack.py --peer              # pandas json_normalize as well (a minute, 7 GB)

Beside each figure stands what is to be reached on two cores, and beside the work how often the JSON could have been
scanned and validated in it. 30% of the rows are versions sent again. Each job runs in its own process, so that memory
is its own; the figures end at a pandas frame.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_FILE = 20_000
SITE = "https://site.example.com/rest/api/2"
KINDS = ("text", "number", "option", "date", "datetime", "user", "multi", "text", "number", "option")


def user(number: int) -> dict[str, Any]:
    account = f"5d{number:06d}"
    return {
        "self": f"{SITE}/user?accountId={account}", "accountId": account, "displayName": f"Person {number}",
        "active": True, "timeZone": "Europe/Vienna",
    }  # fmt: skip


def option(number: int) -> dict[str, Any]:
    return {"self": f"{SITE}/customFieldOption/{number}", "value": f"Choice {number}", "id": f"{number}"}


def custom(kind: str, rng: random.Random, when: datetime) -> Any:
    if rng.random() < 0.6:
        return None
    return {
        "text": lambda: f"Some text about thing {rng.randrange(9999)}",
        "number": lambda: rng.choice([rng.randrange(100), rng.randrange(400) / 4]),
        "option": lambda: option(rng.randrange(10)),
        "date": lambda: f"{when:%Y-%m-%d}",
        "datetime": lambda: f"{when:%Y-%m-%dT%H:%M:%S}.000+0100",
        "user": lambda: user(rng.randrange(300)),
        "multi": lambda: [option(rng.randrange(10)) for _ in range(rng.randrange(3))],
    }[kind]()


def issue_fields(rng: random.Random, when: datetime, number: int) -> dict[str, Any]:
    category = rng.choice(["done", "indeterminate"])
    over = category == "done"
    instant = f"{when:%Y-%m-%dT%H:%M:%S}.{rng.randrange(1000):03d}+0100"
    fields: dict[str, Any] = {
        "summary": f"Issue number {number} about meter {rng.randrange(9999)}",
        "status": {
            "self": f"{SITE}/status/3", "name": "Done" if over else "In Progress", "id": "3",
            "statusCategory": {"id": 3, "key": category, "name": "Done"},
        },
        "issuetype": {"id": "10001", "name": rng.choice(["Story", "Bug"]), "subtask": False, "hierarchyLevel": 0},
        "project": {"id": "10003", "key": f"P{number % 7}", "name": f"Project {number % 7}"},
        "priority": {"id": "3", "name": rng.choice(["High", "Medium", "Low"])},
        "assignee": user(rng.randrange(300)) if rng.random() < 0.8 else None,
        "reporter": user(rng.randrange(300)), "creator": user(rng.randrange(300)),
        "created": f"{when - timedelta(days=30):%Y-%m-%dT%H:%M:%S}.123+0100", "updated": instant,
        "duedate": f"{when:%Y-%m-%d}" if rng.random() < 0.3 else None,
        "resolution": {"id": "10000", "name": "Done"} if over else None, "resolutiondate": instant if over else None,
        "labels": [f"label{i}" for i in range(rng.randrange(3))],
        "components": [{"id": "1", "name": "Core"}] if rng.random() < 0.3 else [],
        "fixVersions": [{"id": "7", "name": "v1.7"}], "timeestimate": 3600, "timespent": None,
        "votes": {"votes": rng.randrange(5), "hasVoted": False},
        "watches": {"watchCount": rng.randrange(9), "isWatching": False},
        "description": "What is wanted, and why. " * rng.randrange(8),
    }  # fmt: skip
    for field in range(60):
        fields[f"customfield_{10000 + field}"] = custom(KINDS[field % len(KINDS)], rng, when)
    return fields


def generate(folder: Path, rows: int) -> None:
    """Write the rows; a folder that is there is used again."""
    rng = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    folder.mkdir(parents=True)
    base = [issue_fields(rng, start + timedelta(minutes=i), i) for i in range(8000)]
    texts = [json.dumps(fields, separators=(",", ":")) for fields in base]
    issues = int(rows * 0.7)
    for first in range(0, rows, ROWS_A_FILE):
        numbers = [i if i < issues else rng.randrange(issues) for i in range(first, min(rows, first + ROWS_A_FILE))]
        bodies = [vary(texts[rng.randrange(len(texts))], n, rng) for n in numbers]
        run = start + timedelta(hours=first // ROWS_A_FILE)
        table = pa.table({
            "id": [str(100_000 + n) for n in numbers], "key": [f"P{n % 7}-{n}" for n in numbers],
            "self": [f"{SITE}/issue/{n}" for n in numbers],
            "expand": ["operations"] * len(numbers), "fields": bodies,
        })  # fmt: skip
        path = folder / f"issues-{run:%Y-%m-%dT%H-%M-%S}.parquet"
        pq.write_table(table, path, compression="snappy", row_group_size=10_000)


def vary(text: str, number: int, rng: random.Random) -> str:
    """Make a body that no other row has: its summary, a description and a time of its own."""
    second = rng.randrange(86_400)
    body = text.replace('"summary":"Issue number', f'"summary":"{number} Issue number', 1)
    at = body.index('"updated":"') + 11
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return body[: at + 11] + clock + body[at + 19 :]


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def as_lake(folder: Path) -> Any:
    """The little of a lake that the loader needs."""
    table = SimpleNamespace(files=lambda: files_of(folder))
    return SimpleNamespace(table=lambda name: table)


def scan(folder: Path) -> tuple[int, int]:
    """The floor: read the column and validate each document."""
    sources = {"f": [str(p) for p in files_of(folder)]}
    query = "SELECT count(*), count_if(json_valid(fields)) FROM read_parquet($f)"
    return duckdb.execute(query, sources).fetchall()[0][0], 1


def unpack(folder: Path) -> tuple[int, int]:
    from datalake_kit import jira

    frame = jira.load(as_lake(folder), "jiralake.jira_raw").frame()
    return frame.shape


def normalize(folder: Path) -> tuple[int, int]:
    """The peer: parse each row, keep the newest of each id, json_normalize."""
    import pandas as pd

    raw = pd.concat([pd.read_parquet(p) for p in files_of(folder)], ignore_index=True)
    frame = pd.json_normalize([json.loads(text) for text in raw["fields"]])
    frame["id"] = raw["id"]
    frame["instant"] = pd.to_datetime(frame["updated"], utc=True)
    return frame.sort_values("instant", kind="stable").drop_duplicates("id", keep="last").shape


# Seconds and GB to be reached on two cores, by shape and rows; and the work, in that of scanning and validating once.
TARGETS = {
    ("text", 200_000): (4.0, 0.8), ("text", 1_000_000): (16.0, 2.0),
    ("struct", 200_000): (2.0, None), ("struct", 1_000_000): (5.0, None),
}  # fmt: skip
MOST_SCANS = 3.5

JOBS = {"scan": scan, "unpack": unpack, "normalize": normalize}


Measure = tuple[float, float, float, str]


def measure(job: str, folder: Path) -> Measure:
    """Run one job in a process of its own: seconds, seconds of all cores, gigabytes at the most, shape."""
    command = [sys.executable, __file__, "--job", job, "--folder", str(folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[0]), float(answer[1]), float(answer[2]), answer[3]


def run_job(job: str, folder: Path) -> None:
    importlib.import_module("pandas")  # before the clock: loading the libraries is not what is measured

    began, used = time.perf_counter(), time.process_time()
    rows, columns = JOBS[job](folder)
    seconds, of_cores = time.perf_counter() - began, time.process_time() - used
    print(f"{seconds:.2f} {of_cores:.2f} {peak_memory():.2f} {rows:,}x{columns}")


def peak_memory() -> float:
    """The most memory that this process has held, in GB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux carries ru_maxrss over from the parent process
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024**2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**3 if sys.platform == "darwin" else 1024**2)


def restructure(folder: Path, target: Path) -> None:
    """Write the same rows with `fields` as a struct."""
    target.mkdir(parents=True)
    connection = duckdb.connect()
    sample = {"f": str(files_of(folder)[0])}
    query = "SELECT json_group_structure(CAST(fields AS JSON)) FROM (SELECT fields FROM read_parquet($f) LIMIT 2000)"
    shape = connection.execute(query, sample).fetchall()[0][0].replace('"UBIGINT"', '"DOUBLE"')
    for path in files_of(folder):
        query = f"SELECT * REPLACE (json_transform(fields, '{shape}') AS fields) FROM read_parquet('{path}')"
        table = connection.sql(query).to_arrow_table()
        pq.write_table(table, target / path.name, compression="snappy", row_group_size=10_000)


def rows_at(parent: Path, rows: int, shape: str) -> Path:
    """The folder with the generated rows, made when it is not there."""
    folder = parent / f"jira-{rows}"
    if not folder.exists():
        generate(folder, rows)
    if shape == "text":
        return folder
    target = parent / f"jira-{rows}-{shape}"
    if not target.exists():
        restructure(folder, target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--shape", choices=["text", "struct"], default="text")
    parser.add_argument("--peer", action="store_true", help="run pandas json_normalize too")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "datalake_kit_benchmarks")
    parser.add_argument("--job", choices=list(JOBS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        run_job(chosen.job, chosen.folder)
        return
    for line in report(chosen.folder, chosen.rows, chosen.shape, chosen.repeat, with_peer=chosen.peer):
        print(line, flush=True)


def report(parent: Path, rows: int, shape: str, repeat: int, *, with_peer: bool) -> Iterator[str]:
    """Measure, the jobs in turn so that a busy machine is busy for each, and tell the best of each."""
    text, folder = rows_at(parent, rows, "text"), rows_at(parent, rows, shape)
    runs = [(measure("scan", text), measure("unpack", folder)) for _ in range(repeat)]
    scan, unpacked = min(run[0] for run in runs), min(run[1] for run in runs)
    yield f"{rows:,} rows, fields as {shape}; the best of {repeat}"
    yield line("scan and validate the JSON", scan)
    yield line("newest, unpacked, pandas", unpacked) + target(shape, rows)
    scans = unpacked[1] / scan[1]
    goal = f" (to reach: {MOST_SCANS:g} at most)" if shape == "text" else ""
    yield f"newest, unpacked, pandas: {scans:.1f} times the work of scanning and validating the JSON once{goal}"
    if with_peer:
        peer = measure("normalize", text)
        yield line("pandas json_normalize of text", peer)
        yield f"{peer[0] / unpacked[0]:.0f} times as fast as json_normalize"


def line(label: str, measured: Measure) -> str:
    seconds, of_cores, memory, size = measured
    return f"{label:30} {seconds:7.2f} s  {of_cores:7.2f} s of all cores  {memory:5.2f} GB  {size}"


def target(shape: str, rows: int) -> str:
    seconds, memory = TARGETS.get((shape, rows), (None, None))
    goals = [f"{seconds:g} s" if seconds else "", f"{memory:g} GB" if memory else ""]
    return f"  (to reach: {', '.join(goal for goal in goals if goal)})" if seconds else ""


if __name__ == "__main__":
    main()
