"""FROM: tables, subqueries, joins, LATERAL and UNNEST."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.compiler import Compiler, check_parts, describe
from datalake_kit.engines.dialect.conditions import truth
from datalake_kit.engines.dialect.parsing import table_name
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Column, Expr, Scope, Source
from datalake_kit.engines.dialect.types import BIGINT, common, quote
from datalake_kit.errors import SqlError, TableNotFoundError, did_you_mean


def from_clause(compiler: Compiler, node: exp.Select, scope: Scope) -> str:
    """Translate FROM with its joins and put their sources in the scope."""
    clause = node.args.get("from_")
    if clause is None:
        return ""
    text = "FROM " + _item(compiler, clause.this, scope)
    for join in [*(clause.this.args.get("joins") or []), *(node.args.get("joins") or [])]:
        text += _join(compiler, join, scope)
    return text


def _item(compiler: Compiler, node: Any, scope: Scope) -> str:
    if isinstance(node, exp.Table):
        return _table(compiler, node, scope)
    if isinstance(node, exp.Subquery):
        return _subquery(compiler, node, scope, Scope(scope.parent) if scope.parent else None, "")
    if isinstance(node, exp.Values):
        return _values(compiler, node, scope)
    if isinstance(node, exp.Unnest):
        return _unnest(compiler, node, scope)
    if isinstance(node, exp.Lateral):
        check_parts(node, frozenset({"this", "alias"}))
        return _subquery(compiler, node, scope, scope, "LATERAL ")
    if isinstance(node, exp.Paren):
        return _item(compiler, node.this, scope)
    return refuse(describe(node), "Athena has nothing like it in FROM", "name a table, a subquery, VALUES or UNNEST")


def _add(scope: Scope, alias: str, columns: tuple[Column, ...], database: str | None = None) -> Source:
    emitted, number = alias.lower(), 1
    while emitted in scope.emitted_names():
        number += 1
        emitted = f"{alias.lower()}_{number}"
    source = Source(alias.lower(), emitted, columns, database)
    if any(s.alias == source.alias and s.database == database for s in scope.sources) and alias:
        raise SqlError(f"two tables in FROM are called {alias!r}: give one an alias")
    scope.sources.append(source)
    return source


def _alias(node: Any) -> tuple[str, list[str]]:
    alias = node.args.get("alias")
    if alias is None:
        return "", []
    check_parts(alias, frozenset({"this", "columns"}))
    return str(alias.name), [str(c.name) for c in alias.args.get("columns") or []]


def _table(compiler: Compiler, node: exp.Table, scope: Scope) -> str:
    check_parts(node, frozenset({"this", "db", "catalog", "alias", "joins"}))
    if isinstance(node.this, exp.Anonymous):
        refuse(describe(node), "Athena reads no files and has no table functions like this", "name a table of the lake")
    database, name = table_name(node)
    columns, text = _columns(compiler, database, name)
    alias, names = _alias(node)
    if names:
        from datalake_kit.engines.dialect.queries import renamed

        columns = renamed(columns, names, name)
    source = _add(scope, alias or name, columns, None if alias else database)
    listed = f"({', '.join(quote(c.emitted) for c in columns)})" if names else ""
    return f"{text} AS {quote(source.emitted)}{listed}"


def _columns(compiler: Compiler, database: str | None, name: str) -> tuple[tuple[Column, ...], str]:
    if database is None:
        for ctes in reversed(compiler.ctes):
            if name in ctes:
                return ctes[name], quote(name)
        whole = [key for key in compiler.tables if key[1] == name]
        if (None, name) not in whole and len(whole) == 1:
            database = whole[0][0]
    found = compiler.tables.get((database, name))
    if found is None:
        known = [f"{d}.{t}" if d else t for d, t in compiler.tables]
        shown = f"{database}.{name}" if database else name
        raise TableNotFoundError(f"no table {shown!r} among those of this statement. {did_you_mean(shown, known)}")
    return found, f"{quote(database)}.{quote(name)}" if database else quote(name)


def _subquery(compiler: Compiler, node: Any, scope: Scope, parent: Scope | None, word: str) -> str:
    from datalake_kit.engines.dialect.queries import query, renamed

    inner = node.this
    while isinstance(inner, exp.Subquery) and not inner.args.get("alias") and isinstance(node, exp.Lateral):
        inner = inner.this
    if isinstance(node, exp.Subquery):
        check_parts(node, frozenset({"this", "alias", "with_", "joins"}))
    if isinstance(inner, exp.Table):
        return _joined_group(compiler, node, scope)
    relation = query(compiler, inner, parent)
    alias, names = _alias(node)
    columns = renamed(relation.columns, names, alias or "a subquery")
    source = _add(scope, alias or compiler.fresh("query"), columns)
    listed = ", ".join(quote(c.emitted) for c in columns)
    return f"{word}({relation.sql}) AS {quote(source.emitted)}({listed})"


def _joined_group(compiler: Compiler, node: Any, scope: Scope) -> str:
    """Translate FROM (a JOIN b ON ...)."""
    if node.args.get("alias") is not None:
        refuse(describe(node), "a joined group has no alias in Athena", "write a subquery")
    inner = node.this
    text = _item(compiler, inner, scope)
    for join in inner.args.get("joins") or []:
        text += _join(compiler, join, scope)
    return f"({text})"


def _values(compiler: Compiler, node: exp.Values, scope: Scope) -> str:
    from datalake_kit.engines.dialect.queries import renamed, values_text

    check_parts(node, frozenset({"expressions", "alias"}))
    sql, types = values_text(compiler, node, Scope(scope.parent))
    alias, names = _alias(node)
    columns = renamed(tuple(Column(None, f"_col{i}", t) for i, t in enumerate(types)), names, alias or "VALUES")
    source = _add(scope, alias or compiler.fresh("values"), columns)
    listed = ", ".join(quote(c.emitted) for c in columns)
    return f"({sql}) AS {quote(source.emitted)}({listed})"


# ---------------------------------------------------------------- JOIN


def _join(compiler: Compiler, join: exp.Join, scope: Scope) -> str:
    check_parts(join, frozenset({"this", "side", "kind", "on", "using", "method"}))
    if join.args.get("method"):
        refuse(describe(join), "NATURAL and ASOF joins are not the same on both engines", "write ON or USING")
    side, kind = str(join.args.get("side") or ""), str(join.args.get("kind") or "")
    if kind not in ("", "INNER", "OUTER", "CROSS") or side not in ("", "LEFT", "RIGHT", "FULL"):
        refuse(describe(join), "Athena has no such join", "write EXISTS (...) or IN (...)")
    before = len(scope.sources)
    item = _item(compiler, join.this, scope)
    on, using = join.args.get("on"), join.args.get("using")
    if kind == "CROSS" or (not side and on is None and not using):
        return f" CROSS JOIN {item}"
    word = f"{side} JOIN" if side else "JOIN"
    if using:
        return f" {word} {item} USING ({_using(scope, [str(u.name) for u in using], before, side)})"
    if on is None:
        raise SqlError(f"{describe(join)}: this join needs ON or USING")
    return f" {word} {item} ON {truth(compiler.expr(on, scope), describe(on))}"


def _using(scope: Scope, names: list[str], before: int, side: str) -> str:
    texts = []
    for name in names:
        key = name.lower()
        left = Scope(None, scope.sources[:before], dict(scope.merged)).find(key)
        right = Scope(None, scope.sources[before:]).find(key)
        if left is None or right is None:
            raise scope.not_found(name)
        type_ = common(left.type, right.type)
        if type_ is None:
            refuse(
                f"USING ({name})", f"Athena does not compare {left.type} with {right.type}", "CAST one in a subquery"
            )
        if type_.name in ("double", "real"):
            refuse(f"USING ({name})", "NaN would be compared otherwise", "write ON a.x = b.x")
        scope.merged[key] = Expr(quote(key), type_, name=name)
        texts.append(quote(key))
    return ", ".join(texts)


# ---------------------------------------------------------------- UNNEST


def _unnest(compiler: Compiler, node: exp.Unnest, scope: Scope) -> str:
    check_parts(node, frozenset({"expressions", "alias", "offset"}))
    values = compiler.exprs(node.expressions, scope)
    columns: list[Column] = []
    inner: list[str] = []
    outer: list[str] = []
    lengths: list[str] = []
    for value in values:
        if value.type.name == "array" and value.type.args[0].name == "row":
            part = f"dk_u{len(inner)}"
            inner.append(f"unnest({value.sql}) AS {part}")
            for i, type_ in enumerate(value.type.args[0].args, start=1):
                name = value.type.args[0].fields[i - 1]
                columns.append(Column(name, f"_col{len(columns)}", type_))
                outer.append(f"struct_extract_at({part}, {i})")
            lengths.append(f"len({value.sql})")
        elif value.type.name in ("array", "map"):
            for sql, type_ in _pieces(value):
                part = f"dk_u{len(inner)}"
                inner.append(f"unnest({sql}) AS {part}")
                columns.append(Column(None, f"_col{len(columns)}", type_))
                outer.append(part)
                lengths.append(f"len({sql})")
        else:
            refuse(describe(node), f"UNNEST takes arrays and maps, not {value.type}", "give an array or a map")
    alias, names = _alias(node)
    offset = node.args.get("offset")
    if offset:
        part = f"dk_u{len(inner)}"
        inner.append(f"unnest(range(1, greatest({', '.join(lengths)}, 0) + 1)) AS {part}")
        outer.append(part)
        columns.append(Column(None, f"_col{len(columns)}", BIGINT))
        if isinstance(offset, exp.Identifier) and (names or alias):
            names = [*names, str(offset.name)]
    return _unnest_text(compiler, scope, alias, names, columns, inner, outer)


def _pieces(value: Expr) -> list[tuple[str, Any]]:
    if value.type.name == "array":
        return [(value.sql, value.type.args[0])]
    return [(f"map_keys({value.sql})", value.type.args[0]), (f"map_values({value.sql})", value.type.args[1])]


def _unnest_text(
    compiler: Compiler,
    scope: Scope,
    alias: str,
    names: list[str],
    columns: list[Column],
    inner: list[str],
    outer: list[str],
) -> str:
    from datalake_kit.engines.dialect.queries import renamed

    found = renamed(tuple(columns), names, alias or "UNNEST")
    source = _add(scope, alias or compiler.fresh("unnest"), found)
    listed = ", ".join(quote(c.emitted) for c in found)
    sql = f"SELECT {', '.join(outer)} FROM (SELECT {', '.join(inner)})"
    return f"LATERAL ({sql}) AS {quote(source.emitted)}({listed})"
