"""Columns of a frame in the few types that every format has, with headings that every tool takes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

TEXT = pa.large_string()
_UTC = pa.timestamp("us", "UTC")
_CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\ufffe\uffff]"  # no XML file can hold them, and CSV readers stop at them


@dataclass
class Exported:
    """One column on its way out: its heading, its values, and what had to be written otherwise."""

    column: str
    heading: str
    values: Any  # pa.ChunkedArray
    sheet: str = ""
    changed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The type in words."""
        kind = self.values.type
        if pt.is_timestamp(kind):
            return "instant (UTC)" if kind.tz else "date and time"
        names = {"large_string": "text", "double": "number", "bool": "yes or no", "date32[day]": "date"}
        return names.get(str(kind), "number" if pt.is_integer(kind) or pt.is_floating(kind) else str(kind))

    def note(self, cells: int, what: str) -> None:
        """Count cells that were changed."""
        if cells:
            self.changed += cells
            self.notes.append(f"{cells}: {what}")


def replace_where(mask: Any, new: Any, old: Any) -> tuple[Any, int]:
    """The new value where the mask is true, and in how many places that is."""
    count = pc.sum(mask).as_py() or 0
    return (pc.if_else(pc.fill_null(mask, False), new, old), int(count)) if count else (old, 0)


def plain_columns(frame: pd.DataFrame) -> list[Exported]:
    """Each column of a frame, and before them the levels of its index that have names, in plain types."""
    levels = [(name, pd.Series(frame.index.get_level_values(n))) for n, name in enumerate(frame.index.names)]
    kept = [(name, level) for name, level in levels if name is not None]
    columns = [*kept, *((name, frame.iloc[:, n]) for n, name in enumerate(frame.columns))]
    headings = _headings([_label(name) for name, _ in columns])
    return [_plain(_label(name), h, values) for (name, values), h in zip(columns, headings, strict=True)]


def _label(name: Any) -> str:
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _headings(labels: Iterable[str]) -> list[str]:
    """Headings in one line, none empty, no two alike in whatever letters."""
    taken: set[str] = set()
    made = []
    for number, label in enumerate(labels, 1):
        clean = _whole(re.sub(f"{_CONTROL}|\\s+", " ", label)).strip() or f"column_{number}"
        heading, turn = clean, 2
        while heading.casefold() in taken:
            heading, turn = f"{clean}_{turn}", turn + 1
        taken.add(heading.casefold())
        made.append(heading)
    return made


def _plain(label: str, heading: str, column: pd.Series[Any]) -> Exported:
    exported = Exported(label, heading, None)
    values = _arrow(column, exported)
    if pt.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    exported.values = values = _typed(values, exported)
    if pt.is_large_string(values.type):
        bad = pc.match_substring_regex(values, _CONTROL)
        clean = pc.replace_substring_regex(values, _CONTROL, "\ufffd")
        exported.values, count = replace_where(bad, clean, values)
        exported.note(count, "characters that no file of this kind can hold")
    return exported


def _arrow(column: pd.Series[Any], exported: Exported) -> pa.ChunkedArray:
    """As Arrow has it; a column of several kinds of values as text."""
    try:
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            return _chunked(pa.array(column.dt.tz_convert(None), from_pandas=True)).cast(_UTC, safe=False)
        return _chunked(pa.array(column, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, UnicodeEncodeError):
        texts = [_text(v) for v in column]
        clean = [v if v is None else _whole(v) for v in texts]
        exported.note(sum(a != b for a, b in zip(texts, clean, strict=True)), "halves of characters")
        mixed = sum(not isinstance(v, str) and t is not None for v, t in zip(column, texts, strict=True))
        exported.note(mixed, "values of several kinds, as text")
        return pa.chunked_array([pa.array(clean, TEXT)])


def _chunked(values: Any) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if value is None or pd.isna(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _typed(values: pa.ChunkedArray, exported: Exported) -> pa.ChunkedArray:
    kind = values.type
    if pt.is_null(kind) or pt.is_string(kind) or pt.is_string_view(kind):
        return values.cast(TEXT)
    if pt.is_timestamp(kind):
        return _instants(values)
    if pt.is_duration(kind):
        if not exported.heading.endswith("seconds"):
            exported.heading += "_seconds"
        microseconds = values.cast(pa.duration("us"), safe=False).cast(pa.int64())
        return pc.divide(microseconds.cast(pa.float64()), 1e6)
    usual = (pt.is_large_string, pt.is_boolean, pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_date)
    if any(check(kind) for check in usual):
        return (
            values.cast(pa.float64())
            if pt.is_float16(kind)
            else values.cast(pa.date32())
            if pt.is_date(kind)
            else values
        )
    exported.note(len(values) - values.null_count, "nested values, as JSON text")
    return pa.chunked_array([pa.array([_text(v) for v in values.to_pylist()], TEXT)])


def _instants(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Instants in UTC; dates where a column without zone holds midnights alone."""
    if values.type.tz:
        return values.cast(_UTC, safe=False)
    exact = values.cast(pa.timestamp("us"), safe=False)
    days = exact.cast(pa.date32(), safe=False)
    return days if days.cast(exact.type).equals(exact) else exact
