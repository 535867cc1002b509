"""A file that is not used, and what a damaged or alien file can make the libraries raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from datalake_kit.errors import UnreadableFileError

__all__ = ["DAMAGE", "RejectedFileError", "UnsupportedLayoutError", "damage_as_reject"]

# What h5py, netCDF4 and numpy raise for a damaged or alien file.
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
    EOFError,
)


class RejectedFileError(UnreadableFileError):
    """A file that is not used. `reason` is a word for the rejects table, the message says the rest."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        return (RejectedFileError, (self.reason, self.detail))


class UnsupportedLayoutError(Exception):
    """The layout of a variable is left to netCDF4; the message says why."""


@contextmanager
def damage_as_reject() -> Iterator[None]:
    """Turn what damage raises into a rejected file; that a file or S3 cannot be reached stays what it is."""
    try:
        yield
    except (UnreadableFileError, FileNotFoundError, PermissionError):
        raise
    except DAMAGE as error:
        raise RejectedFileError("unreadable", f"{type(error).__name__}: {error}") from error
