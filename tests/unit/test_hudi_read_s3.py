"""`dk.hudi` over a table on S3, by a lake of Athena: the answers of the same table in a folder."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

import datalake_kit as dk
from tests.replication import TRUTH, lake_of, odp_table
from tests.s3 import s3_server, upload, use_s3

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABLES = ["v6_table_4", "v6_table_10_mor", "v8_table_3_mor"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.mark.slow
def test_conditions_counts_batches_and_changes(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    use_s3(monkeypatch, endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    glue = boto3.client("glue", region_name="us-east-1")
    glue.create_database(DatabaseInput={"Name": "read_s3"})
    for name in TABLES:
        location = upload(odp_table(f"tables/{name}"), endpoint, f"read/{name}")
        storage = {
            "Columns": [],
            "Location": location,
            "InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat",
        }
        glue.create_table(DatabaseName="read_s3", TableInput={"Name": name, "StorageDescriptor": storage})
    there = dk.connect("athena://w?region=us-east-1")
    here = dk.connect(lake_of(tmp_path_factory.mktemp("s3"), {n: odp_table(f"tables/{n}") for n in TABLES}))
    for name in TABLES:
        table, same_table, truth = f"read_s3.{name}", f"taxi.{name}", TRUTH[f"tables/{name}.zip"]
        assert dk.hudi.count(there, table) == truth["rows"]
        options = {"where": "vendorid = :v AND pk_id < 1000", "params": {"v": 2}, "columns": ["pk_id", "total_amount"]}
        found, same = (
            dk.hudi.read(lake, known, **options).sort_values(["PK_ID", "TOTAL_AMOUNT"]).reset_index(drop=True)
            for lake, known in ((there, table), (here, same_table))
        )
        assert len(found) > 0
        assert found.equals(same)
        assert dk.hudi.batches(there, table, rows=100).read_all().num_rows == truth["rows"]
        since = truth["commits"][0]["instant"]
        moved = [
            dk.hudi.changes(lake, known, since=since, arrow=True)
            for lake, known in ((there, table), (here, same_table))
        ]
        assert moved[0].num_rows > 0
        assert moved[0].equals(moved[1])
        first = dk.hudi.read(there, table, view="read_optimized", where="pk_id > 0", arrow=True)
        assert first.num_rows == dk.hudi.count(here, same_table, view="read_optimized")
