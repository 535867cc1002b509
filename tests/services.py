"""A real PostgreSQL and a real MariaDB on free ports under a temporary folder, for tests and for trying things out.

    python tests/services.py start [FOLDER]     # start both, print their addresses and how to stop them
    python tests/services.py stop [FOLDER]      # stop them and remove their data

Debian's packages: postgresql, mariadb-server. Neither server's own data is touched. As root each server runs as the
user of its package, because PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
USER, PASSWORD, DATABASE = "kit", "s3cret/p@ss:word", "shop"
STATE = "services.json"
WAIT_SECONDS = 60


class ServiceMissingError(RuntimeError):
    """The programs of a server are not installed."""


@dataclass(frozen=True)
class Service:
    """One running server."""

    name: str
    scheme: str
    port: int
    process: int
    folder: str

    @property
    def url(self) -> str:
        """Its address, with user and password."""
        return self.url_of(USER, PASSWORD)

    def url_of(self, user: str, password: str, database: str = DATABASE) -> str:
        """An address for another user, password or database."""
        return f"{self.scheme}://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End the server and remove its data."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGQUIT if self.name == "PostgreSQL" else signal.SIGKILL)
        _wait(lambda: not _alive(self.process), f"{self.name} does not stop")
        shutil.rmtree(self.folder, ignore_errors=True)


def start_postgresql(parent: str | Path | None = None) -> Service:
    """Start a PostgreSQL of its own with the user and the database of the tests."""
    programs = _folder_of("postgres", Path("/usr/lib/postgresql").glob("*/bin"), package="postgresql")
    account = _account("postgres")
    folder = _folder(parent, "pg", account)
    data, secret, port = folder / "data", folder / "password", _free_port()
    secret.write_text(PASSWORD)
    _give(secret, account)
    _run(
        [programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8",
         "--locale=C.UTF-8", "--no-sync"], account, folder,
    )  # fmt: skip
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off",
        "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB",
    }  # fmt: skip
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = _spawn([programs / "postgres", "-D", data, *arguments], account, folder)
    service = Service("PostgreSQL", "postgresql", port, process.pid, str(folder))
    _ready(service, process, lambda: _create_postgresql_database(programs, folder, port))
    return service


def _create_postgresql_database(programs: Path, folder: Path, port: int) -> bool:
    command = [programs / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE]
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    done = subprocess.run(command, capture_output=True, env=environment, cwd=folder, check=False)
    return done.returncode == 0


def start_mariadb(parent: str | Path | None = None) -> Service:
    """Start a MariaDB of its own with the user and the database of the tests."""
    server = _folder_of("mariadbd", [Path("/usr/sbin")], package="mariadb-server") / "mariadbd"
    install = _folder_of("mariadb-install-db", [Path("/usr/bin")], package="mariadb-server") / "mariadb-install-db"
    account = _account("mysql")
    folder = _folder(parent, "my", account)
    data, port, begin = folder / "data", _free_port(), folder / "init.sql"
    begin.write_text(
        f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    )
    _give(begin, account)
    _run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db",
         "--skip-log-bin", *([] if account is None else [f"--user={account.pw_name}"])], None, folder,
    )  # fmt: skip
    process = _spawn(
        [server, "--no-defaults", f"--datadir={data}", f"--port={port}", f"--socket={folder}/s", f"--init-file={begin}",
         "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
         "--innodb-buffer-pool-size=512M", "--innodb-doublewrite=0", "--skip-name-resolve"], account, folder,
    )  # fmt: skip
    service = Service("MariaDB", "mysql", port, process.pid, str(folder))
    _ready(service, process, lambda: _answers(port))
    return service


def _answers(port: int) -> bool:
    """Whether a server greets on the port: it does so after the file with the user has run."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return len(connection.recv(4)) == 4
    return False


STARTERS = {"postgresql": start_postgresql, "mariadb": start_mariadb}


@contextlib.contextmanager
def running(name: str) -> Iterator[Service]:
    """A server for the length of a block."""
    service = STARTERS[name]()
    try:
        yield service
    finally:
        service.stop()


# --- programs, accounts, processes


def _folder_of(program: str, places: Any, *, package: str) -> Path:
    found = shutil.which(program)
    if found:
        return Path(found).resolve().parent
    there = [p for p in places if (p / program).exists()]
    if not there:
        raise ServiceMissingError(f"{program} is not installed (Debian: apt install {package})")
    return max(there, key=lambda p: [int(n) if n.isdigit() else 0 for n in p.parts])


def _account(name: str) -> pwd.struct_passwd | None:
    """The account that a server runs as; None for one's own."""
    return pwd.getpwnam(name) if os.geteuid() == 0 else None


def _folder(parent: str | Path | None, prefix: str, account: pwd.struct_passwd | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=parent))
    folder.chmod(0o755)
    _give(folder, account)
    return folder


def _give(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run(command: list[Any], account: pwd.struct_passwd | None, folder: Path) -> None:
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, cwd=folder, check=False, **_as(account)
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}\n{done.stderr}")


def _spawn(command: list[Any], account: pwd.struct_passwd | None, folder: Path) -> subprocess.Popen[bytes]:
    log = (folder / "log").open("wb")
    with log:
        process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            start_new_session=True, **_as(account),
        )  # fmt: skip
    _CHILDREN[process.pid] = process
    return process


def _ready(service: Service, process: subprocess.Popen[bytes], probe: Callable[[], bool]) -> None:
    def answered() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{service.name} ended at once:\n{(Path(service.folder) / 'log').read_text()}")
        return probe()

    try:
        _wait(answered, f"{service.name} does not answer")
    except BaseException:
        service.stop()
        raise


def _wait(done: Callable[[], bool], problem: str) -> None:
    limit = time.monotonic() + WAIT_SECONDS
    while not done():
        if time.monotonic() > limit:
            raise RuntimeError(f"{problem} within {WAIT_SECONDS} s")
        time.sleep(0.05)


def _alive(process: int) -> bool:
    child = _CHILDREN.get(process)
    if child is not None:
        return child.poll() is None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    with contextlib.suppress(OSError):  # ended, and nobody fetched it yet
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    return not state.parent.parent.exists()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the command


def start(folder: Path) -> int:
    """Start every server that is installed."""
    state = folder / STATE
    if state.exists():
        print(f"They run already, by {state}. Stop them first: python tests/services.py stop {folder}")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    services = []
    for name, starter in STARTERS.items():
        try:
            services.append(starter(folder))
        except ServiceMissingError as problem:
            print(f"{name}: {problem}")
    state.write_text(json.dumps([asdict(s) for s in services]))
    for service in services:
        print(f"{service.name:<10} {service.url}")
    print(f"Stop them:  make services-stop   (or python tests/services.py stop {folder})")
    return 0 if len(services) == len(STARTERS) else 1


def stop(folder: Path) -> int:
    """Stop the servers that `start` started."""
    state = folder / STATE
    if not state.exists():
        print(f"None were started under {folder}.")
        return 0
    for told in json.loads(state.read_text()):
        Service(**told).stop()
        print(f"{told['name']} is stopped.")
    state.unlink()
    return 0


def main() -> int:
    """Start or stop."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    default = Path(tempfile.gettempdir()) / f"datalake-kit-services-{os.geteuid()}"
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else default
    if command not in ("start", "stop"):
        print(__doc__)
        return 2
    return start(folder) if command == "start" else stop(folder)


if __name__ == "__main__":
    sys.exit(main())
