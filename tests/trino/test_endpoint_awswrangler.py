"""The Athena of the tests, driven by awswrangler: every call gives the values that Athena would give."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from tests.athena_server import Server

# the clients' own notices (deprecations of pandas, of themselves) are not what is tested
pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore")]
Call = Callable[..., Any]

VALUES = """
SELECT * FROM (VALUES
  (1, CAST(1 AS tinyint), CAST(-2 AS smallint), BIGINT '9007199254740993', REAL '1.5', 2.25E0, DECIMAL '12.30', true,
   'naïve "quoted", line' || chr(10) || 'two', DATE '2024-02-29', TIMESTAMP '2024-02-29 23:59:59.123', X'00ff10',
   ARRAY[1, NULL, 3], MAP(ARRAY['k'], ARRAY[DECIMAL '1.10']), CAST(ROW(7, 'x') AS ROW(a integer, b varchar))),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, CAST(0 AS tinyint), CAST(0 AS smallint), BIGINT '-1', REAL '0', -1E-7, DECIMAL '-0.01', false, '',
   DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59.999', X'', CAST(ARRAY[] AS array(integer)),
   MAP(CAST(ARRAY[] AS array(varchar)), CAST(ARRAY[] AS array(decimal(3, 2)))),
   CAST(ROW(NULL, '') AS ROW(a integer, b varchar)))
) AS t (i, ti, si, bi, re, db, de, bo, st, da, ts, bn, ar, ma, ro)
"""
SCALARS = f"SELECT i, ti, si, bi, re, db, de, bo, st, da, ts FROM ({VALUES}) ORDER BY i"
TEXT = 'naïve "quoted", line\ntwo'


@pytest.fixture
def wr(athena: Server) -> Any:
    """awswrangler, asking more often than once a second."""
    import awswrangler

    awswrangler.config.athena_query_wait_polling_delay = 0.05
    return awswrangler


@pytest.fixture
def database(athena: Server) -> str:
    """A database of the test's own."""
    name = f"w{uuid.uuid4().hex[:10]}"
    athena.client("glue").create_database(DatabaseInput={"Name": name})
    return name


def check_scalars(frame: pd.DataFrame, *, empty_is_null: bool) -> None:
    assert list(frame["i"]) == [1, 2, 3]
    assert [None if pd.isna(v) else int(v) for v in frame["bi"]] == [9007199254740993, None, -1]
    assert [None if pd.isna(v) else int(v) for v in frame["ti"]] == [1, None, 0]
    assert [None if pd.isna(v) else int(v) for v in frame["si"]] == [-2, None, 0]
    assert [None if pd.isna(v) else float(v) for v in frame["re"]] == [1.5, None, 0.0]
    assert [None if pd.isna(v) else float(v) for v in frame["db"]] == [2.25, None, -1e-7]
    assert [None if pd.isna(v) else v for v in frame["de"]] == [Decimal("12.30"), None, Decimal("-0.01")]
    assert [None if pd.isna(v) else bool(v) for v in frame["bo"]] == [True, None, False]
    assert [None if pd.isna(v) else v for v in frame["st"]] == [TEXT, None, None if empty_is_null else ""]
    assert [None if pd.isna(v) else v for v in frame["da"]] == [dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)]
    assert frame["ts"][0] == pd.Timestamp("2024-02-29 23:59:59.123")
    assert pd.isna(frame["ts"][1])
    assert frame["ts"][2] == pd.Timestamp("1969-12-31 23:59:59.999")


# ---------------------------------------------------------------- read_sql_query


def test_ctas_keeps_every_value(wr: Any, call: Call, database: str, athena: Server) -> None:
    frame = call(wr.athena.read_sql_query, SCALARS, database=database, ctas_approach=True)
    check_scalars(frame, empty_is_null=False)
    assert athena.client("glue").get_tables(DatabaseName=database)["TableList"] == []
    assert frame.query_metadata["StatementType"] == "DDL"
    assert frame.query_metadata["SubstatementType"] == "CREATE_TABLE_AS_SELECT"


