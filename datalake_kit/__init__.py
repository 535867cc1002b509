"""Load, prove and draw the data of an AWS data lake.

>>> import datalake_kit as dk
>>> with dk.connect("demo-lake") as lake:          # doctest: +SKIP
...     lake.sql("SELECT count(*) AS n FROM taxi.table_1")

Modules load when first used: `dk.hudi`, `dk.cdc`, `dk.jira`, `dk.irradiance`, `dk.plots`, `dk.storage`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from datalake_kit import errors

if TYPE_CHECKING:
    from datalake_kit import cdc, hudi, irradiance, jira, plots, storage
    from datalake_kit.demo import build_demo
    from datalake_kit.lake import Lake, Table, connect
    from datalake_kit.latest import latest_records
    from datalake_kit.runs import conclude, run_notebook
    from datalake_kit.sql.lint import check_sql

__version__ = "0.1.0"

__all__ = [
    "Lake",
    "Table",
    "build_demo",
    "cdc",
    "check_sql",
    "conclude",
    "connect",
    "errors",
    "hudi",
    "irradiance",
    "jira",
    "latest_records",
    "plots",
    "run_notebook",
    "storage",
]

_MODULES = {"cdc", "hudi", "irradiance", "jira", "plots", "storage"}
_NAMES = {
    "Lake": "lake",
    "Table": "lake",
    "connect": "lake",
    "build_demo": "demo",
    "conclude": "runs",
    "run_notebook": "runs",
    "latest_records": "latest",
    "check_sql": "sql.lint",
}


def __getattr__(name: str) -> Any:
    """Load a module or a name when it is first asked for, so that the import stays fast."""
    if name in _MODULES:
        return importlib.import_module(f"datalake_kit.{name}")
    if name in _NAMES:
        value = getattr(importlib.import_module(f"datalake_kit.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'datalake_kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
