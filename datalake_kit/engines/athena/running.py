"""One statement on Athena: started, waited for, limited, cancelled.

PyAthena starts and asks; between two questions this module waits, by a rule that adds at most 0.1 s to a short query
and about 5 % to a long one, and looks whether the query has passed a limit.
"""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from datalake_kit.config import AthenaSettings
from datalake_kit.engines.athena import cancelling
from datalake_kit.engines.athena.costs import Costs, QueryCost, cost_of, shown_bytes
from datalake_kit.engines.athena.failures import Statement, explained
from datalake_kit.engines.athena.progress import Shown
from datalake_kit.engines.athena.session import AwsSession
from datalake_kit.engines.base import Options, QueryStats
from datalake_kit.errors import EngineError, QueryTimedOutError, ScanLimitError

FIRST_WAIT_SECONDS = 0.05
ENDS = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result, as Athena describes it: its type is a bare word such as `decimal` or `array`."""

    name: str
    type: str
    precision: int
    scale: int


@dataclass
class Finished:
    """A query that succeeded.

    Attributes
    ----------
    statement_type
        "DML", "DDL" or "UTILITY".
    output_location
        The result on S3 (`s3://….csv`, or `.txt` of DDL); None where the workgroup keeps results itself.
    manifest_location
        The list of the files that UNLOAD, INSERT or CREATE TABLE AS wrote, if any.
    execution
        All that PyAthena knows of it.
    """

    query_id: str
    statement_type: str
    output_location: str | None
    manifest_location: str | None
    bytes_scanned: int
    engine_seconds: float
    queue_seconds: float
    reused: bool
    substatement_type: str = ""
    execution: Any = field(default=None, repr=False)
    _describe: Callable[[], tuple[ResultColumn, ...]] = field(default=lambda: (), repr=False)
    _columns: tuple[ResultColumn, ...] | None = field(default=None, repr=False)

    def columns(self) -> tuple[ResultColumn, ...]:
        """Return the columns of the result; asked for once (GetQueryResults with one row)."""
        if self._columns is None:
            self._columns = self._describe()
        return self._columns


class Runner(Protocol):
    """Runs the queries of one statement; what reads results needs."""

    session: AwsSession
    settings: AthenaSettings

    @property
    def athena(self) -> Any:
        """The boto3 client of Athena."""
        ...

    @property
    def s3(self) -> Any:
        """The boto3 client of S3."""
        ...

    def run(self, text: str, *, reading: bool = True) -> Finished:
        """Run a statement to its end; raises ours when it fails, cancels it on Ctrl-C."""
        ...

    @contextlib.contextmanager
    def explaining(self, finished: Finished | None = None) -> Any:
        """Turn what AWS raises in this block into ours, with the query id."""
        ...


def wait_seconds(elapsed: float, longest: float) -> float:
    """Return how long to wait before the next question about a query, without jitter.

    >>> [wait_seconds(t, 1.0) for t in (0.0, 2.0, 10.0, 3600.0)]
    [0.05, 0.1, 0.5, 1.0]
    """
    return max(FIRST_WAIT_SECONDS, min(longest, elapsed / 20))


class AthenaRunner:
    """Runs the queries of one statement: its limits, its progress and its statistics are those of all of them.

    Parameters
    ----------
    session
        The way to AWS.
    statement
        What errors show of the statement.
    options, stats
        The options of the call, and the statistics that the caller sees; both are of all queries together.
    costs
        The session's sum; each query is counted, failed ones too.
    """

    def __init__(
        self, session: AwsSession, statement: Statement, options: Options, *, stats: QueryStats, costs: Costs
    ) -> None:
        self.session = session
        self.settings = session.settings
        self.statement = statement
        self.options = options
        self.stats = stats
        self.costs = costs
        self._began = time.perf_counter()
        self._scanned_before = 0
        self._cost_before = 0.0

    @property
    def athena(self) -> Any:
        """The boto3 client of Athena."""
        return self.session.client("athena")

    @property
    def s3(self) -> Any:
        """The boto3 client of S3."""
        return self.session.client("s3")

    @contextlib.contextmanager
    def explaining(self, finished: Finished | None = None) -> Any:
        """Turn what AWS raises in this block into ours, with the query id."""
        try:
            yield
        except Exception as error:
            query_id = finished.query_id if finished else self.stats.query_id
            known = explained(error, self.statement, self.session, query_id=query_id)
            if known is error:
                raise
            raise known from (error if type(known) is EngineError and not self.statement.hidden else None)

    def run(self, text: str, *, reading: bool = True) -> Finished:
        """Run a statement to its end; see `Runner.run`."""
        watch = _Watch(self)
        age = self.options.max_age if self.options.max_age is not None else self.settings.max_age
        reuse = {"result_reuse_enable": True, "result_reuse_minutes": age} if reading and age else {}
        try:
            with cancelling.heeding_sigterm(), self.explaining_query(watch):
                cursor = self.session.cursor(on_start=watch.begin, on_poll=watch.look)
                cursor.execute(text, **reuse)
        finally:
            watch.end()
        return self._finished(watch.last)

    @contextlib.contextmanager
    def explaining_query(self, watch: _Watch) -> Any:
        """Cancel the query when anything breaks off the wait for it, and turn what AWS raises into ours."""
        try:
            yield
        except BaseException as error:
            watch.cancel()
            if not isinstance(error, Exception):
                raise
            last = None if watch.cancelled else watch.last  # what it says after that, we did ourselves
            known = explained(error, self.statement, self.session, query_id=watch.query_id, execution=last)
            if known is error:
                raise
            raise known from (error if type(known) is EngineError and not self.statement.hidden else None)

    def _finished(self, execution: Any) -> Finished:
        query_id = str(execution.query_id)
        return Finished(
            query_id,
            execution.statement_type or "",
            execution.output_location,
            execution.data_manifest_location,
            execution.data_scanned_in_bytes or 0,
            (execution.engine_execution_time_in_millis or 0) / 1000,
            (execution.query_queue_time_in_millis or 0) / 1000,
            bool(execution.reused_previous_result),
            execution.substatement_type or "",
            execution,
            _describe=lambda: self._describe(query_id),
        )

    def _describe(self, query_id: str) -> tuple[ResultColumn, ...]:
        with self.explaining():
            answer = self.session.asked("get_query_results", QueryExecutionId=query_id, MaxResults=1)
        return columns_of(answer)

    # --- what _Watch tells

    def limit(self) -> int | None:
        """Bytes that the queries of this statement may read together."""
        return self.options.max_scan if self.options.max_scan is not None else self.settings.max_scan

    def account(self, execution: Any, seconds: float) -> None:
        """Bring the statistics up to what Athena says of the query that runs."""
        stats = self.stats
        stats.query_id = str(execution.query_id)
        stats.state = str(execution.state)
        stats.seconds = time.perf_counter() - self._began
        stats.bytes_scanned = self._scanned_before + (execution.data_scanned_in_bytes or 0)
        stats.queue_seconds = (execution.query_queue_time_in_millis or 0) / 1000
        stats.reused = bool(execution.reused_previous_result)
        cost = self._cost(execution)
        stats.cost = self._cost_before + cost
        if stats.state in ENDS:
            read = execution.data_scanned_in_bytes or 0
            self._scanned_before, self._cost_before = stats.bytes_scanned, stats.cost
            file = self.statement.file
            self.costs.add(QueryCost(stats.query_id, stats.state, seconds, read, cost, stats.reused, file))

    def _cost(self, execution: Any) -> float:
        return cost_of(
            execution.data_scanned_in_bytes,
            self.settings.price_per_tb,
            state=str(execution.state),
            statement_type=execution.statement_type or "DML",
            reused=bool(execution.reused_previous_result),
        )

    def check(self, execution: Any) -> None:
        """Raise when the statement has passed its time or its bytes."""
        seconds = time.perf_counter() - self._began
        ended = execution.state in ENDS
        limit = self.limit()
        if limit is not None and (self.stats.bytes_scanned or 0) > limit:
            self._passed(limit, ended=ended)
        timeout = self.options.timeout
        if timeout is not None and seconds > timeout and not ended:
            raise QueryTimedOutError(
                f"The query took more than timeout={timeout:g} s and was cancelled "
                f"({self.statement.where(self.stats.query_id)}). Give it more time, or ask for less.\n"
                f"{self.statement.shown()}"
            )

    def _passed(self, limit: int, *, ended: bool) -> None:
        read = shown_bytes(self.stats.bytes_scanned or 0)
        if ended:
            if self.stats.state == "SUCCEEDED":
                warnings.warn(
                    f"The query read {read}, more than max_scan ({shown_bytes(limit)}); Athena said so only at its "
                    f"end. {self.session.cutoff()}",
                    stacklevel=2,
                )
            return
        raise ScanLimitError(
            f"The query had read {read}, more than max_scan ({shown_bytes(limit)}), and was cancelled "
            f"({self.statement.where(self.stats.query_id)}). Filter by partition, name fewer columns, or raise "
            f"max_scan. {self.session.cutoff()}\n{self.statement.shown()}"
        )


class _Watch:
    """One query while it is waited for."""

    def __init__(self, runner: AthenaRunner) -> None:
        self.runner = runner
        self.query_id: str | None = None
        self.last: Any = None
        self.began = time.perf_counter()
        self.cancelled = False
        self.shown = Shown(runner.options.progress)

    def begin(self, query_id: str) -> None:
        """The query has an id."""
        self.query_id = query_id
        self.runner.stats.query_id = query_id
        cancelling.add(query_id, self._stop_afresh)

    def look(self, execution: Any) -> None:
        """What Athena says of the query; waits before the next question."""
        seconds = time.perf_counter() - self.began
        self.last = execution
        self.runner.account(execution, seconds)
        if not self.cancelled:
            self.shown.update(self.runner.stats)
            self.runner.check(execution)
        if execution.state not in ENDS:
            pause = wait_seconds(seconds, self.runner.settings.poll_interval)
            timeout = self.runner.options.timeout
            left = pause if timeout is None else max(0.01, timeout - (time.perf_counter() - self.runner._began))
            time.sleep(min(left, pause * random.uniform(0.8, 1.0)))  # noqa: S311 - spreads requests, guards nothing

    def cancel(self) -> None:
        """Cancel the query on the server if it may still run; its statistics are asked for once more."""
        if self.query_id is None or (self.last is not None and self.last.state in ENDS):
            return
        self.cancelled = True
        with contextlib.suppress(Exception):
            self.runner.session.stop(self.query_id)
            self.runner.session.settle(self.query_id, self.look)

    def end(self) -> None:
        """The wait is over, one way or the other."""
        self.shown.close()
        if self.query_id is not None:
            cancelling.remove(self.query_id)
        if self.last is None or self.last.state not in ENDS:
            self.runner.stats.state = "CANCELLED" if self.cancelled else "FAILED"

    def _stop_afresh(self) -> None:
        if self.query_id is not None:
            self.runner.session.stop(self.query_id, afresh=True)


def columns_of(answer: Mapping[str, Any]) -> tuple[ResultColumn, ...]:
    """Return the columns that an answer of GetQueryResults describes."""
    described = answer.get("ResultSet", {}).get("ResultSetMetadata", {}).get("ColumnInfo", [])
    return tuple(ResultColumn(c["Name"], c["Type"], c.get("Precision", 0), c.get("Scale", 0)) for c in described)
