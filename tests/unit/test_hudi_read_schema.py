"""Columns that were added, widened, reordered, renamed by case or dropped over the commits; nested ones; partitions."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import datalake_kit as dk
from datalake_kit.engines.types import plain
from datalake_kit.errors import DataError, HudiError
from datalake_kit.sql import quote_identifier
from tests.hudi_tables import CowTable

FIRST, SECOND, THIRD = "20260101000000000", "20260102000000000", "20260103000000000"
UTC = dt.UTC
Make = Callable[..., CowTable]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the table db.t of a lake in `tmp_path`."""
    return lambda **options: CowTable(tmp_path / "db" / "t", **options)


def rows(folder: Path, **options: Any) -> list[dict[str, Any]]:
    """The rows of db.t as `dk.hudi.read` gives them; `lake.sql`, batches and a condition must say the same."""
    lake = dk.connect(folder)
    read = dk.hudi.read(lake, "db.t", arrow=True, **options)
    assert dk.hudi.batches(lake, "db.t", rows=2, **options).read_all().equals(read)
    some = dk.hudi.read(lake, "db.t", arrow=True, where="1 = 1", **options)
    assert some.schema.equals(read.schema)
    assert some.equals(read)
    assert dk.hudi.count(lake, "db.t", as_of=options.get("as_of")) == read.num_rows
    if not options:
        names = ", ".join(quote_identifier(n) for n in read.schema.names)
        shown = lake.arrow(f"SELECT {names} FROM db.t")
        assert [f.type for f in shown.schema] == [plain(f.type) for f in read.schema]
        key = read.schema.names[0]
        as_shown = [_plain(row) for row in read.sort_by(key).to_pylist()]
        assert shown.sort_by(key).to_pylist() == as_shown
        assert lake.sql("SELECT count(*) AS n FROM db.t")["n"].tolist() == [read.num_rows]
    found: list[dict[str, Any]] = read.sort_by(read.schema.names[0]).to_pylist()
    return found


def _plain(value: Any) -> Any:
    """A value as a lake shows it: times are in UTC and bear no zone."""
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


def ids(*values: int) -> pa.Array:
    return pa.array(values, pa.int64())


def two_files(table: CowTable, old: pa.Table, new: pa.Table) -> None:
    """Two file groups: the first has the old columns, the second the new ones."""
    table.commit(FIRST, {("", "a"): old})
    table.commit(SECOND, {("", "b"): new})


def test_an_added_column_is_null_in_old_files(make: Make, tmp_path: Path) -> None:
    two_files(make(), pa.table({"id": ids(1)}), pa.table({"id": ids(2), "fare": [2.5]}))
    assert rows(tmp_path) == [{"id": 1, "fare": None}, {"id": 2, "fare": 2.5}]
    assert rows(tmp_path, as_of=FIRST) == [{"id": 1}]
    assert rows(tmp_path, columns=["fare"])[0] in ({"fare": None}, {"fare": 2.5})


