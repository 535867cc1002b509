"""Which results may be given again: the same text over the same tables, unchanged, and nothing of chance in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.athena_server.ddl import Ddl
from tests.athena_server.errors import StatementError
from tests.athena_server.lexing import tokens

if TYPE_CHECKING:
    from tests.athena_server.executions import Execution

_CHANGING = {
    "RAND", "RANDOM", "SHUFFLE", "UUID", "NOW", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME",
    "LOCALTIMESTAMP",
}  # fmt: skip


class Reusing:
    """Compares two executions."""

    def __init__(self, ddl: Ddl) -> None:
        self.ddl = ddl

    def is_alike(self, execution: Execution, other: Execution) -> bool:
        """Tell whether the result of another execution is the result of this one, too."""
        return _asked(execution) == _asked(other) and not any(t.upper in _CHANGING for t in tokens(execution.query))

    def unchanged_since(self, execution: Execution, moment: float) -> bool:
        """Tell whether no table of a statement was defined anew, nor given partitions, since a moment."""
        for database, name in tables_of(execution.query):
            try:
                table = self.ddl.get_table(database or execution.schema, name)
                partitions = (
                    self.ddl.partitions(database or execution.schema, name) if table.get("PartitionKeys") else []
                )
            except StatementError:
                return False
            times = [table.get("UpdateTime"), table.get("CreateTime"), *(p.get("CreationTime") for p in partitions)]
            if any(t is not None and t.timestamp() > moment for t in times):
                return False
        return True


def _asked(execution: Execution) -> tuple[Any, ...]:
    return execution.query, execution.workgroup, execution.schema, execution.catalog, execution.parameters


def tables_of(text: str) -> list[tuple[str | None, str]]:
    """Return database (or None) and name of each table that a statement reads; none of a text not understood."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(text, dialect="trino")
    except sqlglot.errors.SqlglotError:
        return []
    found = {(t.db.lower() or None, t.name.lower()) for t in tree.find_all(exp.Table) if t.name}
    return sorted(found, key=str)
