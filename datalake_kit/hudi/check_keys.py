"""Checks of the keys of a Hudi table: one row a key, within its partition and across partitions.

Only the key columns are read at first, as hashes, so many at a time that memory stays bounded. The rows of keys whose
hash is there twice are read in a second pass, only when there are some.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from datalake_kit.errors import DatalakeKitError
from datalake_kit.hudi.base_files import footers
from datalake_kit.hudi.examined import Examined
from datalake_kit.hudi.findings import ERROR, INFO, WARNING, Finding
from datalake_kit.hudi.rows import snapshot_batches
from datalake_kit.hudi.snapshot import Snapshot
from datalake_kit.sql import quote_identifier

SHOWN_KEYS = 10
_MEMORY = "500MB"
_ROWS_AT_ONCE = 16_000_000  # 8 bytes each, twice while they are put in order
_COMMIT, _KEY, _PARTITION = "_hoodie_commit_time", "_hoodie_record_key", "_hoodie_partition_path"


def duplicate_keys(table: Examined) -> Iterator[Finding]:
    """Find keys with several rows: moves between partitions, duplicates that were loaded, retried writes."""
    if table.snapshot is None:
        return
    keys = _key_columns(table.snapshot)
    if not keys:
        yield Finding("keys-not-checked", INFO, "The table names no key columns and keeps no record keys.")
        return
    try:
        yield from _Scan(table.snapshot, keys).findings()
    except (DatalakeKitError, duckdb.Error, pa.ArrowException) as problem:
        yield Finding("keys-not-checked", WARNING, f"The keys cannot be read: {problem}")


def _key_columns(snapshot: Snapshot) -> list[str]:
    """Name the key columns; Hudi's own record key where the table names none."""
    names = {n.casefold(): n for n in snapshot.schema().names}
    keys = [names[k.casefold()] for k in snapshot.record_keys if k.casefold() in names]
    if keys and len(keys) == len(snapshot.record_keys):
        return keys
    return [_KEY] if snapshot.timeline.table.has_meta_fields else []


