"""How many bytes a statement must read, where that is known before it starts.

The rule refuses no query that would be cheap. Bytes count as known only for one SELECT from one table that reads the
table, or some of its partitions, whole: no LIMIT, no join, no subquery, no TABLESAMPLE, and a WHERE that compares
partition columns with literals and nothing else. Of text files (CSV, JSON) every byte is then read. Of Parquet the
columns that stand in the statement are read: their sizes are in the files' footers, of which the largest files' are
looked at; the others count as nothing. Everything else (Hudi, Iceberg, ORC, views, filters on other columns) is not
known, and the statement is run and watched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.base import PARQUET, TableInfo, TableName
from datalake_kit.errors import DatalakeKitError

if TYPE_CHECKING:
    from datalake_kit.engines.athena.catalog import GlueCatalog

MOST_FOOTERS = 32
_TEXT = ("textinputformat", "jsoninputformat", "opencsv")
_SUMS = frozenset({"sum", "avg", "min", "max"})
_HARMLESS = {"expressions", "from_", "where", "group", "order", "having", "distinct", "kind", "hint"}


@dataclass(frozen=True)
class KnownScan:
    """Bytes that a statement reads at least, and of how much of which table."""

    at_least: int
    table: TableName
    partitions: int | None

    def __str__(self) -> str:
        part = "whole" if self.partitions is None else f"in {self.partitions} partitions"
        return f"{self.table} {part}"


def known_scan(text: str, catalog: GlueCatalog, database: str | None) -> KnownScan | None:
    """Return what a statement must read, or None where it is not known.

    Parameters
    ----------
    text
        The statement with its values written in.
    catalog
        The catalog, which is asked only when the statement's shape fits.
    database
        The database of a table that is named without one.
    """
    shape = _shape(text)
    if shape is None:
        return None
    name = TableName(*(part.lower() for part in (shape.database or database or "", shape.table)))
    try:
        info = catalog.find(name)
        keys = {c.name: c.type for c in info.columns if c.is_partition}
        if shape.condition is not None and not keys:
            return None
        chosen = _chosen(shape.condition, keys)
        return None if chosen is None else _measured(shape, catalog, info, chosen)
    except DatalakeKitError:
        return None  # the statement itself will say what is wrong


# --- the shape of a statement


@dataclass(frozen=True)
class _Shape:
    database: str | None
    table: str
    condition: Any
    whole: bool  # SELECT *
    mentioned: frozenset[str]
    plain: frozenset[str]  # read for certain: shown as they are, summed, or grouped by; empty when in doubt


def _shape(text: str) -> _Shape | None:
    from sqlglot import exp

    from datalake_kit.engines.dialect.parsing import parse

    try:
        tree = parse(text)
    except DatalakeKitError:
        return None
    if not isinstance(tree, exp.Select):
        return None
    used = {key for key, value in tree.args.items() if value}
    source = tree.args["from_"].this if "from_" in used else None
    if not used <= _HARMLESS or not isinstance(source, exp.Table) or source.args.get("sample"):
        return None
    if any(node is not tree for node in tree.find_all(exp.Query)) or source.args.get("joins"):
        return None
    if source.catalog and source.catalog.lower() != "awsdatacatalog":
        return None
    condition = tree.args["where"].this if "where" in used else None
    whole = any(isinstance(e, exp.Star) for e in tree.expressions)
    mentioned = frozenset(c.name.lower() for c in tree.find_all(exp.Column))
    return _Shape(source.db or None, source.name, condition, whole, mentioned, _plain_columns(tree))


def _plain_columns(tree: Any) -> frozenset[str]:
    from sqlglot import exp

    names = set()
    groups = tree.args["group"].expressions if tree.args.get("group") else []
    for entry in [*tree.expressions, *groups]:
        inner = entry.this if isinstance(entry, exp.Alias) else entry
        called = inner.name.lower() if isinstance(inner, exp.Anonymous) else ""
        if called in _SUMS and len(inner.expressions) == 1:
            inner = inner.expressions[0]
        if isinstance(inner, exp.Column) and not inner.args.get("db"):
            names.add(inner.name.lower())
        elif called != "count" or not isinstance(inner.expressions[0], exp.Star):
            return frozenset()
    return frozenset(names)


# --- conditions on partitions

_Test = Callable[[Mapping[str, str | None]], bool]


def _chosen(condition: Any, keys: Mapping[str, str]) -> _Test | None:
    """Return a test of a partition's values, or None where the condition is more than one on partitions."""
    from sqlglot import exp

    if condition is None:
        return lambda values: True
    if isinstance(condition, exp.Paren):
        return _chosen(condition.this, keys)
    if isinstance(condition, (exp.And, exp.Or)):
        left, right = _chosen(condition.left, keys), _chosen(condition.right, keys)
        if left is None or right is None:
            return None
        both = isinstance(condition, exp.And)
        return lambda v: (left(v) and right(v)) if both else (left(v) or right(v))
    column = condition.this if isinstance(condition.this, exp.Column) else None
    if column is None or column.name.lower() not in keys:
        return None
    return _comparison(condition, column.name.lower(), keys[column.name.lower()])


