"""One query file: its header, its statement, and values checked by the types that the header declares."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalake_kit.engines.dialect.lexing import placeholders, without_last_semicolon
from datalake_kit.errors import ParameterError, SqlError, did_you_mean
from datalake_kit.sql.placeholders import placeholder_names, quote_identifier, replace_placeholders, split_name
from datalake_kit.sql.values import Value, unwrapped

_HEADER = re.compile(r"--\s*:(?P<name>\w+)\s+(?P<type>\w+)(?:\s*=\s*(?P<default>'(?:[^']|'')*'|\S+))?\s*(?P<help>.*)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a query file."""

    name: str
    type: str
    help: str
    required: bool
    default: Value = None

    def __str__(self) -> str:
        shown = "NULL" if self.default is None else repr(self.default) if self.type == "text" else str(self.default)
        return f":{self.name} {self.type}" + ("" if self.required else f" = {shown}")


@dataclass(frozen=True)
class Query:
    """One query file: its name, what it answers, its parameters, its statement, and the line where that begins."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    text: str
    file: Path
    line: int = 1


@dataclass(frozen=True)
class Header:
    """The comment lines that a query file begins with, and where its statement begins."""

    lines: tuple[str, ...]
    start: int


def header_of(text: str) -> Header:
    """Split the leading `--` lines off; a line ends where it ends for the engine."""
    lines: list[str] = []
    at = 0
    while text.startswith("--", at):
        match = _LINE.match(text, at)
        assert match is not None  # it matches nothing at the least
        lines.append(match.group().rstrip("\r\n"))
        at = match.end()
    return Header(tuple(lines), at)


def parse_query(name: str, text: str, file: Path) -> Query:
    """Split a query file into header and statement, and check that declared and used parameters are the same.

    Raises
    ------
    SqlError
        A header line cannot be read, or declared and used parameters differ; names file and line.
    """
    header = header_of(text)
    description: list[str] = []
    parameters: dict[str, Parameter] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(header.lines, start=1):
        if re.match(r"--\s*:\w", line):
            parameter = read_parameter(line, f"{file}:{number}")
            if parameter.name in parameters:
                raise SqlError(f"{file}:{number}: :{parameter.name} is declared twice. Leave one out.")
            parameters[parameter.name], lines[parameter.name] = parameter, number
        elif not parameters:
            description.append(line.lstrip("-").strip())
    start, statement = _statement(text, header.start, file)
    first = text.count("\n", 0, start) + 1
    _same_names(statement, lines, f"{file}", first)
    return Query(name, " ".join(description).strip(), tuple(parameters.values()), statement, file, first)


def _statement(text: str, at: int, file: Path) -> tuple[int, str]:
    """Return the statement and where it begins: without blank lines before it and semicolons after it."""
    rest = text[at:]
    blank = len(rest) - len(rest.lstrip())
    try:
        statement = without_last_semicolon(rest.strip()).rstrip()
    except SqlError as error:
        raise SqlError(f"{file}: {error} (counted from the first line of the statement).") from None
    if not statement:
        raise SqlError(f"{file}: there is no statement in it. Write one below the header.")
    return at + blank, statement


def _same_names(statement: str, declared: Mapping[str, int], file: str, first: int) -> None:
    used = placeholder_names(statement)
    what = "parameters declared in the header and used in the statement differ"
    for found in placeholders(statement):
        if found.name not in declared:
            line = first + statement.count("\n", 0, found.start)
            raise SqlError(
                f"{file}:{line}: {what}: {found.name} is not declared. "
                f"Write `-- :{found.name} text   what it means` into the header."
            )
    for name, number in declared.items():
        if name not in used:
            raise SqlError(f"{file}:{number}: {what}: {name} is not used. Leave it out, or use it as :{name}.")


def read_parameter(line: str, where: str) -> Parameter:
    """Read one header line `-- :name type = default  help`; `where` stands in the error."""
    match = _HEADER.fullmatch(line.strip())
    if not match or match["type"] not in TYPES:
        raise SqlError(f"{where}: write `-- :name type = default  help`, type one of {', '.join(TYPES)}: {line!r}.")
    default = match["default"]
    if default is None:
        return Parameter(match["name"], match["type"], match["help"], required=True)
    quoted = default.startswith("'") and default.endswith("'") and len(default) > 1
    plain = default[1:-1].replace("''", "'") if quoted else default
    value = None if default.upper() == "NULL" else _default(match["type"], plain, where)
    return Parameter(match["name"], match["type"], match["help"], required=False, default=value)


def bind_query(query: Query, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a query's statement with identifiers quoted, and the values of its other parameters, checked by type."""
    known = [p.name for p in query.parameters]
    for name in values:
        if name not in known:
            hint = did_you_mean(name, known) if known else "It has none."
            raise ParameterError(f"Query {query.name} has no parameter {name!r}. {hint} ({query.file})")
    identifiers: dict[str, str] = {}
    bound: dict[str, Any] = {}
    for parameter in query.parameters:
        if parameter.required and parameter.name not in values:
            raise ParameterError(
                f"Query {query.name} needs {parameter.name}= ({parameter.type}: {parameter.help or 'see its header'})."
            )
        value = values.get(parameter.name, parameter.default)
        if parameter.type == "identifier":
            identifiers[parameter.name] = ".".join(quote_identifier(part) for part in split_name(value))
        else:
            bound[parameter.name] = _checked(query, parameter, value)
    return replace_placeholders(query.text, lambda n: identifiers.get(n, f":{n}")), bound


def _checked(query: Query, parameter: Parameter, value: Any) -> Any:
    value = unwrapped(value)
    if value is None and not parameter.required:
        return None
    if isinstance(value, bool) and parameter.type in ("integer", "number"):
        fits = False
    else:
        fits = isinstance(value, TYPES[parameter.type])
    if parameter.type == "date" and isinstance(value, dt.datetime):
        fits = False
    if not fits:
        raise ParameterError(
            f"Query {query.name}: {parameter.name} must be {parameter.type}, not {type(value).__name__} {value!r}."
        )
    return value


def _default(kind: str, text: str, where: str) -> Value:
    try:
        return from_text(kind, text)
    except (ValueError, KeyError):
        hint = """ Write a list as '["a", "b"]'.""" if kind == "list" else ""
        raise SqlError(f"{where}: Not a default of type {kind}: {text!r}.{hint}") from None


def from_text(kind: str, text: str) -> Value:
    """Read a value of a declared type from text; ValueError or KeyError where it is none."""
    readers: dict[str, Callable[[str], Value]] = {
        "integer": int,
        "number": float,
        "date": dt.date.fromisoformat,
        "timestamp": dt.datetime.fromisoformat,
        "boolean": lambda t: {"true": True, "false": False}[t.lower()],
        "list": _list,
    }
    return readers.get(kind, str)(text)


def _list(text: str) -> list[Any]:
    found = json.loads(text)
    if not isinstance(found, list) or not found:
        raise ValueError(text)
    return found


TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float, decimal.Decimal),
    "boolean": (bool,),
    "date": (dt.date,),
    "timestamp": (dt.datetime,),
    "list": (list, tuple, set, frozenset),
    "identifier": (str,),
}
