"""Run a notebook through papermill and keep what came out of it."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from datalake_kit.errors import CheckFailedError, MissingPackageError, NotebookError
from datalake_kit.runs.page import notebook_page
from datalake_kit.runs.parameters import check_parameters, find_notebook, notebook_parameters, read_notebook
from datalake_kit.runs.verdict import MIME
from datalake_kit.storage import write_atomically

FIGURE_TAG = "main-figure"
PASSED, FAILED, ERROR = "passed", "failed", "error"


@dataclass(frozen=True)
class RunResult:
    """What one run of a notebook left.

    Attributes
    ----------
    status
        "passed", "failed" (a check of the data failed) or "error" (it could not be run to its end).
    sentence
        The notebook's result in one sentence, or what went wrong.
    notebook, page, picture
        The executed copy, the HTML page without code, and the main picture (None if the run made none).
    """

    name: str
    title: str
    status: str
    sentence: str
    seconds: float
    folder: Path
    notebook: Path
    page: Path
    picture: Path | None = None
    files: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every check held."""
        return self.status == PASSED


def run_notebook(name_or_path: str | Path, output: str | Path, *, check: bool = True, **parameters: Any) -> RunResult:
    """Run one notebook and write its executed copy, a page without code and its verdict.

    Parameters
    ----------
    name_or_path
        A curated notebook's name (`10_validate_row_counts` or `validate_row_counts`) or a path to a notebook.
    output
        Folder for NAME.ipynb, NAME.html, main.png and result.json. If the notebook has a parameter `output` for the
        files it writes, this folder is its value.
    check
        Raise when a check failed. With False, look at `.ok`.
    **parameters
        Values for the notebook's parameters; each must be one it declares, and of its type.

    Returns
    -------
    RunResult

    Raises
    ------
    ParameterError
        An unknown parameter or a wrong type; nothing was run.
    CheckFailedError
        The notebook ran, and a check of its data failed (with `check`). The page was written.
    NotebookError
        It could not be run to its end. The page shows how far it came.

    Examples
    --------
    >>> run_notebook("validate_row_counts", "runs/counts", lake="demo-lake")  # doctest: +SKIP
    """
    result = _run_one(find_notebook(name_or_path), Path(output), parameters)
    if check and result.status == FAILED:
        raise CheckFailedError(f"{result.name}: {result.sentence} Page: {result.page}")
    if result.status == ERROR:
        raise NotebookError(f"{result.name}: {result.sentence} Page: {result.page}")
    return result


def run_all(
    names: Iterable[str | Path],
    output: str | Path,
    *,
    workers: int = 2,
    each: Callable[[RunResult], None] = lambda result: None,
    **parameters: Any,
) -> list[RunResult]:
    """Run several notebooks side by side, each into its own folder below `output`; a failure does not stop the others.

    `each` is called with every result as it comes. The results are in the order of `names`.

    >>> run_all(["validate_row_counts", "unpack_jira_issues"], "runs", lake="demo-lake")  # doctest: +SKIP
    """
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    wanted = [find_notebook(n) for n in names]
    with ProcessPoolExecutor(min(workers, len(wanted)) or 1, mp_context=get_context("spawn")) as pool:
        started = {pool.submit(_run_one, n, Path(output) / n.stem, parameters): n for n in wanted}
        done = {}
        for future in as_completed(started):
            done[started[future]] = future.result()
            each(future.result())
    return [done[n] for n in wanted]


def _run_one(source: Path, output: Path, parameters: Mapping[str, Any]) -> RunResult:
    known = notebook_parameters(read_notebook(source), source)
    given = check_parameters(known, parameters, source.stem)
    folder = output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if "output" in {p.name for p in known}:
        given["output"] = str(folder)
    return _run(source, folder, given)


def _run(source: Path, folder: Path, parameters: dict[str, Any]) -> RunResult:
    executed, page = folder / source.name, folder / f"{source.stem}.html"
    executed.unlink(missing_ok=True)  # of an earlier run: what is read below must be this run's
    started = time.perf_counter()
    status, problem = _papermill(source, executed, parameters)
    seconds = time.perf_counter() - started
    notebook = read_notebook(executed)
    verdict = _verdict(notebook)
    if status == PASSED and verdict is None:
        status, problem = ERROR, "the notebook came to its end without a verdict (dk.conclude)."
    elif status == PASSED and verdict is not None and not verdict["passed"]:
        status, problem = FAILED, verdict["sentence"]  # somebody caught the error; the verdict stands
    result = RunResult(
        name=source.stem,
        title=_title(notebook, source.stem),
        status=status,
        sentence=problem if status != PASSED or verdict is None else verdict["sentence"],
        seconds=round(seconds, 1),
        folder=folder,
        notebook=executed,
        page=page,
        picture=_picture(notebook, folder / "main.png"),
        files=tuple((verdict or {}).get("files", ())),
        parameters=parameters,
    )
    with write_atomically(page) as temporary:
        temporary.write_text(notebook_page(notebook, result.title), encoding="utf-8")
    with write_atomically(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(asdict(result), default=str, indent=1), encoding="utf-8")
    return result


def _papermill(source: Path, executed: Path, parameters: dict[str, Any]) -> tuple[str, str]:
    try:
        import papermill
        from papermill.exceptions import PapermillExecutionError
    except ImportError:
        raise MissingPackageError("Running notebooks needs papermill: pip install 'datalake_kit[notebooks]'.") from None
    try:
        with _kernel_environment():
            papermill.execute_notebook(
                str(source),
                str(executed),
                parameters=parameters,
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                cwd=str(Path.cwd()),
                extra_arguments=["--log-level=50"],  # the kernel's own warnings are not the reader's affair
            )
    except PapermillExecutionError as error:
        failed = error.ename == "CheckFailedError"
        return (FAILED, str(error.evalue)) if failed else (ERROR, f"{error.ename}: {error.evalue}")
    except Exception as error:  # a dead kernel, a missing kernel, a full disk: papermill has no common base
        if not executed.exists():
            raise NotebookError(f"{source.stem} could not be run: {error}") from error
        return ERROR, f"{type(error).__name__}: {error}"
    return PASSED, ""


@contextmanager
def _kernel_environment() -> Iterator[None]:
    """Start kernels of this Python, not one of the user's folder, and with pictures in the page.

    A MPLBACKEND of the caller (Agg on a build machine) would keep every picture out of the notebook.
    """
    backend = os.environ.pop("MPLBACKEND", None)
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        yield
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def _outputs(notebook: Any, tag: str | None = None) -> Iterable[Any]:
    for cell in notebook.cells:
        if cell.cell_type == "code" and (tag is None or tag in cell.metadata.get("tags", [])):
            yield from (o.data for o in cell.outputs if "data" in o)


def _verdict(notebook: Any) -> dict[str, Any] | None:
    found = [data[MIME] for data in _outputs(notebook) if MIME in data]
    return dict(found[-1]) if found else None


def _picture(notebook: Any, target: Path) -> Path | None:
    for data in _outputs(notebook, FIGURE_TAG):
        if "image/png" in data:
            with write_atomically(target) as temporary:
                temporary.write_bytes(base64.b64decode(data["image/png"]))
            return target
    target.unlink(missing_ok=True)  # of an earlier run
    return None


def _title(notebook: Any, otherwise: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return str(line[2:].strip())
    return otherwise
