"""One form for one value: how columns of two tables are brought to a common type in SQL, so that equal means equal.

| the two sides                         | compared as                                                             |
|---------------------------------------|-------------------------------------------------------------------------|
| whole numbers, booleans               | whole numbers of 64 bits, or of 128 where one is unsigned               |
| decimals, decimals and whole numbers  | exactly, whatever their scales                                          |
| floats, floats and other numbers      | double: NaN is NaN, -0 is 0                                             |
| floats and whole numbers of 64 bits   | exactly: a double that lost the last digit of a number is not equal     |
| timestamps, dates and timestamps      | in UTC, in microseconds; in nanoseconds where one side has them         |
| text and a number, date, time, UUID   | as text; text that reads as the other type is taken as that             |
| text and binary                       | as bytes, text in UTF-8                                                 |
| lists, structs, maps                  | member by member by these rules; struct members by name, maps by key    |
| anything else of two kinds            | not at all                                                              |

NULL equals NULL alone. Pure: types in, SQL out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from datalake_kit.cdc.workspace import text_literal

_DIGITS = {
    "boolean": 1, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "hugeint": 39,
    "utinyint": 3, "usmallint": 5, "uinteger": 10, "ubigint": 20, "uhugeint": 39,
}  # fmt: skip
_FAMILIES = {
    **dict.fromkeys(_DIGITS, "whole"),
    "boolean": "boolean",
    "float": "float", "double": "float",
    "decimal": "decimal",
    "varchar": "text", "enum": "text",
    "uuid": "uuid",
    "blob": "binary",
    "date": "date",
    "time": "time", "time_ns": "time_ns", "time with time zone": "time_tz",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp with time zone"), "timestamp"),
    "timestamp_ns": "timestamp_ns",
    "list": "list", "array": "list", "struct": "struct", "map": "map",
    "null": "null",
    "interval": "interval",
}  # fmt: skip
_NUMBERS = {"boolean", "whole", "decimal", "float"}
_TIMES = {"date", "timestamp", "timestamp_ns"}
_AS_TEXT = {  # what text may be compared with, and the type it is read as
    "boolean": "BOOLEAN",
    "float": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ns": "TIMESTAMPTZ",
    "uuid": "UUID",
}
_MOST_DIGITS = 38
_MOST_DIGITS_OF_64_BITS = 18
_EXACT_DIGITS = 15  # of a decimal whose division by a power of ten is the nearest double
_NUMBER = r"'\s*[+-]?\d+(\.\d*)?\s*'"


class Type(Protocol):
    """A DuckDB type, as the package duckdb shows it."""

    @property
    def id(self) -> str:
        """Its kind, such as "bigint" or "list"."""

    @property
    def children(self) -> Any:
        """What it is made of: members of a struct, precision and scale of a decimal."""


@dataclass(frozen=True)
class Form:
    """The common form of columns of several types."""

    kind: str
    digits: int = 0
    scale: int = 0
    members: tuple[tuple[str, Form], ...] = ()

    def sql(self, value: str, kind: Type) -> str:
        """The SQL that brings a value of one of the types to this form."""
        family = family_of(kind)
        if family == "null":
            return f"CAST(NULL AS {self.type_name})"
        if self.kind in ("list", "struct", "map"):
            return _nested(self, value, kind, count())
        written: str = _WRITERS[self.kind](self, value, family, kind)
        return written

    @property
    def type_name(self) -> str:
        """The SQL type that values of this form have."""
        names = {"whole": "BIGINT", "huge": "HUGEINT", "float": "DOUBLE", "nanoseconds": "HUGEINT", "binary": "BLOB"}
        names |= {"date": "DATE", "time": "TIME", "time_ns": "TIME_NS", "timestamp": "TIMESTAMP", "boolean": "BOOLEAN"}
        names |= {"decimal": f"DECIMAL({self.digits}, {self.scale})"}
        return names.get(self.kind, "VARCHAR")

    @property
    def is_number(self) -> bool:
        """Whether a tolerance can be a number."""
        return self.kind in ("whole", "huge", "decimal", "float", "exact float")

    @property
    def is_wide(self) -> bool:
        """Whether values are numbers of 128 bits."""
        return self.kind in ("huge", "nanoseconds") or (
            self.kind == "decimal" and self.digits > _MOST_DIGITS_OF_64_BITS
        )

    @property
    def is_time(self) -> bool:
        """Whether a tolerance can be a length of time."""
        return self.kind in ("timestamp", "nanoseconds", "date")


def family_of(kind: Type) -> str:
    """The family of a type; types that are compared with nothing else are their own."""
    return _FAMILIES.get(kind.id, kind.id)


def common_form(kinds: Sequence[Type]) -> Form | None:
    """The form that columns of several types are compared in; None where they cannot be compared."""
    known = [k for k in kinds if family_of(k) != "null"]
    families = {family_of(k) for k in known}
    if not families:
        return Form("text")
    if len(families) == 1 and families & {"list", "struct", "map"}:
        return _common_nested(families.pop(), known)
    if families <= _NUMBERS:
        return _common_number(known, families)
    if families <= _TIMES:
        return Form("date" if families == {"date"} else "nanoseconds" if "timestamp_ns" in families else "timestamp")
    if families <= {"text", "binary"}:
        return Form("binary" if "binary" in families else "text")
    if len(families) == 1:
        only = families.pop()
        return Form(only if only in ("time", "time_ns") else "as text")
    if "text" in families and families - {"text"} <= {"whole", "decimal"}:
        return Form("number text")
    others = families - {"text"}
    if "text" in families and len(others) == 1 and others <= set(_AS_TEXT):
        return Form(f"text or {others.pop()}")
    return None


def _common_number(kinds: Sequence[Type], families: set[str]) -> Form:
    if families == {"boolean"}:
        return Form("boolean")
    if "float" in families:
        long = "decimal" not in families and any(_DIGITS.get(k.id, 0) > _EXACT_DIGITS for k in kinds)
        return Form("exact float" if long else "float")
    if "decimal" not in families:
        wide = any(k.id in ("ubigint", "hugeint", "uhugeint") for k in kinds)
        return Form("number text" if any(k.id == "uhugeint" for k in kinds) else "huge" if wide else "whole")
    scale = max(_scale(k) for k in kinds)
    digits = max(_whole_digits(k) for k in kinds) + scale
    return Form("decimal", digits, scale) if digits <= _MOST_DIGITS else Form("number text")


def _scale(kind: Type) -> int:
    return int(dict(kind.children)["scale"]) if kind.id == "decimal" else 0


def _whole_digits(kind: Type) -> int:
    return int(dict(kind.children)["precision"]) - _scale(kind) if kind.id == "decimal" else _DIGITS[kind.id]


# --- one value


def _whole(form: Form, value: str, family: str, kind: Type) -> str:
    return value if kind.id == "bigint" and form.kind == "whole" else f"CAST({value} AS {form.type_name})"


def _float(form: Form, value: str, family: str, kind: Type) -> str:
    if family == "boolean":
        value = f"CAST({value} AS TINYINT)"
    if family == "decimal" and int(dict(kind.children)["precision"]) > _EXACT_DIGITS:
        value = f"CAST({value} AS VARCHAR)"  # through text: rounded once, to the nearest
    return value if kind.id == "double" else f"CAST({value} AS DOUBLE)"


def _exact_float(form: Form, value: str, family: str, kind: Type) -> str:
    """Whole numbers, and floats that are whole, by all their digits: a double has not room for those of 64 bits."""
    if family != "float":
        return _number_text(form, value, family, kind)
    double = f"CAST({value} AS DOUBLE)"
    whole = f"CAST(CAST({double} AS HUGEINT) AS VARCHAR)"
    return (
        f"CASE WHEN isnan({double}) THEN 'nan' WHEN abs({double}) < 1e38 AND {double} = trunc({double}) THEN {whole} "
        f"ELSE CAST({double} AS VARCHAR) END"
    )


def _decimal(form: Form, value: str, family: str, kind: Type) -> str:
    if family == "boolean":
        value = f"CAST({value} AS TINYINT)"
    return f"CAST({value} AS {form.type_name})"


def _same(form: Form, value: str, family: str, kind: Type) -> str:
    return value


def _timestamp(form: Form, value: str, family: str, kind: Type) -> str:
    return value if kind.id == "timestamp" else f"CAST({value} AS TIMESTAMP)"


def _nanoseconds(form: Form, value: str, family: str, kind: Type) -> str:
    if family == "timestamp_ns":
        return f"CAST(epoch_ns({value}) AS HUGEINT)"
    moment = f"CAST({value} AS TIMESTAMP)"
    endless = f"CAST('{2**126}' AS HUGEINT) * CASE WHEN {moment} > TIMESTAMP 'epoch' THEN 1 ELSE -1 END"
    return f"CASE WHEN isinf({moment}) THEN {endless} ELSE CAST(epoch_us({moment}) AS HUGEINT) * 1000 END"


def _text(form: Form, value: str, family: str, kind: Type) -> str:
    return value if kind.id == "varchar" else f"CAST({value} AS VARCHAR)"


def _binary(form: Form, value: str, family: str, kind: Type) -> str:
    return value if family == "binary" else f"encode(CAST({value} AS VARCHAR))"


def _number_text(form: Form, value: str, family: str, kind: Type) -> str:
    """A whole number or decimal as text without needless zeros; text that is no number stays as it is."""
    if family == "boolean":
        value = f"CAST({value} AS TINYINT)"
    text = f"CAST({value} AS VARCHAR)"
    digits = f"ltrim(regexp_replace({text}, '[\\s+-]', '', 'g'), '0')"
    if family == "whole" or family == "boolean":
        return text
    bare = f"CASE WHEN contains({digits}, '.') THEN rtrim(rtrim({digits}, '0'), '.') ELSE {digits} END"
    shown = "CASE WHEN starts_with(b, '.') THEN '0' || b WHEN b = '' THEN '0' ELSE b END"
    signed = f"list_transform([{bare}], lambda b: {shown})[1]"
    negative = f"CASE WHEN contains({text}, '-') AND {signed} <> '0' THEN '-' ELSE '' END"
    plain = f"{negative} || {signed}"
    if family == "decimal":
        return plain
    return f"CASE WHEN regexp_full_match({text}, {_NUMBER}) THEN {plain} ELSE {text} END"


def _text_or(other: str) -> Any:
    """Text against one other type: text that reads as that type is taken as it."""

    def write(form: Form, value: str, family: str, kind: Type) -> str:
        read = f"TRY_CAST({value} AS {_AS_TEXT[other]})" if family == "text" else value
        if other == "float":
            read = f"CAST({read} AS DOUBLE)"
            read = f"CASE WHEN isnan({read}) THEN 'nan' ELSE CAST({read} + 0.0 AS VARCHAR) END"
        elif other in ("timestamp", "timestamp_ns"):
            read = f"CAST({read} AS TIMESTAMP)" if family != "timestamp_ns" else read
        shown = f"CAST({read} AS VARCHAR)"
        return f"coalesce({shown}, {value})" if family == "text" else shown

    return write


_WRITERS: dict[str, Any] = {
    "whole": _whole,
    "huge": _whole,
    "float": _float,
    "exact float": _exact_float,
    "decimal": _decimal,
    "boolean": _same,
    "date": _same,
    "time": _same,
    "time_ns": _same,
    "timestamp": _timestamp,
    "nanoseconds": _nanoseconds,
    "text": _text,
    "as text": _text,
    "binary": _binary,
    "number text": _number_text,
    **{f"text or {other}": _text_or(other) for other in _AS_TEXT},
}


# --- values made of values: as text in which each part says its length


def _common_nested(family: str, kinds: Sequence[Type]) -> Form | None:
    if family == "struct":
        return _common_struct(kinds)
    names = ("child",) if family == "list" else ("key", "value")
    forms = [(name, common_form([dict(k.children)[name] for k in kinds])) for name in names]
    return _made_of(family, forms)


def _common_struct(kinds: Sequence[Type]) -> Form | None:
    by_name: dict[str, list[Type]] = {}
    for kind in kinds:
        for name, member in kind.children:
            by_name.setdefault(name.casefold(), []).append(member)
    if any(len(members) != len(kinds) for members in by_name.values()):
        return None  # a member that one side lacks, or two that differ in case alone
    return _made_of("struct", [(name, common_form(members)) for name, members in by_name.items()])


def _made_of(family: str, forms: Sequence[tuple[str, Form | None]]) -> Form | None:
    sound = tuple((name, form) for name, form in forms if form is not None)
    return Form(family, members=sound) if len(sound) == len(forms) else None


def _nested(form: Form, value: str, kind: Type, numbers: Any) -> str:
    """Text of a list, struct or map; NULL for NULL."""
    children = {name.casefold(): member for name, member in kind.children if name != "size"}
    item = f"e{next(numbers)}"
    if form.kind == "list":
        inner = _counted(form.members[0][1], item, children["child"], numbers)
        return f"'[' || array_to_string(list_transform({value}, lambda {item}: {inner}), '') || ']'"
    if form.kind == "map":
        (_, key), (_, content) = form.members
        both = _counted(key, f"{item}.key", children["key"], numbers)
        both += f" || {_counted(content, f'{item}.value', children['value'], numbers)}"
        entries = f"list_sort(list_transform(map_entries({value}), lambda {item}: {both}))"
        return f"'{{' || array_to_string({entries}, '') || '}}'"
    names = {name.casefold(): name for name, _ in kind.children}
    parts = (
        _counted(member, f"struct_extract({value}, {text_literal(names[name])})", children[name], numbers)
        for name, member in form.members
    )
    return f"CASE WHEN {value} IS NOT NULL THEN {' || '.join(parts)} END"


def _counted(form: Form, value: str, kind: Type, numbers: Any) -> str:
    """A member with its length before it, so that no two contents read alike; NULL has none."""
    if family_of(kind) == "null":
        return "'~'"
    if form.kind in ("list", "struct", "map"):
        text = _nested(form, value, kind, numbers)
    else:
        text = form.sql(value, kind)
        if form.kind == "float":
            text = f"CASE WHEN isnan({text}) THEN 'nan' ELSE CAST({text} + 0.0 AS VARCHAR) END"
        text = f"CAST({text} AS VARCHAR)"
    return f"coalesce(length({text}) || ':' || {text}, '~')"