def _comparison(condition: Any, key: str, kind: str) -> _Test | None:
    from sqlglot import exp

    if isinstance(condition, exp.In):
        given: list[Any] = list(condition.expressions)
    elif isinstance(condition, exp.Between):
        given = [condition.args["low"], condition.args["high"]]
    else:
        given = [condition.expression]
    values = [_literal(g, kind) for g in given]
    if not values or None in values:
        return None
    first, last = values[0], values[-1]
    tests: dict[type, Callable[[Any], bool]] = {
        exp.EQ: lambda v: v == first,
        exp.NEQ: lambda v: v != first,
        exp.GT: lambda v: v > first,
        exp.GTE: lambda v: v >= first,
        exp.LT: lambda v: v < first,
        exp.LTE: lambda v: v <= first,
        exp.In: lambda v: v in values,
        exp.Between: lambda v: first <= v <= last,
    }
    test = tests.get(type(condition))
    if test is None or (isinstance(condition, exp.In) and condition.args.get("query")):
        return None

    def holds(partition: Mapping[str, str | None]) -> bool:
        value = _value(partition.get(key), kind)
        return value is not None and test(value)

    return holds


def _literal(node: Any, kind: str) -> Any:
    from sqlglot import exp

    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal):
        node = node.this
    negative = isinstance(node, exp.Neg)
    inner = node.this if negative else node
    if not isinstance(inner, exp.Literal):
        return None
    return _value(("-" if negative else "") + str(inner.this), kind)


def _value(text: str | None, kind: str) -> Any:
    """A partition's value as its type compares it; None where it is NULL or not of a type that is compared here."""
    if text is None:
        return None
    try:
        if kind in ("tinyint", "smallint", "int", "integer", "bigint"):
            return int(text)
        if kind == "date":
            return dt.date.fromisoformat(text)
    except ValueError:
        return None
    return text if kind == "string" or kind.startswith("varchar") else None


# --- bytes


def _measured(shape: _Shape, catalog: GlueCatalog, info: TableInfo, chosen: _Test) -> KnownScan | None:
    keys = {c.name for c in info.columns if c.is_partition}
    text = _is_text(catalog, info)
    if not text and info.format != PARQUET:
        return None
    own = {c.name for c in info.columns} - keys
    columns = own if shape.whole else (shape.mentioned if text else shape.plain) & own
    if not columns and (keys or not text):  # partitions may be told from the catalog, counts from footers
        return None
    partitions = [p for p in catalog.partitions(info.name) if chosen(p.values)] if keys else []
    files = _files(catalog, info, [p.location for p in partitions] if keys else None)
    read = sum(f.stat().st_size for f in files) if text else _parquet_bytes(files, columns)
    return KnownScan(read, info.name, len(partitions) if keys and shape.condition is not None else None)


def _is_text(catalog: GlueCatalog, info: TableInfo) -> bool:
    table = catalog._glue_table(info.name)
    reader = str(table.get("StorageDescriptor", {}).get("InputFormat", "")).lower()
    return info.format not in ("hudi", "iceberg", PARQUET) and any(kind in reader for kind in _TEXT)


def _files(catalog: GlueCatalog, info: TableInfo, locations: list[str] | None) -> list[Any]:
    if locations is None:
        return list(catalog.files(info.name))
    from datalake_kit.storage import for_each, list_files, place

    found = for_each(lambda location: list(list_files(location)), [place(at) for at in locations])
    return [file for files in found for file in files]


def _parquet_bytes(files: Iterable[Any], columns: frozenset[str] | set[str]) -> int:
    """Bytes of columns in the largest files, which are a part of what is read."""
    from datalake_kit.storage import for_each, read_footer

    largest = sorted(files, key=lambda f: -f.stat().st_size)[:MOST_FOOTERS]
    return sum(for_each(lambda file: _column_bytes(read_footer(file), columns), largest))


def _column_bytes(footer: Any, columns: frozenset[str] | set[str]) -> int:
    read = 0
    for group in range(footer.num_row_groups):
        row_group = footer.row_group(group)
        for index in range(row_group.num_columns):
            chunk = row_group.column(index)
            if chunk.path_in_schema.split(".")[0].lower() in columns:
                read += chunk.total_compressed_size
    return read
