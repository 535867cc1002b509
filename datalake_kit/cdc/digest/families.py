"""Types as the digest sees them, and which canonical text two columns are compared by.

A column's type of any engine becomes a `SqlType`; `agree` takes the source's and the other side's and says by which
`Family` both are written, or why they are not compared. The pairs follow the types that AWS DMS writes for a source's.
"""

from __future__ import annotations

import datetime as dt
import decimal
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MICRO, MILLI = 6, 3


@dataclass(frozen=True)
class SqlType:
    """The type of a column on one side.

    Attributes
    ----------
    kind : str
        int, bool, bits, dec, float, char, text, label (ENUM, SET), json, date, time, clock (MySQL's TIME, which can be
        negative or longer than a day), ts, tstz, bin, uuid; "other" is never compared.
    written : str
        The type as its engine writes it.
    digits : int
        Decimal places: of a decimal, or of the seconds of a time.
    width : int
        Digits of a decimal, bits of a bit field.
    """

    kind: str
    written: str
    digits: int = 0
    width: int = 0


@dataclass(frozen=True)
class Family:
    """A canonical text: int, dec, float, char, text, date, time, ts, tsr, bin or uuid; `digits` as in `SqlType`."""

    name: str
    digits: int = 0

    @property
    def is_text(self) -> bool:
        """Whether a field of a row is written with its length before it."""
        return self.name in ("text", "char")

    def __str__(self) -> str:
        return f"{self.name}({self.digits})" if self.name in ("dec", "time", "ts", "tsr") else self.name


@dataclass(frozen=True)
class Agreement:
    """How two columns are compared: by `family`, else by `alternative` where one is given; or not, for a `reason`."""

    family: Family | None
    alternative: Family | None = None
    rule: str = ""
    reason: str = ""


INT, FLOAT, CHAR, TEXT, DATE, BIN, UUID = (Family(n) for n in ("int", "float", "char", "text", "date", "bin", "uuid"))

_RULES = {
    "int": "whole numbers: decimal digits; a boolean or one bit is 1 or 0",
    "dec": "decimals: digits with a fixed scale, the larger of the two sides'",
    "float": "floating-point numbers: the bits of the double; -0 is 0, every NaN is one",
    "char": "CHAR: spaces at the end do not count",
    "text": "text: its UTF-8 bytes; case, spaces and normal form count, NULL is not the empty text",
    "date": "dates: YYYY-MM-DD as the engine holds them; a zero date is not NULL",
    "time": "times of day: cut to the digits that both sides hold",
    "ts": "times: to the digits that both sides hold, further digits cut off",
    "tsr": "times: rounded half up to milliseconds, as the other side holds them",
    "bin": "binary: its bytes",
    "uuid": "UUID: its 32 hexadecimal digits",
}
_PAIRS = {
    ("bool", "text"): "a boolean is the text 'true' or 'false'",
    ("json", "text"): "JSON: the text that the source itself writes",
    ("label", "text"): "ENUM and SET: their text",
    ("clock", "text"): "MySQL's TIME: its text",
    ("bits", "text"): "bit strings: their 0 and 1",
    ("int", "text"): "whole numbers held as text: decimal digits",
    ("date", "text"): "dates held as text: YYYY-MM-DD",
    ("tstz", "ts"): "times with a zone: in UTC",
}


def agree(source: SqlType, other: SqlType) -> Agreement:
    """Say how a column of the source is compared with the other side's, or why it is not.

    >>> agree(SqlType("int", "tinyint(1)"), SqlType("bool", "BOOLEAN")).family
    Family(name='int', digits=0)
    >>> agree(SqlType("dec", "decimal(8,2)", 2, 8), SqlType("float", "DOUBLE")).reason
    'decimal(8,2) and DOUBLE: a decimal and a floating-point number have no text in common'
    """
    for side in (source, other):
        if side.kind == "other":
            return _refused(source, other, f"{side.written} has no canonical text")
    makers: dict[str, Callable[[SqlType, SqlType], Agreement | None]] = {
        "float": _floats, "ts": _times, "tstz": _times, "time": _clocks, "clock": _clocks, "dec": _decimals,
    }  # fmt: skip
    maker = makers.get(source.kind)
    found = maker(source, other) if maker else None
    return found or _plain(source, other)


