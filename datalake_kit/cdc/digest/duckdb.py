"""The digest in DuckDB's SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datalake_kit.cdc.digest.dialect import DigestDialect, cut
from datalake_kit.cdc.digest.families import MICRO, Family, SqlType
from datalake_kit.cdc.digest.ranges import Key, Range

_KINDS = {
    "TINYINT": "int", "SMALLINT": "int", "INTEGER": "int", "BIGINT": "int", "HUGEINT": "int", "UTINYINT": "int",
    "USMALLINT": "int", "UINTEGER": "int", "UBIGINT": "int", "UHUGEINT": "int", "BOOLEAN": "bool", "FLOAT": "float",
    "DOUBLE": "float", "VARCHAR": "text", "DATE": "date", "BLOB": "bin", "UUID": "uuid",
}  # fmt: skip
_MOMENTS = {
    "TIMESTAMP": ("ts", 6), "TIMESTAMP_S": ("ts", 0), "TIMESTAMP_MS": ("ts", 3), "TIMESTAMP_NS": ("ts", 9),
    "TIMESTAMP WITH TIME ZONE": ("tstz", 6), "TIME": ("time", 6),
}  # fmt: skip
_SECONDS = "%Y-%m-%d %H:%M:%S"
_FRACTIONS = {0: "", 3: ".%g", MICRO: ".%f"}  # strftime cuts, it does not round


class DuckDBDigest(DigestDialect):
    """DuckDB 1.2 and newer.

    Rows are joined by concat(), a third faster than ||. It skips NULL, and no expression here is NULL for a value that
    is there.
    """

    name = "duckdb"
    fence = " OFFSET 0"

    def sql_type(self, written: str) -> SqlType:
        """Read a type as DESCRIBE writes it."""
        if written in _KINDS:
            return SqlType(_KINDS[written], written)
        if written in _MOMENTS:
            kind, digits = _MOMENTS[written]
            return SqlType(kind, written, digits)
        decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", written)
        if decimal:
            return SqlType("dec", written, int(decimal[2]), int(decimal[1]))
        if written.startswith("ENUM("):
            return SqlType("text", "ENUM")
        return SqlType("other", written)

    def plain(self, x: str, type_: SqlType, family: Family) -> str:
        """The canonical text of a value that is not NULL."""
        match family.name:
            case "int" | "text" if type_.kind == "bool":
                return self.truth(x, family)
            case "dec":
                wide = (
                    x if type_.kind == "dec" and type_.digits == family.digits else f"{x}::DECIMAL(38,{family.digits})"
                )
                return f"CAST({wide} AS VARCHAR)"
            case "float":
                bits = f"lower(hex({x if type_.written == 'DOUBLE' else f'{x}::DOUBLE'}::BIT::BLOB))"
                return self.bits(x, f"isnan({x})", bits)
            case "char":
                return f"rtrim(CAST({x} AS VARCHAR), ' ')"
            case "ts":
                return _moment(_in_utc(x, type_), family.digits)
            case "tsr":
                return _moment(f"{_in_utc(x, type_)} + INTERVAL 500 MICROSECOND", family.digits)
            case "time":
                clock = f"strftime(DATE '1970-01-01' + {x}, '%H:%M:%S.%f')"
                late = f"CASE WHEN {x} = TIME '24:00:00' THEN '24:00:00.000000' ELSE {clock} END"
                return cut(f"({late})", family.digits)
            case "bin":
                return f"lower(hex({x}))"
            case "uuid":
                return f"lower(replace(CAST({x} AS VARCHAR), '-', ''))"
        return x if type_.written == "VARCHAR" else f"CAST({x} AS VARCHAR)"

    def concat(self, parts: Sequence[str]) -> str:
        """Join texts."""
        return f"concat({', '.join(parts)})" if len(parts) > 1 else parts[0]

    def high(self, h: str) -> str:
        """The first 60 bits of a digest as a number."""
        return f"('0x' || substr({h}, 1, 15))::BIGINT"

    def low(self, h: str) -> str:
        """The last 60 bits of a digest as a number."""
        return f"('0x' || substr({h}, 18, 15))::BIGINT"

    def odd_text(self, text: str) -> str:
        """A literal of a text that is not plain ASCII."""
        escaped = "".join(f"\\x{byte:02X}" for byte in text.encode())
        return f"decode('{escaped}'::BLOB)"

    def divide(self, number: str, by: int) -> str:
        """Whole division."""
        return f"{number} // {by}"

    def quantiles(self, relation: str, keys: Sequence[Key], ranges: Sequence[Range], parts: int) -> str:
        """Keys that cut each range into parts; of a single column without sorting."""
        if len(keys) > 1:
            return super().quantiles(relation, keys, ranges, parts)
        points = ", ".join(str(i / parts) for i in range(1, parts))
        inner = self.rows(relation, keys, "", ranges)
        return (
            f"SELECT b, unnest(list_distinct(q)) FROM (SELECT {self.bucket(keys, ranges)} AS b, "
            f"quantile_disc(k0, [{points}]) AS q FROM ({inner}) d WHERE k0 IS NOT NULL GROUP BY 1) e WHERE b >= 0"
        )


def finer_than_milliseconds(x: str) -> str:
    """Whether any value of a column of times has digits past the millisecond."""
    return f"coalesce(bool_or(epoch_us({x}) % 1000 <> 0), false)"


def _moment(x: str, digits: int) -> str:
    """A time as text, cut to digits of the second."""
    text = f"strftime({x}, '{_SECONDS}{_FRACTIONS.get(digits, '.%f')}')"
    return text if digits in _FRACTIONS else cut(text, digits)


def _in_utc(x: str, type_: SqlType) -> str:
    """A time as a plain TIMESTAMP in UTC, whatever the session's zone; without the extension for zones."""
    if type_.kind == "tstz":
        return f"make_timestamp(epoch_us({x}))"
    return x if type_.digits in (MICRO, 9) else f"{x}::TIMESTAMP"
