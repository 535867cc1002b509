"""The wheel: everything is in it, and it works in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive as a release would be."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)],
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    )
    assert len(list(out.glob("*.tar.gz"))) == 1
    return next(out.glob("*.whl"))


def test_it_carries_queries_notebooks_data_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        *(f"datalake_kit/_sql/{f.relative_to(TOP / 'sql')}" for f in (TOP / "sql").rglob("*.sql")),
        *(f"datalake_kit/_notebooks/{f.name}" for f in (TOP / "notebooks").glob("*.ipynb")),
        *(
            str(f.relative_to(TOP))
            for f in (TOP / "datalake_kit" / "_demo_data").rglob("*")
            if f.is_file() and "__pycache__" not in f.parts
        ),
        "datalake_kit/py.typed",
    ):
        assert wanted in names
    assert not [n for n in names if n.startswith(("tests/", "sql/", "notebooks/", "benchmarks/"))]


@pytest.mark.timeout(900)
def test_it_builds_the_demo_lake_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-c", TOP / "constraints.txt", wheel]
    subprocess.run(install, check=True, cwd=tmp_path)

    def call(*arguments: str) -> str:
        command = [tmp_path / "env" / "bin" / "datalake-kit", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "The demo lake is ready" in call("demo", "demo-lake")
    assert "2200" in call("sql", "--lake", "demo-lake", "SELECT count(*) AS trips FROM taxi.table_1")
    assert "10_validate_row_counts" in call("run")  # the names of the notebooks that the wheel carries
    assert "Everything works" in call("doctor", "--lake", "demo-lake")
