"""One lake for each engine, with the same tables in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datalake_kit.lake import Lake, connect
from tests.athena_server import Server
from tests.contract.tables import write_lake

ENGINES = ["duckdb", pytest.param("athena", marks=pytest.mark.external)]


@pytest.fixture(scope="session")
def contract_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables as a folder."""
    return write_lake(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="session")
def contract_server(athena_server: Server, contract_folder: Path) -> Server:
    """The Athena of the tests with the same tables."""
    from tests.athena_server.lakes import register

    if "contract" not in athena_server.marks:
        register(contract_folder, athena_server.url)
        athena_server.mark("contract")
    return athena_server


@pytest.fixture(scope="session")
def opened() -> Iterator[dict[str, Lake]]:
    """The lakes, each opened once."""
    lakes: dict[str, Lake] = {}
    yield lakes
    for lake in lakes.values():
        lake.close()


@pytest.fixture(params=ENGINES)
def lake(request: pytest.FixtureRequest, opened: dict[str, Lake], monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose database `shop` holds `orders` and `customers`."""
    if request.param == "duckdb":
        folder = request.getfixturevalue("contract_folder")
        return opened.setdefault("duckdb", connect(folder))
    server: Server = request.getfixturevalue("contract_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    if "athena" not in opened:
        opened["athena"] = connect("athena://primary?region=us-east-1")
    return opened["athena"]
