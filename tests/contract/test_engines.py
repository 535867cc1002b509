"""What every engine must answer. A new engine is done when this suite passes on it."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit import errors
from datalake_kit.lake import Lake
from datalake_kit.latest import latest_records


def one(lake: Lake, text: str, **values: object) -> object:
    """The single value that a statement gives, as Python's own type."""
    table = lake.arrow(text, params=values)
    assert table.shape == (1, 1), table
    return table.column(0)[0].as_py()


# --- rows and types


@pytest.mark.parametrize(
    ("order_by", "deleted", "expected"),
    [
        ("placed_at", None, [1, 2]), ("weight", None, [1, 4]), ("CUSTOMER", None, [1, 4]),
        (["due", "weight"], None, [1, 4]),
        ("placed_at", {"paid": False}, [1]), ("placed_at", {"paid": [True, False]}, []),
        ("pieces", {"Customer": "x"}, [1, 4]),
    ],
)  # fmt: skip
def test_the_newest_of_each_record_is_chosen_by_the_engine(
    lake: Lake, order_by: str | list[str], deleted: dict[str, object] | None, expected: list[int]
) -> None:
    table = lake.table("shop.orders")
    found = latest_records(table, keys="day", order_by=order_by, deleted=deleted)
    assert found["order_id"].tolist() == expected
    assert list(found) == [column.name for column in table.columns]
    with pytest.raises(errors.DataError, match="1 rows have NULL"):
        latest_records(table, keys="paid", order_by="due")


def test_rows_keep_their_values_and_types(lake: Lake) -> None:
    rows = lake.arrow("SELECT * FROM shop.orders ORDER BY order_id").to_pylist()
    assert [r["order_id"] for r in rows] == [1, 2, 3, 4]
    assert [r["customer"] for r in rows] == ["Ada", "", None, "O'Neil; -- :x"]  # '' is not NULL
    assert [r["amount"] for r in rows] == [Decimal("10.50"), Decimal("-0.01"), None, Decimal("99999999.99")]
    assert [r["paid"] for r in rows] == [True, False, None, True]
    assert rows[0]["placed_at"] == dt.datetime(2026, 3, 1, 9, 0, 0, 1)
    assert [r["due"] for r in rows] == [dt.date(2026, 3, 1), dt.date(1970, 1, 1), None, dt.date(9999, 12, 31)]
    assert [r["pieces"] for r in rows] == [2**62, -7, None, 0]


def test_frame_keeps_whole_numbers_beside_nulls(lake: Lake) -> None:
    frame = lake.sql("SELECT pieces, order_id FROM shop.orders ORDER BY order_id")
    assert frame["pieces"].dtype == "Int64"
    assert frame["pieces"][0] == 2**62  # a float would have rounded it
    assert frame["order_id"].dtype == "int64"


def test_empty_result_keeps_columns_and_types(lake: Lake) -> None:
    table = lake.arrow("SELECT order_id, customer, amount, due FROM shop.orders WHERE order_id < 0")
    assert table.num_rows == 0
    assert table.schema.names == ["order_id", "customer", "amount", "due"]
    assert table.schema.field("order_id").type == pa.int64()
    assert table.schema.field("amount").type == pa.decimal128(10, 2)
    assert list(lake.sql("SELECT order_id FROM shop.orders WHERE FALSE").columns) == ["order_id"]


def test_names_are_found_in_any_case_and_shown_as_the_catalog_or_the_statement_has_them(lake: Lake) -> None:
    assert list(lake.sql("SELECT * FROM SHOP.Customers").columns) == ["name", "since"]
    assert list(lake.sql("SELECT Name, since AS Year FROM shop.customers").columns) == ["Name", "Year"]


def test_nulls_come_last(lake: Lake) -> None:
    values = lake.arrow("SELECT pieces FROM shop.orders ORDER BY pieces").column(0).to_pylist()
    assert values == [-7, 0, 2**62, None]


def test_whole_numbers_divide_to_whole_numbers(lake: Lake) -> None:
    assert one(lake, "SELECT 7 / 2 AS x") == 3
    assert one(lake, "SELECT -7 / 2 AS x") == -3


