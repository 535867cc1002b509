"""Where this reader and hudi-rs can both read, they give the same rows: newest, and as of every commit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datalake_kit.errors import HudiError
from datalake_kit.hudi.reading import count_snapshot
from datalake_kit.hudi.rows import read_snapshot, snapshot_batches
from datalake_kit.hudi.snapshot import open_snapshot
from tests.replication import PUBLIC_ROWS, READABLE, odp_table, public_table

TABLES = [*PUBLIC_ROWS, *READABLE]
# Where they differ, and why: pasts that the cleaner removed. This reader refuses them, as Hudi's own does; hudi-rs
# gives what is left of them without a word.
PAST_REMOVED = {"tables/v6_table_10_cleaned.zip", "tables/v8_table_10_cleaned.zip"}


def folder_of(name: str) -> Path:
    return public_table(name) if name in PUBLIC_ROWS else odp_table(name)


def by_hudi_rs(folder: Path, as_of: str | None) -> pa.Table:
    from hudi import HudiReadOptions, HudiTable

    options = HudiReadOptions()
    if as_of is not None:
        options = options.with_as_of_timestamp(as_of)
    batches = [pa.record_batch(b) for b in HudiTable(str(folder)).read(options)]
    return pa.Table.from_batches(batches) if batches else pa.table({})


def multiset(rows: pa.Table, names: list[str]) -> Counter[Any]:
    """The rows without Hudi's own columns, whose encoding of keys changed between versions."""
    columns = [[repr(v) for v in rows.column(n).to_pylist()] for n in names]
    return Counter(zip(*columns, strict=True))


def agree(folder: Path, as_of: str | None) -> None:
    snapshot = open_snapshot(folder, as_of=as_of)
    ours, theirs = read_snapshot(snapshot), by_hudi_rs(folder, as_of)
    assert count_snapshot(snapshot) == ours.num_rows == theirs.num_rows
    if ours.num_rows:
        assert multiset(ours, ours.schema.names) == multiset(theirs, ours.schema.names)
    for name in set(theirs.schema.names) - set(ours.schema.names):  # a column of a later commit, or one of Hudi's own
        assert name.startswith("_hoodie_") or theirs.column(name).null_count == theirs.num_rows
    assert pa.Table.from_batches(snapshot_batches(snapshot, rows=7), schema=ours.schema).equals(ours)


@pytest.mark.parametrize("name", TABLES)
def test_newest(name: str) -> None:
    agree(folder_of(name), None)


@pytest.mark.parametrize("name", TABLES)
def test_as_of_every_commit(name: str) -> None:
    folder = folder_of(name)
    refused: list[str] = []
    for commit in open_snapshot(folder).timeline.commits:
        try:
            open_snapshot(folder, as_of=commit.requested)
        except HudiError:
            refused.append(commit.requested)
            continue
        agree(folder, commit.requested)
    assert bool(refused) == (name in PAST_REMOVED)
