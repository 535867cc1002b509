"""The parameters of a notebook: what its `parameters` cell declares, and what a caller may give."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datalake_kit.errors import MissingPackageError, NotebookError, NotFoundError, ParameterError, did_you_mean

TAG = "parameters"
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list, tuple),
    "dict": (dict,),
}


@dataclass(frozen=True)
class NotebookParameter:
    """One line of a notebook's parameters cell: `name: type = default  # help`."""

    name: str
    type: str
    default: Any
    help: str


def notebook_folder() -> Path:
    """Return the folder of the curated notebooks: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    return package / "_notebooks" if (package / "_notebooks").is_dir() else package.parent / "notebooks"


def notebook_names() -> list[str]:
    """Return the names of the curated notebooks, in their order.

    >>> notebook_names()[0]
    '10_validate_row_counts'
    """
    return sorted(f.stem for f in notebook_folder().glob("*.ipynb"))


def find_notebook(name_or_path: str | Path) -> Path:
    """Return a notebook's file, by path or by the name of a curated one (its number may be left out).

    Raises
    ------
    NotFoundError
        There is none; the nearest names are shown.

    Examples
    --------
    >>> find_notebook("validate_row_counts").name
    '10_validate_row_counts.ipynb'
    """
    path = Path(name_or_path)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise NotFoundError(f"No such notebook: {path}. Curated ones: {', '.join(notebook_names())}.")
        return path
    names = notebook_names()
    wanted = str(name_or_path)
    same = [n for n in names if wanted in (n, n.partition("_")[2])]
    if not same:
        raise NotFoundError(f"No notebook {wanted!r}. {did_you_mean(wanted, names)}")
    return notebook_folder() / f"{same[0]}.ipynb"


def read_notebook(path: Path) -> Any:
    """Read a notebook file; raise NotebookError when it is none."""
    try:
        import nbformat
    except ImportError:
        raise MissingPackageError("Notebooks need more packages: pip install 'datalake_kit[notebooks]'.") from None
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its reader met
        raise NotebookError(f"{path} is not a notebook that can be read: {error}") from error


def notebook_parameters(notebook: Any, path: Path) -> tuple[NotebookParameter, ...]:
    """Read the parameters cell of a notebook.

    Raises
    ------
    NotebookError
        There is none or more than one, or a line is not `name: type = literal`.

    Examples
    --------
    >>> file = find_notebook("validate_row_counts")
    >>> [p.name for p in notebook_parameters(read_notebook(file), file)][0]
    'lake'
    """
    cells = [c for c in notebook.cells if c.cell_type == "code" and TAG in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise NotebookError(f"{path} has {len(cells)} cells tagged {TAG!r}; it needs exactly one.")
    source = cells[0].source
    comments = _comments(source)
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookError(f"{path}: the parameters cell is not Python: {error}.") from None
    return tuple(_parameter(line, comments, path) for line in body)


def _parameter(line: ast.stmt, comments: Mapping[int, str], path: Path) -> NotebookParameter:
    where = f"{path}, parameters cell, line {line.lineno}"
    if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None):
        raise NotebookError(f"{where}: write `name: type = value  # help`.")
    kind = ast.unparse(line.annotation)
    if _base(kind) not in _TYPES:
        raise NotebookError(f"{where}: type {kind} is none of {', '.join(_TYPES)}.")
    try:
        default = ast.literal_eval(line.value)
    except ValueError:
        raise NotebookError(f"{where}: the value of {line.target.id} is not a literal.") from None
    return NotebookParameter(line.target.id, kind, default, comments.get(line.end_lineno or line.lineno, ""))


def _comments(source: str) -> dict[int, str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return {}
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def _base(kind: str) -> str:
    return kind.removesuffix("| None").strip().split("[")[0]


def check_parameters(known: tuple[NotebookParameter, ...], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the given values when each is known and of its type; raise ParameterError otherwise."""
    by_name = {p.name: p for p in known}
    for key, value in given.items():
        if key not in by_name:
            hint = did_you_mean(key, by_name)
            raise ParameterError(f"Notebook {name} has no parameter {key!r}. {hint} It has: {', '.join(by_name)}.")
        _check_type(by_name[key], value, name)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}


def _check_type(parameter: NotebookParameter, value: Any, name: str) -> None:
    if value is None and parameter.type.endswith("| None"):
        return
    allowed = _TYPES[_base(parameter.type)]
    fits = isinstance(value, allowed) and (not isinstance(value, bool) or bool in allowed)
    if fits and parameter.type.startswith("list[") and parameter.type[5:].split("]")[0] in _TYPES:
        inner = _TYPES[parameter.type[5:].split("]")[0]]
        fits = all(isinstance(v, inner) for v in value)
    if not fits:
        raise ParameterError(
            f"Notebook {name}: {parameter.name} must be {parameter.type}, not {type(value).__name__} {value!r}."
        )


def from_text(parameter: NotebookParameter, text: str) -> Any:
    """Read a value that came as text from the command line."""
    base = _base(parameter.type)
    try:
        if base == "bool":
            return {"true": True, "false": False, "yes": True, "no": False}[text.lower()]
        if base in ("int", "float"):
            return int(text) if base == "int" else float(text)
        if base == "dict" or (base == "list" and text.lstrip().startswith("[")):
            return json.loads(text)
    except (KeyError, ValueError):
        raise ParameterError(f"{parameter.name} must be {parameter.type}, not {text!r}.") from None
    if base == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
