"""Export of frames to CSV, Excel and Parquet, in the form that BI tools take. Frames in, one file out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pyarrow.types as pt

from datalake_kit.errors import DataError, did_you_mean
from datalake_kit.jira.exporting.columns import TEXT, Exported, plain_columns, replace_where
from datalake_kit.jira.exporting.excel import write_excel
from datalake_kit.jira.fields.named_frames import read_frames
from datalake_kit.storage import write_atomically

# A spreadsheet takes a text for a formula when it begins so, the wide forms of the signs too; numbers are harmless.
_FORMULA = r"^(\s*[=+\-@＝＋－＠]|[\t\r\n])"
_NUMBER = r"^[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?$"
_NOT_IN_PARQUET = " ,;{}()\n\t="  # Spark refuses these in names of columns


def export(frames: pd.DataFrame | Mapping[str, pd.DataFrame], path: str | Path) -> pd.DataFrame:
    """Write a frame to a CSV, Excel or Parquet file, or several frames to the sheets of one Excel file.

    The file is there whole or not at all. Nothing is cut: what a format cannot hold is refused, and what had to be
    written otherwise is counted in the result. Levels of the index that have a name become columns. Nested values
    become JSON text; durations seconds; instants UTC. Names of columns are made unique whatever their letters, without
    line breaks.

    CSV: UTF-8 with a mark by which Excel knows it; instants like 2026-03-01T09:00:00Z; texts in quotes, so that a
    missing value and an empty text differ; a text that a spreadsheet would take for a formula gets an apostrophe before
    it. Excel: such texts are marked as text; instants are without zone, with " (UTC)" in their heading; line ends are
    Excel's. Parquet: names without the characters that Spark refuses.

    Parameters
    ----------
    frames
        A frame, or frames by the name of their sheet (at most 31 characters; others are shortened).
    path
        Where to write: .csv, .xlsx or .parquet says the format; a file that is there is replaced.

    Returns
    -------
    DataFrame
        One row a column that was written: `sheet` (missing but for Excel), `column`, `written_as` (its heading),
        `type`, `rows`, `changed` (how many of its cells are not what they were), `note` (what changed).

    Raises
    ------
    ParameterError
        `frames` is no frame and no dict of frames.
    DataError
        Another suffix; several frames for a format of one; more than Excel holds (1,048,576 rows with the heading,
        16,384 columns, 32,767 characters a cell).

    Examples
    --------
    >>> import tempfile
    >>> issues = pd.DataFrame({"key": ["A-1"], "summary": ["=1+1"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(issues, f"{folder}/issues.csv")[["column", "changed"]].values.tolist()
    [['key', 0], ['summary', 1]]
    """
    named = read_frames(frames, "export", "data")
    kind = Path(str(path)).suffix.casefold()
    writers: dict[str, Callable[[Any, dict[str, list[Exported]]], None]] = {
        ".csv": _write_csv,
        ".xlsx": write_excel,
        ".parquet": _write_parquet,
    }
    if kind not in writers:
        raise DataError(f"export writes .csv, .xlsx and .parquet, not {str(path)!r}. {did_you_mean(kind, writers)}")
    if not named:
        raise DataError("There is no frame to export.")
    if len(named) > 1 and kind != ".xlsx":
        raise DataError(
            f"A {kind} file holds one frame, and there are {len(named)}. Write .xlsx, or one file for each."
        )
    tables = {name: plain_columns(frame) for name, frame in named.items()}
    with write_atomically(path) as temporary:
        writers[kind](temporary, tables)
    return _report(tables, with_sheets=kind == ".xlsx")


def _report(tables: dict[str, list[Exported]], *, with_sheets: bool) -> pd.DataFrame:
    rows = [
        (
            c.sheet if with_sheets else None,
            c.column,
            c.heading,
            c.kind,
            len(c.values),
            c.changed,
            "; ".join(c.notes) or None,
        )
        for columns in tables.values()
        for c in columns
    ]
    names = ["sheet", "column", "written_as", "type", "rows", "changed", "note"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({n: "int64" if n in ("rows", "changed") else "str" for n in names})


def _write_csv(path: Path, tables: dict[str, list[Exported]]) -> None:
    [columns] = tables.values()
    for column in columns:
        _for_csv(column)
    headings = pa.array([c.heading for c in columns], TEXT)
    shown = _neutral(headings)[0].to_pylist()
    with path.open("wb") as file:
        file.write("\ufeff".encode())
        if columns:
            pyarrow.csv.write_csv(pa.Table.from_arrays([c.values for c in columns], names=shown), file)


def _for_csv(column: Exported) -> None:
    kind = column.values.type
    if pt.is_timestamp(kind):
        text = pc.strftime(column.values, format="%Y-%m-%dT%H:%M:%S").cast(TEXT)
        text = pc.replace_substring_regex(text, r"\.0+$", "")
        zone = "Z" if kind.tz else ""
        column.values = pc.binary_join_element_wise(text, pa.scalar(zone, TEXT), pa.scalar("", TEXT))
    elif pt.is_date(kind) or pt.is_decimal(kind):
        column.values = column.values.cast(pa.string()).cast(TEXT)
    elif pt.is_large_string(kind):
        column.values, found = _neutral(column.values)
        column.note(found, "an apostrophe before what a spreadsheet would take for a formula")


def _neutral(texts: Any) -> tuple[Any, int]:
    """Texts with an apostrophe before those that would be formulas, and how many they are."""
    is_formula = pc.match_substring_regex(texts, _FORMULA)
    risky = pc.and_(is_formula, pc.invert(pc.match_substring_regex(texts, _NUMBER)))
    quoted = pc.binary_join_element_wise(pa.scalar("'", TEXT), texts, pa.scalar("", TEXT))
    return replace_where(risky, quoted, texts)


def _write_parquet(path: Path, tables: dict[str, list[Exported]]) -> None:
    [columns] = tables.values()
    taken: set[str] = set()
    for column in columns:
        heading = "".join("_" if c in _NOT_IN_PARQUET else c for c in column.heading)
        column.heading = next(n for n in _numbered(heading) if n.casefold() not in taken)
        taken.add(column.heading.casefold())
    table = pa.Table.from_arrays([c.values for c in columns], names=[c.heading for c in columns])
    pq.write_table(table, path, store_schema=False)


def _numbered(name: str) -> Any:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
