"""Damage done to healthy Hudi tables: each is named by `health`, and `read` raises or is not touched by it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from datalake_kit.errors import DataError, HudiError, UnreadableFileError
from datalake_kit.hudi import check_keys, checkup
from datalake_kit.hudi.checkup import health_of
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.content import decode_instant
from datalake_kit.hudi.examined import Examined, Limits
from datalake_kit.hudi.findings import Finding, Health
from datalake_kit.hudi.log_keys import rewritten_keys
from datalake_kit.hudi.logformat import read_blocks
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.hudi.snapshot import open_snapshot
from tests.hudi_tables import CowTable
from tests.replication import PUBLIC_ROWS, TRUTH, digest, odp_table, public_table

COW = ("tables/v6_table_1", "tables/v8_table_1")
MOR = ("tables/v6_table_10_mor", "tables/v8_table_3_mor")


def named(health: Health) -> list[tuple[str, str]]:
    return list(zip(health.findings["severity"], health.findings["name"], strict=True))


def copy_of(name: str, folder: Path) -> Path:
    return shutil.copytree(odp_table(name), folder / "table")


def the(health: Health, name: str) -> dict[str, Any]:
    """The only finding of a name."""
    rows = health.findings[health.findings["name"] == name].to_dict(orient="records")
    assert len(rows) == 1, health.findings.to_string()
    return {str(k): v for k, v in rows[0].items()}


def still_reads(table: Path, name: str) -> bool:
    return digest(read_snapshot(open_snapshot(table))) == str(TRUTH[f"{name}.zip"]["md5"])


# --- healthy tables: nothing, but the defects that their writers left in them

_LATE = ("warning", "late-file-wins")  # their properties name OverwriteWithLatestAvroPayload
_MOVED = ("error", "duplicate-keys-across-partitions")  # one finding for each commit that moved keys
DEFECTS: dict[str, list[tuple[str, str]]] = {
    "tables/v6_table_10_mor.zip": [_LATE],
    "tables/v6_table_2_mor_mixed.zip": [_MOVED, _MOVED, _LATE],
    "tables/v8_table_2.zip": [_MOVED, _MOVED],
    "tables/v8_table_2_mor_uncompacted.zip": [_MOVED, _MOVED],
    "tables/v8_table_5.zip": [_MOVED],
    "damaged/v6_table_1_base_deleted.zip": [("error", "missing-base-file")],
    "damaged/v8_table_1_base_deleted.zip": [("error", "missing-base-file")],
    "damaged/v6_table_2_mor_uncompacted_log_truncated.zip": [("error", "cut-log-file"), _MOVED, _MOVED, _LATE],
    "cow/v9_timebasedkeygen_nonhivestyle": [("error", "duplicate-keys")],
    "mor/v6_trips_8i1u": [_LATE],
    "mor/v6_nonpartitioned_rollback": [_LATE],
}


@pytest.mark.parametrize("name", [*sorted(TRUTH), *PUBLIC_ROWS])
def test_nothing_but_the_writers_defects(name: str) -> None:
    health = health_of(odp_table(name) if name in TRUTH else public_table(name))
    assert named(health) == DEFECTS.get(name, [])
    assert health.ok is not bool(DEFECTS.get(name))


@pytest.mark.parametrize("name", sorted(n for n, d in DEFECTS.items() if _MOVED in d and n.startswith("tables")))
def test_the_keys_that_moved_are_those_of_hudis_reader(name: str) -> None:
    health = health_of(odp_table(name))
    moved = health.findings[health.findings["name"] == _MOVED[1]]
    assert moved["count"].sum() == len(TRUTH[name]["duplicate"])
    shown = {int(k) for keys in moved["keys"] for k in keys}
    assert shown <= set(TRUTH[name]["duplicate"])
    assert set(moved["commit"]) <= {c["instant"] for c in TRUTH[name]["commits"]}


def test_the_key_that_the_writer_doubled_is_shown() -> None:
    found = the(health_of(public_table("cow/v9_timebasedkeygen_nonhivestyle")), "duplicate-keys")
    assert (found["keys"], found["count"], found["commit"]) == (("TXN-001",), 1, "20260403183842444")
    assert found["what"].startswith("1 key has 2 rows in one partition")


# --- files


@pytest.mark.parametrize("name", COW)
def test_the_newest_base_file_is_gone(name: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    file = max(open_snapshot(table).slices, key=lambda s: s.base.instant).base
    (table / file.path).unlink()
    health = health_of(table)
    found = the(health, "missing-base-file")
    assert (found["file"], found["commit"], found["severity"]) == (file.path, file.instant, "error")
    assert "Restore" in found["todo"]
    assert health.status == "error"
    with pytest.raises(UnreadableFileError, match="is gone"):
        open_snapshot(table)


@pytest.mark.parametrize("name", [*COW, "tables/v6_table_10_cleaned", "tables/v8_table_10_cleaned"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_an_older_base_file_is_gone_or_cut(name: str, damage: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    now = {s.base.path for s in open_snapshot(table).slices}
    older = [(c.requested, s.path) for c in load_timeline(table).commits for s in c.stats if s.path not in now]
    instant, path = [(i, p) for i, p in older if (table / p).exists()][-1]
    if damage == "gone":
        (table / path).unlink()
    else:
        (table / path).write_bytes(b"PAR1")
    found = the(health_of(table), "damaged-history")
    assert (found["commit"], found["file"], found["severity"], found["count"]) == (instant, path, "warning", 1)
    assert still_reads(table, name)


@pytest.mark.parametrize("name", COW)
def test_a_base_file_is_cut(name: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    file = open_snapshot(table).slices[0].base
    (table / file.path).write_bytes((table / file.path).read_bytes()[:-1000])
    assert the(health_of(table), "cut-base-file")["file"] == file.path
    with pytest.raises(UnreadableFileError, match="bytes instead of"):
        open_snapshot(table)


def test_a_base_file_was_exchanged_for_one_of_its_size(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)
    file = open_snapshot(table).slices[0].base
    whole = (table / file.path).read_bytes()
    (table / file.path).write_bytes(whole[:4] + b"x" * (len(whole) - 4))
    assert the(health_of(table), "unreadable-base-file")["file"] == file.path


@pytest.mark.parametrize("name", MOR)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_log_file_is_gone_or_cut_in_half(name: str, damage: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    log = next(s for s in open_snapshot(table).slices if s.logs).logs[-1]
    file = table / log.path
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = the(health_of(table), f"{damage}-log-file")
    assert (found["file"], found["commit"], found["severity"]) == (log.path, log.instant, "error")
    with pytest.raises(UnreadableFileError):
        open_snapshot(table)


@pytest.mark.parametrize("name", COW)
@pytest.mark.parametrize("instant", ["20990101000000000", "of its newest commit"])
def test_a_base_file_that_no_commit_named_was_added(name: str, instant: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    newest = open_snapshot(table).slices[0].base
    group, _, own = Path(newest.path).stem.split("_")
    known = instant.startswith("of")
    stray = f"{newest.partition}/{group}_9-9-9_{own if known else instant}.parquet"
    shutil.copy(table / newest.path, table / stray)
    found = the(health_of(table), "uncommitted-base-file")
    assert (found["file"], found["severity"]) == (stray, "error" if known else "warning")
    assert ("go by its instant" if known else "list files by hand") in found["what"]
    assert still_reads(table, name)


def test_more_log_files_than_the_limit() -> None:
    table = odp_table("tables/v6_table_10_mor")
    most = max(len(s.logs) for s in open_snapshot(table).slices)
    assert the(health_of(table, limits=Limits(log_files=most - 1)), "many-log-files")["count"] == most
    assert "many-log-files" not in set(health_of(table, limits=Limits(log_files=most)).findings["name"])


def test_more_small_files_than_are_needed(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "table")
    table.commit("20260101000000000", {("", f"g{n}"): pa.table({"id": [n]}) for n in range(12)})
    assert the(health_of(table.folder), "small-files")["count"] == 12
    assert health_of(table.folder, limits=Limits(small_file_bytes=10)).ok


# --- commits


def in_flight(table: Path) -> tuple[str, Path]:
    """Take back the completion of the newest commit."""
    last = load_timeline(table).commits[-1]
    hidden = Path(str(last.instant.file)).rename(table.parent / "hidden")
    return last.requested, hidden


@pytest.mark.parametrize("name", COW)
def test_a_commit_was_left_in_flight(name: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    instant, _ = in_flight(table)
    begun = datetime.strptime(instant[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    health = health_of(table, now=begun + timedelta(hours=30))
    found = the(health, "stale-inflight")
    assert (found["commit"], found["severity"]) == (instant, "warning")
    assert "for 30.0 hours" in found["what"]
    strays = health.findings[health.findings["name"] == "uncommitted-base-file"]
    assert set(strays["commit"]) == {instant}
    young = health_of(table, now=begun + timedelta(hours=1), level="info")
    assert young.ok
    assert (young.findings["name"] == "file-being-written").sum() == len(strays) == 3
    assert health_of(table, now=begun + timedelta(hours=1), limits=Limits(inflight=timedelta(minutes=30))).status
    assert open_snapshot(table).instant < instant


def test_the_age_of_an_action_counts_in_the_writers_zone(tmp_path: Path) -> None:
    table = copy_of("tables/v8_table_1", tmp_path)
    instant, _ = in_flight(table)
    begun = datetime.strptime(instant[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert not health_of(table, now=begun + timedelta(hours=7)).ok
    assert health_of(table, now=begun + timedelta(hours=7), timezone="-06:00").ok


@pytest.mark.parametrize("name", COW)
@pytest.mark.parametrize("content", [b"", b"{", b"Obj\x01junk"])
def test_a_commit_cannot_be_read(name: str, content: bytes, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    commit = load_timeline(table).commits[-1]
    Path(str(commit.instant.file)).write_bytes(content)
    health = health_of(table)
    assert set(health.findings["name"]) == {"unreadable-commit"}
    assert set(health.findings["commit"]) == {commit.requested}
    assert str(commit.instant.file) in set(health.findings["file"])
    assert len(health.findings) == 1 + len(commit.stats)  # and each file that is left out with it
    with pytest.raises(HudiError, match=r"is empty|cannot be decoded"):
        open_snapshot(table)


def test_a_commit_that_cannot_be_read_is_not_lost_too(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)
    Path(str(load_timeline(table).commits[2].instant.file)).write_bytes(b"")
    assert set(health_of(table).findings["name"]) == {"unreadable-commit"}


def rewritten(table: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the content of the newest JSON commit."""
    file = Path(str(load_timeline(table).commits[-1].instant.file))
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_commit_has_no_write_stats(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)
    rewritten(table, lambda content: content.update(partitionToWriteStats={}))
    health = health_of(table)
    assert the(health, "empty-commit")["severity"] == "warning"
    strays = health.findings[health.findings["name"] == "uncommitted-base-file"]
    assert set(strays["severity"]) == {"error"}  # its commit is complete: Hudi's readers serve its files
    assert len(strays) == 3


