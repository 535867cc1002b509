"""Rows by way of UNLOAD: the rule, the three ways held equal, the order, and that nothing is left behind."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit import errors
from datalake_kit.engines.athena.restored import stored, unloaded
from datalake_kit.engines.athena.types import parse_type
from datalake_kit.engines.athena.unload import _in_order
from datalake_kit.engines.athena.ways import shape_of
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

# --- the rule


@pytest.mark.parametrize(
    ("text", "query", "small"),
    [
        ("SELECT * FROM t", True, False), ("SELECT * FROM t LIMIT 10000", True, True), ("SELECT 1 AS x", True, True),
        ("SELECT * FROM t LIMIT 10001", True, False), ("SELECT * FROM t LIMIT ALL", True, False),
        ("SELECT * FROM t FETCH FIRST 5 ROWS ONLY", True, True), ("VALUES 1, 2", True, True),
        ("SELECT count(*) AS n, 2 * sum(x) AS s FROM t", True, True),
        ("SELECT count(*) FROM t GROUP BY x", True, False),
        ("SELECT array_agg(x) FROM t", True, False), ("SELECT sum(x) OVER () FROM t", True, False),
        ("SELECT x FROM t UNION ALL SELECT 1", True, False), ("WITH a AS (SELECT 1 AS x) SELECT * FROM a", True, False),
        ("(SELECT * FROM t)", True, False), ("SHOW TABLES IN taxi", False, True), ("DESCRIBE taxi.t", False, True),
        ("EXPLAIN SELECT * FROM t", False, True), ("SELECT * FROM t WHERE", False, True),
    ],
)  # fmt: skip
def test_the_text_tells_the_way(text: str, query: bool, small: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        shape = shape_of(text)
    assert (shape.is_query, shape.is_small) == (query, small)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("SELECT a, b FROM t ORDER BY 2 DESC, A", "c1 DESC NULLS LAST, c0 ASC NULLS LAST"),
        ("SELECT t.a, b FROM t ORDER BY t.a NULLS FIRST", "c0 ASC NULLS FIRST"),
        ("SELECT a, lower(x) AS b FROM t ORDER BY lower(x)", "c1 ASC NULLS LAST"),
        ("SELECT a, b FROM t UNION SELECT 1, 2 ORDER BY b", "c1 ASC NULLS LAST"),
        ("SELECT a, b FROM t", ""),
    ],
)
def test_an_order_is_one_of_columns_of_the_result(text: str, order: str) -> None:
    assert shape_of(text).order_by(["a", "b"]) == order


@pytest.mark.parametrize("key", ["c", "lower(a)", "3", "t.z"])
def test_another_order_is_refused_with_the_way_out(key: str) -> None:
    with pytest.raises(errors.UnsupportedSqlError, match="Select it as a column"):
        shape_of(f"SELECT a, b FROM t ORDER BY {key}").order_by(["a", "b"])


def test_what_unload_does_not_take_is_written_another_way() -> None:
    since = "date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00.000', c)"
    assert unloaded("c", parse_type("timestamp(3)")) == since
    assert unloaded("c", parse_type("timestamp(6)")) == "CAST(c AS varchar)"
    zoned = parse_type("map(varchar, array(timestamp(6) with time zone))")
    inner = "transform(v0, x1 -> CAST(at_timezone(x1, 'UTC') AS varchar))"
    assert unloaded("c", zoned) == f"transform_values(c, (k0, v0) -> {inner})"
    row = parse_type('row("A" bigint, varchar(3), json)')
    assert stored(row) == "row(f0 bigint, f1 varchar(3), f2 varchar)"
    assert unloaded("c", row) == f"IF(c IS NULL, NULL, CAST(ROW(c[1], c[2], json_format(c[3])) AS {stored(row)}))"


def test_rows_of_files_in_any_order_are_put_in_theirs() -> None:
    schema = pa.schema([("same", pa.int64()), ("same", pa.list_(pa.string()))])
    numbered = pa.schema([*schema, ("dk_row_number", pa.int64())])
    batches = [
        pa.RecordBatch.from_arrays([pa.array(n), pa.array([[str(i)] for i in n]), pa.array(n)], schema=numbered)
        for n in ([3, 5], [4, 1], [2])
    ]
    found = pa.Table.from_batches(list(_in_order(iter(batches), schema)), schema)
    assert found.column(0).to_pylist() == [1, 2, 3, 4, 5]
    assert found.column(1).to_pylist() == [["1"], ["2"], ["3"], ["4"], ["5"]]
    assert list(_in_order(iter([]), schema)) == []


# --- through the endpoint


@pytest.fixture
def place() -> str:
    """A folder of results of a test's own."""
    return f"unload-{uuid.uuid4()}/"


