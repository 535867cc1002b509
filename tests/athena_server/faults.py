"""Failures on demand: the next calls of an operation are answered with an error, slowly, or not to the end."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "TooManyRequestsException": "Rate exceeded. You have exceeded the number of queries.",
    "AccessDeniedException": "User: arn:aws:iam::123456789012:user/analyst is not authorized to perform: "
    "{service}:{operation}",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
    "InternalServerException": "An internal error occurred.",
    "AccessDenied": "Access Denied",
    "RequestTimeTooSkewed": "The difference between the request time and the current time is too large.",
    "NoSuchKey": "The specified key does not exist.",
    "SlowDown": "Please reduce your request rate.",
}
STATUS = {
    "InternalServerException": 500,
    "AccessDenied": 403,
    "RequestTimeTooSkewed": 403,
    "NoSuchKey": 404,
    "SlowDown": 503,
}


@dataclass
class Fault:
    """One failure to come: of `operation` (StartQueryExecution, GetTable, s3:GET ...), the next `times` times."""

    operation: str
    error: str | None = None
    times: int = 1
    message: str | None = None
    cut_after: int | None = None  # bytes of the body that are sent before the connection ends
    seconds: float = 0.0
    contains: str = ""  # only requests whose path or body holds this


class FaultBook:
    """The failures that are still to come, and the requests that came."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._seen: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def add(self, **fault: Any) -> None:
        """Plan a failure."""
        with self._lock:
            self._faults.append(Fault(**fault))

    def clear(self) -> None:
        """Forget all that was planned and seen."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()

    def take(self, operation: str, content: str) -> Fault | None:
        """Return the failure of this request, if one is planned."""
        with self._lock:
            self._seen.append((operation, content[:20_000]))
            for fault in self._faults:
                if fault.operation == operation and fault.times > 0 and fault.contains in content:
                    fault.times -= 1
                    return fault
        return None

    def seen(self) -> list[tuple[str, str]]:
        """Return operation and content of the requests so far."""
        with self._lock:
            return list(self._seen)
