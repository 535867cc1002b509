"""Query executions: from StartQueryExecution to a result on S3."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.athena_server import errors, results
from tests.athena_server.ddl import Ddl
from tests.athena_server.errors import ApiError, StatementError
from tests.athena_server.formats import text_of
from tests.athena_server.listing import Listing
from tests.athena_server.refusing import Refusing
from tests.athena_server.reusing import Reusing
from tests.athena_server.statements import COUNTING, ENGINE, GLUE, SAVED, Statement, prepare
from tests.trino.client import Answer, CancelledError, TrinoError

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_ENGINE_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


class SqlRunner(Protocol):
    """What runs the statements: Trino, or the local engine."""

    name: str

    def run(self, statement: Statement, execution: Execution) -> Answer:
        """Run a statement to its end; raise TrinoError or CancelledError."""
        ...

    def check(self, text: str) -> None:
        """Raise TrinoError where a text is no statement."""
        ...

    def ask(self, text: str) -> Answer:
        """Run a statement of the server's own."""
        ...


@dataclass
class Execution:
    """One query execution."""

    query: str
    workgroup: str
    location: str
    database: str | None = None
    catalog: str = "AwsDataCatalog"
    parameters: list[str] = field(default_factory=list)
    reuse_minutes: int | None = None
    result_settings: dict[str, Any] = field(default_factory=dict)  # encryption, owner: given back as they came
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    reason: str | None = None
    error: dict[str, Any] | None = None
    statement: Statement | None = None
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    completed: float | None = None
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    update_count: int | None = None
    scanned: int = 0
    planning: int = 0
    reused: bool = False
    output: str | None = None
    manifest: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    cutoff: int | None = None
    delay: float = 0.0
    token: str | None = None

    @property
    def schema(self) -> str:
        """The database in which names without one are."""
        return (self.database or "default").strip("`").lower()

    @property
    def counts(self) -> bool:
        """Whether the result is a number of rows written."""
        return self.statement is not None and self.statement.sub_kind in COUNTING

    @property
    def has_header(self) -> bool:
        """Whether the first row that GetQueryResults gives holds the names."""
        assert self.statement is not None
        return self.statement.kind == "DML" and bool(self.columns) and not self.counts

    def describe(self) -> dict[str, Any]:
        """Return what GetQueryExecution shows."""
        statement = self.statement
        assert statement is not None
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.completed:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = self.error
        age: dict[str, Any] = {"Enabled": self.reuse_minutes is not None}
        if self.reuse_minutes is not None:
            age["MaxAgeInMinutes"] = self.reuse_minutes
        told: dict[str, Any] = {
            "QueryExecutionId": self.id,
            "Query": self.query,
            "StatementType": statement.kind,
            "SubstatementType": statement.sub_kind,
            "ResultConfiguration": {**self.result_settings, "OutputLocation": self.output or self.location},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": age},
            "QueryExecutionContext": {"Catalog": self.catalog.lower()},
            "Status": status,
            "Statistics": self._statistics(),
            "WorkGroup": self.workgroup,
            "EngineVersion": _ENGINE_VERSION,
        }
        if self.database:
            told["QueryExecutionContext"]["Database"] = self.database.strip("`")
        if self.parameters:
            told["ExecutionParameters"] = self.parameters
        return told

    def _statistics(self) -> dict[str, Any]:
        end = self.completed or time.time()
        begun = self.started or end
        told: dict[str, Any] = {
            "EngineExecutionTimeInMillis": int((end - begun) * 1000),
            "DataScannedInBytes": self.scanned,
            "TotalExecutionTimeInMillis": int((end - self.submitted) * 1000),
            "QueryQueueTimeInMillis": int((begun - self.submitted) * 1000),
            "ServicePreProcessingTimeInMillis": 1,
            "QueryPlanningTimeInMillis": self.planning,
            "ServiceProcessingTimeInMillis": 1,
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
        }
        if self.manifest:
            told["DataManifestLocation"] = self.manifest
        return told


