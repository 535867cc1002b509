"""Tables of points in the Glue catalog, for Athena and for everything that reads by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datalake_kit.engines.types import hive_type
from datalake_kit.errors import ConfigError, DataError
from datalake_kit.irradiance.stored.folder import PointsFolder, find_folder
from datalake_kit.irradiance.stored.names import DAYS, POINTS, find_files, unquote_value
from datalake_kit.storage import Place, S3Path, for_each, place, read_footer
from datalake_kit.storage.glue_table import GlueTable
from datalake_kit.storage.partition_names import Values

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
    table. A second call adds the partitions that are new, all or none. Then Athena reads it, `read` by an Athena lake,
    and `wr.s3.read_parquet_table`; beside days lie manifests, for which awswrangler needs
    `filename_suffix=".parquet"`.

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
    glue = GlueTable(table, session)
    glue.check_database(create=create_database)
    known = glue.entry()
    _check_same(table, known, folder)
    columns = _bring_table(glue, folder, description)
    added, removed = _bring_partitions(glue, folder)
    return Registration(table, str(there), columns, known is None, added, removed)


def _bring_table(glue: GlueTable, folder: PointsFolder, description: str) -> dict[str, str]:
    """Create the table, or add what it lacks; return its columns."""
    columns, info = _columns(folder), folder.info(_some_point(folder))
    partition = {folder.layout: "date" if folder.layout == DAYS else "string"}
    units = {c: info.get("units", {}).get(c, "") for c in columns}
    glue.create(
        str(folder.table),
        columns,
        partition,
        description=description or info.get("title") or "irradiance of points",
        parameters={k: str(info[k]) for k in _SAID if info.get(k) not in (None, "")},
        columns_comments={c: _MEANING.get(c) or units.get(c, "") for c in [*columns, *partition]},
        columns_parameters={c: {"unit": unit} for c, unit in units.items() if unit},
    )
    return columns | partition


def _bring_partitions(glue: GlueTable, folder: PointsFolder) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Add the partitions that are new, remove those where nothing lies any more; return their values."""
    there: dict[Values, str] = {
        (unquote_value(v),): f"{folder.table}/{folder.layout}={v}/" for v in find_files(folder.table, folder.layout)
    }
    added, removed = glue.bring(there)
    return tuple(str(v) for (v,) in added), tuple(str(v) for (v,) in removed)


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
