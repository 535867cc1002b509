"""Sheets of Excel: its limits, its names, and what its cells cannot hold as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from datalake_kit.errors import DataError
from datalake_kit.jira.exporting.columns import TEXT, Exported, replace_where

MAX_ROWS, MAX_COLUMNS, MAX_CHARACTERS, MAX_SHEET_NAME = 1_048_576, 16_384, 32_767, 31
_EXACT = 10**15  # Excel keeps 15 digits
_FIRST_DAY = date(1900, 3, 1)  # before it Excel counts a day that never was
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")  # Excel would read `_x0041_` as a letter
_ROWS_A_BATCH = 10_000


def write_excel(path: Path, tables: dict[str, list[Exported]]) -> None:
    """Write each table to a sheet.

    Raises
    ------
    DataError
        More rows, columns or characters than Excel holds.
    """
    from openpyxl import Workbook

    names = sheet_names(tables)
    for name, columns in tables.items():
        _check(name, columns)
        for column in columns:
            column.sheet = names[name]
            _for_excel(column)
    book = Workbook(write_only=True)
    for name, columns in tables.items():
        sheet = book.create_sheet(names[name])
        sheet.freeze_panes = "A2"
        sheet.append([_cell(sheet, c.heading) for c in columns])
        for row in _rows(sheet, columns):
            sheet.append(row)
    book.save(path)


def sheet_names(wanted: Iterable[str]) -> dict[str, str]:
    """Names that Excel takes, no two alike.

    >>> sheet_names(["cycle times: 2026/03", "History", ""])
    {'cycle times: 2026/03': 'cycle times_ 2026_03', 'History': 'History_', '': 'Sheet'}
    """
    made: dict[str, str] = {}
    taken = {"history"}  # kept by Excel for itself
    for name in wanted:
        clean = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", str(name)).strip().strip("'")[:MAX_SHEET_NAME] or "Sheet"
        unique, turn = clean, 1
        while unique.casefold() in taken:
            tail = "_" * (turn == 1) or f"_{turn}"
            unique, turn = clean[: MAX_SHEET_NAME - len(tail)] + tail, turn + 1
        taken.add(unique.casefold())
        made[name] = unique
    return made


def _check(name: str, columns: list[Exported]) -> None:
    rows = len(columns[0].values) if columns else 0
    if rows + 1 > MAX_ROWS:
        raise DataError(
            f"Excel holds {MAX_ROWS - 1:,} rows below a heading, and {name!r} has {rows:,}. Write .parquet or .csv, or "
            "fewer rows."
        )
    if len(columns) > MAX_COLUMNS:
        raise DataError(
            f"Excel holds {MAX_COLUMNS:,} columns, and {name!r} has {len(columns):,}. Write .parquet or .csv, or fewer "
            "columns."
        )
    long = [(c.column, count) for c in columns if (count := _too_long(c.values))]
    if long:
        listed = ", ".join(f"{column} ({count} cells)" for column, count in long)
        raise DataError(
            f"Excel holds {MAX_CHARACTERS:,} characters in a cell, and {name!r} has longer texts: {listed}. Write "
            ".parquet or .csv, or leave these columns out: frame.drop(columns=[...])."
        )


def _too_long(values: pa.ChunkedArray) -> int:
    """How many texts are longer than a cell, which counts in UTF-16."""
    if not pt.is_large_string(values.type):
        return 0
    candidates = values.filter(pc.greater(pc.utf8_length(values), MAX_CHARACTERS // 2)).to_pylist()
    return sum(len(text.encode("utf-16-le")) > 2 * MAX_CHARACTERS for text in candidates)


def _for_excel(column: Exported) -> None:
    kind = column.values.type
    if pt.is_timestamp(kind) and kind.tz:
        column.heading += " (UTC)"
        column.values = column.values.cast(pa.timestamp("us"))
    elif pt.is_large_string(kind):
        bare = pc.replace_substring_regex(column.values, r"\r\n?", "\n")
        column.values, count = replace_where(pc.match_substring(column.values, "\r"), bare, column.values)
        column.note(count, "line ends as Excel has them")
    check = _AS_TEXT.get(_group(column.values.type))
    if check:
        odd = sum(1 for value in column.values.to_pylist() if value is not None and check(value))
        column.note(odd, "as text, for Excel has no such number or day")


def _group(kind: pa.DataType) -> str:
    if pt.is_integer(kind) or pt.is_decimal(kind):
        return "exact"
    if pt.is_floating(kind):
        return "float"
    return "day" if pt.is_timestamp(kind) or pt.is_date(kind) else ""


def _is_early(value: date) -> bool:
    return (value.date() if isinstance(value, datetime) else value) < _FIRST_DAY


_AS_TEXT: dict[str, Callable[[Any], bool]] = {
    "exact": lambda value: abs(value) >= _EXACT,
    "float": lambda value: not isfinite(value),
    "day": _is_early,
}


def _rows(sheet: Any, columns: list[Exported]) -> Iterator[list[Any]]:
    """Rows of cells, some thousands at a time."""
    total = len(columns[0].values) if columns else 0
    for start in range(0, total, _ROWS_A_BATCH):
        parts = [_cells(sheet, c.values.slice(start, _ROWS_A_BATCH)) for c in columns]
        yield from map(list, zip(*parts, strict=True))


def _cells(sheet: Any, values: pa.ChunkedArray) -> list[Any]:
    found: list[Any] = values.to_pylist()
    if values.type == TEXT:
        return [v if v is None else _cell(sheet, v) for v in found]
    check = _AS_TEXT.get(_group(values.type))
    if check is None:
        return found
    return [v if v is None else str(v) if check(v) else float(v) if isinstance(v, Decimal) else v for v in found]


def _cell(sheet: Any, text: str) -> Any:
    """A text as a cell of text, whatever it looks like: openpyxl makes a formula of `=` and an error of `#N/A`."""
    text = _ESCAPE.sub("_x005F_", text)
    if not text.lstrip()[:1] or text.lstrip()[0] not in "=+-@#＝＋－＠":
        return text
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    cell.quotePrefix = True  # stays text when someone edits it
    return cell
