"""Why keys differ: damaged random worlds, in which each explanation is replayed by an oracle of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datalake_kit.cdc.check import _case
from datalake_kit.cdc.compare import Comparison, Difference, align
from datalake_kit.cdc.explain import Explanation, explain
from datalake_kit.cdc.replay import replay
from tests.worlds import SCHEMA, Row, World, expected_rows, file, hudi_rows, worlds


def differ(
    world: World, lake: list[tuple[Any, ...]], faults: tuple[Any, ...] = ()
) -> tuple[list[Difference], dict[Any, Explanation]]:
    """The differences of a lake from what a world says, and their explanations."""
    staged = world.staged()
    expected = replay(staged, ["ID"])
    table = pa.table([pa.array([r[i] for r in lake], f.type) for i, f in enumerate(SCHEMA)], schema=SCHEMA)
    side = cast(Any, SimpleNamespace(rows=table, partition_columns=("PART",), faults=lambda: list(faults)))
    comparison = Comparison(align(staged.rows.select(staged.columns), table, ["ID"]), expected.positions, ["ID"])
    found = comparison.differences()
    return found, explain(_case(comparison, found, side, staged, expected))


def by_key(rows: list[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return groups


def kinds(expected: list[tuple[Any, ...]], lake: list[tuple[Any, ...]]) -> dict[int, str]:
    """What is wrong with each key, by the definitions."""
    ours, theirs = by_key(expected), by_key(lake)
    told = {}
    for key in ours.keys() | theirs.keys():
        e, there = ours.get(key, []), theirs.get(key, [])
        if len(there) > 1:
            told[key] = "duplicate"
        elif not there:
            told[key] = "missing"
        elif not e:
            told[key] = "extra"
        elif e != there:
            told[key] = "changed"
    return told


@settings(max_examples=80, deadline=None)
@given(worlds(tidy=True), st.booleans(), st.data())
def test_exactly_the_damaged_keys_come_out(world: World, by_partition: bool, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, len(world.files) - 1), max_size=2))
    lake = hudi_rows(world.without(*lost).files, by_partition=by_partition)
    found, _ = differ(world, lake)
    assert {d.key: d.kind for d in found} == kinds(expected_rows(world, "S"), lake)


@settings(max_examples=80, deadline=None)
@given(worlds(tidy=True, moves=False), st.data())
def test_withheld_files_are_named_and_replaying_without_them_gives_the_lake(world: World, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(0, len(world.files) - 1), min_size=1, max_size=2))
    lake = expected_rows(world.without(*lost), "S")
    found, reasons = differ(world, lake)
    assume(found)
    names = {f for r in reasons.values() for f in (r.file or "").split(", ")}
    assert all("never processed" in r.text for r in reasons.values()), reasons
    named = {n for n in range(len(world.files)) if file(n).name in names}
    assert expected_rows(world.without(*named), "S") == lake


@settings(max_examples=60, deadline=None)
@given(worlds(tidy=True), st.data())
def test_with_moves_each_explanation_leaves_what_the_lake_has(world: World, data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.integers(1, max(1, len(world.files) - 1)), max_size=1))
    lake = hudi_rows(world.without(*lost).files, by_partition=True)
    found, reasons = differ(world, lake)
    for difference in found:
        reason = reasons[difference.key]
        assert not reason.text.startswith("unexplained"), (difference, reason)
        named = [n for n in range(len(world.files)) if file(n).name in (reason.file or "")]
        left = by_key(hudi_rows(world.without(*named).files, by_partition="partition" in reason.text))
        assert left.get(difference.key, []) == by_key(lake).get(difference.key, [])


@settings(max_examples=60, deadline=None)
@given(worlds(tidy=True, moves=False), st.data())
def test_a_corrupted_row_is_never_explained_away(world: World, data: st.DataObject) -> None:
    lake = expected_rows(world, "S")
    assume(lake)
    hit = data.draw(st.integers(0, len(lake) - 1))
    lake[hit] = (*lake[hit][:2], 999_999, lake[hit][3])
    found, reasons = differ(world, lake)
    assert [(d.key, d.kind) for d in found] == [(lake[hit][0], "changed")]
    assert reasons[lake[hit][0]].text == "unexplained"


def _world(*files: list[Row]) -> World:
    return World(tuple(tuple(rows) for rows in files))


def test_a_file_whose_other_rows_arrived_is_not_blamed() -> None:
    world = _world([("L", 1, 1, 0, ""), ("L", 2, 1, 1, "")], [("U", 1, 1, 2, "101"), ("U", 2, 1, 3, "102")])
    lake = [(1, 1, 0, ""), (2, 1, 3, "102")]  # key 1 is as if the file had not come, key 2 shows that it has
    _, reasons = differ(world, lake)
    assert reasons[1].text == "unexplained"


def test_a_full_load_with_rows_in_the_lake_is_not_blamed_with_others() -> None:
    load: list[Row] = [("L", 1, 1, 0, ""), ("L", 3, 1, 1, "")]
    last: list[Row] = [("I", 1, 1, 4, "103"), ("D", 2, 1, 5, "104")]
    world = _world(load, [("D", 1, 1, 2, "101")], [("I", 2, 1, 3, "102")], last)
    _, reasons = differ(world, [(3, 1, 1, "")])
    assert reasons[1].file == f"{file(2).name}, {file(3).name}"


def test_the_newest_file_may_be_lag() -> None:
    world = _world([("L", 1, 1, 0, "")], [("U", 1, 1, 1, "101")])
    _, reasons = differ(world, [(1, 1, 0, "")])
    assert "or not yet: nothing newer is staged" in reasons[1].text


def test_rows_that_no_file_has() -> None:
    _, reasons = differ(_world([("L", 1, 1, 0, "")]), [(1, 1, 0, ""), (7, 1, 0, "")])
    assert reasons[7].text == "unexplained: no staged file has this key"


def test_stories_of_partitions() -> None:
    load: list[Row] = [("L", 1, 1, 0, ""), ("L", 2, 1, 1, ""), ("L", 3, 1, 2, ""), ("L", 4, 1, 3, "")]
    moved: list[Row] = [("U", 1, 2, 4, "101"), ("U", 2, 2, 5, "102")]
    world = _world(load, moved, [("D", 2, 2, 6, "103"), ("D", 3, None, 7, "104")])
    found, reasons = differ(world, hudi_rows(world.files, by_partition=True))
    assert [(d.key, d.kind) for d in found] == [(1, "duplicate"), (2, "extra"), (3, "extra")]
    assert reasons[1].text == "partition moved: the old row stays in PART=1"
    assert reasons[2].text == "partition moved, then deleted: the delete did not find the old row in PART=1"
    assert reasons[3].text == "delete with a NULL partition column: it did not find its row in PART=1"


def test_an_older_change_in_a_later_file_that_won() -> None:
    world = _world([("L", 1, 1, 0, "")], [("U", 1, 1, 1, "102")], [("U", 1, 1, 2, "101")])
    found, reasons = differ(world, [(1, 1, 2, "101")])
    assert [(d.key, d.kind) for d in found] == [(1, "changed")]
    assert reasons[1].text == "an older change in a later file overwrote the newer one"


def test_a_file_processed_out_of_its_turn() -> None:
    world = _world([("L", 1, 1, 0, ""), ("L", 2, 1, 1, "")], [("U", 1, 1, 2, "101")], [("U", 1, 1, 3, "102")])
    _, reasons = differ(world, [(1, 1, 2, "101"), (2, 1, 1, "")])
    assert reasons[1].text == f"{file(2).name} was never processed (or not yet: nothing newer is staged)"
    world = _world(
        [("L", 1, 1, 0, "")],
        [("U", 1, 1, 2, "101"), ("I", 3, 1, 3, "102")],
        [("U", 1, 1, 4, "103"), ("I", 4, 1, 5, "104")],
    )
    _, reasons = differ(world, [(1, 1, 2, "101"), (3, 1, 3, "102"), (4, 1, 5, "104")])
    assert reasons[1].text == f"{file(1).name} was processed after newer files and its older values won"


def test_copies_of_a_full_load_that_bulk_insert_kept() -> None:
    world = _world([("L", 1, 1, 0, ""), ("L", 1, 1, 1, ""), ("L", 2, 1, 2, "")], [("U", 1, 1, 3, "101")])
    found, reasons = differ(world, [(1, 1, 3, "101"), (1, 1, 3, "101"), (2, 1, 2, "")])
    assert [(d.key, d.kind) for d in found] == [(1, "duplicate")]
    assert reasons[1].text == "the full load has the key several times and all copies were kept"


@pytest.mark.parametrize("missing", [1, 2])
def test_files_of_the_lake_that_are_gone(missing: int) -> None:
    from datalake_kit.cdc.explain import Fault

    load: list[Row] = [("L", k, 1, k, "") for k in range(1, 6)]
    world = _world(load, [("U", k, 1, 10 + k, f"10{k}") for k in range(1, 5)])
    lake = [(k, 1, 10 + k, f"10{k}") if k > missing else (k, 1, k, "") for k in range(1, 5)] + [(5, 1, 5, "")]
    fault = Fault("PART=1/base.parquet", "20260301000000000", "PART=1", 2, "The base file is gone.")
    _, reasons = differ(world, lake, (fault,))
    assert {(r.text, r.file, r.commit) for r in reasons.values()} == {(fault.problem, fault.file, fault.commit)}
    small = Fault("PART=1/base.parquet", "20260301000000000", "PART=1", 0, "The base file is gone.")
    _, reasons = differ(world, lake, (small,))
    assert {r.text for r in reasons.values()} == {"unexplained"}
