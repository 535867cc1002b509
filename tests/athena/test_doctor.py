"""doctor names the step on the way to Athena that does not work, and the permission that is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from datalake_kit.cli import app
from tests.athena_server import Server

pytestmark = pytest.mark.external
ADDRESS = "athena://primary?region=us-east-1"


def doctor(address: str = ADDRESS) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the steps by name."""
    done = CliRunner().invoke(app, ["doctor", "--lake", address, "--json"])
    report = json.loads(done.stdout)
    return done.exit_code, {s["step"]: s for s in report["steps"]}


def left(server: Server) -> list[str]:
    """What lies in the bucket of results that doctor put there."""
    found = server.client("s3").list_objects_v2(Bucket="results").get("Contents", [])
    return [o["Key"] for o in found if "doctor" in o["Key"]]


def test_every_step_is_told(athena: Server) -> None:
    code, steps = doctor()
    assert code == 0, steps
    assert list(steps)[:7] == ["packages", "lake", "identity", "workgroup", "output location", "catalog", "query"]
    assert all(s["ok"] for s in steps.values())
    assert "arn:aws:" in steps["identity"]["detail"]
    assert steps["output location"]["detail"] == "s3://results/primary/ (of the workgroup)"
    assert "hush-hush" not in json.dumps(steps)
    assert left(athena) == []


@pytest.mark.parametrize(
    ("operation", "error", "step", "permission"),
    [
        ("GetWorkGroup", "AccessDeniedException", "workgroup", "athena:GetWorkGroup"),
        ("s3:PUT", "AccessDenied", "output location", "s3:PutObject"),
        ("s3:GET", "AccessDenied", "output location", "s3:GetObject"),
        ("GetDatabases", "AccessDeniedException", "catalog", "glue:GetDatabases"),
        ("StartQueryExecution", "AccessDeniedException", "query", "athena:StartQueryExecution"),
    ],
)
def test_the_missing_permission_is_named(
    athena: Server, operation: str, error: str, step: str, permission: str
) -> None:
    athena.faults.add(operation, error, times=1)
    code, steps = doctor()
    assert code == 2
    assert not steps[step]["ok"]
    assert permission in steps[step]["detail"]
    assert left(athena) == []


def test_expired_credentials_are_told_once_for_each_step(athena: Server) -> None:
    athena.faults.add("sts", "ExpiredToken", times=5)
    code, steps = doctor()
    assert code == 2
    assert "expired" in steps["identity"]["detail"]
    assert steps["workgroup"]["ok"]


def test_a_workgroup_without_output_location(athena: Server) -> None:
    client = athena.client("athena")
    client.create_work_group(Name="bare", Configuration={})
    client.create_work_group(Name="capped", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    try:
        code, steps = doctor("athena://bare?region=us-east-1")
        assert code == 2
        assert "output_location=s3://" in steps["output location"]["detail"]
        code, steps = doctor("athena://capped?region=us-east-1&output_location=s3://results/mine/")
        assert code == 0, steps
        assert steps["output location"]["detail"] == "s3://results/mine/ (of this lake)"
        assert "10000000 bytes" in steps["workgroup"]["detail"]
        code, steps = doctor("athena://nowhere?region=us-east-1")
        assert code == 2
        assert "nowhere" in steps["workgroup"]["detail"]
        code, steps = doctor("athena://capped?region=us-east-1&output_location=s3://not-there-at-all/x/")
        assert not steps["output location"]["ok"]
        assert (
            "not-there-at-all" in steps["output location"]["detail"] or "bucket" in steps["output location"]["detail"]
        )
    finally:
        for name in ("bare", "capped"):
            client.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)


def test_a_database_that_is_not_there(athena: Server) -> None:
    code, steps = doctor("athena://primary?region=us-east-1&database=taxo")
    assert code == 2
    assert "taxo" in steps["catalog"]["detail"]
