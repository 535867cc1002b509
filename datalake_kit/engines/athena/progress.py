"""How a running query is shown: one line in a terminal, one display in a notebook, or a function of the user's own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from datalake_kit.engines.athena.costs import shown_bytes
from datalake_kit.engines.base import Progress, QueryStats

AFTER_SECONDS = 1.0  # a query that is done sooner shows nothing


def line(stats: QueryStats) -> str:
    """Write state, seconds, bytes and cost of a query in one line."""
    read = f", {shown_bytes(stats.bytes_scanned)} read" if stats.bytes_scanned is not None else ""
    cost = f", {stats.cost:.4f} USD" if stats.cost is not None else ""
    return f"Athena {stats.state.lower()}: {stats.seconds:.0f} s{read}{cost}"


class Shown:
    """Shows a query while it runs; `close` takes the line away again."""

    def __init__(self, progress: Progress) -> None:
        self._show = _way(progress)
        self._after = 0.0 if callable(progress) else AFTER_SECONDS
        self._began = time.perf_counter()
        self._shown = False

    def update(self, stats: QueryStats) -> None:
        """Show how the query stands."""
        if self._show is not None and time.perf_counter() - self._began >= self._after:
            self._shown = True
            self._show(stats)

    def close(self) -> None:
        """End the line."""
        if self._shown and isinstance(self._show, (_Line, _Display)):
            self._show.clear()
        self._shown = False


class _Line:
    """One line of a terminal, written over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, stats: QueryStats) -> None:
        self._stream.write(f"\r\033[K{line(stats)}")
        self._stream.flush()

    def clear(self) -> None:
        self._stream.write("\r\033[K")
        self._stream.flush()


class _Display:
    """One display of a notebook, changed in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, stats: QueryStats) -> None:
        from IPython.display import display

        shown = {"text/plain": line(stats)}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def clear(self) -> None:
        self._handle.update({"text/plain": ""}, raw=True)
        self._handle = None


def _way(progress: Progress) -> Callable[[QueryStats], None] | None:
    if callable(progress):
        return progress
    notebook = _in_notebook()
    if progress is False or (progress is None and not notebook and not sys.stderr.isatty()):
        return None
    return _Display() if notebook else _Line(sys.stderr)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")  # it is loaded where a notebook runs; it is not loaded to ask
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
