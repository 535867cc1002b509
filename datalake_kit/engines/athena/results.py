"""The ordinary result of a statement: from GetQueryResults where it is small, else from the CSV object on S3.

One page of GetQueryResults (1,000 rows) is asked for in any case, for it tells the columns. If it is the whole result,
nothing else is asked; if not, the CSV object is read from its beginning, as a stream in blocks, because a page takes
as long as megabytes of it. Athena quotes every value there and leaves NULL bare, so that '' is not NULL. A stream that
breaks off is taken up again where it broke.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from datalake_kit.engines.athena.leftovers import Batches, Leftovers, bucket_and_key
from datalake_kit.engines.athena.running import Finished, ResultColumn, Runner, columns_of
from datalake_kit.engines.athena.types import AthenaType, arrow_type, parse_type
from datalake_kit.engines.athena.values import read_column
from datalake_kit.errors import UnreadableFileError

PAGE_ROWS = 1000
BLOCK_BYTES = 8 << 20
ATTEMPTS = 4
# What Arrow's CSV reader reads as this package's own reading of text does; the other types are read from text.
_DIRECT_NAMES = """
    boolean tinyint smallint integer int bigint float real double decimal date varchar char string json uuid ipaddress
"""
_DIRECT = frozenset(_DIRECT_NAMES.split())


def read_result(runner: Runner, finished: Finished, *, keep: bool = True) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Read the rows of a query that succeeded.

    Parameters
    ----------
    runner, finished
        The way to AWS, and the query.
    keep
        Leave the result's objects on S3; else they are removed when the rows are read or nobody reads on.

    Returns
    -------
    pyarrow.Schema, iterator of pyarrow.RecordBatch
        Statements without columns (DDL) have neither fields nor batches.

    Raises
    ------
    UnsupportedSqlError
        A column has a type whose values do not come back this way (array, map, row).
    UnreadableFileError
        While the batches are read: the result is gone from S3, was changed, or is cut short.
    DataError
        While the batches are read: a value cannot be read exactly.
    """
    leftovers = result_objects(runner, finished, keep=keep)
    try:
        page = _page(runner, finished, None)
        columns = columns_of(page)
        kinds = [column_type(column) for column in columns]
        schema = schema_of(columns, kinds)
    except BaseException:
        leftovers.remove()
        raise
    location = finished.output_location
    whole = "NextToken" not in page
    if whole or location is None or not location.endswith(".csv"):
        batches = _paged(runner, finished, page, kinds, schema)
    else:
        batches = _from_csv(runner, location, finished.query_id, kinds, schema)
    return schema, Batches(batches, leftovers.remove)


def result_objects(runner: Runner, finished: Finished, *, keep: bool) -> Leftovers:
    """Return what a query left on S3 beside the data that it wrote."""
    location = finished.output_location
    leftovers = Leftovers(runner.s3, keep=keep or finished.reused)  # an earlier query's result is not ours to remove
    if location and location.endswith((".csv", ".txt")):
        leftovers.add(location)
    if location:
        leftovers.add(f"{location.rstrip('/')}.metadata", finished.manifest_location)
    return leftovers


def column_type(column: ResultColumn) -> AthenaType:
    """Return the type of a column as GetQueryResults describes it: a bare word, the numbers of a decimal beside."""
    kind = parse_type(column.type)
    if kind.base == "decimal" and not kind.arguments:
        return AthenaType("decimal", (column.precision, column.scale))
    return kind


def schema_of(columns: Sequence[ResultColumn], kinds: Sequence[AthenaType]) -> pa.Schema:
    """Return the schema of a result; several columns may have one name."""
    return pa.schema([pa.field(c.name, arrow_type(k, c.name)) for c, k in zip(columns, kinds, strict=True)])


# --- pages


def _page(runner: Runner, finished: Finished, token: str | None) -> Any:
    more = {"NextToken": token} if token else {}
    with runner.explaining(finished):
        return runner.session.asked(
            "get_query_results", QueryExecutionId=finished.query_id, MaxResults=PAGE_ROWS, **more
        )