def test_ctas_reads_nested_values(wr: Any, call: Call, database: str) -> None:
    frame = call(wr.athena.read_sql_query, f"SELECT i, bn, ar, ma, ro FROM ({VALUES}) ORDER BY i", database=database)
    assert list(frame["bn"]) == [b"\x00\xff\x10", None, b""] or pd.isna(frame["bn"][1])
    first = frame["ar"][0]
    assert [None if pd.isna(v) else int(v) for v in first] == [1, None, 3]
    assert list(frame["ar"][2]) == []
    assert dict(frame["ma"][0]) == {"k": Decimal("1.10")}
    assert frame["ro"][0] == {"a": 7, "b": "x"}
    assert frame["ro"][2] == {"a": None, "b": ""}


def test_plain_results_lose_the_empty_string_only(wr: Any, call: Call, database: str) -> None:
    frame = call(wr.athena.read_sql_query, SCALARS, database=database, ctas_approach=False)
    check_scalars(frame, empty_is_null=True)
    assert frame.query_metadata["StatementType"] == "DML"
    assert frame.query_metadata["Statistics"]["DataScannedInBytes"] == 0


def test_plain_results_show_nested_values_as_text(wr: Any, call: Call, database: str) -> None:
    text = f"SELECT bn, CAST(ar AS json) AS ar FROM ({VALUES}) ORDER BY i"
    frame = call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    assert frame["bn"][0] == b"00 ff 10"
    assert frame["ar"][0] == "[1,null,3]"


def test_unload_keeps_every_value(wr: Any, call: Call, database: str) -> None:
    where = f"s3://lake/{database}/unloaded/"
    frame = call(
        wr.athena.read_sql_query, SCALARS, database=database, ctas_approach=False, unload_approach=True, s3_output=where
    )
    check_scalars(frame.sort_values("i", ignore_index=True), empty_is_null=False)
    assert frame.query_metadata["SubstatementType"] == "UNLOAD"


@pytest.mark.parametrize("approach", ["ctas", "plain", "unload"])
@pytest.mark.parametrize("chunks", [3, True])
def test_chunks_hold_all_rows_once(wr: Any, call: Call, database: str, approach: str, chunks: Any) -> None:
    text = "SELECT n, 'v' || CAST(n AS varchar) AS v FROM UNNEST(sequence(1, 10)) AS t (n)"
    given: dict[str, Any] = {"ctas_approach": approach == "ctas", "unload_approach": approach == "unload"}
    if approach == "unload":
        given["s3_output"] = f"s3://lake/{database}/chunks/"
    parts = list(call(wr.athena.read_sql_query, text, database=database, chunksize=chunks, **given))
    whole = pd.concat(parts)
    assert sorted(whole["n"]) == list(range(1, 11))
    assert set(whole["v"]) == {f"v{n}" for n in range(1, 11)}
    if chunks == 3:
        assert [len(part) for part in parts] == [3, 3, 3, 1]


def test_named_parameters_are_put_into_the_text(wr: Any, call: Call, database: str) -> None:
    text = "SELECT :word AS word, :number AS number, :day AS day, CAST(:nothing AS varchar) AS nothing"
    given = {"word": "it's", "number": 5, "day": dt.date(2024, 1, 2), "nothing": None}
    frame = call(wr.athena.read_sql_query, text, database=database, params=given, ctas_approach=False)
    assert frame.iloc[0]["word"] == "it's"
    assert frame.iloc[0]["number"] == 5
    assert frame.iloc[0]["day"] == dt.date(2024, 1, 2)
    assert pd.isna(frame.iloc[0]["nothing"])


@pytest.mark.parametrize("ctas", [True, False])
def test_question_marks_take_execution_parameters(wr: Any, call: Call, database: str, ctas: bool) -> None:
    text = "SELECT n FROM (VALUES (1, 'a'), (2, 'it''s')) AS t (n, s) WHERE s = ? AND n > ?"
    frame = call(
        wr.athena.read_sql_query,
        text,
        database=database,
        ctas_approach=ctas,
        params=["'it''s'", "1"],
        paramstyle="qmark",
    )
    assert list(frame["n"]) == [2]
    assert frame.query_metadata["ExecutionParameters"] == ["'it''s'", "1"]


