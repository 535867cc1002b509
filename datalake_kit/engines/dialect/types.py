"""Trino's types, as far as the local engine can hold them, and how they turn into one another by themselves."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import re
from dataclasses import dataclass, replace
from typing import Any

from datalake_kit.errors import ParameterError

UTC = "'UTC'"
_INTEGERS = ("tinyint", "smallint", "integer", "bigint")
_DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}
_NUMBERS = (*_INTEGERS, "decimal", "real", "double")
_INSTANTS = ("date", "timestamp", "timestamp with time zone")


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type of Trino.

    `args` holds (precision, scale) of a decimal, the element of an array, key and value of a map, the fields of a row.
    `zone` belongs to a timestamp with time zone: DuckDB keeps the instant alone, so the zone that Trino carries in the
    value is followed here, as DuckDB text; None means that it is not the same in all rows, or not known.
    """

    name: str
    args: tuple[Any, ...] = ()
    fields: tuple[str | None, ...] = ()
    zone: str | None = None

    def __str__(self) -> str:
        if self.name == "row":
            shown = (f"{n} {t}" if n else str(t) for n, t in zip(self.fields, self.args, strict=True))
            return f"row({', '.join(shown)})"
        return f"{self.name}({', '.join(map(str, self.args))})" if self.args else self.name

    @property
    def is_integer(self) -> bool:
        """Tell whether this is a whole-number type."""
        return self.name in _INTEGERS

    @property
    def is_number(self) -> bool:
        """Tell whether this is a numeric type."""
        return self.name in _NUMBERS

    @property
    def duckdb(self) -> str:
        """The type's name in DuckDB."""
        return _duckdb_name(self)


UNKNOWN = SqlType("unknown")  # the type of NULL
BOOLEAN, TINYINT, SMALLINT, INTEGER, BIGINT, REAL, DOUBLE, VARCHAR, VARBINARY, DATE, TIME, TIMESTAMP, JSON, UUID = map(
    SqlType,
    [
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double",
        "varchar",
        "varbinary",
        "date",
        "time",
        "timestamp",
        "json",
        "uuid",
    ],
)
TIMESTAMPTZ = SqlType("timestamp with time zone", zone=UTC)
DAYS, MONTHS = SqlType("interval day to second"), SqlType("interval year to month")


def decimal_of(precision: int, scale: int) -> SqlType:
    """Return decimal(precision, scale), the precision held to 38."""
    return SqlType("decimal", (min(precision, 38), scale))


def array_of(element: SqlType) -> SqlType:
    """Return array(element)."""
    return SqlType("array", (element,))


def map_of(key: SqlType, value: SqlType) -> SqlType:
    """Return map(key, value)."""
    return SqlType("map", (key, value))


def row_of(types: tuple[SqlType, ...], names: tuple[str | None, ...]) -> SqlType:
    """Return row(name type, ...)."""
    return SqlType("row", types, names)


def _duckdb_name(type_: SqlType) -> str:
    if type_.name == "decimal":
        return f"DECIMAL({type_.args[0]}, {type_.args[1]})"
    if type_.name == "array":
        return f"{type_.args[0].duckdb}[]"
    if type_.name == "map":
        return f"MAP({type_.args[0].duckdb}, {type_.args[1].duckdb})"
    if type_.name == "row":
        parts = zip(type_.fields, type_.args, strict=True)
        return "STRUCT(" + ", ".join(f"{quote(n or f'field{i}')} {t.duckdb}" for i, (n, t) in enumerate(parts)) + ")"
    return {"varbinary": "BLOB", "real": "FLOAT", "unknown": "INTEGER"}.get(
        type_.name, "INTERVAL" if type_.name.startswith("interval") else type_.name.upper()
    )


