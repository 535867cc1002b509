"""CAST and TRY_CAST: what Trino reads out of a text, how it rounds, and what has another text in DuckDB."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.conversions import widen, zone_of
from datalake_kit.engines.dialect.literals import string
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    JSON,
    REAL,
    SMALLINT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    TINYINT,
    UNKNOWN,
    UUID,
    VARBINARY,
    VARCHAR,
    SqlType,
    array_of,
    map_of,
    quote,
    row_of,
)
from datalake_kit.errors import SqlError

_D = exp.DType
_NAMES: dict[Any, SqlType] = {
    _D.BOOLEAN: BOOLEAN, _D.TINYINT: TINYINT, _D.SMALLINT: SMALLINT, _D.INT: INTEGER, _D.BIGINT: BIGINT, _D.FLOAT: REAL,
    _D.DOUBLE: DOUBLE, _D.VARCHAR: VARCHAR, _D.VARBINARY: VARBINARY, _D.DATE: DATE, _D.TIME: TIME,
    _D.TIMESTAMP: TIMESTAMP, _D.TIMESTAMPTZ: TIMESTAMPTZ, _D.JSON: JSON, _D.UUID: UUID,
}  # fmt: skip


def type_of(node: exp.DataType) -> SqlType:
    """Return the type that a statement names.

    Raises
    ------
    UnsupportedSqlError
        Athena has no such type, or the local engine has none like it.
    """
    kind, parts = node.this, node.expressions
    if kind == _D.DECIMAL:
        numbers = [int(p.name) for p in parts] or [38, 0]
        return SqlType("decimal", (numbers[0], numbers[1] if len(numbers) > 1 else 0))
    if kind == _D.ARRAY and len(parts) == 1:
        return array_of(type_of(parts[0]))
    if kind == _D.MAP and len(parts) == 2:
        return map_of(type_of(parts[0]), type_of(parts[1]))
    if kind == _D.STRUCT:
        named = [(p.name, p.args["kind"]) if isinstance(p, exp.ColumnDef) else (None, p) for p in parts]
        return row_of(tuple(type_of(t) for _, t in named), tuple(n for n, _ in named))
    if kind in _NAMES:
        return _NAMES[kind]
    instead = "use varchar" if kind in (_D.TEXT, _D.CHAR) else "use a type that Athena's documentation names"
    return refuse(
        f"the type {describe(node)}", "Athena has no such type, or it is not the same on the local engine", instead
    )


def _size(node: exp.DataType) -> int | None:
    """Return n of varchar(n) or timestamp(n)."""
    if node.this in (_D.VARCHAR, _D.TIMESTAMP, _D.TIMESTAMPTZ, _D.TIME) and node.expressions:
        return int(node.expressions[0].name)
    return None


@emits(exp.Cast, "this", "to")
def _cast(compiler: Compiler, node: exp.Cast, scope: Scope) -> Expr:
    return _emit(compiler, node, scope, lenient=False)


@emits(exp.TryCast, "this", "to", "safe")
def _try_cast(compiler: Compiler, node: exp.TryCast, scope: Scope) -> Expr:
    return _emit(compiler, node, scope, lenient=True)


def _emit(compiler: Compiler, node: Any, scope: Scope, *, lenient: bool) -> Expr:
    target = node.args["to"]
    what = describe(node)
    wanted, size = type_of(target), _size(target)
    if isinstance(node.this, exp.Literal) and node.this.is_string and not lenient:
        constant = _constant(str(node.this.this), wanted, target)
        if constant is not None:
            return constant
    inner = compiler.expr(node.this, scope)
    value = cast(inner, wanted, what, lenient=lenient)
    if size is not None and wanted == VARCHAR and inner.type not in (VARCHAR, UNKNOWN):
        return Expr(f"{'dk_within' if lenient else 'dk_fits'}({value.sql}, {size})", VARCHAR)
    if size is None:
        size = 3 if wanted.name.startswith("timestamp") else None
    return _shorten(value, size, what) if size is not None else value


def _shorten(value: Expr, size: int, what: str) -> Expr:
    """Apply the n of varchar(n): Trino cuts a text. Apply the precision of a timestamp: it rounds half up."""
    if value.type == VARCHAR:
        return Expr(f'"left"({value.sql}, {size})', VARCHAR)
    if value.type.name.startswith("timestamp"):
        if size >= 6:
            return value
        if size not in (0, 3):
            refuse(
                what,
                "this precision of a timestamp is not known to the local engine",
                "use timestamp(3) or timestamp(6)",
            )
        macro = "dk_to_seconds" if size == 0 else "dk_to_milliseconds"
        return Expr(f"{macro}({value.sql})", value.type)
    return value


# ---------------------------------------------------------------- constants

_MOMENT = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:[ T](?P<H>\d{1,2}):(?P<M>\d{1,2})(?::(?P<S>\d{1,2})(?:\.(?P<f>\d{1,6}))?)?)?(?:\s*(?P<zone>[A-Za-z+-].*))?"
)


def _constant(text: str, wanted: SqlType, target: exp.DataType) -> Expr | None:
    """Return DATE '...' and TIMESTAMP '...' checked here, so that a wrong one is named before anything runs."""
    if wanted == TIME and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?", text):
        return Expr(f"TIME '{text}'", TIME, literal=text)
    if wanted.name not in ("date", "timestamp", "timestamp with time zone"):
        return None
    match = _MOMENT.fullmatch(text.strip())
    if match is None or (wanted == DATE and match["H"]) or (wanted.name == "timestamp" and match["zone"]):
        raise SqlError(f"{text!r} is no {wanted.name}: write DATE '2026-01-31', TIMESTAMP '2026-01-31 13:45:00'")
    moment = _moment(match, text, wanted)
    if wanted == DATE:
        return Expr(f"DATE '{moment:%Y-%m-%d}'", DATE, literal=text)
    if _size(target) is None and moment.microsecond % 1000:
        return None  # CAST(text AS TIMESTAMP) rounds to milliseconds, as every other value does
    sql = f"TIMESTAMP '{moment.isoformat(sep=' ')}'"
    if wanted == TIMESTAMP:
        return Expr(sql, TIMESTAMP, literal=text)
    return _zoned(moment, match["zone"] or "UTC", text)


def _zoned(moment: dt.datetime, name: str, text: str) -> Expr:
    """A time that the clock shows twice is the first; one that it leaps over is none."""
    zone = zone_literal(name)
    offset = re.fullmatch(r"'GMT([+-])(\d\d):(\d\d)'", zone)
    if offset:
        span = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        info: dt.tzinfo = dt.timezone(span if offset[1] == "+" else -span)
    else:
        info = ZoneInfo(zone[1:-1])
    instant = moment.replace(tzinfo=info).astimezone(dt.UTC)
    if instant.astimezone(info).replace(tzinfo=None) != moment:
        raise SqlError(f"{text!r} is a time that the clocks leapt over in {name}")
    sql = f"timezone('UTC', TIMESTAMP '{instant.replace(tzinfo=None).isoformat(sep=' ')}')"
    return Expr(sql, SqlType("timestamp with time zone", zone=zone), literal=text)


def _moment(match: re.Match[str], text: str, wanted: SqlType) -> dt.datetime:
    fraction = (match["f"] or "").ljust(6, "0")
    numbers = [int(match[k] or 0) for k in "ymdHMS"]
    try:
        return dt.datetime(*numbers, int(fraction), tzinfo=None)  # type: ignore[misc,arg-type] # noqa: DTZ001
    except ValueError as error:
        raise SqlError(f"{text!r} is no {wanted.name}: {error}") from None


def zone_literal(zone: str) -> str:
    """Return the DuckDB literal of a time zone written as a name or as an offset.

    Raises
    ------
    SqlError
        No such zone.
    """
    offset = re.fullmatch(r"([+-])(\d{1,2})(?::?(\d{2}))?", zone.strip())
    if offset:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        return string(f"GMT{offset[1]}{hours:02d}:{minutes:02d}" if hours or minutes else "UTC")
    name = zone.strip()
    if name.upper() in ("Z", "UTC", "GMT"):
        return "'UTC'"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SqlError(
            f"no time zone {name!r}: write a name such as 'Europe/Madrid' or an offset such as '+02:00'"
        ) from None
    return string(name)


# ---------------------------------------------------------------- conversions

# What Trino reads out of a text; DuckDB reads more ('5.0' as 5, 'yes' as true) and so must be held back.
_WHOLE = r"\s*[+-]?[0-9]+\s*"
_REAL = r"\s*([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity)\s*"
_READS = {
    "tinyint": _WHOLE, "smallint": _WHOLE, "integer": _WHOLE, "bigint": _WHOLE, "double": _REAL, "real": _REAL,
    "decimal": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", "boolean": "(?i)true|false|t|f|1|0",
    "date": r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\s*",
    "timestamp": r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,6})?)?)?\s*",
    "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}  # fmt: skip
# What Trino reads too, and DuckDB does not: an error even in TRY_CAST, since NULL would be another answer.
_UNCLEAR = {
    "double": r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]\s*|\s*[+-]?0[xX][0-9a-fA-F.]+p.*",
    "real": r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]\s*|\s*[+-]?0[xX][0-9a-fA-F.]+p.*",
    "timestamp": r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9:]+(\.[0-9]{7,12}|(\.[0-9]+)? ?[A-Za-z+-].*)\s*",
}
_TEXT_ALIKE = frozenset({"boolean", "tinyint", "smallint", "integer", "bigint", "decimal", "date", "uuid"})


def cast(value: Expr, wanted: SqlType, what: str, *, lenient: bool = False) -> Expr:
    """Return CAST(value AS wanted) with Trino's answer, or with NULL where it fails when `lenient`."""
    given = value.type
    if given in (wanted, UNKNOWN):
        return Expr(f"CAST({value.sql} AS {wanted.duckdb})" if given == UNKNOWN else value.sql, wanted)
    if given == JSON or wanted == JSON:
        from datalake_kit.engines.dialect.json_values import from_json, to_json

        return from_json(value, wanted, what, lenient=lenient) if given == JSON else to_json(value, what)
    if given == VARCHAR:
        return _from_text(value, wanted, what, lenient=lenient)
    if wanted == VARCHAR:
        return _to_text(value, what)
    word = "TRY_CAST" if lenient else "CAST"
    if given.is_number and wanted.is_number:
        return Expr(f"{word}({_rounded(value, wanted)} AS {wanted.duckdb})", wanted)
    if "boolean" in (given.name, wanted.name) and (given.is_number or wanted.is_number):
        return Expr(f"{word}({value.sql} AS {wanted.duckdb})", wanted)
    if given.name in _MOMENTS and wanted.name in _MOMENTS:
        return _between_moments(value, wanted, what)
    return _nested(value, wanted, what, lenient=lenient)


