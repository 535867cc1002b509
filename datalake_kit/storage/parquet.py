"""Parquet files in a folder or on S3: checked by their ends, opened with reads of the ranges that are needed."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage.listing import Place, place
from datalake_kit.storage.s3 import S3Path

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

PARQUET_MAGIC = b"PAR1"
_INT96 = "us"  # in nanoseconds, pyarrow's default, times before 1678 come out wrong without an error
_LEAST = 12  # magic, footer length, magic
_TAIL = 64 * 1024  # holds the footer of most files
_WHOLE = 1024 * 1024  # a file up to this size comes with one request


def open_parquet(file: str | Place) -> pq.ParquetFile:
    """Open a Parquet file for reading; on S3 only the ranges of what is read are fetched.

    Close it, or use it in `with`.

    Raises
    ------
    UnreadableFileError
        The file is gone, cut short, or no Parquet file; or S3 refuses.
    """
    source = place(file)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not isinstance(source, S3Path):
            check_parquet(source)
            return pq.ParquetFile(pa.OSFile(str(source)), coerce_int96_timestamp_unit=_INT96)
        data, size = _tail(source, _WHOLE)
        if len(data) == size:
            return pq.ParquetFile(pa.BufferReader(data), coerce_int96_timestamp_unit=_INT96)
        footer = _metadata(source, data, size)
        return pq.ParquetFile(_remote(source), metadata=footer, pre_buffer=True, coerce_int96_timestamp_unit=_INT96)
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(source, problem) from problem


def read_footer(file: str | Place) -> pq.FileMetaData:
    """Return the footer of a Parquet file: its rows, row groups and columns. On S3 one request.

    Raises
    ------
    UnreadableFileError
        As `open_parquet`.
    """
    source = place(file)
    if isinstance(source, S3Path):
        data, size = _tail(source, _TAIL)
        return _metadata(source, data, size)
    with open_parquet(source) as opened:
        return opened.metadata


def read_schema(file: str | Place) -> pa.Schema:
    """Return the Arrow schema of a Parquet file; raises as `open_parquet`."""
    return read_footer(file).schema.to_arrow_schema()


def check_parquet(file: str | Place) -> None:
    """Raise UnreadableFileError unless the file begins and ends as Parquet does; reads eight bytes.

    On S3 the end alone is looked at: a put is whole or not there, so that a wrong beginning tells nothing more.
    """
    source = place(file)
    if isinstance(source, S3Path):
        _tail(source, 8)
        return
    try:
        size = source.stat().st_size
        with source.open("rb") as handle:
            head = handle.read(4)
            handle.seek(max(0, size - 4))
            tail = handle.read(4)
    except FileNotFoundError:
        raise _gone(source) from None
    if head != PARQUET_MAGIC:
        raise UnreadableFileError(f"Not a Parquet file (it begins with {head!r}): {source}. Remove it or restore it.")
    if size < _LEAST or tail != PARQUET_MAGIC:
        raise _cut_short(source, size)


def _tail(source: S3Path, most: int) -> tuple[bytes, int]:
    try:
        data, size = source.read_tail(most)
    except FileNotFoundError:
        raise _gone(source) from None
    if data[-4:] != PARQUET_MAGIC and size >= _LEAST:
        raise UnreadableFileError(f"The file is cut short, or no Parquet file ({size} bytes): {source}. Restore it.")
    if size < _LEAST:
        raise _cut_short(source, size)
    return data, size


def _metadata(source: S3Path, data: bytes, size: int) -> pq.FileMetaData:
    import pyarrow as pa
    import pyarrow.parquet as pq

    length = struct.unpack("<I", data[-8:-4])[0] + 8
    if length > size - len(PARQUET_MAGIC):
        raise _unreadable(source, f"its footer would have {length} bytes of {size}")
    if length > len(data):
        data, size = _tail(source, length)
    try:
        return pq.read_metadata(io.BytesIO(PARQUET_MAGIC + data[-length:]))
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(source, problem) from problem


def _remote(source: S3Path) -> Any:
    from datalake_kit.storage.s3_client import arrow_filesystem

    return arrow_filesystem(source.bucket).open_input_file(f"{source.bucket}/{source.key}")


def _gone(file: Path | S3Path) -> UnreadableFileError:
    return UnreadableFileError(f"The file is gone: {file}. List the table again, or restore the file.")


def _cut_short(file: Path | S3Path, size: int) -> UnreadableFileError:
    return UnreadableFileError(f"The Parquet file is cut short ({size} bytes): {file}. Restore it from its source.")


def _unreadable(file: Path | S3Path, problem: object) -> UnreadableFileError:
    return UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore the file.")
