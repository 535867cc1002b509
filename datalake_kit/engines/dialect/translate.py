"""From a statement of Athena to the same question in DuckDB's SQL, or a refusal."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from sqlglot import exp

from datalake_kit.engines.dialect import (
    aggregates,
    arithmetic,
    casts,
    conditions,
    forms,
    json_values,
    literals,
    names,
    nested,
    numeric,
    strings,
    temporal,
)
from datalake_kit.engines.dialect.compiler import Compiler
from datalake_kit.engines.dialect.lint import check_text
from datalake_kit.engines.dialect.macros import create_statements
from datalake_kit.engines.dialect.parsing import explained, parse
from datalake_kit.engines.dialect.queries import Relation, query
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Column
from datalake_kit.engines.dialect.statements import check_read_only, statement_kind
from datalake_kit.engines.dialect.types import MONTHS, SqlType, from_duckdb, of_value, quote

# Importing these makes the constructs and functions known that they translate.
_REGISTERED = (
    *(arithmetic, casts, conditions, forms, literals, names),
    *(aggregates, json_values, nested, numeric, strings, temporal),
)
_Tables = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def translate(text: str, *, schema: Mapping[str, Mapping[str, str]], parameters: Mapping[str, object]) -> str:
    """Translate one statement that reads, from Athena's SQL with `:name` to DuckDB's with `$name`.

    Parameters
    ----------
    text
        One statement: SELECT, WITH, VALUES, or EXPLAIN of one.
    schema
        Maps "database.table" (or "table") to the columns and their DuckDB types, for the tables that the statement
        names; see `tables_named`.
    parameters
        The values bound to the placeholders; only their types are used.

    Returns
    -------
    str
        DuckDB SQL that gives the answer that Athena gives. It calls the macros of `connection_setup`.

    Raises
    ------
    UnsupportedSqlError
        The statement holds something that Athena refuses, or that cannot be translated faithfully: says the
        construct, the reason and a portable way to write it.
    SqlError
        The statement cannot be parsed, or is ambiguous.
    WriteRefusedError
        The statement writes, or there is more than one.
    TableNotFoundError, ColumnNotFoundError
        A name is not in the schema.
    ParameterError
        A placeholder has no value, or one that cannot be bound.

    Examples
    --------
    >>> translate("SELECT n / 2 AS half FROM db.t WHERE n > :m", schema={"db.t": {"n": "INTEGER"}}, parameters={"m": 9})
    'SELECT dk_div("t"."n", 2) AS "half" FROM "db"."t" AS "t" WHERE ("t"."n" > CAST($m AS INTEGER))'
    """
    types = tuple(sorted((name, of_value(name, value)) for name, value in parameters.items()))
    tables = tuple((name, tuple(columns.items())) for name, columns in schema.items())
    return _translate(text, tables, types)


@functools.lru_cache(maxsize=512)
def _translate(text: str, tables: _Tables, types: tuple[tuple[str, SqlType], ...]) -> str:
    check_read_only(text)
    kind = statement_kind(text)
    if kind in ("SHOW", "DESCRIBE"):
        refuse(kind, "it asks for the catalog and is not translated", "see catalog_statement")
    body = explained(text) if kind == "EXPLAIN" else text
    check_text(body)
    tree = parse(body)
    compiler = Compiler({key: _columns(columns) for name, columns in tables for key in _keys(name)}, dict(types))
    relation = query(compiler, tree, None)
    return ("EXPLAIN " if kind == "EXPLAIN" else "") + _named(relation, tree)


def _keys(name: str) -> list[tuple[str | None, str]]:
    """Return the (database, table) that "taxi.table_1" can mean; a name may itself hold a point."""
    parts = name.lower().split(".")
    if len(parts) == 1:
        return [(None, parts[0])]
    return [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(1, len(parts))]


@functools.lru_cache(maxsize=512)
def _columns(columns: tuple[tuple[str, str], ...]) -> tuple[Column, ...]:
    return tuple(Column(name, name, from_duckdb(type_) or SqlType(f"duckdb {type_}")) for name, type_ in columns)


def _named(relation: Relation, tree: exp.Expr) -> str:
    """Give the result the names that Trino shows: `_colN` for what has none."""
    for column in relation.columns:
        if column.type == MONTHS:
            refuse(f"the column {column.shown!r}", "an interval of months has no value in a table", "use date_diff")
    shown = [c.shown if c.shown else f"_col{i}" for i, c in enumerate(relation.columns)]
    if isinstance(tree, exp.Select) and [c.emitted for c in relation.columns] == shown:
        return relation.sql
    if [c.emitted for c in relation.columns] == shown:
        return relation.sql
    return f"SELECT * FROM ({relation.sql}) AS dk_result({', '.join(map(quote, shown))})"


def connection_setup() -> tuple[str, ...]:
    """Return the statements that a DuckDB database runs once before translated statements, for all its connections.

    Times are UTC, as on Athena; the macros stand for functions that DuckDB has otherwise. None changes the answer of
    a statement written for DuckDB itself that does not depend on the time zone.

    >>> connection_setup()[0]
    "SET GLOBAL TimeZone = 'UTC'"
    """
    return ("SET GLOBAL TimeZone = 'UTC'", *create_statements())