def test_a_column_that_no_file_has_yet(make: Make, tmp_path: Path) -> None:
    table = make()
    table.commit(FIRST, {("", "a"): pa.table({"id": ids(1)})})
    schema = pa.schema([("id", pa.int64()), ("fare", pa.float64()), ("tags", pa.list_(pa.string()))])
    table.commit(SECOND, {}, schema=schema, operation="ALTER_SCHEMA")
    assert rows(tmp_path) == [{"id": 1, "fare": None, "tags": None}]
    assert rows(tmp_path, columns=["fare"]) == [{"fare": None}]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (pa.int32(), pa.int64(), 7),
        (pa.int32(), pa.float64(), 7),
        (pa.int64(), pa.float64(), 2**53),
        (pa.float32(), pa.float64(), 0.1),
        (pa.int32(), pa.string(), 7),
        (pa.int64(), pa.decimal128(22, 2), 7),
        (pa.string(), pa.binary(), "é"),
        (pa.decimal128(10, 2), pa.decimal128(12, 2), Decimal("1.25")),
        (pa.decimal128(10, 2), pa.decimal128(14, 4), Decimal("1.25")),
        (pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC"), dt.datetime(2026, 1, 1, 0, 0, 0, 5000, UTC)),
        (pa.timestamp("us", "UTC"), pa.timestamp("ms", "UTC"), dt.datetime(2026, 1, 1, 0, 0, 0, 5000, UTC)),
        (pa.date32(), pa.string(), dt.date(2026, 1, 1)),
    ],
    ids=lambda v: str(v) if isinstance(v, pa.DataType) else "",
)
def test_a_widened_column(make: Make, tmp_path: Path, old: pa.DataType, new: pa.DataType, value: Any) -> None:
    before = pa.table({"id": ids(1), "v": pa.array([value], old)})
    expected = before.column("v").cast(new)[0].as_py()
    two_files(make(), before, pa.table({"id": ids(2), "v": pa.array([None], new)}))
    assert rows(tmp_path) == [{"id": 1, "v": expected}, {"id": 2, "v": None}]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (pa.float64(), pa.string(), 0.1),
        (pa.string(), pa.int64(), "7"),
        (pa.float64(), pa.float32(), 0.1),
        (pa.float64(), pa.int64(), 1.0),
        (pa.bool_(), pa.int64(), True),
        (pa.timestamp("us", "UTC"), pa.string(), dt.datetime(2026, 1, 1, tzinfo=UTC)),
        (pa.list_(pa.int64()), pa.string(), [1]),
    ],
    ids=str,
)
def test_types_that_cannot_hold_the_old_values_are_refused(
    make: Make, tmp_path: Path, old: pa.DataType, new: pa.DataType, value: Any
) -> None:
    before = pa.table({"id": ids(1), "v": pa.array([value], old)})
    two_files(make(), before, pa.table({"id": ids(2), "v": pa.array([None], new)}))
    lake = dk.connect(tmp_path)
    for job in (
        lambda: dk.hudi.read(lake, "db.t"),
        lambda: dk.hudi.read(lake, "db.t", where="id = 1"),
        lambda: lake.sql("SELECT v FROM db.t"),
        lambda: dk.hudi.batches(lake, "db.t").read_all(),
    ):
        with pytest.raises(HudiError, match=r"'v' is .* in .*a_0-0-0_.* in the table's schema"):
            job()
    assert dk.hudi.read(lake, "db.t", columns=["id"])["id"].sum() == 3
    assert dk.hudi.read(lake, "db.t", as_of=FIRST, arrow=True).column("v").to_pylist() == [value]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (pa.int64(), pa.int32(), 2**40),
        (pa.int64(), pa.float64(), 2**53 + 1),
        (pa.decimal128(10, 4), pa.decimal128(10, 2), Decimal("1.2345")),
        (pa.timestamp("us", "UTC"), pa.timestamp("ms", "UTC"), dt.datetime(2026, 1, 1, 0, 0, 0, 5, UTC)),
        (pa.binary(), pa.string(), b"\xff"),
    ],
    ids=str,
)
def test_a_value_that_would_change_is_refused(
    make: Make, tmp_path: Path, old: pa.DataType, new: pa.DataType, value: Any
) -> None:
    before = pa.table({"id": ids(1), "v": pa.array([value], old)})
    two_files(make(), before, pa.table({"id": ids(2), "v": pa.array([None], new)}))
    lake = dk.connect(tmp_path)
    for job in (
        lambda: dk.hudi.read(lake, "db.t"),
        lambda: dk.hudi.batches(lake, "db.t").read_all(),
        lambda: dk.hudi.read(lake, "db.t", where="id > 0"),
    ):
        with pytest.raises(DataError, match=r"'v' of .*a_0-0-0_.*cannot show unchanged"):
            job()


def test_reordered_and_dropped_columns(make: Make, tmp_path: Path) -> None:
    old = pa.table({"id": ids(1), "a": ["x"], "gone": [9], "b": ["y"]})
    two_files(make(), old, pa.table({"b": ["v"], "id": ids(2), "a": ["u"]}))
    assert [list(r) for r in rows(tmp_path, columns=["id", "a", "b"])] == [["id", "a", "b"]] * 2
    found = dk.hudi.read(dk.connect(tmp_path), "db.t", arrow=True)
    assert found.schema.names == ["b", "id", "a"]
    assert {tuple(r.items()) for r in found.to_pylist()} == {
        (("b", "y"), ("id", 1), ("a", "x")),
        (("b", "v"), ("id", 2), ("a", "u")),
    }


