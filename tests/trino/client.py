"""Trino's HTTP protocol: one statement, its columns and rows, as the server writes them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

USER = "analyst"
CAPABILITIES = "PATH,PARAMETRIC_DATETIME,SESSION_AUTHORIZATION"  # without them every time has three digits


class TrinoError(Exception):
    """A statement failed; `name` is Trino's name of the error, `kind` USER_ERROR or another."""

    def __init__(self, name: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.kind = kind
        self.message = message


class CancelledError(Exception):
    """The statement was cancelled while it ran."""


@dataclass
class Answer:
    """What a statement gave."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    update_type: str | None = None
    update_count: int | None = None
    stats: dict[str, Any] = field(default_factory=dict)


class TrinoClient:
    """Runs statements on a server."""

    def __init__(self, url: str, *, catalog: str = "awsdatacatalog") -> None:
        self.url = url
        self.catalog = catalog

    def run(
        self,
        text: str,
        *,
        schema: str | None = None,
        catalog: str | None = None,
        session: Mapping[str, str] | None = None,
        cancelled: threading.Event | None = None,
        on_stats: Callable[[dict[str, Any]], None] = lambda stats: None,
    ) -> Answer:
        """Run one statement to its end.

        Raises
        ------
        TrinoError
            The statement failed.
        CancelledError
            `cancelled` was set meanwhile; the statement is ended on the server.
        """
        headers = {
            "X-Trino-User": USER,
            "X-Trino-Catalog": catalog or self.catalog,
            "X-Trino-Schema": schema or "default",
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": CAPABILITIES,
        }
        if session:
            headers["X-Trino-Session"] = ",".join(f"{k}={urllib.parse.quote(v)}" for k, v in session.items())
        answer = Answer([], [])
        body = self._call(f"{self.url}/v1/statement", "POST", headers, text.encode())
        while True:
            _take(answer, body)
            on_stats(answer.stats)
            following = body.get("nextUri")
            if following is None:
                return answer
            if cancelled is not None and cancelled.is_set():
                self._call(following, "DELETE", {"X-Trino-User": USER})
                raise CancelledError
            body = self._call(following, "GET", {"X-Trino-User": USER})

    def _call(self, url: str, method: str, headers: Mapping[str, str], body: bytes | None = None) -> dict[str, Any]:
        for attempt in range(100):
            request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
            try:
                with urllib.request.urlopen(request, timeout=300) as response:
                    content = response.read()
                    return json.loads(content) if content else {}
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read().decode(errors="replace")
                if error.code not in (502, 503, 504) or attempt == 99:
                    raise TrinoError("HTTP", "INTERNAL_ERROR", f"HTTP {error.code}: {said[:500]}") from None
                time.sleep(0.05)
        raise AssertionError("unreachable")


def _take(answer: Answer, body: Mapping[str, Any]) -> None:
    if not answer.columns and body.get("columns"):
        answer.columns = [(c["name"], c["type"]) for c in body["columns"]]
    answer.rows += body.get("data") or []
    answer.update_type = body.get("updateType", answer.update_type)
    answer.update_count = body.get("updateCount", answer.update_count)
    answer.stats = body.get("stats") or answer.stats
    error = body.get("error")
    if error:
        raise TrinoError(error.get("errorName", ""), error.get("errorType", ""), error.get("message", ""))
