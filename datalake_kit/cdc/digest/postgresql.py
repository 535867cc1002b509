"""The digest in PostgreSQL's SQL, in a UTF-8 database and a session with DateStyle ISO and time zone UTC."""

from __future__ import annotations

import re

from datalake_kit.cdc.digest.dialect import DigestDialect, cut
from datalake_kit.cdc.digest.families import MICRO, Family, SqlType

_KINDS = {
    "smallint": "int", "integer": "int", "bigint": "int", "boolean": "bool", "real": "float",
    "double precision": "float", "text": "text", "character varying": "text", "character": "char", "name": "text",
    "citext": "text", "date": "date", "bytea": "bin", "uuid": "uuid", "json": "json", "jsonb": "json", "enum": "label",
}  # fmt: skip
_MOMENTS = {
    "timestamp without time zone": "ts", "timestamp with time zone": "tstz", "time without time zone": "time",
}  # fmt: skip

_FRACTIONS = {0: "", 3: ".MS", MICRO: ".US"}  # to_char cuts, it does not round


class PostgreSQLDigest(DigestDialect):
    """PostgreSQL 12 and newer."""

    name = "postgresql"
    fence = " OFFSET 0"

    def sql_type(self, written: str) -> SqlType:
        """Read a type as `format_type` writes it; `enum` for an enumeration."""
        numbers = [int(n) for n in re.findall(r"\d+", written)]
        base = re.sub(r" ?\(\d+(,\d+)?\)", "", written)
        if base == "numeric" and numbers and numbers[0] <= 38:
            return SqlType("dec", written, (numbers[1:2] or [0])[0], numbers[0])
        if base in _MOMENTS:
            return SqlType(_MOMENTS[base], written, (numbers or [MICRO])[0])
        if base in ("bit", "bit varying"):
            return SqlType("bits" if base == "bit" and numbers in ([], [1]) else "text", written, width=1)
        return SqlType(_KINDS.get(base, "other"), written)

    def plain(self, x: str, type_: SqlType, family: Family) -> str:
        """The canonical text of a value that is not NULL."""
        match family.name:
            case "int" | "text" if type_.kind == "bool":
                return self.truth(x, family)
            case "dec":
                same = type_.kind == "dec" and type_.digits == family.digits
                return f"{x}::text" if same else f"{x}::numeric(38,{family.digits})::text"
            case "float":
                bits = f"encode(float8send({x if type_.written == 'double precision' else f'{x}::float8'}),'hex')"
                return self.bits(x, f"{x}='NaN'", bits)
            case "char":
                return f"rtrim({x}::text, ' ')"
            case "ts":
                return _moment(_in_utc(x, type_), family.digits)
            case "tsr":
                return _moment(f"({_in_utc(x, type_)} + INTERVAL '500 microseconds')", family.digits)
            case "time":
                return cut(f"to_char({x},'HH24:MI:SS.US')", family.digits)
            case "bin":
                return f"encode({x},'hex')"
            case "uuid":
                return f"lower(replace({x}::text,'-',''))"
        return f"{x}::text"

    def length(self, text: str) -> str:
        """The number of bytes of a text in UTF-8, as text."""
        return f"octet_length({text})::text"

    def summed(self, digest: str) -> str:
        """A digest as bits, so that it is read once for both halves."""
        return f"('x' || {digest})::bit(128)"

    def high(self, h: str) -> str:
        """The first 60 bits of a digest as a number."""
        return f"substring({h} from 1 for 60)::bigint"

    def low(self, h: str) -> str:
        """The last 60 bits of a digest as a number."""
        return f"substring({h} from 69 for 60)::bigint"

    def binary_order(self, text: str) -> str:
        """A text that compares by its bytes, whatever the collation."""
        return f'({text} COLLATE "C")'

    def odd_text(self, text: str) -> str:
        """A literal of a text that is not plain ASCII."""
        return f"convert_from('\\x{text.encode().hex()}'::bytea,'UTF8')"


def _in_utc(x: str, type_: SqlType) -> str:
    return f"({x} AT TIME ZONE 'UTC')" if type_.kind == "tstz" else x


def _moment(x: str, digits: int) -> str:
    """A time; infinity and years BC as PostgreSQL alone writes them, so that they equal no other time."""
    usual = f"isfinite({x}) AND {x}>='0001-01-01'"
    text = f"to_char({x},'YYYY-MM-DD HH24:MI:SS{_FRACTIONS.get(digits, '.US')}')"
    if digits not in _FRACTIONS:
        text = cut(text, digits)
    return f"(CASE WHEN {usual} THEN {text} ELSE {x}::text END)"
