"""Tables of points in the Glue catalog, for Athena and for everything that reads by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from datalake_kit.engines.types import hive_type
from datalake_kit.errors import ConfigError, DatabaseNotFoundError, DataError, EngineError, did_you_mean
from datalake_kit.irradiance.stored.folder import PointsFolder, find_folder
from datalake_kit.irradiance.stored.names import DAYS, POINTS, find_files, unquote_value
from datalake_kit.sql import split_name
from datalake_kit.storage import Place, S3Path, for_each, place, read_footer

__all__ = ["Registration", "register_table"]

_MEANING = {"time": "start of the slot, UTC", "point_id": "id of the point", "date": "day, UTC", "month": "month, UTC"}
_SAID = ("product", "title", "origin", "source", "step_seconds", "instantaneous", "scan_uncertainty_seconds")


@dataclass(frozen=True)
class Registration:
    """What `register_table` found and changed.

    Attributes
    ----------
    table : str
        database.table.
    location : str
        Where it lies.
    columns : dict
        Type by column in Hive's words, the partition column last.
    is_new : bool
        The table was not in the catalog before.
    added, removed : tuple of str
        Values of partitions that were added, and of those removed because nothing lies there any more.
    """

    table: str
    location: str
    columns: Mapping[str, str]
    is_new: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]


def register_table(
    location: str | Place,
    table: str,
    *,
    description: str = "",
    create_database: bool = False,
    session: Any = None,
) -> Registration:
    """Put a table of points on S3 into the Glue catalog, or bring it up to date there.

    Parameters
    ----------
    location : s3:// address
        A table that `extract`, `compact` or `repartition` wrote.
    table : str
        `database.table`, in lower case.
    description : str, optional
        By default the title of the product.
    create_database : bool
        Make the database where there is none.
    session : boto3.Session, optional
        By default the one that the environment names.

    Returns
    -------
    Registration

    Raises
    ------
    ConfigError
        `location` is no address on S3, or Glue takes no such name.
    DatabaseNotFoundError
        No such database; the nearest are named.
    DataError
        No table of points lies there, or the name stands for another table.
    EngineError
        The catalog refuses.

    Notes
    -----
    Columns: time timestamp, point_id string, ghi double and so on; the partition column is date (date), month or
    point_id (string). Units stand as comments and parameters of the columns, step and product as parameters of the
    table. A second call adds the partitions that are new. Then Athena reads it, `read` by an Athena lake, and
    `wr.s3.read_parquet_table`; beside days lie manifests, so awswrangler needs `filename_suffix=".parquet"` for them.

    Examples
    --------
    >>> register_table("s3://lake/irradiance/plants_points", "irradiance.plants_points")    # doctest: +SKIP
    """
    there = place(location)
    if not isinstance(there, S3Path):
        raise ConfigError(f"The Glue catalog knows tables on S3 alone, not {there}. Copy the table to s3:// first.")
    folder = find_folder(there)
    if folder is None:
        raise DataError(f"No table of points lies at {there}. extract, compact and repartition write such tables.")
    catalog = _Catalog(*_names(table), session)
    with _asked(table):
        catalog.check_database(create=create_database)
        known = catalog.find()
        _check_same(table, known, folder)
        columns = catalog.create(folder, description, is_new=known is None)
        added, removed = catalog.bring_partitions(folder)
    return Registration(table, str(there), columns, known is None, added, removed)


class _Catalog:
    """One table's place in the Glue catalog, by awswrangler."""

    def __init__(self, database: str, name: str, session: Any) -> None:
        import awswrangler as wr

        self.database, self.name, self.session, self.calls = database, name, session, wr.catalog

    def check_database(self, *, create: bool) -> None:
        if create:
            self.calls.create_database(self.database, exist_ok=True, boto3_session=self.session)
            return
        names = [d["Name"] for d in self.calls.get_databases(boto3_session=self.session)]
        if self.database not in names:
            raise DatabaseNotFoundError(
                f"The Glue catalog has no database {self.database!r}. {did_you_mean(self.database, names)} "
                "create_database=True makes it."
            )

    def find(self) -> dict[str, Any] | None:
        found = self.calls.get_tables(database=self.database, name_prefix=self.name, boto3_session=self.session)
        return next((t for t in found if t["Name"] == self.name), None)

    def create(self, folder: PointsFolder, description: str, *, is_new: bool) -> dict[str, str]:
        """Create the table, or add what it lacks; return its columns."""
        columns, info = _columns(folder), folder.info(_some_point(folder))
        partition = {folder.layout: "date" if folder.layout == DAYS else "string"}
        units = {c: info.get("units", {}).get(c, "") for c in columns}
        self.calls.create_parquet_table(
            self.database,
            self.name,
            f"{folder.table}/",
            columns_types=columns,
            partitions_types=partition,
            compression="zstd",
            description=description or info.get("title") or "irradiance of points",
            parameters={k: str(info[k]) for k in _SAID if info.get(k) not in (None, "")},
            columns_comments={c: _MEANING.get(c) or units.get(c, "") for c in [*columns, *partition]},
            columns_parameters={c: {"unit": unit} for c, unit in units.items() if unit},
            mode="overwrite" if is_new else "append",
            boto3_session=self.session,
        )
        return columns | partition

    def bring_partitions(self, folder: PointsFolder) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Add the partitions that are new, remove those where nothing lies any more; return their values."""
        there = {
            unquote_value(v): f"{folder.table}/{folder.layout}={v}/" for v in find_files(folder.table, folder.layout)
        }
        known = self.calls.get_partitions(self.database, self.name, boto3_session=self.session)
        stated = {values[0]: location for location, values in known.items()}
        moved = [v for v, location in stated.items() if there.get(v, "").rstrip("/") != location.rstrip("/")]
        if moved:
            gone = [[v] for v in moved]
            self.calls.delete_partitions(self.name, self.database, gone, boto3_session=self.session)
        added = {there[v]: [v] for v in there if v not in stated or v in moved}
        if added:
            self.calls.add_parquet_partitions(
                self.database, self.name, added, compression="zstd", boto3_session=self.session
            )
        return tuple(v for [v] in added.values()), tuple(sorted(set(moved) - set(there)))


def _names(table: str) -> tuple[str, str]:
    import awswrangler as wr

    parts = split_name(table)
    if len(parts) != 2:
        raise ConfigError(f"Name the table as database.table, not {table!r}.")
    taken = wr.catalog.sanitize_table_name(parts[0]), wr.catalog.sanitize_table_name(parts[1])
    if taken != tuple(parts):
        raise ConfigError(f"The Glue catalog takes no name such as {table!r}. Give {'.'.join(taken)}, for example.")
    return taken


def _check_same(table: str, known: dict[str, Any] | None, folder: PointsFolder) -> None:
    if known is None:
        return
    location = str(known.get("StorageDescriptor", {}).get("Location", "")).rstrip("/")
    keys = [k["Name"] for k in known.get("PartitionKeys", [])]
    if location != str(folder.table) or keys != [folder.layout]:
        raise DataError(
            f"{table} is another table in the Glue catalog: it lies at {location or 'no place'}, with partitions by "
            f"{', '.join(keys) or 'nothing'}. Give another name, or remove it there."
        )


def _some_point(folder: PointsFolder) -> list[str]:
    """Return one point: what is known of the table is the same for all."""
    return [unquote_value(v) for v in folder.values()[:1]] if folder.layout == POINTS else []


def _columns(folder: PointsFolder) -> dict[str, str]:
    """Return the columns of the first and the last file with their types in Hive's words, in the order of the last."""
    files = folder.files(folder.values())
    schemas = [f.schema.to_arrow_schema() for f in for_each(read_footer, [files[-1], files[0]]) if f.num_rows]
    found: dict[str, str] = {}
    for field in (f for schema in schemas for f in schema):
        found.setdefault(field.name, hive_type(field.type))
    return found


@contextmanager
def _asked(table: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as problem:
        raise EngineError(f"The Glue catalog refused {table}: {problem}") from problem
