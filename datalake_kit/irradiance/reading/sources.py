"""Where the bytes of a file come from: a local file, or an object on S3, with the same few calls.

The readers ask in this order: what the header says (`parse`), then all wanted chunks at once (`read_many`), so that a
source that pays for each request can join them. Every read is exact: what it cannot give whole is an error, never less.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from datalake_kit.storage import Place, S3Path
from datalake_kit.storage.s3 import ReplacedError

if TYPE_CHECKING:
    import h5py

__all__ = ["LocalSource", "Source", "open_source"]

T = TypeVar("T")


class Source(Protocol):
    """An open file, read by one thread."""

    name: str
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from an offset on; OSError when the file ends before."""
        ...

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of each range (offset, size)."""
        ...

    def read_all(self) -> bytes:
        """Return the whole content."""
        ...

    def parse(self, ask: Callable[[h5py.File], T]) -> T:
        """Return what `ask` says of the file as h5py opens it; it may be asked more than once."""
        ...


@contextmanager
def open_source(place: Place) -> Iterator[Source]:
    """Open a file to read parts of it.

    Raises
    ------
    OSError
        It cannot be opened.
    ReplacedError
        At the end: it is another file than when it was opened, or was written to, so what was read may be of both.
    UnreadableFileError
        S3 refuses or cannot be reached.
    """
    if isinstance(place, S3Path):
        from datalake_kit.irradiance.reading.s3_source import S3Source

        yield S3Source(place)
        return
    source = LocalSource(place)
    try:
        yield source
    finally:
        try:
            source.verify()
        finally:
            source.close()


class LocalSource:
    """A file of a folder, held open."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self._descriptor = os.open(path, os.O_RDONLY)
        self._opened = os.fstat(self._descriptor)
        self.size = self._opened.st_size

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly `size` bytes from an offset on."""
        content = os.pread(self._descriptor, size, offset)
        if len(content) != size:
            raise OSError(f"the file ends before byte {offset + size}")
        return content

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of each range."""
        return [self.read(offset, size) for offset, size in ranges]

    def read_all(self) -> bytes:
        """Return the whole content."""
        return self.read(0, self.size)

    def parse(self, ask: Callable[[h5py.File], T]) -> T:
        """Return what `ask` says of the file as h5py opens it."""
        import h5py

        # not h5py.File(name): it sets up twice as long as HDF5 takes to open the file
        opened = h5py.h5f.open(os.fsencode(self.name), h5py.h5f.ACC_RDONLY)
        try:
            return ask(h5py.File(opened))
        finally:
            opened.close()

    def verify(self) -> None:
        """Compare the file of this name with the one that was opened: h5py opens it by its name once more."""
        now = self._path.stat()
        if _identity(now) != _identity(self._opened):
            raise ReplacedError(f"{self.name} was replaced or written to while it was read.")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