_MOMENTS = ("date", "time", "timestamp", "timestamp with time zone")


def _rounded(value: Expr, wanted: SqlType) -> str:
    """Whole numbers round half away from zero, decimals the digits that a double shows; reals overflow to infinity."""
    if value.type.name in ("double", "real"):
        if wanted.is_integer:
            return f"round({value.sql})"
        if wanted.name == "decimal":
            return f"CAST({value.sql} AS VARCHAR)"
        if wanted.name == "real":
            return f"dk_to_real({value.sql})"
    return value.sql


def _from_text(value: Expr, wanted: SqlType, what: str, *, lenient: bool) -> Expr:
    reads = _READS.get(wanted.name)
    if reads is None:
        instead = "parse it with from_iso8601_timestamp, date_parse, json_parse or to_utf8"
        refuse(what, f"a text is not read as {wanted} in the same way on both engines", instead)
    if lenient and wanted.name in _UNCLEAR:
        held = f"dk_clear({value.sql}, '{reads}', '{_UNCLEAR[wanted.name]}')"
        return Expr(f"TRY_CAST({held} AS {wanted.duckdb})", wanted)
    if lenient:
        return Expr(f"TRY_CAST(dk_matching({value.sql}, '{reads}') AS {wanted.duckdb})", wanted)
    return Expr(f"CAST(dk_checked({value.sql}, '{reads}', '{wanted}') AS {wanted.duckdb})", wanted)


