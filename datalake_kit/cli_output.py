"""How commands end and print: exit codes, errors in one line, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from datalake_kit.errors import CheckFailedError, DatalakeKitError


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors into exit codes: 1 a check of the data failed, 2 it could not be done, 130 interrupted."""
    try:
        yield
    except CheckFailedError as error:
        fail(error, 1)
    except DatalakeKitError as error:
        fail(error, 2)
    except KeyboardInterrupt as error:
        fail(str(error) or "interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing is left to say
        raise typer.Exit(0) from None
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - whatever else goes wrong is "could not", never "a check failed"
        fail(f"{type(error).__name__}: {error}", 2)


def fail(what: object, code: int) -> None:
    """Say what went wrong and end with a code."""
    typer.echo(f"datalake-kit: {what}", err=True)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print a value for a script to read."""
    typer.echo(json.dumps(value, indent=1, default=_as_text, ensure_ascii=False))


def _as_text(value: Any) -> str:
    """Dates and times in ISO 8601, bytes as hex digits, decimals and all else as their text: no digit is lost."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return value.hex() if isinstance(value, bytes) else str(value)
