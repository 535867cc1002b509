"""Queries on Athena while they run: waited for, retried, limited, cancelled, shown, over HTTP and a real Trino."""

from __future__ import annotations

import _thread
import contextlib
import datetime as dt
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from datalake_kit import errors
from datalake_kit.engines.athena import progress as showing
from datalake_kit.engines.athena import session as session_module
from datalake_kit.engines.base import QueryStats
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server

pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore::ResourceWarning")]
ADDRESS = "athena://primary?region=us-east-1"
ONE = "SELECT 1 AS one"
MANY_BYTES = "SELECT sum(id) AS s FROM running_shop.orders"


@pytest.fixture(scope="module")
def shop(athena_server: Server) -> Server:
    """A table of text of 3 MB in four partitions, and a workgroup with a limit of its own."""
    glue, s3, client = (athena_server.client(s) for s in ("glue", "s3", "athena"))
    if "running_shop" in {d["Name"] for d in glue.get_databases()["DatabaseList"]}:
        return athena_server
    client.create_work_group(
        Name="limited",
        Configuration={
            "ResultConfiguration": {"OutputLocation": "s3://results/limited/"},
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
    )
    glue.create_database(DatabaseInput={"Name": "running_shop"})
    reader: dict[str, Any] = {
        "Columns": [{"Name": "id", "Type": "bigint"}, {"Name": "price", "Type": "double"}],
        "Location": "s3://lake/running_shop/orders/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            "Parameters": {"field.delim": ","},
        },
    }
    keys = [{"Name": "day", "Type": "string"}]
    table = {"Name": "orders", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": reader, "PartitionKeys": keys}
    glue.create_table(DatabaseName="running_shop", TableInput=table)
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        at = f"running_shop/orders/day={day}/"
        s3.put_object(Bucket="lake", Key=f"{at}a.csv", Body=b"1,22.75\n" * 125_000)
        there = {**reader, "Location": f"s3://lake/{at}"}
        partition = {"Values": [day], "StorageDescriptor": there}
        glue.create_partition(DatabaseName="running_shop", TableName="orders", PartitionInput=partition)
    return athena_server


@pytest.fixture
def lake(shop: Server, athena: Server) -> Iterator[Lake]:
    """A lake on the endpoint."""
    with connect(ADDRESS) as opened:
        yield opened


def last(lake: Lake) -> QueryStats:
    """Statistics of the last statement."""
    assert lake.last_query is not None
    return lake.last_query


def times(server: Server, operation: str) -> int:
    return sum(o == operation for o, _ in server.requests)


def state_of(server: Server, query_id: str) -> str:
    answer = server.client("athena").get_query_execution(QueryExecutionId=query_id)
    return str(answer["QueryExecution"]["Status"]["State"])


def settled(server: Server, query_id: str) -> str:
    """The state of a query when it is at an end."""
    until = time.monotonic() + 20
    while time.monotonic() < until and state_of(server, query_id) in ("QUEUED", "RUNNING"):
        time.sleep(0.05)
    return state_of(server, query_id)


# --- statistics


def test_statistics_of_a_query(lake: Lake) -> None:
    lake.sql(MANY_BYTES)
    stats = lake.last_query
    assert stats is not None
    assert stats.state == "SUCCEEDED"
    assert stats.bytes_scanned == 3_000_000
    assert stats.cost == pytest.approx(10 * 2**20 / 2**40 * 5)
    assert stats.rows == 1
    assert stats.queue_seconds is not None
    assert not stats.reused


def test_costs_sum_the_session_with_what_failed(lake: Lake) -> None:
    lake.sql(MANY_BYTES)
    with pytest.raises(errors.TableNotFoundError):
        lake.sql("SELECT id FROM running_shop.nothing")
    lake.sql(MANY_BYTES)
    costs = lake.costs
    assert costs.queries == 3
    assert costs.bytes_scanned == 6_000_000
    assert costs.cost == pytest.approx(2 * 10 * 2**20 / 2**40 * 5)
    assert costs.frame()["state"].tolist() == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert "3 queries, 6.0 MB read" in str(costs)


def test_the_price_is_a_setting(shop: Server, athena: Server) -> None:
    with connect(ADDRESS + "&price_per_tb=100") as lake:
        lake.sql(MANY_BYTES)
        assert lake.costs.cost == pytest.approx(10 * 2**20 / 2**40 * 100)


def test_an_earlier_result_is_given_again(lake: Lake) -> None:
    text = f"SELECT count(*) AS n, {time.time_ns()} AS unique_to_this_test FROM running_shop.orders"
    first = lake.sql(text, max_age="10 min")
    assert not last(lake).reused
    again = lake.sql(text, max_age=dt.timedelta(hours=1))
    assert last(lake).reused
    assert last(lake).cost == 0.0
    assert again.equals(first)
    lake.sql(text)
    assert not last(lake).reused


def test_a_max_age_of_the_lake_counts_where_none_is_given(shop: Server, athena: Server) -> None:
    text = f"SELECT {time.time_ns()} AS unique_to_this_test"
    with connect(ADDRESS + "&max_age=5 min".replace(" ", "%20")) as lake:
        for _ in range(2):
            lake.sql(text)
        assert last(lake).reused
        lake.sql(text, max_age=0)
        assert not last(lake).reused


# --- waiting


def test_asking_adds_little_to_a_short_query(lake: Lake, athena: Server) -> None:
    lake.sql(ONE)
    athena.slow(0.3)
    late = []
    for _ in range(5):
        seen: list[float] = []
        lake.sql(ONE, progress=lambda stats, seen=seen: seen.append(time.time()))  # type: ignore[misc]
        assert lake.last_query is not None
        status = athena.client("athena").get_query_execution(QueryExecutionId=lake.last_query.query_id)
        late.append(seen[-1] - status["QueryExecution"]["Status"]["CompletionDateTime"].timestamp())
    athena.slow(0)
    assert sorted(late)[2] < 0.1


def test_a_long_query_is_asked_about_less_and_less(lake: Lake, athena: Server) -> None:
    athena.slow(3)
    lake.sql(ONE)
    athena.slow(0)
    assert times(athena, "GetQueryExecution") < 50


# --- retries


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("StartQueryExecution", "TooManyRequestsException"),
        ("GetQueryExecution", "ThrottlingException"),
        ("GetQueryResults", "TooManyRequestsException"),
    ],
)
def test_throttled_ten_times(
    lake: Lake, athena: Server, operation: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "FIRST_BACKOFF_SECONDS", 0.01)
    athena.faults.add(operation, error, times=10)
    assert lake.sql(ONE, unload=False)["one"].tolist() == [1]
    assert times(athena, operation) >= 11


