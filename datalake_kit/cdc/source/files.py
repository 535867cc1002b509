"""Sources that are files or frames: their rows are at hand as Parquet."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.source.base import Source, SourceDifferences
from datalake_kit.errors import ParameterError, UnreadableFileError
from datalake_kit.storage import check_parquet, list_files, local_path, write_atomically

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

    def _relation(self, connection: Any) -> str:
        raise NotImplementedError


class ParquetSource(_RowSource):
    """Parquet files: a file, a folder of them, or a list."""

    def __init__(self, source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> None:
        self.label = str(source) if isinstance(source, (str, os.PathLike)) else "Parquet files"
        self.files = _files(source)
        for file in self.files:
            check_parquet(file)
        self.columns = self._columns()

    def count(self) -> int:
        """Count the rows by the files' footers."""
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(f).num_rows for f in self.files)

    def local_parquet(self, folder: str | Path) -> list[Path] | None:
        """Return the files themselves."""
        return list(self.files)

    def _columns(self) -> dict[str, str]:
        import pyarrow.parquet as pq

        found: dict[str, str] = {}
        for file in self.files:
            found |= {f.name: str(f.type) for f in pq.read_schema(file) if f.name not in found}
        return found

    def _relation(self, connection: Any) -> str:
        names = ", ".join("'" + str(f).replace("'", "''") + "'" for f in self.files)
        return f"(SELECT * FROM read_parquet([{names}], hive_partitioning=false, union_by_name=true))"


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


def _files(source: Any) -> list[Path]:
    if not isinstance(source, (str, os.PathLike)):
        return [local_path(s) for s in source]
    path = local_path(str(source))
    if path.is_dir():
        found = [Path(f) for f in list_files(path, suffixes=SUFFIXES)]
        if not found:
            raise UnreadableFileError(f"No Parquet file below {path}. Give the folder that holds them.")
        return found
    if not path.exists():
        raise UnreadableFileError(f"There is no {path}. Give a Parquet file, or a folder of them.")
    return [path]


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
