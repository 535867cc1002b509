"""Snapshots of real Hudi tables: the rows that Hudi's own reader sees, or an error that names the file at fault."""

from __future__ import annotations

import os
import shutil
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from datalake_kit.errors import DataError, HudiError, TableNotFoundError, UnreadableFileError
from datalake_kit.hudi import open_snapshot
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.hudi.snapshot import open_what_is_left
from tests.replication import PUBLIC_ROWS, READABLE, TRUTH, UNREADABLE, digest, odp_table, public_table


@pytest.mark.parametrize("name", READABLE)
def test_rows_are_those_of_hudis_own_reader(name: str) -> None:
    rows = read_snapshot(open_snapshot(odp_table(name)))
    assert (rows.num_rows, digest(rows)) == (TRUTH[name]["rows"], TRUTH[name]["md5"])


AS_OF = [(z, c["instant"], c["rows_as_of"], c["md5_as_of"]) for z, t in TRUTH.items() for c in t["commits"]]


@pytest.mark.parametrize(("name", "instant", "rows", "md5"), [c for c in AS_OF if c[2] is not None])
def test_rows_as_of_each_commit(name: str, instant: str, rows: int, md5: str) -> None:
    found = read_snapshot(open_snapshot(odp_table(name), as_of=instant))
    assert (found.num_rows, digest(found)) == (rows, md5)


@pytest.mark.parametrize(("name", "instant"), [c[:2] for c in AS_OF if c[2] is None])
def test_a_past_that_the_cleaner_removed_is_refused(name: str, instant: str) -> None:
    with pytest.raises(HudiError, match="cleaner kept files only from"):
        open_snapshot(odp_table(name), as_of=instant)


@pytest.mark.parametrize(("name", "rows"), PUBLIC_ROWS.items())
def test_public_tables(name: str, rows: int) -> None:
    assert read_snapshot(open_snapshot(public_table(name))).num_rows == rows


@pytest.mark.parametrize("name", [n for n in PUBLIC_ROWS if n != "cow/v6_empty"])
def test_schema_and_rows_agree_with_hudi_rs(name: str) -> None:
    from hudi import HudiTable

    theirs = HudiTable(str(public_table(name)))
    ours = open_snapshot(public_table(name))
    assert ours.schema().equals(theirs.get_schema())
    rows = [r for batch in theirs.read() for r in pa.Table.from_batches([batch]).to_pylist()]
    shown = [{k: r[k] for k in ours.schema().names} for r in rows]
    assert sorted(map(repr, read_snapshot(ours).to_pylist())) == sorted(map(repr, shown))


@pytest.mark.parametrize("name", READABLE)
def test_rows_agree_with_hudi_rs(name: str) -> None:
    from hudi import HudiTable

    theirs = pa.Table.from_batches(HudiTable(str(odp_table(name))).read())
    assert (theirs.num_rows, digest(theirs)) == (TRUTH[name]["rows"], TRUTH[name]["md5"])


def test_what_a_snapshot_says_of_its_table() -> None:
    snapshot = open_snapshot(odp_table("tables/v6_table_10_mor"))
    assert (snapshot.table_version, snapshot.table_type) == (6, "MERGE_ON_READ")
    assert (snapshot.record_keys, snapshot.ordering_field) == (("PK_ID",), "CDC_TIMESTAMP_SEQ")
    assert snapshot.partition_fields == ("VENDORID",)
    assert snapshot.needs_merge
    assert len(snapshot.parquet_files) < len(snapshot.slices) < len(snapshot.all_files)
    assert snapshot.instant == "20261123220242471"
    assert snapshot.schema(meta=True).names[:2] == ["_hoodie_commit_time", "_hoodie_commit_seqno"]


@pytest.mark.parametrize(
    ("name", "logs"),
    [("tables/v6_table_2_mor_mixed", 2), ("tables/v8_table_2_mor_uncompacted", 4), ("tables/v6_table_10_mor", 14)],
)
def test_log_files_that_were_compacted_are_left_out(name: str, logs: int) -> None:
    slices = open_snapshot(odp_table(name)).slices
    assert sum(len(s.logs) for s in slices) == logs
    for one in slices:
        assert [log.order for log in one.logs] == sorted(log.order for log in one.logs) or "v8" in name
        assert [log.instant for log in one.logs] == sorted(log.instant for log in one.logs)


def test_log_files_of_version_8_that_were_compacted_are_left_out() -> None:
    slices = open_snapshot(public_table("mor/v8_trips_8i3u1d")).slices
    assert sorted(len(s.logs) for s in slices) == [0, 0, 1]


def test_columns_added_midway_come_with_nulls() -> None:
    rows = read_snapshot(open_snapshot(odp_table("tables/v6_table_4")))
    assert rows.column("AIRPORT_FEE").null_count == rows.num_rows - 6


