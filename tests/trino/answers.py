"""Comparing what Trino answered, as its protocol writes it, with what DuckDB gives."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import struct
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from datalake_kit.engines.dialect.types import SqlType, from_duckdb


def plain_type(text: str) -> str:
    """Return a type without what DuckDB does not keep: length of text, precision of moments, quotes of names."""
    text = re.sub(r"(varchar|char)\(\d+\)", r"\1", text)
    text = re.sub(r"(timestamp|time)\(\d+\)", r"\1", text)
    return text.replace('"', "").replace("unknown", "integer").replace("INTERVAL DAY TO SECOND", "INTERVAL")


def duckdb_type(text: str) -> str:
    """Return the Trino name of a DuckDB type, written as `plain_type` writes it."""
    found = from_duckdb(text)
    return plain_type(str(found)) if found else text


def trino_value(value: Any, type_: str) -> Any:
    """Read one value of Trino's protocol as a Python value that can be compared."""
    if value is None:
        return None
    name, inner = _split(type_)
    if name == "array":
        return [trino_value(v, inner[0]) for v in value]
    if name == "map":
        return {str(k): trino_value(v, inner[1]) for k, v in value.items()}
    if name == "row":
        return tuple(trino_value(v, re.sub(r'^("[^"]*"|\w+) (?=\w)', "", t) if not t.startswith("timestamp") else t)
                     for v, t in zip(value, inner, strict=True))  # fmt: skip
    return _scalar(value, name, type_)


def _scalar(value: Any, name: str, type_: str) -> Any:
    if name == "real":
        return struct.unpack("f", struct.pack("f", float(value)))[0]
    if name == "double":
        return float(value.replace("Infinity", "inf")) if isinstance(value, str) else float(value)
    if name == "decimal":
        return Decimal(value)
    if name == "varbinary":
        return base64.b64decode(value)
    if name == "date":
        return value
    if name == "json":
        return json.loads(value)
    if "with time zone" in type_:
        return _instant(value)
    if name == "timestamp":
        return _moment(value)
    if type_ == "INTERVAL DAY TO SECOND":
        days, clock = value.lstrip("-").split(" ")
        hours, minutes, seconds = clock.split(":")
        span = dt.timedelta(int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
        return -span if value.startswith("-") else span
    if name == "time":
        return dt.time.fromisoformat(value)
    return value


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


class Twice(tuple[dt.datetime, dt.datetime]):
    """The two instants at which a clock shows the same time: the protocol does not say which one it is."""


def _instant(text: str) -> dt.datetime | Twice:
    match = re.fullmatch(r"(\S+ \S+) (\S+)", text)
    assert match is not None, text
    zone = ZoneInfo("UTC") if match[2] in ("UTC", "Z") else _zone(match[2])
    local = dt.datetime.fromisoformat(match[1]).replace(tzinfo=zone)
    first, second = (local.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    return first if first == second else Twice((first, second))


def _zone(name: str) -> dt.tzinfo:
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if not offset:
        return ZoneInfo(name)
    span = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
    return dt.timezone(span if offset[1] == "+" else -span)


def _split(type_: str) -> tuple[str, list[str]]:
    match = re.fullmatch(r"(\w+)\((.*)\)", type_)
    if match is None or match[1] in ("timestamp", "time"):
        return re.split(r"[ (]", type_)[0], []
    parts, depth, begin = [], 0, 0
    for i, char in enumerate(match[2]):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append(match[2][begin:i].strip())
            begin = i + 1
    return match[1], [*parts, match[2][begin:].strip()]


def duckdb_value(value: Any, type_: SqlType | None) -> Any:
    """Bring one value that DuckDB gave into the form of `trino_value`."""
    if value is None or type_ is None:
        return value
    if type_.name == "array":
        return [duckdb_value(v, type_.args[0]) for v in value]
    if type_.name == "map":
        return {
            str(k).lower() if isinstance(k, bool) else str(k): duckdb_value(v, type_.args[1]) for k, v in value.items()
        }
    if type_.name == "row":
        values = list(value.values()) if isinstance(value, dict) else list(value)
        return tuple(duckdb_value(v, t) for v, t in zip(values, type_.args, strict=True))
    if type_.name == "json":
        return json.loads(value)
    if type_.name == "timestamp with time zone":
        return value.astimezone(dt.UTC)
    if type_.name == "date":
        return value.isoformat() if isinstance(value, dt.date) else value
    if type_.name == "uuid":
        return str(value)
    return value


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same; floats to 14 digits, NaN equal to NaN, decimals with their scale."""
    if isinstance(other, Twice):
        return one in other
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-14)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return str(one) == str(other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(v, other[k]) for k, v in one.items())
    return type(one) is type(other) and bool(one == other)


def same_rows(ours: list[Any], theirs: list[Any], *, ordered: bool) -> bool:
    """Tell whether two results are the same; in any order unless the statement orders its rows."""
    if ordered:
        return equal(ours, theirs)
    rest = list(theirs)
    for row in ours:
        found = next((i for i, other in enumerate(rest) if equal(row, other)), None)
        if found is None:
            return False
        rest.pop(found)
    return not rest
