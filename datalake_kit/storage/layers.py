"""A table in layers: Parquet files of which some rows count no more, and one small file that says which.

A table of many rows of which few change cannot be kept in plain Parquet without writing all of it again. So a folder
can hold `_layers.json`: the files whose rows make the table, the columns and their names, and a file of the rows that
were superseded. It is replaced in one step: a reader sees the table before or after a change, never a part, and a
process that is killed leaves the table as it was. All names begin with `_`: a reader that does not know layers finds no
table here instead of a wrong one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage.writing import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "_layers.json"
FORMAT = 1
ROW_KEY = ("_file", "_row")  # where a row landed: which rows count no more is told by these two


@dataclass(frozen=True)
class StoredColumn:
    """A column: its name in the table, its name in the files, and its type (text, number, boolean, date, datetime)."""

    name: str
    stored: str
    type: str


@dataclass(frozen=True)
class Layers:
    """What makes up the table now. Files are named relative to the folder."""

    folder: Path
    columns: tuple[StoredColumn, ...]
    files: tuple[str, ...]
    superseded: str | None  # the file of the rows that count no more
    rows: int
    state: dict[str, Any] = field(default_factory=dict)  # of the one who writes the table; readers pass it over

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files with the rows."""
        return tuple(self.folder / name for name in self.files)

    @property
    def all_files(self) -> tuple[str, ...]:
        """Names of the files that a reader needs."""
        return (*self.files, *([self.superseded] if self.superseded else []))

    @property
    def superseded_path(self) -> Path | None:
        """The file of the rows that count no more, if there are such."""
        return None if self.superseded is None else self.folder / self.superseded

    def schema(self) -> pa.Schema:
        """The table's columns with their types."""
        import pyarrow as pa

        return pa.schema([(column.name, arrow_type(column.type)) for column in self.columns])


def arrow_type(kind: str) -> pa.DataType:
    """The Arrow type of a stored column."""
    import pyarrow as pa

    return {
        "number": pa.float64(), "boolean": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us", "UTC"),
    }.get(kind, pa.large_string())  # fmt: skip


def has_layers(folder: Path) -> bool:
    """Whether a folder is a table in layers."""
    return (folder / MANIFEST).is_file()


def read_layers(folder: Path) -> Layers:
    """Read which files and rows make the table.

    Raises
    ------
    UnreadableFileError
        It cannot be read, or a newer version of this package wrote it.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise UnreadableFileError(
                f"{path} has format {found['format']}; this version of the package reads {FORMAT}."
            )
        columns = tuple(StoredColumn(**column) for column in found["columns"])
        return Layers(folder, columns, tuple(found["files"]), found["superseded"], found["rows"], found["state"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(
            f"{path} cannot be read ({error}). Remove the folder {folder} and make the table again."
        ) from None


def write_layers(layers: Layers) -> None:
    """Make this the table: the one step that counts."""
    found = {
        "format": FORMAT, "rows": layers.rows, "columns": [vars(column) for column in layers.columns],
        "files": list(layers.files), "superseded": layers.superseded, "state": layers.state,
    }  # fmt: skip
    with write_atomically(layers.folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def rows_that_count(layers: Layers, columns: str) -> str:
    """SQL for DuckDB: these columns (as they are stored) of the rows that count."""
    files = ", ".join(_text(path) for path in layers.paths)
    rows = f"SELECT {columns} FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false) AS _rows"
    if layers.superseded_path is None:
        return rows
    gone = f"SELECT 1 FROM read_parquet({_text(layers.superseded_path)}) AS _gone"
    return f"{rows} WHERE NOT EXISTS ({gone} WHERE _gone._file = _rows._file AND _gone._row = _rows._row)"


def _text(path: Path) -> str:
    plain = "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
    return "'" + plain.replace("'", "''") + "'"
