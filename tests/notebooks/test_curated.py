"""Every curated notebook runs on the demo lake, with its defaults and with other parameters."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from datalake_kit import errors
from datalake_kit.runs import notebook_names, run_all, run_notebook, write_index

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


def test_all_pass_on_the_demo_lake_and_the_index_shows_them(demo_lake: Path, tmp_path: Path) -> None:
    results = run_all(notebook_names(), tmp_path / "report", lake=str(demo_lake))
    assert {r.name: r.status for r in results} == dict.fromkeys(notebook_names(), "passed")
    for result in results:
        assert result.picture is not None
        assert result.picture.stat().st_size > 10_000
        assert result.files
        assert result.seconds < 180  # under a minute where nothing else runs
    page = write_index(tmp_path / "report" / "index.html", results, title="t", lead="l").read_text()
    for result in results:
        assert f"{result.name}/main.png" in page
        assert f"{result.name}/{result.name}.html" in page


@pytest.fixture
def taxi_lake(demo_lake: Path, tmp_path: Path) -> Path:
    """A lake of its own with the taxi tables and their staging files, to be damaged."""
    for part in ("taxi", "_raw/staging"):
        shutil.copytree(demo_lake / part, tmp_path / "lake" / part)
    return tmp_path / "lake"


def test_another_file_of_another_table_withheld_is_the_one_that_is_named(
    taxi_lake: Path, tmp_path: Path, data: Path
) -> None:
    shutil.rmtree(taxi_lake / "taxi" / "table_3")
    zipfile.ZipFile(data / "odp" / "damaged" / "v8_table_3_withheld.zip").extractall(tmp_path / "unpacked")
    shutil.move(next((tmp_path / "unpacked").iterdir()), taxi_lake / "taxi" / "table_3")
    with pytest.raises(errors.CheckFailedError, match=r"table_3.*20260301-100127465"):
        run_notebook("validate_row_counts", tmp_path / "run", lake=str(taxi_lake))
    assert "20260301-100127465" in (tmp_path / "run" / "10_validate_row_counts.html").read_text()


def test_a_known_difference_that_has_gone_fails_too(taxi_lake: Path, tmp_path: Path, data: Path) -> None:
    shutil.rmtree(taxi_lake / "taxi" / "table_6")
    shutil.copytree(taxi_lake / "taxi" / "table_1", taxi_lake / "taxi" / "table_6")
    result = run_notebook("validate_row_counts", tmp_path / "run", check=False, lake=str(taxi_lake))
    assert result.status == "failed"
    assert "table_6" in result.sentence


@pytest.mark.parametrize(
    ("name", "parameters", "status"),
    [
        ("unpack_jira_issues", {"max_rejects": 0}, "failed"),
        ("draw_jira_hierarchy", {"max_circles": 0}, "failed"),
        ("draw_jira_hierarchy", {"table": "jiralake.jira_raw", "max_missing": 1}, "passed"),
        (
            "measure_jira_delivery",
            {"table": "jiralake.jira_raw", "waiting": "", "items": 5, "zone": "Europe/Vienna"},
            "passed",
        ),
        ("extract_irradiance_points", {"max_rejects": 0}, "failed"),
    ],
)
def test_a_stricter_parameter_changes_the_verdict(
    demo_lake: Path, tmp_path: Path, name: str, parameters: dict[str, Any], status: str
) -> None:
    result = run_notebook(name, tmp_path / "run", check=False, lake=str(demo_lake), **parameters)
    assert result.status == status, result.sentence
