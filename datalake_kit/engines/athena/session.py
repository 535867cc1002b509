"""The way to AWS of one lake: its boto3 session, the clients made from it, and Athena's requests that need no rows.

Credentials come from the ordinary AWS chain, and from a role that is assumed with them where the lake names one; those
of a role are renewed for as long as the lake is used. None is kept here or shown.

Two layers try again: botocore's own ("standard") a lost connection and a busy server, a few times within a second or
two; PyAthena's, around it, throttling alone, with waits that grow and differ at random, for about a minute at most.
StartQueryExecution carries a token, so that one sent twice starts one query.
"""

from __future__ import annotations

import functools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from datalake_kit.config import AthenaSettings
from datalake_kit.errors import ConfigError

SESSION_NAME = "datalake-kit"
ATTEMPTS = 8
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 20
SETTLE_SECONDS = 10.0
CUT_ATTEMPTS = 4
THROTTLED = ("ThrottlingException", "TooManyRequestsException", "Throttling", "RequestLimitExceeded", "SlowDown")


class AwsSession:
    """The boto3 session of a lake, made when first needed, and one client a service.

    Attributes
    ----------
    settings
        The settings of the lake.
    """

    def __init__(self, settings: AthenaSettings) -> None:
        self.settings = settings
        self._boto: Any = None
        self._clients: dict[str, Any] = {}
        self._connection: Any = None
        self._lock = threading.RLock()

    # --- clients

    @property
    def boto(self) -> Any:
        """The boto3 session; ConfigError where no region is named or the profile is not there."""
        with self._lock:
            if self._boto is None:
                self._boto = self._make()
            return self._boto

    def _make(self) -> Any:
        import boto3
        from botocore.exceptions import BotoCoreError

        settings = self.settings
        try:
            made = boto3.Session(profile_name=settings.profile, region_name=settings.region)
        except BotoCoreError as error:
            raise ConfigError(f"AWS session: {error}. Set profile and region of this lake, or AWS_PROFILE.") from None
        if made.region_name is None:
            raise ConfigError(
                "No AWS region. Give region= in the address or in datalake.toml, or set AWS_DEFAULT_REGION."
            )
        return made if settings.role_arn is None else _assuming(made, settings)

    def client(self, service: str) -> Any:
        """Return the client of a service: "athena", "glue", "s3" or "sts"."""
        if service == "athena":
            return self.connection.client
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        made = self.boto.client(service, endpoint_url=self.settings.endpoint, config=_client_config(self.boto))
        if service != "s3":  # botocore counts the bytes of objects itself
            made.meta.events.register_first(f"needs-retry.{service}", _again_if_cut)
        return made

    @property
    def connection(self) -> Any:
        """PyAthena's connection."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Any:
        import logging

        import pyathena

        logger = logging.getLogger("pyathena")
        if not any(isinstance(h, logging.NullHandler) for h in logger.handlers):
            logger.addHandler(logging.NullHandler())  # errors are raised here, not printed
        if self.settings.redact_parameters:
            _silence_statements()
        more: dict[str, Any] = {"endpoint_url": self.settings.endpoint} if self.settings.endpoint else {}
        made = pyathena.connect(
            session=self.boto,
            region_name=self.boto.region_name,
            work_group=self.settings.workgroup,
            schema_name=self.settings.database or "default",
            catalog_name=self.settings.catalog,
            s3_staging_dir=self.settings.output_location or "",
            poll_interval=0,  # on_poll waits
            retry_config=retry_config(),
            config=_client_config(self.boto),
            **more,
        )
        made.client.meta.events.register_first("needs-retry.athena", _again_if_cut)
        return made

    def close(self) -> None:
        """Let go of the clients."""
        with self._lock:
            connection, self._connection = self._connection, None
            clients, self._clients = self._clients, {}
        if connection is not None:
            connection.client.close()
            connection.close()
        for client in clients.values():
            client.close()

    # --- Athena

    def cursor(self, *, on_start: Callable[[str], None], on_poll: Callable[[Any], None]) -> Any:
        """Return a cursor that starts a query and waits for it, and fetches nothing."""
        made = self.connection.cursor(on_start_query_execution=on_start, on_poll=on_poll)
        made._result_set_class = _Unfetched  # rows are read by this package, in its own way
        return made

    def asked(self, operation: str, **request: Any) -> Any:
        """Send a request to Athena, such as `get_query_results`; throttling is tried again."""
        from pyathena.util import retry_api_call

        return retry_api_call(getattr(self.client("athena"), operation), retry_config(), None, **request)

    def stop(self, query_id: str, *, afresh: bool = False) -> None:
        """Cancel a query; `afresh` with a client of its own, for use while another thread may hold the ordinary one."""
        client = self._new_client("athena") if afresh else self.client("athena")
        client.stop_query_execution(QueryExecutionId=query_id)

    def settle(self, query_id: str, look: Callable[[Any], None]) -> None:
        """Ask about a query that was cancelled until it is at an end, a few seconds at most."""
        from pyathena.model import AthenaQueryExecution

        until = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < until:
            found = AthenaQueryExecution(self.asked("get_query_execution", QueryExecutionId=query_id))
            look(found)
            if found.state in AthenaQueryExecution.TERMINAL_STATES:
                return

    def cutoff(self) -> str:
        """Say which limit the workgroup sets itself, as far as it may be looked at."""
        name = self.settings.workgroup
        try:
            group = self.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
            limit = (group.get("Configuration") or {}).get("BytesScannedCutoffPerQuery")
        except Exception:  # noqa: BLE001 - said in passing: a missing right must not hide the answer
            return (
                f"The hard limit is BytesScannedCutoffPerQuery of workgroup {name!r}; it may not be looked at with "
                "these credentials (athena:GetWorkGroup)."
            )
        if limit:
            return f"The hard limit is BytesScannedCutoffPerQuery of workgroup {name!r}: {limit} bytes."
        return f"The hard limit would be BytesScannedCutoffPerQuery of workgroup {name!r}; none is set."


class _Unfetched:
    """Stands where PyAthena would put a result set, whose first page it fetches at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.is_closed = True

    def close(self) -> None:
        """Nothing is open."""


