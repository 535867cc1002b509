"""What went wrong on AWS, as one of our errors, which names query id, SQL file, line, cause and the way out.

Nothing here shows credentials; with `redact_parameters` neither the statement's values are shown.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.athena import refusals
from datalake_kit.engines.base import TableName, fold
from datalake_kit.errors import (
    ColumnNotFoundError,
    DatabaseNotFoundError,
    DatalakeKitError,
    EngineError,
    QueryCancelledError,
    QueryTimedOutError,
    ScanLimitError,
    SqlError,
    TableNotFoundError,
    did_you_mean,
)

if TYPE_CHECKING:
    from datalake_kit.engines.athena.session import AwsSession

_POSITION = re.compile(r"\bline (\d+):(\d+)")
# Names of Trino's errors that say that the statement is wrong, not the data or the engine.
_WRONG_NAMES = """
    SYNTAX_ERROR MALFORMED_QUERY TYPE_MISMATCH FUNCTION_NOT_FOUND AMBIGUOUS_NAME AMBIGUOUS_FUNCTION_CALL NOT_SUPPORTED
    EXPRESSION_NOT_AGGREGATE EXPRESSION_NOT_SCALAR EXPRESSION_NOT_CONSTANT EXPRESSION_NOT_IN_DISTINCT
    MISSING_COLUMN_NAME MISMATCHED_COLUMN_ALIASES INVALID_COLUMN_REFERENCE INVALID_LITERAL INVALID_PARAMETER_USAGE
    DUPLICATE_COLUMN_NAME DUPLICATE_NAMED_QUERY NESTED_AGGREGATION NESTED_WINDOW MISSING_GROUP_BY INVALID_WINDOW_FRAME
    MISSING_OVER INVALID_ARGUMENTS UNSUPPORTED_SUBQUERY TYPE_NOT_FOUND COLUMN_TYPE_UNKNOWN VIEW_IS_STALE
    MISSING_ORDER_BY INVALID_ORDER_BY TOO_MANY_ARGUMENTS INVALID_LIMIT_CLAUSE MISSING_COLUMN_ALIASES
"""
_WRONG = frozenset(_WRONG_NAMES.split())


@dataclass
class Statement:
    """What an error shows of a statement.

    Attributes
    ----------
    text
        The statement as it is shown: with its placeholders, or as it is sent.
    values
        The bound values, which are taken out of messages when `hidden`.
    hidden
        Whether values are kept out of messages (`redact_parameters`).
    file, line
        The query file, if the statement comes from one, and the line of it where the statement begins.
    database
        The database of tables that are named without one.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    hidden: bool = False
    file: str | None = None
    line: int = 1
    database: str | None = None

    def shown(self) -> str:
        """The statement for the end of a message."""
        return f"Statement: {self.text}"

    def where(self, query_id: str | None) -> str:
        """Query id and file, as far as there are any."""
        parts = [f"query id {query_id}"] if query_id else []
        return ", ".join(parts + ([f"file {self.file}"] if self.file else [])) or "not started"

    def place(self, message: str) -> str:
        """The line that a message points to, in the file if there is one, and what stands there; empty if none."""
        found = _POSITION.search(message)
        if not found:
            return ""
        number, lines = int(found[1]), self.text.splitlines()
        stands = f": {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""
        if self.file:
            return f"{self.file}:{number + self.line - 1}{stands}"
        return f"line {number}{stands}"

    def cleaned(self, message: str) -> str:
        """The message without values, if they are to be hidden."""
        if not self.hidden:
            return message
        for name, value in sorted(self.values.items(), key=lambda item: -len(str(item[1]))):
            if value is not None and not isinstance(value, bool) and str(value):
                message = re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", f":{name}", message)
        # What is left in quotes and does not stand in the statement may be made of values.
        return re.sub(r"'([^']*)'", lambda m: m[0] if m[1].split(".")[-1] in self.text else "'…'", message)


