"""Queries that run now, and how they are cancelled when this process ends.

Ctrl-C is dealt with where the query is waited for. Here: the end of Python (atexit) and SIGTERM, by which a notebook's
kernel is shut down. A process that is killed outright (SIGKILL, a lost machine) can cancel nothing; the query then runs
to its end, or to the limits of its workgroup.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE_SECONDS = 10.0  # how long a dying process tries to cancel

_running: dict[str, Callable[[], Any]] = {}
_lock = threading.RLock()


def add(query_id: str, stop: Callable[[], Any]) -> None:
    """Remember a query as running; `stop` cancels it and may be called from any thread."""
    with _lock:
        _running[query_id] = stop


def remove(query_id: str) -> None:
    """Forget a query that is at its end."""
    with _lock:
        _running.pop(query_id, None)


def cancel_all() -> None:
    """Cancel every query that runs; what fails is left, for the process ends."""
    with _lock:
        stops = list(_running.values())
        _running.clear()
    for stop in stops:
        with contextlib.suppress(Exception):
            stop()


@contextlib.contextmanager
def heeding_sigterm() -> Iterator[None]:
    """Let SIGTERM cancel what runs before it does what it did; outside the main thread, leave signals alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is None or before is signal.SIG_IGN:
        yield
        return

    def end(number: int, frame: Any) -> None:
        # In a thread: the main thread may hold a lock of the HTTP client just now.
        helper = threading.Thread(target=cancel_all, daemon=True)
        helper.start()
        helper.join(PATIENCE_SECONDS)
        signal.signal(signal.SIGTERM, before)
        if callable(before):
            before(number, frame)
        else:
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)


atexit.register(cancel_all)
