"""Running a notebook: strict parameters, what is written, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from datalake_kit import errors
from datalake_kit.runs import conclude, find_notebook, notebook_names, notebook_parameters, run_notebook
from datalake_kit.runs.page import notebook_page, write_index
from datalake_kit.runs.parameters import check_parameters, from_text, read_notebook

Make = Callable[..., Path]
# papermill and nbclient warn of their own affairs while a kernel runs
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

WRITE = """from pathlib import Path
Path(output).mkdir(exist_ok=True)
file = Path(output) / 'a.txt'
file.write_text(str(n))"""
DK = "import datalake_kit as dk\n"
PASS = DK + "dk.conclude(n > 0, f'n is {n}, <b>name</b> is {name}.', files=[file])"


# --- parameters


def test_parameters_are_read_with_type_default_and_help(make: Make) -> None:
    file = make()
    known = notebook_parameters(read_notebook(file), file)
    assert [(p.name, p.type, p.default, p.help) for p in known][:2] == [
        ("n", "int", 2, "a number"),
        ("name", "str", "a", "a name"),
    ]
    assert [p.name for p in known][-1] == "output"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nmae": "x"}, "no parameter 'nmae'. Did you mean name"),
        ({"n": "5"}, "n must be int, not str '5'"),
        ({"n": True}, "n must be int, not bool"),
        ({"n": None}, "n must be int"),
        ({"share": "x"}, "share must be float"),
        ({"days": "2026-01-01"}, "days must be list"),
        ({"days": [1]}, r"days must be list\[str\]"),
        ({"wanted": 1}, "wanted must be bool"),
        ({"limit": "x"}, "limit must be int | None"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_runs(
    make: Make, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(errors.ParameterError, match=message):
        run_notebook(make("raise SystemExit"), tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_fitting_parameters_are_taken(make: Make) -> None:
    file = make()
    known = notebook_parameters(read_notebook(file), file)
    assert check_parameters(known, {"share": 1, "days": ("a",), "limit": None}, "x") == {
        "share": 1,
        "days": ["a"],
        "limit": None,
    }


def test_values_from_text(make: Make) -> None:
    file = make()
    known = {p.name: p for p in notebook_parameters(read_notebook(file), file)}
    texts = {"n": "5", "name": "5", "share": "0.25", "days": "a, b", "wanted": "false"}
    assert {k: from_text(known[k], v) for k, v in texts.items()} == {
        "n": 5,
        "name": "5",
        "share": 0.25,
        "days": ["a", "b"],
        "wanted": False,
    }
    for name, text in (("n", "x"), ("wanted", "maybe"), ("days", "[1")):
        with pytest.raises(errors.ParameterError, match=name):
            from_text(known[name], text)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (None, "has 0 cells tagged"),
        ("n = 5", "write `name: type = value"),
        ("n: int = 5 + m", "not a literal"),
        ("n: Path = 5", "type Path is none of"),
        ("n: int = (", "not Python"),
    ],
)
def test_a_parameters_cell_that_is_none(make: Make, parameters: str | None, message: str) -> None:
    with pytest.raises(errors.NotebookError, match=message):
        run_notebook(make(parameters=parameters), "unused")


def test_two_parameters_cells(make: Make) -> None:
    file = make()
    notebook = nbformat.read(file, as_version=4)
    notebook.cells.append(notebook.cells[1])
    nbformat.write(notebook, file)
    with pytest.raises(errors.NotebookError, match="has 2 cells"):
        run_notebook(file, "unused")


def test_notebooks_are_found_by_name_with_or_without_number() -> None:
    name = notebook_names()[0]
    assert find_notebook(name) == find_notebook(name.partition("_")[2])
    with pytest.raises(errors.NotFoundError, match="Did you mean"):
        find_notebook(name + "x")
    with pytest.raises(errors.NotFoundError, match="No such notebook"):
        find_notebook("nowhere.ipynb")


def test_what_is_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("{")
    with pytest.raises(errors.NotebookError, match="not a notebook"):
        run_notebook(tmp_path / "x.ipynb", tmp_path / "out")


# --- runs


@pytest.mark.slow
def test_a_run_leaves_copy_page_picture_and_verdict(make: Make, tmp_path: Path) -> None:
    draw = (
        "from IPython.display import Image, display\nimport base64\n"
        "png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='\n"
        "display(Image(base64.b64decode(png)))"
    )
    file = make(WRITE, draw, "code_marker_42 = 1\n" + PASS)
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[3].metadata["tags"] = ["main-figure"]
    nbformat.write(notebook, file)
    result = run_notebook(file, tmp_path / "run", n=7, name="x")
    assert (result.status, result.sentence) == ("passed", "n is 7, <b>name</b> is x.")
    assert (tmp_path / "run" / "a.txt").read_text() == "7"
    assert result.files == (str(tmp_path / "run" / "a.txt"),)
    assert result.picture is not None
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    page = result.page.read_text()
    assert "n is 7, &lt;b&gt;name&lt;/b&gt; is x." in page
    assert "code_marker_42" not in page  # no code
    assert 'class="highlight' not in page
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "passed"
    assert nbformat.read(result.notebook, as_version=4).cells[-1].outputs


@pytest.mark.slow
def test_a_failed_check_raises_and_its_page_is_written(make: Make, tmp_path: Path) -> None:
    file = make(WRITE, PASS)
    with pytest.raises(errors.CheckFailedError, match="n is -1"):
        run_notebook(file, tmp_path / "run", n=-1)
    assert "n is -1" in (tmp_path / "run" / "50_try_something.html").read_text()
    result = run_notebook(file, tmp_path / "run", check=False, n=-1)
    assert (result.status, result.ok) == ("failed", False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (
            "import datalake_kit as dk\ntry:\n    dk.conclude(False, 'two rows lost')\nexcept Exception:\n    pass",
            "two rows lost",
        ),
        (
            "import datalake_kit as dk\ndk.conclude(True, 'fine', files=['/gone'])",
            "Named as written, but not there: /gone.",
        ),
        ("from datalake_kit.errors import CheckFailedError\nraise CheckFailedError('by hand')", "by hand"),
    ],
)
def test_a_failed_verdict_stands_with_its_reason(make: Make, tmp_path: Path, cell: str, sentence: str) -> None:
    result = run_notebook(make(cell), tmp_path / "run", check=False)
    assert (result.status, result.sentence) == ("failed", sentence)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "without a verdict"),
        ("import os\nos._exit(3)", "DeadKernel"),
    ],
)
def test_a_run_that_does_not_reach_its_end(make: Make, tmp_path: Path, cell: str, message: str) -> None:
    with pytest.raises(errors.NotebookError, match=message):
        run_notebook(make(cell), tmp_path / "run")
    assert (tmp_path / "run" / "50_try_something.html").exists()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "error"


# --- pages


def test_a_page_fetches_nothing(make: Make) -> None:
    page = notebook_page(read_notebook(make()), "x")
    for tag in ("<script src", "<link", '<img src="http', "@import"):
        assert tag not in page


def test_an_index_escapes_what_it_shows(tmp_path: Path) -> None:
    from datalake_kit.runs import RunResult

    hostile = "<script>alert(1)</script>'\""
    result = RunResult(
        "n", hostile, "failed", hostile, 12.0, tmp_path, tmp_path / "n.ipynb", tmp_path / "a'b.html", tmp_path / "p.png"
    )
    page = write_index(
        tmp_path / "i" / "index.html", [result], title=hostile, lead=hostile, tables=[{"t": hostile}], snippet=hostile
    )
    text = page.read_text()
    assert "<script>" not in text
    assert "../a&#x27;b.html" in text
    assert "0 of 1 notebooks passed" in text
    assert "12 s" in text
    assert text.count("&lt;script&gt;") == 8  # wherever it is shown


def test_conclude_outside_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("")
    conclude(True, "Fine.", files=[tmp_path / "a"])
    assert capsys.readouterr().out.startswith("passed: Fine.")
    with pytest.raises(errors.CheckFailedError, match="Bad"):
        conclude(False, "Bad.")
    with pytest.raises(errors.CheckFailedError, match="not there"):
        conclude(True, "Fine.", files=[tmp_path / "b"])