def test_partition_column_filters(lake: Lake) -> None:
    days = lake.sql("SELECT day, count(*) AS n FROM shop.orders GROUP BY day ORDER BY day")
    assert [str(d) for d in days["day"]] == ["2026-03-01", "2026-03-02"]
    assert days["n"].tolist() == [1, 3]


def test_batches_are_the_same_rows_as_arrow(lake: Lake) -> None:
    text = "SELECT order_id, customer FROM shop.orders ORDER BY order_id"
    reader = lake.batches(text)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.read_all().to_pylist() == lake.arrow(text).to_pylist()


# --- values


@pytest.mark.parametrize(
    "value",
    [
        0, -1, 2**31, -(2**63), 2**63 - 1, True, False, "", "it's", "a\n:b -- c /* d */ ; e", "ÄÖ 雪 🌞",
        dt.date(2026, 3, 29), dt.datetime(2026, 3, 29, 1, 30, 0, 5), 0.1, -1e300, Decimal("12.50"), b"\x00\xff",
    ],
)  # fmt: skip
def test_value_comes_back_as_it_was_bound(lake: Lake, value: object) -> None:
    assert one(lake, "SELECT :value AS v", value=value) == value


def test_null_and_odd_floats_are_bound(lake: Lake) -> None:
    assert one(lake, "SELECT :value AS v", value=None) is None
    assert math.isnan(float(str(one(lake, "SELECT :value AS v", value=math.nan))))
    assert one(lake, "SELECT :value AS v", value=-math.inf) == -math.inf


@pytest.mark.parametrize("missing", [pd.NaT, pd.NA])
def test_missing_values_of_pandas_are_null(lake: Lake, missing: object) -> None:
    assert one(lake, "SELECT :value IS NULL AS v", value=missing) is True


def test_aware_time_arrives_as_the_right_instant(lake: Lake) -> None:
    berlin_noon = dt.datetime(2026, 3, 1, 10, 0, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    found = lake.sql("SELECT order_id FROM shop.orders WHERE placed_at = :at", at=berlin_noon)
    assert found["order_id"].tolist() == [1]
    stamp = pd.Timestamp("2026-03-01T04:00:00.000001", tz="America/New_York")
    assert lake.sql("SELECT order_id FROM shop.orders WHERE placed_at = :at", at=stamp)["order_id"].tolist() == [1]


def test_list_is_bound_for_in(lake: Lake) -> None:
    text = "SELECT order_id FROM shop.orders WHERE order_id IN (:ids) ORDER BY order_id"
    assert lake.sql(text, ids=[4, 1, 7])["order_id"].tolist() == [1, 4]
    with pytest.raises(errors.ParameterError, match="empty list"):
        lake.sql(text, ids=[])


def test_placeholders_in_strings_and_comments_are_left_alone(lake: Lake) -> None:
    text = "SELECT ':a' AS s, :a AS v -- :nothing\n/* :nothing */"
    assert lake.arrow(text, a=1).to_pylist() == [{"s": ":a", "v": 1}]


def test_a_name_that_is_an_option_of_the_call_goes_into_params(lake: Lake) -> None:
    assert one(lake, "SELECT :dialect AS v", dialect="x") == "x"
    assert lake.sql("SELECT :text AS v", text="x")["v"].tolist() == ["x"]
    with pytest.raises(errors.ParameterError, match="twice, in params and by name: a"):
        lake.sql("SELECT :a AS v", params={"a": 1}, a=2)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_any_text_is_a_value_and_never_sql(lake: Lake, text: str) -> None:
    assert one(lake, "SELECT :t AS v", t=text) == text
    found = lake.arrow("SELECT count(*) AS n FROM shop.orders WHERE customer = :t", t=text).to_pylist()
    expected = sum(text == c for c in ["Ada", "", "O'Neil; -- :x"])
    assert found == [{"n": expected}]


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("SELECT :a AS x", {}, "No value for :a"),
        ("SELECT 1 AS x", {"a": 1}, "does not use a"),
        ("SELECT :start AS x", {"strat": 1, "start": 1}, "Did you mean start"),
        ("SELECT :a AS x", {"a": object()}, "type object"),
        ("SELECT :a AS x", {"a": "nul\0"}, "NUL"),
        ("SELECT :a AS x", {"a": "\ud83d"}, "surrogate"),
    ],
)
def test_wrong_parameters_are_named(lake: Lake, text: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(errors.ParameterError, match=message):
        lake.sql(text, params=values)


# --- what is refused


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE shop.orders",
        "DELETE FROM shop.orders",
        "INSERT INTO shop.customers VALUES ('x', 1)",
        "CREATE TABLE shop.copy AS SELECT * FROM shop.orders",
        "WITH a AS (SELECT 1 AS x) INSERT INTO shop.customers SELECT 'x', x FROM a",
        "EXPLAIN ANALYZE SELECT 1",
        "UNLOAD (SELECT 1 AS x) TO 's3://somewhere/' WITH (format = 'PARQUET')",
        "SELECT 1 AS x; DROP TABLE shop.orders",
        "SELECT 1 AS x; SELECT 2 AS x",
        "/* SELECT */ UPDATE shop.orders SET order_id = 1",
    ],
)
def test_writing_is_refused(lake: Lake, text: str) -> None:
    with pytest.raises((errors.WriteRefusedError, errors.SqlError)):
        lake.sql(text)
    assert one(lake, "SELECT count(*) AS n FROM shop.orders") == 4