def test_no_rows_keep_their_columns(wr: Any, call: Call, database: str) -> None:
    text = "SELECT 1 AS a, 'x' AS b, DATE '2024-01-01' AS c WHERE 1 = 0"
    for ctas in (True, False):
        frame = call(wr.athena.read_sql_query, text, database=database, ctas_approach=ctas)
        assert frame.shape == (0, 3)
        assert list(frame.columns) == ["a", "b", "c"]
    with pytest.raises(wr.exceptions.EmptyDataFrame):
        call(
            wr.athena.read_sql_query,
            text,
            database=database,
            ctas_approach=False,
            unload_approach=True,
            s3_output=f"s3://lake/{database}/none/",
        )


def test_a_thousand_columns(wr: Any, call: Call, database: str) -> None:
    text = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1000))
    frame = call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    assert frame.shape == (1, 1000)
    assert frame.iloc[0]["c999"] == 999


def test_a_named_temporary_table_and_buckets(wr: Any, call: Call, database: str, athena: Server) -> None:
    text = "SELECT n, n % 3 AS b FROM UNNEST(sequence(1, 30)) AS t (n)"
    frame = call(
        wr.athena.read_sql_query,
        text,
        database=database,
        ctas_parameters={"temp_table_name": "mine", "bucketing_info": (["b"], 3), "compression": "snappy"},
        keep_files=True,
        s3_output=f"s3://lake/{database}/kept/",
    )
    assert sorted(frame["n"]) == list(range(1, 31))
    kept = athena.client("s3").list_objects_v2(Bucket="lake", Prefix=f"{database}/kept/")["Contents"]
    assert any("/mine/" in k["Key"] for k in kept)
    assert any(k["Key"].endswith("-manifest.csv") for k in kept)


def test_files_are_removed_on_request(wr: Any, call: Call, database: str, athena: Server) -> None:
    for ctas in (True, False):
        where = f"s3://lake/{database}/gone{ctas}/"
        frame = call(
            wr.athena.read_sql_query,
            "SELECT 1 AS a",
            database=database,
            ctas_approach=ctas,
            keep_files=False,
            s3_output=where,
        )
        assert list(frame["a"]) == [1]
        assert athena.client("s3").list_objects_v2(Bucket="lake", Prefix=f"{database}/gone{ctas}/")["KeyCount"] == 0


def test_pyarrow_types(wr: Any, call: Call, database: str) -> None:
    for ctas in (True, False):
        frame = call(
            wr.athena.read_sql_query,
            "SELECT BIGINT '5' AS a, 'x' AS b, DECIMAL '1.50' AS c",
            database=database,
            ctas_approach=ctas,
            dtype_backend="pyarrow",
        )
        assert frame["a"][0] == 5
        assert frame["b"][0] == "x"
        assert Decimal(str(frame["c"][0])) == Decimal("1.50")


def test_categories_and_threads(wr: Any, call: Call, database: str) -> None:
    text = "SELECT n % 2 AS k, CAST(n % 2 AS varchar) AS s FROM UNNEST(sequence(1, 50)) AS t (n)"
    frame = call(wr.athena.read_sql_query, text, database=database, categories=["s"], ctas_approach=False)
    assert str(frame["s"].dtype) == "category"
    frame = call(wr.athena.read_sql_query, text, database=database, use_threads=True)
    assert len(frame) == 50


def test_the_cache_of_the_client(wr: Any, call: Call, database: str) -> None:
    text = f"SELECT 1 AS a, '{database}' AS b"
    for ctas in (True, False):
        own = text + (" " if ctas else "  AS_").replace("AS_", "")
        first = call(
            wr.athena.read_sql_query, f"{own} WHERE {int(ctas)} = {int(ctas)}", database=database, ctas_approach=ctas
        )
        again = call(
            wr.athena.read_sql_query,
            f"{own} WHERE {int(ctas)} = {int(ctas)}",
            database=database,
            ctas_approach=ctas,
            athena_cache_settings={"max_cache_seconds": 900},
        )
        assert again.equals(first)
        assert again.query_metadata["QueryExecutionId"] == first.query_metadata["QueryExecutionId"]


