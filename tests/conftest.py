"""Every test starts from a clean environment: no configured lake, no AWS credentials, no display."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

os.environ["MPLBACKEND"] = "Agg"
DATA = Path(__file__).parent / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the notebooks: their files are the longest, and one that begins last would be waited for."""
    items.sort(key=lambda item: "notebooks" not in item.path.parts)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("DATALAKE_KIT_", "AWS_")) and not name.startswith("DATALAKE_KIT_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def data() -> Path:
    """Files that tests read: real tables, documents, recorded answers."""
    return DATA


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole demo lake, built once a run by whichever process needs it first; read it, do not change it."""
    from datalake_kit.demo import build_demo

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # the workers' folders lie side by side
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_demo(shared / "demo" / "lake", progress=False)  # what is there is not built again