def test_a_column_renamed_by_case_is_one_column(make: Make, tmp_path: Path) -> None:
    table = make(keys=["ID"])
    two_files(table, pa.table({"id": ids(1), "Fare": [1.5]}), pa.table({"ID": ids(2), "FARE": [2.5]}))
    assert rows(tmp_path) == [{"ID": 1, "FARE": 1.5}, {"ID": 2, "FARE": 2.5}]
    lake = dk.connect(tmp_path)
    assert dk.hudi.read(lake, "db.t", columns=["fare"], where="FaRe < 2")["FARE"].tolist() == [1.5]
    assert lake.sql("SELECT sum(fare) AS s FROM db.t")["s"].tolist() == [4.0]


def test_two_columns_of_one_file_that_differ_in_case(make: Make, tmp_path: Path) -> None:
    table = make()
    table.commit(FIRST, {("", "a"): pa.table({"id": ids(1), "Fare": [1.5], "FARE": [2.5]})})
    lake = dk.connect(tmp_path)
    assert dk.hudi.read(lake, "db.t", arrow=True).to_pylist() == [{"id": 1, "Fare": 1.5, "FARE": 2.5}]
    for job in (lambda: dk.hudi.read(lake, "db.t", where="fare > 1"), lambda: lake.sql("SELECT fare FROM db.t")):
        with pytest.raises(DataError, match="differ only in case"):
            job()
    schema = pa.schema([("id", pa.int64()), ("fare", pa.float64())])
    table.commit(SECOND, {}, schema=schema)
    with pytest.raises(HudiError, match="'fare' is stored as 'Fare' and as 'FARE'"):
        dk.hudi.read(lake, "db.t")
    table.commit(THIRD, {}, schema=pa.schema([("id", pa.int64()), ("FARE", pa.float64())]))
    assert rows(tmp_path) == [{"id": 1, "FARE": 2.5}]


def test_nested_columns_that_changed(make: Make, tmp_path: Path) -> None:
    old_struct = pa.struct([("a", pa.int32()), ("Zip", pa.string())])
    new_struct = pa.struct([("b", pa.float64()), ("a", pa.int64()), ("ZIP", pa.string())])
    value = {"a": 1, "Zip": "x"}
    kinds = [(old_struct, new_struct), (pa.list_(old_struct), pa.list_(new_struct))]
    kinds.append((pa.map_(pa.string(), old_struct), pa.map_(pa.string(), new_struct)))
    old_values: list[list[Any]] = [[value, None], [[value, None], None], [[("k", value)], None]]
    old = pa.table({"id": ids(1, 2)} | {f"n{i}": pa.array(v, kinds[i][0]) for i, v in enumerate(old_values)})
    new_value = {"b": 0.5, "a": 2**40, "ZIP": "y"}
    new_values: list[list[Any]] = [[new_value], [[new_value]], [[("k", new_value)]]]
    new = pa.table({"id": ids(3)} | {f"n{i}": pa.array(v, kinds[i][1]) for i, v in enumerate(new_values)})
    two_files(make(), old, new)
    grown = {"b": None, "a": 1, "ZIP": "x"}
    assert rows(tmp_path) == [
        {"id": 1, "n0": grown, "n1": [grown, None], "n2": [("k", grown)]},
        {"id": 2, "n0": None, "n1": None, "n2": None},
        {"id": 3, "n0": new_value, "n1": [new_value], "n2": [("k", new_value)]},
    ]


def test_times_of_every_kind(make: Make, tmp_path: Path) -> None:
    early = dt.datetime(1500, 1, 1, 12, tzinfo=UTC)
    table = make()
    old = pa.table({"id": ids(1), "t": pa.array([early], pa.timestamp("us", "UTC"))})
    table.commit(FIRST, {("", "a"): old}, use_deprecated_int96_timestamps=True)
    new = pa.table({"id": ids(2), "t": pa.array([early], pa.timestamp("us", "UTC"))})
    table.commit(SECOND, {("", "b"): new})
    local = pa.table({"id": ids(3), "t": pa.array([early.replace(tzinfo=None)], pa.timestamp("us"))})
    table.commit(THIRD, {("", "c"): local}, schema=new.schema)
    assert rows(tmp_path) == [{"id": i, "t": early} for i in (1, 2, 3)]


