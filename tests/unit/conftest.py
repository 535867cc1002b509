"""An S3 of one's own that counts what it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datalake_kit.irradiance.reading import s3_source
from tests.s3 import use_s3
from tests.s3_counting import CountingS3, counting_s3


@pytest.fixture(scope="module")
def server() -> Iterator[CountingS3]:
    """A server for the tests of a file."""
    with counting_s3() as running:
        yield running


@pytest.fixture
def forgotten(server: CountingS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is the S3 of this test, and neither it nor the package remembers an earlier one."""
    use_s3(monkeypatch, server.endpoint)
    server.forget()
    s3_source._ranges_cost.clear()
