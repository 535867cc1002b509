"""What Athena refuses although Trino takes it: said before a statement is sent, with the place and a way out.

Each rule names the page of Athena's user guide (docs.aws.amazon.com/athena/latest/ug/) that it stands on. A rule that
depends on what the text does not tell (is the table an Iceberg table?) gives a warning, never a refusal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from datalake_kit.engines.dialect.athena_statements import statement_rule
from datalake_kit.engines.dialect.compiler import describe
from datalake_kit.engines.dialect.known_types import (
    HIDDEN,
    PLAIN,
    ZONED,
    Columns,
    Known,
    Names,
    columns_of,
    plain_type,
    type_of,
    walk,
)
from datalake_kit.engines.dialect.lexing import tokens
from datalake_kit.engines.dialect.parsing import parse
from datalake_kit.engines.dialect.places import line_and_column, start_of, starts_of_cast
from datalake_kit.engines.dialect.written import Written, written_query
from datalake_kit.errors import SqlError, UnsupportedSqlError

LONGEST = 262_144  # bytes of a statement in UTF-8 (service-limits.html)
MOST_WRITERS = 100  # partitions and buckets that one statement writes (ctas-considerations-limitations.html)
_FORMATS = ("PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE")  # create-table-as.html, unload.html
_WRITES = ("UNLOAD", "CREATE TABLE")
_UNWRITTEN = {
    ZONED: "use date_format(value, '%Y-%m-%d %H:%i:%s.%f'), or to_unixtime(value)",
    "time with time zone": "use date_format, or seconds as a number",
    "time": "use date_format, or seconds as a number",
    "json": "use json_format(value)",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Athena would refuse, and where.

    Attributes
    ----------
    construct, reason, instead
        What is written, why Athena does not take it, what to write.
    line, column
        Where it begins, both counted from 1.
    page
        The page of Athena's user guide that says so.
    certain
        False: a warning, for it depends on what the text does not tell.
    """

    construct: str
    reason: str
    instead: str
    line: int
    column: int
    page: str
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.construct} at line {self.line}, column {self.column}: {self.reason}; {self.instead}"


def athena_refusals(
    text: str,
    *,
    columns: Columns | None = None,
    result: Sequence[tuple[str, str]] | None = None,
    warnings: bool = False,
) -> list[Refusal]:
    """Return what Athena refuses in a statement although Trino takes it.

    Parameters
    ----------
    text
        One statement as it would be sent; `:name` and `?` may stand in it.
    columns
        Maps "database.table" (or "table") to its columns and their types, in Hive's or Trino's words, for as many
        tables as are known. What depends on a type that is not known is not judged.
    result
        Names and types of the columns that the query within UNLOAD or CREATE TABLE AS gives, where an engine told them.
    warnings
        Give also what may be refused, `certain` False.

    Returns
    -------
    list of Refusal
        In the order of the text. Empty for a text that is no statement at all: that is said elsewhere.

    Examples
    --------
    >>> print(*athena_refusals("SELECT CAST(now() AS timestamp) AS t"))  # doctest: +ELLIPSIS
    CAST(NOW() AS TIMESTAMP) at line 1, column 8: Athena does not cast a timestamp with time zone to a timestamp; ...
    """
    try:
        found = tokens(text)
        inner = written_query(text)
    except SqlError:
        return []
    refused = [*_too_long(text), *_by_words(text)]
    if inner is not None:
        refused += _written(text, inner)
        refused += _query(text, inner, columns or {}, result)
    elif found and found[0].word in ("UPDATE", "DELETE", "MERGE"):
        refused += _query(text, Written("", 0, len(text)), columns or {}, None)
    ordered = sorted(dict.fromkeys(refused), key=lambda r: (r.line, r.column))
    return [r for r in ordered if r.certain or warnings]


def check_athena(text: str, sent: str) -> None:
    """Raise UnsupportedSqlError for what Athena refuses in a statement; `sent` is the text with its values written in.

    >>> check_athena("SELECT :a AS a", "SELECT 1 AS a")
    """
    for refusal in [*athena_refusals(text), *_too_long(sent)]:
        raise UnsupportedSqlError(f"{refusal}.")


def _too_long(text: str) -> list[Refusal]:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= LONGEST:
        return []
    reason = f"Athena takes at most {LONGEST:,} bytes"
    return [Refusal(f"a statement of {size:,} bytes", reason, "split it", 1, 1, "service-limits")]


def _by_words(text: str) -> list[Refusal]:
    found = tokens(text)
    rule = statement_rule(found)
    if rule is None:
        return []
    words = " ".join(t.text.upper() if t.kind == "word" else t.text for t in found[:3])
    place = line_and_column(text, found[0].start)
    return [Refusal(words, rule.reason, rule.instead, *place, rule.page, rule.certain)]


# ---------------------------------------------------------------- UNLOAD and CREATE TABLE AS


