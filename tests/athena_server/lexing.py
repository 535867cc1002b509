"""The words of a statement: enough to tell statements apart and to read Athena's DDL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.athena_server.errors import StatementError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<back>`(?:[^`]|``)*`)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z_]))
    |(?P<word>[A-Za-z_0-9$@][A-Za-z_0-9$@]*)
    |(?P<symbol>->|[<>!]=|<>|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A word of a statement and where it stands."""

    kind: str  # string, quoted, back, number, word, symbol
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The word in capitals; a quoted one is no keyword."""
        return self.text.upper() if self.kind in ("word", "symbol", "number") else ""

    @property
    def value(self) -> str:
        """What stands within the quotes, or the word itself."""
        if self.kind == "string":
            return self.text[1:-1].replace("''", "'")
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        if self.kind == "back":
            return self.text[1:-1].replace("``", "`")
        return self.text


def tokens(text: str) -> list[Token]:
    """Return the words of a statement, comments and space left out."""
    found = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup or "symbol", match[0], match.start(), match.end()))
    return found


class Reader:
    """Goes through the words of one statement."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.place = 0

    @property
    def next(self) -> Token | None:
        """The word that comes."""
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def peek(self, *words: str) -> bool:
        """Tell whether these words come."""
        coming = self.tokens[self.place : self.place + len(words)]
        return [t.upper for t in coming] == list(words)

    def accept(self, *words: str) -> bool:
        """Go past these words if they come."""
        if not self.peek(*words):
            return False
        self.place += len(words)
        return True

    def accept_one_of(self, *words: str) -> str | None:
        """Go past one of these words, and return it."""
        for word in words:
            if self.accept(word):
                return word
        return None

    def expect(self, *words: str) -> None:
        """Go past these words; anything else is a syntax error."""
        if not self.accept(*words):
            raise self.unexpected(" ".join(words))

    def take(self, *kinds: str) -> Token:
        """Go past a word of these kinds, and return it."""
        token = self.next
        if token is None or token.kind not in kinds:
            raise self.unexpected(" or ".join(kinds))
        self.place += 1
        return token

    def string(self) -> str:
        """Take a string."""
        return self.take("string").value

    def identifier(self) -> str:
        """Take a name, in lower case as Glue keeps it."""
        return self.take("word", "back", "quoted").value.lower()

    def name(self) -> tuple[str | None, str]:
        """Take the name of a table: database or None, table."""
        parts = [self.identifier()]
        while self.accept("."):
            parts.append(self.identifier())
        if len(parts) == 1 and "." in parts[0]:  # `database.table` in one pair of backticks
            parts = parts[0].split(".")
        return (parts[-2] if len(parts) > 1 else None), parts[-1]

    def end(self) -> None:
        """Expect the end."""
        self.accept(";")
        if self.next is not None:
            raise self.unexpected("<EOF>")

    def unexpected(self, expecting: str) -> StatementError:
        """Return the error for the word that comes."""
        token = self.next
        start = token.start if token else len(self.text)
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        shown = token.text if token else "<EOF>"
        return StatementError(
            "SYNTAX_ERROR", f"line {line}:{column}: mismatched input '{shown}'. Expecting: {expecting}"
        )
