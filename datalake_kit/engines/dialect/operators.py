"""Literals, names, operators, CASE and subqueries as values."""

from __future__ import annotations

import re
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.literals import interval_of, number, string
from datalake_kit.engines.dialect.parsing import MARK
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAYS,
    MONTHS,
    TIMESTAMP,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    SqlType,
    array_of,
    as_decimal,
    common,
    decimal_of,
)
from datalake_kit.errors import ParameterError

# ---------------------------------------------------------------- literals


@emits(exp.Literal, "this", "is_string")
def _literal(_: Compiler, node: exp.Literal, __: Scope) -> Expr:
    text = str(node.this)
    if node.is_string:
        return Expr(string(text), VARCHAR, literal=text)
    return number(text)


@emits(exp.Null)
def _null(_: Compiler, __: exp.Null, ___: Scope) -> Expr:
    return Expr("NULL", UNKNOWN)


@emits(exp.Boolean, "this")
def _boolean(_: Compiler, node: exp.Boolean, __: Scope) -> Expr:
    return Expr("true" if node.this else "false", BOOLEAN)


@emits(exp.HexString, "this")
def _binary(_: Compiler, node: exp.HexString, __: Scope) -> Expr:
    return Expr(f"unhex({string(str(node.this))})", VARBINARY)


@emits(exp.UnicodeString, "this")
def _unicode(_: Compiler, node: exp.UnicodeString, __: Scope) -> Expr:
    """U&'caf\\00e9': four hexadecimal digits after a backslash, six after backslash and plus."""
    text = str(node.this)
    if not re.fullmatch(r"(?:[^\\]|\\\\|\\[0-9a-fA-F]{4}|\\\+[0-9a-fA-F]{6})*", text):
        refuse(f"U&'{text}'", "this is no escape of Athena", "write \\00e9 or \\+01f600")
    read = re.sub(
        r"\\(?:\\|([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6}))",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\\",
        text,
    )
    return Expr(string(read), VARCHAR, literal=read)


@emits(exp.Interval, "this", "unit")
def _interval(_: Compiler, node: exp.Interval, __: Scope) -> Expr:
    sql, type_, literal = interval_of(node)
    return Expr(sql, type_, literal=literal)


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


# ---------------------------------------------------------------- names


@emits(exp.Column, "this", "table", "db", "catalog")
def _column(compiler: Compiler, node: exp.Column, scope: Scope) -> Expr:
    parts = [str(part.name) for part in node.parts]
    if parts[0].startswith(MARK):
        return field(_parameter(compiler, parts[0][1:]), parts[1:])
    if isinstance(node.this, exp.Star):
        refuse(describe(node), "a star is no value", "name the column")
    return _resolve(parts, scope)


def _resolve(parts: list[str], scope: Scope) -> Expr:
    if len(parts) >= 3 and (source := scope.source(parts[1], parts[0].lower())):
        found = next((c for c in source.columns if c.key == parts[2].lower()), None)
        if found:
            return field(source.expr(found), parts[3:])
    if len(parts) >= 2 and (source := scope.source(parts[0])):
        found = next((c for c in source.columns if c.key == parts[1].lower()), None)
        if found:
            return field(source.expr(found), parts[2:])
        raise scope.not_found(".".join(parts[:2]))
    whole = scope.find(parts[0])
    if whole is None:
        raise scope.not_found(parts[0])
    return field(whole, parts[1:])


@emits(exp.Identifier, "this", "quoted")
def _identifier(compiler: Compiler, node: exp.Identifier, scope: Scope) -> Expr:
    """A parameter of a lambda, which the parser gives without a Column around it."""
    name = str(node.name)
    return _parameter(compiler, name[1:]) if name.startswith(MARK) else _resolve([name], scope)


@emits(exp.Dot, "this", "expression")
def _dot(compiler: Compiler, node: exp.Dot, scope: Scope) -> Expr:
    if not isinstance(node.expression, exp.Identifier):
        refuse(describe(node), "Athena has no methods on values", "write function(value)")
    return field(compiler.expr(node.this, scope), [str(node.expression.name)])