def test_odd_names(make: Make, tmp_path: Path) -> None:
    odd = ['say "hi"', "semi;colon", "select", "a.b", "ünïcode", "with space", "filename"]
    table = make()
    table.commit(FIRST, {("", "a"): pa.table({"id": ids(1)} | {n: [n] for n in odd})})
    assert rows(tmp_path) == [{"id": 1} | {n: n for n in odd}]
    lake = dk.connect(tmp_path)
    assert len(dk.hudi.read(lake, "db.t", where='"say ""hi""" = :v', params={"v": odd[0]})) == 1


def test_a_table_without_a_schema_in_its_commits(make: Make, tmp_path: Path) -> None:
    table = make()
    two_files(table, pa.table({"id": ids(1), "Fare": pa.array([1], pa.int32())}), pa.table({"id": ids(2)}))
    newest = pa.table({"id": ids(3), "FARE": pa.array([2**40])})
    table.commit(THIRD, {("", "c"): newest})
    for file in (tmp_path / "db" / "t" / ".hoodie").glob("*.commit"):
        file.write_text(file.read_text().replace('"schema"', '"no schema"'))
    assert rows(tmp_path) == [{"id": 1, "FARE": 1}, {"id": 2, "FARE": None}, {"id": 3, "FARE": 2**40}]


# --- partitions


def test_null_partitions(make: Make, tmp_path: Path) -> None:
    table = make(partition=["city"])
    named = pa.table({"id": ids(1), "city": ["Athens"]})
    nameless = pa.table({"id": ids(2), "city": pa.array([None], pa.string())})
    table.commit(
        FIRST, {("city=Athens", "a"): named, ("city=__HIVE_DEFAULT_PARTITION__", "b"): nameless}, schema=named.schema
    )
    assert rows(tmp_path) == [{"id": 1, "city": "Athens"}, {"id": 2, "city": None}]
    assert len(dk.hudi.read(dk.connect(tmp_path), "db.t", where="city IS NULL")) == 1


DROPPED = {"hoodie.datasource.write.drop.partition.columns": "true"}
HIVE = {"hoodie.datasource.write.hive_style_partitioning": "true"}
ENCODED = {"hoodie.datasource.write.partitionpath.urlencode": "true"}


@pytest.mark.parametrize(
    ("kind", "folder", "value", "more"),
    [
        (pa.int32(), "p=7", 7, HIVE),
        (pa.int64(), "p=-9000000000", -9000000000, HIVE),
        (pa.string(), "p=007", "007", HIVE),
        (pa.string(), "007", "007", {}),
        (pa.string(), "2026/01/01", "2026/01/01", {}),
        (pa.string(), "p=a%2Fb%3Dc", "a/b=c", HIVE | ENCODED),
        (pa.string(), "p=a%2Fb", "a%2Fb", HIVE),
        (pa.string(), "p=it's", "it's", HIVE),
        (pa.string(), "p=x", "p=x", {"hoodie.datasource.write.hive_style_partitioning": "false"}),
        (pa.string(), "p=__HIVE_DEFAULT_PARTITION__", None, HIVE),
        (pa.int32(), "__HIVE_DEFAULT_PARTITION__", None, {}),
        (pa.date32(), "p=2026-03-01", dt.date(2026, 3, 1), HIVE),
        (pa.bool_(), "p=true", True, HIVE),
        (pa.float64(), "p=2.5", 2.5, HIVE),
        (pa.decimal128(10, 2), "p=2.50", Decimal("2.50"), HIVE),
    ],
    ids=str,
)
def test_dropped_partition_columns_come_from_the_path(
    make: Make, tmp_path: Path, kind: pa.DataType, folder: str, value: Any, more: dict[str, str]
) -> None:
    table = make(partition=["p"], properties=DROPPED | more)
    schema = pa.schema([("id", pa.int64()), ("p", kind)])
    table.commit(FIRST, {(folder, "a"): pa.table({"id": ids(1)})}, schema=schema)
    assert rows(tmp_path) == [{"id": 1, "p": value}]
    assert rows(tmp_path, columns=["P"]) == [{"p": value}]


