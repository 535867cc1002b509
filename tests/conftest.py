"""Every test starts from a clean environment: no configured lake, no AWS credentials, no display."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.athena_server import Server

os.environ["MPLBACKEND"] = "Agg"
DATA = Path(__file__).parent / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the notebooks: their files are the longest, and one that begins last would be waited for."""
    items.sort(key=lambda item: "notebooks" not in item.path.parts)


EXTERNAL_FLOOR = 440  # cases that need a Trino, a database or a browser; a whole run in CI with fewer has lost some


def _external(config: pytest.Config) -> tuple[int, list[str]]:
    """How many cases that need a component outside ran, and those that were skipped with their reason."""
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    ran = [r for k in ("passed", "failed") for r in stats.get(k, []) if "external" in r.keywords and r.when == "call"]
    left_out = [r for r in stats.get("skipped", []) if "external" in r.keywords]
    return len(ran), [f"{r.nodeid}: {r.longrepr[-1] if r.longrepr else ''}" for r in left_out]


def _is_whole(config: pytest.Config) -> bool:
    chosen = config.option.keyword or config.option.markexpr or config.option.lf
    return not chosen and config.args == config.getini("testpaths")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let a whole run in CI fail that left out cases which need a Trino, a database or a browser."""
    config = session.config
    if hasattr(config, "workerinput") or not os.environ.get("CI") or not _is_whole(config):
        return
    ran, left_out = _external(config)
    if left_out or ran < EXTERNAL_FLOOR:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many cases ran that need a component outside."""
    ran, left_out = _external(config)
    if not ran and not left_out:
        return
    terminalreporter.write_line(f"Cases with a real Trino, database or browser: {ran} ran, {len(left_out)} left out.")
    if os.environ.get("CI") and _is_whole(config) and (left_out or ran < EXTERNAL_FLOOR):
        terminalreporter.write_line(f"In CI at least {EXTERNAL_FLOOR} must run and none be left out:", red=True)
        for one in left_out:
            terminalreporter.write_line(f"  {one}")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("DATALAKE_KIT_", "AWS_")) and not name.startswith("DATALAKE_KIT_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(scope="session")
def real_trino() -> None:
    """Go on only where Trino can run; in CI it must."""
    from tests.trino.launch import missing

    reason = missing()
    if reason and os.environ.get("CI"):
        pytest.fail(f"Trino cannot run: {reason}")
    if reason:
        pytest.skip(f"Trino cannot run: {reason}")


@pytest.fixture(scope="session")
def athena_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The Athena of the tests, one a run: S3 and Glue are shared by all tests, so take names of your own.

    A server that runs already is used where DATALAKE_KIT_TEST_ENDPOINT gives its address.
    """
    from tests.athena_server.server import attach, start
    from tests.trino.launch import missing

    given = os.environ.get("DATALAKE_KIT_TEST_ENDPOINT")
    if given:
        yield attach(given)
        return
    reason = missing()
    if reason and os.environ.get("CI"):
        pytest.fail(f"Trino cannot run: {reason}")
    if reason:
        pytest.skip(f"Trino cannot run: {reason}")
    server = start()
    yield server
    server.stop()


@pytest.fixture
def athena(athena_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The Athena of the tests, with the variables set by which every AWS client finds it."""
    for name, value in athena_server.environment.items():
        monkeypatch.setenv(name, value)
    athena_server.faults.clear()
    return athena_server


@pytest.fixture(scope="session")
def _demo_uploaded(athena_server: Server, demo_lake: Path) -> Server:
    from tests.athena_server.lakes import register

    if "demo_uploaded" not in athena_server.marks:
        register(demo_lake, athena_server.url)
        athena_server.mark("demo_uploaded")
    return athena_server


@pytest.fixture
def demo_athena(_demo_uploaded: Server, athena: Server) -> Server:
    """The same with the demo lake on s3://lake and in Glue: connect("athena://primary?region=us-east-1")."""
    return athena


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
