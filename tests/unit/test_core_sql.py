"""Query files, identifiers, literals."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit import errors, sql

TEXT = """-- Rows of a table
-- since an instant.
-- :table identifier              database.table
-- :since timestamp = NULL        first instant that counts
-- :kinds list = NULL             kinds that count
SELECT count(*) AS n FROM :table WHERE a >= :since AND kind IN (:kinds) AND b = ':since';
"""


def parsed(text: str = TEXT) -> sql.Query:
    return sql.parse_query("x/y", text, Path("x/y.sql"))


def test_a_query_file_says_what_it_answers_and_what_it_needs() -> None:
    query = parsed()
    assert query.description == "Rows of a table since an instant."
    assert [(p.name, p.type, p.required) for p in query.parameters] == [
        ("table", "identifier", True),
        ("since", "timestamp", False),
        ("kinds", "list", False),
    ]
    assert query.text.endswith("':since'")


def test_identifiers_are_quoted_and_values_bound() -> None:
    text, values = sql.bind_query(
        parsed(), {"table": 'taxi."odd ""t"""', "since": dt.datetime(2026, 1, 1), "kinds": ["a"]}
    )
    assert 'FROM "taxi"."odd ""t"""' in text
    assert values == {"since": dt.datetime(2026, 1, 1), "kinds": ["a"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs table="),
        ({"table": "a.b", "sinse": 1}, "Did you mean since"),
        ({"table": 5}, "named by text"),
        ({"table": "a..b"}, "Not a name"),
        ({"table": "a.b", "since": "2026-01-01"}, "must be timestamp, not str"),
        ({"table": "a.b", "kinds": "abc"}, "must be list, not str"),
        ({"table": "a.b", "since": True}, "must be timestamp, not bool"),
    ],
)
def test_wrong_values_for_a_query(values: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ParameterError, match=message):
        sql.bind_query(parsed(), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- x\n-- :a wrong  help\nSELECT :a", "type one of"),
        ("-- x\n-- :a text  help\nSELECT 1", "differ: a"),
        ("-- x\nSELECT :b", "differ: b"),
        ("-- x", "no statement"),
        ("-- x\n-- :a integer = soon\nSELECT :a", "Not a default of type integer"),
    ],
)
def test_wrong_query_files_name_the_file(text: str, message: str) -> None:
    with pytest.raises(errors.SqlError, match=message):
        parsed(text)


def test_every_query_of_the_package_parses() -> None:
    assert sql.query_names()
    for name in sql.query_names():
        query = sql.load_query(name)
        assert query.description, name


def test_a_query_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(errors.QueryNotFoundError, match=sql.query_names()[0]):
        sql.load_query(sql.query_names()[0] + "x")
    with pytest.raises(errors.QueryNotFoundError):
        sql.load_query("../../etc/passwd")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=3))
def test_quoted_names_split_back(parts: list[str]) -> None:
    assert sql.split_name(".".join(sql.quote_identifier(p) for p in parts)) == tuple(parts)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", 'a"b', '"a', 'a."b"c', None, 5])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(errors.ParameterError):
        sql.split_name(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (5, "5"),
        (-5, "BIGINT '-5'"),
        (2**40, "BIGINT '1099511627776'"),
        (2.5, "DOUBLE '2.5'"),
        (float("nan"), "nan()"),
        (float("-inf"), "(-infinity())"),
        (Decimal("1E+3"), "DECIMAL '1000'"),
        ("it's", "'it''s'"),
        (b"\x00\xff", "X'00ff'"),
        (dt.date(2026, 3, 1), "DATE '2026-03-01'"),
        (dt.datetime(2026, 3, 1, 4, 5), "TIMESTAMP '2026-03-01 04:05:00.000000'"),
    ],
)
def test_literals_of_athena(value: object, text: str) -> None:
    assert sql.literal(value) == text


@pytest.mark.parametrize("value", [2**63, Decimal("NaN")])
def test_values_without_a_literal(value: object) -> None:
    with pytest.raises(errors.ParameterError):
        sql.literal(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.datetime64("2026-03-01T00:00:00"), dt.datetime(2026, 3, 1)),
        (pd.Timestamp("2026-03-01", tz="Europe/Berlin"), dt.datetime(2026, 2, 28, 23)),
        (pd.NaT, None),
    ],
)
def test_numpy_and_pandas_values_are_plain_ones(value: object, plain: object) -> None:
    assert sql.plain_value("x", value) == plain


def test_nanoseconds_are_not_dropped() -> None:
    with pytest.raises(errors.ParameterError, match="nanoseconds"):
        sql.plain_value("x", pd.Timestamp("2026-03-01T00:00:00.000000001"))
    with pytest.raises(errors.ParameterError, match="nanoseconds"):
        sql.plain_value("x", np.datetime64("2026-03-01T00:00:00.000000001"))
