"""Small notebooks made for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = """n: int = 2  # a number
name: str = "a"  # a name
share: float = 0.5  # between 0 and 1
days: list[str] = []  # days
wanted: bool = True  # whether
limit: int | None = None  # none: no limit
output: str = "out"  # folder for written files"""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook of a parameters cell and the given code cells; return its path."""

    def write(*cells: str, parameters: str | None = PARAMETERS, name: str = "50_try_something") -> Path:
        notebook = new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        notebook.cells.append(new_markdown_cell("# Try something\nDoes it work?"))
        if parameters is not None:
            notebook.cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        notebook.cells += [new_code_cell(c) for c in cells]
        file = tmp_path / f"{name}.ipynb"
        nbformat.write(notebook, file)
        return file

    return write
