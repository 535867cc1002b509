"""Rules that are held against the parts of a statement: names of columns, divisions, windows of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import describe
from datalake_kit.engines.dialect.known_types import (
    DATE,
    DOUBLE,
    INTEGERS,
    PLAIN,
    ZONED,
    Names,
    is_star,
    shown_name,
    type_of,
    walk,
)
from datalake_kit.engines.dialect.places import start_of
from datalake_kit.sql.lint.findings import Broken, Statement

_TIMES = (ZONED, PLAIN, DATE)


def _at(statement: Statement, node: Any) -> int:
    return start_of(statement.text, node) or 0


# ---------------------------------------------------------------- every column has a name


def unnamed_column(statement: Statement) -> Iterator[Broken]:
    """The result, each WITH and each subquery of FROM that names no columns itself."""
    for query in [statement.tree, *_named_queries(statement.tree)]:
        inner = _first(query)
        if isinstance(inner, exp.Values):
            yield Broken(
                "unnamed-column", _at(statement, inner), "VALUES gives columns without names",
                "write SELECT a, b FROM (VALUES ...) AS t(a, b)",
            )  # fmt: skip
        for part in inner.expressions if isinstance(inner, exp.Select) else ():
            if not is_star(part) and shown_name(part) is None:
                yield Broken("unnamed-column", _at(statement, part), f"{describe(part)} has no name", "write AS name")


def _named_queries(tree: Any) -> Iterator[Any]:
    """Yield each WITH and each subquery of FROM that names no columns by AS t(a, b)."""
    for node in tree.walk():
        if isinstance(node, exp.CTE) and not _lists_names(node):
            yield node.this
        lateral = node.parent if isinstance(node.parent, exp.Lateral) else node
        in_from = isinstance(node.parent, (exp.From, exp.Join, exp.Lateral))
        is_query = isinstance(node, exp.Values) or (isinstance(node, exp.Subquery) and not _is_table(node))
        if in_from and is_query and not _lists_names(node) and not _lists_names(lateral):
            yield node


def _lists_names(node: Any) -> bool:
    alias = node.args.get("alias")
    return isinstance(alias, exp.TableAlias) and bool(alias.args.get("columns"))


def _is_table(node: exp.Subquery) -> bool:
    return isinstance(node.this, exp.Table)


def _first(query: Any) -> Any:
    """Return the SELECT or VALUES that names the columns of a query."""
    while isinstance(query, (exp.Subquery, exp.SetOperation)):
        query = query.this
    return query


# ---------------------------------------------------------------- a name is not used before it is given


def alias_too_early(statement: Statement) -> Iterator[Broken]:
    """Athena does not know the names of SELECT in WHERE, GROUP BY, HAVING and ON."""
    for node, names in walk(statement.tree, statement.names):
        if not isinstance(node, exp.Select):
            continue
        given = {str(p.alias).lower(): p.this for p in node.expressions if isinstance(p, exp.Alias)}
        for clause, word in _clauses(node):
            for column in _columns(clause):
                name = str(column.name).lower()
                if not column.table and name in given and not names.has(name) and not _own(given[name], name, names):
                    yield _early(statement, column, word, sure=names.complete)


def _clauses(node: exp.Select) -> Iterator[tuple[Any, str]]:
    for key, word in (("where", "WHERE"), ("group", "GROUP BY"), ("having", "HAVING")):
        if node.args.get(key) is not None:
            yield node.args[key], word
    for join in node.args.get("joins") or []:
        if join.args.get("on") is not None:
            yield join.args["on"], "ON"


def _columns(node: Any) -> Iterator[exp.Column]:
    """Yield the columns of a clause, those of its subqueries left out."""
    if isinstance(node, exp.Column):
        yield node
    if isinstance(node, exp.Query):
        return
    for child in node.iter_expressions():
        yield from _columns(child)


def _own(value: Any, name: str, names: Names) -> bool:
    """Whether the name is a column's of its own: lower(name) AS name, of a table that is not known."""
    if names.complete:
        return False
    return any(str(column.name).lower() == name for column in value.find_all(exp.Column))


def _early(statement: Statement, column: exp.Column, word: str, *, sure: bool) -> Broken:
    message = f"{column.name} is a name that SELECT gives, and Athena does not know it in {word}"
    message += "" if sure else ", unless a table has a column of this name"
    instead = "repeat the expression, or select from a subquery that names it"
    return Broken("alias-too-early", _at(statement, column), message, instead, "error" if sure else "warning")


# ---------------------------------------------------------------- divisions


def division(statement: Statement) -> Iterator[Broken]:
    """Whole numbers are cut, decimals have other digits on the two engines: doubles are the same."""
    for node, names in walk(statement.tree, statement.names):
        if not isinstance(node, exp.Div) or isinstance(node.this, exp.Interval):
            continue
        types = [type_of(side, names) for side in (node.this, node.expression)]
        if DOUBLE in types or "real" in types or all(t in INTEGERS for t in types):
            continue
        yield Broken(
            "division", _at(statement, node), f"{describe(node)}: it does not show which division is meant",
            "write CAST(a AS double) / b, or CAST both AS bigint for whole numbers",
        )  # fmt: skip


# ---------------------------------------------------------------- windows of time


def closed_window(statement: Statement) -> Iterator[Broken]:
    """BETWEEN and <= take the first instant of the next window, too."""
    instead = "write a >= start AND a < end"
    for node, names in walk(statement.tree, statement.names):
        if isinstance(node, exp.Between) and any(
            type_of(node.args[key], names) in _TIMES for key in ("this", "low", "high")
        ):
            message = "BETWEEN of times takes both ends"
            yield Broken("closed-window", _at(statement, node), message, instead)
        if isinstance(node, exp.And) and not isinstance(node.parent, exp.And):
            for end in _closed_ends(node, names):
                yield Broken("closed-window", _at(statement, end), f"{describe(end)} takes its end, too", instead)


def _closed_ends(node: exp.And, names: Names) -> Iterator[Any]:
    parts = list(node.flatten())
    begun = {p.this for p in parts if isinstance(p, (exp.GTE, exp.GT))}
    for part in parts:
        if isinstance(part, exp.LTE) and part.this in begun:
            types = {type_of(part.expression, names), type_of(part.this, names)}
            if types & set(_TIMES):
                yield part


TREE_RULES = (unnamed_column, alias_too_early, division, closed_window)