def test_rows_could_not_be_written(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)

    def change(content: dict[str, Any]) -> None:
        next(iter(content["partitionToWriteStats"].values()))[0]["totalWriteErrors"] = 3

    rewritten(table, change)
    assert the(health_of(table), "write-errors")["count"] == 3


def test_a_file_has_other_rows_than_its_commit_wrote(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)

    def change(content: dict[str, Any]) -> None:
        stat = next(iter(content["partitionToWriteStats"].values()))[0]
        stat["numWrites"] += 5
        stat["numInserts"] += 5

    rewritten(table, change)
    assert "rows; its commit wrote" in the(health_of(table), "wrong-rows-in-base-file")["what"]


def test_an_instant_between_others_is_gone(tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)
    commit = load_timeline(table).commits[2]
    for file in (table / ".hoodie").glob(f"{commit.requested}*"):
        file.unlink()
    assert the(health_of(table), "lost-commit")["severity"] == "error"


@pytest.mark.parametrize("name", ["tables/v6_table_10_cleaned", "tables/v8_table_10_cleaned"])
def test_the_archive_cannot_be_read(name: str, tmp_path: Path) -> None:
    table = copy_of(name, tmp_path)
    files = [*(table / ".hoodie").rglob("history/*.parquet"), *(table / ".hoodie").rglob("archived/.commits_*")]
    file = sorted(f for f in files if f.suffix != ".crc")[0]
    file.write_bytes(file.read_bytes()[:-100])
    found = the(health_of(table), "unreadable-archive")
    assert str(file) in found["what"]
    with pytest.raises(HudiError):
        open_snapshot(table)


