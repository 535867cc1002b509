"""Random tables with random single-cell changes: exactly the changed keys and columns come out, on real servers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit.cdc.source import open_source
from datalake_kit.errors import DataError
from tests.sources.conftest import Database, fill

pytestmark = pytest.mark.external

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
MOMENTS = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 31))
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**63), 2**63 - 1),
    "d": st.decimals(1 - 10**16, 10**16 - 1, places=2),
    "f": st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    "t": TEXT,
    "m": MOMENTS,
    "b": st.binary(max_size=5),
    "y": st.dates(dt.date(1000, 1, 1)),
}
TYPES = {
    "postgresql": "k bigint primary key, i bigint, d numeric(18,2), f float8, t text, m timestamp(6), b bytea, y date",
    "mysql": "k bigint primary key, i bigint, d decimal(18,2), f double, t longtext, m datetime(6), b longblob, y date",
}
ARROW = {
    "k": pa.int64(), "i": pa.int64(), "d": pa.decimal128(18, 2), "f": pa.float64(), "t": pa.string(),
    "m": pa.timestamp("us"), "b": pa.binary(), "y": pa.date32(),
}  # fmt: skip
Row = dict[str, Any]
FINE = 99  # a row with a microsecond: else the lake might hold milliseconds only, and finer digits would not count


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Row], dict[int, str], list[Row]]:
    """Rows, the key and column of each change, and the changed rows."""
    keys = sorted(draw(st.sets(st.one_of(st.integers(0, 50), CELLS["i"]), min_size=1, max_size=25)) - {FINE})
    rows = [{"k": k, **{c: draw(st.none() | cell) for c, cell in CELLS.items()}} for k in keys]
    rows.append({"k": FINE, **dict.fromkeys(CELLS), "m": dt.datetime(2024, 1, 1, microsecond=1)})
    changes: dict[int, str] = {}
    other = [dict(r) for r in rows]
    for position in draw(st.sets(st.integers(0, len(keys) - 1), max_size=4)):
        column = draw(st.sampled_from(list(CELLS)))
        value = draw(st.none() | CELLS[column])
        if value != rows[position][column]:
            other[position][column] = value
            changes[keys[position]] = column
    return rows, changes, other


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(worlds())
def test_exactly_the_changed_cells_come_out(
    fresh: Database, world: tuple[list[Row], dict[int, str], list[Row]]
) -> None:
    rows, changes, other = world
    fresh.run("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({TYPES[fresh.service.scheme]})")
    fresh.insert("t", [tuple(r.values()) for r in rows])
    lake = duckdb.connect(config={"threads": "1"})
    lake.register("t", pa.table({c: pa.array([r[c] for r in other], kind) for c, kind in ARROW.items()}))
    with open_source(fresh.service.url, "t") as source:
        found = source.differences(lake, "t", None, ["k"], leaf_rows=2, fan_out=4)
    lake.close()
    assert found.not_compared == {}
    assert found.keys.changed == sorted(changes)
    assert (found.keys.missing, found.keys.extra, found.keys.duplicates) == ([], [], {})
    assert {c.key: c.column for c in found.columns} == changes
    by_key = {r["k"]: r for r in other}
    assert all(c.after == by_key[c.key][c.column] for c in found.columns)


def test_a_table_of_two_hundred_columns(fresh: Database) -> None:
    names = [f"c{i}" for i in range(200)]
    fresh.run(f"CREATE TABLE t (k int primary key, {', '.join(f'{n} int' for n in names)})")
    fresh.insert("t", [(k, *(k + i for i in range(200))) for k in range(50)])
    lake = duckdb.connect()
    lake.execute(f"CREATE TABLE t AS SELECT k::INT AS k, {', '.join(f'(k + {i})::INT AS c{i}' for i in range(200))} "
                 "FROM range(50) r(k)")  # fmt: skip
    lake.execute("UPDATE t SET c199 = -1 WHERE k = 49")
    with open_source(fresh.service.url, "t") as source:
        found = source.differences(lake, "t", None, ["k"])
    assert [(c.key, c.column, c.before, c.after) for c in found.columns] == [(49, "c199", 248, -1)]


def test_a_row_too_long_for_the_server_is_not_passed_over(on_mariadb: Database) -> None:
    on_mariadb.run("CREATE TABLE t (k int primary key, a longtext, b longtext)")
    on_mariadb.run("INSERT INTO t VALUES (1, repeat('x', 9000000), repeat('y', 9000000)), (2, 'a', 'b')")
    lake = duckdb.connect()
    fill(lake, [(2, "a", "b")], "k INT, a VARCHAR, b VARCHAR")
    with open_source(on_mariadb.service.url, "t") as source, pytest.raises(DataError, match="too long for the server"):
        source.differences(lake, "t", None, ["k"])
    with open_source(on_mariadb.service.url, "t") as source:
        assert source.differences(lake, "t", ["a"], ["k"]).keys.missing == [1]


def test_a_view_without_a_key_of_its_own(fresh: Database) -> None:
    fresh.run("CREATE TABLE t (k int primary key, v int)", "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
    fresh.run("DROP VIEW IF EXISTS seen", "CREATE VIEW seen AS SELECT k, v FROM t WHERE k < 3")
    lake = duckdb.connect()
    fill(lake, [(1, Decimal(10)), (2, Decimal(21))], "k INT, v INT")
    with open_source(fresh.service.url, "seen") as source:
        assert source.keys == ()
        assert source.differences(lake, "t", None, ["k"]).keys.changed == [2]
    fresh.run("DROP VIEW seen")
