"""The ordinary result: pages, the CSV object on S3, what goes wrong while it is read, and what is left behind."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import errors
from datalake_kit.engines.athena import results
from datalake_kit.engines.athena.types import arrow_type, parse_type
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

ADDRESS = "athena://primary?region=us-east-1&output_location=s3://results/"
MANY = "SELECT n, concat('row ', CAST(n AS varchar)) AS t FROM UNNEST(sequence(1, 3000)) AS s (n) ORDER BY n"


# --- the CSV alone


class OneObject:
    """The S3 client of one object, which gives its bytes in blocks of any size."""

    def __init__(self, content: bytes, block: int) -> None:
        self.content, self.block = content, block
        self.s3: Any = self

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"ContentLength": len(self.content), "ETag": "1", "Body": Blocks(self.content, self.block)}


class Blocks(io.BytesIO):
    """Bytes that come in small blocks, whatever is asked for."""

    def __init__(self, content: bytes, block: int) -> None:
        super().__init__(content)
        self.block = block

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.block)


def written(names: list[str], rows: list[list[str | None]]) -> bytes:
    """A result as Athena writes it."""
    lines: list[list[str | None]] = [[*names], *rows]
    quoted = [["" if v is None else '"' + v.replace('"', '""') + '"' for v in row] for row in lines]
    return "".join(",".join(row) + "\n" for row in quoted).encode()


def read(content: bytes, block: int, *kinds: str) -> list[list[Any]]:
    """The columns of a CSV object."""
    parsed = [parse_type(kind) for kind in kinds]
    schema = pa.schema([pa.field("c", arrow_type(kind)) for kind in parsed])
    runner: Any = OneObject(content, block)
    batches = list(results._from_csv(runner, "s3://results/1.csv", "1", parsed, schema))
    return [list(column.to_pylist()) for column in pa.Table.from_batches(batches, schema).columns]


TEXT = st.none() | st.text(st.sampled_from('a",\n\r\\é🌞 ') | st.characters(codec="utf-8"), max_size=6)


@settings(deadline=None)
@given(
    st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), max_size=8)),
    st.integers(1, 40),
)
def test_any_text_comes_back_and_empty_text_is_not_null(rows: list[list[str | None]], block: int) -> None:
    width = len(rows[0]) if rows else 2
    content = written(['a "name"\nof, two lines'] * width, rows)
    expected = [[row[i] for row in rows] for i in range(width)]
    assert read(content, block, *["varchar"] * width) == expected


def test_a_value_that_cannot_be_read_is_named_though_others_are_read_by_arrow() -> None:
    content = written(["c", "c"], [["1", "x"], ["2", "y"], ["three", None]])
    with pytest.raises(errors.DataError, match=r"Column 'c', row 3: 'three' cannot be read as int64"):
        read(content, 1000, "bigint", "varchar")


@pytest.mark.parametrize("cut", range(2, 16))
def test_a_result_that_is_cut_short_is_refused(cut: int) -> None:
    whole = written(["c", "c"], [["1", "one"], ["2", "two words"]])
    with pytest.raises(errors.UnreadableFileError, match=r"query id 1"):
        read(whole[:-cut], 7, "bigint", "varchar")


# --- through the endpoint


@pytest.fixture
def lake(athena: Server) -> Iterator[Lake]:
    """A lake on the Athena of the tests, whose results lie below a folder of their own."""
    with connect(ADDRESS + "ordinary/") as opened:
        yield opened


def left(server: Server, prefix: str = "ordinary/") -> list[str]:
    """The keys of what is left of results."""
    return [o["Key"] for o in server.client("s3").list_objects_v2(Bucket="results", Prefix=prefix).get("Contents", [])]


def asked_of_s3(server: Server) -> list[str]:
    """The results that were fetched from S3."""
    return [content for operation, content in server.requests if operation == "s3:GET" and ".csv" in content]


@pytest.mark.external
def test_a_small_result_is_one_page_and_a_big_one_the_object(lake: Lake, athena: Server) -> None:
    small = lake.arrow(MANY.replace("3000", "999"), unload=False)
    assert small.column("t").to_pylist() == [f"row {n}" for n in range(1, 1000)]
    assert asked_of_s3(athena) == []
    big = lake.arrow(MANY, unload=False)
    assert big.column("n").to_pylist() == list(range(1, 3001))
    assert big.column("t").to_pylist() == [f"row {n}" for n in range(1, 3001)]
    assert big.schema == small.schema
    assert len(asked_of_s3(athena)) == 1
    assert lake.last_query is not None
    pages = [c for o, c in athena.requests if o == "GetQueryResults" and lake.last_query.query_id in c]
    assert len(pages) == 1
    assert left(athena) == []


@pytest.mark.external
def test_names_may_be_doubled_and_columns_many(lake: Lake, athena: Server) -> None:
    columns = ", ".join(f"{i} AS same" for i in range(1000))
    table = lake.arrow(f"SELECT {columns} FROM UNNEST(sequence(1, 1500)) AS s (n)", unload=False)
    assert table.shape == (1500, 1000)
    assert set(table.schema.names) == {"same"}
    assert [c[7].as_py() for c in table.columns] == list(range(1000))


@pytest.mark.external
def test_a_value_of_32_mb_comes_back(lake: Lake, athena: Server) -> None:
    text = "SELECT n, rpad('', 33554432, 'ab\"\n') AS big FROM UNNEST(sequence(1, 1)) AS s (n)"
    assert lake.arrow(text, unload=False).column("big")[0].as_py() == 'ab"\n' * 8388608


@pytest.mark.external
def test_statements_without_rows_or_columns(lake: Lake, athena: Server) -> None:
    table = lake.arrow("SELECT 1 AS a, ARRAY[1] AS b, '' AS c WHERE false")
    assert (table.num_rows, table.schema.names, str(table.schema.types[1])) == (0, ["a", "b", "c"], "list<item: int32>")
    name = f"emptied_{uuid.uuid4().hex}"
    athena.client("glue").create_database(DatabaseInput={"Name": name})
    nothing = lake.arrow(f"DROP SCHEMA {name}", allow_write=True)
    assert nothing.num_columns == 0
    assert left(athena) == []


@pytest.mark.external
def test_a_connection_that_breaks_is_taken_up_where_it_broke(lake: Lake, athena: Server) -> None:
    whole = lake.arrow(MANY, unload=False)
    athena.faults.clear()
    athena.faults.add("s3:GET", contains=".csv", cut_after=20_000, times=2)
    assert lake.arrow(MANY, unload=False).equals(whole)
    assert len(asked_of_s3(athena)) == 3
    athena.faults.add("s3:GET", contains=".csv", cut_after=0, times=50)
    with pytest.raises(errors.UnreadableFileError, match=r"broke off.*query id .*Run the statement again"):
        lake.arrow(MANY, unload=False)
    athena.faults.clear()
    assert left(athena) == []


@pytest.mark.external
def test_a_result_that_is_gone_is_said_so(lake: Lake, athena: Server) -> None:
    reader = lake.batches(MANY, unload=False)
    s3 = athena.client("s3")
    for key in left(athena):
        s3.delete_object(Bucket="results", Key=key)
    with pytest.raises(errors.UnreadableFileError, match=r"query id .* is gone from S3: s3://results/ordinary/"):
        reader.read_all()


@pytest.mark.external
def test_what_is_dropped_unread_or_to_be_kept(lake: Lake, athena: Server) -> None:
    reader = lake.batches(MANY, unload=False)
    assert len(left(athena)) == 2
    del reader
    assert left(athena) == []
    reader = lake.batches(MANY, unload=False)
    reader.read_next_batch()
    del reader
    assert left(athena) == []
    with connect(ADDRESS + "kept/&keep_results=true") as keeping:
        keeping.sql(MANY, unload=False)
    assert len(left(athena, "kept/")) == 2
    lake.sql("SELECT 1 AS reused", max_age=10)
    assert len(left(athena)) == 2
    lake.sql("SELECT 1 AS reused", max_age=10)
    assert lake.last_query is not None
    assert lake.last_query.reused
    for prefix in ("ordinary/", "kept/"):
        for key in left(athena, prefix):
            athena.client("s3").delete_object(Bucket="results", Key=key)


@pytest.mark.external
def test_rows_are_not_lost_where_nothing_may_be_removed(lake: Lake, athena: Server) -> None:
    athena.faults.add("s3:POST", error="AccessDenied", times=50)
    with pytest.warns(UserWarning, match="s3:DeleteObject"):
        assert lake.sql("SELECT 1 AS one", unload=False)["one"].tolist() == [1]
    athena.faults.clear()
    for key in left(athena):
        athena.client("s3").delete_object(Bucket="results", Key=key)


@pytest.mark.external
def test_refused_access_to_the_object_names_the_permission(lake: Lake, athena: Server) -> None:
    athena.faults.add("s3:GET", error="AccessDenied", contains=".csv", times=50)
    with pytest.raises(errors.AccessDeniedError, match="s3:GetObject"):
        lake.sql(MANY, unload=False)
    athena.faults.clear()
    assert left(athena) == []
