"""Trino's functions: tables of signatures with their DuckDB text, and how a call finds its row.

A row reads `name(argument types) -> result = DuckDB text`. Types are Trino's; `T`, `K`, `V` stand for any type (the
same one throughout), `N` for any number, `I` for any whole number, `moment` for date and timestamp. `{0}` is the first
argument, `{*}` all of them; `name[...]` marks the aggregate inside an aggregate's text, where DISTINCT, ORDER BY,
FILTER and OVER go. Text that begins with @ names a Python function of the table's module. What stands in no table is
refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr
from datalake_kit.engines.dialect.types import (
    UNKNOWN,
    UTC,
    SqlType,
    array_of,
    coerces,
    common,
    map_of,
)

Handler = Callable[..., Expr]
_ROW = re.compile(r"(?P<name>\w+)\((?P<args>.*?)\) -> (?P<result>[^=]+?) = (?P<text>.*)")
_ANY, _NUMBER, _INTEGER = "TKVU", "N", "I"


@dataclass(frozen=True, slots=True)
class Signature:
    """One row of a table of functions."""

    name: str
    arguments: tuple[SqlType, ...]
    result: SqlType
    text: str
    handler: Handler | None
    variadic: bool

    def match(self, given: list[Expr]) -> dict[str, SqlType] | None:
        """Return what the type variables stand for in a call, or None when the call does not fit."""
        wanted = self.arguments
        if self.variadic and len(given) >= len(wanted):
            wanted = wanted + (wanted[-1],) * (len(given) - len(wanted))
        if len(wanted) != len(given):
            return None
        bound: dict[str, SqlType] = {}
        if all(_fits(e.type, w, bound) for e, w in zip(given, wanted, strict=True)):
            return bound
        return None


def table(text: str, handlers: dict[str, Any]) -> dict[str, list[Signature]]:
    """Read a table of signatures; `handlers` is the module's namespace."""
    found: dict[str, list[Signature]] = {}
    for line in text.strip().splitlines():
        match = _ROW.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"no signature: {line!r}")
        parts = [p.strip() for p in _commas(match["args"])]
        variadic = bool(parts) and parts[-1].endswith("...")
        body = match["text"].strip()
        signature = Signature(
            match["name"],
            tuple(_type(p.removesuffix("...")) for p in parts),
            _type(match["result"].strip()),
            body,
            handlers[body[1:]] if body.startswith("@") else None,
            variadic,
        )
        found.setdefault(signature.name, []).append(signature)
    return found


def _commas(text: str) -> Iterable[str]:
    depth, begin = 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            yield text[begin:i]
            begin = i + 1
    if text.strip():
        yield text[begin:]


@functools.cache
def _type(text: str) -> SqlType:
    if text == "timestamptz":
        return SqlType("timestamp with time zone", zone=UTC)
    match = re.fullmatch(r"(array|map)\((.*)\)", text)
    if match is None:
        return SqlType(text)
    parts = [_type(p.strip()) for p in _commas(match[2])]
    return array_of(parts[0]) if match[1] == "array" else map_of(parts[0], parts[1])


def _fits(given: SqlType, wanted: SqlType, bound: dict[str, SqlType]) -> bool:
    name = wanted.name
    if name in _ANY:
        return _bind(name, given, bound)
    if name == _NUMBER:
        return given.is_number and _bind(name, given, bound)
    if name == _INTEGER:
        return given.is_integer and _bind(name, given, bound)
    if name == "moment":
        return given.name in ("date", "timestamp", "timestamp with time zone") and _bind(name, given, bound)
    if name == "decimal":
        return given.name == "decimal" and _bind(name, given, bound)
    if name == "row":
        return given.name == "row" and _bind(name, given, bound)
    if wanted.args:
        if given == UNKNOWN:
            return all(_fits(UNKNOWN, w, bound) for w in wanted.args)
        same = given.name == name and len(given.args) == len(wanted.args)
        return same and all(_fits(g, w, bound) for g, w in zip(given.args, wanted.args, strict=True))
    return coerces(given, wanted)


def _bind(name: str, given: SqlType, bound: dict[str, SqlType]) -> bool:
    met = common(bound.get(name, UNKNOWN), given)
    if met is None:
        return False
    bound[name] = met
    return True


def fill(wanted: SqlType, bound: dict[str, SqlType]) -> SqlType:
    """Put what the type variables stand for into a type."""
    if wanted.name in bound:
        return bound[wanted.name]
    if wanted.args and wanted.name in ("array", "map"):
        return replace(wanted, args=tuple(fill(a, bound) for a in wanted.args))
    return wanted


def choose(name: str, rows: list[Signature], given: list[Expr]) -> tuple[Signature, dict[str, SqlType]]:
    """Return the row that fits a call best: one that needs no conversion, else the first that fits.

    Raises
    ------
    UnsupportedSqlError
        None fits; says which there are.
    """
    fitting = [(row, bound) for row in rows if (bound := row.match(given)) is not None]
    if not fitting:
        shown = ", ".join(str(e.type) for e in given)
        known = " or ".join(f"{r.name}({', '.join(map(str, r.arguments))})" for r in rows[:4])
        refuse(f"{name}({shown})", "Athena has no such function, or its translation is not known", f"there is {known}")
    if len(fitting) > 1 and UNKNOWN in (e.type for e in given):
        refuse(f"{name} of NULL", "Athena cannot tell which type is meant", "CAST(NULL AS the type you mean)")
    for row, bound in fitting:
        if all(e.type == fill(w, bound) for e, w in zip(given, row.arguments, strict=False)):
            return row, bound
    return fitting[0]
