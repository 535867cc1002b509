"""The Athena of the tests, driven by PyAthena: every cursor gives the values that Athena would give."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.athena_server import Server

# the clients' own notices (deprecations of pandas, of themselves) are not what is tested
pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]
Call = Callable[..., Any]

TEXT = 'naïve "quoted", line\ntwo'
VALUES = """
SELECT * FROM (VALUES
  (1, CAST(1 AS tinyint), BIGINT '9007199254740993', REAL '1.5', 2.25E0, DECIMAL '12.30', true,
   'naïve "quoted", line' || chr(10) || 'two', DATE '2024-02-29', TIMESTAMP '2024-02-29 23:59:59.123'),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, CAST(0 AS tinyint), BIGINT '-1', REAL '0', -1E-7, DECIMAL '-0.01', false, '', DATE '1969-12-31',
   TIMESTAMP '1969-12-31 23:59:59.999')
) AS t (i, ti, bi, re, db, de, bo, st, da, ts) ORDER BY i
"""
ROWS = [
    (1, 1, 9007199254740993, 1.5, 2.25, Decimal("12.30"), True, TEXT, dt.date(2024, 2, 29),
     dt.datetime(2024, 2, 29, 23, 59, 59, 123000)),
    (2, *[None] * 9),
    (3, 0, -1, 0.0, -1e-7, Decimal("-0.01"), False, "", dt.date(1969, 12, 31),
     dt.datetime(1969, 12, 31, 23, 59, 59, 999000)),
]  # fmt: skip
TYPES = [
    "integer", "tinyint", "bigint", "float", "double", "decimal", "boolean", "varchar", "date", "timestamp",
]  # fmt: skip


@pytest.fixture
def database(athena: Server) -> str:
    """A database of the test's own."""
    name = f"p{uuid.uuid4().hex[:10]}"
    athena.client("glue").create_database(DatabaseInput={"Name": name})
    return name


@pytest.fixture
def connection(athena: Server, database: str) -> Iterator[Any]:
    """A connection that asks often."""
    from pyathena import connect

    with connect(
        s3_staging_dir="s3://results/py/", region_name="us-east-1", schema_name=database, poll_interval=0.05
    ) as opened:
        yield opened


@pytest.fixture
def cursor(connection: Any) -> Any:
    return connection.cursor()


def run(call: Call, cursor: Any, text: str, *more: Any, **named: Any) -> Any:
    """Run a statement and return the cursor."""
    return call(cursor.execute, text, *more, **named)


# ---------------------------------------------------------------- the plain cursor


def test_every_scalar_and_its_type(call: Call, cursor: Any) -> None:
    run(call, cursor, VALUES)
    assert [c[1] for c in cursor.description] == TYPES
    assert cursor.description[5][4:6] == (4, 2)
    assert call(cursor.fetchall) == ROWS
    assert cursor.rownumber == 3
    assert cursor.state == "SUCCEEDED"
    assert cursor.output_location == f"s3://results/py/{cursor.query_id}.csv"
    assert cursor.data_scanned_in_bytes == 0
    assert cursor.statement_type == "DML"
    assert cursor.substatement_type == "SELECT"
    assert cursor.engine_execution_time_in_millis >= 0
    assert cursor.submission_date_time <= cursor.completion_date_time


def test_nested_binary_and_zoned_values(call: Call, cursor: Any) -> None:
    text = (
        "SELECT ARRAY[1, NULL] AS ar, MAP(ARRAY['k'], ARRAY[2]) AS ma, X'00ff' AS bn, CAST(ROW(1, 'x') AS ROW("
        "a integer, b varchar)) AS ro, TIMESTAMP '2024-01-01 12:00:00.000 UTC' AS tz, CAST(ARRAY[1, 2] AS json) AS js, "
        "TIME '01:02:03.000' AS ti"
    )
    run(call, cursor, text)
    assert [c[1] for c in cursor.description] == [
        "array", "map", "varbinary", "row", "timestamp with time zone", "json", "time",
    ]  # fmt: skip
    ar, ma, bn, ro, tz, js, ti = call(cursor.fetchone)
    assert [None if v is None else int(v) for v in ar] == [1, None]
    assert {k: int(v) for k, v in ma.items()} == {"k": 2}
    assert bn == b"\x00\xff"
    assert ro in ({"a": 1, "b": "x"}, {"a": "1", "b": "x"})  # the client guesses the types within a row
    assert tz == dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    assert js == [1, 2]
    assert ti == dt.time(1, 2, 3)


