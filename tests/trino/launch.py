"""A real Trino in one process, for tests: built from Maven Central once, kept in the user's cache folder.

    python -m tests.trino.launch stdin < statements.jsonl      # one JSON object a line in, one a line out
    python -m tests.trino.launch serve 8080                    # HTTP on 127.0.0.1:8080

Needs a JDK 25 (found through JAVA_HOME_25, JAVA_HOME, the java on the path and its neighbours) and Maven. Version 483
has new decimal arithmetic and a new coercion of varchar to char; Athena engine version 3 is older, so the old ones
are set.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION = "483"
HERE = Path(__file__).parent / "java"
SOURCE = HERE / "localtrino" / "LocalTrino.java"
MAIN = "localtrino.LocalTrino"
KEY = "trino"  # the access key that Trino shows to S3 and Glue
PROPERTIES = (
    "deprecated.legacy-arithmetic-decimal-operators=true;deprecated.legacy-varchar-to-char-coercion=true;"
    "query.max-length=1000000"
)
JAVA_OPTIONS = [
    "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector", "-Djdk.attach.allowAttachSelf=true", "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
]  # fmt: skip


class TrinoMissingError(Exception):
    """Trino cannot run here; says what is missing."""


@dataclass
class Trino:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def missing() -> str | None:
    """Return why Trino cannot run here, or None."""
    try:
        _jdk()
    except TrinoMissingError as error:
        return str(error)
    if shutil.which("mvn") is None and not _built():
        return "Maven is not installed (Debian: apt install maven)"
    return None


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command line of the server, building it first where that was not done yet."""
    jdk, cache = _jdk(), _cache()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _built():
            _build(jdk, cache)
    classes = f"{cache / 'classes'}:{(cache / 'classpath').read_text(encoding='utf-8').strip()}"
    return [str(jdk / "bin" / "java"), *JAVA_OPTIONS, "-cp", classes, MAIN, *arguments]


def stdin_command() -> list[str]:
    """Return the command that takes statements as JSON lines and answers them: DATALAKE_KIT_TEST_TRINO, or this one."""
    given = os.environ.get("DATALAKE_KIT_TEST_TRINO")
    return shlex.split(given) if given else [sys.executable, "-m", "tests.trino.launch", "stdin"]


def environment(**more: str) -> dict[str, str]:
    """Return the environment of the server."""
    return {**os.environ, "LOCAL_TRINO_PROPS": PROPERTIES, "LOCAL_TRINO_AWS_KEY": KEY, **more}


@contextlib.contextmanager
def trino(folder: Path, *, endpoint: str | None = None, more: Mapping[str, str] | None = None) -> Iterator[Trino]:
    """Run a server: over S3 and Glue at `endpoint`, or over `folder` alone."""
    started = start_trino(folder, endpoint=endpoint, more=more)
    try:
        yield started
    finally:
        started.stop()


def start_trino(folder: Path, *, endpoint: str | None = None, more: Mapping[str, str] | None = None) -> Trino:
    """Start a server on a free port and wait until it answers.

    Parameters
    ----------
    folder
        A folder of the server's own; without an endpoint it is the lake.
    endpoint
        Where S3 and Glue are.
    more
        Further variables of its environment.

    Raises
    ------
    TrinoMissingError
        Java 25 or Maven is missing, or the server did not start; with its last words.
    """
    settings = {"LOCAL_TRINO_LAKE": str(folder), "LOCAL_TRINO_PARENT": str(os.getpid()), **(more or {})}
    if endpoint:
        settings["LOCAL_TRINO_AWS_ENDPOINT"] = endpoint
    process = subprocess.Popen(
        command(["serve", "0"]),
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    deadline = threading.Timer(180, process.kill)
    deadline.start()
    try:
        for line in process.stderr:
            said.append(line)
            ready = re.match(r"READY (\S+)", line)
            if ready:
                threading.Thread(target=_drain, args=(process,), daemon=True).start()
                return Trino(ready[1].rstrip("/"), process)
    finally:
        deadline.cancel()
    process.wait()
    raise TrinoMissingError("Trino did not start: " + "".join(said[-20:]))


def _drain(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ValueError):  # closed by stop()
        for _ in process.stderr or ():
            pass


def _jdk() -> Path:
    named = [os.environ.get("JAVA_HOME_25"), os.environ.get("JAVA_HOME")]
    on_path = shutil.which("java")
    around = Path(on_path).resolve().parent.parent.parent if on_path else Path("/usr/lib/jvm")
    candidates = [Path(n) for n in named if n] + sorted(around.glob("*25*")) + sorted(Path("/usr/lib/jvm").glob("*25*"))
    for candidate in candidates:
        if (candidate / "bin" / "javac").exists() and _release(candidate).startswith("25"):
            return candidate
    raise TrinoMissingError("no JDK 25 found; set JAVA_HOME_25 to one")


def _release(jdk: Path) -> str:
    release = jdk / "release"
    text = release.read_text(encoding="utf-8") if release.exists() else ""
    found = re.search(r'JAVA_VERSION="([^"]+)"', text)
    return found[1] if found else ""


def _cache() -> Path:
    base = os.environ.get("DATALAKE_KIT_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "datalake-kit-tests" / f"trino-{VERSION}"


def _stamp() -> str:
    return hashlib.sha256(SOURCE.read_bytes() + (HERE / "pom.xml").read_bytes()).hexdigest()


def _built() -> bool:
    stamp, paths = _cache() / "stamp", _cache() / "classpath"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != _stamp():
        return False
    return all(Path(jar).exists() for jar in paths.read_text(encoding="utf-8").strip().split(":"))


def _build(jdk: Path, cache: Path) -> None:
    """Fetch the jars and compile the one class."""
    (cache / "classes").mkdir(exist_ok=True)
    paths = cache / "classpath"
    fetch = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), f"-Dtrino.version={VERSION}", "dependency:build-classpath"]
    _run([*fetch, f"-Dmdep.outputFile={paths}"], JAVA_HOME=str(jdk))
    compile_ = [
        str(jdk / "bin" / "javac"),
        "-nowarn",
        "--release",
        "25",
        "-cp",
        paths.read_text(encoding="utf-8").strip(),
    ]
    _run([*compile_, "-d", str(cache / "classes"), str(SOURCE)])
    (cache / "stamp").write_text(_stamp(), encoding="utf-8")


def _run(words: Sequence[str], **more: str) -> None:
    try:
        done = subprocess.run(words, env={**os.environ, **more}, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise TrinoMissingError("Maven is not installed (Debian: apt install maven)") from None
    if done.returncode:
        raise TrinoMissingError(f"{words[0]} failed: {(done.stdout + done.stderr)[-2000:]}")


def main() -> None:
    """Become the server."""
    words = command(sys.argv[1:] or ["stdin"])
    os.execve(words[0], words, environment())


if __name__ == "__main__":
    main()
