"""Constructs that the parser takes from other dialects and that leave no trace in its tree: found in the tokens."""

from __future__ import annotations

from datalake_kit.engines.dialect.lexing import Token, place, tokens
from datalake_kit.engines.dialect.refusals import refuse

_CLAUSES = frozenset(
    ["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "WINDOW", "FETCH"]
)
_UNITS = frozenset(["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"])
_BEFORE_BRACKET = frozenset(
    [
        "SELECT",
        "BY",
        "WHEN",
        "THEN",
        "ELSE",
        "AND",
        "OR",
        "NOT",
        "IN",
        "ON",
        "WHERE",
        "HAVING",
        "RETURN",
        "LIKE",
        "BETWEEN",
        "FROM",
        "DISTINCT",
    ]
)
_FOREIGN_TYPES = frozenset(
    [
        "FLOAT",
        "STRING",
        "TEXT",
        "DATETIME",
        "INT2",
        "INT4",
        "INT8",
        "HUGEINT",
        "LONG",
        "BOOL",
        "BLOB",
        "NUMBER",
        "INT64",
        "FLOAT8",
        "FLOAT4",
        "SIGNED",
        "BPCHAR",
    ]
)


def _check_compared(text: str, before: tuple[Token, ...], token: Token, after: Token) -> None:
    words = [t.word for t in before]
    if words[-1:] == ["IS"] or words == ["IS", "NOT"]:
        refuse(
            f"IS NULL {after.text} at {place(text, token.start)}",
            "Athena compares no condition without parentheses",
            "put it in parentheses",
        )


_COMPARED = ("=", "<>", "!=", "<", "<=", ">", ">=")


def check_text(text: str) -> None:
    """Refuse what Athena cannot read although the parser can.

    Raises
    ------
    UnsupportedSqlError
        Such a construct; says where it stands.
    """
    found = tokens(text)
    cast_depths: list[bool] = []
    for i, token in enumerate(found):
        before = found[i - 1] if i else None
        after = found[i + 1] if i + 1 < len(found) else None
        if token.text == "(":
            cast_depths.append(before is not None and before.word in ("CAST", "TRY_CAST"))
        elif token.text == ")" and cast_depths:
            cast_depths.pop()
        _check(text, token, before, after, in_cast=bool(cast_depths) and cast_depths[-1])
        if token.word == "NULL" and after is not None and after.text in _COMPARED:
            _check_compared(text, found[max(i - 2, 0) : i], token, after)
        if token.word == "INTERVAL":
            _check_interval(text, found[i + 1 : i + 4], token)


def _check(text: str, token: Token, before: Token | None, after: Token | None, *, in_cast: bool) -> None:
    where = place(text, token.start)
    previous = before.text if before else ""
    if token.kind == "cast":
        refuse(f":: at {where}", "Athena has no such cast", "write CAST(value AS type)")
    if token.text.startswith("`"):
        refuse(f"{token.text} at {where}", "in a query Athena takes names in double quotes", 'write "name"')
    if token.text == "=" and previous == "=" and before is not None and before.end == token.start:
        refuse(f"== at {where}", "Athena has no such operator", "write =")
    if token.text == "[" and not may_follow_bracket(before):
        refuse(f"[ at {where}", "Athena has no such list", "write ARRAY[1, 2]")
    if token.text in ("{", "?", "@", "~", "^", "&", "|", "$", "#", "!", "\\"):
        _check_symbol(token, before, after, where)
    if previous == "," and (token.text in (")", "]") or token.word in _CLAUSES) and token.word != "WINDOW":
        refuse(f"the comma before {token.text} at {where}", "Athena takes no comma there", "leave it out")
    if previous in ("", "(") and token.word == "FROM":
        refuse(f"FROM at {where}", "in Athena a query begins with SELECT", "write SELECT * FROM ...")
    if in_cast and before is not None and before.word == "AS" and token.word in _FOREIGN_TYPES:
        refuse(
            f"the type {token.text} at {where}",
            "Athena has no such type",
            "write double, varchar, bigint, timestamp...",
        )


def may_follow_bracket(before: Token | None) -> bool:
    """Tell whether a bracket after this token is a subscript."""
    if before is None:
        return False
    if before.kind == "word":
        return before.word not in _BEFORE_BRACKET
    return before.kind in ("quoted", "placeholder") or before.text in (")", "]")


def _check_symbol(token: Token, before: Token | None, after: Token | None, where: str) -> None:
    neighbours = {before.text if before else "", after.text if after else ""}
    if token.text == "|" and "|" in neighbours:
        return
    if token.text == "!" and after is not None and after.text == "=" and after.start == token.end:
        return
    instead = {
        "{": "write CAST(ROW(...) AS ROW(name type))", "?": "write :name and bind it", "~": "write regexp_like(a, b)",
        "^": "write power(a, b)", "&": "write bitwise_and(a, b)", "|": "write bitwise_or(a, b)", "!": "write NOT",
    }.get(token.text, "write it with a function")  # fmt: skip
    refuse(f"{token.text} at {where}", "Athena has no such operator", instead)


def _check_interval(text: str, after: tuple[Token, ...], token: Token) -> None:
    rest = [t for t in after if t.text not in "+-"]
    if not rest or rest[0].kind not in ("string", "number", "placeholder"):
        return  # a column of this name
    if rest[0].kind != "string" or len(rest) < 2 or rest[1].word not in _UNITS:
        refuse(
            f"INTERVAL at {place(text, token.start)}",
            "Athena takes a constant in quotes and a unit in the singular",
            "write INTERVAL '1' DAY, or date_add('day', :n, value)",
        )
