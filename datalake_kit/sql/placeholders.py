"""`:name` placeholders of a statement, and names of tables and columns as text."""

from __future__ import annotations

import re
from collections.abc import Callable

from datalake_kit.engines.dialect.lexing import placeholders
from datalake_kit.errors import ParameterError


def placeholder_names(text: str) -> tuple[str, ...]:
    """Return the names of the `:name` placeholders of a statement, in order of first use.

    >>> placeholder_names("SELECT ':no', a /* :no */ FROM t WHERE b = :yes -- :no")
    ('yes',)
    """
    return tuple(dict.fromkeys(p.name for p in placeholders(text)))


def replace_placeholders(text: str, replacement: Callable[[str], str]) -> str:
    """Return the statement with each placeholder replaced by what `replacement(name)` returns."""
    parts, end = [], 0
    for found in placeholders(text):
        parts += [text[end : found.start], replacement(found.name)]
        end = found.end
    return "".join([*parts, text[end:]])


def quote_identifier(name: str) -> str:
    """Quote one identifier, doubling the quotes inside; a NUL character or nothing at all is refused."""
    if not name or "\0" in name:
        raise ParameterError(f"Not a name of a table or column: {name!r}.")
    return '"' + name.replace('"', '""') + '"'


def split_name(name: str) -> tuple[str, ...]:
    """Split `database.table` at its dots; a part in double quotes may hold any character.

    >>> split_name('taxi."odd.name"')
    ('taxi', 'odd.name')
    """
    if not isinstance(name, str):
        raise ParameterError(f"A table is named by text such as 'taxi.table_1', not by {name!r}.")
    parts = re.findall(r'"((?:[^"]|"")*)"(?:\.|$)|([^."]+)(?:\.|$)', name)
    names = tuple((quoted.replace('""', '"') or plain) for quoted, plain in parts)
    if not names or ".".join(_as_written(q, p) for q, p in parts) != name:
        raise ParameterError(f"Not a name such as database.table: {name!r}. Put odd parts in double quotes.")
    return names


def _as_written(quoted: str, plain: str) -> str:
    return plain if plain else f'"{quoted}"'
