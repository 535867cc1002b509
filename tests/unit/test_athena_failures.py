"""What goes wrong on AWS comes, over HTTP, as one of our errors: kind, query id, line, cause and the way out.

Statements fail on a real Trino; refusals of AWS are answered by the endpoint in the shape that AWS gives them.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datalake_kit import errors
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SHOP = "athena://primary?database=failing_shop&region=us-east-1"


@pytest.fixture(scope="module")
def shop(athena_server: Server) -> Server:
    """A database with one table of three rows."""
    glue, s3 = athena_server.client("glue"), athena_server.client("s3")
    if "failing_shop" not in {d["Name"] for d in glue.get_databases()["DatabaseList"]}:
        s3.put_object(Bucket="lake", Key="failing_shop/orders/a.csv", Body=b"1,2.5\n2,3.5\n3,-1\n")
        glue.create_database(DatabaseInput={"Name": "failing_shop"})
        columns = [{"Name": "id", "Type": "bigint"}, {"Name": "price", "Type": "double"}]
        reader = {
            "Columns": columns,
            "Location": "s3://lake/failing_shop/orders/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {"field.delim": ","},
            },
        }
        table = {"Name": "orders", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": reader, "PartitionKeys": []}
        glue.create_table(DatabaseName="failing_shop", TableInput=table)
    return athena_server


@pytest.fixture
def lake(shop: Server, athena: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake on the endpoint; botocore tries once, so that failures come at once."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with connect(SHOP) as opened:
        yield opened


def failure(lake: Lake, text: str, kind: type[Exception], **options: Any) -> str:
    """Run a statement that fails and return the message, which holds no secret."""
    with pytest.raises(errors.DatalakeKitError) as caught:
        lake.sql(text, **options)
    assert type(caught.value) is kind, repr(caught.value)
    message = str(caught.value)
    assert "hush" not in message
    return message


ONLY_TRINO_KNOWS = [
    ("SELECT id FROM ordres", errors.TableNotFoundError, ["Did you mean orders", "line 1: SELECT id FROM ordres"]),
    ("SELECT id FROM other.orders", errors.DatabaseNotFoundError, ["No database 'other'"]),
    ("SELECT id FROM failing_shp.orders", errors.DatabaseNotFoundError, ["Did you mean failing_shop"]),
    ("SELECT\n  pirce\nFROM orders", errors.ColumnNotFoundError, ["Did you mean price", "line 2: pirce"]),
    ("SELECT o.idd FROM orders o", errors.ColumnNotFoundError, ["Did you mean id"]),
    ("SELECT id FROM orders WHERE id = 'a'", errors.SqlError, ["TYPE_MISMATCH", "line 1"]),
    ("SELECT id, count(*) AS n FROM orders", errors.SqlError, ["line 1"]),
    ("SELECT nofunction(id) AS x FROM orders", errors.SqlError, ["nofunction"]),
    ("SELECT id FROM nocatalog.failing_shop.orders", errors.DatabaseNotFoundError, ["nocatalog"]),
    ("SELECT 1 / (id - id) AS x FROM orders", errors.EngineError, ["DIVISION_BY_ZERO"]),
    ("SELECT CAST('x' AS bigint) + id AS x FROM orders", errors.EngineError, ["INVALID_CAST_ARGUMENT"]),
]


@pytest.mark.parametrize(("text", "kind", "told"), ONLY_TRINO_KNOWS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_statement_that_fails_on_the_engine(lake: Lake, text: str, kind: type[Exception], told: list[str]) -> None:
    message = failure(lake, text, kind, unload=False)
    for words in told:
        assert words in message
    assert text in message
    assert lake.last_query is not None
    assert lake.last_query.query_id in message
    assert lake.last_query.state == "FAILED"
    assert lake.last_query.cost == 0.0


def test_a_text_that_is_no_statement_is_refused_at_once(lake: Lake) -> None:
    assert "line 1" in failure(lake, "SELECT id FROM orders WHERE", errors.SqlError, unload=False)


def test_a_query_file_is_named_with_its_own_line(shop: Server, athena: Server, tmp_path: Path) -> None:
    (tmp_path / "wrong.sql").write_text(
        "-- Prices.\n-- :least number  least price\nSELECT id,\n  pirce\nFROM orders\nWHERE price > :least\n"
    )
    with connect(SHOP, sql=tmp_path) as lake:
        with pytest.raises(errors.ColumnNotFoundError, match=re.escape(f"{tmp_path}/wrong.sql:4: pirce")):
            lake.query("wrong", least=1.0)
        assert lake.last_query is not None
        assert lake.last_query.file == f"{tmp_path}/wrong.sql"


DENIED_ATHENA = (
    "User: arn:aws:sts::123456789012:assumed-role/analyst/me is not authorized to perform: "
    "athena:StartQueryExecution on resource: arn:aws:athena:us-east-1:123456789012:workgroup/primary because no "
    "identity-based policy allows the athena:StartQueryExecution action"
)
DENIED_GLUE = (
    "User: arn:aws:sts::123456789012:assumed-role/analyst/me is not authorized to perform: glue:GetTable on resource: "
    "arn:aws:glue:us-east-1:123456789012:catalog because no identity-based policy allows the glue:GetTable action"
)
OLD_SIGNATURE = "Signature expired: 20261128T060000Z is now earlier than 20261128T065500Z (20261128T070000Z - 5 min.)"
START = "StartQueryExecution"
REFUSED = [
    (START, "AccessDeniedException", DENIED_ATHENA, errors.AccessDeniedError,
     "permission athena:StartQueryExecution on"),
    ("GetQueryExecution", "AccessDeniedException", "no", errors.AccessDeniedError,
     "permission athena:GetQueryExecution"),
    ("GetQueryResults", "AccessDeniedException", "no", errors.AccessDeniedError, "permission athena:GetQueryResults"),
    (START, "ExpiredTokenException", "The security token included in the request is expired",
     errors.CredentialsError, "have expired"),
    (START, "UnrecognizedClientException", "The security token included in the request is invalid.",
     errors.CredentialsError, "does not know these credentials"),
    (START, "InvalidSignatureException", OLD_SIGNATURE, errors.CredentialsError, "clock of this machine"),
    (START, "InvalidSignatureException", "The request signature we calculated does not match.",
     errors.CredentialsError, "secret key is not that of"),
    (START, "InvalidRequestException", "WorkGroup is not found.", errors.ConfigError, "No workgroup 'primary'"),
    (START, "InvalidRequestException", "WorkGroup primary is disabled.", errors.ConfigError, "is disabled"),
    (START, "InvalidRequestException", "Unable to verify/create output bucket results", errors.AccessDeniedError,
     "output location of workgroup"),
    (START, "InvalidRequestException", "line 1:8: mismatched input 'FRM'. Expecting: ',', 'FROM'", errors.SqlError,
     "line 1: SELECT 1 AS one"),
    (START, "InternalServerException", "An internal error occurred.", errors.EngineError, "AWS failed inside"),
    ("GetQueryResults", "InvalidRequestException", "Could not find results", errors.EngineError, "is gone from S3"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "error", "said", "kind", "told"), REFUSED, ids=lambda v: str(v)[:30])
def test_what_aws_refuses(
    lake: Lake, athena: Server, operation: str, error: str, said: str, kind: type[Exception], told: str
) -> None:
    athena.faults.add(operation, error, message=said, times=50)
    message = failure(lake, "SELECT 1 AS one", kind, unload=False)
    assert told in message
    assert operation in message or kind in (errors.ConfigError, errors.SqlError) or "Athena cannot use" in message
    assert "SELECT 1 AS one" in message
    if operation != START:
        assert lake.last_query is not None
        assert re.search(r"query id [0-9a-f-]{36}", message)
        assert lake.last_query.query_id in message


def test_access_denied_on_glue_while_the_catalog_is_read(lake: Lake, athena: Server) -> None:
    athena.faults.add("GetTable", "AccessDeniedException", message=DENIED_GLUE, times=9)
    with pytest.raises(errors.AccessDeniedError, match="glue:GetTable on arn:aws:glue"):
        lake.table("orders")


def test_credentials_that_run_out_while_the_catalog_is_read(lake: Lake, athena: Server) -> None:
    athena.faults.add("GetTables", "ExpiredTokenException", times=9)
    with pytest.raises(errors.CredentialsError, match="have expired"):
        lake.tables()


REASONS = [
    ("PERMISSION_DENIED: Permission denied on S3 path: s3://lake/failing_shop/orders/a.csv", "FAILED",
     errors.AccessDeniedError, "s3:GetObject (and s3:ListBucket) on s3://lake/failing_shop/orders/a.csv"),
    ("Access denied when writing output to url: s3://results/primary/x.csv . Please ensure you are allowed to access "
     "the S3 bucket.", "FAILED", errors.AccessDeniedError, "s3:PutObject on s3://results/primary/x.csv"),
    ("Insufficient permissions to execute the query. User: arn:aws:iam::1:user/me is not authorized to perform: "
     "glue:GetPartitions on resource: arn:aws:glue:us-east-1:1:table/failing_shop/orders", "FAILED",
     errors.AccessDeniedError, "glue:GetPartitions on arn:aws:glue:us-east-1:1:table/failing_shop/orders"),
    ("Insufficient Lake Formation permission(s) on orders", "FAILED", errors.AccessDeniedError, "lakeformation"),
    ("Query exhausted resources at this scale factor", "FAILED", errors.EngineError, "exhausted resources"),
    ("Query timeout", "FAILED", errors.QueryTimedOutError, "30 minutes"),
    ("Bytes scanned limit was exceeded", "CANCELLED", errors.ScanLimitError, "workgroup's own limit"),
    ("Query cancelled by user", "CANCELLED", errors.QueryCancelledError, "cancelled elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "state", "kind", "told"), REASONS, ids=lambda v: str(v)[:25])
def test_why_athena_ended_a_query(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, reason: str, state: str, kind: type[Exception], told: str
) -> None:
    client: Any = lake.engine.session.client("athena")  # type: ignore[attr-defined]

    def ended(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        parsed["QueryExecution"]["Status"] |= {"State": state, "StateChangeReason": reason}

    client.meta.events.register("after-call.athena.GetQueryExecution", ended)
    message = failure(lake, "SELECT id FROM orders", kind)
    assert told in message
    assert lake.last_query is not None
    assert lake.last_query.query_id in message
    assert lake.last_query.state == state


def test_what_only_athena_refuses_comes_with_the_way_out_and_is_not_sent(lake: Lake, athena: Server) -> None:
    text = "SELECT CAST(from_iso8601_timestamp('2026-01-01T00:00:00Z') AS timestamp) AS t"
    assert "use date_format(value" in failure(lake, text, errors.UnsupportedSqlError)
    assert START not in [operation for operation, _ in athena.requests]


def test_a_missing_workgroup_names_those_that_there_are(athena: Server) -> None:
    with connect("athena://primry?region=us-east-1") as lake, pytest.raises(errors.ConfigError) as caught:
        lake.sql("SELECT 1 AS one")
    assert "No workgroup 'primry' in region us-east-1. Did you mean primary?" in str(caught.value)


def test_a_workgroup_without_a_place_for_results(athena: Server) -> None:
    client = athena.client("athena")
    if "placeless" not in [g["Name"] for g in client.list_work_groups()["WorkGroups"]]:
        client.create_work_group(Name="placeless", Configuration={})
    with connect("athena://placeless?region=us-east-1") as lake, pytest.raises(errors.ConfigError, match="output_loc"):
        lake.sql("SELECT 1 AS one")


def test_a_missing_database_of_the_lake_is_named(athena: Server) -> None:
    with (
        connect("athena://primary?region=us-east-1&database=failing_shp") as lake,
        pytest.raises(errors.DatabaseNotFoundError, match="failing_shp"),
    ):
        lake.sql("SELECT id FROM orders")


def test_no_credentials(athena: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with connect(SHOP) as lake, pytest.raises(errors.CredentialsError, match="There are no AWS credentials"):
        lake.sql("SELECT 1 AS one")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, athena: Server) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:hush@127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with connect(SHOP) as lake, pytest.raises(errors.EngineError, match="network to AWS broke off at") as caught:
        lake.sql("SELECT 1 AS one")
    assert "hush" not in str(caught.value)


def test_values_are_nowhere_when_they_are_to_be_hidden(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    values = {"name": "Erika Mustermann", "most": 4711, "day": dt.date(2026, 3, 17)}
    with connect(SHOP + "&redact_parameters=true") as lake:
        caplog.set_level(logging.DEBUG, logger="pyathena")
        caplog.set_level(logging.DEBUG, logger="datalake_kit")
        text = "SELECT CAST(:name AS bigint) + id AS x FROM orders WHERE id < :most AND :day > DATE '2020-01-01'"
        try:
            lake.sql(text, params=values)
        except errors.EngineError as error:
            shown = "".join(traceback.format_exception(error))
        else:
            pytest.fail("text that is no number was cast")
        stats = lake.last_query
        assert stats is not None
        everything = shown + repr(stats) + stats._repr_html_() + caplog.text
        assert "INVALID_CAST_ARGUMENT" in shown
        assert ":name" in stats.text
        for value in ("Erika", "Mustermann", "4711", "2026-03-17"):
            assert value not in everything


def test_values_are_shown_when_nobody_hides_them(lake: Lake) -> None:
    lake.sql("SELECT id FROM orders WHERE id < :most", most=4711)
    assert lake.last_query is not None
    assert lake.last_query.text.endswith("id < 4711")
