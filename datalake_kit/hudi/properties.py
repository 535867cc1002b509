"""hoodie.properties: the settings of one Hudi table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from datalake_kit.errors import HudiError, TableNotFoundError, UnreadableFileError
from datalake_kit.storage import Place, place

COPY_ON_WRITE = "COPY_ON_WRITE"
MERGE_ON_READ = "MERGE_ON_READ"
READABLE_VERSIONS = {COPY_ON_WRITE: (3, 4, 5, 6, 8, 9), MERGE_ON_READ: (6, 8, 9)}
FIRST_VERSION_OF_NEW_LAYOUT = 8

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True)
class TableProperties:
    """What hoodie.properties says of a table; `raw` has every entry as it is written."""

    folder: Place
    name: str
    version: int
    type: str
    record_keys: tuple[str, ...]
    ordering_fields: tuple[str, ...]
    partition_fields: tuple[str, ...]
    raw: Mapping[str, str]

    @property
    def has_new_layout(self) -> bool:
        """Version 8 and later: Avro instants under .hoodie/timeline, log files named by their own instant."""
        return self.version >= FIRST_VERSION_OF_NEW_LAYOUT

    @property
    def has_meta_fields(self) -> bool:
        """Whether rows carry the five _hoodie_ columns."""
        return self.raw.get("hoodie.populate.meta.fields", "true").lower() != "false"

    @property
    def drops_partition_columns(self) -> bool:
        """Whether the partition columns are left out of the files, so that their paths alone tell the values."""
        return self._is_on("hoodie.datasource.write.drop.partition.columns")

    @property
    def url_encoded(self) -> bool:
        """Whether the values in the names of partition folders are URL-encoded."""
        return self._is_on("hoodie.datasource.write.partitionpath.urlencode")

    @property
    def key_generator(self) -> str:
        """The class that makes keys and partition paths, without its package; version 8 and later give its type."""
        made_by = self.raw.get("hoodie.table.keygenerator.class", "").rsplit(".", 1)[-1]
        return made_by or self.raw.get("hoodie.table.keygenerator.type", "")

    def _is_on(self, entry: str) -> bool:
        return self.raw.get(entry, "false").strip().lower() == "true"

    @property
    def merge_mode(self) -> str:
        """How two versions of one key are put in order: by event time, by commit time, or by a class of the user's."""
        mode = self.raw.get("hoodie.record.merge.mode", "")
        payload = self.raw.get("hoodie.compaction.payload.class", "").rsplit(".", 1)[-1]
        return mode or {"OverwriteWithLatestAvroPayload": "COMMIT_TIME_ORDERING"}.get(payload, payload or "unknown")


def is_hudi_table(folder: str | Place) -> bool:
    """Whether a folder is a Hudi table: it has .hoodie/hoodie.properties."""
    return (place(folder) / ".hoodie" / "hoodie.properties").is_file()


def read_properties(location: str | Place) -> TableProperties:
    """Read the settings of the Hudi table in a folder; refuse by name a table whose timeline is not known to be read.

    Raises
    ------
    TableNotFoundError
        The folder is no Hudi table.
    HudiError
        A table version or table type that this package does not read.
    """
    folder = place(location)
    file = folder / ".hoodie" / "hoodie.properties"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TableNotFoundError(
            f"No Hudi table in {folder}: it has no .hoodie/hoodie.properties. Give the folder that holds .hoodie."
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise UnreadableFileError(f"Cannot read {file}: {problem}.") from problem
    properties = _from_entries(folder, parse_properties(text))
    _refuse_unknown(properties)
    return properties


def parse_properties(text: str) -> dict[str, str]:
    r"""Parse the text of a Java properties file.

    >>> parse_properties("#comment\na.b=c\\:d\n")
    {'a.b': 'c:d'}
    """
    joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*", r"\1", text)
    entries: dict[str, str] = {}
    for line in joined.splitlines():
        stripped = line.lstrip()
        if not stripped or stripped[0] in "#!":
            continue
        key, value = _split_entry(stripped)
        entries[_unescape(key)] = _unescape(value)
    return entries


def _split_entry(line: str) -> tuple[str, str]:
    match = re.match(r"((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)", line, re.DOTALL)
    return (match.group(1), match.group(2)) if match else (line, "")


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 5 and code[0] == "u":
            return chr(int(code[1:], 16))
        return _CONTROL.get(code, code)

    return _ESCAPE.sub(one, text)


def _from_entries(folder: Place, raw: Mapping[str, str]) -> TableProperties:
    ordering = raw.get("hoodie.table.ordering.fields") or raw.get("hoodie.table.precombine.field") or ""
    version = raw.get("hoodie.table.version", "0")
    if not version.isdigit():
        raise HudiError(
            f"{folder} says hoodie.table.version={version!r}, which is no number. Repair hoodie.properties."
        )
    return TableProperties(
        folder=folder,
        name=raw.get("hoodie.table.name", folder.name),
        version=int(version),
        type=raw.get("hoodie.table.type", COPY_ON_WRITE),
        record_keys=_names(raw.get("hoodie.table.recordkey.fields", "")),
        ordering_fields=_names(ordering),
        partition_fields=tuple(n.split(":")[0] for n in _names(raw.get("hoodie.table.partition.fields", ""))),
        raw=dict(raw),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _refuse_unknown(table: TableProperties) -> None:
    readable = READABLE_VERSIONS.get(table.type)
    where = f"Hudi table {table.name} ({table.folder})"
    if readable is None:
        raise HudiError(f"{where} has the type {table.type!r}. Read are {' and '.join(READABLE_VERSIONS)}.")
    if table.version not in readable:
        raise HudiError(
            f"{where} has table version {table.version}, type {table.type}. Read of this type are the versions "
            f"{', '.join(map(str, readable))}. Upgrade the table with Hudi's own tools, or read it in Spark."
        )


def refuse_other_files(table: TableProperties) -> None:
    """Refuse a table whose rows cannot be read, though its timeline can: they are not in Parquet files of its folder.

    Raises
    ------
    HudiError
        Base files of another format (Lance aborts hudi-rs), or rows that lie outside the table's folder.
    """
    where = f"Hudi table {table.name} ({table.folder})"
    file_format = table.raw.get("hoodie.table.base.file.format", "PARQUET")
    if file_format.upper() != "PARQUET":
        raise HudiError(f"{where} has base files in the format {file_format}. Only PARQUET is read.")
    if table.raw.get("hoodie.bootstrap.base.path"):
        raise HudiError(f"{where} was bootstrapped: its rows are outside its folder. Rewrite it, or read it in Spark.")
