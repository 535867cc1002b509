"""What every engine's dialect of the digest has in common: rows, digests, buckets of keys, sums and fetches as SQL.

A statement reads one relation. Its inner query gives each row's key and digest, fenced so that the digest is computed
once; its outer query sorts keys into buckets by a tree of comparisons (nine for 512 bounds) and adds up.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from datalake_kit.cdc.digest.families import Family, SqlType
from datalake_kit.cdc.digest.ranges import Key, Range, spans

SEPARATOR = "|"
NULL_BUCKET = -1  # rows with a key that is NULL
MOST_SPANS = 24
_SIMPLE = re.compile(r"[ -~]*")


@dataclass(frozen=True)
class Field:
    """One column as one side holds it, and the family that both sides write it by."""

    name: str
    type: SqlType
    family: Family


class DigestDialect(ABC):
    """The digest in the SQL of one engine. The methods return SQL text; `x` is SQL of a column."""

    name = ""
    fence = ""

    # --- what the engines write differently

    @abstractmethod
    def sql_type(self, written: str) -> SqlType:
        """Read a type as the engine writes it."""

    @abstractmethod
    def plain(self, x: str, type_: SqlType, family: Family) -> str:
        """The canonical text of a value that is not NULL."""

    @abstractmethod
    def high(self, h: str) -> str:
        """The first 60 bits of a digest, as `summed` gives it, as a number."""

    @abstractmethod
    def low(self, h: str) -> str:
        """The last 60 bits of a digest, as `summed` gives it, as a number."""

    @abstractmethod
    def odd_text(self, text: str) -> str:
        """A literal of a text that is not plain ASCII."""

    def truth(self, x: str, family: Family) -> str:
        """The canonical text of a truth value."""
        yes, no = ("'1'", "'0'") if family.name == "int" else ("'true'", "'false'")
        return f"CASE WHEN {x} THEN {yes} ELSE {no} END"

    def bits(self, x: str, is_nan: str, digits: str) -> str:
        """The canonical text of a float out of the `digits` of its bits: one zero, one NaN."""
        return f"CASE WHEN {x}=0 THEN '{'0' * 16}' WHEN {is_nan} THEN '7ff8{'0' * 12}' ELSE {digits} END"

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return '"' + name.replace('"', '""') + '"'

    def concat(self, parts: Sequence[str]) -> str:
        """Join texts; NULL if any is."""
        return " || ".join(parts)

    def length(self, text: str) -> str:
        """The number of bytes of a text in UTF-8, as text."""
        return f"CAST(strlen({text}) AS VARCHAR)"

    def md5(self, text: str) -> str:
        """The digest of a row's text as 32 hexadecimal digits."""
        return f"md5({text})"

    def summed(self, digest: str) -> str:
        """A digest in the form from which its halves are taken."""
        return digest

    def total(self, number: str) -> str:
        """An exact sum."""
        return f"sum({number})"

    def binary_order(self, text: str) -> str:
        """A text that compares by its bytes."""
        return text

    def number(self, value: int) -> str:
        """A literal of a whole number."""
        return str(value)

    def is_null(self, x: str, type_: SqlType) -> str:  # MySQL looks at the type
        """Whether a value counts as NULL."""
        return f"{x} IS NULL"

    def divide(self, number: str, by: int) -> str:
        """Whole division."""
        return f"{number} / {by}"

    # --- rows

    def text(self, value: str) -> str:
        """A literal of a text."""
        if _SIMPLE.fullmatch(value) and "'" not in value and "\\" not in value:
            return f"'{value}'"
        return self.odd_text(value)

    def field(self, field: Field) -> str:
        """A column's part of the row's text: '~' for NULL, '<bytes>:<text>' for text, else the canonical text."""
        x = self.quote(field.name)
        text = self.plain(x, field.type, field.family)
        if field.family.is_text:
            text = self.concat([self.length(text), "':'", text])
        if text.startswith("CASE ") and text.endswith(" END"):  # one CASE less to send
            return f"CASE WHEN {self.is_null(x, field.type)} THEN '~' {text.removeprefix('CASE ')}"
        return f"CASE WHEN {self.is_null(x, field.type)} THEN '~' ELSE {text} END"

    def row_text(self, fields: Sequence[Field]) -> str:
        """The text that stands for a row."""
        parts = [self.field(f) for f in fields]
        return self.concat([p for part in parts for p in (f"'{SEPARATOR}'", part)][1:])

    def digest(self, fields: Sequence[Field]) -> str:
        """The digest of a row: 32 hexadecimal digits; NULL if a value could not be written."""
        return self.md5(self.row_text(fields))

    # --- keys

    def key(self, key: Key) -> str:
        """A key column in the form that ranges compare: a number as it is, anything else by the bytes of its text."""
        x = self.quote(key.name)
        return x if key.is_number else self.binary_order(self.plain(x, key.type, key.family))

    def bound(self, key: Key, value: int | str) -> str:
        """A literal of a key's value."""
        return self.number(value) if isinstance(value, int) else self.text(value)

    def below(self, keys: Sequence[Key], names: Sequence[str], bound: tuple[int | str, ...]) -> str:
        """Whether a key lies below a bound, column after column."""
        first = self.bound(keys[0], bound[0])
        if len(bound) == 1:
            return f"{names[0]}<{first}"
        rest = self.below(keys[1:], names[1:], bound[1:])
        return f"({names[0]}<{first} OR ({names[0]}={first} AND {rest}))"

    def within(self, keys: Sequence[Key], ranges: Sequence[Range]) -> str:
        """A condition that all rows of the ranges meet, and others in the gaps if the ranges are many."""
        names = [self.key(k) for k in keys]
        parts = []
        for low, high in spans(ranges, MOST_SPANS):
            bounds = []
            if low is not None:
                lead = f"{names[0]}>={self.bound(keys[0], low[0])}"  # an index on the first column serves this one
                bounds += [lead] if len(low) == 1 else [lead, f"NOT {self.below(keys, names, low)}"]
            if high is not None:
                lead = f"{names[0]}<={self.bound(keys[0], high[0])}"
                bounds += [self.below(keys, names, high)] + ([] if len(high) == 1 else [lead])
            parts.append(" AND ".join(bounds))
        if "" in parts or not parts:
            return ""
        return "(" + ") OR (".join(parts) + ")"

    def bucket(self, keys: Sequence[Key], ranges: Sequence[Range]) -> str:
        """The position of the range that holds a key (columns k0, k1, ...); NULL outside; -1 for a NULL key."""
        names = [f"k{i}" for i, _ in enumerate(keys)]
        bounds: list[tuple[int | str, ...]] = []
        labels = ["NULL" if ranges[0].low is not None else "0"]
        for position, range_ in enumerate(ranges):
            if range_.low is not None and (not bounds or bounds[-1] != range_.low):
                bounds.append(range_.low)
                labels.append(str(position))
            elif range_.low is not None:
                labels[-1] = str(position)
            if range_.high is not None:
                bounds.append(range_.high)
                labels.append("NULL")
        tree = self._tree(keys, names, bounds, labels)
        missing = " OR ".join(f"{n} IS NULL" for n in names)
        return f"CASE WHEN {missing} THEN {NULL_BUCKET} ELSE {tree} END"

    def _tree(
        self, keys: Sequence[Key], names: Sequence[str], bounds: Sequence[tuple[int | str, ...]], labels: Sequence[str]
    ) -> str:
        if not bounds:
            return labels[0]
        middle = len(bounds) // 2
        below = self._tree(keys, names, bounds[:middle], labels[: middle + 1])
        above = self._tree(keys, names, bounds[middle + 1 :], labels[middle + 1 :])
        return f"CASE WHEN {self.below(keys, names, bounds[middle])} THEN {below} ELSE {above} END"

    # --- statements

    def rows(self, relation: str, keys: Sequence[Key], digest: str, ranges: Sequence[Range]) -> str:
        """Key columns k0, k1, ... and the digest h of the rows of the ranges; fenced."""
        columns = [f"{self.key(k)} AS k{i}" for i, k in enumerate(keys)]
        if digest:
            columns.append(f"{digest} AS h")
        where = self.within(keys, ranges)
        return f"SELECT {', '.join(columns)} FROM {relation}{' WHERE ' + where if where else ''}{self.fence}"

    def range_sums(self, relation: str, keys: Sequence[Key], fields: Sequence[Field], ranges: Sequence[Range]) -> str:
        """Bucket, rows, digested rows, and the exact sums of both halves of the digests; a row a bucket."""
        inner = self.rows(relation, keys, self.summed(self.digest(fields)), ranges)
        sums = f"{self.total(self.high('h'))}, {self.total(self.low('h'))}"
        return f"SELECT {self.bucket(keys, ranges)} AS b, count(*), count(h), {sums} FROM ({inner}) d GROUP BY 1"

    def leaf(self, relation: str, keys: Sequence[Key], fields: Sequence[Field], ranges: Sequence[Range]) -> str:
        """Keys and digests of the rows of the ranges."""
        names = ", ".join(f"k{i}" for i, _ in enumerate(keys))
        inner = self.rows(relation, keys, self.digest(fields), ranges)
        return f"SELECT {names}, h FROM ({inner}) d WHERE {self.bucket(keys, ranges)} >= 0"

    def quantiles(self, relation: str, keys: Sequence[Key], ranges: Sequence[Range], parts: int) -> str:
        """Keys that cut each range into parts of about as many rows: range and key, one row a cut."""
        names = ", ".join(f"k{i}" for i, _ in enumerate(keys))
        there = " AND ".join(f"k{i} IS NOT NULL" for i, _ in enumerate(keys))
        return (
            f"SELECT b, {names} FROM (SELECT b, {names}, row_number() OVER (PARTITION BY b ORDER BY {names}) AS n, "
            f"count(*) OVER (PARTITION BY b) AS c FROM (SELECT {self.bucket(keys, ranges)} AS b, {names} "
            f"FROM ({self.rows(relation, keys, '', ranges)}) d WHERE {there}) e) f "
            f"WHERE b >= 0 AND n > 1 AND mod(n - 1, {self.divide(f'(c + {parts - 1})', parts)}) = 0"
        )

    def repeated(self, relation: str, keys: Sequence[Key], most: int) -> str:
        """Keys that several rows have, with their number of rows."""
        names = ", ".join(f"k{i}" for i, _ in enumerate(keys))
        there = " AND ".join(f"k{i} IS NOT NULL" for i, _ in enumerate(keys))
        inner = self.rows(relation, keys, "", [Range(None, None)])
        return (
            f"SELECT {names}, count(*) FROM ({inner}) d WHERE {there} GROUP BY {names} HAVING count(*) > 1 LIMIT {most}"
        )

    def chosen(
        self, relation: str, keys: Sequence[Key], fields: Sequence[Field], wanted: Sequence[tuple[int | str, ...]]
    ) -> str:
        """Key columns and fields, as canonical text, of the rows that have one of the wanted keys."""
        names = [self.key(k) for k in keys]
        columns = [f"{n} AS k{i}" for i, n in enumerate(names)] + [
            f"{self.field(f)} AS f{i}" for i, f in enumerate(fields)
        ]
        if len(keys) == 1:
            where = f"{names[0]} IN ({', '.join(self.bound(keys[0], w[0]) for w in wanted)})"
        else:
            each = (
                " AND ".join(f"{n}={self.bound(k, v)}" for n, k, v in zip(names, keys, w, strict=True)) for w in wanted
            )
            where = "(" + ") OR (".join(each) + ")"
        return f"SELECT {', '.join(columns)} FROM {relation} WHERE {where}"

    def unwritten(self, relation: str, fields: Sequence[Field]) -> str:
        """For each column the number of values that are there and could not be written."""
        counts = ", ".join(f"sum(CASE WHEN {self.field(f)} IS NULL THEN 1 ELSE 0 END)" for f in fields)
        return f"SELECT {counts} FROM {relation}"


def cut(text: str, digits: int, left: str = "left({}, -{})") -> str:
    """Cut a text with six decimal places to fewer; without any the point goes too."""
    drop = 0 if digits >= 6 else 6 - digits if digits else 7
    return left.format(text, drop) if drop else text