def retry_config() -> Any:
    """Return how throttling is retried: waits that double, with jitter, bounded."""
    from pyathena.util import RetryConfig

    return RetryConfig(
        exceptions=THROTTLED,
        attempt=ATTEMPTS,
        multiplier=FIRST_BACKOFF_SECONDS,  # type: ignore[arg-type, unused-ignore] # halves work
        max_delay=LONGEST_BACKOFF_SECONDS,
    )


def _client_config(boto: Any) -> Any:
    """Return botocore's settings: its standard retries, unless the user's own settings say how often."""
    from botocore.config import Config

    own = boto._session.get_config_variable("max_attempts") is not None
    retries = {"mode": "standard"} if own else {"mode": "standard", "total_max_attempts": 3}
    return Config(retries=retries, connect_timeout=10, read_timeout=60, max_pool_connections=16)


def _again_if_cut(response: Any, attempts: int, **_: Any) -> float | None:
    """Ask again when an answer is shorter than it said: botocore takes the part for the whole."""
    if response is None:
        return None
    promised = response[0].headers.get("content-length")
    if promised is None or len(response[0].content) >= int(promised):
        return None
    if attempts < CUT_ATTEMPTS:
        return random.uniform(0.1, 0.3) * attempts  # noqa: S311 - spreads requests
    from botocore.exceptions import ConnectionClosedError

    raise ConnectionClosedError(endpoint_url=response[0].url, error="the answer was cut short")


def _assuming(base: Any, settings: AthenaSettings) -> Any:
    """Return a session with the credentials of a role, which botocore asks for when needed and before they run out."""
    import boto3
    import botocore.session
    from botocore.credentials import DeferredRefreshableCredentials

    request = {"RoleArn": settings.role_arn, "RoleSessionName": settings.role_session_name or SESSION_NAME}
    if settings.external_id:
        request["ExternalId"] = settings.external_id

    def assume() -> dict[str, str]:
        client = base.client("sts", endpoint_url=settings.endpoint, config=_client_config(base))
        given = client.assume_role(**request)["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    core = botocore.session.Session(profile=settings.profile)
    core._credentials = DeferredRefreshableCredentials(refresh_using=assume, method="assume-role")
    return boto3.Session(botocore_session=core, region_name=base.region_name)


@functools.cache
def _silence_statements() -> None:
    """Keep statements and what Athena says of them out of PyAthena's log; they may hold values."""
    import logging

    def without_values(record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG:
            return False
        record.exc_info = record.exc_text = None
        return True

    import pyathena.common
    import pyathena.result_set

    for module in (pyathena.common, pyathena.result_set):
        logging.getLogger(module.__name__).addFilter(without_values)


def aws_errors() -> tuple[type[Exception], ...]:
    """Return the classes of everything that botocore raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
