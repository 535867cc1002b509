"""Parquet files that lie on S3 become a table of the Glue catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datalake_kit.engines.types import hive_type
from datalake_kit.errors import ConfigError, DataError
from datalake_kit.storage.dataset_reading import open_dataset
from datalake_kit.storage.dataset_rows import check_names
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.listing import Place, place
from datalake_kit.storage.partition_names import Values
from datalake_kit.storage.s3 import S3Path, use_client

__all__ = ["RegisteredDataset", "register_dataset"]


@dataclass(frozen=True)
class RegisteredDataset:
    """What `register_dataset` found and changed.

    Attributes
    ----------
    table : str
        database.table.
    location : str
        Where it lies.
    columns : dict
        Type by column in Hive's words, partition columns last.
    is_new : bool
        The table was not in the catalog before.
    added, removed : tuple of tuple of str
        Values of partitions that are new or moved, and of those removed because nothing lies there any more.
    """

    table: str
    location: str
    columns: Mapping[str, str]
    is_new: bool
    added: tuple[Values, ...]
    removed: tuple[Values, ...]


def register_dataset(
    location: str | Place,
    table: str,
    *,
    description: str = "",
    parameters: Mapping[str, str] | None = None,
    comments: Mapping[str, str] | None = None,
    create_database: bool = False,
    session: Any = None,
) -> RegisteredDataset:
    """Put Parquet files on S3 into the Glue catalog, or bring their table up to date there.

    Parameters
    ----------
    location : s3:// address
        The folder of the dataset; `key=value` folders are its partitions.
    table : str
        `database.table`, in lower case.
    description, parameters, comments
        Of the table; comments of columns by their names.
    create_database : bool
        Make the database where there is none.
    session : boto3.Session, optional
        By default the one that the environment names.

    Returns
    -------
    RegisteredDataset

    Raises
    ------
    ConfigError
        `location` is no address on S3, or Athena takes no such name.
    DatabaseNotFoundError
        No such database; the nearest are named.
    DataError
        No Parquet files lie there, their columns do not go together, or the name stands for another table.
    EngineError
        The catalog refuses; a missing permission is named.

    Examples
    --------
    >>> register_dataset("s3://lake/sales/orders", "sales.orders")                    # doctest: +SKIP
    """
    there = place(location)
    if not isinstance(there, S3Path):
        raise ConfigError(f"The Glue catalog knows tables on S3 alone, not {there}. Copy the files to s3:// first.")
    glue = GlueTable(table, session)
    if session is not None:
        use_client(there.bucket, session.client("s3"))
    dataset = open_dataset(there, None)
    if dataset is None:
        raise DataError(f"No Parquet file lies below {there}. Give the folder of the dataset.")
    glue.check_database(create=create_database)
    check_names(dataset.schema.names, for_athena=True)
    known = open_dataset(there, glue)  # refuses another table of this name
    is_new = known is None or not known.is_registered
    if known is not None and known.is_registered and known.keys != dataset.keys:
        raise DataError(f"{table} has partitions by {', '.join(known.keys) or 'nothing'} in the Glue catalog.")
    columns = {f.name: hive_type(f.type) for f in dataset.schema}
    said = {"description": description, "parameters": parameters, "columns_comments": comments}
    within = {n: t for n, t in columns.items() if n not in dataset.keys}
    glue.create(str(there), within, {k: columns[k] for k in dataset.keys}, **{k: v for k, v in said.items() if v})
    added: list[Values] = []
    removed: list[Values] = []
    if dataset.keys:
        places = {f.values: str(_partition_folder(f.place)) for f in dataset.files}
        added, removed = glue.bring(places)
    return RegisteredDataset(str(glue), str(there), columns, is_new, tuple(added), tuple(removed))


def _partition_folder(file: Place) -> Place:
    """Return the innermost folder that names a partition column."""
    folder = file.parent
    while "=" not in folder.name:
        folder = folder.parent
    return folder
