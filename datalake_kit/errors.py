"""Every error that this package raises on purpose.

    DatalakeKitError
    ├── ConfigError (ValueError)            a lake's name, its settings or datalake.toml
    ├── NotFoundError (LookupError)         a thing was named that is not there; names the nearest ones
    │   ├── LakeNotFoundError
    │   ├── DatabaseNotFoundError
    │   ├── TableNotFoundError
    │   ├── ColumnNotFoundError
    │   ├── PointNotFoundError
    │   └── QueryNotFoundError
    ├── SqlError (ValueError)               a statement that cannot be run as written
    │   ├── ParameterError (TypeError)      a missing, extra or ill-typed parameter
    │   ├── UnsupportedSqlError             cannot be translated faithfully to the local engine
    │   └── WriteRefusedError               a statement that writes, or more than one statement
    ├── EngineError (RuntimeError)          the engine refused or failed
    │   ├── AccessDeniedError               AWS refuses access; names the permission that is missing
    │   ├── CredentialsError                there are no AWS credentials, or they are no longer good
    │   ├── QueryCancelledError             the query was cancelled, here or elsewhere
    │   ├── QueryTimedOutError              the query took longer than allowed, and was cancelled
    │   └── ScanLimitError                  the query reads more than max_scan
    ├── DataError (ValueError)              data that cannot be read exactly: a number would be wrong
    │   ├── UnreadableFileError             missing, cut short, or not what its name says
    │   └── HudiError                       a Hudi table that cannot be read exactly
    ├── NotebookError (RuntimeError)        a notebook that could not be run
    ├── CheckFailedError (AssertionError)   everything ran, and a check of the data failed
    └── MissingPackageError (ImportError)   an optional package is needed

Each message says what failed, which value, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DatalakeKitError(Exception):
    """Base of every error raised on purpose by this package."""


class ConfigError(DatalakeKitError, ValueError):
    """A lake's name, its settings or datalake.toml cannot be used."""


class NotFoundError(DatalakeKitError, LookupError):
    """A thing was named that is not there."""


class LakeNotFoundError(NotFoundError):
    """No lake at this folder or under this name."""


class DatabaseNotFoundError(NotFoundError):
    """No such database in the lake."""


class TableNotFoundError(NotFoundError):
    """No such table in the database."""


class ColumnNotFoundError(NotFoundError):
    """No such column in the table."""


class PointNotFoundError(NotFoundError):
    """No such point in an irradiance table or on a grid."""


class QueryNotFoundError(NotFoundError):
    """No such file of sql/."""


class SqlError(DatalakeKitError, ValueError):
    """A statement that cannot be run as written."""


class ParameterError(SqlError, TypeError):
    """A parameter is missing, not asked for, or of the wrong type."""


class UnsupportedSqlError(SqlError):
    """A construct that cannot be translated faithfully to the local engine."""


class WriteRefusedError(SqlError):
    """A statement that writes, or more than one statement, without leave."""


class EngineError(DatalakeKitError, RuntimeError):
    """The engine refused the statement or failed while running it."""


class AccessDeniedError(EngineError):
    """AWS refuses access to a service, a table or a bucket."""


class CredentialsError(EngineError):
    """There are no AWS credentials, or they are no longer good."""


class QueryCancelledError(EngineError):
    """The query was cancelled before it was done."""


class QueryTimedOutError(EngineError):
    """The query took longer than allowed, and was cancelled."""


class ScanLimitError(EngineError):
    """The query reads, or would read, more than its limit."""


class DataError(DatalakeKitError, ValueError):
    """Data that cannot be read exactly."""


class UnreadableFileError(DataError):
    """A file that is missing, cut short, or not what its name says."""


class HudiError(DataError):
    """A Hudi table that cannot be read exactly."""


class NotebookError(DatalakeKitError, RuntimeError):
    """A notebook that could not be run."""


class CheckFailedError(DatalakeKitError, AssertionError):
    """Everything ran, and a check of the data failed."""


class MissingPackageError(DatalakeKitError, ImportError):
    """An optional package is needed for this."""


class AthenaHudiWarning(UserWarning):
    """SQL on Athena may not show all rows of a Hudi table: its version is newer than AWS documents, or it has logs."""


def did_you_mean(name: str, known: Iterable[str], *, most: int = 5) -> str:
    """Return a hint that names what is there, the nearest first.

    >>> did_you_mean("tabel_1", ["table_1", "table_10", "zones"])
    'Did you mean table_1, table_10?'
    >>> did_you_mean("x", [])
    'There are none.'
    """
    names = sorted(set(known))
    if not names:
        return "There are none."
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=most, cutoff=0.6)
    if near:
        return f"Did you mean {', '.join(folded[n] for n in near)}?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"There are: {', '.join(names[:most])}{more}."