def field(value: Expr, names: list[str]) -> Expr:
    """Return a field of a row, by name."""
    for name in names:
        if value.type.name != "row":
            refuse(f"{name!r} of {value.type}", "only a row has fields", "check the name before the point")
        match = [i for i, n in enumerate(value.type.fields) if n is not None and n.lower() == name.lower()]
        if len(match) != 1:
            refuse(f"the field {name!r} of {value.type}", "there is no such field", "name one that the type shows")
        key = value.type.fields[match[0]] or name
        value = Expr(f"struct_extract({value.sql}, {string(key)})", value.type.args[match[0]], name=name)
    return value


def _parameter(compiler: Compiler, name: str) -> Expr:
    type_ = compiler.parameters.get(name)
    if type_ is None:
        raise ParameterError(f"the statement has a placeholder :{name}, but no value was given for it")
    compiler.used.add(name)
    if type_ == UNKNOWN:
        return Expr(f"${name}", UNKNOWN)
    return Expr(f"CAST(${name} AS {type_.duckdb})", type_)


# ---------------------------------------------------------------- conversions that Trino makes by itself


def widen(value: Expr, wanted: SqlType) -> Expr:
    """Return the value in the type that Trino gives it by itself; DuckDB would choose another at times."""
    given = value.type
    if given == wanted or wanted == UNKNOWN:
        return value
    if given == UNKNOWN or wanted.is_number or (given == DATE and wanted.name.startswith("timestamp")):
        return Expr(f"CAST({value.sql} AS {wanted.duckdb})", wanted, value.literal)
    if given == TIMESTAMP and wanted.name == "timestamp with time zone":
        return Expr(f"timezone('UTC', {value.sql})", wanted)
    if given.duckdb != wanted.duckdb:
        return Expr(f"CAST({value.sql} AS {wanted.duckdb})", wanted)
    return Expr(value.sql, wanted, value.literal)


def common_of(values: list[Expr], what: str) -> SqlType:
    """Return the type in which values meet, or refuse as Trino does."""
    found = UNKNOWN
    for value in values:
        met = common(found, value.type)
        if met is None:
            _refuse_mixture(what, found, value.type)
        found = met
    return found


def _refuse_mixture(what: str, one: SqlType, other: SqlType) -> None:
    names = {one.name, other.name}
    instead = f"CAST one side to {one} or {other}"
    if "varchar" in names and names & {"date", "timestamp", "timestamp with time zone"}:
        instead = "write DATE '2026-01-31' or TIMESTAMP '2026-01-31 00:00:00', or bind a date or a datetime, not text"
    refuse(what, f"Athena does not compare or mix {one} with {other}", instead)


# ---------------------------------------------------------------- arithmetic

_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def _arithmetic(compiler: Compiler, node: Any, scope: Scope) -> Expr:
    sign = _ARITHMETIC[type(node)]
    left, right = compiler.expr(node.this, scope), compiler.expr(node.expression, scope)
    if left.type.is_number and right.type.is_number:
        return calculate(sign, left, right)
    if UNKNOWN in (left.type, right.type) and (left.type.is_number or right.type.is_number):
        kind = common(left.type, right.type) or UNKNOWN
        return calculate(sign, widen(left, kind), widen(right, kind))
    return _with_time(sign, left, right, node)


for _kind in _ARITHMETIC:
    emits(_kind, "this", "expression", "typed", "safe")(_arithmetic)


def calculate(sign: str, left: Expr, right: Expr) -> Expr:
    """Return `left sign right` of two numbers with Trino's type, rounding and errors."""
    type_ = common(left.type, right.type) or UNKNOWN
    if type_.name == "decimal":
        return _decimal(sign, left, right)
    if not type_.is_integer or left.type != right.type or type_ in (SqlType("tinyint"), SqlType("smallint")):
        left, right = widen(left, type_), widen(right, type_)
    if sign in "/%" and type_.is_integer:
        return Expr(f"{'dk_div' if sign == '/' else 'dk_mod'}({left.sql}, {right.sql})", type_)
    return Expr(f"({left.sql} {sign} {right.sql})", type_)


