"""JSON: reading parts of a text, and casts from and to JSON."""

from __future__ import annotations

import re

from sqlglot import exp

from datalake_kit.engines.dialect.calls import Call, add_table
from datalake_kit.engines.dialect.compiler import Compiler, emits
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.literals import string
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr, Scope
from datalake_kit.engines.dialect.types import BIGINT, BOOLEAN, JSON, VARCHAR, SqlType, quote

_TABLE = """
json_parse(varchar) -> json = dk_json_parse({0})
json_format(json) -> varchar = @_format
json_extract(json, varchar) -> json = @_extract
json_extract(varchar, varchar) -> json = @_extract
json_extract_scalar(json, varchar) -> varchar = @_extract_scalar
json_extract_scalar(varchar, varchar) -> varchar = @_extract_scalar
json_array_length(json) -> bigint = dk_json_array_length({0})
json_array_length(varchar) -> bigint = dk_json_array_length({0})
json_size(json, varchar) -> bigint = @_size
json_size(varchar, varchar) -> bigint = @_size
json_array_get(json, bigint) -> json = @_refuse_get
json_array_contains(json, T) -> boolean = @_refuse_get
json_array_contains(varchar, T) -> boolean = @_refuse_get
is_json_scalar(varchar) -> boolean = @_is_scalar
is_json_scalar(json) -> boolean = @_is_scalar
"""

_STEP = re.compile(r"""\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<index>\d+)\]|\[(?P<q>["'])(?P<quoted>[^"'\\]*)(?P=q)\]""")


def _path(request: Call) -> str:
    """Turn Trino's path into DuckDB's, each name quoted."""
    path = request.constant(1, "the JSON path").strip()
    out, position = ["$"], 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            refuse(
                request.what, f"the path {path!r} is not known to the local engine", 'write $.name, $[0] or $["a name"]'
            )
        name = step["name"] if step["name"] is not None else step["quoted"]
        out.append(f'."{name}"' if name is not None else f"[{step['index']}]")
        position = step.end()
    if not path.startswith("$"):
        refuse(request.what, f"the path {path!r} does not begin with $", "write $.name")
    return string("".join(out))


def _text(request: Call) -> str:
    return request.args[0].sql


def _extract(request: Call) -> Expr:
    return Expr(f"dk_json_extract({_text(request)}, {_path(request)}, {_first_key(request)})", JSON)


def _extract_scalar(request: Call) -> Expr:
    return Expr(f"dk_json_extract_scalar({_text(request)}, {_path(request)}, {_first_key(request)})", VARCHAR)


def _first_key(request: Call) -> str:
    """Return what a broken text must hold for the path to be found in it."""
    step = _STEP.match(request.constant(1, "the JSON path").strip(), 1)
    name = (step["name"] if step["name"] is not None else step["quoted"]) if step else None
    return string(f'"{name}"' if name is not None else "")


def _format(request: Call) -> Expr:
    """Trino sorts the keys of what json_parse or a cast made, and keeps the order in what json_extract took of a text.

    Of other JSON it is not known which of the two it is: the keys must be in order then.
    """
    node = request.nodes[0]
    if _is_call(node, "json_extract") and request.compiler.expr(node.expressions[0], request.scope).type == VARCHAR:
        return Expr(f"CAST({_text(request)} AS VARCHAR)", VARCHAR)
    around = node.parent.parent if node.parent else None
    known = _is_parsed(node) or _is_cast_to_json(request, node) or _is_parsed(around)
    return Expr(f"{'dk_json_sorted' if known else 'dk_json_in_order'}({_text(request)})", VARCHAR)