def test_results_are_used_again_when_asked(wr: Any, call: Call, database: str) -> None:
    text = f"SELECT count(*) AS n, '{database}' AS d"
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    again = call(
        wr.athena.read_sql_query, text, database=database, ctas_approach=False, result_reuse_configuration=reuse
    )
    assert list(again["n"]) == [1]
    assert again.query_metadata["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"] is True


def test_data_source_and_workgroup(wr: Any, call: Call, database: str, athena: Server) -> None:
    group = f"g{database}"
    athena.client("athena").create_work_group(
        Name=group,
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": f"s3://results/{group}/"},
        },
    )
    frame = call(
        wr.athena.read_sql_query,
        "SELECT 2 AS a",
        database=database,
        ctas_approach=False,
        workgroup=group,
        data_source="AwsDataCatalog",
        s3_output="s3://lake/elsewhere/",
    )
    assert list(frame["a"]) == [2]
    assert frame.query_metadata["ResultConfiguration"]["OutputLocation"].startswith(f"s3://results/{group}/")
    assert call(wr.athena.get_work_group, group)["WorkGroup"]["Name"] == group


# ---------------------------------------------------------------- tables


def write(wr: Any, call: Call, database: str, table: str, **more: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, 2, 3], dtype="Int64"),
            "s": pd.array(["a", None, ""], dtype="string"),
            "d": [Decimal("1.10"), None, Decimal("-2.00")],
            "t": pd.to_datetime(["2024-01-01 00:00:00.123", None, "1970-01-01 00:00:00.000"]),
            "p": ["x", "x", "y z"],
        }
    )
    path = f"s3://lake/{database}/{table}/"
    call(wr.s3.to_parquet, frame, path=path, dataset=True, database=database, table=table, **more)
    return frame


def test_a_registered_dataset_is_read(wr: Any, call: Call, database: str) -> None:
    write(wr, call, database, "t", partition_cols=["p"], dtype={"d": "decimal(5,2)"})
    for ctas in (True, False):
        frame = call(wr.athena.read_sql_table, "t", database=database, ctas_approach=ctas)
        frame = frame.sort_values("i", ignore_index=True)
        assert list(frame["i"]) == [1, 2, 3]
        assert list(frame["p"]) == ["x", "x", "y z"]
        assert frame["d"][2] == Decimal("-2.00")
        assert frame["t"][0] == pd.Timestamp("2024-01-01 00:00:00.123")
    assert call(wr.catalog.get_partitions, database=database, table="t") == {
        f"s3://lake/{database}/t/p=x/": ["x"],
        f"s3://lake/{database}/t/p=y z/": ["y z"],
    }
    back = call(wr.s3.read_parquet_table, database=database, table="t")
    assert sorted(back["i"]) == [1, 2, 3]
    types = call(wr.catalog.get_table_types, database=database, table="t")
    assert types == {"i": "bigint", "s": "string", "d": "decimal(5,2)", "t": "timestamp", "p": "string"}


@pytest.mark.parametrize(("mode", "rows"), [("append", 6), ("overwrite", 3), ("overwrite_partitions", 3)])
def test_modes_of_writing(wr: Any, call: Call, database: str, mode: str, rows: int) -> None:
    write(wr, call, database, "m", partition_cols=["p"], dtype={"d": "decimal(5,2)"})
    write(wr, call, database, "m", partition_cols=["p"], dtype={"d": "decimal(5,2)"}, mode=mode)
    frame = call(wr.athena.read_sql_query, "SELECT count(*) AS n FROM m", database=database, ctas_approach=False)
    assert frame["n"][0] == rows


