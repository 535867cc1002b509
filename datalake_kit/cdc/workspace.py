"""Room to work in: a DuckDB database of its own for one table, which goes to a private folder on disk when memory ends.

The folder is removed at the end, also after an error. A run that was killed leaves its folder behind; the next one
removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place, local_copy

MEMORY_MB = 500  # what DuckDB may hold before it writes to the folder
_MB_A_THREAD = 125  # less than this for each thread, and some joins cannot be done at all
_PREFIX = "datalake-kit-work-"
_OURS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)  # this package is at fault


class Workspace:
    """A DuckDB database with limited memory and a folder to spill into. Use it in `with`.

    Attributes
    ----------
    folder : Path
        Private to this run; whatever is put there is removed at the end.
    """

    def __init__(self, *, memory_mb: int = MEMORY_MB, threads: int | None = None) -> None:
        self._threads = threads or max(1, min(8, os.cpu_count() or 1))
        self._memory = max(memory_mb, _MB_A_THREAD * self._threads)
        self._registered = 0
        self._spooled = 0

    def __enter__(self) -> Workspace:
        _remove_stale()
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        for setting in self._settings():
            self.connection.execute(setting)
        with contextlib.suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has no bar to turn off
            self.connection.execute("SET enable_progress_bar = false")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self._temporary.cleanup()

    def _settings(self) -> tuple[str, ...]:
        return (
            "SET python_enable_replacements = false",
            f"SET memory_limit = '{self._memory}MB'",
            f"SET threads = {self._threads}",
            f"SET temp_directory = {text_literal(str(self.folder / 'spill'))}",
            "SET preserve_insertion_order = false",
            "SET TimeZone = 'UTC'",
        )

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> Any:
        """Run a statement; its result is fetched from what is returned, before the next one runs.

        Raises
        ------
        UnreadableFileError, DataError
            A file is no Parquet file inside, or memory and disk did not suffice.
        """
        with _explained():
            return self.connection.execute(statement, dict(values) if values else None)

    def shape(self, source: str) -> list[tuple[str, Any]]:
        """Return the columns of what stands after FROM, with their types."""
        with _explained():
            found = self.connection.sql(f"SELECT * FROM {source}")
            return list(zip(found.columns, found.types, strict=True))

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return all its rows."""
        with _explained():
            found: list[tuple[Any, ...]] = self.run(statement, values).fetchall()
        return found

    def value(self, statement: str) -> Any:
        """Run a statement and return the first value of its first row."""
        return self.rows(statement)[0][0]

    def show(self, table: pa.Table) -> str:
        """Make an Arrow table readable and return its name as SQL."""
        self._registered += 1
        name = f"held_{self._registered}"
        self.connection.register(name, table)
        return name

    def local(self, files: Iterable[Place]) -> list[Path]:
        """Return paths where files can be read: themselves, or copies in the folder of those that lie on S3."""
        return [local_copy(file, self.folder / "copies" / str(number)) for number, file in enumerate(files)]

    def spool(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], name: str) -> Path:
        """Write rows batch by batch to a Parquet file of the folder and return its path."""
        self._spooled += 1
        path = self.folder / f"{name}-{self._spooled}.parquet"
        with pq.ParquetWriter(path, schema, compression="snappy") as writer:
            for batch in batches:
                writer.write_batch(batch)
        return path


def scan(files: Iterable[Path], *, positions: bool = True, hive: Mapping[str, str] | None = None) -> str:
    """The SQL that reads Parquet files of one schema, each path taken as it is.

    `hive` are the columns that the folders `key=value` of the paths give, with their types.
    """
    listed = ", ".join(text_literal(_no_glob(str(f))) for f in files)
    numbered = ", file_row_number = true" if positions else ""
    told = "hive_partitioning = false"
    if hive:
        kinds = ", ".join(f"{quote_identifier(k)}: {kind}" for k, kind in hive.items())
        told = f"hive_partitioning = true, hive_types = {{{kinds}}}"
    return f"read_parquet([{listed}], {told}, union_by_name = false{numbered})"


def text_literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def _no_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except _OURS:
        raise
    except duckdb.OutOfMemoryException as problem:
        raise DataError(
            f"Not enough room to compare: {_first_line(problem)}. Free space in {tempfile.gettempdir()}, or set "
            "TMPDIR to a larger disk."
        ) from problem
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException) as problem:
        raise UnreadableFileError(f"A file cannot be read: {_first_line(problem)}. Restore it.") from problem
    except duckdb.Error as problem:
        if "Perfect hash aggregate" in str(problem):  # its numbers are those of keys that a file says it has not
            raise DataError(
                "The rows cannot be grouped by their key: most likely a float key column holds NaN, which identifies "
                "no row. Repair these rows, or name other keys."
            ) from problem
        raise DataError(f"The rows cannot be compared: {_first_line(problem)}.") from problem


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().splitlines()[0].rstrip(".")


def _remove_stale() -> None:
    """Remove the folders of runs that were killed: their process is gone."""
    if os.name != "posix":  # elsewhere asking for a process by its id may end it
        return
    for folder in _work_folders():
        owner = folder.name.removeprefix(_PREFIX).split("-", 1)[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _work_folders() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


__all__ = ["MEMORY_MB", "Workspace", "scan", "text_literal"]
