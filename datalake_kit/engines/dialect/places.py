"""Where in the text of a statement a part of its tree stands."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.lexing import Token, tokens
from datalake_kit.engines.dialect.parsing import parse, position
from datalake_kit.errors import SqlError, UnsupportedSqlError


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Return the line and the column of a position, both counted from 1.

    >>> line_and_column("SELECT 1\\nFROM t", 14)
    (2, 6)
    """
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def start_of(text: str, node: Any) -> int | None:
    """Return where the first part of a node stands whose place the parser noted; None when it noted none."""
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return next(iter(starts_of_cast(text, node)), None)
    noted = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return position(text, min(noted)) if noted else None


def starts_of_cast(text: str, node: Any) -> list[int]:
    """Return where a CAST or TRY_CAST stands, each time that it is written.

    The parser notes no place of a CAST, so the calls written in the text are held against it.
    """
    found = tokens(text)
    return [
        token.start
        for i, token in enumerate(found[:-1])
        if token.word in ("CAST", "TRY_CAST") and found[i + 1].text == "("
        if _reads_as(text[token.start : found[closing(found, i + 1)].end], node)
    ]


def _reads_as(text: str, node: Any) -> bool:
    try:
        tree = parse(f"SELECT {text}")
    except (SqlError, UnsupportedSqlError):
        return False
    return isinstance(tree, exp.Select) and len(tree.expressions) == 1 and tree.expressions[0] == node


def closing(found: tuple[Token, ...], opening: int) -> int:
    """Return the index of the token that closes the parenthesis at `opening`; the last one where none does."""
    depth = 0
    for i in range(opening, len(found)):
        depth += (found[i].text in ("(", "[")) - (found[i].text in (")", "]"))
        if depth == 0:
            return i
    return len(found) - 1
