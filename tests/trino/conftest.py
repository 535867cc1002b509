"""The clients' tests count the calls that they check, and the run says how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Call = Callable[..., Any]
_counted: Counter[str] = Counter()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many calls of which clients were checked."""
    if _counted:
        per = Counter(name.partition(".")[0] for name in _counted.elements())
        shown = ", ".join(f"{n} of {name}" for name, n in sorted(per.items()))
        terminalreporter.write_line(f"Client calls checked: {_counted.total()} ({len(_counted)} functions; {shown}).")


@pytest.fixture
def call() -> Call:
    """Call a client's function and count it: call(wr.athena.read_sql_query, ...)."""

    def counting(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        module = getattr(function, "__module__", "") or type(getattr(function, "__self__", function)).__module__
        _counted[f"{module.partition('.')[0]}.{getattr(function, '__qualname__', function)}"] += 1
        return function(*given, **named)

    return counting
