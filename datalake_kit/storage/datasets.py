"""Datasets: partitioned Parquet on S3 with its table in the Glue catalog, or in a local folder.

    write_dataset(frame, "s3://lake/sales/orders", partition_by=["day"], table="sales.orders", mode="append")
    read_dataset("s3://lake/sales/orders", partitions={"day": ["2026-03-01", "2026-03-02"]})

What is written gives the same rows and types by SQL on Athena and on the local engine.

What happens in one step, and what cannot
-----------------------------------------
In a folder: every write, also of many partitions.

On S3 files are sent first, seen by nobody; then they appear, then the catalog is changed, then old files go. So a run
that is killed while it sends, which takes nearly all of the time, leaves the table as it was, and a run that fails
takes back what it did. New partitions are seen when the catalog has them, all files of one at once. Replaced partitions
move to a new place below the table's, all files of one at once; old files are removed last. There is no such step for
files that are added to a partition that is there already, for tables that no catalog knows (a reader may see some of
the new files, and of an overwrite for a moment both), and from one hundred partitions to the next, or from replaced
ones to new ones to removed ones: a run that is killed there leaves each partition whole, old or new.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from datalake_kit.errors import DataError, ParameterError, did_you_mean
from datalake_kit.storage.dataset_files import NewFile, split_rows
from datalake_kit.storage.dataset_reading import StoredDataset, open_dataset
from datalake_kit.storage.dataset_rows import Rows, batches_of, check_names
from datalake_kit.storage.dataset_target import Target, check_partitions, partition_keys, schema_to_store, table_name
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.listing import Place, place
from datalake_kit.storage.local_dataset import replace_folder
from datalake_kit.storage.partition_names import Values, folder_of
from datalake_kit.storage.s3 import S3Path, use_client
from datalake_kit.storage.uploading import Uploads, delete_objects

__all__ = ["WrittenDataset", "dataset_batches", "read_dataset", "write_dataset"]

Mode = Literal["append", "overwrite", "overwrite_partitions"]
_MODES = ("append", "overwrite", "overwrite_partitions")
_MOST_ROWS = 5_000_000  # of one file


@dataclass(frozen=True)
class WrittenDataset:
    """What `write_dataset` did.

    Attributes
    ----------
    location : str
        Of the dataset.
    table : str or None
        database.table in the Glue catalog.
    rows : int
        Rows written.
    files : tuple of str
        Files written.
    partitions : tuple of dict
        The partitions that got files: value by column, as text, None for NULL.
    removed : int
        Old files removed.
    """

    location: str
    table: str | None
    rows: int
    files: tuple[str, ...]
    partitions: tuple[Mapping[str, str | None], ...]
    removed: int


def write_dataset(
    rows: Rows,
    location: str | Place,
    *,
    partition_by: Sequence[str] = (),
    mode: Mode = "append",
    table: str | None = None,
    database: str | None = None,
    create_database: bool = False,
    description: str = "",
    parameters: Mapping[str, str] | None = None,
    comments: Mapping[str, str] | None = None,
    evolve: bool = False,
    rows_per_file: int = _MOST_ROWS,
    session: Any = None,
) -> WrittenDataset:
    """Write rows as partitioned Parquet to s3:// or into a folder, and its table into the Glue catalog.

    Parameters
    ----------
    rows : DataFrame, pyarrow Table, RecordBatchReader, or iterable of Tables and RecordBatches
        Batches are written as they come; memory holds one at a time. Missing values of pandas are NULL; '' stays ''.
    location : str or path
        The folder of the dataset.
    partition_by : list of str
        Columns of text, whole numbers, dates or booleans that make the partitions.
    mode : {"append", "overwrite", "overwrite_partitions"}
        Add; replace all; replace the partitions that the rows have, and leave the others.
    table : str, optional
        `database.table`, or the table alone with `database=`. On S3 it is made in the Glue catalog or brought up to
        date; in a folder, whose path is its name, it is only checked: `.../database/table`.
    create_database : bool
        Make the database in the Glue catalog where there is none.
    description, parameters, comments
        Of the table; comments of columns by their names.
    evolve : bool
        Let the columns differ from those of the table: new ones are added, absent ones are NULL. Refused without it.
    rows_per_file : int
        The most rows of one file.
    session : boto3.Session, optional
        By default the one that the environment names.

    Returns
    -------
    WrittenDataset

    Raises
    ------
    ParameterError
        No such mode, or rows of another kind.
    ConfigError
        A name that Athena does not take, or a table that is not where the folder says.
    DataError
        A column is of no type that Athena reads, or of another than the table's; a value would lose something (a
        timestamp nanoseconds, a decimal digits); '' in a partition column; other partitions than the table's.
    DatabaseNotFoundError
        The Glue catalog has no such database.
    UnreadableFileError
        S3 refuses: no such bucket, no access, no credentials.
    EngineError
        The Glue catalog refuses; a missing permission is named.

    Notes
    -----
    Names of columns are stored in lower case, timestamps in UTC in microseconds, numbers without a sign in the next
    larger type with one. Without rows the table has its columns all the same. See the module for what happens in one
    step. Queries that run while partitions are replaced may miss an old file, and then fail rather than answer wrongly.

    Examples
    --------
    >>> written = write_dataset(frame, "lake/sales/orders", partition_by=["day"], mode="overwrite_partitions")
    ... # doctest: +SKIP
    """
    if mode not in _MODES:
        raise ParameterError(f"mode is one of {', '.join(_MODES)}, not {mode!r}. {did_you_mean(str(mode), _MODES)}")
    if rows_per_file < 1:
        raise ParameterError(f"rows_per_file is 1 or more, not {rows_per_file}.")
    there, name = place(location), table_name(table, database)
    keys = partition_keys(partition_by)
    if isinstance(there, S3Path) and session is not None:
        use_client(there.bucket, session.client("s3"))
    target = Target(there, name, session if isinstance(there, S3Path) else None)
    given, batches = batches_of(rows)
    check_names(given.names, for_athena=name is not None)
    if name is not None and isinstance(there, S3Path):
        target.glue.check_database(create=create_database)
    stored = target.opened()
    known = None if stored is None or (mode == "overwrite") else stored.schema
    schema = schema_to_store(given, keys, known, evolve=evolve)
    if stored is not None:
        check_partitions(stored, keys, mode, there)
    run = secrets.token_hex(8)
    said = {"description": description, "parameters": parameters, "columns_comments": comments}
    with tempfile.TemporaryDirectory(prefix="._rows-", dir=_beside(there)) as folder:
        even_empty = stored is None or mode == "overwrite"
        files = split_rows(batches, schema, keys, Path(folder), run=run, most_rows=rows_per_file, even_empty=even_empty)
        if isinstance(there, S3Path):
            return _write_to_s3(target, stored, schema, keys, files, mode, run, said)
        return _write_to_folder(there, name, keys, files, mode)


def read_dataset(
    location: str | Place,
    *,
    columns: Sequence[str] | None = None,
    partitions: Mapping[str, Any] | Callable[[Mapping[str, Any]], bool] | None = None,
    table: str | None = None,
    session: Any = None,
) -> pa.Table:
    """Read a dataset of Parquet files, the columns and partitions that are wanted.

    Parameters
    ----------
    location : str or path
        The folder of the dataset.
    columns : list of str, optional
        In this order, in any case of letters; all without it.
    partitions : dict or callable, optional
        A value or a list of values for some partition columns; or what says of the values of a partition, in their
        types, whether it is wanted. Of the others no rows are read.
    table : str, optional
        `database.table` of the Glue catalog: its partitions and column types count then. Without it the folders and
        files tell them.
    session : boto3.Session, optional

    Returns
    -------
    pyarrow.Table
        Partition columns last. Timestamps are in UTC without a zone, in microseconds.

    Raises
    ------
    ColumnNotFoundError
        No such column, or no such partition column; the nearest are named.
    DataError
        Nothing lies there, or files whose columns do not go together.
    UnreadableFileError
        A file cannot be read, or S3 refuses.

    Examples
    --------
    >>> read_dataset("lake/sales/orders", columns=["id"], partitions={"day": dt.date(2026, 3, 1)})  # doctest: +SKIP
    """
    dataset = _opened_for_reading(location, table, session)
    chosen = dataset.choose(columns)
    return pa.Table.from_batches(dataset.batches(chosen, dataset.wanted(partitions)), schema=chosen)


def dataset_batches(
    location: str | Place,
    *,
    columns: Sequence[str] | None = None,
    partitions: Mapping[str, Any] | Callable[[Mapping[str, Any]], bool] | None = None,
    table: str | None = None,
    rows: int = 100_000,
    session: Any = None,
) -> pa.RecordBatchReader:
    """Read a dataset as `read_dataset` does, batch by batch, one file open at a time.

    Parameters
    ----------
    rows : int
        The most rows of a batch.
    """
    if rows < 1:
        raise ParameterError(f"rows is a number of rows from 1 on, not {rows}.")
    dataset = _opened_for_reading(location, table, session)
    chosen = dataset.choose(columns)
    return pa.RecordBatchReader.from_batches(chosen, dataset.batches(chosen, dataset.wanted(partitions), rows=rows))


# --- writing


def _beside(there: Place) -> Path | None:
    """Return the folder for files that are not whole: on the same disk as a folder; the system's own for S3."""
    if isinstance(there, S3Path):
        return None
    there.parent.mkdir(parents=True, exist_ok=True)
    return there.parent


