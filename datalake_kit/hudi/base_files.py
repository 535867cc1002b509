"""Base files of a snapshot in parts that are stored alike, and their rows as columns of the table's schema."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi.evolution import Fit, adapt, cannot_hold, find_column, fit
from datalake_kit.storage import Place, S3Path, fingerprint, open_parquet, read_footer

_AT_ONCE = 8  # footers read at the same time: on S3 the time goes in waiting


@dataclass(frozen=True)
class Footer:
    """What a Parquet file says of itself: its columns and its number of rows."""

    schema: pa.Schema
    rows: int


@dataclass(frozen=True)
class Part:
    """Base files with the same stored columns; `values` are the columns that their partition path tells."""

    files: tuple[Place, ...]
    stored: pa.Schema
    rows: int
    values: Mapping[str, Any] = field(default_factory=dict)

    def stored_name(self, name: str, schema: Sequence[str]) -> str | None:
        """Return the name under which the files hold a column of the schema; None when they do not."""
        return find_column(self.stored.names, name, schema)

    def value(self, name: str) -> tuple[bool, Any]:
        """Whether the partition path tells a column's value, and the value."""
        same = [k for k in self.values if k.casefold() == name.casefold()]
        return (True, self.values[same[0]]) if same else (False, None)

    def fit(self, wanted: pa.Field, schema: Sequence[str]) -> Fit:
        """Say how the stored values become those of a column of the schema; HudiError where they cannot."""
        name = self.stored_name(wanted.name, schema)
        if name is None or self.value(wanted.name)[0]:
            return Fit.ALWAYS
        stored = self.stored.field(name).type
        found = fit(stored, wanted.type)
        if found is Fit.NEVER:
            raise cannot_hold(wanted.name, stored, wanted.type, self.files[0])
        return found


def footers(files: Sequence[Place]) -> list[Footer]:
    """Read the footers of files, each once while the file stays as it is.

    Raises
    ------
    UnreadableFileError
        A file is gone or no whole Parquet file.
    """
    if len(files) < 2 or not isinstance(files[0], S3Path):
        return [_footer(f) for f in files]
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(files))) as pool:
        return list(pool.map(_footer, files))


def _footer(file: Place) -> Footer:
    if isinstance(file, S3Path):  # a base file never changes; asking S3 for its ETag costs as much as its footer
        return _cached_footer(file, None)
    try:
        return _cached_footer(file, fingerprint(file))
    except FileNotFoundError:
        raise UnreadableFileError(f"The file is gone: {file}. List the table again, or restore the file.") from None


@functools.lru_cache(maxsize=20_000)
def _cached_footer(file: Place, _as_it_is: Hashable) -> Footer:
    known = read_footer(file)
    schema = known.schema.to_arrow_schema().remove_metadata()
    for position, one in enumerate(schema):
        if pa.types.is_timestamp(one.type) and one.type.unit == "ns" and _is_int96(known, one.name):
            schema = schema.set(position, one.with_type(pa.timestamp("us")))
    return Footer(schema, known.num_rows)


def _is_int96(known: Any, name: str) -> bool:
    columns = (known.schema.column(i) for i in range(len(known.schema)))
    return any(c.path == name and c.physical_type == "INT96" for c in columns)


def parts_of(files: Iterable[tuple[Place, Mapping[str, Any]]]) -> list[Part]:
    """Gather files, each with what its path tells, into parts; the files keep their order within a part."""
    listed = list(files)
    groups: dict[Hashable, list[tuple[Place, Footer, Mapping[str, Any]]]] = {}
    for (file, values), footer in zip(listed, footers([f for f, _ in listed]), strict=True):
        groups.setdefault((footer.schema, tuple(values.items())), []).append((file, footer, values))
    return [
        Part(tuple(f for f, _, _ in group), group[0][1].schema, sum(x.rows for _, x, _ in group), group[0][2])
        for group in groups.values()
    ]


def part_batches(part: Part, schema: pa.Schema, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Give the rows of a part as columns of `schema`; `names` are all columns of the table.

    Raises
    ------
    UnreadableFileError
        A file is gone or no whole Parquet file.
    HudiError
        A stored value cannot be shown in the column's type.
    """
    for wanted in schema:
        part.fit(wanted, names)
    stored = {f.name: None if part.value(f.name)[0] else part.stored_name(f.name, names) for f in schema}
    columns = [n for n in stored.values() if n is not None]
    for file in part.files:
        try:
            with open_parquet(file) as opened:
                if not columns:
                    yield from _without_columns(part, schema, opened.metadata.num_rows, rows)
                    continue
                for batch in opened.iter_batches(batch_size=rows, columns=columns):
                    yield _shaped(part, batch, schema, stored, file)
        except (OSError, pa.ArrowException) as problem:
            raise UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore it.") from problem


def part_table(part: Part, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Return all rows of a part as columns of `schema`; raises as `part_batches`."""
    for wanted in schema:
        part.fit(wanted, names)
    stored = {f.name: None if part.value(f.name)[0] else part.stored_name(f.name, names) for f in schema}
    columns = [n for n in stored.values() if n is not None]
    tables = []
    for file in part.files:
        try:
            with open_parquet(file) as opened:
                rows = opened.metadata.num_rows
                read = opened.read(columns=columns) if columns else None
        except (OSError, pa.ArrowException) as problem:
            raise UnreadableFileError(f"The Parquet file cannot be read ({problem}): {file}. Restore it.") from problem
        made = [_column(part, read, f, stored[f.name], rows, file) for f in schema]
        tables.append(pa.table(made, schema=schema))
    return pa.concat_tables(tables)


def _without_columns(part: Part, schema: pa.Schema, rows: int, most: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows, most):
        count = min(most, rows - start)
        yield pa.record_batch([_constant(part, f, count) for f in schema], schema=schema)


def _shaped(
    part: Part, batch: pa.RecordBatch, schema: pa.Schema, stored: Mapping[str, str | None], file: Place
) -> pa.RecordBatch:
    made = [_column(part, batch, f, stored[f.name], batch.num_rows, file) for f in schema]
    return pa.record_batch(made, schema=schema)


def _column(part: Part, rows: Any, wanted: pa.Field, stored: str | None, count: int, file: Place) -> Any:
    if stored is None:
        return _constant(part, wanted, count)
    try:
        return adapt(rows.column(stored), wanted.type)
    except pa.ArrowInvalid as problem:
        raise HudiError(
            f"The column {wanted.name!r} of {file} holds a value that {wanted.type}, its type in the table's schema, "
            f"cannot show unchanged ({problem}). Read the table through lake.sql with a CAST, or rewrite the file."
        ) from problem


def _constant(part: Part, wanted: pa.Field, count: int) -> pa.Array:
    value = part.value(wanted.name)[1]
    if value is None:
        return pa.nulls(count, wanted.type)
    return pa.repeat(pa.scalar(value, wanted.type), count)