class _Scan:
    """Two passes over the key columns of a snapshot."""

    def __init__(self, snapshot: Snapshot, keys: list[str]) -> None:
        self._snapshot = snapshot
        self._keys = keys
        names = {n.casefold(): n for n in snapshot.schema().names}
        self._meta = snapshot.timeline.table.has_meta_fields
        wanted = [snapshot.ordering_field or "", *([] if self._meta else snapshot.partition_fields)]
        self._more = [names[w.casefold()] for w in wanted if w.casefold() in names]
        self._ordering = self._more[0] if self._more and self._more[0].casefold() == wanted[0].casefold() else None

    def findings(self) -> Iterator[Finding]:
        """Group the keys; where some have several rows, gather those rows by their newest one."""
        with tempfile.TemporaryDirectory(prefix="datalake-kit-") as folder, duckdb.connect() as database:
            database.execute(f"SET memory_limit = '{_MEMORY}'")
            database.execute(f"SET temp_directory = '{folder.replace(chr(39), chr(39) * 2)}'")
            database.execute("SET preserve_insertion_order = false")
            twice = self._twice(database)
            if len(twice):
                database.register("twice", pa.table({"hashed": twice}))
                yield from self._described(database)

    def _twice(self, database: duckdb.DuckDBPyConnection) -> Any:
        """Return the hashes that several rows have, as an array; a large table is read once for each share of them."""
        shares = -(-self._most_rows() // _ROWS_AT_ONCE) or 1
        found = []
        for share in range(shares):
            self._stream(database, self._keys)
            hashes = f"SELECT {self._hash('rows')} AS hashed FROM rows"
            if shares > 1:
                hashes = f"SELECT hashed FROM ({hashes}) WHERE hashed % {shares} = {share}"
            reader: Any = database.sql(hashes).to_arrow_reader(1_000_000)
            batches = [b.column(0).to_numpy() for b in reader]
            ordered = np.concatenate(batches) if batches else np.array([], dtype="uint64")
            del batches
            ordered.sort()
            found.append(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
        return np.concatenate(found)

    def _most_rows(self) -> int:
        """The rows of base files; log files add few."""
        return sum(part.rows for part in self._snapshot.parts) + sum(
            footer.rows
            for footer in footers([self._snapshot.folder / s.base.path for s in self._snapshot.slices if s.logs])
        )

    def _stream(self, database: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
        unique = list(dict.fromkeys(columns))
        whole = self._snapshot.schema(meta=True)
        schema = pa.schema([whole.field(c) for c in unique])
        batches = snapshot_batches(self._snapshot, unique)
        database.register("rows", pa.RecordBatchReader.from_batches(schema, batches))

    def _described(self, database: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
        meta = [_COMMIT, _PARTITION] if self._meta else []
        self._stream(database, [*self._keys, *self._more, *meta])
        made = f"r.{quote_identifier(_COMMIT)}" if self._meta else "NULL::VARCHAR"
        database.execute(
            f"CREATE TABLE copies AS SELECT {self._shown_key('r')} AS shown, {self._partition('r')} AS part, "
            f"{made} AS made, {self._order('r')} AS rank "
            f"FROM rows r JOIN twice t ON {self._hash('r')} = t.hashed"
        )
        database.execute(
            "CREATE TABLE groups AS SELECT shown, count(*) AS copies, count(DISTINCT part) > 1 AS across, "
            "arg_max(part, (rank, made, part)) AS part, arg_max(made, (rank, made, part)) AS made FROM copies "
            "GROUP BY shown "
            "HAVING count(*) > 1"  # two keys with one hash are no duplicate
        )
        listed = database.execute(
            "SELECT across, made, count(*), sum(copies), "
            f"list(shown ORDER BY length(shown), shown)[1:{SHOWN_KEYS}], list(DISTINCT part ORDER BY part)[1:5] "
            "FROM groups GROUP BY across, made ORDER BY across, made"
        ).fetchall()
        for across, made, count, copies, shown, parts in listed:
            yield self._finding(bool(across), made or "", int(count), int(copies), tuple(shown), parts)

    def _finding(
        self, across: bool, made: str, count: int, copies: int, shown: tuple[Any, ...], parts: list[str]
    ) -> Finding:
        known = [str(p) for p in parts if p]
        where = f" in {', '.join(known)}" if known else ""
        begin = f"{count:,} key{' has' if count == 1 else 's have'} {copies:,} rows"
        if across:
            what = (
                f"{begin} in several partitions. The newest row of each is of commit {made or 'unknown'}{where}; the "
                "older ones stayed where the key was before: the commit inserted more than arrived."
            )
        else:
            what = f"{begin} in one partition; the newest is of commit {made or 'unknown'}{where}."
        name = "duplicate-keys-across-partitions" if across else "duplicate-keys"
        partition = known[0] if len(known) == 1 else ""
        return Finding(name, ERROR, what, "", made, partition, count, shown)

    def _hash(self, alias: str) -> str:
        return f"hash({', '.join(f'{alias}.{quote_identifier(k)}' for k in self._keys)})"

    def _shown_key(self, alias: str) -> str:
        parts = [f"coalesce({alias}.{quote_identifier(k)}::VARCHAR, 'NULL')" for k in self._keys]
        return " || ', ' || ".join(parts)

    def _partition(self, alias: str) -> str:
        if self._meta:
            return f"{alias}.{quote_identifier(_PARTITION)}"
        fields = [f for f in self._more if f != self._ordering]
        texts = [f"coalesce({alias}.{quote_identifier(f)}::VARCHAR, 'NULL')" for f in fields]
        return " || '/' || ".join(texts) or "''"

    def _order(self, alias: str) -> str:
        return f"coalesce({alias}.{quote_identifier(self._ordering)}::VARCHAR, '')" if self._ordering else "''"
