"""The Athena of the tests itself: its named errors, its limits, and the failures that a test may ask for."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.athena_server import Server

pytestmark = pytest.mark.external


@pytest.fixture
def client(athena: Server) -> Any:
    """A client of Athena without retries."""
    import boto3
    from botocore.config import Config

    return boto3.client("athena", config=Config(retries={"total_max_attempts": 1, "mode": "standard"}))


def finished(client: Any, text: str, **more: Any) -> dict[str, Any]:
    """Run a statement and return what GetQueryExecution says in the end."""
    known = client.start_query_execution(QueryString=text, **more)["QueryExecutionId"]
    while True:
        told: dict[str, Any] = client.get_query_execution(QueryExecutionId=known)["QueryExecution"]
        if told["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return told
        time.sleep(0.05)


def refused(call: Any, **given: Any) -> tuple[str, str]:
    """Return code and message of the error that a call gives."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# ---------------------------------------------------------------- Athena's own errors


def test_named_errors(client: Any) -> None:
    unknown = str(uuid.uuid4())
    assert refused(client.get_query_execution, QueryExecutionId=unknown) == (
        "InvalidRequestException",
        f"QueryExecution {unknown} was not found",
    )
    assert refused(client.get_query_results, QueryExecutionId=unknown)[0] == "InvalidRequestException"
    assert refused(client.stop_query_execution, QueryExecutionId=unknown)[0] == "InvalidRequestException"
    assert refused(client.get_work_group, WorkGroup="nope") == (
        "InvalidRequestException",
        "WorkGroup nope is not found.",
    )
    assert "mismatched input" in refused(client.start_query_execution, QueryString="SELEC 1")[1]
    assert "Only one sql" in refused(client.start_query_execution, QueryString="SELECT 1; SELECT 2")[1]
    assert "262144" in refused(client.start_query_execution, QueryString="SELECT 1 -- " + "x" * 262_144)[1]
    given = {"CatalogName": "AwsDataCatalog", "DatabaseName": "nope"}
    assert refused(client.get_database, **given)[0] == "MetadataException"
    assert refused(client.get_table_metadata, **given, TableName="t")[0] == "MetadataException"
    kind = refused(client.get_prepared_statement, StatementName="nope", WorkGroup="primary")[0]
    assert kind == "ResourceNotFoundException"
    assert refused(client.get_named_query, NamedQueryId=unknown)[0] == "InvalidRequestException"
    group = f"bare{unknown[:8]}"
    client.create_work_group(Name=group)
    assert (
        "No output location provided"
        in refused(client.start_query_execution, QueryString="SELECT 1", WorkGroup=group)[1]
    )


def test_why_a_statement_failed(client: Any) -> None:
    told = finished(client, "SELECT * FROM nope", QueryExecutionContext={"Database": "default"})["Status"]
    assert told["State"] == "FAILED"
    assert told["AthenaError"]["ErrorCategory"] == 2
    assert told["AthenaError"]["ErrorMessage"] == told["StateChangeReason"]
    assert told["SubmissionDateTime"] <= told["CompletionDateTime"]
    said = finished(client, "SELECT CAST(now() AS timestamp) AS t")["Status"]["StateChangeReason"]
    assert said.startswith("NOT_SUPPORTED: line 1:8: ")
    assert finished(client, "SELECT 1 / 0")["Status"]["StateChangeReason"] == "DIVISION_BY_ZERO: Division by zero"


def test_pages_and_their_header(client: Any) -> None:
    known = finished(client, "SELECT n FROM UNNEST(sequence(1, 5)) AS t (n) ORDER BY n")["QueryExecutionId"]
    pages = list(
        client.get_paginator("get_query_results").paginate(QueryExecutionId=known, PaginationConfig={"PageSize": 2})
    )
    cells = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages]
    assert cells == [["n", "1"], ["2", "3"], ["4", "5"]]
    assert "maximum" in refused(client.get_query_results, QueryExecutionId=known, MaxResults=1001)[1].lower()
    assert "NextToken" in refused(client.get_query_results, QueryExecutionId=known, NextToken="nonsense")[1]


