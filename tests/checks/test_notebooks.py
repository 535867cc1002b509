"""How a curated notebook is built (docs: README, Notebooks)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from datalake_kit.runs.parameters import notebook_folder, notebook_parameters

FILES = sorted(notebook_folder().glob("*.ipynb"))


@pytest.fixture(params=FILES, ids=lambda f: f.stem)
def file(request: pytest.FixtureRequest) -> Path:
    """Each notebook."""
    return Path(request.param)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Its code cells."""
    return [c for c in notebook.cells if c.cell_type == "code"]


def test_there_are_notebooks_with_names_that_sort() -> None:
    assert FILES
    for file in FILES:
        assert re.fullmatch(r"\d\d_[a-z]+(_[a-z]+)+", file.stem), file


def test_it_is_valid_clean_and_has_stable_ids(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for cell in code(notebook):
        assert cell.outputs == [], "outputs are build products"
        assert cell.execution_count is None
    ids = [c.id for c in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_it_begins_with_question_and_table(file: Path) -> None:
    first = nbformat.read(file, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    for word in ("Needs", "Produces", "Runtime", "Engine", "?"):
        assert word in first.source


def test_its_second_cell_is_the_parameters(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    assert "parameters" in notebook.cells[1].metadata.get("tags", [])
    known = {p.name: p for p in notebook_parameters(notebook, file)}
    assert {"lake", "output"} <= set(known)
    for parameter in known.values():
        assert parameter.help, f"{parameter.name} has no help"


def test_its_cells_are_short(file: Path) -> None:
    cells = code(nbformat.read(file, as_version=4))
    assert len(cells) <= 25
    for cell in cells:
        assert len(cell.source.splitlines()) <= 15, cell.source


def test_it_has_one_main_figure_and_ends_with_its_verdict(file: Path) -> None:
    cells = code(nbformat.read(file, as_version=4))
    assert sum("main-figure" in c.metadata.get("tags", []) for c in cells) == 1
    assert "dk.conclude(" in cells[-1].source


def test_it_asks_nobody_anything(file: Path) -> None:
    for cell in code(nbformat.read(file, as_version=4)):
        called = {
            n.func.id
            for n in ast.walk(ast.parse(cell.source))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert not called & {"input", "getpass"}
