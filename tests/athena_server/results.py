"""Results: the object on S3 with its metadata beside it, and the pages of GetQueryResults."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tests.athena_server.errors import invalid
from tests.athena_server.formats import column_info
from tests.athena_server.s3_paths import split

if TYPE_CHECKING:
    from tests.athena_server.executions import Execution

NAMES = ("CatalogName", "SchemaName", "TableName", "Name", "Label", "Type", "Precision", "Scale")


def write(s3: Any, execution: Execution) -> None:
    """Write the result where Athena would: every value of a CSV in quotes, NULL as nothing."""
    assert execution.output is not None
    if execution.output.endswith(".csv") and execution.columns and not execution.counts:
        body = _csv(execution)
    else:
        lines = ("\t".join(v or "" for v in row) for row in execution.rows)
        body = "".join(line + "\n" for line in lines)
    put(s3, execution.output, body.encode("utf-8", "surrogatepass"))
    put(s3, execution.output + ".metadata", metadata(execution.columns))


def write_manifest(s3: Any, execution: Execution, files: list[str]) -> None:
    """Write the list of the files that a statement made."""
    base = execution.location.rstrip("/")
    folder = f"{base}/tables" if execution.output and execution.output.startswith(f"{base}/tables/") else base
    execution.manifest = f"{folder}/{execution.id}-manifest.csv"
    put(s3, execution.manifest, "".join(f"{f}\n" for f in files).encode())
    put(s3, f"{folder}/{execution.id}.metadata", metadata(execution.columns))


def put(s3: Any, address: str, body: bytes) -> None:
    """Write an object."""
    bucket, key = split(address)
    s3.put_object(Bucket=bucket, Key=key, Body=body)


def exists(s3: Any, address: str) -> bool:
    """Tell whether an object is there."""
    bucket, key = split(address)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    return any(found["Key"] == key for found in listed)


def files_under(s3: Any, address: str) -> list[str]:
    """Return the addresses of the objects under a prefix."""
    bucket, key = split(address.rstrip("/") + "/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    return [
        f"s3://{bucket}/{o['Key']}" for page in pages for o in page.get("Contents", []) if not o["Key"].endswith("/")
    ]


def _csv(execution: Execution) -> str:
    out = io.StringIO()
    out.write(",".join(_quoted(name) for name, _ in execution.columns) + "\n")
    for row in execution.rows:
        out.write(",".join("" if v is None else _quoted(v) for v in row) + "\n")
    return out.getvalue()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def page(execution: Execution, start: int, size: int) -> dict[str, Any]:
    """Return one page of GetQueryResults: the first row of a SELECT's first page is the header."""
    if start < 0 or size < 1:
        raise invalid("Invalid MaxResults or NextToken")
    data: list[list[str | None]] = []
    header = 1 if execution.has_header else 0
    if header and start == 0:
        data.append([name for name, _ in execution.columns])
    first, last = max(0, start - header), start + size - header
    data += execution.rows[first:last]
    made: dict[str, Any] = {
        "ResultSet": {
            "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in data],
            "ResultSetMetadata": {"ColumnInfo": [column_info(n, k) for n, k in execution.columns]},
        },
        "UpdateCount": execution.update_count or 0,
    }
    if last < len(execution.rows):
        made["NextToken"] = f"{execution.id}:{start + size}"
    return made


def start_of(token: str | None, execution: Execution) -> int:
    """Return where the page of a NextToken begins."""
    if not token:
        return 0
    owner, _, place = token.rpartition(":")
    if owner != execution.id or not place.isdigit():
        raise invalid(f"Invalid NextToken: {token}")
    return int(place)


def metadata(columns: list[tuple[str, str]]) -> bytes:
    """Write the columns as the object beside a result holds them: a protocol buffer, a column a field 4."""
    out = b""
    for name, kind in columns:
        info = column_info(name, kind)
        inner = b""
        for number, key in enumerate(NAMES, start=1):
            value = info[key]
            if isinstance(value, int):
                inner += _varint(number << 3) + _varint(value)
            else:
                inner += _varint(number << 3 | 2) + _varint(len(value.encode())) + value.encode()
        out += _varint(4 << 3 | 2) + _varint(len(inner)) + inner
    return out or b"\x08\x00"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
