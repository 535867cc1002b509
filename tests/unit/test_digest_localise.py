"""Keys that differ are found exactly, whatever the keys look like; DuckDB against DuckDB."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.cdc.digest import DuckDBSide, compare_sides
from datalake_kit.cdc.digest.dialect import DigestDialect
from datalake_kit.cdc.digest.localise import Localised
from datalake_kit.cdc.digest.pair import PairDifferences
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError

CONNECTIONS = duckdb.connect(config={"threads": "1"}), duckdb.connect(config={"threads": "1"})
SMALL = {"fan_out": 4, "leaf_rows": 3, "most_ranges": 10_000}


def compared(ours: str, theirs: str, keys: Sequence[str] = ("k",), **options: Any) -> PairDifferences:
    sides = [DuckDBSide(c, r, n) for c, r, n in zip(CONNECTIONS, (ours, theirs), ("the source", "it"), strict=True)]
    return compare_sides(sides[0], sides[1], keys, **options)


def table(rows: Sequence[tuple[Any, ...]], types: str) -> str:
    """Rows as a subquery, of columns k, v."""
    names, kinds = zip(*(part.split(" ", 1) for part in types.split(", ")), strict=True)
    if not rows:
        return f"(SELECT {', '.join(f'NULL::{t} AS {n}' for n, t in zip(names, kinds, strict=True))} LIMIT 0)"
    lines = ", ".join(f"({', '.join(literal(v) for v in row)})" for row in rows)
    casts = ", ".join(f"{n}::{t} AS {n}" for n, t in zip(names, kinds, strict=True))
    return f"(SELECT {casts} FROM (VALUES {lines}) AS v({', '.join(names)}))"


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "decode('" + "".join(f"\\x{b:02X}" for b in value.encode()) + "'::BLOB)" if value else "''"
    return repr(value)


def oracle(ours: Sequence[tuple[Any, ...]], theirs: Sequence[tuple[Any, ...]], width: int) -> dict[str, Any]:
    """Keys that differ, by plain Python."""
    left: dict[Any, list[Any]] = {}
    right: dict[Any, list[Any]] = {}
    for rows, held in ((ours, left), (theirs, right)):
        for row in rows:
            held.setdefault(row[:width] if width > 1 else row[0], []).append(row[width:])
    found: dict[str, Any] = {"missing": set(), "extra": set(), "changed": set(), "duplicates": {}}
    for key in left.keys() | right.keys():
        a, b = left.get(key, []), right.get(key, [])
        if Counter(a) == Counter(b):
            continue
        if len(a) > 1 or len(b) > 1:
            found["duplicates"][key] = (len(a), len(b))
        else:
            found["missing" if not b else "changed" if a else "extra"].add(key)
    return found


def as_sets(found: Localised) -> dict[str, Any]:
    assert found.exact
    return {
        "missing": set(found.missing), "extra": set(found.extra), "changed": set(found.changed),
        "duplicates": found.duplicates,
    }  # fmt: skip


# --- random tables with random damage

INTEGERS = st.one_of(st.integers(-5, 40), st.integers(-(2**63), 2**63 - 1))
WORDS = st.text(st.sampled_from("aAbé~|:1 '\\\"\U0001f600\u0301\n"), max_size=4)
VALUES = st.one_of(st.none(), st.text(max_size=3), WORDS)


@st.composite
def two_tables(draw: st.DrawFn, key: st.SearchStrategy[Any], repeated: bool) -> tuple[list[Any], list[Any]]:
    keys = draw(st.lists(key, max_size=60, unique=not repeated))
    ours = [(*(k if isinstance(k, tuple) else (k,)), draw(VALUES)) for k in keys]
    theirs = list(ours)
    for position in sorted(draw(st.sets(st.integers(0, max(0, len(ours) - 1)), max_size=6)), reverse=True):
        if position >= len(theirs):
            continue
        match draw(st.sampled_from(["change", "remove", "repeat", "add"])):
            case "change":
                theirs[position] = (*theirs[position][:-1], draw(VALUES))
            case "remove":
                del theirs[position]
            case "repeat":
                theirs.append(theirs[position])
            case "add":
                extra = draw(key)
                theirs.append((*(extra if isinstance(extra, tuple) else (extra,)), draw(VALUES)))
    return ours, theirs


@settings(max_examples=80, deadline=None)
@given(two_tables(INTEGERS, repeated=True))
def test_integer_keys(tables: tuple[list[Any], list[Any]]) -> None:
    ours, theirs = tables
    found = compared(table(ours, "k BIGINT, v VARCHAR"), table(theirs, "k BIGINT, v VARCHAR"), **SMALL)
    assert as_sets(found.keys) == oracle(ours, theirs, 1)
    assert (found.keys.source_rows, found.keys.other_rows) == (len(ours), len(theirs))


@settings(max_examples=40, deadline=None)
@given(two_tables(WORDS, repeated=True))
def test_text_keys_in_the_order_of_their_bytes(tables: tuple[list[Any], list[Any]]) -> None:
    ours, theirs = tables
    found = compared(table(ours, "k VARCHAR, v VARCHAR"), table(theirs, "k VARCHAR, v VARCHAR"), **SMALL)
    assert as_sets(found.keys) == oracle(ours, theirs, 1)


@settings(max_examples=40, deadline=None)
@given(two_tables(st.tuples(st.integers(-3, 3), WORDS), repeated=False))
def test_keys_of_two_columns(tables: tuple[list[Any], list[Any]]) -> None:
    ours, theirs = tables
    types = "a BIGINT, b VARCHAR, v VARCHAR"
    found = compared(table(ours, types), table(theirs, types), ("a", "b"), **SMALL)
    assert as_sets(found.keys) == oracle(ours, theirs, 2)


# --- single cells


def test_the_smallest_change_of_every_type_is_seen() -> None:
    kinds = {
        "BIGINT": "v + 1", "DECIMAL(38,10)": "v + 0.0000000001", "DOUBLE": "nextafter(v, 1e300)", "VARCHAR": "v || ' '",
        "TIMESTAMP": "v + INTERVAL 1 MICROSECOND", "DATE": "v + 1", "BLOB": "v || '\\x00'::BLOB", "BOOLEAN": "NOT v",
        "FLOAT": "(v::FLOAT * 1.0000001)::FLOAT", "TIME": "v + INTERVAL 1 MICROSECOND",
    }  # fmt: skip
    values = {
        "BIGINT": "k", "DECIMAL(38,10)": "k", "DOUBLE": "k / 7", "VARCHAR": "k", "DATE": "DATE '1970-01-01' + k::INT",
        "TIMESTAMP": "make_timestamp(1600000000000001 + k)", "BLOB": "encode(k::VARCHAR)", "BOOLEAN": "k % 2 = 0",
        "FLOAT": "1 + k / 8", "TIME": "TIME '01:02:03.000001'",
    }  # fmt: skip
    for kind, change in kinds.items():
        ours = f"(SELECT k, ({values[kind]})::{kind} AS v FROM range(5000) r(k))"
        theirs = f"(SELECT k, CASE WHEN k = 3217 THEN ({change})::{kind} ELSE v END AS v FROM {ours})"
        found = compared(ours, theirs)
        assert found.keys.changed == [3217], kind
        assert [(c.key, c.column) for c in found.columns] == [(3217, "v")], kind


def test_differing_columns_have_their_values() -> None:
    ours = "(SELECT 1 AS k, 'a|b' AS x, NULL::VARCHAR AS y, 1.5::DOUBLE AS z, DATE '2024-02-29' AS d)"
    theirs = "(SELECT 1 AS k, 'a|B' AS x, '' AS y, 1.5::DOUBLE AS z, DATE '2024-03-01' AS d)"
    found = compared(ours, theirs)
    assert [(c.column, c.before, c.after) for c in found.columns] == [
        ("x", "a|b", "a|B"), ("y", None, ""), ("d", dt.date(2024, 2, 29), dt.date(2024, 3, 1)),
    ]  # fmt: skip


# --- keys of odd kinds


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("make_timestamp(k * 1000000)", dt.datetime(1970, 1, 1, 0, 0, 7)),
        ("DATE '2000-01-01' + k::INT", dt.date(2000, 1, 8)),
        ("md5(k::VARCHAR)::UUID", None),
        ("(k / 4)::DECIMAL(10,2)", None),
        ("k::UBIGINT + 18446744073709540000", 18446744073709540007),
        ("k::DOUBLE", 7.0),
        ("encode(k::VARCHAR)", b"7"),
    ],
)
def test_keys_of_other_types(key: str, shown: Any) -> None:
    ours = f"(SELECT {key} AS k, n FROM (SELECT k, k AS n FROM range(2000) r(k)))"
    found = compared(ours, f"(SELECT * FROM {ours} WHERE n <> 7)")
    assert (len(found.keys.missing), found.keys.extra, found.keys.changed) == (1, [], [])
    assert shown is None or found.keys.missing == [shown]


def test_very_uneven_keys_cost_no_more_levels() -> None:
    key = "CASE WHEN k < 99000 THEN k ELSE 9223372036854775807 - 99999 + k END"
    ours = f"(SELECT {key} AS k, k AS v FROM range(100000) r(k))"
    found = compared(ours, f"(SELECT k, CASE WHEN v IN (5, 99999) THEN -1 ELSE v END AS v FROM {ours})", leaf_rows=200)
    assert found.keys.changed == [5, 2**63 - 1]
    assert found.keys.levels <= 3


def test_both_ends_of_the_integers() -> None:
    ours = "(SELECT unnest([-9223372036854775808, -1, 0, 1, 9223372036854775807]) AS k)"
    found = compared(
        ours, f"(SELECT * FROM {ours} WHERE k NOT IN (-9223372036854775808, 9223372036854775807))", **SMALL
    )
    assert found.keys.missing == [-(2**63), 2**63 - 1]


def test_null_keys_are_counted_and_compared_as_one() -> None:
    ours = "(SELECT NULLIF(k, 3) AS k, k AS v FROM range(100) r(k))"
    same = compared(ours, ours)
    assert (same.keys.null_keys, same.equal, same.keys.source_rows) == ((1, 1), True, 100)
    other = compared(ours, f"(SELECT * FROM {ours} WHERE k IS NOT NULL)")
    assert (other.keys.null_keys, other.equal, other.keys.exact) == ((1, 0), False, False)
    changed = compared(ours, f"(SELECT k, CASE WHEN k IS NULL THEN 9 ELSE v END AS v FROM {ours})")
    assert (changed.keys.null_keys_differ, changed.keys.changed) == (True, [])


def test_a_source_whose_keys_are_not_unique_is_told() -> None:
    twice = "(SELECT k // 2 AS k, k AS v FROM range(4) r(k))"
    found = compared(twice, twice)
    assert found.repeated == [(0, 2), (1, 2)] or sorted(found.repeated) == [(0, 2), (1, 2)]
    assert found.equal  # the same rows on both sides, and still no key


def test_one_key_with_more_rows_than_a_leaf() -> None:
    ours = "(SELECT 7 AS k, v FROM range(5000) r(v))"
    found = compared(ours, f"(SELECT * FROM {ours} WHERE v > 0)")
    assert found.keys.duplicates == {7: (5000, 4999)}


def test_one_key_with_more_rows_than_are_fetched() -> None:
    ours = "(SELECT CASE WHEN v < 5000 THEN 7 ELSE v END AS k, v FROM range(9000) r(v))"
    found = compared(ours, f"(SELECT * FROM {ours} WHERE v NOT IN (0, 8000))", most_rows=1000, leaf_rows=100)
    (heavy,) = found.keys.unresolved
    assert heavy.source_rows - heavy.other_rows == 1
    assert heavy.source_rows >= 5000
    assert (found.keys.missing, found.keys.exact) == ([8000], False)
    assert found.keys.rows_fetched < 1000


def test_an_empty_side() -> None:
    ours = "(SELECT k FROM range(3000) r(k))"
    found = compared(ours, f"(SELECT * FROM {ours} WHERE false)")
    assert found.keys.missing == list(range(3000))
    assert compared(f"(SELECT * FROM {ours} WHERE false)", ours).keys.extra == list(range(3000))
    assert compared(f"(SELECT * FROM {ours} WHERE false)", f"(SELECT * FROM {ours} WHERE false)").equal


# --- limits


def test_too_many_differences_end_in_counts_by_range() -> None:
    ours = "(SELECT k, k AS v FROM range(300000) r(k))"
    theirs = f"(SELECT k, CASE WHEN k % 100 = 0 THEN -1 ELSE v END AS v FROM {ours} WHERE k % 1000 <> 1)"
    found = compared(ours, theirs)
    assert not found.keys.exact
    assert not found.equal
    assert found.keys.changed == []  # nothing is said of keys
    assert sum(r.source_rows for r in found.keys.unresolved) == 300_000
    assert sum(r.other_rows for r in found.keys.unresolved) == 299_700
    assert str(found.keys.unresolved[0].range).startswith("the first up to below")


def test_a_table_that_may_be_fetched_whole_is_always_exact() -> None:
    ours = "(SELECT k, k AS v FROM range(100000) r(k))"
    found = compared(ours, f"(SELECT k, CASE WHEN k % 10 = 0 THEN -1 ELSE v END AS v FROM {ours})")
    assert found.keys.changed == list(range(0, 100_000, 10))
    assert (found.keys_with_columns, len(found.columns)) == (100, 100)


def test_equal_tables_move_little_and_one_change_little_more() -> None:
    columns = ", ".join(f"k + {i} AS c{i}" for i in range(19))
    ours = f"(SELECT k, {columns} FROM range(100000) r(k))"
    same = compared(ours, ours, unique=True)
    assert (same.traffic.statements, same.keys.levels, same.keys.rows_fetched) == (3, 1, 0)
    assert same.traffic.bytes_moved < 20 * 1024
    one = compared(ours, f"(SELECT * REPLACE (CASE WHEN k = 77777 THEN 0 ELSE c3 END AS c3) FROM {ours})", unique=True)
    assert one.keys.changed == [77777]
    assert one.traffic.bytes_moved < 50 * 1024
    assert one.bytes_moved == 0  # both sides are in this process


# --- columns


def test_columns_are_matched_without_regard_to_case_and_what_is_not_compared_is_told() -> None:
    ours = "(SELECT 1 AS pk, 2 AS a, 3.5 AS price, 'x' AS gone, [1] AS list)"
    theirs = "(SELECT 1 AS PK, 2 AS A, 3.5::DOUBLE AS PRICE, [1] AS LIST)"
    found = compared(ours, theirs, ("Pk",))
    assert found.compared == {"pk": "int", "a": "int"}
    assert found.not_compared == {
        "gone": "the other side has no such column",
        "price": "DECIMAL(2,1) and DOUBLE: a decimal and a floating-point number have no text in common",
        "list": "INTEGER[] and INTEGER[]: INTEGER[] has no canonical text",
    }
    assert found.rules == ["whole numbers: decimal digits; a boolean or one bit is 1 or 0: pk, a"]


def test_columns_may_be_chosen_and_mapped() -> None:
    ours, theirs = "(SELECT 1 AS k, 2 AS a, 3 AS b)", "(SELECT 1 AS k, 9 AS a, 3 AS bb)"
    assert compared(ours, theirs, columns={"bb": "b"}).equal
    assert compared(ours, theirs, columns=["a"]).keys.changed == [1]
    with pytest.raises(ColumnNotFoundError, match=r"no column 'bx'.*Did you mean"):
        compared(ours, theirs, columns=["bx"])
    with pytest.raises(ParameterError, match="columns is a list"):
        compared(ours, theirs, columns="a")


def test_key_columns_must_be_there_and_comparable() -> None:
    with pytest.raises(ColumnNotFoundError, match="the source has no column 'id'"):
        compared("(SELECT 1 AS k)", "(SELECT 1 AS k)", ("id",))
    with pytest.raises(DataError, match=r"key column k cannot be compared: DOUBLE and VARCHAR"):
        compared("(SELECT 1::DOUBLE AS k)", "(SELECT '1' AS k)")
    with pytest.raises(ParameterError, match="No key columns"):
        compared("(SELECT 1 AS k)", "(SELECT 1 AS k)", ())


def test_lag_is_told_from_damage() -> None:
    ours = "(SELECT k, make_timestamp(1600000000000000 + k * 1000000) AS t FROM range(100) r(k))"
    theirs = f"(SELECT * FROM {ours} WHERE k < 98 AND k <> 5)"
    cut = dt.datetime(2020, 9, 13, 12, 28, 17, tzinfo=dt.UTC)  # the change of key 97
    found = compared(ours, theirs, until=("T", cut))
    assert (found.keys.missing, found.lag) == ([5, 98, 99], [98, 99])
    with pytest.raises(ParameterError, match="until="):
        compared(ours, theirs, until=("t", 5))


# --- what cannot be


def test_a_value_without_a_text_is_refused_with_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = DigestDialect.field

    def broken(self: DigestDialect, field: Any) -> str:
        return f"nullif({plain(self, field)}, '2:no')" if field.name == "v" else plain(self, field)

    monkeypatch.setattr(DigestDialect, "field", broken)
    monkeypatch.setattr("datalake_kit.cdc.digest.duckdb.DuckDBDigest.concat", lambda _, parts: " || ".join(parts))
    with pytest.raises(DataError, match=r"1 rows of the source hold a value .*columns: v"):
        compared("(SELECT 1 AS k, 'no' AS v)", "(SELECT 1 AS k, 'yes' AS v)")


def test_a_side_that_changes_meanwhile_is_noticed() -> None:
    connection, other = duckdb.connect(), duckdb.connect()
    for each in (connection, other):
        each.execute("CREATE TABLE t AS SELECT k, k AS v FROM range(100) r(k)")
    other.execute("UPDATE t SET v = 0 WHERE k = 50")

    class Moving(DuckDBSide):
        def run(self, statement: str) -> Any:
            if ", h FROM" in statement:
                connection.execute("UPDATE t SET v = v + 1")
            return super().run(statement)

    with pytest.raises(DataError, match="changed while it was compared"):
        compare_sides(Moving(connection, "t"), DuckDBSide(other, "t"), ["k"])
