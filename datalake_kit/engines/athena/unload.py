"""The rows of a statement by way of UNLOAD: Athena writes Parquet to S3, which is read, then removed.

`read_statement` decides by the rule of `ways`, asks for the columns where it must, and keeps what UNLOAD would lose:
names (of columns that have none or the same), types, the order, and the columns of a result without rows.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from datalake_kit.engines.athena.leftovers import Batches, Leftovers, bucket_and_key, listed
from datalake_kit.engines.athena.restored import needs_exact_type, restored, unloaded
from datalake_kit.engines.athena.results import column_type, read_result, result_objects, stream
from datalake_kit.engines.athena.running import Finished, Runner
from datalake_kit.engines.athena.types import AthenaType, arrow_type, parse_type
from datalake_kit.engines.athena.ways import Shape, shape_of
from datalake_kit.engines.dialect.lexing import without_last_semicolon
from datalake_kit.errors import ConfigError, SqlError, UnreadableFileError

BATCH_ROWS = 100_000
IN_MEMORY_BYTES = 64 << 20  # larger files are read from a temporary file
LONGEST_STATEMENT = 262_144
_NUMBER = "dk_row_number"


@dataclass(frozen=True)
class UnloadPlan:
    """A statement that is to be unloaded.

    Attributes
    ----------
    text
        The statement, without a semicolon.
    names, kinds
        The columns of its result.
    order
        Its order by the columns c0, c1, ...; empty where it has none.
    place
        The address below which results lie, ending in a slash.
    """

    text: str
    names: tuple[str, ...]
    kinds: tuple[AthenaType, ...]
    order: str
    place: str

    @property
    def schema(self) -> pa.Schema:
        """The schema of the result."""
        return pa.schema([pa.field(n, arrow_type(k, n)) for n, k in zip(self.names, self.kinds, strict=True)])

    def statement(self, target: str) -> str:
        """Write the statement that unloads to an address."""
        columns = [f"{unloaded(f'c{i}', kind)} AS c{i}" for i, kind in enumerate(self.kinds)]
        if self.order:
            columns.append(f"row_number() OVER (ORDER BY {self.order}) AS {_NUMBER}")
        return (
            f"UNLOAD (SELECT {', '.join(columns)} FROM ({self.text}\n) AS t ({_aliases(len(self.names))})) "
            f"TO '{target}' WITH (format = 'PARQUET', compression = 'SNAPPY')"
        )


def read_statement(
    runner: Runner, text: str, *, unload: bool | None = None, keep: bool = False, reuse: bool = False
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Run a statement that reads, and give its rows by the way that the rule of `ways` says.

    Parameters
    ----------
    runner
        Runs the queries.
    text
        The statement with its values written in.
    unload
        True: by UNLOAD wherever Athena takes the statement so; False: the ordinary result; None: by the rule.
    keep
        Leave the objects of ordinary results on S3. Those of UNLOAD are always removed.
    reuse
        Earlier results may be given again, and this one to others: it is kept, no columns are asked for beforehand, and
        UNLOAD is only used for nested types.

    Raises
    ------
    UnsupportedSqlError
        A type is not read; or nested values are ordered by what is no column of the result.
    """
    text, keep = without_last_semicolon(text), keep or reuse
    shape = Shape(is_query=False, is_small=True) if unload is False else shape_of(text)
    if not shape.is_query or ((shape.is_small or reuse) and not unload):
        finished = runner.run(text)
        if shape.is_query and any(column_type(column).nested for column in finished.columns()):
            result_objects(runner, finished, keep=keep).remove()
        else:
            return read_result(runner, finished, keep=keep)
    try:
        plan = plan_unload(runner, text, shape, wanted=bool(unload), reuse=reuse)
    except SqlError:
        if unload:
            raise
        plan = None  # said again of the statement as it is written, with its own places; or it is no subquery
    if plan is None:
        return read_result(runner, runner.run(text), keep=keep)
    return run_unload(runner, plan)


