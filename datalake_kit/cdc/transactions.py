"""Files with the changes of all tables in transaction order (CdcPath with PreserveTransactions).

Each record is `operation,table_name,schema_name,value,...`; such files are CSV without a header, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from datalake_kit.cdc.csv_rows import records
from datalake_kit.cdc.settings import OPERATION_WORDS, DmsSettings
from datalake_kit.errors import DataError

SchemaTable = tuple[str, str]
_HELD = 8 << 20  # bytes kept before they are written


def count_tables(text: Path, settings: DmsSettings, where: str) -> dict[SchemaTable, int]:
    """Return how many changes of each schema and table a transaction file holds.

    Raises
    ------
    DataError
        A record that does not begin with an operation, a table and a schema; the line is named.
    """
    found: dict[SchemaTable, int] = {}
    for table, _ in _changes(text, settings, where):
        found[table] = found.get(table, 0) + 1
    return found


def split_tables(
    text: Path, settings: DmsSettings, where: str, target: Callable[[SchemaTable], Path]
) -> dict[SchemaTable, Path]:
    """Write the changes of each table into a file of its own, `operation,value,...`, and return these files."""
    held: dict[SchemaTable, list[bytes]] = {}
    size = 0
    files: dict[SchemaTable, Path] = {}
    for table, change in _changes(text, settings, where):
        if table not in files:
            files[table] = target(table)
            files[table].write_bytes(b"")
        held.setdefault(table, []).append(change)
        size += len(change)
        if size > _HELD:
            _write(held, files)
            size = 0
    _write(held, files)
    return files


def _write(held: dict[SchemaTable, list[bytes]], files: dict[SchemaTable, Path]) -> None:
    for table, changes in held.items():
        with files[table].open("ab") as handle:
            handle.writelines(changes)
    held.clear()


def _changes(text: Path, settings: DmsSettings, where: str) -> Iterator[tuple[SchemaTable, bytes]]:
    begin = _begin(settings.csv_delimiter)
    delimiter = settings.csv_delimiter.encode()
    end = settings.csv_row_delimiter.encode()
    names: dict[tuple[bytes, ...], SchemaTable] = {}
    for number, record in records(text, settings):
        if not record.strip():
            continue
        match = begin.match(record)
        if match is None or match["operation"].upper() not in _OPERATIONS:
            raise DataError(
                f"Line {number} of {where} does not begin with an operation (I, U, D), a table and a schema, as "
                "changes in transaction order do. Restore the file, or move it out of the folder of changes."
            )
        raw = (match["table"], match["schema"])
        table = names.get(raw)
        if table is None:
            table = names[raw] = (_name(raw[1], number, where), _name(raw[0], number, where))
        rest = record[match.end() :]
        yield table, match["operation"] + delimiter + (rest if rest.endswith(end) else rest + end)


_OPERATIONS = {w.encode() for w in OPERATION_WORDS}


@lru_cache(maxsize=16)
def _begin(delimiter: str) -> re.Pattern[bytes]:
    end = re.escape(delimiter)
    plain = f"(?:(?!{end}).)*?"
    name = rf'"(?:[^"]|"")*"|{plain}'
    pattern = rf'"?(?P<operation>\w+)"?{end}(?P<table>{name}){end}(?P<schema>{name}){end}'
    return re.compile(pattern.encode(), re.DOTALL)


def _name(raw: bytes, number: int, where: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise DataError(f"Line {number} of {where} has a name that is not UTF-8: {raw!r}. Restore the file.") from None
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quoted else text