def _decimal(sign: str, left: Expr, right: Expr) -> Expr:
    left, right = widen(left, as_decimal(left.type)), widen(right, as_decimal(right.type))
    (p1, s1), (p2, s2) = left.type.args, right.type.args
    if sign == "/":
        return _decimal_quotient(left, right)
    if sign == "*":
        if p1 + p2 > 38:
            _refuse_decimal(sign, left, right)
        type_ = SqlType("decimal", (p1 + p2, s1 + s2))
        return Expr(f"CAST({left.sql} * {right.sql} AS {type_.duckdb})", type_)
    scale = max(s1, s2)
    if sign == "%":
        type_ = SqlType("decimal", (min(p1 - s1, p2 - s2) + scale, scale))
        wide = decimal_of(max(p1 - s1, p2 - s2) + scale, scale)
        pair = f"CAST({left.sql} AS {wide.duckdb}), CAST({right.sql} AS {wide.duckdb})"
        return Expr(f"CAST(dk_mod({pair}) AS {type_.duckdb})", type_)
    type_ = decimal_of(max(p1 - s1, p2 - s2) + scale + 1, scale)
    return Expr(f"CAST({left.sql} {sign} {right.sql} AS {type_.duckdb})", type_)


def _decimal_quotient(left: Expr, right: Expr) -> Expr:
    """Divide as whole numbers: the scale that Trino gives, half away from zero."""
    (p1, s1), (p2, s2) = left.type.args, right.type.args
    scale = max(s1, s2)
    precision = p1 + s2 + max(0, s2 - s1)
    up = scale + s2 - s1
    if precision > 38 or p1 + up > 37:
        _refuse_decimal("/", left, right)
    top = f"(CAST({left.sql} * {10**s1} AS HUGEINT) * {10**up})" if s1 else f"(CAST({left.sql} AS HUGEINT) * {10**up})"
    bottom = f"CAST({right.sql} * {10**s2} AS HUGEINT)" if s2 else f"CAST({right.sql} AS HUGEINT)"
    type_ = SqlType("decimal", (precision, scale))
    return Expr(scaled(f"dk_ratio({top}, {bottom})", type_), type_)


def scaled(whole: str, type_: SqlType) -> str:
    """Return a whole number of the last digit of a decimal type as that decimal."""
    scale = type_.args[1]
    if not scale:
        return f"CAST({whole} AS {type_.duckdb})"
    unit = f"CAST('0.{'1'.zfill(scale)}' AS DECIMAL({scale + 1}, {scale}))"
    return f"CAST(CAST({whole} AS DECIMAL({37 - scale}, 0)) * {unit} AS {type_.duckdb})"


def _refuse_decimal(sign: str, left: Expr, right: Expr) -> None:
    refuse(
        f"{left.type} {sign} {right.type}",
        "the exact decimal result does not fit the local engine",
        "CAST one side AS DOUBLE, or to a decimal of fewer digits",
    )


@emits(exp.Neg, "this")
def _negative(compiler: Compiler, node: exp.Neg, scope: Scope) -> Expr:
    if isinstance(node.this, exp.Literal) and not node.this.is_string and str(node.this.this) == str(2**63):
        return Expr(f"(-{2**63})", BIGINT)
    value = compiler.expr(node.this, scope)
    if not (value.type.is_number or value.type in (DAYS, MONTHS, UNKNOWN)):
        refuse(describe(node), f"{value.type} has no negative", "CAST it to a number")
    literal = f"-{value.literal}" if value.literal and value.type.is_number else value.literal
    return Expr(f"(-{value.sql})", value.type, literal)


# ---------------------------------------------------------------- arithmetic of time

_MOMENTS = ("date", "time", "timestamp", "timestamp with time zone")


