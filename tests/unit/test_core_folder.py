"""A lake in a folder: odd names, damaged files, schemas that change, partitions."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit import errors
from datalake_kit.lake import Lake, connect


def put(file: Path, **columns: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)
    return file


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    put(tmp_path / "shop" / "orders" / "a.parquet", order_id=[1, 2], Name=["x", None])
    (tmp_path / "_raw" / "files").mkdir(parents=True)
    return connect(tmp_path)


def test_an_empty_lake(tmp_path: Path) -> None:
    lake = connect(tmp_path)
    assert len(lake.tables()) == 0
    assert list(lake.tables().columns) == ["database", "table", "format", "location"]
    assert lake.sql("SELECT 1 AS one")["one"].tolist() == [1]
    with pytest.raises(errors.DatabaseNotFoundError, match="empty"):
        lake.sql("SELECT * FROM shop.orders")


def test_folders_beginning_with_underscore_are_no_databases(lake: Lake) -> None:
    assert lake.tables()["database"].tolist() == ["shop"]
    with pytest.raises(errors.DatabaseNotFoundError):
        lake.table("_raw.files")


def test_a_folder_that_is_no_table(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "shop" / "notes").mkdir()
    (tmp_path / "shop" / "notes" / "readme.txt").write_text("hello")
    assert lake.tables("shop")["table"].tolist() == ["orders"]
    with pytest.raises(errors.TableNotFoundError, match="neither a Hudi timeline"):
        lake.table("shop.notes")


def test_a_file_that_lands_between_two_queries_is_seen(lake: Lake, tmp_path: Path) -> None:
    assert lake.sql("SELECT count(*) AS n FROM shop.orders")["n"][0] == 2
    put(tmp_path / "shop" / "orders" / "b.parquet", order_id=[3], Name=["z"])
    assert lake.sql("SELECT count(*) AS n FROM shop.orders")["n"][0] == 3


@pytest.mark.parametrize(
    "name", ['my "odd" table', "semi;colon -- x", "tab'le", "Übergröße 🌞", "a.b", "star*[x]?", "a%20b"]
)
def test_odd_table_names(lake: Lake, tmp_path: Path, name: str) -> None:
    put(tmp_path / "shop" / name / "part [1]*?.parquet", value=[7])
    put(tmp_path / "shop" / "orders" / "c.parquet", order_id=[9], Name=["z"])
    quoted = '"' + name.replace('"', '""') + '"'
    assert lake.sql(f"SELECT value FROM shop.{quoted}")["value"].tolist() == [7]
    assert lake.table(f"shop.{quoted}").frame()["value"].tolist() == [7]
    assert lake.tables.shop[name].table == name
    assert name in lake.tables("shop")["table"].tolist()


def test_odd_column_names(tmp_path: Path) -> None:
    columns = ['quo"te', "sp ace", "semi;colon", "Ü", "select", "a.b", "it's"]
    put(tmp_path / "d" / "t" / "a.parquet", **{c: [i] for i, c in enumerate(columns)})
    frame = connect(tmp_path).table("d.t").frame()
    assert list(frame.columns) == [c.lower() for c in columns]
    assert frame.iloc[0].tolist() == list(range(len(columns)))


def test_columns_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "a.parquet", Id=[1], id=[2])
    with pytest.raises(errors.DataError, match="'Id' and 'id' differ only in case"):
        connect(tmp_path).table("d.t")


def test_tables_that_differ_only_in_case_are_refused(lake: Lake, tmp_path: Path) -> None:
    put(tmp_path / "shop" / "Orders" / "a.parquet", order_id=[1])
    with pytest.raises(errors.DataError, match="tell them apart"):
        lake.sql("SELECT * FROM shop.orders")


@pytest.mark.parametrize("keep", [0, 3, 11, 200, -1, -4])
def test_a_file_cut_short_is_named(lake: Lake, tmp_path: Path, keep: int) -> None:
    file = put(tmp_path / "shop" / "orders" / "b.parquet", order_id=[3], Name=["z"])
    file.write_bytes(file.read_bytes()[:keep])
    words = r"cut short .*b\.parquet" if keep > 4 or keep < 0 else r"b\.parquet"
    with pytest.raises(errors.UnreadableFileError, match=words):
        lake.sql("SELECT count(*) AS n FROM shop.orders")


def test_a_file_with_a_wrong_magic_is_named(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "shop" / "orders" / "b.parquet").write_text("<html>Access denied, and then some more text</html>")
    with pytest.raises(errors.UnreadableFileError, match=r"Not a Parquet file .*b\.parquet"):
        lake.table("shop.orders")


def test_a_file_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    file = put(tmp_path / "d" / "t" / "a.parquet", x=[f"{i:08}" for i in range(5000)])
    content = bytearray(file.read_bytes())
    content[100:400] = b"\xff" * 300
    file.write_bytes(content)
    with pytest.raises(errors.UnreadableFileError, match=r"a\.parquet"):
        connect(tmp_path).sql("SELECT sum(length(x)) AS n FROM d.t")


def test_files_of_other_schemas_are_read_as_one(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "1.parquet", a=pa.array([1], pa.int32()), b=["x"])
    put(tmp_path / "d" / "t" / "2.parquet", B=["y"], c=[2.5], a=pa.array([2**40], pa.int64()))
    put(tmp_path / "d" / "t" / "3.parquet", a=pa.array([3], pa.int8()), c=pa.array([1.5], pa.float32()))
    rows = connect(tmp_path).arrow("SELECT * FROM d.t ORDER BY a").to_pylist()
    assert rows == [
        {"a": 1, "b": "x", "c": None},
        {"a": 3, "b": None, "c": 1.5},
        {"a": 2**40, "b": "y", "c": 2.5},
    ]


def test_a_column_of_two_types_is_refused_with_both_files(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "1.parquet", a=[1])
    put(tmp_path / "d" / "t" / "2.parquet", a=["1"])
    with pytest.raises(errors.DataError, match=r"'a' is bigint in .*1\.parquet and string in .*2\.parquet"):
        connect(tmp_path).sql("SELECT * FROM d.t")


def test_a_column_that_is_null_throughout_a_file(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "1.parquet", a=pa.nulls(1))
    put(tmp_path / "d" / "t" / "2.parquet", a=["x"])
    assert connect(tmp_path).sql("SELECT count(a) AS n FROM d.t")["n"][0] == 1


def test_partition_folders_become_typed_columns(tmp_path: Path) -> None:
    for day, hour, code in (("2026-03-01", 0, "007"), ("2026-03-02", 12, "a b")):
        put(
            tmp_path / "d" / "t" / f"day={day}" / f"hour={hour}" / f"code={code.replace(' ', '%20')}" / "x.parquet",
            v=[1],
        )
    table = connect(tmp_path).table("d.t")
    assert {c.name: c.type for c in table.columns if c.is_partition} == {
        "day": "date",
        "hour": "bigint",
        "code": "string",
    }
    rows = table.arrow().to_pylist()
    assert {(r["day"], r["hour"], r["code"]) for r in rows} == {
        (dt.date(2026, 3, 1), 0, "007"),
        (dt.date(2026, 3, 2), 12, "a b"),
    }


def test_the_null_partition_is_null(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "k=1" / "x.parquet", v=[1])
    put(tmp_path / "d" / "t" / "k=__HIVE_DEFAULT_PARTITION__" / "x.parquet", v=[2])
    assert connect(tmp_path).arrow("SELECT k, v FROM d.t ORDER BY v").to_pylist() == [
        {"k": 1, "v": 1},
        {"k": None, "v": 2},
    ]


def test_partition_folders_that_differ_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "k=1" / "x.parquet", v=[1])
    put(tmp_path / "d" / "t" / "x.parquet", v=[2])
    with pytest.raises(errors.DataError, match="partition folders"):
        connect(tmp_path).table("d.t")


def test_timestamps_are_shown_in_utc_without_a_zone(tmp_path: Path) -> None:
    at = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    put(
        tmp_path / "d" / "t" / "x.parquet",
        utc=pa.array([at], pa.timestamp("ms", tz="UTC")),
        berlin=pa.array([at], pa.timestamp("us", tz="Europe/Berlin")),
        nano=pa.array([at.replace(tzinfo=None)], pa.timestamp("ns")),
    )
    table = connect(tmp_path).table("d.t")
    assert {c.type for c in table.columns} == {"timestamp"}
    assert set(table.arrow().to_pylist()[0].values()) == {dt.datetime(2026, 3, 1, 12)}


def test_nested_columns_come_back(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "x.parquet", tags=[["a", "b"], []], place=[{"Lat": 1.5, "name": "x"}, None])
    table = connect(tmp_path).table("d.t")
    assert {c.name: c.type for c in table.columns} == {
        "tags": "array<string>",
        "place": "struct<Lat:double,name:string>",
    }
    assert table.arrow().to_pylist()[0] == {"tags": ["a", "b"], "place": {"Lat": 1.5, "name": "x"}}


def test_a_missing_column_names_the_nearest(lake: Lake) -> None:
    with pytest.raises(errors.ColumnNotFoundError, match="order_id"):
        lake.sql("SELECT ordr_id FROM shop.orders")


def test_a_table_without_a_database(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(errors.TableNotFoundError, match=r"Write shop\.orders"):
        lake.sql("SELECT * FROM orders")
    inside = connect(tmp_path, database="SHOP")
    assert inside.sql("SELECT count(*) AS n FROM orders")["n"][0] == 2
    assert inside.table("orders").name == "shop.orders"
    with pytest.raises(errors.DatabaseNotFoundError, match="Did you mean shop"):
        connect(tmp_path, database="shp")


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM read_csv('/etc/hostname')", "SELECT * FROM '/etc/hostname'", "SELECT * FROM glob('/*')"],
)
def test_nothing_outside_the_lake_is_read(lake: Lake, text: str) -> None:
    for dialect in ("athena", "duckdb"):
        with pytest.raises(errors.DatalakeKitError):
            lake.sql(text, dialect=dialect)


def test_last_query_tells_what_duckdb_did(lake: Lake) -> None:
    started = time.perf_counter()
    lake.sql("SELECT order_id FROM shop.orders WHERE order_id >= :low", low=2)
    took = time.perf_counter() - started
    stats = lake.last_query
    assert stats is not None
    assert stats.bytes_scanned is not None
    assert stats.bytes_scanned > 0
    assert '"shop"."orders"' in stats.text
    assert "$low" in stats.text
    assert 0 < stats.seconds <= took
    assert "order_id" in stats._repr_html_()


def test_no_python_variable_is_read(lake: Lake) -> None:
    secret = pa.table({"a": [1]})
    assert secret.num_rows == 1
    with pytest.raises(errors.DatalakeKitError):
        lake.sql("SELECT * FROM secret", dialect="duckdb")


def test_the_native_dialect_binds_and_reads_but_does_not_write(lake: Lake) -> None:
    text = "FROM shop.orders SELECT * EXCLUDE (name) WHERE order_id = :id"
    assert lake.sql(text, dialect="duckdb", id=2)["order_id"].tolist() == [2]
    for writing in ("DROP VIEW shop.orders", "COPY shop.orders TO 'x.csv'", "ATTACH 'x.db'", "SELECT 1; SELECT 2"):
        with pytest.raises(errors.SqlError):
            lake.sql(writing, dialect="duckdb")
    with pytest.raises(errors.ParameterError, match="No dialect"):
        lake.sql("SELECT 1 AS x", dialect="mysql")


def test_create_table_as_writes_a_table_that_is_there_at_once(lake: Lake, tmp_path: Path) -> None:
    made = lake.sql(
        "CREATE TABLE shop.copy AS SELECT order_id FROM shop.orders WHERE order_id > :low", low=1, allow_write=True
    )
    assert made["rows"].tolist() == [1]
    assert lake.table("shop.copy").frame()["order_id"].tolist() == [2]
    with pytest.raises(errors.SqlError, match="exists already"):
        lake.sql("CREATE TABLE shop.copy AS SELECT 1 AS a", allow_write=True)
    assert [p.name for p in (tmp_path / "shop" / "copy").iterdir()] == ["part-00000.parquet"]


def test_a_write_that_fails_leaves_nothing(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(errors.DatalakeKitError):
        lake.sql("CREATE TABLE shop.copy AS SELECT CAST(name AS BIGINT) AS n FROM shop.orders", allow_write=True)
    assert sorted(p.name for p in (tmp_path / "shop").iterdir()) == ["orders"]


@pytest.mark.parametrize(
    "text",
    [
        'CREATE TABLE shop."../up" AS SELECT 1 AS a',
        'CREATE TABLE "..".x AS SELECT 1 AS a',
        'CREATE TABLE shop."_x" AS SELECT 1 AS a',
        "DROP TABLE shop.orders",
        "INSERT INTO shop.orders SELECT 1, 'x'",
        "CREATE TABLE shop.x WITH (format = 'ORC') AS SELECT 1 AS a",
    ],
)
def test_writing_otherwise_is_refused(lake: Lake, tmp_path: Path, text: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(errors.DatalakeKitError):
        lake.sql(text, allow_write=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_several_threads_share_a_lake(lake: Lake, tmp_path: Path) -> None:
    put(tmp_path / "shop" / "other" / "a.parquet", v=list(range(1000)))
    found: list[int] = []

    def ask(table: str) -> None:
        for _ in range(20):
            found.append(int(lake.sql(f"SELECT count(*) AS n FROM shop.{table}")["n"][0]))

    threads = [threading.Thread(target=ask, args=(t,)) for t in ("orders", "other", "orders", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [2] * 40 + [1000] * 40


def test_what_shows_only_in_the_values_is_refused_as_untranslatable(lake: Lake) -> None:
    text = "SELECT json_format(json_parse(x)) AS j FROM (VALUES :json) AS t(x)"
    assert lake.sql(text, json='{"a":1}')["j"].tolist() == ['{"a":1}']
    with pytest.raises(errors.UnsupportedSqlError, match="json_format of a number with a fraction"):
        lake.sql(text, json='{"a":1.50}')


def test_json_of_which_it_is_not_known_whether_athena_sorted_it_must_be_in_order(lake: Lake) -> None:
    """What json_extract takes of a text keeps its order in Athena, also as an item of an array."""
    items = "FROM (VALUES :json) AS t(x) CROSS JOIN UNNEST(CAST(json_extract(x, '$') AS ARRAY(JSON))) AS u(e)"
    plain, parsed = (
        f"SELECT json_format(e) AS j {items}",
        f"SELECT json_format(json_parse(json_format(e))) AS j {items}",
    )
    assert lake.sql(plain, json='[{"a":1,"b":2},"x"]')["j"].tolist() == ['{"a":1,"b":2}', '"x"']
    with pytest.raises(errors.UnsupportedSqlError, match="keys are not in order"):
        lake.sql(plain, json='[{"b":1,"a":2}]')
    assert lake.sql(parsed, json='[{"b":1,"a":2}]')["j"].tolist() == ['{"a":2,"b":1}']


def test_a_closed_lake_says_so(lake: Lake) -> None:
    with lake:
        pass
    with pytest.raises(errors.EngineError, match="closed"):
        lake.sql("SELECT 1 AS x")


# --- what a new user met


@pytest.mark.parametrize(
    "text",
    [
        "SELECT row_number() OVER (PARTITION BY order_id / 2 ORDER BY split_part(name, '-', 1)) AS n FROM shop.orders",
        "SELECT order_id, rank() OVER (ORDER BY json_extract_scalar('{\"a\": 1}', '$.a')) AS n FROM shop.orders",
        "SELECT order_id, sum(order_id / 2) OVER w AS n FROM shop.orders WINDOW w AS (ORDER BY CAST('5' AS BIGINT))",
    ],
)
def test_windows_over_translated_expressions(lake: Lake, text: str) -> None:
    assert len(lake.sql(text)) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e0+2", 3.0), ("1E0-2", -1.0), ("0.1e0+0.2e0", 0.1 + 0.2), ("1e-1", 0.1), ("2e+1-1e0", 19.0)],
)
def test_a_sign_after_an_exponent(lake: Lake, text: str, value: float) -> None:
    assert lake.sql(f"SELECT {text} AS x")["x"].tolist() == [value]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("ord*", ["orders"]), ("*", ["orders"]), ("x*|*ers", ["orders"]), ("ORDERS", ["orders"]), ("ord", [])],
)
def test_show_takes_athenas_patterns(lake: Lake, pattern: str, found: list[str]) -> None:
    assert lake.sql(f"SHOW TABLES IN shop '{pattern}'")["tab_name"].tolist() == found
    with pytest.raises(errors.UnsupportedSqlError, match=r"\* for any"):
        lake.sql("SHOW TABLES IN shop 'ord%'")


@pytest.mark.parametrize("ids", [np.array([1, 9]), pd.Series([1, 9]), pd.Index([1, 9]), range(1, 2), pa.array([1])])
def test_arrays_are_lists(lake: Lake, ids: object) -> None:
    assert lake.sql("SELECT order_id FROM shop.orders WHERE order_id IN (:ids)", ids=ids)["order_id"].tolist() == [1]


def test_a_column_missing_in_group_by_is_no_missing_column(lake: Lake) -> None:
    with pytest.raises(errors.SqlError, match="Add it to GROUP BY"):
        lake.sql("SELECT name, order_id FROM shop.orders GROUP BY name")


def test_a_parameter_is_no_table(lake: Lake) -> None:
    with pytest.raises(errors.ParameterError, match=r":t stands for a value.*lake\.query"):
        lake.sql("SELECT * FROM :t", t="shop.orders")


@pytest.mark.parametrize("select", ["1 AS a, 2 AS A", "1"])
def test_a_new_table_needs_names(lake: Lake, tmp_path: Path, select: str) -> None:
    with pytest.raises(errors.SqlError, match="name of its own"):
        lake.sql(f"CREATE TABLE shop.made AS SELECT {select}", allow_write=True)
    assert not (tmp_path / "shop" / "made").exists()


def test_broken_json_says_how_to_leave_it_out(tmp_path: Path) -> None:
    put(tmp_path / "d" / "t" / "a.parquet", j=['{"a": {"b": 1}}', '{"a": {"b"'])
    lake = connect(tmp_path)
    with pytest.raises(errors.UnsupportedSqlError, match="WHERE try"):
        lake.sql("SELECT json_extract_scalar(j, '$.a.b') AS b FROM d.t")
    text = "SELECT json_extract_scalar(j, '$.a.b') AS b FROM d.t WHERE try(json_parse(j)) IS NOT NULL"
    assert lake.sql(text)["b"].tolist() == ["1"]