def plan_unload(runner: Runner, text: str, shape: Shape, *, wanted: bool, reuse: bool = False) -> UnloadPlan | None:
    """Ask for the columns of a statement, which reads no data, and decide; None: the ordinary result.

    The exact types of timestamps and nested columns, which GetQueryResults does not tell, are asked for by `typeof`:
    unlike EXPLAIN its answer has one form, and unlike PREPARE it leaves nothing in the workgroup.
    """
    asked = runner.run(f"SELECT * FROM ({text}\n) WHERE false")
    columns = asked.columns()
    location = asked.output_location
    result_objects(runner, asked, keep=False).remove()
    names = tuple(column.name for column in columns)
    kinds = [column_type(column) for column in columns]
    nested = any(kind.nested for kind in kinds)
    if location is None and (wanted or nested):
        raise ConfigError(
            "The workgroup keeps its results itself, and UNLOAD needs a place on S3: set output_location of this lake."
        )
    if location is None or not (wanted or nested or not (shape.order or reuse)):
        return None
    doubtful = [i for i, kind in enumerate(kinds) if needs_exact_type(kind)]
    if doubtful:
        for place, exact in zip(doubtful, _exact_types(runner, text, doubtful, len(kinds)), strict=True):
            kinds[place] = parse_type(exact)
    order = shape.order_by(names) if shape.order else ""
    plan = UnloadPlan(text, names, tuple(kinds), order, location.rpartition("/")[0] + "/")
    too_long = len(plan.statement(plan.place + "x" * 40).encode()) > LONGEST_STATEMENT
    return None if too_long and not (wanted or nested) else plan


def _exact_types(runner: Runner, text: str, places: Sequence[int], width: int) -> list[str]:
    shown = ", ".join(f"typeof(c{i})" for i in places)
    none = f"SELECT * FROM ({text}\n) AS t ({_aliases(width)}) WHERE false"
    asked = runner.run(f"SELECT {shown} FROM (VALUES 1) AS one (o) LEFT JOIN ({none}) ON true")
    _, batches = read_result(runner, asked, keep=False)
    rows = [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
    return list(rows[0])


def _aliases(width: int) -> str:
    return ", ".join(f"c{i}" for i in range(width))


def run_unload(runner: Runner, plan: UnloadPlan) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Unload a statement and give its rows, file by file; everything written is removed in the end."""
    schema = plan.schema  # refuses what is not read before anything runs
    target = f"{plan.place}{uuid.uuid4()}/"
    leftovers = Leftovers(runner.s3)
    leftovers.add_below(target)
    try:
        finished = runner.run(plan.statement(target), reading=False)
        if finished.output_location:  # manifest and metadata are called by the query's id
            leftovers.add_below(f"{finished.output_location.rpartition('/')[0]}/{finished.query_id}")
        with runner.explaining(finished):
            files = _files(runner.s3, target, finished)
    except BaseException:
        leftovers.remove()
        raise
    batches = _rows(runner.s3, files, plan, schema, finished)
    return schema, Batches(_in_order(batches, schema) if plan.order else batches, leftovers.remove)


def _files(s3: Any, target: str, finished: Finished) -> list[str]:
    """The files that were written, in order of their names; those that the manifest lists must be there."""
    bucket = bucket_and_key(target)[0]
    found = [f"s3://{bucket}/{key}" for key, size in listed(s3, target) if size]
    if finished.manifest_location:
        text = b"".join(stream(s3, finished.manifest_location, finished.query_id)).decode()
        listed_there = {line.strip().strip('"') for line in text.splitlines() if line.strip()}
        gone = sorted(listed_there - set(found))
        if gone and any(address.startswith(target) for address in gone):
            raise UnreadableFileError(
                f"A file of the result of query id {finished.query_id} is gone from S3: {gone[0]}. Run it again."
            )
    return found


def _rows(
    s3: Any, files: Sequence[str], plan: UnloadPlan, schema: pa.Schema, finished: Finished
) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    number = [pa.field(_NUMBER, pa.int64())] if plan.order else []
    wanted = pa.schema([*schema, *number])
    before = 0
    for file in files:
        with _opened(s3, file, finished.query_id) as source:
            try:
                parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
            except pa.ArrowInvalid as error:
                raise UnreadableFileError(f"{file} (query id {finished.query_id}) is no Parquet: {error}") from None
            for batch in parquet.iter_batches(BATCH_ROWS):
                arrays = [
                    restored(batch.column(f"c{i}"), kind, column=name, first_row=before)
                    for i, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True))
                ]
                arrays += [batch.column(_NUMBER) for _ in number]
                yield pa.RecordBatch.from_arrays(arrays, schema=wanted)
                before += batch.num_rows


def _opened(s3: Any, file: str, query_id: str) -> Any:
    """The content of a file, in memory or, if it is large, in a temporary file."""
    source = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  the caller closes it
    try:
        for block in stream(s3, file, query_id):
            source.write(block)
    except BaseException:
        source.close()
        raise
    source.seek(0)
    return source


def _in_order(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in the order of their numbers; they are held in memory together for that."""
    found = list(batches)
    if not found:
        return
    table = pa.Table.from_batches(found)
    names = [f"c{i}" for i in range(len(schema))]
    table = table.rename_columns([*names, _NUMBER]).sort_by(_NUMBER).select(names).rename_columns(schema.names)
    yield from table.cast(schema).to_batches(BATCH_ROWS)
