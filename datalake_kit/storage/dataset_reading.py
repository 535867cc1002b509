"""A dataset as it lies there: its files with their partitions, its columns, its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from datalake_kit.engines.hive import arrow_type
from datalake_kit.engines.types import hive_type, plain, widest
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.storage.dataset_files import PARTITION_TYPES
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.listing import Place, for_each, list_files, place
from datalake_kit.storage.parquet import open_parquet, read_footer
from datalake_kit.storage.partition_names import Values, typed_value, values_in
from datalake_kit.storage.s3 import S3Path

__all__ = ["DatasetFile", "StoredDataset", "open_dataset"]

_SUFFIXES = (".parquet", ".parq", ".pq")
_ROWS = 100_000
_Choice = Mapping[str, Any] | Callable[[Mapping[str, Any]], bool] | None


@dataclass(frozen=True)
class DatasetFile:
    """A Parquet file and the partition that it lies in."""

    place: Place
    values: Values


class StoredDataset:
    """A dataset that is there; made by `open_dataset`. What is not asked for is not looked at.

    Attributes
    ----------
    place : Path or S3Path
    keys : tuple of str
        The partition columns.
    is_registered : bool
        Whether the Glue catalog tells its columns and partitions; else its folders and files do.
    """

    def __init__(self, there: Place, keys: tuple[str, ...], *, is_registered: bool) -> None:
        self.place = there
        self.keys = keys
        self.is_registered = is_registered

    @property
    def files(self) -> list[DatasetFile]:
        """The files in a stable order."""
        raise NotImplementedError

    @property
    def schema(self) -> pa.Schema:
        """The columns as tables show them, names in lower case, partition columns last."""
        raise NotImplementedError

    def choose(self, columns: Sequence[str] | None) -> pa.Schema:
        """Return the columns that are wanted; ColumnNotFoundError names the nearest."""
        if columns is None:
            return self.schema
        if isinstance(columns, str):
            raise ParameterError(f"columns is a list of names, such as [{columns!r}].")
        for column in columns:
            if column.lower() not in self.schema.names:
                hint = did_you_mean(column.lower(), self.schema.names)
                raise ColumnNotFoundError(f"{self.place} has no column {column!r}. {hint}")
        return pa.schema([self.schema.field(c.lower()) for c in columns])

    def wanted(self, choice: _Choice) -> list[DatasetFile]:
        """Return the files of the partitions that are wanted; see `read_dataset`."""
        if choice is None:
            return self.files
        if isinstance(choice, Mapping):
            for key in choice:
                if key.lower() not in self.keys:
                    hint = did_you_mean(key.lower(), self.keys)
                    raise ColumnNotFoundError(f"{self.place} has no partition column {key!r}. {hint}")
        verdicts: dict[Values, bool] = {}
        for file in self.files:
            if file.values not in verdicts:
                verdicts[file.values] = self._is_wanted(file.values, choice)
        return [f for f in self.files if verdicts[f.values]]

    def _is_wanted(self, values: Values, choice: Any) -> bool:
        typed = {k: typed_value(v, self.schema.field(k).type).as_py() for k, v in zip(self.keys, values, strict=True)}
        if not isinstance(choice, Mapping):
            return bool(choice(typed))
        texts = dict(zip(self.keys, values, strict=True))
        for key, one in choice.items():
            several = list(one) if isinstance(one, list | tuple | set | frozenset) else [one]
            found = (typed[key.lower()], texts[key.lower()])
            if not any(type(s) is type(f) and s == f for s in several for f in found):
                return False
        return True

    def batches(
        self, schema: pa.Schema, files: Sequence[DatasetFile], *, rows: int = _ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Give the rows of files with the columns of a schema, batch by batch."""
        for file in files:
            yield from self._batches_of(file, schema, rows)

    def _batches_of(self, file: DatasetFile, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
        values = dict(zip(self.keys, file.values, strict=True))
        with open_parquet(file.place) as opened:
            there = {n.lower(): n for n in opened.schema_arrow.names}
            wanted = [there[n] for n in schema.names if n in there and n not in values]
            for batch in opened.iter_batches(batch_size=rows, columns=list(dict.fromkeys(wanted))):
                columns = []
                for field in schema:
                    if field.name in values:
                        value = typed_value(values[field.name], field.type)
                        columns.append(pa.repeat(value, batch.num_rows))
                    elif field.name in there:
                        columns.append(_as(batch.column(there[field.name]), field, file.place))
                    else:
                        columns.append(pa.nulls(batch.num_rows, field.type))
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


class _InFolders(StoredDataset):
    """A dataset of which folders and files tell everything."""

    def __init__(self, there: Place, files: list[Place], *, sample: bool) -> None:
        self._places = files
        self._sample = sample
        first = values_in(_folders(there, files[0]))
        super().__init__(there, tuple(k.lower() for k in first), is_registered=False)

    @cached_property
    def files(self) -> list[DatasetFile]:
        found = []
        for file in self._places:
            values = {k.lower(): v for k, v in values_in(_folders(self.place, file)).items()}
            if tuple(values) != self.keys:
                raise DataError(
                    f"The partition folders of {self.place} differ: {', '.join(self.keys) or 'none'}, and "
                    f"{', '.join(values) or 'none'} of {file}. Move the files so that all have the same."
                )
            found.append(DatasetFile(file, tuple(values.values())))
        return found

    @cached_property
    def schema(self) -> pa.Schema:
        from datalake_kit.engines.folder import partition_types

        places = [self._places[0], self._places[-1]] if self._sample else self._places
        footers = for_each(read_footer, list(dict.fromkeys(places)))
        within: dict[str, pa.DataType] = {}
        for file, footer in zip(places, footers, strict=False):
            for field in footer.schema.to_arrow_schema():
                _merge(within, field, file)
        types = partition_types(self.place, self._places, footers[0].metadata)
        keys = {k.lower(): t for k, t in types.items()}
        return pa.schema([*((n, t) for n, t in within.items() if n not in keys), *keys.items()])


class _InCatalog(StoredDataset):
    """A dataset of which the Glue catalog tells columns and partitions."""

    def __init__(self, there: S3Path, glue: GlueTable, entry: Mapping[str, Any]) -> None:
        self.glue = glue
        self.entry = entry
        keys = tuple(k["Name"].lower() for k in entry.get("PartitionKeys") or [])
        super().__init__(there, keys, is_registered=True)

    @property
    def location(self) -> str:
        """Where the table lies, as the catalog says it."""
        return str(self.entry["StorageDescriptor"].get("Location", ""))

    @cached_property
    def files(self) -> list[DatasetFile]:
        where = self.glue.partitions() if self.keys else {(): self.location}
        ordered = sorted(where.items(), key=lambda pair: pair[1])
        listed = for_each(lambda p: list(list_files(p)), [place(location) for _, location in ordered])
        return [DatasetFile(f, values) for (values, _), files in zip(ordered, listed, strict=True) for f in files]

    @cached_property
    def schema(self) -> pa.Schema:
        entries = [*self.entry["StorageDescriptor"].get("Columns", []), *(self.entry.get("PartitionKeys") or [])]
        return pa.schema([(c["Name"].lower(), arrow_type(c["Type"])) for c in entries])


def open_dataset(there: Place, glue: GlueTable | None, *, sample: bool = False) -> StoredDataset | None:
    """Find the dataset at a place, by the catalog where it knows the table; None where nothing is.

    Parameters
    ----------
    sample
        Let the first and the last file tell the columns, where files tell them.

    Raises
    ------
    DataError
        The table of the catalog lies elsewhere, or is none of Parquet files.
    """
    entry = glue.entry() if glue is not None else None
    if glue is not None and entry is not None:
        assert isinstance(there, S3Path)
        _check_entry(there, glue, entry)
        return _InCatalog(there, glue, entry)
    files = list_files(there, suffixes=_SUFFIXES)
    return _InFolders(there, list(files), sample=sample) if files else None


def _check_entry(there: S3Path, glue: GlueTable, entry: Mapping[str, Any]) -> None:
    storage = entry.get("StorageDescriptor") or {}
    location, reader = str(storage.get("Location") or ""), str(storage.get("InputFormat") or "").lower()
    parameters = {str(k).lower(): str(v).lower() for k, v in (entry.get("Parameters") or {}).items()}
    if f"{location.rstrip('/')}/".find(f"{there}/") != 0:
        raise DataError(
            f"{glue} is another table in the Glue catalog: it lies at {location or 'no place'}, not at {there}. "
            "Give another name, or its own place."
        )
    if "parquet" not in reader or "hoodie" in reader or parameters.get("table_type") in ("iceberg", "delta"):
        raise DataError(f"{glue} is no table of plain Parquet files. It is not read or written here; use SQL.")
    if parameters.get("projection.enabled") == "true":
        raise DataError(f"The partitions of {glue} are projected. Read it by SQL or by its place alone.")


def _folders(there: Place, file: Place) -> tuple[str, ...]:
    return file.relative_to(there).parts[:-1]  # type: ignore[arg-type] # both are of one kind


def _merge(known: dict[str, pa.DataType], field: pa.Field, file: Place) -> None:
    name, kind = field.name.lower(), plain(field.type)
    both = widest(known[name], kind) if name in known else kind
    if both is None:
        raise DataError(
            f"Column {name!r} is {hive_type(known[name])} in one file and {hive_type(kind)} in {file}. Rewrite one."
        )
    known[name] = both


def _as(values: Any, field: pa.Field, file: Place) -> Any:
    if values.type.equals(field.type):
        return values
    try:
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        return values.cast(field.type)
    except (pa.ArrowException, ValueError) as problem:
        raise DataError(
            f"Column {field.name!r} of {file} is {values.type} and does not fit {hive_type(field.type)}: {problem}"
        ) from None


def declared_types(metadata: Mapping[bytes, bytes] | None) -> dict[str, pa.DataType]:
    """Return the types of partition columns that a file written here tells."""
    try:
        told = json.loads((metadata or {}).get(PARTITION_TYPES, b"{}"))
        return {str(k): arrow_type(str(v)) for k, v in told.items()}
    except (ValueError, AttributeError):
        return {}
