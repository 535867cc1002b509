"""Arrow types for the Avro schema that a commit carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from datalake_kit.errors import HudiError

_PRIMITIVES: Mapping[str, pa.DataType] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
}
_LOGICAL: Mapping[str, pa.DataType] = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", tz="UTC"),
    "timestamp-micros": pa.timestamp("us", tz="UTC"),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "uuid": pa.string(),
}


def arrow_schema(avro: str) -> pa.Schema:
    """Turn the Avro schema of a Hudi commit into an Arrow schema.

    Raises
    ------
    HudiError
        A type that is not known, or two record types under one name that differ.
    """
    record = json.loads(avro)
    named: dict[str, pa.DataType] = {}
    return pa.schema([_field(f, named) for f in record["fields"]])


def _field(field: Mapping[str, Any], named: dict[str, pa.DataType]) -> pa.Field:
    return pa.field(field["name"], _type(field["type"], named), nullable=True)


def _type(avro: Any, named: dict[str, pa.DataType]) -> pa.DataType:
    if isinstance(avro, list):
        branches = [branch for branch in avro if branch != "null"]
        if len(branches) == 1:
            return _type(branches[0], named)
        raise HudiError(f"The table's schema has a union of several types ({avro}), which is not read.")
    if isinstance(avro, str):
        known = _PRIMITIVES.get(avro) or named.get(avro) or named.get(avro.rsplit(".", 1)[-1])
        if known is None:
            raise HudiError(f"The table's schema has a type that is not known: {avro}.")
        return known
    made = _complex(avro, named)
    if "name" in avro:
        named[avro["name"]] = made
    return made


def _complex(avro: Mapping[str, Any], named: dict[str, pa.DataType]) -> pa.DataType:
    kind, logical = avro["type"], str(avro.get("logicalType", ""))
    if logical == "decimal":
        return pa.decimal128(avro["precision"], avro.get("scale", 0))
    if logical in _LOGICAL:
        return _LOGICAL[logical]
    if kind == "record":
        return pa.struct([_field(f, named) for f in avro["fields"]])
    if kind == "array":
        return pa.list_(_type(avro["items"], named))
    if kind == "map":
        return pa.map_(pa.string(), _type(avro["values"], named))
    if kind == "fixed":
        return pa.binary(avro["size"])
    return _type(kind, named)
