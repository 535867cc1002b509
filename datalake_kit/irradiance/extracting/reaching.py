"""Files that could not be reached are another matter than files that are damaged: it may pass."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.extracting.listing import Reject, SourceFile
from datalake_kit.irradiance.reading.readers import RejectedFileError

__all__ = ["PASSING", "refuse_vanished", "reject_of"]

GONE, NO_ACCESS, FAILED = "gone", "no access", "input/output error"
PASSING = (GONE, NO_ACCESS, FAILED, "replaced")  # a day with such rejects is read again by the next run


def reject_of(file: SourceFile, error: RejectedFileError | OSError) -> RejectedFileError:
    """Return why a file is not used: that it cannot be reached where that is so, else what its reader said."""
    if isinstance(file.path, Path):
        try:
            with file.path.open("rb") as opened:
                opened.read(1)
        except FileNotFoundError:
            return RejectedFileError(GONE, "it was listed, and is not there any more")
        except PermissionError as problem:
            return RejectedFileError(NO_ACCESS, f"it may not be read: {problem.strerror}")
        except OSError as problem:
            return RejectedFileError(FAILED, str(problem.strerror))
    elif isinstance(error, FileNotFoundError):
        return RejectedFileError(GONE, "it was listed, and is not there any more")
    return error if isinstance(error, RejectedFileError) else RejectedFileError(FAILED, str(error))


def refuse_vanished(day: date, files: tuple[SourceFile, ...], rejects: list[Reject]) -> None:
    """Stop when every file of a day went away after it was listed: its folder is gone, and others may be as well.

    Raises
    ------
    UnreadableFileError
        Nothing is written for the day; what the table holds for it stays.
    """
    if files and len(files) == len(rejects) and all(r.reason == GONE for r in rejects):
        raise UnreadableFileError(
            f"All {len(files)} files of {day} went away after they were listed, the first: {files[0].path}. "
            "Is the disk still there? Nothing was written for the day."
        )
