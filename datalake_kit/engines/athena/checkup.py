"""The steps on the way to a lake on Athena, each tried by itself: identity, workgroup, output location, catalog."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.athena.refusals import refused
from datalake_kit.engines.athena.session import AwsSession, aws_errors
from datalake_kit.errors import ConfigError, DatalakeKitError, EngineError

if TYPE_CHECKING:
    from datalake_kit.engines.athena.engine import AthenaEngine

Step = tuple[str, Callable[[], str]]


def steps(engine: AthenaEngine) -> list[Step]:
    """Return the steps in the order in which they are needed.

    Each is a name and a function that tries it and returns what it found, or raises an error of ours that names what
    is missing, the permission too. The one-row query comes after them: it needs all.
    """
    session = engine.session
    asked = {
        "identity": _identity,
        "workgroup": _workgroup,
        "output location": _output_location,
        "catalog": lambda s: _catalog(engine),
    }
    return [(name, _explaining(session, name, look)) for name, look in asked.items()]


def _explaining(session: AwsSession, name: str, look: Callable[[AwsSession], str]) -> Callable[[], str]:
    def tried() -> str:
        try:
            return look(session)
        except DatalakeKitError:
            raise
        except aws_errors() as error:
            found = refused(error, session, f"doctor, {name}")
            kind, message = found if found is not None else (EngineError, f"{name}: {error}")
            raise kind(message) from None

    return tried


def _identity(session: AwsSession) -> str:
    """Who AWS takes us for; the account and the name, no key."""
    found = session.client("sts").get_caller_identity()
    return f"{found['Arn']} in {session.boto.region_name}"


def _workgroup(session: AwsSession) -> str:
    group = _group(session)
    limit = group["Configuration"].get("BytesScannedCutoffPerQuery")
    told = f"{group['Name']}, {group.get('State', 'ENABLED').lower()}"
    if group.get("State", "ENABLED") != "ENABLED":
        raise ConfigError(f"Workgroup {group['Name']!r} is disabled. Have it enabled, or name another one.")
    return f"{told}, limit of a query {limit} bytes" if limit else f"{told}, no limit of its own"


def _group(session: AwsSession) -> Any:
    return session.client("athena").get_work_group(WorkGroup=session.settings.workgroup)["WorkGroup"]


def _output_location(session: AwsSession) -> str:
    """Where results go: that it is said, that it lies on S3, and that an object can be put, read and removed there."""
    location, whose = _location(session)
    if location is None:
        return whose
    found = re.fullmatch(r"s3://([^/]+)/?(.*)", location)
    if not found:
        raise ConfigError(f"The output location {location!r} is no address such as s3://bucket/folder/.")
    prefix = f"{found[2].rstrip('/')}/" if found[2].strip("/") else ""
    key = f"{prefix}datalake-kit-doctor-{uuid.uuid4().hex}"
    s3 = session.client("s3")
    s3.put_object(Bucket=found[1], Key=key, Body=b"")
    try:
        s3.get_object(Bucket=found[1], Key=key)["Body"].close()
    finally:
        s3.delete_object(Bucket=found[1], Key=key)
    return f"{location} ({whose})"


def _location(session: AwsSession) -> tuple[str | None, str]:
    settings = session.settings
    configuration = _group(session)["Configuration"]
    if configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
        return None, "Athena keeps the results of this workgroup itself"
    own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    if own and (configuration.get("EnforceWorkGroupConfiguration") or not settings.output_location):
        return own, "of the workgroup"
    if settings.output_location:
        return settings.output_location, "of this lake"
    raise ConfigError(
        f"No output location: workgroup {settings.workgroup!r} has none, and this lake names none. Set "
        "output_location=s3://bucket/folder/ in its address or in datalake.toml."
    )


def _catalog(engine: AthenaEngine) -> str:
    names = engine.databases()
    if engine.settings.database:
        engine.catalog.find_database(engine.settings.database)
    return f"{len(names)} databases"
