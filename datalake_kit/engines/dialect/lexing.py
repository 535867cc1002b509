"""Trino's lexical rules: what is a string, a quoted name, a comment, a word, a placeholder.

Everything that decides on the raw text (is it one statement, does it read, where are the `:name` placeholders) stands
on this one scanner, because Athena is given the raw text: a comment or a string must end here exactly where it ends
there.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from datalake_kit.errors import SqlError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--[^\r\n]*|/\*.*?\*/)
  | (?P<string>(?:[uU]&|[xX])?'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_]))
  | (?P<word>[^\W\d]\w*)
  | (?P<cast>::)
  | (?P<placeholder>:[^\W\d]\w*)
  | (?P<symbol>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING = {"'": "string", '"': "quoted name", "`": "quoted name"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a statement: its kind, its text, where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The keyword in capitals, or '' when this is no word."""
        return self.text.upper() if self.kind == "word" else ""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `:name` of a statement; `text[start:end]` is the colon and the name.

    >>> placeholders("SELECT :a, ':b' -- :c")
    (Placeholder(name='a', start=7, end=9),)
    """

    name: str
    start: int
    end: int


@functools.lru_cache(maxsize=256)
def tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of `text` without blanks and comments.

    Raises
    ------
    SqlError
        A string, a quoted name or a comment is not closed.
    """
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "symbol":
            _check_closed(text, match)
        if kind not in ("space", "comment"):
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return tuple(found)


def _check_closed(text: str, match: re.Match[str]) -> None:
    opened = _OPENING.get(match.group())
    if text.startswith("/*", match.start()):
        opened = "comment"
    if opened:
        raise SqlError(f"a {opened} that begins at {place(text, match.start())} is not closed")


def place(text: str, position: int) -> str:
    """Return 'line L, column C' of a position, both counted from 1."""
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


@functools.lru_cache(maxsize=256)
def placeholders(text: str) -> tuple[Placeholder, ...]:
    """Return the `:name` placeholders of a statement in the order of the text.

    A colon inside a string, a comment or a quoted name, `::`, and a colon that touches what stands before it
    (`a:b`, `[1:n]`) begin no placeholder.

    Raises
    ------
    SqlError
        A string, a quoted name or a comment is not closed.
    """
    found = []
    before: Token | None = None
    for token in tokens(text):
        if token.kind == "placeholder" and not _touches(before, token):
            found.append(Placeholder(token.text[1:], token.start, token.end))
        before = token
    return tuple(found)


def _touches(before: Token | None, token: Token) -> bool:
    if before is None or before.end != token.start:
        return False
    return before.kind not in ("symbol", "cast") or before.text in (")", "]")


def without_last_semicolon(text: str) -> str:
    """Return the text up to a semicolon that ends it; comments after it go too.

    >>> without_last_semicolon("SELECT 1;  -- done")
    'SELECT 1'
    """
    found = tokens(text)
    end = len(text)
    for token in reversed(found):
        if token.text != ";":
            break
        end = token.start
    return text[:end]
