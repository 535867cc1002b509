"""Amazon Athena: statements through PyAthena, the catalog through AWS Glue.

Values are written into the statement as literals of Athena's dialect, each quoted by its type, at the places where the
placeholders stand. Credentials come from the ordinary AWS chain; none is kept or shown. An interrupted query is
cancelled on the server (PyAthena does so).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from datalake_kit.config import AthenaSettings
from datalake_kit.engines import dialect as athena_dialect
from datalake_kit.engines.athena.catalog import GlueCatalog
from datalake_kit.engines.athena.costs import Costs, shown_bytes
from datalake_kit.engines.athena.failures import Statement
from datalake_kit.engines.athena.results import result_objects
from datalake_kit.engines.athena.running import AthenaRunner, Finished
from datalake_kit.engines.athena.scanning import known_scan
from datalake_kit.engines.athena.session import AwsSession
from datalake_kit.engines.athena.unload import read_statement
from datalake_kit.engines.base import (
    Execution,
    Options,
    QueryStats,
    TableInfo,
    TableName,
    refuse_to_write,
)
from datalake_kit.engines.dialect.athena_rules import check_athena
from datalake_kit.errors import (
    ParameterError,
    ScanLimitError,
)
from datalake_kit.sql import literal, replace_placeholders
from datalake_kit.storage import Place

BATCH_ROWS = 10_000
COUNTING = frozenset({"CREATE_TABLE_AS_SELECT", "INSERT", "MERGE", "UPDATE", "DELETE", "UNLOAD"})


class AthenaEngine:
    """Runs statements on Athena."""

    name = "athena"

    def __init__(self, settings: AthenaSettings) -> None:
        self.settings = settings
        self.session = AwsSession(settings)
        self.catalog = GlueCatalog(self.session)
        self.costs = Costs()

    # --- catalog

    def databases(self) -> list[str]:
        """Return the databases of the Glue catalog."""
        return self.catalog.databases()

    def tables(self, database: str) -> list[TableInfo]:
        """Return the tables of a database of the Glue catalog."""
        return self.catalog.tables(database)

    def describe(self, name: TableName) -> TableInfo:
        """Return a table of the Glue catalog with its columns."""
        return self.catalog.describe(name)

    def files(self, name: TableName) -> list[Place]:
        """Return the files of a table on S3; see `GlueCatalog.files`."""
        return self.catalog.files(name)

    def close(self) -> None:
        """Let go of the clients."""
        self.session.close()

    # --- statements

    def execute(self, text: str, values: Mapping[str, Any], options: Options, /) -> Execution:
        """Run one statement; see `Lake.sql`."""
        if options.dialect != "athena":
            raise ParameterError(f"dialect={options.dialect!r} is not spoken by Athena. Leave it out.")
        reading = athena_dialect.is_read_only(text)
        if not reading:
            refuse_to_write(text, allow_write=options.allow_write)
        started = time.perf_counter()
        spelled = replace_placeholders(text, lambda name: literal(values[name]))
        check_athena(text, spelled)
        runner = self._runner(text if self.settings.redact_parameters else spelled, values, options)
        options.started(runner.stats)
        if reading:
            self.catalog.describe_named(spelled)
        with runner.explaining():
            self._refuse_known_scan(runner, spelled, reading=reading)
            schema, batches = self._rows(runner, spelled, reading)
        return Execution(schema, _guarded(runner, batches), runner.stats, _started=started)

    def _refuse_known_scan(self, runner: AthenaRunner, text: str, *, reading: bool) -> None:
        """Refuse a statement that is known to read more than its limit."""
        limit = runner.limit()
        known = known_scan(text, self.catalog, self.settings.database) if limit is not None and reading else None
        if limit is None or known is None or known.at_least <= limit:
            return
        runner.stats.state = "FAILED"
        raise ScanLimitError(
            f"The statement would read {shown_bytes(known.at_least)} at least ({known}), more than max_scan "
            f"({shown_bytes(limit)}); it was not sent. Filter by partition, name fewer columns, add a LIMIT, or raise "
            f"max_scan. {self.session.cutoff()}\n{runner.statement.shown()}"
        )

    def _runner(self, shown: str, values: Mapping[str, Any], options: Options) -> AthenaRunner:
        settings = self.settings
        statement = Statement(shown, values, settings.redact_parameters, options.file, options.line, settings.database)
        stats = QueryStats(self.name, shown, "", state="QUEUED", file=options.file)
        return AthenaRunner(self.session, statement, options, stats=stats, costs=self.costs)

    def _rows(self, runner: AthenaRunner, text: str, reading: bool) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        if not reading:
            finished = runner.run(text, reading=False)
            try:
                return _written(runner, finished)
            finally:
                result_objects(runner, finished, keep=self.settings.keep_results).remove()
        options, settings = runner.options, self.settings
        age = options.max_age if options.max_age is not None else settings.max_age
        return read_statement(runner, text, unload=options.unload, keep=settings.keep_results, reuse=bool(age))


def _guarded(runner: AthenaRunner, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches; what AWS raises while they are fetched becomes ours."""
    with runner.explaining():
        yield from batches


def _written(runner: AthenaRunner, finished: Finished) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """What a statement that writes gives back: how many rows, as from the local engine, where they are counted."""
    answer = runner.session.asked("get_query_results", QueryExecutionId=finished.query_id, MaxResults=1)
    counts = finished.substatement_type in COUNTING and "UpdateCount" in answer
    columns = {"rows": pa.array([answer["UpdateCount"]], pa.int64())} if counts else {}
    table = pa.table(columns)
    return table.schema, iter(table.to_batches())