def _paged(
    runner: Runner, finished: Finished, page: Mapping[str, Any], kinds: Sequence[AthenaType], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    rows = [_cells(row, len(kinds)) for row in page["ResultSet"].get("Rows", ())]
    if not (finished.output_location or "").endswith(".txt") and rows and rows[0] == schema.names:
        rows = rows[1:]
    before = 0
    while True:
        if rows and kinds:
            texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            yield _batch(texts, kinds, schema, before)
        before += len(rows)
        token = page.get("NextToken")
        if not token:
            return
        page = _page(runner, finished, token)
        rows = [_cells(row, len(kinds)) for row in page["ResultSet"].get("Rows", ())]


def _cells(row: Mapping[str, Any], width: int) -> list[str | None]:
    """The values of a row; what DESCRIBE gives as one text with tabs is taken apart."""
    cells = [cell.get("VarCharValue") for cell in row.get("Data", ())]
    if len(cells) == 1 < width and cells[0] is not None:
        cells = [part.strip() for part in cells[0].split("\t")]
    return (cells + [None] * width)[:width]


def _batch(columns: Sequence[pa.Array], kinds: Sequence[AthenaType], schema: pa.Schema, before: int) -> pa.RecordBatch:
    arrays = []
    for texts, kind, field in zip(columns, kinds, schema, strict=True):
        done = texts.type == field.type and kind.base != "unknown"
        arrays.append(texts if done else read_column(texts, kind, column=field.name, first_row=before))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


# --- the CSV object


def _from_csv(
    runner: Runner, location: str, query_id: str, kinds: Sequence[AthenaType], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    before, header = 0, True
    for block in _records(stream(runner.s3, location, query_id), location, query_id):
        if header:
            block, header = block[_end_of_first(block) :], False
        if not block:
            continue
        try:
            texts = _parsed(block, kinds, schema)
        except pa.ArrowInvalid as error:  # other columns than were told
            raise UnreadableFileError(f"{location} is not the result of query id {query_id}: {error}") from None
        batch = _batch(texts, kinds, schema, before)
        before += batch.num_rows
        yield batch


def stream(s3: Any, location: str, query_id: str) -> Iterator[bytes]:
    """The bytes of an object, in blocks; asked for again from where they broke off."""
    import botocore.exceptions as aws

    broken = (aws.HTTPClientError, aws.IncompleteReadError, aws.ResponseStreamingError, aws.ConnectionError)
    bucket, key = bucket_and_key(location)
    request: dict[str, Any] = {"Bucket": bucket, "Key": key}
    read, size, failures = 0, -1, 0
    while size < 0 or read < size:
        start = read
        try:
            answer = s3.get_object(**request, **({"Range": f"bytes={read}-"} if read else {}))
            size = read + answer["ContentLength"]
            request["IfMatch"] = answer["ETag"]  # what goes on must be the same object
            with answer["Body"] as body:
                while block := body.read(BLOCK_BYTES):
                    read += len(block)
                    yield block
        except broken:
            pass
        except aws.ClientError as error:
            raise _lost(error, location, query_id) from None
        failures = 0 if read > start else failures + 1
        if failures >= ATTEMPTS:
            raise UnreadableFileError(
                f"{location}: the connection broke off after {read} bytes, {ATTEMPTS} times in a row "
                f"(query id {query_id}). Run the statement again."
            )


def _lost(error: Any, location: str, query_id: str) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("NoSuchKey", "404", "NoSuchBucket"):
        return UnreadableFileError(
            f"The result of query id {query_id} is gone from S3: {location}. Something removed it while it was read; "
            "run the statement again."
        )
    if code in ("PreconditionFailed", "412", "InvalidRange", "416"):
        return UnreadableFileError(f"{location} was changed while it was read (query id {query_id}). Run it again.")
    known: Exception = error  # refused access and the like: explained by the caller
    return known


def _records(blocks: Iterator[bytes], location: str, query_id: str) -> Iterator[bytes]:
    """Blocks cut where records end: at a newline that is not within quotes."""
    parts: list[bytes] = []
    quoted = False  # whether what is held ends within quotes
    for block in blocks:
        quoted ^= block.count(b'"') % 2 == 1
        end = _end_of_last(block, within=quoted)
        if end == 0:
            parts.append(block)
            continue
        yield b"".join([*parts, block[:end]])
        parts = [block[end:]]
    rest = b"".join(parts)
    if quoted or (rest and not rest.endswith(b'"')):  # every record ends in a newline, the last as well
        raise UnreadableFileError(f"{location} is cut short (query id {query_id}). Run the statement again.")
    if rest:
        yield rest


def _end_of_last(block: bytes, *, within: bool) -> int:
    """The place after the last newline outside of quotes, 0 if there is none; `within`: the block ends in quotes."""
    end = len(block)
    while (place := block.rfind(b"\n", 0, end)) >= 0:
        within ^= block.count(b'"', place, end) % 2 == 1
        if not within:
            return place + 1
        end = place
    return 0


def _end_of_first(block: bytes) -> int:
    place, counted, within = -1, 0, False
    while (place := block.find(b"\n", place + 1)) >= 0:
        within ^= block.count(b'"', counted, place) % 2 == 1
        if not within:
            return place + 1
        counted = place
    return len(block)


def _parsed(block: bytes, kinds: Sequence[AthenaType], schema: pa.Schema) -> list[pa.Array]:
    """The columns of a block: of their types where Arrow reads these, else as text."""
    try:
        return _csv(block, [f.type if k.base in _DIRECT else pa.string() for k, f in zip(kinds, schema, strict=True)])
    except pa.ArrowInvalid:
        return _csv(block, [pa.string()] * len(kinds))  # `read_column` then names the value


def _csv(block: bytes, types: Sequence[pa.DataType]) -> list[pa.Array]:
    from pyarrow import csv

    names = [f"c{i}" for i in range(len(types))]
    table = csv.read_csv(
        io.BytesIO(block),
        csv.ReadOptions(column_names=names, block_size=max(len(block) + 1, 1 << 16)),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict(zip(names, types, strict=True)),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["true"],
            false_values=["false"],
        ),
    )
    return [_one(column) for column in table.columns]


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
