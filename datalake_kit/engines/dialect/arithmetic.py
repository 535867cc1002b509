"""Arithmetic: whole numbers, exact decimals, doubles, moments and spans of time."""

from __future__ import annotations

from typing import Any, NoReturn

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.conversions import in_zone, widen
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import (
    BIGINT,
    DATE,
    DAYS,
    MONTHS,
    UNKNOWN,
    SqlType,
    as_decimal,
    common,
    decimal_of,
)

_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def _arithmetic(compiler: Compiler, node: Any, scope: Scope) -> Expr:
    sign = _ARITHMETIC[type(node)]
    left, right = compiler.expr(node.this, scope), compiler.expr(node.expression, scope)
    if left.type.is_number and right.type.is_number:
        return calculate(sign, left, right)
    if UNKNOWN in (left.type, right.type) and (left.type.is_number or right.type.is_number):
        kind = common(left.type, right.type) or UNKNOWN
        return calculate(sign, widen(left, kind), widen(right, kind))
    return _with_time(sign, left, right, node)


for _kind in _ARITHMETIC:
    emits(_kind, "this", "expression", "typed", "safe")(_arithmetic)


def calculate(sign: str, left: Expr, right: Expr) -> Expr:
    """Return `left sign right` of two numbers with Trino's type, rounding and errors."""
    type_ = common(left.type, right.type) or UNKNOWN
    if type_.name == "decimal":
        return _decimal(sign, left, right)
    if not type_.is_integer or left.type != right.type or type_ in (SqlType("tinyint"), SqlType("smallint")):
        left, right = widen(left, type_), widen(right, type_)
    if sign in "/%" and type_.is_integer:
        return Expr(f"{'dk_div' if sign == '/' else 'dk_mod'}({left.sql}, {right.sql})", type_)
    return Expr(f"({left.sql} {sign} {right.sql})", type_)


def _decimal(sign: str, left: Expr, right: Expr) -> Expr:
    left, right = widen(left, as_decimal(left.type)), widen(right, as_decimal(right.type))
    (p1, s1), (p2, s2) = left.type.args, right.type.args
    if sign == "/":
        return _decimal_quotient(left, right)
    if sign == "*":
        if p1 + p2 > 38:
            _refuse_decimal(sign, left, right)
        type_ = SqlType("decimal", (p1 + p2, s1 + s2))
        return Expr(f"CAST({left.sql} * {right.sql} AS {type_.duckdb})", type_)
    scale = max(s1, s2)
    if sign == "%":
        type_ = SqlType("decimal", (min(p1 - s1, p2 - s2) + scale, scale))
        wide = decimal_of(max(p1 - s1, p2 - s2) + scale, scale)
        pair = f"CAST({left.sql} AS {wide.duckdb}), CAST({right.sql} AS {wide.duckdb})"
        return Expr(f"CAST(dk_mod({pair}) AS {type_.duckdb})", type_)
    type_ = decimal_of(max(p1 - s1, p2 - s2) + scale + 1, scale)
    return Expr(f"CAST({left.sql} {sign} {right.sql} AS {type_.duckdb})", type_)


def _decimal_quotient(left: Expr, right: Expr) -> Expr:
    """Divide as whole numbers: the scale that Trino gives, half away from zero."""
    (p1, s1), s2 = left.type.args, right.type.args[1]
    scale = max(s1, s2)
    precision = p1 + s2 + max(0, s2 - s1)
    up = scale + s2 - s1
    if precision > 38 or p1 + up > 37:
        _refuse_decimal("/", left, right)
    top = f"(CAST({left.sql} * {10**s1} AS HUGEINT) * {10**up})" if s1 else f"(CAST({left.sql} AS HUGEINT) * {10**up})"
    bottom = f"CAST({right.sql} * {10**s2} AS HUGEINT)" if s2 else f"CAST({right.sql} AS HUGEINT)"
    type_ = SqlType("decimal", (precision, scale))
    return Expr(scaled(f"dk_ratio({top}, {bottom})", type_), type_)


def scaled(whole: str, type_: SqlType) -> str:
    """Return a whole number of the last digit of a decimal type as that decimal."""
    scale = type_.args[1]
    if not scale:
        return f"CAST({whole} AS {type_.duckdb})"
    unit = f"CAST('0.{'1'.zfill(scale)}' AS DECIMAL({scale + 1}, {scale}))"
    return f"CAST(CAST({whole} AS DECIMAL({37 - scale}, 0)) * {unit} AS {type_.duckdb})"


def _refuse_decimal(sign: str, left: Expr, right: Expr) -> NoReturn:
    refuse(
        f"{left.type} {sign} {right.type}",
        "the exact decimal result does not fit the local engine",
        "CAST one side AS DOUBLE, or to a decimal of fewer digits",
    )


@emits(exp.Neg, "this")
def _negative(compiler: Compiler, node: exp.Neg, scope: Scope) -> Expr:
    if isinstance(node.this, exp.Literal) and not node.this.is_string and str(node.this.this) == str(2**63):
        return Expr(f"(-{2**63})", BIGINT)
    value = compiler.expr(node.this, scope)
    if not (value.type.is_number or value.type in (DAYS, MONTHS, UNKNOWN)):
        refuse(describe(node), f"{value.type} has no negative", "CAST it to a number")
    literal = f"-{value.literal}" if value.literal and value.type.is_number else value.literal
    return Expr(f"(-{value.sql})", value.type, literal)


_MOMENTS = ("date", "time", "timestamp", "timestamp with time zone")


def _with_time(sign: str, left: Expr, right: Expr, node: Any) -> Expr:
    if sign == "+" and left.type in (DAYS, MONTHS) and right.type.name in _MOMENTS:
        left, right = right, left
    if sign in "+-" and left.type.name in _MOMENTS and right.type in (DAYS, MONTHS):
        return _shift(sign, left, right, node)
    if sign == "-" and left.type.name == right.type.name and left.type.name in _MOMENTS and left.type.name != "time":
        if left.type == DATE:
            return Expr(f"to_days(CAST({left.sql} - {right.sql} AS INTEGER))", DAYS)
        return Expr(f"({left.sql} - {right.sql})", DAYS)
    if sign in "+-" and left.type == right.type and left.type in (DAYS, MONTHS):
        return Expr(f"({left.sql} {sign} {right.sql})", left.type)
    if sign == "*" and {left.type, right.type} & {DAYS, MONTHS} and (left.type.is_integer or right.type.is_integer):
        whole, span = (left, right) if left.type.is_integer else (right, left)
        return Expr(f"({span.sql} * {whole.sql})", span.type, literal=span.literal)
    return refuse(
        describe(node),
        f"Athena does not calculate {left.type} {sign} {right.type}",
        "CAST a side, or use date_add and date_diff for moments",
    )


def _shift(sign: str, moment: Expr, span: Expr, node: Any) -> Expr:
    if moment.type == DATE:
        if span.type == DAYS and span.literal != "day":
            refuse(describe(node), "Athena adds only whole days to a date", "CAST the date AS TIMESTAMP")
        return Expr(f"CAST({moment.sql} {sign} {span.sql} AS DATE)", DATE)
    if moment.type.name == "timestamp with time zone" and span.type == MONTHS:
        return in_zone(moment, lambda local: f"({local} {sign} {span.sql})", describe(node))
    return Expr(f"({moment.sql} {sign} {span.sql})", moment.type)
