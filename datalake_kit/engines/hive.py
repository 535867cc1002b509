"""Types as the Glue catalog writes them: read into Arrow's, and brought into one spelling.

>>> normal_type("ARRAY<struct<a: Integer, b:decimal>>")
'array<struct<a:int,b:decimal(10,0)>>'
>>> arrow_type("map<string,double>")
MapType(map<string, double>)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from datalake_kit.errors import DataError

__all__ = ["arrow_type", "normal_type"]

_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "char": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
_OTHER_SPELLINGS = {
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
    "bool": "boolean",
    "real": "float",
    "double precision": "double",
    "dec": "decimal",
    "numeric": "decimal",
    "character": "char",
    "varbinary": "binary",
    "timestamp without time zone": "timestamp",
}
_WIDTH = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_PARTS = {"array": 1, "map": 2}
_DEEPEST = 100


@dataclass(frozen=True)
class _Type:
    name: str
    numbers: tuple[int, ...] = ()
    parts: tuple[_Type, ...] = ()
    members: tuple[str, ...] = ()  # of a struct

    def __str__(self) -> str:
        if self.members or self.name == "struct":
            pairs = zip(self.members, self.parts, strict=True)
            return f"struct<{','.join(f'{m}:{p}' for m, p in pairs)}>"
        if self.parts:
            return f"{self.name}<{','.join(map(str, self.parts))}>"
        return self.name + (f"({','.join(map(str, self.numbers))})" if self.numbers else "")


def normal_type(text: str) -> str:
    """Write a type of the catalog in the one spelling that `hive_type` has; what is no such type stays as it is."""
    try:
        return str(_read(text))
    except DataError:
        return text


def arrow_type(text: str) -> pa.DataType:
    """Return the Arrow type of the values of a type of the catalog: char and varchar as text, times in microseconds.

    Raises
    ------
    DataError
        No such type, or one without a counterpart (interval, uniontype); it is named.
    """
    return _arrow(_read(text), text)


def _arrow(kind: _Type, text: str) -> pa.DataType:
    if kind.name == "array":
        return pa.list_(_arrow(kind.parts[0], text))
    if kind.name == "map":
        return pa.map_(_arrow(kind.parts[0], text), _arrow(kind.parts[1], text))
    if kind.name == "struct":
        pairs = zip(kind.members, kind.parts, strict=True)
        return pa.struct([pa.field(m, _arrow(p, text)) for m, p in pairs])
    if kind.name == "decimal":
        precision, scale = kind.numbers
        if 1 <= precision <= 38 and scale <= precision:
            return pa.decimal128(precision, scale)
    if kind.name in _ARROW:
        return _ARROW[kind.name]
    raise DataError(f"The type {text!r} of the catalog is not read here. Cast the column in SQL.")


@lru_cache(maxsize=10_000)
def _read(text: str) -> _Type:
    kind, rest = _type(text.strip(), text, 0)
    if rest.strip():
        raise _no_type(text)
    return kind


def _type(rest: str, whole: str, depth: int) -> tuple[_Type, str]:
    """Read one type at the beginning of a text; return it and what is left."""
    found = re.match(r"\s*([A-Za-z_]\w*(?: (?:precision|without time zone))?)\s*", rest, re.IGNORECASE)
    if found is None or depth > _DEEPEST:
        raise _no_type(whole)
    word = " ".join(found[1].lower().split())
    name, rest = _OTHER_SPELLINGS.get(word, word), rest[found.end() :]
    if rest.startswith("<"):
        return _nested(name, rest[1:], whole, depth)
    if name in ("array", "map", "struct"):
        raise _no_type(whole)
    width = _WIDTH.match(rest)
    numbers = tuple(int(n) for n in width.groups() if n is not None) if width else ()
    if name == "decimal":
        numbers = (*numbers, *(10, 0)[len(numbers) :])
    return _Type(name, numbers), rest[width.end() if width else 0 :]


def _nested(name: str, rest: str, whole: str, depth: int) -> tuple[_Type, str]:
    members: list[str] = []
    parts: list[_Type] = []
    while True:
        if name == "struct":
            member, colon, rest = rest.partition(":")
            if not colon or not member.strip():
                raise _no_type(whole)
            members.append(member.strip())
        part, rest = _type(rest, whole, depth + 1)
        parts.append(part)
        rest = rest.lstrip()
        if rest[:1] not in (",", ">"):
            raise _no_type(whole)
        end, rest = rest[0], rest[1:]
        if end == ">":
            break
    if len(parts) != _PARTS.get(name, len(parts)) or name not in ("array", "map", "struct", "uniontype"):
        raise _no_type(whole)
    return _Type(name, parts=tuple(parts), members=tuple(members)), rest


def _no_type(text: str) -> DataError:
    return DataError(f"{text!r} is no type of the Glue catalog, such as bigint or array<struct<a:int>>.")