def _written(text: str, inner: Written) -> list[Refusal]:
    """Judge the properties of a statement that writes."""
    if inner.kind not in _WRITES:
        return []
    page = "unload" if inner.kind == "UNLOAD" else "create-table-as"
    found = []
    given = inner.properties.get("format")
    if given and given.value.upper() not in _FORMATS:
        place = line_and_column(text, given.start)
        known = ", ".join(_FORMATS)
        found.append(Refusal(f"format = {given.value!r}", "Athena writes no such format", f"use {known}", *place, page))
    buckets = inner.properties.get("bucket_count")
    if buckets and buckets.value.isdigit() and int(buckets.value) > MOST_WRITERS:
        place = line_and_column(text, buckets.start)
        reason = f"Athena writes to at most {MOST_WRITERS} partitions and buckets in one statement"
        page = "ctas-considerations-limitations"
        found.append(Refusal(f"bucket_count = {buckets.value}", reason, "take fewer buckets", *place, page))
    if inner.kind == "UNLOAD" and not (inner.target or "").startswith("s3://"):
        place = line_and_column(text, inner.start)
        found.append(Refusal("UNLOAD", "it writes to S3", "write UNLOAD (SELECT ...) TO 's3://...'", *place, page))
    return found


def _columns(text: str, inner: Written, columns: list[Known]) -> list[Refusal]:
    """Judge the columns that UNLOAD and CREATE TABLE AS would write."""
    found = []
    page = "unload" if inner.kind == "UNLOAD" else "create-table-as"
    times = Counter(c.name for c in columns if c.name)
    for number, column in enumerate(columns, start=1):
        if column == HIDDEN:
            continue
        shown = f"column {number} of {inner.kind}" + (f", {column.name!r}" if column.name else "")
        place = _place(text, inner, column.node)
        if not column.name or re.fullmatch(r"_col\d+", column.name):
            found.append(Refusal(shown, "a column that is written needs a name", "write AS name", *place, page))
        elif times[column.name] > 1:
            reason = "two columns of one name cannot be written"
            found.append(Refusal(shown, reason, "give each a name of its own", *place, page))
        kind = None if inner.is_iceberg else _unwritten(column.type)
        if kind:
            reason = f"a {kind} cannot be written to a table of Hive"
            found.append(Refusal(shown, reason, _UNWRITTEN[kind], *place, "data-types"))
    return found


def _unwritten(type_: str | None) -> str | None:
    """Return the type within a type that files of a Hive table cannot hold."""
    if type_ is None:
        return None
    if ZONED in type_:
        return ZONED
    return next((k for k in _UNWRITTEN if re.search(rf"\b{k}\b", type_)), None)


# ---------------------------------------------------------------- the query within


def _query(text: str, inner: Written, tables: Columns, result: Sequence[tuple[str, str]] | None) -> list[Refusal]:
    body = text[inner.start : inner.end]
    names = Names({k.lower(): v for k, v in tables.items()})
    try:
        tree = parse(body)
    except (SqlError, UnsupportedSqlError):
        return []
    seen: Counter[Any] = Counter()
    found = []
    for node in (part for part, meant in walk(tree, names) if _is_refused(part, meant)):
        found.append(_cast(text, inner, node, seen[node]))
        seen[node] += 1
    if inner.kind in _WRITES:
        columns = columns_of(tree, names)
        if result is not None:
            nodes = [c.node for c in columns] if len(columns) == len(result) else [None] * len(result)
            known = zip(result, nodes, strict=True)
            columns = [Known(n.lower() or None, plain_type(t), node) for (n, t), node in known]
        found += _columns(text, inner, columns)
    return found


def _is_refused(node: Any, names: Names) -> bool:
    is_cast = isinstance(node, (exp.Cast, exp.TryCast)) and plain_type(node.to.sql("trino")) == PLAIN
    return is_cast and type_of(node.this, names) == ZONED


def _cast(text: str, inner: Written, node: Any, number: int) -> Refusal:
    starts = starts_of_cast(text[inner.start : inner.end], node)
    at = inner.start + (starts[min(number, len(starts) - 1)] if starts else 0)
    # engine-versions-reference-0003.html: "Casting from TimestampTZ to Timestamp is not supported"
    return Refusal(
        describe(node),
        "Athena does not cast a timestamp with time zone to a timestamp",
        "use date_format(value, '%Y-%m-%d %H:%i:%s.%f'), date_trunc or to_unixtime, CAST it AS DATE, or read a text "
        "with date_parse",
        *line_and_column(text, at),
        "engine-versions-reference-0003",
    )


def _place(text: str, inner: Written, node: Any) -> tuple[int, int]:
    body = text[inner.start : inner.end]
    at = start_of(body, node) if node is not None else None
    return line_and_column(text, inner.start + (at or 0))