def quote(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- reading types of DuckDB

_PLAIN = {
    "BOOLEAN": BOOLEAN, "TINYINT": TINYINT, "SMALLINT": SMALLINT, "INTEGER": INTEGER, "BIGINT": BIGINT,
    "UTINYINT": SMALLINT, "USMALLINT": INTEGER, "UINTEGER": BIGINT, "UBIGINT": SqlType("decimal", (20, 0)),
    "HUGEINT": SqlType("decimal", (38, 0)), "FLOAT": REAL, "REAL": REAL, "DOUBLE": DOUBLE, "VARCHAR": VARCHAR,
    "BLOB": VARBINARY, "DATE": DATE, "TIME": TIME, "TIMESTAMP": TIMESTAMP, "TIMESTAMP_S": TIMESTAMP,
    "TIMESTAMP_MS": TIMESTAMP, "TIMESTAMP_NS": TIMESTAMP, "DATETIME": TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ, "TIMESTAMPTZ": TIMESTAMPTZ, "JSON": JSON,
    "UUID": UUID, "INT": INTEGER, "STRING": VARCHAR, '"NULL"': UNKNOWN,
    "NULL": UNKNOWN,
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def from_duckdb(text: str) -> SqlType | None:
    """Return the Trino type that Athena shows for a column of this DuckDB type, or None when there is none.

    >>> str(from_duckdb("STRUCT(a INTEGER, b DECIMAL(10,2)[])"))
    'row(a integer, b array(decimal(10, 2)))'
    """
    text = text.strip()
    plain = _PLAIN.get(text.upper())
    if plain is not None:
        return plain
    if text.endswith("]"):
        element = from_duckdb(text[: text.rindex("[")])
        return array_of(element) if element else None
    match = re.fullmatch(r"(\w+)\s*\((.*)\)", text, re.DOTALL)
    return _nested(match[1].upper(), _split(match[2])) if match else None


def _nested(name: str, parts: list[str]) -> SqlType | None:
    if name in ("DECIMAL", "NUMERIC"):
        return SqlType("decimal", (int(parts[0]), int(parts[1]) if len(parts) > 1 else 0))
    if name == "VARCHAR":
        return VARCHAR
    if name == "ENUM":
        return VARCHAR
    if name == "MAP":
        key, value = map(from_duckdb, parts)
        return map_of(key, value) if key and value else None
    if name == "TUPLE":
        members = [from_duckdb(part) for part in parts]
        return row_of(tuple(m for m in members if m), tuple(None for _ in members)) if all(members) else None
    if name == "STRUCT":
        fields = [_field(part) for part in parts]
        types = tuple(t for _, t in fields if t is not None)
        return row_of(types, tuple(n for n, _ in fields)) if len(types) == len(fields) else None
    return None


def _field(text: str) -> tuple[str | None, SqlType | None]:
    match = re.match(r'\s*("(?:[^"]|"")*"|\w+)\s+(.*)', text, re.DOTALL)
    if match is None:
        return None, from_duckdb(text)
    name = match[1]
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name), from_duckdb(match[2])


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no parentheses and no quotes."""
    parts, depth, quoted, begin = [], 0, "", 0
    for i, char in enumerate(text):
        if quoted:
            quoted = "" if char == quoted else quoted
        elif char in "\"'":
            quoted = char
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and not depth:
            parts.append(text[begin:i])
            begin = i + 1
    return [*parts, text[begin:]]


def of_value(name: str, value: object) -> SqlType:
    """Return the type that a parameter's Python value has in Athena.

    Raises
    ------
    ParameterError
        A value of this Python type, or a number of this size, cannot be bound.
    """
    if value is None:
        return UNKNOWN
    if hasattr(value, "item") and not isinstance(value, (str, bytes, dt.date)) and getattr(value, "ndim", 0) == 0:
        value = value.item()  # a NumPy scalar
    for kind, read in _VALUES:
        if isinstance(value, kind):
            found: SqlType | None = read(name, value)
            if found is not None:
                return found
            break
    raise ParameterError(
        f"the parameter :{name} cannot be bound: {value!r:.80} ({type(value).__name__}); "
        "give a str, int, float, bool, Decimal, date, datetime, bytes, None or a list of one of these"
    )


def _of_int(_: str, value: int) -> SqlType | None:
    if abs(value) < 2**31 or value == -(2**31):
        return INTEGER
    return BIGINT if -(2**63) <= value < 2**63 else None


def _of_decimal(_: str, value: decimal.Decimal) -> SqlType | None:
    _sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent > 0:
        return None
    precision = max(len(digits), -exponent, 1)
    return SqlType("decimal", (precision, -exponent)) if precision <= 38 else None


def _of_datetime(_: str, value: dt.datetime) -> SqlType | None:
    return TIMESTAMP if value.tzinfo is None else TIMESTAMPTZ


def _of_list(name: str, value: list[object]) -> SqlType | None:
    element: SqlType | None = UNKNOWN
    for item in value:
        element = common(element, of_value(name, item)) if element is not None else None
    return array_of(element) if element is not None else None


_VALUES: tuple[tuple[Any, Any], ...] = (
    (bool, lambda n, v: BOOLEAN),
    (int, _of_int),
    (float, lambda n, v: DOUBLE),
    (decimal.Decimal, _of_decimal),
    (str, lambda n, v: VARCHAR),
    ((bytes, bytearray), lambda n, v: VARBINARY),
    (dt.datetime, _of_datetime),
    (dt.date, lambda n, v: DATE),
    ((list, tuple), _of_list),
)


# ---------------------------------------------------------------- what turns into what by itself


def coerces(given: SqlType, wanted: SqlType) -> bool:
    """Tell whether Trino turns `given` into `wanted` without a CAST."""
    if given.name == wanted.name == "timestamp with time zone":
        return True
    found = common(given, wanted)
    return found is not None and (found == wanted or (found.name == wanted.name and found.name.startswith("timestamp")))


def common(one: SqlType, other: SqlType) -> SqlType | None:
    """Return the type in which Trino compares or unites two values, or None when it refuses to.

    >>> common(INTEGER, DOUBLE)
    SqlType(name='double', args=(), fields=(), zone=None)
    >>> common(VARCHAR, DATE) is None
    True
    """
    if one == other or other == UNKNOWN:
        return one
    if one == UNKNOWN:
        return other
    if one.is_number and other.is_number:
        return _common_number(one, other)
    if one.name == other.name and len(one.args) == len(other.args):
        return _common_parts(one, other)
    if one.name in _INSTANTS and other.name in _INSTANTS:
        wider = max(one, other, key=lambda t: _INSTANTS.index(t.name))
        return replace(wider, zone=UTC if wider.zone == UTC else None) if wider.zone is not None else wider
    return None


def _common_number(one: SqlType, other: SqlType) -> SqlType:
    if "double" in (one.name, other.name):
        return DOUBLE
    if "real" in (one.name, other.name):
        return REAL
    if "decimal" in (one.name, other.name):
        (p1, s1), (p2, s2) = as_decimal(one).args, as_decimal(other).args
        scale = max(s1, s2)
        return decimal_of(max(p1 - s1, p2 - s2) + scale, scale)
    return max(one, other, key=lambda t: _INTEGERS.index(t.name))


def as_decimal(type_: SqlType) -> SqlType:
    """Return the decimal type that holds every value of a whole-number type; a decimal as it is."""
    return type_ if type_.name == "decimal" else SqlType("decimal", (_DIGITS[type_.name], 0))


def _common_parts(one: SqlType, other: SqlType) -> SqlType | None:
    if one.name == "timestamp with time zone":
        return replace(one, zone=None)
    parts = [common(a, b) for a, b in zip(one.args, other.args, strict=True)]
    if any(part is None for part in parts):
        return None
    names = tuple(a if a == b else None for a, b in zip(one.fields, other.fields, strict=True))
    return SqlType(one.name, tuple(parts), names)
