"""Addresses on S3, with what this package uses of `pathlib.Path`."""

from __future__ import annotations

import errno
import fnmatch
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage.s3_client import asked, client_of, code_of, is_broken_off, is_missing, use_client, use_profile

__all__ = ["ReplacedError", "S3Path", "S3Stat", "use_client", "use_profile"]

_FOLDER_MARKS = ("/", "_$folder$")  # empty objects by which some tools show folders
_ATTEMPTS = 3  # botocore tries again what fails before the first byte, but not what breaks off after it


class ReplacedError(UnreadableFileError):
    """An object has another content than when it was listed."""


class S3Stat(NamedTuple):
    """What S3 says of an object; the time is of whole seconds, the ETag changes with every content."""

    st_size: int
    st_mtime_ns: int
    etag: str


@dataclass(frozen=True, order=True, repr=False)
class S3Path:
    """An address on S3: a bucket and a key, the key without a slash at its end.

    Immutable, hashable and ordered, and made without asking S3. Paths that a listing gave remember what it said:
    `is_file`, `is_dir` and `stat` ask for nothing then. There is no `__fspath__`: a function that opens local files
    must not take it for one.
    """

    bucket: str
    key: str = ""
    _known: S3Stat | None = field(default=None, compare=False)
    _folder: bool = field(default=False, compare=False)

    @classmethod
    def parse(cls, address: str) -> S3Path:
        """Take an address such as s3://bucket/folder/file apart."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]+|arn:[\w:.-]+", bucket):
            raise UnreadableFileError(f"{address} names no bucket. Write s3://bucket/folder.")
        return cls(bucket, key.rstrip("/"))

    # --- the address alone

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")

    def __repr__(self) -> str:
        return f"S3Path({str(self)!r})"

    def __truediv__(self, name: str | PurePosixPath) -> S3Path:
        more = str(name).rstrip("/")
        return S3Path(self.bucket, f"{self._prefix}{more}") if more and more != "." else self

    def joinpath(self, *names: str | PurePosixPath) -> S3Path:
        """Return the path with names added."""
        path = self
        for name in names:
            path = path / name
        return path

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> S3Path:
        """The folder above; the bucket's own is the bucket."""
        return S3Path(self.bucket, self.key.rpartition("/")[0])

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket as s3://bucket/, then the parts of the key."""
        return (f"s3://{self.bucket}/", *PurePosixPath(self.key).parts)

    def with_name(self, name: str) -> S3Path:
        """Return the path of a neighbour."""
        return self.parent / name

    def as_posix(self) -> str:
        """Return the address as text."""
        return str(self)

    def relative_to(self, other: S3Path) -> PurePosixPath:
        """Return the part of the key below another path; ValueError when it is not below it."""
        if self == other:
            return PurePosixPath()
        if self.bucket != other.bucket or not self.key.startswith(other._prefix):
            raise ValueError(f"{self} is not below {other}")
        return PurePosixPath(self.key[len(other._prefix) :])

    def is_relative_to(self, other: object) -> bool:
        """Whether the path is another one or lies below it."""
        return isinstance(other, S3Path) and (self == other or str(self).startswith(f"{other}/"))

    @property
    def _prefix(self) -> str:
        return f"{self.key}/" if self.key else ""

    # --- what is there

    @property
    def known(self) -> S3Stat | None:
        """What the listing said that gave this path; None for an address that was written down."""
        return self._known

    def stat(self) -> S3Stat:
        """Return size, time and ETag of the object; FileNotFoundError when there is none."""
        if self._known is not None:
            return self._known
        with asked(self):
            try:
                return _stat(client_of(self.bucket).head_object(Bucket=self.bucket, Key=self.key), "ContentLength")
            except Exception as problem:
                if is_missing(problem):
                    raise self._not_found() from None
                raise

    def is_file(self) -> bool:
        """Whether there is an object of this key."""
        try:
            return bool(self.key) and not self._folder and self.stat() is not None
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """Whether an object lies below this path."""
        if self._folder or self._known is not None:
            return self._folder
        return any(page.get("KeyCount") for page in self._pages(self._prefix, MaxKeys=1))

    def exists(self) -> bool:
        """Whether there is an object of this key or below it."""
        return self.is_file() or self.is_dir()

    def iterdir(self) -> Iterator[S3Path]:
        """Give the objects and folders right below, in order of their names; none where there is no such folder."""
        yield from self._children("")

    def glob(self, pattern: str) -> Iterator[S3Path]:
        """Give what lies right below and has a name of a pattern with *, ? and [ ]."""
        if "/" in pattern or "**" in pattern:
            raise ValueError(f"S3Path.glob looks into one folder, not {pattern!r}.")
        begin = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        yield from (p for p in self._children(begin) if fnmatch.fnmatchcase(p.name, pattern))

    def walk(self, begin: str = "") -> list[S3Path]:
        """Return all objects below whose keys go on so, in order of their keys, with one listing."""
        return [p for page in self._pages(self._prefix + begin) for p in self._objects(page)]

    def find(self, names: Iterable[str]) -> list[S3Path]:
        """Return the objects of these names right below, as far as there are such, with one listing."""
        wanted = {self._prefix + name for name in names}
        keys = sorted(wanted)
        alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(keys[0], keys[-1], strict=False))
        begin, found = "".join(letter for letter, _ in alike), list[S3Path]()
        for page in self._pages(begin, StartAfter=keys[0][:-1]):
            found += [p for p in self._objects(page) if p.key in wanted]
            if page.get("Contents") and page["Contents"][-1]["Key"] >= keys[-1]:
                break
        return found

    def sizes(self, *, without: str) -> dict[str, int]:
        """Return the size of every object below by its name relative to this path, leaving out folders of a name."""
        found: dict[str, int] = {}
        start: str | None = ""
        while start is not None:
            start = self._add_sizes(found, without, start)
        return found

    # --- content

    def read_bytes(self, *, etag: str = "") -> bytes:
        """Return the whole content; FileNotFoundError when there is no such object.

        With `etag` only of the content of this ETag: ReplacedError when the object has another one by now.
        """
        return self._get(etag)

    def read_range(self, offset: int, size: int, *, etag: str = "") -> bytes:
        """Return the bytes from an offset on, fewer where the object ends before; raises as `read_bytes`."""
        return self._get(etag, Range=f"bytes={offset}-{offset + size - 1}")

    def _get(self, etag: str, **options: Any) -> bytes:
        """Get the object or a range of it; a connection that breaks while bytes arrive is tried again."""
        pinned = options | ({"IfMatch": etag} if etag else {})
        with asked(self):
            for attempt in itertools.count(1):
                try:
                    got = client_of(self.bucket).get_object(Bucket=self.bucket, Key=self.key, **pinned)
                    data: bytes = got["Body"].read()
                    return data
                except Exception as problem:
                    if is_missing(problem):
                        raise self._not_found() from None
                    if code_of(problem) in ("PreconditionFailed", "412"):
                        raise ReplacedError(f"{self} was replaced since it was listed. List it again.") from None
                    if code_of(problem) in ("InvalidRange", "416"):
                        return b""  # the object ends before the range
                    if attempt == _ATTEMPTS or not is_broken_off(problem):
                        raise
        raise AssertionError("unreachable")

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the whole content as text."""
        return self.read_bytes().decode(encoding)

    def read_tail(self, most: int) -> tuple[bytes, int]:
        """Return the last bytes of the object, `most` at most, and its whole size, with one request."""
        with asked(self):
            try:
                got = client_of(self.bucket).get_object(Bucket=self.bucket, Key=self.key, Range=f"bytes=-{most}")
                data: bytes = got["Body"].read()
                total = got.get("ContentRange", "").rpartition("/")[2]
                return data, int(total) if total.isdigit() else len(data)
            except Exception as problem:
                if is_missing(problem):
                    raise self._not_found() from None
                if code_of(problem) in ("InvalidRange", "416"):
                    return b"", 0  # an empty object has no last bytes
                raise

    def download(self, target: Path) -> None:
        """Copy the object into a local file, in pieces."""
        with asked(self):
            try:
                client_of(self.bucket).download_file(self.bucket, self.key, str(target))
            except Exception as problem:
                if is_missing(problem):
                    raise self._not_found() from None
                raise

    def upload(self, source: Path) -> None:
        """Put a local file here; the object appears when all of it has arrived."""
        with asked(self):
            client_of(self.bucket).upload_file(str(source), self.bucket, self.key)

    def _children(self, begin: str) -> Iterator[S3Path]:
        found: list[S3Path] = []
        for page in self._pages(self._prefix + begin, Delimiter="/"):
            found += [
                S3Path(self.bucket, p["Prefix"].rstrip("/"), _folder=True) for p in page.get("CommonPrefixes", ())
            ]
            found += self._objects(page)
        yield from sorted(found)

    def _objects(self, page: Any) -> Iterator[S3Path]:
        for entry in page.get("Contents", ()):
            if not entry["Key"].endswith(_FOLDER_MARKS):
                yield S3Path(self.bucket, entry["Key"], _stat(entry, "Size"))

    def _pages(self, prefix: str, **options: Any) -> Iterator[Any]:
        with asked(self):
            pages = client_of(self.bucket).get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self.bucket, Prefix=prefix, **options)

    def _add_sizes(self, found: dict[str, int], without: str, start: str) -> str | None:
        """List after a key; stop and say where to go on when a folder to be left out is met: it may be large."""
        folder, cut = f"/{without}/", len(self._prefix)
        for page in self._pages(self._prefix, **({"StartAfter": start} if start else {})):
            objects = list(self._objects(page))
            for one in objects:
                if folder not in f"/{one.key[cut:]}":
                    found[one.key[cut:]] = one.stat().st_size
            last = objects[-1].key if objects else ""
            if page.get("IsTruncated") and last and folder in f"/{last[cut:]}":
                return last[: cut + f"/{last[cut:]}".index(folder)] + without + "/~"  # "~" is after all that Hudi names
        return None

    def _not_found(self) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, "No such object", str(self))


def _stat(entry: Any, size: str) -> S3Stat:
    return S3Stat(int(entry[size]), int(entry["LastModified"].timestamp()) * 1_000_000_000, entry.get("ETag", ""))
