"""Statements that the local engine takes beside Athena's SELECT: CREATE TABLE AS, and DuckDB's own SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from datalake_kit.errors import SqlError, UnsupportedSqlError
from datalake_kit.sql import replace_placeholders


@dataclass(frozen=True)
class CreateTableAs:
    """CREATE TABLE database.table AS select."""

    database: str | None
    table: str
    select: str


def create_table_as(text: str) -> CreateTableAs:
    """Take a CREATE TABLE ... AS apart; refuse every other statement that writes, with the way out."""
    statement = _parse(text, "athena")
    if not isinstance(statement, exp.Create) or statement.kind != "TABLE" or statement.expression is None:
        kind = statement.key.upper() if statement else "nothing"
        raise UnsupportedSqlError(
            f"{kind} is not run by the local engine, which writes by CREATE TABLE database.table AS SELECT ... alone. "
            "Change files with the tool that wrote them, or run the statement on Athena."
        )
    if statement.args.get("properties") or statement.args.get("exists") or statement.args.get("replace"):
        raise UnsupportedSqlError(
            "CREATE TABLE AS with properties, IF NOT EXISTS or OR REPLACE is not run by the local engine: it writes "
            "one Parquet file for a new table. Leave them out."
        )
    target = statement.this
    if not isinstance(target, exp.Table):
        raise UnsupportedSqlError("CREATE TABLE AS with a list of columns: name them in the SELECT instead.")
    return CreateTableAs(target.db or None, target.name, statement.expression.sql(dialect="athena"))


def tables_of_duckdb(text: str) -> tuple[tuple[str | None, str], ...]:
    """Return (database, table) of the tables that a statement in DuckDB's own dialect reads; CTEs left out."""
    statement = _parse(dollar_parameters(text), "duckdb")
    if statement is None:
        raise SqlError("The statement is empty.")
    ctes = {cte.alias_or_name.lower() for cte in statement.find_all(exp.CTE)}
    named = {
        (table.db or None, table.name)
        for table in statement.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and (table.db or table.name.lower() not in ctes)
    }
    return tuple(sorted(named, key=str))


def dollar_parameters(text: str) -> str:
    """Write `:name` as `$name`, DuckDB's way; strings, comments and quoted identifiers are left alone."""
    return replace_placeholders(text, lambda name: f"${name}")


def _parse(text: str, dialect: str) -> Any:
    try:
        statements = sqlglot.parse(text, read=dialect)
    except SqlglotError as error:
        raise SqlError(f"The statement cannot be parsed as {dialect} SQL: {str(error).splitlines()[0]}") from None
    if len(statements) != 1:
        raise SqlError(f"One statement at a time, please; these are {len(statements)}.")
    return statements[0]
