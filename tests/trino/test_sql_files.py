"""Every file of sql/ on Trino and on the local engine over the same lake: the same columns, types and rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datalake_kit.lake import Lake, connect
from datalake_kit.sql import load_query, query_names
from tests.athena_server import Server

JIRA = {"table": "jiralake.jira_raw"}
VALUES: dict[str, list[dict[str, Any]]] = {
    "cdc/duplicate_keys": [{"table": "taxi.table_1", "key": "vendorid"}, {**JIRA, "key": "id"}],
    "cdc/row_count": [{"table": "taxi.table_1"}, {"table": "jiralake.jira_raw"}],
    "cdc/rows_by_version": [{"table": "taxi.table_1", "version": "cdc_timestamp_seq"}],
    "jira/comments": [JIRA],
    "jira/issues": [JIRA, {**JIRA, "points": "customfield_10024"}],
    "jira/links": [JIRA],
    "jira/newest_issues": [JIRA],
    "jira/parents": [JIRA],
    "jira/worklogs": [JIRA],
}
EMPTY = ("jira/links",)  # the demo's issues have none; test_jira_sql holds this query over documents that do
ATHENA_TYPES = {
    "bool": "boolean", "int32": "integer", "int64": "bigint", "double": "double", "string": "varchar",
    "date32[day]": "date", "timestamp[us]": "timestamp", "timestamp[us, tz=UTC]": "timestamp with time zone",
}  # fmt: skip
CASES = [pytest.param(name, values, id=f"{name}-{i}") for name in VALUES for i, values in enumerate(VALUES[name])]


def test_every_file_has_values_here() -> None:
    assert set(VALUES) == set(query_names())


@pytest.fixture
def here(demo_lake: Path) -> Iterator[Lake]:
    """The demo lake as a folder."""
    with connect(demo_lake) as lake:
        yield lake


@pytest.fixture
def there(demo_athena: Server) -> Iterator[Lake]:
    """The same lake on S3, in Glue and behind Athena, whose statements Trino runs."""
    assert demo_athena.engine_name == "trino"
    with connect("athena://primary?region=us-east-1") as lake:
        yield lake


def answer(lake: Lake, name: str, values: dict[str, Any]) -> pa.Table:
    """The rows of a query as the engine gives them."""
    from datalake_kit.sql import bind_query

    text, bound = bind_query(load_query(name), values)
    return lake.arrow(text, params=bound)


def rows(table: pa.Table, *, ordered: bool) -> list[dict[str, Any]]:
    """The rows, in an order of their own where the statement gives none."""
    found = table.to_pylist()
    return found if ordered else sorted(found, key=repr)


@pytest.mark.external
@pytest.mark.parametrize(("name", "values"), CASES)
def test_both_engines_answer_alike(here: Lake, there: Lake, name: str, values: dict[str, Any]) -> None:
    local, trino = answer(here, name, values), answer(there, name, values)
    assert [(f.name, str(f.type)) for f in local.schema] == [(f.name, str(f.type)) for f in trino.schema]
    ordered = "ORDER BY" in load_query(name).text.rpartition(")")[2]
    assert (local.num_rows > 0) == (name not in EMPTY)
    assert rows(local, ordered=ordered) == rows(trino, ordered=ordered)


@pytest.mark.external
@pytest.mark.parametrize(("name", "values"), CASES)
def test_types_are_those_of_trino(demo_athena: Server, here: Lake, name: str, values: dict[str, Any]) -> None:
    """Seen past this package's reading of results: the types in Athena's own words."""
    from datalake_kit.sql import bind_query, literal, replace_placeholders

    text, bound = bind_query(load_query(name), values)
    told = result_columns(replace_placeholders(text, lambda n: literal(bound[n])))
    known = [(field.name, ATHENA_TYPES[str(field.type)]) for field in answer(here, name, values).schema]
    assert known == told


def result_columns(text: str) -> list[tuple[str, str]]:
    """Names and types of the columns that Athena gives for a statement."""
    import time

    import boto3

    client = boto3.client("athena", region_name="us-east-1")
    started = client.start_query_execution(QueryString=f"SELECT * FROM ({text}) AS q LIMIT 0", WorkGroup="primary")[
        "QueryExecutionId"
    ]
    while (status := client.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"])["State"] in (
        "QUEUED", "RUNNING",
    ):  # fmt: skip
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED", status
    found = client.get_query_results(QueryExecutionId=started, MaxResults=1)["ResultSet"]["ResultSetMetadata"]
    return [(column["Name"], column["Type"]) for column in found["ColumnInfo"]]
