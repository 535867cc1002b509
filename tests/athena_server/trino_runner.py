"""Statements on a real Trino."""

from __future__ import annotations

import contextlib
from typing import Any

from tests.athena_server.executions import Execution
from tests.athena_server.statements import Statement
from tests.trino.client import Answer, TrinoClient, TrinoError


class TrinoRunner:
    """Runs statements on the Trino at an address."""

    name = "trino"

    def __init__(self, url: str) -> None:
        self.client = TrinoClient(url)
        self._unloads = False

    def run(self, statement: Statement, execution: Execution) -> Answer:
        """Run a statement; progress goes into the execution, and a limit of bytes ends it."""
        if statement.sub_kind == "UNLOAD" and not self._unloads:
            self.client.run("CREATE SCHEMA IF NOT EXISTS unload.unloads")
            self._unloads = True
        text = statement.text
        if execution.parameters:
            quoted = text.replace("'", "''")
            text = f"EXECUTE IMMEDIATE '{quoted}' USING {', '.join(execution.parameters)}"

        def on_stats(stats: dict[str, Any]) -> None:
            execution.scanned = int(stats.get("physicalInputBytes", 0))
            if execution.cutoff and execution.scanned > execution.cutoff:
                execution.reason = "Query cancelled! : Bytes scanned limit was exceeded"
                execution.cancelled.set()

        catalog = None if execution.catalog.lower() == "awsdatacatalog" else execution.catalog
        try:
            return self.client.run(
                text,
                schema=(execution.database or "default").lower(),
                catalog=catalog,
                session=statement.session,
                cancelled=execution.cancelled,
                on_stats=on_stats,
            )
        finally:
            if statement.cleanup:
                self._clean(statement.cleanup)

    def _clean(self, text: str) -> None:
        with contextlib.suppress(TrinoError):
            self.client.run(text)
