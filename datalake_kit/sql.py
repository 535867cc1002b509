"""Named queries and bound values.

A query is a file of sql/ with one statement in Athena's dialect and a header that describes it::

    -- Rows of a table since an instant.
    -- :table identifier                    database.table
    -- :since timestamp = NULL              first instant that counts; NULL: all
    SELECT count(*) AS row_count
    FROM :table
    WHERE :since IS NULL OR updated >= :since

Types: text, integer, number, boolean, date, timestamp, list, identifier. An identifier is quoted, everything else is
bound as a value; nothing is pasted. `:name` inside a string, a quoted identifier or a comment is left alone.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalake_kit.engines.dialect.lexing import placeholders
from datalake_kit.errors import ParameterError, QueryNotFoundError, SqlError, did_you_mean

Value = Any  # None, bool, int, float, Decimal, str, bytes, date, datetime

_HEADER = re.compile(r"--\s*:(?P<name>\w+)\s+(?P<type>\w+)(?:\s*=\s*(?P<default>'(?:[^']|'')*'|\S+))?\s*(?P<help>.*)")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter of a query file."""

    name: str
    type: str
    help: str
    required: bool
    default: Value = None


@dataclass(frozen=True)
class Query:
    """One file of sql/: its name, what it answers, its parameters and its text."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    text: str
    file: Path


# --- placeholders -----------------------------------------------------------------------------------------------


def placeholder_names(text: str) -> tuple[str, ...]:
    """Return the names of the `:name` placeholders of a statement, in order of first use.

    >>> placeholder_names("SELECT ':no', a /* :no */ FROM t WHERE b = :yes -- :no")
    ('yes',)
    """
    return tuple(dict.fromkeys(p.name for p in placeholders(text)))


def replace_placeholders(text: str, replacement: Callable[[str], str]) -> str:
    """Return the statement with each placeholder replaced by what `replacement(name)` returns."""
    parts, end = [], 0
    for found in placeholders(text):
        parts += [text[end : found.start], replacement(found.name)]
        end = found.end
    return "".join([*parts, text[end:]])


def quote_identifier(name: str) -> str:
    """Quote one identifier, doubling the quotes inside; a NUL character or nothing at all is refused."""
    if not name or "\0" in name:
        raise ParameterError(f"Not a name of a table or column: {name!r}.")
    return '"' + name.replace('"', '""') + '"'


def split_name(name: str) -> tuple[str, ...]:
    """Split `database.table` at its dots; a part in double quotes may hold any character.

    >>> split_name('taxi."odd.name"')
    ('taxi', 'odd.name')
    """
    if not isinstance(name, str):
        raise ParameterError(f"A table is named by text such as 'taxi.table_1', not by {name!r}.")
    parts = re.findall(r'"((?:[^"]|"")*)"(?:\.|$)|([^."]+)(?:\.|$)', name)
    names = tuple((quoted.replace('""', '"') or plain) for quoted, plain in parts)
    if not names or ".".join(_as_written(q, p) for q, p in parts) != name:
        raise ParameterError(f"Not a name such as database.table: {name!r}. Put odd parts in double quotes.")
    return names


def _as_written(quoted: str, plain: str) -> str:
    return plain if plain else f'"{quoted}"'


# --- values -----------------------------------------------------------------------------------------------------


def bind(text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    """Check that the values fit the placeholders, and spread lists.

    Returns the statement and one plain value a placeholder. A list becomes as many placeholders as it has values, so
    that `IN (:names)` works. A time with a zone becomes the same instant as a plain timestamp in UTC, as the lake holds
    it.

    Raises
    ------
    ParameterError
        A value is missing, not asked for, or of a type that cannot be bound.
    """
    wanted = placeholder_names(text)
    _compare_names(wanted, values)
    plain: dict[str, Value] = {}
    spread: dict[str, str] = {}
    for name in wanted:
        value = _listed(values[name])
        if isinstance(value, (list, tuple, set, frozenset)):
            members = _members(name, value)
            names = [f"{name}__{i}" for i in range(len(members))]
            plain.update(zip(names, members, strict=True))
            spread[name] = ", ".join(f":{n}" for n in names)
        else:
            plain[name] = plain_value(name, value)
    return replace_placeholders(text, lambda n: spread.get(n, f":{n}")), plain


def _compare_names(wanted: Iterable[str], given: Iterable[str]) -> None:
    wanted, given = list(wanted), list(given)
    missing = [n for n in wanted if n not in given]
    extra = [n for n in given if n not in wanted]
    if missing:
        raise ParameterError(
            f"No value for {', '.join(':' + n for n in missing)}. Give {missing[0]}=..., "
            f"or params={{{missing[0]!r}: ...}}."
        )
    if extra:
        hint = did_you_mean(extra[0], wanted) if wanted else "The statement has no parameters (written :name)."
        raise ParameterError(f"The statement does not use {', '.join(extra)}. {hint}")


def _members(name: str, values: Iterable[Any]) -> list[Value]:
    ordered = sorted(values, key=repr) if isinstance(values, (set, frozenset)) else values
    members = [plain_value(name, v) for v in ordered]
    if not members:
        raise ParameterError(
            f":{name} is an empty list, and IN () is no SQL. Leave the condition out, or give a value."
        )
    return members


def plain_value(name: str, value: Any) -> Value:
    """Return a value as one of the types that every engine binds; raise ParameterError for any other."""
    value = _unwrap(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    if isinstance(value, str):
        _refuse_text(name, value)
        return value
    if value is None or isinstance(value, (bool, int, float, decimal.Decimal, bytes, dt.date)):
        return value
    raise ParameterError(
        f":{name} has type {type(value).__name__}; a value is None, bool, int, float, Decimal, text, bytes, date, "
        "datetime, or a list of these."
    )


def _listed(value: Any) -> Any:
    """Take an array, a Series, an Index or a range as the list of its values."""
    if isinstance(value, range):
        return list(value)
    foreign = type(value).__module__.partition(".")[0] in ("numpy", "pandas", "pyarrow")
    several = hasattr(value, "tolist") and hasattr(value, "__len__") and getattr(value, "shape", None) != ()
    return value.tolist() if foreign and several and not isinstance(value, (str, bytes)) else value


def _refuse_text(name: str, value: str) -> None:
    if "\0" in value:
        raise ParameterError(f":{name} holds a NUL character, which no engine takes in text.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ParameterError(f":{name} holds half a surrogate pair, which is no text: {value!r}.") from None


def _unwrap(value: Any) -> Any:
    """Take numpy scalars and pandas timestamps as what they stand for, without importing either."""
    if type(value).__module__.startswith("pandas"):
        if type(value).__name__ in ("NaTType", "NAType"):
            return None
        if hasattr(value, "to_pydatetime"):
            if getattr(value, "nanosecond", 0):
                raise ParameterError(f"A time is bound to the microsecond; {value!r} has nanoseconds. Round it first.")
            return value.to_pydatetime()
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        if type(value).__name__ == "datetime64":
            micro = value.astype("datetime64[us]")
            if micro != value:
                raise ParameterError(f"A time is bound to the microsecond; {value} has nanoseconds. Round it first.")
            return micro.item()
        return value.item()
    return value


def literal(value: Value) -> str:
    """Write a value as a literal of Athena's dialect.

    >>> literal("it's"), literal(dt.date(2026, 3, 1)), literal(2.5)
    ("'it''s'", "DATE '2026-03-01'", "DOUBLE '2.5'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return _integer_literal(value)
    if isinstance(value, float):
        return f"DOUBLE '{value!r}'" if math.isfinite(value) else _odd_float(value)
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise ParameterError(f"A decimal must be a number, not {value}.")
        return f"DECIMAL '{value:f}'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return "'" + str(value).replace("'", "''") + "'"


def _integer_literal(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise ParameterError(f"{value} does not fit 64 bits. Give it as decimal.Decimal({str(value)!r}).")
    return f"BIGINT '{value}'" if abs(value) >= 2**31 or value < 0 else str(value)


def _odd_float(value: float) -> str:
    if math.isnan(value):
        return "nan()"
    return "infinity()" if value > 0 else "(-infinity())"


# --- query files ------------------------------------------------------------------------------------------------


def query_folder() -> Path:
    """Return the folder of the package's own queries: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent
    return package / "_sql" if (package / "_sql").is_dir() else package.parent / "sql"


def query_names() -> list[str]:
    """Return the names of all queries, such as `cdc/row_count`."""
    folder = query_folder()
    return sorted(f.relative_to(folder).with_suffix("").as_posix() for f in folder.rglob("*.sql"))


def load_query(name: str) -> Query:
    """Read one query; raise QueryNotFoundError with the nearest names when there is none."""
    if name not in query_names():
        raise QueryNotFoundError(f"No query {name!r}. {did_you_mean(name, query_names())}")
    file = query_folder() / f"{name}.sql"
    return parse_query(name, file.read_text(encoding="utf-8"), file)


def parse_query(name: str, text: str, file: Path) -> Query:
    """Split a query file into header and statement, and check that declared and used parameters are the same."""
    description: list[str] = []
    parameters: list[Parameter] = []
    lines = text.splitlines()
    body = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for number, line in enumerate(lines[:body], start=1):
        if re.match(r"--\s*:\w", line):
            parameters.append(_parameter(line, f"{file}:{number}"))
        elif not parameters:
            description.append(line.lstrip("-").strip())
    statement = "\n".join(lines[body:]).strip().removesuffix(";").rstrip()
    used, declared = set(placeholder_names(statement)), {p.name for p in parameters}
    if not statement or used != declared:
        odd = ", ".join(sorted(used ^ declared)) or "no statement"
        raise SqlError(f"{file}: parameters declared in the header and used in the statement differ: {odd}.")
    return Query(name, " ".join(description).strip(), tuple(parameters), statement, file)


def _parameter(line: str, where: str) -> Parameter:
    match = _HEADER.fullmatch(line.strip())
    if not match or match["type"] not in _TYPES:
        raise SqlError(f"{where}: write `-- :name type = default  help`, type one of {', '.join(_TYPES)}: {line!r}.")
    default = match["default"]
    if default is None:
        return Parameter(match["name"], match["type"], match["help"], required=True)
    value = None if default.upper() == "NULL" else _from_text(match["type"], default.strip("'").replace("''", "'"))
    return Parameter(match["name"], match["type"], match["help"], required=False, default=value)


def bind_query(query: Query, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a query's statement with identifiers quoted, and the values of its other parameters, checked by type."""
    known = [p.name for p in query.parameters]
    for name in values:
        if name not in known:
            raise ParameterError(f"Query {query.name} has no parameter {name!r}. {did_you_mean(name, known)}")
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
    value = _unwrap(value)
    if value is None and not parameter.required:
        return None
    if isinstance(value, bool) and parameter.type in ("integer", "number"):
        fits = False
    else:
        fits = isinstance(value, _TYPES[parameter.type])
    if parameter.type == "date" and isinstance(value, dt.datetime):
        fits = False
    if not fits:
        raise ParameterError(
            f"Query {query.name}: {parameter.name} must be {parameter.type}, not {type(value).__name__} {value!r}."
        )
    return value


def _from_text(kind: str, text: str) -> Value:
    readers: dict[str, Callable[[str], Value]] = {
        "integer": int,
        "number": float,
        "date": dt.date.fromisoformat,
        "timestamp": dt.datetime.fromisoformat,
        "boolean": lambda t: {"true": True, "false": False}[t.lower()],
    }
    try:
        return readers.get(kind, str)(text)
    except (ValueError, KeyError):
        raise SqlError(f"Not a default of type {kind}: {text!r}.") from None


_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float, decimal.Decimal),
    "boolean": (bool,),
    "date": (dt.date,),
    "timestamp": (dt.datetime,),
    "list": (list, tuple, set, frozenset),
    "identifier": (str,),
}
