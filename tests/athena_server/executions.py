"""Query executions: from StartQueryExecution to a result on S3."""

from __future__ import annotations

import csv
import io
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.athena_server.formats import column_info, text_of
from tests.athena_server.statements import Statement, prepare
from tests.trino.client import Answer, CancelledError, TrinoError

ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class SqlRunner(Protocol):
    """What runs the statements: Trino, or the local engine."""

    name: str

    def run(self, statement: Statement, execution: Execution) -> Answer:
        """Run a statement to its end; raise TrinoError or CancelledError."""
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
    reused: bool = False
    output: str | None = None
    manifest: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    cutoff: int | None = None
    delay: float = 0.0

    def describe(self) -> dict[str, Any]:
        """Return what GetQueryExecution shows."""
        end = self.completed or time.time()
        begun = self.started or end
        statement = self.statement or prepare(self.query, query_id=self.id, output=self.location)
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.completed:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = self.error
        statistics: dict[str, Any] = {
            "EngineExecutionTimeInMillis": int((end - begun) * 1000),
            "DataScannedInBytes": self.scanned,
            "TotalExecutionTimeInMillis": int((end - self.submitted) * 1000),
            "QueryQueueTimeInMillis": int((begun - self.submitted) * 1000),
            "ServiceProcessingTimeInMillis": 1,
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
        }
        if self.manifest:
            statistics["DataManifestLocation"] = self.manifest
        told: dict[str, Any] = {
            "QueryExecutionId": self.id,
            "Query": self.query,
            "StatementType": statement.kind,
            "SubstatementType": statement.sub_kind,
            "ResultConfiguration": {"OutputLocation": self.output or self.location},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {"Catalog": self.catalog.lower()},
            "Status": status,
            "Statistics": statistics,
            "WorkGroup": self.workgroup,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        }
        if self.database:
            told["QueryExecutionContext"]["Database"] = self.database
        if self.parameters:
            told["ExecutionParameters"] = self.parameters
        return told


