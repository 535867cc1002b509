"""Datasets in folders, on S3 and in the Glue catalog: what is written is read back, by this package and by others."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import hypothesis.strategies as st
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from datalake_kit import errors
from datalake_kit.lake import connect
from datalake_kit.storage import dataset_batches, place, read_dataset, register_dataset, write_dataset
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.partition_names import Values, folder_of, values_in
from tests.athena_server import Server
from tests.s3 import BUCKET, KEYS
from tests.s3_counting import CountingS3, counting_s3

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DAY = dt.date(2026, 3, 1)
SOME = pa.table({"n": [1, 2, 3], "day": ["a", "b", "a"]})
MORE = pa.table({"n": [4, 5], "day": ["b", "c"]})


def every_type() -> pa.Table:
    """Three rows of every type that a table of Athena has, with NULLs, empty values and odd partition values."""
    at = [dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), None, dt.datetime(1900, 1, 1, 0, 0, 0, 7, tzinfo=dt.UTC)]
    pairs = pa.map_(pa.string(), pa.int32())
    return pa.table(
        {
            "Id": pa.array([1, 2, 3], pa.uint32()),
            "big": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "small": pa.array([1, None, -1], pa.int8()),
            "text": ["", None, "x'\"é\n"],
            "word": pa.array(["a", None, "a"]).dictionary_encode(),
            "price": pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(10, 2)),
            "at": pa.array(at).cast(pa.timestamp("us", "Europe/Athens")),
            "on": [DAY, None, dt.date(1900, 1, 1)],
            "yes": [True, None, False],
            "bytes": [b"", None, b"\x00\xff"],
            "ratio": [0.1, None, float("inf")],
            "list": [["a", None], [], None],
            "map": pa.array([[("a", 1)], None, []], pairs),
            "row": [{"a": 1, "b": ["x"]}, None, {"a": None, "b": []}],
            "kind": ["a b/ü%=+", "1", "o'k"],
            "day": [DAY, None, dt.date(2026, 3, 2)],
        }
    )


EXPECTED = [
    {
        "id": 1, "big": Decimal(2**64 - 1), "small": 1, "text": "", "word": "a", "price": Decimal("1.50"),
        "at": dt.datetime(2026, 1, 1, 12), "on": DAY, "yes": True, "bytes": b"", "ratio": 0.1, "list": ["a", None],
        "map": [("a", 1)], "row": {"a": 1, "b": ["x"]}, "kind": "a b/ü%=+", "day": DAY,
    },
    {
        "id": 2, "big": None, "small": None, "text": None, "word": None, "price": None, "at": None, "on": None,
        "yes": None, "bytes": None, "ratio": None, "list": [], "map": None, "row": None, "kind": "1", "day": None,
    },
    {
        "id": 3, "big": Decimal(0), "small": -1, "text": "x'\"é\n", "word": "a", "price": Decimal("-2.25"),
        "at": dt.datetime(1900, 1, 1, 0, 0, 0, 7), "on": dt.date(1900, 1, 1), "yes": False, "bytes": b"\x00\xff",
        "ratio": float("inf"), "list": None, "map": [], "row": {"a": None, "b": []}, "kind": "o'k",
        "day": dt.date(2026, 3, 2),
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[CountingS3]:
    with counting_s3() as running:
        yield running


@pytest.fixture
def s3(server: CountingS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty place on S3, with a Glue that has the database `sales`."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    server.forget()
    glue = boto3.client("glue")
    if "sales" not in [d["Name"] for d in glue.get_databases()["DatabaseList"]]:
        glue.create_database(DatabaseInput={"Name": "sales"})
    server.forget()
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def table(tmp_path: Path) -> str:
    """The name of a table that is not there yet."""
    return f"sales.{tmp_path.name}".lower().translate({ord(c): "_" for c in "[]-"})


def rows(found: pa.Table) -> list[Any]:
    return sorted(zip(*(found.column(n).to_pylist() for n in ("n", "day")), strict=True))


def refusing(operation: str, *, code: str = "AccessDeniedException", after: int = 0) -> boto3.Session:
    """Make a session of which Glue refuses an operation."""
    from botocore.exceptions import ClientError

    session, calls = boto3.Session(), [0]

    def refuse(model: Any, **_: Any) -> None:
        calls[0] += 1
        if calls[0] > after:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, model.name)

    session.events.register(f"before-call.glue.{operation}", refuse)
    return session


# --- what is written is read


def test_every_type_comes_back_from_a_folder_by_both_ways(tmp_path: Path) -> None:
    where = tmp_path / "sales" / "orders"
    written = write_dataset(every_type(), where, partition_by=["kind", "day"], table="sales.orders")
    assert (written.rows, len(written.files), len(written.partitions)) == (3, 3, 3)
    assert read_dataset(where).sort_by("id").to_pylist() == EXPECTED
    with connect(tmp_path) as lake:
        assert lake.arrow("SELECT * FROM sales.orders ORDER BY id").to_pylist() == EXPECTED
        assert [c.type for c in lake.table("sales.orders").columns[-2:]] == ["string", "date"]


def test_every_type_comes_back_from_s3_by_the_catalog_and_without(s3: str, table: str) -> None:
    write_dataset(every_type(), s3, partition_by=["kind", "day"], table=table)
    assert read_dataset(s3, table=table).sort_by("id").to_pylist() == EXPECTED
    assert read_dataset(s3).sort_by("id").to_pylist() == EXPECTED
    with connect("athena://primary?region=us-east-1") as lake:
        told = {c.name: c.type for c in lake.table(table).columns}
        assert len(lake.table(table).files()) == 3
    assert told["big"] == "decimal(20,0)"
    assert told["row"] == "struct<a:bigint,b:array<string>>"
    assert list(told)[-2:] == ["kind", "day"]


@pytest.mark.parametrize("on", ["folder", "s3"])
def test_the_modes(on: str, s3: str, table: str, tmp_path: Path) -> None:
    where = s3 if on == "s3" else str(tmp_path / "data")
    more: dict[str, Any] = {"partition_by": ["day"], "table": table if on == "s3" else None}
    read = {"table": more["table"]}
    write_dataset(SOME, where, **more)
    write_dataset(MORE, where, **more)
    assert rows(read_dataset(where, **read)) == [(1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "c")]
    assert write_dataset(MORE, where, mode="overwrite_partitions", **more).removed == 3
    for again in (read, {}):
        assert rows(read_dataset(where, **again)) == [(1, "a"), (3, "a"), (4, "b"), (5, "c")]
    write_dataset(SOME, where, **more)
    assert rows(read_dataset(where, **read)) == [(1, "a"), (1, "a"), (2, "b"), (3, "a"), (3, "a"), (4, "b"), (5, "c")]
    write_dataset(MORE, where, mode="overwrite", **more)
    for again in (read, {}):
        assert rows(read_dataset(where, **again)) == [(4, "b"), (5, "c")]


@pytest.mark.parametrize("on", ["folder", "s3", "s3 alone"])
def test_a_table_without_partitions(on: str, s3: str, table: str, tmp_path: Path) -> None:
    where, name = (str(tmp_path / "data"), None) if on == "folder" else (s3, table if on == "s3" else None)
    write_dataset(SOME, where, table=name)
    write_dataset(MORE, where, table=name)
    assert len(read_dataset(where, table=name)) == 5
    for _ in range(2):
        write_dataset(MORE, where, table=name, mode="overwrite")
        assert rows(read_dataset(where, table=name)) == [(4, "b"), (5, "c")]
        assert rows(read_dataset(where)) == [(4, "b"), (5, "c")]


@pytest.mark.parametrize("on", ["folder", "s3"])
@pytest.mark.parametrize("keys", [[], ["day"]])
def test_no_rows_keep_the_columns(on: str, keys: list[str], s3: str, table: str, tmp_path: Path) -> None:
    where, name = (s3, table) if on == "s3" else (str(tmp_path / "sales" / "empty"), None)
    empty = SOME.slice(0, 0)
    for mode in ("append", "append", "overwrite_partitions", "overwrite"):
        assert write_dataset(empty, where, partition_by=keys, table=name, mode=mode).rows == 0
        assert read_dataset(where, table=name).schema == SOME.schema
    write_dataset(SOME, where, partition_by=keys, table=name)
    assert rows(read_dataset(where, table=name)) == [(1, "a"), (2, "b"), (3, "a")]
    write_dataset(empty, where, partition_by=keys, table=name, mode="overwrite")
    assert read_dataset(where, table=name).num_rows == 0
    if on == "folder":
        with connect(tmp_path) as lake:
            assert len(lake.sql("SELECT * FROM sales.empty")) == 0


def test_text_that_looks_like_numbers_stays_text(tmp_path: Path) -> None:
    codes = pa.table({"n": [1, 2], "day": ["1", "20"]})
    write_dataset(codes, tmp_path / "a" / "codes", partition_by=["day"])
    small = pa.table({"n": [1], "day": pa.array([7], pa.int16())})
    write_dataset(small, tmp_path / "a" / "small", partition_by=["day"])
    with connect(tmp_path) as lake:
        assert lake.sql("SELECT day FROM a.codes WHERE day = '20'")["day"].tolist() == ["20"]
        assert lake.table("a.small").columns[-1].type == "smallint"
        assert lake.arrow("SELECT day FROM a.small").column("day").to_pylist() == [7]
    assert read_dataset(tmp_path / "a" / "codes").schema.field("day").type == pa.string()


def test_frames_readers_and_batches_are_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "x": [1.5, None], "day": ["a", None]})
    frame["at"] = pd.Series([pd.Timestamp("2026-03-01 02:00"), pd.NaT]).dt.tz_localize("Europe/Athens")
    write_dataset(frame, tmp_path / "frame", partition_by=["day"])
    found = read_dataset(tmp_path / "frame").sort_by("n").to_pylist()
    assert found[0] == {"n": 1, "x": 1.5, "at": dt.datetime(2026, 3, 1), "day": "a"}
    assert found[1] == {"n": None, "x": None, "at": None, "day": None}
    for name, given_rows in [
        ("reader", SOME.to_reader(max_chunksize=1)),
        ("batch", SOME.combine_chunks().to_batches()[0]),
        ("parts", (part for part in (SOME, *SOME.to_batches()))),
    ]:
        count = 6 if name == "parts" else 3
        assert write_dataset(given_rows, tmp_path / name, partition_by=["day"]).rows == count
        assert read_dataset(tmp_path / name).num_rows == count


def test_large_rows_are_split_and_many_partitions_are_written(tmp_path: Path) -> None:
    n = 1000
    many = pa.table({"n": range(n), "p": [i % 150 for i in range(n)]})
    written = write_dataset(many.to_reader(max_chunksize=300), tmp_path / "t", partition_by=["p"], rows_per_file=3)
    assert len(written.partitions) == 150
    found = read_dataset(tmp_path / "t").sort_by("n")
    assert found.column("n").to_pylist() == list(range(n))
    assert found.column("p").to_pylist() == [i % 150 for i in range(n)]
    assert max(pq.read_metadata(f).num_rows for f in written.files) == 3
    whole = write_dataset(many, tmp_path / "whole", partition_by=["p"], rows_per_file=3)
    assert sorted({pq.read_metadata(f).num_rows for f in whole.files}) == [1, 3]


def test_columns_and_partitions_are_chosen(tmp_path: Path) -> None:
    source = pa.table({"n": [1, 2, 3], "x": [1, 2, 3], "day": [DAY, DAY, None], "p": pa.array([1, 2, 3], pa.int32())})
    where = tmp_path / "t"
    write_dataset(source, where, partition_by=["day", "p"])
    assert read_dataset(where, columns=["P", "n"], partitions={"day": DAY}).sort_by("n").to_pylist() == [
        {"p": 1, "n": 1},
        {"p": 2, "n": 2},
    ]
    for choice in ({"p": [2]}, {"p": "2"}, {"P": {2, 9}, "day": [DAY]}, lambda v: v["p"] == 2):
        assert read_dataset(where, partitions=choice)["n"].to_pylist() == [2]
    assert read_dataset(where, partitions={"day": None}, columns=["day"]).to_pylist() == [{"day": None}]
    assert [b.num_rows for b in dataset_batches(where, partitions={"p": [1, 2]}, rows=1)] == [1, 1]
    with pytest.raises(errors.ColumnNotFoundError, match="Did you mean day"):
        read_dataset(where, partitions={"dax": 1})
    with pytest.raises(errors.ColumnNotFoundError, match="'z'"):
        read_dataset(where, columns=["z"])
    next(f for f in where.rglob("*.parquet") if "p=3" in str(f)).write_bytes(b"broken")
    with pytest.raises(errors.UnreadableFileError, match="p=3"):
        read_dataset(where)


@given(st.lists(st.none() | st.text(min_size=1), min_size=1, max_size=3))
def test_any_value_comes_back_from_the_name_of_a_folder(values: list[str | None]) -> None:
    keys = [f"k {i}=" for i in range(len(values))]
    name = folder_of(keys, tuple(values))
    assert len(name.split("/")) == len(values)
    assert values_in(name.split("/")) == dict(zip(keys, values, strict=True))


NO_FILE_SYSTEM = st.characters(codec="utf-8", exclude_characters="\0")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(st.none() | st.text(NO_FILE_SYSTEM, min_size=1, max_size=20), min_size=1, max_size=5))
def test_any_partition_value_is_read_by_sql(values: list[str | None], tmp_path: Path) -> None:
    if "__HIVE_DEFAULT_PARTITION__" in values:
        return
    where = tmp_path / "db" / "t"
    source = pa.table({"n": range(len(values)), "day": pa.array(values, pa.string())})
    write_dataset(source, where, partition_by=["day"], mode="overwrite")
    assert read_dataset(where).sort_by("n")["day"].to_pylist() == values
    with connect(tmp_path) as lake:
        assert lake.arrow("SELECT day FROM db.t ORDER BY n")["day"].to_pylist() == values


# --- what is refused


@pytest.mark.parametrize(
    ("columns", "keys", "said"),
    [
        ({"t": pa.array([1], pa.time64("us"))}, [], "'t' is time64"),
        ({"t": pa.array([1], pa.duration("us"))}, [], "'t' is duration"),
        ({"t": pa.array([1], pa.timestamp("ns"))}, [], "'t' does not fit timestamp.*microseconds"),
        ({"s": [{"a:b": 1}]}, [], "'s' cannot be stored.*a:b"),
        ({"N": [1], "n": [2]}, [], "only in case: N, n"),
        ({"a": [1], "k": [1.5]}, ["k"], "'k' is double: partitions are made of"),
        ({"a": [1], "k": [""]}, ["k"], "'k' holds ''"),
        ({"a": [1], "k": ["__HIVE_DEFAULT_PARTITION__"]}, ["k"], "cannot tell from NULL"),
        ({"a": [1]}, ["b"], "no column 'b' to partition by"),
        ({"a": [1]}, ["a"], "none is left"),
        ({"": [1]}, [], "no column of the name ''"),
    ],
)
def test_what_athena_does_not_read_is_refused(
    columns: dict[str, Any], keys: list[str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.DataError, match=said):
        write_dataset(pa.table(columns), tmp_path / "t", partition_by=keys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "x'y", 'x"y', "π", "a;drop", "a.b", "a:b"])
def test_names_that_athena_does_not_take_are_refused_with_another(name: str, s3: str, table: str) -> None:
    with pytest.raises(errors.DataError, match="Rename it"):
        write_dataset(pa.table({name: [1]}), s3, table=table)
    with pytest.raises(errors.ConfigError, match="Give sales"):
        write_dataset(SOME, s3, table=f'sales."{name.replace(chr(34), chr(34) * 2)}"')
    assert not place(s3).exists()


def test_rows_that_do_not_go_with_the_table(tmp_path: Path) -> None:
    where = tmp_path / "t"
    write_dataset(
        pa.table({"n": pa.array([1], pa.int16()), "d": [Decimal("1.00")], "day": ["a"]}), where, partition_by=["day"]
    )
    one = {"n": [1], "d": [Decimal("1.00")], "day": ["a"]}
    cases: list[tuple[dict[str, Any], list[str], str]] = [
        (one | {"n": ["text"]}, ["day"], "'n' is string here and smallint in the table"),
        (one | {"n": [70_000]}, ["day"], "'n' does not fit smallint"),
        (one | {"d": [Decimal("1.005")]}, ["day"], "'d' does not fit decimal"),
        (one | {"m": [1]}, ["day"], "m would be new"),
        ({"n": [1], "day": ["a"]}, ["day"], "d is not among the rows"),
        (one, [], "has partitions by day, not by nothing"),
        (one, ["day", "n"], "not by day, n"),
    ]
    for columns, keys, said in cases:
        with pytest.raises(errors.DataError, match=said):
            write_dataset(pa.table(columns), where, partition_by=keys)
    write_dataset(pa.table({"n": [2], "m": [1], "day": ["b"]}), where, partition_by=["day"], evolve=True)
    write_dataset(pa.table({"n": [None], "d": [None], "m": [None], "day": ["b"]}), where, partition_by=["day"])
    assert read_dataset(where).sort_by("n").to_pylist() == [
        {"n": 1, "d": Decimal("1.00"), "m": None, "day": "a"},
        {"n": 2, "d": None, "m": 1, "day": "b"},
        {"n": None, "d": None, "m": None, "day": "b"},
    ]


def test_other_bad_calls(tmp_path: Path, s3: str) -> None:
    (tmp_path / "hudi" / ".hoodie").mkdir(parents=True)
    bad: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"mode": "replace"}, errors.ParameterError, "append, overwrite"),
        ({"rows_per_file": 0}, errors.ParameterError, "1 or more"),
        ({"partition_by": "day"}, errors.ParameterError, r"\['day'\]"),
        ({"partition_by": ["day", "DAY"]}, errors.ParameterError, "twice"),
        ({"database": "sales"}, errors.ConfigError, "without table"),
        ({"table": "orders"}, errors.ConfigError, "database.table"),
        ({"table": "sales.orders"}, errors.ConfigError, "lies at .../sales/orders"),
        ({"location": tmp_path / "hudi"}, errors.DataError, "Hudi table"),
        ({"location": s3, "table": "sailes.x"}, errors.DatabaseNotFoundError, "Did you mean sales"),
        ({"rows": 5}, errors.ParameterError, "not int"),
        ({"rows": []}, errors.ParameterError, "not one batch"),
        ({"rows": pd.DataFrame([[1, 2]], columns=["a", "a"])}, errors.DataError, "one name: a"),
        ({"rows": pd.DataFrame({"a": [1, "x"]})}, errors.DataError, "'a' cannot be stored"),
    ]
    for change, error, said in bad:
        call: dict[str, Any] = {"rows": SOME, "location": tmp_path / "t"} | change
        with pytest.raises(error, match=said):
            write_dataset(call.pop("rows"), call.pop("location"), **call)
    with pytest.raises(errors.DataError, match="No dataset lies at"):
        read_dataset(tmp_path / "nothing")


# --- S3 and the catalog when something goes wrong


def test_a_bucket_that_is_not_there_and_access_that_is_denied(s3: str, server: CountingS3) -> None:
    with pytest.raises(errors.UnreadableFileError, match="no such bucket"):
        write_dataset(SOME, "s3://no-such-bucket/t")
    server.before = lambda method, key: (403, "AccessDenied") if method == "POST" and key else None
    with pytest.raises(errors.UnreadableFileError, match="s3:PutObject") as caught:
        write_dataset(SOME, s3)
    assert "hush" not in str(caught.value)
    server.forget()
    assert not place(s3).exists()


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_write_that_fails_leaves_nothing(method: str, s3: str, server: CountingS3, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    seen: list[str] = []

    def fail_at_last(asked: str, key: str) -> tuple[int, str] | None:
        if asked == method and key:
            seen.append(key)
        is_last = asked == method and bool(key) and len(seen) == (2 if method == "PUT" else 4)
        return (403, "AccessDenied") if is_last else None

    server.before = fail_at_last
    with pytest.raises(errors.UnreadableFileError):
        write_dataset(MORE, s3, partition_by=["day"], table=table)
    assert len(seen) >= 2
    server.forget()
    assert rows(read_dataset(s3)) == rows(read_dataset(s3, table=table)) == [(1, "a"), (2, "b"), (3, "a")]
    assert not boto3.client("s3").list_multipart_uploads(Bucket=BUCKET, Prefix=s3.split("/")[3]).get("Uploads")


@pytest.mark.parametrize("mode", ["append", "overwrite", "overwrite_partitions"])
@pytest.mark.parametrize("operation", ["BatchCreatePartition", "BatchGetPartition"])
def test_a_catalog_that_refuses_leaves_the_table_as_it_was(mode: Any, operation: str, s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    before = GlueTable(table).partitions()
    with pytest.raises(errors.EngineError, match=f"glue:{operation}"):
        write_dataset(
            MORE, s3, partition_by=["day"], table=table, mode=mode, session=refusing(operation, after=mode == "x")
        )
    assert GlueTable(table).partitions() == before
    assert rows(read_dataset(s3)) == rows(read_dataset(s3, table=table)) == [(1, "a"), (2, "b"), (3, "a")]


@pytest.mark.parametrize("operation", ["CreateTable", "BatchCreatePartition"])
def test_a_new_table_that_is_refused_is_not_there(operation: str, s3: str, table: str) -> None:
    with pytest.raises(errors.EngineError, match=operation):
        write_dataset(SOME, s3, partition_by=["day"], table=table, session=refusing(operation))
    assert GlueTable(table).entry() is None
    assert not place(s3).exists()


def test_partitions_are_added_all_or_none_over_several_requests(s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    many: dict[Values, str] = {(f"{i:03}",): f"{s3}/day={i:03}" for i in range(250)}
    broken = GlueTable(table, refusing("BatchCreatePartition", after=2))
    before = GlueTable(table).partitions()
    with pytest.raises(errors.EngineError):
        broken.change(add=many, move={("a",): f"{s3}/elsewhere"}, remove=[("b",)])
    assert GlueTable(table).partitions() == before
    take_back = GlueTable(table).change(add=many, move={("a",): f"{s3}/elsewhere"}, remove=[("b",)])
    changed = GlueTable(table).partitions()
    assert changed == many | {("a",): f"{s3}/elsewhere"}
    take_back()
    assert GlueTable(table).partitions() == before


def test_an_error_for_one_partition_takes_back_the_others(s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    before = GlueTable(table).partitions()
    other: dict[Values, str] = {("a",): f"{s3}/x", ("new",): f"{s3}/y"}
    with pytest.raises(errors.EngineError, match="another place"):
        GlueTable(table).change(add=other, move={}, remove=[])
    assert GlueTable(table).partitions() == before
    same: dict[Values, str] = {("a",): before[("a",)], ("new",): f"{s3}/y"}
    GlueTable(table).change(add=same, move={}, remove=[])  # another run was faster, with the same place
    assert GlueTable(table).partitions() == before | same


def test_files_that_a_killed_run_left_do_not_come_up_later(s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    write_dataset(MORE, f"{s3}_other", partition_by=["day"])
    left = next(f for f in place(f"{s3}_other").walk() if "day=c" in f.key)  # type: ignore[union-attr]
    boto3.client("s3").put_object(
        Bucket=BUCKET, Key=f"{s3.split('/')[3]}/day=c/part-left.parquet", Body=left.read_bytes()
    )
    write_dataset(MORE, s3, partition_by=["day"], table=table)
    assert rows(read_dataset(s3, table=table)) == [(1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "c")]


def test_a_partition_that_another_run_replaced_meanwhile(s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)

    def slow() -> Iterator[pa.RecordBatch]:
        yield from MORE.slice(0, 1).to_batches()

    session = boto3.Session()
    done: list[int] = []

    def other(**_: Any) -> None:
        if not done:
            done.append(1)
            write_dataset(MORE, s3, partition_by=["day"], table=table, mode="overwrite_partitions")

    session.events.register("before-call.s3.CompleteMultipartUpload", other)
    with pytest.raises(errors.EngineError, match="replaced by another run meanwhile"):
        write_dataset(slow(), s3, partition_by=["day"], table=table, session=session)
    assert rows(read_dataset(s3, table=table)) == [(1, "a"), (3, "a"), (4, "b"), (5, "c")]


@pytest.mark.parametrize("on", ["folder", "s3"])
def test_several_write_at_once(on: str, s3: str, table: str, tmp_path: Path) -> None:
    where, name = (s3, table) if on == "s3" else (str(tmp_path / "t"), None)
    write_dataset(SOME, where, partition_by=["day"], table=name)
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            one = pa.table({"n": [number], "day": [f"d{number % 2}"]})
            write_dataset(one, where, partition_by=["day"], table=name)
        except Exception as problem:  # noqa: BLE001 - seen below
            failed.append(problem)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert rows(read_dataset(where, table=name)) == [
        (1, "a"),
        (2, "b"),
        (3, "a"),
        *((n, f"d{n % 2}") for n in range(10, 16)),
    ]


KILLED = """
    import pyarrow as pa, sys
    from datalake_kit.storage import write_dataset
    rows = pa.table({"n": [4, 5], "day": ["b", "c"]})
    write_dataset(rows, sys.argv[1], partition_by=["day"], table=sys.argv[2] or None, mode=sys.argv[3])
