"""Numbers, texts, NULL, bytes and intervals written in a statement."""

from __future__ import annotations

import re

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import (
    BIGINT,
    BOOLEAN,
    DAYS,
    DOUBLE,
    INTEGER,
    MONTHS,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    SqlType,
    decimal_of,
)


def string(text: str) -> str:
    """Return a DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def number(text: str) -> Expr:
    """Return a number as Trino reads it: INTEGER or BIGINT, DECIMAL with a point, DOUBLE with an exponent."""
    text = text.replace("_", "")
    if re.search("[eE]", text):
        return Expr(f"CAST({string(text)} AS DOUBLE)", DOUBLE, literal=text)
    if "." in text:
        whole, _, part = text.partition(".")
        whole = whole.lstrip("0")
        type_ = decimal_of(max(len(whole) + len(part), 1), len(part))
        return Expr(f"CAST({string(text)} AS {type_.duckdb})", type_, literal=text)
    if int(text) >= 2**63:
        refuse(f"the number {text}", "Athena reads no integer of more than 63 bits", f"write DECIMAL '{text}'")
    return Expr(text, INTEGER if int(text) < 2**31 else BIGINT, literal=text)


_SPANS = {"YEAR": MONTHS, "MONTH": MONTHS, "DAY": DAYS, "HOUR": DAYS, "MINUTE": DAYS, "SECOND": DAYS}
_WIDE = {("YEAR", "MONTH"), ("DAY", "HOUR"), ("DAY", "MINUTE"), ("DAY", "SECOND"), ("HOUR", "MINUTE")}


def interval_of(node: exp.Interval) -> tuple[str, SqlType, str | None]:
    """Return DuckDB text, type and unit (lower case) of INTERVAL '1' DAY and its kind."""
    amount, negative = node.this, False
    while isinstance(amount, exp.Neg):
        amount, negative = amount.this, not negative
    unit = node.args.get("unit")
    if not (isinstance(amount, exp.Literal) and amount.is_string):
        refuse(
            describe(node), "Athena takes a constant in quotes", "write INTERVAL '1' DAY, or date_add('day', n, value)"
        )
    if isinstance(unit, exp.IntervalSpan):
        refuse(
            describe(node), "an interval of two units is not known to the local engine", "add two intervals of one unit"
        )
    name = str(unit.name).upper() if unit is not None else ""
    if (
        name not in _SPANS
        or not re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*", amount.name)
        or ("." in amount.name and name != "SECOND")
    ):
        refuse(describe(node), "Athena knows whole YEAR, MONTH, DAY, HOUR, MINUTE and SECOND", "write INTERVAL '7' DAY")
    sign = "-" if negative else ""
    return (
        f"INTERVAL '{sign}{amount.name.strip()}' {name}".replace("'--", "'").replace("'-+", "'-"),
        _SPANS[name],
        name.lower(),
    )


@emits(exp.Literal, "this", "is_string")
def _literal(_: Compiler, node: exp.Literal, __: Scope) -> Expr:
    text = str(node.this)
    if node.is_string:
        return Expr(string(text), VARCHAR, literal=text)
    return number(text)


@emits(exp.Null)
def _null(_: Compiler, __: exp.Null, ___: Scope) -> Expr:
    return Expr("NULL", UNKNOWN)


@emits(exp.Boolean, "this")
def _boolean(_: Compiler, node: exp.Boolean, __: Scope) -> Expr:
    return Expr("true" if node.this else "false", BOOLEAN)


@emits(exp.HexString, "this")
def _binary(_: Compiler, node: exp.HexString, __: Scope) -> Expr:
    return Expr(f"unhex({string(str(node.this))})", VARBINARY)


@emits(exp.UnicodeString, "this")
def _unicode(_: Compiler, node: exp.UnicodeString, __: Scope) -> Expr:
    """U&'caf\\00e9': four hexadecimal digits after a backslash, six after backslash and plus."""
    text = str(node.this)
    if not re.fullmatch(r"(?:[^\\]|\\\\|\\[0-9a-fA-F]{4}|\\\+[0-9a-fA-F]{6})*", text):
        refuse(f"U&'{text}'", "this is no escape of Athena", "write \\00e9 or \\+01f600")
    read = re.sub(
        r"\\(?:\\|([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6}))",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\\",
        text,
    )
    return Expr(string(read), VARCHAR, literal=read)


@emits(exp.Interval, "this", "unit")
def _interval(_: Compiler, node: exp.Interval, __: Scope) -> Expr:
    sql, type_, literal = interval_of(node)
    return Expr(sql, type_, literal=literal)