def test_the_object_of_a_result(client: Any, athena: Server) -> None:
    told = finished(client, "SELECT 'a\"b' AS x, CAST(NULL AS varchar) AS y, '' AS z")
    bucket, _, key = told["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
    s3 = athena.client("s3")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b'"x","y","z"\n"a""b",,""\n'
    assert b"varchar" in s3.get_object(Bucket=bucket, Key=key + ".metadata")["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    known = told["QueryExecutionId"]
    assert "Could not find results" in refused(client.get_query_results, QueryExecutionId=known)[1]


def test_a_workgroup_that_limits(client: Any, athena: Server) -> None:
    group = f"limit{uuid.uuid4().hex[:8]}"
    client.create_work_group(
        Name=group,
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"s3://results/{group}/"},
            "EnforceWorkGroupConfiguration": True,
        },
        Tags=[{"Key": "team", "Value": "energy"}],
    )
    told = finished(
        client, "SELECT 1 AS a", WorkGroup=group, ResultConfiguration={"OutputLocation": "s3://lake/elsewhere/"}
    )
    assert told["ResultConfiguration"]["OutputLocation"].startswith(f"s3://results/{group}/")
    assert client.list_query_executions(WorkGroup=group)["QueryExecutionIds"] == [told["QueryExecutionId"]]
    arn = f"arn:aws:athena:us-east-1:123456789012:workgroup/{group}"
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "energy"}]
    client.update_work_group(WorkGroup=group, State="DISABLED")
    assert "disabled" in refused(client.start_query_execution, QueryString="SELECT 1", WorkGroup=group)[1]


def test_a_token_stands_for_one_statement(client: Any) -> None:
    token = uuid.uuid4().hex + uuid.uuid4().hex
    first = client.start_query_execution(QueryString="SELECT 1", ClientRequestToken=token)
    again = client.start_query_execution(QueryString="SELECT 1", ClientRequestToken=token)
    assert first["QueryExecutionId"] == again["QueryExecutionId"]
    other = refused(client.start_query_execution, QueryString="SELECT 2", ClientRequestToken=token)
    assert other == ("InvalidRequestException", "Idempotent parameters do not match")


def test_cancelled_while_it_runs_on_the_engine(client: Any) -> None:
    text = "SELECT count(*) FROM tpch.sf100.lineitem l CROSS JOIN tpch.sf100.orders o"
    known = client.start_query_execution(QueryString=text)["QueryExecutionId"]
    while client.get_query_execution(QueryExecutionId=known)["QueryExecution"]["Status"]["State"] == "QUEUED":
        time.sleep(0.05)
    client.stop_query_execution(QueryExecutionId=known)
    begun = time.monotonic()
    while (told := client.get_query_execution(QueryExecutionId=known)["QueryExecution"]["Status"])[
        "State"
    ] == "RUNNING":
        time.sleep(0.05)
        assert time.monotonic() - begun < 60
    assert (told["State"], told["StateChangeReason"]) == ("CANCELLED", "Query was cancelled by user")


# ---------------------------------------------------------------- failures on demand


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ThrottlingException", "ThrottlingException"),
        ("TooManyRequestsException", "TooManyRequestsException"),
        ("AccessDeniedException", "AccessDeniedException"),
        ("ExpiredTokenException", "ExpiredTokenException"),
        ("InternalServerException", "InternalServerException"),
    ],
)
def test_a_failure_is_given_as_often_as_asked(client: Any, athena: Server, error: str, code: str) -> None:
    athena.faults.add("ListWorkGroups", error, times=2)
    assert refused(client.list_work_groups)[0] == code
    assert refused(client.list_work_groups)[0] == code
    assert client.list_work_groups()["WorkGroups"]
    assert [o for o, _ in athena.requests].count("ListWorkGroups") == 3