class Executions:
    """Runs and remembers them."""

    def __init__(self, runner: SqlRunner, s3: Any) -> None:
        self.runner = runner
        self.s3 = s3
        self.known: dict[str, Execution] = {}

    def start(self, execution: Execution) -> None:
        """Begin one; it goes on in a thread."""
        self.known[execution.id] = execution
        execution.statement = prepare(execution.query, query_id=execution.id, output=execution.location)
        execution.output = _output(execution)
        threading.Thread(target=self._run, args=(execution,), daemon=True).start()

    def _run(self, execution: Execution) -> None:
        assert execution.statement is not None
        time.sleep(0.005)
        execution.state, execution.started = "RUNNING", time.time()
        try:
            if execution.cancelled.wait(execution.delay):
                raise CancelledError
            if not self._reuse(execution):
                self._finish(execution, self.runner.run(execution.statement, execution))
            execution.completed, execution.state = time.time(), "SUCCEEDED"
        except CancelledError:
            execution.reason = execution.reason or "Query was cancelled by user"
            execution.completed, execution.state = time.time(), "CANCELLED"
        except TrinoError as error:
            self._fail(execution, error)
        except Exception as error:  # noqa: BLE001 - whatever happens, the client must see an end
            self._fail(
                execution, TrinoError("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            )

    def _fail(self, execution: Execution, error: TrinoError) -> None:
        kind = {"USER_ERROR": 2, "INTERNAL_ERROR": 1}.get(error.kind, 1)
        execution.reason = f"{error.name}: {error.message}"
        execution.error = {
            "ErrorCategory": kind,
            "ErrorType": 1006 if kind == 2 else 233,
            "Retryable": False,
            "ErrorMessage": execution.reason,
        }
        execution.completed, execution.state = time.time(), "FAILED"

    def _reuse(self, execution: Execution) -> bool:
        if not execution.reuse_minutes:
            return False
        oldest = time.time() - execution.reuse_minutes * 60
        for other in reversed(list(self.known.values())):
            alike = (other.query, other.workgroup, other.database, other.parameters)
            if other is execution or other.state != "SUCCEEDED" or (other.completed or 0) < oldest:
                continue
            if alike == (execution.query, execution.workgroup, execution.database, execution.parameters):
                execution.columns, execution.rows, execution.reused = other.columns, other.rows, True
                self._write(execution)
                return True
        return False

    def _finish(self, execution: Execution, answer: Answer) -> None:
        assert execution.statement is not None
        execution.scanned = int(answer.stats.get("physicalInputBytes", 0))
        if execution.statement.output is not None or execution.statement.sub_kind == "INSERT":
            execution.update_count = answer.rows[0][0] if answer.rows else 0
            self._write_manifest(execution)
            return
        if answer.update_type and answer.update_type not in ("SELECT",):
            execution.columns, execution.rows = [], []
            self._write(execution)
            return
        kinds = [kind for _, kind in answer.columns]
        execution.columns = answer.columns
        execution.rows = [[text_of(v, k) for v, k in zip(row, kinds, strict=True)] for row in answer.rows]
        answer.rows.clear()
        self._write(execution)

    def _write(self, execution: Execution) -> None:
        """Write the result where Athena would: every value of a CSV in quotes, NULL as nothing."""
        assert execution.output is not None
        if execution.output.endswith(".txt"):
            body = "\n".join("\t".join(v or "" for v in row) for row in execution.rows)
        else:
            out = io.StringIO()
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
            writer.writerow([name for name, _ in execution.columns])
            for row in execution.rows:
                out.write(",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row) + "\n")
            body = out.getvalue()
        self._put(execution.output, body.encode())
        self._put(execution.output + ".metadata", b"\x00")

    def _write_manifest(self, execution: Execution) -> None:
        statement = execution.statement
        assert statement is not None
        if statement.output is None:
            return
        bucket, prefix = split(statement.output)
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        files = [f"s3://{bucket}/{found['Key']}" for found in listed]
        execution.manifest = f"{execution.location.rstrip('/')}/{execution.id}-manifest.csv"
        self._put(execution.manifest, "".join(f"{f}\n" for f in files).encode())

    def _put(self, address: str, body: bytes) -> None:
        bucket, key = split(address)
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def results(self, execution: Execution, start: int, size: int) -> dict[str, Any]:
        """Return one page of GetQueryResults."""
        assert execution.statement is not None
        data: list[list[str | None]] = []
        header = 1 if execution.statement.kind == "DML" and execution.columns else 0
        if header and start == 0:
            data.append([name for name, _ in execution.columns])
        first = max(0, start - header)
        last = start + size - header
        data += execution.rows[first:last]
        page: dict[str, Any] = {
            "ResultSet": {
                "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in data],
                "ResultSetMetadata": {"ColumnInfo": [column_info(n, k) for n, k in execution.columns]},
            },
            "UpdateCount": execution.update_count or 0,
        }
        if last < len(execution.rows):
            page["NextToken"] = str(start + size)
        return page


def split(address: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// address."""
    found = re.fullmatch(r"s3a?://([^/]+)/?(.*)", address, re.DOTALL)
    if not found:
        raise TrinoError("INVALID_INPUT", "USER_ERROR", f"Not an address on S3: {address}")
    return found[1], found[2]


def _output(execution: Execution) -> str:
    assert execution.statement is not None
    base = execution.location.rstrip("/")
    kind, sub = execution.statement.kind, execution.statement.sub_kind
    if sub == "CREATE_TABLE_AS_SELECT":
        return f"{base}/tables/{execution.id}"
    if sub in ("UNLOAD", "INSERT"):
        return f"{base}/{execution.id}"
    return f"{base}/{execution.id}{'.csv' if kind == 'DML' else '.txt'}"
