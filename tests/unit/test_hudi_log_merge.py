"""Log files over base files: which version of a key is the row, by each rule that Hudi's tables have."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi import open_snapshot
from datalake_kit.hudi.rows import read_snapshot
from tests.hudi_logs import FIELDS, MorTable, block, data_block, delete_block, parquet_block, rollback_block, schema_of

T = [f"2026010100000{n}000" for n in range(10)]
DEFAULT = "org.apache.hudi.common.model.DefaultHoodieRecordPayload"
LATEST = "org.apache.hudi.common.model.OverwriteWithLatestAvroPayload"
EVENT = {"version": 8, "hoodie_record_merge_mode": "EVENT_TIME_ORDERING"}
COMMIT = {"version": 8, "hoodie_record_merge_mode": "COMMIT_TIME_ORDERING"}
OLD_EVENT = {"hoodie_compaction_payload_class": DEFAULT}
OLD_LATEST = {"hoodie_compaction_payload_class": LATEST}
RULES = {"6 latest": OLD_LATEST, "6 event": OLD_EVENT, "8 event": EVENT, "8 commit": COMMIT}


def row(key: str, seq: int | None, v: str = "") -> dict[str, Any]:
    return {"id": key, "seq": seq, "v": v or f"{key}{seq}"}


def rows_of(table: MorTable, **options: Any) -> dict[str, Any]:
    found = read_snapshot(open_snapshot(table.folder, **options)).to_pylist()
    assert len({r["id"] for r in found}) == len(found)
    return {r["id"]: r["v"] for r in found}


@pytest.mark.parametrize("rule", RULES)
def test_a_newer_version_wins_and_a_delete_takes_the_row_away(rule: str, tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t", **RULES[rule])
    table.put_base(T[1], [row("a", 1), row("b", 1), row("c", 1)])
    table.put_log(T[2], data_block(T[2], [row("a", 2), row("d", 2)]), delete_block(T[2], {"b": 2}))
    table.put_log(T[3], parquet_block(T[3], [row("b", 3), row("e", 3)]), number=2)
    assert rows_of(table) == {"a": "a2", "b": "b3", "c": "c1", "d": "d2", "e": "e3"}
    assert rows_of(table, as_of=T[2]) == {"a": "a2", "c": "c1", "d": "d2"}


@pytest.mark.parametrize(
    ("rule", "over_base", "in_logs", "deleted"),
    [
        ("6 latest", "a1", "b5", "c5"),  # a log wins over the base file, within logs the ordering value decides
        ("6 event", "a5", "b5", "c5"),
        ("8 event", "a5", "b5", "c5"),
        ("8 commit", "a1", "b1", None),
    ],
)
def test_a_late_version(rule: str, over_base: str, in_logs: str, deleted: str | None, tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t", **RULES[rule])
    table.put_base(T[1], [row("a", 5), row("b", 1)])
    table.put_log(T[2], data_block(T[2], [row("b", 5), row("c", 5)]))
    table.put_log(T[3], data_block(T[3], [row("a", 1), row("b", 1)]), delete_block(T[3], {"c": 1}), number=2)
    expected = {"a": over_base, "b": in_logs} | ({"c": deleted} if deleted else {})
    assert rows_of(table) == expected


@pytest.mark.parametrize("rule", RULES)
def test_equal_ordering_values_and_none(rule: str, tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t", **RULES[rule])
    table.put_base(T[1], [row("a", 1, "old"), row("b", None, "old"), row("c", 9), row("d", 9)])
    table.put_log(T[2], data_block(T[2], [row("a", 1, "new"), row("b", None, "new")]), delete_block(T[2], {"c": 0}))
    table.put_log(T[3], delete_block(T[3], {"d": None}), number=2)
    assert rows_of(table) == {"a": "new", "b": "new"}


@pytest.mark.parametrize("version", [6, 8, 9])
def test_without_an_ordering_column_the_last_write_wins(version: int, tmp_path: Path) -> None:
    """hudi-rs would show both versions."""
    table = MorTable(tmp_path / "t", version=version, hoodie_table_precombine_field="")
    table.put_base(T[1], [row("a", 5), row("b", 1)])
    table.put_log(T[2], data_block(T[2], [row("a", 1)]), delete_block(T[2], {"b": None}))
    assert rows_of(table) == {"a": "a1"}


def test_several_ordering_columns(tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t", version=9, hoodie_table_precombine_field="", hoodie_table_ordering_fields="seq,v")
    table.put_base(T[1], [row("a", 5, "x"), row("b", 5, "x")])
    table.put_log(T[2], data_block(T[2], [row("a", 5, "w"), row("b", 5, "y")]))
    assert rows_of(table) == {"a": "x", "b": "y"}


def test_rows_that_say_that_they_are_deleted(tmp_path: Path) -> None:
    fields = FIELDS | {"Op": ["null", "string"], "_hoodie_is_deleted": ["null", "boolean"]}
    payload = "org.apache.hudi.common.model.AWSDmsAvroPayload"
    table = MorTable(tmp_path / "t", hoodie_compaction_payload_class=payload)
    table.put_base(T[1], [row(k, 1) for k in "abc"], fields)
    gone = [row("a", 2) | {"Op": "D"}, row("b", 2) | {"Op": "U", "_hoodie_is_deleted": True}, row("c", 2) | {"Op": "U"}]
    table.put_log(T[2], data_block(T[2], gone, fields), fields=fields)
    assert rows_of(table) == {"c": "c2"}


def test_copies_of_a_key_in_the_base_file_stay(tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("a", 1), row("a", 1, "copy"), row("b", 1)])
    table.put_log(T[2], data_block(T[2], [row("a", 2)]))
    found = read_snapshot(open_snapshot(table.folder)).column("v").to_pylist()
    assert sorted(found) == ["a2", "b1", "copy"]


# --- which blocks count


def test_blocks_of_commits_that_are_not_complete_do_not_count(tmp_path: Path) -> None:
    """On file systems that can append, one log file holds the blocks of several commits."""
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("a", 1)])
    log = table.put_log(T[2], data_block(T[2], [row("a", 2)]))
    with log.open("ab") as more:
        more.write(data_block(T[3], [row("a", 3)]))
    (table.timeline / f"{T[3]}.deltacommit.inflight").write_text("")
    assert rows_of(table) == {"a": "a2"}
    table.commit(T[3], log)
    assert rows_of(table) == {"a": "a3"}
    assert rows_of(table, as_of=T[2]) == {"a": "a2"}
    with log.open("ab") as more:
        more.write(rollback_block(T[4], T[3]))
    assert rows_of(table) == {"a": "a2"}


def test_a_group_that_begins_with_a_log_file(tmp_path: Path) -> None:
    for version in (6, 8):
        table = MorTable(tmp_path / f"t{version}", version=version)
        table.put_log(T[1], data_block(T[1], [row("a", 1), row("b", 1)]), inserts=2)
        if version == 6:
            table.base = T[1]
        table.put_log(T[2], data_block(T[2], [row("a", 2)]), number=2)
        snapshot = open_snapshot(table.folder)
        assert (snapshot.parquet_files, len(snapshot.all_files), snapshot.needs_merge) == ((), 2, True)
        assert rows_of(table) == {"a": "a2", "b": "b1"}
        assert snapshot.schema().names == ["id", "seq", "v"]


def test_a_group_whose_base_file_nobody_knows_is_refused(tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t")
    base = table.put_base(T[1], [row("a", 1)])
    table.put_log(T[2], data_block(T[2], [row("a", 2)]))
    (table.timeline / f"{T[1]}.deltacommit").unlink()
    base.unlink()
    with pytest.raises(HudiError, match="no base file"):
        open_snapshot(table.folder)


# --- columns that changed


@pytest.mark.parametrize("make", [data_block, parquet_block])
def test_columns_added_moved_widened_and_spelled_otherwise_in_logs(make: Any, tmp_path: Path) -> None:
    old = {"id": "string", "n": "int", "seq": ["null", "long"], "V": ["null", "string"]}
    new = {"seq": ["null", "long"], "v": ["null", "string"], "id": "string", "extra": ["null", "double"], "n": "long"}
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [{"id": k, "n": 1, "seq": 1, "V": "old"} for k in "ab"], old)
    changed = {"id": "a", "n": 2**40, "seq": 2, "v": "new", "extra": 0.5}
    table.put_log(T[2], make(T[2], [changed], new), fields=new)
    found = read_snapshot(open_snapshot(table.folder))
    assert found.schema.names == list(new)
    assert sorted(found.to_pylist(), key=lambda r: r["id"]) == [
        changed,
        {"id": "b", "n": 1, "seq": 1, "v": "old", "extra": None},
    ]


def test_every_type_comes_back(tmp_path: Path) -> None:
    kinds: dict[str, tuple[Any, Any]] = {
        "i": ("int", 1),
        "l": ("long", 2**60),
        "f": ("float", 0.5),
        "d": ("double", 0.1),
        "b": ("boolean", True),
        "raw": ("bytes", b"\x00\xff"),
        "day": ({"type": "int", "logicalType": "date"}, dt.date(2026, 3, 1)),
        "us": ({"type": "long", "logicalType": "timestamp-micros"}, dt.datetime(2026, 3, 1, 1, 2, 3, 4, dt.UTC)),
        "ms": ({"type": "long", "logicalType": "timestamp-millis"}, dt.datetime(2026, 3, 1, 1, 2, 3, 4000, dt.UTC)),
        "money": (
            {"type": "fixed", "name": "m", "size": 6, "logicalType": "decimal", "precision": 12, "scale": 2},
            Decimal("-12345.67"),
        ),
        "uuid": ({"type": "string", "logicalType": "uuid"}, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        "list": ({"type": "array", "items": ["null", "int"]}, [1, None]),
        "map": ({"type": "map", "values": "long"}, {"k": 1}),
        "days": ({"type": "array", "items": ["null", {"type": "int", "logicalType": "date"}]}, [dt.date(2026, 3, 1)]),
        "times": (
            {"type": "map", "values": {"type": "long", "logicalType": "timestamp-millis"}},
            {"k": dt.datetime(2026, 3, 1, tzinfo=dt.UTC)},
        ),
        "inner": ({"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "string"]}]}, {"x": "y"}),
    }
    fields = FIELDS | {n: ["null", t] for n, (t, _) in kinds.items()}
    value = row("a", 2) | {n: v for n, (_, v) in kinds.items()}
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("b", 1)], fields)
    table.put_log(T[2], data_block(T[2], [value], fields), fields=fields)
    found = next(r for r in read_snapshot(open_snapshot(table.folder)).to_pylist() if r["id"] == "a")
    assert {k: dict(v) if k in ("map", "times") else v for k, v in found.items()} == value


def test_a_partition_column_that_only_the_path_tells(tmp_path: Path) -> None:
    table = MorTable(
        tmp_path / "t",
        hoodie_table_partition_fields="day",
        **{"hoodie_datasource_write_drop.partition.columns": "true"},
    )
    table.put_base(T[1], [row("a", 1)])
    table.put_log(T[2], data_block(T[2], [row("a", 2), row("b", 2)]))
    file = table.timeline / f"{T[2]}.deltacommit"
    for path in (*table.folder.glob("group*"), *table.folder.glob(".group*")):
        (table.folder / "day=7").mkdir(exist_ok=True)
        path.rename(table.folder / "day=7" / path.name)
    fields = FIELDS | {"day": ["null", "int"]}
    for commit in table.timeline.glob("*.deltacommit"):
        text = commit.read_text().replace('"path": "', '"path": "day=7/')
        commit.write_text(text)

    content = json.loads(file.read_text())
    content["extraMetadata"]["schema"] = schema_of(fields)
    file.write_text(json.dumps(content))
    found = read_snapshot(open_snapshot(table.folder))
    assert {r["id"]: (r["v"], r["day"]) for r in found.to_pylist()} == {"a": ("a2", 7), "b": ("b2", 7)}


# --- what is refused


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"hoodie_compaction_payload_class": "org.example.Mine"}, "a rule of its own .Mine"),
        ({"version": 8, "hoodie_record_merge_mode": "CUSTOM"}, "a rule of its own .CUSTOM"),
        ({"version": 9, "hoodie_table_partial.update.mode": "FILL_UNAVAILABLE"}, "FILL_UNAVAILABLE"),
        ({"hoodie_populate.meta.fields": "false"}, "no column _hoodie_record_key"),
    ],
)
def test_rules_that_are_not_known_are_refused(properties: Mapping[str, Any], message: str, tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t", **properties)
    table.put_base(T[1], [row("a", 1)])
    snapshot = open_snapshot(table.folder)
    assert read_snapshot(snapshot).num_rows == 1  # without log files nothing is merged
    table.put_log(T[2], data_block(T[2], [row("a", 2)]))
    with pytest.raises(HudiError, match=message):
        rows_of(table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (data_block(T[2], [row("a", 2)], _7="true"), "partial updates"),
        (data_block(T[2], [row("a", 2)], _4=f"{T[1]}"), "log compaction"),
        (block(4, {0: T[2], 2: schema_of(FIELDS)}, b"x"), "kind 4"),
        (block(3, {0: T[2], 2: schema_of(FIELDS)}, b"\0\0\0\3\0\0\0\1\0\0\0\5abcde"), "cannot be decoded"),
        (block(3, {0: T[2], 2: "{"}, b"\0\0\0\3\0\0\0\0"), "cannot be decoded"),
        (block(1, {0: T[2]}, b"\0\0\0\2junk"), "version 2"),
        (block(5, {0: T[2], 2: schema_of(FIELDS)}, b"PAR1"), "cannot be decoded"),
    ],
)
def test_blocks_that_cannot_be_merged_are_refused_with_their_file(content: bytes, message: str, tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("a", 1)])
    log = table.put_log(T[2], content)
    with pytest.raises(HudiError, match=message) as caught:
        rows_of(table)
    assert str(log) in str(caught.value)


def test_a_log_file_of_another_kind_or_cut_is_named(tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("a", 1)])
    for content in (b"junk" * 10, data_block(T[2], [row("a", 2)])[:-3]):
        log = table.put_log(T[2], content)
        with pytest.raises(UnreadableFileError, match="log file") as caught:
            rows_of(table)
        assert str(log) in str(caught.value)


# --- any history


KEYS = st.sampled_from("abcd")
PUT = st.tuples(st.just("put"), KEYS, st.integers(1, 4))
DROP = st.tuples(st.just("drop"), KEYS, st.integers(0, 4))
HISTORY = st.lists(st.lists(st.one_of(PUT, DROP), min_size=1, max_size=4), max_size=5)


@settings(max_examples=150, deadline=None)
@given(
    base=st.dictionaries(KEYS, st.integers(1, 4)),
    history=HISTORY,
    rule=st.sampled_from(sorted(RULES)),
    compacted=st.booleans(),
)
def test_any_history_gives_what_following_it_by_hand_gives(
    base: dict[str, int], history: list[list[tuple[str, str, int]]], rule: str, compacted: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = MorTable(Path(folder) / "t", **RULES[rule])
        table.put_base(T[1], [row(k, s, f"base {k}") for k, s in base.items()])
        in_logs: dict[str, tuple[int, str | None]] = {}
        for number, changes in enumerate(history, start=2):
            blocks = []
            for place, (what, key, seq) in enumerate(changes):
                value = f"{number}.{place}"
                is_put = what == "put"
                blocks.append(
                    data_block(T[number], [row(key, seq, value)]) if is_put else delete_block(T[number], {key: seq})
                )
                known = in_logs.get(key)
                free = rule == "8 commit" or known is None or seq == 0 or known[0] == 0
                if free or seq >= known[0]:  # type: ignore[index]
                    in_logs[key] = (seq, value if is_put else None)
            table.put_log(T[number], *blocks, number=number)
        expected: dict[str, str | None] = {k: f"base {k}" for k in base}
        for key, (seq, value) in in_logs.items():
            decides = rule in ("6 event", "8 event") and key in base and seq != 0
            if not (decides and base[key] > seq):
                expected[key] = value
        assert rows_of(table) == {k: v for k, v in expected.items() if v is not None}


def test_merging_keeps_the_types_of_the_schema(tmp_path: Path) -> None:
    table = MorTable(tmp_path / "t")
    table.put_base(T[1], [row("a", 1)])
    table.put_log(T[2], data_block(T[2], [row("b", 2)]))
    snapshot = open_snapshot(table.folder)
    assert read_snapshot(snapshot).schema.equals(snapshot.schema())
    assert read_snapshot(snapshot, ["V", "_hoodie_commit_time"]).schema.equals(
        pa.schema([("v", pa.string()), ("_hoodie_commit_time", pa.string())])
    )
