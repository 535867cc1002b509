"""What is installed, which lake is meant, can it be reached, which tables does it have."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from importlib import metadata
from typing import Any

from datalake_kit import __version__
from datalake_kit.config import ENVIRONMENT_NAME, find_file
from datalake_kit.errors import DatalakeKitError
from datalake_kit.lake import Lake, connect

NEEDED = ("pandas", "pyarrow", "duckdb", "sqlglot", "fastavro", "netCDF4", "h5py", "xarray", "matplotlib", "pvlib")
AWS = ("pyathena", "boto3", "awswrangler")
NOTEBOOKS = ("jupyterlab", "papermill", "nbconvert", "ipykernel")


def examine(target: str | None) -> dict[str, Any]:
    """Return what was found: versions, the lake, each step that was tried, and the same as lines of text."""
    packages = {name: _version(name) for name in (*NEEDED, *AWS, *NOTEBOOKS)}
    report: dict[str, Any] = {
        "datalake_kit": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "packages": packages,
        "lake_from": _origin(target),
        "lake": None,
        "steps": [],
        "tables": [],
    }
    steps = report["steps"]
    missing = [n for n in (*NEEDED, *AWS) if packages[n] is None]
    steps.append(_step("packages", not missing, f"missing: {', '.join(missing)}" if missing else "all installed"))
    lake = _try(steps, "lake", lambda: connect(target))
    if lake is not None:
        with lake:
            report["lake"] = repr(lake)
            _check_aws(lake, steps)
            _try(steps, "query", lambda: lake.sql("SELECT 1 AS one"))
            report["tables"] = _tables(lake, steps)
    report["ok"] = all(s["ok"] for s in steps)
    report["lines"] = _lines(report)
    return report


def _check_aws(lake: Lake, steps: list[dict[str, Any]]) -> None:
    """Try each step on the way to Athena by itself, so that the one that fails is named."""
    if lake.engine_name != "athena":
        return
    from datalake_kit.engines.athena import AthenaEngine
    from datalake_kit.engines.athena.checkup import steps as on_the_way

    if isinstance(lake.engine, AthenaEngine):
        for name, look in on_the_way(lake.engine):
            _try(steps, name, look)


def _tables(lake: Lake, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    listed = _try(steps, "tables", lake.tables)
    if listed is None:
        return []
    found = []
    for row in listed.itertuples():
        name = f"{row.database}.{row.table}"
        table = _try(steps, name, lambda database=row.database, name=row.table: lake.tables[database][name])
        found.append({"table": name, "format": row.format, "columns": len(table.columns) if table else None})
    return found


def _try(steps: list[dict[str, Any]], name: str, act: Any) -> Any:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        try:
            result = act()
        except DatalakeKitError as error:
            steps.append(_step(name, False, str(error)))
            return None
    warned = "; ".join(str(w.message) for w in said if w.category is UserWarning)
    steps.append(_step(name, True, result if isinstance(result, str) else warned))
    return result


def _step(name: str, ok: bool, detail: str) -> dict[str, Any]:
    return {"step": name, "ok": ok, "detail": detail}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _origin(target: str | None) -> str:
    if target:
        return "argument"
    if os.environ.get(ENVIRONMENT_NAME):
        return f"environment variable {ENVIRONMENT_NAME}"
    file = find_file()
    return f"default of {file}" if file else "nothing names a lake"


def _lines(report: dict[str, Any]) -> list[str]:
    lines = [f"datalake_kit {report['datalake_kit']}, Python {report['python']} ({report['executable']})"]
    lines += [f"  {name:<12} {version or 'not installed'}" for name, version in report["packages"].items()]
    lines.append(f"lake: {report['lake'] or 'none'} (from {report['lake_from']})")
    columns = {t["table"]: f"{t['format']}, {t['columns']} columns" for t in report["tables"]}
    for step in report["steps"]:
        detail = step["detail"] or columns.get(step["step"], "")
        lines.append(f"  {'ok  ' if step['ok'] else 'FAIL'} {step['step']}{': ' + detail if detail else ''}")
    lines.append("Everything works." if report["ok"] else "Something does not work: see FAIL above.")
    return lines