def test_throttling_without_end_is_given_up_and_named(
    lake: Lake, athena: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(session_module, "FIRST_BACKOFF_SECONDS", 0.001)
    athena.faults.add("StartQueryExecution", "ThrottlingException", times=1000)
    with pytest.raises(errors.EngineError, match="asked too often") as caught:
        lake.sql(ONE)
    assert times(athena, "StartQueryExecution") == session_module.ATTEMPTS
    assert ONE in str(caught.value)


def test_a_query_that_fails_is_not_run_again(lake: Lake, athena: Server) -> None:
    with pytest.raises(errors.EngineError, match="DIVISION_BY_ZERO"):
        lake.sql("SELECT 1 / (id - id) AS x FROM running_shop.orders", unload=False)
    assert times(athena, "StartQueryExecution") == 1


@pytest.mark.parametrize("operation", ["StartQueryExecution", "GetQueryExecution", "GetQueryResults"])
def test_a_connection_that_breaks_is_made_again(lake: Lake, athena: Server, operation: str) -> None:
    athena.faults.add(operation, cut_after=10)
    assert lake.sql(ONE, unload=False)["one"].tolist() == [1]
    assert times(athena, operation) >= 2
    assert len({lake.costs.frame()["query_id"].iloc[0]}) == lake.costs.queries == 1


def test_a_connection_that_always_breaks_is_named(lake: Lake, athena: Server) -> None:
    athena.faults.add("GetQueryResults", cut_after=10, times=99)
    with pytest.raises(errors.EngineError, match="network to AWS broke off at http://127") as caught:
        lake.sql(ONE, unload=False)
    assert lake.last_query is not None
    assert lake.last_query.query_id in str(caught.value)


# --- limits


def test_a_timeout_cancels(lake: Lake, athena: Server) -> None:
    athena.slow(30)
    began = time.monotonic()
    with pytest.raises(errors.QueryTimedOutError, match=r"timeout=0\.5 s"):
        lake.sql(ONE, timeout=0.5)
    assert time.monotonic() - began < 5
    stats = lake.last_query
    assert stats is not None
    assert stats.state == "CANCELLED"
    assert state_of(athena, stats.query_id) == "CANCELLED"


def test_a_query_cancelled_elsewhere(lake: Lake, athena: Server) -> None:
    athena.slow(30)

    def cancel(stats: QueryStats) -> None:
        athena.client("athena").stop_query_execution(QueryExecutionId=stats.query_id)

    with pytest.raises(errors.QueryCancelledError, match="cancelled elsewhere"):
        lake.sql(ONE, progress=cancel)


def test_a_query_that_passes_max_scan_is_cancelled(lake: Lake, athena: Server) -> None:
    client: Any = lake.engine.session.client("athena")  # type: ignore[attr-defined]
    athena.slow(30)

    def reading(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        parsed["QueryExecution"]["Statistics"]["DataScannedInBytes"] = 20_000_000

    client.meta.events.register("after-call.athena.GetQueryExecution", reading)
    with pytest.raises(errors.ScanLimitError, match=r"had read 20.0 MB, more than max_scan \(10.0 MB\)") as caught:
        lake.sql("SELECT count(price) AS n FROM running_shop.orders WHERE id > 0", max_scan="10 MB")
    assert "BytesScannedCutoffPerQuery of workgroup 'primary'; none is set" in str(caught.value)
    stats = lake.last_query
    assert stats is not None
    assert state_of(athena, stats.query_id) == "CANCELLED"
    assert lake.costs.cost == pytest.approx(20 * 2**20 / 2**40 * 5)


def says_only_at_the_end(lake: Lake) -> None:
    """Let Athena's statistics lag behind."""

    def hide(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if parsed["QueryExecution"]["Status"]["State"] != "SUCCEEDED":
            parsed["QueryExecution"]["Statistics"]["DataScannedInBytes"] = 0

    client: Any = lake.engine.session.client("athena")  # type: ignore[attr-defined]
    client.meta.events.register("after-call.athena.GetQueryExecution", hide)


def test_a_query_that_passed_max_scan_unseen_is_warned_of(lake: Lake) -> None:
    says_only_at_the_end(lake)
    with pytest.warns(UserWarning, match=r"read 3.0 MB, more than max_scan \(1.0 MB\)"):
        lake.sql("SELECT count(price) AS n FROM running_shop.orders WHERE id > 0", max_scan="1 MB")


def test_the_limit_of_the_workgroup_is_shown(shop: Server, athena: Server) -> None:
    with connect("athena://limited?region=us-east-1&max_scan=1MB") as lake:
        says_only_at_the_end(lake)
        with pytest.warns(UserWarning, match="of workgroup 'limited': 10000000 bytes"):
            lake.sql("SELECT count(price) AS n FROM running_shop.orders WHERE id > 0")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_scan": "ten"}, "max_scan: 'ten' is no size"),
        ({"max_scan": 0}, "max_scan: 0 is no size"),
        ({"max_age": "old"}, "max_age: 'old' is no age"),
        ({"max_age": "8 days"}, "max_age: '8 days' is more than"),
        ({"timeout": 0}, "timeout="),
        ({"timeout": True}, "timeout="),
        ({"unload": "yes"}, "unload="),
        ({"progress": 5}, "progress="),
    ],
)
def test_options_that_mean_nothing(lake: Lake, options: dict[str, Any], told: str) -> None:
    with pytest.raises(errors.ParameterError, match=told):
        lake.sql(ONE, **options)


# --- cancelling


WAITING = """
import sys, datalake_kit as dk
with dk.connect("athena://primary?region=us-east-1") as lake:
    lake.sql("SELECT 1 AS one", progress=lambda stats: print(stats.query_id, flush=True))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, (1, -signal.SIGINT, 130)), (signal.SIGTERM, (-signal.SIGTERM,))]
)
def test_a_process_that_is_ended_cancels_its_query(
    shop: Server, athena: Server, number: signal.Signals, code: tuple[int, ...]
) -> None:
    athena.slow(60)
    environment = {**os.environ, **athena.environment}
    running = subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(2, signal.default_int_handler){WAITING}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert running.stdout is not None
    query_id = running.stdout.readline().strip()
    assert state_of(athena, query_id) in ("QUEUED", "RUNNING")
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode in code
    assert settled(athena, query_id) == "CANCELLED"


IN_A_THREAD = """
import threading, time, datalake_kit as dk
lake = dk.connect("athena://primary?region=us-east-1")
told = []
threading.Thread(
    target=lambda: lake.sql("SELECT 1 AS one", progress=lambda s: told.append(s.query_id)), daemon=True
).start()
while not told:
    time.sleep(0.01)
print(told[0], flush=True)
"""


def test_python_that_ends_cancels_what_its_threads_run(shop: Server, athena: Server) -> None:
    athena.slow(60)
    environment = {**os.environ, **athena.environment}
    done = subprocess.run(
        [sys.executable, "-c", IN_A_THREAD], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert settled(athena, done.stdout.strip()) == "CANCELLED"


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """A shell's background jobs ignore SIGINT, and so would this process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_cancels_and_the_lake_goes_on(lake: Lake, athena: Server) -> None:
    athena.slow(30)
    ringing = threading.Timer(1.0, _thread.interrupt_main)
    ringing.start()
    with pytest.raises(KeyboardInterrupt):
        lake.sql(ONE)
    assert last(lake).state == "CANCELLED"
    assert state_of(athena, last(lake).query_id) == "CANCELLED"
    athena.slow(0)
    assert lake.sql(ONE)["one"].tolist() == [1]
    assert lake.costs.frame()["state"].tolist() == ["CANCELLED", "SUCCEEDED"]


@contextlib.contextmanager
def kernel_of(server: Server) -> Iterator[Any]:
    """A notebook's kernel and its client."""
    from jupyter_client.manager import KernelManager

    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(env={**os.environ, **server.environment})
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        kernel.shutdown_kernel()


def test_a_kernel_that_is_shut_down_cancels_its_query(shop: Server, athena: Server) -> None:
    athena.slow(60)
    with kernel_of(athena) as client:
        client.execute(WAITING)
        query_id = ""
        while not query_id:
            message = client.get_iopub_msg(timeout=60)
            query_id = message["content"]["text"].split()[0] if message["msg_type"] == "stream" else ""
    assert settled(athena, query_id) == "CANCELLED"


def test_progress_in_a_notebook_is_one_display_that_changes(shop: Server, athena: Server) -> None:
    athena.slow(1.5)
    shown: list[tuple[str, str]] = []
    with kernel_of(athena) as client:
        client.execute(WAITING.replace(", progress=lambda stats: print(stats.query_id, flush=True)", ""))
        while not shown or shown[-1][0] != "status" or shown[-1][1] != "idle":
            message = client.get_iopub_msg(timeout=60)
            content = message["content"]
            told = content.get("execution_state") or content.get("data", {}).get("text/plain", "")
            shown.append((message["msg_type"], told))
    displays = [told for kind, told in shown if kind in ("display_data", "update_display_data")]
    assert [kind for kind, _ in shown].count("display_data") == 1
    assert displays[0].startswith("Athena running: 1 s")
    assert displays[-1] == ""


def test_an_error_of_the_users_own_function_cancels(lake: Lake, athena: Server) -> None:
    athena.slow(30)

    def broken(stats: QueryStats) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lake.sql(ONE, progress=broken)
    assert lake.last_query is not None
    assert state_of(athena, lake.last_query.query_id) == "CANCELLED"


def test_threads_share_a_lake(lake: Lake) -> None:
    def ask(number: int) -> int:
        return int(lake.sql("SELECT :n AS n", n=number)["n"][0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(24))) == list(range(24))
    assert lake.costs.queries == 24
    assert lake.costs.frame()["query_id"].nunique() == 24


# --- progress


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_of_a_terminal_and_is_taken_away(
    lake: Lake, athena: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "AFTER_SECONDS", 0.0)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    athena.slow(0.3)
    lake.sql(MANY_BYTES)
    assert re.search(r"Athena succeeded: \d s, 3\.0 MB read, 0\.0000 USD", screen.getvalue())
    assert "\n" not in screen.getvalue()
    assert screen.getvalue().endswith("\r\033[K")


def test_nothing_is_shown_where_nobody_looks_or_wants_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "AFTER_SECONDS", 0.0)
    pipe, screen = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stderr", pipe)
    lake.sql(ONE)
    assert pipe.getvalue() == ""
    lake.sql(ONE, progress=True)
    assert "Athena succeeded" in pipe.getvalue()
    monkeypatch.setattr(sys, "stderr", screen)
    lake.sql(ONE, progress=False)
    assert screen.getvalue() == ""


# --- writing


def test_writing_needs_leave_and_is_run_with_it(lake: Lake, athena: Server) -> None:
    name = f"copy_{time.time_ns()}"
    text = f"CREATE TABLE running_shop.{name} WITH (format = 'PARQUET') AS SELECT 1 AS one, 'x' AS word"
    with pytest.raises(errors.WriteRefusedError):
        lake.sql(text)
    assert lake.sql(text, allow_write=True)["rows"].tolist() == [1]
    assert lake.sql(f"INSERT INTO running_shop.{name} VALUES (2, 'y'), (3, 'z')", allow_write=True)[
        "rows"
    ].tolist() == [2]
    assert lake.sql(f"SELECT count(*) AS n FROM running_shop.{name}")["n"].tolist() == [3]
    lake.sql(f"DROP TABLE running_shop.{name}", allow_write=True)
    with pytest.raises(errors.TableNotFoundError):
        lake.sql(f"SELECT one FROM running_shop.{name}")