def explained(
    error: Exception,
    statement: Statement,
    session: AwsSession,
    *,
    query_id: str | None = None,
    execution: Any = None,
) -> Exception:
    """Return our error for one of PyAthena or botocore; what is none of theirs, and ours, is returned as it is.

    Parameters
    ----------
    error
        What was raised.
    statement, session
        What is shown, and the way to AWS by which the nearest names are looked up.
    query_id, execution
        The query, and what Athena said of it last, as far as it has begun.
    """
    if isinstance(error, DatalakeKitError):
        return error
    cause = _of_aws(error)
    about = statement.where(query_id)
    if execution is not None and str(execution.state) in ("FAILED", "CANCELLED") and cause is None:
        return _ended(execution, statement, session, about)
    if cause is None and not type(error).__module__.startswith("pyathena"):
        return error
    if cause is None:
        return EngineError(f"Athena ({about}): {statement.cleaned(str(error))}\n{statement.shown()}")
    refusal = refusals.refused(cause, session, about)
    if refusal is not None:
        kind, message = refusal
        return kind(f"{statement.cleaned(message)}\n{statement.shown()}")
    message = str(getattr(cause, "response", {}).get("Error", {}).get("Message", "")) or str(cause)
    return _of_message(message, statement, session, about)


def _of_aws(error: BaseException | None) -> Exception | None:
    """The error of botocore that an error is or was raised from."""
    from datalake_kit.engines.athena.session import aws_errors

    seen = 0
    while error is not None and seen < 5:
        if isinstance(error, aws_errors()):
            return error
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


# --- queries that Athena began and did not end well


def _ended(execution: Any, statement: Statement, session: AwsSession, about: str) -> Exception:
    reason = str(execution.state_change_reason or execution.error_message or "Athena gives no reason")
    if re.search(r"bytes scanned limit|scanned.{0,20}(cutoff|limit)", reason, re.IGNORECASE):
        return ScanLimitError(
            f"The workgroup's own limit ended the query ({about}): {reason} {session.cutoff()}\n{statement.shown()}"
        )
    if re.search(r"query timeout|exceeded.{0,40}time|timed? ?out", reason, re.IGNORECASE):
        return QueryTimedOutError(
            f"Athena ended the query ({about}): {statement.cleaned(reason)}. It runs a statement for 30 minutes unless "
            f"the account's quota is higher. Ask for less at a time, or filter by partition.\n{statement.shown()}"
        )
    if execution.state == "CANCELLED":
        said = "" if reason.startswith("Athena gives") else f" Athena says: {statement.cleaned(reason)}."
        return QueryCancelledError(
            f"The query was cancelled elsewhere ({about}): in the console, by another program or by an administrator."
            f"{said} Run it again.\n{statement.shown()}"
        )
    refusal = refusals.denied(reason, about)
    if refusal is not None:
        kind, message = refusal
        return kind(f"{statement.cleaned(message)}\n{statement.shown()}")
    return _of_message(reason, statement, session, about, retryable=bool(execution.retryable))


def _of_message(
    message: str, statement: Statement, session: AwsSession, about: str, *, retryable: bool = False
) -> Exception:
    name = _name_of(message)
    place = statement.place(message)
    said = f"{statement.cleaned(message)} ({about}{', ' + place if place else ''})."
    for known, make in _LOOKED_UP.items():
        if name == known:
            return make(message, said, statement, session)
    if name in _WRONG or (place and not name):
        return SqlError(f"{said}{_way_out(statement)}\n{statement.shown()}")
    again = " Athena says that it may go well when it is run again." if retryable else ""
    return EngineError(f"Athena: {said}{again}\n{statement.shown()}")


def _way_out(statement: Statement) -> str:
    """What is known of statements that Athena refuses and Trino takes."""
    from datalake_kit.engines.dialect.athena_rules import athena_refusals

    with contextlib.suppress(DatalakeKitError):
        return "".join(f" {statement.cleaned(str(refusal))}." for refusal in athena_refusals(statement.text))
    return ""


