"""Refresh of `jira_data` after a file of 20,000 new rows on 1,000,000, beside reading all files again.

    python benchmarks/jira_refresh.py                    # 1,000,000 rows; target: 1.5 s where a full run takes 16 s
    python benchmarks/jira_refresh.py --rows 200000

The rows are those of jira_unpack.py. Half of the new ones are new issues, half are newer versions of issues from
anywhere in the table. Each run is a process of its own on a copy of what was kept before; loading the libraries is not
measured. The results are compared: rows, columns, names, types, order.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jira_unpack
import pyarrow as pa
import pyarrow.parquet as pq

NEW_ROWS = 20_000
TARGET = 1.5  # seconds, on 1,000,000 rows
MADE_LATER = datetime(2027, 1, 1, tzinfo=UTC)


def land_more(folder: Path, rows: int) -> Path:
    """Write the file that comes after the others: its rows are the newest of their issues."""
    path = folder / f"issues-{MADE_LATER:%Y-%m-%dT%H-%M-%S}.parquet"
    rng = random.Random(11)
    issues = int(rows * 0.7)
    bodies = [jira_unpack.issue_fields(rng, MADE_LATER - timedelta(minutes=i), i) for i in range(2000)]
    texts = [json.dumps(fields, separators=(",", ":")) for fields in bodies]
    new = [issues + i for i in range(NEW_ROWS // 2)]
    numbers = new + rng.sample(range(issues), NEW_ROWS - len(new))
    table = pa.table({
        "id": [str(100_000 + n) for n in numbers], "key": [f"P{n % 7}-{n}" for n in numbers],
        "self": [f"{jira_unpack.SITE}/issue/{n}" for n in numbers], "expand": ["operations"] * len(numbers),
        "fields": [jira_unpack.vary(texts[rng.randrange(len(texts))], n, rng) for n in numbers],
    })  # fmt: skip
    pq.write_table(table, path, compression="snappy", row_group_size=10_000)
    return path


def run(mode: str, folder: Path, out: Path) -> dict[str, Any]:
    """Refresh once in a process of its own."""
    command = [sys.executable, __file__, "--job", mode, "--folder", str(folder), "--out", str(out)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def run_job(mode: str, folder: Path, out: Path) -> None:
    importlib.import_module("pandas")  # before the clock: loading the libraries is not what is measured

    from datalake_kit.jira.kept.refresh import refresh

    began, used = time.perf_counter(), time.process_time()
    done = refresh(jira_unpack.as_lake(folder), out, full=mode == "full")
    seconds, of_cores = time.perf_counter() - began, time.process_time() - used
    told = {"full": done.full, "reason": done.reason, "issues": done.issues, "changed": done.issues_changed}
    print(json.dumps({"seconds": seconds, "of_cores": of_cores, "gigabytes": jira_unpack.peak_memory(), **told}))


def compare(first: Path, second: Path) -> None:
    """The two are the same, or this fails."""
    import pandas as pd

    from datalake_kit.jira.kept.stored import read

    mine, theirs = read(first), read(second)
    pd.testing.assert_frame_equal(mine, theirs)
    assert mine.attrs == theirs.attrs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "datalake_kit_benchmarks")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--job", choices=["full", "refresh"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        run_job(chosen.job, chosen.folder, chosen.out)
        return
    generated = jira_unpack.rows_at(chosen.folder, chosen.rows, "text")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        work = Path(name)
        landed = work / "landed"
        landed.mkdir()
        for path in jira_unpack.files_of(generated):
            (landed / path.name).symlink_to(path)
        run("full", landed, work / "before")
        land_more(landed, chosen.rows)
        full = run("full", landed, work / "full")
        added = []
        for number in range(chosen.repeat):
            shutil.copytree(work / "before", work / f"added-{number}")
            added.append(run("refresh", landed, work / f"added-{number}"))
        compare(work / "added-0", work / "full")
    best = min(added, key=lambda found: found["seconds"])
    for what, found in (("full", full), ("refresh", best)):
        of_cores = f"{found['of_cores']:6.2f} s of all cores {found['gigabytes']:5.2f} GB"
        print(f"{what:8} {found['seconds']:6.2f} s {of_cores}   {found['issues']:,} issues {found['reason']}")
    print(f"the results are the same; {best['changed']:,} issues changed; target on 1,000,000 rows: {TARGET} s")


if __name__ == "__main__":
    main()
