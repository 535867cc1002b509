"""Which bytes of a chunk hold the wanted cells: worked out once for all files that are laid out alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Cells", "Layout", "Part", "Plan"]

Array = np.ndarray[Any, Any]

_GAP = 4096  # bytes between two cells that are rather read than left out, where a chunk can be read in part


class Layout(NamedTuple):
    """How the cells of a variable lie in its file.

    Attributes
    ----------
    across : int
        Columns of the whole grid.
    high, wide : int
        Rows and columns of a chunk; of the whole grid when it is not chunked.
    numbers : int
        Numbers in a chunk, with those of other times.
    size : int
        Bytes of a number.
    whole : bool
        A chunk can only be read as a whole: it went through filters.
    """

    across: int
    high: int
    wide: int
    numbers: int
    size: int
    whole: bool


class Part(NamedTuple):
    """Bytes that are read in one piece: a chunk, or some of its bytes.

    `corner` is the row and column of the chunk's first cell, `begin` and `end` say which of the sorted cells lie in it;
    `skip` and `size` are bytes of the chunk before inflating, size 0 for all of it.
    """

    corner: tuple[int, int]
    begin: int
    end: int
    skip: int
    size: int


@dataclass(frozen=True)
class Plan:
    """The parts that hold the wanted cells, and where each cell's bytes stand in its part.

    `order` are the numbers of the wanted cells in the order in which the parts give them.
    """

    layout: Layout
    order: Array
    parts: tuple[Part, ...]
    _inside: Array
    _places: dict[bool, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Array, columns: Array, layout: Layout) -> Plan:
        """Group cells by chunk, in the order of their bytes."""
        high, wide, size = layout.high, layout.wide, layout.size
        number = (rows // high) * -(-layout.across // wide) + columns // wide
        inside = (rows % high) * wide + columns % wide
        order = np.lexsort((inside, number))
        number, inside = number[order], inside[order]
        new = np.diff(number) != 0
        if not layout.whole:
            new |= np.diff(inside) * size > _GAP
        begins = np.concatenate([[0], np.flatnonzero(new) + 1]) if len(order) else np.array([], int)
        ends = np.append(begins[1:], len(order)).astype(int)
        first, last = inside[begins], inside[ends - 1] if len(order) else inside
        skips = np.zeros_like(first) if layout.whole else first * size
        sizes = np.zeros_like(first) if layout.whole else (last - first + 1) * size
        tops, lefts = rows[order][begins] // high * high, columns[order][begins] // wide * wide
        corners = zip(tops.tolist(), lefts.tolist(), strict=True)
        spans = zip(begins.tolist(), ends.tolist(), skips.tolist(), sizes.tolist(), strict=True)
        parts = tuple(Part(corner, *span) for corner, span in zip(corners, spans, strict=True))
        return cls(layout, order, parts, inside - np.repeat(skips // size, ends - begins))

    def places(self, *, shuffled: bool) -> Array:
        """Return the places of the bytes of each sorted cell in its part: (cells, bytes of a number).

        Shuffled numbers lie in planes: byte k of number i stands at k * n + i.
        """
        if shuffled not in self._places:
            size, byte = self.layout.size, np.arange(self.layout.size)
            self._places[shuffled] = (
                self._inside[:, None] + byte * self.layout.numbers if shuffled else self._inside[:, None] * size + byte
            ).astype(np.intp)
        return self._places[shuffled]


class Cells:
    """The cells (rows[i], columns[i]) that are wanted of every file; plans are kept for layouts that come again."""

    def __init__(self, rows: Array, columns: Array) -> None:
        self.rows, self.columns = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        self._plans: dict[Layout, Plan] = {}
        self._own = threading.local()

    def __len__(self) -> int:
        return len(self.rows)

    def plan(self, layout: Layout) -> Plan:
        """Return how to read the cells from files of a layout."""
        found = self._plans.get(layout)
        if found is None:
            found = self._plans[layout] = Plan.of(self.rows, self.columns, layout)
        return found

    def scratch(self, size: int) -> Array:
        """Return bytes to inflate into, of this thread's own: their content is lost with the next call."""
        buffer: Array | None = getattr(self._own, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._own.buffer = np.empty(size, np.uint8)
        return buffer[:size]