"""


@pytest.mark.parametrize(
    ("mode", "at"),
    [
        ("append", "PUT 2"),
        ("append", "POST 4"),
        ("overwrite", "PUT 2"),
        ("overwrite", "Glue 4"),
        ("overwrite", "Glue 8"),
        ("overwrite_partitions", "Glue 6"),
    ],
)
def test_a_run_that_is_killed_leaves_every_partition_before_or_after(
    mode: Any, at: str, s3: str, server: CountingS3, table: str
) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    server.forget()
    call = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), s3, table, mode]
    process = subprocess.Popen(call)
    seen: Counter[str] = Counter()

    def kill(method: str, key: str) -> None:
        kind = method if key else "Glue" if method == "POST" else "listing"
        seen[kind] += 1
        if f"{kind} {seen[kind]}" == at:
            process.kill()
            process.wait()

    server.before = kill
    code = process.wait(timeout=60)
    server.forget()
    assert code == -signal.SIGKILL, f"the run ended by itself after {seen}"
    may = {
        "append": {"a": [[1, 3]], "b": [[2], [2, 4]], "c": [[], [5]]},
        "overwrite": {"a": [[1, 3], []], "b": [[2], [4]], "c": [[], [5]]},
        "overwrite_partitions": {"a": [[1, 3]], "b": [[2], [4]], "c": [[], [5]]},
    }[mode]
    for day, states in may.items():
        found = sorted(n for n, d in rows(read_dataset(s3, table=table)) if d == day)
        assert found in (states[:1] if at == "PUT 2" else states)
    again: Any = "overwrite_partitions" if mode == "append" else mode
    write_dataset(MORE, s3, partition_by=["day"], table=table, mode=again)
    expected = [(4, "b"), (5, "c")] if mode == "overwrite" else [(1, "a"), (3, "a"), (4, "b"), (5, "c")]
    assert rows(read_dataset(s3, table=table)) == expected


# --- SQL on a real engine

ALL_BY_SQL = """
    SELECT id, big, small, text, word, price, "at", "on", yes, ratio, length(bytes) AS bytes, cardinality(list) AS list,
           element_at(map, 'a') AS map, "row".a AS a, cardinality("row".b) AS b, kind, day
    FROM {table}
    WHERE kind <> 'x' AND (day IS NULL OR day >= DATE '2026-01-01')
    ORDER BY id
