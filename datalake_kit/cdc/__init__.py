"""Prove that replication lost nothing: DMS files, the state they lead to, and the lake against it.

>>> check = dk.cdc.validate(lake, ["taxi.table_1"])          # doctest: +SKIP
>>> check.ok, check.sentence                                 # doctest: +SKIP
"""

from __future__ import annotations

from datalake_kit.cdc.dms import files
from datalake_kit.cdc.lake_side import row_counts
from datalake_kit.cdc.records import history
from datalake_kit.cdc.replay import Expected, expected
from datalake_kit.cdc.result import Validation
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.source import open_source
from datalake_kit.cdc.validation import validate

__all__ = [
    "DmsSettings",
    "Expected",
    "Validation",
    "expected",
    "files",
    "history",
    "open_source",
    "row_counts",
    "validate",
]
