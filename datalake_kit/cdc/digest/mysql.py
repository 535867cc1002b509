"""The digest in the SQL of MySQL and MariaDB, in a session with `SET NAMES utf8mb4`, time zone +00:00, sql_mode ''."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datalake_kit.cdc.digest.dialect import DigestDialect, cut
from datalake_kit.cdc.digest.families import Family, SqlType

_KINDS = {
    "tinyint": "int", "smallint": "int", "mediumint": "int", "int": "int", "integer": "int", "bigint": "int",
    "year": "int", "float": "float", "double": "float", "char": "char", "varchar": "text", "tinytext": "text",
    "text": "text", "mediumtext": "text", "longtext": "text", "enum": "label", "set": "label", "json": "json",
    "date": "date", "binary": "bin", "varbinary": "bin", "tinyblob": "bin", "blob": "bin", "mediumblob": "bin",
    "longblob": "bin", "uuid": "uuid",
}  # fmt: skip
_MOMENTS = {"datetime": "ts", "timestamp": "tstz", "time": "clock"}
_FORMAT = "%Y-%m-%d %H:%i:%s.%f"


class MySQLDigest(DigestDialect):
    """MySQL 8 and MariaDB 10.5 and newer.

    Parameters
    ----------
    zero_date_is_null : bool
        Whether '0000-00-00' counts as NULL; without it it is a value that no lake can hold, so it is reported.
    """

    name = "mysql"
    fence = " LIMIT 18446744073709551615"

    def __init__(self, *, zero_date_is_null: bool = False) -> None:
        self.zero_date_is_null = zero_date_is_null

    def sql_type(self, written: str) -> SqlType:
        """Read a type as the column COLUMN_TYPE of information_schema has it."""
        text = written.lower()
        base = re.split(r"[ (]", text)[0]
        numbers = [int(n) for n in re.findall(r"\d+", text.partition("(")[2].partition(")")[0])] if "(" in text else []
        if base in ("decimal", "numeric"):
            return SqlType("dec", written, (numbers[1:2] or [0])[0], (numbers or [10])[0])
        if base in _MOMENTS:
            return SqlType(_MOMENTS[base], written, (numbers or [0])[0])
        if base == "bit":
            return SqlType("bits", written, width=(numbers or [1])[0])
        if base in ("enum", "set"):
            return SqlType("label", base)
        return SqlType(_KINDS.get(base, "other"), written)

    def quote(self, name: str) -> str:
        """Quote an identifier."""
        return "`" + name.replace("`", "``") + "`"

    def plain(self, x: str, type_: SqlType, family: Family) -> str:
        """The canonical text of a value that is not NULL."""
        match family.name:
            case "int":
                return f"CAST({x}+0 AS CHAR)"  # +0: without the zeros of ZEROFILL, YEAR 0 as 0, a bit as its number
            case "text" if type_.kind == "int":
                return f"CAST({x}+0 AS CHAR)"
            case "text" if type_.kind == "bits":
                return f"LPAD(BIN({x}+0), {type_.width}, '0')"
            case "dec":
                wide = (
                    f"{x}+0"
                    if type_.kind == "dec" and type_.digits == family.digits
                    else f"CAST({x} AS DECIMAL(38,{family.digits}))"
                )
                return f"CAST({wide} AS CHAR)"
            case "float":  # a point's well-known binary form holds the bits of its coordinates
                bits = f"LOWER(HEX(REVERSE(SUBSTR(ST_AsBinary(POINT({x},0)),6,8))))"
                return f"CASE WHEN {x}=0 THEN '{'0' * 16}' ELSE {bits} END"
            case "text":
                return _bytes(x)
            case "char":
                return f"TRIM(TRAILING 0x20 FROM {_bytes(x)})"
            case "ts":
                return _cut(f"DATE_FORMAT({x},'{_FORMAT}')", family.digits)
            case "tsr":
                return _cut(f"DATE_FORMAT(DATE_ADD({x},INTERVAL 500 MICROSECOND),'{_FORMAT}')", family.digits)
            case "time":
                return _cut(f"CAST(CAST({x} AS TIME(6)) AS CHAR)", family.digits)
            case "bin" if type_.kind == "bits":
                return f"LPAD(LOWER(HEX({x}+0)), {2 * -(-type_.width // 8)}, '0')"
            case "bin":
                return f"LOWER(HEX({x}))"
            case "uuid":
                return f"LOWER(REPLACE(CAST({x} AS CHAR), '-', ''))"
        return f"CAST({x} AS CHAR)"

    def is_null(self, x: str, type_: SqlType) -> str:
        """Whether a value counts as NULL."""
        if self.zero_date_is_null and type_.kind in ("date", "ts", "tstz"):
            return f"({x} IS NULL OR CAST({x} AS CHAR) LIKE '0000-00-00%')"
        return f"{x} IS NULL"

    def length(self, text: str) -> str:
        """The number of bytes of a text in UTF-8."""
        return f"LENGTH({text})"

    def concat(self, parts: Sequence[str]) -> str:
        """Join texts; NULL if any is."""
        return f"CONCAT({','.join(parts)})" if len(parts) > 1 else parts[0]

    def high(self, h: str) -> str:
        """The first 60 bits of a digest as a number."""
        return f"CAST(CONV(SUBSTR({h},1,15),16,10) AS UNSIGNED)"

    def low(self, h: str) -> str:
        """The last 60 bits of a digest as a number."""
        return f"CAST(CONV(SUBSTR({h},18,15),16,10) AS UNSIGNED)"

    def binary_order(self, text: str) -> str:
        """A text that compares by its bytes, whatever the collation."""
        return f"CAST({text} AS BINARY)"

    def odd_text(self, text: str) -> str:
        """A literal of a text that is not plain ASCII."""
        return f"X'{text.encode().hex()}'"

    def divide(self, number: str, by: int) -> str:
        """Whole division."""
        return f"({number} DIV {by})"


def _bytes(x: str) -> str:
    return f"CAST(CONVERT({x} USING utf8mb4) AS BINARY)"


def _cut(text: str, digits: int) -> str:
    drop = 0 if digits >= 6 else 6 - digits if digits else 7
    return cut(text, digits, f"LEFT({{0}}, CHAR_LENGTH({text}) - {drop})") if drop else text
