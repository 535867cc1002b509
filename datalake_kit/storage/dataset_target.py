"""Where a dataset is to be written, and whether the rows go with what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from datalake_kit.errors import ConfigError, DataError, ParameterError, did_you_mean
from datalake_kit.storage.dataset_reading import StoredDataset, open_dataset
from datalake_kit.storage.dataset_rows import stored_schema
from datalake_kit.storage.glue_table import GlueTable, table_names
from datalake_kit.storage.listing import HUDI_FOLDER, Place
from datalake_kit.storage.s3 import S3Path

__all__ = ["Target", "check_partitions", "partition_keys", "schema_to_store", "table_name"]


class Target:
    """Where a dataset goes: a place, and perhaps a table of the Glue catalog."""

    def __init__(self, there: Place, name: str | None, session: Any) -> None:
        self.place = there
        self.name = name
        self._session = session
        self._glue: GlueTable | None = None
        if not isinstance(there, S3Path) and name is not None:
            _check_folder(there, name)

    @property
    def glue(self) -> GlueTable:
        """The table in the catalog."""
        if self._glue is None:
            self._glue = GlueTable(str(self.name), self._session)
        return self._glue

    @property
    def has_table(self) -> bool:
        """Whether the Glue catalog has to know it."""
        return self.name is not None and isinstance(self.place, S3Path)

    def opened(self) -> StoredDataset | None:
        """Return what is there already; None where nothing is."""
        if not isinstance(self.place, S3Path) and (self.place / HUDI_FOLDER).exists():
            raise DataError(f"{self.place} is a Hudi table. It is not written here; take another folder.")
        found = open_dataset(self.place, self.glue if self.has_table else None, sample=True)
        if found is None or not self.has_table or found.is_registered:
            return found
        raise DataError(
            f"Files lie at {self.place} and {self.name} is not in the Glue catalog. Put it there first "
            "(register_dataset), or write to another place."
        )


def table_name(table: str | None, database: str | None) -> str | None:
    """Return database.table, or None where none is given."""
    if table is None:
        if database is not None:
            raise ConfigError(f"database={database!r} is given without table=. Give both, or neither.")
        return None
    return ".".join(table_names(f"{database}.{table}" if database is not None else table))


def _check_folder(folder: Path, name: str) -> None:
    if [folder.parent.name.lower(), folder.name.lower()] != name.split("."):
        raise ConfigError(
            f"In a lake of folders the path is the name: {name} lies at .../{name.replace('.', '/')}, not at {folder}."
        )


def partition_keys(partition_by: Sequence[str]) -> tuple[str, ...]:
    """Return the partition columns in lower case."""
    if isinstance(partition_by, str):
        raise ParameterError(f"partition_by is a list of columns, such as [{partition_by!r}].")
    keys = tuple(k.lower() for k in partition_by)
    if len(set(keys)) < len(keys):
        raise ParameterError(f"partition_by names a column twice: {', '.join(partition_by)}.")
    return keys


def schema_to_store(given: pa.Schema, keys: Sequence[str], known: pa.Schema | None, *, evolve: bool) -> pa.Schema:
    """Return the columns to store, those of the table where it has them; partition columns last, in their order."""
    schema = stored_schema(given, known)
    absent = [k for k in keys if k not in schema.names]
    if absent:
        raise DataError(f"There is no column {absent[0]!r} to partition by. {did_you_mean(absent[0], schema.names)}")
    if len(keys) == len(schema):
        raise DataError("Every column makes partitions, and none is left for the files. Leave one out of partition_by.")
    types = {f.name: f.type for f in schema}
    if known is not None:
        _check_columns(types, known, evolve=evolve)
        types |= {f.name: f.type for f in known if f.name in types}
    return pa.schema([(n, types[n]) for n in [*(n for n in types if n not in keys), *keys]])


def _check_columns(types: Mapping[str, pa.DataType], known: pa.Schema, *, evolve: bool) -> None:
    if evolve:
        return
    more, fewer = [n for n in types if n not in known.names], [n for n in known.names if n not in types]
    if more or fewer:
        said = [f"{', '.join(more)} would be new"] if more else []
        said += [f"{', '.join(fewer)} {'is' if len(fewer) == 1 else 'are'} not among the rows"] if fewer else []
        hint = did_you_mean(more[0], fewer) if more and fewer else ""
        raise DataError(
            f"The columns differ from the table's: {'; '.join(said)}. evolve=True lets them. {hint}".rstrip()
        )


def check_partitions(stored: StoredDataset, keys: tuple[str, ...], mode: str, there: Place) -> None:
    """Refuse other partitions than those of the dataset."""
    if stored.keys != keys and (mode != "overwrite" or stored.is_registered):
        raise DataError(
            f"{there} has partitions by {', '.join(stored.keys) or 'nothing'}, not by {', '.join(keys) or 'nothing'}. "
            "Give the same, or write to another place."
        )
