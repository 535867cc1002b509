"""A digest of rows that is the same on DuckDB, Trino (Athena), MySQL, MariaDB and PostgreSQL.

Two tables are compared without moving them: each engine adds up the digests of its rows by ranges of keys, and only
where the sums differ keys travel. For that every engine writes a value as the same text, the *canonical text* of its
family (`families`):

    int     decimal digits; a boolean or a single bit is 1 or 0
    dec(s)  decimal digits with s places; both sides at the larger scale
    float   16 hexadecimal digits, the bits of the IEEE double; -0 as 0, every NaN as 7ff8000000000000
    text    its characters; char: without the spaces at its end
    date    YYYY-MM-DD
    time(p) HH:MM:SS.ffffff cut to p digits        ts(p)   YYYY-MM-DD HH:MM:SS.ffffff in UTC, cut to p digits
    tsr(3)  the same, rounded half up to 3 digits  bin     lower-case hexadecimal digits
    uuid    32 lower-case hexadecimal digits

A row's text is its fields in an agreed order joined by '|'. A field is '~' for NULL, '<bytes>:<text>' for text and char
(bytes of its UTF-8), else the canonical text, which holds neither '|' nor '~': so the text of a row can be read one way
only. The digest is the MD5 of the row's text in UTF-8, as 32 hexadecimal digits h; its halves are the numbers h[:15]
and h[17:], of 60 bits each. A range of keys is described by its rows and the exact sums of both halves. Sums, not
exclusive-or: rows that are there twice must not cancel.

A value that an engine cannot write makes the row's text NULL; then nothing is said of the table (DataError). Types
without a canonical text are not compared, and listed.

>>> row_digest([(INT, 7), (TEXT, "a|b"), (TEXT, None), (TEXT, "")])     # MD5 of '7|3:a|b|~|0:'
'0adcc220d4016f20a937ec075e748696'
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from datalake_kit.cdc.digest.duckdb import DuckDBDigest
from datalake_kit.cdc.digest.families import INT, TEXT, Agreement, Family, SqlType, agree
from datalake_kit.cdc.digest.localise import Localised, localise
from datalake_kit.cdc.digest.mysql import MySQLDigest
from datalake_kit.cdc.digest.pair import ColumnDifference, PairDifferences, compare_sides
from datalake_kit.cdc.digest.postgresql import PostgreSQLDigest
from datalake_kit.cdc.digest.side import AthenaSide, DigestSide, DuckDBSide, Traffic
from datalake_kit.cdc.digest.trino import TrinoDigest

__all__ = [
    "INT",
    "TEXT",
    "Agreement",
    "AthenaSide",
    "ColumnDifference",
    "DigestSide",
    "DuckDBDigest",
    "DuckDBSide",
    "Family",
    "Localised",
    "MySQLDigest",
    "PairDifferences",
    "PostgreSQLDigest",
    "SqlType",
    "Traffic",
    "TrinoDigest",
    "agree",
    "compare_sides",
    "localise",
    "row_digest",
]


def row_digest(fields: Iterable[tuple[Family, object]]) -> str:
    """Return the digest of a row whose values are given as canonical text, or as numbers where that is the same.

    >>> row_digest([(TEXT, "NULL")]) == row_digest([(TEXT, None)])
    False
    """
    parts = []
    for family, value in fields:
        text = str(value)
        counted = f"{len(text.encode())}:{text}" if family.is_text else text
        parts.append("~" if value is None else counted)
    return hashlib.md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()