def test_two_dropped_columns(make: Make, tmp_path: Path) -> None:
    table = make(partition=["year", "city"], properties=DROPPED)
    schema = pa.schema([("id", pa.int64()), ("year", pa.int32()), ("city", pa.string())])
    files = {("2025/Athens", "a"): pa.table({"id": ids(1)}), ("2026/Rome", "b"): pa.table({"id": ids(2)})}
    table.commit(FIRST, files, schema=schema)
    assert rows(tmp_path) == [{"id": 1, "year": 2025, "city": "Athens"}, {"id": 2, "year": 2026, "city": "Rome"}]
    assert len(dk.hudi.read(dk.connect(tmp_path), "db.t", where="year = 2026 AND city = 'Rome'")) == 1


@pytest.mark.parametrize(
    ("kind", "folder", "more", "match"),
    [
        (pa.int32(), "p=seven", {}, "gives no int32 for 'p'"),
        (pa.timestamp("us", "UTC"), "p=1", {}, "is not read from a path"),
        (pa.bool_(), "p=yes", {}, "neither true nor false"),
        (pa.string(), "2026", {"hoodie.table.keygenerator.type": "TIMESTAMP"}, "does not give the value back"),
        (
            pa.string(),
            "2026",
            {"hoodie.table.keygenerator.class": "org.apache.hudi.keygen.TimestampBasedKeyGenerator"},
            "TimestampBasedKeyGenerator.*does not give the value back",
        ),
        (pa.string(), "2026", {"hoodie.table.partition.fields": "p:TIMESTAMP"}, "does not give the value back"),
        (pa.string(), "a/b/c", {"hoodie.table.partition.fields": "p,id"}, "has 3 parts and the table 2"),
    ],
    ids=str,
)
def test_paths_that_do_not_give_the_value_back_are_refused(
    make: Make, tmp_path: Path, kind: pa.DataType, folder: str, more: dict[str, str], match: str
) -> None:
    table = make(partition=["p"], properties=DROPPED | more)
    schema = pa.schema([("id", pa.int64()), ("p", kind)])
    table.commit(FIRST, {(folder, "a"): pa.table({"id": ids(1)})}, schema=schema)
    lake = dk.connect(tmp_path)
    for job in (lambda: dk.hudi.read(lake, "db.t"), lambda: lake.sql("SELECT p FROM db.t")):
        with pytest.raises(HudiError, match=match):
            job()


# --- schemas that are evolved by column numbers


def numbered(*columns: tuple[int, str]) -> dict[str, Any]:
    """A schema as Hudi keeps it under .hoodie/.schema."""
    fields = [{"id": i, "name": n, "optional": True, "type": "long"} for i, n in columns]
    return {"max_column_id": 9, "version_id": 20260101000000000, "type": "record", "fields": fields}


@pytest.mark.parametrize(
    ("schemas", "refused"),
    [
        ([numbered((0, "id"), (1, "fare"))], None),
        ([numbered((0, "id"), (1, "Fare")), numbered((0, "id"), (1, "fare"), (2, "tip"))], None),
        ([numbered((0, "id"), (1, "price")), numbered((0, "id"), (1, "fare"))], "price -> fare was renamed"),
        ([numbered((0, "id"), (1, "fare")), numbered((0, "id"), (2, "fare"))], "fare was dropped and added anew"),
        ([], "is gone"),
        (None, "cannot be read"),
    ],
    ids=["one", "by case", "renamed", "anew", "gone", "broken"],
)
def test_renamed_columns_are_refused(
    make: Make, tmp_path: Path, schemas: list[dict[str, Any]] | None, refused: str | None
) -> None:
    table = make()
    two_files(table, pa.table({"id": ids(1), "fare": ids(5)}), pa.table({"id": ids(2), "fare": ids(6)}))
    table.commit(THIRD, {}, schema=pa.schema([("id", pa.int64()), ("fare", pa.int64())]), extra={"latest_schema": "{}"})
    history = tmp_path / "db" / "t" / ".hoodie" / ".schema"
    history.mkdir()
    if schemas != []:
        (history / f"{THIRD}.schemacommit").write_text("{" if schemas is None else json.dumps({"schemas": schemas}))
    if refused is None:
        assert len(rows(tmp_path)) == 2
        return
    with pytest.raises(HudiError, match=refused):
        dk.hudi.read(dk.connect(tmp_path), "db.t")
    assert len(dk.hudi.read(dk.connect(tmp_path), "db.t", as_of=SECOND)) == 2
