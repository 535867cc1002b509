"""Values of the command line as text: how they are read, and how rows are written as CSV."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from datalake_kit.errors import ParameterError


def csv_text(table: Any) -> str:
    """Write CSV that keeps NULL (nothing) apart from '' (two quotes)."""
    import pyarrow as pa
    import pyarrow.csv

    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    return str(sink.getvalue().to_pybytes(), "utf-8")


def pairs_of(given: list[str] | None) -> list[tuple[str, str]]:
    """Read name=value, as often as it is given."""
    pairs = [p.partition("=") for p in given or []]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise ParameterError(f"A parameter is written name=value, not {name!r}.")
    names = [name for name, _, _ in pairs]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ParameterError(f"Given twice: {', '.join(twice)}.")
    return [(name, value) for name, _, value in pairs]


def typed(name: str, text: str, kind: str | None) -> Any:
    """Read a value: by its declared type, else as JSON (5, 2.5, true, null, "5", [1, 2]), else a date, else text."""
    import datetime as dt

    if kind in ("text", "identifier"):
        return text
    if kind not in ("date", "timestamp") and text not in ("NaN", "Infinity", "-Infinity"):
        with suppress(ValueError):
            return json.loads(text)
    readers: list[Callable[[str], Any]] = [dt.date.fromisoformat, dt.datetime.fromisoformat]
    for reader in readers[kind == "timestamp" :]:
        with suppress(ValueError):
            return reader(text)
    if kind is not None:
        raise ParameterError(f"{name} must be {kind}, not {text!r}.")
    return text


def tolerances_of(given: list[str] | None) -> float | dict[str, float] | None:
    """One number for all columns, or column=number as often as needed."""
    try:
        if given and len(given) == 1 and "=" not in given[0]:
            return float(given[0])
        return {name: float(value) for name, value in pairs_of(given)} or None
    except ValueError:
        raise ParameterError(f"A tolerance is a number, or column=number, not {', '.join(given or [])!r}.") from None