def _to_text(value: Expr, what: str) -> Expr:
    if value.type.name == "decimal" and value.type.args[0] == value.type.args[1] < 38:
        digits = value.type.args[1]  # DuckDB leaves out the zero before the point of a decimal(n, n)
        return Expr(f"CAST(CAST({value.sql} AS DECIMAL({digits + 1}, {digits})) AS VARCHAR)", VARCHAR)
    if value.type.name in _TEXT_ALIKE:
        return Expr(f"CAST({value.sql} AS VARCHAR)", VARCHAR)
    instead = {
        "double": "CAST it to a DECIMAL of the digits you want first",
        "real": "CAST it to a DECIMAL of the digits you want first",
        "varbinary": "use to_hex, to_base64 or from_utf8",
    }.get(value.type.name, "use date_format(value, '%Y-%m-%d %H:%i:%s') or json_format(CAST(value AS JSON))")
    return refuse(what, f"the text of a {value.type.name} is not the same on both engines", instead)


def _between_moments(value: Expr, wanted: SqlType, what: str) -> Expr:
    given = value.type
    if given.name == "timestamp with time zone":
        if wanted.name == given.name:
            return value
        if wanted.name == "timestamp":
            refuse(
                what,
                "Athena does not cast a timestamp with time zone to a timestamp",
                "use date_format(value, ...), date_trunc or to_unixtime, or CAST it AS DATE",
            )
        return Expr(f"CAST(timezone({zone_of(value, what)}, {value.sql}) AS {wanted.duckdb})", wanted)
    if (given == DATE and wanted == TIME) or given == TIME:
        refuse(what, f"{given} to {wanted} is not the same on both engines", "use date_format or date_add")
    if wanted.name == "timestamp with time zone":
        return widen(widen(value, TIMESTAMP), TIMESTAMPTZ)
    return Expr(f"CAST({value.sql} AS {wanted.duckdb})", wanted)


