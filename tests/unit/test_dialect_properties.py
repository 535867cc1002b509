"""What must hold for every text and every value: placeholders, bound strings, rounding, whole numbers, shapes."""

from __future__ import annotations

import contextlib
import math
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import duckdb
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from datalake_kit.engines.dialect import connection_setup, is_read_only, placeholders, statement_kind, translate
from datalake_kit.errors import DatalakeKitError, SqlError

WORDS = st.text(alphabet=st.characters(exclude_characters="\ue000\x00", exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
patient = settings(deadline=None)  # a busy machine is no failure
CON = duckdb.connect()
for _statement in connection_setup():
    CON.execute(_statement)


def value(expression: str, **parameters: object) -> object:
    statement = translate(f"SELECT {expression} AS v", schema={}, parameters=parameters)
    found = CON.execute(statement, parameters or None).fetchone()
    assert found is not None
    return found[0]


# ---------------------------------------------------------------- text


@patient
@given(WORDS, NAMES)
def test_a_placeholder_in_a_string_is_text(text: str, name: str) -> None:
    literal = "'" + f"{text} :{name} ".replace("'", "''") + "'"
    assert placeholders(f"SELECT {literal}, :real") == placeholders(" " * len(f"SELECT {literal}, ") + ":real")
    assert value(literal) == f"{text} :{name} "


@patient
@given(WORDS, NAMES)
def test_a_placeholder_in_a_quoted_name_or_a_comment_is_text(text: str, name: str) -> None:
    quoted = '"' + f"{text} :{name}".replace('"', '""') + '"'
    line = text.replace("\n", " ").replace("\r", " ")
    block = text.replace("*/", "")
    assume(not block.endswith("*"))
    assert placeholders(f"SELECT 1 AS {quoted} -- {line} :{name}\n") == ()
    assert placeholders(f"SELECT 1 /* {block} :{name} */ FROM t") == ()


@patient
@given(WORDS)
def test_any_text_is_judged_or_is_an_sql_error(text: str) -> None:
    for judge in (placeholders, statement_kind, is_read_only):
        with contextlib.suppress(SqlError):
            judge(text)


@patient
@given(st.text(alphabet="SELECTFROMWHERE()[]{},;:.'\"`-*/+ \nxyt0159=<>|", max_size=60))
def test_any_statement_is_translated_or_is_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(DatalakeKitError):
        translate("SELECT " + text, schema={"t": {"x": "INTEGER", "y": "VARCHAR"}}, parameters={"x": 1})


@patient
@given(WORDS)
@example("'; DROP TABLE t; --")
@example("' OR 1 = 1")
def test_a_bound_string_never_changes_the_statement(text: str) -> None:
    statement = translate("SELECT :v AS v", schema={}, parameters={"v": text})
    assert statement == 'SELECT CAST($v AS VARCHAR) AS "v"'
    assert value(":v", v=text) == text


@patient
@given(WORDS)
def test_a_written_string_is_itself(text: str) -> None:
    assert value("'" + text.replace("'", "''") + "'") == text


@patient
@given(WORDS, NAMES)
def test_the_second_statement_is_always_seen(text: str, name: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    with pytest.raises(SqlError):
        is_read_only(f"SELECT {literal} AS {name}; DELETE FROM {name}")


# ---------------------------------------------------------------- numbers

INTS = st.integers(-(2**31), 2**31 - 1)


@patient
@given(INTS, INTS.filter(bool))
def test_whole_numbers_divide_towards_zero(a: int, b: int) -> None:
    assume((a, b) != (-(2**31), -1))
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    assert value(":a / :b", a=a, b=b) == quotient
    assert value(":a % :b", a=a, b=b) == a - quotient * b
    assert value("mod(:a, :b)", a=a, b=b) == a - quotient * b


@patient
@given(st.decimals(-(10**9), 10**9, places=3), st.decimals(-(10**6), 10**6, places=2).filter(bool))
def test_decimals_divide_to_the_larger_scale(a: Decimal, b: Decimal) -> None:
    exact = Fraction(a) / Fraction(b)
    whole = (2 * abs(exact * 1000) + 1) // 2
    expected = Decimal(int(whole)).scaleb(-3) * (1 if exact >= 0 else -1)
    found = value("CAST(:a AS decimal(13, 3)) / CAST(:b AS decimal(9, 2))", a=a, b=b)
    assert found == expected
    assert found.as_tuple().exponent == -3  # type: ignore[attr-defined]


@patient
@given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1, max_size=8))
def test_the_average_of_decimals_keeps_their_scale(values: list[Decimal]) -> None:
    rows = ", ".join(f"CAST({v} AS decimal(10, 2))" for v in values)
    exact = sum(map(Fraction, values), Fraction(0)) / len(values)
    expected = Decimal(int((2 * abs(exact * 100) + 1) // 2)).scaleb(-2) * (1 if exact >= 0 else -1)
    statement = translate(f"SELECT avg(x) AS v FROM (VALUES {rows}) AS t(x)", schema={}, parameters={})
    assert CON.execute(statement).fetchone() == (expected,)


@patient
@given(st.decimals(-(10**6), 10**6, places=4))
def test_decimals_round_half_away_from_zero(a: Decimal) -> None:
    expected = a.quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert value("CAST(CAST(:a AS decimal(12, 4)) AS decimal(12, 2))", a=a) == expected
    assert value("CAST(CAST(:a AS decimal(12, 4)) AS bigint)", a=a) == int(a.quantize(Decimal(1), ROUND_HALF_UP))


@patient
@given(st.floats(-1e9, 1e9))
def test_doubles_become_integers_by_rounding_half_away_from_zero(a: float) -> None:
    assert value("CAST(:a AS bigint)", a=a) == int(Decimal(a).quantize(Decimal(1), ROUND_HALF_UP))


@patient
@given(st.floats(allow_infinity=False), st.floats(allow_infinity=False))
def test_doubles_compare_as_in_python(a: float, b: float) -> None:
    found = value("ARRAY[:a < :b, :a <= :b, :a > :b, :a >= :b, :a = :b, :a <> :b]", a=a, b=b)
    assert found == [a < b, a <= b, a > b, a >= b, a == b, a != b]


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_rounding_stays_within_half_a_unit(a: float, digits: int) -> None:
    found = value(f"round(:a, {digits})", a=a)
    assert isinstance(found, float)
    assert abs(found - a) <= 0.5 * 10**-digits * (1 + 1e-9) + math.ulp(a)


# ---------------------------------------------------------------- texts against Python

PLAIN = st.text(alphabet="abcXYZ ñé,;=0159😀", max_size=12)


@patient
@given(PLAIN, st.integers(-15, 15), st.integers(-2, 15))
def test_substr_counts_as_trino_does(text: str, start: int, length: int) -> None:
    begin = start - 1 if start > 0 else len(text) + start
    expected = "" if start == 0 or length <= 0 or begin < 0 else text[begin : begin + length]
    assert value("substr(:t, :s, :n)", t=text, s=start, n=length) == expected


@patient
@given(PLAIN, st.integers(1, 6))
def test_split_part_past_the_end_is_null(text: str, index: int) -> None:
    parts = text.split(",")
    expected = parts[index - 1] if index <= len(parts) else None
    assert value("split_part(:t, ',', :n)", t=text, n=index) == expected
    assert value("split(:t, ',')", t=text) == parts


@patient
@given(PLAIN)
def test_reverse_counts_code_points(text: str) -> None:
    assert value("reverse(:t)", t=text) == text[::-1]
    assert value("length(:t)", t=text) == len(text)


@patient
@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=8), st.integers(-9, 9).filter(bool), st.integers(0, 9)
)
def test_slice_as_python_has_it(items: list[int | None], start: int, length: int) -> None:
    begin = start - 1 if start > 0 else len(items) + start
    expected = [] if begin < 0 or begin >= len(items) else items[begin : begin + length]
    listed = ", ".join("CAST(NULL AS integer)" if i is None else str(i) for i in items)
    assert value(f"slice(CAST(ARRAY[{listed}] AS array(integer)), :s, :n)", s=start, n=length) == expected


@patient
@given(st.text(alphabet="0123456789+-. eE_xyn", max_size=8))
def test_try_cast_reads_whole_numbers_only(text: str) -> None:
    stripped = text.strip(" ")
    signless = stripped[1:] if stripped[:1] in ("+", "-") else stripped
    whole = signless.isascii() and signless.isdigit()
    assert value("try_cast(:t AS integer)", t=text) == (int(stripped) if whole else None)
