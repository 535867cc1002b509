"""The query within a statement: of UNLOAD, CREATE TABLE AS, CREATE VIEW, INSERT, PREPARE and EXPLAIN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from datalake_kit.engines.dialect.lexing import Token, tokens
from datalake_kit.engines.dialect.places import closing


@dataclass(frozen=True, slots=True)
class Property:
    """One `name = value` of WITH (...): the value as written, a text without its quotes."""

    name: str
    value: str
    start: int


@dataclass(frozen=True, slots=True)
class Written:
    """A query and the statement around it.

    `kind` is "UNLOAD", "CREATE TABLE", "CREATE VIEW", "INSERT" or "" for a query alone; `text[start:end]` is the query;
    `target` the text after TO of an UNLOAD.
    """

    kind: str
    start: int
    end: int
    properties: Mapping[str, Property] = field(default_factory=dict)
    target: str | None = None

    @property
    def is_iceberg(self) -> bool:
        """Whether CREATE TABLE AS makes an Iceberg table."""
        given = self.properties.get("table_type")
        return given is not None and given.value.lower() == "iceberg"


def written_query(text: str) -> Written | None:
    """Return the query of a statement; None where it has none, or is not closed.

    >>> text = "EXPLAIN CREATE TABLE d.t WITH (format = 'ORC') AS SELECT 1 AS a"
    >>> found = written_query(text)
    >>> found.kind, text[found.start : found.end], found.properties["format"].value
    ('CREATE TABLE', 'SELECT 1 AS a', 'ORC')
    """
    found = tokens(text)
    while found and found[-1].text == ";":
        found = found[:-1]
    at = _after_explain(found)
    words = [t.word for t in found[at : at + 3]]
    if words[:1] == ["PREPARE"] and _word(found, at + 2) == "FROM":
        at += 3
        words = [t.word for t in found[at : at + 3]]
    if not words:
        return None
    if words[0] in ("SELECT", "WITH", "VALUES") or found[at].text == "(":
        return Written("", found[at].start, found[-1].end)
    if words[0] == "UNLOAD":
        return _unload(found, at)
    if words[0] == "INSERT":
        return _insert(found, at)
    return _created(found, at) if words[0] == "CREATE" else None


def _word(found: tuple[Token, ...], at: int) -> str:
    return found[at].word if at < len(found) else ""


def _after_explain(found: tuple[Token, ...]) -> int:
    if _word(found, 0) != "EXPLAIN":
        return 0
    at = 1
    while _word(found, at) in ("ANALYZE", "VERBOSE"):
        at += 1
    if at + 1 < len(found) and found[at].text == "(" and found[at + 1].word in ("TYPE", "FORMAT"):
        at = closing(found, at) + 1
    return at


def _unload(found: tuple[Token, ...], at: int) -> Written | None:
    if at + 1 >= len(found) or found[at + 1].text != "(":
        return None
    end = closing(found, at + 1)
    if end == at + 2:
        return None
    to, target = end + 1, None
    if _word(found, to) == "TO" and to + 1 < len(found) and found[to + 1].kind == "string":
        target = found[to + 1].text[1:-1]
    inside = found[at + 2].start, found[end - 1].end
    return Written("UNLOAD", *inside, _properties(found, to + 2), target)


def _insert(found: tuple[Token, ...], at: int) -> Written | None:
    at = _after_name(found, at + 2)
    if at + 1 < len(found) and found[at].text == "(" and found[at + 1].word not in ("SELECT", "WITH", "VALUES"):
        at = closing(found, at) + 1  # the names of the columns
    return Written("INSERT", found[at].start, found[-1].end) if at < len(found) else None


def _created(found: tuple[Token, ...], at: int) -> Written | None:
    at += 3 if [t.word for t in found[at + 1 : at + 3]] == ["OR", "REPLACE"] else 1
    what = _word(found, at)
    if what not in ("TABLE", "VIEW"):
        return None
    at += 1
    if [t.word for t in found[at : at + 3]] == ["IF", "NOT", "EXISTS"]:
        at += 3
    at = _after_name(found, at)
    properties: Mapping[str, Property] = {}
    if _word(found, at) == "WITH":
        properties = _properties(found, at)
        at = closing(found, at + 1) + 1
    if _word(found, at) != "AS" or at + 1 >= len(found):
        return None
    last = len(found)
    if _word(found, last - 1) == "DATA" and last - 2 > at:  # WITH DATA, WITH NO DATA
        last -= 3 if _word(found, last - 2) == "NO" else 2
    return Written(f"CREATE {what}", found[at + 1].start, found[last - 1].end, properties)


def _after_name(found: tuple[Token, ...], at: int) -> int:
    at += 1
    while at + 1 < len(found) and found[at].text == ".":
        at += 2
    return at


def _properties(found: tuple[Token, ...], at: int) -> dict[str, Property]:
    """Read WITH (name = value, ...)."""
    if _word(found, at) != "WITH" or at + 1 >= len(found) or found[at + 1].text != "(":
        return {}
    properties: dict[str, Property] = {}
    i, end = at + 2, closing(found, at + 1)
    while i + 2 < end + 1 and found[i + 1].text == "=":
        stop = i + 2
        while stop < end and found[stop].text != ",":
            stop = (closing(found, stop) if found[stop].text in ("(", "[") else stop) + 1
        value = found[i + 2 : stop]
        shown = value[0].text[1:-1] if len(value) == 1 and value[0].kind == "string" else "".join(t.text for t in value)
        name = found[i].text.strip('"').lower()
        properties[name] = Property(name, shown, found[i].start)
        i = stop + 1
    return properties