def test_partition_projection(wr: Any, call: Call, database: str) -> None:
    frame = pd.DataFrame({"v": [1, 2], "y": [2023, 2024], "d": ["2024-01-01", "2024-01-02"]})
    call(
        wr.s3.to_parquet,
        frame,
        path=f"s3://lake/{database}/proj/",
        dataset=True,
        database=database,
        table="proj",
        partition_cols=["y", "d"],
        athena_partition_projection_settings={
            "projection_types": {"y": "integer", "d": "date"},
            "projection_ranges": {"y": "2020,2030", "d": "2024-01-01,2024-01-05"},
            "projection_formats": {"d": "yyyy-MM-dd"},
        },
    )
    got = call(wr.athena.read_sql_query, "SELECT v, y, d FROM proj ORDER BY v", database=database, ctas_approach=False)
    assert list(got["v"]) == [1, 2]
    assert [str(d) for d in got["d"]] == ["2024-01-01", "2024-01-02"]
    assert [int(y) for y in got["y"]] == [2023, 2024]


def test_csv_and_json_tables(wr: Any, call: Call, database: str) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x,y", 'q"u']})
    call(
        wr.s3.to_csv, frame, path=f"s3://lake/{database}/csv/", dataset=True, database=database, table="c", index=False
    )
    call(
        wr.s3.to_json,
        frame,
        path=f"s3://lake/{database}/json/",
        dataset=True,
        database=database,
        table="j",
        orient="records",
        lines=True,
        index=False,
    )
    got = call(wr.athena.read_sql_query, "SELECT * FROM j ORDER BY a", database=database, ctas_approach=False)
    assert list(got["b"]) == ["x,y", 'q"u']
    counted = call(wr.athena.read_sql_query, "SELECT count(*) AS n FROM c", database=database, ctas_approach=False)
    assert counted["n"][0] == 2


def test_describe_and_show(wr: Any, call: Call, database: str) -> None:
    write(wr, call, database, "t", partition_cols=["p"], dtype={"d": "decimal(5,2)"})
    told = call(wr.athena.describe_table, "t", database=database)
    assert list(told["Column Name"]) == ["i", "s", "d", "t", "p"]
    assert list(told["Type"]) == ["bigint", "string", "decimal(5,2)", "timestamp", "string"]
    assert list(told["Partition"]) == [False, False, False, False, True]
    shown = call(wr.athena.show_create_table, "t", database=database)
    assert shown.startswith("CREATE EXTERNAL TABLE `t`(")
    assert "PARTITIONED BY" in shown
    assert f"s3://lake/{database}/t" in shown
    made = call(wr.athena.generate_create_query, "t", database=database)
    assert "CREATE EXTERNAL TABLE `t`" in made


def test_repair_finds_partitions(wr: Any, call: Call, database: str, athena: Server) -> None:
    write(wr, call, database, "r", partition_cols=["p"], dtype={"d": "decimal(5,2)"})
    athena.client("glue").delete_partition(DatabaseName=database, TableName="r", PartitionValues=["y z"])
    text = "SELECT count(*) AS n FROM r"
    assert call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)["n"][0] == 2
    assert call(wr.athena.repair_table, "r", database=database) == "SUCCEEDED"
    assert call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)["n"][0] == 3


@pytest.mark.parametrize("form", ["PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE"])
def test_tables_from_queries(wr: Any, call: Call, database: str, form: str) -> None:
    text = "SELECT 1 AS a, 'x' AS b, 'k' AS p UNION ALL SELECT 2, 'y', 'l'"
    made = call(
        wr.athena.create_ctas_table,
        text,
        database=database,
        ctas_table=f"c_{form}",
        storage_format=form.lower(),
        partitioning_info=["p"],
        s3_output=f"s3://lake/{database}/ctas/",
        wait=True,
    )
    assert made["ctas_table"] == f"c_{form.lower()}"
    got = call(wr.athena.read_sql_query, f"SELECT * FROM c_{form} ORDER BY a", database=database, ctas_approach=False)
    assert got.values.tolist() == [[1, "x", "k"], [2, "y", "l"]]


def test_a_table_from_a_query_without_rows(wr: Any, call: Call, database: str) -> None:
    made = call(
        wr.athena.create_ctas_table,
        "SELECT 1 AS a, 'x' AS b",
        database=database,
        ctas_table="schema",
        schema_only=True,
        s3_output=f"s3://lake/{database}/only/",
    )
    call(wr.athena.wait_query, made["ctas_query_id"])
    assert call(wr.catalog.get_table_types, database=database, table="schema") == {"a": "int", "b": "varchar(1)"}