def _with_time(sign: str, left: Expr, right: Expr, node: Any) -> Expr:
    if sign == "+" and left.type in (DAYS, MONTHS) and right.type.name in _MOMENTS:
        left, right = right, left
    if sign in "+-" and left.type.name in _MOMENTS and right.type in (DAYS, MONTHS):
        return _shift(sign, left, right, node)
    if sign == "-" and left.type.name == right.type.name and left.type.name in _MOMENTS and left.type.name != "time":
        if left.type == DATE:
            return Expr(f"to_days(CAST({left.sql} - {right.sql} AS INTEGER))", DAYS)
        return Expr(f"({left.sql} - {right.sql})", DAYS)
    if sign in "+-" and left.type == right.type and left.type in (DAYS, MONTHS):
        return Expr(f"({left.sql} {sign} {right.sql})", left.type)
    if sign == "*" and {left.type, right.type} & {DAYS, MONTHS} and (left.type.is_integer or right.type.is_integer):
        whole, span = (left, right) if left.type.is_integer else (right, left)
        return Expr(f"({span.sql} * {whole.sql})", span.type, literal=span.literal)
    return refuse(
        describe(node),
        f"Athena does not calculate {left.type} {sign} {right.type}",
        "CAST a side, or use date_add and date_diff for moments",
    )


def _shift(sign: str, moment: Expr, span: Expr, node: Any) -> Expr:
    if moment.type == DATE:
        if span.type == DAYS and span.literal != "day":
            refuse(describe(node), "Athena adds only whole days to a date", "CAST the date AS TIMESTAMP")
        return Expr(f"CAST({moment.sql} {sign} {span.sql} AS DATE)", DATE)
    if moment.type.name == "timestamp with time zone" and span.type == MONTHS:
        return in_zone(moment, lambda local: f"({local} {sign} {span.sql})", describe(node))
    return Expr(f"({moment.sql} {sign} {span.sql})", moment.type)


def in_zone(moment: Expr, change: Any, what: str) -> Expr:
    """Apply `change` to the local time that a timestamp with time zone shows, and give the instant back.

    Where the clock shows a time twice, Trino stays with the offset that the moment had.
    """
    zone = zone_of(moment, what)
    if zone == "'UTC'":
        return Expr(change(moment.sql), moment.type)
    return Expr(f"dk_back({zone}, {moment.sql}, {change(f'timezone({zone}, {moment.sql})')})", moment.type)


def zone_of(moment: Expr, what: str) -> str:
    """Return the zone of a timestamp with time zone, or refuse when it is not the same in all rows."""
    if moment.type.zone is None:
        refuse(
            what, "the answer depends on a time zone that is not known here", "write at_timezone(value, 'UTC') in it"
        )
    return moment.type.zone


def local_time(moment: Expr, what: str) -> str:
    """Return DuckDB text of the local time that a moment shows."""
    if moment.type.name != "timestamp with time zone":
        return moment.sql
    return f"timezone({zone_of(moment, what)}, {moment.sql})"


# ---------------------------------------------------------------- text, truth, comparison


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
        return Expr(f"dk_list_concat({wide}, {one})" if array is left else f"dk_list_concat({one}, {wide})", type_)
    return refuse(what, f"Athena does not join {left.type} with {right.type}", "CAST(value AS VARCHAR) first")


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
    sign = _COMPARISONS[type(node)]
    left = compiler.expr(node.this, scope)
    if isinstance(node.expression, (exp.Any, exp.All)):
        return _quantified(compiler, left, sign, node, scope)
    right = compiler.expr(node.expression, scope)
    wide_left, wide_right = meet([left, right], describe(node))
    return Expr(_not_a_number(f"{wide_left.sql} {sign} {wide_right.sql}", left, sign, right), BOOLEAN)


def _not_a_number(sql: str, left: Expr, sign: str, right: Expr) -> str:
    """Hold back DuckDB's comparisons of NaN: it is equal to itself and above all there, to nothing in Trino."""
    at_left, at_right = _may_be_nan(left), _may_be_nan(right)
    if sign == "<>" and at_left and at_right:
        return f"({sql} OR (isnan({left.sql}) AND isnan({right.sql})))"
    if (sign in (">", ">=") and at_left) or (sign == "=" and at_left and at_right):
        return f"({sql} AND NOT isnan({left.sql}))"
    if sign in ("<", "<=") and at_right:
        return f"({sql} AND NOT isnan({right.sql}))"
    return f"({sql})"


def _may_be_nan(value: Expr) -> bool:
    return value.type.name in ("double", "real") and value.literal is None


for _kind in _COMPARISONS:
    emits(_kind, "this", "expression")(_compare)


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
    sql, type_ = compiler_subquery(compiler, inner, scope)
    common_of([left, Expr("", type_)], describe(node))
    word = "ANY" if isinstance(node.expression, exp.Any) else "ALL"
    return Expr(f"({left.sql} {sign} {word} ({sql}))", BOOLEAN)


