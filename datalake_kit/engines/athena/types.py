"""The types of Athena's results: read from their text, written as Arrow's.

The same statement has the same Arrow types here as on the local engine: timestamps are in microseconds, those with a
zone are instants in UTC; JSON, UUID and the like are text; the fields of a row that have no names are called element1,
element2 and so on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from datalake_kit.errors import UnsupportedSqlError

_SCALARS: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "varchar": pa.string(),
    "string": pa.string(),
    "json": pa.string(),
    "uuid": pa.string(),
    "ipaddress": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "varbinary": pa.binary(),
    "interval day to second": pa.month_day_nano_interval(),
    "interval year to month": pa.month_day_nano_interval(),
    "unknown": pa.null(),
}
NESTED = frozenset({"array", "map", "row"})
_LONG = ("interval day to second", "interval year to month", "double precision")
_TOKEN = re.compile(r'\s*("(?:[^"]|"")*"|\d+|[^\W\d]\w*|[(),])')


@dataclass(frozen=True)
class AthenaType:
    """A type of Athena.

    Attributes
    ----------
    base
        Its name in lower case without arguments, such as `timestamp with time zone`.
    arguments
        Its numbers: precision and scale of a decimal, length of a varchar, digits of a timestamp.
    parts
        The types inside an array (1), a map (2) or a row; empty where only the bare name is known.
    names
        The names of a row's fields, None for one without.
    """

    base: str
    arguments: tuple[int, ...] = ()
    parts: tuple[AthenaType, ...] = ()
    names: tuple[str | None, ...] = ()

    @property
    def nested(self) -> bool:
        """Whether it is an array, a map or a row."""
        return self.base in NESTED

    def walk(self) -> list[AthenaType]:
        """Return the type and all types inside it."""
        return [self, *(inner for part in self.parts for inner in part.walk())]


def parse_type(text: str) -> AthenaType:
    """Read a type as `typeof` and Trino write it.

    Parameters
    ----------
    text
        Such as `array(row(a bigint, "odd name" decimal(10,2)))`; the bare words of GetQueryResults (`array`) as well.

    Raises
    ------
    UnsupportedSqlError
        The text is no type.

    Examples
    --------
    >>> parse_type("decimal(10,2)").arguments
    (10, 2)
    >>> arrow_type(parse_type("map(varchar(3), timestamp(3) with time zone)"))
    MapType(map<string, timestamp[us, tz=UTC]>)
    """
    reader = _Reader(text)
    found = reader.type()
    if reader.next is not None:
        raise reader.failure()
    return found


def arrow_type(kind: AthenaType, column: str = "") -> pa.DataType:
    """Return the Arrow type of the values of an Athena type.

    Raises
    ------
    UnsupportedSqlError
        Values of the type cannot be read, or an array, map or row is known by its bare name only.
    """
    if kind.base == "decimal":
        return pa.decimal128(*(kind.arguments + (38, 0)[len(kind.arguments) :]))
    if kind.base in _SCALARS:
        return _SCALARS[kind.base]
    if kind.parts:
        inner = [arrow_type(part, column) for part in kind.parts]
        if kind.base == "array":
            return pa.list_(inner[0])
        if kind.base == "map":
            return _map(*inner)
        return pa.struct(list(zip(field_names(kind), inner, strict=True)))
    name = f'"{column}"' if column else "it"
    if kind.nested:
        raise UnsupportedSqlError(
            f"Column {column!r} is {kind.base}: nested values come back only by way of Parquet (unload=None or True). "
            f"Or write json_format(CAST({name} AS JSON))."
        )
    raise UnsupportedSqlError(
        f"Column {column!r} has type {kind.base}, which is not read. Write CAST({name} AS VARCHAR)."
    )


def _map(key: pa.DataType, item: pa.DataType) -> pa.DataType:
    """The type of a map; the one of `MAP()`, whose keys have no type, is not made by `pa.map_`."""
    if not pa.types.is_null(key):
        return pa.map_(key, item)
    return pa.MapArray.from_arrays(pa.array([0], pa.int32()), pa.nulls(0), pa.array([], item)).type


def field_names(kind: AthenaType) -> list[str]:
    """Return the names of a row's fields; one without a name is called by its place, from 1 on."""
    return [name or f"element{place}" for place, name in enumerate(kind.names, start=1)]


class _Reader:
    """Reads one type, token by token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise self.failure()
            self.tokens.append(found[1])
            place = found.end()
        self.place = 0

    def failure(self) -> UnsupportedSqlError:
        return UnsupportedSqlError(f"Not a type of Athena: {self.text!r}. Cast the column to a type that is.")

    @property
    def next(self) -> str | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def accept(self, *words: str) -> bool:
        found = self.tokens[self.place : self.place + len(words)]
        if [t.lower() for t in found] != list(words):
            return False
        self.place += len(words)
        return True

    def take(self) -> str:
        token = self.next
        if token is None:
            raise self.failure()
        self.place += 1
        return token

    def type(self) -> AthenaType:
        for long in _LONG:
            if self.accept(*long.split()):
                return AthenaType("double" if long == "double precision" else long)
        base = self.take().lower()
        if not re.fullmatch(r"[^\W\d]\w*", base):
            raise self.failure()
        numbers: tuple[int, ...] = ()
        if self.accept("("):
            if base in NESTED:
                return self.inner(base)
            numbers = self.numbers()
        if base in ("timestamp", "time") and self.accept("with", "time", "zone"):
            base += " with time zone"
        elif base in ("timestamp", "time"):
            self.accept("without", "time", "zone")
        return AthenaType(base, numbers)

    def numbers(self) -> tuple[int, ...]:
        found = []
        while not self.accept(")"):
            token = self.take()
            if not token.isdecimal():
                raise self.failure()
            found.append(int(token))
            if self.next != ")" and not self.accept(","):
                raise self.failure()
        return tuple(found)

    def inner(self, base: str) -> AthenaType:
        names: list[str | None] = []
        parts = []
        while True:
            names.append(self.name() if base == "row" else None)
            parts.append(self.type())
            if self.accept(")"):
                break
            if not self.accept(","):
                raise self.failure()
        if len(parts) != {"array": 1, "map": 2}.get(base, len(parts)):
            raise self.failure()
        return AthenaType(base, (), tuple(parts), tuple(names) if base == "row" else ())

    def name(self) -> str | None:
        """Take the name of a field, if a type follows it; a lone word is the type of a field without a name."""
        token = self.next or ""
        if token.startswith('"'):
            self.place += 1
            return token[1:-1].replace('""', '"')
        rest = [t.lower() for t in self.tokens[self.place : self.place + 4]]
        follows = rest[1] if len(rest) > 1 else ")"
        long = any(rest[: len(words)] == words for words in map(str.split, (*_LONG, "time with time zone")))
        if follows in ("(", ")", ",") or long or rest == ["timestamp", "with", "time", "zone"]:
            return None
        self.place += 1
        return token
