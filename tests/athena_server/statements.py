"""What Athena's dialect has and Trino's has not: UNLOAD, the properties of CREATE TABLE AS."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KINDS = {
    "DDL": ("CREATE", "DROP", "ALTER", "MSCK", "PREPARE", "DEALLOCATE"),
    "UTILITY": ("SHOW", "DESCRIBE", "EXPLAIN"),
}
_CTAS = re.compile(r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?\S+?\s*(?:WITH\s*\(|AS\b)", re.IGNORECASE)


@dataclass
class Statement:
    """A statement ready for Trino."""

    text: str
    kind: str  # DML, DDL, UTILITY
    schema: str | None = None
    catalog: str | None = None
    session: dict[str, str] = field(default_factory=dict)
    output: str | None = None  # where the statement itself writes: UNLOAD, CREATE TABLE AS
    sub_kind: str = "SELECT"
    cleanup: str | None = None


def without_comments(text: str) -> str:
    """Return the statement without leading comments, trailing semicolon and space around."""
    text = text.strip()
    while match := re.match(r"--[^\n]*(\n|$)|/\*.*?\*/", text, re.DOTALL):
        text = text[match.end() :].strip()
    return text.removesuffix(";").rstrip()


def prepare(text: str, *, query_id: str, output: str) -> Statement:
    """Take a statement as Athena gets it and return what Trino is asked."""
    plain = without_comments(text)
    first = plain.split(None, 1)[0].upper() if plain else ""
    if first == "UNLOAD":
        return _unload(plain, query_id)
    if _CTAS.match(plain):
        return _create_table_as(plain, query_id, output)
    if first in KINDS["DDL"]:
        return Statement(plain, "DDL", sub_kind=first)
    if first in KINDS["UTILITY"]:
        return Statement(plain, "UTILITY", sub_kind=first)
    return Statement(plain, "DML", sub_kind="INSERT" if first == "INSERT" else "SELECT")


def _unload(text: str, query_id: str) -> Statement:
    found = re.fullmatch(
        r"UNLOAD\s*\((?P<select>.*)\)\s*TO\s*'(?P<to>[^']+)'\s*(?:WITH\s*\((?P<options>.*)\))?", text, re.DOTALL | re.I
    )
    if not found:
        raise ValueError("line 1:1: mismatched input. UNLOAD (SELECT ...) TO 's3://...' WITH (format = ...)")
    options = properties(found["options"] or "")
    table = f'unload.unloads."u_{query_id.replace("-", "_")}"'
    given = [
        f"format = '{_string(options.get('format', 'ORC')).upper()}'",
        f"external_location = '{found['to'].rstrip('/')}/'",
    ]
    if "partitioned_by" in options:
        given.append(f"partitioned_by = {options['partitioned_by']}")
    session = {}
    if "compression" in options:
        codec = _string(options["compression"]).upper()
        session["unload.compression_codec"] = {"NONE": "NONE", "UNCOMPRESSED": "NONE"}.get(codec, codec)
    return Statement(
        f"CREATE TABLE {table} WITH ({', '.join(given)}) AS {found['select']}",
        "DML",
        session=session,
        output=found["to"],
        sub_kind="UNLOAD",
        cleanup=f"DROP TABLE IF EXISTS {table}",
    )


def _create_table_as(text: str, query_id: str, output: str) -> Statement:
    found = re.match(
        r"(?P<head>CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?)(?P<name>\"[^\"]+\"(?:\.\"[^\"]+\")*|\S+?)\s*(?P<rest>(?:WITH\s*\(|AS\b).*)",
        text,
        re.DOTALL | re.IGNORECASE,
    )
    assert found is not None
    rest, given = found["rest"], {}
    if re.match(r"WITH\s*\(", rest, re.IGNORECASE):
        start = rest.index("(")
        end = closing(rest, start)
        given, rest = properties(rest[start + 1 : end]), rest[end + 1 :].lstrip()
    session = {}
    codec = given.pop("write_compression", None) or given.pop("parquet_compression", None)
    if codec:
        session["awsdatacatalog.compression_codec"] = _string(codec).upper()
    given.pop("is_external", None)
    place = _string(given.pop("external_location", "")) or f"{output.rstrip('/')}/tables/{query_id}/"
    given.setdefault("format", "'PARQUET'")
    if "bucketed_by" in given:
        given.setdefault("bucket_count", "1")
    given["external_location"] = f"'{place}'"
    wanted = ", ".join(f"{k} = {v.upper() if k == 'format' else v}" for k, v in given.items())
    return Statement(
        f"{found['head']}{found['name']} WITH ({wanted}) {rest}",
        "DDL",
        session=session,
        output=place,
        sub_kind="CREATE_TABLE_AS_SELECT",
    )


def _string(value: str) -> str:
    return value.strip().strip("'")


def properties(text: str) -> dict[str, str]:
    """Read `name = value, ...`; names in lower case, values as written."""
    parts, depth, quoted, current = [], 0, False, ""
    for c in text:
        if c == "'":
            quoted = not quoted
        if not quoted:
            depth += (c in "([") - (c in ")]")
            if c == "," and depth == 0:
                parts.append(current)
                current = ""
                continue
        current += c
    parts.append(current)
    pairs = [p.partition("=") for p in parts if p.strip()]
    return {k.strip().strip('"').lower(): v.strip() for k, _, v in pairs}


def closing(text: str, start: int) -> int:
    """Return where the bracket closes that opens at `start`."""
    depth, quoted = 0, False
    for i in range(start, len(text)):
        if text[i] == "'":
            quoted = not quoted
        if quoted:
            continue
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            return i
    raise ValueError("line 1:1: mismatched input '<EOF>'")