@pytest.fixture
def lake(athena: Server, place: str) -> Iterator[Lake]:
    """A lake on the Athena of the tests."""
    with connect(f"athena://primary?region=us-east-1&output_location=s3://results/{place}") as opened:
        yield opened


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The local engine."""
    return connect(tmp_path_factory.mktemp("empty"))


def left(server: Server, place: str) -> list[str]:
    """What is left of results."""
    return [o["Key"] for o in server.client("s3").list_objects_v2(Bucket="results", Prefix=place).get("Contents", [])]


def unloads(server: Server) -> list[str]:
    """The statements that were unloaded."""
    return [
        content for operation, content in server.requests if operation == "StartQueryExecution" and "UNLOAD" in content
    ]


ZONED = "timestamp '2026-10-25 02:30:00.123456 Europe/Berlin'"
FLAT = {
    "i": "123", "tiny": "tinyint '-3'", "big": "9223372036854775807", "o": "true", "d": "CAST(-1.50 AS decimal(10,2))",
    "dd": "CAST('12345678901234567890123456789.000000001' AS decimal(38,9))", "r": "REAL '1.5'", "inf": "-infinity()",
    "day": "DATE '0001-01-01'", "p": "timestamp '2026-03-29 01:30:00.123456'",
    "old": "timestamp '0001-01-01 00:00:00.5'", "ms": "timestamp '2026-03-29 01:30:00.123'",
    "z": "timestamp '2026-03-29 01:30:00.123456 Europe/Berlin'", "t": "time '01:02:03.5'", "e": "''",
    "s": "'a,\"\n ÄÖ 雪 🌞'", "b": "X'00ff'", "bb": "X''", "j": "json '{\"a\": [1, null]}'", "n": "NULL",
    "u": "uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59'", "iv": "interval '3' day", "v": "CAST(NULL AS varchar)",
}  # fmt: skip
NESTED = {
    "a": "ARRAY['x', NULL, '']", "none": "ARRAY[]", "z": f"ARRAY[{ZONED}, NULL]", "m": "MAP(ARRAY['k'], ARRAY[NULL])",
    "row": "CAST(ROW(1, NULL) AS ROW(\"Odd name\" bigint, x varchar))", "anonymous": "ROW(1, 'a')",
    "times": "MAP(ARRAY[1], ARRAY[time '01:02:03.5'])", "gone": "CAST(NULL AS ROW(a bigint))", "empty": "MAP()",
    "deep": "ARRAY[ROW(1, ARRAY[ROW(timestamp '2026-03-29 01:30:00.000001', X'00')])]",
    "parts": "ARRAY[CAST(NULL AS ROW(a bigint)), CAST(ROW(NULL) AS ROW(a bigint))]",
    "lost": "CAST(NULL AS array(date))",
}  # fmt: skip


AS_THEY_ARE = ("n", "none", "m", "empty", "anonymous", "deep")  # within IF the local engine gives NULL a type


def statement(columns: dict[str, str], more: str = "") -> str:
    """Rows whose columns hold a value in the first, and most of them NULL in the second and third."""
    given = {name: value if name in AS_THEY_ARE else f"IF(id = 1, {value})" for name, value in columns.items()}
    cells = [f"{value} AS {name}" for name, value in given.items()]
    return f"SELECT id, {', '.join(cells)} FROM (VALUES 1, 2, 3) AS t (id){more}"


@pytest.mark.external
@pytest.mark.parametrize("more", ["", " WHERE id > 5", " ORDER BY id DESC"])
def test_every_type_is_the_same_by_each_way(lake: Lake, local: Lake, athena: Server, place: str, more: str) -> None:
    text = statement(FLAT, more)
    expected = local.arrow(text)
    ordinary, unloaded_ = lake.arrow(text, unload=False), lake.arrow(text, unload=True)
    assert ordinary.schema == expected.schema == unloaded_.schema
    assert ordinary.to_pylist() == expected.to_pylist()
    assert unloaded_.to_pylist() == expected.to_pylist() if "ORDER" in more else True
    assert sorted(map(str, unloaded_.to_pylist())) == sorted(map(str, expected.to_pylist()))
    assert left(athena, place) == []


@pytest.mark.external
@pytest.mark.parametrize("more", [" WHERE id > 5", " ORDER BY id DESC", " ORDER BY id LIMIT 2"])
def test_nested_types_are_the_same_as_on_the_local_engine(
    lake: Lake, local: Lake, athena: Server, place: str, more: str
) -> None:
    text = statement(NESTED, more)
    expected, found = local.arrow(text), lake.arrow(text)
    assert found.schema == expected.schema
    assert found.to_pylist() == expected.to_pylist()
    found.validate(full=True)
    assert len(unloads(athena)) == 1
    assert left(athena, place) == []
    with pytest.raises(errors.UnsupportedSqlError, match="nested values"):
        lake.arrow(text, unload=False)
    assert left(athena, place) == []


@pytest.mark.external
def test_the_rule_is_kept(lake: Lake, athena: Server, place: str) -> None:
    many = "SELECT n FROM UNNEST(sequence(1, 2500)) AS s (n)"
    cases: list[tuple[str, dict[str, Any], int]] = [
        (many, {}, 1), (many, {"unload": False}, 0), (f"{many} ORDER BY n", {}, 0), (f"{many} LIMIT 2500", {}, 0),
        (many, {"max_age": 5}, 0), (f"{many} ORDER BY n", {"unload": True}, 1), (f"{many} -- a comment", {}, 1),
    ]  # fmt: skip
    for text, options, number in cases:
        athena.faults.clear()
        found = lake.arrow(text, **options).column("n").to_pylist()
        assert sorted(found) == list(range(1, 2501))
        if "ORDER" in text:
            assert found == list(range(1, 2501))
        assert len([t for t in unloads(athena) if place in t]) == number, (text, options)


@pytest.mark.external
def test_names_that_unload_does_not_take_come_back(lake: Lake, athena: Server) -> None:
    table = lake.arrow("SELECT 1, 'x', 2 AS same, 3 AS Same, 4 AS same", unload=True)
    assert table.schema.names == ["_col0", "_col1", "same", "Same", "same"]
    assert [c[0].as_py() for c in table.columns] == [1, "x", 2, 3, 4]


@pytest.mark.external
def test_an_hour_that_comes_twice_is_exact_by_unload_and_refused_as_text(lake: Lake, athena: Server) -> None:
    first, second = (dt.datetime(2026, 10, 25, hour, 30, 0, 123456, dt.UTC) for hour in (0, 1))
    values = ", ".join(f"timestamp '{m:%Y-%m-%d %H:%M:%S.%f} UTC'" for m in (first, second))
    text = f"SELECT at_timezone(x, 'Europe/Berlin') AS z FROM (VALUES {values}) AS t (x)"
    assert sorted(lake.arrow(text, unload=True).column("z").to_pylist()) == [first, second]
    with pytest.raises(errors.DataError, match="twice"):
        lake.arrow(text, unload=False)


@pytest.mark.external
def test_nothing_is_left_after_an_error_or_when_rows_are_dropped(lake: Lake, athena: Server, place: str) -> None:
    many = "SELECT n, ARRAY[n] AS a FROM UNNEST(sequence(1, 9000)) AS s (n)"
    reader = lake.batches(many)
    assert left(athena, place) != []
    del reader
    assert left(athena, place) == []
    reader = lake.batches(many)
    reader.read_next_batch()
    del reader
    assert left(athena, place) == []
    with pytest.raises(errors.EngineError, match="Division by zero"):
        lake.arrow("SELECT n, 1 / (n - 9000) AS a FROM UNNEST(sequence(1, 9000)) AS s (n)")
    assert left(athena, place) == []
    athena.faults.add("s3:GET", contains=place, cut_after=0, times=100)
    with pytest.raises(errors.UnreadableFileError, match="broke off"):
        lake.arrow(many)
    athena.faults.clear()
    assert left(athena, place) == []


@pytest.mark.external
def test_an_error_is_that_of_the_statement_as_it_is_written(lake: Lake, athena: Server) -> None:
    with pytest.raises(errors.SqlError, match=r"line 2:8.*nonsense") as caught:
        lake.sql("SELECT n,\n       nonsense(n) AS x\nFROM UNNEST(sequence(1, 3)) AS s (n)")
    assert "WHERE false" not in str(caught.value)


TEXTS = st.none() | st.sampled_from(["", "a", 'q"', "NULL", "x\ny", "é"])
ROWS = st.lists(
    st.tuples(TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1), st.lists(TEXTS, max_size=3)), min_size=1, max_size=6
)


def literal(text: str | None) -> str:
    """A text as SQL."""
    return "CAST(NULL AS varchar)" if text is None else "CAST('" + text.replace("'", "''") + "' AS varchar)"


@pytest.mark.external
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_random_rows_are_the_same_by_each_way(
    rows: list[tuple[str | None, int | None, list[str | None]]], lake: Lake, athena: Server
) -> None:
    values = ", ".join(
        f"({i}, {literal(t)}, {'CAST(NULL AS bigint)' if n is None else f'CAST({str(n)!r} AS bigint)'}, "
        f"CAST(ARRAY[{', '.join(map(literal, a))}] AS array(varchar)))"
        for i, (t, n, a) in enumerate(rows)
    )
    text = f"SELECT * FROM (VALUES {values}) AS t (i, t, n, a) ORDER BY i"
    found = lake.arrow(text)
    assert [tuple(r.values()) for r in found.to_pylist()] == [(i, *row) for i, row in enumerate(rows)]
    assert found.schema.field("a").type == pa.list_(pa.string())
    flat = text.replace("SELECT *", "SELECT i, t, n")
    assert lake.arrow(flat, unload=False).equals(found.drop_columns(["a"]))
