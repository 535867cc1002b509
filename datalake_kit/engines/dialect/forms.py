"""Arrays, rows, subscripts, CASE, IF and the joining of texts and arrays."""

from __future__ import annotations

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.conditions import may_be_nan, truth
from datalake_kit.engines.dialect.conversions import common_of, make_row, widen
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import UNKNOWN, VARCHAR, array_of, common


@emits(exp.Array, "expressions")
def _array(compiler: Compiler, node: exp.Array, scope: Scope) -> Expr:
    items = compiler.exprs(node.expressions, scope)
    type_ = common_of(items, f"the elements of {describe(node)}")
    listed = ", ".join(widen(i, type_).sql for i in items)
    return Expr(f"[{listed}]" if items else "list_value()", array_of(type_))


@emits(exp.Paren, "this")
def _paren(compiler: Compiler, node: exp.Paren, scope: Scope) -> Expr:
    inner = compiler.expr(node.this, scope)
    return Expr(f"({inner.sql})", inner.type, inner.literal, inner.name)


@emits(exp.Tuple, "expressions")
def _tuple(compiler: Compiler, node: exp.Tuple, scope: Scope) -> Expr:
    return make_row(compiler.exprs(node.expressions, scope))


@emits(exp.DPipe, "this", "expression", "safe")
def _join_text(compiler: Compiler, node: exp.DPipe, scope: Scope) -> Expr:
    left, right = compiler.expr(node.this, scope), compiler.expr(node.expression, scope)
    return joined(left, right, describe(node))


def joined(left: Expr, right: Expr, what: str) -> Expr:
    """Return left || right: text, bytes or arrays; NULL when a side is NULL."""
    names = {left.type.name, right.type.name} - {"unknown"}
    if "array" in names and UNKNOWN in (left.type, right.type):
        refuse(what, "Athena cannot tell whether NULL is an array or an element", "CAST(NULL AS the type you mean)")
    if names <= {"varchar"} or names == {"varbinary"}:
        type_ = left.type if left.type != UNKNOWN else right.type
        return Expr(f"({widen(left, type_).sql} || {widen(right, type_).sql})", type_ if names else VARCHAR)
    if names == {"array"} and UNKNOWN not in (left.type, right.type):
        type_ = common_of([left, right], what)
        return Expr(f"dk_list_concat({widen(left, type_).sql}, {widen(right, type_).sql})", type_)
    if "array" in names:
        array, item = (left, right) if left.type.name == "array" else (right, left)
        type_ = array_of(common_of([Expr("", array.type.args[0]), item], what))
        wide, one = widen(array, type_).sql, f"[{widen(item, type_.args[0]).sql}]"
        both = f"dk_list_concat({wide}, {one})" if array is left else f"dk_list_concat({one}, {wide})"
        return Expr(f"CASE WHEN {item.sql} IS NULL THEN NULL ELSE {both} END", type_)
    return refuse(what, f"Athena does not join {left.type} with {right.type}", "CAST(value AS VARCHAR) first")


@emits(exp.Case, "this", "ifs", "default")
def _case(compiler: Compiler, node: exp.Case, scope: Scope) -> Expr:
    subject = compiler.expr(node.this, scope) if node.this is not None else None
    whens = []
    for branch in node.args["ifs"]:
        test = compiler.expr(branch.this, scope)
        if subject is not None:
            common_of([subject, test], describe(node))
            if may_be_nan(subject) and may_be_nan(test):
                refuse(describe(node), "NaN would be compared otherwise", "write CASE WHEN value = other THEN ...")
        whens.append(test.sql if subject is not None else truth(test, describe(branch.this)))
    results = compiler.exprs([branch.args["true"] for branch in node.args["ifs"]], scope)
    default = node.args.get("default")
    results.append(compiler.expr(default, scope) if default is not None else Expr("NULL", UNKNOWN))
    type_ = common_of(results, describe(node))
    parts = [f"WHEN {w} THEN {widen(r, type_).sql}" for w, r in zip(whens, results, strict=False)]
    head = f"CASE {subject.sql} " if subject is not None else "CASE "
    return Expr(f"{head}{' '.join(parts)} ELSE {widen(results[-1], type_).sql} END", type_)


@emits(exp.If, "this", "true", "false")
def _if(compiler: Compiler, node: exp.If, scope: Scope) -> Expr:
    test = truth(compiler.expr(node.this, scope), describe(node))
    other = node.args.get("false")
    results = compiler.exprs([node.args["true"]], scope)
    results.append(compiler.expr(other, scope) if other is not None else Expr("NULL", UNKNOWN))
    type_ = common_of(results, describe(node))
    yes, no = (widen(r, type_).sql for r in results)
    return Expr(f"CASE WHEN {test} THEN {yes} ELSE {no} END", type_)


@emits(exp.Bracket, "this", "expressions")
def _bracket(compiler: Compiler, node: exp.Bracket, scope: Scope) -> Expr:
    value = compiler.expr(node.this, scope)
    if len(node.expressions) != 1:
        refuse(describe(node), "Athena takes one subscript", "write value[i]")
    key = compiler.expr(node.expressions[0], scope)
    if value.type.name == "array" and key.type.is_integer:
        return Expr(f"dk_subscript({value.sql}, {key.sql})", value.type.args[0])
    if value.type.name == "map" and common(value.type.args[0], key.type) == value.type.args[0]:
        return Expr(f"dk_map_subscript({value.sql}, {widen(key, value.type.args[0]).sql})", value.type.args[1])
    if (
        value.type.name == "row"
        and key.literal
        and key.literal.isdigit()
        and 0 < int(key.literal) <= len(value.type.args)
    ):
        return Expr(f"struct_extract_at({value.sql}, {key.literal})", value.type.args[int(key.literal) - 1])
    return refuse(
        describe(node), f"{value.type} has no subscript of type {key.type}", "use element_at(array or map, key)"
    )
