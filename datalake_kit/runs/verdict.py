"""What a notebook says at its end."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datalake_kit.errors import CheckFailedError

MIME = "application/vnd.datalake-kit.verdict+json"


def conclude(passed: bool, sentence: str, *, files: Iterable[str | Path] = ()) -> None:
    """End a notebook with its verdict: show it, and raise when a check of the data failed.

    Parameters
    ----------
    passed
        Whether every check held.
    sentence
        The result in one sentence, as a reader of a report wants it.
    files
        The files that the notebook wrote; each must exist.

    Raises
    ------
    CheckFailedError
        `passed` is False. A run then ends with exit code 1.

    Examples
    --------
    >>> conclude(True, "All 9 tables hold what their sources hold.")
    passed: All 9 tables hold what their sources hold.
    """
    written = [os.fspath(f) for f in files]
    gone = [f for f in written if not Path(f).exists()]
    if gone:
        raise CheckFailedError(f"Named as written, but not there: {', '.join(gone)}.")
    _display({"passed": bool(passed), "sentence": sentence, "files": written})
    if not passed:
        raise CheckFailedError(sentence)


def _display(verdict: dict[str, Any]) -> None:
    text = f"{'passed' if verdict['passed'] else 'failed'}: {verdict['sentence']}"
    shell = None
    try:
        from IPython import get_ipython
        from IPython.display import display

        shell = get_ipython()
    except ImportError:
        pass
    if shell is None:
        print("\n".join([text, *verdict["files"]]))
        return
    display({MIME: verdict, "text/html": _html(verdict), "text/plain": text}, raw=True)


def _html(verdict: dict[str, Any]) -> str:
    colour, sign = ("#0072B2", "✓ passed") if verdict["passed"] else ("#A3123A", "✗ failed")
    files = "".join(f"<li><code>{html.escape(f)}</code></li>" for f in verdict["files"])
    return (
        f"<div style='border-left:6px solid {colour};padding:.4em 1em;margin:.5em 0'>"
        f"<b style='color:{colour}'>{sign}</b><br>{html.escape(verdict['sentence'])}"
        f"{f'<p>Files written:</p><ul>{files}</ul>' if files else ''}</div>"
    )
