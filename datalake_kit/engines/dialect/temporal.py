"""Trino's functions on dates, times and time zones."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.calls import Call, add_table, special
from datalake_kit.engines.dialect.casts import zone_literal
from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.conversions import in_zone, local_time, widen
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.literals import string
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import (
    BIGINT,
    DATE,
    TIMESTAMP,
    TIMESTAMPTZ,
    VARCHAR,
    SqlType,
)

_FIELDS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "week_of_year": "week", "day": "day",
    "day_of_month": "day", "day_of_week": "isodow", "dow": "isodow", "day_of_year": "dayofyear", "doy": "dayofyear",
    "year_of_week": "isoyear", "yow": "isoyear",
}  # fmt: skip
_CLOCK = {"hour": "hour", "minute": "minute", "second": "second", "millisecond": "millisecond"}

_TABLE = """
date(varchar) -> date = CAST(dk_checked({0}, '\\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\\s*', 'date') AS DATE)
date(moment) -> date = @_date
date_trunc(varchar, moment) -> moment = @_date_trunc
date_add(varchar, bigint, moment) -> moment = @_date_add
date_diff(varchar, moment, moment) -> bigint = @_date_diff
last_day_of_month(moment) -> date = @_last_day
date_format(moment, varchar) -> varchar = @_date_format
date_parse(varchar, varchar) -> timestamp = @_date_parse
from_iso8601_date(varchar) -> date = CAST(dk_checked({0}, '[0-9]{4}-[0-9]{2}-[0-9]{2}', 'ISO 8601 date') AS DATE)
from_iso8601_timestamp(varchar) -> timestamptz = @_from_iso8601
to_iso8601(date) -> varchar = CAST({0} AS VARCHAR)
from_unixtime(double) -> timestamptz = @_from_unixtime
from_unixtime(double, varchar) -> timestamptz = @_from_unixtime
to_unixtime(moment) -> double = @_to_unixtime
at_timezone(timestamptz, varchar) -> timestamptz = @_at_timezone
with_timezone(timestamp, varchar) -> timestamptz = @_with_timezone
timezone_hour(moment) -> bigint = @_zone_part
timezone_minute(moment) -> bigint = @_zone_part
current_timezone() -> varchar = 'UTC'
to_milliseconds(interval day to second) -> bigint = CAST(epoch({0}) * 1000 AS BIGINT)
"""


def _rows() -> str:
    fields = "\n".join(f"{name}(moment) -> bigint = @_field" for name in {**_FIELDS, **_CLOCK})
    return f"{_TABLE}{fields}"


def _field(request: Call) -> Expr:
    value = request.args[0]
    unit = _FIELDS.get(request.name) or _CLOCK[request.name]
    if request.name in _CLOCK and value.type == DATE:
        refuse(request.what, f"Athena takes no {request.name} of a date", "CAST it AS TIMESTAMP")
    sql = f"{unit}({local_time(value, request.what)})"
    return Expr(f"({sql} % 1000)" if unit == "millisecond" else sql, BIGINT)


def _date(request: Call) -> Expr:
    return Expr(f"CAST({local_time(request.args[0], request.what)} AS DATE)", DATE)


_DAYS = ("day", "week", "month", "quarter", "year")
_PARTS = ("millisecond", "second", "minute", "hour")


def _unit(request: Call, value: Expr) -> str:
    unit = request.constant(0, "the unit").lower()
    if unit not in _DAYS and (unit not in _PARTS or value.type == DATE):
        known = ", ".join(_DAYS if value.type == DATE else _PARTS + _DAYS)
        refuse(request.what, f"Athena knows no unit {unit!r} of {value.type}", f"write one of {known}")
    return unit


def _date_trunc(request: Call) -> Expr:
    value = request.args[1]
    unit = _unit(request, value)
    if unit == "millisecond":
        refuse(request.what, "Athena cuts to second, minute, hour, day, week, month, quarter, year", "use 'second'")
    if value.type == DATE:
        return Expr(f"CAST(date_trunc('{unit}', {value.sql}) AS DATE)", DATE)
    if value.type.name == "timestamp with time zone":
        return in_zone(value, lambda local: f"date_trunc('{unit}', {local})", request.what)
    return Expr(f"date_trunc('{unit}', {value.sql})", value.type)


def _date_add(request: Call) -> Expr:
    value = request.args[2]
    unit, count = _unit(request, value), request.args[1].sql
    span = (
        f"to_{unit}s({count})"
        if unit in ("hour", "minute", "second", "millisecond")
        else f"to_{unit}s(CAST({count} AS INTEGER))"
    )
    if unit == "second":
        span = f"to_seconds(CAST({count} AS DOUBLE))"
    if unit == "millisecond":
        if value.literal is not None and "." not in value.literal:
            refuse(
                request.what,
                "a constant without milliseconds is rounded to seconds",
                "write TIMESTAMP '... 00:00:00.000'",
            )
        span = f"to_milliseconds(CAST({count} AS DOUBLE))"
    if unit == "quarter":
        span = f"to_months(CAST(3 * {count} AS INTEGER))"
    if value.type == DATE:
        return Expr(f"CAST({value.sql} + {span} AS DATE)", DATE)
    if value.type.name == "timestamp with time zone" and unit in _DAYS:
        return in_zone(value, lambda local: f"({local} + {span})", request.what)
    return Expr(f"({value.sql} + {span})", value.type)


def _date_diff(request: Call) -> Expr:
    left, right = request.args[1:]
    kind = request.bound["moment"]
    unit = _unit(request, Expr("", kind))
    if kind.name == "timestamp with time zone":
        left, right = (
            widen(widen(left, TIMESTAMP), kind) if left.type == DATE else widen(left, kind),
            widen(right, kind),
        )
        if unit in _DAYS:
            zone = request.args[1].type.zone or "'UTC'"
            if request.args[1].type.zone is None:
                refuse(
                    request.what,
                    "the answer depends on a time zone that is not known here",
                    "use at_timezone(value, 'UTC')",
                )
            return Expr(f"date_sub('{unit}', timezone({zone}, {left.sql}), timezone({zone}, {right.sql}))", BIGINT)
        return Expr(f"date_sub('{unit}', {left.sql}, {right.sql})", BIGINT)
    left, right = widen(left, kind), widen(right, kind)
    return Expr(f"date_sub('{unit}', {left.sql}, {right.sql})", BIGINT)


def _last_day(request: Call) -> Expr:
    return Expr(f"last_day({local_time(request.args[0], request.what)})", DATE)


# ---------------------------------------------------------------- patterns

_SHARED = {
    "%Y": "%Y", "%y": "%y", "%m": "%m", "%d": "%d", "%H": "%H", "%i": "%M", "%s": "%S", "%S": "%S", "%T": "%H:%M:%S",
    "%f": "%f", "%j": "%j", "%p": "%p", "%h": "%I", "%I": "%I", "%b": "%b", "%M": "%B", "%a": "%a", "%W": "%A",
    "%%": "%%", "%e": "%-d", "%c": "%-m", "%k": "%-H", "%l": "%-I", "%r": "%I:%M:%S %p",
}  # fmt: skip


def _pattern(request: Call, known: dict[str, str]) -> str:
    """Turn MySQL's pattern, which Athena has, into the one of DuckDB."""
    text = request.constant(1, "the pattern")
    out, i = [], 0
    while i < len(text):
        sign = text[i : i + 2]
        if text[i] != "%":
            out.append(text[i])
            i += 1
            continue
        if sign not in known:
            refuse(request.what, f"{sign} is not the same on both engines", f"use {' '.join(sorted(known))}")
        out.append(known[sign])
        i += 2
    return string("".join(out))


