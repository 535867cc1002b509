"""The way to AWS: whose credentials, which region, a role that is assumed and renewed; over HTTP."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datalake_kit import errors
from datalake_kit.config import AthenaSettings
from datalake_kit.engines.athena.session import AwsSession
from datalake_kit.lake import connect
from tests.athena_server import Server

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning")]
ROLE = "arn:aws:iam::123456789012:role/analyst"


def assumed(server: Server) -> list[str]:
    """What was asked of STS."""
    return [content for operation, content in server.requests if operation == "sts"]


@pytest.mark.external
def test_a_role_is_assumed_when_first_needed_and_signs_every_service(athena: Server) -> None:
    address = f"athena://primary?region=us-east-1&role={ROLE}&role_session_name=me&external_id=open-sesame"
    with connect(address) as lake:
        assert assumed(athena) == []
        assert lake.sql("SELECT 1 AS one")["one"].tolist() == [1]
        (request,) = assumed(athena)
        for part in ("analyst", "RoleSessionName=me", "ExternalId=open-sesame"):
            assert part in request
        session: Any = lake.engine.session  # type: ignore[attr-defined]
        keys = {session.client(s)._request_signer._credentials.access_key for s in ("athena", "glue", "s3")}
        assert len(keys) == 1
        assert keys != {"analyst"}
        assert len(assumed(athena)) == 1
        for shown in (repr(lake), repr(lake.settings), repr(lake.last_query)):
            assert "open-sesame" not in shown


@pytest.mark.external
def test_credentials_of_a_role_are_renewed_before_they_run_out(athena: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(f"athena://primary?region=us-east-1&role={ROLE}") as lake:
        lake.sql("SELECT 1 AS one")
        signer = lake.engine.session.client("athena")._request_signer  # type: ignore[attr-defined]
        first = signer._credentials.get_frozen_credentials()
        late = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=55)
        signer._credentials._time_fetcher = lambda: late
        lake.sql("SELECT 1 AS one")
        assert len(assumed(athena)) >= 2
        assert signer._credentials.get_frozen_credentials() != first


@pytest.mark.external
def test_a_role_that_may_not_be_assumed_is_named(athena: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    athena.faults.add(
        "sts",
        "AccessDenied",
        times=9,
        message=f"User: arn:aws:iam::1:user/me is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
    )
    with (
        connect(f"athena://primary?region=us-east-1&role={ROLE}") as lake,
        pytest.raises(errors.AccessDeniedError, match=f"sts:AssumeRole on {ROLE}"),
    ):
        lake.sql("SELECT 1 AS one")


def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile team]\nregion = eu-west-1\n")
    (tmp_path / "keys").write_text("[team]\naws_access_key_id = TEAMKEY\naws_secret_access_key = hush\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))


def test_a_profile_gives_credentials_and_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch)
    session = AwsSession(AthenaSettings("w", profile="team"))
    assert session.boto.region_name == "eu-west-1"
    assert {session.client(s)._request_signer._credentials.access_key for s in ("athena", "s3")} == {"TEAMKEY"}
    assert AwsSession(AthenaSettings("w", profile="team", region="us-west-2")).boto.region_name == "us-west-2"


def test_the_ordinary_chain_counts_without_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch)
    monkeypatch.setenv("AWS_PROFILE", "team")
    session = AwsSession(AthenaSettings("w"))
    assert session.boto.region_name == "eu-west-1"
    assert session.client("glue")._request_signer._credentials.access_key == "TEAMKEY"


def test_a_profile_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch)
    with pytest.raises(errors.ConfigError, match="taem"):
        _ = AwsSession(AthenaSettings("w", profile="taem")).boto


def test_one_endpoint_is_that_of_every_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    session = AwsSession(AthenaSettings("w", region="eu-west-1", endpoint="http://127.0.0.1:9"))
    urls = {session.client(s).meta.endpoint_url for s in ("athena", "glue", "s3", "sts")}
    assert urls == {"http://127.0.0.1:9"}


@pytest.mark.external
def test_a_query_loads_pyathena_and_not_awswrangler(athena: Server) -> None:
    code = (
        "import sys, datalake_kit as dk\n"
        "with dk.connect('athena://primary?region=us-east-1') as lake: lake.sql('SELECT 1 AS one')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pyathena', 'awswrangler', 'duckdb', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "['pyathena']"
