"""Items of DynamoDB tables: live, or as users export them.

Plain JSON, typed JSON (`{"S": "..."}`), JSON lines, the files of an export to S3 (`{"Item": ...}`, packed or not, or
the folder with them), lists of dicts and frames all give plain items.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd

from datalake_kit.errors import ConfigError, DataError, ParameterError, UnreadableFileError
from datalake_kit.storage import Place, S3Path, list_files, place

Item = dict[str, Any]
Source = str | Place | pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]

_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_OPTIONS = ("region", "profile", "endpoint")
_GZIP = b"\x1f\x8b"
_WAYS = {
    "ResourceNotFoundException": "there is no such table. Correct its name, or the region (dynamodb://table?region=...)",
    "AccessDeniedException": "AWS refused access. Its credentials need dynamodb:Scan on the table",
    "UnrecognizedClientException": "AWS does not know the access key. Set AWS_PROFILE or the AWS_ variables",
    "ExpiredTokenException": "the AWS credentials have expired. Log in again (aws sso login), or renew them",
    "ProvisionedThroughputExceededException": "the table is read too often. Wait, then try again",
}


def read_items(source: Source, what: str) -> list[Item]:
    """Return the items of a DynamoDB table.

    Parameters
    ----------
    source : str, path, DataFrame, mapping or list of mappings
        `dynamodb://table?region=eu-west-1` (also `profile=`, `endpoint=`) is scanned through boto3; a path or s3://
        address is a file of JSON or JSON lines, or a folder of such; a mapping is one item, or has them in `Items`.
    what : str
        What the items are, for messages.

    Raises
    ------
    UnreadableFileError
        No such file, or no JSON in it; the line is named.
    DataError
        Something in it is no item.
    ConfigError
        AWS refuses, or there is no such table.
    """
    if isinstance(source, pd.DataFrame):
        return [_without_missing(row) for row in source.to_dict("records")]
    if isinstance(source, str) and source.lower().startswith("dynamodb://"):
        return _scanned(source)
    if isinstance(source, (str, Path, S3Path)):
        file = place(source)
        return [_plain(i, f"{what}, item {n} of {file}") for n, i in enumerate(_from_files(file), start=1)]
    return [_plain(i, f"{what}, item {n}") for n, i in enumerate(_unwrapped(source), start=1)]


def _from_files(location: Place) -> Iterator[Any]:
    files: Sequence[Place] = [location] if location.is_file() else list_files(location) if location.is_dir() else []
    wanted = [
        f for f in files if f is location or f.name.lower().endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz"))
    ]
    if not wanted:
        raise UnreadableFileError(f"No such file of JSON, or folder with such files: {location}. Correct the path.")
    for file in wanted:
        if not file.name.startswith("manifest-"):  # what an export to S3 says of itself
            yield from _parsed(_text(file), file)


def _text(file: Place) -> str:
    data = file.read_bytes()
    try:
        return (gzip.decompress(data) if data[:2] == _GZIP else data).decode("utf-8-sig")
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as problem:
        raise UnreadableFileError(f"Not JSON in UTF-8 ({problem}): {file}. Export it again.") from None


def _parsed(text: str, file: Place) -> Iterator[Any]:
    if not text.strip():
        return
    try:
        yield from _unwrapped(json.loads(text))
        return
    except json.JSONDecodeError as problem:
        whole = problem
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for number, line in lines:
        try:
            yield from _unwrapped(json.loads(line))
        except json.JSONDecodeError as problem:
            at = whole.lineno if number == lines[0][0] else number
            why = whole.msg if number == lines[0][0] else problem.msg
            raise UnreadableFileError(f"Line {at} of {file} is no JSON ({why}). Export it again.") from None


def _unwrapped(found: Any) -> Iterator[Any]:
    """Items of a list, of `Items`, of `{"Item": ...}`, or the item itself."""
    if isinstance(found, Mapping):
        for name in ("Items", "items", "Item"):
            if name in found and isinstance(found[name], (list, Mapping)) and len(found) <= 6:
                inner = found[name]
                yield from (inner if isinstance(inner, list) else [inner])
                return
        yield found
    elif isinstance(found, Iterable) and not isinstance(found, (str, bytes)):
        for one in found:
            if isinstance(one, Mapping) and set(one) == {"Item"}:
                yield one["Item"]
            else:
                yield one
    else:
        yield found


def _plain(item: Any, where: str) -> Item:
    if not isinstance(item, Mapping):
        raise DataError(f"{where}: {str(item)[:80]!r} is no item with attributes.")
    typed = bool(item) and all(isinstance(v, Mapping) and len(v) == 1 and set(v) <= _TYPES for v in item.values())
    if not typed:
        return dict(item)
    try:
        return {k: _value(v) for k, v in item.items()}
    except (TypeError, ValueError, InvalidOperation, AttributeError) as problem:
        raise DataError(f"{where} is no typed JSON of DynamoDB ({problem}). Export it again.") from None


def _value(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    if kind == "N":
        number = Decimal(value)
        return int(number) if number == number.to_integral_value() else number
    if kind == "NULL":
        return None
    if kind == "M":
        return {k: _value(v) for k, v in value.items()}
    if kind == "L":
        return [_value(v) for v in value]
    return value


def _without_missing(row: Mapping[Any, Any]) -> Item:
    """A frame has NaN where an item lacks an attribute."""
    return {str(k): v for k, v in row.items() if isinstance(v, (list, dict)) or not pd.isna(v)}


def _scanned(address: str) -> list[Item]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    table, options = _address(address)
    found: list[Item] = []
    try:
        session = boto3.Session(profile_name=options.get("profile"), region_name=options.get("region"))
        pages = session.client("dynamodb", endpoint_url=options.get("endpoint")).get_paginator("scan")
        for page in pages.paginate(TableName=table):
            found += [_plain(i, f"{table}, item {n}") for n, i in enumerate(page["Items"], start=len(found) + 1)]
    except ClientError as problem:
        code = problem.response.get("Error", {}).get("Code", "")
        raise ConfigError(f"dynamodb://{table}: {_WAYS.get(code, f'AWS answers {code}')}.") from None
    except BotoCoreError as problem:
        raise ConfigError(
            f"dynamodb://{table}: {type(problem).__name__}. Set the region, the credentials and the network of AWS."
        ) from None
    return found


def _address(address: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(address)
    query = parse_qs(parts.query, keep_blank_values=True)
    odd = sorted(set(query) - set(_OPTIONS))
    table = parts.netloc + parts.path
    if not table or odd:
        raise ParameterError(
            f"Write dynamodb://table?region=...&profile=...&endpoint=..., not {odd[0] if odd else address!r}."
        )
    return table, {k: v[-1] for k, v in query.items()}
