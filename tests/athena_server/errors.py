"""Failures in the words and numbers that Athena uses."""

from __future__ import annotations

import re
from typing import Any

from tests.trino.client import TrinoError

SYSTEM, USER, OTHER = 1, 2, 3  # ErrorCategory
_UNAUTHORISED = "or requester is not authorized to access requested resources"
_TYPES = {  # ErrorType (docs.aws.amazon.com/athena/latest/ug/error-reference.html), by Trino's name of the error
    "TABLE_NOT_FOUND": 1006,
    "SCHEMA_NOT_FOUND": 1006,
    "COLUMN_NOT_FOUND": 1006,
    "CATALOG_NOT_FOUND": 1006,
    "SYNTAX_ERROR": 1000,
    "HIVE_BAD_DATA": 1001,
    "HIVE_CURSOR_ERROR": 1001,
    "HIVE_PARTITION_SCHEMA_MISMATCH": 1001,
    "DIVISION_BY_ZERO": 1100,
    "NOT_SUPPORTED": 1000,
    "PERMISSION_DENIED": 1302,
    "EXCEEDED_TIME_LIMIT": 206,
    "EXCEEDED_LOCAL_MEMORY_LIMIT": 1,
    "ICEBERG_COMMIT_ERROR": 233,
}
_UNPARSED = re.compile(
    r"mismatched input|extraneous input|no viable alternative|missing .* at |token recognition error|backquoted "
    r"identifiers|must not start with a digit|identifiers must not contain|Decimal literal"
)
_AS_SYNTAX_ERROR = {"FUNCTION_NOT_FOUND", "INVALID_COLUMN_REFERENCE"}


class ApiError(Exception):
    """A named error of the API; `code` is its AthenaErrorCode, `more` further fields."""

    def __init__(self, name: str, message: str, status: int = 400, *, code: str = "INVALID_INPUT", **more: Any) -> None:
        super().__init__(message)
        self.name = name
        self.status = status
        self.code = code
        self.more = more


class StatementError(TrinoError):
    """A statement that Athena itself refuses, before an engine sees it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, "USER_ERROR", message)


def ddl_failed(message: str) -> StatementError:
    """Return the failure of a statement that Athena hands to Hive's DDL."""
    return StatementError(
        "DDL", f"FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.{message}"
    )


def invalid(message: str, **more: Any) -> ApiError:
    """Return the API's InvalidRequestException."""
    return ApiError("InvalidRequestException", message, **more)


def reason_of(error: TrinoError) -> str:
    """Write StateChangeReason."""
    message = error.message
    if error.name == "DDL":
        return message
    name = "SYNTAX_ERROR" if error.name in _AS_SYNTAX_ERROR else error.name
    if name == "COLUMN_NOT_FOUND" and _UNAUTHORISED not in message and message.endswith("cannot be resolved"):
        message = f"{message} {_UNAUTHORISED}"
    return f"{name}: {message}"


def describe(error: TrinoError) -> dict[str, Any]:
    """Write AthenaError."""
    if error.name == "DDL":
        category, kind = USER, 1003
    elif error.kind == "USER_ERROR":
        category, kind = USER, _TYPES.get(error.name, 1000)
    elif error.kind == "EXTERNAL":
        category, kind = OTHER, _TYPES.get(error.name, 1001)
    else:
        category, kind = SYSTEM, _TYPES.get(error.name, 100)
    return {
        "ErrorCategory": category,
        "ErrorType": kind,
        "Retryable": error.kind == "INSUFFICIENT_RESOURCES",
        "ErrorMessage": reason_of(error),
    }


def is_malformed(error: TrinoError) -> bool:
    """Tell whether a text is no statement at all: StartQueryExecution itself refuses it."""
    return error.name == "SYNTAX_ERROR" and bool(_UNPARSED.search(error.message))
