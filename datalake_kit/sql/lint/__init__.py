"""Rules for query files: one statement that reads, whose answer is the same on Athena and on the local engine."""

from datalake_kit.sql.lint.checking import check_query_file, check_sql
from datalake_kit.sql.lint.findings import RULES, Finding

__all__ = ["RULES", "Finding", "check_query_file", "check_sql"]
