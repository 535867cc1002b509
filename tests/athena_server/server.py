"""The server as a process of its own, and what a test says to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
REGION = "us-east-1"


class Faults:
    """Failures on demand."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def add(self, operation: str, error: str | None = None, *, times: int = 1, **more: Any) -> None:
        """Let the next `times` requests of an operation fail.

        Parameters
        ----------
        operation
            StartQueryExecution, GetTable ... of Athena and Glue; `s3:GET`, `s3:PUT`, `s3:DELETE`, `s3:HEAD`; `sts`.
        error
            Name of the error, such as ThrottlingException or AccessDenied.
        **more
            `message`; `cut_after` (bytes of the body, then the connection ends); `seconds` (wait before); `contains`
            (only requests whose path or body holds this text).
        """
        self._server.control("faults", operation=operation, error=error, times=times, **more)

    def clear(self) -> None:
        """Forget failures, slowness and requests seen."""
        self._server.control("clear")


@dataclass
class Server:
    """A running server."""

    url: str
    engine_name: str
    trino_url: str
    process: subprocess.Popen[str] | None

    @property
    def marks(self) -> list[str]:
        """What was done to this server by `mark`."""
        marks: list[str] = self.control("status")["marks"]
        return marks

    def mark(self, name: str) -> None:
        """Remember that something was done."""
        self.control("mark", name=name)

    @property
    def faults(self) -> Faults:
        """Failures on demand."""
        return Faults(self)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which every AWS client finds this server."""
        return {
            "AWS_ACCESS_KEY_ID": "analyst",
            "AWS_SECRET_ACCESS_KEY": "hush-hush",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Operation and beginning of the content of each request so far, Trino's own left out."""
        return [(o, c) for o, c in self.control("requests")["requests"]]

    def slow(self, seconds: float) -> None:
        """Let every statement from now on wait before it runs."""
        self.control("slow", seconds=seconds)

    def client(self, service: str) -> Any:
        """Return a boto3 client that acts behind the back of the code under test."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def control(self, what: str, **given: Any) -> Any:
        """Speak to the server itself."""
        body = json.dumps(given).encode()
        request = urllib.request.Request(f"{self.url}/athena-test/{what}", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())

    def stop(self) -> None:
        """End it, and the Trino below it."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def attach(url: str) -> Server:
    """Use a server that runs already."""
    server = Server(url, "", "", None)
    told = server.control("status")
    server.engine_name, server.trino_url = told["engine"], told["trino"]
    return server


def start(engine: str = "trino", *, lake: Path | None = None) -> Server:
    """Start a server; raise RuntimeError with its last words where it does not."""
    more = ["--lake", str(lake)] if lake else []
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.athena_server", "--engine", engine, "--until-stdin-ends", *more],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    deadline = threading.Timer(240, process.kill)
    deadline.start()
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("READY "):
                _, url, name, trino_url = line.split()
                return Server(url, name, trino_url, process)
    finally:
        deadline.cancel()
    process.wait()
    raise RuntimeError("The Athena of the tests did not start: " + "".join(said[-20:]))


@contextlib.contextmanager
def serve(engine: str = "trino", *, lake: Path | None = None) -> Iterator[Server]:
    """Run a server for the length of a block."""
    server = start(engine, lake=lake)
    try:
        yield server
    finally:
        server.stop()
