"""Saved queries: prepared statements, by call and by SQL, and named queries."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from tests.athena_server.calls_workgroups import WorkgroupCalls
from tests.athena_server.errors import ApiError, invalid
from tests.athena_server.lexing import Reader
from tests.athena_server.pages import page

if TYPE_CHECKING:
    from tests.athena_server.executions import Execution


class SavedCalls:
    """What is kept of statements."""

    def __init__(self, workgroups: WorkgroupCalls) -> None:
        self.workgroups = workgroups
        self.prepared: dict[tuple[str, str], dict[str, Any]] = {}
        self.named: dict[str, dict[str, Any]] = {}

    # --- EXECUTE, PREPARE and DEALLOCATE as statements

    def resolve(self, execution: Execution) -> tuple[str | None, list[str]]:
        """Return the text and the parameters that an EXECUTE stands for; None and those given for other statements.

        PREPARE and DEALLOCATE are done here, once their words are right.
        """
        reader = Reader(execution.query)
        word = reader.accept_one_of("EXECUTE", "PREPARE", "DEALLOCATE")
        if word is None or (word == "EXECUTE" and reader.peek("IMMEDIATE")):
            return None, execution.parameters
        from tests.trino.client import TrinoError

        try:
            if word == "DEALLOCATE":
                reader.expect("PREPARE")
            name = reader.take("word", "quoted").value.lower()
            if word == "PREPARE":
                reader.expect("FROM")
                start = reader.tokens[reader.place].start if reader.next else len(execution.query)
                self._keep(execution.workgroup, name, execution.query[start:].rstrip().rstrip(";"), "")
            elif word == "DEALLOCATE":
                reader.end()
                self._find(execution.workgroup, name)
                del self.prepared[execution.workgroup, name]
            else:
                values = _arguments(reader) if reader.accept("USING") else []
                reader.end()
                kept = self._find(execution.workgroup, name)
                return kept["QueryStatement"], values or execution.parameters
        except TrinoError as error:
            raise invalid(error.message, code="MALFORMED_QUERY") from None
        return None, execution.parameters

    def _keep(self, group: str, name: str, text: str, description: str) -> None:
        self.prepared[group, name] = {
            "StatementName": name,
            "QueryStatement": text,
            "WorkGroupName": group,
            "Description": description,
            "LastModifiedTime": time.time(),
        }

    def _find(self, group: str, name: str) -> dict[str, Any]:
        found = self.prepared.get((group, name.lower()))
        if found is None:
            raise ApiError(
                "ResourceNotFoundException",
                f"PreparedStatement {name} was not found in workGroup {group}",
                ResourceName=name,
            )
        return found

    # --- prepared statements

    def do_CreatePreparedStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        group, name = self.workgroups.get(request["WorkGroup"])["Name"], request["StatementName"].lower()
        if (group, name) in self.prepared:
            raise invalid(f"PreparedStatement {name} already exists in workGroup {group}")
        self._keep(group, name, request["QueryStatement"], request.get("Description", ""))
        return {}

    def do_UpdatePreparedStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._find(request["WorkGroup"], request["StatementName"])
        self._keep(
            request["WorkGroup"],
            kept["StatementName"],
            request["QueryStatement"],
            request.get("Description", kept["Description"]),
        )
        return {}

    def do_GetPreparedStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        self.workgroups.get(request["WorkGroup"])
        return {"PreparedStatement": self._find(request["WorkGroup"], request["StatementName"])}

    def do_BatchGetPreparedStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        names, group = request["PreparedStatementNames"], self.workgroups.get(request["WorkGroup"])["Name"]
        missing = [n for n in names if (group, n.lower()) not in self.prepared]
        return {
            "PreparedStatements": [self._find(group, n) for n in names if n not in missing],
            "UnprocessedPreparedStatementNames": [
                {
                    "StatementName": n,
                    "ErrorCode": "STATEMENT_NOT_FOUND",
                    "ErrorMessage": f"PreparedStatement {n} was not found",
                }
                for n in missing
            ],
        }

    def do_ListPreparedStatements(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.workgroups.get(request["WorkGroup"])["Name"]
        found = [
            {k: s[k] for k in ("StatementName", "LastModifiedTime")}
            for (g, _), s in self.prepared.items()
            if g == group
        ]
        return page(found, request, "PreparedStatements", 50)

    def do_DeletePreparedStatement(self, request: dict[str, Any]) -> dict[str, Any]:
        group, kept = request["WorkGroup"], self._find(request["WorkGroup"], request["StatementName"])
        del self.prepared[group, kept["StatementName"]]
        return {}

    # --- named queries

    def do_CreateNamedQuery(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.workgroups.get(request.get("WorkGroup", "primary"))["Name"]
        known = str(uuid.uuid4())
        kept: dict[str, Any] = {
            k: request[k] for k in ("Name", "Description", "Database", "QueryString") if k in request
        }
        self.named[known] = {**kept, "NamedQueryId": known, "WorkGroup": group}
        return {"NamedQueryId": known}

    def _named(self, known: str) -> dict[str, Any]:
        if known not in self.named:
            raise invalid(f"NamedQuery {known} is not found")
        return self.named[known]

    def do_GetNamedQuery(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"NamedQuery": self._named(request["NamedQueryId"])}

    def do_UpdateNamedQuery(self, request: dict[str, Any]) -> dict[str, Any]:
        kept = self._named(request["NamedQueryId"])
        kept.update({k: request[k] for k in ("Name", "Description", "QueryString") if k in request})
        return {}

    def do_DeleteNamedQuery(self, request: dict[str, Any]) -> dict[str, Any]:
        self._named(request["NamedQueryId"])
        del self.named[request["NamedQueryId"]]
        return {}

    def do_ListNamedQueries(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.workgroups.get(request.get("WorkGroup", "primary"))["Name"]
        found = [known for known, kept in self.named.items() if kept["WorkGroup"] == group]
        return page(found, request, "NamedQueryIds", 50)

    def do_BatchGetNamedQuery(self, request: dict[str, Any]) -> dict[str, Any]:
        ids = request["NamedQueryIds"]
        return {
            "NamedQueries": [self.named[i] for i in ids if i in self.named],
            "UnprocessedNamedQueryIds": [
                {"NamedQueryId": i, "ErrorCode": "INVALID_INPUT", "ErrorMessage": f"NamedQuery {i} is not found"}
                for i in ids
                if i not in self.named
            ],
        }


def _arguments(reader: Reader) -> list[str]:
    """Read `a, b, ...` as written, commas within brackets left alone."""
    found: list[str] = []
    depth, start = 0, None
    last = 0
    while (token := reader.next) is not None and token.text != ";":
        reader.place += 1
        if token.kind == "symbol":
            depth += (token.text in "([") - (token.text in ")]")
        if depth == 0 and token.text == ",":
            found.append(reader.text[start or 0 : last])
            start = None
            continue
        start = token.start if start is None else start
        last = token.end
    if start is not None:
        found.append(reader.text[start:last])
    return found
