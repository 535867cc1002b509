"""A small S3 server of the test's own process, with one bucket."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BUCKET = "lake"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hush-hush", "AWS_DEFAULT_REGION": "us-east-1"}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Give the address of a server with an empty bucket `lake`."""
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client(f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def use_s3(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the environment as a user does who reads from this server."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def client(endpoint: str) -> Any:
    """Give a client that puts and takes objects behind the back of the code under test."""
    import boto3

    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint, **keys)


def upload(folder: Path, endpoint: str, key: str) -> str:
    """Put every file of a folder below a key, and return the s3:// address of it."""
    there = client(endpoint)
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        there.put_object(Bucket=BUCKET, Key=f"{key}/{file.relative_to(folder).as_posix()}", Body=file.read_bytes())
    return f"s3://{BUCKET}/{key}"


def hudi_rs_options(endpoint: str) -> dict[str, str]:
    """Give the options by which hudi-rs, the peer in tests, reaches the server."""
    return {
        "aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
        "aws_region": "us-east-1",
        "aws_endpoint": endpoint,
        "aws_allow_http": "true",
    }
