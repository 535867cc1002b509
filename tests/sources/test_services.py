"""The servers that tests and `make services` start."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import services
from tests.sources.conftest import service


def missing() -> services.Service:
    raise services.ServiceMissingError("quilld is not installed (Debian: apt install quill)")


def test_a_server_that_is_not_installed_is_skipped_and_in_ci_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(services.STARTERS, "quill", missing)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="quilld is not installed"):
        next(service("quill"))
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="in CI these tests must run"):
        next(service("quill"))


@pytest.mark.external
@pytest.mark.usefixtures("postgresql", "mariadb")
def test_the_command_starts_and_stops_both() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kit-"))  # the servers may enter it, unlike tmp_path

    def run(command: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, services.__file__, command, str(folder)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    started = run("start")
    addresses = [word for word in started.stdout.split() if "://" in word]
    ports = [urlsplit(a).port for a in addresses]
    assert started.returncode == 0, started.stdout + started.stderr
    assert [urlsplit(a).scheme for a in addresses] == ["postgresql", "mysql"]
    for port in ports:
        socket.create_connection(("127.0.0.1", port or 0), timeout=5).close()
    assert run("start").returncode == 1  # they run already
    stopped = run("stop")
    assert stopped.stdout.splitlines() == ["PostgreSQL is stopped.", "MariaDB is stopped."]
    for port in ports:
        with pytest.raises(OSError):  # noqa: PT011
            socket.create_connection(("127.0.0.1", port or 0), timeout=5)
    assert list(folder.iterdir()) == []
    folder.rmdir()
