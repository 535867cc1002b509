"""Sources that are files or frames: their rows are at hand as Parquet."""

from __future__ import annotations

import os
import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.source.base import Source, SourceDifferences
from datalake_kit.errors import ParameterError, UnreadableFileError
from datalake_kit.storage import (
    Place,
    check_parquet,
    for_each,
    list_files,
    local_copy,
    local_path,
    place,
    read_footer,
    write_atomically,
)

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet", ".parq", ".pq")


class _RowSource(Source):
    """A source whose rows DuckDB reads itself."""

    def differences(
        self,
        connection: Any,
        relation: str,
        columns: Iterable[str] | Mapping[str, str] | None,
        keys: Sequence[str],
        *,
        until: tuple[str, Any] | None = None,
        **limits: Any,
    ) -> SourceDifferences:
        """Compare with a relation of a DuckDB connection; see `Source.differences`."""
        from datalake_kit.cdc.digest.pair import compare_sides
        from datalake_kit.cdc.digest.side import DuckDBSide

        own = connection.cursor()  # asked from another thread at the same time
        try:
            ours = DuckDBSide(own, self._relation(own), self.label)
            theirs = DuckDBSide(connection, relation)
            return compare_sides(ours, theirs, keys, columns=columns, until=until, **limits)
        finally:
            own.close()

    @abstractmethod
    def _relation(self, connection: Any) -> str:
        """SQL for the rows."""


class ParquetSource(_RowSource):
    """Parquet files in a folder or on S3: a file, a folder of them, or a list."""

    def __init__(self, source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        self.label = str(source) if isinstance(source, (str, os.PathLike)) else "Parquet files"
        self.files = _files(source)
        footers = for_each(_footer, self.files)
        self._rows = sum(int(f.num_rows) for f in footers)
        columns: dict[str, str] = {}
        for field in (f for footer in footers for f in footer.schema.to_arrow_schema()):
            columns.setdefault(field.name, str(field.type))
        self.columns = columns
        self._copies: tempfile.TemporaryDirectory[str] | None = None

    def count(self) -> int:
        """Count the rows by the files' footers."""
        return self._rows

    def local_parquet(self, folder: str | Path) -> list[Path] | None:
        """Return the files themselves; of S3 their copies in `folder`."""
        return [local_copy(file, Path(folder) / str(n)) for n, file in enumerate(self.files)]

    def close(self) -> None:
        """Remove the copies of files on S3."""
        if self._copies is not None:
            self._copies.cleanup()

    def _relation(self, connection: Any) -> str:
        if self._copies is None:
            self._copies = tempfile.TemporaryDirectory(prefix="datalake-kit-")
        files = self.local_parquet(self._copies.name) or []
        names = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
        return f"(SELECT * FROM read_parquet([{names}], hive_partitioning=false, union_by_name=true))"


def _footer(file: Place) -> Any:
    check_parquet(file)
    return read_footer(file)


class FrameSource(_RowSource):
    """A DataFrame of pandas, or anything that Arrow takes as a table; its index is not a column."""

    def __init__(self, frame: Any) -> None:
        self.table = _arrow(frame)
        self.label = f"a frame of {self.table.num_rows} rows"
        self.columns = {f.name: str(f.type) for f in self.table.schema}

    def count(self) -> int:
        """Count the rows."""
        return int(self.table.num_rows)

    def local_parquet(self, folder: str | Path) -> list[Path] | None:
        """Write the rows as one Parquet file."""
        import pyarrow.parquet as pq

        target = local_path(folder) / "source.parquet"
        with write_atomically(target) as temporary:
            pq.write_table(self.table, temporary, compression="zstd", row_group_size=200_000)
        return [target]

    def _relation(self, connection: Any) -> str:
        connection.register("source_frame", self.table)
        return '"source_frame"'


def _files(source: Any) -> list[Place]:
    if not isinstance(source, (str, os.PathLike)):
        return [place(str(s)) for s in source]
    location = place(str(source))
    if location.is_dir():
        found = list_files(location, suffixes=SUFFIXES)
        if not found:
            raise UnreadableFileError(f"No Parquet file below {location}. Give the folder that holds them.")
        return list(found)
    if not location.exists():
        raise UnreadableFileError(f"There is no {location}. Give a Parquet file, or a folder of them.")
    return [location]


def _arrow(frame: Any) -> pa.Table:
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if hasattr(frame, "columns") and hasattr(frame, "iloc"):
        twice = sorted({str(c) for c in frame.columns if list(frame.columns).count(c) > 1})
        if twice:
            raise ParameterError(f"The frame has columns of the same name: {', '.join(twice)}. Rename one.")
        try:
            with warnings.catch_warnings():  # pyarrow takes times with a zone by a way that pandas will drop
                warnings.filterwarnings("ignore", message=r"Series\.values returning", category=DeprecationWarning)
                return pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
            raise ParameterError(f"A column of the frame holds values of several types: {problem}") from None
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    raise ParameterError(
        f"A source is a DataFrame, a Parquet path, or the URL of a database, not {type(frame).__name__}."
    )
