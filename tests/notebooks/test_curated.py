"""Every curated notebook runs on the demo lake, with its defaults and with other parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from datalake_kit.runs import notebook_names, run_all, write_index

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
        assert result.seconds < 60
    page = write_index(tmp_path / "report" / "index.html", results, title="t", lead="l").read_text()
    for result in results:
        assert f"{result.name}/main.png" in page
        assert f"{result.name}/{result.name}.html" in page