def test_unload_writes_files(wr: Any, call: Call, database: str) -> None:
    for form, read in (("PARQUET", wr.s3.read_parquet), ("ORC", wr.s3.read_orc), ("JSON", None)):
        where = f"s3://lake/{database}/u{form}/"
        call(wr.athena.unload, "SELECT 1 AS a, 'x' AS b", path=where, database=database, file_format=form)
        files = call(wr.s3.list_objects, where)
        assert len([f for f in files if not f.endswith((".csv", ".metadata"))]) == 1
        if read is not None:
            assert call(read, where, dataset=True, path_ignore_suffix=[".csv", ".metadata"]).values.tolist() == [
                [1, "x"]
            ]
    where = f"s3://lake/{database}/parts/"
    call(wr.athena.unload, "SELECT 1 AS a, 'x' AS p", path=where, database=database, partitioned_by=["p"])
    assert any("/p=x/" in file for file in call(wr.s3.list_objects, where))
    with pytest.raises(wr.exceptions.QueryFailed, match="HIVE_PATH_ALREADY_EXISTS"):
        call(wr.athena.unload, "SELECT 1 AS a, 'x' AS p", path=where, database=database)


# ---------------------------------------------------------------- executions


def test_following_a_query(wr: Any, call: Call, database: str) -> None:
    known = call(wr.athena.start_query_execution, "SELECT 1 AS a, DECIMAL '1.5' AS b", database=database)
    told = call(wr.athena.wait_query, known)
    assert told["Status"]["State"] == "SUCCEEDED"
    assert told["Status"]["SubmissionDateTime"] <= told["Status"]["CompletionDateTime"]
    assert call(wr.athena.get_query_execution, known)["Query"] == "SELECT 1 AS a, DECIMAL '1.5' AS b"
    assert call(wr.athena.get_query_columns_types, known) == {"a": "integer", "b": "decimal(2,1)"}
    assert call(wr.athena.get_query_results, known)["a"].tolist() == [1]
    waited = call(wr.athena.start_query_execution, "SELECT 1 AS a", database=database, wait=True)
    assert waited["Status"]["State"] == "SUCCEEDED"
    both = call(wr.athena.get_query_executions, [known, waited["QueryExecutionId"]])
    assert list(both["QueryExecutionId"]) == [known, waited["QueryExecutionId"]]
    found, missing = call(wr.athena.get_query_executions, [known, "nope"], return_unprocessed=True)
    assert len(found) == 1
    assert list(missing["QueryExecutionId"]) == ["nope"]
    assert call(wr.athena.list_query_executions)[:2] == [waited["QueryExecutionId"], known]


def test_stopping_a_query(wr: Any, call: Call, database: str, athena: Server) -> None:
    athena.slow(30)
    known = call(wr.athena.start_query_execution, "SELECT 1 AS a", database=database)
    call(wr.athena.stop_query_execution, known)
    with pytest.raises(wr.exceptions.QueryCancelled, match="cancelled"):
        call(wr.athena.wait_query, known)
    athena.slow(0)


def test_a_token_starts_one_query(wr: Any, call: Call, database: str) -> None:
    token = uuid.uuid4().hex + "x" * 10
    given = {"database": database, "client_request_token": token}
    first = call(wr.athena.start_query_execution, "SELECT 1 AS a", **given)
    assert call(wr.athena.start_query_execution, "SELECT 1 AS a", **given) == first


