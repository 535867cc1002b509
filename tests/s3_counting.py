"""A small S3 server that counts what it is asked for, can wait before it answers, and can fail on purpose.

    with counting_s3() as server:             # in this process, for tests
        ...
        assert server.count("GET") == 3

    python -m tests.s3_counting FOLDER --latency 0.02  # in a process of its own, for benchmarks; prints its address

The second serves the files of a folder as a bucket that is only read, with little work for a request; it is asked for
its counts at `/__asked` (JSON), and forgets them on `/__forget`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from tests.s3 import BUCKET, client

_SOME_TIME = "Wed, 18 Jun 2025 00:00:00 GMT"


@dataclass(frozen=True)
class Asked:
    """One request: its method, the key (empty for a listing), the range asked for, and the bytes sent back."""

    method: str
    key: str
    range: str
    status: int
    sent: int


@dataclass
class CountingS3:
    """A WSGI application around moto's.

    `latency` is waited before each answer, in seconds, and `rate` is what the line brings, in bytes a second, all
    answers together. `before` is called with the method and the key before a request
    is handled: it may change objects, or return (status, code of S3, bytes of the body to send) to fail instead.
    `cut` sends no more than so many bytes of a body, then breaks the connection.
    """

    app: Callable[..., Iterable[bytes]]
    latency: float = 0.0
    rate: float = math.inf
    before: Callable[[str, str], tuple[int, str] | None] | None = None
    cut: Callable[[str, str], int | None] | None = None
    asked: list[Asked] = field(default_factory=list)
    endpoint: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free: float = 0.0  # when the line has brought all that was sent

    def forget(self) -> None:
        """Forget all requests, and fail no more."""
        with self._lock:
            self.asked.clear()
        self.before = self.cut = None

    def count(self, method: str = "GET", *, data: bool = True) -> int:
        """Return how many requests of a method there were; with `data` those of objects, else the listings."""
        return sum(a.method == method and bool(a.key) == data for a in self.asked)

    def sent(self) -> int:
        """Return the bytes of objects that were sent."""
        return sum(a.sent for a in self.asked if a.method == "GET" and a.key)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/__"):
            return self._about(path, start_response)
        key = unquote(path).removeprefix(f"/{BUCKET}").lstrip("/")
        time.sleep(self.latency)
        refused = self.before(method, key) if self.before else None
        status, headers, body = _refusal(*refused) if refused else _answer(self.app, environ)
        with self._lock:
            self.asked.append(Asked(method, key, environ.get("HTTP_RANGE", ""), int(status.split()[0]), len(body)))
            self._free = max(self._free, time.perf_counter()) + len(body) / self.rate
            wait = self._free - time.perf_counter()
        time.sleep(max(0.0, wait))
        most = self.cut(method, key) if self.cut else None
        start_response(status, headers)
        return [body if most is None else body[:most]]

    def _about(self, path: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = json.dumps([asdict(a) for a in self.asked]).encode()
        if path == "/__forget":
            self.forget()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]


def _answer(app: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    told: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        told[:] = [status, headers]

    body = app(environ, start)
    try:
        data = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    return told[0], told[1], data


def _refusal(status: int, code: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()
    return f"{status} Refused", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body


def folder_app(root: Path) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that serves the files of a folder as the bucket `lake`: listing, object, range."""
    keys = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        key = unquote(environ["PATH_INFO"]).removeprefix(f"/{BUCKET}").strip("/")
        status, more, body = _folder_object(root / key, environ) if key else _folder_listing(root, keys, environ)
        start_response(status, [*more, ("Content-Length", str(len(body)))])
        return [body]

    return app


def _folder_object(path: Path, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    if not path.is_file():
        return "404 Not Found", [], b"<Error><Code>NoSuchKey</Code></Error>"
    if environ.get("HTTP_IF_MATCH", _etag(path)) != _etag(path):
        return "412 Precondition Failed", [], b"<Error><Code>PreconditionFailed</Code></Error>"
    size = path.stat().st_size
    headers = [("ETag", _etag(path)), ("Last-Modified", _SOME_TIME)]
    if "HTTP_RANGE" not in environ:
        return "200 OK", headers, path.read_bytes()
    first, last = (int(n) for n in environ["HTTP_RANGE"].removeprefix("bytes=").split("-"))
    with path.open("rb") as file:
        file.seek(first)
        part = file.read(last + 1 - first)
    return "206 Partial Content", [*headers, ("Content-Range", f"bytes {first}-{first + len(part) - 1}/{size}")], part


def _folder_listing(root: Path, known: list[str], environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
    asked = parse_qs(environ["QUERY_STRING"])
    prefix, after = asked.get("prefix", [""])[0], asked.get("continuation-token", asked.get("start-after", [""]))[0]
    keys = [k for k in known if k.startswith(prefix) and k > after]
    page, more = keys[:1000], len(keys) > 1000
    entries = "".join(
        f"<Contents><Key>{k}</Key><Size>{(root / k).stat().st_size}</Size><ETag>{_etag(root / k)}</ETag>"
        "<LastModified>2025-06-18T00:00:00.000Z</LastModified></Contents>"
        for k in page
    )
    token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
    text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
    return "200 OK", [("Content-Type", "application/xml")], text.encode()


def _etag(path: Path) -> str:
    state = path.stat()
    return f'"{state.st_size:x}-{state.st_mtime_ns:x}"'


@contextlib.contextmanager
def counting_s3(*, folder: Path | None = None, latency: float = 0.0, rate: float = math.inf) -> Iterator[CountingS3]:
    """Give a running server: with an empty bucket `lake`, or with one that is a folder and can only be read."""
    moto = pytest.importorskip("moto.moto_server.werkzeug_app", reason="moto is not installed")
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = moto.DomainDispatcherApplication(moto.create_backend_app) if folder is None else folder_app(folder)
    counting = CountingS3(made)
    # HTTP/1.1: connections stay open, as those of S3 do
    handler = type("KeepAlive", (moto.MotoRequestHandler,), {"protocol_version": "HTTP/1.1"})
    server = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    counting.endpoint = f"http://127.0.0.1:{server.server_port}"
    if folder is None:
        client(counting.endpoint).create_bucket(Bucket=BUCKET)
        counting.forget()
    counting.latency, counting.rate = latency, rate
    try:
        yield counting
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve a folder until the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--rate", type=float, default=math.inf, help="bytes a second of all answers together")
    options = parser.parse_args()
    with counting_s3(folder=options.folder, latency=options.latency, rate=options.rate) as server:
        print(server.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
