"""Pseudonyms: the same person and the same text get the same one, which nobody can undo without the key. Pure."""

from __future__ import annotations

import functools
import hmac
import os
import unicodedata
from typing import Any

from datalake_kit.errors import ConfigError

KEY_VARIABLE = "DATALAKE_KIT_REDACT_KEY"
MIN_KEY_BYTES = 16
_LONGEST_NAME = 300  # characters; a longer text is nobody's name
_DIGITS = 12  # of hexadecimal: among 100,000 people two meet with a probability of 2 in 100,000


def read_key(key: str | bytes | None) -> bytes:
    """The key that was given, else that of the environment.

    Raises
    ------
    ConfigError
        There is none, or it is short.
    """
    found = os.environ.get(KEY_VARIABLE) if key is None else key
    new = "A new one: python -c 'import secrets; print(secrets.token_hex(32))'. Keep it as you keep a password."
    if not found:
        raise ConfigError(f"Redaction needs a key: give key= or set {KEY_VARIABLE}. {new}")
    secret = found.encode() if isinstance(found, str) else bytes(found)
    if len(secret) < MIN_KEY_BYTES:
        raise ConfigError(
            f"The key of redaction has {len(secret)} bytes, and can be guessed; give {MIN_KEY_BYTES} or more. {new}"
        )
    return secret


@functools.lru_cache(maxsize=100_000)
def fold(value: str) -> str:
    """A name in the form in which it is compared: letters of one kind, single spaces, no capitals."""
    return " ".join(unicodedata.normalize("NFKC", value).split()).casefold()


class Pseudonyms:
    """Gives pseudonyms, HMAC-SHA-256 under a key. What it has learned of people joins their names to their accounts."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._owner: dict[str, str | None] = {}  # a name, an address or an account -> the account; None: of several
        self._made: dict[tuple[str, str], str] = {}

    def learn(self, *names: Any) -> None:
        """Note that these texts are one person: the first is the account, the others its names and addresses."""
        known = [fold(name) for name in names if isinstance(name, str) and name.strip()]
        if not known:
            return
        for name in known:
            owner = self._owner.setdefault(name, known[0])
            if owner != known[0] and name != known[0]:
                self._owner[name] = None  # two people have it, or it is one's name and another's account

    def knows(self, value: str) -> bool:
        """Whether a text is a name, an address or an account of someone."""
        return len(value) <= _LONGEST_NAME and fold(value) in self._owner

    def person(self, value: str) -> str:
        """The pseudonym of a person, from a name, an address or an account; "" stays."""
        name = fold(value)
        return self._make("person", self._owner.get(name) or name) if name else ""

    def text(self, value: str) -> str:
        """The pseudonym of a text, of a person where the text is one's name; "" stays."""
        if not value.strip():
            return ""
        return self.person(value) if self.knows(value) else self._make("text", unicodedata.normalize("NFC", value))

    def _make(self, kind: str, value: str) -> str:
        made = self._made.get((kind, value))
        if made is None:
            message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
            made = f"{kind}-{hmac.digest(self._key, message, 'sha256').hex()[:_DIGITS]}"
            self._made[kind, value] = made
        return made
