"""Types of Athena, read from their text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit import errors
from datalake_kit.engines.athena.types import AthenaType, arrow_type, parse_type

UTC = pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("varchar(17)", pa.string()), ("char(3)", pa.string()), ("VARCHAR", pa.string()), ("json", pa.string()),
        ("decimal(10,2)", pa.decimal128(10, 2)), ("decimal(38, 0)", pa.decimal128(38, 0)), ("real", pa.float32()),
        ("float", pa.float32()), ("double precision", pa.float64()), ("unknown", pa.null()),
        ("timestamp(3)", pa.timestamp("us")), ("timestamp", pa.timestamp("us")),
        ("timestamp(6) with time zone", UTC), ("timestamp with time zone", UTC), ("time(3)", pa.time64("us")),
        ("interval day to second", pa.month_day_nano_interval()), ("varbinary", pa.binary()), ("uuid", pa.string()),
        ("array(array(integer))", pa.list_(pa.list_(pa.int32()))), ("ipaddress", pa.string()),
        ("map(varchar(1), array(date))", pa.map_(pa.string(), pa.list_(pa.date32()))),
        ('row("x" bigint, "odd ""Name" varchar(3))', pa.struct([("x", pa.int64()), ('odd "Name', pa.string())])),
        ("row(integer, varchar)", pa.struct([("element1", pa.int32()), ("element2", pa.string())])),
        ("row(timestamp timestamp(3), time(0))",
         pa.struct([("timestamp", pa.timestamp("us")), ("element2", pa.time64("us"))])),
        ("row(timestamp with time zone, interval day to second)",
         pa.struct([("element1", UTC), ("element2", pa.month_day_nano_interval())])),
        ("row(timestamp(3) with time zone)", pa.struct([("element1", UTC)])),
    ],
)  # fmt: skip
def test_a_type_is_the_one_that_the_local_engine_gives(text: str, expected: pa.DataType) -> None:
    assert arrow_type(parse_type(text)) == expected


def test_a_map_without_keys_has_its_type() -> None:
    assert str(arrow_type(parse_type("map(unknown, integer)"))) == "map<null, int32>"


@pytest.mark.parametrize(
    "text", ["", "array(", "array(int", "map(int)", "row(a b c)", "decimal(x)", "(int)", "int)", "a;b"]
)
def test_what_is_no_type_is_named(text: str) -> None:
    with pytest.raises(errors.UnsupportedSqlError, match="Not a type of Athena"):
        parse_type(text)


@pytest.mark.parametrize("text", ["array", "row", "map", "hyperloglog", "time(3) with time zone", "array(geometry)"])
def test_what_cannot_be_read_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(errors.UnsupportedSqlError, match=r"'c'.*CAST\(\"c\" AS"):
        arrow_type(parse_type(text), "c")


SCALAR = st.sampled_from(
    ["boolean", "tinyint", "bigint", "varchar(5)", "decimal(12,3)", "timestamp(6)", "timestamp(3) with time zone",
     "time(3)", "interval year to month", "varbinary", "date"]
)  # fmt: skip
NAME = st.none() | st.text(min_size=1, max_size=6).map(lambda s: '"' + s.replace('"', '""') + '"') | st.just("a_1")
TYPE = st.recursive(
    SCALAR,
    lambda inner: (
        inner.map(lambda t: f"array({t})")
        | st.tuples(inner, inner).map(lambda p: f"map({p[0]}, {p[1]})")
        | st.lists(st.tuples(NAME, inner), min_size=1, max_size=4).map(
            lambda fields: f"row({', '.join(f'{n} {t}' if n else t for n, t in fields)})"
        )
    ),
    max_leaves=8,
)


def written(kind: AthenaType) -> str:
    """A type as Trino writes it."""
    if kind.base == "row":
        shown = [f'"{n.replace(chr(34), chr(34) * 2)}" ' if n else "" for n in kind.names]
        return f"row({', '.join(n + written(p) for n, p in zip(shown, kind.parts, strict=True))})"
    if kind.nested:
        return f"{kind.base}({', '.join(map(written, kind.parts))})"
    numbers = f"({','.join(map(str, kind.arguments))})" if kind.arguments else ""
    head, _, zone = kind.base.partition(" with ")
    return head + numbers + (f" with {zone}" if zone else "")


@given(TYPE)
def test_a_type_that_is_read_and_written_is_the_same(text: str) -> None:
    kind = parse_type(text)
    assert parse_type(written(kind)) == kind
    assert written(kind) == text.replace("a_1 ", '"a_1" ')
    arrow_type(kind)
