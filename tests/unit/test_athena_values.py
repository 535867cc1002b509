"""Values of Athena's text as Arrow arrays."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit import errors
from datalake_kit.engines.athena.types import arrow_type, parse_type
from datalake_kit.engines.athena.values import read_column

UTC = dt.UTC


def read(kind: str, *texts: str | None) -> list[Any]:
    """The values of a column, its type checked."""
    column = read_column(pa.array(texts, pa.string()), parse_type(kind), column="c")
    assert column.type == arrow_type(parse_type(kind))
    column.validate(full=True)
    return list(column.to_pylist())


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", "true", True), ("boolean", "false", False), ("bigint", "-9223372036854775808", -(2**63)),
        ("tinyint", "-128", -128), ("decimal(10,2)", "-0.01", Decimal("-0.01")),
        ("real", "1.0E-7", 1.0000000116860974e-07),
        ("double", "Infinity", math.inf), ("double", "-Infinity", -math.inf), ("double", "1.0E300", 1e300),
        ("decimal(38,0)", "9" * 38, Decimal("9" * 38)), ("varchar", "", ""), ("varchar(3)", "NULL", "NULL"),
        ("char(3)", "x  ", "x  "), ("json", '{"a": 1}', '{"a": 1}'), ("date", "0001-01-01", dt.date(1, 1, 1)),
        ("date", "9999-12-31", dt.date(9999, 12, 31)),
        ("timestamp(0)", "2026-03-29 01:30:00", dt.datetime(2026, 3, 29, 1, 30)),
        ("timestamp(12)", "2026-03-29 01:30:00.123456000000", dt.datetime(2026, 3, 29, 1, 30, 0, 123456)),
        ("timestamp(1)", "0001-01-01 00:00:00.5", dt.datetime(1, 1, 1, 0, 0, 0, 500000)),
        ("timestamp(3) with time zone", "2026-03-29 01:30:00.000 Europe/Berlin",
         dt.datetime(2026, 3, 29, 0, 30, tzinfo=UTC)),
        ("timestamp(3) with time zone", "2026-07-01 00:00:00.000 +05:45", dt.datetime(2026, 6, 30, 18, 15, tzinfo=UTC)),
        ("timestamp(3) with time zone", "2026-07-01 00:00:00.123456789000 UTC", None),
        ("timestamp(9) with time zone", "2026-07-01 00:00:00.123456000 UTC",
         dt.datetime(2026, 7, 1, 0, 0, 0, 123456, UTC)),
        ("time(3)", "23:59:59.999", dt.time(23, 59, 59, 999000)), ("time(0)", "00:00:00", dt.time()),
        ("varbinary", "00 ff 0a", b"\0\xff\n"), ("varbinary", "", b""),
    ],
)  # fmt: skip
def test_a_value_is_read_exactly_or_refused(kind: str, text: str, value: object) -> None:
    if value is None:
        with pytest.raises(errors.DataError, match=r"'c', row 2: '2026.*below the microsecond"):
            read(kind, None, text)
        return
    assert read(kind, text, None, text) == [value, None, value]
    assert read(kind, None) == [None]
    assert read(kind) == []


def test_not_a_number_and_intervals() -> None:
    assert math.isnan(read("double", "NaN")[0])
    assert read("interval day to second", "-1 02:00:00.500", None) == [(0, -1, -7200_500_000_000), None]
    assert read("interval year to month", "1-2", "-1-2") == [(14, 0, 0), (-14, 0, 0)]
    assert read("unknown", None) == [None]


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("bigint", "0x10", "no whole number"), ("bigint", "9223372036854775808", "int64"), ("tinyint", "128", "int8"),
        ("integer", "", "''"), ("boolean", "True", "neither"), ("decimal(4,2)", "100.00", "decimal"),
        ("date", "+12345-01-01", "12345"), ("date", "2026-02-30", "date32"),
        ("timestamp", "+12345-01-01 00:00:00", "12345"),
        ("timestamp(9)", "2026-01-01 00:00:00.000000001", "below the microsecond"),
        ("time(9)", "01:00:00.000000001", "below the microsecond"), ("time(0)", "25:00:00", "time64"),
        ("timestamp with time zone", "2026-01-01 00:00:00", "with its zone"),
        ("timestamp with time zone", "2026-01-01 00:00:00 Mars/Base", "no such zone"),
        ("timestamp with time zone", "2026-03-29 02:30:00 Europe/Berlin", "no such time"),
        ("timestamp with time zone", "2026-10-25 02:30:00 Europe/Berlin", r"twice.*at_timezone"),
        ("timestamp with time zone", "2050-03-27 02:30:00 Europe/Berlin", "no such time"),
        ("timestamp with time zone", "2050-10-30 02:30:00 Europe/Berlin", "twice"),
        ("varbinary", "0", "binary"), ("varbinary", "zz", "binary"), ("interval day to second", "x", "no interval"),
        ("unknown", "x", "should be NULL"), ("double", "one", "double"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_named_with_column_and_row(kind: str, text: str, why: str) -> None:
    good = {"date": "2026-01-01", "unknown": None, "double": "1.0"}.get(kind)
    texts = pa.array([good, None, good, text, good], pa.string())
    with pytest.raises(errors.DataError, match=rf"(?s)Column 'c', row 104: {'.*'}{why}"):
        read_column(texts, parse_type(kind), column="c", first_row=100)


def test_a_long_value_is_not_shown_whole() -> None:
    with pytest.raises(errors.DataError, match="100000 characters") as caught:
        read("bigint", "x" * 100_000)
    assert len(str(caught.value)) < 400


MOMENT = st.datetimes(min_value=dt.datetime(1900, 1, 1), max_value=dt.datetime(2100, 1, 1))
ZONE = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "+02:00", "-09:30", "Australia/Lord_Howe"]
)


def shown(moment: dt.datetime, zone: str, digits: int) -> str:
    """An instant as Trino writes it in a zone."""
    if zone[0] in "+-":
        step = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
        local = moment + step
    else:
        local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond:06d}{'0' * digits} {zone}"


@given(st.lists(st.none() | st.tuples(MOMENT, ZONE), max_size=12), st.integers(0, 6))
def test_an_instant_is_the_same_from_any_zone(cases: list[tuple[dt.datetime, str] | None], digits: int) -> None:
    texts: list[str | None] = []
    expected: list[dt.datetime | None] = []
    for case in cases:
        if case is None:
            texts.append(None)
            expected.append(None)
            continue
        moment, zone = case[0].replace(tzinfo=UTC), case[1]
        if zone[0] not in "+-":
            local = moment.astimezone(ZoneInfo(zone))
            if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
                continue  # the hour that comes twice is refused, see above
            if local.utcoffset() and local.utcoffset().total_seconds() % 60:  # type: ignore[union-attr]
                continue
        texts.append(shown(moment, zone, digits))
        expected.append(moment)
    assert read("timestamp(6) with time zone", *texts) == expected


@given(st.lists(st.none() | st.binary(max_size=8)), st.lists(st.none() | st.text(max_size=8)))
def test_bytes_and_text_come_back(blobs: list[bytes | None], texts: list[str | None]) -> None:
    assert read("varbinary", *[None if b is None else b.hex(" ") for b in blobs]) == blobs
    assert read("varchar", *texts) == texts


@given(st.lists(st.none() | st.floats(allow_nan=False)), st.lists(st.none() | st.decimals(-(10**20), 10**20, places=5)))
def test_numbers_come_back(floats: list[float | None], decimals: list[Decimal | None]) -> None:
    texts = [None if f is None else repr(f).replace("inf", "Infinity").replace("e", "E") for f in floats]
    assert read("double", *texts) == floats
    assert read("decimal(30,5)", *[None if d is None else f"{d:f}" for d in decimals]) == decimals


@given(st.lists(st.none() | st.dates()), st.lists(st.none() | st.times()), st.integers(0, 3))
def test_dates_and_times_come_back(dates: list[dt.date | None], times: list[dt.time | None], digits: int) -> None:
    assert read("date", *[None if d is None else d.isoformat() for d in dates]) == dates
    texts = [None if t is None else f"{t:%H:%M:%S}.{t.microsecond:06d}{'0' * digits}" for t in times]
    assert read("time(9)", *texts) == times
