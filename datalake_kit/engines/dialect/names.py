"""Names as values: columns, fields of rows, parameters of lambdas and of the statement."""

from __future__ import annotations

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, describe, emits
from datalake_kit.engines.dialect.literals import string
from datalake_kit.engines.dialect.parsing import MARK
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import UNKNOWN
from datalake_kit.errors import ParameterError


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
