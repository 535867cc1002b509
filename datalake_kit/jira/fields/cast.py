"""Text to typed Arrow columns, only where no value is lost or changed."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

TYPES = {
    "text": pa.large_string(), "json": pa.large_string(), "number": pa.float64(), "boolean": pa.bool_(),
    "date": pa.date32(), "datetime": pa.timestamp("us", "UTC"),
}  # fmt: skip


def cast_column(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray | None:
    """Cast text to a type, or take what has it; None when a value cannot have it, or would not be the same in it.

    Numbers are JSON's, as DOUBLE; an integer of more digits than a DOUBLE holds is none. Booleans are `true` and
    `false`. An instant must have an offset: without one it is not known when it was.
    """
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), TYPES[kind])])
    if column.type == TYPES[kind] and kind in ("number", "boolean"):
        return column if kind == "boolean" or pc.all(pc.is_finite(column)).as_py() else None
    if kind == "number" and not _are_numbers(column):
        return None
    if kind == "boolean" and not set(column.unique().to_pylist()) <= {"true", "false", None}:
        return None
    try:
        return pc.cast(column, TYPES[kind])
    except pa.ArrowInvalid:
        return None


def _are_numbers(column: pa.ChunkedArray) -> bool:
    if _are_short_decimals(column):
        return True
    if pc.any(pc.match_substring_regex(column, r"[^0-9eE+.\-]")).as_py():
        return False
    if pc.any(pc.match_substring_regex(column, r"[eE]\+?\d{3}")).as_py() and not _are_finite(column):
        return False
    long = pc.filter(column, pc.match_substring_regex(column, r"^-?\d{16,}$")).to_pylist()
    return all(Decimal(repr(float(text))) == Decimal(text) for text in long if text is not None)


def _are_short_decimals(column: pa.ChunkedArray) -> bool:
    """Whether all texts are so short and plain that nothing is left to ask: of the regular expressions none matches."""
    longest = pc.max(pc.binary_length(column)).as_py()
    rest = pc.ascii_ltrim(column, "0123456789.-")
    return bool(longest < 16 and pc.max(pc.binary_length(rest)).as_py() == 0)


def _are_finite(column: pa.ChunkedArray) -> bool:
    """Whether a DOUBLE holds numbers as large as these."""
    try:
        return bool(pc.all(pc.is_finite(pc.cast(column, pa.float64()))).as_py())
    except pa.ArrowInvalid:
        return False
