"""Function calls, aggregates and windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, check_parts, describe, emits
from datalake_kit.engines.dialect.conditions import may_be_nan, truth
from datalake_kit.engines.dialect.conversions import common_of, make_row, widen
from datalake_kit.engines.dialect.functions import Signature, choose, fill
from datalake_kit.engines.dialect.macros import inside_try
from datalake_kit.engines.dialect.reasons import REASONS
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import BIGINT, INTEGER, UNKNOWN, SqlType

_MARKED = re.compile(r"(?<![A-Z])(\b[a-z_]+)\[((?:[^\[\]]|\[\])*)\]")


@dataclass(slots=True)
class Decoration:
    """What stands around an aggregate: DISTINCT, ORDER BY, IGNORE NULLS, FILTER, OVER; each as DuckDB text."""

    distinct: bool = False
    order: str = ""
    nulls: str = ""
    filter: str = ""
    over: str = ""

    def __bool__(self) -> bool:
        return self.distinct or any((self.order, self.nulls, self.filter, self.over))

    def around(self, name: str, arguments: str) -> str:
        """Return the DuckDB text of one aggregate call."""
        inner = f"{'DISTINCT ' if self.distinct else ''}{arguments}{self.nulls}{self.order}"
        return f"{name}({inner}){self.filter}{self.over}"


@dataclass(slots=True)
class Call:
    """One call as a handler sees it; `args` are translated already, lambdas excepted (None there)."""

    compiler: Compiler
    scope: Scope
    name: str
    nodes: list[Any]
    args: list[Expr]
    what: str
    bound: dict[str, SqlType] = field(default_factory=dict)
    result: SqlType = UNKNOWN
    decoration: Decoration = field(default_factory=Decoration)

    def aggregate(self, name: str, arguments: str) -> str:
        """Return an aggregate call with its DISTINCT, FILTER, OVER..."""
        return self.decoration.around(name, arguments)

    def constant(self, index: int, meaning: str) -> str:
        """Return the text of an argument that must be written in the statement."""
        literal = self.args[index].literal
        if literal is None:
            refuse(self.what, f"{meaning} must be written in the statement", "write it as a constant in quotes")
        return literal

    def function(self, index: int, types: Sequence[SqlType]) -> tuple[str, Expr]:
        """Return (parameters, body) of a lambda whose parameters have these types."""
        node = self.nodes[index]
        if not isinstance(node, exp.Lambda) or len(node.expressions) != len(types):
            refuse(self.what, f"argument {index + 1} must be a lambda of {len(types)} parameters", "write x -> ...")
        depth = sum(bool(s.locals) for s in self.scope.chain())
        names = [f"dk_{chr(97 + i)}{depth}" for i in range(len(types))]
        local = Scope(self.scope)
        for parameter, name, type_ in zip(node.expressions, names, types, strict=True):
            local.locals[str(parameter.name).lower()] = Expr(name, type_)
        return ", ".join(names), self.compiler.expr(node.this, local)


Special = Callable[[Call], Expr]
_TABLES: dict[str, list[Signature]] = {}
_SPECIAL: dict[str, Special] = {}
_WINDOW_ONLY = frozenset({
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
    "last_value", "nth_value",
})  # fmt: skip


def add_table(rows: dict[str, list[Signature]]) -> None:
    """Make the functions of a table known."""
    for name, signatures in rows.items():
        _TABLES.setdefault(name, []).extend(signatures)


def special(*names: str) -> Callable[[Special], Special]:
    """Register a handler for calls that no signature describes: lambdas, any number of arguments."""

    def register(handler: Special) -> Special:
        for name in names:
            _SPECIAL[name] = handler
        return handler

    return register


def unknown_function(name: str) -> tuple[str, str] | None:
    """Return why a function is refused, and what to write; None for one that is known."""
    if name.lower() in _SPECIAL or name.lower() in _TABLES:
        return None
    unclear = ("Athena has no such function, or its translation is not known", "see Athena's list of functions")
    return REASONS.get(name.lower(), unclear)


def call(
    compiler: Compiler, scope: Scope, name: str, nodes: list[Any], node: Any, decoration: Decoration | None = None
) -> Expr:
    """Translate a call of a Trino function."""
    what = describe(node)
    name = name.lower()
    decoration = decoration or Decoration()
    if name in _WINDOW_ONLY and not decoration.over:
        refuse(what, "this function needs a window", "add OVER (PARTITION BY ... ORDER BY ...)")
    args = [Expr("", UNKNOWN) if isinstance(n, exp.Lambda) else compiler.expr(n, scope) for n in nodes]
    request = Call(compiler, scope, name, nodes, args, what, decoration=decoration)
    if name in _SPECIAL:
        return _SPECIAL[name](request)
    if refusal := unknown_function(name):
        refuse(f"{name}(...)", *refusal)
    return _apply(request, _TABLES[name])


def _apply(request: Call, rows: list[Signature]) -> Expr:
    row, request.bound = choose(request.name, rows, request.args)
    wanted = row.arguments + (row.arguments[-1:] * (len(request.args) - len(row.arguments)))
    request.args = [
        widen(a, fill(w, request.bound)) if w.name != "moment" else a for a, w in zip(request.args, wanted, strict=True)
    ]
    request.result = fill(row.result, request.bound)
    if row.handler is not None:
        return row.handler(request)
    text = _MARKED.sub(lambda m: request.aggregate(m[1], m[2]), row.text)
    if request.decoration and text == row.text:
        refuse(request.what, f"{request.name} is no aggregate", "leave out DISTINCT, ORDER BY, FILTER and OVER")
    every = ", ".join(a.sql for a in request.args)
    filled = text.replace("{*}", every)
    for i, argument in enumerate(request.args):
        filled = filled.replace(f"{{{i}}}", argument.sql)
    return Expr(filled, request.result)


# ---------------------------------------------------------------- nodes


@emits(exp.Anonymous, "this", "expressions")
def _anonymous(compiler: Compiler, node: exp.Anonymous, scope: Scope) -> Expr:
    return decorated(compiler, node, scope, Decoration())


def decorated(compiler: Compiler, node: Any, scope: Scope, decoration: Decoration) -> Expr:
    """Translate a call with what stands inside its parentheses: DISTINCT, ORDER BY, IGNORE NULLS."""
    if isinstance(node, (exp.IgnoreNulls, exp.RespectNulls)):
        decoration.nulls = " IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""
        return decorated(compiler, node.this, scope, decoration)
    if isinstance(node, exp.GroupConcat):
        return _listagg(compiler, node, scope, decoration)
    if not isinstance(node, exp.Anonymous):
        refuse(describe(node), "only a function takes FILTER and OVER", "name a function before it")
    nodes = list(node.expressions)
    if nodes and isinstance(nodes[-1], exp.Order):
        decoration.order = " " + order_by(compiler, nodes[-1], scope)
        nodes[-1:] = [nodes[-1].this]
    if nodes and isinstance(nodes[0], exp.Distinct):
        check_parts(nodes[0], frozenset({"expressions"}))
        decoration.distinct = True
        nodes[:1] = nodes[0].expressions
        if len(nodes) != 1 and str(node.this).lower() == "count":
            refuse(describe(node), "Athena counts distinct values of one expression", "write count(DISTINCT ROW(a, b))")
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        nodes = []
        if str(node.this).lower() != "count":
            refuse(describe(node), "only count takes a star", "name a column")
    return call(compiler, scope, str(node.name), nodes, node, decoration)


def _listagg(compiler: Compiler, node: exp.GroupConcat, scope: Scope, decoration: Decoration) -> Expr:
    check_parts(node, frozenset({"this", "separator"}))
    inner = node.this
    if not isinstance(inner, exp.Order):
        refuse(describe(node), "Athena needs an order", "write listagg(value, ',') WITHIN GROUP (ORDER BY key)")
    decoration.order = " " + order_by(compiler, inner, scope)
    value = inner.this
    if isinstance(value, exp.Distinct):
        decoration.distinct = True
        value = value.expressions[0]
    separator = node.args.get("separator")
    nodes = [value, separator if separator is not None else exp.Literal.string("")]
    return call(compiler, scope, "listagg", nodes, node, decoration)


@emits(exp.GroupConcat, "this", "separator")
def _group_concat(compiler: Compiler, node: exp.GroupConcat, scope: Scope) -> Expr:
    return _listagg(compiler, node, scope, Decoration())


@emits(exp.Filter, "this", "expression")
def _filter(compiler: Compiler, node: exp.Filter, scope: Scope) -> Expr:
    return decorated(compiler, node.this, scope, Decoration(filter=_filter_text(compiler, node, scope)))


def _filter_text(compiler: Compiler, node: exp.Filter, scope: Scope) -> str:
    condition = node.expression.this
    return f" FILTER (WHERE {truth(compiler.expr(condition, scope), describe(condition))})"


@emits(exp.Window, "this", "partition_by", "order", "spec", "alias", "over")
def _window(compiler: Compiler, node: exp.Window, scope: Scope) -> Expr:
    decoration = Decoration(over=f" OVER {window_text(compiler, node, scope)}")
    inner = node.this
    if isinstance(inner, exp.Filter):
        refuse(
            describe(node), "Athena has no FILTER before OVER", "write sum(CASE WHEN condition THEN x END) OVER (...)"
        )
    if str(node.args.get("over") or "OVER").upper() != "OVER":
        refuse(describe(node), "Athena knows only OVER", "write OVER (...)")
    return decorated(compiler, inner, scope, decoration)


def window_text(compiler: Compiler, node: exp.Window, scope: Scope) -> str:
    """Return the parentheses of OVER, or the name of a window.

    DuckDB takes nothing there that it holds volatile, as error() is: macros of another name fail by a cast.
    """
    alias = node.args.get("alias")
    parts = [f'"{alias.name}"'] if alias is not None else []
    partition = node.args.get("partition_by") or []
    if partition:
        parts.append("PARTITION BY " + ", ".join(e.sql for e in compiler.exprs(partition, scope)))
    if node.args.get("order") is not None:
        parts.append(order_by(compiler, node.args["order"], scope))
    if node.args.get("spec") is not None:
        parts.append(_frame(compiler, node.args["spec"], scope))
    if len(parts) == 1 and alias is not None:
        return parts[0]
    return inside_try(f"({' '.join(parts)})")


def _frame(compiler: Compiler, spec: exp.WindowSpec, scope: Scope) -> str:
    check_parts(spec, frozenset({"kind", "start", "start_side", "end", "end_side"}))

    def bound(name: str) -> str:
        value = spec.args.get(name)
        side = spec.args.get(f"{name}_side") or ""
        text = (
            value if isinstance(value, str) else compiler.expr(value, scope).sql if value is not None else "CURRENT ROW"
        )
        return f"{text} {side}".strip().upper() if isinstance(value, str) else f"{text} {side}".strip()

    return f"{str(spec.args['kind']).upper()} BETWEEN {bound('start')} AND {bound('end')}"


def order_by(compiler: Compiler, order: exp.Order, scope: Scope, names: dict[str, str] | None = None) -> str:
    """Return ORDER BY with the place of NULL said: last, as Trino has it, unless the statement says otherwise."""
    check_parts(order, frozenset({"this", "expressions"}))
    return "ORDER BY " + ", ".join(_ordered(compiler, item, scope) for item in order.expressions)


def _ordered(compiler: Compiler, item: Any, scope: Scope) -> str:
    check_parts(item, frozenset({"this", "desc", "nulls_first"}))
    return ordered_text(compiler.expr(item.this, scope).sql, item)


def ordered_text(sql: str, item: Any) -> str:
    """Return one item of ORDER BY with its direction and the place of NULL."""
    direction = "DESC" if item.args.get("desc") else "ASC"
    return f"{sql} {direction} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"


# ---------------------------------------------------------------- forms that look like functions


@special("coalesce")
def _coalesce(request: Call) -> Expr:
    if len(request.args) < 2:
        refuse(request.what, "Athena needs two values at least", "write coalesce(value, other)")
    type_ = common_of(request.args, request.what)
    return Expr(f"coalesce({', '.join(widen(a, type_).sql for a in request.args)})", type_)


@special("nullif")
def _nullif(request: Call) -> Expr:
    if len(request.args) != 2:
        refuse(request.what, "nullif takes two values", "write nullif(value, other)")
    value, other = request.args
    common_of(request.args, request.what)
    if may_be_nan(value) and may_be_nan(other):  # NaN is equal to nothing
        return Expr(
            f"CASE WHEN isnan({value.sql}) THEN {value.sql} ELSE nullif({value.sql}, {other.sql}) END", value.type
        )
    return Expr(f"nullif({value.sql}, {other.sql})", value.type)


@special("try")
def _try(request: Call) -> Expr:
    """DuckDB's TRY takes no function that it holds volatile, as error() is: macros of another name fail by a cast."""
    return Expr(f"TRY({inside_try(request.args[0].sql)})", request.args[0].type)