def test_a_column_was_added_midway() -> None:
    health = health_of(odp_table("tables/v6_table_4"), level="info")
    assert the(health, "schema-changed")["what"] == "AIRPORT_FEE added (double)"
    assert health.ok


def test_a_column_changed_its_type_and_another_was_dropped(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "table")
    table.commit("20260101000000000", {("", "a"): pa.table({"id": pa.array([1], pa.int32()), "old": ["x"]})})
    table.commit("20260102000000000", {("", "b"): pa.table({"id": [2]})})
    found = the(health_of(table.folder, level="info"), "schema-changed")
    assert (found["what"], found["commit"]) == ("old dropped; id int32 is now int64", "20260102000000000")


@pytest.mark.parametrize(
    ("entry", "severity"),
    [
        ("hoodie.record.merge.mode=COMMIT_TIME_ORDERING", "warning"),
        ("hoodie.compaction.payload.class=org.apache.hudi.common.model.OverwriteWithLatestAvroPayload", "warning"),
        ("", "info"),
        ("hoodie.compaction.payload.class=org.apache.hudi.common.model.DefaultHoodieRecordPayload", None),
        ("hoodie.record.merge.mode=EVENT_TIME_ORDERING", None),
    ],
)
def test_a_late_file_may_win(entry: str, severity: str | None, tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_1", tmp_path)
    file = table / ".hoodie" / "hoodie.properties"
    file.write_text(f"{file.read_text()}\n{entry}\n")
    found = [s for s, n in named(health_of(table, level="info")) if n == "late-file-wins"]
    assert found == ([severity] if severity else [])


# --- compaction


def pending_compaction(table: Path) -> str:
    """Take back the compaction of a table, and the base files that it wrote."""
    last = next(c for c in load_timeline(table).commits if c.operation == "COMPACT")
    Path(str(last.instant.file)).unlink()
    for stat in last.stats:
        (table / stat.path).unlink()
    return last.requested


def test_a_compaction_waits(tmp_path: Path) -> None:
    table = shutil.copytree(public_table("mor/v8_trips_8i3u1d"), tmp_path / "table")
    instant = pending_compaction(table)
    found = the(health_of(table), "pending-compaction")
    assert (found["commit"], found["severity"]) == (instant, "warning")
    assert "not complete (limit 6 hours)" in found["what"]


def block(kind: int, schema: str, content: bytes) -> bytes:
    """One block of a log file, as far as readers look at it."""
    header = b"".join(n.to_bytes(4, "big") + len(t).to_bytes(4, "big") + t for n, t in [(2, schema.encode())])
    body = (3).to_bytes(4, "big") + kind.to_bytes(4, "big") + (1).to_bytes(4, "big") + header
    body += len(content).to_bytes(8, "big") + content
    return b"#HUDI#" + len(body).to_bytes(8, "big") + body


def avro_rows(schema: str, records: list[dict[str, Any]]) -> bytes:
    """The content of a data block."""
    parsed, rows = fastavro.parse_schema(json.loads(schema)), []
    for record in records:
        target = io.BytesIO()
        fastavro.schemaless_writer(target, parsed, record)
        rows.append(len(target.getvalue()).to_bytes(4, "big") + target.getvalue())
    return (3).to_bytes(4, "big") + len(rows).to_bytes(4, "big") + b"".join(rows)


def test_keys_that_log_files_delete_and_write_again() -> None:
    table = odp_table("tables/v6_table_10_mor")
    slices = [s for s in open_snapshot(table).slices if s.logs]
    found = {k for s in slices for k in rewritten_keys(table / log.path for log in s.logs)}
    assert found == {"5001"}  # the story of the table: inserted, updated, deleted, inserted again


def test_a_compaction_waits_at_which_hudi_ends_with_an_error(tmp_path: Path) -> None:
    table = copy_of("tables/v8_table_3_mor", tmp_path)
    last = load_timeline(table).commits[-1]
    log = table / next(s.path for s in last.stats if "VENDORID=1" in s.path)
    first = next(iter(read_blocks(log)))
    empty = {f["name"]: None for f in json.loads(first.header[2])["fields"]}
    row = empty | {"_hoodie_record_key": "231", "PK_ID": 231, "VENDORID": 1, "CDC_TIMESTAMP_SEQ": "2"}
    instant = "20261123230000000"
    plan = (table / ".hoodie/timeline") / f"{instant}.compaction.requested"
    shutil.copy(next(public_table("mor/v8_trips_8i3u1d").rglob("*.compaction.requested")), plan)
    content = decode_instant(plan.read_bytes())
    write_avro(plan, dict(content) | {"operations": []})
    young = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert health_of(table, now=young).ok
    log.write_bytes(log.read_bytes() + block(3, first.header[2], avro_rows(first.header[2], [row])))
    commit = Path(str(last.instant.file))
    stats = dict(decode_instant(commit.read_bytes()))
    for stat in stats["partitionToWriteStats"]["VENDORID=1"]:
        stat["fileSizeInBytes"] = log.stat().st_size
    write_avro(commit, stats)
    found = the(health_of(table, now=young), "compaction-cannot-run")
    assert (found["severity"], found["commit"]) == ("error", instant)
    assert "(231)" in found["what"]


def write_avro(file: Path, record: dict[str, Any]) -> None:
    """Write an instant with the schema that it had."""
    with file.open("rb") as opened:
        schema = fastavro.reader(opened).writer_schema
    with file.open("wb") as opened:
        fastavro.writer(opened, schema, [record])


@pytest.mark.parametrize("gone", ["log", "plan"])
def test_a_compaction_cannot_run(gone: str, tmp_path: Path) -> None:
    table = copy_of("tables/v6_table_2_mor_mixed", tmp_path)
    instant = pending_compaction(table)
    if gone == "plan":
        (table / ".hoodie" / f"{instant}.compaction.requested").write_bytes(b"junk")
    else:
        next(p for p in table.rglob(".*.log.1_*") if p.suffix != ".crc").unlink()
    found = the(health_of(table), "compaction-cannot-run")
    assert (found["commit"], found["severity"]) == (instant, "error")
    assert ("are gone" if gone == "log" else "cannot be read") in found["what"]


# --- keys and partitions


def rows(keys: list[int], part: list[Any], seq: list[str]) -> pa.Table:
    return pa.table({"id": keys, "part": part, "seq": seq})


@pytest.fixture(params=[True, False], ids=["meta", "virtual"])
def moved(request: pytest.FixtureRequest, tmp_path: Path) -> CowTable:
    """A table of two partitions; the properties name the ordering column."""
    properties = {"hoodie.table.precombine.field": "seq", "hoodie.record.merge.mode": "EVENT_TIME_ORDERING"}
    table = CowTable(tmp_path / "moved", partition=["part"], meta=request.param, properties=properties)
    first = {("part=1", "a"): rows([1, 2], [1, 1], ["a", "a"]), ("part=2", "b"): rows([3], [2], ["a"])}
    table.commit("20260101000000000", first)
    return table


def test_a_key_moved_partition(moved: CowTable) -> None:
    assert health_of(moved.folder).ok
    moved.commit("20260102000000000", {("part=2", "b"): rows([3, 1], [2, 2], ["a", "b"])})
    found = the(health_of(moved.folder), "duplicate-keys-across-partitions")
    assert (found["keys"], found["count"]) == (("1",), 1)
    assert found["commit"] == ("20260102000000000" if moved.meta else "")
    assert found["partition"] == ("part=2" if moved.meta else "2")
    assert health_of(moved.folder, keys=False).ok


def test_the_newest_row_is_told_by_the_ordering_column(moved: CowTable) -> None:
    moved.commit("20260102000000000", {("part=2", "b"): rows([3, 1], [2, 2], ["a", "A"])})  # older than "a"
    assert the(health_of(moved.folder), "duplicate-keys-across-partitions")["partition"] in ("part=1", "1")


def test_a_key_is_twice_in_a_partition(moved: CowTable) -> None:
    moved.commit("20260102000000000", {("part=2", "c"): rows([3, 4], [2, 2], ["b", "b"])})
    found = the(health_of(moved.folder), "duplicate-keys")
    assert (found["keys"], found["count"]) == (("3",), 1)


def test_composite_and_missing_keys(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "table", keys=["id", "part"])
    table.commit("20260101000000000", {("", "a"): rows([1, 1, 2], ["x", None, None], ["", "", ""])})
    assert health_of(table.folder).ok
    table.commit("20260102000000000", {("", "b"): rows([2, 2], [None, "y"], ["", ""])})
    assert the(health_of(table.folder), "duplicate-keys")["keys"] == ("2, NULL",)


@pytest.mark.parametrize("change", [("_ROWS_AT_ONCE", 500), ("_hash", "1")])
def test_neither_shares_nor_equal_hashes_change_what_is_found(
    change: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = odp_table("tables/v8_table_2")
    before = health_of(table).findings
    if change[0] == "_hash":  # as if the hashes of all keys were one
        monkeypatch.setattr(check_keys._Scan, "_hash", lambda self, alias: "1::UBIGINT")
    else:
        monkeypatch.setattr(check_keys, *change)
    assert health_of(table).findings.equals(before)


def test_a_partition_column_of_two_types(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "table", partition=["part"])
    table.commit("20260101000000000", {("1", "a"): rows([1], [1], [""])})
    table.commit("20260102000000000", {("2", "b"): rows([2], ["2"], [""])})
    found = the(health_of(table.folder), "partition-column-types")
    assert "int64 in 1 files" in found["what"]
    assert "string in 1 files" in found["what"]


def test_one_value_of_a_partition_in_two_folders(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "table", partition=["part"])
    table.commit(
        "20260101000000000", {("part=1", "a"): rows([1], [1.0], [""]), ("part=1.0", "b"): rows([2], [1.0], [""])}
    )
    assert "part=1 and part=1.0" in the(health_of(table.folder), "partition-spelled-twice")["what"]
    text = CowTable(tmp_path / "text", partition=["part"])
    text.commit(
        "20260101000000000", {("part=1", "a"): rows([1], ["1"], [""]), ("part=01", "b"): rows([2], ["01"], [""])}
    )
    assert health_of(text.folder).ok


def test_the_metadata_table_is_gone(tmp_path: Path) -> None:
    table = copy_of("tables/v8_table_1", tmp_path)
    shutil.rmtree(table / ".hoodie" / "metadata")
    assert the(health_of(table), "missing-metadata-table")["severity"] == "warning"


# --- everything at once


def test_the_checks_go_on_over_what_is_left(tmp_path: Path) -> None:
    table = copy_of("tables/v8_table_2", tmp_path)
    commit = load_timeline(table).commits[-1]
    (table / commit.stats[0].path).unlink()
    shutil.rmtree(table / ".hoodie" / "metadata")
    names = set(health_of(table).findings["name"])
    assert names == {"missing-base-file", "duplicate-keys-across-partitions", "missing-metadata-table"}


def test_what_cannot_be_looked_at_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def strange_check(_: Examined) -> Iterator[Finding]:
        yield Finding("write-errors", "error", "seen before the problem")
        raise HudiError("a file in the way")

    monkeypatch.setattr(checkup, "CHECKS", (strange_check, *checkup.CHECKS))
    health = health_of(odp_table("tables/v8_table_2"))
    assert the(health, "not-checked")["what"] == "strange check: a file in the way"
    assert set(health.findings["name"]) == {"write-errors", "not-checked", "duplicate-keys-across-partitions"}


def test_log_files_without_a_base_file_do_not_end_the_checks(tmp_path: Path) -> None:
    table = copy_of("tables/v8_table_3_mor", tmp_path)
    timeline = load_timeline(table)
    Path(str(timeline.commits[0].instant.file)).unlink()  # the commit of every base file
    for base in table.rglob("*.parquet"):
        if ".hoodie" not in str(base):
            base.unlink()
    health = health_of(table)
    assert health.status == "error"
    assert "unreadable-table" in set(health.findings["name"])
    with pytest.raises(DataError):
        open_snapshot(table)
