"""Run curated notebooks: strict parameters, a page to read, a verdict.

A notebook ends with `dk.conclude(passed, sentence, files=[...])`; `run_notebook` runs it through papermill and gives
back that verdict. A parameter that the notebook does not have, or of another type, is an error before anything runs.
"""

from datalake_kit.runs.execute import RunResult, run_all, run_notebook
from datalake_kit.runs.page import write_index
from datalake_kit.runs.parameters import (
    NotebookParameter,
    find_notebook,
    notebook_names,
    notebook_parameters,
)
from datalake_kit.runs.verdict import conclude

__all__ = [
    "NotebookParameter",
    "RunResult",
    "conclude",
    "find_notebook",
    "notebook_names",
    "notebook_parameters",
    "run_all",
    "run_notebook",
    "write_index",
]