def _plain(source: SqlType, other: SqlType) -> Agreement:
    kinds = frozenset((source.kind, other.kind))
    for family, allowed in _SAME.items():
        if kinds <= allowed:
            return _by(family, source, other)
    if other.kind in ("text", "char") and source.kind in _AS_TEXT:
        return _by(UUID if source.kind == "uuid" else TEXT, source, other)
    if other.kind == "uuid" and source.kind in ("text", "char"):
        return _by(UUID, source, other)
    if source.kind == "bits" and source.width == 1 and other.kind in ("bool", "int"):
        return _by(INT, source, other)
    if source.kind == "int" and other.kind == "dec" and other.digits == 0:
        return _by(INT, source, other)
    return _refused(source, other, "the types do not go together")


_SAME: dict[Family, frozenset[str]] = {
    INT: frozenset({"int", "bool"}),
    TEXT: frozenset({"text", "label"}),
    CHAR: frozenset({"text", "char", "label"}),
    DATE: frozenset({"date"}),
    BIN: frozenset({"bin", "bits"}),
    UUID: frozenset({"uuid"}),
}
_AS_TEXT = ("bool", "json", "label", "clock", "uuid", "int", "date", "bits")


def _floats(source: SqlType, other: SqlType) -> Agreement | None:
    if other.kind == "dec":
        return _refused(source, other, "a decimal and a floating-point number have no text in common")
    return _by(FLOAT, source, other) if other.kind == "float" else None


def _decimals(source: SqlType, other: SqlType) -> Agreement | None:
    if other.kind == "float":
        return _refused(source, other, "a decimal and a floating-point number have no text in common")
    if other.kind in ("int", "bool") and source.digits == 0:
        return _by(INT, source, other)
    if other.kind != "dec":
        return None
    scale = max(source.digits, other.digits)
    if any(side.width - side.digits + scale > 38 for side in (source, other)):
        return _refused(source, other, "no decimal of 38 digits holds both scales")
    return _by(Family("dec", scale), source, other)


def _times(source: SqlType, other: SqlType) -> Agreement | None:
    if other.kind not in ("ts", "tstz"):
        return None
    digits = min(source.digits, other.digits, MICRO)
    rounded = Family("tsr", MILLI) if other.digits == MILLI < source.digits else None
    found = _by(Family("ts", digits), source, other)
    return Agreement(found.family, rounded, found.rule)


def _clocks(source: SqlType, other: SqlType) -> Agreement | None:
    if other.kind != "time":
        return None
    return _by(Family("time", min(source.digits, other.digits, MICRO)), source, other)


def _by(family: Family, source: SqlType, other: SqlType) -> Agreement:
    extra = _PAIRS.get((source.kind, other.kind)) if family.is_text or family.name == "ts" else None
    return Agreement(family, rule=extra or rule_of(family))


def rule_of(family: Family) -> str:
    """The sentence that says by which rule values of a family are the same."""
    return _RULES[family.name]


def _refused(source: SqlType, other: SqlType, why: str) -> Agreement:
    return Agreement(None, reason=f"{source.written} and {other.written}: {why}")


# --- back from text


def value_of(family: Family, field: str | None) -> Any:
    """Return the value that a field of a row stands for; what no Python value can hold stays text.

    >>> value_of(Family("text"), "3:a|b"), value_of(Family("int"), "~"), value_of(Family("float"), "3ff8000000000000")
    ('a|b', None, 1.5)
    """
    if field is None or field == "~":
        return None
    return plain_value_of(family, field.partition(":")[2] if family.is_text else field)


def plain_value_of(family: Family, text: str) -> Any:
    """Return the value that a canonical text without its length stands for."""
    try:
        return _READERS.get(family.name, str)(text)
    except (ValueError, decimal.InvalidOperation):
        return text  # a zero date, infinity, a year past 9999: shown as the engine writes it


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "dec": decimal.Decimal,
    "float": lambda text: struct.unpack(">d", bytes.fromhex(text))[0],
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "ts": _moment,
    "tsr": _moment,
    "bin": bytes.fromhex,
    "uuid": uuid.UUID,
}
