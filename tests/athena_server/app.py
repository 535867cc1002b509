"""The WSGI application: Athena's operations here, everything else by moto."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.athena_server.executions import ENDED, Execution, Executions, split
from tests.athena_server.faults import MESSAGES, STATUS, FaultBook
from tests.trino.launch import KEY

Start = Callable[..., Any]


class AthenaError(Exception):
    """A named error of the API."""

    def __init__(self, name: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


class App:
    """Athena, and moto behind it."""

    def __init__(self, moto: Any) -> None:
        self.moto = moto
        self.faults = FaultBook()
        self.executions: Executions | None = None
        self.engine_name = "none"
        self.trino_url = ""
        self.marks: list[str] = []
        self.delay = 0.0
        self.workgroups: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.create_workgroup(
            {"Name": "primary", "Configuration": {"ResultConfiguration": {"OutputLocation": "s3://results/primary/"}}}
        )

    # --- dispatch

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/athena-test/"):
            return self._control(path, environ, start)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if f"Credential={KEY}/" in environ.get("HTTP_AUTHORIZATION", ""):
            return self._from_trino(target, environ, start)
        service, operation = self._operation(target, environ)
        content = path
        if target or service == "sts":
            body = self._body(environ)
            content = body.decode(errors="replace")
        fault = self.faults.take(operation, content)
        if fault is not None:
            time.sleep(fault.seconds)
            if fault.error:
                return self._refuse(service, operation, fault.error, fault.message, start)
            if fault.cut_after is not None:
                early = _close_early(start)
                if service == "AmazonAthena":
                    return _cut(self._athena(operation, json.loads(content or "{}"), environ, early), fault.cut_after)
                return _cut(self.moto(environ, early), fault.cut_after)
        if service == "AmazonAthena":
            return self._athena(operation, json.loads(content or "{}"), environ, start)
        return self._to_moto(target, environ, start)

    def _operation(self, target: str, environ: dict[str, Any]) -> tuple[str, str]:
        if target:
            service, _, operation = target.partition(".")
            return service, operation
        if "/sts/" in environ.get("HTTP_AUTHORIZATION", ""):
            return "sts", "sts"
        return "s3", f"s3:{environ['REQUEST_METHOD']}"

    def _body(self, environ: dict[str, Any]) -> bytes:
        body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return body

    def _from_trino(self, target: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        return self._to_moto(target, environ, start)

    def _to_moto(self, target: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if "ColumnStatistics" in target:  # moto lacks these; a catalog without statistics is what most tables have
            return _json(start, {"ColumnStatisticsList": [], "Errors": []})
        result: Iterable[bytes] = self.moto(environ, start)
        return result

    def _refuse(self, service: str, operation: str, name: str, message: str | None, start: Start) -> Iterable[bytes]:
        short = {"AmazonAthena": "athena", "AWSGlue": "glue"}.get(service, service)
        text = message or MESSAGES.get(name, name).format(service=short, operation=operation)
        status = STATUS.get(name, 400)
        if service in ("s3", "sts"):
            inner = f"<Code>{name}</Code><Message>{text}</Message><RequestId>1</RequestId>"
            xml = (
                f"<Error>{inner}</Error>"
                if service == "s3"
                else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
            )
            start(f"{status} {name}", [("Content-Type", "application/xml"), ("Content-Length", str(len(xml)))])
            return [xml.encode()]
        return _json(start, {"__type": name, "Message": text, "message": text}, status)

    # --- control

    def _control(self, path: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        what = path.removeprefix("/athena-test/")
        given = json.loads(self._body(environ) or b"{}") if environ["REQUEST_METHOD"] == "POST" else {}
        if what == "faults":
            self.faults.add(**given)
        elif what == "clear":
            self.faults.clear()
            self.delay = 0.0
        elif what == "slow":
            self.delay = float(given["seconds"])
        elif what == "requests":
            return _json(start, {"requests": self.faults.seen()})
        elif what == "mark":
            self.marks.append(given["name"])
        told = {"engine": self.engine_name, "trino": self.trino_url, "marks": self.marks}
        return _json(start, {**told, "ready": self.executions is not None})

    # --- Athena

    def _athena(
        self, operation: str, request: dict[str, Any], environ: dict[str, Any], start: Start
    ) -> Iterable[bytes]:
        method = getattr(self, "do_" + operation, None)
        if method is None:
            return self._to_moto(f"AmazonAthena.{operation}", environ, start)
        try:
            return _json(start, method(request))
        except AthenaError as error:
            shown = {"__type": error.name, "Message": str(error), "message": str(error)}
            return _json(start, {**shown, "AthenaErrorCode": "INVALID_INPUT"}, error.status)

    def _execution(self, request: dict[str, Any]) -> Execution:
        assert self.executions is not None
        found = self.executions.known.get(request.get("QueryExecutionId", ""))
        if found is None:
            raise AthenaError(
                "InvalidRequestException", f"QueryExecution {request.get('QueryExecutionId')} was not found"
            )
        return found

    def do_StartQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.executions is not None
        token = request.get("ClientRequestToken")
        if token and token in self.tokens:
            return {"QueryExecutionId": self.tokens[token]}
        text = request.get("QueryString", "")
        if len(text.encode()) > 262144:
            raise AthenaError("InvalidRequestException", "QueryString exceeds the maximum length of 262144 bytes")
        group = self._group(request.get("WorkGroup", "primary"))
        settings = group["Configuration"]
        wanted = request.get("ResultConfiguration", {}).get("OutputLocation")
        own = settings.get("ResultConfiguration", {}).get("OutputLocation")
        location = own if settings.get("EnforceWorkGroupConfiguration") and own else wanted or own
        if not location:
            raise AthenaError(
                "InvalidRequestException",
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input.",
            )
        context = request.get("QueryExecutionContext", {})
        reuse = request.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        execution = Execution(
            text,
            group["Name"],
            location,
            database=context.get("Database"),
            catalog=context.get("Catalog") or "AwsDataCatalog",
            parameters=request.get("ExecutionParameters") or [],
            reuse_minutes=reuse.get("MaxAgeInMinutes", 60) if reuse.get("Enabled") else None,
            cutoff=settings.get("BytesScannedCutoffPerQuery"),
            delay=self.delay,
        )
        try:
            self.executions.start(execution)
        except ValueError as error:
            raise AthenaError("InvalidRequestException", str(error)) from None
        if token:
            self.tokens[token] = execution.id
        return {"QueryExecutionId": execution.id}

    def do_GetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"QueryExecution": self._execution(request).describe()}

    def do_BatchGetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.executions is not None
        ids = request["QueryExecutionIds"]
        known = self.executions.known
        return {
            "QueryExecutions": [known[i].describe() for i in ids if i in known],
            "UnprocessedQueryExecutionIds": [
                {"QueryExecutionId": i, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "Query execution was not found"}
                for i in ids
                if i not in known
            ],
        }

    def do_ListQueryExecutions(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.executions is not None
        group = request.get("WorkGroup", "primary")
        ids = [e.id for e in reversed(list(self.executions.known.values())) if e.workgroup == group]
        return _page(ids, request, "QueryExecutionIds", 50)

    def do_StopQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        execution = self._execution(request)
        if execution.state not in ENDED:
            execution.cancelled.set()
        return {}

    def do_GetQueryResults(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.executions is not None
        execution = self._execution(request)
        if execution.state != "SUCCEEDED":
            verb = "did not finish successfully" if execution.state in ENDED else "has not yet finished"
            raise AthenaError("InvalidRequestException", f"Query {verb}. Final query state: {execution.state}")
        start = int(request.get("NextToken") or 0)
        if start == 0 and execution.output and execution.output.endswith((".csv", ".txt")):
            bucket, key = split(execution.output)
            if "Contents" not in self.executions.s3.list_objects_v2(Bucket=bucket, Prefix=key):
                raise AthenaError("InvalidRequestException", f"Could not find results at {execution.output}")
        return self.executions.results(execution, start, min(int(request.get("MaxResults") or 1000), 1000))

    # --- workgroups

    def _group(self, name: str) -> dict[str, Any]:
        if name not in self.workgroups:
            raise AthenaError("InvalidRequestException", f"WorkGroup {name} is not found.")
        return self.workgroups[name]

    def create_workgroup(self, request: dict[str, Any]) -> None:
        """Add a workgroup as CreateWorkGroup describes it."""
        settings = {"EnforceWorkGroupConfiguration": False, "PublishCloudWatchMetricsEnabled": False}
        settings |= {"RequesterPaysEnabled": False, **request.get("Configuration", {})}
        settings["EngineVersion"] = {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        }
        self.workgroups[request["Name"]] = {
            "Name": request["Name"],
            "State": "ENABLED",
            "Description": request.get("Description", ""),
            "CreationTime": time.time(),
            "Configuration": settings,
        }

    def do_CreateWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"] in self.workgroups:
            raise AthenaError("InvalidRequestException", f"WorkGroup {request['Name']} is already created")
        self.create_workgroup(request)
        return {}

    def do_GetWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"WorkGroup": self._group(request["WorkGroup"])}

    def do_ListWorkGroups(self, request: dict[str, Any]) -> dict[str, Any]:
        shown = ("Name", "State", "Description", "CreationTime")
        return _page([{k: g[k] for k in shown} for g in self.workgroups.values()], request, "WorkGroups", 50)

    def do_DeleteWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        self._group(request["WorkGroup"])
        del self.workgroups[request["WorkGroup"]]
        return {}

    def do_UpdateWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self._group(request["WorkGroup"])
        group["State"] = request.get("State", group["State"])
        settings = group["Configuration"]
        for key, value in request.get("ConfigurationUpdates", {}).items():
            if key == "ResultConfigurationUpdates":
                own = settings.setdefault("ResultConfiguration", {})
                if value.get("RemoveOutputLocation"):
                    own.pop("OutputLocation", None)
                if "OutputLocation" in value:
                    own["OutputLocation"] = value["OutputLocation"]
            elif key == "RemoveBytesScannedCutoffPerQuery":
                settings.pop("BytesScannedCutoffPerQuery", None)
            else:
                settings[key] = value
        return {}


def _page(items: list[Any], request: dict[str, Any], name: str, most: int) -> dict[str, Any]:
    start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or most)
    page: dict[str, Any] = {name: items[start : start + size]}
    if start + size < len(items):
        page["NextToken"] = str(start + size)
    return page


def _json(start: Start, value: dict[str, Any], status: int = 200) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start(
        f"{status} {'OK' if status == 200 else 'Bad Request'}",
        [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body))), ("x-amzn-RequestId", "1")],
    )
    return [body]


def _close_early(start: Start) -> Start:
    return lambda status, headers, *more: start(status, [*headers, ("Connection", "close")], *more)


def _cut(body: Iterable[bytes], after: int) -> Iterable[bytes]:
    """Give the first bytes of a body and then nothing: the length was promised before."""
    yield b"".join(body)[:after]
