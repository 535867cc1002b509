"""Every curated notebook runs against Athena as it does on the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datalake_kit.runs import notebook_names, run_notebook
from tests.athena.conftest import ADDRESS
from tests.athena_server import Server

pytestmark = [pytest.mark.external, pytest.mark.slow]


def parameters(name: str, folder: Path) -> dict[str, Any]:
    """What a lake without a folder of its own must be told: where the files lie that are no tables."""
    raw = folder / "_raw"
    if name.startswith("1"):
        return {"staging": str(raw / "staging")}
    if name.startswith("30"):
        satellite = raw / "satellite"
        names = {
            "day_files": "disk",
            "day_points": "disk_points.csv",
            "month_files": "alps",
            "month_points": "alps_points.csv",
        }
        return {key: str(satellite / value) for key, value in names.items()}
    return {}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", notebook_names())
def test_notebook(name: str, demo_athena: Server, demo_lake: Path, tmp_path: Path) -> None:
    result = run_notebook(name, tmp_path, lake=ADDRESS, **parameters(name, demo_lake))
    assert result.status == "passed", result.sentence
    asked = [operation for operation, _ in demo_athena.requests]
    assert any(operation.startswith(("GetTable", "StartQuery")) for operation in asked) or name.startswith("30")