def test_failures(wr: Any, call: Call, database: str) -> None:
    said = rf"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{database}.nope' does not exist"
    with pytest.raises(wr.exceptions.QueryFailed, match=said):
        call(wr.athena.read_sql_query, "SELECT * FROM nope", database=database, ctas_approach=False)
    with pytest.raises(wr.exceptions.QueryFailed, match="COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"):
        call(wr.athena.read_sql_query, "SELECT x FROM (SELECT 1 AS a)", database=database, ctas_approach=False)
    with pytest.raises(Exception, match=r"InvalidRequestException.*line 1:1: mismatched input 'SELEC'"):
        call(wr.athena.read_sql_query, "SELEC 1", database=database, ctas_approach=False)
    with pytest.raises(wr.exceptions.QueryFailed, match="DIVISION_BY_ZERO"):
        call(wr.athena.read_sql_query, "SELECT 1 / 0 AS a", database=database, ctas_approach=False)
    with pytest.raises(Exception, match="WorkGroup nope is not found"):
        call(wr.athena.read_sql_query, "SELECT 1", database=database, ctas_approach=False, workgroup="nope")


def test_saved_statements(wr: Any, call: Call, database: str, athena: Server) -> None:
    name = f"p{database}"
    call(wr.athena.create_prepared_statement, "SELECT ? AS a, ? AS b", statement_name=name)
    assert name in [s["StatementName"] for s in call(wr.athena.list_prepared_statements)]
    frame = call(wr.athena.read_sql_query, f"EXECUTE {name} USING 5, 'x'", database=database, ctas_approach=False)
    assert frame.values.tolist() == [[5, "x"]]
    frame = call(
        wr.athena.read_sql_query,
        f"EXECUTE {name}",
        database=database,
        ctas_approach=False,
        params=["7", "'y'"],
        paramstyle="qmark",
    )
    assert frame.values.tolist() == [[7, "y"]]
    call(wr.athena.create_prepared_statement, "SELECT 1 AS z", statement_name=name, mode="update")
    frame = call(wr.athena.read_sql_query, f"EXECUTE {name}", database=database, ctas_approach=False)
    assert frame.values.tolist() == [[1]]
    call(wr.athena.delete_prepared_statement, name)
    assert name not in [s["StatementName"] for s in call(wr.athena.list_prepared_statements)]
    known = athena.client("athena").create_named_query(Name="q", Database=database, QueryString="SELECT 3 AS three")
    assert call(wr.athena.get_named_query_statement, known["NamedQueryId"]) == "SELECT 3 AS three"


def test_the_bucket_of_results(wr: Any, call: Call) -> None:
    assert call(wr.athena.create_athena_bucket) == "s3://aws-athena-query-results-123456789012-us-east-1/"


# ---------------------------------------------------------------- Iceberg


def test_iceberg_tables(wr: Any, call: Call, database: str) -> None:
    place, temp = f"s3://lake/{database}/ice/", f"s3://lake/{database}/temp/"
    given = {"database": database, "table": "ice", "table_location": place, "keep_files": False}
    frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "t": pd.to_datetime(["2024-01-01"] * 3)})
    call(wr.athena.to_iceberg, frame, temp_path=temp, partition_cols=["day(t)"], **given)
    text = "SELECT id, name FROM ice ORDER BY id"
    got = call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    assert list(got["id"]) == [1, 2, 3]
    fresh = pd.DataFrame({"id": [2, 4], "name": ["B", "d"], "t": pd.to_datetime(["2024-01-02"] * 2)})
    call(wr.athena.to_iceberg, fresh, temp_path=temp, merge_cols=["id"], **given)
    got = call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    assert list(got["id"]) == [1, 2, 3, 4]
    assert list(got["name"])[:2] == ["a", "B"]
    call(
        wr.athena.delete_from_iceberg_table,
        pd.DataFrame({"id": [1, 3]}),
        database=database,
        table="ice",
        temp_path=temp,
        merge_cols=["id"],
        keep_files=False,
    )
    got = call(wr.athena.read_sql_query, text, database=database, ctas_approach=False)
    assert list(got["id"]) == [2, 4]
    wider = pd.DataFrame(
        {"id": [5], "name": ["e"], "t": pd.to_datetime(["2024-01-03"]), "n": np.array([9], dtype="int64")}
    )
    call(wr.athena.to_iceberg, wider, temp_path=temp, schema_evolution=True, **given)
    got = call(wr.athena.read_sql_query, "SELECT id, n FROM ice ORDER BY id", database=database, ctas_approach=False)
    assert [None if pd.isna(v) else int(v) for v in got["n"]] == [None, None, 9]