def _date_format(request: Call) -> Expr:
    value = widen(request.args[0], TIMESTAMP) if request.args[0].type == DATE else request.args[0]
    return Expr(f"strftime({local_time(value, request.what)}, {_pattern(request, _SHARED)})", VARCHAR)


def _date_parse(request: Call) -> Expr:
    if "%Y" not in request.constant(1, "the pattern"):
        refuse(request.what, "without %Y the two engines take another year", "write the year in four digits, %Y")
    known = {k: v for k, v in _SHARED.items() if k not in ("%a", "%W", "%j", "%y")}
    known = {k: v.replace("%-", "%") for k, v in known.items()}
    return Expr(f"date_trunc('millisecond', strptime({request.args[0].sql}, {_pattern(request, known)}))", TIMESTAMP)


# ---------------------------------------------------------------- zones and instants


def _from_iso8601(request: Call) -> Expr:
    """The zone is the one in the text; only its instant is kept here."""
    value = request.args[0]
    type_ = SqlType(TIMESTAMPTZ.name, zone=None)
    if value.literal is not None:
        type_ = SqlType(TIMESTAMPTZ.name, zone=_zone_of_text(value.literal))
    return Expr(f"dk_from_iso8601({value.sql})", type_)


def _zone_of_text(text: str) -> str:
    tail = text[10:]
    for sign in "+-":
        if sign in tail:
            return zone_literal(tail[tail.index(sign) :])
    return "'UTC'"


