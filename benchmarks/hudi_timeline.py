"""How long the timeline of 1,000 commits takes, cold: table version 6 (JSON instants) and 8 (Avro instants).

    python benchmarks/hudi_timeline.py [commits]

Each commit rewrites 4, then 20, of 64 file groups, with metadata shaped as in a commit that Hudi itself wrote
(tests/data). Every figure is the middle one of three fresh processes, imports left out. The limit is 1 s for 1,000
commits on 2 cores. There is no peer: no other reader says what each commit did.
"""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro

TABLES = Path(__file__).parents[1] / "tests" / "data" / "odp" / "tables"
GROUPS, WRITTEN, LIMIT = 64, (4, 20), 1.0
OURS = """
import time, resource
import pandas, pyarrow
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.history import timeline_frame
begun = time.perf_counter()
frame = timeline_frame(load_timeline({folder!r}))
took = time.perf_counter() - begun
assert len(frame) == {commits} and frame["rows_after"].notna().all(), frame
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    """Write the tables, and time each in a process of its own."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    limit = LIMIT * commits / 1000
    for version in (6, 8):
        for written in WRITTEN:
            with tempfile.TemporaryDirectory() as folder:
                _write_table(Path(folder), version, commits, written)
                seconds, megabytes = sorted(_run(OURS.format(folder=folder, commits=commits)) for _ in range(3))[1]
            verdict = "within" if seconds <= limit else "ABOVE"
            print(
                f"version {version}, {commits} commits of {written} files: {seconds:.2f} s, {megabytes:.0f} MB; "
                f"{verdict} the limit of {limit:g} s"
            )


def _run(code: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def _write_table(folder: Path, version: int, commits: int, written: int) -> None:
    properties, instants = _template(version)
    (folder / ".hoodie").mkdir()
    (folder / ".hoodie" / "hoodie.properties").write_text(properties, encoding="utf-8")
    timeline = folder / ".hoodie" / ("timeline" if version >= 8 else "")
    timeline.mkdir(exist_ok=True)
    metadata, schema = instants
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [0] * GROUPS
    for number in range(commits):
        moments = [begun + timedelta(minutes=10 * number, seconds=s) for s in (0, 7)]
        requested, completed = (m.strftime("%Y%m%d%H%M%S") + "123" for m in moments)
        content = _content(metadata, number if number else -1, requested, rows, written)
        name = f"{requested}_{completed}" if version >= 8 else requested
        (timeline / f"{requested}.commit.requested").touch()
        (timeline / f"{requested}.{'commit.inflight' if version >= 8 else 'inflight'}").write_text("{}")
        (timeline / f"{name}.commit").write_bytes(_encoded(content, schema))
    for group in range(GROUPS):
        (folder / f"VENDORID={group % 4}").mkdir(exist_ok=True)


def _template(version: int) -> tuple[str, tuple[dict[str, Any], Any]]:
    with zipfile.ZipFile(TABLES / f"v{version}_table_1.zip") as archive:
        names = archive.namelist()
        properties = archive.read(next(n for n in names if n.endswith("/hoodie.properties") and "metadata" not in n))
        last = max(n for n in names if n.endswith(".commit") and "/metadata/" not in n)
        data = archive.read(last)
    if version < 8:
        return properties.decode(), (json.loads(data), None)
    reader = fastavro.reader(io.BytesIO(data))
    record: Any = next(iter(reader))
    return properties.decode(), (record, reader.writer_schema)


def _content(metadata: dict[str, Any], number: int, instant: str, rows: list[int], written: int) -> dict[str, Any]:
    sample = next(iter(metadata["partitionToWriteStats"].values()))[0]
    stats: dict[str, list[dict[str, Any]]] = {}
    first = number < 0
    for step in range(GROUPS if first else written):
        group = (number * written + step) % GROUPS
        inserts = 1000 if first else 10
        rows[group] += inserts
        partition = f"VENDORID={group % 4}"
        stat = copy.deepcopy(sample)
        stat |= {"fileId": f"{group:08d}-0000-4000-8000-000000000000-0", "partitionPath": partition}
        stat |= {"path": f"{partition}/{stat['fileId']}_0-1-2_{instant}.parquet", "numWrites": rows[group]}
        stat |= {"numInserts": inserts, "numDeletes": 0, "numUpdateWrites": 0 if first else 50}
        stats.setdefault(partition, []).append(stat)
    return {**metadata, "partitionToWriteStats": stats}


def _encoded(content: dict[str, Any], schema: Any) -> bytes:
    if schema is None:
        return json.dumps(content).encode()
    target = io.BytesIO()
    fastavro.writer(target, schema, [content])
    return target.getvalue()


if __name__ == "__main__":
    main()
