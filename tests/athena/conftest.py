"""The demo lake twice: as a folder, and on the Athena of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

ADDRESS = "athena://primary?region=us-east-1"


@pytest.fixture
def folder_lake(demo_lake: Path) -> Iterator[Lake]:
    """The demo lake as a folder."""
    with connect(demo_lake) as lake:
        yield lake


@pytest.fixture
def athena_lake(demo_athena: Server) -> Iterator[Lake]:
    """The same lake on S3, in Glue and behind Athena."""
    with connect(ADDRESS) as lake:
        yield lake
