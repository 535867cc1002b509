"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever the program happens to be. Within a callback of a library (a weak reference of
h5py's that goes, a function that HDF5 calls) it is printed and forgotten, or comes out as another error, which would
make a good file a rejected one. So it is noted as well, and looked at before a day is written and after each day.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["is_interrupted", "note_interrupts", "stop_if_interrupted"]

_noted = threading.Event()


@contextlib.contextmanager
def note_interrupts() -> Iterator[None]:
    """Note Ctrl-C in this block, in the main thread where Python's own handler is in charge; elsewhere do nothing."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    _noted.clear()
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _noted.clear()


def stop_if_interrupted() -> None:
    """Raise what was noted.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C was pressed since the block began.
    """
    if is_interrupted():
        raise KeyboardInterrupt


def is_interrupted() -> bool:
    """Whether Ctrl-C was pressed since the block began."""
    return _noted.is_set()


def _note(number: int, frame: FrameType | None) -> None:
    _noted.set()
    signal.default_int_handler(number, frame)
