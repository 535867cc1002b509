"""Several files that appear on S3 together, as near as S3 can.

Each is sent as a multipart upload, which nobody sees before it is completed. All parts are sent first, which takes the
time; then all are completed, which takes a moment. A run that is killed before has changed nothing; one that fails
removes what it completed. S3 has no way to complete several in one step: in that moment a reader may see some of them.
What a killed run had sent is removed by S3 where the bucket has a lifecycle rule for incomplete uploads, as it should.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from datalake_kit.storage.s3 import S3Path
from datalake_kit.storage.s3_client import asked, client_of

__all__ = ["Uploads", "delete_objects"]

_PART = 32 * 1024 * 1024  # bytes; S3 takes 10,000 parts of an object
_AT_ONCE = 8
_MOST_DELETED = 1000  # in one request
T = TypeVar("T")


@dataclass
class Uploads:
    """The uploads of one write: pairs of a local file and the address where it will appear."""

    files: Sequence[tuple[Path, S3Path]]
    _begun: dict[S3Path, str] = field(default_factory=dict)
    _parts: dict[S3Path, list[dict[str, Any]]] = field(default_factory=dict)
    _completed: list[S3Path] = field(default_factory=list)

    def send(self) -> None:
        """Send all parts; nothing appears. What was sent is given up when something fails."""
        try:
            _each(self._send, self.files)
        except BaseException:
            self.undo()
            raise

    def complete(self) -> None:
        """Let all files appear; none stays when something fails."""
        try:
            _each(self._complete, [target for _, target in self.files])
        except BaseException as problem:
            self.undo(problem)
            raise

    def undo(self, problem: BaseException | None = None) -> None:
        """Remove what appeared, and give up what was sent; add to an error what could not be removed."""
        try:
            delete_objects(self._completed)
        except Exception as refused:  # noqa: BLE001 - the error that led here counts
            if problem is not None:
                problem.add_note(f"Files that had appeared could not be removed ({refused}): {self._completed}")
        for target, upload in self._begun.items():
            with contextlib.suppress(Exception):
                client_of(target.bucket).abort_multipart_upload(Bucket=target.bucket, Key=target.key, UploadId=upload)
        self._begun.clear()
        self._completed.clear()

    def _send(self, pair: tuple[Path, S3Path]) -> None:
        source, target = pair
        client = client_of(target.bucket)
        where = {"Bucket": target.bucket, "Key": target.key}
        with asked(target), source.open("rb") as content:
            self._begun[target] = client.create_multipart_upload(**where)["UploadId"]
            parts = []
            for number in range(1, source.stat().st_size // _PART + 2):
                body = content.read(_PART)
                if not body and number > 1:
                    break
                told = client.upload_part(**where, UploadId=self._begun[target], PartNumber=number, Body=body)
                parts.append({"ETag": told["ETag"], "PartNumber": number})
            self._parts[target] = parts

    def _complete(self, target: S3Path) -> None:
        with asked(target):
            self._completed.append(target)  # before it is asked for: an answer may be lost
            client_of(target.bucket).complete_multipart_upload(
                Bucket=target.bucket,
                Key=target.key,
                UploadId=self._begun[target],
                MultipartUpload={"Parts": self._parts[target]},
            )
            del self._begun[target]


def delete_objects(objects: Iterable[S3Path]) -> None:
    """Delete objects of one bucket, many with one request; UnreadableFileError names the first that stays."""
    wanted = list(objects)
    for start in range(0, len(wanted), _MOST_DELETED):
        some = wanted[start : start + _MOST_DELETED]
        with asked(some[0]):
            told = client_of(some[0].bucket).delete_objects(
                Bucket=some[0].bucket, Delete={"Objects": [{"Key": o.key} for o in some], "Quiet": True}
            )
            if told.get("Errors"):
                from botocore.exceptions import ClientError

                raise ClientError({"Error": told["Errors"][0]}, "DeleteObjects")


def _each(act: Callable[[T], None], things: Sequence[T]) -> None:
    """Do something with each in several threads; the first failure ends it, when those that run are at an end."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        running = [pool.submit(act, thing) for thing in things]
        try:
            for one in running:
                one.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
