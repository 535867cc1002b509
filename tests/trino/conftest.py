"""The clients' tests count the calls that they check, and the run says how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def _counted(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    counted: Counter[str] = Counter()
    yield counted
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and counted:
        per = Counter(name.partition(".")[0] for name in counted.elements())
        shown = ", ".join(f"{n} of {name}" for name, n in sorted(per.items()))
        reporter.write_line(f"\nclient calls checked: {counted.total()} ({len(counted)} different: {shown})")


@pytest.fixture
def call(_counted: Counter[str]) -> Call:
    """Call a client's function and count it: call(wr.athena.read_sql_query, ...)."""

    def counting(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        module = getattr(function, "__module__", "") or type(getattr(function, "__self__", function)).__module__
        _counted[f"{module.partition('.')[0]}.{getattr(function, '__qualname__', function)}"] += 1
        return function(*given, **named)

    return counting
