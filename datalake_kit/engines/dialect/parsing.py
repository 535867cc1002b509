"""Parsing Athena's SQL with sqlglot: functions stay as they were written, placeholders become marked names."""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser

from datalake_kit.engines.dialect.lexing import placeholders, tokens, without_last_semicolon
from datalake_kit.errors import SqlError, UnsupportedSqlError

# A placeholder is handed to the parser as a name that begins with this private character, so that it can stand
# wherever a value can, whatever its name (`:end`), and positions stay as they are.
MARK = "\ue000"
CATALOG = "awsdatacatalog"
# sqlglot knows a few hundred functions and rewrites them while parsing; here each keeps its name, and only those
# with a grammar of their own are parsed specially.
_OWN_GRAMMAR = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "SUBSTRING", "LISTAGG")


class _AthenaParser(TrinoParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: parse for name, parse in TrinoParser.FUNCTION_PARSERS.items() if name in _OWN_GRAMMAR
    }
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        name: parse for name, parse in TrinoParser.NO_PAREN_FUNCTION_PARSERS.items() if name in ("CASE", "IF")
    }


class _Athena(Trino):
    Parser = _AthenaParser
    INDEX_OFFSET = 0  # subscripts stay as they are written


ATHENA = _Athena()


@functools.lru_cache(maxsize=256)
def parse(text: str) -> exp.Expr:
    """Return the tree of the one statement in `text`; it is shared, so it must not be changed.

    Raises
    ------
    SqlError
        The text cannot be parsed; says where.
    """
    if MARK in text:
        raise SqlError(f"the character {MARK!r} cannot stand in a statement")
    marked = _marked(text)
    try:
        found = [tree for tree in ATHENA.parse("".join(marked)) if tree is not None]
    except SqlglotError as error:
        raise SqlError(_explain(error)) from None
    except RecursionError:
        raise SqlError("the statement is nested too deeply to be parsed") from None
    if len(found) != 1:
        raise SqlError("there is no statement, or more than one")
    return found[0]


def _marked(text: str) -> list[str]:
    """Return what is given to the parser, a piece a character of the text."""
    marked = list(without_last_semicolon(text))
    for placeholder in placeholders(text):
        marked[placeholder.start] = MARK
    _plain_decimals(text, marked)
    _split_exponents(text, marked)
    return marked


def position(text: str, parsed: int) -> int:
    """Return where in the text that stands which the parser saw at `parsed`."""
    ends = list(accumulate(map(len, _marked(text))))
    return bisect_right(ends, parsed)


def _split_exponents(text: str, marked: list[str]) -> None:
    """Put a blank between 1e0 and a sign that touches it; the parser would read 1e0+2 as one number."""
    for number, sign in pairwise(tokens(text)):
        if number.kind == "number" and "e" in number.text.lower() and sign.text in ("+", "-"):
            marked[sign.start] = f" {sign.text}"


def _plain_decimals(text: str, marked: list[str]) -> None:
    """Write DECIMAL '1.20' as 1.20, which is the same in Trino; the parser would lose its number of digits."""
    found = tokens(text)
    for word, value in pairwise(found):
        if word.word == "DECIMAL" and value.kind == "string":
            number = value.text[1:-1].strip()
            if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", number):
                raise SqlError(f"{value.text} is no decimal")
            number = number if "." in number else number + "."
            marked[word.start : value.end] = [f"({number})", *[""] * (value.end - word.start - 1)]


def _explain(error: SqlglotError) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return f"the statement cannot be read as Athena SQL: {error}"
    first = details[0]
    near = str(first.get("highlight") or "").replace(MARK, ":")
    return (
        f"the statement cannot be read as Athena SQL: {str(first.get('description')).rstrip('.').replace(MARK, ':')} "
        f"(line {first.get('line')}, column {first.get('col')}, near {near!r})"
    )


def tables_named(text: str) -> tuple[tuple[str | None, str], ...]:
    """Return (database, table) of each table that a statement reads, once, in the order of the text.

    Names are folded to lower case, as the Glue catalog does. Names of WITH, UNNEST and table functions are left out.
    The database is None where the statement gives none. SHOW and DESCRIBE read no table.

    Raises
    ------
    SqlError
        The text cannot be parsed.
    UnsupportedSqlError
        A table of another catalog than awsdatacatalog.

    >>> tables_named("WITH a AS (SELECT * FROM Taxi.table_1) SELECT * FROM a, zones")
    (('taxi', 'table_1'), (None, 'zones'))
    """
    first = tokens(text)
    if first and first[0].word in ("SHOW", "DESCRIBE", "DESC"):
        return ()
    if first and first[0].word == "EXPLAIN":
        text = explained(text)
    found: dict[tuple[str | None, str], None] = {}
    _collect(parse(text), frozenset(), found)
    return tuple(found)


def explained(text: str) -> str:
    """Return the statement that a plain EXPLAIN explains."""
    found = tokens(text)
    index = 1
    if len(found) > 1 and found[1].text == "(" and found[2].word in ("TYPE", "FORMAT"):
        index = next((i for i, token in enumerate(found) if token.text == ")"), 0) + 1
    return text[found[index].start :] if index < len(found) else ""


def table_name(table: exp.Table) -> tuple[str | None, str]:
    """Return (database, table) of a table node, folded to lower case.

    Raises
    ------
    UnsupportedSqlError
        A table of another catalog, or a name of more than three parts.
    """
    catalog = table.catalog.lower()
    if (catalog and catalog != CATALOG) or not isinstance(table.this, exp.Identifier):
        raise UnsupportedSqlError(
            f"the table {table.sql('trino')} is not in the catalog awsdatacatalog: name it database.table"
        )
    return (table.db.lower() or None), table.name.lower()


def _collect(node: exp.Expr, ctes: frozenset[str], found: dict[tuple[str | None, str], None]) -> None:
    clause = node.args.get("with_")
    if clause is not None:
        for cte in clause.expressions:
            own = {cte.alias.lower()} if clause.args.get("recursive") else set()
            _collect(cte.this, ctes | own, found)
            ctes = ctes | {cte.alias.lower()}
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        database, table = table_name(node)
        if database is not None or table not in ctes:
            found.setdefault((database, table))
    for key, value in node.args.items():
        if key == "with_":
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, exp.Expr):
                _collect(child, ctes, found)
