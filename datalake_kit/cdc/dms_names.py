"""What the names of DMS's files and folders say. Pure text.

A file is known by its own name, whatever folders DMS was told to make:

- `LOAD00000001.parquet`, with `SEGMENT2_` before it in a parallel load: a part of the full load; the number is
  hexadecimal;
- `20260301-101207737.parquet`: changes, with the time (UTC) at which the file was begun;
- `CDC_TXN-20260301101207737.csv`: changes of all tables, in the order of their transactions;
- a folder `awsdms_...`: one of DMS's own control tables.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

FULL_LOAD, CHANGE, OTHER, CONTROL = "full load", "change", "other", "control"
SUFFIXES = (".parquet", ".csv")
Folders = tuple[str, ...]

_COMPRESSED = re.compile(r"\.(gz|gzip)$", re.IGNORECASE)
_LOAD = re.compile(
    r"(?:SEGMENT(?P<segment>\d+)_)?LOAD(?P<number>[0-9A-F]{8}|(?=[A-F]*\d)[0-9A-F]{3,16})", re.IGNORECASE
)
_CHANGE = re.compile(r"(?P<day>\d{8})-(?P<time>\d{6})(?P<fraction>\d{0,6})")
_TRANSACTION = re.compile(r"CDC_TXN-(?P<day>\d{8})-?(?P<time>\d{6})(?P<fraction>\d{0,6})", re.IGNORECASE)
# DatePartitionSequence: YYYYMMDD, YYYYMMDDHH, YYYYMM, MMYYYYDD, DDMMYYYY, with / or - or _ or nothing.
_YEAR, _MONTH, _DAY, _HOUR = (
    r"(?:19|20|21)\d\d",
    r"(?:0?[1-9]|1[0-2])",
    r"(?:0?[1-9]|[12]\d|3[01])",
    r"(?:[01]?\d|2[0-3])",
)
_SEQUENCES = (
    (_YEAR, _MONTH),
    (_YEAR, _MONTH, _DAY),
    (_YEAR, _MONTH, _DAY, _HOUR),
    (_MONTH, _YEAR, _DAY),
    (_DAY, _MONTH, _YEAR),
)
_DATES = [re.compile(mark.join(parts)) for parts in _SEQUENCES for mark in ("/", "-", "_")]
_DATES += [re.compile("".join(p.replace("0?", "0").replace("[01]?", "[01]") for p in parts)) for parts in _SEQUENCES]


def file_format(name: str) -> str:
    """Return "parquet", "csv" or "" (another one) by the end of a file's name, compressed or not.

    >>> file_format("LOAD00000001.csv.gz")
    'csv'
    """
    bare = _COMPRESSED.sub("", name).lower()
    return next((s[1:] for s in SUFFIXES if bare.endswith(s)), "")


def stem(name: str) -> str:
    """Return a file's name without .parquet or .csv, and without .gz."""
    bare = _COMPRESSED.sub("", name)
    return bare.rpartition(".")[0] or bare


def load_number(name: str) -> tuple[int, int] | None:
    """Return segment and number of a file of the full load, None for another one.

    >>> load_number("LOAD0000000A.parquet"), load_number("SEGMENT2_LOAD00000001.csv"), load_number("LOADED.csv")
    ((0, 10), (2, 1), None)
    """
    match = _LOAD.fullmatch(stem(name))
    return (int(match["segment"] or 0), int(match["number"], 16)) if match else None


def change_time(name: str) -> datetime | None:
    """Return the time (UTC) in the name of a change file, None for another one.

    >>> change_time("20260301-101207737.parquet").isoformat()
    '2026-03-01T10:12:07.737000+00:00'
    """
    match = _CHANGE.fullmatch(stem(name)) or _TRANSACTION.fullmatch(stem(name))
    if not match:
        return None
    try:
        return datetime.strptime(
            match["day"] + match["time"] + match["fraction"].ljust(6, "0"), "%Y%m%d%H%M%S%f"
        ).replace(tzinfo=UTC)
    except ValueError:
        return None  # digits that are no time: not one of DMS's names


def in_transaction_order(name: str, cdc_path: str | None = None) -> bool:
    """Whether a file, named relative to the staging folder, holds changes of all tables in transaction order.

    >>> in_transaction_order("changes/20260301-101207737.csv", "changes")
    True
    """
    if file_format(name) != "csv":
        return False
    folder, _, own = name.rpartition("/")
    below = bool(cdc_path) and f"{folder}/".startswith(f"{str(cdc_path).strip('/')}/")
    return bool(_TRANSACTION.fullmatch(stem(own))) or (below and change_time(own) is not None)


def kind_of(name: str) -> str:
    """Return "full load", "change" or "other" by a file's own name."""
    if not file_format(name):
        return OTHER
    if load_number(name) is not None:
        return FULL_LOAD
    return CHANGE if change_time(name) is not None else OTHER


def is_control(table: str) -> bool:
    """Whether a folder is one of DMS's control tables, not one of the source."""
    return table.casefold().startswith("awsdms_")


def table_folders(loads: Collection[Folders], changes: Collection[Folders]) -> set[Folders]:
    """Return the folders that are tables, given those that hold files of full loads and those that hold changes.

    A parallel full load writes into folders below the table's: those are told by the table's own files above them.

    >>> sorted(table_folders({("s", "t", "part_1"), ("s", "u")}, {("s", "t", "2026", "03", "01")}))
    [('s', 't'), ('s', 'u')]
    """
    with_loads = set(loads)
    found = with_loads | {table_folder(c, with_loads) for c in changes}
    return {f for f in found if not any(f[:end] in found for end in range(1, len(f)))}


def table_folder(folders: Folders, tables: Collection[Folders]) -> Folders:
    """Return the folders down to the table's, of the folders above a file.

    The nearest folder of `tables` counts; without one, the folders of a date are taken away.

    >>> table_folder(("sales", "orders", "2026", "03", "01"), set())
    ('sales', 'orders')
    """
    for end in range(len(folders), 0, -1):
        if folders[:end] in tables:
            return folders[:end]
    for count in (4, 3, 2, 1):
        if count <= len(folders) and any(d.fullmatch("/".join(folders[-count:])) for d in _DATES):
            return folders[:-count]
    return folders
