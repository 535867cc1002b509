"""Values and types of Trino's protocol as Athena shows them: text, with the type's name beside."""

from __future__ import annotations

import base64
import math
import re
from typing import Any

_PRECISION = {
    "boolean": 0, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "float": 17, "double": 17,
    "varchar": 2147483647, "char": 1, "varbinary": 1073741824, "date": 0, "timestamp": 3,
    "timestamp with time zone": 3, "time": 3,
}  # fmt: skip


def column_info(name: str, kind: str) -> dict[str, Any]:
    """Describe a column as ResultSetMetadata does."""
    shown, precision, scale = athena_type(kind)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": shown,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": shown in ("varchar", "char", "json"),
    }


def athena_type(kind: str) -> tuple[str, int, int]:
    """Return the name that Athena gives to a type of Trino, precision and scale."""
    head = re.match(r"[a-z ]+", kind)
    base = head[0].strip() if head else kind
    numbers = [int(n) for n in re.findall(r"\d+", kind.split(")")[0])]
    if base == "decimal":
        return "decimal", numbers[0] if numbers else 38, numbers[1] if len(numbers) > 1 else 0
    if kind.endswith("with time zone"):
        base = f"{base} with time zone" if "with time zone" not in base else base
    base = {"real": "float"}.get(base, base)
    if base in ("varchar", "char") and numbers:
        return base, numbers[0], 0
    return base, _PRECISION.get(base, 0), 0


def text_of(value: Any, kind: str) -> str | None:
    """Write a value of Trino's JSON as Athena's text; None for NULL."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind.startswith("array("):
        inner = kind[len("array(") : -1]
        return "[" + ", ".join(_inner(v, inner) for v in value) + "]"
    if kind.startswith("map("):
        key, item = split_types(kind[len("map(") : -1])
        return "{" + ", ".join(f"{_inner(k, key)}={_inner(v, item)}" for k, v in value.items()) + "}"
    if kind.startswith("row("):
        fields = [row_field(part) for part in split_types(kind[len("row(") : -1])]
        cells = zip(fields, value, strict=True)
        return "{" + ", ".join(f"{n or f'field{i}'}={_inner(v, k)}" for i, ((n, k), v) in enumerate(cells)) + "}"
    if kind == "varbinary":
        return base64.b64decode(value).hex(" ")
    if kind in ("double", "real"):
        return java_double(value)
    return str(value)


def _inner(value: Any, kind: str) -> str:
    text = text_of(value, kind)
    return "null" if text is None else text


def java_double(value: Any) -> str:
    """Write a number as Java does: 1.5, 1.0E-7, 1.0E10, NaN, Infinity."""
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        text = repr(number)
        if "e" in text or "E" in text:
            text = f"{number:f}"
        return text
    mantissa, _, exponent = f"{number!r}".lower().partition("e")
    if not exponent:
        sign = "-" if number < 0 else ""
        whole, _, fraction = repr(abs(number)).partition(".")
        if whole != "0":
            digits, power = whole + ("" if fraction == "0" else fraction), len(whole) - 1
        else:
            stripped = fraction.lstrip("0")
            digits, power = stripped, -(len(fraction) - len(stripped)) - 1
        digits = digits.rstrip("0") or "0"
        return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


def split_types(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets and quotes."""
    parts, depth, quoted, current = [], 0, False, ""
    for c in text:
        if c == '"':
            quoted = not quoted
        if not quoted:
            depth += (c == "(") - (c == ")")
            if c == "," and depth == 0:
                parts.append(current.strip())
                current = ""
                continue
        current += c
    return [*parts, current.strip()] if current.strip() else parts


def row_field(part: str) -> tuple[str | None, str]:
    """Take a field of a row type apart: name or None, and type."""
    quoted = re.match(r'"((?:[^"]|"")*)"\s+(.*)', part, re.DOTALL)
    if quoted:
        return quoted[1].replace('""', '"'), quoted[2]
    name, _, kind = part.partition(" ")
    if not kind or kind.startswith(("with time zone", "precision")) or "(" in name:
        return None, part
    return name, kind