def _from_unixtime(request: Call) -> Expr:
    zone = zone_literal(request.constant(1, "the time zone")) if len(request.args) > 1 else "'UTC'"
    return Expr(f"dk_from_unixtime({request.args[0].sql})", SqlType(TIMESTAMPTZ.name, zone=zone))


def _zone_part(request: Call) -> Expr:
    """Return the hours, or the minutes beyond them, that the shown time is ahead of UTC."""
    value = request.args[0]
    if value.type.name != TIMESTAMPTZ.name:
        refuse(request.what, f"a {value.type} has no time zone", "write with_timezone(value, 'Europe/Madrid') in it")
    minutes = f"date_sub('minute', timezone('UTC', {value.sql}), {local_time(value, request.what)})"
    return Expr(f"({minutes} // 60)" if request.name == "timezone_hour" else f"({minutes} % 60)", BIGINT)


def _to_unixtime(request: Call) -> Expr:
    value = request.args[0]
    if value.type == DATE:
        value = widen(value, TIMESTAMP)
    return Expr(f"epoch({value.sql})", SqlType("double"))


def _at_timezone(request: Call) -> Expr:
    return Expr(request.args[0].sql, SqlType(TIMESTAMPTZ.name, zone=zone_literal(request.constant(1, "the time zone"))))


def _with_timezone(request: Call) -> Expr:
    zone = zone_literal(request.constant(1, "the time zone"))
    return Expr(f"timezone({zone}, {request.args[0].sql})", SqlType(TIMESTAMPTZ.name, zone=zone))


@emits(exp.AtTimeZone, "this", "zone")
def _at(compiler: Compiler, node: exp.AtTimeZone, scope: Scope) -> Expr:
    value = compiler.expr(node.this, scope)
    zone = node.args["zone"]
    if value.type.name != "timestamp with time zone":
        refuse(
            describe(node),
            f"of a {value.type} Athena takes the time as UTC and shows it in the zone, DuckDB the other way round",
            "write at_timezone(with_timezone(value, 'UTC'), 'Europe/Madrid')",
        )
    if not (isinstance(zone, exp.Literal) and zone.is_string):
        refuse(describe(node), "the time zone must be written in the statement", "write it as a constant in quotes")
    return Expr(value.sql, SqlType(value.type.name, zone=zone_literal(str(zone.this))))


def _now(_: Compiler, __: Any, ___: Scope) -> Expr:
    return Expr("date_trunc('millisecond', now())", TIMESTAMPTZ)


emits(exp.CurrentTimestamp)(_now)


@emits(exp.CurrentDate)
def _today(_: Compiler, __: Any, ___: Scope) -> Expr:
    return Expr("CAST(timezone('UTC', now()) AS DATE)", DATE)


@emits(exp.Localtimestamp)
def _local(_: Compiler, __: Any, ___: Scope) -> Expr:
    return Expr("date_trunc('millisecond', timezone('UTC', now()))", TIMESTAMP)


@special("now", "current_timestamp")
def _now_call(request: Call) -> Expr:
    return Expr("date_trunc('millisecond', now())", TIMESTAMPTZ)


add_table(table(_rows(), globals()))