"""


@pytest.mark.external
def test_sql_gives_the_same_rows_on_both_engines(athena: Server, tmp_path: Path) -> None:
    name = f"datasets.{tmp_path.name}".lower().translate({ord(c): "_" for c in "[]-"})
    there, here = f"s3://lake/datasets/{tmp_path.name}", tmp_path / name.replace(".", "/")
    answers = []
    for where, target in (("athena://primary?region=us-east-1", there), (tmp_path, here)):
        made: dict[str, Any] = {"partition_by": ["kind", "day"], "table": name, "create_database": True}
        write_dataset(every_type(), target, **made)
        with connect(where) as lake:
            found = lake.arrow(ALL_BY_SQL.format(table=name)).to_pylist()
            told = [(c.name, c.type, c.is_partition) for c in lake.table(name).columns]
            counts = []
            modes: list[Any] = ["append", "overwrite_partitions", "overwrite"]
            for mode in modes:
                write_dataset(every_type().slice(0, 2), target, mode=mode, **made)
                asked = lake.sql(f"SELECT id, count(*) AS n FROM {name} GROUP BY id ORDER BY id")
                counts.append(asked.to_numpy().tolist())
        answers.append((found, told, counts))
    assert answers[0] == answers[1]
    assert [r["text"] for r in answers[0][0]] == ["", None, "x'\"é\n"]
    assert answers[0][2] == [[[1, 2], [2, 2], [3, 1]], [[1, 1], [2, 1], [3, 1]], [[1, 1], [2, 1]]]


# --- tables of others


def test_awswrangler_reads_what_is_written_and_writes_on(s3: str, table: str) -> None:
    import awswrangler as wr

    database, name = table.split(".")
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    found = wr.s3.read_parquet_table(name, database)
    assert sorted(found["n"]) == [1, 2, 3]
    wr.s3.to_parquet(
        pd.DataFrame({"n": [7], "day": ["z"]}), f"{s3}/", dataset=True, database=database, table=name,
        partition_cols=["day"], mode="append",
    )  # fmt: skip
    assert rows(read_dataset(s3, table=table)) == [(1, "a"), (2, "b"), (3, "a"), (7, "z")]
    write_dataset(MORE, s3, partition_by=["day"], table=table, mode="overwrite_partitions")
    assert sorted(wr.s3.read_parquet_table(name, database)["n"]) == [1, 3, 4, 5, 7]
    assert sorted(wr.s3.read_parquet(f"{s3}/", dataset=True)["n"]) == [1, 3, 4, 5, 7]


def test_files_that_lie_there_are_registered_and_brought_up_to_date(s3: str, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"])
    with pytest.raises(errors.DataError, match="register_dataset"):
        write_dataset(MORE, s3, partition_by=["day"], table=table)
    first = register_dataset(s3, table, description="orders", comments={"n": "number"}, parameters={"step": "1"})
    assert (first.is_new, first.columns, sorted(first.added)) == (
        True,
        {"n": "bigint", "day": "string"},
        [("a",), ("b",)],
    )
    again = register_dataset(s3, table)
    assert (again.is_new, again.added, again.removed) == (False, (), ())
    write_dataset(MORE, s3, partition_by=["day"])
    for file in place(f"{s3}/day=a").walk():  # type: ignore[union-attr]
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=file.key)
    more = register_dataset(s3, table)
    assert (more.added, more.removed) == ((("c",),), (("a",),))
    assert rows(read_dataset(s3, table=table)) == [(2, "b"), (4, "b"), (5, "c")]
    entry = GlueTable(table).entry()
    assert entry is not None
    assert (entry["Description"], entry["Parameters"]["step"]) == ("orders", "1")
    assert entry["StorageDescriptor"]["Columns"][0]["Comment"] == "number"
    with pytest.raises(errors.DataError, match="another table in the Glue catalog"):
        write_dataset(SOME, f"{s3}_else", partition_by=["day"], table=table)


def test_few_requests_are_made_for_a_day_that_is_added(s3: str, server: CountingS3, table: str) -> None:
    write_dataset(SOME, s3, partition_by=["day"], table=table)
    server.forget()
    write_dataset(pa.table({"n": [9], "day": ["z"]}), s3, partition_by=["day"], table=table)
    assert len(server.asked) <= 13
    assert server.count("PUT") == 1


def test_awswrangler_is_not_loaded_where_it_is_not_needed(tmp_path: Path) -> None:
    code = f"""
        import sys, pyarrow as pa
        from datalake_kit.storage import read_dataset, write_dataset
        write_dataset(pa.table({{"n": [1]}}), {str(tmp_path / "t")!r})
        read_dataset({str(tmp_path / "t")!r})
        assert not {{"awswrangler", "boto3"}} & set(sys.modules), "loaded"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
