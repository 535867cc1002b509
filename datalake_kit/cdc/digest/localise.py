"""Which keys of two tables differ: digests of key ranges, descending only where they differ.

Every range is cut at keys that one side holds, so uneven keys cost no more than even ones; the first range begins
before and the last ends after every key. Ranges small enough are fetched as keys and digests, and compared here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from datalake_kit.cdc.digest.dialect import NULL_BUCKET, Field
from datalake_kit.cdc.digest.ranges import Bound, Key, Range, cut_range, order
from datalake_kit.cdc.digest.side import Counted, DigestSide, Row, Traffic, both
from datalake_kit.errors import DataError

FAN_OUT = 32
LEAF_ROWS = 1000
RANGES_A_STATEMENT = 256
MOST_RANGES = 512
MOST_ROWS = 200_000


@dataclass(frozen=True)
class Layout:
    """The columns of one side: the key, and all that the digest covers, in the order both sides agreed on."""

    keys: tuple[Key, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Sums:
    """Rows of a range and the sums of their digests."""

    rows: int = 0
    digested: int = 0
    high: int = 0
    low: int = 0


@dataclass(frozen=True)
class RangeCount:
    """A range that differs, with its rows on both sides; which of its keys differ is not known."""

    range: Range
    source_rows: int
    other_rows: int


@dataclass
class Localised:
    """What was found. Keys are values, or tuples where the key has several columns.

    Attributes
    ----------
    source_rows, other_rows : int
        All rows of both sides.
    missing, extra, changed : list
        Keys that only the source has, that only the other side has, and whose rows differ.
    duplicates : dict
        Keys with several rows on a side, not the same on both, and their rows on each.
    unresolved : list of RangeCount
        Ranges that differ and were not looked into, because they are too many. Empty: every key is known.
    null_keys : tuple of int
        Rows whose key is NULL, on both sides; `null_keys_differ` tells whether they are the same.
    rows_fetched : int
        Rows of which key and digest were fetched, both sides together.
    """

    source_rows: int = 0
    other_rows: int = 0
    missing: list[Any] = field(default_factory=list)
    extra: list[Any] = field(default_factory=list)
    changed: list[Any] = field(default_factory=list)
    duplicates: dict[Any, tuple[int, int]] = field(default_factory=dict)
    unresolved: list[RangeCount] = field(default_factory=list)
    null_keys: tuple[int, int] = (0, 0)
    null_keys_differ: bool = False
    levels: int = 0
    rows_fetched: int = 0
    seconds: float = 0.0
    source_traffic: Traffic = field(default_factory=Traffic)
    other_traffic: Traffic = field(default_factory=Traffic)
    raw_keys: dict[Any, Bound] = field(default_factory=dict, repr=False)

    @property
    def traffic(self) -> Traffic:
        """Statements and bytes of both sides together."""
        return self.source_traffic + self.other_traffic

    @property
    def exact(self) -> bool:
        """Whether every key that differs is named."""
        return not self.unresolved and not self.null_keys_differ

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same rows."""
        return self.exact and not (self.missing or self.extra or self.changed or self.duplicates)


def localise(
    source: DigestSide,
    other: DigestSide,
    layouts: tuple[Layout, Layout],
    *,
    fan_out: int = FAN_OUT,
    leaf_rows: int = LEAF_ROWS,
    most_ranges: int = MOST_RANGES,
    most_rows: int = MOST_ROWS,
) -> Localised:
    """Find the keys that differ between two sides.

    Parameters
    ----------
    source, other : DigestSide
        Asked at the same time, each by one thread.
    layouts : tuple of Layout
        The columns of both, in the same order.
    fan_out : int
        Parts into which a range that differs is cut.
    leaf_rows : int
        A range with at most so many rows is fetched.
    most_ranges, most_rows : int
        With more differing ranges on a level, and more rows in them, the search ends there: they are `unresolved`.

    Raises
    ------
    DataError
        A value has no canonical text on its engine; or a side changed while it was read.
    """
    started = time.perf_counter()
    search = _Search(Counted(source), Counted(other), layouts, fan_out, leaf_rows, most_ranges, most_rows)
    search.run()
    search.found.seconds = time.perf_counter() - started
    search.found.source_traffic, search.found.other_traffic = search.source.traffic, search.other.traffic
    return search.found


