"""What Athena makes of a Hudi table: whether AWS documents its version, and whether SQL shows all its rows.

A table of a newer version may be read wrongly, and one that is merge-on-read may be registered so that SQL leaves out
what lies in log files. Neither shows in an answer; so it is said.
"""

from __future__ import annotations

from datalake_kit.engines.base import TableInfo
from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage import place

__all__ = ["said_of_hudi"]

NEWEST_DOCUMENTED = 6  # the table version of Hudi 0.12 to 0.15; Athena reads with 0.14, and 0.15 by a table property


def said_of_hudi(info: TableInfo, input_format: str) -> str:
    """Return what has to be said before a Hudi table is read by SQL on Athena; empty where nothing has.

    One small file is read from S3. Where it cannot be read nothing is said: the statement will tell the cause.
    """
    from datalake_kit.hudi.properties import MERGE_ON_READ, parse_properties

    try:
        text = (place(info.location) / ".hoodie" / "hoodie.properties").read_text(encoding="utf-8")
    except (UnreadableFileError, OSError, UnicodeDecodeError):
        return ""
    entries = parse_properties(text)
    version = entries.get("hoodie.table.version", "").strip()
    if not version.isdigit() or int(version) > NEWEST_DOCUMENTED:
        return (
            f"{info.name} is a Hudi table of version {version or 'unknown'}; AWS documents Hudi 0.14 and 0.15 for "
            f"Athena (table version {NEWEST_DOCUMENTED}), nothing newer. SQL may fail or leave rows out. Its rows are "
            f"read exactly by dk.hudi.read(lake, {str(info.name)!r}), counted by dk.hudi.count."
        )
    is_merged = "realtime" in input_format.lower() or info.name.table.endswith("_ro")
    if entries.get("hoodie.table.type", "").strip().upper() == MERGE_ON_READ and not is_merged:
        return (
            f"{info.name} is a merge-on-read Hudi table, registered read-optimised: SQL leaves out what lies in its "
            f"log files. All its rows are read by dk.hudi.read(lake, {str(info.name)!r}), counted by dk.hudi.count; "
            f"a table whose name ends in _rt shows them to SQL."
        )
    return ""
