"""Keys and half-open ranges of keys.

A key is a tuple, one value a key column: an int where both sides hold whole numbers, else the canonical text. Texts
compare by their UTF-8 bytes, on every engine and here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from datalake_kit.cdc.digest.families import Family, SqlType, plain_value_of

Bound = tuple[int | str, ...]


@dataclass(frozen=True)
class Key:
    """One key column of one side."""

    name: str
    type: SqlType
    family: Family
    is_number: bool

    def value(self, raw: Any) -> int | str:
        """Read a key as an engine returned it."""
        if isinstance(raw, (bytes, bytearray, memoryview)):
            raw = bytes(raw).decode()
        return int(raw) if self.is_number else str(raw)

    def shown(self, value: int | str) -> Any:
        """The value that a key stands for, as Python has it."""
        return value if isinstance(value, int) else plain_value_of(self.family, value)


@dataclass(frozen=True)
class Range:
    """Keys from `low` on and below `high`; None is without end."""

    low: Bound | None
    high: Bound | None

    def __str__(self) -> str:
        ends = ["" if b is None else ", ".join(str(v) for v in b) for b in (self.low, self.high)]
        return f"{ends[0] or 'the first'} up to {'below ' + ends[1] if ends[1] else 'the last'}"


def order(bound: Bound) -> tuple[int | bytes, ...]:
    """A bound in the order that the engines have."""
    return tuple(v.encode() if isinstance(v, str) else v for v in bound)


def cut_range(range_: Range, bounds: Sequence[Bound]) -> list[Range]:
    """Cut a range at bounds inside it; bounds at its ends or twice do not count.

    >>> [str(r) for r in cut_range(Range((3,), None), [(9,), (3,), (5,), (9,)])]
    ['3 up to below 5', '5 up to below 9', '9 up to the last']
    """
    inner = sorted({b for b in bounds if b != range_.low}, key=order)
    ends = [range_.low, *inner, range_.high]
    return [Range(low, high) for low, high in pairwise(ends)]


def spans(ranges: Sequence[Range], most: int) -> list[tuple[Bound | None, Bound | None]]:
    """Join ranges that touch, in order; where more than `most` remain, neighbours are joined over their gaps.

    >>> spans([Range((1,), (2,)), Range((2,), (3,)), Range((7,), None)], 4)
    [((1,), (3,)), ((7,), None)]
    """
    found: list[tuple[Bound | None, Bound | None]] = []
    for range_ in ranges:
        if found and found[-1][1] is not None and found[-1][1] == range_.low:
            found[-1] = (found[-1][0], range_.high)
        else:
            found.append((range_.low, range_.high))
    if len(found) <= most:
        return found
    size = -(-len(found) // most)
    groups = [found[i : i + size] for i in range(0, len(found), size)]
    return [(group[0][0], group[-1][1]) for group in groups]
