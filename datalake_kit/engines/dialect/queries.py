"""SELECT, FROM, JOIN, UNNEST, VALUES, WITH, set operations: queries and the columns that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.calls import order_by, ordered_text, window_text
from datalake_kit.engines.dialect.compiler import Compiler, check_parts, describe
from datalake_kit.engines.dialect.conditions import truth
from datalake_kit.engines.dialect.conversions import common_of, widen
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.relations import from_clause
from datalake_kit.engines.dialect.scope import Column, Expr, Scope
from datalake_kit.engines.dialect.types import BIGINT, VARCHAR, SqlType, quote
from datalake_kit.errors import SqlError


@dataclass(frozen=True, slots=True)
class Relation:
    """A translated query: DuckDB text and the columns that it gives."""

    sql: str
    columns: tuple[Column, ...]


def query(compiler: Compiler, node: Any, parent: Scope | None) -> Relation:
    """Translate a query: SELECT, VALUES, a set operation, or one of these in parentheses."""
    clause = node.args.get("with_")
    if clause is None:
        return _body(compiler, node, parent)
    check_parts(clause, frozenset({"expressions", "recursive"}))
    compiler.ctes.append({})
    try:
        parts = [
            _cte(compiler, cte, parent, recursive=bool(clause.args.get("recursive"))) for cte in clause.expressions
        ]
        body = _body(compiler, node, parent)
    finally:
        compiler.ctes.pop()
    word = "WITH RECURSIVE" if clause.args.get("recursive") else "WITH"
    return Relation(f"{word} {', '.join(parts)} {body.sql}", body.columns)


def _cte(compiler: Compiler, cte: exp.CTE, parent: Scope | None, *, recursive: bool) -> str:
    check_parts(cte, frozenset({"this", "alias"}))
    name = str(cte.alias)
    names = [str(c.name) for c in cte.args["alias"].args.get("columns") or []]
    if recursive and isinstance(cte.this, exp.Union):
        if not names:
            refuse(f"WITH RECURSIVE {name}", "Athena needs the names of its columns", f"write {name}(a, b) AS (...)")
        anchor = query(compiler, cte.this.left, parent)
        compiler.ctes[-1][name.lower()] = renamed(anchor.columns, names, name)
    inner = query(compiler, cte.this, parent)
    columns = renamed(inner.columns, names, name)
    compiler.ctes[-1][name.lower()] = columns
    listed = ", ".join(quote(c.emitted) for c in columns)
    return f"{quote(name.lower())}({listed}) AS ({inner.sql})"


def renamed(columns: tuple[Column, ...], names: Sequence[str | None], what: str) -> tuple[Column, ...]:
    """Return columns under the names of `AS t(a, b)`; each gets a DuckDB name of its own.

    Raises
    ------
    SqlError
        There are more or fewer names than columns.
    """
    if names and len(names) != len(columns):
        raise SqlError(f"{what} has {len(columns)} columns, but {len(names)} names are given for them")
    shown: list[str | None] = list(names) or [c.shown for c in columns]
    taken: set[str] = set()
    found = []
    for i, (column, name) in enumerate(zip(columns, shown, strict=True)):
        emitted = (name or f"_col{i}").lower()
        while emitted in taken:
            emitted = f"{emitted}_{i}"
        taken.add(emitted)
        found.append(Column(name, emitted, column.type))
    return tuple(found)


def _body(compiler: Compiler, node: Any, parent: Scope | None) -> Relation:
    if isinstance(node, exp.Select):
        return _select(compiler, node, parent)
    if isinstance(node, exp.SetOperation):
        return _set_operation(compiler, node, parent)
    if isinstance(node, exp.Values):
        return _values(compiler, node, parent)
    if isinstance(node, exp.Subquery):
        return _parenthesised(compiler, node, parent)
    return refuse(describe(node), "this is no query", "write SELECT ...")


def _parenthesised(compiler: Compiler, node: exp.Subquery, parent: Scope | None) -> Relation:
    check_parts(node, frozenset({"this", "with_", "order", "limit", "offset"}))
    inner = query(compiler, node.this, parent)
    columns = renamed(inner.columns, [], "a query")
    tail = _tail(compiler, node, Scope(parent), [Expr(quote(c.emitted), c.type, name=c.shown) for c in columns], [])
    if not tail:
        return Relation(f"({inner.sql})", inner.columns)
    listed = ", ".join(quote(c.emitted) for c in columns)
    return Relation(f"SELECT * FROM ({inner.sql}) AS dk_query({listed}){tail}", columns)


# ---------------------------------------------------------------- SELECT

_SELECT = frozenset(
    [
        "with_",
        "expressions",
        "from_",
        "joins",
        "where",
        "group",
        "having",
        "windows",
        "distinct",
        "order",
        "limit",
        "offset",
        "kind",
        "hint",
        "laterals",
    ]
)


def _select(compiler: Compiler, node: exp.Select, parent: Scope | None) -> Relation:
    check_parts(node, _SELECT)
    for part in ("kind", "hint"):
        if node.args.get(part):
            refuse(describe(node), f"Athena has no {part} in SELECT", "leave it out")
    scope = Scope(parent)
    source = from_clause(compiler, node, scope)
    items = _items(compiler, node, scope)
    aliases = frozenset(str(e.alias).lower() for e in node.expressions if isinstance(e, exp.Alias))
    parts = [f"SELECT {_distinct(node)}{', '.join(_item_text(e, n) for e, n in items)}"]
    scope.select_aliases = aliases
    parts.append(source)
    parts.append(_condition(compiler, node, "where", scope))
    parts.append(_group(compiler, node, scope))
    parts.append(_condition(compiler, node, "having", scope))
    parts.append(_windows(compiler, node, scope))
    columns = tuple(Column(e.name, n or "", e.type) for e, n in items)
    sql = " ".join(p for p in parts if p) + _tail(compiler, node, scope, [e for e, _ in items], node.expressions)
    return Relation(sql, columns)


def _distinct(node: exp.Select) -> str:
    distinct = node.args.get("distinct")
    if distinct is None:
        return ""
    check_parts(distinct, frozenset())
    return "DISTINCT "


def _items(compiler: Compiler, node: exp.Select, scope: Scope) -> list[tuple[Expr, str | None]]:
    """Return the expressions of the select list, stars spread out, each with the name that it gets in DuckDB."""
    found: list[Expr] = []
    for item in node.expressions:
        found += _item(compiler, item, scope)
    return [(e, e.name if e.name is not None else f"_col{i}") for i, e in enumerate(found)]


def _item(compiler: Compiler, item: Any, scope: Scope) -> list[Expr]:
    if isinstance(item, exp.Star):
        check_parts(item, frozenset())
        if not scope.sources:
            raise SqlError("SELECT * needs a FROM")
        return _all_columns(scope)
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        check_parts(item.this, frozenset())
        source = scope.source(item.table, (item.db or "").lower() or None)
        if source is None:
            raise SqlError(f"{describe(item)}: no table of this name in FROM")
        return [source.expr(c) for c in source.columns]
    if isinstance(item, exp.Alias):
        value = compiler.expr(item.this, scope)
        return [Expr(value.sql, value.type, value.literal, str(item.alias))]
    value = compiler.expr(item, scope)
    while isinstance(item, exp.Paren):
        item = item.this
    named = isinstance(item, (exp.Column, exp.Dot)) and value.name is not None
    return [Expr(value.sql, value.type, value.literal, _spelled(item) if named else None)]


def _spelled(item: Any) -> str:
    last = item.expression if isinstance(item, exp.Dot) else item.this
    return str(last.name)


def _all_columns(scope: Scope) -> list[Expr]:
    merged = list(scope.merged.values())
    rest = [s.expr(c) for s in scope.sources for c in s.columns if c.key not in scope.merged]
    return merged + rest


def _item_text(value: Expr, name: str | None) -> str:
    return f"{value.sql} AS {quote(name or '')}"


def _condition(compiler: Compiler, node: exp.Select, name: str, scope: Scope) -> str:
    clause = node.args.get(name)
    if clause is None:
        return ""
    return f"{name.upper()} {truth(compiler.expr(clause.this, scope), describe(clause.this))}"


def _windows(compiler: Compiler, node: exp.Select, scope: Scope) -> str:
    windows = node.args.get("windows") or []
    texts = []
    for window in windows:
        check_parts(window, frozenset({"this", "partition_by", "order", "spec", "alias"}))
        texts.append(f'"{window.this.name}" AS {window_text(compiler, window, scope)}')
    return "WINDOW " + ", ".join(texts) if texts else ""


# ---------------------------------------------------------------- GROUP BY, ORDER BY, LIMIT


def _group(compiler: Compiler, node: exp.Select, scope: Scope) -> str:
    group = node.args.get("group")
    if group is None:
        return ""
    check_parts(group, frozenset({"expressions", "grouping_sets", "cube", "rollup"}))
    parts = [*group.expressions]
    for key in ("grouping_sets", "cube", "rollup"):
        parts += group.args.get(key) or []
    return "GROUP BY " + ", ".join(_group_item(compiler, part, scope) for part in parts)


def _group_item(compiler: Compiler, part: Any, scope: Scope, *, inside: bool = False) -> str:
    word = {exp.GroupingSets: "GROUPING SETS", exp.Cube: "CUBE", exp.Rollup: "ROLLUP"}.get(type(part))
    if word is not None:
        check_parts(part, frozenset({"expressions"}))
        return f"{word} ({', '.join(_group_item(compiler, p, scope, inside=True) for p in part.expressions)})"
    if isinstance(part, exp.Tuple):
        return f"({', '.join(_group_item(compiler, p, scope, inside=inside) for p in part.expressions)})"
    if inside and not isinstance(part.unnest(), exp.Column) and not _ordinal(part):
        refuse(
            f"{describe(part)} in GROUPING SETS, ROLLUP or CUBE",
            "Athena takes only columns there",
            "name the expression in a subquery and group by its column",
        )
    return _ordinal(part) or compiler.expr(part, scope).sql


def _ordinal(node: Any) -> str:
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
        return str(node.this)
    return ""


def _tail(compiler: Compiler, node: Any, scope: Scope, items: list[Expr], nodes: list[Any]) -> str:
    """Return ORDER BY, OFFSET and LIMIT."""
    parts = []
    order = node.args.get("order")
    if order is not None:
        check_parts(order, frozenset({"expressions"}))
        texts = [_order_item(compiler, item, scope, items, nodes) for item in order.expressions]
        parts.append("ORDER BY " + ", ".join(texts))
    limit = node.args.get("limit")
    if limit is not None:
        parts.append(_limit(compiler, limit, scope))
    if node.args.get("offset") is not None:
        parts.append(f"OFFSET {_count(compiler, node.args['offset'].expression, scope)}")
    return "".join(f" {p}" for p in parts if p)


def _order_item(compiler: Compiler, item: Any, scope: Scope, items: list[Expr], nodes: list[Any]) -> str:
    check_parts(item, frozenset({"this", "desc", "nulls_first"}))
    ordinal = _ordinal(item.this)
    if ordinal:
        if not 1 <= int(ordinal) <= len(items):
            raise SqlError(f"ORDER BY {ordinal}: the select list has {len(items)} columns")
        return ordered_text(ordinal, item)
    if isinstance(item.this, exp.Column) and not item.this.table:
        name = str(item.this.name).lower()
        if any(isinstance(n, exp.Alias) and str(n.alias).lower() == name for n in nodes):
            return ordered_text(quote(name), item)
    value = compiler.expr(item.this, _with_aliases(scope, items, nodes))
    if value.literal is not None and value.type == VARCHAR:  # DuckDB refuses a constant text, which orders nothing
        return ordered_text(f"({value.sql} || '')", item)
    return ordered_text(value.sql, item)


def _with_aliases(scope: Scope, items: list[Expr], nodes: list[Any]) -> Scope:
    """ORDER BY sees the names of the select list before those of FROM."""
    local = Scope(scope)
    aliased = {str(n.alias).lower() for n in nodes if isinstance(n, exp.Alias)} if nodes else None
    for value in items:
        key = (value.name or "").lower()
        if key and (aliased is None or key in aliased):
            local.locals[key] = Expr(f"({value.sql})" if aliased else value.sql, value.type, name=value.name)
    return local


def _limit(compiler: Compiler, limit: Any, scope: Scope) -> str:
    if isinstance(limit, exp.Fetch):
        check_parts(limit, frozenset({"direction", "count", "limit_options"}))
        options = limit.args.get("limit_options")
        if options is not None:
            check_parts(options, frozenset({"rows"}))
        counted = limit.args.get("count")
        return f"LIMIT {_count(compiler, counted, scope) if counted is not None else 1}"
    check_parts(limit, frozenset({"expression"}))
    if isinstance(limit.expression, exp.Var) and limit.expression.name.upper() == "ALL":
        return ""
    return f"LIMIT {_count(compiler, limit.expression, scope)}"


def _count(compiler: Compiler, node: Any, scope: Scope) -> str:
    value = compiler.expr(node, scope)
    if not value.type.is_integer or (value.literal is None and "$" not in value.sql):
        refuse(f"LIMIT or OFFSET {describe(node)}", "Athena takes a whole number", "write a number or bind one")
    return widen(value, BIGINT).sql if value.literal is None else value.sql


# ---------------------------------------------------------------- VALUES, UNION


def _values(compiler: Compiler, node: exp.Values, parent: Scope | None) -> Relation:
    check_parts(node, frozenset({"expressions", "alias", "with_", "order", "limit", "offset"}))
    sql, types = values_text(compiler, node, Scope(parent))
    columns = tuple(Column(None, f"_col{i}", t) for i, t in enumerate(types))
    listed = ", ".join(quote(c.emitted) for c in columns)
    tail = _tail(compiler, node, Scope(parent), [Expr(quote(c.emitted), c.type) for c in columns], [])
    return Relation(f"SELECT * FROM ({sql}) AS dk_values({listed}){tail}", columns)


def values_text(compiler: Compiler, node: exp.Values, scope: Scope) -> tuple[str, list[SqlType]]:
    """Return VALUES with each column in the one type that its values share."""
    rows = [compiler.exprs(list(_row_items(row)), scope) for row in node.expressions]
    if len({len(row) for row in rows}) != 1:
        raise SqlError("the rows of VALUES do not have the same number of columns")
    types = [common_of([row[i] for row in rows], f"column {i + 1} of VALUES") for i in range(len(rows[0]))]
    texts = (", ".join(widen(v, t).sql for v, t in zip(row, types, strict=True)) for row in rows)
    return "VALUES " + ", ".join(f"({text})" for text in texts), types


def _row_items(row: Any) -> Sequence[Any]:
    if isinstance(row, exp.Tuple) and len(row.expressions) == 1 and _is_row(row.expressions[0]):
        return list(row.expressions[0].expressions)
    return list(row.expressions) if isinstance(row, exp.Tuple) or _is_row(row) else [row]


def _is_row(node: Any) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).lower() == "row"


_OPERATIONS = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


def _set_operation(compiler: Compiler, node: Any, parent: Scope | None) -> Relation:
    check_parts(node, frozenset({"this", "expression", "distinct", "with_", "order", "limit", "offset"}))
    left, right = query(compiler, node.this, parent), query(compiler, node.expression, parent)
    word = _OPERATIONS[type(node)] + ("" if node.args.get("distinct") else " ALL")
    if len(left.columns) != len(right.columns):
        raise SqlError(f"{word}: {len(left.columns)} columns on one side, {len(right.columns)} on the other")
    pairs = list(zip(left.columns, right.columns, strict=True))
    types = [
        common_of([Expr("", a.type), Expr("", b.type)], f"column {i + 1} of {word}") for i, (a, b) in enumerate(pairs)
    ]
    columns = tuple(Column(c.shown, c.emitted, t) for c, t in zip(left.columns, types, strict=True))
    sql = f"{_side(left, types)} {word} {_side(right, types)}"
    outer = [Expr(quote(c.emitted), c.type, name=c.shown) for c in columns]
    tail = _tail(compiler, node, Scope(parent), outer, [])
    if tail:
        return Relation(f"SELECT * FROM ({sql}) AS dk_union{tail}", columns)
    return Relation(sql, columns)


def _side(relation: Relation, types: list[SqlType]) -> str:
    given = [c.type for c in relation.columns]
    if all(g.duckdb == t.duckdb for g, t in zip(given, types, strict=True)):
        return f"({relation.sql})"
    names = [f"_col{i}" for i in range(len(types))]
    casts = ", ".join(
        f"{widen(Expr(quote(n), g), t).sql} AS {quote(c.emitted or n)}"
        for n, g, t, c in zip(names, given, types, relation.columns, strict=True)
    )
    return f"(SELECT {casts} FROM ({relation.sql}) AS dk_side({', '.join(map(quote, names))}))"


__all__ = ["Relation", "order_by", "query", "renamed", "values_text"]
