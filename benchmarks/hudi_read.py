"""Count, and filter with three columns to pandas, of a copy-on-write table of 5 million rows x 27 in 20 files.

    python benchmarks/hudi_read.py [FOLDER]

Peer: hudi-rs `read_stream`, in the same process and on the same table. The tables are made once in FOLDER (a temporary
folder without it). Limits on 2 cores: count 50 ms beyond connect, filter and 3 columns 0.5 s. Then seconds and peak
memory of a process of its own for tables of 0.1 to 10 million rows, always in 20 files: batches, a filter over all
columns batch by batch, and up to a million rows the net changes of a commit that rewrote every file and changed one row
in a hundred.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import datalake_kit as dk

ROWS, FILES = 5_000_000, 20
INSTANTS = ("20260101000000000", "20260102000000000")
SIZES = (100_000, 1_000_000, 10_000_000)
WANTED = ["c_int_1", "c_double_1", "c_text_1"]
LIMITS = {"count": 0.05, "filter + 3 columns": 0.5}


def main() -> None:
    """Make the table, run both sides, print seconds and ratios."""
    if len(sys.argv) > 2:
        alone(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
        return
    if len(sys.argv) > 1:
        compare(Path(sys.argv[1]))
        grow(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder))
        grow(Path(folder))


def compare(folder: Path) -> None:
    """Run each job of both sides."""
    table = folder / "bench" / "wide"
    if not (table / ".hoodie").is_dir():
        make_table(table)
    with dk.connect(folder) as lake:
        lake.sql("SELECT 1 AS one")
        first = timed(lambda: dk.hudi.count(lake, "bench.wide"), times=1)
        counted = timed(lambda: dk.hudi.count(lake, "bench.wide"))
        by_sql = timed(lambda: lake.sql("SELECT count(*) AS n FROM bench.wide"))
        where = {"where": "c_int_1 < :top", "params": {"top": 100_000}}
        chosen = timed(lambda: dk.hudi.read(lake, "bench.wide", columns=WANTED, **where))
        whole = timed(lambda: drain(dk.hudi.batches(lake, "bench.wide")), times=1)
    peer_count = timed(lambda: sum(b.num_rows for b in peer(table, ["c_int_1"], [])))
    peer_chosen = timed(lambda: pa.Table.from_batches(peer(table, WANTED, [("c_int_1", "<", "100000")])).to_pandas())
    peer_whole = timed(lambda: sum(b.num_rows for b in peer(table, None, [])), times=1)
    report("count", counted, peer_count, f"first call {first:.3f} s, lake.sql {by_sql:.3f} s")
    report("filter + 3 columns", chosen, peer_chosen, "to pandas")
    report("27 columns, batch by batch", whole, peer_whole, "")


def grow(folder: Path) -> None:
    """Run each job for tables of several sizes, each in a process of its own."""
    for rows in SIZES:
        name = f"rows_{rows}"
        if not (folder / "bench" / name / ".hoodie").is_dir():
            make_table(folder / "bench" / name, rows=rows, commits=2)
        for job in ("batches", "filter", "changes") if rows < SIZES[-1] else ("batches", "filter"):
            subprocess.run([sys.executable, __file__, str(folder), name, job], check=True)


def alone(folder: Path, name: str, job: str) -> None:
    """Run one job and print its seconds and the peak memory of the process."""
    with dk.connect(folder) as lake:
        table = f"bench.{name}"
        jobs: dict[str, Callable[[], int]] = {
            "batches": lambda: drain(dk.hudi.batches(lake, table)),
            "filter": lambda: drain(dk.hudi.batches(lake, table, where="c_int_1 >= 0")),
            "changes": lambda: dk.hudi.changes(lake, table, since=INSTANTS[0], arrow=True).num_rows,
        }
        started = time.perf_counter()
        rows = jobs[job]()
        taken = time.perf_counter() - started
    print(f"{name} {job}: {rows:,} rows, {taken:.2f} s, peak {peak_memory():.0f} MB", flush=True)


def peak_memory() -> float:
    """Return the peak of this process in MB; what getrusage says may be the peak of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(x for x in status.read_text(encoding="utf-8").splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def report(job: str, ours: float, theirs: float, note: str) -> None:
    """Print one line."""
    limit = f", limit {LIMITS[job]} s" if job in LIMITS else ""
    print(f"{job}: {ours:.3f} s, hudi-rs {theirs:.3f} s, ratio {ours / theirs:.2f}{limit}{'; ' + note if note else ''}")


def timed(job: Callable[[], Any], *, times: int = 5) -> float:
    """Return the median seconds of some runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        job()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def drain(reader: pa.RecordBatchReader) -> int:
    """Read to the end and count."""
    return sum(batch.num_rows for batch in reader)


def peer(table: Path, columns: list[str] | None, filters: list[tuple[str, str, str]]) -> list[pa.RecordBatch]:
    """Read with hudi-rs as its documentation does it fastest."""
    from hudi import HudiReadOptions, HudiTable

    options = HudiReadOptions().with_filters(filters).with_batch_size(100_000)
    if columns is not None:
        options = options.with_projection(columns)
    return [pa.record_batch(b) for b in HudiTable(str(table)).read_stream(options)]


def make_table(folder: Path, *, rows: int = ROWS, commits: int = 1) -> None:
    """Write 20 base files a commit, and the JSON commits that name them."""
    (folder / ".hoodie").mkdir(parents=True)
    properties = {
        "hoodie.table.name": folder.name,
        "hoodie.table.type": "COPY_ON_WRITE",
        "hoodie.table.version": "6",
        "hoodie.table.recordkey.fields": "c_key",
        "hoodie.table.base.file.format": "PARQUET",
        "hoodie.timeline.layout.version": "1",
        "hoodie.populate.meta.fields": "true",
        "hoodie.table.timeline.timezone": "UTC",
    }
    text = "".join(f"{k}={v}\n" for k, v in properties.items())
    (folder / ".hoodie" / "hoodie.properties").write_text(text, encoding="utf-8")
    for commit in range(commits):
        write_commit(folder, rows, commit)


def write_commit(folder: Path, rows: int, commit: int) -> None:
    """Write every file anew; the second commit changes one row in a hundred."""
    stats = []
    for number in range(FILES):
        made = make_rows(number, rows // FILES, commit)
        name = f"file{number:02d}-0_0-0-0_{INSTANTS[commit]}.parquet"
        pq.write_table(made, folder / name, store_schema=False)
        size = (folder / name).stat().st_size
        inserts = 0 if commit else made.num_rows
        counts = {"numWrites": made.num_rows, "numInserts": inserts, "numUpdateWrites": made.num_rows // 100 * commit}
        stats.append({"fileId": f"file{number:02d}-0", "path": name, "fileSizeInBytes": size, "numDeletes": 0} | counts)
    avro = {"type": "record", "name": "wide", "fields": [avro_field(f) for f in made.schema if f.name[0] != "_"]}
    content = {
        "partitionToWriteStats": {"": stats},
        "compacted": False,
        "extraMetadata": {"schema": json.dumps(avro)},
        "operationType": "UPSERT" if commit else "BULK_INSERT",
    }
    (folder / ".hoodie" / f"{INSTANTS[commit]}.commit").write_text(json.dumps(content), encoding="utf-8")


def make_rows(number: int, rows: int, commit: int) -> pa.Table:
    """Make 27 columns: Hudi's five, the key, and 21 of the kinds that operational tables have."""
    random = np.random.default_rng(number)
    keys = np.arange(rows, dtype=np.int64) + number * rows
    text_keys = pa.array(keys).cast(pa.string())
    columns: dict[str, Any] = {
        "_hoodie_commit_time": pa.repeat(INSTANTS[0], rows),
        "_hoodie_commit_seqno": pc.binary_join_element_wise(f"{INSTANTS[0]}_{number}", text_keys, "_"),
        "_hoodie_record_key": text_keys,
        "_hoodie_partition_path": pa.repeat("", rows),
        "_hoodie_file_name": pa.repeat(f"file{number:02d}-0_0-0-0_{INSTANTS[commit]}.parquet", rows),
        "c_key": keys,
    }
    words = pa.array([f"word {i}" for i in range(1000)])
    start = np.datetime64("2026-01-01T00:00:00", "us")
    for i in range(1, 7):
        columns[f"c_int_{i}"] = random.integers(0, 1_000_000, rows)
        columns[f"c_double_{i}"] = random.random(rows).round(4)
        columns[f"c_text_{i}"] = words.take(pa.array(random.integers(0, 1000, rows)))
    for i in range(1, 4):
        moments = start + random.integers(0, 10**13, rows).astype("timedelta64[us]")
        columns[f"c_time_{i}"] = pa.array(moments, pa.timestamp("us", tz="UTC"))
    columns["c_int_1"] = columns["c_int_1"] + commit * (keys % 100 == 0)
    return pa.table(columns)


def avro_field(field: pa.Field) -> dict[str, Any]:
    """Write one column as Avro."""
    kinds = {"int64": "long", "double": "double", "string": "string"}
    kind: Any = kinds.get(str(field.type)) or {"type": "long", "logicalType": "timestamp-micros"}
    return {"name": field.name, "type": ["null", kind]}


if __name__ == "__main__":
    main()