class Executions:
    """Runs and remembers them."""

    def __init__(self, runner: SqlRunner, s3: Any, glue: Any) -> None:
        self.runner = runner
        self.s3 = s3
        self.ddl = Ddl(glue, s3, runner.ask)
        self.listing = Listing(self.ddl)
        self.refusing = Refusing(self.ddl)
        self.reusing = Reusing(self.ddl)
        self.known: dict[str, Execution] = {}

    def start(self, execution: Execution, *, saved: str | None = None) -> None:
        """Begin one; it goes on in a thread. `saved` is the text that an EXECUTE stands for.

        Raises
        ------
        ApiError
            The text is no statement at all.
        """
        text = saved or execution.query
        try:
            execution.statement = prepare(
                text, query_id=execution.id, output=execution.location, database=execution.schema
            )
            if execution.statement.runs_on == ENGINE:
                self.runner.check(execution.statement.text)
        except TrinoError as error:
            if errors.is_malformed(error) or isinstance(error, StatementError):
                raise ApiError("InvalidRequestException", error.message, code="MALFORMED_QUERY") from None
            raise
        execution.output = _output(execution)
        self.known[execution.id] = execution
        threading.Thread(target=self._run, args=(execution,), daemon=True).start()

    def _run(self, execution: Execution) -> None:
        assert execution.statement is not None
        time.sleep(0.005)
        if not execution.cancelled.is_set():
            execution.state, execution.started = "RUNNING", time.time()
        try:
            if execution.cancelled.wait(execution.delay):
                raise CancelledError
            if not self._reuse(execution):
                self._finish(execution, self._answer(execution))
            execution.completed, execution.state = time.time(), "SUCCEEDED"
        except CancelledError:
            execution.reason = execution.reason or "Query was cancelled by user"
            execution.completed, execution.state = time.time(), "CANCELLED"
        except TrinoError as error:
            self._fail(execution, error)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client must see an end
            self._fail(execution, TrinoError("INTERNAL_ERROR", "INTERNAL_ERROR", f"{type(error).__name__}: {error}"))

    def _answer(self, execution: Execution) -> Answer:
        statement = execution.statement
        assert statement is not None
        self.refusing.check(execution)
        if statement.runs_on == GLUE:
            if statement.kind == "UTILITY":
                return self.listing.run(statement.text, execution.schema)
            return Answer([], self.ddl.run(statement.text, execution.schema))
        if statement.runs_on == SAVED:  # done when it was asked for
            return Answer([], [])
        before = set(self._files(execution))
        answer = self.runner.run(statement, execution)
        execution.scanned = int(answer.stats.get("physicalInputBytes", 0))
        execution.planning = int(answer.stats.get("planningTimeMillis", 0) or 0)
        if execution.cutoff and execution.scanned > execution.cutoff:
            execution.reason = "Query cancelled! : Bytes scanned limit was exceeded"
            raise CancelledError
        if statement.sub_kind in ("CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD"):
            execution.columns = [("rows", "bigint")]
            results.write_manifest(self.s3, execution, [f for f in self._files(execution) if f not in before])
        return answer

    def _files(self, execution: Execution) -> list[str]:
        """Return the files where a statement writes."""
        statement = execution.statement
        assert statement is not None
        if statement.output is not None:
            return results.files_under(self.s3, statement.output)
        if statement.sub_kind != "INSERT" or statement.target is None:
            return []
        try:
            table = self.ddl.get_table(statement.target[0] or execution.schema, statement.target[1])
        except StatementError:
            return []
        return results.files_under(self.s3, table["StorageDescriptor"]["Location"])

    def _fail(self, execution: Execution, error: TrinoError) -> None:
        execution.reason = errors.reason_of(error)
        execution.error = errors.describe(error)
        execution.completed, execution.state = time.time(), "FAILED"

    def _reuse(self, execution: Execution) -> bool:
        """Take the result of an earlier statement that was the same, if there is one young enough."""
        if not execution.reuse_minutes or execution.statement is None or execution.statement.sub_kind != "SELECT":
            return False
        oldest = time.time() - execution.reuse_minutes * 60
        for other in reversed(list(self.known.values())):
            if other is execution or other.state != "SUCCEEDED" or (other.completed or 0) < oldest:
                continue
            if not self.reusing.is_alike(execution, other) or not results.exists(self.s3, other.output or ""):
                continue
            if self.reusing.unchanged_since(execution, other.submitted):
                execution.columns, execution.rows, execution.reused = other.columns, other.rows, True
                results.write(self.s3, execution)
                return True
        return False

    def _finish(self, execution: Execution, answer: Answer) -> None:
        statement = execution.statement
        assert statement is not None
        if execution.counts:
            execution.columns = [("rows", "bigint")]
            count = answer.update_count if answer.update_count is not None else answer.rows[0][0] if answer.rows else 0
            execution.update_count = int(count or 0)
            if statement.extension:
                results.write(self.s3, execution)
            return
        if statement.sub_kind == "EXPLAIN":
            execution.columns = answer.columns
            lines = [line for row in answer.rows for line in str(row[0]).splitlines()]
            execution.rows = [[line] for line in lines if not line.startswith("Trino version:")]
        elif statement.kind == "DDL":
            execution.rows = answer.rows if statement.runs_on == GLUE else []
        else:
            kinds = [kind for _, kind in answer.columns]
            execution.columns = answer.columns
            execution.rows = [[text_of(v, k) for v, k in zip(row, kinds, strict=True)] for row in answer.rows]
        answer.rows = []
        results.write(self.s3, execution)


def _output(execution: Execution) -> str:
    statement = execution.statement
    assert statement is not None
    base = execution.location.rstrip("/")
    if statement.sub_kind == "CREATE_TABLE_AS_SELECT":
        return f"{base}/tables/{execution.id}"
    return f"{base}/{execution.id}{statement.extension}"
