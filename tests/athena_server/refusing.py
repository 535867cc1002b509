"""What Athena refuses although Trino takes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.athena_server.ddl import Ddl
from tests.athena_server.errors import StatementError
from tests.athena_server.reusing import tables_of
from tests.athena_server.statements import ENGINE

if TYPE_CHECKING:
    from tests.athena_server.executions import Execution


class Refusing:
    """Applies the rules that the user guide of Athena states."""

    def __init__(self, ddl: Ddl) -> None:
        self.ddl = ddl

    def check(self, execution: Execution) -> None:
        """Raise StatementError for a statement that Athena refuses."""
        from datalake_kit.engines.dialect.athena_rules import athena_refusals

        statement = execution.statement
        assert statement is not None
        if statement.runs_on != ENGINE or statement.sub_kind in ("OPTIMIZE", "VACUUM_TABLE", "EXPLAIN"):
            return
        for refused in athena_refusals(execution.query, columns=self._columns(execution)):
            message = f"line {refused.line}:{refused.column}: {refused.construct}: {refused.reason}"
            raise StatementError("NOT_SUPPORTED", message)

    def _columns(self, execution: Execution) -> dict[str, dict[str, str]]:
        """Return the columns of the tables named."""
        found: dict[str, dict[str, str]] = {}
        if not re.search(r"\b(cast|unload|create)\b", execution.query, re.IGNORECASE):
            return found  # no rule asks for the types
        for database, name in tables_of(execution.query):
            try:
                table = self.ddl.get_table(database or execution.schema, name)
            except StatementError:
                continue
            kept = table.get("StorageDescriptor", {}).get("Columns", []) + table.get("PartitionKeys", [])
            given = {c["Name"]: c["Type"] for c in kept}
            found[f"{database or execution.schema}.{name}"] = found[name] = given
        return found
