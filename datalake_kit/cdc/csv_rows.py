"""CSV as DMS writes it: records, fields, and which columns they are.

A field is NULL when it is the text of `csv_null_value` without quotes; in quotes it is that text. Every other field is
text, as it stands. Rows end with a line end outside quotes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from datalake_kit.cdc.settings import OPERATION, OPERATION_WORDS, DmsSettings, operation_column, sequence_column
from datalake_kit.errors import DataError, UnreadableFileError

SAMPLE = 200  # records by which the columns are told
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?")
_BLOCK = 1 << 20


class Field(NamedTuple):
    """One field of a record."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Layout:
    """The columns of a CSV file, and whether its first record is their names."""

    names: tuple[str, ...]
    header: bool = False


def records(path: Path, settings: DmsSettings) -> Iterator[tuple[int, bytes]]:
    """Give each record of a UTF-8 file with the number of its first line.

    Raises
    ------
    UnreadableFileError
        A quote is opened and not closed before the file ends.
    """
    held, start = b"", 1
    number = 1
    quotes = settings.csv_quotes
    for line in _lines(path, settings.csv_row_delimiter.encode()):
        held = held + line if held else line
        if not quotes or held.count(b'"') % 2 == 0:
            yield start, held
            start, held = number + 1, b""
        number += 1
    if held:
        raise UnreadableFileError(
            f"The quote opened in line {start} of {path} is not closed before the file ends. Restore the file from its "
            "source; if DMS wrote it without quotes, give DmsSettings(csv_quotes=False)."
        )


def bare(record: bytes, settings: DmsSettings, *, windows: bool = False) -> bytes:
    """Return a record without its row delimiter."""
    cut = record.removesuffix(settings.csv_row_delimiter.encode())
    return cut.removesuffix(b"\r") if windows else cut


def split(record: str, settings: DmsSettings) -> list[Field]:
    """Split a record into fields.

    >>> [f.text for f in split('I,"a ""b"", c",NULL,', DmsSettings())]
    ['I', 'a "b", c', 'NULL', '']
    """
    if not settings.csv_quotes or '"' not in record:
        return [Field(text, False) for text in record.split(settings.csv_delimiter)]
    found: list[Field] = []
    for match in _field(settings.csv_delimiter).finditer(record):
        quoted, plain, end = match.groups()
        found.append(Field(plain, False) if quoted is None else Field(quoted.replace('""', '"'), True))
        if not end:
            break
    return found


def values(fields: Sequence[Field], settings: DmsSettings) -> list[str | None]:
    """Return the texts of fields, None for NULL."""
    null = settings.csv_null_value
    return [None if not quoted and text == null else text for text, quoted in fields]


def layout(
    sample: Sequence[Sequence[Field]],
    where: str,
    settings: DmsSettings,
    *,
    known: Sequence[Sequence[str]] = (),
    changes: bool,
    sibling: Sequence[str] = (),
) -> Layout:
    """Tell the columns of a CSV file by its first records.

    Parameters
    ----------
    sample : sequence of sequence of Field
        The first records, a header too if there is one.
    where : str
        The file, for messages.
    known : sequence of sequences of str
        The table's columns in the order of the file, with or without the operation and the timestamp; several lists
        where they changed: the one that fits counts.
    changes : bool
        The file holds changes.
    sibling : sequence of str
        The header of another file of the table.

    Raises
    ------
    DataError
        No header, and no known columns or too few or too many of them.
    """
    if not sample:
        return Layout(_empty(known, settings, changes))
    first = [f.text for f in sample[0]]
    if is_header(first, settings, known, sibling):
        _check_names(first, where)
        return Layout(tuple(first), header=True)
    if not known:
        raise DataError(
            f"{where} begins with no column names, as DMS writes CSV unless told otherwise, so its "
            f"{_columns(len(first))} "
            'no names. Give DmsSettings(columns={"schema.table": [...]}), in the order of the file.'
            f"{_other_delimiter(first, settings)}"
        )
    rows = [[f.text for f in r] for r in sample]
    return Layout(_fitting(rows, where, settings, [tuple(k) for k in known], changes))


def _columns(count: int) -> str:
    return "only column has" if count == 1 else f"{count} columns have"


def _other_delimiter(first: Sequence[str], settings: DmsSettings) -> str:
    """A file of one column may well have several, between characters that were not named."""
    if len(first) != 1:
        return ""
    return f" If {settings.csv_delimiter!r} does not stand between its columns, name what does: csv_delimiter=."


