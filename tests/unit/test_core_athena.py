"""The Athena engine against real clients over HTTP: moto's server takes the statements and gives back prepared rows.

It runs no SQL, so these tests hold what is sent and how rows are read; whether a statement is right is for the contract
suite on a real engine.
"""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest

from datalake_kit import errors
from datalake_kit.lake import Lake, connect

moto_server = pytest.importorskip("moto.server", reason="moto is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A moto server on a free port."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def lake(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake whose catalog has taxi.trips."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hush"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="results")
    glue = boto3.client("glue", region_name="us-east-1")
    glue.create_database(DatabaseInput={"Name": "taxi"})
    columns = [{"Name": "id", "Type": "bigint"}, {"Name": "fare", "Type": "decimal(10,2)"}]
    glue.create_table(
        DatabaseName="taxi",
        TableInput={
            "Name": "trips",
            "StorageDescriptor": {
                "Columns": columns,
                "Location": "s3://lake/taxi/trips/",
                "InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat",
            },
            "PartitionKeys": [{"Name": "day", "Type": "date"}],
        },
    )
    with connect("athena://primary?database=taxi&region=us-east-1&output_location=s3://results/q/") as opened:
        yield opened


def answer(endpoint: str, names_and_types: list[tuple[str, str]], rows: list[list[str | None]]) -> None:
    """Prepare the rows of the next statement, as Athena gives them: text, with the types beside."""
    described = [
        {"CatalogName": "hive", "Name": n, "Label": n, "Type": t, "Precision": 10, "Scale": 2, "Nullable": "UNKNOWN"}
        for n, t in names_and_types
    ]
    head = {"Data": [{"VarCharValue": n} for n, _ in names_and_types]}
    body = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows]
    result = {"rows": [head, *body], "column_info": described}
    content = json.dumps({"account_id": "123456789012", "region": "us-east-1", "results": [result]}).encode()
    request = urllib.request.Request(
        f"{endpoint}/moto-api/static/athena/query-results",
        data=content,
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request).close()


def test_rows_come_back_typed(lake: Lake, endpoint: str) -> None:
    answer(
        endpoint,
        [("i", "bigint"), ("s", "varchar"), ("d", "decimal"), ("t", "timestamp"), ("day", "date"), ("b", "boolean")],
        [
            ["9007199254740993", "", "10.50", "2026-03-01 09:00:00.000001", "2026-03-01", "true"],
            [None, None, None, None, None, None],
        ],
    )
    rows = lake.arrow("SELECT * FROM trips", unload=False).to_pylist()
    assert rows[0] == {
        "i": 9007199254740993,
        "s": "",
        "d": Decimal("10.50"),
        "t": dt.datetime(2026, 3, 1, 9, 0, 0, 1),
        "day": dt.date(2026, 3, 1),
        "b": True,
    }
    assert set(rows[1].values()) == {None}
    assert lake.last_query is not None
    assert lake.last_query.engine == "athena"
    assert lake.last_query.rows == 2


def test_workgroup_catalog_database_and_output_are_sent(
    lake: Lake, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(endpoint, [("x", "bigint")], [["1"]])
    engine: Any = lake.engine
    sent: dict[str, Any] = {}
    client = engine.session.client("athena")
    start = client.start_query_execution

    def keep(**request: Any) -> Any:
        sent.update(request)
        return start(**request)

    monkeypatch.setattr(client, "start_query_execution", keep)
    lake.sql("SELECT 1 AS x")
    assert sent["WorkGroup"] == "primary"
    assert sent["QueryExecutionContext"] == {"Database": "taxi", "Catalog": "awsdatacatalog"}
    assert sent["ResultConfiguration"]["OutputLocation"] == "s3://results/q/"
    assert lake.last_query is not None
    assert lake.last_query.bytes_scanned is not None


def test_missing_credentials_are_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(errors.EngineError, match="credentials"):
        connect("athena://w?region=eu-west-1").table("a.b")


def test_values_are_written_as_literals_where_the_placeholders_stand(lake: Lake, endpoint: str) -> None:
    answer(endpoint, [("x", "bigint")], [["1"]])
    lake.sql(
        "SELECT ':name' AS x FROM trips WHERE name = :name AND at >= :at AND id IN (:ids) -- :name",
        name="O'Neil' OR 1=1 --",
        at=dt.datetime(2026, 3, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        ids=[1, 2],
        unload=False,
    )
    assert lake.last_query is not None
    assert lake.last_query.text == (
        "SELECT ':name' AS x FROM trips WHERE name = 'O''Neil'' OR 1=1 --' "
        "AND at >= TIMESTAMP '2026-03-01 00:00:00.000000' AND id IN (1, 2) -- :name"
    )


def test_an_empty_result_keeps_columns_and_types(lake: Lake, endpoint: str) -> None:
    answer(endpoint, [("i", "bigint"), ("t", "timestamp")], [])
    table = lake.arrow("SELECT i, t FROM trips WHERE FALSE", unload=False)
    assert table.num_rows == 0
    assert [str(t) for t in table.schema.types] == ["int64", "timestamp[us]"]


def test_the_catalog_is_glue(lake: Lake) -> None:
    assert lake.tables()[["database", "table", "format"]].to_numpy().tolist() == [["taxi", "trips", "hudi"]]
    table = lake.table("TAXI.trips")
    assert [(c.name, c.type, c.is_partition) for c in table.columns] == [
        ("id", "bigint", False),
        ("fare", "decimal(10,2)", False),
        ("day", "date", True),
    ]
    assert lake.table("trips").location == "s3://lake/taxi/trips/"
    with pytest.raises(errors.TableNotFoundError, match="Did you mean trips"):
        lake.table("taxi.trps")
    with pytest.raises(errors.DatabaseNotFoundError, match="Did you mean taxi"):
        lake.table("taxy.trips")


@pytest.mark.parametrize("text", ["DROP TABLE trips", "INSERT INTO trips SELECT 1", "SELECT 1; SELECT 2"])
def test_nothing_that_writes_is_sent(lake: Lake, text: str) -> None:
    with pytest.raises(errors.WriteRefusedError):
        lake.sql(text)


def test_no_region_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ConfigError, match="region="):
        connect("athena://primary").sql("SELECT 1 AS one")


def test_a_failure_names_the_statement_and_no_secret(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: Any = lake.engine
    monkeypatch.setattr(engine.session.client("athena"), "start_query_execution", _refuse)
    with pytest.raises(errors.EngineError, match="SELECT 1 AS one") as caught:
        lake.sql("SELECT 1 AS one")
    assert "hush" not in str(caught.value)


def _refuse(**_: object) -> None:
    raise RuntimeError("access denied")
