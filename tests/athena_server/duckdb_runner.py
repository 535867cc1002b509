"""SELECTs on the local engine, for machines without Java 25 or Maven: nothing else runs there, and it says so."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.athena_server.errors import StatementError
from tests.athena_server.lexing import tokens
from tests.athena_server.reusing import tables_of
from tests.athena_server.s3_paths import split
from tests.athena_server.statements import Statement, quote
from tests.trino.client import Answer, TrinoError

if TYPE_CHECKING:
    from tests.athena_server.executions import Execution

_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint",
    "FLOAT": "real", "DOUBLE": "double", "VARCHAR": "varchar", "BLOB": "varbinary", "DATE": "date",
    "TIMESTAMP": "timestamp(3)", "HUGEINT": "decimal(38,0)", "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone",
}  # fmt: skip
_PARQUET = "parquet"


class DuckDbRunner:
    """Runs SELECTs over the Parquet tables in Glue."""

    name = "duckdb"

    def __init__(self, url: str, glue: Any) -> None:
        self.url = url
        self.glue = glue

    def check(self, text: str) -> None:
        """Raise TrinoError where a text is no statement."""
        import sqlglot

        try:
            sqlglot.parse_one(text, dialect="trino")
        except sqlglot.errors.SqlglotError as error:
            raise TrinoError("SYNTAX_ERROR", "USER_ERROR", f"line 1:1: mismatched input: {error}") from None

    def ask(self, text: str) -> Answer:
        """Refuse: the server's own statements are for Trino."""
        raise StatementError("NOT_SUPPORTED", f"the local engine runs SELECTs only, not {text[:60]}")

    def run(self, statement: Statement, execution: Execution) -> Answer:
        """Run a SELECT; raise StatementError for anything else."""
        if statement.sub_kind != "SELECT":
            raise StatementError("NOT_SUPPORTED", f"the local engine runs SELECTs only, not {statement.sub_kind}")
        import duckdb

        from datalake_kit.engines.dialect.translate import connection_setup, translate
        from datalake_kit.errors import DatalakeKitError

        text = with_values(statement.text, execution.parameters)
        with duckdb.connect() as connection:
            for setting in connection_setup():
                connection.execute(setting)
            schema = {}
            for database, name in tables_of(text):
                owner = database or execution.schema
                columns = self._register(connection, owner, name)
                schema[f"{owner}.{name}"] = columns
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(execution.schema)}; USE {quote(execution.schema)}")
            try:
                found = connection.execute(translate(text, schema=schema, parameters={}))
                described = [(d[0], _TYPES.get(str(d[1]), str(d[1]).lower())) for d in found.description or []]
                rows = [[_value(v) for v in row] for row in found.fetchall()]
            except (duckdb.Error, DatalakeKitError) as error:
                raise TrinoError("GENERIC_USER_ERROR", "USER_ERROR", str(error)) from None
        return Answer(described, rows)

    def _register(self, connection: Any, database: str, name: str) -> dict[str, str]:
        import pyarrow.dataset as ds
        from pyarrow import fs

        try:
            table = self.glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self.glue.exceptions.EntityNotFoundException:
            message = f"line 1:15: Table 'awsdatacatalog.{database}.{name}' does not exist"
            raise TrinoError("TABLE_NOT_FOUND", "USER_ERROR", message) from None
        s3 = fs.S3FileSystem(
            access_key="trino", secret_key="trino", endpoint_override=self.url, region="us-east-1", scheme="http"
        )
        bucket, prefix = split(table["StorageDescriptor"]["Location"])
        where = f"{bucket}/{prefix}".rstrip("/")
        inner = f"data_{database}_{name}"
        connection.register(inner, ds.dataset(where, filesystem=s3, format=_PARQUET, partitioning="hive"))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(database)}")
        connection.execute(f"CREATE VIEW {quote(database)}.{quote(name)} AS SELECT * FROM {quote(inner)}")
        told = connection.execute(f"DESCRIBE {quote(database)}.{quote(name)}").fetchall()
        return {column: kind for column, kind, *_ in told}


def with_values(text: str, values: Sequence[str]) -> str:
    """Put values, written as SQL, in the place of the question marks.

    >>> with_values("SELECT ? AS a, '?' AS b", ["1"])
    "SELECT 1 AS a, '?' AS b"
    """
    marks = [t for t in tokens(text) if t.text == "?"]
    if len(marks) != len(values):
        message = f"line 1:1: Incorrect number of parameters: expected {len(marks)} but found {len(values)}"
        raise TrinoError("INVALID_PARAMETER_USAGE", "USER_ERROR", message)
    for mark, value in reversed(list(zip(marks, values, strict=True))):
        text = text[: mark.start] + value + text[mark.end :]
    return text


def _value(value: Any) -> Any:
    """Write a value as Trino's protocol would."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        return (
            value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03}" + (" UTC" if value.tzinfo else "")
        )
    if isinstance(value, (dt.date, dt.time, Decimal)):
        return str(value)
    return value
