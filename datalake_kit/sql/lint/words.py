"""Rules that are held against the words of a statement; strings, comments and quoted names are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from datalake_kit.engines.base import WRITING
from datalake_kit.engines.dialect.lexing import Token
from datalake_kit.engines.dialect.lint import may_follow_bracket
from datalake_kit.engines.dialect.places import closing
from datalake_kit.engines.dialect.statements import is_read_only
from datalake_kit.errors import SqlError, WriteRefusedError
from datalake_kit.sql.lint.findings import Broken, Statement

_TEMPLATE = re.compile(r"(?<![\\pP])\{\{?\s*[A-Za-z_]\w*\s*\}\}?|%\([A-Za-z_]\w*\)s")
_OTHER_WORDS = {
    "TYPEOF": "look at lake.table(name).columns",
    "JSON_VALUE": "write json_extract_scalar(value, '$.name')",
    "ARG_MAX": "write max_by(value, key)",
    "ARG_MIN": "write min_by(value, key)",
}
_FORMATS = {"FORMAT_DATETIME": "date_format(value, '%Y-%m-%d')", "PARSE_DATETIME": "date_parse(text, '%Y-%m-%d')"}
_CALLED = {**_OTHER_WORDS, **_FORMATS}


def one_statement(statement: Statement) -> Iterator[Broken]:
    """A semicolon ends the file."""
    found = statement.tokens
    end = len(found)
    while end and found[end - 1].text == ";":
        end -= 1
    if end and found[end - 1].text == ",":
        yield Broken("syntax", found[end - 1].start, "a comma at the end", "leave it out")
    for token, after in pairwise(found[:end]):
        if token.text == ";" and after.text != ";":
            yield Broken("one-statement", after.start, "a second statement", "put it into a file of its own")


def reads_only(statement: Statement) -> Iterator[Broken]:
    """The one statement reads."""
    try:
        reads = is_read_only(statement.text)
    except WriteRefusedError:
        return  # two statements: said by one_statement
    except SqlError as error:
        yield Broken("syntax", 0, str(error), "write one SELECT")
        return
    first = statement.tokens[0]
    if not reads and first.word not in WRITING:
        message = f"{first.text} begins no statement of Athena"
        yield Broken("syntax", first.start, message, "begin with SELECT, WITH, VALUES or SHOW")
    elif not reads:
        message = f"{first.text.upper()} does more than read"
        yield Broken("reads-only", first.start, message, "send it by lake.sql(..., allow_write=True)")


def pasted(statement: Statement) -> Iterator[Broken]:
    """Templates, question marks, and placeholders within quotes."""
    for before, token in pairwise((None, *statement.tokens)):
        assert token is not None
        if token.kind in ("string", "quoted"):
            yield from _in_quotes(statement, token)
        elif token.text == "{" and (before is None or before.text != "{"):
            yield Broken("pasted", token.start, "{...} pastes a text into the statement", _BIND)
        elif token.text == "?":
            yield Broken("pasted", token.start, "? has no name", _BIND)
        elif token.text == "%" and _PERCENT.match(statement.text, token.start) and not _ends_value(before):
            yield Broken("pasted", token.start, "%s pastes a text into the statement", _BIND)


_PERCENT = re.compile(r"%(?:s\b|\(\w+\)s)")
_BIND = "write :name, and declare it in the header: a value, or an identifier for the name of a table or column"


def _ends_value(token: Token | None) -> bool:
    if token is None or _needs_value(token):
        return False
    return token.kind in ("number", "string", "quoted", "placeholder", "word") or token.text in (")", "]")


def _needs_value(token: Token) -> bool:
    return token.word in ("WHERE", "AND", "OR", "NOT", "SELECT", "BY", "IN", "ON", "FROM", "LIMIT", "AS", "HAVING")


def _in_quotes(statement: Statement, token: Token) -> Iterator[Broken]:
    for match in re.finditer(r"(?<!:):([^\W\d]\w*)", token.text):
        if match[1] in statement.parameters:
            message = f":{match[1]} within quotes is text, not a value"
            yield Broken("pasted", token.start + match.start(), message, "take the quotes away")
    for match in _TEMPLATE.finditer(token.text):
        message = f"{match.group()} within quotes pastes a text"
        yield Broken("pasted", token.start + match.start(), message, _BIND, "warning")


def subscript(statement: Statement) -> Iterator[Broken]:
    """`x[i]` raises where there is no i-th element; the local engine gives NULL."""
    for before, token in pairwise(statement.tokens):
        if token.text == "[" and may_follow_bracket(before) and before.word != "ARRAY":
            yield Broken("subscript", token.start, "x[i] fails where nothing is there", "write element_at(x, i)")


def values_rows(statement: Statement) -> Iterator[Broken]:
    """VALUES (1), (2)."""
    found = statement.tokens
    for i, token in enumerate(found[:-1]):
        if token.word != "VALUES" or (i and found[i - 1].text == "."):
            continue
        at = i + 1
        while at < len(found):
            if found[at].text != "(":
                yield Broken("values-rows", found[at].start, "a row of VALUES without parentheses", "write (1), (2)")
                break
            at = closing(found, at) + 1
            if at >= len(found) or found[at].text != ",":
                break
            at += 1


def other_words(statement: Statement) -> Iterator[Broken]:
    """What only one of the engines has, or has otherwise."""
    found = statement.tokens
    for i, token in enumerate(found):
        after = found[i + 1].text if i + 1 < len(found) else ""
        if token.kind == "quoted" and token.text.startswith('"$'):
            message = f"{token.text} is not known to the local engine"
            yield Broken("not-portable", token.start, message, "take it from a column of the table, or its partitions")
        elif token.word in _CALLED and after == "(":
            rule = "datetime-format" if token.word in _FORMATS else "not-portable"
            instead = _CALLED[token.word]
            instead = f"write {instead}" if token.word in _FORMATS else instead
            yield Broken(rule, token.start, f"{token.text} is not the same on both engines", instead)
        elif token.word == "QUALIFY" and i and found[i - 1].text not in ",(." and not _needs_value(found[i - 1]):
            instead = "number the rows in a subquery and filter them outside"
            yield Broken("not-portable", token.start, "Athena has no QUALIFY", instead)


WORD_RULES = (one_statement, reads_only, pasted, subscript, values_rows, other_words)
