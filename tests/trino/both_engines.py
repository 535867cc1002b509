"""One statement on both engines: what Trino answered, what the translation gives on DuckDB, and whether it is alike."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import duckdb

from datalake_kit.engines.dialect import REFUSED_WHILE_RUNNING, connection_setup, translate
from datalake_kit.engines.dialect.types import from_duckdb
from datalake_kit.errors import SqlError
from tests.trino.answers import duckdb_type, duckdb_value, plain_type, same_rows, trino_value
from tests.trino.client import TrinoClient, TrinoError

NO_STATEMENT = ("NO_NODES_AVAILABLE", "HTTP", "QUERY_QUEUE_FULL", "CLUSTER_OUT_OF_MEMORY")


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """Return a database that is set up as the local engine's is."""
    made = duckdb.connect(config={"memory_limit": "1GB"})
    for statement in connection_setup():
        made.execute(statement)
    return made


@dataclass(slots=True)
class Local:
    """What the local engine made of a statement: 'refused', 'fails' or 'answers'; with the message, or the rows."""

    found: str
    message: str = ""
    statement: str = ""
    rows: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


def run_locally(sql: str) -> Local:
    """Translate a statement and run it."""
    try:
        statement = translate(sql, schema={}, parameters={})
    except SqlError as error:
        return Local("refused", str(error))
    except LookupError as error:  # a column or a table that is not there
        return Local("fails", str(error))
    try:
        result = connection().execute(statement)
        rows, heads = result.fetchall(), result.description
    except duckdb.Error as error:
        return Local("refused" if REFUSED_WHILE_RUNNING in str(error) else "fails", str(error), statement)
    return Local("answers", "", statement, rows, [d[0] for d in heads], [str(d[1]) for d in heads])


def ask_trino(client: TrinoClient, sql: str, catalog: str | None = None, schema: str | None = None) -> dict[str, Any]:
    """Return what a case of the corpus holds besides its statement: columns and rows, or the name of the error."""
    try:
        answer = client.run(sql, catalog=catalog, schema=schema)
    except TrinoError as error:
        if error.name in NO_STATEMENT:
            raise
        return {"error": error.name}
    return {"columns": [list(c) for c in answer.columns], "rows": answer.rows}


def difference(case: dict[str, Any], local: Local) -> str | None:
    """Return how the local answer differs from Trino's, or None; a refusal never does.

    An answer where Trino has an error differs; so does an error, without a refusal, where Trino answers.
    """
    if local.found == "refused":
        return None
    if "error" in case:
        return f"Trino says {case['error']}, DuckDB answers {local.rows}" if local.found == "answers" else None
    if local.found == "fails":
        return f"Trino answers {case['rows']}, DuckDB fails: {local.message}"
    if local.names != [name for name, _ in case["columns"]]:
        return f"the columns are called {[name for name, _ in case['columns']]}, here {local.names}"
    theirs = [[trino_value(v, t) for v, (_, t) in zip(row, case["columns"], strict=True)] for row in case["rows"]]
    ours = [[duckdb_value(v, from_duckdb(t)) for v, t in zip(row, local.types, strict=True)] for row in local.rows]
    if not same_rows(ours, theirs, ordered=is_ordered(case["sql"])):
        return f"Trino {theirs}, DuckDB {ours}"
    mine, wanted = [duckdb_type(t) for t in local.types], [plain_type(t) for _, t in case["columns"]]
    return None if mine == wanted else f"the types are {wanted}, here {mine}"


def is_ordered(sql: str) -> bool:
    """Tell whether a statement says the order of its rows."""
    return re.search(r"(?i)order by [^()]*$", sql) is not None
