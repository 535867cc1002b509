"""Conditions, batches, views and counts of `dk.hudi`, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.errors import (
    ColumnNotFoundError,
    DatalakeKitError,
    EngineError,
    HudiError,
    ParameterError,
    SqlError,
    UnreadableFileError,
)
from datalake_kit.hudi.condition import condition
from datalake_kit.hudi.filtering import closed_cursor, filtered_batches
from datalake_kit.hudi.snapshot import open_snapshot
from tests.hudi_tables import CowTable
from tests.replication import PUBLIC_ROWS, READABLE, TRUTH, digest, lake_of, odp_table, public_table

TABLES = {f"p{i}": public_table(n) for i, n in enumerate(PUBLIC_ROWS)} | {
    f"o{i}": odp_table(n) for i, n in enumerate(READABLE)
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> dk.Lake:
    return dk.connect(lake_of(tmp_path_factory.mktemp("where") / "lake", TABLES))


def multiset(rows: pa.Table) -> Counter[Any]:
    return Counter(zip(*([repr(v) for v in c.to_pylist()] for c in rows.columns), strict=True))


# --- what a condition means


@pytest.mark.parametrize("table", TABLES)
def test_a_condition_means_what_it_means_in_sql(lake: dk.Lake, table: str) -> None:
    whole = dk.hudi.read(lake, f"taxi.{table}", arrow=True)
    name = whole.schema.names[0]
    values = [v for v in whole.column(name).to_pylist() if isinstance(v, (int, str)) and not isinstance(v, bool)]
    some = sorted(set(values))[: max(1, len(set(values)) // 2)]
    text, params = f'"{name}" IN (:some) OR "{name}" IS NULL', {"some": some or [1]}
    found = dk.hudi.read(lake, f"taxi.{table}", where=text, params=params, arrow=True)
    assert found.schema.equals(whole.schema)
    keep = [v in some or v is None for v in whole.column(name).to_pylist()]
    assert multiset(found) == multiset(whole.filter(pa.array(keep, pa.bool_())))
    number = lake.sql(f"SELECT count(*) AS n FROM taxi.{table} WHERE {text}", params=params)["n"][0]
    assert found.num_rows == number
    by_batches = dk.hudi.batches(lake, f"taxi.{table}", where=text, params=params, rows=100)
    assert multiset(by_batches.read_all()) == multiset(found)


CONDITIONS: list[tuple[str, dict[str, Any]]] = [
    ("vendorid = :v AND total_amount > 10", {"v": 2}),
    ("VendorID = 1 OR (total_amount BETWEEN :low AND :high)", {"low": Decimal("5.5"), "high": 20}),
    ("store_and_fwd_flag IS NULL", {}),
    ("cdc_timestamp_seq LIKE '2026%' AND length(cdc_timestamp_seq) = 35", {}),
    ("NOT (pk_id % 2 = 0)", {}),
    ("pk_id IN (:ids)", {"ids": np.arange(5)}),
    ("cdc_timestamp_seq <> ':v -- /* ; '", {}),
    ("pk_id / 2 = 3", {}),
    ("coalesce(vendorid, 0) = 0", {}),
    ("CASE WHEN pk_id < 10 THEN true ELSE false END", {}),
    ("FALSE", {}),
]


@pytest.mark.parametrize(("text", "params"), CONDITIONS, ids=[c for c, _ in CONDITIONS])
def test_conditions_over_every_kind_of_table(lake: dk.Lake, text: str, params: dict[str, Any]) -> None:
    for number, name in enumerate(READABLE):
        columns = [c.name for c in lake.table(f"taxi.o{number}").columns]
        if "store_and_fwd_flag" in text and "store_and_fwd_flag" not in columns:
            continue
        if name not in ("tables/v6_table_4.zip", "tables/v6_table_10_mor.zip", "tables/v8_table_2_mor_uncompacted.zip"):
            continue
        found = dk.hudi.read(
            lake, f"taxi.o{number}", columns=["PK_ID", "VENDORID", "TOTAL_AMOUNT"], where=text, params=params
        )
        by_sql = lake.sql(f"SELECT pk_id, vendorid, total_amount FROM taxi.o{number} WHERE {text}", params=params)
        assert sorted(map(repr, found.itertuples(index=False, name=None))) == sorted(
            map(repr, by_sql.itertuples(index=False, name=None))
        )


def test_hudis_own_columns_and_the_past_can_be_asked(lake: dk.Lake) -> None:
    number = READABLE.index("tables/v6_table_10.zip")
    commits = TRUTH["tables/v6_table_10.zip"]["commits"]
    newest = dk.hudi.read(
        lake, f"taxi.o{number}", where="_hoodie_commit_time = :c", params={"c": commits[-2]["instant"]}, arrow=True
    )
    assert 0 < newest.num_rows < 10
    past = dk.hudi.read(lake, f"taxi.o{number}", where="pk_id > 0", as_of=commits[0]["instant"], arrow=True)
    assert digest(past) == commits[0]["md5_as_of"]


HOSTILE = [
    "1=1) UNION SELECT * FROM taxi.o1 --",
    "1=1) OR (1=1",
    "1=1); DROP TABLE x; --",
    "1=1;",
    "1=1 -- comment",
    "1=1 /* comment */",
    "/* comment */ 1=1",
    "pk_id IN (SELECT pk_id FROM taxi.o1)",
    "EXISTS (SELECT 1)",
    "pk_id = (SELECT max(pk_id) FROM taxi.o1)",
    "pk_id IN (TABLE taxi.o1)",
    "pk_id IN (VALUES 1)",
    "(pk_id = 1",
    "pk_id = 1)",
    "pk_id = 'abc",
    'pk_id = "abc',
    "1=1 GROUP BY pk_id",
    "1=1 ORDER BY pk_id",
    "1=1 LIMIT 1",
    "1=1 UNION ALL SELECT 1",
    "pk_id > 0, 1",
    "EXISTS (SELECT * FROM read_parquet('/etc/passwd'))",
    "read_text('/etc/passwd') IS NOT NULL",
    "getenv('HOME') = 'x'",
    "count(*) > 1",
    "row_number() OVER () = 1",
    "SELECT 1",
    "pk_id",
    "",
    "   ",
    "pk_id = 1 WHERE 1=1",
    "pk_id = 1 AND",
    "unnest(ARRAY[1]) = 1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_where_that_leaves_its_place_is_refused(lake: dk.Lake, text: str) -> None:
    for job in (dk.hudi.read, dk.hudi.batches):
        with pytest.raises((SqlError, ColumnNotFoundError)):
            job(lake, "taxi.o0", where=text)


@given(st.lists(st.sampled_from(["(", ")", "1=1", "OR", "AND", "SELECT 1", ";", "--", "'", '"', "/*", "*/", "UNION"])))
def test_no_text_reaches_beyond_one_condition(words: list[str]) -> None:
    text = " ".join(words)
    try:
        statement = condition(text, None).statement(pa.schema([("id", pa.int64())]), ["id"])
    except DatalakeKitError:
        return
    assert len(duckdb.extract_statements(statement)) == 1
    assert statement.count("FROM") == statement.count("SELECT") == 1
    assert statement.startswith('SELECT "dk_rows"."id" AS "id" FROM "dk_rows" AS "dk_rows" WHERE (')


def test_values_are_bound_not_pasted(lake: dk.Lake) -> None:
    hostile = "x' OR '1'='1"
    found = dk.hudi.read(lake, "taxi.o0", where="cdc_timestamp_seq = :v", params={"v": hostile})
    assert len(found) == 0
    with pytest.raises(ParameterError, match="No value for :v"):
        dk.hudi.read(lake, "taxi.o0", where="pk_id = :v")
    with pytest.raises(ParameterError, match="does not use w"):
        dk.hudi.read(lake, "taxi.o0", where="pk_id = :v", params={"v": 1, "w": 2})
    with pytest.raises(ParameterError, match="there is no where"):
        dk.hudi.read(lake, "taxi.o0", params={"v": 1})
    with pytest.raises(ParameterError, match="empty list"):
        dk.hudi.read(lake, "taxi.o0", where="pk_id IN (:v)", params={"v": []})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("count(*) > 1", "an aggregate"),
        ("pk_id = max(pk_id)", "an aggregate"),
        ("rank() OVER () = 1", "a window function"),
    ],
)
def test_what_looks_at_several_rows_is_refused_in_words(lake: dk.Lake, text: str, kind: str) -> None:
    with pytest.raises(SqlError, match=f"is not one condition.*it holds {kind}"):
        dk.hudi.read(lake, "taxi.o0", where=text)


def test_what_athena_would_refuse_is_refused(lake: dk.Lake) -> None:
    with pytest.raises(SqlError, match="bigint"):
        dk.hudi.read(lake, "taxi.o0", where="pk_id = 'abc'")
    with pytest.raises(ColumnNotFoundError, match="pk_id"):
        dk.hudi.read(lake, "taxi.o0", where="pkid = 1")
    with pytest.raises(EngineError, match="Cannot cast"):
        dk.hudi.read(lake, "taxi.o0", where="CAST(cdc_timestamp_seq AS integer) = 1")


def test_a_database_of_its_own_reaches_the_tables_files_and_nothing_else(tmp_path: Path) -> None:
    snapshot = open_snapshot(odp_table("tables/v6_table_1"))
    cursor = closed_cursor(snapshot.parts)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    with pytest.raises(Exception, match="disabled by configuration"):
        cursor.execute(f"SELECT * FROM read_parquet('{other}')")
    with pytest.raises(Exception, match="Cannot enable external access"):
        cursor.execute("SET enable_external_access = true")
    batches = filtered_batches(snapshot, snapshot.schema(), condition("pk_id > 2000", None), cursor, 1000)
    assert sum(b.num_rows for b in batches) == 200


# --- views, counts, batches


def test_read_optimized_leaves_out_what_log_files_changed(lake: dk.Lake) -> None:
    name = "tables/v8_table_3_mor.zip"
    table = f"taxi.o{READABLE.index(name)}"
    base = dk.hudi.read(lake, table, view="read_optimized", arrow=True)
    assert base.num_rows == 2000 == dk.hudi.count(lake, table, view="read_optimized")
    assert digest(base) == TRUTH[name]["commits"][0]["md5_as_of"]
    assert len(dk.hudi.read(lake, table, view="read_optimized", where="pk_id > 0")) == 2000
    assert dk.hudi.count(lake, table) == TRUTH[name]["rows"] == 1920


def test_read_optimized_is_the_same_on_copy_on_write(lake: dk.Lake) -> None:
    for number, name in enumerate(READABLE):
        if TRUTH[name]["type"] == "COPY_ON_WRITE":
            both = [dk.hudi.read(lake, f"taxi.o{number}", view=v, arrow=True) for v in ("snapshot", "read_optimized")]
            assert both[0].equals(both[1])


def test_read_optimized_needs_no_log_file(tmp_path: Path) -> None:
    table = lake_of(tmp_path / "lake", {"t": odp_table("tables/v8_table_3_mor")}) / "taxi" / "t"
    for log in table.rglob(".*.log.*"):
        if log.suffix != ".crc":
            log.unlink()
    lake = dk.connect(tmp_path / "lake")
    with pytest.raises(UnreadableFileError, match=r"log file .* is gone"):
        dk.hudi.read(lake, "taxi.t")
    assert dk.hudi.count(lake, "taxi.t", view="read_optimized") == 2000


@pytest.mark.parametrize("name", READABLE)
def test_count_is_hudis_own(lake: dk.Lake, name: str) -> None:
    table = f"taxi.o{READABLE.index(name)}"
    assert dk.hudi.count(lake, table) == TRUTH[name]["rows"]
    for commit in TRUTH[name]["commits"]:
        if commit["rows_as_of"] is not None:
            assert dk.hudi.count(lake, table, as_of=commit["instant"]) == commit["rows_as_of"]


def test_batches_are_no_longer_than_asked(lake: dk.Lake) -> None:
    for table in ("taxi.o0", f"taxi.o{READABLE.index('tables/v6_table_10_mor.zip')}"):
        for where in (None, "pk_id > 10"):
            sizes = [b.num_rows for b in dk.hudi.batches(lake, table, rows=300, where=where)]
            assert max(sizes) <= 300
            assert sum(sizes) == len(dk.hudi.read(lake, table, where=where))
    reader = dk.hudi.batches(lake, "taxi.o0", columns=["pk_id"])
    assert json.loads(reader.schema.metadata[b"hudi"])["view"] == "snapshot"
    assert reader.read_next_batch().schema.names == ["PK_ID"]


def test_a_file_that_goes_while_it_is_read_is_named(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    one = pa.table({"id": pa.array([1, 2], pa.int64())})
    table.commit("20260101000000000", {("", "a"): one, ("", "b"): one})
    lake = dk.connect(tmp_path)
    for where in (None, "id > 0"):
        reader = dk.hudi.batches(lake, "db.t", where=where)
        file = next((tmp_path / "db" / "t").glob("b_*.parquet"))
        kept = file.read_bytes()
        file.unlink()
        with pytest.raises(UnreadableFileError, match=r"b_0-0-0_.*\.parquet"):
            reader.read_all()
        file.write_bytes(kept)


# --- wrong arguments


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": "PK_ID"}, "list of names"),
        ({"columns": 5}, "list of names"),
        ({"columns": [5]}, "named by text"),
        ({"columns": []}, "no column"),
        ({"columns": ["pk_id", "PK_ID"]}, "'PK_ID' twice"),
        ({"where": 5}, "condition as text"),
        ({"where": "pk_id = 1", "params": [1]}, "params is a dict"),
        ({"view": "x"}, "view='x' is none of 'snapshot', 'read_optimized'"),
        ({"arrow": "yes"}, "arrow is True or False"),
        ({"as_of": 5}, "A moment is"),
        ({"as_of": b"20260101000000"}, "A moment is"),
        ({"as_of": dt.time(1)}, "A moment is"),
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"timezone": 5}, "no time zone"),
    ],
    ids=str,
)
def test_wrong_options_are_told(lake: dk.Lake, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        dk.hudi.read(lake, "taxi.o0", **options)


def test_wrong_tables_and_lakes_are_told(lake: dk.Lake, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="named by text"):
        dk.hudi.read(lake, 5)  # type: ignore[call-overload]
    with pytest.raises(ParameterError, match="is a lake"):
        dk.hudi.read("demo-lake", "taxi.o0")  # type: ignore[call-overload]
    with pytest.raises(ParameterError, match="rows is a number"):
        dk.hudi.batches(lake, "taxi.o0", rows=0)
    (tmp_path / "taxi" / "plain").mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "taxi" / "plain" / "a.parquet")
    with pytest.raises(HudiError, match="no Hudi table"):
        dk.hudi.count(dk.connect(tmp_path), "taxi.plain")


def test_a_closed_lake_is_told(tmp_path: Path) -> None:
    with dk.connect(lake_of(tmp_path / "lake", {"t": odp_table("tables/v6_table_1")})) as closed:
        begun = dk.hudi.batches(closed, "taxi.t")
    assert begun.read_all().num_rows == 2200
    jobs: list[Any] = [dk.hudi.read, dk.hudi.count, dk.hudi.batches]
    jobs += [lambda *a: dk.hudi.read(*a, where="pk_id = 1"), lambda *a: dk.hudi.changes(*a, since="20261123215858787")]
    for job in jobs:
        with pytest.raises(EngineError, match="The lake is closed"):
            job(closed, "taxi.t")


def test_the_result_says_what_it_is(lake: dk.Lake) -> None:
    table = f"taxi.o{READABLE.index('tables/v6_table_1.zip')}"
    newest = TRUTH["tables/v6_table_1.zip"]["commits"][-1]["instant"]
    told = {
        "instant": newest, "as_of": None, "timezone": "UTC (assumed: the table says LOCAL)", "view": "snapshot",
    }  # fmt: skip
    assert dk.hudi.read(lake, table).attrs["hudi"] == told
    shown = dk.hudi.read(lake, table, where="pk_id = 1", arrow=True).schema.metadata
    assert json.loads(shown[b"hudi"]) == told
    assert pc.sum(dk.hudi.read(lake, table, arrow=True).column("PK_ID")).as_py() > 0
