"""Statements on a real Trino."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from tests.athena_server.executions import Execution
from tests.athena_server.statements import Statement, quote
from tests.trino.client import Answer, TrinoClient, TrinoError


class TrinoRunner:
    """Runs statements on the Trino at an address."""

    name = "trino"

    def __init__(self, url: str) -> None:
        self.client = TrinoClient(url)
        self._unloads = False
        self._checked: set[str] = set()

    def run(self, statement: Statement, execution: Execution) -> Answer:
        """Run a statement; progress goes into the execution, and a limit of bytes ends it."""
        if statement.sub_kind == "UNLOAD" and not self._unloads:
            self.client.run("CREATE SCHEMA IF NOT EXISTS unload.unloads")
            self._unloads = True

        def on_stats(stats: dict[str, Any]) -> None:
            execution.scanned = int(stats.get("physicalInputBytes", 0))
            if execution.cutoff and execution.scanned > execution.cutoff:
                execution.reason = "Query cancelled! : Bytes scanned limit was exceeded"
                execution.cancelled.set()

        def ask(text: str) -> Answer:
            return self.client.run(
                _with_parameters(text, execution.parameters),
                schema=execution.schema,
                catalog=None if execution.catalog.lower() == "awsdatacatalog" else execution.catalog,
                session=statement.session,
                cancelled=execution.cancelled,
                on_stats=on_stats,
            )

        try:
            try:
                return ask(statement.text)
            except TrinoError as error:
                if not statement.select or "Incorrect timestamp precision" not in error.message:
                    raise
            # Athena writes the three digits that its timestamps have; this engine writes six or none at all
            columns = ask(f"SELECT * FROM ({statement.select}) LIMIT 0").columns
            return ask(statement.text.replace(statement.select, _with_six_digits(statement.select, columns)))
        finally:
            if statement.cleanup:
                self._clean(statement.cleanup)

    def check(self, text: str) -> None:
        """Raise TrinoError where a text is no statement: the engine reads it and does not run it."""
        if text in self._checked:
            return
        try:
            self.client.run(f"PREPARE checked FROM\n{text}")
        except TrinoError as error:
            error.message = re.sub(r"^line (\d+):", lambda m: f"line {int(m[1]) - 1}:", error.message)
            raise
        self._checked.add(text)

    def ask(self, text: str) -> Answer:
        """Run a statement of the server's own."""
        return self.client.run(text)

    def _clean(self, text: str) -> None:
        with contextlib.suppress(TrinoError):
            self.client.run(text)


def _with_parameters(text: str, parameters: list[str]) -> str:
    """Give the question marks of a statement their values, which are written as SQL."""
    if not parameters:
        return text
    quoted = text.replace("'", "''")
    return f"EXECUTE IMMEDIATE '{quoted}' USING {', '.join(parameters)}"


def _with_six_digits(select: str, columns: list[tuple[str, str]]) -> str:
    shown = []
    for name, kind in columns:
        wanted = re.sub(r"timestamp\(\d+\)(?! with)", "timestamp(6)", kind)
        shown.append(quote(name) if wanted == kind else f"CAST({quote(name)} AS {wanted}) AS {quote(name)}")
    return f"SELECT {', '.join(shown)} FROM ({select})"
