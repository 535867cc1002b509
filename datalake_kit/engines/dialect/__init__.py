"""One SQL text: Athena's dialect, read and judged here, translated faithfully to DuckDB's, or refused."""

from datalake_kit.engines.dialect.lexing import Placeholder, placeholders
from datalake_kit.engines.dialect.macros import REFUSED_WHILE_RUNNING
from datalake_kit.engines.dialect.parsing import tables_named
from datalake_kit.engines.dialect.statements import (
    CatalogStatement,
    catalog_statement,
    check_read_only,
    is_read_only,
    statement_kind,
)
from datalake_kit.engines.dialect.translate import connection_setup, translate

__all__ = [
    "REFUSED_WHILE_RUNNING",
    "CatalogStatement",
    "Placeholder",
    "catalog_statement",
    "check_read_only",
    "connection_setup",
    "is_read_only",
    "placeholders",
    "statement_kind",
    "tables_named",
    "translate",
]
