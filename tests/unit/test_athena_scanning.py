"""What a statement must read is known before it starts, or it is not refused: held against what a real Trino reads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit import errors
from datalake_kit.engines.athena.scanning import known_scan
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore::ResourceWarning")]
DATABASE = "scanning_shop"
TEXT = ("org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
COLUMNAR = (
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
)
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]


def _create(glue: Any, name: str, reader: tuple[str, str], columns: list[tuple[str, str]], *, days: bool) -> None:
    storage = {
        "Columns": [{"Name": n, "Type": t} for n, t in columns],
        "Location": f"s3://lake/{DATABASE}/{name}/",
        "InputFormat": reader[0],
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": reader[1], "Parameters": {"field.delim": ","}},
    }
    keys = [{"Name": "day", "Type": "date"}, {"Name": "hour", "Type": "int"}] if days else []
    table = {"Name": name, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": storage, "PartitionKeys": keys}
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    for day in DAYS if days else []:
        there = {**storage, "Location": f"s3://lake/{DATABASE}/{name}/day={day}/hour=0/"}
        partition = {"Values": [day, "0"], "StorageDescriptor": there}
        glue.create_partition(DatabaseName=DATABASE, TableName=name, PartitionInput=partition)


@pytest.fixture(scope="module")
def shop(athena_server: Server) -> Server:
    """Three tables: text whole, text in three days, Parquet in three days with a column that Glue does not know."""
    glue, s3 = athena_server.client("glue"), athena_server.client("s3")
    if DATABASE in {d["Name"] for d in glue.get_databases()["DatabaseList"]}:
        return athena_server
    glue.create_database(DatabaseInput={"Name": DATABASE})
    _create(glue, "words", TEXT, [("id", "bigint"), ("price", "double")], days=False)
    _create(glue, "daily", TEXT, [("id", "bigint"), ("price", "double")], days=True)
    _create(glue, "columns", COLUMNAR, [("id", "bigint"), ("name", "string")], days=True)
    table = pa.table(
        {
            "id": pa.array(range(50_000), pa.int64()),
            "name": [f"name {i * 7919 % 50_000}" for i in range(50_000)],
            "unknown": [f"more {i * 104729}" for i in range(50_000)],
        }
    )
    parquet = io.BytesIO()
    pq.write_table(table, parquet, compression="none", use_dictionary=False, row_group_size=10_000)
    s3.put_object(Bucket="lake", Key=f"{DATABASE}/words/a.csv", Body=b"1,22.75\n" * 100_000)
    for day in DAYS:
        s3.put_object(Bucket="lake", Key=f"{DATABASE}/daily/day={day}/hour=0/a.csv", Body=b"1,22.75\n" * 50_000)
        s3.put_object(Bucket="lake", Key=f"{DATABASE}/columns/day={day}/hour=0/a.parquet", Body=parquet.getvalue())
    return athena_server


@pytest.fixture
def lake(shop: Server, athena: Server) -> Iterator[Lake]:
    """A lake on the endpoint."""
    with connect(f"athena://primary?region=us-east-1&database={DATABASE}") as opened:
        yield opened


def known(lake: Lake, text: str) -> int | None:
    """Bytes that a statement is known to read."""
    engine: Any = lake.engine
    found = known_scan(text, engine.catalog, DATABASE)
    return None if found is None else found.at_least


KNOWN = [
    ("SELECT id FROM words", 800_000, 800_000),
    ("SELECT count(*) AS n FROM words", 800_000, 800_000),
    ("SELECT upper(CAST(id AS varchar)) AS x, sum(price) AS s FROM words GROUP BY 1 ORDER BY 2", 800_000, 800_000),
    (f"SELECT DISTINCT id FROM {DATABASE}.WORDS", 800_000, 800_000),
    ("SELECT * FROM daily", 1_200_000, 1_200_000),
    ("SELECT id FROM daily WHERE day = DATE '2026-03-02'", 400_000, 400_000),
    ("SELECT id FROM daily d WHERE d.day >= DATE '2026-03-02' AND hour = 0", 800_000, 800_000),
    ("SELECT id FROM daily WHERE day IN (DATE '2026-03-01', DATE '2026-03-09')", 400_000, 400_000),
    ("SELECT id FROM daily WHERE day BETWEEN DATE '2026-03-02' AND DATE '2026-03-09' OR hour > 5", 800_000, 800_000),
    ("SELECT id FROM daily WHERE day = DATE '2026-03-02' AND day = DATE '2026-03-03'", 0, 0),
    ("SELECT id FROM daily WHERE hour < -1", 0, 0),
    ("SELECT id FROM columns", 1_200_000, 1_300_000),
    ("SELECT id, name FROM columns WHERE day = DATE '2026-03-02'", 1_080_000, 1_100_000),
    ("SELECT sum(id) AS s, max(name) AS m FROM columns WHERE day = DATE '2026-03-02'", 1_080_000, 1_100_000),
    ("SELECT * FROM columns WHERE day = DATE '2026-03-02'", 1_080_000, 1_100_000),
]


@pytest.mark.parametrize(("text", "least", "most"), KNOWN, ids=lambda v: str(v))
def test_what_is_known_is_read(lake: Lake, text: str, least: int, most: int) -> None:
    told = known(lake, text)
    assert told is not None
    assert least <= told <= most
    lake.sql(text, unload=False)
    assert lake.last_query is not None
    assert lake.last_query.bytes_scanned is not None
    assert lake.last_query.bytes_scanned >= told


NOT_KNOWN = [
    "SELECT id FROM words LIMIT 1",
    "SELECT id FROM words WHERE id = 1",
    "SELECT id FROM words WHERE 1 = 0",
    "SELECT id FROM daily WHERE day = DATE '2026-03-02' AND id > 5",
    "SELECT id FROM daily WHERE day = current_date",
    "SELECT id FROM daily WHERE NOT day = DATE '2026-03-02'",
    "SELECT id FROM daily WHERE day IN (SELECT max(day) FROM daily)",
    "SELECT day FROM daily",
    "SELECT count(*) AS n FROM daily",
    "SELECT count(*) AS n FROM columns",
    "SELECT max(day) AS d FROM columns",
    "SELECT id + 0 AS x FROM columns",
    "SELECT id FROM words UNION ALL SELECT id FROM words",
    "SELECT w.id FROM words w JOIN daily d ON w.id = d.id",
    "SELECT w.id FROM words w, daily d",
    "WITH w AS (SELECT id FROM words) SELECT id FROM w",
    "SELECT id FROM (SELECT id FROM words) w",
    "SELECT id FROM words TABLESAMPLE BERNOULLI (1)",
    "SELECT id FROM words FETCH FIRST 1 ROW ONLY",
    "SELECT id FROM nothing",
    "SELECT 1 AS one",
    "SHOW TABLES",
    "no statement at all",
]


@pytest.mark.parametrize("text", NOT_KNOWN)
def test_what_may_be_cheap_is_not_known(lake: Lake, text: str) -> None:
    assert known(lake, text) is None


def test_a_statement_that_must_read_more_is_not_sent(lake: Lake, athena: Server) -> None:
    text = "SELECT id FROM daily WHERE day >= DATE '2026-03-02'"
    with pytest.raises(errors.ScanLimitError) as caught:
        lake.sql(text, max_scan="500 kB")
    for told in ("would read 800.0 kB at least", "scanning_shop.daily in 2 partitions", "max_scan (500.0 kB)",
                 "it was not sent", "BytesScannedCutoffPerQuery of workgroup 'primary'", text):  # fmt: skip
        assert told in str(caught.value)
    assert "StartQueryExecution" not in [operation for operation, _ in athena.requests]
    assert lake.costs.cost == 0
    lake.sql(text, max_scan="900 kB")


def test_nothing_is_listed_where_no_limit_is_set(lake: Lake, athena: Server) -> None:
    lake.sql("SELECT id FROM words", unload=False)
    asked = [operation for operation, _ in athena.requests]
    assert asked.count("GetTable") <= 1  # is it a Hudi table that SQL does not show whole?
    assert "GetPartitions" not in asked