def test_a_moment_in_any_form() -> None:
    table = odp_table("tables/v6_table_1")
    zone = timezone(timedelta(hours=2))
    for moment in (
        "20261123215915423",
        "2026-11-23T21:59:15.423",
        "2026-11-23 21:59:20+00:00",
        "20261123215915",
        datetime(2026, 11, 23, 23, 59, 20, tzinfo=zone),
    ):
        assert open_snapshot(table, as_of=moment).instant == "20261123215915423", moment
    assert open_snapshot(table, as_of=date(2026, 11, 24)).instant == "20261123215931932"


@pytest.mark.parametrize(
    "moment", ["20260307", "yesterday", "", "2026-13-01", "1772841600", "20261399000000", "20260230000000000"]
)
def test_text_that_is_no_moment_is_refused(moment: str) -> None:
    with pytest.raises(HudiError, match="is no moment"):
        open_snapshot(odp_table("tables/v6_table_1"), as_of=moment)


def test_a_moment_before_the_first_commit_is_refused() -> None:
    with pytest.raises(HudiError, match="first commit known is 20261123215858787"):
        open_snapshot(odp_table("tables/v6_table_1"), as_of="2026-01-01")
    with pytest.raises(HudiError, match="has no commit yet"):
        open_snapshot(public_table("cow/v6_empty"), as_of="2026-01-01")


# --- damage


@pytest.mark.parametrize("name", UNREADABLE)
def test_damaged_tables_are_refused_and_the_file_is_named(name: str) -> None:
    with pytest.raises(UnreadableFileError, match=r"(\.parquet|\.log\.\d)"):
        open_snapshot(odp_table(name))


@pytest.mark.parametrize("name", [n for n in UNREADABLE if TRUTH[n]["rows"] is not None])
def test_what_is_left_is_what_a_reader_sees_that_does_not_notice(name: str) -> None:
    left = open_what_is_left(odp_table(name))
    rows = read_snapshot(left)
    assert len(left.faults) == 1
    assert (rows.num_rows, digest(rows)) == (TRUTH[name]["rows"], TRUTH[name]["md5"])


DAMAGEABLE = ["tables/v6_table_1", "tables/v8_table_1", "tables/v6_table_10_mor", "tables/v8_table_3_mor"]


@pytest.fixture(params=DAMAGEABLE)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(odp_table(request.param), tmp_path / "table"))


def test_each_file_of_the_table_is_missed(table: Path) -> None:
    for file in open_snapshot(table).all_files:
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(UnreadableFileError, match="is gone") as caught:
            open_snapshot(table)
        assert str(file) in str(caught.value)
        file.write_bytes(content)
    open_snapshot(table)


def test_each_file_cut_short_is_noticed(table: Path) -> None:
    for file in open_snapshot(table).all_files:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(UnreadableFileError, match=f"instead of {len(content)}") as caught:
            open_snapshot(table)
        assert str(file) in str(caught.value)
        file.write_bytes(content)


def test_a_file_of_right_size_and_wrong_content_is_named(table: Path) -> None:
    file = open_snapshot(table).parquet_files[0]
    file.write_bytes(os.urandom(file.stat().st_size))
    with pytest.raises(UnreadableFileError, match=r"cannot be read|Not a Parquet file") as caught:
        read_snapshot(open_snapshot(table))
    assert str(file) in str(caught.value)


def test_a_base_file_of_no_complete_commit_is_not_served(table: Path) -> None:
    before = read_snapshot(open_snapshot(table))
    newest = open_snapshot(table).parquet_files[0]
    group, token, _ = newest.stem.split("_")
    stray = newest.with_name(f"{group}_{token}_20261124000000000.parquet")
    shutil.copy(newest, stray)
    snapshot = open_snapshot(table)
    assert snapshot.uncommitted_files == (stray,)
    assert read_snapshot(snapshot).equals(before)


def test_a_commit_left_in_flight_is_not_served(table: Path) -> None:
    snapshot = open_snapshot(table)
    last = next(c for c in snapshot.timeline.commits if c.requested == snapshot.instant)
    last.instant.file.unlink()
    again = open_snapshot(table)
    assert again.instant < snapshot.instant
    assert [i.requested for i in again.timeline.pending] == [snapshot.instant]
    assert again.uncommitted_files
    whole = read_snapshot(again)
    assert digest(whole) == digest(read_snapshot(open_snapshot(table, as_of=again.instant)))


