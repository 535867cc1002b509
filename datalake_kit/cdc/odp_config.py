"""The table configuration of the Operational Data Processing framework, `odpf_raw_table_config`, read as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from datalake_kit.cdc.dynamodb import Item, Source, read_items
from datalake_kit.errors import DataError, NotFoundError, did_you_mean

Mode = Literal["S", "H"]
TABLE = "odpf_raw_table_config"
VERSIONING = ("table_data_versioning_type", "glue_table_data_versioning_type")  # code and documentation disagree

_YES = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
_MODES: dict[str, Mode] = {"S": "S", "H": "H"}


@dataclass(frozen=True)
class TableConfig:
    """What the framework is told of one table.

    Attributes
    ----------
    name : str
        `database.table` in the lake.
    source : str
        Schema and table in the source, as configured: `schema_table`, `schema/table`, or the table alone.
    keys : tuple of str
        The columns that identify a record of the source.
    ordering : str or None
        The column that orders its changes.
    partition_keys : tuple of str
        The columns by which the lake's table is partitioned.
    mode : "S" or "H"
        Current snapshot, or every change a row.
    storage : str
        "hudi", or what a fork writes, such as "iceberg".
    table_type : str or None
        "copy_on_write" or "merge_on_read".
    location : str or None
        Where the framework writes it.
    cadence : str
        The refresh cadence that it belongs to.
    """

    name: str
    source: str
    keys: tuple[str, ...]
    ordering: str | None
    partition_keys: tuple[str, ...]
    mode: Mode
    storage: str = "hudi"
    table_type: str | None = None
    location: str | None = None
    cadence: str = ""
    active: bool = True

    def staged(self, tables: Collection[tuple[str, str]]) -> tuple[str, str] | None:
        """Return schema and table of the staging folder behind this table, None when there is none; see `match`."""
        return match(self.source, tables)


@dataclass(frozen=True)
class TableConfigs(Sequence[TableConfig]):
    """The active tables, and the names of those that are left out."""

    tables: tuple[TableConfig, ...]
    inactive: tuple[str, ...] = ()
    cadence: str | None = None

    @overload
    def __getitem__(self, index: int) -> TableConfig: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TableConfig, ...]: ...
    def __getitem__(self, index: int | slice) -> TableConfig | tuple[TableConfig, ...]:
        return self.tables[index]

    def __len__(self) -> int:
        return len(self.tables)

    def __iter__(self) -> Iterator[TableConfig]:
        return iter(self.tables)

    @property
    def note(self) -> str:
        """What was left out, as one sentence; empty when nothing was."""
        if not self.inactive:
            return ""
        return f"Not active in {TABLE}, so left out: {', '.join(self.inactive)}."


def read_config(config: Source, *, cadence: str | None = None) -> TableConfigs:
    """Read the framework's table configuration.

    Parameters
    ----------
    config : path, str, DataFrame, mapping or list of mappings
        A JSON export, plain or typed, JSON lines; a frame or list of items; or
        `dynamodb://odpf_raw_table_config?region=eu-west-1`, which is scanned through boto3.
    cadence : str, optional
        Only tables of this refresh cadence; without it all.

    Returns
    -------
    TableConfigs
        A sequence of `TableConfig`, with `.inactive` and `.note`.

    Raises
    ------
    DataError
        An item lacks an attribute or has a value that it cannot have; item and attribute are named. No active table.
    NotFoundError
        No table of that cadence.
    UnreadableFileError, ConfigError
        As `read_items`.

    Examples
    --------
    >>> for table in read_config("odpf_raw_table_config.json", cadence="10_min_refresh"):      # doctest: +SKIP
    ...     print(table.name, table.keys, table.mode)
    """
    items = list(enumerate(read_items(config, TABLE), start=1))
    if cadence is not None:
        known = {_text(i, "refresh_cadence", n, needed=False) for n, i in items}
        items = [(n, i) for n, i in items if _text(i, "refresh_cadence", n, needed=False) == cadence]
        if not items:
            raise NotFoundError(f"{TABLE} has no table of cadence {cadence!r}. {did_you_mean(cadence, known)}")
    active = {n: _active(i, n) for n, i in items}
    tables = [_table(i, n) for n, i in items if active[n]]
    inactive = tuple(_text(i, "source_table_name", n) for n, i in items if not active[n])
    if not tables:
        rest = f" Not active: {', '.join(inactive)}." if inactive else ""
        raise DataError(f"{TABLE} has no active table.{rest}")
    _refuse_twice(tables)
    return TableConfigs(tuple(tables), inactive, cadence)


def match(source: str, tables: Collection[tuple[str, str]]) -> tuple[str, str] | None:
    """Return which schema and table of the staging folder `source_table_name` means; None when none.

    The framework joins schema and table with `_` (forks with `/`), in lower case; its demo names the table alone.
    Schema and table together count before the table alone.

    Raises
    ------
    DataError
        Several do.

    >>> match("taxi_trips_table_1", [("taxi_trips", "table_1"), ("taxi_trips", "table_10")])
    ('taxi_trips', 'table_1')
    """
    wanted = source.strip().strip("/").casefold()
    joined, alone = [], []
    for schema, table in tables:
        last = schema.rpartition("/")[2]
        forms = {f"{part}{mark}{table}".casefold() for part in (schema, last) for mark in "_/."}
        joined += [(schema, table)] if wanted in forms else []
        alone += [(schema, table)] if wanted == table.casefold() else []
    found = joined or alone
    if len(found) > 1:
        both = ", ".join(f"{schema}.{table}" for schema, table in sorted(found))
        raise DataError(f"source_table_name {source!r} means several staging tables: {both}. Map them in tables=.")
    return found[0] if found else None


def _table(item: Item, number: int) -> TableConfig:
    storage = (_text(item, "table_storage_type", number, needed=False) or "hudi").lower()
    table = _text(item, "raw_table_name", number)
    bucket = _text(item, "raw_database_S3_bucket", number, needed=False)
    partition = _text(item, "hudi_partition_key", number, needed=False)
    keys = _list(_text(item, "hudi_primary_key", number))
    if not keys:
        raise _wrong(item, number, "hudi_primary_key", "names no column")
    return TableConfig(
        name=f"{_text(item, 'raw_database_name', number)}.{table}",
        source=_text(item, "source_table_name", number),
        keys=keys,
        ordering=_text(item, "hudi_precombine_field", number, needed=storage == "hudi") or None,
        partition_keys=tuple(k.partition(":")[0] for k in _list(partition)),
        mode=_mode(item, number),
        storage=storage,
        table_type=_text(item, "hudi_table_type", number, needed=False) or None,
        location=f"s3://{bucket}/{table}" if bucket else None,
        cadence=_text(item, "refresh_cadence", number, needed=False),
    )


def _mode(item: Item, number: int) -> Mode:
    found = {name: _text(item, name, number, needed=False).upper() for name in VERSIONING}
    told = {v for v in found.values() if v}
    if len(told) > 1:
        raise _wrong(item, number, " and ".join(VERSIONING), f"say {' and '.join(sorted(told))}")
    if not told:
        raise _wrong(item, number, " or ".join(VERSIONING), "is not there")
    value = told.pop()
    if value not in _MODES:
        name = next(n for n, v in found.items() if v)
        raise _wrong(item, number, name, f"is {value!r}, not S (current snapshot) or H (historical)")
    return _MODES[value]


def _active(item: Item, number: int) -> bool:
    value = item.get("is_active", "Y")
    known = _YES.get(str(value).strip().casefold())
    if known is None:
        raise _wrong(item, number, "is_active", f"is {value!r}, not Y or N")
    return known


def _text(item: Item, name: str, number: int, *, needed: bool = True) -> str:
    folded = {k.casefold(): k for k in item}
    value = item.get(folded.get(name.casefold(), name))
    if value is not None and not isinstance(value, (str, int)):
        raise _wrong(item, number, name, f"is {value!r}, not text")
    text = "" if value is None else str(value).strip()
    if needed and not text:
        raise _wrong(item, number, name, "is empty" if value is not None else "is not there")
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _wrong(item: Item, number: int, name: str, what: Any) -> DataError:
    source = item.get("source_table_name")
    return DataError(f"{TABLE}, item {number}{f' ({source})' if source else ''}: {name} {what}. Correct the item.")


def _refuse_twice(tables: Sequence[TableConfig]) -> None:
    first: dict[str, TableConfig] = {}
    for table in tables:
        other = first.setdefault(table.name.casefold(), table)
        if other is not table:
            raise DataError(
                f"{TABLE} writes {table.name} from {other.source} ({other.cadence}) and from {table.source} "
                f"({table.cadence}). Choose one refresh cadence with cadence=, or set one of them inactive."
            )
