"""One lake for each engine, with the same tables in it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from datalake_kit.lake import Lake, connect
from tests.contract.tables import write_lake

ATHENA = "DATALAKE_KIT_TEST_ATHENA"


# Athena is asked where an address is given; test_athena_was_asked says so where none is.
ENGINES = ["duckdb", *([pytest.param("athena", marks=pytest.mark.external)] if os.environ.get(ATHENA) else [])]


@pytest.fixture(scope="session", params=ENGINES)
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake whose database `shop` holds `orders` and `customers`."""
    if request.param == "athena":
        with connect(os.environ[ATHENA]) as opened:
            yield opened
        return
    with connect(write_lake(tmp_path_factory.mktemp("contract"))) as opened:
        yield opened