def _nested(value: Expr, wanted: SqlType, what: str, *, lenient: bool) -> Expr:
    given = value.type
    if given.name != wanted.name or len(given.args) != len(wanted.args) or lenient:
        refuse(what, f"Athena has no cast from {given} to {wanted}, or it is not the same locally", "cast its parts")
    if given.name == "array":
        item = cast(Expr("x", given.args[0]), wanted.args[0], what)
        if item.sql == "x":
            return Expr(value.sql, wanted)
        return Expr(f"list_transform({value.sql}, lambda x: {item.sql})", wanted)
    if given.name == "map":
        key_sql, item_sql = (cast(Expr(f"dk_c.{n}", g), w, what).sql
                     for n, g, w in zip(("key", "value"), given.args, wanted.args, strict=True))  # fmt: skip
        entries = f"list_transform(map_entries({value.sql}), lambda dk_c: {{'key': {key_sql}, 'value': {item_sql}}})"
        whole = f"CAST(map_from_entries({entries}) AS {wanted.duckdb})"
        return Expr(f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE {whole} END", wanted)
    if given.name == "row":
        return _rename(value, wanted, what)
    return refuse(what, f"a cast from {given} to {wanted} is not known to the local engine", "cast its parts")


def _rename(value: Expr, wanted: SqlType, what: str) -> Expr:
    """Cast a row part by part: DuckDB casts structs by name, Trino by position."""
    parts = []
    for i, (given, target) in enumerate(zip(value.type.args, wanted.args, strict=True), start=1):
        part = cast(Expr(f"struct_extract_at({value.sql}, {i})", given), target, what).sql
        name = wanted.fields[i - 1]
        parts.append(f"{quote(name)} := {part}" if name else part)
    packed = f"struct_pack({', '.join(parts)})" if all(wanted.fields) else f"row({', '.join(parts)})"
    return Expr(f"CASE WHEN {value.sql} IS NULL THEN NULL ELSE {packed} END", wanted)
