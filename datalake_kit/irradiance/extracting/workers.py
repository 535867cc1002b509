"""Days side by side: in this process and others that it starts, in threads, or in an executor of the caller's.

The processes are plain ones: Python started anew with a socket to talk through. They never import the caller's script
again and are no copies of this process, so the same call works in a script without a guard, in a notebook, from
standard input, and in a process of a pool. This process reads days as well: a short run is over before the others have
loaded what they need, and is not slower for them.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from datalake_kit.errors import DataError
from datalake_kit.irradiance.extracting.days import DayJob, extract_day
from datalake_kit.irradiance.extracting.worker import READY, WAY_OUT
from datalake_kit.irradiance.stored.daily import DayManifest
from datalake_kit.storage.s3_client import profiles

__all__ = ["Outcome", "Outcomes", "Team"]

Outcome = tuple[DayManifest, int]
Outcomes = Generator[tuple[DayJob, Outcome]]

_START = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve({descriptor})"
_MODULE = "datalake_kit.irradiance.extracting.worker"
_LOOK_EVERY = 0.5  # seconds; a process that dies closes its socket, so this is for the rare one that cannot


class Team:
    """This process and others, which read days together. Use it in a `with` block: no process outlives it.

    Parameters
    ----------
    processes : int
        How many together, this one included.
    """

    def __init__(self, processes: int) -> None:
        self.problem = ""
        self._others: list[_Other] = []
        for _ in range(processes - 1):
            try:
                self._others.append(_Other())
            except (OSError, ValueError) as error:
                self.problem = f"another process could not be started: {error}"
                break

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        for other in self._others:
            other.end()

    @property
    def said(self) -> str:
        """Who read the days, in words; and why it was this process alone, where more were wanted."""
        helped = sum(o.days > 0 for o in self._others)
        problem = self.problem or next((f"another process failed: {o.failed}" for o in self._others if o.failed), "")
        text = f"{1 + helped} processes" if helped else "1 process"
        return f"{text} ({problem})" if problem else text

    def run(self, jobs: list[DayJob]) -> Outcomes:
        """Give each day's outcome as it comes, in any order.

        Raises
        ------
        DataError
            A process ended while it read a day; the day is named.
        """
        todo, done = deque(jobs), SimpleQueue[tuple[DayJob, Any]]()
        for other in self._others:
            other.take_from(todo, done)
        for _ in range(len(jobs)):
            job, outcome = self._next(todo, done)
            if isinstance(outcome, BaseException):
                raise outcome
            yield job, outcome

    def _next(self, todo: deque[DayJob], done: SimpleQueue[tuple[DayJob, Any]]) -> tuple[DayJob, Any]:
        with contextlib.suppress(Empty):
            return done.get_nowait()
        try:
            job = todo.popleft()
        except IndexError:
            return done.get()
        return job, extract_day(job)


class _Other:
    """Another process, and the thread of this one that feeds it."""

    def __init__(self) -> None:
        if not sys.executable:
            raise ValueError("this Python does not know its own program (sys.executable is empty)")
        self.days = 0
        self.failed = ""
        self._ready = False
        self._thread: threading.Thread | None = None
        with contextlib.ExitStack() as opened:
            self._words = opened.enter_context(tempfile.TemporaryFile())
            ours, theirs = Pipe()
            self._line: Connection[Any, Any] = opened.enter_context(ours)
            with theirs:
                self._process = _start(theirs.fileno(), self._words)
            self._line.send(profiles())
            self._opened = opened.pop_all()

    def take_from(self, todo: deque[DayJob], done: SimpleQueue[tuple[DayJob, Any]]) -> None:
        """Begin to read days of a queue, as soon as the process is ready."""
        self._thread = threading.Thread(target=self._feed, args=(todo, done), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        if self._thread is not None:
            self._thread.join()
        self._opened.close()

    def _feed(self, todo: deque[DayJob], done: SimpleQueue[tuple[DayJob, Any]]) -> None:
        try:
            self._ready = self._ready or self._receive() == READY
        except (EOFError, OSError):
            self.failed = self._last_words()
            return
        while todo:
            try:
                job = todo.popleft()
            except IndexError:
                return
            done.put((job, self._ask(job)))
            self.days += 1

    def _ask(self, job: DayJob) -> Any:
        try:
            self._line.send(job)
            return self._receive()
        except (EOFError, OSError):
            return DataError(f"The process that read the day {job.day} ended: {self._last_words()}.")
        except Exception as error:  # noqa: BLE001 - pickle raises anything for what it cannot send
            return DataError(f"The day {job.day} cannot be read by another process: {error}. {WAY_OUT}")

    def _receive(self) -> Any:
        while not self._line.poll(_LOOK_EVERY):
            if self._process.poll() is not None:
                raise EOFError
        return self._line.recv()

    def _last_words(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it does not answer"
        self._words.seek(0)
        lines = self._words.read().decode("utf-8", "replace").strip().splitlines()
        how = f"killed by signal {-code} (9: often for want of memory)" if code < 0 else f"exit code {code}"
        return f"{how}{': ' + lines[-1] if lines else ''}"


def _start(descriptor: int, words: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start Python with one end of a socket; what it prints goes to a file."""
    path = [str(Path(p).absolute()) for p in sys.path]
    code = _START.format(path=path, module=_MODULE, descriptor=descriptor)
    return subprocess.Popen(  # noqa: S603 - this Python, and nothing from outside
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=words, stderr=words, pass_fds=(descriptor,)
    )
