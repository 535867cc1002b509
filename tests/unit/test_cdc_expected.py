"""What a table should hold: the real stories, and random worlds against a plain-Python oracle."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import cdc
from datalake_kit.cdc.dms import list_dms_files
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.replay import replay
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from tests.replication import DATA, TRUTH, digest, staging
from tests.worlds import World, as_rows, expected_rows, runs, worlds


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_the_expected_state_of_each_real_table(name: str) -> None:
    truth = TRUTH[name]
    files = [f for f in list_dms_files(staging()) if f.table == truth["source"]]
    keys = ["PK_ID", "CDC_TIMESTAMP_SEQ"] if truth["mode"] == "H" else "PK_ID"
    found = cdc.expected(files, keys=keys, mode=truth["mode"])
    assert (found.rows, digest(found.table)) == (truth["expected_rows"], truth["expected_md5"])


@settings(max_examples=100, deadline=None)
@given(worlds(most_loads=2), st.sampled_from("SH"))
def test_random_worlds_in_both_modes(world: World, mode: str) -> None:
    staged = world.staged()
    with Workspace() as work:
        ordering = Ordering(work, staged, ["ID"], mode=mode)
        places = work.run("SELECT file, pos FROM expected ORDER BY file, pos").fetchnumpy()
        found = staged.take(places["file"], places["pos"])
        assert ordering.rows == found.num_rows
    assert as_rows(found) == expected_rows(world, mode)


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_random_runs(world: World) -> None:
    told = replay(world.staged(), ["ID"]).runs
    assert list(zip(told["inserts"], told["updates"], told["deletes"], strict=True)) == runs(world)
    assert told["rows"].tolist() == [len(rows) for rows in world.files]


@settings(max_examples=60, deadline=None)
@given(worlds(tidy=True))
def test_counts_follow_the_runs_in_a_tidy_world(world: World) -> None:
    found = replay(world.staged(), ["ID"])
    assert found.rows == found.runs["inserts"].sum() - found.runs["deletes"].sum()


def test_runs_are_what_the_writer_counted() -> None:
    files = cdc.files(staging())
    found = cdc.expected(files[files["table"] == "table_10"], keys="PK_ID").runs
    assert found[["inserts", "updates", "deletes"]].values.tolist() == [
        [2000, 0, 0],
        [3, 4, 0],
        [1, 1, 2],
        [0, 3, 1],
        [5, 1, 0],
        [0, 4, 3],
    ]


def test_what_cannot_be_trusted_is_listed() -> None:
    story = json.loads((DATA / "odp" / "staging" / "table_4.staging.json").read_text())["notes"]
    files = cdc.files(staging())
    doubts = cdc.expected(files[files["table"] == "table_4"], keys="pk_id").untrusted
    keys: dict[str, list[Any]] = {kind: sorted(group["key"]) for kind, group in doubts.groupby("kind")}
    moved = list(story["pk_update_as_U_of_new_key_only"].values())
    duplicates = story["duplicates_in_full_load_identical"] + story["duplicates_in_full_load_different"]
    assert keys == {
        "update of a key never seen": sorted(story["update_never_seen"] + moved),
        "delete of a key never seen": story["delete_never_seen"],
        "insert of a key that is there": story["insert_replayed"],
        "duplicate key in the full load": sorted(duplicates),
        "change delivered twice": story["change_rows_delivered_twice"],
    }
    for table in ("table_1", "table_2", "table_3", "table_5", "table_10"):
        assert cdc.expected(files[files["table"] == table], keys="pk_id").untrusted.empty, table


def _world(*files: list[tuple[Any, ...]]) -> World:
    return World(tuple(tuple(rows) for rows in files))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ([[("L", 1, 1, 0, "")], [("D", 1, 1, 1, "101")], [("U", 1, 1, 2, "102")]], "update of a deleted key"),
        ([[("L", 1, 1, 0, "")], [("D", 1, 1, 1, "101")], [("D", 1, 1, 2, "102")]], "delete of a deleted key"),
        ([[("L", 1, 1, 0, "")], [("U", 1, 1, 1, "102")], [("U", 1, 1, 2, "101")]], "older change in a later file"),
        ([[("L", 1, 1, 0, "")], [("U", 1, 1, 1, "")]], "change without a sequence"),
        ([[("L", 1, 1, 0, "")], [("U", 1, 1, 1, "1" * 35), ("U", 1, 1, 2, "1" * 34)]], "sequence of another length"),
    ],
)
def test_other_doubts(files: list[list[tuple[Any, ...]]], kind: str) -> None:
    assert kind in replay(_world(*files).staged(), ["ID"]).untrusted["kind"].tolist()


def test_changes_until_a_sequence_or_a_time() -> None:
    files = cdc.files(staging())
    one = files[files["table"] == "table_1"]
    first = one["last_sequence"].dropna().iloc[0]
    assert cdc.expected(one, keys="PK_ID", until=first).rows == 2090
    assert cdc.expected(one, keys="PK_ID", until="2026-03-01T10:00").rows == 2000
    moment = one["time"].iloc[1].to_pydatetime()
    assert cdc.expected(one, keys="PK_ID", until=moment).rows == 2090
    assert cdc.expected(one, keys="PK_ID", until=moment.date()).rows == 2200


def test_keys_of_several_columns() -> None:
    staged = _world([("L", 1, 1, 0, ""), ("L", 1, 2, 1, "")], [("D", 1, 2, 2, "101")]).staged()
    found = replay(staged, ["ID", "part"])
    assert found.keys == ("ID", "PART")
    assert found.table.column("VALUE").to_pylist() == [0]
    doubts = replay(_world([], [("D", 1, 2, 2, "101")]).staged(), ["ID", "PART"]).untrusted
    assert doubts["key"].tolist() == [(1, 2)]


def test_an_empty_world_and_one_where_all_is_deleted() -> None:
    assert replay(_world([]).staged(), ["ID"]).rows == 0
    assert replay(_world([("L", 1, 1, 0, "")], [("D", 1, 1, 1, "101")]).staged(), ["ID"]).rows == 0


def test_bad_input() -> None:
    staged = _world([("L", 1, 1, 0, "")]).staged()
    files = cdc.files(staging())
    with pytest.raises(ColumnNotFoundError, match="Did you mean ID"):
        replay(staged, ["IDE"])
    with pytest.raises(ParameterError, match="mode is"):
        cdc.expected(staged, keys="ID", mode="X")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="replays one table"):
        cdc.expected(files, keys="PK_ID")
    with pytest.raises(ParameterError, match=r"what dk\.cdc\.files gives"):
        cdc.expected(files.drop(columns=["path"]), keys="PK_ID")
    with pytest.raises(ParameterError, match="names no column"):
        cdc.expected(staged, keys=[])
    nulls = staged.rows.set_column(0, "ID", pa.array([None], pa.int64()))
    with pytest.raises(DataError, match=r"1 staged rows of s\.t have NULL"):
        replay(type(staged)(staged.files, nulls, staged.sequence), ["ID"])
    with pytest.raises(DataError, match="Mode H needs"):
        replay(type(staged)(staged.files, staged.rows, None), ["ID"], mode="H")
