"""Statements that Trino has and Athena has not, by their first words.

The pages are those of Athena's user guide, docs.aws.amazon.com/athena/latest/ug/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from datalake_kit.engines.dialect.lexing import Token

_NAME = r"\S+(?: \. \S+)*"
_PART = r"(?:PARTITION \( .*? \) )?"


@dataclass(frozen=True, slots=True)
class StatementRule:
    """A pattern of a statement's words, and what is said of it; `certain` False: it depends on the table."""

    pattern: re.Pattern[str]
    reason: str
    instead: str
    page: str
    certain: bool = True


def _rule(pattern: str, reason: str, instead: str, page: str, *, certain: bool = True) -> StatementRule:
    return StatementRule(re.compile(rf"(?:{pattern})(?!\w)"), reason, instead, page, certain)


_GLUE = "change the table in the Glue catalog, or write it anew"
_ACCESS = "permissions are given by IAM and Lake Formation"
_NO_DDL = "Athena has no such statement"
_ICEBERG = "Athena does this to Iceberg tables alone"
RULES = (
    # unsupported-ddl.html
    _rule("(?:CREATE|DROP|ALTER) INDEX", _NO_DDL, "partition the table, or write it sorted", "unsupported-ddl"),
    _rule(
        rf"ALTER TABLE {_NAME} {_PART}(?:ARCHIVE|UNARCHIVE|EXCHANGE|CLUSTERED BY|NOT CLUSTERED|NOT SKEWED|NOT SORTED|"
        "NOT STORED|SKEWED BY|SET SKEWED|COMPACT|CONCATENATE|SET FILEFORMAT|SET SERDEPROPERTIES|TOUCH)",
        _NO_DDL, _GLUE, "unsupported-ddl",
    ),
    _rule(rf"ALTER TABLE {_NAME} PARTITION \( .*? \) CHANGE", _NO_DDL, _GLUE, "unsupported-ddl"),
    _rule("START TRANSACTION|COMMIT|ROLLBACK", "Athena has no transactions", "run each statement by itself",
          "unsupported-ddl"),
    _rule("(?:CREATE|DROP) ROLE", _NO_DDL, _ACCESS, "unsupported-ddl"),
    _rule("(?:GRANT|REVOKE|DENY)", _NO_DDL, _ACCESS, "unsupported-ddl"),
    _rule("(?:CREATE|DROP) TEMPORARY MACRO", _NO_DDL, "write the expression out", "unsupported-ddl"),
    _rule("DESCRIBE DATABASE", _NO_DDL, "ask the Glue catalog", "unsupported-ddl"),
    _rule("DFS|EXPORT TABLE|IMPORT TABLE", _NO_DDL, "copy the files on S3", "unsupported-ddl"),
    _rule("(?:UN)?LOCK (?:TABLE|DATABASE)", _NO_DDL, "leave it out", "unsupported-ddl"),
    _rule("SHOW STATS", _NO_DDL, "count what you need in a SELECT", "unsupported-ddl"),
    _rule("SHOW (?:COMPACTIONS|CURRENT ROLES|GRANT|GRANTS|INDEXES|LOCKS|PRINCIPALS|ROLE GRANT|ROLE GRANTS|ROLES|"
          "TRANSACTIONS)", _NO_DDL, _ACCESS, "unsupported-ddl"),
    _rule("DELETE FROM|UPDATE|MERGE INTO", _ICEBERG, "write the rows anew with CREATE TABLE AS", "unsupported-ddl",
          certain=False),
    _rule(rf"ALTER TABLE {_NAME} (?:DROP COLUMN|RENAME TO)", _ICEBERG, _GLUE, "unsupported-ddl", certain=False),
    # other-notable-limitations.html
    _rule("DESCRIBE (?:INPUT|OUTPUT)", _NO_DDL, "run the statement with LIMIT 0 and look at its columns",
          "other-notable-limitations"),
    _rule(rf"CREATE (?:EXTERNAL )?TABLE (?:IF NOT EXISTS )?{_NAME} (?:\( )?LIKE", "Athena has no CREATE TABLE LIKE",
          "write CREATE TABLE ... AS SELECT * FROM ... WITH NO DATA", "other-notable-limitations"),
    _rule("CALL", "Athena has no stored procedures", "run the statements from Python", "other-notable-limitations"),
    # create-table.html
    _rule(rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME} \((?!.*'ICEBERG')",
          "only Iceberg tables are made without EXTERNAL",
          "write CREATE EXTERNAL TABLE ... LOCATION 's3://...', or CREATE TABLE ... AS SELECT", "create-table"),
    # ddl-reference.html and dml-queries-functions-operators.html list all statements that there are
    _rule("USE", "each statement names its database by itself", "write database.table, or connect with database=",
          "ddl-reference"),
    _rule("(?:RESET|SET) SESSION|SET (?:TIME ZONE|PATH|ROLE)", "Athena keeps no session between statements",
          "leave it out; times are UTC", "ddl-reference"),
    _rule("COMMENT ON", _NO_DDL, "write the comment into the Glue catalog", "ddl-reference"),
    _rule("ANALYZE", _NO_DDL, "let Glue compute column statistics", "ddl-reference"),
    _rule("TRUNCATE", _NO_DDL, "remove the files on S3, or DELETE FROM an Iceberg table", "ddl-reference"),
    _rule("(?:CREATE|DROP) CATALOG", _NO_DDL, "register the data source in Athena", "ddl-reference"),
    _rule("(?:CREATE|DROP|REFRESH|ALTER) (?:OR REPLACE )?MATERIALIZED VIEW", _NO_DDL, "use CREATE TABLE ... AS SELECT",
          "ddl-reference", certain=False),
    _rule("(?:CREATE|DROP) (?:OR REPLACE )?FUNCTION", _NO_DDL, "write the expression out", "ddl-reference",
          certain=False),
    _rule("CREATE OR REPLACE TABLE", "Athena documents no such statement", "DROP TABLE first", "create-table-as",
          certain=False),
    _rule("SHOW (?:CATALOGS|SESSION|BRANCHES)", "Athena documents no such statement", "ask Athena's API",
          "ddl-reference", certain=False),
    _rule("EXECUTE IMMEDIATE", "Athena documents no such statement", "PREPARE it, or send it as it is", "sql-execute",
          certain=False),
)  # fmt: skip


def statement_rule(found: tuple[Token, ...]) -> StatementRule | None:
    """Return the rule that a statement breaks by its words."""
    words = " ".join(_shown(token) for token in found)
    return next((rule for rule in RULES if rule.pattern.match(words)), None)


def _shown(token: Token) -> str:
    if token.kind == "quoted":
        return "x"
    return "".join(token.text.upper().split())