def test_fetching_in_parts_over_pages(call: Call, cursor: Any) -> None:
    run(call, cursor, "SELECT n FROM UNNEST(sequence(1, 2500)) AS t (n) ORDER BY n")
    assert call(cursor.fetchone) == (1,)
    assert call(cursor.fetchmany, 3) == [(2,), (3,), (4,)]
    assert [n for (n,) in call(cursor.fetchall)] == list(range(5, 2501))
    assert call(cursor.fetchone) is None


def test_one_row_by_row(call: Call, connection: Any) -> None:
    with connection.cursor() as cursor:
        run(call, cursor, "SELECT n FROM UNNEST(sequence(1, 5)) AS t (n) ORDER BY n")
        assert [row[0] for row in cursor] == [1, 2, 3, 4, 5]


def test_no_rows(call: Call, cursor: Any) -> None:
    run(call, cursor, "SELECT 1 AS a WHERE 1 = 0")
    assert call(cursor.fetchall) == []
    assert [c[0] for c in cursor.description] == ["a"]


def test_a_row_like_its_header_is_not_lost(call: Call, cursor: Any) -> None:
    run(call, cursor, "SELECT 'a' AS a UNION ALL SELECT 'a'")
    assert call(cursor.fetchall) == [("a",), ("a",)]


def test_dictionaries(call: Call, connection: Any) -> None:
    from pyathena.cursor import DictCursor

    cursor = connection.cursor(DictCursor)
    assert call(cursor.execute, "SELECT 1 AS a, 'x' AS b").fetchall() == [{"a": 1, "b": "x"}]


def test_parameters_in_both_styles(call: Call, cursor: Any) -> None:
    given = {"word": "it's", "number": 5, "nothing": None, "day": dt.date(2024, 1, 2), "list": [1, 2]}
    text = "SELECT %(word)s, %(number)d, CAST(%(nothing)s AS varchar), %(day)s, 2 IN %(list)s"
    assert run(call, cursor, text, given).fetchall() == [("it's", 5, None, dt.date(2024, 1, 2), True)]
    run(call, cursor, "SELECT ? AS a, ? AS b", ["1", "'it''s'"], paramstyle="qmark")
    assert cursor.fetchall() == [(1, "it's")]