def is_header(
    first: Sequence[str], settings: DmsSettings, known: Sequence[Sequence[str]] = (), sibling: Sequence[str] = ()
) -> bool:
    """Whether the first record of a file holds column names, as `settings` says or as the names themselves tell."""
    if settings.header is not None:
        return settings.header
    found = {t.casefold() for t in first}
    told = {t.casefold() for t in (settings.operation, settings.sequence, settings.timestamp) if t}
    if found & told or first[0].casefold() == OPERATION.casefold():
        return True
    if operation_column(first[1:]) or sequence_column(first):
        return True
    if any({k.casefold() for k in names} - told <= found for names in known):
        return True
    return bool(sibling) and found <= {s.casefold() for s in sibling}


def _lines(path: Path, end: bytes) -> Iterator[bytes]:
    with path.open("rb") as handle:
        if end == b"\n":
            yield from handle
            return
        held = b""
        while piece := handle.read(_BLOCK):
            *whole, held = (held + piece).split(end)
            for line in whole:
                yield line + end
        if held:
            yield held


@lru_cache(maxsize=16)
def _field(delimiter: str) -> re.Pattern[str]:
    end = re.escape(delimiter)
    plain = f"[^{end}]*" if len(delimiter) == 1 else f"(?:(?!{end}).)*"
    return re.compile(rf'(?:"((?:[^"]|"")*)"(?={end}|\Z)|({plain}))({end}|\Z)', re.DOTALL)


def _empty(known: Sequence[Sequence[str]], settings: DmsSettings, changes: bool) -> tuple[str, ...]:
    names = tuple(known[-1]) if known else ()
    needed = changes and not settings.inserts_only and operation_column(names) is None
    return (settings.operation or OPERATION, *names) if needed else names


def _check_names(names: Sequence[str], where: str) -> None:
    twice = sorted({n for n in names if names.count(n) > 1 or not n.strip()})
    if twice:
        raise DataError(f"The first line of {where} names no columns: {twice[0]!r} stands there twice or is empty.")


def _fitting(
    rows: Sequence[Sequence[str]], where: str, settings: DmsSettings, known: Sequence[tuple[str, ...]], changes: bool
) -> tuple[str, ...]:
    """Return the one list of names that fits the rows, with what DMS adds."""
    if len(known) == 1:
        return _with_added(rows, where, settings, known[0], changes)
    found = []
    for names in known:
        with contextlib.suppress(_DoesNotFitError):
            found.append(_with_added(rows, where, settings, names, changes))
    if len(found) != 1:
        counts = ", ".join(str(len(k)) for k in known)
        raise DataError(
            f"{where} has {len(rows[0])} fields in its first row, and of the lists of columns in DmsSettings.columns "
            f"(of {counts} names) {len(found) or 'none'} fit. Give one list for each number of fields."
        )
    return found[0]


class _DoesNotFitError(DataError):
    """The names of columns are more or fewer than the fields of a row."""


def _with_added(
    rows: Sequence[Sequence[str]], where: str, settings: DmsSettings, known: tuple[str, ...], changes: bool
) -> tuple[str, ...]:
    """Add the operation and the timestamp to the known columns where the file has them."""
    _check_names(known, f"DmsSettings.columns for {where}")
    count = len(rows[0])
    starts = all(r and r[0].upper() in OPERATION_WORDS for r in rows)
    own = (settings.operation or OPERATION).casefold()
    names = known
    if own not in {k.casefold() for k in known}:
        if starts and count > len(known):
            names = (settings.operation or OPERATION, *known)
        elif starts and changes and not settings.inserts_only and operation_column(known[:1]) is None:
            raise _DoesNotFitError(
                f"{where} has {count} fields a row, the first of them the operation, and DmsSettings.columns gives "
                f"{len(known)} names for the other {count - 1}: {', '.join(known)}."
            )
    elif known[0].casefold() == own and count < len(known) and not starts:
        names = known[1:]  # a full load, as DMS writes it unless told otherwise
    if count == len(names) + 1 and settings.timestamp and settings.timestamp not in names:
        names = _with_timestamp(rows, where, settings.timestamp, names, after=int(names[0].casefold() == own))
    if count != len(names):
        raise _DoesNotFitError(
            f"{where} has {count} fields in its first row, and its columns are {len(names)}: {', '.join(names)}. Give "
            "DmsSettings(columns=...) as the file has them; a timestamp column is named by DmsSettings(timestamp=...)."
        )
    return names


def _with_timestamp(
    rows: Sequence[Sequence[str]], where: str, name: str, names: tuple[str, ...], *, after: int
) -> tuple[str, ...]:
    first, last = (all(len(r) > at and _TIMESTAMP.fullmatch(r[at]) for r in rows) for at in (after, -1))
    if first and last:
        raise DataError(
            f"The first and the last column of {where} both look like the timestamp {name}. Put {name} into "
            "DmsSettings(columns=...) at its place."
        )
    if last:
        return (*names, name)
    return (*names[:after], name, *names[after:]) if first else names
