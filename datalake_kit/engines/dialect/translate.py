"""Athena's SQL to DuckDB's: a first version that leans on sqlglot alone."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from datalake_kit.engines.dialect.lexing import placeholders, without_last_semicolon
from datalake_kit.engines.dialect.parsing import MARK


def translate(text: str, *, schema: Mapping[str, Mapping[str, str]], parameters: Mapping[str, object]) -> str:
    """Translate one statement that reads."""
    marked = list(without_last_semicolon(text))
    for placeholder in placeholders(text):
        marked[placeholder.start] = MARK
    tree = sqlglot.parse_one("".join(marked), read="trino")
    for column in list(tree.find_all(exp.Column)):
        if column.name.startswith(MARK):
            column.replace(exp.Parameter(this=exp.Var(this=column.name[1:])))
    return str(tree.sql("duckdb"))


def connection_setup() -> tuple[str, ...]:
    """Return the statements that each connection runs first."""
    return ("SET TimeZone = 'UTC'", "SET integer_division = true")