def test_failures_are_asked_for_by_http(client: Any, athena: Server) -> None:
    wanted = {"operation": "GetWorkGroup", "error": "ThrottlingException", "times": 1, "message": "slow down"}
    request = urllib.request.Request(
        f"{athena.url}/athena-test/faults", data=json.dumps(wanted).encode(), method="POST"
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    assert refused(client.get_work_group, WorkGroup="primary") == ("ThrottlingException", "slow down")
    assert client.get_work_group(WorkGroup="primary")["WorkGroup"]["Name"] == "primary"


def test_failures_of_glue_and_s3(athena: Server) -> None:
    import boto3
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    glue, s3 = boto3.client("glue", config=once), boto3.client("s3", config=once)
    athena.faults.add("GetDatabases", "AccessDeniedException")
    assert refused(glue.get_databases)[0] == "AccessDeniedException"
    assert "DatabaseList" in glue.get_databases()
    s3.put_object(Bucket="lake", Key="fault.txt", Body=b"0123456789")
    for error in ("AccessDenied", "SlowDown", "RequestTimeTooSkewed", "NoSuchKey"):
        athena.faults.add("s3:GET", error, contains="fault.txt")
        assert refused(s3.get_object, Bucket="lake", Key="fault.txt")[0] == error
    assert s3.get_object(Bucket="lake", Key="fault.txt")["Body"].read() == b"0123456789"


def test_a_connection_that_ends_midway(athena: Server) -> None:
    import boto3
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    s3 = boto3.client("s3")
    s3.put_object(Bucket="lake", Key="cut.bin", Body=b"x" * 10_000)
    athena.faults.add("s3:GET", cut_after=100, contains="cut.bin")
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        s3.get_object(Bucket="lake", Key="cut.bin")["Body"].read()
    assert len(s3.get_object(Bucket="lake", Key="cut.bin")["Body"].read()) == 10_000


def test_slowness(client: Any, athena: Server) -> None:
    athena.slow(0.5)
    begun = time.monotonic()
    told = finished(client, "SELECT 1 AS a")
    assert time.monotonic() - begun >= 0.5
    assert told["Statistics"]["TotalExecutionTimeInMillis"] >= 500
    athena.faults.clear()
    assert athena.requests == []


def test_the_local_engine_stands_in_where_trino_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.athena_server import serve

    with serve(engine="duckdb") as server:
        assert server.engine_name == "duckdb"
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), sink)
        boto3.client("s3").put_object(Bucket="lake", Key="d/t/1.parquet", Body=sink.getvalue().to_pybytes())
        client = boto3.client("athena")
        finished(client, "CREATE DATABASE d")
        made = finished(
            client, "CREATE EXTERNAL TABLE d.t (a bigint, b string) STORED AS PARQUET LOCATION 's3://lake/d/t/'"
        )
        assert made["Status"]["State"] == "SUCCEEDED"
        given: dict[str, Any] = {"QueryExecutionContext": {"Database": "d"}, "ExecutionParameters": ["0"]}
        told = finished(client, "SELECT a, b, DECIMAL '1.50' AS c FROM t WHERE a > ? ORDER BY a", **given)
        page = client.get_query_results(QueryExecutionId=told["QueryExecutionId"])["ResultSet"]["Rows"]
        cells = [[cell.get("VarCharValue") for cell in row["Data"]] for row in page]
        assert cells == [["a", "b", "c"], ["1", "x", "1.50"], ["2", None, "1.50"]]
        said = finished(client, "CREATE TABLE d.u AS SELECT 1 AS a")["Status"]["StateChangeReason"]
        assert said == "NOT_SUPPORTED: the local engine runs SELECTs only, not CREATE_TABLE_AS_SELECT"


def test_every_region_shows_the_one_catalog(athena: Server) -> None:
    import boto3

    name = f"region_{uuid.uuid4().hex[:8]}"
    boto3.client("glue", region_name="eu-west-1").create_database(DatabaseInput={"Name": name})
    found = boto3.client("glue", region_name="us-west-2").get_databases()["DatabaseList"]
    assert name in [d["Name"] for d in found]
    frankfurt = boto3.client("athena", region_name="eu-central-1")
    assert finished(frankfurt, f"SHOW TABLES IN {name}", WorkGroup="primary")["Status"]["State"] == "SUCCEEDED"