def _is_call(node: exp.Expression | None, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and bool(node.expressions) and str(node.this).lower() == name


def _is_parsed(node: exp.Expression | None) -> bool:
    return isinstance(node, exp.ParseJSON) or _is_call(node, "json_parse")


def _is_cast_to_json(request: Call, node: exp.Expression) -> bool:
    """Whether it is a cast that makes JSON; one of JSON leaves it as it is."""
    return isinstance(node, exp.Cast) and request.compiler.expr(node.this, request.scope).type != JSON


def _size(request: Call) -> Expr:
    return Expr(f"dk_json_size({_text(request)}, {_path(request)})", BIGINT)


def _is_scalar(request: Call) -> Expr:
    return Expr(f"(json_type({_text(request)}) NOT IN ('OBJECT', 'ARRAY'))", BOOLEAN)


def _refuse_get(request: Call) -> Expr:
    return refuse(request.what, "Athena's documentation calls it broken", "write json_extract(value, '$[0]')")


@emits(exp.ParseJSON, "this", "is_literal")
def _json_literal(compiler: Compiler, node: exp.ParseJSON, scope: Scope) -> Expr:
    return Expr(f"dk_json_parse({compiler.expr(node.this, scope).sql})", JSON)


# ---------------------------------------------------------------- casts


def from_json(value: Expr, wanted: SqlType, what: str, *, lenient: bool) -> Expr:
    """Return CAST(json AS wanted). JSON null is NULL; a text is unquoted; numbers, booleans, arrays, maps, rows."""
    if lenient:
        refuse(
            what, "TRY_CAST from JSON is not the same on both engines", "use json_extract_scalar and TRY_CAST its text"
        )
    return Expr(_convert(value.sql, wanted, what, depth=0), wanted)


def _convert(sql: str, wanted: SqlType, what: str, *, depth: int) -> str:
    if wanted == VARCHAR:
        return f"dk_json_varchar({sql})"
    if wanted == BOOLEAN:
        return f"dk_json_boolean({sql})"
    if wanted.is_integer:
        return f"CAST(dk_json_bigint({sql}) AS {wanted.duckdb})"
    if wanted.name == "double":
        return f"dk_json_double({sql})"
    if wanted.name == "array":
        item = f"dk_j{depth}"
        inner = item if wanted.args[0] == JSON else _convert(item, wanted.args[0], what, depth=depth + 1)
        return f"list_transform(dk_json_items({sql}), lambda {item}: {inner})"
    if wanted.name == "map" and wanted.args[0] == VARCHAR:
        item = f"dk_j{depth}"
        inner = item if wanted.args[1] == JSON else _convert(item, wanted.args[1], what, depth=depth + 1)
        return f"map(dk_json_keys({sql}), list_transform(dk_json_values({sql}), lambda {item}: {inner}))"
    if wanted.name == "row" and all(wanted.fields):
        parts = ", ".join(
            f"{quote(n or '')} := {_part(sql, n or '', t, what, depth)}"
            for n, t in zip(wanted.fields, wanted.args, strict=True)
        )
        return f"CASE WHEN dk_json_is_null({sql}) THEN NULL ELSE struct_pack({parts}) END"
    return refuse(
        what, f"a cast from JSON to {wanted} is not the same on both engines", "CAST(json AS VARCHAR), then that"
    )


def _part(sql: str, name: str, type_: SqlType, what: str, depth: int) -> str:
    if '"' in name or "\\" in name:
        refuse(what, f"the field {name!r} cannot be looked for", "use json_extract")
    path = string(f'$."{name}"')
    inner = f"json_extract(dk_json_object({sql}), {path})"
    return inner if type_ == JSON else _convert(inner, type_, what, depth=depth)


def to_json(value: Expr, what: str) -> Expr:
    """Return CAST(value AS JSON)."""
    _check_json(value.type, what)
    return Expr(f"to_json({value.sql})", JSON)


def _check_json(type_: SqlType, what: str) -> None:
    if type_.name in ("array", "map", "row"):
        if (type_.name == "map" and type_.args[0] != VARCHAR) or (type_.name == "row" and not all(type_.fields)):
            refuse(what, f"{type_} has another JSON on the two engines", "use maps with text as keys, rows with names")
        for part in type_.args:
            _check_json(part, what)
        return
    if type_.name not in ("varchar", "boolean", "json", "unknown", "date") and not type_.is_integer:
        refuse(what, f"a {type_} has another JSON on the two engines", "CAST it AS BIGINT or VARCHAR first")


add_table(table(_TABLE, globals()))
