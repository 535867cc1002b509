"""Hudi tables on S3 give the rows of the same tables in a folder, and name the object at fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pyarrow as pa
import pytest

import datalake_kit as dk
from datalake_kit.errors import HudiError, TableNotFoundError, UnreadableFileError
from datalake_kit.hudi import open_snapshot
from datalake_kit.hudi.checkup import health_of
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.history import timeline_frame
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.storage import S3Path
from tests.replication import PUBLIC_ROWS, TRUTH, digest, odp_table, public_table
from tests.s3 import BUCKET, client, hudi_rs_options, s3_server, upload, use_s3

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABLES = [
    "tables/v6_table_1",
    "tables/v6_table_4",
    "tables/v6_table_10_cleaned",
    "tables/v6_table_10_mor",
    "tables/v8_table_1",
    "tables/v8_table_10_cleaned",
    "tables/v8_table_3_mor",
]
PUBLIC = ["cow/v6_empty", "cow/v9_txns_simple_nometa", "mor/v9_txns_simple_nometa", "mor/v6_nonpartitioned_rollback"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def _environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3(monkeypatch, endpoint)


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_those_of_hudis_own_reader(name: str, endpoint: str) -> None:
    snapshot = open_snapshot(upload(odp_table(name), endpoint, name))
    rows = read_snapshot(snapshot)
    assert (rows.num_rows, digest(rows)) == (TRUTH[f"{name}.zip"]["rows"], TRUTH[f"{name}.zip"]["md5"])
    here = open_snapshot(odp_table(name))
    assert [f.relative_to(snapshot.folder) for f in snapshot.all_files] == [
        f.relative_to(here.folder) for f in here.all_files
    ]
    known, there = load_timeline(odp_table(name)), snapshot.timeline
    assert [(c.requested, c.stats) for c in known.commits] == [(c.requested, c.stats) for c in there.commits]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_tables(name: str, endpoint: str) -> None:
    rows = read_snapshot(open_snapshot(upload(public_table(name), endpoint, name)))
    assert rows.num_rows == PUBLIC_ROWS[name]
    assert sorted(map(repr, rows.to_pylist())) == sorted(
        map(repr, read_snapshot(open_snapshot(public_table(name))).to_pylist())
    )


@pytest.mark.parametrize("name", ["tables/v6_table_10_mor", "tables/v8_table_3_mor"])
def test_rows_agree_with_hudi_rs_over_s3(name: str, endpoint: str) -> None:
    from hudi import HudiTable

    table = upload(odp_table(name), endpoint, f"peer/{name}")
    theirs = pa.Table.from_batches([pa.record_batch(b) for b in HudiTable(table, hudi_rs_options(endpoint)).read()])
    assert digest(theirs) == digest(read_snapshot(open_snapshot(table)))


def test_opening_costs_few_requests(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = upload(odp_table("tables/v6_table_1"), endpoint, "few")
    open_snapshot(table)
    asked: list[str] = []
    from datalake_kit.storage import s3

    class Counting:
        def __init__(self, real: Any) -> None:
            self.real = real

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            return getattr(self.real, name)

    real = s3.client_of
    monkeypatch.setattr(s3, "client_of", lambda bucket: Counting(real(bucket)))
    open_snapshot(table)
    assert "head_object" not in asked
    assert asked.count("get_object") == 1  # the properties; commits are kept
    assert asked.count("get_paginator") <= 3  # .hoodie, its archive, the files


def test_an_object_that_is_gone_or_cut_is_named(endpoint: str) -> None:
    for name in ("tables/v6_table_1", "tables/v8_table_3_mor"):
        table = upload(odp_table(name), endpoint, f"damaged/{name}")
        for file in open_snapshot(table).all_files:
            assert isinstance(file, S3Path)
            whole = file.read_bytes()
            client(endpoint).delete_object(Bucket=BUCKET, Key=file.key)
            with pytest.raises(UnreadableFileError, match="is gone") as caught:
                open_snapshot(table)
            assert str(file) in str(caught.value)
            client(endpoint).put_object(Bucket=BUCKET, Key=file.key, Body=whole[: len(whole) // 2])
            with pytest.raises(UnreadableFileError, match=f"instead of {len(whole)}"):
                open_snapshot(table)
            client(endpoint).put_object(Bucket=BUCKET, Key=file.key, Body=whole)
        open_snapshot(table)


def test_a_commit_that_cannot_be_decoded_is_named(endpoint: str) -> None:
    table = upload(odp_table("tables/v8_table_1"), endpoint, "corrupt")
    snapshot = open_snapshot(table)
    file = max(c.instant.file for c in snapshot.timeline.commits if isinstance(c.instant.file, S3Path))
    for content in (b"", b"Obj\x01junk"):
        client(endpoint).put_object(Bucket=BUCKET, Key=file.key, Body=content)
        with pytest.raises(HudiError, match=r"is empty|cannot be decoded") as caught:
            open_snapshot(table)
        assert str(file) in str(caught.value)


def test_no_table_and_no_bucket() -> None:
    with pytest.raises(TableNotFoundError, match=f"s3://{BUCKET}/nothing"):
        open_snapshot(f"s3://{BUCKET}/nothing")
    with pytest.raises(UnreadableFileError, match="no such bucket"):
        open_snapshot("s3://nothere/table")


def test_a_table_of_an_athena_lake(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    location = upload(odp_table("tables/v6_table_10_mor"), endpoint, "lake/table_10")
    plain = upload(odp_table("tables/v6_table_1") / "VENDORID=2", endpoint, "lake/plain/day=1")
    glue = boto3.client("glue", region_name="us-east-1")
    glue.create_database(DatabaseInput={"Name": "hudi_s3"})
    readers = {"hudi": "org.apache.hudi.hadoop.HoodieParquetInputFormat", "plain": "MapredParquetInputFormat"}
    for name, where in {"hudi": location + "/", "plain": plain.rpartition("/")[0]}.items():
        storage = {"Columns": [{"Name": "pk_id", "Type": "bigint"}], "Location": where, "InputFormat": readers[name]}
        keys = [{"Name": "day", "Type": "int"}] if name == "plain" else []
        table = {"Name": name, "StorageDescriptor": storage, "PartitionKeys": keys}
        glue.create_table(DatabaseName="hudi_s3", TableInput=table)
    lake = dk.connect("athena://w?region=us-east-1")
    rows = dk.hudi.read(lake, "hudi_s3.hudi", arrow=True)
    assert digest(rows) == TRUTH["tables/v6_table_10_mor.zip"]["md5"]
    known = load_timeline(odp_table("tables/v6_table_10_mor")).commits
    assert len(dk.hudi.timeline(lake, "hudi_s3.hudi")) == len(known)
    assert lake.table("hudi_s3.hudi").files() == list(open_snapshot(location).all_files)
    assert lake.table("hudi_s3.plain").files() == []  # Athena sees the partitions of the catalog alone
    partition = {"Values": ["1"], "StorageDescriptor": {"Location": plain, "Columns": []}}
    glue.create_partition(DatabaseName="hudi_s3", TableName="plain", PartitionInput=partition)
    assert {f.suffix for f in lake.table("hudi_s3.plain").files()} == {".parquet"}


# --- timeline and health


@pytest.mark.parametrize("name", ["tables/v6_table_10_cleaned", "tables/v8_table_3_mor"])
def test_the_timeline_is_that_of_the_folder(name: str, endpoint: str) -> None:
    there = timeline_frame(load_timeline(upload(odp_table(name), endpoint, name)), count=True)
    assert there.equals(timeline_frame(load_timeline(odp_table(name)), count=True))


def test_health_names_the_object_at_fault(endpoint: str) -> None:
    healthy = upload(odp_table("tables/v8_table_1"), endpoint, "health/good")
    assert health_of(healthy).ok
    found = health_of(upload(odp_table("damaged/v8_table_1_base_deleted"), endpoint, "health/gone")).findings
    assert found["name"].tolist() == ["missing-base-file"]
    moved = health_of(upload(odp_table("tables/v8_table_2"), endpoint, "health/moved")).findings
    assert moved["count"].tolist() == [12, 10]