@dataclass
class _Search:
    source: Counted
    other: Counted
    layouts: tuple[Layout, Layout]
    fan_out: int
    leaf_rows: int
    most_ranges: int
    most_rows: int
    found: Localised = field(default_factory=Localised)

    def run(self) -> None:
        whole = Range(None, None)
        ranges = cut_range(whole, self._cuts(self.other, 1, [whole])[whole])
        if len(ranges) < self.fan_out // 2:  # the other side has few rows or none; the source knows better
            ranges = cut_range(whole, self._cuts(self.source, 0, [whole])[whole] + [r.low for r in ranges if r.low])
        counted = self._sums(ranges)
        self.found.source_rows = sum(s.rows for s, _ in counted.values()) + self.found.null_keys[0]
        self.found.other_rows = sum(o.rows for _, o in counted.values()) + self.found.null_keys[1]
        leaves: dict[Range, tuple[Sums, Sums]] = {}
        differing = _different(counted)
        while differing:
            if len(differing) + len(leaves) > self.most_ranges:
                leaves |= differing
                if sum(max(s.rows for s in pair) for pair in leaves.values()) > self.most_rows:
                    self._give_up(leaves)
                    return
                break
            small = {r: pair for r, pair in differing.items() if max(s.rows for s in pair) <= self.leaf_rows}
            large = {r: pair for r, pair in differing.items() if r not in small}
            leaves |= small
            children, whole_ones = self._children(large)
            leaves |= whole_ones
            differing = _different(self._sums(children)) if children else {}
        heavy = {
            r: pair for r, pair in leaves.items() if max(s.rows for s in pair) > max(self.most_rows, self.leaf_rows)
        }
        self._give_up(heavy)  # one key has more rows than are ever fetched
        self._fetch({r: pair for r, pair in leaves.items() if r not in heavy})

    def _give_up(self, differing: dict[Range, tuple[Sums, Sums]]) -> None:
        ordered = sorted(differing, key=lambda r: () if r.low is None else order(r.low))
        self.found.unresolved = [RangeCount(r, differing[r][0].rows, differing[r][1].rows) for r in ordered]

    # --- sums

    def _sums(self, ranges: Sequence[Range]) -> dict[Range, tuple[Sums, Sums]]:
        """The sums of both sides of every range, both asked at the same time."""
        self.found.levels += 1
        counted: dict[Range, tuple[Sums, Sums]] = {}
        for part in _parts(ranges):
            ours, theirs = both(partial(self._sums_of, 0, part), partial(self._sums_of, 1, part))
            if self.found.levels == 1:
                nulls = ours.pop(NULL_BUCKET, Sums()), theirs.pop(NULL_BUCKET, Sums())
                self.found.null_keys = nulls[0].rows, nulls[1].rows
                self.found.null_keys_differ = nulls[0] != nulls[1]
            for position, range_ in enumerate(part):
                counted[range_] = ours.get(position, Sums()), theirs.get(position, Sums())
        return counted

    def _sums_of(self, which: int, ranges: Sequence[Range]) -> dict[int, Sums]:
        side, layout = self._side(which)
        rows = side.run(side.dialect.range_sums(side.relation, layout.keys, layout.fields, ranges))
        sums = {int(b): Sums(int(n), int(d), int(h or 0), int(lo or 0)) for b, n, d, h, lo in rows if b is not None}
        if any(s.rows != s.digested for s in sums.values()):
            raise DataError(_unwritten(side, layout, sum(s.rows - s.digested for s in sums.values())))
        return sums

    def _side(self, which: int) -> tuple[Counted, Layout]:
        return (self.source, self.other)[which], self.layouts[which]

    # --- ranges

    def _children(self, parents: dict[Range, tuple[Sums, Sums]]) -> tuple[list[Range], dict[Range, tuple[Sums, Sums]]]:
        """Cut ranges; those that no key cuts, because one key has all their rows, come back whole."""
        by_other = [r for r, (s, o) in parents.items() if 4 * o.rows >= s.rows]
        by_source = [r for r in parents if r not in set(by_other)]
        cuts = self._cuts(self.other, 1, by_other) | self._cuts(self.source, 0, by_source)
        children: list[Range] = []
        whole: dict[Range, tuple[Sums, Sums]] = {}
        for range_ in parents:
            parts = cut_range(range_, cuts[range_])
            if len(parts) == 1:
                whole[range_] = parents[range_]
            else:
                children += parts
        return children, whole

    def _cuts(self, side: Counted, which: int, ranges: Sequence[Range]) -> dict[Range, list[Bound]]:
        cuts: dict[Range, list[Bound]] = {r: [] for r in ranges}
        keys = self.layouts[which].keys
        for part in _parts(ranges):
            for position, *raw in side.run(side.dialect.quantiles(side.relation, keys, part, self.fan_out)):
                cuts[part[int(position)]].append(_bound(keys, raw))
        return cuts

    # --- leaves

    def _fetch(self, leaves: dict[Range, tuple[Sums, Sums]]) -> None:
        ordered = sorted(leaves, key=lambda r: () if r.low is None else order(r.low))
        for part in _parts(ordered):
            ours, theirs = both(partial(self._leaf, 0, part), partial(self._leaf, 1, part))
            for which, rows in enumerate((ours, theirs)):
                _same_as_before(self._side(which)[0], rows, [leaves[r][which] for r in part])
                self.found.rows_fetched += len(rows)
            self._compare(ours, theirs)

    def _leaf(self, which: int, ranges: Sequence[Range]) -> list[tuple[Bound, str]]:
        side, layout = self._side(which)
        rows = side.run(side.dialect.leaf(side.relation, layout.keys, layout.fields, ranges))
        return [(_bound(layout.keys, raw), _text(digest)) for *raw, digest in rows]

    def _compare(self, ours: Iterable[tuple[Bound, str]], theirs: Iterable[tuple[Bound, str]]) -> None:
        left, right = _by_key(ours), _by_key(theirs)
        for key in sorted(left.keys() | right.keys(), key=order):
            here, there = sorted(left.get(key, ())), sorted(right.get(key, ()))
            if here == there:
                continue
            shown = shown_key(self.layouts[0].keys, key)
            self.found.raw_keys[shown] = key
            if len(here) > 1 or len(there) > 1:
                self.found.duplicates[shown] = len(here), len(there)
            elif not there:
                self.found.missing.append(shown)
            else:
                (self.found.changed if here else self.found.extra).append(shown)


