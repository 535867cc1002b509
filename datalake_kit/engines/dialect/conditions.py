"""Conditions: AND, OR, NOT, comparisons, BETWEEN, IN, EXISTS, LIKE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.conversions import common_of, widen
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import BOOLEAN, UNKNOWN, VARCHAR, SqlType


def _apart(node: Any) -> None:
    """Refuse a condition that is itself compared without parentheses, as Trino's grammar does."""
    for part in (node.this, node.args.get("expression"), node.args.get("low"), node.args.get("high")):
        if isinstance(part, _CONDITIONS) and not (isinstance(node, exp.Escape) and part is node.this):
            refuse(describe(node), "Athena compares no condition without parentheses", "put it in parentheses")


_CONDITIONS = (
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.In, exp.Between, exp.Like, exp.Escape, exp.Is, exp.Not, exp.And, exp.Or),
)


def truth(value: Expr, what: str) -> str:
    """Return the text of a condition, or refuse what is no boolean."""
    if value.type not in (BOOLEAN, UNKNOWN):
        refuse(what, f"a condition must be boolean, not {value.type}", "compare it with something")
    return value.sql


def _connect(compiler: Compiler, node: Any, scope: Scope) -> Expr:
    word = " AND " if isinstance(node, exp.And) else " OR "
    parts = [truth(compiler.expr(part, scope), describe(part)) for part in node.flatten(unnest=False)]
    return Expr(f"({word.join(parts)})", BOOLEAN)


emits(exp.And, "this", "expression")(_connect)
emits(exp.Or, "this", "expression")(_connect)


@emits(exp.Not, "this")
def _not(compiler: Compiler, node: exp.Not, scope: Scope) -> Expr:
    return Expr(f"(NOT {truth(compiler.expr(node.this, scope), describe(node))})", BOOLEAN)


_COMPARISONS = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip


def _compare(compiler: Compiler, node: Any, scope: Scope) -> Expr:
    _apart(node)
    sign = _COMPARISONS[type(node)]
    left = compiler.expr(node.this, scope)
    if isinstance(node.expression, (exp.Any, exp.All)):
        return _quantified(compiler, left, sign, node, scope)
    right = compiler.expr(node.expression, scope)
    if {left.type.name, right.type.name} & {"row", "array"} and not sign.startswith("IS"):
        return _compare_parts(left, sign, right, describe(node))
    wide_left, wide_right = meet([left, right], describe(node))
    return Expr(_not_a_number(f"{wide_left.sql} {sign} {wide_right.sql}", left, sign, right), BOOLEAN)


for _kind in _COMPARISONS:
    emits(_kind, "this", "expression")(_compare)


def _compare_parts(left: Expr, sign: str, right: Expr, what: str) -> Expr:
    """Compare rows and arrays as Trino does: NULL when a part that decides is NULL."""
    if sign not in ("=", "<>"):
        refuse(what, "the order of rows and arrays is not the same on both engines", "compare their parts")
    same = _equal(left, right, what)
    return Expr(same if sign == "=" else f"(NOT {same})", BOOLEAN)


def _equal(left: Expr, right: Expr, what: str) -> str:
    type_ = common_of([left, right], what)
    if type_.name == "row":
        fields = range(1, len(type_.args) + 1)
        pairs = [(_part(left, i), _part(right, i)) for i in fields]
        return f"({' AND '.join(_equal(a, b, what) for a, b in pairs)})"
    if type_.name == "array":
        if type_.args[0].name in ("row", "array", "map", "json", "double", "real"):
            refuse(what, f"comparing {type_} is not the same on both engines", "compare its parts")
        return f"dk_array_equal({widen(left, type_).sql}, {widen(right, type_).sql})"
    wide_left, wide_right = meet([left, right], what)
    return _not_a_number(f"{wide_left.sql} = {wide_right.sql}", left, "=", right)


