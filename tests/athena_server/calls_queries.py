"""The calls that start, follow and end queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.athena_server import results
from tests.athena_server.calls_saved import SavedCalls
from tests.athena_server.calls_workgroups import WorkgroupCalls
from tests.athena_server.errors import invalid
from tests.athena_server.executions import ENDED, Execution, Executions
from tests.athena_server.pages import page

LONGEST = 262_144
_NO_LOCATION = (
    "No output location provided. An output location is required either through the Workgroup result configuration "
    "setting or as an API input."
)


class QueryCalls:
    """StartQueryExecution and what follows it."""

    def __init__(
        self,
        executions: Executions,
        workgroups: WorkgroupCalls,
        saved: SavedCalls,
        delay: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.executions = executions
        self.workgroups = workgroups
        self.saved = saved
        self.delay = delay
        self.tokens: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}

    def do_StartQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.workgroups.get(request.get("WorkGroup", "primary"))
        token = request.get("ClientRequestToken")
        key = (group["Name"], token or "")
        if token and key in self.tokens:
            known, earlier = self.tokens[key]
            if earlier != request:
                raise invalid("Idempotent parameters do not match")
            return {"QueryExecutionId": known}
        execution = self._execution_of(request, group)
        text, execution.parameters = self.saved.resolve(execution)
        self.executions.start(execution, saved=text)
        if token:
            self.tokens[key] = (execution.id, request)
        return {"QueryExecutionId": execution.id}

    def _execution_of(self, request: dict[str, Any], group: dict[str, Any]) -> Execution:
        text = request.get("QueryString", "")
        if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
            raise invalid(
                f"1 validation error detected: Value at 'queryString' failed to satisfy constraint: Member must have "
                f"length less than or equal to {LONGEST}"
            )
        if group["State"] != "ENABLED":
            raise invalid(f"WorkGroup {group['Name']} is disabled.")
        settings = group["Configuration"]
        asked, own = request.get("ResultConfiguration", {}), settings.get("ResultConfiguration", {})
        enforced = settings.get("EnforceWorkGroupConfiguration") and own.get("OutputLocation")
        taken = own if enforced else asked if asked.get("OutputLocation") else {**own, **asked}
        location = taken.get("OutputLocation")
        if not location:
            raise invalid(_NO_LOCATION)
        self._check_bucket(location)
        context = request.get("QueryExecutionContext", {})
        reuse = request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        minutes = reuse.get("MaxAgeInMinutes", 60)
        if not 0 <= minutes <= 10080:
            raise invalid("MaxAgeInMinutes must be between 0 and 10080")
        return Execution(
            text,
            group["Name"],
            location,
            database=context.get("Database"),
            catalog=context.get("Catalog") or "AwsDataCatalog",
            parameters=request.get("ExecutionParameters") or [],
            reuse_minutes=minutes if reuse.get("Enabled") else None,
            result_settings={k: v for k, v in taken.items() if k != "OutputLocation"},
            cutoff=settings.get("BytesScannedCutoffPerQuery"),
            delay=self.delay(),
        )

    def _check_bucket(self, location: str) -> None:
        s3 = self.executions.s3
        if not location.startswith("s3://"):
            raise invalid(f"outputLocation is not a valid S3 path: {location}")
        bucket = location[5:].split("/")[0]
        try:
            s3.head_bucket(Bucket=bucket)
        except s3.exceptions.ClientError:
            raise invalid(f"Unable to verify/create output bucket {bucket}", code="INVALID_INPUT") from None

    def _execution(self, request: dict[str, Any]) -> Execution:
        wanted = request.get("QueryExecutionId", "")
        found = self.executions.known.get(wanted)
        if found is None:
            raise invalid(f"QueryExecution {wanted} was not found")
        return found

    def do_GetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": self._execution(request).describe()}

    def do_BatchGetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        ids, known = request["QueryExecutionIds"], self.executions.known
        if len(ids) > 50:
            raise invalid("queryExecutionIds must have at most 50 members")
        missing = [i for i in ids if i not in known]
        return {
            "QueryExecutions": [known[i].describe() for i in ids if i in known],
            "UnprocessedQueryExecutionIds": [
                {
                    "QueryExecutionId": i,
                    "ErrorCode": "QUERY_EXECUTION_NOT_FOUND",
                    "ErrorMessage": f"QueryExecution {i} was not found",
                }
                for i in missing
            ],
        }

    def do_ListQueryExecutions(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.workgroups.get(request.get("WorkGroup", "primary"))["Name"]
        ids = [e.id for e in reversed(list(self.executions.known.values())) if e.workgroup == group]
        return page(ids, request, "QueryExecutionIds", 50)

    def do_StopQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        if execution.state not in ENDED:
            execution.cancelled.set()
        return {}

    def do_GetQueryResults(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        if execution.state not in ENDED:
            raise invalid(f"Query has not yet finished. Current state: {execution.state}")
        if execution.state != "SUCCEEDED":
            raise invalid(f"Query did not finish successfully. Final query state: {execution.state}")
        start = results.start_of(request.get("NextToken"), execution)
        output = execution.output or ""
        if start == 0 and output.endswith((".csv", ".txt")) and not results.exists(self.executions.s3, output):
            raise invalid(f"Could not find results at {output}")
        size = request.get("MaxResults")
        if size is not None and not 1 <= size <= 1000:
            raise invalid("MaxResults is more than maximum allowed length 1000.")
        return results.page(execution, start, size or 1000)

    def do_GetQueryRuntimeStatistics(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        told = execution.describe()["Statistics"]
        timeline = {k: v for k, v in told.items() if k.endswith("InMillis")}
        rows = {"InputRows": 0, "InputBytes": execution.scanned, "OutputBytes": 0, "OutputRows": len(execution.rows)}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}
