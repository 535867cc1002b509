"""CSV files of DMS turned into Parquet, in batches: memory does not follow the rows.

Every column becomes text: CSV says nothing of types. Who compares casts a column to the type of the table that it is
compared with; a text that does not cast is a value that could not be verified. Where other files of the table are
Parquet (changes in transaction order are CSV always), theirs are the types, and a text that does not cast is an error.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from datalake_kit.cdc.csv_rows import SAMPLE, Field, Layout, bare, records, split, values
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.errors import DataError, UnreadableFileError

GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_BLOCK, _LARGEST_BLOCK = 8 << 20, 1 << 30  # a record must fit into a block
_ROWS = 20_000
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"


def plain_text(file: Path, target: Path, settings: DmsSettings, where: str) -> Path:
    """Return the file itself where it is plain UTF-8, else a copy in `target` that is: unpacked, in UTF-8, no mark.

    Raises
    ------
    UnreadableFileError
        The gzip file is cut short or damaged, or the bytes are not of the encoding.
    """
    packed = is_packed(file)
    begin = next(pieces(file, packed, where), b"")[:3]
    encoding = "utf-16" if begin[:2] in _UTF16 else settings.encoding
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        if not packed and begin != _UTF8_MARK:
            return file
        encoding = "utf-8-sig"
    _transcode(file, packed, encoding, target, where)
    return target


def is_packed(file: Path) -> bool:
    """Whether a file is gzip by its first bytes."""
    with file.open("rb") as handle:
        return handle.read(2) == GZIP_MAGIC


def pieces(file: Path, packed: bool, where: str) -> Iterator[bytes]:
    """Give the bytes of a file, unpacked when it is packed; UnreadableFileError where gzip is cut short or damaged."""
    try:
        with gzip.open(file, "rb") if packed else file.open("rb") as handle:
            while piece := handle.read(_PIECE):
                yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise UnreadableFileError(
            f"The gzip file is cut short or damaged ({problem}): {where}. Restore it from its source."
        ) from None


def sample(text: Path, settings: DmsSettings, where: str) -> list[list[Field]]:
    """Return the first records of a plain text, split into fields."""
    settings, windows = _as_written(text, settings)
    found = []
    for number, record in itertools.islice(records(text, settings), SAMPLE):
        cut = bare(record, settings, windows=windows)
        if cut:
            found.append(split(_decoded(cut, number, where), settings))
    return found


def convert(
    text: Path,
    layout: Layout,
    target: Path,
    settings: DmsSettings,
    where: str,
    types: Mapping[str, pa.DataType] | None = None,
) -> Path:
    """Write the rows of a plain text as Parquet: columns are text, or of the types that other files give them.

    Raises
    ------
    DataError
        A row with more or fewer fields than columns (the line is named), or a value of another type.
    UnreadableFileError
        Bytes that are not of the encoding, or a quote that is not closed.
    """
    folded = {name.casefold(): _wide(kind) for name, kind in (types or {}).items() if _can_be_cast(kind)}
    schema = pa.schema([(n, folded.get(n.casefold(), pa.string())) for n in layout.names])
    with pq.ParquetWriter(target, schema) as writer:
        for batch in batches(text, layout, settings, where):
            columns = [_cast(c, f, where) for c, f in zip(batch.columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return target


def _can_be_cast(kind: pa.DataType) -> bool:
    """Binary is not: how it is written in CSV is not documented."""
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _wide(kind: pa.DataType) -> pa.DataType:
    """CSV holds microseconds, also where DMS was told to write milliseconds into Parquet."""
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) and kind.unit != "ns" else kind


def _cast(column: pa.Array, to: pa.Field, where: str) -> pa.Array:
    if to.type == column.type:
        return column
    try:
        return _parsed(column, to.type)
    except pa.ArrowException:
        odd = next((v for v in column if not _casts(v, to.type)), None)
        raise DataError(
            f"{where} has {str(odd)[:40]!r} in column {to.name}, which is {to.type} in Parquet files of the table. Say "
            "how NULL is written with DmsSettings(csv_null_value=...), or restore the file."
        ) from None


def _parsed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        return column.cast(kind)
    return pc.assume_timezone(column.cast(pa.timestamp(kind.unit)), "UTC").cast(kind)  # DMS writes UTC, and no zone


def _casts(value: pa.Scalar, kind: pa.DataType) -> bool:
    try:
        _parsed(pa.array([value.as_py()], value.type), kind)
    except pa.ArrowException:
        return False
    return True


def batches(text: Path, layout: Layout, settings: DmsSettings, where: str) -> Iterator[pa.RecordBatch]:
    """Give the rows of a plain text in batches, all columns text; raises as `convert`."""
    schema = pa.schema([(n, pa.string()) for n in layout.names])
    try:
        yield from _batches(text, layout, schema, settings, where)
    except pa.ArrowException as problem:
        raise _explained(text, layout, settings, where, problem) from None


def _batches(
    text: Path, layout: Layout, schema: pa.Schema, settings: DmsSettings, where: str
) -> Iterator[pa.RecordBatch]:
    settings, windows = _as_written(text, settings)
    if next(_rows(text, layout, settings, where, windows=windows), None) is None:
        return
    usual = len(settings.csv_delimiter) == 1 and settings.csv_row_delimiter == "\n" and len(schema) > 1
    if usual and _row_ends(text) != "mixed":
        yield from _fast(text, layout, schema, settings)
    else:
        yield from _slow(text, layout, schema, settings, where, windows=windows)


def _fast(text: Path, layout: Layout, schema: pa.Schema, settings: DmsSettings) -> Iterator[pa.RecordBatch]:
    block, given = _BLOCK, 0  # rows given before a record was met that is larger than a block
    while True:
        skip = given
        try:
            for batch in _arrow(text, layout, schema, settings, block):
                fresh = batch.slice(min(skip, batch.num_rows))
                skip -= batch.num_rows - fresh.num_rows
                given += fresh.num_rows
                yield fresh
            return
        except pa.ArrowInvalid as problem:
            if "straddl" not in str(problem) or block >= _LARGEST_BLOCK:
                raise
            block *= 8


def _arrow(
    text: Path, layout: Layout, schema: pa.Schema, settings: DmsSettings, block: int
) -> Iterator[pa.RecordBatch]:
    reader = pa_csv.open_csv(
        text,
        read_options=pa_csv.ReadOptions(
            column_names=list(layout.names), skip_rows=int(layout.header), block_size=block, use_threads=False
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=settings.csv_delimiter,
            quote_char='"' if settings.csv_quotes else False,
            newlines_in_values=settings.csv_quotes,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema,
            null_values=[settings.csv_null_value],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    with reader:
        yield from reader


def _slow(
    text: Path, layout: Layout, schema: pa.Schema, settings: DmsSettings, where: str, *, windows: bool
) -> Iterator[pa.RecordBatch]:
    found = _rows(text, layout, settings, where, windows=windows)
    while rows := list(itertools.islice(found, _ROWS)):
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _rows(
    text: Path, layout: Layout, settings: DmsSettings, where: str, *, windows: bool
) -> Iterator[Sequence[str | None]]:
    width = len(layout.names)
    for at, (number, record) in enumerate(records(text, settings)):
        if at == 0 and layout.header:
            continue
        cut = bare(record, settings, windows=windows)
        if not cut and width > 1:
            continue  # an empty line, as at the end of a file
        fields = split(_decoded(cut, number, where), settings)
        if len(fields) != width:
            raise _ragged(where, number, len(fields), layout)
        yield values(fields, settings)


def _explained(text: Path, layout: Layout, settings: DmsSettings, where: str, problem: Exception) -> DataError:
    """Find the line that Arrow does not take."""
    settings, windows = _as_written(text, settings)
    try:
        for _ in _rows(text, layout, settings, where, windows=windows):
            pass
    except DataError as found:
        return found
    return UnreadableFileError(f"The CSV file cannot be read ({problem}): {where}. Restore it from its source.")


def _ragged(where: str, number: int, count: int, layout: Layout) -> DataError:
    return DataError(
        f"Line {number} of {where} has {count} fields, and the columns are {len(layout.names)}: "
        f"{', '.join(layout.names)}. Restore the file, or say how it was written with DmsSettings."
    )


def _decoded(record: bytes, number: int, where: str) -> str:
    try:
        return record.decode()
    except UnicodeDecodeError as problem:
        raise UnreadableFileError(
            f"Line {number} of {where} is not UTF-8 ({problem.reason}). Give DmsSettings(encoding=...), or restore "
            "the file."
        ) from None


def _as_written(text: Path, settings: DmsSettings) -> tuple[DmsSettings, bool]:
    """Let the file tell a line feed from a carriage return with one, where all rows end alike."""
    ends = _row_ends(text)
    if settings.csv_row_delimiter not in ("\n", "\r\n") or ends == "mixed":
        return settings, False
    return replace(settings, csv_row_delimiter="\n"), ends == "windows"


def _row_ends(text: Path) -> str:
    """How rows end: "unix", "windows", or "mixed" where carriage returns stand in values too."""
    returns = pairs = lines = 0
    last = b""
    with text.open("rb") as handle:
        while piece := handle.read(_PIECE):
            lines += piece.count(b"\n")
            returns += piece.count(b"\r")
            pairs += piece.count(b"\r\n") + (last == b"\r" and piece[:1] == b"\n")
            last = piece[-1:]
    if not returns:
        return "unix"
    return "windows" if returns == pairs == lines else "mixed"


def _transcode(file: Path, packed: bool, encoding: str, target: Path, where: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with target.open("wb") as handle:
            for piece in pieces(file, packed, where):
                handle.write(decoder.decode(piece).encode())
            handle.write(decoder.decode(b"", final=True).encode())
    except UnicodeError as problem:
        raise UnreadableFileError(
            f"{where} is not of the encoding {encoding} ({problem}). Give DmsSettings(encoding=...), or restore it."
        ) from None