def _part(value: Expr, index: int) -> Expr:
    return Expr(f"struct_extract_at({value.sql}, {index})", value.type.args[index - 1])


def _not_a_number(sql: str, left: Expr, sign: str, right: Expr) -> str:
    """Hold back DuckDB's comparisons of NaN: it is equal to itself and above all there, to nothing in Trino."""
    at_left, at_right = may_be_nan(left), may_be_nan(right)
    if sign == "<>" and at_left and at_right:
        return f"({sql} OR (isnan({left.sql}) AND isnan({right.sql})))"
    if (sign in (">", ">=") and at_left) or (sign == "=" and at_left and at_right):
        return f"({sql} AND {_held_back(left, right)})"
    if sign in ("<", "<=") and at_right:
        return f"({sql} AND {_held_back(right, left)})"
    return f"({sql})"


def _held_back(value: Expr, other: Expr) -> str:
    """Return what is false where a value is NaN and the other is known: beside NULL the answer stays NULL."""
    test = f"NOT isnan({value.sql})"
    return test if other.literal is not None else f"({test} OR {other.sql} IS NULL)"


def may_be_nan(value: Expr) -> bool:
    """Tell whether a value can be NaN, which no constant is that is written with digits."""
    return value.type.name in ("double", "real") and value.literal is None


def meet(values: list[Expr], what: str) -> list[Expr]:
    """Return values in the type in which Trino compares them."""
    type_ = common_of(values, what)
    if type_.name in ("map", "json"):
        refuse(what, f"comparing {type_} is not the same on both engines", "compare its parts, or CAST it AS VARCHAR")
    if type_.is_integer or type_.name == "decimal":
        return values  # exact in any width
    return [widen(value, type_) for value in values]


def _quantified(compiler: Compiler, left: Expr, sign: str, node: Any, scope: Scope) -> Expr:
    query = node.expression.this
    inner = query.this if isinstance(query, exp.Subquery) else query
    sql, type_ = subquery(compiler, inner, scope)
    common_of([left, Expr("", type_)], describe(node))
    if may_be_nan(left) or type_.name in ("double", "real"):
        refuse(describe(node), "NaN would be compared otherwise", "write EXISTS (SELECT 1 ... WHERE a.x < b.x)")
    word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
    return Expr(f"({left.sql} {sign} {word} ({sql}))", BOOLEAN)


@emits(exp.Is, "this", "expression")
def _is(compiler: Compiler, node: exp.Is, scope: Scope) -> Expr:
    _apart(node)
    if not isinstance(node.expression, exp.Null):
        refuse(describe(node), "Athena knows only IS NULL and IS NOT NULL", "write value = true")
    return Expr(f"({compiler.expr(node.this, scope).sql} IS NULL)", BOOLEAN)