def _write_to_folder(
    there: Path, name: str | None, keys: tuple[str, ...], files: Sequence[NewFile], mode: Mode
) -> WrittenDataset:
    removed: list[Path] = []
    replaced = {f.values for f in files}

    def kept(folder: Path) -> Iterable[Path]:
        every = [f for f in folder.rglob("*") if f.is_file() or f.is_symlink()]
        dataset = open_dataset(folder, None)
        old = [] if dataset is None or mode == "append" else dataset.files
        removed.extend(f.place for f in old if mode == "overwrite" or f.values in replaced)  # type: ignore[misc]
        gone = set(removed)
        return [f for f in every if f not in gone]

    names = [f"{folder_of(keys, f.values)}/{f.path.name}".lstrip("/") for f in files]
    if files or mode == "overwrite":
        replace_folder(there, lambda: zip((f.path for f in files), names, strict=True), kept)
    return _written(there, name, keys, files, [str(there / n) for n in names], len(removed))


def _write_to_s3(
    target: Target,
    stored: StoredDataset | None,
    schema: pa.Schema,
    keys: tuple[str, ...],
    files: Sequence[NewFile],
    mode: Mode,
    run: str,
    said: Mapping[str, Any],
) -> WrittenDataset:
    from datalake_kit.storage.dataset_publishing import Publication

    root = target.place
    assert isinstance(root, S3Path)
    publication = Publication(root, target.glue if target.has_table else None, stored, keys, mode, run)
    if target.has_table and keys:
        files = [f for f in files if f.rows]  # the catalog knows the columns of a table without rows
    places = [publication.place_of(f) for f in files]
    uploads = Uploads([(f.path, p) for f, p in zip(files, places, strict=True)])
    uploads.send()
    try:
        uploads.complete()
        publication.publish(schema, {f.values: p.parent for f, p in zip(files, places, strict=True)}, said)
    except BaseException as problem:
        uploads.undo(problem)
        raise
    old = publication.replaced()
    delete_objects(old)
    return _written(root, target.name, keys, files, [str(p) for p in places], len(old))


def _written(
    there: Place, name: str | None, keys: Sequence[str], files: Sequence[NewFile], names: Iterable[str], removed: int
) -> WrittenDataset:
    partitions: dict[Values, Mapping[str, str | None]] = {
        f.values: dict(zip(keys, f.values, strict=True)) for f in files if keys
    }
    rows = sum(f.rows for f in files)
    return WrittenDataset(str(there), name, rows, tuple(names), tuple(partitions.values()), removed)


def _opened_for_reading(location: str | Place, table: str | None, session: Any) -> StoredDataset:
    there = place(location)
    if isinstance(there, S3Path) and session is not None:
        use_client(there.bucket, session.client("s3"))
    glue = GlueTable(table, session) if table is not None and isinstance(there, S3Path) else None
    found = open_dataset(there, glue)
    if found is None:
        raise DataError(f"No dataset lies at {there}: there is no Parquet file below it. Give the folder of the table.")
    return found
