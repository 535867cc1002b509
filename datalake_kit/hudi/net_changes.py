"""What changed in a Hudi table between two instants, net: inserts, updates and deletes with the values on both sides.

The module is not called after its verb: importing it would put the module in the place of `dk.hudi.changes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, overload

import pandas as pd
import pyarrow as pa

from datalake_kit.errors import HudiError, ParameterError, UnreadableFileError
from datalake_kit.hudi.base_files import part_batches, parts_of
from datalake_kit.hudi.commits import Timeline, load_timeline
from datalake_kit.hudi.evolution import as_schema
from datalake_kit.hudi.merging import merged_slices
from datalake_kit.hudi.pairing import GROUP, WRITTEN, Side, pair_rows
from datalake_kit.hudi.path_values import path_values
from datalake_kit.hudi.reading import check_lake
from datalake_kit.hudi.rows import BATCH_ROWS, chosen, hudi_location
from datalake_kit.hudi.slices import FileSlice
from datalake_kit.hudi.snapshot import Snapshot, snapshot_of
from datalake_kit.tables import to_pandas

if TYPE_CHECKING:
    from datalake_kit.lake import Lake, Table

COMMIT_TIME = "_hoodie_commit_time"
_Group = tuple[str, str]


@overload
def changes(
    lake: Lake,
    table: str | Table,
    *,
    since: datetime | date | str,
    until: datetime | date | str | None = ...,
    columns: Iterable[str] | None = ...,
    keys: Iterable[str] | None = ...,
    timezone: str | None = ...,
    arrow: Literal[False] = ...,
) -> pd.DataFrame: ...
@overload
def changes(
    lake: Lake,
    table: str | Table,
    *,
    since: datetime | date | str,
    until: datetime | date | str | None = ...,
    columns: Iterable[str] | None = ...,
    keys: Iterable[str] | None = ...,
    timezone: str | None = ...,
    arrow: Literal[True],
) -> pa.Table: ...
def changes(
    lake: Lake,
    table: str | Table,
    *,
    since: datetime | date | str,
    until: datetime | date | str | None = None,
    columns: Iterable[str] | None = None,
    keys: Iterable[str] | None = None,
    timezone: str | None = None,
    arrow: bool = False,
) -> pd.DataFrame | pa.Table:
    """Say what changed in a Hudi table between two instants, net, with the values before and after.

    The table as of `since` and the table as of `until` are compared; what came and went between them does not show.
    Only file groups that differ are read. A key that stands in one row on both sides is one row here, an insert, an
    update or a delete, also when it moved to another partition. A key that stands in several rows is compared by
    partition and key; its equal rows are taken away in pairs, and each row that is left is told: none is lost, none
    twice. Taking the deletes and the old side of the updates from the table as of `since`, and putting in the inserts
    and the new side of the updates, gives the table as of `until`.

    Parameters
    ----------
    lake : Lake
        What `dk.connect` gives.
    table : str or Table
        `"database.table"`, or what `lake.table` gives.
    since, until : datetime, date or str
        Moments as `as_of` of `read` takes them. Commits after `since` up to and with `until` count; without `until` all
        to the newest.
    columns : list of str, optional
        The columns that are compared and shown, in any case of letters; all without it. A row of which none of them
        changed is no update. The keys are always shown.
    keys : list of str, optional
        The columns that identify a row; those that the table names without it.
    timezone : str, optional
        The zone of the instants, as in `read`.
    arrow : bool
        Return a pyarrow Table instead of a DataFrame.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        `change` ("insert", "update", "delete"); `instant`, the commit that wrote the row, for a delete the newest one
        that touched its file group; `partition`, the path in which the row lies, for a delete lay; the key columns;
        then each other column twice, as `<column>_before` and `<column>_after`, NULL on the side where there is no row.
        A made name that the table has already gets underscores at its end until it is free. Sorted by key. Columns and
        types are those of the table as of `until`. `frame.attrs["hudi"]` (Arrow: metadata "hudi") holds `since`,
        `until`, `timezone` and `keys`.

    Raises
    ------
    ParameterError
        The table names no keys and none are given, or `since` is after `until`.
    ColumnNotFoundError
        A column that the table does not have.
    HudiError
        `since` or `until` is before what the cleaner kept; or as `read`.
    UnreadableFileError
        A file of either state is missing or cut short.

    Examples
    --------
    >>> dk.hudi.changes(lake, "taxi.table_1", since="2026-11-23T21:59:00")                   # doctest: +SKIP
    >>> dk.hudi.changes(lake, "taxi.table_1", since="20261123215915423", columns=["fare"])   # doctest: +SKIP
    """
    if not isinstance(arrow, bool):
        raise ParameterError(f"arrow is True or False, not {arrow!r}.")
    if since is None:
        raise ParameterError("since is the moment after which changes count, such as '2026-03-01T10:00:00'.")
    check_lake(lake)
    known = load_timeline(hudi_location(lake, table))
    before, after = (_sound(snapshot_of(known, as_of=m, timezone=timezone)) for m in (since, until))
    if after.as_of is not None and before.as_of is not None and before.as_of > after.as_of:
        raise ParameterError(f"since={since!r} is after until={until!r}.")
    found = _compare(before, after, _keys(after, keys), columns)
    told = {"since": before.as_of, "until": after.as_of or after.instant, "timezone": after.zone.told}
    shown = told | {"keys": [f.name for f in _keys(after, keys)]}
    if arrow:
        return found.replace_schema_metadata({"hudi": json.dumps(shown)})
    frame = to_pandas(found)
    frame.attrs["hudi"] = shown
    return frame


def _sound(snapshot: Snapshot) -> Snapshot:
    if snapshot.faults:
        raise UnreadableFileError(snapshot.faults[0].problem)
    return snapshot


def _keys(snapshot: Snapshot, given: Iterable[str] | None) -> pa.Schema:
    wanted = snapshot.record_keys if given is None else given
    if given is None and not wanted:
        raise ParameterError(
            f"The table {snapshot.table_name} names no record key, so its rows cannot be told apart. Give keys=[...]."
        )
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise ParameterError(f"keys is a list of names, such as [{str(wanted)!r}].")
    nested = [k for k in wanted if isinstance(k, str) and "." in k and k not in snapshot.schema(meta=True).names]
    if nested:
        raise HudiError(f"The record key {nested[0]!r} lies inside another column. Give keys=[...] of whole columns.")
    return chosen(snapshot, list(wanted), "keys")


def _compare(before: Snapshot, after: Snapshot, keys: pa.Schema, columns: Iterable[str] | None) -> pa.Table:
    shown = chosen(after, columns)
    values = pa.schema([f for f in shown if f.name not in keys.names])
    old, new = _differing(before, after)
    groups = sorted({(s.partition, s.file_id) for s in (*old, *new)})
    touched = _touched(after.timeline, before.as_of or "", after.as_of)
    instants = [touched.get(g, after.instant) for g in groups]
    schema = pa.schema([*keys, *values])
    was = Side(schema, lambda: _rows(before, after, old, schema, groups))
    now = Side(schema, lambda: _rows(after, after, new, schema, groups))
    return pair_rows(was, now, keys, values, [p for p, _ in groups], instants)


def _differing(before: Snapshot, after: Snapshot) -> tuple[list[FileSlice], list[FileSlice]]:
    """Leave out the file slices that are the same on both sides: same base file, same log files."""
    sides = [{_identity(s): s for s in snapshot.slices} for snapshot in (before, after)]
    return (
        [s for key, s in sides[0].items() if key not in sides[1]],
        [s for key, s in sides[1].items() if key not in sides[0]],
    )


def _identity(one: FileSlice) -> tuple[object, ...]:
    return (one.partition, one.file_id, tuple(f.path for f in one.files))


def _touched(known: Timeline, since: str, until: str | None) -> dict[_Group, str]:
    """Name for each file group the newest commit of the time that changed it, rather than only moved its rows."""
    found: dict[_Group, tuple[bool, str]] = {}
    for commit in known.commits:
        if commit.requested <= since or (until is not None and commit.requested > until):
            continue
        rank = (not commit.rearranges, commit.requested)
        for group in {*((s.partition, s.file_id) for s in commit.stats), *commit.replaced}:
            found[group] = max(found.get(group, rank), rank)
    return {group: instant for group, (_, instant) in found.items()}


def _rows(
    snapshot: Snapshot, newest: Snapshot, slices: Sequence[FileSlice], schema: pa.Schema, groups: Sequence[_Group]
) -> Iterator[pa.RecordBatch]:
    """Give the rows of some slices with the number of their file group and the commit that wrote them."""
    table = snapshot.timeline.table
    wanted = pa.schema([*schema, *([pa.field(COMMIT_TIME, pa.string())] if table.has_meta_fields else [])])
    whole = newest.schema(meta=True)
    numbers = {group: i for i, group in enumerate(groups)}
    for one in slices:
        number = numbers[one.partition, one.file_id]
        for batch in _slice_batches(snapshot, one, wanted, whole):
            yield _marked(batch, schema, number, has_meta=table.has_meta_fields)


def _slice_batches(snapshot: Snapshot, one: FileSlice, wanted: pa.Schema, whole: pa.Schema) -> Iterator[pa.RecordBatch]:
    table = snapshot.timeline.table
    if one.logs:
        for rows in merged_slices(table, [one], snapshot.schema(meta=True)):
            yield from as_schema(rows, wanted).to_batches(max_chunksize=BATCH_ROWS)
        return
    values = path_values(table, one.partition, whole)
    for part in parts_of([(snapshot.folder / one.base.path, values)]):
        yield from part_batches(part, wanted, whole.names, BATCH_ROWS)


def _marked(batch: pa.RecordBatch, schema: pa.Schema, number: int, *, has_meta: bool) -> pa.RecordBatch:
    count = batch.num_rows
    written = batch.column(len(schema)) if has_meta else pa.nulls(count, pa.string())
    columns = [*batch.columns[: len(schema)], pa.repeat(pa.scalar(number, pa.int32()), count), written]
    names = [*(f"c{i}" for i in range(len(schema))), GROUP, WRITTEN]
    return pa.record_batch(columns, names=names)
