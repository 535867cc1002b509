"""Reading the JSON text of an Atlassian document, however deep it is."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'[ \t\n\r]*([{}\[\]:,]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}\[\]:,"]+)', re.DOTALL)


def parse_document(text: str) -> dict[str, Any] | None:
    """The ADF document that a text is the JSON of; None when it is not one."""
    if text.lstrip()[:1] != "{" or '"doc"' not in text:
        return None
    try:
        found = json.loads(text)
    except RecursionError:
        found = _parse_deep(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("type") == "doc" else None


def _parse_deep(text: str) -> Any:
    """The value of a JSON text of any depth; None when it is none.

    The reader of the standard library calls itself for each level and gives up at about a thousand.
    """
    reader, place = _Reader(), 0
    try:
        while match := _TOKEN.match(text, place):
            place = match.end()
            if reader.take(match.group(1)):
                return reader.value if not text[place:].strip() else None
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return None


class _Reader:
    """Puts a value together from its tokens."""

    def __init__(self) -> None:
        self.open: list[Any] = []  # objects and arrays that are not closed yet
        self.keys: list[str | None] = []  # the key under which each of them goes
        self.key: str | None = None
        self.value: Any = None

    def take(self, piece: str) -> bool:
        """Take a token; True when the value is whole."""
        if piece in ",:":
            return False
        if piece in "{[":
            self.open.append({} if piece == "{" else [])
            self.keys.append(self.key)
            self.key = None
            return False
        if piece in "}]":
            self.value, self.key = self.open.pop(), self.keys.pop()
        else:
            self.value = json.loads(piece)
            if self.open and isinstance(self.open[-1], dict) and self.key is None:
                self.key = self.value
                return False
        return self._put()

    def _put(self) -> bool:
        if not self.open:
            return True
        if isinstance(self.open[-1], dict):
            self.open[-1][self.key] = self.value
        else:
            self.open[-1].append(self.value)
        self.key = None
        return False