def test_a_new_commit_is_seen_at_once(table: Path) -> None:
    snapshot = open_snapshot(table)
    last = next(c for c in snapshot.timeline.commits if c.requested == snapshot.instant)
    hidden = last.instant.file.rename(table / "hidden")
    before = open_snapshot(table)
    hidden.rename(last.instant.file)
    assert before.instant < open_snapshot(table).instant == snapshot.instant


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"Obj\x01junk", b'{"partitionToWriteStats": {"a": 1}}'])
def test_a_commit_that_cannot_be_decoded_is_named(table: Path, content: bytes) -> None:
    snapshot = open_snapshot(table)
    last = next(c for c in snapshot.timeline.commits if c.requested == snapshot.instant)
    last.instant.file.write_bytes(content)
    with pytest.raises(
        HudiError, match="is empty" if not content else "cannot be decoded|lacks what a commit has"
    ) as caught:
        open_snapshot(table)
    assert str(last.instant.file) in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("hoodie.table.version=7", "table version 7"),
        ("hoodie.table.version=10", "table version 10"),
        ("hoodie.table.version=x", "no number"),
        ("hoodie.table.type=OTHER", "type 'OTHER'"),
        ("hoodie.table.base.file.format=LANCE", "format LANCE"),
        ("hoodie.bootstrap.base.path=s3://old", "bootstrapped"),
    ],
)
def test_tables_of_other_kinds_are_refused_by_name(table: Path, entry: str, message: str) -> None:
    file = table / ".hoodie" / "hoodie.properties"
    file.write_text(file.read_text() + entry + "\n")
    with pytest.raises(HudiError, match=message):
        open_snapshot(table)


def test_older_merge_on_read_tables_are_refused(table: Path) -> None:
    file = table / ".hoodie" / "hoodie.properties"
    file.write_text(file.read_text() + "hoodie.table.type=MERGE_ON_READ\nhoodie.table.version=5\n")
    with pytest.raises(HudiError, match="table version 5, type MERGE_ON_READ"):
        open_snapshot(table)


def test_version_5_copy_on_write_is_read_like_6(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v6_table_1"), tmp_path / "table")
    file = table / ".hoodie" / "hoodie.properties"
    file.write_text(file.read_text().replace("hoodie.table.version=6", "hoodie.table.version=5"))
    assert digest(read_snapshot(open_snapshot(table))) == TRUTH["tables/v6_table_1.zip"]["md5"]


def test_a_base_file_in_another_format_is_refused(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v6_table_1"), tmp_path / "table")
    commit = sorted((table / ".hoodie").glob("*.commit"))[-1]
    commit.write_text(commit.read_text().replace(".parquet", ".lance"))
    with pytest.raises(HudiError, match=r"wrote .*\.lance"):
        open_snapshot(table)


# --- archive


@pytest.mark.parametrize("name", ["tables/v6_table_10_cleaned", "tables/v8_table_10_cleaned"])
def test_the_archive_tells_the_sizes_of_old_files(name: str, tmp_path: Path) -> None:
    table = shutil.copytree(odp_table(name), tmp_path / "table")
    snapshot = open_snapshot(table)
    assert snapshot.timeline.has_archive
    oldest = min((s.base for s in snapshot.slices), key=lambda f: f.instant)
    assert oldest.bytes == (table / oldest.path).stat().st_size
    (table / oldest.path).unlink()
    with pytest.raises(UnreadableFileError, match="is gone"):
        open_snapshot(table)


@pytest.mark.parametrize("name", ["tables/v6_table_10_cleaned", "tables/v8_table_10_cleaned"])
def test_a_damaged_archive_is_named(name: str, tmp_path: Path) -> None:
    table = shutil.copytree(odp_table(name), tmp_path / "table")
    files = [*(table / ".hoodie").rglob("history/*.parquet"), *(table / ".hoodie").rglob("archived/.commits_*")]
    file = sorted(f for f in files if f.suffix != ".crc")[0]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(HudiError) as caught:
        open_snapshot(table)
    assert str(file) in str(caught.value)


def test_without_its_archive_a_table_is_what_its_files_say(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v6_table_10_cleaned"), tmp_path / "table")
    shutil.rmtree(table / ".hoodie" / "archived")
    assert digest(read_snapshot(open_snapshot(table))) == TRUTH["tables/v6_table_10_cleaned.zip"]["md5"]
    old = next(f for s in open_snapshot(table).slices for f in s.files if f.bytes is None)
    (table / old.path).write_bytes((table / old.path).read_bytes()[:-10])
    with pytest.raises(UnreadableFileError, match="cut short"):
        open_snapshot(table)


# --- no table


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableNotFoundError, match="No Hudi table"):
        open_snapshot(tmp_path)
    with pytest.raises(DataError, match="s3://"):
        open_snapshot("s3://bucket/table")


@pytest.mark.parametrize(
    "name", ["tables/v6_table_10_mor", "tables/v8_table_2_mor_uncompacted", "tables/v8_table_3_mor"]
)
def test_log_files_of_commits_that_are_no_longer_known_are_merged_in_order(name: str, tmp_path: Path) -> None:
    table = shutil.copytree(odp_table(name), tmp_path / "table")
    timeline = open_snapshot(table).timeline
    for commit in timeline.commits[: len(timeline.commits) // 2 + 1]:
        for file in commit.instant.file.parent.glob(f"{commit.requested}*"):
            file.unlink()
    snapshot = open_snapshot(table)
    assert any(f.bytes is None for s in snapshot.slices for f in s.logs)
    for one in snapshot.slices:
        assert list(one.logs) == sorted(one.logs, key=lambda log: (log.named_instant, *log.order))
    assert digest(read_snapshot(snapshot)) == TRUTH[f"{name}.zip"]["md5"]