def shown_key(keys: Sequence[Key], bound: Bound) -> Any:
    """A key as a value, or as a tuple where it has several columns."""
    values = tuple(k.shown(v) for k, v in zip(keys, bound, strict=True))
    return values if len(values) > 1 else values[0]


def _different(counted: dict[Range, tuple[Sums, Sums]]) -> dict[Range, tuple[Sums, Sums]]:
    return {r: pair for r, pair in counted.items() if pair[0] != pair[1]}


def _parts(ranges: Sequence[Range]) -> Iterator[list[Range]]:
    for first in range(0, len(ranges), RANGES_A_STATEMENT):
        yield list(ranges[first : first + RANGES_A_STATEMENT])


def _bound(keys: Sequence[Key], raw: Row) -> Bound:
    return tuple(k.value(v) for k, v in zip(keys, raw, strict=True))


def _by_key(rows: Iterable[tuple[Bound, str]]) -> dict[Bound, list[str]]:
    found: dict[Bound, list[str]] = {}
    for key, digest in rows:
        found.setdefault(key, []).append(digest)
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, (bytes, bytearray)) else str(value)


def _same_as_before(side: Counted, rows: Sequence[tuple[Bound, str]], sums: Sequence[Sums]) -> None:
    """Hold the fetched rows against the sums that led to them."""
    before = (sum(s.rows for s in sums), sum(s.high for s in sums), sum(s.low for s in sums))
    now = (len(rows), sum(int(h[:15], 16) for _, h in rows), sum(int(h[17:], 16) for _, h in rows))
    if before != now:
        raise DataError(
            f"{side.label} changed while it was compared ({before[0]} rows of some ranges, then {now[0]}). "
            "Compare a copy, or compare when nothing writes."
        )


def _unwritten(side: Counted, layout: Layout, rows: int) -> str:
    counts = side.run(side.dialect.unwritten(side.relation, layout.fields))[0]
    columns = [f.name for f, n in zip(layout.fields, counts, strict=True) if n]
    told = ", ".join(columns) or "several together: a row is too long for the server"
    return (
        f"{rows} rows of {side.label} hold a value that has no canonical text (columns: {told}), so nothing can be "
        "said of them. Leave these columns out with columns=, or mend the values."
    )
