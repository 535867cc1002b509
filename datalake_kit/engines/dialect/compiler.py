"""The walk over a statement's tree: each kind of node that Athena has goes to the function that translates it.

What no function has been registered for, and what a registered node carries beyond the parts named there, is refused: a
construct of another dialect never slips through because nobody thought of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.parsing import ATHENA
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Column, Expr, Scope
from datalake_kit.engines.dialect.types import SqlType

Emitter = Callable[["Compiler", Any, Scope], Expr]
_EMITTERS: dict[type[Any], tuple[Emitter, frozenset[str]]] = {}


@dataclass(slots=True)
class Compiler:
    """What is known while one statement is translated.

    `tables` maps (database, table) to the columns; `parameters` the names bound to their types.
    """

    tables: Mapping[tuple[str | None, str], tuple[Column, ...]]
    parameters: Mapping[str, SqlType]
    used: set[str] = field(default_factory=set)
    ctes: list[dict[str, tuple[Column, ...]]] = field(default_factory=list)
    numbers: int = 0

    def expr(self, node: exp.Expr, scope: Scope) -> Expr:
        """Translate one expression."""
        found = _EMITTERS.get(type(node))
        if found is None:
            refuse(describe(node), "Athena has no such construct, or its translation is not known", _hint(node))
        emitter, parts = found
        check_parts(node, parts)
        return emitter(self, node, scope)

    def exprs(self, nodes: list[Any], scope: Scope) -> list[Expr]:
        """Translate a list of expressions."""
        return [self.expr(node, scope) for node in nodes]

    def fresh(self, stem: str) -> str:
        """Return a name that occurs nowhere else in the translated statement."""
        self.numbers += 1
        return f"dk_{stem}_{self.numbers}"


def emits(kind: type[Any], *parts: str) -> Callable[[Emitter], Emitter]:
    """Register the function that translates nodes of a kind; `parts` are the only ones that such a node may have."""

    def register(emitter: Emitter) -> Emitter:
        _EMITTERS[kind] = (emitter, frozenset(parts))
        return emitter

    return register


def check_parts(node: exp.Expr, parts: frozenset[str]) -> None:
    """Refuse a node that has a part which is not expected."""
    for key, value in node.args.items():
        if key not in parts and value is not None and value is not False and value != []:
            refuse(
                f"{key.strip('_').replace('_', ' ').upper()} in {describe(node)}",
                "Athena has no such clause, or its translation is not known",
                _HINTS.get(key, _hint(node)),
            )


def describe(node: exp.Expr) -> str:
    """Return a node's text for a message, cut to a length that can be read."""
    text = " ".join(str(node.sql(ATHENA)).replace("\ue000", ":").split())
    return text if len(text) <= 80 else text[:77] + "..."


_HINTS: dict[str, str] = {
    "ILike": "write lower(a) LIKE lower(b)",
    "Qualify": "number the rows in a subquery and filter them outside",
    "Struct": "write CAST(ROW(...) AS ROW(name type, ...))",
    "Slice": "write slice(array, start, length) or substr(text, start, length)",
    "Concat": "write a || b",
    "Star": "name the columns",
    "Group": "name the columns of GROUP BY",
    "Distinct": "number the rows with row_number() in a subquery and filter them outside",
    "Pivot": "write sum(...) FILTER (WHERE ...) for each column",
    "sample": "filter on a column instead",
    "except_": "name the columns",
    "version": "ask for an earlier state with dk.hudi.read(lake, table, as_of=...)",
    "match": "number the rows with window functions in a subquery",
}


def _hint(node: exp.Expr) -> str:
    return _HINTS.get(type(node).__name__, "write it another way that Athena's documentation shows")