@pytest.mark.parametrize("text", ["", "   ", "-- only a comment", "selec 1", "SELECT 'open"])
def test_what_is_no_statement_is_an_sql_error(lake: Lake, text: str) -> None:
    with pytest.raises(errors.SqlError):
        lake.sql(text)


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("SELECT * FROM shop.ordres", errors.TableNotFoundError, "orders"),
        ("SELECT * FROM shp.orders", errors.DatabaseNotFoundError, "shop"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(lake: Lake, text: str, error: type[Exception], hint: str) -> None:
    with pytest.raises(error, match=hint):
        lake.sql(text)


# --- catalog


def test_tables_are_listed_and_opened(lake: Lake) -> None:
    listed = lake.tables()
    assert list(listed.columns) == ["database", "table", "format", "location"]
    assert {("shop", "orders"), ("shop", "customers")} <= set(zip(listed["database"], listed["table"], strict=True))
    assert "shop" in dir(lake.tables)
    assert "orders" in dir(lake.tables.shop)
    table = lake.tables.shop.orders
    assert (table.name, table.format) == ("shop.orders", "parquet")
    types = {c.name: c.type for c in table.columns}
    assert types["order_id"] == "bigint"
    assert types["amount"] == "decimal(10,2)"
    assert types["customer"] == "string"
    assert types["placed_at"] == "timestamp"
    assert table.partition_columns == ("day",)
    assert table.arrow(["Order_ID"]).num_rows == 4


@pytest.mark.parametrize("name", ["orders.x.y", "", "shop.", "shop.nothing", "nothing.orders"])
def test_a_table_that_is_not_there(lake: Lake, name: str) -> None:
    with pytest.raises((errors.NotFoundError, errors.ParameterError)):
        lake.table(name)


def test_a_column_that_is_not_there(lake: Lake) -> None:
    with pytest.raises(errors.ColumnNotFoundError, match="order_id"):
        lake.table("shop.orders").arrow(["order_idd"])


def test_show_and_describe(lake: Lake) -> None:
    assert {"orders", "customers"} <= set(lake.sql("SHOW TABLES IN shop").iloc[:, 0].str.strip())
    described = lake.sql("DESCRIBE shop.customers")
    assert "since" in " ".join(described.iloc[:, 0].astype(str))


# --- statistics


def test_last_query_tells_what_was_done(lake: Lake) -> None:
    lake.sql("SELECT order_id FROM shop.orders WHERE order_id > :low", low=2)
    stats = lake.last_query
    assert stats is not None
    assert stats.engine == lake.engine_name
    assert stats.rows == 2
    assert stats.seconds > 0
    assert stats.query_id
    assert "order_id" in stats.text
    assert stats.bytes_scanned is not None
    assert stats.bytes_scanned >= 0