def _name_of(message: str) -> str:
    """Trino's name of an error, such as TABLE_NOT_FOUND; empty where the message has none."""
    found = re.match(r"\s*([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+):", message)
    if found:
        return found[1]
    if re.search(r"mismatched input|extraneous input|no viable alternative|missing .* at ", message):
        return "SYNTAX_ERROR"
    for words, name in _BY_WORDS.items():
        if re.search(words, message):
            return name
    return ""


_BY_WORDS = {
    r"Table '[^']*' does not exist": "TABLE_NOT_FOUND",
    r"Schema '?[^']*'? does not exist": "SCHEMA_NOT_FOUND",
    r"Column '[^']*' cannot be resolved": "COLUMN_NOT_FOUND",
    r"Catalog '?[^']*'? (does not exist|not found)": "CATALOG_NOT_FOUND",
}


def _no_table(message: str, said: str, statement: Statement, session: AwsSession) -> Exception:
    parts = _quoted(message).split(".")
    database = parts[-2] if len(parts) > 1 else statement.database or ""
    with contextlib.suppress(DatalakeKitError):
        catalog = _catalog(session)
        databases = catalog.databases()
        if database not in databases:
            return DatabaseNotFoundError(
                f"No database {database!r}. {did_you_mean(database, databases)} {said}\n{statement.shown()}"
            )
        hint = did_you_mean(parts[-1], [t.name.table for t in catalog.tables(database)])
        return TableNotFoundError(
            f"No table {parts[-1]!r} in database {database!r}. {hint} {said}\n{statement.shown()}"
        )
    return TableNotFoundError(f"No table {parts[-1]!r} in database {database!r}. {said}\n{statement.shown()}")


def _no_database(message: str, said: str, statement: Statement, session: AwsSession) -> Exception:
    name, hint = _quoted(message), ""
    with contextlib.suppress(DatalakeKitError):
        hint = did_you_mean(name, _catalog(session).databases()) + " "
    return DatabaseNotFoundError(f"No database {name!r}. {hint}{said}\n{statement.shown()}")


def _no_column(message: str, said: str, statement: Statement, session: AwsSession) -> Exception:
    name, hint = _quoted(message).split(".")[-1], ""
    with contextlib.suppress(DatalakeKitError):
        hint = did_you_mean(fold(name), _columns(statement, session)) + " "
    return ColumnNotFoundError(f"No column {name!r}. {hint}{said}\n{statement.shown()}")


def _no_catalog(message: str, said: str, statement: Statement, session: AwsSession) -> Exception:
    return DatabaseNotFoundError(
        f"No catalog {_quoted(message)!r}. Set catalog= of this lake; AWS's own is awsdatacatalog. {said}\n"
        f"{statement.shown()}"
    )


_LOOKED_UP: dict[str, Callable[[str, str, Statement, AwsSession], Exception]] = {
    "TABLE_NOT_FOUND": _no_table,
    "SCHEMA_NOT_FOUND": _no_database,
    "COLUMN_NOT_FOUND": _no_column,
    "CATALOG_NOT_FOUND": _no_catalog,
}


def _quoted(message: str) -> str:
    found = re.search(r"'([^']*)'", message) or re.search(r"(?:Schema|Catalog|Table|Column) (\S+)", message)
    return found[1] if found else ""


def _catalog(session: AwsSession) -> Any:
    from datalake_kit.engines.athena.catalog import GlueCatalog

    return GlueCatalog(session)


def _columns(statement: Statement, session: AwsSession) -> list[str]:
    from datalake_kit.engines.dialect import tables_named

    catalog = _catalog(session)
    names = [(database or statement.database, table) for database, table in tables_named(statement.text)]
    return [c.name for d, t in names if d for c in catalog.describe(TableName(d, t)).columns]
