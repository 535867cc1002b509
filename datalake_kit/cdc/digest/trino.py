"""The digest in Trino's SQL, which Athena speaks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datalake_kit.cdc.digest.dialect import DigestDialect, cut
from datalake_kit.cdc.digest.families import Family, SqlType

MOST_ARGUMENTS = 100
_KINDS = {
    "tinyint": "int", "smallint": "int", "integer": "int", "int": "int", "bigint": "int", "boolean": "bool",
    "real": "float", "float": "float", "double": "float", "varchar": "text", "string": "text", "date": "date",
    "varbinary": "bin", "binary": "bin", "uuid": "uuid", "char": "char",
}  # fmt: skip


class TrinoDigest(DigestDialect):
    """Trino and Athena engine version 3; types as Trino or as the Glue catalog writes them."""

    name = "trino"

    def sql_type(self, written: str) -> SqlType:
        """Read a type of Trino or of the Glue catalog."""
        text = written.lower().strip()
        base, numbers = re.split(r"[ (]", text)[0], [int(n) for n in re.findall(r"\d+", text)]
        if base == "decimal":
            return SqlType("dec", written, (numbers[1:2] or [0])[0], (numbers or [38])[0])
        if base == "timestamp":
            return SqlType("tstz" if "with time zone" in text else "ts", written, (numbers or [3])[0])
        if base == "time" and "zone" not in text:
            return SqlType("time", written, (numbers or [3])[0])
        return SqlType(_KINDS.get(base, "other"), written)

    def plain(self, x: str, type_: SqlType, family: Family) -> str:
        """The canonical text of a value that is not NULL."""
        match family.name:
            case "int" | "text" if type_.kind == "bool":
                return self.truth(x, family)
            case "dec":
                wide = (
                    x
                    if type_.kind == "dec" and type_.digits == family.digits
                    else f"CAST({x} AS decimal(38,{family.digits}))"
                )
                return f"CAST({wide} AS varchar)"
            case "float":
                bits = f"lower(to_hex(to_ieee754_64(CAST({x} AS double))))"
                return self.bits(x, f"is_nan({x})", bits)
            case "char":
                return f"trim(TRAILING ' ' FROM CAST({x} AS varchar))"
            case "ts":
                return _cut(_moment(x, type_, 6), family.digits)
            case "tsr":
                return _cut(_moment(x, type_, 3), 3)
            case "time":
                return _cut(f"CAST(CAST({x} AS time(6)) AS varchar)", family.digits)
            case "bin":
                return f"lower(to_hex({x}))"
            case "uuid":
                return f"lower(replace(CAST({x} AS varchar), '-', ''))"
        return x if type_.kind == "text" else f"CAST({x} AS varchar)"

    def length(self, text: str) -> str:
        """The number of bytes of a text in UTF-8, as text."""
        return f"CAST(length(to_utf8({text})) AS varchar)"

    def md5(self, text: str) -> str:
        """The digest of a row's text as 32 hexadecimal digits."""
        return f"lower(to_hex(md5(to_utf8({text}))))"

    def high(self, h: str) -> str:
        """The first 60 bits of a digest as a number."""
        return f"from_base(substr({h}, 1, 15), 16)"

    def low(self, h: str) -> str:
        """The last 60 bits of a digest as a number."""
        return f"from_base(substr({h}, 18, 15), 16)"

    def total(self, number: str) -> str:
        """An exact sum; a sum of bigint overflows after eight rows."""
        return f"sum(CAST({number} AS decimal(38,0)))"

    def number(self, value: int) -> str:
        """A literal of a whole number."""
        fits = -(2**63) <= value < 2**63
        return (
            f"BIGINT '{value}'"
            if fits and (value < 0 or value >= 2**31)
            else str(value)
            if fits
            else f"DECIMAL '{value}'"
        )

    def odd_text(self, text: str) -> str:
        """A literal of a text that is not plain ASCII."""
        return f"from_utf8(X'{text.encode().hex()}')"

    def concat(self, parts: Sequence[str]) -> str:
        """Join texts; NULL if any is. A long row of || goes too deep for the planner, and concat takes 127 at most."""
        if len(parts) > MOST_ARGUMENTS:
            groups = [parts[i : i + MOST_ARGUMENTS] for i in range(0, len(parts), MOST_ARGUMENTS)]
            return self.concat([self.concat(g) for g in groups])
        return f"concat({', '.join(parts)})" if len(parts) > 1 else parts[0]


def _cut(text: str, digits: int) -> str:
    drop = 0 if digits >= 6 else 6 - digits if digits else 7
    return cut(text, digits, f"substr({{0}}, 1, length({text}) - {drop})") if drop else text


def _moment(x: str, type_: SqlType, digits: int) -> str:
    """A time in UTC as text with six decimal places, rounded half up to `digits` before."""
    plain = f"CAST({x} AT TIME ZONE 'UTC' AS timestamp(6))" if type_.kind == "tstz" else x
    rounded = (
        f"CAST(CAST({plain} AS timestamp({digits})) AS timestamp(6))"
        if digits < 6
        else f"CAST({plain} AS timestamp(6))"
    )
    return f"CAST({rounded} AS varchar)"
