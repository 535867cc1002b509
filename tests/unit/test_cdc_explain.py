"""Why keys differ: one cause at a time, and what is said of it. Random worlds are in test_cdc_worlds.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from datalake_kit.cdc.explain import Explanation, Fault, explain
from datalake_kit.cdc.explain.case import (
    COPIES,
    DROPPED_SECOND,
    FILE_AT_FAULT,
    LAG,
    LATE,
    LOAD_FAILED,
    LOST_COLUMN,
    MOVED,
    NOT_COMMITTED,
    OVERWRITTEN,
    PART_WITHHELD,
    STOPPED,
    STRANGER,
    UNEXPLAINED,
    WITHHELD,
)
from tests.pipelines import case_of, kinds, leave
from tests.worlds import Row, World, expected_rows, file, hudi_rows


def differ(world: World, lake: list[tuple[Any, ...]], **fields: Any) -> tuple[dict[Any, str], dict[Any, Explanation]]:
    """What is wrong with the keys of a lake, and the explanations."""
    return kinds(expected_rows(world, "S"), lake), explain(case_of(world, lake, **fields))


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
    assert found == {1: "duplicate", 2: "extra", 3: "extra"}
    assert reasons[1].text == f"partition moved: the old row stays in PART=1 (by {file(1).name})"
    deleted = "partition moved, then deleted: the delete did not find the old row in PART=1"
    assert reasons[2].text == f"{deleted} (by {file(2).name})"
    assert reasons[3].text == (
        f"delete with a NULL partition column: it did not find its row in PART=1 (by {file(2).name})"
    )
    assert [reasons[k].short for k in (1, 3)] == [
        "partition moved: the old row stays",
        "delete with a NULL partition column: it did not find its row",
    ]


def test_an_older_change_in_a_later_file_that_won() -> None:
    world = _world([("L", 1, 1, 0, "")], [("U", 1, 1, 1, "102")], [("U", 1, 1, 2, "101")])
    found, reasons = differ(world, [(1, 1, 2, "101")])
    assert found == {1: "changed"}
    assert reasons[1].short == "an older change in a later file overwrote the newer one"
    assert (reasons[1].file, reasons[1].cause) == (file(2).name, LATE)


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
    assert found == {1: "duplicate"}
    assert reasons[1].text == "the full load has the key several times and all copies were kept"


@pytest.mark.parametrize("missing", [1, 2])
def test_files_of_the_lake_that_are_gone(missing: int) -> None:
    load: list[Row] = [("L", k, 1, k, "") for k in range(1, 6)]
    world = _world(load, [("U", k, 1, 10 + k, f"10{k}") for k in range(1, 5)])
    lake = [(k, 1, 10 + k, f"10{k}") if k > missing else (k, 1, k, "") for k in range(1, 5)] + [(5, 1, 5, "")]
    fault = Fault("PART=1/base.parquet", "20260301000000000", "PART=1", 2, "The base file is gone.")
    _, reasons = differ(world, lake, faults=[fault])
    assert {(r.text, r.file, r.commit) for r in reasons.values()} == {(fault.problem, fault.file, fault.commit)}
    small = Fault("PART=1/base.parquet", "20260301000000000", "PART=1", 0, "The base file is gone.")
    _, reasons = differ(world, lake, faults=[small])
    assert {r.text for r in reasons.values()} == {"unexplained"}


# --- why a file was not processed


LOAD: list[Row] = [("L", 1, 1, 0, ""), ("L", 2, 1, 1, "")]
THREE = (LOAD, [("U", 1, 1, 2, "101")], [("I", 3, 1, 3, "102")], [("I", 4, 1, 4, "103")])


def _second(*seconds: int | None) -> list[datetime | None]:
    return [None if s is None else datetime(2026, 3, 1, 10, 0, s, 5000, tzinfo=UTC) for s in seconds]


def test_a_file_that_landed_in_the_second_of_the_full_load() -> None:
    world = _world(*THREE)
    lake = leave(world.without(1))
    _, reasons = differ(world, lake, landed=_second(7, 7, 8, 9))
    assert (reasons[1].cause, reasons[1].file) == (DROPPED_SECOND, file(1).name)
    assert "landed in the second of the full load" in reasons[1].text
    for landed in (_second(7, 8, 9, 10), _second(7, 7, 7, 9), _second(None, 7, 8, 9)):
        _, reasons = differ(world, lake, landed=landed)  # another second; another file of that second went in; unknown
        assert reasons[1].cause == WITHHELD


def test_a_run_that_stopped() -> None:
    world = _world(*THREE)
    _, reasons = differ(world, leave(world.without(2, 3)), last_commit="20260301100200000")
    assert {k: (r.cause, r.file, r.commit) for k, r in reasons.items()} == {
        3: (STOPPED, file(2).name, "20260301100200000"),
        4: (STOPPED, file(3).name, "20260301100200000"),
    }
    assert f"the run stopped after {file(1).name} (commit 20260301100200000)" in reasons[3].text
    assert "or not yet: nothing newer is staged" in reasons[3].text
    assert reasons[3].short == reasons[4].short
    _, reasons = differ(world, [])
    assert {r.short for r in reasons.values()} == {"nothing of the staged files was ever processed"}


def test_what_the_records_of_the_pipeline_say() -> None:
    world = _world(*THREE)
    lake = leave(world.without(2, 3))
    _, reasons = differ(world, lake, processed=[True, True, True, False], landed=_second(1, 2, 3, 4))
    assert [reasons[k].cause for k in (3, 4)] == [STOPPED, LAG]
    assert reasons[3].text.startswith(f"{file(2).name} was marked as processed, and what was in it is not in the table")
    assert reasons[4].text == f"{file(3).name} was not yet processed: landed 2026-03-01 10:00:04 UTC"
    _, reasons = differ(world, leave(world.without(3)), processed=[True] * 4)
    assert reasons[4].cause == WITHHELD
    assert "not yet" not in reasons[4].text


def test_a_full_load_whose_upsert_failed_for_its_null_ordering_column() -> None:
    world = _world(*THREE)
    lake = leave(world.without(0))
    _, reasons = differ(world, lake, null_ordering=[0])
    assert {k: (r.cause, r.file) for k, r in reasons.items()} == {2: (LOAD_FAILED, file(0).name)}
    assert (
        "NULL in the ordering column makes the upsert of a full load fail, and later files went in" in reasons[2].text
    )
    _, reasons = differ(world, lake)
    assert reasons[2].cause == WITHHELD


def test_the_commit_that_was_begun_and_never_completed_is_named() -> None:
    world = _world(*THREE)
    begun = Fault("", "20260301100300000", "", 0, "its commit 20260301100300000 was begun and never completed.")
    commits = ["20260301100000000", "20260301100100000", "", "20260301100400000"]
    lake = leave(world.without(2))
    _, reasons = differ(world, lake, pending=[begun], commits=commits)
    assert (reasons[3].cause, reasons[3].commit) == (NOT_COMMITTED, begun.commit)
    assert begun.problem in reasons[3].text
    early = Fault("", "20260301100000500", "", 0, "it was begun before the file before went in.")
    _, reasons = differ(world, lake, pending=[early], commits=commits)
    assert (reasons[3].cause, reasons[3].commit) == (WITHHELD, None)


def test_part_of_a_commit_that_never_completed() -> None:
    world = _world(LOAD, [("U", 1, 1, 2, "101"), ("U", 2, 2, 3, "102"), ("I", 5, 2, 5, "103")])
    lake = [(1, 1, 0, ""), (2, 1, 1, ""), (2, 2, 3, "102"), (5, 2, 5, "103")]
    begun = Fault("PART=1/f_1_20260302.parquet", "20260302", "PART=1", 1, "The commit 20260302 never completed.")
    _, reasons = differ(world, lake, pending=[begun])
    assert (reasons[1].cause, reasons[1].file, reasons[1].commit) == (NOT_COMMITTED, begun.file, begun.commit)
    assert reasons[2].cause == MOVED


@pytest.mark.parametrize("copies", [True, False])
def test_a_change_file_that_counts_as_a_full_load(copies: bool) -> None:
    second: list[Row] = [("U", 1, 1, 2, "101"), ("D", 2, 1, 3, "102"), ("U", 1, 1, 4, "103")]
    world = _world(LOAD, [("I", 6, 1, 9, "100")], second)
    lake = [(1, 1, 4, "103"), *([(1, 1, 2, "101"), (2, 1, 3, "102")] if copies else [])]
    case = case_of(world, sorted(lake))
    case.file_names = ["s/t/LOAD00000001.parquet", "s/t/20260301-100100000.parquet", "s/t/20260301-100200000.parquet"]
    reasons = explain(case)
    assert {r.cause for r in reasons.values()} == {OVERWRITTEN}
    assert {r.file for r in reasons.values()} == {"s/t/20260301-100200000.parquet"}
    _, reasons = differ(world, lake)  # in folders by date it does not count as one
    assert OVERWRITTEN not in {r.cause for r in reasons.values()}


PARTS = (
    [*LOAD, ("L", 5, 1, 5, ""), ("L", 6, 1, 6, "")],
    [("D", 1, 1, 2, "101"), ("U", 5, 1, 7, "102"), ("D", 6, 1, 8, "103")],
    [("I", 9, 1, 9, "104")],
)


def test_deletes_that_were_lost_though_the_rest_of_the_file_went_in() -> None:
    world = _world(*PARTS)
    lake = [*leave(world), (1, 1, 0, ""), (6, 1, 6, "")]
    _, reasons = differ(world, lake)
    assert {k: (r.cause, r.file) for k, r in reasons.items()} == {k: (PART_WITHHELD, file(1).name) for k in (1, 6)}
    assert reasons[1].text == f"the deletes of {file(1).name} were never processed"
    begun = Fault("", "20260301100130000", "", 0, "The commit 20260301100130000 was rolled back")
    commits = ["20260301100000000", "20260301100100000", "20260301100200000"]
    _, reasons = differ(world, lake, pending=[begun], commits=commits)
    assert (reasons[1].cause, reasons[1].commit) == (NOT_COMMITTED, begun.commit)
    assert reasons[1].text.endswith("were never processed: the commit 20260301100130000 was rolled back")
    _, reasons = differ(world, lake[:-1])  # one of the deletes went in
    assert {r.text for r in reasons.values()} == {UNEXPLAINED}


def test_inserts_and_updates_that_were_lost_though_the_deletes_of_the_file_went_in() -> None:
    world = _world(*PARTS)
    lake = [row if row[0] != 5 else (5, 1, 5, "") for row in leave(world)]
    _, reasons = differ(world, lake)
    assert reasons[5].text == f"the inserts and updates of {file(1).name} were never processed"


# --- ways of pipelines


def test_files_that_went_in_with_one_commit() -> None:
    world = _world(LOAD, [("U", 1, 2, 2, "101")], [("U", 1, 3, 3, "102")], [("U", 2, 2, 4, "103")])
    lake = leave(world, [[0], [1, 2], [3]], by_partition=True)
    _, reasons = differ(world, lake, commits=["1", "2", "2", "3"])
    assert {r.cause for r in reasons.values()} == {MOVED}
    assert "as one run" not in reasons[1].text


def test_files_that_must_have_gone_in_together_are_found_out_and_said() -> None:
    world = _world(LOAD, [("U", 1, 2, 2, "101"), ("I", 5, 1, 5, "100")], [("U", 1, 3, 3, "102")])
    _, reasons = differ(world, leave(world, [[0], [1, 2]], by_partition=True))
    assert reasons[1].text.endswith(f"{file(1).name}, {file(2).name} went in as one run")
    assert reasons[1].short == "partition moved: the old row stays"


def test_an_older_change_that_brings_a_deleted_key_back() -> None:
    world = _world(LOAD, [("D", 1, 1, 2, "103"), ("U", 2, 1, 6, "104")], [("U", 1, 1, 3, "101"), ("U", 2, 1, 7, "102")])
    found, reasons = differ(world, leave(world))
    assert found == {1: "extra"}
    assert (reasons[1].cause, reasons[1].file) == (LATE, file(2).name)
    assert "brought the deleted key back" in reasons[1].text


def test_the_rule_of_more_keys_decides_whether_late_changes_win() -> None:
    late: list[Row] = [("U", 1, 1, 3, "101"), ("U", 2, 1, 4, "102"), ("U", 5, 1, 8, "100")]
    world = _world([*LOAD, ("L", 5, 1, 5, "")], [("U", k, 1, 10 + k, f"20{k}") for k in (1, 2, 5)], late)
    sound = {row[0]: row for row in expected_rows(world, "S")}
    _, reasons = differ(world, [(1, 1, 3, "101"), sound[2], sound[5]])
    assert reasons[1].text == UNEXPLAINED
    _, reasons = differ(world, [(1, 1, 3, "101"), (2, 1, 4, "102"), sound[5]])
    assert {r.cause for r in reasons.values()} == {LATE}


def test_a_withheld_file_is_named_though_its_delete_would_not_have_found_the_row() -> None:
    deletes: list[Row] = [("D", 1, None, 2, "101"), ("D", 2, 1, 3, "102")]
    world = _world(LOAD, deletes, [("I", 7, 1, 7, "103")])
    _, reasons = differ(world, leave(world.without(1), by_partition=True))
    assert {r.file for r in reasons.values()} == {file(1).name}
    assert "would differ all the same: delete with a NULL partition column" in reasons[1].text
    assert reasons[1].short == reasons[2].short


def test_a_full_load_with_a_key_in_two_partitions() -> None:
    world = _world([("L", 1, 1, 0, ""), ("L", 1, 2, 1, "")], [("I", 3, 1, 3, "101")])
    _, reasons = differ(world, leave(world, by_partition=True))
    assert reasons[1].cause == COPIES
    assert reasons[1].text == "the full load has the key in several partitions: a row stays in PART=1"


# --- the lake's own


def test_a_file_withheld_and_a_file_of_the_table_gone() -> None:
    world = _world([("L", k, 1, k, "") for k in range(1, 7)], [("U", 1, 1, 11, "101")], [("I", 9, 1, 9, "103")])
    lake = [row for row in leave(world.without(1)) if row[0] not in (5, 6)]
    fault = Fault("PART=1/x.parquet", "20260301", "PART=1", 2, "The base file is gone.")
    _, reasons = differ(world, lake, faults=[fault])
    assert {k: r.cause for k, r in reasons.items()} == {1: WITHHELD, 5: FILE_AT_FAULT, 6: FILE_AT_FAULT}


def test_a_column_that_the_lake_has_and_that_never_arrived() -> None:
    world = _world(LOAD, [("U", 1, 1, 2, "101")])
    case = case_of(world, leave(world))
    case.damaged, case.lost_columns = [1], ["FEE"]  # rows are numbered without it
    reason = explain(case)[1]
    assert (reason.cause, reason.text) == (LOST_COLUMN, "the column FEE never arrived: it is NULL in the lake")
    case.lost_columns = []
    assert explain(case)[1].text == UNEXPLAINED


def test_rows_of_a_load_that_are_in_the_lake_beyond_those_in_question() -> None:
    world = _world(LOAD, [("U", 1, 1, 2, "101")])
    lake = [(1, 1, 2, "101")]
    assert differ(world, lake)[1][2].cause == WITHHELD
    assert differ(world, lake, arrived=[0])[1][2].text == UNEXPLAINED
    assert differ(world, lake, known_files=[1])[1][2].text == UNEXPLAINED


def test_effort_is_bounded_and_said() -> None:
    world = _world(*THREE)
    _, reasons = differ(world, [*leave(world.without(2)), (8, 1, 8, "")], effort=1)
    assert reasons[3].text == "unexplained: too many keys differ to try every cause for each"
    assert reasons[8].cause == STRANGER
