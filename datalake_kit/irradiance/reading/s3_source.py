"""Satellite files on S3, without copies: the header and the wanted chunks by ranges, or the whole object.

What is less is decided by cost, in bytes: a request counts as `REQUEST_BYTES` beside the bytes that it brings. That is
what a line of 100 MB/s brings in the 2 to 3 ms of processor time that botocore takes for a request (measured); the wait
until S3 answers is not counted, for several files are read at once.

- The first range is `FIRST_BYTES` long: in the files that netCDF4 writes it holds the coordinates, the attributes and
  the chunk table's first node (39 to 69 kB for 3201 x 3201 cells, as measured). What else of the header is wanted lies
  anywhere, in pieces that lie near each other: it is fetched with `BESIDE_BYTES` before and after it.
- Chunks are fetched at once; ranges with a gap of less than a request between them are one range.
- An object is read whole when it is small, when its header has cost as much as all of it would, or when ranges of the
  last file of that name (its digits apart) came to more than the whole of this one. What ranges would have cost is
  reckoned for objects that are read whole too, so that the choice follows the files.

h5py holds one lock for all threads while it reads. So nothing is fetched below it: where bytes are not there yet, the
read is given up, the bytes are fetched, and it is done again; the header's other parts are then at hand.

All requests name the ETag of the listing: an object that is replaced in between is an error, never a mixture.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from datalake_kit.storage import S3Path

if TYPE_CHECKING:
    import h5py

__all__ = ["BESIDE_BYTES", "FIRST_BYTES", "REQUEST_BYTES", "S3Source", "merge_ranges"]

T = TypeVar("T")
Range = tuple[int, int]  # offset, size

REQUEST_BYTES = 256 * 1024
FIRST_BYTES = 80 * 1024
BESIDE_BYTES = 16 * 1024
_CONNECTIONS = 16
_KINDS = 1000

_ranges_cost: dict[str, int] = {}  # what ranges of the last file of a name came to


def merge_ranges(ranges: Iterable[Range], *, gap: int = REQUEST_BYTES) -> list[Range]:
    """Return ranges (offset, size) in order, as one where less than `gap` bytes lie between them.

    >>> merge_ranges([(900, 50), (0, 10), (20, 30)], gap=100)
    [(0, 50), (900, 50)]
    """
    merged: list[Range] = []
    for offset, size in sorted(ranges):
        start, length = merged[-1] if merged else (offset, 0)
        if merged and offset - (start + length) < gap:
            merged[-1] = (start, max(length, offset + size - start))
        else:
            merged.append((offset, size))
    return merged


class S3Source:
    """One object, read by one thread: a byte source as `reading.sources` describes it.

    Raises
    ------
    FileNotFoundError, ReplacedError
        While reading: the object is gone, or another one since it was listed.
    OSError
        It ends before the bytes that are asked for.
    UnreadableFileError
        S3 refuses or cannot be reached.
    """

    def __init__(self, path: S3Path) -> None:
        state = path.stat()
        self.name, self.size = f"{path.bucket}/{path.key}", state.st_size  # netCDF4 takes s3:// for a server
        self._path, self._etag = path, state.etag
        self._kind = f"{path.bucket}/{re.sub('[0-9]+', '#', path.key)}"
        self._whole: bytes | None = None
        self._pieces: list[tuple[int, int, bytes]] = []  # begin, end, content; no content where all is held in _whole
        self._cost = 0
        least = max(FIRST_BYTES + 2 * REQUEST_BYTES, _ranges_cost.get(self._kind, 0))
        if self._whole_cost <= least:
            self.read_all()
        self._add([(0, min(FIRST_BYTES, self.size))])

    def __repr__(self) -> str:
        return f"S3Source({self.name!r})"

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from an offset on."""
        return self.read_many([(offset, size)])[0]

    def read_many(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of ranges; those that are not there yet are fetched at once, side by side."""
        for offset, size in ranges:
            if offset + size > self.size:
                raise OSError(f"the file ends before byte {offset + size}")
        self._add(merge_ranges(r for r in ranges if r[1] and self._piece(*r) is None))
        self._remember()
        return [self.held(offset, size) for offset, size in ranges]

    def read_all(self) -> bytes:
        """Return the whole content."""
        if self._whole is None:
            self._whole = self._checked(self._path.read_bytes(etag=self._etag), self.size)
        return self._whole

    def parse(self, ask: Callable[[h5py.File], T]) -> T:
        """Return what `ask` says of the file as h5py opens it. It may be asked more than once."""
        import h5py

        with contextlib.closing(_Handle(self)) as handle, self._patiently(lambda: h5py.File(handle, "r")) as file:
            return self._patiently(lambda: ask(file))

    def held(self, offset: int, size: int) -> bytes:
        """Return bytes that are here already; NotHereError when they are not."""
        piece = self._piece(offset, size) or ((offset, offset, b"") if not size else None)
        if self._whole is not None:
            self._add([] if piece else [self._with_beside(offset, size)])
            return self._whole[offset : offset + size]
        if piece is None:
            raise NotHereError(offset, size)
        return piece[2][offset - piece[0] : offset - piece[0] + size]

    def _patiently(self, act: Callable[[], T]) -> T:
        """Do something with the header until all is here that it reads; it is fetched without h5py's lock."""
        while True:
            try:
                return act()
            except NotHereError as absent:
                more = self._with_beside(absent.offset, absent.size)
                if self._cost + REQUEST_BYTES + more[1] >= self._whole_cost:
                    self.read_all()
                else:
                    self._add([more])

    def _add(self, ranges: list[Range]) -> None:
        """Fetch ranges, if the whole is not here; reckon what they cost in any case."""
        self._cost += sum(REQUEST_BYTES + size for _, size in ranges)
        contents = [b""] * len(ranges) if self._whole is not None else _fetch(self._get, ranges)
        self._pieces += [(offset, offset + size, c) for (offset, size), c in zip(ranges, contents, strict=True)]

    def _get(self, wanted: Range) -> bytes:
        offset, size = wanted
        return self._checked(self._path.read_range(offset, size, etag=self._etag), size)

    def _checked(self, content: bytes, size: int) -> bytes:
        if len(content) != size:
            raise OSError(f"S3 sent {len(content)} bytes in place of {size}")
        return content

    def _with_beside(self, offset: int, size: int) -> Range:
        start = max(0, offset - BESIDE_BYTES)
        return start, min(self.size, offset + size + BESIDE_BYTES) - start

    def _piece(self, offset: int, size: int) -> tuple[int, int, bytes] | None:
        return next((p for p in self._pieces if p[0] <= offset and offset + size <= p[1]), None)

    @property
    def _whole_cost(self) -> int:
        return REQUEST_BYTES + self.size

    def _remember(self) -> None:
        if len(_ranges_cost) > _KINDS:
            _ranges_cost.clear()
        _ranges_cost[self._kind] = self._cost


class NotHereError(Exception):
    """Bytes of the header are not fetched yet."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(f"{size} bytes at {offset}")
        self.offset, self.size = offset, size


class _Handle(io.RawIOBase):
    """What h5py reads the header from."""

    def __init__(self, source: S3Source) -> None:
        super().__init__()
        self._source, self._place = source, 0

    def __repr__(self) -> str:
        return self._source.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._source.size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        size = max(0, min(len(buffer), self._source.size - self._place))
        buffer[:size] = self._source.held(self._place, size) if size else b""
        self._place += size
        return size


def _fetch(get: Callable[[Range], bytes], ranges: list[Range]) -> list[bytes]:
    if len(ranges) < 2:
        return [get(r) for r in ranges]
    return list(_connections(os.getpid()).map(get, ranges))


@functools.lru_cache(maxsize=1)
def _connections(_process: int) -> ThreadPoolExecutor:
    """Threads for the ranges of all files: a pool of this process."""
    return ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="s3-range")
