"""What a check finds, and the rules by which it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from datalake_kit.engines.dialect.known_types import Names
from datalake_kit.engines.dialect.lexing import Token
from datalake_kit.sql.query_files import Parameter

RULES: dict[str, str] = {
    "file": "The file can be read: UTF-8, not too large, no link that leads out of its folder.",
    "header": "The header says what the query answers, and `-- :name type = default  help` for each parameter.",
    "parameters": "Parameters declared in the header and used in the statement are the same.",
    "one-statement": "There is one statement.",
    "reads-only": "The statement reads: SELECT, WITH, VALUES, SHOW, DESCRIBE, EXPLAIN.",
    "syntax": "The statement is Athena's SQL.",
    "pasted": "Values are bound by :name, never pasted into the text or put in quotes.",
    "unnamed-column": "Every column has a name.",
    "alias-too-early": "WHERE, GROUP BY, HAVING and ON do not use a name that SELECT gives.",
    "division": "One side of every division that is not of whole numbers is CAST to DOUBLE.",
    "subscript": "element_at(x, i), never x[i], which fails where nothing is there.",
    "datetime-format": "date_format and date_parse, never format_datetime and parse_datetime.",
    "values-rows": "Each row of VALUES is in parentheses.",
    "closed-window": "Windows of time are half-open: a >= start AND a < end.",
    "not-portable": 'No "$path", typeof, json_value, QUALIFY, arg_max, arg_min.',
    "athena": "Nothing that Athena refuses.",
    "local-engine": "Nothing that the local engine refuses.",
}


@dataclass(frozen=True)
class Finding:
    """One place where a query breaks a rule.

    Attributes
    ----------
    file
        The file as it was named; "" for a text.
    line, column
        Where, both counted from 1.
    rule
        One of RULES.
    message, instead
        What is wrong, and the way out.
    severity
        "error", or "warning" where it depends on what the text does not tell.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    instead: str
    severity: str = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.file else f"line {self.line}, column {self.column}"
        mark = "" if self.severity == "error" else f" ({self.severity})"
        return f"{where}: {self.rule}{mark}: {self.message}; {self.instead}"


@dataclass(frozen=True)
class Broken:
    """A rule broken at a position of the statement."""

    rule: str
    at: int
    message: str
    instead: str
    severity: str = "error"


@dataclass(frozen=True)
class Statement:
    """A statement under check; `tree` is None where it cannot be parsed."""

    text: str
    tokens: tuple[Token, ...]
    tree: Any
    parameters: Mapping[str, Parameter]
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def names(self) -> Names:
        """What names mean outside of all queries."""
        types = {"number": "double", "text": "varchar"}
        kinds = {
            n: types.get(p.type, p.type) for n, p in self.parameters.items() if p.type not in ("list", "identifier")
        }
        return Names({k.lower(): v for k, v in self.tables.items()}, kinds)


Rule = Callable[[Statement], Iterator[Broken]]
