"""Read Apache Hudi tables exactly: their rows, now or as of a moment, their commits and their health.

>>> dk.hudi.read(lake, "taxi.table_1", columns=["PK_ID", "TOTAL_AMOUNT"])     # doctest: +SKIP
>>> dk.hudi.timeline(lake, "taxi.table_1")                                    # doctest: +SKIP
>>> dk.hudi.health(lake, "taxi.table_1").findings                             # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from datalake_kit.hudi.snapshot import Snapshot, open_snapshot

if TYPE_CHECKING:
    from datalake_kit.hudi.checkup import health
    from datalake_kit.hudi.findings import Health
    from datalake_kit.hudi.history import timeline
    from datalake_kit.hudi.net_changes import changes
    from datalake_kit.hudi.reading import batches, count, read

__all__ = ["Health", "Snapshot", "batches", "changes", "count", "health", "open_snapshot", "read", "timeline"]

# No module may have the name of a verb: importing it would put the module in the verb's place.
_HOME = {
    "Health": "findings",
    "batches": "reading",
    "changes": "net_changes",
    "count": "reading",
    "health": "checkup",
    "read": "reading",
    "timeline": "history",
}


def __getattr__(name: str) -> Any:
    """Load the verbs when first asked for: the lake's engine imports this package to open snapshots."""
    if name in _HOME:
        value = getattr(importlib.import_module(f"datalake_kit.hudi.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'datalake_kit.hudi' has no attribute {name!r}")
