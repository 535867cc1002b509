"""Rules of the engines: what Athena refuses, what the local engine refuses."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from datalake_kit.engines.dialect.athena_rules import athena_refusals
from datalake_kit.engines.dialect.calls import unknown_function
from datalake_kit.engines.dialect.lexing import without_last_semicolon
from datalake_kit.engines.dialect.lint import check_text
from datalake_kit.engines.dialect.parsing import position as original
from datalake_kit.engines.dialect.statements import statement_kind
from datalake_kit.engines.explained import explain
from datalake_kit.errors import DatalakeKitError, NotFoundError, SqlError, UnsupportedSqlError
from datalake_kit.sql.lint.findings import Broken, Statement
from datalake_kit.sql.query_files import Query, bind_query
from datalake_kit.sql.values import bind

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

_SAMPLES: dict[str, Any] = {
    "text": "x", "integer": 1, "number": 1.5, "boolean": True, "date": dt.date(2026, 1, 1),
    "timestamp": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
}  # fmt: skip


def athena(statement: Statement) -> Iterator[Broken]:
    """What Athena refuses and Trino takes."""
    for refusal in athena_refusals(statement.text, columns=statement.tables, warnings=True):
        at = position(statement.text, refusal.line, refusal.column)
        message = f"{refusal.construct}: {refusal.reason}"
        yield Broken("athena", at, message, refusal.instead, "error" if refusal.certain else "warning")


def position(text: str, line: int, column: int) -> int:
    """Return the position of a line and a column, both counted from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return min(start + column - 1, len(text))


def syntax(statement: Statement) -> Iterator[Broken]:
    """What the parser takes and Athena does not."""
    try:
        if statement_kind(statement.text) in ("SELECT", "WITH", "VALUES"):
            check_text(without_last_semicolon(statement.text))
    except UnsupportedSqlError as error:
        construct, _, rest = str(error).partition(": ")
        reason, _, instead = rest.rpartition("; ")
        yield Broken("syntax", placed(statement.text, str(error)), f"{construct}: {reason}", instead)
    except SqlError:
        return  # said by another rule


def placed(text: str, message: str) -> int:
    """Return the position that a message names; 0 where it names none."""
    found = re.search(r"line (\d+), column (\d+)", message)
    return position(text, int(found[1]), int(found[2])) if found else 0


def local_functions(statement: Statement) -> Iterator[Broken]:
    """Functions that the local engine does not know."""
    for node in statement.tree.find_all(exp.Anonymous):
        refusal = unknown_function(str(node.this))
        if refusal is not None and not isinstance(node.parent, exp.Table):
            at = original(statement.text, node.meta["start"]) if "start" in node.meta else 0
            yield Broken("local-engine", at, f"{node.this}(...): {refusal[0]}", refusal[1])


def on_lake(query: Query, lake: Lake) -> Iterator[Broken]:
    """What a lake's engine refuses of a query: tables, columns and types are those of the lake."""
    values = _sample_values(query)
    if values is None:
        return
    try:
        explain(lake.engine, *bind(*bind_query(query, values)))
    except NotFoundError as error:
        yield Broken("local-engine", 0, str(error), "name one that is there")
    except DatalakeKitError as error:
        construct, _, instead = str(error).rpartition("; ")
        yield Broken("local-engine", 0, construct or str(error), instead or "write it another way")


def _sample_values(query: Query) -> Mapping[str, Any] | None:
    """A value of each type; None where only the user knows one: the name of a table, members of a list."""
    values = {}
    for parameter in query.parameters:
        if parameter.type in ("identifier", "list"):
            if parameter.default is None:
                return None
        else:
            values[parameter.name] = _SAMPLES[parameter.type]
    return values
