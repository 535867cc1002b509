"""What a statement leaves on S3 for a while: removed after reading, after an error, or when nobody reads on."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

_AT_ONCE = 1000  # objects of one DeleteObjects request


class Leftovers:
    """Temporary objects of one statement.

    Parameters
    ----------
    s3
        The boto3 client by which they are removed.
    keep
        Leave them where they are.
    """

    def __init__(self, s3: Any, *, keep: bool = False) -> None:
        self._s3 = s3
        self._keep = keep
        self._objects: list[str] = []
        self._prefixes: list[str] = []

    def add(self, *addresses: str | None) -> None:
        """Note objects by their addresses."""
        self._objects += [a for a in addresses if a]

    def add_below(self, address: str) -> None:
        """Note all objects whose addresses begin so."""
        self._prefixes.append(address)

    def remove(self) -> None:
        """Remove them all; those that may not be removed are said in a warning."""
        objects, prefixes = self._objects, self._prefixes
        self._objects, self._prefixes = [], []
        if self._keep:
            return
        try:
            for prefix in prefixes:
                objects = objects + [f"s3://{bucket_and_key(prefix)[0]}/{key}" for key, _ in listed(self._s3, prefix)]
            _delete(self._s3, objects)
        except Exception as error:  # noqa: BLE001 - rows that were read are not lost for that
            said = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
            warnings.warn(
                f"Temporary results stay on S3 ({(objects + prefixes)[0]}): {said}. It takes s3:DeleteObject and "
                "s3:ListBucket to remove them; or set keep_results and let a lifecycle rule of the bucket do it.",
                stacklevel=2,
            )


class Batches:
    """Batches of rows; `clean` is called once: at their end, after an error, or when they are dropped half-read."""

    def __init__(self, batches: Iterator[pa.RecordBatch], clean: Callable[[], None]) -> None:
        self._batches = batches
        self._clean = weakref.finalize(self, clean)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        try:
            return next(self._batches)
        except BaseException:  # the end as well
            self._clean()
            raise


def bucket_and_key(address: str) -> tuple[str, str]:
    """Return bucket and key of an address such as s3://bucket/key.

    >>> bucket_and_key("s3://results/q/1.csv")
    ('results', 'q/1.csv')
    """
    bucket, _, key = address.partition("://")[2].partition("/")
    return bucket, key


def listed(s3: Any, prefix: str) -> list[tuple[str, int]]:
    """Return key and size of the objects whose addresses begin so, in order of their keys."""
    bucket, begin = bucket_and_key(prefix)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=begin)
    return [(found["Key"], found["Size"]) for page in pages for found in page.get("Contents", ())]


def _delete(s3: Any, addresses: list[str]) -> None:
    by_bucket: dict[str, list[str]] = {}
    for address in dict.fromkeys(addresses):
        bucket, key = bucket_and_key(address)
        by_bucket.setdefault(bucket, []).append(key)
    for bucket, keys in by_bucket.items():
        for begin in range(0, len(keys), _AT_ONCE):
            wanted = {"Objects": [{"Key": key} for key in keys[begin : begin + _AT_ONCE]], "Quiet": True}
            refused = s3.delete_objects(Bucket=bucket, Delete=wanted).get("Errors")
            if refused:
                raise PermissionError(refused[0].get("Code", "refused"))
