"""Names of folders and files of the three layouts.

    days      <table>/date=2025-06-18/points.parquet     with _manifest.json; the unit of truth
    months    <table>/month=2025-06/points.parquet
    points    <table>/point_id=turin/2025.parquet        the id is not inside the file

Tables of months and of points hold nothing but Parquet files, because awswrangler takes every object below a folder for
one, whatever its name; what is known of the table stands in the files' own metadata.
"""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import unquote

from datalake_kit.errors import DataError
from datalake_kit.storage import Place, S3Path

__all__ = [
    "DATA",
    "DAYS",
    "MONTHS",
    "POINTS",
    "day_folder",
    "find_files",
    "layout_of",
    "month_file",
    "point_file",
    "quote_value",
    "unquote_value",
]

DATA = "points.parquet"
DAYS, MONTHS, POINTS = "date", "month", "point_id"  # a layout is called by its partition column

_ESCAPED = frozenset([*map(chr, range(32)), *"\"#%'*/:=?\\{[]^\x7f"])  # as Hive's FileUtils.escapePathName
_VALUES = {DAYS: r"\d{4}-\d\d-\d\d", MONTHS: r"\d{4}-\d\d", POINTS: r".+"}


def quote_value(value: str) -> str:
    """Return a value as Hive writes it into the name of a folder.

    >>> quote_value("roof 3/south")
    'roof 3%2Fsouth'
    """
    if not value:
        raise DataError("A point without a name has no folder: give it an id.")
    return "".join(f"%{ord(c):02X}" if c in _ESCAPED else c for c in value)


def unquote_value(text: str) -> str:
    """Return the value that the name of a folder states.

    >>> unquote_value("roof 3%2Fsouth")
    'roof 3/south'
    """
    return unquote(text)


def day_folder(table: Place, day: date) -> Place:
    """Return the folder of a day."""
    return table / f"{DAYS}={day:%Y-%m-%d}"


def month_file(table: Place, month: str) -> Place:
    """Return the file of a month such as 2025-06."""
    return table / f"{MONTHS}={month}" / DATA


def point_file(table: Place, point: str, year: int) -> Place:
    """Return the file of a point and a year."""
    return table / f"{POINTS}={quote_value(point)}" / f"{year:04d}.parquet"


def layout_of(table: Place) -> str | None:
    """Tell how a table of points lies: DAYS, MONTHS or POINTS by its folders; None when it lies otherwise."""
    try:
        names = [p.name for p in table.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return None
    kinds = {_kind(name) for name in names if name[0] not in "._" and "=" in name}
    return kinds.pop() if len(kinds) == 1 else None


def find_files(table: Place, layout: str) -> dict[str, list[Place]]:
    """Return the files of each partition of a layout by its value as written; sorted, empty folders left out."""
    found: dict[str, list[Place]] = {}
    pattern = r"\d{4}\.parquet" if layout == POINTS else r"points\.parquet|_manifest\.json"
    for folder, file in _files(table, layout):
        if re.fullmatch(pattern, file.name):
            found.setdefault(folder.partition("=")[2], []).append(file)
    return {value: sorted(found[value]) for value in sorted(found)}


def _files(table: Place, layout: str) -> list[tuple[str, Place]]:
    if isinstance(table, S3Path):
        return [(f.parent.name, f) for f in table.walk() if f.parent.parent == table and _kind(f.parent.name) == layout]
    try:
        folders = [f for f in table.iterdir() if _kind(f.name) == layout]
    except FileNotFoundError:
        return []
    return [(folder.name, file) for folder in folders for file in folder.iterdir()]


def _kind(folder: str) -> str | None:
    kind, _, value = folder.partition("=")
    return kind if kind in _VALUES and re.fullmatch(_VALUES[kind], value) else None