@emits(exp.Is, "this", "expression")
def _is(compiler: Compiler, node: exp.Is, scope: Scope) -> Expr:
    if not isinstance(node.expression, exp.Null):
        refuse(describe(node), "Athena knows only IS NULL and IS NOT NULL", "write value = true")
    return Expr(f"({compiler.expr(node.this, scope).sql} IS NULL)", BOOLEAN)


@emits(exp.Between, "this", "low", "high")
def _between(compiler: Compiler, node: exp.Between, scope: Scope) -> Expr:
    values = compiler.exprs([node.this, node.args["low"], node.args["high"]], scope)
    if any(map(_may_be_nan, values[1:])):
        refuse(describe(node), "NaN would be compared otherwise", "write value >= low AND value <= high")
    value, low, high = meet(values, describe(node))
    return Expr(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", BOOLEAN)


@emits(exp.In, "this", "expressions", "query")
def _in(compiler: Compiler, node: exp.In, scope: Scope) -> Expr:
    value = compiler.expr(node.this, scope)
    query = node.args.get("query")
    if query is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        sql, type_ = compiler_subquery(compiler, inner, scope)
        common_of([value, Expr("", type_)], describe(node))
        return Expr(f"({value.sql} IN ({sql}))", BOOLEAN)
    items = compiler.exprs(node.expressions, scope)
    if len(items) == 1 and items[0].type.name == "array" and value.type.name != "array":
        return _in_bound_list(value, items[0], node)
    value, *items = meet([value, *items], describe(node))
    return Expr(f"({value.sql} IN ({', '.join(i.sql for i in items)}))", BOOLEAN)


def _in_bound_list(value: Expr, items: Expr, node: exp.In) -> Expr:
    """`IN (:ids)` with a bound list: the list's values, also when it is empty."""
    common_of([value, Expr("", items.type.args[0])], describe(node))
    return Expr(f"({value.sql} IN (SELECT unnest({items.sql})))", BOOLEAN)


@emits(exp.Exists, "this")
def _exists(compiler: Compiler, node: exp.Exists, scope: Scope) -> Expr:
    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Expr(f"EXISTS ({compiler_subquery(compiler, inner, scope, width=None)[0]})", BOOLEAN)


@emits(exp.Subquery, "this")
def _scalar(compiler: Compiler, node: exp.Subquery, scope: Scope) -> Expr:
    sql, type_ = compiler_subquery(compiler, node.this, scope)
    return Expr(f"({sql})", type_)


def compiler_subquery(compiler: Compiler, node: Any, scope: Scope, width: int | None = 1) -> tuple[str, SqlType]:
    """Translate a query that stands inside an expression; it must give `width` columns."""
    from datalake_kit.engines.dialect.queries import query

    relation = query(compiler, node, scope)
    if width is not None and len(relation.columns) != width:
        refuse(describe(node), "a query that is a value gives one column", "select one expression")
    return relation.sql, relation.columns[0].type


@emits(exp.Like, "this", "expression", "negate")
def _like(compiler: Compiler, node: exp.Like, scope: Scope) -> Expr:
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


# ---------------------------------------------------------------- CASE, IF


@emits(exp.Case, "this", "ifs", "default")
def _case(compiler: Compiler, node: exp.Case, scope: Scope) -> Expr:
    subject = compiler.expr(node.this, scope) if node.this is not None else None
    whens = []
    for branch in node.args["ifs"]:
        test = compiler.expr(branch.this, scope)
        if subject is not None:
            common_of([subject, test], describe(node))
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


# ---------------------------------------------------------------- subscripts


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


@emits(exp.Tuple, "expressions")
def _tuple(compiler: Compiler, node: exp.Tuple, scope: Scope) -> Expr:
    return make_row(compiler.exprs(node.expressions, scope))


def make_row(values: list[Expr]) -> Expr:
    """Return ROW(...): fields without names."""
    type_ = SqlType("row", tuple(v.type for v in values), tuple(None for _ in values))
    return Expr(f"row({', '.join(v.sql for v in values)})", type_)
