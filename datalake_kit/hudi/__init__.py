"""Read Apache Hudi tables exactly: their rows, now or as of a moment, and their commits.

>>> dk.hudi.read(lake, "taxi.table_1", columns=["PK_ID", "TOTAL_AMOUNT"])     # doctest: +SKIP
>>> dk.hudi.timeline(lake, "taxi.table_1")                                    # doctest: +SKIP
"""

from __future__ import annotations

from datalake_kit.hudi.snapshot import Snapshot, open_snapshot

__all__ = ["Snapshot", "open_snapshot"]