@emits(exp.Between, "this", "low", "high")
def _between(compiler: Compiler, node: exp.Between, scope: Scope) -> Expr:
    _apart(node)
    values = compiler.exprs([node.this, node.args["low"], node.args["high"]], scope)
    value, low, high = meet(values, describe(node))
    if any(map(may_be_nan, values)):
        above = _not_a_number(f"{value.sql} >= {low.sql}", value, ">=", low)
        below = _not_a_number(f"{value.sql} <= {high.sql}", value, "<=", high)
        return Expr(f"({above} AND {below})", BOOLEAN)
    return Expr(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", BOOLEAN)


@emits(exp.In, "this", "expressions", "query")
def _in(compiler: Compiler, node: exp.In, scope: Scope) -> Expr:
    _apart(node)
    value = compiler.expr(node.this, scope)
    query = node.args.get("query")
    if query is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        sql, type_ = subquery(compiler, inner, scope)
        common_of([value, Expr("", type_)], describe(node))
        if type_.name in ("row", "array", "map", "json"):
            refuse(describe(node), f"{type_} is not compared alike", "write EXISTS (SELECT 1 ... WHERE a.x = b.x)")
        return Expr(_in_query(value, sql, type_), BOOLEAN)
    items = compiler.exprs(node.expressions, scope)
    if len(items) == 1 and items[0].type.name == "array" and value.type.name != "array":
        return _in_bound_list(value, items[0], node)
    if value.type.name in ("row", "array"):
        return Expr(f"({' OR '.join(_equal(value, item, describe(node)) for item in items)})", BOOLEAN)
    value, *items = meet([value, *items], describe(node))
    listed = ", ".join(i.sql for i in items)
    if may_be_nan(value) and any(map(may_be_nan, items)):
        if value.sql in [i.sql for i in items]:
            refuse(describe(node), "Athena takes NaN for equal to itself here alone", "write value IS NOT NULL")
        real = ", ".join(_real(i.sql) for i in items)
        return Expr(
            f"CASE WHEN isnan({value.sql}) THEN {value.sql} IN ({real}) ELSE {value.sql} IN ({listed}) END", BOOLEAN
        )
    return Expr(f"({value.sql} IN ({listed}))", BOOLEAN)


def _real(sql: str) -> str:
    """Put a number where NaN is: for NaN itself, which is equal to nothing, any number will do."""
    return f"dk_no_nan({sql}, CAST(0 AS DOUBLE))"


def _in_query(value: Expr, sql: str, type_: SqlType) -> str:
    if not (may_be_nan(value) and type_.name in ("double", "real")):
        return f"({value.sql} IN ({sql}))"
    real = f"SELECT {_real('dk_in.v')} FROM ({sql}) AS dk_in(v)"
    return f"CASE WHEN isnan({value.sql}) THEN {value.sql} IN ({real}) ELSE {value.sql} IN ({sql}) END"


def _in_bound_list(value: Expr, items: Expr, node: exp.In) -> Expr:
    """`IN (:ids)` with a bound list: the list's values, also when it is empty."""
    common_of([value, Expr("", items.type.args[0])], describe(node))
    return Expr(f"({value.sql} IN (SELECT unnest({items.sql})))", BOOLEAN)


@emits(exp.Exists, "this")
def _exists(compiler: Compiler, node: exp.Exists, scope: Scope) -> Expr:
    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Expr(f"EXISTS ({subquery(compiler, inner, scope, width=None)[0]})", BOOLEAN)


@emits(exp.Subquery, "this")
def _scalar(compiler: Compiler, node: exp.Subquery, scope: Scope) -> Expr:
    sql, type_ = subquery(compiler, node.this, scope)
    return Expr(f"({sql})", type_)


def subquery(compiler: Compiler, node: Any, scope: Scope, width: int | None = 1) -> tuple[str, SqlType]:
    """Translate a query that stands inside an expression; it must give `width` columns."""
    from datalake_kit.engines.dialect.queries import query

    relation = query(compiler, node, scope)
    if width is not None and len(relation.columns) != width:
        refuse(describe(node), "a query that is a value gives one column", "select one expression")
    return relation.sql, relation.columns[0].type


@emits(exp.Like, "this", "expression", "negate")
def _like(compiler: Compiler, node: exp.Like, scope: Scope) -> Expr:
    _apart(node)
    value, pattern = compiler.expr(node.this, scope), compiler.expr(node.expression, scope)
    common_of([Expr("", VARCHAR), value, pattern], describe(node))
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    return Expr(f"({value.sql} {word} {pattern.sql})", BOOLEAN)


@emits(exp.Escape, "this", "expression")
def _escape(compiler: Compiler, node: exp.Escape, scope: Scope) -> Expr:
    like, sign = compiler.expr(node.this, scope), compiler.expr(node.expression, scope)
    if not isinstance(node.this, exp.Like):
        refuse(describe(node), "only LIKE has ESCAPE", "write value LIKE pattern ESCAPE sign")
    return Expr(f"({like.sql[1:-1]} ESCAPE {sign.sql})", BOOLEAN)