def test_many_statements(call: Call, cursor: Any, database: str) -> None:
    run(call, cursor, f"CREATE EXTERNAL TABLE m (a int, b string) STORED AS PARQUET LOCATION 's3://lake/{database}/m/'")
    call(cursor.executemany, "INSERT INTO m VALUES (%(a)d, %(b)s)", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    assert run(call, cursor, "SELECT * FROM m ORDER BY a").fetchall() == [(1, "x"), (2, "y")]
    run(call, cursor, "INSERT INTO m SELECT 3, 'z'")
    assert cursor.rowcount == 1
    assert cursor.description is None


def test_a_result_is_used_again(call: Call, cursor: Any, database: str) -> None:
    text = f"SELECT 1 AS a, '{database}' AS b"
    run(call, cursor, text)
    assert not cursor.reused_previous_result
    run(call, cursor, text, result_reuse_enable=True, result_reuse_minutes=60)
    assert cursor.reused_previous_result
    assert cursor.fetchall() == [(1, database)]
    first = cursor.query_id
    run(call, cursor, text, cache_size=50)
    assert cursor.query_id == first


def test_cancelling(call: Call, connection: Any, athena: Server) -> None:
    from pyathena.async_cursor import AsyncCursor

    cursor = connection.cursor(AsyncCursor)
    athena.slow(30)
    known, future = call(cursor.execute, "SELECT 1 AS a")
    call(cursor.cancel, known).result()
    assert future.result().state == "CANCELLED"
    athena.slow(0)


def test_asynchronous(call: Call, connection: Any) -> None:
    from pyathena.async_cursor import AsyncCursor

    cursor = connection.cursor(AsyncCursor)
    _, future = call(cursor.execute, "SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1")
    assert future.result().fetchall() == [(1,), (2,)]
    known, future = call(cursor.execute, "SELECT 5 AS a")
    future.result()
    assert call(cursor.query_execution, known).result().state == "SUCCEEDED"
    assert [c[0] for c in call(cursor.description, known).result()] == ["a"]


def test_failures(call: Call, cursor: Any, database: str) -> None:
    from pyathena.error import DatabaseError, OperationalError

    with pytest.raises(OperationalError, match=f"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{database}.nope'"):
        run(call, cursor, "SELECT * FROM nope")
    with pytest.raises(OperationalError, match="SYNTAX_ERROR: line 1:8: Function 'nope' not registered"):
        run(call, cursor, "SELECT nope(1)")
    with pytest.raises(DatabaseError, match="line 1:1: mismatched input 'SELEC'"):
        run(call, cursor, "SELEC 1")
    with pytest.raises(DatabaseError, match="line 1:15: mismatched input"):
        run(call, cursor, "SELECT 1 ORDER")


# ---------------------------------------------------------------- frames and tables


def test_pandas(call: Call, connection: Any) -> None:
    from pyathena.pandas.cursor import PandasCursor

    cursor = connection.cursor(PandasCursor)
    frame = call(cursor.execute, VALUES).as_pandas()
    assert list(frame["i"]) == [1, 2, 3]
    assert frame["st"][0] == TEXT
    assert frame["de"][0] == Decimal("12.30")
    assert str(frame["ts"][0]) == "2024-02-29 23:59:59.123000"
    assert [int(v) for v in frame["bi"].dropna()] == [9007199254740993, -1]
    parts = list(call(cursor.execute, "SELECT n FROM UNNEST(sequence(1, 10)) AS t (n)", chunksize=4).iter_chunks())
    assert [len(part) for part in parts] == [4, 4, 2]
    assert call(cursor.execute, "SELECT 1 AS a WHERE 1 = 0").as_pandas().shape == (0, 1)


def test_pandas_by_unload(call: Call, connection: Any) -> None:
    from pyathena.pandas.cursor import PandasCursor

    cursor = connection.cursor(PandasCursor, unload=True)
    frame = call(cursor.execute, VALUES).as_pandas().sort_values("i", ignore_index=True)
    assert list(frame["i"]) == [1, 2, 3]
    assert frame["st"][2] == ""
    assert frame["st"][0] == TEXT
    assert cursor.substatement_type == "UNLOAD"
    assert call(cursor.execute, "SELECT 1 AS a WHERE 1 = 0").as_pandas().empty


@pytest.mark.parametrize("unload", [False, True])
def test_arrow(call: Call, connection: Any, athena: Server, monkeypatch: pytest.MonkeyPatch, unload: bool) -> None:
    from pyarrow import fs
    from pyathena.arrow.cursor import ArrowCursor

    made = fs.S3FileSystem(
        access_key="a", secret_key="b", endpoint_override=athena.url, region="us-east-1", scheme="http"
    )
    monkeypatch.setattr(fs, "S3FileSystem", lambda **_: made)  # the client has no way to name another endpoint
    cursor = connection.cursor(ArrowCursor, unload=unload)
    table = call(cursor.execute, VALUES).as_arrow().sort_by("i")
    assert table["i"].to_pylist() == [1, 2, 3]
    assert table["st"].to_pylist()[0] == TEXT
    assert Decimal(table["de"].to_pylist()[2]) == Decimal("-0.01")  # a text, from a CSV
    assert table["bo"].to_pylist() == [True, None, False]


def test_files_of_results_by_s3(call: Call, connection: Any) -> None:
    from pyathena.s3fs.cursor import S3FSCursor

    cursor = connection.cursor(S3FSCursor)
    assert call(cursor.execute, VALUES).fetchall()[0] == ROWS[0]


# ---------------------------------------------------------------- the catalog


def test_what_the_catalog_shows(call: Call, cursor: Any, database: str) -> None:
    run(
        call,
        cursor,
        f"""CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`told` (`a` int COMMENT 'first', b map<string, array<int>>)
        COMMENT 'a table' PARTITIONED BY (p string) STORED AS PARQUET LOCATION 's3://lake/{database}/told/'
        TBLPROPERTIES ('classification' = 'parquet')""",
    )
    told = call(cursor.get_table_metadata, "told")
    assert [(c.name, c.type, c.comment) for c in told.columns] == [
        ("a", "int", "first"),
        ("b", "map<string,array<int>>", None),
    ]
    assert [k.name for k in told.partition_keys] == ["p"]
    assert told.location == f"s3://lake/{database}/told/"
    assert told.comment == "a table"
    assert [t.name for t in call(cursor.list_table_metadata)] == ["told"]
    assert database in [d.name for d in call(cursor.list_databases, "AwsDataCatalog")]
    assert run(call, cursor, "SHOW TABLES").fetchall() == [("told",)]
    assert cursor.description == [("tab_name", "string", None, None, 0, 0, "UNKNOWN")]
    run(call, cursor, "SHOW COLUMNS IN told")
    assert cursor.fetchall() == [("a                   ",), ("b                   ",), ("p                   ",)]
    run(call, cursor, "ALTER TABLE told ADD PARTITION (p = 'x') LOCATION 's3://lake/elsewhere/'")
    assert run(call, cursor, "SHOW PARTITIONS told").fetchall() == [("p=x",)]
    assert run(call, cursor, "DESCRIBE told").fetchall()[0] == tuple(v.ljust(20) for v in ("a", "int", "first"))
    run(call, cursor, "DROP TABLE told")
    assert run(call, cursor, "SHOW TABLES").fetchall() == []


def test_views(call: Call, cursor: Any) -> None:
    run(call, cursor, "CREATE OR REPLACE VIEW seen AS SELECT 1 AS a, 'x' AS b")
    assert run(call, cursor, "SELECT b, a FROM seen").fetchall() == [("x", 1)]
    assert run(call, cursor, "SHOW VIEWS").fetchall() == [("seen",)]
    assert run(call, cursor, "SHOW CREATE VIEW seen").fetchall()[0][0].startswith("CREATE VIEW")
    run(call, cursor, "DROP VIEW seen")
    assert run(call, cursor, "SHOW VIEWS").fetchall() == []


def test_sqlalchemy(call: Call, athena: Server, database: str) -> None:
    from sqlalchemy import create_engine, inspect, text

    where = "s3_staging_dir=s3://results/alchemy/&poll_interval=0.05"
    engine = create_engine(f"awsathena+rest://:@athena.us-east-1.amazonaws.com:443/{database}?{where}")
    with engine.connect() as opened:
        call(opened.execute, text(f"CREATE TABLE made WITH (external_location = 's3://lake/{database}/made/') AS "
                                  "SELECT 1 AS a, CAST('x' AS varchar) AS b, DECIMAL '1.50' AS c"))  # fmt: skip
        assert call(opened.execute, text("SELECT * FROM made")).fetchall() == [(1, "x", Decimal("1.50"))]
    seen = inspect(engine)
    assert call(seen.get_table_names, schema=database) == ["made"]
    assert [c["name"] for c in call(seen.get_columns, "made", schema=database)] == ["a", "b", "c"]
    assert call(seen.has_table, "made", schema=database)
