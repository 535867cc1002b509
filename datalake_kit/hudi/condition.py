"""A condition of the user's, in Athena's dialect, that filters the rows of one table and reaches nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import exp

from datalake_kit.engines.base import fold
from datalake_kit.engines.dialect import translate
from datalake_kit.engines.dialect.lexing import place, tokens
from datalake_kit.engines.dialect.parsing import parse
from datalake_kit.engines.types import duckdb_type
from datalake_kit.errors import ParameterError, SqlError
from datalake_kit.sql import bind, quote_identifier

RELATION = "dk_rows"


@dataclass(frozen=True)
class Condition:
    """A condition with its values; `statement` gives what DuckDB runs over the relation `dk_rows`."""

    text: str
    values: Mapping[str, Any]

    def statement(self, schema: pa.Schema, columns: list[str]) -> str:
        """Translate to a statement that reads some columns of the relation, whose names are in lower case.

        Raises
        ------
        SqlError
            Athena would refuse the condition, or it cannot be translated faithfully.
        ColumnNotFoundError
            It names a column that the table does not have.
        """
        known = {fold(f.name): duckdb_type(f.type) for f in schema}
        shown = ", ".join(quote_identifier(fold(c)) for c in columns)
        text = f"SELECT {shown} FROM {RELATION} WHERE (\n{self.text}\n)"
        return translate(text, schema={RELATION: known}, parameters=self.values)


def condition(where: str, params: Mapping[str, Any] | None) -> Condition:
    """Check a condition and bind its values.

    Raises
    ------
    ParameterError
        Not text; or a value is missing, not used, or of a type that cannot be bound.
    SqlError
        Not one condition: a comment, a semicolon, brackets that do not match, or a query inside.

    >>> condition("vendorid = :v AND total > 10", {"v": 2}).values
    {'v': 2}
    """
    if not isinstance(where, str):
        raise ParameterError(f"where is a condition as text, such as 'vendorid = :v', not {where!r}.")
    if params is not None and not isinstance(params, Mapping):
        raise ParameterError(f"params is a dict of names and values, not {type(params).__name__}.")
    if not where.strip():
        raise SqlError("where is empty. Leave it out for all rows, or give a condition such as 'vendorid = 2'.")
    _stays_in_its_place(where)
    _is_one_expression(where)
    text, values = bind(where, params or {})
    return Condition(text, values)


def _stays_in_its_place(where: str) -> None:
    """Refuse by the tokens alone what could end the place of the condition in its statement."""
    found = tokens(where)
    end, depth = 0, 0
    for token in found:
        if where[end : token.start].strip():
            raise refused(where, "it holds a comment")
        if token.text == ";":
            raise refused(where, f"it holds a semicolon at {place(where, token.start)}")
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            raise refused(where, f"the bracket at {place(where, token.start)} closes none of its own")
        end = token.end
    if where[end:].strip():
        raise refused(where, "it holds a comment")
    if depth:
        raise refused(where, "a bracket is not closed")


def _is_one_expression(where: str) -> None:
    tree = parse(f"SELECT 1 FROM {RELATION} WHERE (\n{where}\n)")
    clause = tree.args.get("where")
    parts = {key for key, value in tree.args.items() if value}
    if not isinstance(tree, exp.Select) or parts != {"expressions", "from_", "where"} or clause is None:
        raise refused(where, "it is more than a condition")
    inner = next(iter(clause.find_all(exp.Query, exp.Table, exp.Values, exp.Unnest)), None)
    if not isinstance(clause.this, exp.Paren) or inner is not None:
        raise refused(where, "it holds a query of its own")
    if clause.find(exp.Window) is not None:
        raise refused(where, "it holds a window function, which needs more rows than one")


def refused(where: str, reason: str) -> SqlError:
    """The error that says why a text is no condition."""
    return SqlError(
        f"where={where!r} is not one condition on the table's columns: {reason}. Write one such as "
        "'vendorid = :v AND total_amount > 10', or put the whole question to lake.sql."
    )
