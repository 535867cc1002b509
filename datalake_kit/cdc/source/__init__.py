"""The source of replicated tables: a DataFrame, Parquet files, or a table of a database.

>>> from datalake_kit.cdc.source import open_source
>>> with open_source("postgresql://reader@db.example.com/shop", "public.orders") as source:      # doctest: +SKIP
...     source.label, source.count()
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datalake_kit.cdc.source.base import Source, SourceDifferences
from datalake_kit.cdc.source.files import FrameSource, ParquetSource
from datalake_kit.errors import ConfigError, ParameterError

__all__ = ["FrameSource", "ParquetSource", "Source", "SourceDifferences", "is_database", "open_source"]

URL_VARIABLE = "DATALAKE_KIT_SOURCE_URL"
_DATABASES = ("mysql", "mariadb", "postgresql", "postgres")


def open_source(
    source: Any = None,
    table: str | None = None,
    *,
    timeout_seconds: float | None = None,
    zero_date_is_null: bool = False,
) -> Source:
    """Open one table of a source.

    Parameters
    ----------
    source : DataFrame, Arrow table, path, list of paths, or database URL
        `mysql://user:password@host/database`, `mariadb://...`, `postgresql://...`, or any SQLAlchemy URL of these with
        a driver, as text or as SQLAlchemy's object. Without it the environment variable DATALAKE_KIT_SOURCE_URL counts.
    table : str, optional
        The table of a database: `schema.table`, or `table` where one schema has it.
    timeout_seconds : float, optional
        A limit for each statement in a database.
    zero_date_is_null : bool
        Whether MySQL's '0000-00-00' counts as NULL; without it it is a value that the lake cannot hold.

    Returns
    -------
    Source
        A context manager. A database is read in one read-only transaction that sees one moment.

    Raises
    ------
    MissingPackageError
        The driver of the database is not installed.
    ConfigError
        Not a URL of a database that can be read, or no source said.
    EngineError
        The database cannot be reached or refuses; a password is never shown.
    TableNotFoundError
        No such table; the nearest are named.
    UnreadableFileError
        No Parquet file there, or one that is cut short.

    Examples
    --------
    >>> open_source(pd.DataFrame({"PK_ID": [1, 2]})).count()                    # doctest: +SKIP
    2
    """
    if source is None:
        source = os.environ.get(URL_VARIABLE)
        if not source:
            raise ConfigError(f"No source said. Give source=, or set {URL_VARIABLE} to the URL of a database.")
    source = _spelled(source)
    if is_database(source):
        if not table:
            raise ParameterError("Say which table of the database is the source: table='schema.table'.")
        from datalake_kit.cdc.source.database import open_database

        return open_database(str(source), table, timeout_seconds=timeout_seconds, zero_date_is_null=zero_date_is_null)
    if isinstance(source, str) and "://" in source and not source.startswith(("s3://", "file://")):
        scheme = source.split("://", 1)[0]
        raise ConfigError(
            f"{scheme}:// is no source that can be read. A database is {', '.join(n + '://' for n in _DATABASES[:3])}; "
            "else give a DataFrame or a Parquet path."
        )
    if isinstance(source, (str, os.PathLike)) or (isinstance(source, Iterable) and _are_paths(source)):
        return ParquetSource(source)
    return FrameSource(source)


def _spelled(source: Any) -> Any:
    """SQLAlchemy's URL and Engine as the text that they stand for, password and all; anything else as it is."""
    url = getattr(source, "url", source) if type(source).__module__.startswith("sqlalchemy.") else source
    return url.render_as_string(hide_password=False) if hasattr(url, "render_as_string") else source


def is_database(source: Any) -> bool:
    """Whether a source is the URL of a database that can be read.

    >>> is_database("postgresql+psycopg://host/shop"), is_database("s3://bucket/folder")
    (True, False)
    """
    return (
        isinstance(source, str) and source.split("://", 1)[0].split("+", 1)[0].lower() in _DATABASES and "://" in source
    )


def _are_paths(source: Iterable[Any]) -> bool:
    return isinstance(source, (list, tuple)) and bool(source) and all(isinstance(s, (str, Path)) for s in source)