@special("row")
def _row(request: Call) -> Expr:
    return make_row(request.args)


@special("grouping")
def _grouping(request: Call) -> Expr:
    return Expr(f"CAST(grouping({', '.join(a.sql for a in request.args)}) AS INTEGER)", INTEGER)


@special("count")
def _count(request: Call) -> Expr:
    if len(request.args) > 1:
        refuse(request.what, "Athena counts one expression", "write count(DISTINCT ROW(a, b))")
    return Expr(request.aggregate("count", request.args[0].sql if request.args else "*"), BIGINT)


@emits(exp.Trim, "this", "expression", "position")
def _trim(compiler: Compiler, node: exp.Trim, scope: Scope) -> Expr:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    chars = node.args.get("expression")
    return call(compiler, scope, name, [node.this, chars] if chars is not None else [node.this], node)


@emits(exp.StrPosition, "this", "substr")
def _position(compiler: Compiler, node: exp.StrPosition, scope: Scope) -> Expr:
    return call(compiler, scope, "strpos", [node.this, node.args["substr"]], node)


@emits(exp.Substring, "this", "start", "length")
def _substring(compiler: Compiler, node: exp.Substring, scope: Scope) -> Expr:
    parts = [node.this, node.args.get("start"), node.args.get("length")]
    return call(compiler, scope, "substr", [p for p in parts if p is not None], node)


@emits(exp.Extract, "this", "expression")
def _extract(compiler: Compiler, node: exp.Extract, scope: Scope) -> Expr:
    unit = str(node.this.name).lower()
    names = {"dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week"}
    if unit not in _FIELDS:
        refuse(describe(node), f"Athena extracts no {unit}", f"extract one of {', '.join(sorted(_FIELDS))}")
    return call(compiler, scope, names.get(unit, unit), [node.expression], node)


_FIELDS = frozenset(
    [
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "day_of_month",
        "day_of_week",
        "dow",
        "day_of_year",
        "doy",
        "year_of_week",
        "yow",
        "hour",
        "minute",
        "second",
    ]
)
