"""The WSGI application: Athena's operations here, everything else by moto."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.athena_server.calls_metadata import MetadataCalls
from tests.athena_server.calls_queries import QueryCalls
from tests.athena_server.calls_saved import SavedCalls
from tests.athena_server.calls_workgroups import WorkgroupCalls
from tests.athena_server.errors import ApiError
from tests.athena_server.executions import Executions
from tests.athena_server.faults import MESSAGES, STATUS, FaultBook
from tests.athena_server.server import REGION
from tests.trino.launch import KEY

Start = Callable[..., Any]
_REGION = re.compile(r"(Credential=[^/]+/\d+/)[^/]+/")


class App:
    """Athena, and moto behind it."""

    def __init__(self, moto: Any) -> None:
        self.moto = moto
        self.faults = FaultBook()
        self.engine_name = "none"
        self.trino_url = ""
        self.marks: list[str] = []
        self.delay = 0.0
        self.calls: list[Any] = []

    def open(self, executions: Executions, glue: Any, *, trino_url: str = "") -> None:
        """Answer Athena's calls from now on."""
        workgroups = WorkgroupCalls()
        saved = SavedCalls(workgroups)
        queries = QueryCalls(executions, workgroups, saved, lambda: self.delay)
        self.engine_name, self.trino_url = executions.runner.name, trino_url
        self.calls = [queries, workgroups, saved, MetadataCalls(glue)]

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
        if target in ("AWSGlue.CreateTable", "AWSGlue.UpdateTable"):
            body = mark_iceberg_columns(self._body(environ))
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        return self._to_moto(target, environ, start)

    def _to_moto(self, target: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if "ColumnStatistics" in target:  # moto lacks these; a catalog without statistics is what most tables have
            return _json(start, {"ColumnStatisticsList": [], "Errors": []})
        if target:  # moto keeps a catalog a region, and Trino looks at one: here all regions are one
            scope = environ.get("HTTP_AUTHORIZATION", "")
            environ["HTTP_AUTHORIZATION"] = _REGION.sub(rf"\g<1>{REGION}/", scope)
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
        return _json(start, {**told, "ready": bool(self.calls)})

    # --- Athena

    def _athena(
        self, operation: str, request: dict[str, Any], environ: dict[str, Any], start: Start
    ) -> Iterable[bytes]:
        if not self.calls:
            return self._refuse("AmazonAthena", operation, "InternalServerException", "starting", start)
        method = next((m for c in self.calls if (m := getattr(c, f"do_{operation}", None)) is not None), None)
        if method is None:
            unknown = f"The operation {operation} is not known to the Athena of the tests"
            return _json(start, {"__type": "UnknownOperationException", "Message": unknown, "message": unknown}, 400)
        try:
            return _json(start, method(request))
        except ApiError as error:
            shown = {"__type": error.name, "Message": str(error), "message": str(error), **error.more}
            return _json(start, {**shown, "AthenaErrorCode": error.code}, error.status)


def mark_iceberg_columns(body: bytes) -> bytes:
    """Mark the columns of an Iceberg table as Athena does in Glue: clients know the present ones by it."""
    request = json.loads(body)
    table = request.get("TableInput", {})
    if table.get("Parameters", {}).get("table_type", "").upper() != "ICEBERG":
        return body
    for number, column in enumerate(table.get("StorageDescriptor", {}).get("Columns", []), start=1):
        marks = {"iceberg.field.id": str(number), "iceberg.field.optional": "true", "iceberg.field.current": "true"}
        column["Parameters"] = {**marks, **(column.get("Parameters") or {})}
    return json.dumps(request).encode()


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
