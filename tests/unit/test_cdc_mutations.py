"""Damage done to healthy tables, each found and named by `validate`; what is no damage is not reported."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.cdc.dms import DmsFile, list_dms_files
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.snapshot import open_snapshot
from tests.hudi_tables import CowTable
from tests.replication import TRUTH, lake_of, odp_table, staging

KINDS = ("missing", "extra", "changed", "duplicate")
HEALTHY = sorted(z for z, t in TRUTH.items() if z.startswith("tables/") and not any(t[k] for k in KINDS))
COW = ("tables/v6_table_1", "tables/v8_table_1")


def check_of(folder: Path, **options: Any) -> dk.cdc.Validation:
    with dk.connect(folder) as lake:
        return dk.cdc.validate(lake, **{"level": "values"} | options)


def wrong_keys(check: dk.cdc.Validation) -> dict[str, list[Any]]:
    found = check.findings[check.findings["kind"].isin(KINDS)]
    return {str(kind): sorted(group["key"]) for kind, group in found.groupby("kind")}


def healthy(name: str, folder: Path) -> tuple[Path, Path]:
    """A lake with a copy of a table and its staging, and the folder of the table."""
    lake = lake_of(folder, {"t": odp_table(name)}, staged={"t": TRUTH[f"{name}.zip"]["source"]})
    return lake, lake / "taxi" / "t"


def unexplained(check: dk.cdc.Validation) -> list[str]:
    return [text for text in check.findings["explanation"] if text.startswith("unexplained")]


# --- nothing


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_reported_of_a_healthy_table(name: str, tmp_path: Path) -> None:
    lake, _ = healthy(name.removesuffix(".zip"), tmp_path)
    for level in ("counts", "keys", "values"):
        check = check_of(lake, level=level)
        assert (check.status, len(check.findings)) == ("equal", 0), check.sentence


@pytest.mark.parametrize("name", COW)
def test_a_base_file_of_no_commit_is_no_part_of_the_table(name: str, tmp_path: Path) -> None:
    lake, table = healthy(name, tmp_path)
    newest = open_snapshot(table).slices[0].base
    group, _, _ = Path(newest.path).stem.split("_")
    shutil.copy(table / newest.path, table / newest.partition / f"{group}_9-9-9_20990101000000000.parquet")
    assert check_of(lake).findings.empty


# --- files of the table


@pytest.mark.parametrize("damage", ["gone", "cut"])
@pytest.mark.parametrize("name", ["tables/v6_table_1", "tables/v8_table_1", "tables/v6_table_10", "tables/v8_table_5"])
def test_the_newest_base_file(name: str, damage: str, tmp_path: Path) -> None:
    lake, table = healthy(name, tmp_path)
    before = wrong_keys(check_of(lake))
    base = max((s.base for s in open_snapshot(table).slices), key=lambda b: b.instant)
    file = table / base.path
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    check = check_of(lake)
    assert check.status == "different"
    assert base.path in check.sentence
    assert not unexplained(check)
    named = check.findings[(check.findings["file"] == base.path) & check.findings["kind"].isin(KINDS)]
    assert set(named["commit"]) == {base.instant}
    assert len(named)
    known = {k for keys in before.values() for k in keys}
    assert {k for keys in wrong_keys(check).values() for k in keys} - known == set(named["key"]) - known


@pytest.mark.parametrize("damage", ["gone", "cut"])
@pytest.mark.parametrize("name", ["tables/v6_table_10_mor", "tables/v8_table_3_mor"])
def test_a_log_file(name: str, damage: str, tmp_path: Path) -> None:
    lake, table = healthy(name, tmp_path)
    known = {k for keys in wrong_keys(check_of(lake)).values() for k in keys}
    for one in (s for s in open_snapshot(table).slices if s.logs):
        file = table / one.logs[-1].path
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2]) if damage == "cut" else file.unlink()
        check = check_of(lake)
        assert check.status == "different"
        new = check.findings[check.findings["kind"].isin(KINDS) & ~check.findings["key"].isin(known)]
        fault = check.findings[check.findings["kind"] == "unverified"].iloc[0]
        assert (fault["file"], fault["commit"]) == (one.logs[-1].path, one.logs[-1].instant)
        assert set(new["file"]) <= {one.logs[-1].path}, new[["key", "kind", "explanation"]].to_string()
        file.write_bytes(whole)


# --- commits


def taken_back(table: Path) -> tuple[str, Path]:
    """Take back the completion of the newest commit."""
    last = load_timeline(table).commits[-1]
    return last.requested, Path(str(last.instant.file)).rename(table.parent / "completed")


@pytest.mark.parametrize(
    "name",
    [
        "tables/v6_table_1",
        "tables/v8_table_1",
        "tables/v6_table_2_global",
        "tables/v6_table_10",
        "tables/v6_table_10_mor",
    ],
)
def test_a_commit_left_in_flight(name: str, tmp_path: Path) -> None:
    lake, table = healthy(name, tmp_path)
    instant, _ = taken_back(table)
    check = check_of(lake)
    newest = list_dms_files(lake / "_raw")[-1]
    keys = set(pq.read_table(newest.path).column("PK_ID").to_pylist())
    assert {k for found in wrong_keys(check).values() for k in found} <= keys
    assert check.status == "different"
    assert set(check.findings["commit"]) == {instant}
    assert check.findings["explanation"].str.contains(f"commit {instant} was begun and never completed").all()
    assert check.findings["file"].str.contains(newest.path.name, regex=False).all()
    if "table_10" in name:  # its last change file was written with two commits, and the deletes are the last
        assert check.findings["explanation"].str.startswith("the deletes of ").all()


def test_a_commit_that_was_rolled_back(tmp_path: Path) -> None:
    lake, table = healthy("tables/v6_table_1", tmp_path)
    last = load_timeline(table).commits[-1]
    for file in (table / ".hoodie").glob(f"{last.requested}*"):
        file.unlink()
    for stat in last.stats:
        (table / stat.path).unlink()
    content = {"startRollbackTime": "20261124000000000", "commitsRollback": [last.requested]}
    (table / ".hoodie" / "20261124000000000.rollback").write_text(json.dumps(content))
    check = check_of(lake)
    assert set(check.findings["commit"]) == {last.requested}
    assert check.findings["explanation"].str.contains(f"commit {last.requested} was rolled back").all()


def test_part_of_an_older_commit_is_absent(tmp_path: Path) -> None:
    rows = [(k, k % 2, 0, "") for k in range(6)]
    second = [(1, 1, 7, "101"), (3, 1, 7, "102"), (0, 0, 7, "103")]
    staged = write_staging(tmp_path, [("L", r) for r in rows], [("U", r) for r in second], [("U", (2, 0, 9, "104"))])
    table = CowTable(
        tmp_path / "taxi" / "t",
        keys=["ID"],
        partition=["PART"],
        properties={"hoodie.table.precombine.field": "CDC_TIMESTAMP_SEQ"},
    )
    apart = {p: [r for r in rows if r[1] == p] for p in (0, 1)}
    table.commit("20260301100000000", {(f"PART={p}", f"f{p}"): rows_table(r) for p, r in apart.items()})
    done = {r[0]: r for r in second}
    apart = {p: [done.get(r[0], r) for r in found] for p, found in apart.items()}
    table.commit("20260301100100000", {(f"PART={p}", f"f{p}"): rows_table(r) for p, r in apart.items()})
    (table.folder / ".hoodie" / "20260301100100000.commit").unlink()
    apart[0] = [(2, 0, 9, "104") if r[0] == 2 else r for r in apart[0]]
    table.commit("20260301100200000", {("PART=0", "f0"): rows_table(apart[0])})
    del staged
    check = check_of(tmp_path)
    assert wrong_keys(check) == {"changed": [1, 3]}
    assert set(check.findings["commit"]) == {"20260301100100000"}
    assert set(check.findings["file"]) == {"PART=1/f1_0-0-0_20260301100100000.parquet"}


SCHEMA = pa.schema(
    [("ID", pa.int64()), ("PART", pa.int64()), ("VALUE", pa.int64()), ("CDC_TIMESTAMP_SEQ", pa.string())]
)


def rows_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    return pa.table([pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), SCHEMA, strict=True)], schema=SCHEMA)


def write_staging(folder: Path, *files: list[tuple[str, tuple[Any, ...]]], dated: bool = True) -> Path:
    """Write the DMS files of a table taxi_trips.t; the first is the full load."""
    top = folder / "_raw" / "staging" / "taxi_trips" / "t"
    for n, rows in enumerate(files):
        table = rows_table([r for _, r in rows])
        where = top / "2026/03/01" if n and dated else top
        where.mkdir(parents=True, exist_ok=True)
        if n:
            table = table.add_column(0, "Op", pa.array([op for op, _ in rows]))
        pq.write_table(table, where / (f"20260301-10{n:02d}00000.parquet" if n else "LOAD00000001.parquet"))
    return top


# --- staged files


STORIES = [
    f
    for t in ("table_1", "table_2", "table_3", "table_10")
    for f in list_dms_files(staging())
    if f.table == t and f.kind == "change"
]


def plain_lake(folder: Path, files: list[DmsFile], without: list[DmsFile]) -> Path:
    """A lake of plain Parquet that holds what the files lead to, without some; all are staged."""
    kept = dk.cdc.expected([f for f in files if f not in without], keys="PK_ID").table
    (folder / "taxi" / "t").mkdir(parents=True)
    pq.write_table(kept, folder / "taxi" / "t" / "part-0.parquet")
    shutil.copytree(staging() / "taxi_trips" / files[0].table, folder / "_raw/staging/taxi_trips/t")
    return folder


@pytest.mark.parametrize("lost", STORIES, ids=lambda f: f.name)
def test_a_change_file_that_was_withheld(lost: DmsFile, tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == lost.table]
    check = check_of(plain_lake(tmp_path, files, [lost]), keys="PK_ID")
    if lost.name.endswith("20260301-100107219.parquet"):
        assert check.ok  # later files overwrite or delete every key of it
        return
    assert check.findings["file"].str.endswith(lost.path.name).all()
    assert check.findings["explanation"].str.contains("was never processed").all()
    rows = pq.read_table(lost.path).column("PK_ID").to_pylist()
    assert {k for keys in wrong_keys(check).values() for k in keys} <= set(rows)


def test_a_change_file_that_landed_in_the_second_of_the_full_load(tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_1"]
    lake = plain_lake(tmp_path, files, [files[1]])
    top = lake / "_raw/staging/taxi_trips/t"
    second = files[1].time
    assert second is not None
    for path in top.rglob("*.parquet"):
        own = next(f for f in files if f.path.name == path.name)
        landed = (own.time or second) if own.time != files[1].time else second
        os.utime(path, (landed.timestamp(), landed.timestamp()))
    check = check_of(lake, keys="PK_ID")
    assert check.findings["explanation"].str.contains("landed in the second of the full load").all()
    assert check.findings["file"].str.endswith(files[1].path.name).all()
    later = (second + timedelta(seconds=9)).timestamp()
    os.utime(next(top.rglob(files[1].path.name)), (later, later))
    assert not check_of(lake, keys="PK_ID").findings["explanation"].str.contains("in the second of").any()


def test_trackers_say_when_files_landed_and_that_they_were_processed(tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_1"]
    lake = plain_lake(tmp_path, files, [files[1]])
    items = [
        {
            "source_table_name": "taxi_trips_t",
            "file_ingestion_path": f"s3://raw/taxi_trips/t/{file.name.split('/table_1/')[1]}",
            "file_ingestion_date_time": f"{moment:%Y-%m-%d %H:%M:%S}",
            "file_ingestion_status": "raw_file_processed",
            "schema_name": "taxi_trips",
            "table_name": "t",
        }
        for file in files
        if (moment := file.time or files[1].time) is not None
    ]
    for at, text in ((0, "landed in the second of the full load"), (9, "was marked as processed, and what was in it")):
        items[0]["file_ingestion_date_time"] = f"{files[1].time - timedelta(seconds=at):%Y-%m-%d %H:%M:%S}"  # type: ignore[operator]
        check = check_of(lake, keys="PK_ID", trackers=write_json(tmp_path / "trackers.json", items))
        assert check.findings["explanation"].str.contains(text).all(), check.sentence
        assert check.findings["file"].str.endswith(files[1].path.name).all()


def write_json(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content))
    return file


def test_a_copied_folder_has_times_of_its_own(tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_1"]
    lake = plain_lake(tmp_path, files, files[1:])
    now = datetime.now(UTC).timestamp()
    for path in (lake / "_raw").rglob("*.parquet"):
        os.utime(path, (now, now))
    check = check_of(lake, keys="PK_ID")
    assert not check.findings["explanation"].str.contains("in the second of").any()
    assert f"the run stopped after taxi_trips/t/{files[0].path.name}" in check.sentence


def test_a_run_that_stopped(tmp_path: Path) -> None:
    lake, table = healthy("tables/v6_table_10", tmp_path)
    commits = load_timeline(table).commits
    for commit in commits[-3:]:
        for file in (table / ".hoodie").glob(f"{commit.requested}*"):
            file.unlink()
    for path in open_snapshot(table).uncommitted_files:
        Path(str(path)).unlink()
    check = check_of(lake)
    files = list_dms_files(lake / "_raw")
    assert (
        f"the run stopped after taxi_trips/t/2026/03/01/{files[-3].path.name} (commit {commits[-4].requested})"
        in check.sentence
    )
    assert {n for f in check.findings["file"] for n in f.split(", ")} == {
        f"taxi_trips/t/{f.name.split('/t/')[1]}" for f in files[-2:]
    }


def test_a_full_load_that_failed_for_its_null_ordering_column(tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_1"]
    lake = plain_lake(tmp_path, files, [files[0]])
    load = next((lake / "_raw").rglob("LOAD*"))
    rows = pq.read_table(load)
    at = rows.schema.get_field_index("CDC_TIMESTAMP_SEQ")
    pq.write_table(rows.set_column(at, "CDC_TIMESTAMP_SEQ", pa.nulls(rows.num_rows, pa.string())), load)
    check = check_of(lake, keys="PK_ID")
    assert check.summary[["expected", "lake", "missing"]].values.tolist() == [[2200, 200, 2000]]
    assert check.findings["explanation"].str.contains("NULL in the ordering column").all()
    assert set(check.findings["file"]) == {"taxi_trips/t/LOAD00000001.parquet"}


def test_change_files_without_date_folders_that_overwrote_the_table(tmp_path: Path) -> None:
    load = [("L", (k, 1, 0, "")) for k in range(5)]
    changes = [("U", (1, 1, 2, "102")), ("D", (2, 1, 0, "103"))]
    write_staging(tmp_path, load, [("I", (9, 1, 1, "101"))], changes, dated=False)
    (tmp_path / "taxi" / "t").mkdir(parents=True)
    pq.write_table(rows_table([r for _, r in changes]), tmp_path / "taxi" / "t" / "part-0.parquet")
    check = check_of(tmp_path, keys="ID")
    assert wrong_keys(check) == {"missing": [0, 3, 4, 9], "extra": [2]}
    assert check.findings["explanation"].str.contains("replaced the whole table: a change file without date").all()
    assert set(check.findings["file"]) == {"taxi_trips/t/20260301-100200000.parquet"}


# --- columns, partitions, keys


@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_column_that_was_added_midway_and_dropped(how: str, tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_4"]
    lake = plain_lake(tmp_path, files, [])
    file = lake / "taxi/t/part-0.parquet"
    rows = pq.read_table(file)
    at = rows.schema.get_field_index("AIRPORT_FEE")
    filled = pc.sum(pc.is_valid(rows.column(at))).as_py()
    empty = rows.set_column(at, "AIRPORT_FEE", pa.nulls(rows.num_rows, pa.float64()))
    pq.write_table(rows.drop_columns(["AIRPORT_FEE"]) if how == "absent" else empty, file)
    check = check_of(lake, keys="PK_ID")
    assert check.findings[["kind", "column"]].values.tolist() == [["unverified", "AIRPORT_FEE"]]
    assert f"the column AIRPORT_FEE never arrived: {filled} rows should have a value in it" in check.sentence


def test_a_row_in_another_partition_too(tmp_path: Path) -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_2"]
    lake = plain_lake(tmp_path, files, [])
    (lake / "taxi/t/part-0.parquet").unlink()
    rows = dk.cdc.expected(files, keys="PK_ID").table
    twice = rows.slice(0, 1)
    other = twice.set_column(rows.schema.get_field_index("VENDORID"), "VENDORID", pa.array([9], pa.int64()))
    pq.write_table(pa.concat_tables([rows, other.cast(rows.schema)]), lake / "taxi/t/part-0.parquet")
    check = check_of(lake, keys="PK_ID")
    assert wrong_keys(check) == {"duplicate": twice.column("PK_ID").to_pylist()}
    assert check.findings["explanation"].tolist() == ["unexplained (2 rows; the newest is right)"]


MOVED = sorted(z for z, t in TRUTH.items() if z.startswith("tables/") and any(t[k] for k in KINDS))


@pytest.mark.parametrize("name", MOVED)
def test_partitions_that_moved_and_deletes_that_found_nothing(name: str, tmp_path: Path) -> None:
    lake, _ = healthy(name.removesuffix(".zip"), tmp_path)
    check = check_of(lake)
    assert wrong_keys(check) == {k: TRUTH[name][k] for k in KINDS if TRUTH[name][k]}
    text = check.findings["explanation"]
    told = text.str.contains("partition moved") | text.str.contains("NULL partition column")
    assert told.all(), text[~told].tolist()
    assert text.str.contains("NULL partition column").all() == ("table_3" in name)
